from __future__ import annotations

import math

import numpy as np
import pytest

from supercrystal import box, lattices
from supercrystal.engines import base
from supercrystal.errors import PhysicsError, StudyError, UnknownNameError
from supercrystal.interactions.shell import Shell
from supercrystal.solids import comparison, dynamics, from_study
from supercrystal.solids.candidates import Entry, Settings, entries, examine
from supercrystal.solids.comparison import Comparison, compare
from supercrystal.solids.crystal import Crystal, keeps_lattice, place
from supercrystal.solids.dynamics import (
    Substance,
    at_fixed_cell,
    conventional,
    supercell,
    system_of,
    under_pressure,
)
from supercrystal.solids.free_energy import anharmonic, quasiharmonic
from supercrystal.solids.phonons import force_constants, stability, vibrations
from supercrystal.solids.relaxation import relax
from supercrystal.study import Study, parse
from supercrystal.units import kpa_per_kt_nm3

D = 9.72
ONE = Substance({"NC": D}, {("NC", "NC"): (Shell(0.6, 11.9, 8.1),)}, 1 / D**2, {"NC": 1 / D**2}, 0.01)
TWO = Substance(
    {"s": 5.5, "l": D},
    {
        ("s", "s"): (Shell(0.6, 6.8, 9.0),),
        ("s", "l"): (Shell(0.6, 9.3, 8.5),),
        ("l", "l"): (Shell(0.6, 11.9, 8.1),),
    },
    1 / D**2,
    {"s": 0.5 / D**2, "l": 1 / D**2},
    0.01,
)
PRESSURE = 0.05


@pytest.fixture(scope="module")
def lammps() -> base.Choice:
    return base.choose("lammps", "cpu")


@pytest.fixture(scope="module")
def static_comparison() -> Comparison:
    return compare(["fcc", "hcp", "bcc", "sc"], ONE, {"NC": 10}, Settings(PRESSURE, dynamics=False), None)


def test_shells_without_second_neighbours_have_equal_fcc_and_hcp(static_comparison: Comparison) -> None:
    fcc, hcp, bcc, sc = static_comparison.entries
    assert fcc.relaxed is not None
    assert hcp.relaxed is not None
    assert hcp.relaxed.enthalpy_per_particle == pytest.approx(fcc.relaxed.enthalpy_per_particle, abs=1e-9)
    result = static_comparison.to_dict()
    assert [row["enthalpy_rank"]["verdict"] for row in result["candidates"][:2]] == [
        "not distinguishable"
    ] * 2
    assert result["candidates"][2]["enthalpy_rank"]["verdict"] == "higher"
    assert sc.gibbs is None
    assert any("not mechanically stable, therefore without free energy" in line for line in sc.why)
    assert bcc.gibbs is not None


def test_verdict_says_no_more_than_what_was_tried(static_comparison: Comparison) -> None:
    words = static_comparison.verdict()
    assert words.startswith("lowest of the candidates tried, by harmonic Gibbs energy")
    assert "stable phase" not in words
    assert all(name in words for name in ("fcc", "hcp", "bcc", "sc"))


def test_harmonic_gibbs_energy_is_lowest_at_its_volume() -> None:
    start = relax(place("fcc", {"NC": D}, {"A": "NC"}), ONE.pairs, PRESSURE).crystal
    found = quasiharmonic(start, ONE.pairs, PRESSURE)

    def gibbs(scale: float) -> float:
        crystal = Crystal(found.crystal.cell * scale, found.crystal.fractional, found.crystal.types)
        from supercrystal.solids.lattice_energy import static

        energy = static(crystal, ONE.pairs).energy
        return (
            energy + vibrations(force_constants(crystal, ONE.pairs)).free_energy + PRESSURE * crystal.volume
        )

    assert found.crystal.volume > start.volume
    assert found.gibbs == pytest.approx(gibbs(1.0), abs=1e-9)
    assert min(gibbs(0.998), gibbs(1.002)) > gibbs(1.0)
    # Thermal motion pays less than at the volume of T = 0.
    cold = gibbs((start.volume / found.crystal.volume) ** (1 / 3))
    assert found.gibbs < cold


