"""Diffraction pattern of a selected area down a zone axis, with indices: the plane q·n = 0 of reciprocal space.

The Ewald sphere is taken as flat, which it is for electrons: at 200 kV and q = 1 / nm it leaves the plane by
λq²/4π = 2e-4 / nm. Scattering is single (kinematic), so intensities are those of thin or weakly scattering samples.

Particles in free space have exact amplitudes everywhere in the plane. A periodic box has them at its own wave vectors
only; there the pattern is that of the endless crystal seen through a Gaussian aperture, whose transform of the width σ_q
each wave vector |F|² is drawn with, also those that lie just above or below the plane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError, TrajectoryError
from supercrystal.structure.scattering.amplitudes import (
    Block,
    Scatterers,
    amplitudes_at,
    half_space,
    reciprocal,
)
from supercrystal.structure.scattering.form_factors import Body, bodies_for, points
from supercrystal.structure.scattering.powder import block_intensity

#: Width σ_q of spots of a periodic box: this share of its shortest wave vector, but not below this many pixels.
_WIDTH, _PIXELS = 0.5, 0.75
#: Wave vectors farther than this many σ_q above or below the plane are not seen.
_SIGMAS = 4.0
#: Maxima that are reported where no cell gives indices: at least this share of the strongest.
_LEAST = 0.02


@dataclass(frozen=True)
class Spot:
    """One spot of a pattern.

    Args:
        hkl: indices in the given cell; None where no cell was given.
        position: along the pattern's two axes [1 / length].
        q: distance from the direct beam [1 / length].
        intensity: per particle, |F|² / N.
    """

    hkl: tuple[int, int, int] | None
    position: tuple[float, float]
    q: float
    intensity: float

    @property
    def spacing(self) -> float:
        """Distance d = 2π / q of the lattice planes [length]."""
        return 2 * math.pi / self.q


@dataclass(frozen=True)
class Pattern:
    """A diffraction pattern.

    Args:
        q: (P,) of the pixels along both axes, through 0 in the middle [1 / length].
        intensity: (P, P) |F|² / N over the first and second axis.
        axes: (3, 3) unit vectors of the first axis, the second axis and the direction towards the source.
        spots: strongest first.
    """

    q: NDArray[np.float64]
    intensity: NDArray[np.float64]
    axes: NDArray[np.float64]
    spots: tuple[Spot, ...]


def pattern(
    found: Scatterers,
    q_max: float,
    zone: Sequence[float] = (0, 0, 1),
    cell: ArrayLike | None = None,
    bodies: Mapping[str, Body] | None = None,
    pixels: int = 255,
) -> Pattern:
    """Pattern down one direction.

    Args:
        found: particles in a periodic box, or in free space (`Scatterers.free`): a grain, a film, a cluster.
        q_max: half the width of the pattern [1 / length].
        zone: zone axis [uvw] of the cell, whole numbers; without a cell a direction x, y, z.
        cell: (3, 3) lattice vectors as rows [length], as they lie in space; gives the spots their indices.
        bodies: species → what it scatters; None takes points of weight 1.
        pixels: along each axis; odd numbers have one in the middle.

    Raises:
        PhysicsError: a zone axis that is zero or not of whole numbers, or bodies that are not those of the species.
        TrajectoryError: a q_max that is not > 0 or too large, or a cell without volume.

    >>> from supercrystal.structure.scattering.amplitudes import scatterers
    >>> bcc = scatterers([2, 2, 2, 0, 0, 0], [[0, 0, 0], [1, 1, 1]])
    >>> [spot.hkl for spot in pattern(bcc, 4.6, (0, 0, 1), 2 * np.eye(3)).spots if spot.intensity > 1e-9]
    [(1, 1, 0), (1, -1, 0), (-1, 1, 0), (-1, -1, 0)]
    """
    if not (math.isfinite(q_max) and q_max > 0 and pixels >= 3):
        raise TrajectoryError(
            f"a pattern needs a finite q_max > 0 and at least 3 pixels; got {q_max} and {pixels}"
        )
    chosen = bodies_for(bodies or points(dict.fromkeys(found.groups, 1.0)), list(found.groups))
    lattice = None if cell is None else np.asarray(cell, float)
    hkl = np.empty((0, 3), int) if lattice is None else _zone_law(lattice, zone, q_max)
    axes = _axes(zone, lattice, hkl)
    q = np.linspace(-q_max, q_max, pixels)
    if found.cell is None:
        plane = np.stack(np.meshgrid(q, q, indexing="ij"), axis=-1) @ axes[:2]
        image = _at(found, chosen, plane.reshape(-1, 3), axes).reshape(pixels, pixels)
    else:
        image = _through_aperture(found, chosen, q, axes)
    spots = (
        maxima(q, image) if lattice is None else _spots(found, chosen, hkl, hkl @ reciprocal(lattice), axes)
    )
    spots.sort(key=lambda spot: (-round(spot.intensity, 9), *(-i for i in spot.hkl or ())))
    return Pattern(q, image, axes, tuple(spots))


def _zone_law(cell: NDArray[np.float64], zone: Sequence[float], q_max: float) -> NDArray[np.intp]:
    """(M, 3) indices with hu + kv + lw = 0 and 0 < |k| ≤ q_max."""
    uvw = np.asarray(zone, float)
    if uvw.shape != (3,) or not np.all(np.isfinite(uvw)) or np.any(uvw != np.rint(uvw)) or not np.any(uvw):
        raise PhysicsError(
            f"a zone axis [uvw] of a cell is three whole numbers, not all 0; got {list(zone)}. Without a cell any "
            "direction is allowed"
        )
    b = reciprocal(cell)
    reach = np.floor(q_max * np.linalg.norm(cell, axis=1) / (2 * math.pi) * (1 + 1e-9)).astype(int)
    hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ b, axis=1)
    return np.asarray(hkl[(hkl @ uvw == 0) & (length > 0) & (length <= q_max * (1 + 1e-9))], np.intp)


def _axes(
    zone: Sequence[float], cell: NDArray[np.float64] | None, hkl: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Right-handed unit vectors: the zone axis last, the shortest spot of positive indices along the first."""
    direction = np.asarray(zone, float)
    if direction.shape != (3,) or not np.all(np.isfinite(direction)) or not np.any(direction):
        raise PhysicsError(f"a direction is three finite numbers, not all 0; got {list(zone)}")
    beam = direction if cell is None else direction @ cell
    beam = beam / np.linalg.norm(beam)
    if cell is not None and len(hkl):
        k = hkl @ reciprocal(cell)
        order = np.lexsort((*-hkl.T[::-1], np.round(np.linalg.norm(k, axis=1), 9)))
        first = k[order[0]]
    else:
        # The coordinate axis after the one that is nearest to the beam: x for a beam along z.
        first = np.roll(np.eye(3)[int(np.argmax(np.abs(beam)))], 1)
        first = first - (first @ beam) * beam
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(beam, first), beam])


