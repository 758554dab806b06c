"""Powder averages: partial structure factors S_ab(q) and SAXS intensities I(q).

In a periodic box the average runs over the wave vectors that the box has, each counted in the bin of its own |q|. A bin
without any is not there: nothing is interpolated and nothing is NaN, and the counts say how much each value rests on.
In free space the average over all directions is Debye's sum over pairs, or, where particles have a direction in common,
a quadrature over directions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.scattering.amplitudes import (
    Block,
    Scatterers,
    amplitudes_at,
    half_space,
    reciprocal,
)
from supercrystal.structure.scattering.form_factors import Body, bodies_for, sphere_quadrature

#: Largest number of pairs in Debye's sum; the distances are binned so finely that q_max times a bin is this.
MAX_PAIRS = 3_000_000_000
_STEP = 1e-3
#: Points that are transformed at once in a quadrature over directions, and degrees beyond q times the diameter.
_BATCH = 1 << 20
_EXTRA = 16


@dataclass(frozen=True)
class StructureFactors:
    """Partial and total structure factors, averaged over directions.

    Args:
        q: (M,) mean |q| of the wave vectors in each bin, increasing [1 / length].
        counts: (M,) wave vectors in each bin (±k both counted); 0 throughout in free space, where the average is exact.
        centre: (M,) mean |q| of each bin weighted by |Σ_s F_s|²: where in the bin a peak is, exact for a single one.
        partial: (a, b) with a before b in the order of the species → (M,) S_ab, Ashcroft–Langreth [-].
        particles: species → N_s.
    """

    q: NDArray[np.float64]
    counts: NDArray[np.intp]
    centre: NDArray[np.float64]
    partial: Mapping[tuple[str, str], NDArray[np.float64]]
    particles: Mapping[str, int]

    def of(self, a: str, b: str) -> NDArray[np.float64]:
        """S_ab(q) = Re⟨F_a F_b*⟩ / √(N_a N_b)."""
        key = (a, b) if (a, b) in self.partial else (b, a)
        if key not in self.partial:
            raise TrajectoryError(f"there is no S_{a}{b}: the species are {', '.join(self.particles)}")
        return self.partial[key]

    def weighted(self, weights: Mapping[str, float]) -> NDArray[np.float64]:
        """|Σ_s w_s F_s|² / N: the intensity per particle of points with the weights w."""
        total = np.zeros(len(self.q))
        for (a, b), values in self.partial.items():
            pairs = math.sqrt(self.particles[a] * self.particles[b]) * (1 if a == b else 2)
            total += weights[a] * weights[b] * pairs * values
        return total / sum(self.particles.values())

    @property
    def total(self) -> NDArray[np.float64]:
        """S(q) = ⟨|Σ_s F_s|²⟩ / N."""
        return self.weighted(dict.fromkeys(self.particles, 1.0))

    def faber_ziman(self, a: str, b: str) -> NDArray[np.float64]:
        """The same pair in Faber and Ziman's convention, 1 + (S_ab - δ_ab) / √(c_a c_b), which tends to 1 at large q."""
        n = sum(self.particles.values())
        share = math.sqrt(self.particles[a] * self.particles[b]) / n
        return 1 + (self.of(a, b) - (a == b)) / share


@dataclass(frozen=True)
class Saxs:
    """Small-angle scattering averaged over directions.

    Args:
        q: (M,) [1 / length].
        counts: (M,) as in `StructureFactors`.
        intensity: (M,) per particle, ⟨|Σ_j Δρ_j f_j exp(i q·r_j)|²⟩ / N [length²: (contrast × volume)²].
        form: (M,) what N uncorrelated particles would give, Σ_s N_s ⟨|Δρ f_s|²⟩ / N.
        particles: species → N_s.
    """

    q: NDArray[np.float64]
    counts: NDArray[np.intp]
    intensity: NDArray[np.float64]
    form: NDArray[np.float64]
    particles: Mapping[str, int]

    @property
    def effective_structure_factor(self) -> NDArray[np.float64]:
        """I(q) over that of uncorrelated particles, what experiments divide out [-]."""
        return self.intensity / self.form


