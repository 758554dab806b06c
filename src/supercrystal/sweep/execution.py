"""One job under its lock: do what is left of it, and leave word of how that went.

The lock is an advisory lock on the job's study file, held by the process that works. It goes when that process goes, however
it is killed, and a launched MPI program inherits it. ``running.json`` only says who it was; without the lock it means that
somebody was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from supercrystal import ranks as mpi
from supercrystal.errors import SupercrystalError
from supercrystal.rundir import write_atomically
from supercrystal.sweep import operations, provenance
from supercrystal.sweep.operations import OPERATIONS, PRODUCTS, Job, line
from supercrystal.sweep.space import STATEPOINT, STUDY, Entry, problem

#: Files that say how it goes.
RUNNING, FAILED = "running.json", "failed.json"
#: Exit codes of a process that works on one job.
DONE, FAILURE, STOPPED, BUSY, UNTOUCHED = 0, 1, 3, 4, 5
#: A look at the lock by `status` takes it for an instant; whoever wants it tries again for so long [s].
PATIENCE_S = 0.5


class BusyError(Exception):
    """Another process works on the job."""


class Stopped(BaseException):
    """The process was asked to stop. No `Exception`, so that nothing on the way takes it for a failure."""


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[int]:
    """Keep others out of a job; gives the descriptor that carries the lock.

    Raises:
        BusyError: another process has it.
    """
    # Open for writing, which it is not: over NFS flock is a byte-range lock, and an exclusive one asks for that.
    with (folder / STUDY).open("r+b") as file:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise BusyError(f"{folder.name} is being worked on by another process") from None
                time.sleep(0.02)
        yield file.fileno()


def locked(folder: Path) -> bool:
    """Whether somebody works on a job now."""
    try:
        with (folder / STUDY).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no such file: nobody can work on it
    return False


def missing(folder: Path, kind: str) -> list[str]:
    """Operations of a job that are not finished, in their order."""
    return [name for name in line(kind) if not (folder / PRODUCTS[name]).exists()]


def execute(
    entry: Entry,
    folder: Path,
    only: str | None = None,
    launcher: Sequence[str] = (),
    say: Callable[[str], None] = lambda message: None,
) -> int:
    """Do what is left of a job.

    Args:
        entry: of the index.
        folder: of the job.
        only: one operation; nothing is done if it is finished.
        launcher: of MPI programs; ``mpiexec -n RANKS`` where the job asks for more than one rank.
        say: is told what happens.

    Returns:
        `DONE`, `FAILURE`, `STOPPED`, `BUSY` or `UNTOUCHED`.
    """
    stats = {name: (folder / name).stat() for name in (STATEPOINT, STUDY) if (folder / name).exists()}
    if found := problem(entry, stats, folder):
        say(
            f"{entry.id}: not touched: it {found}"
            if found.startswith("was made")
            else f"{entry.id}: not touched: {found}"
        )
        return UNTOUCHED
    try:
        with lock(folder) as held, _stoppable():
            return _work(entry, folder, only, launcher, say, held)
    except BusyError as error:
        say(str(error))
        return BUSY
    except (Stopped, KeyboardInterrupt):
        say(f"{entry.id}: stopped; goes on from its last checkpoint")
        return STOPPED


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the request to end into an exception, so that what was done is recorded."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _work(
    entry: Entry,
    folder: Path,
    only: str | None,
    launcher: Sequence[str],
    say: Callable[[str], None],
    held: int,
) -> int:
    todo = [name for name in missing(folder, entry.operation) if only in (None, name)]
    operation = todo[0] if todo else ""
    session = None
    try:
        killed = _left_behind(folder)
        operations.clean(folder)
        if not todo:
            (folder / RUNNING).unlink(missing_ok=True)
            return DONE
        (folder / FAILED).unlink(missing_ok=True)
        session = provenance.Session(folder, entry.seed, killed)
        ranks = entry.directives.ranks
        starts = tuple(launcher) or ((mpi.launcher(), "-n", str(ranks)) if ranks > 1 else ())
        job = Job.at(folder, launcher=starts, say=say, keep=(held,))
        for operation in todo:
            say(f"{entry.id}: {operation}")
            word = {
                "operation": operation,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "started": provenance.now(),
            }
            write_atomically(folder / RUNNING, json.dumps(word) + "\n")
            session.begin(operation)
            OPERATIONS[operation](job)
            session.end("done")
        (folder / RUNNING).unlink(missing_ok=True)
    except (Stopped, KeyboardInterrupt):
        with contextlib.suppress(OSError):
            if session is not None:
                session.end("stopped")
            (folder / RUNNING).unlink(missing_ok=True)
        raise
    except Exception as error:
        # Whatever goes wrong with one job, the sweep goes on.
        record_failure(folder, operation, error)
        say(f"{entry.id}: {operation} failed: {_message(error)}")
        with contextlib.suppress(OSError, AttributeError):
            if session is not None:
                session.end("failed")
        return FAILURE
    return DONE


def _left_behind(folder: Path) -> dict[str, Any] | None:
    """What a killed process had said of itself."""
    try:
        content: dict[str, Any] = json.loads((folder / RUNNING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content


def _message(error: BaseException) -> str:
    return (
        str(error) if isinstance(error, SupercrystalError | OSError) else f"{type(error).__name__}: {error}"
    )


def record_failure(folder: Path, operation: str, error: BaseException | str) -> None:
    """Write ``failed.json``; on a full disk that may fail too, and the message goes to the terminal only."""
    record = {
        "operation": operation,
        "message": error if isinstance(error, str) else _message(error),
        "traceback": None if isinstance(error, str) else "".join(traceback.format_exception(error)),
        "at": provenance.now(),
        "host": socket.gethostname(),
    }
    with contextlib.suppress(OSError):
        write_atomically(folder / FAILED, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        (folder / RUNNING).unlink(missing_ok=True)
