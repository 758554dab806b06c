from __future__ import annotations

import io

import pytest
from rich.console import Console

from supercrystal import library, physical
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.report.physical import physical_rows, physical_table

PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)


def _record(length: float | None, peclet: float | None) -> dict[str, object]:
    mass = physical.library_buoyant_mass_kg(PBS, "toluene")
    return physical.physical_record(
        PBS, 9.729, 0.560, 298.15, 0.005, 1000.0,
        peclet=peclet, wet_height_nm=200.0 if peclet else None, drying_time=150.0 if peclet else None,
        buoyant_mass_kg=mass if length else None, gravitational_length=length,
    )  # fmt: skip


@pytest.mark.parametrize(("length", "peclet"), [(None, None), (20.0, None), (None, 0.1), (20.0, 0.1)])
def test_rows_are_those_of_the_stages_that_are_there(length: float | None, peclet: float | None) -> None:
    rows = physical_rows(_record(length, peclet))
    assert ("gravitational length" in rows) == (length is not None)
    assert ("film of the same Pe" in rows) == (peclet is not None)


def test_rows_say_the_numbers_of_the_record() -> None:
    rows = physical_rows(_record(20.0, 0.1))
    assert rows["diffusion coefficient"].startswith("6.5 × 10⁻¹¹ m²/s, of a sphere of 11.9 nm")
    assert rows["Brownian time"] == "1.4 µs"
    assert rows["whole run"] == "1.4 ms, 1,000 Brownian times"
    # Pe D / H = 0.1 · 6.547e-11 m²/s / 200 nm = 32.7 µm/s.
    assert "interface 32.7 µm/s from 200 nm, dry after 217 µs" in rows["drying"]
    assert rows["film of the same Pe"] == "65.5 µm at 100 nm/s, dry after 11 min"
    assert rows["acceleration"].endswith("× 10⁷ g, beyond any centrifuge")


def test_the_terminal_shows_rows_and_every_warning() -> None:
    console = Console(width=110, file=io.StringIO(), record=True)
    record = _record(20.0, 0.1)
    console.print(physical_table(record))
    text = " ".join(console.export_text().split())
    assert text.count("far from experiment:") == len(record["warnings"]) == 3  # type: ignore[arg-type]
    assert "65.5 µm" in text
