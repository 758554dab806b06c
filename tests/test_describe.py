"""Description of frames of files: film, orientations against the crystal's axes, packing, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.spatial.transform import Rotation

from supercrystal.cli import main
from supercrystal.errors import TrajectoryError
from supercrystal.structure.describe import describe
from tests.structure_files import SPACING, crystal, frame, liquid, plane, save

#: How the cubes are turned from the crystal's axes, and how they scatter about that, degrees.
TURN, SCATTER = 12.0, 2.0
#: Diameters of A, B and O.
SIZES = np.array([9.0, 6.0, 5.0])


def quaternions(rotations: Rotation) -> np.ndarray:
    return rotations.as_quat()[:, [3, 0, 1, 2]]


def strict(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rotation]:
    """A cluster of ABO3 whose axes are turned, with cubes on A turned from them about z, and spheres elsewhere."""
    made = crystal("ABO3", types="ABO", merge=False, count=1200, noise=0.03, shape="cluster")
    rng = np.random.default_rng(7)
    kinds, n = made.particles.typeid, made.particles.N
    axes = Rotation.from_rotvec([0.2, -0.3, 0.25])
    noise = Rotation.from_rotvec(np.radians(SCATTER) * rng.normal(size=(n, 3)))
    # Any of the 24 turns of a cube is the same cube.
    same = Rotation.create_group("O")[rng.integers(0, 24, n)]
    turned = quaternions(axes * Rotation.from_euler("z", TURN, degrees=True) * noise * same)
    q = np.where((kinds == 0)[:, None], turned, [1.0, 0, 0, 0])
    x = axes.apply(made.particles.position)
    path = tmp_path_factory.mktemp("cubes") / "ABO3.gsd"
    box = [*(np.ptp(x, axis=0) + 80), 0, 0, 0]
    return save(path, frame(box, x, kinds, "ABO", orientation=q, diameter=SIZES[kinds])), axes


def test_cubes_are_held_against_the_axes_of_their_crystal(cubes: tuple[Path, Rotation]) -> None:
    path, axes = cubes
    found = describe(path)
    assert found["verdict"] == "ABO3"
    (part,) = found["orientation"]["sublattices"]
    assert part["name"] == "ABO3 A"
    alignment = part["alignment"]
    assert alignment["axes_from"] == "grain"
    # Rotations of SCATTER per component about a turn of TURN have, to second order, this mean angle.
    assert alignment["mean_degrees"] == pytest.approx(TURN + SCATTER**2 / TURN, abs=0.6)
    # The axes are those of the crystal, up to a turn of the cube, and not those of the cubes or of the box.
    symmetry = Rotation.create_group("O")
    off = (axes.inv() * Rotation.from_matrix(np.array(alignment["axes"]).T) * symmetry).magnitude()
    assert np.degrees(off.min()) < 1
    assert part["cubatic"]["order"] > 0.9
    assert part["cubatic"]["significant"] is True
    # Spheres have no orientations, and that is said.
    assert set(found["orientation"]["left_out"]) == {"ABO3 B", "ABO3 O"}


def test_cubes_that_look_anywhere_are_random(tmp_path: Path) -> None:
    made = crystal("sc", count=500, noise=0.03)
    made.particles.orientation = quaternions(Rotation.random(made.particles.N, random_state=3))
    (part,) = describe(save(tmp_path / "t.gsd", made))["orientation"]["sublattices"]
    alignment = part["alignment"]
    error = 11.3 / made.particles.N**0.5
    assert alignment["mean_degrees"] == pytest.approx(alignment["mean_degrees_random"], abs=4 * error)
    assert part["cubatic"]["significant"] is False


def test_without_a_crystal_species_have_axes_of_their_own(tmp_path: Path) -> None:
    made = liquid(count=300)
    turned = Rotation.from_rotvec([0.1, 0.2, 0.3]) * Rotation.from_rotvec(np.full((made.particles.N, 3), 0.0))
    made.particles.orientation = quaternions(turned)
    found = describe(save(tmp_path / "t.gsd", made))
    assert found["verdict"] == "disordered"
    (part,) = found["orientation"]["sublattices"]
    assert (part["name"], part["alignment"]["axes_from"]) == ("A", "these particles")
    assert part["alignment"]["mean_degrees"] < 0.1


def test_packing_uses_the_sizes_of_the_file(tmp_path: Path) -> None:
    made = crystal("NaCl", count=500)
    made.particles.diameter = np.where(made.particles.typeid == 0, 12.0, 7.0)
    found = describe(save(tmp_path / "t.gsd", made))["packing"]
    assert found["note"] == ""
    spheres = np.pi / 6 * np.sum(made.particles.diameter**3) / np.prod(made.configuration.box[:3])
    assert found["fraction"] == pytest.approx(spheres, rel=1e-4)
    # Each has its own share of the volume, and together they have all of it.
    share = [
        0.5 * np.pi / 6 * size**3 / SPACING**3 / row["fraction"]
        for size, row in zip((12, 7), found["species"], strict=True)
    ]
    assert sum(share) == pytest.approx(1, rel=1e-4)
    assert share[0] > share[1]
    # Between spheres of one size the cells of NaCl are cubes.
    made.particles.diameter = np.full(made.particles.N, 9.0)
    same = describe(save(tmp_path / "same.gsd", made))["packing"]
    for row in same["species"]:
        assert row["fraction"] == pytest.approx(np.pi / 6 * (9 / SPACING) ** 3, rel=1e-4)


def test_a_film_has_layers(tmp_path: Path) -> None:
    made = crystal("sc", count=600, noise=0.03, shape="slab")
    path = save(tmp_path / "t.gsd", made)
    for periodic in ((True, True, True), (True, True, False)):
        film = describe(path, periodic=periodic)["film"]
        assert film["layers"]["spacing"] == pytest.approx(SPACING, rel=5e-3)
        kinds = {layer["order"]["kind"] for layer in film["layers"]["layers"]}
        assert kinds == {"square"}
        assert film["layers"]["particles_outside"] == 0
        assert sum(layer["particles"] for layer in film["layers"]["layers"]) == made.particles.N


def test_heights_may_begin_at_the_origin_as_in_other_formats(tmp_path: Path) -> None:
    import mdtraj

    made = crystal("sc", count=400, noise=0.03, shape="slab")
    lengths = made.configuration.box[:3]
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(made.particles.N):
        topology.add_atom("A", mdtraj.element.virtual, topology.add_residue("NC", chain))
    x = np.asarray(made.particles.position) + np.asarray(lengths) / 2
    x[:, :2] %= np.asarray(lengths)[:2]
    loaded = mdtraj.Trajectory(x, topology, unitcell_lengths=[lengths], unitcell_angles=[[90, 90, 90]])
    loaded.save(str(tmp_path / "t.gro"))
    found = describe(tmp_path / "t.gro", periodic=(True, True, False))
    assert found["unit"] == "nm"
    assert found["film"]["layers"]["spacing"] == pytest.approx(SPACING, rel=5e-3)
    assert found["left_out"] == {
        "orientation": "the file has no orientations",
        "packing": "the file has no diameters: give each species a radius, or a volume if it is no sphere",
    }


def test_what_a_file_has_no_data_for_is_left_out_with_the_reason(tmp_path: Path) -> None:
    path = save(tmp_path / "plain.gsd", crystal("fcc", count=300, noise=0.04))
    found = describe(path)
    assert found["orientation"] is None
    assert found["left_out"] == {"orientation": "the file has no orientations"}
    # Diameters of 1 are what GSD gives where there are none.
    assert "all diameters are 1" in found["packing"]["note"]


def test_a_monolayer_has_no_volume(tmp_path: Path) -> None:
    path = save(tmp_path / "flat.gsd", frame(*plane("hexagonal"), np.arange(256) % 2, "AB"))
    found = describe(path)
    assert found["film"]["order"]["kind"] == "hexagonal"
    assert set(found["film"]["order_by_species"]) == {"A", "B"}
    assert found["film"]["layers"] is None
    assert found["packing"] is None
    assert "flat" in found["left_out"]["packing"]
    assert found["verdict"] is None


@pytest.mark.parametrize("count", [1, 5, 12])
def test_few_particles_are_described_without_phase(tmp_path: Path, count: int) -> None:
    x = np.random.default_rng(2).uniform(-9, 9, (count, 3))
    found = describe(save(tmp_path / "t.gsd", frame([40, 40, 40, 0, 0, 0], x)))
    assert f"got {count}" in found["left_out"]["phase"]
    assert found["film"]["particles"] == count
    strict(json.dumps(found, allow_nan=False))


def test_more_than_three_species_are_described_without_phase(tmp_path: Path) -> None:
    made = liquid(count=300)
    path = save(
        tmp_path / "t.gsd", frame(made.configuration.box, made.particles.position, np.arange(300) % 4, "ABCD")
    )
    found = describe(path)
    assert found["left_out"]["phase"].startswith("4 species")
    assert [row["species"] for row in found["packing"]["species"]] == list("ABCD")


def test_coinciding_particles_leave_out_what_needs_places(tmp_path: Path) -> None:
    made = liquid(count=200)
    x = made.particles.position
    found = describe(save(tmp_path / "t.gsd", frame(made.configuration.box, np.concatenate([x, x[:1]]))))
    assert "same place" in found["left_out"]["phase"]
    assert "same place" in found["left_out"]["packing"]
    assert found["film"] is not None


def test_frames_and_species_as_in_identify(tmp_path: Path) -> None:
    made = crystal("NaCl", count=400, noise=0.04)
    path = save(tmp_path / "t.gsd", liquid(), made)
    assert describe(path, np.int64(0))["verdict"] == "disordered"
    assert describe(path, -1)["verdict"] == "NaCl"
    one = describe(path, 1, species="B=-")
    assert (one["verdict"], one["n"]) == ("fcc", int(np.sum(made.particles.typeid == 0)))
    for bad in (2, 1.0, True):
        with pytest.raises(TrajectoryError, match="frame"):
            describe(path, bad)  # type: ignore[arg-type]


def test_the_command_prints_strict_json_or_tables(cubes: tuple[Path, Rotation]) -> None:
    path = str(cubes[0])
    done = CliRunner().invoke(main, ["describe", path, "--json"])
    assert done.exit_code == 0, done.stderr
    found = strict(done.stdout)
    assert set(found) == {
        "file", "frame", "n", "unit", "verdict", "notes", "film", "orientation", "packing", "left_out",
    }  # fmt: skip
    with gsd.hoomd.open(path, "r") as file:
        assert found["n"] == file[0].particles.N
    table = CliRunner().invoke(main, ["describe", path])
    assert table.exit_code == 0, table.stderr
    assert max(map(len, table.stdout.splitlines())) <= 110
    for word in (": ABO3", "orientations", "ABO3 A", "angle to axes", "local packing", "left out: ABO3 B"):
        assert word in table.stdout
