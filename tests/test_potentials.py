from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import gamma

from supercrystal.errors import PhysicsError
from supercrystal.interactions import brush, hamaker, osmotic
from supercrystal.interactions.brush import Brush
from supercrystal.interactions.cutoff import Cut
from supercrystal.interactions.mie import Mie, MieRepulsion, MieTail, with_minimum
from supercrystal.interactions.power_law import PowerLaw, coupling, tail_energy
from supercrystal.interactions.tabulation import tabulate
from supercrystal.interactions.virial import barker_henderson_diameter, reduced_second_virial, second_virial
from supercrystal.packing import ocm

depths = st.floats(0.1, 10.0)
sigmas = st.floats(0.5, 10.0)
shifts = st.sampled_from([0.0, 1.0, 7.0])
orders = st.sampled_from([(12.0, 6.0), (9.0, 4.5), (24.0, 12.0), (50.0, 25.0), (14.0, 7.0)])
powers = st.floats(4.0, 40.0)
fractions = st.floats(0.01, 0.99)
modes = st.sampled_from(["shift", "force-shift", "xplor", "smooth"])


def check_force(potential, r: float, scale: float, noise: float = 1e-8) -> None:  # type: ignore[no-untyped-def]
    """Compare the force with the fourth-order difference of the energy."""
    h = 1e-4 * scale
    u = potential.energy(r + h * np.array([-2.0, -1.0, 1.0, 2.0]))
    slope = float(np.dot([1, -8, 8, -1], u)) / (12 * h)
    size = float(np.max(np.abs(u)))
    assert float(potential.force(r)) == pytest.approx(-slope, rel=1e-6, abs=1e-11 * size / h + noise)


@given(epsilon=depths, sigma=sigmas, n=powers, at=st.floats(0.5, 3.0))
def test_power_law_force(epsilon: float, sigma: float, n: float, at: float) -> None:
    check_force(PowerLaw(epsilon, sigma, n), at * sigma, sigma)


@given(epsilon=depths, sigma=sigmas, order=orders, delta=shifts, at=st.floats(0.8, 3.0))
def test_mie_force_minimum_and_depth(epsilon, sigma, order, delta, at) -> None:  # type: ignore[no-untyped-def]
    mie = Mie(epsilon, sigma, order[0], order[1], delta)
    check_force(mie, delta + at * sigma, sigma)
    assert float(mie.energy(mie.r_min)) == pytest.approx(-epsilon, rel=1e-12)
    assert float(mie.force(mie.r_min)) == pytest.approx(0, abs=1e-9 * epsilon * order[0] / sigma)
    assert with_minimum(epsilon, mie.r_min, order[0], order[1], delta).sigma == pytest.approx(sigma)
    assert np.isinf(mie.energy(delta - 0.1))
    assert np.isinf(mie.force(delta))


@given(epsilon=depths, sigma=sigmas, order=orders, delta=shifts, at=st.floats(0.85, 2.4))
def test_core_and_tail_add_up_to_the_mie_potential(epsilon, sigma, order, delta, at) -> None:  # type: ignore[no-untyped-def]
    mie = Mie(epsilon, sigma, order[0], order[1], delta)
    core, tail = MieRepulsion(mie), MieTail(mie, delta + 3 * sigma, delta + 2.5 * sigma)
    r = delta + at * sigma
    assert float(core.energy(r) + tail.energy(r)) == pytest.approx(float(mie.energy(r)), rel=1e-9, abs=1e-12)
    assert float(core.force(r) + tail.force(r)) == pytest.approx(float(mie.force(r)), rel=1e-9, abs=1e-12)
    check_force(tail, delta + 2.75 * sigma, sigma)
    for part in (core, tail):
        assert float(part.energy(part.r_cut)) == 0 == float(part.force(part.r_cut))
        assert abs(float(part.force(part.r_cut * (1 - 1e-9)))) < 1e-5 * epsilon * order[0] ** 2 / sigma
    assert float(tail.energy(mie.r_min * 0.99)) == -epsilon


