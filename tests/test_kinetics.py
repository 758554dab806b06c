from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure import kinetics, stationarity
from supercrystal.structure.kinetics import History, Interval
from supercrystal.structure.naming import name
from supercrystal.structure.trajectory import Configuration
from tests.validation.md_runs import Simulation, lattice, lennard_jones

N = 2000


def _history(
    fraction: NDArray, largest: NDArray | None = None, step: float = 10.0, phase: str = "NaCl"
) -> History:
    f = np.asarray(fraction, float)
    grain = np.rint(f * N).astype(int) if largest is None else np.asarray(largest, int)
    return History(
        time=step * np.arange(len(f)),
        unit="steps",
        phases=("disordered", phase),
        fractions=np.column_stack([1 - f, f]),
        largest=np.column_stack([np.zeros(len(f), int), grain]),
        grains=(grain > 0).astype(int),
    )


def _logistic(frames: int = 120, middle: float = 40.0, width: float = 5.0, top: float = 0.9) -> NDArray:
    return top / (1 + np.exp(-(np.arange(frames) - middle) / width))


def _autoregression(n: int, tau: float, rng: np.random.Generator) -> NDArray:
    kept = np.exp(-1 / tau) if tau else 0.0
    x = [rng.normal()]
    for _ in range(n - 1):
        x.append(kept * x[-1] + (1 - kept**2) ** 0.5 * rng.normal())
    return np.array(x)


# ------------------------------------------------------------------------------------------------------ history


def _named(fractions: dict[str, float], grains: list[tuple[str, int]]) -> Any:
    made = tuple(SimpleNamespace(phase=phase, n=n) for phase, n in grains)
    return SimpleNamespace(fractions=lambda: fractions, crystals=made)


def test_history_collects_phases_in_the_order_of_the_catalogue() -> None:
    frames = [
        (0, _named({"disordered": 1.0}, [])),
        (5, _named({"disordered": 0.5, "hcp": 0.2, "fcc": 0.3}, [("fcc", 90), ("fcc", 70), ("hcp", 60)])),
        (9, _named({"disordered": 0.1, "fcc": 0.9}, [("fcc", 300)])),
    ]
    found = kinetics.history(iter(frames), "ps")
    assert found.phases == ("disordered", "fcc", "hcp")
    assert found.fractions.tolist() == [[1, 0, 0], [0.5, 0.3, 0.2], [0.1, 0.9, 0]]
    assert found.largest.tolist() == [[0, 0, 0], [0, 90, 60], [0, 300, 0]]
    assert found.largest_phase == ("disordered", "fcc", "fcc")
    assert found.grains.tolist() == [0, 3, 1]
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["largest_grain"]["particles"] == [
        0,
        90,
        300,
    ]


@pytest.mark.parametrize("times", [[], [0, 0], [1, 0], [0, np.nan]])
def test_times_that_do_not_increase_are_refused(times: list[float]) -> None:
    with pytest.raises(TrajectoryError, match=r"got none|increase"):
        kinetics.history([(t, _named({"disordered": 1.0}, [])) for t in times])


def test_clock_takes_steps_where_they_increase() -> None:
    def made(steps: list[int]) -> list[Configuration]:
        return [
            Configuration(10 * k, np.ones(6), np.zeros((1, 3)), np.zeros(1, np.intp), ("A",), step=s)
            for k, s in enumerate(steps)
        ]

    assert kinetics.clock(made([5, 7, 20]))[0].tolist() == [5, 7, 20]
    assert kinetics.clock(made([5, 7, 20]))[1] == "steps"
    times, unit = kinetics.clock(made([0, 0, 0]))
    assert (times.tolist(), unit) == ([0, 10, 20], "frames")


# ------------------------------------------------------------------------------------------------- stationarity


@pytest.mark.parametrize("tau", [0.0, 1.0, 3.0, 10.0])
def test_correlation_time_of_an_autoregression(tau: float) -> None:
    rng = np.random.default_rng(3)
    kept = np.exp(-1 / tau) if tau else 0.0
    found = np.mean([stationarity.correlation_time(_autoregression(4000, tau, rng)) for _ in range(20)])
    assert found == pytest.approx(0.5 * (1 + kept) / (1 - kept), rel=0.15)


