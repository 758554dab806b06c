from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError
from supercrystal.solids.competitors import Candidate, lowest, ranking

energies = st.floats(-5, 5, allow_nan=False)


def binary(values: list[tuple[float, float]]) -> list[Candidate]:
    return [Candidate(f"p{i}", {"A": 1 - x, "B": x}, g) for i, (x, g) in enumerate(values)]


@given(
    g0=energies,
    g1=energies,
    inner=st.lists(st.tuples(st.floats(0.05, 0.95), energies), max_size=5),
    x=st.floats(0.01, 0.99),
)
@settings(max_examples=60, deadline=None)
def test_lowest_mixture_is_the_common_tangent(
    g0: float, g1: float, inner: list[tuple[float, float]], x: float
) -> None:
    points = [(0.0, g0), (1.0, g1), *inner]
    found = lowest(binary(points), {"A": 1 - x, "B": x})
    # By brute force: the best of all pairs of points around x.
    best = min(
        a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]) if b[0] > a[0] else a[1]
        for a in points
        for b in points
        if a[0] <= x <= b[0] and (b[0] > a[0] or a[0] == x)
    )
    assert found.gibbs == pytest.approx(best, abs=1e-7)
    assert sum(found.shares.values()) == pytest.approx(1)
    amount = sum(w * points[int(name[1:])][0] for name, w in found.shares.items())
    assert amount == pytest.approx(x, abs=1e-7)


@given(shift=st.tuples(energies, energies))
@settings(max_examples=20, deadline=None)
def test_ranking_does_not_depend_on_the_reference_of_the_species(shift: tuple[float, float]) -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (0.5, 1.2), (2 / 3, 1.9)]
    plain = ranking(binary(points))
    moved = ranking(binary([(x, g + (1 - x) * shift[0] + x * shift[1]) for x, g in points]))
    assert [r.above for r in moved] == pytest.approx([r.above for r in plain], abs=1e-8)


def test_three_components() -> None:
    pure = [Candidate(name, {name: 1.0}, g) for name, g in (("A", 0.0), ("B", 1.0), ("O", 2.0))]
    abo3 = Candidate("ABO3", {"A": 0.2, "B": 0.2, "O": 0.6}, 1.0)
    found = lowest([*pure, abo3], {"A": 0.4, "B": 0.2, "O": 0.4})
    # 2/3 of the particles in ABO3 take all O; the rest is A and B.
    assert found.shares == pytest.approx({"A": 4 / 15, "B": 1 / 15, "ABO3": 2 / 3})
    assert found.gibbs == pytest.approx(2 / 3 + 1 / 15)


def test_verdicts_use_the_errors() -> None:
    close = [Candidate("a", {"A": 1.0}, 0.0, 0.01), Candidate("b", {"A": 1.0}, 0.02, 0.01)]
    assert [r.verdict for r in ranking(close)] == ["not distinguishable"] * 2
    assert ranking(close)[1].error == pytest.approx(np.sqrt(2) * 0.01)
    far = [Candidate("a", {"A": 1.0}, 0.0, 0.01), Candidate("b", {"A": 1.0}, 0.2, 0.01)]
    assert [r.verdict for r in ranking(far)] == ["lowest", "higher"]
    assert ranking(far)[1].against == {"a": 1.0}
    # Equal to rounding is equal, whatever the errors say.
    assert [
        r.verdict for r in ranking([Candidate("a", {"A": 1.0}, 1.0), Candidate("b", {"A": 1.0}, 1 + 1e-13)])
    ] == ["not distinguishable"] * 2
    assert ranking([close[0]])[0].verdict == "alone at its composition"


def test_bad_input_is_refused() -> None:
    with pytest.raises(PhysicsError, match="sum 1"):
        Candidate("a", {"A": 0.5}, 1.0)
    with pytest.raises(PhysicsError, match="finite"):
        Candidate("a", {"A": 1.0}, float("nan"))
    with pytest.raises(PhysicsError, match="pure species"):
        lowest([Candidate("NaCl", {"A": 0.5, "B": 0.5}, 0.0)], {"A": 0.75, "B": 0.25})
    with pytest.raises(PhysicsError, match="nothing"):
        lowest([], {"A": 1.0})
