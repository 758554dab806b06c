"""``supercrystal scatter``: structure factors, SAXS, diffraction patterns and GISAXS of a trajectory.

Importing this module imports click and nothing else; results go to stdout, remarks to stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Group

    from supercrystal.scatter import Scattering

#: Rows of a table of peaks.
_ROWS = 20


def _numbers(
    *counts: int,
) -> Callable[[click.Context, click.Parameter, str | None], tuple[float, ...] | None]:
    """Callback for a comma-separated list of so many numbers."""

    def read(
        context: click.Context, parameter: click.Parameter, text: str | None
    ) -> tuple[float, ...] | None:
        if text is None:
            return None
        try:
            values = tuple(float(part) for part in text.split(","))
        except ValueError:
            raise click.BadParameter(f"'{text}' is not a comma-separated list of numbers") from None
        if len(values) not in counts:
            raise click.BadParameter(
                f"'{text}' has {len(values)} numbers; needed: {' or '.join(map(str, counts))}"
            )
        return values

    return read


@click.command()
@click.argument("trajectory", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--kind",
    type=click.Choice(["powder", "saxs", "pattern", "gisaxs"]),
    required=True,
    help="What to compute.",
)
@click.option("--frame", type=int, help="Frame; negative ones from the end.  [default: the last]")
@click.option("--average", type=click.IntRange(min=1), metavar="M", help="Average over the last M frames.")
@click.option("--species", metavar="MAP", help="Types to species, as PbS=A,Au=B; '-' leaves one out.")
@click.option(
    "--top", type=click.Path(path_type=Path, dir_okay=False), help="File with the particles' names."
)
@click.option("--free", is_flag=True, help="No periodic copies: a cluster or film by itself.")
@click.option("--q-max", type=float, metavar="Q", help="Largest q.  [default: from the nearest distance]")
@click.option(
    "--bins", type=click.IntRange(min=1), help="powder, saxs: bins of q.  [default: one a box wave vector]"
)
@click.option("--index/--no-index", default=True, show_default=True, help="powder: match the catalogue.")
@click.option(
    "--body",
    "bodies",
    multiple=True,
    metavar="SPECIES=SHAPE,KEY=VALUE,…",
    help="What a species scatters, e.g. A=sphere,diameter=7,material=PbS; once a species (docs/scattering.md).  "
    "[default: spheres of the file's diameters; pattern: points]",
)
@click.option("--medium", default="vacuum", show_default=True, help="Material between the particles.")
@click.option(
    "--zone", callback=_numbers(3), default="0,0,1", show_default=True, help="pattern: [uvw], or a direction."
)
@click.option(
    "--cell", callback=_numbers(1, 3, 6), metavar="A[,B,C[,α,β,γ]]", help="pattern: cell, for the indices."
)
@click.option(
    "--orientation",
    callback=_numbers(4),
    default="1,0,0,0",
    show_default=True,
    help="pattern: quaternion w,x,y,z that turns the cell into place.",
)
@click.option(
    "--pixels", type=click.IntRange(3, 2048), default=255, show_default=True, help="pattern, gisaxs."
)
@click.option("--wavelength", type=float, default=0.1, show_default=True, metavar="NM", help="gisaxs.")
@click.option("--angle", type=float, default=0.2, show_default=True, metavar="DEG", help="gisaxs: incidence.")
@click.option(
    "--substrate",
    default="Si@2.33",
    show_default=True,
    help="gisaxs: material, or 'none' for no reflections.",
)
@click.option("--substrate-z", type=float, help="gisaxs: its height.  [default: under the lowest particle]")
@click.option(
    "--azimuths",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="gisaxs: turns to average over.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="FILE.csv, .png or .svg.")
@click.option("--force", is_flag=True, help="Overwrite files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def scatter(
    trajectory: Path,
    kind: str,
    frame: int | None,
    average: int | None,
    species: str | None,
    top: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Scattering of a TRAJECTORY (GSD, or what mdtraj reads) as numbers and figures.

    Lengths are in the unit of the file, q in its inverse. FILE.csv gets the numbers; FILE.png or FILE.svg the figure, with
    the numbers in FILE.csv beside it, and the spots of a pattern in FILE-spots.csv. Without -o the peaks are printed.
    """
    if frame is not None and average is not None:
        raise click.UsageError("--frame and --average exclude each other: an average is over the last frames")
    files = _files(out, kind, force)
    from supercrystal.scatter import Settings
    from supercrystal.scatter import scatter as compute

    settings = Settings(**options)
    found = compute(trajectory, kind, settings, -1 if frame is None else frame, average, species, top)
    if files:
        from supercrystal.rundir import write_atomically

        for path in files:
            if path.suffix.lower() != ".csv":
                from supercrystal.report.scattering import figure

                write_atomically(path, figure(found, path.suffix))
            else:
                write_atomically(path, found.csv(found.peaks if path.stem.endswith("-spots") else None))
            click.echo(str(path), err=True)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
    elif not files:
        from rich.console import Console

        # Without a terminal rich would wrap at 80 columns and break tables that a script or a log keeps.
        Console(width=None if sys.stdout.isatty() else 110, highlight=False).print(_table(found))


