"""Drying: the solvent leaves, from a film through its interface, or evenly from a periodic cell.

**Film.** The interface is a plane that nanocrystals cannot cross; the solvent is implicit. Its speed v is set by the Péclet
number ``Pe = H v / D`` of the film of height H at the start of drying, with D the free diffusion coefficient: below 1 the
film stays uniform while it dries, far above 1 a skin forms under the interface.

A film on a substrate thins, and its area stays: with `setting_swelling` = 1 the sides of the cell are fixed. A film that
comes off its substrate sets once its volume has fallen to `setting_swelling` times the dry one, and what solvent is left
leaves it by contraction in all directions: the sides of the cell shrink with the height. Drying stops at `dry_layers`
close-packed layers at the OPM spacing d, of height ``d + (n - 1) √(2/3) d``, unless `start.FilmStart.dry_fraction` asks for
another spacing.

Which of the two happens matters: these soft shells freeze into mixtures of bcc with close packing, and it is compression
along z that turns bcc into close packing. Of four films of the example study that contracted (from 1.12 or 1.15 times
their dry volume) one stayed 91 % bcc; of nine that thinned to the end one did, at 98 % (README).

Two things help close packing and are said with every result: both planes are flat and repulsive, which orders the first
layers, and the sides of the cell are chosen to fit whole rows of close-packed layers.

**Slow.** In the limit Pe → 0 the density is the same everywhere: a periodic cell loses volume at a constant rate, as a drop
loses solvent, with neither substrate nor interface.
"""

from __future__ import annotations

from dataclasses import dataclass

from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.protocols.start import FilmGeometry
from supercrystal.protocols.timeline import Timeline

#: The fastest drying allowed; how far the interface of a thin film moves in a step is checked besides (`soundness`).
LARGEST_PECLET = 20.0

#: A solid film contracts no faster than this [τ_B], however fast the interface came down.
SHORTEST_CONTRACTION = 20.0

#: Volume fraction of touching spheres on a close-packed lattice.
CLOSE_PACKED = 0.7405

#: Knots of a volume that shrinks linearly: sides between two of them are off by less than 1e-4.
VOLUME_KNOTS = 32

HELPED = (
    "Substrate and interface are flat, which orders the first layers, and the cell fits whole rows of close-packed layers: "
    "both help close packing."
)


@dataclass(frozen=True)
class Drying:
    """Drying of a film.

    Args:
        peclet: Pe = H v / D [-].
        hold_time: time at the final height [τ_B].
        frames: of the trajectory.
    """

    peclet: float
    hold_time: float
    frames: int = 60

    kind = "drying"
    place = "film"

    def lay(self, timeline: Timeline, model: Model, film: FilmGeometry | None) -> None:
        """Lay this stage on the timeline.

        Raises:
            PhysicsError: no film, a Péclet number out of range, or a film that is already dry.
        """
        assert film is not None
        if not 0 < self.peclet <= LARGEST_PECLET:
            raise PhysicsError(
                f"peclet = {self.peclet}: allowed > 0 and ≤ {LARGEST_PECLET:g}; a faster interface would outrun the "
                "time step"
            )
        wet = timeline.now.height
        assert wet is not None
        if wet <= film.dry_height * (1 + 1e-9):
            raise PhysicsError("drying: the film is already as low as its dry layers; leave out this stage")
        speed = self.peclet * model.reference_diameter**2 / wet
        timeline.report(
            self.kind, "Pe", self.peclet, "interface speed × film height over diffusion coefficient"
        )
        timeline.report(self.kind, "drying time", (wet - film.dry_height) / speed, "[Brownian times]")
        timeline.ramp((wet - film.setting_height) / speed, height=film.setting_height)
        if film.setting_height > film.dry_height:
            contraction = max((film.setting_height - film.dry_height) / speed, SHORTEST_CONTRACTION)
            timeline.ramp(contraction, height=film.dry_height, sides=film.dry_sides)
        timeline.hold(self.hold_time)


@dataclass(frozen=True)
class SlowDrying:
    """Even loss of volume from a periodic cell.

    Args:
        packing_fraction: of OPM spheres at the end; touching spheres on a close-packed lattice have 0.7405 [-].
        duration: of the shrinkage [τ_B].
        hold_time: time at the final volume [τ_B].
        frames: of the trajectory.
    """

    packing_fraction: float
    duration: float
    hold_time: float
    frames: int = 60

    kind = "slow-drying"
    place = "cell"

    def lay(self, timeline: Timeline, model: Model, film: FilmGeometry | None) -> None:
        """Lay this stage on the timeline.

        Raises:
            PhysicsError: the cell already follows a pressure, or has no more volume than asked for.
        """
        timeline.require_sides(self.kind)
        x, y, z = timeline.now.sides
        before, after = x * y * z, model.volume / self.packing_fraction
        if after >= before:
            raise PhysicsError(
                f"final_packing_fraction = {self.packing_fraction} is no denser than the cell that dries "
                f"({model.volume / before:.3f}): raise it"
            )
        rate = (before / after - 1) / self.duration
        timeline.report(
            self.kind,
            "rate",
            rate,
            "largest relative rate of densification × Brownian time; Pe → 0 where far below 1",
        )
        for knot in range(1, VOLUME_KNOTS + 1):
            volume = before + (after - before) * knot / VOLUME_KNOTS
            scale = (volume / before) ** (1 / 3)
            timeline.ramp(self.duration / VOLUME_KNOTS, sides=(x * scale, y * scale, z * scale))
        timeline.hold(self.hold_time)
