"""Hard spheres and ideal gas: pressure, chemical potential, and the profile they take under gravity.

A suspension settles until the gradient of its osmotic pressure carries the weight,

    dΠ/dz = -ρ kT / l_g,

with the gravitational length l_g = kT over the buoyant weight of one particle. Dividing by ρ turns this into
``μ(φ(z)) + kT z / l_g = const``: the profile is the equation of state, read upside down. This is the local-density
approximation; it leaves out layers at a wall and anything that varies within a diameter.

Equation of state of the fluid: Carnahan and Starling, J. Chem. Phys. 51, 635 (1969), DOI 10.1063/1.1672048.
Lengths are in any one unit, energies in kT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError

#: Packing fraction at which hard spheres freeze. Taken from general knowledge (Hoover and Ree 1968), not read in the source;
#: it only bounds where the fluid's equation of state is used without a remark.
FREEZING = 0.494

#: Packing fractions at which a profile is tabulated before it is inverted.
_TABLE = 4000
_THINNEST = 1e-12


def packing_fraction(density: ArrayLike, diameter: float) -> NDArray[np.float64]:
    """Packing fraction φ = π ρ d³/6 [-] of spheres of a `diameter` at a number `density`, any shape."""
    return np.pi / 6 * np.asarray(density, float) * diameter**3


def _checked(phi: ArrayLike) -> NDArray[np.float64]:
    phi = np.asarray(phi, float)
    if np.any(~np.isfinite(phi)) or np.any(phi < 0) or np.any(phi >= 1):
        raise PhysicsError(f"packing fractions are allowed in [0, 1); got {np.min(phi):g} to {np.max(phi):g}")
    return phi


def compressibility_factor(phi: ArrayLike) -> NDArray[np.float64]:
    """Z = Π/(ρ kT) of the hard-sphere fluid, ``(1 + φ + φ² - φ³)/(1 - φ)³`` [-].

    Args:
        phi: packing fraction, any shape.

    Raises:
        PhysicsError: a packing fraction outside [0, 1).

    >>> round(float(compressibility_factor(np.pi / 6 * 0.6)), 3)
    4.283
    """
    phi = _checked(phi)
    return (1 + phi + phi**2 - phi**3) / (1 - phi) ** 3


def osmotic_pressure(phi: ArrayLike, diameter: float = 1.0) -> NDArray[np.float64]:
    """Osmotic pressure ``6 φ Z/(π d³)`` [kT/length³]; arguments and errors as `compressibility_factor`."""
    phi = _checked(phi)
    return 6 / np.pi * phi * compressibility_factor(phi) / diameter**3


def stiffness(phi: ArrayLike) -> NDArray[np.float64]:
    """d(φZ)/dφ = (dΠ/dρ)/kT, the inverse of the compressibility in units of the ideal gas's [-].

    ``(1 + 4φ + 4φ² - 4φ³ + φ⁴)/(1 - φ)⁴``; arguments and errors as `compressibility_factor`.
    """
    phi = _checked(phi)
    return (1 + 4 * phi + 4 * phi**2 - 4 * phi**3 + phi**4) / (1 - phi) ** 4


def chemical_potential(phi: ArrayLike) -> NDArray[np.float64]:
    """Chemical potential up to a constant, ``ln φ + (8φ - 9φ² + 3φ³)/(1 - φ)³`` [kT]; -inf at φ = 0.

    Its derivative is `stiffness` over φ. Arguments and errors as `compressibility_factor`.
    """
    phi = _checked(phi)
    with np.errstate(divide="ignore"):
        return np.log(phi) + (8 * phi - 9 * phi**2 + 3 * phi**3) / (1 - phi) ** 3


def packing_at_pressure(pressure: ArrayLike, diameter: float = 1.0) -> NDArray[np.float64]:
    """Packing fraction of the fluid at an osmotic pressure [kT/length³], any shape: inverse of `osmotic_pressure`.

    Raises:
        PhysicsError: a negative pressure.

    >>> round(float(packing_at_pressure(osmotic_pressure(0.4))), 9)
    0.4
    """
    from scipy.optimize import brentq

    wanted = np.asarray(pressure, float)
    if np.any(~(wanted >= 0)):
        raise PhysicsError(f"an osmotic pressure is at least 0; got {np.min(wanted):g}")

    def one(value: float) -> float:
        return float(
            brentq(lambda phi: float(osmotic_pressure(phi, diameter)) - value, 0.0, 0.95, xtol=1e-14)
        )

    return np.vectorize(one, otypes=[float])(wanted)


def barometric(z: ArrayLike, gravitational_length: float, height: float = math.inf) -> NDArray[np.float64]:
    """Share of an ideal gas's particles per length at the height z above the bottom, ``∝ exp(-z/l_g)`` [1/length].

    Args:
        z: heights, any shape; the share is 0 outside [0, height].
        gravitational_length: l_g, > 0.
        height: of the column; the share integrates to 1 over it.

    Raises:
        PhysicsError: a length that is not positive.
    """
    if not (gravitational_length > 0 and height > 0):
        raise PhysicsError(
            f"gravitational length and height must be > 0; got {gravitational_length} and {height}"
        )
    z = np.asarray(z, float)
    norm = -gravitational_length * math.expm1(-height / gravitational_length)
    return np.where((z >= 0) & (z <= height), np.exp(-z / gravitational_length) / norm, 0.0)


@dataclass(frozen=True)
class SedimentationProfile:
    """Packing fraction of settled hard spheres, from the bottom at z = 0 up without end.

    Args:
        bottom: φ(0) [-].
        gravitational_length: l_g [length].
        diameter: of the spheres [length].
    """

    bottom: float
    gravitational_length: float
    diameter: float

    def packing(self, z: ArrayLike) -> NDArray[np.float64]:
        """φ(z) [-], any shape; z ≥ 0 [length]."""
        z = np.asarray(z, float)
        if np.any(z < 0):
            raise PhysicsError(f"the profile starts at z = 0; got {np.min(z):g}")
        if self.bottom == 0:
            return np.zeros_like(z)
        # μ rises with φ, so the tabulated μ(φ) is inverted by interpolation, in ln φ where it is nearly straight,
        # and one Newton step takes the error of that below rounding.
        table = np.geomspace(min(_THINNEST, self.bottom * 1e-6), self.bottom, _TABLE)
        target = chemical_potential(self.bottom) - z / self.gravitational_length
        phi = np.exp(np.interp(target, chemical_potential(table), np.log(table)))
        thin = target < chemical_potential(table[0])
        phi = phi * np.exp((target - chemical_potential(phi)) / stiffness(phi))
        return np.where(thin, np.exp(np.minimum(target, 0.0)), phi)

    def above(self, z: ArrayLike) -> NDArray[np.float64]:
        """Particles per area above z, ``Π(φ(z)) l_g/kT`` [1/length²]: the pressure carries what lies above."""
        return osmotic_pressure(self.packing(z), self.diameter) * self.gravitational_length


def sedimentation_profile(
    gravitational_length: float,
    diameter: float = 1.0,
    *,
    bottom: float | None = None,
    per_area: float | None = None,
    metastable: bool = False,
) -> SedimentationProfile:
    """Equilibrium profile of hard spheres in a column without lid.

    Args:
        gravitational_length: l_g = kT over the buoyant weight [length].
        diameter: of the spheres [length]; of soft ones their Barker–Henderson diameter.
        bottom: packing fraction at z = 0; or
        per_area: particles per area of the bottom [1/length²], whose weight fixes the pressure there.
        metastable: allow a bottom denser than where hard spheres freeze; the fluid's equation of state then goes on.

    Raises:
        PhysicsError: lengths that are not positive, both or neither of bottom and per_area, or a bottom at which hard
            spheres freeze.

    >>> profile = sedimentation_profile(2.0, bottom=0.45)
    >>> profile.packing([5.0, 30.0]).round(4).tolist()
    [0.4149, 0.0252]
    """
    if not (gravitational_length > 0 and diameter > 0):
        raise PhysicsError(
            f"gravitational length and diameter must be > 0; got {gravitational_length} and {diameter}"
        )
    if (bottom is None) == (per_area is None):
        raise PhysicsError("give either the packing fraction at the bottom or the particles per area")
    if per_area is not None:
        bottom = float(packing_at_pressure(per_area / gravitational_length, diameter))
    assert bottom is not None
    _checked(bottom)
    if bottom > FREEZING and not metastable:
        raise PhysicsError(
            f"at the bottom the packing fraction would be {bottom:.3f}; hard spheres freeze at {FREEZING}, where this "
            "profile of a fluid ends: fewer particles per area, or a longer gravitational length"
        )
    return SedimentationProfile(bottom, gravitational_length, diameter)
