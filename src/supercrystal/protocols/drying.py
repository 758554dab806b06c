"""Drying: a film between a substrate and a liquid–vapour interface that descends at constant speed.

The interface is a plane that nanocrystals cannot cross; the solvent is implicit. Its speed v is set by the Péclet number
``Pe = H0 v / D`` of the wet film of height H0, with D the free diffusion coefficient: below 1 the film stays uniform
while it dries, far above 1 a skin forms under the interface.

A film on a substrate thins, and its area stays: with `setting_swelling` = 1 the sides of the cell are fixed. A film that
comes off its substrate sets once its volume has fallen to `setting_swelling` times the dry one, and what solvent is left
leaves it by contraction in all directions: the sides of the cell shrink with the height. Drying stops at `dry_layers`
close-packed layers at the OPM spacing d, of height ``d + (n - 1) √(2/3) d``.

Which of the two happens matters: these soft shells freeze into mixtures of bcc with close packing, and it is compression
along z that turns bcc into close packing. Of four films of the example study that contracted (from 1.12 or 1.15 times
their dry volume) one stayed 91 % bcc; those that thinned to the end were all mostly close-packed (README).

Two things help close packing and are said with every result: both planes are flat and repulsive, which orders the first
layers, and the sides of the cell are chosen to fit whole rows of close-packed layers.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from supercrystal.errors import PhysicsError
from supercrystal.models.shells import ShellModel
from supercrystal.protocols.placement import DENSEST, random_slab
from supercrystal.system import Film, Schedule, System

#: The fastest drying allowed: the interface then moves less than a hundredth of a diameter a step.
LARGEST_PECLET = 20.0

#: A solid film contracts no faster than this [τ_B], however fast the interface came down.
SHORTEST_CONTRACTION = 20.0

#: The cell is at most this much longer along one side than along the other.
LONGEST_ASPECT = 1.4

HELPED = (
    "Substrate and interface are flat, which orders the first layers, and the cell fits whole rows of close-packed layers: "
    "both help close packing."
)


@dataclass(frozen=True)
class Drying:
    """Settings of a drying run.

    Args:
        peclet: Pe = H0 v / D [-].
        initial_packing_fraction: volume of OPM spheres over the wet film's volume [-].
        dry_layers: close-packed layers that the dry film holds; sets the sides of the cell for a given count.
        setting_swelling: volume over dry volume at which the film sets and goes on to contract in all directions, ≥ 1.
        mixing_time: time at the initial height before drying starts [τ_B].
        hold_time: time at the final height [τ_B].
    """

    peclet: float
    initial_packing_fraction: float
    dry_layers: int
    setting_swelling: float
    mixing_time: float
    hold_time: float


@dataclass(frozen=True)
class FilmGeometry:
    """Sizes of the film [nm] and the speed of the interface [nm/τ_B]."""

    wet_sides: tuple[float, float]
    dry_sides: tuple[float, float]
    wet_height: float
    setting_height: float
    dry_height: float
    speed: float

    @property
    def drying_time(self) -> float:
        """Time from wet to dry [τ_B]."""
        return (self.wet_height - self.dry_height) / self.speed


def rows(per_layer: float) -> tuple[int, int]:
    """Rows of a close-packed layer along x and y (an even number) that come closest to `per_layer` particles.

    >>> rows(100.0)
    (10, 10)
    """
    even = 2 * max(1, round(math.sqrt(per_layer * 2 / math.sqrt(3)) / 2))
    best, least = (max(1, round(per_layer / even)), even), math.inf
    for y in range(2, 2 * math.ceil(math.sqrt(per_layer)) + 3, 2):
        x = max(1, round(per_layer / y))
        aspect = x / (y * math.sqrt(3) / 2)
        misfit = abs(math.log(x * y / per_layer)) + 1e-3 * abs(math.log(aspect))
        if 1 / LONGEST_ASPECT <= aspect <= LONGEST_ASPECT and misfit < least:
            best, least = (x, y), misfit
    return best


def sides(per_layer: float, spacing: float) -> tuple[float, float]:
    """Sides of a cell that a close-packed layer of `per_layer` particles at `spacing` [nm] fills in whole rows [nm].

    The area is exact; where no whole rows make up `per_layer` the spacing of the rows differs a little.
    """
    x, y = rows(per_layer)
    fitted = spacing * math.sqrt(per_layer / (x * y))
    return x * fitted, y * math.sqrt(3) / 2 * fitted


def geometry(model: ShellModel, settings: Drying) -> FilmGeometry:
    """Work out the film's sizes from counts, OPM volumes and the Péclet number.

    Raises:
        PhysicsError: settings that no film can have: too few nanocrystals for the layers asked, ligands longer than
            half the cell, a start denser than random placement allows or than the film that sets, a Péclet number or a
            swelling out of range.
    """
    if not 0 < settings.peclet <= LARGEST_PECLET:
        raise PhysicsError(f"peclet = {settings.peclet}: allowed > 0 and ≤ {LARGEST_PECLET:g}")
    if not 0 < settings.initial_packing_fraction <= DENSEST:
        raise PhysicsError(
            f"initial_packing_fraction = {settings.initial_packing_fraction}: allowed > 0 and ≤ {DENSEST}; a denser "
            "film cannot be placed at random and would not start disordered"
        )
    if not settings.setting_swelling >= 1:
        raise PhysicsError(
            f"setting_swelling = {settings.setting_swelling}: allowed ≥ 1, the dry film's own volume"
        )
    count = sum(model.counts)
    d = (math.sqrt(2) * model.mean_volume) ** (1 / 3)  # spacing of equal spheres with the mean volume
    dry_sides = sides(count / settings.dry_layers, d)
    if min(dry_sides) <= 2 * model.r_cut:
        needed = next(
            n for n in itertools.count(count) if min(sides(n / settings.dry_layers, d)) > 2 * model.r_cut
        )
        raise PhysicsError(
            f"{count} nanocrystals in {settings.dry_layers} layers make a cell only {min(dry_sides):.1f} nm wide, but it "
            f"must be wider than twice the range of the shells, {2 * model.r_cut:.1f} nm: give {needed} nanocrystals or "
            "so, fewer dry_layers, or shorter ligands"
        )
    dry = d * (1 + (settings.dry_layers - 1) * math.sqrt(2 / 3))
    swelling = settings.setting_swelling ** (1 / 3)
    wet_sides = (dry_sides[0] * swelling, dry_sides[1] * swelling)
    spheres = math.pi / 6 * math.sqrt(2) * model.mean_volume * count
    wet = spheres / settings.initial_packing_fraction / (wet_sides[0] * wet_sides[1])
    if wet <= dry * swelling:
        raise PhysicsError(
            f"initial_packing_fraction = {settings.initial_packing_fraction} makes the wet film ({wet:.1f} nm) no "
            f"higher than the one that sets ({dry * swelling:.1f} nm): lower it, or lower setting_swelling"
        )
    return FilmGeometry(
        wet_sides=wet_sides,
        dry_sides=dry_sides,
        wet_height=wet,
        setting_height=dry * swelling,
        dry_height=dry,
        speed=settings.peclet * model.reference_diameter**2 / wet,
    )


def prepare(model: ShellModel, settings: Drying, seed: int) -> tuple[System, Schedule]:
    """Place the nanocrystals at random in the wet film and schedule the interface.

    Raises:
        PhysicsError: as `geometry`.
    """
    import gsd.hoomd

    film = geometry(model, settings)
    rng = np.random.default_rng(seed)
    typeid = np.repeat(np.arange(len(model.types)), model.counts)
    diameters = np.asarray(model.diameters)[typeid]

    # The cell is empty above and below by more than the longest range, so that no force acts across its ends.
    margin = 1.5 * model.r_cut
    bottom = -film.wet_height / 2
    frame = gsd.hoomd.Frame()
    frame.configuration.box = [*film.wet_sides, film.wet_height + 2 * margin, 0, 0, 0]
    frame.configuration.dimensions = 3
    frame.particles.N = len(typeid)
    frame.particles.types = list(model.types)
    frame.particles.typeid = typeid
    frame.particles.position = random_slab(diameters, film.wet_sides, bottom, bottom + film.wet_height, rng)
    frame.particles.diameter = diameters
    frame.particles.mass = np.full(len(typeid), model.mass)
    velocity = rng.normal(0, math.sqrt(1 / model.mass), (len(typeid), 3))
    frame.particles.velocity = velocity - velocity.mean(axis=0)
    frame.validate()

    times = (
        settings.mixing_time,
        (film.wet_height - film.setting_height) / film.speed,
        max((film.setting_height - film.dry_height) / film.speed, SHORTEST_CONTRACTION)
        if settings.setting_swelling > 1
        else 0.0,
        settings.hold_time,
    )
    steps = np.cumsum([max(1, round(time / model.timestep)) for time in times])
    schedule = Schedule(
        steps=(0, *(int(step) for step in steps)),
        heights=(film.wet_height, film.wet_height, film.setting_height, film.dry_height, film.dry_height),
        sides=(film.wet_sides, film.wet_sides, film.wet_sides, film.dry_sides, film.dry_sides),
    )
    system = System(
        frame=frame,
        pairs=model.pairs,
        friction=model.friction,
        film=Film(substrate=bottom, walls=model.walls),
        timestep=model.timestep,
        length=model.reference_diameter,
    )
    return system, schedule
