"""Where crystals melt: a seed in its melt grows on one side of coexistence and melts on the other.

Half of a box is crystal, the other half its melt. What is reported is the crystalline share at the end: 1 if the crystal
took the box, 0 if it is gone. Conditions are some per cent away from coexistence on either side, so that the outcome
does not hang on the last digit of the published number; it brackets coexistence and does not measure it.
"""

from __future__ import annotations

import math
from functools import partial

from supercrystal.growth import rate
from supercrystal.interactions.cutoff import Cut
from supercrystal.interactions.power_law import PowerLaw
from supercrystal.interactions.virial import barker_henderson_diameter
from supercrystal.protocols import seeding
from supercrystal.seeded import run_seed
from supercrystal.system import PairPotential, Schedule
from supercrystal.validation import runs
from supercrystal.validation.check import Check, Setting

SOFT = (
    "Tan, Schultz and Kofke, Mol. Phys. 109, 123 (2011), DOI 10.1080/00268976.2010.520041, as tabulated by SklogWiki "
    "(read there, not in the paper)"
)
HARD = (
    "hard spheres coexist at 11.576 kT/σ³, Zykova-Timan, Horbach and Binder, arXiv:1003.1212, and 11.5727(10), "
    "arXiv:1103.2599 (abstracts read)"
)

#: Densities of coexisting melt and crystal [σ⁻³] at ε = kT, and the crystal that is seeded.
COEXISTENCE = {12: (1.1602, 1.2035, "fcc"), 6: (2.295, 2.320, "bcc")}

#: Densities tried, relative to the crystal's and to the melt's at coexistence.
ABOVE, BELOW = 1.05, 0.95
#: At constant density the tail beyond the cut moves no particle: it is the same for all.
SOFT_CUT = {12: 1.7, 6: 2.0}
#: Times at which crystalline particles are counted, short and long.
FRAMES = {False: 20, True: 80}
#: A share within this of 1 or 0 is all or nothing: thermal crystals have some particles without a label.
ALL = 0.1

#: Pressures tried [kT/d³], and the strength of WCA that stands for hard spheres [kT].
PRESSURES = {"grows": 13.0, "melts": 10.0}
STRENGTH = 40.0
#: Density of the start, between the melt's 0.939 and the crystal's 1.037 [d⁻³]; the pressure changes it at once.
HARD_START = 0.99


def _outcome(
    setting: Setting,
    phase: str,
    potential: PairPotential,
    density: float,
    count: int,
    timestep: float,
    steps: int,
    pressure: float = math.nan,
    frames: int = 20,
) -> tuple[float, str]:
    """Crystalline share at the end, and a remark with the speed of the front."""
    cells = seeding.repeats(phase, {"a": 1.0}, count)
    frame = seeding.crystal(phase, density, cells, {"a": 1.0}, {"A": runs.TYPE})
    system = runs.system(frame, potential, timestep)
    seed = seeding.slab(frame, cells, 0.5)
    schedule = Schedule(steps=(0, steps))
    if not math.isnan(pressure):
        schedule = Schedule(steps=(0, steps), pressure=(pressure,) * 2, flexible="orthorhombic")
    found = run_seed(
        system, seed, phase, "slab", schedule, runs.choice(setting.engine), setting.seed, frames=40
    )
    result = rate(found.history)
    speed = "too fast for a rate"
    if result.velocity is not None and result.velocity_error is not None:
        speed = f"front at {result.velocity:+.3f} ± {result.velocity_error:.3f} √(kT/m)"
    return result.end, (
        f"N = {frame.particles.N}, crystalline share from {result.start:.2f} to {result.end:.2f} within "
        f"{steps * timestep:g}, {speed}"
    )


def _soft(exponent: int, side: str, setting: Setting) -> Check:
    melt, crystal, phase = COEXISTENCE[exponent]
    density = crystal * ABOVE if side == "grows" else melt * BELOW
    potential = Cut(PowerLaw(1.0, 1.0, exponent), SOFT_CUT[exponent], "force-shift")
    count, steps = (2000, 10_000) if setting.long else (500, 6_000)
    found, note = _outcome(
        setting, phase, potential, density, count, 0.004, steps, frames=FRAMES[setting.long]
    )
    return Check(
        name=f"soft-{exponent}-{side}",
        result=f"r⁻{'¹²' if exponent == 12 else '⁶'}, {phase} and melt, ρσ³ = {density:.3f}: crystalline share at the end",
        source=f"{SOFT}: melt {melt}, crystal {crystal}",
        kind="checked source",
        expected=1.0 if side == "grows" else 0.0,
        obtained=found,
        tolerance=ALL,
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=note,
    )


def _hard(side: str, setting: Setting) -> Check:
    potential = runs.wca(STRENGTH)
    diameter = barker_henderson_diameter([potential])
    pressure = PRESSURES[side]
    count, steps = (2000, 50_000) if setting.long else (864, 20_000)
    found, note = _outcome(
        setting,
        "fcc",
        potential,
        HARD_START / diameter**3,
        count,
        0.002,
        steps,
        pressure / diameter**3,
        FRAMES[setting.long],
    )
    return Check(
        name=f"hard-{side}",
        result=f"WCA ε = {STRENGTH:g} kT as hard spheres, fcc and melt, {pressure:g} kT/d³: crystalline share at the end",
        source=HARD,
        kind="checked source",
        expected=1.0 if side == "grows" else 0.0,
        obtained=found,
        tolerance=ALL,
        seed=setting.seed,
        engine=runs.title(setting.engine),
        note=f"{note}; hard-sphere diameter by Barker and Henderson, d = {diameter:.4f} σ; cell orthorhombic",
    )


CHECKS = {
    **{
        f"soft-{exponent}-{side}": partial(_soft, exponent, side)
        for exponent in COEXISTENCE
        for side in ("grows", "melts")
    },
    **{f"hard-{side}": partial(_hard, side) for side in PRESSURES},
}