def _at(
    found: Scatterers, bodies: Mapping[str, Body], k: NDArray[np.float64], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Intensity per particle at wave vectors (M, 3), without periodic copies."""
    # Along the pattern's own axes the wave vectors are flat, which spares the transform its third dimension.
    flat = k @ axes.T
    block = Block(
        k,
        np.linalg.norm(k, axis=1),
        np.ones(len(k)),
        {name: amplitudes_at(x @ axes.T, flat) for name, x in found.groups.items()},
    )
    coherent, own, _ = block_intensity(found.counts, bodies, block)
    return np.asarray((np.abs(coherent) ** 2 + own) / found.n)


def _through_aperture(
    found: Scatterers, bodies: Mapping[str, Body], q: NDArray[np.float64], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    assert found.cell is not None
    step = float(q[1] - q[0])
    shortest = float(np.min(np.linalg.norm(reciprocal(found.cell), axis=1)))
    width = max(_WIDTH * shortest, _PIXELS * step)
    pixels = len(q)
    image = np.zeros((pixels + 2) ** 2)
    for block in half_space(found, math.hypot(math.sqrt(2) * float(q[-1]), _SIGMAS * width)):
        seen = block.k @ axes.T
        near = np.abs(seen[:, 2]) < _SIGMAS * width
        near &= np.all(np.abs(seen[:, :2]) <= q[-1] + step, axis=1)
        if not near.any():
            continue
        part = Block(
            block.k[near],
            block.q[near],
            block.weight[near],
            {name: f[near] for name, f in block.amplitude.items()},
        )
        coherent, own, _ = block_intensity(found.counts, bodies, part)
        value = (np.abs(coherent) ** 2 + own) * np.exp(-(seen[near, 2] ** 2) / (2 * width**2))
        for sign in (1, -1):  # |F(-k)| = |F(k)|, and only where -k is not listed
            share = value if sign > 0 else value * (part.weight - 1)
            place = (sign * seen[near, :2] - q[0]) / step + 1  # one pixel of rim takes what lies just outside
            low = np.clip(np.floor(place).astype(int), 0, pixels)
            rest = place - low
            for x, y in ((0, 0), (0, 1), (1, 0), (1, 1)):
                part_share = np.abs(1 - x - rest[:, 0]) * np.abs(1 - y - rest[:, 1])
                index = (low[:, 0] + x) * (pixels + 2) + low[:, 1] + y
                image += np.bincount(index, share * part_share, image.size)
    blurred = gaussian_filter(
        image.reshape(pixels + 2, pixels + 2), width / step, mode="constant", truncate=_SIGMAS
    )
    # A wave vector in the plane has its |F|² / N as the height of its spot.
    return np.asarray(blurred[1:-1, 1:-1] * 2 * math.pi * (width / step) ** 2 / found.n)


def _spots(
    found: Scatterers,
    bodies: Mapping[str, Body],
    hkl: NDArray[np.intp],
    k: NDArray[np.float64],
    axes: NDArray[np.float64],
) -> list[Spot]:
    """Spots of the given indices; in a periodic box with the amplitude of its nearest wave vector."""
    if not len(hkl):
        return []
    asked = k
    if found.cell is not None:
        asked = np.rint(k @ found.cell.T / (2 * math.pi)) @ reciprocal(found.cell)
    height = _at(found, bodies, asked, axes)
    place = k @ axes[:2].T
    return [
        Spot((int(h[0]), int(h[1]), int(h[2])), (float(x), float(y)), float(np.hypot(x, y)), float(value))
        for h, (x, y), value in zip(hkl, place, height, strict=True)
    ]


def maxima(q: NDArray[np.float64], image: NDArray[np.float64]) -> list[Spot]:
    """Local maxima away from the direct beam, where no cell is known."""
    from scipy.ndimage import maximum_filter

    top = maximum_filter(image, size=5) == image
    # The direct beam with its wings: the image falls from the middle until it first rises again.
    x, y = np.meshgrid(q, q, indexing="ij")
    radius = np.hypot(x, y)
    ring = np.rint(radius / (q[1] - q[0])).astype(int)
    profile = np.array([image[ring == r].max() for r in range(len(q) // 2)])
    rises = np.flatnonzero(np.diff(profile) > 0)
    beam = (rises[0] if len(rises) else 0) * (q[1] - q[0])
    top &= radius > max(beam, q[1] - q[0])
    if not top.any():
        return []
    top &= image >= _LEAST * image[top].max()
    return [
        Spot(None, (float(q[i]), float(q[j])), float(radius[i, j]), float(image[i, j]))
        for i, j in zip(*np.nonzero(top), strict=True)
    ]
