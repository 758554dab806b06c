"""``supercrystal identify`` and ``supercrystal describe``: what is in a trajectory, as tables or as JSON.

Importing this module imports click and nothing else; results go to stdout, remarks to stderr.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

_TRAJECTORY = click.argument("trajectory", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SPECIES = click.option(
    "--species",
    metavar="NAME=SPECIES,…",
    help="Rename or merge particle types; SPECIES '-' leaves a type out. A is the host of compounds.",
)
_TOP = click.option(
    "--top",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the particles' names, for formats that have none (XTC, DCD …).",
)
_OPEN = click.option(
    "--open",
    "opened",
    metavar="AXES",
    default="",
    help="Axes along which the box does not repeat, such as z for a film between walls.",
)
_HOST = click.option(
    "--host", help="Species that is A in the catalogue  [default: A, or the largest diameter]"
)


def _periodic(text: str) -> tuple[bool, bool, bool]:
    if set(text) - set("xyz"):
        raise click.BadParameter(f"axes are letters of xyz; got '{text}'", param_hint="--open")
    return "x" not in text, "y" not in text, "z" not in text


@click.command()
@_TRAJECTORY
@click.option("--frame", type=int, help="Frame to name; negative ones from the end  [default: -1]")
@click.option("--every", type=int, metavar="K", help="Name every K-th frame, and say how phases changed.")
@click.option(
    "--average",
    type=int,
    default=1,
    metavar="M",
    help="Average positions over the M frames up to each one, for hot crystals.",
)
@_SPECIES
@_HOST
@_TOP
@_OPEN
@click.option(
    "--write-labels",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the frames with particles/phase and particles/grain to a new GSD file.",
)
@_JSON
def identify(
    trajectory: Path,
    frame: int | None,
    every: int | None,
    average: int,
    species: str | None,
    host: str | None,
    top: Path | None,
    opened: str,
    write_labels: Path | None,
    as_json: bool,
) -> None:
    """Name the phase of every particle and every grain in frames of a TRAJECTORY.

    Reads GSD and whatever mdtraj reads. A grain is named only where a lattice is confirmed; what is short of that is
    disordered.
    """
    from supercrystal.structure import identify as room

    if write_labels is not None:
        room.refuse_to_overwrite(write_labels)
    found = room.identify(
        trajectory,
        frame,
        every=every,
        average_over=average,
        species=species,
        top=top,
        host=host,
        periodic=_periodic(opened),
    )
    record: dict[str, Any] = {"file": str(trajectory), "frames": [one.to_dict() for one in found]}
    if every is not None:
        record["history"] = room.history_record(found)
    if write_labels is not None:
        room.write_labels(found, write_labels)
    if as_json:
        click.echo(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False))
        return
    from supercrystal.report.structure import identification
    from supercrystal.report.terminal import console

    console().print(identification(record))
    if write_labels is not None:
        click.echo(f"labels: {write_labels}")


@click.command()
@_TRAJECTORY
@click.option(
    "--frame", type=int, default=-1, show_default=True, help="Frame to describe; negative ones from the end."
)
@_SPECIES
@_HOST
@_TOP
@_OPEN
@_JSON
def describe(
    trajectory: Path,
    frame: int,
    species: str | None,
    host: str | None,
    top: Path | None,
    opened: str,
    as_json: bool,
) -> None:
    """Describe one frame: layers and profile along z, orientations, and the packing around each species."""
    from supercrystal.structure import describe as room

    record = room.describe(trajectory, frame, species=species, top=top, host=host, periodic=_periodic(opened))
    if as_json:
        click.echo(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False))
        return
    from supercrystal.report.structure import description
    from supercrystal.report.terminal import console

    console().print(description(record))