def test_constant_series_are_not_correlated() -> None:
    assert stationarity.correlation_time(np.ones(50)) == 0.5
    found = stationarity.steady(np.arange(50), np.full(50, 0.3))
    assert (found.stationary, found.error, found.mean) == (True, 0.0, pytest.approx(0.3))


@pytest.mark.parametrize("tau", [0.0, 1.0, 3.0])
def test_errors_of_means_and_slopes_are_honest(tau: float) -> None:
    rng = np.random.default_rng(11)
    means, slopes, steady = [], [], []
    for _ in range(300):
        x = _autoregression(300, tau, rng)
        found = stationarity.steady(np.arange(300), x, (0.5,))
        steady.append(found.stationary)
        if found.error:
            means.append(found.mean / found.error)
        rate, error, _ = stationarity.slope(np.arange(300), x)
        slopes.append(rate / error)
    assert 0.85 < np.std(means) < 1.25
    assert 0.75 < np.std(slopes) < 1.25
    assert np.mean([one is False for one in steady]) < 0.12


def test_a_trend_is_seen_and_has_no_mean() -> None:
    rng = np.random.default_rng(2)
    x = 0.002 * np.arange(200) + 0.02 * _autoregression(200, 1.0, rng)
    found = stationarity.steady(np.arange(200), x)
    assert found.stationary is False
    assert found.error is None
    assert found.trend == pytest.approx(0.002 * 99, rel=0.2)


def test_few_or_slow_frames_leave_it_open() -> None:
    assert stationarity.steady([0], [0.4]).stationary is None
    assert stationarity.steady(np.arange(6), np.arange(6)).stationary is None
    slow = np.sin(np.arange(40) / 12)
    assert stationarity.steady(np.arange(40), slow).stationary is not True
    json.dumps(stationarity.steady([0], [0.4]).to_dict(), allow_nan=False)


def test_growth_at_the_beginning_of_the_end_is_cut_off() -> None:
    rng = np.random.default_rng(4)
    x = _logistic(120, middle=62) + rng.normal(0, 0.005, 120)
    found = stationarity.steady(np.arange(120), x)
    assert found.stationary is True
    assert found.start >= 80
    assert found.mean == pytest.approx(0.9, abs=0.006)


# --------------------------------------------------------------------------------------------------- nucleation


@pytest.mark.parametrize(
    ("size", "expected", "note"),
    [
        ([0, 0, 150, 200, 300], (10, 20), ""),
        ([0, 150, 0, 0, 150, 200], (30, 40), ""),  # a fluctuation that melts
        ([0, 150, 0, 150, 200, 250], (20, 30), ""),  # seen once, then not: not a gap in something lasting
        ([0, 150, 180, 0, 200, 250], (0, 10), ""),  # one frame missed
        ([0, 150, 180, 0, 0, 200, 250], (40, 50), ""),  # two frames missed are too many
        ([0, 0, 150, 180, 200, 0], (10, 20), ""),  # missed at the end
        ([150, 160, 170], None, "there from the first frame"),
        ([150, 160, 0, 170], None, "there from the first frame"),
        ([0, 0, 0, 0], None, "never there"),
        ([0, 200, 200, 0, 0], None, "not there at the end"),
        ([0, 0, 0, 200], (20, 30), "seen only in the last frame"),
        ([200], None, "there from the first frame"),
        ([0], None, "never there"),
    ],
)
def test_nucleation_is_the_interval_before_what_lasts(size: list[int], expected: Any, note: str) -> None:
    time = 10 * np.arange(len(size))
    found, said = kinetics.onset(time, np.array(size) >= 100)
    assert found == (None if expected is None else Interval(*expected))
    assert said == note


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60))
@settings(max_examples=200)
def test_nucleation_is_between_neighbouring_frames_and_later_for_larger_grains(size: list[int]) -> None:
    time = np.arange(len(size)) * 7.0
    small = kinetics.onset(time, np.array(size) >= 50, 0)[0]
    large = kinetics.onset(time, np.array(size) >= 200, 0)[0]
    if small is not None:
        assert small.high - small.low == 7
        after = size[round(small.high / 7) :]
        assert min(after) >= 50 > size[round(small.low / 7)]
    if small is not None and large is not None:
        assert large.low >= small.low


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 3))
def test_filling_gaps_only_adds_and_is_done_once(above: list[bool], flicker: int) -> None:
    filled = kinetics.lasting(above, flicker)
    assert np.all(filled >= np.array(above))
    assert np.array_equal(kinetics.lasting(filled, flicker), filled)
    assert kinetics.lasting(above, 0).tolist() == above


