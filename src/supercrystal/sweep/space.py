"""The data space of a sweep on disk: a signac project, one index, and what each job's directory says of itself.

``index.json`` holds for every job what `status` needs beside the names of its files: axes, directives, and size and time
of the two files that nobody should edit. Only where one of these differs the file itself is read.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supercrystal import __version__
from supercrystal.errors import RunDirectoryError, StudyError, SupercrystalError
from supercrystal.rundir import write_atomically
from supercrystal.sweep.directives import Directives, estimate
from supercrystal.sweep.points import SCHEMA, Point, digest, points
from supercrystal.sweep.specification import Specification

#: Files at the top of a sweep.
INDEX, SWEEP, BASE = "index.json", "sweep.toml", "base.toml"
#: Files of a job that its state point fixes.
STATEPOINT, STUDY = "signac_statepoint.json", "study.toml"
_ID = 32  # characters of a signac job


@dataclass(frozen=True)
class Entry:
    """What the index says of one job."""

    id: str
    operation: str
    seed: int
    axes: Mapping[str, Any]
    directives: Directives
    stamps: Mapping[str, tuple[int, int]]  #: file → size and time of change [ns]
    schema: int = SCHEMA
    study: str = ""  #: checksum of the study's content


@dataclass
class Space:
    """A sweep on disk.

    Args:
        root: its directory.
        name: of the sweep.
        axes: in the order of sweep.toml.
        entries: job → what the index says of it.
        invalid: state points that are no studies: their axes and the error.
        made_by: version of the package that wrote the index.
    """

    root: Path
    name: str
    axes: tuple[str, ...]
    entries: dict[str, Entry] = field(default_factory=dict)
    invalid: list[dict[str, Any]] = field(default_factory=list)
    made_by: str = __version__

    @property
    def workspace(self) -> Path:
        """Where the jobs are."""
        return self.root / "workspace"

    def folder(self, job: str) -> Path:
        """Directory of a job."""
        return self.workspace / job

    def find(self, start: str) -> str:
        """The job whose id begins so.

        Raises:
            StudyError: none or several.
        """
        start = start.rstrip("/").rpartition("/")[2]
        found = [job for job in self.entries if job.startswith(start)]
        if len(found) != 1 or not start:
            raise StudyError(f"'{start}' is the beginning of {len(found)} jobs of {self.root}: give one id")
        return found[0]


def initialise(
    sweep: Specification,
    base: Mapping[str, Any],
    text: str,
    root: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> Space:
    """Make the jobs of a sweep, or those that are not there yet.

    Args:
        sweep: the validated sweep.
        base: content of its base study.
        text: of sweep.toml.
        root: directory of the sweep.
        progress: is told how many points were looked at.

    Raises:
        RunDirectoryError: the directory cannot be written, or holds a sweep of another version or name.
        StudyError: an empty grid, or no state point that is a study.
    """
    import signac
    import tomli_w

    old = _old(root, sweep)
    found, invalid, known = [], [], {}
    for number, point in enumerate(points(sweep, base), 1):
        progress(number)
        if isinstance(point, Point):
            key = digest(
                {**point.content, "seed": 0, "operation": point.operation, "relax": dict(point.relax)}
            )
            try:
                # Replicas ask for the same.
                if key not in known:
                    known[key] = _ask(point, sweep)
                found.append((point, known[key]))
                continue
            except SupercrystalError as error:
                point = ({**point.axes, "operation": point.operation}, str(error))
        bad = {"axes": point[0], "error": point[1]}
        if bad not in invalid:
            invalid.append(bad)
    if not found:
        raise StudyError(
            f"no state point of sweep '{sweep.name}' is a study; the first problem, at "
            f"{json.dumps(invalid[0]['axes'], ensure_ascii=False)}: {invalid[0]['error']}"
        )
    space = Space(root, sweep.name, sweep.keys(), dict(old.entries) if old else {}, invalid)
    try:
        root.mkdir(parents=True, exist_ok=True)
        project = signac.init_project(root)
        for point, directives in found:
            job = project.open_job(point.statepoint)
            job.init()
            folder = Path(job.path)
            if not (folder / STUDY).exists():
                write_atomically(folder / STUDY, point.text)
            space.entries[job.id] = Entry(
                id=job.id,
                operation=point.operation,
                seed=point.seed,
                axes=dict(point.axes),
                directives=directives,
                stamps={name: _stamp((folder / name).stat()) for name in (STATEPOINT, STUDY)},
                study=point.statepoint["study"],
            )
        project.update_cache()
        write_atomically(root / BASE, tomli_w.dumps(dict(base)))
        write_atomically(root / SWEEP, text)
        _write_index(space)
    except OSError as error:
        raise RunDirectoryError(
            f"cannot write the sweep to {root}: {error}; what was made stays, and init goes on from there"
        ) from error
    return space


def _ask(point: Point, sweep: Specification) -> Directives:
    from supercrystal.sweep.points import validate

    return estimate(validate(point.content), point.operation, sweep.resources, point.relax)


def _old(root: Path, sweep: Specification) -> Space | None:
    if not (root / INDEX).exists():
        return None
    old = read(root)
    if old.name != sweep.name:
        raise RunDirectoryError(
            f"{root} holds the sweep '{old.name}', not '{sweep.name}': give another directory with -o"
        )
    if any(entry.schema != SCHEMA for entry in old.entries.values()):
        raise RunDirectoryError(
            f"{root} was made by supercrystal {old.made_by} with another layout of jobs: finish it with that version, or "
            "give another directory with -o"
        )
    return old


def _write_index(space: Space) -> None:
    content = {
        "schema": SCHEMA,
        "supercrystal": __version__,
        "name": space.name,
        "axes": list(space.axes),
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "invalid": space.invalid,
        "jobs": {job: _as_json(entry) for job, entry in space.entries.items()},
    }
    write_atomically(space.root / INDEX, json.dumps(content, ensure_ascii=False) + "\n")


def _as_json(entry: Entry) -> dict[str, Any]:
    content = dataclasses.asdict(entry)
    del content["id"]
    return content


def _stamp(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns


def read(root: Path) -> Space:
    """Read a sweep.

    Jobs that the index does not have, or all of them where it cannot be read, are found by their directories.

    Raises:
        RunDirectoryError: there is none.
    """
    if not (root / "workspace").is_dir():
        raise RunDirectoryError(
            f"{root} holds no sweep: make one with `supercrystal sweep init SWEEP.toml -o {root}`, or name its directory"
        )
    try:
        content = json.loads((root / INDEX).read_text(encoding="utf-8"))
        entries = {
            job: Entry(
                id=job,
                **{
                    **values,
                    "directives": Directives(**values["directives"]),
                    "stamps": {name: tuple(stamp) for name, stamp in values["stamps"].items()},
                },
            )
            for job, values in content["jobs"].items()
        }
        space = Space(
            root,
            content["name"],
            tuple(content["axes"]),
            entries,
            content["invalid"],
            content["supercrystal"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        space = Space(root, root.resolve().name, (), made_by="unknown")
    with os.scandir(root / "workspace") as folders:
        here = {entry.name for entry in folders if len(entry.name) == _ID and entry.is_dir()}
    for job in here - set(space.entries):
        space.entries[job] = _from_job(space.folder(job))
    # A job whose directory is gone was removed on purpose.
    space.entries = {job: entry for job, entry in space.entries.items() if job in here}
    if not space.axes:
        space.axes = tuple(dict.fromkeys(key for entry in space.entries.values() for key in entry.axes))
    return space


def _from_job(folder: Path) -> Entry:
    """Entry of a job that the index lacks, by its own state point; a state point that cannot be read shows as a problem."""
    try:
        point = json.loads((folder / STATEPOINT).read_text(encoding="utf-8"))
        return Entry(
            folder.name,
            str(point["operation"]),
            int(point["seed"]),
            dict(_flat(point["axes"])),
            Directives(),
            {},
            int(point["schema"]),
            str(point["study"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Entry(folder.name, "assemble", 0, {}, Directives(), {}, SCHEMA)


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def problem(entry: Entry, stats: Mapping[str, os.stat_result], folder: Path) -> str | None:
    """What keeps a job from being touched: another version, or files that were edited or are gone.

    Args:
        entry: of the index.
        stats: of the files in its directory, those of the state point and the study at least.
        folder: the directory.
    """
    if entry.schema != SCHEMA:
        return f"was made with layout {entry.schema} of jobs, this version has {SCHEMA}: finish it with the one that made it"
    for name, check in ((STATEPOINT, _check_statepoint), (STUDY, _check_study)):
        if name not in stats:
            return f"{name} is missing: run `supercrystal sweep init` again, which writes it anew"
        if entry.stamps.get(name) != _stamp(stats[name]) and (text := check(entry, folder / name)):
            return text
    return None


def _check_statepoint(entry: Entry, path: Path) -> str | None:
    from signac.job import calc_id

    try:
        point = json.loads(path.read_text(encoding="utf-8"))
        # signac's id is the checksum of the state point.
        same = calc_id(point) == entry.id
    except (OSError, ValueError) as error:
        return f"{path.name} cannot be read: {error}"
    if not same:
        return (
            f"{path.name} was edited by hand: it is not the state point of this directory any more. Undo the edit, or "
            "remove the directory and run init again"
        )
    if point.get("schema") != SCHEMA:
        return f"was made with layout {point.get('schema')} of jobs, this version has {SCHEMA}"
    return None


def _check_study(entry: Entry, path: Path) -> str | None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{path.name} cannot be read: {error}"
    if digest(content) != entry.study:
        return (
            f"{path.name} was edited by hand: it is not the study of this state point any more. Undo the edit, or remove "
            "the file and run init again"
        )
    return None
