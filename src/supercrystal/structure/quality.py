"""How well a lattice fits particles: which sites count, which are occupied, and what speaks against disorder.

Only sites around which most of the host sites are occupied count, which holds for the outermost hosts of a surface of
any orientation and not for the empty layer above it. The score is the harmonic mean of the share of these sites that
hold the right particle and the share of particles there that sit on one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from supercrystal.structure.registration import Assignment, Lattice, Template

#: More than this share of the host sites around a site must be occupied for it to count: for hosts, half of them lie
#: beyond a surface, of whatever orientation.
#: A guest on a surface may have all its hosts on one side, or be left out: it counts only where few are missing.
INSIDE, INSIDE_GUEST = 0.5, 0.7
#: The sites of the empty layer above a flat surface have at most 0.33 of them occupied, those of an edge more than this.
EDGE = 0.36
#: Vacancies are counted among sites around which more than this share is occupied.
NEARLY_ALL = 0.85
#: Cost of a vacancy, antisite or interstitial [nat]: of about one in fifty.
DEFECT = 4.0
#: Cost of a guest site at the surface that is empty: as often as not they are.
LEFT_OUT = math.log(2)


@dataclass(frozen=True)
class Quality:
    """How well a lattice fits.

    Args:
        score: harmonic mean of `recall` and `precision`.
        recall: share of the sites inside that hold a particle of the right role.
        precision: share of the particles inside that are such particles.
        sites: number of sites inside.
        empty: sites inside without any particle.
        wrong: sites inside with a particle of the wrong role.
        bare: guest sites at the surface, half of whose hosts are there, that are empty or wrong.
        deep: number of sites around which nearly all host sites are occupied.
        vacant: deep sites without any particle. Other sites may be empty because the crystal ends there, or because it
            goes on across the periodic boundary at which it was cut open.
        rms: root mean square displacement from the sites, for one component [length].
        matched: (N,) whether a particle is the nearest one within the tolerance of its site, whatever its role.
        right: (N,) whether it is of the right role as well.
        inside: (N,) whether its site is inside.
        depth: (N,) share of the host sites around its site that are occupied.
        volume: of the cell for each site [length³].
        ideal: share of hosts among the sites inside.
    """

    score: float
    recall: float
    precision: float
    sites: int
    empty: int
    wrong: int
    bare: int
    deep: int
    vacant: int
    rms: float
    matched: NDArray[np.bool_]
    right: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    depth: NDArray[np.float32]

    volume: float
    ideal: float

    def evidence(self, chosen: NDArray[np.bool_] | None = None) -> float:
        """How much better the lattice explains the particles than disorder does [nat].

        A particle that is normally distributed about its site, instead of anywhere in a site's volume v, gains
        ln[v / (2πe σ²)^(3/2)] in logarithmic likelihood; an empty or wrong site inside, and a particle on no site, costs
        `DEFECT`. At the surface guests count where they are, and cost `LEFT_OUT` where they are not.

        Args:
            chosen: (N,) particles that count; None counts all.
        """
        near = self.depth > INSIDE
        on, off = self.right & near, near & ~self.matched
        if chosen is not None:
            on, off = on & chosen, off & chosen
        if not on.any():
            return 0.0
        width = max(self.rms, 0.02 * self.volume ** (1 / 3))
        gain = math.log(self.volume) - 1.5 * math.log(2 * math.pi * math.e * width**2)
        return float(on.sum() * gain - DEFECT * (self.empty + self.wrong + off.sum()) - LEFT_OUT * self.bare)


def nearest_only(found: Assignment, near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of several particles near one site only the nearest."""
    index = np.flatnonzero(near)
    if not len(index):
        return near
    key = np.column_stack([found.cell[index], found.site[index]])
    key -= key.min(axis=0)
    flat = np.ravel_multi_index(tuple(key.T), tuple(key.max(axis=0) + 1))
    order = np.lexsort((found.distance[index], flat))
    first = np.ones(len(order), bool)
    first[1:] = flat[order][1:] != flat[order][:-1]
    chosen = np.zeros(len(near), bool)
    chosen[index[order[first]]] = True
    return chosen


