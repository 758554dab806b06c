"""Sedimentation equilibrium: the barometric law of a dilute gas, and the profile of hard spheres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supercrystal import equation_of_state as eos
from supercrystal.engines import base
from supercrystal.interactions.virial import barker_henderson_diameter
from supercrystal.interactions.wall import Wall
from supercrystal.protocols.placement import random_slab
from supercrystal.system import Film, PairPotential, Schedule
from supercrystal.validation import runs
from supercrystal.validation.check import ERRORS, Check, Setting, blocks, tolerance

if TYPE_CHECKING:
    import gsd.hoomd

CARNAHAN_STARLING = (
    "dφ/dz = -φ/(l_g d(φZ)/dφ) with Z of Carnahan and Starling, DOI 10.1063/1.1672048 (Z agrees with simulations "
    "to 0.3 %)"
)

#: Strength of the WCA repulsion that stands for hard spheres [kT].
HARD = 40.0
#: Heights are compared from here up [σ], in windows of this width, while the expected packing is at least that.
LOWEST, WINDOW, THINNEST = 3.0, 2.0, 0.05

#: Groups of independent particles from which the error of the slope comes.
GROUPS = 20

#: Friction [√(m kT)/σ]: low, so that particles settle soon. Equilibrium does not depend on it.
FRICTION = 0.5
#: Placement of the start, as diameters of spheres that may overlap by a tenth [σ], and its packing fraction.
APART, LOOSE = 1.25, 0.15


def _settled(
    setting: Setting,
    count: int,
    side: float,
    start: float,
    height: float,
    steps: tuple[int, int, int],
    potential: PairPotential,
    timestep: float,
    weight: float,
) -> NDArray[np.float64]:
    """Heights (rows, N) above the substrate after settling from a uniform layer of height `start`."""
    rng = np.random.default_rng([setting.seed, 11])
    wall = Wall(1.0, 0.5)
    margin = 3.0
    bottom = -height / 2
    if isinstance(potential, runs.Ideal):
        x = rng.uniform(
            [-side / 2, -side / 2, bottom + 0.5], [side / 2, side / 2, bottom + start], (count, 3)
        )
    else:
        # far enough apart that the steepest potential does not push
        x = random_slab(np.full(count, APART), (side, side), bottom, bottom + start, rng)
    frame = runs.frame([side, side, height + 2 * margin], x, setting.seed)
    system = runs.system(
        frame, potential, timestep, FRICTION, film=Film(bottom, {runs.TYPE: wall}), weight=weight
    )
    settling, sampling, every = steps
    whole = (0, settling + sampling)
    schedule = Schedule(steps=whole, heights=(height,) * 2, sides=((side, side),) * 2, gravity=(1.0,) * 2)
    engine = base.start(runs.choice(setting.engine), system, schedule, setting.seed)
    engine.run(settling)

    def heights(found: gsd.hoomd.Frame) -> NDArray[np.float64]:
        return np.asarray(found.particles.position, float)[:, 2] - bottom

    return runs.sample(engine, sampling // every, every, heights)


def barometric_slope(setting: Setting) -> Check:
    """Slope of ln φ of an ideal gas; 4 % or, long, 2 %.

    Above z₀ the heights of an exponential have the mean z₀ + l_g, which estimates l_g with the least variance. The
    particles start evenly spread over 2 l_g.
    """
    length, lowest, share = 4.0, 2.0, 0.02 if setting.long else 0.04
    count, steps = (2000, (20_000, 100_000, 200)) if setting.long else (500, (8_000, 20_000, 200))
    z = _settled(setting, count, 12.0, 2 * length, 20 * length, steps, runs.Ideal(), 0.02, 1 / length)
    found = float(np.mean(z[z > lowest])) - lowest
    # Particles do not meet: groups of them are independent, whereas times are not.
    groups = [float(np.mean(part[part > lowest])) for part in np.array_split(z, GROUPS, axis=1)]
    error = float(np.std(groups, ddof=1)) / math.sqrt(GROUPS)
    slope, slope_error = -1 / found, error / found**2
    return Check(
        name="barometric-slope",
        result="ideal gas, l_g = 4 σ: slope of ln φ [σ⁻¹]",
        source="barometric law, -1/l_g",
        kind="exact",
        expected=-1 / length,
        obtained=slope,
        error=slope_error,
        tolerance=tolerance(1 / length, share, slope_error),
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=f"{count} particles, heights above {lowest:g} σ",
    )


def windows(
    heights: NDArray[np.float64], area: float, diameter: float, lower: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Packing fraction (rows, windows) between `lower` and `lower` + WINDOW of heights (rows, N)."""
    inside = (heights[:, :, None] >= lower) & (heights[:, :, None] < lower + WINDOW)
    return eos.packing_fraction(inside.sum(axis=1) / (area * WINDOW), diameter)


