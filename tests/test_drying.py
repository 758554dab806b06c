from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.models import shells
from supercrystal.models.shells import Batch
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.protocols import drying
from supercrystal.protocols.drying import Drying
from supercrystal.protocols.placement import random_slab
from supercrystal.system import Schedule

PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)
MODEL = shells.build([Batch("PbS", PBS, 1000)], 298.15)
SETTINGS = Drying(peclet=0.15, initial_packing_fraction=0.35, dry_layers=10, mixing_time=20, hold_time=200)


def test_peclet_sets_the_speed_of_the_interface() -> None:
    film = drying.geometry(MODEL, SETTINGS)
    diffusion = MODEL.reference_diameter**2  # nm² per Brownian time
    assert film.wet_height * film.speed / diffusion == pytest.approx(0.15)
    assert film.drying_time * film.speed == pytest.approx(film.wet_height - film.dry_height)


def test_wet_film_has_the_packing_fraction_asked_for() -> None:
    film = drying.geometry(MODEL, SETTINGS)
    spheres = 1000 * np.pi / 6 * MODEL.diameters[0] ** 3
    assert spheres / (film.lateral**2 * film.wet_height) == pytest.approx(0.35)


def test_dry_film_holds_perfect_close_packed_layers_at_the_opm_spacing() -> None:
    film = drying.geometry(MODEL, SETTINGS)
    d = MODEL.diameters[0]
    per_layer = film.lateral**2 / (np.sqrt(3) / 2 * d**2)
    assert per_layer * 10 == pytest.approx(1000)
    assert film.dry_height == pytest.approx(d + 9 * np.sqrt(2 / 3) * d)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peclet": 0.0}, "peclet"),
        ({"peclet": 21.0}, "peclet = 21.0: allowed > 0 and ≤ 20"),
        ({"initial_packing_fraction": 0.6}, "cannot be placed at random"),
        ({"initial_packing_fraction": 0.0}, "initial_packing_fraction"),
        ({"dry_layers": 400}, "twice the range of the shells"),
    ],
)
def test_settings_that_no_film_can_have_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(PhysicsError, match=message):
        drying.geometry(MODEL, replace(SETTINGS, **change))


def test_too_few_nanocrystals_are_refused_with_the_number_needed() -> None:
    few = shells.build([Batch("PbS", PBS, 30)], 298.15)
    with pytest.raises(PhysicsError, match="give at least 70 nanocrystals"):
        drying.geometry(few, SETTINGS)
    enough = shells.build([Batch("PbS", PBS, 70)], 298.15)
    drying.geometry(enough, SETTINGS)


def test_ligands_longer_than_half_the_cell_are_refused() -> None:
    long = Nanocrystal(Core("PbS", 2.0), replace(library.ligand("stearate"), carbons=60), 4.0)
    with pytest.raises(PhysicsError, match="shorter ligands"):
        drying.geometry(shells.build([Batch("PbS", long, 60)], 298.15), SETTINGS)


def test_placement_is_disordered_inside_and_without_overlap() -> None:
    rng = np.random.default_rng(3)
    diameters = np.where(np.arange(300) % 4 == 0, 12.0, 8.0)
    lateral, bottom, top = 70.0, -40.0, 40.0
    centres = random_slab(diameters, lateral, bottom, top, rng)
    assert np.all(np.abs(centres[:, :2]) <= lateral / 2)
    assert np.all(centres[:, 2] - diameters / 2 >= bottom)
    assert np.all(centres[:, 2] + diameters / 2 <= top)
    period = [lateral, lateral, 1000.0]
    wrapped = np.mod(centres - [-lateral / 2, -lateral / 2, -500], period)
    pairs = cKDTree(wrapped, boxsize=period).query_pairs(12.0, output_type="ndarray")
    apart = np.abs(wrapped[pairs[:, 0]] - wrapped[pairs[:, 1]])
    apart = np.linalg.norm(np.minimum(apart, np.array(period) - apart), axis=1)
    assert len(pairs) > 0
    assert np.all(apart >= 0.9 * (diameters[pairs[:, 0]] + diameters[pairs[:, 1]]) / 2 - 1e-9)


def test_placement_refuses_what_would_jam() -> None:
    with pytest.raises(PhysicsError, match="cannot be placed at random"):
        random_slab(np.full(1000, 10.0), 80.0, 0.0, 100.0, np.random.default_rng(1))


def test_same_seed_same_start() -> None:
    one, _ = drying.prepare(MODEL, SETTINGS, 5)
    two, _ = drying.prepare(MODEL, SETTINGS, 5)
    other, _ = drying.prepare(MODEL, SETTINGS, 6)
    np.testing.assert_array_equal(one.frame.particles.position, two.frame.particles.position)
    assert not np.array_equal(one.frame.particles.position, other.frame.particles.position)


def test_cell_is_empty_beyond_the_planes_by_more_than_any_range() -> None:
    system, schedule = drying.prepare(MODEL, SETTINGS, 1)
    top = system.frame.configuration.box[2] / 2
    assert top - (system.film.substrate + schedule.heights[0]) > MODEL.r_cut
    assert system.film.substrate + top > MODEL.r_cut


def test_schedule_is_constant_outside_its_knots() -> None:
    schedule = Schedule((0, 10, 20, 30), (5.0, 5.0, 3.0, 3.0))
    assert [schedule.height(step) for step in (0, 10, 15, 20, 99)] == [5.0, 5.0, 4.0, 3.0, 3.0]
    assert [schedule.next_knot(step) for step in (0, 10, 29, 30)] == [10, 20, 30, 30]
