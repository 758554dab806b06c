"""Two CsPbBr₃ cubes as bodies of beads: energies over faces, edges and corners, and what the beads' roughness costs.

    python analysis/cube_energies.py [-o DIRECTORY]

writes ``cube-energies.png`` and prints the numbers that docs/cubes.md quotes. The attraction between beads is calibrated so
that two faces bind like the cores' Hamaker integral; nothing else is fitted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from supercrystal import library
from supercrystal.interactions import bodies, hamaker
from supercrystal.models.beads import Tiling, tile
from supercrystal.report.palette import FIGURE_STYLE, INK, MODEL, MUTED
from supercrystal.shapes import cube
from supercrystal.units import kt_in_joule

EDGE, SHELL, TEMPERATURE = 8.6, 1.5, 298.15  # nm, nm, K
GAPS = (0.5, 6.0)  # nm
COLOURS = {"face": INK, "edge": "#0072b2", "corner": "#e69f00"}


def _potentials(tiling: Tiling, constant: float) -> tuple[bodies.Calibration, bodies.Potentials]:
    def between(depth: float):  # type: ignore[no-untyped-def]
        return bodies.bead_potentials(tiling.bead_diameter, depth)

    body = tiling.body("C", "b")
    found = bodies.calibrate(
        lambda depth: bodies.well(body, tiling.core, {("b", "b"): between(depth)}, "face", GAPS),
        lambda gap: hamaker.cubes(constant, EDGE, gap),
    )
    return found, {("b", "b"): between(found.depth)}


def main() -> None:
    """Write the figure and print the numbers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/figures"))
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    number = library.quantity("cores", "CsPbBr3", "hamaker")
    assert number is not None
    constant = number.value / kt_in_joule(TEMPERATURE)
    core = cube(EDGE)
    tilings = {
        "fine": tile(core, SHELL),
        "coarse": tile(core, SHELL, 4.2, per_edge=4),
    }
    with plt.rc_context(FIGURE_STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(11.0, 3.4), layout="constrained")
        gaps = np.linspace(1.0, 8.0, 401)
        exact = [hamaker.cubes(constant, EDGE, float(gap)) for gap in gaps[gaps > 2.0]]
        for axis, (name, tiling) in zip(axes, tilings.items(), strict=False):
            body = tiling.body("C", "b")
            found, potentials = _potentials(tiling, constant)
            print(
                f"{name}: {len(body.positions)} beads of {tiling.bead_diameter:.2f} nm, {tiling.spacing:.3f} nm apart, "
                f"corrugation {tiling.corrugation:.3f}, q = {tiling.outline.exponent:.2f} "
                f"(capped cube {tiling.capped.exponent:.2f}); depth {found.depth:.5f} kT a bead"
            )
            for approach, colour in COLOURS.items():
                energy, _ = bodies.curve(body, core, potentials, approach, gaps)
                axis.plot(gaps, energy, color=colour, label=f"{approach} to {approach}")
                gap, depth = bodies.well(body, core, potentials, approach, GAPS)
                print(f"  {approach}: {depth:.3f} kT at {gap:.3f} nm")
            axis.plot(
                gaps[gaps > 2.0], exact, color=MODEL, linestyle="--", label="Hamaker, two cubes face to face"
            )
            for h in (3.0, 4.0, 5.0, 6.0):
                ours = float(bodies.curve(body, core, potentials, "face", h)[0])
                print(f"  h = {h} nm: beads {ours:.3f} kT, Hamaker {hamaker.cubes(constant, EDGE, h):.3f} kT")
            axis.set(
                xlim=(1, 8),
                ylim=(-1.6, 1.6),
                xlabel="gap between cores on the line of centres (nm)",
                title=f"{len(body.positions)} beads, q = {tiling.outline.exponent:.1f}",
            )
            axis.axhline(0, color=MUTED, linewidth=0.6)

            shifts = np.linspace(0, 1, 21)
            along = np.array([0.0, tiling.spacing, tiling.spacing])
            slid = [bodies.well(body, core, potentials, "face", GAPS, shift * along) for shift in shifts]
            style = {"color": INK, "linestyle": "-" if name == "fine" else ":"}
            axes[2].plot(
                shifts, [energy for _, energy in slid], label=f"{len(body.positions)} beads", **style
            )
            print(
                f"  half a spacing aside along the face's diagonal: {slid[10][1]:.3f} kT at {slid[10][0]:.3f} nm"
            )
        axes[0].set_ylabel("energy (kT)")
        axes[0].legend(loc="upper right")
        axes[2].set(
            xlabel="shift along the face's diagonal (bead spacings)",
            ylabel="energy of the well (kT)",
            title="two faces slid",
            xlim=(0, 1),
        )
        axes[2].legend()
        figure.savefig(output / "cube-energies.png", dpi=150)


if __name__ == "__main__":
    main()
