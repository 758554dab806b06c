"""Order of orientations: cubatic, nematic, and the angle of each cube to a crystal's axes.

A cube is the sum ``Σ_k a_k⊗a_k⊗a_k⊗a_k`` over its three axes. Less its isotropic part this is a tensor of nine independent
components (l = 4), of norm √(6/5). Two measures of the order of N cubes come from the mean tensor T:

- its norm over that of one cube, `cubatic_tensor`: no fit and no random numbers. If each cube is turned from common axes
  by a small random vector of standard deviation σ (radians) per component it is ``exp(-10 σ²)``, as diffusion on the
  sphere has it for l = 4;
- freud's cubatic order, ``1 - |T - T_ref|²/|T_ref|²`` with the reference cube T_ref that annealing finds best: Haji-Akbari
  and Glotzer, J. Phys. A 48, 485201 (2015), DOI 10.1088/1751-8113/48/48/485201. With t for the tensor measure it is about
  ``1 - (1 - t)²``, and so stays near 1 longer.

Both are above zero for N random cubes: with the square root of N they fall to `TENSOR_FLOOR` and `CUBATIC_FLOOR`. Both
also cancel between grains of different orientation, where the angles to each grain's axes do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError

if TYPE_CHECKING:
    from supercrystal.structure.trajectory import Configuration

#: Root mean square of the tensor measure of N random cubes, times √N: exactly 1, as N terms without correlation add up.
TENSOR_FLOOR = 1.0
#: Mean of freud's cubatic order of N random cubes, times √N: 1.28 to 1.51 for N = 10 to 10,000, 60 draws each; the
#: standard deviation is 0.4.
CUBATIC_FLOOR = 1.4
#: Mean of the nematic order of N random axes, times √N: 0.81 to 0.86 for N = 10 to 10,000, 200 draws each.
NEMATIC_FLOOR = 0.83
#: N random cubes have a tensor measure above this over √N once in a thousand times: √(χ²/9), nine degrees of freedom.
SIGNIFICANT = 1.76
#: Mean and standard deviation of the angle of a random cube to given axes, degrees; the largest possible is 62.80.
#: Mackenzie, Biometrika 45, 229 (1958), DOI 10.1093/biomet/45.1-2.229, and 10⁷ random orientations here.
RANDOM_ANGLE, RANDOM_ANGLE_SPREAD = 40.73, 11.31
#: Axes fitted to N random cubes lower their mean angle by this over √N, degrees: by 9.1, 2.9, 0.84 and 0.24 for N = 10,
#: 100, 1,000 and 10,000, 20 draws each.
FITTED = 27.0
#: A particle is aligned if its angle is below this, degrees; of random cubes 1 in 150 is.
ALIGNED = 10.0
#: Edges of a cell that are to serve as a cube's axes may be this far from perpendicular, degrees; chosen.
SKEW = 20.0
#: freud's annealing: start and end temperature, factor, and the number of runs of which the best counts. Over 30 seeds
#: the order of 500 cubes at σ = 11.5° has a standard deviation of 0.0004.
ANNEALING = (5.0, 0.001, 0.95)
REPLICATES = 8
#: Norms of quaternions may differ from 1 by this; they are then made 1.
UNIT = 0.01


@dataclass(frozen=True)
class Cubatic:
    """Cubatic order of N particles [-], with what N random ones have."""

    particles: int
    order: float  #: freud's
    order_floor: float  #: its mean over random orientations
    tensor: float  #: norm of the mean rank-4 tensor over that of one cube
    tensor_floor: float  #: its root mean square over random orientations
    significant: bool  #: whether random orientations have such a `tensor` less than once in a thousand times


@dataclass(frozen=True)
class Nematic:
    """Nematic order of N axes [-]: largest eigenvalue of ``<3 u⊗u - 1>/2``, and its eigenvector."""

    particles: int
    order: float
    order_floor: float  #: mean over random axes
    director: tuple[float, float, float]


@dataclass(frozen=True)
class Alignment:
    """Angles of cubes to common axes, degrees.

    Args:
        angles: (N,) smallest angle that turns each particle, or one of its 24 equivalents, into the axes.
        axes: (3, 3) whose columns are the axes.
        fitted: whether the axes were fitted to these particles, which lowers the angles of few of them.
    """

    angles: NDArray[np.float64]
    axes: NDArray[np.float64]
    fitted: bool

    @property
    def mean(self) -> float:
        """Mean angle."""
        return float(np.mean(self.angles))

    @property
    def mean_random(self) -> float:
        """Mean angle of as many random cubes, to given axes or to those that fit them best."""
        return RANDOM_ANGLE - (FITTED / len(self.angles) ** 0.5 if self.fitted else 0.0)

    @property
    def aligned(self) -> float:
        """Fraction of the particles whose angle is below `ALIGNED`."""
        return float(np.mean(self.angles < ALIGNED))


def _unit(orientations: ArrayLike) -> NDArray[np.float64]:
    q = np.asarray(orientations, float)
    if q.ndim != 2 or q.shape[1] != 4 or not len(q):
        raise TrajectoryError(
            f"orientations must have the shape (N, 4) with N ≥ 1: unit quaternions; got {q.shape}"
        )
    norms = np.linalg.norm(q, axis=1)
    bad = ~(np.abs(norms - 1) <= UNIT)  # NaN is bad
    if np.any(bad):
        first = int(np.flatnonzero(bad)[0])
        raise TrajectoryError(
            f"{int(bad.sum())} of {len(q)} orientations are no unit quaternions (w, x, y, z): the first is number {first}, "
            f"{q[first].tolist()}"
        )
    return q / norms[:, None]


def _axes(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3, 3) rotation matrices: their columns are the axes of the particles."""
    import rowan

    return np.asarray(rowan.to_matrix(q), float)


