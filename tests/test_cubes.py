from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from supercrystal import lattices
from supercrystal.errors import PhysicsError, UnknownNameError
from supercrystal.packing import cubes

CHOICES = [(phase, choice) for phase, choices in cubes.ORIENTATIONS.items() for choice in choices]
GRID = [0.1, 0.25, 0.3418, 0.36, 0.40825, 0.4142, 0.43, 0.4714, 0.5, 0.55, 0.58, 0.65, 0.7072, 0.8, 1.0]

REFERENCE = {
    ("NaCl", "aligned"): {0.3: 0.778664, np.sqrt(2) - 1: 0.840986, 0.45: 0.806559, 0.5: 0.768710, 0.6: 0.722264,
                          0.8: 0.710287, 1.0: 0.761799},
    ("CsCl", "aligned"): {0.3: 0.550599, 1 - 1 / np.sqrt(3): 0.599098, 0.5: 0.518687, 0.6: 0.453189},
    ("ABO3", "rotated"): {0.25: 0.586099, 0.30: 0.631599, 0.35: 0.695099, 0.40: 0.779599, np.sqrt(2) - 1: 0.807870,
                          0.45: 0.692623, 0.48: 0.620742, 0.50: 0.581959, 0.60: 0.456544, 0.80: 0.356949},
    ("ABO3", "aligned"): {0.25: 0.586099, 0.30: 0.618322, 0.35: 0.588423, 0.45: 0.573246, 0.50: 0.581959,
                          0.60: 0.621342, 0.70: 0.680401, 0.80: 0.627832},
    ("AlB2", "corner"): {(4 * np.sqrt(2) + np.sqrt(3) - np.sqrt(8 * np.sqrt(6) - 1)) / 9: 0.696854},
    ("AlB2", "edge"): {1 / np.sqrt(6): (np.pi / 6 + 2 / 6**1.5) / np.sqrt(0.75)},
    ("AlB2", "upright"): {1.0: (np.pi / 6 + 2) / np.sqrt(12)},
}  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "choice", "gamma", "eta"),
    [(*key, g, e) for key, row in REFERENCE.items() for g, e in row.items()],
)
def test_reference_values(phase: str, choice: str, gamma: float, eta: float) -> None:
    assert float(cubes.packing_fraction(phase, gamma, choice)) == pytest.approx(eta, abs=6e-7)


# Overlap by the separating-axis test: two convex bodies overlap unless some axis separates their projections. For two
# polyhedra the face normals and the cross products of edges suffice; sphere and polyhedron are measured directly.


def turn(quaternion: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    w, u = quaternion[0], quaternion[1:]
    return vectors + 2 * np.cross(u, np.cross(u, vectors) + w * vectors)


def gap_of_polyhedra(first: np.ndarray, second: np.ndarray, axes: np.ndarray) -> float:
    """Largest separation along the axes: negative where the bodies overlap."""
    a, b = first @ axes.T, second @ axes.T
    return float(np.max(np.maximum(b.min(0) - a.max(0), a.min(0) - b.max(0))))


def axes_of(vertices: list[np.ndarray]) -> np.ndarray:
    normals, edges = [], []
    for body in vertices:
        hull = ConvexHull(body)
        normals.append(np.unique(np.round(hull.equations[:, :3], 9), axis=0))
        pairs = np.concatenate([hull.simplices[:, [i, j]] for i, j in ((0, 1), (1, 2), (0, 2))])
        directions = body[pairs[:, 0]] - body[pairs[:, 1]]
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        directions *= np.where(
            directions[np.arange(len(directions)), np.abs(directions).argmax(1)] < 0, -1, 1
        )[:, None]
        edges.append(np.unique(np.round(directions, 9), axis=0))
    crossed = np.cross(edges[0][:, None], edges[1][None]).reshape(-1, 3)
    length = np.linalg.norm(crossed, axis=1)
    every = np.concatenate([*normals, crossed[length > 1e-6] / length[length > 1e-6, None]])
    return np.unique(np.round(every / np.linalg.norm(every, axis=1)[:, None], 9), axis=0)


def gap_of_sphere(centre: np.ndarray, vertices: np.ndarray) -> float:
    """Distance of a sphere of diameter 1 from a polyhedron, from the closest point of its hull."""
    from scipy.optimize import minimize

    hull = ConvexHull(vertices).equations
    if np.all(hull[:, :3] @ centre + hull[:, 3] <= 0):
        return -0.5
    found = minimize(
        lambda x: 0.5 * np.sum((x - centre) ** 2), vertices.mean(0), jac=lambda x: x - centre, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda x: -hull[:, :3] @ x - hull[:, 3], "jac": lambda x: -hull[:, :3]},
        options={"ftol": 1e-16, "maxiter": 200},
    )  # fmt: skip
    return float(np.sqrt(2 * found.fun)) - 0.5


