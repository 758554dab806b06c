"""A perfect crystal of named particle types, and the bonds between its particles and their periodic images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from supercrystal import box, lattices
from supercrystal.errors import PhysicsError
from supercrystal.packing import hard

Array = NDArray[np.float64]

#: Bonds that a crystal may have before it is refused, 2 GB of working arrays: a particle overlaps a copy of itself.
MOST_BONDS = 5_000_000


@dataclass(frozen=True)
class Crystal:
    """A cell that repeats.

    Args:
        cell: (3, 3) cell vectors as rows [nm].
        fractional: (N, 3) coordinates of the particles in them.
        types: (N,) particle types.

    Raises:
        PhysicsError: shapes that do not fit, or a flat cell.
    """

    cell: Array
    fractional: Array
    types: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.types)
        if self.cell.shape != (3, 3) or self.fractional.shape != (n, 3) or not n:
            raise PhysicsError(
                f"a crystal has a (3, 3) cell and (N, 3) coordinates for its N types; got {self.cell.shape}, "
                f"{self.fractional.shape} and {n} types"
            )
        if not (np.all(np.isfinite(self.cell)) and np.all(np.isfinite(self.fractional))):
            raise PhysicsError("a crystal has finite cell vectors and coordinates")
        if not self.volume > 0:
            raise PhysicsError(f"the cell {self.cell.tolist()} has no volume")

    @property
    def n(self) -> int:
        """Particles of the cell."""
        return len(self.types)

    @property
    def volume(self) -> float:
        """Volume of the cell [nm³]."""
        return abs(float(np.linalg.det(self.cell)))

    @property
    def density(self) -> float:
        """Particles per volume [nm⁻³]."""
        return self.n / self.volume

    @property
    def positions(self) -> Array:
        """(N, 3) positions [nm]."""
        return self.fractional @ self.cell

    @property
    def composition(self) -> dict[str, float]:
        """Share of each type among the particles, in order of first appearance."""
        return {name: self.types.count(name) / self.n for name in dict.fromkeys(self.types)}

    def repeated(self, repeats: tuple[int, int, int]) -> Crystal:
        """Supercell of `repeats` cells along each cell vector."""
        corners = np.array(list(product(*(range(k) for k in repeats))), float)
        sites = (self.fractional + corners[:, None]).reshape(-1, 3) / np.array(repeats)
        return Crystal(self.cell * np.array(repeats)[:, None], sites, self.types * len(corners))

    def upright(self) -> Crystal:
        """The same crystal turned so that a₁ lies along x and a₂ in the xy plane, the order right-handed.

        >>> turned = Crystal(np.array([[0, 2.0, 0], [0, 0, 3], [4, 0, 0]]), np.zeros((1, 3)), ("A",)).upright()
        >>> turned.cell.diagonal().tolist()
        [2.0, 3.0, 4.0]
        """
        cell, sites = self.cell, self.fractional
        if np.linalg.det(cell) < 0:
            cell, sites = cell[[1, 0, 2]], sites[:, [1, 0, 2]]
        lower = np.asarray(np.linalg.cholesky(cell @ cell.T), np.float64)
        return Crystal(lower, sites, self.types)


@dataclass(frozen=True)
class Bonds:
    """Ordered pairs of particles: each pair is there from either end.

    Args:
        i: (B,) particle in the cell.
        j: (B,) particle whose image is at the other end.
        image: (B, 3) whole numbers, the cell in which that image lies.
        vector: (B, 3) from i to the image [nm].
        length: (B,) [nm].
    """

    i: NDArray[np.intp]
    j: NDArray[np.intp]
    image: Array
    vector: Array
    length: Array


def bonds(crystal: Crystal, reach: float) -> Bonds:
    """Return all bonds of lengths up to `reach` [nm], particles with their own images among them.

    Raises:
        PhysicsError: a reach that is not a distance, two particles at one place, or more bonds than memory allows.
    """
    from scipy.spatial import cKDTree

    if not 0 < reach < math.inf:
        raise PhysicsError(f"bonds need a reach > 0 nm that is finite; got {reach} nm")
    if crystal.n * 4 / 3 * math.pi * reach**3 * crystal.density > MOST_BONDS:
        raise PhysicsError(
            f"a reach of {reach:.3g} nm at {crystal.density:.3g} particles/nm³ makes more than {MOST_BONDS:,} bonds: "
            "shorten the reach"
        )
    inside = crystal.fractional % 1.0
    home = np.floor(crystal.fractional)
    most = np.ceil(reach / box.widths(crystal.cell)).astype(int) + 1
    images = np.array(list(product(*(range(-k, k + 1) for k in most))), float)
    # Only what lies within reach of the cell's bounding sphere can be a neighbour.
    centre = crystal.cell.sum(axis=0) / 2
    corners = np.array(list(product((0.0, 1.0), repeat=3))) @ crystal.cell
    radius = float(np.linalg.norm(corners - centre, axis=1).max())
    points = (inside[None] + images[:, None]) @ crystal.cell
    near = np.linalg.norm(points - centre, axis=-1) <= radius + reach
    image, j = np.nonzero(near)
    tree = cKDTree(points[near])
    here = inside @ crystal.cell
    found = tree.query_ball_point(here, reach)
    i = np.repeat(np.arange(crystal.n), [len(row) for row in found])
    other = np.concatenate([np.asarray(row, np.intp) for row in found])
    vector = points[near][other] - here[i]
    length = np.linalg.norm(vector, axis=1)
    cells = images[image[other]]
    same = (j[other] == i) & ~np.any(cells, axis=1)
    keep = ~same
    if np.any(length[keep] <= 1e-9 * reach):
        raise PhysicsError("two particles of the crystal are at one place")
    i, other = i[keep], other[keep]
    return Bonds(i, j[other], cells[keep] + home[i] - home[j[other]], vector[keep], length[keep])


def place(phase: str, diameters: Mapping[str, float], types: Mapping[str, str]) -> Crystal:
    """Build a phase of the catalogue, as hard spheres of the given diameters would pack.

    Args:
        phase: a name of the catalogue.
        diameters: particle type → diameter [nm].
        types: species of the phase → particle type.

    Returns:
        Its primitive cell.

    Raises:
        UnknownNameError: no such phase.
        PhysicsError: a species without type or diameter, or B larger than A.

    >>> crystal = place("NaCl", {"large": 10.0, "small": 4.0}, {"A": "large", "B": "small"})
    >>> crystal.n, crystal.types, round(crystal.density, 6)
    (2, ('large', 'small'), 0.002828)
    """
    kind = lattices.prototype(phase)
    missing = [name for name in kind.species_counts if types.get(name) not in diameters]
    if missing:
        raise PhysicsError(f"{kind.name} needs a type with a diameter for its species {', '.join(missing)}")
    largest = diameters[types["A"]]
    others = {diameters[types[name]] for name in kind.species_counts if name != "A"}
    # Several small species start as the largest of them: relaxation moves the rest.
    ratio = max(others) / largest if others else 1.0
    constants = {key: float(value) for key, value in hard.constants(kind.name, ratio).items()}
    for key in ("a", "c"):
        if key in constants:
            constants[key] *= largest
    cell = lattices.primitive(kind.name, constants)
    return Crystal(cell.vectors, cell.sites, tuple(types[kind.species[label]] for label in cell.labels))


#: Relative difference of lengths, degrees of angles, and share of the mean spacing by which coordinates may differ for a
#: crystal to be still the prototype. Coordinates may move along what its symmetry leaves free.
_LENGTHS, _ANGLES, _COORDINATES = 1e-3, 0.05, 0.15


def keeps_lattice(phase: str, crystal: Crystal) -> bool:
    """Whether a relaxed primitive cell still has the crystal system and, roughly, the coordinates of its prototype.

    Args:
        phase: name in the catalogue.
        crystal: what `place` built of it, relaxed: its sites in the same order.
    """
    kind = lattices.prototype(phase)
    plain = {key: float(value) for key, value in hard.constants(kind.name, 0.5).items()}
    prototype = lattices.primitive(kind.name, plain)
    a, b, c = prototype.conventional @ crystal.cell
    lengths = [float(np.linalg.norm(edge)) for edge in (a, b, c)]
    angles = [
        math.degrees(math.acos(float(u @ v) / float(np.linalg.norm(u) * np.linalg.norm(v))))
        for u, v in ((b, c), (a, c), (a, b))
    ]
    equal = lengths[:3] if kind.system == "cubic" else lengths[:2]
    wanted = (90.0, 90.0, 120.0 if kind.system == "hexagonal" else 90.0)
    if max(equal) - min(equal) > _LENGTHS * max(equal):
        return False
    if max(abs(x - y) for x, y in zip(angles, wanted, strict=True)) > _ANGLES:
        return False
    moved = crystal.fractional - prototype.sites
    moved -= np.rint(moved - moved[0]) + moved[0]
    moved -= moved.mean(axis=0)
    # What the free coordinates do, the mean motion taken out as well, is no change of lattice.
    free = np.array([(slope - slope.mean(axis=0)).ravel() for slope in prototype.slopes.values()])
    rest = moved.ravel()
    if len(free):
        rest = rest - free.T @ np.linalg.lstsq(free.T, rest, rcond=None)[0]
    distance = np.linalg.norm(rest.reshape(-1, 3) @ crystal.cell, axis=1)
    return bool(distance.max() <= _COORDINATES * (crystal.volume / crystal.n) ** (1 / 3))
