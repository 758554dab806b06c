"""Name what is in the frames of a trajectory file, ours or anybody's, as records for JSON, tables and OVITO."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.structure.grains import Grain
from supercrystal.structure.labels import DISORDERED, phases
from supercrystal.structure.naming import Named, name
from supercrystal.structure.trajectory import Configuration, Trajectory, open_trajectory

if TYPE_CHECKING:
    from supercrystal.structure.kinetics import Interval, Kinetics

#: The two measurements of a lattice constant differ where they are this many standard errors apart.
DIFFER = 3.0
#: Positions of particles in a box extend over one box length; of some that left it on one side, over less than this.
BEYOND = 1.5
#: Relative difference of lengths that positions of single precision do not tell apart.
SINGLE = 1e-6
#: Hosts of a grain that S(k) is computed of, those around its centre.
SCATTERERS = 20_000


@dataclass(frozen=True)
class Identification:
    """One frame, or the average of several, and what it is.

    Args:
        named: labels and grains; for a monolayer None.
        configuration: the particles that were looked at.
        averaged: frames that positions are averaged over.
        mobile: particles that diffuse and were not averaged.
        monolayer: order in the plane of a two-dimensional configuration, else None.
        periodic: which box vectors repeat.
    """

    named: Named | None
    configuration: Configuration
    averaged: int = 1
    mobile: int = 0
    monolayer: dict[str, Any] | None = None
    periodic: Sequence[bool] = (True, True, True)

    @property
    def phase(self) -> str:
        """Phase of the largest accepted grain, or ``"disordered"``."""
        return DISORDERED if self.named is None else self.named.phase

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record; lengths in nm if their names end in ``_nm``, else in the unit of the file."""
        c, named = self.configuration, self.named
        record: dict[str, Any] = {"frame": c.index, "step": c.step, "n": c.n}
        if named is None:
            return {
                **record,
                "phase": DISORDERED,
                "verdict": _plane_verdict((self.monolayer or {}).get("kind", DISORDERED)),
                "score": 0.0,
                "fractions": {DISORDERED: 1.0},
                "lattice": None,
                "grains": [],
                "monolayer": self.monolayer,
                "notes": ["two-dimensional: phases of the catalogue are three-dimensional", *beyond(c)],
            }
        best = named.crystals[0] if named.crystals else None
        notes = [*named.notes, *beyond(c)]
        if self.mobile:
            notes.append(f"{self.mobile} particles diffuse and were not averaged")
        return {
            **record,
            "phase": named.phase,
            "verdict": named.verdict,
            "score": 0.0 if best is None else best.quality["score"],
            "fractions": named.fractions(),
            "lattice": None if best is None else lattice_record(best, c.unit, scattering=True),
            "grains": [grain_record(grain, c) for grain in named.grains],
            "boundaries": _boundaries(named, self.periodic),
            "host": named.host or None,
            "averaged_frames": self.averaged,
            "refused": [{"particles": n, "reason": reason} for n, reason in named.refused],
            "notes": notes,
        }


def beyond(c: Configuration) -> list[str]:
    """A note where positions reach over several boxes, as unwrapped ones do, and those in another unit than the box."""
    most = float(c.extent.max())
    return (
        [
            f"positions extend over {most:.1f} box lengths and were put back into the box: right if they were unwrapped, "
            "wrong if they are in another unit than the box"
        ]
        if most > BEYOND
        else []
    )


def _plane_verdict(kind: str) -> str:
    return "monolayer of too few particles to tell" if kind == "too few" else f"{kind} monolayer"


def lattice_record(grain: Grain, unit: str, *, scattering: bool = False) -> dict[str, Any]:
    """Lattice constants of a grain with standard errors, by registration and, if asked, by its peaks in S(k) too."""
    suffix = "_nm" if unit == "nm" else ""
    found = {key: (np.asarray(v).tolist(), np.asarray(e).tolist()) for key, (v, e) in grain.constants.items()}
    record: dict[str, Any] = {"a" + suffix: found["a"][0], "uncertainty": found["a"][1]}
    if "c" in found:
        record |= {"c" + suffix: found["c"][0], "c_uncertainty": found["c"][1]}
    record |= {
        "lengths": found["lengths"][0],
        "lengths_uncertainty": found["lengths"][1],
        "angles": found["angles"][0],
        "angles_uncertainty": found["angles"][1],
        "cell": grain.cell.tolist(),
        "unit": unit,
        "by": "registration of the whole grain; standard errors by leaving out blocks of space",
    }
    if scattering:
        record["scattering"] = scattered(grain)
    return record


