"""The contact potential of convex polyhedra, ALJ, as HOOMD-blue evaluates it.

The potential is that of Ramasubramani et al., J. Chem. Phys. 153, 084106 (2020), doi:10.1063/5.0019735. Two polyhedra
each show the other one face: that in which the nearest pair of points lies. Every corner of the one face meets the
other face, and every edge of the one every edge of the other; each of these features at its own least distance d adds

    u(d) = 4 ε [(σ/d)¹² − (σ/d)⁶],

and repulsive contacts, lifted by ε, end at ``2^(1/6) σ``. A polyhedron and a sphere, or two spheres, are one feature: d is
the distance of their surfaces. So a shell of thickness t on either side is a contact σ with ``2^(1/6) σ = t + t'``: the
bodies then act like their cores with a ball of radius t rolled over them, and nothing is added where that does not reach.

Two aligned faces of equal cubes have 20 features at the same distance (4 + 4 corners; of the 16 pairs of edges 4 above
each other and 8 that meet at corners) and 4 pairs of opposite edges farther away; a corner over a face has 1, two crossed
edges 1. Pressed together, faces are therefore stiffer than corners, and an attraction does not grow as the area in contact.

This is the reference in plain numpy: one pair at a time, for tests, calibration, time steps and starts; HOOMD-blue does
the dynamics. The central part that ALJ has beside the contacts is left out: HOOMD-blue is given a size of zero reach for
it, see `engines.hoomd_polyhedra`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import rowan
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError
from supercrystal.shapes import Shape

Array = NDArray[np.float64]

#: Range of attractive contacts over σ, corner to corner; u there is −0.016 ε.
REACH = 2.5
#: sin² of the angle below which HOOMD-blue takes edges for parallel.
PARALLEL = 1e-6


@dataclass(frozen=True, eq=False)
class Facets:
    """A convex polyhedron about its centre, or a sphere.

    Args:
        vertices: (V, 3) [nm]; of a sphere none.
        faces: corners of each face, counted counterclockwise as seen from outside.
        rounding: radius of a sphere; 0 of a polyhedron [nm].
    """

    vertices: Array
    faces: tuple[tuple[int, ...], ...]
    rounding: float = 0.0

    @classmethod
    def of(cls, shape: Shape) -> Facets:
        """Those of a core.

        Raises:
            PhysicsError: a rounded polyhedron; its rounding is what contacts are for.
        """
        if shape.spherical:
            return cls(np.zeros((0, 3)), (), shape.rounding)
        if shape.rounding:
            raise PhysicsError(f"give the core without its shell: this {shape.name} is rounded")
        made = shape.polyhedron
        faces = tuple(tuple(int(v) for v in face) for face in made.faces)
        return cls(np.asarray(made.vertices, float), faces)

    @property
    def spherical(self) -> bool:
        """Whether it is a sphere."""
        return not self.faces

    @property
    def radius(self) -> float:
        """Of the sphere about the centre that holds it [nm]."""
        return self.rounding if self.spherical else float(np.linalg.norm(self.vertices, axis=1).max())

    @cached_property
    def normals(self) -> Array:
        """Outward unit normals of the faces (F, 3)."""
        loops = [self.vertices[list(face)] for face in self.faces]
        found = np.array([np.cross(loop[1] - loop[0], loop[2] - loop[0]) for loop in loops])
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    @cached_property
    def edges(self) -> NDArray[np.intp]:
        """Ends of all edges (E, 2)."""
        pairs = {
            tuple(sorted(pair)) for face in self.faces for pair in zip(face, face[1:] + face[:1], strict=True)
        }
        return np.array(sorted(pairs), np.intp)

    def facing(self, point: ArrayLike) -> int:
        """Number of the face through which the line from the centre to a `point` on the surface leaves."""
        slope = self.normals @ np.asarray(point, float)
        heights = np.array(
            [n @ self.vertices[face[0]] for n, face in zip(self.normals, self.faces, strict=True)]
        )
        share = np.where(slope > 1e-12, heights / np.where(slope > 1e-12, slope, 1.0), np.inf)
        return int(np.argmin(share))


@dataclass(frozen=True)
class Contact:
    """How two bodies act on each other.

    Args:
        epsilon: ε > 0 of a feature [kT].
        sigma: σ > 0 [nm].
        attractive: whether features attract beyond ``2^(1/6) σ``.
        r_cut: distance of centres beyond which there is nothing [nm].
    """

    epsilon: float
    sigma: float
    attractive: bool
    r_cut: float

    @classmethod
    def between(cls, a: Facets, b: Facets, gap: float, epsilon: float, attractive: bool = False) -> Contact:
        """The contact that ends, or is deepest, at a gap [nm] between the surfaces of a and b."""
        sigma = gap / 2 ** (1 / 6)
        reach = REACH * sigma if attractive else gap
        return cls(epsilon, sigma, attractive, a.radius + b.radius + reach)

    def energy(self, distance: ArrayLike) -> Array:
        """u(d) of one feature at `distance` > 0 [nm], any shape [kT]."""
        d = np.asarray(distance, float)
        s6 = (self.sigma / d) ** 6
        whole = 4 * self.epsilon * (s6**2 - s6)
        if self.attractive:
            return np.asarray(whole)
        return np.where(d < 2 ** (1 / 6) * self.sigma, whole + self.epsilon, 0.0)

    @property
    def closest(self) -> float:
        """Distance of a feature at which it costs 300 kT [nm]."""
        lift = 0.0 if self.attractive else self.epsilon
        # 4 ε (x² − x) + lift = 300 with x = (σ/d)⁶
        x = (1 + math.sqrt(1 + (300.0 - lift) / self.epsilon)) / 2
        return float(self.sigma * x ** (-1 / 6))


def _to_segments(points: Array, start: Array, end: Array) -> tuple[Array, Array]:
    """Nearest points on segments to points, and their distances; all broadcast."""
    along = end - start
    share = np.clip(np.sum((points - start) * along, -1) / np.sum(along**2, -1), 0, 1)
    nearest = start + share[..., None] * along
    return nearest, np.linalg.norm(points - nearest, axis=-1)


def _to_face(points: Array, corners: Array) -> tuple[Array, Array]:
    """Nearest points of a convex face (n, 3) to points (P, 3), and their distances."""
    after = np.roll(corners, -1, axis=0)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal = normal / np.linalg.norm(normal)
    inward = np.cross(normal, after - corners)
    height = (points - corners[0]) @ normal
    within = np.all(np.sum((points[:, None] - corners) * inward, -1) >= 0, axis=1)
    rim, apart = _to_segments(points[:, None], corners, after)
    best = np.argmin(apart, axis=1)
    rows = np.arange(len(points))
    nearest = np.where(within[:, None], points - height[:, None] * normal, rim[rows, best])
    return nearest, np.where(within, np.abs(height), apart[rows, best])


def _between_segments(
    p0: Array, p1: Array, q0: Array, q1: Array, middle: bool = False
) -> tuple[Array, Array, Array]:
    """Nearest points of segments and their distances; all broadcast to (..., 3).

    With `middle` parallel segments are taken at the middle of what lies side by side, as HOOMD-blue does it.
    """
    p0, p1, q0, q1 = np.broadcast_arrays(p0, p1, q0, q1)
    candidates_p, candidates_q = [], []
    for fixed in (p0, p1):
        nearest, _ = _to_segments(fixed, q0, q1)
        candidates_p.append(fixed)
        candidates_q.append(nearest)
    for fixed in (q0, q1):
        nearest, _ = _to_segments(fixed, p0, p1)
        candidates_p.append(nearest)
        candidates_q.append(fixed)
    u, v, w = p1 - p0, q1 - q0, p0 - q0
    uu, vv, uv = np.sum(u * u, -1), np.sum(v * v, -1), np.sum(u * v, -1)
    uw, vw = np.sum(u * w, -1), np.sum(v * w, -1)
    det = uu * vv - uv**2
    parallel = det <= PARALLEL * uu * vv
    safe = np.where(parallel, 1.0, det)
    s, t = (uv * vw - vv * uw) / safe, (uu * vw - uv * uw) / safe
    crossing = ~parallel & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    candidates_p.append(np.where(crossing[..., None], p0 + s[..., None] * u, p0))
    candidates_q.append(np.where(crossing[..., None], q0 + t[..., None] * v, candidates_q[0]))
    p, q = np.stack(candidates_p), np.stack(candidates_q)
    distance = np.linalg.norm(p - q, axis=-1)
    best = np.argmin(distance, axis=0)[None]
    pick = best[..., None]
    on_p, on_q = np.take_along_axis(p, pick, 0)[0], np.take_along_axis(q, pick, 0)[0]
    if middle:
        # both ends of the one brought to the other, and halved: the middle of what lies side by side
        (a, _), (b, _) = _to_segments(q0, p0, p1), _to_segments(q1, p0, p1)
        (c, _), (d, _) = _to_segments(p0, q0, q1), _to_segments(p1, q0, q1)
        on_p = np.where(parallel[..., None], (a + b) / 2, on_p)
        on_q = np.where(parallel[..., None], (c + d) / 2, on_q)
    return on_p, on_q, np.linalg.norm(on_p - on_q, axis=-1)


def _placed(body: Facets, r: ArrayLike, q: ArrayLike) -> Array:
    return np.asarray(rowan.rotate(np.asarray(q, float), body.vertices) + np.asarray(r, float))


def nearest_points(
    a: Facets, b: Facets, r: ArrayLike, qa: ArrayLike, qb: ArrayLike
) -> tuple[Array, Array, float]:
    """Nearest points of a, about the origin, and of b, about r, and their distance; those of spheres are on their surface.

    Of bodies that overlap the distance is negative or 0, and the points mean nothing.

    Args:
        a: the one.
        b: the other.
        r: centre of b (3,) [nm].
        qa: orientation of a (w, x, y, z).
        qb: of b.
    """
    shift = np.asarray(r, float)
    if a.spherical and b.spherical:
        apart = float(np.linalg.norm(shift))
        line = shift / apart if apart else np.array([1.0, 0, 0])
        return a.rounding * line, shift - b.rounding * line, apart - a.rounding - b.rounding
    if a.spherical:
        own = rowan.conjugate(np.asarray(qb, float))
        onto, point, distance = nearest_points(b, a, rowan.rotate(own, -shift), (1, 0, 0, 0), (1, 0, 0, 0))
        return rowan.rotate(qb, point) + shift, rowan.rotate(qb, onto) + shift, distance
    va = _placed(a, (0, 0, 0), qa)
    loops = [va[list(face)] for face in a.faces]
    if b.spherical:
        inside = np.all((rowan.rotate(qa, a.normals) * (shift - [loop[0] for loop in loops])).sum(1) <= 0)
        found = [_to_face(shift[None], loop) for loop in loops]
        best = int(np.argmin([one[1][0] for one in found]))
        point, apart = found[best][0][0], float(found[best][1][0])
        if inside or not apart:
            return point, point, -apart - b.rounding
        return point, shift + b.rounding * (point - shift) / apart, apart - b.rounding
    vb = _placed(b, shift, qb)
    if not _separated(a, b, va, vb, qa, qb):
        return shift / 2, shift / 2, -0.0
    options: list[tuple[float, Array, Array]] = []
    for loop in loops:
        on, far = _to_face(vb, loop)
        k = int(np.argmin(far))
        options.append((float(far[k]), on[k], vb[k]))
    for face in b.faces:
        on, far = _to_face(va, vb[list(face)])
        k = int(np.argmin(far))
        options.append((float(far[k]), va[k], on[k]))
    ea, eb = va[a.edges], vb[b.edges]
    p, s, far = _between_segments(ea[:, None, 0], ea[:, None, 1], eb[None, :, 0], eb[None, :, 1])
    k = int(np.argmin(far))
    options.append((float(far.ravel()[k]), p.reshape(-1, 3)[k], s.reshape(-1, 3)[k]))
    distance, on_a, on_b = min(options, key=lambda option: option[0])
    return on_a, on_b, distance


def _separated(a: Facets, b: Facets, va: Array, vb: Array, qa: ArrayLike, qb: ArrayLike) -> bool:
    """Whether some plane lies between two polyhedra: normal to a face of either, or to an edge of each."""
    na, nb = rowan.rotate(qa, a.normals), rowan.rotate(qb, b.normals)
    ua = va[a.edges[:, 1]] - va[a.edges[:, 0]]
    ub = vb[b.edges[:, 1]] - vb[b.edges[:, 0]]
    across = np.cross(ua[:, None], ub[None]).reshape(-1, 3)
    axes = np.vstack([na, nb, across])
    axes = axes[np.linalg.norm(axes, axis=1) > 1e-9]
    pa, pb = axes @ va.T, axes @ vb.T
    return bool(np.any((pa.max(1) < pb.min(1)) | (pb.max(1) < pa.min(1))))


def features(a: Facets, b: Facets, r: ArrayLike, qa: ArrayLike, qb: ArrayLike) -> Array:
    """Distances of all features of two bodies that do not overlap [nm]; arguments as `nearest_points`.

    Raises:
        PhysicsError: bodies that overlap.
    """
    on_a, on_b, distance = nearest_points(a, b, r, qa, qb)
    if distance <= 0:
        raise PhysicsError("the bodies overlap: there is no contact energy")
    if a.spherical or b.spherical:
        return np.array([distance])
    va, vb = _placed(a, (0, 0, 0), qa), _placed(b, r, qb)
    one = va[list(a.faces[a.facing(rowan.rotate(rowan.conjugate(np.asarray(qa, float)), on_b))])]
    back = rowan.rotate(rowan.conjugate(np.asarray(qb, float)), on_a - np.asarray(r, float))
    other = vb[list(b.faces[b.facing(back)])]
    p0, q0 = one[:, None], other[None]
    p1, q1 = np.roll(one, -1, axis=0)[:, None], np.roll(other, -1, axis=0)[None]
    return np.concatenate([
        _to_face(one, other)[1],
        _to_face(other, one)[1],
        _between_segments(p0, p1, q0, q1, middle=True)[2].ravel(),
    ])  # fmt: skip


def energy(a: Facets, b: Facets, contact: Contact, r: ArrayLike, qa: ArrayLike, qb: ArrayLike) -> float:
    """Energy of two bodies [kT]; infinite where they overlap. Arguments as `nearest_points`."""
    if float(np.linalg.norm(r)) >= contact.r_cut:
        return 0.0
    try:
        return float(np.sum(contact.energy(features(a, b, r, qa, qb))))
    except PhysicsError:
        return math.inf


def facing_energies(a: Facets, b: Facets, contact: Contact, distances: Sequence[float] | Array) -> Array:
    """Energies of two upright bodies on a line along x at centre distances [nm]: face to face for cuboids [kT]."""
    upright = (1.0, 0.0, 0.0, 0.0)
    return np.array([energy(a, b, contact, (float(d), 0.0, 0.0), upright, upright) for d in distances])
