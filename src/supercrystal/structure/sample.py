"""Particles of one frame, checked and made ready for neighbour searches.

freud meets every neighbour once, whichever periodic image is meant. A box that is narrow for the neighbourhoods that are
looked at is therefore repeated, and a box that is not periodic along an axis is given empty space there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError

#: Neighbours that every label looks at.
NEIGHBOURS = 12
#: A box narrower than this many first-shell distances is analysed as a block of its periodic copies, at most this many
#: in a row: a box half a particle wide needs more, and is no box of these particles.
NARROW = 4.2
MAX_COPIES = 8
#: Neighbours of one species that the farthest-looking descriptor asks for.
FARTHEST = 20
#: A species with a smaller share of the particles is ignored when the box is widened.
TRACE = 0.02
#: Particles closer than this, in first-shell distances, coincide. Voro++ ends the whole process when it meets them.
COINCIDENT = 1e-5


def freud_box(box: Any) -> Any:
    """Return a freud box from (Lx, Ly, Lz, xy, xz, yz), a freud box, or the configuration of a GSD frame.

    Raises:
        TrajectoryError: a flat box, or values that are no box; freud never returns on NaN.
    """
    import freud

    given = box
    if isinstance(box, freud.box.Box):
        given = (box.Lx, box.Ly, box.Lz, box.xy, box.xz, box.yz)
    elif hasattr(box, "dimensions"):
        given = box.box
    try:
        values = np.asarray(given, float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (6,) or not np.all(np.isfinite(values)) or np.any(values[:3] < 0):
        raise TrajectoryError(
            f"a box is six finite numbers Lx, Ly, Lz, xy, xz, yz with lengths > 0; got {given}. Write it with the frame"
        )
    if np.any(values[:3] == 0) or getattr(box, "dimensions", 3) == 2:
        raise TrajectoryError(
            f"the box {given} is not three-dimensional: phases need Lx, Ly, Lz > 0; supercrystal.structure.films "
            "describes monolayers"
        )
    return freud.box.Box(*values)


@dataclass(frozen=True)
class Sample:
    """Particles in a box wide enough for their neighbourhoods.

    Args:
        box: freud.box.Box.
        positions: (M, 3) wrapped; the first `n` are the particles, the rest periodic copies of them, block by block in
            the same order.
        n: number of particles.
        first_shell: rough nearest-neighbour distance: the median of the distances to the eight nearest neighbours. At
            noise up to 0.08 d it is 0.965 (fcc) to 1.065 (sc) of the lattice's.
    """

    box: Any
    positions: NDArray[np.float64]
    n: int
    first_shell: float = math.nan

    def bonds(self, **query: Any) -> Any:
        """Return the freud.locality.NeighborList of a query, nearest first."""
        import freud

        search = freud.locality.AABBQuery(self.box, self.positions)
        found = search.query(self.positions, {**query, "exclude_ii": True})
        return found.toNeighborList(sort_by_distance=True)

    def nearest(self, count: int) -> NDArray[np.intp]:
        """(n, count) indices below n of the nearest neighbours of every particle."""
        found = np.asarray(self.bonds(num_neighbors=count).point_indices).reshape(-1, count)
        return np.asarray(found[: self.n] % self.n, np.intp)


def opened(
    box: ArrayLike, positions: NDArray[np.float64], periodic: Sequence[bool], space: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Box and positions with empty space along the axes that are not periodic.

    Args:
        box: (6,).
        positions: (N, 3).
        periodic: whether each of the three box vectors repeats.
        space: least empty space [length].

    Raises:
        TrajectoryError: a box that is tilted along an axis that is not periodic.
    """
    values, x = np.array(box, float), np.array(positions, float)
    for axis in np.flatnonzero(~np.asarray(periodic, bool)):
        tilts = {0: (3, 4), 1: (3, 5), 2: (4, 5)}[int(axis)]
        if np.any(np.abs(values[list(tilts)]) > 1e-9):
            raise TrajectoryError(
                f"the box {values.tolist()} is tilted along {'xyz'[axis]}, which is not periodic: give a box that is not"
            )
        low, high = x[:, axis].min(), x[:, axis].max()
        values[axis] = high - low + space
        x[:, axis] -= (low + high) / 2
    return values, x


