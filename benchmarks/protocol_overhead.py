"""What the package costs in every protocol: its own runs, and the same physics in a plain script of each engine.

The plain scripts contain no package code in their loops: each engine's own commands move the interface, shrink the cell,
raise gravity, the solvent's strength, the bath or the pressure, write a trajectory and log at the package's intervals.
Both sides start from the same nanocrystals, are timed from the first step to the last, and take turns; the ratio is that
of their medians. 864 oleate-capped PbS nanocrystals with 3 % dispersity, which makes five types, on one core. Time is
processor time, of which both engines use one thread: wall time on a shared machine would measure the others.

    python benchmarks/protocol_overhead.py [--repeats 5] [--steps 20000] [--engine lammps] [--protocol annealing]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # started as a file by mpiexec or a profiler
from cost_scaling import fluid

from supercrystal.engines import base
from supercrystal.engines import lammps_library as library
from supercrystal.interactions.mie import MieTail, with_minimum
from supercrystal.rundir import RunDirectory
from supercrystal.simulate import ROWS_PER_FRAME, marks, simulate
from supercrystal.system import Film, Schedule, System

#: Frames of a timed run; at 20,000 steps they are about twice as dense as in the example studies.
FRAMES = 10
CELLS = 6
WET, DRY = 0.35, 0.58  # volume fractions
POINTS = 2000  # of a plain script's tables, splined in LAMMPS: as many as the package takes
Lammps = Any
Hoomd = Any


@dataclass(frozen=True)
class Case:
    """A protocol as the package runs it, with what plain scripts do instead of the schedule."""

    name: str
    system: System
    schedule: Schedule


def cases(steps: int) -> dict[str, Case]:
    """Return one case for each protocol."""
    model, bulk = fluid(CELLS, WET, dispersity=0.03)
    _, dense = fluid(CELLS, 0.45, dispersity=0.03)
    side = float(bulk.frame.configuration.box[0])
    bottom = -side / 2 - bulk.length / 2
    height = side + bulk.length
    films = replace(bulk, film=Film(bottom, model.walls))
    films.frame.configuration.box = [side, side, height + 4 * bulk.r_cut, 0, 0, 0]
    half = steps // 2
    tails = {
        (a, b): (_tail((model.diameters[i] + model.diameters[j]) / 2),)
        for (i, a), (j, b) in itertools.combinations_with_replacement(enumerate(model.types), 2)
    }
    # `replace` shares the frame, so each periodic case takes its own.
    _, slow = fluid(CELLS, WET, dispersity=0.03)
    end = side * (WET / DRY) ** (1 / 3)
    unit = 1 / model.reference_diameter**3
    every = [
        Case(
            "drying film",
            films,
            Schedule((0, steps // 4, steps), heights=(height, height, height * WET / DRY)),
        ),
        Case("slow drying", slow, Schedule((0, steps), sides=((side,) * 3, (end,) * 3))),
        Case(
            "sedimentation",
            replace(films, weight=dict.fromkeys(model.types, 0.5 / model.reference_diameter)),
            Schedule((0, half, steps), heights=(height,) * 3, gravity=(0.0, 1.0, 1.0)),
        ),
        Case("destabilisation", replace(dense, solvent=tails), Schedule((0, steps), solvent=(0.0, 1.0))),
        Case("annealing", dense, Schedule((0, half, steps), temperature=(1.0, 1.5, 1.0))),
        Case("compression", dense, Schedule((0, steps), pressure=(5 * unit, 10 * unit))),
    ]
    return {case.name: case for case in every}


def _tail(contact: float) -> MieTail:
    """An attraction of 2 kT at contact that ends at 1.5 of it."""
    mie = with_minimum(2.0, contact, 24, 12)
    return MieTail(mie, r_cut=1.5 * contact, r_on=1.3 * contact)


def package(case: Case, engine: str, folder: Path) -> float:
    run = RunDirectory(folder / "run")
    run.create("benchmark")
    began = 0.0
    start = base.start

    def started(*arguments: Any, **rest: Any) -> base.Engine:
        nonlocal began
        loaded = start(*arguments, **rest)
        began = time.process_time()  # loading is not counted on the other side either
        return loaded

    with mock.patch.object(base, "start", started):
        simulate(
            run,
            case.system,
            case.schedule,
            base.choose(engine, "cpu"),
            seed=1,
            every=marks(case.schedule.total, FRAMES),
            quiet=True,
        )
    return case.schedule.total / (time.process_time() - began)


# LAMMPS


def _lammps_tables(
    lmp: Lammps, system: System, potentials: Mapping[Any, Any], kind: str, folder: Path
) -> None:
    for number, ((a, b), several) in enumerate(potentials.items()):
        path = folder / f"{kind or 'pair'}-{number}.table".replace(" ", "")
        r_cut = max(p.r_cut for p in several)
        r = np.linspace(0.5 * r_cut, r_cut, POINTS)
        rows = [
            np.arange(1, POINTS + 1),
            r,
            sum(p.energy(r) for p in several),
            sum(p.force(r) for p in several),
        ]
        with path.open("w") as file:
            file.write(f"PAIR\nN {POINTS} R {r[0]:.17g} {r[-1]:.17g}\n\n")
            np.savetxt(file, np.column_stack(rows), fmt=["%d", "%.17g", "%.17g", "%.17g"])
        i, j = sorted((system.types.index(a) + 1, system.types.index(b) + 1))
        lmp.command(f"pair_coeff {i} {j} {kind} {path} PAIR {r_cut:.17g}")


def plain_lammps(case: Case, folder: Path) -> float:
    library.load()
    import lammps

    system, schedule, particles = case.system, case.schedule, case.system.frame.particles
    total = schedule.total
    lmp = lammps.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite", "-pk", "omp", "1"])
    x, y, z = np.asarray(system.frame.configuration.box[:3]) / 2
    mass = float(particles.mass[0])
    lmp.commands_string(f"""
        units lj
        atom_style atomic
        boundary p p {"f" if system.film else "p"}
        region cell block {-x} {x} {-y} {y} {-z} {z}
        create_box {len(system.types)} cell
        mass * {mass}
        neighbor {0.4 * system.length} bin
        neigh_modify every 1 delay 7 check yes
        timestep {system.timestep}""")
    table = f"table spline {POINTS}"
    if system.solvent:
        lmp.command(f"variable strength equal ramp({schedule.solvent[0]},{schedule.solvent[-1]})")
        lmp.command(f"pair_style hybrid/scaled 1.0 {table} v_strength {table}")
        _lammps_tables(lmp, system, system.pairs, "table 1", folder)
        _lammps_tables(lmp, system, system.solvent, "table 2", folder)
    else:
        lmp.command(f"pair_style {table}")
        _lammps_tables(lmp, system, system.pairs, "", folder)
    lmp.create_atoms(
        len(particles.typeid), None, [int(t) + 1 for t in particles.typeid],
        np.asarray(particles.position, float).ravel().tolist(), v=np.asarray(particles.velocity, float).ravel().tolist(),
    )  # fmt: skip
    gamma = [system.friction[name] for name in system.types]
    scale = " ".join(f"scale {i + 1} {gamma[0] / g}" for i, g in enumerate(gamma))
    damping = mass / gamma[0]
    if schedule.pressure:
        lmp.command(
            f"fix move all nph iso {schedule.pressure[0]} {schedule.pressure[-1]} {1000 * system.timestep}"
        )
    else:
        lmp.command("fix move all nve")
    lmp.command(f"fix bath all langevin 1.0 1.0 {damping} 12345 {scale}")
    if system.film:
        bottom = system.film.substrate
        lmp.command(f"variable h equal {bottom + schedule.heights[0]}")
        for i, name in enumerate(system.types):
            w = system.film.walls[name]
            lmp.command(f"group t{i} type {i + 1}")
            lmp.command(
                f"fix w{i} t{i} wall/lj126 zlo {bottom} {w.epsilon} {w.sigma} {w.r_cut} "
                f"zhi v_h {w.epsilon} {w.sigma} {w.r_cut} units box"
            )
            lmp.command(f"fix_modify w{i} energy yes")
    if system.weight:
        lmp.command("variable g equal 0")
        for i, name in enumerate(system.types):
            lmp.command(f"variable g{i} equal -v_g*{system.weight[name]}")
            lmp.command(f"fix g{i} t{i} addforce 0 0 v_g{i}")
    lmp.command(
        f"dump d all custom {total // FRAMES} {folder / 'plain.dump'} id type x y z ix iy iz vx vy vz"
    )
    lmp.command(f"thermo {total // FRAMES // ROWS_PER_FRAME}")
    if schedule.sides:
        ends = " ".join(
            f"{axis} final {-s / 2} {s / 2}" for axis, s in zip("xyz", schedule.sides[-1], strict=True)
        )
        lmp.command(f"fix deform all deform 1 {ends} remap x units box")
    lmp.command("run 0")
    began = time.process_time()
    for k, (start, end) in enumerate(itertools.pairwise(schedule.steps)):
        if schedule.temperature:
            ends = f"{schedule.temperature[k]} {schedule.temperature[k + 1]}"
            lmp.command("unfix bath")
            lmp.command(f"fix bath all langevin {ends} {damping} 12345 {scale}")
        if system.film:
            lmp.command(
                f"variable h equal ramp({bottom + schedule.heights[k]},{bottom + schedule.heights[k + 1]})"
            )
        if system.weight:
            lmp.command(f"variable g equal ramp({schedule.gravity[k]},{schedule.gravity[k + 1]})")
        lmp.command(f"run {end - start}")
    return total / (time.process_time() - began)


# HOOMD-blue


def _hoomd_tables(nlist: Hoomd, potentials: Mapping[Any, Any]) -> tuple[Hoomd, dict[Any, Any]]:
    import hoomd

    table, params = hoomd.md.pair.Table(nlist), {}
    for pair, several in potentials.items():
        r_cut = max(p.r_cut for p in several)
        r = np.linspace(0.5 * r_cut, r_cut, POINTS, endpoint=False)
        params[pair] = r[0], sum(p.energy(r) for p in several), sum(p.force(r) for p in several)
        table.params[pair] = dict(zip(("r_min", "U", "F"), params[pair], strict=True))
        table.r_cut[pair] = r_cut
    return table, params


def plain_hoomd(case: Case, folder: Path) -> float:
    import hoomd

    system, schedule = case.system, case.schedule
    total, steps = schedule.total, schedule.steps
    simulation = hoomd.Simulation(device=hoomd.device.CPU(notice_level=0), seed=1)
    simulation.create_state_from_snapshot(system.frame)
    operations = simulation.operations
    nlist = hoomd.md.nlist.Cell(buffer=0.35 * system.length)
    mie = hoomd.md.pair.Mie(nlist, mode="shift")
    for pair, (shell,) in system.pairs.items():
        n = shell.exponent
        mie.params[pair] = {
            "epsilon": shell.epsilon,
            "sigma": shell.onset * 2 ** (-2 / n),
            "n": n,
            "m": n / 2,
        }
        mie.r_cut[pair] = shell.onset
    forces: list[Any] = [mie]

    def each(period: int, act: Callable[[int], None]) -> None:
        class Setting(hoomd.custom.Action):
            def act(self, timestep: int) -> None:
                act(timestep)

        trigger = hoomd.trigger.Periodic(period)
        operations.updaters.append(hoomd.update.CustomUpdater(action=Setting(), trigger=trigger))

    if system.film:
        bottom = system.film.substrate

        def plane(step: int) -> Any:
            z = bottom + float(np.interp(step, steps, schedule.heights))
            return hoomd.wall.Plane(origin=(0, 0, z), normal=(0, 0, -1))

        walls = hoomd.md.external.wall.LJ(
            walls=[hoomd.wall.Plane(origin=(0, 0, bottom), normal=(0, 0, 1)), plane(0)]
        )
        for name, w in system.film.walls.items():
            walls.params[name] = {
                "epsilon": w.epsilon, "sigma": w.sigma, "r_cut": w.r_cut, "r_extrap": 0.3 * w.sigma,
            }  # fmt: skip
        forces.append(walls)
        if len(set(schedule.heights)) > 1:

            def move(step: int) -> None:
                walls.walls[1] = plane(step)

            each(10, move)
    if system.weight:
        weights = hoomd.md.force.Constant(filter=hoomd.filter.All())

        def weigh(step: int) -> None:
            g = float(np.interp(step, steps, schedule.gravity))
            for name, weight in system.weight.items():
                weights.constant_force[name] = (0, 0, -g * weight)
                weights.constant_torque[name] = (0, 0, 0)

        weigh(0)
        forces.append(weights)
        each(100, weigh)
    if system.solvent:
        tail, params = _hoomd_tables(nlist, system.solvent)

        def strengthen(step: int) -> None:
            strength = float(np.interp(step, steps, schedule.solvent))
            for pair, (r_min, energy, force) in params.items():
                tail.params[pair] = {"r_min": r_min, "U": strength * energy, "F": strength * force}

        strengthen(0)
        forces.append(tail)
        each(100, strengthen)
    bath: Any = 1.0
    if schedule.temperature:
        cold, hot = schedule.temperature[:2]
        bath = hoomd.variant.Cycle(cold, hot, 0, 1, total // 2 - 1, 1, total // 2 - 1)
    if schedule.pressure:
        ramp = hoomd.variant.Ramp(schedule.pressure[0], schedule.pressure[-1], 0, total)
        thermostat = hoomd.md.methods.thermostats.Bussi(kT=bath, tau=1.0)
        method: Any = hoomd.md.methods.ConstantPressure(
            filter=hoomd.filter.All(),
            S=ramp,
            tauS=1000 * system.timestep,
            couple="xyz",
            thermostat=thermostat,
        )
    else:
        method = hoomd.md.methods.Langevin(filter=hoomd.filter.All(), kT=bath)
        for name, gamma in system.friction.items():
            method.gamma[name] = gamma
    if schedule.sides:
        start, end = (hoomd.Box(*sides) for sides in (schedule.sides[0], schedule.sides[-1]))
        box = hoomd.variant.box.Interpolate(start, end, hoomd.variant.Ramp(0, 1, 0, total))
        operations.updaters.append(
            hoomd.update.BoxResize(trigger=hoomd.trigger.Periodic(10), box=box, filter=hoomd.filter.All())
        )
    operations.integrator = hoomd.md.Integrator(dt=system.timestep, methods=[method], forces=forces)
    thermo = hoomd.md.compute.ThermodynamicQuantities(hoomd.filter.All())
    operations.computes.append(thermo)
    logger = hoomd.logging.Logger(categories=["scalar"])
    logger.add(thermo, quantities=["kinetic_temperature", "potential_energy", "pressure"])
    with (folder / "plain.txt").open("w") as output:
        operations.writers.extend([
            hoomd.write.GSD(
                hoomd.trigger.Periodic(total // FRAMES), str(folder / "plain.gsd"), mode="wb",
                dynamic=["property", "momentum", "particles/image"],
            ),
            hoomd.write.Table(hoomd.trigger.Periodic(total // FRAMES // ROWS_PER_FRAME), logger, output),
        ])  # fmt: skip
        simulation.run(0)
        began = time.process_time()
        simulation.run(total)
        return total / (time.process_time() - began)


PLAIN = {"lammps": plain_lammps, "hoomd": plain_hoomd}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--engine", choices=base.ENGINES, action="append")
    every = cases(20)
    parser.add_argument("--protocol", choices=every, action="append")
    arguments = parser.parse_args()

    every = cases(arguments.steps)
    names = arguments.protocol or list(every)
    engines = [name for name in arguments.engine or base.ENGINES if base.availability(name).usable]
    rates: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(arguments.repeats):
        for engine, name in itertools.product(engines, names):
            for side in ("package", "plain"):
                with tempfile.TemporaryDirectory() as folder:
                    rate = (
                        package(every[name], engine, Path(folder))
                        if side == "package"
                        else PLAIN[engine](every[name], Path(folder))
                    )
                rates.setdefault((engine, name, side), []).append(rate)
    for engine, name in itertools.product(engines, names):
        mine, plain = rates[engine, name, "package"], rates[engine, name, "plain"]
        each = [a / b for a, b in zip(mine, plain, strict=True)]
        print(
            f"| {engine} {base.availability(engine).version} | {name} | {statistics.median(mine):,.0f} | "
            f"{statistics.median(plain):,.0f} | {statistics.median(mine) / statistics.median(plain):.3f} "
            f"({min(each):.3f} to {max(each):.3f}) |"
        )


if __name__ == "__main__":
    main()
