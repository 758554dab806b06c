"""Form factors of nanocrystals: f(q) = ∫ exp(i q·r) dV over the particle, from its centre [length³].

Spheres and boxes have closed forms; polyhedra come from coxeter. A `Body` adds contrast, orientation and dispersity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError

#: Nodes of the average over sizes (Gauss–Hermite), and how finely averages over directions are tabulated: points of the
#: table and of each angle per unit of q times the particle's radius, and the least of them.
_SIZES = 11
_TABLE, _ANGLE, _LEAST = 12, 1.0, 24


class Shape(Protocol):
    """A particle of uniform density around the origin."""

    @property
    def volume(self) -> float:
        """Volume [length³]."""

    @property
    def radius(self) -> float:
        """Radius of the sphere around it [length]."""

    def amplitude(self, q: NDArray[np.float64]) -> NDArray[Any]:
        """F at wave vectors (M, 3): (M,), real for a shape with a centre of symmetry."""


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise PhysicsError(f"{name} must be a finite length > 0; got {value}")


@dataclass(frozen=True)
class Sphere:
    """A sphere: f = 4π R³ (sin x - x cos x) / x³, x = qR.

    >>> float(Sphere(2.0).amplitude(np.zeros((1, 3)))[0]) == Sphere(2.0).volume
    True
    """

    radius: float

    def __post_init__(self) -> None:
        _positive("the radius of a sphere", self.radius)

    @property
    def volume(self) -> float:
        """Volume [length³]."""
        return 4 / 3 * math.pi * self.radius**3

    def amplitude(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """F at wave vectors (M, 3)."""
        return self.radial(np.linalg.norm(q, axis=-1))

    def radial(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """F at |q| of any shape; the series 1 - x²/10 + x⁴/280 where the closed form would lose its digits."""
        x = q * self.radius
        safe = np.where(x < 0.02, 1.0, x)
        closed = 3 * (np.sin(safe) - safe * np.cos(safe)) / safe**3
        return self.volume * np.where(x < 0.02, 1 - x**2 / 10 + x**4 / 280, closed)


@dataclass(frozen=True)
class Cuboid:
    """A box with edges along x, y, z: f = V Π sin(q_i L_i/2) / (q_i L_i/2). Three equal edges make a cube."""

    edges: tuple[float, float, float]

    def __post_init__(self) -> None:
        for edge in self.edges:
            _positive("the edge of a cuboid", edge)

    @property
    def volume(self) -> float:
        """Volume [length³]."""
        return math.prod(self.edges)

    @property
    def radius(self) -> float:
        """Radius of the sphere around it [length]."""
        return math.hypot(*self.edges) / 2

    def amplitude(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """F at wave vectors (M, 3)."""
        return self.volume * np.prod(np.sinc(q * np.array(self.edges) / (2 * math.pi)), axis=-1)


def cube(edge: float) -> Cuboid:
    """A cube with its edges along x, y, z."""
    return Cuboid((edge, edge, edge))


@dataclass(frozen=True)
class Polyhedron:
    """The convex hull of its vertices (n, 3), by coxeter.

    coxeter's amplitude is exact for q = 0 and for q along normals and edges, but its test for these cases is absolute
    (q² < 1e-8) and it fails on a face for which a single wave vector is left over. It is therefore asked in units of
    the particle's radius, and always together with two more wave vectors that are special for no face.
    """

    vertices: tuple[tuple[float, float, float], ...]

    @cached_property
    def _unit(self) -> Any:
        from coxeter.shapes import ConvexPolyhedron

        try:
            return ConvexPolyhedron(np.array(self.vertices) / self.radius)
        except Exception as error:  # qhull and coxeter raise several kinds for points without a volume
            raise PhysicsError(
                f"a polyhedron needs at least four vertices (n, 3) that are not in one plane: {error}"
            ) from error

    @property
    def volume(self) -> float:
        """Volume [length³]."""
        return float(self._unit.volume) * self.radius**3

    @property
    def radius(self) -> float:
        """Largest distance of a vertex from the origin [length]."""
        return float(np.max(np.linalg.norm(np.array(self.vertices), axis=1)))

    @cached_property
    def symmetric(self) -> bool:
        """Whether every vertex has its mirror image through the origin, which makes f real."""
        x = np.array(self.vertices) / self.radius
        return bool(np.all(np.min(np.linalg.norm(x[:, None] + x, axis=-1), axis=1) < 1e-9))

    def amplitude(self, q: NDArray[np.float64]) -> NDArray[Any]:
        """F at wave vectors (M, 3); complex where the polyhedron has no centre of symmetry."""
        flat = np.asarray(q, float).reshape(-1, 3) * self.radius
        found = np.empty(len(flat), complex)
        for start in range(0, len(flat), 50_000):  # coxeter needs 24 numbers an edge and wave vector
            part = flat[start : start + 50_000]
            padded = np.concatenate([part, [[0.7310, 0.4127, 0.2903], [0.3819, -0.6713, 0.5471]]])
            # coxeter transforms with exp(-i q·r).
            found[start : start + 50_000] = self._unit.compute_form_factor_amplitude(padded)[:-2].conj()
        found *= self.radius**3
        return np.asarray(found.real if self.symmetric else found).reshape(np.shape(q)[:-1])


def truncated_cube(edge: float, cut: float) -> Polyhedron:
    """A cube whose corners are cut off at a distance `cut` along each edge, 0 < cut ≤ edge/2.

    >>> round(truncated_cube(2.0, 0.5).volume, 12) == round(8 - 8 * 0.5**3 / 6, 12)
    True
    """
    _positive("the edge of a cube", edge)
    if not 0 < cut <= edge / 2:
        raise PhysicsError(f"corners are cut at 0 < cut ≤ edge/2 = {edge / 2:g} along the edges; got {cut}")
    half, inner = edge / 2, edge / 2 - cut
    corners = {
        tuple(float(s * v) for s, v in zip(signs, np.roll([inner, half, half], axis), strict=True))
        for signs in product((-1, 1), repeat=3)
        for axis in range(3)
    }
    return Polyhedron(tuple(sorted((x + 0.0, y + 0.0, z + 0.0) for x, y, z in corners)))


@dataclass(frozen=True)
class Body:
    """What one particle of a species scatters: one or more concentric shapes with their contrasts.

    Args:
        parts: pairs of a shape and its contrast, a scattering-length density minus that of what it replaces
            [1 / length²]. A core with a shell is the core with ρ_core - ρ_shell and the whole with ρ_shell - ρ_solvent.
        orientation: unit quaternion (w, x, y, z) that all particles of the species share, or None where each points
            anywhere, independently of the others.
        dispersity: standard deviation of the size over its mean; all lengths of a particle scale together, normally
            distributed and independent of where it sits.
    """

    parts: tuple[tuple[Shape, float], ...]
    orientation: tuple[float, float, float, float] | None = None
    dispersity: float = 0.0

    def __post_init__(self) -> None:
        if not self.parts or not all(math.isfinite(contrast) for _, contrast in self.parts):
            raise PhysicsError("a scattering body needs at least one shape, each with a finite contrast")
        if not 0 <= self.dispersity <= 0.3:
            raise PhysicsError(
                f"size dispersity is a standard deviation over the mean from 0 to 0.3, beyond which a normal "
                f"distribution has negative sizes; got {self.dispersity}"
            )
        if self.orientation is not None and not abs(math.hypot(*self.orientation) - 1) < 1e-6:
            raise PhysicsError(f"an orientation is a unit quaternion (w, x, y, z); got {self.orientation}")

    @property
    def isotropic(self) -> bool:
        """Whether its mean amplitude depends on |q| alone."""
        return self.orientation is None or all(isinstance(shape, Sphere) for shape, _ in self.parts)

    @property
    def radius(self) -> float:
        """Radius of the sphere around all parts [length]."""
        return max(shape.radius for shape, _ in self.parts)

    def _amplitude(self, q: NDArray[np.float64]) -> NDArray[Any]:
        total: Any = 0.0
        for shape, contrast in self.parts:
            total = total + contrast * shape.amplitude(q)
        return np.asarray(total)

    def _sizes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sizes relative to the mean, and their probabilities."""
        if self.dispersity == 0:
            return np.ones(1), np.ones(1)
        node, weight = np.polynomial.hermite_e.hermegauss(_SIZES)
        size = 1 + self.dispersity * node
        keep = size > 0
        return size[keep], weight[keep] / weight[keep].sum()

    def moments(self, q: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """⟨f⟩ and ⟨|f|²⟩ at wave vectors (M, 3), over sizes and, without an orientation, over directions."""
        if self.isotropic:
            return self.radial_moments(np.linalg.norm(q, axis=-1))
        import rowan

        assert self.orientation is not None
        # The particle turned by Q sees the wave vector turned back.
        turned = rowan.rotate(rowan.conjugate(np.array(self.orientation)), q)
        mean: Any = 0.0
        square = np.zeros(len(q))
        for size, share in zip(*self._sizes(), strict=True):
            f = size**3 * self._amplitude(size * turned)
            mean, square = mean + share * f, square + share * np.abs(f) ** 2
        return np.asarray(mean), square

    def radial_moments(self, q: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """⟨f⟩ and ⟨|f|²⟩ at |q| (M,), for an isotropic body."""
        if not self.isotropic:
            raise PhysicsError(
                "a body with a direction has no amplitude of |q| alone: ask `moments` with wave vectors"
            )
        q = np.asarray(q, float)
        if all(isinstance(shape, Sphere) for shape, _ in self.parts) and self.dispersity == 0:
            f = sum(c * shape.radial(q) for shape, c in self.parts if isinstance(shape, Sphere))
            return np.asarray(f), np.asarray(f) ** 2
        from scipy.interpolate import CubicSpline

        top = float(q.max(initial=0.0)) or 1.0
        count = max(_LEAST, math.ceil(_TABLE * top * self.radius))
        table = np.linspace(0, top * (1 + 1e-12), count)
        mean: Any = 0.0
        square = np.zeros(count)
        for size, share in zip(*self._sizes(), strict=True):
            first, second = self._directions(size * table)
            mean, square = mean + share * size**3 * first, square + share * size**6 * second
        return np.asarray(CubicSpline(table, mean)(q)), np.maximum(CubicSpline(table, square)(q), 0.0)

    def _directions(self, q: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """⟨f⟩ and ⟨|f|²⟩ over directions at |q| (M,): Gauss–Legendre in cos θ, equal steps in φ."""
        if all(isinstance(shape, Sphere) for shape, _ in self.parts):
            f = self._amplitude(q[:, None] * np.array([0.0, 0.0, 1.0]))
            return f, np.abs(f) ** 2
        mean, square = np.zeros(len(q), complex), np.zeros(len(q))
        order = np.array([max(_LEAST, math.ceil(_ANGLE * 2 * value * self.radius) + _LEAST) for value in q])
        # One quadrature for a run of similar q: shapes answer best when asked for much at once.
        for start in range(0, len(q), 16):
            part = slice(start, start + 16)
            direction, weight = sphere_quadrature(int(order[part].max()))
            f = self._amplitude((q[part, None, None] * direction).reshape(-1, 3)).reshape(-1, len(weight))
            mean[part], square[part] = f @ weight, np.abs(f) ** 2 @ weight
        return (mean if np.any(np.abs(mean.imag) > 1e-12 * np.abs(mean).max()) else mean.real), square


def sphere_quadrature(order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (M, 3) with cos θ > 0 and weights (M,) that sum to 1, for functions with g(-n) = g(n).

    Exact for spherical harmonics up to the degree `order`.
    """
    polar = 2 * max(1, math.ceil((order + 1) / 4))
    z, weight = np.polynomial.legendre.leggauss(polar)
    z, weight = z[polar // 2 :], weight[polar // 2 :]
    phi = 2 * math.pi * np.arange(order + 1) / (order + 1)
    r = np.sqrt(1 - z**2)
    direction = np.stack(
        [np.outer(r, np.cos(phi)), np.outer(r, np.sin(phi)), np.outer(z, np.ones_like(phi))], axis=-1
    )
    return direction.reshape(-1, 3), np.repeat(weight / len(phi), len(phi))


def bodies_for(bodies: Mapping[str, Body], species: Sequence[str]) -> dict[str, Body]:
    """The body of every species.

    Raises:
        PhysicsError: a species without a body, or a body of a species that no particle has.
    """
    missing = [name for name in species if name not in bodies]
    extra = [name for name in bodies if name not in species]
    if missing or extra:
        raise PhysicsError(
            f"every species needs a body that scatters: particles are {', '.join(species)}, bodies were given for "
            f"{', '.join(bodies) or 'none'}"
        )
    return {name: bodies[name] for name in species}
