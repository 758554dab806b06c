from __future__ import annotations

import numpy as np
import pytest

from supercrystal.errors import TrajectoryError
from supercrystal.structure import order
from supercrystal.structure.spacing import Spacing, _Cells, _over_time, lattice_spacing
from tests.lattice_samples import crystal


def _measure(name: str, noise: float, seed: int, frames: int = 3, **options: float) -> Spacing:
    phase = name[:3]
    samples = [crystal(name, 1500, noise, 100 * seed + i, scale=9.7, **options) for i in range(frames)]
    return lattice_spacing([(box, x, order.label(box, x)) for box, x in samples], phase)


@pytest.mark.parametrize("name", ["fcc", "hcp", "bcc", "sc"])
@pytest.mark.parametrize("noise", [0.02, 0.05, 0.07])
def test_spacing_of_a_periodic_crystal_is_within_a_fifth_of_a_percent(name: str, noise: float) -> None:
    found = _measure(name, noise, seed=1)
    assert found.nearest_neighbour == pytest.approx(9.7, rel=2e-3)
    factor = {"fcc": 2**0.5, "bcc": 2 / 3**0.5}.get(name, 1.0)
    assert found.lattice_constant == pytest.approx(factor * found.nearest_neighbour)


@pytest.mark.parametrize("name", ["fcc111", "bcc"])
def test_a_slab_has_the_same_spacing(name: str) -> None:
    found = _measure(name, 0.04, seed=2, gap=5.0)
    assert found.nearest_neighbour == pytest.approx(9.7, rel=2e-3)


@pytest.mark.parametrize("name", ["fcc", "hcp", "bcc", "sc"])
def test_vacancies_do_not_widen_the_spacing(name: str) -> None:
    # Their volume alone would add 0.7 %.
    found = [_measure(name, 0.05, seed, frames=1, vacancies=0.02).nearest_neighbour for seed in (1, 2)]
    assert np.mean(found) == pytest.approx(9.7, rel=1e-3)


def test_one_frame_of_a_film_with_vacancies_has_an_honest_uncertainty() -> None:
    found = [_measure("fcc111", 0.06, seed, frames=1, vacancies=0.02, gap=5.0) for seed in range(16)]
    pulls = np.array([(f.nearest_neighbour - 9.7) / f.uncertainty for f in found])
    assert 0.4 < np.sqrt(np.mean(pulls**2)) < 1.6


def test_a_frame_seen_again_tells_nothing_new() -> None:
    box, x = crystal("fcc111", 1000, 0.05, 1, gap=5.0)
    frame = (box, x, order.label(box, x))
    once, often = lattice_spacing([frame], "fcc"), lattice_spacing([frame] * 8, "fcc")
    assert often.uncertainty == pytest.approx(once.uncertainty)
    assert often.nearest_neighbour == pytest.approx(once.nearest_neighbour)


@pytest.mark.parametrize(("memory", "least"), [(0.0, 0.5), (0.75, 0.35)])
def test_uncertainty_knows_that_successive_frames_are_alike(memory: float, least: float) -> None:
    # A crystal that breathes: 48 frames whose scale remembers its last value. Where 68 % would be perfect.
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(200):
        scale = np.empty(48)
        scale[0] = rng.normal()
        for i in range(1, 48):
            scale[i] = memory * scale[i - 1] + np.sqrt(1 - memory**2) * rng.normal()
        cells = [_Cells(np.full(3, 1 + 0.01 * s), np.zeros((3, 3))) for s in scale]
        covered.append(abs(0.01 * scale.mean()) < _over_time(cells))
    assert least < np.mean(covered) < 0.85


def test_planes_of_one_hot_frame_have_no_thermal_bias() -> None:
    # A bond of the lattice is 0.7 % longer on average at this noise.
    found = [_measure("fcc111", 0.06, seed, frames=1, gap=5.0) for seed in range(3)]
    assert np.mean([f.in_plane for f in found]) == pytest.approx(9.7, rel=1e-3)
    assert np.mean([f.anisotropy for f in found]) == pytest.approx(1.0, abs=1.5e-3)


def test_planes_of_a_film_across_the_boundary_are_found() -> None:
    box, x = crystal("fcc111", 1500, 0.03, 1, gap=5.0)
    x[:, 2] += box[2] / 2
    found = lattice_spacing([(box, x, order.label(box, x))], "fcc")
    assert found.anisotropy == pytest.approx(1.0, abs=2e-3)


def test_a_crystal_without_an_inside_is_measured_with_a_warning() -> None:
    box, x = crystal("fcc", 500, 0.02, 1)
    labels = order.label(box, x)
    scattered = np.zeros(len(x), np.int8)
    scattered[::3] = order.PHASES.index("fcc")
    found = lattice_spacing([(box, x, order.Labels(scattered, labels.surface))], "fcc")
    assert "edge" in found.note
    assert found.nearest_neighbour == pytest.approx(1.0, rel=5e-3)
    with pytest.raises(TrajectoryError, match="as many labels"):
        lattice_spacing([(box, x[:-1], labels)], "fcc")


def test_uncertainty_covers_the_scatter_over_seeds() -> None:
    found = [_measure("fcc111", 0.05, seed, frames=2, gap=5.0) for seed in range(12)]
    pulls = np.array([(f.nearest_neighbour - 9.7) / f.uncertainty for f in found])
    assert np.sqrt(np.mean(pulls**2)) < 2.5
    # Nor is it so wide that it says nothing.
    assert np.mean([f.uncertainty for f in found]) < 0.01


def test_layers_of_a_film_strained_along_z_are_found() -> None:
    frames = []
    for seed in range(4):
        box, x = crystal("fcc111", 1500, 0.03, seed, gap=5.0, scale=9.7)
        x[:, 2] *= 0.97
        frames.append((box, x, order.label(box, x)))
    # The particles of the four samples are the same lattice sites, as in frames of one trajectory.
    found = lattice_spacing(frames, "fcc")
    assert found.in_plane == pytest.approx(9.7, rel=3e-3)
    assert found.interlayer == pytest.approx(9.7 * (2 / 3) ** 0.5 * 0.97, rel=5e-3)
    assert found.anisotropy == pytest.approx(0.97, rel=6e-3)


def test_planes_that_do_not_lie_parallel_to_the_film_are_not_reported() -> None:
    found = _measure("fcc", 0.03, seed=1, gap=5.0)  # (001) planes along z
    assert np.isnan(found.in_plane)
    assert np.isnan(found.anisotropy)


def test_without_a_crystal_there_is_no_spacing() -> None:
    box, x = [100, 100, 100, 0, 0, 0], np.random.default_rng(1).uniform(-50, 50, (800, 3))
    labels = order.label(box, x)
    with pytest.raises(TrajectoryError, match="too small to measure"):
        lattice_spacing([(box, x, labels)], "fcc")
    with pytest.raises(TrajectoryError, match="defined for"):
        lattice_spacing([(box, x, labels)], "disordered")
