"""What a pair potential amounts to in a dilute gas: the second virial coefficient, and the hard sphere it acts like."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError

if TYPE_CHECKING:
    from supercrystal.system import PairPotential

#: Energy above which Boltzmann's factor is nothing in double precision [kT].
FORBIDDEN = 700.0
#: Panels of the quadrature between two breaks, and Gauss–Legendre points in each.
PANELS = 400
POINTS = 12


def _energy(
    potentials: Sequence[PairPotential],
    r: NDArray[np.float64],
    scaled: Sequence[PairPotential],
    factor: float,
) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        u = np.sum([potential.energy(r) for potential in potentials], axis=0) if potentials else 0.0
        if scaled:
            u = u + factor * np.sum([potential.energy(r) for potential in scaled], axis=0)
    u = np.asarray(u, float) * np.ones_like(r)
    return np.where(np.isnan(u), np.inf, u)


def _core(potentials: Sequence[PairPotential], scaled: Sequence[PairPotential], factor: float) -> float:
    """Largest distance that is forbidden, 0 if there is none [nm]."""
    r = np.geomspace(1e-3, 1e4, 20_001)
    forbidden = np.flatnonzero(_energy(potentials, r, scaled, factor) > FORBIDDEN)
    if forbidden.size == 0:
        return 0.0
    if forbidden[-1] == r.size - 1:
        raise PhysicsError("the potential is still above 700 kT at 10 µm: are its lengths in nm?")
    inner, outer = r[forbidden[-1]], r[forbidden[-1] + 1]
    for _ in range(60):
        middle = (inner + outer) / 2
        if _energy(potentials, np.array([middle]), scaled, factor)[0] > FORBIDDEN:
            inner = middle
        else:
            outer = middle
    return float(outer)


def _nodes(edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss–Legendre points and weights of the panels between edges."""
    x, w = np.polynomial.legendre.leggauss(POINTS)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


def _quadrature(
    potentials: Sequence[PairPotential], scaled: Sequence[PairPotential], factor: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Forbidden distance, and points and weights from there to where the potentials end, or to infinity."""
    everything = [*potentials, *scaled]
    if not everything:
        raise PhysicsError("no pair potentials: nothing to integrate")
    core = _core(potentials, scaled, factor)
    ends = sorted({p.r_cut for p in everything if np.isfinite(p.r_cut) and p.r_cut > core})
    infinite = any(not np.isfinite(p.r_cut) for p in everything)
    breaks = [core, *ends]
    if infinite and len(breaks) == 1:
        if core == 0:
            raise PhysicsError("a bounded potential of infinite range sets no length: cut it first")
        breaks.append(4 * core)
    points, weights = [], []
    for low, high in pairwise(breaks):
        r, w = _nodes(np.linspace(low, high, PANELS + 1))
        points.append(r)
        weights.append(w)
    if infinite:  # r = a/t maps the rest onto 0 < t < 1; slow decay leaves a fractional power of t at 0
        t, w = _nodes(np.linspace(0, 1, PANELS + 1) ** 8)
        points.append(breaks[-1] / t)
        weights.append(w * breaks[-1] / t**2)
    if not points:  # a hard core and nothing else
        return core, np.zeros(0), np.zeros(0)
    return core, np.concatenate(points), np.concatenate(weights)


def second_virial(
    potentials: Sequence[PairPotential], scaled: Sequence[PairPotential] = (), factor: float = 1.0
) -> float:
    """Second virial coefficient ``B2 = -2π ∫ [exp(-U) - 1] r² dr`` [nm³].

    Args:
        potentials: they add up; infinite range is allowed if it decays faster than r⁻³.
        scaled: further potentials, multiplied by the factor.
        factor: solvent quality or depth.

    Raises:
        PhysicsError: no potentials, or lengths that cannot be nm.
    """
    core, r, w = _quadrature(potentials, scaled, factor)
    mayer = np.expm1(-_energy(potentials, r, scaled, factor))
    return float(2 * np.pi * (core**3 / 3 - np.sum(w * mayer * r**2)))


def reduced_second_virial(
    potentials: Sequence[PairPotential],
    diameter: float,
    scaled: Sequence[PairPotential] = (),
    factor: float = 1.0,
) -> float:
    """B2 over that of hard spheres of the `diameter` [nm], ``2π D³/3`` [-]; 1 for hard spheres."""
    return second_virial(potentials, scaled, factor) / (2 * np.pi * diameter**3 / 3)


def barker_henderson_diameter(potentials: Sequence[PairPotential]) -> float:
    """Hard-sphere diameter ``∫ [1 - exp(-U)] dr`` over where U > 0 [nm].

    Barker and Henderson, J. Chem. Phys. 47, 4714 (1967). Meant for the repulsive part; attraction counts as nothing.

    Raises:
        PhysicsError: no potentials.
    """
    core, r, w = _quadrature(potentials, (), 1.0)
    return float(core - np.sum(w * np.expm1(-np.maximum(_energy(potentials, r, (), 1.0), 0.0))))
