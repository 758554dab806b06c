from __future__ import annotations

import json
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest
from click.testing import CliRunner

from supercrystal import grow, growth, seed_crystal
from supercrystal import study as studies
from supercrystal.cli import main
from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.interactions.shell import Shell
from supercrystal.protocols import seeding
from supercrystal.seeded import run_seed, static_pressure
from supercrystal.study import Study
from supercrystal.system import Schedule, species
from supercrystal.validation import runs

TWO = """
[[nanocrystals]]
name = "small"
count = 500
core = { material = "PbS", shape = "sphere", diameter_nm = 3.0 }
ligand = "oleate"
grafting_density_per_nm2 = 4.40
"""


@pytest.fixture(scope="module")
def two(example_text: str) -> Study:
    head, _, tail = example_text.partition("[model]")
    return studies.parse(head + TWO + "\n[model]" + tail)


def question(**changes: object) -> grow.Question:
    given: dict[str, object] = {
        "phase": "fcc", "shape": "slab", "size": 0.5, "packing_fraction": 0.6, "pressure": None, "count": 500,
        "duration": 10.0,
    }  # fmt: skip
    return grow.Question(**(given | changes))  # type: ignore[arg-type]


def test_the_study_decides_on_sizes_and_the_question_on_the_density(example: Study) -> None:
    model = example.build_model()
    system, cells = seed_crystal.crystal(model, "fcc", 0.55, 900, 1)
    particles = system.frame.particles
    assert 4 * np.prod(cells) == particles.N
    assert system.types == model.types
    volume = np.prod(np.asarray(system.frame.configuration.box[:3], float))
    counted = np.pi / 6 * np.sum(np.asarray(particles.diameter, float) ** 3) / volume
    assert counted == pytest.approx(0.55, rel=0.01)
    # five size classes in equal shares
    assert np.ptp(np.bincount(particles.typeid)) <= 1


def test_compounds_take_the_larger_species_as_host(two: Study) -> None:
    model = two.build_model()
    assert seed_crystal.roles(model, "AlB2") == {"A": "PbS", "B": "small"}
    system, _ = seed_crystal.crystal(model, "AlB2", 0.5, 600, 1)
    names = np.array([species(name) for name in system.types])[system.frame.particles.typeid]
    assert np.sum(names == "small") == 2 * np.sum(names == "PbS")
    with pytest.raises(PhysicsError, match="as many as the study"):
        seed_crystal.roles(model, "fcc")


@pytest.mark.parametrize(
    "changes",
    [
        {"packing_fraction": None},
        {"pressure": 1.0},
        {"size": 0.0},
        {"packing_fraction": -1.0},
        {"duration": float("nan")},
    ],
)
def test_bad_questions(changes: dict[str, object]) -> None:
    with pytest.raises(PhysicsError):
        question(**changes)


def test_phases_that_cannot_be_followed(example: Study) -> None:
    model = example.build_model()
    with pytest.raises(PhysicsError, match="not recognised"):
        seed_crystal.roles(model, "diamond")
    with pytest.raises(PhysicsError, match="--count"):
        seed_crystal.crystal(model, "fcc", 1.2, 30, 1)


def test_pressure_from_positions_is_the_derivative_of_the_energy() -> None:
    from dataclasses import replace

    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    frame = seeding.crystal("fcc", 0.9, (4, 4, 4), {"a": 1.0})
    frame.particles.position = np.asarray(frame.particles.position, float) + 0.05 * rng.normal(size=(256, 3))
    system = runs.system(frame, Shell(1.0, 1.6, 12.0), 0.005)

    def energy(scale: float) -> float:
        box = np.asarray(frame.configuration.box[:3], float) * scale
        tree = cKDTree(np.mod(np.asarray(frame.particles.position, float) * scale, box), boxsize=box)
        found = tree.sparse_distance_matrix(tree, 1.6, output_type="ndarray")
        return float(np.sum(Shell(1.0, 1.6, 12.0).energy(found["v"][found["i"] < found["j"]])))

    volume = float(np.prod(np.asarray(frame.configuration.box[:3], float)))
    h = 1e-5
    slope = -(energy(1 + h) - energy(1 - h)) / (2 * h) / (3 * volume)
    assert static_pressure(system, kT=0.0) == pytest.approx(slope, rel=1e-5)
    assert static_pressure(system) - static_pressure(system, kT=0.0) == pytest.approx(256 / volume)
    double = replace(system, pairs={}, solvent=system.pairs)
    assert static_pressure(double, 2.0, kT=0.0) == pytest.approx(2 * slope, rel=1e-5)


