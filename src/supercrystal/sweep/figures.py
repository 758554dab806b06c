"""Figures of a collected sweep: the phase diagram over predicted regions, and lattice constants against models.

They are made from the table alone, so that a table in a repository is enough.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal, ligand_length
from supercrystal.packing import opm, selection
from supercrystal.report.palette import FIGURE_STYLE, INK, MUTED, PHASE_COLOURS
from supercrystal.rundir import write_atomically
from supercrystal.sweep.collect import MODELS, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

#: Points of the mesh on which predicted regions are worked out, along L/R and γ.
MESH = (33, 41)
#: Hues of phases beyond those of `report.palette`, in the order in which they are met; the first three are of that set too.
_HUES = ("#009e73", "#cc79a7", "#e69f00", "#7a6a58", "#8b5cf6", "#b91c1c", "#0f766e", "#a16207")
_SYMBOLS = "os^Dvph<>X"
_DPI = 160


def colours(labels: Sequence[str]) -> dict[str, str]:
    """A hue for each set of phases; nothing ordered is grey."""
    others = [name for name in labels if name not in PHASE_COLOURS]
    return PHASE_COLOURS | {name: _HUES[number % len(_HUES)] for number, name in enumerate(others)}


def write(points: Sequence[Row], lattices: Sequence[Row], out: Path) -> dict[str, Path]:
    """Draw what the tables allow.

    Returns:
        Name → file.
    """
    written = {}
    finished = [row for row in points if row.get("phase") and row.get("softness_1")]
    if finished:
        written["phase diagram"] = out / "phase-diagram.png"
        write_atomically(written["phase diagram"], phase_diagram(finished))
    # A candidate that is not the lowest may have relaxed into another lattice, which no model's constants are for.
    drawn = [row for row in lattices if row.get("a_nm") and row.get("lowest") and not row.get("added")]
    if any(row[f"{model} a_nm"] for row in drawn for model in MODELS):
        written["lattice constants"] = out / "lattice-constants.png"
        write_atomically(written["lattice constants"], lattice_constants(drawn))
    return written


def phase_diagram(rows: Sequence[Row]) -> bytes:
    """L/R against γ, a panel for each packing model: regions are predicted, symbols simulated. A PNG.

    For one kind of nanocrystal there is no γ: the vertical axis is the coverage ξ, and the line is where OPM changes from
    fcc to bcc.
    """
    binary = [row for row in rows if row.get("gamma")]
    return _binary(binary) if binary else _single(rows)


def simulated(row: Row) -> str:
    """Phases of a row, named as predictions are."""
    return label([part.strip() for part in str(row["phase"]).split("+")])


def regions(
    rows: Sequence[Row], x: NDArray[np.float64], gamma: NDArray[np.float64]
) -> dict[str, NDArray[Any]] | None:
    """Predicted phases on a mesh, model → labels of shape (len(gamma), len(x)); None where the rows do not define them.

    The first core and both coverages are those of the rows, ligands grow with L/R in a fixed ratio, and the second core
    follows from γ. Rows that differ in one of these lie in no common plane. Candidates are those of the rows, with fcc of
    either nanocrystal, or the whole catalogue where nothing else was said.
    """
    fixed = ("core_diameter_nm_1", "coverage_1", "coverage_2", "count_1", "count_2", "candidates")
    if any(len({_rounded(row.get(key)) for row in rows}) > 1 for key in fixed):
        return None
    ratios = {round(row["ligand_length_nm_2"] / row["ligand_length_nm_1"], 3) for row in rows}
    if len(ratios) > 1:
        return None
    one, ratio = rows[0], ratios.pop()
    phases = one["candidates"].split(",") if one.get("candidates") else None
    labels = {model: np.full((len(gamma), len(x)), "", object) for model in selection.MODELS}
    for i, g in enumerate(gamma):
        # Along L/R a model changes its mind where cores begin to overlap or contacts pass their OCM distance. Between two
        # points of one answer the answer is taken to be the same, which saves nine tenths of the rankings.
        row = {j: _densest(one, ratio, x[j], g, phases) for j in (0, len(x) - 1)}
        spans = [(0, len(x) - 1)]
        while spans:
            low, high = spans.pop()
            middle = (low + high) // 2
            if row[low] == row[high] or middle == low:
                for j in range(low + 1, high):
                    row[j] = row[low]
            else:
                row[middle] = _densest(one, ratio, x[middle], g, phases)
                spans += [(low, middle), (middle, high)]
        for model in labels:
            labels[model][i] = [row[j].get(model, "") for j in range(len(x))]
    return labels


def _densest(
    one: Row, ratio: float, softness: float, gamma: float, phases: Sequence[str] | None
) -> dict[str, str]:
    """Densest phases by each model at one point; nothing where no nanocrystals are there."""
    length = softness * one["core_diameter_nm_1"] / 2
    first = _crystal(one["core_diameter_nm_1"], length, one["coverage_1"])
    target = gamma * float(opm.spacing(first.core.diameter_nm, length, first.xi))
    core = _core(target, ratio * length, one["coverage_2"])
    if core is None:
        return {}
    second = _crystal(core, ratio * length, one["coverage_2"])
    try:
        found = selection.rank(
            {"A": first, "B": second}, {"A": int(one["count_1"]), "B": int(one["count_2"])}, phases
        )
    except PhysicsError:
        return {}
    return {
        model: label([phase for phase, _, _ in mixture.parts]) for model, mixture in found.mixture.items()
    }


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _crystal(core: float, length: float, coverage: float) -> Nanocrystal:
    # Ligands come in whole carbons; between them the length is what counts.
    one, two = float(ligand_length(1)), float(ligand_length(2))
    carbons = 1 + (length - one) / (two - one)
    return Nanocrystal(Core("", core), Ligand("", max(carbons, 1.0)), 1.0, coverage)  # type: ignore[arg-type]


def _core(target: float, length: float, xi: float) -> float | None:
    from scipy.optimize import brentq

    def off(core: float) -> float:
        return float(np.ravel(opm.spacing(np.array([core]), length, xi))[0]) - target

    low, high = 0.2, target
    if not off(low) < 0 < off(high):
        return None
    return float(brentq(off, low, high, xtol=1e-6))


def _binary(rows: Sequence[Row]) -> bytes:
    from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb

    x = np.array([row["softness_1"] for row in rows])
    y = np.array([row["gamma"] for row in rows])
    mesh_x, mesh_y = _axis(x, MESH[0]), _axis(y, MESH[1])
    predicted = regions(rows, mesh_x, mesh_y)
    seen = [simulated(row) for row in rows]
    names = sorted({*seen} | {n for grid in (predicted or {}).values() for n in np.unique(grid) if n})
    hue = colours(names)
    shape = dict(zip(names, _SYMBOLS * 3, strict=False))

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(selection.MODELS), sharey=True)
        for axes, model in zip(panels, selection.MODELS, strict=True):
            if predicted:
                numbers = np.vectorize({"": 0, **{n: i + 1 for i, n in enumerate(names)}}.get)(
                    predicted[model]
                )
                pale = ["#ffffff"] + [tuple(0.55 + 0.45 * c for c in to_rgb(hue[n])) for n in names]
                norm = BoundaryNorm(np.arange(len(names) + 2) - 0.5, len(names) + 1)
                axes.pcolormesh(
                    mesh_x,
                    mesh_y,
                    numbers,
                    cmap=ListedColormap(pale),
                    norm=norm,
                    shading="nearest",
                    rasterized=True,
                )
            for name in dict.fromkeys(seen):
                mine = np.array([one == name for one in seen])
                axes.scatter(
                    x[mine],
                    y[mine],
                    s=26,
                    c=hue[name],
                    marker=shape[name],
                    edgecolors=INK,
                    linewidths=0.6,
                    zorder=3,
                )
            axes.set_title(f"regions: {model}", fontsize=9)
            axes.set_xlabel("L/R of the first nanocrystal")
            axes.set_xlim(mesh_x[0], mesh_x[-1])
            axes.set_ylim(mesh_y[0], mesh_y[-1])
        panels[0].set_ylabel("γ, OPM diameter of the second over the first")
        _legend(figure, names, seen, hue, shape)

    return _png(draw, (9.6, 4.4))


def _legend(
    figure: Figure,
    names: Sequence[str],
    seen: Sequence[str],
    hue: Mapping[str, str],
    shape: Mapping[str, str],
) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], linestyle="", marker=shape[name] if name in seen else "s", markersize=6 if name in seen else 9,
            markerfacecolor=hue[name], markeredgecolor=INK if name in seen else "none", alpha=1.0 if name in seen else 0.5,
            label=_words(name),
        )
        for name in names
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), fontsize=8)


def _words(name: str) -> str:
    return "fcc + fcc, separated" if name == "fcc" else name


def _axis(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """A mesh that reaches a little beyond the points."""
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) if high > low else 0.1 * high
    return np.linspace(low - margin, high + margin, count)


def _single(rows: Sequence[Row]) -> bytes:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = sorted({simulated(row) for row in rows})
        hue = colours(names)
        for name, symbol in zip(names, _SYMBOLS, strict=False):
            mine = [row for row in rows if simulated(row) == name]
            axes.scatter(
                [row["softness_1"] for row in mine], [row["coverage_1"] for row in mine],
                s=40, c=hue[name], marker=symbol, edgecolors=INK, linewidths=0.6, label=f"{name} ({len(mine)})", zorder=3,
            )  # fmt: skip
        xi = _axis(np.array([row["coverage_1"] for row in rows]), MESH[1])
        xi = xi[xi > 0]
        boundary = np.asarray(opm.boundary(xi))
        axes.plot(boundary, xi, color=MUTED, linewidth=1.2)
        low, high = axes.get_xlim()
        reach = (min(low, float(np.nanmin(boundary)) - 0.05), max(high, float(np.nanmax(boundary)) + 0.1))
        axes.fill_betweenx(xi, boundary, reach[1], color="#f0e442", alpha=0.25, linewidth=0)
        axes.text(reach[1], xi[-1], "OPM: bcc ", ha="right", va="top", color=MUTED, fontsize=8.5)
        axes.text(reach[0], xi[-1], " OPM: fcc", ha="left", va="top", color=MUTED, fontsize=8.5)
        axes.set_xlim(*reach)
        axes.set_ylim(xi[0], xi[-1])
        axes.set_xlabel("L/R")
        axes.set_ylabel("coverage ξ")
        figure.legend(loc="outside lower center", ncols=4)

    return _png(draw, (5.4, 4.2))


def lattice_constants(rows: Sequence[Row]) -> bytes:
    """Simulated lattice constants against those of the models and of experiment, and their differences. A PNG."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        low, high = np.inf, 0.0
        for model, hue, symbol in zip(MODELS, ("#0072b2", "#d55e00", "#009e73", INK), "oD^*", strict=True):
            mine = [row for row in rows if row[f"{model} a_nm"]]
            if not mine:
                continue
            predicted = np.array([row[f"{model} a_nm"] for row in mine], float)
            found = np.array([row["a_nm"] for row in mine], float)
            error = np.array([row["a_uncertainty_nm"] or 0.0 for row in mine], float)
            style = {
                "color": hue,
                "markersize": 8 if symbol == "*" else 4.5,
                "linestyle": "",
                "elinewidth": 0.8,
            }
            left.errorbar(predicted, found, error, marker=symbol, label=f"{model} ({len(mine)})", **style)
            shift = 100 * (found / predicted - 1)
            right.errorbar(
                [row["gamma"] or row["softness_1"] for row in mine],
                shift,
                100 * error / predicted,
                marker=symbol,
                **style,
            )
            low = min(low, predicted.min(), found.min())
            high = max(high, predicted.max(), found.max())
        span = np.array([low, high]) + np.array([-0.03, 0.03]) * (high - low or high)
        left.plot(span, span, color=MUTED, linewidth=0.8)
        left.set(xlabel="a predicted or measured (nm)", ylabel="a simulated (nm)")
        right.axhline(0, color=MUTED, linewidth=0.8)
        mixed = any(row["gamma"] for row in rows)
        right.set(xlabel="γ" if mixed else "L/R", ylabel="simulated over predicted − 1 (%)")
        figure.legend(loc="outside lower center", ncols=4)

    return _png(draw, (8.0, 4.2))


def _png(draw: Any, size: tuple[float, float]) -> bytes:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    target = io.BytesIO()
    with mpl.rc_context(cast(Any, FIGURE_STYLE)):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(target, format="png", dpi=_DPI, metadata={"Software": None})
    return target.getvalue()
