"""Van der Waals attraction between the inorganic cores of two nanocrystals (Hamaker, Physica 4, 1058 (1937))."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError


@dataclass(frozen=True)
class Hamaker:
    """Attraction of two spheres, force-shifted to end smoothly, and of constant force below `closest`.

    ``U(r) = -(A/6) [2 R1 R2 / a + 2 R1 R2 / b + ln(a / b)]`` with ``a = r² - (R1 + R2)²``, ``b = r² - (R1 - R2)²``.
    The continuum expression diverges where cores touch, which ligands forbid; hence `closest`.

    Args:
        constant: Hamaker constant A [kT].
        radii: core radii R1, R2 [nm].
        closest: distance below which the force stays constant [nm], > R1 + R2.
        r_cut: distance from which energy and force are zero; the force is shifted by its value there [nm].
    """

    constant: float
    radii: tuple[float, float]
    closest: float
    r_cut: float

    def __post_init__(self) -> None:
        if not sum(self.radii) < self.closest < self.r_cut:
            raise PhysicsError(
                f"needs R1 + R2 < closest < r_cut; got {sum(self.radii)}, {self.closest}, {self.r_cut} nm"
            )

    def _bare(self, r: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        r1, r2 = self.radii
        a, b = r**2 - (r1 + r2) ** 2, r**2 - (r1 - r2) ** 2
        u = -self.constant / 6 * (2 * r1 * r2 * (1 / a + 1 / b) + np.log(a / b))
        slope = -self.constant / 6 * 2 * r * (-2 * r1 * r2 * (a**-2 + b**-2) + 1 / a - 1 / b)
        return u, -slope

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        r = np.asarray(r, float)
        held = np.maximum(r, self.closest)
        u, f = self._bare(held)
        u_cut, f_cut = self._bare(np.asarray(self.r_cut))
        return np.where(r < self.r_cut, u - u_cut + f * (held - r) + f_cut * (r - self.r_cut), 0.0)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Force −dU/dr [kT/nm]: negative, as it attracts."""
        r = np.asarray(r, float)
        _, f = self._bare(np.maximum(r, self.closest))
        _, f_cut = self._bare(np.asarray(self.r_cut))
        return np.where(r < self.r_cut, f - f_cut, 0.0)
