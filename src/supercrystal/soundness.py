"""Whether a system and its schedule can be simulated at all, found out before the first step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from supercrystal import box, rigid
from supercrystal.errors import PhysicsError
from supercrystal.interactions.alj import Facets, nearest_points
from supercrystal.system import Schedule, System, closest_approaches

if TYPE_CHECKING:
    import gsd.hoomd

#: Largest move of the interface in a step, in wall diameters: at 0.04 neither engine lost or passed a nanocrystal
#: (tests/test_engines.py).
LARGEST_JUMP = 0.05


def check(system: System, schedule: Schedule) -> None:
    """Find out before the first step what an engine would stumble over.

    Raises:
        PhysicsError: walls together with a pressure, an interface that outruns the time step, a cell too small for the
            range of the forces or for its bodies, particles placed where their potential diverges, fixed bodies, single
            beads, or polyhedra between walls.
    """
    _check_bodies(system)
    _check_polyhedra(system)
    if system.film and schedule.pressure:
        raise PhysicsError(
            "a film between walls has no constant pressure: give heights, or leave out the walls"
        )
    if system.film and schedule.heights:
        steps, heights = np.asarray(schedule.steps), np.asarray(schedule.heights)
        jump = float(np.max(np.abs(np.diff(heights)) / np.diff(steps)))
        smallest = min(wall.sigma for wall in system.film.walls.values())
        if jump > LARGEST_JUMP * smallest:
            raise PhysicsError(
                f"the interface would move {jump / smallest:.3g} wall diameters a step; allowed {LARGEST_JUMP}: lower "
                "peclet, or the time step"
            )
    sides = [side for side in schedule.sides if not any(math.isnan(x) for x in side)]
    trouble = too_narrow(system, min([narrowest(system, system.frame), *(min(side) for side in sides)]))
    if trouble:
        raise PhysicsError(trouble)
    _check_apart(system, closest_approaches(system, schedule))
    _check_contacts(system)


def narrowest(system: System, frame: gsd.hoomd.Frame) -> float:
    """Smallest width of a frame's cell in its periodic directions [nm]."""
    return float(box.widths(box.edges(frame.configuration.box))[: 2 if system.film else 3].min())


def too_narrow(system: System, width: float) -> str | None:
    """Why a cell of this width [nm] cannot hold the forces and bodies of a system; None if it can."""
    if width <= 2 * system.r_cut:
        return (
            f"the cell gets as narrow as {width:.1f} nm, but it must be wider than twice the range of the forces, "
            f"{2 * system.r_cut:.1f} nm: give more nanocrystals, or a shorter range"
        )
    for body in system.bodies.values():
        needed = 2 * body.radius + system.r_cut
        if width <= needed:
            return (
                f"the cell gets as narrow as {width:.1f} nm, but it must be wider than {needed:.1f} nm, body "
                f"'{body.name}' and the range of the forces, or a body would meet its own image: give more nanocrystals"
            )
    return None


def _check_bodies(system: System) -> None:
    """Make sure that bodies can move as wholes, and that beads belong to bodies."""
    present = {system.types[kind] for kind in np.unique(system.frame.particles.typeid)}
    for name, body in system.bodies.items():
        if name != body.name or name not in system.types:
            raise PhysicsError(
                f"body '{body.name}' stands for the type '{name}', but the frame's types are {', '.join(system.types)}: "
                "call the body like the type of its centres"
            )
        rigid.beads(system.frame, {name: body})
        if {name, *body.bead_types} & system.fixed:
            raise PhysicsError(
                f"body '{name}' is fixed, but no engine here holds a body: leave it out of the fixed types"
            )
        alone = sorted(present & set(body.bead_types))
        if alone:
            raise PhysicsError(
                f"'{alone[0]}' is the type of a bead of body '{name}' and of particles of the frame: name them apart; "
                "beads are not in the frame"
            )


