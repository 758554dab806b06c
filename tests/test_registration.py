from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from supercrystal import lattices
from supercrystal.structure import grains, training
from supercrystal.structure.quality import INSIDE, judge
from supercrystal.structure.registration import STRAIN, TOLERANCE, Lattice, register, template

PHASES = training.recognised(1) + training.recognised(2)


def ball(
    phase: str, seed: int, noise: float = 0.05, turn: Rotation | None = None, count: int = 400, **more: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Particles around the host nearest to the middle of a crystal, turned, and which are hosts."""
    made = training.crystal(
        phase, np.random.default_rng(seed), noise=noise, shape="cluster", count=count, **more
    )
    x, host = made.positions, made.kinds == 0
    middle = np.flatnonzero(host)[np.argmin(np.linalg.norm(x[host], axis=1))]
    x = x - x[middle]
    return (x if turn is None else turn.apply(x)), host


@pytest.mark.parametrize("phase", PHASES)
def test_a_perfect_crystal_is_explained_to_the_last_particle(phase: str) -> None:
    lattice, quality = register(phase, *ball(phase, 1, noise=0.0)) or pytest.fail("nothing fits")
    assert quality.score == 1.0
    assert quality.vacant == 0
    assert quality.rms < 1e-6
    assert np.abs(lattice.deformation[1]).max() < 1e-6
    assert lattice.shortest == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("noise", [0.05, 0.08])
def test_cell_and_displacements_are_recovered_from_noisy_crystals_with_defects(
    phase: str, noise: float
) -> None:
    turn = Rotation.random(random_state=int(100 * noise))
    lattice, quality = register(phase, *ball(phase, 2, noise, turn, vacancies=0.02)) or pytest.fail("nothing")
    assert quality.score > 0.93
    # The truncation at the tolerance takes out little; the fit takes out 12 parameters.
    assert quality.rms == pytest.approx(noise, rel=0.12)
    kind = lattices.prototype(phase)
    assert kind.reference is not None
    ideal = lattices.vectors(phase, kind.reference) / training.shortest(phase)
    lengths = np.linalg.norm(lattice.conventional, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(ideal, axis=1), rtol=0.02)
    assert abs(np.linalg.det(lattice.conventional)) == pytest.approx(abs(np.linalg.det(ideal)), rel=0.02)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31 - 1), phase=st.sampled_from(PHASES), scale=st.floats(0.01, 1000.0))
def test_orientation_scale_and_order_of_particles_do_not_matter(seed: int, phase: str, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, host = ball(phase, 3)
    turn = Rotation.random(random_state=seed)
    shuffled = rng.permutation(len(x))
    lattice, quality = register(phase, scale * turn.apply(x)[shuffled], host[shuffled]) or pytest.fail("no")
    reference, same = register(phase, x, host) or pytest.fail("nothing fits")
    assert quality.score == pytest.approx(same.score, abs=0.02)
    assert lattice.shortest == pytest.approx(scale * reference.shortest, rel=5e-3)
    # A lattice is known up to its own rotations; its metric is not.
    rotation = lattice.deformation[0]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_the_rotation_turns_the_axes_of_the_catalogue_into_the_grains() -> None:
    turn = Rotation.from_rotvec(np.radians(20) * np.array([0.0, 0.0, 1.0]))
    x, host = ball("AlB2", 4, 0.0, turn)
    lattice, _ = register("AlB2", x, host) or pytest.fail("nothing fits")
    c = lattice.deformation[0] @ [0, 0, 1]
    assert abs(c[2]) == pytest.approx(1.0, abs=1e-6)
    a = lattice.deformation[0] @ [1, 0, 0]
    assert np.degrees(np.arctan2(a[1], a[0])) % 60 == pytest.approx(20.0, abs=1e-4)


def test_strain_is_found_and_limited() -> None:
    x, host = ball("NaCl", 5, 0.02)
    stretch = np.diag([1.06, 1.0, 0.97])
    lattice, quality = register("NaCl", x @ stretch, host) or pytest.fail("nothing fits")
    expected = np.array([1.06, 1.0, 0.97]) / (1.06 * 0.97) ** (1 / 3) - 1
    np.testing.assert_allclose(np.sort(lattice.deformation[1]), np.sort(expected), atol=6e-3)
    assert quality.score > 0.97
    # bcc is fcc compressed along one axis by the Bain strain: no lattice may be bent that far.
    bent, _ = ball("bcc", 5, 0.02)
    fit = register("fcc", bent, np.ones(len(bent), bool))
    assert fit is None or np.abs(fit[0].deformation[1]).max() <= STRAIN


def test_free_coordinates_follow_the_particles() -> None:
    constants = {"a": 1.0, "u": 0.24}
    frame = lattices.build("CaB6", constants, repeats=(6, 6, 6))
    x = np.asarray(frame.particles.position, float) + np.random.default_rng(1).normal(0, 0.01, (1512, 3))
    host = np.asarray(frame.particles.typeid) == 0
    middle = np.flatnonzero(host)[np.argmin(np.linalg.norm(x[host], axis=1))]
    near = np.argsort(np.linalg.norm(x - x[middle], axis=1))[:400]
    lattice, quality = register("CaB6", x[near] - x[middle], host[near]) or pytest.fail("nothing fits")
    sites = lattice.sites[~lattice.template.host]
    u = np.abs(np.abs(sites - 0.5) - 0).max(axis=1)
    np.testing.assert_allclose(u, 0.5 - 0.24, atol=3e-3)
    assert quality.score > 0.99


@pytest.mark.parametrize(
    ("truth", "wrong"),
    [("ABO3", "AuCu3"), ("AuCu3", "ABO3"), ("fcc", "hcp"), ("hcp", "fcc"), ("NaCl", "CsCl")],
)
def test_the_right_lattice_has_more_evidence(truth: str, wrong: str) -> None:
    for seed in range(4):
        x, host = ball(truth, seed, 0.08, vacancies=0.02)
        right, other = register(truth, x, host), register(wrong, x, host)
        assert right is not None
        lead = right[1].evidence() - (0.0 if other is None else other[1].evidence(right[1].inside))
        assert lead / right[1].inside.sum() > grains.GATE.margin


def test_outermost_layers_are_inside_and_empty_ones_above_are_not() -> None:
    for phase in ("fcc", "bcc", "sc", "hcp", "NaCl", "ABO3"):
        made = training.crystal(phase, np.random.default_rng(1), noise=0.02, shape="slab", count=2000)
        frame = template(phase)
        kind = lattices.prototype(phase)
        assert kind.reference is not None
        scale = 1 / training.shortest(phase)
        cell = lattices.primitive(phase, kind.reference)
        origin = np.array([0, 0, -made.box[2] / 2 + 4.0])
        lattice = Lattice(frame, origin, cell.vectors * scale, cell.sites, 1.0)
        quality = judge(lattice, made.positions, made.kinds == 0)
        z = made.positions[:, 2]
        top = (z > z.max() - 0.2) & (made.kinds == 0)
        across = np.all(np.abs(made.positions[:, :2] - made.positions[:, :2].mean(axis=0)) < 2.5, axis=1)
        assert np.all(quality.depth[top & across] > INSIDE)
        # Every site that counts holds a particle: none above the surface counts.
        assert quality.recall > 0.999, phase


def test_random_points_are_on_sites_by_chance_only() -> None:
    rng = np.random.default_rng(1)
    for phase in ("fcc", "NaCl", "ABO3", "NaZn13"):
        x, host = ball(phase, 1, 0.0)
        radius = np.linalg.norm(x, axis=1).max()
        points = rng.uniform(-radius, radius, (len(x) * 2, 3))
        points = points[np.linalg.norm(points, axis=1) < radius]
        points[0] = 0
        roles = rng.permutation(np.resize(host, len(points)))
        roles[0] = True
        fit = register(phase, points, roles)
        assert fit is None or fit[1].sites < grains.GATE.sites or fit[1].score < 0.8


def test_tolerances_follow_the_displacements() -> None:
    x, host = ball("fcc", 1, 0.05)
    lattice, quality = register("fcc", x, host) or pytest.fail("nothing fits")
    tight = lattice.tightened(quality.rms)
    assert tight.tolerance == pytest.approx(4.5 * quality.rms / lattice.shortest)
    assert lattice.tightened(1.0).tolerance == TOLERANCE
