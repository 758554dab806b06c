from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.packing import hard
from supercrystal.structure import averaging
from supercrystal.structure.labels import phases
from supercrystal.structure.naming import name
from supercrystal.structure.trajectory import Configuration, open_trajectory
from tests.lattice_samples import crystal
from tests.validation import md_samples
from tests.validation.md_runs import Force, Sample, Simulation, lattice, neighbour_pairs, wca


def _fcc(seed: int = 1, noise: float = 0.0) -> Configuration:
    box, x = crystal("fcc", 256, noise, seed)
    return Configuration(0, box, x, np.zeros(len(x), np.intp), ("A",), tags=np.arange(len(x)))


def _frames(start: Configuration, shifts: list[NDArray], box: NDArray | None = None) -> list[Configuration]:
    """Frames with these displacements, wrapped into the box, the last one first."""
    length = start.box[:3]
    made = []
    for k, shift in enumerate(shifts):
        x = start.positions + shift
        made.append(replace(start, index=k, positions=x - length * np.round(x / length)))
    return made[::-1]


def _apart(found: Configuration, expected: NDArray) -> float:
    """Largest distance from where particles are expected, one shift of all of them aside."""
    away = found.positions - expected
    away -= found.box[:3] * np.round(away / found.box[:3])
    away -= np.median(away, axis=0)
    away -= found.box[:3] * np.round(away / found.box[:3])
    return float(np.linalg.norm(away, axis=1).max())


@given(st.integers(1, 7), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_mean_is_the_mean(count: int, seed: int) -> None:
    start = _fcc()
    rng = np.random.default_rng(seed)
    shifts = [rng.normal(0, 0.05, (start.n, 3)) for _ in range(count)]
    found = averaging.average_of(_frames(start, shifts))
    assert not found.mobile.any()
    assert _apart(found.configuration, start.positions + np.mean(shifts, axis=0)) < 0.05 / 5
    assert found.frames == tuple(range(count))
    if count > 1:
        assert found.noise * found.spacing == pytest.approx(0.05, rel=0.1)


def test_one_frame_is_itself() -> None:
    start = _fcc(noise=0.1)
    found = averaging.average_of([start])
    assert _apart(found.configuration, start.positions) < 1e-12
    assert not found.mobile.any()
    assert np.isnan(found.noise)


def test_a_drift_through_the_box_does_not_smear() -> None:
    start = _fcc()
    drift = [np.broadcast_to([0.9 * k, -0.7 * k, 0.4 * k], (start.n, 3)) for k in range(20)]
    found = averaging.average_of(_frames(start, drift))
    assert _apart(found.configuration, start.positions) < 1e-9
    assert found.spread.max() < 1e-6


def test_a_box_that_changes_carries_its_particles_along() -> None:
    start = _fcc()
    rng = np.random.default_rng(3)
    frames = []
    for k, scale in enumerate(np.linspace(1.2, 1.0, 6)):
        x = (start.positions + rng.normal(0, 0.02, start.positions.shape)) * scale
        frames.append(replace(start, index=k, box=start.box * [scale, scale, scale, 1, 1, 1], positions=x))
    found = averaging.average_of(frames[::-1])
    assert np.array_equal(found.configuration.box, start.box)
    assert _apart(found.configuration, start.positions) < 0.05
    assert not found.mobile.any()
    # Lengths that are compared as they are see the particles of an outer shell move by a tenth of the box.
    stiff = averaging.average_of(frames[::-1], periodic=(False, False, False))
    assert _apart(stiff.configuration, start.positions) > 0.2


def test_a_sheared_box_is_followed() -> None:
    start = _fcc()
    frames = []
    for k, tilt in enumerate((0.0, 0.1, 0.2)):
        box = start.box + np.array([0, 0, 0, tilt, 0, 0])
        x = start.positions.copy()
        x[:, 0] += tilt * x[:, 1]
        frames.append(replace(start, index=k, box=box, positions=x))
    found = averaging.average_of(frames[::-1])
    assert np.abs(found.configuration.positions - frames[-1].positions).max() < 1e-9


def test_boxes_around_each_frame_do_not_stretch_a_cluster() -> None:
    start = _fcc()
    rng = np.random.default_rng(4)
    wide = [replace(start, index=k, box=start.box * [*(3 + rng.random(3)), 1, 1, 1]) for k in range(4)]
    found = averaging.average_of(wide, periodic=(False, False, False))
    assert np.abs(found.configuration.positions - start.positions).max() < 1e-9
    assert averaging.average_of(wide).spread.max() > 0.1


def test_particles_that_diffuse_stay_where_they_are() -> None:
    start = _fcc()
    rng = np.random.default_rng(6)
    walk = np.cumsum(rng.normal(0, 0.6, (6, start.n, 3)), axis=0)
    walk[:, 20:] = rng.normal(0, 0.05, (6, start.n - 20, 3))
    frames = _frames(start, list(walk))
    found = averaging.average_of(frames)
    assert not found.mobile[20:].any()
    assert found.mobile[:20].mean() > 0.9
    still = found.mobile
    away = found.configuration.positions - frames[0].positions
    away -= start.box[:3] * np.round(away / start.box[:3])
    assert np.abs(away[still]).max() < 1e-9
    assert np.abs(away[~still]).max() > 0.01


def test_orientations_are_those_of_the_last_frame() -> None:
    start = _fcc()
    q = np.random.default_rng(1).normal(size=(2, start.n, 4))
    frames = [replace(start, index=k, orientations=q[k]) for k in (1, 0)]
    assert np.array_equal(averaging.average_of(frames).configuration.orientations, q[1])


def test_a_flat_box_is_averaged_in_its_plane() -> None:
    rng = np.random.default_rng(2)
    x = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), -1).reshape(-1, 2)
    x = np.c_[x - 4.5, np.zeros(100)]
    noise = rng.normal(0, 0.05, (8, 100, 3)) * [1, 1, 0]
    start = Configuration(0, np.array([10.0, 10, 0, 0, 0, 0]), x, np.zeros(100, np.intp), ("A",))
    found = averaging.average_of(_frames(replace(start, box=np.array([10.0, 10, 1, 0, 0, 0])), list(noise)))
    flat = averaging.average_of(
        [
            replace(f, box=start.box)
            for f in _frames(replace(start, box=np.array([10.0, 10, 1, 0, 0, 0])), list(noise))
        ]
    )
    assert np.allclose(flat.configuration.positions, found.configuration.positions)
    assert np.all(flat.configuration.positions[:, 2] == 0)
    assert not flat.mobile.any()


