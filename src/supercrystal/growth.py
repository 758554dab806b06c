"""How fast a seed grows or melts: its crystalline particles counted in time, and the speed of the front.

A particle is crystalline by its order parameters (`structure.order`, `structure.naming`); fcc and hcp are one close-packed
crystal. Between two crystals and their melt the count changes as the fronts move:

- a slab has two fronts of area A, so ``v = (dN/dt) / (2 A ρ)``;
- a ball of N particles has the radius ``R = (3 N / 4πρ)^(1/3)``, and ``v = dR/dt``.

ρ is the number density of the whole cell, from which that of the crystal differs by a few per cent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.structure.stationarity import slope
from supercrystal.system import species

if TYPE_CHECKING:
    import gsd.hoomd

Shape = Literal["slab", "ball"]
Verdict = Literal["grew", "melted", "undecided"]

SEEDED = (
    "Seeded: the crystal was put in. That it grows shows it to be favoured over the melt here, not over other crystals; "
    "seeds of several phases may grow under the same conditions, which ranks none of them (supercrystal relax does)."
)

#: A front is followed while this share of all particles is crystalline: outside of it the fronts meet or are gone.
FOLLOWED = (0.1, 0.9)
#: Share of the frames at the start in which the contact between crystal and melt forms; not part of the rate.
SETTLING = 0.1
#: A rate is given from this many frames on.
FEWEST_FRAMES = 5
#: A seed grew or melted if its rate differs from zero by this many standard errors and this share of all particles
#: changed, or if nothing of the melt or of the crystal is left.
ERRORS = 3.0
CHANGED = 0.1


def crystalline(frame: gsd.hoomd.Frame, phase: str) -> NDArray[np.bool_]:
    """Which particles (N,) of a periodic frame belong to a crystal of the phase.

    Args:
        frame: box, positions, types; size classes count as their species.
        phase: a name of the catalogue that structure analysis recognises.
    """
    from supercrystal.structure import order
    from supercrystal.structure.labels import phases
    from supercrystal.structure.naming import name
    from supercrystal.structure.trajectory import Configuration

    box = np.asarray(frame.configuration.box, float)
    positions = np.asarray(frame.particles.position, float)
    # Types that no particle has, those of beads, are no species.
    present = [frame.particles.types[kind] for kind in np.unique(frame.particles.typeid)]
    names = sorted({species(kind) for kind in present})
    if phase in order.PHASES:
        labels = order.label(box, positions)
        wanted = order.CLOSE_PACKED if phase in order.CLOSE_PACKED else (phase,)
        found: NDArray[np.bool_] = np.isin(labels.phase, [order.PHASES.index(one) for one in wanted])
        return found
    number = {kind: names.index(species(kind)) for kind in present}
    kinds = np.array([number.get(kind, 0) for kind in frame.particles.types])[frame.particles.typeid]
    sizes = None if frame.particles.diameter is None else np.asarray(frame.particles.diameter, float)
    configuration = Configuration(
        int(frame.configuration.step or 0), box, positions, kinds.astype(np.intp), tuple(names), sizes
    )
    of_phase: NDArray[np.bool_] = name(configuration).labels == phases().index(phase)
    return of_phase


@dataclass(frozen=True)
class History:
    """Crystalline particles of one seeded run.

    Args:
        shape: of the seed.
        total: particles in the cell.
        time: (T,) since the release [τ_B].
        count: (T,) crystalline particles.
        area: (T,) cross-section of the cell [nm²].
        volume: (T,) of the cell [nm³].
    """

    shape: Shape
    total: int
    time: NDArray[np.float64]
    count: NDArray[np.float64]
    area: NDArray[np.float64]
    volume: NDArray[np.float64]

    @property
    def share(self) -> NDArray[np.float64]:
        """Crystalline share of all particles (T,)."""
        return self.count / self.total


@dataclass(frozen=True)
class Rate:
    """What became of one seed.

    Args:
        verdict: of this run.
        start: crystalline share when released.
        end: mean of it over the last tenth of the frames.
        frames: over which the rate was taken.
        per_time: change of the number of crystalline particles [1/τ_B]; None where too few frames show a moving front.
        per_time_error: its standard error.
        velocity: of the front, > 0 where the crystal grows [nm/τ_B]; None as above.
        velocity_error: its standard error.
    """

    verdict: Verdict
    start: float
    end: float
    frames: int
    per_time: float | None
    per_time_error: float | None
    velocity: float | None
    velocity_error: float | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def _followed(share: NDArray[np.float64]) -> slice:
    """Frames from the end of settling until the share first leaves what is followed."""
    first = math.ceil(SETTLING * (len(share) - 1))
    outside = np.flatnonzero((share < FOLLOWED[0]) | (share > FOLLOWED[1]))
    later = outside[outside >= first]
    return slice(first, int(later[0]) if len(later) else len(share))


def rate(history: History) -> Rate:
    """Rate of growth of one run, with the error of a straight line through correlated points.

    Where a front has crossed the cell within so few frames that no rate can be told, only the verdict is given.
    """
    share = history.share
    start, end = float(share[0]), float(np.mean(share[-max(1, len(share) // 10) :]))
    part = _followed(share)
    time, count = history.time[part], history.count[part]
    numbers: list[float | None] = [None] * 4
    if len(time) >= FEWEST_FRAMES:
        density = history.total / history.volume[part]
        per_time, error, _ = slope(time, count)
        if history.shape == "slab":
            to_velocity = 1 / (2 * float(np.mean(history.area[part] * density)))
            velocity, velocity_error = per_time * to_velocity, error * to_velocity
        else:
            velocity, velocity_error, _ = slope(time, np.cbrt(3 * count / (4 * np.pi * density)))
        numbers = [per_time, error, velocity, velocity_error]
    decided: Verdict = "undecided"
    moving = numbers[0] is not None and numbers[1] is not None and abs(numbers[0]) > ERRORS * numbers[1]
    if end > FOLLOWED[1] and end > start:
        decided = "grew"
    elif end < FOLLOWED[0] and end < start:
        decided = "melted"
    elif moving and abs(end - start) > CHANGED and (end > start) == (numbers[0] > 0):  # type: ignore[operator]
        decided = "grew" if end > start else "melted"
    return Rate(decided, start, end, len(time), *numbers)


@dataclass(frozen=True)
class Mean:
    """A mean over runs with its standard error, None for a single one without an error of its own."""

    value: float
    error: float | None
    runs: int


def mean(values: Sequence[tuple[float | None, float | None]]) -> Mean | None:
    """Mean of rates of several runs; the error is that of their scatter, or the run's own if there is one.

    Args:
        values: (value, error) of each run; runs without a value are left out.

    >>> mean([(1.0, 0.5), (3.0, 0.5), (None, None)])
    Mean(value=2.0, error=1.0, runs=2)
    """
    known = [(value, error) for value, error in values if value is not None]
    if not known:
        return None
    if len(known) == 1:
        return Mean(known[0][0], known[0][1], 1)
    x = np.array([value for value, _ in known])
    return Mean(float(x.mean()), float(x.std(ddof=1) / math.sqrt(len(x))), len(x))


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """What all runs agree on; undecided where they do not.

    >>> overall(["grew", "grew"]), overall(["grew", "undecided"])
    ('grew', 'undecided')
    """
    return verdicts[0] if len(set(verdicts)) == 1 else "undecided"


def history(shape: Shape, times: ArrayLike, counts: ArrayLike, boxes: ArrayLike, total: int) -> History:
    """Collect a history from boxes (T, 6) or (T, 3) with sides first [nm]."""
    box = np.asarray(boxes, float)
    return History(
        shape,
        total,
        np.asarray(times, float),
        np.asarray(counts, float),
        box[:, 0] * box[:, 1],
        box[:, 0] * box[:, 1] * box[:, 2],
    )
