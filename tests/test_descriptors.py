from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from supercrystal.structure import training
from supercrystal.structure.descriptors import Role, describe, names
from supercrystal.structure.labels import log_probability, model, phases
from supercrystal.structure.sample import opened, sample


def table(made: training.Made, role: Role) -> dict[str, NDArray[np.float32]]:
    found = sample(made.box, made.positions, made.kinds)
    hosts = made.kinds == 0
    chosen, others = (hosts, ~hosts) if role == "host" else (~hosts, hosts)
    values = describe(found, chosen, others, role).values(role)
    return dict(zip(names(role), values.T, strict=True))


@pytest.mark.parametrize(
    ("phase", "role", "column", "q4", "q6"),
    # Complete shells of ideal crystals, by freud's Steinhardt on one shell.
    [
        ("NaCl", "host", "H→G q{}(6)", 0.7638, 0.3536),
        ("CsCl", "host", "H→G q{}(8)", 0.5092, 0.6285),
        ("ABO3", "host", "H→G q{}(12)", 0.1909, 0.5745),
        ("AuCu3", "host", "H→G q{}(12)", 0.1909, 0.5745),
        ("AlB2", "host", "H→G q{}(12)", 0.4286, 0.1270),
    ],
)
def test_bonds_across_species_have_the_values_of_their_polyhedra(
    phase: str, role: Role, column: str, q4: float, q6: float
) -> None:
    made = training.crystal(phase, np.random.default_rng(1))
    found = table(made, role)
    np.testing.assert_allclose(found[column.format(4)], q4, atol=2e-4)
    np.testing.assert_allclose(found[column.format(6)], q6, atol=2e-4)


def test_twenty_guests_tell_abo3_from_aucu3() -> None:
    q4, q6 = (table(training.crystal(phase, np.random.default_rng(1)), "host") for phase in ("ABO3", "AuCu3"))
    # The first twelve guests are the same; the body centre comes after them.
    np.testing.assert_allclose(q4["H→G q4(12)"].mean(), q6["H→G q4(12)"].mean(), atol=1e-4)
    np.testing.assert_allclose(q4["H→G q4(20)"], 0.3182, atol=2e-4)
    assert abs(q4["H→G q4(20)"].mean() - q6["H→G q4(20)"].mean()) > 0.05


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31 - 1), scale=st.floats(0.1, 100.0))
def test_descriptors_do_not_see_rotation_scale_or_order(seed: int, scale: float) -> None:
    made = training.crystal("CaCu5", np.random.default_rng(2), noise=0.05, shape="cluster", count=300)
    x = Rotation.random(random_state=seed).apply(made.positions) * scale
    order = np.random.default_rng(seed).permutation(len(x))
    box = np.array([*(np.full(3, 3.0 * np.ptp(x, axis=0).max())), 0, 0, 0])
    turned = training.Made(box, x[order], made.kinds[order], made.sites[order], made.phase)
    for role in ("host", "guest"):
        one, two = table(made, role), table(turned, role)
        mine = order[(made.kinds[order] == 0) == (role == "host")]
        rank = {
            particle: k for k, particle in enumerate(np.flatnonzero((made.kinds == 0) == (role == "host")))
        }
        for name, values in one.items():
            np.testing.assert_allclose(two[name], values[[rank[i] for i in mine]], atol=2e-3, err_msg=name)


def test_models_hold_what_their_descriptors_are_called() -> None:
    for role in ("one", "host", "guest"):
        fitted = model(role)
        assert fitted.descriptors == names(role)
        assert fitted.weights.shape == (len(fitted.descriptors), len(fitted.classes))
        assert set(fitted.classes) <= set(phases())
    found = log_probability("one", np.zeros((3, len(names("one"))), np.float32))
    assert found.shape == (3, len(phases()))
    assert np.all(np.isneginf(found[:, phases().index("NaCl")]))


def test_the_discriminant_is_fishers() -> None:
    rng = np.random.default_rng(1)
    classes = np.repeat([0, 1], 4000)
    values = rng.normal(0, 1, (8000, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]]) + np.outer(classes, [2.0, -1.0])
    weights, offsets = training.discriminant(values, classes)
    covariance = np.array([[1.0, 0.6], [0.0, 0.8]]).T @ np.array([[1.0, 0.6], [0.0, 0.8]])
    expected = np.linalg.solve(covariance, [2.0, -1.0])
    np.testing.assert_allclose(weights[:, 1] - weights[:, 0], expected, atol=0.15)
    # The border lies half-way between the means.
    middle = np.array([1.0, -0.5])
    assert middle @ (weights[:, 1] - weights[:, 0]) + offsets[1] - offsets[0] == pytest.approx(0, abs=0.15)


def test_samples_are_what_they_say() -> None:
    rng = np.random.default_rng(3)
    ideal = training.crystal("ABO3", rng, count=2000)
    made = training.crystal("ABO3", rng, count=2000, noise=0.05, vacancies=0.1, antisites=0.05)
    assert len(made.positions) == pytest.approx(0.9 * len(ideal.positions), rel=0.03)
    wrong = (made.kinds == 0) != (made.sites == "A")
    assert wrong.mean() == pytest.approx(0.05, abs=0.02)
    molten = training.half_molten(rng, "ABO3", noise=0.03)
    assert molten.phase == "disordered"
    gas = training.amorphous(rng, guests=3, ratio=0.5, filling=0.4, count=400)
    assert (gas.kinds == 1).sum() == 3 * (gas.kinds == 0).sum()


@pytest.mark.long
def test_the_same_seed_gives_the_coefficients_of_the_package() -> None:
    stored = json.loads((resources.files("supercrystal") / "structure" / "labels.json").read_text())
    fitted = training.fit(1)
    for role, entry in stored.items():
        assert fitted[role]["classes"] == entry["classes"]
        for key in ("weights", "offsets"):
            one, two = np.array(fitted[role][key]), np.array(entry[key])
            # freud sums in single precision and in no fixed order.
            assert np.abs(one - two).max() < 0.02 * np.abs(two).max()


def test_axes_that_do_not_repeat_get_empty_space() -> None:
    box, x = opened([4, 4, 4, 0, 0, 0], np.array([[0, 0, -2.0], [0, 0, 2.0]]), (True, True, False), 5.0)
    assert box.tolist() == [4, 4, 9, 0, 0, 0]
    with pytest.raises(ValueError, match="tilted along z"):
        opened([4, 4, 4, 0, 0, 0.2], x, (True, True, False), 5.0)


def test_what_is_described_as_a_host_reads_as_a_guest_too() -> None:
    made = training.crystal("CaCu5", np.random.default_rng(4), noise=0.05, count=600)
    found = sample(made.box, made.positions, made.kinds)
    guests = made.kinds == 1
    narrow, wide = (describe(found, guests, ~guests, role) for role in ("guest", "host"))
    np.testing.assert_allclose(wide.values("guest"), narrow.values("guest"), atol=1e-5)
    assert wide.values("host").shape[1] == len(names("host"))
    np.testing.assert_array_equal(wide.other, narrow.other)
