"""Polyhedra in HOOMD-blue against the contacts in plain numpy, its own finite differences, and equipartition."""

from __future__ import annotations

import dataclasses
import itertools
import math
from functools import lru_cache
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest
import rowan
from numpy.typing import NDArray

from supercrystal import box, rigid
from supercrystal import study as studies
from supercrystal.engines import base
from supercrystal.errors import EngineError
from supercrystal.interactions import alj
from supercrystal.interactions.alj import Facets
from supercrystal.models import cubes, polyhedra
from supercrystal.models.model import Batch
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.protocols.start import CellStart, cell
from supercrystal.run import run
from supercrystal.rundir import RunDirectory
from supercrystal.shapes import Shape, cube, cuboid
from supercrystal.simulate import _merged, marks, simulate
from supercrystal.soundness import check
from supercrystal.structure import trajectory
from supercrystal.system import Schedule, System
from tests.test_alj import STUDY

hoomd = pytest.mark.hoomd
STILL = Schedule((0, 10_000_000))
POINT = Facets(np.zeros((0, 3)), ())


def _crystal(shape: Shape | None) -> Nanocrystal:
    core = Core("CsPbBr3", 9.0) if shape is None else Core.of("CsPbBr3", shape)
    return Nanocrystal(core, Ligand("oleate", 18, 1), 3.0)


KINDS: dict[str, Shape | None] = {
    "cube": cube(8.6),
    "truncated": cube(8.6, 1.5),
    "plate": cuboid((10.0, 8.0, 6.0)),
    "sphere": None,
}


