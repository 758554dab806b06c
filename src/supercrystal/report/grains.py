"""Figures of grains: a map of the grains of a configuration, and phases over time. Each as PNG, SVG and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.report.figures import FigureFiles, _headroom, _span, _write
from supercrystal.report.palette import INK, MUTED, PHASE_COLOURS, phase_colours
from supercrystal.structure.labels import DISORDERED, phases
from supercrystal.structure.sample import freud_box, sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from supercrystal.structure.kinetics import History, Interval, Kinetics
    from supercrystal.structure.naming import Named

#: Colours of the largest grains, of Okabe and Ito (2008); all further grains share the last.
GRAIN_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
OTHER_GRAINS = "#5c6570"
#: Markers of phases, in the order in which they are met.
MARKERS = ("o", "s", "^", "D", "v", "h", "P", "X", "<", ">")
#: Thickness of a slice in neighbour distances: about two layers.
SLICE = 1.6
#: Height of a panel [inch], and its largest width.
_PANEL = 2.3
_MOST = 3.2


def grain_map_figure(
    named: Named,
    path: str | Path,
    *,
    thickness: float | None = None,
    names: Mapping[int, str] | None = None,
) -> FigureFiles:
    """Draw three slices through the middle of the particles, normal to x, y and z, coloured by grain.

    Grains of a sublattice in which others are disordered have open symbols. Particles in no grain are grey, or small dark
    dots where a label stands without a grain.

    Args:
        named: a named configuration.
        path: directory to write to; made if missing.
        thickness: of each slice [length]; None takes `SLICE` neighbour distances.
        names: grain number → words that are added to its entry in the legend.

    Raises:
        TrajectoryError: a thickness that is not positive, or a configuration that `sample.sample` refuses.
    """
    configuration = named.configuration
    ready = sample(configuration.box, configuration.positions)
    deep = SLICE * ready.first_shell if thickness is None else float(thickness)
    if not deep > 0:
        raise TrajectoryError(f"a slice is thicker than 0; got {thickness}")
    x = np.asarray(freud_box(configuration.box).wrap(configuration.positions), float)
    centre = (x.min(axis=0) + x.max(axis=0)) / 2
    inside = [np.flatnonzero(np.abs(x[:, axis] - centre[axis]) <= deep / 2) for axis in range(3)]
    shown = np.unique(np.concatenate(inside))
    met = [grain.phase for grain in named.grains]
    markers = {name: MARKERS[k % len(MARKERS)] for k, name in enumerate(dict.fromkeys(met))}
    across, tall = ((1, 2), (0, 2), (0, 1)), ("normal to x", "normal to y", "normal to z")
    spans = np.maximum(np.ptp(x, axis=0), ready.first_shell) + ready.first_shell
    scale = min(_MOST * 3 / sum(spans[h] for h, _ in across), _PANEL * 2 / max(spans[v] for _, v in across))

    def draw(figure: Figure) -> None:
        widths = [spans[h] for h, _ in across]
        figure.set_size_inches(
            max(scale * sum(widths) + 2.9, 6.3), scale * max(spans[v] for _, v in across) + 1.0
        )
        panels = figure.subplots(1, 3, width_ratios=widths)
        handles: dict[str, Any] = {}
        for k, axes in enumerate(panels):
            h, v = across[k]
            for place, wide in ((h, axes.set_xlim), (v, axes.set_ylim)):
                wide(centre[place] - spans[place] / 2, centre[place] + spans[place] / 2)
            axes.set(aspect="equal", xticks=[], yticks=[], xlabel="xyz"[h])
            axes.set_ylabel("xyz"[v], rotation=0, va="center")
            axes.set_title(tall[k], loc="left", pad=3, color=MUTED)
            for side in axes.spines.values():
                side.set_visible(True)
            size = (0.8 * ready.first_shell * scale * 72) ** 2
            _slice(axes, named, inside[k], x[:, [h, v]], size, markers, handles, names or {})
        order = sorted(handles, key=lambda text: handles[text][0])
        figure.legend(
            [handles[text][1] for text in order], order, loc="outside right upper", handletextpad=0.3
        )
        panels[0].annotate(
            f"slices {deep:.3g} thick, of x {spans[0]:.3g}, y {spans[1]:.3g}, z {spans[2]:.3g} "
            f"({configuration.unit})",
            (0, 0), xycoords="axes fraction", xytext=(0, -24), textcoords="offset points", color=MUTED,
            fontsize=8, annotation_clip=False,
        )  # fmt: skip

    count = len(named.grains)
    caption = (
        f"Slices through the middle of the particles of frame {configuration.index}, {deep:.3g} thick, coloured by grain; "
        f"symbols tell the phase, grey particles are in none. {count} grain{'' if count == 1 else 's'} in all."
    )
    table: dict[str, Any] = {"particle": shown.tolist()}
    table |= {f"{axis} [{configuration.unit}]": x[shown, k].tolist() for k, axis in enumerate("xyz")}
    table |= {
        f"in the slice normal to {axis}": np.isin(shown, inside[k]).astype(int).tolist()
        for k, axis in enumerate("xyz")
    }
    table |= {
        "species": [configuration.species[k] for k in configuration.kinds[shown]],
        "label": [phases()[k] for k in named.labels[shown]],
        "grain": named.grain[shown].tolist(),
    }
    return _write("grain-map", caption, path, table, draw, _PANEL + 1.0)


def _slice(
    axes: Axes,
    named: Named,
    chosen: NDArray[np.intp],
    flat: NDArray[np.float64],
    size: float,
    markers: Mapping[str, str],
    handles: dict[str, Any],
    names: Mapping[int, str],
) -> None:
    """Draw the particles of one slice, those without grain first."""
    grain = named.grain[chosen]
    none = chosen[(grain < 0) & (named.labels[chosen] == 0)]
    loose = chosen[(grain < 0) & (named.labels[chosen] != 0)]
    grey = PHASE_COLOURS[DISORDERED]
    for g in np.unique(grain[grain >= 0]).tolist():
        one = named.grains[g]
        own = g < len(GRAIN_COLOURS)
        colour = GRAIN_COLOURS[g] if own else OTHER_GRAINS
        face, edge = ("none", colour) if one.sublattice else (colour, INK)
        look: dict[str, Any] = {"marker": markers[one.phase], "linewidth": 1.0 if one.sublattice else 0.3}
        at = flat[chosen[grain == g]]
        axes.scatter(at[:, 0], at[:, 1], s=size, facecolor=face, edgecolor=edge, zorder=3, **look)
        text = f"{g}: {one.phase}{' sublattice' if one.sublattice else ''}, {one.n}"
        text = f"{text}, {names[g]}" if g in names else text
        key = text if own else f"smaller grains, {one.phase}"
        handles.setdefault(key, (g if own else len(GRAIN_COLOURS), _entry(markers[one.phase], face, edge)))
    for at, text, colour, share in (
        (flat[none], "disordered", grey, 0.6),
        (flat[loose], "label without grain", INK, 0.12),
    ):
        if len(at):
            axes.scatter(at[:, 0], at[:, 1], s=share * size, color=colour, linewidth=0, zorder=2)
            handles.setdefault(text, (len(GRAIN_COLOURS) + 1, _entry("o", colour, colour, 7 * share**0.5)))


def _entry(marker: str, face: str, edge: str, size: float = 7.0) -> Any:
    """Symbol of the legend, of one size whatever the particles have."""
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], linestyle="", marker=marker, markersize=size, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=1.0 if face == "none" else 0.3,
    )  # fmt: skip


def phase_history_figure(
    history: History, path: str | Path, *, kinetics: Kinetics | None = None
) -> FigureFiles:
    """Draw the shares of the phases, stacked, and the largest grain against time.

    Args:
        history: phases over time.
        path: directory to write to; made if missing.
        kinetics: whose nucleation interval is shaded and whose rise to 10 % and 90 % of the plateau is marked.
    """
    t = history.time
    shares = {name: history.fractions[:, k] for k, name in enumerate(history.phases)}
    largest = {
        name: history.largest[:, k]
        for k, name in enumerate(history.phases)
        if name != DISORDERED and history.largest[:, k].any()
    }
    # Disorder is the ground on which the others are stacked from above.
    order = [name for name in history.phases if name != DISORDERED]
    colours = phase_colours([DISORDERED, *order])
    columns: dict[str, Any] = {f"time [{history.unit}]": t}
    columns |= {f"{name} [fraction]": values for name, values in shares.items()}
    columns |= {f"largest {name} grain [particles]": values for name, values in largest.items()}
    columns["grains"] = history.grains

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
        stacked = [*order, DISORDERED]
        if len(t) > 1:
            upper.stackplot(
                t, [shares[name] for name in stacked], colors=[colours[name] for name in stacked],
                labels=stacked, edgecolor="white", linewidth=0.5,
            )  # fmt: skip
        else:
            low = 0.0
            for name in stacked:
                share = float(shares[name][0])
                upper.bar(t, share, width=0.4, bottom=low, color=colours[name], label=name)
                low += share
        handles, labels = upper.get_legend_handles_labels()
        upper.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5))
        upper.set(ylim=(0, 1), ylabel="share of particles")
        for name, values in largest.items():
            lower.plot(
                t, np.where(values > 0, values, np.nan), color=colours[name], marker="o", markersize=2.5,
                linewidth=1.2,
            )  # fmt: skip
        top = _headroom(history.largest_grain.astype(float), 1.12)
        lower.set(
            xlabel=f"time ({history.unit})", ylabel="largest grain\n(particles)", xlim=_span(t), ylim=(0, top)
        )
        lower.grid(axis="y")
        if not largest:
            lower.annotate(
                "no grain", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=MUTED
            )
        if kinetics is not None:
            _mark(upper, lower, kinetics)
        figure.align_ylabels()

    caption = "Share of the particles in each phase, and the largest grain of each, against time."
    if kinetics is not None and kinetics.nucleation is not None:
        low, high = kinetics.nucleation.low, kinetics.nucleation.high
        caption += (
            f" Shaded: nucleation, between the last frame without and the first with a lasting {kinetics.phase} grain of "
            f"{kinetics.threshold} particles ({low:.6g} to {high:.6g} {history.unit})."
        )
    elif kinetics is not None and kinetics.nucleation_note:
        caption += f" Nucleation: {kinetics.nucleation_note}."
    return _write("phase-history", caption, path, columns, draw, 3.7)


def _mark(upper: Axes, lower: Axes, kinetics: Kinetics) -> None:
    """Shade the nucleation in both panels and mark the rise in the upper one."""
    if kinetics.nucleation is not None:
        for axes in (upper, lower):
            axes.axvspan(
                kinetics.nucleation.low,
                kinetics.nucleation.high,
                facecolor=INK,
                alpha=0.22,
                linewidth=0,
                zorder=4,
            )
        lower.annotate(
            "nucleation", (kinetics.nucleation.high, 0.94), xycoords=("data", "axes fraction"), xytext=(4, 0),
            textcoords="offset points", va="top", fontsize=8, color=INK,
        )  # fmt: skip
        lower.axhline(kinetics.threshold, color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
    for interval, text in zip(kinetics.rise, ("10 %", "90 %"), strict=True):
        if interval is not None:
            _bracket(upper, interval, text)


def _bracket(axes: Axes, interval: Interval, text: str) -> None:
    axes.plot(
        [interval.low, interval.high],
        [1.0, 1.0],
        color=INK,
        linewidth=3,
        clip_on=False,
        solid_capstyle="butt",
    )
    axes.annotate(
        text, (interval.middle, 1.0), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=8,
        annotation_clip=False,
    )  # fmt: skip
