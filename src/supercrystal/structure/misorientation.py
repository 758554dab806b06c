"""Misorientation of grains: the smallest rotation between two lattices, its axis, and boundaries with a name.

A grain's rotation R turns the axes of the catalogue's cell into the laboratory's, ``x_lab = R x_crystal``; its columns are
the crystal's axes. The lattice is the same after any rotation S of its point group, so two grains are related by all of
``S_i R_1ᵀ R_2 S_j``, and the smallest angle among them, the disorientation, is the one that is quoted. It is at most 62.80°
for cubic, 93.84° for hexagonal and 98.42° for tetragonal crystals: Grimmer, Scripta Metall. 13, 161 (1979),
DOI 10.1016/0036-9748(79)90058-9. Cubic grains without relation have 40.73° on average: Mackenzie, Biometrika 45, 229
(1958), DOI 10.1093/biomet/45.1-2.229.

Rotations of cubic lattices that bring one site in Σ into coincidence are named where the deviation is below Brandon's
15°/√Σ, Acta Metall. 14, 1479 (1966), DOI 10.1016/0001-6160(66)90168-4. A name says how the lattices are turned, not which
plane separates them: Σ3 is the rotation of the twin, whose coherent boundary is a {111} plane in fcc. Coincidence in
hexagonal and tetragonal lattices depends on c/a and is not named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal import lattices
from supercrystal.errors import PhysicsError
from supercrystal.structure.sample import opened, sample

if TYPE_CHECKING:
    from supercrystal.structure.grains import Grain
    from supercrystal.structure.naming import Named

#: Proper rotations of the point group of each crystal system's lattice, in the names of scipy: 432, 622 and 422. In the
#: catalogue's cells c is along z and a₁ along x, and so is a twofold axis.
GROUPS = {"cubic": "O", "hexagonal": "D6", "tetragonal": "D4"}
#: Largest disorientation of each system [degree].
LARGEST = {"cubic": 62.80, "hexagonal": 93.84, "tetragonal": 98.42}
#: Coincidence rotations of cubic lattices: Σ → axis, and m, n of the angle 2 arctan(m |axis| / n). Grimmer, Bollmann and
#: Warrington, Acta Cryst. A30, 197 (1974), DOI 10.1107/S056773947400043X. Beyond Σ11 the named share of random pairs
#: grows faster than what the name says.
COINCIDENCE: dict[int, tuple[tuple[int, int, int], int, int]] = {
    3: ((1, 1, 1), 1, 3),
    5: ((1, 0, 0), 1, 3),
    7: ((1, 1, 1), 1, 5),
    9: ((1, 1, 0), 1, 4),
    11: ((1, 1, 0), 1, 3),
}
#: Brandon's angle for Σ = 1 [degree]; below it a boundary is a low-angle one.
BRANDON = 15.0
#: Grains touch where particles of both are within this many neighbour distances: boundaries are a disordered layer or two.
REACH = 2.0
#: Angles below this have no axis [degree].
_NO_AXIS = 1e-6


@cache
def group(system: str) -> NDArray[np.float64]:
    """Proper rotations of a crystal system as quaternions (K, 4), w first: 24, 12 or 8.

    Raises:
        PhysicsError: another system.

    >>> [len(group(system)) for system in ("cubic", "hexagonal", "tetragonal")]
    [24, 12, 8]
    """
    from scipy.spatial.transform import Rotation

    if system not in GROUPS:
        raise PhysicsError(f"the crystal system is one of {', '.join(GROUPS)}; got '{system}'")
    found = np.asarray(Rotation.create_group(GROUPS[system]).as_quat()[:, [3, 0, 1, 2]], float)
    found.setflags(write=False)
    return found


def _angle(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles (...) [degree] of unit quaternions (..., 4), in [0, 180]; exact for small ones, unlike the arc cosine."""
    return np.asarray(np.degrees(2 * np.arctan2(np.linalg.norm(q[..., 1:], axis=-1), np.abs(q[..., 0]))))


def _quaternion(rotation: ArrayLike) -> NDArray[np.float64]:
    """Unit quaternions (..., 4) of rotation matrices (..., 3, 3).

    A lattice of the catalogue has an inversion, so an improper matrix is the same lattice as its negative.

    Raises:
        PhysicsError: no orthogonal matrices.
    """
    import rowan

    given = np.asarray(rotation, float)
    if given.shape[-2:] != (3, 3) or not np.all(
        np.abs(given @ np.swapaxes(given, -1, -2) - np.eye(3)) < 1e-4
    ):
        raise PhysicsError(
            f"the orientation of a grain is a rotation matrix (3, 3); got an array of shape {given.shape}"
            + (" that is not orthogonal" if given.shape[-2:] == (3, 3) else "")
        )
    proper = given * np.sign(np.linalg.det(given))[..., None, None]
    left, _, right = np.linalg.svd(proper)
    return np.asarray(rowan.from_matrix(left @ right), float)


