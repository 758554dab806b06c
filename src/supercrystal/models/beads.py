"""Rigid bodies of beads: nanocrystals that are no spheres, as engines move them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid body: beads about a centre of mass, in the frame of its principal axes.

    A bead stands at ``r + q b q*``: `positions` b turned by the body's unit quaternion q (w, x, y, z) and moved to its
    centre r. Beads have no mass of their own; mass and moments are the body's.

    Args:
        name: particle type of the body's centre.
        positions: of the beads from the centre of mass, (M, 3) [nm].
        bead_types: particle type of each bead, M of them.
        mass: of the body [kT τ_B²/nm²].
        moments: principal moments of inertia about x, y, z [kT τ_B²].
        friction: Langevin friction of the centre [kT τ_B/nm²].
        rotational_friction: torque over angular velocity about x, y, z [kT τ_B].

    Raises:
        PhysicsError: no beads, shapes or counts that disagree, values that are not finite, or a mass, moment or
            friction that is not positive.
    """

    name: str
    positions: NDArray[np.float64]
    bead_types: tuple[str, ...]
    mass: float
    moments: tuple[float, float, float]
    friction: float
    rotational_friction: tuple[float, float, float]

    def __post_init__(self) -> None:
        positions = np.array(self.positions, float)
        if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions):
            raise PhysicsError(
                f"the beads of body '{self.name}' need positions (M, 3); got {positions.shape}"
            )
        if len(self.bead_types) != len(positions):
            raise PhysicsError(
                f"body '{self.name}' has {len(positions)} beads and {len(self.bead_types)} bead types; give one each"
            )
        if self.name in self.bead_types:
            raise PhysicsError(f"a bead cannot have the type of its body's centre, '{self.name}'; rename one")
        if not np.all(np.isfinite(positions)):
            raise PhysicsError(f"a bead of body '{self.name}' has a position that is not finite")
        positive = {
            "mass": (self.mass,),
            "moments": self.moments,
            "friction": (self.friction,),
            "rotational friction": self.rotational_friction,
        }
        for what, values in positive.items():
            if not all(np.isfinite(value) and value > 0 for value in values):
                raise PhysicsError(f"{what} of body '{self.name}' must be finite and > 0; got {values}")
        positions.setflags(write=False)
        object.__setattr__(self, "positions", positions)

    @property
    def radius(self) -> float:
        """Distance of the outermost bead from the centre [nm]."""
        return float(np.linalg.norm(self.positions, axis=1).max())
