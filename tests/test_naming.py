from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from supercrystal.errors import TrajectoryError
from supercrystal.structure import training
from supercrystal.structure.grains import GATE, Gate
from supercrystal.structure.labels import phases
from supercrystal.structure.naming import Named, name
from supercrystal.structure.trajectory import Configuration

PHASES = training.recognised(1) + training.recognised(2)


def configuration(
    made: training.Made, species: tuple[str, ...] = ("A", "B", "O"), **more: object
) -> Configuration:
    return Configuration(
        0, made.box, made.positions, made.kinds, species[: int(made.kinds.max()) + 1], **more
    )


def share(found: Named, phase: str) -> float:
    return float(np.mean(found.labels == phases().index(phase)))


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_is_named_with_its_constants_and_defects(phase: str) -> None:
    made = training.crystal(
        phase, np.random.default_rng(11), noise=0.06, vacancies=0.02, antisites=0.01, count=1500
    )
    found = name(configuration(made))
    assert found.phase == found.verdict == phase
    assert share(found, phase) > 0.98
    assert len(found.grains) == 1
    grain = found.grains[0]
    assert grain.quality["score"] > GATE.score
    assert grain.quality["noise"] == pytest.approx(0.06, rel=0.1)
    assert grain.quality["vacancies"] == pytest.approx(0.02, abs=0.016)
    if phase in training.recognised(2):
        assert grain.antisites == pytest.approx(0.01, abs=0.008)
    value, error = grain.constants["a"]
    assert value == pytest.approx(1 / training.shortest(phase), abs=4 * error)
    assert error / value < 0.004


@pytest.mark.parametrize("phase", ["fcc", "MgZn2", "ABO3"])
def test_standard_errors_of_the_lattice_constant_cover_the_scatter(phase: str) -> None:
    pulls = []
    for seed in range(12):
        made = training.crystal(
            phase, np.random.default_rng(seed), noise=0.06, vacancies=0.02, count=800, shape="cluster"
        )
        value, error = name(configuration(made)).grains[0].constants["a"]
        pulls.append((value - 1 / training.shortest(phase)) / error)
    assert 0.4 < np.sqrt(np.mean(np.square(pulls))) < 2.0


@pytest.mark.parametrize("shape", ["slab", "cluster"])
@pytest.mark.parametrize("phase", ["hcp", "CsCl", "ABO3", "NaZn13"])
def test_surfaces_belong_to_the_crystal(phase: str, shape: str) -> None:
    made = training.crystal(
        phase, np.random.default_rng(3), noise=0.06, vacancies=0.02, shape=shape, count=1000
    )
    found = name(configuration(made))
    assert found.phase == phase
    assert share(found, phase) > 0.98


@settings(max_examples=12)
@given(seed=st.integers(0, 2**31 - 1), phase=st.sampled_from(["bcc", "NaCl", "AuCu3", "CaCu5"]))
def test_origin_order_scale_and_unit_do_not_change_a_label(seed: int, phase: str) -> None:
    made = training.crystal(phase, np.random.default_rng(1), noise=0.05, vacancies=0.02, count=700)
    one = name(configuration(made))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(made.positions))
    scale = rng.uniform(0.1, 50)
    box = made.box * [scale, scale, scale, 1, 1, 1]
    x = (made.positions + rng.uniform(-3, 3, 3))[order] * scale
    two = name(configuration(replace(made, box=box, positions=x, kinds=made.kinds[order])))
    assert two.phase == one.phase
    assert np.mean(two.labels == one.labels[order]) > 0.995
    a, b = one.grains[0].constants["a"], two.grains[0].constants["a"]
    assert b[0] / scale == pytest.approx(a[0], abs=3 * a[1])