def disorientation(first: ArrayLike, second: ArrayLike, system: str) -> NDArray[np.float64]:
    """Smallest rotation angle (...) [degree] between orientations of one crystal system.

    Args:
        first: (..., 3, 3) rotations, crystal to laboratory.
        second: (..., 3, 3), broadcast against the first.
        system: ``"cubic"``, ``"hexagonal"`` or ``"tetragonal"``.

    Raises:
        PhysicsError: another system, or matrices that are no rotations.

    >>> quarter = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    >>> float(disorientation(np.eye(3), quarter, "cubic")), float(disorientation(np.eye(3), quarter, "hexagonal").round(9))
    (0.0, 30.0)
    """
    import rowan

    relative = rowan.multiply(rowan.conjugate(_quaternion(first)), _quaternion(second))
    # One group is enough for the angle: S_i D S_j is conjugate to D S_j S_i.
    return np.asarray(_angle(rowan.multiply(relative[..., None, :], group(system))).min(axis=-1))


@dataclass(frozen=True)
class Misorientation:
    """The smallest rotation between two grains of one crystal system.

    Args:
        phases: of the two grains.
        system: crystal system.
        angle: disorientation [degree].
        error: its standard error from those of the cells' angles [degree].
        axis: (3,) unit vector in the crystal, brought into the standard sector: h ≥ k ≥ l ≥ 0 for cubic; c along z, a
            along x and an azimuth of 0° to 30° (hexagonal) or 45° (tetragonal) for the others. None without rotation.
        axis_lab: (3,) one such axis in the frame of the file, about which the first grain turns into the second.
        name: ``"low angle"``, ``"Σ3"`` …, or an empty text. Of coincidences only those of two cubic grains of one phase.
        deviation: from the rotation that the name stands for [degree].
    """

    phases: tuple[str, str]
    system: str
    angle: float
    error: float
    axis: tuple[float, float, float] | None
    axis_lab: tuple[float, float, float] | None
    name: str
    deviation: float | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "phases": list(self.phases),
            "system": self.system,
            "angle_degrees": self.angle,
            "angle_error_degrees": self.error if np.isfinite(self.error) else None,
            "axis": None if self.axis is None else list(self.axis),
            "axis_lab": None if self.axis_lab is None else list(self.axis_lab),
            "name": self.name,
            "deviation_degrees": self.deviation,
        }


def misorientation(first: Grain, second: Grain) -> Misorientation:
    """Misorientation of two grains.

    Raises:
        PhysicsError: grains of different crystal systems have no common group, and no disorientation.
    """
    systems = lattices.prototype(first.phase).system, lattices.prototype(second.phase).system
    if systems[0] != systems[1]:
        raise PhysicsError(
            f"{first.phase} is {systems[0]} and {second.phase} is {systems[1]}: a misorientation is defined for grains of "
            "one crystal system"
        )
    angle, axis, lab = between(first.rotation, second.rotation, systems[0])
    error = 0.0 if first is second else float(np.hypot(_error(first), _error(second)))
    name, deviation = named_boundary(first.rotation, second.rotation, systems[0])
    if name.startswith("Σ") and first.phase != second.phase:
        name, deviation = "", None
    return Misorientation((first.phase, second.phase), systems[0], angle, error, axis, lab, name, deviation)


Axis = tuple[float, float, float]


def between(first: ArrayLike, second: ArrayLike, system: str) -> tuple[float, Axis | None, Axis | None]:
    """Disorientation [degree], its axis in the crystal's standard sector, and one such axis in the laboratory.

    Arguments and errors as `disorientation`, of one pair (3, 3).
    """
    import rowan

    a, b = _quaternion(first), _quaternion(second)
    turns = rowan.multiply(rowan.multiply(rowan.conjugate(a), b), group(system))
    sizes = _angle(turns)
    # Of equal angles the first counts, whatever rounding does to the others.
    best = turns[int(np.flatnonzero(sizes <= sizes.min() + 1e-9)[0])]
    angle = float(_angle(best))
    if angle < _NO_AXIS:
        return angle, None, None
    arm = best[1:] * (1.0 if best[0] >= 0 else -1.0)
    arm = arm / np.linalg.norm(arm)
    return angle, _standard(arm, system), _tuple(rowan.rotate(a, arm))


def _tuple(vector: NDArray[np.float64]) -> Axis:
    x, y, z = (float(value) for value in vector)
    return x, y, z


def _standard(axis: NDArray[np.float64], system: str) -> Axis:
    """The equivalent of an axis in the standard sector; the two grains may be exchanged, so its sense is free."""
    import rowan

    images = rowan.rotate(group(system), axis)
    images = np.concatenate([images, -images])
    # The largest in the order of these components, rounded so that equal ones count as equal.
    order = (0, 1, 2) if system == "cubic" else (2, 0, 1)
    keys = images.round(9)[:, order]
    best = int(np.lexsort((keys[:, 2], keys[:, 1], keys[:, 0]))[-1])
    return _tuple(np.where(np.abs(images[best]) < 1e-12, 0.0, images[best]))


