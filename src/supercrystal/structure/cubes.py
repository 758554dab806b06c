"""Cubes on the sites of a grain: their order, their angles to its axes, and how those on a line stand about it.

Order and angles are those of `orientation`: cubatic order (freud's, and the norm of the rank-4 tensor) with what as many
random cubes have, and the smallest angle over the 24 rotations of a cube. Here they are taken for each kind of site of each
grain that `naming` found, and against the axes that the positions gave it.

In ABO3 each O lies between two B. A cube there is told apart by two angles that know the cube's symmetry: `tilt`, from the
line to the nearest of its six face normals, and `twist` about the line, from the other axes of the grain, once that normal
is turned onto the line by the shortest way. A fourfold axis folds twists into 0 to 45°. Of the two arrangements that the
packing models know (`packing.cubes`), "aligned" has twist 0° and "rotated" 45°.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.naming import Named
from supercrystal.structure.orientation import (
    ALIGNED,
    Alignment,
    Cubatic,
    _axes,
    _unit,
    alignment,
    axes_of,
    cubatic,
)

#: Phase → site whose particles lie on a line, and the site at both ends of the line.
LINES = {"ABO3": ("O", "B"), "ReO3": ("B", "A")}
#: A neighbour farther than this from the grain's axes, degrees, does not tell the line: it is on no such site.
OFF_LINE = 25.0
#: Share of random cubes with a tilt below `ALIGNED` and a twist below it: six caps of the sphere, times the share of
#: twists, which are then uniform in 0 to 45°. As many have a twist within `ALIGNED` of 45°.
RANDOM_SHARE = float(3 * (1 - np.cos(np.radians(ALIGNED))) * ALIGNED / 45)


def tilt_and_twist(
    orientations: ArrayLike, axes: ArrayLike, along: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles of cubes to lines along a grain's axes, each (N,) degrees: tilt in 0 to 54.74, twist in 0 to 45.

    Args:
        orientations: (N, 4) unit quaternions (w, x, y, z), N ≥ 1, of cubes whose faces are normal to their own axes.
        axes: (3, 3) rotation whose columns are the grain's axes.
        along: (N,) which of them each line follows: 0, 1 or 2.

    Raises:
        TrajectoryError: no unit quaternions, no rotation, or lines that do not fit them.

    >>> from math import cos, pi, sin
    >>> tilt, twist = tilt_and_twist([[cos(pi / 8), 0, 0, sin(pi / 8)]] * 2, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [2, 0])
    >>> tilt.round(6).tolist(), twist.round(6).tolist()
    ([0.0, 45.0], [45.0, 0.0])
    """
    q, grain = _unit(orientations), axes_of(rotation=axes)
    line = np.asarray(along)
    if line.shape != (len(q),) or not np.all(np.isin(line, (0, 1, 2))):
        raise TrajectoryError(
            f"lines follow the axes 0, 1 or 2, one for each of {len(q)} particles; got {line.tolist()!r:.80}"
        )
    # Face normals as rows, in the grain's frame, whose axes are cycled so that the line is z.
    normals = np.swapaxes(_axes(q), 1, 2) @ grain
    cycled = np.take_along_axis(normals, ((line[:, None] + [1, 2, 3]) % 3)[:, None, :], axis=2)
    best = np.argmax(np.abs(cycled[..., 2]), axis=1)
    rows = np.arange(len(q))
    nearest = cycled[rows, best]
    nearest = nearest * np.where(nearest[:, 2:] < 0, -1.0, 1.0)
    tilt = np.arctan2(np.linalg.norm(nearest[:, :2], axis=1), nearest[:, 2])
    # The shortest turn of the normal n onto z takes v to v - (v·z) (n + z)/(1 + n·z) in the plane, for v normal to n.
    other = cycled[rows, (best + 1) % 3]
    flat = other[:, :2] - other[:, 2:] * nearest[:, :2] / (1 + nearest[:, 2:])
    angle = np.degrees(np.arctan2(flat[:, 1], flat[:, 0])) % 90
    return np.degrees(tilt), np.minimum(angle, 90 - angle)


@dataclass(frozen=True)
class Line:
    """Cubes on lines between two sites.

    Args:
        ends: label of the sites at the ends.
        tilt: (K,) from the line to the nearest face normal, degrees.
        twist: (K,) about the line from the grain's other axes, degrees.
        left_out: cubes without a neighbour at an end of a line.
    """

    ends: str
    tilt: NDArray[np.float64]
    twist: NDArray[np.float64]
    left_out: int

    @property
    def aligned(self) -> float:
        """Share of cubes with a tilt and a twist below `ALIGNED`; of random ones `RANDOM_SHARE`."""
        return float(np.mean((self.tilt < ALIGNED) & (self.twist < ALIGNED)))

    @property
    def rotated(self) -> float:
        """Share of cubes with a tilt below `ALIGNED` and a twist within `ALIGNED` of 45°; of random ones the same."""
        return float(np.mean((self.tilt < ALIGNED) & (self.twist > 45 - ALIGNED)))


