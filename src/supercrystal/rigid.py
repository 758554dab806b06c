"""Rigid bodies in a frame: where their beads are, what acts on a body, and how it turns.

A frame of a system holds centres and free particles, no beads: they follow from the centre's position and orientation.
Orientations are unit quaternions q (w, x, y, z) that take the frame of the principal axes to the laboratory's. Angular
momenta are, as in HOOMD-blue and GSD, quaternions P = 2 q (0, L) of the angular momentum L about the body's own axes
(Kamberaj et al., J. Chem. Phys. 122, 224114, 2005, doi:10.1063/1.1906216).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import rowan
from numpy.typing import ArrayLike, NDArray

from supercrystal import box
from supercrystal.errors import PhysicsError
from supercrystal.models.beads import Body

if TYPE_CHECKING:
    import gsd.hoomd

Array = NDArray[np.float64]


class Turning(Protocol):
    """A body of beads, or anything else that turns."""

    @property
    def mass(self) -> float:
        """[kT τ_B²/nm²]."""

    @property
    def moments(self) -> tuple[float, float, float]:
        """Principal moments of inertia [kT τ_B²]."""


@dataclass(frozen=True)
class Beads:
    """All beads of a frame, body after body in the order of the centres, in the order of `Body.positions`.

    Args:
        offsets: from their centres, in the laboratory's axes, (B, 3) [nm].
        owner: number of each bead's centre in the frame, (B,).
        typeid: index into the frame's types, (B,).
    """

    offsets: Array
    owner: NDArray[np.intp]
    typeid: NDArray[np.intp]


def orientations(frame: gsd.hoomd.Frame) -> Array:
    """Unit quaternions of a frame's particles, (N, 4); (1, 0, 0, 0) where it has none.

    A frame that was written has them in single precision, so they are normalised again.
    """
    n = int(frame.particles.N)
    given = frame.particles.orientation
    if given is None:
        return np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    quaternions = np.asarray(given, float).reshape(n, 4)
    length = np.linalg.norm(quaternions, axis=1, keepdims=True)
    if not np.all(np.isfinite(length) & (length > 0)):
        raise PhysicsError("an orientation is no quaternion: it must be finite and not zero")
    return np.asarray(quaternions / length)


def centres(frame: gsd.hoomd.Frame, bodies: Mapping[str, Turning]) -> NDArray[np.intp]:
    """Numbers of the particles of a frame that are centres of bodies, in their order."""
    kinds = [i for i, name in enumerate(frame.particles.types) if name in bodies]
    return np.flatnonzero(np.isin(frame.particles.typeid, kinds))


def beads(frame: gsd.hoomd.Frame, bodies: Mapping[str, Body]) -> Beads:
    """Beads of the bodies of a frame of centres.

    Raises:
        PhysicsError: a bead type that the frame does not name.
    """
    types = list(frame.particles.types)
    for body in bodies.values():
        for name in sorted(set(body.bead_types) - set(types)):
            raise PhysicsError(f"the frame does not name the bead type '{name}' of body '{body.name}'")
    turned, kinds = orientations(frame), np.asarray(frame.particles.typeid)
    offsets, owner, typeid = [np.zeros((0, 3))], [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    for name, body in bodies.items():
        mine = np.flatnonzero(kinds == types.index(name)) if name in types else np.zeros(0, np.intp)
        offsets.append(rowan.rotate(turned[mine, None], body.positions[None]).reshape(-1, 3))
        owner.append(np.repeat(mine, len(body.positions)))
        typeid.append(np.tile([types.index(bead) for bead in body.bead_types], len(mine)).astype(np.intp))
    whose = np.concatenate(owner)
    order = np.argsort(whose, kind="stable")
    return Beads(np.vstack(offsets)[order], whose[order], np.concatenate(typeid)[order])


def with_beads(frame: gsd.hoomd.Frame, bodies: Mapping[str, Body]) -> gsd.hoomd.Frame:
    """Return a frame of centres, free particles and, behind them, all beads, wrapped into the box.

    Beads have the number of their centre as `body`, mass 1, and no velocity or momentum. Without bodies it is the frame
    itself.
    """
    if not bodies:
        return frame
    found = beads(frame, bodies)
    n, more = int(frame.particles.N), len(found.owner)
    whole = copy.copy(frame)
    whole.particles = copy.copy(frame.particles)
    particles = whole.particles
    x = np.asarray(frame.particles.position, float)
    placed, image = box.wrap(frame.configuration.box, x[found.owner] + found.offsets)
    particles.N = n + more
    particles.typeid = np.append(frame.particles.typeid, found.typeid)
    particles.position = np.vstack([x, placed])
    body = np.full(n, -1)
    mine = centres(frame, bodies)
    body[mine] = mine
    particles.body = np.append(body, found.owner)
    if frame.particles.image is not None:
        particles.image = np.vstack([frame.particles.image, frame.particles.image[found.owner] + image])
    particles.orientation = np.vstack([orientations(frame), np.tile([1.0, 0.0, 0.0, 0.0], (more, 1))])
    for name, width, fill in (
        ("mass", 0, 1.0),
        ("diameter", 0, 1.0),
        ("velocity", 3, 0.0),
        ("moment_inertia", 3, 0.0),
        ("angmom", 4, 0.0),
    ):
        given = getattr(frame.particles, name)
        if given is not None:
            filling = np.full((more, width) if width else more, fill)
            setattr(particles, name, np.concatenate([np.asarray(given, float), filling]))
    return whole


def properties(frame: gsd.hoomd.Frame, bodies: Mapping[str, Turning]) -> tuple[Array, Array]:
    """Mass (N,) and principal moments (N, 3) of a frame's particles: those of the bodies, and of others 0 moments."""
    n = int(frame.particles.N)
    mass = np.ones(n) if frame.particles.mass is None else np.array(frame.particles.mass, float)
    moments = np.zeros((n, 3))
    for index, name in enumerate(frame.particles.types):
        if name in bodies:
            mine = np.asarray(frame.particles.typeid) == index
            mass[mine], moments[mine] = bodies[name].mass, bodies[name].moments
    return mass, moments


