from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.engines import lammps_library as library
from supercrystal.errors import TrajectoryError
from supercrystal.structure import films, monolayers
from supercrystal.structure.trajectory import Configuration, configuration
from tests.lattice_samples import crystal

CUBE = np.array([10.0, 12, 30, 0, 0, 0])


def _sheet(kind: str, noise: float, seed: int, n: int = 30, tilt: int = 0) -> tuple[NDArray, NDArray]:
    """Lattice of neighbour distance 1 with 2 % of vacancies; the box tilted by whole periods of the lattice."""
    rng = np.random.default_rng(seed)
    edges, sites = {
        "hexagonal": ([1.0, 3**0.5], [[0, 0], [0.5, 0.5]]),
        "square": ([1.0, 1.0], [[0, 0]]),
    }[kind]
    cells = np.array([n, round(n / edges[1])])
    x = ((np.array(list(np.ndindex(*cells)))[:, None] + np.array(sites)) * edges).reshape(-1, 2)
    x = x[rng.random(len(x)) >= 0.02]
    x += rng.normal(0, noise, x.shape)
    lx, ly = cells * np.array(edges)
    return np.array([lx, ly, 0, tilt * lx / ly, 0, 0]), np.c_[x, np.zeros(len(x))]


def _fluid(density: float, dimensions: int, seed: int) -> tuple[NDArray, NDArray]:
    """1,024 WCA disks or 2,048 spheres of diameter 1, melted hot and equilibrated at kT = 1."""
    library.load()
    import lammps

    lattice, n, flat = ("sq", 32, "fix flat all enforce2d") if dimensions == 2 else ("fcc", 8, "")
    lmp = lammps.lammps(cmdargs=[*library.SILENT, *library.ONE_THREAD])
    lmp.commands_string(f"""
        units lj
        dimension {dimensions}
        lattice {lattice} {density}
        region cell block 0 {n} 0 {n} {"-0.1 0.1" if dimensions == 2 else f"0 {n}"}
        create_box 1 cell
        create_atoms 1 box
        mass 1 1.0
        pair_style lj/cut 1.122462
        pair_coeff 1 1 1 1
        pair_modify shift yes
        velocity all create 8.0 {seed}
        fix move all nve
        {flat}
        fix bath all langevin 8.0 8.0 0.5 {seed}
        timestep 0.002
        run 2000
        fix bath all langevin 1.0 1.0 0.5 {seed + 1}
        timestep 0.005
        run {12000 if dimensions == 2 else 3000}""")
    x = np.ctypeslib.as_array(lmp.gather_atoms("x", 1, 3)).reshape(-1, 3).copy()
    lmp.close()
    if dimensions == 2:
        return np.array([n / density**0.5] * 2 + [0.0] * 4), x * [1, 1, 0]
    length = n * (4 / density) ** (1 / 3)
    return np.array([length] * 3 + [0.0] * 3), x


def _disks(fraction: float, seed: int) -> tuple[NDArray, NDArray]:
    return _fluid(4 * fraction / np.pi, 2, seed)


@pytest.mark.parametrize("kind", ["hexagonal", "square"])
@pytest.mark.parametrize("noise", [0.0, 0.04, 0.08, 0.10])
def test_lattices_are_told_with_heat_and_vacancies(kind: str, noise: float) -> None:
    for seed in range(3):
        found = monolayers.plane_order(*_sheet(kind, noise, seed))
        assert found.kind == kind
        mine, other = (found.psi6_averaged, found.psi4_averaged)[:: 1 if kind == "hexagonal" else -1]
        assert mine > other + 0.3
    # Without noise only the vacancies are left.
    assert noise > 0 or mine > 0.9


# The reference has |ψ₆| of Voronoi neighbours and |ψ₄| of the four nearest, without vacancies.
@pytest.mark.parametrize(
    ("noise", "six", "four"), [(0.04, 0.95, 0.98), (0.08, 0.81, 0.88), (0.12, 0.64, 0.68), (0.20, 0.43, 0.45)]
)
def test_local_order_against_an_independent_computation(noise: float, six: float, four: float) -> None:
    assert monolayers.plane_order(*_sheet("hexagonal", noise, 1)).psi6_local == pytest.approx(six, abs=0.04)
    assert monolayers.plane_order(*_sheet("square", noise, 1)).psi4_local == pytest.approx(four, abs=0.04)


