"""Which phase a set of nanocrystals packs into most densely, by each model, and what that competes with.

The criterion is volume: at the same composition the densest arrangement wins. For hard spheres that is the
limit of high pressure; that OTM selects the phase of highest η in the same way is **from memory, not
verified**. Every candidate is therefore shown with its competitor, the densest mixture of all other phases of
the same composition, found by linear
programming: minimise the volume Σ λ_p V_p subject to Σ λ_p n_p = n. Pure components always compete as fcc,
    for which
η = 0.7405 whatever the sizes; hcp ties with it.

OTM knows size ratios, not cores: for given nanocrystals some of its branches would push cores into each
other. Those are left out of every ranking. The third model leaves out as well what comes closer than the
overlap cone model allows; that OCM bounds shrunk contacts from below is taken from the documentation of the
public code, not from a publication.

Ligand entropy, charges, temperature, kinetics and size dispersity are not in these models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from supercrystal import lattices
from supercrystal.errors import PhysicsError
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.packing import hard, ocm, opm, otm

#: The models that rank. Where OTM has no branch, or none that is possible, it takes the hard-sphere lattice.
MODELS = ("hard spheres", "OTM", "OTM above OCM")

#: Relative difference of volume below which two arrangements tie.
_TIE = 1e-9


@dataclass(frozen=True)
class Mixture:
    """Phases side by side.

    Args:
        parts: (phase, species → nanocrystal, share of all nanocrystals), largest share first.
        eta: volume of all unreduced spheres over the sum of the volumes [-].
    """

    parts: tuple[tuple[str, Mapping[str, str], float], ...]
    eta: float

    def __str__(self) -> str:
        return " + ".join(f"{share:.0%} {describe(phase, roles)}" for phase, roles, share in self.parts)


@dataclass(frozen=True)
class Candidate:
    """One phase of a set of nanocrystals, each model's lattice for it, and what it competes with.

    Args:
        phase: the catalogue's name.
        roles: species → name of the nanocrystal on it.
        gamma: size ratio r_B/r_A [-]; None for one component and for three.
        eta: model → volume fraction of unreduced spheres [-].
        otm_branch: model → name of the OTM branch; absent where the model takes the hard-sphere lattice.
        constants: model → lattice constants [nm] and free coordinates [-].
        competitor: model → densest mixture of all other phases at this composition.
        warnings: what is doubtful about the OTM lattice.
    """

    phase: str
    roles: Mapping[str, str]
    gamma: float | None
    eta: Mapping[str, float]
    otm_branch: Mapping[str, str]
    constants: Mapping[str, Mapping[str, float]]
    competitor: Mapping[str, Mixture]
    warnings: tuple[str, ...]

    def wins(self, model: str) -> bool:
        """Whether it is denser than its densest competitor."""
        return self.eta[model] > self.competitor[model].eta * (1 + _TIE)

    def __str__(self) -> str:
        return describe(self.phase, self.roles)


@dataclass(frozen=True)
class Selection:
    """All candidates of a set of nanocrystals.

    Args:
        diameters: nanocrystal → OPM diameter [nm].
        candidates: all candidates, densest OTM lattice first.
        separated: nanocrystal → phase that OPM favours for it alone.
        mixture: model → densest arrangement of the given numbers of nanocrystals; empty if none were given.
        disagreements: where the models say different things, in words.
    """

    diameters: Mapping[str, float]
    candidates: tuple[Candidate, ...]
    separated: Mapping[str, str]
    mixture: Mapping[str, Mixture]
    disagreements: tuple[str, ...]

    def ranking(self, model: str) -> tuple[Candidate, ...]:
        """Candidates in the order of one model, densest first; ties in the order of the catalogue."""
        return tuple(sorted(self.candidates, key=lambda candidate: -round(candidate.eta[model], 9)))

    def place(self, candidate: Candidate, model: str) -> int:
        """Place of a candidate in the order of one model, from 1; ties share a place."""
        return 1 + sum(other.eta[model] > candidate.eta[model] * (1 + _TIE) for other in self.candidates)


def describe(phase: str, roles: Mapping[str, str]) -> str:
    """A phase with the nanocrystals on its species, as in ``"NaCl(PbS, Au)"``."""
    return f"{phase}({', '.join(roles.values())})"


@dataclass(frozen=True)
class _Entry:
    """A phase with one model's lattice: what the linear programme knows."""

    phase: str
    roles: Mapping[str, str]
    content: NDArray[np.float64]  # of each nanocrystal in a cell
    volume: float  # of a cell [nm³]
    solid: float  # volume of unreduced spheres in it [nm³]