def bin_edges(found: Scatterers, q_max: float, bins: int | ArrayLike | None = None) -> NDArray[np.float64]:
    """Edges of the bins of |q|.

    Args:
        found: particles in a periodic box.
        q_max: last edge [1 / length].
        bins: a number of equal bins, or increasing edges. None takes bins as wide as the shortest wave vector of the
            box, centred on its multiples.

    Raises:
        TrajectoryError: no bins, or edges that do not increase.
    """
    if bins is None:
        if found.cell is None:
            raise TrajectoryError("particles in free space are asked at chosen q, not in bins")
        width = float(np.min(np.linalg.norm(reciprocal(found.cell), axis=1)))
        inner = np.arange(0.5, q_max / width, 1.0) * width
        return np.concatenate([[0.0], inner[inner < q_max * (1 - 1e-9)], [q_max]])
    if np.ndim(bins) == 0:
        count = int(np.asarray(bins))
        if count < 1:
            raise TrajectoryError(f"a powder average needs at least one bin; got {bins}")
        return np.linspace(0.0, q_max, count + 1)
    given = np.asarray(bins, float)
    if (
        given.ndim != 1
        or len(given) < 2
        or np.any(np.diff(given) <= 0)
        or given[0] < 0
        or not np.isfinite(given[-1])
    ):
        raise TrajectoryError("edges of bins are at least two numbers ≥ 0 that increase")
    return given


def _in_bins(
    frames: Iterable[Scatterers], q_max: float, bins: int | ArrayLike | None
) -> Iterator[tuple[NDArray[np.intp], int, Block]]:
    """Blocks of wave vectors with the bin of each; those beyond the outer edges are left out."""
    if not (math.isfinite(q_max) and q_max > 0):
        raise TrajectoryError(
            f"q_max must be a finite number > 0 (1 / length unit of the positions); got {q_max}"
        )
    edges = np.zeros(0)
    for found in frames:
        edges = edges if len(edges) else bin_edges(found, q_max, bins)
        # A wave vector that rounding put beside an edge belongs to the bin above it, and one at the last edge to the
        # last.
        sharp = edges * (1 - 1e-9)
        sharp[-1] = edges[-1] * (1 + 2e-9)
        for block in half_space(found, float(edges[-1])):
            index = np.searchsorted(sharp, block.q, side="right") - 1
            keep = (index >= 0) & (index < len(edges) - 1)
            if not keep.all():
                parts = {name: f[keep] for name, f in block.amplitude.items()}
                block = Block(block.k[keep], block.q[keep], block.weight[keep], parts)
                index = index[keep]
            yield index, len(edges) - 1, block


def _same_particles(found: Scatterers | Iterable[Scatterers]) -> list[Scatterers]:
    """Frames as a list.

    Raises:
        TrajectoryError: no frame, or numbers of particles that change.
    """
    frames = [found] if isinstance(found, Scatterers) else list(found)
    if not frames or any(frame.counts != frames[0].counts for frame in frames):
        raise TrajectoryError(
            "an average needs at least one frame, and the same numbers of particles of the same species in all; got "
            f"{'; '.join(str(frame.counts) for frame in frames) or 'none'}"
        )
    return frames


class _Sums:
    """Weighted sums in bins, of which only the filled ones are handed out."""

    def __init__(self) -> None:
        self.table: dict[object, NDArray[np.float64]] = {}

    def add(self, key: object, index: NDArray[np.intp], size: int, values: NDArray[np.float64]) -> None:
        found = np.asarray(np.bincount(index, values, size), float)
        self.table[key] = self.table[key] + found if key in self.table else found

    def means(self) -> tuple[NDArray[np.float64], NDArray[np.intp], dict[object, NDArray[np.float64]]]:
        counts = self.table.pop("count", np.zeros(0))
        filled = counts > 0
        if not filled.any():
            raise TrajectoryError(
                "no wave vector of the box lies in the bins: choose a larger q_max or wider bins"
            )
        mean = {key: total[filled] / counts[filled] for key, total in self.table.items()}
        return mean.pop("q"), np.rint(counts[filled]).astype(np.intp), mean


def structure_factors(
    found: Scatterers | Iterable[Scatterers], q_max: float, bins: int | ArrayLike | None = None
) -> StructureFactors:
    """Partial structure factors of a periodic box, averaged over the directions of its wave vectors.

    Args:
        found: particles in a periodic box, or several frames of them to average over.
        q_max: largest |q| [1 / length].
        bins: as in `bin_edges`.

    Raises:
        TrajectoryError: free space, or a q_max or bins that cannot be used.

    >>> from supercrystal.structure.scattering.amplitudes import scatterers
    >>> bcc = scatterers([1, 1, 1, 0, 0, 0], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> found = structure_factors(bcc, 9.0, bins=[6, 7, 9])
    >>> found.q.round(3).tolist(), found.counts.tolist(), found.total.round(6).tolist()
    ([6.283, 8.886], [6, 12], [0.0, 2.0])
    """
    frames = _same_particles(found)
    n = frames[0].counts
    pairs = list(combinations_with_replacement(n, 2))
    sums = _Sums()
    for index, size, block in _in_bins(frames, q_max, bins):
        sums.add("count", index, size, block.weight)
        sums.add("q", index, size, block.weight * block.q)
        for a, b in pairs:
            cross = block.amplitude[a].real * block.amplitude[b].real
            cross += block.amplitude[a].imag * block.amplitude[b].imag
            sums.add((a, b), index, size, block.weight * cross)
        total = block.weight * np.abs(sum(block.amplitude.values())) ** 2
        sums.add("total", index, size, total)
        sums.add("centre", index, size, total * block.q)
    q, counts, mean = sums.means()
    # A bin in which nothing scatters has its peak nowhere.
    dark = mean["total"] <= 1e-12 * sum(n.values())
    centre = np.where(dark, q, mean["centre"] / np.where(dark, 1.0, mean["total"]))
    partial = {(a, b): mean[a, b] / math.sqrt(n[a] * n[b]) for a, b in pairs}
    return StructureFactors(q, counts, centre, partial, n)


