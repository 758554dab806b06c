"""Lattice vectors of a grain from its Bragg peaks, at exact wave vectors.

The reciprocal lattice, k = h b₁ + k b₂ + l b₃, is deformed, k → k (1 + ε), until Σ_hkl |F(k)|² over the peaks is largest.
All nine components of ε are free, so a strained or turned grain is followed. Each peak weighs by its own height. The
search starts in the middle of the grain, where peaks are broad, and lets the part that counts grow.

Displacements u lower |F|² by exp(-k²u²), which pulls every maximum inwards and would make the cell too large by u² over
the grain's mean square extent along k (6e-4 for 9³ sites and u = 6 % of their distance). |F|² is therefore multiplied by
exp(k²u²), with u² from particles that are one lattice vector apart.

Compared with a peak in a powder pattern nothing is binned and no shape of a peak is assumed; compared with fitting sites
to particles nothing is assigned, so vacancies and interstitials leave no trace but noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.scattering.amplitudes import reciprocal

#: Peaks that are looked for reach to this many times 2π over the longest lattice vector; the strongest are used.
_REACH, _PEAKS = 4.0, 40
#: A peak counts if |F|² / N exceeds this and this share of the strongest. Of random points S is distributed as exp(-S).
_SIGNAL, _SHARE = 12.0, 0.1
#: First part of the grain: a sphere of this many particles; each next one is this much wider.
_START, _GROWTH = 60, 1.6
#: Largest error of the given cell, and phase at the rim of a part up to which a peak is still recognised.
_STRAIN, _PHASE = 0.05, 1.6
#: Groups of particles along each lattice vector for the uncertainty.
_BLOCKS = 3
#: Two particles one lattice vector apart are partners within this share of the nearest distance.
_PARTNER = 0.5
#: Smallest grain, and particles that are summed at once.
_LEAST, _CHUNK = 16, 20_000


def refine_cell(
    positions: ArrayLike, cell: ArrayLike, q_max: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Refine the cell of a grain by its peaks in S(k).

    Args:
        positions: (N, 3) of one species, in free space; a grain that crosses a periodic boundary must be put together
            first, unless the box holds whole cells of it.
        cell: (3, 3) approximate lattice vectors as rows, right to about 5 % and 3°.
        q_max: largest |k| of the peaks [1 / length]; None takes 8π over the longest lattice vector.

    Returns:
        (3, 3) refined lattice vectors as rows, and (3,) the standard errors of their lengths, by leaving out one of 27
        parts of the grain at a time. They contain what displacements and vacancies do, as far as these are independent
        from part to part; a strain of the whole grain is not an error.

    Raises:
        TrajectoryError: fewer than 16 particles, a cell without volume, or positions without peaks of this cell.

    >>> grid = np.stack(np.meshgrid(*[np.arange(6.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    >>> bool(np.allclose(refine_cell(1.02 * grid, np.eye(3))[0], 1.02 * np.eye(3)))
    True
    """
    x = np.asarray(positions, float)
    if x.ndim != 2 or x.shape[1] != 3 or len(x) < _LEAST or not np.all(np.isfinite(x)):
        raise TrajectoryError(
            f"refining a cell needs finite positions (N, 3) of at least {_LEAST} particles; got {x.shape}"
        )
    start = np.asarray(cell, float)
    b = reciprocal(start)
    longest = float(np.max(np.linalg.norm(start, axis=1)))
    if q_max is not None and not (math.isfinite(q_max) and q_max > 0):
        raise TrajectoryError(f"q_max must be a finite number > 0 (1 / length unit); got {q_max}")
    hkl = _indices(start, 2 * math.pi * _REACH / longest if q_max is None else q_max)
    x = x - x.mean(axis=0)
    distance = np.linalg.norm(x, axis=1)
    radius = float(np.sort(distance)[min(_START, len(x)) - 1])
    # At first the cell is rough, and only short wave vectors are surely on their peaks.
    surely = np.linalg.norm(hkl @ b, axis=1) * _STRAIN * radius <= _PHASE
    b = _climb(x[distance <= radius], b, hkl[surely])
    while radius < distance.max():
        radius *= _GROWTH
        b = _climb(x[distance <= radius], b, hkl)
    b = _climb(x, b, hkl)
    spread = _square_displacement(x, np.asarray(2 * math.pi * np.linalg.inv(b).T))
    b = _climb(x, b, hkl, spread)
    return np.asarray(2 * math.pi * np.linalg.inv(b).T), _errors(x, b, hkl, spread)


