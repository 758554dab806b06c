from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from supercrystal import shapes
from supercrystal.errors import PhysicsError
from supercrystal.models.beads import Body, tile
from supercrystal.shapes import Shape

CORES = {
    "cube": shapes.cube(8.6),
    "truncated": shapes.cube(8.6, 2.0),
    "cuboctahedron": shapes.cube(5.3, 2.65),
    "plate": shapes.cuboid((12.0, 9.0, 3.0)),
    "cut plate": shapes.cuboid((12.0, 9.0, 4.0), 1.5),
    "octahedron": shapes.polyhedron(np.concatenate([np.eye(3), -np.eye(3)]) * 4),
}


@pytest.mark.parametrize("k", range(2, 9))
def test_a_cube_of_k_beads_an_edge(k: int) -> None:
    tiling = tile(shapes.cube(8.6), 1.5, 8.6, per_edge=k)
    assert len(tiling.positions) == 6 * k**2 - 12 * k + 8
    edge = 8.6 - 2 * (4.3 - 1.5)
    assert tiling.spacing == pytest.approx(edge / (k - 1))
    assert tiling.hollow == pytest.approx(edge / (k - 1) / np.sqrt(2))
    np.testing.assert_allclose(np.abs(tiling.positions).max(axis=1), edge / 2, rtol=1e-9)


def _height(shape: Shape, x: np.ndarray) -> np.ndarray:
    """Height above the surface of a polyhedron, for points at or below it."""
    return np.max(x @ shape.polyhedron.normals.T + np.asarray(shape.polyhedron.equations)[:, 3], axis=1)


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
@pytest.mark.parametrize("diameter", [None, 2.6])
def test_beads_touch_the_capped_outline_from_inside(core: Shape, diameter: float | None) -> None:
    tiling = tile(core, 1.0, diameter)
    # Centres lie on a cage as deep as the bead is larger than the shell, so that every bead ends at the shell's end.
    np.testing.assert_allclose(_height(core, tiling.positions), 1.0 - tiling.bead_diameter / 2, atol=1e-9)
    if diameter is None:
        assert tiling.bead_diameter == 2.0
        assert tiling.outline.volume == pytest.approx(tiling.capped.volume)
    else:
        assert tiling.outline.volume < tiling.capped.volume


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
def test_hollows_are_as_large_as_said(core: Shape) -> None:
    tiling = tile(core, 1.0)
    assert tiling.hollow <= 0.5 * tiling.bead_diameter / np.sqrt(2) + 1e-9
    # Points of the faces, spread at random over triangles between each face's corners.
    rng = np.random.default_rng(2)
    beads, farthest = cKDTree(tiling.positions), 0.0
    for face in core.polyhedron.faces:
        corners = core.vertices[face]
        for second, third in itertools.pairwise(corners[1:]):
            u, v = rng.uniform(size=(2, 3000, 1))
            x = corners[0] + np.sqrt(u) * (second - corners[0] + v * (third - second))
            farthest = max(farthest, float(beads.query(x)[0].max()))
    assert tiling.hollow * 0.93 < farthest <= tiling.hollow + 1e-9


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
def test_no_two_beads_are_one_and_the_centre_is_the_origin(core: Shape) -> None:
    tiling = tile(core, 1.0)
    distance = np.linalg.norm(tiling.positions[:, None] - tiling.positions, axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 0.3 * tiling.spacing
    np.testing.assert_allclose(tiling.positions.mean(axis=0), 0, atol=1e-9)


def test_fewer_and_larger_beads_make_a_rounder_cube() -> None:
    core = shapes.cube(8.6)
    fine, coarse = tile(core, 1.5), tile(core, 1.5, 4.2)
    assert fine.outline.exponent == pytest.approx(fine.capped.exponent)
    assert len(coarse.positions) < len(fine.positions)
    assert coarse.capped.exponent == fine.capped.exponent
    assert coarse.outline.exponent == pytest.approx(float(shapes.superball_exponent(8.6 - 1.2, 2.1)))


@settings(deadline=None, max_examples=20)
@given(st.floats(1.0, 12.0), st.floats(3.0, 12.0), st.floats(0.5, 2.0))
def test_mass_and_friction_in_brownian_times(edge: float, reference: float, t: float) -> None:
    tiling = tile(shapes.cube(edge), t, spacing=1.0)
    body = tiling.body("C", "b", reference)
    diameter = 2 * tiling.capped.sphere_radius
    # In units of its own Brownian time a body diffuses with D = d² / τ; another unit scales with Stokes' D ∝ 1/d.
    assert 1 / body.friction == pytest.approx(reference**2 * reference / diameter)
    assert body.rotational_friction == pytest.approx((body.friction * diameter**2 / 3,) * 3)
    assert body.mass == pytest.approx(1 / reference**2)
    assert body.moments == pytest.approx((body.mass * edge**2 / 6,) * 3)
    own = tiling.body("C", "b")
    assert own.friction == pytest.approx(1 / diameter**2)


def test_a_body_turns_as_fast_as_stokes_sphere_says() -> None:
    # D_r / D = 3/d² for a sphere: kT/(πηd³) over kT/(3πηd).
    body = tile(shapes.cube(8.6), 1.5).body("C", "b")
    d = 2 * shapes.cube(8.6).capped(1.5).sphere_radius
    assert body.friction / body.rotational_friction[0] == pytest.approx(3 / d**2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tile(shapes.sphere(5.0), 1.0), "one site"),
        (lambda: tile(shapes.cube(5.0).capped(1.0), 1.0), "without its shell"),
        (lambda: tile(shapes.cube(5.0), -1.0), "thickness"),
        (lambda: tile(shapes.cube(5.0), 0.0), "diameter > 0"),
        (lambda: tile(shapes.cube(5.0), 1.0, 1.9), "twice the shell"),
        (lambda: tile(shapes.cube(5.0), 1.0, 7.1), "nothing left"),
        (lambda: tile(shapes.cube(5.0), 1.0, per_edge=1), "2 ends"),
        (lambda: tile(shapes.cube(5.0), 1.0, per_edge=3), "leave holes"),
        (lambda: tile(shapes.cube(5.0), 1.0, spacing=1.2), "leave holes"),
        (lambda: tile(shapes.cube(5.0), 1.0, spacing=0.0), "leave holes"),
        (lambda: tile(shapes.cube(50.0), 0.5), "the limit is"),
        (lambda: tile(shapes.cube(5.0), 1.0).body("C", "b", 0.0), "Brownian time"),
        (lambda: tile(shapes.cube(5.0), 1.0).body("C", "C"), "rename"),
    ],
)
def test_what_cannot_be_tiled_is_refused(make, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PhysicsError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros((0, 3))}, r"\(M, 3\)"),
        ({"positions": np.zeros(3)}, r"\(M, 3\)"),
        ({"positions": np.full((2, 3), np.nan)}, "not finite"),
        ({"bead_types": ("b",)}, "one each"),
        ({"mass": 0.0}, "mass"),
        ({"moments": (1.0, 1.0, -1.0)}, "moments"),
        ({"friction": np.inf}, "friction"),
        ({"rotational_friction": (1.0, 1.0, 0.0)}, "rotational friction"),
    ],
)
def test_what_is_no_body_is_refused(change, message) -> None:  # type: ignore[no-untyped-def]
    good = Body("C", np.eye(3)[:2], ("b", "b"), 1.0, (1.0, 1.0, 1.0), 1.0, (1.0, 1.0, 1.0))
    assert good.radius == 1.0
    with pytest.raises(PhysicsError, match=message):
        dataclasses.replace(good, **change)