def test_what_a_study_ends_at(example_text: str) -> None:
    head, _, _ = example_text.partition("[protocol]")
    slow = studies.parse(
        head
        + '[protocol]\nkind = "slow-drying"\nfinal_packing_fraction = 0.7\nduration_brownian_times = 100\n'
    )
    assert grow.conditions(slow) == (0.7, None)
    pressed = studies.parse(head + '[protocol]\nkind = "compression"\npressure_kPa = [10.0, 100.0]\n')
    packing, pressure = grow.conditions(pressed)
    assert packing is None
    assert pressure == pytest.approx(100 / 4116, rel=1e-3)
    assert grow.conditions(studies.parse(example_text)) == (None, None)


@pytest.mark.slow
def test_an_fcc_seed_of_wca_particles_grows_and_its_front_has_a_speed() -> None:
    # 860 particles 7 % denser than the crystal at coexistence, ρσ³ ≈ 0.99 at kT = ε
    cells = (6, 6, 6)
    frame = seeding.crystal("fcc", 1.06, cells, {"a": 1.0})
    system = runs.system(frame, runs.wca(), 0.004)
    seed = seeding.slab(frame, cells, 0.5)
    found = run_seed(
        system, seed, "fcc", "slab", Schedule(steps=(0, 5000)), base.choose("lammps", "cpu"), 4, frames=40
    )
    assert found.history.total == 864
    result = growth.rate(found.history)
    assert result.verdict == "grew"
    assert result.start < 0.75
    assert result.end > 0.95


@pytest.mark.slow
def test_a_seed_of_a_study_by_command(example_text: str, tmp_path: Path) -> None:
    path, out = tmp_path / "study.toml", tmp_path / "grown"
    path.write_text(example_text)
    arguments = [
        "grow", str(path), "--phase", "bcc", "--packing-fraction", "0.5", "--count", "432", "--time", "20", "--frames", "20",
        "--runs", "2", "--engine", "lammps", "--json", "-q", "-o", str(out),
    ]  # fmt: skip
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    # At a packing fraction of 0.5 these shells are a fluid.
    assert result["verdict"] == "melted"
    assert result["seeded"].startswith("Seeded")
    assert [run["seed"] for run in result["runs"]] == [1, 2]
    assert json.loads((out / "growth.json").read_text()) == result
    assert (out / "growth.png").stat().st_size > 1000
    with gsd.hoomd.open(out / "seed1.gsd") as trajectory:
        assert len(trajectory) == 21
        assert result["particles"] == trajectory[0].particles.N
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "not overwritten" in again.stderr


@pytest.mark.slow
def test_a_seed_under_pressure(example: Study) -> None:
    asked = question(packing_fraction=None, pressure=0.06, count=500, duration=15.0, frames=15)
    result, found = grow.grow(example, asked, base.choose("lammps", "cpu"), [1])
    boxes = np.array([frame.configuration.box[:3] for frame in found[0].frames])
    assert np.ptp(boxes[:, 2]) > 0
    assert 0.6 < result["packing_fraction"] < 1.2
    assert result["verdict"] in ("grew", "undecided")
    assert result["front_nm_per_s"] is None or result["front_nm_per_s"]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--phase", "fcc"], "--packing-fraction"),
        (["--phase", "fcc", "--packing-fraction", "0.6", "--pressure-kpa", "10"], "one of"),
        (
            ["--phase", "fcc", "--packing-fraction", "0.6", "--seed-fraction", "0.5", "--seed-radius", "9"],
            "one of",
        ),
        (["--phase", "fc", "--packing-fraction", "0.6"], "did you mean 'fcc'"),
        (["--phase", "NaCl", "--packing-fraction", "0.6"], "species"),
        (["--phase", "fcc", "--packing-fraction", "0.6", "--seed-radius", "500"], "radius up to"),
    ],
)
def test_wrong_use(arguments: list[str], word: str, example_text: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(example_text)
    found = CliRunner().invoke(main, ["grow", str(path), *arguments, "--engine", "lammps", "-q"])
    assert found.exit_code == 2
    assert word in found.stderr
    assert "Traceback" not in found.output