@pytest.mark.parametrize("fraction", [0.30, 0.60, 0.70])
def test_liquids_of_disks_are_disordered(fraction: float) -> None:
    found = monolayers.plane_order(*_disks(fraction, seed=5))
    assert found.kind == "disordered"
    # Their |ψ₆| alone would not tell: it is above 0.4 where nothing is ordered.
    assert 0.35 < found.psi6_local < 0.66
    assert found.psi6_overall < 0.3


def test_disks_beyond_freezing_are_hexagonal() -> None:
    assert monolayers.plane_order(*_disks(0.76, seed=5)).kind == "hexagonal"


def test_points_without_any_order_are_disordered() -> None:
    rng = np.random.default_rng(2)
    kinds = [
        monolayers.plane_order([20, 20, 0, 0, 0, 0], np.c_[rng.uniform(-10, 10, (n, 2)), np.zeros(n)]).kind
        for n in (monolayers.FEWEST, 60, 100, 400) for _ in range(40)
    ]  # fmt: skip
    assert kinds.count("disordered") == len(kinds)


def test_two_grains_keep_their_local_order_and_lose_the_global_one() -> None:
    box, x = _sheet("hexagonal", 0.04, 1)
    half = x[:, 0] < box[0] / 2
    turned = x[~half][:, [1, 0, 2]] + [box[0] / 2, 0, 0]  # turned by 90°: ψ₆ changes sign
    turned = turned[turned[:, 0] < box[0]]
    both = np.concatenate([x[half], turned[turned[:, 1] < box[1]]])
    found = monolayers.plane_order([*box[:2], 0, 0, 0, 0], both)
    assert found.psi6_averaged > 0.75
    assert found.psi6_overall < 0.5


@pytest.mark.parametrize("kind", ["hexagonal", "square"])
def test_a_tilted_or_narrow_box_of_the_same_sheet_has_the_same_order(kind: str) -> None:
    box, x = _sheet(kind, 0.06, 1)
    straight, tilted = (
        monolayers.plane_order(box, x),
        monolayers.plane_order([*box[:3], box[0] / box[1], 0, 0], x),
    )
    assert tilted.to_dict() == pytest.approx(straight.to_dict(), abs=1e-4)
    rng = np.random.default_rng(1)
    strip = np.c_[np.arange(60.0), rng.normal(0, 0.03, 60), np.zeros(60)]
    copies = np.concatenate([strip + np.array([0, k, 0]) for k in range(9)])
    narrow = monolayers.plane_order([60, 1, 0, 0, 0, 0], strip)
    assert narrow.kind == "square"
    wide = monolayers.plane_order([60, 9, 0, 0, 0, 0], copies)
    assert narrow.psi4_averaged == pytest.approx(wide.psi4_averaged, abs=1e-5)
    assert narrow.psi6_local == pytest.approx(wide.psi6_local, abs=1e-5)


def test_order_in_the_plane_does_not_see_heights() -> None:
    box, x = _sheet("square", 0.05, 1)
    rough = x + np.random.default_rng(1).normal(0, 0.2, x.shape) * [0, 0, 1]
    assert monolayers.plane_order([*box[:2], 50, 0, 0.2, 0.1], rough) == monolayers.plane_order(box, x)


# Profiles


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60), st.integers(0, 10**6), st.floats(-40, 40), st.tuples(*[st.floats(-1, 1)] * 3),
    st.floats(0.05, 40),
)  # fmt: skip
def test_profiles_count_every_particle_once(
    n: int, seed: int, shift: float, tilts: tuple[float, ...], width: float
) -> None:
    rng = np.random.default_rng(seed)
    x, kinds = rng.uniform(-15, 15, (n, 3)), rng.integers(0, 2, n)
    box = [10, 12, 30, *tilts]
    found = films.profile(box, x + np.array([0, 0, shift]), kinds, ("A", "B", "none"), width=width)
    widths = np.diff(found.edges)
    assert widths.sum() == pytest.approx(30)
    counts = found.density * 10 * 12 * widths
    np.testing.assert_allclose(counts.sum(axis=1), [np.sum(kinds == 0), np.sum(kinds == 1), 0], atol=1e-9)
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    total = found.composition.sum(axis=0)
    np.testing.assert_allclose(total[np.isfinite(total)], 1)


