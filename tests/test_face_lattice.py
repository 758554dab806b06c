"""The lattice of face neighbours: followed through rotations of cubes, slid rows and other cells of one lattice."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from supercrystal.errors import TrajectoryError
from supercrystal.packing.capped_cubes import rhombohedral
from supercrystal.solids.relaxation import cell_constants
from supercrystal.structure.face_lattice import axes_near, face_lattice, turned_against
from supercrystal.structure.orientation import cube_angles


def sheared_crystal(across: float, angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell, centres in cell vectors, and orientations, each another of the 24 that a cube has, of 27 cubes."""
    import rowan
    from scipy.spatial.transform import Rotation

    cell, turned = rhombohedral(across, angle)
    shares = np.array(list(itertools.product(range(3), repeat=3))) / 3
    group = Rotation.create_group("O").as_quat()[:, [3, 0, 1, 2]]
    return 3 * cell, shares, rowan.multiply(turned, group[np.arange(27) % 24])


def test_axes_are_followed_through_the_rotations_of_a_cube() -> None:
    import rowan

    _, _, turned = sheared_crystal(14.0, 78.0)
    before = rowan.to_matrix(rowan.multiply(rowan.from_axis_angle([1.0, 2, 3], 0.2), turned[5]))
    axes = axes_near(turned, before)
    assert cube_angles(turned, rotation=axes) == pytest.approx(np.zeros(27), abs=1e-5)
    assert np.diag(before.T @ axes).min() > 0.9, "numbered and pointing as before"


@pytest.mark.parametrize("angle", [78.0, 90.0, 97.0])
def test_face_neighbours_make_the_lattice_also_where_rows_and_layers_have_slid(angle: float) -> None:
    cell, shares, turned = sheared_crystal(14.0, angle)
    slid = shares.copy()
    slid[:3] += [0, 0, 1 / 3]  # a row along itself
    layered = cell + np.array([[0, 0, 0], [0, 0, 0], [1, 1, 0]]) @ cell  # another cell of the same lattice
    other = shares @ cell @ np.linalg.inv(layered)
    for box_, places in ((cell, shares), (cell, slid), (layered, other)):
        found = face_lattice(box_[None], places[None], turned[None], 13.6)
        lengths, angles = cell_constants(found.vectors[0])
        cosines = np.cos(np.radians(angles))
        assert np.prod(cosines) == pytest.approx(math.cos(math.radians(angle)) ** 3, abs=1e-9)
        assert lengths == pytest.approx(np.full(3, np.linalg.norm(cell[0]) / 3))
        assert abs(np.linalg.det(found.vectors[0])) == pytest.approx(np.linalg.det(cell) / 27)
        assert turned_against(found.vectors[0]) == pytest.approx(0.0, abs=1e-5)
        if angle != 90.0:
            assert found.together[0] == pytest.approx(1.0)


def test_rows_that_are_aside_at_random_are_not_a_sheared_lattice() -> None:
    cell, shares, turned = sheared_crystal(14.0, 90.0)
    aside = np.repeat(np.random.default_rng(5).normal(size=9) * 0.05, 3)
    shares[:, 2] += aside  # rows along the third vector
    found = face_lattice(cell[None], shares[None], turned[None], 13.6)
    assert found.aside[0] > 0.5
    assert found.together[0] < 1e-6


def test_cubes_turned_against_their_lattice() -> None:
    import rowan

    cell, shares, turned = sheared_crystal(14.0, 90.0)
    off = rowan.multiply(rowan.from_axis_angle([1.0, 1, 1], np.radians(7.0)), turned)
    found = face_lattice(cell[None], shares[None], off[None], 13.6)
    assert turned_against(found.vectors[0]) == pytest.approx(7.0, abs=1e-5)
    assert cell_constants(found.vectors[0])[1] == pytest.approx(np.full(3, 90.0))


def test_an_exact_cubic_lattice_is_one_and_a_dilute_one_is_none() -> None:
    cell, shares, turned = sheared_crystal(14.0, 90.0)
    turned[:] = [1.0, 0, 0, 0]
    assert face_lattice(np.diag(np.diag(cell))[None], shares[None], turned[None], 13.6).together[0] == 1.0
    with pytest.raises(TrajectoryError, match="no neighbour 8.16 to 21.8 nm ahead"):
        face_lattice(2 * cell[None], shares[None], turned[None], 13.6)
