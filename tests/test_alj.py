"""The contact potential of polyhedra in plain numpy, and the model made of it."""

from __future__ import annotations

import dataclasses
import math
from functools import lru_cache

import numpy as np
import pytest
import rowan
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from supercrystal import study as studies
from supercrystal.errors import PhysicsError, StudyError
from supercrystal.interactions import alj
from supercrystal.interactions.alj import Contact, Facets
from supercrystal.models import cubes, polyhedra
from supercrystal.models.model import Batch
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.run import prepare
from supercrystal.shapes import Shape, cube, cuboid, sphere
from supercrystal.soundness import check
from supercrystal.system import Schedule

L, T = 8.6, 1.5
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
CUBE = Facets.of(cube(L))
POINT = Facets(np.zeros((0, 3)), ())
BODIES = {
    "cube": CUBE,
    "truncated": Facets.of(cube(L, 2.0)),
    "plate": Facets.of(cuboid((10.0, 8.0, 3.0))),
    "point": POINT,
    "sphere": Facets.of(sphere(6.0)),
}
SHELLS = Contact.between(CUBE, CUBE, 2 * T, 1.0)
turns = st.integers(0, 2**32 - 1).map(lambda seed: _turn(seed))


def _turn(seed: int) -> NDArray[np.float64]:
    return np.asarray(rowan.normalize(np.random.default_rng(seed).normal(size=4)))


def _about(axis: tuple[float, float, float], degrees: float) -> NDArray[np.float64]:
    return np.asarray(rowan.from_axis_angle(axis, math.radians(degrees)))


def _u(d: float, contact: Contact = SHELLS) -> float:
    """The 12–6 form, written out again."""
    x = (contact.sigma / d) ** 6
    lifted = 0.0 if contact.attractive else contact.epsilon
    return 4 * contact.epsilon * (x * x - x) + lifted if contact.attractive or d < 2 * T else 0.0


@pytest.mark.parametrize("attractive", [False, True])
@pytest.mark.parametrize("h", [2.2, 2.9, 3.4])
def test_aligned_faces_have_24_features_of_which_20_at_the_gap(h: float, attractive: bool) -> None:
    contact = Contact.between(CUBE, CUBE, 2 * T, 0.3, attractive)
    found = alj.energy(CUBE, CUBE, contact, (L + h, 0, 0), UPRIGHT, UPRIGHT)
    assert found == pytest.approx(20 * _u(h, contact) + 4 * _u(math.hypot(h, L), contact), rel=1e-12)


def test_faces_cease_to_repel_where_their_shells_touch() -> None:
    assert alj.energy(CUBE, CUBE, SHELLS, (L + 2 * T, 0, 0), UPRIGHT, UPRIGHT) == 0
    assert alj.energy(CUBE, CUBE, SHELLS, (L + 2 * T - 1e-3, 0, 0), UPRIGHT, UPRIGHT) > 0


@pytest.mark.parametrize("d", [2.4, 2.8])
def test_crossed_edges_and_a_corner_on_a_face_are_one_feature(d: float) -> None:
    edge = L / math.sqrt(2)
    crossed = alj.energy(
        CUBE, CUBE, SHELLS, (2 * edge + d, 0, 0), _about((0, 0, 1), 45), _about((0, 1, 0), 45)
    )
    assert crossed == pytest.approx(_u(d), rel=1e-12)
    corner = rowan.vector_vector_rotation(np.array([[-1.0, -1.0, -1.0]]), np.array([[-1.0, 0.0, 0.0]]))[0]
    stood = alj.energy(CUBE, CUBE, SHELLS, (L / 2 + math.sqrt(3) / 2 * L + d, 0.3, 0.2), UPRIGHT, corner)
    assert stood == pytest.approx(_u(d), rel=1e-12)


