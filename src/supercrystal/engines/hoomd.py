"""HOOMD-blue, the reference engine: CPU or GPU, versions 4.8 to 7.

The shell goes over as the native Mie potential, any other pair potential as a table of the model's own functions. The
interface is a wall that a custom updater replaces every few steps; walls are immutable in HOOMD and have no variant. So
are gravity and the solvent's strength, every hundred steps. Under pressure the thermostat is Bussi's, because HOOMD has no
barostat with a Langevin bath: the ensemble is that of the LAMMPS adapter, the dynamics is not.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supercrystal import rigid
from supercrystal.engines import hoomd_bodies, hoomd_polyhedra
from supercrystal.engines.base import HOOMD_MISSING, STOPPED, Availability
from supercrystal.engines.hoomd_schedule import cell, updater
from supercrystal.engines.tables import tables
from supercrystal.errors import EngineError, SimulationError
from supercrystal.interactions.shell import Shell
from supercrystal.interactions.tabulation import Table
from supercrystal.ranks import launched, world
from supercrystal.system import Film, Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

#: Steps between two settings of the interface, unless it would jump further than `LARGEST_JUMP` wall diameters.
INTERFACE_PERIOD = 10
LARGEST_JUMP = 0.005
#: Below this fraction of its σ the wall's force stays constant instead of diverging: a particle that got there, or
#: beyond the plane, is pushed back instead of feeling nothing.
EXTRAPOLATION = 0.3
#: Steps between two settings of gravity.
RAMP_PERIOD = 100
#: Steps between two settings of the solvent's strength, whose tables take long to hand over, and settings in a run at most.
SOLVENT_PERIOD = 1000
SOLVENT_SETTINGS = 100
#: Points of these tables at most: every one is checked in Python when it is handed over.
SOLVENT_POINTS = 2**14
#: Relaxation time of the barostat in steps, and of the thermostat that goes with it [τ_B].
BAROSTAT_STEPS = 1000
THERMOSTAT_TIME = 1.0
#: Neighbour-list margin in diameters.
BUFFER = 0.35
WITHOUT_MPI = (
    "HOOMD-blue {version} is built without MPI, and mpiexec started {size} ranks: use --engine lammps, leave out mpiexec, "
    "or build HOOMD-blue with -DENABLE_MPI=on (conda-forge's has none)"
)
TOO_SMALL = (
    "HOOMD-blue cannot divide a cell of {sides} nm among {size} ranks: each one's part must be twice as wide as particles "
    "reach. Use fewer ranks, more nanocrystals, or --engine lammps ({said})"
)


def available() -> Availability:
    """Whether HOOMD imports, with which version, and whether it finds a GPU."""
    if importlib.util.find_spec("hoomd") is None:
        return Availability("hoomd", False, None, HOOMD_MISSING)
    try:
        import hoomd
        import hoomd.md
    except ImportError as error:
        return Availability("hoomd", False, None, f"HOOMD-blue does not import ({error}). {HOOMD_MISSING}")
    version = str(hoomd.version.version)
    if launched() > 1 and not hoomd.version.mpi_enabled:
        return Availability("hoomd", False, version, WITHOUT_MPI.format(version=version, size=launched()))
    gpu = bool(hoomd.device.GPU.is_available()) and len(hoomd.device.GPU.get_available_devices()) > 0
    build = "built for GPUs" if hoomd.version.gpu_enabled else "built for CPUs only"
    detail = f"{build}, {'GPU found' if gpu else 'no GPU found'}"
    return Availability("hoomd", True, version, detail, gpu)


class Hoomd:
    """A system in HOOMD-blue."""

    name = "hoomd"

    def __init__(self, system: System, schedule: Schedule, seed: int, step: int, device: str) -> None:
        import hoomd

        self.device = device
        self._system, self._schedule = system, schedule
        self._pressed = False
        self._ranks = world()
        make = hoomd.device.GPU if device == "gpu" else hoomd.device.CPU
        among = (
            {"communicator": hoomd.communicator.Communicator(self._ranks.comm)} if self._ranks.comm else {}
        )
        self._simulation = hoomd.Simulation(device=make(notice_level=0, **among), seed=seed % 65536)
        self._simulation.timestep = step
        if system.turning:
            self._create(hoomd_bodies.snapshot(system, self._simulation.device))
        else:
            self._create(system.frame)
        self._nlist = hoomd.md.nlist.Cell(buffer=BUFFER * system.length)
        if system.bodies:
            self._bodies = hoomd_bodies.constraint(system)
            self._bodies.create_bodies(self._simulation.state)
            self._nlist.exclusions = ("body",)
        self._contacts = hoomd_polyhedra.force(system)
        self._pair_forces, self._solvent = self._pairs()
        if self._contacts is not None:
            self._pair_forces.append(self._contacts)
        if self._solvent is not None:
            self._set_solvent(step)
            self._pair_forces.append(self._solvent)
        self._wall_force = self._walls()
        self._weights = self._weight_force()
        others = [force for force in (self._wall_force, self._weights) if force is not None]
        self._forces = [*self._pair_forces, *others]
        self._set_up_motion()
        try:
            self._simulation.run(0)
        except RuntimeError as error:
            if message := self._too_small(error):
                raise EngineError(message) from error
            raise

    def _too_small(self, error: RuntimeError) -> str | None:
        """What to say of a cell that HOOMD cannot divide among the ranks, if that is the error."""
        if "domain decomposition" not in str(error):
            return None
        sides = " × ".join(f"{side:.3g}" for side in self._simulation.state.box.L)
        said = " ".join(str(error).split())
        return TOO_SMALL.format(sides=sides, size=self._ranks.size, said=said)

    def _create(self, start: Any) -> None:
        # A film has most of its particles at one end: ranks share it side by side.
        domains = (None, None, 1 if self._system.film else None)
        self._simulation.create_state_from_snapshot(start, domains)

    def _pairs(self) -> tuple[list[Any], Any]:
        """Native Mie for the shells, a table for every other potential, and one that the solvent scales."""
        import hoomd

        forces = []
        mie = hoomd.md.pair.Mie(self._nlist, mode="shift")
        for types in self._every_pair():
            shells = [p for p in self._system.between(*types)[0] if isinstance(p, Shell)]
            if len(shells) > 1:
                raise EngineError(
                    f"the HOOMD adapter takes one shell for a pair of types; {types} has {len(shells)}"
                )
            for shell in shells:
                forces = [mie]
                mie.params[types] = {
                    "epsilon": shell.epsilon,
                    "sigma": shell.onset * 2 ** (-2 / shell.exponent),
                    "n": shell.exponent,
                    "m": shell.exponent / 2,
                }
                mie.r_cut[types] = shell.r_cut
            if not shells:
                mie.params[types] = {"epsilon": 0, "sigma": 1, "n": 12, "m": 6}
                mie.r_cut[types] = 0
        own, self._unscaled = tables(
            self._system,
            self._schedule,
            "linear",
            "r",
            lambda potential: isinstance(potential, Shell),
            most_scaled=SOLVENT_POINTS,
        )
        if own:
            forces.append(self._table(own))
        scaled = self._table(self._unscaled) if self._unscaled else None
        return forces, scaled

    def _every_pair(self) -> Iterator[tuple[str, str]]:
        return itertools.combinations_with_replacement(self._system.types, 2)

    def _table(self, found: Mapping[tuple[str, str], Table]) -> Any:
        import hoomd

        force = hoomd.md.pair.Table(self._nlist)
        for types in self._every_pair():
            table = found.get(types)
            if table is None:
                force.params[types] = {"r_min": 0, "U": [0], "F": [0]}
                force.r_cut[types] = 0
            else:
                force.params[types] = {"r_min": table.start, "U": table.energy, "F": table.force}
                force.r_cut[types] = table.r_cut
        return force

    def _set_solvent(self, step: int) -> None:
        strength = self._schedule.value("solvent", step)
        for types, table in self._unscaled.items():
            self._solvent.params[types] = {
                "r_min": table.start,
                "U": strength * table.energy,
                "F": strength * table.force,
            }

    def _walls(self) -> Any:
        import hoomd

        film = self._system.film
        if film is None:
            return None
        substrate = hoomd.wall.Plane(origin=(0, 0, film.substrate), normal=(0, 0, 1))
        force = hoomd.md.external.wall.LJ(walls=[substrate, self._plane(film, self._simulation.timestep)])
        for name in self._system.types:
            wall = film.walls.get(name) if name in self._system.mobile else None
            force.params[name] = {
                "epsilon": wall.epsilon if wall else 0.0,
                "sigma": wall.sigma if wall else 1.0,
                "r_cut": wall.r_cut if wall else 0.0,
                "r_extrap": EXTRAPOLATION * wall.sigma if wall else 0.0,
            }
        return force

    def _weight_force(self) -> Any:
        import hoomd

        if not any(self._system.weight.values()) or not self._schedule.gravity:
            return None
        force = hoomd.md.force.Constant(filter=self._filter())
        self._set_weights(force, self._simulation.timestep)
        return force

    def _set_weights(self, force: Any, step: int) -> None:
        gravity = self._schedule.value("gravity", step)
        for name in self._system.types:
            weight = 0.0 if name in self._system.fixed else self._system.weight.get(name, 0.0)
            force.constant_force[name] = (0.0, 0.0, -gravity * weight)
            force.constant_torque[name] = (0.0, 0.0, 0.0)

    def _filter(self) -> Any:
        import hoomd

        if self._system.bodies:
            return hoomd_bodies.moving(self._system)
        return hoomd.filter.Type(list(self._system.mobile)) if self._system.fixed else hoomd.filter.All()

    def _set_up_motion(self) -> None:
        import hoomd

        system, schedule = self._system, self._schedule
        operations = self._simulation.operations
        operations.integrator = hoomd.md.Integrator(dt=system.timestep, methods=[], forces=self._forces)
        operations.integrator.integrate_rotational_dof = bool(system.turning)
        if system.bodies:
            operations.integrator.rigid = self._bodies
        self._set_method()
        period = self._period()
        film = system.film
        if film is not None and len(set(schedule.heights)) > 1:
            operations.updaters.append(updater(lambda step: self._set_interface(film, step), period))
        if self._weights is not None and schedule.varies("gravity"):
            operations.updaters.append(
                updater(lambda step: self._set_weights(self._weights, step), RAMP_PERIOD)
            )
        if self._solvent is not None and schedule.varies("solvent"):
            period = max(SOLVENT_PERIOD, schedule.total // SOLVENT_SETTINGS)
            operations.updaters.append(updater(self._set_solvent, period))
        for start, end in itertools.pairwise(schedule.steps):
            # One trigger for each moving stretch, so that no cell under pressure is ever set.
            if schedule.side(start) and schedule.side(end) and schedule.side(start) != schedule.side(end):
                inside = (
                    hoomd.trigger.And(
                        [
                            hoomd.trigger.Periodic(period),
                            hoomd.trigger.After(start - 1),
                            hoomd.trigger.Before(end),
                        ]
                    )
                    if start > 0
                    else hoomd.trigger.And([hoomd.trigger.Periodic(period), hoomd.trigger.Before(end)])
                )
                last = hoomd.trigger.On(end)
                operations.updaters.append(
                    hoomd.update.BoxResize(
                        trigger=hoomd.trigger.Or([inside, last]),
                        box=cell(self._scheduled_box),
                        filter=hoomd.filter.All(),
                    )
                )

    def _scheduled_box(self, step: int) -> list[float]:
        sides = self._schedule.side(step)
        rest = self._system.frame.configuration.box[len(sides) :]
        return [*sides, *(float(x) for x in rest)]

    def _period(self) -> int:
        """Steps between two settings of interface and cell."""
        schedule = self._schedule
        film = self._system.film
        fastest = 0.0
        steps = np.diff(schedule.steps)
        if schedule.heights:
            fastest = float(np.max(np.abs(np.diff(schedule.heights)) / steps))
        if schedule.sides:
            moves = np.abs(np.diff(np.asarray(schedule.sides, float), axis=0)) / steps[:, None]
            fastest = max(fastest, float(np.nanmax(moves, initial=0.0)))
        smallest = min(wall.sigma for wall in film.walls.values()) if film else self._system.length / 2
        if fastest == 0:
            return INTERFACE_PERIOD
        return max(1, min(INTERFACE_PERIOD, int(LARGEST_JUMP * smallest / fastest)))

    def _ramp(self, name: str, step: int) -> Any:
        """The linear law that a quantity follows from the knot before `step` to the next one."""
        import hoomd

        knot, end = self._schedule.last_knot(step), self._schedule.next_knot(step)
        now, then = self._schedule.value(name, knot), self._schedule.value(name, end)
        if now == then or end <= knot:
            return hoomd.variant.Constant(now)
        return hoomd.variant.Ramp(A=now, B=then, t_start=knot, t_ramp=end - knot)

    def _set_method(self) -> None:
        """Let particles, and under pressure the cell, move on from the step now to the next knot."""
        import hoomd

        schedule, step = self._schedule, int(self._simulation.timestep)
        pressed, bath = schedule.under_pressure(step), self._ramp("temperature", step)
        methods = self._simulation.operations.integrator.methods
        stress = [self._ramp("pressure", step)] * 3 + [hoomd.variant.Constant(0)] * 3 if pressed else []
        if len(methods) and pressed == self._pressed:
            if pressed:
                methods[0].thermostat.kT, methods[0].S = bath, stress
            else:
                methods[0].kT = bath
            return
        self._pressed = pressed
        methods.clear()
        if not pressed:
            langevin = hoomd.md.methods.Langevin(filter=self._filter(), kT=bath)
            for name, friction in self._system.friction.items():
                langevin.gamma[name] = friction
            hoomd_bodies.set_friction(langevin, self._system)
            methods.append(langevin)
            return
        couple, freedom = {
            "isotropic": ("xyz", [True] * 3 + [False] * 3),
            "orthorhombic": ("none", [True] * 3 + [False] * 3),
            "triclinic": ("none", [True] * 6),
        }[schedule.flexible]
        methods.append(
            hoomd.md.methods.ConstantPressure(
                filter=self._filter(),
                S=stress,
                tauS=BAROSTAT_STEPS * self._system.timestep,
                couple=couple,
                box_dof=freedom,
                # Momentum is renewed as fast as the friction would do it, one Brownian time.
                thermostat=hoomd.md.methods.thermostats.Bussi(kT=bath, tau=THERMOSTAT_TIME),
            )
        )

    def _plane(self, film: Film, step: int) -> Any:
        import hoomd

        z = film.substrate + self._schedule.height(step)
        return hoomd.wall.Plane(origin=(0, 0, z), normal=(0, 0, -1))

    def _set_interface(self, film: Film, step: int) -> None:
        self._wall_force.walls[1] = self._plane(film, step)

    def run(self, steps: int) -> None:
        """Advance by `steps`, knot by knot of the schedule."""
        end = self._simulation.timestep + steps
        while self._simulation.timestep < end:
            step = int(self._simulation.timestep)
            knot = self._schedule.next_knot(step)
            try:
                if step == self._schedule.last_knot(step):
                    self._set_method()
                self._simulation.run(min(end, knot if knot > step else end) - step)
            except RuntimeError as error:
                why = self._too_small(error) or f"{error}. {STOPPED}"
                raise SimulationError(f"HOOMD stopped at step {self._simulation.timestep}: {why}") from error

    def frame(self) -> gsd.hoomd.Frame:
        """Particles now, wrapped into the box."""
        snapshot = self._simulation.state.get_snapshot()
        return self._ranks.first(lambda: self._frame(snapshot))  # which has the particles of all

    def _frame(self, snapshot: Any) -> gsd.hoomd.Frame:
        import gsd.hoomd

        source = self._system.frame
        frame = gsd.hoomd.Frame()
        frame.configuration.step = int(self._simulation.timestep)
        frame.configuration.box = snapshot.configuration.box
        frame.configuration.dimensions = 3
        for attribute in ("N", "types", "typeid", "diameter", "mass"):
            setattr(frame.particles, attribute, getattr(source.particles, attribute))
        for attribute in ("position", "velocity", "image"):
            # behind the centres and free particles stand the beads
            setattr(
                frame.particles,
                attribute,
                np.array(getattr(snapshot.particles, attribute)[: source.particles.N]),
            )
        if self._system.turning:
            frame.particles.mass = rigid.properties(source, self._system.turning)[0]
            hoomd_bodies.read(frame, snapshot.particles)
        return frame

    def forces(self) -> NDArray[np.float64]:
        """Conservative force on each particle [kT/nm]."""
        return self._on_bodies()[0]

    def torques(self) -> NDArray[np.float64]:
        """Conservative torque on each body about its centre [kT]."""
        return self._on_bodies()[1]

    def _on_bodies(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        self._simulation.run(0)
        every = self._sum([force.forces for force in self._forces])
        total, torques = rigid.collect(
            every, rigid.beads(self.frame(), self._system.bodies), self._system.frame.particles.N
        )
        if self._contacts is not None:
            torques += self._sum([self._contacts.torques])[: len(torques)]
        return total, torques

    def _sum(self, parts: list[Any]) -> NDArray[np.float64]:
        """Sum of arrays over all particles, of which HOOMD gives each to the first rank only."""
        return self._ranks.first(lambda: np.sum(parts, axis=0))

    def potential_energy(self) -> float:
        """Pair and wall energy now [kT]."""
        walls = [] if self._wall_force is None else [self._wall_force]
        return float(sum(force.energy for force in (*self._pair_forces, *walls)))

    def virial_pressure(self) -> float:
        """Pair virial over three box volumes, the configurational pressure [kT/nm³]."""
        self._simulation.always_compute_pressure = True
        self._simulation.run(0)
        self._simulation.always_compute_pressure = False  # or every step to come would pay for it
        volume = float(self._simulation.state.box.volume)
        virials = self._sum([force.virials for force in self._pair_forces])
        trace = float(np.sum(virials[:, [0, 3, 5]]))
        if self._system.bodies:
            every = self._sum([force.forces for force in self._pair_forces])
            found = rigid.beads(self.frame(), self._system.bodies)
            trace -= rigid.inner_virial(every, found, self._system.frame.particles.N)
        return trace / (3 * volume)


def start(system: System, schedule: Schedule, seed: int, step: int, device: str) -> Hoomd:
    """Load a system."""
    return Hoomd(system, schedule, seed, step, device)
