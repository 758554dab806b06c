from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.optimize import minimize_scalar

from supercrystal.errors import PhysicsError
from supercrystal.nanocrystal import ligand_length
from supercrystal.packing import ocm, opm

softness = st.floats(0.02, 1.5)
coverage = st.floats(0.75, 1.0)

X = np.array([0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0])
TAU = [1.082831, 1.139732, 1.179092, 1.223787, 1.234699, 1.241910, 1.236068, 1.222029, 1.191823, 1.129956]
ANGLE = [10.136, 18.236, 24.907, 35.328, 39.494, 46.374, 51.827, 56.257, 61.528, 67.874]


def test_reference_values() -> None:
    np.testing.assert_allclose(ocm.tau(X, 1.0), TAU, atol=6e-7)
    np.testing.assert_allclose(np.degrees(ocm.cone_angle(X, 1.0)), ANGLE, atol=6e-4)
    np.testing.assert_allclose(
        ocm.tau(np.array([0.1, 0.3, 0.5, 0.8, 1.0, 1.5]), 0.8),
        [1.049076, 1.101757, 1.119715, 1.113565, 1.097618, 1.039651],
        atol=6e-7,
    )


def test_exact_value_and_largest_value() -> None:
    assert float(ocm.tau(1.0, 1.0)) == pytest.approx(np.sqrt(5) - 1, rel=1e-15)
    top = minimize_scalar(lambda x: -float(ocm.tau(x, 1.0)), bounds=(0.3, 1.5), method="bounded")
    assert top.x == pytest.approx(0.7946, abs=2e-4)
    assert -top.fun == pytest.approx(1.241914, abs=1e-6)


@given(softness, coverage)
def test_volume_balance_by_integration(x: float, xi: float) -> None:
    """The squeezed ligands fill the cone between core and mid-plane: integrate it numerically, R = 1."""
    tau = float(ocm.tau(np.array([x]), xi)[0])
    assume(np.isfinite(tau))
    theta = float(ocm.cone_angle(x, xi))
    angle = np.linspace(0, theta, 4001)
    # Volume of the cone at each polar angle: from the core (1) to the plane at height tau: (2π sin θ)(s³ − 1)/3.
    volume = trapezoid(2 * np.pi * np.sin(angle) * ((tau / np.cos(angle)) ** 3 - 1) / 3, angle)
    ligands = 2 * np.pi * (1 - np.cos(theta)) * xi * x
    assert volume == pytest.approx(ligands, rel=1e-5)


@given(softness, coverage, st.floats(0.0, 1.0))
def test_interpolation_runs_from_opm_to_ocm(x: float, xi: float, fraction: float) -> None:
    assume(np.isfinite(ocm.tau(np.array([x]), xi)[0]))
    top = float(ocm.cone_angle(x, xi))
    assert float(ocm.tau_at_angle(x, xi, 0.0)) == pytest.approx(float(opm.tau(x, xi)), rel=1e-15)
    assert float(ocm.tau_at_angle(x, xi, top)) == pytest.approx(float(ocm.tau(x, xi)), rel=1e-12)
    between = float(ocm.tau_at_angle(x, xi, fraction * top))
    assert ocm.tau(x, xi) * (1 - 1e-12) <= between <= opm.tau(x, xi) * (1 + 1e-12)


@given(softness, coverage, st.floats(0.5, 15))
def test_ocm_is_at_most_opm_and_scales(x: float, xi: float, diameter: float) -> None:
    tau = ocm.tau(np.array([x]), xi)[0]
    assume(np.isfinite(tau))
    assert 1 <= tau <= opm.tau(x, xi) * (1 + 1e-12)
    assert float(ocm.spacing(diameter, x * diameter / 2, xi)) == pytest.approx(tau * diameter, rel=1e-12)


def test_overlapping_cores_are_refused() -> None:
    with pytest.raises(PhysicsError, match="τ < 1.*use OPM; got x = 2, ξ = 0.8"):
        ocm.tau(2.0, 0.8)
    found = ocm.tau(np.array([1.5, 2.0, -1.0]), 0.8)
    np.testing.assert_array_equal(np.isnan(found), [False, True, True])
    reason = ocm.domain(np.array([1.5, 2.0, -1.0]), 0.8).reason
    assert reason[0] == ""
    assert "cores overlap" in reason[1]
    assert "must be > 0" in reason[2]
    # At ξ = 0.5 no softness works.
    assert np.isnan(ocm.tau(np.linspace(0.01, 10, 500), 0.5)).all()


def test_the_domain_ends_where_cores_touch() -> None:
    # τ = 1 in τ² + (1 + x) τ − 2 (1 + 3 ξ x)/(1 + x) = 0 gives ξ = [(1 + x)(2 + x)/2 − 1]/(3x).
    x = np.array([0.5, 1.0, 2.0])
    xi = ((1 + x) * (2 + x) / 2 - 1) / (3 * x)
    np.testing.assert_allclose(ocm.tau(x, xi * (1 + 1e-12)), 1, rtol=1e-11)
    assert np.isnan(ocm.tau(x, xi * (1 - 1e-6))).all()