def gap_of_sphere_and_cube(centre: np.ndarray, edge: float) -> float:
    return float(np.linalg.norm(np.maximum(np.abs(centre) - edge / 2, 0))) - 0.5


def smallest_gap(
    phase: str, choice: str, constants: dict[str, float], edges: dict[str, float], truncation: float = 0.0
) -> float:
    """Smallest gap between any two bodies of the periodic lattice."""
    kind = lattices.prototype(phase)
    cell, sites = lattices.vectors(phase, constants), lattices.fractional(phase, constants)
    quaternions = np.tile([1.0, 0, 0, 0], (len(sites), 1))
    for label, value in cubes.rotations(phase, choice).items():
        quaternions[np.array(kind.labels) == label] = value
    bodies = [
        None
        if label == "A"
        else turn(q, cubes.cube_vertices(edges[label], truncation if label == "B" else 0.0))
        for label, q in zip(kind.labels, quaternions, strict=True)
    ]
    axes: dict[tuple[int, int], np.ndarray] = {}
    gaps = []
    for i, j in product(range(len(sites)), repeat=2):
        reach = sum(
            0.5 if b is None else float(np.linalg.norm(b, axis=1).max()) for b in (bodies[i], bodies[j])
        )
        for image in product((-1, 0, 1), repeat=3):
            step = (sites[j] - sites[i] + image) @ cell
            distance = float(np.linalg.norm(step))
            if i > j or distance < 1e-9 or distance > reach + 0.02:
                continue
            if bodies[i] is None and bodies[j] is None:
                gaps.append(distance - 1)
            elif bodies[i] is None or bodies[j] is None:
                cube, centre = (j, -step) if bodies[i] is None else (i, step)
                if truncation and kind.labels[cube] == "B":
                    gaps.append(gap_of_sphere(centre, bodies[cube]))
                else:
                    back = quaternions[cube] * [1, -1, -1, -1]
                    gaps.append(gap_of_sphere_and_cube(turn(back, centre), edges[kind.labels[cube]]))
            else:
                if (i, j) not in axes:
                    axes[i, j] = axes_of([bodies[i], bodies[j]])
                gaps.append(gap_of_polyhedra(bodies[i], bodies[j] + step, axes[i, j]))
    return min(gaps)


def shrunk(constants: dict[str, float], factor: float) -> dict[str, float]:
    return {key: value * factor for key, value in constants.items()}


@pytest.mark.parametrize(("phase", "choice"), CHOICES)
def test_rigid_bodies_touch_and_do_not_overlap(phase: str, choice: str) -> None:
    for gamma in GRID:
        found = cubes.solve(phase, gamma, choice)
        constants = {key: float(value) for key, value in found.constants.items()}
        edges = {"B": gamma, "O": gamma}
        assert smallest_gap(phase, choice, constants, edges) == pytest.approx(0, abs=2e-8)
        assert smallest_gap(phase, choice, shrunk(constants, 0.995), edges) < -1e-3
        for length in constants:  # nor can one length shrink alone
            alone = constants | {length: 0.9995 * constants[length]}
            assert smallest_gap(phase, choice, alone, edges) < -1e-5


