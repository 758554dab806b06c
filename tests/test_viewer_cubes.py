"""Cubes in the report: orientations survive the page, both painters draw the bodies that they should, tables fit."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from supercrystal import library, physical
from supercrystal.errors import TrajectoryError
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.report import cubes
from supercrystal.report.bodies import LARGEST_ERROR, Bodies, bodies_of, coded, decoded
from supercrystal.report.run import comparison_rows
from supercrystal.report.terminal import result_table
from supercrystal.report.viewer import viewer_html
from supercrystal.shapes import Shape, cube, cuboid, polyhedron

PALETTE = {"red": "#c00000", "green": "#00a000", "blue": "#0000c0", "magenta": "#c000c0"}


def scene(frames: int = 1, **changes: Any) -> dict[str, Any]:
    """Arguments of `viewer_html`: a truncated plate, a cube, a sphere that sticks out of its face, and a sphere."""
    shapes = [cuboid((9.0, 7.0, 4.0), 1.5).capped(1.2), cube(8.0).capped(1.0)]
    turned = np.tile([1.0, 0.0, 0.0, 0.0], (frames, 4, 1))
    turned[:, 0] = Rotation.from_euler("xyz", (0.5, 0.9, 0.3)).as_quat(scalar_first=True)
    return {
        "positions": np.tile([(-15.0, 0, 8), (9.0, 0, 9), (9.0, -3.0, 9), (-10.0, 0, -11)], (frames, 1, 1)),
        "labels": np.tile([0, 3, 1, 2], (frames, 1)),
        "surface": np.zeros((frames, 4), bool),
        "diameters": np.array([10.0, 10.0, 8.0, 12.0]),
        "core_diameters": np.array([8.0, 8.0, 6.0, 9.0]),
        "box": (44.0, 30.0, 40.0),
        "substrate_z": -20.0,
        "interface_z": np.full(frames, np.nan),
        "times": np.arange(frames, dtype=float),
        "label_names": list(PALETTE),
        "palette": PALETTE,
        "cells": np.tile([44.0, 30.0, 40.0], (frames, 1)),
        "bodies": Bodies(shapes, np.array([0, 1, -1, -1]), turned),
    } | changes


def carried(fragment: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json">(.*?)</script>', fragment, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


# ---- orientations ------------------------------------------------------------

quaternions = (
    st.lists(st.floats(-1, 1), min_size=4, max_size=4)
    .map(np.array)
    .filter(lambda q: np.linalg.norm(q) > 0.05)
)


@given(quaternions)
def test_an_orientation_survives_within_the_stated_error(q: np.ndarray) -> None:
    back = decoded(coded(q))
    assert np.linalg.norm(back) == pytest.approx(1, abs=1e-12)
    away = Rotation.from_quat(q, scalar_first=True).inv() * Rotation.from_quat(back, scalar_first=True)
    assert away.magnitude() <= LARGEST_ERROR + 1e-9
    same = Rotation.from_quat(decoded(coded(-q)), scalar_first=True).inv()
    assert (same * Rotation.from_quat(back, scalar_first=True)).magnitude() <= 2 * LARGEST_ERROR + 1e-9


def test_the_stated_error_is_nearly_met() -> None:
    rng = np.random.default_rng(3)
    q = Rotation.random(200_000, random_state=rng)
    back = Rotation.from_quat(decoded(coded(q.as_quat(scalar_first=True))), scalar_first=True)
    worst = (q.inv() * back).magnitude().max()
    assert 0.5 * LARGEST_ERROR < worst <= LARGEST_ERROR


@pytest.mark.parametrize("q", [[0.0, 0, 0, 0], [np.nan, 0, 0, 1.0]])
def test_what_is_no_orientation_is_refused(q: list[float]) -> None:
    with pytest.raises(TrajectoryError, match="quaternions"):
        coded(q)


# ---- what the page carries ------------------------------------------------------------


def test_only_cuboids_become_bodies() -> None:
    octahedron = polyhedron(np.vstack([np.eye(3), -np.eye(3)]))
    shapes = {"A": cube(8.0).capped(1.0), "O": octahedron}
    made = bodies_of(["A", "B", "O"], shapes, [0, 1, 2, 0], np.ones((1, 4, 4)))
    assert made is not None
    assert made.kinds.tolist() == [0, -1, -1, 0]
    assert made.count == 2
    assert made.reach == pytest.approx(4 * 3**0.5 + 1)
    assert bodies_of(["B"], {}, [0, 0], np.ones((1, 2, 4))) is None


def test_the_page_carries_shapes_and_the_orientations_of_bodies_alone() -> None:
    run = scene(frames=3)
    data = carried(viewer_html(**run))
    reach = np.linalg.norm([4.5, 3.5, 0.5])
    assert data["bodies"]["shapes"] == [
        {"half": [4.5, 3.5, 2.0], "cut": 1.5, "rounding": 1.2, "reach": pytest.approx(reach, abs=1e-6)},
        {"half": [4.0, 4.0, 4.0], "cut": 0.0, "rounding": 1.0, "reach": pytest.approx(4 * 3**0.5, abs=1e-6)},
    ]  # fmt: skip
    assert list(base64.b64decode(data["bodies"]["kinds"])) == [1, 2, 0, 0]
    steps = np.frombuffer(base64.b64decode(data["bodies"]["orientations"]), "<i2").reshape(3, 2, 3)
    np.testing.assert_allclose(decoded(steps), run["bodies"].orientations[:, :2], atol=1e-4)
    assert data["largest"] == pytest.approx(2 * run["bodies"].reach)


def test_runs_of_spheres_carry_nothing_of_cuboids() -> None:
    fragment = viewer_html(**scene(bodies=None))
    assert "bodies" not in carried(fragment)
    assert resources.files("supercrystal.report").joinpath("cuboids.js").read_text("utf-8") not in fragment


def test_orientations_count_where_frames_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supercrystal.report.viewer.kept_frames", lambda T, n: np.arange(n))
    assert carried(viewer_html(**scene(frames=9)))["shape"] == [6, 4]
    assert carried(viewer_html(**scene(frames=9, bodies=None)))["shape"] == [4, 4]


@pytest.mark.parametrize(
    ("kinds", "turned", "message"),
    [
        (np.zeros(3, int), np.ones((1, 4, 4)), "kinds of bodies must have the shape"),
        (np.zeros(4, int), np.ones((2, 4, 4)), "orientations must have the shape"),
        (np.array([0, 1, 2, 3]), np.ones((1, 4, 4)), "-1 to 0"),
    ],
)
def test_bodies_that_do_not_fit_are_refused(kinds: Any, turned: Any, message: str) -> None:
    with pytest.raises(TrajectoryError, match=message):
        viewer_html(**scene(bodies=Bodies([cube(8.0)], kinds, turned)))


# ---- the script ------------------------------------------------------------


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the script; it is not installed")
def test_the_script_reads_orientations_and_faces(tmp_path: Path) -> None:
    run = scene(frames=2)
    run["bodies"].orientations[1, 1] = Rotation.from_rotvec([0.2, -1.9, 0.4]).as_quat(scalar_first=True)
    record = carried(viewer_html(**run))["bodies"]
    code = resources.files("supercrystal.report").joinpath("cuboids.js").read_text("utf-8") + (
        "const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));\n"
        f"const made = supercrystalCuboids({json.dumps(record)}, 4, bytes);\n"
        "const item = (radius) => [0, 0, 0, radius, 1, 1, 1, 1];\n"
        "console.log(JSON.stringify({ turned: made.quaternion(1, 1), whole: made.extend(item(9), 1, 1, false),\n"
        "core: made.extend(item(9), 0, 1, true), sphere: made.extend(item(6), 3, 0, true),\n"
        f"faces: {json.dumps(record['shapes'])}.map(made.polygons) }}));\n"
    )
    script = tmp_path / "run.js"
    script.write_text(code, "utf-8")
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    x, y, z, w = found["turned"]
    np.testing.assert_allclose([w, x, y, z], run["bodies"].orientations[1, 1], atol=1e-4)
    assert found["whole"][3] == pytest.approx(4 * 3**0.5 + 1)
    assert found["whole"][12:] == [4, 4, 4, 1, 0]
    assert found["core"][12:] == [4.5, 3.5, 2, 0, 1.5]
    assert found["sphere"][3:] == [6, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 6, 0]
    for shape, faces in zip(run["bodies"].shapes, found["faces"], strict=True):
        area = 0.0
        for face in faces:
            points, normal = np.array(face["points"]), np.array(face["normal"])
            np.testing.assert_allclose((points - points[0]) @ normal, 0, atol=1e-9)
            area += abs(np.sum(np.cross(points, np.roll(points, -1, axis=0)), axis=0) @ normal) / 2
        assert area == pytest.approx(shape.core.surface)


BROWSER = next(
    filter(
        None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
    ),
    None,
)

#: Counts the dots of each colour in each mode, seen along y without perspective.
COUNTING = """
<script>
const control = (name, value) => {
  const c = document.querySelector(`[data-control='${name}']`);
  c[c.type === "checkbox" ? "checked" : "value"] = value;
};
control("parallel", true); control("outline", false);
const counted = {};
for (const mode of ["whole", "cores"]) {
  control("show", mode);
  document.querySelector("[data-view='side']").click();
  document.querySelector("canvas[data-layer='notes']").dispatchEvent(new WheelEvent("wheel", { deltaY: -500 }));
  window.dispatchEvent(new Event("beforeprint")); // draws at once
  const canvas = document.querySelector("canvas[data-layer='scene']"), copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const pen = copy.getContext("2d");
  pen.drawImage(canvas, 0, 0);
  const dots = pen.getImageData(0, 0, copy.width, copy.height).data, n = { red: 0, green: 0, blue: 0, magenta: 0 };
  for (let i = 0; i < dots.length; i += 4) {
    const [r, g, b] = dots.slice(i, i + 3), low = Math.min(r, g, b), high = Math.max(r, g, b), half = (low + high) / 2;
    if (high - low < 25) continue;
    n[r > half && b > half ? "magenta" : r > half ? "red" : g > half ? "green" : "blue"]++;
  }
  counted[mode] = n;
}
counted.painter = document.querySelector(".sc-viewer").dataset.painter;
document.title = JSON.stringify(counted);
</script>
"""


def counted(folder: Path, painter: str) -> dict[str, Any]:
    page = folder / "page.html"
    page.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><title></title>{viewer_html(**scene())}{COUNTING}", "utf-8"
    )
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
        "--hide-scrollbars", "--window-size=1000,900", f"--user-data-dir={folder / 'profile'}",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--virtual-time-budget=8000", "--dump-dom", f"{page.as_uri()}#{painter}",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the browser does not answer")
    found = re.search(r"<title>(\{.*?\})</title>", done.stdout)
    if found is None:
        pytest.skip("the browser does not run here")
    return json.loads(found[1])


def silhouette(shape: Shape, rotation: Rotation) -> float:
    """Area of the shadow along y: a flat hull with a disc rolled over it [nm²]."""
    flat = ConvexHull(
        rotation.apply(np.array(shape.vertices))[:, [0, 2]]
    )  # in a plane, `area` is the perimeter
    return float(flat.volume + flat.area * shape.rounding + np.pi * shape.rounding**2)


@pytest.mark.skipif(BROWSER is None, reason="a browser draws the view; none is installed")
@pytest.mark.parametrize("painter", ["webgl", "canvas2d"])
def test_both_painters_draw_bodies_of_the_right_size(tmp_path: Path, painter: str) -> None:
    """Areas in dots against areas in nm², the blue sphere as the scale; where a sphere sticks out of a face is depth."""
    found, run = counted(tmp_path, painter), scene()
    if painter == "webgl" and found["painter"] != "webgl2":
        pytest.skip("the browser has no WebGL 2")
    plate, box = run["bodies"].shapes
    turned = Rotation.from_quat(run["bodies"].orientations[0, 0], scalar_first=True)
    for mode, diameters in (("whole", run["diameters"]), ("cores", run["core_diameters"])):
        bodies = [shape if mode == "whole" else shape.core for shape in (plate, box)]
        drawn = diameters[3] if painter == "webgl" else 31 / 32 * diameters[3]  # the rim of a sprite is empty
        scale = found[mode]["blue"] / (np.pi / 4 * drawn**2)  # dots per nm²
        assert scale > 100
        assert found[mode]["red"] / scale == pytest.approx(silhouette(bodies[0], turned), rel=0.02)
        whole = silhouette(bodies[1], Rotation.identity())
        radius, inside = diameters[2] / 2, bodies[1].extent((0, 1, 0)) - 3
        # Without depth the whole of the sphere is painted over the cube.
        out = np.pi * (radius**2 - inside**2 if painter == "webgl" else (31 / 32 * radius) ** 2)
        if painter == "webgl":  # the other's spheres have soft rims, which are counted as neither colour
            assert found[mode]["green"] / scale == pytest.approx(out, rel=0.02)
        assert found[mode]["magenta"] / scale == pytest.approx(whole - out, rel=0.02)


# ---- figure and tables ------------------------------------------------------------


def test_the_figure_of_orientations_holds_the_curves_and_the_random_level(tmp_path: Path) -> None:
    made = cubes.orientation_over_time(
        [0, 1, 2], {"A": [0.1, 0.5, 0.9], "B": [0.2, 0.2, 0.2]}, {"A": 0.125, "B": 0.25}, tmp_path
    )
    with made.csv.open(newline="", encoding="utf-8") as source:
        header, *rows = csv.reader(source)
    assert header == [
        "time [Brownian times]", "cubatic order of A [-]", "cubatic order of B [-]", "random A [-]", "random B [-]",
    ]  # fmt: skip
    assert rows[1] == ["1.0", "0.5", "0.2", "0.125", "0.25"]
    assert made.svg.read_text("utf-8").rstrip().endswith("</svg>")
    with pytest.raises(TrajectoryError, match="none for B"):
        cubes.orientation_over_time([0], {"B": [0.1]}, {}, tmp_path)
    with pytest.raises(TrajectoryError, match="none for any"):
        cubes.orientation_over_time([0], {}, {}, tmp_path)


def result(particles: int = 64, lattice: bool = True) -> dict[str, Any]:
    """What a run of 64 nanocrystals leaves, as far as tables need it."""
    share = {"mean": 0.0, "std": 0.0}
    cell = {
        "phase": "sc",
        "frames": 3,
        "of": 5,
        "lengths_nm": [11.37, 11.43, 11.52],
        "lengths_nm_uncertainty": [0.06, 0.07, 0.11],
        "angles_degrees": [85.6, 90.03, 89.92],
        "angles_degrees_uncertainty": [8.1, 0.6, 0.6],
    }
    pbs = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)
    return {
        "name": "n",
        "seed": 1,
        "phase": "sc",
        "how": "h",
        "named": {"n": 64, "verdict": "sc"},
        "fractions": {"fcc": share, "sc": {"mean": 1.0, "std": 0.0}},
        "close_packed": share,
        "lattice": {
            "nearest_neighbour_nm": 11.437,
            "nearest_neighbour_uncertainty_nm": 0.014,
            "lattice_constant_nm": 11.437,
            "lattice_constant_uncertainty_nm": 0.014,
        }
        if lattice
        else None,
        "opm": None,
        "measured": None,
        "cubes": {
            "cubatic": {
                "CsPbBr3": {"particles": particles, "order": {"mean": 0.99, "std": 0.002}, "random": 0.175}
            },
            "lattice": cell if lattice else None,
        },
        "pressure": {"of": "cell", "kpa": 60.0, "uncertainty_kpa": 2.0},
        "groups": [],
        "by_construction": ["c"],
        "found": ["Lattice, in 3 of 5 frames: sc."],
        "limits": ["l"],
        "mapping": {"interaction": "beads", "rows": [], "timestep": 0.001},
        "physical": physical.physical_record(pbs, 9.729, 0.560, 298.15, 0.005, 1000.0),
    }


def shown(record: dict[str, Any]) -> str:
    console = Console(width=110, file=io.StringIO(), record=True)
    console.print(result_table(record))
    return console.export_text()


def test_rows_of_cubes_are_order_edges_and_angles() -> None:
    rows = comparison_rows(result())
    assert [row["quantity"] for row in rows[:3]] == [
        "nearest-neighbour distance",
        "cubatic order, 64 CsPbBr3 (random: 0.17)",
        "edge of the cell (sc), shortest",
    ]
    assert [(row["run"], row["uncertainty"], row["unit"]) for row in rows[4:6]] == [
        (11.52, 0.11, "nm"),
        (85.6, 8.1, "°"),
    ]
    assert not any("opm" in row or "measured" in row for row in rows)
    assert len(comparison_rows(result(lattice=False))) == 1
    spheres = result() | {"cubes": None}
    assert [row["quantity"] for row in comparison_rows(spheres)] == [
        "nearest-neighbour distance",
        "lattice constant (sc)",
    ]


def test_models_and_measurements_have_columns_where_there_are_any() -> None:
    assert "OPM" not in shown(result() | {"cubes": None})
    text = shown(
        result()
        | {
            "cubes": None,
            "measured": {"nearest_neighbour_nm": 11.5, "source": "s", "arrangement": "monolayer"},
            "differences": {"run_over_measured": 0.01},
        }
    )
    assert "run − measured" in text
    assert "OPM" not in text


def test_the_terminal_shows_no_close_packing_of_cubes_alone() -> None:
    text = shown(result())
    assert "close-packed" not in text
    assert "OPM" not in text
    for words in (
        "0.990 ± 0.002",
        "11.37 ± 0.06",
        "85.6 ± 8.1",
        "sc, away from surfaces",
        "in 3 of 5 frames",
    ):
        assert words in text, words


def test_the_terminal_shows_close_packing_of_mixtures() -> None:
    text = shown(result(particles=32))
    for words in ("close-packed (fcc + hcp)", "cubatic order, 32 CsPbBr3"):
        assert words in text, words
