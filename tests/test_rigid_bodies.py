"""Rigid bodies on both engines, against pure sums, against each other, and against equipartition."""

from __future__ import annotations

import dataclasses
import math

import gsd.hoomd
import numpy as np
import pytest
import rowan
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from supercrystal import box, rigid
from supercrystal.engines import base
from supercrystal.errors import EngineError, PhysicsError
from supercrystal.interactions.shell import Shell
from supercrystal.interactions.wall import Wall
from supercrystal.models.beads import Body
from supercrystal.simulate import _merged
from supercrystal.soundness import check
from supercrystal.system import Film, Schedule, System

ENGINES = ["lammps", pytest.param("hoomd", marks=pytest.mark.hoomd)]
NAN = math.nan
WCA = Shell(1.0, 2 ** (1 / 6), 12.0)


def _surface(n: int) -> NDArray[np.float64]:
    """Points of an n × n × n grid on the surface of a cube of edge n − 1, scaled to a spacing of 0.8."""
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3) - (n - 1) / 2
    return 0.8 * grid[np.abs(grid).max(axis=1) > (n - 1) / 2 - 0.1]


def _cube(n: int = 3, stretch: tuple[float, float, float] = (1.0, 1.0, 1.0), gamma: float = 2.0) -> Body:
    positions = _surface(n) * stretch
    edges = np.ptp(positions, axis=0) + 1.0
    mass = 2.0
    moments = tuple(float(mass / 12 * (np.sum(edges**2) - edge**2)) for edge in edges)
    turning = tuple(float(gamma * edge * np.mean(edges) / 2) for edge in edges)
    return Body("cube", positions, ("bead",) * len(positions), mass, moments, gamma, turning)  # type: ignore[arg-type]


def _system(
    count: int = 27,
    spheres: int = 0,
    n: int = 3,
    spacing: float = 4.2,
    body: Body | None = None,
    timestep: float = 0.002,
    seed: int = 1,
) -> System:
    """Cubes, turned at random, and spheres on a simple cubic lattice."""
    rng = np.random.default_rng(seed)
    body = body or _cube(n)
    total = count + spheres
    side = math.ceil(total ** (1 / 3) - 1e-9)
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3)[:total]
    frame = gsd.hoomd.Frame()
    frame.configuration.box = [side * spacing] * 3 + [0, 0, 0]
    frame.configuration.dimensions = 3
    particles = frame.particles
    particles.N = total
    particles.types = ["cube", "sphere", "bead"]
    particles.typeid = rng.permutation([0] * count + [1] * spheres)
    particles.position = (grid + 0.5 - side / 2) * spacing
    particles.image = np.zeros((total, 3), int)
    particles.diameter = np.ones(total)
    particles.mass = np.ones(total)
    particles.velocity = rng.normal(size=(total, 3))
    particles.orientation = rowan.normalize(rng.normal(size=(total, 4)))
    rigid.thermal(frame, {"cube": body}, rng)
    pairs = {("sphere", "sphere"): (WCA,), ("sphere", "bead"): (WCA,), ("bead", "bead"): (WCA,)}
    return System(frame, pairs, {"sphere": 1.0}, timestep, 1.0, bodies={"cube": body})


def _start(name: str, system: System, schedule: Schedule, step: int = 0, seed: int = 3) -> base.Engine:
    return base.start(base.choose(name), system, schedule, seed=seed, step=step)


def _dense(system: System, spacing: float, steps: int = 1500, name: str = "lammps") -> System:
    """The system after its cell has shrunk to `spacing` for each particle of the lattice."""
    side = float(system.frame.configuration.box[0])
    count = round(side / 4.2) if spacing < 4.2 else round(side / 5.5)
    sides = ((side,) * 3, (count * spacing,) * 3, (count * spacing,) * 3)
    engine = _start(name, system, Schedule((0, steps, steps + 500), sides=sides))
    engine.run(steps + 500)
    return dataclasses.replace(system, frame=_merged(system.frame, engine.frame()))


