"""The interactions that a study may name for two capped spheres, as records of their physical parameters.

The `terms` of each turn two nanocrystals into the potentials that always act, those that a solvent multiplies, and the
list of engine parameters with what each stands for.

Distances come from the packing models: the OPM distance of a pair is the mean of its OPM diameters (a dense lattice), the
OCM distance that of an isolated pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from supercrystal.interactions import osmotic
from supercrystal.interactions.brush import Brush
from supercrystal.interactions.cutoff import Cut
from supercrystal.interactions.mie import MieRepulsion, MieTail, with_minimum
from supercrystal.interactions.power_law import PowerLaw
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.packing import ocm
from supercrystal.system import PairPotential

#: Smoothing of a cut potential begins at this fraction of the way from its core to its range.
SMOOTHING = 0.85


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
