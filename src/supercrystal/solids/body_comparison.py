"""Crystals of spheres and cuboids beside each other: enthalpy at T = 0, the lowest set of phases, survival at kT.

Each candidate is relaxed as it is called and, a little disturbed, without its symmetry (`body_relaxation`); the lowest set
at the study's composition is sought among all of them, pure phases included (`competitors`); and a supercell is simulated
at kT (`body_dynamics`). There is no free energy of bodies here: at T = 0 and under pressure the ranking is that of packing,
and what entropy of turning and moving makes of it at kT is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.solids import body_dynamics, competitors
from supercrystal.solids.bodies import BodyCrystal, Matter
from supercrystal.solids.body_candidates import (
    BodyCandidate,
    axes,
    candidates,
    constants,
    place,
    rectangular,
    sizes,
    volume_of,
)
from supercrystal.solids.body_dynamics import BodyOutcome
from supercrystal.solids.body_relaxation import Relaxation, relax
from supercrystal.solids.competitors import Candidate
from supercrystal.solids.relaxation import cell_constants

LIMITS = (
    "Lowest of the candidates that were tried, by enthalpy at T = 0; there is no free energy of bodies here, and no fluid.",
    "Hard shapes are held by entropy at kT: a lattice that gives way at T = 0 may survive, and the order may change.",
    "Spheres stand on A and cuboids on B and O, in the orientations that packing models know; others were not tried.",
    "Beads are rounder than the capped cuboid, and rough: crystals of beads may shear or turn to fit beads into hollows.",
    "Survival is that of a perfect crystal in the time that was simulated; it does not rank phases.",
)


@dataclass(frozen=True)
class BodySettings:
    """How candidates are examined.

    Args:
        pressure: P [kT/nm³].
        dynamics: whether to simulate.
        time: under pressure [τ_B].
        particles: of a supercell, at least.
        seed: of disturbance, velocities and bath.
    """

    pressure: float
    dynamics: bool = True
    time: float = 20.0
    particles: int = 64
    seed: int = 1


@dataclass(frozen=True)
class BodyEntry:
    """One candidate and what was found about it.

    Args:
        candidate: what it is.
        expected: lattice constants of rigid shapes [nm]; None where they are not known.
        relaxation: at T = 0; None if it has no minimum.
        cell: rectangular cell of it as it is called.
        outcome: of the simulation.
        why: why something is missing, and what to mind.
    """

    candidate: BodyCandidate
    expected: Mapping[str, float] | None = None
    relaxation: Relaxation | None = None
    cell: BodyCrystal | None = None
    outcome: BodyOutcome | None = None
    why: tuple[str, ...] = ()

    @property
    def enthalpy(self) -> float | None:
        """At T = 0, of the lattice as it is called [kT per particle]."""
        return None if self.relaxation is None else self.relaxation.best.enthalpy

    @property
    def fallen(self) -> float | None:
        """The lowest that was reached from it at T = 0, whatever that is [kT per particle]."""
        if self.relaxation is None:
            return None
        free = self.relaxation.free
        reached = [] if free is None or not free.converged else [free.enthalpy]
        return min([self.relaxation.best.enthalpy, *reached])


def examine(
    candidate: BodyCandidate, model: Model, settings: BodySettings, choice: base.Choice | None
) -> BodyEntry:
    """Relax and simulate one candidate.

    Args:
        candidate: what it is.
        model: of the cubes tier.
        settings: how.
        choice: engine; None without simulations.
    """
    matter, why = Matter.of(model), []
    try:
        expected = constants(candidate, sizes(model))
        start = place(candidate, model)
        found = relax(start, matter, settings.pressure, axes(candidate), seed=settings.seed)
        cell = rectangular(candidate, model, found.lattice.made)
    except PhysicsError as error:
        return BodyEntry(candidate, why=(str(error),))
    assert found.free is not None  # it was looked for
    assert found.change is not None
    if not found.free.converged:
        why.append(
            f"relaxation without symmetry did not converge: {found.free.residual:.1e} of its scale is left"
        )
    elif not found.kept:
        lower = found.lattice.enthalpy - found.free.enthalpy
        why.append(
            f"no minimum at T = 0: disturbed, it falls by {lower:.3g} kT per particle, {', '.join(found.change.words)}; "
            "the enthalpy given is that of the lattice as it is called"
        )
    elif found.change.words:
        why.append(f"at T = 0 free to move without a change of enthalpy: {', '.join(found.change.words)}")
    outcome = None
    if choice is not None and settings.dynamics:
        outcome = body_dynamics.survival(
            candidate.phase,
            cell,
            model,
            settings.pressure,
            choice,
            time=settings.time,
            particles=settings.particles,
            seed=settings.seed,
        )
    return BodyEntry(candidate, expected, found, cell, outcome, tuple(why))


@dataclass(frozen=True)
class BodyComparison:
    """All candidates beside each other.

    Args:
        entries: in the order in which they were asked for.
        settings: how they were examined.
        model: of the cubes tier.
        composition: of the study, particle type → share.
    """

    entries: tuple[BodyEntry, ...]
    settings: BodySettings
    model: Model
    composition: Mapping[str, float] = field(default_factory=dict)

    def ranked(self, fallen: bool = False) -> list[Candidate]:
        """Those with an enthalpy: as they are called, or of what they fall to when they are disturbed."""
        return [
            Candidate(e.candidate.name, e.candidate.composition, e.fallen if fallen else e.enthalpy)
            for e in self.entries
            if e.enthalpy is not None and e.fallen is not None
        ]

    def lowest(self, fallen: bool = False) -> dict[str, Any] | None:
        """The lowest set of phases at the study's composition; None if no set has it."""
        try:
            best = competitors.lowest(self.ranked(fallen), self.composition)
        except PhysicsError:
            return None
        return {"phases": dict(best.shares), "value_kT": best.gibbs}

    def above(self, name: str, fallen: bool = False) -> float | None:
        """Height of a candidate over the lowest set of all at its composition [kT per particle]."""
        ranked = self.ranked(fallen)
        one = next((c for c in ranked if c.name == name), None)
        if one is None:
            return None
        return max(0.0, one.gibbs - competitors.lowest(ranked, one.composition).gibbs)

    def verdict(self) -> str:
        """In words, and never more than what was compared."""
        found, fallen = self.lowest(), self.lowest(fallen=True)
        if found is None or fallen is None:
            return "no set of the candidates tried has the composition of the study"
        words = " + ".join(found["phases"])
        rest = [e.candidate.name for e in self.entries if e.candidate.name not in found["phases"]]
        against = f" (tried against: {', '.join(rest)})" if rest else ""
        after = " + ".join(fallen["phases"])
        after = "the same" if after == words else after
        return (
            f"lowest of the candidates tried, by enthalpy at T = 0: {words}{against}; of what they fall to when disturbed: "
            f"{after}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON; energies in kT per particle, lengths in nm, pressures in kT/nm³."""
        return {
            "verdict": self.verdict(),
            "lowest_by_enthalpy": self.lowest(),
            "lowest_when_disturbed": self.lowest(fallen=True),
            "candidates": [
                {
                    **_record(e, self.model),
                    "enthalpy_above_kT": self.above(e.candidate.name),
                    "enthalpy_above_when_disturbed_kT": self.above(e.candidate.name, fallen=True),
                }
                for e in self.entries
            ],
            "composition": dict(self.composition),
            "diameters_nm": dict(zip(self.model.types, self.model.diameters, strict=True)),
            "sizes_nm": sizes(self.model),
            "mapping": [
                {"pair": list(p.pair), "name": p.name, "value": p.value, "unit": p.unit, "source": p.source}
                for p in self.model.mapping
            ],
            "settings": dict(vars(self.settings)),
            "limits": list(LIMITS),
        }


def packing_fractions(made: BodyCrystal, model: Model) -> tuple[float, float]:
    """Volume of capped nanocrystals, and of spheres with sharp cuboids of the same edges, over that of the cell.

    The second is what the packing models count; sharp edges of beads' crystals overlap, and it can exceed 1.
    """
    capped, sharp = volume_of(model), dict(volume_of(model))
    for name, shape in model.shapes.items():
        edges = np.ptp(shape.vertices, axis=0) + 2 * shape.rounding
        cut = float(shape.parameters.get("truncation", 0.0))  # type: ignore[arg-type]
        sharp[name] = float(np.prod(edges)) - 4 / 3 * cut**3
    types = made.crystal.types
    return (
        sum(capped[name] for name in types) / made.volume,
        sum(sharp[name] for name in types) / made.volume,
    )


def _record(e: BodyEntry, model: Model) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": e.candidate.name,
        "phase": e.candidate.phase,
        "orientation": e.candidate.orientation,
        "types": dict(e.candidate.types),
        "composition": e.candidate.composition,
        "added": e.candidate.added,
        "rigid_constants_nm": None if e.expected is None else dict(e.expected),
        "static": None,
        "free_of_symmetry": None,
        "stability": None,
        "free_energy": None,
        "gibbs_above_kT": None,
        "dynamics": None if e.outcome is None else body_dynamics.record(e.outcome),
        "why": list(e.why),
    }
    if e.relaxation is None or e.cell is None:
        return row
    best, free, change = e.relaxation.best, e.relaxation.free, e.relaxation.change
    lengths, angles = cell_constants(e.cell.crystal.cell)
    capped, sharp = packing_fractions(e.relaxation.lattice.made, model)
    row["static"] = {
        "enthalpy_kT": best.enthalpy,
        "energy_kT": best.energy / best.made.n,
        "enthalpy_as_named_kT": e.relaxation.lattice.enthalpy,
        "density_per_nm3": e.relaxation.lattice.made.crystal.density,
        "packing_fraction": capped,
        "packing_fraction_sharp": sharp,
        "lengths_nm": lengths.tolist(),
        "angles_degrees": angles.tolist(),
        "residual": e.relaxation.lattice.residual,
    }
    if free is not None and change is not None:
        lengths, angles = cell_constants(free.made.crystal.cell)
        row["free_of_symmetry"] = {
            "enthalpy_kT": free.enthalpy,
            "converged": free.converged,
            "is_minimum": e.relaxation.kept,
            "primitive_lengths_nm": lengths.tolist(),
            "primitive_angles_degrees": angles.tolist(),
            "angle_change_degrees": change.angles,
            "edge_difference": change.edges,
            "site_shift": change.shifted,
            "turned_degrees": dict(change.turned),
        }
        row["stability"] = {"stable": e.relaxation.kept, "reason": "; ".join(change.words)}
    return row


def compare(
    names: Sequence[str],
    model: Model,
    counts: Mapping[str, int],
    settings: BodySettings,
    choice: base.Choice | None,
    progress: Callable[[str], None] = lambda message: None,
) -> BodyComparison:
    """Examine all candidates.

    Args:
        names: phases, with or without orientations.
        model: of the cubes tier.
        counts: how many of each type the study has.
        settings: how.
        choice: engine; None without simulations.
        progress: is told what is being done.

    Raises:
        UnknownNameError: a phase that the catalogue does not have.
        PhysicsError: a phase or orientation not known for cubes, or a pressure that is no number.
        EngineError, SimulationError: as the engine says.
    """
    if not np.isfinite(settings.pressure):
        raise PhysicsError(f"the pressure must be finite; got {settings.pressure} kT/nm³")
    todo = candidates(names, model)
    found = []
    for number, one in enumerate(todo, 1):
        progress(f"{number}/{len(todo)} {one.name}")
        found.append(examine(one, model, settings, choice))
    total = sum(counts.values())
    composition = {name: n / total for name, n in counts.items()}
    return BodyComparison(tuple(found), settings, model, composition)
