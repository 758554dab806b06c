from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.errors import TrajectoryError
from supercrystal.structure import local_packing as module
from supercrystal.structure.local_packing import describe_packing, local_packing, power_cells
from supercrystal.structure.trajectory import Configuration, configuration
from tests.lattice_samples import crystal

CUBE = np.array([20.0, 20, 20, 0, 0, 0])
TILTED = np.array([20.0, 22, 25, 0.3, -0.4, 0.2])


def _gas(box: NDArray[np.float64], n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-10, 10, (n, 3)).astype(np.float32).astype(float), rng.uniform(0, 1.2, n)


def _perovskite(repeats: int, noise: float = 0.0) -> Configuration:
    frame = lattices.build(
        "ABO3", {"a": 24.0}, repeats=(repeats,) * 3, diameters={"A": 19.5, "B": 8.6, "O": 8.6}
    )
    found = configuration(frame)
    shaken = found.positions + np.random.default_rng(1).normal(0, noise, found.positions.shape)
    return Configuration(**{**vars(found), "positions": shaken})


@pytest.mark.parametrize("box", [CUBE, TILTED], ids=["rectangular", "tilted"])
@pytest.mark.parametrize("n", [1, 2, 7, 300])
def test_cells_fill_the_box(box: NDArray[np.float64], n: int) -> None:
    x, r = _gas(box, n, n)
    cells = power_cells(box, x, r)
    assert cells.volumes.sum() == pytest.approx(np.prod(box[:3]), rel=1e-9)
    assert not cells.walled.any()


@pytest.mark.parametrize("box", [CUBE, TILTED], ids=["rectangular", "tilted"])
def test_equal_radii_give_the_voronoi_cells_of_freud(box: NDArray[np.float64]) -> None:
    import freud

    x, _ = _gas(box, 500, 3)
    cell = freud.box.Box(*box)
    plain = freud.locality.Voronoi().compute((cell, cell.wrap(x)))
    # freud wraps in single precision.
    np.testing.assert_allclose(power_cells(box, x, 0.7).volumes, plain.volumes, rtol=5e-4)


def test_two_spheres_share_the_box_where_their_power_distances_are_equal() -> None:
    # In a long box both faces are planes; each is at (d² + R² - r²) / 2d from the sphere R.
    box = [10.0, 1, 1, 0, 0, 0]
    cells = power_cells(box, [[-2.5, 0, 0], [2.5, 0, 0]], [2.0, 1.0])
    height = (25 + 4 - 1) / 10
    np.testing.assert_allclose(cells.volumes, [2 * height, 10 - 2 * height], rtol=1e-12)
    # The farthest corner is where the face of the larger sphere's cell meets the edges of the box.
    assert cells.reach[1] == pytest.approx(np.sqrt((5 - height) ** 2 + 0.5), rel=1e-9)


def test_a_tilted_cell_of_the_same_crystal_has_the_same_cells() -> None:
    box, x = crystal("bcc", 250, 0.05, 1)
    r = np.where(np.arange(len(x)) % 2, 0.5, 0.3)
    straight = power_cells(box, x, r)
    skewed = np.array([*box[:3], 1.0, -1.0, 2.0])  # whole periods: the same lattice of images
    tilted = power_cells(skewed, x, r)
    np.testing.assert_allclose(tilted.volumes, straight.volumes, rtol=1e-9)
    np.testing.assert_allclose(tilted.reach, straight.reach, rtol=1e-7)
    # Faces that vanish in one computation and have no area in the other aside, they have as many.
    assert np.mean(tilted.faces == straight.faces) > 0.99


def test_wide_gaps_of_a_tilted_box_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    # Cells at the surface extend half the gap, further than the first shell of images allows for.
    box, x = crystal("sc", 125, 0.05, 1, gap=14.0)
    tilted = np.array([*box[:3], 1.0, 2 / box[2], -1 / box[2]])
    r = np.where(np.arange(len(x)) % 2, 0.5, 0.3)
    found = power_cells(tilted, x, r)
    assert found.volumes.sum() == pytest.approx(np.prod(box[:3]), rel=1e-9)
    monkeypatch.setattr(module, "FIRST_SHELL", 9.0)
    np.testing.assert_allclose(power_cells(tilted, x, r).volumes, found.volumes, rtol=1e-9)
    monkeypatch.setattr(module, "FIRST_SHELL", 3.0)
    monkeypatch.setattr(module, "MAX_IMAGES", 1)
    with pytest.raises(TrajectoryError, match="instead of 1"):
        power_cells(tilted, x, r)


