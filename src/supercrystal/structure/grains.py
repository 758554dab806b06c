"""Grains: connected particles of one label, confirmed or refused by laying the lattice over them.

A label says what a particle's surroundings look like; a grain says that one lattice runs through many of them. Of each
connected cluster of a label, the candidate lattices that the labels consider are registered from several seeds, the best
is grown over the whole cluster, and the gate decides (`Gate`). What an accepted lattice does not explain is looked at
again, so a cluster that is several grains becomes several grains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.structure.clusters import LEAST, Cluster, Particles, neighbourhood, seeds, surrounded
from supercrystal.structure.labels import phases
from supercrystal.structure.quality import EDGE, INSIDE, NEARLY_ALL, Quality, judge
from supercrystal.structure.registration import SPREAD, STRAIN, Assignment, Lattice, grow, register


@dataclass(frozen=True)
class Gate:
    """What a grain must satisfy to be named; anything short of it is `disordered`.

    Args:
        hosts: least hosts that carry the label.
        sites: least sites inside the lattice.
        evidence: least evidence against disorder [nat], which makes up for how many seeds, orientations, strains and
            phases were tried. Crystal-like places in supercooled Lennard-Jones liquid reach 100 in 100 single frames and 107
            in 25 averages of five. Balls of 200 particles at noise 0.08 have 187 to 520, but for NaZn13, where they hold 14
            hosts, and some of bccAB6: 58 to 143, which is too little to tell.
        score: least score, the harmonic mean of site recall and particle precision.
        margin: least lead over any other candidate on the same particles [nat for each particle].
        strain: largest principal strain, volume aside.
        stoichiometry: largest deviation of the share of hosts among the particles inside, over the smaller of the shares
            of hosts and guests; three times the error of counting is allowed on top.
        deep: least share of its sites around which nearly all host sites are occupied. Without it a lattice may fit
            pairs of layers and miss what is between them.
    """

    hosts: int = 8
    sites: int = 15
    evidence: float = 150.0
    score: float = 0.90
    margin: float = 0.30
    strain: float = STRAIN
    stoichiometry: float = 0.20
    deep: float = 0.10


GATE = Gate()
#: Candidates of a cluster besides its own label.
CANDIDATES = 3
#: A particle with the label of another phase belongs to a grain if this share of the host sites around it is occupied.
#: A twin plane of fcc has 0.67.
DEEP = 0.8
#: From this many particles on, blocks of space are 27 and not 8.
MANY = 2000
#: A species with a smaller share of a sublattice is a defect in it.
SHARE = 0.1
#: A cluster of fewer particles, all around it included, that is no grain is too small to be judged: its labels stand.
SMALL = 60
#: The cell is fitted to particles deep inside, unless these are fewer.
FEW = 60


@dataclass(frozen=True)
class Grain:
    """A crystal whose lattice was confirmed.

    Args:
        phase: name of the catalogue.
        members: indices of its particles.
        depth: (n,) share of the host sites around each that are occupied.
        shared: indices of particles that are on its sites, but carry the label of another phase and are not deep inside:
            theirs if nothing else is confirmed there.
        lattice: the lattice, origin and vectors in the frame of the file.
        quality: how well it fits, arrays left out.
        placed: (m, 3) positions of its particles when it was found, put together across periodic boundaries [length].
        site: (m,) site of each of these, an index into `lattice.sites`.
        cell: (3, 3) conventional cell as rows [length].
        constants: lattice constants, lengths, angles and volume of the cell, each with its standard error.
        runner_up: the best other candidate, empty if it is disorder, and by how much it is less likely, in units of
            `registration.Quality.evidence` for each particle.
        strain: (3,) principal strains against the reference cell, volume aside.
        rotation: (3, 3) that turns the axes of the reference cell into the grain's.
        occupancy: site label → species → number of its particles.
        antisites: share of particles that are not of the species most common on their kind of site.
        sublattice: whether the lattice was laid over one role alone, because the others are on no lattice in it.
    """

    phase: str
    members: NDArray[np.intp]
    depth: NDArray[np.float32]
    shared: NDArray[np.intp]
    lattice: Lattice
    quality: dict[str, float]
    placed: NDArray[np.float64]
    site: NDArray[np.intp]
    cell: NDArray[np.float64]
    constants: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    runner_up: tuple[str, float]
    strain: NDArray[np.float64]
    rotation: NDArray[np.float64]
    occupancy: dict[str, dict[str, int]] = field(default_factory=dict)
    antisites: float = math.nan
    sublattice: bool = False

    @property
    def n(self) -> int:
        """Number of particles."""
        return len(self.members)

    @property
    def species(self) -> str:
        """Species that make up its sites, a tenth of them or more, joined by "+"."""
        total: dict[str, int] = {}
        for counts in self.occupancy.values():
            for name, number in counts.items():
                total[name] = total.get(name, 0) + number
        return "+".join(name for name, number in total.items() if number >= SHARE * sum(total.values()))


def _best(
    cluster: Cluster, candidates: Sequence[str], rng: np.random.Generator, all_: bool
) -> tuple[int, Lattice] | None:
    """Seed and lattice of the best local fit over all candidates and seeds."""
    from scipy.spatial import cKDTree

    tree = cKDTree(cluster.x)
    best: tuple[float, int, Lattice] | None = None
    for seed in seeds(cluster, rng):
        x, hosts = neighbourhood(cluster, tree, int(seed), candidates, all_)
        for phase in candidates:
            fit = register(phase, x, hosts)
            if fit is None:
                continue
            lattice, quality = fit
            worth = quality.evidence() / len(x)
            if best is None or worth > best[0]:
                best = worth, int(seed), lattice.tightened(quality.rms)
    return None if best is None or best[0] <= 0 else best[1:]


def _competitor(
    cluster: Cluster, seed: int, winner: str, candidates: Sequence[str], all_: bool
) -> tuple[str, float]:
    """The best other candidate around a seed, and how far the winner leads it [nat for each particle]."""
    from scipy.spatial import cKDTree

    x, hosts = neighbourhood(cluster, cKDTree(cluster.x), seed, candidates, all_)
    own = register(winner, x, hosts)
    if own is None:
        return "", 0.0
    chosen = own[1].inside
    second = ("", own[1].evidence(chosen) / max(int(chosen.sum()), 1))
    for phase in candidates:
        if phase == winner:
            continue
        fit = register(phase, x, hosts)
        if fit is None:
            continue
        lead = (own[1].evidence(chosen) - fit[1].evidence(chosen)) / max(int(chosen.sum()), 1)
        if lead < second[1]:
            second = phase, lead
    return second


def extract(
    found: Particles,
    hosts: NDArray[np.intp],
    u: NDArray[np.float64],
    candidates: Sequence[str],
    *,
    all_: bool = True,
    gate: Gate = GATE,
) -> tuple[Grain | None, str]:
    """Confirm one grain in a cluster of hosts.

    Args:
        found: all particles.
        hosts: indices of connected hosts that carry a label.
        u: (len(hosts), 3) their unwrapped positions.
        candidates: phases to try, the label's own first.
        all_: whether guests count; otherwise the hosts' sublattice alone is looked at.
        gate: what to ask.

    Returns:
        The grain, or None, and the reason for refusing it, which is empty where the cluster is too small to tell.
    """
    rng = np.random.default_rng(len(hosts))
    cluster = surrounded(found, hosts, u, all_)
    best = _best(cluster, candidates, rng, all_)
    if best is None:
        return None, "no candidate lattice fits" if len(cluster.x) >= SMALL else ""
    seed, local = best
    phase = local.template.phase
    x = cluster.x - cluster.x[seed]
    # From the ball that the local fit saw: a smaller one would lose its strain again.
    start = float(np.partition(np.linalg.norm(x, axis=1), min(LEAST, len(x)) - 1)[min(LEAST, len(x)) - 1])
    lattice = grow(local, x, cluster.host, start)
    if lattice is None:
        return None, f"{phase} does not extend beyond its seed"
    quality = judge(lattice, x, cluster.host)
    # Long waves move particles more across a grain than around one seed.
    lattice = lattice.tightened(max(quality.rms, local.tolerance * local.shortest / SPREAD))
    quality = judge(lattice, x, cluster.host)
    if quality.evidence() < gate.evidence and len(cluster.x) < SMALL:
        return None, ""
    second = _competitor(cluster, seed, phase, candidates, all_)
    reason = _refused(lattice, quality, second, cluster.host, gate)
    if reason:
        return None, f"{phase}: {reason}"
    label = found.label[cluster.index]
    own = label == phases().index(phase)
    on = quality.matched & ((quality.depth > EDGE) | own)
    members = on & (own | (label == 0) | (quality.depth >= DEEP))
    assigned = lattice.assign(x)
    cell, left = _cell(lattice, x, assigned, quality.right, quality.depth)
    errors = {key: jackknife(values) for key, values in constants(phase, left).items()}
    primitive = np.asarray(np.linalg.inv(lattice.template.conventional) @ cell, np.float64)
    rotation, strain = replace(lattice, vectors=primitive).deformation
    occupancy, antisites = _occupancy(found, cluster, lattice, assigned, quality)
    moved = replace(lattice, origin=lattice.origin + cluster.x[seed])
    return (
        Grain(
            phase=phase,
            members=cluster.index[members],
            depth=quality.depth[members],
            shared=cluster.index[on & ~members],
            placed=cluster.x[members],
            site=assigned.site[members],
            lattice=moved,
            quality={
                "score": quality.score,
                "recall": quality.recall,
                "precision": quality.precision,
                "sites": quality.sites,
                "vacancies": quality.vacant / max(quality.deep, 1),
                "rms": quality.rms,
                "noise": quality.rms / lattice.shortest,
            },
            cell=cell,
            constants={key: (value, errors[key]) for key, value in constants(phase, cell).items()},
            runner_up=second,
            strain=strain,
            rotation=rotation,
            occupancy=occupancy,
            antisites=antisites,
            sublattice=not all_,
        ),
        "",
    )


def _refused(
    lattice: Lattice,
    quality: Quality,
    second: tuple[str, float],
    hosts: NDArray[np.bool_],
    gate: Gate,
) -> str:
    """Why a lattice is not accepted, or an empty text."""
    if quality.sites < gate.sites:
        return f"{quality.sites} sites inside, {gate.sites} are needed"
    if quality.evidence() < gate.evidence:
        return f"evidence of {quality.evidence():.0f} nat, {gate.evidence:.0f} are needed"
    if quality.score < gate.score:
        return f"score {quality.score:.2f}, {gate.score} is needed"
    if quality.deep < gate.deep * quality.sites:
        return f"{quality.deep} of {quality.sites} sites are deep inside, {gate.deep:.0%} are needed"
    strain = float(np.abs(lattice.deformation[1]).max())
    if strain > gate.strain:
        return f"strain {strain:.2f}, {gate.strain} is allowed"
    if second[1] < gate.margin:
        return f"leads {second[0] or 'disorder'} by {second[1]:.2f} nat for each particle, {gate.margin} are needed"
    if lattice.template.host.all():
        return ""
    there = hosts[quality.inside]
    found, ideal = float(np.mean(there)), quality.ideal
    # Few particles may be off by chance.
    likely = (ideal * len(there) + 1) / (len(there) + 2)
    allowed = gate.stoichiometry * min(ideal, 1 - ideal) + 3 * math.sqrt(likely * (1 - likely) / len(there))
    if abs(found - ideal) > allowed:
        return f"{found:.2f} of its particles are hosts, of its sites {ideal:.2f}"
    return ""


def _cell(
    lattice: Lattice,
    x: NDArray[np.float64],
    found: Assignment,
    right: NDArray[np.bool_],
    depth: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Conventional cell (3, 3) by least squares over a grain, and the cells (B, 3, 3) without one of B blocks of space."""
    # Where a grain ends, or is cut open, particles are in it that moved inwards rather than outwards.
    chosen = right & (depth > NEARLY_ALL)
    if chosen.sum() < FEW:
        chosen = right & (depth > INSIDE)
    where = found.cell[chosen] + lattice.sites[found.site[chosen]]
    at = x[chosen]
    design = np.column_stack([where, np.ones(len(at))])
    cuts = 3 if len(at) >= MANY else 2
    block = np.zeros(len(at), np.intp)
    for axis in range(3):
        edges = np.quantile(at[:, axis], np.linspace(0, 1, cuts + 1)[1:-1])
        block = block * cuts + np.searchsorted(edges, at[:, axis])
    blocks = [block == b for b in np.unique(block)]
    square = np.array([design[rows].T @ design[rows] for rows in blocks])
    cross = np.array([design[rows].T @ at[rows] for rows in blocks])
    # A pseudo-inverse, as without one block a small grain may be a single layer.
    whole = (np.linalg.pinv(square.sum(axis=0), hermitian=True) @ cross.sum(axis=0))[:3]
    left = (np.linalg.pinv(square.sum(axis=0) - square, hermitian=True) @ (cross.sum(axis=0) - cross))[:, :3]
    return lattice.template.conventional @ whole, lattice.template.conventional @ left