def test_names_and_sizes_tell_the_host_and_else_it_is_tried() -> None:
    made = training.crystal("AlB2", np.random.default_rng(1), noise=0.04, count=900)
    swapped = replace(made, kinds=1 - made.kinds)
    by_trial = name(configuration(swapped, ("small", "large")))
    assert (by_trial.phase, by_trial.host) == ("AlB2", "large")
    by_name = name(configuration(swapped, ("B", "A")))
    assert (by_name.phase, by_name.host) == ("AlB2", "A")
    sizes = np.where(made.kinds == 0, 5.0, 3.0)
    by_size = name(configuration(made, ("x", "y"), diameters=sizes))
    assert (by_size.phase, by_size.host) == ("AlB2", "x")
    # The wrong host finds no AlB2, and says so instead of another compound.
    assert name(configuration(made, ("x", "y")), host="y").phase == "disordered"
    with pytest.raises(TrajectoryError, match="host 'z' is no species"):
        name(configuration(made, ("x", "y")), host="z")


@pytest.mark.parametrize("shuffled", [False, True])
def test_three_species_of_abo3_and_their_order(shuffled: bool) -> None:
    rng = np.random.default_rng(2)
    made = training.crystal("ABO3", rng, noise=0.05, merge=False, count=1500)
    kinds = made.kinds.copy()
    if shuffled:
        guests = np.flatnonzero(kinds > 0)
        kinds[guests] = kinds[rng.permutation(guests)]
    found = name(configuration(replace(made, kinds=kinds)))
    assert found.phase == "ABO3"
    occupancy = found.grains[0].occupancy
    if shuffled:
        assert occupancy["B"].get("O", 0) > occupancy["B"].get("B", 0)
        # As many as there are B, since O is the most common on both sites.
        assert found.grains[0].antisites == pytest.approx(0.2, abs=0.02)
    else:
        assert set(occupancy["A"]) == {"A"}
        assert set(occupancy["B"]) == {"B"}
        assert set(occupancy["O"]) == {"O"}
        assert found.grains[0].antisites == 0


@pytest.mark.parametrize("phase", training.recognised(2))
def test_an_ordered_host_with_molten_guests_is_no_compound(phase: str) -> None:
    made = training.half_molten(np.random.default_rng(5), phase, noise=0.06)
    found = name(configuration(made))
    assert found.phase == "disordered"
    assert not found.crystals
    assert found.fractions()["disordered"] > 0.999
    hosts = {
        "NaCl": "fcc",
        "CsCl": "sc",
        "AuCu3": "sc",
        "CaB6": "sc",
        "ABO3": "sc",
        "Li3Bi": "fcc",
        "bccAB6": "bcc",
    }
    if phase in hosts:
        assert found.verdict == f"A sublattice {hosts[phase]}, others disordered"


def tilted(
    phase: str, angle: float, seed: int = 0, noise: float = 0.05
) -> tuple[Configuration, NDArray[np.intp]]:
    """Two grains, the second turned about z, and which grain each particle was made in."""
    rng = np.random.default_rng(seed)
    made = training.crystal(phase, rng, count=14_000)
    x = made.positions - made.positions.mean(axis=0)
    half = 0.22 * np.ptp(x, axis=0).min()
    parts, kinds, grains = [], [], []
    for grain in (0, 1):
        turned = Rotation.from_rotvec(np.radians(angle * grain) * np.array([0.0, 0.0, 1.0])).apply(x)
        turned = turned + rng.uniform(-0.3, 0.3, 3)
        side = turned[:, 0] < -0.35 if grain == 0 else turned[:, 0] > 0.35
        keep = np.all(np.abs(turned) < half, axis=1) & side
        parts.append(turned[keep])
        kinds.append(made.kinds[keep])
        grains.append(np.full(keep.sum(), grain))
    positions = np.concatenate(parts)
    positions = positions + rng.normal(0, noise, positions.shape)
    box = np.array([*([2 * half + 8] * 3), 0, 0, 0])
    found = Configuration(0, box, positions, np.concatenate(kinds), ("A", "B")[: int(made.kinds.max()) + 1])
    return found, np.concatenate(grains)


