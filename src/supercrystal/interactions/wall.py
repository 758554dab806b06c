"""A flat repulsive boundary: substrate or liquid–vapour interface, acting on nanocrystal centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Wall:
    """Repulsion of a plane, the 12–6 potential cut at its minimum and lifted to zero there.

    ``U(d) = 4 ε [(σ/d)¹² - (σ/d)⁶] + ε`` for ``d < 2^(1/6) σ``. It diverges at the plane, so that no particle crosses.

    Args:
        epsilon: U(σ) = ε [kT].
        sigma: distance of thermal contact [nm]; half the OPM spacing for a nanocrystal.
    """

    epsilon: float
    sigma: float

    @property
    def r_cut(self) -> float:
        """Distance beyond which the wall is not felt, ``2^(1/6) σ`` [nm]."""
        return float(2 ** (1 / 6) * self.sigma)

    def energy(self, distance: ArrayLike) -> NDArray[np.float64]:
        """Energy at the `distance` of a centre from the plane [nm], > 0, any shape [kT]."""
        d = np.asarray(distance, float)
        s6 = (self.sigma / d) ** 6
        return np.where(d < self.r_cut, 4 * self.epsilon * (s6**2 - s6) + self.epsilon, 0.0)

    def force(self, distance: ArrayLike) -> NDArray[np.float64]:
        """Force away from the plane [kT/nm]."""
        d = np.asarray(distance, float)
        s6 = (self.sigma / d) ** 6
        return np.where(d < self.r_cut, 24 * self.epsilon * (2 * s6**2 - s6) / d, 0.0)
