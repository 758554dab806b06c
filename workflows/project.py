"""The operations of a sweep under signac-flow.

    cd sweeps/NAME
    python ../../workflows/project.py status
    python ../../workflows/project.py run --parallel 2
    python ../../workflows/project.py submit -o whole --pretend

`submit` alone gives the scheduler what is due now, one operation a job; the group ``whole`` is all of a job in one script.
The same functions as ``supercrystal sweep`` calls, under the same locks: a job that one of the two works on is left alone by
the other. signac-flow is no longer developed; ``workflow.toml``, which ``supercrystal sweep init`` writes, is for its
successor row.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import flow
import signac

from supercrystal.sweep import execution, space
from supercrystal.sweep.directives import Directives
from supercrystal.sweep.operations import PRODUCTS, line


class Sweep(flow.FlowProject):
    """One sweep."""

    def scheduler_jobs(self, scheduler: Any) -> Iterator[Any]:
        """What the scheduler knows; where it does not answer, that is said, and the files still tell how far jobs are."""
        try:
            yield from super().scheduler_jobs(scheduler)
        except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
            print(f"the scheduler does not answer, submitted jobs are not shown: {error}", file=sys.stderr)


_whole = Sweep.make_group("whole")


@cache
def _space(root: str) -> space.Space:
    return space.read(Path(root))


def _entry(job: signac.job.Job) -> space.Entry:
    return _space(job.project.path).entries[job.id]


def _asked(name: str, of: Callable[[Directives], Any], otherwise: Any) -> Callable[..., Any]:
    """A directive: what the job's study needs for the operations that take long, little for the others."""

    def asked(job: signac.job.Job) -> Any:
        entry = _entry(job)
        # `assemble` or `relax`; a script for the group would else ask for both, of which a job has one.
        return of(entry.directives) if name == entry.operation else otherwise

    return asked


def _add(name: str) -> None:
    def operation(job: signac.job.Job) -> None:
        # A failure is recorded in the job and said on stderr; raising it would end the whole run.
        execution.execute(_entry(job), Path(job.path), only=name, say=print)

    operation.__name__ = name
    directives = {
        # Ranks are started by the operation itself, so that one process holds the lock of the job.
        "np": _asked(name, lambda d: d.cores * d.ranks, 1),
        "ngpu": _asked(name, lambda d: d.gpus, 0),
        "memory": _asked(name, lambda d: d.memory_gib, 1),
        "walltime": _asked(name, lambda d: d.walltime_s / 3600, 2 / 60),
    }

    def due(job: signac.job.Job) -> bool:
        operations = line(_entry(job).operation)
        if name not in operations or job.isfile(execution.FAILED):
            return False
        return all(job.isfile(PRODUCTS[before]) for before in operations[: operations.index(name)])

    registered = _whole(Sweep.operation(directives=directives)(operation))
    Sweep.pre(due, tag=f"due {name}")(registered)
    Sweep.post.isfile(PRODUCTS[name])(registered)


for _name in PRODUCTS:
    _add(_name)


if __name__ == "__main__":
    Sweep().main()
