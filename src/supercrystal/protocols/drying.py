"""Drying: a film between a substrate and a liquid–vapour interface that descends at constant speed.

The interface is a plane that nanocrystals cannot cross; the solvent is implicit. Its speed v is set by the Péclet number
``Pe = H0 v / D`` of the wet film of height H0, with D the free diffusion coefficient: below 1 the film stays uniform
while it dries, far above 1 a skin forms under the interface. Drying stops at the height of a film of `dry_layers`
close-packed layers at the OPM spacing d, ``d + (n - 1) √(2/3) d``.

Both planes are flat and repulsive. Flat planes favour close-packed layers parallel to them; a result obtained this way
says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from supercrystal.errors import PhysicsError
from supercrystal.models.shells import ShellModel
from supercrystal.protocols.placement import DENSEST, random_slab
from supercrystal.system import Film, Schedule, System

#: The fastest drying allowed: the interface then moves less than a hundredth of a diameter a step.
LARGEST_PECLET = 20.0

FLAT_WALLS = "Substrate and interface are flat: they order the first layers, which helps close packing."


@dataclass(frozen=True)
class Drying:
    """Settings of a drying run.

    Args:
        peclet: Pe = H0 v / D [-].
        initial_packing_fraction: volume of OPM spheres over the wet film's volume [-].
        dry_layers: close-packed layers that the dry film holds; sets the lateral size for a given count.
        mixing_time: time at the initial height before drying starts [τ_B].
        hold_time: time at the final height [τ_B].
    """

    peclet: float
    initial_packing_fraction: float
    dry_layers: int
    mixing_time: float
    hold_time: float


@dataclass(frozen=True)
class FilmGeometry:
    """Sizes of the film [nm] and the speed of the interface [nm/τ_B]."""

    lateral: float
    wet_height: float
    dry_height: float
    speed: float

    @property
    def drying_time(self) -> float:
        """Time from wet to dry [τ_B]."""
        return (self.wet_height - self.dry_height) / self.speed


def geometry(model: ShellModel, settings: Drying) -> FilmGeometry:
    """Work out the film's sizes from counts, OPM volumes and the Péclet number.

    Raises:
        PhysicsError: settings that no film can have: too few nanocrystals for the layers asked, ligands longer than
            half the cell, a start denser than random placement allows or than the dry film, a Péclet number out of
            range.
    """
    if not 0 < settings.peclet <= LARGEST_PECLET:
        raise PhysicsError(f"peclet = {settings.peclet}: allowed > 0 and ≤ {LARGEST_PECLET:g}")
    if not 0 < settings.initial_packing_fraction <= DENSEST:
        raise PhysicsError(
            f"initial_packing_fraction = {settings.initial_packing_fraction}: allowed > 0 and ≤ {DENSEST}; a denser "
            "film cannot be placed at random and would not start disordered"
        )
    count = sum(model.counts)
    d = (math.sqrt(2) * model.mean_volume) ** (1 / 3)  # spacing of equal spheres with the mean volume
    lateral = math.sqrt(count / settings.dry_layers * math.sqrt(3) / 2) * d
    if lateral <= 2 * model.r_cut:
        needed = math.floor((2 * model.r_cut / d) ** 2 * 2 / math.sqrt(3) * settings.dry_layers) + 1
        raise PhysicsError(
            f"{count} nanocrystals in {settings.dry_layers} layers make a cell only {lateral:.1f} nm wide, but it must "
            f"be wider than twice the range of the shells, {2 * model.r_cut:.1f} nm: give at least {needed} "
            "nanocrystals, fewer dry_layers, or shorter ligands"
        )
    spheres = math.pi / 6 * math.sqrt(2) * model.mean_volume * count
    wet = spheres / settings.initial_packing_fraction / lateral**2
    dry = d * (1 + (settings.dry_layers - 1) * math.sqrt(2 / 3))
    if wet <= dry:
        raise PhysicsError(
            f"initial_packing_fraction = {settings.initial_packing_fraction} makes the wet film ({wet:.1f} nm) no "
            f"higher than the dry one ({dry:.1f} nm): lower it"
        )
    speed = settings.peclet * model.reference_diameter**2 / wet
    return FilmGeometry(lateral=lateral, wet_height=wet, dry_height=dry, speed=speed)


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
    frame.configuration.box = [film.lateral, film.lateral, film.wet_height + 2 * margin, 0, 0, 0]
    frame.configuration.dimensions = 3
    frame.particles.N = len(typeid)
    frame.particles.types = list(model.types)
    frame.particles.typeid = typeid
    frame.particles.position = random_slab(diameters, film.lateral, bottom, bottom + film.wet_height, rng)
    frame.particles.diameter = diameters
    frame.particles.mass = np.full(len(typeid), model.mass)
    velocity = rng.normal(0, math.sqrt(1 / model.mass), (len(typeid), 3))
    frame.particles.velocity = velocity - velocity.mean(axis=0)
    frame.validate()

    steps = np.cumsum(
        [
            max(1, round(t / model.timestep))
            for t in (settings.mixing_time, film.drying_time, settings.hold_time)
        ]
    )
    schedule = Schedule(
        steps=(0, *(int(step) for step in steps)),
        heights=(film.wet_height, film.wet_height, film.dry_height, film.dry_height),
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
