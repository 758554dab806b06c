from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supercrystal import library
from supercrystal import study as studies
from supercrystal.errors import PhysicsError, StudyError
from supercrystal.interactions.shell import Shell
from supercrystal.interactions.tabulation import total_energy, total_force
from supercrystal.models import effective, shells
from supercrystal.models.model import CLOSEST, Batch
from supercrystal.models.pair_interactions import (
    BrushInteraction,
    Interaction,
    MieInteraction,
    OsmoticElasticInteraction,
    PowerLawInteraction,
)
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.packing import ocm
from supercrystal.report.terminal import console, mapping_table

T = 298.15
PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.4)
GOLD = Nanocrystal(Core("Au", 5.0), library.ligand("dodecanethiol"), 5.0)
BOTH = [Batch("PbS", PBS, 30), Batch("Au", GOLD, 20)]
KINDS: list[Interaction] = [
    PowerLawInteraction(12.0, 2.0, cross_strength=1.5),
    MieInteraction(2.0, cross_strength=1.3),
    MieInteraction(2.0, 24.0, 12.0, minimum="ocm", shifted=True),
    BrushInteraction(),
    OsmoticElasticInteraction(0.4, 0.177),
    OsmoticElasticInteraction(0.6, 0.177),
]
kinds = pytest.mark.parametrize("interaction", KINDS, ids=lambda i: f"{i.kind}-{i.strength:g}")


@kinds
def test_every_pair_of_types_has_potentials_that_end(interaction) -> None:  # type: ignore[no-untyped-def]
    model = effective.build(BOTH, T, interaction)
    keys = {("PbS", "PbS"), ("PbS", "Au"), ("Au", "Au")}
    assert set(model.pairs) == keys
    assert set(model.solvent) == (keys if interaction.variable else set())
    assert model.interaction == interaction.kind
    assert model.solvent_strength == interaction.strength
    for layer in (model.pairs, model.solvent):
        for potentials in layer.values():
            for potential in potentials:
                r = potential.r_cut
                assert float(potential.energy(r)) == pytest.approx(0, abs=1e-12)
                assert float(potential.force(r * (1 - 1e-9))) == pytest.approx(0, abs=1e-5)
    named = {(p.pair, p.name) for p in model.mapping}
    assert len(named) == len(model.mapping)
    assert all(math.isfinite(p.value) for p in model.mapping)


@kinds
def test_types_walls_and_frictions_are_those_of_the_shells(interaction) -> None:  # type: ignore[no-untyped-def]
    batches = [Batch("PbS", PBS, 50, 0.05), Batch("Au", GOLD, 20)]
    model, shell = effective.build(batches, T, interaction), shells.build(batches, T)
    for name in ("types", "counts", "diameters", "walls", "friction", "mass", "reference_diameter"):
        assert getattr(model, name) == getattr(shell, name)
    rows = effective.describe(model)
    assert {row["pair"] for row in rows} == {"PbS–PbS", "PbS–Au", "Au–Au"}
    assert len(effective.describe(model, every=True)) == len(model.mapping) > len(rows)


def test_power_law_has_its_strength_at_the_opm_distance_and_crosses_are_stronger() -> None:
    model = effective.build(BOTH, T, PowerLawInteraction(12.0, 2.0, cross_strength=1.5))
    d = model.diameters
    for key, contact, strength in (
        (("PbS", "PbS"), d[0], 2.0),
        (("PbS", "Au"), sum(d) / 2, 3.0),
        (("Au", "Au"), d[1], 2.0),
    ):
        assert float(total_energy(model.pairs[key], contact)) == pytest.approx(strength)
        assert float(total_energy(model.pairs[key], 2 * contact)) == pytest.approx(strength / 4096)


def test_size_classes_of_one_species_are_no_strangers() -> None:
    model = effective.build(
        [Batch("PbS", PBS, 50, 0.05)], T, PowerLawInteraction(12.0, 1.0, cross_strength=3.0)
    )
    contact = (model.diameters[0] + model.diameters[4]) / 2
    assert float(total_energy(model.pairs["PbS:1", "PbS:5"], contact)) == pytest.approx(1.0)


