from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError
from supercrystal.interactions.hamaker import Hamaker
from supercrystal.interactions.shell import Shell
from supercrystal.interactions.tabulation import (
    BOUNDED_START,
    MOST,
    WALL,
    Grid,
    Interpolation,
    closest,
    tabulate,
    total_force,
)

ways = st.sampled_from([("linear", "r"), ("spline", "r2"), ("linear", "r2"), ("spline", "r")])


@dataclass(frozen=True)
class Counted:
    """A shell that refuses to be evaluated below a distance."""

    shell: Shell
    forbidden: float

    @property
    def r_cut(self) -> float:
        return self.shell.r_cut

    def energy(self, r):  # type: ignore[no-untyped-def]
        assert np.min(r) > self.forbidden
        return self.shell.energy(r)

    def force(self, r):  # type: ignore[no-untyped-def]
        assert np.min(r) > self.forbidden
        return self.shell.force(r)


@given(
    epsilon=st.floats(0.05, 50.0),
    onset=st.floats(2.0, 30.0),
    exponent=st.floats(4.0, 60.0),
    way=ways,
    seed=st.integers(0, 2**31),
)
@settings(max_examples=20, deadline=None)
def test_the_stated_bound_holds_anywhere(epsilon, onset, exponent, way, seed) -> None:  # type: ignore[no-untyped-def]
    shell = Shell(epsilon, onset, exponent)
    table = tabulate([shell], 1e-6, *way)
    assert max(table.bound_energy, table.bound_force) <= 1e-6 or table.r.size == MOST[way[0]]
    r = np.random.default_rng(seed).uniform(table.start, onset, 4000)
    energy, force = table.interpolate(r)
    exact_u, exact_f = shell.energy(r), shell.force(r)
    error_u = np.max(np.abs(energy - exact_u) / np.maximum(np.abs(exact_u), 1))
    error_f = np.max(np.abs(force - exact_f) / np.maximum(np.abs(exact_f), 10 / onset))
    # The error between quarter points may exceed that at them, by the shape of the interval's cubic a little.
    assert error_u <= 1.3 * table.bound_energy + 1e-13
    assert error_f <= 1.3 * table.bound_force + 1e-13


@given(epsilon=st.floats(0.05, 50.0), exponent=st.floats(8.0, 60.0))
@settings(deadline=None)
def test_tables_start_where_the_energy_is_the_wall(epsilon: float, exponent: float) -> None:
    shell = Shell(epsilon, 10.0, exponent)
    start = closest([shell])
    analytic = 10.0 * (1 + np.sqrt(WALL / epsilon)) ** (-2 / exponent)
    assert start == pytest.approx(analytic, rel=1e-9)


def test_nothing_is_evaluated_far_inside_the_wall() -> None:
    shell = Shell(1.0, 10.0, 20.0)
    counted = Counted(shell, 0.985 * closest([shell]))
    table = tabulate([counted])
    assert table.start == pytest.approx(closest([shell]))


def test_a_bounded_potential_starts_near_zero_unless_a_repulsive_one_is_added() -> None:
    attraction = Hamaker(12.0, (3.5, 3.5), 8.0, 14.0)
    assert closest([attraction]) == pytest.approx(BOUNDED_START * 14.0)
    shell = Shell(1.0, 12.0, 20.0)
    assert closest([attraction, shell]) < closest([shell])  # attraction lets them a little closer
    assert closest([attraction, shell]) == pytest.approx(closest([shell]), rel=0.01)


def test_a_varied_attraction_is_followed_to_its_largest_factor() -> None:
    attraction, shell = Hamaker(12.0, (3.5, 3.5), 8.0, 14.0), Shell(1.0, 12.0, 20.0)
    both = closest([shell], scaled=[attraction], factors=(0.0, 50.0))
    assert both < closest([shell])
    energy = float(shell.energy(both) + 50 * attraction.energy(both))
    assert energy == pytest.approx(WALL, rel=1e-6)


def test_linear_tables_leave_the_cut_out_and_splines_have_it() -> None:
    shell = Shell(1.0, 10.0, 20.0)
    linear, spline = tabulate([shell]), tabulate([shell], 1e-7, "spline", "r2")
    step = linear.r[1] - linear.r[0]
    assert linear.r[-1] + step == pytest.approx(10.0)
    assert spline.r[-1] == 10.0
    assert np.ptp(np.diff(spline.r**2)) < 1e-9
    assert spline.r.size < linear.r.size / 16  # why LAMMPS gets splines
    r = np.linspace(spline.start, 10.5, 99)
    np.testing.assert_allclose(spline.interpolate(r)[1], linear.interpolate(r)[1], rtol=1e-6, atol=1e-6)


def test_slopes_at_the_ends_are_those_of_the_force() -> None:
    shell = Shell(0.7, 10.0, 20.0)
    table = tabulate([shell], 1e-7, "spline", "r2")
    for slope, r in zip(table.slopes, (table.r[0], 10.0 - 1e-5), strict=True):
        numerical = (shell.force(r + 5e-6) - shell.force(r - 5e-6)) / 1e-5
        assert slope == pytest.approx(float(numerical), rel=1e-4)


@pytest.mark.parametrize("way", [("linear", "r"), ("spline", "r2")])
def test_a_kink_inside_is_not_hidden(way: tuple[Interpolation, Grid]) -> None:
    shells = [Shell(1.0, 10.0, 20.0), Shell(1.0, 8.7, 20.0)]
    table = tabulate(shells, 1e-7, *way)
    assert 1e-7 < table.bound_force < 1e-3
    r = np.linspace(table.start, 10.0, 400_001)
    error = np.abs(table.interpolate(r)[1] - total_force(shells, r)) / np.maximum(1, total_force(shells, r))
    assert np.max(error) <= 1.5 * table.bound_force
    # Only the few intervals around the kink are off, and more points were not spent on them than this takes.
    assert np.sqrt(np.mean(error**2)) < 2e-7
    assert table.r.size < MOST[way[0]]


def test_refusals() -> None:
    @dataclass(frozen=True)
    class Truncated:
        r_cut: float = 3.0

        def energy(self, r):  # type: ignore[no-untyped-def]
            return np.where(np.asarray(r) < 3.0, np.asarray(r, float) ** -6.0, 0.0)

        def force(self, r):  # type: ignore[no-untyped-def]
            return np.where(np.asarray(r) < 3.0, 6 * np.asarray(r, float) ** -7.0, 0.0)

    with pytest.raises(PhysicsError, match="does not end smoothly"):
        tabulate([Truncated()])
    with pytest.raises(PhysicsError, match="no pair potentials"):
        tabulate([])
    with pytest.raises(PhysicsError, match="start < r_cut"):
        tabulate([Shell(1.0, 10.0, 20.0)], start=11.0)
    with pytest.raises(PhysicsError, match="table starts at"):
        tabulate([Shell(1.0, 10.0, 20.0)]).interpolate(1.0)
