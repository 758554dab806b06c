"""Static energy, forces and stress of a crystal, and lattice sums of inverse powers.

    U = ½ Σ_i Σ_b φ(r_b),   F_i = Σ_b φ'(r_b) r_b / r_b,   W = ½ Σ_i Σ_b φ'(r_b) r_b ⊗ r_b / r_b,   σ = W / V,

over the bonds b of the particles i of one cell; the pressure is ``-tr σ / 3``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.solids.crystal import Array, Bonds, Crystal, bonds
from supercrystal.system import PairPotential

Pairs = Mapping[tuple[str, str], tuple[PairPotential, ...]]

#: Step of the derivative of the force, relative to the distance: with the five-point formula truncation and rounding are
#: below 1e-9 of the curvature of any power up to 50.
STEP = 3e-4

#: Quadrature points of the generalised exponential integral, accurate to 1e-13 from argument 2 on.
_LAGUERRE = 64


def between(pairs: Pairs, a: str, b: str) -> tuple[PairPotential, ...]:
    """Potentials of a pair of types, in either order.

    Raises:
        PhysicsError: there are none.
    """
    found = pairs.get((a, b)) or pairs.get((b, a))
    if not found:
        raise PhysicsError(
            f"there is no potential between {a} and {b}; there are {', '.join(map('–'.join, pairs))}"
        )
    return found


def range_of(pairs: Pairs, types: tuple[str, ...], reach: float | None = None) -> float:
    """Longest distance at which two of the types interact, at most `reach` [nm].

    Raises:
        PhysicsError: infinite, and no `reach` is given.
    """
    names = tuple(dict.fromkeys(types))
    longest = max(p.r_cut for a in names for b in names for p in between(pairs, a, b))
    longest = longest if reach is None else min(longest, reach)
    if not math.isfinite(longest):
        raise PhysicsError("a potential of infinite range needs a `reach` at which sums end")
    return longest


def curvature(potential: PairPotential, r: ArrayLike) -> NDArray[np.float64]:
    """Second derivative U'' [kT/nm²] at the distances `r` [nm], 0 from the cut on.

    A potential that has a method ``curvature`` is asked; else the analytic force is differentiated numerically. Points
    whose stencil would cross the cut use that of the last place inside.
    """
    r = np.asarray(r, float)
    exact = getattr(potential, "curvature", None)
    if exact is not None:
        return np.asarray(exact(r), float)
    at = np.minimum(r, potential.r_cut / (1 + 3 * STEP))
    h = STEP * at
    slope = (
        potential.force(at - 2 * h)
        - 8 * potential.force(at - h)
        + 8 * potential.force(at + h)
        - potential.force(at + 2 * h)
    ) / (12 * h)
    return np.where(r < potential.r_cut, -slope, 0.0)


@dataclass(frozen=True)
class Springs:
    """Bonds with what the potentials say at their lengths.

    Args:
        bonds: the bonds.
        energy: (B,) φ [kT].
        slope: (B,) φ' [kT/nm].
        curvature: (B,) φ'' [kT/nm²]; None where it was not asked for.
    """

    bonds: Bonds
    energy: Array
    slope: Array
    curvature: Array | None = None


def springs(crystal: Crystal, pairs: Pairs, *, reach: float | None = None, second: bool = False) -> Springs:
    """Evaluate the potentials on all bonds of a crystal.

    Args:
        crystal: the crystal.
        pairs: potentials of each pair of its types.
        reach: distance at which sums end even if potentials go on [nm].
        second: whether second derivatives are needed.

    Raises:
        PhysicsError: a pair without potential, or an infinite range without `reach`.
    """
    found = bonds(crystal, range_of(pairs, crystal.types, reach))
    names = list(dict.fromkeys(crystal.types))
    kind = np.array([names.index(name) for name in crystal.types])
    energy, slope, second_derivative = (np.zeros(len(found.length)) for _ in range(3))
    for a, b in product(range(len(names)), repeat=2):
        chosen = (kind[found.i] == a) & (kind[found.j] == b)
        r = found.length[chosen]
        for potential in between(pairs, names[a], names[b]):
            energy[chosen] += potential.energy(r)
            slope[chosen] -= potential.force(r)
            if second:
                second_derivative[chosen] += curvature(potential, r)
    return Springs(found, energy, slope, second_derivative if second else None)


@dataclass(frozen=True)
class Static:
    """A crystal at rest.

    Args:
        energy: of the cell [kT].
        forces: (N, 3) on its particles [kT/nm].
        stress: (3, 3), positive in tension [kT/nm³].
    """

    energy: float
    forces: Array
    stress: Array

    @property
    def pressure(self) -> float:
        """Minus a third of the trace of the stress [kT/nm³]."""
        return -float(np.trace(self.stress)) / 3


def static(crystal: Crystal, pairs: Pairs, *, reach: float | None = None) -> Static:
    """Energy, forces and stress at T = 0; arguments and errors as `springs`."""
    found = springs(crystal, pairs, reach=reach)
    pull = (found.slope / found.bonds.length)[:, None] * found.bonds.vector
    forces = np.zeros((crystal.n, 3))
    np.add.at(forces, found.bonds.i, pull)
    stress = found.bonds.vector.T @ pull / (2 * crystal.volume)
    return Static(float(found.energy.sum()) / 2, forces, (stress + stress.T) / 2)


def _exponential_integral(order: float, x: Array) -> Array:
    """``E_p(x) = ∫_1^∞ w^-p e^(-xw) dw`` for x ≥ 2: scipy has it for whole p only."""
    v, weight = np.polynomial.laguerre.laggauss(_LAGUERRE)
    return np.exp(-x) / x * ((1 + v / x[..., None]) ** -order @ weight)


def lattice_sum(crystal: Crystal, exponent: float) -> float:
    """Mean over the particles of ``Σ_b r_b^-n`` over all bonds to infinity [nm⁻ⁿ].

    Ewald's division of ``r^-n = ∫ t^(n/2-1) e^(-t r²) dt / Γ(n/2)`` at ``t = α``: the large t are summed over the crystal,
    the small ones over the reciprocal lattice (Epstein's zeta function, Math. Ann. 56, 615 (1903), DOI
    10.1007/BF01444309). Both sums end below 1e-16 of their first terms.

    Args:
        crystal: types are ignored.
        exponent: n > 3.

    Raises:
        PhysicsError: the sum diverges.

    >>> fcc = Crystal(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / np.sqrt(2), np.zeros((1, 3)), ("A",))
    >>> round(lattice_sum(fcc, 12), 8)
    12.1318802
    """
    from scipy.special import gamma, gammaincc

    n = float(exponent)
    if not 3 < n < math.inf:
        raise PhysicsError(f"a lattice sum needs an exponent n > 3, or it diverges; got {n}")
    # One particle per unit volume makes both sums equally fast at α = π.
    scale = crystal.density ** (1 / 3)
    unit = Crystal(crystal.cell * scale, crystal.fractional, crystal.types)
    alpha, half, order = math.pi, n / 2, (n - 3) / 2
    near = bonds(unit, math.sqrt(40 / alpha))
    direct = float(np.sum(gammaincc(half, alpha * near.length**2) * near.length**-n)) / unit.n
    waves_cell = np.asarray(2 * math.pi * np.linalg.inv(unit.cell).T, np.float64)
    reciprocal = Crystal(waves_cell, np.zeros((1, 3)), ("G",))
    waves = bonds(reciprocal, math.sqrt(4 * alpha * 40)).vector
    phase = np.exp(1j * waves @ unit.positions.T)
    structure = np.abs(phase.sum(axis=1)) ** 2 / unit.n
    x = np.sum(waves**2, axis=1) / (4 * alpha)
    smooth = float(structure @ _exponential_integral(order + 1, x))
    uniform = unit.n / order
    here = alpha**half / half
    small = math.pi**1.5 / unit.volume * alpha**order * (uniform + smooth) - here
    return float((direct + small / gamma(half)) * scale**n)


def direct_sum(crystal: Crystal, exponent: float, reach: float) -> float:
    """The same by adding bonds up to `reach`, and a structureless bulk of the same density beyond [nm⁻ⁿ].

    Its error falls about as ``reach^(1-n)``, with a sign that changes from shell to shell.
    """
    found = bonds(crystal, reach)
    tail = 4 * math.pi * crystal.density * reach ** (3 - exponent) / (exponent - 3)
    return float(np.sum(found.length**-exponent)) / crystal.n + tail
