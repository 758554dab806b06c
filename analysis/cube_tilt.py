"""Simple cubic or rhombohedral at kT: crystals of capped nanocubes in a cell that may tilt, against the thickness of shells.

    python analysis/cube_tilt.py [-o docs] [--runs DIRECTORY] [--only TEXT]

simulates 8.6 nm cubes under pressure with HOOMD-blue, which alone lets a cell of bodies tilt, from the simple cubic lattice
and from one sheared to angles of 82°, and writes ``data/cube-tilt.csv`` and ``figures/cube-tilt.png`` below the directory.
What each run went through is kept in the directory of runs; a run that is there is not repeated.

Rows and layers of cubes slide by lattice vectors, after which the edges of the cell are other vectors of the lattice than
they were. Angles are therefore those of the mean vectors to the neighbours across the faces of cubes. Their means say little
where a lattice sheared along one of its four diagonals goes over to another, which turns acute angles into obtuse ones by
twos. The product of their cosines stays: it is cos³α of the rhombohedral lattice whichever diagonal it is, and 0 on average
where right angles only fluctuate.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cube_shear import EDGE
from numpy.typing import ArrayLike, NDArray

from supercrystal import box, rigid, soundness, study
from supercrystal.engines import base
from supercrystal.models.model import Model, capped_edges
from supercrystal.packing.capped_cubes import corner_angle, densest_angle, rhombohedral
from supercrystal.report.palette import ACCENT, FIGURE_STYLE, MODEL, MUTED
from supercrystal.rundir import write_atomically
from supercrystal.solids.bodies import BodyCrystal
from supercrystal.solids.body_dynamics import system_of
from supercrystal.solids.crystal import Crystal
from supercrystal.solids.dynamics import mean
from supercrystal.solids.relaxation import cell_constants
from supercrystal.structure.face_lattice import face_lattice, turned_against
from supercrystal.structure.orientation import cubatic
from supercrystal.structure.stationarity import slope
from supercrystal.system import Schedule, System
from supercrystal.units import kpa_per_kt_nm3

Array = NDArray[np.float64]

#: Angle of the start that is not cubic [degrees].
ACUTE = 82.0
#: Pressure [kPa] of every start, and time in which it rises to that of the run [τ_B]: the work of a lattice that collapses
#: at once heats it to several kT.
FIRST, RAMP = 45.0, 5.0
#: Rows of a run's series, the share that is left out of its means, and blocks whose scatter gives their errors.
ROWS, DISCARDED, BLOCKS = 400, 0.5, 8
#: A lattice is said to be sheared as a whole where this share of the squared offsets of neighbours is in its vectors.
TOGETHER = 0.5
STUDY = """
name = "tilt"
seed = 1
engine = "hoomd"
solvent = "toluene"
[[nanocrystals]]
count = 27
grafting_density_per_nm2 = 3.0
ligand = "oleate"
shell_nm = {shell}
[nanocrystals.core]
material = "CsPbBr3"
shape = "cube"
edge_nm = {edge}
[model]
tier = "cubes"
{bodies}
[protocol]
kind = "compression"
pressure_kPa = [5.0, 45.0]
"""


@dataclass(frozen=True)
class Run:
    """One simulation.

    Args:
        per_edge: beads along an edge, of two shells' diameter; 0 for ALJ polyhedra.
        shell: thickness [nm].
        pressure: [kPa].
        start: angle of the starting cell [degrees].
        seed: of momenta and bath.
        time: length [τ_B].
        side: cubes along each edge of the cell.
    """

    per_edge: int
    shell: float
    pressure: float
    start: float
    seed: int
    time: float
    side: int = 3

    @property
    def name(self) -> str:
        """What its file is called."""
        kind = f"beads{self.per_edge}" if self.per_edge else "alj"
        return f"{kind}-t{self.shell:g}-p{self.pressure:g}-{self.start:g}deg-n{self.side}-s{self.seed}"

    def study(self) -> study.Study:
        """The study whose model it takes."""
        beads = f"bead_diameter_nm = {2 * self.shell}\nbeads_per_edge = {self.per_edge}"
        return study.parse(
            STUDY.format(shell=self.shell, edge=EDGE, bodies=beads if self.per_edge else 'bodies = "alj"')
        )


def system(run: Run, model: Model) -> System:
    """The crystal of a run as it starts."""
    (name,) = model.types
    contact = capped_edges(model.shapes[name])[0]
    # Rows of cubes with room between their faces press by kT over that room.
    first = FIRST / kpa_per_kt_nm3(run.study().temperature_K)
    across = contact + 1 / (first * contact**2)
    cell, turned = rhombohedral(across, run.start)
    one = BodyCrystal(Crystal(cell, np.zeros((1, 3)), (name,)), turned[None])
    made = system_of(one.repeated((run.side,) * 3), model, run.seed)
    if model.polyhedra:
        rigid.thermal(made.frame, model.polyhedra, np.random.default_rng([run.seed, 32]))
        assert model.site_diameter is not None
        made = dataclasses.replace(
            made, polyhedra=model.polyhedra, contacts=model.contacts, length=model.site_diameter
        )
    # HOOMD-blue keeps the momentum of the whole, and counts no degree of freedom for it.
    made.frame.particles.velocity = made.frame.particles.velocity - made.frame.particles.velocity.mean(axis=0)
    return made


def simulate(run: Run) -> dict[str, Any]:
    """Run it; the series of all rows, with what is to be known of model and engine."""
    asked = run.study()
    model = asked.build_model()
    made = system(run, model)
    pressure = run.pressure / kpa_per_kt_nm3(asked.temperature_K)
    steps = round(run.time / made.timestep)
    first = FIRST / kpa_per_kt_nm3(asked.temperature_K)
    schedule = Schedule(
        (0, round(RAMP / made.timestep), steps), pressure=(first, pressure, pressure), flexible="triclinic"
    )
    soundness.check(made, schedule)
    choice = base.choose("hoomd", "cpu", made)
    began = time.monotonic()
    engine = base.start(choice, made, schedule, run.seed)
    n = made.frame.particles.N
    start = np.asarray(made.frame.particles.position, float) @ np.linalg.inv(
        box.edges(made.frame.configuration.box)
    )
    rows: dict[str, list[Any]] = {}
    for mark in np.linspace(0, steps, ROWS + 1).astype(int)[1:]:
        engine.run(int(mark) - (rows["step"][-1] if rows else 0))
        frame = engine.frame()
        particles, cell = frame.particles, box.edges(frame.configuration.box)
        mass = rigid.properties(frame, made.turning)[0]
        share = np.asarray(particles.position, float) @ np.linalg.inv(cell) + particles.image
        for key, value in {
            "step": int(mark),
            "cell": cell,
            "moved": share - start,
            "orientation": rigid.orientations(frame),
            "energy": engine.potential_energy() / n,
            "virial": engine.virial_pressure(),
            "moving": float(np.sum(mass[:, None] * np.square(particles.velocity))) / (3 * (n - 1)),
            "turning": 2 * float(np.mean(rigid.rotational_energy(frame, made.turning))),
        }.items():
            rows.setdefault(key, []).append(value)
    known = {p.name: p.value for p in model.mapping}
    return {key: np.array(value) for key, value in rows.items()} | {
        "start": start,
        "timestep": made.timestep,
        "pressure": pressure,
        "contact": known["D"],
        "capped": float(model.nanocrystals[0].capped.volume),
        "q": known.get("q beads", known.get("q", math.nan)),
        "beads": known.get("beads", 0.0),
        "engine": f"HOOMD-blue {choice.version}",
        "seconds": time.monotonic() - began,
    }


def blocks(values: ArrayLike) -> tuple[float, float]:
    """Mean of a correlated series and its standard error: the larger of that of its blocks and of its correlation time."""
    x = np.asarray(values, float)
    parts = [part.mean() for part in np.array_split(x, BLOCKS)]
    return float(x.mean()), max(float(np.std(parts, ddof=1)) / math.sqrt(BLOCKS), mean(x)[1])


def drift(times: ArrayLike, values: ArrayLike) -> float:
    """Change of a series along its length by a straight line, over the standard error of that [-]."""
    rate, error, _ = slope(times, values)
    return rate / error


def angle_of(product: ArrayLike) -> Array:
    """Angle [degrees] of the rhombohedral lattice whose three cosines have this product."""
    return np.asarray(90.0 - np.degrees(np.arcsin(np.clip(np.cbrt(product), -1, 1))), float)


def measured(run: Run, series: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a table that a series makes."""
    keep = slice(round(DISCARDED * len(series["step"])), None)
    cells, turned = series["cell"][keep], series["orientation"][keep]
    times = series["step"][keep] * float(series["timestep"])
    n = run.side**3
    volume = np.abs(np.linalg.det(cells)) / n
    found = face_lattice(cells, series["moved"][keep] + series["start"], turned, float(series["contact"]))
    lengths, angles = (np.array(x) for x in zip(*(cell_constants(v) for v in found.vectors), strict=True))
    cosines = np.cos(np.radians(angles))
    products = np.prod(cosines, axis=1)
    product, error = blocks(products)
    kinetic = (series["moving"] + series["turning"])[keep] / 2
    total = series["virial"][keep] + (n - 1) / (n * volume)
    row: dict[str, Any] = {
        "bodies": "beads" if run.per_edge else "ALJ",
        "beads": int(series["beads"]),
        "shell_nm": run.shell,
        "q": round(float(series["q"]), 2),
        "pressure_kPa": run.pressure,
        "start_degrees": run.start,
        "seed": run.seed,
        "cubes": n,
        "steps": int(series["step"][-1]),
        "time_brownian": round(float(series["step"][-1] * series["timestep"]), 1),
        "kT": float(kinetic.mean()),
        "kT_error": blocks(kinetic)[1],
        "pressure_over_asked": float(total.mean() / series["pressure"]),
        "pressure_error": blocks(total)[1] / float(series["pressure"]),
    }
    for k, name in enumerate(("alpha", "beta", "gamma")):
        row[name], row[f"{name}_error"] = blocks(angles[:, k])
    low, high = (float(x) for x in angle_of([product + error, product - error]))
    row |= {
        "angle_of_product": float(angle_of(product)),
        "angle_low": low,
        "angle_high": high,
        "densest_angle": densest_angle(EDGE, run.shell),
        "corner_angle": corner_angle(EDGE, run.shell),
        "together": float(found.together.mean()),
        "aside_nm": float(found.aside.mean()),
        "edge_nm": float(lengths.mean()),
        "edge_error": blocks(lengths.mean(axis=1))[1],
        "edge_over_contact": float(lengths.mean() / series["contact"]),
        "filled": float(series["capped"] / volume.mean()),
        "lattice_over_cell": float(np.mean(np.abs(np.linalg.det(found.vectors)) / volume)),
        "cubatic": cubatic_mean(turned),
        "cubes_off_degrees": float(found.off.mean()),
        "cubes_turned_degrees": turned_against(found.vectors.mean(axis=0)),
        "drift_volume": drift(times, volume),
        "drift_product": drift(times, products),
        "engine": str(series["engine"]),
    }
    return row


