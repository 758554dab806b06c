from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks
from scipy.spatial import KDTree

from supercrystal import lattices
from supercrystal.errors import PhysicsError, TrajectoryError
from supercrystal.structure.scattering.amplitudes import scatterers
from supercrystal.structure.scattering.form_factors import points
from supercrystal.structure.scattering.indexing import index_powder, index_profile, line_positions
from supercrystal.structure.scattering.powder import debye, free_q, structure_factors

PHASES = [name for name in lattices.names() if lattices.prototype(name).reference is not None]


def sample(phase: str, a: float, noise: float, n: int, seed: int = 1):
    """Crystal of about n particles in its box, displaced by `noise` nearest distances."""
    rng = np.random.default_rng(seed)
    kind = lattices.prototype(phase)
    constants = dict(kind.reference)
    constants["a"] = a
    if "c" in constants:
        constants["c"] *= a
    m = max(3, round((n / len(kind.labels)) ** (1 / 3)))
    frame = lattices.build(phase, constants, repeats=(m, m, m))
    p = frame.particles
    x = p.position.astype(float)
    nearest = float(np.median(KDTree(x).query(x, k=2)[0][:, 1]))
    x += rng.normal(0, noise * nearest, x.shape)
    density = len(x) / np.prod(frame.configuration.box[:3])
    return scatterers(frame.configuration.box, x, p.typeid, p.types), 3 * 2 * np.pi * density ** (1 / 3)


@pytest.mark.parametrize(
    ("phase", "noise"), [*((name, 0.08) for name in PHASES), ("fcc", 0.03), ("ABO3", 0.03), ("NaZn13", 0.03)]
)
def test_names_every_phase_of_the_catalogue(phase: str, noise: float) -> None:
    a = 12.0
    found, q_max = sample(phase, a, noise, 1500)
    best, *others = index_powder(structure_factors(found, q_max))
    assert best.phase == phase
    rival = max(one.correlation for one in others if one.phase != phase)
    assert best.correlation > rival + 0.02
    assert best.constants["a"] == pytest.approx(a, rel=0.015)
    assert abs(best.constants["a"] - a) < 3.5 * best.uncertainty["a"]


@pytest.mark.parametrize("phase", ["fcc", "hcp", "bcc", "ABO3"])
def test_lattice_constant_of_a_cluster(phase: str) -> None:
    """Without bins the scale is right to a few parts in a thousand."""
    found, q_max = sample(phase, 12.0, 0.05, 700)
    best = index_powder(debye(found.free(), free_q(found, q_max)))[0]
    assert best.phase == phase
    assert best.constants["a"] == pytest.approx(12.0, rel=4e-3)
    assert abs(best.constants["a"] - 12.0) < 3.5 * best.uncertainty["a"]


def _ratio_rule(squares: set[int]) -> str:
    """The lattice whose allowed h² + k² + l² agree best with those seen: |both| over |either|."""
    hkl = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1).reshape(-1, 3)
    parity = hkl % 2
    allowed = {
        "sc": hkl,
        "bcc": hkl[hkl.sum(axis=1) % 2 == 0],
        "fcc": hkl[(parity == parity[:, :1]).all(axis=1)],
    }
    score = {}
    for name, lines in allowed.items():
        expected = {n for n in (lines**2).sum(axis=1).tolist() if 0 < n <= max(squares)}
        score[name] = len(expected & squares) / len(expected | squares)
    return max(score, key=lambda name: score[name])


