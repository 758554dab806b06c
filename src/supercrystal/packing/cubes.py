"""Spheres with cubes: A is a sphere of diameter 1, the others are cubes of edge ``γ = edge/diameter ≤ 1``.

Sizes are effective ones, core and ligand shell together; take them from the spacing of one-component
superlattices (OPM says nothing about cubes). Bodies are rigid, ``η = (π n_A/6 + n_B γ³)/V``, and each lattice
constant is again the largest that one class of contacts asks for. `tests/test_cubes.py` finds every lattice
without overlap by the separating-axis test, and overlapping when it is made smaller. The idea of these
lattices is that of Cherniukh et al., Nature 593, 535 (2021), which was **not
opened**.

What is not verified: that the cubes of the experiments take these orientations (ABO3 ``rotated`` is inferred,
because it alone gives the lattice constant of the public code), that they are the densest ones, and
everything about `deformable_perovskite`. The AlB2 cells are this package's own: up to γ = 0.3536 ``corner``
is the densest of the public code's three, beyond that and for the other orientations ours are denser wherever
that code's cells do not overlap. Other azimuths than these three can be denser still.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal import lattices
from supercrystal.errors import PhysicsError, nearest
from supercrystal.packing.domain import limit
from supercrystal.packing.hard import SQRT2, SQRT3, SQRT6, Array, Constants, Packing

if TYPE_CHECKING:
    import gsd.hoomd

#: Orientations of the cubes that each phase is known with here.
ORIENTATIONS: dict[str, dict[str, str]] = {
    "NaCl": {"aligned": "faces along the cell's axes"},
    "CsCl": {"aligned": "faces along the cell's axes"},
    "ABO3": {
        "rotated": "B along the cell's axes; O turned by 45° about its line to B: faces to four A and two B",
        "aligned": "B and O along the cell's axes",
    },
    "AlB2": {
        "corner": "[111] along c, corners towards columns of A",
        "edge": "[111] along c, turned by 30° about it",
        "upright": "[001] along c, a face towards a column of A",
    },
}

_SIZE = "the size ratio γ = edge/diameter must lie in (0, 1]"


def _perovskite(body: Array, face: Array, orientation: str, truncation: Array) -> Array:
    # A–A; the corner of B towards A, cut back by 2t/3 along the edge; B–O across faces.
    a = np.maximum(np.maximum(1.0, body - 2 * truncation / 3 + 1 / SQRT3), body + face)
    if orientation == "rotated":  # face of O to A; O–O edge to edge
        return np.maximum(np.maximum(a, (1 + face) / SQRT2), (1 + SQRT2) * face)
    return np.maximum(np.maximum(a, face + 1 / SQRT2), 2 * face)  # edge of O to A; O–O face to face


def _alb2_corner(g: Array) -> Constants:
    # Cubes touch in the layer along ⟨11-2⟩: a ≥ 3γ/√2, and along c: c ≥ √3 γ. In the cube's axes the spheres
    # stand at (p + q, p + q, q − 2p) with p = a/(3√2), q = c/(2√3): they meet a corner, or an edge once |q −
    # 2p| < γ/2.
    a = np.maximum(1.0, 3 / SQRT2 * g)
    p, h = a / (3 * SQRT2), g / 2
    corner = (h + np.sqrt(np.maximum(h**2 - 3 * (6 * p**2 - 8 * p * h + 3 * h**2 - 0.25), 0))) / 3
    q = np.where(2 * p - corner > h, corner, h + 1 / (2 * SQRT2) - p)
    return {"a": a, "c": np.maximum(np.maximum(1.0, SQRT3 * g), 2 * SQRT3 * q)}


def _alb2_edge(g: Array) -> Constants:
    # Cubes touch in the layer along ⟨1-10⟩: a ≥ √6 γ. Spheres, at (m + q, q − m, q) with m = a/√6, then never
    # touch a cube before cubes or spheres touch each other: at γ = 1/√6 all three contacts meet.
    return {"a": np.maximum(1.0, SQRT6 * g), "c": np.maximum(1.0, SQRT3 * g)}


def _alb2_upright(g: Array) -> Constants:
    # Cubes touch in the layer: a ≥ 2γ. Spheres stand at (0, s, c/2) and (a/2, s/2, c/2) from a cube, s =
    # a/√3. The volume a²c is least at an end of the contact curve: smallest a or smallest c.
    h = g / 2
    low = np.maximum(1.0, 2 * g)
    s = low / SQRT3
    facing = np.maximum(0.25 - (s - h) ** 2, 0)
    beside = np.maximum(0.25 - (low / 2 - h) ** 2 - (s / 2 - h) ** 2, 0)
    tall = np.maximum(1.0, g + 2 * np.sqrt(np.maximum(facing, beside)))
    rest = 0.25 - (0.5 - h) ** 2
    linear = h * (1 + 1 / SQRT3)
    slanted = 1.5 * (linear + np.sqrt(linear**2 - 4 / 3 * (2 * h**2 - rest)))
    wide = np.maximum(np.maximum(low, SQRT3 * (h + np.sqrt(rest))), slanted)
    flat = wide**2 < low**2 * tall
    return {"a": np.where(flat, wide, low), "c": np.where(flat, 1.0, tall)}


def _constants(phase: str, g: Array, orientation: str) -> Constants:
    if phase == "NaCl":  # A–A, A–B across a face, B–B edge to edge
        return {"a": np.maximum(np.maximum(SQRT2, 1 + g), 2 * g)}
    if phase == "CsCl":  # A–A, A–B at a corner
        return {"a": np.maximum(1.0, g + 1 / SQRT3)}
    if phase == "ABO3":
        return {"a": _perovskite(g, g, orientation, np.zeros(()))}
    return {"corner": _alb2_corner, "edge": _alb2_edge, "upright": _alb2_upright}[orientation](g)


def _checked(phase: str, orientation: str | None) -> tuple[str, tuple[str, ...]]:
    """The catalogue's name and the orientations that are asked for."""
    name = lattices.prototype(phase).name
    if name not in ORIENTATIONS:
        raise PhysicsError(
            f"{name} is known here for spheres only; phases of spheres with cubes: {', '.join(ORIENTATIONS)}"
        )
    known = ORIENTATIONS[name]
    if orientation is not None and orientation not in known:
        raise PhysicsError(
            f"cubes in {name} are known {', '.join(known)}; got '{orientation}'{nearest(orientation, known)}"
        )
    return name, (orientation,) if orientation else tuple(known)


