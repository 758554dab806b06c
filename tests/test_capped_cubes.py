"""Lattices of hard capped cubes: what touches, and that nothing overlaps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import rowan

from supercrystal.errors import PhysicsError
from supercrystal.packing.capped_cubes import corner_angle, densest_angle, rhombohedral
from supercrystal.solids.relaxation import cell_constants


def _gap(across: np.ndarray, edge: float) -> float:
    """Distance of two parallel cubes whose centres are `across` apart."""
    return float(np.linalg.norm(np.maximum(np.abs(across) - edge, 0)))


@pytest.mark.parametrize("shell", [0.5, 1.5, 4.5])
def test_in_the_densest_lattice_capped_cubes_touch_by_faces_and_edges_and_overlap_nowhere(
    shell: float,
) -> None:
    angle = densest_angle(8.6, shell)
    cell, turned = rhombohedral(8.6 + 2 * shell, angle)
    lengths, angles = cell_constants(cell)
    assert angles == pytest.approx(np.full(3, angle))
    assert np.ptp(lengths) < 1e-9
    assert np.abs(np.triu(cell, 1)).max() == 0
    own = rowan.rotate(rowan.conjugate(turned), cell)  # the cell as a cube sees it
    gaps = {k: _gap(np.array(k) @ own, 8.6) for k in itertools.product((-2, -1, 0, 1, 2), repeat=3) if any(k)}
    assert min(gaps.values()) == pytest.approx(2 * shell)
    assert gaps[1, 0, 0] == pytest.approx(2 * shell)
    assert gaps[1, -1, 0] == pytest.approx(2 * shell)
    assert np.linalg.det(cell) < (8.6 + 2 * shell) ** 3
    blunt, turned = rhombohedral(8.6 + 2 * shell, corner_angle(8.6, shell))
    blunt = rowan.rotate(rowan.conjugate(turned), blunt)
    assert _gap(blunt.sum(axis=0), 8.6) == pytest.approx(2 * shell), "corners touch along the diagonal"
    assert _gap(blunt[0] + blunt[1], 8.6) > 2 * shell
    assert np.linalg.det(cell) < np.linalg.det(blunt) < (8.6 + 2 * shell) ** 3


@pytest.mark.parametrize(("edge", "shell"), [(0.0, 1.0), (8.6, -0.1), (float("nan"), 1.0)])
def test_what_is_no_capped_cube_is_refused(edge: float, shell: float) -> None:
    with pytest.raises(PhysicsError, match="an edge > 0 nm and a shell"):
        densest_angle(edge, shell)
    with pytest.raises(PhysicsError, match="an edge > 0 nm and a shell"):
        corner_angle(edge, shell)


def test_angles_that_no_such_lattice_has_are_refused() -> None:
    with pytest.raises(PhysicsError, match="70 to 110 degrees; got 60"):
        rhombohedral(10.0, 60.0)
