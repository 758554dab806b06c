"""A perfect crystal of rigid bodies and spheres: its energy, forces, torques and stress at T = 0.

Nothing is approximated: all pairs of sites within the range of their potential are summed, as `interactions.bodies` sums
them for two bodies. A strain of the cell moves the centres and turns no body, so that the stress is made of forces and
vectors between centres; without torques it is symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import rowan
from numpy.typing import NDArray

from supercrystal import box
from supercrystal.errors import PhysicsError
from supercrystal.interactions.bodies import Potentials
from supercrystal.models.beads import Body
from supercrystal.models.model import Model
from supercrystal.solids.crystal import Array, Crystal

#: Sites with their images that a crystal may have before it is refused: a cell that has collapsed.
MOST_SITES = 2_000_000


@dataclass(frozen=True)
class BodyCrystal:
    """A cell that repeats, of bodies with orientations and of spheres.

    Args:
        crystal: cell and centres; types are those of bodies' centres and of spheres.
        orientations: (N, 4) unit quaternions (w, x, y, z); those of spheres mean nothing.

    Raises:
        PhysicsError: no such quaternions.
    """

    crystal: Crystal
    orientations: Array

    def __post_init__(self) -> None:
        q = self.orientations
        if q.shape != (self.n, 4) or not np.all(np.abs(np.linalg.norm(q, axis=1) - 1) < 1e-6):
            raise PhysicsError(f"a crystal of {self.n} bodies needs as many unit quaternions; got {q.shape}")

    @property
    def n(self) -> int:
        """Bodies and spheres of the cell."""
        return self.crystal.n

    @property
    def volume(self) -> float:
        """Volume of the cell [nm³]."""
        return self.crystal.volume

    def scaled(self, factor: float) -> BodyCrystal:
        """The crystal with cell and distances of centres times `factor`."""
        return replace(
            self, crystal=Crystal(self.crystal.cell * factor, self.crystal.fractional, self.crystal.types)
        )

    def repeated(self, repeats: tuple[int, int, int]) -> BodyCrystal:
        """Supercell of `repeats` cells along each cell vector."""
        copies = int(np.prod(repeats))
        return BodyCrystal(self.crystal.repeated(repeats), np.tile(self.orientations, (copies, 1)))


@dataclass(frozen=True)
class BodyStatic:
    """A crystal of bodies at rest.

    Args:
        energy: of the cell [kT].
        forces: (N, 3) on centres [kT/nm].
        torques: (N, 3) about centres, in the axes of space [kT].
        stress: (3, 3), positive in tension [kT/nm³]: ``-Σ R f / V`` with R between centres; symmetric without torques.
    """

    energy: float
    forces: Array
    torques: Array
    stress: Array


@dataclass(frozen=True)
class Matter:
    """What bodies and spheres are made of and how their sites interact.

    Args:
        bodies: by the type of their centre; other types are spheres.
        pairs: potentials of pairs of types of sites.
    """

    bodies: Mapping[str, Body]
    pairs: Potentials

    @classmethod
    def of(cls, model: Model) -> Matter:
        """Bodies and potentials of a model."""
        return cls(model.bodies, model.pairs)


@dataclass(frozen=True)
class _Sites:
    """Sites of one type in the cell."""

    owner: NDArray[np.intp]  #: (S,) body or sphere
    arm: Array  #: (S, 3) from its centre [nm]
    place: Array  #: (S, 3) [nm]


def _sites(made: BodyCrystal, matter: Matter) -> dict[str, _Sites]:
    """Sites of each type that interacts."""
    interacting = {name for pair, terms in matter.pairs.items() if terms for name in pair}
    owners: dict[str, list[NDArray[np.intp]]] = {}
    arms: dict[str, list[Array]] = {}
    for index, (name, q) in enumerate(zip(made.crystal.types, made.orientations, strict=True)):
        own = {name: np.zeros((1, 3))}
        if name in matter.bodies:
            body = matter.bodies[name]
            turned = rowan.rotate(q, body.positions)
            kinds = np.array(body.bead_types)
            own |= {str(kind): turned[kinds == kind] for kind in np.unique(kinds)}
        for kind, arm in own.items():
            if kind in interacting:
                owners.setdefault(kind, []).append(np.full(len(arm), index))
                arms.setdefault(kind, []).append(arm)
    centres = made.crystal.positions
    found = {}
    for kind in owners:
        owner, arm = np.concatenate(owners[kind]), np.concatenate(arms[kind])
        found[kind] = _Sites(owner, arm, centres[owner] + arm)
    return found


def _neighbours(
    cell: Array, here: Array, there: Array, reach: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array, Array]:
    """All pairs of sites `here` and images of sites `there` within reach: i, j, image (P, 3) and vector (P, 3)."""
    from scipy.spatial import cKDTree

    middle, other = here.mean(axis=0), there.mean(axis=0)
    around = float(np.linalg.norm(here - middle, axis=1).max()) + reach
    far = around + float(np.linalg.norm(there - other, axis=1).max())
    # Cells whose images of `there` may lie within `around` of the middle.
    shift = (middle - other) @ np.linalg.inv(cell)
    widths = box.widths(cell)
    spans = [
        np.arange(np.floor(s - far / w), np.ceil(s + far / w) + 1) for s, w in zip(shift, widths, strict=True)
    ]
    if len(there) * np.prod([len(span) for span in spans]) > MOST_SITES:
        raise PhysicsError(
            f"a cell as thin as {widths.min():.3g} nm has too many images within {reach:.3g} nm"
        )
    images = np.array(list(product(*spans)))
    points = (there[None] + (images @ cell)[:, None]).reshape(-1, 3)
    near = np.flatnonzero(np.linalg.norm(points - middle, axis=1) <= around)
    if not len(near):
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, 3)), np.zeros((0, 3))
    rows = cKDTree(points[near]).query_ball_point(here, reach)
    i = np.repeat(np.arange(len(here)), [len(row) for row in rows])
    chosen = near[np.concatenate([np.asarray(row, np.intp) for row in rows])]
    return i, chosen % len(there), images[chosen // len(there)], points[chosen] - here[i]


def static(made: BodyCrystal, matter: Matter) -> BodyStatic:
    """Energy, forces, torques and stress of a crystal of bodies.

    Args:
        made: the crystal.
        matter: its bodies and potentials.

    Returns:
        Infinite energy and pressure, without forces, where sites overlap so much that their energy is no number.

    Raises:
        PhysicsError: two sites in one place, a potential of infinite range, or a cell that has collapsed.
    """
    n = made.n
    sites = _sites(made, matter)
    forces, torques, virial, energy = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((3, 3)), 0.0
    for (a, b), terms in matter.pairs.items():
        if not terms or a not in sites or b not in sites:
            continue
        reach = max(term.r_cut for term in terms)
        if not np.isfinite(reach):
            raise PhysicsError(f"the potential of {a} and {b} has no end: give one with a cut")
        one, other = sites[a], sites[b]
        i, j, image, vector = _neighbours(made.crystal.cell, one.place, other.place, reach)
        # Sites of one body do not see each other; those of its images do.
        apart = (one.owner[i] != other.owner[j]) | np.any(image, axis=1)
        i, j, vector = i[apart], j[apart], vector[apart]
        distance = np.linalg.norm(vector, axis=1)
        if not np.all(distance > 0):
            raise PhysicsError("two sites are in one place; move the bodies apart")
        share = 0.5 if a == b else 1.0  # pairs of one type are met from either end
        with np.errstate(over="ignore", invalid="ignore"):
            energy += share * float(np.sum([term.energy(distance) for term in terms]))
            slope = np.sum([term.force(distance) for term in terms], axis=0)
        if not np.isfinite(energy):  # crushed: nothing else can be said of it
            return BodyStatic(math.inf, forces, torques, np.full((3, 3), -math.inf))
        push = share * (slope / distance)[:, None] * vector  # on the site of `other`
        np.add.at(forces, other.owner[j], push)
        np.add.at(forces, one.owner[i], -push)
        np.add.at(torques, other.owner[j], np.cross(other.arm[j], push))
        np.add.at(torques, one.owner[i], np.cross(one.arm[i], -push))
        virial += (vector - other.arm[j] + one.arm[i]).T @ push
    return BodyStatic(energy, forces, torques, -virial / made.volume)
