"""The soft repulsive shell of one capped nanocrystal against another, and how its parameters follow from chemistry.

    U(r) = ε [(r_0 / r)^(n/2) - 1]²   for r < r_0,   0 beyond,

which is the Mie (n, n/2) potential of depth ε cut at its minimum r_0 and lifted to zero there: energy and force vanish
smoothly at r_0, and both engines have it natively.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from supercrystal.errors import PhysicsError
from supercrystal.interactions import brush


@dataclass(frozen=True)
class Shell:
    """Soft repulsion that ends at the distance `onset`.

    Args:
        epsilon: energy scale ε [kT].
        onset: r_0, the distance at which shells first touch [nm].
        exponent: n, the exponent of the core of the repulsion [-].
    """

    epsilon: float
    onset: float
    exponent: float

    @property
    def r_cut(self) -> float:
        """Distance beyond which energy and force are zero [nm]."""
        return self.onset

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        r = np.asarray(r, float)
        q = (self.onset / r) ** (self.exponent / 2)
        return np.where(r < self.onset, self.epsilon * (q - 1) ** 2, 0.0)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Repulsive force −dU/dr [kT/nm]."""
        r = np.asarray(r, float)
        q = (self.onset / r) ** (self.exponent / 2)
        return np.where(r < self.onset, self.epsilon * self.exponent * q * (q - 1) / r, 0.0)


def shell_from_brush(
    contact: float, radius: float, ligand_length: float, contact_energy: float = 1.0
) -> Shell:
    """Return the shell whose thermal diameter is the OPM spacing and whose range and steepness are the brush's.

    Three conditions fix the three parameters:

    1. the shells first touch where extended ligands do: ``r_0 = 2 (R + L)``;
    2. at the contact distance the shell bends like the Alexander–de Gennes brush: equal ``-r U''/U' - 1``
       (`brush.effective_exponent`), which is ``(n/2) (2q - 1)/(q - 1)`` with ``q = (r_0/contact)^(n/2)``;
    3. ``U(contact) = contact_energy``: a pair of nanocrystals pays kT to come as close as the packing model puts them.

    The brush's own energy at the OPM spacing is 10–100 kT. That height belongs to shells swollen by good solvent,
    which sit much further apart; taking it over would contradict the dry spacing that condition 3 puts in.

    Args:
        contact: OPM spacing of the pair [nm].
        radius: core radius R, for a pair the mean [nm].
        ligand_length: extended length L, for a pair the mean [nm].
        contact_energy: U(contact) [kT].

    Raises:
        PhysicsError: a contact outside (2R, 2R + 2L), or a softness for which no exponent fits.
    """
    onset = 2 * (radius + ligand_length)
    steepness = float(brush.effective_exponent(contact, radius, ligand_length))
    ratio = onset / contact

    def mismatch(half: float) -> float:
        q = ratio**half
        return half * (2 * q - 1) / (q - 1) - steepness

    # half (2q-1)/(q-1) falls from infinity at n = 0 to 1/ln(ratio)-like values and then grows with n: the physical
    # root is on the growing branch, where the shell is a steep wall rather than a logarithm.
    halves = np.geomspace(0.05, 200, 4000)
    values = np.array([mismatch(h) for h in halves])
    start = int(np.argmin(values))
    steepest = float(halves[-1])
    while mismatch(steepest) < 0 and steepest < 1e4:  # large cores in thin shells are nearly hard
        steepest *= 2
    if values[start] > 0 or mismatch(steepest) < 0:
        raise PhysicsError(
            f"no shell matches the brush's steepness {steepness:.1f} at {contact:.2f} nm with onset {onset:.2f} nm"
        )
    half = float(brentq(mismatch, halves[start], steepest))
    return Shell(epsilon=contact_energy / (ratio**half - 1) ** 2, onset=onset, exponent=2 * half)
