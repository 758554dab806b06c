from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import pytest
import rowan
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.errors import PhysicsError
from supercrystal.packing import hard
from supercrystal.structure import misorientation as mis
from supercrystal.structure.naming import Named, name
from supercrystal.structure.trajectory import Configuration
from tests.validation.md_samples import GRAINS, sample

SYSTEMS = tuple(mis.GROUPS)
quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)


def _matrix(q: tuple[float, ...]) -> NDArray:
    return np.asarray(rowan.to_matrix(rowan.normalize(q)))


def _turned(phase: str, turn: NDArray, noise: float = 0.02, seed: int = 1, radius: float = 5.5) -> Named:
    """A ball of a crystal whose axes are the columns of `turn`, named."""
    kind = lattices.prototype(phase)
    constants = {k: float(v) for k, v in hard.constants(phase, 1.0 if kind.one_component else 0.6).items()}
    cell = lattices.vectors(phase, constants)
    sites = lattices.fractional(phase, constants)
    cells = np.array(list(np.ndindex(17, 17, 17))) - 8
    species = np.tile([kind.species[label] for label in kind.labels], len(cells))
    x = ((cells[:, None] + sites).reshape(-1, 3)) @ cell
    inside = np.linalg.norm(x, axis=1) < radius * (1.0 if kind.one_component else 0.9)
    rng = np.random.default_rng(seed)
    at = x[inside] @ turn.T + rng.normal(0, noise, (inside.sum(), 3))
    names = tuple(dict.fromkeys(sorted(species)))
    kinds = np.array([names.index(s) for s in species[inside]])
    return name(Configuration(0, np.array([30.0, 30, 30, 0, 0, 0]), at, kinds, names))


@pytest.mark.parametrize("system", SYSTEMS)
@given(quaternions, quaternions, st.integers(0, 23), st.integers(0, 23))
@settings(max_examples=50, deadline=None)
def test_angle_depends_neither_on_the_choice_of_axes_nor_on_the_order(
    system: str, first: tuple, second: tuple, i: int, j: int
) -> None:
    a, b = _matrix(first), _matrix(second)
    group = rowan.to_matrix(mis.group(system))
    angle = float(mis.disorientation(a, b, system))
    assert 0 <= angle <= mis.LARGEST[system] + 0.01
    assert float(mis.disorientation(b, a, system)) == pytest.approx(angle, abs=1e-6)
    other = a @ group[i % len(group)], b @ group[j % len(group)]
    assert float(mis.disorientation(*other, system)) == pytest.approx(angle, abs=1e-6)
    assert mis.between(*other, system)[0] == pytest.approx(angle, abs=1e-6)
    # A rotation of the laboratory changes nothing.
    assert float(mis.disorientation(b @ a, b @ b, system)) == pytest.approx(angle, abs=1e-6)


@pytest.mark.parametrize("system", SYSTEMS)
@given(quaternions, quaternions)
@settings(max_examples=50, deadline=None)
def test_turning_about_the_axis_takes_one_grain_into_the_other(
    system: str, first: tuple, second: tuple
) -> None:
    a, b = _matrix(first), _matrix(second)
    angle, axis, lab = mis.between(a, b, system)
    if lab is None or axis is None:
        assert angle < 1e-6
        return
    turn = rowan.to_matrix(rowan.from_axis_angle(np.array(lab), np.radians(angle)))
    assert float(mis.disorientation(turn @ a, b, system)) == pytest.approx(0, abs=1e-5)
    # The standard axis is an image of the axis in the crystal.
    own = a.T @ np.array(lab)
    images = rowan.rotate(mis.group(system), own)
    assert min(np.abs(sign * images - axis).max(axis=1).min() for sign in (1, -1)) < 1e-6
    h, k, l = axis  # noqa: E741
    if system == "cubic":
        assert h >= k - 1e-9 >= l - 2e-9 >= -3e-9
    else:
        assert l >= -1e-9
        assert -1e-6 <= np.degrees(np.arctan2(k, h)) <= (30 if system == "hexagonal" else 45) + 1e-6


@pytest.mark.parametrize("system", SYSTEMS)
def test_groups_are_groups_that_keep_the_lattice(system: str) -> None:
    group = rowan.to_matrix(mis.group(system))
    assert np.allclose(np.linalg.det(group), 1)
    products = np.einsum("aij,bjk->abik", group, group).reshape(-1, 1, 3, 3)
    assert np.abs(products - group).max(axis=(2, 3)).min(axis=1).max() < 1e-9
    phase = {"cubic": "sc", "hexagonal": "hcp", "tetragonal": "AuCu"}[system]
    constants = {"a": 1.0} if system == "cubic" else {"a": 1.0, "c": 1.3}
    cell = lattices.vectors(phase, constants)
    coordinates = cell @ np.swapaxes(group, 1, 2) @ np.linalg.inv(cell)
    assert np.abs(coordinates - np.rint(coordinates)).max() < 1e-9