@pytest.mark.parametrize(
    ("phase", "angle"), [("fcc", 20), ("bcc", 40), ("NaCl", 20), ("NaCl", 40), ("ABO3", 15)]
)
def test_two_grains_are_two_grains(phase: str, angle: float) -> None:
    made, grain = tilted(phase, angle)
    found = name(made)
    assert [g.phase for g in found.grains] == [phase, phase]
    for k in (0, 1):
        inside = grain[found.grain == k]
        assert max(np.mean(inside == 0), np.mean(inside == 1)) > 0.95
    between = found.grains[0].rotation.T @ found.grains[1].rotation
    from supercrystal.structure.misorientation import disorientation

    turn = float(disorientation(np.eye(3), between, "cubic"))
    assert turn == pytest.approx(min(angle % 90, 90 - angle % 90), abs=1.0)


def layers(sequence: str, noise: float = 0.05) -> tuple[Configuration, NDArray[np.intp]]:
    """Close-packed layers in a stacking sequence, and the layer of each particle."""
    width = 12
    shift = {"A": (0.0, 0.0), "B": (0.5, 3**0.5 / 6), "C": (1.0, 3**0.5 / 3)}
    cells = np.array(list(np.ndindex(width, width)))
    plane = cells @ np.array([[1.0, 0.0], [0.5, 0.75**0.5]])
    parts = [
        np.column_stack([plane + shift[letter], np.full(len(plane), k * (2 / 3) ** 0.5)])
        for k, letter in enumerate(sequence)
    ]
    x = np.concatenate(parts) + np.random.default_rng(1).normal(0, noise, (len(sequence) * width**2, 3))
    box = np.array([width, width * 0.75**0.5, len(sequence) * (2 / 3) ** 0.5 + 6, 3**-0.5, 0, 0])
    return Configuration(0, box, x, np.zeros(len(x), np.intp), ("A",)), np.repeat(
        np.arange(len(sequence)), width**2
    )


@pytest.mark.parametrize(
    ("sequence", "hexagonal"),
    [("ABCABCABC", ""), ("ABABABABA", "123456 7"), ("ABCABCBCABCABC", "56"), ("ABCABCACBACBACB", "6")],
)
def test_stacking_faults_and_twin_planes_are_hcp_and_the_rest_fcc(sequence: str, hexagonal: str) -> None:
    made, layer = layers(sequence)
    found = name(made)
    names = np.array(phases())[found.labels]
    for k in range(1, len(sequence) - 1):
        expected = "hcp" if str(k) in hexagonal else "fcc"
        assert np.mean(names[layer == k] == expected) > 0.95, (k, expected)


def test_a_pure_crystal_beside_another_liquid_is_a_crystal_of_one_species() -> None:
    rng = np.random.default_rng(4)
    crystal = training.crystal("fcc", rng, noise=0.05, count=900, shape="slab")
    liquid = training.amorphous(rng, guests=0, ratio=1.0, filling=0.5, count=2000)
    box = crystal.box.copy()
    box[2] = np.ptp(crystal.positions[:, 2]) + 13
    x = liquid.positions - liquid.positions.mean(axis=0)
    beside = x[np.all(np.abs(x) < [box[0] / 2, box[1] / 2, 5.5], axis=1)] + [0, 0, box[2] / 2]
    kinds = np.repeat([0, 1], [len(crystal.positions), len(beside)])
    found = name(Configuration(0, box, np.concatenate([crystal.positions, beside]), kinds, ("A", "B")))
    assert found.phase == "fcc"
    assert np.mean(found.labels[kinds == 0] == phases().index("fcc")) > 0.97
    assert np.mean(found.labels[kinds == 1] == 0) > 0.99


