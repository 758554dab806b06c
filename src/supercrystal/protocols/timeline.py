"""The course of a run in Brownian times, from which a schedule in steps is made.

Stages are laid one after the other on a `Timeline`: each goes on from the state that the one before left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from supercrystal.errors import PhysicsError
from supercrystal.system import Cell, Schedule


@dataclass(frozen=True)
class State:
    """What a schedule prescribes, at one time."""

    height: float | None = None  #: of a film's interface above the substrate [nm]; none without a film
    sides: tuple[float, ...] = ()  #: of the cell [nm]
    temperature: float = 1.0  #: of the bath over the study's
    gravity: float = 0.0  #: multiplies the weights
    solvent: float = 1.0  #: multiplies the solvent's potentials
    pressure: float = math.nan  #: [kT/nm³]; nan where the sides are prescribed

    @property
    def under_pressure(self) -> bool:
        """Whether the cell follows a pressure."""
        return not math.isnan(self.pressure)


@dataclass(frozen=True)
class Group:
    """A number that says how a stage is driven.

    Args:
        stage: kind of the stage.
        symbol: of the number.
        value: the number; its unit is in `meaning` where it has one.
        meaning: what it compares.
    """

    stage: str
    symbol: str
    value: float
    meaning: str


@dataclass(frozen=True)
class Span:
    """Where a stage lies in the schedule: it ends at step `end` and records `frames` frames on its way."""

    kind: str
    end: int
    frames: int


@dataclass
class Timeline:
    """States at knots, linear in between.

    >>> timeline = Timeline(0.01, State(height=10.0, sides=(5.0, 5.0)))
    >>> timeline.hold(1.0)
    >>> timeline.ramp(2.0, height=8.0)
    >>> timeline.schedule().steps, timeline.schedule().heights
    ((0, 100, 300), (10.0, 10.0, 8.0))
    """

    timestep: float  #: [τ_B]
    start: State
    flexible: Cell | None = None  #: what the cell may do under pressure; set by the first stage that has one
    groups: list[Group] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._steps = [0]
        self._states = [self.start]

    @property
    def now(self) -> State:
        """State that the next stage goes on from."""
        return self._states[-1]

    @property
    def time(self) -> float:
        """Time reached [τ_B]."""
        return self._steps[-1] * self.timestep

    def ramp(self, time: float, **changes: float | tuple[float, ...]) -> None:
        """Change what is prescribed linearly within `time` [τ_B], at least one step."""
        self._steps.append(self._steps[-1] + max(1, round(time / self.timestep)))
        self._states.append(replace(self.now, **changes))  # type: ignore[arg-type]

    def hold(self, time: float) -> None:
        """Leave everything as it is for `time` [τ_B]."""
        self.ramp(time)

    def press(self, pressure: float, flexible: Cell) -> None:
        """Let the cell follow a pressure [kT/nm³] from now on.

        Raises:
            PhysicsError: there are walls, or an earlier stage gave the cell another freedom.
        """
        if self.now.height is not None:
            raise PhysicsError(
                "a film between walls has no constant pressure: its interface is where the schedule puts it. Compress a "
                "periodic cell instead (leave out drying and sedimentation), or dry further"
            )
        if self.flexible not in (None, flexible):
            raise PhysicsError(f"cell = '{flexible}' after '{self.flexible}': one run takes one of them")
        self.flexible = flexible
        if not self.now.under_pressure:
            self._states[-1] = replace(self.now, pressure=pressure)

    def require_sides(self, stage: str) -> None:
        """Make sure that the sides are still prescribed.

        Raises:
            PhysicsError: a stage before let the cell follow a pressure.
        """
        if self.now.under_pressure:
            raise PhysicsError(
                f"{stage} sets the size of the cell and cannot follow compression, whose cell follows the pressure: "
                "put it before"
            )

    def report(self, stage: str, symbol: str, value: float, meaning: str) -> None:
        """Add a number that says how a stage is driven."""
        self.groups.append(Group(stage, symbol, value, meaning))

    def close(self, kind: str, frames: int) -> None:
        """End a stage here."""
        self.spans.append(Span(kind, self._steps[-1], frames))

    def schedule(self) -> Schedule:
        """Everything laid so far, in steps."""
        states = self._states
        pressed = [state.under_pressure for state in states]
        free = (math.nan,) * len(self.start.sides)
        return Schedule(
            steps=tuple(self._steps),
            heights=tuple(state.height for state in states if state.height is not None),
            # The knot at which the pressure takes over still has the sides that were prescribed up to it.
            sides=tuple(
                free if pressed[i] and i > 0 and pressed[i - 1] else state.sides
                for i, state in enumerate(states)
            ),
            temperature=tuple(state.temperature for state in states),
            gravity=tuple(state.gravity for state in states) if any(s.gravity for s in states) else (),
            solvent=tuple(state.solvent for state in states),
            pressure=tuple(state.pressure for state in states) if any(pressed) else (),
            flexible=self.flexible or "isotropic",
        )