def cubatic_mean(orientations: Array) -> float:
    """Cubatic order, as freud has it, over ten configurations (T, N, 4), evenly spread [-]."""
    chosen = np.unique(np.linspace(0, len(orientations) - 1, 10).astype(int))
    return float(np.mean([cubatic(orientations[i]).order for i in chosen]))


#: Beads along an edge, shell, pressure, time, cubes along an edge of the cell, and starts with their seeds. Where shells are
#: thin hollows are deep, so that more beads are taken.
SERIES: tuple[tuple[int, float, float, float, int, tuple[tuple[float, int], ...]], ...] = (
    (7, 1.5, 45.0, 15.0, 3, ((90.0, 1), (82.0, 2))),
    (5, 2.5, 45.0, 15.0, 3, ((90.0, 1), (82.0, 2))),
    (5, 4.5, 45.0, 12.0, 3, ((90.0, 1), (90.0, 3), (82.0, 2))),
    (7, 1.0, 100.0, 12.0, 3, ((90.0, 1), (82.0, 2))),
    (7, 1.5, 100.0, 15.0, 3, ((90.0, 1), (82.0, 2))),
    (6, 2.0, 100.0, 15.0, 3, ((90.0, 1), (82.0, 2))),
    (5, 2.5, 100.0, 15.0, 3, ((90.0, 1), (90.0, 3), (82.0, 2), (82.0, 5))),
    (5, 2.5, 100.0, 12.0, 4, ((90.0, 4),)),
    (5, 3.5, 100.0, 12.0, 3, ((90.0, 1), (82.0, 2))),
    (5, 4.5, 100.0, 12.0, 3, ((90.0, 1), (90.0, 3), (82.0, 2))),
    (5, 4.5, 100.0, 25.0, 3, ((90.0, 6),)),
    (7, 1.5, 200.0, 15.0, 3, ((90.0, 1), (82.0, 2))),
    (5, 2.5, 200.0, 15.0, 3, ((90.0, 1), (82.0, 2))),
    (0, 2.5, 45.0, 12.0, 4, ((90.0, 1),)),
    (0, 1.5, 100.0, 12.0, 4, ((90.0, 1),)),
    (0, 2.5, 100.0, 12.0, 4, ((90.0, 1), (90.0, 3), (82.0, 2))),
    (0, 1.0, 200.0, 10.0, 4, ((90.0, 1),)),
    (0, 1.5, 200.0, 15.0, 4, ((90.0, 1),)),
    (0, 1.5, 200.0, 12.0, 4, ((82.0, 2),)),
    (0, 1.5, 200.0, 20.0, 4, ((90.0, 3),)),
)
PLAN = tuple(
    Run(per_edge, shell, pressure, start, seed, time_, side)
    for per_edge, shell, pressure, time_, side, starts in SERIES
    for start, seed in starts
)
SHOWN = Run(5, 2.5, 100.0, 90.0, 3, 15.0)