@pytest.mark.parametrize(
    ("face", "body", "truncation", "a", "eta"),
    [(0.40, 0.30, 0.0, 1.0, 0.742599), (0.40, 0.45, 0.0, 1.027350, 0.743994), (0.45, 0.30, 0.0, 1.086396, 0.642612),
     (0.35, 0.50, 0.0, 1.077350, 0.621549), (0.30, 0.60, 0.0, 1.177350, 0.502821),
     (0.35, 0.60, 0.20, None, None), (0.30, 0.55, 0.10, None, None), (0.25, 0.70, 0.35, None, None)],
)  # fmt: skip
def test_ternary_perovskite(
    face: float, body: float, truncation: float, a: float | None, eta: float | None
) -> None:
    for choice in ("rotated", "aligned"):
        constant, fraction = (float(v) for v in cubes.perovskite(body, face, choice, truncation))
        if choice == "rotated" and a is not None:
            assert constant == pytest.approx(a, abs=6e-7)
            assert fraction == pytest.approx(eta, abs=6e-7)
        solid = np.pi / 6 + ConvexHull(cubes.cube_vertices(body, truncation)).volume + 3 * face**3
        assert fraction == pytest.approx(solid / constant**3, rel=1e-9)
        edges = {"B": body, "O": face}
        assert smallest_gap("ABO3", choice, {"a": constant}, edges, truncation) == pytest.approx(0, abs=1e-6)
        assert smallest_gap("ABO3", choice, {"a": 0.995 * constant}, edges, truncation) < -1e-3


@given(st.floats(0.05, 1.0), st.sampled_from(["rotated", "aligned"]))
def test_ternary_with_equal_edges_is_the_binary_one(gamma: float, choice: str) -> None:
    a, eta = cubes.perovskite(gamma, gamma, choice)
    assert float(a) == pytest.approx(float(cubes.solve("ABO3", gamma, choice).constants["a"]), rel=1e-15)
    assert float(eta) == pytest.approx(float(cubes.packing_fraction("ABO3", gamma, choice)), rel=1e-12)


@given(st.sampled_from(CHOICES), st.floats(1e-3, 1.0))
def test_eta_is_a_fraction_and_agrees_with_the_cell(chosen: tuple[str, str], gamma: float) -> None:
    found = cubes.solve(chosen[0], gamma, chosen[1])
    kind = lattices.prototype(chosen[0])
    cubes_in_cell = len(kind.labels) - kind.counts["A"]
    solid = np.pi / 6 * kind.counts["A"] + cubes_in_cell * gamma**3
    cell = lattices.vectors(chosen[0], {key: float(value) for key, value in found.constants.items()})
    assert 0 < float(found.eta) <= 1
    assert float(found.eta) == pytest.approx(solid / np.linalg.det(cell), rel=1e-12)


@given(st.sampled_from(list(cubes.ORIENTATIONS)), st.floats(0.01, 1.0))
def test_left_to_itself_the_densest_orientation_is_taken(phase: str, gamma: float) -> None:
    each = {
        choice: float(cubes.packing_fraction(phase, gamma, choice)) for choice in cubes.ORIENTATIONS[phase]
    }
    found = cubes.solve(phase, gamma)
    assert float(found.eta) == max(each.values())
    assert each[str(found.branch)] == max(each.values())


@pytest.mark.parametrize(("phase", "choice"), CHOICES)
def test_lattice_constants_are_continuous_and_volumes_grow(phase: str, choice: str) -> None:
    gamma = np.linspace(0.02, 1, 50001)
    found = cubes.solve(phase, gamma, choice)
    volume = lattices.volume(phase, found.constants)
    assert np.abs(np.diff(found.eta)).max() < 4e-4
    assert np.all(np.diff(volume) > -1e-9)


@pytest.mark.parametrize("choice", cubes.ORIENTATIONS["AlB2"])
def test_alb2_cells_are_the_smallest_of_their_orientation(choice: str) -> None:
    """No (a, c) on a grid is smaller and free of overlap: the closed forms left out no contact and no better end."""
    for gamma in (0.36, 0.45, 0.52, 0.75):
        found = {key: float(value) for key, value in cubes.solve("AlB2", gamma, choice).constants.items()}
        best = found["a"] ** 2 * found["c"]
        for a in np.linspace(1.0, 2.4, 29):
            c = 0.99 * best / a**2  # the tallest cell of a smaller volume; a lower one only overlaps more
            if c >= 1:
                assert smallest_gap("AlB2", choice, {"a": a, "c": c}, {"B": gamma}) < -1e-4


def test_orientations_of_abo3_meet_at_one_half() -> None:
    rotated, aligned = (cubes.solve("ABO3", 0.5, choice) for choice in ("rotated", "aligned"))
    assert float(rotated.constants["a"]) == pytest.approx(float(aligned.constants["a"]), rel=1e-15)
    assert cubes.solve("ABO3", np.array([0.49, 0.51])).branch.tolist() == ["rotated", "aligned"]


def test_rigid_nacl_is_denser_than_rigid_abo3() -> None:
    gamma = np.linspace(0.01, 1, 500)
    assert np.all(cubes.packing_fraction("NaCl", gamma) > cubes.packing_fraction("ABO3", gamma))


