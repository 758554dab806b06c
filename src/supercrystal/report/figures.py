"""The figures of a run, each as PNG, SVG and the CSV of exactly what it shows.

Figures are made without pyplot, so that drawing one in a batch job or inside someone's notebook changes
neither the backend nor the style of anything else.
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.report.palette import (
    ACCENT,
    FIGURE_STYLE,
    INK,
    INTERFACE,
    MODEL,
    MUTED,
    SUBSTRATE,
    phase_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 6.3  # inches: the text width of an A4 page
_DPI = 160

#: What a row of `spacing_comparison` can be, with its marker, colour and filling.
KINDS = {
    "measured in this run": ("o", ACCENT, True),
    "packing model": ("D", MODEL, False),
    "experiment": ("s", INK, False),
}


@dataclass(frozen=True)
class FigureFiles:
    """Where one figure was written.

    Attributes:
        name: stem of the three files.
        caption: one or two sentences that can be read without the rest of the report.
        png: the picture at 160 dpi.
        svg: the picture as outlines.
        csv: the plotted numbers, with units in the header.
    """

    name: str
    caption: str
    png: Path
    svg: Path
    csv: Path


def phases_over_time(
    time: ArrayLike,
    heights: ArrayLike,
    fractions: Mapping[str, ArrayLike],
    path: str | Path,
    extent: str = "film height",
) -> FigureFiles:
    """Draw the shares of the phases in the bulk, stacked, over the height of the film or the edge of the cell.

    Args:
        time: (T,) in Brownian times.
        heights: (T,) height of the film, or edge of the cell [nm].
        fractions: phase to its share of the bulk nanocrystals (T,), 0 to 1; NaN where there is no bulk.
        path: directory to write to; made if missing.
        extent: what `heights` are.

    Raises:
        TrajectoryError: arrays of different lengths.
    """
    columns = _columns(
        {"time [Brownian times]": time, f"{extent} [nm]": heights}
        | {f"{phase} [fraction of bulk]": values for phase, values in fractions.items()}
    )
    t, height, *shares = columns.values()

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.1, 1))
        colours = phase_colours(fractions)
        if shares:
            upper.stackplot(
                t, shares, colors=colours.values(), labels=list(colours), edgecolor="white", linewidth=0.5
            )
            # The order of the legend is that of the stack, the uppermost first.
            handles, names = upper.get_legend_handles_labels()
            upper.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5))
        upper.set(ylim=(0, 1), ylabel="share of bulk\nnanocrystals")
        lower.plot(t, height, color=INTERFACE, marker=_marker(t))
        lower.set(xlabel="time (Brownian times)", ylabel=f"{extent}\n(nm)", xlim=_span(t))
        lower.set_ylim(0, _headroom(height))
        lower.grid(axis="y")
        figure.align_ylabels()

    caption = (
        "Phases in the bulk, from which nanocrystals at surfaces are left out, and the height of the film."
        if extent == "film height"
        else f"Phases in the bulk, from which nanocrystals at surfaces are left out, and the {extent}."
    )
    return _write("phases-over-time", caption, path, columns, draw, 4.2)


def spacing_comparison(rows: Sequence[Mapping[str, Any]], path: str | Path) -> FigureFiles:
    """Draw distances from this run, from packing models and from experiments beside each other.

    Args:
        rows: each with ``label``, ``value_nm``, ``error_nm`` (or None) and ``kind``, a key of `KINDS`.
        path: directory to write to; made if missing.

    Raises:
        TrajectoryError: no rows, or a kind that is not in `KINDS`.
    """
    if not rows:
        raise TrajectoryError("a comparison of spacings needs at least one row; got none")
    unknown = sorted({str(row["kind"]) for row in rows} - set(KINDS))
    if unknown:
        raise TrajectoryError(f"a row's kind must be one of {', '.join(KINDS)}; got {', '.join(unknown)}")
    columns: dict[str, Any] = {
        "label": [str(row["label"]) for row in rows],
        "value [nm]": [float(row["value_nm"]) for row in rows],
        "error [nm]": [None if row.get("error_nm") is None else float(row["error_nm"]) for row in rows],
        "kind": [str(row["kind"]) for row in rows],
    }

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        own = [float(row["value_nm"]) for row in rows if row["kind"] == "measured in this run"]
        if own:
            axes.axvline(own[0], color=ACCENT, linewidth=0.8, alpha=0.45)
        seen: set[str] = set()
        for y, (_, value, error, kind) in enumerate(zip(*columns.values(), strict=True)):
            marker, colour, filled = KINDS[kind]
            axes.errorbar(
                value,
                y,
                xerr=error,
                fmt=marker,
                color=colour,
                markerfacecolor=colour if filled else "white",
                markersize=6.5,
                markeredgewidth=1.5,
                capsize=3,
                label="_" if kind in seen else kind,
            )
            text = f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"
            axes.annotate(
                text,
                (1, y),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
            )
            seen.add(kind)
        axes.set_yticks(range(len(rows)), [_wrapped(label) for label in columns["label"]])
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="nearest-neighbour distance (nm)")
        axes.annotate(
            "nm", (1, 1), xycoords="axes fraction", xytext=(6, 2), textcoords="offset points", color=MUTED
        )
        axes.margins(x=0.12)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y")
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.4)

    caption = (
        "Nearest-neighbour distance in this run beside the packing models and measurements. Bars are the "
        "stated uncertainties; a point without one has none stated."
    )
    return _write("spacing-comparison", caption, path, columns, draw, 1.35 + 0.36 * len(rows))


def density_profile(
    z: ArrayLike,
    density: ArrayLike,
    layers: ArrayLike | None,
    path: str | Path,
    *,
    substrate_z: float | None = None,
    interface_z: float | None = None,
) -> FigureFiles:
    """Draw the number density across the film at the end of the run.

    Args:
        z: (M,) heights [nm].
        density: (M,) nanocrystals per nm³.
        layers: (K,) heights of the layers that were recognised [nm], drawn as ticks, if there are any.
        path: directory to write to; made if missing.
        substrate_z: height of the substrate [nm], if it is to be marked.
        interface_z: height of the liquid–vapour interface [nm], if it is to be marked.

    Raises:
        TrajectoryError: arrays of different lengths, or empty ones.
    """
    columns = _columns({"z [nm]": z, "number density [nm^-3]": density})
    heights, values = columns.values()
    peaks = np.sort(np.asarray([] if layers is None else layers, float).ravel())
    if not len(heights):
        raise TrajectoryError("a density profile needs at least one height; got none")
    table: dict[str, Any] = dict(columns)
    table["layer at [nm]"] = [None] * len(heights)
    for peak in peaks:
        table["layer at [nm]"][int(np.argmin(np.abs(heights - peak)))] = float(peak)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.fill_between(heights, values, color=ACCENT, alpha=0.15, linewidth=0)
        axes.plot(heights, values, color=ACCENT, linewidth=1.3)
        ceiling = _headroom(values, 1.14)
        if len(peaks):
            marks = np.full(len(peaks), ceiling * 0.95)
            axes.plot(peaks, marks, "|", color=MODEL, markersize=7, markeredgewidth=1.4)
        low, high = _span(heights)
        pad = 0.04 * (high - low)
        if substrate_z is not None:
            axes.axvspan(low - 10 * pad, substrate_z, facecolor=SUBSTRATE, alpha=0.25, linewidth=0)
            axes.axvline(substrate_z, color=SUBSTRATE)
            _along(axes, substrate_z, "substrate", SUBSTRATE)
            low = min(low, substrate_z - pad)
        if interface_z is not None and np.isfinite(interface_z):
            axes.axvline(interface_z, color=INTERFACE, linestyle=(0, (5, 2)))
            _along(axes, interface_z, "interface", INTERFACE)
            high = max(high, interface_z + pad)
        axes.set(xlim=(low, high), ylim=(0, ceiling))
        axes.set(xlabel="height z (nm)", ylabel="number density (nm⁻³)")
        axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)

    caption = "Number density of nanocrystals across the film in the last frames."
    if len(peaks):
        caption += f" The {len(peaks)} ticks above mark the layers that were recognised."
    return _write("density-profile", caption, path, table, draw, 2.9)


def bond_lengths(r: ArrayLike, g: ArrayLike, d_opm: float | None, path: str | Path) -> FigureFiles:
    """Draw the radial distribution function with the distance that the optimal packing model expects.

    Args:
        r: (M,) distances [nm].
        g: (M,) radial distribution function [-]. No line is drawn at 1: in a film g(r) does not end there
            unless its height was divided out.
        d_opm: nearest-neighbour distance of the optimal packing model [nm], or None.
        path: directory to write to; made if missing.
    """
    columns = _columns({"r [nm]": r, "g(r) [-]": g})
    distance, values = columns.values()

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(distance, values, color=ACCENT)
        axes.set(xlim=_span(distance), ylim=(0, _headroom(values)))
        axes.set(xlabel="distance between centres r (nm)", ylabel="radial distribution g(r)")
        if d_opm is not None:
            axes.axvline(d_opm, color=MODEL, linewidth=1.2, linestyle=(0, (5, 2)))
            axes.annotate(
                f"OPM {d_opm:.2f} nm",
                (d_opm, 0.97),
                xycoords=("data", "axes fraction"),
                xytext=(14, 0),
                textcoords="offset points",
                color=MODEL,
                va="top",
            )

    caption = "Radial distribution function g(r) of the nanocrystals."
    if d_opm is not None:
        caption += f" Dashed: the nearest-neighbour distance of the optimal packing model, {d_opm:.2f} nm."
    return _write("bond-lengths", caption, path, columns, draw, 2.9)


def pressure_over_time(
    time: ArrayLike, pressure_kpa: ArrayLike, path: str | Path, on: str = "on the interface"
) -> FigureFiles:
    """Draw the pressure with which the nanocrystals push on the interface, or their pressure in a cell.

    Args:
        time: (T,) in Brownian times.
        pressure_kpa: (T,) force on the interface over its area, or the pressure from the virial [kPa].
        path: directory to write to; made if missing.
        on: ``"on the interface"`` or ``"in the cell"``.
    """
    columns = _columns({"time [Brownian times]": time, f"pressure {on} [kPa]": pressure_kpa})
    t, pressure = columns.values()

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.plot(t, pressure, color=INTERFACE, marker=_marker(t))
        axes.set(xlabel="time (Brownian times)", ylabel=f"pressure\n{on} (kPa)", xlim=_span(t))
        axes.grid(axis="y")

    caption = (
        "Pressure of the nanocrystals on the interface, force over area."
        if on == "on the interface"
        else "Osmotic pressure of the nanocrystals, from the virial; the solvent's is not in it."
    )
    return _write("pressure-over-time", caption, path, columns, draw, 2.5)


def _write(
    name: str,
    caption: str,
    path: str | Path,
    columns: Mapping[str, Any],
    draw: Callable[[Figure], None],
    height: float,
) -> FigureFiles:
    """Draw on a fresh figure of `height` inches and write the three files."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    files = FigureFiles(name, caption, *(folder / f"{name}.{suffix}" for suffix in ("png", "svg", "csv")))
    with rc_context(cast("Any", FIGURE_STYLE)):
        figure = Figure(figsize=(_WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.08))
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(files.png, dpi=_DPI)
        figure.savefig(files.svg, metadata={"Date": None})
    with files.csv.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow("" if value is None else value for value in row)
    return files


def _columns(named: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Columns of a figure as flat arrays of one length."""
    arrays = {name: np.asarray(values, float).ravel() for name, values in named.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise TrajectoryError(f"what is plotted together must have one length; got {lengths}")
    return arrays


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    """Limits that touch the data, also for one point or none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _headroom(values: NDArray[np.float64], factor: float = 1.08) -> float:
    """Upper limit of an axis that starts at 0."""
    top = _span(values)[1]
    return factor * top if top > 0 else 1.0


def _marker(values: NDArray[np.float64]) -> str:
    """A line through one frame shows nothing; a point does."""
    return "o" if len(values) < 3 else ""


def _along(axes: Axes, z: float, text: str, colour: str) -> None:
    """Write `text` upwards along the vertical line at `z`, on the side of it where the film is not."""
    left = text == "substrate"
    axes.annotate(
        text,
        (z, 0.5),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
        rotation=90,
        ha="right" if left else "left",
        va="center",
        color=colour,
        annotation_clip=False,
    )


def _wrapped(label: str, width: int = 34) -> str:
    return "\n".join(textwrap.wrap(label, width)) or label
