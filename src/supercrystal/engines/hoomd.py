"""HOOMD-blue, the reference engine: CPU or GPU, versions 4.8 to 7.

The shell goes over as the native Mie potential, any other pair potential as a table of the model's own functions. The
interface is a wall that a custom updater replaces every few steps; walls are immutable in HOOMD and have no variant.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supercrystal.engines.base import HOOMD_MISSING, Availability
from supercrystal.errors import EngineError, SimulationError
from supercrystal.interactions.shell import Shell
from supercrystal.system import Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

#: Steps between two settings of the interface, unless it would jump further than `LARGEST_JUMP` wall diameters.
INTERFACE_PERIOD = 10
LARGEST_JUMP = 0.005
#: Below this fraction of its σ the wall's force stays constant instead of diverging: a particle that got there, or
#: beyond the plane, is pushed back instead of feeling nothing.
EXTRAPOLATION = 0.3
TABLE_POINTS = 20_000
TABLE_START = 0.25
#: Neighbour-list margin in diameters.
BUFFER = 0.35


def available() -> Availability:
    """Whether HOOMD imports, with which version, and whether it finds a GPU."""
    if importlib.util.find_spec("hoomd") is None:
        return Availability("hoomd", False, None, HOOMD_MISSING)
    try:
        import hoomd
        import hoomd.md
    except ImportError as error:
        return Availability("hoomd", False, None, f"HOOMD-blue does not import ({error}). {HOOMD_MISSING}")
    gpu = bool(hoomd.device.GPU.is_available()) and len(hoomd.device.GPU.get_available_devices()) > 0
    build = "built for GPUs" if hoomd.version.gpu_enabled else "built for CPUs only"
    detail = f"{build}, {'GPU found' if gpu else 'no GPU found'}"
    return Availability("hoomd", True, str(hoomd.version.version), detail, gpu)


def _interface_updater(film: Hoomd, period: int) -> Any:
    import hoomd

    class Interface(hoomd.custom.Action):
        """Sets the descending plane to its scheduled height."""

        def act(self, timestep: int) -> None:
            film.set_interface(timestep)

    return hoomd.update.CustomUpdater(action=Interface(), trigger=hoomd.trigger.Periodic(period))


def _side_updater(schedule: Schedule, box: Any, period: int) -> Any:
    """Updater that scales box and particles along x and y as the schedule has it: one linear contraction."""
    import hoomd

    moving = [i for i in range(len(schedule.steps) - 1) if schedule.sides[i] != schedule.sides[i + 1]]
    if len(moving) > 1:
        raise EngineError(
            "the HOOMD adapter contracts the cell in one linear stage; this schedule has several"
        )
    start, end = schedule.steps[moving[0]], schedule.steps[moving[0] + 1]
    wet, dry = (hoomd.Box(Lx=x, Ly=y, Lz=box.Lz) for x, y in (schedule.sides[0], schedule.sides[-1]))
    share = hoomd.variant.Ramp(A=0, B=1, t_start=start, t_ramp=end - start)
    path = hoomd.variant.box.Interpolate(initial_box=wet, final_box=dry, variant=share)
    return hoomd.update.BoxResize(trigger=hoomd.trigger.Periodic(period), box=path, filter=hoomd.filter.All())


class Hoomd:
    """A film in HOOMD-blue."""

    name = "hoomd"

    def __init__(self, system: System, schedule: Schedule, seed: int, step: int, device: str) -> None:
        import hoomd

        self.device = device
        self._system, self._schedule = system, schedule
        make = hoomd.device.GPU if device == "gpu" else hoomd.device.CPU
        self._simulation = hoomd.Simulation(device=make(notice_level=0), seed=seed % 65536)
        self._simulation.timestep = step
        self._simulation.create_state_from_snapshot(system.frame)
        self._pair_forces = self._pairs()
        self._wall_force = self._walls()
        self._set_up_motion()
        self._simulation.run(0)

    def _pairs(self) -> list[Any]:
        import hoomd

        nlist = hoomd.md.nlist.Cell(buffer=BUFFER * self._system.length)
        mie = hoomd.md.pair.Mie(nlist, mode="shift")
        table = hoomd.md.pair.Table(nlist)
        tabulated = False
        for types, potentials in self._system.pairs.items():
            shells = [p for p in potentials if isinstance(p, Shell)]
            others = [p for p in potentials if not isinstance(p, Shell)]
            if len(shells) != 1:
                raise EngineError(
                    f"the HOOMD adapter expects one shell for each pair of types; {types} has {len(shells)}"
                )
            shell = shells[0]
            mie.params[types] = {
                "epsilon": shell.epsilon,
                "sigma": shell.onset * 2 ** (-2 / shell.exponent),
                "n": shell.exponent,
                "m": shell.exponent / 2,
            }
            mie.r_cut[types] = shell.r_cut
            if others:
                tabulated = True
                r_cut = max(p.r_cut for p in others)
                r = np.linspace(TABLE_START * r_cut, r_cut, TABLE_POINTS, endpoint=False)
                energy = np.sum([p.energy(r) for p in others], axis=0)
                force = np.sum([p.force(r) for p in others], axis=0)
                table.params[types] = {"r_min": r[0], "U": energy, "F": force}
                table.r_cut[types] = r_cut
            else:
                table.params[types] = {"r_min": 0, "U": [0], "F": [0]}
                table.r_cut[types] = 0
        return [mie, table] if tabulated else [mie]

    def _walls(self) -> Any:
        import hoomd

        film = self._system.film
        substrate = hoomd.wall.Plane(origin=(0, 0, film.substrate), normal=(0, 0, 1))
        force = hoomd.md.external.wall.LJ(walls=[substrate, self._plane(self._simulation.timestep)])
        for name, wall in film.walls.items():
            force.params[name] = {
                "epsilon": wall.epsilon,
                "sigma": wall.sigma,
                "r_cut": wall.r_cut,
                "r_extrap": EXTRAPOLATION * wall.sigma,
            }
        return force

    def _set_up_motion(self) -> None:
        import hoomd

        system = self._system
        langevin = hoomd.md.methods.Langevin(filter=hoomd.filter.All(), kT=1.0)
        for name, friction in system.friction.items():
            langevin.gamma[name] = friction
        operations = self._simulation.operations
        operations.integrator = hoomd.md.Integrator(
            dt=system.timestep, methods=[langevin], forces=[*self._pair_forces, self._wall_force]
        )
        steps, heights = np.asarray(self._schedule.steps), np.asarray(self._schedule.heights)
        # The contraction of the sides is never faster than that of the height.
        fastest = float(np.max(np.abs(np.diff(heights)) / np.diff(steps)))
        smallest = min(wall.sigma for wall in system.film.walls.values())
        period = INTERFACE_PERIOD
        if fastest > 0:
            period = max(1, min(period, int(LARGEST_JUMP * smallest / fastest)))
        operations.updaters.append(_interface_updater(self, period))
        if self._schedule.contracts:
            operations.updaters.append(_side_updater(self._schedule, self._simulation.state.box, period))

    def _plane(self, step: int) -> Any:
        import hoomd

        z = self._system.film.substrate + self._schedule.height(step)
        return hoomd.wall.Plane(origin=(0, 0, z), normal=(0, 0, -1))

    def set_interface(self, step: int) -> None:
        """Put the interface where the schedule has it at `step`."""
        self._wall_force.walls[1] = self._plane(step)

    def run(self, steps: int) -> None:
        """Advance by `steps`."""
        try:
            self._simulation.run(steps)
        except RuntimeError as error:
            raise SimulationError(
                f"HOOMD stopped at step {self._simulation.timestep}: {error}. Too fast a drying is the usual reason: "
                "lower peclet"
            ) from error

    def frame(self) -> gsd.hoomd.Frame:
        """Particles now, wrapped into the box."""
        import gsd.hoomd

        snapshot = self._simulation.state.get_snapshot()
        source = self._system.frame
        frame = gsd.hoomd.Frame()
        frame.configuration.step = int(self._simulation.timestep)
        frame.configuration.box = snapshot.configuration.box
        frame.configuration.dimensions = 3
        for attribute in ("N", "types", "typeid", "diameter", "mass"):
            setattr(frame.particles, attribute, getattr(source.particles, attribute))
        for attribute in ("position", "velocity", "image"):
            setattr(frame.particles, attribute, np.array(getattr(snapshot.particles, attribute)))
        return frame

    def forces(self) -> NDArray[np.float64]:
        """Conservative force on each particle [kT/nm]."""
        self._simulation.run(0)
        return np.sum([force.forces for force in (*self._pair_forces, self._wall_force)], axis=0)

    def potential_energy(self) -> float:
        """Pair and wall energy now [kT]."""
        return float(sum(force.energy for force in (*self._pair_forces, self._wall_force)))

    def virial_pressure(self) -> float:
        """Pair virial over three box volumes, the configurational pressure [kT/nm³]."""
        self._simulation.always_compute_pressure = True
        self._simulation.run(0)
        volume = float(np.prod(self._system.frame.configuration.box[:3]))
        trace = sum(float(np.sum(force.virials[:, [0, 3, 5]])) for force in self._pair_forces)
        return trace / (3 * volume)


def start(system: System, schedule: Schedule, seed: int, step: int, device: str) -> Hoomd:
    """Load a system."""
    return Hoomd(system, schedule, seed, step, device)