@pytest.mark.parametrize("d", [2.4, 2.8])
def test_parallel_edges_have_eleven_features_and_an_edge_on_a_face_two(d: float) -> None:
    """Edges above each other: 2 + 2 corners, the edges, 4 pairs of one with an end of the other, 2 of ends."""
    edge, turned = L / math.sqrt(2), _about((0, 0, 1), 45)
    found = alj.energy(CUBE, CUBE, SHELLS, (2 * edge + d, 0, 0), turned, turned)
    assert found == pytest.approx(11 * _u(d), rel=1e-12)
    # a shorter edge on the middle of a face: its 2 corners, and no edge of the face is near
    inner = Facets.of(cuboid((L, L, L / 2)))
    found = alj.energy(CUBE, inner, SHELLS, (L / 2 + edge + d, 0, 0), UPRIGHT, turned)
    assert found == pytest.approx(2 * _u(d), rel=1e-12)


@pytest.mark.parametrize(
    ("r", "distance"),
    [
        ((L / 2 + 5.0, 1.0, -2.0), 5.0),
        ((L / 2 + 3.0, L / 2 + 4.0, 0.0), 5.0),
        ((L / 2 + 2, L / 2 + 1, L / 2 + 2), 3.0),
    ],
)
def test_a_sphere_feels_its_distance_from_face_edge_and_corner(r: tuple[float, ...], distance: float) -> None:
    contact = Contact.between(CUBE, POINT, 6.0, 2.0)
    found = alj.energy(CUBE, POINT, contact, r, UPRIGHT, UPRIGHT)
    x = (contact.sigma / distance) ** 6
    assert found == pytest.approx(8 * (x * x - x) + 2, rel=1e-12)
    assert alj.energy(POINT, CUBE, contact, tuple(-x for x in r), UPRIGHT, UPRIGHT) == pytest.approx(found)


# Not at the cut itself, where the energy has a small step.
@given(
    st.sampled_from(sorted(BODIES)), st.sampled_from(sorted(BODIES)), turns, turns, turns, st.floats(0, 0.99)
)
def test_energy_knows_neither_the_order_of_a_pair_nor_where_space_is_up(
    one: str,
    other: str,
    qa: NDArray[np.float64],
    qb: NDArray[np.float64],
    turn: NDArray[np.float64],
    share: float,
) -> None:
    a, b = BODIES[one], BODIES[other]
    contact = Contact.between(a, b, 3.0, 1.0, attractive=True)
    r = rowan.rotate(turn, [0.5 * contact.r_cut * (1 + share), 0, 0])
    found = alj.energy(a, b, contact, r, qa, qb)
    swapped = alj.energy(b, a, contact, -r, qb, qa)
    turned = alj.energy(
        a, b, contact, rowan.rotate(turn, r), rowan.multiply(turn, qa), rowan.multiply(turn, qb)
    )
    assert swapped == pytest.approx(found, rel=1e-9)
    assert turned == pytest.approx(found, rel=1e-9)


@given(st.sampled_from(sorted(BODIES)), st.sampled_from(sorted(BODIES)), turns, turns, turns)
def test_repulsion_has_ended_at_the_range(
    one: str, other: str, qa: NDArray[np.float64], qb: NDArray[np.float64], turn: NDArray[np.float64]
) -> None:
    a, b = BODIES[one], BODIES[other]
    contact = Contact.between(a, b, 3.0, 1.0)
    r = rowan.rotate(turn, [contact.r_cut, 0, 0])
    assert np.all(contact.energy(alj.features(a, b, r, qa, qb)) == 0)


