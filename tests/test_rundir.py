from __future__ import annotations

from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest

from supercrystal.errors import RunDirectoryError, TrajectoryError
from supercrystal.rundir import RunDirectory, cut, write_atomically


def _trajectory(path: Path, steps: list[int]) -> None:
    with gsd.hoomd.open(path, "w") as file:
        for step in steps:
            frame = gsd.hoomd.Frame()
            frame.configuration.step = step
            frame.configuration.box = [10, 10, 10, 0, 0, 0]
            frame.particles.N = 2
            frame.particles.types = ["A"]
            frame.particles.position = np.full((2, 3), step / 100)
            frame.log = {"value": np.array([float(step)])}
            file.append(frame)


def _steps(path: Path) -> list[int]:
    with gsd.hoomd.open(path, "r") as file:
        return [int(frame.configuration.step) for frame in file]


def test_cut_keeps_frames_up_to_the_step_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.gsd"
    _trajectory(path, [0, 10, 20, 30])
    cut(path, 20)
    assert _steps(path) == [0, 10, 20]
    with gsd.hoomd.open(path, "r") as file:
        assert file[2].log["value"][0] == 20.0
        np.testing.assert_allclose(file[1].particles.position, 0.1)
    assert [p.name for p in tmp_path.iterdir()] == ["t.gsd"]


def test_cut_refuses_what_is_no_gsd_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "t.gsd"
    path.write_bytes(b"not a gsd file")
    with pytest.raises(TrajectoryError, match="cannot be read"):
        cut(path, 5)
    assert path.read_bytes() == b"not a gsd file"
    assert [p.name for p in tmp_path.iterdir()] == ["t.gsd"]


def test_a_directory_with_a_run_is_never_written_to(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.create("name = 1")
    with pytest.raises(RunDirectoryError, match="already holds a run.*--resume"):
        run.create("name = 2")
    assert run.study.read_text() == "name = 1"


def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match="not an empty directory"):
        RunDirectory(tmp_path).create("x")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="-o"):
        RunDirectory(tmp_path / "file" / "run").create("x")


def test_resume_needs_the_same_study(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(RunDirectoryError, match="no run to resume"):
        run.check_same_study("a")
    run.create("a")
    run.check_same_study("a")
    with pytest.raises(RunDirectoryError, match="another study"):
        run.check_same_study("b")


def test_two_processes_cannot_share_a_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.create("a")
    with run.lock(), pytest.raises(RunDirectoryError, match="another process"), RunDirectory(run.path).lock():
        pass


def test_atomic_write_leaves_no_partial_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "one")
    write_atomically(tmp_path / "a.txt", "two")
    assert (tmp_path / "a.txt").read_text() == "two"
    assert len(list(tmp_path.iterdir())) == 1
