"""``supercrystal grow``: what becomes of a crystal in contact with its melt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("study", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--phase", required=True, metavar="NAME", help="Phase of the seed: fcc, NaCl, AlB2 …; of cubes ABO3:rotated too."
)  # fmt: skip
@click.option(
    "--seed-fraction", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="F",
    help="A slab that takes this share of the cell  [default: 0.5]",
)  # fmt: skip
@click.option(
    "--seed-radius", type=click.FloatRange(0, min_open=True), metavar="NM", help="A ball of this radius instead of a slab."
)  # fmt: skip
@click.option(
    "--packing-fraction", type=click.FloatRange(0.01, 1.5), metavar="ETA",
    help="Volume of OPM spheres over that of the cell, which stays  [default: what the study ends at]",
)  # fmt: skip
@click.option(
    "--seed-packing-fraction", type=click.FloatRange(0.01, 1.5), metavar="ETA",
    help="Of the slab itself; the melt then fills the rest. Where nanocrystals attract  [default: that of the cell]",
)  # fmt: skip
@click.option(
    "--pressure-kpa", type=click.FloatRange(0, min_open=True), metavar="P",
    help="Osmotic pressure that the cell follows (kPa), instead of a packing fraction.",
)  # fmt: skip
@click.option(
    "--count", type=click.IntRange(100), help="Nanocrystals in the cell, about  [default: the study's]"
)
@click.option(
    "--time",
    "duration",
    type=click.FloatRange(1),
    default=100.0,
    show_default=True,
    help="Brownian times after the release.",
)
@click.option(
    "--frames",
    type=click.IntRange(10, 5000),
    default=100,
    show_default=True,
    help="Times at which crystalline nanocrystals are counted.",
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Runs with seeds of their own, from whose scatter the error comes.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 101),
    help="First seed of the random numbers  [default: the study's]",
)
@click.option("--engine", type=click.Choice(["auto", "hoomd", "lammps"]), help="Override the study's engine.")
@click.option("--device", type=click.Choice(["auto", "gpu", "cpu"]), help="Override the study's device.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="New directory for growth.json, the figure, and a trajectory a run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def grow(
    study: Path,
    phase: str,
    seed_fraction: float | None,
    seed_radius: float | None,
    packing_fraction: float | None,
    seed_packing_fraction: float | None,
    pressure_kpa: float | None,
    count: int | None,
    duration: float,
    frames: int,
    runs: int,
    seed: int | None,
    engine: str | None,
    device: str | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Put a seed of a crystal into its melt, for the nanocrystals of a STUDY, and see whether it grows.

    Half of a cell (or a ball in it) is a crystal of the phase at the study's size ratio; the rest is that crystal molten.
    Reported are the rate of crystallisation and the speed of the front. Both are of a seeded run: seeds of several phases
    may grow under the same conditions, which ranks none of them.
    """
    from supercrystal import grow as growing
    from supercrystal import study as studies
    from supercrystal.engines import base
    from supercrystal.errors import RunDirectoryError
    from supercrystal.progress import Progress
    from supercrystal.units import kpa_per_kt_nm3

    if seed_fraction is not None and seed_radius is not None:
        raise click.UsageError("give one of --seed-fraction and --seed-radius")
    if packing_fraction is not None and pressure_kpa is not None:
        raise click.UsageError("give one of --packing-fraction and --pressure-kpa")
    loaded, _ = studies.load(study)
    pressure = None if pressure_kpa is None else pressure_kpa / kpa_per_kt_nm3(loaded.temperature_K)
    if packing_fraction is None and pressure is None:
        packing_fraction, pressure = growing.conditions(loaded)
        if packing_fraction is None and pressure is None:
            raise click.UsageError(
                "no stage of this study fixes a packing fraction or a pressure: give --packing-fraction or --pressure-kpa"
            )
    if out is not None and out.exists():
        raise RunDirectoryError(f"{out} exists and is not overwritten: give another -o, or remove it")
    question = growing.Question(
        phase=phase,
        shape="slab" if seed_radius is None else "ball",
        size=seed_radius or seed_fraction or 0.5,
        packing_fraction=packing_fraction,
        pressure=pressure,
        count=count or sum(batch.count for batch in loaded.batches()),
        duration=duration,
        frames=frames,
        seed_packing=seed_packing_fraction,
    )
    first = loaded.seed if seed is None else seed
    choice = base.choose(engine or loaded.engine, device or loaded.device)
    steps = growing.steps(loaded.build_model(), question)
    with Progress(f"{phase} seed", steps * runs, quiet=quiet) as progress:
        result, histories = growing.grow(
            loaded,
            question,
            choice,
            range(first, first + runs),
            lambda index, step: progress.update(index * steps + step, note=f"run {index + 1} of {runs}"),
        )
    if out is not None:
        growing.write(out, result, histories)
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    _print(result)
    if out is not None:
        click.echo(f"written: {out}")


def _with_error(number: dict[str, Any] | None, digits: int = 3) -> str:
    if number is None:
        return "–"
    value, error = number["value"], number["error"]
    shown = f"{value:+.{digits}g}"
    return shown if error is None else f"{shown} ± {error:.2g}"


def _print(result: dict[str, Any]) -> None:
    from rich.table import Table

    from supercrystal.report.terminal import console

    held = (
        f"packing fraction {result['packing_fraction']:.3f}"
        if result["pressure_kPa"] is None
        else f"{result['pressure_kPa']:.4g} kPa (crystal's packing fraction {result['packing_fraction']:.3f})"
    )
    own = result["seed_packing_fraction"]
    seed = (
        f"slab of {result['seed_share']:.0%}{f' at packing fraction {own:.3f}' if own else ''}"
        if result["shape"] == "slab"
        else f"ball of radius {result['seed_radius_nm']:g} nm"
    )
    table = Table(
        title=f"{result['name']}: seeded {result['phase']}, {seed}, {result['particles']} nanocrystals, {held}",
        title_justify="left",
    )
    for name in ("run", "verdict", "crystalline", "per τ_B", "front (nm/τ_B)"):
        table.add_column(name, justify="left" if name in ("verdict",) else "right")
    for run in result["runs"]:
        rates = [
            _with_error(None if run[key] is None else {"value": run[key], "error": run[f"{key}_error"]})
            for key in ("per_time", "velocity")
        ]
        table.add_row(str(run["seed"]), run["verdict"], f"{run['start']:.2f} → {run['end']:.2f}", *rates)
    table.add_row(
        "all",
        result["verdict"],
        "",
        _with_error(result["crystalline_per_brownian_time"]),
        _with_error(result["front_nm_per_brownian_time"]),
        style="bold",
    )
    console().print(table)
    if result["front_nm_per_s"] is not None:
        click.echo(
            f"front: {_with_error(result['front_nm_per_s'])} nm/s with τ_B ≈ {result['brownian_time_s_estimate']:.2g} s; "
            f"{result['rates_are']}"
        )
    if result["no_rate"]:
        click.echo(result["no_rate"])
    click.echo(result["seeded"])