def _check_polyhedra(system: System) -> None:
    """Make sure that polyhedra have contacts, move, and meet no walls."""
    if not system.polyhedra:
        return
    if system.film:
        raise PhysicsError(
            "a film has walls, which act on centres: a corner of an ALJ polyhedron would stand out of the wall. Take "
            "model.bodies = 'beads', or stages without a film: compression, destabilisation, annealing"
        )
    for name, polyhedron in system.polyhedra.items():
        if (
            name != polyhedron.name
            or name not in system.types
            or name in system.fixed
            or name in system.bodies
        ):
            raise PhysicsError(
                f"polyhedron '{polyhedron.name}' stands for the type '{name}': it must be one of the frame's types, "
                f"{', '.join(system.types)}, neither fixed nor a body"
            )
        for other in system.types:
            if (name, other) not in system.contacts and (other, name) not in system.contacts:
                raise PhysicsError(
                    f"polyhedron '{name}' has no contact with '{other}': give it one in `contacts`"
                )
    for name in {name for pair in system.contacts for name in pair} - set(system.types):
        raise PhysicsError(f"a contact names '{name}', but the types are {', '.join(system.types)}")


def _check_contacts(system: System) -> None:
    """Make sure that no polyhedron starts in another body, or so near that its contact diverges."""
    import freud

    if not system.polyhedra:
        return
    particles, types = system.frame.particles, system.types
    point = Facets(np.zeros((0, 3)), ())
    facets = [system.polyhedra[name].facets if name in system.polyhedra else point for name in types]
    contact = {
        (i, j): system.contacts.get((a, b)) or system.contacts.get((b, a))
        for i, a in enumerate(types)
        for j, b in enumerate(types)
    }
    reach = max(
        facets[i].radius + facets[j].radius + one.closest
        for (i, j), one in contact.items()
        if one is not None
    )
    cell = freud.box.Box.from_box(system.frame.configuration.box)
    query = freud.locality.AABBQuery(cell, particles.position)
    pairs = query.query(particles.position, {"r_max": reach, "exclude_ii": True}).toNeighborList()
    kinds, turned = np.asarray(particles.typeid), rigid.orientations(system.frame)
    for i, j in np.asarray(pairs[:]):
        one = contact[kinds[i], kinds[j]]
        if i > j or one is None:
            continue
        apart = cell.wrap(np.asarray(particles.position[j], float) - particles.position[i])
        a, b = facets[kinds[i]], facets[kinds[j]]
        if np.linalg.norm(apart) > a.radius + b.radius + one.closest:
            continue
        gap = nearest_points(a, b, apart, turned[i], turned[j])[2]
        if gap < one.closest:
            raise PhysicsError(
                f"{types[kinds[i]]} and {types[kinds[j]]} (particles {i} and {j}) "
                + ("overlap at the start" if gap <= 0 else f"start with {gap:.3g} nm between their cores")
                + f", where at least {one.closest:.3g} nm are needed: lower initial_packing_fraction"
            )


def _check_apart(system: System, closest: dict[tuple[str, str], float]) -> None:
    """Make sure that no two particles start where their potential diverges."""
    import freud

    if not closest:  # polyhedra alone
        return
    reach = max(closest.values())
    particles = rigid.with_beads(system.frame, system.bodies).particles
    query = freud.locality.AABBQuery(system.frame.configuration.box, particles.position)
    pairs = query.query(particles.position, {"r_max": reach, "exclude_ii": True}).toNeighborList()
    if system.bodies:
        owner = np.where(particles.body < 0, -1 - np.arange(particles.N), particles.body)
        pairs.filter(np.diff(owner[np.asarray(pairs[:])], axis=1)[:, 0] != 0)
    kinds = np.sort(particles.typeid[np.asarray(pairs[:])], axis=1)
    limit = np.zeros((len(system.types),) * 2)
    for (a, b), distance in closest.items():
        i, j = sorted((system.types.index(a), system.types.index(b)))
        limit[i, j] = distance
    near = np.flatnonzero(pairs.distances < limit[kinds[:, 0], kinds[:, 1]])
    if len(near):
        worst = near[int(np.argmin(pairs.distances[near]))]
        a, b = (system.types[kind] for kind in kinds[worst])
        raise PhysicsError(
            f"{a} and {b} start {pairs.distances[worst]:.3g} nm apart, where their potential is beyond 300 kT or diverges "
            f"(closest allowed {limit[kinds[worst, 0], kinds[worst, 1]]:.3g} nm): lower initial_packing_fraction, or give "
            "a softer interaction"
        )
