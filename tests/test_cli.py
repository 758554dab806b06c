"""The command line as a user meets it, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest

COMMAND = [sys.executable, "-m", "supercrystal"]


def call(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300, check=False
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, a message on stderr, nothing on stdout, no traceback."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, small_text: str
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.toml").write_text(small_text)
    done = call("run", "small.toml", "-o", "out", "--engine", "lammps", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_run_writes_everything_and_prints_the_result_alone_on_stdout(
    finished: tuple[Path, subprocess.CompletedProcess[str]], small_text: str
) -> None:
    folder, done = finished
    out = folder / "out"
    result = json.loads(done.stdout)
    assert result == json.loads((out / "result.json").read_text())
    assert {path.name for path in out.iterdir()} == {
        "study.toml", "resolved.json", "trajectory.gsd", "log.gsd", "checkpoint.gsd", "messages.txt", "result.json",
        "figures", "report.html",
    }  # fmt: skip
    assert (out / "study.toml").read_text() == small_text
    assert result["start"]["disordered"] is True
    assert result["opm"]["nearest_neighbour_nm"] == pytest.approx(9.729, abs=1e-3)
    assert result["measured"]["nearest_neighbour_nm"] == 9.50
    assert result["versions"]["lammps"]
    assert "lammps was asked for" in (out / "messages.txt").read_text()
    resolved = json.loads((out / "resolved.json").read_text())
    assert resolved["pairs"]["PbS–PbS"][0]["form"] == "Shell"
    figures = {path.suffix for path in (out / "figures").iterdir()}
    assert figures == {".png", ".svg", ".csv"}


def test_differences_are_those_of_the_numbers_beside_them(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    result = json.loads(finished[1].stdout)
    opm = result["opm"]["nearest_neighbour_nm"]
    if result["lattice"] is None:  # so small a film need not order
        assert result["differences"] == {}
        assert any("not measured" in line for line in result["found"]) or result["phase"] == "disordered"
    else:
        d = result["lattice"]["nearest_neighbour_nm"]
        assert result["differences"] == pytest.approx(
            {
                "run_over_opm": d / opm - 1,
                "run_over_measured": d / 9.50 - 1,
                "opm_over_measured": opm / 9.50 - 1,
            }
        )


def test_frames_and_rows_are_complete_and_in_order(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out = finished[0] / "out"
    total = json.loads((out / "resolved.json").read_text())["schedule"]["steps"][-1]
    with gsd.hoomd.open(out / "trajectory.gsd") as file:
        steps = [int(frame.configuration.step) for frame in file]
        assert len({frame.particles.N for frame in file}) == 1
    assert steps[0] == 0
    assert steps[-1] == total
    assert len(steps) == 21
    assert np.all(np.diff(steps) > 0)
    with gsd.hoomd.open(out / "log.gsd") as file:
        rows = [int(frame.configuration.step) for frame in file]
    assert len(rows) == 41
    assert set(steps) <= set(rows)


def test_a_directory_with_a_run_is_not_touched(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = finished
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    refused(call("run", "small.toml", "-o", "out", cwd=folder), "already holds a run", "--resume")
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")} == before


def test_resuming_a_complete_run_gives_the_same_physics(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = finished
    again = call("run", "small.toml", "-o", "out", "--engine", "lammps", "--resume", "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    one, two = json.loads(done.stdout), json.loads(again.stdout)
    assert {k: v for k, v in one.items() if k != "last_process"} == {
        k: v for k, v in two.items() if k != "last_process"
    }


def test_the_table_names_phase_spacing_and_report(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = finished
    done = call("run", "small.toml", "-o", "out", "--engine", "lammps", "--resume", cwd=folder)
    assert done.returncode == 0
    for word in ("close-packed", "OPM", "phase:", "by construction", "flat", "report: out/report.html"):
        assert word in done.stdout


def test_progress_is_lines_on_stderr_where_there_is_no_terminal(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    assert "steps/s" in finished[1].stderr
    assert "\x1b" not in finished[1].stderr


def test_identify_reads_the_run(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = finished
    done = call("identify", "out/trajectory.gsd", "--frame", "0", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["file"] == "out/trajectory.gsd"
    (frame,) = found["frames"]
    assert (frame["frame"], frame["n"], frame["phase"], frame["grains"]) == (0, 200, "disordered", [])
    assert frame["fractions"] == {"disordered": 1.0}
    table = call("identify", "out/trajectory.gsd", cwd=folder)
    assert table.returncode == 0
    assert "200 particles: " in table.stdout
    described = call("describe", "out/trajectory.gsd", "--json", cwd=folder)
    assert described.returncode == 0, described.stderr
    assert json.loads(described.stdout)["film"]["particles"] == 200


def test_json_is_alone_on_stdout_whichever_library_reads(
    tmp_path: Path, finished: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    # The library behind the DCD reader prints on its own, past Python's stdout.
    import mdtraj

    run = finished[0] / "out" / "trajectory.gsd"
    mdtraj.load(str(run))[-2:].save(str(tmp_path / "t.dcd"))
    done = call("identify", tmp_path / "t.dcd", "--top", run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"][0]["frame"] == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"GARBAGE" * 100), ["cannot"]),
        (lambda path: path.write_bytes(b""), ["cannot"]),
        (lambda path: gsd.hoomd.open(path, "w").close(), ["no frame"]),
        (lambda path: None, ["cannot"]),
    ],
    ids=["foreign", "empty file", "zero frames", "missing"],
)
def test_identify_refuses_what_it_cannot_read(tmp_path: Path, make, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "t.gsd"
    make(path)
    refused(call("identify", path), *words)


def test_identify_refuses_nan_and_truncation(
    tmp_path: Path, finished: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    whole = (finished[0] / "out" / "trajectory.gsd").read_bytes()
    truncated = tmp_path / "truncated.gsd"
    truncated.write_bytes(whole[: len(whole) // 3])
    done = call("identify", truncated)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    frame = gsd.hoomd.Frame()
    frame.configuration.box = [10, 10, 10, 0, 0, 0]
    frame.particles.N = 20
    frame.particles.position = np.full((20, 3), np.nan)
    with gsd.hoomd.open(tmp_path / "nan.gsd", "w") as file:
        file.append(frame)
    refused(call("identify", tmp_path / "nan.gsd"), "finite")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 1", "sede = 1", ["sede", "did you mean 'seed'"]),
        ("count = 200", "count = 20", ["20 nanocrystals", "or so", "shorter ligands"]),
        ("initial_packing_fraction = 0.40", "initial_packing_fraction = 0.9", ["allowed ≤ 0.4"]),
        ("diameter_nm = 7.0", "diameter_nm = -7.0", ["-7.0", "allowed ≥ 1"]),
    ],
)
def test_a_bad_study_writes_nothing(
    tmp_path: Path, small_text: str, old: str, new: str, words: list[str]
) -> None:
    assert old in small_text
    (tmp_path / "bad.toml").write_text(small_text.replace(old, new))
    refused(call("run", "bad.toml", "-o", "out", "--engine", "lammps", cwd=tmp_path), *words)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


def test_an_engine_that_is_not_installed_writes_nothing(tmp_path: Path, small_study: Path) -> None:
    # A hoomd that cannot be imported stands in for one that is not there, on machines that have it.
    blocked = tmp_path / "blocked" / "hoomd"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('blocked by a test')")
    done = subprocess.run(
        [*COMMAND, "run", str(small_study), "-o", str(tmp_path / "out"), "--engine", "hoomd"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(blocked.parent)},
    )  # fmt: skip
    refused(done, "conda env create -f environment.yml", "--engine lammps")
    assert not (tmp_path / "out").exists()


def test_resume_without_a_run_and_with_another_study(tmp_path: Path, small_study: Path) -> None:
    refused(call("run", small_study, "-o", tmp_path / "none", "--resume"), "no run to resume")
    assert not (tmp_path / "none").exists()


def test_doctor_names_engines_and_what_to_do() -> None:
    done = call("doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    engines = {engine["name"]: engine for engine in found["engines"]}
    assert engines["lammps"]["usable"]
    assert found["auto"]["engine"] in engines
    if not engines["hoomd"]["usable"]:
        assert any("environment.yml" in line for line in found["advice"])
    table = call("doctor")
    assert table.returncode == 0
    assert "auto takes" in table.stdout


def test_an_unknown_command_names_the_nearest() -> None:
    done = call("identfy")
    assert done.returncode == 2
    assert "did you mean 'identify'" in done.stderr


def test_help_is_instant_and_imports_no_engine_no_freud_no_matplotlib() -> None:
    script = (
        "import sys\nsys.argv = ['supercrystal', '--help']\n"
        "from supercrystal.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'freud', 'matplotlib', 'lammps', 'hoomd', 'scipy', 'numpy', 'gsd', 'pydantic', 'rich'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "identify" in done.stdout
    best = min(_seconds("--help") for _ in range(3))
    assert best < 0.5


def _seconds(*arguments: str) -> float:
    began = time.monotonic()
    call(*arguments)
    return time.monotonic() - began
