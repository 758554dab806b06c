"""Many jobs on this machine: each in a process of its own, so that an engine that crashes takes one job with it.

The runner keeps nothing that it would miss: what is left to do is read from the jobs' files, and locks are held by the
processes that work. Killing it leaves those that work; starting two lets them share the jobs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType

from supercrystal.sweep.execution import BUSY, DONE, FAILED, STOPPED, UNTOUCHED, record_failure
from supercrystal.sweep.space import Space
from supercrystal.sweep.status import survey

#: Stop this long before the walltime [s]: an engine returns to Python at its next log row, a kill loses what came after the
#: last checkpoint, at most `simulate.CHECKPOINT_S` = 20 s of work.
STOP_BEFORE_S = 60.0
#: How long a process may take to stop before it is killed [s].
GRACE_S = 10.0
_POLL_S = 0.02


@dataclass
class Outcome:
    """What a runner did: the jobs by how they ended."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  #: job → message
    interrupted: list[str] = field(default_factory=list)  #: stopped or killed; they go on next time
    busy: list[str] = field(default_factory=list)  #: another runner has them
    untouched: dict[str, str] = field(default_factory=dict)  #: job → why
    left: list[str] = field(default_factory=list)  #: not begun before the walltime


@dataclass
class _Work:
    process: subprocess.Popen[bytes]
    messages: int  # descriptor of a file in memory, which no full disk can spoil


def run(
    space: Space,
    jobs: Sequence[str] | None = None,
    *,
    parallel: int = 1,
    walltime_s: float | None = None,
    retry: bool = False,
    launcher: Sequence[str] = (),
    say: Callable[[str], None] = lambda message: None,
) -> Outcome:
    """Run what can be run.

    Args:
        space: the sweep.
        jobs: only these.
        parallel: processes at a time.
        walltime_s: stop `STOP_BEFORE_S` before it, or after nine tenths of a shorter one [s].
        retry: also jobs that failed.
        launcher: of MPI programs.
        say: is told what happens.
    """
    began, outcome = time.monotonic(), Outcome()
    end = (
        None
        if walltime_s is None
        else began + max(walltime_s - STOP_BEFORE_S, 0.9 * walltime_s - STOP_BEFORE_S / 10)
    )
    queue: list[str] = []
    for found in survey(space, jobs):
        if found.problem:
            outcome.untouched[found.id] = found.problem
            say(f"{found.id}: not touched: {found.problem}")
        elif found.state == "failed" and not retry:
            outcome.failed[found.id] = found.message
            say(f"{found.id}: failed before, left alone (--retry tries again): {found.message}")
        elif found.state == "running":
            outcome.busy.append(found.id)
        elif found.state != "complete":
            queue.append(found.id)
    active: dict[str, _Work] = {}
    with _stopping() as stopped:
        while queue or active:
            late = end is not None and time.monotonic() > end
            if late or stopped:
                outcome.left += queue
                _stop(space, active, outcome, say)
                why = "the walltime is near" if late else "asked to stop"
                say(f"{why}: {len(outcome.left)} jobs not begun; run again to go on")
                return outcome
            while queue and len(active) < parallel:
                job = queue.pop(0)
                active[job] = _start(space, job, launcher)
            for job, work in list(active.items()):
                code = work.process.poll()
                if code is not None:
                    del active[job]
                    _ended(space, job, code, _read(work.messages), outcome, say)
            time.sleep(_POLL_S)
    return outcome


@contextlib.contextmanager
def _stopping() -> Iterator[list[int]]:
    """Collect requests to end."""
    got: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(space: Space, job: str, launcher: Sequence[str]) -> _Work:
    messages = os.memfd_create(f"supercrystal-{job}")
    threads = str(space.entries[job].directives.cores)
    environment = {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MPLBACKEND": "Agg",
        **os.environ,
    }
    command = [sys.executable, "-m", "supercrystal", "sweep", "exec", job, "-C", str(space.root)]
    if launcher:
        command += ["--launcher", " ".join(launcher)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=messages,
        stderr=messages,
        env=environment,
        start_new_session=True,
    )
    return _Work(process, messages)


def _read(messages: int) -> str:
    with os.fdopen(messages, "rb") as file:
        file.seek(0)
        return file.read().decode(errors="replace").strip()


def _ended(
    space: Space, job: str, code: int, messages: str, outcome: Outcome, say: Callable[[str], None]
) -> None:
    last = messages.splitlines()[-1] if messages else ""
    if code == DONE:
        outcome.done.append(job)
        say(f"{job}: done")
    elif code == BUSY:
        outcome.busy.append(job)
        say(last or f"{job}: busy")
    elif code == UNTOUCHED:
        outcome.untouched[job] = last
        say(last)
    elif code == STOPPED or code in (-signal.SIGTERM, -signal.SIGKILL, -signal.SIGINT):
        # Somebody's wish, or the system's for lack of memory: nothing says that the job itself is at fault.
        outcome.interrupted.append(job)
        say(
            last
            if code == STOPPED and last
            else f"{job}: killed by signal {-code}; goes on from its last checkpoint"
        )
    else:
        folder = space.folder(job)
        if code < 0:
            message = f"the process died of signal {-code} ({signal.Signals(-code).name}); its last words: {last or 'none'}"
            record_failure(folder, "?", message)
        else:
            message = last.partition(f"{job}: ")[2] or last or f"exit code {code}"
            if not (folder / FAILED).exists():
                record_failure(folder, "?", messages[-2000:] or message)
        outcome.failed[job] = message
        say(f"{job}: {message}")


def _stop(space: Space, active: dict[str, _Work], outcome: Outcome, say: Callable[[str], None]) -> None:
    for work in active.values():
        with contextlib.suppress(ProcessLookupError):
            work.process.terminate()
    end = time.monotonic() + GRACE_S
    for job, work in active.items():
        try:
            code = work.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            # Inside the engine; what it has done since its last checkpoint is lost, no more.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(work.process.pid, signal.SIGKILL)
            code = work.process.wait()
        _ended(space, job, code, _read(work.messages), outcome, say)
