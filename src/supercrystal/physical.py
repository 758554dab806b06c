"""Brownian times as seconds, forces as multiples of g, film speeds as nm/s, and how far they are from an experiment.

A simulation knows nm, kT and the Brownian time. Four numbers tie it to a flask: the solvent's viscosity gives the
diffusion coefficient (Stokes–Einstein), and the densities of core, ligand and solvent the buoyant mass. Everything else
follows. Diffusion is that of one nanocrystal in much solvent; hydrodynamic interactions are in none of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.library import Quantity
from supercrystal.nanocrystal import Ligand, Nanocrystal
from supercrystal.units import kt_in_joule

STANDARD_GRAVITY = 9.80665  #: m/s²
_NM = 1e-9  # m
_NM3_G_PER_CM3 = 1e-24  # kg

#: From here on it takes an ultracentrifuge, and beyond the second no machine reaches it [multiples of g]. The article
#: "Ultracentrifuge" of Wikipedia: classed as such above 100 000 g, "as high as 1 000 000 g"; no maker's page opened.
ULTRACENTRIFUGE_G = 1e5
HIGHEST_G = 1e6
#: The speed of a liquid surface in a dish or vial, to which a film is compared, and the fastest that is still called
#: possible, 36 mm an hour [m/s]. Both are choices, not measurements.
EVAPORATION_M_PER_S = 1e-7
FASTEST_EVAPORATION_M_PER_S = 1e-5
#: A run shorter than this is called short beside an experiment [s]. A choice: films dry in seconds to days.
SHORTEST_EXPERIMENT_S = 1.0
#: The library's viscosities are those of this temperature [K]; they are not scaled, and a study further away than the
#: tolerance is told so. Near room temperature a liquid's viscosity changes by 1 to 2 % a kelvin.
VISCOSITY_TEMPERATURE = 298.15
VISCOSITY_TOLERANCE_K = 5.0
_UNITS_OF_TIME = (
    (86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")
)  # fmt: skip
#: Density of a ligand that the library has none for.
UNKNOWN_LIGAND_DENSITY = Quantity(
    0.85,
    "g/cm3",
    "between alkanes (0.75) and long fatty acids (0.89); not measured for this ligand",
    "estimate",
)


def hydrodynamic_diameter_nm(nanocrystal: Nanocrystal) -> float:
    """Diameter that drags solvent along: the sphere of the core's volume and two extended ligands [nm].

    An upper estimate, as it counts the shell as impermeable.
    """
    core = (6 * nanocrystal.core.volume_nm3 / math.pi) ** (1 / 3)
    return core + 2 * nanocrystal.ligand.length_nm


def diffusion_coefficient(nanocrystal: Nanocrystal, viscosity_mPa_s: float, temperature: float) -> float:
    """Diffusion coefficient of a single nanocrystal, ``D = kT / (3 π η d_h)`` [m²/s].

    Raises:
        PhysicsError: a viscosity or a temperature that is not positive.
    """
    if not (viscosity_mPa_s > 0 and temperature > 0):
        raise PhysicsError(
            f"diffusion needs a viscosity and a temperature > 0; got {viscosity_mPa_s} mPa s and {temperature} K"
        )
    drag = 3 * math.pi * viscosity_mPa_s * 1e-3 * hydrodynamic_diameter_nm(nanocrystal) * _NM
    return kt_in_joule(temperature) / drag


def brownian_time_s(
    nanocrystal: Nanocrystal, reference_diameter_nm: float, viscosity_mPa_s: float, temperature: float
) -> float:
    """One Brownian time ``τ_B = d² / D`` [s], with d the model's reference diameter [nm]."""
    return (reference_diameter_nm * _NM) ** 2 / diffusion_coefficient(
        nanocrystal, viscosity_mPa_s, temperature
    )


def ligand_volume_nm3(nanocrystal: Nanocrystal) -> float:
    """Volume of all ligands on one core [nm³] as the packing models count it, ``ξ A L`` with A the core's area.

    Each chain then has 0.182 nm² times its extended length: for oleate 0.45 nm³, 15 % less than a molecule of oleic acid
    has in the liquid. The ligands carry so little of the buoyant mass that this is below its other uncertainties.
    """
    return nanocrystal.xi * nanocrystal.core.area_nm2 * nanocrystal.ligand.length_nm


def ligand_density(ligand: Ligand) -> Quantity:
    """Density of a ligand as a liquid [g/cm³]: the library's, or `UNKNOWN_LIGAND_DENSITY`."""
    if ligand.name not in library.names("ligands"):
        return UNKNOWN_LIGAND_DENSITY
    return library.quantity("ligands", ligand.name, "density") or UNKNOWN_LIGAND_DENSITY


