"""The scripts around sweeps, as a user runs them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from supercrystal.sweep.space import read
from supercrystal.sweep.status import survey
from tests.sweep_files import TWO, one

ROOT = Path(__file__).parents[1]


def _call(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _sweep(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return _call("-m", "supercrystal", "sweep", *words, cwd=cwd)


@pytest.mark.slow
def test_replicas_are_run_by_flow_and_collected(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(one([12], head="replicas = 2", tables=""))
    made = _sweep("init", "sweep.toml", "-o", "space", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "2 jobs" in made.stdout
    space, project = tmp_path / "space", ROOT / "workflows" / "project.py"
    ran = _call(project, "run", cwd=space)
    assert ran.returncode == 0, ran.stderr
    assert {job.state for job in survey(read(space))} == {"complete"}, ran.stderr

    # A machine may have a scheduler's commands without the scheduler.
    said = _call(project, "status", cwd=space)
    assert said.returncode == 0, said.stderr

    results = sorted(space.glob("workspace/*/run/result.json"))
    assert {json.loads(path.read_text())["seed"] for path in results} == {1, 2}
    table = _call(ROOT / "analysis" / "collect_runs.py", *(path.parent for path in results), cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert {row["seed"] for row in rows} == {"1", "2"}
    assert "2 runs" in table.stderr


@pytest.mark.slow
def test_commands_from_init_to_the_phase_diagram(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(TWO.replace("[0.45, 0.55]", "[0.55, 9.0]"))
    made = _sweep("init", "sweep.toml", "-o", "space", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert len(json.loads(made.stdout)["jobs"]) == 1
    assert "size_ratio = 9: no core of 1 to 50 nm" in made.stderr  # named, and the rest went on
    ran = _sweep("run", "-C", "space", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "1 done"
    status = _sweep("status", "-C", "space", "--jobs", cwd=tmp_path)
    assert "1 jobs: 1 complete" in status.stdout
    assert "size_ratio=0.55" in status.stdout
    assert "no study, left out" in status.stdout
    as_json = json.loads(_sweep("status", "-C", "space", "--json", cwd=tmp_path).stdout)
    assert (as_json["states"]["complete"], as_json["list"][0]["next"]) == (1, None)
    assert _sweep("run", "-C", "space", cwd=tmp_path).stdout.strip() == "nothing to do"
    collected = _sweep("collect", "-C", "space", cwd=tmp_path)
    assert collected.returncode == 0, collected.stderr
    drawn = _call(ROOT / "analysis" / "phase_diagram.py", "space/collected", "-o", "figures", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "figures" / "phase-diagram.png").exists()
    assert "hard spheres says the same at" in drawn.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (one([]), "has no value"),
        (one([9], axes="coverag = [1]"), "did you mean"),
        ("name = ", "not valid TOML"),
    ],
)
def test_a_faulty_sweep_makes_no_data_space(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    made = _sweep("init", "bad.toml", cwd=tmp_path)
    assert made.returncode == 2
    assert said in made.stderr
    assert "Traceback" not in made.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


def test_wrong_use_is_said(tmp_path: Path) -> None:
    nothing = _sweep("status", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "sweep init" in nothing.stderr
    (tmp_path / "sweep.toml").write_text(one([9]))
    assert _sweep("init", "sweep.toml", "-o", "space", cwd=tmp_path).returncode == 0
    unknown = _sweep("exec", "zzz", "-C", "space", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "beginning of 0 jobs" in unknown.stderr
    misspelt = _sweep("exec", "a", "-C", "space", "--operation", "relx", cwd=tmp_path)
    assert misspelt.returncode == 2
    assert "did you mean 'relax'" in misspelt.stderr


def test_runs_that_are_not_finished_are_named(tmp_path: Path) -> None:
    done = _call(ROOT / "analysis" / "collect_runs.py", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "not finished" in done.stderr