def _sums(system: System) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """Forces and torques on particles, energy, and the virial of the centres, from the pure functions alone."""
    whole = rigid.with_beads(system.frame, system.bodies).particles
    cell = box.edges(system.frame.configuration.box)
    count = int(system.frame.particles.N)
    x = np.asarray(whole.position, float)
    owner = np.where(whole.body < 0, np.arange(whole.N), whole.body)
    # every image within reach, of whatever cell
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    far = (x[None] + shifts[:, None]).reshape(-1, 3)
    i, j = (
        np.concatenate(found)
        for found in zip(
            *[
                (np.full(len(near), k), np.array(near, int))
                for k, near in enumerate(cKDTree(far).query_ball_point(x, system.r_cut))
            ],
            strict=True,
        )
    )
    r = x[i] - far[j]
    j %= whole.N
    keep = owner[i] != owner[j]
    i, j, r = i[keep], j[keep], r[keep]
    distance = np.linalg.norm(r, axis=1)
    strength, energy = np.zeros(len(r)), 0.0
    for pair, potentials in system.pairs.items():
        kinds = [system.types.index(name) for name in pair]
        mine = np.all(np.sort(whole.typeid[np.column_stack([i, j])], axis=1) == np.sort(kinds), axis=1)
        for potential in potentials:
            energy += float(np.sum(potential.energy(distance[mine]))) / 2
            strength[mine] += potential.force(distance[mine])
    pull = strength[:, None] * r / distance[:, None]
    every = np.zeros_like(x)
    np.add.at(every, i, pull)
    centre = np.asarray(system.frame.particles.position, float)
    arm = rigid.beads(system.frame, system.bodies).offsets
    arms = np.vstack([np.zeros((count, 3)), arm])
    forces, torques = np.zeros((count, 3)), np.zeros((count, 3))
    np.add.at(forces, owner, every)
    np.add.at(torques, owner, np.cross(arms, every))
    # between centres: r − arm(i) + arm(j), each pair twice
    virial = float(np.sum(pull * (r - arms[i] + arms[j]))) / 2
    assert len(centre) == count
    return forces, torques, energy, virial


def _close(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(np.abs(found - expected).max() / np.linalg.norm(expected, axis=1).max())


STILL = Schedule((0, 1_000_000))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("n", "spheres", "tilt"), [(3, 0, 0.0), (4, 0, 0.0), (3, 37, 0.0), (3, 37, 0.1)]
)
def test_forces_torques_and_energy_are_the_sums_over_beads(name: str, n: int, spheres: int, tilt: float) -> None:
    system = _system(n=n, spheres=spheres, spacing=4.2 if n == 3 else 5.5)
    system = _dense(system, 3.4 if n == 3 else 4.3)
    if tilt:
        given = system.frame.configuration.box
        share = np.asarray(system.frame.particles.position, float) @ np.linalg.inv(box.edges(given))
        system.frame.configuration.box = [*given[:3], tilt, -tilt, 0.5 * tilt]
        system.frame.particles.position = share @ box.edges(system.frame.configuration.box)
    forces, torques, energy, virial = _sums(system)
    assert energy > 5, "bodies touch"
    engine = _start(name, system, STILL)
    volume = np.prod(system.frame.configuration.box[:3])
    assert engine.virial_pressure() == pytest.approx(virial / (3 * volume), rel=1e-6)
    assert engine.potential_energy() == pytest.approx(energy, rel=1e-6)
    assert _close(engine.forces(), forces) < 1e-6
    centres = rigid.centres(system.frame, system.bodies)
    assert _close(engine.torques()[centres], torques[centres]) < 1e-6


@pytest.mark.parametrize("name", ENGINES)
def test_energy_is_conserved_without_bath_and_bodies_keep_their_shape(name: str) -> None:
    # A bath that neither rubs nor shakes; a body with three different moments and edges.
    body = _cube(3, (1.0, 0.8, 1.2), gamma=1e-12)
    system = _dense(_system(body=body, spheres=37), 3.4)
    system = dataclasses.replace(system, friction={"sphere": 1e-12}, timestep=0.001)
    engine = _start(name, system, STILL)

    def total() -> float:
        frame = engine.frame()
        moving = float(np.sum(frame.particles.mass * np.sum(frame.particles.velocity**2, axis=1))) / 2
        return engine.potential_energy() + moving + float(np.sum(rigid.rotational_energy(frame, system.bodies)))

    start = engine.frame()
    energies = [total()]
    for _ in range(20):
        engine.run(100)
        energies.append(total())
    frame = engine.frame()
    turned = rowan.multiply(rowan.conjugate(start.particles.orientation), frame.particles.orientation)
    assert np.abs(turned[rigid.centres(frame, system.bodies), 0]).min() < 0.9, "bodies turn"
    # 236 degrees of freedom hold 118 kT; the step is the error
    assert np.ptp(energies) < 2e-3 * energies[0]


def _atoms(engine: base.Engine, system: System) -> NDArray[np.float64]:
    """Positions of all particles and beads as the engine itself has them."""
    total = int(system.frame.particles.N) + len(rigid.beads(system.frame, system.bodies).owner)
    if engine.name == "hoomd":
        return np.array(engine._simulation.state.get_snapshot().particles.position)[:total]  # type: ignore[attr-defined]
    return engine._gather("x", 1, 3)[:total]  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("pressure", [False, True])
