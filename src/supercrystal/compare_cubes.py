"""What a run of cubes found beyond positions: order of their orientations, and the angles of the lattice.

Numbers are means over held frames of the last stage. Lattice angles are always given: soft shells shear a simple cubic
lattice into a rhombohedral one without a step in between (Zhang et al., Phys. Rev. Lett. 107, 135701 (2011)), so that
"sc" alone does not say which it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.models.model import Model, capped_edges
from supercrystal.system import species

if TYPE_CHECKING:
    from supercrystal.compare import History

#: Held frames whose lattice is fitted, spread evenly.
FITTED_FRAMES = 5
#: A lattice is sheared where an angle is off 90° by more than this many uncertainties, and by more than these degrees.
ERRORS, RIGHT_DEGREES = 3.0, 3.0


def orientations(history: History, model: Model) -> dict[str, Any]:
    """Cubatic order of each species of cubes over the run, and its mean over held frames.

    Args:
        history: the labelled run.
        model: which types are bodies.

    Returns:
        Species → ``particles``, ``order`` (freud's, mean and standard deviation over held frames), ``random`` (its mean for
        as many random cubes), ``tensor`` likewise, and ``over_time``.
    """
    from supercrystal.structure.orientation import cubatic, cubatic_tensor

    found: dict[str, Any] = {}
    first = history.frames[0].particles
    for name in dict.fromkeys(species(kind) for kind in model.types if kind in model.shapes):
        kinds = [i for i, kind in enumerate(first.types) if kind in model.shapes and species(kind) == name]
        mine = np.flatnonzero(np.isin(first.typeid, kinds))
        if not len(mine):
            continue
        held = [cubatic(history.frames[i].particles.orientation[mine]) for i in history.held]
        found[name] = {
            "particles": len(mine),
            "order": _spread([one.order for one in held]),
            "random": held[0].order_floor,
            "tensor": _spread([one.tensor for one in held]),
            "tensor_random": held[0].tensor_floor,
            "over_time": [cubatic_tensor(frame.particles.orientation[mine]) for frame in history.frames],
        }
    return found


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "std": float(np.std(values))}


def lattice(history: History, trajectory: Path, periodic: Sequence[bool]) -> dict[str, Any] | None:
    """Lengths and angles of the largest grain's cell, registered in several held frames.

    Args:
        history: which frames are held.
        trajectory: the file they are in.
        periodic: which sides of the cell repeat.

    Returns:
        ``phase``, ``lengths_nm`` from the shortest on, ``angles_degrees`` as `upright` puts them, their uncertainties, and
        in how many ``frames`` ``of`` those looked at the lattice was found; None where in none. An uncertainty is the larger
        of the scatter over frames and the error of one fit: layers of soft cubes slide, so angles fluctuate.
    """
    from supercrystal.structure.identify import identify

    chosen = sorted(
        {int(history.held[round(x)]) for x in np.linspace(0, len(history.held) - 1, FITTED_FRAMES)}
    )
    records = [identify(trajectory, i, periodic=periodic)[0].to_dict() for i in chosen]
    names = [record["phase"] for record in records if record["lattice"]]
    if not names:
        return None
    phase = max(set(names), key=names.count)
    cells = [record["lattice"] for record in records if record["lattice"] and record["phase"] == phase]
    lengths = np.sort([cell["lengths"] for cell in cells], axis=1)
    angles = [upright(cell["angles"]) for cell in cells]
    result: dict[str, Any] = {"phase": phase, "frames": len(cells), "of": len(records)}
    for key, name, values in (("lengths", "lengths_nm", lengths), ("angles", "angles_degrees", angles)):
        error = np.nanmean([np.mean(cell[f"{key}_uncertainty"]) for cell in cells])
        scatter = np.std(values, axis=0, ddof=1) if len(cells) > 1 else np.zeros(3)
        result[name] = np.mean(values, axis=0).tolist()
        result[f"{name}_uncertainty"] = np.maximum(scatter, error).tolist()
    return result


def upright(angles: ArrayLike) -> NDArray[np.float64]:
    """Angles of a nearly cubic cell, (3,) degrees, as they are whichever way its edges point and are numbered.

    Turning an edge round takes two angles θ to 180° - θ: all three can be made acute, or all obtuse, and which of the two
    is a property of the lattice. They come in the order of their distance from 90°, the largest first.

    >>> upright([104.0, 90.5, 88.9]).tolist()
    [76.0, 88.9, 89.5]
    """
    off = np.asarray(angles, float) - 90
    sense = 1.0 if np.prod(off) > 0 else -1.0
    return np.asarray(90 + sense * np.sort(np.abs(off))[::-1])


def sites(trajectory: Path, periodic: Sequence[bool]) -> list[dict[str, Any]]:
    """Cubes on the sites of the last frame's grains: `structure.cubes.on_sites` as records."""
    from supercrystal.structure.cubes import on_sites
    from supercrystal.structure.identify import identify

    named = identify(trajectory, periodic=periodic)[0].named
    return [] if named is None else [one.to_dict() for one in on_sites(named)]


