"""Lay a candidate lattice over particles: orientation, cell, strain, occupied sites, and how well it fits.

A fit starts from a seed particle: pairs of vectors to its neighbours are matched with a pair of lattice vectors, which
gives trial orientations; the best are refined by least squares over a growing ball, first as a rotation with a scale,
then as an affine map, so that strain is found and not assumed away. Particles are assigned to sites by rounding, so a
grain of any size and shape costs time in proportion to its particles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.structure.quality import Quality, judge, nearest_only

#: A particle is on a site if nearer than this, over the shortest distance of sites. At noise 0.10 of that distance for
#: each component 0.1 % of particles are farther; half would make two sites overlap.
TOLERANCE = 0.40
#: Where the displacements around the seed are known, this many times their standard deviation is enough, but not less
#: than the smaller number: the lattice then finds fewer sites in another grain, or in a liquid, by chance.
SPREAD, TIGHT = 4.5, 0.15
#: Host sites within this multiple of the distance to the nearest one are looked at to tell inside from outside.
AROUND = 1.45
#: Neighbours of the seed that trial orientations are made of, how far their distances may be off, and trials refined.
TRIAL_NEIGHBOURS, TRIAL_SPREAD, TRIALS = 14, 0.3, 3
#: Largest principal strain, volume aside. Twice as much turns bcc into fcc, and CsCl into AuCu.
STRAIN = 0.12
#: First radius of the ball over the distance of hosts, its growth, and particles of a fit on the way.
START, GROWTH, FITTED = 1.45, 1.5, 20_000


@dataclass(frozen=True)
class Template:
    """A reference lattice, its host distance 1.

    Args:
        phase: name of the catalogue.
        vectors: (3, 3) rows of the primitive cell.
        sites: (S, 3) fractional coordinates.
        labels: (S,) site labels.
        host: (S,) whether hosts belong there.
        slopes: free coordinate → (S, 3) change of `sites` with it.
        conventional: (3, 3) whole numbers, rows of the conventional cell in primitive vectors.
        shortest: shortest distance of sites.
        around: for each site, (K, 4) host sites near it: cell offset and site.
    """

    phase: str
    vectors: NDArray[np.float64]
    sites: NDArray[np.float64]
    labels: tuple[str, ...]
    host: NDArray[np.bool_]
    slopes: Mapping[str, NDArray[np.float64]]
    conventional: NDArray[np.float64]
    shortest: float
    around: tuple[NDArray[np.intp], ...]

    def star(self, seed: int, reach: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Vectors (K, 3) from the site `seed` to the sites within `reach`, nearest first, and whether they are hosts."""
        steps, site = _images(self.vectors, reach, len(self.sites))
        vectors = (steps + self.sites[site] - self.sites[seed]) @ self.vectors
        distance = np.linalg.norm(vectors, axis=1)
        order = np.argsort(distance, kind="stable")
        order = order[(distance[order] > 1e-9) & (distance[order] <= reach * (1 + 1e-9))]
        return vectors[order], self.host[site[order]]


