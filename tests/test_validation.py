from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from supercrystal import equation_of_state as eos
from supercrystal.cli import main
from supercrystal.errors import SimulationError, UnknownNameError
from supercrystal.validation import check, sedimentation
from supercrystal.validation.check import Check, Setting


def made(obtained: float, **more: object) -> Check:
    return Check("one", "a number", "a book", 1.0, obtained, 0.1, "exact", **more)  # type: ignore[arg-type]


def test_what_passes() -> None:
    assert made(1.05).passed
    assert made(1.1 - 1e-12).passed
    assert not made(1.2).passed
    assert not made(math.nan).passed
    assert made(math.nan).to_dict()["obtained"] is None


def test_error_of_correlated_values_is_not_that_of_independent_ones() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=4000)
    walk = np.empty_like(noise)
    walk[0] = noise[0]
    for i in range(1, len(noise)):
        walk[i] = 0.9 * walk[i - 1] + noise[i]
    mean, error = check.blocks(noise)
    assert mean == pytest.approx(noise.mean())
    assert error == pytest.approx(1 / math.sqrt(4000), rel=0.5)
    # of an autoregression with 0.9 the error of the mean is (1 + 0.9)/(1 - 0.9) = 19 times as large, squared
    _, slow = check.blocks(walk)
    assert slow == pytest.approx(walk.std() * math.sqrt(19 / 4000), rel=0.5)
    with pytest.raises(ValueError, match="at least 20"):
        check.blocks(noise[:10])


def test_choosing_checks() -> None:
    names = list(check.available())
    assert check.chosen(None) == names
    assert check.chosen("soft-6, wca") == ["soft-6-grows", "soft-6-melts", "wca-density"]
    with pytest.raises(UnknownNameError, match="wca-density"):
        check.chosen("wca-densty")
    with pytest.raises(UnknownNameError):
        check.chosen(",")


def test_profiles_are_compared_without_a_fit() -> None:
    rng = np.random.default_rng(0)
    length, diameter, area = 2.0, 1.1, 400.0
    profile = eos.sedimentation_profile(length, diameter, bottom=0.35)
    grid = np.linspace(0, 60, 60_001)
    share = profile.packing(grid)
    cumulated = np.cumsum(share) / np.sum(share)
    count = round(float(profile.above(0.0)) * area)
    heights = np.array([np.interp(rng.uniform(size=count), cumulated, grid) for _ in range(200)])
    lower, expected, found, error = sedimentation.compare_profile(heights, area, diameter, length)
    assert lower[0] == 3
    assert np.all(np.abs(found - expected) < 5 * error + 1e-3 * expected)
    _, expected, found, _ = sedimentation.compare_profile(heights, area, diameter, 1.1 * length)
    assert np.max(np.abs(found / expected - 1)) > 0.04


def run(monkeypatch: pytest.MonkeyPatch, *checks: Check, arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    table = {one.name: (lambda setting, one=one: one) for one in checks}
    monkeypatch.setattr(check, "available", lambda: table)
    found = CliRunner().invoke(main, ["validate", *arguments])
    return found.exit_code, found.stdout


def test_command(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run(monkeypatch, made(1.02, error=0.01, seed=7, engine="pencil 2", note="by hand"))
    assert code == 0
    for word in ("a number", "a book", "1.02 ± 0.01", "exact", "pencil 2", "seed 7", "by hand"):
        assert word in text


def test_command_fails_with_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run(monkeypatch, made(2.0), arguments=("--json",))
    assert code == 1
    (record,) = json.loads(text)
    assert record["passed"] is False
    assert record["source"] == "a book"


def test_a_check_that_stops_is_a_failed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(setting: Setting) -> Check:
        raise SimulationError("the engine stopped")

    monkeypatch.setattr(check, "available", lambda: {"bad": stops, "good": lambda setting: made(1.0)})
    found = list(check.run(["bad", "good"], Setting()))
    assert [one.passed for one in found] == [False, True]
    assert found[0].note == "the engine stopped"


def test_unknown_check_is_wrong_use() -> None:
    found = CliRunner().invoke(main, ["validate", "--only", "nonsense"])
    assert found.exit_code == 2
    assert "wca-density" in found.stderr
    assert CliRunner().invoke(main, ["validate", "--list"]).stdout.splitlines() == list(check.available())
