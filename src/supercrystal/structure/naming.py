"""The phase of every particle and every grain of one configuration, of one to three species.

1. Every particle is labelled by its order parameters (`descriptors`, `labels`). In a mixture one species is the host,
   the A of the catalogue, and the others together are its guests.
2. Connected clusters of a label become grains where a lattice is confirmed (`grains`), and are disordered where it is
   refused.
3. Particles that no compound explains are looked at species by species: a one-component crystal where the others keep
   out, a crystalline sublattice where the others are disordered in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.clusters import Particles, clusters
from supercrystal.structure.descriptors import Description, describe
from supercrystal.structure.grains import (
    GATE,
    Gate,
    Grain,
    candidates_for,
    extract,
    species_of,
)
from supercrystal.structure.labels import DISORDERED, agreed, log_probability, phases
from supercrystal.structure.sample import NEIGHBOURS, Sample, opened, sample
from supercrystal.structure.trajectory import Configuration

#: A species with fewer particles, periodic copies included, is no sublattice and is not described.
FEW = 13
#: Largest number of species: a host and two guests.
MOST_SPECIES = 3
#: A lattice on whose sites at least this share of another grain of its phase lies is the same: by chance it is a few per
#: cent, and half of them where planes run on through a tilt boundary.
SAME = 0.75
#: Diameters that differ by less than this do not tell hosts from guests.
SAME_SIZE = 0.02


@dataclass(frozen=True)
class Named:
    """What a configuration is.

    Args:
        configuration: the particles.
        labels: (N,) phase of each particle, an index of `labels.phases`.
        grain: (N,) index into `grains` of each particle, -1 for none.
        site: (N,) site label of each particle of a grain, ``""`` for others.
        grains: confirmed ones, largest first; sublattices come last.
        hosts: species taken as the host; empty for one species.
        refused: (particles, reason) of clusters of labels that are no grain.
        notes: what to know before trusting it.
    """

    configuration: Configuration
    labels: NDArray[np.intp]
    grain: NDArray[np.intp]
    site: NDArray[np.str_]
    grains: tuple[Grain, ...]
    host: str
    refused: tuple[tuple[int, str], ...]
    notes: tuple[str, ...]

    @property
    def crystals(self) -> tuple[Grain, ...]:
        """Grains that are crystals of all particles in them."""
        return tuple(grain for grain in self.grains if not grain.sublattice)

    @property
    def phase(self) -> str:
        """Phase of the largest grain, or ``"disordered"``."""
        return self.crystals[0].phase if self.crystals else DISORDERED

    @property
    def verdict(self) -> str:
        """The phase in words, with the sublattice if that is all there is."""
        if self.crystals:
            return self.phase
        if self.grains:
            return f"{self.grains[0].species} sublattice {self.grains[0].phase}, others disordered"
        return DISORDERED

    def fractions(self) -> dict[str, float]:
        """Share of the particles of each phase that occurs, disordered first."""
        counts = np.bincount(self.labels, minlength=len(phases()))
        return {
            name: float(n / len(self.labels))
            for k, (name, n) in enumerate(zip(phases(), counts, strict=True))
            if n or k == 0
        }


@dataclass(frozen=True)
class _Role:
    """Particles of one role: which, what they look like, and their labels within a mixture (0 for one species)."""

    chosen: NDArray[np.bool_]
    described: Description
    labels: NDArray[np.intp]
    log_probability: NDArray[np.float32]


def name(
    configuration: Configuration,
    *,
    host: str | None = None,
    periodic: Sequence[bool] = (True, True, True),
    gate: Gate = GATE,
) -> Named:
    """Name the phase of every particle and every grain.

    Args:
        configuration: one to three species.
        host: the species that is A in the catalogue. None takes the one called A, else the one with the largest
            diameter, else the one for which more particles are labelled.
        periodic: which box vectors repeat; empty space is added along the others.
        gate: what a grain must satisfy.

    Raises:
        TrajectoryError: a flat box, too few particles, coinciding or non-finite positions, more than three species, or
            a host that is no species.
    """
    names = configuration.species
    if len(names) > MOST_SPECIES:
        raise TrajectoryError(
            f"{len(names)} species ({', '.join(names)}): phases are told for up to {MOST_SPECIES}. Map species to one "
            "name, or leave some out with '-': --species NAME=SPECIES,NAME=-"
        )
    if host is not None and host not in names:
        raise TrajectoryError(f"the host '{host}' is no species; there are {', '.join(names)}")
    box, x = configuration.box, configuration.positions
    if not all(periodic):
        box, x = opened(box, x, periodic, _space(configuration))
    found = sample(box, x, configuration.kinds)
    copies = len(found.positions) // found.n
    counts = np.bincount(configuration.kinds, minlength=len(names)) * copies
    many = [k for k in range(len(names)) if counts[k] >= FEW]
    notes = [
        f"{counts[k] // copies} particles of {names[k]} are too few to be a sublattice: they count as foreign"
        for k in range(len(names))
        if 0 < counts[k] < FEW and len(names) > 1
    ]
    state = _State(found, configuration, copies, gate)
    if len(many) <= 1:
        chosen = configuration.kinds == many[0] if many else np.ones(found.n, bool)
        if chosen.sum() * copies <= NEIGHBOURS:
            raise TrajectoryError(
                f"labels need more than {NEIGHBOURS} particles of a species; got {', '.join(map(str, counts // copies))}"
            )
        role = _Role(
            chosen, describe(found, chosen, None, "one"), np.zeros(0, np.intp), np.zeros((0, 0), np.float32)
        )
        state.alone(role)
        return state.named("", notes)

    options = _hosts(configuration, many, host)
    described = _mixtures(found, configuration.kinds, options, many)
    best = int(np.argmax([sum(int(np.sum(role.labels > 0)) for role in roles) for roles in described]))
    state.compounds(*described[best])
    for role in described[best]:
        state.alone(role)
    return state.named(names[options[best]], notes)


def _space(configuration: Configuration) -> float:
    """Empty space that puts periodic images out of reach: eight spacings."""
    extent = np.maximum(np.ptp(configuration.positions, axis=0), 1e-9)
    spacing = float(np.prod(extent) / configuration.n) ** (1 / 3)
    return 8 * max(spacing, 1e-3 * float(extent.max()))


def _hosts(configuration: Configuration, many: list[int], host: str | None) -> list[int]:
    """Species that may be the host."""
    if host is not None:
        return [configuration.species.index(host)]
    named = [k for k in many if configuration.species[k] == "A"]
    if named:
        return named
    if configuration.diameters is not None:
        sizes = np.array([np.mean(configuration.diameters[configuration.kinds == k]) for k in many])
        largest = np.flatnonzero(sizes >= sizes.max() * (1 - SAME_SIZE))
        if len(largest) == 1:
            return [many[int(largest[0])]]
    return many


def _mixtures(
    found: Sample, kinds: NDArray[np.intp], options: list[int], many: list[int]
) -> list[tuple[_Role, _Role]]:
    """Hosts and guests for each species that may be the host."""
    if len(options) == len(many) == 2:
        # Each species is described once, as a host, which serves for both roles.
        masks = [kinds == k for k in many]
        both = [describe(found, masks[i], masks[1 - i], "host") for i in (0, 1)]
        return [_roles(masks[i], both[i], masks[1 - i], both[1 - i]) for i in (0, 1)]
    result = []
    for host in options:
        hosts, guests = kinds == host, np.isin(kinds, [k for k in many if k != host])
        first, second = describe(found, hosts, guests, "host"), describe(found, guests, hosts, "guest")
        result.append(_roles(hosts, first, guests, second))
    return result


def _roles(
    hosts: NDArray[np.bool_], first: Description, guests: NDArray[np.bool_], second: Description
) -> tuple[_Role, _Role]:
    log_first = log_probability("host", first.values("host"))
    log_second = log_probability("guest", second.values("guest"))
    labels = agreed(log_first.argmax(axis=1), first)
    return (
        _Role(hosts, first, labels, log_first),
        _Role(guests, second, agreed(log_second.argmax(axis=1), second, labels), log_second),
    )


class _State:
    """Labels and grains while they are found."""

    def __init__(self, found: Sample, configuration: Configuration, copies: int, gate: Gate) -> None:
        self.found, self.configuration, self.copies, self.gate = found, configuration, copies, gate
        self.kinds = np.tile(configuration.kinds, copies)
        size = len(found.positions)
        self.labels = np.zeros(size, np.intp)
        self.grain = np.full(size, -1, np.intp)
        self.site = np.full(size, "", "U8")
        self.depth = np.zeros(size, np.float32)
        self.grains: list[Grain] = []
        self.refused: list[tuple[int, str]] = []

    def _spread(self, chosen: NDArray[np.bool_], values: NDArray[Any], empty: Any = 0) -> NDArray[Any]:
        """Values of the chosen particles on all particles and their copies."""
        whole = np.full((self.found.n, *values.shape[1:]), empty, values.dtype)
        whole[chosen] = values
        return np.tile(whole, (self.copies, *[1] * (values.ndim - 1)))

    def compounds(self, hosts: _Role, guests: _Role) -> None:
        """Find grains of compounds."""
        label = self._spread(hosts.chosen, hosts.labels) + self._spread(guests.chosen, guests.labels)
        role = np.tile(hosts.chosen, self.copies)
        particles = Particles(
            self.found.box, self.found.positions, role, self.kinds, self.configuration.species, label
        )
        self._search(particles, self._spread(hosts.chosen, hosts.log_probability, -np.inf), 2, (True,))

    def alone(self, role: _Role) -> None:
        """Find crystals of one role among what is in no grain: with all particles, then with the others left out."""
        described = role.described
        log = log_probability("one", described.values("one"))
        label = self._spread(role.chosen, agreed(log.argmax(axis=1), described))
        mask = np.tile(role.chosen, self.copies)
        label = np.where(self.grain >= 0, 0, label)
        particles = Particles(
            self.found.box, self.found.positions, mask, self.kinds, self.configuration.species, label
        )
        mixed = not bool(mask.all())
        self._search(
            particles, self._spread(role.chosen, log, -np.inf), 1, (True, False) if mixed else (True,)
        )

    def _search(
        self, particles: Particles, log: NDArray[np.float32], species: int, modes: Sequence[bool]
    ) -> None:
        names = phases()
        allowed = [phase for phase in names[1:] if species_of(phase) == species]
        queue = []
        for k in np.unique(particles.label[particles.host]):
            if k > 0:
                chosen = particles.host & (particles.label == k)
                queue += [(int(k), *cluster) for cluster in clusters(particles, chosen, self.gate.hosts)]
        while queue:
            # The largest first: what is left over of a grain is then seen as its own.
            queue.sort(key=lambda entry: len(entry[1]))
            k, index, u = queue.pop()
            free = self.grain[index] < 0
            if free.sum() < self.gate.hosts:
                continue
            index, u = index[free], u[free]
            tried = candidates_for(names[k], log[index[:: max(1, len(index) // 2000)]], names, allowed)
            reasons = []
            for everything in modes:
                grain, reason = extract(particles, index, u, tried, all_=everything, gate=self.gate)
                reasons.append(reason)
                if grain is not None:
                    break
            if grain is None:
                self._refuse(particles, k, index, reasons[0])
                continue
            taken = self._accept(grain)
            left = ~np.isin(index, grain.members)
            if taken and left.sum() >= self.gate.hosts:
                rest = np.zeros(len(particles.x), bool)
                rest[index[left]] = True
                queue += [(k, *cluster) for cluster in clusters(particles, rest, self.gate.hosts)]

    def _accept(self, grain: Grain) -> int:
        # At a boundary both lattices have particles on sites: each goes where it is deeper inside.
        free = (self.grain[grain.members] < 0) | (grain.depth > self.depth[grain.members])
        owner = self._same_lattice(grain)
        if owner is not None:
            # The same lattice as before, found again where something came between.
            free &= self.grain[grain.members] < 0
        members = grain.members[free]
        if owner is None and 2 * len(members) < grain.n:
            return 0
        if not grain.sublattice:
            self.labels[members] = phases().index(grain.phase)
        self.grain[members] = len(self.grains) if owner is None else owner
        self.depth[members] = grain.depth[free]
        self.site[members] = np.array(grain.lattice.template.labels)[grain.site[free]]
        if owner is None:
            self.grains.append(grain)
        return len(members)

    def _same_lattice(self, grain: Grain) -> int | None:
        """The grain whose lattice runs on through this one, if there is one: most particles are on its sites too."""
        edges = np.array([self.found.box.get_box_vector(k) for k in range(3)], float)
        for place, other in enumerate(self.grains):
            if (other.phase, other.sublattice) != (grain.phase, grain.sublattice):
                continue
            # Both were put together on their own, so they may be a few boxes apart.
            gaps = (other.placed.mean(axis=0) - grain.placed.mean(axis=0)) @ np.linalg.inv(edges)
            found = other.lattice.assign(grain.placed + np.rint(gaps) @ edges)
            right = other.lattice.template.host[found.site] == grain.lattice.template.host[grain.site]
            if np.mean(right & (found.distance <= other.lattice.tolerance * other.lattice.shortest)) >= SAME:
                return place
        return None

    def _refuse(self, particles: Particles, k: int, index: NDArray[np.intp], reason: str) -> None:
        if reason:
            self.refused.append((len(index), reason))
        else:
            # Too small to be judged: the labels stand.
            self.labels[index] = k

    def named(self, host: str, notes: list[str]) -> Named:
        """Put the result together."""
        for place, grain in enumerate(self.grains):
            shared = grain.shared[(self.grain[grain.shared] < 0) & (self.labels[grain.shared] == 0)]
            if not grain.sublattice:
                self.labels[shared] = phases().index(grain.phase)
            self.grain[shared] = place
        n = self.found.n
        first = self.grain[:n].copy()
        sizes = np.bincount(first[first >= 0], minlength=len(self.grains))
        order = sorted(
            (g for g in range(len(self.grains)) if sizes[g]),
            key=lambda g: (self.grains[g].sublattice, -sizes[g]),
        )
        renamed = np.full(len(self.grains) + 1, -1)
        renamed[order] = np.arange(len(order))
        final = tuple(replace(self.grains[g], members=np.flatnonzero(first == g)) for g in order)
        return Named(
            self.configuration,
            self.labels[:n].copy(),
            renamed[first],
            self.site[:n].copy(),
            final,
            host,
            tuple(sorted(self.refused, reverse=True)),
            tuple(notes),
        )
