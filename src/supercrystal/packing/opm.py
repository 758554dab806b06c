"""The optimal packing model (OPM): spacing of capped spheres whose ligands fill cones at constant density.

A ligand of extended length L that occupies the area A0 at densest grafting has the volume ``A0 L``. On a core
of radius R it owns a cone that widens as ``(s/R)²``; filling the cone to the radius ``r`` with all the
ligand's volume gives ``(r/R)³ = 1 + 3 ξ x`` with ``x = L/R`` and ``ξ = σ A0``.

Landman and Luedtke, Faraday Discuss. 125, 1 (2004), as restated by Liu et al., DOI 10.1002/adma.202209279,
Eqs. 2–7, re-derived here: Eq. 2 of the review must read ``V0 = A0 L`` and its Eq. 7 divides by ``1 + 3 ξ x``.
The review's λ is our ξ; other authors write λ for our x.

A single value outside the domain raises; in an array such entries become NaN and `domain` says why.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.packing.domain import Domain, limit

#: Volume fraction of touching equal spheres, the OPM core fraction at x = 0.
TOUCHING_FRACTION = {
    "fcc": np.pi / (3 * np.sqrt(2)),
    "hcp": np.pi / (3 * np.sqrt(2)),
    "bcc": np.pi * np.sqrt(3) / 8,
    "sc": np.pi / 6,
    "diamond": np.pi * np.sqrt(3) / 16,
}

#: 8/(3√3), the cube of 2/√3, which is the distance of second over first neighbours in bcc.
_SECOND_NEIGHBOURS = 8 / (3 * np.sqrt(3))


def domain(x: ArrayLike, xi: ArrayLike) -> Domain:
    """Where the model is defined: x > 0, ξ > 0, and ξ ≤ 1 + x + x²/3: no ligand exceeds its length.

    Raises:
        PhysicsError: single values outside.

    >>> domain(np.array([0.5, -1.0]), 1.0).reason.tolist()
    ['', 'softness x = L/R must be > 0']
    """
    x, xi = np.asarray(x, float), np.asarray(xi, float)
    return limit(
        (np.isfinite(x) & (x > 0), "softness x = L/R must be > 0"),
        (np.isfinite(xi) & (xi > 0), "coverage ξ = σ A0 must be > 0"),
        (
            ~(xi > 1 + x + x**2 / 3),
            "ligands would reach beyond their extended length: the model needs ξ ≤ 1 + x + x²/3",
        ),
        x=x,
        ξ=xi,
    )


def tau(x: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Nearest-neighbour distance over core diameter, ``τ = (1 + 3 ξ x)^(1/3)`` [-].

    Args:
        x: softness L/R > 0, any shape.
        xi: coverage ξ > 0, broadcast against `x`; the model needs ξ ≤ 1 + x + x²/3.

    Returns:
        τ of the broadcast shape, NaN outside `domain`.

    Raises:
        PhysicsError: single values outside `domain`.

    >>> round(float(tau(1.0, 1.0)), 6)
    1.587401
    """
    where = domain(x, xi)
    return where.keep(np.cbrt(1 + 3 * np.asarray(xi, float) * np.asarray(x, float)))


def spacing(core_diameter: ArrayLike, ligand_length: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Nearest-neighbour distance D_nn [nm] from core diameter [nm], ligand length L [nm] and coverage [-].

    >>> round(float(spacing(7.0, 2.449, 0.8)), 2)
    9.72
    """
    diameter = np.asarray(core_diameter, float)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # a diameter of 0 is refused, or NaN, as its softness
        softness = 2 * np.asarray(ligand_length, float) / diameter
    return diameter * tau(softness, xi)


def effective_radius(
    core_diameter: ArrayLike, ligand_length: ArrayLike, xi: ArrayLike
) -> NDArray[np.float64]:
    """Radius r = D_nn/2 of the sphere that stands for core and ligands [nm]; arguments as in `spacing`."""
    return spacing(core_diameter, ligand_length, xi) / 2


def core_fraction(x: ArrayLike, xi: ArrayLike, phase: str = "fcc") -> NDArray[np.float64]:
    """Volume fraction of the cores in a one-component lattice, ``η_touching / (1 + 3 ξ x)`` [-]."""
    if phase not in TOUCHING_FRACTION:
        raise PhysicsError(f"the core fraction is defined for {', '.join(TOUCHING_FRACTION)}; got '{phase}'")
    return TOUCHING_FRACTION[phase] / tau(x, xi) ** 3


def boundary(xi: ArrayLike = 1.0) -> NDArray[np.float64]:
    """Softness x_B at which extended ligands reach the second neighbours of bcc [-]: fcc below, bcc above.

    Root of ``(2/√3) (1 + 3 ξ x)^(1/3) = 1 + x``. With y = 1 + x and c = 8/(3√3) it is the cubic
    ``y³ - 3 c ξ y - c (1 - 3 ξ) = 0``, negative at y = 1 for any ξ: it has exactly one root with x > 0, its
    largest.

    Args:
        xi: coverage ξ > 0, any shape.

    Returns:
        x_B of the shape of `xi`, NaN where ξ is not positive.

    Raises:
        PhysicsError: a single ξ that is not positive.

    >>> round(float(boundary(1.0)), 7)
    0.6637402
    """
    xi = np.asarray(xi, float)
    where = limit((np.isfinite(xi) & (xi > 0), "coverage ξ = σ A0 must be > 0"), ξ=xi)
    c, valid = _SECOND_NEIGHBOURS, np.where(where.inside, xi, 1.0)
    scale = np.sqrt(c * valid)
    # Largest root of a cubic without square term; arccosh is imaginary where all three roots are real.
    third = np.arccosh((c * (1 - 3 * valid) / (2 * scale**3)).astype(complex)) / 3
    return where.keep(2 * scale * np.cosh(third).real - 1)


def favoured(x: float, xi: float = 1.0) -> str:
    """Phase that the model favours: ``"fcc"`` for x < x_B(ξ), else ``"bcc"``.

    Raises:
        PhysicsError: values outside `domain`.
    """
    domain(x, xi)
    return "fcc" if x < boundary(xi) else "bcc"
