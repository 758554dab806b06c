"""Figures of a collected sweep from its tables, for a table that came without its workspace.

    python analysis/phase_diagram.py DIRECTORY [-o DIRECTORY]

reads ``table.csv`` and ``lattices.csv``, which ``supercrystal sweep collect`` wrote there, draws ``phase-diagram.png`` (L/R
against γ, simulated symbols over predicted regions) and ``lattice-constants.png`` (simulated against OPM, OTM, OCM and
measured), and prints how often simulation and each model agree.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from supercrystal.packing.selection import MODELS
from supercrystal.sweep import figures
from supercrystal.sweep.collect import read_csv


def agreement(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many points of a mixture became what each model packs densest, among the candidates of a relaxation."""
    binary = [row for row in points if row.get("gamma") and row.get("phase")]
    found = Counter(figures.simulated(row) for row in binary)
    lines = [f"{count} of {len(binary)}: {phase}" for phase, count in found.most_common()]
    for model in MODELS:
        same = sum(figures.simulated(row) == row[f"densest {model}"] for row in binary)
        lines.append(f"{model} says the same at {same} of {len(binary)}")
    return lines if binary else []


def main(arguments: list[str] | None = None) -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("-o", "--out", type=Path, help="where the figures go; beside the tables if left out")
    given = parser.parse_args(arguments)
    points, lattices = (read_csv(given.directory / name) for name in ("table.csv", "lattices.csv"))
    out = given.out or given.directory
    out.mkdir(parents=True, exist_ok=True)
    for name, path in figures.write(points, lattices, out).items():
        print(f"{name}: {path}")
    print("\n".join(agreement(points)))


if __name__ == "__main__":
    main()
