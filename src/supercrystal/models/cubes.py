"""The cubes tier: nanocrystals that are no spheres as rigid bodies of beads, spheres beside them as one site each.

The shell of a nanocrystal ends at the thickness t that its ligands fill (`Nanocrystal.shell_thickness`), and so do its
beads. All sites, beads and spheres, repel by the same law of the gap between their surfaces: the inner part of a 12–6
potential on the scale of the smallest bead, which is 0 where shells just touch. Attraction, if any, is one number a pair of
species: the energy of two faces, or of a sphere on a face, at their best distance. It is that of the cores (Hamaker's
integral over both) or stated in the study.

What it puts in: the spacing, where faces touch at ``l + 2t``; shapes that do not deform; attraction of the beads' range,
not of the cores'. What it may claim: how such shapes arrange, order in orientation, shear and defects. What it may not: how
ligands splay or move aside (which is what lets real O cubes of ABO₃ give way), anything of facets' chemistry, rates, and
that what crystallised is the stable phase. Beads are rounder than the capped core, and rough (`models.beads`): both are
reported.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError
from supercrystal.interactions import bodies, hamaker
from supercrystal.interactions.mie import MieRepulsion, MieTail, with_minimum
from supercrystal.interactions.wall import Wall
from supercrystal.models.beads import Body, Tiling, tile
from supercrystal.models.model import CLOSEST, DRY_CUBES, Batch, Model, Parameter, capped_edges
from supercrystal.models.shells import LONGEST_STEP, hamaker_constant, size_classes
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.system import PairPotential, species

#: Spacing of beads over their diameter where the study does not say it; their hollows are then 9.5 % of the diameter deep.
SPACING = 0.6
#: The smallest beads are the shortest capped edge over this: 4 beads an edge, 56 on a cube.
FEWEST = 2.8
#: Exponents of the repulsion and the attraction between sites, and the range of the latter over the softness length.
REPULSION, ATTRACTION, REACH = 12.0, 6.0, 2.0
#: As `models.shells.PHASE_PER_STEP`, for the highest frequency of a row of faces pressed together.
PHASE_PER_STEP = 0.5
#: Volume fraction of the spheres in which the bodies of a random start may turn.
START_FILLING = 0.36
#: Points at which the energy of a pair is summed to find its well.
WELL_POINTS = 201
#: Closer to contact than this, in softness lengths, any pair is pressed by more than `PRESSED`.
INNERMOST = 0.6
#: Energy at which pairs are pressed together where their stiffness is taken [kT].
PRESSED = 1.0

LIMITS = (
    "Shapes are rigid: ligands neither splay nor move aside, which real O cubes of ABO3 may need.",
    "Bead bodies are rounder than the capped core and have hollows; the exponents of both shapes are given.",
    "Times are without hydrodynamics; what crystallised here is not thereby the stable phase.",
)


def by_construction(interaction: str, dries: bool) -> str:
    """What a run's spacing owes to the model, in a sentence; arguments as of `models.shells.by_construction`."""
    stops = (
        f", and drying stops when capped cubes take {100 * DRY_CUBES:.0f} % of the film, or what the study says"
        if dries
        else ""
    )
    return (
        "The spacing: shells end where the volume of their ligands puts them, or where the study does, and faces touch at "
        f"edge and two shells{stops}. A run's spacing near that is no test of it."
    )


@dataclass(frozen=True)
class Settings:
    """What a study may choose.

    Args:
        bead_diameter: σ; left out, as few beads as `FEWEST` says, but at least two shells [nm].
        beads_per_edge: on the longest edge, instead of what `SPACING` gives [-].
        attraction: ``"none"`` or ``"hamaker"``, between all cores.
        wells: energies < 0 of pairs of species at their best distance, instead [kT].
    """

    bead_diameter: float | None = None
    beads_per_edge: int | None = None
    attraction: str = "none"
    wells: tuple[tuple[str, str, float], ...] = ()


def tiling(nanocrystal: Nanocrystal, settings: Settings = Settings()) -> Tiling:
    """Beads for a core that is no sphere.

    Args:
        nanocrystal: with a cuboid core.
        settings: which beads.

    Raises:
        PhysicsError: a sphere, or beads that do not suit the shape.

    >>> from supercrystal.nanocrystal import Core, Ligand
    >>> from supercrystal.shapes import cube
    >>> made = tiling(Nanocrystal(Core.of("CsPbBr3", cube(8.6)), Ligand("oleate", 18, 1), 3.0))
    >>> len(made.positions), round(made.bead_diameter, 2), round(made.outline.exponent, 1)
    (56, 3.86, 3.4)
    """
    shape = nanocrystal.core.shape
    if shape is None:
        raise PhysicsError("a sphere is one site and needs no beads")
    t = nanocrystal.shell_thickness
    capped = capped_edges(nanocrystal.capped)
    sigma, k = settings.bead_diameter, settings.beads_per_edge
    if sigma is None:
        fewest = FEWEST if k is None else 1 + (k - 1) * SPACING
        sigma = max(2 * t, min(capped) / fewest)
    if k is None:
        return tile(shape, t, sigma, spacing=SPACING)
    return tile(shape, t, sigma, per_edge=k)