@dataclass(frozen=True)
class SiteCubes:
    """Cubes of one species on one kind of site of one grain.

    Args:
        grain: its number in `naming.Named`.
        phase: of the grain.
        site: label of the site.
        species: of the cubes.
        cubatic: order of their orientations.
        alignment: angles to the grain's axes.
        line: how they stand about their lines, where the site has one.
    """

    grain: int
    phase: str
    site: str
    species: str
    cubatic: Cubatic
    alignment: Alignment
    line: Line | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        record: dict[str, Any] = {
            "grain": self.grain,
            "phase": self.phase,
            "site": self.site,
            "species": self.species,
            "particles": self.cubatic.particles,
            "cubatic": {key: value for key, value in vars(self.cubatic).items() if key != "particles"},
            "mean_degrees_to_axes": self.alignment.mean,
            "mean_degrees_random": self.alignment.mean_random,
            f"fraction_within_{ALIGNED:.0f}_degrees": self.alignment.aligned,
        }
        if self.line is not None and len(self.line.tilt):
            record["line"] = {
                "ends": self.line.ends,
                "mean_tilt_degrees": float(self.line.tilt.mean()),
                "mean_twist_degrees": float(self.line.twist.mean()),
                "aligned": self.line.aligned,
                "rotated": self.line.rotated,
                "random": RANDOM_SHARE,
                "left_out": self.line.left_out,
            }
        return record


def _line(named: Named, chosen: NDArray[np.intp], number: int, ends: str) -> Line:
    """Lines of the chosen particles: along the grain's axis that the nearest particle on an end is on."""
    import freud

    c = named.configuration
    assert c.orientations is not None
    axes = axes_of(rotation=named.grains[number].rotation)
    at = np.flatnonzero((named.grain == number) & (named.site == ends))
    nothing = Line(ends, np.zeros(0), np.zeros(0), len(chosen))
    if not len(at):
        return nothing
    box = freud.box.Box(*c.box)
    query = freud.locality.AABBQuery(box, c.positions[at])
    nearest = query.query(c.positions[chosen], {"num_neighbors": 1}).toNeighborList()
    found = chosen[nearest.query_point_indices]
    arm = box.wrap(c.positions[at[nearest.point_indices]] - c.positions[found]) @ axes
    arm /= np.linalg.norm(arm, axis=1, keepdims=True)
    along = np.argmax(np.abs(arm), axis=1)
    good = np.abs(arm).max(axis=1) > np.cos(np.radians(OFF_LINE))
    if not good.any():
        return nothing
    tilt, twist = tilt_and_twist(c.orientations[found[good]], axes, along[good])
    return Line(ends, tilt, twist, len(chosen) - int(good.sum()))


def on_sites(named: Named, seed: int = 1) -> tuple[SiteCubes, ...]:
    """Order and angles of the cubes on each kind of site of each grain.

    Particles whose orientations are all exactly (1, 0, 0, 0) are left out, as `orientation.describe_orientation` does:
    spheres, and files without orientations, have these.

    Args:
        named: a configuration in which grains were found.
        seed: of freud's annealing.

    Raises:
        TrajectoryError: no orientations, or as `orientation.cubatic`.
    """
    c = named.configuration
    if c.orientations is None:
        raise TrajectoryError("the file has no orientations; record particles/orientation in the trajectory")
    found = []
    for number, grain in enumerate(named.grains):
        for label in dict.fromkeys(grain.lattice.template.labels):
            there = (named.grain == number) & (named.site == label)
            for kind, name in enumerate(c.species):
                chosen = np.flatnonzero(there & (c.kinds == kind))
                if not len(chosen) or np.all(c.orientations[chosen] == [1, 0, 0, 0]):
                    continue
                q = c.orientations[chosen]
                on, ends = LINES.get(grain.phase, ("", ""))
                found.append(
                    SiteCubes(
                        grain=number,
                        phase=grain.phase,
                        site=label,
                        species=name,
                        cubatic=cubatic(q, seed),
                        alignment=alignment(q, rotation=grain.rotation),
                        line=_line(named, chosen, number, ends) if label == on else None,
                    )
                )
    return tuple(found)
