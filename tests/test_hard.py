from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal import lattices
from supercrystal.errors import PhysicsError, UnknownNameError
from supercrystal.packing import hard
from supercrystal.packing.opm import TOUCHING_FRACTION

MIXED = [name for name in lattices.names() if not lattices.prototype(name).one_component]
GRID = np.linspace(0.05, 1.0, 20)

#: Kinks and maxima of section 3, exact where the page gives a closed form: phase, γ, η, tolerance.
PEAKS = [
    ("NaCl", np.sqrt(2) - 1, 0.793104818, 6e-10),
    ("CsCl", np.sqrt(3) - 1, 0.729009112, 6e-10),
    ("AlB2", np.sqrt(7 / 3) - 1, 0.782111780, 6e-10),
    ("AlB2", 1 / np.sqrt(3), 0.779205045, 1e-7),
    ("AuCu", np.sqrt(3) - 1, 0.729009, 6e-7),
    ("AuCu", 1.0, np.pi / np.sqrt(18), 1e-12),
    ("AuCu3", np.sqrt(2) - 1, 0.635231833, 6e-10),
    ("AuCu3", 1.0, np.pi / np.sqrt(18), 1e-12),
    ("MgZn2", np.sqrt(2 / 3), 0.710327626, 6e-10),
    ("CaB6", np.sqrt(2) - 1, 0.746864891, 6e-10),
    ("CaCu5", 2 / np.sqrt(3) - 1, 0.615792, 6e-7),
    ("CaCu5", (1 + 2 * np.sqrt(19)) / 15, 0.700489, 6e-7),
    ("CaCu5", 1 / (4 / np.sqrt(3) - 1), 0.670598, 6e-7),
    ("ABO3", np.sqrt(2) - 1, 0.672443, 6e-7),
    ("ABO3", 1 / (2 * np.sqrt(2) - 1), 0.661875, 6e-7),
    ("Fe4C", (np.sqrt(3) - 1) / (1 + np.sqrt(1.5)), 0.598216439, 1e-9),
    ("Li3Bi", np.sqrt(6) / 2 - 1, 0.765698118, 6e-10),
    ("bccAB6", np.sqrt(5 / 3) - 1, 0.780734903, 6e-10),
    ("bccAB6", 1 / (np.sqrt(10) - 1), 0.745553, 6e-7),
    ("NaZn13", 0.303220, 0.713364, 2e-6),
    ("NaZn13", 0.5576067028, 0.738152, 6e-7),
    ("cubAB13", 0.295391, 0.699041, 2e-6),
    ("cubAB13", 0.556194, 0.700011, 2e-6),
]


@pytest.mark.parametrize(("phase", "gamma", "eta", "tolerance"), PEAKS)
def test_peaks_and_kinks(phase: str, gamma: float, eta: float, tolerance: float) -> None:
    assert float(hard.packing_fraction(phase, gamma)) == pytest.approx(eta, abs=tolerance)


#: The highest packing fraction of each phase, and where. AuCu and AuCu3 rise to fcc at γ = 1.
TOPS = {"NaCl": 0.414214, "CsCl": 0.732051, "AlB2": 0.527525, "MgZn2": 0.816497, "CaB6": 0.414214, "CaCu5": 0.647853,
        "ABO3": 0.414214, "Fe4C": 0.329049, "Li3Bi": 0.224745, "bccAB6": 0.290994, "NaZn13": 0.557607,
        "cubAB13": 0.556194, "AuCu": 1.0, "AuCu3": 1.0}  # fmt: skip


@pytest.mark.parametrize("phase", TOPS)
def test_the_maximum_is_where_the_page_has_it(phase: str) -> None:
    gamma = np.linspace(0.2, 1, 80001)
    assert gamma[np.argmax(hard.packing_fraction(phase, gamma))] == pytest.approx(TOPS[phase], abs=1.1e-5)


@pytest.mark.parametrize("phase", ["fcc", "hcp", "bcc", "sc", "diamond"])
def test_one_component_fractions_do_not_depend_on_gamma(phase: str) -> None:
    np.testing.assert_allclose(hard.packing_fraction(phase, GRID), TOUCHING_FRACTION[phase], rtol=1e-14)
    assert float(hard.packing_fraction(phase)) == pytest.approx(TOUCHING_FRACTION[phase], rel=1e-14)


def closest(packing: hard.Packing) -> float:
    """Smallest distance over sum of radii in the rebuilt lattice, with the diameters that the model packs."""
    constants = {key: float(value) for key, value in packing.constants.items()}
    size = {label: float(value) for label, value in packing.diameters.items()}
    return min(
        shell.distance / ((size[shell.pair[0]] + size[shell.pair[1]]) / 2)
        for shell in lattices.shells(packing.phase, constants, reach=1.0)
    )


@pytest.mark.parametrize("phase", lattices.names())
def test_rebuilt_lattices_touch_and_do_not_overlap(phase: str) -> None:
    for gamma in GRID:
        packing = hard.solve(phase, gamma)
        assert closest(packing) == pytest.approx(1, abs=1e-12)
        assert [contact.kind for contact in hard.contacts(packing)] == ["hard"] * len(hard.contacts(packing))


