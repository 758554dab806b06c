from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal import lattices
from supercrystal.errors import PhysicsError, UnknownNameError
from supercrystal.packing import hard, otm

WITH = ["AuCu", "AuCu3", "MgZn2", "CaB6", "CaCu5", "ABO3", "Fe4C", "Li3Bi", "bccAB6", "NaZn13", "cubAB13"]
WITHOUT = [name for name in lattices.names() if name not in WITH]
WINDOWS = [
    (phase, reading, *w) for phase in WITH for reading in otm.READINGS for w in otm.windows(phase, reading)
]
PI, R2, R3 = np.pi, np.sqrt(2), np.sqrt(3)


def _aucu(g):
    ratio = (g**2 - np.sqrt(2 * g**4 - g**2)) / (1 - g**2)
    return PI / 6 * (1 + g**3) * ratio**2 / g**2


def _cacu5(g):
    peak = (1 + 2 * np.sqrt(19)) / 15
    top = 4 * g / R3 - 1
    return np.select(
        [g <= 2 / 3 * (np.sqrt(19 / 12) - 1 / R3), g <= peak, g <= (8 + np.sqrt(19)) / (10 * R3)],
        [
            PI / 6 * (1 + 5 * g**3) / (1 - R3 * g / 2),
            hard.packing_fraction("CaCu5", peak) * (5 + 1 / g**3) / (5 + 1 / peak**3),
            hard.packing_fraction("CaCu5", peak) * (1 + 5 * g**3) / (1 + 5 * peak**3),
        ],
        8
        * PI
        * (1 + 5 * g**3)
        / (9 * R3 * (1 + top) ** 2 * np.sqrt(np.maximum(15 * top**2 - 2 * top - 1, 1e-9))),
    )


#: η of section 4, written without the cells from which the package computes it.
CLOSED = {
    "AuCu": _aucu,
    "AuCu3": lambda g: np.where(g <= 1 / R2, PI * (1 + 3 * g**3) / 6, PI * (1 + 3 * g**3) / (12 * R2 * g**3)),
    "MgZn2": lambda g: np.where(
        g <= R2 / (np.sqrt(11) - R2),
        PI * 11**1.5 * (1 + 2 * g**3) / (48 * (1 + g) ** 3),
        PI * (1 + 2 * g**3) / (12 * R2 * g**3),
    ),
    "CaB6": lambda g: PI * (1 + 6 * g**3) / 6,
    "CaCu5": _cacu5,
    "ABO3": lambda g: np.select(
        [g <= 0.5, g <= 1 / (2 * R2 - 1)],
        [PI * (1 + 4 * g**3) / 6, PI * (4 + 1 / g**3) / 48],
        R2 * PI * (1 + 4 * g**3) / (3 * (1 + g) ** 3),
    ),
    "Fe4C": lambda g: PI * (1 + 4 * g**3) / 6,
    "Li3Bi": lambda g: np.where(
        g <= R2 - 1, PI * (1 + 3 * g**3) / (3 * R2), 2 * PI / 3 * (1 + 3 * g**3) / (1 + g) ** 3
    ),
    "bccAB6": lambda g: np.select(
        [g <= 1 / np.sqrt(6), g <= 1 / (np.sqrt(10) - 1)],
        [PI * R3 * (1 + 6 * g**3) / 8, PI * (1 + 6 * g**3) / (48 * R2 * g**3)],
        hard.packing_fraction("bccAB6", 1 / (np.sqrt(10) - 1))
        * (1 + 6 * g**3) / (1 + 6 / (np.sqrt(10) - 1) ** 3),
    ),
    "cubAB13": lambda g: PI * (1 + 13 * g**3) / (6 * ((1 + R2) * 0.5561943596) ** 3),
}  # fmt: skip


@pytest.mark.parametrize("phase", CLOSED)
def test_closed_forms(phase: str) -> None:
    gamma = np.linspace(0.16, 1, 2000)
    found = otm.packing_fraction(phase, gamma)
    here = np.isfinite(found)
    assert here.sum() > 20
    np.testing.assert_allclose(
        found[here], CLOSED[phase](gamma[here]), rtol=1e-8 if phase == "cubAB13" else 1e-13
    )


