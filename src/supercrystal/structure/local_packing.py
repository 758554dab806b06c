"""Local packing fraction: the share of its own cell that each particle fills.

The cells are those of the power diagram (radical Voronoi or Laguerre cells): the face between i and j lies where
``|x - x_i|² - r_i² = |x - x_j|² - r_j²``, so that it does not cut the larger of two touching spheres, as the bisector of
unweighted cells does. Aurenhammer, SIAM J. Comput. 16, 78 (1987), DOI 10.1137/0216006; for mixtures of spheres Gellatly
and Finney, J. Non-Cryst. Solids 50, 313 (1982), DOI 10.1016/0022-3093(82)90093-X. Adding one constant to all r² leaves
the diagram as it is.

Voro++ (Rycroft, Chaos 19, 041111 (2009), DOI 10.1063/1.3215722; Lu, Lazar and Rycroft, DOI 10.1016/j.cpc.2023.108832)
computes the cells through multivoro, which takes rectangular boxes. For tilted ones the periodic images around the box
are given as particles of their own. A cell computed with too few images is too large and never too small, so cells whose
volumes add up to the box are the right ones; the images are doubled until they do.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.box import edges
from supercrystal.errors import TrajectoryError, nearest

if TYPE_CHECKING:
    from supercrystal.structure.trajectory import Configuration

#: Cells fill the box to this relative precision, or are refused.
FILLS = 1e-9
#: Particles closer than this, over the cube root of the volume per particle, coincide: Voro++ gives them no cell, or one
#: that overlaps others.
COINCIDENT = 1e-5
#: Images are added within this distance of a tilted box at first, and within twice, four times … as much after that,
#: over the cube root of the volume per particle.
FIRST_SHELL = 3.0
MAX_IMAGES = 4_000_000
#: A cell borders empty space if its `reach` exceeds this many cube roots of the mean volume of the smaller half of the
#: cells. Largest reach among 3,000 equal particles, in that unit: 0.98 in crystals (fcc, hcp, bcc, sc) at noise 0.08 d,
#: 1.15 beside their vacancies, 1.04 to 1.17 in liquids of density 0.85 to 0.50 (WCA). Least in the outermost layer of
#: fcc (111) and sc (100) films whose periodic images are two distances apart: 1.6. Bcc (100) films expose two layers.
OPEN = 1.2


@dataclass(frozen=True)
class Cells:
    """Cells of a power diagram, in the order of the particles.

    Args:
        volumes: (N,) [length³]; 0 for a particle whose larger neighbours leave it none.
        faces: (N,) number of faces.
        reach: (N,) √(|v - x|² - r² + r_min²) of the cell's farthest corner v, with the smallest radius r_min of all
            [length]: the distance of v where radii are equal. 0 where that is negative, and for a particle without cell.
        walled: (N,) whether the cell ends at a wall of a box that is not periodic in z.
    """

    volumes: NDArray[np.float64]
    faces: NDArray[np.intp]
    reach: NDArray[np.float64]
    walled: NDArray[np.bool_]


@dataclass(frozen=True)
class LocalPacking:
    """Packing of each particle.

    Args:
        fractions: (N,) volume of the particle over that of its cell [-]; infinite without a cell. Above 1 the particles
            overlap, or are no spheres.
        volumes: (N,) of the particles [length³].
        cells: of the power diagram.
        open: (N,) whether the cell borders empty space, so that its volume says nothing.
    """

    fractions: NDArray[np.float64]
    volumes: NDArray[np.float64]
    cells: Cells
    open: NDArray[np.bool_]

    def mean(self, where: ArrayLike | None = None) -> float:
        """Volume of the chosen particles over the volume of their cells [-]; all closed cells unless told otherwise.

        This is the mean weighted by the cells' volumes, which over a whole periodic box equals the box's packing
        fraction. NaN where nothing is chosen, or it has no volume.
        """
        chosen = ~self.open if where is None else np.asarray(where, bool)
        space = float(self.cells.volumes[chosen].sum())
        return float(self.volumes[chosen].sum()) / space if space > 0 else float("nan")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep Voro++'s reports of memory growth, one for each cell of a perfect lattice, off stderr; pass on the rest."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        try:
            os.dup2(caught.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught.read().decode(errors="replace").splitlines():
                if "memory scaled up" not in line:
                    print(line, file=sys.stderr)


def _ragged(parts: list[NDArray[Any]], empty: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Parts laid end to end, and where each begins."""
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])[:-1].astype(np.intp)
    return np.concatenate([*parts, empty]), starts


