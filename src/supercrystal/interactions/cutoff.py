"""Ways to end a pair potential of infinite range at a cut r_c, without a jump of the energy.

- ``"shift"``: ``U(r) - U(r_c)``. The energy is continuous, the force jumps to zero at the cut unless U has its minimum
  there (WCA). Only for comparison with published data of that cut-off.
- ``"force-shift"``: ``U(r) - U(r_c) + F(r_c) (r - r_c)``. Energy and force are continuous; both change at every r.
- ``"xplor"``: ``S(r) U(r)`` with the polynomial in r² that HOOMD-blue's ``mode="xplor"`` uses,
  ``S = (r_c² - r²)² (r_c² + 2 r² - 3 r_on²) / (r_c² - r_on²)³`` between r_on and r_c. U is unchanged below r_on; the force
  is continuous, its slope is not.
- ``"smooth"``: ``S(r) U(r)`` with ``S = 1 - 10 t³ + 15 t⁴ - 6 t⁵``, ``t = (r - r_on)/(r_c - r_on)``. U is unchanged
  below r_on; force and slope of the force are continuous, so that tables of it converge fast.

Truncation alone is refused: it leaves a jump of the energy that dynamics cannot follow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError, nearest

Mode = Literal["shift", "force-shift", "xplor", "smooth"]
MODES = ("shift", "force-shift", "xplor", "smooth")


class Bare(Protocol):
    """A potential before it is cut."""

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """U(r) [kT]."""

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """−dU/dr [kT/nm]."""


@dataclass(frozen=True)
class Cut:
    """A potential that ends at `r_cut`.

    Args:
        potential: what is cut.
        r_cut: distance from which energy and force are zero [nm].
        mode: one of `MODES`.
        r_on: where smoothing begins, for ``"xplor"`` and ``"smooth"`` only [nm].

    Raises:
        PhysicsError: an unknown mode, truncation, or an `r_on` that is missing, superfluous or beyond the cut.
    """

    potential: Bare
    r_cut: float
    mode: Mode
    r_on: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            name = str(self.mode)
            why = (
                "truncation alone leaves a jump of the energy" if name in ("none", "truncate") else "unknown"
            )
            raise PhysicsError(
                f"cut-off mode '{name}': {why}; allowed: {', '.join(MODES)}{nearest(name, MODES)}"
            )
        if not 0 < self.r_cut < math.inf:
            raise PhysicsError(f"a cut-off must be a distance > 0 nm; got {self.r_cut}")
        if self.mode in ("xplor", "smooth"):
            if self.r_on is None or not 0 < self.r_on < self.r_cut:
                raise PhysicsError(
                    f"mode '{self.mode}' needs 0 < r_on < r_cut = {self.r_cut}; got {self.r_on}"
                )
        elif self.r_on is not None:
            raise PhysicsError(f"mode '{self.mode}' has no r_on; got {self.r_on}")

    @property
    def abrupt(self) -> bool:
        """Whether the force jumps at the cut by intention."""
        return self.mode == "shift"

    def _switch(self, r: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """S(r) and dS/dr."""
        r_on = self.r_on or 0.0
        x = np.clip(r, r_on, self.r_cut)
        if self.mode == "xplor":
            on, off, s = r_on**2, self.r_cut**2, x**2
            span = (off - on) ** 3
            return (off - s) ** 2 * (off + 2 * s - 3 * on) / span, 12 * x * (off - s) * (on - s) / span
        t = (x - r_on) / (self.r_cut - r_on)
        return 1 - t**3 * (10 - 15 * t + 6 * t**2), -30 * t**2 * (1 - t) ** 2 / (self.r_cut - r_on)

    def energy(self, r: ArrayLike) -> NDArray[np.float64]:
        """Energy at the centre distance `r` [nm], any shape [kT]."""
        r = np.asarray(r, float)
        held = np.minimum(r, self.r_cut)
        u = self.potential.energy(held)
        if self.mode in ("xplor", "smooth"):
            u = u * self._switch(held)[0]
        else:
            u = u - self.potential.energy(self.r_cut)
            if self.mode == "force-shift":
                u = u + self.potential.force(self.r_cut) * (held - self.r_cut)
        return np.where(r < self.r_cut, u, 0.0)

    def force(self, r: ArrayLike) -> NDArray[np.float64]:
        """Force −dU/dr [kT/nm]."""
        r = np.asarray(r, float)
        held = np.minimum(r, self.r_cut)
        f = self.potential.force(held)
        if self.mode in ("xplor", "smooth"):
            switch, slope = self._switch(held)
            f = f * switch - self.potential.energy(held) * slope
        elif self.mode == "force-shift":
            f = f - self.potential.force(self.r_cut)
        return np.where(r < self.r_cut, f, 0.0)
