from __future__ import annotations

import numpy as np
import pytest

from supercrystal import lattices
from supercrystal.errors import PhysicsError, UnknownNameError
from supercrystal.packing import hard

#: Names, stoichiometry and particles of the conventional cell, as design.md and crystallography have them.
CATALOGUE = {
    "fcc": ({"A": 1}, 4),
    "hcp": ({"A": 1}, 2),
    "bcc": ({"A": 1}, 2),
    "sc": ({"A": 1}, 1),
    "diamond": ({"A": 1}, 8),
    "NaCl": ({"A": 1, "B": 1}, 8),
    "CsCl": ({"A": 1, "B": 1}, 2),
    "AuCu": ({"A": 1, "B": 1}, 4),
    "AuCu3": ({"A": 1, "B": 3}, 4),
    "AlB2": ({"A": 1, "B": 2}, 3),
    "MgZn2": ({"A": 1, "B": 2}, 12),
    "CaB6": ({"A": 1, "B": 6}, 7),
    "CaCu5": ({"A": 1, "B": 5}, 6),
    "ABO3": ({"A": 1, "B": 1, "O": 3}, 5),
    "ReO3": ({"A": 1, "B": 3}, 4),
    "Fe4C": ({"A": 1, "B": 4}, 5),
    "Li3Bi": ({"A": 1, "B": 3}, 16),
    "bccAB6": ({"A": 1, "B": 6}, 14),
    "NaZn13": ({"A": 1, "B": 13}, 112),
    "cubAB13": ({"A": 1, "B": 13}, 14),
}


def example(phase: str) -> dict[str, float]:
    return {key: float(value) for key, value in hard.constants(phase, 0.6).items()}


def test_the_catalogue_has_exactly_the_phases_of_the_design() -> None:
    assert set(lattices.names()) == set(CATALOGUE)


@pytest.mark.parametrize("phase", CATALOGUE)
def test_stoichiometry_and_cell(phase: str) -> None:
    kind = lattices.prototype(phase)
    assert kind.stoichiometry == CATALOGUE[phase][0]
    assert len(kind.labels) == CATALOGUE[phase][1]
    assert kind.one_component == (len(CATALOGUE[phase][0]) == 1)
    assert float(lattices.volume(phase, example(phase))) == pytest.approx(
        np.linalg.det(lattices.vectors(phase, example(phase)))
    )


@pytest.mark.parametrize(("alias", "phase"), [("CaTiO3", "ABO3"), ("Cu3Au", "AuCu3")])
def test_aliases(alias: str, phase: str) -> None:
    assert lattices.prototype(alias) is lattices.prototype(phase)


@pytest.mark.parametrize(("wrong", "right"), [("MgZn", "MgZn2"), ("cscl", "CsCl"), ("CaTiO", "CaTiO3")])
def test_unknown_phase_names_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{right}'.*known: fcc, hcp"):
        lattices.prototype(wrong)


#: Coordination of touching neighbours from crystallography: (pair of labels, distance over a, coordination).
SHELLS = {
    "fcc": (("A", "A"), np.sqrt(0.5), (12, 12)),
    "bcc": (("A", "A"), np.sqrt(0.75), (8, 8)),
    "sc": (("A", "A"), 1.0, (6, 6)),
    "diamond": (("A", "A"), np.sqrt(3) / 4, (4, 4)),
    "NaCl": (("A", "B"), 0.5, (6, 6)),
    "CsCl": (("A", "B"), np.sqrt(0.75), (8, 8)),
    "AuCu3": (("A", "B"), np.sqrt(0.5), (12, 4)),
    "ABO3": (("B", "O"), 0.5, (6, 2)),
    "ReO3": (("A", "B"), 0.5, (6, 2)),
    "Li3Bi": (("A", "B8c"), np.sqrt(3) / 4, (8, 4)),
    "bccAB6": (("B", "B"), np.sqrt(1 / 8), (4, 4)),
}


@pytest.mark.parametrize("phase", SHELLS)
def test_first_neighbours(phase: str) -> None:
    pair, distance, coordination = SHELLS[phase]
    found = [s for s in lattices.shells(phase, {"a": 1.0}, 1.0) if s.pair == pair]
    assert found[0].distance == pytest.approx(distance, rel=1e-12)
    assert found[0].coordination == coordination


def test_hcp_and_the_laves_phase_have_their_ideal_coordination() -> None:
    hcp = lattices.shells("hcp", {"a": 1.0, "c": np.sqrt(8 / 3)}, 1.0)
    assert [(s.coordination, round(s.distance, 12)) for s in hcp] == [((12, 12), 1.0)]
    laves = lattices.shells("MgZn2", {"a": 1.0, "c": np.sqrt(8 / 3)}, np.sqrt(3 / 8))
    around_a = sum(s.coordination[0] for s in laves if s.pair[0] == "A")
    assert around_a == 4 + 12
    assert {round(s.distance, 9) for s in laves if "A" not in s.pair} == {0.5}


