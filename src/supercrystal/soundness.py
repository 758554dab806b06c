"""Whether a system and its schedule can be simulated at all, found out before the first step."""

from __future__ import annotations

import math

import numpy as np

from supercrystal import box
from supercrystal.errors import PhysicsError
from supercrystal.system import Schedule, System, closest_approaches

#: Largest move of the interface in a step, in wall diameters: at 0.04 neither engine lost or passed a nanocrystal
#: (tests/test_engines.py).
LARGEST_JUMP = 0.05


def check(system: System, schedule: Schedule) -> None:
    """Find out before the first step what an engine would stumble over.

    Raises:
        PhysicsError: walls together with a pressure, an interface that outruns the time step, a cell too small for the
            range of the forces, or particles placed where their potential diverges.
    """
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
    widths = box.widths(box.edges(system.frame.configuration.box))[: 2 if system.film else 3]
    sides = [side for side in schedule.sides if not any(math.isnan(x) for x in side)]
    narrowest = min([float(widths.min()), *(min(side) for side in sides)])
    if narrowest <= 2 * system.r_cut:
        raise PhysicsError(
            f"the cell gets as narrow as {narrowest:.1f} nm, but it must be wider than twice the range of the forces, "
            f"{2 * system.r_cut:.1f} nm: give more nanocrystals, or a shorter range"
        )
    _check_apart(system, closest_approaches(system, schedule))


def _check_apart(system: System, closest: dict[tuple[str, str], float]) -> None:
    """Make sure that no two particles start where their potential diverges."""
    import freud

    reach = max(closest.values())
    particles = system.frame.particles
    query = freud.locality.AABBQuery(system.frame.configuration.box, particles.position)
    pairs = query.query(particles.position, {"r_max": reach, "exclude_ii": True}).toNeighborList()
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