def test_perovskite_of_spheres_and_cubes_fits_only_into_radical_cells() -> None:
    found = _perovskite(2)
    volumes = np.where(found.kinds == 0, 4 / 3 * np.pi * 9.75**3, 8.6**3)
    radical = local_packing(found.box, found.positions, volumes=volumes)
    plain = local_packing(found.box, found.positions, radii=1.0, volumes=volumes)
    large = found.kinds == 0
    # 1.12 against .62 for the spheres and .34 for the cubes.
    assert plain.mean(large) == pytest.approx(1.123, abs=5e-4)
    assert radical.mean(large) == pytest.approx(0.620, abs=5e-4)
    assert radical.mean(~large) == pytest.approx(0.337, abs=5e-4)
    whole = float(volumes.sum() / np.prod(found.box[:3]))
    assert whole == pytest.approx(0.4649, abs=5e-5)
    assert radical.mean() == pytest.approx(whole, rel=1e-9)
    assert not radical.open.any()


def test_report_by_species_takes_volumes_radii_or_the_diameters_of_the_file() -> None:
    found = _perovskite(2, noise=0.6)
    given_ = describe_packing(found, radii={"A": 9.75}, volumes={"B": 8.6**3, "O": 8.6**3})
    by_name = {one.species: one for one in given_.species}
    assert by_name["A"].fraction == pytest.approx(0.62, abs=0.01)
    assert by_name["A"].particles == 8
    assert by_name["O"].closed == 24
    assert 0 < by_name["O"].spread < 0.1
    assert given_.fraction == pytest.approx(given_.box_fraction, rel=1e-9)
    filed = describe_packing(found)
    assert filed.sizes == "diameters of the file"
    spheres = (8 * 19.5**3 + 32 * 8.6**3) * np.pi / 6 / 48**3
    assert filed.box_fraction == pytest.approx(spheres, rel=1e-6)
    assert set(filed.to_dict()["species"][0]) == {
        "species",
        "particles",
        "closed",
        "hidden",
        "fraction",
        "spread",
    }
    ones = Configuration(**{**vars(found), "diameters": np.ones(found.n)})
    assert "without diameters" in describe_packing(ones).note


def test_a_particle_without_a_cell_is_counted_as_hidden() -> None:
    x = [[0, 0, 0], [0.5, 0, 0], [5, 5, 5]]
    found = local_packing(CUBE, x, radii=[4.0, 0.1, 1.0])
    assert found.cells.volumes[1] == 0
    assert np.isinf(found.fractions[1])
    assert found.cells.volumes.sum() == pytest.approx(8000, rel=1e-9)
    report = describe_packing(
        Configuration(0, CUBE, np.array(x, float), np.array([0, 1, 0]), ("A", "B", "C")),
        radii={"A": 4.0, "B": 0.1},
    ).to_dict()["species"]
    assert report[1]["hidden"] == 1
    assert report[1]["fraction"] is None
    assert report[2]["particles"] == 0  # a species without particles
    assert report[2]["fraction"] is None


@pytest.mark.parametrize("name", ["fcc111", "sc"])
def test_cells_at_free_surfaces_are_open_and_no_others(name: str) -> None:
    box, x = crystal(name, 800, 0.05, 2, gap=3.0)
    found = local_packing(box, x, radii=0.5)
    outer = (x[:, 2] > x[:, 2].max() - 0.5) | (x[:, 2] < x[:, 2].min() + 0.5)
    np.testing.assert_array_equal(found.open, outer)
    inside = {"fcc111": np.pi / (3 * 2**0.5), "sc": np.pi / 6}[name]
    assert found.mean() == pytest.approx(inside, rel=0.01)
    assert local_packing(*crystal(name, 800, 0.05, 2), radii=0.5).open.sum() == 0


@pytest.mark.parametrize("tilt", [0.0, 0.25])
def test_walls_of_a_box_that_is_not_periodic_in_z_end_the_cells(tilt: float) -> None:
    box, x = crystal("sc", 343, 0.05, 1)
    box, x = box + np.eye(6)[3] * tilt, x % box[:3]
    x -= box[:3] / 2
    found = power_cells(box, x, 0.5, periodic_z=False)
    assert found.volumes.sum() == pytest.approx(np.prod(box[:3]), rel=1e-9)
    bottom, top = x[:, 2] < -box[2] / 2 + 0.5, x[:, 2] > box[2] / 2 - 0.5
    assert found.walled[bottom | top].mean() > 0.9
    assert not found.walled[np.abs(x[:, 2]) < 1].any()
    with pytest.raises(TrajectoryError, match="must hold all heights"):
        power_cells(box, x + np.array([0, 0, 3.0]), 0.5, periodic_z=False)