def _images(
    vectors: NDArray[np.float64], reach: float, sites: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cell offsets (K, 3) and sites (K,) that can be within `reach` of a site of the zeroth cell."""
    heights = 1 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
    spans = [range(-n, n + 1) for n in np.ceil(reach / heights).astype(int) + 1]
    cells = np.array(list(product(*spans)))
    return np.repeat(cells, sites, axis=0), np.tile(np.arange(sites), len(cells))


@cache
def template(phase: str) -> Template:
    """Reference lattice of a phase of the catalogue."""
    kind = lattices.prototype(phase)
    assert kind.reference is not None
    cell = lattices.primitive(phase, kind.reference)
    host = np.array([kind.species[label] == "A" for label in cell.labels])
    bare = Template(
        phase, cell.vectors, cell.sites, cell.labels, host, cell.slopes, cell.conventional, 0.0, ()
    )
    first = min(
        float(np.linalg.norm(x[h], axis=1).min())
        for x, h in (bare.star(int(s), 1.1) for s in np.flatnonzero(host))
    )
    scaled = replace(bare, vectors=cell.vectors / first)
    shortest = min(float(np.linalg.norm(scaled.star(s, 1.5)[0], axis=1).min()) for s in range(len(host)))
    around = []
    for s in range(len(host)):
        steps, site = _images(scaled.vectors, AROUND, len(host))
        distance = np.linalg.norm((steps + scaled.sites[site] - scaled.sites[s]) @ scaled.vectors, axis=1)
        hosts = (distance > 1e-9) & host[site]
        near = hosts & (distance <= AROUND * distance[hosts].min() * (1 + 1e-9))
        around.append(np.column_stack([steps[near], site[near]]))
    return replace(scaled, shortest=shortest, around=tuple(around))


@dataclass(frozen=True)
class Lattice:
    """A lattice laid over particles.

    Args:
        template: what it is.
        origin: (3,) where the cell 0 0 0 begins.
        vectors: (3, 3) rows of the primitive cell [length].
        sites: (S, 3) fractional coordinates, refined where the prototype leaves them free.
        shortest: shortest distance of sites [length].
        tolerance: a particle is on a site if nearer than this, over `shortest`.
    """

    template: Template
    origin: NDArray[np.float64]
    vectors: NDArray[np.float64]
    sites: NDArray[np.float64]
    shortest: float
    tolerance: float = TOLERANCE

    @property
    def scale(self) -> float:
        """Size relative to the template: cube root of the ratio of volumes."""
        return float(abs(np.linalg.det(self.vectors) / np.linalg.det(self.template.vectors)) ** (1 / 3))

    def tightened(self, rms: float) -> Lattice:
        """The same lattice with a tolerance that fits displacements of `rms` for one component."""
        return replace(self, tolerance=float(np.clip(SPREAD * rms / self.shortest, TIGHT, TOLERANCE)))

    @property
    def solid(self) -> bool:
        """Whether the vectors span a volume."""
        box = float(np.prod(np.linalg.norm(self.vectors, axis=1)))
        return bool(abs(np.linalg.det(self.vectors)) > 1e-3 * box > 0)

    @property
    def conventional(self) -> NDArray[np.float64]:
        """(3, 3) rows of the conventional cell [length]."""
        return np.asarray(self.template.conventional @ self.vectors)

    @property
    def deformation(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rotation (3, 3) that turns the template's axes into this grain's, and principal strains (3,), volume aside."""
        gradient = np.linalg.solve(self.template.vectors, self.vectors).T
        left, stretch, right = np.linalg.svd(gradient)
        return left @ right, stretch / np.prod(stretch) ** (1 / 3) - 1

    def assign(self, x: NDArray[np.float64]) -> Assignment:
        """Nearest site of each particle (N, 3)."""
        fractional = (x - self.origin) @ np.linalg.inv(self.vectors)
        cell = np.zeros((len(x), 3), np.intp)
        site = np.zeros(len(x), np.intp)
        offset = np.full((len(x), 3), np.inf)
        square = np.full(len(x), np.inf)
        for s, at in enumerate(self.sites):
            rest = fractional - at
            whole = np.rint(rest)
            arm = (rest - whole) @ self.vectors
            length = np.einsum("ij,ij->i", arm, arm)
            better = length < square
            square[better], offset[better], site[better] = length[better], arm[better], s
            cell[better] = whole[better].astype(np.intp)
        return Assignment(cell, site, offset, np.sqrt(square))


@dataclass(frozen=True)
class Assignment:
    """Nearest site of each particle: cell (N, 3), site (N,), vector from the site (N, 3) and its length (N,)."""

    cell: NDArray[np.intp]
    site: NDArray[np.intp]
    offset: NDArray[np.float64]
    distance: NDArray[np.float64]


def _solved(lattice: Lattice, x: NDArray[np.float64], found: Assignment, free: bool) -> Lattice:
    """Least squares of origin and cell, and of free coordinates if asked, over particles on sites."""
    where = found.cell + lattice.sites[found.site]
    design = np.column_stack([where, np.ones(len(x))])
    solution = np.asarray(np.linalg.lstsq(design, x, rcond=None)[0], np.float64)
    vectors, origin, sites = solution[:3], solution[3], lattice.sites
    slopes = lattice.template.slopes
    if free and slopes:
        # What is left of the displacements, along the directions in which the prototype lets its sites move.
        rest = x - design @ solution
        columns = np.stack([(slope[found.site] @ vectors).ravel() for slope in slopes.values()], axis=1)
        change = np.linalg.lstsq(columns, rest.ravel(), rcond=None)[0]
        for step, slope in zip(change, slopes.values(), strict=True):
            sites = np.asarray(sites + step * slope, float)
    return _made(lattice.template, origin, vectors, sites, lattice.tolerance)


def _made(
    frame: Template,
    origin: NDArray[np.float64],
    vectors: NDArray[np.float64],
    sites: NDArray[np.float64],
    tolerance: float = TOLERANCE,
) -> Lattice:
    scale = abs(np.linalg.det(vectors) / np.linalg.det(frame.vectors)) ** (1 / 3)
    return Lattice(frame, origin, vectors, sites, float(scale * frame.shortest), tolerance)


def _similar(lattice: Lattice, x: NDArray[np.float64], found: Assignment) -> Lattice:
    """Best rotation, scale and origin (Kabsch) over particles on sites."""
    where = (found.cell + lattice.sites[found.site]) @ lattice.template.vectors
    a, b = where - where.mean(axis=0), x - x.mean(axis=0)
    left, stretch, right = np.linalg.svd(a.T @ b)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    turn = (left * sign) @ right
    scale = float((stretch * sign).sum() / np.sum(a**2))
    vectors = np.asarray(scale * lattice.template.vectors @ turn, float)
    origin = np.asarray(x.mean(axis=0) - scale * where.mean(axis=0) @ turn, float)
    return _made(lattice.template, origin, np.asarray(vectors, float), lattice.sites, lattice.tolerance)


def grow(
    lattice: Lattice, x: NDArray[np.float64], hosts: NDArray[np.bool_], start: float, affine: bool = True
) -> Lattice | None:
    """Refine a lattice over a ball around the origin that grows from the radius `start` until it holds all particles.

    It stops growing where fewer than half of the particles in the ball are on sites, as beyond the edge of a grain, and
    returns None where that is so from the start.
    """
    frame = lattice.template
    radius = np.linalg.norm(x, axis=1)
    last, limit = False, start
    grown: Lattice | None = None
    rng = np.random.default_rng(0)
    while True:
        last = limit >= radius.max()
        # The last fit is done again, with the sites that the one before assigns.
        for _ in range(2 if last else 1):
            chosen = np.flatnonzero(radius <= limit)
            if len(chosen) > FITTED and not last:
                chosen = rng.choice(chosen, FITTED, replace=False)
            found = lattice.assign(x[chosen])
            good = (found.distance <= lattice.tolerance * lattice.shortest) & (
                frame.host[found.site] == hosts[chosen]
            )
            good = nearest_only(found, good)
            if good.sum() < 6 or good.sum() < 0.5 * len(chosen):
                return grown
            on = Assignment(found.cell[good], found.site[good], found.offset[good], found.distance[good])
            at = x[chosen[good]]
            wide = affine and len(at) >= 40
            lattice = _solved(lattice, at, on, free=wide) if wide else _similar(lattice, at, on)
            if not lattice.solid:
                return grown
        grown = lattice
        if last:
            return grown
        limit *= GROWTH


def _triad(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right-handed axes (..., 3, 3) as rows: along a, in the plane of a and b, and normal to both."""
    first = a / np.linalg.norm(a, axis=-1, keepdims=True)
    third = np.cross(a, b)
    third = third / np.linalg.norm(third, axis=-1, keepdims=True)
    return np.stack([first, np.cross(third, first), third], axis=-2)


@cache
def _starts(
    phase: str,
) -> tuple[tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]], ...]:
    """For each host site that sees another environment: site, two short host vectors, star of sites around it."""
    frame = template(phase)
    starts: list[tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]] = []
    for s in np.flatnonzero(frame.host):
        star, host = frame.star(int(s), 1.75)
        if any(_same_points(star, other) for _, _, other, _ in starts):
            continue
        vectors = star[host]
        first = vectors[0]
        angle = np.abs(vectors @ first) / np.linalg.norm(vectors, axis=1)
        second = vectors[np.flatnonzero(angle < 0.7)[0]]
        starts.append((int(s), np.stack([first, second]), star, host))
    return tuple(starts)


def _same_points(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return len(a) == len(b) and bool(np.all(np.min(np.linalg.norm(a[:, None] - b, axis=-1), axis=1) < 1e-6))


def register(phase: str, x: NDArray[np.float64], hosts: NDArray[np.bool_]) -> tuple[Lattice, Quality] | None:
    """Find the lattice of a phase around a seed.

    Args:
        phase: name of the catalogue, with a reference cell.
        x: (M, 3) particles around the seed, which is a host at the origin and among them.
        hosts: (M,) role of each.

    Returns:
        The best lattice and how well it fits these particles, or None where nothing fits at all.
    """
    from scipy.spatial import cKDTree

    frame = template(phase)
    own = x[hosts]
    distance = np.linalg.norm(own, axis=1)
    near = own[np.argsort(distance)[1 : TRIAL_NEIGHBOURS + 1]]
    if len(near) < 6 or ((~frame.host).any() and hosts.all()):
        return None
    trees = {True: cKDTree(own), False: cKDTree(x[~hosts]) if (~hosts).any() else None}
    lengths = np.linalg.norm(near, axis=1)
    trials: list[tuple[float, int, NDArray[np.float64], float]] = []
    for site, pair, star, host in _starts(phase):
        # The mean of six distances sets the scale, as noise makes single ones useless.
        scale = float(lengths[:6].mean() / np.linalg.norm(star[host], axis=1)[:6].mean())
        sizes = np.linalg.norm(pair, axis=1) * scale
        i, j = np.nonzero(~np.eye(len(near), dtype=bool))
        fits = (np.abs(lengths[i] / sizes[0] - 1) < TRIAL_SPREAD) & (
            np.abs(lengths[j] / sizes[1] - 1) < TRIAL_SPREAD
        )
        i, j = i[fits], j[fits]
        cosine = np.sum(near[i] * near[j], axis=1) / (lengths[i] * lengths[j])
        ideal = float(pair[0] @ pair[1] / np.prod(np.linalg.norm(pair, axis=1)))
        close = np.abs(np.arccos(np.clip(cosine, -1, 1)) - math.acos(ideal)) < math.radians(25)
        i, j = i[close], j[close]
        if not len(i):
            continue
        turns = np.swapaxes(_triad(*pair), -1, -2) @ _triad(near[i], near[j])
        points = scale * star @ turns
        limit = 0.5 * frame.shortest * scale
        total = np.zeros(len(turns))
        for role in (True, False):
            chosen = points[:, host == role]
            tree = trees[role]
            if chosen.shape[1] and tree is not None:
                gap = tree.query(chosen.reshape(-1, 3), distance_upper_bound=limit)[0]
                total += (1 - np.minimum(gap / limit, 1) ** 2).reshape(len(turns), -1).sum(axis=1)
        for k in np.argsort(-total)[:TRIALS]:
            trials.append((total[k] / len(star), site, turns[k], scale))
    best: tuple[Lattice, Quality] | None = None
    for _, site, turn, scale in sorted(trials, key=lambda t: -t[0])[:TRIALS]:
        vectors = scale * frame.vectors @ turn
        lattice: Lattice | None = _made(frame, -frame.sites[site] @ vectors, vectors, frame.sites)
        assert lattice is not None
        lattice = grow(lattice, x, hosts, START * scale)
        if lattice is None or np.abs(lattice.deformation[1]).max() > STRAIN:
            continue
        quality = judge(lattice, x, hosts)
        if best is None or quality.evidence() > best[1].evidence():
            best = lattice, quality
    return best
