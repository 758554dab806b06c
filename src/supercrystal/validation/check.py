"""One reference result: what is expected, from where, what was obtained, and whether they agree.

A module of checks has a table ``CHECKS`` of functions ``(Setting) -> Check`` by name. Each function fixes its tolerance
before it measures: the larger of a stated share of the expected value and three combined standard errors.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from supercrystal.errors import SupercrystalError, UnknownNameError, nearest

#: How far the expected value can be trusted: read in the source that is named; quoted without having read the source;
#: or following from exact theory.
Kind = Literal["checked source", "unverified", "exact"]

#: Modules of checks, in the order in which they are run and printed.
MODULES = ("fluids", "sedimentation", "coexistence", "solids")

#: Combined standard errors within which agreement is accepted.
ERRORS = 3.0


@dataclass(frozen=True)
class Setting:
    """How a check is run.

    Args:
        engine: ``"auto"``, ``"lammps"`` or ``"hoomd"``; checks without a simulation ignore it.
        seed: of the random numbers.
        long: as many particles and steps as the reference deserves, in minutes; else a version of seconds.
    """

    engine: str = "auto"
    seed: int = 1
    long: bool = False


@dataclass(frozen=True)
class Check:
    """A reference result beside what was obtained.

    Args:
        name: of the check, as in ``supercrystal validate --only``.
        result: what is compared, in words, with its unit.
        source: where the expected value comes from.
        expected: the value.
        expected_error: its standard error; 0 where the source has none.
        obtained: the value found here.
        error: its standard error; 0 for results without statistics.
        tolerance: largest accepted difference, fixed before the measurement.
        kind: how far the expected value can be trusted.
        seed: of the run; None without random numbers.
        engine: name and version; "" for results without a simulation.
        seconds: wall time.
        note: what else to know.
    """

    name: str
    result: str
    source: str
    expected: float
    obtained: float
    tolerance: float
    kind: Kind
    expected_error: float = 0.0
    error: float = 0.0
    seed: int | None = None
    engine: str = ""
    seconds: float = 0.0
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance; False for anything that is no number."""
        return abs(self.obtained - self.expected) <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with numbers that are not finite as null."""
        values = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in dataclasses.asdict(self).items()
        }
        return {**values, "passed": self.passed}


def tolerance(expected: float, share: float, *errors: float) -> float:
    """Largest accepted difference: `share` of the expected value, or three combined standard errors if that is more.

    >>> tolerance(0.5, 0.01, 0.001), tolerance(0.5, 0.01, 0.003, 0.004)
    (0.005, 0.015)
    """
    return max(share * abs(expected), ERRORS * math.hypot(*errors))


def blocks(values: Any, count: int = 10) -> tuple[float, float]:
    """Mean of a series and its standard error from the means of `count` consecutive blocks.

    The error is right if a block is much longer than the correlation time; the larger of it and of the error from the
    integrated autocorrelation time is returned.

    Args:
        values: (n,) with n at least 2 `count`.
        count: of blocks.
    """
    import numpy as np

    from supercrystal.structure.stationarity import correlation_time

    x = np.asarray(values, float)
    if len(x) < 2 * count:
        raise ValueError(f"{count} blocks need at least {2 * count} values; got {len(x)}")
    means = np.array([part.mean() for part in np.array_split(x, count)])
    by_blocks = float(means.std(ddof=1)) / math.sqrt(count)
    by_correlation = float(x.std(ddof=1)) * math.sqrt(2 * correlation_time(x) / len(x))
    return float(x.mean()), max(by_blocks, by_correlation)


def available() -> dict[str, Callable[[Setting], Check]]:
    """All checks by name, in the order in which they run. Imports their modules, not an engine."""
    found: dict[str, Callable[[Setting], Check]] = {}
    for module in MODULES:
        table: Mapping[str, Callable[[Setting], Check]] = importlib.import_module(
            f"supercrystal.validation.{module}"
        ).CHECKS
        found.update(table)
    return found


def chosen(only: str | None) -> list[str]:
    """Names of the checks that `only` selects: names or starts of names with commas between; None for all.

    Raises:
        UnknownNameError: a part that no name starts with.
    """
    names = list(available())
    if only is None:
        return names
    selected: list[str] = []
    for part in (part.strip() for part in only.split(",")):
        matching = [name for name in names if name.startswith(part)] if part else []
        if not matching:
            raise UnknownNameError(
                f"no check is called '{part}'{nearest(part, names)}; there are {', '.join(names)}"
            )
        selected += [name for name in matching if name not in selected]
    return selected


def run(names: list[str], setting: Setting) -> Iterator[Check]:
    """Run checks one after another.

    A check that stops with an error of this package is a failed one with the message as its note.
    """
    table = available()
    for name in names:
        began = time.monotonic()
        try:
            found = table[name](setting)
        except SupercrystalError as error:
            nan = math.nan
            found = Check(name, "stopped", "", nan, nan, 0.0, "exact", seed=setting.seed, note=str(error))
        yield dataclasses.replace(found, seconds=round(time.monotonic() - began, 2))
