from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError
from supercrystal.structure.scattering.form_factors import (
    Body,
    Cuboid,
    Polyhedron,
    Sphere,
    bodies_for,
    cube,
    points,
    sphere_quadrature,
    truncated_cube,
)

TETRAHEDRON = Polyhedron(((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0)))
SHAPES = [Sphere(1.3), cube(2.0), Cuboid((1.0, 2.0, 3.0)), truncated_cube(2.0, 0.6), TETRAHEDRON]
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", SHAPES)
def test_amplitude_is_the_integral_over_the_volume(shape) -> None:
    """Monte Carlo with a known standard error."""
    n = 400_000
    x = RNG.uniform(-shape.radius, shape.radius, (n, 3))
    if isinstance(shape, Sphere):
        inside = np.linalg.norm(x, axis=1) <= shape.radius
    elif isinstance(shape, Cuboid):
        inside = np.all(np.abs(x) <= np.array(shape.edges) / 2, axis=1)
    else:
        from scipy.spatial import ConvexHull

        planes = ConvexHull(np.array(shape.vertices)).equations
        inside = np.all(x @ planes[:, :3].T + planes[:, 3] <= 0, axis=1)
    box = (2 * shape.radius) ** 3
    for q in RNG.normal(0, 1.5, (5, 3)):
        wave = np.where(inside, np.exp(1j * (x @ q)), 0) * box
        error = np.std(wave) / math.sqrt(n)
        assert abs(wave.mean() - complex(shape.amplitude(q[None])[0])) < 4 * error


@pytest.mark.parametrize("shape", SHAPES)
def test_limits_at_small_and_large_q(shape) -> None:
    assert complex(shape.amplitude(np.zeros((1, 3)))[0]) == pytest.approx(shape.volume, rel=1e-9)
    # Guinier: ⟨|f|²⟩ = V² (1 - q² R_g² / 3), R_g from the second moments by the small-q curvature along three axes.
    step = 1e-2 / shape.radius
    curvature = [
        1 - abs(complex(shape.amplitude(step * axis[None])[0])) ** 2 / shape.volume**2 for axis in np.eye(3)
    ]
    body = Body(((shape, 1.0),))
    square = body.radial_moments(np.array([step]))[1][0] / shape.volume**2
    assert 1 - square == pytest.approx(np.mean(curvature), rel=2e-3)


def test_guinier_radius_of_a_sphere_and_a_cube() -> None:
    q = np.array([1e-2])
    for shape, radius in ((Sphere(2.0), math.sqrt(3 / 5) * 2), (cube(2.0), 1.0)):
        square = Body(((shape, 1.0),)).radial_moments(q)[1][0] / shape.volume**2
        assert 1 - square == pytest.approx(q[0] ** 2 * radius**2 / 3, rel=1e-3)


def test_porod_law_of_a_sphere() -> None:
    """q⁴ ⟨f²⟩ → 2π S on average over a period."""
    q = np.linspace(200, 200 + math.pi, 4001)[:-1]
    square = Body(((Sphere(1.0), 1.0),)).radial_moments(q)[1]
    assert np.mean(q**4 * square) == pytest.approx(2 * math.pi * 4 * math.pi, rel=1e-2)


def test_truncation_goes_from_the_cube_to_the_cuboctahedron() -> None:
    q = RNG.normal(0, 2, (50, 3))
    np.testing.assert_allclose(truncated_cube(2.0, 1e-6).amplitude(q), cube(2.0).amplitude(q), atol=1e-6)
    assert truncated_cube(2.0, 1.0).volume == pytest.approx(8 * 5 / 6)
    # Along normals, edges and faces, where closed forms of polyhedra have poles.
    special = np.array([[0, 0, 3.0], [1, 1, 1], [1, 1, 0], [0, 2, 2], [1e-7, 0, 0]])
    near = truncated_cube(2.0, 0.6).amplitude(special + 1e-5)
    np.testing.assert_allclose(truncated_cube(2.0, 0.6).amplitude(special), near, atol=1e-3)


