"""GSD files of crystals, monolayers and liquids, written for tests of identify and describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.structure import training

#: Shortest distance in the files.
SPACING = 9.7


def frame(
    box: ArrayLike, positions: ArrayLike, kinds: ArrayLike | None = None, types: str = "A", **more: Any
) -> gsd.hoomd.Frame:
    """A GSD frame; `types` are single letters, `more` other arrays of the particles or the step."""
    made = gsd.hoomd.Frame()
    x = np.asarray(positions, float)
    made.configuration.box = np.asarray(box, float).tolist()
    made.configuration.step = more.pop("step", 0)
    made.particles.N = len(x)
    made.particles.types = list(types)
    made.particles.typeid = np.zeros(len(x), int) if kinds is None else np.asarray(kinds)
    made.particles.position = x
    for name, value in more.items():
        setattr(made.particles, name, value)
    return made


def save(path: Path, *frames: gsd.hoomd.Frame) -> Path:
    """Write frames to a new file."""
    with gsd.hoomd.open(path, "w") as file:
        for one in frames:
            file.append(one)
    return path


def crystal(phase: str, seed: int = 1, types: str = "AB", step: int = 0, **how: Any) -> gsd.hoomd.Frame:
    """A crystal of `training.crystal` with the shortest distance `SPACING`."""
    made = training.crystal(phase, np.random.default_rng(seed), **how)
    box = [*(SPACING * made.box[:3]), *made.box[3:]]
    return frame(box, SPACING * made.positions, made.kinds, types[: made.kinds.max() + 1], step=step)


def liquid(seed: int = 1, count: int = 500, step: int = 0) -> gsd.hoomd.Frame:
    """An amorphous packing of one species."""
    made = training.amorphous(np.random.default_rng(seed), guests=0, ratio=1, filling=0.5, count=count)
    return frame([*(SPACING * made.box[:3]), 0, 0, 0], SPACING * made.positions, step=step)


def plane(kind: str, n: int = 16, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Box and positions of a two-dimensional system: ``"hexagonal"``, ``"square"``, or random."""
    rng = np.random.default_rng(seed)
    i, j = np.divmod(np.arange(n * n), n)
    if kind == "hexagonal":
        x, lengths = np.stack([i + 0.5 * (j % 2), j * 3**0.5 / 2], axis=1), np.array([n, n * 3**0.5 / 2])
    elif kind == "square":
        x, lengths = np.stack([i, j], axis=1).astype(float), np.array([n, n], float)
    else:
        x, lengths = rng.uniform(0, n, (n * n, 2)), np.array([n, n], float)
    if kind in ("hexagonal", "square"):
        x = x + rng.normal(0, 0.04, x.shape)
    flat = np.column_stack([x - lengths / 2, np.zeros(len(x))])
    return np.array([*lengths, 0, 0, 0, 0]), flat