@pytest.mark.parametrize("phase", CATALOGUE)
def test_every_site_of_a_label_sees_the_listed_shells(phase: str) -> None:
    constants = example(phase)
    cells = 3 if phase != "NaZn13" else 2
    frame = lattices.build(phase, constants, repeats=(cells, cells, cells))
    cell = lattices.vectors(phase, constants) * cells
    labels = np.tile(lattices.prototype(phase).labels, cells**3)
    position = frame.particles.position.astype(float)
    reach = 0.9 * float(np.min(np.diag(cell))) / 2
    listed = [shell for shell in lattices.shells(phase, constants, reach)][:4]
    assert listed
    for centre in range(len(lattices.prototype(phase).labels)):
        steps = (position - position[centre]) @ np.linalg.inv(cell)
        distance = np.linalg.norm((steps - np.round(steps)) @ cell, axis=1)
        for shell in listed:
            for here, there, coordination in zip(
                shell.pair, shell.pair[::-1], shell.coordination, strict=True
            ):
                if labels[centre] == here:
                    near = np.abs(distance - shell.distance) < 2e-5 * shell.distance
                    assert (near & (labels == there)).sum() == coordination


@pytest.mark.parametrize("phase", CATALOGUE)
@pytest.mark.parametrize("repeats", [(1, 1, 1), (2, 1, 3)])
def test_a_frame_has_the_cell_the_species_and_no_particle_twice(
    phase: str, repeats: tuple[int, int, int]
) -> None:
    constants = example(phase)
    frame = lattices.build(phase, constants, repeats=repeats)
    frame.validate()
    counts, cells = CATALOGUE[phase][0], int(np.prod(repeats))
    assert CATALOGUE[phase][1] * cells == frame.particles.N
    assert frame.particles.types == list(counts)
    unit = frame.particles.N / sum(counts.values())
    assert np.bincount(frame.particles.typeid).tolist() == [unit * count for count in counts.values()]
    lx, ly, lz, xy, xz, yz = (float(v) for v in frame.configuration.box)
    assert lx * ly * lz == pytest.approx(float(lattices.volume(phase, constants)) * cells, rel=1e-6)
    box = np.array([[lx, 0, 0], [xy * ly, ly, 0], [xz * lz, yz * lz, lz]])
    scaled = frame.particles.position.astype(float) @ np.linalg.inv(box)
    assert np.all(np.abs(scaled) <= 0.5 + 1e-6)
    assert len(np.unique(np.round(scaled % 1 % 0.999999, 5), axis=0)) == frame.particles.N
    np.testing.assert_array_equal(frame.particles.orientation, np.tile([1, 0, 0, 0], (frame.particles.N, 1)))


def test_a_frame_is_written_and_read_back(tmp_path) -> None:
    gsd_hoomd = pytest.importorskip("gsd.hoomd")
    frame = lattices.build("CaCu5", example("CaCu5"), repeats=(2, 2, 2), diameters={"A": 1.0, "B": 0.6})
    with gsd_hoomd.open(tmp_path / "cell.gsd", "w") as file:
        file.append(frame)
    with gsd_hoomd.open(tmp_path / "cell.gsd", "r") as file:
        again = file[0]
    np.testing.assert_array_equal(again.particles.position, frame.particles.position)
    assert sorted(set(again.particles.diameter.tolist())) == pytest.approx([0.6, 1.0])


def test_species_can_be_renamed_and_merged() -> None:
    frame = lattices.build("ABO3", {"a": 1.0}, types={"A": "Fe3O4", "B": "CsPbBr3", "O": "CsPbBr3"})
    assert frame.particles.types == ["Fe3O4", "CsPbBr3"]
    assert np.bincount(frame.particles.typeid).tolist() == [1, 4]


def test_orientations_follow_their_sites_through_a_supercell() -> None:
    turned = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    frame = lattices.build("ABO3", {"a": 1.0}, orientations={"O": turned}, repeats=(2, 1, 1))
    of_o = frame.particles.orientation[frame.particles.typeid == 2]
    np.testing.assert_array_equal(of_o, np.tile(turned, (2, 1)))


def test_constants_broadcast() -> None:
    a, c = np.linspace(1, 2, 5)[:, None], np.array([1.0, 2.0])
    assert lattices.volume("AlB2", {"a": a, "c": c}).shape == (5, 2)
    assert lattices.vectors("AlB2", {"a": a, "c": c}).shape == (5, 2, 3, 3)
    u = np.linspace(0.2, 0.4, 7)
    assert lattices.fractional("Fe4C", {"a": np.ones(7), "u": u}).shape == (7, 5, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lattices.volume("NaCl", {"a": 1.0, "c": 1.0}), "fixed by a; got a, c"),
        (lambda: lattices.volume("AlB2", {"a": 1.0}), "fixed by a, c; got a"),
        (lambda: lattices.volume("NaCl", {"a": 0.0}), "must be > 0"),
        (lambda: lattices.build("NaCl", {"a": 1.0}, repeats=(1, 0, 1)), "whole numbers"),
        (lambda: lattices.build("NaCl", {"a": 1.0}, types={"O": "B"}), "species A, B; got 'O'"),
        (lambda: lattices.build("NaCl", {"a": 1.0}, orientations={"B2": [1, 0, 0, 0]}), "sites A, B"),
    ],
)
def test_what_does_not_fit_a_phase_is_refused(call, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        call()
