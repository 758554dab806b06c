from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError
from supercrystal.interactions.power_law import PowerLaw
from supercrystal.interactions.shell import Shell
from supercrystal.solids.crystal import Crystal, place
from supercrystal.solids.lattice_energy import static
from supercrystal.solids.phonons import (
    STABILITY_MESH,
    dynamical_matrix,
    elasticity,
    force_constants,
    mesh,
    mesh_size,
    spectrum,
    stability,
    vibrations,
)
from supercrystal.solids.relaxation import relax

SHELLS = {
    ("A", "A"): (Shell(0.6, 11.9, 8.1),),
    ("A", "B"): (Shell(0.6, 9.0, 9.0),),
    ("B", "B"): (Shell(0.6, 7.0, 10.0),),
}


def relaxed(phase: str, pressure: float = 0.05) -> Crystal:
    return relax(place(phase, {"A": 9.7, "B": 6.0}, {"A": "A", "B": "B"}), SHELLS, pressure).crystal


@pytest.mark.parametrize("phase", ["bcc", "AlB2"])
def test_force_constants_are_second_derivatives_of_the_energy(phase: str) -> None:
    # A wave that fits into a supercell, its energy by finite differences against Φ(k).
    crystal = relaxed(phase)
    repeats = (2, 1, 2)
    big = crystal.repeated(repeats)
    k = np.array([1, 0, 1]) / np.array(repeats) @ (2 * np.pi * np.linalg.inv(crystal.cell).T)
    matrix = dynamical_matrix(force_constants(crystal, SHELLS), k[None])[0]
    rng = np.random.default_rng(2)
    polarisation = rng.normal(size=(crystal.n, 3))
    wave = np.tile(polarisation, (4, 1)) * np.cos(big.positions @ k)[:, None]

    def energy(step: float) -> float:
        moved = big.fractional + step * wave @ np.linalg.inv(big.cell)
        return static(Crystal(big.cell, moved, big.types), SHELLS).energy

    h = 1e-3
    curvature = (energy(h) - 2 * energy(0) + energy(-h)) / h**2
    # At the edge of the zone the wave is real: cos k·r is ±1 on the cells, with the particle's own phase on top.
    own = polarisation * np.cos(crystal.positions @ k)[:, None]
    turned = np.exp(1j * crystal.positions @ k)
    cells = (own * turned.conj()[:, None]).ravel()
    assert curvature == pytest.approx(4 * float((cells.conj() @ matrix @ cells).real), rel=1e-4)


@pytest.mark.parametrize("phase", ["fcc", "hcp", "NaCl", "AlB2", "MgZn2"])
def test_translations_cost_nothing(phase: str) -> None:
    k = np.array([np.zeros(3), np.full(3, 0.2)])
    found = spectrum(force_constants(relaxed(phase), SHELLS), k)
    assert np.sort(np.abs(found[0]))[:3] == pytest.approx(0, abs=1e-9 * found[1].max())
    assert found[1].min() > 1e-3 * found[1].max()


@given(seed=st.integers(0, 20))
@settings(max_examples=8, deadline=None)
def test_supercells_have_the_folded_spectrum(seed: int) -> None:
    crystal = relaxed("CsCl")
    k = np.random.default_rng(seed).normal(size=3)
    reciprocal = 2 * np.pi * np.linalg.inv(crystal.cell).T
    both = spectrum(force_constants(crystal, SHELLS), np.array([k, k + reciprocal[1] / 2])).ravel()
    double = spectrum(force_constants(crystal.repeated((1, 2, 1)), SHELLS), k[None])[0]
    assert double == pytest.approx(np.sort(both), rel=1e-8, abs=1e-10)


def test_mesh_has_one_of_each_pair_and_the_whole_weight() -> None:
    crystal = relaxed("hcp")
    size = mesh_size(crystal, 6.0)
    assert all(n % 2 == 0 for n in size)
    for shift in (0.0, 0.5):
        k, weight = mesh(crystal, size, shift)
        assert weight.sum() == pytest.approx(1)
        assert np.prod(size) / 2 <= len(k) <= np.prod(size) / 2 + 4
        assert (np.linalg.norm(k, axis=1).min() == 0) == (shift == 0)