def solve(phase: str, gamma: ArrayLike, orientation: str | None = None) -> Packing:
    """The lattice of spheres and cubes with everything known about it, lengths in diameters of A.

    Args:
        phase: NaCl, CsCl, ABO3 or AlB2; in ABO3 cubes of one size stand on B and O.
        gamma: edge over diameter in (0, 1], any shape.
        orientation: a key of `ORIENTATIONS[phase]`; left out, the densest of them at each γ.

    Returns:
        A `Packing` whose ``branch`` is the orientation and whose ``diameters`` of cubes are their edges.

    Raises:
        UnknownNameError: no such phase.
        PhysicsError: a phase that is known for spheres only, an orientation that the phase does not have, or
            a single γ outside (0, 1].

    >>> found = solve("NaCl", 2**0.5 - 1)
    >>> round(float(found.eta), 6), str(found.branch)
    (0.840986, 'aligned')
    """
    name, asked = _checked(phase, orientation)
    gamma = np.asarray(gamma, float)
    domain = limit(((gamma > 0) & (gamma <= 1), _SIZE), γ=gamma)
    g = np.where(domain.inside, gamma, 1.0)
    kind = lattices.prototype(name)
    spheres = kind.species_counts["A"]
    solid = np.pi / 6 * spheres + (sum(kind.species_counts.values()) - spheres) * g**3

    each = [_constants(name, g, choice) for choice in asked]
    etas = np.stack([np.broadcast_to(solid / lattices.volume(name, found), g.shape) for found in each])
    best = np.argmax(etas, axis=0)
    return Packing(
        phase=name,
        gamma=gamma,
        eta=domain.keep(etas.max(axis=0)),
        constants={key: domain.keep(np.choose(best, [found[key] for found in each])) for key in each[0]},
        diameters={
            label: domain.keep(np.ones(g.shape) if species == "A" else g)
            for label, species in kind.species.items()
        },
        branch=np.where(domain.inside, np.array(asked)[best], ""),
        domain=domain,
    )