def test_a_uniform_gas_in_a_tilted_box_has_the_density_of_the_box() -> None:
    rng = np.random.default_rng(1)
    box = np.array([8.0, 9, 30, 0.4, -1.5, 0.7])
    places = rng.uniform(-0.5, 0.5, (200_000, 3))
    a = np.array([[8, 0, 0], [0.4 * 9, 9, 0], [-1.5 * 30, 0.7 * 30, 30]])
    found = films.profile(box, places @ a, width=3.0)
    np.testing.assert_allclose(found.density[0], 200_000 / (8 * 9 * 30), rtol=0.03)


@pytest.mark.parametrize("turn", [0.0, 9.0, 15.0, -22.0])
def test_a_film_across_the_boundary_is_opened_at_its_gap(turn: float) -> None:
    rng = np.random.default_rng(1)
    box = [10, 12, 30, 0.1, 0.3, -0.2]
    film = np.c_[rng.uniform(-5, 5, (300, 2)), rng.uniform(-4, 4, 300)]
    found = films.open_film(box, film + np.array([0, 0, turn]))
    z = found.positions[:, 2]
    assert np.ptp(z) == pytest.approx(np.ptp(film[:, 2]))
    np.testing.assert_allclose(z - z.mean(), film[:, 2] - film[:, 2].mean(), atol=1e-12)
    assert found.gap == pytest.approx(30 - np.ptp(film[:, 2]))
    # What moved by Lz moved along a₃, so that x and y agree up to that vector.
    moved = (found.positions - film - [0, 0, turn]) @ np.linalg.inv([[10, 0, 0], [1.2, 12, 0], [9, -6, 30]])
    np.testing.assert_allclose(moved, np.rint(moved), atol=1e-12)
    if turn == 0:
        np.testing.assert_array_equal(found.positions, film)


# Layers


@pytest.mark.parametrize(
    ("name", "kind", "spacing"),
    [
        ("fcc111", "hexagonal", (2 / 3) ** 0.5), ("hcp", "hexagonal", (2 / 3) ** 0.5),
        ("fcc", "square", 0.5**0.5), ("bcc", "square", 3**-0.5), ("sc", "square", 1.0),
    ],
)  # fmt: skip
def test_layers_of_films(name: str, kind: str, spacing: float) -> None:
    box, x = crystal(name, 1600, 0.06, 3, vacancies=0.02, gap=4.0, scale=9.7)
    found = films.layers(box, x)
    assert len(found.layers) == round((box[2] / 9.7 - 4) / spacing)
    assert found.spacing == pytest.approx(9.7 * spacing, rel=3e-3)
    assert found.outside <= 0.005 * len(x)
    assert {layer.order.kind for layer in found.layers if layer.order} == {kind}
    whole = {"fcc111": 2 / 3**0.5, "hcp": 2 / 3**0.5, "fcc": 1, "bcc": 0.75, "sc": 1}[name] / 9.7**2
    assert np.mean([layer.areal_density for layer in found.layers]) == pytest.approx(0.98 * whole, rel=0.02)
    assert all(layer.thickness == pytest.approx(0.06 * 9.7, rel=0.4) for layer in found.layers)
    members = np.concatenate([layer.members for layer in found.layers])
    assert len(np.unique(members)) == len(members)


def test_the_uncertainty_of_the_spacing_is_that_over_seeds() -> None:
    found = [films.layers(*crystal("fcc111", 500, 0.05, seed, gap=4.0)) for seed in range(40)]
    pulls = np.array([(f.spacing - (2 / 3) ** 0.5) / f.uncertainty for f in found])
    assert 0.6 < np.sqrt(np.mean(pulls**2)) < 1.5


def test_layers_do_not_depend_on_where_the_film_lies_in_a_tilted_box() -> None:
    box, x = crystal("fcc111", 800, 0.05, 1, gap=4.0)
    box = np.array([*box[:3], 0, 0.4, -0.3])
    here = films.layers(box, x)
    for turn in (box[2] / 2, 0.3 * box[2]):
        moved = x + np.array([0, 0, turn])
        turns = np.floor(moved[:, 2] / box[2] + 0.5)
        moved -= turns[:, None] * box[2] * np.array([0.4, -0.3, 1])
        there = films.layers(box, moved)
        assert there.spacing == pytest.approx(here.spacing, abs=1e-9)
        assert [a.particles for a in there.layers] == [a.particles for a in here.layers]
        for a, b in zip(here.layers, there.layers, strict=True):
            assert a.order is not None
            assert b.order is not None
            assert b.order.psi6_averaged == pytest.approx(a.order.psi6_averaged, abs=1e-4)


