"""CsPbBr₃ cubes with larger spheres: packing, lattice constants and survival of NaCl, CsCl, AlB₂ and ABO₃ against γ.

    python analysis/cubes_with_spheres.py [--static] [-o docs]

writes ``data/cubes-with-spheres.csv`` and ``figures/cubes-with-spheres.png`` below the directory. γ is the edge of the cubes
over the diameter of the spheres, shells of both included. Each candidate is relaxed at T = 0 (`solids.body_relaxation`);
some are simulated at kT with LAMMPS (`solids.body_dynamics`). Drawn beside them are rigid cubes with sharp edges
(`packing.cubes`), hard spheres in place of the cubes (`packing.hard`), and ABO₃ of cubes that give way.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

from supercrystal.engines import base
from supercrystal.errors import PhysicsError
from supercrystal.models import cubes as tier
from supercrystal.models.model import Batch, Model
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.packing import cubes, hard
from supercrystal.report.palette import FIGURE_STYLE, INK, MUTED
from supercrystal.rundir import write_atomically
from supercrystal.shapes import cube
from supercrystal.solids import body_dynamics
from supercrystal.solids.bodies import Matter
from supercrystal.solids.body_candidates import axes, candidates, place, rectangular, sizes
from supercrystal.solids.body_comparison import BodySettings, compare, examine, packing_fractions
from supercrystal.solids.body_relaxation import rest_as_named

OLEATE, GRAFTING, TEMPERATURE = Ligand("oleate", 18, 1), 3.0, 298.15  # –, nm⁻², K
EDGES = (5.3, 8.6)  # nm
#: Where all candidates are relaxed, and where ABO₃ and NaCl of the finest beads are.
GAMMAS = (0.30, 0.35, 0.40, 0.43, 0.45, 0.50, 0.60, 0.70)
FINE = (0.40, 0.414, 0.43, 0.44, 0.45, 0.475, 0.50, 0.55)
PHASES = ("ABO3", "NaCl", "AlB2", "CsCl")
#: P D³ of cubes of capped edge D: where crystals are compared and simulated, and where shells are hardly pressed [kT].
WORK, GENTLE = 40.0, 2.0
#: γ, time [τ_B] and particles of what is simulated.
SIMULATED, TIME, PARTICLES, SEED = (0.35, 0.43, 0.50, 0.60), 3.0, 64, 1
#: Ternary ABO₃: γ of the cubes on O, edges of PbS cores on B and what is cut off their corners [nm].
FACE, BODIES, CUT = 0.40, (3.5, 5.3, 7.0), 1.0
COLOURS = {"ABO3": "#0072b2", "NaCl": "#d55e00", "AlB2": "#009e73", "CsCl": "#cc79a7"}
COLUMNS = (
    *(
        "kind",
        "edge_nm",
        "shell_nm",
        "beads",
        "q_beads",
        "q_capped",
        "gamma",
        "gamma_b",
        "sphere_core_nm",
        "sphere_nm",
    ),
    *(
        "work_kT",
        "phase",
        "orientation",
        "a_nm",
        "c_nm",
        "a_over_d",
        "eta_capped",
        "eta_sharp",
        "rigid_a_over_d",
    ),
    *(
        "rigid_eta",
        "hard_sphere_eta",
        "enthalpy_kT",
        "above_apart_kT",
        "stays_at_T0",
        "change",
        "survived",
        "end",
    ),
    *("steps", "time_brownian", "particles", "a_at_kT_nm"),
)


def sphere(effective: float) -> Nanocrystal:
    """The iron oxide sphere whose diameter with its oleate shell is as given [nm]."""

    def made(core: float) -> Nanocrystal:
        return Nanocrystal(Core("Fe2O3", core), OLEATE, GRAFTING)

    core = brentq(lambda x: x + 2 * made(x).shell_thickness - effective, 0.2 * effective, effective)
    return made(float(core))


def mixture(
    edge: float, gamma: float, settings: tier.Settings | None = None, body: float | None = None
) -> Model:
    """Cubes of an edge [nm] with spheres at a size ratio, and with truncated PbS cuboids if `body` is their edge."""
    nanocube = Nanocrystal(Core.of("CsPbBr3", cube(edge)), OLEATE, GRAFTING)
    d = (edge + 2 * nanocube.shell_thickness) / gamma
    batches = [Batch("sphere", sphere(d), 1), Batch("cube", nanocube, 4 if body is None else 3)]
    if body is not None:
        batches.append(Batch("PbS", Nanocrystal(Core.of("PbS", cube(body, CUT)), OLEATE, GRAFTING), 1))
    return tier.build(batches, TEMPERATURE, settings or tier.Settings())


def described(model: Model, edge: float, gamma: float) -> dict[str, Any]:
    """What a row says about its particles."""
    known = {p.name: p.value for p in model.mapping if p.pair == ("cube", "cube")}
    return {
        "edge_nm": edge,
        "shell_nm": known["t"],
        "beads": int(known["beads"]),
        "q_beads": known["q beads"],
        "q_capped": known["q capped"],
        "gamma": gamma,
        "sphere_core_nm": model.nanocrystals[0].core.diameter_nm,
        "sphere_nm": model.diameters[0],
    }


def predicted(phase: str, orientation: str, gamma: float) -> dict[str, float]:
    """Rigid cubes, and hard spheres of the cubes' edge as diameter, in this phase."""
    rigid = cubes.solve(phase, gamma, orientation)
    return {
        "rigid_a_over_d": float(rigid.constants["a"]),
        "rigid_eta": float(rigid.eta),
        "hard_sphere_eta": float(hard.packing_fraction(phase, gamma)),
    }


