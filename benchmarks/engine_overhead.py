"""What the package costs: the default study through it, and the same physics in a plain script of each engine.

The plain scripts below contain no package code in their loops: each engine's own commands move the interface, write a
trajectory and log at the package's intervals. Both sides start from the same placed nanocrystals, are timed from the
first step to the last, and take turns; the ratio is that of their medians.

    python benchmarks/engine_overhead.py [--repeats 3] [--speedup 5] [--engine lammps]

`--speedup` dries the film that many times faster, so that a repeat takes seconds; 1 is the default study itself.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from supercrystal import study as studies
from supercrystal.engines import base
from supercrystal.engines import lammps as adapter
from supercrystal.run import Prepared, prepare
from supercrystal.rundir import RunDirectory
from supercrystal.simulate import ROWS_PER_FRAME, simulate

EXAMPLE = Path(__file__).parents[1] / "examples" / "drying-pbs-oleate.toml"


def package(prepared: Prepared, engine: str, folder: Path) -> float:
    run = RunDirectory(folder / "run")
    run.create("benchmark")
    choice = base.choose(engine)
    work = simulate(
        run,
        prepared.system,
        prepared.schedule,
        choice,
        seed=1,
        frames=prepared.study.protocol.frames,
        quiet=True,
    )
    return work["steps"] / work["wall_s"]


def plain_lammps(prepared: Prepared, folder: Path) -> float:
    adapter._load_libraries()
    import lammps

    system, schedule, particles = prepared.system, prepared.schedule, prepared.system.frame.particles
    frame_every = schedule.total // prepared.study.protocol.frames
    box = np.asarray(system.frame.configuration.box) / 2
    lmp = lammps.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite", "-pk", "omp", "1"])
    substrate = system.film.substrate
    lmp.commands_string(f"""
        units lj
        atom_style atomic
        boundary p p f
        region cell block {-box[0]} {box[0]} {-box[1]} {box[1]} {-box[2]} {box[2]}
        create_box {len(system.types)} cell
        mass * {float(particles.mass[0])}
        neighbor {adapter.SKIN * system.length} bin
        neigh_modify every 1 delay 7 check yes
        timestep {system.timestep}
        pair_style table spline {adapter.TABLE_POINTS}""")
    for number, ((a, b), potentials) in enumerate(system.pairs.items()):
        path = folder / f"{number}.table"
        r_cut = adapter._write_table(path, potentials)
        i, j = sorted((system.types.index(a) + 1, system.types.index(b) + 1))
        lmp.command(f"pair_coeff {i} {j} {path} PAIR {r_cut:.17g}")
    lmp.create_atoms(
        len(particles.typeid), None, [int(t) + 1 for t in particles.typeid],
        np.asarray(particles.position, float).ravel().tolist(), v=np.asarray(particles.velocity, float).ravel().tolist(),
    )  # fmt: skip
    gamma = [system.friction[name] for name in system.types]
    scale = " ".join(f"scale {i + 1} {gamma[0] / g}" for i, g in enumerate(gamma))
    lmp.command("fix move all nve")
    lmp.command(f"fix bath all langevin 1.0 1.0 {float(particles.mass[0]) / gamma[0]} 12345 {scale}")
    lmp.command(f"variable h equal {substrate + schedule.heights[0]}")
    for i, name in enumerate(system.types):
        w = system.film.walls[name]
        lmp.command(f"group t{i} type {i + 1}")
        lmp.command(
            f"fix w{i} t{i} wall/lj126 zlo {substrate} {w.epsilon} {w.sigma} {w.r_cut} "
            f"zhi v_h {w.epsilon} {w.sigma} {w.r_cut} units box"
        )
        lmp.command(f"fix_modify w{i} energy yes")
    lmp.command(f"dump d all custom {frame_every} {folder / 'plain.dump'} id type x y z ix iy iz vx vy vz")
    lmp.command(f"thermo {frame_every // ROWS_PER_FRAME}")
    lmp.command("run 0")
    began = time.monotonic()
    knots = list(zip(schedule.steps, schedule.heights, strict=True))
    for (s0, h0), (s1, h1) in itertools.pairwise(knots):
        lmp.command(f"variable h equal {substrate + h0}+(step-{s0})*{(h1 - h0) / (s1 - s0)}")
        lmp.command(f"run {s1 - s0}")
    return schedule.total / (time.monotonic() - began)


def plain_hoomd(prepared: Prepared, folder: Path) -> float:
    import hoomd

    system, schedule = prepared.system, prepared.schedule
    frame_every = schedule.total // prepared.study.protocol.frames
    substrate = system.film.substrate
    simulation = hoomd.Simulation(device=hoomd.device.CPU(notice_level=0), seed=1)
    simulation.create_state_from_snapshot(system.frame)
    mie = hoomd.md.pair.Mie(hoomd.md.nlist.Cell(buffer=0.35 * system.length), mode="shift")
    for pair, (shell,) in system.pairs.items():
        n = shell.exponent
        mie.params[pair] = {
            "epsilon": shell.epsilon,
            "sigma": shell.onset * 2 ** (-2 / n),
            "n": n,
            "m": n / 2,
        }
        mie.r_cut[pair] = shell.onset
    steps, heights = schedule.steps, schedule.heights

    def plane(step: int) -> hoomd.wall.Plane:
        z = substrate + float(np.interp(step, steps, heights))
        return hoomd.wall.Plane(origin=(0, 0, z), normal=(0, 0, -1))

    walls = hoomd.md.external.wall.LJ(
        walls=[hoomd.wall.Plane(origin=(0, 0, substrate), normal=(0, 0, 1)), plane(0)]
    )
    for name, w in system.film.walls.items():
        walls.params[name] = {
            "epsilon": w.epsilon,
            "sigma": w.sigma,
            "r_cut": w.r_cut,
            "r_extrap": 0.3 * w.sigma,
        }

    class Move(hoomd.custom.Action):
        def act(self, timestep: int) -> None:
            walls.walls[1] = plane(timestep)

    langevin = hoomd.md.methods.Langevin(filter=hoomd.filter.All(), kT=1.0)
    for name, gamma in system.friction.items():
        langevin.gamma[name] = gamma
    simulation.operations.integrator = hoomd.md.Integrator(
        dt=system.timestep, methods=[langevin], forces=[mie, walls]
    )
    simulation.operations.updaters.append(
        hoomd.update.CustomUpdater(action=Move(), trigger=hoomd.trigger.Periodic(10))
    )
    thermo = hoomd.md.compute.ThermodynamicQuantities(hoomd.filter.All())
    simulation.operations.computes.append(thermo)
    logger = hoomd.logging.Logger(categories=["scalar"])
    logger.add(thermo, quantities=["kinetic_temperature", "potential_energy"])
    with (folder / "plain.txt").open("w") as output:
        simulation.operations.writers.extend([
            hoomd.write.GSD(
                hoomd.trigger.Periodic(frame_every), str(folder / "plain.gsd"), mode="wb",
                dynamic=["property", "momentum", "particles/image"],
            ),
            hoomd.write.Table(hoomd.trigger.Periodic(frame_every // ROWS_PER_FRAME), logger, output),
        ])  # fmt: skip
        simulation.run(0)
        began = time.monotonic()
        simulation.run(schedule.total)
        return schedule.total / (time.monotonic() - began)


PLAIN = {"lammps": plain_lammps, "hoomd": plain_hoomd}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--speedup", type=float, default=5.0)
    parser.add_argument("--engine", choices=base.ENGINES, action="append")
    arguments = parser.parse_args()

    study, _ = studies.load(EXAMPLE)
    fast = {
        "peclet": study.protocol.peclet * arguments.speedup,
        "hold_brownian_times": study.protocol.hold_brownian_times / arguments.speedup,
        "frames": max(10, round(study.protocol.frames / arguments.speedup)),
    }
    prepared = prepare(study.model_copy(update={"protocol": study.protocol.model_copy(update=fast)}))
    print(
        f"{study.name}: {prepared.schedule.total:,} steps, {arguments.repeats} repeats, package and plain in turn"
    )
    for engine in arguments.engine or base.ENGINES:
        found = base.availability(engine)
        if not found.usable:
            print(f"{engine}: not here, not measured")
            continue
        rates: dict[str, list[float]] = {"package": [], "plain": []}
        for _ in range(arguments.repeats):
            with tempfile.TemporaryDirectory() as folder:
                rates["package"].append(package(prepared, engine, Path(folder)))
            with tempfile.TemporaryDirectory() as folder:
                rates["plain"].append(PLAIN[engine](prepared, Path(folder)))
        ratio = statistics.median(rates["package"]) / statistics.median(rates["plain"])
        each = [a / b for a, b in zip(rates["package"], rates["plain"], strict=True)]
        print(
            f"{engine} {found.version}: package {statistics.median(rates['package']):,.0f} steps/s, plain "
            f"{statistics.median(rates['plain']):,.0f} steps/s, ratio {ratio:.3f} "
            f"(each repeat: {', '.join(f'{r:.3f}' for r in each)})"
        )


if __name__ == "__main__":
    main()
