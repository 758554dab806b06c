from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from supercrystal import library
from supercrystal.errors import UnknownNameError
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.packing import opm

POTENTIALS = Path(__file__).parents[1] / "potentials"


@pytest.mark.parametrize("kind", ["cores", "ligands", "solvents"])
def test_every_number_has_a_unit_and_a_source(kind: str) -> None:
    entries = tomllib.loads((POTENTIALS / f"{kind}.toml").read_text())
    assert entries
    for entry in entries.values():
        for number in entry.values():
            assert {"value", "unit", "source"} <= number.keys()
            assert len(number["source"]) > 10


def test_measured_spacings_name_their_source_and_known_systems() -> None:
    for row in library.measured_spacings():
        assert "20" in row.source
        assert row.core in library.names("cores")
        assert row.ligand in library.names("ligands")
        assert row.nearest_neighbour_nm > row.core_diameter_nm


def test_every_solvent_has_a_viscosity() -> None:
    for name in library.names("solvents"):
        viscosity = library.quantity("solvents", name, "viscosity")
        assert viscosity is not None
        assert viscosity.unit == "mPa s"


def test_a_measured_system_is_found_and_its_neighbours_are_not() -> None:
    oleate = library.ligand("oleate")
    found = library.measured_spacing(Nanocrystal(Core("PbS", 7.0), oleate, 4.40))
    assert found is not None
    assert found.nearest_neighbour_nm == 9.50
    assert library.measured_spacing(Nanocrystal(Core("PbS", 7.2), oleate, 4.40)) is None
    assert library.measured_spacing(Nanocrystal(Core("PbS", 7.0), oleate, 5.40)) is None
    assert library.measured_spacing(Nanocrystal(Core("Au", 7.0), oleate, 4.40)) is None


def test_opm_agrees_with_independent_measured_spacings_within_three_percent() -> None:
    rows = [row for row in library.measured_spacings() if not row.adjusted]
    assert len(rows) == 6
    for row in rows:
        crystal = Nanocrystal(
            Core(row.core, row.core_diameter_nm), library.ligand(row.ligand), row.grafting_density
        )
        predicted = opm.spacing(row.core_diameter_nm, crystal.ligand.length_nm, crystal.xi)
        assert float(predicted) == pytest.approx(row.nearest_neighbour_nm, rel=0.03)


def test_unknown_name_lists_what_is_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'oleate'.*potentials/ligands.toml"):
        library.ligand("olate")
