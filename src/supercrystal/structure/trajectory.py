"""Read configurations from trajectory files, ours or anybody's, with types mapped to species.

GSD of schema 1 and 2 is read by gsd; every other format by mdtraj, which converts lengths to nm.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import TrajectoryError, nearest
from supercrystal.system import species as species_of_type

if TYPE_CHECKING:
    import gsd.hoomd

#: What `--species` maps to, besides any name: a species that is left out of the analysis.
LEFT_OUT = "-"

#: Formats that carry particle names of their own; mdtraj needs a topology for all others.
_NAMED = (".pdb", ".pdb.gz", ".gro", ".h5", ".hdf5", ".cif", ".pdbx", ".prmtop", ".psf")

#: Empty space around a configuration without box, over its largest extent: no particle then sees a periodic image.
_MARGIN = 1.0


@dataclass(frozen=True)
class Configuration:
    """Particles of one frame; beads of rigid bodies are left out, their centres stay.

    Args:
        index: number of the frame in its file.
        box: (6,) Lx, Ly, Lz, xy, xz, yz; Lz = 0 in two dimensions.
        positions: (N, 3).
        kinds: (N,) index into `species`.
        species: names in the order of the file, or what they were mapped to.
        diameters: (N,), or None where the file has none.
        orientations: (N, 4) unit quaternions (w, x, y, z), or None where the file has none.
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
    for part in (text or "").split(","):
        if not part.strip() and not (text or "").strip():
            continue
        name, equals, species = (piece.strip() for piece in part.partition("="))
        if not (name and equals and species):
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
        index = operator.index(frame)
    except TypeError:
        raise TrajectoryError(f"a frame is a whole number; got {frame!r}") from None
    wanted = index + count if index < 0 else index
    if not 0 <= wanted < count:
        raise TrajectoryError(
            f"{path} has no frame {index}: allowed 0 to {count - 1}, or -{count} to -1 from the end"
        )
    return wanted


def _mapped(
    path: Path, names: list[str], typeid: NDArray[Any], species: Mapping[str, str]
) -> tuple[NDArray[np.intp], tuple[str, ...], NDArray[np.bool_]]:
    """(N,) index into the species, their names, and (N,) whether a particle stays."""
    unknown = [name for name in species if name not in names and name not in map(species_of_type, names)]
    if unknown:
        raise TrajectoryError(
            f"{path} has no species '{unknown[0]}'{nearest(unknown[0], names)}; it has {', '.join(names)}"
        )
    named = [species.get(name, species.get(species_of_type(name), species_of_type(name))) for name in names]
    present = [named[i] for i in np.unique(typeid)]
    kept = tuple(dict.fromkeys(name for name in named if name != LEFT_OUT and name in present))
    index = np.array([kept.index(name) if name in kept else -1 for name in named], np.intp)
    kinds = index[np.asarray(typeid, np.intp)]
    return kinds, kept, kinds >= 0


def _checked(path: Path, found: Configuration) -> Configuration:
    if not found.n:
        raise TrajectoryError(f"frame {found.index} of {path} has no particles, or all were left out")
    if not np.all(np.isfinite(found.positions)):
        raise TrajectoryError(
            f"frame {found.index} of {path} has positions that are not finite: its simulation diverged"
        )
    return found


