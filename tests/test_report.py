"""The report: what is written can be read back, nothing is fetched, nothing leaks into page or session."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supercrystal.errors import StudyError, TrajectoryError
from supercrystal.report import figures
from supercrystal.report.html import write_report
from supercrystal.report.palette import PHASE_COLOURS, phase_colours, rgb
from supercrystal.report.viewer import MAX_POSITIONS, kept_frames, quantise, viewer_html

NAMES = ["disordered", "fcc", "hcp", "bcc", "sc"]


def small_run(frames: int = 4, count: int = 50) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    box = (40.0, 30.0, 200.0)
    xyz = rng.uniform(-0.5, 0.5, (frames, count, 3)) * (39.9, 29.9, 90.0) + (0, 0, 45.0)
    return {
        "positions": xyz,
        "labels": rng.integers(0, len(NAMES), (frames, count)).astype(np.int8),
        "surface": rng.random((frames, count)) < 0.2,
        "diameters": np.full(count, 9.2),
        "core_diameters": np.full(count, 6.0),
        "box": box,
        "substrate_z": -4.6,
        "interface_z": np.linspace(140.0, 95.0, frames),
        "times": np.linspace(0.0, 500.0, frames),
        "label_names": NAMES,
        "palette": PHASE_COLOURS,
    }


def carried(fragment: str) -> dict[str, Any]:
    """The data that a fragment of HTML carries."""
    found = re.search(r'<script type="application/json">(.*?)</script>', fragment, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def unpacked(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, labels and surface flags, read the way that viewer.js reads them."""
    T, N = data["shape"]
    steps = np.frombuffer(base64.b64decode(data["positions"]), "<i2").reshape(T, N, 3)
    labels = np.frombuffer(base64.b64decode(data["labels"]), np.uint8).reshape(T, N)
    bits = np.frombuffer(base64.b64decode(data["surface"]), np.uint8)
    surface = [bool((bits[i >> 3] >> (i & 7)) & 1) for i in range(T * N)]
    coded = data["quantisation"]
    return np.array(coded["offset"]) + np.array(coded["scale"]) * steps, labels, np.reshape(surface, (T, N))


# ---- viewer ------------------------------------------------------------


def test_the_viewer_carries_the_run_within_half_a_step() -> None:
    run = small_run()
    data = carried(viewer_html(**run))
    xyz, labels, surface = unpacked(data)
    step = np.array(data["quantisation"]["scale"])
    assert step.max() < 0.002  # nm
    assert np.all(np.abs(xyz - run["positions"]) <= step / 2 + 1e-9)
    np.testing.assert_array_equal(labels, run["labels"])
    np.testing.assert_array_equal(surface, run["surface"])
    for key in ("diameters", "core_diameters"):
        np.testing.assert_allclose(np.frombuffer(base64.b64decode(data[key]), "<f4"), run[key], rtol=1e-6)
    np.testing.assert_allclose(data["interface_z"], run["interface_z"], atol=1e-4)
    np.testing.assert_allclose(data["times"], run["times"], rtol=1e-5)


def test_unwrapped_positions_return_to_the_box_and_the_input_is_left_alone() -> None:
    run = small_run()
    before = run["positions"].copy()
    run["positions"] = before + np.array([3 * 40.0, -2 * 30.0, 0.0])
    shifted = run["positions"].copy()
    xyz, _, _ = unpacked(carried(viewer_html(**run)))
    np.testing.assert_allclose(xyz, before, atol=0.002)
    np.testing.assert_array_equal(run["positions"], shifted)


def test_quantisation_survives_a_film_of_no_height() -> None:
    coded = quantise(np.zeros((2, 3, 3)))
    np.testing.assert_array_equal(coded.offset + coded.scale * coded.steps, 0)


