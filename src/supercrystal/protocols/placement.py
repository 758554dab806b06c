"""A disordered start: random sequential placement of centres in a slab or in a periodic cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from supercrystal.errors import PhysicsError
from supercrystal.models.model import CLOSEST

#: Above this volume fraction of OPM spheres the placement would stall (saturation of random placement is 0.38 for
#: touching spheres, 0.38/0.9³ = 0.52 for centres 0.9 d apart).
DENSEST = 0.40
#: Sizes further apart than this factor are placed from the largest on.
UNLIKE = 1.5
#: Rounds of trials without one success, after which the placement has failed.
MOST_IDLE = 30_000


def random_slab(
    diameters: NDArray[np.float64],
    sides: tuple[float, float],
    bottom: float,
    top: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Place spheres at random in a slab that is periodic in x and y.

    Args:
        diameters: (N,) diameters [nm].
        sides: of the cell along x and y [nm], centred on 0.
        bottom: lowest z of the slab [nm]; spheres stay half a diameter inside.
        top: highest z [nm].
        rng: source of randomness.

    Returns:
        (N, 3) centres [nm] in the order of `diameters`; each pair at least 0.9 of its mean diameter apart.

    Raises:
        PhysicsError: the slab is too full for random placement.
    """
    diameters = np.asarray(diameters, float)
    height = top - bottom
    room = sides[0] * sides[1] * height
    _check_room(diameters, room if height > diameters.max() else 0.0)

    def trial(size: NDArray[np.float64]) -> NDArray[np.float64]:
        found = rng.uniform(0, [*sides, 1], (len(size), 3))
        found[:, 2] = size / 2 + found[:, 2] * (height - size)
        return found

    period = np.array([*sides, 4 * height])  # so long in z that no image is met
    return _place(diameters, trial, period, rng) + np.array([-sides[0] / 2, -sides[1] / 2, bottom])


def random_cell(
    diameters: NDArray[np.float64], sides: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Place spheres at random in a periodic cell with the `sides` [nm] that is centred on 0; the rest as `random_slab`."""
    diameters = np.asarray(diameters, float)
    _check_room(diameters, float(np.prod(sides)))
    return (
        _place(diameters, lambda size: rng.uniform(0, sides, (len(size), 3)), np.asarray(sides), rng)
        - np.asarray(sides) / 2
    )


def _check_room(diameters: NDArray[np.float64], room: float) -> None:
    fraction = float(np.pi / 6 * np.sum(diameters**3) / room) if room > 0 else np.inf
    if fraction > DENSEST * (1 + 1e-9):  # rounding may put it a little above
        raise PhysicsError(
            f"a disordered start at packing fraction {fraction:.2f} cannot be placed at random; "
            f"allowed up to {DENSEST}: lower initial_packing_fraction"
        )


def _place(
    diameters: NDArray[np.float64],
    trial_of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    period: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Centres in [0, period), the largest pairs `CLOSEST` apart."""
    largest = float(diameters.max())
    order = rng.permutation(len(diameters))
    # Large spheres find no room among many small ones: they come first.
    in_order = largest > UNLIKE * diameters.min()
    if in_order:
        order = order[np.argsort(-diameters[order], kind="stable")]
    idle = 0
    size = diameters[order]
    centres = np.empty((0, 3))
    while len(centres) < len(order):
        # order[:len(centres)] are placed. The others, of unlike sizes the largest of them, make a trial; it is dropped if
        # it clashes with anything placed or with an earlier trial of the same round, and the dropped ones try again.
        waiting = size[len(centres) :]
        trying = waiting[waiting > waiting[0] / UNLIKE] if in_order else waiting
        every = np.vstack([centres, trial_of(trying)])
        pairs = cKDTree(every, boxsize=period).query_pairs(CLOSEST * largest, output_type="ndarray")
        apart = np.abs(every[pairs[:, 0]] - every[pairs[:, 1]])
        apart = np.minimum(apart, period - apart)
        limit = CLOSEST * (size[pairs[:, 0]] + size[pairs[:, 1]]) / 2
        clash = pairs[np.sum(apart**2, axis=1) < limit**2]
        keep = np.ones(len(every), bool)
        keep[clash.max(axis=1)] = False
        idle = idle + 1 if keep.sum() == len(centres) else 0
        if idle > MOST_IDLE:
            raise PhysicsError(
                f"{len(order) - len(centres)} of {len(order)} nanocrystals found no place at random: lower "
                "initial_packing_fraction"
            )
        tried = order[: len(every)]
        order = np.concatenate([tried[keep], tried[~keep], order[len(every) :]])
        size = diameters[order]
        centres = every[keep]
    positions = np.empty_like(centres)
    positions[order] = centres
    return positions
