from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.constants
from hypothesis import given
from hypothesis import strategies as st

from supercrystal import library, physical
from supercrystal.errors import PhysicsError
from supercrystal.models import shells
from supercrystal.models.model import Batch
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.packing import opm

PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)
TOLUENE = 0.560  # mPa s
T = 298.15
positive = st.floats(1e-3, 1e3)


def test_diffusion_of_a_sphere_of_known_size() -> None:
    # kT/(6 π η R) by hand: 4.1164e-21 J / (6 π · 0.560e-3 Pa s · 5.957e-9 m) = 6.547e-11 m²/s.
    assert physical.hydrodynamic_diameter_nm(PBS) == pytest.approx(11.914, abs=1e-3)
    assert physical.diffusion_coefficient(PBS, TOLUENE, T) == pytest.approx(6.547e-11, rel=1e-3)


def test_brownian_time_is_that_of_the_mean_nanocrystal() -> None:
    model = shells.build([Batch("PbS", PBS, 10, 0.05)], T)
    tau = physical.brownian_time_s(PBS, model.reference_diameter, TOLUENE, T)
    assert tau == pytest.approx((9.729e-9) ** 2 / 6.547e-11, rel=2e-3)


@pytest.mark.parametrize(("viscosity", "temperature"), [(0.0, T), (-1.0, T), (TOLUENE, 0.0)])
def test_diffusion_refuses_what_no_liquid_has(viscosity: float, temperature: float) -> None:
    with pytest.raises(PhysicsError, match="> 0"):
        physical.diffusion_coefficient(PBS, viscosity, temperature)


def test_ligand_volume_is_what_opm_adds_to_the_core() -> None:
    # OPM's sphere holds just the core and its ligands.
    d = float(opm.spacing(7.0, PBS.ligand.length_nm, PBS.xi))
    assert physical.ligand_volume_nm3(PBS) == pytest.approx(math.pi / 6 * (d**3 - 7.0**3))


def test_ligand_volume_counts_every_chain() -> None:
    one = Nanocrystal(Core("CsPbBr3", 8.6), Ligand("C12", 12), 2.0)
    two = Nanocrystal(Core("CsPbBr3", 8.6), Ligand("C12", 12, chains=2), 2.0)
    assert physical.ligand_volume_nm3(two) == pytest.approx(2 * physical.ligand_volume_nm3(one))


@given(diameter=positive, core=st.floats(1.1, 20.0), viscosity=st.floats(0.1, 10.0))
def test_a_bare_sphere_sinks_as_stokes_says(diameter: float, core: float, viscosity: float) -> None:
    # v = d² Δρ g / 18 η holds no temperature: kT must drop out of D / l_g.
    volume = math.pi / 6 * diameter**3
    mass = physical.buoyant_mass_of_volumes_kg(volume, 0.0, core, 1.0, 1.0)
    diffusion = scipy.constants.k * T / (3 * math.pi * viscosity * 1e-3 * diameter * 1e-9)
    length = physical.gravitational_length_nm(mass, 1.0, T)
    stokes = (diameter * 1e-9) ** 2 * (core - 1) * 1e3 * scipy.constants.g / (18 * viscosity * 1e-3) * 1e9
    assert float(physical.sedimentation_speed_nm_per_s(diffusion, length)) == pytest.approx(stokes, rel=1e-9)


@given(mass=st.floats(1e-24, 1e-16), multiple=st.floats(1e-3, 1e9), temperature=st.floats(200, 500))
def test_length_and_acceleration_are_inverse(mass: float, multiple: float, temperature: float) -> None:
    length = physical.gravitational_length_nm(mass, multiple, temperature)
    assert float(physical.acceleration_g(mass, length, temperature)) == pytest.approx(multiple)


@given(peclet=positive, height=positive, diffusion=st.floats(1e-13, 1e-8))
def test_speed_and_height_of_a_film_are_inverse(peclet: float, height: float, diffusion: float) -> None:
    speed = physical.interface_speed_nm_per_s(peclet, height, diffusion)
    assert float(physical.film_height_nm(peclet, speed, diffusion)) == pytest.approx(height)


def test_one_diameter_of_gravitational_length_is_ten_million_g_for_cspbbr3_cubes() -> None:
    """1.4e7 g: neither densities nor the spacing leave open that a centrifuge could do it."""
    edge = 8.6
    core = np.array([4.75, 4.86, 4.95])[:, None, None]
    shell = np.array([0.75, 0.85, 0.95])[None, :, None]
    diameter = edge + np.array([2.0, 3.3, 4.9])  # faces apart by dry ligands up to two extended C18 chains
    ligands = 3.5 * 6 * edge**2 * 2.457 / 5.5  # 3.5 oleates per nm²
    mass = physical.buoyant_mass_of_volumes_kg(edge**3, ligands, core, shell, 0.862)
    multiples = physical.acceleration_g(mass, diameter, T)
    assert float(physical.acceleration_g(mass[1, 1], diameter[1], T)[0]) == pytest.approx(1.4e7, rel=0.03)
    assert multiples.min() > 1.1e7
    assert multiples.max() < 1.7e7
    # At 1 g the length is that of a hand, at 10⁴ g that of a cell.
    assert float(physical.gravitational_length_nm(mass[1, 1, 0], 1.0, T)) * 1e-6 == pytest.approx(
        166, rel=0.02
    )


