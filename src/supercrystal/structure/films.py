"""Films: profiles of density and composition along z, and layers.

The film lies in the plane of the box vectors a₁ and a₂, which is normal to z; a tilted a₃ leaves the area Lx Ly and the
volume Lx Ly dz of a slice as they are. A film across the periodic boundary in z is opened at its largest gap.

Order within a layer is that of `supercrystal.structure.monolayers`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.monolayers import PlaneOrder, checked, json_value, plane_order

if TYPE_CHECKING:
    from supercrystal.structure.trajectory import Configuration

#: A median nearest-neighbour distance below this over the box's largest edge is that of particles at the same place.
SAME_PLACE = 1e-6
#: A profile is counted in bins of `FINE` and smoothed by a Gaussian of `SMOOTH` median nearest-neighbour distances.
FINE, SMOOTH = 0.02, 0.10
#: A peak of the smoothed profile separates layers if it stands out from its valleys by this share of its height and by
#: this many standard deviations of the count, and its particles are a layer if their heights have a standard deviation
#: below `THIN` nearest-neighbour distances. A uniform density between planes one distance apart has 0.29. Films of fcc,
#: hcp, bcc and sc have all their layers up to noise 0.12 d, and no thicker than 0.14 d; 1,280 columns of 70 to 1,100
#: particles cut out of liquids (WCA at density 0.50 to 0.85, Lennard-Jones) had none.
CONTRAST, DEVIATIONS, THIN = 0.5, 4.0, 0.27
#: A layer ends where the smoothed profile falls below this share of its peak, if not at a valley before.
FOOT = 0.01


class Opened(NamedTuple):
    """A film whose heights run on without a break."""

    positions: NDArray[np.float64]  #: (N, 3); what lay below the gap is moved up by the box vector a₃
    gap: float  #: largest empty interval of heights [length]; for a box not periodic in z that at both of its ends
    low: float  #: height at which the profile begins: the middle of the gap, or the box's lower end
    height: float  #: Lz


def open_film(box: ArrayLike, positions: ArrayLike, *, periodic_z: bool = True) -> Opened:
    """Heights of a film that may lie across the periodic boundary in z.

    The box is cut in the middle of the largest gap between successive heights. A film within the box stays where it is.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz.
        positions: (N, 3).
        periodic_z: False for a slab between walls or surfaces at z = ±Lz/2, whose heights are taken as they are.

    Raises:
        TrajectoryError: a flat box, positions that are not finite, or heights outside a box not periodic in z.

    >>> film = open_film([5, 5, 10, 0, 0, 0], [[0, 0, 4.5], [0, 0, -4.5], [0, 0, 3.5]])
    >>> film.positions[:, 2].tolist(), film.gap, film.low
    ([4.5, 5.5, 3.5], 8.0, -0.5)
    """
    values, x = checked(box, positions)
    lz = float(values[2])
    if lz == 0:
        raise TrajectoryError(
            "the box is flat (Lz = 0): a two-dimensional system has no heights; take monolayers.plane_order"
        )
    if not periodic_z:
        z = x[:, 2]
        ends = z.min() + lz / 2, lz / 2 - z.max()
        if min(ends) < 0:
            raise TrajectoryError(
                f"a box that is not periodic in z must hold all heights: they run from {z.min():.6g} to {z.max():.6g}, "
                f"the box from {-lz / 2:.6g} to {lz / 2:.6g}"
            )
        return Opened(x.copy(), float(sum(ends)), -lz / 2, lz)
    wrapped = x[:, 2] - lz * np.floor(x[:, 2] / lz + 0.5)
    ordered = np.sort(wrapped)
    gaps = np.diff(ordered, append=ordered[0] + lz)
    at = int(np.argmax(gaps))
    # Where the largest gap is that at the boundary, nothing is moved.
    low = ordered[at] + gaps[at] / 2
    if at == len(gaps) - 1:
        low -= lz
    turns = np.floor((x[:, 2] - low) / lz)
    a3 = lz * np.array([values[4], values[5], 1.0])
    return Opened(x - turns[:, None] * a3, float(gaps[at]), float(low), lz)


@dataclass(frozen=True)
class Profile:
    """Number density along z.

    Args:
        edges: (B + 1,) heights of the bins' edges [length].
        density: (S, B) of each species [1/length³]; with the volume of its slice each bin gives whole particles.
        species: S names.
        area: Lx Ly [length²].
    """

    edges: NDArray[np.float64]
    density: NDArray[np.float64]
    species: tuple[str, ...]
    area: float

    @property
    def centres(self) -> NDArray[np.float64]:
        """(B,) middle of each bin [length]."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def composition(self) -> NDArray[np.float64]:
        """(S, B) share of each species among the particles of a bin [-], NaN in empty bins."""
        total = self.density.sum(axis=0)
        return np.divide(self.density, total, out=np.full_like(self.density, np.nan), where=total > 0)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; null for the composition of empty bins."""
        shares = [[None if math.isnan(x) else x for x in row] for row in self.composition.tolist()]
        return {
            "z": self.centres.tolist(),
            "bin_width": float(self.edges[1] - self.edges[0]),
            "density": dict(zip(self.species, self.density.tolist(), strict=True)),
            "composition": dict(zip(self.species, shares, strict=True)),
        }


def profile(
    box: ArrayLike,
    positions: ArrayLike,
    kinds: ArrayLike | None = None,
    species: Sequence[str] = ("A",),
    *,
    width: float | None = None,
    periodic_z: bool = True,
) -> Profile:
    """Density of every species along z, over the whole height of the box.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz.
        positions: (N, 3).
        kinds: (N,) index into `species`; all 0 unless given. A species may have no particles.
        species: names.
        width: of the bins [length], changed a little so that a whole number fills the box. A fifth of the median
            nearest-neighbour distance unless given; a hundredth of Lz where there is none.
        periodic_z: as `open_film`.

    Raises:
        TrajectoryError: as `open_film`; kinds that fit neither particles nor species; a width that is not positive.
    """
    film = open_film(box, positions, periodic_z=periodic_z)
    values = np.asarray(box, float)
    if width is None:
        near = _nearest(values, film.positions, periodic_z)
        width = near / 5 if math.isfinite(near) else film.height / 100
    if not (math.isfinite(width) and width > 0):
        raise TrajectoryError(f"the width of a bin must be a finite length > 0; got {width}")
    count = max(round(film.height / width), 1)
    of = _kinds(kinds, species, len(film.positions))
    edges = film.low + film.height * np.arange(count + 1) / count
    bins = np.clip(((film.positions[:, 2] - film.low) / film.height * count).astype(int), 0, count - 1)
    counts = np.bincount(of * count + bins, minlength=len(species) * count).reshape(len(species), count)
    area = float(values[0] * values[1])
    return Profile(edges, counts / (area * film.height / count), tuple(species), area)


def _kinds(kinds: ArrayLike | None, species: Sequence[str], n: int) -> NDArray[np.intp]:
    of = np.zeros(n, np.intp) if kinds is None else np.asarray(kinds)
    if of.shape != (n,) or not np.issubdtype(of.dtype, np.integer) or np.any((of < 0) | (of >= len(species))):
        raise TrajectoryError(
            f"kinds are {n} whole numbers from 0 to {len(species) - 1}, one a particle; got {np.asarray(kinds).tolist()}"
        )
    return of.astype(np.intp)


def _nearest(box: NDArray[np.float64], positions: NDArray[np.float64], periodic_z: bool) -> float:
    """Median distance to the nearest neighbour; NaN for a single particle."""
    import freud

    if len(positions) < 2:
        return math.nan
    lengths = box[:3] * [1, 1, 1 if periodic_z else 3]
    cell = freud.box.Box(*lengths, *(box[3:] / [1, 1 if periodic_z else 3, 1 if periodic_z else 3]))
    x = cell.wrap(positions)
    found = (
        freud.locality.AABBQuery(cell, x).query(x, {"num_neighbors": 1, "exclude_ii": True}).toNeighborList()
    )
    near = float(np.median(found.distances)) if len(found.distances) else math.nan
    if near <= SAME_PLACE * float(np.max(box[:3])):
        raise TrajectoryError(
            f"half of the particles are within {near:.3g} of another, in a box of {box[:3].tolist()}: profiles need one "
            "position for each nanocrystal; leave out the beads of rigid bodies"
        )
    return near


@dataclass(frozen=True)
class Layer:
    """One layer of a film.

    Args:
        height: mean height of its particles [length].
        uncertainty: standard error of it, particles taken as independent.
        thickness: standard deviation of the heights [length].
        particles: their number.
        areal_density: over Lx Ly [1/length²].
        composition: species → share of the particles [-].
        order: in the plane, of all its particles.
        order_by_species: the same of each species of a mixed layer.
        members: (n,) indices of its particles.
    """

    height: float
    uncertainty: float
    thickness: float
    particles: int
    areal_density: float
    composition: dict[str, float]
    order: PlaneOrder | None
    order_by_species: dict[str, PlaneOrder]
    members: NDArray[np.intp]

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without the members; null for what is not defined."""
        plain = {
            k: json_value(v)
            for k, v in vars(self).items()
            if k not in ("members", "order", "order_by_species")
        }
        return plain | {
            "order": None if self.order is None else self.order.to_dict(),
            "order_by_species": {name: order.to_dict() for name, order in self.order_by_species.items()},
        }