def relaxed(edge: float, gamma: float) -> Iterator[dict[str, Any]]:
    """All candidates of one mixture at T = 0, and separate crystals as what they are held against."""
    model = mixture(edge, gamma)
    pressure = WORK / sizes(model)["cube"] ** 3
    counts = {"sphere": 1, "cube": 4}
    found = compare(PHASES, model, counts, BodySettings(pressure, dynamics=False, seed=SEED), None)
    apart = {e.candidate.types["A"]: e.fallen for e in found.entries if len(e.candidate.types) == 1}
    for entry, row in zip(found.entries, found.to_dict()["candidates"], strict=True):
        static, free = row["static"], row["free_of_symmetry"]
        if static is None or len(row["types"]) == 1:
            continue
        separate = sum(share * apart[name] for name, share in row["composition"].items())
        hexagonal = row["phase"] == "AlB2"
        yield (
            described(model, edge, gamma)
            | predicted(row["phase"], row["orientation"], gamma)
            | {
                "kind": "binary",
                "work_kT": WORK,
                "phase": row["phase"],
                "orientation": row["orientation"],
                "a_nm": static["lengths_nm"][0],
                "c_nm": static["lengths_nm"][2] if hexagonal else None,
                "a_over_d": static["lengths_nm"][0] / model.diameters[0],
                "eta_capped": static["packing_fraction"],
                "eta_sharp": static["packing_fraction_sharp"],
                "enthalpy_kT": static["enthalpy_as_named_kT"],
                "above_apart_kT": static["enthalpy_as_named_kT"] - separate,
                "stays_at_T0": row["stability"]["stable"],
                "change": "; ".join(entry.relaxation.change.words) if free["converged"] else "not converged",
            }
        )


