"""The samples are what they claim to be, by measures that share nothing with the code that identifies phases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from supercrystal import lattices
from tests.validation import md_samples
from tests.validation.md_mixed import Stack
from tests.validation.md_runs import Array, Sample, from_sites, wrap
from tests.validation.md_samples import CRYSTALLITES, CRYSTALS, GRAINS, HALF_MOLTEN, LIQUIDS, sample

#: Run always; the others are slow as a whole.
QUICK = {
    "WCA 0.88", "WCA 1:2 0.55", "WCA 1:1:3 ternary",
    "fcc WCA hot", "hcp WCA hot", "MgZn2 WCA hot", "AlB2 WCA hot", "ABO3 ternary network hot", "bccAB6 network cold",
    "sc hosts 1:6 network", "fcc hosts 1:1 WCA", "fcc network in WCA liquid", "stacking fault", "twin", "fcc Σ5 slabs",
}  # fmt: skip

#: Crystallising releases about 1 kT per particle: a drift of 0.05 would be 5 % of a sample.
DRIFT = 0.05


def _all(table: Mapping[str, object]) -> list[object]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in table]


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


#: Guests of a compound with this structure of A and this ratio, in cells of A–A distance 1; the nearest one to fear.
COMPOUNDS = {
    ("sc", 1): "CsCl", ("sc", 3): "AuCu3", ("sc", 4): "ABO3", ("sc", 6): "CaB6",
    ("fcc", 1): "NaCl", ("fcc", 3): "Li3Bi", ("fcc", 4): "Li3Bi", ("fcc", 6): "Li3Bi",
    ("bcc", 1): "bccAB6", ("bcc", 3): "bccAB6", ("bcc", 4): "bccAB6", ("bcc", 6): "bccAB6",
}  # fmt: skip


def _near_guest_sites(found: Sample, x: Array, phase: str) -> float:
    """Share of `x` that lies within 0.2 d of a site of the compound's guests between the hosts of a sample."""
    from scipy.spatial import cKDTree

    kind = lattices.prototype(phase)
    length = {"sc": 1.0, "fcc": 2**0.5, "bcc": 2 / 3**0.5}[str(found.sublattice)] * found.spacing
    assert kind.reference is not None
    sites = lattices.fractional(phase, kind.reference)[[kind.species[label] != "A" for label in kind.labels]]
    cells = np.array(list(np.ndindex(*np.rint(found.box[:3] / length).astype(int))))
    sites = (sites + cells[:, None]).reshape(-1, 3) * length
    period = found.box[:3]
    corner = found.sites[0]  # a host in the corner of a cell
    distance = cKDTree(sites % period % period, boxsize=period).query((x - corner) % period % period)[0]
    return float(np.mean(distance < 0.2 * found.spacing))


@pytest.mark.parametrize("name", _all(HALF_MOLTEN))
def test_guests_flow_between_hosts_that_stay(name: str) -> None:
    from scipy.spatial import cKDTree

    found, recipe = sample(name), HALF_MOLTEN[name]
    _check_frame(found)
    assert (found.truth, found.sublattice) == ("disordered", recipe.host)
    hosts = found.kinds == 0
    assert np.array_equal(_nearest_sites(found), np.arange(hosts.sum()))
    assert 0.02 < found.evidence.sigma[0] < 0.1
    assert 0.93 < found.evidence.steadiness < 1.07
    assert found.evidence.msd[1] > recipe.flows
    assert np.median(found.moved[~hosts]) > 0.3
    # Guests are no nearer to the sites of a compound than points at random that keep off the hosts.
    drift = np.nanmean(wrap(found.box, found.positions[hosts] - found.sites[hosts]), axis=0)
    rng = np.random.default_rng(0)
    anywhere = (rng.random((20000, 3)) - 0.5) * found.box[:3]
    period = found.box[:3]
    gap = cKDTree(found.positions[hosts] % period % period, boxsize=period).query(anywhere % period % period)[
        0
    ]
    free = anywhere[gap > (1 + recipe.gamma) / 2]
    compound = COMPOUNDS[recipe.host, recipe.ratio]
    by_chance = _near_guest_sites(found, free - drift, compound)
    near = _near_guest_sites(found, found.positions[~hosts] - drift, compound)
    assert near < by_chance + 0.06


