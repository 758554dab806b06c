from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.report import grains as figures
from supercrystal.report.palette import rgb
from supercrystal.structure import kinetics
from supercrystal.structure.kinetics import History
from supercrystal.structure.naming import Named, name
from supercrystal.structure.trajectory import Configuration
from tests.validation.md_samples import sample


@pytest.fixture(scope="module")
def twin() -> Named:
    made = sample("twin")
    return name(Configuration(3, made.box, made.positions, made.kinds, made.species, made.diameters))


def _pixels(path: Path) -> NDArray:
    from matplotlib.image import imread

    return np.asarray(imread(path))[..., :3]


def _share(path: Path, colour: str) -> float:
    return float(np.mean(np.abs(_pixels(path) - rgb(colour)).max(axis=-1) < 0.02))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_grains_have_their_colours_and_the_table_what_is_drawn(twin: Named, tmp_path: Path) -> None:
    files = figures.grain_map_figure(twin, tmp_path)
    assert files.png.stat().st_size > 10_000
    assert files.svg.read_text(encoding="utf-8").startswith("<?xml")
    # The two halves of the twin fill most of the slices, in equal parts.
    shares = [_share(files.png, figures.GRAIN_COLOURS[g]) for g in (0, 1)]
    assert min(shares) > 0.05
    assert shares[0] / shares[1] == pytest.approx(1, abs=0.35)
    rows = _rows(files.csv)
    number = np.array([int(row["particle"]) for row in rows])
    assert [int(row["grain"]) for row in rows] == twin.grain[number].tolist()
    x = np.array([[float(row[f"{k} [length unit of the file]"]) for k in "xyz"] for row in rows])
    # freud wraps in single precision.
    assert np.abs(x - twin.configuration.positions[number]).max() < 1e-5
    drawn = np.array([[int(row[f"in the slice normal to {k}"]) for k in "xyz"] for row in rows])
    assert np.all(drawn.sum(axis=1) >= 1)
    # About two layers of some ten.
    assert 0.05 < drawn.sum(axis=0).mean() / twin.configuration.n < 0.25
    assert "4 grains" in files.caption or f"{len(twin.grains)} grains" in files.caption


def test_a_thicker_slice_holds_more(twin: Named, tmp_path: Path) -> None:
    thin = _rows(figures.grain_map_figure(twin, tmp_path / "a", thickness=1.0).csv)
    thick = _rows(figures.grain_map_figure(twin, tmp_path / "b", thickness=4.0).csv)
    assert len(thick) > 2 * len(thin)
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(TrajectoryError, match="thicker than 0"):
            figures.grain_map_figure(twin, tmp_path, thickness=bad)


def test_disorder_is_grey(twin: Named, tmp_path: Path) -> None:
    none = replace(twin, grain=np.full_like(twin.grain, -1), labels=np.zeros_like(twin.labels), grains=())
    files = figures.grain_map_figure(none, tmp_path)
    assert _share(files.png, figures.PHASE_COLOURS["disordered"]) > 0.1
    assert all(_share(files.png, colour) == 0 for colour in figures.GRAIN_COLOURS)
    assert "0 grains" in files.caption


def test_many_grains_share_the_last_colour(twin: Named, tmp_path: Path) -> None:
    count = 12
    grain = np.arange(twin.configuration.n) % count
    many = replace(twin, grain=grain, grains=tuple(twin.grains[0] for _ in range(count)))
    files = figures.grain_map_figure(many, tmp_path, names={0: "Σ3 to 1"})
    assert _share(files.png, figures.OTHER_GRAINS) > 0.01
    assert {int(row["grain"]) for row in _rows(files.csv)} == set(range(count))


def test_a_tilted_box_and_a_film_are_drawn(twin: Named, tmp_path: Path) -> None:
    configuration = twin.configuration
    tilted = configuration.box + np.array([0, 0, 0, 0.2, 0, 0])
    wide = configuration.box * [1, 1, 3, 1, 1, 1]
    for k, box in enumerate((tilted, wide)):
        found = figures.grain_map_figure(
            replace(twin, configuration=replace(configuration, box=box)), tmp_path / str(k)
        )
        assert _share(found.png, figures.GRAIN_COLOURS[0]) > 0.02


def _growth(frames: int = 60) -> History:
    t = np.arange(frames)
    f = 0.9 / (1 + np.exp(-(t - 25) / 3.0)) + np.random.default_rng(1).normal(0, 0.003, frames)
    f = np.clip(f, 0, 1)
    size = np.rint(2000 * f).astype(int) * (f > 0.02)
    return History(
        1e4 * t,
        "steps",
        ("disordered", "NaCl"),
        np.column_stack([1 - f, f]),
        np.column_stack([0 * size, size]),
        (size > 0).astype(int),
    )


def test_history_has_its_nucleation_and_its_table(tmp_path: Path) -> None:
    history = _growth()
    found = kinetics.kinetics(history)
    assert found.nucleation is not None
    plain = figures.phase_history_figure(history, tmp_path / "plain")
    marked = figures.phase_history_figure(history, tmp_path / "marked", kinetics=found)
    assert "nucleation" not in plain.caption
    assert f"{found.nucleation.low:.6g} to {found.nucleation.high:.6g} steps" in marked.caption
    changed = np.abs(_pixels(plain.png) - _pixels(marked.png)).max(axis=-1) > 0.05
    assert 0.002 < changed.mean() < 0.1
    rows = _rows(marked.csv)
    assert [float(row["time [steps]"]) for row in rows] == history.time.tolist()
    assert [float(row["NaCl [fraction]"]) for row in rows] == history.fractions[:, 1].tolist()
    assert [float(row["largest NaCl grain [particles]"]) for row in rows] == history.largest[:, 1].tolist()


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames_are_drawn(frames: int, tmp_path: Path) -> None:
    history = _growth(frames)
    files = figures.phase_history_figure(history, tmp_path, kinetics=kinetics.kinetics(history))
    assert _share(files.png, figures.PHASE_COLOURS["disordered"]) > 0.1
    assert "no crystal at the end" in files.caption