def finest(edge: float, gamma: float) -> Iterator[dict[str, Any]]:
    """ABO₃ and NaCl as they are called, of the finest beads, whose outline is the capped cube, and hardly pressed."""
    shell = mixture(edge, gamma).nanocrystals[1].shell_thickness
    model = mixture(edge, gamma, tier.Settings(bead_diameter=2.001 * shell))
    pressure = GENTLE / sizes(model)["cube"] ** 3
    for one in candidates(["ABO3:rotated", "NaCl"], model):
        if len(one.types) > 1:
            rested = rest_as_named(place(one, model), Matter.of(model), pressure, axes(one))
            capped, sharp = packing_fractions(rested.made, model)
            a = float(rectangular(one, model, rested.made).crystal.cell[0, 0])
            yield (
                described(model, edge, gamma)
                | predicted(one.phase, one.orientation, gamma)
                | {
                    "kind": "finest beads",
                    "work_kT": GENTLE,
                    "phase": one.phase,
                    "orientation": one.orientation,
                    "a_nm": a,
                    "a_over_d": a / model.diameters[0],
                    "eta_capped": capped,
                    "eta_sharp": sharp,
                    "enthalpy_kT": rested.enthalpy,
                }
            )


def ternary(edge: float, body: float) -> Iterator[dict[str, Any]]:
    """ABO₃ with truncated cuboids on B and cubes on O, against its three species apart."""
    model = mixture(edge, FACE, body=body)
    size = sizes(model)
    settings = BodySettings(WORK / size["cube"] ** 3, dynamics=False, seed=SEED)
    found = [
        examine(one, model, settings, None)
        for one in candidates(["ABO3:rotated"], model)
        if len(one.types) == 1 or one.types == {"A": "sphere", "B": "PbS", "O": "cube"}
    ]
    compound = next(e for e in found if len(e.candidate.types) > 1)
    apart = {e.candidate.types["A"]: e.fallen for e in found if len(e.candidate.types) == 1}
    made, unit = compound.relaxation.lattice, size["sphere"]
    rigid = cubes.perovskite(size["PbS"] / unit, FACE, "rotated", CUT / unit)
    capped, sharp = packing_fractions(made.made, model)
    a = made.made.volume ** (1 / 3)
    separate = sum(share * apart[name] for name, share in compound.candidate.composition.items())
    yield described(model, edge, FACE) | {
        "kind": "ternary",
        "gamma_b": size["PbS"] / unit,
        "work_kT": WORK,
        "phase": "ABO3",
        "orientation": "rotated",
        "a_nm": a,
        "a_over_d": a / unit,
        "eta_capped": capped,
        "eta_sharp": sharp,
        "rigid_a_over_d": float(rigid[0]),
        "rigid_eta": float(rigid[1]),
        "enthalpy_kT": made.enthalpy,
        "above_apart_kT": made.enthalpy - separate,
        "stays_at_T0": compound.relaxation.kept,
        "change": "; ".join(compound.relaxation.change.words),
    }


def simulated(edge: float, gamma: float, choice: base.Choice) -> Iterator[dict[str, Any]]:
    """ABO₃ and NaCl at kT under the same pressure."""
    model = mixture(edge, gamma)
    pressure = WORK / sizes(model)["cube"] ** 3
    for one in candidates(["ABO3:rotated", "NaCl"], model):
        if len(one.types) == 1:
            continue
        rested = rest_as_named(place(one, model), Matter.of(model), pressure, axes(one))
        cell = rectangular(one, model, rested.made)
        row = described(model, edge, gamma) | {
            "kind": "kT",
            "work_kT": WORK,
            "phase": one.phase,
            "orientation": one.orientation,
        }
        try:
            out = body_dynamics.survival(
                one.phase, cell, model, pressure, choice, time=TIME, particles=PARTICLES, seed=SEED
            )
        except PhysicsError as error:
            yield row | {"end": str(error)}
            continue
        a = float(np.mean([value for value, _ in out.plain.lengths]))
        yield row | {
            "survived": out.plain.survived,
            "end": out.words,
            "steps": out.plain.steps,
            "time_brownian": round(out.plain.time, 3),
            "particles": out.plain.n,
            "a_at_kT_nm": a,
            "a_over_d": a / model.diameters[0],
        }