@pytest.mark.parametrize("name", _all(CRYSTALLITES))
def test_a_crystallite_is_crystal_inside_and_liquid_outside(name: str) -> None:
    import freud

    found, recipe = sample(name), CRYSTALLITES[name]
    _check_frame(found)
    assert found.truth == recipe.phase
    inside = found.certain & (found.grains == 0)
    outside = found.certain & (found.grains == -1)
    assert inside.sum() > 100
    assert outside.sum() > 300
    assert set(found.labels[inside]) == {recipe.phase}
    assert set(found.labels[outside]) == {"disordered"}
    assert 0.93 < found.evidence.steadiness < 1.07
    assert max(found.evidence.sigma) < 0.1
    assert found.evidence.farthest < 0.5
    assert found.moved[outside].mean() > 0.5
    order = freud.order.SolidLiquid(6, q_threshold=0.6, solid_threshold=9)
    order.compute((freud.Box(*found.box), found.positions), neighbors={"num_neighbors": 12})
    assert np.mean(order.num_connections[outside] >= 9) < 0.01


def _bonds(found: Sample, x: Array, queries: NDArray[np.intp], count: int) -> Array:
    """Directions (len(queries), count, 3) to the nearest neighbours."""
    import freud

    query = freud.locality.AABBQuery(freud.Box(*found.box), x)
    pairs = query.query(x[queries], {"num_neighbors": count + 1}).toNeighborList(sort_by_distance=True)
    vectors = pairs.vectors[pairs.distances > 1e-3].reshape(len(queries), count, 3)
    return vectors / np.linalg.norm(vectors, axis=2, keepdims=True)


@pytest.mark.parametrize("name", _all({k: v for k, v in GRAINS.items() if isinstance(v, Stack)}))
def test_layers_are_stacked_as_labelled(name: str) -> None:
    found = sample(name)
    _check_frame(found)
    assert np.array_equal(_nearest_sites(found), np.arange(found.n))
    assert found.evidence.farthest < 0.5
    assert 0.93 < found.evidence.steadiness < 1.07
    # Around an fcc site each of the twelve neighbours has one opposite to it, around an hcp site six have.
    bonds = _bonds(found, found.sites, np.arange(found.n), 12)
    opposite = (np.einsum("nix,njx->nij", bonds, bonds) < -0.999).any(axis=2).sum(axis=1)
    assert np.array_equal(found.labels == "fcc", opposite == 12)
    assert np.array_equal(found.labels == "hcp", opposite == 6)
    phases, counts = np.unique(found.labels, return_counts=True)
    assert found.truth == phases[np.argmax(counts)]


@pytest.mark.parametrize("name", _all({k: v for k, v in GRAINS.items() if v.turned}))
def test_grains_are_turned_by_the_stated_rotation(name: str) -> None:
    import rowan

    found = sample(name)
    _check_frame(found)
    assert found.axis is not None
    assert found.angle is not None
    assert np.linalg.norm(found.axis) == pytest.approx(1)
    assert found.evidence.farthest < 0.6
    assert 0.93 < found.evidence.steadiness < 1.07
    assert max(found.evidence.sigma) < 0.09
    count = {"fcc": 12, "bcc": 8}[found.truth]
    first, second = (np.flatnonzero(found.certain & (found.grains == grain)) for grain in (0, 1))
    assert min(len(first), len(second)) > 300
    # The directions around one site of grain 0, turned, are the thermal bonds of grain 1; unturned they are not.
    ideal = _bonds(found, np.nan_to_num(found.sites), first[:1], count)[0]
    bonds = _bonds(found, found.positions, second, count).reshape(-1, 3)
    turned = rowan.rotate(rowan.from_axis_angle(found.axis, np.radians(found.angle)), ideal)
    misfit = [np.degrees(np.arccos(np.clip((bonds @ axes.T).max(axis=1), -1, 1))) for axes in (turned, ideal)]
    assert np.median(misfit[0]) < 8
    assert np.median(misfit[1]) > 1.5 * np.median(misfit[0])


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