@pytest.mark.parametrize(
    ("gamma", "exact", "as_hoodlt"),
    [(0.56, 0.74066, 0.74093), (0.58, 0.76215, 0.76476), (0.60, 0.78450, 0.78954), (0.62, 0.80762, 0.81519),
     (0.65, 0.84360, 0.85514), (0.70, 0.90640, 0.92508)],
)  # fmt: skip
def test_nazn13_in_both_readings(gamma: float, exact: float, as_hoodlt: float) -> None:
    assert float(otm.packing_fraction("NaZn13", gamma)) == pytest.approx(exact, abs=6e-6)
    assert float(otm.packing_fraction("NaZn13", gamma, "hoodlt")) == pytest.approx(as_hoodlt, abs=6e-6)


def test_nazn13_contacts_are_exact_in_the_default_reading_and_open_in_hoodlts() -> None:
    for gamma in np.linspace(0.558, 0.734, 25):
        exact, hoodlt = otm.solve("NaZn13", gamma), otm.solve("NaZn13", gamma, "hoodlt")
        for packing, gap in ((exact, 0.0), (hoodlt, 1e-4)):
            constants = {key: float(value) for key, value in packing.constants.items()}
            reduced = float(packing.diameters["B96i"])
            near = {s.pair: s.distance for s in reversed(lattices.shells("NaZn13", constants, 1.0))}
            opening = near["B96i", "B96i"] / reduced - 1
            assert near["A", "B96i"] == pytest.approx((1 + gamma) / 2, rel=1e-12)
            assert near["B8b", "B96i"] == pytest.approx((gamma + reduced) / 2, rel=1e-12)
            assert opening == pytest.approx(0, abs=1e-11) if gap == 0 else opening > gap


@pytest.mark.parametrize(
    ("phase", "windows"),
    [
        ("AuCu", [(0.713196, 0.732051)]),
        ("AuCu3", [(0.414214, 0.671869), (0.746704, 1)]),
        ("MgZn2", [(0.385987, 0.743380), (0.743380, 0.816497)]),
        ("CaB6", [(0.414214, 0.533262)]),
        ("CaCu5", [(0.154701, 0.381823), (0.513442, 0.647853), (0.647853, 0.713541), (0.713541, 0.763708)]),
        ("ABO3", [(0.414214, 0.5), (0.5, 0.546918), (0.546918, 1)]),
        ("Fe4C", [(0.329049, 0.610433)]),
        ("Li3Bi", [(0.224745, 0.414214), (0.414214, 0.937804)]),
        ("bccAB6", [(0.290994, 0.408248), (0.408248, 0.462475), (0.462475, 0.574441)]),
        ("NaZn13", [(0.557607, 0.734524)]),
        ("cubAB13", [(0.556194, 0.653247)]),
    ],
)
def test_windows(phase: str, windows: list[tuple[float, float]]) -> None:
    found = [(low, high) for _, low, high in otm.windows(phase)]
    np.testing.assert_allclose(found, windows, atol=1.1e-6)


@pytest.mark.parametrize(("phase", "reading"), [(p, r) for p in WITH for r in otm.READINGS])
def test_branches_join_each_other_and_the_hard_spheres(phase: str, reading: otm.Reading) -> None:
    listed = otm.branches(phase, reading)
    for before, branch in zip((None, *listed), listed, strict=False):
        if branch.low == 0 or phase == "AuCu":
            continue
        from_below = (
            hard.packing_fraction(phase, branch.low)
            if before is None or before.high != branch.low
            else hard.sphere_volume(phase, branch.low)
            / lattices.volume(phase, before.constants(np.asarray(branch.low)))
        )
        cell = lattices.volume(phase, branch.constants(np.asarray(branch.low)))
        assert float(hard.sphere_volume(phase, branch.low) / cell) == pytest.approx(
            float(from_below), rel=1e-12
        )


@pytest.mark.parametrize(
    ("phase", "gamma"),
    [("AuCu", R3 - 1), ("MgZn2", np.sqrt(2 / 3)), ("CaCu5", (1 + 2 * np.sqrt(19)) / 15),
     ("CaCu5", 1 / (4 / R3 - 1)), ("AuCu3", 1.0), ("ABO3", 1 / (2 * R2 - 1)), ("bccAB6", 1 / (np.sqrt(10) - 1))],
)  # fmt: skip
def test_otm_meets_the_hard_spheres_where_their_contacts_agree(phase: str, gamma: float) -> None:
    here = np.array([gamma, np.nextafter(gamma, 0)])
    found = otm.packing_fraction(phase, here)
    assert float(found[np.isfinite(found)][0]) == pytest.approx(
        float(hard.packing_fraction(phase, gamma)), rel=1e-7
    )


