"""Engines against the functions they are given, and against each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import gsd.hoomd
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from supercrystal.engines import base
from supercrystal.errors import EngineError
from supercrystal.models import shells
from supercrystal.protocols.assembly import assemble
from supercrystal.protocols.drying import LARGEST_PECLET, Drying
from supercrystal.run import prepare
from supercrystal.simulate import _merged, wall_load
from supercrystal.study import Study
from supercrystal.system import System

ENGINES = ["lammps", pytest.param("hoomd", marks=pytest.mark.hoomd)]


def _small(
    example: Study, dispersity: float = 0.0, attraction: str = "none", peclet: float = 2.0, count: int = 150
):  # type: ignore[no-untyped-def]
    batch = dataclasses.replace(example.batches()[0], count=count, size_dispersity=dispersity)
    model = shells.build([batch], example.temperature_K, attraction)
    start = dataclasses.replace(example.start(), layers=4, swelling=1.1, mixing_time=5.0)
    made = assemble(model, start, [Drying(peclet, hold_time=30.0)], seed=2)
    return made.system, made.schedule


def _thermal(system: System, schedule, steps: int) -> tuple[System, int]:  # type: ignore[no-untyped-def]
    """The system after some steps, as a new start: one frame both engines can be given."""
    engine = base.start(base.choose("lammps"), system, schedule, seed=3)
    engine.run(steps)
    return dataclasses.replace(system, frame=_merged(system.frame, engine.frame())), steps


def _by_functions(system: System, height: float) -> tuple[NDArray[np.float64], float]:
    """Forces and energy from the pure functions alone, pair by pair."""
    particles = system.frame.particles
    box = np.asarray(system.frame.configuration.box[:3], float)
    x = np.asarray(particles.position, float)
    types = [system.types[i] for i in particles.typeid]
    reach = max(p.r_cut for potentials in system.pairs.values() for p in potentials)
    wrapped = np.mod(x + box / 2, box)
    forces, energy = np.zeros_like(x), 0.0
    for i, j in cKDTree(wrapped, boxsize=box).query_pairs(reach):
        d = x[i] - x[j]
        d -= box * np.round(d / box)
        r = float(np.linalg.norm(d))
        key = (types[i], types[j]) if (types[i], types[j]) in system.pairs else (types[j], types[i])
        for potential in system.pairs[key]:
            energy += float(potential.energy(r))
            pull = float(potential.force(r)) * d / r
            forces[i] += pull
            forces[j] -= pull
    z = x[:, 2] - system.film.substrate
    for i, name in enumerate(types):
        wall = system.film.walls[name]
        energy += float(wall.energy(z[i]) + wall.energy(height - z[i]))
        forces[i, 2] += float(wall.force(z[i]) - wall.force(height - z[i]))
    return forces, energy


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("dispersity", "attraction"), [(0.0, "none"), (0.05, "none"), (0.05, "hamaker")])
def test_forces_and_energy_are_those_of_the_functions(
    name: str, dispersity: float, attraction: str, example: Study
) -> None:
    system, schedule = _small(example, dispersity, attraction)
    system, step = _thermal(system, schedule, schedule.steps[2])
    expected, energy = _by_functions(system, schedule.height(step))
    engine = base.start(base.choose(name), system, schedule, seed=1, step=step)
    found = engine.forces()
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-6
    assert engine.potential_energy() == pytest.approx(energy, rel=1e-6)


@pytest.mark.hoomd
def test_both_engines_agree_on_a_frame_of_the_default_study(example: Study) -> None:
    made = prepare(example)
    system, schedule = made.system, made.schedule
    system, step = _thermal(system, schedule, 2000)
    found = {}
    for name in ("lammps", "hoomd"):
        engine = base.start(base.choose(name), system, schedule, seed=1, step=step)
        found[name] = (engine.forces(), engine.potential_energy(), engine.virial_pressure())
    one, two = found["lammps"], found["hoomd"]
    scale = np.linalg.norm(two[0], axis=1).max()
    assert np.abs(one[0] - two[0]).max() / scale < 1e-6
    assert np.linalg.norm(one[0] - two[0]) / np.linalg.norm(two[0]) < 1e-6
    assert one[1] == pytest.approx(two[1], rel=1e-6)
    assert one[2] == pytest.approx(two[2], rel=1e-6)


def _blocks(values: list[float]) -> tuple[float, float]:
    blocks = [float(np.mean(block)) for block in np.array_split(values, 6)]
    return float(np.mean(blocks)), float(np.std(blocks, ddof=1) / np.sqrt(len(blocks)))


def _equilibrium(name: str, system: System, schedule, seed: int) -> dict[str, tuple[float, float]]:  # type: ignore[no-untyped-def]
    """Pressure on the interface, energy and kinetic temperature at constant height, each with its standard error."""
    engine = base.start(base.choose(name), system, schedule, seed=seed)
    engine.run(3000)
    mass = np.asarray(system.frame.particles.mass, float)[:, None]
    pressure, energy, kinetic = [], [], []
    for _ in range(240):
        engine.run(50)
        frame = engine.frame()
        pressure.append(wall_load(frame, system.film, schedule.height(0))[0])
        energy.append(engine.potential_energy() / len(mass))
        kinetic.append(float(np.mean(mass * np.asarray(frame.particles.velocity, float) ** 2)))
    return {"pressure": _blocks(pressure), "energy": _blocks(energy), "kinetic": _blocks(kinetic)}


def _fluid(example: Study):  # type: ignore[no-untyped-def]
    """A dense fluid at constant height."""
    system, schedule = _small(example, count=200)
    system, _ = _thermal(system, schedule, (schedule.steps[1] + schedule.steps[2]) // 2)
    height = schedule.height((schedule.steps[1] + schedule.steps[2]) // 2)
    count = len(schedule.steps)
    return system, dataclasses.replace(
        schedule, heights=(height,) * count, sides=(schedule.sides[0],) * count
    )


@pytest.mark.hoomd
def test_both_engines_have_the_same_pressure_at_equilibrium(example: Study) -> None:
    system, schedule = _fluid(example)
    found = [_equilibrium(name, system, schedule, seed=11) for name in ("lammps", "hoomd")]
    for quantity in ("pressure", "energy", "kinetic"):
        (a, da), (b, db) = (each[quantity] for each in found)
        assert abs(a - b) < 4 * np.hypot(da, db), quantity
        assert np.hypot(da, db) < 0.1 * abs(a), f"{quantity} is too noisy to compare anything"


@pytest.mark.parametrize("name", ENGINES)
def test_thermostat_keeps_the_temperature_of_a_dense_film_within_two_percent(
    name: str, example: Study
) -> None:
    system, schedule = _fluid(example)
    kinetic, error = _equilibrium(name, system, schedule, seed=5)["kinetic"]
    assert error < 0.01
    assert kinetic == pytest.approx(1.0, abs=0.02 + 2 * error)


@pytest.mark.parametrize("name", ENGINES)
def test_free_nanocrystals_diffuse_as_the_brownian_time_says(name: str, example: Study) -> None:
    # ⟨Δx²⟩ = 2 D t with D = d² per Brownian time, for x and y, so dilute (1 %) that collisions
    # slow them by less than the error.
    batch = dataclasses.replace(example.batches()[0], count=400, size_dispersity=0.0)
    model = shells.build([batch], example.temperature_K)
    start = dataclasses.replace(example.start(), layers=4, packing_fraction=0.01, mixing_time=1e4)
    made = assemble(model, start, [Drying(0.1, hold_time=10.0)], seed=4)
    system, schedule = made.system, made.schedule
    engine = base.start(base.choose(name), system, schedule, seed=9)
    box = np.asarray(system.frame.configuration.box[:2], float)

    def unwrapped(frame: gsd.hoomd.Frame) -> NDArray[np.float64]:
        return (
            np.asarray(frame.particles.position, float)[:, :2]
            + np.asarray(frame.particles.image)[:, :2] * box
        )

    engine.run(1000)
    before = unwrapped(engine.frame())
    steps = 3000
    engine.run(steps)
    moved = unwrapped(engine.frame()) - before
    time = steps * system.timestep
    # Velocities remember one Brownian time: the exact law of the Langevin equation for equilibrium velocities.
    expected = 2 * model.reference_diameter**2 * (time - (1 - np.exp(-time)))
    ratio = moved**2 / expected
    assert float(np.mean(ratio)) == pytest.approx(1.0, abs=4 * float(np.std(ratio)) / np.sqrt(ratio.size))
    assert float(np.mean(ratio)) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("peclet", [0.5, LARGEST_PECLET])
def test_no_nanocrystal_is_lost_or_crosses_a_plane_at_any_allowed_speed(
    name: str, peclet: float, example: Study
) -> None:
    system, schedule = _small(example, peclet=peclet)
    engine = base.start(base.choose(name), system, schedule, seed=7)
    while True:
        frame = engine.frame()
        step = int(frame.configuration.step)
        z = np.asarray(frame.particles.position, float)[:, 2] - system.film.substrate
        assert len(z) == 150
        assert z.min() > 0
        assert z.max() < schedule.height(step)
        if step >= schedule.total:
            break
        engine.run(min(200, schedule.total - step))


@pytest.mark.parametrize("name", ENGINES)
def test_the_cell_follows_the_schedule_also_from_a_checkpoint(name: str, example: Study) -> None:
    system, schedule = _small(example)
    start, middle = schedule.steps[2], (schedule.steps[2] + schedule.steps[3]) // 2
    system, step = _thermal(system, schedule, start)
    engine = base.start(base.choose(name), system, schedule, seed=7, step=step)
    engine.run(middle - start)
    frame = engine.frame()
    # HOOMD sets the sides every few steps.
    assert frame.configuration.box[:2] == pytest.approx(schedule.side(middle), rel=2e-4)
    resumed = dataclasses.replace(system, frame=_merged(system.frame, frame))
    engine = base.start(base.choose(name), resumed, schedule, seed=7, step=middle)
    engine.run(schedule.total - middle)
    frame = engine.frame()
    assert frame.configuration.box[:2] == pytest.approx(schedule.sides[-1], rel=1e-6)
    assert frame.configuration.box[2] == pytest.approx(system.frame.configuration.box[2])
    assert np.all(np.abs(frame.particles.position[:, :2]) <= np.array(schedule.sides[-1]) / 2 + 1e-4)


@pytest.mark.parametrize("name", ENGINES)
def test_positions_are_wrapped_and_images_undo_it(name: str, example: Study) -> None:
    system, schedule = _small(example)
    engine = base.start(base.choose(name), system, schedule, seed=7)
    engine.run(2000)
    frame = engine.frame()
    half = np.asarray(frame.configuration.box[:2], float) / 2
    assert np.all(np.abs(np.asarray(frame.particles.position)[:, :2]) <= half + 1e-4)
    assert np.any(np.asarray(frame.particles.image)[:, :2] != 0)


def test_choice_says_why_and_refuses_what_is_not_there() -> None:
    choice = base.choose("lammps", "cpu")
    assert (choice.engine, choice.device) == ("lammps", "cpu")
    assert "asked for" in choice.reason
    with pytest.raises(EngineError, match="lammps finds no GPU"):
        base.choose("lammps", "gpu")
    with pytest.raises(EngineError, match="allowed: auto, hoomd, lammps"):
        base.choose("gromacs")
    with pytest.raises(EngineError, match="allowed: auto, gpu, cpu"):
        base.choose("auto", "tpu")


def test_auto_falls_back_to_lammps_without_hoomd(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[str], base.Availability] = base.availability

    def without_hoomd(name: str) -> base.Availability:
        return base.Availability("hoomd", False, None, base.HOOMD_MISSING) if name == "hoomd" else real(name)

    monkeypatch.setattr(base, "availability", without_hoomd)
    choice = base.choose()
    assert choice.engine == "lammps"
    assert "hoomd is not usable here" in choice.reason
    with pytest.raises(EngineError, match=r"conda env create -f environment\.yml"):
        base.choose("hoomd")


def test_auto_takes_hoomd_on_a_gpu_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        base,
        "availability",
        lambda name: base.Availability(name, True, "7.2.1", "GPU found", gpu=name == "hoomd"),
    )
    assert dataclasses.astuple(base.choose())[:2] == ("hoomd", "gpu")
    assert dataclasses.astuple(base.choose(device="cpu"))[:2] == ("hoomd", "cpu")
