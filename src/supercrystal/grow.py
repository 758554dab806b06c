"""Seeds of a study's nanocrystals in contact with their melt.

A study gives the nanocrystals, their forces and the time step; the phase, the seed, and the density or pressure come with
the question.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from supercrystal import growth, lattices, library, physical, soundness
from supercrystal.engines import base
from supercrystal.errors import PhysicsError, RunDirectoryError, SimulationError
from supercrystal.models.model import Model
from supercrystal.protocols import seeding
from supercrystal.rundir import write_atomically
from supercrystal.seed_crystal import crystal, of_bodies, plain, roles
from supercrystal.seeded import Seeded, run_seed, static_pressure
from supercrystal.solids import dynamics
from supercrystal.study import Study
from supercrystal.study_stages import CompressionTable, SlowDryingTable
from supercrystal.system import Schedule
from supercrystal.units import kpa_per_kt_nm3

if TYPE_CHECKING:
    import gsd.hoomd

#: Time for which the whole crystal follows the pressure before half of it is melted [τ_B]; its second half is averaged.
RELAXATION = 40.0
#: Packing fractions between which the density of a crystal under pressure is sought.
PACKINGS = (0.05, 2.0)

NO_RATE = (
    "The front crossed the cell, or the seed was gone, before a rate could be told: count more often (--frames), or give "
    "more nanocrystals (--count) or conditions nearer to coexistence."
)


@dataclass(frozen=True)
class Question:
    """What is asked of a study.

    Args:
        phase: of the seed, a name of the catalogue.
        shape: of the seed.
        size: share of the cell that a slab takes [-], or radius of a ball [nm].
        packing_fraction: volume of OPM spheres over that of the cell, which stays; or
        pressure: that the cell follows [kT/nm³].
        count: nanocrystals in the cell, about.
        duration: after the release [τ_B].
        frames: pauses at which particles are counted.
        seed_packing: packing fraction of the slab at the start, where the melt beside it is thinner; None is that of the
            cell.
    """

    phase: str
    shape: growth.Shape
    size: float
    packing_fraction: float | None
    pressure: float | None
    count: int
    duration: float
    frames: int = 50
    seed_packing: float | None = None

    def __post_init__(self) -> None:
        if (self.packing_fraction is None) == (self.pressure is None):
            raise PhysicsError("a seed grows at a packing fraction or under a pressure: give one of them")
        if self.seed_packing is not None and (self.shape != "slab" or self.packing_fraction is None):
            raise PhysicsError(
                "a seed has a packing fraction of its own as a slab in a cell of a given packing fraction"
            )
        for name in ("size", "packing_fraction", "pressure", "duration", "seed_packing"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise PhysicsError(f"{name.replace('_', ' ')} must be a number > 0; got {value}")


def conditions(study: Study) -> tuple[float | None, float | None]:
    """Packing fraction [-] or pressure [kT/nm³] at which a study ends; neither if no stage fixes one.

    The last stage that fixes one counts: compression its last pressure, slow drying its packing fraction.
    """
    for stage in reversed(study.protocol):
        if isinstance(stage, CompressionTable):
            return None, stage.pressure_kPa[1] / kpa_per_kt_nm3(study.temperature_K)
        if isinstance(stage, SlowDryingTable):
            return stage.final_packing_fraction, None
    return None, None


def packing_under_pressure(
    model: Model, phase: str, pressure: float, count: int, choice: base.Choice, seed: int
) -> float:
    """Packing fraction that a whole crystal takes under a pressure [kT/nm³]: a short run of it.

    Raises:
        PhysicsError: no packing fraction carries the pressure.
        SimulationError: the crystal does not survive; there is no seed then.
    """
    from scipy.optimize import brentq

    def excess(packing: float) -> float:
        made, _ = crystal(model, phase, packing, count, seed)
        return math.log(max(static_pressure(made, model.solvent_strength), 1e-300) / pressure)

    low, high = PACKINGS
    # Wide cells for the search only: a cell too narrow at the highest packing is met when the seed is built.
    while high > low and math.isnan(_tried(excess, high)):
        high *= 0.9
    if not (high > low and _tried(excess, low) < 0 < _tried(excess, high)):
        raise PhysicsError(
            f"no packing fraction from {low} to {high:.2g} of {phase} carries {pressure:.4g} kT/nm³; give another pressure"
        )
    made, _ = crystal(model, phase, float(brentq(excess, low, high, xtol=1e-4)), count, seed)
    rng = np.random.default_rng([seed, 5])
    ready = seeding.released(made, made.frame, rng)
    whole = round(RELAXATION / model.timestep)
    schedule = _schedule(model, whole, pressure, "orthorhombic")
    engine = base.start(choice, ready, schedule, seed)
    engine.run(whole // 2)
    volumes = []
    for _ in range(20):
        engine.run(whole // 40)
        frame = engine.frame()
        volumes.append(float(np.prod(np.asarray(frame.configuration.box, float)[:3])))
    share = float(np.mean(growth.crystalline(frame, phase)))
    if share < growth.FOLLOWED[1] / 2:
        raise SimulationError(
            f"under {pressure:.4g} kT/nm³ the whole crystal falls to {share:.0%} {phase} within {RELAXATION:g} Brownian "
            "times without any melt beside it: there is nothing to seed; give a higher pressure"
        )
    diameters = np.asarray(model.diameters)[made.frame.particles.typeid]
    return float(np.pi / 6 * np.sum(diameters**3) / np.mean(volumes))


def _tried(function: Callable[[float], float], value: float) -> float:
    try:
        return function(value)
    except PhysicsError:
        return math.nan


def _schedule(model: Model, steps: int, pressure: float | None, flexible: Any) -> Schedule:
    solvent = (model.solvent_strength,) * 2 if model.solvent else ()
    if pressure is None:
        return Schedule(steps=(0, steps), solvent=solvent)
    return Schedule(steps=(0, steps), solvent=solvent, pressure=(pressure,) * 2, flexible=flexible)


def steps(model: Model, question: Question) -> int:
    """Steps of one run after the release."""
    return max(question.frames, round(question.duration / model.timestep))


def grow(
    study: Study,
    question: Question,
    choice: base.Choice,
    seeds: Sequence[int],
    report: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Any], list[Seeded]]:
    """Grow a seed of a study's nanocrystals, once for each seed of the random numbers.

    Args:
        study: the nanocrystals, their forces, temperature and solvent.
        question: phase, seed, and density or pressure.
        choice: of the engine.
        seeds: of the random numbers; the scatter between runs gives the error.
        report: called with the number of the run and the step after every pause.

    Returns:
        The result as JSON, and the runs.

    Raises:
        PhysicsError: the question does not fit the study.
        SimulationError: there is no melt, no crystal, or the engine stopped.
    """
    model = study.build_model()
    packing = question.packing_fraction
    if model.bodies and packing is None:
        raise PhysicsError(
            "seeds of bodies grow at a packing fraction here, not under a pressure: give --packing-fraction"
        )
    if question.pressure is not None:
        packing = packing_under_pressure(
            model, question.phase, question.pressure, question.count, choice, seeds[0]
        )
    assert packing is not None  # Question has one of the two
    flexible = "orthorhombic" if question.shape == "slab" else "isotropic"
    schedule = _schedule(model, steps(model, question), question.pressure, flexible)
    runs = []
    for index, number in enumerate(seeds):
        elongation = seeding.ELONGATION if question.shape == "slab" else 1.0
        dense = question.seed_packing or packing
        system, cells = crystal(model, question.phase, dense, question.count, number, elongation)
        seed = (
            seeding.slab(system.frame, cells, question.size)
            if question.shape == "slab"
            else seeding.ball(system.frame, question.size)
        )
        if question.seed_packing is not None:
            system = seeding.thinned(system, seed, dense / packing)
        if model.bodies:
            soundness.check(system, schedule)
        each = None if report is None else (lambda step, index=index: report(index, step))
        runs.append(
            run_seed(
                system,
                seed,
                plain(question.phase),
                question.shape,
                schedule,
                choice,
                number,
                question.frames,
                keep=True,
                report=each,
            )
        )
    return _result(study, model, question, packing, choice, seeds, runs), runs


def _result(
    study: Study,
    model: Model,
    question: Question,
    packing: float,
    choice: base.Choice,
    seeds: Sequence[int],
    runs: Sequence[Seeded],
) -> dict[str, Any]:
    rates = [growth.rate(run.history) for run in runs]
    viscosity = library.quantity("solvents", study.solvent, "viscosity")
    assert viscosity is not None  # every solvent of the library has one (tests/test_library.py)
    brownian_time = physical.brownian_time_s(
        study.batches()[0].nanocrystal, model.reference_diameter, viscosity.value, study.temperature_K
    )
    velocity = growth.mean([(rate.velocity, rate.velocity_error) for rate in rates])
    per_time = growth.mean([(rate.per_time, rate.per_time_error) for rate in rates])
    return {
        "name": study.name,
        "phase": lattices.prototype(plain(question.phase)).name,
        "orientation": of_bodies(model, question.phase).orientation if model.bodies else None,
        "verdict": growth.overall([rate.verdict for rate in rates]),
        "seeded": growth.SEEDED,
        "shape": question.shape,
        "seed_share": question.size if question.shape == "slab" else None,
        "seed_radius_nm": question.size if question.shape == "ball" else None,
        "roles": roles(model, question.phase),
        "particles": runs[0].history.total,
        "packing_fraction": packing,
        "seed_packing_fraction": question.seed_packing,
        "packing_fraction_is": "given"
        if question.pressure is None
        else "of the whole crystal under the pressure",
        "pressure_kT_per_nm3": question.pressure,
        "pressure_kPa": None
        if question.pressure is None
        else question.pressure * kpa_per_kt_nm3(study.temperature_K),
        "duration_brownian_times": question.duration,
        "crystalline_per_brownian_time": _number(per_time),
        "front_nm_per_brownian_time": _number(velocity),
        "front_nm_per_s": _number(velocity, 1 / brownian_time),
        "brownian_time_s_estimate": brownian_time,
        "no_rate": NO_RATE if velocity is None else None,
        "rates_are": "without hydrodynamics; a Brownian time in seconds assumes a single nanocrystal in much solvent",
        "runs": [
            {
                "seed": number,
                **rate.to_dict(),
                "melted_at_kT": run.molten,
                "cubes_at_end": order_of_cubes(run.frames[-1]) if model.bodies else None,
                "time_brownian": [float(value) for value in run.history.time],
                "crystalline": [int(value) for value in run.history.count],
            }
            for number, rate, run in zip(seeds, rates, runs, strict=True)
        ],
        "engine": dataclasses.asdict(choice),
    }


def order_of_cubes(frame: gsd.hoomd.Frame) -> list[dict[str, Any]]:
    """Order of the cubes on the sites of each grain of a frame, as JSON; nothing where no grain is."""
    from supercrystal.structure.cubes import on_sites
    from supercrystal.structure.naming import name

    found = name(dynamics.configuration(frame, 0))
    return [row.to_dict() for row in on_sites(found)] if found.grains else []


def _number(mean: growth.Mean | None, factor: float = 1.0) -> Mapping[str, float | int | None] | None:
    if mean is None:
        return None
    error = None if mean.error is None else mean.error * factor
    return {"value": mean.value * factor, "error": error, "runs": mean.runs}


def write(out: Path, result: Mapping[str, Any], runs: Sequence[Seeded]) -> None:
    """Write ``growth.json``, the figure with its table, and a trajectory of each run into a new directory.

    Raises:
        RunDirectoryError: the directory exists.
    """
    import gsd.hoomd

    from supercrystal.report.growth import crystalline_share

    try:
        out.mkdir(parents=True)
    except FileExistsError:
        raise RunDirectoryError(
            f"{out} exists and is not overwritten: give another directory, or remove it"
        ) from None
    for one, run in zip(result["runs"], runs, strict=True):
        path = out / f"seed{one['seed']}.gsd"
        partial = path.with_name(path.name + ".partial")
        with gsd.hoomd.open(partial, "w") as trajectory:
            trajectory.extend(run.frames)
        partial.replace(path)
    crystalline_share(
        [run.history for run in runs], [one["seed"] for one in result["runs"]], result["phase"], out
    )
    write_atomically(out / "growth.json", json.dumps(result, indent=2, ensure_ascii=False) + "\n")