@dataclass(frozen=True)
class Layers:
    """Layers of a film from the lowest, and their mean distance [length] with its standard error.

    The uncertainty is the larger of what the layers' own give and what their scatter about even distances gives; NaN for
    less than two. It takes one frame's particles as independent.
    """

    layers: tuple[Layer, ...]
    spacing: float
    uncertainty: float
    outside: int  #: particles in no layer

    def to_dict(self) -> dict[str, Any]:
        """As JSON; null for what is not defined."""
        return {
            "layers": [layer.to_dict() for layer in self.layers],
            "spacing": json_value(self.spacing),
            "spacing_uncertainty": json_value(self.uncertainty),
            "particles_outside": self.outside,
        }


def layers(
    box: ArrayLike,
    positions: ArrayLike,
    kinds: ArrayLike | None = None,
    species: Sequence[str] = ("A",),
    *,
    periodic_z: bool = True,
) -> Layers:
    """Layers of a film, from the peaks of its density along z.

    A liquid film without layers has none. A layer with two particles above each other has no order in the plane.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz.
        positions: (N, 3).
        kinds: (N,) index into `species`; all 0 unless given.
        species: names.
        periodic_z: as `open_film`.

    Raises:
        TrajectoryError: as `profile`.
    """
    film = open_film(box, positions, periodic_z=periodic_z)
    values, of = np.asarray(box, float), _kinds(kinds, species, len(film.positions))
    near = _nearest(values, film.positions, periodic_z)
    found = []
    if math.isfinite(near):
        area = float(values[0] * values[1])
        for members in _members(film, near, area):
            found.append(_layer(values, film.positions, of, species, members, area))
        found = [layer for layer in found if layer.thickness < THIN * near]
    spacing, uncertainty = _spacing(found)
    outside = len(film.positions) - sum(layer.particles for layer in found)
    return Layers(tuple(found), spacing, uncertainty, outside)


