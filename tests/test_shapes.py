from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal import shapes
from supercrystal.errors import PhysicsError
from supercrystal.packing.cubes import cube_vertices

lengths = st.floats(1.0, 20.0)
fractions = st.floats(0.01, 1.0)


@settings(deadline=None, max_examples=40)
@given(lengths, lengths, lengths, fractions)
def test_cuboids_have_the_volume_surface_and_inertia_of_geometry(
    a: float, b: float, c: float, f: float
) -> None:
    plate = shapes.cuboid((a, b, c))
    assert plate.volume == pytest.approx(a * b * c)
    assert plate.surface == pytest.approx(2 * (a * b + b * c + c * a))
    assert plate.gyration == pytest.approx(((b * b + c * c) / 12, (a * a + c * c) / 12, (a * a + b * b) / 12))
    cut = f * min(a, b, c) / 2
    truncated = shapes.cuboid((a, b, c), cut)
    # Eight corners of volume t³/6; each takes three right triangles away and adds an equilateral one of side √2 t.
    assert truncated.volume == pytest.approx(a * b * c - 4 / 3 * cut**3)
    assert truncated.surface == pytest.approx(
        2 * (a * b + b * c + c * a) - 12 * cut**2 + 4 * np.sqrt(3) * cut**2
    )


@settings(deadline=None, max_examples=40)
@given(lengths, lengths, lengths, st.floats(0.0, 10.0))
def test_a_shell_obeys_steiner(a: float, b: float, c: float, t: float) -> None:
    capped = shapes.cuboid((a, b, c)).capped(t)
    faces, edges = 2 * (a * b + b * c + c * a), a + b + c
    assert capped.volume == pytest.approx(a * b * c + faces * t + np.pi * edges * t**2 + 4 / 3 * np.pi * t**3)
    assert capped.surface == pytest.approx(faces + 2 * np.pi * edges * t + 4 * np.pi * t**2)
    assert capped.core.volume == pytest.approx(a * b * c)


def test_moments_of_a_truncated_cube_by_sampling() -> None:
    shape = shapes.cube(2.0, 0.8)
    x = np.random.default_rng(1).uniform(-1, 1, (400_000, 3))
    x = x[np.abs(x).sum(axis=1) <= 3 - 0.8]
    expected = np.mean(x[:, 1] ** 2 + x[:, 2] ** 2)
    assert shape.gyration == pytest.approx((expected,) * 3, rel=0.01)


def test_spheres() -> None:
    ball = shapes.sphere(6.0)
    assert ball.volume == pytest.approx(36 * np.pi)
    assert ball.surface == pytest.approx(36 * np.pi)
    assert ball.gyration == pytest.approx((3.6,) * 3)
    assert ball.capped(1.0).extent((1, 2, 3)) == 4.0
    assert ball.exponent == 1.0
    assert ball.capped(1.0).sphere_radius == pytest.approx(4.0)
    assert ball.gsd() == {"type": "Sphere", "diameter": 6.0}
    with pytest.raises(PhysicsError, match="no faces"):
        _ = ball.polyhedron


def test_vertices_are_those_of_the_packing_models() -> None:
    for cut in (0.0, 0.3):
        ours = shapes.cube(1.3, cut).vertices
        theirs = cube_vertices(1.3, cut)
        assert len(ours) == len(theirs)
        assert np.linalg.norm(ours[:, None] - theirs, axis=-1).min(axis=1).max() < 1e-12


def test_a_cube_cut_to_the_middle_of_its_edges_is_a_cuboctahedron() -> None:
    shape = shapes.cube(2.0, 1.0)
    assert len(shape.vertices) == 12
    assert shape.polyhedron.num_faces == 14
    assert shape.volume == pytest.approx(20 / 3)


@settings(deadline=None)
@given(lengths, st.floats(0.05, 10.0))
def test_exponent_is_the_superball_with_the_same_diagonal(edge: float, t: float) -> None:
    capped = shapes.cube(edge).capped(t)
    q = capped.exponent
    assert q == pytest.approx(float(shapes.superball_exponent(edge, t)))
    assert q > 1
    # The superball |x|^2q + |y|^2q + |z|^2q = r^2q has its diagonal at √3 r 3^(-1/2q).
    assert np.sqrt(3) * 3 ** (-1 / (2 * q)) * capped.extent((1, 0, 0)) == pytest.approx(
        capped.extent((1, 1, 1))
    )


def test_exponent_ends_at_cube_and_sphere() -> None:
    assert shapes.superball_exponent(8.6, 0.0) == np.inf
    assert shapes.superball_exponent(0.0, 2.0) == pytest.approx(1.0)
    assert shapes.cube(5.0).exponent == np.inf
    assert shapes.cube(5.0, 1.0).exponent < np.inf


def test_a_polyhedron_is_centred_and_turned_to_its_principal_axes() -> None:
    import rowan

    turn = rowan.from_axis_angle([1.0, 2.0, 3.0], 0.7)
    moved = rowan.rotate(turn, shapes.cuboid((2.0, 3.0, 5.0)).vertices) + np.array([1.0, -2.0, 3.0])
    shape = shapes.polyhedron(moved)
    assert sorted(shape.gyration) == pytest.approx(sorted(shapes.cuboid((2.0, 3.0, 5.0)).gyration))
    np.testing.assert_allclose(shape.polyhedron.centroid, 0, atol=1e-9)
    inertia = np.asarray(shape.polyhedron.inertia_tensor)
    np.testing.assert_allclose(inertia - np.diag(np.diag(inertia)), 0, atol=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: shapes.sphere(0.0), "diameter > 0"),
        (lambda: shapes.cube(0.0), "no volume"),
        (lambda: shapes.cuboid((1.0, 2.0, -1.0)), "no volume"),
        (lambda: shapes.cuboid((1.0, 2.0, float("nan"))), "no volume"),
        (lambda: shapes.cube(2.0, 1.01), "cuts overlap"),
        (lambda: shapes.cube(2.0, -0.1), "cuts overlap"),
        (lambda: shapes.cuboid((4.0, 4.0, 1.0), 0.6), r"\[0, 0.5\]"),
        (lambda: shapes.cube(2.0).capped(-0.1), "thickness"),
        (lambda: shapes.superball_exponent(0.0, 0.0), "not both 0"),
        (lambda: shapes.cuboid((1.0, 2.0, 3.0)).exponent, "not for a plate"),
        (lambda: shapes.cube(2.0).capped(1.0).gyration, "core"),
        (lambda: shapes.cube(2.0).extent((0, 0, 0)), "direction"),
        (lambda: shapes.polyhedron(np.zeros((3, 3))), "four or more"),
        (lambda: shapes.polyhedron([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]), "no volume"),
        (lambda: shapes.polyhedron([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1e-8]]), "no volume"),
        (lambda: shapes.polyhedron([*cube_vertices(1.0), [0.1, 0.0, 0.0]]), "only convex"),
        (lambda: shapes.polyhedron([*cube_vertices(1.0), cube_vertices(1.0)[0]]), "only convex"),
    ],
)
def test_what_is_no_shape_is_refused(make, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PhysicsError, match=message):
        make()