def test_buoyant_mass_from_the_library_and_by_hand() -> None:
    core, shell = math.pi / 6 * 343, 4.40 / 5.5 * math.pi * 49 * PBS.ligand.length_nm
    by_hand = (core * (7.60 - 0.862) + shell * (0.89 - 0.862)) * 1e-24
    assert physical.library_buoyant_mass_kg(PBS, "toluene") == pytest.approx(by_hand)
    # Hexane is lighter: both core and ligand weigh more in it.
    assert physical.library_buoyant_mass_kg(PBS, "hexane") > by_hand


def test_every_ligand_of_the_library_has_a_density_and_others_an_estimate() -> None:
    for name in library.names("ligands"):
        assert 0.7 < physical.ligand_density(library.ligand(name)).value < 1.0
    unknown = physical.ligand_density(Ligand("C14", 14))
    assert unknown.quality == "estimate"


def test_what_floats_is_refused() -> None:
    mass = physical.buoyant_mass_kg(PBS, core_density=0.5, ligand_density=0.8, solvent_density=0.862)
    assert mass < 0
    with pytest.raises(PhysicsError, match="does not sediment.*lighter solvent"):
        physical.gravitational_length_nm(mass, 1.0, T)
    with pytest.raises(PhysicsError, match="does not sediment"):
        physical.acceleration_g(mass, 10.0, T)
    with pytest.raises(PhysicsError, match="acceleration must be > 0"):
        physical.gravitational_length_nm(1e-21, 0.0, T)
    with pytest.raises(PhysicsError, match="length must be > 0"):
        physical.acceleration_g(1e-21, -1.0, T)


def test_a_warning_for_each_drive_beyond_experiment_and_none_within() -> None:
    within = {"total_s": 3600.0, "temperature": T}
    assert physical.warnings(**within) == ()
    assert physical.warnings(**within, acceleration=5e4, speed_nm_per_s=100.0) == ()
    (spin,) = physical.warnings(**within, acceleration=5e5)
    assert "Only an ultracentrifuge" in spin
    (beyond,) = physical.warnings(**within, acceleration=1.4e7, gravitational_length=11.9)
    assert beyond.startswith("Gravitational length 11.9 nm: this is 1.4 × 10⁷ g. No centrifuge")
    (fast,) = physical.warnings(**within, speed_nm_per_s=4e4, peclet=0.1, diffusion_m2_per_s=6.5e-11)
    assert "40 µm/s" in fast
    assert "65 µm at 0.1 µm/s" in fast
    assert "11 min" in fast
    (short,) = physical.warnings(total_s=2e-3, temperature=T)
    assert "2 ms" in short
    (hot,) = physical.warnings(total_s=3600.0, temperature=350.0)
    assert "not at 350 K" in hot


def test_record_of_a_drying_and_sedimenting_run_is_json_and_consistent() -> None:
    mass = physical.library_buoyant_mass_kg(PBS, "toluene")
    record = physical.physical_record(
        PBS, 9.729, TOLUENE, T, 0.005, 1000.0,
        peclet=0.1, wet_height_nm=200.0, drying_time=150.0, buoyant_mass_kg=mass, gravitational_length=20.0,
    )  # fmt: skip
    assert json.loads(json.dumps(record)) == record
    tau = record["brownian_time_s"]
    assert record["total_s"] == pytest.approx(1000 * tau)
    assert record["timestep_s"] == pytest.approx(0.005 * tau)
    # Speed in nm per Brownian time is Pe d²/H; the record's, in nm/s, must be that over τ.
    speed = record["drying"]["interface_speed_nm_per_s"]
    assert speed * tau == pytest.approx(0.1 * 9.729**2 / 200.0)
    fall = record["sedimentation"]
    assert fall["gravitational_length_at_1g_mm"] * 1e6 == pytest.approx(20.0 * fall["acceleration_g"])
    assert fall["speed_nm_per_s"] * tau == pytest.approx(9.729**2 / 20.0)
    assert len(record["warnings"]) == 3


def test_record_without_film_and_field_has_neither() -> None:
    record = physical.physical_record(PBS, 9.729, TOLUENE, T, 0.005, 1000.0)
    assert record["drying"] is None
    assert record["sedimentation"] is None
