"""The shells tier with other pair potentials than the soft shell: one site a nanocrystal, from the same chemistry.

Each interaction is a small record of its physical parameters. Its `terms` turn two nanocrystals into the potentials that
always act, those that a solvent multiplies, and the list of engine parameters with what each stands for. What the shells
tier may claim and what not holds here too (`models.shells`).

Distances come from the packing models: the OPM distance of a pair is the mean of its OPM diameters (a dense lattice), the
OCM distance that of an isolated pair. Particle types, frictions, walls and Brownian time are those of `models.shells`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.interactions import osmotic
from supercrystal.interactions.brush import Brush
from supercrystal.interactions.cutoff import Cut
from supercrystal.interactions.mie import MieRepulsion, MieTail, with_minimum
from supercrystal.interactions.power_law import PowerLaw
from supercrystal.interactions.tabulation import closest, total_energy, total_force
from supercrystal.interactions.virial import barker_henderson_diameter, reduced_second_virial
from supercrystal.interactions.wall import Wall
from supercrystal.models import shells
from supercrystal.models.shells import Batch, Parameter, ShellModel
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.packing import ocm
from supercrystal.system import PairPotential, species

#: Smoothing of a cut potential begins at this fraction of the way from its core to its range.
SMOOTHING = 0.85
#: Energy up to which a pair climbs that comes from afar, however deep the well that it crosses [kT].
THERMAL_ENERGY = 1.0
#: Energy of a pair that a random start allows [kT]: the friction takes it up within a few steps.
START_ENERGY = 20.0
#: Centres of a random start are at least this fraction of their spheres' diameters apart (`protocols.placement.CLOSEST`).
_PLACED = 0.9
AVOGADRO_PER_NM3 = 602.214076  # molecules per nm³ in 1 mol/cm³


@dataclass(frozen=True)
class PairGeometry:
    """Two nanocrystals and the distances that the packing models give them.

    Args:
        a: the one.
        b: the other.
        contact: OPM distance [nm].
        unlike: whether they are of different species.
    """

    a: Nanocrystal
    b: Nanocrystal
    contact: float
    unlike: bool

    @property
    def radii(self) -> tuple[float, float]:
        """Core radii [nm]."""
        return self.a.core.radius_nm, self.b.core.radius_nm

    @property
    def cores(self) -> float:
        """Distance of touching cores [nm]."""
        return sum(self.radii)

    @property
    def thickness(self) -> float:
        """Mean extended ligand length [nm]."""
        return (self.a.ligand.length_nm + self.b.ligand.length_nm) / 2

    def spacing(self, model: str) -> float:
        """Distance by a packing model, ``"opm"`` or ``"ocm"`` [nm].

        Raises:
            PhysicsError: OCM is not defined for this pair.
        """
        if model == "opm":
            return self.contact
        pair = self.a, self.b
        return float(
            ocm.pair_spacing(
                (self.a.core.diameter_nm, self.b.core.diameter_nm),
                (self.a.ligand.length_nm, self.b.ligand.length_nm),
                (pair[0].xi, pair[1].xi),
            )
        )


@dataclass(frozen=True)
class Terms:
    """Potentials of a pair, and where their parameters come from: (name, value, unit, source)."""

    pairs: tuple[PairPotential, ...]
    solvent: tuple[PairPotential, ...]
    parameters: tuple[tuple[str, float, str, str], ...]


@dataclass(frozen=True)
class PowerLawInteraction:
    """``U = ε (σ/r)^n`` with σ the OPM distance, smoothed to zero at the end of its range.

    Args:
        exponent: n [-].
        strength_kT: ε, the energy of a pair at the OPM distance [kT].
        cross_strength: ε of unlike species over ε of like ones [-].
        range: cut-off over σ [-].
    """

    exponent: float
    strength_kT: float = 1.0
    cross_strength: float = 1.0
    range: float = 2.5

    kind: ClassVar[str] = "power-law"
    variable: ClassVar[str | None] = None

    @property
    def strength(self) -> float:
        """Of the solvent; it has none."""
        return 1.0

    def terms(self, pair: PairGeometry) -> Terms:
        """Potentials and parameters of a pair."""
        epsilon = self.strength_kT * (self.cross_strength if pair.unlike else 1.0)
        r_cut = self.range * pair.contact
        r_on = pair.contact + SMOOTHING * (r_cut - pair.contact)
        bare = PowerLaw(epsilon, pair.contact, self.exponent)
        return Terms(
            (Cut(bare, r_cut, "smooth", r_on),),
            (),
            (
                ("ε", epsilon, "kT", "strength_kT" + (" × cross_strength" if pair.unlike else "")),
                ("σ", pair.contact, "nm", "OPM distance"),
                ("n", self.exponent, "", "exponent"),
                ("r_on", r_on, "nm", "smoothing begins"),
            ),
        )


@dataclass(frozen=True)
class MieInteraction:
    """A repulsive Mie core that always acts, and an attractive tail whose depth is the solvent's.

    Args:
        depth_kT: depth of the tail, the solvent variable [kT].
        repulsion_exponent: n [-].
        attraction_exponent: m < n [-].
        core_kT: energy scale of the core [kT].
        minimum: the packing model whose distance is the minimum, ``"opm"`` or ``"ocm"``.
        cross_strength: depth for unlike species over that for like ones [-].
        range: cut-off over the distance of the minimum, both counted from the shift [-].
        shifted: whether the potential is that of the gap between cores, not of the centre distance.
    """

    depth_kT: float
    repulsion_exponent: float = 12.0
    attraction_exponent: float = 6.0
    core_kT: float = 1.0
    minimum: Literal["opm", "ocm"] = "opm"
    cross_strength: float = 1.0
    range: float = 2.25
    shifted: bool = False

    variable: ClassVar[str | None] = "depth_kT"

    @property
    def kind(self) -> str:
        """Name in a study."""
        return "shifted-mie" if self.shifted else "mie"

    @property
    def strength(self) -> float:
        """What multiplies the tail of depth 1 kT."""
        return self.depth_kT

    def terms(self, pair: PairGeometry) -> Terms:
        """Potentials and parameters of a pair.

        Raises:
            PhysicsError: exponents or a minimum that make no potential.
        """
        delta = pair.cores if self.shifted else 0.0
        n, m = self.repulsion_exponent, self.attraction_exponent
        r_min = pair.spacing(self.minimum)
        core = with_minimum(self.core_kT, r_min, n, m, delta)
        tail = with_minimum(self.cross_strength if pair.unlike else 1.0, r_min, n, m, delta)
        r_cut = delta + self.range * (r_min - delta)
        r_on = r_min + SMOOTHING * (r_cut - r_min)
        parameters = [
            ("ε core", self.core_kT, "kT", "core_kT"),
            (
                "ε tail",
                tail.epsilon * self.depth_kT,
                "kT",
                "depth_kT" + (" × cross_strength" if pair.unlike else ""),
            ),
            ("n", n, "", "repulsion_exponent"),
            ("m", m, "", "attraction_exponent"),
            ("σ", core.sigma, "nm", "minimum at r_min"),
            ("r_min", r_min, "nm", f"{self.minimum.upper()} distance"),
            ("r_on", r_on, "nm", "smoothing begins"),
        ]
        if self.shifted:
            parameters.insert(4, ("δ", delta, "nm", "both core radii"))
        return Terms((MieRepulsion(core),), (MieTail(tail, r_cut, r_on),), tuple(parameters))


@dataclass(frozen=True)
class BrushInteraction:
    """Ligand shells as brushes in a good solvent; everything follows from core, ligand and grafting density."""

    kind: ClassVar[str] = "brush"
    variable: ClassVar[str | None] = None

    @property
    def strength(self) -> float:
        """Of the solvent; it has none."""
        return 1.0

    def terms(self, pair: PairGeometry) -> Terms:
        """Potentials and parameters of a pair."""
        lengths = pair.a.ligand.length_nm, pair.b.ligand.length_nm
        densities = tuple(x.grafting_density * x.ligand.chains for x in (pair.a, pair.b))
        brush = Brush(pair.radii, lengths, (densities[0], densities[1]))
        return Terms(
            (brush,),
            (),
            (
                ("R", 2 * pair.radii[0] * pair.radii[1] / pair.cores, "nm", "2 R1 R2/(R1 + R2) of the cores"),
                ("L", pair.thickness, "nm", "extended ligands"),
                ("σ_g", sum(densities) / 2, "nm⁻²", "chains per core surface"),
                ("U(OPM)", float(brush.energy(pair.contact)), "kT", "the brush at the OPM distance"),
            ),
        )


@dataclass(frozen=True)
class OsmoticElasticInteraction:
    """Osmotic and elastic energy of ligand shells and a core of their volume; the solvent's χ multiplies the osmotic one.

    Args:
        chi: Flory's χ of ligand and solvent [-].
        solvent_volume_nm3: volume of a solvent molecule [nm³].
        core_exponent: of the gap, in the ligand-volume core [-].
    """

    chi: float
    solvent_volume_nm3: float
    core_exponent: float = osmotic.CORE_EXPONENT

    kind: ClassVar[str] = "osmotic-elastic"
    variable: ClassVar[str | None] = "chi"

    @property
    def strength(self) -> float:
        """``1/2 - χ``, which multiplies the osmotic energy."""
        return 0.5 - self.chi

    def terms(self, pair: PairGeometry) -> Terms:
        """Potentials and parameters of a pair.

        Raises:
            PhysicsError: OCM is not defined for the pair, or its ligands fill more than their shells.
        """
        both = pair.a, pair.b
        # The volume of a ligand is that of the packing models, A0 L per chain, so that shell and OCM agree.
        volumes = [x.xi * x.ligand.length_nm / (x.grafting_density * x.ligand.chains) for x in both]
        fractions = [
            float(
                osmotic.shell_volume_fraction(
                    x.core.radius_nm, x.ligand.length_nm, x.grafting_density * x.ligand.chains, volume
                )
            )
            for x, volume in zip(both, volumes, strict=True)
        ]
        phi, ligand_volume = math.sqrt(fractions[0] * fractions[1]), math.sqrt(volumes[0] * volumes[1])
        filled = pair.spacing("ocm")
        mixing = osmotic.Osmotic(pair.radii, pair.thickness, phi, self.solvent_volume_nm3)
        elastic = osmotic.Elastic(pair.radii, pair.thickness, phi, ligand_volume)
        core = osmotic.volume_core(filled, pair.cores, self.core_exponent)
        return Terms(
            (elastic, core),
            (mixing,),
            (
                ("½ − χ", self.strength, "", f"chi = {self.chi:g}"),
                ("L", pair.thickness, "nm", "extended ligands"),
                ("φ", phi, "", "ligand volume in the shell"),
                ("v_l", ligand_volume, "nm³", "chain of the packing models, A0 L"),
                ("v_s", self.solvent_volume_nm3, "nm³", "solvent molecule"),
                ("osmotic", mixing.strength, "kT", "4π R L² φ²/v_s, multiplied by ½ − χ"),
                ("elastic", elastic.strength, "kT", "2π R L² φ/v_l"),
                ("r_core", filled, "nm", "OCM distance, where the core costs 1 kT"),
            ),
        )


Interaction = PowerLawInteraction | MieInteraction | BrushInteraction | OsmoticElasticInteraction


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
) -> ShellModel:
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
        scale = max(scale, apart / (_PLACED * geometry.contact))
        parameters += _derived(always, terms.solvent, interaction.strength, geometry.contact)
        mapping += [Parameter(key, *parameter) for parameter in parameters]

    names = tuple(name for name, _, _ in types)
    return ShellModel(
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


def describe(model: ShellModel, every: bool = False) -> list[dict[str, Any]]:
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