def compare_profile(
    heights: NDArray[np.float64], area: float, diameter: float, gravitational_length: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Packing above the lowest height compared: lower ends of windows, expected, obtained, standard errors.

    The one constant of the profile is the pressure at `LOWEST`, which carries the particles found above it.
    """
    per_area = float(np.mean(np.sum(heights >= LOWEST, axis=1))) / area
    profile = eos.sedimentation_profile(gravitational_length, diameter, per_area=per_area)
    lower = np.arange(LOWEST, float(heights.max()), WINDOW)
    # The mean of φ over a window is what lies above its lower end less what lies above its upper end.
    above = profile.above(np.stack([lower, lower + WINDOW]) - LOWEST)
    expected = eos.packing_fraction((above[0] - above[1]) / WINDOW, diameter)
    lower, expected = lower[expected >= THINNEST], expected[expected >= THINNEST]
    found = np.array([blocks(column) for column in windows(heights, area, diameter, lower).T])
    return lower, expected, found[:, 0], found[:, 1]


def carnahan_starling_profile(setting: Setting) -> Check:
    """Profile of hard WCA spheres over a flat wall against Carnahan and Starling; 4 % or, long, 2 %.

    The packing in windows of 2 σ from z = 3 σ up. Reported is the window that differs most, in units of what is
    allowed there: the stated share, or three standard errors of the window.
    """
    share, length = (0.02 if setting.long else 0.04), 2.0
    potential = runs.wca(HARD)
    diameter = barker_henderson_diameter([potential])
    side, bottom = (12.0, 0.42) if setting.long else (7.0, 0.30)
    steps = (100_000, 1_000_000, 250) if setting.long else (30_000, 90_000, 200)
    per_area = float(eos.osmotic_pressure(bottom, diameter)) * length
    count = round(per_area * side**2)
    # An even, loose layer: unlike the profile that is to be found.
    start = count * math.pi / 6 / LOOSE / side**2
    z = _settled(
        setting,
        count,
        side,
        start,
        start + 15 * length,
        steps,
        potential,
        0.002,
        1 / length,
    )
    lower, expected, found, error = compare_profile(z, side**2, diameter, length)
    deviation, deviation_error = found / expected - 1, error / expected
    allowed = np.maximum(share, ERRORS * deviation_error)
    worst = int(np.argmax(np.abs(deviation) / allowed))
    return Check(
        name="sedimentation-profile",
        result=f"WCA ε = {HARD:g} kT, l_g = 2 σ: largest deviation of φ(z), z ≥ 3 σ, from theory [-]",
        source=CARNAHAN_STARLING,
        kind="exact",
        expected=0.0,
        obtained=float(deviation[worst]),
        error=float(deviation_error[worst]),
        tolerance=float(allowed[worst]),
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=(
            f"N = {count}, Barker–Henderson d = {diameter:.4f} σ, {len(lower)} windows of {WINDOW:g} σ, φ from "
            f"{found[0]:.3f} down to {found[-1]:.3f}, deviations {', '.join(f'{100 * d:+.1f}' for d in deviation)} %, "
            f"errors {', '.join(f'{100 * d:.1f}' for d in deviation_error)} %; worst at z = {lower[worst]:g} σ"
        ),
    )


CHECKS = {"barometric-slope": barometric_slope, "sedimentation-profile": carnahan_starling_profile}
