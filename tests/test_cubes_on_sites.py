from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from supercrystal import lattices
from supercrystal.errors import TrajectoryError
from supercrystal.packing import cubes as packing
from supercrystal.structure import cubes
from supercrystal.structure.naming import name
from supercrystal.structure.orientation import cube_angles
from supercrystal.structure.trajectory import Configuration

WIDEST = np.degrees(np.arccos(1 / np.sqrt(3)))


def _quaternions(turns: Rotation) -> NDArray[np.float64]:
    return turns.as_quat()[:, [3, 0, 1, 2]]


def _configuration(
    phase: str,
    orientation: str,
    turn: Rotation | None = None,
    wobble: float = 0.0,
    repeats: int = 6,
    seed: int = 5,
    equivalents: bool = True,
) -> Configuration:
    """A crystal of spheres A and cubes, all cubes in random equivalents; cut to a ball and turned with `turn`."""
    rng = np.random.default_rng(seed)
    constants = {"a": 1.0}
    frame = lattices.build(
        phase,
        constants,
        repeats=(repeats,) * 3,
        types={"O": "B"} if phase == "ABO3" else None,
        orientations=packing.rotations(phase, orientation),
    )
    particles = frame.particles
    x = np.asarray(particles.position, float)
    q = np.asarray(particles.orientation, float)
    kinds = np.asarray(particles.typeid, np.intp)
    box = np.asarray(frame.configuration.box, float)
    n = len(x)
    x = x + rng.normal(0, 0.02, x.shape)
    cubic = Rotation.from_quat(q[:, [1, 2, 3, 0]])
    if equivalents:
        group = Rotation.create_group("O")
        cubic = (
            cubic
            * Rotation.from_rotvec(rng.normal(0, np.radians(wobble), (n, 3)))
            * group[rng.integers(0, 24, n)]
        )
    if turn is not None:
        inside = np.linalg.norm(x, axis=1) < repeats / 2
        x, kinds, cubic = turn.apply(x[inside]), kinds[inside], turn * cubic[inside]
        box = np.array([3.0 * repeats] * 3 + [0, 0, 0])
    q = _quaternions(cubic)
    q[kinds == 0] = [1, 0, 0, 0]
    return Configuration(0, box, x, kinds, tuple(particles.types), orientations=q)


@pytest.mark.parametrize("turn", [None, Rotation.from_euler("xyz", [17, 31, 53], degrees=True)])
@pytest.mark.parametrize("orientation", ["aligned", "rotated"])
def test_both_arrangements_of_the_perovskite_are_told_apart(orientation: str, turn: Rotation | None) -> None:
    named = name(_configuration("ABO3", orientation, turn, repeats=8 if turn is not None else 6))
    assert named.phase == "ABO3"
    found = {one.site: one for one in cubes.on_sites(named) if one.grain == 0}
    assert set(found) == {"B", "O"}  # spheres have no orientation
    assert found["B"].alignment.mean < 2.0
    assert found["B"].line is None
    line = found["O"].line
    assert line is not None
    assert line.tilt.mean() < 2.0
    wanted = {"aligned": (1.0, 0.0, 0.0), "rotated": (0.0, 1.0, 45.0)}[orientation]
    assert (line.aligned, line.rotated) == wanted[:2]
    assert line.twist.mean() == pytest.approx(wanted[2], abs=2.0)
    # A cube turned by 45° about one of its axes is 45° from the grain's.
    assert found["O"].alignment.mean == pytest.approx(wanted[2], abs=2.0)
    assert len(line.tilt) + line.left_out == found["O"].cubatic.particles
    if turn is None:
        assert line.left_out == 0
    json.dumps([one.to_dict() for one in found.values()], allow_nan=False)


def test_rotated_cubes_of_three_lines_have_less_cubatic_order_than_parallel_ones() -> None:
    aligned, rotated = (
        {one.site: one.cubatic for one in cubes.on_sites(name(_configuration("ABO3", choice)))}
        for choice in ("aligned", "rotated")
    )
    assert aligned["O"].tensor == pytest.approx(1.0)
    # Turns by 45° about x, y and z in equal numbers: the tensor's only component ∝ Σ x⁴ is 1/6 of a parallel cube's.
    assert rotated["O"].tensor == pytest.approx(1 / 6, abs=1e-6)
    assert rotated["B"].tensor == pytest.approx(1.0)


def test_wobble_is_measured_on_sites() -> None:
    found = cubes.on_sites(name(_configuration("ABO3", "rotated", wobble=4.0)))
    line = next(one.line for one in found if one.line is not None)
    # Two components of a Gaussian turn the normal, the third is the twist: means 4° √(π/2), and 45° - 4° √(2/π).
    assert line.tilt.mean() == pytest.approx(4 * np.sqrt(np.pi / 2), rel=0.07)
    assert line.twist.mean() == pytest.approx(45 - 4 * np.sqrt(2 / np.pi), abs=0.35)
    at_b = next(one for one in found if one.site == "B")
    # The length of three components: 4° √(8/π).
    assert at_b.alignment.mean == pytest.approx(4 * np.sqrt(8 / np.pi), rel=0.1)


