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
    turning = tuple(float(0.5 * gamma * np.mean(edges) ** 2 * (1 + 0.0 * edge)) for edge in edges)
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
    particles.orientation = rowan.random.rand(total)
    rigid.thermal(frame, {"cube": body}, rng)
    pairs = {("sphere", "sphere"): (WCA,), ("sphere", "bead"): (WCA,), ("bead", "bead"): (WCA,)}
    return System(frame, pairs, {"sphere": 1.0}, timestep, 1.0, bodies={"cube": body})


def _start(name: str, system: System, schedule: Schedule, step: int = 0, seed: int = 3) -> base.Engine:
    return base.start(base.choose(name), system, schedule, seed=seed, step=step)


def _later(system: System, schedule: Schedule, steps: int, name: str = "lammps") -> System:
    engine = _start(name, system, schedule)
    engine.run(steps)
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
    system = _system(n=n, spheres=spheres, spacing=4.0 if n == 3 else 5.0)
    system = _later(system, STILL, 1500)
    if tilt:
        given = system.frame.configuration.box
        share = np.asarray(system.frame.particles.position, float) @ np.linalg.inv(box.edges(given))
        system.frame.configuration.box = [*given[:3], tilt, -tilt, 0.5 * tilt]
        system.frame.particles.position = share @ box.edges(system.frame.configuration.box)
    forces, torques, energy, virial = _sums(system)
    assert energy > 1, "bodies touch"
    engine = _start(name, system, STILL)
    volume = np.prod(system.frame.configuration.box[:3])
    assert engine.virial_pressure() == pytest.approx(virial / (3 * volume), rel=1e-6)
    assert engine.potential_energy() == pytest.approx(energy, rel=1e-6)
    assert _close(engine.forces(), forces) < 1e-6
    centres = rigid.centres(system.frame, system.bodies)
    assert _close(engine.torques()[centres], torques[centres]) < 1e-6