class Site(Protocol):
    """What stands for a nanocrystal, of beads or not."""

    @property
    def name(self) -> str:
        """Its type."""

    @property
    def nanocrystal(self) -> Nanocrystal:
        """What it stands for."""


@dataclass(frozen=True)
class _Site:
    """What stands for a nanocrystal: its type, its size as a hard body, and beads or one site."""

    name: str
    nanocrystal: Nanocrystal
    tiling: Tiling | None
    body: Body | None
    diameter: float  #: of beads, or of the sphere [nm]

    @property
    def acting(self) -> str:
        """Type of what interacts: beads, or the sphere itself."""
        return self.name if self.body is None else self.body.bead_types[0]

    @property
    def thing(self) -> Body | str:
        """As `interactions.bodies` takes it."""
        return self.name if self.body is None else self.body

    @property
    def half(self) -> float:
        """From the centre to the surface of the capped nanocrystal along x [nm]."""
        capped = self.nanocrystal.capped
        return capped.extent((1.0, 0.0, 0.0))


def potentials(a: float, b: float, softness: float, depth: float = 0.0) -> tuple[PairPotential, ...]:
    """Potentials between two sites of diameters a and b [nm], as functions of their centre distance.

    Args:
        a: diameter of the one [nm].
        b: of the other [nm].
        softness: length scale of repulsion and attraction, ≤ (a + b)/2 [nm].
        depth: of the attraction, ≥ 0 [kT].

    >>> inside, = potentials(10.0, 4.0, 4.0)
    >>> float(inside.energy(7.0)), round(float(inside.energy(6.5)), 3)
    (0.0, 1.508)
    """
    contact = (a + b) / 2
    shift = max(contact - softness, 0.0)
    repulsion = MieRepulsion(with_minimum(1.0, contact, REPULSION, ATTRACTION, shift))
    if depth == 0:
        return (repulsion,)
    tail = with_minimum(depth, contact, REPULSION, ATTRACTION, shift)
    return repulsion, MieTail(
        tail, shift + REACH * (contact - shift), shift + (1 + REACH) / 2 * (contact - shift)
    )


def _core_energy(a: Site, b: Site, constant: float) -> Callable[[float], float]:
    """Hamaker's energy of two cores, faces together, as a function of their centre distance [kT]."""
    blocks = [
        None if s.nanocrystal.core.shape is None else np.ptp(s.nanocrystal.core.shape.vertices, axis=0)
        for s in (a, b)
    ]
    radii = [s.nanocrystal.core.radius_nm for s in (a, b)]

    def energy(distance: float) -> float:
        if blocks[0] is None and blocks[1] is None:
            return hamaker.spheres(constant, radii[0], radii[1], distance)
        if blocks[0] is not None and blocks[1] is not None:
            return hamaker.cuboids(constant, blocks[0], blocks[1], distance)
        block, radius = (blocks[0], radii[1]) if blocks[0] is not None else (blocks[1], radii[0])
        assert block is not None
        return hamaker.sphere_cuboid(constant, radius, block, distance)

    return energy


def _depth(
    a: _Site, b: _Site, softness: float, target: float | Callable[[float], float]
) -> bodies.Calibration:
    from scipy.interpolate import CubicSpline

    contact = a.half + b.half
    span = (contact - softness / 2, contact + 0.9 * softness)
    r = np.linspace(*span, WELL_POINTS)

    def energies(depth: float) -> NDArray[np.float64]:
        pair = {(a.acting, b.acting): potentials(a.diameter, b.diameter, softness, depth)}
        return bodies.facing(a.thing, b.thing, pair, r)

    # The energy is linear in the depth, so two sums over all sites serve every depth.
    repulsion = energies(0.0)
    base, slope = CubicSpline(r, repulsion), CubicSpline(r, energies(1.0) - repulsion)

    def well_of(depth: float) -> tuple[float, float]:
        return bodies.deepest(lambda x: base(x) + depth * slope(x), span, "face")

    return bodies.calibrate(well_of, target)


