"""Crystals with noise, vacancies and surfaces, made for tests of the structure room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Orthorhombic cells with nearest-neighbour distance 1: edges and fractional sites.
_ROOT3, _C = 3**0.5, (8 / 3) ** 0.5
CELLS: dict[str, tuple[list[float], list[list[float]]]] = {
    "sc": ([1, 1, 1], [[0, 0, 0]]),
    "bcc": ([2 / _ROOT3] * 3, [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "fcc": ([2**0.5] * 3, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    "hcp": ([1, _ROOT3, _C], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 1 / 6, 0.5], [0, 2 / 3, 0.5]]),
    # fcc with (111) planes normal to z: three layers, each shifted by a third of the cell.
    "fcc111": (
        [1, _ROOT3, 1.5 * _C],
        [
            [0, 0, 0],
            [0.5, 0.5, 0],
            [0.5, 1 / 6, 1 / 3],
            [0, 2 / 3, 1 / 3],
            [0, 1 / 3, 2 / 3],
            [0.5, 5 / 6, 2 / 3],
        ],
    ),
}


def crystal(
    name: str,
    count: int,
    noise: float,
    seed: int,
    vacancies: float = 0.0,
    gap: float = 0.0,
    scale: float = 1.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Box (6,) and positions (N, 3) of about `count` particles.

    Args:
        name: a key of `CELLS`.
        count: rough number of particles.
        noise: standard deviation of each coordinate over the nearest-neighbour distance.
        seed: of noise and vacancies.
        vacancies: share of particles taken out.
        gap: empty space along z in nearest-neighbour distances; > 0 makes a slab.
        scale: nearest-neighbour distance.
    """
    rng = np.random.default_rng(seed)
    edges, sites = np.array(CELLS[name][0], float), np.array(CELLS[name][1], float)
    side = (count / len(sites) * np.prod(edges)) ** (1 / 3)
    repeats = np.maximum(np.rint(side / edges).astype(int), 1)
    cells = np.stack(np.meshgrid(*map(np.arange, repeats), indexing="ij"), -1).reshape(-1, 1, 3)
    x = ((cells + sites).reshape(-1, 3)) * edges
    length = repeats * edges
    x = x[rng.random(len(x)) >= vacancies]
    x += rng.normal(0, noise, x.shape)
    box = np.array([*length, 0, 0, 0], float)
    if gap:
        box[2] += gap
        x[:, 2] -= length[2] / 2
    period = box[:3]
    x -= period * np.round(x / period) if not gap else 0
    if gap:
        x[:, :2] -= period[:2] * np.round(x[:, :2] / period[:2])
    return box * [scale, scale, scale, 1, 1, 1], x * scale
