"""Candidate crystals of spheres and cuboids: which ones there are, with the orientations that are known, and where to start.

A name is a phase of the catalogue, and after a colon the orientation of the cubes: ``ABO3:rotated``. Without it each known
orientation is a candidate. Spheres take the sites of A, cuboids those of B and O. Phases of one component are those of
spheres, and ``sc`` of cuboids, faces to faces.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supercrystal import lattices
from supercrystal.errors import PhysicsError, nearest
from supercrystal.models.model import Model, capped_edges
from supercrystal.packing import cubes, hard
from supercrystal.solids.bodies import BodyCrystal
from supercrystal.solids.crystal import Crystal

#: The one-component phase of cuboids, and that of spheres which stands for them if no candidate does.
OF_CUBOIDS, OF_SPHERES = "sc", "fcc"


@dataclass(frozen=True)
class BodyCandidate:
    """One crystal that is tried.

    Args:
        name: phase, orientation, and, where there is a choice, the types on its sites.
        phase: name in the catalogue.
        orientation: of the cubes; empty for spheres alone.
        types: species of the prototype → particle type.
        added: whether it was added because a pure species had no candidate.
    """

    name: str
    phase: str
    orientation: str
    types: Mapping[str, str]
    added: bool = False

    @property
    def composition(self) -> dict[str, float]:
        """Share of each particle type."""
        return lattices.composition(self.phase, self.types)


def _split(text: str) -> tuple[str, tuple[str, ...]]:
    """Phase and orientations of a name; nothing for phases of one component.

    Raises:
        UnknownNameError: no such phase.
        PhysicsError: a phase or an orientation that is not known for cubes.
    """
    phase, _, orientation = text.partition(":")
    kind = lattices.prototype(phase.strip())
    if kind.one_component:
        if orientation:
            raise PhysicsError(f"{kind.name} has one species: leave ':{orientation}' out")
        return kind.name, ()
    known = cubes.ORIENTATIONS.get(kind.name)
    if known is None:
        single = [name for name in lattices.names() if lattices.prototype(name).one_component]
        raise PhysicsError(
            f"how cubes stand in {kind.name} is not known; known: {', '.join(cubes.ORIENTATIONS)}, and of one component "
            f"{', '.join(single)}"
        )
    if orientation and orientation not in known:
        raise PhysicsError(
            f"cubes in {kind.name} are known {', '.join(known)}; got '{orientation}'{nearest(orientation, known)}"
        )
    return kind.name, (orientation,) if orientation else tuple(known)


def candidates(names: Sequence[str], model: Model) -> list[BodyCandidate]:
    """All candidates of these names, and one of each pure species that has none.

    Args:
        names: phases, with or without orientations.
        model: of the cubes tier.

    Raises:
        UnknownNameError, PhysicsError: as the names say; compounds without spheres.
    """
    bodies = [name for name in model.types if name in model.bodies]
    spheres = [name for name in model.types if name not in model.bodies]
    found: dict[str, BodyCandidate] = {}

    def add(phase: str, orientation: str, types: Mapping[str, str], added: bool = False) -> None:
        chosen = list(dict.fromkeys(types.values())) if len(set(types.values())) < 3 else list(types.values())
        label = f"{phase}:{orientation}" if len(cubes.ORIENTATIONS.get(phase, ())) > 1 else phase
        if len(model.types) > 2 or (len(types) == 1 and len(model.types) > 1):
            label += f" ({', '.join(chosen)})"
        found.setdefault(label, BodyCandidate(label, phase, orientation, dict(types), added))

    for text in names:
        phase, orientations = _split(text)
        species = list(lattices.prototype(phase).species_counts)
        if len(species) == 1:
            own = bodies if phase == OF_CUBOIDS else spheres
            if not own:
                raise PhysicsError(f"{phase} is tried with spheres, and the study has none")
            for name in own:
                add(phase, "aligned" if name in bodies else "", {"A": name})
            continue
        if not spheres:
            raise PhysicsError(
                f"{phase} needs spheres on A, and the study has none: its one-component phase is sc"
            )
        for sphere in spheres:
            for others in itertools.product(bodies, repeat=len(species) - 1):
                for orientation in orientations:
                    add(phase, orientation, dict(zip(species, (sphere, *others), strict=True)))
    pure = {one.types["A"] for one in found.values() if len(one.types) == 1}
    for name in model.types:
        if name not in pure:
            cuboid = name in bodies
            add(OF_CUBOIDS if cuboid else OF_SPHERES, "aligned" if cuboid else "", {"A": name}, added=True)
    return list(found.values())


def sizes(model: Model) -> dict[str, float]:
    """Diameter of capped spheres and longest edge of capped cuboids, by type [nm]."""
    return {
        name: max(capped_edges(model.shapes[name])) if name in model.bodies else diameter
        for name, diameter in zip(model.types, model.diameters, strict=True)
    }


def constants(one: BodyCandidate, size: Mapping[str, float]) -> dict[str, float]:
    """Lattice constants [nm] of rigid shapes as large as the capped nanocrystals: where relaxation starts.

    Args:
        one: the candidate.
        size: as `sizes`.

    Raises:
        PhysicsError: cubes larger than the spheres.
    """
    unit = size[one.types["A"]]
    if len(one.types) == 1:
        plain = {"a": 1.0} if one.orientation else hard.constants(one.phase, 1.0)
    elif one.phase == "ABO3" and one.types["B"] != one.types["O"]:
        body, face = (size[one.types[species]] / unit for species in ("B", "O"))
        plain = {"a": float(cubes.perovskite(body, face, one.orientation)[0])}
    else:
        plain = cubes.solve(one.phase, size[one.types["B"]] / unit, one.orientation).constants
    return {key: float(value) * (unit if key in ("a", "c") else 1.0) for key, value in plain.items()}


def place(one: BodyCandidate, model: Model, scale: float = 1.0) -> BodyCrystal:
    """The primitive cell of a candidate, rigid shapes just in touch.

    Args:
        one: the candidate.
        model: of the cubes tier.
        scale: multiplies lengths.

    Raises:
        PhysicsError: as `constants`.
    """
    kind = lattices.prototype(one.phase)
    size = sizes(model)
    found = {
        key: value * scale if key in ("a", "c") else value for key, value in constants(one, size).items()
    }
    cell = lattices.primitive(one.phase, found)
    types = tuple(one.types[kind.species[label]] for label in cell.labels)
    if len(one.types) == 1 and one.orientation:
        edges = np.array(capped_edges(model.shapes[one.types["A"]]))
        vectors = cell.vectors * (edges / size[one.types["A"]])
    else:
        vectors = cell.vectors
    return BodyCrystal(Crystal(vectors, cell.sites, types), _orientations(one, cell.labels))


def axes(one: BodyCandidate) -> np.ndarray:
    """(k, 3): which of the axes of space each of its k lattice constants stretches."""
    if len(one.types) == 1 and one.orientation:
        return np.eye(3)
    cubic = lattices.prototype(one.phase).system == "cubic"
    return np.array([[1.0, 1, 1]]) if cubic else np.array([[1.0, 1, 0], [0, 0, 1]])


def _orientations(one: BodyCandidate, labels: Sequence[str]) -> np.ndarray:
    q = np.tile([1.0, 0.0, 0.0, 0.0], (len(labels), 1))
    if len(one.types) > 1:
        for label, turned in cubes.rotations(one.phase, one.orientation).items():
            mine = [k for k, name in enumerate(labels) if name == label]
            # A primitive cell has the first sites of each; turned ones occur in primitive lattices only.
            q[mine] = turned[: len(mine)]
    return q


def rectangular(one: BodyCandidate, model: Model, made: BodyCrystal) -> BodyCrystal:
    """A crystal with the constants of a relaxed one in its smallest rectangular cell; hexagonal ones a × √3 a × c.

    Args:
        one: what it is.
        model: of the cubes tier.
        made: its primitive cell, relaxed with its symmetry.
    """
    kind = lattices.prototype(one.phase)
    primitive = lattices.primitive(one.phase, dict.fromkeys(kind.constants, 1.0))
    # Whole numbers that make the rectangular cell of the primitive one.
    matrix = primitive.conventional
    if kind.system == "hexagonal":
        matrix = np.array([[1.0, 0, 0], [1, 2, 0], [0, 0, 1]]) @ matrix
    cell = matrix @ made.crystal.cell
    copies = round(abs(float(np.linalg.det(matrix))))
    corners = np.array(list(itertools.product(range(-4, 5), repeat=3)), float)
    sites = (made.crystal.fractional + corners[:, None]) @ np.linalg.inv(matrix)
    inside = np.all((sites > -1e-6) & (sites < 1 - 1e-6), axis=2)
    which = np.tile(np.arange(made.n), (len(corners), 1))[inside]
    if len(which) != copies * made.n:
        raise PhysicsError(
            f"{one.name} does not fill a rectangular cell: it is not relaxed with its symmetry"
        )
    types = tuple(made.crystal.types[k] for k in which)
    upright = Crystal(np.diag(np.linalg.norm(cell, axis=1)), sites[inside] % 1.0, types)
    lengths = np.linalg.norm(cell, axis=1)
    skew = np.abs(cell @ cell.T / np.outer(lengths, lengths) - np.eye(3)).max()
    if skew > 1e-3 or np.abs(cell - upright.cell).max() > 1e-3 * lengths.max():
        raise PhysicsError(f"the cell of {one.name} is not rectangular after relaxation")
    return BodyCrystal(upright, made.orientations[which])


def volume_of(model: Model) -> dict[str, float]:
    """Volumes of capped nanocrystals, rounded edges and all, by type [nm³]."""
    return {
        name: float(crystal.capped.volume) if name in model.bodies else math.pi / 6 * diameter**3
        for name, crystal, diameter in zip(model.types, model.nanocrystals, model.diameters, strict=True)
    }