def collect(dynamics: bool) -> list[dict[str, Any]]:
    """All rows. Beads as few as usual make one shape of both cubes, up to scale: the smaller stands for both."""
    rows: list[dict[str, Any]] = []
    began = time.process_time()

    def say(what: str) -> None:
        print(f"{time.process_time() - began:.0f} s: {what}", flush=True)

    for edge in EDGES:
        for gamma in FINE:
            rows += finest(edge, gamma)
    say("finest beads")
    for body in BODIES:
        rows += ternary(EDGES[0], body)
    say("ternary")
    for gamma in GAMMAS:
        rows += relaxed(EDGES[0], gamma)
    rows += relaxed(EDGES[1], 0.43)
    say("all candidates at T = 0")
    choice = base.choose("lammps", "cpu") if dynamics else None
    for gamma in SIMULATED if choice is not None else ():
        new = list(simulated(EDGES[0], gamma, choice))
        rows += new
        for row in new:
            say(f"γ = {gamma}: {row['phase']} {row['end']}")
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV."""
    sink = io.StringIO()
    out = csv.DictWriter(sink, COLUMNS, lineterminator="\n")
    out.writeheader()
    for row in rows:
        out.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return sink.getvalue()


def draw(rows: list[dict[str, Any]]) -> bytes:
    """Packing, lattice constant and survival against γ, a column for each cube."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sink = io.BytesIO()
    grid = np.linspace(0.28, 0.72, 441)
    with rc_context(FIGURE_STYLE):
        figure = Figure(figsize=(7.6, 7.4), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(3, 2, sharex=True, sharey="row", height_ratios=[1.35, 1.0, 0.75])
        for column, edge in enumerate(EDGES):
            own = [row for row in rows if row["edge_nm"] == edge]
            eta, lattice, fate = panels[:, column]
            for phase in ("ABO3", "NaCl"):
                colour = COLOURS[phase]
                rigid = cubes.solve(phase, grid, cubes_orientation(phase))
                eta.plot(grid, rigid.eta, color=colour, lw=1.2)
                eta.plot(grid, hard.packing_fraction(phase, grid), color=colour, lw=1.0, ls=":")
                lattice.plot(grid, rigid.constants["a"], color=colour, lw=1.2)
                lattice.plot(grid, hard.constants(phase, grid)["a"], color=colour, lw=1.0, ls=":")
                _dots(eta, lattice, own, phase)
            soft = cubes.deformable_perovskite(np.where(grid <= 0.492, grid, np.nan))
            eta.plot(grid, soft.eta, color=COLOURS["ABO3"], lw=1.1, ls="--")
            lattice.plot(grid, soft.constants["a"], color=COLOURS["ABO3"], lw=1.1, ls="--")
            _fates(fate, own)
            eta.set_title(f"CsPbBr$_3$ cubes of {edge} nm with oleate")
            eta.set_ylim(0.4, 1.02)
            lattice.set_ylim(0.95, 2.0)
            fate.set_xlabel("γ = capped edge / capped diameter of spheres")
            fate.set_xlim(0.28, 0.72)
        panels[0, 0].set_ylabel("packing fraction")
        panels[1, 0].set_ylabel("a / capped sphere")
        _legend(figure)
        figure.savefig(sink, dpi=160, format="png")
    return sink.getvalue()


def cubes_orientation(phase: str) -> str:
    """The one that is drawn."""
    return "rotated" if phase == "ABO3" else "aligned"


def _dots(eta: Any, lattice: Any, own: list[dict[str, Any]], phase: str) -> None:
    mine = [r for r in own if r["phase"] == phase and r["orientation"] == cubes_orientation(phase)]
    colour = COLOURS[phase]
    for kind, marker, fill in (
        ("binary", "o", colour),
        ("finest beads", "D", "white"),
        ("kT", "^", "white"),
    ):
        rows = [r for r in mine if r["kind"] == kind and r.get("a_over_d") is not None]
        x = [r["gamma"] for r in rows]
        style = {"marker": marker, "ls": "", "ms": 4.5, "mfc": fill, "mec": colour, "mew": 1.1, "zorder": 4}
        lattice.plot(x, [r["a_over_d"] for r in rows], **style)
        if kind != "kT":
            eta.plot(x, [r["eta_capped"] for r in rows], **style)
        if kind == "binary":
            eta.plot(x, [r["eta_sharp"] for r in rows], "_", color=colour, ms=6, mew=1.2, zorder=3)


def _fates(axes_: Any, own: list[dict[str, Any]]) -> None:
    rows_of = [
        ("ABO3", "rotated"),
        ("ABO3", "aligned"),
        ("NaCl", "aligned"),
        ("AlB2", None),
        ("CsCl", "aligned"),
    ]
    for y, (phase, orientation) in enumerate(rows_of):
        colour = COLOURS[phase]
        for gamma in GAMMAS:
            there = [
                r for r in own if r["kind"] == "binary" and r["phase"] == phase and r["gamma"] == gamma
                and orientation in (None, r["orientation"])
            ]  # fmt: skip
            if there:
                lower = min(there, key=lambda r: r["above_apart_kT"])
                mixes = lower["above_apart_kT"] < 0
                fill = colour if lower["stays_at_T0"] else "white"
                axes_.plot(gamma, y, "s" if mixes else "x", mfc=fill, mec=colour, ms=5, mew=1.1)
        for r in own:
            if r["kind"] == "kT" and r["phase"] == phase and r["orientation"] == orientation:
                word = "+" if r.get("survived") else "–"
                axes_.annotate(
                    word, (r["gamma"], y), xytext=(0, 4.5), textcoords="offset points", ha="center", color=INK
                )
    axes_.set_yticks(
        range(len(rows_of)), [p if o in (None, "aligned") and p != "ABO3" else f"{p} {o}" for p, o in rows_of]
    )
    axes_.set_ylim(len(rows_of) - 0.5, -0.8)


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    def dot(marker: str, fill: str, label: str) -> Line2D:
        return Line2D([], [], ls="", marker=marker, mfc=fill, mec=MUTED, mew=1.1, ms=5, label=label)

    handles = [
        *(Line2D([], [], color=COLOURS[phase], lw=2.5, label=phase) for phase in ("ABO3", "NaCl")),
        Line2D([], [], color=MUTED, lw=1.2, label="rigid sharp cubes"),
        Line2D([], [], color=MUTED, lw=1.1, ls="--", label="cubes on O give way (inference)"),
        Line2D([], [], color=MUTED, lw=1.0, ls=":", label="hard spheres"),
        dot("o", MUTED, f"beads, T = 0, PD³ = {WORK:.0f} kT; η capped"),
        dot("_", MUTED, "the same cell, η with sharp cubes"),
        dot("D", "white", f"finest beads, PD³ = {GENTLE:.0f} kT"),
        dot("^", "white", "at kT"),
        dot("s", MUTED, "below separate crystals at T = 0, stays"),
        dot("s", "white", "below, but gives way"),
        dot("x", MUTED, "above separate crystals at T = 0"),
        dot("$+$", INK, "survived at kT"),
        dot("$-$", INK, "did not"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5)


def main() -> None:
    """Write table and figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"))
    parser.add_argument("--static", action="store_true", help="no simulations")
    options = parser.parse_args()
    rows = collect(not options.static)
    for folder in ("data", "figures"):
        (options.output / folder).mkdir(parents=True, exist_ok=True)
    write_atomically(options.output / "data" / "cubes-with-spheres.csv", table(rows))
    write_atomically(options.output / "figures" / "cubes-with-spheres.png", draw(rows))
    print(
        f"written: {options.output}/data/cubes-with-spheres.csv, {options.output}/figures/cubes-with-spheres.png"
    )


if __name__ == "__main__":
    main()
