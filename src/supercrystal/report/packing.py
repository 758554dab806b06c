"""Figures of the packing models: η(γ) phase by phase, and models beside measurements. Each has its CSV.

One small panel a phase keeps the colours few enough to stay apart for every reader; what is measured is ink.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from supercrystal.errors import PhysicsError
from supercrystal.packing.opm import TOUCHING_FRACTION
from supercrystal.report.palette import ACCENT, FIGURE_STYLE, INK, MODEL, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SUFFIXES = (".png", ".svg")

#: Colour, line style and width of each series of η(γ).
SERIES: dict[str, tuple[str, Any, float]] = {
    "hard spheres": (ACCENT, "-", 1.2),
    "OTM": (MODEL, "-", 2.0),
    "OTM, not verified": (MODEL, (0, (1.2, 0.8)), 2.0),
    "spheres and cubes": ("#009e73", (0, (4, 1.5)), 1.4),
}

#: Marker, colour and filling of the models in `predicted_over_measured`, in the order in which a panel meets them.
_MARKERS = (("o", ACCENT, True), ("D", MODEL, False), ("^", "#009e73", False), ("s", "#cc79a7", False))


def eta_curves(
    curves: Sequence[Mapping[str, Any]], measured: Sequence[Mapping[str, Any]], path: str | Path
) -> tuple[Path, Path]:
    """Draw η(γ), one panel a phase, with measured packing fractions.

    Args:
        curves: each with ``phase``, ``gamma`` (N,), and (N,) arrays named as in `SERIES`; NaN where there is
            none. ``branch`` (N,), if there, goes into the CSV.
        measured: each with ``phase``, ``gamma``, ``eta``, ``label`` and ``source``.
        path: picture to write, PNG or SVG by its suffix; the CSV of the same name goes beside it.

    Returns:
        Paths of the picture and of the CSV.

    Raises:
        PhysicsError: no curves, or another suffix.
    """
    if not curves:
        raise PhysicsError("a figure of η(γ) needs at least one phase; got none")
    columns = min(len(curves), 4 if len(curves) > 6 else 3)
    rows = math.ceil(len(curves) / columns)
    width, height = (8.6 if columns == 4 else 6.3), 0.75 + (1.75 if rows > 1 else 2.5) * rows

    def draw(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        handles: dict[str, Any] = {}
        for axes, curve in zip(grid.flat, curves, strict=False):
            _panel(axes, curve, [row for row in measured if row["phase"] == curve["phase"]], handles)
        for axes in list(grid.flat)[len(curves) :]:
            axes.set_visible(False)
        # The lowest panel of each column carries the ticks of γ, also where the last row is not full.
        for column in range(columns):
            lowest = max(row for row in range(rows) if row * columns + column < len(curves))
            grid[lowest, column].tick_params(labelbottom=True)
        every = np.concatenate([curve[name] for curve in curves for name in SERIES if name in curve])
        low = math.floor(10 * float(np.nanmin(every))) / 10
        grid[0, 0].set(xlim=(curves[0]["gamma"][0], curves[0]["gamma"][-1]), ylim=(low, 1.03))
        figure.supxlabel("size ratio γ", fontsize=9.5)
        figure.supylabel("packing fraction η", fontsize=9.5)
        order = [name for name in ("fcc, separated", *SERIES, "measured") if name in handles]
        figure.legend(
            [handles[name] for name in order], order, loc="outside upper left", ncols=min(len(order), 4)
        )

    picture = _save(path, (width, height), draw)
    table: list[tuple[Any, ...]] = []
    for curve in curves:
        for name in SERIES:
            if name in curve:
                branches = (
                    curve["branch"]
                    if name.startswith("OTM") and "branch" in curve
                    else [""] * len(curve["gamma"])
                )
                table += [
                    (curve["phase"], name, float(gamma), float(eta), str(branch), "")
                    for gamma, eta, branch in zip(curve["gamma"], curve[name], branches, strict=True)
                    if np.isfinite(eta)
                ]
    drawn = {curve["phase"] for curve in curves}
    table += [
        (row["phase"], "measured", row["gamma"], row["eta"], row["label"], row["source"])
        for row in measured
        if row["phase"] in drawn
    ]
    header = ("phase", "series", "gamma [-]", "eta [-]", "branch or nanocrystals", "source")
    return picture, _table(picture, header, table)


def _panel(
    axes: Axes, curve: Mapping[str, Any], measured: Sequence[Mapping[str, Any]], handles: dict[str, Any]
) -> None:
    separated = axes.axhline(TOUCHING_FRACTION["fcc"], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    handles.setdefault("fcc, separated", separated)
    for name, (colour, style, width) in SERIES.items():
        if name in curve:
            (line,) = axes.plot(curve["gamma"], curve[name], color=colour, linestyle=style, linewidth=width)
            handles.setdefault(name, line)
    for row in measured:
        (point,) = axes.plot(row["gamma"], row["eta"], "s", color=INK, markersize=5, zorder=3)
        handles.setdefault("measured", point)
    axes.set_title(curve["phase"], loc="left", pad=3)
    axes.grid(axis="y")


def predicted_over_measured(rows: Sequence[Mapping[str, Any]], path: str | Path) -> tuple[Path, Path]:
    """Draw the relative error of each model for each measured quantity, one panel a quantity.

    Args:
        rows: each with ``quantity``, ``system``, ``model``, ``predicted``, ``measured``, ``relative_error``
            and ``source``; `predicted` and `relative_error` are None where the model has no value.
        path: picture to write, PNG or SVG by its suffix; the CSV of the same name goes beside it.

    Returns:
        Paths of the picture and of the CSV.

    Raises:
        PhysicsError: no rows, more than four models of one quantity, or another suffix.
    """
    if not rows:
        raise PhysicsError("a comparison needs at least one row; got none")
    quantities = list(dict.fromkeys(row["quantity"] for row in rows))
    systems = {
        q: list(dict.fromkeys(row["system"] for row in rows if row["quantity"] == q)) for q in quantities
    }
    heights = [len(systems[q]) for q in quantities]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(quantities), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axes, quantity in zip(grid, quantities, strict=True):
            axes.axvline(0, color=INK, linewidth=0.9)
            here = [row for row in rows if row["quantity"] == quantity]
            models = list(dict.fromkeys(row["model"] for row in here))
            for model, (marker, colour, filled) in zip(models, _MARKERS, strict=False):
                points = [
                    (100 * row["relative_error"], systems[quantity].index(row["system"]))
                    for row in here
                    if row["model"] == model and row["relative_error"] is not None
                ]
                fill = colour if filled else "white"
                style = {"color": colour, "markerfacecolor": fill, "markersize": 6, "markeredgewidth": 1.5}
                axes.plot(*np.reshape(points, (-1, 2)).T, marker, label=model, **style)
            axes.set_yticks(range(len(systems[quantity])), systems[quantity])
            axes.set_ylim(len(systems[quantity]) - 0.4, -0.6)
            axes.set_title(quantity, loc="left", pad=20)
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2, handletextpad=0.2
            )
            axes.grid(axis="both")
            axes.tick_params(axis="y", length=0)
            axes.margins(x=0.08)
        grid[-1].set_xlabel("(predicted − measured) / measured (%)")

    picture = _save(path, (7.2, 0.5 + sum(0.24 * n + 0.75 for n in heights)), draw)
    keys = ("quantity", "system", "model", "predicted", "measured", "relative_error", "source")
    return picture, _table(picture, keys, [tuple(row[key] for key in keys) for row in rows])


def _save(path: str | Path, size: tuple[float, float], draw: Callable[[Figure], None]) -> Path:
    """Draw on a fresh figure of `size` inches and write it."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    picture = Path(path)
    if picture.suffix.lower() not in _SUFFIXES:
        raise PhysicsError(f"a figure is written as {' or '.join(_SUFFIXES)}; got '{picture.name}'")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(cast("Any", FIGURE_STYLE)):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05))
        FigureCanvasAgg(figure)
        draw(figure)
        # Without a date in it, the same numbers give the same file.
        figure.savefig(
            picture, dpi=160, metadata={"Date": None} if picture.suffix.lower() == ".svg" else None
        )
    return picture


def _table(picture: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """Write the CSV beside a picture."""
    path = picture.with_suffix(".csv")
    with path.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(["" if value is None else value for value in row] for row in rows)
    return path
