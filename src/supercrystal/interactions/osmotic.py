"""Two ligand shells in a solvent of quality χ: osmotic and elastic energy, and the ligand volume that ends a collapse.

With the gap ``h = r - R1 - R2``, shells of thickness L and volume fraction φ, solvent molecules of volume v_s and
``R = 2 R1 R2/(R1 + R2)``:

    U_osm = (4π R/v_s) φ² (1/2 - χ) (L - h/2)²                        L ≤ h < 2L   (shells interpenetrate)
    U_osm = (4π R/v_s) φ² (1/2 - χ) L² [h/2L - 1/4 - ln(h/L)]         h < L        (shells are compressed)
    U_el  = 2π R L² (φ/v_l) {y ln[y ((3-y)/2)²] - 6 ln[(3-y)/2] + 3 (1-y)},  y = h/L < 1.

The form is attributed to Vincent, Edwards, Emmett and Jones, Colloids Surf. 18, 261 (1986); **the paper was not opened**.
What was verified here: U_osm is the Derjaguin integral, twice ``π R ∫ dh``, of the Flory–Huggins mixing energy
``(1/2 - χ) φ²/v_s`` of plates whose shells first add up and then are squeezed to ``φ 2L/h`` (derived, and tested by
quadrature). U_el is the same integral of ``-ln[y ((3-y)/2)²]`` for each of ``2 φ L/v_l`` chains per area; this factor, the
number of configurations left to a chain, is taken as given. An independent public implementation has the same three
lines.

In a poor solvent (χ > 1/2) the osmotic energy goes to minus infinity where cores touch, and the elastic one stays finite
(0.57 · 2π R L² φ/v_l): the sum collapses to contact. What prevents this in reality is that ligands are a liquid which
cannot be compressed. `volume_core` adds that limit as a steep repulsion at the distance where the ligands of a pair fill
the space between them (`packing.ocm`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.interactions.mie import MieRepulsion, with_minimum

#: Gap below which the force is held constant, in shell thicknesses: far inside the ligand volume.
INNER_GAP = 0.01
#: Exponent of the gap in the ligand-volume core, and the least that it must amount to as a power of the distance.
CORE_EXPONENT = 8.0
LEAST_EXPONENT = 24.0


def _gap(r: ArrayLike, radii: tuple[float, float], thickness: float) -> NDArray[np.float64]:
    """Gap over thickness, held at `INNER_GAP` from below."""
    return np.maximum((np.asarray(r, float) - sum(radii)) / thickness, INNER_GAP)


def _radius(radii: tuple[float, float]) -> float:
    return 2 * radii[0] * radii[1] / sum(radii)


def _check(**values: float) -> None:
    bad = {name: value for name, value in values.items() if not value > 0}
    if bad:
        raise PhysicsError(f"needs values > 0; got {', '.join(f'{k} = {v}' for k, v in bad.items())}")
    fraction = values["volume_fraction"]
    if fraction > 1:
        raise PhysicsError(
            f"the shell would be filled to {fraction:.3g} of its volume: fewer ligands, or longer ones, or a smaller ligand "
            "volume"
        )


def shell_volume_fraction(
    radius: ArrayLike, thickness: ArrayLike, grafting_density: ArrayLike, ligand_volume: ArrayLike
) -> NDArray[np.float64]:
    """Volume of a core's ligands over that of its shell, ``σ v_l 3R²/[(R + L)³ - R³]`` [-].

    Args:
        radius: R [nm]; all arguments broadcast.
        thickness: L [nm].
        grafting_density: σ [nm⁻²].
        ligand_volume: v_l of one ligand [nm³].
    """
    radius, thickness = np.asarray(radius, float), np.asarray(thickness, float)
    shell = ((radius + thickness) ** 3 - radius**3) / (3 * radius**2)
    return np.asarray(grafting_density, float) * np.asarray(ligand_volume, float) / shell


@dataclass(frozen=True)
class Osmotic:
    """Osmotic energy of two shells for 1/2 − χ = 1; a solvent multiplies it by its own 1/2 − χ.

    Args:
        radii: core radii R1, R2 [nm].
        thickness: L, for unequal shells the mean [nm].
        volume_fraction: φ, for unequal shells the geometric mean (exact where they interpenetrate) [-].
        solvent_volume: v_s of one solvent molecule [nm³].

    Raises:
        PhysicsError: values that are not positive, or φ > 1.
    """

    radii: tuple[float, float]
    thickness: float
    volume_fraction: float
    solvent_volume: float

    def __post_init__(self) -> None:
        _check(
            R1=self.radii[0],
            R2=self.radii[1],
            L=self.thickness,
            volume_fraction=self.volume_fraction,
            v_s=self.solvent_volume,
        )

    @property
    def r_cut(self) -> float:
        """Distance at which shells first touch, ``R1 + R2 + 2L`` [nm]."""
        return sum(self.radii) + 2 * self.thickness

    @property
    def strength(self) -> float:
        """``4π R L² φ²/v_s`` [kT]."""
        return float(
            4
            * np.pi
            * _radius(self.radii)
            * (self.thickness * self.volume_fraction) ** 2
            / self.solvent_volume
        )

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]; linear below a gap of `INNER_GAP` L."""
        r = np.asarray(r, float)
        y = _gap(r, self.radii, self.thickness)
        u = self.strength * np.where(y < 1, y / 2 - 0.25 - np.log(y), (1 - np.minimum(y, 2) / 2) ** 2)
        held = y * self.thickness + sum(self.radii)
        return u + self.force(held) * (held - r) * (r < held)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Force −dU/dr [kT/nm]."""
        y = _gap(r, self.radii, self.thickness)
        slope = np.where(y < 1, 0.5 - 1 / y, np.minimum(y, 2) / 2 - 1)
        return -self.strength * slope / self.thickness


@dataclass(frozen=True)
class Elastic:
    """Elastic energy of two shells whose chains are compressed, h < L.

    Args:
        radii: core radii R1, R2 [nm].
        thickness: L, for unequal shells the mean [nm].
        volume_fraction: φ, for unequal shells the geometric mean [-].
        ligand_volume: v_l of one ligand [nm³].

    Raises:
        PhysicsError: values that are not positive, or φ > 1.
    """

    radii: tuple[float, float]
    thickness: float
    volume_fraction: float
    ligand_volume: float

    def __post_init__(self) -> None:
        _check(
            R1=self.radii[0],
            R2=self.radii[1],
            L=self.thickness,
            volume_fraction=self.volume_fraction,
            v_l=self.ligand_volume,
        )

    @property
    def r_cut(self) -> float:
        """Distance at which chains reach the other core, ``R1 + R2 + L`` [nm]."""
        return sum(self.radii) + self.thickness

    @property
    def strength(self) -> float:
        """``2π R L² φ/v_l`` [kT]."""
        return float(
            2 * np.pi * _radius(self.radii) * self.thickness**2 * self.volume_fraction / self.ligand_volume
        )

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]; linear below a gap of `INNER_GAP` L."""
        r = np.asarray(r, float)
        gap = _gap(r, self.radii, self.thickness)
        y = np.minimum(gap, 1.0)
        wide = (3 - y) / 2
        u = self.strength * (y * np.log(y * wide**2) - 6 * np.log(wide) + 3 * (1 - y))
        held = gap * self.thickness + sum(self.radii)
        return u + self.force(held) * (held - r) * (r < held)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Repulsive force −dU/dr [kT/nm]."""
        y = np.minimum(_gap(r, self.radii, self.thickness), 1.0)
        return -self.strength * np.log(y * ((3 - y) / 2) ** 2) / self.thickness


def volume_core(
    distance: float, contact: float, exponent: float = CORE_EXPONENT, energy: float = 1.0
) -> MieRepulsion:
    """Return the repulsion that keeps a pair from being denser than its ligands.

    ``ε [(h_0/h)^(ν/2) - 1]²`` of the gap, with `energy` = ε at the `distance` and the end at ``h_0 = 2^(2/ν)`` of that gap.
    It is a function of the gap and not of the centre distance, because a power law of the latter is finite where cores
    touch and too weak to stop the collapse when the ligand volume leaves a small gap.

    Args:
        distance: where ligands of a pair fill the space between them, e.g. ``ocm.pair_spacing`` [nm].
        contact: distance of touching cores R1 + R2 [nm].
        exponent: ν of the gap [-].
        energy: U(distance) [kT].

    Raises:
        PhysicsError: a distance inside the cores, or a core that is softer than `LEAST_EXPONENT` of the distance.
    """
    gap = distance - contact
    if not gap > 0:
        raise PhysicsError(
            f"the ligand volume must leave a gap between cores: needs {distance:.4g} > {contact:.4g} nm"
        )
    local = distance / gap * (1.5 * exponent + 1) - 1  # -r U''/U' - 1 at the distance
    if not local >= LEAST_EXPONENT:
        raise PhysicsError(
            f"an incompressible ligand volume bends like r^-{LEAST_EXPONENT:g} or more; exponent {exponent} gives "
            f"r^-{local:.3g}"
        )
    return MieRepulsion(
        with_minimum(energy, contact + gap * 2 ** (2 / exponent), exponent, exponent / 2, contact)
    )
