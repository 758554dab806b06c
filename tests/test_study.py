from __future__ import annotations

from pathlib import Path

import pytest

from supercrystal import study as studies
from supercrystal.errors import StudyError


def test_the_example_is_valid_and_physical(example_text: str) -> None:
    study = studies.parse(example_text)
    (batch,) = study.batches()
    assert batch.nanocrystal.core.diameter_nm == 7.0
    assert batch.nanocrystal.ligand.name == "oleate"
    assert batch.nanocrystal.grafting_density == 4.40
    assert study.start().layers == 10


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seed = 1", "sede = 1", "sede: unknown key; did you mean 'seed'?"),
        ("seed = 1", "", "seed: missing"),
        ("[model]", "[modle]", "modle: unknown key; did you mean 'model'?"),
        ("peclet", "pecklet", "protocol.pecklet: unknown key; did you mean 'peclet'?"),
        (
            "diameter_nm = 7.0",
            "diameter_nm = -7.0",
            r"nanocrystals\[1\].core.diameter_nm = -7.0: allowed ≥ 1",
        ),
        ("diameter_nm = 7.0", "diameter_nm = 70.0", "ångström"),
        ("diameter_nm = 7.0", 'diameter_nm = "7 nm"', "valid number"),
        ("diameter_nm = 7.0", "diameter_angstrom = 70", "did you mean 'diameter_nm'"),
        ("298.15", "25.0", "temperature_K = 25.0: allowed ≥ 200 .kelvin"),
        ('ligand = "oleate"', 'ligand = "olate"', "ligand = 'olate'.*did you mean 'oleate'"),
        (
            'ligand = "oleate"',
            "ligand = { carbon = 18 }",
            "ligand.carbon: unknown key; did you mean 'carbons'",
        ),
        (
            'ligand = "oleate"',
            "ligand = { carbons = 2, double_bonds = 3 }",
            "2 carbons cannot have 3 double bonds",
        ),
        ('"PbS"', '"Pbs"', "material = 'Pbs'.*did you mean 'PbS'"),
        ('"sphere"', '"cube"', "a cube needs edge_nm"),
        ('"sphere"', '"cubo"', "shape = 'cubo': allowed 'sphere', 'cube' or 'plate'"),
        ('"toluene"', '"tolune"', "did you mean 'toluene'"),
        ("4.40", "0.0", "grafting_density_per_nm2 = 0.0: allowed ≥ 0.1"),
        ("count = 1000", "count = 0", "count = 0: allowed ≥ 1"),
        ("count = 1000", "count = 1e3", "count = 1000.0: .*integer"),
        ("0.03", "3", "5 % is 0.05"),
        ("peclet = 0.10", "peclet = 1000", "peclet = 1000: allowed ≤ 20"),
        ("initial_packing_fraction = 0.40", "initial_packing_fraction = 0.7", "allowed ≤ 0.4"),
        ('kind = "drying"', 'kind = "dying"', "allowed drying, slow-drying.*; did you mean 'drying'"),
        ("seed = 1", "seed = ", "not valid TOML"),
    ],
)
def test_a_bad_study_names_key_value_what_is_allowed(
    example_text: str, old: str, new: str, expected: str
) -> None:
    assert old in example_text
    with pytest.raises(StudyError, match=expected):
        studies.parse(example_text.replace(old, new))


def test_every_problem_is_listed_at_once(example_text: str) -> None:
    text = example_text.replace("seed = 1", "sede = 1").replace("4.40", "0.0")
    with pytest.raises(StudyError) as caught:
        studies.parse(text, "bad.toml")
    assert "bad.toml has 3 problems" in str(caught.value)


def test_carbons_alone_make_a_ligand(example_text: str) -> None:
    (batch,) = studies.parse(example_text.replace('ligand = "oleate"', "ligand = 12")).batches()
    assert (batch.nanocrystal.ligand.name, batch.nanocrystal.ligand.carbons) == ("C12", 12)


def test_nanocrystals_of_one_name_are_refused(example_text: str) -> None:
    head, start, rest = example_text.partition("[[nanocrystals]]")
    block, model, tail = rest.partition("[model]")
    with pytest.raises(StudyError, match="distinct names"):
        studies.parse(head + start + block + start + block + model + tail)


def test_another_seed_changes_only_the_seed(example_text: str) -> None:
    study, text = studies.with_seed(example_text, 42)
    assert study.seed == 42
    assert [a for a, b in zip(example_text.splitlines(), text.splitlines(), strict=True) if a != b] == [
        "seed = 1"
    ]


def test_a_missing_file_is_a_study_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot read the study"):
        studies.load(tmp_path / "none.toml")
