"""Melt all of a crystal but its seed, release both, and count crystalline particles while an engine runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supercrystal import growth
from supercrystal.engines import base
from supercrystal.errors import SimulationError
from supercrystal.protocols import seeding
from supercrystal.system import Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

#: The melt is heated again, to twice the temperature, this often before it is given up.
ATTEMPTS = 3


@dataclass(frozen=True)
class Seeded:
    """A finished seeded run.

    Args:
        history: crystalline particles in time.
        molten: temperature to which the melt was heated [kT].
        frames: configurations at the times of the history, if they were kept.
    """

    history: growth.History
    molten: float
    frames: tuple[gsd.hoomd.Frame, ...] = field(default=(), repr=False)


def melt(
    system: System, seed: NDArray[np.bool_], phase: str, choice: base.Choice, number: int
) -> tuple[System, float]:
    """Melt all but the seed: the system ready to be released, and the temperature that it took [kT].

    Args:
        system: a crystal.
        seed: (N,) particles that stay.
        phase: of the crystal.
        choice: of the engine.
        number: seed of the random numbers.

    Raises:
        SimulationError: the rest stays crystalline; there is no melt at this density.
    """
    rng = np.random.default_rng([number, 7001])
    n = int(system.frame.particles.N)
    volume = float(np.prod(np.asarray(system.frame.configuration.box, float)[:3]))
    share = hot = math.nan
    for attempt in range(ATTEMPTS):
        hot = seeding.HOT * 2**attempt
        start = seeding.held(system, seed, rng, hot)
        schedule = seeding.melting(start, hot)
        engine = base.start(choice, start, schedule, number)
        engine.run(schedule.total)
        found = seeding.released(system, engine.frame(), rng, seed)
        far = seeding.far_from_seed(found.frame, seed, seeding.APART * (volume / n) ** (1 / 3))
        still = growth.crystalline(found.frame, phase)
        share = float(np.mean(still[far])) if far.any() else float(np.mean(still[~seed]))
        if share <= seeding.STILL_CRYSTAL:
            return found, hot
    raise SimulationError(
        f"the part beside the seed is still {share:.0%} {phase} after heating to {hot:g} kT: at this density there is no "
        "melt that stays one; give a lower density or pressure"
    )


def run_seed(
    system: System,
    seed: NDArray[np.bool_],
    phase: str,
    shape: growth.Shape,
    schedule: Schedule,
    choice: base.Choice,
    number: int,
    frames: int,
    keep: bool = False,
    report: Callable[[int], None] | None = None,
) -> Seeded:
    """Melt what is not the seed, release both, and count crystalline particles along the schedule.

    Args:
        system: a whole crystal with its potentials.
        seed: (N,) particles that stay crystalline at the start.
        phase: of the crystal.
        shape: of the seed.
        schedule: from the release on.
        choice: of the engine.
        number: seed of the random numbers.
        frames: pauses at which particles are counted, the start not among them.
        keep: whether to keep the configurations.
        report: called with the step after every pause.

    Raises:
        SimulationError: there is no melt, or the engine stopped.
    """
    ready, hot = melt(system, seed, phase, choice, number)
    engine = base.start(choice, ready, schedule, number + 1)
    steps = np.unique(np.linspace(0, schedule.total, frames + 1).round().astype(int))
    counts, boxes, kept = [], [], []
    here = 0
    for step in steps:
        engine.run(int(step) - here)
        here = int(step)
        frame = engine.frame()
        counts.append(int(growth.crystalline(frame, phase).sum()))
        boxes.append(np.asarray(frame.configuration.box, float))
        if keep:
            kept.append(frame)
        if report is not None:
            report(here)
    history = growth.history(shape, steps * system.timestep, counts, boxes, int(system.frame.particles.N))
    return Seeded(history, hot, tuple(kept))


def static_pressure(system: System, solvent: float = 1.0, kT: float = 1.0) -> float:
    """Pressure of a configuration by virial and ideal gas, ``ρ kT + Σ r F(r)/3V`` [kT/nm³].

    Args:
        system: particles in a rectangular periodic cell.
        solvent: strength of the solvent's potentials.
        kT: temperature of the ideal gas.
    """
    from scipy.spatial import cKDTree

    frame = system.frame
    box = np.asarray(frame.configuration.box, float)[:3]
    x = np.mod(np.asarray(frame.particles.position, float), box)
    x[x >= box] = 0.0
    tree = cKDTree(x, boxsize=box)
    found = tree.sparse_distance_matrix(tree, system.r_cut, output_type="ndarray")
    found = found[found["i"] < found["j"]]
    kinds = np.asarray(frame.particles.typeid)
    virial = 0.0
    for i, a in enumerate(system.types):
        for j, b in enumerate(system.types[i:], i):
            one, other = kinds[found["i"]], kinds[found["j"]]
            r = found["v"][((one == i) & (other == j)) | ((one == j) & (other == i))]
            pairs, scaled = system.between(a, b)
            virial += sum(float(np.sum(r * potential.force(r))) for potential in pairs)
            virial += solvent * sum(float(np.sum(r * potential.force(r))) for potential in scaled)
    volume = float(np.prod(box))
    return frame.particles.N / volume * kT + virial / (3 * volume)
