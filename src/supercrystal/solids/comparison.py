"""A fair comparison of crystals: the same particles, pressure and temperature for every candidate.

For each candidate: build it at the size ratio of the OPM diameters, relax all of its cell at T = 0, look for modes without
restoring force, take the harmonic Gibbs energy at kT = 1, and simulate it: under pressure for what becomes of it, at a
fixed cell for the anharmonic part. The result is the lowest *of the candidates that were tried*, phases next to each other
among them; what was not tried may be lower, and no fluid is among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.solids import competitors, dynamics
from supercrystal.solids.candidates import Entry, Settings, entries, examine
from supercrystal.solids.competitors import Candidate
from supercrystal.solids.dynamics import Substance
from supercrystal.solids.relaxation import cell_constants, packing_fraction

LIMITS = (
    "Lowest of the candidates that were tried: a phase that is not in the list may be lower, and the fluid is not in it.",
    "Relaxation keeps the primitive cell: superstructures show up as imaginary modes, and are then not followed.",
    "No vacancies, no dispersity of sizes, no ligands beyond the pair potential of this tier.",
)


@dataclass(frozen=True)
class Comparison:
    """All candidates beside each other.

    Args:
        entries: in the order in which they were asked for.
        settings: how they were examined.
        diameters: particle type → diameter of the shells [nm].
        composition: of the study, particle type → share.
    """

    entries: tuple[Entry, ...]
    settings: Settings
    diameters: Mapping[str, float]
    composition: Mapping[str, float] = field(default_factory=dict)

    def candidates(self, by: str) -> list[Candidate]:
        """Those with an enthalpy at T = 0 (``"enthalpy"``) or a Gibbs energy at kT = 1 (``"gibbs"``)."""
        found = []
        for e in self.entries:
            if by == "gibbs" and e.gibbs is not None and e.gibbs_error is not None:
                found.append(Candidate(e.name, e.composition, e.gibbs, e.gibbs_error))
            elif by == "enthalpy" and e.relaxed is not None and e.relaxed.converged:
                found.append(Candidate(e.name, e.composition, e.relaxed.enthalpy_per_particle))
        return found

    def lowest(self, by: str) -> dict[str, Any] | None:
        """The lowest set of phases at the study's composition, and what is not distinguishable from it."""
        candidates = self.candidates(by)
        try:
            best = competitors.lowest(candidates, self.composition)
        except PhysicsError:
            return None
        rivals = []
        for name in best.shares:
            # The best that can be done without this phase.
            try:
                other = competitors.lowest([c for c in candidates if c.name != name], self.composition)
            except PhysicsError:
                continue
            error = math.hypot(best.error, other.error)
            rivals.append(
                {
                    "phases": dict(other.shares),
                    "above_kT": other.gibbs - best.gibbs,
                    "error_kT": error,
                    "distinguishable": other.gibbs - best.gibbs > max(competitors.ERRORS * error, 1e-9),
                }
            )
        return {"phases": dict(best.shares), "value_kT": best.gibbs, "error_kT": best.error, "next": rivals}

    def _above(self, name: str, by: str) -> float | None:
        """Height of a candidate over the lowest mixture of all at its composition [kT]; 0 for those on the hull."""
        candidates = self.candidates(by)
        one = next((c for c in candidates if c.name == name), None)
        if one is None:
            return None
        return max(0.0, one.gibbs - competitors.lowest(candidates, one.composition).gibbs)

    def verdict(self) -> str:
        """In words, and never more than what was compared."""
        by, quantity = "gibbs", "Gibbs energy at kT"
        found = self.lowest(by)
        if found is None:
            by, quantity = (
                "enthalpy",
                "enthalpy at T = 0, as no set with free energies has the study's composition",
            )
            found = self.lowest(by)
        elif not any(e.anharmonic for e in self.entries):
            quantity = "harmonic Gibbs energy at kT, its anharmonic error unknown"
        if found is None:
            return "no set of the candidates tried has the composition of the study"
        words = " + ".join(found["phases"])
        equal = [" + ".join(other["phases"]) for other in found["next"] if not other["distinguishable"]]
        tail = f"; not distinguishable from {', '.join(equal)}" if equal else ""
        rest = [e.name for e in self.entries if e.name not in found["phases"]]
        against = f" (tried against: {', '.join(rest)})" if rest else ""
        return f"lowest of the candidates tried, by {quantity}: {words}{tail}{against}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON; energies in kT per particle, lengths in nm, pressures and moduli in kT/nm³."""
        ranks = {
            by: {r.name: r for r in competitors.ranking(self.candidates(by))} for by in ("enthalpy", "gibbs")
        }
        rows = []
        for e in self.entries:
            row = _record(e, self.diameters)
            for by, found in ranks.items():
                rank = found.get(e.name)
                row[f"{by}_rank"] = None if rank is None else {**asdict(rank), "verdict": rank.verdict}
                row[f"{by}_above_kT"] = self._above(e.name, by)
            rows.append(row)
        return {
            "verdict": self.verdict(),
            "lowest_by_enthalpy": self.lowest("enthalpy"),
            "lowest_by_gibbs": self.lowest("gibbs"),
            "candidates": rows,
            "composition": dict(self.composition),
            "diameters_nm": dict(self.diameters),
            "settings": asdict(self.settings),
            "limits": list(LIMITS),
        }


