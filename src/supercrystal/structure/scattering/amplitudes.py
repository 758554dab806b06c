"""Scattering amplitudes F_s(q) = Σ_j exp(i q·r_j) of point particles, by non-uniform FFT.

A periodic box has amplitudes on its reciprocal grid only, k = h b₁ + k b₂ + l b₃ with whole numbers and rows b_i of
2π (H⁻¹)ᵀ, where the rows of H are the edges of the box. On that grid the transform of type 1 gives the exact sum to
`TOLERANCE`, whatever the angles of the box, in a time that grows with N + M log M instead of N M. Anything that is not
periodic (a cluster, a film, a tilted grain) is asked at arbitrary q with the transform of type 3.

The transform is FINUFFT's: Barnett, Magland and af Klinteberg, SIAM J. Sci. Comput. 41, C479 (2019),
DOI 10.1137/18M120885X.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.box import edges as box_edges
from supercrystal.errors import TrajectoryError

if TYPE_CHECKING:
    from supercrystal.structure.trajectory import Configuration

#: Requested relative error of every transform; what comes out is measured in tests/test_amplitudes.py.
TOLERANCE = 1e-9
#: Largest grids: of amplitudes that are kept (16 bytes a point and species), and of those that are only averaged.
MAX_KEPT = 50_000_000
MAX_AVERAGED = 400_000_000
#: Points of the grid that are transformed at once: bounds the memory of an average.
_CHUNK = 1 << 22
#: Points of the fine grid inside a transform of type 3; wave vectors that would need more are transformed in parts.
_MAX_FINE = 30_000_000
#: Seconds on one core a pair of the plain sum, a point of type 3, and a point of its fine grid: which way is faster.
_DIRECT_S, _SPREAD_S, _FINE_S = 3e-8, 3e-6, 1.5e-7
#: Oversampling of the transforms. 2 is more than twice as slow on reciprocal grids and up to ten times at arbitrary
#: wave vectors, and gains no digit that is asked for.
_UPSAMPLING = 1.25
#: q_max itself belongs to the grid, also where rounding put a wave vector just above it.
_EDGE = 1 + 1e-9


@dataclass(frozen=True)
class Scatterers:
    """Particles by species, in a periodic box or in free space.

    Args:
        groups: species → positions (N_s, 3), N_s ≥ 1.
        cell: (3, 3) edges of the periodic box as rows, or None in free space.
    """

    groups: Mapping[str, NDArray[np.float64]]
    cell: NDArray[np.float64] | None

    @property
    def counts(self) -> dict[str, int]:
        """Particles of each species."""
        return {name: len(x) for name, x in self.groups.items()}

    @property
    def n(self) -> int:
        """Particles of all species."""
        return sum(self.counts.values())

    @property
    def positions(self) -> NDArray[np.float64]:
        """(N, 3) of all species, in the order of `groups`."""
        return np.concatenate(list(self.groups.values()))

    def free(self) -> Scatterers:
        """The same particles without periodic copies: a cluster or a film surrounded by nothing."""
        return Scatterers(self.groups, None)


def scatterers(
    box: ArrayLike | None,
    positions: ArrayLike,
    kinds: ArrayLike | None = None,
    species: Sequence[str] = ("A",),
) -> Scatterers:
    """Check particles and sort them by species.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz of a periodic box; None for particles in free space.
        positions: (N, 3).
        kinds: (N,) index of each particle into `species`; None for one species.
        species: names. One that no particle has is left out, as its structure factor would be 0/0.

    Raises:
        TrajectoryError: a box without volume, no particles, positions that are not finite, kinds that do not fit.

    >>> scatterers([2, 2, 2, 0, 0, 0], [[0, 0, 0], [1, 1, 1]], [0, 1], ["A", "B"]).counts
    {'A': 1, 'B': 1}
    """
    x = np.asarray(positions, float)
    if x.ndim != 2 or x.shape[1] != 3 or not len(x):
        raise TrajectoryError(f"scattering needs positions of the shape (N, 3) with N ≥ 1; got {x.shape}")
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x).all(axis=1)))
        raise TrajectoryError(
            f"{bad} of {len(x)} positions are not finite: the simulation that wrote them diverged; choose another frame"
        )
    index = np.zeros(len(x), int) if kinds is None else np.asarray(kinds)
    if index.shape != (len(x),) or index.dtype.kind not in "iu":
        raise TrajectoryError(
            f"{len(x)} positions need as many whole numbers as kinds; got {index.shape} {index.dtype}"
        )
    if index.min() < 0 or index.max() >= len(species):
        raise TrajectoryError(
            f"kinds index the {len(species)} species {', '.join(species)}; got {index.min()} to {index.max()}"
        )
    if len(set(species)) != len(species):
        raise TrajectoryError(f"species need different names; got {', '.join(species)}")
    groups = {name: x[index == i] for i, name in enumerate(species) if np.any(index == i)}
    return Scatterers(groups, None if box is None else edges(box))


def of_configuration(found: Configuration, free: bool = False) -> Scatterers:
    """Particles of a frame, in its box.

    Args:
        found: a frame.
        free: without periodic copies. Frames without a box and flat ones, whose box has no volume, are always free.
    """
    box = None if free or found.flat else found.box
    return scatterers(box, found.positions, found.kinds, found.species)


def edges(box: ArrayLike) -> NDArray[np.float64]:
    """Edges of a box (Lx, Ly, Lz, xy, xz, yz) as rows (3, 3).

    Raises:
        TrajectoryError: not six finite numbers, or a length that is not > 0.
    """
    try:
        values = np.asarray(box, float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (6,) or not np.all(np.isfinite(values)) or np.any(values[:3] <= 0):
        raise TrajectoryError(
            f"a box is six finite numbers Lx, Ly, Lz, xy, xz, yz with lengths > 0; got {box!r}. A flat "
            "system is scattered from as particles in free space: give no box"
        )
    return box_edges(values)


def reciprocal(cell: ArrayLike) -> NDArray[np.float64]:
    """Rows b_i (3, 3) with a_i·b_j = 2π δ_ij, for cell vectors a_i as rows.

    >>> (reciprocal(2 * np.eye(3)) / np.pi).round(12).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows = np.asarray(cell, float)
    if rows.shape != (3, 3) or not np.all(np.isfinite(rows)):
        raise TrajectoryError(f"a cell is three finite vectors as rows (3, 3); got {cell!r}")
    if abs(np.linalg.det(rows)) <= 1e-12 * float(np.prod(np.linalg.norm(rows, axis=1))):
        raise TrajectoryError(f"the cell vectors {rows.tolist()} lie in one plane: a cell needs a volume")
    return 2 * math.pi * np.linalg.inv(rows).T


