"""From a start and stages to a system with its schedule: how protocols compose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from supercrystal.errors import PhysicsError
from supercrystal.models.model import Model
from supercrystal.protocols import start as starts
from supercrystal.protocols.start import CellStart, FilmGeometry, FilmStart
from supercrystal.protocols.timeline import Group, Span, Timeline
from supercrystal.soundness import check
from supercrystal.system import Schedule, System


class Stage(Protocol):
    """One stage of a protocol."""

    @property
    def kind(self) -> str:
        """What it is called in a study."""

    @property
    def place(self) -> str | None:
        """Where it takes place: ``"film"``, ``"cell"``, or ``None`` for either."""

    @property
    def frames(self) -> int:
        """Frames of the trajectory."""

    @property
    def hold_time(self) -> float:
        """Time at its end in which nothing changes [τ_B]."""

    def lay(self, timeline: Timeline, model: Model, film: FilmGeometry | None) -> None:
        """Lay it on the timeline."""


@dataclass(frozen=True)
class Assembly:
    """What an engine needs for all stages, and what is to be said of them."""

    system: System
    schedule: Schedule
    spans: tuple[Span, ...]
    groups: tuple[Group, ...]
    film: FilmGeometry | None


def assemble(
    model: Model,
    start: FilmStart | CellStart,
    stages: Sequence[Stage],
    seed: int,
    weight: dict[str, float] | None = None,
) -> Assembly:
    """Place the nanocrystals and lay the stages one after the other.

    Args:
        model: types and forces.
        start: film or cell.
        stages: in the order in which they happen.
        seed: of positions and velocities.
        weight: force along −z on each type at full field [kT/nm], where a stage has one.

    Raises:
        PhysicsError: settings that do not fit together.
    """
    here = "film" if isinstance(start, FilmStart) else "cell"
    for stage in stages:
        if stage.place not in (None, here):
            where = {"film": "a film between substrate and interface", "cell": "a periodic cell"}
            raise PhysicsError(
                f"{stage.kind} takes place in {where[str(stage.place)]}, but this run is in {where[here]}, as "
                "another of its stages needs: "
                + (
                    "a wall has no constant pressure. Dry the film further, or leave out drying and sedimentation"
                    if stage.kind == "compression"
                    else "put only stages of one of the two into a run"
                )
            )
    size = None
    if isinstance(start, FilmStart):
        system, state = starts.film(model, start, seed)
        size = starts.geometry(model, start)
    else:
        system, state = starts.cell(model, start, seed)
    timeline = Timeline(model.timestep, state)
    timeline.hold(start.mixing_time)
    for stage in stages:
        stage.lay(timeline, model, size)
        timeline.close(stage.kind, stage.frames)
    schedule = timeline.schedule()
    system = replace(system, weight=weight or {})
    check(system, schedule)
    return Assembly(system, schedule, tuple(timeline.spans), tuple(timeline.groups), size)
