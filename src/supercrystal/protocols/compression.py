"""Compression: a periodic cell follows an osmotic pressure that rises linearly, as under a semipermeable membrane.

The pressure is that of the nanocrystals alone; the solvent's is the same on both sides. Cells that only scale keep their
shape and cannot follow a crystal of another; orthorhombic ones change their sides, triclinic ones also their angles, which
a fluid does without limit: use them for crystals.
"""

from __future__ import annotations

from dataclasses import dataclass

from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.protocols.start import FilmGeometry
from supercrystal.protocols.timeline import Timeline
from supercrystal.system import Cell


@dataclass(frozen=True)
class Compression:
    """A pressure that rises.

    Args:
        first: pressure at the beginning [kT/nm³].
        last: pressure at the end [kT/nm³].
        ramp_time: from the first to the last [τ_B].
        hold_time: at the last [τ_B].
        cell: what the cell may do.
        frames: of the trajectory.
    """

    first: float
    last: float
    ramp_time: float
    hold_time: float
    cell: Cell = "isotropic"
    frames: int = 60

    kind = "compression"
    place = "cell"

    def lay(self, timeline: Timeline, model: Model, film: FilmGeometry | None) -> None:
        """Lay this stage on the timeline.

        Raises:
            PhysicsError: a pressure that is not positive.
        """
        if not (self.first > 0 and self.last > 0):
            raise PhysicsError(f"pressures must be positive; got {self.first:g} and {self.last:g} kT/nm³")
        volume = model.reference_diameter**3
        timeline.report(
            self.kind, "P d³/kT", self.last * volume, "final pressure; hard spheres freeze at 11.6"
        )
        timeline.report(
            self.kind,
            "rate",
            abs(self.last - self.first) * volume / self.ramp_time,
            "of P d³/kT [per Brownian time]",
        )
        timeline.press(self.first, self.cell)
        timeline.ramp(self.ramp_time, pressure=self.last)
        timeline.hold(self.hold_time)