def test_aucu_at_one_over_root_two_is_fcc() -> None:
    branch = otm.branches("AuCu")[0]
    constants = {k: float(np.asarray(v)) for k, v in branch.constants(np.asarray(1 / R2)).items()}
    assert constants == pytest.approx({"a": 1.0, "c": 1.0}, abs=1e-7)
    assert float(np.asarray(branch.diameters(np.asarray(1 / R2))["A"])) == pytest.approx(1 / R2, abs=1e-7)


@pytest.mark.parametrize(("phase", "reading", "branch", "low", "high"), WINDOWS)
def test_rebuilt_lattices_do_not_overlap(
    phase: str, reading: otm.Reading, branch: str, low: float, high: float
) -> None:
    listed = next(b for b in otm.branches(phase, reading) if b.name == branch)
    for gamma in np.linspace(low, high, 14)[1:-1]:
        packing = otm.solve(phase, gamma, reading)
        constants = {key: float(value) for key, value in packing.constants.items()}
        size = {label: float(value) for label, value in packing.diameters.items()}
        full = {label: 1.0 if s == "A" else gamma for label, s in lattices.prototype(phase).species.items()}
        assert all(size[label] <= full[label] + 1e-12 for label in size)
        assert any(size[label] < full[label] - 1e-9 for label in size)
        ratios = {
            shell: shell.distance / ((size[shell.pair[0]] + size[shell.pair[1]]) / 2)
            for shell in lattices.shells(phase, constants, reach=1.0)
        }
        assert min(ratios.values()) == pytest.approx(1, abs=1e-9)
        # Each sphere is reduced to where it touches a neighbour, not further.
        for label in (label for label in size if size[label] < full[label] - 1e-9):
            touching = min(ratio for shell, ratio in ratios.items() if label in shell.pair)
            assert touching == pytest.approx(1, abs=1e-9)
        # Contacts of unreduced spheres: those that the branch drops are shrunk, and one is hard unless noted.
        contacts = hard.contacts(packing)
        shrunk = {frozenset(c.pair) for c in contacts if c.kind == "shrunk"}
        assert shrunk >= {frozenset(pair) for pair in listed.shrunk}
        if not listed.note:
            assert any(c.kind == "hard" for c in contacts)
        extra = shrunk - {frozenset(pair) for pair in listed.shrunk}
        assert bool(extra) == any("further contacts" in text for text in otm.caveats(phase, gamma, reading))


#: Hard contact that is kept, and coordination of the shrunk ones, of section 4.
CONTACTS = [
    ("AuCu", 0.72, {("A", "A", 2)}, {("A", "A", 4), ("A", "B", 8)}),
    ("AuCu3", 0.55, {("A", "A", 6)}, {("A", "B", 12)}),
    ("AuCu3", 0.85, {("B", "B", 8)}, {("A", "B", 12)}),
    ("MgZn2", 0.78, {("B2a", "B6h", 6), ("B6h", "B6h", 4)}, {("A", "A", 4)}),
    ("MgZn2", 0.60, {("A", "B2a", 3), ("A", "B6h", 9)}, {("A", "A", 4)}),
    ("CaB6", 0.45, {("A", "A", 6)}, {("B", "B", 5)}),
    ("CaCu5", 0.68, {("A", "A", 2)}, {("A", "B2c", 6), ("B2c", "B3g", 6)}),
    ("CaCu5", 0.74, {("B3g", "B3g", 4)}, {("A", "B2c", 6), ("B2c", "B3g", 6)}),
    ("ABO3", 0.45, {("A", "A", 6)}, {("A", "O", 12)}),
    ("ABO3", 0.52, {("B", "O", 6)}, {("A", "O", 12)}),
    ("ABO3", 0.70, {("A", "O", 12)}, {("B", "O", 6)}),
    ("Fe4C", 0.45, {("A", "A", 6)}, {("A", "B", 4), ("B", "B", 3)}),
    ("Li3Bi", 0.30, {("A", "A", 12)}, {("A", "B8c", 8)}),
    ("Li3Bi", 0.57, {("A", "B4b", 6)}, {("A", "B8c", 8)}),
    ("bccAB6", 0.35, {("A", "A", 8)}, {("A", "B", 24)}),
    ("bccAB6", 0.44, {("B", "B", 4)}, {("A", "B", 24)}),
    ("bccAB6", 0.52, set(), {("A", "B", 24), ("B", "B", 4)}),
]


