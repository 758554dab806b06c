"""One candidate crystal: which ones there are, and all that is found out about each.

A candidate is built at the size ratio of the OPM diameters and all of its cell relaxed at T = 0; modes without restoring
force are looked for; the harmonic Gibbs energy is that at kT = 1; simulations tell, under pressure, what becomes of it and,
at a fixed cell, the anharmonic part.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supercrystal import lattices
from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.solids import dynamics, free_energy
from supercrystal.solids.crystal import Crystal, keeps_lattice, place
from supercrystal.solids.dynamics import Outcome, Substance
from supercrystal.solids.free_energy import Anharmonic, Quasiharmonic
from supercrystal.solids.lattice_energy import static
from supercrystal.solids.phonons import Stability, force_constants, stability
from supercrystal.solids.relaxation import Relaxed, relax

#: Phases of which one stands for each pure species: the first is added if the list of candidates has none.
PURE = ("fcc", "hcp")


@dataclass(frozen=True)
class Settings:
    """How candidates are examined.

    Args:
        pressure: P [kT/nm³].
        dynamics: whether to simulate.
        time: under pressure [τ].
        energy_steps: steps at each temperature at fixed cell.
        particles: of a supercell, at least.
        seed: of velocities and bath.
    """

    pressure: float
    dynamics: bool = True
    time: float = 50.0
    energy_steps: int = 40_000
    particles: int = 500
    seed: int = 1


@dataclass(frozen=True)
class Entry:
    """One candidate and everything found about it.

    Args:
        name: phase and, in a mixture, the types on its sites.
        phase: name in the catalogue.
        types: species of the prototype → particle type.
        added: whether it was added because a pure species had no candidate.
        relaxed: at T = 0; None if it has no minimum.
        stability: of it.
        harmonic: at kT = 1; None if it has no free energy.
        outcome: of the simulation under pressure.
        anharmonic: correction; None if it was not or cannot be measured.
        why: why something is missing.
    """

    name: str
    phase: str
    types: Mapping[str, str]
    added: bool = False
    relaxed: Relaxed | None = None
    stability: Stability | None = None
    harmonic: Quasiharmonic | None = None
    outcome: Outcome | None = None
    anharmonic: Anharmonic | None = None
    why: tuple[str, ...] = ()

    @property
    def composition(self) -> dict[str, float]:
        """Share of each particle type."""
        return lattices.composition(self.phase, self.types)

    @property
    def gibbs(self) -> float | None:
        """Gibbs energy per particle at kT = 1, anharmonic part included where it is known [kT]."""
        if self.harmonic is None:
            return None
        return self.harmonic.gibbs + (self.anharmonic.free_energy if self.anharmonic else 0.0)

    @property
    def gibbs_error(self) -> float | None:
        """Its error: k mesh, statistics, and the last known anharmonic order, in quadrature [kT]."""
        if self.harmonic is None:
            return None
        parts = [self.harmonic.vibrations.error]
        if self.anharmonic:
            parts += [self.anharmonic.error, self.anharmonic.systematic]
        return math.hypot(*parts)


def assignments(phase: str, types: Sequence[str], diameters: Mapping[str, float]) -> list[dict[str, str]]:
    """Ways to put particle types on the species of a phase: A the largest, all others as they come.

    Args:
        phase: a name of the catalogue.
        types: those that there are.
        diameters: of each [nm].

    Raises:
        PhysicsError: the phase needs more types than there are.

    >>> assignments("NaCl", ["s", "l"], {"s": 4.0, "l": 9.0})
    [{'A': 'l', 'B': 's'}]
    >>> assignments("ABO3", ["s", "l"], {"s": 4.0, "l": 9.0})
    [{'A': 'l', 'B': 's', 'O': 's'}]
    """
    species = list(lattices.prototype(phase).species_counts)
    if len(species) == 1:
        return [{species[0]: name} for name in types]
    if len(types) < 2:
        raise PhysicsError(
            f"{phase} is made of {len(species)} species and the study has one: give phases of one species, "
            f"{', '.join(n for n in lattices.names() if lattices.prototype(n).one_component)}"
        )
    found = []
    order = sorted(types, key=lambda name: -diameters[name])
    for chosen in itertools.combinations(order, min(len(species), len(types))):
        large, *small = chosen
        for others in (
            itertools.permutations(small) if len(small) == len(species) - 1 else [small * (len(species) - 1)]
        ):
            found.append(dict(zip(species, (large, *others), strict=True)))
    return found


def entries(phases: Sequence[str], types: Sequence[str], diameters: Mapping[str, float]) -> list[Entry]:
    """List the candidates: each phase on each choice of types, and a close-packed one of each type if there is none.

    Raises:
        UnknownNameError: a phase that the catalogue does not have.
        PhysicsError: a phase of more species than the study has.
    """
    found = []
    for phase in dict.fromkeys(lattices.prototype(name).name for name in phases):
        for chosen in assignments(phase, types, diameters):
            label = phase if len(types) == 1 else f"{phase} ({', '.join(dict.fromkeys(chosen.values()))})"
            if len(chosen) > 2 and len(types) > 2:
                label = f"{phase} ({', '.join(chosen.values())})"
            found.append(Entry(label, phase, chosen))
    for name in types:
        if not any(entry.phase in PURE and entry.types["A"] == name for entry in found):
            label = PURE[0] if len(types) == 1 else f"{PURE[0]} ({name})"
            found.append(Entry(label, PURE[0], {"A": name}, added=True))
    return found


def opm_pressure(diameter: float, name: str, substance: Substance) -> float:
    """Static pressure of fcc whose nearest neighbours are at the diameter, not below 0 [kT/nm³]."""
    crystal = place("fcc", {name: diameter}, {"A": name})
    return max(0.0, static(crystal, substance.pairs).pressure)


def examine(entry: Entry, substance: Substance, settings: Settings, choice: base.Choice | None) -> Entry:
    """Relax, check, and simulate one candidate.

    Args:
        entry: what it is.
        substance: particle types.
        settings: how.
        choice: engine; None without simulations.
    """
    found: dict[str, Any] = {}
    why: list[str] = []

    def done() -> Entry:
        plain = {name: getattr(entry, name) for name in ("name", "phase", "types", "added")}
        return Entry(**plain, **found, why=tuple(why))

    pairs, pressure = substance.pairs, settings.pressure
    try:
        start = place(entry.phase, dict(substance.diameters), entry.types)
        relaxed = found["relaxed"] = relax(start, pairs, pressure)
        if not relaxed.converged:
            why.append("relaxation did not converge: no more is said of it")
            return done()
        check = found["stability"] = stability(force_constants(relaxed.crystal, pairs), pressure)
    except PhysicsError as error:
        why.append(str(error))
        return done()
    crystal: Crystal = relaxed.crystal
    if not keeps_lattice(entry.phase, relaxed.crystal):
        why.append(
            f"relaxes away from its lattice: what is tabulated is no {entry.phase} any more, and gets no free energy"
        )
    elif check.stable:
        try:
            found["harmonic"] = free_energy.quasiharmonic(relaxed.crystal, pairs, pressure)
            crystal = found["harmonic"].crystal
        except PhysicsError as error:
            why.append(str(error))
    else:
        why.append(f"not mechanically stable, therefore without free energy: {check.reason}")
    if not settings.dynamics or choice is None:
        return done()
    found["outcome"] = dynamics.under_pressure(
        entry.phase,
        crystal,
        substance,
        pressure,
        choice,
        stiffest=check.largest,
        time=settings.time,
        particles=settings.particles,
        seed=settings.seed,
    )
    if "harmonic" in found:
        warm = [
            dynamics.at_fixed_cell(
                entry.phase,
                crystal,
                substance,
                temperature,
                choice,
                stiffest=check.largest,
                steps=settings.energy_steps,
                particles=settings.particles,
                seed=settings.seed,
            )
            for temperature in (0.5, 1.0)
        ]
        if all(run.kept for run in warm):
            rest = found["harmonic"].relaxed.energy_per_particle
            found["anharmonic"] = free_energy.anharmonic(warm[0].energy, warm[1].energy, rest, warm[0].n)
        else:
            became = next(run.became for run in warm if not run.kept)
            del found["harmonic"]
            why.append(
                f"did not stay what it was at fixed cell (at the end: {became}): small vibrations do not describe it, "
                "therefore without free energy"
            )
    if "harmonic" in found and not found["outcome"].survived:
        why.append(
            "its free energy is that of a state which it leaves at kT under pressure within the time of the simulation"
        )
    return done()
