"""What a study means for the comparison of crystals: particle types without dispersity, their forces, the pressure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import StudyError
from supercrystal.solids.candidates import opm_pressure
from supercrystal.solids.dynamics import Substance
from supercrystal.system import PairPotential
from supercrystal.units import kpa_per_kt_nm3

if TYPE_CHECKING:
    from supercrystal.models.model import Model
    from supercrystal.study import Study

#: P times the mean volume of a nanocrystal where no pressure is given, of the size at which cubes order [kT].
DEFAULT_WORK = 20.0
#: Units in which a pressure can be given.
UNITS = ("kPa", "kT/nm3")


@dataclass(frozen=True)
class Scaled:
    """A potential times a number: what the solvent makes of it.

    Args:
        potential: in full strength.
        factor: of its strength [-].
    """

    potential: PairPotential
    factor: float

    @property
    def r_cut(self) -> float:
        """Of the potential [nm]."""
        return self.potential.r_cut

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        return np.asarray(self.factor * self.potential.energy(r))

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Force −dU/dr [kT/nm]."""
        return np.asarray(self.factor * self.potential.force(r))


def _model(study: Study) -> Model:
    """The study's model with one size of each nanocrystal."""
    tables = tuple(table.model_copy(update={"size_dispersity": 0.0}) for table in study.nanocrystals)
    return study.model_copy(update={"nanocrystals": tables}).build_model()


def body_model(study: Study) -> tuple[Model, dict[str, int]]:
    """The model of a study of the cubes tier, and how many there are of each type; a spread of sizes is left out."""
    model = _model(study)
    return model, dict(zip(model.types, model.counts, strict=True))


def substance(study: Study) -> tuple[Substance, dict[str, int]]:
    """Particle types and forces of a study, and how many there are of each.

    A spread of sizes is left out: a perfect crystal has one size on each site. The solvent has the strength at which the
    study's model puts it, not that of a schedule.
    """
    model = _model(study)
    pairs: dict[tuple[str, str], tuple[PairPotential, ...]] = {}
    for a, b in itertools.combinations_with_replacement(model.types, 2):
        always, solvent = (
            layer.get((a, b)) or layer.get((b, a)) or () for layer in (model.pairs, model.solvent)
        )
        pairs[a, b] = (*always, *(Scaled(p, model.solvent_strength) for p in solvent))
    made = Substance(
        diameters=dict(zip(model.types, model.diameters, strict=True)),
        pairs=pairs,
        mass=model.mass,
        friction=model.friction,
        timestep=model.timestep,
    )
    return made, dict(zip(model.types, model.counts, strict=True))


def parse_pressure(text: str, temperature: float) -> float:
    """Pressure [kT/nm³] of a number with its unit.

    Raises:
        StudyError: it is not a number followed by kPa or kT/nm3.

    >>> parse_pressure("0.05 kT/nm3", 298.15)
    0.05
    >>> round(parse_pressure("200kPa", 298.15), 5)
    0.04859
    """
    plain = text.strip().replace("³", "3").replace("^3", "3")
    for unit, factor in zip(UNITS, (1 / kpa_per_kt_nm3(temperature), 1.0), strict=True):
        if plain.lower().endswith(unit.lower()):
            try:
                value = float(plain[: -len(unit)]) * factor
            except ValueError:
                break
            if np.isfinite(value):
                return value
    raise StudyError(
        f"'{text}' is not a pressure: write a number and its unit, {' or '.join(UNITS)}, as in 200kPa"
    )


def pressure(study: Study, made: Substance, given: str | None = None) -> tuple[float, str]:
    """Pressure at which crystals are compared [kT/nm³], and where it comes from.

    In this order: what is given; the last pressure of the study's last compression; the static pressure of fcc of the first
    nanocrystals at their OPM distance.
    """
    known = _said(study, given)
    if known is not None:
        return known
    name, diameter = next(iter(made.diameters.items()))
    found = opm_pressure(diameter, name, made)
    return found, f"static pressure of fcc {name} at its OPM distance, {diameter:.2f} nm"


def pressure_of_bodies(study: Study, model: Model, given: str | None = None) -> tuple[float, str]:
    """Pressure at which crystals of bodies are compared [kT/nm³], and where it comes from.

    What is given, the last pressure of the study's last compression, or one kT for the volume of the mean nanocrystal in
    its densest crystal times `DEFAULT_WORK`.
    """
    known = _said(study, given)
    if known is not None:
        return known
    return DEFAULT_WORK / model.mean_volume, f"{DEFAULT_WORK:g} kT for the mean volume of a nanocrystal"


def _said(study: Study, given: str | None) -> tuple[float, str] | None:
    """Pressure that is given, or at which the study's last compression ends; None if neither is."""
    if given is not None:
        return parse_pressure(given, study.temperature_K), "given"
    for table in reversed(study.protocol):
        if table.kind == "compression":
            kpa = table.pressure_kPa[1]
            return kpa / kpa_per_kt_nm3(study.temperature_K), "end of the study's compression"
    return None
