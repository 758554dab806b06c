"""Times, lengths and forces of a run in the units of a laboratory, as rows for the report and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supercrystal.physical import HIGHEST_G, duration, power_of_ten

if TYPE_CHECKING:
    from rich.console import Group


def physical_rows(record: Mapping[str, Any]) -> dict[str, str]:
    """Name and value of each line of the table *Time and length*, in order.

    Args:
        record: what `supercrystal.physical.physical_record` returned.
    """
    rows = {
        "diffusion coefficient": f"{power_of_ten(record['diffusion_m2_per_s'])} m²/s, of a sphere of "
        f"{record['hydrodynamic_diameter_nm']:.1f} nm in a liquid of {record['viscosity_mPa_s']:g} mPa s",
        "Brownian time": duration(record["brownian_time_s"]),
        "time step": duration(record["timestep_s"]),
        "whole run": f"{duration(record['total_s'])}, {record['total_brownian_times']:,.0f} Brownian times",
    }
    if drying := record["drying"]:
        real = drying["film_of_same_peclet"]
        time = "" if drying["drying_time_s"] is None else f", dry after {duration(drying['drying_time_s'])}"
        rows["drying"] = (
            f"Pe = {drying['peclet']:g}: interface {speed(drying['interface_speed_nm_per_s'])} from "
            f"{drying['wet_height_nm']:.0f} nm{time}"
        )
        rows["film of the same Pe"] = (
            f"{real['height_um']:.3g} µm at {speed(real['evaporation_m_per_s'] * 1e9)}, dry after "
            f"{duration(real['drying_time_s'])}"
        )
    if fall := record["sedimentation"]:
        rows["gravitational length"] = (
            f"{fall['gravitational_length_nm']:.3g} nm; {fall['gravitational_length_at_1g_mm']:.3g} mm at 1 g"
        )
        rows["acceleration"] = f"{multiple(fall['acceleration_g'])}" + (
            ", beyond any centrifuge" if fall["acceleration_g"] > HIGHEST_G else ""
        )
        rows["sedimentation"] = f"Pe = {fall['peclet']:.3g}: a single nanocrystal sinks at " + speed(
            fall["speed_nm_per_s"]
        )
        rows["buoyant mass"] = f"{power_of_ten(fall['buoyant_mass_kg'])} kg"
    return rows


def physical_table(record: Mapping[str, Any]) -> Group:
    """The rows and the warnings for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title="time and length", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in physical_rows(record).items():
        table.add_row(name, value)
    return Group(table, *(Text(f"far from experiment: {line}") for line in record["warnings"]))


def speed(nm_per_s: float) -> str:
    """Write a speed with the unit that keeps it readable.

    >>> speed(0.3), speed(4.3e4), speed(5.6e6)
    ('0.3 nm/s', '43 µm/s', '5.6 mm/s')
    """
    for factor, unit in ((1e6, "mm/s"), (1e3, "µm/s")):
        if nm_per_s >= factor:
            return f"{nm_per_s / factor:.3g} {unit}"
    return f"{nm_per_s:.3g} nm/s"


def multiple(acceleration_g: float) -> str:
    """Write a multiple of g.

    >>> multiple(1.0), multiple(25000.0), multiple(1.38e7)
    ('1 g', '25,000 g', '1.4 × 10⁷ g')
    """
    if acceleration_g >= 1e6:
        return f"{power_of_ten(acceleration_g)} g"
    return f"{acceleration_g:,.0f} g" if acceleration_g >= 1000 else f"{acceleration_g:.3g} g"