def test_core_of_12_6_is_wca() -> None:
    core = MieRepulsion(Mie(1.0, 1.0, 12, 6))
    r = np.linspace(0.8, 1.3, 50)
    wca = np.where(r < 2 ** (1 / 6), 4 * (r**-12.0 - r**-6.0) + 1, 0)
    np.testing.assert_allclose(core.energy(r), wca, atol=1e-12)
    with pytest.raises(PhysicsError, match="r_min ≤ r_on"):
        MieTail(Mie(1.0, 1.0, 12, 6), 3.0, 1.0)


@given(epsilon=depths, sigma=sigmas, n=powers, mode=modes, at=fractions)
def test_cut_potentials_end_smoothly(epsilon, sigma, n, mode, at) -> None:  # type: ignore[no-untyped-def]
    bare = PowerLaw(epsilon, sigma, n)
    r_cut, r_on = 2.5 * sigma, 1.9 * sigma
    cut = Cut(bare, r_cut, mode, r_on if mode in ("xplor", "smooth") else None)
    inside = r_cut * (1 - 1e-8)
    scale = float(bare.energy(r_on))
    assert abs(float(cut.energy(inside))) < 1e-6 * scale
    if mode != "shift":
        assert abs(float(cut.force(inside))) < 1e-6 * scale * n**2 / sigma
    assert float(cut.energy(r_cut)) == 0 == float(cut.force(r_cut + 1))
    check_force(cut, sigma + at * (r_cut - sigma) * 0.999, 0.1 * sigma)
    if mode in ("xplor", "smooth"):
        assert float(cut.energy(0.99 * r_on)) == pytest.approx(float(bare.energy(0.99 * r_on)), rel=1e-12)
        step = 1e-6 * sigma  # no jump of the force at r_on
        jump = float(cut.force(r_on + step) - cut.force(r_on - step))
        assert abs(jump) < 1e-3 * float(bare.force(r_on))


def test_xplor_and_force_shift_have_their_published_values() -> None:
    lj = Mie(1.0, 1.0, 12, 6)
    r, on, off = 2.3, 2.0, 2.5
    switch = (off**2 - r**2) ** 2 * (off**2 + 2 * r**2 - 3 * on**2) / (off**2 - on**2) ** 3
    assert float(Cut(lj, off, "xplor", on).energy(r)) == pytest.approx(
        switch * float(lj.energy(r)), rel=1e-12
    )
    # The Lennard-Jones potential at 2.5 σ: 4 (2.5^-12 - 2.5^-6) = -0.0163169, force -0.0389995 (Allen and Tildesley).
    shifted = Cut(lj, 2.5, "force-shift").energy(1.0)
    assert float(shifted) == pytest.approx(0.0163169 + 0.0389995 * 1.5, abs=2e-6)


def test_cut_offs_that_are_refused() -> None:
    bare = PowerLaw(1.0, 1.0, 12)
    with pytest.raises(PhysicsError, match="jump of the energy"):
        Cut(bare, 2.5, "none")  # type: ignore[arg-type]
    with pytest.raises(PhysicsError, match="did you mean 'xplor'"):
        Cut(bare, 2.5, "xplore", 2.0)  # type: ignore[arg-type]
    with pytest.raises(PhysicsError, match="needs 0 < r_on"):
        Cut(bare, 2.5, "xplor", 2.5)
    with pytest.raises(PhysicsError, match="has no r_on"):
        Cut(bare, 2.5, "shift", 2.0)
    with pytest.raises(PhysicsError, match="n > 3"):
        PowerLaw(1.0, 1.0, 3.0)
    with pytest.raises(PhysicsError, match="3 < m < n"):
        Mie(1.0, 1.0, 6, 12)


def test_a_plain_shift_is_tabulated_with_its_jump_in_the_bound() -> None:
    lj = Cut(Mie(1.0, 1.0, 12, 6), 2.5, "shift")
    assert (
        tabulate([lj], 1e-6, "spline", "r2").bound_force < 1e-5
    )  # its table ends with the force just inside
    linear = tabulate(
        [lj], 1e-6, "linear", "r"
    )  # goes to zero in the last interval: wrong there by up to the jump
    assert linear.bound_force == pytest.approx(0.0389995 * 0.75 / 4, rel=1e-2)


