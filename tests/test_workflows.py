"""The replicas workflow and the table made from it, as a user runs them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _call(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_replicas_are_made_run_and_collected(tmp_path: Path, small_study: Path) -> None:
    flow = ROOT / "workflows" / "replicas"
    made = _call(flow / "init.py", small_study, "--seeds", 1, 2, "--path", tmp_path, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "2 jobs" in made.stdout
    ran = _call(flow / "project.py", "run", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    results = sorted(tmp_path.glob("workspace/*/run/result.json"))
    assert {json.loads(path.read_text())["seed"] for path in results} == {1, 2}

    table = _call(ROOT / "analysis" / "collect_runs.py", *(path.parent for path in results), cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert {row["seed"] for row in rows} == {"1", "2"}
    assert all(0 <= float(row["close_packed"]) <= 1 for row in rows)
    assert "2 runs" in table.stderr

    # Nothing is left to do, and running again does nothing.
    before = [path.stat().st_mtime_ns for path in results]
    _call(flow / "project.py", "run", cwd=tmp_path)
    assert [path.stat().st_mtime_ns for path in results] == before


def test_a_bad_study_makes_no_data_space(tmp_path: Path, small_text: str) -> None:
    (tmp_path / "bad.toml").write_text(small_text.replace("count = 200", "count = 1"))
    made = _call(ROOT / "workflows" / "replicas" / "init.py", "bad.toml", "--seeds", 1, cwd=tmp_path)
    assert made.returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


def test_runs_that_are_not_finished_are_named(tmp_path: Path) -> None:
    done = _call(ROOT / "analysis" / "collect_runs.py", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "not finished" in done.stderr