def _around(frame: Template, occupied: NDArray[np.float32], pad: int) -> NDArray[np.float32]:
    """Share of the host sites around each site that are occupied, at least `pad` cells from the border."""
    around = np.zeros_like(occupied)
    i, j, k = (slice(pad, n - pad) for n in occupied.shape[:3])
    for s, near in enumerate(frame.around):
        for *steps, other in near.tolist():
            window = [
                slice(pad + step, n - pad + step) for step, n in zip(steps, occupied.shape[:3], strict=True)
            ]
            around[i, j, k, s] += occupied[window[0], window[1], window[2], other]
        around[..., s] /= len(near)
    return around


def judge(lattice: Lattice, x: NDArray[np.float64], hosts: NDArray[np.bool_]) -> Quality:
    """Compare a lattice with all particles around it.

    Args:
        lattice: the lattice.
        x: (N, 3) particles, not wrapped: those of the grain, and all others that are near it.
        hosts: (N,) role of each.
    """
    frame, found = lattice.template, lattice.assign(x)
    matched = nearest_only(found, found.distance <= lattice.tolerance * lattice.shortest)
    right = matched & (frame.host[found.site] == hosts)
    none = np.zeros(len(x), bool)
    if not right.any():
        nothing = np.zeros(len(x), np.float32)
        return Quality(
            0.0, 0.0, 0.0, 0, 0, 0, 0, 0, 0, math.nan, matched, right, none, nothing, 1.0, 0.0
        )  # fmt: skip
    pad = int(max(np.abs(a[:, :3]).max(initial=0) for a in frame.around))
    low = found.cell[matched].min(axis=0) - pad
    shape = found.cell[matched].max(axis=0) + pad + 1 - low
    occupied = np.zeros((*shape, len(frame.host)), np.float32)
    taken = np.zeros((*shape, len(frame.host)), np.int8)
    at = found.cell - low
    occupied[(*at[right].T, found.site[right])] = 1
    taken[(*at[matched].T, found.site[matched])] = 1
    taken[(*at[right].T, found.site[right])] = 2

    around = _around(frame, occupied, pad)
    # Sites that are occupied by chance, in another grain or in a liquid, have few such neighbours: they do not count.
    occupied[around <= EDGE] = 0
    around = _around(frame, occupied, pad)
    least = np.where(frame.host, INSIDE, INSIDE_GUEST)
    counts = around > least
    sites = int(counts.sum())
    by_site = counts.sum(axis=(0, 1, 2))
    ideal = float(by_site[frame.host].sum() / max(by_site.sum(), 1))
    full = int(np.sum(counts & (taken == 2)))
    wrong = int(np.sum(counts & (taken == 1)))
    deep = around > NEARLY_ALL
    there = np.all((at >= 0) & (at < shape), axis=1)
    depth = np.zeros(len(x), np.float32)
    depth[there] = around[(*at[there].T, found.site[there])]
    inside = depth > least[found.site]
    particles = int(inside.sum())
    recall, precision = full / max(sites, 1), full / max(particles, 1)
    both = right & (depth > INSIDE)
    volume = abs(float(np.linalg.det(lattice.vectors))) / len(frame.host)
    rms = float(np.sqrt(np.mean(found.offset[both] ** 2))) if both.any() else math.nan
    score = 2 * recall * precision / (recall + precision) if full else 0.0
    return Quality(
        score,
        recall,
        precision,
        sites,
        sites - full - wrong,
        wrong,
        int(np.sum((around > INSIDE) & ~counts & (taken != 2))),
        int(deep.sum()),
        int(np.sum(deep & (taken == 0))),
        rms,
        matched,
        right,
        inside,
        depth,
        volume,
        ideal,
    )
