"""LAMMPS as the embedded engine: the one that ``pip install`` gives.

Pair potentials are handed over as tables made from the model's own functions. The interface is a 12–6 wall whose
position is an equal-style variable of the step, so it moves every step.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supercrystal.engines.base import LAMMPS_MISSING, Availability
from supercrystal.errors import EngineError, SimulationError
from supercrystal.system import PairPotential, Schedule, System

if TYPE_CHECKING:
    import gsd.hoomd

SILENT = ("-log", "none", "-screen", "none", "-nocite")
#: Threads do not pay for films of thousands, and a second one that waits for a busy core costs a factor of five.
ONE_THREAD = ("-pk", "omp", "1")
#: Points of each pair table, splined in r²: forces agree with the functions to 1e-8, and the tables of many size
#: classes still fit the processor cache, which linear tables of that accuracy do not (2.5 times slower).
TABLE_POINTS = 2000
#: Tables start at this fraction of their range; no pair of a dense film comes near it.
TABLE_START = 0.45
#: Neighbour-list margin in diameters: in the 7 steps before the first check nothing moves half of it.
SKIN = 0.4


def _load_libraries() -> None:
    """Load what must be there before LAMMPS.

    freud first: LAMMPS carries the same Voronoi library and publishes its symbols to everything loaded later; freud would
    then call LAMMPS's and crash. Then the MPI library, which the lammps wheel links against but does not find by itself.
    """
    import freud  # noqa: F401

    for candidate in sorted(Path(sys.prefix, "lib").glob("libmpi.so.*"), reverse=True):
        ctypes.CDLL(str(candidate), mode=ctypes.RTLD_GLOBAL)
        return


def available() -> Availability:
    """Whether the lammps module loads and has what is needed."""
    if importlib.util.find_spec("lammps") is None:
        return Availability("lammps", False, None, LAMMPS_MISSING)
    try:
        _load_libraries()
        import lammps
    except (ImportError, OSError) as error:
        return Availability("lammps", False, None, f"{LAMMPS_MISSING} ({error})")
    return Availability("lammps", True, str(lammps.__version__), "embedded, one process, CPU only")


def _write_table(path: Path, potentials: tuple[PairPotential, ...]) -> float:
    """Write the sum of potentials as a table and return its cut-off [nm]."""
    r_cut = max(potential.r_cut for potential in potentials)
    r = np.sqrt(np.linspace((TABLE_START * r_cut) ** 2, r_cut**2, TABLE_POINTS))
    r[-1] = r_cut
    u = np.sum([potential.energy(r) for potential in potentials], axis=0)
    f = np.sum([potential.force(r) for potential in potentials], axis=0)
    rows = np.column_stack([np.arange(1, TABLE_POINTS + 1), r, u, f])
    with path.open("w") as file:
        file.write(f"PAIR\nN {TABLE_POINTS} RSQ {r[0]:.17g} {r[-1]:.17g}\n\n")
        np.savetxt(file, rows, fmt=["%d", "%.17g", "%.17g", "%.17g"])
    return r_cut


class Lammps:
    """A film in LAMMPS."""

    name = "lammps"
    device = "cpu"

    def __init__(self, system: System, schedule: Schedule, seed: int, step: int) -> None:
        _load_libraries()
        import lammps

        self._system, self._schedule, self._step = system, schedule, step
        self._count = int(system.frame.particles.N)
        self._fixes_changed = False
        self._lmp = lammps.lammps(cmdargs=[*SILENT, *ONE_THREAD])
        try:
            self._setup(seed)
        except Exception as error:
            raise EngineError(f"LAMMPS refused the system: {error}") from error

    def _setup(self, seed: int) -> None:
        system, particles = self._system, self._system.frame.particles
        box = np.asarray(system.frame.configuration.box, float)
        do = self._lmp.command
        types = len(system.types)
        low, high = -box[:3] / 2, box[:3] / 2
        for line in (
            "units lj",  # every quantity is passed as is: nm, kT, Brownian times
            "atom_style atomic",
            "atom_modify map array",
            "boundary p p f",  # walls may not stand in a periodic direction
            f"region cell block {low[0]} {high[0]} {low[1]} {high[1]} {low[2]} {high[2]} units box",
            f"create_box {types} cell",
            *(f"mass {i + 1} {float(particles.mass[particles.typeid == i][0]):.17g}" for i in range(types)),
            f"neighbor {SKIN * system.length} bin",
            "neigh_modify every 1 delay 7 check yes",
            f"timestep {system.timestep:.17g}",
            f"pair_style table spline {TABLE_POINTS}",
        ):
            do(line)
        with tempfile.TemporaryDirectory() as folder:
            for number, ((a, b), potentials) in enumerate(system.pairs.items()):
                path = Path(folder, f"{number}.table")
                r_cut = _write_table(path, potentials)
                i, j = sorted((system.types.index(a) + 1, system.types.index(b) + 1))
                do(f"pair_coeff {i} {j} {path} PAIR {r_cut:.17g}")
        self._lmp.create_atoms(
            self._count,
            list(range(1, self._count + 1)),
            [int(t) + 1 for t in particles.typeid],
            np.asarray(particles.position, float).ravel().tolist(),
            v=np.asarray(particles.velocity, float).ravel().tolist(),
        )
        do("fix move all nve")
        friction = [system.friction[name] for name in system.types]
        mass = float(particles.mass[0])
        scales = " ".join(f"scale {i + 1} {friction[0] / g:.17g}" for i, g in enumerate(friction))
        # LAMMPS takes the damping time m/γ; the seed differs after a resume, or the noise would repeat.
        noise = 1 + (seed * 7919 + self._step * 104729) % 899_999_999
        do(f"fix bath all langevin 1.0 1.0 {mass / friction[0]:.17g} {noise} {scales}")
        self._set_height()
        for i, name in enumerate(system.types):
            wall = system.film.walls[name]
            do(f"group type{i + 1} type {i + 1}")
            do(
                f"fix wall{i + 1} type{i + 1} wall/lj126 "
                f"zlo {system.film.substrate:.17g} {wall.epsilon:.17g} {wall.sigma:.17g} {wall.r_cut:.17g} "
                f"zhi v_interface {wall.epsilon:.17g} {wall.sigma:.17g} {wall.r_cut:.17g} units box"
            )
            do(f"fix_modify wall{i + 1} energy yes")
        do("compute virial all pressure NULL virial")
        do("thermo_style custom step pe c_virial")
        do("thermo 1000000000")
        do("thermo_modify norm no")
        do(f"reset_timestep {self._step}")
        do("run 0 post no")  # energies and forces are defined from here on

    def _set_height(self) -> None:
        """Give the interface its linear law from the step now to the next knot of the schedule."""
        knot = self._schedule.next_knot(self._step)
        now, then = self._schedule.height(self._step), self._schedule.height(knot)
        rate = (then - now) / (knot - self._step) if knot > self._step else 0.0
        z = self._system.film.substrate + now
        self._lmp.command(f"variable interface equal {z:.17g}+(step-{self._step})*({rate:.17g})")

    def _shrink(self, end: int) -> bool:
        """Let the sides of the cell go linearly to where the schedule has them at step `end`; tell if they change."""
        if self._schedule.side(end) == self._schedule.side(self._step):
            return False
        x, y = (side / 2 for side in self._schedule.side(end))
        self._lmp.command(
            f"fix shrink all deform 1 x final {-x:.17g} {x:.17g} y final {-y:.17g} {y:.17g} remap x units box"
        )
        return True

    def _command(self, line: str) -> Any:
        try:
            self._lmp.command(line)
        except Exception as error:
            raise SimulationError(
                f"LAMMPS stopped at step {self._step}: {error}. Too fast a drying is the usual reason: lower peclet"
            ) from error

    def run(self, steps: int) -> None:
        """Advance by `steps`, knot by knot of the schedule."""
        left = steps
        while left > 0:
            self._set_height()
            knot = self._schedule.next_knot(self._step)
            stretch = min(left, knot - self._step) if knot > self._step else left
            shrinks = self._shrink(self._step + stretch)
            # Without a set-up LAMMPS would still go by the fixes of the run before.
            setup = "yes" if shrinks or self._fixes_changed else "no"
            self._command(f"run {stretch} pre {setup} post no")
            if shrinks:
                self._command("unfix shrink")
            self._fixes_changed = shrinks
            self._step += stretch
            left -= stretch
        count = int(self._lmp.get_natoms())
        if count != self._count:
            raise SimulationError(
                f"LAMMPS lost {self._count - count} nanocrystals by step {self._step}: lower peclet"
            )

    def _gather(self, name: str, kind: int, width: int) -> NDArray[Any]:
        return np.ctypeslib.as_array(self._lmp.gather_atoms(name, kind, width)).reshape(-1, width).copy()

    def frame(self) -> gsd.hoomd.Frame:
        """Particles now, wrapped into the box."""
        import gsd.hoomd

        source = self._system.frame
        frame = gsd.hoomd.Frame()
        frame.configuration.step = self._step
        frame.configuration.dimensions = 3
        for attribute in ("N", "types", "typeid", "diameter", "mass"):
            setattr(frame.particles, attribute, getattr(source.particles, attribute))
        period = np.asarray(self._schedule.side(self._step))
        frame.configuration.box = [*period, *source.configuration.box[2:]]
        position = self._gather("x", 1, 3)
        image = self._gather("image", 0, 3)
        crossed = np.floor(position[:, :2] / period + 0.5).astype(int)
        position[:, :2] -= crossed * period
        image[:, :2] += crossed
        frame.particles.position = position
        frame.particles.image = image
        frame.particles.velocity = self._gather("v", 1, 3)
        return frame

    def _evaluate(self) -> None:
        """Compute forces and energies of the configuration now, without thermostat."""
        if self._lmp.has_id("fix", "bath"):
            self._command("unfix bath")
        self._set_height()
        self._command("run 0 post no")

    def forces(self) -> NDArray[np.float64]:
        """Conservative force on each particle [kT/nm]. The engine cannot run on afterwards."""
        self._evaluate()
        return self._gather("f", 1, 3)

    def potential_energy(self) -> float:
        """Pair and wall energy now [kT]."""
        return float(self._lmp.get_thermo("pe"))

    def virial_pressure(self) -> float:
        """Pair virial over three box volumes, the configurational pressure [kT/nm³]."""
        self._evaluate()
        return float(self._lmp.extract_compute("virial", 0, 0))


def start(system: System, schedule: Schedule, seed: int, step: int, device: str) -> Lammps:
    """Load a system."""
    return Lammps(system, schedule, seed, step)
