"""sweep.toml and its grid."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal.errors import StudyError
from supercrystal.nanocrystal import ligand_length
from supercrystal.packing import opm
from supercrystal.sweep import specification as specifications
from supercrystal.sweep.points import Point, digest, grid, points, study_of, validate
from supercrystal.sweep.specification import Specification, check_key, study_keys
from tests.sweep_files import TWO, one


def _load(text: str, folder: Path) -> tuple[Specification, dict[str, Any]]:
    file = folder / "sweep.toml"
    file.write_text(text)
    return specifications.load(file)


def _all(text: str, folder: Path) -> tuple[list[Point], list[tuple[dict[str, Any], str]]]:
    found = list(points(*_load(text, folder)))
    return [p for p in found if isinstance(p, Point)], [p for p in found if not isinstance(p, Point)]


def test_the_grid_is_the_product_of_axes(tmp_path: Path) -> None:
    made, bad = _all(
        one([6, 9], axes='solvent = ["toluene", "hexane"]', head="replicas = 3", tables=""), tmp_path
    )
    assert not bad
    assert {p.operation for p in made} == {"assemble"}
    got = [(p.axes["nanocrystals.1.ligand.carbons"], p.axes["solvent"], p.seed) for p in made]
    assert got == list(itertools.product((6, 9), ("toluene", "hexane"), (1, 2, 3)))
    # What the axes say stands in the study, and the state point tells every job from every other.
    study = validate(made[3].content)
    assert (study.nanocrystals[0].ligand.carbons, study.solvent, study.seed) == (6, "hexane", 1)  # type: ignore[union-attr]
    assert len({digest(p.statepoint) for p in made}) == len(made)
    assert made[0].statepoint["axes"] == {
        "nanocrystals": {"1": {"ligand": {"carbons": 6}}},
        "solvent": "toluene",
    }


def test_axes_in_zip_move_together_and_points_are_excluded_and_added(tmp_path: Path) -> None:
    text = """
