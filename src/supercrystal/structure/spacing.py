"""Spacing and lattice constant of a crystal with thermal motion, defects and surfaces.

Bond lengths and peaks of g(r) are longer than the lattice's by a percent or more where particles vibrate, and Voronoi
cells are not: their volumes add up to the crystal's whatever the noise. The spacing is therefore taken from the mean
volume of cells well inside the crystal and away from its vacancies, whose volume goes to the cells around them.

Measured on fcc, hcp, bcc and sc with up to 2 % of vacancies, noise 0.03 to 0.08 d, periodic and as slabs: the mean over
seeds is within 0.06 % of the lattice's d. Without the exclusion 2 % of vacancies add 0.7 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from supercrystal.errors import TrajectoryError
from supercrystal.structure.films import open_film
from supercrystal.structure.order import CLOSE_PACKED, Labels
from supercrystal.structure.sample import Sample, freud_box, sample, widths


class _Geometry(NamedTuple):
    ratio: float  #: nearest-neighbour distance d over the cube root of the volume a particle owns
    lattice: float  #: lattice constant over d
    neighbours: int  #: neighbours that must belong to the crystal for a particle to be inside it
    hole: float  #: largest distance, over d, from a particle to a corner of its cell where no neighbour is missing


#: `hole`: the corners of a cell are the centres of the empty spheres around it. In a perfect lattice the largest has
#: the radius 0.707 d (fcc, hcp), 0.645 d (bcc) or 0.866 d (sc). At noise 0.08 d it is in 99 % of the cells below 0.80 d
#: (fcc, hcp, bcc) or 0.93 d (sc); beside a vacancy it is in nine of ten cells above 0.84 d (fcc, hcp), 0.79 d (bcc) or
#: 0.90 d (sc).
_GEOMETRY = {
    "fcc": _Geometry(2 ** (1 / 6), 2**0.5, 12, 0.82),
    "hcp": _Geometry(2 ** (1 / 6), 1.0, 12, 0.82),
    "bcc": _Geometry(3**0.5 / 2 * 2 ** (1 / 3), 2 / 3**0.5, 14, 0.80),
    "sc": _Geometry(1.0, 1.0, 6, 0.92),
}
#: Edges of the blocks of space whose scatter gives the uncertainty, over d, tried in turn until there are `MIN_BLOCKS`.
BLOCK_EDGES = (4.0, 3.0, 2.0)
MIN_BLOCKS = 8
#: Close-packed planes are parallel to the film if, of the 12 bonds of a particle inside the crystal, at least this many
#: are less than `FLAT_DEGREES` from the plane (6 are; in a (100) film 4) and the density wave along z is this strong.
FLAT_BONDS, FLAT_DEGREES, WAVE = 5.0, 25.0, 0.5


@dataclass(frozen=True)
class Spacing:
    """Spacing of one crystal, in the unit of the positions.

    `uncertainty` is a standard error: the larger of that over frames and that over blocks of space. It says how well
    this crystal's mean is known, not how much another run's would differ.
    """

    phase: str
    nearest_neighbour: float
    uncertainty: float
    lattice_constant: float
    lattice_constant_uncertainty: float
    particles: int  #: inside the crystal and away from vacancies, mean over the frames that have any
    frames: int
    spread: float = math.nan  #: standard deviation over cells
    in_plane: float = math.nan  #: nearest-neighbour distance within close-packed planes parallel to the film
    interlayer: float = math.nan  #: distance of those planes
    note: str = ""  #: what to know before trusting the numbers

    @property
    def anisotropy(self) -> float:
        """Distance of the planes over its ideal value for `in_plane`, √(2/3); nan without such planes [-]."""
        return self.interlayer / (self.in_plane * (2 / 3) ** 0.5)


@dataclass(frozen=True)
class _Cells:
    """The cells of one frame that count: their volumes, and where they are as fractions of the box."""

    volumes: NDArray[np.float64]
    places: NDArray[np.float64]


def _inside(found: Sample, crystal: NDArray[np.bool_], phase: str) -> NDArray[np.bool_]:
    """Particles of the crystal all of whose neighbours belong to it too."""
    inside: NDArray[np.bool_] = crystal & crystal[found.nearest(_GEOMETRY[phase].neighbours)].all(axis=1)
    return inside


def _cells(
    found: Sample, box: Any, chosen: NDArray[np.bool_], crystal: NDArray[np.bool_], phase: str
) -> _Cells:
    """Cells of the `chosen` particles that touch no vacancy."""
    import freud

    voronoi = freud.locality.Voronoi().compute((found.box, found.positions))
    index = np.flatnonzero(chosen)
    volumes = np.asarray(voronoi.volumes, float)
    d = _GEOMETRY[phase].ratio * float(np.median(volumes[: found.n][crystal])) ** (1 / 3)
    corners = voronoi.polytopes  # computed anew at each access
    counts = [len(corners[i]) for i in index]
    centres = np.repeat(found.positions[index], counts, axis=0)
    arms = found.box.wrap(np.concatenate([corners[i] for i in index]) - centres)
    holes = np.maximum.reduceat(np.linalg.norm(arms, axis=1), np.concatenate([[0], np.cumsum(counts)[:-1]]))
    index = index[holes <= _GEOMETRY[phase].hole * d]
    places = np.asarray(freud_box(box).make_fractional(found.positions[index]), float) % 1
    return _Cells(volumes[index], places)


def lattice_spacing(frames: Sequence[tuple[ArrayLike, ArrayLike, Labels]], phase: str) -> Spacing:
    """Measure the spacing of a crystal.

    A cell counts if its particle and all of that one's neighbours belong to the crystal and no vacancy touches it. If
    no particle has only such neighbours, the cells of all its particles count and `note` says so.

    The uncertainty is the larger of two cluster-robust standard errors of the mean volume. Over blocks of space, fixed
    in the box and summed over the frames, so that a frame seen twice adds nothing. And over stretches of 1, 2, 4 …
    successive frames, at least four, of which the largest counts, so that frames closer than their correlation time
    are not taken as independent. For one frame the first is rather too wide, because neighbouring cells exchange
    volume: on slabs and crystals with vacancies the error over it has a root mean square of 0.3 to 1.2. The second is
    too narrow for short series: it covers 70 % of the truths for 8 independent frames, 54 % for 16 correlation times
    and 39 % for 4, where 68 % would be right.

    Args:
        frames: (box, positions (N, 3), labels) of one or more frames of the same particles, in the order of time.
        phase: the crystal to measure; fcc and hcp mean the close-packed one, whatever its stacking. The lattice
            constant is the cube's edge for fcc, and d for hcp.

    Raises:
        TrajectoryError: no frame has such a crystal, the phase has no lattice, or labels of other particles.
    """
    if phase not in _GEOMETRY:
        raise TrajectoryError(f"a spacing is defined for {', '.join(_GEOMETRY)}; got '{phase}'")
    prepared = []
    for box, positions, labels in frames:
        found = sample(box, positions)
        if len(labels.phase) != found.n:
            raise TrajectoryError(f"{found.n} positions need as many labels; got {len(labels.phase)}")
        crystal = labels.crystalline(phase)
        prepared.append((found, box, crystal, _inside(found, crystal, phase)))
    note = ""
    cells = [_cells(f, box, inside, crystal, phase) for f, box, crystal, inside in prepared if inside.any()]
    if not sum(len(c.volumes) for c in cells):
        note = "no particle has only crystal around it: cells at the crystal's edge count, which are often too large"
        cells = [_cells(f, box, crystal, crystal, phase) for f, box, crystal, _ in prepared if crystal.any()]
    cells = [c for c in cells if len(c.volumes)]
    if not cells:
        raise TrajectoryError(
            f"no particle lies inside a {phase} crystal away from surfaces and vacancies: the crystal is too small to "
            "measure"
        )
    geometry = _GEOMETRY[phase]
    volumes = np.concatenate([c.volumes for c in cells])
    volume = float(np.mean(volumes))
    d = geometry.ratio * volume ** (1 / 3)
    across = widths(freud_box(frames[0][0]))
    error = max(_over_space(cells, across / d), _over_time(cells)) * d / (3 * volume)
    in_plane, interlayer = _layers(prepared, d, volume) if phase in CLOSE_PACKED else (math.nan, math.nan)
    return Spacing(
        phase=phase,
        nearest_neighbour=d,
        uncertainty=error,
        lattice_constant=geometry.lattice * d,
        lattice_constant_uncertainty=geometry.lattice * error,
        particles=round(len(volumes) / len(cells)),
        frames=len(cells),
        spread=float(np.std(geometry.ratio * np.cbrt(volumes))),
        in_plane=in_plane,
        interlayer=interlayer,
        note=note,
    )


def _six(cell: Any) -> list[float]:
    return [cell.Lx, cell.Ly, cell.Lz, cell.xy, cell.xz, cell.yz]


def _standard_error(residuals: NDArray[np.float64], cluster: NDArray[np.intp]) -> float:
    """Standard error of a mean whose residuals are independent between clusters and anything within; nan for one."""
    sums = np.bincount(np.unique(cluster, return_inverse=True)[1], residuals)
    if len(sums) < 2:
        return math.nan
    return float(np.sqrt(np.sum(sums**2) * len(sums) / (len(sums) - 1)) / len(residuals))


def _over_space(cells: Sequence[_Cells], widths: NDArray[np.float64]) -> float:
    """Standard error over blocks of space; over all cells as if independent where there are too few for two blocks."""
    volumes = np.concatenate([c.volumes for c in cells])
    places = np.concatenate([c.places for c in cells])
    residuals = volumes - volumes.mean()
    found = math.nan
    for edge in BLOCK_EDGES:
        blocks = np.maximum(np.floor(widths / edge), 1).astype(int)
        at = np.minimum((places * blocks).astype(int), blocks - 1)
        cluster = np.ravel_multi_index(tuple(at.T), tuple(blocks))
        found = _standard_error(residuals, cluster)
        if len(np.unique(cluster)) >= MIN_BLOCKS:
            break
    return found if math.isfinite(found) else _standard_error(residuals, np.arange(len(residuals)))


def _over_time(cells: Sequence[_Cells]) -> float:
    """Largest standard error over stretches of frames of which at least four (or as many as there are) remain."""
    volumes = np.concatenate([c.volumes for c in cells])
    residuals = volumes - volumes.mean()
    frame = np.repeat(np.arange(len(cells)), [len(c.volumes) for c in cells])
    if len(cells) < 2:
        return 0.0
    lengths = [1]
    while len(cells) // (2 * lengths[-1]) >= 4:
        lengths.append(2 * lengths[-1])
    return max(_standard_error(residuals, frame // length) for length in lengths)


def _layers(
    prepared: Sequence[tuple[Sample, Any, NDArray[np.bool_], NDArray[np.bool_]]], d: float, volume: float
) -> tuple[float, float]:
    """In-plane distance and distance of close-packed planes parallel to z = const; nan if there are none.

    The density wave along z of the crystal's particles numbers the planes, and their distance h is the slope of height
    against number. In the plane a particle owns the area ``volume / h = √3/2 d²``: no bond length, which heat makes
    longer, is used.
    """
    none = (math.nan, math.nan)
    heights, flat = [], []
    for found, _, crystal, inside in prepared:
        if inside.any():
            bonds = found.bonds(num_neighbors=12)
            steepness = np.abs(bonds.vectors[:, 2]) / bonds.distances
            count = np.sum(steepness.reshape(-1, 12) < math.sin(math.radians(FLAT_DEGREES)), axis=1)
            flat.append(float(np.mean(count[: found.n][inside])))
            heights.append(open_film(_six(found.box), found.positions[: found.n][crystal]).positions[:, 2])
    if not flat or np.mean(flat) < FLAT_BONDS:
        return none
    extent = min(float(np.ptp(z)) for z in heights)
    ideal = d * (2 / 3) ** 0.5
    if extent < 1.5 * ideal:  # fewer than three planes
        return none

    def strength(wave: float) -> float:
        power = [abs(np.sum(np.exp(1j * wave * z))) ** 2 for z in heights]
        return float(np.sqrt(np.sum(power) / np.sum([len(z) ** 2 for z in heights])))

    # The peak is 2π / extent wide; an eighth of that finds it, and the search refines it.
    low, high = 2 * math.pi / (1.1 * ideal), 2 * math.pi / (0.9 * ideal)
    waves = np.linspace(low, high, max(16, math.ceil((high - low) * extent / (2 * math.pi) * 8)))
    best = int(np.argmax([strength(wave) for wave in waves]))
    if best in (0, len(waves) - 1):
        return none
    wave = minimize_scalar(
        lambda k: -strength(k), bounds=(waves[best - 1], waves[best + 1]), method="bounded"
    ).x
    if strength(wave) < WAVE:
        return none
    # Heat weakens short waves more and so draws the peak to a longer period; the planes' mean heights are not shifted.
    cross = square = 0.0
    for z in heights:
        phase = np.angle(np.sum(np.exp(1j * wave * z)))
        plane = np.rint((wave * z - phase) / (2 * math.pi))
        cross += float(np.sum((plane - plane.mean()) * z))
        square += float(np.sum((plane - plane.mean()) ** 2))
    h = cross / square
    return math.sqrt(2 * volume / (3**0.5 * h)), h