def test_long_runs_are_thinned_and_say_so() -> None:
    keep = kept_frames(500, 2000)
    assert len(keep) == MAX_POSITIONS // 2000
    assert keep[0] == 0
    assert keep[-1] == 499
    assert kept_frames(500, 2 * MAX_POSITIONS).tolist() == [0, 499]
    fragment = viewer_html(**small_run(frames=90, count=6000))
    assert carried(fragment)["shape"] == [66, 6000]
    assert "The run has 90 frames; this page carries 66 of them" in fragment
    assert "this page carries" not in viewer_html(**small_run())


def test_a_frame_without_an_interface_is_valid_json() -> None:
    run = small_run()
    run["interface_z"][1] = np.nan
    assert carried(viewer_html(**run))["interface_z"][1] is None


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("positions", np.zeros((4, 50)), "shape"),
        ("positions", np.full((4, 50, 3), np.nan), "not finite"),
        ("labels", np.zeros((4, 49)), "labels must have the shape"),
        ("labels", np.full((4, 50), 5), "0 to 4"),
        ("labels", np.full((4, 50), -1), "0 to 4"),
        ("interface_z", np.zeros(3), "interface_z must have the shape"),
        ("palette", {"fcc": "#000000"}, "no colour for disordered"),
    ],
)
def test_the_viewer_refuses_what_it_cannot_draw(key: str, value: Any, message: str) -> None:
    with pytest.raises(TrajectoryError, match=message):
        viewer_html(**(small_run() | {key: value}))


def test_a_phase_name_cannot_end_the_script() -> None:
    run = small_run()
    evil = "</script><script>alert(1)</script>"
    run["label_names"] = [evil, *NAMES[1:]]
    run["palette"] = phase_colours(run["label_names"])
    fragment = viewer_html(**run)
    assert "<script>alert" not in fragment
    assert carried(fragment)["label_names"][0] == evil


def test_every_control_that_the_script_asks_for_exists() -> None:
    fragment = viewer_html(**small_run())
    script = resources.files("supercrystal.report").joinpath("viewer.js").read_text("utf-8")
    for name in set(re.findall(r'control\("(\w+)"\)', script)):
        assert f'data-control="{name}"' in fragment, name
    for selector in re.findall(r"\[data-(?:text|layer)='\w+'\]", script):
        assert selector.strip("[]").replace("'", '"') in fragment, selector


