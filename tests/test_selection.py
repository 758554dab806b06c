from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal import lattices
from supercrystal.errors import PhysicsError, UnknownNameError
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.packing import hard, ocm, opm, otm, selection
from supercrystal.packing.selection import MODELS

FCC = opm.TOUCHING_FRACTION["fcc"]


def crystal(diameter: float, carbons: int, sigma: float = 5.0) -> Nanocrystal:
    return Nanocrystal(Core("Au", diameter), Ligand(f"C{carbons}", carbons), sigma)


@pytest.fixture(scope="module")
def pair() -> selection.Selection:
    """PbS 7 nm with C18 and Au 4.1 nm with C9: γ = 0.601."""
    return selection.rank({"PbS": crystal(7.0, 18, 4.5), "Au": crystal(4.1, 9, 5.5)}, {"PbS": 100, "Au": 200})


@pytest.fixture(scope="module")
def triple() -> selection.Selection:
    crystals = {"Fe": crystal(10.2, 9, 4.5), "PbS": crystal(7.0, 9, 4.5), "Au": crystal(4.1, 9, 5.5)}
    return selection.rank(crystals, {"Fe": 1, "PbS": 1, "Au": 3})


def by_name(found: selection.Selection) -> dict[str, selection.Candidate]:
    return {str(candidate): candidate for candidate in found.candidates}


def test_a_pair_has_every_mixed_phase_once_with_the_larger_on_a(pair: selection.Selection) -> None:
    mixed = {name for name in lattices.names() if not lattices.prototype(name).one_component}
    assert {c.phase for c in pair.candidates} == mixed
    assert len(pair.candidates) == len(mixed)
    assert all(c.roles == {"A": "PbS", "B": "Au"} for c in pair.candidates)
    assert pair.candidates[0].gamma == pytest.approx(0.60117, abs=2e-5)


def test_fractions_and_constants_are_those_of_the_models(pair: selection.Selection) -> None:
    gamma = pair.candidates[0].gamma
    unit = pair.diameters["PbS"]
    for candidate in pair.candidates:
        expected = float(hard.packing_fraction(candidate.phase, gamma))
        assert candidate.eta["hard spheres"] == pytest.approx(expected, rel=1e-12)
        if "OTM" in candidate.otm_branch:
            solved = otm.solve(candidate.phase, gamma)
            assert candidate.otm_branch["OTM"] == str(solved.branch)
            assert candidate.eta["OTM"] == pytest.approx(float(solved.eta), rel=1e-12)
            for key, value in candidate.constants["OTM"].items():
                expected = float(solved.constants[key]) * (unit if key in ("a", "c") else 1)
                assert value == pytest.approx(expected, rel=1e-12)
        else:
            assert candidate.eta["OTM"] == candidate.eta["hard spheres"]


def test_branches_that_are_left_out_are_left_out_for_the_reason_given(pair, triple) -> None:
    crystals = {"PbS": crystal(7.0, 18, 4.5), "Au": crystal(4.1, 9, 5.5)}
    fe4c = by_name(pair)["Fe4C(PbS, Au)"]
    assert fe4c.otm_branch == {}
    assert any("left out: cores overlap" in text for text in fe4c.warnings)
    solved = otm.solve("Fe4C", fe4c.gamma)
    closest = min(c.distance for c in hard.contacts(solved) if c.pair == ("B", "B")) * pair.diameters["PbS"]
    assert closest < crystals["Au"].core.diameter_nm
    below = [c for c in triple.candidates if "OTM" in c.otm_branch and "OTM above OCM" not in c.otm_branch]
    assert below
    for candidate in below:
        assert any("OCM" in text for text in candidate.warnings)
        assert candidate.eta["OTM above OCM"] == candidate.eta["hard spheres"]


def test_the_ocm_bound_is_the_pair_distance() -> None:
    a, b = crystal(10.2, 9, 4.5), crystal(4.1, 18, 5.5)
    size = [float(opm.spacing(c.core.diameter_nm, c.ligand.length_nm, c.xi)) for c in (a, b)]
    packing = otm.solve("Li3Bi", size[1] / size[0])
    assert selection.close_contacts(packing, {"A": a, "B": b}, size[0]) == ((), ())
    distance = next(c.distance for c in hard.contacts(packing) if c.kind == "shrunk") * size[0]
    bound = float(ocm.pair_spacing((10.2, 4.1), (a.ligand.length_nm, b.ligand.length_nm), (a.xi, b.xi)))
    assert distance > bound
    # The same lattice made just small enough to pass the bound is reported, with both distances.
    overlapping, below = selection.close_contacts(
        packing, {"A": a, "B": b}, size[0] * bound / distance * 0.999
    )
    assert overlapping == ()
    assert f"below its OCM distance {bound:.2f} nm" in below[0]