def test_a_random_mixture_on_one_lattice_is_no_compound() -> None:
    rng = np.random.default_rng(6)
    made = training.crystal("fcc", rng, noise=0.05)
    found = name(configuration(replace(made, kinds=rng.integers(0, 2, len(made.kinds)))))
    assert found.phase == "disordered"
    assert found.fractions()["disordered"] > 0.99


def test_a_few_foreign_particles_do_not_hide_a_crystal() -> None:
    rng = np.random.default_rng(6)
    made = training.crystal("fcc", rng, noise=0.05, count=1500)
    kinds = (rng.random(len(made.kinds)) < 0.02).astype(np.intp)
    found = name(configuration(replace(made, kinds=kinds)))
    assert found.phase == "fcc"


def test_what_is_not_periodic_is_opened() -> None:
    made = training.crystal("fcc", np.random.default_rng(1), noise=0.03, shape="slab", count=900)
    tight = made.box.copy()
    tight[2] = np.ptp(made.positions[:, 2])
    found = name(configuration(replace(made, box=tight)), periodic=(True, True, False))
    assert found.phase == "fcc"
    assert share(found, "fcc") > 0.98


def test_a_box_of_one_cell_is_what_its_copies_are() -> None:
    for phase in ("NaZn13", "bccAB6", "Li3Bi"):
        made = training.crystal(phase, np.random.default_rng(1), noise=0.02, count=1, cells=1)
        found = name(configuration(made))
        assert found.phase == phase
        assert share(found, phase) == 1.0
        assert sum(grain.n for grain in found.grains) == len(made.positions)


def test_the_gate_decides() -> None:
    made = training.crystal("NaCl", np.random.default_rng(1), noise=0.06, vacancies=0.02, count=800)
    assert name(configuration(made)).phase == "NaCl"
    for strict in (
        Gate(score=0.999),
        Gate(evidence=1e6),
        Gate(hosts=10_000),
        Gate(sites=10_000),
        Gate(strain=1e-6),
    ):
        found = name(configuration(made), gate=strict)
        assert found.phase == "disordered"
    refused = name(configuration(made), gate=Gate(score=0.999)).refused
    assert any("score" in reason for _, reason in refused)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"species": ("A", "B", "C", "D"), "kinds": np.arange(200) % 4}, "up to 3"),
        ({"positions": np.zeros((200, 3))}, "same place"),
        ({"positions": np.full((200, 3), np.nan)}, "not finite"),
        ({"box": np.array([9.0, 9.0, 0.0, 0, 0, 0])}, "not three-dimensional"),
        (
            {"positions": np.random.default_rng(1).uniform(0, 9, (5, 3)), "kinds": np.zeros(5, int)},
            "more than 12",
        ),
        ({"positions": np.zeros((1, 3)), "kinds": np.zeros(1, int)}, "more than 12"),
    ],
)
def test_what_cannot_be_named_is_refused_with_the_reason(change: dict[str, object], words: str) -> None:
    rng = np.random.default_rng(1)
    given_ = {
        "index": 0,
        "box": np.array([9.0, 9.0, 9.0, 0, 0, 0]),
        "positions": rng.uniform(-4.5, 4.5, (200, 3)),
        "kinds": np.zeros(200, int),
        "species": ("A",),
    }
    with pytest.raises(TrajectoryError, match=words):
        name(Configuration(**{**given_, **change}))  # type: ignore[arg-type]


def test_a_species_of_few_particles_counts_as_foreign() -> None:
    made = training.crystal("fcc", np.random.default_rng(1), noise=0.05, count=900)
    kinds = np.zeros(len(made.kinds), np.intp)
    kinds[:3] = 1
    found = name(configuration(replace(made, kinds=kinds)))
    assert found.phase == "fcc"
    assert any("too few" in note for note in found.notes)
    # No particle at all of a named species is no species.
    assert name(Configuration(0, made.box, made.positions, 0 * kinds, ("A", "B"))).phase == "fcc"
