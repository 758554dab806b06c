"""Rigid bodies of beads: nanocrystals that are no spheres, as engines move them.

Beads tile a cage whose faces are parallel to the core's. Their diameter σ and the cage are such that a bead ends where the
ligand shell of thickness t ends: on faces at t above the core. The smallest bead, σ = 2t, has its centre on the core's own
surface, and then the beads' outline is the core with a ball of radius t rolled over it, up to the hollows between beads.
Larger beads need a smaller cage, (σ/2 - t) below the surface: fewer beads do, but the body is rounder than the capped core.
Both roundnesses are known as exponents of superballs (`shapes`), so that the price of fewer beads can be read.

Hollows make faces rough: two faces of hard beads are σ apart where bead meets bead and ``√(σ² - ρ²)`` where bead meets
hollow, with ρ the distance from the middle of a hollow to the beads around it, s/√2 in squares of side s. Up to s = σ/2
the difference is 6.5 % of σ; that is the default. Soft shells feel less of it, as the energies of `interactions.bodies`
show.

Mass and friction are no measured ones. Mass is that of `models.shells`, so that momentum relaxes within a Brownian time;
moments of inertia are the core's for that mass. Friction is Stokes' of the sphere that has the volume of the capped core,
``γ ∝ d``, ``γ_r = γ d²/3``. For a bare cube that γ is too small by about 6.5 %: friction is nearly proportional to the
capacity (Hubbard and Douglas, Phys. Rev. E 47, R2983 (1993)), which for a cube is 0.660 l by boundary elements computed
for this, for the sphere of its volume 0.620 l. Averages in equilibrium do not depend on any of these; how fast plates turn
and drift does, and for them a sphere is a poor guide.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError
from supercrystal.shapes import Shape

#: Spacing of beads over their diameter, at most; beyond `HOLES` they leave holes.
SPACING = 0.5
HOLES = 1.0
#: More beads than this in one body are refused: a body of so many moves no faster than its atoms would.
MOST_BEADS = 5000


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid body: beads about a centre of mass, in the frame of its principal axes.

    A bead stands at ``r + q b q*``: `positions` b turned by the body's unit quaternion q (w, x, y, z) and moved to its
    centre r. Beads have no mass of their own; mass and moments are the body's.

    Args:
        name: particle type of the body's centre.
        positions: of the beads from the centre of mass, (M, 3) [nm].
        bead_types: particle type of each bead, M of them.
        mass: of the body [kT τ_B²/nm²].
        moments: principal moments of inertia about x, y, z [kT τ_B²].
        friction: Langevin friction of the centre [kT τ_B/nm²].
        rotational_friction: torque over angular velocity about x, y, z [kT τ_B].

    Raises:
        PhysicsError: no beads, shapes or counts that disagree, values that are not finite, or a mass, moment or
            friction that is not positive.
    """

    name: str
    positions: NDArray[np.float64]
    bead_types: tuple[str, ...]
    mass: float
    moments: tuple[float, float, float]
    friction: float
    rotational_friction: tuple[float, float, float]

    def __post_init__(self) -> None:
        positions = np.array(self.positions, float)
        if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions):
            raise PhysicsError(
                f"the beads of body '{self.name}' need positions (M, 3); got {positions.shape}"
            )
        if len(self.bead_types) != len(positions):
            raise PhysicsError(
                f"body '{self.name}' has {len(positions)} beads and {len(self.bead_types)} bead types; give one each"
            )
        if self.name in self.bead_types:
            raise PhysicsError(f"a bead cannot have the type of its body's centre, '{self.name}'; rename one")
        if not np.all(np.isfinite(positions)):
            raise PhysicsError(f"a bead of body '{self.name}' has a position that is not finite")
        positive = {
            "mass": (self.mass,),
            "moments": self.moments,
            "friction": (self.friction,),
            "rotational friction": self.rotational_friction,
        }
        for what, values in positive.items():
            if not all(np.isfinite(value) and value > 0 for value in values):
                raise PhysicsError(f"{what} of body '{self.name}' must be finite and > 0; got {values}")
        positions.setflags(write=False)
        object.__setattr__(self, "positions", positions)

    @property
    def radius(self) -> float:
        """Distance of the outermost bead from the centre [nm]."""
        return float(np.linalg.norm(self.positions, axis=1).max())


