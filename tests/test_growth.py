from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal import growth
from supercrystal.protocols import seeding


def made(counts: np.ndarray, shape: growth.Shape = "slab", total: int = 1000) -> growth.History:
    boxes = np.tile([5.0, 4.0, 20.0], (len(counts), 1))
    return growth.history(shape, np.linspace(0, 10, len(counts)), counts, boxes, total)


@given(st.floats(-20, 20), st.integers(0, 100))
def test_speed_of_a_slab_that_moves_at_a_known_speed(per_time: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 5, 200)
    found = growth.rate(made(500 + per_time * np.linspace(0, 10, 200) + noise))
    assert found.per_time is not None
    assert found.per_time_error is not None
    assert found.velocity is not None
    assert abs(found.per_time - per_time) < 6 * found.per_time_error
    # 1000 particles in 400 nm³, two fronts of 20 nm²
    assert found.velocity == pytest.approx(found.per_time / (2 * 20 * 2.5))


@given(st.floats(-0.1, 0.2))
def test_speed_of_a_ball(velocity: float) -> None:
    radius = 3 + velocity * np.linspace(0, 10, 100)
    count = 4 / 3 * np.pi * radius**3 * 2.5
    found = growth.rate(made(count, "ball"))
    if found.velocity is not None and found.frames == 90:
        assert found.velocity == pytest.approx(velocity, abs=1e-9)


@pytest.mark.parametrize(
    ("end", "verdict"),
    [(1000, "grew"), (800, "grew"), (505, "undecided"), (495, "undecided"), (200, "melted"), (0, "melted")],
)
def test_verdicts(end: float, verdict: str) -> None:
    noise = np.random.default_rng(5).normal(0, 8, 100)
    found = growth.rate(made(np.clip(np.linspace(500, end, 100) + noise, 0, 1000)))
    assert found.verdict == verdict


def test_a_front_that_crosses_between_two_frames_has_a_verdict_and_no_speed() -> None:
    found = growth.rate(made(np.array([500.0] + [1000.0] * 9)))
    assert found.verdict == "grew"
    assert found.velocity is None


def test_noise_alone_is_undecided() -> None:
    rng = np.random.default_rng(2)
    found = [growth.rate(made(500 + np.cumsum(rng.normal(0, 1, 100)))).verdict for _ in range(50)]
    assert set(found) == {"undecided"}


def test_crystal_and_melt_are_told_apart_with_size_classes() -> None:
    frame = seeding.crystal("fcc", 1.0, (5, 5, 10), {"a": 1.0}, {"A": "X"})
    frame = seeding.spread(frame, {"X": ["X", "X:1"]}, np.random.default_rng(1))
    seed = seeding.slab(frame, (5, 5, 10), 0.5)
    rng = np.random.default_rng(0)
    x = np.asarray(frame.particles.position, float)
    x = x + np.where(seed[:, None], 0.04, 0.5) * rng.normal(size=x.shape)
    frame.particles.position = x
    found = growth.crystalline(frame, "fcc")
    inside = ~seeding.far_from_seed(frame, ~seed, 2.0)
    assert found[seed & ~inside].mean() > 0.95
    assert found[~seed].mean() < 0.1
    assert growth.crystalline(frame, "bcc").mean() < 0.05


def test_compounds() -> None:
    cells = seeding.repeats("NaCl", {"a": 1.0}, 1000)
    frame = seeding.crystal("NaCl", 1.0, cells, {"a": 1.0})
    frame.particles.position = np.asarray(frame.particles.position) + 0.02 * np.random.default_rng(0).normal(
        size=(frame.particles.N, 3)
    )
    assert growth.crystalline(frame, "NaCl").mean() > 0.95


def test_means_over_runs() -> None:
    assert growth.mean([(None, None)]) is None
    assert growth.mean([(1.0, 0.1)]) == growth.Mean(1.0, 0.1, 1)
    assert growth.overall(["melted", "melted", "melted"]) == "melted"
