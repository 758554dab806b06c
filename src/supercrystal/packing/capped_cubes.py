"""Capped cubes by themselves: lattices of hard cubes of edge l with a shell of thickness t, which rounds their edges.

Faces in touch are ``a = l + 2t`` apart and may slide, so the simple cubic lattice can be sheared along a diagonal with all
faces in touch: lattice vectors (a, b, b), (b, a, b), (b, b, a), all cubes parallel. For b > 0 they fill less than a³, until
rounded edges touch; for b < 0, until corners do. Capped nanocubes do distort more with thicker shells (Zhang et al., Phys.
Rev. Lett. 107, 135701 (2011), of which the abstract was read).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError


def _angle(a: float, b: float) -> float:
    """Angle between (a, b, b) and (b, a, b) [degrees]."""
    return math.degrees(math.acos((2 * a * b + b**2) / (a**2 + 2 * b**2)))


def _checked(edge: float, shell: float) -> None:
    if not (edge > 0 and shell >= 0 and math.isfinite(edge + shell)):
        raise PhysicsError(f"a capped cube has an edge > 0 nm and a shell ≥ 0 nm; got {edge} and {shell}")


def densest_angle(edge: float, shell: float) -> float:
    """Angle of the densest lattice of hard capped cubes that lie parallel [degrees].

    At ``b = (2 - √2) t`` the rounded edges of the neighbours (a - b, b - a, 0) touch. A search over lattices of one parallel
    cube a cell, with shells of 1 to 4.5 nm on 8.6 nm, found none denser.

    Args:
        edge: l of the core [nm].
        shell: its thickness t [nm].

    Raises:
        PhysicsError: an edge or thickness that no capped cube has.

    >>> round(densest_angle(8.6, 0.0), 1), round(densest_angle(8.6, 2.5), 1)
    (90.0, 77.2)
    """
    _checked(edge, shell)
    return _angle(edge + 2 * shell, (2 - math.sqrt(2)) * shell)


def corner_angle(edge: float, shell: float) -> float:
    """Angle of the lattice sheared the other way, until corners touch along the diagonal [degrees].

    As `densest_angle`, with ``b = -(1 - 1/√3) t``; less dense.

    >>> round(corner_angle(8.6, 2.5), 1)
    98.5
    """
    _checked(edge, shell)
    return _angle(edge + 2 * shell, -(1 - 1 / math.sqrt(3)) * shell)


def rhombohedral(across: float, angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell of a lattice of parallel cubes sheared along a diagonal, and the orientation of the cubes in it.

    Args:
        across: distance of neighbours along the common normal of their faces [nm].
        angle: between lattice vectors [degrees], 70 to 110.

    Returns:
        Cell vectors as rows (3, 3), the first along x, the second in the xy plane, and a unit quaternion (4,).

    Raises:
        PhysicsError: an angle outside that range.
    """
    import rowan
    from scipy.optimize import brentq

    if not 70 <= angle <= 110:
        raise PhysicsError(f"the angle of a sheared lattice of cubes must be 70 to 110 degrees; got {angle}")
    cosine = math.cos(math.radians(angle))
    share = brentq(lambda x: (2 * x + x * x) / (1 + 2 * x * x) - cosine, -0.4, 0.5)
    vectors = across * ((1 - share) * np.eye(3) + share)
    lower = np.linalg.cholesky(vectors @ vectors.T)
    turn = np.linalg.solve(vectors, lower).T  # takes the frame of the diagonal to that of the cell
    return lower, np.asarray(rowan.from_matrix(turn), float)
