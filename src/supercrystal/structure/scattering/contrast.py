"""Scattering-length densities of materials for X-rays, from composition and mass density.

ρ = r_e N_A d ΣZ / ΣM counts every electron as free, which neglects dispersion: near an absorption edge the true value is
lower, and heavy elements are never far from one. Contrasts are arguments everywhere, for whoever has tabulated values.
Divided by r_e, ρ is the electron density.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from supercrystal.errors import PhysicsError
from supercrystal.structure.scattering.form_factors import Body, Shape

#: Classical electron radius [nm] and Avogadro constant [1/mol], CODATA 2018.
ELECTRON_RADIUS_NM = 2.8179403262e-6
AVOGADRO = 6.02214076e23

#: Formulas of the solvents of the library, which has their densities.
SOLVENTS = {"toluene": "C7H8", "hexane": "C6H14", "octane": "C8H18", "cyclohexane": "C6H12"}

_ELEMENT = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?(?:\d+(?:\.\d+)?)?)+")


def composition(formula: str) -> dict[str, float]:
    """Element → number in a formula without brackets.

    >>> composition("CsPbBr3")
    {'Cs': 1.0, 'Pb': 1.0, 'Br': 3.0}
    """
    if not _FORMULA.fullmatch(formula):
        raise PhysicsError(f"'{formula}' is not a formula such as PbS, Fe2O3 or C18H34O2")
    found: dict[str, float] = {}
    for element, number in _ELEMENT.findall(formula):
        found[element] = found.get(element, 0.0) + float(number or 1)
    return found


def scattering_length_density(material: str) -> float:
    """X-ray scattering-length density r_e × electrons per volume [1/nm²].

    Args:
        material: a core or solvent of the library, whose density is used (``"PbS"``, ``"toluene"``), or a formula with
            its density in g/cm³ (``"SiO2@2.2"``), or ``"vacuum"``.

    Raises:
        PhysicsError: no formula, an unknown element, or a density that is missing or not > 0.

    >>> round(scattering_length_density("H2O@0.997") / ELECTRON_RADIUS_NM)  # electrons per nm³ of water
    333
    """
    if material == "vacuum":
        return 0.0
    formula, _, text = material.partition("@")
    parts = composition(SOLVENTS.get(formula, formula))
    if text:
        try:
            density = float(text)
        except ValueError:
            density = math.nan
    else:
        from supercrystal import library

        kind = "solvents" if formula in SOLVENTS else "cores"
        known = library.quantity(kind, formula, "density") if formula in library.names(kind) else None
        if known is None:
            raise PhysicsError(
                f"the library has no density of '{formula}': write {formula}@DENSITY with the density in g/cm³; it "
                f"has {', '.join([*library.names('cores'), *SOLVENTS])}"
            )
        density = known.value
    if not (math.isfinite(density) and density > 0):
        raise PhysicsError(f"a density is a number > 0 in g/cm³; got '{text}' in '{material}'")
    # mdtraj has the table of the elements and is needed for trajectories anyway.
    from mdtraj.core.element import Element

    electrons = mass = 0.0
    for symbol, number in parts.items():
        try:
            element = Element.getBySymbol(symbol)
        except KeyError:
            raise PhysicsError(f"'{symbol}' in '{material}' is no element") from None
        electrons += number * element.number
        mass += number * element.mass
    per_nm3 = density * 1e-21 * AVOGADRO * electrons / mass
    return ELECTRON_RADIUS_NM * per_nm3


def refraction(material: str, wavelength: float) -> float:
    """Decrement δ = λ² ρ / 2π of the refractive index 1 - δ + iβ [-], `wavelength` in nm.

    >>> round(refraction("Si@2.33", 0.154) * 1e6, 1)
    7.4
    """
    if not (math.isfinite(wavelength) and wavelength > 0):
        raise PhysicsError(f"a wavelength is a number > 0 in nm; got {wavelength}")
    return wavelength**2 * scattering_length_density(material) / (2 * math.pi)


def nanocrystal_body(
    core: Shape,
    material: str,
    medium: str = "vacuum",
    *,
    shell: tuple[Shape, str] | None = None,
    orientations: Sequence[tuple[float, float, float, float]] | None = None,
    dispersity: float = 0.0,
) -> Body:
    """A nanocrystal that scatters by the difference of its densities to those around it.

    Args:
        core: shape of the core [nm].
        material: of the core, as in `scattering_length_density`.
        medium: what is between nanocrystals.
        shell: outer shape of the ligand shell [nm] and its material; None has none.
        orientations: as in `form_factors.Body`.
        dispersity: as in `form_factors.Body`.

    Raises:
        PhysicsError: as `scattering_length_density`, or a shell that is smaller than its core.
    """
    outside = scattering_length_density(medium)
    inside = scattering_length_density(material)
    turns = None if orientations is None else tuple(orientations)
    if shell is None:
        return Body(((core, inside - outside),), turns, dispersity)
    outer, name = shell
    if outer.volume <= core.volume:
        raise PhysicsError(
            f"a shell of the outer volume {outer.volume:g} does not enclose a core of {core.volume:g} nm³"
        )
    between = scattering_length_density(name)
    return Body(((core, inside - between), (outer, between - outside)), turns, dispersity)
