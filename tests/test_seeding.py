from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal import lattices
from supercrystal.errors import PhysicsError
from supercrystal.interactions.shell import Shell
from supercrystal.packing import hard
from supercrystal.protocols import seeding
from supercrystal.structure.naming import name
from supercrystal.structure.trajectory import Configuration
from supercrystal.system import System

PHASES = [phase for phase in lattices.names() if lattices.prototype(phase).reference is not None]


def constants(phase: str) -> dict[str, float]:
    kind = lattices.prototype(phase)
    assert kind.reference is not None
    return dict(kind.reference)


def system(count: int = 1000, phase: str = "fcc") -> System:
    cells = seeding.repeats(phase, constants(phase), count)
    frame = seeding.crystal(phase, 1.0, cells, constants(phase), {"A": "X"})
    frame.particles.mass = np.full(frame.particles.N, 2.0)
    frame.particles.diameter = np.ones(frame.particles.N)
    return System(
        frame=frame,
        pairs={("X", "X"): (Shell(1.0, 1.2, 12.0),)},
        friction={"X": 0.5},
        timestep=0.004,
        length=1.0,
    )


@pytest.mark.parametrize("phase", PHASES)
def test_crystals_of_every_phase_are_that_phase_in_a_rectangular_box(phase: str) -> None:
    cells = seeding.repeats(phase, constants(phase), 1500)
    frame = seeding.crystal(phase, 0.8, cells, constants(phase))
    box = np.asarray(frame.configuration.box, float)
    assert not box[3:].any()
    assert frame.particles.N / np.prod(box[:3]) == pytest.approx(0.8, rel=1e-5)
    assert 700 < frame.particles.N < 3000
    assert 0.5 < box[1] / box[0] < 2
    assert box[2] / max(box[:2]) > 1
    rng = np.random.default_rng(1)
    x = np.asarray(frame.particles.position, float)
    x = x + 0.02 * rng.normal(size=x.shape)
    found = name(
        Configuration(
            0, box, x, np.asarray(frame.particles.typeid, np.intp), tuple(frame.particles.types), None
        )
    )
    assert found.phase == phase


@given(st.sampled_from(PHASES), st.integers(120, 5000), st.floats(1.0, 4.0))
def test_numbers_of_cells(phase: str, count: int, elongation: float) -> None:
    cells = seeding.repeats(phase, constants(phase), count, elongation)
    frame_count = np.prod(cells) * len(lattices.prototype(phase).labels)
    if lattices.prototype(phase).system == "hexagonal":
        frame_count *= 2
    assert min(cells[:2]) >= 1
    assert cells[2] >= 2
    assert count / 2.5 < frame_count < 2.5 * count or frame_count <= 2 * 112 * 2


@pytest.mark.parametrize("phase", ["fcc", "bcc", "NaCl", "AlB2"])
def test_slabs_have_whole_cells(phase: str) -> None:
    cells = seeding.repeats(phase, constants(phase), 800)
    frame = seeding.crystal(phase, 1.0, cells, constants(phase))
    seed = seeding.slab(frame, cells, 0.5)
    layers = round(0.5 * cells[2])
    assert seed.sum() * cells[2] == frame.particles.N * layers
    z = np.asarray(frame.particles.position)[:, 2]
    assert z[seed].max() < z[~seed].min()
    kinds = np.asarray(frame.particles.typeid)
    for kind in range(len(frame.particles.types)):
        assert np.sum(kinds[seed] == kind) * cells[2] == np.sum(kinds == kind) * layers


def test_ball() -> None:
    frame = system(4000).frame
    seed = seeding.ball(frame, 3.0)
    x = np.asarray(frame.particles.position)
    assert np.all(np.linalg.norm(x[seed], axis=1) < 3.0)
    assert seed.sum() == pytest.approx(4 / 3 * np.pi * 3.0**3, rel=0.25)  # sites come in shells


def test_size_classes_share_the_sites() -> None:
    frame = seeding.crystal("NaCl", 1.0, (3, 3, 6), {"a": 1.0})
    classes = {"A": ["P", "P:1"], "B": ["Q", "Q:1", "Q:2"]}
    result = seeding.spread(frame, classes, np.random.default_rng(0))
    counts = dict(zip(result.particles.types, np.bincount(result.particles.typeid).tolist(), strict=True))
    assert counts == {"P": 108, "P:1": 108, "Q": 72, "Q:1": 72, "Q:2": 72}
    was = np.array(frame.particles.types)[frame.particles.typeid]
    now = np.array(result.particles.types)[result.particles.typeid]
    assert all((new[0] == "P") == (old == "A") for old, new in zip(was, now, strict=True))


def test_holding_and_releasing() -> None:
    original = system()
    cells = seeding.repeats("fcc", {"a": 1.0}, 1000)
    seed = seeding.slab(original.frame, cells, 0.4)
    rng = np.random.default_rng(3)
    hot = seeding.held(original, seed, rng, hot=4.0)
    assert hot.types == ("X", "X:held")
    assert hot.fixed == {"X:held"}
    assert set(hot.pairs) == {("X", "X"), ("X", "X:held"), ("X:held", "X:held")}
    assert np.array_equal(np.asarray(hot.frame.particles.typeid) == 1, seed)
    assert hot.timestep == pytest.approx(original.timestep / 2)
    velocity = np.asarray(hot.frame.particles.velocity)
    assert not velocity[seed].any()
    schedule = seeding.melting(hot, hot=4.0)
    assert schedule.value("temperature", 0) == 4
    assert schedule.value("temperature", schedule.total) == 1
    assert schedule.total * hot.timestep == pytest.approx(
        (seeding.HEATING + seeding.COOLING) * 2 / 0.5, rel=0.01
    )

    again = seeding.released(original, hot.frame, rng)
    assert again.types == ("X",)
    velocity = np.asarray(again.frame.particles.velocity)
    assert np.allclose(velocity.mean(axis=0), 0, atol=1e-6)
    assert np.mean(2.0 * velocity**2) == pytest.approx(1, rel=0.1)
    np.testing.assert_array_equal(again.frame.particles.position, original.frame.particles.position)


def test_distance_from_the_seed_crosses_the_boundary() -> None:
    frame = system().frame
    box = np.asarray(frame.configuration.box)
    z = np.asarray(frame.particles.position)[:, 2]
    seed = z < -0.4 * box[2]
    far = seeding.far_from_seed(frame, seed, 2.0)
    assert far.any()
    assert np.all(z[far] < box[2] / 2 - 1.9)
    assert np.all(z[far] > -0.4 * box[2] + 1.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: seeding.repeats("fcc", {"a": 1.0}, 7),
        lambda: seeding.crystal("fcc", 0.0, (1, 1, 2), {"a": 1.0}),
        lambda: seeding.slab(seeding.crystal("fcc", 1.0, (2, 2, 4), {"a": 1.0}), (2, 2, 4), 0.05),
        lambda: seeding.slab(seeding.crystal("fcc", 1.0, (2, 2, 4), {"a": 1.0}), (2, 2, 4), 0.99),
        lambda: seeding.ball(seeding.crystal("fcc", 1.0, (4, 4, 4), {"a": 1.0}), 0.01),
        lambda: seeding.ball(seeding.crystal("fcc", 1.0, (4, 4, 4), {"a": 1.0}), 4.0),
    ],
)
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(PhysicsError):
        call()  # type: ignore[operator]


def test_hard_sphere_constants_serve() -> None:
    found = hard.constants("NaCl", 0.45)
    assert seeding.repeats("NaCl", {key: float(value) for key, value in found.items()}, 500)[2] >= 2
