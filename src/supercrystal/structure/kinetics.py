"""How phases change along a trajectory: fractions, largest grain, nucleation, growth, and what is stationary.

Times are only known as far as frames are apart: a nucleation time is the interval from the last frame without to the
first frame with a lasting grain, and nothing is extrapolated beyond the frames. What a trajectory shows says nothing on
how it was started: a crystal that was put in as a seed grows, but has no nucleation time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.labels import DISORDERED, phases
from supercrystal.structure.stationarity import Steady, slope, steady

if TYPE_CHECKING:
    from supercrystal.structure.naming import Named
    from supercrystal.structure.trajectory import Configuration

#: Phases that are counted together, as one crystal with stacking faults holds both.
TOGETHER: tuple[tuple[str, ...], ...] = (("fcc", "hcp"),)
#: Least size of a grain that has nucleated, in particles; chosen. Critical nuclei have some tens to hundreds.
NUCLEUS = 100
#: Frames in a row that a lasting grain may be missed for, if it was there for more frames before.
FLICKER = 1
#: Share of the frames at the end that say which phase is the final one.
FINAL = 0.25
#: Shares of the plateau between which growth is timed.
LEVELS = (0.1, 0.9)
#: Frames that a growth rate is fitted to, at least.
RATE_FRAMES = 4


@dataclass(frozen=True)
class History:
    """Phases over time.

    Args:
        time: (T,) increasing.
        unit: of the time.
        phases: names of the columns, ``"disordered"`` first.
        fractions: (T, P) share of the particles with the label of each phase.
        largest: (T, P) particles in the largest grain of each phase; sublattices in which others are disordered are none.
        grains: (T,) number of grains, sublattices left out.
    """

    time: NDArray[np.float64]
    unit: str
    phases: tuple[str, ...]
    fractions: NDArray[np.float64]
    largest: NDArray[np.intp]
    grains: NDArray[np.intp]

    def __post_init__(self) -> None:
        if not len(self.time):
            raise TrajectoryError("a history has one frame or more; got none")
        if not np.all(np.isfinite(self.time)) or np.any(np.diff(self.time) <= 0):
            raise TrajectoryError(
                "times of a history increase from frame to frame; where time steps do not, number the frames (`clock`)"
            )

    @property
    def largest_grain(self) -> NDArray[np.intp]:
        """(T,) particles in the largest grain, 0 without one."""
        return np.asarray(self.largest.max(axis=1), np.intp)

    @property
    def largest_phase(self) -> tuple[str, ...]:
        """(T,) phase of the largest grain, or ``"disordered"``."""
        return tuple(
            self.phases[int(np.argmax(row))] if row.max() > 0 else DISORDERED for row in self.largest
        )

    def of(self, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """(T,) fraction of some phases together, and (T,) their largest grain."""
        columns = [k for k, name in enumerate(self.phases) if name in names]
        if not columns:
            return np.zeros(len(self.time)), np.zeros(len(self.time), np.intp)
        return self.fractions[:, columns].sum(axis=1), self.largest[:, columns].max(axis=1)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "time": self.time.tolist(),
            "unit": self.unit,
            "fractions": {name: self.fractions[:, k].tolist() for k, name in enumerate(self.phases)},
            "largest_grain": {
                "particles": self.largest_grain.tolist(),
                "phase": list(self.largest_phase),
            },
            "grains": self.grains.tolist(),
        }


def clock(configurations: Iterable[Configuration]) -> tuple[NDArray[np.float64], str]:
    """Times of configurations and their unit: time steps, or frame numbers where the steps do not increase."""
    pairs = np.array([(one.step, one.index) for one in configurations], float).reshape(-1, 2)
    steps = pairs[:, 0]
    if len(steps) > 1 and np.all(np.diff(steps) > 0):
        return steps, "steps"
    return pairs[:, 1], "frames"


def history(frames: Iterable[tuple[float, Named]], unit: str = "steps") -> History:
    """Collect phases over time.

    Args:
        frames: (time, what the frame is), times increasing; one after the other, so that a generator needs little memory.
        unit: of the time.

    Raises:
        TrajectoryError: no frames, or times that do not increase.
    """
    times, grains = [], []
    shares: list[dict[str, float]] = []
    largest: list[dict[str, int]] = []
    for time, named in frames:
        times.append(float(time))
        shares.append(named.fractions())
        sizes: dict[str, int] = {}
        for grain in named.crystals:
            sizes[grain.phase] = max(sizes.get(grain.phase, 0), grain.n)
        largest.append(sizes)
        grains.append(len(named.crystals))
    met = {name for row in shares for name in row} | {name for sizes in largest for name in sizes}
    names = tuple(name for name in phases() if name in met or name == DISORDERED)
    return History(
        time=np.array(times),
        unit=unit,
        phases=names,
        fractions=np.array([[row.get(name, 0.0) for name in names] for row in shares]).reshape(
            -1, len(names)
        ),
        largest=np.array([[row.get(name, 0) for name in names] for row in largest], np.intp).reshape(
            -1, len(names)
        ),
        grains=np.array(grains, np.intp),
    )


# ---------------------------------------------------------------------------------------------------------- stationarity


@dataclass(frozen=True)
class Interval:
    """Two times between which something happened."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Between the two."""
        return (self.low + self.high) / 2