# ---------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: replace(c, positions=c.positions[1:], kinds=c.kinds[1:], tags=c.tags[1:]), "255 and 256"),
        (lambda c: replace(c, tags=np.roll(c.tags, 1)), "256 have another number"),
        (lambda c: replace(c, kinds=np.eye(1, c.n, 3, dtype=np.intp)[0], species=("A", "B")), "1 are of another species"),
        (lambda c: replace(c, box=np.zeros(6)), "write the box with each frame"),
    ],
)  # fmt: skip
def test_other_particles_are_refused(change, words: str) -> None:
    start = _fcc()
    start = replace(start, positions=start.positions[:256], kinds=start.kinds[:256], tags=start.tags[:256])
    with pytest.raises(TrajectoryError, match=words):
        averaging.average_of([start, change(replace(start, index=7))])


def test_species_may_be_listed_in_another_order() -> None:
    start = replace(_fcc(), species=("A", "B"))
    other = replace(start, index=1, species=("B", "A"), kinds=1 - start.kinds)
    assert averaging.average_of([start, other]).frames == (1, 0)


def test_no_frame_is_refused() -> None:
    with pytest.raises(TrajectoryError, match="one frame or more"):
        averaging.average_of([])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((10, -1, 0), "one frame or more"),
        ((10, -1, -3), "one frame or more"),
        ((10, -1, 11), "at most 10, or end later; the trajectory has 10"),
        ((10, 3, 5), "ends with frame 3 needs 4 before it: average over at most 4"),
        ((10, 9, 4, 4), "at most 3"),
        ((10, 10, 1), "no frame 10: allowed 0 to 9"),
        ((10, -11, 1), "no frame -11"),
        ((10, 2, 2, 0), "1 or more apart"),
        ((10, 2.5, 2), "whole numbers"),
        ((10, 2, 2.0), "whole numbers"),
    ],
)
def test_windows_that_do_not_exist_are_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(TrajectoryError, match=words):
        averaging.window(*arguments)


def test_windows_take_integers_of_numpy() -> None:
    assert averaging.window(10, np.int64(-1), np.int32(3)) == range(7, 10)