def series_of(run: Run, folder: Path) -> dict[str, Any]:
    """What a run went through, from its file or by running it."""
    path = folder / f"{run.name}.npz"
    if path.exists():
        with np.load(path) as found:
            return dict(found)
    series = simulate(run)
    sink = io.BytesIO()
    np.savez_compressed(sink, **series)
    write_atomically(path, sink.getvalue())
    return series


def draw(rows: Sequence[Mapping[str, Any]], shown: Mapping[str, Any], title: str) -> bytes:
    """Angles, and how far the shear is one shear, against the shell; and the angles of one run against time.

    Args:
        rows: of the table.
        shown: series of that run.
        title: what it is.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    sink = io.BytesIO()
    hues = dict(zip(sorted({r["pressure_kPa"] for r in rows}), (ACCENT, "#009e73", MODEL), strict=False))
    marks = {("beads", True): "o", ("beads", False): "^", ("ALJ", True): "s", ("ALJ", False): "D"}
    with rc_context(FIGURE_STYLE):
        figure = Figure(figsize=(7.6, 5.2), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, width_ratios=[1.25, 1.0], height_ratios=[1.8, 1.0])
        angle, over = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
        together, legend = figure.add_subplot(grid[1, 0], sharex=angle), figure.add_subplot(grid[1, 1])
        shells = np.linspace(0.6, 4.8, 200)
        angle.plot(shells, [densest_angle(EDGE, t) for t in shells], color=MUTED, lw=1.2)
        angle.plot(shells, [corner_angle(EDGE, t) for t in shells], color=MUTED, lw=1.2, ls="--")
        angle.axhline(90, color=MUTED, lw=0.7, ls=":")
        for row in rows:
            mark = marks[row["bodies"], row["start_degrees"] == 90]
            nudge = {"o": -0.12, "^": -0.04, "s": 0.04, "D": 0.12}[mark]
            hue, value = hues[row["pressure_kPa"]], row["angle_of_product"]
            bars = [[value - row["angle_low"]], [row["angle_high"] - value]]
            style = {"marker": mark, "color": hue, "ms": 4.5, "mew": 1.0, "lw": 0.8}
            style["mfc"] = hue if row["together"] >= TOGETHER else "white"
            angle.errorbar(row["shell_nm"] + nudge, value, yerr=bars, **style)
            together.plot(row["shell_nm"] + nudge, row["together"], **style)
        together.axhline(TOGETHER, color=MUTED, lw=0.7, ls=":")
        together.set_ylim(0, 1.05)
        together.set_xlabel("shell (nm)")
        together.set_ylabel("sheared together")
        angle.set_ylabel("angle of the lattice (°)")
        series = face_lattice(
            shown["cell"], shown["moved"] + shown["start"], shown["orientation"], float(shown["contact"])
        )
        times = shown["step"] * float(shown["timestep"])
        angles = np.array([cell_constants(v)[1] for v in series.vectors])
        for k, (name, hue) in enumerate(zip("αβγ", (ACCENT, MODEL, "#009e73"), strict=True)):
            over.plot(times, angles[:, k], color=hue, lw=0.9, label=name)
        over.axhline(90, color=MUTED, lw=0.7, ls=":")
        over.set_xlabel("time (Brownian times)")
        over.set_ylabel("angles of the lattice (°)")
        over.set_title(title)
        over.legend(ncols=3)
        words = {
            "o": "beads, from 90°",
            "^": f"beads, from {ACUTE:g}°",
            "s": "ALJ, from 90°",
            "D": f"ALJ, from {ACUTE:g}°",
        }
        handles = [
            Line2D([], [], color=MUTED, lw=1.2, label="hard, edges touch (densest)"),
            Line2D([], [], color=MUTED, lw=1.2, ls="--", label="hard, corners touch"),
            *(Line2D([], [], color=hue, lw=2.5, label=f"{p:g} kPa") for p, hue in hues.items()),
            *(Line2D([], [], color=MUTED, ls="", marker=m, mfc="white", ms=4.5, label=w) for m, w in words.items()),
            Line2D([], [], color=MUTED, ls="", marker="o", ms=4.5, label=f"filled: together ≥ {TOGETHER:g}"),
        ]  # fmt: skip
        legend.axis("off")
        legend.legend(handles=handles, loc="center left", fontsize=8)
        figure.savefig(sink, dpi=160, format="png")
    return sink.getvalue()


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV."""
    sink = io.StringIO()
    out = csv.DictWriter(sink, list(rows[0]), lineterminator="\n")
    out.writeheader()
    for row in rows:
        out.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    return sink.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, write table and figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"))
    parser.add_argument("--runs", type=Path, default=Path("cube-tilt-runs"), help="where series are kept")
    parser.add_argument("--only", default="", help="runs whose names contain this; nothing else is done")
    asked = parser.parse_args(arguments)
    asked.runs.mkdir(parents=True, exist_ok=True)
    rows = []
    for run in PLAN:
        if asked.only in run.name:
            series = series_of(run, asked.runs)
            rows.append(measured(run, series))
            print(run.name, f"{float(series['seconds']):.0f} s", rows[-1], flush=True)
    if asked.only:
        return
    shown = f"{SHOWN.shell:g} nm shells, {SHOWN.pressure:g} kPa, from {SHOWN.start:g}°"
    for folder, name, content in (
        ("data", "cube-tilt.csv", table(rows).encode()),
        ("figures", "cube-tilt.png", draw(rows, series_of(SHOWN, asked.runs), shown)),
    ):
        (asked.output / folder).mkdir(parents=True, exist_ok=True)
        write_atomically(asked.output / folder / name, content)


if __name__ == "__main__":
    main()
