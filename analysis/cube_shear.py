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
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from supercrystal import study
from supercrystal.compare_cubes import upright
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


def densest_angle(edge: float, shell: float) -> float:
    """Angle of the densest lattice of hard capped cubes that lie parallel [degrees].

    Faces in touch are ``a = l + 2t`` apart and may slide. Lattice vectors (a, b, b), (b, a, b), (b, b, a) fill less than a³,
    until at ``b = (2 - √2) t`` the rounded edges of the neighbours (a - b, b - a, 0) touch. A search over lattices of one
    parallel cube a cell, with shells of 1 to 4.5 nm on 8.6 nm, found none denser.

    Args:
        edge: l of the core [nm].
        shell: its thickness t [nm].

    >>> round(densest_angle(8.6, 0.0), 1), round(densest_angle(8.6, 2.5), 1)
    (90.0, 77.2)
    """
    a, b = edge + 2 * shell, (2 - math.sqrt(2)) * shell
    return math.degrees(math.acos((2 * a * b + b**2) / (a**2 + 2 * b**2)))


def rhombohedral(across: float, angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell of a lattice of parallel cubes sheared along a diagonal, and the orientation of the cubes in it.

    Args:
        across: distance of neighbours along the common normal of their faces [nm].
        angle: between lattice vectors [degrees], 70 to 110.

    Returns:
        Cell vectors as rows (3, 3), the first along x, the second in the xy plane, and a unit quaternion (4,).
    """
    import rowan
    from scipy.optimize import brentq

    cosine = math.cos(math.radians(angle))
    share = brentq(lambda x: (2 * x + x * x) / (1 + 2 * x * x) - cosine, -0.4, 0.5)
    vectors = across * ((1 - share) * np.eye(3) + share)
    lower = np.linalg.cholesky(vectors @ vectors.T)
    turn = np.linalg.solve(vectors, lower).T  # takes the frame of the diagonal to that of the cell
    return lower, np.asarray(rowan.from_matrix(turn), float)


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
