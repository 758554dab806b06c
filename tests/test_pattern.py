from __future__ import annotations

import numpy as np
import pytest
import rowan
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal import lattices
from supercrystal.errors import PhysicsError, TrajectoryError
from supercrystal.structure.scattering.amplitudes import direct_sum, scatterers
from supercrystal.structure.scattering.form_factors import Body, Sphere, points
from supercrystal.structure.scattering.pattern import pattern

A = 4.0


def crystal(phase: str = "ABO3", n: int = 5, noise: float = 0.0):
    frame = lattices.build(phase, {"a": A}, repeats=(n, n, n))
    p = frame.particles
    x = p.position + np.random.default_rng(0).normal(0, noise, p.position.shape)
    return scatterers(frame.configuration.box, x, p.typeid, p.types)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("zone", [(0, 0, 1), (1, 1, 0), (1, 1, 1), (1, 2, 0)])
def test_spots_obey_the_zone_law_and_the_selection_rules(zone: tuple[int, ...], free: bool) -> None:
    weights = {"A": 1.0, "B": 0.5, "O": 0.3}
    found = crystal()
    shown = pattern(found.free() if free else found, 6.0, zone, A * np.eye(3), points(weights))
    assert len(shown.spots) > 5
    cells = 5**3
    for spot in shown.spots:
        h, k, l = spot.hkl  # noqa: E741
        assert np.dot(spot.hkl, zone) == 0
        assert spot.q == pytest.approx(2 * np.pi / A * np.linalg.norm(spot.hkl))
        assert spot.spacing == pytest.approx(A / np.linalg.norm(spot.hkl))
        f = 1.0 + 0.5 * (-1) ** (h + k + l) + 0.3 * ((-1) ** (h + k) + (-1) ** (h + l) + (-1) ** (k + l))
        assert spot.intensity == pytest.approx((f * cells) ** 2 / found.n, rel=1e-4)
        assert np.hypot(*spot.position) == pytest.approx(spot.q)


@pytest.mark.parametrize("zone", [(0, 0, 1), (1, 1, 0), (1, 1, 1)])
def test_image_shows_the_spots_where_they_are_listed(zone: tuple[int, ...]) -> None:
    found = crystal("fcc", 6, noise=0.05)
    for one in (found, found.free()):
        shown = pattern(one, 5.0, zone, A * np.eye(3), pixels=201)
        step = shown.q[1] - shown.q[0]
        for spot in shown.spots:
            if spot.intensity < 0.2 * shown.spots[0].intensity or max(map(abs, spot.position)) > 4.8:
                continue
            i, j = (round((v + 5.0) / step) for v in spot.position)
            around = shown.intensity[i - 3 : i + 4, j - 3 : j + 4]
            assert around.max() == pytest.approx(spot.intensity, rel=0.15)
            assert shown.intensity[i, j] > 0.7 * spot.intensity


def test_image_of_a_cluster_is_the_plain_sum() -> None:
    x = np.random.default_rng(2).uniform(-4, 4, (60, 3))
    direction = (1, 2, 2)
    shown = pattern(scatterers(None, x), 3.0, direction, pixels=31)
    n = np.array(direction) / 3
    assert shown.axes[2] @ n == pytest.approx(1)
    np.testing.assert_allclose(shown.axes @ shown.axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(shown.axes) == pytest.approx(1)
    k = np.stack(np.meshgrid(shown.q, shown.q, indexing="ij"), -1) @ shown.axes[:2]
    expected = np.abs(direct_sum(x, k.reshape(-1, 3), np.ones(60, complex))) ** 2 / 60
    np.testing.assert_allclose(shown.intensity.ravel(), expected, atol=1e-6)
    assert shown.intensity[15, 15] == pytest.approx(60)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_turning_grain_and_cell_together_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn = rng.normal(size=4)
    turn /= np.linalg.norm(turn)
    found = crystal("NaCl", 3, noise=0.1).free()
    first = pattern(found, 5.0, (1, 1, 0), A * np.eye(3), pixels=21)
    groups = np.concatenate([rowan.rotate(turn, x) for x in found.groups.values()])
    kinds = np.repeat([0, 1], list(found.counts.values()))
    turned = scatterers(None, groups, kinds, list(found.groups))
    second = pattern(turned, 5.0, (1, 1, 0), rowan.rotate(turn, A * np.eye(3)), pixels=21)
    np.testing.assert_allclose(second.intensity, first.intensity, atol=1e-5 * first.intensity.max())
    assert [spot.hkl for spot in second.spots[:4]] == [spot.hkl for spot in first.spots[:4]]


def test_form_factors_weigh_the_spots() -> None:
    found = crystal("fcc", 4)
    body = {"A": Body(((Sphere(0.8), 1.0),))}
    plain, weighed = (pattern(found, 6.0, (0, 0, 1), A * np.eye(3), bodies) for bodies in (None, body))
    by_hkl = {spot.hkl: spot.intensity for spot in plain.spots}
    for spot in weighed.spots:
        f = body["A"].radial_moments(np.array([spot.q]))[0][0]
        assert spot.intensity == pytest.approx(f**2 * by_hkl[spot.hkl], rel=1e-6, abs=1e-6)


def test_without_a_cell_maxima_are_listed_without_indices() -> None:
    shown = pattern(crystal("sc", 6, noise=0.05), 4.0, (0, 0, 1), pixels=161)
    assert all(spot.hkl is None for spot in shown.spots)
    q = 2 * np.pi / A
    inner = sorted(spot.q for spot in shown.spots)[:8]
    np.testing.assert_allclose(inner, [q] * 4 + [q * 2**0.5] * 4, atol=0.05)


def test_film_seen_from_above() -> None:
    """A slab with empty space above it, as a periodic box and by itself: the same in-plane spots."""
    x = np.stack(np.meshgrid(*[np.arange(n) * A for n in (8, 8, 3)], indexing="ij"), -1).reshape(-1, 3)
    box = [8 * A, 8 * A, 20 * A, 0, 0, 0]
    for found in (scatterers(box, x), scatterers(None, x)):
        shown = pattern(found, 4.0, (0, 0, 1), A * np.eye(3))
        for spot in shown.spots:
            assert spot.intensity == pytest.approx(len(x), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"q_max": -1.0}, TrajectoryError, "q_max"),
        ({"pixels": 2}, TrajectoryError, "pixels"),
        ({"zone": (0, 0, 0)}, PhysicsError, "not all 0"),
        ({"zone": (0, 0, 0), "cell": np.eye(3)}, PhysicsError, "not all 0"),
        ({"zone": (0.5, 0, 1), "cell": np.eye(3)}, PhysicsError, "whole numbers"),
        ({"cell": np.ones((3, 3))}, TrajectoryError, "one plane"),
        ({"bodies": points({"B": 1.0})}, PhysicsError, "every species"),
    ],
)
def test_refuses(arguments, error, words: str) -> None:
    with pytest.raises(error, match=words):
        pattern(**{"found": crystal("sc", 2), "q_max": 3.0, **arguments})
