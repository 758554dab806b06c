"""Table of finished runs, and what they say together.

python analysis/collect_runs.py RUN_DIRECTORY… > runs.csv
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
from pathlib import Path
from typing import Any

COLUMNS = {
    "name": ("name",),
    "seed": ("seed",),
    "engine": ("engine", "engine"),
    "phase": ("phase",),
    "start_disordered": ("start", "disordered"),
    "close_packed": ("close_packed", "mean"),
    "fcc": ("fractions", "fcc", "mean"),
    "hcp": ("fractions", "hcp", "mean"),
    "bcc": ("fractions", "bcc", "mean"),
    "disordered": ("fractions", "disordered", "mean"),
    "nearest_neighbour_nm": ("lattice", "nearest_neighbour_nm"),
    "uncertainty_nm": ("lattice", "nearest_neighbour_uncertainty_nm"),
    "opm_nm": ("opm", "nearest_neighbour_nm"),
    "measured_nm": ("measured", "nearest_neighbour_nm"),
    "pressure_kpa": ("pressure", "kpa"),
}
SUMMARISED = ("close_packed", "fcc", "hcp", "bcc", "nearest_neighbour_nm", "pressure_kpa")


def row(result: dict[str, Any]) -> dict[str, Any]:
    """One row of the table; empty where a run has no such number."""
    values = {}
    for column, path in COLUMNS.items():
        value: Any = result
        for key in path:
            value = None if value is None else value.get(key)
        values[column] = value
    return values


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """Mean ± standard deviation over runs, and the range."""
    lines = [f"{len(rows)} runs, seeds {', '.join(str(r['seed']) for r in rows)}"]
    for column in SUMMARISED:
        values = [r[column] for r in rows if r[column] is not None]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else float("nan")
            lines.append(
                f"{column}: {statistics.mean(values):.4g} ± {spread:.2g} (std over runs), "
                f"{min(values):.4g} to {max(values):.4g}"
            )
    return lines


def main(paths: list[str]) -> int:
    """Print the table of the given run directories."""
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    files = [Path(path) / "result.json" for path in paths]
    missing = [str(file.parent) for file in files if not file.exists()]
    if missing:
        print(f"not finished, no result.json: {', '.join(missing)}", file=sys.stderr)
        return 2
    rows = [row(json.loads(file.read_text(encoding="utf-8"))) for file in files]
    writer = csv.DictWriter(sys.stdout, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    print("\n".join(summary(rows)), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
