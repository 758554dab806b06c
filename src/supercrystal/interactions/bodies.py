"""Energy, force and torque between two rigid bodies of beads, for any pair potential between beads.

A body's sites are its beads and its centre; two sites interact if their types have a potential. A sphere is one site and is
given by its type's name. Nothing is approximated: all pairs of sites are summed.

Two equal bodies of equal orientation, on a line along a direction of their own frame, face each other with faces, edges or
corners (`curve`): then one number, the gap between their cores on that line, tells where they are. `calibrate` finds the
strength of the beads' attraction that makes the well of two faces as deep as wanted, for instance as two cubes of a
Hamaker constant are (`hamaker.cubes`, the integral over both; `hamaker.cube_faces` is too strong away from contact).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.interactions.mie import Mie, MieRepulsion, MieTail, with_minimum
from supercrystal.models.beads import Body
from supercrystal.shapes import Shape
from supercrystal.system import PairPotential

Potentials = Mapping[tuple[str, str], Sequence[PairPotential]]

#: Directions along which two parallel cuboids meet, in halves of their edges.
APPROACHES = {"face": (1.0, 0.0, 0.0), "edge": (1.0, 1.0, 0.0), "corner": (1.0, 1.0, 1.0)}
#: Pairs of sites treated at a time.
AT_ONCE = 1_000_000
#: The minimum of a curve is bracketed on this many gaps, and then refined.
GRID = 101


@dataclass(frozen=True)
class Encounter:
    """What two bodies a and b feel, for each of n arrangements of any shape (...).

    Args:
        energy: U, shape (...) [kT].
        force: on b, shape (..., 3) [kT/nm]; on a it is the opposite.
        torque_a: on a about its centre, in the axes of space, shape (..., 3) [kT].
        torque_b: on b about its centre, likewise.
    """

    energy: NDArray[np.float64]
    force: NDArray[np.float64]
    torque_a: NDArray[np.float64]
    torque_b: NDArray[np.float64]


def _sites(body: Body | str) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    if isinstance(body, str):
        return np.zeros((1, 3)), (body,)
    return np.concatenate([np.zeros((1, 3)), body.positions]), (body.name, *body.bead_types)


def encounter(
    a: Body | str,
    b: Body | str,
    separation: ArrayLike,
    orientation_a: ArrayLike,
    orientation_b: ArrayLike,
    potentials: Potentials,
) -> Encounter:
    """Sum the potentials between all sites of two bodies.

    Args:
        a: the one, or the type of a single site.
        b: the other.
        separation: from the centre of a to that of b, (..., 3) [nm].
        orientation_a: unit quaternion (w, x, y, z) of a, (..., 4); all three broadcast.
        orientation_b: unit quaternion of b.
        potentials: for pairs of types in either order; several of one pair add up, pairs without one do not interact.

    Raises:
        PhysicsError: arrays of a wrong shape, quaternions that are none, or no potential for any pair of sites.
    """
    r, qa, qb = (np.asarray(value, float) for value in (separation, orientation_a, orientation_b))
    if r.shape[-1:] != (3,) or qa.shape[-1:] != (4,) or qb.shape[-1:] != (4,):
        raise PhysicsError(
            f"two bodies need a separation (..., 3) and quaternions (..., 4); got {r.shape}, {qa.shape}, {qb.shape}"
        )
    for q in (qa, qb):
        if not np.all(np.abs(np.linalg.norm(q, axis=-1) - 1) < 1e-6):
            raise PhysicsError("orientations must be unit quaternions (w, x, y, z)")
    shape = np.broadcast_shapes(r.shape[:-1], qa.shape[:-1], qb.shape[:-1])
    r = np.broadcast_to(r, (*shape, 3)).reshape(-1, 3)
    qa, qb = (np.broadcast_to(q, (*shape, 4)).reshape(-1, 4) for q in (qa, qb))

    (sites_a, types_a), (sites_b, types_b) = _sites(a), _sites(b)
    blocks = _blocks(types_a, types_b, potentials)
    energy = np.zeros(len(r))
    force, torque_a, torque_b = np.zeros((3, len(r), 3))
    pairs = sum(len(i) * len(j) for i, j, _ in blocks)
    for part in np.array_split(np.arange(len(r)), max(1, math.ceil(len(r) * pairs / AT_ONCE))):
        for i, j, terms in blocks:
            u, on_b, about_a, about_b = _block(sites_a[i], sites_b[j], r[part], qa[part], qb[part], terms)
            energy[part] += u
            force[part] += on_b
            torque_a[part] += about_a
            torque_b[part] += about_b
    return Encounter(
        energy.reshape(shape),
        force.reshape(*shape, 3),
        torque_a.reshape(*shape, 3),
        torque_b.reshape(*shape, 3),
    )


def _blocks(
    types_a: Sequence[str], types_b: Sequence[str], potentials: Potentials
) -> list[tuple[NDArray[np.intp], NDArray[np.intp], Sequence[PairPotential]]]:
    """Sites of a, sites of b and potentials of each pair of types that interacts."""
    blocks = []
    for one in dict.fromkeys(types_a):
        for other in dict.fromkeys(types_b):
            terms = potentials.get((one, other)) or potentials.get((other, one))
            if terms:
                i = np.flatnonzero([name == one for name in types_a])
                j = np.flatnonzero([name == other for name in types_b])
                blocks.append((i, j, terms))
    if not blocks:
        raise PhysicsError(
            f"no two of the sites {', '.join(dict.fromkeys([*types_a, *types_b]))} have a potential; known pairs: "
            f"{', '.join('–'.join(pair) for pair in potentials) or 'none'}"
        )
    return blocks


def _block(
    own: NDArray[np.float64],
    other: NDArray[np.float64],
    r: NDArray[np.float64],
    qa: NDArray[np.float64],
    qb: NDArray[np.float64],
    terms: Sequence[PairPotential],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Energy (n,), force on b (n, 3) and torques on a and b (n, 3) of n arrangements."""
    import rowan

    arm_a = rowan.rotate(qa[:, None], own)  # (n, A, 3)
    arm_b = rowan.rotate(qb[:, None], other)  # (n, B, 3)
    vector = r[:, None, None] + arm_b[:, None] - arm_a[:, :, None]  # (n, A, B, 3)
    distance = np.sqrt(np.einsum("nabk,nabk->nab", vector, vector))
    if not np.all(distance > 0):
        raise PhysicsError("two sites are in one place; move the bodies apart")
    energy = np.sum([term.energy(distance) for term in terms], axis=0)
    slope = np.sum([term.force(distance) for term in terms], axis=0)
    pull = (slope / distance)[..., None] * vector  # on the site of b
    return (
        energy.sum(axis=(1, 2)),
        pull.sum(axis=(1, 2)),
        -np.cross(arm_a, pull.sum(axis=2)).sum(axis=1),
        np.cross(arm_b, pull.sum(axis=1)).sum(axis=1),
    )