boxes = st.tuples(st.floats(3, 12), st.floats(3, 12), st.floats(3, 12), *[st.floats(-0.8, 0.8)] * 3)


@settings(max_examples=25, deadline=None)
@given(boxes, st.integers(2, 40), st.integers(0, 10**6), st.floats(-3, 3), st.floats(0.01, 100))
def test_laws_of_power_cells(box: tuple[float, ...], n: int, seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, r = rng.uniform(-6, 6, (n, 3)), rng.uniform(0, 1, n)
    cells = power_cells(box, x, r)
    assert cells.volumes.sum() == pytest.approx(np.prod(box[:3]), rel=1e-9)
    close = {"rtol": 1e-6, "atol": 1e-9 * np.prod(box[:3])}
    # A constant added to all r², a move of all particles, and another unit change nothing.
    np.testing.assert_allclose(power_cells(box, x, np.sqrt(r**2 + shift**2)).volumes, cells.volumes, **close)
    np.testing.assert_allclose(power_cells(box, x + shift, r).volumes, cells.volumes, **close)
    other = power_cells([*(scale * np.array(box[:3])), *box[3:]], scale * x, scale * r)
    np.testing.assert_allclose(other.volumes / scale**3, cells.volumes, **close)
    # A larger radius takes volume from the others, and gives them none.
    grown = r.copy()
    grown[0] += 0.3
    change = power_cells(box, x, grown).volumes - cells.volumes
    assert change[0] >= -1e-9
    assert np.all(change[1:] <= 1e-9 * np.prod(box[:3]))


@pytest.mark.parametrize(
    ("box", "x", "r", "message"),
    [
        ([9, 9, 0, 0, 0, 0], [[0, 0, 0]], 1.0, "flat"),
        ([9, 9, 9], [[0, 0, 0]], 1.0, "six finite numbers"),
        (CUBE, np.zeros((0, 3)), 1.0, "N ≥ 1"),
        (CUBE, [[0, 0, np.nan]], 1.0, "not finite"),
        (CUBE, [[0, 0, 0], [1, 1, 1], [1, 1, 1]], 1.0, "particles 1 and 2 are at the same place"),
        (CUBE, [[-10, 0, 0], [10, 0, 0]], 1.0, "particles 0 and 1 are at the same place"),
        (TILTED, [[0, 0, 0], [20, 0, 0]], 1.0, "at the same place"),
        (CUBE, [[0, 0, 0], [1, 1, 1]], [1.0, 1, 1], "one radius each"),
        (CUBE, [[0, 0, 0], [1, 1, 1]], [1.0, np.nan], "radii must be finite"),
        (CUBE, [[0, 0, 0], [1, 1, 1]], [1.0, -1], "radii must be finite"),
    ],
)
def test_what_has_no_cells_is_refused(
    box: list[float], x: list[list[float]], r: object, message: str
) -> None:
    with pytest.raises(TrajectoryError, match=message):
        power_cells(box, x, r)  # type: ignore[arg-type]


def test_sizes_are_needed_and_checked() -> None:
    found = _perovskite(1)
    with pytest.raises(TrajectoryError, match="needs sizes"):
        local_packing(found.box, found.positions)
    with pytest.raises(TrajectoryError, match="5 finite numbers"):
        local_packing(found.box, found.positions, volumes=[1.0, 2.0])
    with pytest.raises(TrajectoryError, match="got none for B, O"):
        describe_packing(found, radii={"A": 1.0})
    with pytest.raises(TrajectoryError, match="no species 'D'"):
        describe_packing(found, radii={"A": 1.0, "D": 1.0})
    with pytest.raises(TrajectoryError, match="no diameters"):
        describe_packing(Configuration(**{**vars(found), "diameters": None}))


def test_nothing_is_printed_by_the_library_that_draws_the_cells(capfd: pytest.CaptureFixture[str]) -> None:
    found = _perovskite(3)  # many cells of equal size meet in its corners, which Voro++ remarks on
    power_cells(found.box, found.positions + 1, 1.0)
    assert capfd.readouterr() == ("", "")
