"""The samples are what they claim to be, by measures that share nothing with the code that identifies phases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.validation import md_samples
from tests.validation.md_runs import Sample, from_sites
from tests.validation.md_samples import CRYSTALS, LIQUIDS, sample

#: Run always; the others are slow as a whole.
QUICK = {
    "WCA 0.88", "WCA 1:2 0.55", "WCA 1:1:3 ternary",
    "fcc WCA hot", "hcp WCA hot", "MgZn2 WCA hot", "AlB2 WCA hot", "ABO3 ternary network hot", "bccAB6 network cold",
}  # fmt: skip

#: Crystallising releases about 1 kT per particle: a drift of 0.05 would be 5 % of a sample.
DRIFT = 0.05


def _all(table: Mapping[str, object]) -> list[object]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in table]


def _check_frame(found: Sample) -> None:
    assert 1500 <= found.n <= 4500
    for array in (found.kinds, found.diameters, found.labels, found.certain, found.grains, found.sites):
        assert len(array) == found.n
    assert np.all(np.abs(found.positions) <= found.box[:3] / 2)
    assert found.kinds.max() + 1 == len(found.species)
    assert abs(found.evidence.drift) < DRIFT


def _nearest_sites(found: Sample) -> NDArray[np.intp]:
    """Number of the site to which each particle that has one is nearest."""
    from scipy.spatial import cKDTree

    held = np.isfinite(found.sites[:, 0])
    period, grains = found.box[:3], found.grains[held]
    away = from_sites(found.box, found.positions[held], found.sites[held], grains)
    # Twice, since a tiny negative number modulo the period is the period.
    tree = cKDTree(found.sites[held] % period % period, boxsize=period)
    return tree.query((found.sites[held] + away) % period % period)[1]


@pytest.mark.parametrize("name", _all(LIQUIDS))
def test_liquids_flow_without_order(name: str) -> None:
    found, recipe = sample(name), LIQUIDS[name]
    _check_frame(found)
    assert found.truth == "disordered"
    assert set(found.labels) == {"disordered"}
    assert min(found.evidence.msd) > recipe.flows
    # A liquid of N particles has Q6 of 1/√(6 N) times the root of its structure factor there; a crystal over 0.1.
    counts = np.bincount(found.kinds)
    assert np.all(np.array(found.evidence.q6) < 3 / np.sqrt(6 * counts) + 0.01)
    assert found.evidence.solid < 0.01


def test_a_crystal_would_fail_as_a_liquid() -> None:
    found = sample("fcc WCA hot")
    assert min(found.evidence.q6) > 0.1
    assert found.evidence.solid > 0.9
    assert max(found.evidence.msd) < 0.1


@pytest.mark.parametrize("name", _all(CRYSTALS))
def test_crystals_stay_on_their_sites(name: str) -> None:
    found, recipe = sample(name), CRYSTALS[name]
    _check_frame(found)
    assert found.truth == recipe.phase
    assert set(found.labels) == {recipe.phase}
    # Each particle is nearest to the site on which it started: nothing diffuses, no species change places.
    assert np.array_equal(_nearest_sites(found), np.arange(found.n))
    # Bounded and stationary: a diffusing crystal doubles its square displacement.
    assert 0.93 < found.evidence.steadiness < 1.07
    shares = np.bincount(found.kinds) / found.n
    sigma = np.sqrt(np.sum(shares * np.square(found.evidence.sigma)))
    assert sigma == pytest.approx(recipe.sigma, rel=0.06)
    # Twice the square displacement from the sites is what an uncorrelated later frame shows, and no more.
    assert np.all(np.array(found.evidence.msd) < 1.3 * 6 * np.square(found.evidence.sigma))


def test_a_sample_is_kept_and_reproduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sample("MgZn2 WCA hot")
    assert sample("MgZn2 WCA hot") is first
    monkeypatch.setenv(md_samples.CACHE_VARIABLE, str(tmp_path))
    run = md_samples.sample.__wrapped__("MgZn2 WCA hot")
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(md_samples.sample.__wrapped__("MgZn2 WCA hot").positions, run.positions)
    np.testing.assert_allclose(run.positions, first.positions, atol=1e-9)


def test_an_unknown_sample_is_refused() -> None:
    with pytest.raises(KeyError, match="no sample 'glass'"):
        sample("glass")
