"""What a schedule changes while HOOMD-blue runs: custom updaters and the variant of a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def updater(act: Callable[[int], None], period: int) -> Any:
    """Updater that calls `act` with the time step every `period` steps."""
    import hoomd

    class Setting(hoomd.custom.Action):
        """Sets what the schedule changes."""

        def act(self, timestep: int) -> None:
            act(timestep)

    return hoomd.update.CustomUpdater(action=Setting(), trigger=hoomd.trigger.Periodic(period))


def cell(law: Callable[[int], list[float]]) -> Any:
    """Variant of a box that follows a law."""
    import hoomd

    class Scheduled(hoomd.variant.box.BoxVariant):
        """The cell that the schedule has at the step."""

        def __init__(self) -> None:
            hoomd.variant.box.BoxVariant.__init__(self)

        def __call__(self, timestep: int) -> list[float]:
            return law(timestep)

    return Scheduled()
