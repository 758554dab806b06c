"""``supercrystal predict``: what the analytic packing models say, as tables or as JSON.

Importing this module imports click and nothing else; results go to stdout, remarks to stderr.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

_READING = click.option(
    "--reading",
    type=click.Choice(["checked", "hoodlt", "contact"]),
    default="checked",
    show_default=True,
    help="How to read the OTM cells of NaZn13, bccAB6 and cubAB13 (docs/packing.md).",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_GAMMA = "Size ratios in (0, 1], comma-separated."


def _numbers(context: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    """Numbers of a comma-separated list."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a comma-separated list of numbers") from None


def _range(context: click.Context, parameter: click.Parameter, text: str) -> tuple[float, float]:
    values = _numbers(context, parameter, text)
    if len(values) != 2:
        raise click.BadParameter(f"'{text}' is not a pair LOW,HIGH")
    return values[0], values[1]


def _print_json(content: Any) -> None:
    click.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def _console() -> Console:
    import sys

    from rich.console import Console

    # Without a terminal rich would wrap at 80 columns and break tables that a script or a log keeps.
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def _shown(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _constants(values: dict[str, float], suffix: str = "") -> str:
    """Constants whose name ends in `suffix`, as ``a = 1.0000, c = 1.6330``."""
    if suffix:
        values = {key.removesuffix(suffix): value for key, value in values.items() if key.endswith(suffix)}
    else:
        values = {key: value for key, value in values.items() if "_" not in key}
    return ", ".join(f"{key} = {value:.4f}" for key, value in values.items()) or "–"


@click.group()
def predict() -> None:
    """Ask the packing models (OPM, OCM, hard spheres, OTM, cubes) without simulating."""


@predict.command()
@click.option("--core-diameter", type=float, required=True, metavar="NM", help="Core diameter [nm].")
@click.option(
    "--carbons", type=int, required=True, metavar="N", help="Carbons of the ligand's longest chain."
)
@click.option(
    "--grafting-density", type=float, required=True, metavar="S", help="Chains per nm² of core surface."
)
@click.option("--coverage", type=float, metavar="XI", help="Coverage ξ  [default: S / 5.5 nm⁻²]")
@click.option(
    "--double-bonds", type=int, default=0, show_default=True, metavar="N", help="C=C bonds of the chain."
)
@click.option(
    "--chain-geometry",
    type=click.Choice(["tetrahedral", "alkane"]),
    default="tetrahedral",
    show_default=True,
    help="Parametrisation of L(n): 0.125 n + 0.2 nm or 0.128 n + 0.2 nm.",
)
@_JSON
def pair(
    core_diameter: float,
    carbons: int,
    grafting_density: float,
    coverage: float | None,
    double_bonds: int,
    chain_geometry: str,
    as_json: bool,
) -> None:
    """Spacing of equal nanocrystals: OPM in a bulk, OCM as a pair."""
    from supercrystal import predict as predictions

    crystal = predictions.nanocrystal(
        core_diameter, carbons, grafting_density, coverage, double_bonds, chain_geometry
    )
    found, refused = predictions.pair(crystal), predictions.no_ocm(crystal)
    if refused:
        click.echo(f"no OCM value: {refused}", err=True)
    if as_json:
        _print_json(found)
        return
    from rich.table import Table

    opm, ocm = found["opm"], found["ocm"]
    table = Table(
        title=f"{core_diameter:g} nm core, {crystal.ligand.name} ligand ({chain_geometry})",
        title_justify="left",
    )
    for name in ("quantity", "value"):
        table.add_column(name, justify="left" if name == "quantity" else "right")
    table.add_row("ligand length L (nm)", _shown(found["ligand_length_nm"], 3))
    table.add_row("softness x = L/R", _shown(found["x"]))
    table.add_row("coverage ξ", _shown(found["xi"]))
    table.add_row("fcc/bcc boundary x_B(ξ)", _shown(found["x_boundary"]), end_section=True)
    table.add_row("OPM nearest-neighbour distance (nm)", _shown(opm["d_nn_nm"], 3))
    table.add_row("OPM τ = distance / core diameter", _shown(opm["tau"]))
    table.add_row("OPM core fraction, fcc", _shown(opm["core_fraction_fcc"]))
    table.add_row("OPM core fraction, bcc", _shown(opm["core_fraction_bcc"]))
    table.add_row("OPM favours", opm["favoured"], end_section=True)
    table.add_row("OCM distance of a pair (nm)", _shown(ocm["d_nn_nm"], 3))
    table.add_row("OCM τ", _shown(ocm["tau"]))
    _console().print(table)


@predict.command()
@click.option(
    "--phase",
    required=True,
    metavar="NAME[,NAME…]|all",
    help="Phases of the catalogue, comma-separated, or all.",
)
@click.option("--gamma", required=True, callback=_numbers, metavar="G[,G…]", help=_GAMMA)
@_READING
@_JSON
def lattice(phase: str, gamma: Sequence[float], reading: Any, as_json: bool) -> None:
    """Hard-sphere and OTM lattices of spheres at size ratios γ = r_B/r_A; lengths in diameters of A.

    In JSON, lattice constants that end in _otm are those of the OTM branch.
    """
    from supercrystal import predict as predictions

    records = predictions.lattice(predictions.phases(phase), gamma, reading)
    for note in predictions.lattice_notes(records, reading):
        click.echo(note, err=True)
    if as_json:
        _print_json(records)
        return
    from rich.table import Table

    table = Table(title="spheres; lengths in diameters of A", title_justify="left")
    for name in ("phase", "γ", "η hard spheres", "η OTM", "OTM branch"):
        table.add_column(name, justify="left" if name in ("phase", "OTM branch") else "right", no_wrap=True)
    table.add_column("hard-sphere constants")
    table.add_column("OTM constants")
    for row in records:
        constants = row["lattice_constants"]
        table.add_row(
            row["phase"],
            f"{row['gamma']:g}",
            _shown(row["eta_hard_sphere"]),
            _shown(row["eta_otm"]),
            row["otm_branch"] or "–",
            _constants(constants),
            _constants(constants, "_otm"),
        )
    _console().print(table)


@predict.command()
@click.option("--phase", required=True, metavar="NAME[,NAME…]|all", help="NaCl, CsCl, ABO3, AlB2, or all.")
@click.option(
    "--gamma", required=True, callback=_numbers, metavar="G[,G…]", help="Edges over diameter, in (0, 1]."
)
@click.option("--orientation", help="Only this orientation of the cubes  [default: all that are known]")
@click.option(
    "--body-edge", type=float, metavar="B", help="ABO3: edge of the cube on B; --gamma is then that on O."
)
@click.option(
    "--truncation", type=float, default=0.0, metavar="T", help="ABO3: cut of B's corners along its edges."
)
@click.option("--deformable", is_flag=True, help="Add the ABO3 of deformable cubes, an inference.")
@_JSON
def cubes(
    phase: str,
    gamma: Sequence[float],
    orientation: str | None,
    body_edge: float | None,
    truncation: float,
    deformable: bool,
    as_json: bool,
) -> None:
    """Lattices of spheres (A) with cubes, rigid bodies of effective size; densest orientation first."""
    from supercrystal import predict as predictions
    from supercrystal.packing.cubes import ORIENTATIONS

    records = predictions.cubes(
        predictions.phases(phase, ORIENTATIONS),
        gamma,
        body=body_edge,
        truncation=truncation,
        orientation=orientation,
        deformable=deformable,
    )
    for note in predictions.cube_notes(records):
        click.echo(note, err=True)
    if as_json:
        _print_json(records)
        return
    from rich.table import Table

    table = Table(title="spheres and cubes; lengths in diameters of A", title_justify="left")
    for name in ("phase", "γ", "η", "orientation", "constants", "cubes"):
        table.add_column(name, justify="right" if name in ("γ", "η") else "left")
    for row in records:
        words = ORIENTATIONS[row["phase"]].get(row["orientation"], "not in any source")
        shown = (row["phase"], f"{row['gamma']:g}", _shown(row["eta"]), row["orientation"])
        table.add_row(*shown, _constants(row["lattice_constants"]), words)
    _console().print(table)


@predict.command()
@click.argument("study", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--top", type=click.IntRange(1), default=8, show_default=True, help="Rows of the table.")
@_READING
@_JSON
def study(study: Path, top: int, reading: Any, as_json: bool) -> None:
    """Rank all phases for the nanocrystals of a STUDY by each model, with what they compete with."""
    from supercrystal import predict as predictions

    found = predictions.study(study, reading)
    if as_json:
        _print_json(found)
        return
    from rich.table import Table

    console = _console()
    table = Table(title=f"nanocrystals of {found['study']}", title_justify="left")
    for name in (
        "name",
        "core (nm)",
        "ligand",
        "x",
        "ξ",
        "OPM distance (nm)",
        "OCM pair (nm)",
        "x_B",
        "OPM favours",
    ):
        table.add_column(name, justify="left" if name in ("name", "ligand", "OPM favours") else "right")
    for row in found["nanocrystals"]:
        sizes = (
            row["name"],
            f"{row['core_diameter_nm']:g}",
            row["ligand"],
            _shown(row["x"], 3),
            _shown(row["xi"], 3),
        )
        spacings = (_shown(row["opm"]["d_nn_nm"], 3), _shown(row["ocm"]["d_nn_nm"], 3))
        table.add_row(*sizes, *spacings, _shown(row["x_boundary"], 3), row["opm"]["favoured"])
    console.print(table)
    console.print(_ranking(found["ranking"], top))
    for line in found["disagreements"]:
        click.echo(f"models disagree, {line}")
    for row in found["ranking"][:top]:
        for warning in row["warnings"]:
            click.echo(f"mind, {row['phase']}({', '.join(row['roles'].values())}): {warning}")
    for line in found["assumptions"]:
        click.echo(line, err=True)


def _ranking(ranking: Sequence[dict[str, Any]], top: int) -> Any:
    from rich.table import Table

    one = len(ranking[0]["roles"]) == 1
    table = Table(
        title="densest phases (OTM order), * denser than any mixture of the others", title_justify="left"
    )
    table.add_column("phase", no_wrap=True)
    table.add_column("γ", justify="right")
    for name in ("hard spheres", "OTM", "OTM > OCM"):
        table.add_column(f"η {name}", justify="right", no_wrap=True)
    table.add_column("a, c (nm)")
    table.add_column("best mixture of others (OTM)")
    for row in ranking[:top]:
        models = [row[key] for key in ("hard_sphere", "otm", "otm_above_ocm")]
        etas = [f"#{model['rank']} {model['eta']:.3f}" for model in models]
        if not one:
            stars = ["*" if model["denser_than_competitor"] else "" for model in models]
            etas = [eta + star for eta, star in zip(etas, stars, strict=True)]
        sizes = ", ".join(f"{value:.2f}" for value in row["otm"]["lattice_constants_nm"].values())
        if row["otm"]["otm_branch"]:
            etas[1] += f" ({row['otm']['otm_branch'].split()[0]})"
        rival = row["otm"]["competitor"]
        parts = " + ".join(
            f"{part['share']:.0%} {part['phase']}({', '.join(part['roles'].values())})"
            for part in rival["parts"]
        )
        name = f"{row['phase']}({', '.join(row['roles'].values())})"
        gamma = "" if row["gamma"] is None else f"{row['gamma']:.4f}"
        table.add_row(name, gamma, *etas, sizes, "" if one else f"{rival['eta']:.3f}: {parts}")
    return table


@predict.command()
@click.option(
    "--phase", required=True, metavar="NAME[,NAME…]|all", help="Phases of two components, or all of them."
)
@click.option(
    "--gamma", default="0.2,1", show_default=True, callback=_range, metavar="LOW,HIGH", help="Range of γ."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("packing.png"),
    show_default=True,
    help="PNG or SVG; the CSV goes beside it.",
)
@click.option(
    "--cubes", "with_cubes", is_flag=True, help="Add the curve of spheres with cubes where it is known."
)
@click.option("--no-measured", is_flag=True, help="Leave out the measured packing fractions.")
@_READING
@_JSON
def plot(
    phase: str,
    gamma: tuple[float, float],
    out: Path,
    with_cubes: bool,
    no_measured: bool,
    reading: Any,
    as_json: bool,
) -> None:
    """Draw η(γ) of the chosen phases with measured points; the numbers go beside the picture as CSV."""
    from supercrystal import lattices
    from supercrystal import predict as predictions
    from supercrystal.packing import cubes as cube_packing
    from supercrystal.report.packing import eta_curves

    mixed = [name for name in lattices.names() if not lattices.prototype(name).one_component]
    chosen = predictions.phases(phase, mixed)
    curves = predictions.scan(chosen, *gamma, reading=reading)
    if with_cubes:
        for curve in curves:
            if curve["phase"] in cube_packing.ORIENTATIONS:
                curve["spheres and cubes"] = cube_packing.packing_fraction(curve["phase"], curve["gamma"])
    measured = [] if no_measured else predictions.experiments(chosen)
    picture, table = eta_curves(curves, measured, out)
    if as_json:
        _print_json(
            {"picture": str(picture), "table": str(table), "phases": list(chosen), "measured": measured}
        )
    else:
        click.echo(f"picture: {picture}\ntable: {table}")