def test_anharmonic_part_of_a_known_free_energy() -> None:
    # F_anh = a T² + b T³ means U_anh = -a T² - 2 b T³.
    a, b, n, u0 = -0.07, 0.012, 400, 3.0
    half, full = (u0 + 1.5 * t * (n - 1) / n - a * t**2 - 2 * b * t**3 for t in (0.5, 1.0))
    found = anharmonic((half, 0.001), (full, 0.002), u0, n)
    assert found.free_energy == pytest.approx(a + b)
    assert found.systematic == pytest.approx(abs(b))
    assert found.leading == pytest.approx(a + 2 * b)
    assert found.error == pytest.approx(0.004)


@pytest.mark.parametrize("phase", lattices.names())
def test_conventional_cell_has_the_particles_of_the_catalogue(phase: str) -> None:
    kind = lattices.prototype(phase)
    small = {name: name for name in kind.species_counts}
    diameters = {name: 10.0 if name == "A" else 5.0 for name in small}
    crystal = place(phase, diameters, small)
    cell = conventional(phase, crystal)
    counts = {name: cell.types.count(name) for name in small}
    assert counts == kind.species_counts
    assert cell.density == pytest.approx(crystal.density)
    assert keeps_lattice(phase, crystal)
    sheared = np.array([[1.01, 0, 0], [0, 1, 0.004], [0, 0.004, 0.99]])
    assert not keeps_lattice(phase, Crystal(crystal.cell @ sheared, crystal.fractional, crystal.types))


def test_supercell_has_room_for_the_forces() -> None:
    cell = conventional("hcp", place("hcp", {"NC": D}, {"A": "NC"}))
    big, repeats = supercell(cell, 11.9, 500)
    assert big.n >= 500
    assert big.n == cell.n * math.prod(repeats)
    assert np.all(box.widths(big.cell) >= dynamics.WIDTH * 11.9)
    assert box.widths(big.cell).max() < 1.6 * box.widths(big.cell).min()


def test_engine_sees_the_energy_of_the_crystal(lammps: base.Choice) -> None:
    from supercrystal.solids.lattice_energy import static
    from supercrystal.system import Schedule

    crystal = relax(place("AlB2", dict(TWO.diameters), {"A": "l", "B": "s"}), TWO.pairs, 0.1).crystal
    big, _ = supercell(conventional("AlB2", crystal).upright(), 11.9, 300)
    engine = base.start(lammps, system_of(big, TWO, 0.002, None, 1), Schedule(steps=(0, 10)), seed=1)
    assert engine.potential_energy() / big.n == pytest.approx(
        static(crystal, TWO.pairs).energy / crystal.n, rel=1e-6
    )
    assert np.abs(engine.forces()).max() < 1e-3


def test_cold_crystal_has_the_energy_of_equipartition(lammps: base.Choice) -> None:
    crystal = relax(place("fcc", {"NC": D}, {"A": "NC"}), ONE.pairs, PRESSURE)
    stiffest = stability(force_constants(crystal.crystal, ONE.pairs), PRESSURE).largest
    warm = at_fixed_cell(
        "fcc", crystal.crystal, ONE, 0.02, lammps, stiffest=stiffest, steps=12_000, particles=200, seed=4
    )
    assert warm.kept
    exact = 1.5 * 0.02 * (warm.n - 1) / warm.n
    assert warm.energy[0] - crystal.energy_per_particle == pytest.approx(
        exact, abs=4 * warm.energy[1] + 0.01 * exact
    )
    assert warm.energy[1] < 0.03 * exact


@pytest.mark.parametrize(("phase", "survives"), [("fcc", True), ("sc", False)])
def test_survival_under_pressure(phase: str, survives: bool, lammps: base.Choice) -> None:
    crystal = relax(place(phase, {"NC": D}, {"A": "NC"}), ONE.pairs, PRESSURE).crystal
    stiffest = stability(force_constants(crystal, ONE.pairs), PRESSURE).largest
    found = under_pressure(
        phase, crystal, ONE, PRESSURE, lammps, stiffest=stiffest, time=10, particles=250, seed=2
    )
    assert found.survived is survives
    assert (found.became == phase) is survives
    if survives:
        harmonic = quasiharmonic(crystal, ONE.pairs, PRESSURE)
        # The volume of lowest harmonic Gibbs energy is that of the simulation to what anharmonicity does.
        assert found.density[0] == pytest.approx(harmonic.crystal.density, rel=0.005)
        assert found.lengths[0][0] == pytest.approx((4 / found.density[0]) ** (1 / 3), rel=0.02)
        assert found.on_site == 1


