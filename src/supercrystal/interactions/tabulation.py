"""Pair potentials as tables for engines, with the error that the engine's interpolation makes, measured.

Two ways to interpolate are what the engines do:

- ``"linear"`` on a grid even in r, without the end: HOOMD-blue's ``md.pair.Table`` (energy and force each linear between
  points, zero at the cut);
- ``"spline"`` on a grid even in r², with the end: LAMMPS's ``pair_style table spline`` of a file with ``RSQ`` and
  ``FPRIME`` (cubic splines of U and F/r in r², with the slopes at both ends given).

Points are doubled until the largest error at the quarter points of every interval is below the tolerance. Where the
force has a kink inside the range the error falls only as the spacing. Doubling then ends at the cap, or earlier once the
root mean square of the force's error is below the tolerance: more points would then only leave the processor's cache.
The table says what was reached in any case.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError

if TYPE_CHECKING:
    from supercrystal.system import PairPotential

Interpolation = Literal["linear", "spline"]
Grid = Literal["r", "r2"]

#: Energy that a pair never has [kT]: Boltzmann's factor is 1e-130.
WALL = 300.0
#: A potential that never reaches the wall is tabulated from this fraction of its range: pairs that meet no repulsion
#: may come arbitrarily close, but are found below it with a chance of its cube.
BOUNDED_START = 0.01
#: A doubling that lowers the error by less has met a kink (smooth potentials: 4 for linear tables, 16 for splines).
KINK_RATIO = 3.0
#: Points at first, and at most.
FEWEST = {"linear": 1024, "spline": 256}
MOST = {"linear": 2**17, "spline": 2**15}
#: Errors count relative to the value itself or to a thermal one, whichever is larger: kT, and kT over a tenth of the
#: range.
THERMAL_LENGTH = 0.1


@dataclass(frozen=True)
class Table:
    """A pair potential on a grid.

    Args:
        r: distances from `start` to `r_cut`, the end included only for splines, shape (N,) [nm].
        energy: U(r), shape (N,) [kT].
        force: -dU/dr, shape (N,) [kT/nm].
        slopes: dF/dr at the first distance and at the cut [kT/nm²].
        r_cut: distance from which both are zero [nm].
        interpolation: how values between points are found.
        grid: whether r or r² is evenly spaced.
        bound_energy: largest error of the interpolated energy, relative to max(|U|, kT) [-].
        bound_force: largest error of the interpolated force, relative to max(|F|, 10 kT / r_cut) [-].
    """

    r: NDArray[np.float64]
    energy: NDArray[np.float64]
    force: NDArray[np.float64]
    slopes: tuple[float, float]
    r_cut: float
    interpolation: Interpolation
    grid: Grid
    bound_energy: float
    bound_force: float

    @property
    def start(self) -> float:
        """First distance; nothing is known below it [nm]."""
        return float(self.r[0])

    def interpolate(self, r: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Energy [kT] and force [kT/nm] at `r` [nm] as the engine finds them; zero from the cut on.

        Raises:
            PhysicsError: a distance below `start`.
        """
        r = np.asarray(r, float)
        if np.any(r < self.start * (1 - 1e-12)):
            raise PhysicsError(f"the table starts at {self.start:.6g} nm; got {np.min(r):.6g} nm")
        energy, force = _interpolants(
            self.r, self.energy, self.force, self.slopes, self.r_cut, self.interpolation, self.grid, r
        )
        inside = r < self.r_cut
        return np.where(inside, energy, 0.0), np.where(inside, force, 0.0)


def total_energy(potentials: Iterable[PairPotential], r: ArrayLike) -> NDArray[np.float64]:
    """Sum of the energies at `r` [kT]."""
    return np.sum([potential.energy(r) for potential in potentials], axis=0)


def total_force(potentials: Iterable[PairPotential], r: ArrayLike) -> NDArray[np.float64]:
    """Sum of the forces at `r` [kT/nm]."""
    return np.sum([potential.force(r) for potential in potentials], axis=0)


