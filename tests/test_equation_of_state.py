from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from supercrystal import equation_of_state as eos
from supercrystal.errors import PhysicsError

PACKINGS = st.floats(0.01, 0.6)


@given(PACKINGS)
def test_stiffness_is_the_derivative_of_the_pressure(phi: float) -> None:
    h = 1e-6
    slope = (eos.osmotic_pressure(phi + h) - eos.osmotic_pressure(phi - h)) / (2 * h) * np.pi / 6
    assert eos.stiffness(phi) == pytest.approx(slope, rel=1e-7)


@given(PACKINGS)
def test_gibbs_duhem(phi: float) -> None:
    h = 1e-6
    slope = (eos.chemical_potential(phi + h) - eos.chemical_potential(phi - h)) / (2 * h)
    assert phi * slope == pytest.approx(float(eos.stiffness(phi)), rel=1e-6)


@given(PACKINGS, st.floats(0.2, 5.0))
def test_packing_at_pressure_inverts(phi: float, diameter: float) -> None:
    pressure = eos.osmotic_pressure(phi, diameter)
    assert eos.packing_at_pressure(pressure, diameter) == pytest.approx(phi, abs=1e-10)


def test_virial_series() -> None:
    # Z = 1 + 4φ + 10φ² + …: B2 and B3 of hard spheres are exact.
    phi = 1e-4
    assert (eos.compressibility_factor(phi) - 1 - 4 * phi) / phi**2 == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize(("density", "measured"), [(0.6, 4.2952), (0.75, 6.6566)])
def test_simulated_hard_spheres(density: float, measured: float) -> None:
    # Values of the hoomd-validation suite, after Kolafa; Carnahan and Starling are known to be 0.3 % off.
    assert eos.compressibility_factor(eos.packing_fraction(density, 1.0)) == pytest.approx(measured, rel=4e-3)


@given(st.floats(0.01, 0.49), st.floats(0.5, 20.0), st.floats(0.3, 3.0))
def test_profile_carries_its_weight(bottom: float, length: float, diameter: float) -> None:
    profile = eos.sedimentation_profile(length, diameter, bottom=bottom)
    top = 60 * length
    per_area, _ = quad(lambda z: float(profile.packing(z)), 0, top, points=[10 * length], limit=200)
    per_area *= 6 / np.pi / diameter**3
    assert per_area == pytest.approx(float(profile.above(0.0)), rel=1e-6)
    again = eos.sedimentation_profile(length, diameter, per_area=per_area)
    assert again.bottom == pytest.approx(bottom, rel=1e-6)


def test_profile_solves_the_balance_of_forces() -> None:
    profile = eos.sedimentation_profile(2.0, bottom=0.45)
    solved = solve_ivp(
        lambda z, phi: -phi / (2.0 * eos.stiffness(phi)),
        (0, 40),
        [0.45],
        rtol=1e-11,
        atol=1e-14,
        dense_output=True,
    )
    z = np.linspace(0, 40, 81)
    np.testing.assert_allclose(profile.packing(z), solved.sol(z)[0], rtol=1e-8)


def test_dilute_profile_is_barometric() -> None:
    profile = eos.sedimentation_profile(3.0, bottom=1e-5)
    z = np.linspace(0, 200, 50)
    np.testing.assert_allclose(np.log(profile.packing(z)), np.log(1e-5) - z / 3, atol=1e-4)
    assert eos.sedimentation_profile(3.0, bottom=0.0).packing(1.0) == 0


@given(st.floats(0.1, 50.0), st.floats(0.1, 500.0))
def test_barometric_share_integrates_to_one(length: float, height: float) -> None:
    whole, _ = quad(lambda z: float(eos.barometric(z, length, height)), 0, min(height, 50 * length))
    assert whole == pytest.approx(1, rel=1e-6)
    assert eos.barometric(height + 1.0, length, height) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: eos.compressibility_factor(1.0),
        lambda: eos.compressibility_factor([0.1, -0.1]),
        lambda: eos.packing_at_pressure(-1.0),
        lambda: eos.barometric(0.0, 0.0),
        lambda: eos.sedimentation_profile(2.0),
        lambda: eos.sedimentation_profile(2.0, bottom=0.1, per_area=1.0),
        lambda: eos.sedimentation_profile(-2.0, bottom=0.1),
        lambda: eos.sedimentation_profile(2.0, bottom=0.6),
        lambda: eos.sedimentation_profile(2.0, bottom=0.3).packing(-1.0),
    ],
)
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(PhysicsError):
        call()  # type: ignore[operator]


def test_a_metastable_bottom_on_request() -> None:
    assert eos.sedimentation_profile(2.0, bottom=0.55, metastable=True).packing(0.0) == pytest.approx(0.55)