@pytest.mark.parametrize("seed", range(12))
def test_nearest_points_are_the_nearest_of_the_hulls(seed: int) -> None:
    """Against a minimiser over all mixtures of the vertices of both."""
    rng = np.random.default_rng(seed)
    a, b = (BODIES[name] for name in rng.choice(["cube", "truncated", "plate"], 2))
    qa, qb = _turn(seed), _turn(seed + 100)
    r = rowan.rotate(_turn(seed + 200), [a.radius + b.radius, 0, 0])
    va, vb = rowan.rotate(qa, a.vertices), rowan.rotate(qb, b.vertices) + r

    def apart(weights: NDArray[np.float64]) -> float:
        return float(np.sum((weights[: len(va)] @ va - weights[len(va) :] @ vb) ** 2))

    sums = [
        {"type": "eq", "fun": lambda w: w[: len(va)].sum() - 1},
        {"type": "eq", "fun": lambda w: w[len(va) :].sum() - 1},
    ]
    guess = np.concatenate([np.full(len(va), 1 / len(va)), np.full(len(vb), 1 / len(vb))])
    best = minimize(
        apart, guess, bounds=[(0, 1)] * len(guess), constraints=sums, options={"ftol": 1e-14, "maxiter": 500}
    )
    on_a, on_b, distance = alj.nearest_points(a, b, r, qa, qb)
    assert distance == pytest.approx(math.sqrt(best.fun), abs=1e-4)
    assert distance == pytest.approx(float(np.linalg.norm(on_a - on_b)), rel=1e-12)


def test_bodies_that_cross_are_found_also_where_no_corner_is_inside() -> None:
    beam = Facets.of(cuboid((20.0, 2.0, 2.0)))
    turned = _about((0, 0, 1), 90)
    assert alj.nearest_points(beam, beam, (0.3, 0.2, 1.9), UPRIGHT, turned)[2] <= 0
    assert alj.nearest_points(beam, beam, (0.3, 0.2, 2.1), UPRIGHT, turned)[2] == pytest.approx(0.1)
    assert math.isinf(alj.energy(CUBE, CUBE, SHELLS, (1.0, 0, 0), UPRIGHT, UPRIGHT))
    assert alj.nearest_points(CUBE, BODIES["sphere"], (1.0, 0, 0), UPRIGHT, UPRIGHT)[2] < 0
    with pytest.raises(PhysicsError, match="overlap"):
        alj.features(CUBE, CUBE, (1.0, 0, 0), UPRIGHT, UPRIGHT)


@pytest.mark.parametrize("attractive", [False, True])
@pytest.mark.parametrize("epsilon", [0.02, 1.0, 5.0])
def test_closest_is_where_a_feature_costs_300_kt(epsilon: float, attractive: bool) -> None:
    contact = Contact(epsilon, 2.0, attractive, 20.0)
    assert float(contact.energy(contact.closest)) == pytest.approx(300, rel=1e-9)


def _crystal(shape: Shape | None, diameter: float = 10.0) -> Nanocrystal:
    core = Core("CsPbBr3", diameter) if shape is None else Core.of("CsPbBr3", shape)
    return Nanocrystal(core, Ligand("oleate", 18, 1), 3.0)


@lru_cache
def _model(*shapes: Shape | None, **settings: object) -> polyhedra.Model:
    batches = [Batch(f"N{i}", _crystal(shape), 10) for i, shape in enumerate(shapes)]
    return polyhedra.build(batches, 298.15, cubes.Settings(**settings))  # type: ignore[arg-type]


def _value(model: polyhedra.Model, pair: tuple[str, str], name: str) -> float:
    return next(row.value for row in model.mapping if row.pair == pair and row.name == name)


def test_model_has_the_sizes_frictions_and_exponent_of_the_bead_model() -> None:
    batches = [Batch("N", _crystal(cube(L)), 10)]
    mine, beads = polyhedra.build(batches, 298.15), cubes.build(batches, 298.15)
    assert mine.diameters == beads.diameters
    assert mine.mean_spacing == pytest.approx(beads.mean_spacing)
    one, other = mine.polyhedra["N"], beads.bodies["N"]
    for name in ("mass", "moments", "friction", "rotational_friction"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12)
    assert _value(mine, ("N", "N"), "q") == _value(beads, ("N", "N"), "q capped")
    assert _value(mine, ("N", "N"), "D") == pytest.approx(L + 2 * _crystal(cube(L)).shell_thickness)
    assert mine.timestep < beads.timestep


