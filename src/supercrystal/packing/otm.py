"""Orbifold topological model (OTM): lattices that shrink because ligands of some nanocrystals form vortices.

Where a hard-sphere lattice is held open by one class of contacts, OTM drops that class: the nanocrystals that
carry vortices come closer than their OPM radii allow, and the lattice shrinks until the next class touches.
The volume of the ligands is conserved, so ``η = (π/6)(n_A + n_B γ³)/V`` counts **unreduced** spheres and can
exceed the densest packing of hard spheres. A branch that would need η > 1 does not exist.

What stands behind it. The branches are those of the public code of the model's author (HOODLT), rebuilt here
contact by contact; the papers (Travesset, Soft Matter 13, 147 (2017), DOI 10.1039/C6SM00713A, and ACS Nano
11, 5375 (2017), DOI 10.1021/acsnano.7b02219) were **not opened**. Which nanocrystals may carry vortices is
therefore a table, phase by phase, not a rule: their coordination is 4 to 6 except in CaCu5, but NaCl, CsCl
and AlB2 would qualify and have no branch.

Two phases have cells that the contact construction does not give (bccAB6 above γ = 0.4625, cubAB13), and one
(NaZn13) is solved only approximately in that code. `READINGS` names the ways to read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from supercrystal import lattices
from supercrystal.errors import UnknownNameError, nearest
from supercrystal.packing.domain import SIZE_RATIO, Domain, limit
from supercrystal.packing.hard import (
    ICOSAHEDRA_MEET,
    SQRT2,
    SQRT3,
    SQRT5,
    SQRT6,
    V1,
    Array,
    Constants,
    Packing,
    T,
    contacts,
    cuboctahedron_cell,
    inside,
    sphere_volume,
)

Reading = Literal["checked", "hoodlt", "contact"]

#: How to read the three phases whose published cells and the contact rule disagree.
READINGS: dict[str, str] = {
    "checked": "NaZn13 with its contacts exact; the frozen cells of bccAB6 (iii) and cubAB13 as in HOODLT",
    "hoodlt": "all three as in HOODLT",
    "contact": "all three by the contact rule, an inference of this package for bccAB6 (iii) and cubAB13",
}


@dataclass(frozen=True)
class Branch:
    """One way in which a lattice shrinks, for ``low < γ ≤ high``.

    Args:
        name: roman numeral, counted from small γ.
        low: exclusive lower end of γ, where the branch leaves the one below it.
        high: inclusive upper end of γ.
        constants: lattice constants as a function of γ.
        diameters: reduced diameter of each site label that shrinks.
        shrunk: pairs of site labels that come closer than the sum of their unreduced radii.
        note: what is not verified about it; empty where nothing is.
    """

    name: str
    low: float
    high: float
    constants: Callable[[Array], Mapping[str, ArrayLike]]
    diameters: Callable[[Array], Mapping[str, ArrayLike]]
    shrunk: tuple[tuple[str, str], ...]
    note: str = ""


#: γ at which classes of contacts change places; each is where two of the candidates in `hard` are equal.
_OCTAHEDRON = SQRT2 - 1
_LI3BI_KINK = SQRT6 / 2 - 1
_BCC_KINK = math.sqrt(5 / 3) - 1
_BCC_FREEZE = 1 / (math.sqrt(10) - 1)
_FE4C_KINK = (SQRT3 - 1) / (1 + math.sqrt(3 / 2))
_LAVES_PEAK = math.sqrt(2 / 3)
_LAVES_KINK = SQRT2 / (math.sqrt(11) - SQRT2)
_CACU5_KINK = 2 / SQRT3 - 1
_CACU5_B2C_B3G = 2 / 3 * (math.sqrt(19 / 12) - 1 / SQRT3)
_CACU5_PEAK = (1 + 2 * math.sqrt(19)) / 15
_CACU5_B3G = (8 + math.sqrt(19)) / (10 * SQRT3)
_CACU5_TOP = 1 / (4 / SQRT3 - 1)
_PEROVSKITE_TOP = 1 / (2 * SQRT2 - 1)
#: 3a²/16 − aγ(1+t)/(2 V1) + γ² = (1+γ)²/4 at a = ICOSAHEDRA_MEET γ, and its counterpart for cuboctahedra.
_HALF_SPREAD = (1 + T) / (2 * V1)
_ICOSAHEDRA = 1 / (2 * math.sqrt(3 * ICOSAHEDRA_MEET**2 / 16 - ICOSAHEDRA_MEET * _HALF_SPREAD + 1) - 1)
#: Where a second class of pairs between icosahedra, (t, 0, 1) to (1, 0, −t), comes as close as the one that
#: touches: there a = 2 t³ ρ/V1 and y = √3 ρ/V1, and the contact of A with B96i gives γ. Beyond it the cell
#: would overlap itself.
_ICOSAHEDRA_TOP = 1 / (2 * math.sqrt(1 + (0.75 * T**6 - T**3 * (1 + T)) / V1**2) / (2 - SQRT3 / V1) - 1)
_CUBOCTAHEDRA = 1 / (2 * math.sqrt(0.75 * (1 + SQRT2) ** 2 - SQRT2 * (1 + SQRT2) + 1) - 1)

_FROZEN = (
    "frozen cell of HOODLT: no contact is hard, so the contact rule does not give it, and whether it is as "
    "published is not verified"
)
_APPROXIMATE = "approximation of HOODLT: pairs of reduced B between icosahedra stay open by up to 9 %"
_INFERRED = "contact rule applied here where HOODLT freezes the cell; an inference, not published"


def _aucu_ratio(g: Array) -> Array:
    # Root of (ḡ² + 2ḡ − 1)^(-1/2) = γ/ḡ: A shrinks until A–A along c is the hard contact.
    return (g**2 - np.sqrt(np.maximum(2 * g**4 - g**2, 0))) / np.where(g < 1, 1 - g**2, np.nan)


def _cacu5_top(g: Array) -> dict[str, Array]:
    reduced = 4 * g / SQRT3 - 1
    return {"a": 2 * g, "c": 0.5 * np.sqrt(15 * reduced**2 - 2 * reduced - 1)}


def _icosahedra_as_hoodlt(g: Array) -> tuple[Array, Array]:
    """Distance ρ of B96i from B8b and cell a, the gap between icosahedra taken as if ρ were y."""
    s = math.sqrt(T**2 - 1)
    slope, shift = 4 * (T + s) / V1, 2 * s / V1 * g
    # a = slope ρ − shift in the A–B96i contact gives a quadratic in ρ.
    square = 3 * slope**2 / 16 - slope * _HALF_SPREAD + 1
    linear = shift * (_HALF_SPREAD - 3 * slope / 8)
    constant = 3 * shift**2 / 16 - (1 + g) ** 2 / 4
    rho = (-linear + np.sqrt(linear**2 - 4 * square * constant)) / (2 * square)
    return rho, slope * rho - shift


def _icosahedra(g: Array) -> tuple[Array, Array]:
    """Distance ρ of B96i from B8b and cell a, both contacts exact; y = 2ρ − γ is the reduced B96i.

    ``(a/2 − 2ρt/V1)² + 2ρ²/V1² = y²`` between icosahedra, and A–B96i with unreduced radii as in `hard`.
    """
    rho, _ = _icosahedra_as_hoodlt(g)
    # Newton's method: the start is within a few per cent and four steps leave only rounding
    # (tests/test_otm.py).
    for _ in range(4):
        y = 2 * rho - g
        gap = np.sqrt(y**2 - 2 * rho**2 / V1**2)
        a = 4 * rho * T / V1 + 2 * gap
        slope = 4 * T / V1 + 2 * (2 * y - 2 * rho / V1**2) / gap
        value = rho**2 + 3 * a**2 / 16 - rho * a * _HALF_SPREAD - (1 + g) ** 2 / 4
        change = 2 * rho + (3 * a / 8 - rho * _HALF_SPREAD) * slope - a * _HALF_SPREAD
        rho = rho - value / change
    y = 2 * rho - g
    return rho, 4 * rho * T / V1 + 2 * np.sqrt(y**2 - 2 * rho**2 / V1**2)


def _nazn13(solution: Callable[[Array], tuple[Array, Array]], top: float, note: str) -> Branch:
    def constants(g: Array) -> dict[str, Array]:
        rho, a = solution(g)
        return {"a": a, "y": rho / (V1 * a), "z": T * rho / (V1 * a)}

    return Branch(
        "i", _ICOSAHEDRA, top, constants, lambda g: {"B96i": 2 * solution(g)[0] - g},
        (("B8b", "B96i"), ("B96i", "B96i")), note,
    )  # fmt: skip


def _cuboctahedra(g: Array) -> dict[str, Array]:
    a = cuboctahedron_cell(g)
    return {"a": a, "y": 0.5 - g / (SQRT2 * a)}


_FROZEN_CUBOCTAHEDRA = (1 + SQRT2) * _CUBOCTAHEDRA
#: MgZn2: c/a of the ideal cell, and a over 1 + γ where A touches B.
_LAVES = math.sqrt(8 / 3)
_LAVES_AB = 2 * SQRT2 / math.sqrt(11)

_BRANCHES: dict[str, tuple[Branch, ...]] = {
    "AuCu": (
        Branch("i", 1 / SQRT2, SQRT3 - 1,
               lambda g: {"a": SQRT2 * g / _aucu_ratio(g), "c": 1.0}, lambda g: {"A": g / _aucu_ratio(g)},
               (("A", "A"), ("A", "B"))),
    ),
    "AuCu3": (
        Branch("i", _OCTAHEDRON, 1 / SQRT2, lambda g: {"a": 1.0}, lambda g: {"B": _OCTAHEDRON},
               (("A", "B"),)),
        Branch("ii", 1 / SQRT2, 1.0, lambda g: {"a": SQRT2 * g}, lambda g: {"B": 2 * g - 1}, (("A", "B"),)),
    ),
    "MgZn2": (
        Branch("i", 0.0, _LAVES_KINK,
               lambda g: {"a": _LAVES_AB * (1 + g), "c": _LAVES * _LAVES_AB * (1 + g)},
               lambda g: {"A": math.sqrt(3 / 11) * (1 + g)}, (("A", "A"),)),
        Branch("ii", _LAVES_KINK, _LAVES_PEAK,
               lambda g: {"a": 2 * g, "c": _LAVES * 2 * g}, lambda g: {"A": g / _LAVES_PEAK}, (("A", "A"),)),
    ),
    "CaB6": (
        Branch("i", _OCTAHEDRON, 1.0,
               lambda g: {"a": 1.0, "u": 1 / (2 + 2 * SQRT2)}, lambda g: {"B": _OCTAHEDRON}, (("B", "B"),)),
    ),
    "CaCu5": (
        Branch("i", _CACU5_KINK, _CACU5_B2C_B3G,
               lambda g: {"a": 1.0, "c": 2 / SQRT3 - g}, lambda g: {"A": 2 / SQRT3 - g},
               (("A", "A"), ("A", "B2c"))),
        # The ratio g/peak belongs to A: HOODLT stores it with B, though its η is that of a shrunk A.
        Branch("ii", _CACU5_B2C_B3G, _CACU5_PEAK,
               lambda g: {"a": SQRT3 / 2 * (1 + _CACU5_PEAK) * g / _CACU5_PEAK, "c": g / _CACU5_PEAK},
               lambda g: {"A": g / _CACU5_PEAK}, (("A", "A"), ("A", "B2c"))),
        Branch("iii", _CACU5_PEAK, _CACU5_B3G,
               lambda g: {"a": SQRT3 / 2 * (1 + _CACU5_PEAK), "c": 1.0},
               lambda g: {"B2c": _CACU5_PEAK, "B3g": _CACU5_PEAK}, (("A", "B2c"), ("B2c", "B3g"))),
        Branch("iv", _CACU5_B3G, _CACU5_TOP, _cacu5_top,
               lambda g: {"B2c": 4 * g / SQRT3 - 1, "B3g": 4 * g / SQRT3 - 1},
               (("A", "B2c"), ("B2c", "B3g"))),
    ),
    "ABO3": (
        Branch("i", _OCTAHEDRON, 0.5, lambda g: {"a": 1.0}, lambda g: {"O": _OCTAHEDRON}, (("A", "O"),)),
        Branch("ii", 0.5, _PEROVSKITE_TOP,
               lambda g: {"a": 2 * g}, lambda g: {"O": 2 * SQRT2 * g - 1}, (("A", "O"),)),
        Branch("iii", _PEROVSKITE_TOP, 1.0,
               lambda g: {"a": (1 + g) / SQRT2}, lambda g: {"B": (1 + (1 - SQRT2) * g) / SQRT2},
               (("B", "O"),)),
    ),
    "Fe4C": (
        Branch("i", _FE4C_KINK, 1.0,
               lambda g: {"a": 1.0, "u": (1 + _FE4C_KINK) / (2 * SQRT3)}, lambda g: {"B": _FE4C_KINK},
               (("A", "B"), ("B", "B"))),
    ),
    "Li3Bi": (
        Branch("i", _LI3BI_KINK, _OCTAHEDRON, lambda g: {"a": SQRT2}, lambda g: {"B8c": _LI3BI_KINK},
               (("A", "B8c"),)),
        Branch("ii", _OCTAHEDRON, 1.0,
               lambda g: {"a": 1 + g}, lambda g: {"B8c": SQRT3 / 2 * (1 + g) - 1}, (("A", "B8c"),)),
    ),
    "bccAB6": (
        Branch("i", _BCC_KINK, 1 / SQRT6, lambda g: {"a": 2 / SQRT3}, lambda g: {"B": _BCC_KINK},
               (("A", "B"),)),
        Branch("ii", 1 / SQRT6, _BCC_FREEZE,
               lambda g: {"a": 2 * SQRT2 * g}, lambda g: {"B": math.sqrt(10) * g - 1}, (("A", "B"),)),
        Branch("iii", _BCC_FREEZE, 1.0,
               lambda g: {"a": 2 * SQRT2 * _BCC_FREEZE}, lambda g: {"B": _BCC_FREEZE},
               (("A", "B"), ("B", "B")), _FROZEN),
    ),
    "NaZn13": (_nazn13(_icosahedra, _ICOSAHEDRA_TOP, ""),),
    "cubAB13": (
        Branch("i", _CUBOCTAHEDRA, 1.0,
               lambda g: {"a": _FROZEN_CUBOCTAHEDRA, "y": 0.5 - 1 / (SQRT2 * (1 + SQRT2))},
               lambda g: {"B1b": _CUBOCTAHEDRA, "B12j": _CUBOCTAHEDRA},
               (("A", "B12j"), ("B1b", "B12j"), ("B12j", "B12j")), _FROZEN),
    ),
}  # fmt: skip

_OTHERWISE: dict[str, dict[str, tuple[Branch, ...]]] = {
    "checked": {},
    "hoodlt": {"NaZn13": (_nazn13(_icosahedra_as_hoodlt, 1.0, _APPROXIMATE),)},
    "contact": {
        "bccAB6": (
            *_BRANCHES["bccAB6"][:2],
            Branch("iii (contact rule)", _BCC_FREEZE, 1.0, lambda g: {"a": 2 / SQRT5 * (1 + g)},
                   lambda g: {"B": (1 + g) / math.sqrt(10)}, (("B", "B"),), _INFERRED),
        ),
        "cubAB13": (
            Branch("i (contact rule)", _CUBOCTAHEDRA, 1.0, _cuboctahedra,
                   lambda g: {"B12j": cuboctahedron_cell(g) - SQRT2 * g}, (("B12j", "B12j"),), _INFERRED),
        ),
    },
}  # fmt: skip


def branches(phase: str, reading: Reading = "checked") -> tuple[Branch, ...]:
    """The branches of a phase in order of γ; none for NaCl, CsCl, AlB2, ReO3 and one-component phases.

    Raises:
        UnknownNameError: no such phase, or a reading that is not in `READINGS`.
    """
    name = lattices.prototype(phase).name
    if reading not in READINGS:
        raise UnknownNameError(
            f"reading '{reading}' is not known{nearest(reading, READINGS)}; known: {', '.join(READINGS)}"
        )
    return _OTHERWISE[reading].get(name, _BRANCHES.get(name, ()))


def _fraction(phase: str, branch: Branch, g: Array) -> Array:
    return sphere_volume(phase, g) / lattices.volume(phase, branch.constants(g))


@cache
def windows(phase: str, reading: Reading = "checked") -> tuple[tuple[str, float, float], ...]:
    """Ranges of γ in which a branch exists, as (branch, low, high): inside its limits and with η ≤ 1.

    >>> [(name, round(low, 6), round(high, 6)) for name, low, high in windows("AuCu3")]
    [('i', 0.414214, 0.671869), ('ii', 0.746704, 1.0)]
    """
    found = []
    for branch in branches(phase, reading):

        def excess(g: float, branch: Branch = branch) -> float:
            return float(_fraction(phase, branch, np.asarray(g))) - 1

        grid = np.linspace(branch.low, branch.high, 401)[1:]
        over = ~(_fraction(phase, branch, grid) <= 1)
        edges = [branch.low]
        edges += [float(brentq(excess, grid[i], grid[i + 1])) for i in np.flatnonzero(np.diff(over))]
        edges.append(branch.high)
        # η ≤ 1 and η > 1 alternate between the edges.
        first = int(over[0])
        found += [(branch.name, edges[i], edges[i + 1]) for i in range(first, len(edges) - 1, 2)]
    return tuple(found)


def _exists(phase: str, reading: Reading) -> str:
    name = lattices.prototype(phase).name
    ranges = windows(name, reading)
    if not ranges:
        with_branch = ", ".join(sorted(_BRANCHES))
        return f"{name} has no OTM branch at any γ (phases that have one: {with_branch})"
    listed = ", ".join(f"{low:.6g} < γ ≤ {high:.6g} ({branch})" for branch, low, high in ranges)
    return f"{name} has an OTM branch with η ≤ 1 only for {listed}"


def _evaluate(
    phase: str, gamma: ArrayLike, reading: Reading
) -> tuple[Array, Constants, Array, NDArray[np.int8], Domain, tuple[Branch, ...]]:
    """Γ, constants, η, number of the branch (from 0, −1 for none) and domain."""
    kind = lattices.prototype(phase)
    g, ratio = inside(gamma)
    found = {key: np.full(g.shape, np.nan) for key in kind.constants}
    number = np.full(g.shape, -1, np.int8)
    listed = branches(phase, reading)
    for index, branch in enumerate(listed):
        here = (g > branch.low) & (g <= branch.high) & ratio.inside
        if not here.any():
            continue
        number[here] = index
        # A scan often lies in one branch: no need to pick and put back.
        for key, value in branch.constants(g if here.all() else g[here]).items():
            found[key][here] = value
    eta = sphere_volume(phase, g) / lattices.volume(phase, found)
    exists = (number >= 0) & (eta <= 1)
    domain = limit((ratio.inside, SIZE_RATIO), (exists, _exists(phase, reading)), γ=gamma)
    return g, {k: domain.keep(v) for k, v in found.items()}, domain.keep(eta), number, domain, listed


def packing_fraction(phase: str, gamma: ArrayLike, reading: Reading = "checked") -> Array:
    """OTM volume fraction η of the unreduced spheres [-], NaN where no branch exists.

    Args:
        phase: a name of the catalogue.
        gamma: size ratio in (0, 1], any shape.
        reading: a key of `READINGS`.

    Raises:
        UnknownNameError: no such phase or reading.
        PhysicsError: a single γ outside (0, 1], or at which no branch exists; the message has the ranges.

    >>> round(float(packing_fraction("MgZn2", 0.7816)), 4)
    0.7579
    """
    return _evaluate(phase, gamma, reading)[2]


def solve(phase: str, gamma: ArrayLike, reading: Reading = "checked") -> Packing:
    """The OTM lattice with everything known about it; arguments and errors as in `packing_fraction`.

    `hard.contacts` of the result says which contacts are hard and which are shrunk.

    >>> found = solve("Li3Bi", 0.5665)
    >>> str(found.branch), round(float(found.eta), 4), round(float(found.diameters["B8c"]), 4)
    ('ii', 0.842, 0.3566)
    """
    g, found, eta, number, domain, listed = _evaluate(phase, gamma, reading)
    kind = lattices.prototype(phase)
    sizes = {
        label: np.where(number >= 0, 1.0 if s == "A" else g, np.nan) for label, s in kind.species.items()
    }
    for index, branch in enumerate(listed):
        here = number == index
        if here.any():
            for label, value in branch.diameters(g[here]).items():
                sizes[label][here] = value
    names = np.array([*(branch.name for branch in listed), ""])
    return Packing(
        phase=kind.name,
        gamma=np.asarray(gamma, float),
        eta=eta,
        constants=found,
        diameters={label: domain.keep(value) for label, value in sizes.items()},
        branch=np.where(domain.inside, names[number], ""),
        domain=domain,
    )


def caveats(phase: str, gamma: float, reading: Reading = "checked") -> tuple[str, ...]:
    """What is not verified about the branch at one γ, in words; empty if it is the contact construction.

    Raises:
        PhysicsError: no branch exists at this γ.

    >>> caveats("MgZn2", 0.78)
    ()
    """
    packing = solve(phase, gamma, reading)
    branch = next(b for b in branches(phase, reading) if b.name == str(packing.branch))
    found = [branch.note] if branch.note else []
    listed = {frozenset(pair) for pair in branch.shrunk}
    further = dict.fromkeys(
        "–".join(contact.pair)
        for contact in contacts(packing)
        if contact.kind == "shrunk" and frozenset(contact.pair) not in listed
    )
    if further:
        found.append(f"further contacts overlap than the branch drops: {', '.join(further)}")
    return tuple(found)
