"""A nanocrystal as a chemist describes it: an inorganic core and the ligands grafted to it.

Lengths in nm, areas in nm², grafting densities in ligands per nm².
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError, UnknownNameError, nearest
from supercrystal.shapes import Shape, sphere

#: Densest grafting of alkyl chains, ligands per nm²: one chain on A0 = 1/5.5 = 0.182 nm². Its source is the value that
#: the public implementation of the packing models uses for hydrocarbon ligands; measured densities can exceed it.
MAX_GRAFTING_DENSITY = 5.5

#: Projected length of a C=C bond along the chain (nm), and the reach of the head and end groups (nm).
_DOUBLE_BOND_NM = 0.1333
_ENDS_NM = 0.2


@dataclass(frozen=True)
class ChainGeometry:
    """Bond length (nm) and C–C–C angle (degrees) of an all-trans alkyl chain."""

    bond_nm: float
    angle_deg: float

    @property
    def rise_nm(self) -> float:
        """Chain length gained per carbon, ``b sin(angle / 2)`` [nm]."""
        return self.bond_nm * math.sin(math.radians(self.angle_deg) / 2)


#: The two published parametrisations of L(n). They differ by 2.2 % a carbon, so every result names the one it used.
#: ``alkane``: Liu et al. 2023, Eq. 8, DOI 10.1002/adma.202209279 (0.128 n + 0.2 nm).
#: ``tetrahedral``: the one used with the measured spacings in ``potentials/measured.toml`` (0.125 n + 0.2 nm).
CHAIN_GEOMETRIES = {
    "tetrahedral": ChainGeometry(bond_nm=0.153, angle_deg=109.5),
    "alkane": ChainGeometry(bond_nm=0.154, angle_deg=112.0),
}


def ligand_length(
    carbons: ArrayLike, double_bonds: ArrayLike = 0, geometry: str = "tetrahedral"
) -> NDArray[np.float64]:
    """Length L of a fully extended ligand [nm].

    ``L = (n - n_db) b sin(angle/2) + 0.1333 n_db + 0.2`` with n carbons, of which n_db start a double bond.

    Args:
        carbons: number of carbons n, any shape, ≥ 1.
        double_bonds: number of C=C bonds, broadcast against `carbons`, 0 ≤ n_db < n.
        geometry: a key of `CHAIN_GEOMETRIES`.

    Returns:
        L in nm, of the broadcast shape.

    Raises:
        PhysicsError: fewer than one carbon, or as many double bonds as carbons.
        UnknownNameError: a geometry that is not in `CHAIN_GEOMETRIES`.

    >>> round(float(ligand_length(18)), 3), round(float(ligand_length(18, double_bonds=1)), 3)
    (2.449, 2.457)
    """
    if geometry not in CHAIN_GEOMETRIES:
        raise UnknownNameError(
            f"chain geometry '{geometry}' is not known{nearest(geometry, CHAIN_GEOMETRIES)}; "
            f"allowed: {', '.join(CHAIN_GEOMETRIES)}"
        )
    n, double = np.broadcast_arrays(np.asarray(carbons, float), np.asarray(double_bonds, float))
    if np.any(n < 1) or np.any(double < 0) or np.any(double >= n):
        raise PhysicsError(
            f"a ligand needs at least 1 carbon and fewer double bonds than carbons; got carbons={carbons!r}, "
            f"double_bonds={double_bonds!r}"
        )
    return (n - double) * CHAIN_GEOMETRIES[geometry].rise_nm + double * _DOUBLE_BOND_NM + _ENDS_NM


@dataclass(frozen=True)
class Core:
    """An inorganic core: a sphere, or another convex shape.

    Args:
        material: its name in the library.
        diameter_nm: of the sphere; of another shape that of the sphere of its volume (`Core.of`) [nm].
        shape: a polyhedron without rounding; None is a sphere.
    """

    material: str
    diameter_nm: float
    shape: Shape | None = None

    def __post_init__(self) -> None:
        if not self.diameter_nm > 0:
            raise PhysicsError(f"a core needs a diameter > 0 nm; got {self.diameter_nm}")

    @classmethod
    def of(cls, material: str, shape: Shape) -> Core:
        """Return a core of any shape.

        Raises:
            PhysicsError: a rounded shape, which is a core in its shell.

        >>> from supercrystal.shapes import cube
        >>> core = Core.of("CsPbBr3", cube(8.6))
        >>> round(core.volume_nm3, 3), round(core.diameter_nm, 3)
        (636.056, 10.67)
        """
        if shape.spherical:
            return cls(material, 2 * shape.rounding)
        if shape.rounding:
            raise PhysicsError(
                f"a core has no rounding; this {shape.name} is rounded by {shape.rounding} nm: leave the shell out"
            )
        return cls(material, 2 * shape.sphere_radius, shape)

    def scaled(self, factor: float) -> Core:
        """Return the core with all lengths times `factor`."""
        if self.shape is None:
            return Core(self.material, factor * self.diameter_nm)
        return Core.of(self.material, self.shape.scaled(factor))

    @property
    def radius_nm(self) -> float:
        """Radius R of the sphere of equal volume [nm]."""
        return self.diameter_nm / 2

    @property
    def area_nm2(self) -> float:
        """Surface area, which carries the ligands [nm²]."""
        return math.pi * self.diameter_nm**2 if self.shape is None else self.shape.surface

    @property
    def volume_nm3(self) -> float:
        """Volume [nm³]."""
        return math.pi / 6 * self.diameter_nm**3


@dataclass(frozen=True)
class Ligand:
    """A ligand with its extended length L [nm].

    Args:
        name: for people and for matching measured systems.
        carbons: of one chain.
        double_bonds: of one chain.
        geometry: a key of `CHAIN_GEOMETRIES`.
        chains: equal chains on one head group: 1 for a linear ligand, 2 for DDAB. Each takes its own area A0.
    """

    name: str
    carbons: int
    double_bonds: int = 0
    geometry: str = "tetrahedral"
    chains: int = 1

    def __post_init__(self) -> None:
        if self.chains < 1:
            raise PhysicsError(f"a ligand needs at least 1 chain; got {self.chains}")

    @property
    def length_nm(self) -> float:
        """Fully extended length L [nm], from `ligand_length`."""
        return float(ligand_length(self.carbons, self.double_bonds, self.geometry))


@dataclass(frozen=True)
class Nanocrystal:
    """A core with a ligand shell: the one description that packing, models and protocols start from.

    Args:
        core: the inorganic core.
        ligand: the ligand.
        grafting_density: ligands per nm² of core surface, σ.
        coverage: ξ = σ A0 in the packing models. ``None`` takes σ times the ligand's chains over `MAX_GRAFTING_DENSITY`.
        shell_nm: measured thickness of the ligand shell; ``None`` derives it from the ligands' volume [nm].
    """

    core: Core
    ligand: Ligand
    grafting_density: float
    coverage: float | None = None
    shell_nm: float | None = None

    def __post_init__(self) -> None:
        if not self.grafting_density > 0:
            raise PhysicsError(f"a grafting density must be > 0 nm⁻²; got {self.grafting_density}")
        if self.coverage is not None and not self.coverage > 0:
            raise PhysicsError(f"a coverage ξ must be > 0; got {self.coverage}")
        if self.shell_nm is not None and not self.shell_nm > 0:
            raise PhysicsError(f"a shell needs a thickness > 0 nm; got {self.shell_nm}")

    @property
    def xi(self) -> float:
        """Coverage ξ [-]."""
        if self.coverage is not None:
            return self.coverage
        return self.grafting_density * self.ligand.chains / MAX_GRAFTING_DENSITY

    @property
    def softness(self) -> float:
        """X = L / R [-]."""
        return self.ligand.length_nm / self.core.radius_nm

    @property
    def ligands(self) -> float:
        """Mean number of ligands on one core [-]."""
        return self.grafting_density * self.core.area_nm2

    @property
    def shell_thickness(self) -> float:
        """Thickness t of the ligand shell [nm]: the measured one, or that which the ligands fill.

        ``V(t) = V + ξ A L`` with V(t) the volume of the core with a ball of radius t rolled over it. For a sphere this is
        OPM, ``2 (R + t) = 2 R (1 + 3 ξ L/R)^(1/3)``. That the argument also holds for cubes is an assumption of this
        package: no source defines OPM for them, and `shell_nm` takes a measured thickness instead.

        >>> from supercrystal.shapes import cube
        >>> oleate = Ligand("oleate", 18, 1)
        >>> round(Nanocrystal(Core.of("CsPbBr3", cube(8.6)), oleate, 3.0).shell_thickness, 3)
        1.105
        """
        if self.shell_nm is not None:
            return self.shell_nm
        filled = self.core.volume_nm3 + self.xi * self.core.area_nm2 * self.ligand.length_nm
        if self.core.shape is None:
            return (3 * filled / (4 * math.pi)) ** (1 / 3) - self.core.radius_nm
        from scipy.optimize import brentq

        shape = self.core.shape
        # A ball rolled over flat faces alone would make t = ξ L: edges and corners only take more.
        return float(brentq(lambda t: shape.capped(t).volume - filled, 0.0, self.xi * self.ligand.length_nm))

    @property
    def capped(self) -> Shape:
        """The core in its shell."""
        shape = sphere(self.core.diameter_nm) if self.core.shape is None else self.core.shape
        return shape.capped(self.shell_thickness)