@pytest.mark.parametrize(("phase", "gamma", "kept", "dropped"), CONTACTS)
def test_contacts_of_the_reference_table(phase, gamma, kept, dropped) -> None:
    found = hard.contacts(otm.solve(phase, gamma))
    assert {(*c.pair, c.coordination[0]) for c in found if c.kind == "hard"} == kept
    assert {(*c.pair, c.coordination[0]) for c in found if c.kind == "shrunk"} == dropped


@given(st.sampled_from(WITH), st.sampled_from(list(otm.READINGS)), st.floats(0.01, 1.0))
def test_a_branch_is_denser_than_hard_spheres_and_at_most_full(phase, reading, gamma) -> None:
    found = otm.solve(phase, np.array([gamma]), reading)
    inside = any(low < gamma <= high for _, low, high in otm.windows(phase, reading))
    if found.domain.inside[0]:
        assert hard.packing_fraction(phase, gamma) * (1 - 1e-12) <= found.eta[0] <= 1
        assert found.eta[0] == pytest.approx(float(otm.packing_fraction(phase, gamma, reading)), rel=1e-15)
        assert inside
        assert found.branch[0]
        assert found.reason[0] == ""
    else:
        # brentq ends the windows to 1e-12; γ exactly on such an end may fall on either side.
        assert not inside or min(abs(gamma - e) for _, *w in otm.windows(phase, reading) for e in w) < 1e-9
        assert np.isnan(found.eta[0])
        assert found.branch[0] == ""
        assert "only for" in found.reason[0]


def test_where_a_branch_would_need_more_than_all_space_there_is_none() -> None:
    assert CLOSED["AuCu3"](np.array(0.70)) > 1
    with pytest.raises(
        PhysicsError, match=r"AuCu3 has an OTM branch.*0.414214 < γ ≤ 0.671869 \(i\).*got γ = 0.7"
    ):
        otm.packing_fraction("AuCu3", 0.70)


@pytest.mark.parametrize("phase", WITHOUT)
def test_phases_without_a_branch(phase: str) -> None:
    assert otm.branches(phase) == ()
    with pytest.raises(PhysicsError, match=f"{phase} has no OTM branch at any γ .*AuCu, "):
        otm.packing_fraction(phase, 0.5)
    found = otm.solve(phase, np.array([0.3, 0.6]))
    assert np.isnan(found.eta).all()
    assert all("no OTM branch" in reason for reason in found.reason)


def test_bad_input() -> None:
    for gamma in (0.0, 1.5, np.nan):
        with pytest.raises(PhysicsError, match=r"must lie in \(0, 1\]"):
            otm.packing_fraction("MgZn2", gamma)
        assert "(0, 1]" in otm.solve("MgZn2", np.array([gamma, 0.8])).reason[0]
    with pytest.raises(UnknownNameError, match="did you mean 'hoodlt'"):
        otm.packing_fraction("MgZn2", 0.8, "hoodl")  # type: ignore[arg-type]


def test_readings_differ_only_where_they_should() -> None:
    gamma = np.linspace(0.3, 1, 300)
    for phase in WITH:
        checked, hoodlt, contact = (otm.packing_fraction(phase, gamma, reading) for reading in otm.READINGS)
        assert np.array_equal(checked, hoodlt, equal_nan=True) == (phase != "NaZn13")
        assert np.array_equal(checked, contact, equal_nan=True) == (phase not in ("bccAB6", "cubAB13"))
    assert float(otm.packing_fraction("bccAB6", 0.5)) == pytest.approx(0.818778, abs=6e-7)
    assert float(otm.packing_fraction("bccAB6", 0.5, "contact")) == pytest.approx(0.758853, abs=6e-7)


def test_what_is_not_verified_is_said() -> None:
    assert "not verified" in otm.caveats("bccAB6", 0.5)[0]
    assert "inference" in otm.caveats("bccAB6", 0.5, "contact")[0]
    assert "approximation" in otm.caveats("NaZn13", 0.6, "hoodlt")[0]
    assert "further contacts overlap than the branch drops: A–B" in otm.caveats("CaB6", 0.5)[0]
    assert otm.caveats("CaB6", 0.45) == ()
