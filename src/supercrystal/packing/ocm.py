"""The overlap cone model (OCM): distance of an isolated pair whose ligands are squeezed into a shared cone.

Ligands within the half-angle θ of the axis are pressed to the mid-plane and fill the cone that it cuts; all
others stay as they are. Their volume balance, per nanocrystal with h = D/2,

    (π/3) h³ tan²θ − (2π/3) R³ (1 − cos θ) = 2π R² (1 − cos θ) ξ L,

gives ``τ³ = [2 cos²θ / (1 + cos θ)] (1 + 3 ξ x)`` for τ = D/2R. θ = 0 is OPM. The cone is fullest when its
rim is where the extended shells meet the mid-plane, ``cos θ = τ/(1 + x)``: that is OCM,

    τ = (1 + x)/2 {−1 + √[1 + 8 (1 + 3 ξ x)/(1 + x)³]}.

Re-derived here. The cone is attributed to Schapotschnikow and Vlugt, J. Chem. Phys. 131, 124705 (2009), and
its use for binary superlattices to Boles and Talapin, J. Am. Chem. Soc. 137, 4494 (2015), DOI
10.1021/jacs.5b00839; both attributions are **from memory, the papers were not opened**. It is a model of pairs
and of contacts at low coordination, not of a bulk; τ is not monotonic in x and falls below 1, cores
overlapping, for long or few ligands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.packing import opm
from supercrystal.packing.domain import Domain, limit

_CORES = "OCM would let the cores overlap (τ < 1) for so few or so long ligands: use OPM"


def _filled(x: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Cosine of the largest half-angle, 1 where extended ligands just fill OPM; NaN outside OPM."""
    x, xi = np.asarray(x, float), np.asarray(xi, float)
    where = opm.domain(x, xi)
    with np.errstate(invalid="ignore", divide="ignore"):
        return where.keep(0.5 * (-1 + np.sqrt(1 + 8 * (1 + 3 * xi * x) / (1 + x) ** 3)))


def domain(x: ArrayLike, xi: ArrayLike) -> Domain:
    """Where the model is defined: where OPM is, and τ ≥ 1.

    Raises:
        PhysicsError: single values outside.
    """
    where = opm.domain(x, xi)
    free = ~((1 + np.asarray(x, float)) * _filled(x, xi) < 1)
    cores = limit((free, _CORES), x=x, ξ=xi)
    rules = (*where.rules, *cores.rules)
    return Domain(np.where(where.inside, cores.code * np.int8(len(rules)), where.code).astype(np.int8), rules)


