"""The state of a sweep on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from supercrystal.sweep.status import JobStatus

#: Problems and failures that are listed without --jobs.
SHOWN = 20


def print_status(whole: Mapping[str, Any], found: Sequence[JobStatus], listed: bool) -> None:
    """Print numbers, then what needs attention, then every job if asked."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 130, highlight=False, soft_wrap=True)
    states = ", ".join(f"{count} {state}" for state, count in whole["states"].items() if count)
    console.print(f"{whole['sweep']}: {whole['jobs']} jobs: {states or 'none'}", markup=False)
    table = Table("operation", "done", "of")
    for name, count in whole["operations"].items():
        table.add_row(name, str(count["done"]), str(count["of"]))
    console.print(table)
    if whole["core_hours_at_most"]:
        console.print(f"left: at most {whole['core_hours_at_most']} core-hours by the directives")
    for state in ("problem", "failed", "running"):
        some = [job for job in found if job.state == state]
        for job in some if listed else some[:SHOWN]:
            console.print(f"{state}: {job.id}: {job.problem or job.message}", markup=False)
        if len(some) > SHOWN and not listed:
            console.print(f"… and {len(some) - SHOWN} more {state} (--jobs lists all)")
    for bad in whole["invalid"]:
        text = json.dumps(bad["axes"], ensure_ascii=False)
        console.print(f"no study, left out: {text}: {bad['error']}", markup=False)
    if listed:
        for job in found:
            axes = ", ".join(f"{key}={value}" for key, value in job.entry.axes.items())
            console.print(
                f"{job.id} {job.state:<11} {job.next or '–':<8} seed {job.entry.seed} {axes}", markup=False
            )
