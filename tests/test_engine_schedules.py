"""What a schedule prescribes, on both engines: temperature, gravity, solvent, cell and pressure; and unstable steps."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest
from numpy.typing import NDArray

from supercrystal import box, study
from supercrystal.engines import base
from supercrystal.errors import SimulationError
from supercrystal.interactions.hamaker import Hamaker
from supercrystal.interactions.shell import Shell
from supercrystal.run import Prepared, prepare, run
from supercrystal.simulate import _merged
from supercrystal.system import Schedule, System

ENGINES = ["lammps", pytest.param("hoomd", marks=pytest.mark.hoomd)]
NAN = math.nan
WCA = Shell(1.0, 2 ** (1 / 6), 12.0)
PAIRS = {("A", "A"): (WCA,), ("A", "B"): (WCA,), ("B", "B"): (WCA,)}


def _cell(density: float = 0.7, count: int = 343, tilt: float = 0.0) -> System:
    """A simple cubic start of two types with equal potentials, which melts at once."""
    rng = np.random.default_rng(1)
    n = round(count ** (1 / 3))
    side = (count / density) ** (1 / 3)
    share = (np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / n - 0.5
    frame = gsd.hoomd.Frame()
    frame.configuration.box = [side, side, side, tilt, 0, 0]
    frame.configuration.dimensions = 3
    frame.particles.N = count
    frame.particles.types = ["A", "B"]
    frame.particles.typeid = np.arange(count) % 2
    frame.particles.position = share @ box.edges(frame.configuration.box)
    frame.particles.mass = np.ones(count)
    frame.particles.diameter = np.ones(count)
    frame.particles.velocity = rng.normal(0, 1, (count, 3))
    frame.particles.image = np.zeros((count, 3), int)
    frame.validate()
    return System(frame, PAIRS, {"A": 1.0, "B": 1.0}, 0.005, 1.0)


def _start(name: str, system: System, schedule: Schedule, step: int = 0) -> base.Engine:
    return base.start(base.choose(name), system, schedule, seed=3, step=step)


def _temperature(frame: gsd.hoomd.Frame) -> float:
    return float(np.mean(np.asarray(frame.particles.velocity, float) ** 2))


@pytest.mark.parametrize("name", ENGINES)
def test_the_bath_follows_its_ramp(name: str) -> None:
    engine = _start(name, _cell(), Schedule((0, 400, 2400, 3400), temperature=(1.0, 1.0, 2.5, 2.5)))
    engine.run(2400)
    found = []
    for _ in range(10):
        engine.run(100)
        found.append(_temperature(engine.frame()))
    # Standard deviation of one frame is 2.5 √(2/1029) = 0.11; momentum forgets within a Brownian time, two frames.
    assert float(np.mean(found)) == pytest.approx(2.5, abs=0.2)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("flexible", ["isotropic", "orthorhombic"])
def test_a_fluid_under_pressure_finds_its_density(name: str, flexible: str) -> None:
    schedule = Schedule((0, 500, 6000), pressure=(NAN, 6.0, 6.0), flexible=flexible)  # type: ignore[arg-type]
    engine = _start(name, _cell(), schedule)
    engine.run(2500)
    density, pressure = [], []
    for _ in range(35):
        engine.run(100)
        volume = float(np.prod(engine.frame().configuration.box[:3]))
        density.append(343 / volume)
        pressure.append(343 / volume + engine.virial_pressure())
    blocks = [float(np.mean(block)) for block in np.array_split(pressure, 5)]
    error = float(np.std(blocks, ddof=1) / np.sqrt(5))
    assert float(np.mean(pressure)) == pytest.approx(6.0, abs=4 * error)
    assert error < 0.4
    assert 0.74 < float(np.mean(density)) < 0.82  # 50,000 steps: 0.7779(6) on LAMMPS, 0.7791(4) on HOOMD-blue


@pytest.mark.parametrize("name", ENGINES)
def test_a_triclinic_cell_keeps_its_particles_and_goes_on_from_a_checkpoint(name: str) -> None:
    system = _cell(density=1.1, tilt=0.05)
    schedule = Schedule((0, 100, 1000), pressure=(NAN, 30.0, 30.0), flexible="triclinic")
    engine = _start(name, system, schedule)
    engine.run(500)
    frame = engine.frame()
    share = np.linalg.solve(
        box.edges(frame.configuration.box).T, np.asarray(frame.particles.position, float).T
    ).T
    assert np.all(np.abs(share) <= 0.5 + 1e-5)
    assert frame.configuration.box[3] != pytest.approx(0.05, abs=1e-4), "the angles are free"
    again = _start(name, dataclasses.replace(system, frame=_merged(system.frame, frame)), schedule, step=500)
    assert again.frame().configuration.box == pytest.approx(frame.configuration.box, rel=1e-5, abs=1e-6)
    assert again.potential_energy() == pytest.approx(engine.potential_energy(), rel=1e-4)  # single precision
    again.run(500)
    assert _temperature(again.frame()) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("name", ENGINES)
def test_the_sides_of_a_cell_follow_the_schedule_and_then_the_pressure(name: str) -> None:
    system = _cell(density=0.5)
    side = float(system.frame.configuration.box[0])
    free = (NAN,) * 3
    schedule = Schedule(
        (0, 100, 1100, 1600),
        sides=((side,) * 3, (side,) * 3, (0.9 * side,) * 3, free),
        pressure=(NAN, NAN, 5.0, 5.0),
    )
    engine = _start(name, system, schedule)
    engine.run(600)
    lag = 10 * 0.1 / 1000  # HOOMD sets the sides every ten steps
    assert engine.frame().configuration.box[:3] == pytest.approx([0.95 * side] * 3, rel=1.1 * lag)
    engine.run(500)
    assert engine.frame().configuration.box[:3] == pytest.approx([0.9 * side] * 3, rel=1.1 * lag)
    engine.run(500)
    assert engine.frame().configuration.box[0] != pytest.approx(0.9 * side, rel=1e-4)


def _pair_sum(system: System, strength: float) -> tuple[NDArray[np.float64], float]:
    """Forces and energy from the pure functions, all pairs."""
    x = np.asarray(system.frame.particles.position, float)
    cell = box.edges(system.frame.configuration.box)
    d = x[:, None] - x[None]
    share = d @ np.linalg.inv(cell)
    d = (share - np.round(share)) @ cell
    r = np.linalg.norm(d, axis=2)
    r[np.diag_indices(len(r))] = 1e6  # beyond every range
    pairs, solvent = PAIRS["A", "A"], system.solvent["A", "A"]
    energy = sum(p.energy(r) for p in pairs) + strength * sum(p.energy(r) for p in solvent)
    force = sum(p.force(r) for p in pairs) + strength * sum(p.force(r) for p in solvent)
    return np.einsum("ij,ijk->ik", force / r, d), float(np.sum(energy)) / 2


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_the_solvent_has_the_strength_of_its_schedule(name: str, tilt: float) -> None:
    tail = Hamaker(3.0, (0.3, 0.3), 0.8, 2.0)
    system = dataclasses.replace(_cell(tilt=tilt), solvent={types: (tail,) for types in PAIRS})
    schedule = Schedule((0, 1000, 2000), solvent=(0.0, 0.0, 2.0))
    engine = _start(name, system, schedule)
    engine.run(1000)
    moved = dataclasses.replace(system, frame=_merged(system.frame, engine.frame()))
    for step in (1000, 1600):
        expected, energy = _pair_sum(moved, schedule.value("solvent", step))
        engine = _start(name, moved, schedule, step=step)
        found = engine.forces()
        assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-6
        assert engine.potential_energy() == pytest.approx(energy, rel=1e-6)


SEDIMENT = """[protocol]
kind = "sedimentation"
gravitational_length_diameters = 0.5
initial_packing_fraction = 0.2
substrate = "fcc(100)"
dry_layers = 4
mixing_brownian_times = 2
ramp_brownian_times = 5
hold_brownian_times = 10
frames = 10
"""


def _study(text: str, protocol: str, **changes: str) -> study.Study:
    head = text[: text.index("[protocol]")].replace("count = 1000", "count = 200")
    for old, new in {"size_dispersity = 0.03": "size_dispersity = 0.0", **changes}.items():
        assert old in head
        head = head.replace(old, new)
    return study.parse(head + protocol)


def _sediment(example_text: str) -> tuple[Prepared, int]:
    made = prepare(_study(example_text, SEDIMENT))
    return made, made.schedule.total - 100


@pytest.mark.parametrize("name", ENGINES)
def test_weights_pull_down_what_moves_and_a_template_stays(name: str, example_text: str) -> None:
    made, step = _sediment(example_text)
    engine = _start(name, made.system, made.schedule)
    first = engine.frame()
    engine.run(step)
    frame = engine.frame()
    fixed = frame.particles.typeid == list(frame.particles.types).index("template")
    moved = np.asarray(frame.particles.position, float) - np.asarray(first.particles.position, float)
    assert np.abs(moved[fixed]).max() < 1e-5
    assert np.mean(moved[~fixed, 2]) < -5.0  # nm: they have fallen
    forces = engine.forces()
    assert made.system.film is not None
    without = _start(name, dataclasses.replace(made.system, frame=_merged(made.system.frame, frame), weight={}),
                     made.schedule, step=step).forces()  # fmt: skip
    weight = 1 / (0.5 * made.model.reference_diameter)
    tolerance = 1e-6 * np.abs(forces).max()
    assert (forces - without)[~fixed, 2] == pytest.approx(
        np.full((~fixed).sum(), -weight), abs=tolerance * 300
    )


@pytest.mark.hoomd
def test_both_engines_agree_on_a_frame_with_weights_walls_and_a_template(example_text: str) -> None:
    made, step = _sediment(example_text)
    engine = _start("lammps", made.system, made.schedule)
    engine.run(step)
    system = dataclasses.replace(made.system, frame=_merged(made.system.frame, engine.frame()))
    fixed = np.asarray(system.frame.particles.typeid) == list(system.types).index("template")
    found = {}
    for name in ("lammps", "hoomd"):
        engine = _start(name, system, made.schedule, step=step)
        found[name] = (engine.forces()[~fixed], engine.potential_energy())
    one, two = found["lammps"], found["hoomd"]
    assert np.linalg.norm(one[0] - two[0]) / np.linalg.norm(two[0]) < 1e-6
    assert one[1] == pytest.approx(two[1], rel=1e-6)


def test_the_energy_of_weights_is_force_times_height(example_text: str) -> None:
    made, _ = _sediment(example_text)
    system, frame = made.system, made.system.frame
    before = system.weight_energy(frame, 2.0)
    frame.particles.position = np.asarray(frame.particles.position) + np.array([0, 0, 0.25])
    mobile = 200
    assert system.weight_energy(frame, 2.0) - before == pytest.approx(
        2 * mobile * 0.25 / made.model.reference_diameter, rel=1e-5
    )
    assert system.weight_energy(frame, 0.0) == 0.0


@pytest.mark.parametrize("name", ENGINES)
def test_an_unstable_step_stops_the_run_with_advice_and_keeps_what_there_is(
    name: str, example_text: str, tmp_path: Path
) -> None:
    protocol = SEDIMENT.replace('substrate = "fcc(100)"\n', "").replace(
        "hold_brownian_times = 10", "hold_brownian_times = 40"
    )
    text = example_text[: example_text.index("[protocol]")]
    text = (
        text.replace("count = 1000", "count = 200").replace("[model]", "[model]\ntimestep_factor = 14.0")
        + protocol
    )
    with pytest.raises(SimulationError, match="lower the time step"):
        run(study.parse(text), text, tmp_path / "run", engine=name, quiet=True)
    with gsd.hoomd.open(tmp_path / "run" / "trajectory.gsd") as file:
        assert len(file) >= 1
        assert np.all(np.isfinite(file[-1].particles.position))
    assert not (tmp_path / "run" / "result.json").exists()
