"""A crystal in contact with its own melt: a slab or a ball of a lattice, and the rest of the cell molten around it.

A whole crystal is built first. Some of its particles, the seed, are held where they are while the bath heats the others
until they have melted and cools them again; then all are released. Both phases have the same composition and, at the
start, the same density.

What becomes of the seed tells whether the crystal grows or melts at that density or pressure. It does not tell which of
two crystals is stable: seeds of both may grow.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal import lattices, rigid
from supercrystal.box import wrap
from supercrystal.errors import PhysicsError
from supercrystal.system import PairPotential, Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

#: What is added to the name of a type whose particles are held; `system.species` takes it off again.
HELD = ":held"

#: A slab's cell is about this much longer along z than it is wide, so that growth is seen before the fronts meet.
ELONGATION = 2.0

#: A ball is at least a particle with its neighbours, and at most this share of the cell wide.
SMALLEST_BALL = 13
WIDEST_BALL = 0.8

#: Temperature of the melt in kT, and times in units of m/γ: at the heat, and while it cools back to kT.
HOT = 6.0
HEATING, COOLING = 10.0, 3.0

#: Molten is where at most this share of the particles that are `APART` spacings from the seed is crystalline.
STILL_CRYSTAL = 0.1
APART = 2.0


def _rectangular(phase: str, constants: Mapping[str, float]) -> tuple[NDArray[np.float64], int]:
    """Edges (3,) of the smallest rectangular cell and the particles in it; of a hexagonal phase a, √3 a, c."""
    kind = lattices.prototype(phase)
    edges = np.diag(lattices.vectors(phase, constants)).copy()
    if kind.system == "hexagonal":
        edges[1] *= 2
        return edges, 2 * len(kind.labels)
    return edges, len(kind.labels)


def repeats(
    phase: str, constants: Mapping[str, float], count: int, elongation: float = ELONGATION
) -> tuple[int, int, int]:
    """Rectangular cells along each axis for about `count` particles in a box about `elongation` times as long as wide.

    Args:
        phase: a name of the catalogue.
        constants: its constants.
        count: particles wished for.
        elongation: length along z over width.

    Raises:
        PhysicsError: fewer particles than two cells have.

    >>> repeats("fcc", {"a": 1.0}, 1000)
    (5, 5, 10)
    """
    edges, each = _rectangular(phase, constants)
    cells = count / each
    if cells < 2:
        raise PhysicsError(
            f"a seed and its melt need at least two cells of {phase}, {2 * each} particles; got {count}"
        )
    width = (cells * float(np.prod(edges)) / elongation) ** (1 / 3)
    tried = [{max(1, math.floor(width / edge)), math.ceil(width / edge)} for edge in edges[:2]]
    best, least = (1, 1, 2), math.inf
    for x, y in itertools.product(*tried):
        z = max(2, round(cells / (x * y)))
        lengths = np.array([x, y, z]) * edges
        misfit = abs(math.log(x * y * z / cells)) + 0.3 * abs(math.log(lengths[2] / lengths[0] / elongation))
        misfit += 0.3 * abs(math.log(lengths[1] / lengths[0]))
        if misfit < least:
            best, least = (x, y, z), misfit
    return best


def crystal(
    phase: str,
    density: float,
    cells: tuple[int, int, int],
    constants: Mapping[str, float],
    types: Mapping[str, str] | None = None,
    orientations: Mapping[str, ArrayLike] | None = None,
) -> gsd.hoomd.Frame:
    """Build a crystal of a given number density in a rectangular box.

    Args:
        phase: a name of the catalogue.
        density: particles per volume [nm⁻³].
        cells: rectangular cells along each axis; hexagonal phases have a × √3 a × c.
        constants: the prototype's constants; its lengths are scaled together to the density.
        types: species of the catalogue → particle type.
        orientations: of bodies on the sites, as `lattices.build` takes them.

    Raises:
        PhysicsError: a density that is not positive, or as `lattices.build`.
    """
    if not density > 0:
        raise PhysicsError(f"a density is > 0; got {density}")
    kind = lattices.prototype(phase)
    scale = (len(kind.labels) / density / float(lattices.volume(phase, constants))) ** (1 / 3)
    scaled = {key: value * scale if key in ("a", "c") else value for key, value in constants.items()}
    if kind.system != "hexagonal":
        return lattices.build(phase, scaled, repeats=cells, types=types, orientations=orientations)
    x, y, z = cells
    frame = lattices.build(phase, scaled, repeats=(x, 2 * y, z), types=types, orientations=orientations)
    # a₁ + 2 a₂ is perpendicular to a₁, so the same particles fill the rectangle, wrapped into it.
    edges, _ = _rectangular(phase, scaled)
    box = edges * np.array(cells)
    wrapped = np.asarray(frame.particles.position, float)
    frame.particles.position = wrapped - box * np.floor(wrapped / box + 0.5 + 1e-6)
    frame.configuration.box = [*(float(side) for side in box), 0, 0, 0]
    return frame


def spread(
    frame: gsd.hoomd.Frame, classes: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> gsd.hoomd.Frame:
    """Return the frame with each type replaced by its size classes in equal shares, at random sites.

    Args:
        frame: a crystal.
        classes: type → the particle types of its size classes.
        rng: source of randomness.
    """
    import copy

    result = copy.deepcopy(frame)
    names = [name for kind in frame.particles.types for name in classes[kind]]
    typeid = np.empty(frame.particles.N, np.uint32)
    for index, kind in enumerate(frame.particles.types):
        mine = np.flatnonzero(np.asarray(frame.particles.typeid) == index)
        options = [names.index(name) for name in classes[kind]]
        typeid[mine] = rng.permutation(np.resize(options, len(mine)))
    result.particles.types, result.particles.typeid = names, typeid
    return result


def slab(frame: gsd.hoomd.Frame, cells: tuple[int, int, int], share: float) -> NDArray[np.bool_]:
    """Particles (N,) in the lowest whole cells along z that make up `share` of the crystal.

    Raises:
        PhysicsError: a share that leaves less than one cell of either phase.
    """
    layers = round(share * cells[2])
    if not 0 < layers < cells[2]:
        raise PhysicsError(
            f"a seed of {share:g} of {cells[2]} cells along z leaves no {'crystal' if layers <= 0 else 'melt'}; "
            f"allowed {1 / cells[2]:.3g} to {1 - 1 / cells[2]:.3g}, or give more particles"
        )
    box = np.asarray(frame.configuration.box, float)
    height = np.asarray(frame.particles.position, float)[:, 2] / box[2] + 0.5
    # A quarter of a cell's finest layer keeps rounding from moving particles across the cut.
    inside: NDArray[np.bool_] = height < layers / cells[2] - 1e-3 / cells[2]
    return inside


def thinned(system: System, seed: NDArray[np.bool_], factor: float) -> System:
    """Return the system in a cell `factor` times as long along z, in which the slab of the seed is as it was.

    All else is spread over the room that is left, so that a crystal starts at its own density beside a thinner melt: what
    attracts holds together there, where one that was stretched to the mean density would tear.

    Args:
        system: a crystal in a rectangular cell.
        seed: (N,) particles of a slab at the bottom of the cell, as `slab` tells them.
        factor: ≥ 1, mean volume over that of the crystal.

    Raises:
        PhysicsError: a factor below 1.
    """
    import copy

    if not factor >= 1:
        raise PhysicsError(
            f"a melt is at most as dense as the crystal beside it; the cell would shrink to {factor:.3g} of its length: "
            "give the seed a higher packing fraction, or the cell a lower one"
        )
    frame = copy.deepcopy(system.frame)
    box = np.array(frame.configuration.box, float)
    positions = np.array(frame.particles.position, float)
    height = positions[:, 2] + box[2] / 2
    top = float(height[~seed].min())
    room = (factor * box[2] - top) / (box[2] - top)
    height[~seed] = top + (height[~seed] - top) * room
    box[2] *= factor
    positions[:, 2] = height - box[2] / 2
    frame.configuration.box, frame.particles.position = box, positions
    return dataclasses.replace(system, frame=frame)


def ball(frame: gsd.hoomd.Frame, radius: float) -> NDArray[np.bool_]:
    """Particles (N,) within `radius` [nm] of the centre of a rectangular cell.

    Raises:
        PhysicsError: a ball of fewer particles than a site with its neighbours, or one that comes near its images.
    """
    box = np.asarray(frame.configuration.box, float)[:3]
    inside: NDArray[np.bool_] = np.linalg.norm(np.asarray(frame.particles.position, float), axis=1) < radius
    if inside.sum() < SMALLEST_BALL or 2 * radius > WIDEST_BALL * box.min():
        raise PhysicsError(
            f"a ball of radius {radius:g} nm holds {int(inside.sum())} particles of a cell {box.min():.4g} nm wide; allowed "
            f"are {SMALLEST_BALL} particles or more and a radius up to {WIDEST_BALL / 2 * box.min():.4g} nm: change the "
            "radius or give more particles"
        )
    return inside


def _velocities(frame: gsd.hoomd.Frame, moving: NDArray[np.bool_], rng: np.random.Generator) -> None:
    mass = np.asarray(frame.particles.mass, float)[:, None]
    velocity = rng.normal(size=(frame.particles.N, 3)) / np.sqrt(mass)
    velocity[~moving] = 0
    if moving.any():
        velocity[moving] -= np.average(velocity[moving], axis=0, weights=mass[moving, 0])
    frame.particles.velocity = velocity


def held(system: System, seed: NDArray[np.bool_], rng: np.random.Generator, hot: float = HOT) -> System:
    """Return the system with its seed held and velocities drawn for the others.

    The time step shrinks with the root of the temperature `hot` to which the others will be heated. No engine holds a
    body: of bodies of the seed the beads are held, as particles by themselves behind all others.
    """
    import copy

    if system.bodies:
        return _held_bodies(system, seed, rng, hot)
    types = system.types
    both = (*types, *(name + HELD for name in types))
    frame = copy.deepcopy(system.frame)
    frame.particles.types = list(both)
    frame.particles.typeid = np.asarray(frame.particles.typeid) + len(types) * seed.astype(np.uint32)
    _velocities(frame, ~seed, rng)

    return dataclasses.replace(
        system,
        frame=frame,
        pairs=_doubled(system.pairs, both),
        solvent=_doubled(system.solvent, both),
        friction={name: system.friction[name.removesuffix(HELD)] for name in both},
        weight={
            name: system.weight[name.removesuffix(HELD)]
            for name in both
            if name.removesuffix(HELD) in system.weight
        },
        timestep=system.timestep / math.sqrt(hot),
        fixed=frozenset(name + HELD for name in types),
    )


def _doubled(
    pairs: Mapping[tuple[str, str], tuple[PairPotential, ...]], types: Sequence[str]
) -> dict[tuple[str, str], tuple[PairPotential, ...]]:
    """Potentials of all pairs of types, of which held ones have those of their namesakes."""
    found: dict[tuple[str, str], tuple[PairPotential, ...]] = {}
    for i, a in enumerate(types):
        for b in types[i:]:
            key = (a.removesuffix(HELD), b.removesuffix(HELD))
            potentials = pairs.get(key, pairs.get(key[::-1]))
            if potentials is not None:
                found[a, b] = potentials
    return found


def _held_bodies(system: System, seed: NDArray[np.bool_], rng: np.random.Generator, hot: float) -> System:
    """As `held`, with bodies: first the particles that move, behind them what the seed is made of."""
    import copy

    whole = system.frame.particles
    beads = rigid.beads(system.frame, system.bodies)
    ofseed = seed[beads.owner]
    spheres = seed & ~np.isin(np.arange(whole.N), rigid.centres(system.frame, system.bodies))
    moving = np.flatnonzero(~seed)
    types = system.types
    both = (*types, *(name + HELD for name in types if name not in system.bodies))
    kinds = np.asarray(whole.typeid)
    still = [*kinds[spheres], *beads.typeid[ofseed]]
    positions = np.asarray(whole.position, float)
    placed, _ = wrap(system.frame.configuration.box, positions[beads.owner[ofseed]] + beads.offsets[ofseed])
    turned = rigid.orientations(system.frame)
    frame = copy.deepcopy(system.frame)
    particles = frame.particles
    particles.N = len(moving) + len(still)
    particles.types = list(both)
    held_ids = [both.index(types[kind] + HELD) for kind in still]
    particles.typeid = np.array([*kinds[moving], *held_ids], np.uint32)
    particles.position = np.vstack([positions[moving], positions[spheres], placed])
    particles.orientation = np.vstack([turned[moving], np.tile([1.0, 0, 0, 0], (len(still), 1))])
    particles.mass = np.append(np.asarray(whole.mass, float)[moving], np.ones(len(still)))
    particles.diameter = np.append(np.asarray(whole.diameter, float)[moving], np.ones(len(still)))
    particles.velocity = particles.angmom = particles.moment_inertia = particles.image = None
    free = np.arange(particles.N) < len(moving)
    _velocities(frame, free, rng)
    rigid.thermal(frame, system.bodies, rng)
    pairs = {
        key: terms
        for key, terms in _doubled(system.pairs, both).items()
        if not all(name.endswith(HELD) for name in key)
    }
    return dataclasses.replace(
        system,
        frame=frame,
        pairs=pairs,
        friction={name: system.friction.get(name.removesuffix(HELD), 1.0) for name in both},
        timestep=system.timestep / math.sqrt(hot),
        fixed=frozenset(name for name in both if name.endswith(HELD)),
    )


def melting(system: System, hot: float = HOT) -> Schedule:
    """Schedule that heats a system made by `held` and cools it back to kT."""
    kinds = np.asarray(system.frame.particles.typeid)
    masses = np.asarray(system.frame.particles.mass, float)
    names = [name for name in system.mobile if np.any(kinds == system.types.index(name))]
    heaviest = float(max(masses[kinds == system.types.index(name)].max() for name in names))
    relaxation = heaviest / min(system.friction[name] for name in names)
    steps = [max(1, round(time * relaxation / system.timestep)) for time in (HEATING, COOLING)]
    return Schedule(steps=(0, steps[0], sum(steps)), temperature=(hot, hot, 1.0))


def released(
    system: System,
    frame: gsd.hoomd.Frame,
    rng: np.random.Generator,
    seed: NDArray[np.bool_] | None = None,
) -> System:
    """Return `system` with the positions of `frame`, none held any more, and all velocities drawn anew.

    Args:
        system: the one that was given to `held`.
        frame: of the engine after `melting`.
        rng: source of randomness.
        seed: (N,) particles that were held; only bodies need it, none where it is left out.
    """
    import copy

    result = copy.deepcopy(system.frame)
    if system.bodies:
        moving = np.arange(result.particles.N) if seed is None else np.flatnonzero(~seed)
        positions, turned = np.array(result.particles.position, float), rigid.orientations(result)
        positions[moving] = frame.particles.position[: len(moving)]
        turned[moving] = rigid.orientations(frame)[: len(moving)]
        result.particles.position, result.particles.orientation = positions, turned
        result.configuration.step = 0
        _velocities(result, np.ones(result.particles.N, bool), rng)
        rigid.thermal(result, system.bodies, rng)
        return dataclasses.replace(system, frame=result)
    result.particles.position = frame.particles.position
    result.configuration.box = frame.configuration.box
    result.configuration.step = 0
    _velocities(result, np.ones(result.particles.N, bool), rng)
    return dataclasses.replace(system, frame=result)


def far_from_seed(frame: gsd.hoomd.Frame, seed: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """Particles (N,) further than `distance` [nm] from every particle of the seed, in a rectangular periodic cell."""
    from scipy.spatial import cKDTree

    box = np.asarray(frame.configuration.box, float)[:3]
    x = np.mod(np.asarray(frame.particles.position, float), box)
    x[x >= box] = 0.0  # rounding of a tiny negative coordinate
    nearest, _ = cKDTree(x[seed], boxsize=box).query(x)
    far: NDArray[np.bool_] = nearest > distance
    return far
