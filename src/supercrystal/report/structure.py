"""What identification and description find, as tables on a terminal."""

from __future__ import annotations

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
    table = Table(title=record["file"], title_justify="left")
    for column in ("frame", "step", "phase", "score", "grains", "largest", "a", "fractions"):
        table.add_column(column, justify="left" if column in ("phase", "fractions") else "right")
    for frame in frames:
        crystals = [grain for grain in frame["grains"] if not grain["sublattice"]]
        table.add_row(
            str(frame["frame"]),
            str(frame["step"]),
            frame["verdict"],
            f"{frame['score']:.2f}" if crystals else "",
            str(len(crystals)),
            str(crystals[0]["n"]) if crystals else "",
            constant(frame["lattice"]) if crystals else "",
            _shares(frame["fractions"]),
        )
    return Group(table, *(Text(line) for line in _history(record.get("history"))))


def _shares(fractions: dict[str, float]) -> str:
    found = sorted(fractions.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in found if share >= 0.0005)


def constant(lattice: dict[str, Any], key: str = "a") -> str:
    """Lattice constant with its standard error."""
    value = lattice.get(f"{key}_nm", lattice.get(key))
    error = lattice["uncertainty" if key == "a" else f"{key}_uncertainty"]
    return f"{number(value, error)} ± {number(error, error)}"


def _one(file: str, frame: dict[str, Any]) -> list[RenderableType]:
    head = Text(f"{file}, frame {frame['frame']}, {frame['n']} particles: {frame['verdict']}", style="bold")
    shares = Text(_shares(frame["fractions"]))
    parts: list[RenderableType] = [head, shares]
    if frame["grains"]:
        parts.append(_grains(frame["grains"]))
    lattice = frame["lattice"]
    if lattice:
        lengths = ", ".join(
            f"{number(v, e)} ± {number(e, e)}"
            for v, e in zip(lattice["lengths"], lattice["lengths_uncertainty"], strict=True)
        )
        angles = ", ".join(f"{v:.2f}°" for v in lattice["angles"])
        parts.append(Text(f"cell of the largest grain: {lengths} ({lattice['unit']}); {angles}"))
        check = lattice["scattering"]
        if check["lengths"] is None:
            parts.append(Text(f"no cross-check by S(k): {check['reason']}"))
        elif check["differs"]:
            other = ", ".join(
                f"{number(v, e)} ± {number(e, e)}"
                for v, e in zip(check["lengths"], check["lengths_uncertainty"], strict=True)
            )
            parts.append(Text(f"by its peaks in S(k) it differs: {other}"))
        else:
            parts.append(Text("its peaks in S(k) agree"))
    if frame.get("monolayer"):
        parts.append(
            Text(", ".join(f"{k}: {v}" for k, v in frame["monolayer"].items() if not isinstance(v, dict)))
        )
    for refused in frame.get("refused", [])[:3]:
        parts.append(Text(f"not a grain: {refused['particles']} particles, {refused['reason']}"))
    parts += [Text(f"mind: {note}") for note in frame["notes"]]
    return parts


def _grains(grains: list[dict[str, Any]]) -> Table:
    table = Table()
    columns = (
        "grain",
        "particles",
        "score",
        "a",
        "c",
        "displacement",
        "strain",
        "vacancies",
        "antisites",
        "next",
    )
    for column in columns:
        table.add_column(column, justify="left" if column in ("grain", "next") else "right")
    for grain in grains[:LISTED]:
        lattice, part = grain["lattice"], grain["sublattice"]
        table.add_row(
            f"{part['species']} sublattice {part['phase']}" if part else grain["phase"],
            str(grain["n"]),
            f"{grain['score']:.3f}",
            constant(lattice),
            constant(lattice, "c") if "c_uncertainty" in lattice else "",
            f"{grain['rms_displacement_over_shortest_distance']:.3f} d",
            f"{100 * max(map(abs, grain['strain'])):.1f} %",
            f"{100 * grain['vacancies']:.1f} %",
            f"{100 * grain['antisites']:.1f} %",
            grain["runner_up"]["phase"],
        )
    if len(grains) > LISTED:
        table.caption = f"and {len(grains) - LISTED} smaller ones"
    return table


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
        parts.append(Text(f"monolayer: {film['order']['kind']}"))
    elif film:
        parts.append(Text("no layers along z"))
    if record["orientation"]:
        parts.append(_orientations(record["orientation"]))
    if record["packing"]:
        table = Table(title=f"local packing, sizes from {record['packing']['sizes']}", title_justify="left")
        for column in ("species", "particles", "packing fraction", "spread"):
            table.add_column(column, justify="left" if column == "species" else "right")
        for row in record["packing"]["species"]:
            share = [row["fraction"], row["spread"]]
            table.add_row(
                row["species"], str(row["particles"]), *("" if v is None else f"{v:.3f}" for v in share)
            )
        parts.append(table)
        if record["packing"]["note"]:
            parts.append(Text(f"mind: {record['packing']['note']}"))
    parts += [Text(f"left out: {part}: {reason}") for part, reason in record["left_out"].items()]
    return Group(*parts)


def _layers(layers: dict[str, Any], unit: str) -> Table:
    table = Table(title=f"layers along z ({unit})", title_justify="left")
    for column in ("layer", "height", "thickness", "per area", "particles", "order"):
        table.add_column(column, justify="left" if column == "order" else "right")
    for place, layer in enumerate(layers["layers"], start=1):
        order = layer.get("order")
        table.add_row(
            str(place),
            f"{number(layer['height'], layer['uncertainty'])} ± {number(layer['uncertainty'], layer['uncertainty'])}",
            f"{layer['thickness']:.3f}",
            f"{layer['areal_density']:.4g}",
            str(layer["particles"]),
            "" if not order else str(order["kind"]),
        )
    if layers.get("spacing") is not None:
        table.caption = f"spacing {layers['spacing']:.4g} ± {layers['spacing_uncertainty']:.1g}"
    return table


def _orientations(found: dict[str, Any]) -> Table:
    table = Table(title="orientations", title_justify="left")
    for column in ("sublattice", "particles", "cubatic", "floor", "nematic", "angle to axes", "random"):
        table.add_column(column, justify="left" if column == "sublattice" else "right")
    for part in found["sublattices"]:
        cubatic, alignment = part["cubatic"], part["alignment"]
        table.add_row(
            part["name"],
            str(part["particles"]),
            f"{cubatic['order']:.3f}",
            f"{cubatic['order_floor']:.3f}",
            f"{part['nematic']['order']:.3f}",
            f"{alignment['mean_degrees']:.1f}°",
            f"{alignment['mean_degrees_random']:.1f}°",
        )
    return table
