"""The lattice that cubes make with their neighbours across faces, frame by frame, whatever the cell.

Rows and layers of cubes slide by lattice vectors, after which the edges of a cell are other vectors of the lattice than they
were; a lattice read off the cell then has angles that say nothing. This one is made of mean vectors to neighbours, in the
axes that the cubes have in common.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.orientation import cube_angles

Array = NDArray[np.float64]


def axes_near(orientations: Array, before: Array) -> Array:
    """Axes of cubes that lie nearly parallel, as the columns of a matrix (3, 3).

    Args:
        orientations: (N, 4) unit quaternions.
        before: axes (3, 3) within 45° of which each cube has its own, up to the rotations of a cube.
    """
    import rowan

    turned = rowan.to_matrix(orientations)
    nearest = np.rint(np.einsum("ji,njk->nik", before, turned))
    left, _, right = np.linalg.svd(np.einsum("nij,nkj->ik", turned, nearest))
    return np.asarray(left @ right, float)


def face_neighbours(shares: Array, cell: Array, axes: Array, contact: float) -> Array:
    """Vectors to the neighbours across the faces of each cube, (3, N, 3) in the cubes' axes [nm].

    Rows and layers of cubes slide, so the cell says which lattice vectors its edges are only at the start. The neighbour
    across a face is the cube straight ahead: of those 0.6 to 1.6 contacts away along the normal the least one aside. It
    looks at 27 images of every pair: for some hundred cubes.

    Args:
        shares: (N, 3) centres in cell vectors.
        cell: (3, 3) cell vectors as rows [nm].
        axes: of the cubes, as `axes_near`.
        contact: distance of cubes whose faces touch [nm].

    Raises:
        TrajectoryError: a cube has no other ahead of one of its faces.
    """
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3)), float)
    apart = shares[None] - shares[:, None]
    apart = ((apart - np.rint(apart))[:, :, None] + images) @ cell @ axes
    apart = apart.reshape(len(shares), -1, 3)
    found = np.zeros((3, len(shares), 3))
    for k in range(3):
        ahead = (apart[..., k] > 0.6 * contact) & (apart[..., k] < 1.6 * contact)
        aside = np.where(ahead, np.abs(np.delete(apart, k, axis=2)).max(axis=2), np.inf)
        if np.isinf(aside.min(axis=1)).any():
            raise TrajectoryError(
                f"a cube has no neighbour {0.6 * contact:.3g} to {1.6 * contact:.3g} nm ahead of its face: this is no dense "
                "crystal of parallel cubes"
            )
        found[k] = apart[np.arange(len(shares)), aside.argmin(axis=1)]
    return found


@dataclass(frozen=True)
class FaceLattice:
    """The lattice of face neighbours in each frame.

    Args:
        vectors: (T, 3, 3) mean vectors across the three faces, as rows, in the cubes' axes [nm].
        aside: (T,) root mean square of how far aside neighbours are, along either of the face's edges [nm].
        together: (T,) share of that square which the mean vectors have: 1 in a lattice, near 0 where rows slide at random.
        off: (T,) mean angle of a cube to the common axes [degrees].
    """

    vectors: Array
    aside: Array
    together: Array
    off: Array


def face_lattice(cells: Array, shares: Array, orientations: Array, contact: float) -> FaceLattice:
    """Face neighbours of all frames of a crystal of nearly parallel cubes.

    Args:
        cells: (T, 3, 3) cell vectors as rows [nm].
        shares: (T, N, 3) centres in cell vectors.
        orientations: (T, N, 4) unit quaternions; from one frame to the next the common axes turn by less than 45°.
        contact: distance of cubes whose faces touch [nm].

    Raises:
        TrajectoryError: a cube has no other ahead of one of its faces.
    """
    import rowan

    axes = rowan.to_matrix(orientations[0, 0])
    rows: list[tuple[Array, float, float, float]] = []
    for cell, share, turned in zip(cells, shares, orientations, strict=True):
        axes = axes_near(turned, axes)
        found = face_neighbours(share, cell, axes, contact)
        sideways = np.stack([np.delete(found[k], k, axis=1) for k in range(3)])
        square = float(np.mean(sideways**2))
        shared = float(np.mean(sideways.mean(axis=1) ** 2)) / square if square else 1.0
        off = float(cube_angles(turned, rotation=axes).mean())
        rows.append((found.mean(axis=1), math.sqrt(square), shared, off))
    vectors, aside, together, off_axes = (np.array(x) for x in zip(*rows, strict=True))
    return FaceLattice(vectors, aside, together, off_axes)


def turned_against(vectors: Array) -> float:
    """Angle [degrees] between the cubes' axes and the directions of lattice vectors (3, 3), taken as a whole."""
    from scipy.spatial.transform import Rotation

    left, _, right = np.linalg.svd((vectors / np.linalg.norm(vectors, axis=1)[:, None]).T)
    return math.degrees(Rotation.from_matrix(left @ right).magnitude())