def _film(phase: str, a: float, repeats: tuple[int, int, int], noise: float = 0.0) -> Configuration:
    """A slab of a compound with empty space above."""
    found = configuration(lattices.build(phase, {"a": a}, repeats=repeats))
    box = found.box + np.eye(6)[2] * 2 * a
    shaken = found.positions + np.random.default_rng(1).normal(0, noise, found.positions.shape)
    return Configuration(**{**vars(found), "box": box, "positions": shaken})


def test_layers_of_rock_salt_hold_both_species_on_squares() -> None:
    report = films.describe_film(_film("NaCl", 14.0, (5, 5, 3), noise=0.4))
    assert report.layers is not None
    assert len(report.layers.layers) == 6
    assert report.layers.spacing == pytest.approx(7.0, rel=0.01)
    for layer in report.layers.layers:
        assert layer.composition == {"A": 0.5, "B": 0.5}
        assert layer.order is not None
        assert layer.order.kind == "square"
        assert {name: order.kind for name, order in layer.order_by_species.items()} == {
            "A": "square", "B": "square",
        }  # fmt: skip


def test_layers_of_perovskite_alternate_in_composition() -> None:
    found = _film("ABO3", 24.0, (8, 8, 2), noise=0.5)
    report = films.describe_film(found)
    assert report.layers is not None
    shares = [layer.composition for layer in report.layers.layers]
    assert shares == [
        {"A": 0.5, "B": 0.0, "O": 0.5}, {"A": 0.0, "B": pytest.approx(1 / 3), "O": pytest.approx(2 / 3)},
    ] * 2  # fmt: skip
    assert report.layers.spacing == pytest.approx(12, rel=0.01)
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["profile"]["density"].keys() == {"A", "B", "O"}
    assert plain["layers"]["layers"][0]["order_by_species"]["A"]["kind"] == "square"
    width = plain["profile"]["bin_width"]
    assert sum(plain["profile"]["density"]["O"]) * width * report.area == pytest.approx(3 * 128)


@pytest.mark.parametrize("density", [0.60, 0.85])
def test_a_liquid_film_has_no_layers(density: float) -> None:
    box, x = _fluid(density, 3, seed=3)
    for height in (box[2], box[2] + 5):  # bulk, and a film cut out of it
        found = films.layers([*box[:2], height, 0, 0, 0], x)
        assert found.layers == ()
        assert found.outside == len(x)
        assert np.isnan(found.spacing)


def test_a_gas_has_no_layers() -> None:
    rng = np.random.default_rng(4)
    for n in (20, 100, 400, 3000):
        x = np.c_[rng.uniform(-5, 5, (n, 2)), rng.uniform(-6, 6, n)]
        assert films.layers([10, 10, 40, 0, 0, 0], x).layers == ()


def test_a_single_layer_has_no_spacing() -> None:
    box, x = _sheet("hexagonal", 0.05, 1)
    x[:, 2] = np.random.default_rng(1).normal(0, 0.05, len(x)) + 5
    found = films.layers([*box[:2], 10, 0, 0, 0], x)
    assert len(found.layers) == 1
    assert found.layers[0].height == pytest.approx(5, abs=0.01)
    assert np.isnan(found.spacing)
    assert found.layers[0].order is not None
    assert found.layers[0].order.kind == "hexagonal"