@pytest.mark.parametrize("phase", ["fcc", "AlB2", "MgZn2"])
def test_elastic_constants_are_curvatures_of_the_relaxed_enthalpy(phase: str) -> None:
    # Strain, let the particles follow at fixed cell, and compare H.
    from scipy.optimize import minimize

    pressure, crystal = 0.05, relaxed(phase)
    found = elasticity(force_constants(crystal, SHELLS), pressure)
    rng = np.random.default_rng(5)
    e = rng.normal(size=(3, 3))
    e = (e + e.T) / 2
    voigt = np.array([e[0, 0], e[1, 1], e[2, 2], 2 * e[1, 2], 2 * e[0, 2], 2 * e[0, 1]])

    def enthalpy(step: float) -> float:
        cell = crystal.cell @ (np.eye(3) + step * e)

        def energy(u: np.ndarray) -> tuple[float, np.ndarray]:
            moved = Crystal(cell, crystal.fractional + u.reshape(-1, 3) @ np.linalg.inv(cell), crystal.types)
            state = static(moved, SHELLS)
            return state.energy, -state.forces.ravel()

        best = minimize(energy, np.zeros(3 * crystal.n), jac=True, method="BFGS", options={"gtol": 1e-10})
        return float(best.fun) + pressure * abs(float(np.linalg.det(cell)))

    h = 2e-3
    numerical = (enthalpy(h) - 2 * enthalpy(0.0) + enthalpy(-h)) / h**2 / crystal.volume
    assert float(voigt @ found.matrix @ voigt) == pytest.approx(numerical, rel=2e-3)


def test_long_waves_travel_as_the_elastic_constants_say() -> None:
    # In a stressed cubic crystal the moduli of waves along [110] are C', B44 and (B11 + B12)/2 + B44, λ = V k² of them.
    crystal, law = place("fcc", {"A": 1.0}, {"A": "A"}), {("A", "A"): (PowerLaw(1, 1, 12),)}
    pressure = static(crystal, law, reach=4.0).pressure
    found = elasticity(force_constants(crystal, law, reach=4.0), pressure)
    k = 1e-3 * np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    values = spectrum(force_constants(crystal, law, reach=4.0), k[None])[0] / (1e-6 * crystal.volume)
    b11, b12, b44 = found.matrix[0, 0], found.matrix[0, 1], found.matrix[3, 3]
    assert values == pytest.approx(np.sort([(b11 - b12) / 2, b44, (b11 + b12) / 2 + b44]), rel=1e-4)


@pytest.mark.parametrize(
    ("phase", "stable"), [("fcc", True), ("hcp", True), ("sc", False), ("diamond", False)]
)
def test_stability_of_one_component_shells(phase: str, stable: bool) -> None:
    found = stability(force_constants(relaxed(phase), SHELLS), 0.05)
    assert found.stable is stable
    assert bool(found.reason) is not stable


def test_pushing_an_unstable_crystal_along_its_mode_lowers_the_energy() -> None:
    crystal = relaxed("sc")
    found = stability(force_constants(crystal, SHELLS), 0.05)
    k = found.wave_vector @ (2 * np.pi * np.linalg.inv(crystal.cell).T)
    matrix = dynamical_matrix(force_constants(crystal, SHELLS), k[None])[0]
    values, modes = np.linalg.eigh(matrix)
    assert values[0] == pytest.approx(found.smallest)
    repeats = tuple(2 * n for n in mesh_size(crystal, STABILITY_MESH))  # every wave of both meshes fits
    big = crystal.repeated(repeats)
    wave = np.real(np.exp(1j * big.positions @ k)[:, None] * modes[:, 0][None])
    pushed = Crystal(big.cell, big.fractional + 0.05 * wave @ np.linalg.inv(big.cell), big.types)
    assert static(pushed, SHELLS).energy < static(big, SHELLS).energy


def test_free_energy_of_independent_springs() -> None:
    # `uniform` alone binds each particle: F - U = (3/2) ln(λ/2π T) T.
    crystal = place("fcc", {"A": 100.0}, {"A": "A"})
    weak = {("A", "A"): (PowerLaw(1e-30, 1.0, 6.0),)}
    constants = force_constants(crystal, weak, reach=110.0, uniform=7.0)
    for temperature in (1.0, 0.3):
        found = vibrations(constants, temperature=temperature)
        assert found.free_energy == pytest.approx(1.5 * temperature * np.log(7.0 / (2 * np.pi * temperature)))
        assert found.error < 1e-9
        assert found.mean_stiffness == pytest.approx(7.0)


def test_mesh_error_holds_what_finer_meshes_change() -> None:
    constants = force_constants(relaxed("fcc"), SHELLS)
    coarse, fine = (vibrations(constants, length=length) for length in (10.0, 30.0))
    assert abs(coarse.free_energy - fine.free_energy) < coarse.error + fine.error + 1e-6
    assert fine.error < coarse.error


def test_free_energy_does_not_depend_on_the_cell() -> None:
    crystal = relaxed("CsCl")
    one = vibrations(force_constants(crystal, SHELLS))
    two = vibrations(force_constants(crystal.repeated((2, 1, 1)), SHELLS))
    assert two.free_energy == pytest.approx(one.free_energy, abs=2 * (one.error + two.error) + 1e-6)


def test_no_free_energy_without_restoring_force() -> None:
    with pytest.raises(PhysicsError, match="not stable"):
        vibrations(force_constants(relaxed("sc"), SHELLS))
    with pytest.raises(PhysicsError, match="raise the pressure"):
        force_constants(place("fcc", {"A": 30.0}, {"A": "A"}), SHELLS)
