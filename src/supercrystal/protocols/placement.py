"""A disordered start: random sequential placement of centres in a slab."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from supercrystal.errors import PhysicsError

#: Centres start at least this fraction of the mean diameter of their pair apart: soft shells may overlap a little.
CLOSEST = 0.9
#: Above this volume fraction of OPM spheres the placement would stall (saturation of random placement is 0.38 for
#: touching spheres, 0.38/0.9³ = 0.52 for centres 0.9 d apart).
DENSEST = 0.40


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
    largest = float(diameters.max())
    room = sides[0] * sides[1] * (top - bottom)
    fraction = float(np.pi / 6 * np.sum(diameters**3) / room) if room > 0 else np.inf
    if fraction > DENSEST * (1 + 1e-9) or top - bottom <= largest:  # rounding may put it a little above
        raise PhysicsError(
            f"a disordered start at packing fraction {fraction:.2f} cannot be placed at random; "
            f"allowed up to {DENSEST}: lower initial_packing_fraction"
        )
    period = np.array([*sides, 4 * (top - bottom)])  # so long in z that no image is met
    order = rng.permutation(len(diameters))
    size = diameters[order]
    centres = np.empty((0, 3))
    while len(centres) < len(order):
        # order[:len(centres)] are placed. Every other sphere makes a trial; a trial is dropped if it clashes with
        # anything placed or with an earlier trial of the same round, and the dropped ones try again.
        margin = size[len(centres) :] / 2
        trial = rng.uniform(0, [*sides, 1], (len(margin), 3))
        trial[:, 2] = margin + trial[:, 2] * (top - bottom - 2 * margin)
        every = np.vstack([centres, trial])
        pairs = cKDTree(every, boxsize=period).query_pairs(CLOSEST * largest, output_type="ndarray")
        apart = np.abs(every[pairs[:, 0]] - every[pairs[:, 1]])
        apart = np.minimum(apart, period - apart)
        limit = CLOSEST * (size[pairs[:, 0]] + size[pairs[:, 1]]) / 2
        clash = pairs[np.sum(apart**2, axis=1) < limit**2]
        keep = np.ones(len(every), bool)
        keep[clash.max(axis=1)] = False
        order = np.concatenate([order[keep], order[~keep]])
        size = diameters[order]
        centres = every[keep]
    positions = np.empty_like(centres)
    positions[order] = centres
    return positions + np.array([-sides[0] / 2, -sides[1] / 2, bottom])