def cubatic_tensor(orientations: ArrayLike) -> float:
    """Norm of the mean rank-4 tensor of cubes over that of one cube [-]: 1 for parallel ones, √(1/N) for random ones.

    Args:
        orientations: (N, 4) unit quaternions (w, x, y, z), N ≥ 1.

    Raises:
        TrajectoryError: no unit quaternions.

    >>> cubatic_tensor([[1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]])  # a third of a turn about a diagonal: the same cube
    1.0
    """
    q = _unit(orientations)
    total = np.zeros((9, 9))
    for part in np.array_split(q, max(len(q) // 100_000, 1)):
        columns = _axes(part).transpose(0, 2, 1).reshape(-1, 3)
        pairs = np.einsum("ni,nj->nij", columns, columns).reshape(-1, 9)
        total += pairs.T @ pairs
    mean = (total / len(q)).reshape(3, 3, 3, 3)
    one = np.eye(3)
    isotropic = (
        sum(np.einsum(f"{a},{b}->ijkl", one, one) for a, b in (("ij", "kl"), ("ik", "jl"), ("il", "jk"))) / 5
    )
    return round(float(np.sqrt(np.sum((mean - isotropic) ** 2) / 1.2)), 12)


def _annealed(q: NDArray[np.float64], seed: int) -> Any:
    import freud

    found = freud.order.Cubatic(*ANNEALING, n_replicates=REPLICATES, seed=seed)
    return found.compute(q.astype(np.float32))


def cubatic(orientations: ArrayLike, seed: int = 1) -> Cubatic:
    """Cubatic order by freud and by the tensor, with the floors of as many random cubes.

    Args:
        orientations: (N, 4) unit quaternions (w, x, y, z), N ≥ 1.
        seed: of freud's annealing.

    Raises:
        TrajectoryError: no unit quaternions.
    """
    q = _unit(orientations)
    tensor = cubatic_tensor(q)
    root = len(q) ** 0.5
    return Cubatic(
        particles=len(q),
        order=float(_annealed(q, seed).order),
        order_floor=min(CUBATIC_FLOOR / root, 1.0),
        tensor=tensor,
        tensor_floor=TENSOR_FLOOR / root,
        significant=tensor * root > SIGNIFICANT,
    )


def nematic(orientations: ArrayLike, axis: Sequence[float] = (0.0, 0.0, 1.0)) -> Nematic:
    """Nematic order of one axis of the particles; for plates and rods, not for cubes, whose axes are equivalent.

    Args:
        orientations: (N, 4) unit quaternions (w, x, y, z), N ≥ 1.
        axis: of the particle in its own frame, such as the normal of a plate; any length > 0.

    Raises:
        TrajectoryError: no unit quaternions, or an axis without direction.
    """
    import freud
    import rowan

    q, own = _unit(orientations), np.asarray(axis, float)
    if own.shape != (3,) or not np.all(np.isfinite(own)) or not np.any(own):
        raise TrajectoryError(f"an axis is three finite numbers, not all 0; got {axis}")
    found = freud.order.Nematic().compute(rowan.rotate(q, own / np.linalg.norm(own)).astype(np.float32))
    x, y, z = (float(value) for value in found.director)
    return Nematic(len(q), float(found.order), min(NEMATIC_FLOOR / len(q) ** 0.5, 1.0), (x, y, z))


def axes_of(rotation: ArrayLike | None = None, cell: ArrayLike | None = None) -> NDArray[np.float64]:
    """Axes of a grain as the columns of a proper rotation, (3, 3).

    Args:
        rotation: (3, 3) matrix that turns the crystal's x, y, z into the laboratory's: its columns are the axes.
        cell: (3, 3) whose *rows* are the lattice vectors, nearly perpendicular, of any lengths and either handedness. The
            nearest rotation counts. Only one of the two is given.

    Raises:
        TrajectoryError: both or neither, no rotation, or a cell that is flat or more than `SKEW` from perpendicular.
    """
    if (rotation is None) == (cell is None):
        raise TrajectoryError("give the orientation of the grain either as a rotation or as a cell")
    given = np.asarray(rotation if cell is None else cell, float)
    if given.shape != (3, 3) or not np.all(np.isfinite(given)):
        raise TrajectoryError(
            f"the orientation of a grain is a (3, 3) matrix of finite numbers; got {given.tolist()}"
        )
    if cell is None:
        if np.abs(given @ given.T - np.eye(3)).max() > 1e-4 or np.linalg.det(given) < 0:
            raise TrajectoryError(
                f"a rotation has perpendicular unit columns and determinant 1; got {given.tolist()}. Give lattice vectors, "
                "as rows, as a cell"
            )
    else:
        lengths = np.linalg.norm(given, axis=1)
        if np.any(lengths == 0):
            raise TrajectoryError(f"a cell has three vectors of length > 0; got {given.tolist()}")
        given = (given / lengths[:, None]).T
        overlap = np.abs(given.T @ given - np.eye(3)).max()
        if overlap > np.sin(np.radians(SKEW)):
            raise TrajectoryError(
                f"edges of the cell are {np.degrees(np.arcsin(min(overlap, 1))):.0f}° from perpendicular, but cubes align "
                f"to axes at most {SKEW:.0f}° from it; choose the conventional cell, or give a rotation"
            )
        if np.linalg.det(given) < 0:
            given = given * [1, 1, -1]  # -c is as good an edge
    left, _, right = np.linalg.svd(given)
    return np.asarray(left @ right)


def _closest(q: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) turns from the axes to the nearest equivalent of each cube, with w ≥ 0."""
    import rowan
    from scipy.spatial.transform import Rotation

    cube = Rotation.create_group("O").as_quat()[:, [3, 0, 1, 2]]
    relative = rowan.multiply(rowan.conjugate(rowan.from_matrix(axes)), q)
    overlap = relative @ cube.T
    best = np.argmax(np.abs(overlap), axis=1)
    turned = rowan.multiply(relative, rowan.conjugate(cube[best]))
    return np.asarray(np.where(turned[:, :1] < 0, -turned, turned), float)


def cube_angles(
    orientations: ArrayLike, *, rotation: ArrayLike | None = None, cell: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Smallest angle between each cube and the axes of a grain over the cube's 24 rotations: (N,) degrees.

    Args:
        orientations: (N, 4) unit quaternions (w, x, y, z), N ≥ 1, of cubes whose faces are normal to their own axes.
        rotation: as `axes_of`.
        cell: as `axes_of`.

    Raises:
        TrajectoryError: no unit quaternions, or as `axes_of`.

    >>> cube_angles([[1, 0, 0, 0]], cell=[[1, 1, 0], [-1, 1, 0], [0, 0, 3]]).round(6).tolist()
    [45.0]
    """
    turned = _closest(_unit(orientations), axes_of(rotation, cell))
    # The arc tangent is exact for small angles, where the arc cosine of w is not.
    return np.degrees(2 * np.arctan2(np.linalg.norm(turned[:, 1:], axis=1), turned[:, 0]))


def common_axes(orientations: ArrayLike, seed: int = 1) -> NDArray[np.float64]:
    """Axes to which cubes align best, as the columns of a rotation (3, 3).

    freud's best cube, then the mean over the nearest equivalents of all particles until it stays. Of cubes without order
    it is arbitrary.
    """
    from scipy.spatial.transform import Rotation

    q = _unit(orientations)
    axes = axes_of(rotation=_axes(np.asarray(_annealed(q, seed).orientation, float)[None])[0])
    for _ in range(50):
        step = Rotation.from_quat(_closest(q, axes)[:, [1, 2, 3, 0]]).mean()
        axes = axes @ step.as_matrix()
        if step.magnitude() < 1e-9:
            break
    return axes


def alignment(
    orientations: ArrayLike,
    *,
    rotation: ArrayLike | None = None,
    cell: ArrayLike | None = None,
    seed: int = 1,
) -> Alignment:
    """Alignment of cubes to a grain's axes, or without a grain to the axes that fit them best.

    Arguments and errors as `cube_angles`; `seed` as `cubatic`.
    """
    fitted = rotation is None and cell is None
    axes = common_axes(orientations, seed) if fitted else axes_of(rotation, cell)
    return Alignment(cube_angles(orientations, rotation=axes), axes, fitted)


@dataclass(frozen=True)
class SublatticeOrientation:
    """Orientations of one sublattice."""

    name: str
    cubatic: Cubatic
    nematic: Nematic
    alignment: Alignment

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        align = self.alignment
        return {
            "name": self.name,
            "particles": self.cubatic.particles,
            "cubatic": {key: value for key, value in vars(self.cubatic).items() if key != "particles"},
            "nematic": {key: value for key, value in vars(self.nematic).items() if key != "particles"}
            | {"director": list(self.nematic.director)},
            "alignment": {
                "axes": align.axes.T.tolist(),
                "axes_from": "these particles" if align.fitted else "grain",
                "mean_degrees": align.mean,
                "median_degrees": float(np.median(align.angles)),
                "mean_degrees_random": align.mean_random,
                f"fraction_within_{ALIGNED:.0f}_degrees": align.aligned,
            },
        }


@dataclass(frozen=True)
class OrientationReport:
    """Orientations of a configuration by sublattice, and why others were left out."""

    sublattices: tuple[SublatticeOrientation, ...]
    left_out: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"sublattices": [one.to_dict() for one in self.sublattices], "left_out": dict(self.left_out)}


def _masks(
    configuration: Configuration, sublattices: Mapping[str, ArrayLike] | None
) -> dict[str, NDArray[np.bool_]]:
    if sublattices is None:
        return {name: configuration.kinds == k for k, name in enumerate(configuration.species)}
    masks = {}
    for name, mask in sublattices.items():
        chosen = np.asarray(mask)
        if chosen.dtype != bool or chosen.shape != (configuration.n,):
            raise TrajectoryError(
                f"sublattice '{name}' is a mask of {configuration.n} booleans, one a particle; got {chosen.dtype} of shape "
                f"{chosen.shape}"
            )
        masks[name] = chosen
    return masks


def describe_orientation(
    configuration: Configuration,
    *,
    rotation: ArrayLike | None = None,
    cell: ArrayLike | None = None,
    sublattices: Mapping[str, ArrayLike] | None = None,
    axis: Sequence[float] = (0.0, 0.0, 1.0),
    seed: int = 1,
) -> OrientationReport:
    """Cubatic and nematic order and alignment of every sublattice that has orientations.

    A sublattice whose orientations are all exactly (1, 0, 0, 0) is left out: GSD gives these to spheres, and to files
    without orientations. Use `cubatic` and `alignment` themselves where they are meant.

    Args:
        configuration: of one frame.
        rotation: axes of the grain, as `axes_of`; without `rotation` and `cell` each sublattice's own best axes.
        cell: as `axes_of`.
        sublattices: name → mask (N,) of booleans; the species unless given.
        axis: of the nematic order.
        seed: of freud's annealing.

    Raises:
        TrajectoryError: no orientations at all, or as `cubatic`, `nematic` and `axes_of`.
    """
    parts, left_out = [], {}
    for name, mask in _masks(configuration, sublattices).items():
        if not mask.any():
            left_out[name] = "no particles"
            continue
        if configuration.orientations is None:
            left_out[name] = "the file has no orientations"
            continue
        q = configuration.orientations[mask]
        if np.all(q == [1, 0, 0, 0]):
            left_out[name] = "all orientations are (1, 0, 0, 0), as in a file without orientations"
            continue
        parts.append(
            SublatticeOrientation(
                name,
                cubatic(q, seed),
                nematic(q, axis),
                alignment(q, rotation=rotation, cell=cell, seed=seed),
            )
        )
    if not parts:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise TrajectoryError(
            f"no sublattice has orientations ({reasons}). Record particles/orientation in the trajectory"
        )
    return OrientationReport(tuple(parts), left_out)
