"""Spacing and lattice constant of a crystal with thermal motion, defects and surfaces.

Bond lengths and peaks of g(r) are longer than the lattice's by a percent or more where particles vibrate, and Voronoi
cells are not: their volumes add up to the crystal's whatever the noise. The spacing is therefore taken from the mean
volume of cells well inside the crystal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.order import Labels, _nearest, freud_box

#: For each phase: nearest-neighbour distance over the cube root of the volume a particle owns; lattice constant over
#: nearest-neighbour distance; neighbours that must belong to the crystal for a particle to count as inside it.
_GEOMETRY = {
    "fcc": (2 ** (1 / 6), 2**0.5, 12),
    "hcp": (2 ** (1 / 6), 1.0, 12),
    "bcc": (3**0.5 / 2 * 2 ** (1 / 3), 2 / 3**0.5, 14),
    "sc": (1.0, 1.0, 6),
}
#: The particles inside the crystal are sorted into this many columns of equal count to see how the spacing varies.
BLOCKS = 8
#: Close-packed planes count as parallel to the film if this share of bonds lies where such planes have them.
TEXTURE = 0.8


@dataclass(frozen=True)
class Spacing:
    """Spacing of one crystal, in the unit of the positions.

    `uncertainty` is a standard error: the larger of that over frames and that over blocks of space. It says how well this
    crystal's mean is known, not how much another run's would differ.
    """

    phase: str
    nearest_neighbour: float
    uncertainty: float
    lattice_constant: float
    lattice_constant_uncertainty: float
    particles: int  #: inside the crystal, mean over frames
    frames: int
    in_plane: float = float(
        "nan"
    )  #: nearest-neighbour distance within close-packed planes parallel to the film
    interlayer: float = float("nan")  #: distance of those planes

    @property
    def anisotropy(self) -> float:
        """Distance of the planes over its ideal value for `in_plane`, √(2/3); nan without such planes [-]."""
        return self.interlayer / (self.in_plane * (2 / 3) ** 0.5)


def _inside(box: ArrayLike, positions: ArrayLike, labels: Labels, phase: str) -> NDArray[np.bool_]:
    """Particles of the crystal all of whose neighbours belong to it too."""
    crystal = labels.crystalline(phase)
    count = _GEOMETRY[phase][2]
    bonds = _nearest((freud_box(box), np.asarray(positions, float)), count)
    neighbours = np.asarray(bonds.point_indices).reshape(-1, count)
    inside: NDArray[np.bool_] = crystal & crystal[neighbours].all(axis=1)
    return inside


def _volumes(box: ArrayLike, positions: ArrayLike) -> NDArray[np.float64]:
    import freud

    return np.asarray(
        freud.locality.Voronoi().compute((freud_box(box), np.asarray(positions, float))).volumes
    )


def lattice_spacing(frames: Sequence[tuple[ArrayLike, ArrayLike, Labels]], phase: str) -> Spacing:
    """Measure the spacing of a crystal.

    Args:
        frames: (box, positions (N, 3), labels) of one or more frames of the same particles.
        phase: the crystal to measure; fcc and hcp mean the close-packed one, whatever its stacking.

    Raises:
        TrajectoryError: no frame has a particle inside such a crystal, or the phase has no lattice.
    """
    if phase not in _GEOMETRY:
        raise TrajectoryError(f"a spacing is defined for {', '.join(_GEOMETRY)}; got '{phase}'")
    ratio, lattice, _ = _GEOMETRY[phase]
    means, blocks, counts = [], [], []
    for box, positions, labels in frames:
        inside = _inside(box, positions, labels, phase)
        if not inside.any():
            continue
        volumes = _volumes(box, positions)[inside]
        means.append(float(np.mean(volumes)))
        counts.append(len(volumes))
        blocks.append(_block_means(np.asarray(positions, float)[inside], volumes))
    if not means:
        raise TrajectoryError(
            f"no particle lies inside a {phase} crystal with all its neighbours: the crystal is too small to measure"
        )
    volume = float(np.mean(means))
    over_frames = float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0
    columns = np.mean([b for b in blocks if len(b) == max(map(len, blocks))], axis=0)
    over_space = float(np.std(columns, ddof=1) / np.sqrt(len(columns))) if len(columns) > 1 else 0.0
    d = ratio * volume ** (1 / 3)
    error = max(over_frames, over_space) * d / (3 * volume)
    in_plane, interlayer = _layers(frames, phase) if phase in ("fcc", "hcp") else (float("nan"), float("nan"))
    return Spacing(
        phase=phase,
        nearest_neighbour=d,
        uncertainty=error,
        lattice_constant=lattice * d,
        lattice_constant_uncertainty=lattice * error,
        particles=round(float(np.mean(counts))),
        frames=len(means),
        in_plane=in_plane,
        interlayer=interlayer,
    )


def _block_means(positions: NDArray[np.float64], volumes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean volume in columns of equal count: halves along x, y and z, as far as there are particles."""
    groups = [np.arange(len(volumes))]
    for axis in range(3):
        if min(map(len, groups)) >= 4:
            groups = [
                half
                for group in groups
                for half in np.array_split(group[np.argsort(positions[group, axis], kind="stable")], 2)
            ]
    assert len(groups) <= BLOCKS
    return np.array([np.mean(volumes[group]) for group in groups])


def _layers(frames: Sequence[tuple[ArrayLike, ArrayLike, Labels]], phase: str) -> tuple[float, float]:
    """In-plane bond length and distance of close-packed planes parallel to z = const; nan if there are none.

    Positions are averaged over the frames first, because a thermal bond is longer than the lattice's.
    """
    box, first, labels = frames[-1]
    cell: Any = freud_box(box)
    reference = np.asarray(first, float)
    moved = [cell.wrap(np.asarray(positions, float) - reference) for _, positions, _ in frames]
    average = cell.wrap(reference + np.mean(moved, axis=0))
    inside = np.flatnonzero(_inside(box, reference, labels, phase))
    bonds = _nearest((cell, average), 12)
    mine = np.isin(bonds.query_point_indices, inside)
    vectors, lengths = np.asarray(bonds.vectors)[mine], np.asarray(bonds.distances)[mine]
    if len(lengths) == 0:
        return float("nan"), float("nan")
    steepness = np.abs(vectors[:, 2]) / lengths
    flat, steep = steepness < 0.3, np.abs(steepness - (2 / 3) ** 0.5) < 0.2
    # In planes parallel to the film half of the bonds are flat and half climb at 54.7 degrees.
    if np.mean(flat | steep) < TEXTURE or abs(np.mean(flat) - 0.5) > 0.1:
        return float("nan"), float("nan")
    return float(np.mean(lengths[flat])), float(np.mean(np.abs(vectors[steep, 2])))
