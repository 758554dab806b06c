from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal import lattices
from supercrystal.errors import PhysicsError, TrajectoryError
from supercrystal.structure.scattering.amplitudes import amplitudes, direct_sum, scatterers
from supercrystal.structure.scattering.form_factors import Body, Sphere, cube, points
from supercrystal.structure.scattering.powder import (
    bin_edges,
    debye,
    free_q,
    saxs,
    saxs_free,
    structure_factors,
)


def liquid(n: int, box: list[float], seed: int = 0, species: int = 2):
    """Random points of some species in a tilted box."""
    rng = np.random.default_rng(seed)
    edges = np.array(
        [[box[0], 0, 0], [box[3] * box[1], box[1], 0], [box[4] * box[2], box[5] * box[2], box[2]]]
    )
    x = (rng.random((n, 3)) - 0.5) @ edges
    return scatterers(box, x, rng.integers(0, species, n), ["A", "B", "C"][:species])


@pytest.mark.parametrize("box", [[10, 10, 10, 0, 0, 0], [9, 10, 11, 0.3, -0.2, 0.4]])
def test_partials_agree_with_freud(box: list[float]) -> None:
    """freud 3.4 sums over the wave vectors with h, k, l ≥ 0 only, and in a tilted box it misses some near its k_max.

    So ours are averaged over that octant as well, up to two thirds of its k_max. Its partials with N_total are
    Re⟨F_a F_b*⟩ / N_total.
    """
    import freud

    found = liquid(1000, box)
    grid = amplitudes(found, 6.0)
    k = np.linalg.norm(grid.wave_vectors(), axis=-1)
    hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in grid.reach), indexing="ij"), -1)
    edges = np.linspace(0.3, 6.0, 20)
    chosen = np.all(hkl >= 0, axis=-1) & (k > 0.3) & (k < edges[12])
    index = np.digitize(k[chosen], edges) - 1
    counts = np.bincount(index, minlength=12)
    for a, b in product(["A", "B"], repeat=2):
        direct = freud.diffraction.StaticStructureFactorDirect(bins=19, k_max=6.0, k_min=0.3)
        direct.compute((box, found.groups[a]), query_points=found.groups[b], N_total=found.n)
        share = math.sqrt(found.counts[a] * found.counts[b]) / found.n
        ours = share * np.bincount(index, grid.structure_factor(a, b)[chosen], 12)[counts > 0]
        np.testing.assert_allclose(ours / counts[counts > 0], direct.S_k[:12][counts > 0], atol=1e-4)


def test_debye_agrees_with_freud_and_with_the_plain_sum() -> None:
    import freud

    rng = np.random.default_rng(1)
    x = rng.uniform(-5, 5, (300, 3))
    found = scatterers(None, x, np.arange(300) % 2, ["A", "B"])
    q = np.linspace(0.05, 6, 40)
    ours = debye(found, q)
    reference = freud.diffraction.StaticStructureFactorDebye(num_k_values=40, k_max=6, k_min=0.05)
    reference.compute(([1000, 1000, 1000], x))  # so wide that no image is near
    np.testing.assert_allclose(ours.total, reference.S_k, rtol=2e-4, atol=2e-3)
    for a, b in [("A", "A"), ("A", "B"), ("B", "B")]:
        first, second = found.groups[a], found.groups[b]
        distance = np.linalg.norm(first[:, None] - second, axis=-1)
        plain = [np.sinc(w * distance / math.pi).sum() / math.sqrt(len(first) * len(second)) for w in q]
        np.testing.assert_allclose(ours.of(a, b), plain, atol=1e-5)


def test_debye_of_simple_molecules() -> None:
    q = np.array([0.5, 1.0, 3.0])
    np.testing.assert_allclose(debye(scatterers(None, [[0, 0, 0]]), q).total, 1, atol=1e-12)
    pair = debye(scatterers(None, [[0, 0, 0], [0, 0, 2.0]]), q)
    np.testing.assert_allclose(pair.total, 1 + np.sin(2 * q) / (2 * q), atol=1e-6)
    # Four corners of a regular tetrahedron with edge d: 1 + 3 sin(qd)/(qd).
    corners = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    d = math.sqrt(8)
    np.testing.assert_allclose(
        debye(scatterers(None, corners), q).total, 1 + 3 * np.sin(d * q) / (d * q), atol=1e-6
    )
    # Two particles on one place scatter as one of double weight.
    np.testing.assert_allclose(debye(scatterers(None, [[0, 0, 0], [0, 0, 0]]), q).total, 2, atol=1e-9)


