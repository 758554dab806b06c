"""Seeds of cubes with spheres: built with orientations, held while the rest melts, released as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from supercrystal import grow, growth, rigid, seed_crystal
from supercrystal.cli import main
from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.models import cubes as tier
from supercrystal.models.model import Batch, Model
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.packing import cubes
from supercrystal.protocols import seeding
from supercrystal.shapes import cube
from supercrystal.structure.orientation import cube_angles

OLEATE = Ligand("oleate", 18, 1)


@pytest.fixture(scope="module")
def model() -> Model:
    """5.3 nm cubes of 26 beads with spheres."""
    batches = [
        Batch("sphere", Nanocrystal(Core("Fe2O3", 14.0), OLEATE, 3.0), 20),
        Batch("cube", Nanocrystal(Core.of("CsPbBr3", cube(5.3)), OLEATE, 3.0), 80),
    ]
    return tier.build(batches, 298.15, tier.Settings(beads_per_edge=3))


def test_seeds_have_the_orientations_of_the_packing_models(model: Model) -> None:
    system, cells = seed_crystal.crystal(model, "ABO3", 0.5, 100, 1)
    particles = system.frame.particles
    assert 5 * np.prod(cells) == particles.N
    q = rigid.orientations(system.frame)[np.asarray(particles.typeid) == 1]
    wanted = np.vstack([[[1.0, 0, 0, 0]], cubes.rotations("ABO3", "rotated")["O"]])
    apart = np.abs(q @ wanted.T).max(axis=1)
    np.testing.assert_allclose(apart, 1, atol=1e-6)
    aligned, _ = seed_crystal.crystal(model, "ABO3:aligned", 0.5, 100, 1)
    np.testing.assert_allclose(rigid.orientations(aligned.frame), np.tile([1.0, 0, 0, 0], (particles.N, 1)))
    assert seed_crystal.roles(model, "ABO3") == {"A": "sphere", "B": "cube", "O": "cube"}
    volume = np.prod(np.asarray(system.frame.configuration.box[:3], float))
    shells = [crystal.capped.volume for crystal in model.nanocrystals]
    counted = np.bincount(particles.typeid, minlength=2)[:2] @ shells / volume
    assert counted == pytest.approx(0.5, rel=0.02)


def test_a_crystal_of_bodies_is_recognised_although_frames_name_beads(model: Model) -> None:
    system, _ = seed_crystal.crystal(model, "NaCl", 0.5, 96, 1)
    assert growth.crystalline(system.frame, "NaCl").all()
    # Orientations that are all exactly (1, 0, 0, 0) mean that a species has none: a thousandth of a radian makes them some.
    turned = rigid.orientations(system.frame)
    turned[np.asarray(system.frame.particles.typeid) == 1] = np.cos(5e-4), 0, 0, np.sin(5e-4)
    system.frame.particles.orientation = turned
    (site,) = grow.order_of_cubes(system.frame)
    assert site["mean_degrees_to_axes"] == pytest.approx(np.degrees(1e-3), abs=0.01)


def test_beads_of_the_seed_are_held_and_the_rest_melts(model: Model) -> None:
    system, cells = seed_crystal.crystal(model, "NaCl", 0.4, 96, 1)
    seed = seeding.slab(system.frame, cells, 0.5)
    rng = np.random.default_rng(1)
    start = seeding.held(system, seed, rng, 6.0)
    whole = rigid.with_beads(system.frame, system.bodies).particles
    still = np.isin(start.frame.particles.typeid, [start.types.index(name) for name in start.fixed])
    sites = seed[np.where(whole.body < 0, np.arange(whole.N), whole.body)]
    sites &= ~np.isin(np.arange(whole.N), rigid.centres(system.frame, system.bodies))
    ours = np.sort(np.asarray(start.frame.particles.position)[still], axis=0)
    np.testing.assert_allclose(ours, np.sort(whole.position[sites], axis=0), atol=1e-5)

    engine = base.start(base.choose("lammps", "cpu"), start, seeding.melting(start, 6.0), 1)
    engine.run(400)
    after = engine.frame()
    moved = np.asarray(after.particles.position)[still] - np.asarray(start.frame.particles.position)[still]
    sides = np.asarray(start.frame.configuration.box[:3])
    np.testing.assert_allclose(moved - sides * np.rint(moved / sides), 0, atol=1e-4)
    ready = seeding.released(system, after, rng, seed).frame
    before, now = rigid.orientations(system.frame), rigid.orientations(ready)
    np.testing.assert_allclose(now[seed], before[seed])
    np.testing.assert_allclose(ready.particles.position[seed], system.frame.particles.position[seed])
    bodies = np.asarray(ready.particles.typeid) == 1
    turned = cube_angles(now[bodies & ~seed], rotation=np.eye(3))
    assert turned.mean() > 5
    # All move again, at kT.
    energy = rigid.rotational_energy(ready, system.bodies)
    assert energy.mean() == pytest.approx(0.5, abs=0.2)
    assert np.all(np.linalg.norm(ready.particles.velocity, axis=1) > 0)


def test_a_seed_at_its_own_density_lies_beside_a_thinner_melt(model: Model) -> None:
    whole, cells = seed_crystal.crystal(model, "NaCl", 0.82, 128, 1)
    seed = seeding.slab(whole.frame, cells, 0.5)
    thin = seeding.thinned(whole, seed, 0.82 / 0.5)
    sides, before = (np.asarray(one.frame.configuration.box[:3], float) for one in (thin, whole))
    np.testing.assert_allclose(sides, before * [1, 1, 0.82 / 0.5])
    # Within the seed nothing moves but the origin; the rest fills what is left, ends included.
    x, was = (np.asarray(one.frame.particles.position, float) for one in (thin, whole))
    np.testing.assert_allclose(np.ptp(x[seed] - was[seed], axis=0), 0, atol=1e-5)
    heights = np.unique(x[:, 2].round(3))
    layers = np.diff(np.append(heights, heights[0] + sides[2]))
    np.testing.assert_allclose(layers[:4], layers[0], rtol=1e-3)
    np.testing.assert_allclose(layers[4:], (sides[2] - 4 * layers[0]) / 4, rtol=1e-3)
    assert np.array_equal(growth.crystalline(thin.frame, "NaCl") | ~seed, np.ones(len(seed), bool))
    with pytest.raises(PhysicsError, match="higher packing fraction"):
        seeding.thinned(whole, seed, 0.9)


def test_a_density_of_its_own_is_for_slabs_at_a_packing_fraction() -> None:
    for changes in ({"shape": "ball"}, {"packing_fraction": None, "pressure": 0.1}):
        given = {
            "phase": "NaCl",
            "shape": "slab",
            "size": 0.5,
            "packing_fraction": 0.5,
            "pressure": None,
            "count": 128,
        }
        with pytest.raises(PhysicsError, match="as a slab"):
            grow.Question(**(given | {"duration": 10.0, "seed_packing": 0.82} | changes))  # type: ignore[arg-type]


def test_bodies_have_no_seed_under_pressure_and_none_that_overlaps(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        """
name = "mix"
seed = 1
solvent = "toluene"
[[nanocrystals]]
name = "sphere"
count = 20
grafting_density_per_nm2 = 3.0
ligand = "oleate"
core = { material = "Fe2O3", diameter_nm = 14.0 }
[[nanocrystals]]
name = "cube"
count = 80
grafting_density_per_nm2 = 3.0
ligand = "oleate"
core = { material = "CsPbBr3", shape = "cube", edge_nm = 5.3 }
[model]
tier = "cubes"
beads_per_edge = 3
[protocol]
kind = "compression"
pressure_kPa = [5.0, 60.0]
ramp_brownian_times = 50.0
"""
    )

    def said(*options: str) -> str:
        done = CliRunner().invoke(main, ["grow", str(study), "--engine", "lammps", "--runs", "1", *options])
        assert done.exit_code == 2, done.output
        assert "Traceback" not in done.output
        return done.output

    assert "give --packing-fraction" in said("--phase", "NaCl")
    assert "apart, where their potential" in said("--phase", "NaCl", "--packing-fraction", "1.3")
    assert "how cubes stand in MgZn2 is not known" in said("--phase", "MgZn2", "--packing-fraction", "0.5")
    assert "is not made of all of" in said("--phase", "fcc", "--packing-fraction", "0.5")


def test_roles_need_all_nanocrystals(model: Model) -> None:
    with pytest.raises(PhysicsError, match="not made of all"):
        seed_crystal.roles(model, "sc")
    assert seed_crystal.plain("ABO3:rotated") == "ABO3"
