"""Lowest enthalpy of a crystal at T = 0: all six degrees of freedom of the cell, and every coordinate in it.

    H(E, u) = U + P V,   cell = cell₀ exp(E),   E symmetric (no rotation),   positions = (s₀ cell₀ + u) exp(E),

with the gradient from forces and stress: ``∂H/∂u = -F exp(E)``; ``∂H/∂E`` follows from ``V (σ + P)`` with the derivative of
the matrix exponential. Symmetric starts stay symmetric: what is found may be a saddle, which `phonons` tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError
from supercrystal.solids.crystal import Array, Crystal
from supercrystal.solids.lattice_energy import Pairs, Static, static

#: A crystal is relaxed if no force exceeds this times the energy scale over the length scale, and no component of the
#: stress differs from the pressure by more than this times the energy scale over the volume of a particle.
TOLERANCE = 1e-6
#: Linear expansion or compression of the start within which the lowest enthalpy is looked for.
WIDEST, NARROWEST = 2.0, 0.4
#: Spacings that are tried on the way there: the lowest is the start.
SCALES = 81
#: Restarts of the minimiser, which stops where rounding hides the way down.
RESTARTS = 4


@dataclass(frozen=True)
class Relaxed:
    """A crystal whose enthalpy is stationary.

    Args:
        crystal: the crystal.
        pressure: that was asked for [kT/nm³].
        energy: U of the cell [kT].
        largest_force: [kT/nm].
        stress_error: largest component of σ + P [kT/nm³].
        converged: whether both are below `TOLERANCE`.
        evaluations: of the energy.
    """

    crystal: Crystal
    pressure: float
    energy: float
    largest_force: float
    stress_error: float
    converged: bool
    evaluations: int

    @property
    def energy_per_particle(self) -> float:
        """U/N [kT]."""
        return self.energy / self.crystal.n

    @property
    def enthalpy_per_particle(self) -> float:
        """(U + P V)/N [kT]."""
        return (self.energy + self.pressure * self.crystal.volume) / self.crystal.n


def packing_fraction(crystal: Crystal, diameters: dict[str, float]) -> float:
    """Volume of spheres of the given diameters [nm] over the volume of the cell; more than 1 where they overlap much."""
    return float(sum(np.pi / 6 * diameters[name] ** 3 for name in crystal.types)) / crystal.volume


def _spread(six: Array) -> Array:
    """Symmetric matrix of six numbers, orthonormal: the squares of the numbers add up to those of the elements."""
    a, b, c, d, e, f = six
    d, e, f = (value / np.sqrt(2) for value in (d, e, f))
    return np.array([[a, f, e], [f, b, d], [e, d, c]])


def _gather(matrix: Array) -> Array:
    off = np.sqrt(2) * np.array([matrix[1, 2], matrix[0, 2], matrix[0, 1]])
    return np.concatenate([np.diag(matrix), off])


def _exponential(strain: Array) -> tuple[Array, Array, Array]:
    """``exp(E)`` of a symmetric E, its eigenvectors, and the divided differences of exp between eigenvalues."""
    values, vectors = np.linalg.eigh(strain)
    grown = np.exp(values)
    gap = values[:, None] - values[None, :]
    close = np.abs(gap) < 1e-7
    middle = np.exp((values[:, None] + values[None, :]) / 2)
    differences = np.where(close, middle, (grown[:, None] - grown[None, :]) / np.where(close, 1.0, gap))
    return (vectors * grown) @ vectors.T, vectors, differences


class _Enthalpy:
    """H and its gradient as functions of one vector: (E in lengths, u)."""

    def __init__(self, crystal: Crystal, pairs: Pairs, pressure: float, reach: float | None) -> None:
        self.start, self.pairs, self.pressure, self.reach = crystal, pairs, pressure, reach
        self.length = (crystal.volume / crystal.n) ** (1 / 3)
        self.evaluations = 0

    def crystal(self, x: Array) -> Crystal:
        cell = self.start.cell
        moved = self.start.fractional + x[6:].reshape(-1, 3) @ np.linalg.inv(cell)
        grown = _exponential(_spread(x[:6]) / self.length)[0]
        return Crystal(cell @ grown, moved, self.start.types)

    def at(self, x: Array) -> Static:
        self.evaluations += 1
        return static(self.crystal(x), self.pairs, reach=self.reach)

    def __call__(self, x: Array) -> tuple[float, Array]:
        crystal, found = self.crystal(x), self.at(x)
        grown, vectors, differences = _exponential(_spread(x[:6]) / self.length)
        # dH = V (σ + P) : dG G⁻¹ for a change dG of G = exp(E), which is V·differences∘dE in the frame of E.
        push = crystal.volume * (found.stress + self.pressure * np.eye(3)) @ np.linalg.inv(grown)
        push = vectors.T @ (push + push.T) @ vectors / 2
        strain = vectors @ (differences * push) @ vectors.T / self.length
        value = found.energy + self.pressure * crystal.volume
        return value, np.concatenate([_gather(strain), (-found.forces @ grown).ravel()])


def _scaled(crystal: Crystal, scale: float) -> Crystal:
    return Crystal(crystal.cell * scale, crystal.fractional, crystal.types)


def _isotropic(crystal: Crystal, pairs: Pairs, pressure: float, reach: float | None) -> Crystal:
    """The crystal at the spacing of lowest enthalpy, its shape unchanged."""
    from scipy.optimize import minimize_scalar

    def enthalpy(log_scale: float) -> float:
        scaled = _scaled(crystal, float(np.exp(log_scale)))
        return static(scaled, pairs, reach=reach).energy + pressure * scaled.volume

    logs = np.linspace(np.log(WIDEST), np.log(NARROWEST), SCALES)
    values: list[float] = []
    # From wide to narrow, and no further than past a minimum: crowded crystals have very many bonds.
    for log in logs:
        values.append(enthalpy(float(log)))
        if min(values) < values[0] and values[-1] > min(values) + 5 * abs(min(values)) + 5 * crystal.n:
            break
    best = int(np.argmin(values))
    if best == 0 or best == len(logs) - 1:
        word = "expands" if best == 0 else "collapses"
        raise PhysicsError(
            f"the crystal {word} beyond {WIDEST if best == 0 else NARROWEST:g} times its start at "
            f"{pressure:.4g} kT/nm³: {'raise' if best == 0 else 'lower'} the pressure, or add "
            f"{'an attraction' if best == 0 else 'a core to the potential'}"
        )
    found = minimize_scalar(
        enthalpy,
        bounds=(float(logs[best + 1]), float(logs[best - 1])),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return _scaled(crystal, float(np.exp(found.x)))


def relax(crystal: Crystal, pairs: Pairs, pressure: float, *, reach: float | None = None) -> Relaxed:
    """Minimise the enthalpy over cell and coordinates.

    Args:
        crystal: the start; only its shape and rough density matter.
        pairs: potentials of each pair of its types.
        pressure: P [kT/nm³].
        reach: distance at which sums end even if potentials go on [nm].

    Raises:
        PhysicsError: there is no minimum between `NARROWEST` and `WIDEST` times the start, as with pure repulsion at
            P ≤ 0; or an argument that is no number.
    """
    from scipy.optimize import minimize

    if not np.isfinite(pressure):
        raise PhysicsError(f"the pressure must be a finite number of kT/nm³; got {pressure}")
    here = _isotropic(crystal, pairs, pressure, reach)
    evaluations = 0
    for _ in range(RESTARTS):
        problem = _Enthalpy(here, pairs, pressure, reach)
        start = np.zeros(6 + 3 * here.n)
        found = minimize(problem, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
        evaluations += problem.evaluations
        here = problem.crystal(found.x)
        state = static(here, pairs, reach=reach)
        error, force, settled = _residual(here, state, pressure)
        if settled:
            break
    return Relaxed(here, pressure, state.energy, force, error, settled, evaluations)


def _residual(crystal: Crystal, state: Static, pressure: float) -> tuple[float, float, bool]:
    """Largest error of the stress, largest force, and whether both are negligible."""
    volume = crystal.volume / crystal.n
    # kT is the scale even where static energies happen to cancel.
    energy = max(1.0, abs(state.energy) / crystal.n, abs(pressure) * volume)
    stress = float(np.abs(state.stress + pressure * np.eye(3)).max())
    force = float(np.linalg.norm(state.forces, axis=1).max())
    settled = stress <= TOLERANCE * energy / volume and force <= TOLERANCE * energy / volume ** (1 / 3)
    return stress, force, settled


def cell_constants(cell: NDArray[np.float64]) -> tuple[Array, Array]:
    """Lengths (3,) [nm] and angles α, β, γ (3,) [degrees] of cell vectors."""
    lengths = np.linalg.norm(cell, axis=1)
    unit = cell / lengths[:, None]
    cosines = np.array([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]])
    return lengths, np.degrees(np.arccos(np.clip(cosines, -1, 1)))