def saxs(
    found: Scatterers | Iterable[Scatterers],
    q_max: float,
    bodies: Mapping[str, Body],
    bins: int | ArrayLike | None = None,
) -> Saxs:
    """Small-angle scattering of a periodic box.

    I(q) = |Σ_s ⟨f_s⟩ F_s|² + Σ_s N_s (⟨|f_s|²⟩ - |⟨f_s⟩|²), f with its contrast. The second term is what sizes and
    directions that differ from particle to particle scatter by themselves, if they do not depend on where the particle
    is (Kotlarchyk and Chen, J. Chem. Phys. 79, 2461 (1983), DOI 10.1063/1.446055). Without them it is zero.

    Args:
        found: particles in a periodic box, or several frames of them to average over.
        q_max: largest |q| [1 / length].
        bodies: species → what it scatters, for every species.
        bins: as in `bin_edges`.

    Raises:
        PhysicsError: bodies that are not those of the species.
        TrajectoryError: as `structure_factors`.
    """
    frames = _same_particles(found)
    n = frames[0].counts
    chosen = bodies_for(bodies, list(n))
    sums = _Sums()
    for index, size, block in _in_bins(frames, q_max, bins):
        sums.add("count", index, size, block.weight)
        sums.add("q", index, size, block.weight * block.q)
        coherent, own, form = block_intensity(n, chosen, block)
        sums.add("intensity", index, size, block.weight * (np.abs(coherent) ** 2 + own))
        sums.add("form", index, size, block.weight * form)
    q, counts, mean = sums.means()
    total = sum(n.values())
    return Saxs(q, counts, mean["intensity"] / total, mean["form"] / total, n)


def block_intensity(
    counts: Mapping[str, int], bodies: Mapping[str, Body], block: Block
) -> tuple[NDArray[np.complex128], NDArray[np.float64], NDArray[np.float64]]:
    """Coherent amplitude, what particles scatter on their own, and the sum of their form factors, each (M,)."""
    coherent = np.zeros(len(block.q), complex)
    own, form = np.zeros(len(block.q)), np.zeros(len(block.q))
    for name, body in bodies.items():
        mean, square = body.radial_moments(block.q) if body.isotropic else body.moments(block.k)
        coherent += mean * block.amplitude[name]
        own += counts[name] * np.maximum(square - np.abs(mean) ** 2, 0.0)
        form += counts[name] * square
    return coherent, own, form


def free_q(found: Scatterers, q_max: float) -> NDArray[np.float64]:
    """Values of q up to `q_max` that resolve the interferences of the two particles farthest apart: steps of π/2D."""
    if not (math.isfinite(q_max) and q_max > 0):
        raise TrajectoryError(
            f"q_max must be a finite number > 0 (1 / length unit of the positions); got {q_max}"
        )
    diameter = float(np.linalg.norm(np.ptp(found.positions, axis=0)))
    count = max(64, math.ceil(2 * q_max * diameter / math.pi))
    return np.linspace(q_max / count, q_max, count)


