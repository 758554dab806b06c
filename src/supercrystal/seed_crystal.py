"""The crystal that a seed is cut from: a study's nanocrystals on the lattice of a phase.

Lattice constants of spheres are those of the hard-sphere lattice at the study's OPM size ratio, of cubes with spheres those
of rigid bodies; both are scaled to the density.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from supercrystal import lattices
from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.packing import hard
from supercrystal.packing.cubes import rotations
from supercrystal.protocols import seeding
from supercrystal.solids.body_candidates import BodyCandidate, candidates, sizes
from supercrystal.solids.body_candidates import constants as rigid_constants
from supercrystal.system import System, species

#: The cell is at least this many times the range of the forces wide, so that no particle meets its own image.
NARROWEST = 2.0


def plain(phase: str) -> str:
    """Name in the catalogue of a phase with or without an orientation, as ``ABO3`` of ``ABO3:rotated``."""
    return phase.partition(":")[0]


def of_bodies(model: Model, phase: str) -> BodyCandidate:
    """The crystal of spheres and cuboids that a name stands for; without an orientation the first that is known.

    Raises:
        PhysicsError: a phase that leaves out some of the nanocrystals, or as `body_candidates.candidates`.
    """
    wanted = lattices.prototype(plain(phase)).name
    found = [one for one in candidates([phase], model) if one.phase == wanted and not one.added]
    whole = [one for one in found if set(one.types.values()) == set(model.types)]
    if not whole:
        raise PhysicsError(
            f"{phase} is not made of all of {', '.join(model.types)}: leave the others out of the study"
        )
    return whole[0]


def roles(model: Model, phase: str) -> dict[str, str]:
    """Species of the catalogue → species of the model, the largest being A.

    Raises:
        PhysicsError: the phase has another number of species, or one that structure analysis does not recognise.
    """
    kind = lattices.prototype(plain(phase))
    if kind.reference is None:
        raise PhysicsError(
            f"{kind.name} is not recognised in trajectories, so that its growth cannot be followed"
        )
    if model.bodies:
        return dict(of_bodies(model, phase).types)
    sizes: dict[str, list[float]] = {}
    for name, diameter in zip(model.types, model.diameters, strict=True):
        sizes.setdefault(species(name), []).append(diameter)
    largest_first = sorted(sizes, key=lambda name: -float(np.mean(sizes[name])))
    wanted = list(kind.species_counts)
    if len(wanted) != len(largest_first) or len(wanted) > 2:
        raise PhysicsError(
            f"{kind.name} has the species {', '.join(wanted)}, the study {', '.join(largest_first)}: seeds have one or two "
            "species, as many as the study"
        )
    return dict(zip(wanted, largest_first, strict=True))


def _mean_diameter(model: Model, name: str) -> float:
    chosen = [i for i, kind in enumerate(model.types) if species(kind) == name]
    return float(np.average([model.diameters[i] for i in chosen], weights=[model.counts[i] for i in chosen]))


def crystal(
    model: Model,
    phase: str,
    packing_fraction: float,
    count: int,
    seed: int,
    elongation: float = seeding.ELONGATION,
) -> tuple[System, tuple[int, int, int]]:
    """The study's nanocrystals on the lattice of a phase, and the numbers of rectangular cells.

    Args:
        model: types and forces.
        phase: a name of the catalogue.
        packing_fraction: volume of OPM spheres over that of the cell.
        count: nanocrystals, about.
        seed: of the random numbers by which size classes are spread over the sites.
        elongation: length of the cell along z over its width.

    Raises:
        PhysicsError: as `roles`; a size ratio without a lattice; a cell too narrow for the forces.
    """
    assigned = roles(model, phase)
    diameters = {kind: _mean_diameter(model, name) for kind, name in assigned.items()}
    gamma = diameters["B"] / diameters["A"] if "B" in diameters else 1.0
    turned: Mapping[str, Any] = {}
    if model.bodies:
        one = of_bodies(model, phase)
        constants = rigid_constants(one, sizes(model))
        turned = rotations(one.phase, one.orientation) if len(one.types) > 1 else {}
    else:
        constants = {key: float(value) for key, value in hard.constants(phase, gamma).items()}
    phase = plain(phase)
    if not all(math.isfinite(value) for value in constants.values()):
        raise PhysicsError(f"no lattice of {phase} is known at the size ratio {gamma:.3f}")
    cells = seeding.repeats(phase, constants, count, elongation)
    kind = lattices.prototype(phase)
    volume = np.mean(
        [math.pi / 6 * diameters[one] ** 3 for one in (kind.species[label] for label in kind.labels)]
    )
    frame = seeding.crystal(phase, packing_fraction / float(volume), cells, constants, assigned, turned)
    classes = {name: [one for one in model.types if species(one) == name] for name in assigned.values()}
    frame = seeding.spread(frame, classes, np.random.default_rng([seed, 3]))
    # Types in the model's own order, as its potentials are keyed.
    order = [model.types.index(name) for name in frame.particles.types]
    frame.particles.typeid = np.array(order, np.uint32)[frame.particles.typeid]
    frame.particles.types = list(model.particle_types)
    frame.particles.diameter = np.asarray(model.diameters)[frame.particles.typeid]
    frame.particles.mass = np.full(frame.particles.N, model.mass)
    system = System(
        frame=frame,
        pairs=model.pairs,
        friction=model.friction,
        timestep=model.timestep,
        length=model.site_diameter or model.reference_diameter,
        solvent=model.solvent,
        bodies=model.bodies,
    )
    narrowest = float(min(frame.configuration.box[:3]))
    if narrowest < NARROWEST * model.r_cut:
        wanted = math.ceil(frame.particles.N * (NARROWEST * model.r_cut / narrowest) ** 3)
        raise PhysicsError(
            f"{frame.particles.N} nanocrystals make a cell {narrowest:.1f} nm wide; forces that reach {model.r_cut:.1f} nm "
            f"need {NARROWEST * model.r_cut:.1f} nm: give about {wanted} (--count)"
        )
    return system, cells
