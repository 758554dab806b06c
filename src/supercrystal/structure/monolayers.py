"""Hexagonal and square order of a monolayer, or of one layer of a film.

``ψ_k = <exp(i k θ)>`` over a particle's neighbours, θ the direction of each: Nelson and Halperin, Phys. Rev. B 19, 2457
(1979), DOI 10.1103/PhysRevB.19.2457; ψ₆ over Voronoi neighbours, ψ₄ over the four nearest, by freud. The mean of |ψ_k| is
above 0.35 without any order and 0.62 in a dense liquid. What tells order is ψ_k averaged over a particle and its
neighbours before its modulus is taken, as Lechner and Dellago do for q_l in three dimensions (DOI 10.1063/1.2977970).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError

#: A layer is hexagonal if the mean of its averaged |ψ₆| exceeds the first, else square if that of |ψ₄| exceeds the second.
#: Measured with about 1,000 particles. |ψ₆|: at most 0.51 in liquids (WCA disks, area fraction 0.3 to 0.70), 0.66 to 0.69
#: at 0.72, beyond freezing; hexagonal lattice with 2 % of vacancies 0.92, 0.77, 0.68, 0.58 at noise 0.04, 0.08, 0.10,
#: 0.12 d; square lattice at most 0.19. |ψ₄|: at most 0.24 in those liquids and 0.25 in an ideal gas, 0.21 in hexagonal
#: lattices; square lattice 0.95, 0.84, 0.73, 0.62 at the same noise.
HEXAGONAL, SQUARE = 0.58, 0.45
#: Fewer particles than this have no order in the plane: the mean of few passes the thresholds by chance. Of 64 WCA disks at
#: area fraction 0.60, 0.65, 0.68, none of 25 samples each was called hexagonal; of 49, two at 0.68; of 36, one. Of ideal
#: gases of 30 particles 1 in 400 was called square, of 40 to 100 none.
FEWEST = 50
#: Points closer than this over the square root of the area per point coincide; Voro++ ends the process on such.
COINCIDENT = 1e-4
#: A box narrower than this many times the square root of the area per point is analysed as a block of its copies, at most
#: so many: freud meets each neighbour once, whichever image is meant.
NARROW, MAX_COPIES = 8.0, 100


def checked(box: ArrayLike, positions: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Box (6,) and positions (N, 3) of a film or, with Lz = 0, a two-dimensional system.

    Raises:
        TrajectoryError: no box, no particles, or positions that are not finite.
    """
    values, x = np.asarray(box, float), np.asarray(positions, float)
    if values.shape != (6,) or not np.all(np.isfinite(values)) or np.any(values[:2] <= 0) or values[2] < 0:
        raise TrajectoryError(
            f"a box is six finite numbers Lx, Ly, Lz, xy, xz, yz with Lx, Ly > 0 and Lz ≥ 0; got {box!r}"
        )
    if x.ndim != 2 or x.shape[1] != 3 or not len(x):
        raise TrajectoryError(f"positions must have the shape (N, 3) with N ≥ 1; got {x.shape}")
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x).all(axis=1)))
        raise TrajectoryError(
            f"{bad} of {len(x)} positions are not finite: the simulation that wrote them diverged"
        )
    return values, x


def json_value(value: Any) -> Any:
    """Value, or None for a number that is not finite, which JSON has not."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class PlaneOrder:
    """Order of particles in a plane [-]; NaN for fewer than `FEWEST`.

    `local` is the mean of |ψ| over particles, `averaged` the mean of |ψ| after averaging over a particle and its
    neighbours, `overall` |mean of ψ|, which grains of different direction bring down.
    """

    particles: int
    areal_density: float  #: [1/length²]
    psi6_local: float
    psi6_averaged: float
    psi6_overall: float
    psi4_local: float
    psi4_averaged: float
    psi4_overall: float
    kind: str  #: "hexagonal", "square", "disordered", or "too few"

    def to_dict(self) -> dict[str, Any]:
        """As JSON; null for what is not defined."""
        return {key: json_value(value) for key, value in vars(self).items()}


def plane_order(box: ArrayLike, positions: ArrayLike) -> PlaneOrder:
    """Hexatic and square order of a monolayer, seen along z.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz; only Lx, Ly and xy count, and Lz may be 0.
        positions: (N, 3), whose z is left out.

    Raises:
        TrajectoryError: no box, positions that are not finite, or two at the same place when seen along z.
    """
    import freud

    values, x = checked(box, positions)
    area = float(values[0] * values[1])
    density = len(x) / area
    if len(x) < FEWEST:
        return PlaneOrder(len(x), density, *(math.nan,) * 6, "too few")
    flat, points = _widened(values, x, density)
    closest = _plane_bonds(flat, points, 1)
    if float(np.min(closest.distances)) <= COINCIDENT * density**-0.5:
        raise TrajectoryError(
            "two particles are at the same place seen along z: order in the plane needs a single layer; take `layers` of a "
            "thicker film, and leave out the beads of rigid bodies"
        )
    voronoi = freud.locality.Voronoi().compute((flat, points)).nlist
    six = _psi(flat, points, 6, voronoi)
    four = _psi(flat, points, 4, _plane_bonds(flat, points, 4))
    kind = "hexagonal" if six[1] > HEXAGONAL else "square" if four[1] > SQUARE else "disordered"
    return PlaneOrder(len(x), density, *six, *four, kind)


def _widened(
    box: NDArray[np.float64], x: NDArray[np.float64], density: float
) -> tuple[Any, NDArray[np.float64]]:
    """Two-dimensional freud box and points, repeated where it is narrow; a mean over copies is that over the points."""
    import freud

    a1, a2 = np.array([box[0], 0, 0]), np.array([box[3] * box[1], box[1], 0])
    widths = np.array([box[0] / math.hypot(1, box[3]), box[1]])
    copies = np.ceil(NARROW * density**-0.5 / widths).astype(int)
    if np.prod(copies) > MAX_COPIES:
        raise TrajectoryError(
            f"the box is {widths.min():.3g} wide in the plane, but particles are {density**-0.5:.3g} apart: is it the box "
            "of these positions, in the same unit?"
        )
    flat = freud.box.Box(box[0] * copies[0], box[1] * copies[1], 0, box[3], 0, 0, is2D=True)
    shifts = np.array([i * a1 + j * a2 for i, j in np.ndindex(*copies)])
    points = (shifts[:, None] + x * [1, 1, 0]).reshape(-1, 3)
    return flat, np.asarray(flat.wrap(points), float)


def _plane_bonds(flat: Any, points: NDArray[np.float64], count: int) -> Any:
    """Return the freud.locality.NeighborList of the `count` nearest neighbours in a two-dimensional box."""
    import freud

    query = {"num_neighbors": count, "exclude_ii": True}
    return freud.locality.AABBQuery(flat, points).query(points, query).toNeighborList()


def _psi(flat: Any, points: NDArray[np.float64], k: int, neighbours: Any) -> tuple[float, float, float]:
    import freud

    psi = freud.order.Hexatic(k).compute((flat, points), neighbors=neighbours).particle_order.astype(complex)
    i, j = np.asarray(neighbours.query_point_indices), np.asarray(neighbours.point_indices)
    total = psi.copy()
    np.add.at(total, i, psi[j])
    averaged = np.abs(total) / (1 + np.bincount(i, minlength=len(psi)))
    return float(np.abs(psi).mean()), float(averaged.mean()), float(abs(psi.mean()))
