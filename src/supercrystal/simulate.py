"""Drive an engine along its schedule and record what happens, the same for every engine."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from supercrystal.engines import base
from supercrystal.progress import Progress
from supercrystal.rundir import RunDirectory, cut
from supercrystal.system import Film, Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

#: Log rows to a frame of the trajectory. Each pause of the engine costs it a few dozen steps, so they are few.
ROWS_PER_FRAME = 2
#: Wall time after which a log row brings a checkpoint although no frame is due [s].
CHECKPOINT_S = 20.0


def marks(total: int, frames: int) -> list[tuple[int, bool]]:
    """Steps at which a run pauses to record, each with whether a frame of the trajectory is due.

    >>> marks(20, 2)
    [(0, True), (5, False), (10, True), (15, False), (20, True)]
    """
    rows = frames * ROWS_PER_FRAME
    steps = sorted({round(total * i / rows): i % ROWS_PER_FRAME == 0 for i in range(rows + 1)}.items())
    return [(step, due or step == total) for step, due in steps]


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
        mine = z[frame.particles.typeid == index]
        top += float(np.sum(film.walls[name].force(height - mine)))
        bottom += float(np.sum(film.walls[name].force(mine)))
    return top / area, bottom / area


def _row(engine: base.Engine, frame: gsd.hoomd.Frame, system: System, schedule: Schedule) -> gsd.hoomd.Frame:
    """One row of the log: scalars only."""
    import gsd.hoomd

    step = int(frame.configuration.step)
    height = schedule.height(step)
    top, bottom = wall_load(frame, system.film, height)
    mass = np.asarray(frame.particles.mass, float)[:, None]
    velocity = np.asarray(frame.particles.velocity, float)
    row = gsd.hoomd.Frame()
    row.configuration.step = step
    values = {
        "time": step * system.timestep,
        "interface_height": height,
        "interface_pressure": top,
        "substrate_pressure": bottom,
        "potential_energy": engine.potential_energy() / len(mass),
        "kinetic_temperature": float(np.sum(mass * velocity**2)) / (3 * len(mass)),
    }
    row.log = {f"supercrystal/{key}": np.array([value]) for key, value in values.items()}
    return row


def simulate(
    run: RunDirectory,
    system: System,
    schedule: Schedule,
    choice: base.Choice,
    seed: int,
    frames: int,
    quiet: bool = False,
) -> dict[str, Any]:
    """Run the schedule to its end, from the directory's checkpoint if it has one.

    Writes ``trajectory.gsd``, ``log.gsd`` (one row ``frame.log`` a mark) and ``checkpoint.gsd``.

    Returns:
        What this process did: first step, steps, wall time [s] and steps per second.

    Raises:
        EngineError: the engine stopped.
    """
    import gsd.hoomd

    checkpoint = run.read_checkpoint()
    step = -1
    if checkpoint is not None:
        step = int(checkpoint.configuration.step)
        # Everything but box, positions, images and velocities is the system's own, in double precision.
        start = dataclasses.replace(system, frame=_merged(system.frame, checkpoint))
        for path in (run.trajectory, run.log):
            cut(path, step)
        run.say(f"resumed at step {step} of {schedule.total}")
    else:
        start = system
        run.trajectory.unlink(missing_ok=True)
        run.log.unlink(missing_ok=True)

    first = max(step, 0)
    if first >= schedule.total:
        return {"first_step": first, "steps": 0, "wall_s": 0.0, "steps_per_s": None}
    engine = base.start(choice, start, schedule, seed, step=first)
    mode = "r+" if checkpoint is not None else "w"
    began = last_checkpoint = time.monotonic()
    with (
        gsd.hoomd.open(run.trajectory, mode) as trajectory,
        gsd.hoomd.open(run.log, mode) as log,
        Progress("drying", schedule.total, done=first, quiet=quiet) as progress,
    ):
        here = first
        for mark, frame_due in _after(marks(schedule.total, frames), step):
            engine.run(mark - here)
            here = mark
            frame = engine.frame()
            log.append(_row(engine, frame, system, schedule))
            if frame_due:
                trajectory.append(frame)
            if frame_due or time.monotonic() - last_checkpoint > CHECKPOINT_S:
                log.flush()
                trajectory.flush()
                run.write_checkpoint(frame)
                last_checkpoint = time.monotonic()
            progress.update(here, note=f"film {schedule.height(here):.1f} nm")
    wall = time.monotonic() - began
    return {
        "first_step": first,
        "steps": here - first,
        "wall_s": round(wall, 3),
        "steps_per_s": round((here - first) / wall, 1),
    }


def _after(every: list[tuple[int, bool]], step: int) -> Iterator[tuple[int, bool]]:
    return (mark for mark in every if mark[0] > step)


def _merged(original: gsd.hoomd.Frame, checkpoint: gsd.hoomd.Frame) -> gsd.hoomd.Frame:
    """Return the original frame with the checkpoint's box, positions, images and velocities."""
    import copy

    frame = copy.deepcopy(original)
    frame.configuration.box = checkpoint.configuration.box
    for attribute in ("position", "image", "velocity"):
        setattr(frame.particles, attribute, getattr(checkpoint.particles, attribute))
    return frame