def _volumes(
    corners: NDArray[np.float64], corner0: NDArray[np.intp], loops: NDArray[np.intp], loop0: NDArray[np.intp],
    faces: NDArray[np.intp],
) -> NDArray[np.float64]:  # fmt: skip
    """Volumes of polyhedra by the divergence theorem.

    Args:
        corners: of all polyhedra, relative to a point of each.
        corner0: (N,) where each polyhedron's corners begin.
        loops: for each face the number of its corners and then these, as numbers within the polyhedron.
        loop0: (N,) where each polyhedron's loops begin.
        faces: (N,) number of faces.
    """
    volumes = np.zeros(len(faces))
    at = loop0.copy()
    # The k-th faces of all polyhedra at once, and of these the triangle between the first, j-th and next corner.
    for k in range(int(faces.max(initial=0))):
        these = np.flatnonzero(faces > k)
        size = loops[at[these]]
        for j in range(2, int(size.max())):
            cell = these[size > j]
            a, b, c = (corners[corner0[cell] + loops[at[cell] + n]] for n in (1, j, j + 1))
            volumes[cell] += np.einsum("ij,ij->i", a, np.cross(b, c))
        at[these] += size + 1
    return np.abs(volumes) / 6


def _tessellate(
    points: NDArray[np.float64], weights: NDArray[np.float64], limits: NDArray[np.float64],
    periodic: tuple[bool, bool, bool], count: int,
) -> Cells:  # fmt: skip
    """Cells of the first `count` points among all; `weights` are r² ≥ 0."""
    import multivoro

    with _without_chatter():
        found = multivoro.compute_voronoi(
            points, radii=np.sqrt(weights), limits=limits, periodic_boundaries=periodic
        )[:count]
    corners, corner0 = _ragged([cell.get_vertices() for cell in found], np.empty((0, 3)))
    loops, loop0 = _ragged([cell.get_face_vertices() for cell in found], np.empty(0, np.intp))
    neighbours = [cell.get_neighbors() for cell in found]
    faces = np.array([len(near) for near in neighbours], np.intp)
    owner = np.repeat(np.arange(count), np.diff(corner0, append=len(corners)))
    arms = corners - points[owner]
    power = np.zeros(count)
    np.maximum.at(power, owner, np.einsum("ij,ij->i", arms, arms) - weights[owner])
    return Cells(
        volumes=_volumes(arms, corner0, loops.astype(np.intp), loop0, faces),
        faces=faces,
        reach=np.sqrt(power),
        walled=np.array([bool(np.any(near < 0)) for near in neighbours], bool),
    )


