"""Annealing: the bath is heated and cooled in cycles and ends at the study's temperature.

Potentials are free energies at the study's temperature and stay as they are; only the noise changes. That is what heating
does to hard repulsions; ligands and solvents that change with temperature are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.protocols.start import FilmGeometry
from supercrystal.protocols.timeline import Timeline


@dataclass(frozen=True)
class Annealing:
    """Cycles of temperature.

    Args:
        hottest: highest temperature over the study's [-].
        cycles: how often it is reached; 0 only holds.
        period: of a cycle, half of it up and half down [τ_B].
        hold_time: at the study's temperature at the end [τ_B].
        frames: of the trajectory.
    """

    hottest: float
    cycles: int
    period: float
    hold_time: float
    frames: int = 60

    kind = "annealing"
    place = None

    def lay(self, timeline: Timeline, model: Model, film: FilmGeometry | None) -> None:
        """Lay this stage on the timeline.

        Raises:
            PhysicsError: a hottest temperature out of range.
        """
        if not 1 <= self.hottest <= 3:
            raise PhysicsError(
                f"hottest is {self.hottest:.3g} times the study's temperature: allowed 1 to 3, as the time step is made "
                "for the study's"
            )
        timeline.report(self.kind, "T/T0", self.hottest, "hottest over the study's temperature")
        timeline.report(self.kind, "period", self.period, "of a cycle [Brownian times]")
        for _ in range(self.cycles):
            timeline.ramp(self.period / 2, temperature=self.hottest)
            timeline.ramp(self.period / 2, temperature=1.0)
        timeline.hold(self.hold_time)
