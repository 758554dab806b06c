"""Naming frames of files: the record, its numbers, and everything that is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from supercrystal.cli import main
from supercrystal.errors import TrajectoryError
from supercrystal.structure import identify as room
from supercrystal.structure.identify import identify
from supercrystal.structure.labels import phases
from tests.structure_files import SPACING, crystal, frame, liquid, plane, save


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["identify", *map(str, arguments)])


def refused(done: Result, words: str) -> None:
    """Exit code 2, one line on stderr, nothing on stdout."""
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert words in done.stderr


def _not_json(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


def record(*arguments: object) -> dict[str, Any]:
    """What `identify --json` prints, read strictly."""
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout, parse_constant=_not_json)
    return found


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [x for each in value.values() for x in numbers(each)]
    if isinstance(value, list):
        return [x for each in value for x in numbers(each)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def holds(found: dict[str, Any], file: Path) -> None:
    """The schema of the issue, and what must be true of any record."""
    assert found["file"] == str(file)
    for one in found["frames"]:
        assert isinstance(one["frame"], int)
        assert isinstance(one["n"], int)
        assert one["phase"] in phases()
        assert 0 <= one["score"] <= 1
        assert set(one["fractions"]) <= set(phases())
        assert "disordered" in one["fractions"]
        assert sum(one["fractions"].values()) == pytest.approx(1, abs=1e-12)
        assert all(map(math.isfinite, numbers(one)))
        crystals = [grain for grain in one["grains"] if grain["sublattice"] is None]
        assert one["phase"] == (crystals[0]["phase"] if crystals else "disordered")
        assert (one["lattice"] is None) == (not crystals)
        assert sum(grain["n"] for grain in one["grains"]) <= one["n"]
        for lattice in [grain["lattice"] for grain in one["grains"]]:
            assert ("a_nm" in lattice) != ("a" in lattice)
            assert lattice["uncertainty"] >= 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("identify")


@pytest.fixture(scope="module")
def binary(folder: Path) -> Path:
    return save(folder / "NaCl.gsd", crystal("NaCl", count=500, noise=0.05, vacancies=0.02, antisites=0.01))


@pytest.fixture(scope="module")
def three(folder: Path) -> Path:
    frames = [liquid(step=0), *(crystal("fcc", k, count=500, noise=0.06, step=100 * k) for k in (1, 2))]
    return save(folder / "three.gsd", *frames)


@pytest.fixture(scope="module")
def ternary() -> gsd.hoomd.Frame:
    how = {"noise": 0.05, "vacancies": 0.02, "antisites": 0.02}
    return crystal("ABO3", types="ABO", merge=False, count=600, **how)


def test_the_record_of_a_compound(binary: Path) -> None:
    found = record(binary)
    holds(found, binary)
    (one,) = found["frames"]
    assert (one["frame"], one["phase"], one["verdict"], one["host"]) == (0, "NaCl", "NaCl", "A")
    (grain,) = one["grains"]
    assert grain["n"] >= 0.99 * one["n"]
    assert one["lattice"]["a"] == pytest.approx(2 * SPACING, rel=4e-3)
    assert abs(one["lattice"]["a"] - 2 * SPACING) < 5 * one["lattice"]["uncertainty"]
    assert one["lattice"]["unit"] == "length unit of the file"
    assert one["lattice"]["scattering"]["differs"] is False
    assert np.linalg.norm(grain["orientation"]) == pytest.approx(1)
    assert grain["rms_displacement_over_shortest_distance"] == pytest.approx(0.05, rel=0.1)


def test_defects_of_a_compound_are_counted(binary: Path) -> None:
    with gsd.hoomd.open(binary, "r") as file:
        total = file[0].particles.N
    (grain,) = record(binary)["frames"][0]["grains"]
    # 2 % of the sites were emptied and 1 % of the particles exchanged, each by chance.
    assert grain["vacancies"] == pytest.approx(0.02, abs=4 * (0.02 / total) ** 0.5)
    assert grain["antisites"] == pytest.approx(0.01, abs=4 * (0.01 / total) ** 0.5)


@pytest.mark.parametrize("phase", ["fcc", "hcp", "bcc", "sc"])
def test_a_perfect_crystal_has_finite_numbers(folder: Path, phase: str) -> None:
    path = save(folder / f"perfect-{phase}.gsd", crystal(phase, count=300))
    found = record(path)
    holds(found, path)
    lattice = found["frames"][0]["lattice"]
    assert found["frames"][0]["phase"] == phase
    assert lattice["uncertainty"] < 1e-6 * lattice["a"]
    # Positions of single precision do not make two measurements differ.
    assert lattice["scattering"]["differs"] is False
    done = call(path)
    assert done.exit_code == 0
    assert "nan" not in done.stdout


def test_a_small_cluster_has_finite_numbers(folder: Path) -> None:
    path = save(folder / "cluster.gsd", crystal("fcc", count=150, noise=0.03, shape="cluster"))
    found = record(path)
    holds(found, path)
    assert found["frames"][0]["phase"] == "fcc"


def test_lengths_of_other_formats_are_nm(folder: Path) -> None:
    import mdtraj

    made = crystal("bcc", count=400, noise=0.04)
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(made.particles.N):
        topology.add_atom("PbS", mdtraj.element.virtual, topology.add_residue("NC", chain))
    lengths = made.configuration.box[:3]
    loaded = mdtraj.Trajectory(
        made.particles.position, topology, unitcell_lengths=[lengths], unitcell_angles=[[90, 90, 90]]
    )
    loaded.save(str(folder / "t.gro"))
    loaded.save(str(folder / "t.dcd"))
    for arguments in (["t.gro"], ["t.dcd", "--top", folder / "t.gro"]):
        found = record(folder / str(arguments[0]), *arguments[1:])
        holds(found, folder / str(arguments[0]))
        lattice = found["frames"][0]["lattice"]
        assert found["frames"][0]["phase"] == "bcc"
        assert lattice["a_nm"] == pytest.approx(2 * SPACING / 3**0.5, rel=3e-3)
        assert "a" not in lattice


def _half(turn: Rotation, side: int, edge: float) -> NDArray[np.float64]:
    """An fcc crystal of spacing 1, turned and cut to one half of a cube."""
    cells = np.stack(np.meshgrid(*[np.arange(-7, 8)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    x = turn.apply((cells + sites).reshape(-1, 3) * 2**0.5)
    return x[np.all(np.abs(x) < edge, axis=1) & (side * x[:, 0] > 0.4)]


def test_two_grains_have_a_record_each(folder: Path) -> None:
    first, second = Rotation.from_rotvec([0, 0, 0.1]), Rotation.from_rotvec([0.3, 0.2, 0.5])
    x = np.concatenate([_half(first, 1, 5.5), _half(second, -1, 5.2)])
    x += np.random.default_rng(3).normal(0, 0.04, x.shape)
    path = save(folder / "bicrystal.gsd", frame([30, 30, 30, 0, 0, 0], x))
    found = record(path)
    holds(found, path)
    (one,) = found["frames"]
    assert [grain["phase"] for grain in one["grains"]] == ["fcc", "fcc"]
    assert one["grains"][0]["n"] > one["grains"][1]["n"]
    assert sum(grain["n"] for grain in one["grains"]) > 0.9 * len(x)
    symmetry = Rotation.create_group("O")
    for grain, turn in zip(one["grains"], (first, second), strict=True):
        own = Rotation.from_quat(np.roll(grain["orientation"], -1))
        assert np.degrees((own.inv() * turn * symmetry).magnitude().min()) < 1
        assert grain["lattice"]["a"] == pytest.approx(2**0.5, rel=3e-3)
    (boundary,) = one["boundaries"]
    angle = np.degrees((first.inv() * second * symmetry).magnitude().min())
    assert boundary["misorientation"]["angle_degrees"] == pytest.approx(angle, abs=1)
    done = call(path)
    assert done.exit_code == 0
    assert done.stdout.count("│ fcc") == 2
    assert "grains 0 and 1 touch: turned by" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


# ---- which frames


def test_frames(three: Path) -> None:
    assert [record(three, "--frame", k)["frames"][0]["frame"] for k in (0, -2)] == [0, 1]
    last = record(three)["frames"]
    assert [(one["frame"], one["step"], one["phase"]) for one in last] == [(2, 200, "fcc")]
    assert [one.configuration.index for one in identify(three, every=2)] == [0, 2]
    assert [one.phase for one in identify(three, every=np.int64(2))] == ["disordered", "fcc"]
    assert identify(three, np.int32(1))[0].configuration.index == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frame", 3], "allowed 0 to 2, or -3 to -1"),
        (["--frame", -4], "allowed 0 to 2"),
        (["--frame", 0, "--every", 2], "not both"),
        (["--every", 0], "≥ 1; got 0"),
        (["--every", -1], "≥ 1; got -1"),
        (["--average", 0], "one frame or more"),
        (["--average", 9], "needs 8 before it"),
        (["--host", "Au"], "'Au' is no species"),
        (["--species", "B=A"], "no species 'B'"),
        (["--species", "A"], "NAME=SPECIES"),
        (["--species", "A=-"], "left out"),
        (["--top", "nothing.pdb", "--open", "z", "--host", "X"], "'X' is no species"),
    ],
)
def test_wrong_use_is_one_line(three: Path, arguments: list[object], words: str) -> None:
    refused(call(three, *arguments), words)


def test_numbers_that_are_not_whole_are_refused(three: Path) -> None:
    for bad in ({"frame": 1.0}, {"frame": True}, {"every": 1.5}, {"every": True}):
        with pytest.raises(TrajectoryError, match="whole number"):
            identify(three, **bad)


def test_every_says_how_phases_changed(three: Path) -> None:
    found = record(three, "--every", 1)
    holds(found, three)
    assert [one["phase"] for one in found["frames"]] == ["disordered", "fcc", "fcc"]
    assert all(map(math.isfinite, numbers(found["history"])))
    done = call(three, "--every", 1)
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_averages_are_of_frames_of_one_configuration(folder: Path) -> None:
    made = crystal("bcc", count=400)
    rng = np.random.default_rng(5)
    frames = []
    for k in range(6):
        x = made.particles.position + rng.normal(0, 0.08 * SPACING, (made.particles.N, 3))
        frames.append(frame(made.configuration.box, x, step=k))
    path = save(folder / "hot.gsd", *frames)
    (one,) = record(path, "--average", 6)["frames"]
    (single,) = record(path)["frames"]
    assert (one["averaged_frames"], one["phase"]) == (6, "bcc")
    key = "rms_displacement_over_shortest_distance"
    assert single["grains"][0][key] == pytest.approx(0.08, rel=0.15)
    assert one["grains"][0][key] == pytest.approx(0.08 / 6**0.5, rel=0.15)


# ---- species


@pytest.mark.parametrize("mapping", ["", "B=O", "A=PbS,B=Au,O=Au"], ids=["three", "merged", "renamed"])
def test_perovskite_of_two_or_three_species(folder: Path, ternary: gsd.hoomd.Frame, mapping: str) -> None:
    path = save(folder / "ABO3.gsd", ternary)
    arguments = ["--species", mapping] if mapping else []
    if "PbS" in mapping:
        arguments += ["--host", "PbS"]
    found = record(path, *arguments)
    holds(found, path)
    (one,) = found["frames"]
    (grain,) = one["grains"]
    assert (one["phase"], one["host"]) == ("ABO3", "PbS" if "PbS" in mapping else "A")
    assert one["lattice"]["a"] == pytest.approx(2 * SPACING, rel=4e-3)
    occupancy = grain["occupancy"]
    assert set(occupancy) == {"A", "B", "O"}
    sites = {label: sum(counts.values()) for label, counts in occupancy.items()}
    assert sites["O"] / sites["A"] == pytest.approx(3, rel=0.15)
    wanted = {"": ("A", "B", "O"), "B=O": ("A", "O", "O")}.get(mapping, ("PbS", "Au", "Au"))
    for label, species in zip("ABO", wanted, strict=True):
        assert max(occupancy[label], key=lambda name: occupancy[label][name]) == species
        assert occupancy[label][species] >= 0.9 * sites[label]
    # Those of B and O among each other are no antisites once both are one species.
    assert grain["antisites"] > 0
    if mapping:
        assert grain["antisites"] < 0.02


def test_antisites_of_three_species(folder: Path, ternary: gsd.hoomd.Frame) -> None:
    path = save(folder / "antisites.gsd", ternary)
    (grain,) = record(path)["frames"][0]["grains"]
    occupancy = grain["occupancy"]
    inside = sum(sum(counts.values()) for counts in occupancy.values())
    wrong = inside - sum(max(counts.values()) for counts in occupancy.values())
    assert grain["antisites"] == pytest.approx(wrong / inside)
    assert grain["antisites"] == pytest.approx(0.02, abs=4 * (0.02 / inside) ** 0.5)


def test_size_classes_are_one_species(folder: Path) -> None:
    made = crystal("fcc", count=400, noise=0.05)
    made.particles.types = ["PbS", "PbS:1", "PbS:2"]
    made.particles.typeid = np.arange(made.particles.N) % 3
    (one,) = record(save(folder / "sizes.gsd", made))["frames"]
    assert (one["phase"], one["notes"], one["host"]) == ("fcc", [], None)


def test_the_host_is_the_species_that_is_asked_for(binary: Path) -> None:
    # In NaCl both species are alike.
    one = record(binary, "--host", "B")["frames"][0]
    assert (one["host"], one["phase"]) == ("B", "NaCl")


def test_more_than_three_species_can_be_merged_or_left_out(folder: Path) -> None:
    made = crystal("NaCl", count=400, noise=0.04)
    rng = np.random.default_rng(2)
    kinds = made.particles.typeid + 2 * rng.integers(0, 2, made.particles.N)
    path = save(folder / "four.gsd", frame(made.configuration.box, made.particles.position, kinds, "ABCD"))
    refused(call(path), "4 species (A, B, C, D): phases are told for up to 3")
    assert record(path, "--species", "C=A,D=B")["frames"][0]["phase"] == "NaCl"


def test_a_species_of_few_particles_is_foreign_in_the_other(folder: Path) -> None:
    made = crystal("fcc", count=500, noise=0.04)
    kinds = (np.arange(made.particles.N) % 250 == 0).astype(int)
    path = save(folder / "few.gsd", frame(made.configuration.box, made.particles.position, kinds, "AB"))
    found = record(path)
    holds(found, path)
    (one,) = found["frames"]
    assert one["phase"] == "fcc"
    assert any("too few to be a sublattice" in note for note in one["notes"])


def test_a_species_without_particles_is_none(folder: Path) -> None:
    made = crystal("fcc", count=300, noise=0.04, types="AB")
    made.particles.types = ["A", "B"]
    (one,) = record(save(folder / "without.gsd", made))["frames"]
    assert (one["phase"], one["host"]) == ("fcc", None)


# ---- boxes


def test_a_film_that_fills_its_box_repeats_unless_it_is_opened(folder: Path) -> None:
    made = crystal("fcc", count=600, noise=0.04)
    x, box = made.particles.position, list(made.configuration.box)
    x = (x + box[2] / 2) % box[2] - box[2] / 2
    # Half a layer of space at either end, as the box has it, is no surface; walls are.
    path = save(folder / "film.gsd", frame(box, x))
    periodic, opened = identify(path)[0], identify(path, periodic=(True, True, False))[0]
    assert periodic.phase == opened.phase == "fcc"
    assert periodic.named is not None
    assert opened.named is not None
    inside, free = (one.named.crystals[0].quality["sites"] for one in (periodic, opened) if one.named)
    assert free < inside
    assert record(path, "--open", "z")["frames"][0]["phase"] == "fcc"


def test_a_slab_is_handled_with_and_without_the_word(folder: Path) -> None:
    path = save(folder / "slab.gsd", crystal("CsCl", count=600, noise=0.04, shape="slab"))
    for arguments in ([], ["--open", "z"]):
        (one,) = record(path, *arguments)["frames"]
        assert one["phase"] == "CsCl"
        assert one["grains"][0]["n"] >= 0.97 * one["n"]


def test_a_box_tilted_along_an_open_axis_is_refused(folder: Path) -> None:
    made = crystal("fcc", count=200)
    box = [*made.configuration.box[:3], 0, 0.1, 0]
    path = save(folder / "tilted.gsd", frame(box, made.particles.position))
    refused(call(path, "--open", "z"), "tilted along z")
    done = call(path, "--open", "w")
    assert done.exit_code == 2
    assert "letters of xyz" in done.stderr


def test_positions_in_another_unit_than_the_box_are_said(folder: Path) -> None:
    made = liquid(count=400)
    path = save(folder / "unit.gsd", frame([20, 20, 20, 0, 0, 0], made.particles.position))
    (one,) = record(path)["frames"]
    assert any("box lengths" in note for note in one["notes"])
    refused(
        call(save(folder / "narrow.gsd", frame([500, 500, 0.01, 0, 0, 0], made.particles.position))), "wide"
    )
    inside = save(folder / "inside.gsd", made)
    assert record(inside)["frames"][0]["notes"] == []


# ---- small, flat and broken


@pytest.mark.parametrize("count", [1, 5, 12])
def test_few_particles_are_refused(folder: Path, count: int) -> None:
    x = np.random.default_rng(1).uniform(-10, 10, (count, 3))
    refused(
        call(save(folder / "few.gsd", frame([40, 40, 40, 0, 0, 0], x))),
        f"more than 12 particles, as each looks at that many; got {count}",
    )


def test_thirteen_particles_are_disordered(folder: Path) -> None:
    x = np.random.default_rng(1).uniform(-10, 10, (13, 3))
    path = save(folder / "thirteen.gsd", frame([40, 40, 40, 0, 0, 0], x))
    found = record(path)
    holds(found, path)
    assert found["frames"][0]["fractions"] == {"disordered": 1.0}


@pytest.mark.parametrize("kind", ["hexagonal", "square", "disordered"])
def test_monolayers_have_their_order_in_the_plane(folder: Path, kind: str) -> None:
    path = save(folder / f"{kind}.gsd", frame(*plane(kind)))
    found = record(path)
    holds(found, path)
    (one,) = found["frames"]
    assert (one["phase"], one["verdict"], one["monolayer"]["kind"]) == (
        "disordered", f"{kind} monolayer", kind,
    )  # fmt: skip
    done = call(path)
    assert done.exit_code == 0
    assert f"{kind} monolayer" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_a_flat_system_of_few_particles_says_so(folder: Path) -> None:
    for n in (1, 2):
        _, x = plane("square", n)
        path = save(folder / "small.gsd", frame([9, 9, 0, 0, 0, 0], x))
        found = record(path)
        holds(found, path)
        assert found["frames"][0]["verdict"] == "monolayer of too few particles to tell"


@pytest.mark.parametrize("flat", [False, True])
def test_coinciding_particles_are_refused(folder: Path, flat: bool) -> None:
    if flat:
        box, x = plane("square", 8)
    else:
        made = liquid(count=200)
        box, x = made.configuration.box, made.particles.position
    path = save(folder / "same.gsd", frame(box, np.concatenate([x, x[:1]])))
    refused(call(path), "at the same place")


def test_particles_that_overlap_are_no_crystal(folder: Path) -> None:
    made = crystal("fcc", count=300, noise=0.03)
    x = np.concatenate([made.particles.position, made.particles.position[:30] + 0.05 * SPACING])
    path = save(folder / "overlap.gsd", frame(made.configuration.box, x))
    found = record(path)
    holds(found, path)
    assert found["frames"][0]["fractions"]["disordered"] >= 30 / len(x)


def test_a_liquid_has_no_grain(three: Path) -> None:
    (one,) = record(three, "--frame", 0)["frames"]
    assert (one["phase"], one["grains"], one["lattice"], one["score"]) == ("disordered", [], None, 0.0)


def test_a_crystal_whose_guests_melted_is_no_compound(folder: Path) -> None:
    from supercrystal.structure import training

    made = training.half_molten(np.random.default_rng(4), "NaCl", noise=0.04)
    path = save(folder / "molten.gsd", frame(made.box, made.positions, made.kinds, "AB"))
    found = record(path)
    holds(found, path)
    (one,) = found["frames"]
    assert one["phase"] == "disordered"
    assert one["lattice"] is None
    if one["grains"]:
        assert one["verdict"] == "A sublattice fcc, others disordered"
        assert one["grains"][0]["sublattice"] == {"species": "A", "phase": "fcc"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"GARBAGE" * 100), "cannot read"),
        (lambda path: path.write_bytes(b""), "cannot read"),
        (lambda path: save(path), "no frame"),
        (lambda path: save(path, frame([9, 9, 9, 0, 0, 0], np.zeros((0, 3)))), "no particles"),
        (lambda path: save(path, frame([9, 9, 9, 0, 0, 0], np.full((20, 3), np.nan))), "not finite"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: None, "no such file"),
    ],
    ids=["foreign", "empty file", "zero frames", "zero particles", "NaN", "directory", "missing"],
)
@pytest.mark.parametrize("command", ["identify", "describe"])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, make: Any, words: str, command: str) -> None:
    path = tmp_path / "t.gsd"
    make(path)
    refused(CliRunner().invoke(main, [command, str(path)]), words)


# ---- labels


def test_labels_are_written_for_others(tmp_path: Path, three: Path) -> None:
    before = three.read_bytes()
    found = identify(three, every=1)
    room.write_labels(found, tmp_path / "out.gsd")
    assert three.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.gsd"]
    with gsd.hoomd.open(tmp_path / "out.gsd", "r") as out, gsd.hoomd.open(three, "r") as source:
        assert len(out) == 3
        for one, made, original in zip(out, found, source, strict=True):
            assert made.named is not None
            labels, grain = one.log["particles/phase"], one.log["particles/grain"]
            assert labels.shape == grain.shape == (original.particles.N,)
            np.testing.assert_array_equal(labels, made.named.labels)
            np.testing.assert_array_equal(grain, made.named.grain)
            np.testing.assert_array_equal(one.particles.position, original.particles.position)
            np.testing.assert_array_equal(one.configuration.box, original.configuration.box)
            assert one.configuration.step == original.configuration.step
            names = [bytes(row).decode().strip() for row in one.log["phase_names"]]
            assert names == list(phases())
            assert set(grain) <= set(range(-1, len(made.named.grains)))
            share = np.mean(labels == names.index("fcc"))
            assert share == pytest.approx(made.named.fractions().get("fcc", 0))
        assert np.all(out[0].log["particles/grain"] == -1)
    # What is written can be read and named again.
    assert identify(tmp_path / "out.gsd")[0].phase == "fcc"


def test_labels_are_those_of_the_particles_that_stay(tmp_path: Path, binary: Path) -> None:
    out = tmp_path / "out.gsd"
    done = call(binary, "--species", "B=-", "--write-labels", out)
    assert done.exit_code == 0, done.stderr
    assert f"labels: {out}" in done.stdout
    with gsd.hoomd.open(binary, "r") as source, gsd.hoomd.open(out, "r") as written:
        stay = np.flatnonzero(source[0].particles.typeid == 0)
        np.testing.assert_array_equal(written[0].particles.position, source[0].particles.position[stay])
        assert written[0].particles.types == ["A"]


def test_monolayers_have_labels_too(tmp_path: Path, folder: Path) -> None:
    path = save(folder / "layer.gsd", frame(*plane("square", 8)))
    assert call(path, "--write-labels", tmp_path / "out.gsd").exit_code == 0
    with gsd.hoomd.open(tmp_path / "out.gsd", "r") as out:
        assert out[0].configuration.dimensions == 2
        assert np.all(out[0].log["particles/grain"] == -1)


def test_nothing_is_overwritten_and_nothing_half_written(
    tmp_path: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old.gsd"
    old.write_bytes(b"mine")
    refused(call(three, "--write-labels", old), "is not overwritten")
    refused(call(three, "--write-labels", three), "is not overwritten")
    refused(call(three, "--write-labels", tmp_path / "none" / "out.gsd"), "no directory")
    assert old.read_bytes() == b"mine"

    found = identify(three, every=2)
    append = gsd.hoomd.HOOMDTrajectory.append

    def full(self: Any, one: Any) -> None:
        if len(self) == 1:
            raise OSError("no space left")
        append(self, one)

    monkeypatch.setattr(gsd.hoomd.HOOMDTrajectory, "append", full)
    with pytest.raises(TrajectoryError, match="cannot write .*no space left"):
        room.write_labels(found, tmp_path / "new.gsd")
    assert [path.name for path in tmp_path.iterdir()] == ["old.gsd"]


# ---- tables


def test_tables_fit_110_columns_and_take_names_as_they_are(folder: Path, ternary: gsd.hoomd.Frame) -> None:
    path = save(folder / "[bold]ABO3.gsd", ternary)
    done = call(path, "--species", "O=[red]")
    assert done.exit_code == 0, done.stderr
    assert "[bold]ABO3.gsd" in done.stdout.replace("\n", "")
    assert max(map(len, done.stdout.splitlines())) <= 110
    for word in ("ABO3", "particles", "score", "antisites", "cell of the largest grain", "S(k)"):
        assert word in done.stdout
    described = CliRunner().invoke(main, ["describe", str(path), "--species", "O=[red]"])
    assert described.exit_code == 0, described.stderr
    assert "[red]" in described.stdout
    assert max(map(len, described.stdout.splitlines())) <= 110
