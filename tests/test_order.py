from __future__ import annotations

import freud
import numpy as np
import pytest

from supercrystal.errors import TrajectoryError
from supercrystal.structure import order
from tests.lattice_samples import crystal


@pytest.mark.parametrize("name", ["fcc", "hcp", "bcc", "sc"])
def test_perfect_crystals_are_all_named_and_have_no_surface(name: str) -> None:
    box, x = crystal(name, 500, 0.0, seed=1)
    x += 1e-6 * np.random.default_rng(1).normal(
        size=x.shape
    )  # exact ties between neighbours are nobody's crystal
    labels = order.label(box, x)
    assert labels.fractions("all")[name] == 1.0
    assert not labels.surface.any()


@pytest.mark.parametrize(
    ("name", "q6", "w4", "w6"),
    # Ideal values of complete first shells (Mickel et al. 2013 and this room's own check by freud).
    [("fcc", 0.57452, -0.15932, -0.01316), ("hcp", 0.48476, 0.13410, -0.01244)],
)
def test_order_parameters_of_ideal_lattices(name: str, q6: float, w4: float, w6: float) -> None:
    box, x = crystal(name, 500, 0.0, seed=1)
    found = order.order_parameters(box, x)
    np.testing.assert_allclose(found.q6, q6, atol=2e-4)
    np.testing.assert_allclose(found.w4, w4, atol=2e-4)
    np.testing.assert_allclose(found.w6, w6, atol=2e-4)


@pytest.mark.parametrize("name", ["fcc111", "hcp", "bcc", "sc"])
@pytest.mark.parametrize("noise", [0.02, 0.06])
def test_surface_is_the_outer_layer_and_nothing_else(name: str, noise: float) -> None:
    box, x = crystal(name, 2000, noise, seed=3, gap=5.0)
    labels = order.label(box, x)
    height = np.abs(x[:, 2] - (x[:, 2].max() + x[:, 2].min()) / 2)
    outermost, inner = height > height.max() - 0.35, height < height.max() - 1.3
    assert labels.surface[outermost].mean() > 0.98
    assert labels.surface[inner].mean() < 0.002


@pytest.mark.parametrize("name", ["fcc", "hcp", "bcc", "sc"])
@pytest.mark.parametrize(
    ("noise", "vacancies", "most"), [(0.06, 0.0, 0.0), (0.08, 0.0, 0.006), (0.08, 0.02, 0.015)]
)
def test_heat_makes_no_surface_and_vacancies_hardly_any(
    name: str, noise: float, vacancies: float, most: float
) -> None:
    box, x = crystal(name, 2000, noise, seed=5, vacancies=vacancies)
    assert order.label(box, x).surface.mean() <= most


def test_labels_do_not_depend_on_scale_rotation_or_origin() -> None:
    box, x = crystal("fcc", 500, 0.05, seed=2)
    one = order.label(box, x)
    two = order.label(box * [7, 7, 7, 1, 1, 1], x * 7)
    np.testing.assert_array_equal(one.phase, two.phase)
    shifted = freud.box.Box(*box).wrap(x + 0.3)
    np.testing.assert_array_equal(one.phase, order.label(box, shifted).phase)
    turned = x[:, [2, 0, 1]]
    np.testing.assert_array_equal(one.phase, order.label(box[[2, 0, 1, 3, 4, 5]], turned).phase)


def test_a_gas_of_points_is_disordered_and_has_small_q6() -> None:
    rng = np.random.default_rng(4)
    box, x = [12, 12, 12, 0, 0, 0], rng.uniform(-6, 6, (1500, 3))
    assert order.label(box, x).fractions("all")["disordered"] > 0.99
    assert order.global_q6(box, x) < 0.05
    assert order.global_q6(*crystal("fcc", 1500, 0.05, seed=1)) > 0.45


def test_fractions_add_up_and_survive_an_empty_bulk() -> None:
    labels = order.Labels(np.array([0, 1, 1, 3], np.int8), np.array([False, False, True, False]))
    assert labels.fractions("all") == {"disordered": 0.25, "fcc": 0.5, "hcp": 0.0, "bcc": 0.25, "sc": 0.0}
    assert labels.fractions("bulk")["fcc"] == pytest.approx(1 / 3)
    empty = order.Labels(np.array([1], np.int8), np.array([True]))
    assert set(empty.fractions("bulk").values()) == {0.0}


@pytest.mark.parametrize(
    ("box", "x", "message"),
    [
        ([5, 5, 5, 0, 0, 0], np.zeros((5, 3)), "more than 12 particles"),
        ([5, 5, 0, 0, 0, 0], np.zeros((50, 3)), "not three-dimensional"),
        ([5, 5, 5, 0, 0, 0], np.full((50, 3), np.nan), "50 of 50 positions are not finite"),
        ([5, 5, 5, 0, 0, 0], np.zeros((50, 2)), "shape"),
    ],
)
def test_what_cannot_be_labelled_is_refused(box: list[float], x: np.ndarray, message: str) -> None:
    with pytest.raises(TrajectoryError, match=message):
        order.label(box, x)
