"""The engine-neutral system: particles, the forces on them, and what is done to them in the course of time.

Units: nm, kT, and the Brownian time ``τ_B = d² / D`` of the first species, in which a free nanocrystal diffuses about
its own OPM diameter d. In these units friction is ``γ = kT/D``, so ``γ = 1/d²`` [kT τ_B / nm²] for that species.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.interactions.tabulation import closest
from supercrystal.interactions.wall import Wall

if TYPE_CHECKING:
    import gsd.hoomd

    from supercrystal.interactions.alj import Contact
    from supercrystal.models.beads import Body
    from supercrystal.models.polyhedra import Polyhedron

#: What a cell may do under pressure: keep its shape, change its sides, change sides and angles.
Cell = Literal["isotropic", "orthorhombic", "triclinic"]

_DEFAULTS = {"temperature": 1.0, "gravity": 0.0, "solvent": 1.0, "pressure": math.nan}


class PairPotential(Protocol):
    """What a model gives for one pair of types: energy [kT] and force [kT/nm] of the centre distance [nm]."""

    @property
    def r_cut(self) -> float:
        """Distance beyond which both are zero [nm]."""

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """U(r) [kT]."""

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """−dU/dr [kT/nm]."""


@dataclass(frozen=True)
class Film:
    """A film between a substrate at the bottom and an interface above it, periodic in x and y."""

    substrate: float  #: z of the substrate plane [nm]
    walls: Mapping[str, Wall]  #: what each particle type feels from either plane


@dataclass(frozen=True)
class System:
    """Everything an engine needs to know, and nothing about any engine.

    Args:
        frame: particles, types, masses [kT τ_B²/nm²], velocities [nm/τ_B] and box [nm] as a ``gsd.hoomd.Frame``.
        pairs: potentials of each unordered pair of types, keyed ``(a, b)`` in the order of ``frame.particles.types``;
            several potentials of one pair add up.
        friction: Langevin friction of each type [kT τ_B/nm²].
        timestep: integration step [τ_B].
        length: a typical particle diameter [nm], which sets neighbour-list margins.
        film: the planes that confine the particles along z; without them the cell is periodic in all directions.
        solvent: further potentials, keyed as `pairs`, that the schedule multiplies by its `solvent`.
        weight: force along −z on each type where the schedule's gravity is 1 [kT/nm].
        fixed: types that never move, such as a template on the substrate.
        bodies: rigid bodies by the type of their centre. The frame holds their centres, with orientations, and names the
            types of their beads, but has no bead (`supercrystal.rigid`). Walls act on beads, weights on centres; mass,
            moments and frictions are the body's. With bodies `length` is the diameter of a bead.
        polyhedra: faceted particles by type; the frame holds their orientations. Walls know nothing of their faces.
        contacts: how polyhedra act on each other and on points, the other types, keyed as `pairs` (`interactions.alj`).
    """

    frame: gsd.hoomd.Frame
    pairs: Mapping[tuple[str, str], tuple[PairPotential, ...]]
    friction: Mapping[str, float]
    timestep: float
    length: float
    film: Film | None = None
    solvent: Mapping[tuple[str, str], tuple[PairPotential, ...]] = field(default_factory=dict)
    weight: Mapping[str, float] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    bodies: Mapping[str, Body] = field(default_factory=dict)
    polyhedra: Mapping[str, Polyhedron] = field(default_factory=dict)
    contacts: Mapping[tuple[str, str], Contact] = field(default_factory=dict)

    @property
    def turning(self) -> Mapping[str, Body | Polyhedron]:
        """What has an orientation and moments of inertia, by type."""
        return {**self.bodies, **self.polyhedra}

    @property
    def types(self) -> tuple[str, ...]:
        """Particle types."""
        return tuple(self.frame.particles.types)

    @property
    def mobile(self) -> tuple[str, ...]:
        """Types that move."""
        return tuple(name for name in self.types if name not in self.fixed)

    @property
    def free(self) -> tuple[str, ...]:
        """Types that move by themselves, as points: neither centres of bodies nor beads."""
        beads = {bead for body in self.bodies.values() for bead in body.bead_types}
        return tuple(name for name in self.mobile if name not in self.bodies and name not in beads)

    @property
    def r_cut(self) -> float:
        """Longest range of any pair [nm]."""
        every = (*self.pairs.values(), *self.solvent.values())
        ranges = [potential.r_cut for potentials in every for potential in potentials]
        return max([*ranges, *(contact.r_cut for contact in self.contacts.values())])

    def between(self, a: str, b: str) -> tuple[tuple[PairPotential, ...], tuple[PairPotential, ...]]:
        """Potentials of a pair of types in either order: those that always act, and those that the solvent scales."""
        pairs, solvent = (
            layer.get((a, b)) or layer.get((b, a)) or () for layer in (self.pairs, self.solvent)
        )
        return pairs, solvent

    def weight_energy(self, frame: gsd.hoomd.Frame, gravity: float) -> float:
        """Potential energy of the weights, from the substrate up [kT].

        It is computed here for every engine, as HOOMD-blue's constant force has none.
        """
        if not gravity or self.film is None:
            return 0.0
        height = np.asarray(frame.particles.position, float)[:, 2] - self.film.substrate
        each = np.array([0.0 if name in self.fixed else self.weight.get(name, 0.0) for name in self.types])
        return gravity * float(each[frame.particles.typeid] @ height)


@dataclass(frozen=True)
class Schedule:
    """What is done to a system, piecewise linear in the step.

    Every quantity has one value a knot or is left empty, which means its default. Particles follow `sides` affinely.

    >>> schedule = Schedule(steps=(0, 100, 200), heights=(10.0, 10.0, 8.0), sides=((5.0, 4.0),) * 3)
    >>> schedule.height(150), schedule.side(150), schedule.value("temperature", 150)
    (9.0, (5.0, 4.0), 1.0)
    """

    steps: tuple[int, ...]
    heights: tuple[float, ...] = ()  #: of a film's interface above the substrate at each step [nm]
    sides: tuple[tuple[float, ...], ...] = ()  #: of the cell: x, y of a film, x, y, z of a periodic cell [nm]
    temperature: tuple[float, ...] = ()  #: kT of the bath in units of the study's kT; default 1
    gravity: tuple[float, ...] = ()  #: multiplies the weights; default 0
    solvent: tuple[float, ...] = ()  #: multiplies the solvent's potentials; default 1
    pressure: tuple[float, ...] = ()  #: [kT/nm³]; nan, the default, is a cell of prescribed sides
    flexible: Cell = "isotropic"  #: what the cell may do under pressure

    def __post_init__(self) -> None:
        if len(self.steps) < 2 or any(b <= a for a, b in itertools.pairwise(self.steps)):
            raise PhysicsError(f"the steps of a schedule must increase; got {self.steps}")
        for name in ("heights", "sides", *_DEFAULTS):
            values = getattr(self, name)
            if values and len(values) != len(self.steps):
                raise PhysicsError(
                    f"{name} has {len(values)} values for {len(self.steps)} knots; give one each"
                )

    def value(self, name: str, step: int) -> float:
        """Temperature, gravity, solvent or pressure at `step`; constant before the first and after the last knot."""
        values = getattr(self, name)
        return float(np.interp(step, self.steps, values)) if values else _DEFAULTS[name]

    def height(self, step: int) -> float:
        """Height of the interface at `step` [nm]."""
        return float(np.interp(step, self.steps, self.heights))

    def side(self, step: int) -> tuple[float, ...]:
        """Sides of the cell at `step` [nm]; nothing while they are not prescribed."""
        if not self.sides:
            return ()
        found = tuple(
            float(np.interp(step, self.steps, [side[axis] for side in self.sides]))
            for axis in range(len(self.sides[0]))
        )
        return () if any(math.isnan(side) for side in found) else found

    def varies(self, name: str) -> bool:
        """Whether a quantity ever changes."""
        return len(set(getattr(self, name))) > 1

    def under_pressure(self, step: int) -> bool:
        """Whether the pressure, not the sides, is prescribed from `step` on."""
        return not math.isnan(self.value("pressure", step))

    @property
    def total(self) -> int:
        """The last step."""
        return self.steps[-1]

    def next_knot(self, step: int) -> int:
        """First knot after `step`, or the last one."""
        return next((knot for knot in self.steps if knot > step), self.total)

    def last_knot(self, step: int) -> int:
        """Last knot at or before `step`."""
        return max((knot for knot in self.steps if knot <= step), default=self.steps[0])


def closest_approaches(system: System, schedule: Schedule) -> dict[tuple[str, str], float]:
    """Distance [nm] that no pair of two types that moves at kT gets below while the schedule lasts."""
    factors = (min(schedule.solvent), max(schedule.solvent)) if schedule.solvent else (1.0,)
    found = {}
    for types in itertools.combinations_with_replacement(system.types, 2):
        pairs, solvent = system.between(*types)
        if pairs or solvent:
            found[types] = closest(pairs, scaled=solvent, factors=factors)
    return found


def species(type_name: str) -> str:
    """Species of a particle type: size classes of one species are written ``PbS``, ``PbS:1``, ``PbS:2`` and so on.

    >>> species("PbS:3")
    'PbS'
    """
    return type_name.partition(":")[0]