def configuration(
    frame: gsd.hoomd.Frame, index: int = 0, file: str | Path = "", species: Mapping[str, str] | None = None
) -> Configuration:
    """Particles of a GSD frame.

    Raises:
        TrajectoryError: no particles, positions that are not finite, or a mapped species that is not there.
    """
    particles = frame.particles
    n = int(particles.N)
    typeid = np.zeros(n, np.intp) if particles.typeid is None else np.asarray(particles.typeid, np.intp)
    kinds, names, stay = _mapped(Path(file), list(particles.types or ["A"]), typeid, species or {})
    tags = np.arange(n)
    if particles.body is not None:
        # A rigid body's number is the tag of its centre; -1 is no body.
        body = np.asarray(particles.body, np.int64)
        stay = stay & ((body < 0) | (body == tags) | (body >= n))
    box = np.zeros(6) if frame.configuration.box is None else np.asarray(frame.configuration.box, float)
    if frame.configuration.dimensions == 2:
        box = np.where(np.arange(6) == 2, 0.0, box)

    def chosen(values: Any) -> NDArray[np.float64] | None:
        return None if values is None else np.asarray(values, float)[stay]

    return _checked(
        Path(file),
        Configuration(
            index=index,
            box=box,
            positions=np.asarray(particles.position, float).reshape(-1, 3)[stay],
            kinds=kinds[stay],
            species=names,
            diameters=chosen(particles.diameter),
            orientations=chosen(particles.orientation),
            file=str(file),
            tags=np.flatnonzero(stay),
            step=int(frame.configuration.step or 0),
        ),
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
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise TrajectoryError(f"cannot read frame {wanted} of {self.path}: {error}") from error
        return configuration(frame, wanted, self.path, self.species)


class _Mdtraj:
    def __init__(self, path: Path, loaded: Any, species: Mapping[str, str]) -> None:
        self.path, self.loaded, self.species = path, loaded, species
        self.names = [atom.name for atom in loaded.topology.atoms]

    def __len__(self) -> int:
        return int(self.loaded.n_frames)

    def read(self, index: SupportsIndex) -> Configuration:
        wanted = _wanted(self.path, index, len(self))
        types = list(dict.fromkeys(self.names))
        typeid = np.array([types.index(name) for name in self.names], np.intp)
        kinds, names, stay = _mapped(self.path, types, typeid, self.species)
        positions = np.asarray(self.loaded.xyz[wanted], float)[stay]
        cell = None if self.loaded.unitcell_vectors is None else self.loaded.unitcell_vectors[wanted]
        found = _checked(
            self.path,
            Configuration(
                wanted, np.zeros(6), positions, kinds[stay], names, unit="nm", file=str(self.path),
                tags=np.flatnonzero(stay),
            ),
        )  # fmt: skip
        if cell is None or not np.any(cell):
            box, positions = _unbounded(positions)
        else:
            box, positions = _box(np.asarray(cell, float)), positions
        return Configuration(**{**vars(found), "box": box, "positions": positions})


def _unbounded(positions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A box so wide that periodic images are out of reach, and the positions centred in it."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    length = np.ptp(positions, axis=0) + _MARGIN * (np.max(high - low) or 1.0)
    return np.array([*length, 0, 0, 0]), positions - (low + high) / 2


def _box(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(6,) of cell vectors as rows, the first along x and the second in the xy plane, as mdtraj gives them."""
    lx, ly, lz = np.diag(vectors)
    return np.array([lx, ly, lz, vectors[1, 0] / ly, vectors[2, 0] / lz, vectors[2, 1] / lz])


def _load_mdtraj(path: Path, top: Path | None, species: Mapping[str, str]) -> _Mdtraj:
    import mdtraj

    named = path.name.lower().endswith(_NAMED)
    try:
        topology = None if top is None else _topology(top)
        loaded = mdtraj.load(str(path)) if named and top is None else mdtraj.load(str(path), top=topology)
    except TrajectoryError:
        raise
    except Exception as error:  # mdtraj's readers raise whatever their parsers do
        if not named and top is None:
            raise TrajectoryError(
                f"{path} names no particles: give --top a GSD, PDB or GRO file of the same particles that does"
            ) from error
        raise TrajectoryError(f"mdtraj cannot read {path}: {error}") from error
    return _Mdtraj(path, loaded, species)


def _topology(top: Path) -> Any:
    """Mdtraj's topology of a file; of a GSD file one whose atoms are named after the particle types."""
    import gsd.hoomd
    import mdtraj

    if top.suffix.lower() != ".gsd":
        return str(top)
    with gsd.hoomd.open(top, "r") as file:
        particles = file[0].particles
    topology = mdtraj.Topology()
    residue = topology.add_residue("NC", topology.add_chain())
    for typeid in particles.typeid:
        topology.add_atom(particles.types[typeid], mdtraj.element.virtual, residue)
    return topology


@contextmanager
def open_trajectory(
    path: Path, species: str | Mapping[str, str] | None = None, top: Path | None = None
) -> Iterator[Trajectory]:
    """Open a trajectory.

    Args:
        path: a GSD file, or anything mdtraj reads.
        species: name in the file → species, as mapping or as text (`parse_species`); unnamed ones keep theirs.
        top: a file with the particles' names, for formats that have none.

    Raises:
        TrajectoryError: the file is missing, truncated or of an unknown format, or a mapped species is not in it.
    """
    import gsd.hoomd

    given = parse_species(species) if isinstance(species, str) else dict(species or {})
    path = Path(path)
    if not path.is_file():
        raise TrajectoryError(f"cannot read {path}: there is no such file")
    if path.suffix.lower() != ".gsd":
        yield _load_mdtraj(path, top, given)
        return
    try:
        file = gsd.hoomd.open(path, "r")
    except (OSError, RuntimeError, KeyError, ValueError) as error:
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
