"""Drive an engine along its schedule and record what happens, the same for every engine."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from supercrystal import rigid
from supercrystal.engines import base
from supercrystal.errors import SimulationError
from supercrystal.progress import Progress
from supercrystal.ranks import world
from supercrystal.rundir import RunDirectory, cut
from supercrystal.soundness import narrowest, too_narrow
from supercrystal.system import Film, Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

#: Log rows to a frame of the trajectory. Each pause of the engine costs it a few dozen steps, so they are few.
ROWS_PER_FRAME = 2
#: Wall time after which a log row brings a checkpoint although no frame is due [s].
CHECKPOINT_S = 20.0
#: A run is stopped where momenta are hotter than the bath by this fraction and six standard deviations of their noise:
#: a sound step stays within 0.02 (tests/test_engines.py).
HOTTER = 0.15
#: A solvent that turns poor sets energy free, which heats momenta until the friction has taken it up: after a jump to
#: χ = 0.6 they were 3.8 times hotter than the bath. While it changes and for `SETTLING` Brownian times more is allowed.
HOTTER_IN_QUENCH = 9.0
SETTLING = 5.0


def marks(total: int, frames: int, first: int = 0) -> list[tuple[int, bool]]:
    """Steps from `first` to `total` at which a run pauses to record, each with whether a frame is due.

    >>> marks(20, 2)
    [(0, True), (5, False), (10, True), (15, False), (20, True)]
    """
    rows = frames * ROWS_PER_FRAME
    span = total - first
    steps = sorted({first + round(span * i / rows): i % ROWS_PER_FRAME == 0 for i in range(rows + 1)}.items())
    return [(step, due or step == total) for step, due in steps]


def stage_marks(ends: Sequence[int], frames: Sequence[int]) -> list[tuple[int, bool]]:
    """Marks of stages that end at the steps `ends`, each with its number of frames; a frame at every end."""
    every: dict[int, bool] = {}
    for first, end, count in zip((0, *ends), ends, frames, strict=False):
        every |= dict(marks(end, count, first))
    return sorted(every.items())


def wall_load(frame: gsd.hoomd.Frame, film: Film, height: float) -> tuple[float, float]:
    """Force per area on the interface and on the substrate [kT/nm²·nm⁻¹ = kT/nm³], from the wall's own function.

    Args:
        frame: particles.
        film: the planes.
        height: of the interface above the substrate [nm].
    """
    z = np.asarray(frame.particles.position, float)[:, 2] - film.substrate
    area = float(frame.configuration.box[0] * frame.configuration.box[1])
    top = bottom = 0.0
    for index, name in enumerate(frame.particles.types):
        if name not in film.walls:  # a template stands between the planes and does not feel them
            continue
        mine = z[frame.particles.typeid == index]
        top += float(np.sum(film.walls[name].force(height - mine)))
        bottom += float(np.sum(film.walls[name].force(mine)))
    return top / area, bottom / area


def _row(engine: base.Engine, frame: gsd.hoomd.Frame, system: System, schedule: Schedule) -> gsd.hoomd.Frame:
    """One row of the log: scalars only."""
    import gsd.hoomd

    step = int(frame.configuration.step)
    moving = np.isin(frame.particles.typeid, [system.types.index(name) for name in system.mobile])
    mass = np.asarray(frame.particles.mass, float)[moving, None]
    velocity = np.asarray(frame.particles.velocity, float)[moving]
    gravity = schedule.value("gravity", step)
    potential = engine.potential_energy() + system.weight_energy(frame, gravity)
    kinetic = float(np.sum(mass * velocity**2)) / (3 * len(mass))
    volume = float(np.prod(frame.configuration.box[:3]))
    values = {
        "time": step * system.timestep,
        "potential_energy": potential / len(mass),
        "kinetic_temperature": kinetic,
        "bath_temperature": schedule.value("temperature", step),
        "gravity": gravity,
        "solvent": schedule.value("solvent", step),
    }
    if system.film:
        height = schedule.height(step)
        top, bottom = wall_load(rigid.with_beads(frame, system.bodies), system.film, height)
        values |= {"interface_height": height, "interface_pressure": top, "substrate_pressure": bottom}
    else:
        # Kinetic part by the bath's temperature: the same mean as that of the velocities, and less noise.
        ideal = len(mass) * values["bath_temperature"] / volume
        values |= {"volume": volume, "pressure": ideal + engine.virial_pressure()}
    if system.turning:
        values["rotational_temperature"] = 2 * float(np.mean(rigid.rotational_energy(frame, system.turning)))
    row = gsd.hoomd.Frame()
    row.configuration.step = step
    row.log = {f"supercrystal/{key}": np.array([value]) for key, value in values.items()}
    # Under pressure nobody knows beforehand how far a cell shrinks.
    trouble = too_narrow(system, narrowest(system, frame)) if schedule.under_pressure(step) else None
    if trouble:
        raise SimulationError(f"at step {step} {trouble}. What was recorded so far is kept")
    settled = round(SETTLING / system.timestep)
    quenched = schedule.value("solvent", step) != schedule.value("solvent", max(0, step - settled))
    turning = len(rigid.centres(frame, system.turning)) if system.turning else 0
    _check_sound(values, len(mass), turning, step, HOTTER_IN_QUENCH if quenched else HOTTER)
    return row


def _check_sound(values: dict[str, float], count: int, turning: int, step: int, hotter: float) -> None:
    """Stop a run whose integration has become unstable.

    A thermostat hides a drift of the total energy but not its cause: a step too long for the stiffest pair heats the
    momenta above the bath, those of turning before others. A drive heats them too, which `hotter` leaves room for.

    Raises:
        SimulationError: what drifted, and the advice.
    """
    bath = values["bath_temperature"]
    for name, particles in (("kinetic", count), ("rotational", turning)):
        if not particles:
            continue
        found, noise = values[f"{name}_temperature"], bath * np.sqrt(2 / (3 * particles))
        if not np.isfinite(values["potential_energy"]) or not found < bath * (1 + hotter) + 6 * noise:
            raise SimulationError(
                f"the energy drifts: at step {step} the {name} temperature is {found:.3g} kT in a bath of {bath:.3g} kT. "
                f"{base.STOPPED}. What was recorded so far is kept"
            )


def simulate(
    run: RunDirectory,
    system: System,
    schedule: Schedule,
    choice: base.Choice,
    seed: int,
    every: Sequence[tuple[int, bool]],
    quiet: bool = False,
) -> dict[str, Any]:
    """Run the schedule to its end, from the directory's checkpoint if it has one.

    Writes ``trajectory.gsd``, ``log.gsd`` (one row ``frame.log`` a mark) and ``checkpoint.gsd``.

    Returns:
        What this process did: first step, steps, wall time [s] and steps per second.

    Raises:
        EngineError: the engine stopped.
    """
    ranks = world()
    checkpoint = ranks.first(run.read_checkpoint)
    step = -1
    if checkpoint is not None:
        step = int(checkpoint.configuration.step)
        # Everything but box, positions, images, orientations and momenta is the system's own, in double precision.
        start = dataclasses.replace(system, frame=_merged(system.frame, checkpoint))
    else:
        start = system
    ranks.first(lambda: _rewind(run, None if checkpoint is None else step, schedule.total))

    first = max(step, 0)
    if first >= schedule.total:
        return {"first_step": first, "steps": 0, "wall_s": 0.0, "steps_per_s": None}
    engine = base.start(choice, start, schedule, seed, step=first)
    began = last_checkpoint = time.monotonic()
    with (
        contextlib.ExitStack() as files,
        Progress("simulating", schedule.total, done=first, quiet=quiet or not ranks.leads) as progress,
    ):
        if ranks.leads:
            trajectory, log = _open(files, run, "r+" if checkpoint is not None else "w")
        here = first
        for mark, frame_due in _after(every, step):
            engine.run(mark - here)
            here = mark
            frame = engine.frame()
            row = _row(engine, frame, system, schedule)
            if not ranks.leads:
                continue
            log.append(row)
            if frame_due:
                trajectory.append(frame)
            if frame_due or time.monotonic() - last_checkpoint > CHECKPOINT_S:
                log.flush()
                trajectory.flush()
                run.write_checkpoint(frame)
                last_checkpoint = time.monotonic()
            progress.update(here, note=_note(frame, schedule))
    wall = time.monotonic() - began
    return {
        "first_step": first,
        "steps": here - first,
        "wall_s": round(wall, 3),
        "steps_per_s": round((here - first) / wall, 1),
    }


def _rewind(run: RunDirectory, step: int | None, total: int) -> None:
    """Leave in the directory what was recorded up to a step, or nothing."""
    for path in (run.trajectory, run.log):
        if step is None:
            path.unlink(missing_ok=True)
        else:
            cut(path, step)
    if step is not None:
        run.say(f"resumed at step {step} of {total}")


def _open(files: contextlib.ExitStack, run: RunDirectory, mode: Literal["w", "r+"]) -> tuple[Any, Any]:
    """Trajectory and log."""
    import gsd.hoomd

    trajectory, log = (gsd.hoomd.open(path, mode) for path in (run.trajectory, run.log))
    return files.enter_context(trajectory), files.enter_context(log)


def _note(frame: gsd.hoomd.Frame, schedule: Schedule) -> str:
    if schedule.heights:
        return f"film {schedule.height(int(frame.configuration.step)):.1f} nm"
    return f"cell {np.cbrt(np.prod(frame.configuration.box[:3])):.1f} nm"


def _after(every: Sequence[tuple[int, bool]], step: int) -> Iterator[tuple[int, bool]]:
    return (mark for mark in every if mark[0] > step)


def _merged(original: gsd.hoomd.Frame, checkpoint: gsd.hoomd.Frame) -> gsd.hoomd.Frame:
    """Return the original frame with the checkpoint's box, positions, images, orientations and momenta."""
    import copy

    frame = copy.deepcopy(original)
    frame.configuration.box = checkpoint.configuration.box
    for attribute in ("position", "image", "velocity", "orientation", "angmom"):
        setattr(frame.particles, attribute, getattr(checkpoint.particles, attribute))
    return frame
