"""Form factors of nanocrystals: f(q) = ∫ exp(i q·r) dV over the particle, from its centre [length³].

Spheres and boxes have closed forms; polyhedra come from coxeter. A `Body` adds contrast, orientation and dispersity.
Contrasts are real: absorption inside a nanocrystal is neglected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from supercrystal.errors import PhysicsError

#: The average over sizes covers this many standard deviations to both sides.
_SPAN = 5.5
#: How finely averages over directions are tabulated: points of the table and of each angle per unit of q times the
#: particle's radius, and the least of them.
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
class Point:
    """A point: f = 1 at all q. As the shape of a body, its contrast is a plain weight."""

    volume: float = 1.0
    radius: float = 0.0

    def amplitude(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """F at wave vectors (M, 3)."""
        return np.full(np.shape(q)[:-1], self.volume)


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
        """F at wave vectors (M, 3); the series 1 - x²/10 + x⁴/280 where the closed form would lose its digits."""
        x = np.linalg.norm(q, axis=-1) * self.radius
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
        orientations: unit quaternions (w, x, y, z). Each particle of the species has one of them, whichever and
            wherever it is: one quaternion turns all alike, several are a sample of a distribution. None lets each
            particle point anywhere.
        dispersity: standard deviation of the size over its mean; all lengths of a particle scale together, normally
            distributed and independent of where it sits.
    """

    parts: tuple[tuple[Shape, float], ...]
    orientations: tuple[tuple[float, float, float, float], ...] | None = None
    dispersity: float = 0.0

    def __post_init__(self) -> None:
        if not self.parts or not all(math.isfinite(contrast) for _, contrast in self.parts):
            raise PhysicsError("a scattering body needs at least one shape, each with a finite contrast")
        if not 0 <= self.dispersity <= 0.3:
            raise PhysicsError(
                f"size dispersity is a standard deviation over the mean from 0 to 0.3, beyond which a normal "
                f"distribution has negative sizes; got {self.dispersity}"
            )
        turns = np.asarray([[1, 0, 0, 0]] if self.orientations is None else self.orientations, float)
        if (
            turns.ndim != 2
            or turns.shape[1] != 4
            or not np.all(abs(np.linalg.norm(turns, axis=1) - 1) < 1e-5)
        ):
            raise PhysicsError(f"orientations are unit quaternions (w, x, y, z); got {self.orientations}")

    @property
    def round(self) -> bool:
        """Whether it looks the same from all sides."""
        return all(isinstance(shape, Sphere | Point) for shape, _ in self.parts)

    @property
    def isotropic(self) -> bool:
        """Whether its mean amplitude depends on |q| alone."""
        return self.orientations is None or self.round

    @property
    def radius(self) -> float:
        """Radius of the sphere around all parts [length]."""
        return max(shape.radius for shape, _ in self.parts)

    def _amplitude(self, q: NDArray[np.float64]) -> NDArray[Any]:
        total: Any = 0.0
        for shape, contrast in self.parts:
            total = total + contrast * shape.amplitude(q)
        return np.asarray(total)

    def _sizes(self, q_max: float) -> list[tuple[float, float]]:
        """Sizes relative to the mean, and their probabilities: steps that resolve the oscillations of f² up to q_max."""
        if self.dispersity == 0:
            return [(1.0, 1.0)]
        count = math.ceil(2 * (2 * q_max * self.radius * self.dispersity + 7)) + 1
        node = np.linspace(-_SPAN, _SPAN, count)
        size = 1 + self.dispersity * node
        weight = np.where(size > 0, np.exp(-(node**2) / 2), 0.0)
        keep = weight > 0
        return list(zip(size[keep].tolist(), (weight[keep] / weight.sum()).tolist(), strict=True))

    def variants(self, q: NDArray[np.float64]) -> Iterator[tuple[float, NDArray[Any]]]:
        """Every size and orientation: its probability and f at the wave vectors (..., 3).

        Raises:
            PhysicsError: orientations that are not known, of a body that has a direction.
        """
        if self.orientations is None and not self.round:
            raise PhysicsError(
                "a body that points anywhere has no finite number of orientations: give it some, for instance those "
                "of the trajectory"
            )
        import rowan

        sizes = self._sizes(float(np.max(np.linalg.norm(q, axis=-1), initial=0.0)))
        turns: Sequence[Any] = [None] if self.round else self.orientations or ()
        for turn in turns:
            # The particle turned by Q sees the wave vector turned back.
            seen = q if turn is None else rowan.rotate(rowan.conjugate(rowan.normalize(turn)), q)
            for size, share in sizes:
                yield share / len(turns), size**3 * self._amplitude(size * seen)

    def moments(self, q: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """⟨f⟩ and ⟨|f|²⟩ at wave vectors (M, 3), over sizes and orientations."""
        if self.isotropic:
            return self.radial_moments(np.linalg.norm(q, axis=-1))
        mean: Any = 0.0
        square = np.zeros(len(q))
        for share, f in self.variants(q):
            mean, square = mean + share * f, square + share * np.abs(f) ** 2
        return np.asarray(mean), square

    def radial_moments(self, q: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """⟨f⟩ and ⟨|f|²⟩ at |q| (M,), for an isotropic body."""
        if not self.isotropic:
            raise PhysicsError(
                "a body with a direction has no amplitude of |q| alone: ask `moments` with wave vectors"
            )
        q = np.asarray(q, float)
        if self.round:
            mean, square = np.zeros(len(q)), np.zeros(len(q))
            for share, f in self.variants(q[:, None] * np.array([0.0, 0.0, 1.0])):
                mean, square = mean + share * f, square + share * f**2
            return mean, square
        from scipy.interpolate import CubicSpline

        top = float(q.max(initial=0.0)) or 1.0
        count = max(_LEAST, math.ceil(_TABLE * top * self.radius))
        table = np.linspace(0, top * (1 + 1e-12), count)
        mean, square = np.zeros(count), np.zeros(count)
        for size, share in self._sizes(top):
            first, second = self._directions(size * table)
            mean, square = mean + share * size**3 * first, square + share * size**6 * second
        return np.asarray(CubicSpline(table, mean)(q)), np.maximum(CubicSpline(table, square)(q), 0.0)

    def _directions(self, q: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """⟨f⟩ and ⟨|f|²⟩ over directions at |q| (M,): Gauss–Legendre in cos θ, equal steps in φ."""
        mean, square = np.zeros(len(q)), np.zeros(len(q))
        order = np.array([math.ceil(_ANGLE * 2 * value * self.radius) + 2 * _LEAST for value in q])
        # One quadrature for a run of similar q: shapes answer best when asked for much at once.
        for start in range(0, len(q), 16):
            part = slice(start, start + 16)
            direction, weight = sphere_quadrature(int(order[part].max()))
            f = self._amplitude((q[part, None, None] * direction).reshape(-1, 3)).reshape(-1, len(weight))
            # f(-q) is the conjugate of f(q), so the mean over both halves is real.
            mean[part], square[part] = f.real @ weight, np.abs(f) ** 2 @ weight
        return mean, square


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


def points(weights: Mapping[str, float]) -> dict[str, Body]:
    """Bodies of point particles with plain weights.

    >>> points({"A": 2.0})["A"].radial_moments(np.array([0.0, 5.0]))[0].tolist()
    [2.0, 2.0]
    """
    return {name: Body(((Point(), float(weight)),)) for name, weight in weights.items()}
