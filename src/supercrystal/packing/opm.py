"""The optimal packing model (OPM): spacing of ligand-capped spheres whose ligands fill a cone at constant density.

A ligand of extended length L that occupies the area A0 at densest grafting has the volume ``A0 L``. On a core of
radius R it owns a cone that widens as ``(s/R)²``; filling the cone to the radius ``r`` with all the ligand's volume
gives ``(r/R)³ = 1 + 3 ξ x`` with ``x = L/R`` and ``ξ = σ A0``.

Landman and Luedtke, Faraday Discuss. 125, 1 (2004), as restated by Liu et al., DOI 10.1002/adma.202209279, Eqs. 2–7,
re-derived here: Eq. 2 of the review must read ``V0 = A0 L`` and its Eq. 7 divides by ``1 + 3 ξ x``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError

#: Volume fraction of touching equal spheres, the OPM core fraction at x = 0.
TOUCHING_FRACTION = {"fcc": np.pi / (3 * np.sqrt(2)), "bcc": np.pi * np.sqrt(3) / 8}


def _checked(x: ArrayLike, xi: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, xi = np.broadcast_arrays(np.asarray(x, float), np.asarray(xi, float))
    if not (np.all(x > 0) and np.all(xi > 0)):
        raise PhysicsError(f"softness x = L/R and coverage ξ must be > 0; got x={x}, ξ={xi}")
    if np.any(xi > 1 + x + x**2 / 3):
        raise PhysicsError(
            f"ligands of coverage ξ={xi} would reach beyond their extended length at x={x}; "
            "the model needs ξ ≤ 1 + x + x²/3"
        )
    return x, xi


def tau(x: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Nearest-neighbour distance over core diameter, ``τ = (1 + 3 ξ x)^(1/3)`` [-].

    Args:
        x: softness L/R > 0, any shape.
        xi: coverage ξ > 0, broadcast against `x`; the model needs ξ ≤ 1 + x + x²/3.

    Raises:
        PhysicsError: arguments outside that domain.

    >>> round(float(tau(1.0, 1.0)), 6)
    1.587401
    """
    x, xi = _checked(x, xi)
    return np.cbrt(1 + 3 * xi * x)


def spacing(core_diameter: ArrayLike, ligand_length: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Nearest-neighbour distance D_nn [nm] from core diameter [nm], extended ligand length [nm] and coverage [-].

    The effective (hard-sphere) radius of the capped nanocrystal is half of it.

    >>> round(float(spacing(7.0, 2.449, 0.8)), 2)
    9.72
    """
    diameter = np.asarray(core_diameter, float)
    return diameter * tau(2 * np.asarray(ligand_length, float) / diameter, xi)


def core_fraction(x: ArrayLike, xi: ArrayLike, phase: str = "fcc") -> NDArray[np.float64]:
    """Volume fraction of the cores, ``η_touching / (1 + 3 ξ x)``, in fcc or bcc [-]."""
    if phase not in TOUCHING_FRACTION:
        raise PhysicsError(f"the core fraction is defined for {', '.join(TOUCHING_FRACTION)}; got '{phase}'")
    return TOUCHING_FRACTION[phase] / tau(x, xi) ** 3


def boundary(xi: float = 1.0) -> float:
    """Softness x_B at which extended ligands just reach the second neighbours of bcc [-]: fcc below, bcc above.

    Root of ``(2/√3) (1 + 3 ξ x)^(1/3) = 1 + x``, a cubic in ``1 + x``.

    >>> round(boundary(1.0), 7)
    0.6637402
    """
    if not xi > 0:
        raise PhysicsError(f"coverage ξ must be > 0; got {xi}")
    c = 8 / (3 * np.sqrt(3))
    roots = np.roots([1, 0, -3 * c * xi, -c * (1 - 3 * xi)])
    positive = [float(y.real) - 1 for y in roots if abs(y.imag) < 1e-9 and y.real > 1]
    if not positive:
        raise PhysicsError(f"no fcc/bcc boundary exists at ξ={xi}: ligands reach the second neighbours at any length")
    return max(positive)


def favoured(x: float, xi: float = 1.0) -> str:
    """Phase that the model favours: ``"fcc"`` for x < x_B(ξ), else ``"bcc"``."""
    _checked(x, xi)
    return "fcc" if x < boundary(xi) else "bcc"
