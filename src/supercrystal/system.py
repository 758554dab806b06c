"""The engine-neutral system: particles, the forces between them, and the two planes that bound a film.

Units: nm, kT, and the Brownian time ``τ_B = d² / D`` of the first species, in which a free nanocrystal diffuses about
its own OPM diameter d. In these units friction is ``γ = kT/D``, so ``γ = 1/d²`` [kT τ_B / nm²] for that species.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.interactions.wall import Wall

if TYPE_CHECKING:
    import gsd.hoomd


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
        film: the planes that confine the particles along z.
        timestep: integration step [τ_B].
        length: a typical particle diameter [nm], which sets neighbour-list margins.
    """

    frame: gsd.hoomd.Frame
    pairs: Mapping[tuple[str, str], tuple[PairPotential, ...]]
    friction: Mapping[str, float]
    film: Film
    timestep: float
    length: float

    @property
    def types(self) -> tuple[str, ...]:
        """Particle types."""
        return tuple(self.frame.particles.types)


@dataclass(frozen=True)
class Schedule:
    """Height of the interface and sides of the cell, piecewise linear in the step.

    Particles follow the sides affinely.

    >>> schedule = Schedule(steps=(0, 100, 200), heights=(10.0, 10.0, 8.0), sides=((5.0, 4.0),) * 3)
    >>> schedule.height(150), schedule.side(150)
    (9.0, (5.0, 4.0))
    """

    steps: tuple[int, ...]
    heights: tuple[float, ...]  #: of the interface above the substrate at each step [nm]
    sides: tuple[tuple[float, float], ...]  #: of the cell along x and y at each step [nm]

    def height(self, step: int) -> float:
        """Height at `step` [nm]; constant before the first and after the last knot."""
        return float(np.interp(step, self.steps, self.heights))

    def side(self, step: int) -> tuple[float, float]:
        """Sides of the cell along x and y at `step` [nm]."""
        x, y = (float(np.interp(step, self.steps, [side[axis] for side in self.sides])) for axis in (0, 1))
        return x, y

    @property
    def contracts(self) -> bool:
        """Whether the sides ever change."""
        return len(set(self.sides)) > 1

    @property
    def total(self) -> int:
        """The last step."""
        return self.steps[-1]

    def next_knot(self, step: int) -> int:
        """First knot after `step`, or the last one."""
        return next((knot for knot in self.steps if knot > step), self.total)


def species(type_name: str) -> str:
    """Species of a particle type: size classes of one species are written ``PbS``, ``PbS:1``, ``PbS:2`` and so on.

    >>> species("PbS:3")
    'PbS'
    """
    return type_name.partition(":")[0]