@pytest.mark.parametrize("minimum", ["opm", "ocm"])
@pytest.mark.parametrize("shifted", [False, True])
def test_mie_has_its_minimum_and_depth_where_it_was_asked(minimum: str, shifted: bool) -> None:
    interaction = MieInteraction(3.0, minimum=minimum, shifted=shifted)  # type: ignore[arg-type]
    model = effective.build([Batch("PbS", PBS, 30)], T, interaction)
    r = np.linspace(7.3, model.r_cut, 40_001)
    pair = total_energy(model.pairs["PbS", "PbS"], r) + 3.0 * total_energy(model.solvent["PbS", "PbS"], r)
    expected = (
        model.diameters[0] if minimum == "opm" else float(ocm.spacing(7.0, PBS.ligand.length_nm, PBS.xi))
    )
    assert r[np.argmin(pair)] == pytest.approx(expected, abs=1e-3)
    assert np.min(pair) == pytest.approx(-3.0, abs=1e-4)


def test_osmotic_strength_is_half_minus_chi_and_the_core_is_at_ocm() -> None:
    model = effective.build([Batch("PbS", PBS, 30)], T, OsmoticElasticInteraction(0.42, 0.177))
    assert model.solvent_strength == pytest.approx(0.08)
    assert model.strength(0.42) == pytest.approx(model.solvent_strength)
    assert model.solvent_variable == "chi"
    core = model.pairs["PbS", "PbS"][1]
    filled = float(ocm.spacing(7.0, PBS.ligand.length_nm, PBS.xi))
    assert float(core.energy(filled)) == pytest.approx(1.0)
    # Volume fraction of the shell as the packing models count ligands: 3 ξ x / [(1 + x)³ - 1].
    x = PBS.softness
    phi = next(p.value for p in model.mapping if p.name == "φ")
    assert phi == pytest.approx(3 * PBS.xi * x / ((1 + x) ** 3 - 1))


def test_molecules_of_the_librarys_solvents() -> None:
    for solvent in library.names("solvents"):
        assert 0.1 < effective.solvent_volume_nm3(solvent) < 0.3
    assert effective.solvent_volume_nm3("hexane") == pytest.approx(86.178 / 0.655 / 602.214, rel=1e-4)


def test_hamaker_is_added_to_any_interaction() -> None:
    plain = effective.build([Batch("PbS", PBS, 30)], T, BrushInteraction())
    attracting = effective.build([Batch("PbS", PBS, 30)], T, BrushInteraction(), attraction="hamaker")
    (brush,), (same, hamaker) = plain.pairs["PbS", "PbS"], attracting.pairs["PbS", "PbS"]
    assert brush == same
    assert float(hamaker.energy(plain.diameters[0])) < 0
    assert "A" in {p.name for p in attracting.mapping}


@given(epsilon=st.floats(0.1, 10), onset=st.floats(5, 15), exponent=st.floats(6, 40))
@settings(max_examples=25, deadline=None)
def test_stiffness_of_a_shell_is_its_curvature_at_kt(epsilon: float, onset: float, exponent: float) -> None:
    shell = Shell(epsilon, onset, exponent)
    turning = onset * (1 + math.sqrt(1 / epsilon)) ** (-2 / exponent)
    h = 1e-4 * turning
    curvature = -float(shell.force(turning + h) - shell.force(turning - h)) / (2 * h)
    assert effective.stiffest_curvature([shell], contact=onset) == pytest.approx(curvature, rel=0.01)
    # A lattice that pushes pairs further in meets more.
    assert effective.stiffest_curvature([shell], contact=0.95 * turning) > 1.1 * curvature


def test_the_time_step_serves_what_a_schedule_visits() -> None:
    batches = [Batch("PbS", PBS, 30)]
    good = effective.build(batches, T, OsmoticElasticInteraction(0.4, 0.177))
    to_poor = effective.build(batches, T, OsmoticElasticInteraction(0.4, 0.177), strengths=(-0.1,))
    poor = effective.build(batches, T, OsmoticElasticInteraction(0.6, 0.177))
    assert to_poor.timestep == pytest.approx(poor.timestep)
    assert to_poor.timestep < good.timestep / 2
    halved = effective.build(batches, T, OsmoticElasticInteraction(0.4, 0.177), timestep_factor=0.5)
    assert halved.timestep == pytest.approx(good.timestep / 2)


@kinds
def test_a_random_start_puts_no_pair_under_high_energy(interaction) -> None:  # type: ignore[no-untyped-def]
    model = effective.build(BOTH, T, interaction)
    assert model.placement_scale >= 1
    for i, a in enumerate(model.types):
        for j in range(i, 2):
            key = a, model.types[j]
            nearest = CLOSEST * model.placement_scale * (model.diameters[i] + model.diameters[j]) / 2
            r = np.linspace(nearest, model.r_cut, 5000)
            energy = total_energy(model.pairs[key], r)
            if interaction.variable:
                energy = energy + model.solvent_strength * total_energy(model.solvent[key], r)
            assert np.max(energy) < effective.START_ENERGY * (1 + 1e-6)


