"""A cell as its edges and as the six numbers of GSD and HOOMD-blue."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def edges(box: ArrayLike) -> NDArray[np.float64]:
    """Edges (3, 3) of a box (Lx, Ly, Lz, xy, xz, yz) as rows, taken as it is.

    >>> edges([2, 2, 4, 0.5, 0, 0]).tolist()
    [[2.0, 0.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 4.0]]
    """
    lx, ly, lz, xy, xz, yz = np.asarray(box, np.float64)
    return np.array([[lx, 0, 0], [xy * ly, ly, 0], [xz * lz, yz * lz, lz]], np.float64)


def parameters(cell: ArrayLike) -> list[float]:
    """The six numbers of a cell with lower triangular edges (3, 3): inverse of `edges`.

    >>> parameters(edges([2, 2, 4, 0.5, 0, 0]))
    [2.0, 2.0, 4.0, 0.5, 0.0, 0.0]
    """
    cell = np.asarray(cell, np.float64)
    x, y, z = np.diag(cell)
    return [float(value) for value in (x, y, z, cell[1, 0] / y, cell[2, 0] / z, cell[2, 1] / z)]


def widths(cell: ArrayLike) -> NDArray[np.float64]:
    """Distances (3,) between opposite faces of a cell with edges (3, 3).

    >>> widths(edges([2, 2, 4, 1.0, 0, 0])).round(3).tolist()
    [1.414, 2.0, 4.0]
    """
    width: NDArray[np.float64] = 1 / np.linalg.norm(np.linalg.inv(np.asarray(cell, np.float64)), axis=0)
    return width


def wrap(box: ArrayLike, positions: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Positions (N, 3) folded into a box about the origin, and how many edges (N, 3) each was moved by.

    >>> wrap([2, 2, 4, 0, 0, 0], [[1.5, 0.0, -2.5]])
    (array([[-0.5,  0. ,  1.5]]), array([[ 1,  0, -1]]))
    """
    cell = edges(box)
    share = np.linalg.solve(cell.T, np.asarray(positions, np.float64).T).T
    crossed = np.floor(share + 0.5)
    return (share - crossed) @ cell, crossed.astype(np.intp)
