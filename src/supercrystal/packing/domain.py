"""Where a model is defined: a number outside is refused, an entry of an array becomes NaN and says why.

A model states its rules once, as pairs of a condition and its words. One value that breaks a rule is
somebody's mistake and raises; among a million values of a scan it must neither stop the scan nor pass as a
number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError

#: The rule that every model of a pair of sizes shares.
SIZE_RATIO = "the size ratio γ = r_B/r_A must lie in (0, 1]; A is the larger one"


@dataclass(frozen=True)
class Domain:
    """Which entries of a broadcast array lie inside a model's domain.

    Args:
        code: 0 inside, otherwise the number of the first broken rule, counted from 1; any shape.
        rules: the rules in words.
    """

    code: NDArray[np.int8]
    rules: tuple[str, ...]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """True where the model is defined."""
        return self.code == 0

    @property
    def reason(self) -> NDArray[np.str_]:
        """The broken rule of each entry in words, empty where the model is defined."""
        return np.array(("", *self.rules))[self.code]

    def keep(self, values: ArrayLike) -> NDArray[np.float64]:
        """`values` where the model is defined, NaN elsewhere."""
        if not self.code.any():
            return np.asarray(values, float)[()]
        return np.where(self.inside, values, np.nan)[()]


def limit(*rules: tuple[ArrayLike, str], **got: Any) -> Domain:
    """Hold arguments against the rules of a model.

    Args:
        rules: pairs of a condition (true inside) and what it demands; conditions broadcast.
        got: the arguments by name, for the message.

    Raises:
        PhysicsError: the conditions are single values and one does not hold.

    >>> limit((np.array([0.5, 1.2]) < 1, "x must be < 1")).reason.tolist()
    ['', 'x must be < 1']
    """
    conditions = np.broadcast_arrays(*(np.asarray(condition, bool) for condition, _ in rules))
    words = tuple(text for _, text in rules)
    if conditions[0].ndim == 0:
        for condition, text in zip(conditions, words, strict=True):
            if not condition:
                given = ", ".join(f"{name} = {np.asarray(value).item():.6g}" for name, value in got.items())
                raise PhysicsError(f"{text}; got {given}")
    code = np.zeros(conditions[0].shape, np.int8)
    for number in range(len(words), 0, -1):  # backwards, so that the first broken rule is the one that stays
        code[~conditions[number - 1]] = number
    return Domain(code, words)
