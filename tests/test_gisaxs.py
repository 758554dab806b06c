from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError
from supercrystal.structure.scattering import gisaxs
from supercrystal.structure.scattering.amplitudes import direct_sum, scatterers
from supercrystal.structure.scattering.form_factors import Body, Sphere, cube, points, truncated_cube

DATA = Path(__file__).parent / "validation" / "data"
SILICON = gisaxs.Substrate(3.13e-6, 3.0e-8)
BEAM = gisaxs.Beam(0.1, math.radians(0.2))
SMALL = gisaxs.Detector(np.radians([-0.7, 0.2, 1.1]), np.radians([0.05, 0.15, 0.4, 1.2]))

REFERENCE = {
    "sphere": (scatterers(None, [[0, 0, 5]]), {"A": Body(((Sphere(5.0), 2.0),))}),
    "cluster": (
        scatterers(None, [[0, 0, 5], [9, 1, 5], [-3, 8, 13]], [0, 1, 2], ["A", "B", "C"]),
        {
            "A": Body(((Sphere(5.0), 2.0),)),
            "B": Body(((Sphere(3.0), 0.8),)),
            "C": Body(((Sphere(4.0), 0.8),)),
        },
    ),
}


def _deviation(name: str, substrate: gisaxs.Substrate | None) -> np.ndarray:
    """log10 of ours over BornAgain's, the unknown factor between the units taken out."""
    table = np.loadtxt(DATA / f"bornagain_{name}.csv", delimiter=",")
    azimuth, exit_angle = np.unique(table[:, 0]), np.unique(table[:, 1])
    found, bodies = REFERENCE[name]
    detector = gisaxs.Detector(np.radians(azimuth), np.radians(exit_angle))
    ours = gisaxs.intensity(found, bodies, BEAM, substrate, detector)
    difference = np.log10(ours.ravel() / table[:, 2])
    return difference - difference.mean()


@pytest.mark.parametrize("name", ["sphere", "cluster"])
def test_agrees_with_bornagain(name: str) -> None:
    assert np.std(_deviation(name, SILICON)) < 0.02
    assert np.median(np.abs(_deviation(name, SILICON))) < 0.001
    # What this is worth: without the substrate's reflections the curves do not agree.
    assert np.std(_deviation(name, None)) > 0.2


def test_without_reflection_it_is_the_plain_born_approximation() -> None:
    found, bodies = REFERENCE["cluster"]
    kinematic = gisaxs.intensity(found, bodies, BEAM, None, SMALL)
    nothing = gisaxs.intensity(found, bodies, BEAM, gisaxs.Substrate(0.0), SMALL)
    np.testing.assert_allclose(nothing, kinematic, rtol=1e-9)
    # The correction vanishes with the substrate's density, in first order.
    change = [
        np.max(np.abs(gisaxs.intensity(found, bodies, BEAM, gisaxs.Substrate(d), SMALL) / kinematic - 1))
        for d in (1e-10, 1e-11)
    ]
    assert change[1] < 0.01
    assert change[0] / change[1] == pytest.approx(10, rel=0.1)
    flat, k_f = SMALL.wave_vectors(BEAM)
    q = np.concatenate(
        [flat, np.broadcast_to(k_f + BEAM.k * math.sin(BEAM.angle), flat.shape[:2])[..., None]], -1
    )
    amplitude = sum(
        bodies[name].moments(q.reshape(-1, 3))[0] * direct_sum(x, q.reshape(-1, 3), np.ones(len(x), complex))
        for name, x in found.groups.items()
    )
    np.testing.assert_allclose(kinematic.ravel(), np.abs(amplitude) ** 2 / 3, rtol=1e-9)


def test_energy_and_total_reflection_of_the_substrate() -> None:
    k_z = BEAM.k * np.sin(np.radians([0.01, 0.05, 0.1, 0.14, 0.2, 1.0, 5.0]))
    lossless = np.abs(gisaxs.Substrate(3.13e-6).reflection(k_z, BEAM.k))
    assert np.degrees(gisaxs.Substrate(3.13e-6).critical_angle) == pytest.approx(0.1434, abs=1e-4)
    np.testing.assert_allclose(lossless[:4], 1, rtol=1e-12)
    assert np.all(np.diff(lossless[3:]) < 0)
    # Far above the critical angle r falls off as δ / (2 sin² α).
    assert lossless[-1] == pytest.approx(3.13e-6 / (2 * math.sin(math.radians(5.0)) ** 2), rel=1e-3)
    assert np.all(np.abs(SILICON.reflection(k_z, BEAM.k)) < 1)