def sample(box: Any, positions: ArrayLike, kinds: ArrayLike | None = None) -> Sample:
    """Check a frame and prepare it for neighbour searches.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz; treated as periodic. A slab needs empty space between its images (`opened`).
        positions: (N, 3), N > 12, wrapped here.
        kinds: (N,) species of each particle; the box is made wide enough for neighbourhoods within the rarest.

    Raises:
        TrajectoryError: a flat box, too few particles, positions that coincide or are not finite.
    """
    x = np.asarray(positions, float)
    if x.ndim != 2 or x.shape[1] != 3:
        raise TrajectoryError(f"positions must have the shape (N, 3); got {x.shape}")
    if len(x) <= NEIGHBOURS:
        raise TrajectoryError(
            f"labels need more than {NEIGHBOURS} particles, as each looks at that many; got {len(x)}"
        )
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x).all(axis=1)))
        raise TrajectoryError(
            f"{bad} of {len(x)} positions are not finite: the simulation that wrote them diverged"
        )
    cell = freud_box(box)
    found = Sample(cell, np.asarray(cell.wrap(x), float), len(x))
    distances = np.asarray(found.bonds(num_neighbors=8).distances, float)
    first_shell = float(np.median(distances))
    if distances.min() <= COINCIDENT * first_shell:
        raise TrajectoryError(
            "two particles are at the same place: labels need one position for each nanocrystal; leave out the beads "
            "of rigid bodies, and frames written before the overlaps were relaxed"
        )
    width = NARROW * first_shell
    if kinds is not None:
        width = max(width, _width(replace(found, first_shell=first_shell), np.asarray(kinds, np.intp)))
    return _widened(replace(found, first_shell=first_shell), width)


def _width(found: Sample, kinds: NDArray[np.intp]) -> float:
    """Width that the neighbourhoods within each species need, 0 where the box has it; a trace needs none."""
    import freud

    needed = 0.0
    narrow = float(widths(found.box).min())
    for kind in np.unique(kinds):
        x = found.positions[kinds == kind]
        if len(x) < max(TRACE * found.n, 2):
            continue
        # Particles of one species fill shells as their density says; a quarter more covers open lattices.
        dense = 2.5 * (FARTHEST * 3 / (4 * math.pi) * float(found.box.volume) / len(x)) ** (1 / 3)
        if dense <= narrow:
            continue
        # Around a cluster there is empty space: what matters is how far its neighbours are.
        count = min(FARTHEST, len(x) - 1)
        bonds = freud.locality.AABBQuery(found.box, x).query(x, {"num_neighbors": count, "exclude_ii": True})
        farthest = np.asarray(bonds.toNeighborList(sort_by_distance=True).distances).reshape(-1, count)[:, -1]
        needed = max(needed, min(dense, 2.1 * float(np.quantile(farthest, 0.9))))
    return needed


def widths(cell: Any) -> NDArray[np.float64]:
    """Distances (3,) of opposite faces."""
    edges = np.array([cell.get_box_vector(k) for k in range(3)], float)
    return np.asarray(cell.volume / np.linalg.norm(np.cross(edges[[1, 2, 0]], edges[[2, 0, 1]]), axis=1))


def _widened(found: Sample, width: float) -> Sample:
    """Repeat the box along its narrow directions: freud meets each neighbour once, whichever image is meant."""
    import freud

    cell = found.box
    edges = np.array([cell.get_box_vector(k) for k in range(3)], float)
    across = widths(cell)
    copies = np.maximum(np.ceil(width / across), 1)
    if np.prod(copies) == 1:
        return found
    if np.max(copies) > MAX_COPIES:
        raise TrajectoryError(
            f"the box is {across.min():.3g} wide, but neighbours are {found.first_shell:.3g} apart: is it the box of "
            "these positions, in the same unit?"
        )
    wide = freud.box.Box(*np.array([cell.Lx, cell.Ly, cell.Lz]) * copies, cell.xy, cell.xz, cell.yz)
    # The first shift is zero, so the particles themselves stay first and copies follow in the same order.
    shifts = np.array(list(np.ndindex(*copies.astype(int)))) @ edges
    positions = wide.wrap((shifts[:, None] + found.positions).reshape(-1, 3))
    return replace(found, box=wide, positions=np.asarray(positions, float))
