"""``supercrystal relax``: candidate crystals of a study's nanocrystals beside each other.

Importing this module imports click and nothing else; results go to stdout, remarks to stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

#: What is written into the directory.
FILES = ("relax.json", "relax.png")


@click.command()
@click.argument("study", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--phases",
    required=True,
    metavar="NAME[,NAME…]",
    help="Candidates: names of the catalogue; of cubes also with their orientation, as ABO3:rotated.",
)
@click.option(
    "--pressure",
    metavar="P",
    help="With its unit, as 200kPa or 0.05kT/nm3  [default: end of the study's compression, else that of static fcc at "
    "the OPM distance]",
)
@click.option("--no-dynamics", is_flag=True, help="Only T = 0 and the harmonic free energy: no simulation.")
@click.option(
    "--time",
    type=click.FloatRange(1, 1e5),
    metavar="T",
    help="Simulate so long under pressure, in Brownian times  [default: 50, in the cubes tier 20]",
)
@click.option(
    "--energy-steps",
    type=click.IntRange(4000),
    default=40_000,
    show_default=True,
    metavar="N",
    help="Steps at fixed cell at each of two temperatures, for the anharmonic part.",
)
@click.option(
    "--particles",
    type=click.IntRange(27),
    help="Of a simulated crystal, at least  [default: 500, in the cubes tier 64]",
)
@click.option("--engine", type=click.Choice(["auto", "hoomd", "lammps"]), help="Override the study's engine.")
@click.option("--device", type=click.Choice(["auto", "gpu", "cpu"]), help="Override the study's device.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Override the study's seed.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Write {' and '.join(FILES)} there.",
)
@click.option("--force", is_flag=True, help="Overwrite them.")
@click.option("--json", "as_json", is_flag=True, help="Print relax.json instead of a table.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def relax(
    study: Path,
    phases: str,
    pressure: str | None,
    no_dynamics: bool,
    time: float | None,
    energy_steps: int,
    particles: int | None,
    engine: str | None,
    device: str | None,
    seed: int | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare candidate crystals of a STUDY's nanocrystals: enthalpy, stability, free energy, survival at kT.

    All are relaxed at one pressure with a cell that may take any shape. The answer is the lowest of the candidates that
    were tried, phase-separated ones included; nothing is said of phases that were not. In the cubes tier there is no free
    energy: enthalpy at T = 0, and survival at kT of crystals whose cubes stand as packing models know them.
    """
    from supercrystal.study import load

    loaded, _ = load(study)
    for name in FILES if out is not None else ():
        if (out / name).exists() and not force:  # type: ignore[operator]
            raise click.UsageError(f"{out}/{name} exists: give another directory, or --force to overwrite it")

    def say(message: str) -> None:
        if not quiet:
            click.echo(message, err=True)

    from supercrystal.solids.record import examine_study

    result = examine_study(
        loaded,
        [name.strip() for name in phases.split(",") if name.strip()],
        pressure=pressure,
        dynamics=not no_dynamics,
        time=time,
        energy_steps=energy_steps,
        particles=particles,
        engine=engine,
        device=device,
        seed=seed,
        progress=say,
    )
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    if out is not None:
        _write(out, text, result)
    if as_json:
        click.echo(text)
        return
    from rich.console import Console

    from supercrystal.report.solids import table

    # Without a terminal rich would wrap at 80 columns and break tables that a script or a log keeps.
    Console(width=None if sys.stdout.isatty() else 130, highlight=False).print(table(result))
    if out is not None:
        click.echo(f"written: {', '.join(str(out / name) for name in FILES)}")


def _write(out: Path, text: str, result: dict[str, Any]) -> None:
    from supercrystal.errors import RunDirectoryError
    from supercrystal.report.solids import figure
    from supercrystal.rundir import write_atomically

    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "relax.json", text + "\n")
        write_atomically(out / "relax.png", figure(result))
    except OSError as error:
        raise RunDirectoryError(f"cannot write to {out}: {error}; give another directory with -o") from error
