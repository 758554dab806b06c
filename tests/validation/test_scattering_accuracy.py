"""Powder indexing on configurations from molecular dynamics: every crystal named, no liquid taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from supercrystal.structure.scattering.amplitudes import scatterers
from supercrystal.structure.scattering.indexing import Candidate, index_powder
from supercrystal.structure.scattering.powder import structure_factors
from tests.validation.md_samples import CRYSTALS, LIQUIDS, sample
from tests.validation.test_md_samples import _all


def _best(name: str) -> Candidate:
    found = sample(name)
    density = len(found.positions) / float(np.prod(found.box[:3]))
    particles = scatterers(found.box, found.positions, found.kinds, found.species)
    return index_powder(structure_factors(particles, 6 * np.pi * density ** (1 / 3)))[0]


@pytest.mark.parametrize("name", _all(CRYSTALS))
def test_crystals_are_named(name: str) -> None:
    best = _best(name)
    assert best.crystalline
    assert best.phase == sample(name).truth


@pytest.mark.parametrize("name", _all(LIQUIDS))
def test_liquids_are_no_crystals(name: str) -> None:
    assert not _best(name).crystalline
