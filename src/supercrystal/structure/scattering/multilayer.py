"""Diffraction of plates stacked along one axis, in closed form.

A plate is a slab of thickness t (or a stack of atomic planes) with a ligand layer of thickness ℓ on either side; plates
follow each other with gaps g between their cores. Thicknesses and gaps vary from plate to plate, each independently, so
that displacements add up along the stack (a paracrystal, disorder of the second kind); besides, each plate may be
displaced about its place without moving the others (disorder of the first kind). With T(q) = ⟨exp iqt⟩, G(q) = ⟨exp iqg⟩
and A(q) = ⟨f exp(iqt/2)⟩, where f is the amplitude of a plate about its middle,

    I(q) = N ⟨f²⟩ + 2 exp(-q²σ²) Re[ A² G Σ_{m=1}^{N-1} (N - m) (T G)^{m-1} ],

the sum being [N(1 - φ) - (1 - φ^N)] / (1 - φ)² with φ = TG. This is Hosemann and Bagchi's one-dimensional paracrystal
("Direct Analysis of Diffraction by Matter", 1962) for N plates. That such patterns give size, spacing and disorder of
nanocrystal superlattices is shown by Toso, Baranov, Altamura, Scattarella, Dahl, Wang, Marras, Alivisatos, Singer,
Giannini and Manna, ACS Nano 15, 6243 (2021), DOI 10.1021/acsnano.0c08929.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError

#: Nearer to φ = 1 than this the closed sum would lose digits, and the terms are added one by one.
_NEAR = 1e-4


@dataclass(frozen=True)
class Plate:
    """One plate: a core with a ligand layer on either side.

    Args:
        thickness: of the core, t [nm]; the mean if it varies.
        core_density: electrons per volume of the core [1/nm³].
        ligand_density: of the ligand layers [1/nm³]; less than that of the bulk where ligands do not cover all.
        ligand_thickness: of one layer, ℓ [nm].
        medium_density: of what is around the ligand layers [1/nm³].
        thickness_deviation: standard deviation of the thickness [nm].
        planes: number of atomic planes, evenly spaced by t / planes, on which the core's electrons sit; None smears
            them over the thickness, which is right below the first Bragg peak of the atomic lattice.
    """

    thickness: float
    core_density: float
    ligand_density: float = 0.0
    ligand_thickness: float = 0.0
    medium_density: float = 0.0
    thickness_deviation: float = 0.0
    planes: int | None = None

    def __post_init__(self) -> None:
        numbers = (self.core_density, self.ligand_density, self.medium_density)
        lengths = (self.ligand_thickness, self.thickness_deviation)
        if not (math.isfinite(self.thickness) and self.thickness > 0):
            raise PhysicsError(f"a plate needs a finite thickness > 0 nm; got {self.thickness}")
        if not all(math.isfinite(x) for x in (*numbers, *lengths)) or min(*numbers, *lengths) < 0:
            raise PhysicsError(
                f"densities, the ligand layer and the deviation are finite and ≥ 0; got {self}"
            )
        if self.planes is not None and (self.planes < 1 or self.thickness_deviation > 0):
            raise PhysicsError(
                "atomic planes are a whole number ≥ 1, and plates of planes have no continuous spread of thickness; "
                f"got planes = {self.planes}, thickness_deviation = {self.thickness_deviation}"
            )

    def amplitude(self, q: ArrayLike, thickness: ArrayLike | None = None) -> NDArray[np.float64]:
        """Amplitude f about the middle of the plate [electrons / nm²], at q > 0 [1/nm], of plates of this thickness."""
        q = np.asarray(q, float)
        t = np.asarray(self.thickness if thickness is None else thickness, float)
        outer = t / 2 + self.ligand_thickness
        ligand = 2 * (self.ligand_density - self.medium_density) * np.sin(q * outer) / q
        if self.planes is None:
            return 2 * (self.core_density - self.ligand_density) * np.sin(q * t / 2) / q + ligand
        n = self.planes
        place = (np.arange(n) - (n - 1) / 2) * self.thickness / n
        sharp = np.sum(np.cos(q[..., None] * place), axis=-1) * self.thickness / n * self.core_density
        return sharp - 2 * self.ligand_density * np.sin(q * t / 2) / q + ligand

    def averages(
        self, q: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.complex128], NDArray[np.complex128]]:
        """⟨f²⟩, A = ⟨f exp(iqt/2)⟩ and T = ⟨exp(iqt)⟩ over a normal distribution of thicknesses."""
        turn = np.exp(1j * q * self.thickness - (q * self.thickness_deviation) ** 2 / 2)
        if self.planes is not None:
            f = self.amplitude(q)
            return f**2, f * np.exp(0.5j * q * self.thickness), turn
        a, b = self.core_density - self.ligand_density, self.ligand_density - self.medium_density
        far = np.exp(1j * q * self.ligand_thickness)
        square = a**2 * (1 - turn.real) + b**2 * (1 - (turn * far**2).real)
        square += 2 * a * b * (far.real - (turn * far).real)
        return 2 * square / q**2, (a * (turn - 1) + b * (turn * far - far.conj())) / (1j * q), turn


@dataclass(frozen=True)
class Stack:
    """Plates on top of each other.

    Args:
        plate: the plates.
        gap: mean distance between the surfaces of neighbouring cores [nm]. The period is the thickness plus the gap.
        plates: how many, N.
        gap_deviation: standard deviation of the gaps [nm]: disorder that adds up along the stack.
        displacement: standard deviation σ of each plate's place, independent of all others [nm]: disorder that does not.
    """

    plate: Plate
    gap: float
    plates: int
    gap_deviation: float = 0.0
    displacement: float = 0.0

    def __post_init__(self) -> None:
        if self.plates < 1 or self.plates != int(self.plates):
            raise PhysicsError(f"a stack has a whole number of plates ≥ 1; got {self.plates}")
        values = (self.gap, self.gap_deviation, self.displacement)
        if not all(math.isfinite(x) and x >= 0 for x in values):
            raise PhysicsError(f"gap, its deviation and the displacement are finite and ≥ 0 nm; got {values}")

    @property
    def period(self) -> float:
        """Mean distance of neighbouring plates [nm]; a Bragg peak of order n stands near 2π n / period."""
        return self.plate.thickness + self.gap


def intensity(stack: Stack, q: ArrayLike) -> NDArray[np.float64]:
    """Diffracted intensity along the stacking axis, per plate [(electrons / nm²)²].

    Args:
        stack: the plates.
        q: (M,) > 0, along the axis [1/nm]. Polarisation, absorption and the beam's footprint are not in it.

    Raises:
        PhysicsError: q that are not > 0.

    >>> single = Stack(Plate(2.0, 1.0), gap=1.0, plates=1)
    >>> float(intensity(single, [np.pi])[0]) < 1e-30  # first zero of the slab
    True
    """
    wave = np.asarray(q, float)
    if not np.all(np.isfinite(wave)) or np.any(wave <= 0):
        raise PhysicsError("q along the stacking axis are finite numbers > 0 in 1/nm")
    square, edge, turn = stack.plate.averages(wave)
    gap = np.exp(1j * wave * stack.gap - (wave * stack.gap_deviation) ** 2 / 2)
    pairs = edge**2 * gap * _weighted_powers(turn * gap, int(stack.plates))
    return square + 2 * np.exp(-((wave * stack.displacement) ** 2)) * pairs.real / stack.plates


def _weighted_powers(phi: NDArray[np.complex128], n: int) -> NDArray[np.complex128]:
    """Σ_{m=1}^{n-1} (n - m) φ^{m-1} for |φ| ≤ 1."""
    rest = 1 - phi
    near = np.abs(rest) < _NEAR
    safe = np.where(near, 1.0, rest)
    total = np.asarray((n * safe - (1 - phi**n)) / safe**2, complex)
    m = np.arange(1, n)
    total[near] = (phi[near][..., None] ** (m - 1)) @ (n - m)
    return total


def random_stack(stack: Stack, q: ArrayLike, samples: int, seed: int = 0) -> NDArray[np.float64]:
    """Intensities per plate of `samples` stacks drawn at random (samples, M): what `intensity` is the mean of."""
    rng = np.random.default_rng(seed)
    wave = np.asarray(q, float)
    found = np.empty((samples, len(wave)))
    for i in range(samples):
        t = rng.normal(stack.plate.thickness, stack.plate.thickness_deviation, stack.plates)
        g = rng.normal(stack.gap, stack.gap_deviation, stack.plates)
        start = np.cumsum(t + g) - (t + g)
        middle = start + t / 2 + rng.normal(0, stack.displacement, stack.plates)
        f = np.array([stack.plate.amplitude(wave, one) for one in t])
        found[i] = np.abs(np.sum(f * np.exp(1j * middle[:, None] * wave), axis=0)) ** 2 / stack.plates
    return found