def test_random_cubic_grains_are_as_mackenzie_has_them() -> None:
    rng = np.random.default_rng(5)
    q = rng.normal(size=(2, 100_000, 4))
    a, b = rowan.to_matrix(rowan.normalize(q))
    angle = mis.disorientation(a, b, "cubic")
    assert float(angle.mean()) == pytest.approx(40.73, abs=4 * 11.3 / 100_000**0.5)
    assert 61.5 < float(angle.max()) <= 62.80
    # The density rises as 1 − cos up to 45°: the share below 15° is 24 (θ − sin θ)/π.
    theta = np.radians(15)
    share = 24 * (theta - np.sin(theta)) / np.pi
    assert float(np.mean(angle < 15)) == pytest.approx(share, abs=4 * (share / 100_000) ** 0.5)


@pytest.mark.parametrize(("system", "largest"), [("hexagonal", 93.84), ("tetragonal", 98.42)])
def test_largest_angles_are_reached_and_not_exceeded(system: str, largest: float) -> None:
    q = rowan.normalize(np.random.default_rng(2).normal(size=(100_000, 4)))
    angle = mis.disorientation(np.eye(3), rowan.to_matrix(q), system)
    assert largest - 1.5 < float(angle.max()) <= largest + 0.005
    assert mis.LARGEST[system] == largest


@pytest.mark.parametrize("sigma", list(mis.COINCIDENCE))
def test_coincidence_rotations_bring_one_site_in_sigma_together(sigma: int) -> None:
    axis, m, n = mis.COINCIDENCE[sigma]
    turn = _matrix((n, *(m * c for c in axis)))
    # The fraction of coinciding sites of a cubic lattice is one over the least common denominator of the matrix.
    denominators = [Fraction(float(v)).limit_denominator(100).denominator for v in turn.ravel()]
    assert np.allclose(turn * lcm(*denominators), np.rint(turn * lcm(*denominators)))
    assert lcm(*denominators) == sigma
    name, deviation = mis.named_boundary(np.eye(3), turn, "cubic")
    assert name == f"Σ{sigma}"
    assert deviation == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("sigma", list(mis.COINCIDENCE))
def test_names_end_at_brandons_angle(sigma: int) -> None:
    axis, m, n = mis.COINCIDENCE[sigma]
    turn, limit = _matrix((n, *(m * c for c in axis))), 15 / sigma**0.5
    direction = np.array([0.36, 0.48, 0.8])
    for off, expected in ((0.95, True), (1.05, False)):
        beside = turn @ rowan.to_matrix(rowan.from_axis_angle(direction, np.radians(off * limit)))
        assert (mis.named_boundary(np.eye(3), beside, "cubic")[0] == f"Σ{sigma}") is expected


def test_low_angles_have_a_name_in_every_system_and_coincidence_only_in_cubic() -> None:
    for system in SYSTEMS:
        turn = rowan.to_matrix(rowan.from_axis_angle([0, 0, 1.0], np.radians(7)))
        found, deviation = mis.named_boundary(np.eye(3), turn, system)
        assert (found, deviation) == ("low angle", pytest.approx(7, abs=1e-6))
    twin = _matrix((3, 1, 1, 1))
    assert mis.named_boundary(np.eye(3), twin, "hexagonal") == ("", None)


def test_an_improper_matrix_is_the_same_lattice() -> None:
    turn = _matrix((1, 0.2, 0.3, 0.1))
    assert float(mis.disorientation(turn, -turn, "cubic")) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("bad", [np.eye(2), np.ones((3, 3)), np.full((3, 3), np.nan)])
def test_what_is_no_rotation_is_refused(bad: NDArray) -> None:
    with pytest.raises(PhysicsError, match="rotation matrix"):
        mis.disorientation(np.eye(3), bad, "cubic")


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(PhysicsError, match="cubic, hexagonal, tetragonal"):
        mis.disorientation(np.eye(3), np.eye(3), "triclinic")


@pytest.mark.parametrize("phase", ["fcc", "bcc", "hcp"])
def test_the_rotation_of_a_grain_turns_the_crystal_into_the_laboratory(phase: str) -> None:
    turn = _matrix((0.9, 0.3, -0.2, 0.25))
    (grain,) = _turned(phase, turn).grains
    system = lattices.prototype(phase).system
    assert grain.phase == phase
    assert float(mis.disorientation(grain.rotation, turn, system)) < 0.6
    # The transposed convention would be far off.
    assert float(mis.disorientation(grain.rotation.T, turn, system)) > 10