def _reach(cell: NDArray[np.float64], q_max: float, limit: int) -> NDArray[np.intp]:
    """Largest |h|, |k|, |l| inside the sphere of radius `q_max`: h = k·a₁/2π ≤ q_max |a₁| / 2π.

    Raises:
        TrajectoryError: no q_max > 0, one that no wave vector of the box reaches, or more points than `limit`.
    """
    if not (math.isfinite(q_max) and q_max > 0):
        raise TrajectoryError(
            f"q_max must be a finite number > 0 (1 / length unit of the positions); got {q_max}"
        )
    reach = np.floor(q_max * _EDGE * np.linalg.norm(cell, axis=1) / (2 * math.pi))
    points = float(np.prod(2 * reach + 1))
    if points > limit:
        raise TrajectoryError(
            f"q_max = {q_max:.6g} takes {points:.3g} wave vectors of this box, of which {limit:.3g} are allowed; "
            f"choose q_max ≤ {q_max * (limit / points) ** (1 / 3):.3g}"
        )
    smallest = float(np.min(np.linalg.norm(reciprocal(cell), axis=1)))
    if reach.max() < 1:
        raise TrajectoryError(
            f"q_max = {q_max:.6g} lies below the shortest wave vectors of this box, about {smallest:.6g}: choose a "
            "larger one"
        )
    return np.asarray(reach, np.intp)


def _periodic(found: Scatterers) -> NDArray[np.float64]:
    if found.cell is None:
        raise TrajectoryError(
            "particles in free space have no reciprocal grid: use amplitudes_at or powder.debye"
        )
    return found.cell


def _fractional(found: Scatterers) -> dict[str, NDArray[np.float64]]:
    """Species → (3, N) contiguous angles in [-π, π]: 2π times fractional coordinates."""
    inverse = np.linalg.inv(_periodic(found))
    angles = {}
    for name, x in found.groups.items():
        s = x @ inverse
        s -= np.rint(s)
        angles[name] = np.ascontiguousarray(2 * math.pi * s.T)
    return angles


