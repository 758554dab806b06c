"""Runs of LAMMPS for reference samples: forces, the run itself, and what is measured on it as evidence of the phase.

Lengths are in diameters of A (the largest species), energies in the ε of the recipe, masses 1. None of the code that
identifies phases is used here.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.engines import lammps_library as library

Array = NDArray[np.float64]

DISORDERED = "disordered"


@dataclass(frozen=True)
class Evidence:
    """What the run measured, by which the phase is certain.

    Args:
        msd: per species, mean-square displacement over the production run [d²], drift of the whole subtracted.
        sigma: per species, rms displacement per component from the lattice sites over d; NaN without sites.
        steadiness: rms displacement of all sites in the second half of the production run over that in the first.
        farthest: largest distance of a particle from its own site in the last frame over d; NaN without sites.
        q6: per species, global Q6 over its own 12 nearest neighbours; about 1/√(6 N) in a liquid.
        solid: largest cluster of solid-like particles over N, regardless of species.
        drift: mean potential energy of the second half less that of the first [kT per particle].
        time: length of the production run [reduced units].
        seconds: processor time of the whole sample.
    """

    msd: tuple[float, ...]
    sigma: tuple[float, ...]
    steadiness: float
    farthest: float
    q6: tuple[float, ...]
    solid: float
    drift: float
    time: float
    seconds: float


@dataclass(frozen=True)
class Sample:
    """A configuration with its truth.

    Args:
        name: key of its table.
        box: (6,) Lx, Ly, Lz, xy, xz, yz; tilts are zero, hexagonal crystals are in orthorhombic cells.
        positions: (N, 3), wrapped into the box that is centred on the origin.
        kinds: (N,) index into `species`.
        species: names, A the largest.
        diameters: (N,).
        truth: phase of the sample by the catalogue's name, or ``"disordered"``.
        labels: (N,) phase of each particle.
        certain: (N,) False near an interface, where the label is not known.
        grains: (N,) number of the grain, −1 outside of grains.
        spacing: d, the shortest distance of two sites; of hosts where guests are molten; 1 in a liquid.
        sublattice: structure of the hosts where guests are molten.
        axis: of the rotation that takes grain 0 into grain 1.
        angle: of that rotation [degrees].
        sites: (N, 3) lattice sites, NaN for particles without one.
        moved: (N,) squared displacement over the production run [d²].
        evidence: what was measured.
    """

    name: str
    box: Array
    positions: Array
    kinds: NDArray[np.intp]
    species: tuple[str, ...]
    diameters: Array
    truth: str
    labels: NDArray[np.str_]
    certain: NDArray[np.bool_]
    grains: NDArray[np.intp]
    spacing: float
    evidence: Evidence
    sites: Array
    moved: Array
    sublattice: str | None = None
    axis: tuple[float, float, float] | None = None
    angle: float | None = None

    @property
    def n(self) -> int:
        """Number of particles."""
        return len(self.positions)


# ---------------------------------------------------------------------------------------------------------------- forces


def lennard_jones(
    diameters: Sequence[float], unlike: float = 1.0, cut: float = 2.5, like: float = 1.0
) -> Force:
    """Lennard-Jones with additive diameters, shifted at `cut` diameters, ε = `unlike` and `like` by pair."""
    lines = [f"pair_style lj/cut/omp {cut * max(diameters)}", "pair_modify shift yes"]
    for i, a in enumerate(diameters, 1):
        for j, b in enumerate(diameters[i - 1 :], i):
            s = (a + b) / 2
            lines.append(f"pair_coeff {i} {j} {like if i == j else unlike} {s} {cut * s}")
    return tuple(lines)


def wca(*diameters: float) -> Force:
    """Weeks–Chandler–Andersen repulsion, ε = 1, additive diameters."""
    return lennard_jones(diameters, cut=2 ** (1 / 6))


#: The glass former of Kob and Andersen, cut at 2.5 σ of each pair, DOI 10.1103/PhysRevE.51.4626.
KOB_ANDERSEN = (
    "pair_style lj/cut/omp 2.5",
    "pair_modify shift yes",
    "pair_coeff 1 1 1.0 1.0 2.5",
    "pair_coeff 1 2 1.5 0.8 2.0",
    "pair_coeff 2 2 0.5 0.88 2.2",
)


@dataclass(frozen=True)
class Table:
    """One pair of types under (s/r)ⁿ + z s/r exp(−κ(r − s)), in units of kT = 1, shifted in energy and force at `cut`."""

    pair: tuple[int, int]
    exponent: int
    cut: float
    s: float = 1.0
    z: float = 0.0
    kappa: float = 1.0

    def _bare(self, r: Array) -> tuple[Array, Array]:
        power, screened = (
            (self.s / r) ** self.exponent,
            self.z * self.s / r * np.exp(-self.kappa * (r - self.s)),
        )
        return power + screened, self.exponent * power / r + screened * (1 / r + self.kappa)

    def write(self, path: Path) -> None:
        """Write the table for LAMMPS, uniform in r²."""
        r = np.sqrt(np.linspace((0.1 * self.cut) ** 2, self.cut**2, TABLE_POINTS))
        u, f = self._bare(r)
        u, f = u - u[-1] + f[-1] * (r - self.cut), f - f[-1]
        rows = np.column_stack([np.arange(1, TABLE_POINTS + 1), r, u, f])
        with path.open("w") as file:
            file.write(f"PAIR\nN {TABLE_POINTS} RSQ {r[0]:.15g} {r[-1]:.15g}\n\n")
            np.savetxt(file, rows, fmt=["%d", "%.15g", "%.15g", "%.15g"])


TABLE_POINTS = 3000
Force = tuple[str | Table, ...]


def soft(exponent: int, cut: float) -> Force:
    """Repulsion r⁻ⁿ."""
    return (f"pair_style table spline {TABLE_POINTS}", Table((1, 1), exponent, cut))


def charged(
    diameters: Sequence[float], charges: Sequence[float], contact: float, kappa: float, cut: float
) -> Force:
    """Screened charges on r⁻¹² cores; two unit charges have the energy `contact` where their diameters touch."""
    pairs = [(i, j) for i in range(len(diameters)) for j in range(i, len(diameters))]
    return (
        f"pair_style table spline {TABLE_POINTS}",
        *(
            Table(
                (i + 1, j + 1),
                12,
                cut,
                (diameters[i] + diameters[j]) / 2,
                charges[i] * charges[j] * contact,
                kappa,
            )
            for i, j in pairs
        ),
    )


# ------------------------------------------------------------------------------------------------------------------ runs


@dataclass(frozen=True)
class Springs:
    """Harmonic bonds k (r − r₀)²/2 between lattice sites.

    Args:
        pairs: (M, 2) particle numbers.
        lengths: (M,) r₀.
        stiffness: k.
    """

    pairs: NDArray[np.intp]
    lengths: Array
    stiffness: float


def _data(box: Array, x: Array, kinds: NDArray[np.intp], types: int, springs: Springs | None) -> str:
    half = box[:3] / 2
    lines = ["", f"{len(x)} atoms", f"{types} atom types"]
    group = np.zeros(0, int)
    if springs is not None:
        lengths, group = np.unique(springs.lengths.round(6), return_inverse=True)
        lines += [f"{len(springs.pairs)} bonds", f"{len(lengths)} bond types"]
    lines += [f"{-h:.15g} {h:.15g} {k}lo {k}hi" for h, k in zip(half, "xyz", strict=True)]
    lines += ["", "Masses", "", *(f"{i + 1} 1.0" for i in range(types)), "", "Atoms # bond", ""]
    atoms = zip(kinds, x, strict=True)
    lines += [f"{i} 0 {k + 1} {a:.12g} {b:.12g} {c:.12g}" for i, (k, (a, b, c)) in enumerate(atoms, 1)]
    if springs is not None:
        rows = zip(group + 1, springs.pairs + 1, strict=True)
        lines += ["", "Bonds", "", *(f"{i} {t} {a} {b}" for i, (t, (a, b)) in enumerate(rows, 1))]
        lines += [
            "",
            "Bond Coeffs",
            "",
            *(f"{i} {springs.stiffness / 2} {r}" for i, r in enumerate(lengths, 1)),
        ]
    return "\n".join(lines) + "\n"


class Simulation:
    """Particles in a periodic box in LAMMPS, with a Langevin bath."""

    def __init__(
        self,
        box: Array,
        x: Array,
        kinds: NDArray[np.intp],
        force: Force,
        *,
        timestep: float,
        seed: int,
        springs: Springs | None = None,
    ) -> None:
        library.load()
        import lammps

        self.box, self.seed, self.timestep = box, seed, timestep
        self.count = len(x)
        self._lmp = lammps.lammps(cmdargs=[*library.SILENT, *library.ONE_THREAD])
        self.do("units lj", "atom_style bond", "boundary p p p", "special_bonds lj/coul 1 1 1")
        if springs is not None:
            self.do("bond_style harmonic", f"comm_modify cutoff {springs.lengths.max() * 1.5 + 0.5:.6g}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "start.data")
            path.write_text(_data(box, x, kinds, int(kinds.max()) + 1, springs))
            self.do(f"read_data {path}")
        self._force = force
        self._set_force()
        self.do("neighbor 0.3 bin", "neigh_modify every 1 delay 4 check yes")
        self.do(f"timestep {timestep}", "thermo_modify norm no", "thermo 1000000000")

    def do(self, *lines: str) -> None:
        """Give commands to LAMMPS."""
        for line in lines:
            self._lmp.command(line)

    def _set_force(self) -> None:
        if not self._force:
            self.do("pair_style zero 1.0", "pair_coeff * *")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pair.table")
            for line in self._force:
                if isinstance(line, str):
                    self.do(line)
                else:
                    line.write(path)
                    self.do(f"pair_coeff {line.pair[0]} {line.pair[1]} {path} PAIR {line.cut:.15g}")

    def velocities(self, kT: float) -> None:
        """Draw velocities."""
        self.do(f"velocity all create {kT} {self.seed} dist gaussian mom yes")

    def separate(self, kT: float, diameters: Sequence[float], group: str = "all") -> None:
        """Push overlapping particles apart, first under a bounded repulsion, in steps of no more than 0.04."""
        self.do(
            f"fix push {group} nve/limit 0.04", f"fix heat {group} langevin {kT} {kT} 0.1 {self.seed + 5}"
        )
        self.do(f"pair_style soft {0.9 * max(diameters)}")
        for i, a in enumerate(diameters, 1):
            for j, b in enumerate(diameters[i - 1 :], i):
                self.do(f"pair_coeff {i} {j} {40 * kT} {0.45 * (a + b)}")
        self.do("run 200 post no")
        self._set_force()
        self.do("run 300 post no", "unfix push", "unfix heat")

    def relax(self, kT: float) -> None:
        """Let particles that start too close part, in steps of no more than 0.02."""
        self.do("fix push all nve/limit 0.02", f"fix heat all langevin {kT} {kT} 0.1 {self.seed + 7}")
        self.do("run 300 post no", "unfix push", "unfix heat")

    def equilibrate(
        self, kT: float, steps: int, group: str = "all", damp: float = 1.0, hot: float = 0.0
    ) -> None:
        """Run in the bath, cooling from `hot` if that is given."""
        self.do(
            f"fix move {group} nve", f"fix heat {group} langevin {hot or kT} {kT} {damp} {self.seed + 11}"
        )
        self.do(f"run {steps} post no", "unfix move", "unfix heat")

    def produce(self, kT: float, steps: int, every: int = 50, damp: float = 1.0) -> tuple[Array, Array]:
        """Unwrapped positions (T, N, 3) and potential energies (T,) along a run."""
        self.do("fix move all nve", f"fix heat all langevin {kT} {kT} {damp} {self.seed + 23}")
        self.do("run 0 post no")
        now = self.positions()
        frames, energies = [now], [self._lmp.get_thermo("pe")]
        for _ in range(steps // every):
            self.do(f"run {every} pre no post no")
            after = self.positions()
            step = after - now
            # Between two frames nothing moves half the box.
            frames.append(frames[-1] + step - self.box[:3] * np.round(step / self.box[:3]))
            energies.append(self._lmp.get_thermo("pe"))
            now = after
        self.close()
        return np.array(frames), np.array(energies)

    def positions(self) -> Array:
        """Positions (N, 3) now."""
        return np.ctypeslib.as_array(self._lmp.gather_atoms("x", 1, 3)).reshape(-1, 3).copy()

    def close(self) -> None:
        """Free LAMMPS."""
        self._lmp.close()


# -------------------------------------------------------------------------------------------------------------- evidence


def wrap(box: Array, x: Array) -> Array:
    """Positions wrapped into the orthorhombic box that is centred on the origin."""
    return x - box[:3] * np.round(x / box[:3])


def global_q6(box: Array, x: Array) -> float:
    """Steinhardt's Q6 over all bonds to 12 neighbours."""
    import freud

    order = freud.order.Steinhardt(6)
    return float(order.compute((freud.Box(*box), x), neighbors={"num_neighbors": 12}).order)