@given(n=st.floats(3.5, 40.0), epsilon=st.floats(0.01, 100.0), sigma=sigmas)
@settings(max_examples=25, deadline=None)
def test_second_virial_of_a_power_law_is_exact(n: float, epsilon: float, sigma: float) -> None:
    exact = 2 * np.pi / 3 * sigma**3 * epsilon ** (3 / n) * gamma(1 - 3 / n)
    assert second_virial([PowerLaw(epsilon, sigma, n)]) == pytest.approx(exact, rel=1e-9)
    diameter = sigma * epsilon ** (1 / n) * gamma(1 - 1 / n)
    assert barker_henderson_diameter([PowerLaw(epsilon, sigma, n)]) == pytest.approx(diameter, rel=1e-9)


@given(depth=st.floats(0.1, 5.0), sigma=sigmas)
@settings(max_examples=25, deadline=None)
def test_second_virial_of_lennard_jones_is_its_series(depth: float, sigma: float) -> None:
    # B2/(2πσ³/3) = -Σ_j 2^(j+1/2)/(4 j!) Γ(j/2 - 1/4) ε^((2j+1)/4)  (Hirschfelder, Curtiss and Bird)
    terms = [
        2 ** (j + 0.5) / (4 * math.factorial(j)) * gamma(j / 2 - 0.25) * depth ** ((2 * j + 1) / 4)
        for j in range(80)
    ]
    assert reduced_second_virial([Mie(depth, sigma, 12, 6)], sigma) == pytest.approx(-sum(terms), rel=1e-9)


def test_second_virial_vanishes_at_the_boyle_temperature() -> None:
    assert reduced_second_virial([Mie(1 / 3.417927982, 1.0, 12, 6)], 1.0) == pytest.approx(0, abs=1e-8)


@dataclass(frozen=True)
class Step:
    """Constant energy inside `r_cut`."""

    height: float
    r_cut: float

    def energy(self, r):  # type: ignore[no-untyped-def]
        return np.where(np.asarray(r) < self.r_cut, self.height, 0.0)

    def force(self, r):  # type: ignore[no-untyped-def]
        return np.zeros_like(r, dtype=float)


@given(well=st.floats(0.0, 5.0), width=st.floats(1.05, 2.0), diameter=sigmas)
@settings(deadline=None)
def test_hard_spheres_and_the_square_well(well: float, width: float, diameter: float) -> None:
    hard = Step(np.inf, diameter)
    assert reduced_second_virial([hard], diameter) == pytest.approx(1, rel=1e-12)
    assert barker_henderson_diameter([hard]) == pytest.approx(diameter, rel=1e-12)
    attraction = Step(-1.0, width * diameter)
    exact = 1 - (width**3 - 1) * np.expm1(well)
    assert reduced_second_virial([hard], diameter, [attraction], well) == pytest.approx(
        exact, rel=1e-9, abs=1e-9
    )


def test_a_steep_mie_core_is_nearly_a_hard_sphere() -> None:
    core = MieRepulsion(Mie(1.0, 1.0, 400, 200))
    assert barker_henderson_diameter([core]) == pytest.approx(1, abs=0.005)
    assert reduced_second_virial([core], barker_henderson_diameter([core])) == pytest.approx(1, abs=1e-4)
    with pytest.raises(PhysicsError, match="no pair potentials"):
        second_virial([])


def test_power_law_helpers() -> None:
    density, sigma, n, r_cut = 0.8, 1.3, 6.0, 4.0
    integral = quad(lambda r: 2 * np.pi * density * r**2 * 2.0 * (sigma / r) ** n, r_cut, np.inf)[0]
    assert float(tail_energy(density, 2.0, sigma, n, r_cut)) == pytest.approx(integral, rel=1e-9)
    # A change of the unit of length that keeps the energies leaves the coupling.
    assert float(coupling(density, 2.0, sigma, n)) == pytest.approx(
        float(coupling(density / 8, 2.0 * 2.0**-n, 2 * 2 * sigma / 2 * 2, n))
    )