def _block(
    angles: NDArray[np.float64], low: NDArray[np.intp], high: NDArray[np.intp]
) -> NDArray[np.complex128]:
    """F(hkl) for low ≤ hkl ≤ high (inclusive), (high - low + 1) points.

    The transform gives modes around zero. A block that lies elsewhere is brought there by a phase of every particle.
    """
    import finufft

    shape = high - low + 1
    strengths = np.exp(1j * ((low + shape // 2) @ angles))
    modes = tuple(int(n) for n in shape)
    found = finufft.nufft3d1(
        *angles, strengths, modes, eps=TOLERANCE, isign=1, nthreads=1, upsampfac=_UPSAMPLING
    )
    return np.asarray(found, np.complex128)


@dataclass(frozen=True)
class Amplitudes:
    """Amplitudes on the whole reciprocal grid of a periodic box, hkl from -reach to +reach.

    Args:
        reciprocal: (3, 3) rows b_i [1 / length].
        reach: (3,) largest |h|, |k|, |l|.
        amplitude: species → complex F_s, shape 2 reach + 1. Corners beyond q_max are there too.
        counts: species → N_s.
    """

    reciprocal: NDArray[np.float64]
    reach: NDArray[np.intp]
    amplitude: Mapping[str, NDArray[np.complex128]]
    counts: Mapping[str, int]

    def at(self, species: str, hkl: ArrayLike) -> NDArray[np.complex128]:
        """F_s at the indices hkl (..., 3) of the *box*."""
        index = np.asarray(hkl, int) + self.reach
        if np.any(index < 0) or np.any(index > 2 * self.reach):
            raise TrajectoryError(
                f"indices up to ±{self.reach.tolist()} were computed; got {np.asarray(hkl).tolist()}"
            )
        return self.amplitude[_known(species, self.counts)][tuple(np.moveaxis(index, -1, 0))]

    def wave_vectors(self) -> NDArray[np.float64]:
        """(…, 3) wave vectors of the grid [1 / length]."""
        hkl = np.meshgrid(*(np.arange(-n, n + 1) for n in self.reach), indexing="ij")
        return np.stack(hkl, axis=-1) @ self.reciprocal

    def structure_factor(self, a: str, b: str) -> NDArray[np.float64]:
        """S_ab(hkl) = Re(F_a F_b*) / √(N_a N_b) on the grid; at hkl = 0 it is √(N_a N_b), the forward beam."""
        first, second = (self.amplitude[_known(name, self.counts)] for name in (a, b))
        return np.real(first * second.conj()) / math.sqrt(self.counts[a] * self.counts[b])

    def total(self) -> NDArray[np.float64]:
        """S(hkl) = |Σ_s F_s|² / N on the grid."""
        return np.abs(sum(self.amplitude.values())) ** 2 / sum(self.counts.values())


def _known(species: str, counts: Mapping[str, int]) -> str:
    if species not in counts:
        raise TrajectoryError(f"no particle is of the species '{species}'; there are {', '.join(counts)}")
    return species


def amplitudes(found: Scatterers, q_max: float) -> Amplitudes:
    """Amplitudes of every species on the reciprocal grid that encloses the sphere |q| ≤ q_max.

    Args:
        found: particles in a periodic box.
        q_max: [1 / length].

    Raises:
        TrajectoryError: free space, or a q_max that is not > 0, too small for the box or too large for the memory.

    >>> box = scatterers([1, 1, 1, 0, 0, 0], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> abs(amplitudes(box, 13.0).at("A", [[1, 0, 0], [1, 1, 0]])).round(6).tolist()
    [0.0, 2.0]
    """
    cell = _periodic(found)
    reach = _reach(cell, q_max, MAX_KEPT // len(found.groups))
    amplitude = {name: _block(angles, -reach, reach) for name, angles in _fractional(found).items()}
    return Amplitudes(reciprocal(cell), reach, amplitude, found.counts)


@dataclass(frozen=True)
class Block:
    """Wave vectors of one half of reciprocal space with their amplitudes.

    Args:
        k: (M, 3) wave vectors, 0 < |k| ≤ q_max.
        q: (M,) their lengths.
        weight: (M,) 2 where -k is not listed, else 1.
        amplitude: species → (M,) F_s.
    """

    k: NDArray[np.float64]
    q: NDArray[np.float64]
    weight: NDArray[np.float64]
    amplitude: Mapping[str, NDArray[np.complex128]]


def half_space(found: Scatterers, q_max: float) -> Iterator[Block]:
    """Every wave vector of the box with 0 < |k| ≤ q_max, h ≥ 0, in blocks of bounded memory.

    |F(-k)| = |F(k)|, so the half with h > 0 counts twice.
    """
    cell = _periodic(found)
    reach = _reach(cell, q_max, MAX_AVERAGED)
    b = reciprocal(cell)
    angles = _fractional(found)
    plane = int(np.prod(2 * reach[1:] + 1))
    thick = max(1, _CHUNK // plane)
    across = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach[1:]), indexing="ij"), -1) @ b[1:]
    for start in range(0, int(reach[0]) + 1, thick):
        stop = min(start + thick - 1, int(reach[0]))
        low, high = np.array([start, *-reach[1:]]), np.array([stop, *reach[1:]])
        h = np.arange(start, stop + 1)
        square = np.sum((h[:, None, None, None] * b[0] + across) ** 2, axis=-1)
        inside = (square > 0) & (square <= (q_max * _EDGE) ** 2)
        if start == 0:
            inside[0, reach[1], reach[2]] = False
        where = np.nonzero(inside)
        if not len(where[0]):
            continue
        yield Block(
            k=h[where[0]][:, None] * b[0] + across[where[1:]],
            q=np.sqrt(square[inside]),
            weight=np.where(h[where[0]] > 0, 2.0, 1.0),
            amplitude={name: _block(x, low, high)[inside] for name, x in angles.items()},
        )


def amplitudes_at(
    positions: ArrayLike, q: ArrayLike, strengths: ArrayLike | None = None
) -> NDArray[np.complex128]:
    """Σ_j c_j exp(i q·r_j) at arbitrary wave vectors.

    Args:
        positions: (N, 3).
        q: (..., 3) [1 / length].
        strengths: (N,) weight of each particle, real or complex; None is 1.

    Returns:
        Complex amplitudes of the shape of `q` without its last axis.

    >>> abs(amplitudes_at([[0, 0, 0], [1, 0, 0]], [[np.pi, 0, 0], [2 * np.pi, 0, 0]])).round(9).tolist()
    [0.0, 2.0]
    """
    x, wave = np.asarray(positions, float).reshape(-1, 3), np.asarray(q, float)
    if wave.shape[-1:] != (3,) or not np.all(np.isfinite(wave)):
        raise TrajectoryError(f"wave vectors are finite and of the shape (..., 3); got {wave.shape}")
    c = np.ones(len(x), complex) if strengths is None else np.asarray(strengths, complex)
    flat = wave.reshape(-1, 3)
    # The centre of the particles is taken out first: it only turns the phase, and would cost digits.
    centre = (x.max(axis=0) + x.min(axis=0)) / 2
    found = _either(x - centre, flat, c) if len(flat) else np.empty(0, complex)
    return (found * np.exp(1j * (flat @ centre))).reshape(wave.shape[:-1])


def direct_sum(
    x: NDArray[np.float64], q: NDArray[np.float64], c: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """The plain sum Σ_j c_j exp(i q·r_j), q (M, 3), in parts of bounded memory; transforms are held against it."""
    found = np.empty(len(q), complex)
    step = max(1, 1_000_000 // max(len(x), 1))
    for start in range(0, len(q), step):
        found[start : start + step] = np.exp(1j * (q[start : start + step] @ x.T)) @ c
    return found


def _either(
    x: NDArray[np.float64], q: NDArray[np.float64], c: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """The plain sum or a transform, whichever is faster; wave vectors are halved until the fine grid fits."""
    fine = 2 * _UPSAMPLING / math.pi * np.ptp(x, axis=0) / 2 * np.ptp(q, axis=0) + 12
    points = float(np.prod(fine))
    if _DIRECT_S * len(q) * len(x) <= _SPREAD_S * (len(q) + len(x)) + _FINE_S * min(points, _MAX_FINE):
        return direct_sum(x, q, c)
    if points > _MAX_FINE:
        axis = int(np.argmax(fine))
        lower = q[:, axis] <= (q[:, axis].min() + q[:, axis].max()) / 2
        found = np.empty(len(q), complex)
        for part in (lower, ~lower):
            found[part] = _either(x, q[part], c)
        return found
    return _type3(x, q, c)


def _type3(
    x: NDArray[np.float64], q: NDArray[np.float64], c: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    import finufft

    arrays: list[Any] = [np.ascontiguousarray(column) for column in (*x.T, c, *q.T)]
    found = finufft.nufft3d3(*arrays, eps=TOLERANCE, isign=1, nthreads=1, upsampfac=_UPSAMPLING)
    return np.asarray(found, np.complex128)