def targets(
    sites: Sequence[Site], settings: Settings, temperature: float
) -> dict[tuple[str, str], tuple[float | Callable[[float], float], str]]:
    """Wells of pairs of types, a number [kT] or a function of the centre distance, and where they come from.

    Raises:
        PhysicsError: no Hamaker constant, or a well of a species that is not there.
    """
    found: dict[tuple[str, str], tuple[float | Callable[[float], float], str]] = {}
    stated = {tuple(sorted((a, b))): energy for a, b, energy in settings.wells}
    known = {species(site.name) for site in sites}
    for a, b, _ in settings.wells:
        for name in sorted({a, b} - known):
            raise PhysicsError(f"a well names '{name}', but the nanocrystals are {', '.join(sorted(known))}")
    for one, other in itertools.combinations_with_replacement(sites, 2):
        pair = tuple(sorted((species(one.name), species(other.name))))
        if pair in stated:
            found[one.name, other.name] = stated[pair], "well of two faces, stated"
        elif settings.attraction == "hamaker":
            constant = hamaker_constant(one.nanocrystal, other.nanocrystal, temperature)
            found[one.name, other.name] = (
                _core_energy(one, other, constant),
                "Hamaker's integral over both cores",
            )
    return found


def _stiffness(a: _Site, b: _Site, pair: Sequence[PairPotential], softness: float, mass: float) -> float:
    """Largest ω² of two parallel nanocrystals whose faces are pressed together by `PRESSED` [1/τ_B²].

    The second derivatives of the pair's energy by moving and turning b, over its mass and moments; a pair has the reduced
    mass and feels neighbours on either side, which makes 2 × 2.
    """
    from scipy.optimize import brentq

    sites = {(a.acting, b.acting): pair}
    contact = a.half + b.half

    def energies(r: NDArray[np.float64], q: NDArray[np.float64]) -> bodies.Encounter:
        return bodies.encounter(a.thing, b.thing, r, (1.0, 0.0, 0.0, 0.0), q, sites)

    upright = np.array([1.0, 0.0, 0.0, 0.0])
    # The repulsion rises from contact inwards, and an attraction is at its floor there.
    floor = float(bodies.facing(a.thing, b.thing, sites, contact))
    distance = float(
        brentq(
            lambda r: float(bodies.facing(a.thing, b.thing, sites, r)) - floor - PRESSED,
            contact - INNERMOST * softness,
            contact,
            xtol=1e-6 * contact,
        )
    )
    h = 1e-4 * contact
    moves = np.concatenate([np.eye(3), -np.eye(3)]) * h
    e = energies(np.array([distance, 0, 0]) + moves, upright)
    matrix = np.zeros((6, 6))
    matrix[:3, :3] = -(e.force[:3] - e.force[3:]) / (2 * h)
    scale = np.full(6, 1 / math.sqrt(mass))
    if b.body is not None:
        angle = 1e-4
        turns = np.concatenate([np.eye(3), -np.eye(3)]) * math.sin(angle / 2)
        q = np.column_stack([np.full(6, math.cos(angle / 2)), turns])
        e = energies(np.tile([distance, 0.0, 0.0], (6, 1)), q)
        matrix[3:, :3] = -(e.force[:3] - e.force[3:]) / (2 * angle)
        matrix[3:, 3:] = -(e.torque_b[:3] - e.torque_b[3:]) / (2 * angle)
        matrix[:3, 3:] = matrix[3:, :3].T
        scale[3:] = 1 / np.sqrt(b.body.moments)
    else:
        scale[3:] = 0
    return 4 * float(np.linalg.eigvalsh((matrix + matrix.T) / 2 * np.outer(scale, scale)).max())


