"""Lowest enthalpy of a crystal of bodies at T = 0: cell, centres and orientations.

As `relaxation`, ``cell = cell₀ exp(E)`` and ``r = (s₀ cell₀ + u) exp(E)``, and besides ``q = exp(ω) q₀`` with the rotation
vector ω of each body. A turn δω changes the orientation by the rotation ``J(ω) δω``, with J the left Jacobian of the
rotations, so that ``∂H/∂ω = -Jᵀ τ``.

`relax` looks twice: over the lattice constants alone, sites and orientations as the prototype has them; and over everything,
from there, a little disturbed, as a symmetric start would stay symmetric on a saddle. Where both have one enthalpy the
lattice is a minimum, as far as one cell can tell. Hard shapes at T = 0 may lie on saddles that entropy holds at kT.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import rowan

from supercrystal.errors import PhysicsError
from supercrystal.solids.bodies import BodyCrystal, BodyStatic, Matter, static
from supercrystal.solids.crystal import Array, Crystal
from supercrystal.solids.relaxation import _exponential, _gather, _spread, cell_constants
from supercrystal.structure.orientation import cube_angles

#: A crystal is relaxed if its largest force, torque and error of stress are below this share of their scales; bodies of
#: beads lie on rough faces, and the last digits of their minima cost most of the time.
TOLERANCE = 1e-4
#: Scales of the start within which the lowest enthalpy of the unchanged shape is looked for.
NARROWEST, WIDEST = 0.8, 1.5
#: Largest strain, displacement over the spacing, and turn over 180° of one start of the minimiser, and the energy of what
#: it may try [kT per particle]. Steps beyond are turned back.
LARGEST, HIGHEST = 0.5, 1e8
#: Size of the disturbance: centres by this share of the spacing, bodies by this angle [rad].
MOVED, TURNED = 2e-3, 0.01
#: Bodies that turned by more than this from their start [degrees], and cells whose angles or equal edges changed by more
#: than these [degrees, share], are not what they were called.
TURNED_AWAY, TILTED, STRETCHED = 10.0, 1.0, 0.01
#: Sites that moved by more than this share of the spacing.
SHIFTED = 0.05
#: Enthalpies [kT per particle] within which two states are one.
SAME = 1e-3


@dataclass(frozen=True)
class Rested:
    """One stationary state.

    Args:
        made: the crystal.
        energy: U of its cell [kT].
        pressure: that was asked for [kT/nm³].
        residual: largest of force, torque and error of stress over their scales [-].
        evaluations: of the energy.
    """

    made: BodyCrystal
    energy: float
    pressure: float
    residual: float
    evaluations: int

    @property
    def enthalpy(self) -> float:
        """(U + P V)/N [kT]."""
        return (self.energy + self.pressure * self.made.volume) / self.made.n

    @property
    def converged(self) -> bool:
        """Whether `residual` is negligible."""
        return self.residual <= TOLERANCE


def _jacobian(omega: Array) -> Array:
    """Left Jacobians (N, 3, 3) of rotation vectors (N, 3)."""
    angle = np.linalg.norm(omega, axis=1)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    second = np.where(small, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    x, y, z = omega.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    return np.asarray(np.eye(3) + first[:, None, None] * cross + second[:, None, None] * cross @ cross)


def _turns(omega: Array) -> Array:
    """Unit quaternions (N, 4) of rotation vectors (N, 3)."""
    angle = np.linalg.norm(omega, axis=1, keepdims=True)
    return np.concatenate([np.cos(angle / 2), 0.5 * np.sinc(angle / (2 * np.pi)) * omega], axis=1)


class Enthalpy:
    """H [kT] and its gradient as functions of one vector [nm]: strain, displacements, and turns of bodies.

    Args:
        made: where the vector is 0.
        matter: bodies and potentials.
        pressure: P [kT/nm³].
    """

    def __init__(self, made: BodyCrystal, matter: Matter, pressure: float) -> None:
        self.start, self.matter, self.pressure = made, matter, pressure
        self.length = (made.volume / made.n) ** (1 / 3)
        self.turning = np.flatnonzero([name in matter.bodies for name in made.crystal.types])
        # Lengths that go with turns: beads then move about as far as centres do.
        radii = [matter.bodies[made.crystal.types[k]].radius for k in self.turning]
        self.lever = np.array(radii)[:, None]
        self.evaluations = 0

    @property
    def size(self) -> int:
        """Numbers in the vector."""
        return 6 + 3 * self.start.n + 3 * len(self.turning)

    def _parts(self, x: Array) -> tuple[Array, Array, Array]:
        split = 6 + 3 * self.start.n
        return x[:6] / self.length, x[6:split].reshape(-1, 3), x[split:].reshape(-1, 3) / self.lever

    def made(self, x: Array) -> BodyCrystal:
        """The crystal at a vector."""
        strain, moved, omega = self._parts(x)
        cell = self.start.crystal.cell
        sites = self.start.crystal.fractional + moved @ np.linalg.inv(cell)
        q = self.start.orientations.copy()
        q[self.turning] = rowan.normalize(rowan.multiply(_turns(omega), q[self.turning]))
        grown = _exponential(_spread(strain))[0]
        return BodyCrystal(Crystal(cell @ grown, sites, self.start.crystal.types), q)

    def __call__(self, x: Array) -> tuple[float, Array]:
        """H and gradient at a vector."""
        self.evaluations += 1
        strain, moved, omega = self._parts(x)
        far = max(
            np.abs(strain).max(), np.abs(moved).max() / self.length, np.abs(omega).max(initial=0.0) / math.pi
        )
        if not far < LARGEST:
            return self._wall(x)
        made = self.made(x)
        found = static(made, self.matter)
        if not found.energy < HIGHEST * made.n:
            return self._wall(x)
        grown, vectors, differences = _exponential(_spread(strain))
        # dH = V G⁻¹(σ + P) : dG for a change of G = exp(E); with torques σ is not symmetric.
        push = made.volume * np.linalg.inv(grown) @ (found.stress + self.pressure * np.eye(3))
        push = vectors.T @ (push + push.T) @ vectors / 2
        on_cell = vectors @ (differences * push) @ vectors.T / self.length
        turns = -np.einsum("nji,nj->ni", _jacobian(omega), found.torques[self.turning]) / self.lever
        value = found.energy + self.pressure * made.volume
        return value, np.concatenate([_gather(on_cell), (-found.forces @ grown).ravel(), turns.ravel()])

    def _wall(self, x: Array) -> tuple[float, Array]:
        """A slope back to where the vector is 0, for steps that left the range of the minimiser."""
        size = float(np.linalg.norm(x))
        return HIGHEST * self.start.n * (1 + size / self.length), HIGHEST * self.start.n * x / (
            size * self.length
        )


def _scaled(made: BodyCrystal, matter: Matter, pressure: float) -> BodyCrystal:
    """The crystal at the scale of lowest enthalpy, its shape unchanged."""
    from scipy.optimize import minimize_scalar

    def enthalpy(log_scale: float) -> float:
        scaled = made.scaled(math.exp(log_scale))
        return static(scaled, matter).energy + pressure * scaled.volume

    logs = np.linspace(math.log(WIDEST), math.log(NARROWEST), 36)
    values: list[float] = []
    for log in logs:
        values.append(enthalpy(float(log)))
        if values[-1] > min(values) + 20 * made.n:
            break
    best = int(np.argmin(values))
    if best in (0, len(logs) - 1):
        word, do = ("expands", "raise the pressure") if best == 0 else ("collapses", "lower the pressure")
        raise PhysicsError(
            f"the crystal {word} beyond {WIDEST if best == 0 else NARROWEST:g} times its start at {pressure:.4g} kT/nm³: "
            f"{do}, or state wells that bind"
        )
    low = float(logs[min(best + 1, len(values) - 1)])
    found = minimize_scalar(
        enthalpy, bounds=(low, float(logs[best - 1])), method="bounded", options={"xatol": 1e-6}
    )
    return made.scaled(math.exp(found.x))


def rest_as_named(made: BodyCrystal, matter: Matter, pressure: float, axes: Array) -> Rested:
    """Lowest enthalpy over the lattice constants alone: sites, angles and orientations stay.

    Args:
        made: the start.
        matter: bodies and potentials.
        pressure: P [kT/nm³].
        axes: (k, 3) which of the axes of space each of k constants stretches, 1 or 0.
    """
    from scipy.optimize import minimize

    here = _scaled(made, matter, pressure)
    evaluations = 0

    def stretched(x: Array) -> BodyCrystal:
        cell = here.crystal.cell * np.exp(np.clip(x @ axes, -LARGEST, LARGEST))
        return BodyCrystal(Crystal(cell, here.crystal.fractional, here.crystal.types), here.orientations)

    def enthalpy(x: Array) -> tuple[float, Array]:
        nonlocal evaluations
        evaluations += 1
        now = stretched(x)
        found = static(now, matter)
        if not found.energy < HIGHEST * now.n or np.abs(x).max() >= LARGEST:
            size = float(np.linalg.norm(x))
            return HIGHEST * now.n * (1 + size), HIGHEST * now.n * x / size
        slope = now.volume * (np.diag(found.stress) + pressure)
        return found.energy + pressure * now.volume, axes @ slope

    x = minimize(enthalpy, np.zeros(len(axes)), jac=True, method="BFGS", options={"gtol": 1e-7}).x
    done = stretched(x)
    state = static(done, matter)
    return Rested(done, state.energy, pressure, residual(done, state, pressure), evaluations)


def residual(made: BodyCrystal, state: BodyStatic, pressure: float) -> float:
    """Largest force, torque and error of stress over the scales of kT, or the energy, and the spacing [-]."""
    volume = made.volume / made.n
    scale = max(1.0, abs(state.energy) / made.n, abs(pressure) * volume)
    stress = float(np.abs(state.stress + pressure * np.eye(3)).max()) * volume
    force = float(np.linalg.norm(state.forces, axis=1).max()) * volume ** (1 / 3)
    torque = float(np.linalg.norm(state.torques, axis=1).max())
    return max(stress, force, torque) / scale


def rest(made: BodyCrystal, matter: Matter, pressure: float, restarts: int = 3) -> Rested:
    """Go downhill in enthalpy from a crystal to a stationary state.

    Args:
        made: the start.
        matter: bodies and potentials.
        pressure: P [kT/nm³].
        restarts: of the minimiser, which stops where rounding hides the way down.
    """
    from scipy.optimize import minimize

    evaluations, left = 0, math.inf
    for _ in range(restarts):
        problem = Enthalpy(made, matter, pressure)
        found = minimize(
            problem,
            np.zeros(problem.size),
            jac=True,
            method="BFGS",
            options={"gtol": 1e-6, "maxiter": 400},
        )
        evaluations += problem.evaluations
        made = problem.made(found.x)
        state = static(made, matter)
        left = residual(made, state, pressure)
        if left <= TOLERANCE:
            break
    return Rested(made, state.energy, pressure, left, evaluations)


def disturbed(made: BodyCrystal, matter: Matter, seed: int) -> BodyCrystal:
    """The crystal with centres a little moved and bodies a little turned, at random."""
    rng = np.random.default_rng([seed, 17])
    problem = Enthalpy(made, matter, 0.0)
    x = np.zeros(problem.size)
    split = 6 + 3 * made.n
    x[:6] = MOVED * problem.length * rng.normal(size=6)
    x[6:split] = MOVED * problem.length * rng.normal(size=split - 6)
    x[split:] = (TURNED * problem.lever * rng.normal(size=(len(problem.turning), 3))).ravel()
    return problem.made(x)


@dataclass(frozen=True)
class Change:
    """How a relaxed crystal differs from the prototype from which it came.

    Args:
        turned: largest turn of each type of body, symmetry of the cube taken out [degrees].
        shifted: largest displacement of a site over the spacing, drift taken out [-].
        angles: largest change of an angle of the cell [degrees].
        edges: largest difference of edges that were equal [share].
    """

    turned: Mapping[str, float]
    shifted: float
    angles: float
    edges: float

    @property
    def words(self) -> tuple[str, ...]:
        """What is more than small, in words."""
        found = [
            f"{name} turned by {angle:.0f}°" for name, angle in self.turned.items() if angle > TURNED_AWAY
        ]
        if self.shifted > SHIFTED:
            found.append(f"sites moved by {100 * self.shifted:.0f} % of the spacing")
        if self.angles > TILTED:
            found.append(f"angles of the cell changed by {self.angles:.1f}°")
        if self.edges > STRETCHED:
            found.append(f"equal edges now differ by {100 * self.edges:.1f} %")
        return tuple(found)


def change(start: BodyCrystal, end: BodyCrystal, matter: Matter) -> Change:
    """What became of orientations, sites and cell on the way from `start` to `end`."""
    types = start.crystal.types
    turned = {}
    for name in dict.fromkeys(types):
        if name in matter.bodies:
            mine = [k for k, kind in enumerate(types) if kind == name]
            turn = rowan.multiply(rowan.conjugate(start.orientations[mine]), end.orientations[mine])
            turned[name] = float(np.max(cube_angles(turn, rotation=np.eye(3))))
    moved = end.crystal.fractional - start.crystal.fractional
    moved = moved - moved.mean(axis=0)
    spacing = (end.volume / end.n) ** (1 / 3)
    shifted = float(np.linalg.norm(moved @ end.crystal.cell, axis=1).max()) / spacing
    before, after = (cell_constants(one.crystal.cell) for one in (start, end))
    scale = after[0] / before[0]
    equal = np.abs(before[0][:, None] / before[0] - 1) < 1e-9
    edges = float(np.max(np.where(equal, np.abs(scale[:, None] / scale - 1), 0.0)))
    return Change(turned, shifted, float(np.abs(after[1] - before[1]).max()), edges)


@dataclass(frozen=True)
class Relaxation:
    """A prototype, and what it is without its symmetry.

    Args:
        lattice: as it is called: only its lattice constants were relaxed.
        free: state reached from it after a disturbance; None if it was not looked for.
        change: from `lattice` to `free`.
    """

    lattice: Rested
    free: Rested | None
    change: Change | None

    @property
    def kept(self) -> bool:
        """Whether `free` was found and is what `lattice` is, small changes aside."""
        if self.free is None or self.change is None or not self.free.converged:
            return False
        return not self.change.words or self.free.enthalpy > self.lattice.enthalpy - SAME

    @property
    def best(self) -> Rested:
        """`free` where it is still that lattice and not higher, else `lattice`."""
        if self.kept and self.free is not None and self.free.enthalpy < self.lattice.enthalpy:
            return self.free
        return self.lattice


def relax(
    made: BodyCrystal, matter: Matter, pressure: float, axes: Array, *, disturb: bool = True, seed: int = 1
) -> Relaxation:
    """Relax a prototype with its symmetry, and without.

    Args:
        made: the prototype; only its shape and rough density matter.
        matter: bodies and potentials.
        pressure: P [kT/nm³].
        axes: as `rest_as_named`.
        disturb: whether to look for a way down from the symmetric state.
        seed: of the disturbance.

    Raises:
        PhysicsError: no minimum near the start's density, as with pure repulsion at P ≤ 0; a pressure that is no number.
    """
    if not math.isfinite(pressure):
        raise PhysicsError(f"the pressure must be a finite number of kT/nm³; got {pressure}")
    lattice = rest_as_named(made, matter, pressure, axes)
    if not disturb:
        return Relaxation(lattice, None, None)
    free = rest(disturbed(lattice.made, matter, seed), matter, pressure)
    return Relaxation(lattice, free, change(lattice.made, free.made, matter))