@dataclass(frozen=True, eq=False)
class Tiling:
    """Beads on the surface of a core.

    Args:
        core: what is tiled.
        shell: thickness t of its ligand shell [nm].
        cage: the polyhedron whose surface the beads stand on.
        positions: (M, 3) centres of beads in the frame of the core [nm].
        bead_diameter: σ [nm].
        spacing: largest distance of neighbours along edges and rows of the cage [nm].
        hollow: ρ, largest distance from a point of the cage's faces to the nearest bead [nm].
    """

    core: Shape
    shell: float
    cage: Shape
    positions: NDArray[np.float64]
    bead_diameter: float
    spacing: float
    hollow: float

    @property
    def capped(self) -> Shape:
        """The core in its shell."""
        return self.core.capped(self.shell)

    @property
    def outline(self) -> Shape:
        """What the beads fill, hollows filled as well."""
        return self.cage.capped(self.bead_diameter / 2)

    @property
    def corrugation(self) -> float:
        """How much closer two such faces of hard beads come where beads meet hollows, over σ [-]."""
        return 1 - math.sqrt(1 - (self.hollow / self.bead_diameter) ** 2)

    def body(self, name: str, bead_type: str, reference: float | None = None) -> Body:
        """The rigid body, in Brownian times of a sphere of diameter `reference`.

        Args:
            name: particle type of the centre.
            bead_type: particle type of all beads.
            reference: diameter d_1 whose ``d_1² / D`` is the unit of time; left out, that of the sphere with the volume
                of the capped core [nm].

        Raises:
            PhysicsError: a reference that is not positive, or as `Body`.
        """
        return Body(
            name,
            self.positions,
            (bead_type,) * len(self.positions),
            *mechanics(self.core, self.shell, reference),
        )


def mechanics(
    core: Shape, shell: float, reference: float | None = None
) -> tuple[float, tuple[float, float, float], float, tuple[float, float, float]]:
    """Mass, moments of inertia, friction and rotational friction of a core in its shell, as the module says.

    Args:
        core: a polyhedron without rounding.
        shell: thickness of its shell [nm].
        reference: diameter that sets the Brownian time, as in `Tiling.body` [nm].

    Raises:
        PhysicsError: a reference that is not positive.
    """
    diameter = 2 * core.capped(shell).sphere_radius
    unit = diameter if reference is None else reference
    if not unit > 0:
        raise PhysicsError(f"the diameter that sets the Brownian time must be > 0 nm; got {reference}")
    mass, friction = 1 / unit**2, diameter / unit**3
    x, y, z = core.gyration
    return mass, (mass * x, mass * y, mass * z), friction, (friction * diameter**2 / 3,) * 3


