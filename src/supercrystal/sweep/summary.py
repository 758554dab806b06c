"""The summary page of a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from supercrystal.rundir import write_atomically
from supercrystal.sweep.pages import picture, render
from supercrystal.sweep.provenance import now
from supercrystal.sweep.space import Space
from supercrystal.sweep.status import JobStatus, summary

#: Points in the table of the page; the files have all.
SHOWN = 300

CAPTIONS = {
    "phase diagram": "Symbols: what was found. Regions: densest arrangement at the sweep's numbers by each packing model, "
    "among the candidates of the sweep and fcc of either nanocrystal. White: no core has this γ with this ligand, or OPM is "
    "not defined. For one kind of nanocrystal: the line is where OPM changes from fcc to bcc.",
    "lattice constants": "Lattice constants a of what formed or is lowest. OPM: touching spheres of OPM diameter. OTM: only "
    "where it has a branch. OCM: one kind of nanocrystal only. Measured: of monolayers, where the library has this very "
    "nanocrystal.",
}


def write_summary(
    path: Path,
    space: Space,
    found: Sequence[JobStatus],
    points: Sequence[Mapping[str, Any]],
    written: Mapping[str, Path],
) -> None:
    """Write the page.

    Args:
        path: of the page.
        space: the sweep.
        found: its survey.
        points: its table.
        written: tables and figures by name.
    """
    whole = summary(space, found)
    states = ", ".join(f"{count} {state}" for state, count in whole["states"].items() if count)
    finished = [row for row in points if row.get("phase")]
    phases = Counter(row["phase"] for row in finished)
    shown = [
        *space.axes,
        "seed",
        "state",
        "phase",
        "margin_kT",
        "lattice",
        "a_nm",
        "OPM a_nm",
        "OTM a_nm",
        "OCM a_nm",
        "measured a_nm",
    ]
    shown = [key for key in shown if any(row.get(key) is not None for row in points)]
    attention = [
        [job.id[:8], job.state, job.problem or job.message]
        for job in found
        if job.state in ("failed", "problem")
    ]
    attention += [["–", "no study", f"{bad['axes']}: {bad['error']}"] for bad in space.invalid]
    citations = dict.fromkeys(
        text for row in finished for text in (row.get("cite") or "").split(" | ") if text
    )
    sections: list[dict[str, Any]] = [
        {
            "title": "What was found",
            "lines": [
                ", ".join(f"{count} {phase}" for phase, count in phases.most_common()) or "Nothing yet."
            ],
            "figures": [
                picture(written[name], caption) for name, caption in CAPTIONS.items() if name in written
            ],
        },
        {"title": "Needs attention", "header": ["job", "state", "why"], "rows": attention},
        {
            "title": "State points",
            "lines": [f"The first {SHOWN} of {len(points)}."] if len(points) > SHOWN else [],
            "header": ["job", *shown],
            "rows": [[row["job"][:8], *(row.get(key) for key in shown)] for row in points[:SHOWN]],
        },
        {"title": "Where it comes from", "header": ["what", "values"], "rows": _origin(finished)},
        {"title": "Please cite", "items": list(citations)},
        {"title": "Files", "links": [file.name for file in written.values() if file != path]},
    ]
    kept = [
        one for one in sections if any(one.get(key) for key in ("lines", "figures", "rows", "items", "links"))
    ]
    write_atomically(
        path, render(f"Sweep {space.name}", f"{whole['jobs']} jobs: {states}. Collected {now()}.", kept)
    )


def _origin(finished: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for key in (
        "how",
        "engine",
        "engine_version",
        "supercrystal",
        "python",
        "numpy",
        "scipy",
        "freud-analysis",
        "processor",
    ):
        values = dict.fromkeys(str(row[key]) for row in finished if row.get(key))
        if values:
            rows.append([key, "; ".join(values)])
    if finished:
        rows.append(["processor time of all jobs (s)", round(sum(row["cpu_s"] for row in finished), 1)])
        rows.append(["wall time of all jobs (s)", round(sum(row["wall_s"] for row in finished), 1)])
        rows.append(
            [
                "first start, last end",
                f"{min(r['started'] for r in finished)}, {max(r['ended'] for r in finished)}",
            ]
        )
    return rows