def _files(out: Path | None, kind: str, force: bool) -> list[Path]:
    """Files that will be written, checked before anything is computed."""
    if out is None:
        return []
    if out.suffix.lower() not in (".csv", ".png", ".svg"):
        raise click.BadParameter(f"'{out.name}' must end in .csv, .png or .svg", param_hint="--out")
    files = [out] if out.suffix.lower() == ".csv" else [out, out.with_suffix(".csv")]
    if kind == "pattern":
        files.append(out.with_name(f"{out.stem}-spots.csv"))
    for path in files:
        if path.exists() and not force:
            raise click.UsageError(f"{path} exists: choose another name, or --force to overwrite it")
        if not path.parent.is_dir():
            raise click.UsageError(f"there is no directory {path.parent}")
    return files


def _table(found: Scattering) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    particles = ", ".join(f"{n} {name}" for name, n in found.particles.items())
    frames = f"frame {found.frames[0]}" if len(found.frames) == 1 else f"mean of {len(found.frames)} frames"
    unit = "nm" if found.unit == "nm" else "unit"
    peaks = Table(title=f"{found.file}, {frames}: {particles}", title_justify="left")
    spots = found.kind == "pattern"
    names = {"powder": "S", "saxs": "I / form factor"}
    headings = (["hkl", f"q1 (1/{unit})", f"q2 (1/{unit})"] if spots else []) + [
        ("q_y" if found.kind == "gisaxs" else "q") + f" (1/{unit})",
        f"d = 2π/q ({unit})",
        names.get(found.kind, "I per particle"),
    ]
    for heading in headings:
        peaks.add_column(heading, justify="right")
    for peak in found.peaks[:_ROWS]:
        first = [peak["hkl"] or "–", f"{peak['q1']:.4f}", f"{peak['q2']:.4f}"] if spots else []
        peaks.add_row(*first, f"{peak['q']:.4f}", f"{peak['d']:.4f}", f"{peak['value']:.4g}")
    parts: list[Any] = [peaks]
    if len(found.peaks) > _ROWS:
        parts.append(Text(f"{len(found.peaks) - _ROWS} more: --json or -o FILE.csv"))
    if found.candidates:
        match = Table(
            title="lattices of the catalogue by their match to the whole profile", title_justify="left"
        )
        for heading in ("phase", "species", f"constants ({unit})"):
            match.add_column(heading)
        match.add_column("correlation", justify="right")
        for one in found.candidates:
            constants = ", ".join(
                f"{name} = {one['constants'][name]:.4g} ± {error:.1g}"
                for name, error in one["uncertainty"].items()
            )
            kinds = ", ".join(f"{kind}: {name}" for kind, name in one["species"].items())
            match.add_row(one["phase"], kinds, constants, f"{one['correlation']:.3f}")
        parts.append(match)
    parts += [Text(note) for note in found.notes]
    return Group(*parts)