def test_the_beads_of_an_engine_are_where_its_frame_says(name: str, pressure: bool) -> None:
    system = _system(body=_cube(3, (1.0, 0.8, 1.2)), spheres=5, count=22)
    schedule = (
        Schedule((0, 500, 1000, 1500), pressure=(NAN, NAN, 0.3, 0.5), sides=((12.6,) * 3, (12.2,) * 3, (NAN,) * 3, (NAN,) * 3))
        if pressure
        else STILL
    )
    engine = _start(name, system, schedule)
    for _ in range(3):
        engine.run(500)
        frame = engine.frame()
        expected = np.asarray(rigid.with_beads(frame, system.bodies).particles.position, float)
        side = np.asarray(frame.configuration.box[:3])
        apart = _atoms(engine, system) - expected
        apart -= side * np.round(apart / side)
        # at the end of a step the shape is exact, but for the strain of a step that moves the cell
        assert np.abs(apart).max() < (1e-6 if not pressure else 1e-3)
    if pressure:
        bodies, radius = rigid.centres(frame, system.bodies), system.bodies["cube"].radius
        engine.forces()
        beads = rigid.beads(engine.frame(), system.bodies)
        assert np.linalg.norm(beads.offsets, axis=1).max() == pytest.approx(radius, abs=1e-6)
        assert len(bodies) == 22


@pytest.mark.parametrize("name", ENGINES)
def test_frictions_are_those_of_the_body(name: str) -> None:
    """In a bath of no temperature momenta decay as exp(−γt/m) and exp(−γᵣt/I)."""
    body = _cube(3)
    system = _system(count=8, body=body, spacing=8.0)
    schedule = Schedule((0, 1_000_000), temperature=(1e-14, 1e-14))
    system.frame.particles.position = np.asarray(system.frame.particles.position)
    engine = _start(name, system, schedule)
    before = engine.frame()
    engine.run(200)
    frame = engine.frame()
    assert engine.potential_energy() == 0, "bodies are apart"
    time = 200 * system.timestep
    slower = -np.log(frame.particles.velocity / before.particles.velocity) / time
    # a step γ dt/m of 0.002 shifts the rate by half of itself, either way
    assert slower == pytest.approx(body.friction / body.mass, rel=2e-3)
    turning = [np.linalg.norm(rigid.own_momenta(one), axis=1) for one in (before, frame)]
    calmer = -np.log(turning[1] / turning[0]) / time
    assert calmer == pytest.approx(body.rotational_friction[0] / body.moments[0], rel=5e-3)


def _blocks(values: list[float]) -> tuple[float, float]:
    blocks = [float(np.mean(block)) for block in np.array_split(values, 8)]
    return float(np.mean(blocks)), float(np.std(blocks, ddof=1) / np.sqrt(len(blocks)))


@pytest.mark.parametrize("name", ENGINES)
def test_every_degree_of_freedom_has_half_a_kt(name: str) -> None:
    body = _cube(3, (1.0, 0.8, 1.2))
    system = _dense(_system(body=body, spheres=37), 3.4)
    engine = _start(name, system, STILL)
    mine = rigid.centres(system.frame, system.bodies)
    moving: list[float] = []
    spheres: list[float] = []
    turning: list[NDArray[np.float64]] = []
    engine.run(1000)
    for _ in range(160):
        engine.run(50)
        frame = engine.frame()
        each = frame.particles.mass[:, None] * frame.particles.velocity**2 / 2
        moving.append(float(each[mine].mean()))
        spheres.append(float(np.delete(each, mine, axis=0).mean()))
        turning.append(rigid.rotational_energy(frame, system.bodies).mean(axis=0))
    for values in (moving, spheres, *np.transpose(turning)):
        mean, error = _blocks(list(values))
        assert error < 0.03
        assert mean == pytest.approx(0.5, abs=4 * error + 0.003)


@pytest.mark.hoomd
@pytest.mark.long
@pytest.mark.parametrize("spheres", [0, 37])
def test_both_engines_find_the_same_density_under_pressure(spheres: int) -> None:
    found = {}
    for name in ("lammps", "hoomd"):
        system = _system(spheres=spheres)
        pressure = 0.5
        schedule = Schedule((0, 500, 1_000_000), pressure=(NAN, pressure, pressure))
        engine = _start(name, system, schedule)
        engine.run(10_000)
        density, inside = [], []
        for _ in range(300):
            engine.run(100)
            volume = float(np.prod(engine.frame().configuration.box[:3]))
            density.append((27 + spheres) / volume)
            inside.append((27 + spheres) / volume + engine.virial_pressure())
        found[name] = _blocks(density)
        mean, error = _blocks(inside)
        assert mean == pytest.approx(pressure, abs=4 * error)
        assert error < 0.1 * pressure
    (one, e1), (two, e2) = found["lammps"], found["hoomd"]
    assert one == pytest.approx(two, abs=4 * math.hypot(e1, e2))
    assert math.hypot(e1, e2) < 0.03 * one
    print(found)