@given(st.integers(10, 80), st.floats(2, 6), st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_known_growth_is_found_in_noise(middle: int, width: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean = _logistic(200, middle + 20, width)
    found = kinetics.kinetics(_history(clean + rng.normal(0, 0.004, 200)))
    assert (found.phase, found.counted) == ("NaCl", ("NaCl",))
    # 100 of 2,000 particles are 0.05; noise moves the crossing by a frame or so.
    nucleus = 10 * (middle + 20 - width * np.log(0.9 / 0.05 - 1))
    assert found.nucleation is not None
    assert found.nucleation.low - 15 <= nucleus <= found.nucleation.high + 15
    assert found.nucleation_range is not None
    assert (
        found.nucleation_range.low
        <= found.nucleation.low
        < found.nucleation.high
        <= found.nucleation_range.high
    )
    if found.growth is not None:
        assert found.growth.low - 12 <= 10 * width * 2 * np.log(9) <= found.growth.high + 12


def test_flicker_of_the_naming_changes_nothing() -> None:
    clean = _logistic()
    largest = np.rint(clean * N).astype(int)
    once = kinetics.kinetics(_history(clean, largest))
    missed = largest.copy()
    missed[[50, 70, 90, 119]] = 0
    assert kinetics.kinetics(_history(clean, missed)).nucleation == once.nucleation
    early = largest.copy()
    early[[3, 9]] = 180
    assert kinetics.kinetics(_history(clean, early)).nucleation == once.nucleation


def test_growth_has_the_known_rate_and_a_fair_error() -> None:
    ratios, rates = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        ramp = np.clip((np.arange(160) - 30) / 50, 0, 1) * 0.9 + rng.normal(0, 0.01, 160)
        found = kinetics.kinetics(_history(ramp))
        assert found.rate is not None
        assert found.rate_error is not None
        rates.append(found.rate)
        ratios.append((found.rate - 0.9 / 500) / found.rate_error)
    # Frames at both ends of the window are picked by their noise.
    assert np.mean(rates) == pytest.approx(0.9 / 500, rel=0.03)
    assert 0.5 < np.std(ratios) < 1.7


def test_a_crystal_that_was_there_has_no_nucleation() -> None:
    found = kinetics.kinetics(_history(np.linspace(0.2, 0.9, 40)))
    assert found.nucleation is None
    assert found.nucleation_note == "there from the first frame"
    assert found.growth is None
    assert found.growth_note == "its fraction still changes at the end: no plateau"
    assert found.rate == pytest.approx(0.7 / 390)


def test_a_liquid_has_nothing() -> None:
    largest = np.zeros(40, int)
    largest[[5, 20, 35]] = 60
    found = kinetics.kinetics(_history(largest / N, largest))
    assert (found.phase, found.nucleation, found.rate, found.growth) == ("disordered", None, None, None)
    assert (
        json.loads(json.dumps(found.to_dict(), allow_nan=False))["nucleation"]["note"]
        == "no crystal at the end"
    )


def test_a_crystal_that_stays_does_not_grow() -> None:
    rng = np.random.default_rng(1)
    found = kinetics.kinetics(_history(0.9 + rng.normal(0, 0.01, 60)))
    assert found.plateau.stationary is True
    assert found.plateau.error == pytest.approx(0.01 / 30**0.5, rel=0.5)
    assert (found.rate, found.growth, found.nucleation) == (None, None, None)


def test_stacking_faults_count_as_one_crystal() -> None:
    f = _logistic()
    swap = (np.arange(120) // 10) % 2
    largest = np.rint(f * N).astype(int)
    made = History(
        10.0 * np.arange(120),
        "steps",
        ("disordered", "fcc", "hcp"),
        np.column_stack([1 - f, f * swap, f * (1 - swap)]),
        np.column_stack([0 * largest, largest * swap, largest * (1 - swap)]),
        np.ones(120, int),
    )
    found = kinetics.kinetics(made)
    assert found.counted == ("fcc", "hcp")
    assert found.nucleation == kinetics.kinetics(_history(f)).nucleation
    assert found.growth == kinetics.kinetics(_history(f)).growth


def test_two_frames_and_one() -> None:
    for frames in (1, 2):
        found = kinetics.kinetics(_history(np.linspace(0.0 if frames == 2 else 0.5, 0.5, frames)))
        json.dumps(found.to_dict(), allow_nan=False)
        assert found.rate is None
    assert found.nucleation == Interval(0, 10)
    assert found.nucleation_note == "seen only in the last frame"


@pytest.mark.parametrize("arguments", [{"threshold": 0}, {"flicker": -1}])
def test_thresholds_out_of_range_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(TrajectoryError, match="1 particle or more"):
        kinetics.kinetics(_history(_logistic()), **arguments)


# ------------------------------------------------------------------------------------------------------ real growth


def solid_shares(box: NDArray, frames: NDArray) -> NDArray:
    """Share of solid-like particles: 7 of 12 neighbours of like q6. None of the code that names phases is used."""
    import freud

    order = freud.order.SolidLiquid(6, q_threshold=0.6, solid_threshold=7)
    shares = []
    for x in frames:
        order.compute((freud.Box(*box), x), neighbors={"num_neighbors": 12})
        shares.append(np.mean(order.num_connections >= 7))
    return np.array(shares)


@pytest.mark.slow
def test_a_seeded_crystal_grows_in_its_undercooled_liquid() -> None:
    a, kT, every, steps = (4 / 0.96) ** (1 / 3), 0.5, 300, 7200
    box, sites, kinds, species = lattice("fcc", {"a": a}, (5, 5, 11))
    run = Simulation(box, sites, kinds, lennard_jones((1.0,)), timestep=0.005, seed=11)
    run.do(f"region slab block INF INF INF INF {-a} {a} units box", "group seed region slab")
    run.do("group rest subtract all seed")
    run.equilibrate(2.5, 1000, "rest")
    run.equilibrate(kT, 300, "rest", hot=2.5)
    run.velocities(kT)
    frames, _ = run.produce(kT, steps, every)
    named = (
        (k * every * 0.005, name(Configuration(k, box, x, kinds, species))) for k, x in enumerate(frames)
    )
    history = kinetics.history(named, "LJ times")
    found = kinetics.kinetics(history)
    solid = solid_shares(box, frames)
    assert found.phase == "fcc"
    # The seed was put in: it grows, but it did not nucleate.
    assert found.nucleation is None
    assert found.nucleation_note == "there from the first frame"
    assert history.largest_grain[0] > 150
    assert history.largest_grain[-1] > 0.9 * len(kinds)
    assert found.rise[1] is not None
    assert found.rate is not None
    assert found.rate_error is not None
    assert found.rate_window is not None
    assert found.rate > 5 * found.rate_error
    inside = (history.time >= found.rate_window.low) & (history.time <= found.rate_window.high)
    other, error, _ = stationarity.slope(history.time[inside], solid[inside])
    assert found.rate == pytest.approx(other, abs=3 * np.hypot(found.rate_error, error))
    # The crystal is there no later than the last particles look solid, give or take three frames.
    whole = history.time[np.argmax(solid > 0.9 * solid[-1])]
    assert found.rise[1].low - 4.5 <= whole <= found.rise[1].high + 4.5
