"""The inverse power law ``U = ε (σ/r)^n``: the softest description of a crowded shell, with one parameter.

Its phases depend on ``Γ = ρ σ³ (ε/kT)^(3/n)`` alone. Mixtures follow Travesset, PNAS 112, 9563 (2015), DOI
10.1073/pnas.1504677112 (abstract seen): ``σ_AB = (σ_A + σ_B)/2`` and a strength of its own for A–B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError


@dataclass(frozen=True)
class PowerLaw:
    """An inverse power law of infinite range; end it with `interactions.cutoff.Cut` before it goes to an engine.

    Args:
        epsilon: ε = U(σ) > 0 [kT].
        sigma: σ > 0 [nm].
        exponent: n > 3, or the energy per particle would not be finite [-].

    >>> float(PowerLaw(2.0, 5.0, 12.0).energy(10.0)) == 2.0 * 0.5**12
    True
    """

    epsilon: float
    sigma: float
    exponent: float

    def __post_init__(self) -> None:
        if not (self.epsilon > 0 and self.sigma > 0):
            raise PhysicsError(f"a power law needs ε > 0 and σ > 0; got {self.epsilon} kT, {self.sigma} nm")
        if not self.exponent > 3:
            raise PhysicsError(
                f"a power law needs n > 3, or the energy of a bulk diverges; got {self.exponent}"
            )

    @property
    def r_cut(self) -> float:
        """Infinite."""
        return math.inf

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` > 0 [nm], any shape [kT]."""
        return np.asarray(self.epsilon * (self.sigma / np.asarray(r, float)) ** self.exponent)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Repulsive force −dU/dr [kT/nm]."""
        r = np.asarray(r, float)
        return np.asarray(self.exponent * self.energy(r) / r)


def coupling(density: ArrayLike, epsilon: ArrayLike, sigma: ArrayLike, exponent: ArrayLike) -> NDArray:
    """Γ = ρ σ³ ε^(3/n), the one parameter of the phase diagram [-].

    Args:
        density: ρ [nm⁻³]; all arguments broadcast.
        epsilon: ε [kT].
        sigma: σ [nm].
        exponent: n [-].
    """
    return (
        np.asarray(density, float) * np.power(sigma, 3.0) * np.power(epsilon, 3 / np.asarray(exponent, float))
    )


def tail_energy(density: ArrayLike, epsilon: float, sigma: float, exponent: float, r_cut: float) -> NDArray:
    """Energy per particle beyond the cut in a structureless bulk, ``2π ρ ε σ^n r_c^(3-n)/(n - 3)`` [kT].

    Not small for n = 6; between two crystals of equal density it cancels.
    """
    return np.asarray(
        2
        * np.pi
        * np.asarray(density, float)
        * epsilon
        * sigma**exponent
        * r_cut ** (3 - exponent)
        / (exponent - 3)
    )
