"""Vibrations of a crystal: force constants, mechanical stability, elastic constants, harmonic free energy.

    Φ_ij(k) = δ_ij Σ_b K_b - Σ_b K_b e^(i k·r_b),   K = φ'' r̂ r̂ + (φ'/r)(1 - r̂ r̂),

with the bonds b from i (in the second sum those that end at images of j). Its eigenvalues λ are force constants
[kT/nm²]; a particle of mass m in a crystal of equal masses has ω² = λ/m. Classically masses drop out of all differences
between arrangements of the same particles, so that everything here is in terms of λ:

    F/N = U/N + (kT/2) <Σ ln(λ Λ²/2π kT)>_k per particle,   with Λ = 1 nm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from supercrystal import box
from supercrystal.errors import PhysicsError
from supercrystal.solids.crystal import Array, Crystal
from supercrystal.solids.lattice_energy import Pairs, Springs, springs

#: Meshes of k points are at least this long in real space, in mean spacings of particles: where stability is looked at,
#: and of the free energy, which soft modes make converge slowly (power law n = 6, bcc: 0.004 kT at 12, 0.0007 at 20).
STABILITY_MESH, MESH = 12.0, 20.0
#: Force constants below this times the largest one are zero but for rounding.
ZERO = 1e-7
#: Bonds times k points that are summed at once.
_CHUNK = 2_000_000


@dataclass(frozen=True)
class ForceConstants:
    """What vibrations need of a crystal, once per crystal.

    Args:
        crystal: the crystal.
        springs: its bonds.
        stiffness: (B, 3, 3) K of each bond [kT/nm²].
        uniform: further stiffness that binds each particle to its place, for what lies beyond the bonds [kT/nm²].
    """

    crystal: Crystal
    springs: Springs
    stiffness: Array
    uniform: float = 0.0


def force_constants(
    crystal: Crystal, pairs: Pairs, *, reach: float | None = None, uniform: float = 0.0
) -> ForceConstants:
    """Second derivatives of all bonds of a crystal.

    Args:
        crystal: the crystal, at rest.
        pairs: potentials of each pair of its types.
        reach: distance at which sums end even if potentials go on [nm].
        uniform: see `ForceConstants`; ``-4πρ R² φ'(R)/3`` for what lies beyond R in a structureless bulk.

    Raises:
        PhysicsError: as `lattice_energy.springs`; or a crystal none of whose particles interact.
    """
    found = springs(crystal, pairs, reach=reach, second=True)
    assert found.curvature is not None
    if not np.any(found.curvature):
        raise PhysicsError(
            "no particle of the crystal is in reach of another: it has no vibrations; raise the pressure"
        )
    along = found.bonds.vector / found.bonds.length[:, None]
    across = found.slope / found.bonds.length
    outer = along[:, :, None] * along[:, None, :]
    stiffness = (found.curvature - across)[:, None, None] * outer + across[:, None, None] * np.eye(3)
    return ForceConstants(crystal, found, stiffness, uniform)


def dynamical_matrix(constants: ForceConstants, k: Array) -> NDArray[np.complex128]:
    """Φ(k) at wave vectors [nm⁻¹].

    Args:
        constants: of the crystal.
        k: (K, 3).

    Returns:
        (K, 3N, 3N), Hermitian [kT/nm²]; phases count the distance between particles, not between cells.
    """
    n, found = constants.crystal.n, constants.springs.bonds
    local = np.zeros((n, 3, 3))
    np.add.at(local, found.i, constants.stiffness)
    local += constants.uniform * np.eye(3)
    total = np.zeros((len(k), n, n, 3, 3), complex)
    total[:, np.arange(n), np.arange(n)] = local
    flat = constants.stiffness.reshape(-1, 9)
    order = np.argsort(found.i * n + found.j, kind="stable")
    pair = (found.i * n + found.j)[order]
    edges = np.flatnonzero(np.diff(pair, prepend=-1))
    for start, stop in zip(edges, [*edges[1:], len(pair)], strict=True):
        i, j = divmod(int(pair[start]), n)
        bonds = order[start:stop]
        step = max(1, _CHUNK // len(bonds))
        for first in range(0, len(k), step):
            part = slice(first, first + step)
            phase = np.exp(1j * (k[part] @ found.vector[bonds].T))
            total[part, i, j] -= (phase @ flat[bonds]).reshape(-1, 3, 3)
    matrix = total.transpose(0, 1, 3, 2, 4).reshape(len(k), 3 * n, 3 * n)
    return np.asarray((matrix + matrix.conj().transpose(0, 2, 1)) / 2)


def mesh_size(crystal: Crystal, length: float = MESH) -> tuple[int, int, int]:
    """Even numbers of k points along the reciprocal vectors for a mesh that is `length` mean spacings long."""
    spacing = (crystal.volume / crystal.n) ** (1 / 3)
    a, b, c = (2 * int(np.ceil(length * spacing / width / 2)) for width in box.widths(crystal.cell))
    return a, b, c


def mesh(crystal: Crystal, size: tuple[int, int, int], shift: float = 0.5) -> tuple[Array, Array]:
    """Wave vectors of an even mesh over the reciprocal cell, one of each pair ±k, and their weights.

    Args:
        crystal: gives the reciprocal cell.
        size: points along each reciprocal vector.
        shift: of the mesh in its own steps: 0 has Γ and the faces of the zone, ½ has neither.

    Returns:
        (K, 3) [nm⁻¹] and (K,) with sum 1.
    """
    steps = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1).reshape(-1, 3)
    counts = np.array(size)
    opposite = (-steps - round(2 * shift)) % counts
    ranks = [np.ravel_multi_index(tuple(s.T), size) for s in (steps, opposite)]
    keep = ranks[0] <= ranks[1]
    weight = np.where(ranks[0] == ranks[1], 1.0, 2.0)[keep]
    reciprocal = np.asarray(2 * np.pi * np.linalg.inv(crystal.cell).T, np.float64)
    return ((steps[keep] + shift) / counts) @ reciprocal, weight / weight.sum()


def spectrum(constants: ForceConstants, k: Array) -> Array:
    """Force constants λ of all modes at wave vectors (K, 3): (K, 3N), ascending [kT/nm²]."""
    return np.asarray(np.linalg.eigvalsh(dynamical_matrix(constants, k)), np.float64)


@dataclass(frozen=True)
class Elasticity:
    """Elastic constants under the crystal's own stress, particles free to follow.

    Args:
        matrix: (6, 6) B = second derivative of (U + P V)/V by the symmetric strain, in Voigt's order xx, yy, zz, yz,
            xz, xy with engineering shear: Wallace's stress–strain coefficients [kT/nm³].
        eigenvalues: (6,) of B with orthonormal strains, ascending [kT/nm³]: all > 0 is Born's criterion.
    """

    matrix: Array
    eigenvalues: Array

    @property
    def stable(self) -> bool:
        """Born's criterion."""
        return bool(self.eigenvalues[0] > ZERO * self.eigenvalues[-1])

    @property
    def bulk_modulus(self) -> float:
        """Voigt's average [kT/nm³]."""
        return float(self.matrix[:3, :3].sum() / 9)

    @property
    def tetragonal_shear(self) -> float:
        """C' = (B₁₁ - B₁₂)/2 of a cubic crystal with its axes along x, y, z [kT/nm³]."""
        return float(self.matrix[0, 0] - self.matrix[0, 1]) / 2


