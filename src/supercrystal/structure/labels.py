"""The phase of every particle by its order parameters alone: a linear discriminant, fitted once.

The coefficients in ``labels.json`` are fitted by `supercrystal.structure.training`, and their descriptors are named
(`descriptors.names`), so that any label can be traced to the bond orders that made it. The model is closed: it must
name one of its classes whatever it sees. `grains` therefore lays the lattice over what is labelled and has the last word.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.structure.descriptors import Description, Role

DISORDERED = "disordered"

#: A label is kept where this many of the 12 nearest of the same role share it, and, for a guest, this many of its 4
#: nearest hosts.
SHARED, SHARED_HOSTS = 4, 2
#: Particles that are classified at a time.
_CHUNK = 50_000


@cache
def phases() -> tuple[str, ...]:
    """All names a particle can have; a label is an index of this. The first is ``"disordered"``."""
    known = (name for name in lattices.names() if lattices.prototype(name).reference is not None)
    return (DISORDERED, *known)


@dataclass(frozen=True)
class Model:
    """Linear discriminant of one role.

    Args:
        descriptors: names of the F descriptors.
        classes: (K,) phase of each class.
        sites: (K,) site of each class.
        weights: (F, K).
        offsets: (K,).
    """

    descriptors: tuple[str, ...]
    classes: tuple[str, ...]
    sites: tuple[str, ...]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]


@cache
def model(role: Role) -> Model:
    """Return the fitted model of a role."""
    text = (resources.files("supercrystal") / "structure" / "labels.json").read_text(encoding="utf-8")
    entry = json.loads(text)[role]
    return Model(
        tuple(entry["descriptors"]),
        tuple(entry["classes"]),
        tuple(entry["sites"]),
        np.array(entry["weights"], np.float32),
        np.array(entry["offsets"], np.float32),
    )


def log_probability(role: Role, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithm of each phase's probability, (n, len(phases())), as far as the classes are normal distributions."""
    fitted, names = model(role), phases()
    found = np.full((len(values), len(names)), -np.inf, np.float32)
    members = {
        k: [i for i, name in enumerate(fitted.classes) if name == phase] for k, phase in enumerate(names)
    }
    for start in range(0, len(values), _CHUNK):
        part = slice(start, start + _CHUNK)
        each = values[part] @ fitted.weights + fitted.offsets
        each -= each.max(axis=1, keepdims=True)
        each -= np.log(np.exp(each).sum(axis=1, keepdims=True))
        for k, columns in members.items():
            if columns:
                found[part, k] = each[:, columns].max(axis=1)
    return found


def agreed(
    labels: NDArray[np.intp], described: Description, hosts: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Labels without those that too few neighbours share.

    Args:
        labels: (n,) of one role.
        described: their neighbours.
        hosts: labels of the hosts, where these particles are guests.
    """
    kept = np.sum(labels[described.nearest] == labels[:, None], axis=1) >= SHARED
    if hosts is not None and described.other is not None:
        kept &= np.sum(hosts[described.other] == labels[:, None], axis=1) >= SHARED_HOSTS
    return np.where(kept, labels, 0)
