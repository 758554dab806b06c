"""Simulations of a candidate crystal at kT: does it survive under pressure, and what are its energy, density and cell.

Two kinds of runs of one supercell, through whatever engine is there:

- under pressure, the cell free to change all edges and angles, with the study's own friction: the outcome is named by
  `structure.naming` from mean positions at the end;
- at a fixed cell, at kT = ½ and 1, for the anharmonic free energy. Averages do not depend on friction, so that it is
  chosen for short correlation times.

The step resolves the stiffest vibration of the crystal. Verlet's mean potential energy is high by about a quarter of
``(ω dt)²`` of each mode: where ω² is on average half of the highest, 0.0007 kT at `FINE_PHASE` and kT = 1 (an estimate).
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supercrystal import box, lattices
from supercrystal.engines import base
from supercrystal.solids.crystal import Array, Crystal, bonds
from supercrystal.solids.lattice_energy import Pairs, range_of
from supercrystal.solids.relaxation import cell_constants
from supercrystal.structure.labels import DISORDERED
from supercrystal.system import Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

    from supercrystal.structure.naming import Named
    from supercrystal.structure.trajectory import Configuration

#: Phase of the fastest vibration in one step under pressure, and where mean energies are measured [rad].
PHASE, FINE_PHASE = 0.1, 0.06
#: Friction over the mass at fixed cell, in units of the fastest vibration's frequency.
DAMPING = 0.3
#: Share of a run that is left out of its averages.
DISCARDED = 0.25
#: Rows of a run's series, and how many of the last ones are averaged to name what is there.
ROWS, AVERAGED = 200, 10
#: A supercell's faces are this many ranges apart, so that no particle meets two images of another, list margin included.
WIDTH = 2.5
#: Particles further than this share of the nearest distance from their site have left it.
LEFT_SITE = 0.5
#: Share of particles on their sites, and change of shape, within which an unnamed phase has survived.
ON_SITE, SHAPE = 0.95, 0.05


@dataclass(frozen=True)
class Substance:
    """What a simulation needs to know of particle types.

    Args:
        diameters: of each type [nm].
        pairs: potentials.
        mass: of every particle [kT τ²/nm²].
        friction: of each type [kT τ/nm²].
        timestep: longest step [τ].
    """

    diameters: Mapping[str, float]
    pairs: Pairs
    mass: float
    friction: Mapping[str, float]
    timestep: float


def supercell(crystal: Crystal, reach: float, least: int) -> tuple[Crystal, tuple[int, int, int]]:
    """Repeat a cell until it has `least` particles and room for the range of the forces; always the thinnest side."""
    repeats = [1, 1, 1]
    widths = box.widths(crystal.cell)
    while crystal.n * math.prod(repeats) < least or np.any(widths * repeats < WIDTH * reach):
        repeats[int(np.argmin(widths * repeats))] += 1
    a, b, c = repeats
    return crystal.repeated((a, b, c)), (a, b, c)


def conventional(phase: str, crystal: Crystal) -> Crystal:
    """The conventional cell of a relaxed primitive one, for constants that are those of the catalogue."""
    kind = lattices.prototype(phase)
    plain = {key: 1.0 for key in kind.constants}
    matrix = lattices.primitive(phase, plain).conventional
    cell = matrix @ crystal.cell
    corners = np.array(list(itertools.product(range(-3, 4), repeat=3)), float)
    sites = ((crystal.fractional + corners[:, None]) @ np.linalg.inv(matrix)).reshape(-1, 3)
    types = np.tile(np.array(crystal.types), len(corners))
    inside = np.all((sites > -1e-7) & (sites < 1 - 1e-7), axis=1)
    return Crystal(cell, sites[inside], tuple(str(name) for name in types[inside]))


def system_of(
    crystal: Crystal, substance: Substance, timestep: float, damping: float | None, seed: int
) -> System:
    """The particles of a supercell as a system at kT = 1.

    Args:
        crystal: the supercell.
        substance: its types.
        timestep: [τ].
        damping: friction over mass [1/τ]; None for that of the substance.
        seed: of the velocities.
    """
    import gsd.hoomd

    turned = crystal.upright()
    types = list(dict.fromkeys(turned.types))
    frame = gsd.hoomd.Frame()
    frame.configuration.dimensions = 3
    frame.configuration.box = box.parameters(turned.cell)
    frame.particles.N = turned.n
    frame.particles.types = types
    frame.particles.typeid = np.array([types.index(name) for name in turned.types], np.uint32)
    frame.particles.position = ((turned.fractional + 1e-9) % 1.0 - 0.5) @ turned.cell
    frame.particles.mass = np.full(turned.n, substance.mass)
    frame.particles.diameter = np.array([substance.diameters[name] for name in turned.types])
    velocity = np.random.default_rng([seed, 31]).normal(size=(turned.n, 3)) / math.sqrt(substance.mass)
    frame.particles.velocity = velocity - velocity.mean(axis=0)
    pairs = {
        (a, b): substance.pairs.get((a, b)) or substance.pairs[b, a]
        for a, b in itertools.combinations_with_replacement(types, 2)
    }
    return System(
        frame=frame,
        pairs=pairs,
        friction={t: substance.friction[t] if damping is None else damping * substance.mass for t in types},
        timestep=timestep,
        length=max(substance.diameters[name] for name in types),
    )


def mean(values: Array) -> tuple[float, float]:
    """Mean of a correlated series and its standard error, from its autocorrelation time."""
    from supercrystal.structure.stationarity import correlation_time

    if len(values) < 2:
        return float(values.mean()), math.inf
    spread = float(np.std(values, ddof=1))
    return float(np.mean(values)), spread * math.sqrt(2 * correlation_time(values) / len(values))


@dataclass(frozen=True)
class Series:
    """What a run went through, the discarded start left out.

    Args:
        energy: (T,) potential energy per particle [kT].
        cell: (T, 3, 3) of the supercell [nm].
        first: the frame it started from.
        last: the last frame.
        tail: the last `AVERAGED` configurations.
        steps: of the whole run.
        time: of the whole run [τ].
    """

    energy: Array
    cell: Array
    first: gsd.hoomd.Frame
    last: gsd.hoomd.Frame
    tail: tuple[Configuration, ...]
    steps: int
    time: float

    @property
    def volume(self) -> Array:
        """(T,) volume of the supercell [nm³]."""
        return np.asarray(np.abs(np.linalg.det(self.cell)))


def run(choice: base.Choice, system: System, schedule: Schedule, seed: int) -> Series:
    """Run a system to the end of its schedule.

    Raises:
        EngineError: the engine cannot do it.
        SimulationError: it stopped on its way.
    """
    engine = base.start(choice, system, schedule, seed)
    marks = np.unique(np.linspace(0, schedule.total, ROWS + 1).astype(int))[1:]
    energies, cells, step = [], [], 0
    tail: deque[Configuration] = deque(maxlen=AVERAGED)
    for mark in marks:
        engine.run(int(mark) - step)
        step = int(mark)
        energies.append(engine.potential_energy() / system.frame.particles.N)
        last = engine.frame()
        cells.append(box.edges(last.configuration.box))
        tail.append(configuration(last, len(cells)))
    keep = slice(round(DISCARDED * len(marks)), None)
    return Series(
        np.array(energies)[keep],
        np.array(cells)[keep],
        system.frame,
        last,
        tuple(tail),
        schedule.total,
        schedule.total * system.timestep,
    )


@dataclass(frozen=True)
class Outcome:
    """A crystal after a time at kT under pressure; errors are standard errors of means.

    Args:
        survived: whether it is still the phase it was.
        became: phase of the largest grain, or ``"disordered"``.
        words: what happened.
        share: of the particles with the label of that phase.
        on_site: share of the particles within `LEFT_SITE` of the nearest distance of their own site.
        enthalpy: (U + P V)/N and error [kT].
        density: [nm⁻³] and error.
        lengths: (3,) of the starting cell's descendants [nm], with errors.
        angles: (3,) α, β, γ [degrees], with errors.
        n: particles.
        steps: of the run.
        time: of the run [τ].
    """

    survived: bool
    became: str
    words: str
    share: float
    on_site: float
    enthalpy: tuple[float, float]
    density: tuple[float, float]
    lengths: tuple[tuple[float, float], ...]
    angles: tuple[tuple[float, float], ...]
    n: int
    steps: int
    time: float


def _on_site(series: Series, nearest: float) -> float:
    """Share of the particles near their own site of the lattice that went along with the cell."""
    places = []
    for frame in (series.first, series.last):
        cell = box.edges(frame.configuration.box)
        places.append(np.asarray(frame.particles.position, float) @ np.linalg.inv(cell))
    moved = places[1] - places[0]
    # The crystal may drift as a whole: its mean phase along each cell vector is taken out.
    drift = np.angle(np.exp(2j * np.pi * moved).mean(axis=0)) / (2 * np.pi)
    moved -= drift
    moved -= np.rint(moved)
    distance = np.linalg.norm(moved @ series.cell.mean(axis=0), axis=1)
    return float(np.mean(distance < LEFT_SITE * nearest))


def _shape_change(first: Array, last: Array) -> float:
    """Largest principal strain between two cells after rotation and volume are taken out."""
    change = np.linalg.inv(first) @ last
    stretch = np.linalg.svd(change, compute_uv=False)
    return float(np.abs(np.log(stretch / np.prod(stretch) ** (1 / 3))).max())


def configuration(frame: gsd.hoomd.Frame, index: int) -> Configuration:
    """A frame as structure analysis takes it, with orientations if it has them."""
    from supercrystal.structure.trajectory import Configuration

    particles = frame.particles
    # Types that no particle has, those of beads, are no species.
    present, kinds = np.unique(np.asarray(particles.typeid, np.intp), return_inverse=True)
    turned = particles.orientation
    return Configuration(
        index=index,
        box=np.asarray(frame.configuration.box, float),
        positions=np.asarray(particles.position, float),
        kinds=kinds.astype(np.intp),
        species=tuple(particles.types[k] for k in present),
        diameters=np.asarray(particles.diameter, float),
        orientations=None if turned is None else np.asarray(turned, float),
        unit="nm",
    )


def named(series: Series) -> Named:
    """Name the phase at the end of a run, from mean positions: hot compounds are not told from one configuration."""
    from supercrystal.structure.averaging import average_of
    from supercrystal.structure.naming import name

    return name(average_of(reversed(series.tail)).configuration)


def outcome(
    phase: str, series: Series, repeats: tuple[int, int, int], pressure: float, nearest: float
) -> Outcome:
    """Say what became of a crystal.

    Args:
        phase: it started as.
        series: its run under pressure.
        repeats: of its cell in the supercell.
        pressure: [kT/nm³].
        nearest: shortest distance between particles at the start [nm].
    """
    n = series.first.particles.N
    found = named(series)
    on_site = _on_site(series, nearest)
    strain = _shape_change(box.edges(series.first.configuration.box), series.cell.mean(axis=0))
    recognised = lattices.prototype(phase).reference is not None
    kept = on_site >= ON_SITE and strain <= SHAPE
    became = found.phase
    survived = became == phase if recognised else kept
    if survived:
        words = "survived" if recognised else "survived, by its sites: this phase is not recognised by name"
        became = phase
    elif became == DISORDERED:
        words = f"lost its order: {found.verdict}"
        if kept:
            words = f"not confirmed by name, {100 * on_site:.0f} % of the particles on their sites"
    else:
        words = f"transformed into {found.verdict}"
    cells = series.cell / np.array(repeats)[None, :, None]
    constants: list[tuple[NDArray, NDArray]] = [cell_constants(cell) for cell in cells]
    return Outcome(
        survived=survived,
        became=became,
        words=words,
        share=found.fractions().get(became, 0.0),
        on_site=on_site,
        enthalpy=mean(series.energy + pressure * series.volume / n),
        density=mean(n / series.volume),
        lengths=tuple(mean(np.array([c[0][k] for c in constants])) for k in range(3)),
        angles=tuple(mean(np.array([c[1][k] for c in constants])) for k in range(3)),
        n=n,
        steps=series.steps,
        time=series.time,
    )


def under_pressure(
    phase: str,
    crystal: Crystal,
    substance: Substance,
    pressure: float,
    choice: base.Choice,
    *,
    stiffest: float,
    time: float,
    particles: int,
    seed: int,
) -> Outcome:
    """Keep a crystal at kT = 1 and a pressure, its cell free, and say what became of it.

    Args:
        phase: its name in the catalogue.
        crystal: the relaxed primitive cell.
        substance: its types.
        pressure: P [kT/nm³].
        choice: engine.
        stiffest: highest force constant of its vibrations [kT/nm²].
        time: how long [τ].
        particles: at least so many.
        seed: of velocities and bath.
    """
    cell = conventional(phase, crystal).upright()
    big, repeats = supercell(cell, range_of(substance.pairs, cell.types), particles)
    step = timestep(substance, stiffest)
    steps = max(10 * ROWS, round(time / step))
    schedule = Schedule(steps=(0, steps), pressure=(pressure, pressure), flexible="triclinic")
    system = system_of(big, substance, step, None, seed)
    series = run(choice, system, schedule, seed)
    return outcome(phase, series, repeats, pressure, _nearest(cell))


def timestep(substance: Substance, stiffest: float, phase: float = PHASE) -> float:
    """Step in which the stiffest vibration advances by `phase`, at most the substance's own [τ]."""
    return min(substance.timestep, phase / math.sqrt(stiffest / substance.mass))