def test_without_room_for_a_cone_ocm_is_opm() -> None:
    x = np.array([0.2, 0.7, 1.5])
    xi = 1 + x + x**2 / 3  # extended ligands just fill the OPM shell
    np.testing.assert_allclose(ocm.tau(x, xi), 1 + x, rtol=1e-14)
    np.testing.assert_allclose(ocm.cone_angle(x, xi), 0, atol=1e-7)


def test_an_angle_beyond_the_full_cone_is_refused() -> None:
    with pytest.raises(PhysicsError, match="θ_max"):
        ocm.tau_at_angle(0.5, 1.0, 1.2)
    with pytest.raises(PhysicsError, match="θ_max"):
        ocm.tau_at_angle(0.5, 1.0, -0.1)
    assert np.isnan(ocm.tau_at_angle(np.array([0.5]), 1.0, 1.2)[0])


def test_equal_pair_is_the_closed_form() -> None:
    length = float(ligand_length(9))
    pair = ocm.pair_spacing((4.1, 4.1), (length, length), (1.0, 1.0))
    assert float(pair) == pytest.approx(float(ocm.spacing(4.1, length, 1.0)), rel=1e-13)
    assert float(pair) == pytest.approx(5.0753, abs=1e-4)


@given(st.tuples(st.floats(2, 12), st.floats(0.3, 3), st.floats(0.75, 1)),
       st.tuples(st.floats(2, 12), st.floats(0.3, 3), st.floats(0.75, 1)), st.floats(0.3, 3))  # fmt: skip
def test_unequal_pair_balances_is_symmetric_scales_and_is_below_opm(a, b, scale) -> None:
    sizes, lengths, xis = zip(a, b, strict=True)
    distance = float(ocm.pair_spacing((np.array([sizes[0]]), sizes[1]), lengths, xis)[0])
    assume(np.isfinite(distance))
    other = ocm.pair_spacing(sizes[::-1], lengths[::-1], xis[::-1])
    assert float(other) == pytest.approx(distance, rel=1e-12)
    scaled = ocm.pair_spacing(tuple(scale * d for d in sizes), tuple(scale * v for v in lengths), xis)
    assert float(scaled) == pytest.approx(scale * distance, rel=1e-11)
    radii = [opm.spacing(d, v, xi) / 2 for d, v, xi in (a, b)]
    assert sum(sizes) / 2 <= distance <= sum(radii) * (1 + 1e-12)
    # Both cones end on one rim: its radius is the same from either side.
    reach = [d / 2 + v for d, v, _ in (a, b)]
    first = (distance**2 + reach[0] ** 2 - reach[1] ** 2) / (2 * distance)
    heights = first, distance - first
    rims = [r**2 - h**2 for r, h in zip(reach, heights, strict=True)]
    assert rims[0] == pytest.approx(rims[1], abs=1e-9)
    assert min(heights) >= 0
    # Integrated volume of both cones less both cores is that of both shares of ligands.
    total = 0.0
    for (d, v, xi), r, h in zip((a, b), reach, heights, strict=True):
        cosine = h / r
        cone = np.pi / 3 * h * max(r**2 - h**2, 0) - 2 * np.pi / 3 * (d / 2) ** 3 * (1 - cosine)
        total += cone - 2 * np.pi * (d / 2) ** 2 * (1 - cosine) * xi * v
    assert total == pytest.approx(0, abs=1e-8 * max(reach) ** 3)


def test_a_pair_whose_rim_lies_near_the_equator_of_the_smaller_shell_is_solved() -> None:
    sizes, lengths, xis = (8.0, 3.8), (1.5, 2.9), (0.98, 0.79)
    distance = float(ocm.pair_spacing(sizes, lengths, xis))
    reach = [d / 2 + v for d, v in zip(sizes, lengths, strict=True)]
    assert np.sqrt(reach[0] ** 2 - reach[1] ** 2) < distance < np.hypot(*reach)


def test_pairs_without_a_solution_are_refused() -> None:
    with pytest.raises(PhysicsError, match="sizes differ too much"):
        ocm.pair_spacing((20.0, 1.0), (4.0, 0.3), (1.0, 1.0))
    with pytest.raises(PhysicsError, match="softness"):
        ocm.pair_spacing((0.0, 4.0), (1.0, 1.0), (1.0, 1.0))
    both = ocm.pair_spacing(
        (np.array([20.0, 7.0]), np.array([1.0, 4.1])), (np.array([4.0, 1.3]), 0.3), (1.0, 1.0)
    )
    np.testing.assert_array_equal(np.isnan(both), [True, False])
