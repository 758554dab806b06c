"""What becomes of a crystal of bodies at kT under pressure.

A rectangular supercell of the lattice as it is called, bodies in the orientations that they are called by, is simulated
with the study's friction; what is there at the end is named from mean positions (`structure.naming`), and the order of the
cubes taken on its sites (`structure.cubes`). HOOMD-blue lets all of the cell change; LAMMPS has no triclinic cell of rigid
bodies under pressure, so that there a crystal that would shear is held upright.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supercrystal import box, rigid, soundness
from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.solids import dynamics
from supercrystal.solids.bodies import BodyCrystal
from supercrystal.solids.crystal import bonds
from supercrystal.solids.dynamics import Outcome
from supercrystal.system import Schedule, System

#: A supercell's sides over twice the range of the forces; under pressure it shrinks and swells.
MARGIN = 1.15
#: Linear expansion of the crystal at T = 0 from which a simulation starts: at kT bodies need room.
EXPANDED = 1.01


@dataclass(frozen=True)
class BodyOutcome:
    """A crystal of bodies after a time at kT under pressure.

    Args:
        plain: what became of positions and cell.
        cubes: order and angles of cubes on the sites of each grain, as JSON.
        engine: that ran it.
        flexible: what its cell could do.
    """

    plain: Outcome
    cubes: tuple[Mapping[str, Any], ...]
    engine: str
    flexible: str

    @property
    def words(self) -> str:
        """What happened, with the orientations."""
        parts = [self.plain.words]
        largest = [row for row in self.cubes if row["grain"] == 0]
        for row in largest:
            line = row.get("line")
            if line:
                parts.append(
                    f"{row['species']} on {row['site']}: tilt {line['mean_tilt_degrees']:.0f}°, twist "
                    f"{line['mean_twist_degrees']:.0f}°"
                )
            else:
                parts.append(
                    f"{row['species']} on {row['site']}: {row['mean_degrees_to_axes']:.0f}° off the axes"
                )
        return "; ".join(parts)


def supercell(made: BodyCrystal, model: Model, least: int) -> tuple[BodyCrystal, tuple[int, int, int]]:
    """Repeat a cell until it has `least` bodies and room for them and their forces; always the thinnest side."""
    types = set(made.crystal.types)
    acting = types | {
        bead for name, body in model.bodies.items() if name in types for bead in body.bead_types
    }
    reach = max(
        term.r_cut for pair, terms in model.pairs.items() if acting.issuperset(pair) for term in terms
    )
    spans = [2 * body.radius + reach for name, body in model.bodies.items() if name in types]
    narrowest = MARGIN * max(2 * reach, *spans) if spans else MARGIN * 2 * reach
    repeats = [1, 1, 1]
    widths = box.widths(made.crystal.cell)
    while made.n * math.prod(repeats) < least or np.any(widths * repeats < narrowest):
        repeats[int(np.argmin(widths * repeats))] += 1
    a, b, c = repeats
    return made.repeated((a, b, c)), (a, b, c)


def system_of(made: BodyCrystal, model: Model, seed: int) -> System:
    """A supercell as a system at kT = 1, only the types that occur in it.

    Args:
        made: the supercell; its first edge along x, the second in the xy plane.
        model: of the cubes tier.
        seed: of velocities and angular momenta.
    """
    import gsd.hoomd

    names = [name for name in model.types if name in made.crystal.types]
    bodies = {name: model.bodies[name] for name in names if name in model.bodies}
    beads = [bead for body in bodies.values() for bead in dict.fromkeys(body.bead_types)]
    frame = gsd.hoomd.Frame()
    frame.configuration.dimensions = 3
    frame.configuration.box = box.parameters(made.crystal.cell)
    frame.particles.N = made.n
    frame.particles.types = [*names, *beads]
    frame.particles.typeid = np.array([names.index(name) for name in made.crystal.types], np.uint32)
    frame.particles.position = ((made.crystal.fractional + 1e-9) % 1.0 - 0.5) @ made.crystal.cell
    frame.particles.orientation = made.orientations.copy()
    sizes = dict(zip(model.types, model.diameters, strict=True))
    frame.particles.diameter = np.array([sizes[name] for name in made.crystal.types])
    frame.particles.mass = np.full(made.n, model.mass)
    rng = np.random.default_rng([seed, 31])
    velocity = rng.normal(size=(made.n, 3)) / math.sqrt(model.mass)
    frame.particles.velocity = velocity - velocity.mean(axis=0)
    if bodies:
        rigid.thermal(frame, bodies, rng)
    kept = set(frame.particles.types)
    return System(
        frame=frame,
        pairs={pair: terms for pair, terms in model.pairs.items() if kept.issuperset(pair)},
        friction={name: model.friction[name] for name in names},
        timestep=model.timestep,
        length=model.site_diameter if bodies and model.site_diameter else min(sizes[name] for name in names),
        bodies=bodies,
    )


def order_on_sites(series: dynamics.Series) -> tuple[Mapping[str, Any], ...]:
    """Order of the cubes on the sites of each grain at the end of a run, as JSON; nothing without cubes or grains."""
    from supercrystal.structure.cubes import on_sites

    found = dynamics.named(series)
    if found.configuration.orientations is None or not found.grains:
        return ()
    return tuple(row.to_dict() for row in on_sites(found))


def survival(
    phase: str,
    made: BodyCrystal,
    model: Model,
    pressure: float,
    choice: base.Choice,
    *,
    time: float,
    particles: int,
    seed: int,
) -> BodyOutcome:
    """Keep a crystal at kT = 1 and a pressure, and say what became of it.

    Args:
        phase: its name in the catalogue.
        made: its rectangular cell, relaxed.
        model: of the cubes tier.
        pressure: P [kT/nm³].
        choice: engine.
        time: how long [τ_B].
        particles: bodies and spheres, at least.
        seed: of velocities and bath.

    Raises:
        PhysicsError: bodies that overlap.
        EngineError, SimulationError: as the engine says.
    """
    if not pressure > 0:
        raise PhysicsError(
            f"a crystal of bodies is kept together by a pressure > 0 kT/nm³; got {pressure}: give --pressure, or leave "
            "the simulation out (--no-dynamics)"
        )
    big, repeats = supercell(made.scaled(EXPANDED), model, particles)
    system = system_of(big, model, seed)
    flexible: Any = "triclinic" if choice.engine == "hoomd" else "orthorhombic"
    steps = max(10 * dynamics.ROWS, round(time / system.timestep))
    schedule = Schedule(steps=(0, steps), pressure=(pressure, pressure), flexible=flexible)
    soundness.check(system, schedule)
    series = dynamics.run(choice, system, schedule, seed)
    nearest = float(bonds(made.crystal, 2 * (made.volume / made.n) ** (1 / 3)).length.min())
    found = dynamics.outcome(phase, series, repeats, pressure, nearest)
    return BodyOutcome(found, order_on_sites(series), choice.engine, flexible)


def record(outcome: BodyOutcome) -> dict[str, Any]:
    """As JSON, with the words of both positions and orientations."""
    plain: Sequence[Any] | dict[str, Any] = dataclasses.asdict(outcome.plain)
    assert isinstance(plain, dict)
    return {
        **plain,
        "words": outcome.words,
        "cubes": list(outcome.cubes),
        "cell_could_change": outcome.flexible,
    }
