"""Read configurations from trajectory files, ours or anybody's, with types mapped to species.

GSD of schema 1 and 2 is read by gsd, frame by frame. Every other format is read whole by mdtraj, which gives lengths in
nm: it takes those of PDB, XYZ, DCD, NetCDF and LAMMPS files as ångström, whatever their writer meant.
"""

from __future__ import annotations

import operator
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from supercrystal.box import edges
from supercrystal.errors import TrajectoryError, nearest
from supercrystal.system import species as species_of_type

if TYPE_CHECKING:
    import gsd.hoomd

#: What `--species` maps to, besides any name: a species that is left out of the analysis.
LEFT_OUT = "-"

#: Empty space around particles without box, over their largest extent: none then sees a periodic image.
_MARGIN = 1.0
#: What gsd raises on files that are no GSD files, of another schema, truncated or damaged.
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, IndexError, TypeError, MemoryError)


@dataclass(frozen=True)
class Configuration:
    """Particles of one frame; beads of rigid bodies are left out, their centres stay.

    Args:
        index: number of the frame in its file.
        box: (6,) Lx, Ly, Lz, xy, xz, yz; Lz = 0 in two dimensions.
        positions: (N, 3).
        kinds: (N,) index into `species`.
        species: names in the order of the file, or what they were mapped to.
        diameters: (N,), or None where the format has none; a GSD file without them has 1 everywhere.
        orientations: (N, 4) unit quaternions (w, x, y, z), or None where the format has none; a GSD file without them
            has (1, 0, 0, 0) everywhere.
        unit: of lengths.
        file: where it was read from.
        tags: (N,) numbers of these particles in the file.
        step: time step, 0 where the file has none.
    """

    index: int
    box: NDArray[np.float64]
    positions: NDArray[np.float64]
    kinds: NDArray[np.intp]
    species: tuple[str, ...]
    diameters: NDArray[np.float64] | None = None
    orientations: NDArray[np.float64] | None = None
    unit: str = "length unit of the file"
    file: str = ""
    tags: NDArray[np.intp] | None = None
    step: int = 0

    @property
    def n(self) -> int:
        """Number of particles."""
        return len(self.positions)

    @property
    def extent(self) -> NDArray[np.float64]:
        """(3,) distance of the outermost positions along the box vectors, in box lengths; of z 0 in two dimensions."""
        vectors = edges(self.box)
        k = 2 if self.flat else 3
        spread = np.zeros(3)
        spread[:k] = np.ptp(self.positions[:, :k] @ np.linalg.inv(vectors[:k, :k]), axis=0)
        return spread

    @property
    def flat(self) -> bool:
        """Whether the configuration is two-dimensional."""
        return bool(self.box[2] == 0)


def parse_species(text: str | None) -> dict[str, str]:
    """Mapping of the text ``"PbS=A,Au=B,solvent=-"``.

    Raises:
        TrajectoryError: a part is not NAME=SPECIES, or a name is mapped twice.

    >>> parse_species("PbS=A, Au=B")
    {'PbS': 'A', 'Au': 'B'}
    """
    found: dict[str, str] = {}
    for part in text.split(",") if text and text.strip() else ():
        name, equals, species = (piece.strip() for piece in part.partition("="))
        if not (name and equals and species) or "=" in species:
            raise TrajectoryError(
                f"'{part.strip()}' maps no species; write NAME=SPECIES, NAME=SPECIES with the file's names on the "
                f"left, for instance PbS=A,Au=B; '{LEFT_OUT}' on the right leaves a species out"
            )
        if name in found:
            raise TrajectoryError(f"'{name}' is mapped twice: to '{found[name]}' and to '{species}'")
        found[name] = species
    return found


class Trajectory(Protocol):
    """An open file of configurations."""

    def __len__(self) -> int:
        """Number of frames."""

    def read(self, index: SupportsIndex) -> Configuration:
        """Read one frame; negative numbers count from the end."""


