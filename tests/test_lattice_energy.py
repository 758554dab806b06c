from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError, UnknownNameError
from supercrystal.interactions.hamaker import Hamaker
from supercrystal.interactions.power_law import PowerLaw
from supercrystal.interactions.shell import Shell
from supercrystal.solids.crystal import Crystal, bonds, place
from supercrystal.solids.lattice_energy import curvature, direct_sum, lattice_sum, static

PAIRS = {
    ("A", "A"): (Shell(0.6, 11.9, 8.1), Hamaker(12.0, (3.5, 3.5), 8.0, 14.0)),
    ("A", "B"): (Shell(0.7, 9.5, 9.0),),
    ("B", "B"): (Shell(0.9, 7.5, 10.0),),
}


def crystal(seed: int, n: int = 4) -> Crystal:
    """A low-symmetry crystal with forces on everything."""
    rng = np.random.default_rng(seed)
    cell = 14.0 * (np.eye(3) + 0.15 * rng.normal(size=(3, 3)))
    sites = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])[:n]
    return Crystal(cell, sites + 0.03 * rng.normal(size=(n, 3)), ("A", "B", "A", "B")[:n])


@given(seed=st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_forces_and_stress_are_slopes_of_the_energy(seed: int) -> None:
    c, h = crystal(seed), 1e-5
    found = static(c, PAIRS)
    rng = np.random.default_rng(seed + 1)
    move, strain = rng.normal(size=(c.n, 3)), rng.normal(size=(3, 3))

    def moved(step: float) -> float:
        return static(
            Crystal(c.cell, c.fractional + step * move @ np.linalg.inv(c.cell), c.types), PAIRS
        ).energy

    def strained(step: float) -> float:
        return static(Crystal(c.cell @ (np.eye(3) + step * strain), c.fractional, c.types), PAIRS).energy

    assert (moved(h) - moved(-h)) / (2 * h) == pytest.approx(
        -float(np.sum(found.forces * move)), rel=1e-5, abs=1e-5
    )
    work = c.volume * float(np.sum(found.stress * strain))
    assert (strained(h) - strained(-h)) / (2 * h) == pytest.approx(work, rel=1e-5, abs=1e-5)
    assert found.forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


@given(seed=st.integers(0, 30), a=st.integers(1, 3), b=st.integers(1, 2))
@settings(max_examples=10, deadline=None)
def test_energy_is_extensive_and_does_not_see_the_choice_of_cell(seed: int, a: int, b: int) -> None:
    c = crystal(seed)
    one, many = static(c, PAIRS), static(c.repeated((a, b, 1)), PAIRS)
    assert many.energy == pytest.approx(a * b * one.energy, rel=1e-10)
    assert many.stress == pytest.approx(one.stress, rel=1e-8, abs=1e-10)
    sheared = Crystal(np.array([[1, 0, 0], [2, 1, 0], [0, -1, 1]]) @ c.cell, c.fractional, c.types)
    # The same particles in the new cell vectors.
    sheared = Crystal(sheared.cell, c.positions @ np.linalg.inv(sheared.cell), c.types)
    assert static(sheared, PAIRS).energy == pytest.approx(one.energy, rel=1e-10)
    assert static(c.upright(), PAIRS).energy == pytest.approx(one.energy, rel=1e-10)


def test_bonds_agree_with_a_plain_double_loop() -> None:
    c, reach = crystal(3), 17.0
    found = bonds(c, reach)
    shift = np.array([(i, j, k) for i in range(-4, 5) for j in range(-4, 5) for k in range(-4, 5)], float)
    vectors = c.positions[None, :, None] + shift @ c.cell - c.positions[:, None, None]
    lengths = np.linalg.norm(vectors, axis=-1)
    assert len(found.length) == np.count_nonzero((lengths > 0) & (lengths <= reach))
    assert np.sort(found.length) == pytest.approx(np.sort(lengths[(lengths > 0) & (lengths <= reach)]))
    ends = (c.fractional[found.j] + found.image) @ c.cell
    assert ends - c.positions[found.i] == pytest.approx(found.vector)


def test_fcc_of_touching_shells_costs_six_bonds_a_particle() -> None:
    shell = Shell(0.6, 11.9, 8.1)
    found = static(place("fcc", {"A": 9.7}, {"A": "A"}), {("A", "A"): (shell,)})
    assert found.energy == pytest.approx(6 * float(shell.energy(9.7)))
    assert found.pressure == pytest.approx(12 * 9.7 * float(shell.force(9.7)) / 6 * np.sqrt(2) / 9.7**3)


@pytest.mark.parametrize("phase", ["fcc", "hcp", "bcc", "sc", "diamond"])
@pytest.mark.parametrize("exponent", [4.5, 6.0, 7.25, 12.0, 20.0])
def test_lattice_sum_is_the_limit_of_direct_ones(phase: str, exponent: float) -> None:
    c = place(phase, {"A": 1.0}, {"A": "A"})
    exact = lattice_sum(c, exponent)
    near, far = (abs(direct_sum(c, exponent, reach) - exact) for reach in (5.0, 15.0))
    assert far < 3e-4 * exact
    assert far < near or near < 1e-9


def test_lattice_sum_scales_and_counts_all_particles() -> None:
    c = place("NaZn13", {"A": 1.0, "B": 0.55}, {"A": "A", "B": "B"})
    twice = Crystal(2 * c.cell, c.fractional, c.types)
    assert lattice_sum(twice, 6) == pytest.approx(lattice_sum(c, 6) / 64, rel=1e-12)
    assert lattice_sum(c.repeated((1, 2, 1)), 6) == pytest.approx(lattice_sum(c, 6), rel=1e-12)
    assert lattice_sum(c, 9) == pytest.approx(direct_sum(c, 9, 12.0), rel=1e-6)


@pytest.mark.parametrize("exponent", [4.0, 12.0, 40.0])
def test_numerical_curvature_is_that_of_the_power_law(exponent: float) -> None:
    r = np.geomspace(0.7, 3.0, 7)
    exact = exponent * (exponent + 1) * 2.0 * 1.2**exponent / r ** (exponent + 2)
    assert curvature(PowerLaw(2.0, 1.2, exponent), r) == pytest.approx(exact, rel=1e-8)


def test_curvature_stays_inside_the_cut() -> None:
    shell = Shell(0.6, 11.9, 8.1)
    # At its onset the shell bends as ε n²/2 r₀², and not at all beyond.
    end = 0.6 * 8.1**2 / 2 / 11.9**2
    assert float(curvature(shell, 11.9 * (1 - 1e-6))) == pytest.approx(end, rel=0.03)
    assert float(curvature(shell, 11.9)) == 0


def test_bad_input_is_refused() -> None:
    c = crystal(0)
    with pytest.raises(PhysicsError, match="no potential between A and B"):
        static(c, {("A", "A"): PAIRS["A", "A"], ("B", "B"): PAIRS["B", "B"]})
    with pytest.raises(PhysicsError, match="infinite range"):
        static(place("fcc", {"A": 1.0}, {"A": "A"}), {("A", "A"): (PowerLaw(1, 1, 6),)})
    with pytest.raises(PhysicsError, match="n > 3"):
        lattice_sum(c, 3)
    with pytest.raises(PhysicsError, match="one place"):
        bonds(Crystal(np.eye(3), np.array([[0, 0, 0], [1.0, 0, 0]]), ("A", "A")), 1.0)
    with pytest.raises(PhysicsError, match="no volume"):
        Crystal(np.ones((3, 3)), np.zeros((1, 3)), ("A",))
    with pytest.raises(PhysicsError, match="shorten the reach"):
        bonds(c, 1e4)
    with pytest.raises(UnknownNameError, match="did you mean 'bcc'"):
        place("bbc", {"A": 1.0}, {"A": "A"})
    with pytest.raises(PhysicsError, match="species B"):
        place("NaCl", {"A": 1.0}, {"A": "A"})