def _record(e: Entry, diameters: Mapping[str, float]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": e.name,
        "phase": e.phase,
        "types": dict(e.types),
        "composition": e.composition,
        "added": e.added,
        "static": None,
        "stability": None,
        "free_energy": None,
        "dynamics": None if e.outcome is None else asdict(e.outcome),
        "why": list(e.why),
    }
    if e.relaxed is not None:
        cell = dynamics.conventional(e.phase, e.relaxed.crystal).upright()
        lengths, angles = cell_constants(cell.cell)
        row["static"] = {
            "enthalpy_kT": e.relaxed.enthalpy_per_particle,
            "energy_kT": e.relaxed.energy_per_particle,
            "density_per_nm3": e.relaxed.crystal.density,
            "packing_fraction": packing_fraction(e.relaxed.crystal, dict(diameters)),
            "lengths_nm": lengths.tolist(),
            "angles_degrees": angles.tolist(),
            "converged": e.relaxed.converged,
            "largest_force_kT_per_nm": e.relaxed.largest_force,
            "stress_error_kT_per_nm3": e.relaxed.stress_error,
        }
    if e.stability is not None:
        row["stability"] = {
            "stable": e.stability.stable,
            "reason": e.stability.reason,
            "smallest_over_largest": e.stability.smallest / e.stability.largest,
            "wave_vector": e.stability.wave_vector.tolist(),
            "imaginary_share": e.stability.unstable,
            "k_points": e.stability.points,
            "elastic_constants_kT_per_nm3": e.stability.elastic.matrix.tolist(),
            "elastic_eigenvalues_kT_per_nm3": e.stability.elastic.eigenvalues.tolist(),
            "bulk_modulus_kT_per_nm3": e.stability.elastic.bulk_modulus,
        }
    if e.harmonic is not None:
        row["free_energy"] = {
            "gibbs_kT": e.gibbs,
            "error_kT": e.gibbs_error,
            "harmonic_kT": e.harmonic.gibbs,
            "mesh_error_kT": e.harmonic.vibrations.error,
            "density_per_nm3": e.harmonic.crystal.density,
            "anharmonic": None if e.anharmonic is None else asdict(e.anharmonic),
        }
    return row


def compare(
    phases: Sequence[str],
    substance: Substance,
    counts: Mapping[str, int],
    settings: Settings,
    choice: base.Choice | None,
    progress: Callable[[str], None] = lambda message: None,
) -> Comparison:
    """Examine all candidates.

    Args:
        phases: names of the catalogue.
        substance: particle types.
        counts: how many of each the study has.
        settings: how.
        choice: engine; None without simulations.
        progress: is told what is being done.

    Raises:
        UnknownNameError: a phase that the catalogue does not have.
        PhysicsError: a phase of more species than the study has, or a pressure that is no number.
        EngineError, SimulationError: as the engine says.
    """
    if not np.isfinite(settings.pressure):
        raise PhysicsError(f"the pressure must be finite; got {settings.pressure} kT/nm³")
    todo = entries(phases, list(counts), substance.diameters)
    found = []
    for number, entry in enumerate(todo, 1):
        progress(f"{number}/{len(todo)} {entry.name}")
        found.append(examine(entry, substance, settings, choice))
    total = sum(counts.values())
    return Comparison(
        tuple(found), settings, dict(substance.diameters), {name: n / total for name, n in counts.items()}
    )
