"""Scattering from trajectory files: read, compute, and hand out tables. What ``supercrystal scatter`` calls."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supercrystal import __version__
from supercrystal.errors import PhysicsError, TrajectoryError
from supercrystal.structure import trajectory
from supercrystal.structure.scattering import gisaxs, indexing, pattern, powder, specification
from supercrystal.structure.scattering.amplitudes import Scatterers, of_configuration
from supercrystal.structure.trajectory import Configuration

#: Default q_max over 2π / nearest distance.
_REACH = {"powder": 3.0, "saxs": 3.0, "pattern": 3.0, "gisaxs": 1.5}
#: Peaks that are reported rise above their surroundings by this share of the highest.
_PROMINENCE = 0.03
#: Spots that are reported have at least this share of the strongest one's intensity.
_SPOT = 0.01


@dataclass(frozen=True)
class Settings:
    """What may be asked; lengths in the unit of the file, angles in degrees, wavelength in nm.

    Args:
        q_max: None takes a multiple of 2π over the nearest distance of particles.
        bins: of |q|; None as wide as the shortest wave vector of the box.
        free: leave out the periodic copies.
        bodies: texts of `specification.bodies`.
        medium: material between particles.
        index: compare a powder profile with the catalogue.
        zone: zone axis, or direction where no cell is given.
        cell: a[, b, c[, α, β, γ]] of the crystal, whose first edge lies along x and second in the xy plane.
        orientation: unit quaternion that turns this cell to how it lies in the box.
        pixels: along each axis of a pattern or detector.
        wavelength: of the grazing beam.
        angle: of its incidence.
        substrate: material, or "none" for no reflections.
        substrate_z: height of its surface; None puts it under the lowest particle.
        azimuths: turns of the sample about z that are averaged.
    """

    q_max: float | None = None
    bins: int | None = None
    free: bool = False
    bodies: tuple[str, ...] = ()
    medium: str = "vacuum"
    index: bool = True
    zone: tuple[float, ...] = (0.0, 0.0, 1.0)
    cell: tuple[float, ...] | None = None
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
    pixels: int = 255
    wavelength: float = 0.1
    angle: float = 0.2
    substrate: str = "Si@2.33"
    substrate_z: float | None = None
    azimuths: int = 1


@dataclass(frozen=True)
class Scattering:
    """A result: numbers in columns, and what stands out in them.

    Args:
        kind: powder, saxs, pattern or gisaxs.
        file: that was read.
        frames: that were averaged.
        particles: species → number.
        unit: of lengths.
        settings: name → value, as used.
        columns: heading → values, all of one length.
        shape: of the image that the last column is, or None for curves.
        peaks: records of peaks or spots, by q or by intensity.
        candidates: of powder indexing, best first.
        notes: what a reader must know.
    """

    kind: str
    file: str
    frames: tuple[int, ...]
    particles: Mapping[str, int]
    unit: str
    settings: Mapping[str, Any]
    columns: Mapping[str, NDArray[Any]]
    shape: tuple[int, int] | None
    peaks: Sequence[Mapping[str, Any]]
    candidates: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "kind": self.kind,
            "file": self.file,
            "frames": list(self.frames),
            "n": sum(self.particles.values()),
            "particles": dict(self.particles),
            "unit": self.unit,
            "settings": dict(self.settings),
            "columns": {name: values.tolist() for name, values in self.columns.items()},
            "peaks": [dict(peak) for peak in self.peaks],
            "candidates": [dict(one) for one in self.candidates],
            "notes": list(self.notes),
        }

    def csv(self, rows: Sequence[Mapping[str, Any]] | None = None) -> str:
        """The columns, or `rows` with equal keys, under a header of comments that says where they come from."""
        sink = io.StringIO()
        head = {
            "supercrystal": f"{__version__}, scatter --kind {self.kind}",
            "file": self.file,
            "frames": ", ".join(map(str, self.frames)),
            "particles": ", ".join(f"{name}: {n}" for name, n in self.particles.items()),
            "unit of length": self.unit,
            **{name: value for name, value in self.settings.items() if value is not None},
        }
        for name, value in head.items():
            sink.write(f"# {name}: {value}\n")
        for note in self.notes:
            sink.write(f"# {note}\n")
        writer = csv.writer(sink, lineterminator="\n")
        if rows is not None:
            writer.writerow(list(rows[0]) if rows else [])
            writer.writerows(list(row.values()) for row in rows)
        else:
            writer.writerow(self.columns)
            writer.writerows(zip(*(values.tolist() for values in self.columns.values()), strict=True))
        return sink.getvalue()


def scatter(
    path: Path,
    kind: str,
    settings: Settings | None = None,
    frame: int = -1,
    average: int | None = None,
    species: str | Mapping[str, str] | None = None,
    top: Path | None = None,
) -> Scattering:
    """Scattering of one frame, or the mean over the last `average` frames.

    Raises:
        TrajectoryError: a file, frame or species that is not there, or particles that cannot be used.
        PhysicsError: settings outside what is calculated.
    """
    if kind not in _KINDS:
        raise PhysicsError(f"'{kind}' is no kind of scattering; known: {', '.join(_KINDS)}")
    with trajectory.open_trajectory(path, species, top) as file:
        if average is None:
            frames = [file.read(frame)]
        else:
            if not 1 <= average <= len(file):
                raise TrajectoryError(f"{path} has {len(file)} frames: cannot average over {average}")
            frames = [file.read(i) for i in range(len(file) - average, len(file))]
    return scatter_frames(frames, kind, settings or Settings())


def scatter_frames(frames: Sequence[Configuration], kind: str, settings: Settings) -> Scattering:
    """Scattering averaged over frames of the same particles; errors as `scatter`."""
    found = [of_configuration(one, settings.free) for one in frames]
    if any(one.counts != found[0].counts for one in found):
        raise TrajectoryError("the frames have different numbers of particles: they cannot be averaged")
    notes = []
    absent = [name for i, name in enumerate(frames[0].species) if not np.any(frames[0].kinds == i)]
    if absent:
        notes.append(f"no particle is of the species {', '.join(absent)}")
    if frames[0].flat:
        notes.append("a two-dimensional system: scattering of the single layer without periodic copies")
    q_max = settings.q_max if settings.q_max is not None else _default_q(frames[0], kind)
    columns, shape, peaks, candidates, used, remarks = _KINDS[kind](frames, found, settings, q_max)
    return Scattering(
        kind,
        frames[0].file,
        tuple(one.index for one in frames),
        found[0].counts,
        frames[0].unit,
        {"q_max": q_max, "periodic": found[0].cell is not None, **used},
        columns,
        shape,
        peaks,
        candidates,
        [*notes, *remarks],
    )


_Found = tuple[
    dict[str, NDArray[Any]],
    tuple[int, int] | None,
    list[dict[str, Any]],
    list[dict[str, Any]],
    dict[str, Any],
    list[str],
]


def _default_q(found: Configuration, kind: str) -> float:
    from scipy.spatial import KDTree

    if found.n < 2:
        raise TrajectoryError("a single particle has no distance to choose q_max by: give --q-max")
    nearest = float(np.median(KDTree(found.positions).query(found.positions, k=2)[0][:, 1]))
    if nearest <= 0:
        raise TrajectoryError("particles lie on top of each other: give --q-max, or choose another frame")
    return _REACH[kind] * 2 * math.pi / nearest


def _mean_of(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.mean(np.stack(parts), axis=0))


def _powder(
    frames: Sequence[Configuration], found: Sequence[Scatterers], settings: Settings, q_max: float
) -> _Found:
    if found[0].cell is not None:
        factors = powder.structure_factors(found, q_max, settings.bins)
    else:
        q = powder.free_q(found[0], q_max) if settings.bins is None else _even(q_max, settings.bins)
        each = [powder.debye(one, q) for one in found]
        partial = {key: _mean_of([one.partial[key] for one in each]) for key in each[0].partial}
        factors = powder.StructureFactors(q, each[0].counts, q, partial, found[0].counts)
    unit = frames[0].unit
    columns = {f"q [1/({unit})]": factors.centre, "wave vectors": factors.counts, "S": factors.total}
    if len(factors.particles) > 1:
        columns |= {f"S_{a}-{b}": values for (a, b), values in factors.partial.items()}
    notes, candidates = [], []
    if settings.index:
        try:
            candidates = [_record(one) for one in indexing.index_powder(factors)[:5]]
        except (TrajectoryError, PhysicsError) as error:
            notes.append(f"not indexed: {error}")
    if candidates and not candidates[0]["crystalline"]:
        notes.append(
            f"no crystal by this profile: its peaks are as broad as a liquid's (order continues over "
            f"{candidates[0]['coherence']:.3g} lengths)"
        )
    return columns, None, _peaks(factors.centre, factors.total), candidates, {}, notes


def _record(one: indexing.Candidate) -> dict[str, Any]:
    return {
        "phase": one.phase,
        "species": dict(one.species),
        "correlation": one.correlation,
        "constants": dict(one.constants),
        "uncertainty": dict(one.uncertainty),
        "displacement": one.displacement,
        "coherence": one.coherence,
        "crystalline": one.crystalline,
    }


def _even(q_max: float, bins: int) -> NDArray[np.float64]:
    if bins < 1:
        raise TrajectoryError(f"at least one bin is needed; got {bins}")
    return np.linspace(q_max / bins, q_max, bins)


def _peaks(q: NDArray[np.float64], value: NDArray[np.float64]) -> list[dict[str, Any]]:
    from scipy.signal import find_peaks

    # The forward scattering of a finite sample has side maxima: peaks count from where it has fallen to the median.
    start = int(np.argmax(value <= np.median(value)))
    rest = value[start:]
    index, _ = find_peaks(rest, prominence=_PROMINENCE * float(rest.max(initial=0.0)) or None)
    return [
        {"q": float(q[start + i]), "d": 2 * math.pi / float(q[start + i]), "value": float(rest[i])}
        for i in index
    ]


def _saxs(
    frames: Sequence[Configuration], found: Sequence[Scatterers], settings: Settings, q_max: float
) -> _Found:
    bodies = specification.bodies(settings.bodies, frames[0], settings.medium)
    if found[0].cell is not None:
        curve = powder.saxs(found, q_max, bodies, settings.bins)
    else:
        q = powder.free_q(found[0], q_max) if settings.bins is None else _even(q_max, settings.bins)
        each = [powder.saxs_free(one, q, bodies) for one in found]
        curve = powder.Saxs(
            q, each[0].counts, _mean_of([one.intensity for one in each]), each[0].form, found[0].counts
        )
    columns = {
        f"q [1/({frames[0].unit})]": curve.q,
        "wave vectors": curve.counts,
        "I per particle": curve.intensity,
        "form factor": curve.form,
        "I / form factor": curve.effective_structure_factor,
    }
    used = {"bodies": _bodies_text(settings), "medium": settings.medium}
    return columns, None, _peaks(curve.q, curve.effective_structure_factor), [], used, _scale_note(settings)


def _bodies_text(settings: Settings) -> str:
    return " ".join(settings.bodies) or "spheres of the file's diameters, contrast 1"


def _scale_note(settings: Settings) -> list[str]:
    if settings.bodies and all("material=" in text for text in settings.bodies):
        return ["intensities are nm² per particle if the unit of length is nm"]
    return ["intensities have an arbitrary scale: not every body has a material"]


def _cell(settings: Settings) -> NDArray[np.float64] | None:
    """Rows of the cell as it lies in the box."""
    import freud
    import rowan

    if settings.cell is None:
        return None
    values = settings.cell
    if len(values) not in (1, 3, 6) or not all(math.isfinite(v) and v > 0 for v in values):
        raise PhysicsError(f"a cell is a, or a,b,c, or a,b,c,α,β,γ, all > 0; got {list(values)}")
    lengths = values[:3] if len(values) > 1 else values * 3
    angles = values[3:] or (90.0, 90.0, 90.0)
    turn = np.asarray(settings.orientation, float)
    if turn.shape != (4,) or not np.all(np.isfinite(turn)) or not np.any(turn):
        raise PhysicsError(f"an orientation is a quaternion w,x,y,z; got {list(settings.orientation)}")
    try:
        box = freud.box.Box.from_box_lengths_and_angles(*lengths, *np.radians(angles))
    except ValueError as error:
        raise PhysicsError(f"the angles {list(angles)} close no cell: {error}") from None
    return np.asarray(rowan.rotate(rowan.normalize(turn), np.asarray(box.to_matrix()).T))


def _pattern(
    frames: Sequence[Configuration], found: Sequence[Scatterers], settings: Settings, q_max: float
) -> _Found:
    bodies = specification.bodies(settings.bodies, frames[0], settings.medium) if settings.bodies else None
    cell = _cell(settings)
    each = [pattern.pattern(one, q_max, settings.zone, cell, bodies, settings.pixels) for one in found]
    image = _mean_of([one.intensity for one in each])
    first = each[0]
    x, y = np.meshgrid(first.q, first.q, indexing="ij")
    columns = {
        f"q1 [1/({frames[0].unit})]": x.ravel(),
        f"q2 [1/({frames[0].unit})]": y.ravel(),
        "I per particle": image.ravel(),
    }
    if cell is None:
        spots = first.spots if len(each) == 1 else pattern.maxima(first.q, image)
        heights = [spot.intensity for spot in spots]
    else:
        spots = first.spots
        by_hkl = [{spot.hkl: spot.intensity for spot in one.spots} for one in each]
        heights = [float(np.mean([table[spot.hkl] for table in by_hkl])) for spot in spots]
    top = max(heights, default=0.0)
    peaks: list[dict[str, Any]] = [
        {
            "hkl": "" if spot.hkl is None else " ".join(map(str, spot.hkl)),
            "q1": spot.position[0],
            "q2": spot.position[1],
            "q": spot.q,
            "d": spot.spacing,
            "value": height,
        }
        for spot, height in sorted(zip(spots, heights, strict=True), key=lambda pair: -round(pair[1], 9))
        if height >= _SPOT * top
    ]
    used = {
        "zone": ",".join(f"{value:g}" for value in settings.zone),
        "cell": None if settings.cell is None else ",".join(f"{value:g}" for value in settings.cell),
        "orientation": ",".join(f"{value:g}" for value in settings.orientation),
        "bodies": " ".join(settings.bodies) or "points",
        "axis q1": np.round(first.axes[0], 6).tolist(),
        "axis q2": np.round(first.axes[1], 6).tolist(),
    }
    notes = [] if cell is not None else ["no cell was given: spots have no indices"]
    return columns, (len(first.q), len(first.q)), peaks, [], used, notes


def _gisaxs(
    frames: Sequence[Configuration], found: Sequence[Scatterers], settings: Settings, q_max: float
) -> _Found:
    bodies = specification.bodies(settings.bodies, frames[0], settings.medium)
    beam = gisaxs.Beam(settings.wavelength, math.radians(settings.angle))
    detector = gisaxs.Detector.covering(beam, min(q_max, 0.49 * beam.k), settings.pixels)
    if settings.azimuths < 1:
        raise PhysicsError(f"azimuths is a whole number ≥ 1; got {settings.azimuths}")
    turns = 2 * math.pi * np.arange(settings.azimuths) / settings.azimuths
    images = []
    for one in found:
        substrate = None
        if settings.substrate != "none":
            z = settings.substrate_z
            z = gisaxs.lowest_surface(one, bodies) if z is None else z
            substrate = gisaxs.Substrate.of(settings.substrate, settings.wavelength, z)
        images.append(gisaxs.intensity(one, bodies, beam, substrate, detector, turns))
    image = _mean_of(images)
    azimuth, exit_angle = np.meshgrid(detector.azimuth, detector.exit, indexing="ij")
    flat, k_f = detector.wave_vectors(beam)
    columns = {
        "two_theta_f [deg]": np.degrees(azimuth).ravel(),
        "alpha_f [deg]": np.degrees(exit_angle).ravel(),
        "q_y [1/nm]": flat[..., 1].ravel(),
        "q_z [1/nm]": np.broadcast_to(k_f + beam.k * math.sin(beam.angle), image.shape).ravel(),
        "I per particle": image.ravel(),
    }
    # Along the horizon of largest intensity, where Yoneda's maximum is.
    row = int(np.argmax(image.sum(axis=0)))
    positive = detector.azimuth > 0
    peaks = _peaks(flat[positive, row, 1], image[positive, row])
    used = {
        "bodies": _bodies_text(settings),
        "medium": settings.medium,
        "wavelength [nm]": settings.wavelength,
        "angle of incidence [deg]": settings.angle,
        "substrate": settings.substrate,
        "azimuths": settings.azimuths,
        "peaks at alpha_f [deg]": round(math.degrees(float(detector.exit[row])), 4),
    }
    notes = _scale_note(settings)
    if frames[0].unit != "nm":
        notes.append("lengths of the file are taken as nm")
    if found[0].cell is not None:
        notes.append("the box is a patch in free space: fringes of its edges are in the intensity")
    return columns, (len(detector.azimuth), len(detector.exit)), peaks, [], used, notes


_KINDS: dict[str, Callable[[Sequence[Configuration], Sequence[Scatterers], Settings, float], _Found]] = {
    "powder": _powder,
    "saxs": _saxs,
    "pattern": _pattern,
    "gisaxs": _gisaxs,
}
KINDS = tuple(_KINDS)
