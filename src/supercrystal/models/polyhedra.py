"""Cubes of the cubes tier as ALJ polyhedra: one site a nanocrystal, whose core and shell act through nearest faces.

What beads are to `models.cubes`, contacts are here (`interactions.alj`): the core is the polyhedron, its shell of thickness
t the range of the contact, so that repulsion ends where the shells touch, for faces at ``l + 2t``. There are no hollows, and
nothing is rounder than the capped core: the superball exponent is that of the core in its shell. Spheres are points with a
contact as long as their radius and the other's shell; among each other they repel as in `models.cubes`.

What it puts in, and may claim or not, is as there. Different are how hard a contact is: two faces have 20 features, an
edge or corner on a face one or two, each with the same ε; and attraction, whose ε sets the repulsion too. An attraction of
two spheres or of two faces is as deep as asked; that of faces slid or turned against each other is what ALJ makes of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError
from supercrystal.interactions import alj
from supercrystal.interactions.alj import Contact, Facets
from supercrystal.interactions.wall import Wall
from supercrystal.models import cubes
from supercrystal.models.beads import mechanics
from supercrystal.models.cubes import PHASE_PER_STEP, PRESSED, Settings, room_to_turn
from supercrystal.models.model import Batch, Model, Parameter, capped_edges
from supercrystal.models.shells import LONGEST_STEP, size_classes
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.shapes import Shape, sphere
from supercrystal.system import PairPotential

#: ε of a feature without attraction [kT]; for a sphere that of a shell, see `_softened`.
HARDNESS = 1.0

Energies = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Polyhedron:
    """A convex polyhedron that moves and turns as one site.

    Args:
        name: particle type.
        facets: of the core, in the frame of its principal axes.
        mass: [kT τ_B²/nm²].
        moments: principal moments of inertia about x, y, z [kT τ_B²].
        friction: Langevin friction [kT τ_B/nm²].
        rotational_friction: torque over angular velocity about x, y, z [kT τ_B].

    Raises:
        PhysicsError: a sphere, or a mass, moment or friction that is not finite and positive.
    """

    name: str
    facets: Facets
    mass: float
    moments: tuple[float, float, float]
    friction: float
    rotational_friction: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.facets.spherical:
            raise PhysicsError(f"'{self.name}' is a sphere and needs no polyhedron: leave it out")
        values = (self.mass, *self.moments, self.friction, *self.rotational_friction)
        if not all(math.isfinite(value) and value > 0 for value in values):
            raise PhysicsError(
                f"mass, moments and frictions of polyhedron '{self.name}' must be finite and > 0; got {values}"
            )


@dataclass(frozen=True)
class _Site:
    """A nanocrystal: its type, facets (a sphere's are a point), shell, and radius of a sphere."""

    name: str
    nanocrystal: Nanocrystal
    facets: Facets
    polyhedron: Polyhedron | None
    capped: Shape
    shell: float

    @property
    def reach(self) -> float:
        """From the facets to the surface of the capped nanocrystal [nm]."""
        return self.capped.rounding

    @property
    def half(self) -> float:
        """From the centre to the surface of the capped nanocrystal along x [nm]."""
        return self.capped.extent((1.0, 0.0, 0.0))

    @property
    def lever(self) -> float:
        """How much softer turning makes a contact than moving alone does: the largest ρ² m / I [-]."""
        if self.polyhedron is None:
            return 0.0
        half = np.abs(self.facets.vertices).max(axis=0)
        turns = [
            max(half[j], half[k]) ** 2 / moment
            for (j, k), moment in zip(((1, 2), (0, 2), (0, 1)), self.polyhedron.moments, strict=True)
        ]
        return float(max(turns) * self.polyhedron.mass)


def _softened(a: _Site, b: _Site) -> float:
    """ε of a feature without attraction [kT].

    The contact of a sphere's centre is longer than that of two shells and would be softer; with ε times the square of the
    ratio both end with the same curvature.
    """
    if a.polyhedron and b.polyhedron:
        return HARDNESS
    return HARDNESS * ((a.reach + b.reach) / (a.shell + b.shell)) ** 2


def _deepest(a: _Site, b: _Site) -> tuple[float, float]:
    """Centre distance of the well of two faces [nm], and its energy for ε = 1 [kT]: both scale with ε alone."""
    from scipy.optimize import minimize_scalar

    gap = a.reach + b.reach
    contact = Contact.between(a.facets, b.facets, gap, 1.0, attractive=True)
    touch = a.half + b.half

    def energy(distance: float) -> float:
        return float(alj.facing_energies(a.facets, b.facets, contact, [distance])[0])

    found = minimize_scalar(
        energy, bounds=(touch - 0.2 * gap, touch + 0.2 * gap), method="bounded", options={"xatol": 1e-7}
    )
    return float(found.x), float(found.fun)


def _stiffness(energies: Energies, touch: float, gap: float) -> float:
    """Second derivative of a pair's energy where it is pressed together by `PRESSED` [kT/nm²]."""
    from scipy.optimize import brentq

    def excess(distance: float) -> float:
        return float(energies(np.array([distance]))[0]) - PRESSED

    # repulsion of a 12–6 form reaches 1 kT at half its range unless ε < 6 × 10⁻⁵ kT
    if excess(touch - gap / 2) <= 0:
        raise PhysicsError(
            "a well is so shallow that its repulsion has no time step: leave the attraction out"
        )
    distance = float(brentq(excess, touch - gap / 2, touch, xtol=1e-6 * gap))
    step = 1e-3 * gap
    low, middle, high = energies(np.array([distance - step, distance, distance + step]))
    return float((low - 2 * middle + high) / step**2)


def build(
    batches: Sequence[Batch],
    temperature: float,
    settings: Settings | None = None,
    timestep_factor: float = 1.0,
) -> Model:
    """Derive the model from nanocrystals, at least one of which is no sphere.

    Args:
        batches: the nanocrystals; the first sets the Brownian time.
        temperature: [K], converts Hamaker constants to kT.
        settings: attraction, none if left out; what it says of beads has no meaning here.
        timestep_factor: multiplies the time step that the stiffest pair allows.

    Raises:
        PhysicsError: only spheres, a polyhedron without a shell, or no Hamaker constant.
    """
    classes = [entry for batch in batches for entry in size_classes(batch)]
    if all(crystal.core.shape is None for _, crystal, _ in classes):
        raise PhysicsError("the cubes tier needs a core that is no sphere: take tier = 'shells'")
    reference = 2 * batches[0].nanocrystal.capped.sphere_radius
    mass = 1 / reference**2
    sites = [_site(name, crystal, reference) for name, crystal, _ in classes]
    targets = cubes.targets(sites, settings or Settings(), temperature)

    pairs: dict[tuple[str, str], tuple[PairPotential, ...]] = {}
    contacts: dict[tuple[str, str], Contact] = {}
    mapping = [parameter for site in sites for parameter in _described(site)]
    stiffest = 0.0
    for i, j in itertools.combinations_with_replacement(range(len(sites)), 2):
        a, b = sites[i], sites[j]
        key, gap, touch = (a.name, b.name), a.reach + b.reach, a.half + b.half
        target, source = targets.get(key, (None, ""))
        spheres = a.polyhedron is None and b.polyhedron is None
        position, unit = (touch, -1.0) if spheres or target is None else _deepest(a, b)
        depth = 0.0
        if target is not None:
            well = target(position) if callable(target) else target
            depth = well / unit
            mapping += [
                Parameter(key, "well", well, "kT", source),
                Parameter(key, "r_well", position, "nm", "centres, faces together"),
            ]
        energies: Energies
        if spheres:
            softness = a.shell + b.shell
            pairs[key] = potentials = cubes.potentials(2 * a.reach, 2 * b.reach, softness, depth)
            energies = _summed(potentials)
            gap = softness
        else:
            epsilon = depth or _softened(a, b)
            contact = Contact.between(a.facets, b.facets, gap, epsilon, attractive=depth > 0)
            contacts[key] = contact
            energies = _facing(a, b, contact)
            mapping += [
                Parameter(key, "σ contact", contact.sigma, "nm", "shells touch at 2^(1/6) of it"),
                Parameter(key, "ε", epsilon, "kT", "of one feature: corner and face, or two edges"),
            ]
        softest = max(a.lever, b.lever, 1.0) / mass
        stiffest = max(stiffest, 4 * _stiffness(energies, touch, gap) * softest)
    diameters = tuple(2 * site.capped.sphere_radius for site in sites)
    counts = tuple(count for _, _, count in classes)
    reaches = {site.name: site.facets.radius + site.reach for site in sites}
    turning, start_packing = room_to_turn(reaches, diameters, counts)
    return Model(
        types=tuple(site.name for site in sites),
        counts=counts,
        nanocrystals=tuple(site.nanocrystal for site in sites),
        diameters=diameters,
        pairs=pairs,
        walls={site.name: Wall(1.0, site.reach) for site in sites if site.polyhedron is None},
        friction={site.name: d / reference**3 for site, d in zip(sites, diameters, strict=True)},
        mass=mass,
        timestep=timestep_factor * min(LONGEST_STEP, PHASE_PER_STEP / math.sqrt(stiffest)),
        reference_diameter=reference,
        interaction="alj",
        turning=turning,
        start_packing=start_packing,
        mapping=tuple(mapping),
        shapes={site.name: site.capped for site in sites if site.polyhedron is not None},
        polyhedra={site.name: site.polyhedron for site in sites if site.polyhedron is not None},
        contacts=contacts,
        site_diameter=2 * min(site.reach for site in sites),
    )


def _site(name: str, crystal: Nanocrystal, reference: float) -> _Site:
    shape, t = crystal.core.shape, crystal.shell_thickness
    capped = (crystal.core.shape or sphere(crystal.core.diameter_nm)).capped(t)
    if shape is None:
        return _Site(name, crystal, Facets(np.zeros((0, 3)), ()), None, capped, t)
    if not t > 0:
        raise PhysicsError(f"an ALJ polyhedron needs a shell for its contacts; {name} has {t} nm of it")
    facets = Facets.of(shape)
    return _Site(name, crystal, facets, Polyhedron(name, facets, *mechanics(shape, t, reference)), capped, t)


def _facing(a: _Site, b: _Site, contact: Contact) -> Energies:
    return lambda distance: alj.facing_energies(a.facets, b.facets, contact, distance)


def _summed(potentials: Sequence[PairPotential]) -> Energies:
    return lambda distance: np.sum([p.energy(distance) for p in potentials], axis=0)


def _described(site: _Site) -> list[Parameter]:
    """What a nanocrystal became."""
    pair = (site.name, site.name)
    source = "measured" if site.nanocrystal.shell_nm is not None else "volume of the ligands"
    rows = [Parameter(pair, "t", site.shell, "nm", f"shell: {source}")]
    if site.polyhedron is None:
        return [*rows, Parameter(pair, "d", 2 * site.reach, "nm", "sphere: core and two shells")]
    shape, edges = site.capped, capped_edges(site.capped)
    rows.append(Parameter(pair, "D", edges[0], "nm", "face to face: edge and two shells"))
    if shape.name in ("cube", "truncated cube"):
        rows.append(Parameter(pair, "q", shape.exponent, "", "superball exponent of the core in its shell"))
    return rows
