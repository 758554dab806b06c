"""Hard spheres: the densest cell of each prototype for two diameters, which is also the plain OPM prediction.

A nanocrystal takes the sphere of its OPM radius, ligands included. With the diameter of A as unit and
``γ = r_B / r_A ≤ 1``, each lattice constant is the largest of the values that one pair of touching neighbours
asks for:

    η(γ) = (π/6) (n_A + n_B γ³) / V,   V the cell that these constants span.

The contacts are derived in the comments; `tests/test_hard.py` rebuilds every lattice on a grid of γ and finds
the closest pair in contact and none closer. That a parametrisation with a free coordinate (CaB6, Fe4C,
NaZn13, cubAB13) is the densest one of its space group is **not proved** here. The same lattices are in the
public code of Travesset, Soft Matter 13, 147 (2017), DOI 10.1039/C6SM00713A; the paper was not opened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal import lattices
from supercrystal.packing.domain import SIZE_RATIO, Domain, limit

Array = NDArray[np.float64]
Constants = dict[str, Array]

SQRT2, SQRT3, SQRT5, SQRT6 = (math.sqrt(n) for n in (2, 3, 5, 6))

#: Golden ratio: vertices of a regular icosahedron are the cyclic permutations of (0, ±1, ±t), at distance V1.
T = (1 + SQRT5) / 2
V1 = math.sqrt(1 + T**2)
#: NaZn13: lattice constant over γ where icosahedra of touching B meet each other.
ICOSAHEDRA_MEET = 2 * (2 * T + math.sqrt(T**2 - 1)) / V1

#: Two lengths that agree to this relative precision are in contact.
TOUCH = 1e-9


@dataclass(frozen=True)
class Packing:
    """A lattice that a model predicts, lengths in diameters of A; arrays have the shape of `gamma`.

    Args:
        phase: the catalogue's name.
        gamma: size ratio γ [-].
        eta: volume of the unreduced spheres (or cubes) over the volume of the cell [-]; NaN where there is
            none.
        constants: lattice constants and free coordinates by name; NaN where there are none.
        diameters: site label → diameter of the sphere that packs there; below 1 or γ where the model shrinks
            it.
        branch: name of the branch of each entry, empty where there is none.
        domain: where the prediction exists, and why not where it does not.
    """

    phase: str
    gamma: Array
    eta: Array
    constants: Constants
    diameters: Constants
    branch: NDArray[np.str_]
    domain: Domain

    @property
    def reason(self) -> NDArray[np.str_]:
        """Why there is no prediction, empty where there is one."""
        return self.domain.reason


@dataclass(frozen=True)
class Contact:
    """A shell of neighbours that is at or inside the sum of the two unreduced radii.

    Args:
        pair: the two site labels.
        distance: centre distance, in diameters of A.
        coordination: neighbours of this kind around one particle of each label.
        kind: ``"hard"`` where unreduced spheres touch, ``"shrunk"`` where they overlap.
    """

    pair: tuple[str, str]
    distance: float
    coordination: tuple[int, int]
    kind: str


def _alb2(g: Array) -> Constants:
    # B–B in the layer: a/√3 ≥ γ. A–B: a²/3 + c²/4 ≥ (1 + γ)²/4.
    a = np.maximum(1.0, SQRT3 * g)
    return {"a": a, "c": np.maximum(1.0, np.sqrt(np.maximum((1 + g) ** 2 - 4 * a**2 / 3, 0)))}


def _mgzn2(g: Array) -> Constants:
    # A–A: √(3/8) a ≥ 1. B–B: a/2 ≥ γ.
    a = 2 * np.maximum(math.sqrt(2 / 3), g)
    return {"a": a, "c": math.sqrt(8 / 3) * a}


def _cab6(g: Array) -> Constants:
    # Octahedra of touching B around the body centre; beyond γ = √2 − 1 octahedra touch each other as well.
    free = (1 - SQRT2 * g) / 2
    return {
        "a": np.maximum(1.0, (1 + SQRT2) * g),
        "u": np.where(g < SQRT2 - 1, free, 1 / (2 + 2 * SQRT2)),
    }


def _cacu5(g: Array) -> Constants:
    # A–B2c: a/√3. B3g–B3g: a/2. B2c–B3g: a²/12 + c²/4 ≥ γ².
    a = np.maximum(np.maximum(1.0, SQRT3 / 2 * (1 + g)), 2 * g)
    return {"a": a, "c": np.maximum(1.0, 2 * np.sqrt(np.maximum(g**2 - a**2 / 12, 0)))}


def _fe4c(g: Array) -> Constants:
    # A–B along [111]: √3 u a = (1 + γ)/2. B–B around the body centre: √2 (1 − 2u) a ≥ γ.
    a = np.maximum(1.0, ((1 + g) + math.sqrt(3 / 2) * g) / SQRT3)
    return {"a": a, "u": (1 + g) / (2 * SQRT3 * a)}


def _nazn13(g: Array) -> Constants:
    # B96i at γ from B8b. A–A: a/2 ≥ 1. A–B96i: 3a²/16 − aγ(1 + t)/(2 V1) + γ² ≥ (1 + γ)²/4, its larger root.
    # Icosahedra.
    p = g * (1 + T) / (2 * V1)
    along = (8 / 3) * (p + np.sqrt(np.maximum(p**2 + 0.75 * ((1 + g) ** 2 / 4 - g**2), 0)))
    a = np.maximum(np.maximum(2.0, along), ICOSAHEDRA_MEET * g)
    return {"a": a, "y": g / (V1 * a), "z": T * g / (V1 * a)}


def cuboctahedron_cell(g: Array) -> Array:
    """CubAB13 cell in which A touches B12j: ``3a²/4 − √2 aγ + γ² = (1 + γ)²/4``, its larger root."""
    return (2 / 3) * (SQRT2 * g + np.sqrt(np.maximum(0.75 * (1 + g) ** 2 - g**2, 0)))


def _cubab13(g: Array) -> Constants:
    # B12j at γ from B1b. Clusters meet at a − √2 γ ≥ γ.
    a = np.maximum(np.maximum(1.0, cuboctahedron_cell(g)), (1 + SQRT2) * g)
    return {"a": a, "y": 0.5 - g / (SQRT2 * a)}


def _cubic(*candidates: Callable[[Array], Array | float]) -> Callable[[Array], Constants]:
    """Cubic lattice without free coordinates: the largest of the constants that its contacts ask for."""

    def constants(g: Array) -> Constants:
        a = np.broadcast_to(np.asarray(candidates[0](g), float), g.shape)
        for candidate in candidates[1:]:
            a = np.maximum(a, candidate(g))
        return {"a": a}

    return constants


def _constant(**values: float) -> Callable[[Array], Constants]:
    return lambda g: {key: np.full(g.shape, value) for key, value in values.items()}


_LATTICES: dict[str, Callable[[Array], Constants]] = {
    "fcc": _constant(a=SQRT2),
    "hcp": _constant(a=1.0, c=math.sqrt(8 / 3)),
    "bcc": _constant(a=2 / SQRT3),
    "sc": _constant(a=1.0),
    "diamond": _constant(a=4 / SQRT3),
    "NaCl": _cubic(lambda g: SQRT2, lambda g: 1 + g),
    "CsCl": _cubic(lambda g: 1.0, lambda g: (1 + g) / SQRT3),
    # A–B: (a² + c²)/4 ≥ (1 + γ)²/4 at a = √2.
    "AuCu": lambda g: {
        "a": np.full(g.shape, SQRT2),
        "c": np.maximum(1, np.sqrt(np.maximum(g**2 + 2 * g - 1, 0))),
    },
    "AuCu3": _cubic(lambda g: 1.0, lambda g: (1 + g) / SQRT2),
    "AlB2": _alb2,
    "MgZn2": _mgzn2,
    "CaB6": _cab6,
    "CaCu5": _cacu5,
    # A–O: a/√2. B–O: a/2, both of diameter γ.
    "ABO3": _cubic(lambda g: 1.0, lambda g: (1 + g) / SQRT2, lambda g: 2 * g),
    "ReO3": _cubic(lambda g: 1 + g),
    "Fe4C": _fe4c,
    # A–A: a/√2. A–B8c: √3 a/4.
    "Li3Bi": _cubic(lambda g: SQRT2, lambda g: 2 * (1 + g) / SQRT3),
    # A–A: √3 a/2. A–B: √5 a/4. B–B: a/(2√2).
    "bccAB6": _cubic(lambda g: 2 / SQRT3, lambda g: 2 * (1 + g) / SQRT5, lambda g: 2 * SQRT2 * g),
    "NaZn13": _nazn13,
    "cubAB13": _cubab13,
}


def inside(gamma: ArrayLike) -> tuple[Array, Domain]:
    """Return γ as an array and where it lies in (0, 1]; entries outside become 1, to keep formulas finite.

    Raises:
        PhysicsError: a single γ outside (0, 1].
    """
    g = np.asarray(gamma, float)
    domain = limit(((g > 0) & (g <= 1), SIZE_RATIO), γ=g)
    return np.where(domain.inside, g, 1.0), domain


def constants(phase: str, gamma: ArrayLike = 1.0) -> Constants:
    """Lattice constants and free coordinates of the hard-sphere lattice, in diameters of A.

    Args:
        phase: a name of the catalogue.
        gamma: size ratio in (0, 1], any shape; one-component phases do not depend on it.

    Returns:
        Constants by name, each of the shape of `gamma`; NaN where γ is outside.

    Raises:
        UnknownNameError: no such phase.
        PhysicsError: a single γ outside (0, 1].

    >>> {key: round(float(value), 6) for key, value in constants("MgZn2", 0.9).items()}
    {'a': 1.8, 'c': 2.939388}
    """
    kind = lattices.prototype(phase)
    g, domain = inside(gamma)
    return {key: domain.keep(value) for key, value in _LATTICES[kind.name](g).items()}


def sphere_volume(phase: str, gamma: ArrayLike) -> Array:
    """Volume of the unreduced spheres in the conventional cell, in units of the cube of the diameter of A."""
    counts = lattices.prototype(phase).species_counts
    others = sum(counts.values()) - counts["A"]
    return np.pi / 6 * (counts["A"] + others * np.asarray(gamma, float) ** 3)


def packing_fraction(phase: str, gamma: ArrayLike = 1.0) -> Array:
    """Volume fraction η of the spheres [-], of the shape of `gamma`; NaN where γ is outside (0, 1].

    Raises:
        UnknownNameError: no such phase.
        PhysicsError: a single γ outside (0, 1].

    >>> round(float(packing_fraction("NaCl", 2**0.5 - 1)), 9)
    0.793104818
    """
    return sphere_volume(phase, gamma) / lattices.volume(phase, constants(phase, gamma))


def solve(phase: str, gamma: ArrayLike = 1.0) -> Packing:
    """The hard-sphere lattice with all that is known of it; arguments and errors as in `packing_fraction`."""
    kind = lattices.prototype(phase)
    g, domain = inside(gamma)
    found = {key: domain.keep(value) for key, value in _LATTICES[kind.name](g).items()}
    sizes = {
        label: domain.keep(np.ones(g.shape) if species == "A" else g)
        for label, species in kind.species.items()
    }
    return Packing(
        phase=kind.name,
        gamma=np.asarray(gamma, float),
        eta=sphere_volume(phase, g) / lattices.volume(phase, found),
        constants=found,
        diameters=sizes,
        branch=np.where(domain.inside, "hard spheres", ""),
        domain=domain,
    )


def contacts(packing: Packing) -> tuple[Contact, ...]:
    """Shells at or inside the sum of unreduced radii in a lattice at one γ, nearest first.

    Args:
        packing: what `solve` of this module or of `otm` returned for a single γ.

    >>> [(c.pair, c.coordination, c.kind) for c in contacts(solve("CsCl", 0.8))]
    [(('A', 'B'), (8, 8), 'hard')]
    """
    kind = lattices.prototype(packing.phase)
    size = {label: 1.0 if species == "A" else float(packing.gamma) for label, species in kind.species.items()}
    found = []
    for shell in lattices.shells(
        packing.phase, {k: float(v) for k, v in packing.constants.items()}, reach=1.0
    ):
        overlap = shell.distance / ((size[shell.pair[0]] + size[shell.pair[1]]) / 2) - 1
        if overlap <= TOUCH:
            touching = "hard" if overlap >= -TOUCH else "shrunk"
            found.append(Contact(shell.pair, shell.distance, shell.coordination, touching))
    return tuple(found)


def perovskite_constant(a_diameter: ArrayLike, b_diameter: ArrayLike, o_diameter: ArrayLike) -> Array:
    """Lattice constant of ABO3 made of three kinds of spheres, in the unit of the diameters; all broadcast.

    ``a = max(d_A, d_B, √2 d_O, (d_A + d_O)/√2, d_B + d_O, (d_A + d_B)/√3)``: contacts of A, B and O with
    their own kind, then A–O, B–O and A–B. Derived here from the sites; with d_B = d_O it is the binary ABO3
    of `constants`.
    """
    a, b, o = (np.asarray(d, float) for d in (a_diameter, b_diameter, o_diameter))
    largest = np.maximum(np.maximum(a, b), SQRT2 * o)
    return np.maximum(np.maximum(np.maximum(largest, (a + o) / SQRT2), b + o), (a + b) / SQRT3)
