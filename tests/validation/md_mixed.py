"""Reference samples with two natures: molten guests in ordered hosts, crystals in their liquid, faults and grains."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from supercrystal.packing import hard
from tests.validation.md_runs import (
    DISORDERED,
    Array,
    Force,
    Sample,
    Simulation,
    Springs,
    charged,
    lattice,
    lennard_jones,
    measure,
    moved,
    neighbour_pairs,
    soft,
    wca,
    wrap,
)

EVERY = 50


@dataclass(frozen=True)
class HalfMolten:
    """Hosts on a lattice, guests liquid between them: no compound, whatever the ratio.

    Args:
        host: structure of the hosts.
        repeats: conventional cells along each axis.
        ratio: guests per host; they start at random positions.
        spacing: nearest-neighbour distance of the hosts.
        gamma: diameter of a guest over that of a host.
        force: LAMMPS lines; WCA by default.
        stiffness: of springs between hosts closer than 1.5 d [kT/d²]; 0 where pair forces alone keep the hosts.
        flows: least mean-square displacement of the guests in the production run [d²].
    """

    host: str
    repeats: tuple[int, int, int]
    ratio: int
    spacing: float
    gamma: float
    force: Force = ()
    stiffness: float = 45.0
    flows: float = 1.0
    equilibration: int = 2500
    production: int = 4000
    seed: int = 1

    def make(self, name: str) -> Sample:
        """Run it."""
        began = time.process_time()
        rng = np.random.default_rng(self.seed)
        cell = {k: float(v) * self.spacing for k, v in hard.constants(self.host).items()}
        box, hosts, _, _ = lattice(self.host, cell, self.repeats)
        count = len(hosts) * self.ratio
        kinds = np.repeat([0, 1], [len(hosts), count])
        x = np.concatenate([hosts, (rng.random((count, 3)) - 0.5) * box[:3]])
        springs = None
        if self.stiffness:
            bonds = neighbour_pairs(box, hosts, 1.5 * self.spacing)
            springs = Springs(*bonds, self.stiffness / self.spacing**2)
        timestep = 0.005 * max(self.gamma, 0.3)
        run = Simulation(
            box,
            x,
            kinds,
            self.force or wca(1.0, self.gamma),
            timestep=timestep,
            seed=self.seed,
            springs=springs,
        )
        run.do("group guests type 2")
        run.separate(1.0, (1.0, self.gamma), "guests")
        run.equilibrate(1.0, self.equilibration)
        frames, energies = run.produce(1.0, self.production, EVERY)
        n = len(x)
        sites = np.concatenate([hosts, np.full((count, 3), np.nan)])
        return Sample(
            name=name,
            box=box,
            positions=wrap(box, frames[-1]),
            kinds=kinds,
            species=("A", "B"),
            diameters=np.where(kinds == 0, 1.0, self.gamma),
            truth=DISORDERED,
            labels=np.full(n, DISORDERED),
            certain=np.ones(n, bool),
            grains=np.where(kinds == 0, 0, -1),
            spacing=self.spacing,
            sublattice=self.host,
            sites=sites,
            moved=moved(frames, self.spacing),
            evidence=measure(
                box, frames, energies, kinds, 1.0, EVERY * timestep, sites, self.spacing, began, kinds
            ),
        )


def _salt(charge: int, contact: float, guest: float, cuts: tuple[float, float, float]) -> Force:
    """Hosts of a high charge and guests of charge 1; cuts of host–host, host–guest and guest–guest pairs."""
    style, *pairs = charged((1.0, guest), (-charge, 1), contact, 2.0, max(cuts))
    return (style, *(replace(pair, cut=cut) for pair, cut in zip(pairs, cuts, strict=True)))  # type: ignore[type-var]


#: The first three need no springs: large hosts keep their lattice by charge or crowding while small guests flow.
HALF_MOLTEN: dict[str, HalfMolten] = {
    "fcc hosts 1:3 charged": HalfMolten(
        "fcc",
        (5, 5, 5),
        3,
        1.197,
        0.3,
        _salt(3, 8.0, 0.3, (1.6, 1.4, 1.1)),
        0.0,
        seed=301,
        equilibration=7000,
        production=3500,
    ),
    "bcc hosts 1:6 charged": HalfMolten(
        "bcc",
        (5, 5, 5),
        6,
        1.13,
        0.3,
        _salt(6, 4.0, 0.3, (1.5, 1.25, 0.9)),
        0.0,
        seed=302,
        equilibration=1500,
        production=3000,
    ),
    "fcc hosts 1:1 WCA": HalfMolten("fcc", (6, 6, 6), 1, 1.104, 0.2, (), 0.0, seed=304),
}
for _host, _cells, _spacing in (
    ("sc", (10, 8, 8, 7), 1.2),
    ("fcc", (6, 5, 5, 5), 1.2),
    ("bcc", (8, 6, 6, 6), 1.2),
):
    for _cell, _ratio, _gamma in zip(_cells, (1, 3, 4, 6), (0.4, 0.4, 0.35, 0.3), strict=True):
        HALF_MOLTEN[f"{_host} hosts 1:{_ratio} network"] = HalfMolten(
            _host, (_cell, _cell, _cell), _ratio, _spacing, _gamma, seed=310 + len(HALF_MOLTEN)
        )


# ---------------------------------------------------------------------------------------------------------- crystallites


@dataclass(frozen=True)
class Crystallite:
    """A ball of crystal in its own liquid: held while the rest melts and cools, then released.

    Args:
        phase: name in the catalogue.
        repeats: conventional cells along each axis.
        radius: of the ball [d].
        scale: of the hard-sphere cell of diameter ratio `gamma`, inside the ball.
        dilution: share of the particles outside that are taken out, which makes the liquid's density.
        force: LAMMPS lines.
        melt: temperature at which the rest melts.
        stiffness: of springs within the ball that stay [kT/d²]; 0 where it is released altogether.
        margin: of certainty inside and outside of the radius [d].
    """

    phase: str
    repeats: tuple[int, int, int]
    radius: float
    scale: float
    dilution: float
    force: Force
    kT: float
    melt: float
    gamma: float = 1.0
    stiffness: float = 0.0
    margin: tuple[float, float] = (1.5, 2.5)
    timestep: float = 0.005
    melting: int = 1500
    equilibration: int = 2000
    production: int = 3000
    seed: int = 1

    def make(self, name: str) -> Sample:
        """Run it."""
        began = time.process_time()
        rng = np.random.default_rng(self.seed)
        cell = {
            k: float(v) * (self.scale if k in "ac" else 1.0)
            for k, v in hard.constants(self.phase, self.gamma).items()
        }
        box, sites, kinds, species = lattice(self.phase, cell, self.repeats)
        spacing = float(
            neighbour_pairs(box, sites, 1.3 * float(np.prod(box[:3]) / len(sites)) ** (1 / 3))[1].min()
        )
        reach = np.linalg.norm(sites, axis=1) / spacing
        keep = reach <= self.radius
        for kind in range(len(species)):
            outside = rng.permutation(np.flatnonzero((reach > self.radius) & (kinds == kind)))
            keep[outside[round(self.dilution * len(outside)) :]] = True
        sites, kinds, reach = sites[keep], kinds[keep], reach[keep]
        ball = reach <= self.radius
        springs = None
        if self.stiffness:
            pairs, lengths = neighbour_pairs(box, sites, 1.5 * spacing)
            within = ball[pairs].all(axis=1)
            springs = Springs(pairs[within], lengths[within], self.stiffness / spacing**2)
        run = Simulation(
            box, sites, kinds, self.force, timestep=self.timestep, seed=self.seed, springs=springs
        )
        run.do(f"region ball sphere 0 0 0 {self.radius * spacing} units box", "group ball region ball")
        run.do("group rest subtract all ball")
        if self.stiffness:
            # A weak anchor keeps the network from turning as a whole.
            run.do(f"fix anchor ball spring/self {10 * self.kT / spacing**2}")
        run.equilibrate(self.melt, self.melting, "rest")
        run.equilibrate(self.kT, self.equilibration // 2, "rest", hot=self.melt)
        # The liquid settles around the ball at rest, then both move.
        run.equilibrate(self.kT, self.equilibration // 2, "rest")
        run.velocities(self.kT)
        run.equilibrate(self.kT, self.equilibration)
        frames, energies = run.produce(self.kT, self.production, EVERY)
        inner, outer = self.radius - self.margin[0], self.radius + self.margin[1]
        core = reach <= inner
        held = np.where(core[:, None], sites, np.nan)
        centre = np.nanmean(wrap(box, frames[-1] - sites)[core], axis=0)
        final = np.linalg.norm(wrap(box, frames[-1] - centre), axis=1) / spacing
        grains = np.where(final <= self.radius, 0, -1)
        return Sample(
            name=name,
            box=box,
            positions=wrap(box, frames[-1]),
            kinds=kinds,
            species=species,
            diameters=np.where(kinds == 0, 1.0, self.gamma),
            truth=self.phase,
            labels=np.where(grains == 0, self.phase, DISORDERED),
            certain=(final <= inner) | (final >= outer),
            grains=grains,
            spacing=spacing,
            sites=held,
            moved=moved(frames, spacing),
            evidence=measure(
                box, frames, energies, kinds, self.kT, EVERY * self.timestep, held, spacing, began
            ),
        )


CRYSTALLITES: dict[str, Crystallite] = {
    # Near coexistence, so that the ball neither grows nor melts in the time of the run.
    "fcc LJ in its liquid": Crystallite(
        "fcc", (10, 10, 10), 5.5, (2**0.5 / 0.97) ** (1 / 3), 0.08, lennard_jones((1.0,)), 0.69, 2.0, seed=401,
        melting=1000, equilibration=1000, production=2000,
    ),
    "fcc network in WCA liquid": Crystallite(
        "fcc", (10, 10, 10), 5.5, (2**0.5 / 1.03) ** (1 / 3), 0.15, wca(1.0), 1.0, 3.0, stiffness=20.0, seed=402
    ),
    "hcp network in WCA liquid": Crystallite(
        "hcp", (15, 16, 10), 5.0, (2**0.5 / 1.03) ** (1 / 3), 0.15, wca(1.0), 1.0, 3.0, stiffness=20.0, seed=403
    ),
    "bcc network in r^-6 liquid": Crystallite(
        "bcc", (11, 11, 11), 5.0, (1.299 / 2.2) ** (1 / 3), 0.15, soft(6, 1.6), 1.0, 3.0, stiffness=20.0, seed=404,
        melting=1000, equilibration=1500, production=2000,
    ),
    "CsCl network in its liquid": Crystallite(
        "CsCl", (11, 11, 11), 4.5, 1.08, 0.15, charged((1.0, 0.8), (1, -1), 2.0, 3.0, 1.6), 1.0, 2.0, gamma=0.8,
        stiffness=40.0, seed=405, melting=1000, equilibration=2000,
    ),
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------- grains


@dataclass(frozen=True)
class Stack:
    """Close-packed layers along z in a given order.

    Args:
        layers: letters A, B, C from below; periodic, so that the last differs from the first.
        cells: orthorhombic cells of two particles along x and y in each layer.
        twin: whether the two senses of ABC and ACB are two grains, turned by 60° about z.
    """

    layers: str
    cells: tuple[int, int]
    truth: str
    twin: bool = False
    density: float = 1.1
    force: Force = field(default_factory=lambda: wca(1.0))
    kT: float = 1.0
    timestep: float = 0.005
    equilibration: int = 2000
    production: int = 3000
    seed: int = 1

    @property
    def turned(self) -> bool:
        """Whether there are two grains."""
        return self.twin

    def make(self, name: str) -> Sample:
        """Run it."""
        began = time.process_time()
        d = (2**0.5 / self.density) ** (1 / 3)
        edges = np.array([1, 3**0.5, (2 / 3) ** 0.5]) * d
        count = len(self.layers)
        box = np.array([*(edges * [*self.cells, count]), 0, 0, 0])
        plane = np.stack(np.meshgrid(*map(np.arange, self.cells), indexing="ij"), -1).reshape(-1, 1, 2)
        plane = (plane + np.array([[0, 0], [0.5, 0.5]])).reshape(-1, 2) * edges[:2]
        step = np.array(["ABC".index(letter) for letter in self.layers])
        layer = np.repeat(np.arange(count), len(plane))
        sites = np.column_stack([np.tile(plane, (count, 1)), layer * edges[2]])
        sites[:, 1] += step[layer] * d / 3**0.5
        sites = wrap(box, sites - box[:3] / 2)
        up, down = (np.roll(step, -1) - step) % 3, (step - np.roll(step, 1)) % 3
        # Neighbours above and below in the same place make a layer hexagonal.
        cubic = up == down
        alike = (np.roll(cubic, 1) == cubic) & (np.roll(cubic, -1) == cubic)
        grain = np.where(cubic, np.where(up == 1, 0, 1), -1) if self.twin else np.zeros(count, int)
        kinds = np.zeros(len(sites), int)
        run = Simulation(box, sites, kinds, self.force, timestep=self.timestep, seed=self.seed)
        run.velocities(2 * self.kT)
        run.equilibrate(self.kT, self.equilibration)
        frames, energies = run.produce(self.kT, self.production, EVERY)
        return Sample(
            name=name,
            box=box,
            positions=wrap(box, frames[-1]),
            kinds=kinds,
            species=("A",),
            diameters=np.ones(len(sites)),
            truth=self.truth,
            labels=np.where(cubic, "fcc", "hcp")[layer],
            certain=alike[layer],
            grains=grain[layer],
            spacing=d,
            sites=sites,
            moved=moved(frames, d),
            axis=(0.0, 0.0, 1.0) if self.twin else None,
            angle=60.0 if self.twin else None,
            evidence=measure(box, frames, energies, kinds, self.kT, EVERY * self.timestep, sites, d, began),
        )


@dataclass(frozen=True)
class Bicrystal:
    """Two grains of one lattice, turned against each other by a known rotation.

    Either two slabs with boundaries normal to y, symmetric about [001] by twice the angle whose tangent is 1/3, which is
    periodic along x (coincidence of every fifth site), or a ball within a grain, about any axis by any angle.

    Args:
        phase: ``"fcc"`` or ``"bcc"``.
        spacing: nearest-neighbour distance.
        cells: of the slabs, √10 a along x, √10 a along y in each slab, a along z; of the ball, a along each axis.
        radius: of the ball [d]; 0 for slabs.
        axis: of the rotation that takes grain 0 into grain 1.
        angle: of that rotation [degrees].
        margin: of certainty on each side of a boundary [d].
        anchor: of springs from the certain particles of grain 1 to their sites [kT/d²].
    """

    phase: str
    spacing: float
    cells: tuple[int, int, int]
    force: Force
    radius: float = 0.0
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    angle: float = 2 * float(np.degrees(np.arctan(1 / 3)))
    kT: float = 1.0
    margin: float = 2.0
    anchor: float = 0.0
    timestep: float = 0.005
    equilibration: int = 2000
    production: int = 3000
    seed: int = 1

    @property
    def turned(self) -> bool:
        """Whether there are two grains."""
        return True

    def _sites(self) -> tuple[Array, Array, NDArray[np.intp], Array]:
        """Box, sites, grains, and distances from the nearest boundary."""
        import rowan

        a = float(hard.constants(self.phase)["a"]) * self.spacing
        basis = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
        if self.phase == "fcc":
            basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        edges = np.array(self.cells, float) * a
        if not self.radius:
            edges[:2] *= 10**0.5
            edges[1] *= 2
        box = np.array([*edges, 0, 0, 0])
        half = int(np.ceil(np.linalg.norm(edges) / a / 2)) + 1
        cells = np.stack(np.meshgrid(*[np.arange(-half, half)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
        points = ((cells + basis) * a).reshape(-1, 3)
        turn = np.radians(self.angle)
        halves = (0.0, turn) if self.radius else (-turn / 2, turn / 2)
        found, grains, depths = [], [], []
        for number, angle in enumerate(halves):
            x = rowan.rotate(rowan.from_axis_angle(self.axis, angle), points)
            if self.radius:
                depth = self.radius * self.spacing - np.linalg.norm(x, axis=1)
            else:
                depth = edges[1] / 4 - np.abs(np.abs(x[:, 1]) - edges[1] / 4)
                depth = np.where(x[:, 1] >= 0, depth, -depth)
            depth = depth if number else -depth
            # Half-open, by a hair below so that rounding does not decide on sites on the faces.
            within = np.all((x >= -edges / 2 - 1e-6) & (x < edges / 2 - 1e-6), axis=1) & (depth >= 0)
            found.append(x[within])
            grains.append(np.full(within.sum(), number))
            depths.append(depth[within])
        x, grain, depth = wrap(box, np.concatenate(found)), np.concatenate(grains), np.concatenate(depths)
        # Where the grains overlap, the particle of grain 0 gives way.
        pairs, _ = neighbour_pairs(box, x, 0.8 * self.spacing)
        out = np.unique(np.where(grain[pairs[:, 0]] == 0, pairs[:, 0], pairs[:, 1]))
        keep = np.setdiff1d(np.arange(len(x)), out)
        return box, x[keep], grain[keep], depth[keep]

    def make(self, name: str) -> Sample:
        """Run it."""
        began = time.process_time()
        box, sites, grains, depth = self._sites()
        kinds = np.zeros(len(sites), int)
        certain = depth > self.margin * self.spacing
        held = np.where(certain[:, None], sites, np.nan)
        run = Simulation(box, sites, kinds, self.force, timestep=self.timestep, seed=self.seed)
        if self.anchor:
            tags = np.flatnonzero(certain & (grains == 1)) + 1
            run.do(f"group inner id {' '.join(map(str, tags))}")
            run.do(f"fix anchor inner spring/self {self.anchor * self.kT / self.spacing**2}")
        run.relax(self.kT)
        run.velocities(self.kT)
        run.equilibrate(self.kT, self.equilibration)
        frames, energies = run.produce(self.kT, self.production, EVERY)
        n = len(sites)
        return Sample(
            name=name,
            box=box,
            positions=wrap(box, frames[-1]),
            kinds=kinds,
            species=("A",),
            diameters=np.ones(n),
            truth=self.phase,
            labels=np.full(n, self.phase),
            certain=certain,
            grains=grains,
            spacing=self.spacing,
            sites=held,
            moved=moved(frames, self.spacing),
            axis=self.axis,
            angle=self.angle,
            evidence=measure(
                box,
                frames,
                energies,
                kinds,
                self.kT,
                EVERY * self.timestep,
                held,
                self.spacing,
                began,
                grains,
            ),
        )


GRAINS: dict[str, Stack | Bicrystal] = {
    "stacking fault": Stack("ABCABCABCBCABCABCABC"[:20], (10, 6), "fcc", seed=501),
    "twin": Stack("ABCABCABCACBACBACB", (10, 6), "fcc", twin=True, seed=502),
    "fcc and hcp blocks": Stack("ABCABCABCABABABABAB", (10, 6), "hcp", seed=503),
    "fcc Σ5 slabs": Bicrystal("fcc", 1.06, (2, 2, 8), wca(1.0), seed=504),
    "bcc Σ5 slabs": Bicrystal("bcc", 0.68, (3, 2, 10), soft(6, 1.4), seed=505, timestep=0.004),
    # Weak anchors, since a free ball turns towards the grain around it and shrinks under the curvature of its boundary.
    "fcc anchored ball of 30° about [123]": Bicrystal(
        "fcc", 1.12, (10, 10, 10), lennard_jones((1.0,), cut=2.0), radius=6.0,
        axis=(1 / 14**0.5, 2 / 14**0.5, 3 / 14**0.5), angle=30.0, kT=0.45, anchor=20.0, seed=506, equilibration=1500,
        production=2500,
    ),
}  # fmt: skip
