"""Destabilisation: the solvent turns poor along a schedule of the study, as when an antisolvent diffuses in.

What changes is the strength of the model's solvent potentials: ½ − χ of Flory for osmotic shells, or the depth of an
attractive tail in kT. Volume, or pressure, stays what the stage before left.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.protocols.start import FilmGeometry
from supercrystal.protocols.timeline import Timeline


@dataclass(frozen=True)
class Destabilisation:
    """A solvent that changes.

    Args:
        points: (time since the stage began [τ_B], strength), times increasing from 0, linear in between.
        hold_time: after the last point [τ_B].
        frames: of the trajectory.
    """

    points: tuple[tuple[float, float], ...]
    hold_time: float
    frames: int = 60

    kind = "destabilisation"
    place = None

    def lay(self, timeline: Timeline, model: Model, film: FilmGeometry | None) -> None:
        """Lay this stage on the timeline.

        Raises:
            PhysicsError: the model has no solvent, or the times do not increase.
        """
        if not model.solvent:
            raise PhysicsError(
                "destabilisation needs an interaction with a solvent: choose model.interaction of kind 'mie', "
                "'shifted-mie' or 'osmotic-elastic'"
            )
        times = [time for time, _ in self.points]
        if len(times) < 2 or times[0] != 0 or any(b <= a for a, b in itertools.pairwise(times)):
            raise PhysicsError(f"schedule: needs two or more times that increase from 0; got {times}")
        if timeline.now.solvent != self.points[0][1]:
            raise PhysicsError(
                "schedule: its first value must be that of the model, or of the stage before: got "
                f"{self.points[0][1]:g}, but the solvent's strength there is {timeline.now.solvent:g}"
            )
        values = [value for _, value in self.points]
        change = abs(max(values) - min(values)) / times[-1]
        timeline.report(
            self.kind,
            "change",
            change,
            f"largest change of {model.solvent_variable} over the duration × Brownian time",
        )
        for (before, _), (after, value) in itertools.pairwise(self.points):
            timeline.ramp(after - before, solvent=value)
        timeline.hold(self.hold_time)