def closest(
    potentials: Sequence[PairPotential],
    wall: float = WALL,
    scaled: Sequence[PairPotential] = (),
    factors: Sequence[float] = (1.0,),
) -> float:
    """Distance that a pair coming from outside never gets below [nm].

    It is the largest distance at which the summed energy reaches the `wall`. The potentials are evaluated one distance
    after another from the cut inwards, and never more than 1 % of the distance beyond the wall.

    Args:
        potentials: they add up.
        wall: energy that no pair has [kT].
        scaled: further potentials, multiplied by any of the factors (a solvent that changes with time).
        factors: smallest and largest factor; the energy is linear in it, so none in between lets a pair closer.

    Returns:
        The distance; for a sum that stays below the wall, `BOUNDED_START` of the range.

    Raises:
        PhysicsError: no potentials at all.
    """
    everything = [*potentials, *scaled]
    if not everything:
        raise PhysicsError("no pair potentials: nothing to find a closest distance of")
    r_cut = max(potential.r_cut for potential in everything)

    def allowed(r: float) -> bool:
        with np.errstate(all="ignore"):
            fixed = float(total_energy(potentials, r)) if potentials else 0.0
            varied = float(total_energy(scaled, r)) if scaled else 0.0
            energies = [fixed + factor * varied for factor in factors] if scaled else [fixed]
        return bool(np.all(np.isfinite(energies)) and min(energies) < wall)

    outer = r_cut
    while outer > BOUNDED_START * r_cut:
        inner = max(outer * 0.99, BOUNDED_START * r_cut)
        if not allowed(inner):
            break
        outer = inner
    else:
        return BOUNDED_START * r_cut
    for _ in range(40):
        middle = (inner + outer) / 2
        if allowed(middle):
            outer = middle
        else:
            inner = middle
    return outer


def _end_slopes(potentials: Sequence[PairPotential], start: float, r_cut: float) -> tuple[float, float]:
    """dF/dr just inside both ends, from four steps inwards (error of fourth order)."""
    step = 1e-4 * (r_cut - start)
    weights = np.array([-25, 48, -36, 16, -3]) / (12 * step)
    low = total_force(potentials, start + step * np.arange(5))
    high = total_force(potentials, np.nextafter(r_cut, 0) - step * np.arange(5))
    return float(weights @ low), float(-weights @ high)