def scattered(grain: Grain) -> dict[str, Any]:
    """Cross-check of the lattice constants: lengths of the cell from the peaks of the hosts in S(k)."""
    from supercrystal.structure.scattering.cell import refine_cell

    hosts = grain.placed[grain.lattice.template.host[grain.site]]
    distance = np.linalg.norm(hosts - hosts.mean(axis=0), axis=1)
    hosts = hosts[np.argsort(distance, kind="stable")[:SCATTERERS]]
    try:
        cell, error = refine_cell(hosts, grain.cell)
    except TrajectoryError as problem:
        return {"lengths": None, "reason": str(problem)}
    lengths = np.linalg.norm(cell, axis=1)
    value, own = grain.constants["lengths"]
    apart = np.abs(lengths - value) / np.maximum(np.hypot(error, own), SINGLE * lengths)
    return {
        "lengths": lengths.tolist(),
        "lengths_uncertainty": np.asarray(error).tolist(),
        "differs": bool(np.any(apart > DIFFER)),
        "by": "peaks of the hosts in S(k)",
    }


def grain_record(grain: Grain, configuration: Configuration) -> dict[str, Any]:
    """JSON-ready record of a grain."""
    import rowan

    rotation = np.asarray(grain.rotation)
    return {
        "phase": DISORDERED if grain.sublattice else grain.phase,
        "sublattice": _sublattice(grain),
        "n": grain.n,
        "fraction": grain.n / configuration.n,
        "score": grain.quality["score"],
        "site_recall": grain.quality["recall"],
        "particle_precision": grain.quality["precision"],
        "sites_inside": int(grain.quality["sites"]),
        "vacancies": grain.quality["vacancies"],
        "antisites": grain.antisites,
        "occupancy": grain.occupancy,
        "rms_displacement": grain.quality["rms"],
        "rms_displacement_over_shortest_distance": grain.quality["noise"],
        "strain": grain.strain.tolist(),
        "orientation": rowan.from_matrix(rotation).tolist(),
        "runner_up": {"phase": grain.runner_up[0] or DISORDERED, "lead_nat_per_particle": grain.runner_up[1]},
        "lattice": lattice_record(grain, configuration.unit),
    }


def _sublattice(grain: Grain) -> dict[str, str] | None:
    if not grain.sublattice:
        return None
    return {"species": grain.species, "phase": grain.phase}


def frames_to_read(
    count: int, frame: SupportsIndex | None, every: int | None, over: int = 1
) -> list[SupportsIndex]:
    """Indices of the frames that are asked for: one, or every K-th from the first that `over` frames end with.

    Raises:
        TrajectoryError: both, or a step below 1.
    """
    if every is not None:
        if frame is not None:
            raise TrajectoryError("give --frame for one frame or --every for many, not both")
        if isinstance(every, float | bool) or every < 1:
            raise TrajectoryError(f"--every takes a whole number ≥ 1; got {every}")
        return list(range(min(max(over, 1), count) - 1, count, every))
    return [-1 if frame is None else frame]


def identify(
    path: Path,
    frame: SupportsIndex | None = None,
    *,
    every: int | None = None,
    average_over: int = 1,
    species: str | Mapping[str, str] | None = None,
    top: Path | None = None,
    host: str | None = None,
    periodic: Sequence[bool] = (True, True, True),
) -> list[Identification]:
    """Name frames of a trajectory.

    Args:
        path: GSD of schema 1 or 2, or anything mdtraj reads.
        frame: one frame, negative ones from the end; None is the last.
        every: every K-th frame instead.
        average_over: frames up to each one asked for, that positions are averaged over.
        species: as `trajectory.parse_species`.
        top: file with particle names, for formats without.
        host: the species that is A.
        periodic: which box vectors repeat.

    Raises:
        TrajectoryError: as `trajectory.open_trajectory`, `naming.name` and `averaging.average`.
    """
    with open_trajectory(path, species, top) as file:
        if not len(file):
            raise TrajectoryError(f"{path} has no frame")
        wanted = frames_to_read(len(file), frame, every, average_over)
        return [_identified(file, index, average_over, host, periodic) for index in wanted]


def _identified(
    file: Trajectory, index: SupportsIndex, over: int, host: str | None, periodic: Sequence[bool]
) -> Identification:
    from supercrystal.structure.monolayers import plane_order

    configuration, mobile = file.read(index), 0
    if over != 1:
        from supercrystal.structure.averaging import average

        averaged = average(file, configuration.index, over, periodic=periodic)
        configuration, mobile = averaged.configuration, int(np.sum(averaged.mobile))
    if configuration.flat:
        order = plane_order(configuration.box, configuration.positions).to_dict()
        return Identification(None, configuration, over, mobile, order)
    named = name(configuration, host=host, periodic=periodic)
    return Identification(named, configuration, over, mobile, periodic=periodic)