@given(r1=st.floats(1, 8), r2=st.floats(1, 8), l1=st.floats(0.5, 3), l2=st.floats(0.5, 3), at=fractions)
def test_brush_of_a_pair(r1: float, r2: float, l1: float, l2: float, at: float) -> None:
    pair = Brush((r1, r2), (l1, l2), (4.0, 5.0))
    span = l1 + l2
    check_force(pair, r1 + r2 + span * (0.02 + 0.97 * at), 0.01 * span)
    assert float(pair.energy(pair.r_cut)) == 0 == float(pair.force(pair.r_cut))
    inside = r1 + r2 - 0.5  # a finite, still rising energy where cores would overlap
    check_force(pair, inside, 0.01 * span)
    assert float(pair.energy(inside)) > float(pair.energy(r1 + r2 + 0.1 * span))
    assert float(Brush((r2, r1), (l2, l1), (5.0, 4.0)).energy(inside)) == pytest.approx(
        float(pair.energy(inside))
    )


def test_brush_of_equals_is_the_function_of_the_gap() -> None:
    pair = Brush((3.5, 3.5), (2.4, 2.4), (4.4, 4.4))
    r = np.linspace(7.2, 12, 30)
    np.testing.assert_allclose(pair.energy(r), brush.energy(r - 7, 3.5, 2.4, 4.4))
    np.testing.assert_allclose(pair.force(r), brush.force(r - 7, 3.5, 2.4, 4.4))
    with pytest.raises(PhysicsError, match="> 0"):
        Brush((3.5, 0.0), (2.4, 2.4), (4.4, 4.4))


# Osmotic and elastic: C12 ligands on 5 nm cores in toluene.
RADII, THICKNESS, PHI, SOLVENT, LIGAND = (2.5, 2.5), 1.7, 0.6, 0.176, 0.35


@given(r1=st.floats(1, 8), r2=st.floats(1, 8), length=st.floats(0.5, 3), at=st.floats(0.02, 2.2))
def test_osmotic_and_elastic_forces(r1: float, r2: float, length: float, at: float) -> None:
    for potential in (
        osmotic.Osmotic((r1, r2), length, PHI, SOLVENT),
        osmotic.Elastic((r1, r2), length, PHI, LIGAND),
    ):
        for knot in (1.0, 2.0):  # the difference must not straddle a kink of the force
            at = at if abs(at - knot) > 1e-3 else knot - 2e-3
        # Terms of 100 kT that cancel near y = 1 leave 1e-14 kT over differences of 1e-6 nm.
        check_force(potential, r1 + r2 + at * length, 0.01 * length, noise=1e-7)
        check_force(potential, r1 + r2 - 0.2, 0.01 * length)


def test_osmotic_energy_is_derjaguin_over_flory_huggins() -> None:
    pair, contact = osmotic.Osmotic(RADII, THICKNESS, PHI, SOLVENT), sum(RADII)

    def plates(h: float) -> float:
        """Mixing energy per area of two shells at the gap h, less that of free ones."""
        free = 2 * PHI**2 * THICKNESS
        if h > THICKNESS:  # overlap of 2L - h where both add up
            single, double = 2 * (h - THICKNESS), 2 * THICKNESS - h
            return (single * PHI**2 + double * (2 * PHI) ** 2 - free) / SOLVENT
        return (h * (PHI * 2 * THICKNESS / h) ** 2 - free) / SOLVENT

    for h in (0.4, 1.2, 1.7, 2.5, 3.3):
        points = [THICKNESS] if h < THICKNESS else None
        expected = np.pi * RADII[0] * quad(plates, h, 2 * THICKNESS, points=points)[0]
        assert float(pair.energy(contact + h)) == pytest.approx(expected, rel=1e-8)
        assert float(pair.force(contact + h)) == pytest.approx(np.pi * RADII[0] * plates(h), rel=1e-8)