def solid_share(box: Array, x: Array) -> float:
    """Largest cluster of particles with at least 9 of 12 neighbours of like q6 (product > 0.6), over N."""
    import freud

    order = freud.order.SolidLiquid(6, q_threshold=0.6, solid_threshold=9)
    order.compute((freud.Box(*box), x), neighbors={"num_neighbors": 12})
    # One particle is a cluster of its own whether solid-like or not.
    return 0.0 if not np.any(order.num_connections >= 9) else float(order.largest_cluster_size) / len(x)


def moved(frames: Array, spacing: float = 1.0) -> Array:
    """Squared displacement (N,) over a run of unwrapped `frames` (T, N, 3), that of the whole subtracted [d²]."""
    step = frames[-1] - frames[0]
    return np.sum((step - step.mean(axis=0)) ** 2, axis=1) / spacing**2


def from_sites(box: Array, x: Array, sites: Array, grains: NDArray[np.intp] | None = None) -> Array:
    """Displacements (..., N, 3) from the sites; the mean of each grain is subtracted, NaN without a site.

    A grain as a whole may drift: the bath does not keep the momentum, and grains slide on each other.
    """
    away = x - sites
    away = away - box[:3] * np.round(away / box[:3])
    for grain in np.unique(grains) if grains is not None else [0]:
        inside = np.ones(len(sites), bool) if grains is None else grains == grain
        if np.isfinite(sites[inside, 0]).any():
            away[..., inside, :] -= np.nanmean(away[..., inside, :], axis=-2, keepdims=True)
    return away


