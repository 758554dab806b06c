"""The two places where kT meets SI units."""

from __future__ import annotations

BOLTZMANN_J_PER_K = 1.380649e-23


def kt_in_joule(temperature: float) -> float:
    """Thermal energy kT [J] at a temperature [K]."""
    return BOLTZMANN_J_PER_K * temperature


def kpa_per_kt_nm3(temperature: float) -> float:
    """Pressure of one kT/nm³ in kPa at a temperature [K].

    >>> round(kpa_per_kt_nm3(298.15))
    4116
    """
    return kt_in_joule(temperature) / 1e-27 / 1e3