def test_ratios_of_peaks_misread_perovskite_as_bcc_and_the_whole_profile_does_not() -> None:
    """Guests of half the weight: F(100) = f_A - f_B - f_O vanishes, and with it 1, 5 and 9."""
    weights = {"A": 1.0, "B": 0.5, "O": 0.5}
    found, _ = sample("ABO3", 10.0, 0.03, 2000)
    factors = structure_factors(found, 2.3, bins=150)
    q, intensity = factors.centre, factors.weighted(weights)
    tops = find_peaks(intensity, prominence=0.02 * intensity.max())[0]
    squares = (q[tops] * 10.0 / (2 * np.pi)) ** 2
    np.testing.assert_allclose(squares, np.rint(squares), atol=0.05)
    seen = {int(n) for n in np.rint(squares)}
    assert seen == {2, 3, 4, 6, 8, 10, 11, 12}
    assert _ratio_rule(seen) == "bcc"
    assert _ratio_rule({1, 2, 3, 4, 5, 6, 8, 9, 10}) == "sc"  # the rule itself is sound
    assert _ratio_rule({3, 4, 8, 11, 12}) == "fcc"
    best = index_profile(q, intensity, {"A": 0.2, "B": 0.2, "O": 0.6}, points(weights))
    assert best[0].phase == "ABO3"
    assert best[0].correlation > max(one.correlation for one in best if one.phase != "ABO3") + 0.02
    assert best[0].constants["a"] == pytest.approx(10.0, rel=1e-2)


def test_species_that_scatter_alike_cannot_be_told_apart_by_one_profile() -> None:
    """CsCl with equal weights is bcc; by the species' own structure factors it is CsCl."""
    found, q_max = sample("CsCl", 10.0, 0.05, 1000)
    factors = structure_factors(found, q_max)
    alike = index_profile(factors.centre, factors.total, {"A": 0.5, "B": 0.5})
    assert {alike[0].phase, alike[1].phase} == {"bcc", "CsCl"}
    assert abs(alike[0].correlation - alike[1].correlation) < 1e-3
    assert index_powder(factors)[0].phase == "CsCl"


def test_names_of_species_are_kept_and_assigned() -> None:
    found, q_max = sample("AlB2", 10.0, 0.05, 1200)
    renamed = scatterers(
        [*np.diag(found.cell), *(found.cell[1, 0] / found.cell[1, 1], 0, 0)],
        found.positions,
        np.repeat([1, 0], list(found.counts.values())),
        ["Au", "PbS"],
    )
    best = index_powder(structure_factors(renamed, q_max))[0]
    assert (best.phase, best.species) == ("AlB2", {"A": "PbS", "B": "Au"})


def test_scale_and_offset_of_the_intensity_do_not_matter() -> None:
    found, q_max = sample("fcc", 10.0, 0.06, 1000)
    s = structure_factors(found, q_max)
    first, other = index_profile(s.centre, s.total)[0], index_profile(s.centre, 730.0 * s.total)[0]
    assert other.constants["a"] == pytest.approx(first.constants["a"], rel=1e-6)
    assert other.correlation == pytest.approx(first.correlation, rel=1e-6)


def test_a_gas_has_no_peak_to_index() -> None:
    rng = np.random.default_rng(0)
    gas = scatterers([20.0, 20, 20, 0, 0, 0], rng.uniform(0, 20, (2000, 3)))
    with pytest.raises(TrajectoryError, match="no peak"):
        index_powder(structure_factors(gas, 8.0))


def test_lines_of_hcp_follow_c_over_a() -> None:
    a, c = 3.0, 5.5
    q = line_positions("hcp", {"a": a, "c": c})
    expected = 2 * np.pi * np.array([2 / (np.sqrt(3) * a), 2 / c, np.hypot(2 / (np.sqrt(3) * a), 1 / c)])
    np.testing.assert_allclose(np.sort(q)[:3], np.sort(expected))  # 100, 002, 101; not 001


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1, 2], [1, 2]), TrajectoryError, "points or more"),
        ((np.arange(40), np.full(40, np.nan)), TrajectoryError, "finite"),
        ((np.arange(40), -np.ones(40)), TrajectoryError, "negative"),
        ((np.arange(40)[::-1], np.ones(40)), TrajectoryError, "increases"),
        ((np.arange(1, 41), np.ones(40)), TrajectoryError, "no peak"),
        ((np.arange(40), np.ones(40), ["A", "B", "C", "D"]), PhysicsError, "one to three"),
        ((np.arange(40), np.ones(40), ["A"], points({"B": 1.0})), PhysicsError, "bodies"),
    ],
)
def test_refuses(arguments, error, words: str) -> None:
    with pytest.raises(error, match=words):
        index_profile(*arguments)
