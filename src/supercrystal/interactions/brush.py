"""The Alexander–de Gennes brush between two capped spheres: where the softness of a ligand shell comes from.

Plates with brushes of thickness L and grafting distance ``s = σ^(-1/2)`` at the gap ``h = 2 L u`` repel with the
pressure ``(kT/s³) [u^(-9/4) - u^(3/4)]`` (de Gennes, Adv. Colloid Interface Sci. 27, 189 (1987)). Integrated twice
with the Derjaguin approximation, two spheres of radius R in a good solvent have, for 0 < u < 1,

    U(h) = (16 π R L² kT / 35 s³) [28 (u^(-1/4) - 1) + (20/11) (1 - u^(11/4)) - 12 (1 - u)].

The asymptotics hold for long chains on large spheres (L ≪ R). For C8–C18 ligands this is a phenomenological soft
shell, and only its range and its steepness are used by the shells tier, not its height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError

#: Gap below which the force of `Brush` is held constant, in units of 2L; the asymptotics ended long before.
INNER_GAP = 0.01


def _u(gap: ArrayLike, ligand_length: ArrayLike) -> NDArray[np.float64]:
    u = np.asarray(gap, float) / (2 * np.asarray(ligand_length, float))
    if np.any(u <= 0):
        raise PhysicsError(f"the brush energy diverges where cores touch; it needs a gap > 0 nm, got {gap!r}")
    return np.minimum(
        u, 1.0
    )  # beyond 2 L the brushes do not touch and every expression below is zero at u = 1


def energy(
    gap: ArrayLike, radius: ArrayLike, ligand_length: ArrayLike, grafting_density: ArrayLike
) -> NDArray[np.float64]:
    """Brush energy of two equal spheres at the surface-to-surface `gap` [kT].

    Args:
        gap: h = r − 2R > 0 [nm], any shape; all arguments broadcast.
        radius: core radius R [nm].
        ligand_length: brush thickness L [nm].
        grafting_density: σ [nm⁻²].

    Raises:
        PhysicsError: a gap that is not positive.
    """
    u = _u(gap, ligand_length)
    prefactor = (
        16
        * np.pi
        / 35
        * np.asarray(radius, float)
        * np.square(ligand_length)
        * np.power(grafting_density, 1.5)
    )
    return prefactor * (28 * (u**-0.25 - 1) + 20 / 11 * (1 - u**2.75) - 12 * (1 - u))


def force(
    gap: ArrayLike, radius: ArrayLike, ligand_length: ArrayLike, grafting_density: ArrayLike
) -> NDArray[np.float64]:
    """Repulsive force −dU/dh [kT/nm]; arguments as in `energy`."""
    u = _u(gap, ligand_length)
    prefactor = (
        16
        * np.pi
        / 35
        * np.asarray(radius, float)
        * np.square(ligand_length)
        * np.power(grafting_density, 1.5)
    )
    return prefactor * (7 * u**-1.25 + 5 * u**1.75 - 12) / (2 * np.asarray(ligand_length, float))


def effective_exponent(
    distance: ArrayLike, radius: ArrayLike, ligand_length: ArrayLike
) -> NDArray[np.float64]:
    """Exponent n of the power law ``r^-n`` that bends like the brush at the centre `distance`, ``-r U''/U' - 1`` [-].

    Height and grafting density drop out. At the OPM spacing it is about 10 R/L.

    Raises:
        PhysicsError: a distance outside (2R, 2R + 2L), where the brushes do not overlap.
    """
    r = np.asarray(distance, float)
    gap = r - 2 * np.asarray(radius, float)
    if np.any(gap <= 0) or np.any(gap >= 2 * np.asarray(ligand_length, float)):
        raise PhysicsError(f"brushes overlap only for 2R < r < 2R + 2L; got r={distance!r} nm")
    u = _u(gap, ligand_length)
    slope = -7 * u**-1.25 - 5 * u**1.75 + 12
    curvature = (8.75 * u**-2.25 - 8.75 * u**0.75) / (2 * np.asarray(ligand_length, float))
    return -r * curvature / slope - 1


@dataclass(frozen=True)
class Brush:
    """The brush as a pair potential of the centre distance, for unequal nanocrystals too.

    Derjaguin's radius of a pair is ``2 R1 R2/(R1 + R2)``; thickness and grafting density are the means. The force is
    held constant below a gap of `INNER_GAP` 2L, so that nothing diverges where cores touch.

    Args:
        radii: core radii R1, R2 [nm].
        ligand_lengths: brush thicknesses L1, L2 [nm].
        grafting_densities: σ1, σ2 [nm⁻²].

    Raises:
        PhysicsError: values that are not positive.
    """

    radii: tuple[float, float]
    ligand_lengths: tuple[float, float]
    grafting_densities: tuple[float, float]

    def __post_init__(self) -> None:
        values = (*self.radii, *self.ligand_lengths, *self.grafting_densities)
        if not all(value > 0 for value in values):
            raise PhysicsError(f"a brush needs radii, lengths and grafting densities > 0; got {values}")

    @property
    def r_cut(self) -> float:
        """Distance at which brushes first touch, ``R1 + R2 + L1 + L2`` [nm]."""
        return sum(self.radii) + sum(self.ligand_lengths)

    def _held(self, r: ArrayLike) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
        """Gap held at the inner limit, and radius, thickness and grafting density of the pair."""
        (r1, r2), length = self.radii, sum(self.ligand_lengths) / 2
        gap = np.maximum(np.asarray(r, float) - (r1 + r2), INNER_GAP * 2 * length)
        return gap, (2 * r1 * r2 / (r1 + r2), length, sum(self.grafting_densities) / 2)

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        r = np.asarray(r, float)
        gap, pair = self._held(r)
        beyond = np.minimum(r - sum(self.radii) - gap, 0.0)
        return np.where(r < self.r_cut, energy(gap, *pair) - force(gap, *pair) * beyond, 0.0)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Repulsive force −dU/dr [kT/nm]."""
        gap, pair = self._held(r)
        return np.where(np.asarray(r, float) < self.r_cut, force(gap, *pair), 0.0)