def lasting(above: ArrayLike, flicker: int = FLICKER) -> NDArray[np.bool_]:
    """Whether something is there, short gaps filled: up to `flicker` frames after more than `flicker` frames with it.

    >>> lasting([False, True, False, True, True, False, True]).astype(int).tolist()
    [0, 1, 0, 1, 1, 1, 1]
    """
    found = np.array(above, bool)
    edges = [0, *(np.flatnonzero(np.diff(found)) + 1).tolist(), len(found)]
    run = 0
    for first, last in pairwise(edges):
        if found[first]:
            run += last - first
        elif run > flicker and last - first <= flicker:
            found[first:last] = True
            run += last - first
        else:
            run = 0
    return found


def onset(time: ArrayLike, above: ArrayLike, flicker: int = FLICKER) -> tuple[Interval | None, str]:
    """When something came to stay: the last frame without it and the next one, and a remark.

    Args:
        time: (T,).
        above: (T,) whether it is there.
        flicker: as `lasting`.

    Returns:
        None with the reason where it is there from the first frame or not at the end; else the interval and an empty
        text, or a warning.
    """
    t, there = np.asarray(time, float), lasting(above, flicker)
    if there.all():
        return None, "there from the first frame"
    if not there[-1]:
        return None, "not there at the end" if there.any() else "never there"
    first = int(np.flatnonzero(~there)[-1]) + 1
    left = len(t) - first
    return Interval(float(t[first - 1]), float(t[first])), (
        "seen only in the last frame" if left == 1 else ""
    )


def crossing(time: ArrayLike, values: ArrayLike, level: float, flicker: int = FLICKER) -> Interval | None:
    """When a series rose above a level for good: from the frame before it was first above to the first that stays above.

    None where it is above from the first frame, or not at the end.
    """
    t, above = np.asarray(time, float), np.asarray(values, float) >= level
    there = lasting(above, flicker)
    if there[0] or not there[-1]:
        return None
    return Interval(
        float(t[max(int(np.argmax(above)) - 1, 0)]), float(t[int(np.flatnonzero(~there)[-1]) + 1])
    )


@dataclass(frozen=True)
class Kinetics:
    """How the final phase came about.

    Args:
        phase: the phase with the largest grains at the end, or ``"disordered"``.
        counted: phases that are counted as it.
        threshold: particles of a grain that has nucleated.
        nucleation: last frame without, first frame with a grain of it that stays.
        nucleation_note: why there is none, or what to know.
        nucleation_range: the same from half the threshold to twice the threshold: how much the choice matters.
        rise: when its fraction rose above 10 % and above 90 % of the plateau.
        growth: shortest and longest time between the two that the frames allow.
        growth_note: why there is none, or what to know.
        rate: slope of its fraction against time within `rate_window`.
        rate_error: its standard error.
        rate_window: from 10 % to 90 %, or as far as the frames go.
        plateau: the end of its fraction.
        fractions: the end of each phase's fraction.
        unit: of time.
    """

    phase: str
    counted: tuple[str, ...]
    threshold: int
    nucleation: Interval | None
    nucleation_note: str
    nucleation_range: Interval | None
    rise: tuple[Interval | None, Interval | None]
    growth: Interval | None
    growth_note: str
    rate: float | None
    rate_error: float | None
    rate_window: Interval | None
    plateau: Steady
    fractions: dict[str, Steady]
    unit: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""

        def pair(interval: Interval | None) -> list[float] | None:
            return None if interval is None else [interval.low, interval.high]

        return {
            "phase": self.phase,
            "counted": list(self.counted),
            "unit": self.unit,
            "nucleation": {
                "interval": pair(self.nucleation),
                "note": self.nucleation_note,
                "threshold_particles": self.threshold,
                "interval_half_to_twice_threshold": pair(self.nucleation_range),
            },
            "growth": {
                "time": None
                if self.growth is None or None in self.rise
                else self.rise[1].middle - self.rise[0].middle,  # type: ignore[union-attr]
                "interval": pair(self.growth),
                "above_10_percent": pair(self.rise[0]),
                "above_90_percent": pair(self.rise[1]),
                "note": self.growth_note,
                "rate": self.rate,
                "rate_error": self.rate_error,
                "rate_window": pair(self.rate_window),
            },
            "plateau": self.plateau.to_dict(),
            "fractions": {name: one.to_dict() for name, one in self.fractions.items()},
        }


