"""Gibbs energy of a crystal at kT = 1: quasi-harmonic, and what anharmonicity adds, by simulation at fixed cell.

Quasi-harmonic: ``G(P) = min over V of U(V) + F_vib(V) + P V``, along the crystals that relax at static pressures p ≤ P.

Anharmonic: classically ``F(T) = U₀ + F_harm(T) + A₂ T² + A₃ T³ + …`` at fixed volume, as the energy's third and fourth
orders enter with ``kT`` once more for every two. With ``U = F - T ∂F/∂T``,

    U_anh(T) = <U> - U₀ - (3/2) T (N - 1)/N = -A₂ T² - 2 A₃ T³ - …,   F_anh(T) = A₂ T² + A₃ T³ + …

The leading order is ``F_anh = -U_anh``. A second temperature, half the first, gives the next one too:

    F_anh(1) = A₂ + A₃ = -4 U_anh(½),   A₃ = 4 U_anh(½) - U_anh(1).

|A₃|, the last order that is known, or its standard error if that is larger, is stated as the systematic error. (N - 1)/N:
the centre of mass of a periodic cell is free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from supercrystal.errors import PhysicsError
from supercrystal.solids.crystal import Crystal
from supercrystal.solids.lattice_energy import Pairs
from supercrystal.solids.phonons import MESH, Vibrations, force_constants, vibrations
from supercrystal.solids.relaxation import Relaxed, relax

#: Mesh on the way to the volume of lowest Gibbs energy, whose error there does not matter.
ROUGH_MESH = 10.0
#: Thermal pressures that are looked for go up to this times ρ kT: (n + 2)/2 for an inverse power.
LARGEST_THERMAL_PRESSURE = 30.0
#: Static pressures that are tried before refinement.
STEPS = 13


@dataclass(frozen=True)
class Quasiharmonic:
    """A crystal at the volume of lowest harmonic Gibbs energy.

    Args:
        relaxed: the crystal, at rest under its static pressure.
        pressure: P, thermal pressure included [kT/nm³].
        vibrations: of it.
    """

    relaxed: Relaxed
    pressure: float
    vibrations: Vibrations

    @property
    def crystal(self) -> Crystal:
        """The crystal."""
        return self.relaxed.crystal

    @property
    def gibbs(self) -> float:
        """U + F_vib + P V per particle, thermal wavelength 1 nm [kT]."""
        volume = self.crystal.volume / self.crystal.n
        return self.relaxed.energy_per_particle + self.vibrations.free_energy + self.pressure * volume


def quasiharmonic(
    start: Crystal, pairs: Pairs, pressure: float, *, reach: float | None = None, length: float = MESH
) -> Quasiharmonic:
    """Find the volume of lowest harmonic Gibbs energy at kT = 1.

    Args:
        start: the crystal relaxed at P without thermal motion.
        pairs: potentials of each pair of its types.
        pressure: P [kT/nm³].
        reach: distance at which sums end even if potentials go on [nm].
        length: of the final k mesh, see `phonons.mesh_size`.

    Raises:
        PhysicsError: there is none: the crystal is not mechanically stable on the way, or expands without limit.
    """
    from scipy.optimize import minimize_scalar

    known: dict[float, tuple[float, Relaxed]] = {}

    def gibbs(static_pressure: float) -> float:
        if static_pressure not in known:
            try:
                here = relax(start, pairs, static_pressure, reach=reach)
                rough = vibrations(force_constants(here.crystal, pairs, reach=reach), length=ROUGH_MESH)
            except PhysicsError:
                return math.inf
            volume = here.crystal.volume / here.crystal.n
            known[static_pressure] = (
                here.energy_per_particle + rough.free_energy + pressure * volume,
                here,
            )
        return known[static_pressure][0]

    largest = LARGEST_THERMAL_PRESSURE * start.density
    tried = [pressure]
    # Step by step from P down: beyond the minimum the crystal may not hold together.
    while len(tried) < 2 or (gibbs(tried[-1]) < gibbs(tried[-2]) and len(tried) <= STEPS):
        tried.append(tried[-1] - largest / STEPS)
        if not math.isfinite(gibbs(tried[0])):
            break
    if not math.isfinite(gibbs(tried[0])):
        raise PhysicsError("the crystal is not mechanically stable: it has no harmonic free energy")
    if not math.isfinite(gibbs(tried[-1])) or gibbs(tried[-1]) < gibbs(tried[-2]):
        raise PhysicsError(
            "thermal expansion makes the crystal mechanically unstable before its Gibbs energy has a minimum: it has no "
            "harmonic free energy at this pressure and temperature"
        )
    high = tried[-3] if len(tried) > 2 else pressure
    found = minimize_scalar(
        gibbs,
        bounds=(tried[-1], high),
        method="bounded",
        options={"xatol": 1e-4 * max(abs(high - tried[-1]), 1e-300)},
    )
    gibbs(float(found.x))
    here = known[float(found.x)][1]
    return Quasiharmonic(
        here, pressure, vibrations(force_constants(here.crystal, pairs, reach=reach), length=length)
    )


@dataclass(frozen=True)
class Anharmonic:
    """The anharmonic free energy at kT = 1 from mean energies at kT = ½ and 1.

    Args:
        free_energy: F_anh = -4 U_anh(½), per particle [kT].
        error: its standard error [kT].
        leading: -U_anh(1), the leading order alone [kT].
        systematic: size of the last order that is known, |A₃|, or its standard error if that is larger [kT].
    """

    free_energy: float
    error: float
    leading: float
    systematic: float


def anharmonic(
    half: tuple[float, float], full: tuple[float, float], static_energy: float, n: int
) -> Anharmonic:
    """Estimate the anharmonic free energy.

    Args:
        half: mean potential energy per particle at kT = ½ and its standard error [kT].
        full: the same at kT = 1.
        static_energy: U₀ per particle [kT].
        n: particles of the simulation.

    >>> found = anharmonic((0.75 * 0.999 + 0.02, 0.001), (1.5 * 0.999 + 0.06, 0.001), 0.0, 1000)
    >>> [round(x, 9) for x in (found.free_energy, found.error, found.leading, found.systematic)]
    [-0.08, 0.004, -0.06, 0.02]
    """
    share = (n - 1) / n
    u_half = half[0] - static_energy - 0.75 * share
    u_full = full[0] - static_energy - 1.5 * share
    # A₃ that happens to come out small is not thereby known to be small.
    systematic = max(abs(4 * u_half - u_full), math.hypot(4 * half[1], full[1]))
    return Anharmonic(-4 * u_half, 4 * half[1], -u_full, systematic)