def test_elastic_energy_is_derjaguin_over_chains() -> None:
    pair, contact = osmotic.Elastic(RADII, THICKNESS, PHI, LIGAND), sum(RADII)

    def plates(h: float) -> float:
        y = h / THICKNESS
        return -2 * PHI * THICKNESS / LIGAND * np.log(y * ((3 - y) / 2) ** 2)

    for h in (0.1, 0.6, 1.5):
        expected = np.pi * RADII[0] * quad(plates, h, THICKNESS)[0]
        assert float(pair.energy(contact + h)) == pytest.approx(expected, rel=1e-8)


def test_osmotic_and_elastic_are_continuous_where_the_regime_changes() -> None:
    contact = sum(RADII)
    for potential in (
        osmotic.Osmotic(RADII, THICKNESS, PHI, SOLVENT),
        osmotic.Elastic(RADII, THICKNESS, PHI, LIGAND),
    ):
        for r in (contact + THICKNESS, contact + 2 * THICKNESS, contact + osmotic.INNER_GAP * THICKNESS):
            low, high = r - 1e-9, r + 1e-9
            assert float(potential.energy(low)) == pytest.approx(
                float(potential.energy(high)), abs=1e-4, rel=1e-7
            )
            assert float(potential.force(low)) == pytest.approx(
                float(potential.force(high)), abs=1e-4, rel=1e-6
            )
        assert float(potential.energy(potential.r_cut)) == pytest.approx(0, abs=1e-12)
        assert float(potential.force(potential.r_cut)) == pytest.approx(0, abs=1e-12)


@given(radius=st.floats(1.5, 5.0), length=st.floats(1.2, 2.5), xi=st.floats(0.7, 1.0))
@settings(deadline=None)
def test_ligand_volume_stops_the_collapse_in_a_poor_solvent(radius: float, length: float, xi: float) -> None:
    phi = float(osmotic.shell_volume_fraction(radius, length, 5.5 * xi, length / 5.5))
    try:
        filled = float(ocm.spacing(2 * radius, length, xi))
    except PhysicsError:
        return  # cores would overlap in OCM: outside its domain
    osm = osmotic.Osmotic((radius, radius), length, phi, SOLVENT)
    elastic = osmotic.Elastic((radius, radius), length, phi, length / 5.5)
    core = osmotic.volume_core(filled, 2 * radius)

    def bare(r):  # type: ignore[no-untyped-def]
        return elastic.energy(r) - 0.3 * osm.energy(r)

    r = np.linspace(2 * radius, osm.r_cut, 20_001)
    assert np.argmin(bare(r)) == 0  # χ = 0.8 alone: down to where cores touch
    with np.errstate(all="ignore"):
        well = r[np.argmin(bare(r) + core.energy(r))]
    assert well > 0.95 * filled  # never denser than the ligands' own volume, by more than their compression


@pytest.mark.parametrize(("radius", "length"), [(2.5, 1.2), (2.5, 1.7), (5.0, 1.7), (5.0, 2.5)])
def test_in_a_poor_solvent_a_pair_sits_at_the_ligand_volume(radius: float, length: float) -> None:
    phi = float(osmotic.shell_volume_fraction(radius, length, 5.5, length / 5.5))
    osm = osmotic.Osmotic((radius, radius), length, phi, SOLVENT)
    filled = float(ocm.spacing(2 * radius, length, 1.0))
    parts = (
        osmotic.Elastic((radius, radius), length, phi, length / 5.5),
        osmotic.volume_core(filled, 2 * radius),
    )
    r = np.linspace(0.9 * filled, osm.r_cut, 40_001)
    energy = sum(p.energy(r) for p in parts) - 0.1 * osm.energy(r)
    assert r[np.argmin(energy)] == pytest.approx(filled, rel=0.025)
    assert np.min(energy) < -2