def _interpolants(
    r: NDArray[np.float64],
    energy: NDArray[np.float64],
    force: NDArray[np.float64],
    slopes: tuple[float, float],
    r_cut: float,
    interpolation: Interpolation,
    grid: Grid,
    at: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interpolated energy and force at `at`."""
    if interpolation == "linear":
        r, energy, force = np.append(r, r_cut), np.append(energy, 0.0), np.append(force, 0.0)
    if grid == "r2":
        x, at_x, force, weight = r**2, at**2, force / r, at
    else:
        x, at_x, weight = r, at, np.ones_like(at)
    if interpolation == "linear":
        return np.interp(at_x, x, energy), weight * np.interp(at_x, x, force)
    from scipy.interpolate import CubicSpline

    (low, high), last = slopes, -1
    if grid == "r2":
        ends_u = tuple(-force[i] / 2 for i in (0, last))
        ends_f = tuple((s / r[i] - force[i] / r[i]) / (2 * r[i]) for s, i in ((low, 0), (high, last)))
    else:
        ends_u, ends_f = (-force[0], -force[last]), (low, high)
    u = CubicSpline(x, energy, bc_type=((1, ends_u[0]), (1, ends_u[1])))
    f = CubicSpline(x, force, bc_type=((1, ends_f[0]), (1, ends_f[1])))
    return u(at_x), weight * f(at_x)


def _distances(start: float, r_cut: float, points: int, interpolation: Interpolation, grid: Grid) -> NDArray:
    power = 2 if grid == "r2" else 1
    x = np.linspace(start**power, r_cut**power, points, endpoint=interpolation == "spline")
    r = x ** (1 / power)
    r[0] = start
    if interpolation == "spline":
        r[-1] = r_cut
    return r


def _values(
    potentials: Sequence[PairPotential], r: NDArray[np.float64], r_cut: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Summed energy and force, at the cut those just inside it."""
    inside = np.minimum(r, np.nextafter(r_cut, 0))
    return total_energy(potentials, inside), total_force(potentials, inside)


def _between(r: NDArray[np.float64], r_cut: float, grid: Grid) -> NDArray[np.float64]:
    """Quarter points of all intervals, the one up to the cut included."""
    power = 2 if grid == "r2" else 1
    x = r**power if r[-1] == r_cut else np.append(r, r_cut) ** power
    inner = x[:-1, None] + np.diff(x)[:, None] * np.array([0.25, 0.5, 0.75])
    return np.asarray(inner.ravel() ** (1 / power))


def _check_end(potentials: Sequence[PairPotential]) -> None:
    for potential in potentials:
        if getattr(
            potential, "abrupt", False
        ):  # its force jumps by intention; the bound will say what that costs
            continue
        inside = potential.r_cut * (1 - 1e-9)
        energy, force = float(potential.energy(inside)), float(potential.force(inside))
        if abs(energy) > 1e-6 or abs(force) > 1e-5 / (THERMAL_LENGTH * potential.r_cut):
            raise PhysicsError(
                f"{potential} does not end smoothly: at its cut of {potential.r_cut:.6g} nm it still has {energy:.3g} kT "
                f"and {force:.3g} kT/nm. Let it end there with interactions.cutoff (force shift or smoothing)"
            )


def tabulate(
    potentials: Sequence[PairPotential],
    tolerance: float = 1e-7,
    interpolation: Interpolation = "linear",
    grid: Grid = "r",
    start: float | None = None,
    most: int | None = None,
) -> Table:
    """Tabulate the sum of potentials so finely that interpolation is exact to the tolerance, or as the module says.

    Args:
        potentials: they add up; each must go to zero smoothly at its cut.
        tolerance: wanted bound of both errors, relative as in `Table` [-].
        interpolation: ``"linear"`` or ``"spline"``.
        grid: ``"r"`` or ``"r2"``: what is evenly spaced.
        start: first distance [nm]; left out, `closest` of the potentials.
        most: largest number of points; left out, `MOST`.

    Raises:
        PhysicsError: no potentials, one that does not end smoothly, or a start beyond the range.
    """
    if start is None:
        start = closest(potentials)
    _check_end(potentials)
    r_cut = max(potential.r_cut for potential in potentials)
    if not 0 < start < r_cut:
        raise PhysicsError(f"a table needs 0 < start < r_cut; got {start:.6g} and {r_cut:.6g} nm")
    slopes = _end_slopes(potentials, start, r_cut)
    points, before = FEWEST[interpolation], math.inf
    while True:
        r = _distances(start, r_cut, points, interpolation, grid)
        energy, force = _values(potentials, r, r_cut)
        if not (np.all(np.isfinite(energy)) and np.all(np.isfinite(force))):
            raise PhysicsError(f"energy or force is not finite between {start:.6g} and {r_cut:.6g} nm")
        at = _between(r, r_cut, grid)
        exact_u, exact_f = total_energy(potentials, at), total_force(potentials, at)
        u, f = _interpolants(r, energy, force, slopes, r_cut, interpolation, grid, at)
        bound_u = float(np.max(np.abs(u - exact_u) / np.maximum(np.abs(exact_u), 1.0)))
        least = 1 / (THERMAL_LENGTH * r_cut)
        bound_f = float(np.max(np.abs(f - exact_f) / np.maximum(np.abs(exact_f), least)))
        worst = max(bound_u, bound_f)
        usual = float(np.sqrt(np.mean(np.square((f - exact_f) / np.maximum(np.abs(exact_f), least)))))
        kinked = before < KINK_RATIO * worst and usual <= tolerance
        before = worst
        if worst <= tolerance or kinked or 2 * points > (most or MOST[interpolation]):
            return Table(r, energy, force, slopes, r_cut, interpolation, grid, bound_u, bound_f)
        points *= 2
