"""A run directory: what lies in it, and how it survives being killed.

The order of writing makes a run crash-proof. A log row and a frame are appended and flushed first; only then does the
checkpoint of the same step replace the one before, in one rename. After a kill, everything up to the checkpoint's step
is therefore there, and whatever was written beyond it is cut off before the run goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supercrystal.errors import RunDirectoryError, TrajectoryError

if TYPE_CHECKING:
    import gsd.hoomd


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


class RunDirectory:
    """Paths of one run.

    Args:
        path: the directory; it is created by `create`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.study = path / "study.toml"
        self.resolved = path / "resolved.json"
        self.trajectory = path / "trajectory.gsd"
        self.log = path / "log.gsd"
        self.checkpoint = path / "checkpoint.gsd"
        self.messages = path / "messages.txt"
        self.result = path / "result.json"
        self.figures = path / "figures"
        self.report = path / "report.html"

    def create(self, study_text: str) -> None:
        """Make the directory for a new run.

        Raises:
            RunDirectoryError: it already holds something, or cannot be made.
        """
        if self.study.exists():
            raise RunDirectoryError(
                f"{self.path} already holds a run: give another directory with -o, or continue it with --resume"
            )
        # A study that was being written when its process was killed is no run yet.
        unfinished = self.study.with_name(self.study.name + ".partial")
        if self.path.exists() and (not self.path.is_dir() or set(self.path.iterdir()) - {unfinished}):
            raise RunDirectoryError(
                f"{self.path} exists and is not an empty directory: give another one with -o"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_atomically(self.study, study_text)
        except OSError as error:
            raise RunDirectoryError(
                f"cannot write to {self.path}: {error}; give another directory with -o"
            ) from error

    def check_same_study(self, study_text: str) -> None:
        """Make sure that the run found here is one of this study.

        Raises:
            RunDirectoryError: there is no run, or it is one of another study.
        """
        if not self.study.exists():
            raise RunDirectoryError(f"{self.path} holds no run to resume: leave out --resume to start one")
        if self.study.read_text(encoding="utf-8") != study_text:
            raise RunDirectoryError(
                f"{self.path} holds a run of another study than the one given: resume it with {self.study}, or give "
                "another directory with -o"
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process out while this one writes.

        Raises:
            RunDirectoryError: another process is writing here.
        """
        # The study file itself is locked: a lock file would be one more thing to leave behind. Over NFS an exclusive lock
        # asks for a file open for writing.
        with self.study.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunDirectoryError(
                    f"another process is running in {self.path}: wait for it, or stop it"
                ) from None
            yield

    def say(self, message: str) -> None:
        """Append a line to the messages of the run."""
        with self.messages.open("a", encoding="utf-8") as file:
            file.write(message + "\n")

    def write_checkpoint(self, frame: gsd.hoomd.Frame) -> None:
        """Replace the checkpoint."""
        import gsd.hoomd

        partial = self.checkpoint.with_name("checkpoint.gsd.partial")
        with gsd.hoomd.open(partial, "w") as file:
            file.append(frame)
        os.replace(partial, self.checkpoint)

    def read_checkpoint(self) -> gsd.hoomd.Frame | None:
        """Return the last checkpoint, or ``None`` if the run was killed before the first."""
        import gsd.hoomd

        if not self.checkpoint.exists():
            return None
        with gsd.hoomd.open(self.checkpoint, "r") as file:
            return file[0]

    def write_json(self, path: Path, content: dict[str, Any]) -> None:
        """Write a JSON file of this run."""
        write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def cut(path: Path, step: int) -> None:
    """Remove every frame after `step` from a GSD file, in one rename.

    A frame at the very end that was being written when the process was killed is later than any checkpoint, so it is
    dropped if it cannot be read.

    Raises:
        TrajectoryError: the file is not readable at all.
    """
    import gsd.hoomd

    if not path.exists():
        return
    partial = path.with_name(path.name + ".partial")
    try:
        with gsd.hoomd.open(path, "r") as old, gsd.hoomd.open(partial, "w") as new:
            for index in range(len(old)):
                try:
                    frame = old[index]
                except (RuntimeError, OSError, KeyError):
                    break
                if frame.configuration.step > step:
                    break
                new.append(frame)
    except (RuntimeError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise TrajectoryError(
            f"{path} cannot be read: {error}; start the run anew in another directory"
        ) from error
    os.replace(partial, path)