def _square_displacement(x: NDArray[np.float64], cell: NDArray[np.float64]) -> float:
    """Mean square displacement along one axis [length²], half of that between partners one lattice vector apart."""
    from scipy.spatial import KDTree

    tree = KDTree(x)
    reach = _PARTNER * float(np.median(tree.query(x, k=2)[0][:, 1]))
    found = []
    for step in cell:
        distance, partner = tree.query(x + step, distance_upper_bound=reach)
        there = np.isfinite(distance)
        if there.any():
            apart = x[partner[there]] - x[there] - step
            found.append(apart - apart.mean(axis=0))
    return float(np.mean(np.concatenate(found) ** 2)) / 2 if found else 0.0


def _indices(cell: NDArray[np.float64], q_max: float) -> NDArray[np.intp]:
    """(M, 3) hkl with |k| ≤ q_max of one half of reciprocal space."""
    reach = np.floor(q_max * np.linalg.norm(cell, axis=1) / (2 * math.pi) * (1 + 1e-9)).astype(int)
    hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    hkl = hkl[len(hkl) // 2 + 1 :]
    return np.asarray(hkl[np.linalg.norm(hkl @ reciprocal(cell), axis=1) <= q_max * (1 + 1e-9)], np.intp)


def _strong(x: NDArray[np.float64], b: NDArray[np.float64], hkl: NDArray[np.intp]) -> NDArray[np.float64]:
    """(M, 3) wave vectors of the strongest peaks among `hkl`.

    Raises:
        TrajectoryError: there are none, or all lie in one plane.
    """
    k = hkl @ b
    s = np.abs(sum(np.exp(1j * (k @ part.T)).sum(axis=1) for part in _chunks(x))) ** 2 / len(x)
    order = np.argsort(-s)[:_PEAKS]
    chosen = order[s[order] >= max(_SHARE * s.max(initial=0.0), min(_SIGNAL, 0.3 * len(x)))]
    if np.linalg.matrix_rank(hkl[chosen]) < 3 if len(chosen) else True:
        raise TrajectoryError(
            f"{len(x)} particles have no three independent Bragg peaks of this cell: the largest S(hkl) is "
            f"{s.max(initial=0.0):.3g}. Give a cell that is right to about 5 % and 3°, a single grain, or a larger q_max"
        )
    return np.asarray(k[chosen])


def _chunks(x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [x[start : start + _CHUNK] for start in range(0, len(x), _CHUNK)]


@dataclass(frozen=True)
class _Sums:
    """F (M,), dF/dk (M, 3) and d²F/dk² (M, 3, 3) at wave vectors k (M, 3)."""

    k: NDArray[np.float64]
    f: NDArray[np.complex128]
    first: NDArray[np.complex128]
    second: NDArray[np.complex128]

    @staticmethod
    def of(x: NDArray[np.float64], k: NDArray[np.float64], spread: float = 0.0) -> _Sums:
        """Plain sums over particles, as there are few wave vectors, times exp(spread k²/2) up to a constant."""
        f = np.zeros(len(k), complex)
        first, flat = np.zeros((len(k), 3), complex), np.zeros((len(k), 9), complex)
        for part in _chunks(x):
            wave = np.exp(1j * (k @ part.T))
            f += wave.sum(axis=1)
            first += 1j * (wave @ part)
            flat -= wave @ (part[:, :, None] * part[:, None, :]).reshape(-1, 9)
        second = flat.reshape(-1, 3, 3)
        if spread:
            arm = spread * k
            cross = arm[:, :, None] * first[:, None]
            second += cross + cross.transpose(0, 2, 1)
            second += (spread * np.eye(3) + arm[:, :, None] * arm[:, None]) * f[:, None, None]
            first += arm * f[:, None]
        return _Sums(k, f, first, second)

    def scaled(self, factor: NDArray[np.float64]) -> _Sums:
        """All sums times a factor (M,) of their wave vectors."""
        return _Sums(
            self.k, self.f * factor, self.first * factor[:, None], self.second * factor[:, None, None]
        )

    def without(self, other: _Sums) -> _Sums:
        """The sums over the particles that the other one does not have."""
        return _Sums(self.k, self.f - other.f, self.first - other.first, self.second - other.second)

    def objective(self, k_0: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Σ|F|², its slope (9,) and curvature (9, 9) with respect to ε in k = k₀ (1 + ε)."""
        slope = 2 * np.real(self.f[:, None].conj() * self.first)
        curvature = 2 * np.real(
            self.f[:, None, None].conj() * self.second + self.first[:, :, None].conj() * self.first[:, None]
        )
        matrix = np.einsum("mi,mk,mjl->ijkl", k_0, k_0, curvature).reshape(9, 9)
        return float(np.sum(np.abs(self.f) ** 2)), np.einsum("mi,mj->ij", k_0, slope).ravel(), matrix


def _climb(
    x: NDArray[np.float64], b: NDArray[np.float64], hkl: NDArray[np.intp], spread: float = 0.0
) -> NDArray[np.float64]:
    """Reciprocal lattice at the largest Σ|F|² exp(spread k²) next to `b`."""
    from scipy.optimize import minimize

    k_0 = _strong(x, b, hkl)
    last: dict[bytes, tuple[float, NDArray[np.float64], NDArray[np.float64]]] = {}

    def at(strain: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        key = strain.tobytes()
        if key not in last:
            k = k_0 @ (np.eye(3) + strain.reshape(3, 3))
            factor = np.exp(spread / 2 * np.sum(k**2 - k_0**2, axis=1))
            value, slope, matrix = _Sums.of(x, k, spread).scaled(factor).objective(k_0)
            # As large as 1, so that tolerances mean something.
            scale = len(x) ** 2 * len(k_0)
            last.clear()
            last[key] = -value / scale, -slope / scale, -(matrix + matrix.T) / (2 * scale)
        return last[key]

    # A step turns no phase at the rim of the grain by more than about 1.
    step = 1 / float(np.max(np.linalg.norm(k_0, axis=1)) * np.max(np.linalg.norm(x, axis=1)))
    found = minimize(
        lambda s: at(s)[0],
        np.zeros(9),
        jac=lambda s: at(s)[1],
        hess=lambda s: at(s)[2],
        method="trust-exact",
        options={"initial_trust_radius": step, "max_trust_radius": 2 * step, "gtol": 1e-10},
    )
    return np.asarray(b @ (np.eye(3) + found.x.reshape(3, 3)))


def _errors(
    x: NDArray[np.float64], b: NDArray[np.float64], hkl: NDArray[np.intp], spread: float
) -> NDArray[np.float64]:
    """Standard errors (3,) of the lengths of the lattice vectors: the jackknife over parts of the grain.

    Without a part the maximum moves by one Newton step, which needs only the sums over that part.
    """
    k = _strong(x, b, hkl)
    cell = 2 * math.pi * np.linalg.inv(b).T
    place = x @ np.linalg.inv(cell)
    cuts = np.quantile(place, np.arange(1, _BLOCKS) / _BLOCKS, axis=0)
    label = np.zeros(len(x), int)
    for axis in range(3):
        label = label * _BLOCKS + np.searchsorted(cuts[:, axis], place[:, axis])
    parts = [_Sums.of(x[label == i], k, spread) for i in np.unique(label)]
    total = _Sums.of(x, k, spread)
    change = []
    for part in parts:
        _, slope, matrix = total.without(part).objective(k)
        strain = -np.linalg.solve((matrix + matrix.T) / 2, slope).reshape(3, 3)
        change.append(np.linalg.norm(cell @ np.linalg.inv(np.eye(3) + strain).T, axis=1))
    spread = np.array(change) - np.mean(change, axis=0)
    return np.asarray(np.sqrt((len(parts) - 1) / len(parts) * np.sum(spread**2, axis=0)))