@lru_cache
def _dense(
    attractive: bool = False, kinds: tuple[str, ...] = ("cube",), spacing: float = 11.4, turn: float = 0.04
) -> System:
    """64 nanocrystals about the sites of a simple cubic lattice, turned a little, at kT."""
    batches = [Batch(name, _crystal(KINDS[name]), 64 // len(kinds)) for name in kinds]
    wells = tuple((a, b, -1.5) for a, b in itertools.combinations_with_replacement(kinds, 2))
    model = polyhedra.build(batches, 298.15, cubes.Settings(wells=wells if attractive else ()))
    system, _ = cell(model, CellStart(0.05), seed=3)
    rng = np.random.default_rng(5)
    frame = system.frame
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    frame.configuration.box = [4 * spacing] * 3 + [0, 0, 0]
    frame.particles.position = rng.permutation(
        (grid - 1.5) * spacing + rng.uniform(-3 * turn, 3 * turn, (64, 3))
    )
    turns = rng.normal(size=(64, 3))
    turns *= rng.uniform(0, turn, (64, 1)) / np.linalg.norm(turns, axis=1, keepdims=True)
    frame.particles.orientation = rowan.exp(np.column_stack([np.zeros(64), turns]))
    rigid.thermal(frame, system.polyhedra, rng)
    return system


MIXED = ("cube", "truncated", "plate", "sphere")


def _start(system: System, schedule: Schedule = STILL, step: int = 0) -> base.Engine:
    return base.start(base.choose("hoomd", "cpu", system), system, schedule, seed=3, step=step)


def _neighbours(system: System) -> list[tuple[int, int, NDArray[np.float64]]]:
    """Pairs within range, with the vector from the first to the second."""
    edges = box.edges(system.frame.configuration.box)
    x = np.asarray(system.frame.particles.position, float)
    found = []
    for i, j in itertools.combinations(range(len(x)), 2):
        share = (x[j] - x[i]) @ np.linalg.inv(edges)
        r = (share - np.round(share)) @ edges
        if np.linalg.norm(r) < system.r_cut:
            found.append((i, j, r))
    return found


def _pair(system: System, i: int, j: int) -> tuple[Facets, Facets, alj.Contact | None]:
    names = [system.types[system.frame.particles.typeid[k]] for k in (i, j)]
    a, b = (system.polyhedra[n].facets if n in system.polyhedra else POINT for n in names)
    return a, b, system.contacts.get((names[0], names[1])) or system.contacts.get((names[1], names[0]))


@hoomd
@pytest.mark.parametrize("attractive", [False, True])
def test_energies_forces_and_torques_are_those_of_the_contacts(attractive: bool) -> None:
    """Forces and torques of the engine against central differences of the energy in plain numpy."""
    system = _dense(attractive, MIXED, 13.2 if attractive else 11.8, 0.12)
    particles = system.frame.particles
    q = rigid.orientations(system.frame)
    energy, contacts = 0.0, 0
    pairs = _neighbours(system)
    for i, j, r in pairs:
        a, b, contact = _pair(system, i, j)
        if contact is None:
            energy += sum(float(p.energy(np.linalg.norm(r))) for p in system.pairs["sphere", "sphere"])
        else:
            found = alj.energy(a, b, contact, r, q[i], q[j])
            energy, contacts = energy + found, contacts + (abs(found) > 0.01)
    assert contacts > 25, "bodies touch"
    engine = _start(system)
    assert engine.potential_energy() == pytest.approx(
        energy, rel=1e-6
    )  # tables of spheres; contacts alone 1e-12

    forces, torques = engine.forces(), engine.torques()
    assert np.abs(forces.sum(axis=0)).max() < 1e-6 * np.abs(forces).max()
    kinds = particles.typeid
    step = 1e-5
    for k in [int(np.flatnonzero(kinds == kind)[0]) for kind in range(4)]:
        mine = [(i, j, r) for i, j, r in pairs if k in (i, j)]

        def around(shift: NDArray[np.float64], turn: NDArray[np.float64], mine=mine, k=k) -> float:  # type: ignore[no-untyped-def]
            total = 0.0
            for i, j, r in mine:
                a, b, contact = _pair(system, i, j)
                moved = r + shift * (1 if j == k else -1)
                turned = [rowan.multiply(turn, q[n]) if n == k else q[n] for n in (i, j)]
                if contact is None:
                    total += sum(
                        float(p.energy(np.linalg.norm(moved))) for p in system.pairs["sphere", "sphere"]
                    )
                else:
                    total += alj.energy(a, b, contact, moved, *turned)
            return total

        none, still = np.zeros(3), np.array([1.0, 0, 0, 0])
        axis = rowan.rotate(q[k], [0.6, 0.0, 0.8])
        slope = (around(step * axis, still) - around(-step * axis, still)) / (2 * step)
        assert forces[k] @ axis == pytest.approx(-slope, rel=1e-5, abs=2e-4)
        turn = [rowan.from_axis_angle(axis, sign * step) for sign in (1, -1)]
        slope = (around(none, turn[0]) - around(none, turn[1])) / (2 * step)
        assert torques[k] @ axis == pytest.approx(-slope, rel=1e-5, abs=2e-3)


@hoomd
def test_angular_momentum_is_conserved_by_faces_beside_each_other() -> None:
    """Where HOOMD-blue's torque on the second of a pair is wrong by itself; and its energies' differences."""
    system = _two()
    engine = _start(system)
    forces, torques = engine.forces(), engine.torques()
    x = np.asarray(system.frame.particles.position, float)
    assert np.abs(torques).max() > 1
    assert torques.sum(axis=0) + np.cross(x, forces).sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    step, axis = 1e-5, np.array([0.6, 0.0, 0.8])
    for k in (0, 1):
        moved, turned = [], []
        for sign in (1, -1):
            changed = _merged(system.frame, system.frame)
            changed.particles.position = x + sign * step * axis * (np.arange(2) == k)[:, None]
            moved.append(_start(dataclasses.replace(system, frame=changed)).potential_energy())
            changed = _merged(system.frame, system.frame)
            q = np.array(changed.particles.orientation)
            q[k] = rowan.multiply(rowan.from_axis_angle(axis, sign * step), q[k])
            changed.particles.orientation = q
            turned.append(_start(dataclasses.replace(system, frame=changed)).potential_energy())
        assert forces[k] @ axis == pytest.approx(-(moved[0] - moved[1]) / (2 * step), rel=1e-6, abs=1e-5)
        assert torques[k] @ axis == pytest.approx(-(turned[0] - turned[1]) / (2 * step), rel=1e-6, abs=1e-5)


def _two() -> System:
    system = _dense()
    frame = gsd.hoomd.Frame()
    frame.configuration.box, frame.configuration.dimensions = [80.0] * 3 + [0, 0, 0], 3
    particles = frame.particles
    particles.N, particles.types, particles.typeid = 2, system.frame.particles.types, np.zeros(2, int)
    particles.position = np.array([[0.0, 0, 0], [10.5, 4.0, -2.5]])
    particles.orientation = np.array([[1.0, 0, 0, 0], rowan.from_axis_angle([0.3, 0.5, 0.8], 0.03)])
    particles.diameter, particles.mass = np.ones(2), np.ones(2)
    particles.velocity, particles.image = np.zeros((2, 3)), np.zeros((2, 3), int)
    rigid.thermal(frame, system.polyhedra, np.random.default_rng(1))
    return dataclasses.replace(system, frame=frame)


@hoomd
def test_energy_is_conserved_without_bath() -> None:
    system = _dense()
    loose = {
        name: dataclasses.replace(one, friction=1e-12, rotational_friction=(1e-12,) * 3)
        for name, one in system.polyhedra.items()
    }
    engine = _start(
        dataclasses.replace(system, polyhedra=loose, friction=dict.fromkeys(system.friction, 1e-12))
    )

    def total() -> float:
        frame = engine.frame()
        moving = float(np.sum(frame.particles.mass[:, None] * frame.particles.velocity**2)) / 2
        turning = float(np.sum(rigid.rotational_energy(frame, loose)))
        return (engine.potential_energy() + moving + turning) / (6 * frame.particles.N)

    energies = [total()]
    for _ in range(8):
        engine.run(100)
        energies.append(total())
    # of some 0.5 kT a degree of freedom in half a Brownian time
    assert np.ptp(energies) < 0.01


@hoomd
def test_every_degree_of_freedom_has_half_a_kt() -> None:
    system = _dense()
    engine = _start(system)
    mine = rigid.centres(system.frame, system.polyhedra)
    moving, turning = [], []
    engine.run(300)
    for _ in range(48):
        engine.run(40)
        frame = engine.frame()
        each = frame.particles.mass[:, None] * frame.particles.velocity**2 / 2
        moving.append(float(each[mine].mean()))
        turning.append(float(rigid.rotational_energy(frame, system.polyhedra).mean()))
    for values in (moving, turning):
        blocks = [float(np.mean(block)) for block in np.array_split(values, 8)]
        error = float(np.std(blocks, ddof=1)) / math.sqrt(8)
        assert error < 0.03
        assert np.mean(values) == pytest.approx(0.5, abs=4 * error + 0.005)


@hoomd
def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    system = _dense()
    check(system, STILL)
    schedule = Schedule((0, 200, 800), pressure=(math.nan, 0.003, 0.003))
    choice = base.choose("auto", "cpu", system)
    directory = RunDirectory(tmp_path / "run")
    directory.create("")
    simulate(directory, system, schedule, choice, 1, marks(400, 2), quiet=True)
    saved = directory.read_checkpoint()
    assert saved is not None
    again = _start(
        dataclasses.replace(system, frame=_merged(system.frame, saved)), schedule, step=400
    ).frame()
    assert np.abs(again.particles.orientation - saved.particles.orientation).max() < 1e-6
    assert (
        np.abs(again.particles.angmom - saved.particles.angmom).max()
        < 1e-5 * np.abs(saved.particles.angmom).max()
    )
    simulate(directory, system, schedule, choice, 1, marks(800, 4), quiet=True)
    with trajectory.open_trajectory(directory.trajectory) as file:
        found = [file.read(k) for k in range(len(file))]
    assert [one.step for one in found] == [0, 200, 400, 600, 800]
    assert np.linalg.norm(found[-1].orientations, axis=1) == pytest.approx(1, abs=1e-6)
    with gsd.hoomd.open(directory.log, "r") as file:
        hot = [float(row.log["supercrystal/rotational_temperature"][0]) for row in file]
    assert len(hot) == 9
    assert np.mean(hot) == pytest.approx(1, abs=0.4)


@hoomd
def test_pressure_is_the_virial_of_the_contacts() -> None:
    system = _dense()
    engine = _start(system)
    side, widths = float(system.frame.configuration.box[0]), []
    for strain in (1e-6, -1e-6):
        changed = _merged(system.frame, system.frame)
        changed.configuration.box = [side * (1 + strain)] * 3 + [0, 0, 0]
        changed.particles.position = np.asarray(system.frame.particles.position, float) * (1 + strain)
        widths.append(_start(dataclasses.replace(system, frame=changed)).potential_energy())
    slope = (widths[0] - widths[1]) / (3 * side**3 * 2e-6)
    assert engine.virial_pressure() == pytest.approx(-slope, rel=1e-4)


@hoomd
@pytest.mark.slow
def test_a_study_is_compressed_and_reported(tmp_path: Path) -> None:
    text = STUDY.replace("[5.0, 60.0]", "[1.0, 20.0]").replace(
        'kind = "compression"', 'kind = "compression"\nmixing_brownian_times = 1.0\nframes = 10'
    )
    text = text.replace("[model]", "[model]\ntimestep_factor = 2.0")
    result = run(studies.parse(text), text, tmp_path / "run", quiet=True)
    assert result["engine"]["engine"] == "hoomd"
    assert result["mapping"]["interaction"] == "alj"
    with gsd.hoomd.open(tmp_path / "run" / "trajectory.gsd", "r") as file:
        volumes = [float(np.prod(frame.configuration.box[:3])) for frame in file]
    assert volumes[-1] < 0.5 * volumes[0]


def test_lammps_is_refused_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    model = polyhedra.build([Batch("N", _crystal(cube(8.6)), 64)], 298.15)
    system, _ = cell(model, CellStart(0.1), seed=1)
    with pytest.raises(EngineError, match="no ALJ polyhedra"):
        base.choose("lammps", "cpu", system)
    with pytest.raises(EngineError, match="no ALJ polyhedra"):
        base.start(base.Choice("lammps", "cpu", "", ""), system, STILL, seed=1)
    missing = base.Availability("hoomd", False, None, base.HOOMD_MISSING)
    monkeypatch.setattr(base, "availability", lambda name: missing)
    for engine in ("auto", "hoomd"):
        with pytest.raises(EngineError, match="'alj' needs HOOMD-blue"):
            base.choose(engine, "cpu", system)