@pytest.mark.parametrize(
    "shape", [cube(L), cube(L, 1.5), cuboid((12.0, 9.0, 4.0))], ids=lambda shape: shape.name
)
def test_wells_are_as_deep_as_asked(shape: Shape) -> None:
    model = _model(shape, None, wells=(("N0", "N0", -5.0), ("N0", "N1", -2.0), ("N1", "N1", -1.0)))
    facets, contact = model.polyhedra["N0"].facets, model.contacts["N0", "N0"]
    distance = _value(model, ("N0", "N0"), "r_well")
    grid = np.linspace(distance - 0.4, distance + 0.4, 81)
    energies = alj.facing_energies(facets, facets, contact, grid)
    assert energies.min() == pytest.approx(-5.0, abs=1e-6)
    assert grid[np.argmin(energies)] == pytest.approx(distance, abs=0.011)
    mixed = alj.facing_energies(
        facets, POINT, model.contacts["N0", "N1"], [_value(model, ("N0", "N1"), "r_well")]
    )
    assert float(mixed[0]) == pytest.approx(-2.0, abs=1e-9)
    r = _value(model, ("N1", "N1"), "r_well")
    assert sum(float(p.energy(r)) for p in model.pairs["N1", "N1"]) == pytest.approx(-1.0)


def test_hamaker_wells_are_the_integral_over_the_cores() -> None:
    model = _model(cube(L), attraction="hamaker")
    from supercrystal import library
    from supercrystal.interactions import hamaker
    from supercrystal.units import kt_in_joule

    constant = library.quantity("cores", "CsPbBr3", "hamaker")
    assert constant is not None
    distance = _value(model, ("N0", "N0"), "r_well")
    wanted = hamaker.cubes(constant.value / kt_in_joule(298.15), L, distance - L)
    facets = model.polyhedra["N0"].facets
    found = alj.facing_energies(facets, facets, model.contacts["N0", "N0"], [distance])
    assert float(found[0]) == pytest.approx(wanted, rel=1e-6)


def test_repulsion_of_a_sphere_ends_with_the_curvature_of_shells() -> None:
    model = _model(cube(L), None)
    curvatures = [
        4 * c.epsilon * (156 * c.sigma**12 / d**14 - 42 * c.sigma**6 / d**8)
        for c in (model.contacts["N0", "N0"], model.contacts["N0", "N1"])
        for d in (2 ** (1 / 6) * c.sigma,)
    ]
    assert curvatures[0] == pytest.approx(curvatures[1], rel=0.02)  # shells of both are 1 % apart


EDGED = cube(L)


@given(turns)
def test_a_random_start_has_no_contact(turn: NDArray[np.float64]) -> None:
    model = _model(EDGED)
    apart = 0.9 * model.placed_diameters[0]
    contact = model.contacts["N0", "N0"]
    facets = model.polyhedra["N0"].facets
    corner = rowan.vector_vector_rotation(np.array([[1.0, 1, 1]]), np.array([[1.0, 0, 0]]))[0]
    facing = rowan.multiply(_about((0, 0, 1), 180), corner)
    assert alj.energy(facets, facets, contact, (apart, 0, 0), corner, facing) == 0
    assert alj.energy(facets, facets, contact, (apart, 0, 0), corner, turn) == 0


def test_what_makes_no_polyhedron_is_refused() -> None:
    with pytest.raises(PhysicsError, match="tier = 'shells'"):
        _model(None)
    with pytest.raises(PhysicsError, match="rounded"):
        Facets.of(cube(L).capped(1.0))
    with pytest.raises(PhysicsError, match="sphere"):
        polyhedra.Polyhedron("N", POINT, 1.0, (1.0,) * 3, 1.0, (1.0,) * 3)
    with pytest.raises(PhysicsError, match="finite and > 0"):
        polyhedra.Polyhedron("N", CUBE, 1.0, (1.0, 0.0, 1.0), 1.0, (1.0,) * 3)


