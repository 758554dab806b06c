"""Reference results of `supercrystal validate`: versions of seconds here, the long ones under the marker ``long``."""

from __future__ import annotations

import pytest

from supercrystal.validation import check

SIMULATED = (
    "wca-density",
    "lj-density",
    "kinetic-temperature",
    "free-diffusion",
    "barometric-slope",
    "sedimentation-profile",
    "soft-12-grows",
    "soft-12-melts",
    "soft-6-grows",
    "soft-6-melts",
    "hard-grows",
    "hard-melts",
)
CALCULATED = [name for name in check.available() if name not in SIMULATED]


def result(name: str, setting: check.Setting) -> check.Check:
    found = next(check.run([name], setting))
    print(found.to_dict())
    return found


@pytest.mark.parametrize("name", CALCULATED)
def test_without_a_simulation(name: str) -> None:
    found = result(name, check.Setting())
    assert found.passed, found


@pytest.mark.parametrize("name", SIMULATED)
def test_short(name: str) -> None:
    found = result(name, check.Setting("lammps"))
    assert found.passed, found
    assert found.engine.startswith("lammps")


# HOOMD-blue is slower by itself with tables on a CPU: one check of pressure, bath, walls with gravity, and growth.
@pytest.mark.hoomd
@pytest.mark.parametrize("name", ["wca-density", "free-diffusion", "sedimentation-profile", "hard-melts"])
def test_short_with_hoomd(name: str) -> None:
    found = result(name, check.Setting("hoomd"))
    assert found.passed, found
    assert found.engine.startswith("hoomd")


@pytest.mark.long
@pytest.mark.parametrize("name", SIMULATED)
@pytest.mark.parametrize("engine", ["lammps", pytest.param("hoomd", marks=pytest.mark.hoomd)])
def test_long(name: str, engine: str) -> None:
    found = result(name, check.Setting(engine, long=True))
    assert found.passed, found


# A check that could not fail would be worth nothing: each kind is run against something that is wrong.


def test_a_wrong_density_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from supercrystal.validation import fluids, runs

    monkeypatch.setattr(fluids.runs, "wca", lambda: runs.Shell(1.0, 1.1 * 2 ** (1 / 6), 12.0))
    assert not result("wca-density", check.Setting("lammps")).passed


def test_a_wrong_weight_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from supercrystal.validation import runs, sedimentation

    original = runs.system
    monkeypatch.setattr(
        sedimentation.runs,
        "system",
        lambda *args, weight=0.0, **more: original(*args, weight=1.15 * weight, **more),
    )
    assert not result("sedimentation-profile", check.Setting("lammps")).passed


def test_a_seed_at_the_wrong_density_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from supercrystal.validation import coexistence

    monkeypatch.setattr(coexistence, "BELOW", coexistence.ABOVE * 1.1)
    assert not result("soft-12-melts", check.Setting("lammps")).passed
