"""Shapes of nanocrystals: a convex polyhedron, a ball rolled over it, and what follows from the two.

A shape is the hull of its vertices with every point swollen by `rounding`. A core is a polyhedron without rounding, or a
single point swollen to a sphere; a ligand shell of thickness t adds t to the rounding, which is what ligands of one length
at every point of the surface fill, splaying over edges and corners. Volumes, surfaces and inertia are coxeter's.

How cube-like a capped cube still is, `superball_exponent` says as the exponent of a superball
``|x|^2q + |y|^2q + |z|^2q ≤ r^2q``, 1 for spheres and infinite for cubes, that has the same ratio of diagonal to face. This
is a proposal from geometry, not a mapping of the literature: the two shapes agree in two directions and in no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import PhysicsError

#: Vertices nearer to the hull of the others than this, over the size of the shape, are no vertices.
FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Shape:
    """A convex body, its centroid at the origin and its principal axes along x, y, z.

    Args:
        name: ``"sphere"``, ``"cube"``, ``"truncated cube"``, ``"plate"``, ``"truncated plate"`` or ``"polyhedron"``.
        vertices: (V, 3) of the polyhedron; of a sphere, the origin [nm].
        rounding: radius of the ball rolled over the polyhedron [nm].
        parameters: what the shape was made from [nm].
    """

    name: str
    vertices: NDArray[np.float64]
    rounding: float = 0.0
    parameters: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices, float)
        vertices.setflags(write=False)
        object.__setattr__(self, "vertices", vertices)

    @property
    def spherical(self) -> bool:
        """Whether it is a sphere."""
        return len(self.vertices) == 1

    @cached_property
    def polyhedron(self) -> Any:
        """The unrounded ``coxeter.shapes.ConvexPolyhedron``.

        Raises:
            PhysicsError: a sphere, which has none.
        """
        from coxeter.shapes import ConvexPolyhedron

        if self.spherical:
            raise PhysicsError("a sphere has no faces")
        return ConvexPolyhedron(self.vertices)

    @cached_property
    def _rounded(self) -> Any:
        from coxeter.shapes import ConvexSpheropolyhedron, Sphere

        if self.spherical:
            return Sphere(self.rounding)
        return ConvexSpheropolyhedron(self.vertices, self.rounding) if self.rounding else self.polyhedron

    @property
    def volume(self) -> float:
        """Volume [nm³]."""
        return float(self._rounded.volume)

    @property
    def surface(self) -> float:
        """Surface area [nm²]."""
        return float(self._rounded.surface_area)

    @property
    def sphere_radius(self) -> float:
        """Radius of the sphere of equal volume [nm]."""
        return float((3 * self.volume / (4 * np.pi)) ** (1 / 3))

    @property
    def gyration(self) -> tuple[float, float, float]:
        """Principal moments of inertia about x, y, z of the homogeneous body, over its mass [nm²].

        Raises:
            PhysicsError: a rounded polyhedron, whose inertia coxeter does not know; take the core's.
        """
        if self.rounding and not self.spherical:
            raise PhysicsError(
                f"the inertia of a {self.name} with rounding is not known; take that of its core, `shape.core`"
            )
        x, y, z = np.diag(self._rounded.inertia_tensor) / self.volume
        return float(x), float(y), float(z)

    @property
    def core(self) -> Shape:
        """The polyhedron without rounding; a sphere is its own core."""
        return self if self.spherical else replace(self, rounding=0.0)

    def capped(self, thickness: float) -> Shape:
        """The shape in a shell of the given thickness.

        Args:
            thickness: t ≥ 0 [nm].

        Raises:
            PhysicsError: a negative thickness.

        >>> box = cube(8.6).capped(1.5)
        >>> round(box.volume, 3), round(box.extent((1, 0, 0)), 3), round(box.exponent, 2)
        (1498.203, 5.8, 4.75)
        """
        if not 0 <= thickness < np.inf:
            raise PhysicsError(f"a shell needs a finite thickness ≥ 0 nm; got {thickness}")
        return replace(self, rounding=self.rounding + thickness)

    def scaled(self, factor: float) -> Shape:
        """Return the shape with all lengths times `factor` > 0."""
        if not 0 < factor < np.inf:
            raise PhysicsError(f"a shape can be scaled by a finite factor > 0; got {factor}")
        parameters = {
            key: tuple(factor * x for x in value) if isinstance(value, tuple) else factor * value
            for key, value in self.parameters.items()
        }
        return replace(
            self, vertices=factor * self.vertices, rounding=factor * self.rounding, parameters=parameters
        )

    def extent(self, direction: ArrayLike) -> float:
        """Distance from the centre to the surface along a direction of the body's frame, of any length [nm].

        Of a rounded polyhedron the distance at which the polyhedron ends, and the rounding: exact along normals of
        faces, and along the lines from the centre to edges and corners that are normal to the ball there.

        Raises:
            PhysicsError: no direction.
        """
        along = np.asarray(direction, float)
        if along.shape != (3,) or not np.any(along):
            raise PhysicsError(f"a direction is three numbers, not all 0; got {direction!r}")
        if self.spherical:
            return self.rounding
        normals, offsets = np.split(self.polyhedron.equations, [3], axis=1)
        slope = normals @ (along / np.linalg.norm(along))
        facing = slope > 1e-12
        return float(np.min(-offsets[facing, 0] / slope[facing]) + self.rounding)

    @property
    def exponent(self) -> float:
        """Exponent q of the superball with the same ratio of diagonal to face [-]; see the module.

        Raises:
            PhysicsError: neither a sphere nor a cube, truncated or not.
        """
        if self.spherical:
            return 1.0
        if self.name not in ("cube", "truncated cube"):
            raise PhysicsError(f"a superball stands for a cube or a sphere, not for a {self.name}")
        return float(_exponent(self.extent((1, 1, 1)), self.extent((1, 0, 0))))

    def gsd(self) -> dict[str, Any]:
        """As ``particles/type_shapes`` of a GSD file has it."""
        if self.spherical:
            return {"type": "Sphere", "diameter": 2 * self.rounding}
        return {
            "type": "ConvexPolyhedron",
            "rounding_radius": self.rounding,
            "vertices": self.vertices.tolist(),
        }


def _exponent(diagonal: ArrayLike, face: ArrayLike) -> NDArray[np.float64]:
    ratio = np.asarray(diagonal, float) / np.asarray(face, float)
    rest = np.log(3) - 2 * np.log(ratio)
    sharp = rest <= 1e-12
    return np.where(sharp, np.inf, np.log(3) / np.where(sharp, 1.0, rest))


def superball_exponent(edge: ArrayLike, rounding: ArrayLike) -> NDArray[np.float64]:
    """Exponent of the superball that has the ratio of diagonal to face of a rounded cube [-].

    ``q = ln 3 / [ln 3 - 2 ln((√3 l/2 + t)/(l/2 + t))]``, as the ratio of a superball is ``3^(1/2 - 1/(2q))``.

    Args:
        edge: l ≥ 0 of the cube before rounding [nm].
        rounding: t ≥ 0, radius of the ball rolled over it [nm]; both broadcast, and not both are 0.

    Raises:
        PhysicsError: a negative length, or a shape of no size.

    >>> superball_exponent(8.6, [0.0, 0.5, 1.5, 2.5]).round(2).tolist()
    [inf, 12.2, 4.75, 3.25]
    """
    side, t = np.asarray(edge, float), np.asarray(rounding, float)
    if not np.all((side >= 0) & (t >= 0) & (side + t > 0)):
        raise PhysicsError(
            f"a rounded cube needs an edge and a rounding ≥ 0 nm, not both 0; got {edge!r}, {rounding!r}"
        )
    return _exponent(np.sqrt(3) / 2 * side + t, side / 2 + t)


def sphere(diameter: float) -> Shape:
    """A sphere [nm].

    Raises:
        PhysicsError: a diameter that is not positive.
    """
    if not 0 < diameter < np.inf:
        raise PhysicsError(f"a sphere needs a finite diameter > 0 nm; got {diameter}")
    return Shape("sphere", np.zeros((1, 3)), diameter / 2, {"diameter": diameter})


def cuboid(edges: Sequence[float], truncation: float = 0.0) -> Shape:
    """A cuboid with edges along x, y, z, such as a nanoplatelet, its corners cut or not.

    Args:
        edges: three edges > 0 [nm].
        truncation: length c cut off each edge at each corner, 0 ≤ c ≤ half of the shortest edge; there the cuts meet
            [nm].

    Raises:
        PhysicsError: edges that give no volume, or a truncation out of range, where cuts would overlap.

    >>> round(cuboid((12.0, 12.0, 3.0)).volume, 9), cuboid((4.0, 4.0, 4.0), 2.0).polyhedron.num_faces
    (432.0, 14)
    """
    sides = np.asarray(edges, float)
    if sides.shape != (3,) or not np.all((sides > 0) & np.isfinite(sides)):
        raise PhysicsError(f"a cuboid needs three finite edges > 0 nm; got {tuple(edges)}: it has no volume")
    if not 0 <= truncation <= sides.min() / 2 * (1 + 1e-12):
        raise PhysicsError(
            f"a truncation must lie in [0, {sides.min() / 2:.6g}] nm, half of the shortest edge, or cuts overlap; got "
            f"{truncation}"
        )
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T * sides / 2
    if truncation:
        cut = (corners[:, None, :] - np.sign(corners)[:, None, :] * np.eye(3) * truncation).reshape(-1, 3)
        # Cuts that reach the middle of an edge share a vertex there.
        _, first = np.unique((cut / sides.max()).round(9) + 0.0, axis=0, return_index=True)
        corners = cut[np.sort(first)]
    kind = "cube" if np.all(sides == sides[0]) else "plate"
    parameters: dict[str, float | tuple[float, ...]] = {"edges": tuple(float(side) for side in sides)}
    if truncation:
        kind, parameters["truncation"] = f"truncated {kind}", float(truncation)
    return Shape(kind, corners, 0.0, parameters)


def cube(edge: float, truncation: float = 0.0) -> Shape:
    """A cube, its corners cut or not; arguments and errors as `cuboid`.

    >>> round(cube(8.0, 2.0).volume, 9) == round(8**3 - 4 / 3 * 2**3, 9)
    True
    """
    return cuboid((edge, edge, edge), truncation)


def polyhedron(vertices: ArrayLike) -> Shape:
    """Any convex polyhedron, moved to its centroid and turned to its principal axes.

    Args:
        vertices: (V, 3) with V ≥ 4, all of them corners of their hull [nm].

    Raises:
        PhysicsError: a shape of no volume, or vertices inside the hull of the others: a body with dents would overlap
            itself once it is swollen.
    """
    from scipy.spatial import ConvexHull, QhullError

    corners = np.asarray(vertices, float)
    if corners.ndim != 2 or corners.shape[1] != 3 or len(corners) < 4 or not np.all(np.isfinite(corners)):
        raise PhysicsError(
            f"a polyhedron needs four or more finite vertices (V, 3); got shape {corners.shape}"
        )
    size = float(np.ptp(corners, axis=0).max())
    try:
        hull = ConvexHull(corners)
    except QhullError as error:
        raise PhysicsError("the vertices lie in a plane or closer: the polyhedron has no volume") from error
    if hull.volume < FLAT * size**3:
        raise PhysicsError(f"the polyhedron has no volume: {hull.volume:.3g} nm³ at a size of {size:.3g} nm")
    inside = np.setdiff1d(np.arange(len(corners)), hull.vertices)
    if len(inside):
        raise PhysicsError(
            f"vertex {inside[0]} at {corners[inside[0]].tolist()} is no corner of the hull: only convex shapes are known, "
            "each vertex given once"
        )
    body = Shape("polyhedron", corners).polyhedron
    moved = corners - body.centroid
    _, axes = np.linalg.eigh(Shape("polyhedron", moved).polyhedron.inertia_tensor)
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    return Shape("polyhedron", moved @ axes)