@pytest.mark.parametrize(
    "phase", [name for name in lattices.names() if "c" in lattices.prototype(name).constants]
)
def test_neither_length_of_a_cell_can_shrink_alone(phase: str) -> None:
    for gamma in GRID:
        for length in ("a", "c"):
            packing = hard.solve(phase, gamma)
            packing.constants[length] = packing.constants[length] * 0.999
            assert closest(packing) < 1 - 1e-5


def test_the_overlap_test_sees_a_lattice_that_is_too_small() -> None:
    packing = hard.solve("NaZn13", 0.6)
    packing.constants["a"] = packing.constants["a"] * 0.999
    assert closest(packing) < 0.9995
    assert {contact.kind for contact in hard.contacts(packing)} == {"shrunk"}


@pytest.mark.parametrize("phase", MIXED)
def test_volume_does_not_shrink_with_larger_b_and_eta_is_continuous(phase: str) -> None:
    gamma = np.linspace(0.01, 1, 20001)
    volume = lattices.volume(phase, hard.constants(phase, gamma))
    assert np.all(np.diff(volume) >= -1e-12)
    # One step of 5e-5 changes η by the slope times the step; a jump would be larger.
    assert np.abs(np.diff(hard.packing_fraction(phase, gamma))).max() < 5e-4


@given(st.sampled_from(MIXED), st.floats(1e-6, 1.0))
def test_eta_is_a_fraction_and_agrees_with_the_cell(phase: str, gamma: float) -> None:
    packing = hard.solve(phase, gamma)
    assert 0 < packing.eta <= 1
    assert float(packing.eta) == float(hard.packing_fraction(phase, gamma))
    counts = lattices.prototype(phase).counts
    spheres = np.pi / 6 * sum(counts[label] * float(size) ** 3 for label, size in packing.diameters.items())
    constants = {key: float(value) for key, value in packing.constants.items()}
    assert spheres / np.linalg.det(lattices.vectors(phase, constants)) == pytest.approx(
        float(packing.eta), rel=1e-12
    )


@given(st.sampled_from(MIXED), st.floats(0.05, 1.0), st.floats(0.1, 30))
def test_scale_invariance(phase: str, gamma: float, scale: float) -> None:
    constants = hard.constants(phase, gamma)
    scaled = {key: value * (scale if key in "ac" else 1) for key, value in constants.items()}
    ratio = lattices.volume(phase, scaled) / lattices.volume(phase, constants)
    assert float(ratio) == pytest.approx(scale**3, rel=1e-12)


@given(st.floats(0.05, 1.0))
def test_perovskite_of_three_spheres_contains_the_binary_one(gamma: float) -> None:
    ternary = hard.perovskite_constant(1.0, gamma, gamma)
    assert float(ternary) == pytest.approx(float(hard.constants("ABO3", gamma)["a"]), rel=1e-15)


@given(st.floats(0.1, 2.0), st.floats(0.1, 2.0))
def test_perovskite_of_three_spheres_touches_and_does_not_overlap(b: float, o: float) -> None:
    a = float(hard.perovskite_constant(1.0, b, o))
    size = {"A": 1.0, "B": b, "O": o}
    ratios = [
        shell.distance / ((size[shell.pair[0]] + size[shell.pair[1]]) / 2)
        for shell in lattices.shells("ABO3", {"a": a}, reach=max(2.0, a))
    ]
    assert min(ratios) == pytest.approx(1, abs=1e-9)


def test_contacts_at_a_peak_name_all_that_touch() -> None:
    found = {(c.pair, c.coordination) for c in hard.contacts(hard.solve("NaCl", np.sqrt(2) - 1))}
    assert found == {(("A", "A"), (12, 12)), (("A", "B"), (6, 6))}


@pytest.mark.parametrize("gamma", [0.0, -0.1, 1.0001, np.nan, np.inf])
def test_a_size_ratio_outside_is_refused_and_becomes_nan_in_an_array(gamma: float) -> None:
    for function in (hard.packing_fraction, hard.constants, hard.solve):
        with pytest.raises(PhysicsError, match=r"must lie in \(0, 1\].*got γ ="):
            function("NaCl", gamma)
    found = hard.solve("NaCl", np.array([gamma, 0.5]))
    np.testing.assert_array_equal(np.isnan(found.eta), [True, False])
    np.testing.assert_array_equal(np.isnan(found.constants["a"]), [True, False])
    np.testing.assert_array_equal(
        np.isnan(hard.packing_fraction("NaCl", np.array([gamma, 0.5]))), [True, False]
    )
    assert "(0, 1]" in found.reason[0]
    assert found.reason[1] == ""
    assert found.branch.tolist() == ["", "hard spheres"]


def test_shapes_and_names() -> None:
    assert hard.packing_fraction("MgZn2", np.full((2, 3), 0.7)).shape == (2, 3)
    assert hard.solve("Cu3Au", 0.5).phase == "AuCu3"
    with pytest.raises(UnknownNameError, match="did you mean 'NaZn13'"):
        hard.packing_fraction("NaZn", 0.5)
