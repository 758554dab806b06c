"""The shells tier with other pair potentials than the soft shell: one site a nanocrystal, from the same chemistry.

The interactions are those of `models.pair_interactions`. Particle types, frictions, walls and Brownian time are those of
`models.shells`, and what the shells tier may claim and what not holds here too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.interactions.tabulation import closest, total_energy, total_force
from supercrystal.interactions.virial import barker_henderson_diameter, reduced_second_virial
from supercrystal.interactions.wall import Wall
from supercrystal.models import shells
from supercrystal.models.model import CLOSEST, Batch, Model, Parameter
from supercrystal.models.pair_interactions import Interaction, PairGeometry
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.system import PairPotential, species

#: Energy up to which a pair climbs that comes from afar, however deep the well that it crosses [kT].
THERMAL_ENERGY = 1.0
#: Energy of a pair that a random start allows [kT]: the friction takes it up within a few steps.
START_ENERGY = 20.0
AVOGADRO_PER_NM3 = 602.214076  # molecules per nm³ in 1 mol/cm³


def solvent_volume_nm3(solvent: str) -> float:
    """Volume of a molecule of a library's solvent, ``M/(ρ N_A)`` [nm³].

    Raises:
        PhysicsError: the library has no molar mass or density of it.

    >>> round(solvent_volume_nm3("toluene"), 3)
    0.177
    """
    mass = library.quantity("solvents", solvent, "molar_mass")
    density = library.quantity("solvents", solvent, "density")
    if mass is None or density is None:
        raise PhysicsError(
            f"the library has no molar mass and density of {solvent}: give solvent_volume_nm3, or add them with their "
            "source to potentials/solvents.toml"
        )
    return mass.value / density.value / AVOGADRO_PER_NM3


def stiffest_curvature(
    pairs: Sequence[PairPotential],
    contact: float,
    solvent: Sequence[PairPotential] = (),
    strengths: Sequence[float] = (1.0,),
) -> float:
    """Largest curvature U'' that a pair meets which comes from afar with 1 kT, or to `contact` [kT/nm²].

    Args:
        pairs: potentials that always act.
        contact: distance that a dense lattice puts pairs at, whatever it costs [nm].
        solvent: potentials that a strength multiplies.
        strengths: those that occur.
    """
    largest = 0.0
    for strength in strengths:
        everything = [*pairs, *solvent]
        inner = closest(pairs, scaled=solvent, factors=(strength,))
        r = np.linspace(inner, max(p.r_cut for p in everything), 20_001)
        energy, force = total_energy(pairs, r), total_force(pairs, r)
        if solvent:
            energy, force = (
                energy + strength * total_energy(solvent, r),
                force + strength * total_force(solvent, r),
            )
        reached = min(float(r[np.argmax(energy <= THERMAL_ENERGY)]), contact)
        curvature = -np.diff(force) / np.diff(r)
        largest = max(largest, float(np.max(curvature[r[1:] >= reached])))
    return largest


def _geometries(
    types: Sequence[tuple[str, Nanocrystal, int]], diameters: Sequence[float]
) -> Iterator[tuple[tuple[str, str], PairGeometry]]:
    for i, (name_a, a, _) in enumerate(types):
        for j in range(i, len(types)):
            name_b, b, _ = types[j]
            unlike = species(name_a) != species(name_b)
            yield (name_a, name_b), PairGeometry(a, b, (diameters[i] + diameters[j]) / 2, unlike)


def build(
    batches: Sequence[Batch],
    temperature: float,
    interaction: Interaction,
    attraction: str = "none",
    strengths: Sequence[float] = (),
    timestep_factor: float = 1.0,
) -> Model:
    """Derive a model with the given interaction from nanocrystals.

    Args:
        batches: the nanocrystals; the first sets the Brownian time.
        temperature: [K], converts Hamaker constants to kT.
        interaction: form and physical parameters.
        attraction: ``"none"`` or ``"hamaker"`` (between cores, added to the interaction).
        strengths: of the solvent that a schedule visits besides the interaction's own; the time step serves them all.
        timestep_factor: multiplies the time step that the stiffest pair allows.

    Raises:
        PhysicsError: nanocrystals for which the interaction is not defined, or no Hamaker constant for a core.
    """
    types = [entry for batch in batches for entry in shells.size_classes(batch)]
    diameters = tuple(shells.opm_diameter(nanocrystal) for _, nanocrystal, _ in types)
    reference = shells.opm_diameter(batches[0].nanocrystal)
    mass = 1 / reference**2  # as in models.shells
    visited = (interaction.strength, *strengths)

    pairs: dict[tuple[str, str], tuple[PairPotential, ...]] = {}
    solvent: dict[tuple[str, str], tuple[PairPotential, ...]] = {}
    mapping: list[Parameter] = []
    stiffest, scale = 0.0, 1.0
    for key, geometry in _geometries(types, diameters):
        terms = interaction.terms(geometry)
        always = terms.pairs
        parameters = list(terms.parameters)
        if attraction == "hamaker":
            hamaker = shells.core_attraction(geometry.a, geometry.b, geometry.contact, temperature)
            always += (hamaker,)
            parameters.append(("A", hamaker.constant, "kT", "Hamaker constant of the cores"))
        pairs[key] = always
        if terms.solvent:
            solvent[key] = terms.solvent
        stiffest = max(stiffest, stiffest_curvature(always, geometry.contact, terms.solvent, visited))
        apart = closest(always, START_ENERGY, terms.solvent, visited)
        scale = max(scale, apart / (CLOSEST * geometry.contact))
        parameters += _derived(always, terms.solvent, interaction.strength, geometry.contact)
        mapping += [Parameter(key, *parameter) for parameter in parameters]

    names = tuple(name for name, _, _ in types)
    return Model(
        types=names,
        counts=tuple(count for _, _, count in types),
        nanocrystals=tuple(nanocrystal for _, nanocrystal, _ in types),
        diameters=diameters,
        pairs=pairs,
        walls={name: Wall(1.0, diameter / 2) for name, diameter in zip(names, diameters, strict=True)},
        friction={name: d / reference**3 for name, d in zip(names, diameters, strict=True)},
        mass=mass,
        timestep=timestep_factor
        * min(shells.LONGEST_STEP, shells.PHASE_PER_STEP / math.sqrt(stiffest / mass)),
        reference_diameter=reference,
        solvent=solvent,
        solvent_variable=interaction.variable,
        solvent_strength=interaction.strength,
        interaction=interaction.kind,
        placement_scale=scale,
        mapping=tuple(mapping),
    )


def _derived(
    pairs: Sequence[PairPotential], solvent: Sequence[PairPotential], strength: float, contact: float
) -> list[tuple[str, float, str, str]]:
    """What any interaction amounts to: range, effective hard sphere, second virial coefficient."""
    return [
        ("r_cut", max(p.r_cut for p in (*pairs, *solvent)), "nm", "forces end"),
        (
            "d_BH",
            barker_henderson_diameter(pairs),
            "nm",
            "hard sphere of what always acts (Barker–Henderson)",
        ),
        (
            "B2/B2_HS(OPM)",
            reduced_second_virial(pairs, contact, solvent, strength),
            "",
            "second virial coefficient over that of hard spheres of the OPM distance",
        ),
    ]


def describe(model: Model, every: bool = False) -> list[dict[str, Any]]:
    """Mapping from physical to engine parameters, ready for JSON: pair, name, value, unit, source.

    Args:
        model: any model of the shells tier.
        every: pairs of all size classes, not only of the middle ones that carry the species' names.
    """
    return [
        {**asdict(parameter), "pair": "–".join(parameter.pair)}
        for parameter in model.mapping
        if every or not any(":" in name for name in parameter.pair)
    ]
