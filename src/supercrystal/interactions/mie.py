"""Mie (n–m) potentials, plain and shifted outwards by a hard distance, and their split into core and tail.

    U(r) = C ε [(σ/x)^n - (σ/x)^m],   x = r - δ,   C = n/(n-m) (n/m)^(m/(n-m)),

of depth ε at ``r_min = δ + σ (n/m)^(1/(n-m))`` (Mie, Ann. Phys. 316, 657 (1903)). δ = 0 is the plain form, 12–6 that of
Lennard-Jones. With δ the distance of touching cores, range and steepness are those of the shell and not of the whole
particle.

The split is that of Weeks, Chandler and Andersen, J. Chem. Phys. 54, 5237 (1971): a repulsion that ends smoothly at
r_min, and a tail of constant depth inside it. A solvent that gets poorer multiplies the tail alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.interactions.cutoff import Cut


@dataclass(frozen=True)
class Mie:
    """A Mie potential of infinite range; below ``δ`` it is infinite.

    Args:
        epsilon: depth ε > 0 [kT].
        sigma: σ > 0, where U changes sign, counted from δ [nm].
        n: exponent of the repulsion [-].
        m: exponent of the attraction, 3 < m < n [-].
        delta: δ ≥ 0 by which the potential is shifted outwards [nm].

    >>> lj = Mie(1.0, 1.0, 12, 6)
    >>> round(lj.r_min, 6), round(float(lj.energy(lj.r_min)), 12), round(float(lj.energy(1.0)), 12)
    (1.122462, -1.0, 0.0)
    """

    epsilon: float
    sigma: float
    n: float
    m: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        if not (self.epsilon > 0 and self.sigma > 0 and self.delta >= 0):
            raise PhysicsError(
                f"a Mie potential needs ε > 0, σ > 0 and δ ≥ 0; got {self.epsilon} kT, {self.sigma} and {self.delta} nm"
            )
        if not 3 < self.m < self.n:
            raise PhysicsError(f"a Mie potential needs 3 < m < n; got n = {self.n}, m = {self.m}")

    @property
    def r_cut(self) -> float:
        """Infinite."""
        return math.inf

    @property
    def r_min(self) -> float:
        """Distance of the minimum [nm]."""
        return float(self.delta + self.sigma * (self.n / self.m) ** (1 / (self.n - self.m)))

    @property
    def prefactor(self) -> float:
        """C, which makes the depth ε [-]."""
        return float(self.n / (self.n - self.m) * (self.n / self.m) ** (self.m / (self.n - self.m)))

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        x = np.asarray(r, float) - self.delta
        q = self.sigma / np.where(x > 0, x, 1.0)
        return np.where(x > 0, self.prefactor * self.epsilon * (q**self.n - q**self.m), np.inf)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Force −dU/dr [kT/nm]."""
        x = np.asarray(r, float) - self.delta
        inside = np.where(x > 0, x, 1.0)
        q = self.sigma / inside
        f = self.prefactor * self.epsilon * (self.n * q**self.n - self.m * q**self.m) / inside
        return np.where(x > 0, f, np.inf)


def with_minimum(depth: float, r_min: float, n: float, m: float, delta: float = 0.0) -> Mie:
    """Return the Mie potential whose minimum lies at `r_min` > δ [nm].

    Raises:
        PhysicsError: a minimum inside the shift.
    """
    if not r_min > delta:
        raise PhysicsError(f"the minimum must lie beyond the shift; got {r_min} and {delta} nm")
    return Mie(depth, (r_min - delta) * (n / m) ** (-1 / (n - m)), n, m, delta)


@dataclass(frozen=True)
class MieRepulsion:
    """The Mie potential inside its minimum, lifted by its depth: ends smoothly at r_min. WCA for 12–6."""

    mie: Mie

    @property
    def r_cut(self) -> float:
        """Distance of the minimum [nm]."""
        return self.mie.r_min

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        r = np.asarray(r, float)
        return np.where(r < self.r_cut, self.mie.energy(r) + self.mie.epsilon, 0.0)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Repulsive force −dU/dr [kT/nm]."""
        r = np.asarray(r, float)
        return np.where(r < self.r_cut, self.mie.force(r), 0.0)


@dataclass(frozen=True)
class MieTail:
    """The attraction of a Mie potential: −ε inside the minimum, the potential outside, smoothed to end at `r_cut`.

    Args:
        mie: the whole potential.
        r_cut: distance from which energy and force are zero [nm].
        r_on: where smoothing begins (`interactions.cutoff`, mode ``"smooth"``), ≥ r_min [nm].

    Raises:
        PhysicsError: not ``r_min ≤ r_on < r_cut``.
    """

    mie: Mie
    r_cut: float
    r_on: float

    def __post_init__(self) -> None:
        if not self.mie.r_min <= self.r_on < self.r_cut:
            raise PhysicsError(
                f"a tail needs r_min ≤ r_on < r_cut; got {self.mie.r_min:.6g}, {self.r_on:.6g}, {self.r_cut:.6g} nm"
            )

    @property
    def _outside(self) -> Cut:
        return Cut(self.mie, self.r_cut, "smooth", self.r_on)

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        r = np.asarray(r, float)
        outside = self._outside.energy(np.maximum(r, self.mie.r_min))
        return np.where(r < self.mie.r_min, -self.mie.epsilon, outside)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Attractive force −dU/dr, zero inside the minimum [kT/nm]."""
        r = np.asarray(r, float)
        return np.where(r < self.mie.r_min, 0.0, self._outside.force(np.maximum(r, self.mie.r_min)))
