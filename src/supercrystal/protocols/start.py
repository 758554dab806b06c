"""How a run starts: nanocrystals at random in a wet film over a substrate, or in a periodic cell.

The sides of a film's cell fit whole rows of layers at the spacing d: close-packed rows over a flat or an fcc(111)
substrate, square rows over fcc(100), and square rows of cuboids. A template is one layer of nanocrystals of the first
species that never move; it counts as the lowest layer of the film.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import rowan
from numpy.typing import NDArray

from supercrystal import rigid
from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.protocols.placement import DENSEST, random_cell, random_slab
from supercrystal.protocols.timeline import State
from supercrystal.system import Film, System

if TYPE_CHECKING:
    import gsd.hoomd

Substrate = Literal["flat", "fcc(111)", "fcc(100)"]

#: The type of the nanocrystals of a template.
TEMPLATE = "template"

#: The cell is at most this much longer along one side than along the other.
LONGEST_ASPECT = 1.4


@dataclass(frozen=True)
class FilmStart:
    """A wet film.

    Args:
        packing_fraction: volume of capped nanocrystals over the film's volume; None is the model's own choice [-].
        layers: close-packed layers that the dry film holds; sets the sides of the cell for a given count.
        swelling: volume over dry volume of the film once it sets, where a later stage lets it contract sideways; ≥ 1.
        substrate: flat, or a template of this face.
        mixing_time: time before anything is done [τ_B].
        dry_fraction: volume of capped nanocrystals over that of their lattice in the dry film; sets its spacing, and with
            it the cell's sides and where drying stops. None is the model's own choice [-].
    """

    packing_fraction: float | None
    layers: int
    swelling: float = 1.0
    substrate: Substrate = "flat"
    mixing_time: float = 20.0
    dry_fraction: float | None = None


@dataclass(frozen=True)
class CellStart:
    """A cubic cell that is periodic in all directions; arguments as of `FilmStart`."""

    packing_fraction: float | None
    mixing_time: float = 20.0


@dataclass(frozen=True)
class FilmGeometry:
    """Sizes of a film [nm]; heights are those of the interface above the substrate plane."""

    wet_sides: tuple[float, float]
    dry_sides: tuple[float, float]
    wet_height: float
    setting_height: float
    dry_height: float


def filling(model: Model, start: FilmStart | CellStart) -> float:
    """Volume fraction at which a start is placed [-].

    Raises:
        PhysicsError: one that random placement does not reach, or not for shapes that must be able to turn.
    """
    fraction = model.start_packing if start.packing_fraction is None else start.packing_fraction
    placed = np.dot(np.power(model.placed_diameters, 3), model.counts) * math.pi / 6
    most = DENSEST / (placed / model.volume if model.turning else 1.0)
    if not 0 < fraction <= most * (1 + 1e-9):
        why = "may overlap where they turn" if model.turning else "would not start disordered"
        raise PhysicsError(
            f"initial_packing_fraction = {fraction:.3g}: allowed > 0 and ≤ {most:.3g}; denser nanocrystals cannot be placed "
            f"at random, and {why}"
        )
    return fraction


def rows(per_layer: float, square: bool = False) -> tuple[int, int]:
    """Rows of a layer along x and y that come closest to `per_layer` particles; of close packing y is even.

    >>> rows(100.0), rows(99.0, square=True)
    ((10, 10), (9, 11))
    """
    aspect_of_row, step = (1.0, 1) if square else (math.sqrt(3) / 2, 2)
    even = step * max(1, round(math.sqrt(per_layer / aspect_of_row) / step))
    best, least = (max(1, round(per_layer / even)), even), math.inf
    for y in range(step, 2 * math.ceil(math.sqrt(per_layer)) + 3, step):
        x = max(1, round(per_layer / y))
        aspect = x / (y * aspect_of_row)
        misfit = abs(math.log(x * y / per_layer)) + 1e-3 * abs(math.log(aspect))
        if 1 / LONGEST_ASPECT <= aspect <= LONGEST_ASPECT and misfit < least:
            best, least = (x, y), misfit
    return best


def sides(per_layer: float, spacing: float, square: bool = False) -> tuple[float, float]:
    """Sides of a cell that a layer of `per_layer` particles at `spacing` [nm] fills in whole rows [nm].

    The area is exact; where no whole rows make up `per_layer` the spacing of the rows differs a little.
    """
    x, y = rows(per_layer, square)
    fitted = spacing * math.sqrt(per_layer / (x * y))
    return x * fitted, y * (1 if square else math.sqrt(3) / 2) * fitted


def dry_spacing(model: Model, start: FilmStart) -> float:
    """Spacing of neighbours in the dry film, at which layers fit the cell and lie above each other [nm]."""
    if start.dry_fraction is None:
        return model.mean_spacing
    own = model.volume / sum(model.counts) / model.mean_volume
    return float(model.mean_spacing * (own / start.dry_fraction) ** (1 / 3))


def geometry(model: Model, start: FilmStart) -> FilmGeometry:
    """Work out a film's sizes from counts and OPM volumes.

    Raises:
        PhysicsError: settings that no film can have: too few nanocrystals for the layers asked, ligands longer than
            half the cell, a start denser than random placement allows or than the film that sets, a swelling below 1
            or over a template.
    """
    fraction = filling(model, start)
    if not start.swelling >= 1:
        raise PhysicsError(f"setting_swelling = {start.swelling}: allowed ≥ 1, the dry film's own volume")
    square, templated = start.substrate == "fcc(100)" or model.cubic, start.substrate != "flat"
    if templated and model.bodies:
        raise PhysicsError(
            f"substrate = '{start.substrate}' is a layer of spheres; bodies of beads stand on a flat one: leave it out"
        )
    if templated and start.swelling > 1:
        raise PhysicsError(
            f"setting_swelling = {start.swelling} over substrate = '{start.substrate}': a film cannot contract sideways "
            "over a template that stays; leave out one of them"
        )
    count = sum(model.counts)
    d = dry_spacing(model, start)
    dry_sides = sides(count / start.layers, d, square)
    if min(dry_sides) <= 2 * model.r_cut:
        needed = next(
            n for n in itertools.count(count) if min(sides(n / start.layers, d, square)) > 2 * model.r_cut
        )
        raise PhysicsError(
            f"{count} nanocrystals in {start.layers} layers make a cell only {min(dry_sides):.1f} nm wide, but it "
            f"must be wider than twice the range of the shells, {2 * model.r_cut:.1f} nm: give {needed} nanocrystals or "
            "so, fewer dry_layers, or shorter ligands"
        )
    # A template is one layer more, and stands half a spacing above the substrate plane.
    apart = d * (1 if model.cubic else math.sqrt(1 / 2) if square else math.sqrt(2 / 3))
    dry = d + (start.layers - 1 + templated) * apart
    swelling = start.swelling ** (1 / 3)
    wet_sides = (dry_sides[0] * swelling, dry_sides[1] * swelling)
    wet = model.volume / fraction / (wet_sides[0] * wet_sides[1]) + templated * d
    if wet <= dry * swelling:
        raise PhysicsError(
            f"initial_packing_fraction = {fraction:.3g} makes the wet film ({wet:.1f} nm) no "
            f"higher than the one that sets ({dry * swelling:.1f} nm): lower it, or lower setting_swelling"
        )
    return FilmGeometry(wet_sides, dry_sides, wet, dry * swelling, dry)


def _template(film: FilmGeometry, d: float, layer: float, square: bool) -> NDArray[np.float64]:
    """Centres of one layer [nm], (M, 3), half a spacing above z = 0, that fills the cell in whole rows."""
    nx, ny = rows(layer, square)
    x, y = np.meshgrid(np.arange(nx) + 0.25, np.arange(ny) + 0.25)
    if not square:
        x = x + (np.arange(ny) % 2)[:, None] / 2
    share = np.column_stack([x.ravel() / nx, y.ravel() / ny])
    flat = (share - 0.5) * film.dry_sides
    return np.column_stack([flat, np.full(len(flat), d / 2)])


def _frame(
    model: Model, box: list[float], positions: NDArray[np.float64], rng: np.random.Generator
) -> gsd.hoomd.Frame:
    import gsd.hoomd

    typeid = np.repeat(np.arange(len(model.types)), model.counts)
    frame = gsd.hoomd.Frame()
    frame.configuration.box = box
    frame.configuration.dimensions = 3
    frame.particles.N = len(typeid)
    frame.particles.types = list(model.particle_types)
    frame.particles.typeid = typeid
    frame.particles.position = positions
    frame.particles.diameter = np.asarray(model.diameters)[typeid]
    frame.particles.mass = np.full(len(typeid), model.mass)
    velocity = rng.normal(0, math.sqrt(1 / model.mass), (len(typeid), 3))
    frame.particles.velocity = velocity - velocity.mean(axis=0)
    turning: dict[str, rigid.Turning] = {**model.bodies, **model.polyhedra}
    if turning:
        frame.particles.orientation = rowan.normalize(rng.normal(size=(len(typeid), 4)))
        rigid.thermal(frame, turning, rng)
        frame.particles.type_shapes = model.gsd_shapes
    frame.validate()
    return frame


def _system(model: Model, frame: gsd.hoomd.Frame, **rest: Any) -> System:
    return System(
        frame=frame,
        pairs=model.pairs,
        solvent=model.solvent,
        friction=model.friction,
        timestep=model.timestep,
        length=model.site_diameter or model.reference_diameter,
        bodies=model.bodies,
        polyhedra=model.polyhedra,
        contacts=model.contacts,
        **rest,
    )


def film(model: Model, start: FilmStart, seed: int) -> tuple[System, State]:
    """Place the nanocrystals at random in the wet film.

    Raises:
        PhysicsError: as `geometry`.
    """
    size = geometry(model, start)
    rng = np.random.default_rng(seed)
    d = dry_spacing(model, start)
    diameters = np.repeat(model.placed_diameters, model.counts)
    # The cell is empty above and below by more than the longest range, so that no force acts across its ends.
    margin = 1.5 * model.r_cut
    bottom = -size.wet_height / 2
    floor = bottom + d if start.substrate != "flat" else bottom
    positions = random_slab(diameters, size.wet_sides, floor, bottom + size.wet_height, rng)
    box = [*size.wet_sides, size.wet_height + 2 * margin, 0.0, 0.0, 0.0]
    system = _system(model, _frame(model, box, positions, rng), film=Film(bottom, model.walls))
    if start.substrate != "flat":
        layer = sum(model.counts) / start.layers
        centres = _template(size, d, layer, start.substrate == "fcc(100)")
        centres[:, 2] += bottom
        system = _with_template(system, centres, d)
    return system, State(height=size.wet_height, sides=size.wet_sides, solvent=model.solvent_strength)


def _with_template(system: System, centres: NDArray[np.float64], diameter: float) -> System:
    """Add the particles of a template, which interact as the first species does."""
    import dataclasses

    frame, first = system.frame, system.types[0]
    particles, count = frame.particles, len(centres)
    particles.types = [*particles.types, TEMPLATE]
    particles.N += count
    particles.typeid = np.append(particles.typeid, np.full(count, len(particles.types) - 1))
    particles.position = np.vstack([particles.position, centres])
    particles.velocity = np.vstack([particles.velocity, np.zeros((count, 3))])
    particles.diameter = np.append(particles.diameter, np.full(count, diameter))
    particles.mass = np.append(particles.mass, np.full(count, particles.mass[0]))
    frame.validate()

    def extended(layer: Any) -> Any:
        more = {
            (name, TEMPLATE): layer.get((first, name)) or layer.get((name, first))
            for name in system.types[:-1]
        }
        more[TEMPLATE, TEMPLATE] = layer.get((first, first))
        return {**layer, **{types: found for types, found in more.items() if found}}

    return dataclasses.replace(
        system,
        frame=frame,
        pairs=extended(system.pairs),
        solvent=extended(system.solvent),
        friction={**system.friction, TEMPLATE: system.friction[first]},
        fixed=frozenset({TEMPLATE}),
    )


def cell(model: Model, start: CellStart, seed: int) -> tuple[System, State]:
    """Place the nanocrystals at random in a periodic cube.

    Raises:
        PhysicsError: a start too dense to be random.
    """
    rng = np.random.default_rng(seed)
    side = (model.volume / filling(model, start)) ** (1 / 3)
    cube = (side, side, side)
    positions = random_cell(np.repeat(model.placed_diameters, model.counts), cube, rng)
    system = _system(model, _frame(model, [*cube, 0.0, 0.0, 0.0], positions, rng))
    return system, State(sides=cube, solvent=model.solvent_strength)