@pytest.mark.skipif(shutil.which("node") is None, reason="node reads the script; it is not installed")
def test_the_script_parses(tmp_path: Path) -> None:
    copy = tmp_path / "viewer.js"
    copy.write_text(resources.files("supercrystal.report").joinpath("viewer.js").read_text("utf-8"), "utf-8")
    done = subprocess.run(
        ["node", "--check", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


# ---- figures ------------------------------------------------------------


def table(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as source:
        header, *rows = csv.reader(source)
    return header, rows


def drawn(out: Path) -> list[figures.FigureFiles]:
    t = np.linspace(0.0, 500.0, 12)
    z = np.linspace(0.0, 60.0, 120)
    return [
        figures.phases_over_time(t, 200 - t / 4, {"fcc": t / 500, "disordered": 1 - t / 500}, out),
        figures.spacing_comparison(
            [
                {"label": "bulk", "value_nm": 9.21, "error_nm": 0.04, "kind": "measured in this run"},
                {"label": "OPM", "value_nm": 9.72, "error_nm": None, "kind": "packing model"},
                {"label": "SAXS", "value_nm": 9.35, "error_nm": 0.2, "kind": "experiment"},
            ],
            out,
        ),
        figures.density_profile(
            z, 0.002 * np.cos(z / 4) ** 2, [12.6, 25.1], out, substrate_z=-4.5, interface_z=61.0
        ),
        figures.bond_lengths(np.linspace(5.0, 30.0, 50), np.ones(50), 9.72, out),
        figures.pressure_over_time(t, t / 10, out),
    ]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> dict[str, figures.FigureFiles]:
    return {files.name: files for files in drawn(tmp_path_factory.mktemp("gallery"))}


def test_each_figure_is_three_files_and_a_caption(gallery: dict[str, figures.FigureFiles]) -> None:
    assert len(gallery) == 5
    for files in gallery.values():
        assert files.caption.endswith(".")
        assert files.png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert files.svg.read_text("utf-8").rstrip().endswith("</svg>")
        header, rows = table(files.csv)
        assert rows
        assert all(len(row) == len(header) for row in rows)
        # A quantity without a unit says so with "[-]"; only names of things have none.
        assert all("[" in name for name in header if name not in ("label", "kind"))


def test_tables_hold_what_is_drawn(gallery: dict[str, figures.FigureFiles]) -> None:
    header, rows = table(gallery["phases-over-time"].csv)
    assert header == [
        "time [Brownian times]",
        "film height [nm]",
        "fcc [fraction of bulk]",
        "disordered [fraction of bulk]",
    ]
    t = np.linspace(0.0, 500.0, 12)
    np.testing.assert_array_equal(
        np.array(rows, float), np.column_stack([t, 200 - t / 4, t / 500, 1 - t / 500])
    )

    header, rows = table(gallery["spacing-comparison"].csv)
    assert header == ["label", "value [nm]", "error [nm]", "kind"]
    assert rows[1] == ["OPM", "9.72", "", "packing model"]

    header, rows = table(gallery["density-profile"].csv)
    assert header == ["z [nm]", "number density [nm^-3]", "layer at [nm]"]
    assert [row[2] for row in rows if row[2]] == ["12.6", "25.1"]
    assert "2 ticks" in gallery["density-profile"].caption

    assert table(gallery["bond-lengths"].csv)[0] == ["r [nm]", "g(r) [-]"]
    assert "9.72 nm" in gallery["bond-lengths"].caption
    assert table(gallery["pressure-over-time"].csv)[0][1] == "pressure on the interface [kPa]"


def test_figures_are_reproducible(tmp_path: Path) -> None:
    first, second = (
        figures.pressure_over_time([0, 1, 2], [0, 3, 4], tmp_path / name).svg.read_bytes() for name in "ab"
    )
    assert first == second


def test_figures_of_one_frame_and_of_gaps_are_drawn(tmp_path: Path) -> None:
    one = figures.phases_over_time([0.0], [120.0], {"fcc": [np.nan]}, tmp_path)
    assert table(one.csv)[1] == [["0.0", "120.0", "nan"]]
    figures.pressure_over_time([0.0], [0.0], tmp_path)
    figures.density_profile([0.0, 1.0], [0.0, 0.0], None, tmp_path)
    figures.bond_lengths([5.0, 6.0], [0.0, 1.0], None, tmp_path)


def test_figures_refuse_columns_of_different_lengths(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match="one length"):
        figures.pressure_over_time([0, 1], [0, 1, 2], tmp_path)
    with pytest.raises(TrajectoryError, match="at least one row"):
        figures.spacing_comparison([], tmp_path)
    with pytest.raises(TrajectoryError, match="kind must be one of"):
        figures.spacing_comparison(
            [{"label": "a", "value_nm": 1, "error_nm": None, "kind": "guess"}], tmp_path
        )


def test_drawing_touches_no_global_state_and_imports_no_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import supercrystal.report.html, supercrystal.report.viewer, supercrystal.report.figures as f\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"  # looking up the backend in it would import pyplot
        f"f.pressure_over_time([0, 1], [0, 1], {str(tmp_path)!r})\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for module in resources.files("supercrystal.report").iterdir():
        if module.name.endswith(".py"):
            assert not re.search(r"import.*pyplot", module.read_text("utf-8")), module.name


# ---- report ------------------------------------------------------------


def result() -> dict[str, Any]:
    return {
        "name": "PbS <script>alert('study')</script> & oleate",
        "verdict": "fcc with stacking faults, 5 % below the packing model.",
        "comparison": [
            {
                "quantity": "nearest-neighbour distance",
                "unit": "nm",
                "run": 9.2134,
                "uncertainty": 0.041,
                "opm": 9.7201,
                "opm_difference_percent": -5.21,
                "measured": 9.35,
                "measured_difference_percent": -1.46,
                "measured_source": "SAXS, Weidman et al. 2016",
            },
            {"quantity": "phase", "run": "fcc", "opm": "fcc"},
        ],
        "fractions": {"fcc": {"mean": 0.743, "std": 0.03}, "bcc": {"mean": float("nan"), "std": 0.0}},
        "by_construction": ["The spacing follows the shell's diameter."],
        "found": ["Crystallisation began at the interface."],
        "limits": ["Not the boundary between fcc & bcc."],
        "provenance": {"engine": "LAMMPS", "seed": "20240817"},
        "study_text": 'name = "</pre><img src=x>"\n',
        "citations": ["Liu et al. (2023), https://doi.org/10.1002/adma.202209279"],
    }


class Page(HTMLParser):
    """Every attribute that can load something, and the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")
        ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, gallery: dict[str, figures.FigureFiles]) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, result(), list(gallery.values()), viewer_html(**small_run()))
    return path.read_text("utf-8")


def test_the_report_loads_nothing_from_anywhere(page: str) -> None:
    parser = Page()
    parser.feed(page)
    assert len(parser.loads) == 5  # the figures
    assert all(value.startswith("data:image/svg+xml;base64,") for value in parser.loads)
    assert not {"link", "iframe", "object", "embed", "base"} & set(parser.tags)
    assert not re.search(r"@import|url\s*\(", page)
    assert "https://doi.org/10.1002/adma.202209279" in page  # as text
    assert "default-src 'none'" in page


def test_the_report_shows_the_numbers(page: str) -> None:
    for text in (
        ">9.213<",
        ">0.041<",
        ">9.720<",
        ">9.35<",
        "−5.2 % from OPM",
        "−1.5 % from measured",
        "SAXS, Weidman et al. 2016",
        "74.3 % ± 3.0",
        "20240817",
        "What agrees by construction",
        "What was found",
        "What this model may not claim",
        "Not the boundary between fcc &amp; bcc.",
    ):
        assert text in page, text
    visible = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "", page, flags=re.DOTALL)
    assert not re.search(r"\bnan\b", visible)


def test_the_report_escapes_what_users_wrote(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(&#x27;study&#x27;)&lt;/script&gt; &amp; oleate" in page
    assert "</pre><img" not in page


def test_a_result_of_two_words_is_a_report(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, {"name": "$name", "verdict": "No phase was found."}, [], "")
    text = path.read_text("utf-8")
    assert "<h1>$name</h1>" in text
    assert "No phase was found." in text
    assert "<h2>" not in text
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_what_no_row_has_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    row = {"quantity": "cubatic order", "run": 0.98, "uncertainty": 0.01, "opm": None, "measured": None}
    write_report(path, {"name": "cubes", "verdict": "sc", "comparison": [row]}, [], "")
    heads = re.findall(r'<th scope="col">([^<]*)</th>', path.read_text("utf-8"))
    assert heads == ["quantity", "this run", "±"]


def test_a_failed_write_keeps_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", "utf-8")

    def fail(self: Path, text: str, encoding: str) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, {"name": "a", "verdict": "b"}, [], "")
    monkeypatch.undo()
    assert path.read_text("utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_result_without_a_verdict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="verdict"):
        write_report(tmp_path / "report.html", {"name": "a"}, [], "")


# ---- palette ------------------------------------------------------------


def test_known_phases_keep_their_colours_and_others_get_one() -> None:
    colours = phase_colours(["NaCl", "fcc", "AlB2", "fcc"])
    assert list(colours) == ["NaCl", "fcc", "AlB2"]
    assert colours["fcc"] == PHASE_COLOURS["fcc"]
    assert len(set(colours.values())) == 3
    for colour in colours.values():
        assert all(0 <= part <= 1 for part in rgb(colour))
    with pytest.raises(ValueError, match="six hexadecimal"):
        rgb("blue")