def bead_potentials(
    diameter: float, depth: float, stiffness: float = 1.0, n: float = 12.0, m: float = 6.0, reach: float = 2.0
) -> tuple[PairPotential, ...]:
    """A repulsion between beads that ends at their diameter, and an attraction of given depth beyond.

    The two halves of a Mie potential whose minimum is at the diameter (`interactions.mie`), with a strength for each: the
    sum is smooth, -depth at the diameter, and of range ``reach × diameter``. Both depend on no chemistry; `calibrate` gives
    the depth its meaning.

    Args:
        diameter: σ of the beads [nm].
        depth: ≥ 0 of the attraction; 0 leaves the repulsion alone [kT].
        stiffness: ε > 0 of the repulsion [kT].
        n: exponent of the repulsion [-].
        m: exponent of the attraction [-].
        reach: cut of the attraction over σ, > 1 [-].

    Raises:
        PhysicsError: values out of range.

    >>> [round(float(sum(p.energy(3.0) for p in bead_potentials(3.0, depth))), 12) for depth in (0.0, 0.4)]
    [0.0, -0.4]
    """
    if not (depth >= 0 and reach > 1 and diameter > 0):
        raise PhysicsError(
            f"beads need a diameter > 0 nm, a depth ≥ 0 kT and a reach > 1; got {diameter}, {depth}, {reach}"
        )
    repulsion = MieRepulsion(with_minimum(stiffness, diameter, n, m))
    if depth == 0:
        return (repulsion,)
    tail: Mie = with_minimum(depth, diameter, n, m)
    return repulsion, MieTail(tail, reach * diameter, (1 + reach) / 2 * diameter)