def test_powder_average_is_the_mean_over_the_box_wave_vectors() -> None:
    found = liquid(200, [6, 7, 8, 0.2, 0.1, -0.3])
    grid = amplitudes(found, 5.0)
    k = grid.wave_vectors()
    length = np.linalg.norm(k, axis=-1)
    edges = np.linspace(0, 5.0, 13)
    ours = structure_factors(found, 5.0, bins=12)
    filled = 0
    for low, high in pairwise(edges):
        inside = (length >= low) & (length < high) & (length > 0)
        if inside.any():
            assert ours.counts[filled] == inside.sum()
            assert ours.q[filled] == pytest.approx(length[inside].mean())
            assert ours.total[filled] == pytest.approx(grid.total()[inside].mean(), rel=1e-6)
            cross = grid.structure_factor("A", "B")[inside].mean()
            assert ours.of("B", "A")[filled] == pytest.approx(cross, abs=1e-6)
            weight = grid.total()[inside]
            assert ours.centre[filled] == pytest.approx((weight * length[inside]).sum() / weight.sum())
            filled += 1
    assert filled == len(ours.q)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.floats(0.1, 10.0))
def test_invariances_of_the_powder_average(seed: int, scale: float) -> None:
    """Shifts, the choice of the box's edges, order and scale of the particles change nothing."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, (40, 3))
    before = structure_factors(scatterers([5, 6, 7, 0.0, 0, 0], x), 4.0, bins=8)
    same = [
        structure_factors(
            scatterers([5, 6, 7, 0.0, 0, 0], rng.permutation(x) + rng.normal(size=3)), 4.0, bins=8
        ),
        # The same lattice of boxes with the second edge shifted by the first: b → b + a.
        structure_factors(scatterers([5, 6, 7, 5 / 6, 0, 0], x), 4.0, bins=8),
        structure_factors(
            scatterers([5 * scale, 6 * scale, 7 * scale, 0, 0, 0], scale * x), 4.0 / scale, bins=8
        ),
    ]
    for other in same:
        np.testing.assert_array_equal(other.counts, before.counts)
        np.testing.assert_allclose(other.total, before.total, rtol=1e-5, atol=1e-7)


def test_ideal_gas_scatters_as_one_at_all_q_and_sum_rules_hold() -> None:
    found = liquid(5000, [20, 21, 22, 0.1, 0, 0.2], seed=5)
    s = structure_factors(found, 8.0, bins=10)
    # The mean of M exponential variables has the standard error 1/√(M/2): half the wave vectors are independent.
    assert np.all(np.abs(s.total - 1) < 5 / np.sqrt(s.counts / 2))
    assert np.all(np.abs(s.of("A", "B")) < 5 / np.sqrt(s.counts / 2))
    again = s.weighted({"A": 1.0, "B": 1.0})
    np.testing.assert_allclose(again, s.total, rtol=1e-12)
    share = {name: n / 5000 for name, n in s.particles.items()}
    fz = sum(share[a] * share[b] * (s.faber_ziman(a, b) - 1) for a, b in product("AB", repeat=2))
    np.testing.assert_allclose(1 + fz, s.total, rtol=1e-9)


def test_average_over_frames_is_the_mean_of_the_frames() -> None:
    frames = [liquid(100, [6, 6, 6, 0, 0, 0], seed=i) for i in range(3)]
    counts = {name: min(frame.counts[name] for frame in frames) for name in "AB"}
    frames = [
        scatterers(
            [6, 6, 6, 0, 0, 0],
            np.concatenate([frame.groups[name][: counts[name]] for name in "AB"]),
            np.repeat([0, 1], [counts["A"], counts["B"]]),
            ["A", "B"],
        )
        for frame in frames
    ]
    each = [structure_factors(frame, 5.0, bins=7) for frame in frames]
    np.testing.assert_allclose(
        structure_factors(frames, 5.0, bins=7).total, np.mean([one.total for one in each], axis=0), rtol=1e-9
    )
    with pytest.raises(TrajectoryError, match="same numbers"):
        structure_factors([frames[0], liquid(50, [6, 6, 6, 0, 0, 0])], 5.0)


def test_saxs_of_points_and_of_one_particle() -> None:
    found = liquid(300, [8, 8, 8, 0, 0, 0])
    curve = saxs(found, 5.0, points({"A": 2.0, "B": -1.0}), bins=10)
    s = structure_factors(found, 5.0, bins=10)
    np.testing.assert_allclose(curve.intensity, s.weighted({"A": 2.0, "B": -1.0}), rtol=1e-9)
    alone = saxs_free(
        scatterers(None, [[1, 2, 3]]), np.linspace(0.1, 5, 20), {"A": Body(((Sphere(1.0), 3.0),))}
    )
    np.testing.assert_allclose(alone.intensity, alone.form, rtol=1e-9)
    np.testing.assert_allclose(alone.effective_structure_factor, 1, rtol=1e-9)


@pytest.mark.parametrize(
    "body",
    [
        Body(((Sphere(0.6), 1.0),), dispersity=0.15),
        Body(((cube(1.0), 1.0),), orientations=((1, 0, 0, 0), (math.cos(0.4), math.sin(0.4), 0, 0))),
    ],
)
def test_saxs_with_spread_is_the_mean_over_all_assignments(body: Body) -> None:
    """Two particles in a box, every pair of sizes or orientations computed by itself."""
    box, x = [4, 5, 6, 0.1, 0, 0], np.array([[0.0, 0, 0], [1.0, 0.5, -1]])
    curve = saxs(scatterers(box, x), 6.0, {"A": body}, bins=12)
    grid = amplitudes(scatterers(box, x), 6.0)
    k = grid.wave_vectors().reshape(-1, 3)
    length = np.linalg.norm(k, axis=1)
    k, length = k[(length > 0) & (length <= 6.0)], length[(length > 0) & (length <= 6.0)]
    value = np.zeros(len(k))
    for (p_1, f_1), (p_2, f_2) in product(list(body.variants(k)), repeat=2):
        value += p_1 * p_2 * np.abs(f_1 * np.exp(1j * k @ x[0]) + f_2 * np.exp(1j * k @ x[1])) ** 2 / 2
    index = np.searchsorted(np.linspace(0, 6.0, 13), length, side="right") - 1
    mean = np.bincount(index, value, 12) / np.maximum(np.bincount(index, minlength=12), 1)
    np.testing.assert_allclose(curve.intensity, mean[mean > 0], rtol=1e-6)


def test_free_cluster_of_aligned_cubes_turns_as_a_whole() -> None:
    """Against a Monte Carlo average over directions."""
    x = np.array([[0.0, 0, 0], [1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5]])
    body = Body(((cube(1.0), 1.0),), orientations=((1, 0, 0, 0),))
    q = np.array([1.0, 3.0, 6.0])
    curve = saxs_free(scatterers(None, x), q, {"A": body})
    direction = np.random.default_rng(3).normal(size=(100_000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    for value, ours in zip(q, curve.intensity, strict=True):
        k = value * direction
        intensity = np.abs(direct_sum(x, k, np.ones(4, complex)) * cube(1.0).amplitude(k)) ** 2 / 4
        assert abs(intensity.mean() - ours) < 4 * intensity.std() / math.sqrt(len(k))


def test_shape_of_cubes_shows_in_200_and_222_of_perovskite() -> None:
    """A sphere of 19.5 with cubes of 8.6 in a cell of 24: ratios to (100), and what spheres of equal volume give."""
    frame = lattices.build("ABO3", {"a": 24.0}, repeats=(3, 3, 3), types={"O": "B"})
    p = frame.particles
    found = scatterers(frame.configuration.box, p.position, p.typeid, p.types)
    round_guest = Sphere(8.6 * (3 / (4 * math.pi)) ** (1 / 3))
    ratios = {}
    for name, guest in (("cube", cube(8.6)), ("sphere", round_guest)):
        bodies = {
            "A": Body(((Sphere(19.5 / 2), 1.0),)),
            "B": Body(((guest, 1.0),), orientations=((1, 0, 0, 0),)),
        }
        b = 2 * math.pi / 24
        edges = b * np.sqrt([0.9, 1.1, 1.9, 2.1, 2.9, 3.1, 3.9, 4.1, 11.9, 12.1])
        curve = saxs(found, float(edges[-1]), bodies, bins=edges)
        lines = {
            round((q / b) ** 2): value
            for q, value in zip(curve.q, curve.intensity, strict=True)
            if value > 1e-6 * curve.intensity.max()
        }
        ratios[name] = lines
    counts_200, counts_222 = 4, 12
    cube_200 = ratios["cube"][counts_200] / ratios["cube"][1]
    sphere_200 = ratios["sphere"][counts_200] / ratios["sphere"][1]
    assert cube_200 < 0.75 * sphere_200
    assert ratios["cube"].get(counts_222, 0) > 5 * ratios["sphere"].get(counts_222, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: structure_factors(f, -1.0), "q_max"),
        (lambda f: structure_factors(f, 5.0, bins=0), "at least one bin"),
        (lambda f: structure_factors(f, 5.0, bins=[2.0, 1.0]), "increase"),
        (lambda f: structure_factors(f, 5.0, bins=[1.3, 1.4]), "no wave vector"),
        (lambda f: structure_factors(f.free(), 5.0), "free space"),
        (lambda f: structure_factors(f, 5.0).of("A", "Z"), "no S_AZ"),
        (lambda f: debye(f, [0.0, 1.0]), "> 0"),
        (lambda f: saxs_free(f, [np.nan], points({"A": 1.0, "B": 1.0})), "> 0"),
        (lambda f: free_q(f, np.inf), "q_max"),
        (lambda f: bin_edges(f.free(), 1.0), "free space"),
        (lambda f: structure_factors([], 1.0), "at least one frame"),
    ],
)
def test_refuses(call, words: str) -> None:
    with pytest.raises(TrajectoryError, match=words):
        call(liquid(20, [5, 5, 5, 0, 0, 0]))


def test_refuses_too_many_pairs_and_foreign_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    found = liquid(20, [5, 5, 5, 0, 0, 0])
    with pytest.raises(PhysicsError, match="every species"):
        saxs(found, 5.0, points({"A": 1.0}))
    monkeypatch.setattr("supercrystal.structure.scattering.powder.MAX_PAIRS", 100)
    with pytest.raises(TrajectoryError, match="pairs"):
        debye(found, [1.0])
