"""Figures of scattering: curves with their peaks, patterns with their indices, detector images."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError
from supercrystal.report.palette import ACCENT, FIGURE_STYLE, INK, MODEL, MUTED
from supercrystal.scatter import Scattering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
#: Decades of intensity that an image shows, how many spots get their indices, colours of partial structure factors.
_DECADES, _NAMED = 4.0, 24
_PARTIAL = ("#d55e00", "#009e73", "#56b4e9", "#cc79a7", "#e69f00", "#0072b2")


def figure(found: Scattering, suffix: str) -> bytes:
    """The picture of a result, as the bytes of a PNG or SVG file.

    Raises:
        PhysicsError: another suffix.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if suffix.lower() not in SUFFIXES:
        raise PhysicsError(f"a figure is written as {' or '.join(SUFFIXES)}; got '{suffix}'")
    draw: Callable[[Figure, Scattering], None] = _curve if found.shape is None else _image
    sink = io.BytesIO()
    with rc_context(cast("Any", FIGURE_STYLE)):
        size = {"pattern": (5.6, 4.7), "gisaxs": (6.3, 3.4)}.get(found.kind, (6.3, 4.0))
        drawn = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05))
        FigureCanvasAgg(drawn)
        draw(drawn, found)
        # Without a date in it, the same numbers give the same file.
        drawn.savefig(
            sink,
            dpi=160,
            format=suffix.lower().lstrip("."),
            metadata={"Date": None} if suffix.lower() == ".svg" else None,
        )
    return sink.getvalue()


def _unit(found: Scattering) -> str:
    return "1/nm" if found.unit == "nm" else "1 / unit of length"


def _title(axes: Axes, found: Scattering) -> None:
    particles = ", ".join(f"{n} {name}" for name, n in found.particles.items())
    frames = f"frame {found.frames[0]}" if len(found.frames) == 1 else f"{len(found.frames)} frames"
    axes.set_title(f"{Path(found.file).name}, {frames}: {particles}", loc="left", color=MUTED)


def _curve(drawn: Figure, found: Scattering) -> None:
    axes = drawn.subplots()
    heading, *_ = found.columns
    q = found.columns[heading]
    axes.set_xlabel(f"q ({_unit(found)})")
    if found.kind == "powder":
        partial = [name for name in found.columns if name.startswith("S_")]
        for colour, name in zip(_PARTIAL, partial, strict=False):
            axes.plot(q, found.columns[name], color=colour, linewidth=1.0, label=f"S {name[2:]}")
        axes.plot(q, found.columns["S"], color=INK, label="total")
        axes.axhline(1, color=MUTED, linewidth=0.6)
        axes.set_ylabel("structure factor S(q)")
        top = 1.15 * float(found.columns["S"][_shown(found.columns["S"])].max())
        axes.set_ylim(min(0.0, *(float(v.min()) for k, v in found.columns.items() if k[0] == "S")), top)
        _ticks(axes, found, top)
        if len(found.columns) > 3:
            axes.legend(loc="upper right", ncols=2)
    else:
        for name, colour, style in (
            ("form factor", MODEL, (0, (4, 1.5))),
            ("I per particle", ACCENT, "-"),
        ):
            axes.plot(q, found.columns[name], color=colour, linestyle=style, label=name)
        axes.set_yscale("log")
        high = float(found.columns["I per particle"].max())
        axes.set_ylim(high * 1e-6, high * 3)
        axes.set_ylabel("intensity per particle")
        axes.legend(loc="upper right")
    axes.set_xlim(0, float(q[-1]))
    _title(axes, found)


def _shown(values: NDArray[np.float64]) -> slice:
    """Without the forward scattering."""
    return slice(int(np.argmax(values <= np.median(values))), None)


def _ticks(axes: Axes, found: Scattering, top: float) -> None:
    """Lines of the best match above the curve."""
    if not found.candidates or not found.candidates[0]["crystalline"]:
        return
    from supercrystal.structure.scattering.indexing import line_positions

    best = found.candidates[0]
    q = line_positions(best["phase"], best["constants"])
    q = q[q <= axes.get_xlim()[1]]
    axes.vlines(q, 0.955 * top, 0.99 * top, color=ACCENT, linewidth=0.8)
    constants = ", ".join(
        f"{name} = {best['constants'][name]:.4g} ± {error:.1g}" for name, error in best["uncertainty"].items()
    )
    axes.set_xlabel(
        f"{axes.get_xlabel()}\nlines of the best match: {best['phase']}, {constants}, correlation "
        f"{best['correlation']:.3f}"
    )


def _image(drawn: Figure, found: Scattering) -> None:
    assert found.shape is not None
    axes = drawn.subplots()
    names = ["q_y [1/nm]", "q_z [1/nm]"] if found.kind == "gisaxs" else list(found.columns)[:2]
    x, y = (found.columns[name].reshape(found.shape) for name in names)
    image = np.log10(np.maximum(found.columns["I per particle"].reshape(found.shape), 1e-300))
    # The direct beam of a pattern is brighter than all spots and says nothing.
    reference = image
    if found.kind == "pattern":
        reference = image[np.hypot(x, y) > 0.1 * x.max()]
    high = float(reference.max())
    mesh = axes.pcolormesh(
        x.T, y.T, image.T, cmap="magma", vmin=high - _DECADES, vmax=high, shading="nearest", rasterized=True
    )
    axes.set_aspect("equal")
    for axis, name in zip(("x", "y"), names, strict=True):
        head = "$q_" + name.partition(" [")[0].removeprefix("q").removeprefix("_") + "$"
        axes.set(**{f"{axis}label": f"{head} ({'1/nm' if found.kind == 'gisaxs' else _unit(found)})"})
    axes.grid(visible=False)
    bar = drawn.colorbar(mesh, ax=axes, shrink=0.9)
    bar.set_label("log10 of the intensity per particle")
    if found.kind == "pattern":
        _indices(axes, found, float(x.max()))
    _title(axes, found)


def _indices(axes: Axes, found: Scattering, reach: float) -> None:
    """Indices beside the strongest spots."""
    named = [peak for peak in found.peaks if peak["hkl"]][:_NAMED]
    for peak in named:
        text = "".join(f"$\\bar{{{abs(int(i))}}}$" if int(i) < 0 else i for i in str(peak["hkl"]).split())
        if math.hypot(peak["q1"], peak["q2"]) < 0.97 * reach:
            axes.annotate(
                text,
                (peak["q1"], peak["q2"]),
                xytext=(3, 3),
                textcoords="offset points",
                color="white",
                fontsize=6.5,
            )