@pytest.mark.parametrize("shape", [cube(2.0), truncated_cube(2.0, 0.6), TETRAHEDRON])
def test_average_over_directions(shape) -> None:
    q = np.array([0.3, 1.7, 4.0, 9.0])
    mean, square = Body(((shape, 2.0),)).radial_moments(q)
    direction = RNG.normal(size=(40_000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    for value, first, second in zip(q, mean, square, strict=True):
        f = 2 * shape.amplitude(value * direction)
        assert abs(f.real.mean() - first) < 4 * f.real.std() / 200 + 1e-9
        assert abs((np.abs(f) ** 2).mean() - second) < 4 * (np.abs(f) ** 2).std() / 200


def test_size_dispersity_is_the_average_over_a_normal_distribution() -> None:
    q = np.linspace(0.1, 12, 40)
    mean, square = Body(((Sphere(2.0), 1.0),), dispersity=0.1).radial_moments(q)
    size = np.linspace(0.4, 1.6, 4001)
    weight = np.exp(-(((size - 1) / 0.1) ** 2) / 2)
    weight /= weight.sum()
    f = np.array([Sphere(2.0 * s).amplitude(q[:, None] * np.array([0, 0, 1.0])) for s in size])
    np.testing.assert_allclose(mean, weight @ f, atol=1e-6 * f.max())
    np.testing.assert_allclose(square, weight @ f**2, rtol=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_turning_particle_and_wave_vector_together_changes_nothing(seed: int) -> None:
    import rowan

    rng = np.random.default_rng(seed)
    turn, q = rowan.random.rand(), rng.normal(0, 2, (10, 3))
    shape = Cuboid((1.0, 2.0, 3.0))
    turned = Body(((shape, 1.0),), orientations=(tuple(turn),))
    np.testing.assert_allclose(turned.moments(rowan.rotate(turn, q))[0], shape.amplitude(q), atol=1e-9)


def test_a_sample_of_all_orientations_tends_to_the_average_over_directions() -> None:
    import rowan

    np.random.seed(1)  # noqa: NPY002  (rowan draws from it)
    turns = tuple(map(tuple, rowan.random.rand(4000)))
    q = np.array([[0.0, 0, 2.0]])
    some = Body(((cube(2.0), 1.0),), orientations=turns).moments(q)[1][0]
    anywhere = Body(((cube(2.0), 1.0),)).radial_moments(np.array([2.0]))[1][0]
    assert some == pytest.approx(anywhere, rel=0.03)


@pytest.mark.parametrize("order", [4, 9, 30])
def test_quadrature_is_exact_for_even_harmonics(order: int) -> None:
    direction, weight = sphere_quadrature(order)
    assert weight.sum() == pytest.approx(1, rel=1e-12)
    for power in range(0, order + 1, 2):
        for axis in RNG.normal(size=(3, 3)):
            axis = axis / np.linalg.norm(axis)
            assert weight @ (direction @ axis) ** power == pytest.approx(1 / (power + 1), rel=1e-9)


def test_core_and_shell_is_the_sum_of_its_parts() -> None:
    q = RNG.normal(size=(20, 3))
    both = Body(((Sphere(2.0), 3.0), (Sphere(3.0), -1.0))).moments(q)[0]
    np.testing.assert_allclose(both, 3 * Sphere(2.0).amplitude(q) - Sphere(3.0).amplitude(q), rtol=1e-12)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Sphere(0.0), "radius"),
        (lambda: cube(-1.0), "edge"),
        (lambda: truncated_cube(2.0, 1.5), "cut"),
        (lambda: Body(()), "at least one shape"),
        (lambda: Body(((Sphere(1.0), np.nan),)), "finite contrast"),
        (lambda: Body(((Sphere(1.0), 1.0),), dispersity=0.5), "dispersity"),
        (lambda: Body(((Sphere(1.0), 1.0),), orientations=((2, 0, 0, 0),)), "unit quaternions"),
        (lambda: Polyhedron(((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0))).volume, "one plane"),
        (lambda: bodies_for(points({"A": 1.0}), ["A", "B"]), "every species"),
        (lambda: bodies_for(points({"A": 1.0, "B": 1.0}), ["A"]), "every species"),
        (lambda: Body(((cube(1.0), 1.0),), ((1, 0, 0, 0),)).radial_moments(np.ones(1)), "direction"),
    ],
)
def test_refuses(build, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        build()
