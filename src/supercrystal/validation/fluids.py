"""Equations of state of fluids under pressure, the temperature of the bath, and free diffusion."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supercrystal.engines import base
from supercrystal.interactions.cutoff import Cut
from supercrystal.interactions.mie import Mie
from supercrystal.seeded import static_pressure
from supercrystal.system import PairPotential, Schedule
from supercrystal.validation import runs
from supercrystal.validation.check import Check, Setting, blocks, tolerance

if TYPE_CHECKING:
    import gsd.hoomd

HOOMD_VALIDATION = (
    "lj_fluid.py of github.com/glotzerlab/hoomd-validation, commit f1dd040 (read): "
    "the density it compares its runs with"
)

TIMESTEP = 0.005


def _density(
    setting: Setting,
    along: int,
    potential: PairPotential,
    start: float,
    pressure: float,
    steps: tuple[int, int],
    temperature: float = 1.0,
    every: int = 25,
) -> NDArray[np.float64]:
    """Densities of along³ particles under pressure after the first of the two numbers of steps."""
    box, sites = runs.simple_cubic(along, start)
    system = runs.system(runs.frame(box, sites, setting.seed), potential, TIMESTEP)
    whole = (0, sum(steps))
    schedule = Schedule(steps=whole, pressure=(pressure,) * 2, temperature=(temperature,) * 2)
    engine = base.start(runs.choice(setting.engine), system, schedule, setting.seed)
    engine.run(steps[0])
    return runs.sample(engine, steps[1] // every, every, runs.density)


def wca_density(setting: Setting) -> Check:
    """Density of the WCA fluid at P = 11, kT = 1; 1 % or, long, 0.3 %."""
    expected, share = 0.9193740949934834, 0.003 if setting.long else 0.01
    along, steps = (12, (10_000, 100_000)) if setting.long else (7, (2_000, 10_000))
    found, error = blocks(_density(setting, along, runs.wca(), 0.85, 11.0, steps))
    return Check(
        name="wca-density",
        result="WCA, P = 11 ε/σ³, kT = ε: density [σ⁻³]",
        source=HOOMD_VALIDATION,
        kind="checked source",
        expected=expected,
        obtained=found,
        error=error,
        tolerance=tolerance(expected, share, error),
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=f"N = {along**3} (source: 12³), Langevin, {steps[1]} steps of {TIMESTEP}",
    )


def lj_density(setting: Setting) -> Check:
    """LJ fluid at kT = 1.5, cut at 4 σ and smoothed from 3.2 σ, at the density that belongs to P = 1.

    Long: the density under that pressure, 0.5 %. Short: the pressure at that density, 5 %; the density itself fluctuates
    too slowly for a run of seconds.
    """
    density, pressure_there, kT = 0.6269137133228043, 1.0, 1.5
    potential = Cut(Mie(1.0, 1.0, 12, 6), 4.0, "xplor", 3.2)
    along, steps = (10, (8_000, 80_000)) if setting.long else (8, (1_500, 3_000))
    if setting.long:
        expected, share, quantity = density, 0.005, f"P = {pressure_there:g} ε/σ³: density [σ⁻³]"
        series = _density(setting, along, potential, 0.6, pressure_there, steps, kT)
    else:
        expected, share, quantity = pressure_there, 0.05, f"ρσ³ = {density:.5f}: pressure [ε/σ³]"
        box, sites = runs.simple_cubic(along, density)
        system = runs.system(runs.frame(box, sites, setting.seed), potential, TIMESTEP)
        schedule = Schedule(steps=(0, sum(steps)), temperature=(kT,) * 2)
        engine = base.start(runs.choice(setting.engine), system, schedule, setting.seed)
        engine.run(steps[0])
        series = runs.sample(
            engine, steps[1] // 25, 25, lambda frame: static_pressure(replace(system, frame=frame), kT=kT)
        )
    found, error = blocks(series)
    return Check(
        name="lj-density",
        result=f"LJ (cut 4 σ, XPLOR from 3.2 σ), kT = 1.5 ε, {quantity}",
        source=HOOMD_VALIDATION,
        kind="checked source",
        expected=expected,
        obtained=found,
        error=error,
        tolerance=tolerance(expected, share, error),
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=f"N = {along**3} (source: 16³), Langevin, {steps[1]} steps of {TIMESTEP}",
    )


def kinetic_temperature(setting: Setting) -> Check:
    """Kinetic temperature of a dense WCA fluid in the bath; 1 %."""
    along, steps, every = (10, (10_000, 40_000), 50) if setting.long else (8, (2_000, 10_000), 50)
    box, sites = runs.simple_cubic(along, 0.8)
    system = runs.system(runs.frame(box, sites, setting.seed), runs.wca(), TIMESTEP)
    engine = base.start(runs.choice(setting.engine), system, Schedule(steps=(0, sum(steps))), setting.seed)
    engine.run(steps[0])

    def temperature(frame: gsd.hoomd.Frame) -> float:
        velocity = np.asarray(frame.particles.velocity, float)
        return float(np.mean(velocity**2))

    found, error = blocks(runs.sample(engine, steps[1] // every, every, temperature))
    return Check(
        name="kinetic-temperature",
        result="WCA, ρσ³ = 0.8, Langevin bath: kinetic temperature [kT]",
        source="equipartition",
        kind="exact",
        expected=1.0,
        obtained=found,
        error=error,
        tolerance=tolerance(1.0, 0.01, error),
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=f"N = {along**3}, {steps[1]} steps of {TIMESTEP}",
    )


def free_diffusion(setting: Setting) -> Check:
    """Diffusion coefficient of free particles against kT/γ; 3 % or, long, 1 %.

    In time t a particle of mass m with friction γ gets ``⟨r²⟩ = 6 (kT/γ) [t - (m/γ)(1 - exp(-γt/m))]``, Uhlenbeck and
    Ornstein, Phys. Rev. 36, 823 (1930), DOI 10.1103/PhysRev.36.823.
    """
    friction, timestep, share = 2.5, 0.01, 0.01 if setting.long else 0.03
    count, intervals = (2000, 40) if setting.long else (1000, 10)
    side, every = 20.0, 1000
    rng = np.random.default_rng([setting.seed, 5])
    frame = runs.frame([side] * 3, rng.uniform(-side / 2, side / 2, (count, 3)), setting.seed)
    system = runs.system(frame, runs.Ideal(), timestep, friction)
    engine = base.start(
        runs.choice(setting.engine), system, Schedule(steps=(0, every * intervals)), setting.seed
    )

    def unwrapped(found: gsd.hoomd.Frame) -> NDArray[np.float64]:
        particles = found.particles
        return np.asarray(particles.position, float) + side * np.asarray(particles.image, float)

    first = unwrapped(engine.frame())
    path = np.concatenate([first[None], runs.sample(engine, intervals, every, unwrapped)])
    moved = np.sum(np.diff(path, axis=0) ** 2, axis=2)
    time, memory = every * timestep, 1 / friction
    each = moved / (6 * (time + memory * math.expm1(-time / memory)))
    # Displacements in intervals of 25 m/γ, of different particles, are independent.
    found, error = float(each.mean()), float(each.std(ddof=1) / math.sqrt(each.size))
    return Check(
        name="free-diffusion",
        result="free particles, γ = 2.5: D [σ √(kT/m)]",
        source="D = kT/γ",
        kind="exact",
        expected=1 / friction,
        obtained=found,
        error=error,
        tolerance=tolerance(1 / friction, share, error),
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=f"{count} particles, {intervals} intervals of {time:g}",
    )


CHECKS = {
    "wca-density": wca_density,
    "lj-density": lj_density,
    "kinetic-temperature": kinetic_temperature,
    "free-diffusion": free_diffusion,
}
