"""The errors a user can meet. Each is also the builtin error it specialises.

Every message says what was got, what is allowed, and the next step. The command line turns any of them into one
message on stderr and exit code 2; a `SimulationError`, which no input check could foresee, gives 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SupercrystalError(Exception):
    """Base of every error that this package raises on purpose."""


class StudyError(SupercrystalError, ValueError):
    """A study file, or a value in it, that cannot be used."""


class PhysicsError(SupercrystalError, ValueError):
    """An argument outside the domain in which a model is defined."""


class UnknownNameError(SupercrystalError, KeyError):
    """A name that no library or catalogue has."""

    def __str__(self) -> str:
        # KeyError would print the repr of the message.
        return str(self.args[0]) if self.args else ""


class TrajectoryError(SupercrystalError, ValueError):
    """A trajectory that cannot be read, or frames that cannot be analysed."""


class EngineError(SupercrystalError, RuntimeError):
    """An engine that is missing or cannot run what was asked."""


class SimulationError(SupercrystalError, RuntimeError):
    """A simulation that stopped on its way."""


class RunDirectoryError(SupercrystalError, OSError):
    """A run directory that would be overwritten, or that cannot be resumed."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest allowed spelling, or an empty string.

    >>> nearest("olate", ["oleate", "stearate"])
    "; did you mean 'oleate'?"
    >>> nearest("zzz", ["oleate"])
    ''
    """
    by_lower = {item.lower(): item for item in allowed}
    match = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.55)
    return f"; did you mean '{by_lower[match[0]]}'?" if match else ""
