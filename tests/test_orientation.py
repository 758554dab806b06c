from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from supercrystal.errors import TrajectoryError
from supercrystal.structure import orientation
from supercrystal.structure.trajectory import Configuration

GRAIN = Rotation.from_euler("xyz", [17, 31, 53], degrees=True)
BOX = np.array([50.0, 50, 50, 0, 0, 0])


def _quaternions(turns: Rotation) -> NDArray[np.float64]:
    return turns.as_quat()[:, [3, 0, 1, 2]]


def _cubes(degrees: float, n: int = 1000, seed: int = 1, grain: Rotation = GRAIN) -> NDArray[np.float64]:
    """Cubes of one grain, each turned by a random vector, and each in any of its 24 equivalent orientations."""
    rng = np.random.default_rng(seed)
    equivalent = Rotation.create_group("O")[rng.integers(0, 24, n)]
    return _quaternions(grain * Rotation.from_rotvec(rng.normal(0, np.radians(degrees), (n, 3))) * equivalent)


def _random(n: int, seed: int) -> NDArray[np.float64]:
    return _quaternions(Rotation.random(n, random_state=seed))


# An independent computation, N = 1000: freud's order and a tensor norm.
REFERENCE = {
    0: (1.000, 1.00), 5: (0.994, 0.93), 10: (0.931, 0.74), 15: (0.761, 0.51), 20: (0.518, 0.31),
    25: (0.267, 0.15), 30: (0.131, 0.07),
}  # fmt: skip


@pytest.mark.parametrize("degrees", list(REFERENCE))
def test_cubatic_order_against_misorientation(degrees: float) -> None:
    found = [orientation.cubatic(_cubes(degrees, seed=seed)) for seed in range(3)]
    order, tensor = REFERENCE[int(degrees)]
    # The reference is one draw; the standard deviation of a draw is up to 0.017 (order) and 0.01 (tensor).
    assert np.mean([f.order for f in found]) == pytest.approx(order, abs=0.05)
    assert np.mean([f.tensor for f in found]) == pytest.approx(tensor, abs=0.03)
    # The law for diffusion of l = 4, with nothing fitted.
    law = np.exp(-10 * np.radians(degrees) ** 2)
    assert np.mean([f.tensor for f in found]) == pytest.approx(law, abs=0.02)
    assert np.mean([f.order for f in found]) == pytest.approx(1 - (1 - law) ** 2, abs=0.03)
    assert all(f.significant for f in found)


@pytest.mark.parametrize("n", [20, 200, 2000])
def test_random_cubes_are_at_the_floor(n: int) -> None:
    found = [orientation.cubatic(_random(n, seed)) for seed in range(40)]
    assert np.mean([f.order for f in found]) == pytest.approx(found[0].order_floor, rel=0.2)
    tensor = np.array([f.tensor for f in found])
    assert np.sqrt(np.mean(tensor**2)) == pytest.approx(found[0].tensor_floor, rel=0.15)
    assert sum(f.significant for f in found) <= 1
    axes = [orientation.nematic(_random(n, seed)) for seed in range(40)]
    assert np.mean([f.order for f in axes]) == pytest.approx(axes[0].order_floor, rel=0.2)


