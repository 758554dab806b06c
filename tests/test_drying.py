from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.models import shells
from supercrystal.models.model import Batch
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.protocols import start as starts
from supercrystal.protocols.assembly import Assembly, assemble
from supercrystal.protocols.drying import Drying
from supercrystal.protocols.placement import random_slab
from supercrystal.protocols.start import FilmStart
from supercrystal.system import Schedule

PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)
MODEL = shells.build([Batch("PbS", PBS, 1000)], 298.15)
START = FilmStart(packing_fraction=0.35, layers=10, swelling=1.15, mixing_time=20)


def _dry(peclet: float = 0.15, seed: int = 1, start: FilmStart = START) -> Assembly:
    return assemble(MODEL, start, [Drying(peclet, hold_time=200)], seed)


def test_peclet_sets_the_speed_of_the_interface() -> None:
    schedule = _dry().schedule
    film = starts.geometry(MODEL, START)
    time = (schedule.steps[2] - schedule.steps[1]) * MODEL.timestep
    speed = (film.wet_height - film.setting_height) / time
    diffusion = MODEL.reference_diameter**2  # nm² per Brownian time
    assert film.wet_height * speed / diffusion == pytest.approx(0.15, rel=1e-4)


def test_wet_film_has_the_packing_fraction_asked_for() -> None:
    film = starts.geometry(MODEL, START)
    spheres = 1000 * np.pi / 6 * MODEL.diameters[0] ** 3
    assert spheres / (film.wet_sides[0] * film.wet_sides[1] * film.wet_height) == pytest.approx(0.35)


def test_dry_film_holds_perfect_close_packed_layers_at_the_opm_spacing() -> None:
    film = starts.geometry(MODEL, START)
    d = MODEL.diameters[0]
    assert film.dry_sides == pytest.approx((10 * d, 10 * np.sqrt(3) / 2 * d))
    assert film.dry_height == pytest.approx(d + 9 * np.sqrt(2 / 3) * d)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"packing_fraction": 0.6}, "cannot be placed at random"),
        ({"packing_fraction": 0.0}, "initial_packing_fraction"),
        ({"layers": 400}, "twice the range of the shells"),
        ({"swelling": 0.9}, "setting_swelling = 0.9: allowed ≥ 1"),
        ({"swelling": 2.0, "packing_fraction": 0.4}, "no higher than the one that sets"),
        ({"substrate": "fcc(111)"}, "cannot contract sideways over a template"),
    ],
)
def test_settings_that_no_film_can_have_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(PhysicsError, match=message):
        starts.geometry(MODEL, replace(START, **change))


@pytest.mark.parametrize("peclet", [0.0, 21.0])
def test_an_interface_that_would_outrun_the_time_step_is_refused(peclet: float) -> None:
    with pytest.raises(
        PhysicsError, match=r"allowed > 0 and ≤ 20; a faster interface would outrun the time step"
    ):
        _dry(peclet)


def test_too_few_nanocrystals_are_refused_with_the_number_needed() -> None:
    few = shells.build([Batch("PbS", PBS, 30)], 298.15)
    with pytest.raises(PhysicsError, match="give 101 nanocrystals or so"):
        starts.geometry(few, START)
    starts.geometry(shells.build([Batch("PbS", PBS, 101)], 298.15), START)


def test_ligands_longer_than_half_the_cell_are_refused() -> None:
    long = Nanocrystal(Core("PbS", 2.0), replace(library.ligand("stearate"), carbons=60), 4.0)
    with pytest.raises(PhysicsError, match="shorter ligands"):
        starts.geometry(shells.build([Batch("PbS", long, 60)], 298.15), START)


def test_the_film_contracts_equally_in_all_directions_once_it_has_set() -> None:
    film = starts.geometry(MODEL, START)
    shrinks = film.setting_height / film.dry_height
    assert shrinks**3 == pytest.approx(1.15)
    assert [wet / dry for wet, dry in zip(film.wet_sides, film.dry_sides, strict=True)] == pytest.approx(
        [shrinks] * 2
    )
    schedule = _dry().schedule
    middle = (schedule.steps[2] + schedule.steps[3]) // 2
    height, side = schedule.height(middle) / film.setting_height, schedule.side(middle)[0] / film.wet_sides[0]
    assert height == pytest.approx(side, rel=1e-4)


@pytest.mark.parametrize("per_layer", [30.0, 57.3, 100.0, 1234.5])
def test_the_cell_fits_whole_rows_and_stays_near_square(per_layer: float) -> None:
    x, y = starts.rows(per_layer)
    assert y % 2 == 0
    assert x * y == pytest.approx(per_layer, rel=0.2)
    assert 1 / starts.LONGEST_ASPECT <= x / (y * np.sqrt(3) / 2) <= starts.LONGEST_ASPECT


def test_placement_is_disordered_inside_and_without_overlap() -> None:
    rng = np.random.default_rng(3)
    diameters = np.where(np.arange(300) % 4 == 0, 12.0, 8.0)
    sides, bottom, top = (80.0, 61.0), -40.0, 40.0
    centres = random_slab(diameters, sides, bottom, top, rng)
    assert np.all(np.abs(centres[:, :2]) <= np.array(sides) / 2)
    assert np.all(centres[:, 2] - diameters / 2 >= bottom)
    assert np.all(centres[:, 2] + diameters / 2 <= top)
    period = [*sides, 1000.0]
    wrapped = np.mod(centres - [-sides[0] / 2, -sides[1] / 2, -500], period)
    pairs = cKDTree(wrapped, boxsize=period).query_pairs(12.0, output_type="ndarray")
    apart = np.abs(wrapped[pairs[:, 0]] - wrapped[pairs[:, 1]])
    apart = np.linalg.norm(np.minimum(apart, np.array(period) - apart), axis=1)
    assert len(pairs) > 0
    assert np.all(apart >= 0.9 * (diameters[pairs[:, 0]] + diameters[pairs[:, 1]]) / 2 - 1e-9)


def test_placement_refuses_what_would_jam() -> None:
    with pytest.raises(PhysicsError, match="cannot be placed at random"):
        random_slab(np.full(1000, 10.0), (80.0, 80.0), 0.0, 100.0, np.random.default_rng(1))


def test_same_seed_same_start() -> None:
    one, two, other = (_dry(seed=seed).system for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.frame.particles.position, two.frame.particles.position)
    assert not np.array_equal(one.frame.particles.position, other.frame.particles.position)


def test_cell_is_empty_beyond_the_planes_by_more_than_any_range() -> None:
    system, schedule = _dry().system, _dry().schedule
    top = system.frame.configuration.box[2] / 2
    assert top - (system.film.substrate + schedule.heights[0]) > MODEL.r_cut
    assert system.film.substrate + top > MODEL.r_cut


def test_schedule_is_constant_outside_its_knots() -> None:
    schedule = Schedule(
        (0, 10, 20, 30), (5.0, 5.0, 3.0, 3.0), ((8.0, 6.0), (8.0, 6.0), (4.0, 3.0), (4.0, 3.0))
    )
    assert [schedule.side(step) for step in (0, 15, 99)] == [(8.0, 6.0), (6.0, 4.5), (4.0, 3.0)]
    assert [schedule.height(step) for step in (0, 10, 15, 20, 99)] == [5.0, 5.0, 4.0, 3.0, 3.0]
    assert [schedule.next_knot(step) for step in (0, 10, 29, 30)] == [10, 20, 30, 30]
