"""What identification and description find, as tables on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from supercrystal.report.html import number

#: Grains of one frame that a table lists.
LISTED = 12


def identification(record: dict[str, Any]) -> Group:
    """Tables of `identify`: one frame with its grains, or many frames a line each."""
    frames = record["frames"]
    if len(frames) == 1:
        return Group(*_one(record["file"], frames[0]))
    rows = []
    for frame in frames:
        crystals = [grain for grain in frame["grains"] if not grain["sublattice"]]
        rows.append(
            [
                str(frame["frame"]),
                str(frame["step"]),
                frame["verdict"],
                str(len(crystals)),
                str(crystals[0]["n"]) if crystals else "",
                f"{frame['score']:.2f}" if crystals else "",
                constant(frame["lattice"]) if crystals else "",
                _shares(frame["fractions"]),
            ]
        )
    columns = ("frame", "step", "phase", "grains", "largest", "score", "a", "particles")
    parts: list[RenderableType] = [_table(columns, rows, left=("phase", "particles"), title=record["file"])]
    parts += [Text(line) for line in _history(record.get("history"))]
    # What several frames say in the same words is said once.
    parts += [Text(f"mind: {note}") for note in dict.fromkeys(n for frame in frames for n in frame["notes"])]
    return Group(*parts)


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[str],
    title: str | None = None,
    caption: str | None = None,
) -> Table:
    """A table without the columns that are empty in every row; only columns of words may wrap."""
    # As Text, since names of files and species may look like rich's markup.
    table = Table(
        title=None if title is None else Text(title, "table.title"),
        title_justify="left",
        caption=caption,
        caption_justify="left",
    )
    kept = [k for k in range(len(columns)) if any(row[k] for row in rows)]
    for k in kept:
        words = columns[k] in left
        table.add_column(columns[k], justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[k]) for k in kept))
    return table


def _shares(fractions: dict[str, float]) -> str:
    found = sorted(fractions.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in found if share >= 0.0005)


def constant(lattice: dict[str, Any], key: str = "a") -> str:
    """Lattice constant with its standard error, empty where the lattice has no such constant."""
    value = lattice.get(f"{key}_nm", lattice.get(key))
    if value is None:
        return ""
    return _with_error(value, lattice["uncertainty" if key == "a" else f"{key}_uncertainty"])


def _with_error(value: float, error: float | None, unit: str = "") -> str:
    # The error of a perfect lattice is that of single precision, or zero: no digits are earned by it.
    if not error or error < 1e-6 * abs(value):
        return f"{number(value, 1e-5 * abs(value))}{unit}"
    return f"{number(value, error)} ± {number(error, error)}{unit}"


def _one(file: str, frame: dict[str, Any]) -> list[RenderableType]:
    head = Text(f"{file}, frame {frame['frame']}, {frame['n']} particles: {frame['verdict']}", style="bold")
    shares = Text(_shares(frame["fractions"]))
    parts: list[RenderableType] = [head, shares]
    if frame["grains"]:
        parts.append(_grains(frame["grains"]))
    parts += [Text(_boundary(one)) for one in frame.get("boundaries", [])[:LISTED]]
    lattice = frame["lattice"]
    if lattice:
        parts.append(Text(f"cell of the largest grain ({lattice['unit']}): {_each(lattice, 'lengths')}"))
        parts.append(Text(f"its angles: {_each(lattice, 'angles', '°')}"))
        check = lattice["scattering"]
        if check["lengths"] is None:
            parts.append(Text(f"no cross-check by S(k): {check['reason']}"))
        elif check["differs"]:
            parts.append(Text(f"by its peaks in S(k) it differs: {_each(check, 'lengths')}"))
        else:
            parts.append(Text("its peaks in S(k) agree"))
    if frame.get("monolayer"):
        parts.append(_monolayer({"all": frame["monolayer"]}, "order in the plane"))
    for refused in frame.get("refused", [])[:3]:
        parts.append(Text(f"not a grain: {refused['particles']} particles, {refused['reason']}"))
    parts += [Text(f"mind: {note}") for note in frame["notes"]]
    return parts


def _each(record: dict[str, Any], key: str, unit: str = "") -> str:
    values, errors = record[key], record[f"{key}_uncertainty"]
    return ", ".join(_with_error(v, e, unit) for v, e in zip(values, errors, strict=True))


def _monolayer(orders: dict[str, dict[str, Any]], title: str) -> Table:
    """Order in the plane, a line for each species or for all of them."""
    keys = [f"psi{k}_{which}" for k in (6, 4) for which in ("local", "averaged", "overall")]
    rows = [
        [name, str(order["particles"]), order["kind"]]
        + ["" if order[key] is None else f"{order[key]:.2f}" for key in keys]
        for name, order in orders.items()
    ]
    columns = ("species", "particles", "order", *(key.replace("psi", "ψ").replace("_", "\n") for key in keys))
    return _table(columns, rows, ("species", "order"), title)


def _grains(grains: list[dict[str, Any]]) -> Table:
    rows = []
    for place, grain in enumerate(grains[:LISTED]):
        lattice, part = grain["lattice"], grain["sublattice"]
        rows.append(
            [
                str(place) if len(grains) > 1 else "",
                f"{part['species']} sublattice {part['phase']}" if part else grain["phase"],
                str(grain["n"]),
                f"{grain['score']:.2f}",
                constant(lattice),
                constant(lattice, "c"),
                f"{grain['rms_displacement_over_shortest_distance']:.3f}",
                *(f"{100 * v:.1f}" for v in (max(map(abs, grain["strain"])), grain["vacancies"])),
                f"{100 * grain['antisites']:.1f}" if len(grain["occupancy"]) > 1 else "",
            ]
        )
    more = len(grains) - LISTED
    return _table(
        ("", "grain", "particles", "score", "a", "c", "rms/d", "strain\n%", "vacant\n%", "antisites\n%"),
        rows,
        left=("grain",),
        caption=f"and {more} smaller ones" if more > 0 else None,
    )


def _boundary(boundary: dict[str, Any]) -> str:
    first, second = boundary["grains"]
    turn = boundary["misorientation"]
    text = f"grains {first} and {second} touch"
    if turn is None:
        return f"{text}: lattices of different systems"
    text += f": turned by {_with_error(turn['angle_degrees'], turn['angle_error_degrees'], '°')}"
    if turn["axis"] is not None:
        text += " about [" + " ".join(f"{x:.2f}" for x in turn["axis"]) + "]"
    return text + (f", {turn['name']}" if turn["name"] else "")


def _history(history: dict[str, Any] | None) -> list[str]:
    if not history:
        return []
    return [str(line) for line in history.get("summary", [])]


def description(record: dict[str, Any]) -> Group:
    """Tables of `describe`."""
    head = Text(
        f"{record['file']}, frame {record['frame']}, {record['n']} particles"
        + (f": {record['verdict']}" if record["verdict"] else ""),
        style="bold",
    )
    parts: list[RenderableType] = [head]
    film = record["film"]
    if film and film["layers"] and film["layers"]["layers"]:
        parts.append(_layers(film["layers"], record["unit"]))
    elif film and film["order"]:
        parts.append(_monolayer({"all": film["order"], **film["order_by_species"]}, "order in the plane"))
    elif film:
        parts.append(Text("no layers along z"))
    if record["orientation"]:
        parts.append(_orientations(record["orientation"]))
        parts += [Text(f"left out: {name}: {why}") for name, why in record["orientation"]["left_out"].items()]
    packing = record["packing"]
    if packing:
        rows = [
            [
                row["species"],
                str(row["particles"]),
                *("" if v is None else f"{v:.3f}" for v in (row["fraction"], row["spread"])),
            ]
            for row in packing["species"]
        ]
        columns = ("species", "particles", "packing fraction", "spread")
        parts.append(_table(columns, rows, ("species",), f"local packing, sizes: {packing['sizes']}"))
        parts += [Text(f"mind: {packing['note']}")] if packing["note"] else []
    parts += [Text(f"mind: {note}") for note in record["notes"]]
    parts += [Text(f"left out: {part}: {reason}") for part, reason in record["left_out"].items()]
    return Group(*parts)


def _layers(layers: dict[str, Any], unit: str) -> Table:
    rows = []
    for place, layer in enumerate(layers["layers"], start=1):
        shares = layer["composition"]
        rows.append(
            [
                str(place),
                _with_error(layer["height"], layer["uncertainty"]),
                f"{layer['thickness']:.3f}",
                f"{layer['areal_density']:.4g}",
                str(layer["particles"]),
                ", ".join(f"{name} {100 * x:.0f} %" for name, x in shares.items() if x)
                if len(shares) > 1
                else "",
                str(layer["order"]["kind"]) if layer["order"] else "",
            ]
        )
    apart = layers["spacing"]
    return _table(
        ("layer", "height", "thickness", "per area", "particles", "species", "order"),
        rows,
        left=("species", "order"),
        title=f"layers along z ({unit})",
        caption=None if apart is None else f"spacing {_with_error(apart, layers['spacing_uncertainty'])}",
    )


def _orientations(found: dict[str, Any]) -> Table:
    rows = []
    for part in found["sublattices"]:
        cubatic, alignment = part["cubatic"], part["alignment"]
        rows.append(
            [
                part["name"],
                str(part["particles"]),
                f"{cubatic['order']:.3f}",
                f"{cubatic['order_floor']:.3f}",
                f"{part['nematic']['order']:.3f}",
                f"{alignment['mean_degrees']:.1f}°",
                f"{alignment['mean_degrees_random']:.1f}°",
            ]
        )
    columns = ("sublattice", "particles", "cubatic", "random", "nematic", "angle to axes", "random")
    return _table(columns, rows, ("sublattice",), "orientations")
