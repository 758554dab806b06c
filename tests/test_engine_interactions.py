"""Every interaction in every engine against its functions, and the engines against each other, on one thermal frame."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from supercrystal import library
from supercrystal.engines import base
from supercrystal.interactions.cutoff import Cut
from supercrystal.interactions.mie import Mie
from supercrystal.models import effective, shells
from supercrystal.models.model import Batch, Model
from supercrystal.models.pair_interactions import (
    BrushInteraction,
    Interaction,
    MieInteraction,
    OsmoticElasticInteraction,
    PowerLawInteraction,
)
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.protocols.start import CellStart, cell
from supercrystal.simulate import _merged
from supercrystal.system import Schedule, System

ENGINES = ["lammps", pytest.param("hoomd", marks=pytest.mark.hoomd)]
PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.4)
SMALL = Nanocrystal(Core("PbS", 5.0), library.ligand("oleate"), 5.0)
BATCHES = [Batch("PbS", PBS, 120), Batch("small", SMALL, 80)]
KINDS: dict[str, tuple[Interaction | None, str]] = {
    "shell": (None, "none"),
    "shell-hamaker": (None, "hamaker"),
    "power-law-6": (PowerLawInteraction(6.0, 1.0, cross_strength=1.5), "none"),
    "power-law-12": (PowerLawInteraction(12.0), "none"),
    "mie": (MieInteraction(1.5, cross_strength=1.3), "none"),
    "shifted-mie": (MieInteraction(1.5, shifted=True), "none"),
    "shifted-mie-24-12": (MieInteraction(1.0, 24.0, 12.0, shifted=True), "none"),
    "brush": (BrushInteraction(), "none"),
    "brush-hamaker": (BrushInteraction(), "hamaker"),
    "osmotic-elastic-good": (OsmoticElasticInteraction(0.4, 0.177), "none"),
    "osmotic-elastic-poor": (OsmoticElasticInteraction(0.53, 0.177), "none"),
}
STEPS = 1500


def _model(kind: str) -> Model:
    interaction, attraction = KINDS[kind]
    if interaction is None:
        return shells.build(BATCHES, 298.15, attraction)
    return effective.build(BATCHES, 298.15, interaction, attraction)


def _after(system: System, schedule: Schedule, steps: int) -> System:
    engine = base.start(base.choose("lammps"), system, schedule, seed=3)
    engine.run(steps)
    return dataclasses.replace(system, frame=_merged(system.frame, engine.frame()))


@functools.cache
def _thermal(kind: str) -> tuple[System, Schedule]:
    """A periodic fluid of two types some steps after its random start, and a schedule that keeps its solvent."""
    model = _model(kind)
    system, state = cell(model, CellStart(0.15, 5.0), seed=2)
    schedule = Schedule(steps=(0, 100_000), solvent=(state.solvent, state.solvent))
    return _after(system, schedule, STEPS), schedule


def _by_functions(system: System, strength: float) -> tuple[NDArray[np.float64], float, float]:
    """Forces, energy and pair virial over 3 V, from the functions alone."""
    particles = system.frame.particles
    box = np.asarray(system.frame.configuration.box[:3], float)
    x = np.asarray(particles.position, float)
    pairs = cKDTree(np.mod(x + box / 2, box), boxsize=box).query_pairs(system.r_cut, output_type="ndarray")
    d = x[pairs[:, 0]] - x[pairs[:, 1]]
    d -= box * np.round(d / box)
    r = np.linalg.norm(d, axis=1)
    kinds = particles.typeid[pairs]
    forces, energy, virial = np.zeros_like(x), 0.0, 0.0
    for a, name_a in enumerate(system.types):
        for b, name_b in enumerate(system.types):
            chosen = np.flatnonzero((kinds[:, 0] == a) & (kinds[:, 1] == b))
            for potentials, factor in zip(system.between(name_a, name_b), (1.0, strength), strict=True):
                for potential in potentials:
                    energy += factor * float(np.sum(potential.energy(r[chosen])))
                    f = factor * potential.force(r[chosen])
                    virial += float(np.sum(f * r[chosen]))
                    pull = (f / r[chosen])[:, None] * d[chosen]
                    np.add.at(forces, pairs[chosen, 0], pull)
                    np.add.at(forces, pairs[chosen, 1], -pull)
    return forces, energy, virial / (3 * float(np.prod(box)))


def _by_engine(name: str, system: System, schedule: Schedule) -> tuple[NDArray[np.float64], float, float]:
    engine = base.start(base.choose(name), system, schedule, seed=1)
    return engine.forces(), engine.potential_energy(), engine.virial_pressure()


@functools.cache
def _measured(name: str, kind: str) -> tuple[NDArray[np.float64], float, float]:
    return _by_engine(name, *_thermal(kind))


def _apart(one, two, scale: float) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    """Relative differences: forces in norm, energy over kT a particle at least, virial over that of an ideal gas."""
    forces = float(np.linalg.norm(one[0] - two[0]) / np.linalg.norm(two[0]))
    count = len(one[0])
    return (
        forces,
        abs(one[1] - two[1]) / max(abs(two[1]), count),
        abs(one[2] - two[2]) / max(abs(two[2]), scale),
    )


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_has_the_interaction_of_the_functions(kind: str, name: str) -> None:
    system, schedule = _thermal(kind)
    found, expected = _measured(name, kind), _by_functions(system, schedule.value("solvent", 0))
    assert np.linalg.norm(expected[0]) > 0
    density = len(found[0]) / float(np.prod(system.frame.configuration.box[:3]))
    assert max(_apart(found, expected, density)) < 1e-6


@pytest.mark.hoomd
@pytest.mark.parametrize("kind", KINDS)
def test_the_engines_have_the_same_interaction(kind: str) -> None:
    system, _ = _thermal(kind)
    one, two = (_measured(name, kind) for name in ("lammps", "hoomd"))
    density = len(one[0]) / float(np.prod(system.frame.configuration.box[:3]))
    assert max(_apart(one, two, density)) < 1e-6


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("kind", ["mie", "osmotic-elastic-good"])
def test_a_schedule_changes_the_solvent(kind: str, name: str) -> None:
    system, _ = _thermal(kind)
    low, high = (0.0, 2.0) if kind == "mie" else (-0.02, 0.1)
    schedule = Schedule(steps=(0, 1000), solvent=(low, high))
    for step in (0, 400):
        engine = base.start(base.choose(name), system, schedule, seed=1, step=step)
        found = engine.forces(), engine.potential_energy(), engine.virial_pressure()
        expected = _by_functions(system, low + (high - low) * step / 1000)
        assert max(_apart(found, expected, 1e-4)) < 1e-6


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("mode", ["xplor", "smooth", "force-shift"])
def test_cut_potentials_of_every_mode(mode: str, name: str) -> None:
    system, schedule = _thermal("mie")
    r_on = 15.0 if mode in ("xplor", "smooth") else None
    potential = Cut(Mie(1.0, 8.5, 12, 6), 20.0, mode, r_on)  # type: ignore[arg-type]
    keys = ("PbS", "PbS"), ("PbS", "small"), ("small", "small")
    system = dataclasses.replace(system, pairs={key: (potential,) for key in keys}, solvent={})
    found, expected = _by_engine(name, system, schedule), _by_functions(system, 1.0)
    assert max(_apart(found, expected, 1e-4)) < 1e-6


@pytest.mark.parametrize(
    "kind", ["power-law-12", "mie", "shifted-mie-24-12", "brush", "osmotic-elastic-poor"]
)
def test_the_time_step_keeps_the_temperature(kind: str) -> None:
    system, schedule = _thermal(kind)
    # Momenta that are renewed every 50 steps give some hundred independent values whatever the time step is.
    friction = 0.02 * float(system.frame.particles.mass[0]) / system.timestep
    system = dataclasses.replace(system, friction=dict.fromkeys(system.friction, friction))
    engine = base.start(base.choose("lammps"), system, schedule, seed=5)
    engine.run(1000)
    mass = np.asarray(system.frame.particles.mass, float)[:, None]
    kinetic = []
    for _ in range(100):
        engine.run(60)
        kinetic.append(float(np.mean(mass * np.asarray(engine.frame().particles.velocity, float) ** 2)))
    assert np.mean(kinetic) == pytest.approx(1, abs=0.02)
