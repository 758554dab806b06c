from __future__ import annotations

import numpy as np
import pytest

from supercrystal.errors import PhysicsError, UnknownNameError
from supercrystal.nanocrystal import MAX_GRAFTING_DENSITY, Core, Ligand, Nanocrystal, ligand_length


def test_both_published_parametrisations_are_reproduced() -> None:
    # Slopes as printed: 0.128 n + 0.2 nm (Liu 2023, Eq. 8) and 0.125 n + 0.2 nm.
    assert ligand_length(10, geometry="alkane") == pytest.approx(0.127672 * 10 + 0.2, abs=1e-5)
    assert ligand_length(10, geometry="tetrahedral") == pytest.approx(0.124946 * 10 + 0.2, abs=1e-5)


def test_length_broadcasts_and_a_double_bond_adds_its_own_length() -> None:
    lengths = ligand_length([[8], [18]], [0, 1])
    assert lengths.shape == (2, 2)
    np.testing.assert_allclose(lengths[:, 1] - lengths[:, 0], 0.1333 - 0.124946, atol=1e-5)


@pytest.mark.parametrize(("carbons", "double"), [(0, 0), (4, 4), (4, -1)])
def test_impossible_chains_are_refused(carbons: int, double: int) -> None:
    with pytest.raises(PhysicsError, match="fewer double bonds than carbons"):
        ligand_length(carbons, double)


def test_unknown_geometry_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'tetrahedral'"):
        ligand_length(8, geometry="tetrahedal")


def test_coverage_is_grafting_density_unless_given() -> None:
    core, ligand = Core("PbS", 7.0), Ligand("oleate", 18, 1)
    assert Nanocrystal(core, ligand, 4.4).xi == pytest.approx(4.4 / MAX_GRAFTING_DENSITY)
    assert Nanocrystal(core, ligand, 4.4, coverage=0.95).xi == 0.95


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_sizes_and_densities_must_be_positive(value: float) -> None:
    with pytest.raises(PhysicsError):
        Core("PbS", value)
    with pytest.raises(PhysicsError):
        Nanocrystal(Core("PbS", 7.0), Ligand("C8", 8), value)


def test_each_chain_of_a_branched_ligand_takes_its_own_area() -> None:
    core = Core("CsPbBr3", 8.6)
    one, two = Ligand("C12", 12), Ligand("DDAB", 12, chains=2)
    assert one.length_nm == two.length_nm
    assert Nanocrystal(core, two, 2.0).xi == pytest.approx(2 * Nanocrystal(core, one, 2.0).xi)
    with pytest.raises(PhysicsError, match="at least 1 chain"):
        Ligand("none", 12, chains=0)
