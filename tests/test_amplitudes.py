from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal import lattices
from supercrystal.errors import TrajectoryError
from supercrystal.structure.scattering.amplitudes import (
    amplitudes,
    amplitudes_at,
    direct_sum,
    half_space,
    of_configuration,
    reciprocal,
    scatterers,
)
from supercrystal.structure.trajectory import Configuration

BOXES = [[10, 10, 10, 0, 0, 0], [7, 8, 9, 0.3, -0.4, 0.5], [12, 5, 20, -0.9, 0.8, 0.2]]


@pytest.mark.parametrize("box", BOXES)
def test_periodic_amplitudes_are_the_plain_sum(box: list[float]) -> None:
    x = np.random.default_rng(1).uniform(-30, 30, (400, 3))  # also outside the box
    found = scatterers(box, x, np.arange(400) % 2, ["A", "B"])
    grid = amplitudes(found, 6.0)
    k = grid.wave_vectors()
    for name, own in found.groups.items():
        expected = direct_sum(own, k.reshape(-1, 3), np.ones(len(own), complex)).reshape(k.shape[:-1])
        assert np.max(np.abs(grid.amplitude[name] - expected)) < 1e-6
    # The wave vectors are those with whole turns along every edge of the box.
    turns = k.reshape(-1, 3) @ found.cell.T / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-9)


