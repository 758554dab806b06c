from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal.errors import PhysicsError
from supercrystal.structure.scattering.multilayer import Plate, Stack, intensity, random_stack

Q = np.linspace(0.2, 8, 60)
DISORDERED = [
    Stack(Plate(2.5, 1200, 300, 1.0, 20), gap=1.9, plates=8, gap_deviation=0.25),
    Stack(Plate(2.5, 1200, 300, 1.0, 20), gap=1.9, plates=8, displacement=0.2),
    Stack(
        Plate(2.5, 1200, 300, 1.0, 20, thickness_deviation=0.3), 1.9, 8, gap_deviation=0.2, displacement=0.1
    ),
    Stack(
        Plate(2.4, 1200, 300, 0.8, 20, planes=4), gap=1.9, plates=12, gap_deviation=0.15, displacement=0.05
    ),
    Stack(Plate(2.5, 1200, thickness_deviation=0.2), gap=0.0, plates=3),
]


@pytest.mark.parametrize("stack", DISORDERED)
def test_closed_form_is_the_mean_of_random_stacks(stack: Stack) -> None:
    drawn = random_stack(stack, Q, 3000, seed=1)
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    z = (drawn.mean(axis=0) - intensity(stack, Q)) / error
    assert np.max(np.abs(z)) < 4.5
    assert np.sqrt(np.mean(z**2)) < 1.6
    # The errors are small enough to tell disorder from order.
    plate = stack.plate
    still = Plate(
        plate.thickness,
        1200,
        plate.ligand_density,
        plate.ligand_thickness,
        plate.medium_density,
        planes=plate.planes,
    )
    calm = Stack(still, stack.gap, stack.plates)
    assert np.max(np.abs((drawn.mean(axis=0) - intensity(calm, Q)) / error)) > 20


def test_perfect_stack_is_laue_times_form() -> None:
    stack = Stack(Plate(2.0, 1000, 300, 0.5, 30), gap=1.5, plates=9)
    f = stack.plate.amplitude(Q)
    laue = (np.sin(9 * Q * stack.period / 2) / np.sin(Q * stack.period / 2)) ** 2 / 9
    np.testing.assert_allclose(intensity(stack, Q), f**2 * laue, rtol=1e-6, atol=1e-6 * np.max(f**2))
    # Every random stack is then the same.
    np.testing.assert_allclose(random_stack(stack, Q, 1)[0], intensity(stack, Q), rtol=1e-6, atol=1e-3)


def test_sum_is_smooth_at_the_bragg_peaks() -> None:
    """On a peak φ = 1, where the closed form is 0/0: N² f² / N."""
    stack = Stack(Plate(2.0, 1000), gap=1.5, plates=500)
    order = 2 * np.pi * np.arange(1, 6) / stack.period
    near = np.concatenate([order, order * (1 + 1e-12), order * (1 + 1e-9)])
    expected = 500 * stack.plate.amplitude(near) ** 2
    np.testing.assert_allclose(intensity(stack, near), expected, rtol=1e-4)


def test_disorder_that_adds_up_broadens_peaks_and_disorder_that_does_not_only_weakens_them() -> None:
    plate = Plate(2.0, 1000)

    def width(order: int, **disorder: float) -> float:
        stack = Stack(plate, gap=1.5, plates=60, **disorder)
        q = 2 * np.pi * order / stack.period + np.linspace(-0.4, 0.4, 4001)
        value = intensity(stack, q) / plate.amplitude(q) ** 2
        return float(np.sum(value > value.max() / 2) * (q[1] - q[0]))

    perfect = width(1)
    # Beside the peak lies diffuse scattering, which lifts the half height a little.
    assert width(3, displacement=0.2) == pytest.approx(perfect, rel=0.05)
    assert width(1, gap_deviation=0.2) > 1.3 * perfect
    assert width(3, gap_deviation=0.2) > 3 * width(1, gap_deviation=0.2)


@given(
    st.floats(0.5, 5),
    st.floats(0.1, 3),
    st.integers(1, 30),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
    st.floats(0, 0.3),
)
def test_intensity_is_positive_and_tends_to_that_of_single_plates(t, gap, n, s_g, s_u, s_t) -> None:
    stack = Stack(Plate(t, 900, 250, 0.05, 10, s_t), gap, n, s_g, s_u)
    value = intensity(stack, Q)
    assert np.all(value > -1e-9 * value.max())
    single = intensity(Stack(stack.plate, gap, 1), Q)
    wild = intensity(Stack(stack.plate, gap, n, 0.0, 50.0), Q)
    np.testing.assert_allclose(wild, single, rtol=1e-9, atol=1e-9 * single.max())


def test_atomic_planes_give_superlattice_fringes_on_the_atomic_peak() -> None:
    """Below the first atomic peak planes scatter as the slab; on it, fringes stand 2π / period apart."""
    slab, planes = Plate(2.4, 1000), Plate(2.4, 1000, planes=4)
    low = np.linspace(0.1, 0.8, 20)
    np.testing.assert_allclose(planes.amplitude(low), slab.amplitude(low), rtol=0.02)
    stack = Stack(planes, gap=1.6, plates=20, displacement=0.02)
    q = np.linspace(9.0, 12.0, 3000)
    value = intensity(stack, q)
    from scipy.signal import find_peaks

    tops = q[find_peaks(value, prominence=0.3 * value.max())[0]]
    assert abs(tops[np.argmax(np.interp(tops, q, value))] - 2 * np.pi / 0.6) < np.pi / stack.period
    np.testing.assert_allclose(np.diff(tops), 2 * np.pi / stack.period, rtol=0.02)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Plate(0.0, 1.0), "thickness"),
        (lambda: Plate(1.0, -1.0), "densities"),
        (lambda: Plate(1.0, 1.0, planes=0), "planes"),
        (lambda: Plate(1.0, 1.0, thickness_deviation=0.1, planes=3), "planes"),
        (lambda: Stack(Plate(1.0, 1.0), 1.0, 0), "number of plates"),
        (lambda: Stack(Plate(1.0, 1.0), -1.0, 2), "gap"),
        (lambda: intensity(Stack(Plate(1.0, 1.0), 1.0, 2), [0.0]), "> 0"),
    ],
)
def test_refuses(build, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        build()