@pytest.mark.parametrize(
    "body",
    [
        Body(((Sphere(4.0), 1.0),), dispersity=0.1),
        Body(((cube(6.0), 1.0),), orientations=((1, 0, 0, 0), (math.cos(0.3), 0, math.sin(0.3), 0))),
    ],
)
def test_spread_of_sizes_and_orientations_is_the_mean_over_all_assignments(body: Body) -> None:
    """Two particles: every pair of variants computed by itself, then averaged."""
    x = np.array([[0.0, 0, 5], [7, 3, 9]])
    found = scatterers(None, x)
    averaged = gisaxs.intensity(found, {"A": body}, BEAM, SILICON, SMALL)
    flat, k_f = SMALL.wave_vectors(BEAM)
    k_i = BEAM.k * math.sin(BEAM.angle)
    r_i, r_f = SILICON.reflection(k_i, BEAM.k), SILICON.reflection(k_f, BEAM.k)
    terms = [(k_f + k_i, 1), (k_f - k_i, r_i), (-k_f + k_i, r_f), (-k_f - k_i, r_i * r_f)]
    q = np.stack(
        [np.concatenate([flat, np.broadcast_to(z, flat.shape[:2])[..., None]], -1) for z, _ in terms]
    )
    r = np.array([np.broadcast_to(value, k_f.shape) for _, value in terms])
    expected = np.zeros(flat.shape[:2])
    variants = list(body.variants(q))
    for (p_1, f_1), (p_2, f_2) in product(variants, repeat=2):
        wave = f_1 * np.exp(-1j * q @ x[0]) + f_2 * np.exp(-1j * q @ x[1])
        expected += p_1 * p_2 * np.abs(np.einsum("tq,tpq->pq", r, wave)) ** 2 / 2
    np.testing.assert_allclose(averaged, expected, rtol=1e-9)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 6.2))
def test_lateral_shifts_and_common_turns_change_nothing(x: float, y: float, turn: float) -> None:
    found, bodies = REFERENCE["cluster"]
    before = gisaxs.intensity(found, bodies, BEAM, SILICON, SMALL)
    moved = scatterers(None, found.positions + np.array([x, y, 0]), [0, 1, 2], ["A", "B", "C"])
    np.testing.assert_allclose(gisaxs.intensity(moved, bodies, BEAM, SILICON, SMALL), before, rtol=1e-8)
    # Turning the particles by ω or the sample by ω is the same.
    c, s = math.cos(turn), math.sin(turn)
    turned = scatterers(
        None, found.positions @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]), [0, 1, 2], ["A", "B", "C"]
    )
    np.testing.assert_allclose(
        gisaxs.intensity(turned, bodies, BEAM, SILICON, SMALL),
        gisaxs.intensity(found, bodies, BEAM, SILICON, SMALL, azimuths=[turn]),
        rtol=1e-7,
    )


def test_height_counts_from_the_substrate() -> None:
    found, bodies = REFERENCE["cluster"]
    raised = scatterers(None, found.positions + np.array([0, 0, 30]), [0, 1, 2], ["A", "B", "C"])
    assert gisaxs.lowest_surface(raised, bodies) == pytest.approx(30.0)
    same = gisaxs.intensity(raised, bodies, BEAM, gisaxs.Substrate(3.13e-6, 3e-8, z=30), SMALL)
    np.testing.assert_allclose(same, gisaxs.intensity(found, bodies, BEAM, SILICON, SMALL), rtol=1e-9)
    other = gisaxs.intensity(raised, bodies, BEAM, SILICON, SMALL)
    assert np.max(np.abs(other / same - 1)) > 0.1


def test_detector_covers_what_is_asked() -> None:
    detector = gisaxs.Detector.covering(BEAM, 2.0, 40)
    flat, k_f = detector.wave_vectors(BEAM)
    assert 1.9 < np.abs(flat[..., 1]).max() <= 2.0
    assert 1.9 < k_f.max() <= 2.0
    assert gisaxs.Substrate.of("Si@2.33", 0.154).delta == pytest.approx(7.43e-6, rel=1e-2)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: gisaxs.Beam(0.1, 0.0), "grazing angle"),
        (lambda: gisaxs.Beam(-0.1, 0.1), "wavelength"),
        (lambda: gisaxs.Substrate(-1e-6), "substrate"),
        (lambda: gisaxs.Detector(np.array([0.0]), np.array([-0.1])), "exit angles"),
        (lambda: gisaxs.Detector(np.array([np.nan]), np.array([0.1])), "finite angles"),
        (lambda: gisaxs.Detector.covering(BEAM, 1e3), "q_max"),
        (lambda: _asked(x=[[0, 0, -1.0]]), "below the substrate"),
        (lambda: _asked(azimuths=[]), "azimuths"),
        (lambda: _asked(body=Body(((truncated_cube(2.0, 0.5), 1.0),))), "points anywhere"),
    ],
)
def test_refuses(build, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        build()


def _asked(x=((0, 0, 5.0),), azimuths=(0.0,), body: Body | None = None) -> np.ndarray:
    bodies = points({"A": 1.0}) if body is None else {"A": body}
    return gisaxs.intensity(scatterers(None, x), bodies, BEAM, SILICON, SMALL, azimuths)