def measure(
    box: Array,
    frames: Array,
    energies: Array,
    kinds: NDArray[np.intp],
    kT: float,
    time_step: float,
    sites: Array | None = None,
    spacing: float = 1.0,
    began: float = 0.0,
    grains: NDArray[np.intp] | None = None,
) -> Evidence:
    """Evidence of a production run of unwrapped `frames` (T, N, 3), `time_step` apart."""
    species = range(int(kinds.max()) + 1)
    msd = moved(frames, spacing)
    sigma, steadiness, farthest = tuple(np.nan for _ in species), np.nan, np.nan
    if sites is not None:
        held = np.isfinite(sites[:, 0])
        square = np.sum(from_sites(box, frames, sites, grains)[:, held] ** 2, axis=2) / 3 / spacing**2
        half = len(frames) // 2
        sigma = tuple(
            float(np.sqrt(square[:, kinds[held] == k].mean())) if np.any(kinds[held] == k) else np.nan
            for k in species
        )
        steadiness = float(np.sqrt(square[half:].mean() / square[:half].mean()))
        farthest = float(np.sqrt(3 * square[-1].max()))
    x = wrap(box, frames[-1])
    half = len(energies) // 2
    return Evidence(
        msd=tuple(float(msd[kinds == k].mean()) for k in species),
        sigma=sigma,
        steadiness=steadiness,
        farthest=farthest,
        q6=tuple(global_q6(box, x[kinds == k]) for k in species),
        solid=solid_share(box, x),
        drift=float(energies[half:].mean() - energies[:half].mean()) / len(kinds) / kT,
        time=time_step * (len(frames) - 1),
        seconds=time.process_time() - began,
    )


