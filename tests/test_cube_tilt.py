"""Cubes in a cell that may tilt: what analysis/cube_tilt.py starts from and tells of a series, and a short run."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from supercrystal import box, soundness
from supercrystal.solids.relaxation import cell_constants
from supercrystal.structure.face_lattice import face_lattice, turned_against
from supercrystal.system import Schedule
from tests.test_face_lattice import sheared_crystal

ANALYSIS = Path(__file__).parents[1] / "analysis"


@pytest.fixture
def tilt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    return importlib.import_module("cube_tilt")


@pytest.mark.parametrize("angle", [82.0, 90.0, 98.0])
@pytest.mark.parametrize("beads", [4, 0])
def test_a_run_starts_as_a_sheared_crystal_of_parallel_cubes(
    tilt: ModuleType, angle: float, beads: int
) -> None:
    run = tilt.Run(beads, 2.5, 45.0, angle, 1, 1.0, 4)
    model = run.study().build_model()
    made = tilt.system(run, model)
    soundness.check(made, Schedule((0, 10), pressure=(0.01, 0.01), flexible="triclinic"))
    cell = box.edges(made.frame.configuration.box)
    assert cell_constants(cell)[1] == pytest.approx(np.full(3, angle))
    shares = np.asarray(made.frame.particles.position) @ np.linalg.inv(cell)
    found = face_lattice(cell[None], shares[None], np.asarray(made.frame.particles.orientation)[None], 13.6)
    assert turned_against(found.vectors[0]) == pytest.approx(0.0, abs=1e-4)
    assert found.off[0] == pytest.approx(0.0, abs=1e-4)
    assert np.abs(np.mean(made.frame.particles.velocity, axis=0)).max() < 1e-9
    assert np.std(made.frame.particles.angmom) > 0


def test_the_product_of_cosines_tells_a_sheared_lattice_from_fluctuations(tilt: ModuleType) -> None:
    rng = np.random.default_rng(1)
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    going_over = signs[rng.integers(4, size=4000)] * math.cos(math.radians(80))
    noise = rng.normal(size=(4000, 3)) * math.cos(math.radians(80))
    assert tilt.angle_of(np.prod(going_over, axis=1).mean()) == pytest.approx(80.0)
    assert tilt.angle_of(np.prod(-going_over, axis=1).mean()) == pytest.approx(100.0)
    product, error = tilt.blocks(np.prod(noise, axis=1))
    assert abs(product) < 4 * error
    assert error < math.cos(math.radians(80)) ** 3 / 5


def test_blocks_and_drift_of_correlated_series(tilt: ModuleType) -> None:
    rng = np.random.default_rng(2)
    values = np.zeros((200, 400))
    for i in range(1, 400):
        values[:, i] = 0.8 * values[:, i - 1] + rng.normal(size=200)
    off = [tilt.blocks(x)[0] / tilt.blocks(x)[1] for x in values]
    assert 0.7 < np.std(off) < 1.2
    times = np.arange(400.0)
    assert np.mean([abs(tilt.drift(times, x)) > 3 for x in values]) < 0.05
    assert tilt.drift(times, values[0] + 0.05 * times) > 3


def test_a_row_says_what_a_sheared_lattice_with_noise_is(tilt: ModuleType) -> None:
    run = tilt.Run(6, 2.5, 45.0, 90.0, 1, 1.0)
    cell, shares, turned = sheared_crystal(14.0, 78.0)
    rng = np.random.default_rng(3)
    rows = 200
    series = {
        "step": np.arange(1, rows + 1) * 10,
        "cell": cell + np.tril(rng.normal(size=(rows, 3, 3)) * 0.5),
        "moved": 0.005 * rng.normal(size=(rows, 27, 3)) + np.linspace(0, 2, rows)[:, None, None],
        "start": shares,
        "orientation": np.tile(turned, (rows, 1, 1)),
        "virial": np.full(rows, 0.01),
        "moving": np.ones(rows),
        "turning": np.ones(rows),
        "timestep": 0.001,
        "pressure": 0.01,
        "contact": 13.6,
        "capped": 2317.6,
        "q": 3.25,
        "beads": 152.0,
        "engine": "none",
    }
    row = tilt.measured(run, series)
    angles = [row[name] for name in ("alpha", "beta", "gamma")]
    bent = [min(x, 180 - x) for x in angles]  # the cubes' own axes may point either way
    assert bent == pytest.approx(
        [78.0] * 3, abs=5 * max(row[f"{n}_error"] for n in ("alpha", "beta", "gamma"))
    )
    assert row["angle_low"] <= row["angle_of_product"] <= row["angle_high"]
    assert row["angle_of_product"] == pytest.approx(78.0, abs=0.3)
    assert row["together"] > 0.9
    assert row["lattice_over_cell"] == pytest.approx(1.0, abs=0.02)
    assert row["cubatic"] == pytest.approx(1.0, abs=1e-3)
    assert abs(row["drift_product"]) < 4


@pytest.mark.hoomd
@pytest.mark.slow
def test_a_short_run_makes_a_table_and_a_figure(
    tilt: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tilt.Run(4, 2.5, 45.0, 90.0, 1, 2.0)
    other = dataclasses.replace(run, start=82.0)
    monkeypatch.setattr(tilt, "PLAN", (run, other))
    monkeypatch.setattr(tilt, "SHOWN", run)
    monkeypatch.setattr(tilt, "ROWS", 40)
    monkeypatch.setattr(tilt, "RAMP", 1.0)
    tilt.main(["-o", str(tmp_path), "--runs", str(tmp_path / "runs")])
    with (tmp_path / "data" / "cube-tilt.csv").open(encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    assert [row["start_degrees"] for row in rows] == ["90", "82"]
    for row in rows:
        assert float(row["kT"]) == pytest.approx(1.0, abs=0.3)
        assert float(row["lattice_over_cell"]) == pytest.approx(1.0, abs=0.02)
        assert 0.7 < float(row["filled"]) < 1.0
        assert row["engine"].startswith("HOOMD-blue")
    assert (tmp_path / "figures" / "cube-tilt.png").stat().st_size > 10_000