def test_candidates_of_a_mixture() -> None:
    found = entries(["bcc", "NaCl", "ABO3"], ["s", "l"], TWO.diameters)
    names = ["bcc (s)", "bcc (l)", "NaCl (l, s)", "ABO3 (l, s)", "fcc (s)", "fcc (l)"]
    assert [e.name for e in found] == names
    assert [e.added for e in found] == [False] * 4 + [True] * 2
    assert found[3].composition == pytest.approx({"l": 0.2, "s": 0.8})
    three = entries(["ABO3", "NaCl"], ["s", "m", "l"], {"s": 1.0, "m": 2.0, "l": 3.0})
    assert [e.name for e in three[:2]] == ["ABO3 (l, m, s)", "ABO3 (l, s, m)"]
    assert [e.name for e in three[2:5]] == ["NaCl (l, m)", "NaCl (l, s)", "NaCl (m, s)"]
    with pytest.raises(PhysicsError, match="2 species and the study has one"):
        entries(["NaCl"], ["l"], {"l": 1.0})
    with pytest.raises(UnknownNameError, match="did you mean 'MgZn2'"):
        entries(["MgZn3"], ["s", "l"], TWO.diameters)


def test_mixture_is_compared_with_separated_phases() -> None:
    found = compare(["NaCl", "CsCl"], TWO, {"s": 20, "l": 10}, Settings(0.2, dynamics=False), None)
    result = found.to_dict()
    assert sum(result["lowest_by_enthalpy"]["phases"].values()) == pytest.approx(1)
    # The lowest set has the composition of the study.
    shares = {name: 0.0 for name in ("s", "l")}
    compositions = {row["name"]: row["composition"] for row in result["candidates"]}
    for name, weight in result["lowest_by_enthalpy"]["phases"].items():
        for kind, share in compositions[name].items():
            shares[kind] += weight * share
    assert shares == pytest.approx({"s": 2 / 3, "l": 1 / 3})
    for row in result["candidates"]:
        if row["enthalpy_above_kT"] is not None:
            assert row["enthalpy_above_kT"] >= 0


def test_crystal_without_minimum_is_reported_not_raised() -> None:
    found = examine(Entry("fcc", "fcc", {"A": "NC"}), ONE, Settings(0.0, dynamics=False), None)
    assert found.relaxed is None
    assert any("raise the pressure" in line for line in found.why)


def test_pressure_of_a_study(example: Study, example_text: str) -> None:
    made, counts = from_study.substance(example)
    assert counts == {"PbS": 1000}
    value, source = from_study.pressure(example, made)
    assert "OPM distance" in source
    # At this pressure fcc has its neighbours at the OPM distance.
    crystal = relax(place("fcc", dict(made.diameters), {"A": "PbS"}), made.pairs, value).crystal
    assert np.linalg.norm(crystal.cell[0]) == pytest.approx(made.diameters["PbS"], rel=1e-5)
    assert from_study.pressure(example, made, "100 kPa")[0] == pytest.approx(100 / kpa_per_kt_nm3(298.15))
    head = example_text[: example_text.index("[protocol]")]
    compressed = parse(head + '[protocol]\nkind = "compression"\npressure_kPa = [20.0, 300.0]\n')
    assert from_study.pressure(compressed, made)[0] == pytest.approx(300 / kpa_per_kt_nm3(298.15))
    for text in ("100", "kPa", "1 bar", "nankPa", ""):
        with pytest.raises(StudyError, match="a number and its unit"):
            from_study.parse_pressure(text, 298.15)


def test_dispersity_is_left_out(example: Study) -> None:
    assert example.nanocrystals[0].size_dispersity > 0
    made, _ = from_study.substance(example)
    assert list(made.pairs) == [("PbS", "PbS")]


def test_a_transformed_crystal_gets_no_free_energy(
    monkeypatch: pytest.MonkeyPatch, lammps: base.Choice
) -> None:
    from dataclasses import replace

    real = dynamics.at_fixed_cell
    monkeypatch.setattr(
        comparison.dynamics,
        "at_fixed_cell",
        lambda *a, **k: replace(real(*a, **k), kept=False, became="hcp"),
    )
    settings = Settings(PRESSURE, time=2, energy_steps=2000, particles=250)
    found = examine(Entry("fcc", "fcc", {"A": "NC"}), ONE, settings, lammps)
    assert found.gibbs is None
    assert any("at the end: hcp" in line for line in found.why)
