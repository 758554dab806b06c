"""Rigid bodies and all else that turns in HOOMD-blue: it has them natively, this gives them over in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from supercrystal import rigid
from supercrystal.system import System


def snapshot(system: System, device: Any) -> Any:
    """Snapshot of centres and free particles; a GSD frame would round orientations to single precision."""
    import hoomd

    frame = system.frame
    n = int(frame.particles.N)
    snapshot = hoomd.Snapshot(device.communicator)
    if device.communicator.rank != 0:  # only the first rank has particles to give
        return snapshot
    snapshot.configuration.box = list(frame.configuration.box)
    particles = snapshot.particles
    particles.N, particles.types = n, list(system.types)
    turned = rigid.orientations(frame)
    mass, moments = rigid.properties(frame, system.turning)
    particles.typeid[:], particles.position[:] = frame.particles.typeid, frame.particles.position
    particles.mass[:], particles.moment_inertia[:] = mass, moments
    particles.orientation[:] = turned
    particles.angmom[:] = rigid.to_quaternion(turned, rigid.own_momenta(frame) * (moments > 0))
    for name in ("velocity", "image", "diameter"):
        given = getattr(frame.particles, name)
        if given is not None:
            getattr(particles, name)[:] = given
    return snapshot


def constraint(system: System) -> Any:
    """The bodies as HOOMD's constraint."""
    import hoomd

    found = hoomd.md.constrain.Rigid()
    for name, body in system.bodies.items():
        found.body[name] = {
            "constituent_types": list(body.bead_types),
            "positions": [tuple(float(x) for x in position) for position in body.positions],
            "orientations": [(1.0, 0.0, 0.0, 0.0)] * len(body.positions),
        }
    return found


def moving(system: System) -> Any:
    """Filter of what is integrated: centres and free particles, less the fixed ones."""
    import hoomd

    whole = hoomd.filter.Rigid(flags=("center", "free"))
    if not system.fixed:
        return whole
    return hoomd.filter.Intersection(whole, hoomd.filter.Type(list(system.mobile)))


def set_friction(langevin: Any, system: System) -> None:
    """Give a Langevin method the frictions of what turns."""
    for name, body in system.turning.items():
        langevin.gamma[name] = body.friction
        langevin.gamma_r[name] = tuple(float(value) for value in body.rotational_friction)


def read(frame: Any, particles: Any) -> None:
    """Give a frame the orientations, momenta and body numbers that a snapshot has, without beads."""
    n = frame.particles.N
    for name in ("orientation", "angmom", "moment_inertia"):
        setattr(frame.particles, name, np.array(getattr(particles, name)[:n], float))
    body = np.array(particles.body[:n]).astype(np.int64)
    frame.particles.body = np.where(body < n, body, -1).astype(np.int32)  # 2³² − 1 is no body