def test_angles_of_random_cubes_have_the_distribution_of_mackenzie() -> None:
    angles = orientation.cube_angles(_random(200_000, 3), rotation=GRAIN.as_matrix())
    assert angles.mean() == pytest.approx(orientation.RANDOM_ANGLE, abs=0.1)
    assert angles.std() == pytest.approx(orientation.RANDOM_ANGLE_SPREAD, abs=0.1)
    assert np.median(angles) == pytest.approx(42.34, abs=0.15)
    # Below 45° the density is (2/15)(1 - cos θ) per degree.
    assert np.mean(angles < 30) == pytest.approx(2 / 15 * (30 - np.degrees(np.sin(np.radians(30)))), rel=0.03)
    assert 62 < angles.max() <= 62.8


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 22))
def test_a_turn_from_the_grain_is_the_angle_whichever_equivalent(seed: int, degrees: float) -> None:
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis))
    grain = Rotation.random(random_state=seed)
    q = _quaternions(grain * turn * Rotation.create_group("O"))
    sign = rng.choice([-1, 1], (24, 1))
    # Half the smallest turn between equivalents of a cube is 45°.
    found = orientation.cube_angles(sign * q, rotation=grain.as_matrix())
    np.testing.assert_allclose(found, degrees, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_measures_do_not_change_when_all_are_turned(seed: int) -> None:
    q, turn = _cubes(12, 60, seed), Rotation.random(random_state=seed)
    turned = _quaternions(turn * Rotation.from_quat(q[:, [1, 2, 3, 0]]))
    assert orientation.cubatic_tensor(turned) == pytest.approx(orientation.cubatic_tensor(q), abs=1e-10)
    assert 0 <= orientation.cubatic_tensor(q) <= 1
    rotated = (turn * GRAIN).as_matrix()
    np.testing.assert_allclose(
        orientation.cube_angles(turned, rotation=rotated),
        orientation.cube_angles(q, rotation=GRAIN.as_matrix()),
        atol=1e-6,
    )


def test_angles_agree_with_freud() -> None:
    import freud

    q = _cubes(15, 300)
    cube = _quaternions(Rotation.create_group("O"))
    cube = np.concatenate([cube, -cube])  # freud wants both signs
    grain = _quaternions(GRAIN * Rotation.identity(1))
    angles = freud.environment.AngularSeparationGlobal().compute(
        grain.astype(np.float32), q.astype(np.float32), cube.astype(np.float32)
    )
    np.testing.assert_allclose(
        np.degrees(angles.angles[:, 0]), orientation.cube_angles(q, rotation=GRAIN.as_matrix()), atol=0.1
    )


def test_a_cell_and_its_rotation_are_the_same_axes() -> None:
    q = _cubes(8, 100)
    rows = GRAIN.as_matrix().T * np.array([[24.0], [24.0], [31.0]])
    expected = orientation.cube_angles(q, rotation=GRAIN.as_matrix())
    np.testing.assert_allclose(orientation.cube_angles(q, cell=rows), expected, atol=1e-9)
    left_handed = rows[[1, 0, 2]]
    np.testing.assert_allclose(orientation.cube_angles(q, cell=left_handed), expected, atol=1e-9)
    # Its transpose is another orientation: the convention is not by chance.
    assert np.mean(orientation.cube_angles(q, rotation=GRAIN.as_matrix().T)) > 1.5 * np.mean(expected)


def test_fitted_axes_are_those_of_the_grain() -> None:
    found = orientation.alignment(_cubes(10))
    assert found.fitted
    off = orientation.cube_angles(
        _quaternions(Rotation.from_matrix(found.axes[None])), rotation=GRAIN.as_matrix()
    )
    assert off[0] < 1.0  # 10°/√1000 a component
    # Mean length of a random vector of three components: σ √(8/π).
    assert found.mean == pytest.approx(10 * np.sqrt(8 / np.pi), rel=0.04)
    assert found.mean_random == pytest.approx(40.7, abs=1)
    random = orientation.alignment(_random(100, 4))
    assert random.mean == pytest.approx(random.mean_random, abs=2.5)
    assert random.aligned < 0.1


def test_grains_cancel_in_cubatic_order_but_not_in_their_own_axes() -> None:
    other = Rotation.from_euler("xyz", [-20, 10, 45], degrees=True)
    q = np.concatenate([_cubes(3, 500), _cubes(3, 500, grain=GRAIN * other)])
    assert orientation.cubatic(q).tensor < 0.7
    assert orientation.alignment(q[:500]).mean < 6
    assert orientation.cube_angles(q[500:], rotation=GRAIN.as_matrix()).mean() > 20


def test_nematic_order_is_of_the_axis_asked_for() -> None:
    # Plates with parallel normals, turned freely about them.
    spin = Rotation.from_rotvec(np.random.default_rng(1).uniform(0, 6.28, (400, 1)) * [0, 0, 1.0])
    q = _quaternions(GRAIN * spin)
    along = orientation.nematic(q)
    assert along.order == pytest.approx(1, abs=1e-5)
    assert abs(np.dot(along.director, GRAIN.as_matrix()[:, 2])) == pytest.approx(1, abs=1e-5)
    # Axes spread in a plane have the eigenvalues 1/4, 1/4, -1/2.
    assert orientation.nematic(q, axis=(2, 0, 0)).order == pytest.approx(0.25, abs=0.05)
    with pytest.raises(TrajectoryError, match="an axis is three"):
        orientation.nematic(q, axis=(0, 0, 0))


def _configuration(q: NDArray[np.float64] | None, kinds: list[int], names: tuple[str, ...]) -> Configuration:
    n = len(kinds)
    return Configuration(0, BOX, np.zeros((n, 3)), np.array(kinds), names, orientations=q)


def test_report_by_species_and_by_mask() -> None:
    identity = np.tile([1.0, 0, 0, 0], (50, 1))
    q = np.concatenate([identity, _cubes(5, 100), _random(100, 1)])
    kinds = [0] * 50 + [1] * 100 + [2] * 100
    found = orientation.describe_orientation(
        _configuration(q, kinds, ("A", "B", "O", "X")), rotation=GRAIN.as_matrix()
    )
    assert [one.name for one in found.sublattices] == ["B", "O"]
    assert "without orientations" in found.left_out["A"]
    assert found.left_out["X"] == "no particles"
    ordered, random = found.sublattices
    assert ordered.cubatic.tensor > 0.9
    assert ordered.alignment.mean < 10
    assert random.cubatic.tensor < 0.2
    assert random.alignment.mean == pytest.approx(40.7, abs=3)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["sublattices"][0]["alignment"]["axes_from"] == "grain"
    assert plain["sublattices"][0]["alignment"]["axes"][0] == pytest.approx(GRAIN.as_matrix()[:, 0])
    half = np.arange(250) < 100
    masked = orientation.describe_orientation(
        _configuration(q, kinds, ("A", "B", "O", "X")), sublattices={"left": half}
    )
    assert masked.sublattices[0].cubatic.particles == 100
    assert masked.to_dict()["sublattices"][0]["alignment"]["axes_from"] == "these particles"


def test_one_cube_has_no_significant_order() -> None:
    found = orientation.cubatic(_random(1, 1))
    assert found.tensor == pytest.approx(1)
    assert found.tensor_floor == 1
    assert not found.significant


@pytest.mark.parametrize(
    ("q", "message"),
    [
        (np.zeros((0, 4)), "N ≥ 1"),
        (np.ones((3, 3)), "shape"),
        ([[1, 0, 0, 0], [0, 0, 0, 0]], "1 of 2 orientations .* number 1"),
        ([[1, 0, 0, np.nan]], "no unit quaternions"),
        ([[2, 0, 0, 0]], "no unit quaternions"),
    ],
)
def test_what_is_no_orientation_is_refused(q: NDArray[np.float64], message: str) -> None:
    for measure in (
        orientation.cubatic,
        orientation.nematic,
        orientation.cubatic_tensor,
        orientation.alignment,
    ):
        with pytest.raises(TrajectoryError, match=message):
            measure(q)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "either as a rotation or as a cell"),
        ({"rotation": np.eye(3), "cell": np.eye(3)}, "either as a rotation or as a cell"),
        ({"rotation": 2 * np.eye(3)}, "determinant 1"),
        ({"rotation": np.diag([1, 1, -1])}, "determinant 1"),
        ({"rotation": np.eye(2)}, r"\(3, 3\)"),
        ({"cell": [[1, 0, 0], [-0.5, 0.866, 0], [0, 0, 1.6]]}, "30° from perpendicular"),
        ({"cell": [[1, 0, 0], [0, 0, 0], [0, 0, 1]]}, "length > 0"),
        ({"cell": [[1, 0, 0], [0, np.nan, 0], [0, 0, 1]]}, "finite"),
    ],
)
def test_what_is_no_grain_is_refused(given_: dict[str, NDArray[np.float64]], message: str) -> None:
    with pytest.raises(TrajectoryError, match=message):
        orientation.cube_angles([[1, 0, 0, 0]], **given_)


def test_files_without_orientations_are_refused_with_the_reason() -> None:
    with pytest.raises(TrajectoryError, match="the file has no orientations"):
        orientation.describe_orientation(_configuration(None, [0, 0], ("A",)))
    identity = np.tile([1.0, 0, 0, 0], (2, 1))
    with pytest.raises(TrajectoryError, match="as in a file without orientations"):
        orientation.describe_orientation(_configuration(identity, [0, 0], ("A",)))
    with pytest.raises(TrajectoryError, match="mask of 2 booleans"):
        orientation.describe_orientation(_configuration(identity, [0, 0], ("A",)), sublattices={"a": [0, 1]})
