from __future__ import annotations

import itertools

import numpy as np
import pytest
import rowan
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from supercrystal import shapes
from supercrystal.errors import PhysicsError
from supercrystal.interactions import bodies, hamaker
from supercrystal.interactions.shell import Shell
from supercrystal.models.beads import tile

ONE = np.array([1.0, 0.0, 0.0, 0.0])
CUBE = tile(shapes.cube(8.6), 1.5, 4.6, per_edge=3)
BODY = CUBE.body("C", "b")
PLATE = tile(shapes.cuboid((9.0, 6.0, 3.0)), 1.0, 2.4, spacing=1.0).body("P", "p")
POTENTIALS = {
    ("b", "b"): bodies.bead_potentials(4.6, 0.4),
    ("b", "p"): bodies.bead_potentials(3.5, 0.3),
    ("C", "P"): (Shell(0.6, 14.0, 8.0),),
    ("S", "b"): bodies.bead_potentials(6.0, 0.5),
}

seeds = st.integers(0, 10**6)
SETTINGS = settings(deadline=None, max_examples=40)


def _arrangement(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A random one, near enough to feel the wells."""
    rng = np.random.default_rng(seed)
    along = rng.normal(size=3)
    r = along / np.linalg.norm(along) * rng.uniform(9.0, 15.0)
    turns = np.asarray(rowan.normalize(rng.normal(size=(2, 4))))
    return r, turns[0], turns[1]


def _turned(q: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """q after a small turn about the axes of space."""
    angle = float(np.linalg.norm(vector))
    return np.asarray(rowan.multiply(rowan.from_axis_angle(vector / angle, angle), q))


def test_energy_and_torque_are_sums_over_beads_one_by_one() -> None:
    r, qa, qb = _arrangement(3)
    found = bodies.encounter(BODY, PLATE, r, qa, qb, POTENTIALS)
    energy, force, about_a, about_b = 0.0, np.zeros(3), np.zeros(3), np.zeros(3)
    for x, y in itertools.product(rowan.rotate(qa, BODY.positions), rowan.rotate(qb, PLATE.positions)):
        d = r + y - x
        distance = np.linalg.norm(d)
        for term in POTENTIALS["b", "p"]:
            energy += float(term.energy(distance))
            pull = float(term.force(distance)) * d / distance
            force += pull
            about_a += np.cross(x, -pull)
            about_b += np.cross(y, pull)
    centre = POTENTIALS["C", "P"][0]
    distance = np.linalg.norm(r)
    energy += float(centre.energy(distance))
    force += float(centre.force(distance)) * r / distance
    assert abs(energy) > 0.1
    assert float(found.energy) == pytest.approx(energy, rel=1e-10)
    np.testing.assert_allclose(found.force, force, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found.torque_a, about_a, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.torque_b, about_b, rtol=1e-9, atol=1e-9)


@SETTINGS
@given(seeds)
@pytest.mark.parametrize("other", [BODY, PLATE, "S"], ids=["cube", "plate", "sphere"])
def test_force_and_torque_are_slopes_of_the_energy(other, seed: int) -> None:  # type: ignore[no-untyped-def]
    r, qa, qb = _arrangement(seed)
    found = bodies.encounter(BODY, other, r, qa, qb, POTENTIALS)
    assume(float(found.energy) < 1e4)
    step = 1e-5
    moves = step * np.concatenate([np.eye(3), -np.eye(3)])

    def slope(energies: NDArray[np.float64]) -> NDArray[np.float64]:
        return (energies[3:] - energies[:3]) / (2 * step)

    scale = {"rtol": 1e-5, "atol": 1e-6 * (1 + abs(float(found.energy)))}
    along = bodies.encounter(BODY, other, r + moves, qa, qb, POTENTIALS).energy
    np.testing.assert_allclose(found.force, slope(along), **scale)
    turned = np.array([_turned(qa, move) for move in moves])
    np.testing.assert_allclose(
        found.torque_a, slope(bodies.encounter(BODY, other, r, turned, qb, POTENTIALS).energy), **scale
    )
    turned = np.array([_turned(qb, move) for move in moves])
    np.testing.assert_allclose(
        found.torque_b, slope(bodies.encounter(BODY, other, r, qa, turned, POTENTIALS).energy), **scale
    )


@SETTINGS
@given(seeds)
def test_reaction_is_opposite_and_angular_momentum_is_kept(seed: int) -> None:
    r, qa, qb = _arrangement(seed)
    one = bodies.encounter(BODY, PLATE, r, qa, qb, POTENTIALS)
    other = bodies.encounter(PLATE, BODY, -r, qb, qa, POTENTIALS)
    scale = {"rtol": 1e-8, "atol": 1e-8 * (1 + float(np.abs(one.force).max()))}
    assert float(one.energy) == pytest.approx(float(other.energy), rel=1e-9)
    np.testing.assert_allclose(one.force, -other.force, **scale)
    np.testing.assert_allclose(one.torque_a, other.torque_b, **scale)
    np.testing.assert_allclose(one.torque_b, other.torque_a, **scale)
    np.testing.assert_allclose(
        one.torque_a + one.torque_b + np.cross(r, one.force), 0, atol=scale["atol"] * 10
    )


@SETTINGS
@given(seeds)
def test_energy_is_that_of_turned_space_and_of_equivalent_cubes(seed: int) -> None:
    r, qa, qb = _arrangement(seed)
    found = bodies.encounter(BODY, BODY, r, qa, qb, POTENTIALS)
    whole = _arrangement(seed + 1)[1]
    same = bodies.encounter(
        BODY, BODY, rowan.rotate(whole, r), rowan.multiply(whole, qa), rowan.multiply(whole, qb), POTENTIALS
    )
    assert float(same.energy) == pytest.approx(float(found.energy), rel=1e-8)
    close = {"rtol": 1e-7, "atol": 1e-7 * (1 + float(np.abs(found.force).max()))}
    np.testing.assert_allclose(same.torque_a, rowan.rotate(whole, found.torque_a), **close)
    group = Rotation.create_group("O").as_quat()[:, [3, 0, 1, 2]]
    equal = bodies.encounter(BODY, BODY, r, rowan.multiply(qa, group), qb, POTENTIALS)
    np.testing.assert_allclose(equal.energy, found.energy, rtol=1e-8)
    np.testing.assert_allclose(equal.torque_b, np.tile(found.torque_b, (24, 1)), **close)


def test_arrangements_broadcast_and_do_not_depend_on_how_many_are_asked_at_once() -> None:
    many = [_arrangement(seed) for seed in range(40)]
    r, qa, qb = (np.array(values).reshape(8, 5, -1) for values in zip(*many, strict=True))
    found = bodies.encounter(BODY, PLATE, r, qa, qb, POTENTIALS)
    assert found.energy.shape == (8, 5)
    assert found.torque_a.shape == (8, 5, 3)
    alone = bodies.encounter(BODY, PLATE, r[3, 2], qa[3, 2], qb[3, 2], POTENTIALS)
    np.testing.assert_allclose(found.energy[3, 2], alone.energy, rtol=1e-12)
    np.testing.assert_allclose(found.torque_b[3, 2], alone.torque_b, rtol=1e-9, atol=1e-12)
    line = bodies.encounter(BODY, PLATE, r[:, :1], qa[0, 0], qb[0, :5], POTENTIALS)
    assert line.energy.shape == (8, 5)


@pytest.mark.parametrize("approach", bodies.APPROACHES)
def test_curves_are_encounters_of_parallel_bodies(approach: str) -> None:
    gaps = np.linspace(2.0, 6.0, 9)
    direction, touching = bodies.line(CUBE.core, approach)
    assert touching == pytest.approx(8.6 * {"face": 1, "edge": 2**0.5, "corner": 3**0.5}[approach])
    energy, force = bodies.curve(BODY, CUBE.core, POTENTIALS, approach, gaps)
    found = bodies.encounter(BODY, BODY, (touching + gaps)[:, None] * direction, ONE, ONE, POTENTIALS)
    np.testing.assert_allclose(energy, found.energy, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(force, found.force @ direction, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found.torque_a, 0, atol=1e-8 * (1 + np.abs(found.force).max()))
    moved = bodies.curve(BODY, CUBE.core, POTENTIALS, approach, gaps, (0.0, 0.3, -0.2))[0]
    r = (touching + gaps)[:, None] * direction + [0.0, 0.3, -0.2]
    np.testing.assert_allclose(
        moved, bodies.encounter(BODY, BODY, r, ONE, ONE, POTENTIALS).energy, rtol=1e-10
    )


def test_faces_bind_more_than_edges_and_edges_more_than_corners() -> None:
    wells = [
        bodies.well(BODY, CUBE.core, POTENTIALS, approach, (0.5, 6.0))[1] for approach in bodies.APPROACHES
    ]
    assert wells[0] < 2 * wells[1] < 4 * wells[2] < 0


def test_the_well_is_where_the_force_vanishes() -> None:
    gap, energy = bodies.well(BODY, CUBE.core, POTENTIALS, "face", (1.5, 5.0))
    at, force = bodies.curve(BODY, CUBE.core, POTENTIALS, "face", gap)
    assert float(at) == energy
    assert abs(float(force)) < 1e-3 * abs(energy)
    assert np.all(bodies.curve(BODY, CUBE.core, POTENTIALS, "face", [gap - 0.1, gap + 0.1])[0] > energy)


def _between(depth: float):  # type: ignore[no-untyped-def]
    return bodies.bead_potentials(CUBE.bead_diameter, depth)


def _faces(depth: float) -> tuple[float, float]:
    return bodies.well(BODY, CUBE.core, {("b", "b"): _between(depth)}, "face", (1.0, 5.0))


@settings(deadline=None, max_examples=10)
@given(st.floats(-12.0, -0.05))
def test_calibration_reaches_the_target(target: float) -> None:
    found = bodies.calibrate(_faces, target)
    potentials = {("b", "b"): _between(found.depth)}
    # Found again on a grid of another kind, by the general sum.
    gaps = np.linspace(found.position - 0.05, found.position + 0.05, 41)
    r = (8.6 + gaps)[:, None] * [0.0, 0.0, 1.0]
    energies = bodies.encounter(BODY, BODY, r, ONE, ONE, potentials).energy
    assert energies.min() == pytest.approx(target, rel=2e-3)
    assert energies.min() >= target * (1 + 1e-6)
    assert found.energy == pytest.approx(target, rel=1e-6)


def test_calibration_against_the_integral_over_two_cubes() -> None:
    constant = 5e-20 / 4.116e-21
    found = bodies.calibrate(_faces, lambda gap: hamaker.cubes(constant, 8.6, gap))
    assert found.energy == pytest.approx(hamaker.cubes(constant, 8.6, found.position), rel=1e-6)
    # Beads end where shells end, so that faces meet at two shells.
    assert found.position == pytest.approx(3.0, abs=0.05)
    # Not against the cut out of two plates, which is too strong by more than half here.
    assert float(hamaker.cube_faces(constant, 8.6, found.position)) < 1.5 * found.energy


def test_unlike_bodies_meet_where_like_ones_do() -> None:
    gap, energy = _faces(0.4)
    same = bodies.facing(BODY, BODY, {("b", "b"): _between(0.4)}, 8.6 + gap)
    assert float(same) == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bodies.encounter(BODY, BODY, [1.0, 2.0], ONE, ONE, POTENTIALS), "separation"),
        (lambda: bodies.encounter(BODY, BODY, [12.0, 0, 0], 2 * ONE, ONE, POTENTIALS), "unit quaternions"),
        (lambda: bodies.encounter(BODY, "X", [12.0, 0, 0], ONE, ONE, POTENTIALS), "known pairs: b–b"),
        (lambda: bodies.encounter("S", "S", [0.0, 0, 0], ONE, ONE, {("S", "S"): _between(1.0)}), "one place"),
        (lambda: bodies.line(CUBE.core, "side"), "face, edge, corner"),
        (lambda: bodies.line(shapes.sphere(2.0), "face"), "cuboid"),
        (lambda: bodies.well(BODY, CUBE.core, {("b", "b"): _between(0.0)}, "face", (1.0, 5.0)), "no well"),
        (lambda: bodies.calibrate(_faces, 1.0), "energy < 0"),
        (lambda: bodies.calibrate(_faces, -1e6, largest=1.0), "largest"),
        (lambda: bodies.bead_potentials(3.0, -1.0), "depth ≥ 0"),
        (lambda: bodies.bead_potentials(3.0, 1.0, reach=1.0), "reach"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PhysicsError, match=message):
        make()