def tau(x: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Distance of a pair of equal nanocrystals over their core diameter, τ_OCM [-].

    Args:
        x: softness L/R > 0, any shape.
        xi: coverage ξ > 0, broadcast against `x`.

    Returns:
        τ of the broadcast shape, NaN outside `domain`; at most the τ of OPM.

    Raises:
        PhysicsError: single values outside `domain`, in particular τ < 1.

    >>> bool(np.isclose(tau(1.0, 1.0), 5**0.5 - 1, rtol=1e-15))
    True
    """
    where = domain(x, xi)
    return where.keep((1 + np.asarray(x, float)) * _filled(x, xi))


def cone_angle(x: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Half-angle θ_max of the full cone [rad]; arguments, NaN and errors as in `tau`.

    >>> round(float(np.degrees(cone_angle(0.5, 1.0))), 3)
    35.328
    """
    return np.arccos(np.minimum(domain(x, xi).keep(_filled(x, xi)), 1.0))


def tau_at_angle(x: ArrayLike, xi: ArrayLike, theta: ArrayLike) -> NDArray[np.float64]:
    """Interpolation between OPM (θ = 0) and OCM (θ = θ_max): ``τ³ = 2 cos²θ/(1 + cos θ) (1 + 3 ξ x)`` [-].

    Args:
        x: softness L/R > 0, any shape.
        xi: coverage ξ > 0, broadcast.
        theta: half-angle of the cone in [0, θ_max] [rad], broadcast.

    Raises:
        PhysicsError: single values outside, or τ < 1.
    """
    cosine = np.cos(np.asarray(theta, float))
    opm_tau = opm.tau(x, xi)
    largest = np.arccos(np.minimum(_filled(x, xi), 1.0))
    # The angle that `cone_angle` returns, and a τ of just 1 there, must be accepted in spite of their last digit.
    reached = (np.asarray(theta) >= 0) & (np.asarray(theta) <= largest + 1e-12)
    value = opm_tau * np.cbrt(2 * cosine**2 / (1 + cosine))
    where = limit(
        (reached | np.isnan(largest), "θ must lie in [0, θ_max]"),
        (~(value < 1 - 1e-12), _CORES),
        x=x,
        ξ=xi,
        θ=theta,
    )
    return where.keep(value)


def spacing(core_diameter: ArrayLike, ligand_length: ArrayLike, xi: ArrayLike) -> NDArray[np.float64]:
    """Centre distance of a pair of equal nanocrystals [nm]; lengths in nm, ξ [-].

    >>> round(float(spacing(4.1, 1.3245, 1.0)), 3)
    5.075
    """
    diameter = np.asarray(core_diameter, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        softness = 2 * np.asarray(ligand_length, float) / diameter
    return diameter * tau(softness, xi)


def pair_spacing(
    core_diameters: tuple[ArrayLike, ArrayLike],
    ligand_lengths: tuple[ArrayLike, ArrayLike],
    xis: tuple[ArrayLike, ArrayLike],
) -> NDArray[np.float64]:
    """Centre distance of two unequal nanocrystals [nm]: both cones share the rim of overlapping shells.

    With P = R + L, the plane of the rim at h_A = (D² + P_A² − P_B²)/2D from A and h_B = D − h_A from B, and c
    = h/P,

        Σ (1 − c) [P³ c (1 + c) − 2 R³ (1 + 3 ξ x)] = 0

    is the sum of the two volume balances, solved for D between the distance at which the rim would pass the
    equator of the smaller shell and that at which the shells first touch.

    **An extension of this package, not verified against any publication**; for equal nanocrystals it is
    `spacing`.

    Args:
        core_diameters: of A and B [nm], any shapes that broadcast.
        ligand_lengths: extended lengths [nm].
        xis: coverages [-].

    Returns:
        D of the broadcast shape, NaN outside the domain.

    Raises:
        PhysicsError: single values outside: OPM not defined for one of the two, no such distance, or cores
            overlap.
    """
    values = np.broadcast_arrays(*(np.asarray(v, float) for v in (*core_diameters, *ligand_lengths, *xis)))
    d, length, xi = values[:2], values[2:4], values[4:]
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a diameter of 0 is refused, or NaN, as its softness
        where = [opm.domain(2 * length[i] / d[i], xi[i]) for i in (0, 1)]
    radius = [d[i] / 2 for i in (0, 1)]
    reach = [radius[i] + length[i] for i in (0, 1)]
    volume = [2 * radius[i] ** 3 * (1 + 6 * xi[i] * length[i] / d[i]) for i in (0, 1)]

    def balance(distance: NDArray[np.float64]) -> NDArray[np.float64]:
        first = (distance**2 + reach[0] ** 2 - reach[1] ** 2) / (2 * distance)
        c = first / reach[0], (distance - first) / reach[1]
        return sum((1 - c[i]) * (reach[i] ** 3 * c[i] * (1 + c[i]) - volume[i]) for i in (0, 1))

    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.sqrt(np.abs(reach[0] ** 2 - reach[1] ** 2))
        low = np.maximum(low, 1e-6 * (reach[0] + reach[1]))
        high = reach[0] + reach[1]
        solvable = balance(low) < 0
        for _ in range(60):  # bisection: each step halves an interval that starts below 2 P
            middle = (low + high) / 2
            # The balance also vanishes where shells first touch (c = 1) and is positive just below it.
            below = balance(middle) < 0
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        distance = (low + high) / 2
    defined = where[0].inside & where[1].inside
    limits = limit(
        (defined, "OPM must be defined for both nanocrystals: x > 0, ξ > 0 and ξ ≤ 1 + x + x²/3"),
        (
            solvable | ~defined,
            "the sizes differ too much: the rim of the overlap would lie beyond the smaller shell",
        ),
        (~(distance < radius[0] + radius[1]), _CORES),
        D_A=d[0],
        D_B=d[1],
        L_A=length[0],
        L_B=length[1],
        ξ_A=xi[0],
        ξ_B=xi[1],
    )
    return limits.keep(distance)