def debye(found: Scatterers, q: ArrayLike) -> StructureFactors:
    """Structure factors of particles in free space, averaged over all directions: Debye's sum.

    S_ab(q) = δ_ab + Σ sin(q r)/(q r) / √(N_a N_b) over the pairs of different particles, with a box, if any, ignored.
    Distances are shared between the two nearest of bins whose width is 0.001 / q_max, which keeps their mean; the error
    of a term is below 2e-7.

    Args:
        found: particles; at most about 77,000.
        q: (M,) > 0 [1 / length].

    Raises:
        TrajectoryError: q that are not > 0, or too many pairs.
    """
    from scipy.spatial.distance import cdist

    wave = np.asarray(q, float)
    if wave.ndim != 1 or not len(wave) or not np.all(np.isfinite(wave)) or np.any(wave <= 0):
        raise TrajectoryError("q is a list of finite numbers > 0 (1 / length unit of the positions)")
    if found.n * (found.n - 1) / 2 > MAX_PAIRS:
        raise TrajectoryError(
            f"{found.n} particles have {found.n * (found.n - 1) / 2:.3g} pairs, of which {MAX_PAIRS:.3g} are summed: "
            "cut a part out, or use the periodic box"
        )
    width = _STEP / float(wave.max())
    diameter = float(np.linalg.norm(np.ptp(found.positions, axis=0)))
    size = math.ceil(diameter / width) + 2
    partial = {}
    for a, b in combinations_with_replacement(found.groups, 2):
        first, second = found.groups[a], found.groups[b]
        histogram = np.zeros(size)
        step = max(1, 4_000_000 // len(second))
        for start in range(0, len(first), step):
            place = cdist(first[start : start + step], second).ravel() / width
            if a == b:  # every pair twice, and each particle once with itself
                place = np.delete(
                    place,
                    np.arange(start, min(start + step, len(first)))
                    + len(second) * np.arange(min(step, len(first) - start)),
                )
            low = place.astype(np.intp)
            histogram += np.bincount(low, 1 - (place - low), size)
            histogram += np.bincount(low + 1, place - low, size)
        filled = np.flatnonzero(histogram)
        # Σ sin(qr)/qr of the distances is a sum of exp(iqr) along a line; at r = 0 the term is 1.
        r = filled * width
        line = np.stack([r, np.zeros_like(r), np.zeros_like(r)], axis=-1)
        along = np.stack([wave, np.zeros_like(wave), np.zeros_like(wave)], axis=-1)
        strength = np.divide(histogram[filled], r, out=np.zeros_like(r), where=r > 0)
        values = (
            histogram[0] + amplitudes_at(line, along, strength).imag / wave if len(r) else np.zeros(len(wave))
        )
        partial[a, b] = values / math.sqrt(len(first) * len(second)) + (a == b)
    return StructureFactors(wave, np.zeros(len(wave), np.intp), wave, partial, found.counts)


def saxs_free(found: Scatterers, q: ArrayLike, bodies: Mapping[str, Body]) -> Saxs:
    """Small-angle scattering of particles in free space (a cluster, a film by itself), turned in all directions.

    Bodies without a direction take Debye's sum. Others turn with the cluster: the mean over directions is a quadrature
    that is exact up to spherical harmonics of the degree q D, D the diameter of the cluster.

    Args:
        found: particles, a box being ignored.
        q: (M,) > 0 [1 / length].
        bodies: species → what it scatters, for every species.
    """
    chosen = bodies_for(bodies, list(found.groups))
    if all(body.isotropic for body in chosen.values()):
        pairs = debye(found, q)
        moments = {name: body.radial_moments(pairs.q) for name, body in chosen.items()}
        form = sum(found.counts[name] * square for name, (_, square) in moments.items()) / found.n
        intensity = np.array(form)
        for (a, b), values in pairs.partial.items():
            share = math.sqrt(found.counts[a] * found.counts[b]) / found.n * (1 if a == b else 2)
            cross = np.real(moments[a][0] * np.conj(moments[b][0]))
            intensity += share * cross * (values - (a == b))
        return Saxs(pairs.q, pairs.counts, intensity, np.asarray(form), found.counts)
    wave = np.asarray(q, float)
    if wave.ndim != 1 or not len(wave) or not np.all(np.isfinite(wave)) or np.any(wave <= 0):
        raise TrajectoryError("q is a list of finite numbers > 0 (1 / length unit of the positions)")
    totals = np.zeros((2, len(wave)))
    for index, weight, block in _shells(found, wave, max(body.radius for body in chosen.values())):
        coherent, own, alone = block_intensity(found.counts, chosen, block)
        totals[0] += np.bincount(index, weight * (np.abs(coherent) ** 2 + own), len(wave))
        totals[1] += np.bincount(index, weight * alone, len(wave))
    return Saxs(wave, np.zeros(len(wave), np.intp), totals[0] / found.n, totals[1] / found.n, found.counts)


def _shells(
    found: Scatterers, q: NDArray[np.float64], radius: float
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64], Block]]:
    """Directions of every |q| with their weights and amplitudes, in batches of bounded memory."""
    positions = found.positions
    centre = (positions.max(axis=0) + positions.min(axis=0)) / 2
    reach = 2 * (float(np.max(np.linalg.norm(positions - centre, axis=1))) + radius)
    batch: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = []
    size = 0
    for i, value in enumerate(q):
        batch.append((i, *sphere_quadrature(math.ceil(value * reach) + _EXTRA)))
        size += len(batch[-1][2])
        if size < _BATCH and i < len(q) - 1:
            continue
        k = np.concatenate([q[j] * direction for j, direction, _ in batch])
        index = np.concatenate([np.full(len(weight), j) for j, _, weight in batch])
        weight = np.concatenate([weight for _, _, weight in batch])
        parts = {name: amplitudes_at(x - centre, k) for name, x in found.groups.items()}
        yield index, weight, Block(k, q[index], np.ones(len(k)), parts)
        batch, size = [], 0