name = "zipped"
exclude = [{ solvent = "hexane", temperature_K = 310.0 }]
include = [{ temperature_K = 350.0 }]
[axes]
temperature_K = [298.15, 310.0]
[[zip]]
solvent = ["toluene", "hexane"]
"nanocrystals[1].count" = [100, 200]
""" + one([6], tables="").partition("\n\n[study]")[2].join(("[study]", ""))
    sweep, _ = _load(text, tmp_path)
    assert grid(sweep) == [
        {"temperature_K": 298.15, "solvent": "toluene", "nanocrystals[1].count": 100},
        {"temperature_K": 298.15, "solvent": "hexane", "nanocrystals[1].count": 200},
        {"temperature_K": 310.0, "solvent": "toluene", "nanocrystals[1].count": 100},
        {"temperature_K": 350.0},
    ]


def test_candidates_are_an_axis_of_relaxations_only(tmp_path: Path) -> None:
    head = 'operations = ["assemble", "relax"]\nreplicas = 2'
    made, _ = _all(one([9], head=head, axes='candidate = ["fcc", ["bcc", "sc"]]', tables=""), tmp_path)
    assert [(p.operation, p.seed, p.relax.get("phases")) for p in made] == [
        ("assemble", 1, None),
        ("assemble", 2, None),
        ("relax", 1, ["fcc"]),  # a static relaxation has no seed, and one replica
        ("relax", 1, ["bcc", "sc"]),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (one([]), "axis 'nanocrystals.1.ligand.carbons' has no value"),
        (one([9], axes="carbon = [1]"), "did you mean"),
        (one([9], axes="carbons = [1]"), "did you mean 'nanocrystals.1.ligand.carbons'"),
        (one([9], axes='solvnt = ["toluene"]'), "did you mean 'solvent'"),
        (one([9], axes="size_ration = [1]"), "did you mean 'size_ratio'"),
        (one([9], axes="seed = [1, 2]"), "give `replicas` or `seeds`"),
        (one([9], axes='candidate = ["NaCI"]'), "did you mean 'NaCl'"),
        (one([9], head="replica = 3"), "did you mean 'replicas'"),
        (one([9], head="replicas = 2\nseeds = [1]"), "one of replicas and seeds"),
        (one([9], tables="[relax]\nphase = []"), "did you mean 'phases'"),
        (one([9], tables="", head='operations = "relax"'), "relax needs candidates"),
        (one([9], head="exclude = [{ x = 1 }]"), "'x' is no axis"),
        (
            one([9], axes='[[zip]]\nsolvent = ["toluene"]\ntemperature_K = [298.0, 300.0]'),
            "as many values each",
        ),
        (one([9], axes='[[zip]]\n"nanocrystals[1].ligand.carbons" = [9]'), "given twice"),
    ],
)
def test_a_faulty_sweep_names_the_key_and_what_is_allowed(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        _load(text, tmp_path)
    assert said in str(caught.value)


def test_an_empty_grid_is_an_error(tmp_path: Path) -> None:
    head = 'exclude = [{ "nanocrystals.1.ligand.carbons" = 9 }]'
    with pytest.raises(StudyError, match=r"empty: exclude removes all 1 points"):
        grid(_load(one([9], head=head), tmp_path)[0])


def test_a_point_that_is_no_study_is_named_and_the_rest_stay(tmp_path: Path) -> None:
    made, bad = _all(one([9, 99, 12], head="replicas = 2", tables=""), tmp_path)
    assert [p.axes["nanocrystals.1.ligand.carbons"] for p in made] == [9, 9, 12, 12]
    assert len(bad) == 1
    assert bad[0][0]["nanocrystals.1.ligand.carbons"] == 99
    assert "nanocrystals[1].ligand.carbons = 99: allowed ≤ 60" in bad[0][1]


def test_a_position_beyond_the_list_is_named(tmp_path: Path) -> None:
    made, bad = _all(one([9], axes='"nanocrystals.2.count" = [10]', tables=""), tmp_path)
    assert not made
    assert "positions are 1 to 1" in bad[0][1]


@given(ratio=st.floats(0.3, 1.5), carbons=st.integers(2, 20), coverage=st.floats(0.3, 1.2))
def test_size_ratio_is_that_of_the_opm_diameters(ratio: float, carbons: int, coverage: float) -> None:
    import tomllib

    base = tomllib.loads(TWO)["study"]
    axes = {
        "size_ratio": ratio,
        "nanocrystals.2.ligand.carbons": carbons,
        "nanocrystals.2.coverage": coverage,
    }
    first_nm = 9.0  # of 7 nm and nine carbons, nearly
    cores = np.geomspace(1, 50, 200)
    possible = opm.spacing(cores, float(ligand_length(carbons)), coverage)
    possible = possible[np.isfinite(possible)]
    if not 1.1 * possible.min() < ratio * first_nm < 0.9 * possible.max():
        return  # OPM has a limited domain, and cores have
    study = validate(study_of(base, axes, 1))
    first, second = (
        float(opm.spacing(b.nanocrystal.core.diameter_nm, b.nanocrystal.ligand.length_nm, b.nanocrystal.xi))
        for b in study.batches()
    )
    assert second / first == pytest.approx(ratio, rel=1e-6)


def test_every_key_that_is_offered_is_accepted() -> None:
    assert all(check_key(key.replace(".N", ".1")) is None for key in study_keys())
    # Keys of nested tables are found through lists, unions and tags.
    for key in (
        "nanocrystals.N.ligand.carbons",
        "protocol.N.peclet",
        "protocol.peclet",
        "model.interaction.chi",
        "model.tier",
    ):
        assert key in study_keys()


def test_the_examples_are_sweeps() -> None:
    for name, count in (("binary-map", 50), ("measured-spacings", 8)):
        sweep, base = specifications.load(Path(__file__).parents[1] / "workflows" / f"{name}.toml")
        found = list(points(sweep, base))
        assert len(found) == count
        assert all(isinstance(point, Point) for point in found)
