"""Results as tables on a terminal."""

from __future__ import annotations

import itertools
import sys
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text


def console() -> Console:
    """Return the console that results are printed to."""
    # Without a terminal rich would wrap at 80 columns and break tables that a script or a log keeps.
    return Console(width=None if sys.stdout.isatty() else 110)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1f} %"


def result_table(result: dict[str, Any]) -> Group:
    """Table of a run's result: what was found beside OPM and the measurement."""
    from supercrystal.report import cubes
    from supercrystal.report.physical import physical_table
    from supercrystal.report.run import comparison_rows, drives

    table = Table(title=f"{result['name']}, seed {result['seed']}", title_justify="left")
    alone = cubes.only_cubes(result)
    rows = comparison_rows(result)
    beside = [name for name in ("opm", "measured") if any(name in row for row in rows)]
    for name in ("quantity", "this run"):
        table.add_column(name, justify="left" if name == "quantity" else "right")
    for name in beside:
        shown = name.replace("opm", "OPM")
        table.add_column(shown, justify="right")
        table.add_column(f"run − {shown}", justify="right")
    for row in rows:
        digits = row.get("digits", 3)
        table.add_row(
            f"{row['quantity']} ({row['unit']})" if row["unit"] else row["quantity"],
            f"{row['run']:.{digits}f} ± {row['uncertainty']:.{digits}f}",
            *itertools.chain.from_iterable(
                (
                    f"{row[name]:.{3 if name == 'opm' else 2}f}" if name in row else "",
                    _percent(row.get(f"{name}_difference_percent")),
                )
                for name in beside
            ),
        )
    phases = [(name, share) for name, share in result["fractions"].items() if share["mean"] >= cubes.SHOWN]
    close_packed = ("close-packed (fcc + hcp)", result["close_packed"])
    shares = phases if alone else [close_packed, *((f"  {phase}", share) for phase, share in phases)]
    for name, share in shares:
        table.add_row(
            f"{name}, away from surfaces", f"{100 * share['mean']:.1f} ± {100 * share['std']:.1f} %"
        )
    of = "interface pressure" if result["pressure"]["of"] == "interface" else "pressure"
    table.add_row(of, number_with_unit(result["pressure"]))
    table.add_row("largest grain of the last frame", result["named"]["verdict"])
    for label, group in zip(drives(result["groups"]), result["groups"], strict=True):
        table.add_row(label, f"{group['value']:.3g}")
    reached = "" if result["phase"] == "disordered" else f", {result['how']}"
    notes = [Text(f"phase: {result['phase']}{reached}", style="bold")]
    notes += [Text(f"by construction: {line}") for line in result["by_construction"]]
    notes += [Text(line) for line in result["found"] if line.startswith(("Phase:", "Lattice, in", "Site "))]
    notes += [Text(f"mind: {result['limits'][0]}")]
    if result["measured"]:
        measured = result["measured"]
        notes.append(Text(f"measured: {measured['arrangement']}, {measured['source']}"))
    return Group(table, *notes, mapping_table(result["mapping"]), physical_table(result["physical"]))


def number_with_unit(pressure: dict[str, float]) -> str:
    """Pressure with its uncertainty."""
    return f"{pressure['kpa']:.0f} ± {pressure['uncertainty_kpa']:.0f} kPa"


def doctor_table(found: dict[str, Any]) -> Group:
    """Table of engines, packages and advice."""
    engines = Table(
        title=f"supercrystal {found['supercrystal']}, Python {found['python']}, {found['threads']} threads"
    )
    for name in ("engine", "usable", "version", "GPU", "detail"):
        engines.add_column(name, overflow="fold")
    for e in found["engines"]:
        engines.add_row(
            e["name"],
            "yes" if e["usable"] else "no",
            e["version"] or "",
            "yes" if e["gpu"] else "no",
            e["detail"],
        )
    packages = ", ".join(f"{name} {version or 'MISSING'}" for name, version in found["packages"].items())
    auto = found["auto"]
    chosen = (
        f"auto takes {auto['engine']} on {auto['device']}: {auto['reason']}"
        if auto
        else "auto finds no engine"
    )
    lines = [
        Text(chosen, style="bold"),
        Text(packages),
        *(Text(f"to do: {line}") for line in found["advice"]),
    ]
    return Group(engines, *lines)


def mapping_table(mapping: dict[str, Any]) -> Table:
    """Table of engine parameters, each with the physical input that it stands for; of the species, not of size classes."""
    table = Table(title=f"interaction: {mapping['interaction']}", title_justify="left")
    for name in ("pair", "parameter", "value", "from"):
        table.add_column(name, justify="right" if name == "value" else "left")
    last = ""
    for row in mapping["rows"]:
        pair = "" if row["pair"] == last else row["pair"]
        last = row["pair"]
        table.add_row(pair, row["name"], f"{row['value']:.5g} {row['unit']}".strip(), row["source"])
    table.add_row("", "time step", f"{mapping['timestep']:.3g} τ_B", "stiffest pair met at kT")
    return table