def _members(film: Opened, near: float, area: float) -> list[NDArray[np.intp]]:
    """Particles of each peak of the smoothed profile, from the lowest."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    z, step = film.positions[:, 2], FINE * near
    # Beyond the film there is nothing to count: empty margins stand for the rest of the box.
    margin = 6 * SMOOTH * near
    edges = np.arange(z.min() - margin, z.max() + margin + step, step)
    counts = gaussian_filter1d(np.histogram(z, edges)[0].astype(float), SMOOTH / FINE, mode="constant")
    peaks, found = find_peaks(counts, prominence=0)
    # A Gaussian of width s has the count of 2√π s at its density, as far as fluctuations go.
    window = 2 * math.sqrt(math.pi) * SMOOTH / FINE
    clear = found["prominences"] >= np.maximum(
        CONTRAST * counts[peaks], DEVIATIONS * np.sqrt(counts[peaks] / window)
    )
    peaks = peaks[clear]
    members = []
    for number, peak in enumerate(peaks):
        below = peaks[number - 1] if number else 0
        above = peaks[number + 1] if number + 1 < len(peaks) else len(counts) - 1
        start = below + int(np.argmin(counts[below:peak])) if number else 0
        stop = peak + int(np.argmin(counts[peak : above + 1])) if number + 1 < len(peaks) else len(counts) - 1
        low = np.flatnonzero(counts[start : peak + 1] < FOOT * counts[peak])
        high = np.flatnonzero(counts[peak : stop + 1] < FOOT * counts[peak])
        first = start + low[-1] if len(low) else start
        last = peak + high[0] if len(high) else stop
        members.append(np.flatnonzero((z >= edges[first]) & (z < edges[last])))
    return [one for one in members if len(one) > 1]


def _layer(
    box: NDArray[np.float64], x: NDArray[np.float64], of: NDArray[np.intp], species: Sequence[str],
    members: NDArray[np.intp], area: float,
) -> Layer:  # fmt: skip
    z, n = x[members, 2], len(members)
    counts = np.bincount(of[members], minlength=len(species))
    present = np.flatnonzero(counts).tolist()
    by_species = {}
    if len(present) > 1:
        parts = {species[k]: _order(box, x[members[of[members] == k]]) for k in present}
        by_species = {name: order for name, order in parts.items() if order is not None}
    return Layer(
        height=float(z.mean()),
        uncertainty=float(z.std(ddof=1) / n**0.5),
        thickness=float(z.std(ddof=1)),
        particles=n,
        areal_density=n / area,
        composition={name: float(count / n) for name, count in zip(species, counts, strict=True)},
        order=_order(box, x[members]),
        order_by_species=by_species,
        members=members,
    )


def _order(box: NDArray[np.float64], x: NDArray[np.float64]) -> PlaneOrder | None:
    try:
        return plane_order(box, x)
    except TrajectoryError:
        return None  # two above each other


def _spacing(found: Sequence[Layer]) -> tuple[float, float]:
    """Slope of height against number, and its standard error."""
    if len(found) < 2:
        return math.nan, math.nan
    z, error = np.array([f.height for f in found]), np.array([f.uncertainty for f in found])
    k = np.arange(len(z)) - (len(z) - 1) / 2
    slope = float(k @ z / (k @ k))
    own = float(np.sqrt(np.sum((k * error) ** 2)) / (k @ k))
    if len(z) < 3:
        return slope, own
    rest = z - z.mean() - slope * k
    return slope, max(own, float(np.sqrt(rest @ rest / (len(z) - 2) / (k @ k))))


@dataclass(frozen=True)
class FilmReport:
    """A film or monolayer: `order` of a two-dimensional system, else `profile` and `layers`."""

    unit: str
    dimensions: int
    particles: int
    area: float
    gap: float  #: largest empty interval of heights; NaN in two dimensions
    profile: Profile | None
    layers: Layers | None
    order: PlaneOrder | None
    order_by_species: dict[str, PlaneOrder]

    def to_dict(self) -> dict[str, Any]:
        """As JSON; null for what is not defined."""
        plain = {
            key: json_value(getattr(self, key)) for key in ("unit", "dimensions", "particles", "area", "gap")
        }
        parts = {key: getattr(self, key) for key in ("profile", "layers", "order")}
        return (
            plain
            | {key: None if part is None else part.to_dict() for key, part in parts.items()}
            | {"order_by_species": {name: order.to_dict() for name, order in self.order_by_species.items()}}
        )


def describe_film(
    configuration: Configuration, *, width: float | None = None, periodic_z: bool = True
) -> FilmReport:
    """Profile and layers of a configuration, or the order of a two-dimensional one.

    Args:
        configuration: of one frame.
        width: of the profile's bins, as `profile`.
        periodic_z: as `open_film`.

    Raises:
        TrajectoryError: as `profile`, `layers` and, in two dimensions, `plane_order`.
    """
    box, x = checked(configuration.box, configuration.positions)
    kinds, species = configuration.kinds, configuration.species
    area = float(box[0] * box[1])
    if configuration.flat:
        parts = (
            {species[int(k)]: plane_order(box, x[kinds == k]) for k in np.unique(kinds)}
            if len(species) > 1
            else {}
        )
        return FilmReport(
            configuration.unit, 2, len(x), area, math.nan, None, None, plane_order(box, x), parts
        )
    return FilmReport(
        unit=configuration.unit,
        dimensions=3,
        particles=len(x),
        area=area,
        gap=open_film(box, x, periodic_z=periodic_z).gap,
        profile=profile(box, x, kinds, species, width=width, periodic_z=periodic_z),
        layers=layers(box, x, kinds, species, periodic_z=periodic_z),
        order=None,
        order_by_species={},
    )
