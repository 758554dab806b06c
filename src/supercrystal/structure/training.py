"""Samples of crystals and amorphous mixtures, and the fit of the label model to them.

    python -m supercrystal.structure.training [--seed 1] [--out labels.json]

builds noisy crystals of every phase that the catalogue marks with a `reference` cell, amorphous packings of many
compositions, and crystals of hosts whose guests are amorphous; describes their particles; and fits a linear
discriminant with one class for every kind of site. A phase that is added to the catalogue is learned by running it.

The amorphous packings are made by pushing overlapping spheres apart. They share no history with the liquids equilibrated
by molecular dynamics against which the model is tested.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.box import edges as box_edges

#: Noise per component over the nearest-neighbour distance at which crystals are learned, defects, largest strain.
NOISES = (0.01, 0.04, 0.07, 0.10, 0.12)
VACANCIES, ANTISITES, STRAIN = 0.02, 0.01, 0.03
#: Particles of a sample, at least these many cells in a row.
PARTICLES, CELLS = 1500, 3
#: Guests per host and size ratios of the amorphous packings.
MIXTURES = (
    (1, 0.45),
    (1, 0.75),
    (2, 0.5),
    (2, 0.8),
    (3, 0.4),
    (3, 0.65),
    (4, 0.35),
    (4, 0.55),
    (6, 0.4),
    (13, 0.55),
)
#: Sum of the volumes of amorphous spheres over that of the box; of gases, from points without size upwards.
FILLINGS = (0.45, 0.58)
GASES = (1e-6, 0.1, 0.25)
#: Share of the diagonal that is mixed into the covariance, which is close to singular.
SHRINKAGE = 1e-3
#: Particles of one sample that enter the fit for each kind of site.
KEPT = 400

DISORDERED = "disordered"


@dataclass(frozen=True)
class Made:
    """A configuration whose nature is known.

    Args:
        box: (6,).
        positions: (N, 3).
        kinds: (N,) 0 for hosts, 1 for guests.
        sites: (N,) site label, ``""`` where there is none.
        phase: name of the catalogue, or ``"disordered"``.
    """

    box: NDArray[np.float64]
    positions: NDArray[np.float64]
    kinds: NDArray[np.intp]
    sites: NDArray[np.str_]
    phase: str


def crystal(
    phase: str,
    rng: np.random.Generator,
    *,
    count: int = PARTICLES,
    noise: float = 0.0,
    vacancies: float = 0.0,
    antisites: float = 0.0,
    strain: float = 0.0,
    shape: str = "bulk",
    merge: bool = True,
    cells: int = CELLS,
) -> Made:
    """Make a crystal with noise and defects, its shortest distance 1.

    Args:
        phase: a phase with a `reference` cell.
        rng: source of everything random.
        count: rough number of particles.
        noise: standard deviation of each coordinate over the shortest distance between sites.
        vacancies: share of particles taken out.
        antisites: share of particles that are of the wrong species.
        strain: largest relative change of each box length; each is drawn between it and its negative.
        shape: ``"bulk"`` periodic, ``"slab"`` with empty space along z, or ``"cluster"``, a ball in empty space.
        merge: guests of different species are one species; otherwise `kinds` counts species.
        cells: least number of cells in a row.
    """
    kind = lattices.prototype(phase)
    assert kind.reference is not None
    cell, sites = lattices.vectors(phase, kind.reference), lattices.fractional(phase, kind.reference)
    scale = 1 / shortest(phase)
    lengths = np.linalg.norm(cell, axis=1) * scale
    volume = abs(float(np.linalg.det(cell))) * scale**3
    side = (count / len(sites) * volume) ** (1 / 3) * (1.35 if shape == "cluster" else 1.0)
    repeats = np.maximum(np.rint(side / lengths).astype(int), cells)
    corners = np.stack(np.meshgrid(*map(np.arange, repeats), indexing="ij"), -1).reshape(-1, 1, 3)
    stretched = cell * scale * (1 + rng.uniform(-strain, strain, 3))
    x = ((corners + sites).reshape(-1, 3)) @ stretched
    labels = np.tile(np.array(kind.labels), len(corners))
    order = list(kind.species_counts)
    species = np.array([order.index(kind.species[label]) for label in labels])
    if merge:
        species = np.minimum(species, 1)
    edges = stretched * repeats[:, None]
    if shape == "cluster":
        centre = edges.sum(axis=0) / 2 + rng.uniform(-0.5, 0.5, 3) * lengths
        distance = np.linalg.norm(x - centre, axis=1)
        inside = distance <= np.sort(distance)[min(count, len(distance)) - 1]
        x, labels, species = x[inside] - centre, labels[inside], species[inside]
    x = x + rng.normal(0, noise, x.shape)
    wrong = rng.random(len(x)) < antisites
    if species.max() > 0:
        others = (species + rng.integers(1, species.max() + 1, len(x))) % (species.max() + 1)
        species = np.where(wrong, others, species)
    stay = rng.random(len(x)) >= vacancies
    x, labels, species = x[stay], labels[stay], species[stay]
    lx, ly, lz = np.diag(edges)
    box = np.array([lx, ly, lz, edges[1, 0] / ly, edges[2, 0] / lz, edges[2, 1] / lz])
    # Particles at a surface see another average of neighbours: a kind of site of its own.
    rim = 1.1 * hosts_apart(phase)
    if shape == "slab":
        x, box[2] = x - [0, 0, lz / 2], lz + 8.0
        labels = np.where(
            np.abs(x[:, 2]) > np.abs(x[:, 2]).max() - rim, np.char.add(labels, " outer"), labels
        )
    if shape == "cluster":
        distance = np.linalg.norm(x, axis=1)
        labels = np.where(distance > distance.max() - rim, np.char.add(labels, " outer"), labels)
        box = np.array([*(np.ptp(x, axis=0) + 8.0), 0, 0, 0])
        x = x - (x.max(axis=0) + x.min(axis=0)) / 2
    return Made(box, x, species.astype(np.intp), labels, phase)


def shortest(phase: str) -> float:
    """Shortest distance between sites of the reference cell, at a = 1."""
    kind = lattices.prototype(phase)
    assert kind.reference is not None
    return min(shell.distance for shell in lattices.shells(phase, kind.reference, 1.1))


def _push_apart(
    box: NDArray[np.float64],
    x: NDArray[np.float64],
    radii: NDArray[np.float64],
    movable: NDArray[np.bool_],
    steps: int,
) -> NDArray[np.float64]:
    """Move overlapping spheres apart, each pair by a share of its overlap, again and again."""
    import freud

    cell = freud.box.Box(*box)
    x = np.asarray(cell.wrap(x), float)
    for _ in range(steps):
        bonds = (
            freud.locality.AABBQuery(cell, x)
            .query(x, {"r_max": 2 * radii.max(), "exclude_ii": True})
            .toNeighborList()
        )
        i, j = np.asarray(bonds.query_point_indices), np.asarray(bonds.point_indices)
        distance = np.maximum(np.asarray(bonds.distances, float), 1e-6)
        overlap = np.maximum(radii[i] + radii[j] - distance, 0)
        if overlap.max(initial=0) < 0.02 * radii.min():
            break
        push = -0.3 * (overlap / distance)[:, None] * np.asarray(bonds.vectors, float)
        move = np.stack([np.bincount(i, push[:, k], len(x)) for k in range(3)], axis=1)
        x = np.asarray(cell.wrap(x + move * movable[:, None]), float)
    return x


def amorphous(
    rng: np.random.Generator,
    *,
    guests: int,
    ratio: float,
    filling: float,
    count: int = PARTICLES,
    noise: float = 0.05,
) -> Made:
    """Make a disordered packing of spheres, those of the hosts with diameter 1.

    Args:
        rng: source of everything random.
        guests: guests per host; 0 for one species.
        ratio: diameter of guests over that of hosts.
        filling: sum of the volumes of the spheres over that of the box.
        count: particles.
        noise: standard deviation that is added to each coordinate at the end, over the diameter of the smaller species.
    """
    hosts = max(count // (1 + guests), 60)
    kinds = np.repeat([0, 1], [hosts, hosts * guests])
    radii = np.where(kinds == 0, 0.5, 0.5 * ratio)
    length = (4 / 3 * math.pi * np.sum(radii**3) / filling) ** (1 / 3)
    box = np.array([length] * 3 + [0.0] * 3)
    x = _push_apart(box, rng.uniform(0, length, (len(kinds), 3)), radii, np.ones(len(kinds), bool), 150)
    x = x + rng.normal(0, noise * (ratio if guests else 1.0), x.shape)
    return Made(box, x, kinds, np.full(len(kinds), ""), DISORDERED)


def half_molten(rng: np.random.Generator, phase: str, *, noise: float) -> Made:
    """Make the hosts of a crystal with its guests spread amorphously between them."""
    made = crystal(phase, rng, noise=noise, vacancies=VACANCIES, strain=STRAIN)
    x, kinds = made.positions, made.kinds
    guests = kinds == 1
    # Spheres that fill two fifths of the box together, with the size ratio of contacts in the crystal.
    volume = float(np.prod(made.box[:3]))
    host = 0.4 * hosts_apart(phase)
    small = (
        ((0.40 * volume - np.sum(~guests) * 4 / 3 * math.pi * host**3) / (np.sum(guests) * 4 / 3 * math.pi))
        ** (1 / 3)
        if 0.40 * volume > np.sum(~guests) * 4 / 3 * math.pi * host**3
        else 0.3 * host
    )
    radii = np.where(guests, min(small, host), host)
    x = x.copy()
    x[guests] = rng.uniform(0, 1, (guests.sum(), 3)) @ box_edges(made.box)
    x = _push_apart(made.box, x, radii, guests, 100)
    return Made(made.box, x, kinds, np.where(guests, "", made.sites), DISORDERED)


def hosts_apart(phase: str) -> float:
    """Shortest distance between hosts, in the shortest distance between sites."""
    kind = lattices.prototype(phase)
    assert kind.reference is not None
    shells = [
        shell.distance
        for shell in lattices.shells(phase, kind.reference, 1.1)
        if {kind.species[label] for label in shell.pair} == {"A"}
    ]
    return min(shells) / shortest(phase)


def recognised(species: int) -> tuple[str, ...]:
    """Phases with a reference cell, of one species (1) or of hosts and guests (2)."""
    chosen = [lattices.prototype(name) for name in lattices.names()]
    return tuple(
        kind.name for kind in chosen if kind.reference is not None and kind.one_component == (species == 1)
    )


def samples(rng: np.random.Generator, species: int) -> Iterator[tuple[str, Made]]:
    """All samples of the fit, each with a name that tells kinds of disorder apart."""
    for phase in recognised(species):
        for noise in NOISES:
            for shape in ("bulk", "bulk", "slab", "cluster"):
                yield (
                    phase,
                    crystal(
                        phase,
                        rng,
                        noise=noise,
                        vacancies=VACANCIES,
                        antisites=ANTISITES,
                        strain=STRAIN,
                        shape=shape,
                    ),
                )
    if species == 1:
        for filling in (*FILLINGS, 0.50, 0.54, 0.62):
            for noise in (0.03, 0.08):
                yield "amorphous", amorphous(rng, guests=0, ratio=1.0, filling=filling, noise=noise)
        for filling in GASES:
            yield "gas", amorphous(rng, guests=0, ratio=1.0, filling=filling, noise=0.0)
        return
    for guests, ratio in MIXTURES:
        for filling in FILLINGS:
            yield f"amorphous {guests}", amorphous(rng, guests=guests, ratio=ratio, filling=filling)
    for guests in (1, 3, 6):
        for filling in GASES:
            yield f"gas {guests}", amorphous(rng, guests=guests, ratio=0.6, filling=filling, noise=0.0)
    for phase in recognised(2):
        for noise in (0.03, 0.08):
            yield f"half-molten {phase}", half_molten(rng, phase, noise=noise)


def _described(made: Made, species: int) -> Iterator[tuple[Any, NDArray[np.float32], NDArray[np.bool_]]]:
    from supercrystal.structure.descriptors import describe
    from supercrystal.structure.sample import sample

    found = sample(made.box, made.positions, made.kinds)
    hosts = made.kinds == 0
    if species == 1:
        yield "one", describe(found, hosts, None, "one").values("one"), hosts
        return
    yield "host", describe(found, hosts, ~hosts, "host").values("host"), hosts
    yield "guest", describe(found, ~hosts, hosts, "guest").values("guest"), ~hosts


def discriminant(
    values: NDArray[np.float64], classes: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a linear discriminant (Fisher) with one covariance for all classes and equal priors.

    Returns:
        Weights (F, K) and offsets (K,): the class of v is the largest of v @ weights + offsets, which are logarithms of
        relative probabilities if the classes are normal distributions.
    """
    count = int(classes.max()) + 1
    means = np.stack([values[classes == k].mean(axis=0) for k in range(count)])
    # Every class has the same say in the covariance, however many particles it has.
    covariance = np.mean([np.cov(values[classes == k].T) for k in range(count)], axis=0)
    covariance += SHRINKAGE * np.diag(np.diag(covariance))
    weights = np.linalg.solve(covariance, means.T)
    return weights, -0.5 * np.sum(means.T * weights, axis=0)