STUDY = """
name = "alj"
seed = 1
solvent = "toluene"
[[nanocrystals]]
count = 64
grafting_density_per_nm2 = 3.0
ligand = "oleate"
[nanocrystals.core]
material = "CsPbBr3"
shape = "cube"
edge_nm = 8.6
[model]
tier = "cubes"
bodies = "alj"
[protocol]
kind = "compression"
pressure_kPa = [5.0, 60.0]
ramp_brownian_times = 10.0
hold_brownian_times = 10.0
"""


def test_a_study_makes_polyhedra() -> None:
    prepared = prepare(studies.parse(STUDY))
    system = prepared.system
    assert set(system.polyhedra) == {"CsPbBr3"}
    assert not system.bodies
    assert system.frame.particles.types == ["CsPbBr3"]
    assert np.ptp(system.frame.particles.moment_inertia) < 1e-9 * np.max(
        system.frame.particles.moment_inertia
    )


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('bodies = "alj"', 'bodies = "alj"\nbeads_per_edge = 4', "has no beads_per_edge"),
        ('bodies = "alj"', 'bodies = "ajl"', "did you mean"),
        ("solvent = ", 'engine = "lammps"\nsolvent = ', "engine = 'hoomd' or 'auto'"),
        (
            'kind = "compression"\npressure_kPa = [5.0, 60.0]\nramp_brownian_times = 10.0',
            'kind = "drying"\npeclet = 1.0\ndry_layers = 4',
            "no walls",
        ),
        ('tier = "cubes"', 'tier = "shells"', "bodies"),
    ],
)
def test_studies_that_polyhedra_cannot_do_are_refused(old: str, new: str, match: str) -> None:
    assert old in STUDY
    with pytest.raises(StudyError, match=match):
        studies.parse(STUDY.replace(old, new))


def test_starts_that_overlap_and_walls_are_found_before_the_first_step() -> None:
    prepared = prepare(studies.parse(STUDY))
    system, still = prepared.system, Schedule((0, 10))
    check(system, still)
    near = dataclasses.replace(system, frame=_moved(system.frame, 0, 1, L + 1.0))
    with pytest.raises(PhysicsError, match="between their cores"):
        check(near, still)
    inside = dataclasses.replace(system, frame=_moved(system.frame, 0, 1, L - 1.0))
    with pytest.raises(PhysicsError, match="overlap at the start"):
        check(inside, still)
    with pytest.raises(PhysicsError, match="no contact with"):
        check(dataclasses.replace(system, contacts={}), still)
    with pytest.raises(PhysicsError, match="twice the range"):
        check(system, Schedule((0, 10), sides=((87.0,) * 3, (34.0,) * 3)))
    with pytest.raises(PhysicsError, match="fixed"):
        check(dataclasses.replace(system, fixed=frozenset({"CsPbBr3"})), still)
    from supercrystal.interactions.wall import Wall
    from supercrystal.system import Film

    film = Film(-30.0, {"CsPbBr3": Wall(1.0, 5.0)})
    with pytest.raises(PhysicsError, match="a corner of an ALJ polyhedron"):
        check(dataclasses.replace(system, film=film), still)


def _moved(frame: object, i: int, j: int, apart: float) -> object:
    """Particle j beside i, both upright."""
    import copy

    changed = copy.deepcopy(frame)
    particles = changed.particles  # type: ignore[attr-defined]
    position, orientation = np.array(particles.position, float), np.array(particles.orientation, float)
    position[j] = position[i] + [apart, 0, 0]
    orientation[[i, j]] = UPRIGHT
    particles.position, particles.orientation = position, orientation
    return changed