def packing_fraction(phase: str, gamma: ArrayLike, orientation: str | None = None) -> Array:
    """Volume fraction η of spheres and cubes [-]; arguments and errors as in `solve`, NaN outside (0, 1].

    >>> round(float(packing_fraction("ABO3", 0.45, "rotated")), 6)
    0.692623
    """
    return solve(phase, gamma, orientation).eta


def perovskite(
    body: ArrayLike, face: ArrayLike, orientation: str = "rotated", truncation: ArrayLike = 0.0
) -> tuple[Array, Array]:
    """Ternary ABO3 of spheres, cubes or truncated cuboids on B, and cubes on O: lattice constant and η.

    ``a = max(1, b − 2t/3 + 1/√3, b + o, …)`` with, for O rotated, ``(1 + o)/√2`` and ``(1 + √2) o``, for O
    aligned, ``o + 1/√2`` and ``2 o``; ``η = (π/6 + b³ − 4t³/3 + 3 o³)/a³``. A corner that is cut at the
    distance t along its three edges loses t³/6 and ends on a (111) plane, which the sphere A meets in its
    middle.

    Args:
        body: edge b of the cube on B, in (0, 1] diameters of A, any shape.
        face: edge o of the cubes on O, broadcast.
        orientation: ``"rotated"`` or ``"aligned"``, for O.
        truncation: t in [0, b/2], broadcast.

    Returns:
        (a, η) of the broadcast shape, NaN outside.

    Raises:
        PhysicsError: single values outside, or no such orientation.

    >>> [round(float(v), 6) for v in perovskite(0.45, 0.40)]
    [1.02735, 0.743994]
    """
    _checked("ABO3", orientation)
    b, o, t = np.broadcast_arrays(*(np.asarray(v, float) for v in (body, face, truncation)))
    domain = limit(
        ((b > 0) & (b <= 1) & (o > 0) & (o <= 1), "edges of cubes must lie in (0, 1] diameters of A"),
        ((t >= 0) & (t <= b / 2), "a truncation must lie in [0, b/2]"),
        b=b,
        o=o,
        t=t,
    )
    a = _perovskite(b, o, orientation, t)
    return domain.keep(a), domain.keep((np.pi / 6 + b**3 - 4 / 3 * t**3 + 3 * o**3) / a**3)


def deformable_perovskite(gamma: ArrayLike) -> Packing:
    """An inference, not a published model: ABO3 whose O cubes give way, so that touching spheres keep a = 1.

    ``η = π/6 + 4 γ³`` carries over to cubes what OTM does for ABO3 of spheres between γ = √2 − 1 and 1/2; no
    source has it. Below √2 − 1 rigid cubes fit as well. It ends where η reaches 1, at γ = 0.492007.

    Args:
        gamma: edge over diameter, any shape.

    Raises:
        PhysicsError: a single γ outside (0, 0.492007].

    >>> round(float(deformable_perovskite(0.433741).eta), 4)
    0.85
    """
    gamma = np.asarray(gamma, float)
    top = ((1 - np.pi / 6) / 4) ** (1 / 3)
    domain = limit(
        ((gamma > 0) & (gamma <= top), f"deformable cubes need γ in (0, {top:.6f}], where η ≤ 1"), γ=gamma
    )
    return Packing(
        phase="ABO3",
        gamma=gamma,
        eta=domain.keep(np.pi / 6 + 4 * gamma**3),
        constants={"a": domain.keep(np.ones(gamma.shape))},
        diameters={"A": domain.keep(np.ones(gamma.shape)), "B": domain.keep(gamma), "O": domain.keep(gamma)},
        branch=np.where(domain.inside, "rotated, deformable (inference)", ""),
        domain=domain,
    )