def collect(forces: ArrayLike, found: Beads, count: int) -> tuple[Array, Array]:
    """Force and torque about the centre on each of `count` particles, (N, 3) each, in the laboratory's axes.

    Args:
        forces: on particles and beads, (N + B, 3).
        found: the beads.
        count: of centres and free particles, N.
    """
    every = np.asarray(forces, float)
    total, torque = every[:count].copy(), np.zeros((count, 3))
    np.add.at(total, found.owner, every[count:])
    np.add.at(torque, found.owner, np.cross(found.offsets, every[count:]))
    return total, torque


def inner_virial(forces: ArrayLike, found: Beads, count: int) -> float:
    """Σ f·b over beads at offsets b from their centres [kT]: what is not in the virial of the centres."""
    return float(np.sum(np.asarray(forces, float)[count:] * found.offsets))


def to_laboratory(orientation: ArrayLike, momentum: ArrayLike) -> Array:
    """Angular momentum (N, 3) in the laboratory's axes, of momentum quaternions (N, 4)."""
    q = np.asarray(orientation, float)
    return np.asarray(rowan.rotate(q, own_momentum(q, momentum)), float)


def own_momentum(orientation: ArrayLike, momentum: ArrayLike) -> Array:
    """Angular momentum (N, 3) about the bodies' own axes, of momentum quaternions (N, 4)."""
    product = rowan.multiply(rowan.conjugate(np.asarray(orientation, float)), np.asarray(momentum, float))
    return np.asarray(product[..., 1:] / 2, float)


def to_quaternion(orientation: ArrayLike, own: ArrayLike) -> Array:
    """Momentum quaternions (N, 4) of angular momenta (N, 3) about the bodies' own axes."""
    own = np.asarray(own, float)
    pure = np.concatenate([np.zeros((*own.shape[:-1], 1)), own], axis=-1)
    return np.asarray(2 * rowan.multiply(np.asarray(orientation, float), pure), float)


def own_momenta(frame: gsd.hoomd.Frame) -> Array:
    """Angular momenta (N, 3) of a frame's particles about their own axes [kT τ_B]; 0 where it has none."""
    if frame.particles.angmom is None:
        return np.zeros((int(frame.particles.N), 3))
    return own_momentum(orientations(frame), frame.particles.angmom)


def rotational_energy(frame: gsd.hoomd.Frame, bodies: Mapping[str, Turning]) -> Array:
    """Kinetic energy [kT] of the turning about each principal axis, Lₖ² / 2Iₖ, of each body, (bodies, 3)."""
    mine = centres(frame, bodies)
    moments = properties(frame, bodies)[1][mine]
    return np.asarray(own_momenta(frame)[mine] ** 2 / (2 * moments), float)


def thermal(frame: gsd.hoomd.Frame, bodies: Mapping[str, Turning], rng: np.random.Generator) -> None:
    """Give the bodies of a frame mass, moments, and velocities and angular momenta at temperature 1, in place."""
    mine = centres(frame, bodies)
    mass, moments = properties(frame, bodies)
    velocity = np.zeros((int(frame.particles.N), 3))
    if frame.particles.velocity is not None:
        velocity[:] = frame.particles.velocity
    velocity[mine] = rng.normal(size=(len(mine), 3)) / np.sqrt(mass[mine, None])
    turned = orientations(frame)
    frame.particles.mass, frame.particles.moment_inertia = mass, moments
    frame.particles.velocity, frame.particles.orientation = velocity, turned
    frame.particles.angmom = to_quaternion(turned, rng.normal(size=moments.shape) * np.sqrt(moments))
