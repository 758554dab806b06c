"""Checks of crystals without a simulation: lattice sums, and bcc against fcc of inverse powers by lattice dynamics."""

from __future__ import annotations

import math
from collections.abc import Callable

from supercrystal.interactions.power_law import PowerLaw
from supercrystal.solids.crystal import Crystal, place
from supercrystal.solids.lattice_energy import lattice_sum, static
from supercrystal.solids.phonons import elasticity, force_constants, vibrations
from supercrystal.validation.check import Check, Setting

#: Lattice sums Σ (a_nn/r)^n by phase and exponent. The same digits stand in public codes for cohesive energies; those of
#: fcc are also Kittel's 12.13188 and 14.45392. The sums themselves are mathematics.
SUMS = {
    ("fcc", 12): 12.1318801965446,
    ("fcc", 6): 14.4539210437445,
    ("hcp", 12): 12.1322937690989,
    ("hcp", 6): 14.4548972778,
    ("bcc", 12): 9.1141832680754,
    ("bcc", 6): 12.2536678673,
}
SUMS_SOURCE = "Lennard-Jones and Ingham, Proc. R. Soc. A 107, 636 (1925), to more digits in public codes"

#: Melting density ρσ³ of U = ε (σ/r)⁶ at kT = ε: Tan, Schultz and Kofke (2011) by SklogWiki.
MELTING = 2.320
#: Range of sums in vibrations [σ], and length of the finer k mesh in mean spacings.
REACH, LONG = 5.0, 30.0


def one_component(phase: str, density: float) -> Crystal:
    """A one-component phase at a density [nm⁻³], of particles ``A``."""
    crystal = place(phase, {"A": 1.0}, {"A": "A"})
    return Crystal(crystal.cell * (crystal.density / density) ** (1 / 3), crystal.fractional, crystal.types)


def lattice_sums() -> list[Check]:
    """Sums of six pairs of lattice and exponent."""
    return [_lattice_sum(phase, exponent) for phase, exponent in SUMS]


def _lattice_sum(phase: str, exponent: int) -> Check:
    expected = SUMS[phase, exponent]
    return Check(
        name=f"lattice-sum-{phase}-{exponent}",
        result=f"Σ (a_nn/r)^{exponent} of {phase}",
        source=SUMS_SOURCE,
        expected=expected,
        obtained=lattice_sum(place(phase, {"A": 1.0}, {"A": "A"}), exponent),
        tolerance=1e-10 * expected,
        kind="exact",
    )


def power_law_vibrations(
    phase: str, density: float, exponent: float, reach: float, length: float
) -> tuple[float, float]:
    """F - U per particle of an inverse power with ε = σ = 1 at kT = 1, and its error [kT].

    What lies beyond `reach` binds each particle as a structureless bulk does.
    """
    law = PowerLaw(1.0, 1.0, exponent)
    beyond = 4 * math.pi * density / 3 * reach**2 * float(law.force(reach))
    constants = force_constants(
        one_component(phase, density), {("A", "A"): (law,)}, reach=reach, uniform=beyond
    )
    found = vibrations(constants, length=length)
    return found.free_energy, found.error


def harmonic_bcc_fcc() -> Check:
    """Harmonic βΔF(bcc - fcc) per particle of the power law n = 6 at its melting density."""
    energy = {phase: lattice_sum(one_component(phase, MELTING), 6) / 2 for phase in ("bcc", "fcc")}
    found = {phase: power_law_vibrations(phase, MELTING, 6, REACH, LONG) for phase in energy}
    static_part = energy["bcc"] - energy["fcc"]
    vibrational = found["bcc"][0] - found["fcc"][0]
    return Check(
        name="harmonic-bcc-fcc",
        result="harmonic βΔF(bcc − fcc) per particle, power law n = 6, ρσ³ = 2.320, kT = ε",
        source="computed for this project, +0.093 − 0.130; not a published number",
        expected=-0.037,
        obtained=static_part + vibrational,
        error=math.hypot(found["bcc"][1], found["fcc"][1]),
        tolerance=0.005,
        kind="unverified",
        note=f"energy {static_part:+.4f}, vibrations {vibrational:+.4f}; the expected −0.130 is what a mesh of about 14³ k "
        "points gives, finer ones converge to −0.1335",
    )


def tetragonal_shear(exponent: float, reach: float = 16.0) -> float:
    """C' over the bulk modulus of bcc with an inverse power [-]: what its sign says does not depend on density.

    Args:
        exponent: n.
        reach: of the sums, in mean spacings.
    """
    crystal, pairs = one_component("bcc", 1.0), {("A", "A"): (PowerLaw(1.0, 1.0, exponent),)}
    pressure = static(crystal, pairs, reach=reach).pressure
    found = elasticity(force_constants(crystal, pairs, reach=reach), pressure)
    return found.tetragonal_shear / found.bulk_modulus


def bcc_limit() -> Check:
    """Exponent beyond which bcc of an inverse power gives way to a tetragonal shear at fixed density."""
    from scipy.optimize import brentq

    low, high = tetragonal_shear(7.0), tetragonal_shear(8.0)
    found = float(brentq(tetragonal_shear, 7.0, 8.0, xtol=1e-3)) if low > 0 > high else math.nan
    return Check(
        name="bcc-limit",
        result="exponent n at which C' of bcc vanishes: C' > 0 at 7 and < 0 at 8",
        source="bcc up to n = 7 only: Hoover, Young and Grover, J. Chem. Phys. 56, 2207 (1972), not opened",
        expected=7.5,
        obtained=found,
        error=0.001,
        tolerance=0.5,
        kind="unverified",
        note=f"C'/K = {low:+.4f} at n = 7, {high:+.4f} at n = 8",
    )


def _sum_check(phase: str, exponent: int) -> Callable[[Setting], Check]:
    return lambda setting: _lattice_sum(phase, exponent)


CHECKS: dict[str, Callable[[Setting], Check]] = {
    **{f"lattice-sum-{phase}-{exponent}": _sum_check(phase, exponent) for phase, exponent in SUMS},
    "harmonic-bcc-fcc": lambda setting: harmonic_bcc_fcc(),
    "bcc-limit": lambda setting: bcc_limit(),
}