def test_osmotic_refusals_and_the_core() -> None:
    core = osmotic.volume_core(6.2, 5.0)
    assert float(core.energy(6.2)) == pytest.approx(1)
    step = 1e-4  # how steep it is, from its forces
    f = [float(core.force(6.2 + d)) for d in (-step, step)]
    exponent = -(np.log(f[1]) - np.log(f[0])) / (np.log(6.2 + step) - np.log(6.2 - step)) - 1
    assert exponent == pytest.approx(6.2 / 1.2 * 13 - 1, rel=1e-4)
    assert exponent > osmotic.LEAST_EXPONENT
    with pytest.raises(PhysicsError, match=r"bends like r\^-24"):
        osmotic.volume_core(6.2, 1.0)
    with pytest.raises(PhysicsError, match="leave a gap"):
        osmotic.volume_core(5.0, 5.0)
    with pytest.raises(PhysicsError, match="filled to"):
        osmotic.Osmotic(RADII, THICKNESS, 1.2, SOLVENT)
    with pytest.raises(PhysicsError, match="v_s = 0"):
        osmotic.Osmotic(RADII, THICKNESS, 0.5, 0.0)
    # Shell volume of R = 2.5, L = 1.7 by the difference of spheres over the area of the core.
    per_area = ((4.2**3 - 2.5**3) * 4 / 3 * np.pi) / (4 * np.pi * 2.5**2)
    assert float(osmotic.shell_volume_fraction(2.5, 1.7, 4.0, 0.35)) == pytest.approx(1.4 / per_area)


def test_cube_faces_against_the_integral_over_both_cubes() -> None:
    for ratio, excess in ((0.05, 0.147), (0.2, 0.612), (0.5, 1.74)):
        assert hamaker.cube_faces(1.0, 1.0, ratio) / hamaker.cubes(1.0, 1.0, ratio) == pytest.approx(
            1 + excess, abs=0.006
        )
    # Far apart two cubes are two points: -A/π² · V1 V2 / r⁶.
    assert hamaker.cubes(2.0, 1.0, 30.0) == pytest.approx(-2 / np.pi**2 * 31.0**-6, rel=0.01)
    # Close together the plates are right.
    assert hamaker.cube_faces(1.0, 1.0, 0.01) / hamaker.cubes(1.0, 1.0, 0.01) == pytest.approx(1, abs=0.035)


@given(edge=st.floats(3, 20), gap=st.floats(0.3, 10))
def test_cube_faces_force(edge: float, gap: float) -> None:
    step = 1e-5 * gap
    slope = (hamaker.cube_faces(20.0, edge, gap + step) - hamaker.cube_faces(20.0, edge, gap - step)) / (
        2 * step
    )
    assert float(hamaker.cube_faces_force(20.0, edge, gap)) == pytest.approx(-float(slope), rel=1e-5)


def test_plates_are_the_integral_over_their_thickness() -> None:
    # Half-spaces: W = -A/(12π h²); a plate of thickness l is a half-space less another.
    A, edge, h = 12.0, 8.6, 3.0

    def point(
        z: float,
    ) -> float:  # a layer at z above a plate from -l to 0: A/(6π) [z⁻³ - (z + l)⁻³] per area and nm
        return -A / (6 * np.pi) * (z**-3 - (z + edge) ** -3)

    assert float(hamaker.cube_faces(A, edge, h)) == pytest.approx(
        edge**2 * quad(point, h, h + edge)[0], rel=1e-9
    )
    with pytest.raises(PhysicsError, match="gap > 0"):
        hamaker.cube_faces(A, edge, 0.0)
    with pytest.raises(PhysicsError, match="gap ≥"):
        hamaker.cubes(A, edge, 0.0)


def test_minimum_of_a_shifted_mie_is_where_it_was_asked() -> None:
    mie = with_minimum(3.0, 9.1, 12, 6, 7.0)
    found = minimize_scalar(
        lambda r: float(mie.energy(r)), bounds=(8.5, 10), method="bounded", options={"xatol": 1e-10}
    )
    assert found.x == pytest.approx(9.1, abs=1e-6)
    assert found.fun == pytest.approx(-3.0)