def fit(seed: int) -> dict[str, Any]:
    """Fit all three models; the same seed gives the same coefficients."""
    from supercrystal.structure.descriptors import names

    models: dict[str, Any] = {}
    for species in (1, 2):
        rng = np.random.default_rng([seed, species])
        tables: dict[str, dict[tuple[str, str], list[NDArray[np.float32]]]] = {}
        for name, made in samples(rng, species):
            for role, values, chosen in _described(made, species):
                for site in np.unique(made.sites[chosen]):
                    rows = values[made.sites[chosen] == site]
                    rows = rows[rng.permutation(len(rows))[:KEPT]]
                    tables.setdefault(role, {}).setdefault((name, str(site)), []).append(rows)
        for role, table in tables.items():
            models[role] = _fitted(table, names(role))  # type: ignore[arg-type]
    return models


def _fitted(
    table: Mapping[tuple[str, str], list[NDArray[np.float32]]], columns: tuple[str, ...]
) -> dict[str, Any]:
    keys = list(table)
    values = np.concatenate([np.concatenate(table[key]) for key in keys]).astype(float)
    classes = np.repeat(np.arange(len(keys)), [sum(map(len, table[key])) for key in keys])
    weights, offsets = discriminant(values, classes)
    known = set(lattices.names())
    return {
        "descriptors": list(columns),
        "classes": [name if name in known else DISORDERED for name, _ in keys],
        "sites": [site for _, site in keys],
        "weights": weights.round(4).tolist(),
        "offsets": offsets.round(4).tolist(),
    }


def write(seed: int, out: Path) -> None:
    """Fit and write the coefficients."""
    lines = [f"{json.dumps(role)}: {json.dumps(model)}" for role, model in fit(seed).items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    part = out.with_name(out.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(out)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description="Fit the labels of particles to the catalogue's phases.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("labels.json"))
    given = parser.parse_args()
    write(given.seed, given.out)