def _error(grain: Grain) -> float:
    """Standard error of a grain's rotation about any axis [degree], from those of the angles of its cell.

    With errors of the same size in all components of the deformation gradient, an angle of the cell has the sum of two of
    them and the rotation half the difference.
    """
    return float(np.sqrt(np.mean(grain.constants["angles"][1] ** 2)) / 2)


@cache
def _coincidence(sigma: int) -> NDArray[np.float64]:
    import rowan

    axis, m, n = COINCIDENCE[sigma]
    return np.asarray(rowan.normalize([n, *(m * component for component in axis)]), float)


def named_boundary(first: ArrayLike, second: ArrayLike, system: str) -> tuple[str, float | None]:
    """Name of a boundary within Brandon's criterion and the deviation [degree], or an empty text and None.

    Of several the one with the smallest deviation over its limit counts. Arguments and errors as `disorientation`.

    >>> twin = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3  # 60° about [111]
    >>> named_boundary(np.eye(3), twin, "cubic")[0]
    'Σ3'
    """
    import rowan

    turns = rowan.multiply(rowan.conjugate(_quaternion(first)), _quaternion(second))
    equivalent = rowan.multiply(turns, group(system))
    found = [("low angle", float(_angle(equivalent).min()), BRANDON)]
    if system == "cubic":
        every = rowan.multiply(group(system)[:, None], equivalent)
        for sigma in COINCIDENCE:
            rest = _angle(rowan.multiply(rowan.conjugate(_coincidence(sigma)), every))
            found.append((f"Σ{sigma}", float(rest.min()), BRANDON / sigma**0.5))
    name, deviation, limit = min(found, key=lambda entry: entry[1] / entry[2])
    return (name, deviation) if deviation <= limit else ("", None)


def matrix(grains: Sequence[Grain]) -> NDArray[np.float64]:
    """Disorientation (G, G) [degree] of every pair of grains; NaN between crystal systems."""
    found = np.full((len(grains), len(grains)), np.nan)
    systems = np.array([lattices.prototype(grain.phase).system for grain in grains])
    for system in np.unique(systems):
        alike = np.flatnonzero(systems == system)
        turns = np.array([grains[int(k)].rotation for k in alike])
        found[np.ix_(alike, alike)] = disorientation(turns[:, None], turns[None], str(system))
    return found


def contacts(
    named: Named, reach: float = REACH, periodic: Sequence[bool] = (True, True, True)
) -> NDArray[np.intp]:
    """Pairs of particles (G, G) across the boundary of every two grains; 0 where they do not touch.

    Args:
        named: a named configuration.
        reach: largest distance of a pair, in neighbour distances (`sample.Sample.first_shell`).
        periodic: which box vectors repeat, as for `naming.name`.
    """
    import freud

    count = len(named.grains)
    found = np.zeros((count, count), np.intp)
    if count < 2:
        return found
    box, x = named.configuration.box, named.configuration.positions
    if not all(periodic):
        box, x = opened(box, x, periodic, float(np.ptp(x, axis=0).max()))
    ready = sample(box, x)
    # Periodic copies of a narrow box follow in the same order.
    grain = np.tile(named.grain, len(ready.positions) // ready.n)
    inside = np.flatnonzero(grain >= 0)
    query = freud.locality.AABBQuery(ready.box, ready.positions[inside])
    bonds = query.query(
        ready.positions[inside], {"r_max": reach * ready.first_shell, "exclude_ii": True}
    ).toNeighborList()
    i, j = (
        grain[inside[np.asarray(bonds.query_point_indices)]],
        grain[inside[np.asarray(bonds.point_indices)]],
    )
    np.add.at(found, (i[i != j], j[i != j]), 1)
    return np.asarray(found * ready.n // len(ready.positions), np.intp)


@dataclass(frozen=True)
class Boundary:
    """Two grains that touch.

    Args:
        grains: their numbers in `naming.Named.grains`.
        pairs: pairs of particles across it (`contacts`), which grow with its area.
        misorientation: None between crystal systems.
    """

    grains: tuple[int, int]
    pairs: int
    misorientation: Misorientation | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        turn = self.misorientation
        return {
            "grains": list(self.grains),
            "pairs": self.pairs,
            "misorientation": None if turn is None else turn.to_dict(),
        }


def boundaries(
    named: Named, reach: float = REACH, periodic: Sequence[bool] = (True, True, True)
) -> tuple[Boundary, ...]:
    """Boundaries between grains that touch, the largest first; arguments as `contacts`."""
    touching = contacts(named, reach, periodic)
    found = []
    for i, j in combinations(range(len(named.grains)), 2):
        if touching[i, j]:
            a, b = named.grains[i], named.grains[j]
            same = lattices.prototype(a.phase).system == lattices.prototype(b.phase).system
            found.append(Boundary((i, j), int(touching[i, j]), misorientation(a, b) if same else None))
    return tuple(sorted(found, key=lambda entry: -entry.pairs))
