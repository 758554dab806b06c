"""Systems of one species in reduced units, and what is read off a running engine."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.engines import base
from supercrystal.interactions.shell import Shell
from supercrystal.system import Film, PairPotential, System

if TYPE_CHECKING:
    import gsd.hoomd

#: The only type.
TYPE = "A"


@dataclass(frozen=True)
class Ideal:
    """No interaction. Engines want one with a range; at 0.05 they hardly ever have a pair to look up."""

    r_cut: float = 0.05

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Zero."""
        return np.zeros_like(np.asarray(r, float))

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Zero."""
        return np.zeros_like(np.asarray(r, float))


def wca(epsilon: float = 1.0) -> Shell:
    """Weeks–Chandler–Andersen repulsion with σ = 1: `Shell` of exponent 12 that ends at 2^(1/6)."""
    return Shell(epsilon, 2 ** (1 / 6), 12.0)


def frame(box: Sequence[float], positions: ArrayLike, seed: int) -> gsd.hoomd.Frame:
    """Particles of mass 1 and diameter 1 with velocities drawn at kT = 1, in a rectangular box of three sides."""
    import gsd.hoomd

    x = np.asarray(positions, float)
    found = gsd.hoomd.Frame()
    found.configuration.box = [*(float(side) for side in box), 0, 0, 0]
    found.configuration.dimensions = 3
    found.particles.N = len(x)
    found.particles.types = [TYPE]
    found.particles.typeid = np.zeros(len(x), np.uint32)
    found.particles.position = x
    found.particles.diameter = np.ones(len(x))
    found.particles.mass = np.ones(len(x))
    velocity = np.random.default_rng([seed, 17]).normal(size=x.shape)
    found.particles.velocity = velocity - velocity.mean(axis=0)
    found.validate()
    return found


def system(
    particles: gsd.hoomd.Frame,
    potential: PairPotential,
    timestep: float,
    friction: float = 1.0,
    film: Film | None = None,
    weight: float = 0.0,
) -> System:
    """Return the system of a frame under one potential.

    Args:
        particles: of mass 1; a frame of a catalogue's lattice is given masses.
        potential: between all pairs.
        timestep: in units of σ √(m/kT).
        friction: γ; free particles diffuse with 1/γ.
        film: walls.
        weight: force along −z.
    """
    if particles.particles.mass is None:
        particles = copy.deepcopy(particles)
        particles.particles.mass = np.ones(particles.particles.N)
        particles.particles.diameter = np.ones(particles.particles.N)
    return System(
        frame=particles,
        pairs={(TYPE, TYPE): (potential,)},
        friction={TYPE: friction},
        timestep=timestep,
        length=1.0,
        film=film,
        weight={TYPE: weight} if weight else {},
    )


def simple_cubic(count_along: int, density: float) -> tuple[list[float], NDArray[np.float64]]:
    """Sides of a cube and n³ sites of a simple cubic lattice in it, which melts at once at fluid densities."""
    side = count_along / density ** (1 / 3)
    axis = (np.arange(count_along) + 0.5) / count_along * side - side / 2
    sites = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return [side] * 3, sites


def sample(
    engine: base.Engine, rows: int, every: int, observe: Callable[[gsd.hoomd.Frame], ArrayLike]
) -> NDArray[np.float64]:
    """Let the engine run on and observe a frame after every so many steps: (rows, …)."""
    found = []
    for _ in range(rows):
        engine.run(every)
        found.append(observe(engine.frame()))
    return np.array(found, float)


def density(particles: gsd.hoomd.Frame) -> float:
    """Number density of a rectangular cell."""
    return particles.particles.N / math.prod(float(side) for side in particles.configuration.box[:3])


@cache
def choice(engine: str) -> base.Choice:
    """The engine, on a CPU so that results can be repeated."""
    return base.choose(engine, "cpu")


def title(engine: str) -> str:
    """Name and version of the engine."""
    found = choice(engine)
    return f"{found.engine} {found.version}"