def buoyant_mass_of_volumes_kg(
    core_volume_nm3: ArrayLike,
    ligand_volume_nm3: ArrayLike,
    core_density: ArrayLike,
    ligand_density: ArrayLike,
    solvent_density: ArrayLike,
) -> NDArray[np.float64]:
    """Buoyant mass ``V_core (ρ_core − ρ_solvent) + V_ligand (ρ_ligand − ρ_solvent)`` [kg]; negative where it floats.

    Args:
        core_volume_nm3: volumes of cores of any shape [nm³].
        ligand_volume_nm3: volumes of their ligands [nm³], without solvent between them.
        core_density: [g/cm³].
        ligand_density: [g/cm³].
        solvent_density: [g/cm³]. All five are broadcast.
    """
    solvent = np.asarray(solvent_density, float)
    core = np.asarray(core_volume_nm3, float) * (np.asarray(core_density, float) - solvent)
    shell = np.asarray(ligand_volume_nm3, float) * (np.asarray(ligand_density, float) - solvent)
    return np.asarray((core + shell) * _NM3_G_PER_CM3)


def buoyant_mass_kg(
    nanocrystal: Nanocrystal, core_density: float, ligand_density: float, solvent_density: float
) -> float:
    """Buoyant mass of a nanocrystal [kg] from densities [g/cm³]; negative where it floats."""
    return float(
        buoyant_mass_of_volumes_kg(
            nanocrystal.core.volume_nm3,
            ligand_volume_nm3(nanocrystal),
            core_density,
            ligand_density,
            solvent_density,
        )
    )


def library_buoyant_mass_kg(nanocrystal: Nanocrystal, solvent: str) -> float:
    """Buoyant mass [kg] with the library's densities.

    Raises:
        UnknownNameError: a solvent or a core that the library does not have.
        PhysicsError: the library has no density for one of them.
    """
    found = []
    for kind, name in (("cores", nanocrystal.core.material), ("solvents", solvent)):
        density = library.quantity(kind, name, "density")
        if density is None:
            raise PhysicsError(
                f"the library has no density for {name}, which sedimentation needs: add it to potentials/{kind}.toml"
            )
        found.append(density.value)
    return buoyant_mass_kg(nanocrystal, found[0], ligand_density(nanocrystal.ligand).value, found[1])


def _check_mass(buoyant_mass: NDArray[np.float64]) -> None:
    if np.any(~(buoyant_mass > 0)):
        raise PhysicsError(
            f"a buoyant mass of {np.min(buoyant_mass):.3g} kg does not sediment: the nanocrystals are no denser than "
            "the solvent. Take a lighter solvent"
        )


def gravitational_length_nm(
    buoyant_mass_kg: ArrayLike, acceleration_g: ArrayLike, temperature: float
) -> NDArray[np.float64]:
    """Gravitational length ``l_g = kT / (m_b g)``, over which a dilute sediment thins by e [nm].

    Args:
        buoyant_mass_kg: > 0 [kg].
        acceleration_g: multiples of the standard gravity > 0, broadcast.
        temperature: [K].

    Raises:
        PhysicsError: no positive buoyant mass or acceleration.

    >>> round(float(gravitational_length_nm(2.55e-21, 1.0, 298.15)) / 1e6)  # millimetres
    165
    """
    mass, acceleration = np.asarray(buoyant_mass_kg, float), np.asarray(acceleration_g, float)
    _check_mass(mass)
    if np.any(~(acceleration > 0)):
        raise PhysicsError(f"an acceleration must be > 0 g; got {np.min(acceleration)}")
    return np.asarray(kt_in_joule(temperature) / (mass * acceleration * STANDARD_GRAVITY) / _NM)


def acceleration_g(
    buoyant_mass_kg: ArrayLike, gravitational_length_nm: ArrayLike, temperature: float
) -> NDArray[np.float64]:
    """Multiple of the standard gravity at which the gravitational length is as given [-], the inverse of the above.

    Raises:
        PhysicsError: no positive buoyant mass or length.
    """
    mass, length = np.asarray(buoyant_mass_kg, float), np.asarray(gravitational_length_nm, float)
    _check_mass(mass)
    if np.any(~(length > 0)):
        raise PhysicsError(f"a gravitational length must be > 0 nm; got {np.min(length)}")
    return np.asarray(kt_in_joule(temperature) / (mass * length * _NM * STANDARD_GRAVITY))


