"""The collected table, its figures and pages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from supercrystal.sweep import collect, execution, figures, pages
from supercrystal.sweep.execution import DONE
from supercrystal.sweep.space import Space, read
from tests.sweep_files import TWO, make, one


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """Two relaxed mixtures; one of the jobs is left as it is."""
    space = make(TWO.replace("[0.45, 0.55]", "[0.45, 0.55, 0.65]"), tmp_path_factory.mktemp("two"))
    for job in list(space.entries)[:2]:
        assert execution.execute(space.entries[job], space.folder(job)) == DONE
    return space


@pytest.fixture(scope="module")
def written(finished: Space) -> dict[str, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "MESH", (2, 5))
        return collect.collect(read(finished.root), finished.root / "collected")


def test_every_state_point_has_a_row(finished: Space, written: dict[str, Path]) -> None:
    table = collect.read_csv(written["table"])
    assert [row["job"] for row in table] == list(finished.entries)
    assert [row["state"] for row in table] == ["complete", "complete", "ready"]
    assert [row["size_ratio"] for row in table] == [0.45, 0.55, 0.65]
    first, _, last = table
    assert first["gamma"] == pytest.approx(0.45, rel=1e-6)
    assert first["phase"] in ("AlB2", "fcc")
    assert first["candidates"] == "AlB2"
    assert first["opm_nm_2"] / first["opm_nm_1"] == pytest.approx(0.45, rel=1e-6)
    assert last["phase"] is None
    # Where it comes from stands in the row.
    assert first["supercrystal"]
    assert first["started"] <= first["ended"]
    assert first["cpu_s"] > 0
    assert first["sessions"] == 5
    assert "Travesset" in first["cite"]  # OTM was used


def test_lattices_stand_beside_those_of_the_models(written: dict[str, Path]) -> None:
    rows = collect.read_csv(written["lattices"])
    found = {(row["size_ratio"], row["lattice"], row["roles"]): row for row in rows}
    assert {key[1] for key in found} == {"AlB2", "fcc"}
    for (ratio, phase, roles), row in found.items():
        if phase == "fcc":
            # The pressure is that of the first at its OPM distance; kT pushes the smaller ones further apart.
            first = json.loads(roles)["A"] == "A"
            assert row["a_nm"] / row["OPM a_nm"] == (
                pytest.approx(1, rel=1e-6) if first else pytest.approx(1.1, abs=0.1)
            )
        else:
            assert row["a_nm"] == pytest.approx(row["OPM a_nm"], rel=0.1)
            assert row["c_nm"] == pytest.approx(row["a_nm"], rel=0.2)
        assert row["OCM a_nm"] is None or phase == "fcc"
        assert ratio in (0.45, 0.55)


def test_hdf5_holds_what_csv_holds(written: dict[str, Path]) -> None:
    table = collect.read_csv(written["table"])
    with h5py.File(written["hdf5"]) as file:
        points = file["points"]
        assert list(points.attrs["columns"]) == list(table[0])
        assert np.isnan(points["a_nm"][2])
        assert points["a_nm"][:2].tolist() == [row["a_nm"] for row in table[:2]]
        assert points["phase"].asstr()[:].tolist() == [row["phase"] or "" for row in table]
        assert file.attrs["sweep"] == "two"


def test_figures_and_page_are_there(finished: Space, written: dict[str, Path]) -> None:
    for name in ("phase diagram", "lattice constants"):
        assert written[name].read_bytes()[:4] == b"\x89PNG"
    page = written["summary"].read_text()
    assert "3 jobs: 2 complete, 1 ready" in page
    assert page.count("data:image/png;base64,") == 2
    assert 'src="http' not in page
    assert not list(finished.root.rglob("*.partial"))


def test_a_product_that_was_cut_off_is_said_and_the_others_stay(finished: Space, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(finished.root, root)
    job = next(iter(finished.entries))
    (root / "workspace" / job / "compare.json").write_text('{"phase": "fcc"')
    points, lattices = collect.rows(read(root))
    assert points[0]["phase"] is None
    assert "cannot be read" in points[0]["message"]
    assert points[1]["phase"]
    assert {row["job"] for row in lattices} == {list(finished.entries)[1]}


def test_regions_are_those_of_the_ranking() -> None:
    row = {
        "core_diameter_nm_1": 7.0, "coverage_1": 0.8, "coverage_2": 0.8, "count_1": 1, "count_2": 2, "candidates": "AlB2",
        "ligand_length_nm_1": 1.3, "ligand_length_nm_2": 1.3,
    }  # fmt: skip
    x, gamma = np.array([0.3]), np.array([0.55, 0.95])
    found = figures.regions([row], x, gamma)
    assert found is not None
    # Hard spheres: AlB2 is denser than separated fcc around 0.55, and nothing is near 1.
    assert found["hard spheres"].ravel().tolist() == ["AlB2", "fcc"]
    # Rows that lie in no common plane have no regions.
    assert figures.regions([row, {**row, "coverage_1": 1.0}], x, gamma) is None


def test_one_kind_of_nanocrystal_has_a_diagram_too(tmp_path: Path) -> None:
    rows = [
        {"softness_1": x, "coverage_1": 0.8, "phase": p, "gamma": None}
        for x, p in ((0.3, "fcc"), (0.9, "bcc"))
    ]
    assert figures.phase_diagram(rows)[:4] == b"\x89PNG"


def test_strings_of_a_sweep_are_escaped() -> None:
    page = pages.render("<script>", "a & b", [{"title": "t", "header": ["<"], "rows": [["<b>", 1.0]]}])
    assert "<script>" not in page
    assert "&lt;b&gt;" in page


def test_a_sweep_without_results_is_collected(tmp_path: Path) -> None:
    space = make(one([9]), tmp_path)
    written = collect.collect(space, tmp_path / "out")
    assert "phase diagram" not in written
    assert "Nothing yet" in written["summary"].read_text()