def test_a_box_that_is_not_periodic_in_z_has_no_images_across_it() -> None:
    # The box ends at the outermost layers: taken as periodic, top and bottom would be one layer.
    box, x = crystal("sc", 512, 0.03, 1)
    x[:, 2] -= x[:, 2].min()
    x[:, 2] %= box[2]
    tight = np.array([*box[:2], 7.0, 0, 0, 0])
    x = x[x[:, 2] < 6.5]
    x[:, 2] += -3.5 - x[:, 2].min()
    found = films.layers(tight, x, periodic_z=False)
    assert len(found.layers) == 7
    assert found.spacing == pytest.approx(1.0, rel=0.01)
    assert len(films.layers(tight, x).layers) == 7
    edges = films.profile(tight, x, periodic_z=False).edges
    assert edges[[0, -1]] == pytest.approx([-3.5, 3.5])
    with pytest.raises(TrajectoryError, match="must hold all heights"):
        films.layers(tight, x + np.array([0, 0, 1]), periodic_z=False)


def test_two_particles_above_each_other_leave_a_layer_without_order() -> None:
    box, x = _sheet("square", 0.03, 1)
    x = np.concatenate([x, x[:1] + np.array([0, 0, 0.2])])
    found = films.layers([*box[:2], 10, 0, 0, 0], x)
    assert found.layers[0].order is None
    with pytest.raises(TrajectoryError, match="same place seen along z"):
        monolayers.plane_order(box, x)


def test_two_dimensional_configurations_have_order_and_no_profile() -> None:
    box, x = _sheet("square", 0.04, 1)
    kinds = np.arange(len(x)) % 2
    report = films.describe_film(Configuration(0, box, x, kinds, ("A", "B", "none")))
    assert report.dimensions == 2
    assert report.order is not None
    assert report.order.kind == "square"
    assert report.order_by_species.keys() == {"A", "B"}
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["profile"] is None
    assert plain["gap"] is None
    assert plain["order"]["areal_density"] == pytest.approx(0.98, abs=0.02)


def test_few_particles_have_a_profile_but_neither_order_nor_layers() -> None:
    one = films.describe_film(Configuration(0, CUBE, np.zeros((1, 3)), np.zeros(1, int), ("A",)))
    assert one.profile is not None
    assert one.layers is not None
    assert one.profile.density.sum() * 120 * 0.3 == pytest.approx(1)
    assert one.layers.layers == ()
    few = monolayers.plane_order(CUBE, np.random.default_rng(1).uniform(-5, 5, (monolayers.FEWEST - 1, 3)))
    assert few.kind == "too few"
    assert few.to_dict()["psi6_local"] is None
    assert (
        films.describe_film(
            Configuration(0, np.array([9.0, 9, 0, 0, 0, 0]), np.zeros((1, 3)), np.zeros(1, int), ("A",))
        ).to_dict()["order"]["kind"]
        == "too few"
    )


@pytest.mark.parametrize(
    ("box", "x", "message"),
    [
        ([9, 9, 9], [[0, 0, 0]], "six finite numbers"),
        ([9, 0, 9, 0, 0, 0], [[0, 0, 0]], "Lx, Ly > 0"),
        ([9, 9, np.nan, 0, 0, 0], [[0, 0, 0]], "six finite numbers"),
        (CUBE, np.zeros((0, 3)), "N ≥ 1"),
        (CUBE, np.zeros((4, 2)), "shape"),
        (CUBE, [[0, 0, 0], [0, np.nan, 0]], "1 of 2 positions are not finite"),
    ],
)
def test_what_is_no_film_is_refused(box: list[float], x: NDArray, message: str) -> None:
    for function in (films.open_film, films.profile, films.layers, monolayers.plane_order):
        with pytest.raises(TrajectoryError, match=message):
            function(box, x)


def test_wrong_arguments_are_refused() -> None:
    x = np.random.default_rng(1).uniform(-5, 5, (60, 3))
    with pytest.raises(TrajectoryError, match="is flat"):
        films.profile([9, 9, 0, 0, 0, 0], x)
    with pytest.raises(TrajectoryError, match="width of a bin"):
        films.profile(CUBE, x, width=0)
    with pytest.raises(TrajectoryError, match="from 0 to 1"):
        films.profile(CUBE, x, np.full(60, 2), ("A", "B"))
    with pytest.raises(TrajectoryError, match="60 whole numbers"):
        films.layers(CUBE, x, np.zeros(59, int))
    with pytest.raises(TrajectoryError, match="half of the particles are within 0"):
        films.layers(CUBE, np.repeat(x, 2, axis=0))
    with pytest.raises(TrajectoryError, match="same unit"):
        monolayers.plane_order([0.01, 1000, 0, 0, 0, 0], x)