def _ratio(above: ArrayLike, below: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(np.asarray(above, float) / np.asarray(below, float))


def sedimentation_speed_nm_per_s(
    diffusion_m2_per_s: ArrayLike, gravitational_length_nm: ArrayLike
) -> NDArray[np.float64]:
    """Speed of a single sinking nanocrystal, ``D / l_g`` [nm/s]. Others around it would slow it down by backflow."""
    return _ratio(np.asarray(diffusion_m2_per_s, float) / _NM**2, gravitational_length_nm)


def sedimentation_peclet(radius_nm: ArrayLike, gravitational_length_nm: ArrayLike) -> NDArray[np.float64]:
    """Péclet number of sedimentation, ``R / l_g`` [-]: sinking over diffusing across a radius."""
    return _ratio(radius_nm, gravitational_length_nm)


def interface_speed_nm_per_s(
    peclet: ArrayLike, height_nm: ArrayLike, diffusion_m2_per_s: ArrayLike
) -> NDArray[np.float64]:
    """Speed of the interface of a film of that height at that Péclet number, ``v = Pe D / H`` [nm/s]."""
    return _ratio(np.asarray(peclet, float) * np.asarray(diffusion_m2_per_s, float) / _NM**2, height_nm)


def film_height_nm(
    peclet: ArrayLike, speed_nm_per_s: ArrayLike, diffusion_m2_per_s: ArrayLike
) -> NDArray[np.float64]:
    """Height of the film that has this Péclet number at this speed, ``H = Pe D / v`` [nm]."""
    return _ratio(np.asarray(peclet, float) * np.asarray(diffusion_m2_per_s, float) / _NM**2, speed_nm_per_s)


def warnings(
    *,
    total_s: float,
    temperature: float,
    acceleration: float | None = None,
    gravitational_length: float | None = None,
    speed_nm_per_s: float | None = None,
    peclet: float | None = None,
    diffusion_m2_per_s: float | None = None,
) -> tuple[str, ...]:
    """Plain sentences on where a run's drive is far from any experiment; empty where it is not.

    Args:
        total_s: what the whole run lasts [s].
        temperature: [K].
        acceleration: strongest, in multiples of g.
        gravitational_length: at that acceleration [nm].
        speed_nm_per_s: of the drying interface [nm/s].
        peclet: of drying, with `diffusion_m2_per_s` [m²/s] for the film that has the same one in an experiment.
        diffusion_m2_per_s: of a single nanocrystal.
    """
    found = []
    if acceleration is not None and acceleration > ULTRACENTRIFUGE_G:
        length = (
            "" if gravitational_length is None else f"Gravitational length {gravitational_length:.3g} nm: "
        )
        found.append(
            f"{length or 'Strongest field: '}this is {power_of_ten(acceleration)} g. "
            + (
                f"No centrifuge reaches it; ultracentrifuges end near {power_of_ten(HIGHEST_G)} g."
                if acceleration > HIGHEST_G
                else "Only an ultracentrifuge reaches it."
            )
        )
    if speed_nm_per_s is not None and speed_nm_per_s * _NM > FASTEST_EVAPORATION_M_PER_S:
        text = (
            f"The interface moves at {1e-3 * speed_nm_per_s:.3g} µm/s; films in a laboratory hardly dry faster than "
            f"{1e6 * FASTEST_EVAPORATION_M_PER_S:.0f} µm/s."
        )
        if peclet is not None and diffusion_m2_per_s is not None:
            real = _real_film(peclet, diffusion_m2_per_s)
            text += (
                f" The same Péclet number {peclet:g} is that of a film of {real['height_um']:.3g} µm at "
                f"{1e6 * EVAPORATION_M_PER_S:g} µm/s, which dries in {duration(real['drying_time_s'])}: only the "
                "competition of drying with diffusion is the same, not the time left to crystallise."
            )
        found.append(text)
    if total_s < SHORTEST_EXPERIMENT_S:
        found.append(
            f"The whole run is {duration(total_s)} long; in experiments assembly takes seconds to days. What needs "
            "longer, such as rare nucleation or healing of defects, is not in it."
        )
    if abs(temperature - VISCOSITY_TEMPERATURE) > VISCOSITY_TOLERANCE_K:
        found.append(
            f"Seconds use the solvent's viscosity at {VISCOSITY_TEMPERATURE:g} K, not at {temperature:g} K: a liquid "
            "is thinner when hot."
        )
    return tuple(found)


def duration(seconds: float) -> str:
    """Write a time with the unit that keeps it readable.

    >>> duration(2.9e-3), duration(65.0), duration(7200.0), duration(4e5)
    ('2.9 ms', '1.1 min', '2 h', '4.6 days')
    """
    factor, unit = next((entry for entry in _UNITS_OF_TIME if seconds >= entry[0]), _UNITS_OF_TIME[-1])
    value = seconds / factor
    return f"{value:.2g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def power_of_ten(value: float) -> str:
    """Write a number as mantissa and power of ten.

    >>> power_of_ten(1.4e7), power_of_ten(6.5e-11)
    ('1.4 × 10⁷', '6.5 × 10⁻¹¹')
    """
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _real_film(peclet: float, diffusion_m2_per_s: float) -> dict[str, float]:
    """The film that dries at `EVAPORATION_M_PER_S` with the same Péclet number."""
    height = float(film_height_nm(peclet, EVAPORATION_M_PER_S / _NM, diffusion_m2_per_s))
    return {
        "evaporation_m_per_s": EVAPORATION_M_PER_S,
        "height_um": 1e-3 * height,
        "drying_time_s": height * _NM / EVAPORATION_M_PER_S,
    }


def physical_record(
    nanocrystal: Nanocrystal,
    reference_diameter_nm: float,
    viscosity_mPa_s: float,
    temperature: float,
    timestep: float,
    total_time: float,
    *,
    peclet: float | None = None,
    wet_height_nm: float | None = None,
    drying_time: float | None = None,
    buoyant_mass_kg: float | None = None,
    gravitational_length: float | None = None,
) -> dict[str, Any]:
    """Times, speeds and accelerations of a run in SI units, JSON-ready, with the warnings.

    Args:
        nanocrystal: the one that sets the Brownian time.
        reference_diameter_nm: the diameter that sets it [nm].
        viscosity_mPa_s: of the solvent [mPa s].
        temperature: [K].
        timestep: [τ_B].
        total_time: of the run [τ_B].
        peclet: of a drying film; given together with the two below.
        wet_height_nm: its height at the start [nm].
        drying_time: from wet to dry [τ_B].
        buoyant_mass_kg: of the nanocrystal [kg]; given together with the one below where the run sediments.
        gravitational_length: at the run's strongest acceleration [nm].

    Raises:
        PhysicsError: as the functions of this module.

    Returns:
        ``drying`` and ``sedimentation`` are ``None`` where the run has no such stage.
    """
    diffusion = diffusion_coefficient(nanocrystal, viscosity_mPa_s, temperature)
    tau = brownian_time_s(nanocrystal, reference_diameter_nm, viscosity_mPa_s, temperature)
    drying: dict[str, Any] | None = None
    sedimentation: dict[str, Any] | None = None
    if peclet is not None and wet_height_nm is not None:
        drying = {
            "peclet": peclet,
            "wet_height_nm": wet_height_nm,
            "interface_speed_nm_per_s": float(interface_speed_nm_per_s(peclet, wet_height_nm, diffusion)),
            "drying_time_s": None if drying_time is None else drying_time * tau,
            "film_of_same_peclet": _real_film(peclet, diffusion),
        }
    if buoyant_mass_kg is not None and gravitational_length is not None:
        sedimentation = {
            "buoyant_mass_kg": buoyant_mass_kg,
            "gravitational_length_nm": gravitational_length,
            "gravitational_length_at_1g_mm": float(
                gravitational_length_nm(buoyant_mass_kg, 1.0, temperature) * 1e-6
            ),
            "acceleration_g": float(acceleration_g(buoyant_mass_kg, gravitational_length, temperature)),
            "peclet": float(sedimentation_peclet(reference_diameter_nm / 2, gravitational_length)),
            "speed_nm_per_s": float(sedimentation_speed_nm_per_s(diffusion, gravitational_length)),
        }
    return {
        "temperature_K": temperature,
        "viscosity_mPa_s": viscosity_mPa_s,
        "hydrodynamic_diameter_nm": hydrodynamic_diameter_nm(nanocrystal),
        "diffusion_m2_per_s": diffusion,
        "brownian_time_s": tau,
        "timestep_s": timestep * tau,
        "total_brownian_times": total_time,
        "total_s": total_time * tau,
        "drying": drying,
        "sedimentation": sedimentation,
        "warnings": list(
            warnings(
                total_s=total_time * tau,
                temperature=temperature,
                acceleration=sedimentation["acceleration_g"] if sedimentation else None,
                gravitational_length=gravitational_length,
                speed_nm_per_s=drying["interface_speed_nm_per_s"] if drying else None,
                peclet=peclet,
                diffusion_m2_per_s=diffusion,
            )
        ),
    }
