"""Candidates and their mixtures: which set of phases has the lowest Gibbs energy at a composition.

The Gibbs energy per particle of a mixture of phases is the mean of theirs, weighted with the shares w of the particles in
each; at the composition x the lowest is

    g(x) = min Σ w_i g_i   with   Σ w_i x_i = x,  Σ w_i = 1,  w ≥ 0,

the lower convex hull of the points (x_i, g_i): the common tangent in two components. It is a linear programme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supercrystal.errors import PhysicsError

#: Phases with a smaller share of the particles are not there.
TRACE = 1e-9
#: Combined standard errors within which two candidates are not distinguished.
ERRORS = 2.0


@dataclass(frozen=True)
class Candidate:
    """A phase among others.

    Args:
        name: that tells it from the others.
        composition: species → share of the particles, sum 1.
        gibbs: Gibbs energy (or enthalpy) per particle [kT].
        error: its standard error [kT].
    """

    name: str
    composition: Mapping[str, float]
    gibbs: float
    error: float = 0.0

    def __post_init__(self) -> None:
        shares = list(self.composition.values())
        if abs(sum(shares) - 1) > 1e-6 or min(shares, default=-1.0) < 0:
            raise PhysicsError(f"shares of {self.name} must be ≥ 0 with sum 1; got {dict(self.composition)}")
        if not (math.isfinite(self.gibbs) and self.error >= 0):
            raise PhysicsError(f"{self.name} needs a finite Gibbs energy with an error ≥ 0")


@dataclass(frozen=True)
class Mixture:
    """The lowest set of phases at a composition.

    Args:
        gibbs: per particle [kT].
        error: of it [kT].
        shares: name → share of the particles.
    """

    gibbs: float
    error: float
    shares: Mapping[str, float]


def lowest(candidates: Sequence[Candidate], composition: Mapping[str, float]) -> Mixture:
    """The set of candidates that together has the lowest Gibbs energy.

    Args:
        candidates: at one temperature and pressure, one reference state for each species.
        composition: species → share, sum 1.

    Raises:
        PhysicsError: no mixture of the candidates has this composition.

    >>> pure = [Candidate("fcc A", {"A": 1.0}, 1.0), Candidate("fcc B", {"B": 1.0}, 2.0)]
    >>> mixture = lowest([*pure, Candidate("CsCl", {"A": 0.5, "B": 0.5}, 1.2)], {"A": 0.75, "B": 0.25})
    >>> round(mixture.gibbs, 9), dict(mixture.shares)
    (1.1, {'fcc A': 0.5, 'CsCl': 0.5})
    """
    from scipy.optimize import linprog

    species = sorted({name for c in candidates for name in c.composition} | set(composition))
    amounts = [[c.composition.get(name, 0.0) for c in candidates] for name in species]
    wanted = [composition.get(name, 0.0) for name in species]
    found = (
        linprog([c.gibbs for c in candidates], A_eq=amounts, b_eq=wanted, bounds=(0, None), method="highs")
        if candidates
        else None
    )
    if found is None or found.status != 0:
        names = ", ".join(c.name for c in candidates) or "nothing"
        raise PhysicsError(
            f"no mixture of {names} has the composition {dict(composition)}: add a phase of each pure species"
        )
    chosen = [(c, float(w)) for c, w in zip(candidates, found.x, strict=True) if w > TRACE]
    error = math.sqrt(sum((w * c.error) ** 2 for c, w in chosen))
    return Mixture(float(found.fun), error, {c.name: w for c, w in chosen})


@dataclass(frozen=True)
class Rank:
    """One candidate against all others.

    Args:
        name: of the candidate.
        above: its Gibbs energy over the lowest mixture of the *others* at its own composition [kT per particle];
            negative for one that no mixture of the others beats; None if no mixture of the others has its composition.
        error: standard error of `above`, that of the others included [kT].
        against: shares of that mixture.
    """

    name: str
    above: float | None
    error: float
    against: Mapping[str, float]

    @property
    def distinguishable(self) -> bool:
        """Whether the difference is larger than `ERRORS` standard errors; and than rounding."""
        return self.above is None or abs(self.above) > max(ERRORS * self.error, 1e-9)

    @property
    def verdict(self) -> str:
        """In words."""
        if self.above is None:
            return "alone at its composition"
        if not self.distinguishable:
            return "not distinguishable"
        return "lowest" if self.above < 0 else "higher"


def ranking(candidates: Sequence[Candidate]) -> list[Rank]:
    """Every candidate against the lowest mixture of the others at its composition, in the order given."""
    ranks = []
    for one in candidates:
        others = [other for other in candidates if other is not one]
        try:
            mixture = lowest(others, one.composition)
        except PhysicsError:
            ranks.append(Rank(one.name, None, one.error, {}))
            continue
        error = float(np.hypot(one.error, mixture.error))
        ranks.append(Rank(one.name, one.gibbs - mixture.gibbs, error, mixture.shares))
    return ranks
