from __future__ import annotations

import numpy as np
import pytest
import rowan

from supercrystal import lattices
from supercrystal.errors import TrajectoryError
from supercrystal.structure.scattering.cell import refine_cell

#: Phase, its constants, repeats, and the species whose positions are refined.
CASES = [
    ("fcc", {"a": 1.0}, (6, 6, 6), "A"),
    ("bcc", {"a": 1.0}, (8, 8, 8), "A"),
    ("hcp", {"a": 1.0, "c": 1.633}, (8, 8, 5), "A"),
    ("AlB2", {"a": 1.0, "c": 1.0}, (9, 9, 9), "B"),
    ("ABO3", {"a": 1.0}, (6, 6, 6), "O"),
    ("NaZn13", {"a": 1.0, "y": 0.1806, "z": 0.1192}, (4, 4, 4), "A"),
]


def grain(phase: str, constants, repeats, species: str, noise: float, seed: int):
    """A turned and strained grain with 2 % vacancies: positions, its true cell, and a rough one."""
    rng = np.random.default_rng(seed)
    p = lattices.build(phase, constants, repeats=repeats).particles
    x = p.position[np.array(p.types)[p.typeid] == species].astype(float)
    quaternion = rng.normal(size=4)
    turn = rowan.to_matrix(quaternion / np.linalg.norm(quaternion))
    deform = (np.eye(3) + rng.normal(0, 0.01, (3, 3))) @ turn
    x = x @ deform + rng.normal(0, noise, x.shape) + rng.uniform(-100, 100, 3)
    true = lattices.vectors(phase, constants) @ deform
    return x[rng.random(len(x)) > 0.02], true, true @ (np.eye(3) + rng.normal(0, 0.015, (3, 3)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[3]}")
def test_finds_the_cell_within_its_own_uncertainty(case) -> None:
    z = []
    for seed in range(10):
        x, true, rough = grain(*case, noise=0.05, seed=seed)
        cell, error = refine_cell(x, rough)
        z.append((np.linalg.norm(cell, axis=1) - np.linalg.norm(true, axis=1)) / error)
        assert np.max(np.abs(cell - true)) < 0.02
        assert np.all(error < 0.006)
    # 30 values of about unit variance; the mean over seeds must not lean to one side.
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.4
    assert abs(np.mean(z)) < 4 / np.sqrt(len(z) * 3)


def test_exact_without_displacements_and_blind_to_vacancies() -> None:
    x, true, rough = grain("bcc", {"a": 2.0}, (7, 7, 7), "A", noise=0.0, seed=3)
    cell, _ = refine_cell(x, rough)
    np.testing.assert_allclose(cell, true, atol=2e-4)


def test_large_grain_from_a_rough_cell() -> None:
    """Peaks of 30 cells are far narrower than the error of the start."""
    x, true, _ = grain("sc", {"a": 1.0}, (30, 30, 30), "A", noise=0.04, seed=1)
    cell, error = refine_cell(x, true * 1.04)
    np.testing.assert_allclose(np.linalg.norm(cell, axis=1), np.linalg.norm(true, axis=1), rtol=2e-4)
    assert np.all(error < 1e-4)


def test_scale_and_translation() -> None:
    x, _, rough = grain("fcc", {"a": 1.0}, (5, 5, 5), "A", noise=0.04, seed=2)
    cell, error = refine_cell(x, rough)
    other, other_error = refine_cell(37.0 * x + [5, -3, 200], 37.0 * rough)
    np.testing.assert_allclose(other, 37.0 * cell, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(other_error, 37.0 * error, rtol=1e-3)


@pytest.mark.parametrize(
    ("x", "cell", "q_max", "words"),
    [
        (np.zeros((5, 3)), np.eye(3), None, "at least 16"),
        (np.full((20, 3), np.nan), np.eye(3), None, "finite positions"),
        (np.random.default_rng(0).random((500, 3)) * 8, np.eye(3), None, "no three independent Bragg peaks"),
        (np.random.default_rng(0).random((500, 3)) * 8, np.zeros((3, 3)), None, "one plane"),
        (np.random.default_rng(0).random((500, 3)) * 8, np.eye(3), -1.0, "q_max"),
        (np.random.default_rng(0).random((500, 3)) * 8, np.eye(3), 0.1, "no three independent Bragg peaks"),
    ],
)
def test_refuses(x, cell, q_max, words: str) -> None:
    with pytest.raises(TrajectoryError, match=words):
        refine_cell(x, cell, q_max)
