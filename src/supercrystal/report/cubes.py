"""What a report says of cubes: rows of the table, and the figure of their orientations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from supercrystal.errors import TrajectoryError
from supercrystal.report.figures import FigureFiles, _columns, _marker, _span, _write
from supercrystal.report.palette import ACCENT, MODEL, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION = "Haji-Akbari and Glotzer, J. Phys. A 48, 485201 (2015), DOI 10.1088/1751-8113/48/48/485201: cubatic order."

#: Smallest share of a phase that a table or a bar shows.
SHOWN = 0.0005
_EDGES = ("shortest", "middle", "longest")
_ANGLES = ("farthest from 90° in each frame", "second", "third")


def only_cubes(result: Mapping[str, Any]) -> bool:
    """Whether all nanocrystals of a run are cubes: close packing is then no phase to look for."""
    cubes = result.get("cubes")
    if not cubes:
        return False
    return bool(sum(one["particles"] for one in cubes["cubatic"].values()) == result["named"]["n"])


def rows(cubes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table *this run | …* for cubes: cubatic order, and the largest grain's cell.

    Args:
        cubes: what `compare_cubes.record` returned.

    Returns:
        ``quantity``, ``unit``, ``run``, ``uncertainty`` and how many ``digits`` behind the point a terminal shows. There is
        no packing model beside them. The uncertainty of an order is its standard deviation over frames.
    """
    found: list[dict[str, Any]] = [
        {
            "quantity": f"cubatic order, {one['particles']} {name} (random: {one['random']:.2f})",
            "unit": "",
            "run": one["order"]["mean"],
            "uncertainty": one["order"]["std"],
            "digits": 3,
        }
        for name, one in cubes["cubatic"].items()
    ]
    cell = cubes["lattice"]
    if cell is None:
        return found
    for key, kind, names, unit, digits in (
        ("lengths_nm", "edge", _EDGES, "nm", 2),
        ("angles_degrees", "angle", _ANGLES, "°", 1),
    ):
        for name, value, error in zip(names, cell[key], cell[f"{key}_uncertainty"], strict=True):
            found.append(
                {
                    "quantity": f"{kind} of the cell ({cell['phase']}), {name}",
                    "unit": unit,
                    "run": value,
                    "uncertainty": error,
                    "digits": digits,
                }
            )
    return found


def orientation_over_time(
    time: ArrayLike, order: Mapping[str, ArrayLike], random: Mapping[str, float], path: str | Path
) -> FigureFiles:
    """Draw the cubatic order of each species of cubes over the run, with what as many random cubes have.

    Args:
        time: (T,) in Brownian times.
        order: species to the tensor measure of its cubatic order (T,) [-], `structure.orientation.cubatic_tensor`.
        random: species to the root mean square of that measure for as many random cubes [-].
        path: directory to write to; made if missing.

    Raises:
        TrajectoryError: no species, a species without its random level, or arrays of different lengths.
    """
    missing = [name for name in order if name not in random]
    if missing or not order:
        raise TrajectoryError(
            f"orientation over time needs species, each with its random level; none for {', '.join(missing) or 'any'}"
        )
    columns = _columns(
        {"time [Brownian times]": time} | {f"cubatic order of {name} [-]": order[name] for name in order}
    )
    t, *curves = columns.values()
    table: dict[str, Any] = dict(columns) | {
        f"random {name} [-]": [float(random[name])] * len(t) for name in order
    }
    colours = [ACCENT, MODEL, "#009e73", "#cc79a7"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for n, (name, values) in enumerate(zip(order, curves, strict=True)):
            colour = colours[n % len(colours)]
            axes.plot(t, values, color=colour, marker=_marker(t), label=name)
            axes.axhline(random[name], color=colour, linewidth=1.0, linestyle=(0, (4, 2)), alpha=0.8)
        grey = MUTED if len(order) > 1 else colours[0]
        axes.plot([], [], color=grey, linewidth=1.0, linestyle=(0, (4, 2)), label="random cubes")
        axes.set(xlabel="time (Brownian times)", ylabel="cubatic order", xlim=_span(t), ylim=(0, 1))
        axes.grid(axis="y")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    caption = (
        "Orientations of the cubes: the norm of their mean fourth-rank tensor over that of aligned cubes, 1 where all are "
        "aligned. Dashed: as many random cubes. The cubatic order t of this figure and that of the table, freud's, are "
        "related by about 1 − (1 − t)²."
    )
    return _write("orientation-over-time", caption, path, table, draw, 2.7)
