from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from supercrystal.errors import PhysicsError
from supercrystal.interactions import brush
from supercrystal.interactions.hamaker import Hamaker
from supercrystal.interactions.shell import Shell, shell_from_brush
from supercrystal.interactions.wall import Wall
from supercrystal.packing import opm

radii = st.floats(1.0, 10.0)
lengths = st.floats(0.5, 3.0)
coverages = st.floats(0.6, 1.0)


def _derivative(function, r: float, step: float = 1e-5) -> float:  # type: ignore[no-untyped-def]
    return float(function(r + step) - function(r - step)) / (2 * step)


@pytest.mark.parametrize(
    ("potential", "at"),
    [
        (Shell(0.6, 11.9, 8.1), (7.0, 9.7, 11.5)),
        (Shell(0.9, 10.4, 30.0), (9.0, 9.9, 10.3)),
        (Hamaker(12.0, (3.5, 3.0), 8.0, 14.0), (7.5, 8.5, 10.0, 13.9)),
        (Wall(1.0, 4.9), (3.0, 4.9, 5.4)),
    ],
)
def test_force_is_minus_the_slope_of_the_energy(potential, at) -> None:  # type: ignore[no-untyped-def]
    for r in at:
        assert float(potential.force(r)) == pytest.approx(
            -_derivative(potential.energy, r), rel=1e-5, abs=1e-7
        )


@pytest.mark.parametrize(
    "potential", [Shell(0.6, 11.9, 8.1), Hamaker(12.0, (3.5, 3.5), 8.0, 14.0), Wall(1.0, 4.9)]
)
def test_energy_and_force_end_smoothly_at_the_cut(potential) -> None:  # type: ignore[no-untyped-def]
    inside = potential.r_cut * (1 - 1e-6)
    assert abs(float(potential.energy(inside))) < 1e-8
    assert abs(float(potential.force(inside))) < 1e-3
    assert float(potential.energy(potential.r_cut)) == 0
    assert float(potential.force(potential.r_cut + 1)) == 0


def test_shell_is_the_mie_potential_cut_at_its_minimum() -> None:
    shell = Shell(epsilon=0.7, onset=10.0, exponent=9.0)
    n, m = 9.0, 4.5
    sigma = shell.onset * (m / n) ** (1 / (n - m))
    r = np.linspace(8, 9.99, 7)
    mie = n / (n - m) * (n / m) ** (m / (n - m)) * 0.7 * ((sigma / r) ** n - (sigma / r) ** m) + 0.7
    np.testing.assert_allclose(shell.energy(r), mie, rtol=1e-10, atol=1e-12)


def test_brush_energy_is_the_double_integral_of_the_plate_pressure() -> None:
    # Derjaguin: U(h) = π R ∫_h W, W(h) = ∫_h P, P = (kT/s³)[u^(-9/4) - u^(3/4)]
    R, L, sigma, h = 3.5, 2.4, 4.4, 2.0

    def pressure(x: float) -> float:
        u = x / (2 * L)
        return sigma**1.5 * (u**-2.25 - u**0.75)

    def plates(x: float) -> float:
        return quad(pressure, x, 2 * L)[0]

    expected = np.pi * R * quad(plates, h, 2 * L)[0]
    assert float(brush.energy(h, R, L, sigma)) == pytest.approx(expected, rel=1e-6)
    assert float(brush.force(h, R, L, sigma)) == pytest.approx(np.pi * R * plates(h), rel=1e-6)


def test_brush_vanishes_beyond_two_ligand_lengths_and_refuses_touching_cores() -> None:
    assert float(brush.energy(5.0, 3.5, 2.4, 4.4)) == 0
    with pytest.raises(PhysicsError, match="cores touch"):
        brush.energy(0.0, 3.5, 2.4, 4.4)
    with pytest.raises(PhysicsError, match="brushes overlap only"):
        brush.effective_exponent(13.0, 3.5, 2.4)


def test_effective_exponent_is_that_of_a_power_law_locally() -> None:
    R, L, r = 2.5, 1.7, 7.0
    step = 1e-3
    f = [float(brush.force(r + d - 2 * R, R, L, 4.0)) for d in (-step, step)]
    # For U = r^-n the force falls as r^-(n+1).
    n = -(np.log(f[1]) - np.log(f[0])) / (np.log(r + step) - np.log(r - step)) - 1
    assert float(brush.effective_exponent(r, R, L)) == pytest.approx(n, rel=1e-5)


@given(radius=radii, length=lengths, xi=coverages)
def test_the_derived_shell_meets_its_three_conditions(radius: float, length: float, xi: float) -> None:
    contact = float(opm.spacing(2 * radius, length, xi))
    shell = shell_from_brush(contact, radius, length)
    assert shell.onset == pytest.approx(2 * (radius + length))
    assert float(shell.energy(contact)) == pytest.approx(1.0, rel=1e-9)
    step = 1e-5 * contact
    f = [float(shell.force(contact + d)) for d in (-step, step)]
    exponent = -(np.log(f[1]) - np.log(f[0])) / (np.log(contact + step) - np.log(contact - step)) - 1
    assert exponent == pytest.approx(float(brush.effective_exponent(contact, radius, length)), rel=1e-3)
    r = np.linspace(2 * radius * 1.01, shell.onset, 200)
    assert np.all(np.diff(shell.energy(r)) <= 0)


def test_hamaker_matches_derjaguin_close_to_contact_and_attracts() -> None:
    R, A = 50.0, 10.0
    attraction = Hamaker(A, (R, R), 2 * R + 1e-3, 400.0)
    h = 0.05
    bare = float(attraction._bare(np.asarray(2 * R + h))[0])
    assert bare == pytest.approx(-A * R / (12 * h), rel=0.02)
    r = np.linspace(2 * R + 0.1, 399, 50)
    assert np.all(attraction.force(r) < 0)


def test_hamaker_refuses_a_cut_inside_the_cores() -> None:
    with pytest.raises(PhysicsError, match="R1 \\+ R2 < closest < r_cut"):
        Hamaker(10.0, (3.5, 3.5), 6.0, 14.0)