@pytest.mark.parametrize("box", BOXES)
def test_half_space_lists_every_wave_vector_once(box: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(2).uniform(-5, 5, (50, 3))
    found = scatterers(box, x)
    k = amplitudes(found, 5.0).wave_vectors().reshape(-1, 3)
    length = np.linalg.norm(k, axis=1)
    wanted = int(np.sum((length > 0) & (length <= 5.0)))
    for chunk in (1 << 22, 500):  # in one block, and in many
        monkeypatch.setattr("supercrystal.structure.scattering.amplitudes._CHUNK", chunk)
        blocks = list(half_space(found, 5.0))
        assert sum(block.weight.sum() for block in blocks) == wanted
        listed = np.concatenate([block.k for block in blocks])
        assert np.all(np.linalg.norm(listed, axis=1) <= 5.0 * (1 + 1e-9))
        for block in blocks:
            expected = direct_sum(x, block.k, np.ones(50, complex))
            np.testing.assert_allclose(block.amplitude["A"], expected, atol=1e-7)


@pytest.mark.parametrize("flat", ["nothing", "wave vectors", "particles", "both"])
def test_transform_at_arbitrary_wave_vectors(flat: str) -> None:
    rng = np.random.default_rng(3)
    x, q = rng.uniform(-40, 40, (700, 3)), rng.normal(0, 3, (4000, 3))
    if flat in ("wave vectors", "both"):
        q[:, 2] = 0
    if flat in ("particles", "both"):
        x[:, 2] = 7.0
    weight = rng.normal(size=700) + 1j * rng.normal(size=700)
    expected = direct_sum(x, q, weight)
    found = amplitudes_at(x, q.reshape(40, 100, 3), weight)
    assert found.shape == (40, 100)
    assert np.max(np.abs(found.ravel() - expected)) < 1e-6 * np.max(np.abs(expected))


def test_large_products_of_extent_and_wave_vector_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supercrystal.structure.scattering.amplitudes._MAX_FINE", 20_000)
    monkeypatch.setattr("supercrystal.structure.scattering.amplitudes._DIRECT_S", 1.0)
    rng = np.random.default_rng(4)
    x, q = rng.uniform(-20, 20, (300, 3)), rng.uniform(-3, 3, (2000, 3))
    expected = direct_sum(x, q, np.ones(300, complex))
    assert np.max(np.abs(amplitudes_at(x, q) - expected)) < 1e-6 * 300


@settings(max_examples=25)
@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3), st.integers(0, 10**6))
def test_translation_turns_the_phase_only(shift: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    box = [*rng.uniform(3, 6, 3), *rng.uniform(-0.5, 0.5, 3)]
    x = rng.uniform(-3, 3, (20, 3))
    before, after = amplitudes(scatterers(box, x), 4.0), amplitudes(scatterers(box, x + shift), 4.0)
    phase = np.exp(1j * before.wave_vectors() @ np.array(shift))
    np.testing.assert_allclose(after.amplitude["A"], before.amplitude["A"] * phase, atol=1e-6)


@settings(max_examples=25)
@given(st.floats(0.01, 100.0), st.integers(0, 10**6))
def test_scale_and_rotation(scale: float, seed: int) -> None:
    import rowan

    rng = np.random.default_rng(seed)
    x, q = rng.normal(size=(15, 3)), rng.normal(size=(30, 3))
    expected = amplitudes_at(x, q)
    np.testing.assert_allclose(amplitudes_at(scale * x, q / scale), expected, atol=1e-8)
    turn = rowan.random.rand()
    np.testing.assert_allclose(
        amplitudes_at(rowan.rotate(turn, x), rowan.rotate(turn, q)), expected, atol=1e-8
    )


@pytest.mark.parametrize(
    ("hkl", "form"),
    [
        ((1, 0, 0), (1, -1, -1)), ((2, 1, 0), (1, -1, -1)), ((3, 0, 0), (1, -1, -1)),
        ((1, 1, 0), (1, 1, -1)), ((2, 1, 1), (1, 1, -1)), ((3, 1, 0), (1, 1, -1)),
        ((1, 1, 1), (1, -1, 3)), ((3, 1, 1), (1, -1, 3)),
        ((2, 0, 0), (1, 1, 3)), ((2, 2, 0), (1, 1, 3)),
    ],
)  # fmt: skip
def test_selection_rules_of_perovskite(hkl: tuple[int, ...], form: tuple[int, ...]) -> None:
    """F = f_A + f_B (-1)^(h+k+l) + f_O [(-1)^(h+k) + (-1)^(h+l) + (-1)^(k+l)], a cell at a time."""
    frame = lattices.build("ABO3", {"a": 2.0}, repeats=(3, 3, 3))
    p = frame.particles
    found = amplitudes(scatterers(frame.configuration.box, p.position, p.typeid, p.types), 40.0)
    values = [complex(found.at(name, 3 * np.array(hkl))) / 27 for name in ("A", "B", "O")]
    # The cell's origin is not that of the box: one common phase.
    np.testing.assert_allclose(np.array(values) / values[0], np.array(form), atol=1e-5)
    assert abs(found.at("A", [1, 0, 0])) < 1e-3  # no peak between those of the lattice


def test_of_configuration_takes_flat_systems_and_clusters_out_of_their_box() -> None:
    flat = Configuration(0, np.array([5.0, 5, 0, 0, 0, 0]), np.zeros((2, 3)), np.zeros(2, int), ("A",))
    assert of_configuration(flat).cell is None
    box = Configuration(0, np.array([5.0, 5, 5, 0, 0, 0]), np.zeros((2, 3)), np.zeros(2, int), ("A",))
    assert of_configuration(box).cell is not None
    assert of_configuration(box, free=True).cell is None


def test_species_without_particles_are_left_out() -> None:
    found = scatterers(
        [3, 3, 3, 0, 0, 0], [[0, 0, 0], [1, 1, 1]], np.array([0, 2], np.uint32), ["A", "B", "C"]
    )
    assert found.counts == {"A": 1, "C": 1}
    with pytest.raises(TrajectoryError, match="no particle is of the species 'B'"):
        amplitudes(found, 5.0).at("B", [1, 0, 0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: scatterers([1, 1, 1, 0, 0, 0], np.empty((0, 3))), "N ≥ 1"),
        (lambda: scatterers([1, 1, 1, 0, 0, 0], [[0, np.nan, 0]]), "not finite"),
        (lambda: scatterers([1, 1, 0, 0, 0, 0], [[0, 0, 0]]), "flat system"),
        (lambda: scatterers([1, 1, 1], [[0, 0, 0]]), "six finite numbers"),
        (lambda: scatterers(None, [[0, 0, 0]], [1], ["A"]), "index the 1 species"),
        (lambda: scatterers(None, [[0, 0, 0]], [0.0], ["A"]), "whole numbers"),
        (lambda: scatterers(None, [[0, 0, 0]], [0], ["A", "A"]), "different names"),
        (lambda: amplitudes(scatterers(None, [[0, 0, 0]]), 1.0), "free space"),
        (lambda: amplitudes(scatterers([1, 1, 1, 0, 0, 0], [[0, 0, 0]]), 1.0), "shortest wave vectors"),
        (lambda: amplitudes(scatterers([1, 1, 1, 0, 0, 0], [[0, 0, 0]]), np.inf), "q_max"),
        (lambda: amplitudes(scatterers([1e4] * 3 + [0] * 3, [[0, 0, 0]]), 1.0), "choose q_max"),
        (lambda: amplitudes_at([[0, 0, 0]], [[0, np.nan, 0]]), "wave vectors"),
        (lambda: reciprocal(np.ones((3, 3))), "one plane"),
    ],
)
def test_refuses(call, words: str) -> None:
    with pytest.raises(TrajectoryError, match=words):
        call()