#: Pairs of axes in Voigt's order.
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def elasticity(constants: ForceConstants, pressure: float) -> Elasticity:
    """Elastic constants of a crystal whose stress is `pressure`.

    For positions that follow ``1 + E`` and then move by u, ``A = ∂²U/∂E∂E``, ``D = ∂²U/∂E∂u`` and ``Φ = ∂²U/∂u∂u`` at
    k = 0 give ``A - D Φ⁻¹ Dᵀ``, translations left out; P V adds ``P (δ_ab δ_cd - (δ_ac δ_bd + δ_ad δ_bc)/2)``. Born and
    Huang, Dynamical Theory of Crystal Lattices (1954); Wallace, Phys. Rev. 162, 776 (1967), DOI 10.1103/PhysRev.162.776.

    Args:
        constants: of the crystal, without `uniform`.
        pressure: P [kT/nm³].
    """
    n, volume = constants.crystal.n, constants.crystal.volume
    found = constants.springs.bonds
    a = np.einsum("ba,bc,bde->adce", found.vector, found.vector, constants.stiffness, optimize=True) / 2
    # Σ over both directions of a bond: the move of j counts like minus that of i.
    d = np.zeros((n, 3, 3, 3))
    np.add.at(d, found.i, -np.einsum("ba,bde->bade", found.vector, constants.stiffness))
    strains = []
    for p, q in _VOIGT:
        e = np.zeros((3, 3))
        e[p, q] += 0.5
        e[q, p] += 0.5
        strains.append(e if p == q else np.sqrt(2) * e)
    basis = np.array(strains)
    stiffness = np.einsum("xad,adce,yce->xy", basis, a, basis, optimize=True)
    coupling = np.einsum("xad,nade->xne", basis, d).reshape(6, -1)
    inner = dynamical_matrix(constants, np.zeros((1, 3)))[0].real
    values, modes = np.linalg.eigh(inner)
    free = np.abs(values) > ZERO * np.abs(values).max() if n > 1 else np.zeros(len(values), bool)
    projected = coupling @ modes[:, free]
    stiffness = (stiffness - (projected / values[free]) @ projected.T) / volume
    delta = basis.trace(axis1=1, axis2=2)
    stiffness += pressure * (np.outer(delta, delta) - np.eye(6))
    stiffness = (stiffness + stiffness.T) / 2
    shear = np.array([1.0, 1.0, 1.0, *[np.sqrt(0.5)] * 3])
    return Elasticity(stiffness * np.outer(shear, shear), np.linalg.eigvalsh(stiffness))


