"""Simple cubic or sheared: what becomes of the lattice of capped cubes at T = 0, against the thickness of their shells.

    python analysis/cube_shear.py [-o DIRECTORY]

relaxes the cell, position and orientation of 8.6 nm cubes under 45 kPa and prints and writes ``cube-shear.csv``: edges and
angles of the lattice reached, and how far it lies below the cubic one. There are two starts, each a little disturbed: the
simple cubic lattice, and the densest lattice of hard capped cubes that lie parallel, which is rhombohedral. Beads have the
diameter of two shells, so that they are as round as the capped cube, or with ``--coarse`` are the default ones. Lattices
with more than one cube a cell are not looked for.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

import numpy as np

from supercrystal import study
from supercrystal.compare_cubes import upright
from supercrystal.packing.capped_cubes import densest_angle, rhombohedral
from supercrystal.rundir import write_atomically
from supercrystal.shapes import superball_exponent
from supercrystal.solids.bodies import BodyCrystal, Matter
from supercrystal.solids.body_relaxation import disturbed, rest
from supercrystal.solids.crystal import Crystal
from supercrystal.solids.from_study import parse_pressure
from supercrystal.solids.record import examine_study
from supercrystal.solids.relaxation import cell_constants

EDGE, PRESSURE = 8.6, "45kPa"
SHELLS = (1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.5)  # nm; thinner ones take more beads than minutes allow
STUDY = """
name = "shear"
seed = 1
solvent = "toluene"
[[nanocrystals]]
count = 64
grafting_density_per_nm2 = 3.0
ligand = "oleate"
shell_nm = {shell}
[nanocrystals.core]
material = "CsPbBr3"
shape = "cube"
edge_nm = {edge}
[model]
tier = "cubes"
{beads}
[protocol]
kind = "compression"
pressure_kPa = [5.0, 45.0]
"""


def sheared(asked: study.Study, shell: float, cubic: float) -> dict[str, float | int | str]:
    """What becomes of the rhombohedral lattice; `cubic` is the enthalpy of the cubic one [kT]."""
    model = asked.build_model()
    matter = Matter.of(model)
    cell, turned = rhombohedral(EDGE + 2 * shell, densest_angle(EDGE, shell))
    start = BodyCrystal(Crystal(cell, np.zeros((1, 3)), model.types), turned[None])
    pressure = parse_pressure(PRESSURE, asked.temperature_K)
    found = rest(disturbed(start, matter, asked.seed), matter, pressure)
    lengths, angles = cell_constants(found.made.crystal.cell)
    return {
        "densest_angle_degrees": round(densest_angle(EDGE, shell), 1),
        "sheared_edges_nm": " ".join(f"{x:.3f}" for x in sorted(lengths)),
        "sheared_angles_degrees": " ".join(f"{x:.1f}" for x in upright(angles)),
        "sheared_lower_kT": round(cubic - found.enthalpy, 3),
        "sheared_converged": str(found.converged),
    }


def row(shell: float, coarse: bool) -> dict[str, float | int | str]:
    """What one thickness gives."""
    beads = "" if coarse else f"bead_diameter_nm = {2 * shell}"
    asked = study.parse(STUDY.format(shell=shell, edge=EDGE, beads=beads))
    found = examine_study(asked, ["sc"], pressure=PRESSURE, dynamics=False)
    (one,) = (c for c in found["candidates"] if c["phase"] == "sc")
    free, cubic = one["free_of_symmetry"], one["static"]
    model = asked.build_model()
    exponent = next(r.value for r in model.mapping if r.name == "q beads")
    angles = upright(free["primitive_angles_degrees"])
    return {
        "shell_nm": shell,
        "beads": next(len(body.positions) for body in model.bodies.values()),
        "q_beads": round(exponent, 2),
        "q_capped": round(float(superball_exponent(EDGE, shell)), 2),
        "cubic_edge_nm": round(cubic["lengths_nm"][0], 3),
        "edges_nm": " ".join(f"{x:.3f}" for x in sorted(free["primitive_lengths_nm"])),
        "angles_degrees": " ".join(f"{x:.1f}" for x in angles),
        "lower_kT": round(cubic["enthalpy_as_named_kT"] - free["enthalpy_kT"], 3),
        "turned_degrees": round(max(free["turned_degrees"].values(), default=0.0), 1),
        "converged": str(free["converged"]),
    } | sheared(asked, shell, cubic["enthalpy_as_named_kT"])


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/data"))
    parser.add_argument("--coarse", action="store_true", help="default beads, whatever the shell")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for shell in SHELLS:
        rows.append(row(shell, asked.coarse))
        print(rows[-1], flush=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(asked.output / f"cube-shear{'-coarse' if asked.coarse else ''}.csv", text.getvalue())


if __name__ == "__main__":
    main()