@pytest.mark.parametrize("model", MODELS)
def test_rankings_descend_and_places_fit(pair: selection.Selection, model: str) -> None:
    order = pair.ranking(model)
    etas = [candidate.eta[model] for candidate in order]
    assert all(a >= b - 1e-9 for a, b in pairwise(etas))
    assert [pair.place(candidate, model) for candidate in order] == sorted(
        pair.place(c, model) for c in order
    )
    assert pair.place(order[0], model) == 1


def lower_hull(points: list[tuple[float, float]], x: float) -> float:
    """Lowest value at x of the line between any two points around it."""
    return min(
        y1 if x1 == x2 else y1 + (y2 - y1) * (x - x1) / (x2 - x1)
        for (x1, y1), (x2, y2) in combinations(points, 2)
        if min(x1, x2) - 1e-12 <= x <= max(x1, x2) + 1e-12 and (x1 != x2 or y1 <= y2)
    )


@pytest.mark.parametrize("model", MODELS)
def test_competitors_are_the_convex_hull_of_volume_over_composition(
    pair: selection.Selection, model: str
) -> None:
    a, b = pair.diameters["PbS"], pair.diameters["Au"]

    def point(phase: str, eta: float) -> tuple[float, float]:
        counts = lattices.prototype(phase).species_counts
        share = counts["A"] / sum(counts.values())
        return share, np.pi / 6 * (share * a**3 + (1 - share) * b**3) / eta

    pure = [(1.0, np.pi / 6 * a**3 / FCC), (0.0, np.pi / 6 * b**3 / FCC)]
    for candidate in pair.candidates:
        others = [point(c.phase, c.eta[model]) for c in pair.candidates if c is not candidate]
        share, volume = point(candidate.phase, candidate.eta[model])
        best = lower_hull([*pure, *others], share)
        solid = volume * candidate.eta[model]
        assert candidate.competitor[model].eta == pytest.approx(solid / best, rel=1e-9)
        assert candidate.wins(model) == (volume < best * (1 - 1e-9))
        assert sum(part[2] for part in candidate.competitor[model].parts) == pytest.approx(1, abs=1e-9)


def test_separated_components_fill_as_fcc_and_what_is_denser_is_chosen(pair: selection.Selection) -> None:
    alb2 = by_name(pair)["AlB2(PbS, Au)"]
    assert alb2.competitor["hard spheres"].eta == pytest.approx(FCC, rel=1e-12)
    assert alb2.wins("hard spheres")
    # 100 + 200 is the composition of AlB2.
    assert pair.mixture["hard spheres"].parts[0][0] == "AlB2"
    assert pair.mixture["hard spheres"].eta == pytest.approx(alb2.eta["hard spheres"], rel=1e-9)


def test_disagreements_are_said(pair: selection.Selection) -> None:
    said = "\n".join(pair.disagreements)
    assert "densest phase: hard spheres: AlB2(PbS, Au)" in said
    assert "OTM: " in said
    assert "PbS alone: hard spheres pack densest as fcc, OPM favours bcc" in said


def test_agreement_is_silent() -> None:
    # At γ ≈ 1 with stiff ligands nothing beats fcc, in any model.
    crystals = {"a": crystal(8.0, 4), "b": crystal(7.9, 4)}
    found = selection.rank(crystals, {"a": 1, "b": 1}, phases=["NaCl", "CsCl", "AlB2"])
    assert found.disagreements == ()
    assert {part[0] for part in found.mixture["OTM"].parts} == {"fcc"}


def test_three_kinds_have_all_pairs_and_all_assignments_of_abo3(triple: selection.Selection) -> None:
    ternary = [c for c in triple.candidates if len(c.roles) == 3]
    assert len(ternary) == 6
    assert len({tuple(c.roles.values()) for c in ternary}) == 6
    for candidate in ternary:
        sizes = [triple.diameters[name] for name in candidate.roles.values()]
        a = float(hard.perovskite_constant(*sizes))
        assert candidate.constants["hard spheres"]["a"] == pytest.approx(a, rel=1e-12)
        solid = np.pi / 6 * (sizes[0] ** 3 + sizes[1] ** 3 + 3 * sizes[2] ** 3)
        assert candidate.eta["hard spheres"] == pytest.approx(solid / a**3, rel=1e-12)
    pairs = {tuple(c.roles.values()) for c in triple.candidates if len(c.roles) == 2}
    assert pairs == {("Fe", "PbS"), ("Fe", "Au"), ("PbS", "Au")}


