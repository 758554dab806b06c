"""How far a sweep is: one index and the names of the files in each job's directory."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from supercrystal.sweep.execution import FAILED, RUNNING, locked
from supercrystal.sweep.operations import PRODUCTS, line
from supercrystal.sweep.space import STATEPOINT, STUDY, Entry, Space, problem

#: What a job can be. One that was killed is `interrupted`; of one that is `begun` something is done, and whoever did it left
#: off in good order; nobody began one that is `ready`.
STATES = ("complete", "running", "interrupted", "begun", "ready", "failed", "problem")
#: Those of them that have something left to do and may do it.
OPEN = ("running", "interrupted", "begun", "ready")


@dataclass(frozen=True)
class JobStatus:
    """One job.

    Args:
        id: of the job.
        entry: of the index.
        state: one of `STATES`.
        done: finished operations.
        next: the operation that is due, or None.
        message: of a failure, or what a runner said of itself.
        problem: why it is not touched.
    """

    id: str
    entry: Entry
    state: str
    done: tuple[str, ...]
    next: str | None
    message: str = ""
    problem: str | None = None


def survey(space: Space, jobs: Iterable[str] | None = None) -> list[JobStatus]:
    """State of all jobs, or of some."""
    return [_look(space, job) for job in (space.entries if jobs is None else jobs)]


def _look(space: Space, job: str) -> JobStatus:
    entry, folder = space.entries[job], os.path.join(space.root, "workspace", job)
    names: set[str] = set()
    stats: dict[str, os.stat_result] = {}
    with os.scandir(folder) as files:
        for file in files:
            names.add(file.name)
            if file.name in (STATEPOINT, STUDY):
                stats[file.name] = file.stat()
    operations = line(entry.operation)
    done = tuple(name for name in operations if PRODUCTS[name] in names)
    due = next((name for name in operations if name not in done), None)
    if found := problem(entry, stats, space.folder(job)):
        return JobStatus(job, entry, "problem", done, due, problem=found)
    if RUNNING in names:
        if locked(space.folder(job)):
            return JobStatus(job, entry, "running", done, due, _said(space, job))
        return JobStatus(job, entry, "interrupted" if due else "complete", done, due)
    if due is None:
        return JobStatus(job, entry, "complete", done, None)
    if FAILED in names:
        return JobStatus(job, entry, "failed", done, due, _failure(space, job))
    began = bool(done) or "provenance.json" in names or "run" in names
    return JobStatus(job, entry, "begun" if began else "ready", done, due)


def _failure(space: Space, job: str) -> str:
    try:
        record = json.loads((space.folder(job) / FAILED).read_text(encoding="utf-8"))
        return f"{record['operation']}: {record['message']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{FAILED} cannot be read"


def _said(space: Space, job: str) -> str:
    try:
        record = json.loads((space.folder(job) / RUNNING).read_text(encoding="utf-8"))
        return (
            f"{record['operation']} on {record['host']}, process {record['pid']}, since {record['started']}"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "starting"


def summary(space: Space, found: Sequence[JobStatus]) -> dict[str, Any]:
    """Numbers of a survey, JSON-ready."""
    states = Counter(job.state for job in found)
    operations = {
        name: {
            "done": sum(name in job.done for job in found),
            "of": sum(name in line(job.entry.operation) for job in found),
        }
        for name in PRODUCTS
    }
    open_jobs = [job for job in found if job.state in OPEN]
    hours = sum(
        job.entry.directives.walltime_s * job.entry.directives.cores * job.entry.directives.ranks
        for job in open_jobs
        if job.next in ("build", "assemble", "relax")
    )
    return {
        "sweep": space.name,
        "directory": str(space.root),
        "made_by": space.made_by,
        "jobs": len(found),
        "states": {state: states.get(state, 0) for state in STATES},
        "operations": {name: count for name, count in operations.items() if count["of"]},
        "core_hours_at_most": round(hours / 3600, 2),
        "invalid": space.invalid,
    }


def record(job: JobStatus) -> dict[str, Any]:
    """One job, JSON-ready."""
    return {
        "id": job.id,
        "state": job.state,
        "operation": job.entry.operation,
        "seed": job.entry.seed,
        "axes": dict(job.entry.axes),
        "done": list(job.done),
        "next": job.next,
        "message": job.problem or job.message,
    }
