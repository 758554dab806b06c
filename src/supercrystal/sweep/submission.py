"""Which jobs of a sweep go into which batch script, and which are already with the scheduler."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supercrystal.rundir import write_atomically
from supercrystal.sweep import slurm
from supercrystal.sweep.directives import Directives
from supercrystal.sweep.space import Space
from supercrystal.sweep.status import survey

#: What was submitted: number of the scheduler → name and jobs.
SUBMITTED = "submitted.json"


@dataclass(frozen=True)
class Batch:
    """Jobs of one script; they ask for the same."""

    name: str
    jobs: tuple[str, ...]
    directives: Directives
    commands: tuple[tuple[str, ...], ...]


def batches(space: Space, jobs: Sequence[str], bundle: int = 1, retry: bool = False) -> Iterator[Batch]:
    """Scripts for jobs: those of equal directives together, `bundle` of them in each."""
    alike: dict[Directives, list[str]] = {}
    for job in jobs:
        alike.setdefault(space.entries[job].directives, []).append(job)
    for directives, members in alike.items():
        for first in range(0, len(members), bundle):
            some = tuple(members[first : first + bundle])
            commands = tuple(_command(space, job, retry) for job in some)
            yield Batch(f"{space.name}-{some[0][:8]}", some, directives, commands)


def _command(space: Space, job: str, retry: bool) -> tuple[str, ...]:
    words = (sys.executable, "-m", "supercrystal", "sweep", "run", job, "-C", str(space.root.resolve()))
    return (*words, "--retry") if retry else words


def due(
    space: Space, jobs: Sequence[str] | None = None, retry: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Jobs that have something left to do, and those that are not touched, with the reason."""
    open_jobs, left = [], {}
    for job in survey(space, jobs):
        if job.problem or (job.state == "failed" and not retry):
            left[job.id] = job.problem or f"failed before, left alone (--retry tries again): {job.message}"
        elif job.state == "running":
            left[job.id] = f"is being worked on: {job.message}"
        elif job.state != "complete":
            open_jobs.append(job.id)
    return open_jobs, left


def _submitted(root: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((root / SUBMITTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def queued(space: Space) -> dict[str, str]:
    """Jobs of the sweep that wait or run in the queue, with the scheduler's number.

    Raises:
        SchedulerError: squeue gives no answer.
    """
    there = {one.id for one in slurm.queue().values()}
    return {
        job: number
        for number, record in _submitted(space.root).items()
        if number in there
        for job in record["jobs"]
    }


def submit(
    space: Space,
    jobs: Sequence[str] | None,
    settings: slurm.SlurmSettings,
    *,
    bundle: int = 1,
    retry: bool = False,
    pretend: bool = False,
    say: Callable[[str], None] = lambda message: None,
) -> dict[str, str]:
    """Submit what is left of a sweep.

    Args:
        space: the sweep.
        jobs: only these.
        settings: of scripts.
        bundle: jobs in a script.
        retry: also jobs that failed.
        pretend: make the scripts and submit nothing.
        say: is told what happens.

    Returns:
        Name of each script → its number, or the text of the script itself where one pretends.

    Raises:
        SchedulerError: the scheduler refused; what was submitted before is recorded.
        StudyError: settings that cannot be used.
    """
    open_jobs, left = due(space, jobs, retry)
    for job, why in left.items():
        say(f"{job}: {why}")
    waiting = {} if pretend else queued(space)
    for job in [job for job in open_jobs if job in waiting]:
        say(f"{job}: is in the queue as {waiting[job]}")
        open_jobs.remove(job)
    record, made = _submitted(space.root), {}
    for batch in batches(space, open_jobs, bundle, retry):
        text = slurm.script(batch.commands, batch.directives, batch.name, settings)
        if pretend:
            made[batch.name] = text
            continue
        number = slurm.submit(text, space.root.resolve(), settings, say=say)
        made[batch.name] = number
        record[number] = {"name": batch.name, "jobs": list(batch.jobs)}
        write_atomically(space.root / SUBMITTED, json.dumps(record, indent=2) + "\n")
        say(f"{batch.name}: submitted as {number}")
    return made