def constants(phase: str, cell: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Lattice constants of cells (..., 3, 3): those of the prototype's system, and lengths, angles [degree], volume.

    A constant that symmetry makes one is the mean of the lengths that it stands for.
    """
    lengths = np.linalg.norm(cell, axis=-1)
    pairs = ((1, 2), (0, 2), (0, 1))
    cosine = np.stack(
        [
            np.sum(cell[..., i, :] * cell[..., j, :], axis=-1) / (lengths[..., i] * lengths[..., j])
            for i, j in pairs
        ],
        axis=-1,
    )
    found = {
        "lengths": lengths,
        "angles": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
        "volume": np.abs(np.linalg.det(cell)),
    }
    if lattices.prototype(phase).system == "cubic":
        return {"a": lengths.mean(axis=-1), **found}
    return {"a": lengths[..., :2].mean(axis=-1), "c": lengths[..., 2], **found}


def jackknife(left: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error from estimates (B, ...) that each leave out one of B blocks.

    Displacements of neighbours are correlated, so errors come from blocks and not from single particles.
    """
    return np.asarray(np.sqrt((len(left) - 1) * np.mean((left - left.mean(axis=0)) ** 2, axis=0)))


def _occupancy(
    found: Particles, cluster: Cluster, lattice: Lattice, assigned: Assignment, quality: Quality
) -> tuple[dict[str, dict[str, int]], float]:
    """Species on each kind of site, and the share of particles that are not of the species most common there."""
    kinds = found.kind[cluster.index]
    on = quality.matched & quality.inside
    labels = np.array(lattice.template.labels)[assigned.site]
    table: dict[str, dict[str, int]] = {}
    wrong = 0
    for label in dict.fromkeys(lattice.template.labels):
        here = on & (labels == label)
        counts = np.bincount(kinds[here], minlength=len(found.species))
        table[label] = {name: int(n) for name, n in zip(found.species, counts, strict=True) if n}
        wrong += int(counts.sum() - counts.max(initial=0))
    return table, wrong / max(int(on.sum()), 1)


def candidates_for(
    own: str, log_probability: NDArray[np.float32], names: Sequence[str], allowed: Sequence[str]
) -> list[str]:
    """Phases to register on particles: their label's own, and those that the labels find next probable.

    Args:
        own: the label.
        log_probability: (n, len(names)) of the particles.
        names: phases of the columns.
        allowed: phases that may be tried.
    """
    mean = np.maximum(log_probability, -50).mean(axis=0)
    order = [names[k] for k in np.argsort(-mean) if names[k] in allowed and names[k] != own]
    return [own, *order[:CANDIDATES]]


def species_of(phase: str) -> int:
    """Roles that a phase has: 1 or 2."""
    return 1 if lattices.prototype(phase).one_component else 2
