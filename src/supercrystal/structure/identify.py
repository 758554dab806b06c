"""Name the phase of every particle in a trajectory file, ours or anybody's."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from supercrystal.errors import TrajectoryError
from supercrystal.structure import order, spacing
from supercrystal.system import species

if TYPE_CHECKING:
    import gsd.hoomd

#: A configuration is named after a crystal if at least this share of its particles away from surfaces is ordered.
ORDERED = 0.5


def dominant(fractions: dict[str, float]) -> str:
    """Phase that a configuration is named after: the most frequent ordered one, or ``"disordered"``.

    fcc and hcp count together against the others, because a close-packed crystal with stacking faults is one crystal;
    the larger of the two then gives the name.

    >>> dominant({"disordered": 0.1, "fcc": 0.25, "hcp": 0.3, "bcc": 0.35, "sc": 0.0})
    'hcp'
    """
    if 1 - fractions["disordered"] < ORDERED or sum(fractions.values()) == 0:
        return "disordered"
    groups = {
        ("fcc", "hcp"): fractions["fcc"] + fractions["hcp"],
        ("bcc",): fractions["bcc"],
        ("sc",): fractions["sc"],
    }
    names = max(groups, key=lambda group: groups[group])
    return max(names, key=lambda name: fractions[name])


def read_frame(path: Path, frame: SupportsIndex = -1) -> tuple[int, gsd.hoomd.Frame]:
    """Read one frame of a GSD file of schema 1 or 2: its index and itself.

    Raises:
        TrajectoryError: no such file, not a GSD file, truncated, without frames or particles, no such frame, or
            positions that are not finite.
    """
    import gsd.hoomd

    try:
        with gsd.hoomd.open(path, "r") as file:
            count = len(file)
            if count == 0:
                raise TrajectoryError(f"{path} has no frame")
            index = operator.index(frame)
            wanted = index + count if index < 0 else index
            if not 0 <= wanted < count:
                raise TrajectoryError(
                    f"{path} has no frame {index}: allowed 0 to {count - 1}, or -{count} to -1 from the end"
                )
            found = file[wanted]
    except TrajectoryError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise TrajectoryError(
            f"cannot read {path} as a GSD trajectory: {error}; it may be missing, truncated, or of another format"
        ) from error
    if not found.particles.N:
        raise TrajectoryError(f"frame {wanted} of {path} has no particles")
    if not np.all(np.isfinite(found.particles.position)):
        raise TrajectoryError(
            f"frame {wanted} of {path} has positions that are not finite: its simulation diverged"
        )
    return wanted, found


@dataclass(frozen=True)
class Identification:
    """What one frame is."""

    file: str
    frame: int
    n: int
    phase: str
    labels: order.Labels
    lattice: spacing.Spacing | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready summary; lengths in the unit of the file."""
        fractions = self.labels.fractions("bulk")
        lattice = self.lattice
        return {
            "file": self.file,
            "frame": self.frame,
            "n": self.n,
            "phase": self.phase,
            "fractions": fractions,
            "fractions_all": self.labels.fractions("all"),
            "close_packed": fractions["fcc"] + fractions["hcp"],
            "surface_fraction": float(np.mean(self.labels.surface)),
            "lattice": None
            if lattice is None
            else {
                "d_nn": lattice.nearest_neighbour,
                "d_nn_uncertainty": lattice.uncertainty,
                "a": lattice.lattice_constant,
                "a_uncertainty": lattice.lattice_constant_uncertainty,
                "unit": "length unit of the file",
                "particles": lattice.particles,
            },
            "how": "labels of one frame; they say nothing on how the structure was reached",
            "notes": list(self.notes),
        }


def identify_frame(frame: gsd.hoomd.Frame, file: str = "", index: int = 0) -> Identification:
    """Identify one frame.

    Raises:
        TrajectoryError: too few particles, a flat box, or positions that are not finite.
    """
    box, positions = frame.configuration.box, frame.particles.position
    labels = order.label(box, positions)
    phase = dominant(labels.fractions("bulk"))
    notes = []
    present = {species(frame.particles.types[i]) for i in np.unique(frame.particles.typeid)}
    if len(present) > 1:
        notes.append(
            f"{len(present)} species are labelled as one ({', '.join(sorted(present))}): compounds are not named yet"
        )
    lattice = None
    if phase != "disordered":
        try:
            lattice = spacing.lattice_spacing([(box, positions, labels)], phase)
        except TrajectoryError as error:
            notes.append(str(error))
        else:
            notes += [lattice.note] if lattice.note else []
    return Identification(file, index, int(frame.particles.N), phase, labels, lattice, tuple(notes))


def identify(path: Path, frame: SupportsIndex = -1) -> Identification:
    """Identify one frame of a GSD file; errors as `read_frame` and `identify_frame`."""
    index, found = read_frame(path, frame)
    return identify_frame(found, str(path), index)
