"""The one catalogue of crystal prototypes: species, cell, sites, and how to build a frame of a lattice.

Packing models, tiers of simulation and structure analysis all read it; a phase exists in one place
(``lattices.toml``). Nothing here knows a size: lattice constants and free coordinates come from whoever asks,
for instance ``build("MgZn2", hard.constants("MgZn2", 0.8))``. All functions take lengths in any one unit.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError, UnknownNameError, nearest

if TYPE_CHECKING:
    import gsd.hoomd

#: Other spellings that are accepted wherever a phase is named.
ALIASES = {"CaTiO3": "ABO3", "Cu3Au": "AuCu3"}

#: Lattice constants of each crystal system.
_LENGTHS = {"cubic": ("a",), "tetragonal": ("a", "c"), "hexagonal": ("a", "c")}

_CENTRING = {
    "P": ((0, 0, 0),),
    "I": ((0, 0, 0), (0.5, 0.5, 0.5)),
    "F": ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)),
}

#: Shortest lattice vectors of each centring, in conventional cells.
_PRIMITIVE = {
    "P": np.eye(3),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "F": np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]),
}

#: Distances of one shell of neighbours agree to this relative precision.
_SAME_DISTANCE = 1e-7


@dataclass(frozen=True)
class Prototype:
    """A crystal structure without its sizes.

    Args:
        name: the catalogue's spelling.
        structure: the compound or label by which crystallographers know it.
        space_group: Hermann–Mauguin symbol.
        system: ``"cubic"``, ``"tetragonal"`` or ``"hexagonal"``.
        constants: names of what fixes the lattice: lengths ``a``, ``c``, then free fractional coordinates.
        labels: site label of each of the N particles of the conventional cell.
        species: species of each site label.
        offset: (N, 3) fractional coordinates at zero free coordinates.
        slopes: free coordinate → (N, 3) change of the fractional coordinates with it.
        centring: ``"P"``, ``"I"`` or ``"F"``.
        reference: constants, at a = 1, of the cell by which structure analysis recognises the phase; None for a phase
            that is not recognised.
    """

    name: str
    structure: str
    space_group: str
    system: str
    constants: tuple[str, ...]
    labels: tuple[str, ...]
    species: Mapping[str, str]
    offset: NDArray[np.float64]
    slopes: Mapping[str, NDArray[np.float64]]
    centring: str = "P"
    reference: Mapping[str, float] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Particles of each site label in the conventional cell."""
        return dict(Counter(self.labels))

    @property
    def species_counts(self) -> dict[str, int]:
        """Particles of each species in the conventional cell."""
        return dict(Counter(self.species[label] for label in self.labels))

    @property
    def stoichiometry(self) -> dict[str, int]:
        """Particles of each species in the formula unit."""
        counts = self.species_counts
        unit = math.gcd(*counts.values())
        return {name: count // unit for name, count in counts.items()}

    @property
    def one_component(self) -> bool:
        """Whether all sites carry one species."""
        return len(self.species_counts) == 1


def _affine(text: str) -> dict[str, float]:
    """Coefficients of a coordinate such as ``"1/2-u"``, the constant under the empty name."""
    terms: dict[str, float] = {}
    for sign, term in re.findall(r"([+-]?)([a-z]|\d+(?:/\d+)?)", text):
        name, size = (term, 1.0) if term.isalpha() else ("", float(Fraction(term)))
        terms[name] = terms.get(name, 0.0) + (-size if sign == "-" else size)
    return terms


def _expand(site: str) -> list[list[dict[str, float]]]:
    """All positions that one entry of the catalogue stands for, before centring."""
    cyclic = site.startswith("cyc ")
    between = site.removeprefix("cyc ").split("±")
    positions = []
    for signs in product("+-", repeat=len(between) - 1):
        text = "".join(part + sign for part, sign in zip(between, (*signs, ""), strict=True))
        xyz = [_affine(part) for part in text.split()]
        positions += [xyz[-shift:] + xyz[:-shift] for shift in range(3)] if cyclic else [xyz]
    return positions


def _read(name: str, entry: Mapping[str, Any]) -> Prototype:
    free = tuple(entry.get("free", ()))
    labels: list[str] = []
    rows: list[list[dict[str, float]]] = []
    for label, site in entry["sites"].items():
        positions = [position for text in site["at"] for position in _expand(text)]
        rows += [position for position in positions for _ in _CENTRING[entry.get("centring", "P")]]
        labels += [label] * (len(positions) * len(_CENTRING[entry.get("centring", "P")]))
    shifts = np.resize(_CENTRING[entry.get("centring", "P")], (len(rows), 3))
    table = {key: np.array([[xyz.get(key, 0.0) for xyz in row] for row in rows]) for key in ("", *free)}
    return Prototype(
        name=name,
        structure=entry["structure"],
        space_group=entry["space_group"],
        system=entry["system"],
        constants=_LENGTHS[entry["system"]] + free,
        labels=tuple(labels),
        species={label: site["species"] for label, site in entry["sites"].items()},
        offset=table[""] + shifts,
        slopes={key: table[key] for key in free},
        centring=entry.get("centring", "P"),
        reference=None if "reference" not in entry else {"a": 1.0, **entry["reference"]},
    )


@cache
def _catalogue() -> Mapping[str, Prototype]:
    text = (resources.files("supercrystal") / "lattices.toml").read_text(encoding="utf-8")
    return {name: _read(name, entry) for name, entry in tomllib.loads(text).items()}


def names() -> tuple[str, ...]:
    """All phases of the catalogue, one-component ones first.

    >>> len(names()), "MgZn2" in names()
    (20, True)
    """
    return tuple(_catalogue())


def prototype(phase: str) -> Prototype:
    """Return a prototype by its name or an alias.

    Raises:
        UnknownNameError: no such phase; the message names the nearest one.

    >>> prototype("CaTiO3").name, prototype("NaZn13").stoichiometry
    ('ABO3', {'A': 1, 'B': 13})
    """
    catalogue = _catalogue()
    name = ALIASES.get(phase, phase)
    if name not in catalogue:
        raise UnknownNameError(
            f"phase '{phase}' is not in the catalogue{nearest(phase, [*catalogue, *ALIASES])}; "
            f"known: {', '.join(catalogue)}"
        )
    return catalogue[name]


def _given(phase: str, constants: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    kind = prototype(phase)
    missing = [key for key in kind.constants if key not in constants]
    extra = [key for key in constants if key not in kind.constants]
    if missing or extra:
        raise PhysicsError(
            f"{kind.name} is fixed by {', '.join(kind.constants)}; got {', '.join(constants) or 'nothing'}"
        )
    values = {key: np.asarray(constants[key], float) for key in kind.constants}
    if any(np.any(values[key] <= 0) for key in _LENGTHS[kind.system]):
        raise PhysicsError(f"lattice constants must be > 0; got {dict(constants)}")
    return values


def volume(phase: str, constants: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Volume of the conventional cell [length³].

    Args:
        phase: a name of the catalogue.
        constants: the prototype's constants, of any shapes that broadcast.

    Raises:
        PhysicsError: a constant is missing, not of this phase, or not positive.
    """
    system = prototype(phase).system
    value = _given(phase, constants)
    a = value["a"]
    if system == "cubic":
        return a**3
    area = a**2 if system == "tetragonal" else math.sqrt(3) / 2 * a**2
    return area * value["c"]


def vectors(phase: str, constants: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Cell vectors as rows [length], shape (..., 3, 3); hexagonal cells have 120° between a₁ and a₂."""
    system = prototype(phase).system
    value = _given(phase, constants)
    a, c = np.broadcast_arrays(value["a"], value.get("c", value["a"]))
    second = [-0.5, math.sqrt(0.75), 0.0] if system == "hexagonal" else [0.0, 1.0, 0.0]
    plane = np.array([[1.0, 0.0, 0.0], second, [0.0, 0.0, 0.0]])
    return a[..., None, None] * plane + c[..., None, None] * np.diag([0.0, 0.0, 1.0])


def fractional(phase: str, constants: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Fractional coordinates in [0, 1) of the particles of the conventional cell, shape (..., N, 3)."""
    kind = prototype(phase)
    value = _given(phase, constants)
    sites = kind.offset
    for key, slope in kind.slopes.items():
        sites = sites + value[key][..., None, None] * slope
    sites = sites % 1.0
    # A coordinate that rounding left just below a cell edge belongs on the edge.
    return np.where(sites > 1 - 1e-12, 0.0, sites)


@dataclass(frozen=True)
class PrimitiveCell:
    """The smallest cell that repeats.

    Args:
        vectors: (3, 3) rows [length].
        sites: (n, 3) fractional coordinates in `vectors`.
        labels: site label of each site.
        slopes: free coordinate → (n, 3) change of `sites` with it.
        conventional: (3, 3) whole numbers; the conventional cell is ``conventional @ vectors``.
    """

    vectors: NDArray[np.float64]
    sites: NDArray[np.float64]
    labels: tuple[str, ...]
    slopes: Mapping[str, NDArray[np.float64]]
    conventional: NDArray[np.float64]


def primitive(phase: str, constants: Mapping[str, float]) -> PrimitiveCell:
    """Return the primitive cell of a phase; arguments and errors as `volume`, with numbers as constants.

    >>> cell = primitive("NaCl", {"a": 2.0})
    >>> cell.labels, round(abs(float(np.linalg.det(cell.vectors))), 12)
    (('A', 'B'), 2.0)
    """
    kind = prototype(phase)
    small = _PRIMITIVE[kind.centring]
    inverse = np.linalg.inv(small)
    # Centring repeats each site next to itself: one of each run is kept.
    keep = slice(None, None, len(_CENTRING[kind.centring]))
    return PrimitiveCell(
        vectors=small @ vectors(phase, constants),
        sites=(fractional(phase, constants)[keep] @ inverse) % 1.0,
        labels=kind.labels[keep],
        slopes={key: slope[keep] @ inverse for key, slope in kind.slopes.items()},
        conventional=np.rint(inverse),
    )


@dataclass(frozen=True)
class Shell:
    """Neighbours at one distance between two site labels.

    Args:
        pair: the two labels.
        distance: centre distance, in the unit of the lattice constants.
        coordination: neighbours of this kind around one particle of each of the two labels.
    """

    pair: tuple[str, str]
    distance: float
    coordination: tuple[int, int]


def shells(phase: str, constants: Mapping[str, float], reach: float) -> tuple[Shell, ...]:
    """All shells of neighbours with centre distances up to `reach`, nearest first.

    Args:
        phase: a name of the catalogue.
        constants: the prototype's constants, numbers.
        reach: largest centre distance [length].

    >>> shells("CsCl", {"a": 1.0}, reach=0.9)
    (Shell(pair=('A', 'B'), distance=0.8660254037844386, coordination=(8, 8)),)
    """
    kind = prototype(phase)
    cell = vectors(phase, constants)
    sites = fractional(phase, constants)
    # Distances of opposite faces bound how many images a sphere of radius `reach` can touch.
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    images = np.array(list(product(*(range(-n, n + 1) for n in np.ceil(reach / heights).astype(int) + 1))))
    labels = np.array(kind.labels)
    counts = kind.counts
    found = []
    for i, first in enumerate(counts):
        # Sites of one label are equivalent by symmetry: one of them sees what all see.
        start = sites[labels == first][0]
        for second in list(counts)[i:]:
            steps = sites[labels == second][:, None] - start + images
            distance = np.sort(np.linalg.norm(steps @ cell, axis=-1).ravel())
            distance = distance[(distance > 1e-9 * reach) & (distance <= reach * (1 + _SAME_DISTANCE))]
            edges = np.flatnonzero(np.diff(distance, prepend=-1.0) > _SAME_DISTANCE * reach)
            for group in np.split(distance, edges[1:]) if len(distance) else ():
                bonds = (len(group), len(group) * counts[first] // counts[second])
                found.append(Shell((first, second), float(group.mean()), bonds))
    return tuple(sorted(found, key=lambda shell: (shell.distance, shell.pair)))


def build(
    phase: str,
    constants: Mapping[str, float],
    *,
    repeats: tuple[int, int, int] = (1, 1, 1),
    types: Mapping[str, str] | None = None,
    diameters: Mapping[str, float] | None = None,
    orientations: Mapping[str, ArrayLike] | None = None,
) -> gsd.hoomd.Frame:
    """Build a cell or supercell as a frame from which a simulation can start.

    Args:
        phase: a name of the catalogue.
        constants: the prototype's constants; lengths set the unit of the frame.
        repeats: conventional cells along each cell vector.
        types: species → particle type, e.g. ``{"O": "B"}`` to make two species one; species keep their names
            else.
        diameters: species → diameter, in the unit of the constants.
        orientations: site label → unit quaternions, (4,) for all sites of the label or (n, 4) for the n of
            one cell, in the order of `Prototype.labels`.

    Returns:
        A ``gsd.hoomd.Frame`` with periodic box, types, positions, orientations and diameters. The box is
        centred on the origin, with the cell's origin in its lower corner.

    Raises:
        PhysicsError: constants that do not fit the phase, repeats below 1, or names that are not of the
            phase.

    >>> frame = build("NaCl", {"a": 2.0}, repeats=(2, 2, 2))
    >>> frame.particles.N, frame.particles.types
    (64, ['A', 'B'])
    """
    import gsd.hoomd

    kind = prototype(phase)
    if len(repeats) != 3 or any(n < 1 or n != int(n) for n in repeats):
        raise PhysicsError(f"repeats are three whole numbers ≥ 1; got {repeats}")
    _known(types, kind.species_counts, kind.name, "species")
    _known(diameters, kind.species_counts, kind.name, "species")
    _known(orientations, kind.counts, kind.name, "sites")

    counts = np.array(repeats)
    corners = np.array(list(product(*(range(n) for n in repeats))))
    sites = ((fractional(phase, constants) + corners[:, None]) / counts).reshape(-1, 3) - 0.5
    cell = vectors(phase, constants) * counts[:, None]

    species = [kind.species[label] for label in kind.labels]
    named = [(types or {}).get(name, name) for name in species]
    order = list(dict.fromkeys(named))
    frame = gsd.hoomd.Frame()
    frame.configuration.dimensions = 3
    lx, ly, lz = np.diag(cell)
    frame.configuration.box = [lx, ly, lz, cell[1, 0] / ly, cell[2, 0] / lz, cell[2, 1] / lz]
    frame.particles.N = len(sites)
    frame.particles.types = order
    frame.particles.typeid = np.tile([order.index(name) for name in named], len(corners)).astype(np.uint32)
    frame.particles.position = (sites @ cell).astype(np.float32)
    if diameters is not None:
        sizes = [diameters.get(name, 1.0) for name in species]
        frame.particles.diameter = np.tile(sizes, len(corners)).astype(np.float32)
    turned = np.tile([1.0, 0.0, 0.0, 0.0], (len(species), 1))
    for label, quaternion in (orientations or {}).items():
        turned[np.array(kind.labels) == label] = quaternion
    frame.particles.orientation = np.tile(turned, (len(corners), 1)).astype(np.float32)
    return frame


def _known(given: Mapping[str, Any] | None, allowed: Iterable[str], phase: str, what: str) -> None:
    for name in given or ():
        if name not in allowed:
            raise PhysicsError(
                f"{phase} has the {what} {', '.join(allowed)}; got '{name}'{nearest(name, allowed)}"
            )


def composition(phase: str, types: Mapping[str, str]) -> dict[str, float]:
    """Share of each particle type in a phase whose species are of these types [-].

    >>> composition("AlB2", {"A": "large", "B": "small"})["small"] == 2 / 3
    True
    """
    counts = prototype(phase).species_counts
    total = sum(counts.values())
    found: dict[str, float] = {}
    for species, count in counts.items():
        found[types[species]] = found.get(types[species], 0.0) + count / total
    return found
