"""``supercrystal scatter`` as a user meets it: files in, numbers and figures out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest
from click.testing import CliRunner, Result

from supercrystal import lattices
from supercrystal.cli import main
from supercrystal.errors import PhysicsError, TrajectoryError
from supercrystal.scatter import Settings, scatter

A = 24.0


@pytest.fixture(scope="module")
def abo3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three noisy frames of perovskite, a = 24."""
    path = tmp_path_factory.mktemp("scatter") / "abo3.gsd"
    rng = np.random.default_rng(0)
    with gsd.hoomd.open(path, "w") as file:
        for _ in range(3):
            frame = lattices.build(
                "ABO3",
                {"a": A},
                repeats=(6, 6, 6),
                types={"O": "B"},
                diameters={"A": 19.5, "B": 8.6, "O": 8.6},
            )
            noise = rng.normal(0, 0.6, frame.particles.position.shape)
            frame.particles.position = (frame.particles.position + noise).astype(np.float32)
            file.append(frame)
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["scatter", *map(str, arguments)])


def written(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    return head, list(csv.DictReader(lines[len(head) :]))


def test_powder_names_the_lattice(abo3: Path) -> None:
    done = call(abo3, "--kind", "powder", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["n"] == 6**3 * 5
    assert found["frames"] == [2]
    best = found["candidates"][0]
    assert (best["phase"], best["crystalline"]) == ("ABO3", True)
    assert best["species"] == {"A": "A", "B": "B", "O": "B"}
    assert abs(best["constants"]["a"] - A) < 3 * best["uncertainty"]["a"]
    assert any(abs(peak["d"] - A / 2) < 0.01 * A for peak in found["peaks"])
    table = call(abo3, "--kind", "powder")
    assert "ABO3" in table.output
    assert "correlation" in table.output


def test_average_is_over_the_last_frames(abo3: Path) -> None:
    each = [
        scatter(abo3, "powder", Settings(q_max=1.5, index=False, bins=60), frame=i).columns["S"]
        for i in (1, 2)
    ]
    mean = scatter(abo3, "powder", Settings(q_max=1.5, index=False, bins=60), average=2)
    assert mean.frames == (1, 2)
    np.testing.assert_allclose(mean.columns["S"], np.mean(each, axis=0), rtol=1e-6)
    for kind in ("pattern", "gisaxs"):
        small = Settings(q_max=1.0, pixels=15, cell=(A,))
        one = [scatter(abo3, kind, small, frame=i).columns["I per particle"] for i in (1, 2)]
        both = scatter(abo3, kind, small, average=2).columns["I per particle"]
        np.testing.assert_allclose(both, np.mean(one, axis=0), rtol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("kind", ["powder", "saxs", "pattern", "gisaxs"])
def test_files(abo3: Path, tmp_path: Path, kind: str, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    more = ["--cell", A, "--pixels", 41] if kind in ("pattern", "gisaxs") else []
    done = call(abo3, "--kind", kind, "-o", out, *more)
    assert done.exit_code == 0, done.output
    assert out.stat().st_size > 5000
    head, rows = written(out.with_suffix(".csv"))
    assert any(str(abo3) in line for line in head)
    assert any("frames: 2" in line for line in head)
    assert len(rows) == (41**2 if more else len(rows)) > 20
    assert all(np.isfinite([float(v) for v in row.values()]).all() for row in rows)
    assert {path.name for path in tmp_path.iterdir()} == {
        out.name, "out.csv", *(["out-spots.csv"] if kind == "pattern" else []),
    }  # fmt: skip
    again = call(abo3, "--kind", kind, "-o", out, *more)
    assert again.exit_code == 2
    assert "--force" in again.output
    assert call(abo3, "--kind", kind, "-o", out, "--force", *more).exit_code == 0


def test_pattern_has_indices_and_follows_the_zone(abo3: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    assert call(abo3, "--kind", "pattern", "--zone", "1,1,0", "--cell", A, "-o", out).exit_code == 0
    _, rows = written(tmp_path / "p-spots.csv")
    indices = [tuple(map(int, row["hkl"].split())) for row in rows]
    assert all(h + k == 0 for h, k, _ in indices)
    assert set(indices[:2]) == {(0, 0, 2), (0, 0, -2)}
    table = call(abo3, "--kind", "pattern", "--pixels", 101)
    assert "no cell was given" in table.output
    # A turn by 90° about z maps the cubic cell onto itself.
    turned = call(
        abo3,
        "--kind",
        "pattern",
        "--zone",
        "1,0,0",
        "--cell",
        A,
        "--orientation",
        "1,0,0,1",
        "--json",
        "--pixels",
        15,
    )
    assert json.loads(turned.stdout)["peaks"][0]["d"] == pytest.approx(A / 2)


def test_saxs_and_gisaxs_take_bodies(abo3: Path) -> None:
    bodies = [
        "--body", "A=sphere,diameter=19.5,material=PbS,dispersity=0.05",
        "--body", "B=cube,edge=8.6,material=CsPbBr3,orientation=box", "--medium", "toluene",
    ]  # fmt: skip
    found = json.loads(call(abo3, "--kind", "saxs", *bodies, "--json").stdout)
    assert any("nm² per particle" in note for note in found["notes"])
    plain = json.loads(call(abo3, "--kind", "saxs", "--json").stdout)
    assert any("arbitrary" in note for note in plain["notes"])
    assert found["columns"]["form factor"] != plain["columns"]["form factor"]
    one = call(abo3, "--kind", "gisaxs", *bodies, "--json", "--pixels", 21)
    none = call(abo3, "--kind", "gisaxs", *bodies, "--json", "--pixels", 21, "--substrate", "none")
    image = [np.array(json.loads(done.stdout)["columns"]["I per particle"]) for done in (one, none)]
    assert np.max(np.abs(image[0] / image[1] - 1)) > 0.5


def test_free_cluster_has_debyes_curve(abo3: Path) -> None:
    found = scatter(abo3, "powder", Settings(free=True, bins=200, q_max=0.8))
    assert found.settings["periodic"] is False
    assert np.all(found.columns["wave vectors"] == 0)
    assert found.candidates[0]["phase"] == "ABO3"


def one_frame(path: Path, box, x, types=("A",), typeid=None, dimensions: int = 3) -> Path:
    frame = gsd.hoomd.Frame()
    frame.configuration.box = box
    frame.configuration.dimensions = dimensions
    frame.particles.N = len(x)
    frame.particles.position = np.asarray(x, np.float32)
    frame.particles.types = list(types)
    frame.particles.typeid = np.zeros(len(x), np.uint32) if typeid is None else typeid
    frame.particles.diameter = np.full(len(x), 0.5, np.float32)
    with gsd.hoomd.open(path, "w") as file:
        file.append(frame)
    return path


GRID = np.stack(np.meshgrid(*[np.arange(6.0)] * 3, indexing="ij"), -1).reshape(-1, 3) - 2.5


def test_slab_is_handled(tmp_path: Path) -> None:
    """Three layers with empty space above: the square lattice in the plane, and the film's fringes along z."""
    film = one_frame(tmp_path / "film.gsd", [6, 6, 30, 0, 0, 0], GRID[np.abs(GRID[:, 2]) < 2])
    found = scatter(film, "pattern", Settings(cell=(1.0,), pixels=51))
    assert max(peak["d"] for peak in found.peaks) == pytest.approx(1.0)
    powder = scatter(film, "powder", Settings(q_max=14))
    assert any(abs(peak["q"] - 2 * np.pi) < 0.3 for peak in powder.peaks)


def test_two_dimensional_system_is_a_single_layer(tmp_path: Path) -> None:
    flat = one_frame(
        tmp_path / "flat.gsd", [6, 6, 0, 0, 0, 0], GRID[GRID[:, 2] == 0.5] * [1, 1, 0], dimensions=2
    )
    for kind in ("powder", "saxs", "pattern", "gisaxs"):
        found = scatter(flat, kind, Settings(pixels=41))
        assert any("two-dimensional" in note for note in found.notes)
        assert found.settings["periodic"] is False
    spots = scatter(flat, "pattern", Settings(cell=(1.0,), pixels=41)).peaks
    assert all(
        spot["d"] == pytest.approx(1 / np.linalg.norm([int(i) for i in spot["hkl"].split()]))
        for spot in spots
    )


def test_species_without_particles_and_more_than_three(tmp_path: Path) -> None:
    path = one_frame(
        tmp_path / "four.gsd", [6, 6, 6, 0, 0, 0], GRID, ["A", "B", "C", "D", "E"], np.arange(216) % 4
    )
    found = scatter(path, "powder", Settings())
    assert found.particles == {"A": 54, "B": 54, "C": 54, "D": 54}
    assert any("not indexed" in note and "one to three species" in note for note in found.notes)
    assert "S_C-D" in found.columns
    left = scatter(path, "powder", Settings(), species="A=X,B=X,C=Y,D=-")
    assert left.particles == {"X": 108, "Y": 54}
    with pytest.raises(PhysicsError, match="gives no body"):
        scatter(path, "saxs", Settings(bodies=("E=sphere,diameter=1",)))
    with pytest.raises(TrajectoryError, match="has no species 'F'"):
        scatter(path, "powder", Settings(), species="F=X")


def test_single_particle(tmp_path: Path) -> None:
    path = one_frame(tmp_path / "one.gsd", [6, 6, 6, 0, 0, 0], [[0, 0, 0]])
    with pytest.raises(TrajectoryError, match="--q-max"):
        scatter(path, "powder")
    found = scatter(path, "powder", Settings(q_max=5.0))
    np.testing.assert_allclose(found.columns["S"], 1, rtol=1e-9)
    np.testing.assert_allclose(scatter(path, "powder", Settings(q_max=5.0, free=True)).columns["S"], 1)
    alone = scatter(path, "saxs", Settings(q_max=5.0)).columns
    np.testing.assert_allclose(alone["I per particle"], alone["form factor"], rtol=1e-9)
    assert scatter(path, "pattern", Settings(q_max=5.0, pixels=11, free=True)).columns[
        "I per particle"
    ] == pytest.approx(1)
    assert len(scatter(path, "gisaxs", Settings(q_max=1.0, pixels=11)).columns["I per particle"]) == 121


def test_nan_overlap_and_frames_of_numpy(tmp_path: Path, abo3: Path) -> None:
    bad = one_frame(tmp_path / "nan.gsd", [6, 6, 6, 0, 0, 0], np.where(GRID > 2, np.nan, GRID))
    done = call(bad, "--kind", "powder")
    assert done.exit_code == 2
    assert "not finite" in done.output
    overlap = one_frame(tmp_path / "same.gsd", [6, 6, 6, 0, 0, 0], np.zeros((5, 3)))
    with pytest.raises(TrajectoryError, match="on top of each other"):
        scatter(overlap, "powder")
    np.testing.assert_allclose(scatter(overlap, "powder", Settings(q_max=4.0)).columns["S"], 5, rtol=1e-6)
    assert scatter(abo3, "powder", Settings(index=False), frame=np.int64(-3)).frames == (0,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kind", "powder", "--frame", 7], "no frame 7"),
        (["--kind", "powder", "--average", 9], "cannot average over 9"),
        (["--kind", "powder", "--frame", 1, "--average", 2], "exclude each other"),
        (["--kind", "powder", "--q-max", -1], "q_max"),
        (["--kind", "powder", "--q-max", 1e5], "choose q_max"),
        (["--kind", "powder", "-o", "x.pdf"], "must end in"),
        (["--kind", "powder", "-o", "/nowhere/x.csv"], "no directory"),
        (["--kind", "pattern", "--zone", "1,1"], "2 numbers"),
        (["--kind", "pattern", "--zone", "1,a,0"], "not a comma-separated"),
        (["--kind", "pattern", "--zone", "0.5,0,1", "--cell", 24], "whole numbers"),
        (["--kind", "pattern", "--cell", "24,24,24,170,10,10"], "close no cell"),
        (["--kind", "pattern", "--cell", "-1"], "all > 0"),
        (["--kind", "gisaxs", "--angle", 0], "grazing angle"),
        (["--kind", "gisaxs", "--substrate", "Unobtainium"], "not a formula"),
        (["--kind", "gisaxs", "--substrate-z", 0], "below the substrate"),
        (["--kind", "gisaxs", "--body", "A=cube,edge=10"], "points anywhere"),
        (["--kind", "saxs", "--body", "A=blob"], "no shape"),
        (["--kind", "laue"], "laue"),
        ([], "--kind"),
    ],
)
def test_refuses(abo3: Path, arguments: list[object], words: str) -> None:
    done = call(abo3, *arguments)
    assert done.exit_code == 2, done.output
    assert words in done.output
    assert "Traceback" not in done.output


def test_refuses_files(tmp_path: Path) -> None:
    done = call(tmp_path / "missing.gsd", "--kind", "powder")
    assert done.exit_code == 2
    assert "no such file" in done.output
    with pytest.raises(PhysicsError, match="no kind"):
        scatter(tmp_path / "missing.gsd", "laue")
