"""The parameter library in ``potentials/``: ligands, core materials, solvents and measured spacings with sources."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from supercrystal.errors import UnknownNameError, nearest
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal

#: A core this close (nm) to a measured one counts as the same core.
_SAME_DIAMETER_NM = 0.05
#: Relative difference of grafting density up to which a measured system counts as the same system.
_SAME_GRAFTING = 0.05


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and where it comes from."""

    value: float
    unit: str
    source: str
    quality: str = "measured"


@dataclass(frozen=True)
class MeasuredSpacing:
    """A published nearest-neighbour distance [nm] of a one-component superlattice."""

    core: str
    core_diameter_nm: float
    ligand: str
    grafting_density: float
    nearest_neighbour_nm: float
    arrangement: str
    source: str
    adjusted: bool = False


@dataclass(frozen=True)
class MeasuredBinary:
    """A published binary superlattice: packing fraction [-] and the gap between cores [nm] in one contact.

    Args:
        phase: the catalogue's name.
        a: nanocrystal on A, the larger one.
        b: nanocrystal on B.
        eta: volume fraction of spheres of the OPM radius [-].
        contact: site labels of the contact.
        gap_nm: centre distance in it minus both core radii [nm].
        quality: how the numbers came here.
        source: where they are from.
    """

    phase: str
    a: Nanocrystal
    b: Nanocrystal
    eta: float
    contact: tuple[str, str]
    gap_nm: float
    quality: str
    source: str


def _folder() -> Traversable:
    """Return the library's folder: in the wheel beside this module, in a checkout at the top level."""
    installed = resources.files("supercrystal") / "potentials"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "potentials"


@cache
def _read(name: str) -> Mapping[str, Any]:
    return tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def names(kind: str) -> tuple[str, ...]:
    """Names in one file of the library: ``"ligands"``, ``"cores"`` or ``"solvents"``.

    >>> "oleate" in names("ligands")
    True
    """
    return tuple(_read(kind))


def _entry(kind: str, name: str) -> Mapping[str, Any]:
    entries = _read(kind)
    if name not in entries:
        raise UnknownNameError(
            f"'{name}' is not in the library of {kind}{nearest(name, entries)}; known: {', '.join(entries)}. "
            f"Add it to potentials/{kind}.toml with the source of each number"
        )
    entry: Mapping[str, Any] = entries[name]
    return entry


def quantity(kind: str, name: str, key: str) -> Quantity | None:
    """Return one number of one entry, or ``None`` where the library has no value.

    Raises:
        UnknownNameError: no entry of that name.

    >>> quantity("solvents", "toluene", "viscosity").unit
    'mPa s'
    """
    number = _entry(kind, name).get(key)
    return None if number is None else Quantity(**number)


def ligand(name: str, geometry: str = "tetrahedral") -> Ligand:
    """Return a ligand of the library by name.

    >>> ligand("oleate").carbons, ligand("DDAB").chains
    (18, 2)
    """
    entry = _entry("ligands", name)
    chains = entry["chains"]["value"] if "chains" in entry else 1
    return Ligand(name, entry["carbons"]["value"], entry["double_bonds"]["value"], geometry, chains)


def measured_spacings() -> tuple[MeasuredSpacing, ...]:
    """All measured spacings of the library."""
    return tuple(
        MeasuredSpacing(
            core=row["core"],
            core_diameter_nm=row["core_diameter"]["value"],
            ligand=row["ligand"],
            grafting_density=row["grafting_density"]["value"],
            nearest_neighbour_nm=row["nearest_neighbour"]["value"],
            arrangement=row["arrangement"],
            source=row["source"],
            adjusted=row.get("adjusted", False),
        )
        for row in _read("measured")["spacing"]
    )


def measured_spacing(nanocrystal: Nanocrystal) -> MeasuredSpacing | None:
    """Return the measured spacing of this very system, or ``None`` where the library has none.

    The same system has the same core material and ligand, a diameter within 0.05 nm and a grafting density within 5 %.
    """
    for row in measured_spacings():
        if (
            row.core == nanocrystal.core.material
            and row.ligand == nanocrystal.ligand.name
            and abs(row.core_diameter_nm - nanocrystal.core.diameter_nm) <= _SAME_DIAMETER_NM
            and abs(row.grafting_density / nanocrystal.grafting_density - 1) <= _SAME_GRAFTING
        ):
            return row
    return None


def measured_binaries(geometry: str = "tetrahedral") -> tuple[MeasuredBinary, ...]:
    """All measured binary superlattices of the library; `geometry` as in `ligand`.

    >>> len(measured_binaries()), measured_binaries()[0].phase
    (7, 'MgZn2')
    """

    def nanocrystal(entry: Mapping[str, Any]) -> Nanocrystal:
        carbons = entry["carbons"]["value"]
        return Nanocrystal(
            Core(entry["core"], entry["core_diameter"]["value"]),
            Ligand(f"C{carbons}", carbons, 0, geometry),
            entry["grafting_density"]["value"],
        )

    return tuple(
        MeasuredBinary(
            phase=row["phase"],
            a=nanocrystal(row["A"]),
            b=nanocrystal(row["B"]),
            eta=row["eta"]["value"],
            contact=(row["contact"][0], row["contact"][1]),
            gap_nm=row["gap"]["value"],
            quality=row["quality"],
            source=row["source"],
        )
        for row in _read("binaries")["lattice"]
    )
