"""Sedimentation and centrifugation: nanocrystals fall towards the substrate of a film whose interface stays.

In equilibrium their pressure falls by ``n kT`` over one gravitational length ``l_g = kT / (m_b a)``, with the buoyant mass
m_b and the acceleration a: a dilute suspension is barometric, a dense one crystallises from the bottom where the weight
above exceeds the coexistence pressure. The field is switched on linearly and stays on for the stages that follow unless it
is released. In the schedule, gravity 1 is a gravitational length of one diameter. The field of a centrifuge is taken as
uniform, because films are far thinner than rotors.

Fall speeds are those of free draining: there is no backflow of solvent, which would slow dense suspensions; equilibrium
profiles do not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.protocols.start import FilmGeometry
from supercrystal.protocols.timeline import Timeline

#: Gravitational lengths below this many diameters press a layer into the substrate with hundreds of kT.
SHORTEST_LENGTH = 0.02


@dataclass(frozen=True)
class Sedimentation:
    """A field that pulls nanocrystals down.

    Args:
        gravitational_length: of the first species at full field [nm].
        ramp_time: within which the field is switched on [τ_B].
        hold_time: at full field [τ_B].
        release: whether the field is switched off again, within the ramp time.
        frames: of the trajectory.
    """

    gravitational_length: float
    ramp_time: float
    hold_time: float
    release: bool = False
    frames: int = 60

    kind = "sedimentation"
    place = "film"

    def lay(self, timeline: Timeline, model: Model, film: FilmGeometry | None) -> None:
        """Lay this stage on the timeline.

        Raises:
            PhysicsError: a field so strong that nanocrystals would be pressed into each other.
        """
        length, d = self.gravitational_length, model.reference_diameter
        if not length >= SHORTEST_LENGTH * d:
            raise PhysicsError(
                f"a gravitational length of {length:.3g} nm: allowed ≥ {SHORTEST_LENGTH} diameters "
                f"({SHORTEST_LENGTH * d:.3g} nm); lower the acceleration"
            )
        height = timeline.now.height
        assert height is not None
        timeline.report(self.kind, "l_g/d", length / d, "gravitational length over OPM diameter")
        timeline.report(
            self.kind, "Pe_g", d / 2 / length, "radius over gravitational length: fall against diffusion"
        )
        timeline.report(
            self.kind,
            "settling time",
            height * length / d**2,
            "a free fall through the film at full field [Brownian times]",
        )
        timeline.ramp(self.ramp_time, gravity=d / length)
        timeline.hold(self.hold_time)
        if self.release:
            timeline.ramp(self.ramp_time, gravity=0.0)
            timeline.hold(self.ramp_time)
