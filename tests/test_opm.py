from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError
from supercrystal.nanocrystal import ligand_length
from supercrystal.packing import opm

positive = st.floats(0.01, 5.0)
coverage = st.floats(0.05, 1.0)


@pytest.mark.parametrize(
    ("x", "tau"),
    [(0.1, 1.091393), (0.3, 1.238562), (0.6, 1.409460), (1.0, 1.587401), (1.5, 1.765174), (2.0, 1.912931)],
)
def test_reference_values(x: float, tau: float) -> None:
    assert float(opm.tau(x, 1.0)) == pytest.approx(tau, abs=5e-7)


def test_one_over_one_is_the_cube_root_of_four() -> None:
    assert float(opm.tau(1.0, 1.0)) == pytest.approx(4 ** (1 / 3), rel=1e-15)


@pytest.mark.parametrize(
    ("xi", "x"),
    [
        (0.8, 0.503945),
        (0.9, 0.581887),
        (1.0, 0.6637402487),
        (1.05, 0.705566),
        (1.1, 0.747738),
        (1.3, 0.917182),
    ],
)
def test_boundary_values(xi: float, x: float) -> None:
    assert float(opm.boundary(xi)) == pytest.approx(x, abs=6e-7)


@given(st.floats(1e-3, 50.0))
def test_boundary_solves_its_equation_and_is_where_the_favoured_phase_changes(xi: float) -> None:
    x = float(opm.boundary(xi))
    assert x > 0
    assert 2 / np.sqrt(3) * np.cbrt(1 + 3 * xi * x) == pytest.approx(1 + x, rel=1e-12)
    if xi <= 1 + 0.99 * x + (0.99 * x) ** 2 / 3:
        assert opm.favoured(0.99 * x, xi) == "fcc"
        assert opm.favoured(1.01 * x, xi) == "bcc"


def test_boundary_broadcasts_and_agrees_with_single_values() -> None:
    xi = np.array([[0.3, 0.8], [1.0, 1.3]])
    np.testing.assert_allclose(
        opm.boundary(xi), [[float(opm.boundary(v)) for v in row] for row in xi], rtol=1e-15
    )


@given(positive, coverage, st.floats(0.5, 20))
def test_scale_invariance_and_conserved_ligand_volume(x: float, xi: float, diameter: float) -> None:
    length = x * diameter / 2
    spacing = float(opm.spacing(diameter, length, xi))
    assert float(opm.spacing(3 * diameter, 3 * length, xi)) == pytest.approx(3 * spacing, rel=1e-12)
    # Volume of the shell is that of the ligands: 4π/3 (r³ − R³) = 4πR² ξ L, from the definition of ξ.
    shell = (spacing / 2) ** 3 - (diameter / 2) ** 3
    assert shell == pytest.approx(3 * (diameter / 2) ** 2 * xi * length, rel=1e-9)
    assert float(opm.effective_radius(diameter, length, xi)) == spacing / 2


@given(positive, coverage, st.floats(1.001, 2.0))
def test_spacing_grows_with_ligand_and_coverage_and_stays_within_their_reach(x, xi, factor) -> None:
    assert opm.tau(x * factor, xi) > opm.tau(x, xi)
    assert opm.tau(x, xi) > opm.tau(x, xi / factor)
    assert 1 < opm.tau(x, xi) <= (1 + x) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("phase", "fraction"),
    [("fcc", 0.740480), ("hcp", 0.740480), ("bcc", 0.680175), ("sc", 0.523599), ("diamond", 0.340087)],
)
def test_core_fraction_of_touching_spheres_over_tau_cubed(phase: str, fraction: float) -> None:
    assert opm.TOUCHING_FRACTION[phase] == pytest.approx(fraction, abs=6e-7)
    assert float(opm.core_fraction(0.5, 0.8, phase)) == pytest.approx(
        opm.TOUCHING_FRACTION[phase] / 2.2, rel=1e-14
    )


#: D_core [nm], carbons, σ [nm⁻²], OPM spacing [nm] of section 6c; L = 0.124946 n + 0.2 nm.
SPACINGS = [
    (4.1, 9, 5.88, 5.960),
    (4.1, 18, 5.52, 6.817),
    (7.0, 9, 4.56, 8.732),
    (7.0, 18, 4.40, 9.722),
    (10.2, 9, 4.49, 12.019),
    (10.2, 18, 4.37, 13.154),
    (3.0, 12, 4.5, 4.674),
    (3.4, 12, 4.5, 5.139),
    (4.6, 12, 4.0, 6.335),
    (5.8, 12, 4.0, 7.632),
]


@pytest.mark.parametrize(("diameter", "carbons", "sigma", "spacing"), SPACINGS)
def test_spacings_of_the_reference_table(diameter, carbons, sigma, spacing) -> None:
    assert float(opm.spacing(diameter, ligand_length(carbons), sigma / 5.5)) == pytest.approx(
        spacing, abs=6e-4
    )


@pytest.mark.parametrize(
    ("x", "xi", "words"),
    [(0.0, 1, "x = L/R must be > 0"), (-1, 1, "must be > 0"), (np.nan, 1, "must be > 0"), (1, 0, "coverage"),
     (0.1, 1.2, "beyond their extended length"), (np.inf, 1, "must be > 0")],
)  # fmt: skip
def test_single_values_outside_are_refused_and_entries_of_arrays_become_nan(x, xi, words) -> None:
    with pytest.raises(PhysicsError, match=f"{words}.*got"):
        opm.tau(x, xi)
    both = opm.tau(np.array([x, 1.0]), np.array([xi, 1.0]))
    assert np.isnan(both[0])
    assert both[1] == opm.tau(1.0, 1.0)
    assert words in opm.domain(np.array([x, 1.0]), np.array([xi, 1.0])).reason[0]
    assert opm.domain(np.array([x, 1.0]), np.array([xi, 1.0])).reason[1] == ""


def test_a_core_without_size_is_refused() -> None:
    with pytest.raises(PhysicsError, match="softness"):
        opm.spacing(0.0, 1.0, 1.0)
    assert np.isnan(opm.spacing(np.array([0.0, 4.0]), 1.0, 1.0)[0])


def test_other_refusals() -> None:
    with pytest.raises(PhysicsError, match="fcc, hcp, bcc, sc, diamond; got 'NaCl'"):
        opm.core_fraction(0.5, 1.0, "NaCl")
    with pytest.raises(PhysicsError, match="coverage"):
        opm.boundary(0.0)
    assert np.isnan(opm.boundary(np.array([-1.0, 1.0]))[0])