def test_deformable_perovskite() -> None:
    crossing = 0.424762
    gamma = np.array([crossing - 1e-4, crossing + 1e-4])
    over = cubes.deformable_perovskite(gamma).eta > cubes.packing_fraction("NaCl", gamma)
    assert over.tolist() == [False, True]
    edge = np.sqrt(2) - 1
    assert float(cubes.deformable_perovskite(edge).eta) == pytest.approx(
        float(cubes.packing_fraction("ABO3", edge)), rel=1e-12
    )
    assert float(cubes.deformable_perovskite(0.433741).eta) == pytest.approx(0.85, abs=1e-5)
    assert "inference" in str(cubes.deformable_perovskite(0.45).branch)
    with pytest.raises(PhysicsError, match=r"\(0, 0.492007\]"):
        cubes.deformable_perovskite(0.5)
    assert np.isnan(cubes.deformable_perovskite(np.array([0.5])).eta[0])


@pytest.mark.parametrize(("phase", "choice"), CHOICES)
def test_frames_have_shapes_and_orientations(phase: str, choice: str) -> None:
    frame = cubes.build(phase, 0.45, choice, repeats=(2, 2, 1))
    frame.validate()
    kind = lattices.prototype(phase)
    assert frame.particles.types == ["A", "B"]
    assert 4 * len(kind.labels) == frame.particles.N
    np.testing.assert_allclose(np.linalg.norm(frame.particles.orientation, axis=1), 1, atol=1e-6)
    shapes = frame.particles.type_shapes
    assert shapes[0] == {"type": "Sphere", "diameter": 1.0}
    assert ConvexHull(np.array(shapes[1]["vertices"])).volume == pytest.approx(0.45**3)
    turned = cubes.rotations(phase, choice)
    for label, quaternion in turned.items():
        here = np.tile(np.array(kind.labels) == label, 4)
        expected = np.tile(quaternion, (4, 1))
        np.testing.assert_allclose(frame.particles.orientation[here], expected, atol=1e-6)


def test_ternary_frame_has_three_types_and_a_truncated_body() -> None:
    frame = cubes.build("ABO3", 0.35, "rotated", body=0.6, truncation=0.2)
    assert frame.particles.types == ["A", "B", "O"]
    assert len(frame.particles.type_shapes[1]["vertices"]) == 24
    assert float(frame.configuration.box[0]) == pytest.approx(
        float(cubes.perovskite(0.6, 0.35, "rotated", 0.2)[0])
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cubes.solve("MgZn2", 0.5), "MgZn2 is known here for spheres only.*NaCl, CsCl, ABO3, AlB2"),
        (lambda: cubes.solve("NaCl", 0.5, "rotated"), "known aligned; got 'rotated'"),
        (lambda: cubes.solve("ABO3", 1.2), r"\(0, 1\]; got γ = 1.2"),
        (lambda: cubes.packing_fraction("NaCl", 0.0), r"\(0, 1\]"),
        (lambda: cubes.perovskite(0.0, 0.4), "edges of cubes"),
        (lambda: cubes.perovskite(0.4, 0.4, truncation=0.3), r"\[0, b/2\]"),
        (lambda: cubes.perovskite(0.4, 0.4, "aligne"), "did you mean 'aligned'"),
        (lambda: cubes.build("NaCl", 0.4, body=0.3), "give body"),
        (lambda: cubes.build("ABO3", 0.4, truncation=0.1), "give body"),
    ],
)
def test_bad_input_is_refused(call, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        call()


def test_arrays_mark_bad_entries_and_unknown_phases_are_named() -> None:
    found = cubes.solve("ABO3", np.array([0.4, -1.0, 2.0]))
    np.testing.assert_array_equal(np.isnan(found.eta), [False, True, True])
    assert found.branch.tolist() == ["rotated", "", ""]
    assert "(0, 1]" in found.reason[1]
    a, eta = cubes.perovskite(np.array([0.4, 0.4]), 0.3, truncation=np.array([0.1, 0.3]))
    np.testing.assert_array_equal(np.isnan(a), [False, True])
    np.testing.assert_array_equal(np.isnan(eta), [False, True])
    with pytest.raises(UnknownNameError, match="did you mean 'ABO3'"):
        cubes.solve("ABO", 0.4)