def build(
    batches: Sequence[Batch],
    temperature: float,
    settings: Settings = Settings(),
    timestep_factor: float = 1.0,
) -> Model:
    """Derive the cubes model from nanocrystals, at least one of which is no sphere.

    Args:
        batches: the nanocrystals; the first sets the Brownian time.
        temperature: [K], converts Hamaker constants to kT.
        settings: beads and attraction.
        timestep_factor: multiplies the time step that the stiffest pair allows.

    Raises:
        PhysicsError: only spheres, beads that do not suit a shape, no Hamaker constant, or a well that no attraction of
            the beads' range makes.
    """
    classes = [entry for batch in batches for entry in size_classes(batch)]
    if all(crystal.core.shape is None for _, crystal, _ in classes):
        raise PhysicsError("the cubes tier needs a core that is no sphere: take tier = 'shells'")
    reference = 2 * batches[0].nanocrystal.capped.sphere_radius
    mass = 1 / reference**2
    sites = []
    for name, crystal, _ in classes:
        if crystal.core.shape is None:
            sites.append(_Site(name, crystal, None, None, 2 * crystal.capped.rounding))
        else:
            tiles = tiling(crystal, settings)
            body = tiles.body(name, f"{name}/bead", reference)
            sites.append(_Site(name, crystal, tiles, body, tiles.bead_diameter))

    softness = min(site.diameter for site in sites)
    wells = targets(sites, settings, temperature)
    pairs: dict[tuple[str, str], tuple[PairPotential, ...]] = {}
    mapping = [parameter for site in sites for parameter in _described(site)]
    stiffest = 0.0
    for i, a in enumerate(sites):
        for b in sites[i:]:
            depth = 0.0
            if (a.name, b.name) in wells:
                target, source = wells[a.name, b.name]
                found = _depth(a, b, softness, target)
                depth = found.depth
                mapping += [
                    Parameter((a.name, b.name), "well", found.energy, "kT", source),
                    Parameter((a.name, b.name), "r_well", found.position, "nm", "centres, faces together"),
                    Parameter((a.name, b.name), "ε tail", depth, "kT", "between two sites, makes the well"),
                ]
            pair = potentials(a.diameter, b.diameter, softness, depth)
            pairs[_ordered(a, b, sites)] = pair
            stiffest = max(stiffest, *(_stiffness(*two, pair, softness, mass) for two in ((a, b), (b, a))))
    diameters = tuple(2 * site.nanocrystal.capped.sphere_radius for site in sites)
    counts = tuple(count for _, _, count in classes)
    turning, start_packing = room_to_turn({site.name: _reach(site) for site in sites}, diameters, counts)
    return Model(
        types=tuple(site.name for site in sites),
        counts=counts,
        nanocrystals=tuple(site.nanocrystal for site in sites),
        diameters=diameters,
        pairs=pairs,
        walls={site.acting: Wall(1.0, site.diameter / 2) for site in sites},
        friction={site.name: d / reference**3 for site, d in zip(sites, diameters, strict=True)},
        mass=mass,
        timestep=timestep_factor * min(LONGEST_STEP, PHASE_PER_STEP / math.sqrt(stiffest)),
        reference_diameter=reference,
        interaction="beads",
        turning=turning,
        start_packing=start_packing,
        mapping=tuple(mapping),
        bodies={site.name: site.body for site in sites if site.body is not None},
        shapes={site.name: site.nanocrystal.capped for site in sites if site.body is not None},
        site_diameter=softness,
    )


def room_to_turn(
    reaches: Mapping[str, float], diameters: Sequence[float], counts: Sequence[int]
) -> tuple[dict[str, float], float]:
    """Spheres of a random start in which no two nanocrystals overlap however they are turned.

    Args:
        reaches: type → distance of its farthest point from the centre [nm].
        diameters: of the spheres of their capped volumes, in the same order [nm].
        counts: of each.

    Returns:
        Diameters of the spheres [nm], and the volume fraction of capped nanocrystals where they fill `START_FILLING`.
    """
    turning = {name: 2 * reach / CLOSEST for name, reach in reaches.items()}
    swollen = np.dot(np.power(list(turning.values()), 3), counts) / np.dot(np.power(diameters, 3), counts)
    return turning, START_FILLING / float(swollen)


def _reach(site: _Site) -> float:
    """Distance of the farthest point of a nanocrystal from its centre [nm]."""
    return site.diameter / 2 + (0.0 if site.body is None else site.body.radius)


def _ordered(a: _Site, b: _Site, sites: Sequence[_Site]) -> tuple[str, str]:
    """Types of a pair in the order in which a frame names them: spheres and centres first, beads behind."""
    order = [site.name for site in sites] + [site.acting for site in sites if site.body is not None]
    first, second = sorted((a.acting, b.acting), key=order.index)
    return first, second


def _described(site: _Site) -> list[Parameter]:
    """What a nanocrystal became."""
    pair = (site.name, site.name)
    t = site.nanocrystal.shell_thickness
    source = "measured" if site.nanocrystal.shell_nm is not None else "volume of the ligands"
    rows = [Parameter(pair, "t", t, "nm", f"shell: {source}")]
    if site.tiling is None:
        return [*rows, Parameter(pair, "d", site.diameter, "nm", "sphere: core and two shells")]
    edges = capped_edges(site.nanocrystal.capped)
    rows += [
        Parameter(pair, "D", edges[0], "nm", "face to face: edge and two shells"),
        Parameter(pair, "beads", float(len(site.tiling.positions)), "", "on the core's surface"),
        Parameter(pair, "σ", site.tiling.bead_diameter, "nm", "of beads, which end where the shell does"),
        Parameter(pair, "corrugation", site.tiling.corrugation, "", "hollows between beads, over σ"),
    ]
    if site.tiling.core.name in ("cube", "truncated cube"):
        rows += [
            Parameter(pair, "q beads", site.tiling.outline.exponent, "", "superball exponent of the beads"),
            Parameter(pair, "q capped", site.tiling.capped.exponent, "", "of the core in its shell"),
        ]
    return rows