def rotations(phase: str, orientation: str) -> dict[str, NDArray[np.float64]]:
    """Unit quaternions (w, x, y, z) that turn a cube from the axes of space into place: site label → (n, 4).

    Sites come in the order of the catalogue; labels that are not here are not turned.

    Raises:
        PhysicsError: a phase or orientation that is not in `ORIENTATIONS`.
    """
    name, _ = _checked(phase, orientation)
    if name == "ABO3" and orientation == "rotated":
        # O on a face turns about that face's normal, the axis in which its coordinate is 0.
        sites = lattices.prototype(name)
        at = sites.offset[np.array(sites.labels) == "O"]
        half = math.pi / 8
        return {"O": np.column_stack([np.full(len(at), math.cos(half)), math.sin(half) * (at == 0)])}
    if name == "AlB2" and orientation != "upright":
        from scipy.spatial.transform import Rotation

        # Rows are the axes of space in the cube's frame; columns of A stand at 30° + 60° n around B.
        up = np.array([1.0, 1.0, 1.0]) / SQRT3
        towards = np.array([1.0, 1.0, -2.0]) / SQRT6
        turn = Rotation.from_matrix(np.stack([towards, np.cross(up, towards), up]))
        azimuth = Rotation.from_euler("z", 30.0 if orientation == "corner" else 0.0, degrees=True)
        quaternion = np.roll((azimuth * turn).as_quat(), 1)
        return {"B": np.tile(quaternion, (2, 1))}
    return {}


def cube_vertices(edge: float, truncation: float = 0.0) -> NDArray[np.float64]:
    """Vertices of a cube, (8, 3), or with corners cut at `truncation` along their edges, (24, 3)."""
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T * edge / 2
    if truncation == 0:
        return corners
    cut = corners[:, None, :] - np.sign(corners)[:, None, :] * np.eye(3) * truncation
    return cut.reshape(-1, 3)


def build(
    phase: str,
    gamma: float,
    orientation: str | None = None,
    *,
    body: float | None = None,
    truncation: float = 0.0,
    repeats: tuple[int, int, int] = (1, 1, 1),
) -> gsd.hoomd.Frame:
    """Build the lattice as a frame: positions, orientations, and the shapes of the types for viewers.

    Args:
        phase: a key of `ORIENTATIONS`.
        gamma: edge of the cubes over diameter of the spheres; with `body`, of those on O.
        orientation: left out, the densest one.
        body: edge of the cubes on B in ABO3, which makes it ternary: types A, B and O.
        truncation: cut of the corners of B, only with `body`.
        repeats: cells along each cell vector.

    Returns:
        A ``gsd.hoomd.Frame``, lengths in diameters of A.

    Raises:
        PhysicsError: as in `solve` and `perovskite`; `body` for another phase than ABO3, or `truncation`
            without it.
    """
    name, asked = _checked(phase, orientation)
    if (body is not None and name != "ABO3") or (truncation and body is None):
        raise PhysicsError(
            "cubes of a second size, and truncated ones, are known on B of ABO3 only: give body"
        )
    types: dict[str, str] | None = None
    if body is None:
        found = solve(name, gamma, orientation)
        chosen = str(found.branch)
        constants = {key: float(value) for key, value in found.constants.items()}
        sizes = {"A": 1.0, "B": gamma}
        types = {"O": "B"} if name == "ABO3" else None
    else:
        tried = {choice: perovskite(body, gamma, choice, truncation) for choice in asked}
        chosen = max(tried, key=lambda choice: float(tried[choice][1]))
        constants = {"a": float(tried[chosen][0])}
        sizes = {"A": 1.0, "B": body, "O": gamma}
    frame = lattices.build(
        name, constants, repeats=repeats, types=types, orientations=rotations(name, chosen)
    )
    shapes: list[dict[str, Any]] = [{"type": "Sphere", "diameter": 1.0}]
    for species in frame.particles.types[1:]:
        vertices = cube_vertices(sizes[species], truncation if species == "B" else 0.0)
        shapes.append({"type": "ConvexPolyhedron", "rounding_radius": 0.0, "vertices": vertices.tolist()})
    frame.particles.type_shapes = shapes
    return frame