def test_a_brush_swells_the_spheres_of_the_start_and_a_shell_does_not() -> None:
    assert effective.build([Batch("PbS", PBS, 30)], T, BrushInteraction()).placement_scale > 1.1
    assert shells.build([Batch("PbS", PBS, 30)], T).placement_scale == 1


def test_forces_are_slopes_of_whole_pairs() -> None:
    for interaction in KINDS:
        model = effective.build(BOTH, T, interaction)
        for key in model.pairs:
            for potentials in (model.pairs[key], model.solvent.get(key, ())):
                if not potentials:
                    continue
                reach = max(p.r_cut for p in potentials)
                r = np.linspace(0.9 * reach, 0.995 * reach, 37)
                h = 1e-5
                slope = (total_energy(potentials, r + h) - total_energy(potentials, r - h)) / (2 * h)
                np.testing.assert_allclose(total_force(potentials, r), -slope, rtol=1e-4, atol=1e-5)


def test_ocm_that_is_not_defined_is_said() -> None:
    long = replace(PBS, core=Core("PbS", 2.0), grafting_density=3.0)
    with pytest.raises(PhysicsError, match="overlap"):
        effective.build([Batch("PbS", long, 30)], T, OsmoticElasticInteraction(0.4, 0.177))


@pytest.mark.parametrize(
    ("table", "kind", "variable"),
    [
        ('kind = "shell"', "shell", None),
        ('kind = "power-law"\nexponent = 8', "power-law", None),
        ('kind = "mie"\ndepth_kT = 2.5', "mie", "depth_kT"),
        ('kind = "shifted-mie"\ndepth_kT = 0\nminimum = "ocm"', "shifted-mie", "depth_kT"),
        ('kind = "brush"', "brush", None),
        ('kind = "osmotic-elastic"\nchi = 0.4', "osmotic-elastic", "chi"),
    ],
)
def test_a_study_names_its_interaction(
    example_text: str, table: str, kind: str, variable: str | None
) -> None:
    study = studies.parse(f"{example_text}\n[model.interaction]\n{table}\n")
    model = study.build_model()
    assert (model.interaction, model.solvent_variable) == (kind, variable)
    printed = console()
    with printed.capture() as captured:
        printed.print(
            mapping_table(
                {
                    "interaction": model.interaction,
                    "rows": effective.describe(model),
                    "timestep": model.timestep,
                }
            )
        )
    assert f"interaction: {kind}" in captured.get()
    assert "time step" in captured.get()


def test_without_a_table_the_interaction_is_the_shell_as_before(example_text: str) -> None:
    study = studies.parse(example_text)
    assert study.build_model().pairs == shells.build(study.batches(), study.temperature_K).pairs


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('kind = "mei"\n', "model.interaction.kind = 'mei': allowed shell.*did you mean 'mie'"),
        ('kind = "mie"\n', "model.interaction.depth_kT: missing"),
        ('kind = "mie"\ndepht_kT = 2', "model.interaction.depht_kT: unknown key; did you mean 'depth_kT'"),
        ('kind = "mie"\ndepth_kT = -1', "depth_kT = -1: allowed ≥ 0 .kT"),
        ('kind = "mie"\ndepth_kT = 1\nattraction_exponent = 12', "must be below repulsion_exponent = 12"),
        ('kind = "power-law"\nexponent = 3', "exponent = 3: allowed ≥ 4"),
        ('kind = "brush"\nchi = 0.4', "model.interaction.chi: unknown key; allowed here: kind"),
        ('kind = "osmotic-elastic"\nchi = 4', "chi = 4: allowed ≤ 2 .Flory"),
        ('kind = "mie"\ndepth_kT = 1\nminimum = "ocn"', "minimum = 'ocn': allowed.*did you mean 'ocm'"),
    ],
)
def test_a_bad_interaction_names_key_value_what_is_allowed(
    example_text: str, table: str, expected: str
) -> None:
    with pytest.raises(StudyError, match=expected):
        studies.parse(f"{example_text}\n[model.interaction]\n{table}\n")


def test_an_interaction_that_needs_nothing_may_be_named_alone(example_text: str) -> None:
    text = example_text.replace("[model]", '[model]\ninteraction = "brush"')
    assert studies.parse(text).build_model().interaction == "brush"
    with pytest.raises(StudyError, match="depth_kT: missing"):
        studies.parse(example_text.replace("[model]", '[model]\ninteraction = "mie"'))
