from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.models import shells
from supercrystal.models.model import Batch
from supercrystal.nanocrystal import Core, Nanocrystal

PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)
GOLD = Nanocrystal(Core("Au", 4.1), library.ligand("nonanethiol"), 5.0)


def test_spacing_is_put_in_through_opm() -> None:
    model = shells.build([Batch("PbS", PBS, 10)], 298.15)
    contact = shells.opm_diameter(PBS)
    assert contact == pytest.approx(9.729, abs=1e-3)
    assert model.diameters == (contact,)
    assert float(model.pairs["PbS", "PbS"][0].energy(contact)) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [5, 1000, 1003])
def test_size_classes_keep_count_mean_and_spread(count: int) -> None:
    classes = shells.size_classes(Batch("PbS", PBS, count, 0.05))
    sizes = np.array([crystal.core.diameter_nm for _, crystal, _ in classes])
    assert sum(number for _, _, number in classes) == count
    assert len({name for name, _, _ in classes}) == shells.SIZE_CLASSES
    assert sizes.mean() == pytest.approx(7.0)
    assert sizes.std() == pytest.approx(0.05 * 7.0)


def test_no_dispersity_is_one_class() -> None:
    assert shells.size_classes(Batch("PbS", PBS, 7)) == [("PbS", PBS, 7)]


def test_every_pair_of_types_of_a_mixture_has_a_shell_at_the_mean_contact() -> None:
    model = shells.build([Batch("PbS", PBS, 10, 0.03), Batch("Au", GOLD, 10)], 298.15)
    assert len(model.pairs) == 6 * 7 // 2
    contact = (shells.opm_diameter(PBS) + shells.opm_diameter(GOLD)) / 2
    assert float(model.pairs["PbS", "Au"][0].energy(contact)) == pytest.approx(1.0)


def test_attraction_is_added_from_the_library_and_refused_where_it_has_no_constant() -> None:
    model = shells.build([Batch("PbS", PBS, 10)], 298.15, attraction="hamaker")
    _, attraction = model.pairs["PbS", "PbS"]
    assert attraction.constant == pytest.approx(0.5e-19 / (1.380649e-23 * 298.15))
    assert float(attraction.energy(9.73)) < 0
    palladium = replace(PBS, core=Core("Pd", 7.0))
    with pytest.raises(PhysicsError, match="no Hamaker constant for Pd"):
        shells.build([Batch("Pd", palladium, 10)], 298.15, attraction="hamaker")


def test_stiffer_shells_take_shorter_steps() -> None:
    soft = shells.build([Batch("PbS", PBS, 10)], 298.15)
    stiff = shells.build([Batch("PbS", replace(PBS, ligand=library.ligand("nonanoate")), 10)], 298.15)
    assert stiff.timestep < soft.timestep <= shells.LONGEST_STEP
