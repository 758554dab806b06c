"""Reading of trajectories: every format against what was written, and every way a file can be wrong."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any

import gsd.fl
import gsd.hoomd
import mdtraj
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.trajectory import Configuration, open_trajectory, parse_species, read

N, FRAMES = 60, 3
TYPES = ["PbS", "Au", "O"]
VECTORS = np.array([[30, 0, 0], [6, 29, 0], [3, -4, 28]], float)
BOX = [30, 29, 28, 6 / 29, 3 / 28, -4 / 28]
#: Rounding of the formats [nm]; PDB rounds the angles of the cell to 0.01°.
DIGITS = {
    ".gro": 6e-4,
    ".xtc": 6e-4,
    ".pdb": 6e-4,
    ".xyz": 1e-4,
    ".dcd": 1e-5,
    ".trr": 1e-5,
    ".lammpstrj": 1e-4,
}


def frame(n: int = N, seed: int = 1, **particles: Any) -> gsd.hoomd.Frame:
    made = gsd.hoomd.Frame()
    made.configuration.box = [30, 30, 30, 0, 0, 0]
    made.configuration.step = 10 * seed
    made.particles.N = n
    made.particles.types = TYPES
    made.particles.typeid = np.arange(n) % len(TYPES)
    made.particles.position = np.random.default_rng(seed).uniform(-15, 15, (n, 3))
    for name, value in particles.items():
        setattr(made.particles, name, value)
    return made


def save(path: Path, *frames: gsd.hoomd.Frame) -> Path:
    with gsd.hoomd.open(path, "w") as file:
        for one in frames:
            file.append(one)
    return path


def raw(path: Path, version: tuple[int, int] = (1, 4), **chunks: Any) -> Path:
    """A GSD file written chunk by chunk, as any program may; keys have __ for /."""
    with gsd.fl.open(path, "w", application="other", schema="hoomd", schema_version=list(version)) as file:
        for name, values in chunks.items():
            file.write_chunk(name.replace("__", "/"), values)
        file.end_frame()
    return path


def box_of(*lengths: float) -> NDArray[np.float32]:
    return np.array([*lengths, 0, 0, 0], np.float32)


@pytest.fixture(scope="module")
def positions() -> NDArray[np.float32]:
    # Inside the cell, which begins at the origin, as most formats have it.
    inside = np.random.default_rng(3).uniform(0.01, 0.99, (FRAMES, N, 3))
    return (inside @ VECTORS).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, positions: NDArray[np.float32]) -> Path:
    where = tmp_path_factory.mktemp("formats")
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for k in range(N):
        topology.add_atom(TYPES[k % 3], mdtraj.element.virtual, topology.add_residue("NC", chain))
    made = mdtraj.Trajectory(positions, topology)
    for ending in (".pdb", ".gro", ".xtc", ".dcd"):
        made.save(str(where / f"free{ending}"))
    made.unitcell_vectors = np.tile(VECTORS, (FRAMES, 1, 1))
    for ending in DIGITS:
        made.save(str(where / f"boxed{ending}"))
    save(where / "names.gsd", frame())
    return where


# ---- GSD


@pytest.mark.parametrize("version", [(1, 0), (1, 4), (2, 0)])
def test_gsd_of_schema_1_and_2(tmp_path: Path, version: tuple[int, int]) -> None:
    x = np.random.default_rng(1).uniform(-5, 5, (4, 3)).astype(np.float32)
    names = np.array([b"PbS\0", b"Au\0"], "S4").view(np.int8).reshape(2, 4)
    path = raw(
        tmp_path / "t.gsd", version,
        configuration__step=np.array([7], np.uint64),
        configuration__box=np.array([10, 11, 12, 0.1, 0.2, 0.3], np.float32),
        particles__N=np.array([4], np.uint32),
        particles__types=names,
        particles__typeid=np.array([0, 1, 1, 0], np.uint32),
        particles__position=x,
        particles__diameter=np.array([1, 2, 3, 4], np.float32),
        particles__orientation=np.tile(np.array([0, 1, 0, 0], np.float32), (4, 1)),
    )  # fmt: skip
    found = read(path)
    np.testing.assert_allclose(found.box, [10, 11, 12, 0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_array_equal(found.positions, x)
    assert found.positions.dtype == np.float64
    assert found.kinds.tolist() == [0, 1, 1, 0]
    assert found.species == ("PbS", "Au")
    assert found.diameters is not None
    assert found.diameters.tolist() == [1, 2, 3, 4]
    assert found.orientations is not None
    assert np.all(found.orientations == [0, 1, 0, 0])
    assert (found.step, found.index, found.n, found.flat) == (7, 0, 4, False)
    assert found.unit == "length unit of the file"
    assert found.tags is not None
    assert found.tags.tolist() == [0, 1, 2, 3]
    assert found.file == str(path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = raw(tmp_path / "t.gsd", (3, 0), particles__N=np.array([1], np.uint32))
    with pytest.raises(TrajectoryError, match="schema version"):
        read(path)


def test_two_dimensions_are_flat_whatever_the_height_of_the_box(tmp_path: Path) -> None:
    one = frame()
    one.configuration.dimensions = 2
    one.particles.position[:, 2] = 0
    assert read(save(tmp_path / "a.gsd", one)).flat
    two = frame()
    two.configuration.box = [30, 30, 0, 0, 0, 0]
    found = read(save(tmp_path / "b.gsd", two))
    assert found.flat
    assert found.extent[2] == 0


def test_extent_is_along_the_box_vectors() -> None:
    corners = np.array(list(np.ndindex(2, 2, 2)), float)
    made = Configuration(0, np.array(BOX), 1.7 * corners @ VECTORS, np.zeros(8, int), ("A",))
    np.testing.assert_allclose(made.extent, 1.7)


def test_rigid_bodies_are_their_centres(tmp_path: Path) -> None:
    # Two bodies of a centre and three beads, and a particle that belongs to none.
    body = [0, 1, 0, 0, 0, 1, 1, 1, -1]
    one = frame(9, body=body, types=["centre", "bead", "free"], typeid=[0, 0, 1, 1, 1, 1, 1, 1, 2])
    one.particles.diameter = np.arange(9) + 1.0
    found = read(save(tmp_path / "t.gsd", one))
    assert found.tags is not None
    assert found.tags.tolist() == [0, 1, 8]
    np.testing.assert_array_equal(found.positions, one.particles.position[[0, 1, 8]].astype(np.float32))
    assert found.diameters is not None
    assert found.diameters.tolist() == [1, 2, 9]
    assert [found.species[k] for k in found.kinds] == ["centre", "centre", "free"]
    # HOOMD marks floppy bodies with numbers below -1.
    assert read(save(tmp_path / "f.gsd", frame(4, body=[-2, -2, -1, -1]))).n == 4


def test_number_and_species_may_change_between_frames(tmp_path: Path) -> None:
    path = save(tmp_path / "t.gsd", frame(30), frame(3), frame(5, types=["X"], typeid=[0] * 5))
    with open_trajectory(path) as file:
        assert len(file) == 3
        assert [file.read(i).n for i in range(3)] == [30, 3, 5]
        assert file.read(2).species == ("X",)


# ---- frame numbers


def test_frames_count_from_both_ends_and_by_any_integer(tmp_path: Path) -> None:
    path = save(tmp_path / "t.gsd", *(frame(seed=k) for k in range(4)))
    with open_trajectory(path) as file:
        for index, wanted in [(0, 0), (-1, 3), (-4, 0), (np.int64(2), 2), (np.uint8(1), 1), (np.array(3), 3)]:
            found = file.read(index)
            assert (found.index, found.step) == (wanted, 10 * wanted)
        for bad in (4, -5, np.int32(99)):
            with pytest.raises(TrajectoryError, match="allowed 0 to 3, or -4 to -1"):
                file.read(bad)
        for bad in (True, 1.0, np.float64(1), np.bool_(True), "1", None):
            with pytest.raises(TrajectoryError, match="whole number"):
                file.read(bad)  # type: ignore[arg-type]


# ---- species


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_mapping(text: str | None) -> None:
    assert parse_species(text) == {}


@pytest.mark.parametrize("text", ["PbS", "=A", "PbS=", "PbS=A,", ",PbS=A", "PbS=A=B", "PbS=A,,Au=B", "="])
def test_text_that_maps_nothing_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(TrajectoryError, match="NAME=SPECIES"):
        parse_species(text)


def test_a_name_is_mapped_once() -> None:
    with pytest.raises(TrajectoryError, match="'PbS' is mapped twice: to 'A' and to 'B'"):
        parse_species("PbS=A,PbS=B")


_NAMES = st.text(string.ascii_letters + string.digits + ":_-+ .", min_size=1).map(str.strip).filter(bool)


@given(st.dictionaries(_NAMES, _NAMES))
def test_any_mapping_survives_its_text(mapping: dict[str, str]) -> None:
    assert parse_species(" , ".join(f"{name} = {to}" for name, to in mapping.items())) == mapping


def test_names_are_mapped_merged_and_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "t.gsd", frame())
    plain = read(path)
    assert plain.species == tuple(TYPES)
    merged = read(path, species="Au=B, O=B")
    assert merged.species == ("PbS", "B")
    assert np.array_equal(merged.kinds, np.minimum(plain.kinds, 1))
    into = read(path, species={"Au": "PbS"})
    assert into.species == ("PbS", "O")
    assert np.array_equal(into.kinds, np.array([0, 0, 1])[plain.kinds])
    left = read(path, species="O=-,PbS=A")
    assert left.species == ("A", "Au")
    assert left.tags is not None
    assert np.array_equal(left.tags, np.flatnonzero(plain.kinds != 2))
    np.testing.assert_array_equal(left.positions, plain.positions[left.tags])
    with pytest.raises(TrajectoryError, match="all are left out"):
        read(path, species="PbS=-,Au=-,O=-")


def test_size_classes_are_one_species_unless_they_are_mapped(tmp_path: Path) -> None:
    path = save(tmp_path / "t.gsd", frame(types=["PbS", "PbS:1", "Au:0"]))
    assert read(path).species == ("PbS", "Au")
    assert read(path, species="PbS=A").species == ("A", "Au")
    assert read(path, species="PbS:1=B").species == ("PbS", "B", "Au")
    assert read(path, species="PbS=A,PbS:1=B").species == ("A", "B", "Au")


def test_an_unknown_name_gets_the_nearest_spelling(tmp_path: Path) -> None:
    path = save(tmp_path / "t.gsd", frame())
    with pytest.raises(TrajectoryError, match="no species 'Pbs'; it has PbS, Au, O; did you mean 'PbS'"):
        read(path, species="Pbs=A")


def test_a_type_without_particles_is_no_species_but_may_be_mapped(tmp_path: Path) -> None:
    path = save(tmp_path / "t.gsd", frame(types=["PbS", "Au", "O", "ghost"]))
    assert read(path).species == ("PbS", "Au", "O")
    assert read(path, species="ghost=B").species == ("PbS", "Au", "O")


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=30),
    st.dictionaries(st.sampled_from(["a", "b", "a:1", "c"]), st.sampled_from(["A", "b", "X", "-"])),
)
def test_every_particle_keeps_what_its_name_maps_to(typeid: list[int], mapping: dict[str, str]) -> None:
    from supercrystal.structure.trajectory import configuration

    names = ["a", "b", "a:1", "c"]
    one = frame(len(typeid), types=names, typeid=typeid)
    one.configuration.box = [30, 30, 30, 0, 0, 0]
    base = [name.partition(":")[0] for name in names]
    wanted = [mapping.get(n, mapping.get(b, b)) for n, b in zip(names, base, strict=True)]
    kept = [wanted[k] for k in typeid if wanted[k] != "-"]
    if not kept:
        with pytest.raises(TrajectoryError, match="left out"):
            configuration(one, species=mapping)
        return
    found = configuration(one, species=mapping)
    assert [found.species[k] for k in found.kinds] == kept
    assert set(found.species) == set(kept)
    assert len(found.species) == len(set(found.species))


# ---- mdtraj


@pytest.mark.parametrize("ending", [e for e in DIGITS if e != ".xyz"])
def test_formats_with_a_tilted_box(folder: Path, positions: NDArray[np.float32], ending: str) -> None:
    top = None if ending in (".pdb", ".gro") else folder / "boxed.pdb"
    with open_trajectory(folder / f"boxed{ending}", top=top) as file:
        assert len(file) == FRAMES
        for k in range(FRAMES):
            found = file.read(k)
            np.testing.assert_allclose(found.box, BOX, rtol=1e-4, atol=1e-4)
            # The cell begins at the origin in the file; here its centre is there, as in GSD files.
            np.testing.assert_allclose(
                found.positions, positions[k] - VECTORS.sum(axis=0) / 2, atol=2 * DIGITS[ending]
            )
            assert [found.species[i] for i in found.kinds[:4]] == ["PbS", "Au", "O", "PbS"]
            assert (found.unit, found.index) == ("nm", k)
            assert np.all(found.extent < 1)
            assert found.diameters is None
            assert found.orientations is None


def test_a_centred_cell_is_left_where_it_is(tmp_path: Path, folder: Path) -> None:
    loaded = mdtraj.load(str(folder / "boxed.pdb"))
    loaded.xyz = loaded.xyz - (VECTORS.sum(axis=0) / 2).astype(np.float32)
    loaded.save(str(tmp_path / "t.trr"))
    found = read(tmp_path / "t.trr", 0, top=folder / "boxed.pdb")
    np.testing.assert_allclose(found.positions, loaded.xyz[0], atol=1e-5)


@pytest.mark.parametrize("name", ["free.pdb", "free.gro", "free.xtc", "free.dcd", "boxed.xyz"])
def test_particles_without_box_get_empty_space(
    folder: Path, positions: NDArray[np.float32], name: str
) -> None:
    top = None if name in ("free.pdb", "free.gro") else folder / "boxed.pdb"
    with open_trajectory(folder / name, top=top) as file:
        every = [file.read(k) for k in range(FRAMES)]
    for one, x in zip(every, positions, strict=True):
        # The same box and shift in all frames, so that frames can be averaged.
        np.testing.assert_array_equal(one.box, every[0].box)
        shift = one.positions - x
        np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=2e-3)
        np.testing.assert_allclose(shift[0], every[0].positions[0] - positions[0][0], atol=2e-3)
        lows, highs = one.positions.min(axis=0), one.positions.max(axis=0)
        gap = one.box[:3] - (highs - lows)
        assert np.all(gap >= np.ptp(one.positions, axis=0).max() - 1e-3)
        assert np.all(lows >= -one.box[:3] / 2)
        assert np.all(highs <= one.box[:3] / 2)


def test_names_come_from_a_gsd_file_too(folder: Path) -> None:
    found = read(folder / "boxed.xtc", 0, species="Au=B,PbS=A", top=folder / "names.gsd")
    assert found.species == ("A", "B", "O")


@pytest.mark.parametrize("ending", [".xtc", ".dcd", ".xyz", ".trr"])
def test_a_format_without_names_asks_for_them(folder: Path, ending: str) -> None:
    with pytest.raises(TrajectoryError, match="names no particles: give --top"):
        read(folder / f"boxed{ending}")


def test_names_of_other_particles_are_refused(tmp_path: Path, folder: Path) -> None:
    save(tmp_path / "few.gsd", frame(5))
    with pytest.raises(TrajectoryError, match="mdtraj cannot read .*boxed.xtc"):
        read(folder / "boxed.xtc", top=tmp_path / "few.gsd")
    (tmp_path / "bad.gsd").write_bytes(b"nothing")
    for bad, words in [("bad.gsd", "names from"), ("missing.pdb", "no such file")]:
        with pytest.raises(TrajectoryError, match=words):
            read(folder / "boxed.xtc", top=tmp_path / bad)


@pytest.mark.parametrize("name", ["boxed.dcd", "boxed.xtc", "boxed.pdb"])
def test_reading_says_nothing_on_stdout(folder: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    # The DCD plugin prints about itself, which would end up in JSON.
    read(folder / name, top=folder / "names.gsd")
    assert capfd.readouterr() == ("", "")


# ---- what is wrong with files


def test_files_are_not_touched(tmp_path: Path, folder: Path) -> None:
    paths = [save(tmp_path / "t.gsd", frame()), folder / "boxed.xtc", folder / "boxed.pdb"]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    listing = sorted(folder.iterdir())
    for path in paths:
        os.chmod(path, 0o444)
        read(path, top=folder / "names.gsd")
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths] == before
    assert sorted(folder.iterdir()) == listing


def test_every_truncation_is_refused_or_whole(tmp_path: Path) -> None:
    whole = save(tmp_path / "t.gsd", frame(), frame(seed=2)).read_bytes()
    for keep in [*range(0, 300, 37), *range(300, len(whole), 211), len(whole) - 1]:
        cut = tmp_path / "cut.gsd"
        cut.write_bytes(whole[:keep])
        with pytest.raises(TrajectoryError, match="cannot read|no frame"):
            read(cut)


@pytest.mark.parametrize("name", ["boxed.xtc", "boxed.trr", "boxed.dcd", "boxed.gro", "boxed.pdb"])
def test_truncations_of_other_formats_raise_nothing_else(tmp_path: Path, folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    cut = tmp_path / name
    refused = 0
    for keep in np.linspace(0, len(whole) - 2, 12).astype(int):
        cut.write_bytes(whole[:keep])
        try:
            # Whole frames that are left may be read.
            assert read(cut, top=folder / "names.gsd").n == N
        except TrajectoryError:
            refused += 1
    assert refused >= 2


@pytest.mark.parametrize("ending", [".gsd", ".pdb", ".gro", ".xtc", ".dcd", ".xyz", ".txt", ""])
def test_foreign_files_are_refused(tmp_path: Path, ending: str, folder: Path) -> None:
    path = tmp_path / f"t{ending}"
    for content in (b"", b"GARBAGE\n" * 100, bytes(range(256)) * 4):
        path.write_bytes(content)
        with pytest.raises(TrajectoryError, match="cannot read|names no|no frame|no particles") as caught:
            read(path, top=None if ending in (".pdb", ".gro") else folder / "names.gsd")
        assert "\n" not in str(caught.value)


def test_directories_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.gsd").mkdir()
    for path, words in [
        (tmp_path, "is a directory"),
        (tmp_path / "d.gsd", "is a directory"),
        (tmp_path / "missing.gsd", "no such file"),
        (tmp_path / "missing.xtc", "no such file"),
        (tmp_path / "missing" / "t.gsd", "no such file"),
    ]:
        with pytest.raises(TrajectoryError, match=words):
            read(path)


def test_files_one_may_not_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "t.gsd", frame())
    if os.geteuid() == 0:  # who may read everything
        monkeypatch.setattr(os, "access", lambda *_: False)
    else:
        os.chmod(path, 0)
    with pytest.raises(TrajectoryError, match="permission"):
        read(path)


def test_no_frames_and_no_particles(tmp_path: Path) -> None:
    empty = save(tmp_path / "empty.gsd")
    with open_trajectory(empty) as file:
        assert len(file) == 0
        with pytest.raises(TrajectoryError, match="no frame"):
            file.read(0)
    with pytest.raises(TrajectoryError, match="frame 0 of .* has no particles"):
        read(save(tmp_path / "none.gsd", frame(0)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_positions_that_are_not_finite_are_refused_where_they_count(tmp_path: Path, value: float) -> None:
    one = frame()
    one.particles.position[7, 1] = value
    path = save(tmp_path / "t.gsd", frame(), one)
    with open_trajectory(path) as file:
        assert file.read(0).n == N
        with pytest.raises(TrajectoryError, match="frame 1 of .* not finite"):
            file.read(1)
    # Particle 7 is Au, which may be left out.
    assert read(path, species="Au=-").n == N - 20


@pytest.mark.parametrize(
    "box", [[np.nan, 9, 9], [0, 9, 9], [-9, 9, 9], [9, 0, 9], [9, 9, -9], [np.inf, 9, 9]]
)
def test_boxes_that_are_none_are_refused(tmp_path: Path, box: list[float]) -> None:
    path = raw(
        tmp_path / "t.gsd",
        configuration__box=box_of(*box),
        particles__N=np.array([2], np.uint32),
        particles__position=np.zeros((2, 3), np.float32),
    )
    with pytest.raises(TrajectoryError, match="the box of frame 0"):
        read(path)


def test_a_frame_without_box_is_refused_unless_it_holds_its_particles(tmp_path: Path) -> None:
    one = frame()
    one.configuration.box = None
    with pytest.raises(TrajectoryError, match="has no box"):
        read(save(tmp_path / "t.gsd", one))
    small = frame(position=np.random.default_rng(1).uniform(-0.5, 0.5, (N, 3)))
    small.configuration.box = [1, 1, 1, 0, 0, 0]
    assert read(save(tmp_path / "s.gsd", small)).n == N


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ({"particles__position": np.zeros((2, 3), np.float32)}, "3 particles, but a position for 2"),
        ({"particles__typeid": np.array([0, 0, 9], np.uint32)}, "types that it does not name"),
        ({"particles__typeid": np.array([0], np.uint32)}, "a typeid for 1"),
        ({"particles__diameter": np.ones(7, np.float32)}, "a diameter for 7"),
        ({"particles__orientation": np.ones((3, 3), np.float32)}, "orientation"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, chunks: dict[str, Any], words: str) -> None:
    path = raw(
        tmp_path / "t.gsd",
        configuration__box=box_of(9, 9, 9),
        particles__N=np.array([3], np.uint32),
        **chunks,
    )
    with pytest.raises(TrajectoryError, match=words):
        read(path)
