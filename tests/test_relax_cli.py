"""``supercrystal relax`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import call, refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_text: str) -> Path:
    place = tmp_path_factory.mktemp("relax")
    (place / "small.toml").write_text(small_text)
    return place


@pytest.fixture(scope="module")
def finished(folder: Path):  # type: ignore[no-untyped-def]
    options = ("--time", 3, "--energy-steps", 4000, "--particles", 200, "--engine", "lammps", "--seed", 7)
    done = call("relax", "small.toml", "--phases", "fcc,sc", *options, "-o", "out", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


def test_result_has_competitors_seed_engine_and_versions(folder: Path, finished) -> None:  # type: ignore[no-untyped-def]
    result = json.loads(finished.stdout)
    assert result == json.loads((folder / "out" / "relax.json").read_text())
    assert result["verdict"].startswith("lowest of the candidates tried, by Gibbs energy at kT: fcc")
    assert "stable phase" not in finished.stdout
    assert result["seed"] == result["settings"]["seed"] == 7
    assert result["engine"]["engine"] == "lammps"
    assert {"supercrystal", "lammps", "numpy", "scipy"} <= set(result["versions"])
    fcc, sc = result["candidates"]
    assert fcc["dynamics"]["survived"]
    assert fcc["free_energy"]["error_kT"] > 0
    assert fcc["free_energy"]["anharmonic"]["systematic"] >= 0
    assert sc["free_energy"] is None
    assert not sc["stability"]["stable"]
    assert (folder / "out" / "relax.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["relax.json", "relax.png"]


def test_nothing_is_overwritten_in_silence(folder: Path, finished) -> None:  # type: ignore[no-untyped-def]
    before = (folder / "out" / "relax.json").read_bytes()
    refused(call("relax", "small.toml", "--phases", "fcc", "-o", "out", cwd=folder), "exists", "--force")
    assert (folder / "out" / "relax.json").read_bytes() == before


def test_table_without_simulation(folder: Path) -> None:
    done = call(
        "relax", "small.toml", "--phases", "fcc, hcp,bcc", "--no-dynamics", "--pressure", "200kPa", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "(harmonic)" in done.stdout
    assert "200 kPa" in done.stdout
    assert "its anharmonic error unknown" in done.stdout
    again = call(
        "relax", "small.toml", "--phases", "fcc,hcp,bcc", "--no-dynamics", "--pressure", "200kPa", cwd=folder
    )
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--phases", "fcc,bbc"), ("bbc", "did you mean 'bcc'")),
        (("--phases", "NaCl"), ("2 species", "the study has one")),
        (("--phases", ","), ("at least one candidate",)),
        (("--phases", "fcc", "--pressure", "200"), ("200", "kPa")),
        ((), ("--phases",)),
    ],
)
def test_bad_input(folder: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused(call("relax", "small.toml", *arguments, "--no-dynamics", cwd=folder), *words)


def test_missing_study(folder: Path) -> None:
    refused(call("relax", "none.toml", "--phases", "fcc", cwd=folder), "none.toml")