def tile(
    core: Shape,
    shell: float,
    bead_diameter: float | None = None,
    *,
    spacing: float = SPACING,
    per_edge: int | None = None,
) -> Tiling:
    """Tile the surface of a core by beads.

    Edges are divided evenly. Rectangular faces get the grid of their edges, equilateral triangles theirs, other faces the
    square grid of fewest beads that leaves no larger hollows. A cube of k beads an edge has ``6k² - 12k + 8``.

    Args:
        core: a polyhedron without rounding.
        shell: thickness t ≥ 0 of the ligand shell [nm].
        bead_diameter: σ ≥ 2t; left out, 2t [nm].
        spacing: largest spacing of beads over σ, at most `HOLES` [-].
        per_edge: beads on the longest edge of the cage instead, at least 2.

    Raises:
        PhysicsError: a sphere, which is one site and needs no beads; beads too small for the shell or too large for the
            core; a spacing that leaves holes; more than `MOST_BEADS` beads.

    >>> from supercrystal.shapes import cube
    >>> fine, coarse = tile(cube(8.6), 1.5), tile(cube(8.6), 1.5, 4.2, per_edge=4)
    >>> [(len(one.positions), round(one.corrugation, 3), round(one.outline.exponent, 2)) for one in (fine, coarse)]
    [(218, 0.059, 4.75), (56, 0.09, 3.31)]
    """
    if core.spherical:
        raise PhysicsError("a sphere is one site and needs no beads; give its type the isotropic interaction")
    if core.rounding:
        raise PhysicsError(
            f"give the core without its shell: this {core.name} is rounded by {core.rounding} nm"
        )
    if not 0 <= shell < math.inf:
        raise PhysicsError(f"a shell needs a finite thickness ≥ 0 nm; got {shell}")
    sigma = 2 * shell if bead_diameter is None else bead_diameter
    if not (sigma > 0 and sigma >= 2 * shell * (1 - 1e-9)):
        raise PhysicsError(
            f"beads need a diameter > 0 nm that is at least twice the shell, {2 * shell:.6g} nm; got {sigma}"
        )
    cage = _inset(core, max(sigma / 2 - shell, 0.0))
    longest = max(float(length) for length in cage.polyhedron.edge_lengths)
    if per_edge is not None and per_edge < 2:
        raise PhysicsError(f"an edge has at least its 2 ends as beads; got per_edge = {per_edge}")
    step = spacing * sigma if per_edge is None else longest / (per_edge - 1)
    if not 0 < step <= HOLES * sigma * (1 + 1e-9):
        raise PhysicsError(
            f"beads {step:.4g} nm apart with a diameter of {sigma:.4g} nm leave holes, or the spacing is not > 0: give "
            f"more beads an edge, larger beads, or a spacing in (0, {HOLES:g}]"
        )
    guess = float(cage.surface) / step**2
    if guess > MOST_BEADS:
        raise PhysicsError(
            f"about {guess:.0f} beads of {sigma:.4g} nm would tile this {core.name}, the limit is {MOST_BEADS}: give a "
            "larger bead_diameter or spacing"
        )
    positions, faces = _tiled(cage, step)
    hollow = max(_hollow(positions[own], corners) for own, corners in faces)
    edges = [float(length) / _divisions(float(length), step) for length in cage.polyhedron.edge_lengths]
    return Tiling(core, shell, cage, positions, sigma, max(edges), hollow)


def _inset(core: Shape, depth: float) -> Shape:
    """The polyhedron whose faces lie `depth` below the core's."""
    if depth == 0:
        return core
    from scipy.spatial import HalfspaceIntersection

    equations = np.array(core.polyhedron.equations)
    equations[:, 3] += depth
    if np.any(equations[:, 3] >= 0):
        raise PhysicsError(
            f"beads of this diameter need a cage {depth:.4g} nm below the surface, where the {core.name} has nothing left; "
            "give smaller beads"
        )
    found = HalfspaceIntersection(equations, np.zeros(3)).intersections
    _, first = np.unique((found / np.ptp(found)).round(9) + 0.0, axis=0, return_index=True)
    return replace(core, vertices=found[np.sort(first)], parameters={})


def _divisions(length: float, step: float) -> int:
    return max(1, math.ceil(length / step - 1e-6))


def _tiled(
    cage: Shape, step: float
) -> tuple[NDArray[np.float64], list[tuple[list[int], NDArray[np.float64]]]]:
    """Positions (M, 3), and for each face the beads on it and its corners (n, 3)."""
    points: list[NDArray[np.float64]] = list(cage.vertices)
    between: dict[tuple[int, int], list[int]] = {}
    faces: list[tuple[list[int], NDArray[np.float64]]] = []
    for face in cage.polyhedron.faces:
        loop = [int(v) for v in face]
        own = list(loop)
        sides: list[int] = []
        for a, b in zip(loop, [*loop[1:], loop[0]], strict=True):
            first, last = cage.vertices[min(a, b)], cage.vertices[max(a, b)]
            n = _divisions(float(np.linalg.norm(last - first)), step)
            sides.append(n)
            if (min(a, b), max(a, b)) not in between:
                between[min(a, b), max(a, b)] = list(range(len(points), len(points) + n - 1))
                points += [first + (last - first) * i / n for i in range(1, n)]
            own += between[min(a, b), max(a, b)]
        corners = cage.vertices[loop]
        inner = _interior(corners, sides, step)
        own += range(len(points), len(points) + len(inner))
        points += list(inner)
        faces.append((own, corners))
    return np.array(points), faces


