"""What a tier of model gives: particle types, forces, walls, frictions and the time step.

Units are nm, kT and Brownian times of the first nanocrystals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from supercrystal.interactions.alj import Contact
from supercrystal.interactions.wall import Wall
from supercrystal.models.beads import Body
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.shapes import Shape
from supercrystal.system import PairPotential

if TYPE_CHECKING:
    from supercrystal.models.polyhedra import Polyhedron

#: Centres of a random start are at least this fraction of the mean diameter of their spheres apart: soft shells may
#: overlap a little.
CLOSEST = 0.9
#: Volume fraction of capped cuboids in a dry film. Rigid shapes with defects jam before they fill space, as deformable
#: shells would: drying to touching faces broke the run (80 cubes, Pe = 2). At this density a crystal of the example presses
#: with about 55 kPa.
DRY_CUBES = 0.8


@dataclass(frozen=True)
class Batch:
    """Nanocrystals of one synthesis.

    Args:
        name: species name, the base of particle type names.
        nanocrystal: the mean nanocrystal.
        count: how many.
        size_dispersity: standard deviation of the core diameter over its mean [-].
    """

    name: str
    nanocrystal: Nanocrystal
    count: int
    size_dispersity: float = 0.0


@dataclass(frozen=True)
class Parameter:
    """One parameter of a pair potential and the physical input that it stands for."""

    pair: tuple[str, str]
    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True)
class Model:
    """Particle types with everything that depends on the nanocrystals alone, in nm, kT and Brownian times."""

    types: tuple[str, ...]
    counts: tuple[int, ...]
    nanocrystals: tuple[Nanocrystal, ...]
    diameters: tuple[
        float, ...
    ]  #: OPM diameter of each type; of a shape that of the sphere of its capped volume [nm]
    pairs: Mapping[tuple[str, str], tuple[PairPotential, ...]]
    walls: Mapping[str, Wall]
    friction: Mapping[str, float]  #: [kT τ_B/nm²]
    mass: float  #: [kT τ_B²/nm²]
    timestep: float  #: [τ_B]
    reference_diameter: (
        float  #: diameter, as in `diameters`, of the first batch's mean nanocrystal [nm]; sets τ_B
    )
    solvent: Mapping[tuple[str, str], tuple[PairPotential, ...]] = field(default_factory=dict)
    solvent_variable: str | None = None  #: what a solvent schedule changes: ``"chi"`` or ``"depth_kT"``
    solvent_strength: float = 1.0  #: multiplies the solvent's potentials unless a schedule says otherwise
    interaction: str = "shell"  #: kind of interaction
    placement_scale: float = 1.0  #: spheres of a random start over OPM spheres: none under high energy
    turning: Mapping[str, float] = field(
        default_factory=dict
    )  #: of bodies the spheres, of any size, to turn in [nm]
    start_packing: float = (
        0.35  #: volume fraction of capped nanocrystals of a random start that no one asks otherwise
    )
    mapping: tuple[Parameter, ...] = ()  #: where the parameters of the potentials come from
    bodies: Mapping[str, Body] = field(default_factory=dict)  #: rigid bodies, by the type of their centres
    polyhedra: Mapping[str, Polyhedron] = field(default_factory=dict)  #: instead of bodies, by type
    contacts: Mapping[tuple[str, str], Contact] = field(
        default_factory=dict
    )  #: of polyhedra, keyed as `pairs`
    #: capped nanocrystals that are no spheres, by type
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    site_diameter: float | None = None  #: of the smallest site where bodies are made of several [nm]

    @property
    def bead_types(self) -> tuple[str, ...]:
        """Types of the beads of bodies."""
        return tuple(dict.fromkeys(bead for body in self.bodies.values() for bead in body.bead_types))

    @property
    def particle_types(self) -> tuple[str, ...]:
        """Types of nanocrystals, and behind them those of beads: what a frame names."""
        return (*self.types, *self.bead_types)

    @property
    def gsd_shapes(self) -> list[dict[str, Any]]:
        """Shapes of the particle types as GSD has them, for viewers; beads have none."""
        spheres = {
            name: {"type": "Sphere", "diameter": d}
            for name, d in zip(self.types, self.diameters, strict=True)
        }
        named = spheres | {name: shape.gsd() for name, shape in self.shapes.items()}
        return [named.get(name, {}) for name in self.particle_types]

    @property
    def r_cut(self) -> float:
        """Longest range of any pair [nm]."""
        every = (*self.pairs.values(), *self.solvent.values())
        ranges = [potential.r_cut for potentials in every for potential in potentials]
        return max([*ranges, *(contact.r_cut for contact in self.contacts.values())])

    def strength(self, value: float) -> float:
        """Strength of the solvent's potentials at a value of `solvent_variable`: ½ − χ, or the depth in kT."""
        return 0.5 - value if self.solvent_variable == "chi" else value

    @property
    def placed_diameters(self) -> tuple[float, ...]:
        """Diameters of the spheres that a random start places, by type [nm]."""
        return tuple(
            self.turning.get(name, self.placement_scale * d)
            for name, d in zip(self.types, self.diameters, strict=True)
        )

    @property
    def volume(self) -> float:
        """Volume of all capped nanocrystals, ``Σ π d³/6`` [nm³]."""
        return float(math.pi / 6 * np.dot(np.power(self.diameters, 3), self.counts))

    @property
    def cubic(self) -> bool:
        """Whether all nanocrystals are cuboids, which fill space in square rows, and not in close-packed ones."""
        return all(name in self.shapes for name in self.types)

    @property
    def mean_volume(self) -> float:
        """Mean volume that a nanocrystal has in a dry film [nm³].

        Of spheres that of close packing at the OPM spacing, ``<d³>/√2``; of cuboids that of the capped shape over
        `DRY_CUBES`.
        """
        fraction = DRY_CUBES if self.cubic else math.pi / math.sqrt(18)
        return self.volume / sum(self.counts) / fraction

    @property
    def mean_spacing(self) -> float:
        """Spacing of nearest neighbours there, in close packing or in a simple cubic lattice [nm]."""
        return float(((1 if self.cubic else math.sqrt(2)) * self.mean_volume) ** (1 / 3))


def capped_edges(shape: Shape) -> tuple[float, float, float]:
    """Edges of a capped cuboid along x, y, z: those of the core and two shells [nm]."""
    x, y, z = np.ptp(shape.vertices, axis=0) + 2 * shape.rounding
    return float(x), float(y), float(z)