def test_frames_of_a_file(tmp_path: Path) -> None:
    start = _fcc()
    rng = np.random.default_rng(8)
    path = tmp_path / "hot.gsd"
    with gsd.hoomd.open(path, "w") as file:
        for step in range(6):
            frame = gsd.hoomd.Frame()
            frame.configuration.box, frame.configuration.step = start.box, step
            frame.particles.N, frame.particles.types = start.n, ["A"]
            frame.particles.position = start.positions + rng.normal(0, 0.05, start.positions.shape)
            file.append(frame)
    with open_trajectory(path) as trajectory:
        found = averaging.average(trajectory, frames=5)
        assert (found.frames, found.configuration.index, found.configuration.step) == ((1, 2, 3, 4, 5), 5, 5)
        assert _apart(found.configuration, start.positions) < 0.15
        with pytest.raises(TrajectoryError, match="average over at most 6"):
            averaging.average(trajectory, frames=7)


# --------------------------------------------------------------------------------------------- what it is good for


@pytest.mark.parametrize("phase", ["MgZn2", "NaCl", "fcc"])
@pytest.mark.parametrize("sigma", [0.16, 0.20])
def test_five_independent_frames_name_what_one_does_not(phase: str, sigma: float) -> None:
    gamma = {"MgZn2": 0.8, "NaCl": 0.5, "fcc": 1.0}[phase]
    cell = {k: float(v) for k, v in hard.constants(phase, gamma).items()}
    repeats = {"MgZn2": (6, 6, 4), "NaCl": (4, 4, 4), "fcc": (6, 6, 6)}[phase]
    box, sites, kinds, species = lattice(phase, cell, repeats)
    d = float(neighbour_pairs(box, sites, 1.3 * float(np.prod(box[:3]) / len(sites)) ** (1 / 3))[1].min())
    rng = np.random.default_rng(5)
    frames = [
        Configuration(k, box, sites + rng.normal(0, sigma * d, sites.shape), kinds, species) for k in range(5)
    ]
    guests = kinds == len(species) - 1
    own = phases().index(phase)
    one, found = name(frames[-1]), averaging.average_of(reversed(frames))
    mean = name(found.configuration)
    share = float(np.mean(one.labels[guests] == own)), float(np.mean(mean.labels[guests] == own))
    # At 0.16 a single frame of MgZn2 is just named; at 0.20 nothing is.
    assert share[0] < (0.85 if sigma < 0.2 else 0.01)
    assert sigma < 0.2 or one.phase == "disordered"
    assert share[1] > share[0] + 0.15
    assert mean.phase == phase
    assert share[1] > 0.95
    assert found.noise * found.spacing == pytest.approx(sigma * d, rel=0.05)
    assert float(found.mobile.mean()) < (0.005 if sigma < 0.2 else 0.06)


def _run(
    made: Sample, force: Force, steps: int, every: int, timestep: float = 0.005, kT: float = 1.0
) -> list[Configuration]:
    """Successive frames, wrapped, that continue a sample of `md_samples`; the last one first."""
    run = Simulation(made.box, made.positions, made.kinds, force, timestep=timestep, seed=9)
    run.velocities(kT)
    run.equilibrate(kT, 300)
    frames, _ = run.produce(kT, steps, every)
    return [
        Configuration(k, made.box, x - made.box[:3] * np.round(x / made.box[:3]), made.kinds, made.species, made.diameters)
        for k, x in enumerate(frames)
    ][::-1]  # fmt: skip


@pytest.mark.parametrize("key", ["WCA 0.92", "LJ supercooled", "WCA 1:2 0.8"])
def test_no_crystal_appears_in_an_averaged_liquid(key: str) -> None:
    recipe = md_samples.LIQUIDS[key]
    frames = _run(md_samples.sample(key), recipe.force, 2000, 20, recipe.timestep, recipe.kT)
    mobile = []
    # A few vibrations, cages, and as long as it takes to leave them.
    for count, every in ((5, 1), (20, 1), (5, 5), (5, 25), (100, 1)):
        found = averaging.average_of(frames[: count * every : every])
        named = name(found.configuration)
        assert named.grains == ()
        assert named.fractions()["disordered"] >= 0.999
        mobile.append(float(found.mobile.mean()))
    assert mobile[0] < 0.01
    # In a supercooled liquid none may have left its cage in the two shorter windows.
    assert mobile[0] <= mobile[2] < mobile[3]


def test_molten_guests_do_not_become_a_compound_by_averaging() -> None:
    made = md_samples.sample("fcc hosts 1:1 WCA")
    frames = _run(made, wca(1.0, 0.2), 2000, 100, 0.0015)
    for every in (1, 4):
        found = averaging.average_of(frames[: 5 * every : every])
        assert name(found.configuration).verdict == "A sublattice fcc, others disordered"
        assert not found.mobile[made.kinds == 0].any()
    assert found.mobile[made.kinds == 1].mean() > 0.2
