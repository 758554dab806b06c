"""How often labels are right on crystals with heat and vacancies, and wrong on liquids equilibrated by MD."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from supercrystal.engines import lammps as adapter
from supercrystal.structure import order
from tests.lattice_samples import crystal

#: Noise per coordinate over the nearest-neighbour distance → least accuracy, 2 % vacancies. 0.08 is near melting, where
#: hcp is the hardest to tell: 0.90 to 0.93 on average, by the shape of the sample.
LEAST = {0.04: 0.99, 0.06: 0.99, 0.08: 0.99}
LEAST_HOT_HCP = 0.88


@pytest.mark.parametrize("name", ["fcc", "hcp", "bcc", "sc"])
@pytest.mark.parametrize("noise", list(LEAST))
def test_accuracy_with_heat_and_vacancies(name: str, noise: float) -> None:
    box, x = crystal(name, 2000, noise, seed=11, vacancies=0.02)
    least = LEAST_HOT_HCP if (name, noise) == ("hcp", 0.08) else LEAST[noise]
    assert order.label(box, x).fractions("all")[name] >= least


def _liquid(density: float, style: str, seed: int) -> tuple[list[float], NDArray[np.float64]]:
    """Melt an fcc lattice hot, cool it to kT = 1 and equilibrate: 2,048 particles."""
    adapter._load_libraries()
    import lammps

    lmp = lammps.lammps(cmdargs=[*adapter.SILENT, *adapter.ONE_THREAD])
    lmp.commands_string(f"""
        units lj
        lattice fcc {density}
        region cell block 0 8 0 8 0 8
        create_box 1 cell
        create_atoms 1 box
        mass 1 1.0
        {style}
        velocity all create 8.0 {seed}
        fix move all nve
        fix bath all langevin 8.0 8.0 0.5 {seed}
        timestep 0.002
        run 2000
        fix bath all langevin 1.0 1.0 0.5 {seed + 1}
        timestep 0.005
        run 6000""")
    length = 8 * (4 / density) ** (1 / 3)
    x = np.ctypeslib.as_array(lmp.gather_atoms("x", 1, 3)).reshape(-1, 3).copy()
    x -= length * np.round(x / length)
    return [length, length, length, 0, 0, 0], x


WCA = "pair_style lj/cut 1.122462\npair_coeff 1 1 1 1\npair_modify shift yes"
LJ = "pair_style lj/cut 2.5\npair_coeff 1 1 1 1"


@pytest.mark.parametrize(
    ("density", "style"), [(0.70, WCA), (0.85, WCA), (0.85, LJ)], ids=["WCA 0.70", "WCA 0.85", "LJ"]
)
def test_liquids_are_not_called_crystals(density: float, style: str) -> None:
    box, x = _liquid(density, style, seed=7)
    assert order.global_q6(box, x) < 0.1, "the sample is no liquid"
    labels = order.label(box, x)
    assert 1 - labels.fractions("all")["disordered"] <= 0.01
    assert labels.surface.mean() <= 0.001