def _mixture(entries: Sequence[_Entry], composition: NDArray[np.float64]) -> Mixture:
    content = np.array([entry.content for entry in entries]).T
    # Volumes per sphere volume keep the programme well scaled for any sizes.
    scale = np.array([entry.solid for entry in entries])
    found = linprog(
        [entry.volume for entry in entries] / scale, A_eq=content / scale, b_eq=composition, method="highs"
    )
    amounts = found.x / scale
    parts = [
        (entry.phase, entry.roles, float(amount * entry.content.sum() / composition.sum()))
        for entry, amount in zip(entries, amounts, strict=True)
        if amount * entry.content.sum() > 1e-9 * composition.sum()
    ]
    solid = sum(entry.solid * amount for entry, amount in zip(entries, amounts, strict=True))
    volume = sum(entry.volume * amount for entry, amount in zip(entries, amounts, strict=True))
    return Mixture(tuple(sorted(parts, key=lambda part: -part[2])), float(solid / volume))


def close_contacts(
    packing: hard.Packing, nanocrystals: Mapping[str, Nanocrystal], unit: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Shrunk contacts in which cores would overlap, and those that are closer than OCM allows, in words.

    Args:
        packing: an OTM lattice at one γ.
        nanocrystals: species → nanocrystal.
        unit: diameter of A [nm].
    """
    species = lattices.prototype(packing.phase).species
    overlapping: dict[str, str] = {}
    below: dict[str, str] = {}
    for contact in hard.contacts(packing):
        if contact.kind == "hard":
            continue
        a, b = (nanocrystals[species[label]] for label in contact.pair)
        distance = contact.distance * unit
        name = "–".join(contact.pair)
        if distance < a.core.radius_nm + b.core.radius_nm:
            overlapping.setdefault(name, f"cores overlap in the contact {name} at {distance:.2f} nm")
        lengths, xis = (a.ligand.length_nm, b.ligand.length_nm), (a.xi, b.xi)
        # As an array: that OCM is not defined for a pair is a finding here, not a mistake.
        bound = float(ocm.pair_spacing((np.array([a.core.diameter_nm]), b.core.diameter_nm), lengths, xis)[0])
        if np.isnan(bound):
            below.setdefault(name, f"OCM is not defined for the contact {name}")
        elif distance < bound:
            below.setdefault(
                name, f"contact {name} at {distance:.2f} nm is below its OCM distance {bound:.2f} nm"
            )
    return tuple(overlapping.values()), tuple(below.values())


def _lattices(
    phase: str, a: Nanocrystal, b: Nanocrystal, sizes: tuple[float, float], reading: otm.Reading
) -> tuple[dict[str, hard.Packing], dict[str, str], tuple[str, ...]]:
    """Lattice of each model, lengths in diameters of A; the branch where it is one of OTM; warnings."""
    gamma = sizes[1] / sizes[0]
    found = dict.fromkeys(MODELS, hard.solve(phase, gamma))
    # As an array: a γ without a branch is no mistake here.
    scan = otm.solve(phase, np.array([gamma]), reading)
    if not scan.domain.inside[0]:
        return found, {}, ()
    shrunk, branch = otm.solve(phase, gamma, reading), str(scan.branch[0])
    overlapping, below = close_contacts(shrunk, {"A": a, "B": b, "O": b}, sizes[0])
    if overlapping:
        return found, {}, tuple(f"OTM branch {branch} left out: {text}" for text in overlapping)
    taken = MODELS[1:2] if below else MODELS[1:]
    found |= dict.fromkeys(taken, shrunk)
    return found, dict.fromkeys(taken, branch), (*otm.caveats(phase, gamma, reading), *below)


def _binaries(
    nanocrystals: Mapping[str, Nanocrystal],
    size: Mapping[str, float],
    phases: Sequence[str],
    reading: otm.Reading,
) -> list[tuple[Candidate, dict[str, _Entry]]]:
    names = list(nanocrystals)
    found = []
    for pair in combinations(names, 2):
        a, b = sorted(pair, key=lambda name: -size[name])
        for phase in phases:
            kind = lattices.prototype(phase)
            models, branch, warnings = _lattices(
                phase, nanocrystals[a], nanocrystals[b], (size[a], size[b]), reading
            )
            roles = {"A": a, "B": b}
            counts = {a: kind.species_counts["A"], b: len(kind.labels) - kind.species_counts["A"]}
            content = np.array([counts.get(name, 0) for name in names], float)
            solid = float(np.pi / 6 * sum(counts[name] * size[name] ** 3 for name in counts))
            constants = {model: _in_nm(packing.constants, size[a]) for model, packing in models.items()}
            entries = {
                model: _Entry(phase, roles, content, float(lattices.volume(phase, constants[model])), solid)
                for model in MODELS
            }
            eta = {model: entry.solid / entry.volume for model, entry in entries.items()}
            gamma = size[b] / size[a]
            found.append((Candidate(phase, roles, gamma, eta, branch, constants, {}, warnings), entries))
    return found


def _in_nm(constants: Mapping[str, NDArray[np.float64]], unit: float) -> dict[str, float]:
    """Lattice constants times the diameter of A; free coordinates have no unit."""
    return {key: float(value) * (unit if key in ("a", "c") else 1.0) for key, value in constants.items()}


def _ternaries(size: Mapping[str, float]) -> list[tuple[Candidate, dict[str, _Entry]]]:
    """ABO3 of three kinds of spheres in every assignment; OTM, without a branch, takes the same lattice."""
    names = list(size)
    found = []
    for a, b, o in permutations(names, 3):
        constant = float(hard.perovskite_constant(size[a], size[b], size[o]))
        content = np.array([{a: 1, b: 1, o: 3}[name] for name in names], float)
        solid = float(np.pi / 6 * (content * [size[name] ** 3 for name in names]).sum())
        roles = {"A": a, "B": b, "O": o}
        entry = _Entry("ABO3", roles, content, constant**3, solid)
        eta = dict.fromkeys(MODELS, solid / constant**3)
        constants = {model: {"a": constant} for model in MODELS}
        found.append(
            (Candidate("ABO3", roles, None, eta, {}, constants, {}, ()), dict.fromkeys(MODELS, entry))
        )
    return found


def _unary(size: Mapping[str, float], phase: str, name: str) -> _Entry:
    constants = _in_nm(hard.constants(phase), size[name])
    content = np.array([len(lattices.prototype(phase).labels) * (other == name) for other in size], float)
    solid = float(content.sum() * np.pi / 6 * size[name] ** 3)
    return _Entry(phase, {"A": name}, content, float(lattices.volume(phase, constants)), solid)


def _disagreements(
    candidates: Sequence[Candidate], favoured: Mapping[str, str], mixture: Mapping[str, Mixture]
) -> tuple[str, ...]:
    said = [
        f"{name} alone: hard spheres pack densest as fcc, OPM favours {phase} (x above x_B)"
        for name, phase in favoured.items()
        if phase != "fcc"
    ]
    if len(favoured) > 1:
        top = {model: max(candidates, key=lambda c: c.eta[model]) for model in MODELS}
        said += _unless_equal("densest phase", {m: f"{c} (η = {c.eta[m]:.3f})" for m, c in top.items()}, top)
        winners = {model: [str(c) for c in candidates if c.wins(model)] for model in MODELS}
        lists = {model: ", ".join(names) or "none" for model, names in winners.items()}
        said += _unless_equal("denser than every mixture of the others", lists, winners)
    if mixture:
        kinds = {
            m: sorted(describe(phase, roles) for phase, roles, _ in found.parts)
            for m, found in mixture.items()
        }
        said += _unless_equal("at the given numbers", {m: str(found) for m, found in mixture.items()}, kinds)
    return tuple(said)


def _unless_equal(question: str, answers: Mapping[str, str], compared: Mapping[str, object]) -> list[str]:
    """One line with each model's answer, or none where what is compared is the same for all."""
    if len({str(compared[model]) for model in MODELS}) == 1:
        return []
    return [f"{question}: " + "; ".join(f"{model}: {answers[model]}" for model in MODELS)]


def rank(
    nanocrystals: Mapping[str, Nanocrystal],
    counts: Mapping[str, int] | None = None,
    phases: Sequence[str] | None = None,
    reading: otm.Reading = "checked",
) -> Selection:
    """Rank all phases of one, two or three kinds of nanocrystals by each model.

    Args:
        nanocrystals: name → nanocrystal; in binary phases A is the one with the larger OPM diameter.
        counts: name → how many, for the densest arrangement of just these numbers.
        phases: phases to consider; all of the catalogue if left out.
        reading: a key of `otm.READINGS`.

    Raises:
        PhysicsError: not one to three nanocrystals, numbers that do not fit them, or OPM not defined for one.
        UnknownNameError: no such phase.
    """
    names = list(nanocrystals)
    if not 1 <= len(names) <= 3:
        raise PhysicsError(f"a ranking needs one to three kinds of nanocrystals; got {len(names)}")
    if counts is not None and (set(counts) != set(names) or min(counts.values()) < 1):
        raise PhysicsError(f"counts are numbers ≥ 1 for {', '.join(names)}; got {dict(counts)}")
    size = {
        name: float(opm.spacing(nc.core.diameter_nm, nc.ligand.length_nm, nc.xi))
        for name, nc in nanocrystals.items()
    }
    chosen = dict.fromkeys(lattices.prototype(phase).name for phase in phases or lattices.names())
    single = [phase for phase in chosen if lattices.prototype(phase).one_component]
    mixed = [phase for phase in chosen if not lattices.prototype(phase).one_component]

    pool = _binaries(nanocrystals, size, mixed, reading)
    if len(names) == 3 and "ABO3" in mixed:
        pool += _ternaries(size)
    if len(names) == 1:
        for phase in single:
            entry = _unary(size, phase, names[0])
            eta = dict.fromkeys(MODELS, entry.solid / entry.volume)
            constants = {model: _in_nm(hard.constants(phase), size[names[0]]) for model in MODELS}
            candidate = Candidate(phase, entry.roles, None, eta, {}, constants, {}, ())
            pool.append((candidate, dict.fromkeys(MODELS, entry)))
    if not pool:
        raise PhysicsError(f"none of {', '.join(chosen)} is a phase of {len(names)} kind(s) of nanocrystals")

    pure = [_unary(size, "fcc", name) for name in names]
    everything = {model: [*pure, *(entries[model] for _, entries in pool)] for model in MODELS}
    best: dict[tuple[str, tuple[float, ...]], Mixture] = {}
    candidates = []
    for candidate, entries in pool:
        competitor = {}
        for model in MODELS:
            entry = entries[model]
            composition = model, tuple(entry.content / entry.content.sum())
            if composition not in best:
                best[composition] = _mixture(everything[model], entry.content)
            competitor[model] = best[composition]
            if any(
                (phase, roles) == (entry.phase, entry.roles) for phase, roles, _ in best[composition].parts
            ):
                competitor[model] = _mixture([e for e in everything[model] if e is not entry], entry.content)
        candidates.append(replace(candidate, competitor=competitor))
    candidates.sort(key=lambda candidate: -round(candidate.eta["OTM"], 9))
    mixture = {}
    if counts is not None:
        numbers = np.array([counts[name] for name in names], float)
        mixture = {model: _mixture(everything[model], numbers) for model in MODELS}
    favoured = {name: opm.favoured(nc.softness, nc.xi) for name, nc in nanocrystals.items()}
    return Selection(
        diameters=size,
        candidates=tuple(candidates),
        separated=favoured,
        mixture=mixture,
        disagreements=_disagreements(candidates, favoured, mixture),
    )
