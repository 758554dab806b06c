from __future__ import annotations

import json
from pathlib import Path

import gsd.hoomd
import mdtraj
import numpy as np
import pytest

from supercrystal.errors import TrajectoryError
from supercrystal.structure.identify import dominant, identify, read_frame
from tests.lattice_samples import crystal


def _write(path: Path, frames: int = 1, name: str = "fcc", types: tuple[str, ...] = ("A",)) -> Path:
    with gsd.hoomd.open(path, "w") as file:
        for step in range(frames):
            box, x = crystal(name, 500, 0.04, seed=step, scale=9.7)
            frame = gsd.hoomd.Frame()
            frame.configuration.step = step
            frame.configuration.box = box
            frame.particles.N = len(x)
            frame.particles.types = list(types)
            frame.particles.typeid = np.arange(len(x)) % len(types)
            frame.particles.position = x
            file.append(frame)
    return path


@pytest.mark.parametrize("name", ["fcc", "hcp", "bcc", "sc"])
def test_a_file_is_named_with_its_spacing(tmp_path: Path, name: str) -> None:
    found = identify(_write(tmp_path / "t.gsd", name=name)).to_dict()
    assert found["phase"] == name
    assert found["lattice"]["d_nn"] == pytest.approx(9.7, rel=3e-3)
    assert sum(found["fractions"].values()) == pytest.approx(1)
    json.dumps(found, allow_nan=False)


def test_frames_count_from_both_ends_and_take_numpy_integers(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.gsd", frames=3)
    assert [read_frame(path, i)[0] for i in (0, 2, -1, -3, np.int64(1))] == [0, 2, 2, 0, 1]
    for bad in (3, -4):
        with pytest.raises(TrajectoryError, match="allowed 0 to 2"):
            read_frame(path, bad)


def test_size_classes_are_one_species_and_mixtures_are_noted(tmp_path: Path) -> None:
    one = identify(_write(tmp_path / "one.gsd", types=("PbS", "PbS:1", "PbS:2")))
    assert one.notes == ()
    two = identify(_write(tmp_path / "two.gsd", types=("PbS", "Au")))
    assert any("2 species" in note for note in two.notes)


def test_fcc_and_hcp_count_together_against_bcc() -> None:
    assert dominant({"disordered": 0.0, "fcc": 0.3, "hcp": 0.25, "bcc": 0.45, "sc": 0.0}) == "fcc"
    assert dominant({"disordered": 0.55, "fcc": 0.45, "hcp": 0.0, "bcc": 0.0, "sc": 0.0}) == "disordered"
    assert dominant(dict.fromkeys(("disordered", "fcc", "hcp", "bcc", "sc"), 0.0)) == "disordered"


def test_empty_frames_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.gsd"
    with gsd.hoomd.open(path, "w") as file:
        file.append(gsd.hoomd.Frame())
    with pytest.raises(TrajectoryError, match="no frame|no particles"):
        identify(path)


def test_files_that_are_no_trajectory_are_refused(tmp_path: Path) -> None:
    whole = _write(tmp_path / "t.gsd", frames=2).read_bytes()
    for keep in (0, 100, 300, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / "cut.gsd"
        cut.write_bytes(whole[:keep])
        with pytest.raises(TrajectoryError, match="cannot read|no frame|not finite|no particles"):
            identify(cut)
    for path in (tmp_path, tmp_path / "missing.gsd", Path(__file__)):
        with pytest.raises(TrajectoryError, match="cannot read"):
            identify(path)


def test_mdtraj_reads_what_the_package_writes(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.gsd", frames=2)
    loaded = mdtraj.load(str(path))
    _, frame = read_frame(path, 1)
    assert loaded.n_frames == 2
    np.testing.assert_allclose(loaded.xyz[1], frame.particles.position, rtol=1e-5)