def _boundaries(named: Named, periodic: Sequence[bool]) -> list[dict[str, Any]]:
    from supercrystal.structure.misorientation import boundaries

    return [boundary.to_dict() for boundary in boundaries(named, periodic=periodic)]


def history_record(found: Sequence[Identification]) -> dict[str, Any]:
    """Phases over time of several frames: fractions, largest grain, nucleation, growth and what is stationary.

    Raises:
        TrajectoryError: two-dimensional frames.
    """
    from supercrystal.structure.kinetics import clock, history, kinetics

    if any(one.named is None for one in found):
        raise TrajectoryError(
            "two-dimensional frames have no history of phases: name single frames with --frame"
        )
    times, unit = clock([one.configuration for one in found])
    collected = history(
        [(time, one.named) for time, one in zip(times, found, strict=True) if one.named], unit
    )
    result = kinetics(collected)
    return {**collected.to_dict(), "kinetics": result.to_dict(), "summary": _summary(result)}


def _summary(found: Kinetics) -> list[str]:
    """What happened, in sentences."""

    def between(interval: Interval) -> str:
        return f"{interval.low:g} to {interval.high:g}"

    lines = [f"at the end: {found.phase}"]
    if found.nucleation is not None:
        lines.append(
            f"a grain of {found.threshold} particles that stays: from {between(found.nucleation)} {found.unit}"
        )
    else:
        lines.append(f"no nucleation time: {found.nucleation_note}")
    if found.growth is not None:
        lines.append(f"growth from 10 % to 90 % of the plateau: {between(found.growth)} {found.unit}")
    elif found.growth_note:
        lines.append(f"no growth time: {found.growth_note}")
    plateau = found.plateau
    state = {True: "stationary", False: "still changing", None: "too few frames to tell a trend"}[
        plateau.stationary
    ]
    error = "" if plateau.error is None or not np.isfinite(plateau.error) else f" ± {100 * plateau.error:.1f}"
    lines.append(f"share of it at the end: {100 * plateau.mean:.1f}{error} %, {state}")
    return lines


def refuse_to_overwrite(out: Path) -> None:
    """Raise a TrajectoryError if the file exists, or its directory does not."""
    if out.exists():
        raise TrajectoryError(f"{out} exists and is not overwritten: choose another name, or remove it")
    if not out.parent.is_dir():
        raise TrajectoryError(f"cannot write {out}: there is no directory {out.parent}")


def write_labels(found: Sequence[Identification], out: Path) -> None:
    """Write the configurations with their labels as a GSD file, for OVITO and others.

    Each frame logs ``particles/phase`` and ``particles/grain`` (int32, -1 for no grain); the phases that the numbers
    stand for are in ``phase_names``, one row of characters each.

    Raises:
        TrajectoryError: the file exists or cannot be written.
    """
    import gsd.hoomd

    refuse_to_overwrite(out)
    part = out.with_name(out.name + ".part")
    names = phases()
    width = max(map(len, names))
    table = np.array([list(text.ljust(width).encode()) for text in names], np.uint8)
    try:
        with gsd.hoomd.open(part, "w") as file:
            for one in found:
                file.append(_logged(one, table))
        os.replace(part, out)
    except OSError as error:
        raise TrajectoryError(f"cannot write {out}: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _logged(one: Identification, table: NDArray[np.uint8]) -> Any:
    import gsd.hoomd

    c, named = one.configuration, one.named
    frame = gsd.hoomd.Frame()
    frame.configuration.step = c.step
    frame.configuration.box = c.box.tolist()
    frame.configuration.dimensions = 2 if c.flat else 3
    frame.particles.N = c.n
    frame.particles.types = list(c.species)
    frame.particles.typeid = c.kinds.astype(np.uint32)
    frame.particles.position = c.positions.astype(np.float32)
    if c.diameters is not None:
        frame.particles.diameter = c.diameters.astype(np.float32)
    if c.orientations is not None:
        frame.particles.orientation = c.orientations.astype(np.float32)
    empty = np.zeros(c.n, np.int32)
    frame.log["particles/phase"] = empty if named is None else named.labels.astype(np.int32)
    frame.log["particles/grain"] = empty - 1 if named is None else named.grain.astype(np.int32)
    frame.log["phase_names"] = table
    return frame
