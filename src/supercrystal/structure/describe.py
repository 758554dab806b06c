"""Describe one frame beyond its phase: the film along z, orientations against the crystal's axes, local packing.

What a frame has no data for is left out of the record with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from supercrystal.errors import TrajectoryError
from supercrystal.structure.films import describe_film
from supercrystal.structure.identify import beyond
from supercrystal.structure.local_packing import describe_packing
from supercrystal.structure.naming import Named, name
from supercrystal.structure.orientation import describe_orientation
from supercrystal.structure.trajectory import Configuration, read


def describe(
    path: Path,
    frame: SupportsIndex = -1,
    *,
    species: str | Mapping[str, str] | None = None,
    top: Path | None = None,
    host: str | None = None,
    periodic: Sequence[bool] = (True, True, True),
) -> dict[str, Any]:
    """Read and describe a frame; arguments as `identify.identify`.

    Returns:
        ``film``, ``orientation`` and ``packing``, each None where it does not apply, ``left_out`` with the reasons, and
        ``notes``.

    Raises:
        TrajectoryError: as `trajectory.read`.
    """
    configuration = read(path, frame, species, top)
    record: dict[str, Any] = {
        "file": str(path),
        "frame": configuration.index,
        "n": configuration.n,
        "unit": configuration.unit,
        "verdict": None,
        "notes": beyond(configuration),
    }
    left_out: dict[str, str] = {}
    named: Named | None = None
    if not configuration.flat:
        try:
            named = name(configuration, host=host, periodic=periodic)
            record["verdict"] = named.verdict
            record["notes"] += named.notes
        except TrajectoryError as error:
            left_out["phase"] = str(error)
    parts = {
        "film": lambda: describe_film(configuration, periodic_z=periodic[2]).to_dict(),
        "orientation": lambda: _orientation(configuration, named),
        "packing": lambda: describe_packing(configuration, periodic_z=periodic[2]).to_dict(),
    }
    for part, make in parts.items():
        try:
            record[part] = make()
        except TrajectoryError as error:
            record[part], left_out[part] = None, str(error)
    return record | {"left_out": left_out}


def _orientation(configuration: Configuration, named: Named | None) -> dict[str, Any]:
    """Orientations by species or, in a crystal, by kind of site against the axes of the largest grain."""
    q = configuration.orientations
    if q is None or np.all(q == [1, 0, 0, 0]):
        raise TrajectoryError("the file has no orientations")
    if named is None or not named.crystals:
        return describe_orientation(configuration).to_dict()
    grain = named.crystals[0]
    inside = named.grain == 0
    sublattices = {
        f"{grain.phase} {label}": inside & (named.site == label)
        for label in dict.fromkeys(grain.lattice.template.labels)
        if np.any(inside & (named.site == label))
    }
    return describe_orientation(configuration, rotation=grain.rotation, sublattices=sublattices).to_dict()