def test_simple_cubic_cubes_alone() -> None:
    axis = np.arange(8.0)
    x = np.array(np.meshgrid(axis, axis, axis)).reshape(3, -1).T - 3.5
    rng = np.random.default_rng(3)
    turns = Rotation.create_group("O")[rng.integers(0, 24, len(x))]
    turns = Rotation.from_rotvec(rng.normal(0, np.radians(5), (len(x), 3))) * turns
    c = Configuration(
        0,
        np.array([8.0, 8, 8, 0, 0, 0]),
        x + rng.normal(0, 0.03, x.shape),
        np.zeros(len(x), np.intp),
        ("C",),
        orientations=_quaternions(turns),
    )
    (found,) = cubes.on_sites(name(c))
    assert (found.phase, found.species, found.line) == ("sc", "C", None)
    assert found.cubatic.tensor == pytest.approx(np.exp(-10 * np.radians(5) ** 2), abs=0.02)
    assert found.alignment.mean == pytest.approx(5 * np.sqrt(8 / np.pi), rel=0.05)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0, 1, 2]))
def test_angles_know_the_symmetry_of_cube_and_line(seed: int, along: int) -> None:
    rng = np.random.default_rng(seed)
    grain, cube = Rotation.random(2, random_state=seed)
    axis = grain.as_matrix()[:, along]

    def angles(turn: Rotation) -> NDArray[np.float64]:
        return np.concatenate(
            cubes.tilt_and_twist(_quaternions(Rotation.concatenate([turn])), grain.as_matrix(), [along])
        )

    found = angles(cube)
    assert 0 <= found[0] <= WIDEST + 1e-9
    assert 0 <= found[1] <= 45
    equivalent = Rotation.create_group("O")[int(rng.integers(24))]
    np.testing.assert_allclose(angles(cube * equivalent), found, atol=1e-6)
    # Quarter turns about the line change nothing; any other turn moves the twist and leaves the tilt.
    np.testing.assert_allclose(angles(Rotation.from_rotvec(np.pi / 2 * axis) * cube), found, atol=1e-6)
    turned = angles(Rotation.from_rotvec(np.radians(10) * axis) * cube)
    assert turned[0] == pytest.approx(found[0], abs=1e-6)
    both = [abs((s * found[1] + 10 + 45) % 90 - 45) for s in (1, -1)]
    assert min(abs(turned[1] - value) for value in both) < 1e-6
    # Neither angle, nor both together, can be less than what turns the cube into the grain.
    assert (
        cube_angles(_quaternions(Rotation.concatenate([cube])), rotation=grain.as_matrix())[0]
        <= found.sum() + 1e-6
    )


def test_a_tilt_and_a_twist_are_found_as_made() -> None:
    for tilt, twist in ((0.0, 20.0), (15.0, 0.0), (12.0, 33.0)):
        # First about the line z, then about an axis normal to it.
        turn = Rotation.from_rotvec(np.radians(tilt) * np.array([0.6, 0.8, 0])) * Rotation.from_euler(
            "z", twist, degrees=True
        )
        found = cubes.tilt_and_twist(_quaternions(Rotation.concatenate([turn])), np.eye(3), [2])
        np.testing.assert_allclose(np.concatenate(found), [tilt, twist], atol=1e-6)


def test_random_cubes_have_the_share_of_geometry_and_uniform_twists() -> None:
    n = 400_000
    q = _quaternions(Rotation.random(n, random_state=1))
    tilt, twist = cubes.tilt_and_twist(q, np.eye(3), np.arange(n) % 3)
    counts = np.histogram(twist, 9, (0, 45))[0]
    assert np.sum((counts - n / 9) ** 2) / (n / 9) < 26.1  # χ² of 8 degrees of freedom, 1 in 1000
    line = cubes.Line("B", tilt, twist, 0)
    error = np.sqrt(cubes.RANDOM_SHARE / n)
    assert line.aligned == pytest.approx(cubes.RANDOM_SHARE, abs=4 * error)
    assert line.rotated == pytest.approx(cubes.RANDOM_SHARE, abs=4 * error)


@pytest.mark.parametrize("count", [4, 6, 8])
def test_random_cubes_on_a_lattice_have_order_that_falls_with_their_root(count: int) -> None:
    axis = np.arange(float(count))
    x = np.array(np.meshgrid(axis, axis, axis)).reshape(3, -1).T - (count - 1) / 2
    n, tensors = len(x), []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        c = Configuration(
            0,
            np.array([count, count, count, 0, 0, 0], float),
            x + rng.normal(0, 0.02, x.shape),
            np.zeros(n, np.intp),
            ("C",),
            orientations=_quaternions(Rotation.random(n, random_state=seed)),
        )
        if seed == 0:
            named = name(c)
        (found,) = cubes.on_sites(replace(named, configuration=c))
        tensors.append(found.cubatic.tensor)
        # Angles to the grain are Mackenzie's.
        assert found.alignment.mean == pytest.approx(40.73, abs=4 * 11.31 / np.sqrt(n))
    # N terms without correlation: the mean square is exactly 1/N, with a relative spread √(2/9/12) over 12 draws.
    assert n * np.mean(np.square(tensors)) == pytest.approx(1.0, abs=3 * np.sqrt(2 / 9 / 12))


def test_spheres_and_missing_orientations() -> None:
    c = _configuration("ABO3", "aligned", equivalents=False)
    assert cubes.on_sites(name(c)) == ()  # identities are no orientations
    with pytest.raises(TrajectoryError, match="no orientations"):
        cubes.on_sites(name(replace(c, orientations=None)))
    with pytest.raises(TrajectoryError, match="axes 0, 1 or 2"):
        cubes.tilt_and_twist([[1, 0, 0, 0]], np.eye(3), [3])
    with pytest.raises(TrajectoryError, match="axes 0, 1 or 2"):
        cubes.tilt_and_twist([[1, 0, 0, 0]], np.eye(3), [0, 1])
