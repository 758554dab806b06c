from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from supercrystal import lattices, library
from supercrystal import predict as predictions
from supercrystal.cli_predict import predict
from supercrystal.errors import PhysicsError, StudyError, SupercrystalError, UnknownNameError
from supercrystal.packing import cubes, hard, opm, otm
from supercrystal.report.packing import eta_curves, predicted_over_measured

BINARY = """
name = "binary"
seed = 1
solvent = "toluene"

[[nanocrystals]]
count = 400
core = { material = "PbS", diameter_nm = 7.0 }
ligand = "oleate"
grafting_density_per_nm2 = 4.5

[[nanocrystals]]
count = 800
core = { material = "Au", diameter_nm = 4.1 }
ligand = "nonanethiol"
grafting_density_per_nm2 = 5.5

[protocol]
kind = "drying"
peclet = 0.15
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(predict, list(arguments))


def from_json(*arguments: str):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "binary.toml"
    path.write_text(BINARY)
    return path


PAIR = ("pair", "--core-diameter", "7", "--carbons", "18", "--grafting-density", "4.4")


def test_pair_record() -> None:
    found = from_json(*PAIR)
    assert set(found) == {"x", "xi", "ligand_length_nm", "opm", "ocm", "x_boundary"}
    assert set(found["opm"]) == {"d_nn_nm", "tau", "core_fraction_fcc", "core_fraction_bcc", "favoured"}
    assert set(found["ocm"]) == {"d_nn_nm", "tau"}
    assert found["xi"] == pytest.approx(0.8)
    assert found["opm"]["d_nn_nm"] == pytest.approx(9.722, abs=1e-3)
    assert found["opm"]["tau"] == pytest.approx(found["opm"]["d_nn_nm"] / 7)
    assert found["x_boundary"] == pytest.approx(0.503945, abs=1e-6)
    assert found["opm"]["favoured"] == "bcc"


def test_pair_options() -> None:
    assert from_json(*PAIR, "--coverage", "1")["xi"] == 1
    assert from_json(*PAIR, "--chain-geometry", "alkane")["ligand_length_nm"] == pytest.approx(
        2.498, abs=1e-3
    )
    assert from_json(*PAIR, "--double-bonds", "1")["ligand_length_nm"] == pytest.approx(2.457, abs=1e-3)


def test_pair_without_an_ocm_value_says_why_and_keeps_stdout_json() -> None:
    result = run("pair", "--core-diameter", "2", "--carbons", "18", "--grafting-density", "4.4", "--json")
    found = json.loads(result.stdout)
    assert found["ocm"] == {"d_nn_nm": None, "tau": None}
    assert found["opm"]["d_nn_nm"] > 2
    assert "τ < 1" in result.stderr


LATTICE_KEYS = {"phase", "gamma", "eta_hard_sphere", "eta_otm", "otm_branch", "lattice_constants"}


def test_lattice_records_of_all_phases() -> None:
    records = from_json("lattice", "--phase", "all", "--gamma", "0.3,0.5,0.8")
    assert len(records) == 3 * len(lattices.names())
    for row in records:
        assert set(row) == LATTICE_KEYS
        phase, gamma, constants = row["phase"], row["gamma"], row["lattice_constants"]
        assert row["eta_hard_sphere"] == pytest.approx(float(hard.packing_fraction(phase, gamma)), rel=1e-14)
        plain = {key: value for key, value in constants.items() if not key.endswith("_otm")}
        volume = float(lattices.volume(phase, plain))
        assert float(hard.sphere_volume(phase, gamma)) / volume == pytest.approx(
            row["eta_hard_sphere"], rel=1e-12
        )
        shrunk = {key.removesuffix("_otm"): value for key, value in constants.items() if key.endswith("_otm")}
        exists = any(low < gamma <= high for _, low, high in otm.windows(phase))
        assert (row["eta_otm"] is not None) == (row["otm_branch"] is not None) == bool(shrunk) == exists
        if exists:
            volume = float(lattices.volume(phase, shrunk))
            assert float(hard.sphere_volume(phase, gamma)) / volume == pytest.approx(
                row["eta_otm"], rel=1e-12
            )


def test_lattice_reading_and_alias() -> None:
    (row,) = from_json("lattice", "--phase", "Cu3Au", "--gamma", "0.55")
    assert row["phase"] == "AuCu3"
    (exact,) = from_json("lattice", "--phase", "NaZn13", "--gamma", "0.6")
    (hoodlt,) = from_json("lattice", "--phase", "NaZn13", "--gamma", "0.6", "--reading", "hoodlt")
    assert exact["eta_otm"] == pytest.approx(0.78450, abs=6e-6)
    assert hoodlt["eta_otm"] == pytest.approx(0.78954, abs=6e-6)


@pytest.mark.parametrize("output", [(), ("--json",)])
def test_what_is_not_verified_is_said_on_stderr(output: tuple[str, ...]) -> None:
    result = run("lattice", "--phase", "bccAB6,MgZn2", "--gamma", "0.5", *output)
    assert result.exit_code == 0
    assert ("0.8187" if output else "0.8188") in result.stdout
    assert "bccAB6 at γ = 0.5: frozen cell of HOODLT" in result.stderr
    assert "not verified" in result.stderr
    assert "MgZn2" not in result.stderr
    result = run("cubes", "--phase", "NaCl,AlB2", "--gamma", "0.5", *output)
    assert "AlB2: cells of this package" in result.stderr
    assert "NaCl" not in result.stderr


def test_cube_records() -> None:
    records = from_json("cubes", "--phase", "all", "--gamma", "0.45,0.6")
    assert {row["phase"] for row in records} == set(cubes.ORIENTATIONS)
    for row in records:
        assert set(row) == {"phase", "gamma", "eta", "orientation", "lattice_constants"}
        expected = float(cubes.packing_fraction(row["phase"], row["gamma"], row["orientation"]))
        assert row["eta"] == pytest.approx(expected, rel=1e-14)
    perovskite = [row for row in records if row["phase"] == "ABO3"]
    assert [row["orientation"] for row in perovskite] == ["rotated", "aligned", "aligned", "rotated"]


def test_cube_options() -> None:
    (row,) = from_json(
        "cubes", "--phase", "ABO3", "--gamma", "0.4", "--body-edge", "0.45", "--orientation", "rotated"
    )
    assert row["eta"] == pytest.approx(0.743994, abs=1e-6)
    assert row["lattice_constants"]["a"] == pytest.approx(1.027350, abs=1e-6)
    *rigid, soft = from_json("cubes", "--phase", "ABO3", "--gamma", "0.45", "--deformable")
    assert "inference" in soft["orientation"]
    assert soft["eta"] > max(row["eta"] for row in rigid)
    plain = from_json("cubes", "--phase", "ABO3", "--gamma", "0.45")
    assert not any("inference" in row["orientation"] for row in plain)
    assert "inference" in run("cubes", "--phase", "ABO3", "--gamma", "0.45", "--deformable").stdout


def test_study_ranking(binary: Path) -> None:
    found = from_json("study", str(binary))
    assert found["study"] == "binary"
    assert [row["name"] for row in found["nanocrystals"]] == ["PbS", "Au"]
    assert found["nanocrystals"][0]["opm"]["d_nn_nm"] == pytest.approx(9.775, abs=1e-3)
    ranking = found["ranking"]
    assert [row["otm"]["eta"] for row in ranking] == sorted((r["otm"]["eta"] for r in ranking), reverse=True)
    alb2 = next(row for row in ranking if row["phase"] == "AlB2")
    assert alb2["gamma"] == pytest.approx(0.6007, abs=5e-5)
    assert alb2["hard_sphere"]["rank"] == 1
    assert alb2["hard_sphere"]["denser_than_competitor"]
    assert alb2["hard_sphere"]["competitor"]["eta"] == pytest.approx(opm.TOUCHING_FRACTION["fcc"])
    assert alb2["hard_sphere"]["lattice_constants_nm"]["a"] == pytest.approx(10.171, abs=1e-2)
    assert found["densest_at_these_numbers"]["hard_sphere"]["parts"][0]["phase"] == "AlB2"
    assert any("densest phase" in line for line in found["disagreements"])
    assert any("not verified" in line for line in found["assumptions"])


def test_study_table(binary: Path) -> None:
    result = run("study", str(binary), "--top", "3")
    assert result.exit_code == 0
    assert "models disagree" in result.stdout
    assert "core (nm)" in result.stdout
    assert "AuCu3(PbS, Au)" in result.stdout


def test_study_of_one_kind(small_study: Path) -> None:
    found = from_json("study", str(small_study))
    assert {row["phase"] for row in found["ranking"]} == {"fcc", "hcp", "bcc", "sc", "diamond"}
    assert run("study", str(small_study)).exit_code == 0


def test_plot_writes_picture_and_numbers(tmp_path: Path) -> None:
    for suffix in ("png", "svg"):
        out = tmp_path / f"eta.{suffix}"
        found = from_json("plot", "--phase", "MgZn2,bccAB6", "-o", str(out), "--gamma", "0.3,0.9")
        assert found["picture"] == str(out)
        assert out.stat().st_size > 5000
        with (tmp_path / "eta.csv").open(encoding="utf-8") as source:
            rows = list(csv.DictReader(source))
        assert {row["phase"] for row in rows} == {"MgZn2", "bccAB6"}
        for row in rows:
            gamma, eta = float(row["gamma [-]"]), float(row["eta [-]"])
            if row["series"] == "hard spheres":
                assert eta == float(hard.packing_fraction(row["phase"], gamma))
            elif row["series"].startswith("OTM"):
                assert eta == float(otm.packing_fraction(row["phase"], gamma))
                assert (row["series"] == "OTM, not verified") == bool(otm.caveats(row["phase"], gamma))
        measured = [row for row in rows if row["series"] == "measured"]
        assert [(row["phase"], row["eta [-]"]) for row in measured] == [("MgZn2", "0.79"), ("bccAB6", "0.83")]
        assert all("transcribed" in row["source"] for row in measured)


def test_plot_is_the_same_twice_and_reaches_its_peaks(tmp_path: Path) -> None:
    pictures = []
    for name in ("one.svg", "two.svg"):
        assert (
            run("plot", "--phase", "NaCl", "--cubes", "--no-measured", "-o", str(tmp_path / name)).exit_code
            == 0
        )
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    (curve,) = predictions.scan(["AuCu3"], 0.2, 1.0)
    assert np.nanmax(curve["OTM"]) == pytest.approx(1, abs=1e-9)


def test_drawing_leaves_the_callers_style_alone(tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    eta_curves(predictions.scan(["NaCl"], 0.2, 1.0), [], tmp_path / "a.png")
    assert dict(mpl.rcParams) == before


def test_comparison_figure_has_its_numbers_beside_it(tmp_path: Path) -> None:
    row = {"quantity": "η", "system": "x", "model": "OTM", "predicted": 0.8, "measured": 0.79,
           "relative_error": 0.8 / 0.79 - 1, "source": "here"}  # fmt: skip
    none = row | {"model": "other", "predicted": None, "relative_error": None}
    picture, table = predicted_over_measured([row, none], tmp_path / "c.svg")
    assert picture.stat().st_size > 1000
    assert table.read_text().splitlines()[1:] == [
        "η,x,OTM,0.8,0.79,0.0126582278481013,here".replace("0.0126582278481013", repr(0.8 / 0.79 - 1)),
        "η,x,other,,0.79,,here",
    ]
    for function in (predicted_over_measured, eta_curves):
        with pytest.raises(PhysicsError, match="at least one"):
            function([], *([] if function is predicted_over_measured else [[]]), tmp_path / "d.svg")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("lattice", "--phase", "MgZn", "--gamma", "0.5"), UnknownNameError, "did you mean 'MgZn2'"),
        (("lattice", "--phase", "MgZn2", "--gamma", "0.5,1.5"), PhysicsError, r"\(0, 1\].*got γ = 1.5"),
        (
            ("cubes", "--phase", "MgZn2", "--gamma", "0.5"),
            PhysicsError,
            "spheres only.*NaCl, CsCl, ABO3, AlB2",
        ),
        (("cubes", "--phase", "NaCl", "--gamma", "0.5", "--body-edge", "0.3"), PhysicsError, "ABO3 only"),
        (
            ("cubes", "--phase", "ABO3", "--gamma", "0.5", "--truncation", "0.3"),
            PhysicsError,
            "give their edge",
        ),
        (("plot", "--phase", "NaCl", "-o", "eta.pdf"), PhysicsError, ".png or .svg"),
        (("plot", "--phase", "NaCl", "--gamma", "0.9,0.2"), PhysicsError, "low < high"),
        (
            ("pair", "--core-diameter", "-7", "--carbons", "9", "--grafting-density", "5"),
            PhysicsError,
            "diameter > 0",
        ),
        ((*PAIR[:-1], "0"), PhysicsError, "grafting density must be > 0"),
        ((*PAIR, "--coverage", "9"), PhysicsError, "beyond their extended length"),
        (("study", "nowhere.toml"), StudyError, "cannot read"),
    ],
)
def test_bad_input_raises_what_the_command_line_reports(
    arguments, error, words, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert isinstance(result.exception, SupercrystalError)
    with pytest.raises(error, match=words):
        raise result.exception
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("gamma", ["0.5;0.6", "x", ""])
def test_what_is_not_a_list_of_numbers_is_wrong_use(gamma: str) -> None:
    result = run("lattice", "--phase", "NaCl", "--gamma", gamma)
    assert result.exit_code == 2
    assert "not a comma-separated list" in result.stderr


def test_importing_the_commands_imports_only_click() -> None:
    code = (
        "import sys; import click; before = set(sys.modules); import supercrystal.cli_predict; "
        "print([m for m in set(sys.modules) - before if m.split('.')[0] in "
        "('numpy', 'scipy', 'rich', 'matplotlib', 'gsd', 'pydantic') or m.startswith('supercrystal.packing')])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_measured_binaries_have_sources_and_known_contacts() -> None:
    rows = library.measured_binaries()
    assert len(rows) == 7
    for row in rows:
        labels = lattices.prototype(row.phase).counts
        assert set(row.contact) <= set(labels)
        assert row.quality == "secondary transcription"
        assert "10.1021/jacs.5b00839" in row.source
        assert row.a.core.material in library.names("cores")
        sizes = [opm.spacing(c.core.diameter_nm, c.ligand.length_nm, c.xi) for c in (row.a, row.b)]
        assert sizes[0] > sizes[1]


#: γ(OPM), η of hard spheres, η of OTM or None, gap of hard spheres, gap of OTM of section 6d [nm].
TABLE = [
    (0.7816, 0.6649, 0.7579, 1.714, 1.341),
    (0.7816, 0.6566, None, 2.711, None),
    (0.6012, 0.6923, 0.7858, 1.772, 1.625),
    (0.5665, 0.7276, 0.7476, 2.711, 2.673),
    (0.6012, 0.7565, None, 2.270, None),
    (0.5665, 0.5469, 0.8420, 2.267, 1.005),
    (0.4441, 0.7413, 0.8060, 2.398, 2.135),
]


def test_binary_table_of_the_reference_page_is_reproduced() -> None:
    for row, (gamma, eta_hard, eta_otm, gap_hard, gap_otm) in zip(
        library.measured_binaries(), TABLE, strict=True
    ):
        a, b = (float(opm.spacing(c.core.diameter_nm, c.ligand.length_nm, c.xi)) for c in (row.a, row.b))
        assert b / a == pytest.approx(gamma, abs=6e-5)
        spheres = hard.solve(row.phase, b / a)
        shrunk = otm.solve(row.phase, np.array([b / a]))
        assert float(spheres.eta) == pytest.approx(eta_hard, abs=6e-5)
        lattice = {"hard": {key: float(value) for key, value in spheres.constants.items()}}
        if eta_otm is None:
            assert np.isnan(shrunk.eta[0])
        else:
            assert float(shrunk.eta[0]) == pytest.approx(eta_otm, abs=6e-5)
            lattice["otm"] = {key: float(value[0]) for key, value in shrunk.constants.items()}
        cores = {"A": row.a.core.radius_nm, "B": row.b.core.radius_nm}
        species = lattices.prototype(row.phase).species
        for name, gap in (("hard", gap_hard), ("otm", gap_otm)):
            if gap is not None:
                shells = lattices.shells(row.phase, lattice[name], 1.0)
                distance = next(s.distance for s in shells if s.pair == row.contact) * a
                assert distance - sum(cores[species[label]] for label in row.contact) == pytest.approx(
                    gap, abs=1e-3
                )


def test_the_analysis_states_where_a_model_is_worse_than_hard_spheres(tmp_path: Path, capsys) -> None:
    path = Path(__file__).parents[1] / "analysis" / "packing_vs_experiment.py"
    specification = importlib.util.spec_from_file_location("packing_vs_experiment", path)
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    said = script.main(["-o", str(tmp_path)])
    assert {p.name for p in tmp_path.iterdir()} == {
        "packing-vs-experiment.png", "packing-vs-experiment.csv", "observed-phases.csv"
    }  # fmt: skip
    worse = [line for line in said if "OTM is WORSE" in line]
    assert len(worse) == 2  # packing fraction and gap of the same superlattice
    assert all("NaZn13: PbS 7-C18 + Au 4.1-C9" in line for line in worse)
    assert sum("OTM has no value" in line for line in said) == 4
    assert any("one-component" in line and "OPM: mean |error| 0.9 %, largest 2.4 %" in line for line in said)
    with (tmp_path / "packing-vs-experiment.csv").open(encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    for row in rows:
        if row["predicted"]:
            error = float(row["predicted"]) / float(row["measured"]) - 1
            assert float(row["relative_error"]) == pytest.approx(error, abs=1e-12)
    assert "place of the observed phase" in capsys.readouterr().out


DOCS = Path(__file__).parents[1] / "docs" / "packing.md"
EXAMPLES = [
    block.splitlines()
    for block in DOCS.read_text(encoding="utf-8").split("```")[1::2]
    if block.startswith("\n$ ")
]


@pytest.mark.parametrize("lines", EXAMPLES, ids=lambda lines: lines[1].split()[3])
def test_the_examples_of_the_docs_are_what_the_commands_print(lines, binary, monkeypatch) -> None:
    monkeypatch.chdir(binary.parent)
    command = lines[1].partition("#")[0].split()
    assert command[:3] == ["$", "supercrystal", "predict"]
    result = run(*command[3:])
    printed = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[2 : 2 + len(printed)] == printed
    assert set(lines[2 + len(printed) :]) <= set(result.stderr.splitlines())


def test_every_command_but_plot_has_an_example() -> None:
    assert [lines[1].split()[3] for lines in EXAMPLES] == ["pair", "lattice", "cubes", "study"]


def test_the_python_of_the_docs_runs() -> None:
    (code,) = [
        block.removeprefix("python\n")
        for block in DOCS.read_text(encoding="utf-8").split("```")[1::2]
        if block.startswith("python\n")
    ]
    names: dict = {}
    exec(code, names)
    assert names["frame"].particles.N == 12 * 64
    assert names["shrunk"].particles.N == 16
    assert names["oriented"].particles.N == 5 * 27