@dataclass(frozen=True)
class Warm:
    """A crystal at a fixed cell.

    Args:
        energy: mean potential energy per particle and its standard error [kT].
        n: particles.
        kept: whether it is the same crystal at the end; else the energy is of something else.
        became: phase of the largest grain at the end.
        steps: of the run.
    """

    energy: tuple[float, float]
    n: int
    kept: bool
    became: str
    steps: int


def at_fixed_cell(
    phase: str,
    crystal: Crystal,
    substance: Substance,
    temperature: float,
    choice: base.Choice,
    *,
    stiffest: float,
    steps: int,
    particles: int,
    seed: int,
) -> Warm:
    """Mean energy of a crystal at a temperature [kT] and a fixed cell; other arguments as `under_pressure`."""
    cell = conventional(phase, crystal).upright()
    big, _ = supercell(cell, range_of(substance.pairs, cell.types), particles)
    damping = DAMPING * math.sqrt(stiffest / substance.mass)
    system = system_of(big, substance, timestep(substance, stiffest, FINE_PHASE), damping, seed)
    system.frame.particles.velocity = system.frame.particles.velocity * math.sqrt(temperature)
    schedule = Schedule(steps=(0, max(steps, 10 * ROWS)), temperature=(temperature, temperature))
    series = run(choice, system, schedule, seed)
    found = named(series)
    on_site = _on_site(series, _nearest(cell)) >= ON_SITE
    recognised = lattices.prototype(phase).reference is not None
    kept = on_site and (found.phase == phase or not recognised)
    return Warm(mean(series.energy), big.n, kept, found.phase, series.steps)


def _nearest(cell: Crystal) -> float:
    """Shortest distance between particles [nm]."""
    return float(bonds(cell, 2 * (cell.volume / cell.n) ** (1 / 3)).length.min())
