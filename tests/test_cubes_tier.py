"""The cubes tier: shells from ligands, bead bodies and spheres in one model, starts, and what a study may ask for."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal import rigid, shapes
from supercrystal import study as studies
from supercrystal.engines import base
from supercrystal.errors import PhysicsError, SimulationError, StudyError
from supercrystal.interactions import bodies, hamaker
from supercrystal.models import cubes, shells
from supercrystal.models.model import DRY_CUBES, Batch, capped_edges
from supercrystal.models.shells import opm_diameter
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.protocols.start import FilmStart, geometry
from supercrystal.run import prepare, run
from supercrystal.soundness import check
from supercrystal.units import kt_in_joule

OLEATE = Ligand("oleate", 18, 1)
T = 298.15
EXAMPLE = (Path(__file__).parents[1] / "examples" / "cubes-cspbbr3.toml").read_text()
EXAMPLE = re.sub("beads_per_edge.*\n", "", EXAMPLE)  # the default beads are fewer


def _cube(edge: float = 8.6, density: float = 3.0, truncation: float = 0.0) -> Nanocrystal:
    return Nanocrystal(Core.of("CsPbBr3", shapes.cube(edge, truncation)), OLEATE, density)


def _sphere(diameter: float = 14.0) -> Nanocrystal:
    return Nanocrystal(Core("CsPbBr3", diameter), OLEATE, 3.0)


CUBE, SPHERE = Batch("CsPbBr3", _cube(), 27), Batch("S", _sphere(), 8)
MIXED = cubes.build([SPHERE, CUBE], T)


@given(st.floats(1.0, 40.0), st.floats(0.3, 5.5), st.integers(4, 22))
def test_the_shell_of_a_sphere_is_that_of_opm(diameter: float, density: float, carbons: int) -> None:
    crystal = Nanocrystal(Core("PbS", diameter), Ligand("C", carbons), density)
    assert diameter + 2 * crystal.shell_thickness == pytest.approx(opm_diameter(crystal), rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.floats(3.0, 20.0), st.floats(0.3, 5.5))
def test_the_shell_of_a_cube_holds_the_ligands_and_is_thinner_than_on_a_plane(
    edge: float, density: float
) -> None:
    crystal = _cube(edge, density)
    filled = crystal.capped.volume - edge**3
    assert filled == pytest.approx(crystal.xi * 6 * edge**2 * OLEATE.length_nm, rel=1e-9)
    assert 0 < crystal.shell_thickness < crystal.xi * OLEATE.length_nm


def test_a_measured_shell_is_taken_as_it_is() -> None:
    crystal = Nanocrystal(Core.of("CsPbBr3", shapes.cube(8.6)), OLEATE, 3.0, shell_nm=1.5)
    assert crystal.shell_thickness == 1.5
    assert capped_edges(crystal.capped) == pytest.approx((11.6,) * 3)


@given(st.floats(0.5, 2.0))
def test_a_core_scales(factor: float) -> None:
    core = Core.of("PbS", shapes.cuboid((4.0, 5.0, 6.0), 1.0))
    scaled = core.scaled(factor)
    assert scaled.volume_nm3 == pytest.approx(factor**3 * core.volume_nm3)
    assert scaled.area_nm2 == pytest.approx(factor**2 * core.area_nm2)
    assert scaled.diameter_nm == pytest.approx(factor * core.diameter_nm)


def test_hamaker_of_cuboids_adds_up_and_knows_its_limits() -> None:
    whole = hamaker.cuboids(1.0, (4, 4, 4), (6, 5, 3), 6.5)
    halves = sum(hamaker.cuboids(1.0, (4, 4, 4), (3, 5, 3), 2 + gap + 1.5) for gap in (1.5, 4.5))
    assert whole == pytest.approx(halves, rel=1e-9)
    assert hamaker.cuboids(1.0, (4, 4, 4), (6, 5, 3), 6.5) == pytest.approx(
        hamaker.cuboids(1.0, (6, 5, 3), (4, 4, 4), 6.5), rel=1e-12
    )
    far = -1 / np.pi**2 * 64 * 90 / 400.0**6
    assert hamaker.cuboids(1.0, (4, 4, 4), (6, 5, 3), 400.0) == pytest.approx(far, rel=2e-3)


def test_hamaker_of_sphere_and_cuboid_between_plane_and_point() -> None:
    radius, gap = 2.0, 0.5
    plane = -(radius / gap + radius / (gap + 2 * radius) + np.log(gap / (gap + 2 * radius))) / 6
    assert hamaker.sphere_cuboid(1.0, radius, (400.0,) * 3, 200 + radius + gap) == pytest.approx(
        plane, rel=1e-5
    )
    point = -1 / np.pi**2 * (4 / 3 * np.pi * 8) * 27 / 400.0**6
    assert hamaker.sphere_cuboid(1.0, radius, (3.0,) * 3, 400.0) == pytest.approx(point, rel=2e-3)
    # A large sphere near a small cube against many thin slices of the same cube.
    slices = sum(hamaker.sphere_cuboid(1.0, 5.0, (0.5, 2.0, 2.0), 6.0 + 0.25 + 0.5 * i) for i in range(4))
    assert hamaker.sphere_cuboid(1.0, 5.0, (2.0, 2.0, 2.0), 7.0) == pytest.approx(slices, rel=1e-9)
    with pytest.raises(PhysicsError, match="gap"):
        hamaker.sphere_cuboid(1.0, 2.0, (3.0,) * 3, 3.5)
    assert hamaker.spheres(1.0, 2.0, 3.0, 6.0) < hamaker.spheres(1.0, 2.0, 3.0, 7.0) < 0


def test_shells_of_all_kinds_touch_without_energy() -> None:
    face, radius = _cube().capped.extent((1, 0, 0)), opm_diameter(_sphere()) / 2
    one = np.array([1.0, 0, 0, 0])
    body = MIXED.bodies["CsPbBr3"]
    for a, b, contact in ((body, body, 2 * face), ("S", body, face + radius), ("S", "S", 2 * radius)):
        touching, closer = (
            float(bodies.encounter(a, b, [r, 0, 0], one, one, MIXED.pairs).energy)
            for r in (contact * (1 + 1e-9), contact - 0.3)
        )
        assert touching == 0
        assert closer > 0.1


@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(("S", "CsPbBr3"), 2)))
def test_wells_are_those_of_the_cores_at_the_distance_of_the_well(pair: tuple[str, str]) -> None:
    model = cubes.build([SPHERE, CUBE], T, cubes.Settings(attraction="hamaker"))
    rows = {row.name: row.value for row in model.mapping if row.pair == pair}
    constant = 5e-20 / kt_in_joule(T)
    block = (8.6,) * 3
    expected = {
        ("S", "S"): lambda r: hamaker.spheres(constant, 7.0, 7.0, r),
        ("S", "CsPbBr3"): lambda r: hamaker.sphere_cuboid(constant, 7.0, block, r),
        ("CsPbBr3", "CsPbBr3"): lambda r: hamaker.cubes(constant, 8.6, r - 8.6),
    }[pair](rows["r_well"])
    assert rows["well"] == pytest.approx(expected, rel=1e-5)
    # and the model's pair potentials make that well
    things = [model.bodies.get(name, name) for name in pair]
    one = np.array([1.0, 0, 0, 0])
    found = bodies.encounter(things[0], things[1], [rows["r_well"], 0, 0], one, one, model.pairs).energy
    assert float(found) == pytest.approx(rows["well"], rel=1e-4)


def test_a_stated_well_is_the_only_attraction() -> None:
    model = cubes.build([SPHERE, CUBE], T, cubes.Settings(wells=(("CsPbBr3", "S", -3.0),)))
    wells = {row.pair: row.value for row in model.mapping if row.name == "well"}
    assert wells == {("S", "CsPbBr3"): pytest.approx(-3.0, rel=1e-5)}
    assert len(model.pairs["S", "S"]) == 1
    with pytest.raises(PhysicsError, match="names 'X'"):
        cubes.build([SPHERE, CUBE], T, cubes.Settings(wells=(("X", "S", -3.0),)))


def test_plates_and_truncated_cubes_are_the_same_description() -> None:
    plate = Nanocrystal(Core.of("CsPbBr3", shapes.cuboid((12.0, 12.0, 3.0))), OLEATE, 3.0)
    cut = _cube(8.0, truncation=2.0)
    model = cubes.build([Batch("plate", plate, 5), Batch("cut", cut, 5)], T)
    x, y, z = model.bodies["plate"].moments
    assert x == pytest.approx(y)
    assert z > x
    core = cut.core.shape
    assert core is not None
    tilt = model.bodies["cut"].moments[0] / model.mass
    assert tilt == pytest.approx(core.gyration[0])
    assert {"plate/bead", "cut/bead"} == set(model.bead_types)


def test_sizes_of_a_batch_become_bodies_of_their_own() -> None:
    model = cubes.build([Batch("CsPbBr3", _cube(), 50, 0.05)], T)
    edges = [capped_edges(model.shapes[name])[0] for name in model.types]
    assert len(model.bodies) == 5
    assert edges == sorted(edges)
    assert np.std([e for e, n in zip(edges, model.counts, strict=True) for _ in range(n)]) == pytest.approx(
        0.05 * 8.6, rel=0.1
    )


def test_the_random_start_is_sound_and_turned_at_random() -> None:
    prepared = prepare(studies.parse(EXAMPLE))
    frame = prepared.system.frame
    check(prepared.system, prepared.schedule)
    q = rigid.orientations(frame)
    assert abs(np.mean(q, axis=0)).max() < 4 / np.sqrt(len(q))
    kinetic = 2 * rigid.rotational_energy(frame, prepared.system.bodies)
    assert kinetic.mean() == pytest.approx(1, abs=5 * np.sqrt(2 / kinetic.size))
    assert [shape.get("type") for shape in frame.particles.type_shapes] == ["ConvexPolyhedron", None]
    assert prepared.model.volume / np.prod(frame.configuration.box[:3]) == pytest.approx(
        prepared.model.start_packing
    )


def test_a_film_of_cubes_has_square_rows() -> None:
    text = EXAMPLE[: EXAMPLE.index("[protocol]")].replace("count = 64", "count = 80")
    text += '[protocol]\nkind = "drying"\npeclet = 2.0\ndry_layers = 5\n'
    prepared = prepare(studies.parse(text))
    film, edge = prepared.assembly.film, (_cube().capped.volume / DRY_CUBES) ** (1 / 3)
    assert film is not None
    assert film.dry_sides == pytest.approx((4 * edge, 4 * edge))
    assert film.dry_height == pytest.approx(5 * edge)
    # A film that ends less full has the cell of its own spacing, while it dries and at the end.
    looser = prepare(
        studies.parse(text + "dry_packing_fraction = 0.7\nsetting_swelling = 1.1\n")
    ).assembly.film
    assert looser is not None
    wider = (_cube().capped.volume / 0.7) ** (1 / 3)
    assert looser.dry_sides == pytest.approx((4 * wider, 4 * wider))
    assert looser.dry_height == pytest.approx(5 * wider)
    assert looser.wet_sides == pytest.approx((4 * 1.1 ** (1 / 3) * wider,) * 2)
    with pytest.raises(PhysicsError, match="flat"):
        prepare(studies.parse(text + 'substrate = "fcc(111)"\n'))


def test_the_dry_spacing_of_spheres_may_be_asked_for_too() -> None:
    model = shells.build([Batch("S", _sphere(), 1000)], T)
    start, close_packed = FilmStart(0.3, layers=10), np.pi / np.sqrt(18)
    film = geometry(model, start)
    same = geometry(model, dataclasses.replace(start, dry_fraction=close_packed))
    assert same.dry_sides == pytest.approx(film.dry_sides)
    assert same.dry_height == pytest.approx(film.dry_height)
    looser = geometry(model, dataclasses.replace(start, dry_fraction=close_packed / 1.1**3))
    assert looser.dry_sides == pytest.approx(tuple(1.1 * side for side in film.dry_sides))
    assert looser.dry_height == pytest.approx(1.1 * film.dry_height)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('shape = "cube"\nedge_nm = 8.6', 'shape = "cube"\nedge_nm = 0.0', "edge_nm = 0.0: allowed ≥ 1"),
        ("edge_nm = 8.6", "edge_nm = 8.6\ntruncation_nm = 5.0", "half of the shortest edge"),
        ("edge_nm = 8.6", "diameter_nm = 8.6", "a cube needs edge_nm"),
        ("edge_nm = 8.6", "edge_nm = 8.6\ndiameter_nm = 8.6", "has edge_nm, not diameter_nm"),
        ('shape = "cube"\nedge_nm = 8.6', 'shape = "plate"\nedges_nm = [8.6, 3.0]', "edges_nm"),
        ('tier = "cubes"', 'tier = "shells"', "give model.tier = 'cubes'"),
        ('shape = "cube"\nedge_nm = 8.6', "diameter_nm = 8.6", "needs a core of shape"),
        ('tier = "cubes"', 'tier = "cubes"\ninteraction = { kind = "brush" }', "has no interaction"),
        ('tier = "cubes"', 'tier = "cubes"\nwells_kT = [["CsPbBr3", "CsPbBr3", 2.0]]', "wells_kT"),
    ],
)
def test_a_bad_study_of_cubes_is_named(old: str, new: str, message: str) -> None:
    assert old in EXAMPLE
    with pytest.raises(StudyError, match=message):
        studies.parse(EXAMPLE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('tier = "cubes"', 'tier = "cubes"\nbead_diameter_nm = 1.0', "at least twice the shell"),
        ('tier = "cubes"', 'tier = "cubes"\nbead_diameter_nm = 20.0', "nothing left"),
        ('tier = "cubes"', 'tier = "cubes"\nwells_kT = [["PbS", "PbS", -2.0]]', "names 'PbS'"),
        ('kind = "compression"', 'kind = "compression"\ninitial_packing_fraction = 0.3', "at random"),
    ],
)
def test_what_cannot_be_simulated_is_found_before_the_first_step(old: str, new: str, message: str) -> None:
    with pytest.raises(PhysicsError, match=message):
        prepare(studies.parse(EXAMPLE.replace(old, new)))


def test_a_plate_longer_than_the_cell() -> None:
    text = EXAMPLE.replace('shape = "cube"\nedge_nm = 8.6', 'shape = "plate"\nedges_nm = [30.0, 30.0, 6.0]')
    text = text[: text.index("[protocol]")].replace("count = 64", "count = 12")
    text += '[protocol]\nkind = "drying"\npeclet = 2.0\ndry_layers = 3\n'
    with pytest.raises(PhysicsError, match="meet its own image"):
        prepare(studies.parse(text))


def test_shells_thicker_than_the_film_allows() -> None:
    text = EXAMPLE[: EXAMPLE.index("[protocol]")].replace(
        "grafting_density", "shell_nm = 4.0\ngrafting_density"
    )
    text += '[protocol]\nkind = "drying"\npeclet = 2.0\ndry_layers = 40\n'
    with pytest.raises(PhysicsError, match="twice the range"):
        prepare(studies.parse(text))


def test_bodies_that_overlap_at_the_start() -> None:
    prepared = prepare(studies.parse(EXAMPLE))
    frame = prepared.system.frame
    frame.particles.position[1] = frame.particles.position[0] + [6.0, 0, 0]
    with pytest.raises(PhysicsError, match="start .* nm apart"):
        check(prepared.system, prepared.schedule)


def test_a_cell_that_shrinks_onto_its_bodies_stops_the_run(tmp_path: Path) -> None:
    text = EXAMPLE.replace("count = 64", "count = 2").replace("[5.0, 45.0]", "[5.0, 400.0]")
    text = text.replace(
        "ramp_brownian_times = 170.0", "ramp_brownian_times = 10.0\nmixing_brownian_times = 1.0"
    )
    with pytest.raises(SimulationError, match="wider than"):
        run(studies.parse(text), text, tmp_path / "run", engine="lammps", quiet=True)


@pytest.mark.hoomd
def test_engines_agree_on_a_mixture_of_cubes_and_spheres() -> None:
    text = EXAMPLE[: EXAMPLE.index("[protocol]")]
    text += (
        "[[nanocrystals]]\nname = 'S'\ncount = 16\ngrafting_density_per_nm2 = 3.0\nligand = 'oleate'\n"
        "[nanocrystals.core]\nmaterial = 'CsPbBr3'\ndiameter_nm = 14.0\n"
    ).replace("'", '"')
    head, model = text.split("[model]")
    body, second = model.split("[[nanocrystals]]")
    text = (
        head + "[[nanocrystals]]" + second + "[model]" + body.replace("\n\n", '\nattraction = "hamaker"\n', 1)
    )
    text += '[protocol]\nkind = "compression"\npressure_kPa = [20.0, 60.0]\nramp_brownian_times = 10\n'
    prepared = prepare(studies.parse(text))
    moved = base.start(base.choose("lammps"), prepared.system, prepared.schedule, seed=3)
    moved.run(prepared.schedule.steps[1] + 3000)
    dense = moved.frame()
    dense.configuration.step = 0
    system = dataclasses.replace(prepared.system, frame=dense)
    found = {}
    for name in ("lammps", "hoomd"):
        engine = base.start(base.choose(name), system, prepared.schedule, seed=3)
        energy, pressure = engine.potential_energy(), engine.virial_pressure()
        found[name] = energy, pressure, engine.forces(), engine.torques()
    force_scale = np.abs(found["lammps"][2]).max()
    assert force_scale > 1
    assert found["hoomd"][0] == pytest.approx(found["lammps"][0], rel=1e-6)
    assert found["hoomd"][1] == pytest.approx(found["lammps"][1], rel=1e-6, abs=1e-8)
    for kind in (2, 3):
        scale = np.abs(found["lammps"][kind]).max()
        np.testing.assert_allclose(found["hoomd"][kind] / scale, found["lammps"][kind] / scale, atol=1e-6)


def test_a_short_run_reports_order_and_angles(tmp_path: Path) -> None:
    text = EXAMPLE.replace("count = 64", "count = 27").replace("[5.0, 45.0]", "[2.0, 40.0]")
    text = text.replace(
        "ramp_brownian_times = 170.0", "ramp_brownian_times = 10.0\nmixing_brownian_times = 1.0"
    )
    text = text.replace("hold_brownian_times = 60.0", "hold_brownian_times = 10.0\nframes = 10")
    result = run(studies.parse(text), text, tmp_path / "run", engine="lammps", quiet=True)
    order = result["cubes"]["cubatic"]["CsPbBr3"]
    assert order["particles"] == 27
    assert 0 <= order["order"]["mean"] <= 1
    assert order["random"] == pytest.approx(1.4 / np.sqrt(27), rel=0.05)
    assert any(line.startswith("Orientation: cubatic order") for line in result["found"])
    assert result["opm"] is None
    assert (tmp_path / "run" / "report.html").exists()