def record(history: History, model: Model, trajectory: Path, film: bool) -> dict[str, Any]:
    """Everything of this module, JSON-ready."""
    periodic = (True, True, not film)
    cell = lattice(history, trajectory, periodic)
    return {
        "cubatic": orientations(history, model),
        "lattice": cell,
        "sites": sites(trajectory, periodic),
        "contact_nm": {
            name: capped_edges(model.shapes[name])[0] for name in model.types if name in model.shapes
        },
    }


def shear(cell: dict[str, Any]) -> str:
    """What the angles of a cell say about its shear, in words."""
    off = np.abs(np.asarray(cell["angles_degrees"]) - 90)
    error = np.asarray(cell["angles_degrees_uncertainty"])
    if np.any((off > RIGHT_DEGREES) & (off > ERRORS * error)):
        return "sheared, not cubic"
    if np.any(error > RIGHT_DEGREES):
        return "the shear fluctuates from frame to frame"
    return f"all within {RIGHT_DEGREES:.0f}° of right angles"


def sentences(found: dict[str, Any]) -> list[str]:
    """What was found, in words."""
    lines = []
    for name, order in found["cubatic"].items():
        lines.append(
            f"Orientation: cubatic order of {order['particles']} {name} {order['order']['mean']:.3f} ± "
            f"{order['order']['std']:.3f} (as many random cubes: {order['random']:.2f})."
        )
    cell = found["lattice"]
    if cell:
        lengths = ", ".join(_pm(*pair, 2) for pair in _pairs(cell, "lengths_nm"))
        angles = ", ".join(_pm(*pair, 1) for pair in _pairs(cell, "angles_degrees"))
        text = (
            f"Lattice, in {cell['frames']} of {cell['of']} frames: {cell['phase']} with edges {lengths} nm "
        )
        text += f"and angles {angles}°"
        if cell["phase"] == "sc":
            text += f": {shear(cell)}"
            if len(found["contact_nm"]) == 1:
                ((_, contact),) = found["contact_nm"].items()
                mean = float(np.mean(cell["lengths_nm"]))
                text += f"; edges are {100 * (mean / contact - 1):+.1f} % off the distance of touching faces"
        lines.append(text + ".")
    for site in found["sites"]:
        if site["site"] != "A" or site["phase"] != "sc":
            text = f"Site {site['site']} of {site['phase']}: {site['species']}, "
            text += f"{100 * site['fraction_within_10_degrees']:.0f} % within 10° of the axes of the grain"
            if "line" in site:
                line = site["line"]
                text += f"; {100 * line['aligned']:.0f} % aligned, {100 * line['rotated']:.0f} % turned by 45° about B–O"
            lines.append(text + ".")
    return lines


def verdict(found: dict[str, Any], phase: str, fractions: dict[str, Any]) -> str:
    """Phase, order and angles for one sentence."""
    share = fractions[phase]
    text = f"{phase}: {100 * share['mean']:.0f} ± {100 * share['std']:.0f} % of the cubes"
    for name, order in found["cubatic"].items():
        text += f", cubatic order {order['order']['mean']:.2f} ({order['particles']} {name}; random {order['random']:.2f})"
    cell = found["lattice"]
    if cell:
        text += f", lattice angles {', '.join(f'{angle:.1f}' for angle in cell['angles_degrees'])}°"
    return text


def _pairs(cell: dict[str, Any], key: str) -> list[tuple[float, float]]:
    return list(zip(cell[key], cell[f"{key}_uncertainty"], strict=True))


def _pm(value: float, error: float, digits: int) -> str:
    return f"{value:.{digits}f} ± {error:.{digits}f}"