# --------------------------------------------------------------------------------------------------------------- lattices


def lattice(
    phase: str,
    constants: dict[str, float],
    repeats: tuple[int, int, int],
    types: dict[str, str] | None = None,
) -> tuple[Array, Array, NDArray[np.intp], tuple[str, ...]]:
    """Box (6,), sites (N, 3), kinds and species of a crystal in an orthorhombic box.

    A hexagonal lattice is invariant under the shift that squares its box where the second repeat is even.
    """
    frame = lattices.build(phase, constants, repeats=repeats, types=types)
    box = np.array(frame.configuration.box, float)
    if box[3]:
        assert repeats[1] % 2 == 0, "an orthorhombic box needs an even second repeat"
        box[3] = 0.0
    x = wrap(box, np.asarray(frame.particles.position, float))
    return box, x, np.asarray(frame.particles.typeid, np.intp), tuple(frame.particles.types)


def neighbour_pairs(box: Array, x: Array, reach: float) -> tuple[NDArray[np.intp], Array]:
    """Pairs (M, 2) closer than `reach` and their distances, each pair once."""
    from scipy.spatial import cKDTree

    inside = x % box[:3]
    tree = cKDTree(np.where(inside < box[:3], inside, 0.0), boxsize=box[:3])
    pairs = tree.query_pairs(reach, output_type="ndarray")
    step = x[pairs[:, 0]] - x[pairs[:, 1]]
    step -= box[:3] * np.round(step / box[:3])
    return pairs, np.linalg.norm(step, axis=1)