@dataclass(frozen=True)
class Stability:
    """Whether small displacements cost energy, at wave vectors of a mesh and in the limit of long waves.

    Args:
        smallest: lowest λ away from the three translations at Γ [kT/nm²].
        wave_vector: (3,) where it is, in reciprocal vectors.
        largest: highest λ [kT/nm²].
        unstable: share of the modes with λ < 0.
        elastic: elastic constants.
        points: k points.
    """

    smallest: float
    wave_vector: Array
    largest: float
    unstable: float
    elastic: Elasticity
    points: int = field(default=0)

    @property
    def stable(self) -> bool:
        """No mode of the meshes lowers the energy, and Born's criterion holds."""
        return self.smallest > ZERO * self.largest and self.elastic.stable

    @property
    def reason(self) -> str:
        """Why it is not stable, empty if it is."""
        if self.stable:
            return ""
        if self.smallest <= ZERO * self.largest:
            where = ", ".join(f"{round(float(x), 3) + 0.0:g}" for x in self.wave_vector)
            return (
                f"{100 * self.unstable:.2g} % of the modes are imaginary, the lowest ω² is "
                f"{self.smallest / self.largest:.2g} of the highest, at k = ({where}) reciprocal vectors"
            )
        ratio = self.elastic.eigenvalues[0] / self.elastic.eigenvalues[-1]
        return f"a homogeneous strain lowers the enthalpy: lowest elastic constant {ratio:.2g} of the highest"


def stability(constants: ForceConstants, pressure: float, *, length: float = STABILITY_MESH) -> Stability:
    """Look for modes that lower the energy on a mesh with Γ and the faces of the zone, and one between its points.

    Args:
        constants: of the crystal.
        pressure: P at which it is at rest [kT/nm³].
        length: of the mesh, see `mesh_size`.
    """
    crystal = constants.crystal
    size = mesh_size(crystal, length)
    k = np.concatenate([mesh(crystal, size, shift)[0] for shift in (0.0, 0.5)])
    weight = np.concatenate([mesh(crystal, size, shift)[1] for shift in (0.0, 0.5)]) / 2
    found = spectrum(constants, k)
    gamma = np.linalg.norm(k, axis=1) == 0
    # At Γ the three translations are those of least |λ|.
    for row in np.flatnonzero(gamma):
        found[row, np.argsort(np.abs(found[row]))[:3]] = np.inf
    at = np.unravel_index(int(np.argmin(found)), found.shape)
    largest = float(found[np.isfinite(found)].max())
    bad = (found < -ZERO * largest).mean(axis=1)
    return Stability(
        smallest=float(found[at]),
        wave_vector=k[at[0]] @ crystal.cell.T / (2 * np.pi),
        largest=largest,
        unstable=float(weight @ bad),
        elastic=elasticity(constants, pressure),
        points=len(k),
    )


@dataclass(frozen=True)
class Vibrations:
    """The vibrational part of the harmonic free energy.

    Args:
        free_energy: F - U per particle at kT = 1, thermal wavelength 1 nm [kT].
        error: of the k mesh, the change from the finest mesh to its extrapolation [kT].
        mean_stiffness: mean of λ over all modes [kT/nm²].
        points: k points of the finest mesh.
    """

    free_energy: float
    error: float
    mean_stiffness: float
    points: int


def vibrations(constants: ForceConstants, *, length: float = MESH, temperature: float = 1.0) -> Vibrations:
    """Classical harmonic free energy per particle from two k meshes.

    The logarithm at Γ makes the error of a mesh fall as one over its number of points, which is used to extrapolate.

    Args:
        constants: of a mechanically stable crystal.
        length: of the finer mesh, see `mesh_size`; the coarser has about two thirds of its points along each vector.
        temperature: kT.

    Raises:
        PhysicsError: a mode with λ ≤ 0: the crystal has no harmonic free energy.
    """
    crystal = constants.crystal
    fine = mesh_size(crystal, length)
    coarse = tuple(max(1, 2 * n // 3) for n in fine)
    values, counts = [], []
    for size in (coarse, fine):
        k, weight = mesh(crystal, (size[0], size[1], size[2]))
        found = spectrum(constants, k)
        if not found.min() > 0:
            raise PhysicsError(
                "a mode of the crystal has no restoring force: it has no harmonic free energy; it is not stable at this "
                "pressure"
            )
        values.append(float(weight @ np.log(found / (2 * np.pi * temperature)).sum(axis=1)) / (2 * crystal.n))
        counts.append(float(np.prod(size)))
    limit = values[1] + (values[1] - values[0]) * counts[0] / (counts[1] - counts[0])
    return Vibrations(
        free_energy=temperature * limit,
        error=temperature * abs(limit - values[1]),
        mean_stiffness=float(weight @ found.mean(axis=1)),
        points=int(counts[1]),
    )
