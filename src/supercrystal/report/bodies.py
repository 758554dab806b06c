"""Capped cuboids as the 3-D view draws them: their shapes, and their orientations as 16-bit integers.

An orientation travels as modified Rodrigues parameters, ``p = (x, y, z)/(1 + w)`` of its quaternion with w ≥ 0: three
numbers from -1 to 1, and whatever they are rounded to is a rotation again, so that nothing has to be made a unit
quaternion. A rotation changes by ``4 |δp|/(1 + p²)``, so rounding p to steps of 1/32767 turns a body by at most
`LARGEST_ERROR`, 0.006°: 0.001 nm at the corner of a cube with an edge of 10 nm.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.shapes import Shape

_STEPS = 32767

#: Largest angle between an orientation and what is left of it, radians: ``4 √3 / (2 · 32767)``.
LARGEST_ERROR = 4 * 3**0.5 / (2 * _STEPS)

#: Shapes that the view draws as they are; others it draws as spheres of their volume.
DRAWN = ("cube", "plate", "truncated cube", "truncated plate")


@dataclass(frozen=True)
class Bodies:
    """Which nanocrystals of a run are cuboids, and how they are turned.

    Args:
        shapes: the capped cuboids, at most 255 of them.
        kinds: (N,) index in `shapes` of each nanocrystal's, or -1 for a sphere.
        orientations: (T, N, 4) quaternions (w, x, y, z), from the body's frame to the cell's; of any length but 0.
    """

    shapes: Sequence[Shape]
    kinds: NDArray[np.int64]
    orientations: NDArray[np.float64]

    @property
    def count(self) -> int:
        """How many nanocrystals are cuboids."""
        return int(np.sum(np.asarray(self.kinds) >= 0))

    @property
    def reach(self) -> float:
        """Largest distance of a surface from its centre [nm]."""
        return max(_reach(shape) + shape.rounding for shape in self.shapes)


def bodies_of(
    types: Sequence[str], shapes: Mapping[str, Shape], typeid: ArrayLike, orientations: ArrayLike
) -> Bodies | None:
    """The cuboids of a run; None where there are none.

    Args:
        types: names of the particle types.
        shapes: type to the capped shape, of those that are no spheres.
        typeid: (N,) of the nanocrystals.
        orientations: (T, N, 4) quaternions (w, x, y, z).
    """
    drawn = [name for name in types if name in shapes and shapes[name].name in DRAWN]
    index = np.array([drawn.index(name) if name in drawn else -1 for name in types])
    kinds = index[np.asarray(typeid, int)]
    if np.all(kinds < 0):
        return None
    return Bodies([shapes[name] for name in drawn], kinds, np.asarray(orientations, float))


def coded(quaternions: ArrayLike) -> NDArray[np.int16]:
    """Orientations (..., 4) as rounded modified Rodrigues parameters (..., 3), little-endian int16.

    Raises:
        TrajectoryError: quaternions that are not finite or 0.

    >>> coded([[1.0, 0, 0, 0], [-1.0, 0, 0, -1.0]]).tolist()
    [[0, 0, 0], [0, 0, 13573]]
    """
    q = np.asarray(quaternions, float)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if not np.all(np.isfinite(norm)) or np.any(norm < 1e-6):
        raise TrajectoryError(
            "orientations must be finite quaternions that are not 0: look at the run's log for where it diverged"
        )
    q = q / norm * np.where(q[..., :1] < 0, -1.0, 1.0)  # q and -q are one rotation
    return np.rint(_STEPS * q[..., 1:] / (1 + q[..., :1])).astype("<i2")


def decoded(steps: ArrayLike) -> NDArray[np.float64]:
    """Quaternions (..., 4) with w ≥ 0 of `coded` ones, as the page's script reads them.

    >>> decoded([0, 0, 13573]).round(4).tolist()
    [0.7071, 0.0, 0.0, 0.7071]
    """
    p = np.asarray(steps, float) / _STEPS
    square = np.sum(p * p, axis=-1, keepdims=True)
    return np.concatenate([1 - square, 2 * p], axis=-1) / (1 + square)


def record(bodies: Bodies, frames: int, particles: int, keep: NDArray[np.int64]) -> dict[str, Any]:
    """What a page carries of the bodies, for `cuboids.js`.

    Args:
        bodies: of the whole run.
        frames: T that it should have.
        particles: N that it should have.
        keep: the frames that the page has.

    Raises:
        TrajectoryError: arrays whose shapes disagree, kinds without a shape, or too many shapes.
    """
    kinds, turned = np.asarray(bodies.kinds), np.asarray(bodies.orientations)
    for name, got, allowed in (
        ("kinds of bodies", kinds.shape, (particles,)),
        ("orientations", turned.shape, (frames, particles, 4)),
    ):
        if got != allowed:
            raise TrajectoryError(f"{name} must have the shape {allowed}, as positions do; got {got}")
    if len(bodies.shapes) > 255 or kinds.min() < -1 or kinds.max() >= len(bodies.shapes):
        raise TrajectoryError(
            f"kinds of bodies must be -1 to {len(bodies.shapes) - 1}, one for each of at most 255 shapes; got "
            f"{kinds.min()} to {kinds.max()}"
        )
    return {
        "kinds": packed((kinds + 1).astype(np.uint8)),
        "orientations": packed(coded(turned[keep][:, kinds >= 0])),
        "shapes": [
            {
                "half": (np.ptp(shape.vertices, axis=0) / 2).round(6).tolist(),
                "cut": round(_number(shape.parameters.get("truncation", 0.0)), 6),
                "rounding": round(shape.rounding, 6),
                "reach": round(_reach(shape), 6),
            }
            for shape in bodies.shapes
        ],
    }


def _reach(shape: Shape) -> float:
    return float(np.linalg.norm(shape.vertices, axis=1).max())


def _number(value: float | tuple[float, ...]) -> float:
    return float(np.max(value))


def packed(array: NDArray[Any]) -> str:
    """Numbers as they lie in memory, in base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