def _interior(corners: NDArray[np.float64], sides: Sequence[int], step: float) -> NDArray[np.float64]:
    """Points (n, 3) inside a face whose edges are divided into `sides`."""
    edges = np.roll(corners, -1, axis=0) - corners
    if (
        len(corners) == 4
        and np.allclose(edges[0], -edges[2])
        and abs(edges[0] @ edges[1]) < 1e-9 * np.sum(edges**2)
    ):
        u, v = (np.arange(1, n) / n for n in sides[:2])
        grid = u[:, None, None] * edges[0] + v[None, :, None] * edges[1]
        return np.asarray(corners[0] + grid.reshape(-1, 3))
    lengths = np.linalg.norm(edges, axis=1)
    if len(corners) == 3 and np.allclose(lengths, lengths[0]):
        n = sides[0]
        weights = np.array([(i, j, n - i - j) for i in range(1, n) for j in range(1, n - i)]).reshape(-1, 3)
        return np.asarray(weights / n @ corners)
    return _fewest(corners, sides, step)


def _fewest(corners: NDArray[np.float64], sides: Sequence[int], step: float) -> NDArray[np.float64]:
    """Fewest points of a square grid inside a face that leave no larger hollows than a grid of side `step`."""
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(edges, axis=1)
    boundary = np.concatenate(
        [a + e * np.arange(n)[:, None] / n for a, e, n in zip(corners, edges, sides, strict=True)]
    )
    normal = np.cross(edges[0], edges[1])
    x = edges[np.argmax(lengths)] / lengths.max()
    y = np.cross(normal / np.linalg.norm(normal), x)
    inward = np.cross(normal / np.linalg.norm(normal), edges / lengths[:, None])
    centre = corners.mean(axis=0)
    reach = float(np.linalg.norm(corners - centre, axis=1).max())
    if len(corners) == 3 and reach < step:
        return np.zeros((0, 3))
    best: NDArray[np.float64] | None = None
    for side in step * np.arange(1.0, 0.49, -0.05):
        ticks = np.arange(-math.ceil(reach / side) - 1, math.ceil(reach / side) + 2) * side
        for shift_x, shift_y in itertools.product((0.0, side / 2), repeat=2):
            u, v = np.meshgrid(ticks + shift_x, ticks + shift_y, indexing="ij")
            grid = centre + u.reshape(-1, 1) * x + v.reshape(-1, 1) * y
            room = np.min(np.sum((grid[:, None] - corners) * inward, axis=2), axis=1)
            for margin in (0.7, 0.5, 0.35):
                inner = grid[room >= margin * side]
                fewer = best is None or len(inner) < len(best)
                if (
                    fewer
                    and _hollow(np.concatenate([boundary, inner]), corners) <= step / math.sqrt(2) + 1e-9
                ):
                    best = inner
    if best is None:
        raise PhysicsError(
            f"no grid of beads {step:.4g} nm apart covers a face with edges of {lengths.round(4).tolist()} nm; "
            "give a smaller spacing"
        )
    return best


def _hollow(beads: NDArray[np.float64], corners: NDArray[np.float64]) -> float:
    """Largest distance from a point of a face to the nearest of its beads [nm]: the largest empty circle."""
    from scipy.spatial import Delaunay, cKDTree

    first = corners[1] - corners[0]
    first = first / np.linalg.norm(first)
    normal = np.cross(first, corners[2] - corners[0])
    second = np.cross(normal / np.linalg.norm(normal), first)
    flat = (beads - corners[0]) @ np.stack([first, second], axis=1)
    outline = (corners - corners[0]) @ np.stack([first, second], axis=1)
    triangles = flat[Delaunay(flat).simplices]
    a, b, c = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    good = np.abs(area) > 1e-6 * np.sum(b**2 + c**2, axis=1)
    a, b, c, area = a[good], b[good], c[good], area[good]
    bb, cc = np.sum(b**2, axis=1), np.sum(c**2, axis=1)
    middle = a + np.stack([c[:, 1] * bb - b[:, 1] * cc, b[:, 0] * cc - c[:, 0] * bb], axis=1) / area[:, None]
    sides = np.roll(outline, -1, axis=0) - outline
    rest = middle[:, None] - outline
    inside = np.all(
        sides[:, 0] * rest[..., 1] - sides[:, 1] * rest[..., 0] >= -1e-9 * np.sum(sides**2), axis=1
    )
    return float(cKDTree(flat).query(middle[inside])[0].max())
