"""Crystals of spheres and cuboids: energies, gradients, relaxation, the lowest set, survival, and the command line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import rowan
from click.testing import CliRunner

from supercrystal import lattices
from supercrystal.cli import main
from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.interactions.bodies import encounter
from supercrystal.models import cubes as tier
from supercrystal.models.model import Batch, Model
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.packing import cubes
from supercrystal.shapes import cube
from supercrystal.solids import body_dynamics
from supercrystal.solids.bodies import BodyCrystal, Matter, static
from supercrystal.solids.body_candidates import axes, candidates, constants, place, rectangular, sizes
from supercrystal.solids.body_comparison import BodySettings, compare, packing_fractions
from supercrystal.solids.body_relaxation import Enthalpy, disturbed, relax, rest_as_named
from supercrystal.solids.crystal import Crystal

OLEATE = Ligand("oleate", 18, 1)
#: Pressure at which shells are hardly pressed: 0.001 kT/nm³ is about 4 kPa.
GENTLE = 0.001


def model(
    sphere: float = 12.0, wells: tuple[tuple[str, str, float], ...] = (), truncated: bool = False
) -> Model:
    """Spheres with 5.3 nm cubes, and if asked PbS cuboids of 5 nm with cut corners; 56 beads each."""
    batches = [
        Batch("sphere", Nanocrystal(Core("Fe2O3", sphere), OLEATE, 3.0), 10),
        Batch("cube", Nanocrystal(Core.of("CsPbBr3", cube(5.3)), OLEATE, 3.0, shell_nm=1.0), 40),
    ]
    if truncated:
        core = Core.of("PbS", cube(5.0, 1.0))
        batches.append(Batch("PbS", Nanocrystal(core, OLEATE, 3.0, shell_nm=1.0), 10))
    return tier.build(batches, 298.15, tier.Settings(wells=wells))


MODEL = model()
MATTER = Matter.of(MODEL)


def named(name: str, made: Model = MODEL):
    return next(one for one in candidates([name], made) if one.name.startswith(name))


def test_two_bodies_in_a_wide_cell_are_an_encounter() -> None:
    rng = np.random.default_rng(3)
    q = rowan.normalize(rng.normal(size=(2, 4)))
    for types, distance in ((("cube", "cube"), 7.5), (("sphere", "cube"), 11.0)):
        apart = rng.normal(size=3)
        apart *= distance / np.linalg.norm(apart)
        sites = np.array([[0.4, 0.5, 0.6], [0, 0, 0]])
        cell = 80 * np.eye(3)
        sites[1] = sites[0] + apart / 80
        found = static(BodyCrystal(Crystal(cell, sites, types), q), MATTER)
        a, b = (MODEL.bodies.get(name, name) for name in types)
        wanted = encounter(a, b, apart, q[0], q[1], MODEL.pairs)
        assert wanted.energy > 1
        np.testing.assert_allclose(found.energy, wanted.energy, rtol=1e-10)
        np.testing.assert_allclose(found.forces, [-wanted.force, wanted.force], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.torques, [wanted.torque_a, wanted.torque_b], rtol=1e-9, atol=1e-9)


def test_a_body_meets_its_own_images_across_a_thin_cell() -> None:
    # One cube in a cell as wide as two pressed faces: its energy is that of three such pairs.
    d = 0.97 * sizes(MODEL)["cube"]
    upright = np.array([[1.0, 0, 0, 0]])
    made = BodyCrystal(Crystal(d * np.eye(3), np.zeros((1, 3)), ("cube",)), upright)
    body = MODEL.bodies["cube"]
    vectors = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z])
    wanted = encounter(body, body, d * vectors, upright[0], upright[0], MODEL.pairs)
    found = static(made, MATTER)
    assert found.energy == pytest.approx(wanted.energy.sum() / 2, rel=1e-10)
    np.testing.assert_allclose(
        found.stress, -np.einsum("ni,nj->ij", d * vectors, wanted.force) / (2 * d**3), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", ["ABO3:rotated", "AlB2:upright"])
def test_the_gradient_is_that_of_the_enthalpy(name: str) -> None:
    made = place(named(name), MODEL, 0.93)
    problem = Enthalpy(made, MATTER, 0.02)
    rng = np.random.default_rng(5)
    x = 0.15 * rng.normal(size=problem.size)
    _, slope = problem(x)
    step = 1e-5
    for k in [0, 3, 5, 7, 10, problem.size - 5, problem.size - 1]:
        ends = [problem(x + sign * step * np.eye(problem.size)[k])[0] for sign in (1, -1)]
        assert slope[k] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=2e-5, abs=1e-4)


def test_large_turns_have_a_gradient_too() -> None:
    made = place(named("CsCl"), MODEL, 0.9)
    problem = Enthalpy(made, MATTER, 0.0)
    x = np.zeros(problem.size)
    x[-3:] = np.array([0.9, -0.5, 0.4]) * problem.lever[0]
    _, slope = problem(x)
    for k in (-1, -2, -3):
        ends = [problem(x + sign * 1e-5 * np.eye(problem.size)[k])[0] for sign in (1, -1)]
        assert slope[k] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_energies_do_not_depend_on_the_supercell() -> None:
    one = disturbed(place(named("ABO3:rotated"), MODEL, 0.83), MATTER, 2)
    small, large = static(one, MATTER), static(one.repeated((2, 1, 3)), MATTER)
    assert small.energy > 1
    assert large.energy == pytest.approx(6 * small.energy, rel=1e-10)
    np.testing.assert_allclose(large.forces, np.tile(small.forces, (6, 1)), atol=1e-8)
    np.testing.assert_allclose(large.stress, small.stress, atol=1e-10)
    named_one = named("NaCl")
    primitive = rest_as_named(place(named_one, MODEL), MATTER, 0.01, axes(named_one)).made
    conventional = rectangular(named_one, MODEL, primitive)
    assert conventional.n == 8
    assert static(conventional, MATTER).energy / 8 == pytest.approx(
        static(primitive, MATTER).energy / 2, rel=1e-9
    )


@pytest.mark.parametrize("name", ["NaCl", "CsCl", "ABO3:rotated", "AlB2:corner", "AlB2:edge", "AlB2:upright"])
def test_candidates_start_as_the_packing_models_build_them(name: str) -> None:
    one = named(name)
    size = sizes(MODEL)
    made = place(one, MODEL)
    frame = cubes.build(one.phase, size["cube"] / size["sphere"], one.orientation)
    wide = rectangular(one, MODEL, made)
    kind = lattices.prototype(one.phase)
    assert wide.n == len(kind.labels) * (2 if kind.system == "hexagonal" else 1)
    # The same orientations on each species, up to the order of sites.
    for species, name_ in (("A", "sphere"), ("B", "cube")):
        mine = made.orientations[[k for k, t in enumerate(made.crystal.types) if t == name_]]
        kinds = np.asarray(frame.particles.typeid) == list(frame.particles.types).index(species)
        theirs = np.asarray(frame.particles.orientation)[kinds]
        assert {str(q) for q in mine.round(4) + 0.0} == {str(q) for q in theirs.astype(float).round(4) + 0.0}
    constants_ = constants(one, size)
    assert made.volume / made.n == pytest.approx(
        float(lattices.volume(one.phase, constants_)) / len(kind.labels)
    )


def test_pressed_gently_rigid_shapes_are_found_again() -> None:
    size = sizes(MODEL)
    d, edge = size["sphere"], size["cube"]
    body = MODEL.bodies["cube"]
    # Corners of beads reach less far than sharp ones: what the beads' own outline gives.
    corner = body.radius + (edge / 2 - np.abs(body.positions).max())
    expected = {
        "fcc (sphere)": math.sqrt(2) * d,
        "sc (cube)": edge,
        "NaCl": max(math.sqrt(2) * d, d + edge),
        "CsCl": 2 / math.sqrt(3) * (d / 2 + corner),
    }
    for one in candidates(["NaCl", "CsCl", "fcc", "sc"], MODEL):
        rested = rest_as_named(place(one, MODEL), MATTER, GENTLE, axes(one))
        found = rectangular(one, MODEL, rested.made).crystal.cell[0, 0]
        # Contacts give way a little; none gives way by more than 1.5 %.
        assert 0.985 * expected[one.name] < found < expected[one.name], one.name
    rigid = float(cubes.solve("CsCl", edge / d).constants["a"]) * d
    assert expected["CsCl"] < 0.97 * rigid  # sharp corners would keep spheres farther away


def test_aligned_cubes_of_perovskite_turn_into_rotated_ones() -> None:
    pressure = 0.02
    found = {}
    for one in candidates(["ABO3"], MODEL)[:2]:
        found[one.orientation] = relax(place(one, MODEL), MATTER, pressure, axes(one))
    rotated, aligned = found["rotated"], found["aligned"]
    assert rotated.kept
    assert not aligned.kept
    assert aligned.change.turned["cube"] == pytest.approx(45, abs=3)
    assert aligned.free.enthalpy == pytest.approx(rotated.free.enthalpy, abs=0.02)
    assert aligned.best is aligned.lattice


def test_plates_keep_their_three_edges() -> None:
    from supercrystal.shapes import cuboid

    core = Core.of("CsPbBr3", cuboid((6.0, 6.0, 4.0)))
    plates = tier.build([Batch("plate", Nanocrystal(core, OLEATE, 3.0, shell_nm=1.0), 10)], 298.15)
    (one,) = candidates(["sc"], plates)
    rested = rest_as_named(place(one, plates), Matter.of(plates), GENTLE, axes(one))
    np.testing.assert_allclose(np.diag(rested.made.crystal.cell), [8, 8, 6], rtol=0.015)
    assert rested.residual < 1e-5


def test_a_hull_that_is_known() -> None:
    # Spheres with cubes half as large pack far worse as CsCl than apart: 0.52 against 0.74 and 1.
    settings = BodySettings(0.02, dynamics=False)
    found = compare(["CsCl"], MODEL, {"sphere": 10, "cube": 10}, settings, None)
    assert found.lowest()["phases"] == pytest.approx({"fcc (sphere)": 0.5, "sc (cube)": 0.5})
    rows = {row["name"]: row for row in found.to_dict()["candidates"]}
    separate = (
        rows["fcc (sphere)"]["static"]["enthalpy_kT"] + rows["sc (cube)"]["static"]["enthalpy_kT"]
    ) / 2
    assert rows["CsCl"]["enthalpy_above_kT"] == pytest.approx(
        rows["CsCl"]["static"]["enthalpy_kT"] - separate
    )
    assert rows["fcc (sphere)"]["added"]
    assert "no free energy" in " ".join(found.to_dict()["limits"])
    json.dumps(found.to_dict())
    # Bound firmly to spheres, cubes mix.
    binding = model(wells=(("sphere", "cube", -30.0),))
    bound = compare(["CsCl", "NaCl"], binding, {"sphere": 10, "cube": 10}, settings, None)
    assert set(bound.lowest()["phases"]) <= {"CsCl", "NaCl"}


def test_ternary_perovskites_have_truncated_cuboids_on_b() -> None:
    three = model(truncated=True)
    names = [one.name for one in candidates(["ABO3:rotated"], three) if one.phase == "ABO3"]
    assert "ABO3:rotated (sphere, PbS, cube)" in names
    assert "ABO3:rotated (sphere, cube)" in names
    one = next(c for c in candidates(["ABO3:rotated"], three) if c.name == "ABO3:rotated (sphere, PbS, cube)")
    assert one.composition == pytest.approx({"sphere": 0.2, "PbS": 0.2, "cube": 0.6})
    made = place(one, three)
    rested = rest_as_named(made, Matter.of(three), 0.005, axes(one))
    assert rested.residual < 1e-4
    capped, sharp = packing_fractions(rested.made, three)
    assert 0.5 < capped < sharp


def test_names_that_mean_nothing_are_refused() -> None:
    with pytest.raises(PhysicsError, match="how cubes stand in MgZn2 is not known; known: NaCl"):
        candidates(["MgZn2"], MODEL)
    with pytest.raises(PhysicsError, match="known rotated, aligned; got 'rotates'; did you mean 'rotated'"):
        candidates(["ABO3:rotates"], MODEL)
    with pytest.raises(PhysicsError, match="one species"):
        candidates(["sc:aligned"], MODEL)
    alone = tier.build([Batch("cube", Nanocrystal(Core.of("CsPbBr3", cube(5.3)), OLEATE, 3.0), 8)], 298.15)
    with pytest.raises(PhysicsError, match="needs spheres on A"):
        candidates(["NaCl"], alone)
    with pytest.raises(PhysicsError, match="tried with spheres, and the study has none"):
        candidates(["fcc"], alone)


def test_cubes_larger_than_spheres_are_said_to_be_so() -> None:
    small = model(sphere=4.0)
    found = compare(["NaCl"], small, {"sphere": 1, "cube": 1}, BodySettings(0.02, dynamics=False), None)
    assert "size ratio" in found.entries[0].why[0]
    assert found.lowest() is not None


def test_without_pressure_repulsive_bodies_have_no_crystal() -> None:
    one = named("NaCl")
    with pytest.raises(PhysicsError, match="raise the pressure"):
        relax(place(one, MODEL), MATTER, 0.0, axes(one))
    with pytest.raises(PhysicsError, match="finite"):
        relax(place(one, MODEL), MATTER, math.nan, axes(one))


def test_overlapping_starts_are_found_before_the_first_step() -> None:
    made = rectangular(named("NaCl"), MODEL, place(named("NaCl"), MODEL, 0.75))
    choice = base.choose("lammps", "cpu")
    with pytest.raises(PhysicsError, match="apart, where their potential"):
        body_dynamics.survival("NaCl", made, MODEL, 0.02, choice, time=1, particles=8, seed=1)
    with pytest.raises(PhysicsError, match="pressure > 0"):
        body_dynamics.survival("NaCl", made, MODEL, 0.0, choice, time=1, particles=8, seed=1)


@pytest.mark.slow
def test_the_cubic_crystal_of_cubes_survives_under_pressure() -> None:
    one = candidates(["sc"], MODEL)[0]
    rested = rest_as_named(place(one, MODEL), MATTER, 0.15, axes(one))
    choice = base.choose("lammps", "cpu")
    made = rectangular(one, MODEL, rested.made)
    found = body_dynamics.survival("sc", made, MODEL, 0.15, choice, time=2, particles=64, seed=1)
    assert found.plain.survived, found.words
    assert found.flexible == "orthorhombic"
    (site,) = found.cubes
    assert site["site"] == "A"
    assert site["mean_degrees_to_axes"] < 15
    # Warm, the crystal is wider than at T = 0.
    assert found.plain.density[0] < 1 / rested.made.volume


STUDY = """
name = "mix"
seed = 1
solvent = "toluene"
[[nanocrystals]]
name = "sphere"
count = 10
grafting_density_per_nm2 = 3.0
ligand = "oleate"
core = {{ material = "Fe2O3", diameter_nm = {sphere} }}
[[nanocrystals]]
name = "cube"
count = 40
grafting_density_per_nm2 = 3.0
ligand = "oleate"
core = {{ material = "CsPbBr3", {cube} }}
[model]
tier = "cubes"
[protocol]
kind = "compression"
pressure_kPa = [5.0, 60.0]
ramp_brownian_times = 50.0
"""


def relaxed(
    tmp_path: Path, *options: object, sphere: float = 12.0, cube: str = 'shape = "cube", edge_nm = 5.3'
):
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(sphere=sphere, cube=cube))
    return CliRunner().invoke(main, ["relax", str(study), *map(str, options)])


def test_the_command_tells_enthalpies_and_limits(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = relaxed(tmp_path, "--phases", "NaCl,ABO3", "--no-dynamics", "-o", out)
    assert done.exit_code == 0, done.output
    for word in (
        "ABO3:rotated",
        "ABO3:aligned",
        "sc (cube) (added)",
        "fcc (sphere) (added)",
        "no free energy of bodies",
    ):
        assert word in done.output
    record = json.loads((out / "relax.json").read_text())
    assert (out / "relax.png").stat().st_size > 10_000
    assert record["settings"]["pressure"] == pytest.approx(0.01458, rel=1e-3)
    rows = {row["name"]: row for row in record["candidates"]}
    assert rows["ABO3:aligned"]["free_of_symmetry"]["turned_degrees"]["cube"] == pytest.approx(45, abs=3)
    assert rows["ABO3:rotated"]["static"]["angles_degrees"] == pytest.approx([90, 90, 90])
    again = relaxed(tmp_path, "--phases", "NaCl", "--no-dynamics", "-o", out)
    assert again.exit_code == 2
    assert "exists" in again.output


@pytest.mark.parametrize(
    ("phases", "settings", "said"),
    [
        ("MgZn2", {}, "how cubes stand in MgZn2 is not known"),
        ("ABO3:upright", {}, "cubes in ABO3 are known rotated, aligned"),
        ("ABO4", {}, "did you mean 'ABO3'"),
        ("NaCl", {"cube": "diameter_nm = 5.3"}, "these are spheres only"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, phases: str, settings: dict[str, str], said: str) -> None:
    done = relaxed(tmp_path, "--phases", phases, "--no-dynamics", **settings)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output
