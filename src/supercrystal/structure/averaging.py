"""Positions averaged over successive frames, so that crystals hotter than labels bear can be named.

The mean over M frames of a particle that vibrates about a place has √M less noise if the frames are farther apart than
its vibrations last. Displacements are taken from frame to frame by the nearest image, in fractional coordinates, so that
a box that changes from frame to frame carries its particles along, and less the median displacement of all particles,
so that a drift of the whole does not smear it. They are applied to the last frame, which is the one that is described.

A particle that diffuses has no place. It is left where it is in the last frame and marked as mobile: one whose root mean
square distance from its mean position is above half the distance of neighbours, beyond which it is nearer to a
neighbour's place than to its own. The mean hides what happens within the window, so it should be short against the time
in which the structure changes.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from supercrystal.box import edges
from supercrystal.errors import TrajectoryError
from supercrystal.structure.sample import sample
from supercrystal.structure.trajectory import Configuration, Trajectory

#: Root mean square distance from the mean, over the distance of neighbours, above which a particle is mobile. In five
#: frames with independent normal noise of 0.16 (0.20) of the shortest distance for each component at most 0.1 % (4 %) of
#: the particles of fcc, NaCl and MgZn2 are above it. One jump to a neighbour's place is, unless it is next to the first or
#: the last frame.
MOBILE = 0.5


@dataclass(frozen=True)
class Averaged:
    """Mean positions over some frames.

    Args:
        configuration: the last of these frames, with mean positions; all else is of that frame, orientations too.
        mobile: (N,) whether a particle is left where it is in that frame, because it has no place.
        spread: (N,) root mean square distance of each particle from its mean position [length].
        frames: numbers of the frames.
        spacing: distance of neighbours in the last frame [length].
    """

    configuration: Configuration
    mobile: NDArray[np.bool_]
    spread: NDArray[np.float64]
    frames: tuple[int, ...]
    spacing: float

    @property
    def noise(self) -> float:
        """Displacement for one component over the distance of neighbours, root mean square of all that are not mobile.

        NaN for a single frame.
        """
        if len(self.frames) < 2 or self.mobile.all():
            return float("nan")
        return float(np.sqrt(np.mean(self.spread[~self.mobile] ** 2) / 3)) / self.spacing


def window(count: int, frame: SupportsIndex, frames: SupportsIndex, every: SupportsIndex = 1) -> range:
    """Numbers of the frames to average for one frame: that one and those before it.

    Args:
        count: frames of the trajectory.
        frame: the last one; negative numbers count from the end.
        frames: how many, M ≥ 1.
        every: distance of two of them, ≥ 1.

    Raises:
        TrajectoryError: numbers that are not whole or out of these limits, no such frame, or too few frames before it.

    >>> list(window(10, -1, 3)), list(window(10, 8, 3, every=4))
    ([7, 8, 9], [0, 4, 8])
    """
    try:
        last, m, step = operator.index(frame), operator.index(frames), operator.index(every)
    except TypeError:
        raise TrajectoryError(
            f"frames are whole numbers; got frame {frame!r}, {frames!r} frames, every {every!r}"
        ) from None
    if m < 1 or step < 1:
        raise TrajectoryError(
            f"an average is over one frame or more, each 1 or more apart; got {m}, {step} apart"
        )
    last = last + count if last < 0 else last
    if not 0 <= last < count:
        raise TrajectoryError(
            f"no frame {operator.index(frame)}: allowed 0 to {count - 1}, or -{count} to -1"
        )
    if (m - 1) * step > last:
        raise TrajectoryError(
            f"an average over {m} frames, {step} apart, that ends with frame {last} needs {(m - 1) * step} "
            f"before it: average over at most {last // step + 1}, or end later; the trajectory has {count}"
        )
    return range(last - (m - 1) * step, last + 1, step)


def average(
    trajectory: Trajectory,
    frame: SupportsIndex = -1,
    frames: SupportsIndex = 5,
    every: SupportsIndex = 1,
    periodic: Sequence[bool] = (True, True, True),
) -> Averaged:
    """Average over frames of an open trajectory; arguments and errors as `window` and `average_of`."""
    chosen = window(len(trajectory), frame, frames, every)
    return average_of((trajectory.read(index) for index in reversed(chosen)), periodic)


def average_of(backwards: Iterable[Configuration], periodic: Sequence[bool] = (True, True, True)) -> Averaged:
    """Average positions over configurations of the same particles.

    Args:
        backwards: the last one first, so that only two need to be in memory; particles move less than half the box from
            one to the next.
        periodic: which box vectors repeat. Along the others lengths are compared, not fractions of the box: a file without
            boxes gets one around the particles of each frame.

    Raises:
        TrajectoryError: no configuration; other particles than in the last one; or as `sample.sample`.
    """
    order = iter(backwards)
    last = next(order, None)
    if last is None:
        raise TrajectoryError("an average is over one frame or more; got none")
    repeats = np.asarray(periodic, bool)
    matrix, spacing = _matrix(last.box), _spacing(last)
    before = _fractional(last, last, repeats)
    # All relative to the last frame, whose displacements are zero.
    moved, total, square = np.zeros((last.n, 3)), np.zeros((last.n, 3)), np.zeros(last.n)
    numbers = [last.index]
    for one in order:
        _same(last, one)
        now = _fractional(one, last, repeats)
        step = now - before
        step[:, repeats] -= np.rint(step[:, repeats])
        moved, before = moved + step - np.median(step, axis=0), now
        away = moved @ matrix
        total += away
        square += np.einsum("ij,ij->i", away, away)
        numbers.append(one.index)
    count = len(numbers)
    mean = total / count
    variance = np.maximum(square / count - np.einsum("ij,ij->i", mean, mean), 0)
    spread = np.sqrt(variance * count / max(count - 1, 1))
    mobile = spread > MOBILE * spacing
    fractional = (last.positions + np.where(mobile[:, None], 0.0, mean)) @ np.linalg.inv(matrix)
    fractional[:, repeats] -= np.rint(fractional[:, repeats])
    return Averaged(
        configuration=replace(last, positions=fractional @ matrix),
        mobile=mobile,
        spread=spread,
        frames=tuple(reversed(numbers)),
        spacing=spacing,
    )


def _matrix(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box vectors as rows; a flat box gets a height, which nothing moves along."""
    lx, ly, lz, xy, xz, yz = box
    return edges([lx, ly, lz or 1.0, xy, xz, yz])