def line(core: Shape, approach: str) -> tuple[NDArray[np.float64], float]:
    """Unit vector (3,) along which two parallel copies meet, and the centre distance at which their cores touch [nm].

    Args:
        core: a cuboid, cut or not.
        approach: ``"face"`` (the one normal to x), ``"edge"`` (along z) or ``"corner"``.

    Raises:
        PhysicsError: another shape or approach.

    >>> from supercrystal.shapes import cube
    >>> [round(line(cube(2.0), approach)[1], 3) for approach in APPROACHES]
    [2.0, 2.828, 3.464]
    """
    if approach not in APPROACHES:
        raise PhysicsError(f"bodies approach by {', '.join(APPROACHES)}; got '{approach}'")
    edges = core.parameters.get("edges")
    if not isinstance(edges, tuple):
        raise PhysicsError(
            f"faces, edges and corners are those of a cuboid, cut or not; a {core.name} has none such"
        )
    direction = np.asarray(APPROACHES[approach]) * edges
    direction /= np.linalg.norm(direction)
    return direction, 2 * core.core.extent(direction)


def curve(
    body: Body,
    core: Shape,
    potentials: Potentials,
    approach: str,
    gap: ArrayLike,
    offset: ArrayLike = (0.0, 0.0, 0.0),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy [kT] and repulsive force -dU/dh [kT/nm] of two parallel bodies against the gap, each (...).

    What `encounter` gives, but faster: beads on a grid have few different vectors between them.

    Args:
        body: both bodies.
        core: the shape that `body` was made from, which says where the gap is 0.
        potentials: as `encounter`.
        approach: ``"face"``, ``"edge"`` or ``"corner"``.
        gap: h between the cores on the line of centres, any shape [nm].
        offset: (3,) by which one body is moved off that line, for instance along a face [nm].

    Raises:
        PhysicsError: as `line` and `encounter`.
    """
    direction, touching = line(core, approach)
    h = np.asarray(gap, float)
    r = (h.ravel() + touching)[:, None] * direction + np.asarray(offset, float)
    energy, force = np.zeros((2, h.size))
    for arms, counts, terms in _parallel(body, potentials):
        for part in np.array_split(np.arange(h.size), max(1, math.ceil(h.size * len(arms) / AT_ONCE))):
            vector = r[part, None] + arms
            distance = np.linalg.norm(vector, axis=-1)
            if not np.all(distance > 0):
                raise PhysicsError("two sites are in one place; move the bodies apart")
            energy[part] += np.sum([term.energy(distance) for term in terms], axis=0) @ counts
            slope = np.sum([term.force(distance) for term in terms], axis=0)
            force[part] += (slope / distance * (vector @ direction)) @ counts
    return energy.reshape(h.shape), force.reshape(h.shape)


@lru_cache(maxsize=16)
def _differences(body: Body, one: str, other: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distinct vectors (n, 3) from sites of one type to sites of another in a parallel body, and how often each occurs."""
    sites, types = _sites(body)
    own, theirs = (sites[[name == wanted for name in types]] for wanted in (one, other))
    arms = (theirs - own[:, None]).reshape(-1, 3)
    size = max(body.radius, 1e-300)
    _, first, counts = np.unique((arms / size).round(9) + 0.0, axis=0, return_index=True, return_counts=True)
    return arms[first], counts


def _parallel(
    body: Body, potentials: Potentials
) -> list[tuple[NDArray[np.float64], NDArray[np.intp], Sequence[PairPotential]]]:
    _, types = _sites(body)
    return [
        (*_differences(body, types[i[0]], types[j[0]]), terms)
        for i, j, terms in _blocks(types, types, potentials)
    ]


def well(
    body: Body,
    core: Shape,
    potentials: Potentials,
    approach: str,
    gaps: tuple[float, float],
    offset: ArrayLike = (0.0, 0.0, 0.0),
) -> tuple[float, float]:
    """Gap [nm] and energy [kT] of the deepest point of a `curve` between two gaps.

    Raises:
        PhysicsError: a curve that is lowest at an end, where no well is, or as `curve`.
    """
    return deepest(lambda h: curve(body, core, potentials, approach, h, offset)[0], gaps, approach)


def facing(a: Body | str, b: Body | str, potentials: Potentials, distance: ArrayLike) -> NDArray[np.float64]:
    """Energy of two parallel bodies on a line along x [kT], any shape.

    Args:
        a: the one, or the type of a single site.
        b: the other.
        potentials: as `encounter`.
        distance: of the centres, any shape [nm].

    Raises:
        PhysicsError: as `encounter`.
    """
    upright = np.array([1.0, 0.0, 0.0, 0.0])
    separation = np.multiply.outer(np.asarray(distance, float), [1.0, 0.0, 0.0])
    return encounter(a, b, separation, upright, upright, potentials).energy


def deepest(
    energy: Callable[[ArrayLike], NDArray[np.float64]], span: tuple[float, float], what: str
) -> tuple[float, float]:
    """Where an energy [kT] is lowest within a span [nm], and how low.

    Raises:
        PhysicsError: it is lowest at an end, where no well is.
    """
    from scipy.optimize import minimize_scalar

    x = np.linspace(*span, GRID)
    values = energy(x)
    lowest = int(np.argmin(values))
    if not values[lowest] < min(values[0], values[-1]):
        raise PhysicsError(
            f"the {what} curve has no well between {span[0]:.4g} and {span[1]:.4g} nm: it is lowest at an end, with "
            f"{values[0]:.4g} and {values[-1]:.4g} kT there"
        )
    found = minimize_scalar(
        lambda value: float(energy(value)),
        bounds=(x[lowest - 1], x[lowest + 1]),
        method="bounded",
        options={"xatol": 1e-7 * (span[1] - span[0])},
    )
    return float(found.x), float(found.fun)


@dataclass(frozen=True)
class Calibration:
    """A pair whose well is as deep as asked.

    Args:
        depth: of the attraction between two sites [kT].
        position: where the well is deepest: gap or centre distance, as the well has it [nm].
        energy: there [kT].
        target: what was asked for there [kT].
    """

    depth: float
    position: float
    energy: float
    target: float


def calibrate(
    well_of: Callable[[float], tuple[float, float]],
    target: float | Callable[[float], float],
    largest: float = 100.0,
) -> Calibration:
    """Depth of the attraction between two sites at which a pair binds with the wanted energy.

    Args:
        well_of: position [nm] and energy [kT] of the pair's well for a depth > 0 [kT]: as `well` has it.
        target: energy of the well < 0, or that as a function of the position of the well [kT].
        largest: depth up to which it is looked for [kT].

    Raises:
        PhysicsError: a target ≥ 0, or one that no depth up to `largest` reaches.
    """
    from scipy.optimize import brentq

    def aim(position: float) -> float:
        value = float(target(position)) if callable(target) else float(target)
        if not value < 0:
            raise PhysicsError(f"a well has an energy < 0; the target is {value:.4g} kT at {position:.4g} nm")
        return value

    def miss(log_depth: float) -> float:
        position, energy = well_of(math.exp(log_depth))
        return energy / aim(position) - 1

    # From a well that is too shallow upwards: at small depths the ratio is proportional to the depth.
    low = math.log(1e-6 * largest)
    high = math.log(largest)
    if miss(low) > 0 or miss(high) < 0:
        raise PhysicsError(
            f"no depth between {math.exp(low):.3g} and {largest:.3g} kT between sites gives the wanted well; give another "
            "`largest`, or look at `well` for the range that is reached"
        )
    depth = math.exp(float(brentq(miss, low, high, xtol=1e-9)))
    position, energy = well_of(depth)
    return Calibration(depth, position, energy, aim(position))
