"""How much sooner two ranks are done than one, through the package's engine under mpiexec.

The dense PbS fluid of `cost_scaling.py`, in LAMMPS or a HOOMD-blue that was built with MPI. One and two ranks take turns;
each process warms up, then times the same number of steps between two barriers. Given are medians of wall time, the speed-up
in it, and the processor time of all ranks together; that counts waiting for each other too, because MPI waits with a busy
core. On a machine with other work, a rank may wait long for another that waits for its core: `--real-time` (root) takes the
cores from others while it measures.

    python benchmarks/mpi_speedup.py [--ranks 2] [--repeats 5] [--seconds 4] [--cells 6 10 17]
                                     [--engine lammps] [--real-time]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # started as a file by mpiexec
from cost_scaling import FOREVER, fluid

from supercrystal.engines import base
from supercrystal.ranks import launcher, world
from supercrystal.system import Schedule

#: fcc cells along an edge: 864, 4,000 and 19,652 nanocrystals.
CELLS = (6, 10, 17)
#: Rate of one rank, to choose the number of steps by [particle-steps/s].
RATE = 4e6
WARM_UP = 0.25  # of the timed steps


@contextlib.contextmanager
def undisturbed(asked: bool) -> Iterator[None]:
    """Run before all other work of the machine."""
    if asked:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    yield
    if asked:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def timed(engine_name: str, cells: int, steps: int, real_time: bool) -> dict[str, Any]:
    """Wall and processor time of `steps` steps on all ranks that mpiexec started."""
    ranks = world()
    _, system = fluid(cells)
    engine = base.start(base.choose(engine_name, "cpu"), system, Schedule((0, FOREVER)), seed=1)
    with undisturbed(real_time):
        engine.run(int(WARM_UP * steps))
        if ranks.comm:
            ranks.comm.Barrier()
        wall, cpu = time.perf_counter(), time.process_time()
        engine.run(steps)
        if ranks.comm:
            ranks.comm.Barrier()
        mine = (time.perf_counter() - wall, time.process_time() - cpu)
    every = ranks.comm.gather(mine) if ranks.comm else [mine]
    if not ranks.leads:
        return {}
    return {"wall_s": max(w for w, _ in every), "cpu_s": sum(c for _, c in every)}


def launched(count: int, engine: str, cells: int, steps: int, real_time: bool) -> dict[str, float]:
    """One timed run on `count` ranks."""
    command = [launcher(), "-n", str(count), sys.executable, __file__, "--engine", engine]
    command += ["--one", str(cells), str(steps)]
    command += ["--real-time"] if real_time else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a run on one rank, about")
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS)
    parser.add_argument("--engine", choices=("lammps", "hoomd"), default="lammps")
    parser.add_argument("--real-time", action="store_true", help="take the cores from other work")
    parser.add_argument("--one", type=int, nargs=2, metavar=("CELLS", "STEPS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        found = timed(asked.engine, *asked.one, asked.real_time)
        if found:
            print(json.dumps(found))
        return
    for cells in asked.cells:
        count = 4 * cells**3
        steps = max(100, int(asked.seconds * RATE / count))
        found: dict[int, list[dict[str, float]]] = {1: [], asked.ranks: []}
        loads = []
        for _ in range(asked.repeats):
            for number, runs in found.items():
                loads.append(os.getloadavg()[0])
                runs.append(launched(number, asked.engine, cells, steps, asked.real_time))
        middle = {
            number: {key: statistics.median(run[key] for run in runs) for key in ("wall_s", "cpu_s")}
            for number, runs in found.items()
        }
        pairs = [one["wall_s"] / many["wall_s"] for one, many in zip(*found.values(), strict=True)]
        one, many = middle.values()
        print(
            f"{count:,} nanocrystals, {steps:,} steps: one rank {one['wall_s']:.2f} s (processor {one['cpu_s']:.2f} s), "
            f"{asked.ranks} ranks {many['wall_s']:.2f} s (processor {many['cpu_s']:.2f} s): speed-up "
            f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f}); "
            f"load {min(loads):.1f} to {max(loads):.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