def final_phase(found: History) -> tuple[str, tuple[str, ...]]:
    """Phase with the largest grain in the last quarter of the frames, by the median, and the phases counted as it."""
    first = math.floor(len(found.time) * (1 - FINAL))
    groups = [
        *(tuple(name for name in group if name in found.phases) for group in TOGETHER),
        *((name,) for name in found.phases if not any(name in group for group in TOGETHER)),
    ]
    sizes = [float(np.median(found.of(group)[1][first:])) for group in groups]
    best = int(np.argmax(sizes))
    if sizes[best] == 0:
        return DISORDERED, (DISORDERED,)
    group = groups[best]
    return max(group, key=lambda name: float(found.of([name])[1][first:].sum())), group


def kinetics(found: History, threshold: int = NUCLEUS, flicker: int = FLICKER) -> Kinetics:
    """Nucleation, growth and plateau of the final phase, and which fractions are stationary.

    Args:
        found: phases over time.
        threshold: least particles of a grain that has nucleated.
        flicker: frames in a row for which a lasting grain may be missed.

    Raises:
        TrajectoryError: a threshold below 1, or a negative number of frames.
    """
    if threshold < 1 or flicker < 0:
        raise TrajectoryError(
            f"a nucleus has 1 particle or more and may be missed for 0 frames or more; got {threshold} and {flicker}"
        )
    t = found.time
    phase, counted = final_phase(found)
    fraction, largest = found.of(counted)
    plateau = steady(t, fraction)
    fractions = {name: steady(t, found.fractions[:, k]) for k, name in enumerate(found.phases)}
    common: dict[str, Any] = {
        "phase": phase, "counted": counted, "threshold": threshold, "plateau": plateau,
        "fractions": fractions, "unit": found.unit,
    }  # fmt: skip
    if phase == DISORDERED:
        return Kinetics(
            **common, nucleation=None, nucleation_note="no crystal at the end", nucleation_range=None,
            rise=(None, None), growth=None, growth_note="no crystal at the end", rate=None, rate_error=None,
            rate_window=None,
        )  # fmt: skip
    nucleation, note = onset(t, largest >= threshold, flicker)
    early = onset(t, largest >= max(threshold // 2, 1), flicker)[0]
    late = onset(t, largest >= 2 * threshold, flicker)[0]
    spread = None if nucleation is None or early is None or late is None else Interval(early.low, late.high)

    rise: tuple[Interval | None, Interval | None] = (None, None)
    growth, remark = None, ""
    if plateau.stationary is False:
        remark = "its fraction still changes at the end: no plateau"
    else:
        rise = (
            crossing(t, fraction, LEVELS[0] * plateau.mean, flicker),
            crossing(t, fraction, LEVELS[1] * plateau.mean, flicker),
        )
        if fraction[0] >= LEVELS[0] * plateau.mean:
            remark = "more than 10 % of the plateau in the first frame"
        elif rise[0] is None or rise[1] is None:
            remark = "fluctuates across 90 % of the plateau until the end"
        else:
            growth = Interval(max(rise[1].low - rise[0].high, 0.0), rise[1].high - rise[0].low)
            remark = (
                "" if plateau.stationary else "too few independent frames to tell whether the plateau is one"
            )
    window = _growing(found, nucleation, rise, fraction, plateau)
    rate = error = None
    if window is not None:
        inside = (t >= window.low) & (t <= window.high)
        if inside.sum() >= RATE_FRAMES:
            rate, error, _ = slope(t[inside], fraction[inside])
        else:
            window = None
    return Kinetics(
        **common, nucleation=nucleation, nucleation_note=note, nucleation_range=spread, rise=rise, growth=growth,
        growth_note=remark, rate=rate, rate_error=error, rate_window=window,
    )  # fmt: skip


def _growing(
    found: History,
    nucleation: Interval | None,
    rise: tuple[Interval | None, Interval | None],
    fraction: NDArray[np.float64],
    plateau: Steady,
) -> Interval | None:
    """Frames in which the phase grows: between 10 and 90 % of the plateau, from the nucleus on or to the end without."""
    t = found.time
    if plateau.stationary is not False and fraction[0] >= LEVELS[1] * plateau.mean:
        return None
    low = rise[0] or nucleation
    first = float(t[0]) if low is None else low.low
    last = float(t[-1]) if rise[1] is None else rise[1].high
    return Interval(first, last)
