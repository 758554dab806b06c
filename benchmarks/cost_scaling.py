"""What a step costs as the number of nanocrystals grows, on every engine that is here.

Oleate-capped PbS in toluene as a dense fluid, volume fraction 0.45 of OPM spheres, in a periodic cell: the shells tier
on one core, through the package's engines, without writing frames. Each size starts on an expanded fcc lattice, runs
until it has melted for the smaller sizes and as long as is affordable for the larger ones, and is then timed. Sizes and
engines take turns. Time is processor time of one thread: wall time on a shared machine would measure the others.

    python benchmarks/cost_scaling.py [--repeats 3] [--seconds 4] [--engine lammps] [--figure docs/figures/cost_scaling.png]
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from pathlib import Path

import gsd.hoomd
import numpy as np

from supercrystal import library
from supercrystal.engines import base
from supercrystal.models import shells
from supercrystal.models.model import Batch
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.system import Schedule, System

#: fcc cells along an edge: 864 to 97,556 nanocrystals.
CELLS = (6, 8, 10, 13, 17, 22, 29)
PACKING = 0.45
#: Particle-steps before timing.
WARM_UP = 5_000_000
SHORTEST_WARM_UP = 200
FOREVER = 10**9
PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)


def fluid(cells: int, packing: float = PACKING, dispersity: float = 0.0) -> tuple[shells.Model, System]:
    """Shells on an fcc lattice that is too thin to stay one."""
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    corners = np.array(list(np.ndindex(cells, cells, cells)))
    share = (corners[:, None] + basis).reshape(-1, 3) / cells
    model = shells.build([Batch("PbS", PBS, len(share), dispersity)], 298.15)
    side = (len(share) * math.pi / 6 * model.reference_diameter**3 / packing) ** (1 / 3)
    rng = np.random.default_rng(1)
    typeid = rng.permutation(np.repeat(np.arange(len(model.types)), model.counts))
    velocity = rng.normal(0, math.sqrt(1 / model.mass), share.shape)
    frame = gsd.hoomd.Frame()
    frame.configuration.box = [side, side, side, 0, 0, 0]
    frame.configuration.dimensions = 3
    frame.particles.N = len(share)
    frame.particles.types = list(model.types)
    frame.particles.typeid = typeid
    frame.particles.position = (share - 0.5) * side
    frame.particles.velocity = velocity - velocity.mean(axis=0)
    frame.particles.mass = np.full(len(share), model.mass)
    frame.particles.diameter = np.asarray(model.diameters)[typeid]
    return model, System(
        frame=frame,
        pairs=model.pairs,
        friction=model.friction,
        timestep=model.timestep,
        length=model.reference_diameter,
    )


def draw(costs: dict[str, dict[int, list[float]]], path: Path) -> None:
    """Nanoseconds of a particle-step against the number of particles: medians, and the range as bars."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from supercrystal.report.palette import ACCENT, FIGURE_STYLE, MODEL

    with rc_context(FIGURE_STYLE):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for (engine, sizes), colour, marker in zip(costs.items(), (ACCENT, MODEL), "os", strict=False):
            counts = sorted(sizes)
            middle = np.array([statistics.median(sizes[count]) for count in counts])
            low = middle - [min(sizes[count]) for count in counts]
            high = np.array([max(sizes[count]) for count in counts]) - middle
            axes.errorbar(
                counts, middle, (low, high), fmt=f"{marker}-", color=colour, label=engine, capsize=3
            )
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("nanocrystals")
        axes.set_ylabel("time of a step / nanocrystals (ns)")
        axes.grid(True)
        axes.legend()
        figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one timing")
    parser.add_argument("--engine", choices=base.ENGINES, action="append")
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()

    here = [name for name in arguments.engine or base.ENGINES if base.availability(name).usable]
    labels = {name: f"{name} {base.availability(name).version}" for name in here}
    costs: dict[str, dict[int, list[float]]] = {labels[name]: {} for name in here}
    for cells in CELLS:
        _, system = fluid(cells)
        count = int(system.frame.particles.N)
        running = {}
        for name in here:
            engine = base.start(base.choose(name, "cpu"), system, Schedule(steps=(0, FOREVER)), seed=1)
            engine.run(max(SHORTEST_WARM_UP, WARM_UP // count))
            began = time.process_time()
            engine.run(100)
            pace = (time.process_time() - began) / 100
            running[name] = engine, max(20, round(arguments.seconds / pace))
        for _ in range(arguments.repeats):
            for name, (engine, steps) in running.items():
                began = time.process_time()
                engine.run(steps)
                spent = time.process_time() - began
                costs[labels[name]].setdefault(count, []).append(1e9 * spent / steps / count)
        for name in here:
            each = costs[labels[name]][count]
            print(
                f"{count:>7,} {labels[name]}: {statistics.median(each):6.0f} ns a particle and step "
                f"({min(each):.0f} to {max(each):.0f}), {1e9 / statistics.median(each) / count:,.0f} steps/s",
                flush=True,
            )
        del running
    if arguments.figure:
        draw(costs, arguments.figure)


if __name__ == "__main__":
    main()