def _wanted(path: Path, frame: SupportsIndex, count: int) -> int:
    if count == 0:
        raise TrajectoryError(f"{path} has no frame")
    try:
        if isinstance(frame, bool):
            raise TypeError
        index = operator.index(frame)
    except TypeError:
        raise TrajectoryError(f"a frame is a whole number; got {frame!r}") from None
    if not -count <= index < count:
        raise TrajectoryError(
            f"{path} has no frame {index}: allowed 0 to {count - 1}, or -{count} to -1 from the end"
        )
    return index % count


def _mapped(
    path: Path, names: list[str], typeid: NDArray[np.intp], species: Mapping[str, str]
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """(N,) index into the species, -1 for those left out, and the names of the species that have particles."""
    unknown = [name for name in species if name not in names and name not in map(species_of_type, names)]
    if unknown:
        raise TrajectoryError(
            f"{path} has no species '{unknown[0]}'; it has {', '.join(names)}{nearest(unknown[0], names)}"
        )
    named = [species.get(name, species.get(species_of_type(name), species_of_type(name))) for name in names]
    present = {named[i] for i in np.unique(typeid)} - {LEFT_OUT}
    kept = tuple(dict.fromkeys(name for name in named if name in present))
    index = np.array([kept.index(name) if name in present else -1 for name in named], np.intp)
    return index[typeid], kept


def _configuration(
    path: Path,
    index: int,
    box: NDArray[np.float64],
    positions: NDArray[np.float64],
    names: list[str],
    typeid: NDArray[np.intp],
    species: Mapping[str, str],
    *,
    beads: NDArray[np.bool_] | None = None,
    diameters: NDArray[np.float64] | None = None,
    orientations: NDArray[np.float64] | None = None,
    **other: Any,
) -> Configuration:
    """Particles of a frame that stay, checked."""
    where = f"frame {index} of {path}"
    if not len(positions):
        raise TrajectoryError(f"{where} has no particles")
    if np.any((typeid < 0) | (typeid >= len(names))):
        raise TrajectoryError(f"{where} has particles of types that it does not name: it is damaged")
    if not np.all(np.isfinite(box)) or np.any(box[:2] <= 0) or box[2] < 0:
        raise TrajectoryError(f"the box of {where} is {box.tolist()}: lengths must be finite and > 0")
    if np.array_equal(box, [1, 1, 1, 0, 0, 0]) and np.any(np.ptp(positions, axis=0) > 2):
        # What gsd gives where there is none; the positions would be folded into it.
        raise TrajectoryError(
            f"{where} has no box, or one of length 1 that does not hold its positions: write it"
        )
    kinds, kept = _mapped(path, names, typeid, species)
    stay = kinds >= 0 if beads is None else (kinds >= 0) & ~beads
    if not np.any(stay):
        raise TrajectoryError(f"of the particles of {where} all are left out: map a species to a name")
    if not np.all(np.isfinite(positions[stay])):
        raise TrajectoryError(f"{where} has positions that are not finite: its simulation diverged")
    return Configuration(
        index=index,
        box=box,
        positions=positions[stay],
        kinds=kinds[stay],
        species=kept,
        diameters=None if diameters is None else diameters[stay],
        orientations=None if orientations is None else orientations[stay],
        file=str(path),
        tags=np.flatnonzero(stay),
        **other,
    )


def configuration(
    frame: gsd.hoomd.Frame, index: int = 0, file: str | Path = "", species: Mapping[str, str] | None = None
) -> Configuration:
    """Particles of a GSD frame.

    Raises:
        TrajectoryError: no particles, a box that is none, positions that are not finite, arrays of another length than N,
            or a mapped species that is not there.
    """
    particles, n = frame.particles, int(frame.particles.N)

    def of_each(name: str, *shape: int) -> NDArray[np.float64] | None:
        values = getattr(particles, name)
        if values is None:
            return None
        if np.size(values) != n * int(np.prod(shape)):
            raise TrajectoryError(
                f"frame {index} of {file} has {n} particles, but a {name} for {len(values)}: it is damaged"
            )
        return np.asarray(values, float).reshape(n, *shape)

    positions, typeid, body = of_each("position", 3), of_each("typeid"), of_each("body")
    if positions is None:
        raise TrajectoryError(f"frame {index} of {file} has no positions")
    box = np.zeros(6) if frame.configuration.box is None else np.array(frame.configuration.box, float)
    if frame.configuration.dimensions == 2:
        box[2] = 0
    # A rigid body's number is the tag of its centre; -1 is no body.
    beads = None if body is None else (body >= 0) & (body != np.arange(n)) & (body < n)
    return _configuration(
        Path(file),
        index,
        box,
        positions,
        list(particles.types or ["A"]),
        np.zeros(n, np.intp) if typeid is None else typeid.astype(np.intp),
        species or {},
        beads=beads,
        diameters=of_each("diameter"),
        orientations=of_each("orientation", 4),
        step=int(frame.configuration.step or 0),
    )


class _Gsd:
    def __init__(self, path: Path, file: Any, species: Mapping[str, str]) -> None:
        self.path, self.file, self.species = path, file, species

    def __len__(self) -> int:
        return len(self.file)

    def read(self, index: SupportsIndex) -> Configuration:
        wanted = _wanted(self.path, index, len(self.file))
        try:
            frame = self.file[wanted]
        except _DAMAGED as error:
            raise TrajectoryError(f"cannot read frame {wanted} of {self.path}: {error}") from error
        return configuration(frame, wanted, self.path, self.species)


class _Mdtraj:
    def __init__(self, path: Path, loaded: Any, species: Mapping[str, str]) -> None:
        self.path, self.loaded, self.species = path, loaded, species
        names = [atom.name for atom in loaded.topology.atoms]
        self.types = list(dict.fromkeys(names))
        number = {name: k for k, name in enumerate(self.types)}
        self.typeid = np.array([number[name] for name in names], np.intp)
        self.begins = np.zeros(3)
        if len(self) and names:
            cell, x = self._frame(0)
            if np.all(np.isfinite(cell)) and np.linalg.det(cell) > 0:
                # Rounded files have a corner of the box just above some particles.
                self.begins[(x @ np.linalg.inv(cell)).min(axis=0) > -1e-3] = 1

    def __len__(self) -> int:
        return int(self.loaded.n_frames)

    def _frame(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cell vectors as rows, zero where the file has none, and positions."""
        with np.errstate(all="ignore"):  # angles of damaged files
            cells = self.loaded.unitcell_vectors
        cell = np.zeros((3, 3)) if cells is None else np.asarray(cells[index], float)
        return cell, np.asarray(self.loaded.xyz[index], float)

    def read(self, index: SupportsIndex) -> Configuration:
        wanted = _wanted(self.path, index, len(self))
        cell, x = self._frame(wanted)
        if not np.all(np.isfinite(cell)):
            raise TrajectoryError(
                f"the box of frame {wanted} of {self.path} is not finite: the file is damaged"
            )
        # Boxes that begin at the origin are moved to have their centre there, as those of GSD files have.
        box, shift = (_box(cell), -self.begins @ cell / 2) if np.any(cell) else self._around()
        return _configuration(
            self.path, wanted, box, x + shift, self.types, self.typeid, self.species, unit="nm"
        )

    def _around(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """One box for all frames, so wide that periodic images are out of reach, and what centres it."""
        finite = np.where(np.isfinite(self.loaded.xyz), self.loaded.xyz, 0).astype(float)
        low, high = finite.min(axis=(0, 1)), finite.max(axis=(0, 1))
        extent = high - low
        return np.array([*(extent + _MARGIN * (extent.max() or 1.0)), 0, 0, 0]), -(low + high) / 2


def _box(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(6,) of cell vectors as rows, the first along x and the second in the xy plane, as mdtraj has them."""
    lengths = np.diag(vectors)
    if not np.all(lengths > 0):
        return np.array([*lengths, 0, 0, 0])
    _, ly, lz = lengths
    tilts = np.array([vectors[1, 0] / ly, vectors[2, 0] / lz, vectors[2, 1] / lz])
    # The cosine of a right angle in single precision is no tilt.
    return np.concatenate([lengths, np.where(np.abs(tilts) < 1e-6, 0, tilts)])


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep what mdtraj's plugins print off stdout, which is for results, and warnings off stderr."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


def _load_mdtraj(path: Path, top: Path | None, species: Mapping[str, str]) -> _Mdtraj:
    import mdtraj

    given = {} if top is None else {"top": _topology(top)}
    try:
        with _without_chatter():
            loaded = mdtraj.load(str(path), **given)
    except Exception as error:  # mdtraj's readers raise whatever their parsers do
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if top is None and "topology" in reason:
            raise TrajectoryError(
                f"{path} names no particles: give --top a GSD, PDB or GRO file of the same particles that does"
            ) from error
        raise TrajectoryError(f"mdtraj cannot read {path}: {reason}") from error
    return _Mdtraj(path, loaded, species)


def _topology(top: Path) -> Any:
    """Mdtraj's topology of a file; of a GSD file one whose atoms are named after the particle types."""
    import gsd.hoomd
    import mdtraj

    _refuse_to_open(top)
    try:
        if top.suffix.lower() != ".gsd":
            with _without_chatter():
                return mdtraj.load_topology(str(top))
        with gsd.hoomd.open(top, "r") as file:
            particles = file[0].particles
        topology = mdtraj.Topology()
        residue = topology.add_residue("NC", topology.add_chain())
        for typeid in particles.typeid:
            topology.add_atom(particles.types[typeid], mdtraj.element.virtual, residue)
    except Exception as error:  # as above
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrajectoryError(f"cannot read the particles' names from {top}: {reason}") from error
    return topology


def _refuse_to_open(path: Path) -> None:
    if os.path.isdir(path):
        raise TrajectoryError(f"cannot read {path}: it is a directory")
    if not os.path.isfile(path):
        raise TrajectoryError(f"cannot read {path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise TrajectoryError(f"cannot read {path}: you may not; ask its owner for permission to read")


@contextmanager
def open_trajectory(
    path: Path, species: str | Mapping[str, str] | None = None, top: Path | None = None
) -> Iterator[Trajectory]:
    """Open a trajectory.

    Args:
        path: a GSD file, or anything mdtraj reads. Particles of a file without box get empty space around them.
        species: name in the file → species, as mapping or as text (`parse_species`); unnamed ones keep theirs.
        top: a file with the particles' names, for formats that have none; of others it replaces the names.

    Raises:
        TrajectoryError: the file is missing, truncated or of an unknown format, or a mapped species is not in it.
    """
    import gsd.hoomd

    given = parse_species(species) if isinstance(species, str) else dict(species or {})
    path = Path(path)
    _refuse_to_open(path)
    if path.suffix.lower() != ".gsd":
        yield _load_mdtraj(path, None if top is None else Path(top), given)
        return
    try:
        file = gsd.hoomd.open(path, "r")
    except _DAMAGED as error:
        raise TrajectoryError(
            f"cannot read {path} as a GSD trajectory: {error}; it may be truncated, or of another format"
        ) from error
    with file:
        yield _Gsd(path, file, given)


def read(
    path: Path,
    frame: SupportsIndex = -1,
    species: str | Mapping[str, str] | None = None,
    top: Path | None = None,
) -> Configuration:
    """Read one frame; arguments and errors as `open_trajectory`, and no such frame, no particles, or NaN."""
    with open_trajectory(Path(path), species, top) as file:
        return file.read(frame)
