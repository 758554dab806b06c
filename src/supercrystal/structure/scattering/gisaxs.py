"""Grazing-incidence small-angle scattering of particles on a substrate, in the distorted-wave Born approximation.

The beam meets the substrate z = z₀ at the grazing angle α_i. Above it the wave is the incident plus the reflected one,
and the scattered wave likewise leaves directly or after reflection, so each particle scatters in four ways at once:

    F = f(q∥, k_f + k_i) + r_i f(q∥, k_f - k_i) + r_f f(q∥, -k_f + k_i) + r_i r_f f(q∥, -k_f - k_i),

where k_i = k sin α_i, k_f = k sin α_f, and r are Fresnel's amplitudes of reflection at the substrate. f includes the
phase exp(-i q·r) of the particle with z counted from the substrate, the sign that belongs to waves exp(i k·r) and
n = 1 - δ + iβ. (Amplitudes elsewhere in this room have exp(+i q·r); the code therefore computes F*, with r*.)
Sinha, Sirota, Garoff and Stanley, Phys. Rev. B 38, 2297 (1988), DOI 10.1103/PhysRevB.38.2297; Renaud, Lazzari and
Leroy, Surf. Sci. Rep. 64, 255 (2009), DOI 10.1016/j.surfrep.2009.07.002.

Neglected: the mean refractive index of the film, absorption in it, scattering more than once, roughness, and the
resolution of beam and detector. All lengths are nm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.structure.scattering.amplitudes import Scatterers, amplitudes_at
from supercrystal.structure.scattering.contrast import refraction
from supercrystal.structure.scattering.form_factors import Body, bodies_for

#: Signs of k_f and k_i in q_z of the four terms; a minus stands for a reflection.
_TERMS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
#: Wave vectors that are evaluated at once: bounds the memory.
_BATCH = 200_000


@dataclass(frozen=True)
class Substrate:
    """What the particles stand on: refractive index n = 1 - δ + iβ, surface at the height z."""

    delta: float
    beta: float = 0.0
    z: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.delta < 0.1 and 0 <= self.beta < 0.1 and math.isfinite(self.z)):
            raise PhysicsError(
                f"X-rays meet a substrate with 0 ≤ δ, β < 0.1 at a finite height; got δ = {self.delta}, "
                f"β = {self.beta}, z = {self.z}"
            )

    @staticmethod
    def of(material: str, wavelength: float, z: float = 0.0) -> Substrate:
        """δ from the density of a material (`contrast.scattering_length_density`), β = 0."""
        return Substrate(refraction(material, wavelength), 0.0, z)

    @property
    def critical_angle(self) -> float:
        """Angle of total reflection √(2δ) [rad]."""
        return math.sqrt(2 * self.delta)

    def reflection(self, k_z: ArrayLike, k: float) -> NDArray[np.complex128]:
        """Fresnel's amplitude (k_z - k_z') / (k_z + k_z'), with k_z > 0 and k_z'² = k_z² - (1 - n²) k²."""
        above = np.asarray(k_z, complex)
        below = np.sqrt(above**2 - (1 - (1 - self.delta + 1j * self.beta) ** 2) * k**2)
        return np.asarray((above - below) / (above + below))


@dataclass(frozen=True)
class Beam:
    """Incident beam along +x: wavelength [nm] and grazing angle [rad]."""

    wavelength: float
    angle: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.wavelength) and self.wavelength > 0):
            raise PhysicsError(f"a wavelength is a number > 0 in nm; got {self.wavelength}")
        if not 0 < self.angle < math.pi / 2:
            raise PhysicsError(f"a grazing angle lies between 0 and π/2 (90 degrees); got {self.angle} rad")

    @property
    def k(self) -> float:
        """Wave number 2π / λ [1/nm]."""
        return 2 * math.pi / self.wavelength


@dataclass(frozen=True)
class Detector:
    """Directions of the pixels.

    Args:
        azimuth: (P,) out of the plane of incidence, 2θ_f [rad].
        exit: (Q,) above the substrate's surface, α_f > 0 [rad].
    """

    azimuth: NDArray[np.float64]
    exit: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, values in (("azimuth", self.azimuth), ("exit", self.exit)):
            if np.ndim(values) != 1 or not len(values) or not np.all(np.isfinite(values)):
                raise PhysicsError(f"a detector needs finite angles (M,) of its pixels; {name} is {values}")
        if np.any(self.exit <= 0) or np.any(self.exit >= math.pi / 2):
            raise PhysicsError(
                "exit angles lie between 0 and π/2: the substrate's transmitted side is not calculated"
            )

    @staticmethod
    def covering(beam: Beam, q_max: float, pixels: int = 128) -> Detector:
        """Square of pixels with |q_y| ≤ q_max and 0 < q_z ≤ q_max beyond the incident beam's horizon.

        Raises:
            PhysicsError: q_max beyond what the wavelength reaches, or no pixels.
        """
        if not 0 < q_max < beam.k / 2 or pixels < 1:
            raise PhysicsError(
                f"q_max lies between 0 and half the wave number, {beam.k / 2:.4g} / nm, on one pixel or more; "
                f"got {q_max} on {pixels}"
            )
        top = math.asin(q_max / beam.k)
        exits = (np.arange(pixels) + 0.5) / pixels * top
        return Detector(((np.arange(pixels) + 0.5) / pixels * 2 - 1) * top, exits)

    def wave_vectors(self, beam: Beam) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """In-plane q (P, Q, 2) and k sin α_f (Q,) [1/nm]."""
        phi, alpha = self.azimuth[:, None], self.exit[None, :]
        q_x = beam.k * (np.cos(alpha) * np.cos(phi) - math.cos(beam.angle))
        q_y = beam.k * np.cos(alpha) * np.sin(phi)
        return np.stack([q_x, q_y], axis=-1), beam.k * np.sin(self.exit)


def lowest_surface(found: Scatterers, bodies: Mapping[str, Body]) -> float:
    """Height at which the lowest particle touches a substrate, taken as a sphere around its body."""
    return min(float(x[:, 2].min()) - bodies[name].radius for name, x in found.groups.items())


def intensity(
    found: Scatterers,
    bodies: Mapping[str, Body],
    beam: Beam,
    substrate: Substrate | None,
    detector: Detector,
    azimuths: ArrayLike = (0.0,),
) -> NDArray[np.float64]:
    """Differential cross-section per particle [nm²] on every pixel, |Σ_j F_j|² / N with contrasts in 1/nm².

    Particles are a patch in free space: a periodic box gives what its content scatters, with the fringes of its edges.
    Sizes and orientations that differ from particle to particle add their own scattering, as in `powder.saxs`.

    Args:
        found: particles, all above the substrate; z is up.
        bodies: species → what it scatters. A polyhedron needs orientations.
        beam: the incident beam.
        substrate: None has no reflections: the plain (kinematic) Born approximation.
        detector: directions of the pixels.
        azimuths: turns of the sample about z [rad] whose intensities are averaged: a film of many in-plane domains.

    Returns:
        (P, Q) over azimuth and exit angle.

    Raises:
        PhysicsError: particles below the substrate, or bodies that are not those of the species or point anywhere.
    """
    chosen = bodies_for(bodies, list(found.groups))
    turns = np.asarray(azimuths, float)
    if turns.ndim != 1 or not len(turns) or not np.all(np.isfinite(turns)):
        raise PhysicsError(f"azimuths are one or more finite angles in rad; got {azimuths!r}")
    z_0 = 0.0 if substrate is None else substrate.z
    if substrate is not None and float(found.positions[:, 2].min()) < z_0:
        raise PhysicsError(
            f"the lowest particle centre, z = {found.positions[:, 2].min():g}, lies below the substrate at z = {z_0:g}"
        )
    flat, k_f = detector.wave_vectors(beam)
    k_i = beam.k * math.sin(beam.angle)
    heights = {name: x - [0, 0, z_0] for name, x in found.groups.items()}
    total = np.zeros(flat.shape[:2])
    for turn in turns:
        # The sample turned by ω sees the wave vectors turned back.
        c, s = math.cos(turn), math.sin(turn)
        seen = flat @ np.array([[c, -s], [s, c]])
        for rows in _parts(len(seen), len(k_f)):
            total[rows] += _patch(heights, chosen, seen[rows], k_f, k_i, substrate, beam.k)
    return total / (len(turns) * found.n)


def _parts(azimuths: int, exits: int) -> Iterator[slice]:
    step = max(1, _BATCH // exits)
    for start in range(0, azimuths, step):
        yield slice(start, start + step)


def _patch(
    groups: Mapping[str, NDArray[np.float64]],
    bodies: Mapping[str, Body],
    flat: NDArray[np.float64],
    k_f: NDArray[np.float64],
    k_i: float,
    substrate: Substrate | None,
    k: float,
) -> NDArray[np.float64]:
    """|Σ_j F_j|², averaged over sizes and orientations, at in-plane wave vectors (P, Q, 2)."""
    terms = _TERMS if substrate is not None else _TERMS[:1]
    q = np.empty((len(terms), *flat.shape[:2], 3))
    weight = np.ones((len(terms), len(k_f)), complex)
    for t, (out, into) in enumerate(terms):
        q[t, ..., :2] = flat
        q[t, ..., 2] = out * k_f + into * k_i
        if substrate is not None:
            weight[t] = (1 if out > 0 else substrate.reflection(k_f, k)) * (
                1 if into > 0 else substrate.reflection(k_i, k)
            )
    weight = weight.conj()
    coherent = np.zeros(flat.shape[:2], complex)
    own = np.zeros(flat.shape[:2])
    for name, body in bodies.items():
        mean, pairs = _moments(body, q)
        coherent += np.einsum("tq,tpq->pq", weight, mean * amplitudes_at(groups[name], q))
        if pairs is None:
            continue
        z = groups[name][:, 2]
        for a, b in product(range(len(terms)), repeat=2):
            # Particles at all heights, each by itself: Σ_j exp(i (q_a - q_b)_z z_j), the same for all azimuths.
            shift = np.exp(1j * (q[a, 0, :, 2] - q[b, 0, :, 2])[:, None] * z).sum(axis=1)
            own += np.real(weight[a] * weight[b].conj() * shift * pairs[a][b])
    return np.abs(coherent) ** 2 + own


def _moments(
    body: Body, q: NDArray[np.float64]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128] | None]:
    """⟨f⟩ (T, P, Q), and the covariances ⟨f_a f_b*⟩ - ⟨f_a⟩⟨f_b*⟩ (T, T, P, Q) or None where all particles are alike."""
    mean = np.zeros(q.shape[:-1], complex)
    pairs: NDArray[np.complex128] | None = None
    for share, f in body.variants(q):
        mean += share * f
        if share == 1:
            return mean, None
        if pairs is None:
            pairs = np.zeros((len(q), *q.shape[:-1]), complex)
        pairs += share * f[:, None] * f[None].conj()
    assert pairs is not None
    return mean, pairs - mean[:, None] * mean[None].conj()