def shares(mixture: selection.Mixture, names: list[str]) -> dict[str, float]:
    """Share of each kind among all nanocrystals of a mixture."""
    used = dict.fromkeys(names, 0.0)
    for phase, roles, share in mixture.parts:
        counts = lattices.prototype(phase).species_counts
        for species, count in counts.items():
            used[roles.get(species, roles.get("B", ""))] += share * count / sum(counts.values())
    return used


def test_competitors_of_ternary_phases_have_their_composition(triple: selection.Selection) -> None:
    for candidate in (c for c in triple.candidates if len(c.roles) == 3):
        a, b, o = candidate.roles.values()
        for model in MODELS:
            found = shares(candidate.competitor[model], list(triple.diameters))
            assert found == pytest.approx({a: 0.2, b: 0.2, o: 0.6}, abs=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_mixtures_use_up_the_given_numbers_and_no_mixture_is_sparser_than_separation(triple, model) -> None:
    mixture = triple.mixture[model]
    expected = {"Fe": 0.2, "PbS": 0.2, "Au": 0.6}
    assert shares(mixture, list(triple.diameters)) == pytest.approx(expected, abs=1e-9)
    assert mixture.eta >= FCC * (1 - 1e-12)
    assert len(mixture.parts) <= 3


def test_one_kind_ranks_one_component_phases() -> None:
    found = selection.rank({"PbS": crystal(7.0, 18, 4.4)})
    assert [c.phase for c in found.candidates] == ["fcc", "hcp", "bcc", "sc", "diamond"]
    assert [found.place(c, "OTM") for c in found.candidates] == [1, 1, 3, 4, 5]
    assert found.separated == {"PbS": "bcc"}
    assert found.candidates[0].constants["OTM"]["a"] == pytest.approx(found.diameters["PbS"] * np.sqrt(2))
    assert found.mixture == {}


@settings(max_examples=10, deadline=None)
@given(st.floats(3, 9), st.floats(2, 6), st.integers(6, 18), st.integers(6, 18))
def test_ranking_does_not_depend_on_the_order_of_names_and_nothing_is_sparser_than_fcc(
    d1, d2, n1, n2
) -> None:
    phases = ["AlB2", "NaCl", "NaZn13"]
    first = selection.rank({"x": crystal(d1, n1), "y": crystal(d2, n2)}, phases=phases)
    second = selection.rank({"y": crystal(d2, n2), "x": crystal(d1, n1)}, phases=phases)
    assert [c.phase for c in first.candidates] == [c.phase for c in second.candidates]
    for one, other in zip(first.candidates, second.candidates, strict=True):
        assert one.eta == pytest.approx(other.eta, rel=1e-12)
        for model in MODELS:
            assert one.competitor[model].eta == pytest.approx(other.competitor[model].eta, rel=1e-9)
            assert one.competitor[model].eta >= FCC * (1 - 1e-9)


def test_a_lattice_of_the_ranking_can_be_built(pair: selection.Selection) -> None:
    for candidate in pair.candidates:
        types = dict(candidate.roles)
        if candidate.phase == "ABO3":
            types["O"] = types["B"]
        frame = lattices.build(candidate.phase, candidate.constants["OTM"], types=types)
        assert frame.particles.types == ["PbS", "Au"]
        solid = (
            np.pi
            / 6
            * sum(pair.diameters[frame.particles.types[kind]] ** 3 for kind in frame.particles.typeid)
        )
        lx, ly, lz = (float(length) for length in frame.configuration.box[:3])
        assert solid / (lx * ly * lz) == pytest.approx(candidate.eta["OTM"], rel=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: selection.rank({}), "one to three"),
        (lambda: selection.rank({str(n): crystal(5, 9) for n in range(4)}), "got 4"),
        (lambda: selection.rank({"a": crystal(5, 9)}, {"b": 1}), "counts are numbers"),
        (lambda: selection.rank({"a": crystal(5, 9)}, {"a": 0}), "counts are numbers"),
        (lambda: selection.rank({"a": crystal(5, 9)}, phases=["NaCl"]), "none of NaCl"),
    ],
)
def test_bad_input(call, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        call()
    with pytest.raises(UnknownNameError, match="did you mean 'NaCl'"):
        selection.rank({"a": crystal(5, 9), "b": crystal(4, 9)}, phases=["NaCI"])