def _spacing(last: Configuration) -> float:
    """Distance of neighbours: the median of the distances to the nearest eight, or six in the plane."""
    import freud

    if not last.flat:
        return sample(last.box, last.positions).first_shell
    count = min(6, last.n - 1)
    if count < 1:
        raise TrajectoryError("a particle alone has no neighbours by which to tell whether it moves")
    box = freud.box.Box(*last.box, is2D=True)
    bonds = freud.locality.AABBQuery(box, last.positions).query(
        last.positions, {"num_neighbors": count, "exclude_ii": True}
    )
    return float(np.median(bonds.toNeighborList().distances))


def _fractional(one: Configuration, last: Configuration, repeats: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Positions (N, 3) in box vectors, of those of the last frame where the box does not repeat."""
    vectors = np.where(repeats[:, None], _matrix(one.box), _matrix(last.box))
    return np.asarray(one.positions @ np.linalg.inv(vectors))


def _same(last: Configuration, one: Configuration) -> None:
    """Refuse other particles, or the same ones in another order."""
    where = f"frame {one.index} has other particles than frame {last.index}"
    advice = (
        "an average is over the same particles in the same order; leave out species that come and go with '-'"
    )
    if one.n != last.n:
        raise TrajectoryError(f"{where}: {one.n} and {last.n}; {advice}")
    changed = np.asarray(one.species)[one.kinds] != np.asarray(last.species)[last.kinds]
    if np.any(changed):
        raise TrajectoryError(f"{where}: {int(changed.sum())} are of another species; {advice}")
    if one.tags is not None and last.tags is not None and np.any(one.tags != last.tags):
        raise TrajectoryError(f"{where}: {int(np.sum(one.tags != last.tags))} have another number; {advice}")
    if one.flat != last.flat or np.any(one.box[:2] <= 0):
        raise TrajectoryError(
            f"the boxes of frames {one.index} and {last.index} are {one.box.tolist()} and {last.box.tolist()}: write the "
            "box with each frame"
        )