def _checked(
    box: ArrayLike, positions: ArrayLike, radii: ArrayLike, periodic_z: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Box (6,), its vectors as rows, fractional positions in [0, 1) of the periodic directions, and radii (N,)."""
    values, x = np.asarray(box, float), np.asarray(positions, float)
    if values.shape != (6,) or not np.all(np.isfinite(values)) or np.any(values[:3] < 0):
        raise TrajectoryError(f"a box is six finite numbers Lx, Ly, Lz, xy, xz, yz; got {box!r}")
    if np.any(values[:3] == 0):
        raise TrajectoryError(
            f"the box {values.tolist()} is flat: local packing is of volumes. For a two-dimensional system take the "
            "areal density and order from supercrystal.structure.monolayers"
        )
    if x.ndim != 2 or x.shape[1] != 3 or not len(x):
        raise TrajectoryError(f"positions must have the shape (N, 3) with N ≥ 1; got {x.shape}")
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x).all(axis=1)))
        raise TrajectoryError(
            f"{bad} of {len(x)} positions are not finite: the simulation that wrote them diverged"
        )
    vectors = edges(values)
    places = x @ np.linalg.inv(vectors) + 0.5
    if not periodic_z and not np.all((places[:, 2] >= 0) & (places[:, 2] < 1)):
        raise TrajectoryError(
            f"a box that is not periodic in z must hold all heights: they run from {x[:, 2].min():.6g} to "
            f"{x[:, 2].max():.6g}, the box from {-values[2] / 2:.6g} to {values[2] / 2:.6g}"
        )
    places %= 1
    places[places >= 1] = 0.0  # what rounding made of a tiny negative number
    try:
        r = np.broadcast_to(np.asarray(radii, float), len(x))
    except ValueError:
        raise TrajectoryError(f"{len(x)} positions need one radius each; got {np.shape(radii)}") from None
    if not np.all(np.isfinite(r)) or np.any(r < 0):
        raise TrajectoryError(f"radii must be finite and ≥ 0; got {r.min():.6g} to {r.max():.6g}")
    return values, vectors, places, np.array(r)


def _refuse_coincident(places: NDArray[np.float64], vectors: NDArray[np.float64], periodic_z: bool) -> None:
    from scipy.spatial import cKDTree

    limit = COINCIDENT * (abs(np.linalg.det(vectors)) / len(places)) ** (1 / 3)
    steepest = float(np.linalg.norm(np.linalg.inv(vectors), 2))
    tree = cKDTree(places, boxsize=(1, 1, 1 if periodic_z else 0))
    pairs = tree.query_pairs(min(limit * steepest, 0.49), output_type="ndarray")
    steps = places[pairs[:, 0]] - places[pairs[:, 1]]
    steps -= np.rint(steps) * [1, 1, periodic_z]
    close = np.linalg.norm(steps @ vectors, axis=1) <= limit
    if np.any(close):
        i, j = pairs[close][0]
        raise TrajectoryError(
            f"particles {i} and {j} are at the same place: local packing needs one position for each nanocrystal; leave "
            "out the beads of rigid bodies, and frames written before the overlaps were relaxed"
        )


def power_cells(box: ArrayLike, positions: ArrayLike, radii: ArrayLike, *, periodic_z: bool = True) -> Cells:
    """Cells of the power diagram of a periodic box, tilted or not.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz.
        positions: (N, 3), N ≥ 1, in or outside the box.
        radii: (N,) or one for all, ≥ 0 [length].
        periodic_z: False for a slab between walls at z = ±Lz/2, which then bound its cells.

    Raises:
        TrajectoryError: a flat box, positions or radii that are not finite, coincident particles, heights outside a box
            that is not periodic in z, or cells that do not fill the box to `FILLS`.

    >>> cells = power_cells([10, 1, 1, 0, 0, 0], [[0, 0, 0], [5, 0, 0]], radii=[2, 1])
    >>> [round(float(v), 4) for v in cells.volumes]
    [5.6, 4.4]
    """
    values, vectors, places, r = _checked(box, positions, radii, periodic_z)
    _refuse_coincident(places, vectors, periodic_z)
    # Voro++'s tolerances are absolute: lengths are given to it in units of the mean distance.
    volume = float(np.prod(values[:3]))
    unit = (volume / len(places)) ** (1 / 3)
    weights = (r**2 - np.min(r**2)) / unit**2
    scaled = vectors / unit
    if not np.any(values[3:]):
        lengths = np.diag(scaled)
        cells = _tessellate(
            np.minimum(places * lengths, np.nextafter(lengths, 0)), weights,
            np.array([np.zeros(3), lengths]), (True, True, periodic_z), len(places),
        )  # fmt: skip
        fits = abs(cells.volumes.sum() / len(places) - 1) < FILLS
    else:
        cells, fits = _with_images(places, weights, scaled, periodic_z)
    if not fits:
        raise TrajectoryError(
            f"the cells of {len(places)} particles add up to {cells.volumes.sum() / len(places):.12g} of the box instead "
            f"of 1: some are {unit * 1e-3:.3g} or less apart, or the box is too skewed; reduce its tilt factors, and "
            "leave out frames with overlaps"
        )
    return Cells(cells.volumes * unit**3, cells.faces, cells.reach * unit, cells.walled)


def _with_images(
    places: NDArray[np.float64], weights: NDArray[np.float64], vectors: NDArray[np.float64], periodic_z: bool
) -> tuple[Cells, bool]:
    widths = 1 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
    n, shell = len(places), FIRST_SHELL
    while True:
        share = np.where([True, True, periodic_z], shell / widths, 0.0)
        steps = np.array(list(np.ndindex(*(2 * np.ceil(share).astype(int) + 1)))) - np.ceil(share)
        steps = steps[np.argsort(np.any(steps != 0, axis=1), kind="stable")]  # the box itself first
        spots = (places + steps[:, None]).reshape(-1, 3)
        near = np.all((spots >= -share) & (spots < 1 + share), axis=1)
        points = (spots @ vectors)[near]
        low, high = points.min(axis=0) - 1, points.max(axis=0) + 1
        if not periodic_z:
            low[2], high[2] = 0.0, vectors[2, 2]
        cells = _tessellate(
            points, np.resize(weights, len(spots))[near], np.array([low, high]), (False,) * 3, n
        )
        closed = periodic_z and not np.any(cells.walled)
        fits = abs(cells.volumes.sum() / n - 1) < FILLS and (closed or not periodic_z)
        if fits or len(points) * 8 > MAX_IMAGES:
            return cells, bool(fits)
        shell *= 2


def local_packing(
    box: ArrayLike,
    positions: ArrayLike,
    *,
    radii: ArrayLike | None = None,
    volumes: ArrayLike | None = None,
    periodic_z: bool = True,
) -> LocalPacking:
    """Local packing fraction of each particle.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz.
        positions: (N, 3).
        radii: (N,) or one for all [length], which place the faces of the cells. Without them those of spheres of the
            same volume, as for cubes.
        volumes: (N,) or one for all [length³], of the particles themselves. Without them those of spheres of `radii`.
        periodic_z: as `power_cells`.

    Raises:
        TrajectoryError: neither radii nor volumes, or as `power_cells`.
    """
    n = len(np.asarray(positions))
    if radii is None and volumes is None:
        raise TrajectoryError(
            "local packing needs sizes: give radii of spheres, volumes of other shapes, or both"
        )
    if volumes is not None:
        given = np.asarray(volumes, float)
        if given.shape not in ((), (n,)) or not np.all(np.isfinite(given)) or np.any(given < 0):
            raise TrajectoryError(f"volumes are {n} finite numbers ≥ 0, or one; got {volumes}")
    else:
        given = 4 / 3 * np.pi * np.asarray(radii, float) ** 3
    placed = np.cbrt(3 / (4 * np.pi) * given) if radii is None else radii
    cells = power_cells(box, positions, placed, periodic_z=periodic_z)
    own = np.array(np.broadcast_to(given, n))
    with np.errstate(divide="ignore", invalid="ignore"):
        fractions = np.where(cells.volumes > 0, own / cells.volumes, np.inf)
    return LocalPacking(fractions, own, cells, _open(cells))


def _open(cells: Cells) -> NDArray[np.bool_]:
    dense = np.sort(cells.volumes)[: max(len(cells.volumes) // 2, 1)]
    return cells.walled | (cells.reach > OPEN * np.mean(dense) ** (1 / 3))


@dataclass(frozen=True)
class SpeciesPacking:
    """Packing of one species: its name, number of particles, packing fraction and its spread over particles [-]."""

    species: str
    particles: int
    closed: int  #: particles whose cell does not border empty space; only these count
    hidden: int  #: particles without a cell
    fraction: float  #: volume of the particles over that of their cells; NaN if none counts
    spread: float  #: standard deviation over particles

    def to_dict(self) -> dict[str, Any]:
        """As JSON; null for what is not defined."""
        return {key: _json(value) for key, value in vars(self).items()}


@dataclass(frozen=True)
class PackingReport:
    """Local packing of a configuration."""

    unit: str
    sizes: str  #: where the sizes are from
    fraction: float  #: of all closed cells
    box_fraction: float  #: volume of all particles over that of the box
    species: tuple[SpeciesPacking, ...]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON; null for what is not defined."""
        plain = {key: _json(value) for key, value in vars(self).items()}
        return plain | {"species": [one.to_dict() for one in self.species]}


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _by_species(given: Mapping[str, float], configuration: Configuration, what: str) -> NDArray[np.float64]:
    for name in given:
        if name not in configuration.species:
            raise TrajectoryError(
                f"no species '{name}' to give a {what}{nearest(name, configuration.species)}; there are "
                f"{', '.join(configuration.species)}"
            )
    table = np.array([given.get(name, np.nan) for name in configuration.species], float)
    missing = [configuration.species[k] for k in np.unique(configuration.kinds) if np.isnan(table[k])]
    if missing:
        raise TrajectoryError(f"every species needs a {what}; got none for {', '.join(missing)}")
    values: NDArray[np.float64] = table[configuration.kinds]
    return values


def describe_packing(
    configuration: Configuration,
    *,
    radii: Mapping[str, float] | None = None,
    volumes: Mapping[str, float] | None = None,
    periodic_z: bool = True,
) -> PackingReport:
    """Local packing of a configuration, by species.

    Args:
        configuration: of one frame.
        radii: species → radius of its sphere [length unit of the file].
        volumes: species → volume [that unit cubed], for cubes and other shapes; a species of `radii` needs none, and one
            of `volumes` no radius. Without both the diameters of the file count.
        periodic_z: as `power_cells`.

    Raises:
        TrajectoryError: a species without size, or as `local_packing`.
    """
    note = ""
    if radii is None and volumes is None:
        if configuration.diameters is None:
            raise TrajectoryError(
                "the file has no diameters: give each species a radius, or a volume if it is no sphere"
            )
        placed = configuration.diameters / 2
        own, sizes = 4 / 3 * np.pi * placed**3, "diameters of the file"
        if np.all(configuration.diameters == 1):
            note = "all diameters are 1, which is also what a GSD file without diameters has"
    else:
        r, v = dict(radii or {}), dict(volumes or {})
        sizes = "given"
        own = _by_species(
            {**{k: 4 / 3 * np.pi * x**3 for k, x in r.items()}, **v}, configuration, "radius or volume"
        )
        placed = _by_species(
            {**{k: float(np.cbrt(3 / (4 * np.pi) * x)) for k, x in v.items()}, **r}, configuration, "radius"
        )
    found = local_packing(
        configuration.box, configuration.positions, radii=placed, volumes=own, periodic_z=periodic_z
    )
    hidden = found.cells.volumes == 0
    parts = []
    for k, name in enumerate(configuration.species):
        mine = configuration.kinds == k
        counted = mine & ~found.open & ~hidden
        parts.append(
            SpeciesPacking(
                species=name,
                particles=int(mine.sum()),
                closed=int((mine & ~found.open).sum()),
                hidden=int((mine & hidden).sum()),
                fraction=found.mean(mine & ~found.open),
                spread=float(np.std(found.fractions[counted])) if counted.any() else float("nan"),
            )
        )
    return PackingReport(
        unit=configuration.unit,
        sizes=sizes,
        fraction=found.mean(),
        box_fraction=float(found.volumes.sum() / np.prod(configuration.box[:3])),
        species=tuple(parts),
        note=note,
    )
