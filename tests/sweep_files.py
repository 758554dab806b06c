"""Sweeps that the tests of this folder share: relaxations take a second, films of 60 nanocrystals a few."""

from __future__ import annotations

from pathlib import Path

from supercrystal.sweep import specification as specifications
from supercrystal.sweep.space import Space, initialise

#: One kind of nanocrystal; fcc is relaxed.
ONE = """
name = "one"
{head}
[axes]
"nanocrystals.1.ligand.carbons" = {carbons}
{axes}
{tables}

[study]
name = "small"
seed = 1
solvent = "toluene"
engine = "lammps"

[[study.nanocrystals]]
count = {count}
core = {{ material = "PbS", diameter_nm = 7.0 }}
ligand = "oleate"
grafting_density_per_nm2 = 4.40

[study.protocol]
kind = "slow-drying"
duration_brownian_times = 20
final_packing_fraction = 0.5  # far from a crystal: small films dried to the end in so short a time would heat
hold_brownian_times = 10
mixing_brownian_times = 1
frames = 10
"""

#: Two kinds.
TWO = """
name = "two"
[axes]
size_ratio = [0.45, 0.55]
[relax]
phases = ["AlB2"]

[study]
name = "pair"
seed = 1
solvent = "toluene"

[[study.nanocrystals]]
name = "A"
count = 100
core = { material = "PbS", diameter_nm = 7.0 }
ligand = { carbons = 9 }
grafting_density_per_nm2 = 4.40

[[study.nanocrystals]]
name = "B"
count = 200
core = { material = "PbS", diameter_nm = 5.0 }
ligand = { carbons = 9 }
grafting_density_per_nm2 = 4.40

[study.protocol]
kind = "slow-drying"
duration_brownian_times = 20
"""


def one(
    carbons: list[int],
    *,
    head: str = "",
    axes: str = "",
    tables: str = '[relax]\nphases = ["fcc"]',
    count: int = 60,
) -> str:
    """Text of a sweep of one kind of nanocrystal."""
    return ONE.format(carbons=carbons, head=head, axes=axes, tables=tables, count=count)


def make(text: str, folder: Path, name: str = "sweep") -> Space:
    """The data space of a sweep."""
    file = folder / f"{name}.toml"
    file.write_text(text)
    sweep, base = specifications.load(file)
    return initialise(sweep, base, text, folder / name)