def test_stated_errors_cover_what_noise_does() -> None:
    turns = [_matrix((0.9, 0.3, -0.2, 0.25)), _matrix((0.2, 0.5, 0.1, 0.7))]
    truth = float(mis.disorientation(*turns, "cubic"))
    off, stated = [], []
    for seed in range(12):
        a, b = (_turned("fcc", turn, 0.05, 10 * seed + k).grains[0] for k, turn in enumerate(turns))
        found = mis.misorientation(a, b)
        off.append(found.angle - truth)
        stated.append(found.error)
    ratio = float(np.sqrt(np.mean(np.square(off)) / np.mean(np.square(stated))))
    assert 0.4 < ratio < 1.7


def _kabsch(made: Any, chosen: NDArray) -> NDArray:
    """Rotation (3, 3) from the sites of some particles to their positions."""
    chosen = chosen & np.isfinite(made.sites[:, 0])
    at = made.sites[chosen]
    away = made.positions[chosen] - at
    away -= made.box[:3] * np.round(away / made.box[:3])
    # Sites of a slab that lies across the box's face are put side by side about the middle of the grain.
    middle = np.angle(np.exp(2j * np.pi * at / made.box[:3]).mean(axis=0)) / (2 * np.pi) * made.box[:3]
    at = at - middle
    at -= made.box[:3] * np.round(at / made.box[:3])
    left, _, right = np.linalg.svd((at - at.mean(axis=0)).T @ (at + away - (at + away).mean(axis=0)))
    return np.asarray((left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right).T)


@pytest.mark.parametrize(
    "key", [key for key, made in GRAINS.items() if getattr(made, "angle", made.__dict__.get("twin"))]
)
def test_bicrystals_by_molecular_dynamics(key: str) -> None:
    made = sample(key)
    named = name(Configuration(0, made.box, made.positions, made.kinds, made.species, made.diameters))
    # Grains are recognised by their particles, whatever else was found.
    whose = [np.bincount(made.grains[g.members] + 1, minlength=3)[1:] for g in named.grains]
    own = [next(g for g, counts in enumerate(whose) if counts[k] > 0.8 * counts.sum() > 80) for k in (0, 1)]
    first, second = (named.grains[g] for g in own)
    found = mis.misorientation(first, second)
    # Grains turn a little in the run: the truth is how their particles lie against their own sites.
    turn = rowan.to_matrix(rowan.from_axis_angle(np.array(made.axis), np.radians(made.angle)))
    drift = [_kabsch(made, made.certain & (made.grains == k)) for k in (0, 1)]
    truth = mis.disorientation(first.rotation, drift[1] @ turn @ drift[0].T @ first.rotation, "cubic")
    assert mis._angle(rowan.from_matrix(np.array(drift))).max() < 2
    # The sites of the middle of each grain are known. Near the boundary the bcc slabs are sheared (principal strain 0.03),
    # and their lattices, fitted to all particles of a grain, are 1.0° to 1.3° off, by how much of that they take in.
    assert found.angle == pytest.approx(float(truth), abs=2.0 if key.startswith("bcc") else 0.5)
    expected = {"twin": "Σ3", "fcc Σ5 slabs": "Σ5", "bcc Σ5 slabs": "Σ5"}.get(key, "")
    assert found.name == expected
    table = mis.matrix(named.grains)
    assert table[own[0], own[1]] == pytest.approx(found.angle, abs=1e-9)
    assert np.allclose(table, table.T, equal_nan=True)
    touching = mis.contacts(named)
    assert np.array_equal(touching, touching.T)
    assert touching[own[0], own[1]] > 0
    assert any(edge.grains == tuple(sorted(own)) for edge in mis.boundaries(named))


def test_grains_of_different_systems_have_no_misorientation() -> None:
    fcc, hcp = _turned("fcc", np.eye(3)).grains[0], _turned("hcp", np.eye(3)).grains[0]
    with pytest.raises(PhysicsError, match=r"fcc is cubic and hcp is hexagonal"):
        mis.misorientation(fcc, hcp)
    assert np.isnan(mis.matrix([fcc, hcp])[0, 1])
    assert np.allclose(np.diag(mis.matrix([fcc, hcp])), 0, atol=1e-9)


def test_twins_are_named_only_within_a_phase() -> None:
    twin = _matrix((3, 1, 1, 1))
    fcc, bcc, other = _turned("fcc", np.eye(3)), _turned("bcc", twin), _turned("fcc", twin)
    assert mis.misorientation(fcc.grains[0], other.grains[0]).name == "Σ3"
    mixed = mis.misorientation(fcc.grains[0], bcc.grains[0])
    assert (mixed.name, mixed.deviation) == ("", None)
    assert mixed.angle == pytest.approx(60, abs=1)


def test_one_grain_touches_nothing() -> None:
    named = _turned("fcc", np.eye(3))
    assert mis.contacts(named).tolist() == [[0]]
    assert mis.boundaries(named) == ()
    assert mis.matrix([]).shape == (0, 0)
