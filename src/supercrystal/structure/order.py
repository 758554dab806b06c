"""Labels of single particles from averaged bond-orientational order parameters.

Averaged Steinhardt parameters (Lechner and Dellago, J. Chem. Phys. 129, 114707 (2008), DOI 10.1063/1.2977970) sum over a
particle and its neighbours, which makes them robust against thermal noise and vacancies. The windows below are explicit;
`tests/validation/test_structure_accuracy.py` measures what they get right and how often they see order in a liquid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError

#: A label is the index of its name here.
PHASES = ("disordered", "fcc", "hcp", "bcc", "sc")
CLOSE_PACKED = ("fcc", "hcp")

#: Neighbours that the close-packed and bcc windows, and the sc window, are made for.
NEIGHBOURS = 12
NEIGHBOURS_SC = 6
#: Ordered at all: averaged q6 of liquids stays below 0.29 (99.9 % quantile), of crystals above 0.33 at noise 0.08 d.
ORDERED_Q6 = 0.30
#: fcc against hcp: averaged, normalised w4 is about -0.15 in fcc and +0.10 in hcp.
FCC_W4 = -0.03
#: bcc has w6 > 0 with 12 neighbours, close-packed lattices have w6 < 0.
BCC_W6 = 0.0
#: sc: q4 and w4 of 6 neighbours are large, q6 of 12 is small because the second shell is cut at random.
SC_Q4, SC_W4, SC_Q6 = 0.33, 0.10, 0.25

#: A particle is at a surface where the mean unit vector to its neighbours within `SURFACE_REACH` first-shell distances
#: is longer than this: 0.35 on a perfect fcc (111) surface, 0 in a perfect bulk. Close to melting, 2 % of vacancies make
#: up to 1.5 % of a bulk crystal look like surface; without vacancies it is below 0.6 % (tests/test_order.py).
SURFACE_ASYMMETRY = 0.20
SURFACE_REACH = 1.5


@dataclass(frozen=True)
class OrderParameters:
    """Averaged order parameters, each (N,); q and normalised w of 12 neighbours, ``_sc`` of 6."""

    q6: NDArray[np.float64]
    w4: NDArray[np.float64]
    w6: NDArray[np.float64]
    q4_sc: NDArray[np.float64]
    w4_sc: NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """What every particle is: `phase` (N,) indexes `PHASES`; `surface` (N,) tells who lacks neighbours on one side."""

    phase: NDArray[np.int8]
    surface: NDArray[np.bool_]

    def fractions(self, where: str = "bulk") -> dict[str, float]:
        """Fraction of each phase among particles away from surfaces (``"bulk"``) or among ``"all"``.

        Without any particle away from surfaces every fraction of the bulk is 0.
        """
        chosen = self.phase if where == "all" else self.phase[~self.surface]
        counts = np.bincount(chosen, minlength=len(PHASES))
        return {name: float(count / max(len(chosen), 1)) for name, count in zip(PHASES, counts, strict=True)}

    def crystalline(self, phase: str) -> NDArray[np.bool_]:
        """Whether each particle belongs to the crystal named `phase`; fcc and hcp are one close-packed crystal."""
        names = CLOSE_PACKED if phase in CLOSE_PACKED else (phase,)
        return np.isin(self.phase, [PHASES.index(name) for name in names]) & ~self.surface


def freud_box(box: ArrayLike) -> Any:
    """Return a freud box from (Lx, Ly, Lz, xy, xz, yz) [nm].

    Raises:
        TrajectoryError: a flat box: monolayers are not handled yet.
    """
    import freud

    values = [float(value) for value in np.ravel(np.asarray(box, float))]
    if len(values) != 6 or min(values[:3]) <= 0:
        raise TrajectoryError(
            f"the box {values} is not three-dimensional: labels need Lx, Ly, Lz > 0; monolayers are not handled yet"
        )
    return freud.box.Box(*values)


def _checked(box: ArrayLike, positions: ArrayLike) -> tuple[Any, NDArray[np.float64]]:
    x = np.asarray(positions, float)
    if x.ndim != 2 or x.shape[1] != 3:
        raise TrajectoryError(f"positions must have the shape (N, 3); got {x.shape}")
    if len(x) <= NEIGHBOURS:
        raise TrajectoryError(
            f"labels need more than {NEIGHBOURS} particles, as each looks at that many; got {len(x)}"
        )
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x).all(axis=1)))
        raise TrajectoryError(
            f"{bad} of {len(x)} positions are not finite: the simulation that wrote them diverged"
        )
    return freud_box(box), x


def _steinhardt(
    system: tuple[Any, NDArray[np.float64]], neighbours: Any, degree: int, w: bool
) -> NDArray[np.float64]:
    import freud

    order = freud.order.Steinhardt(degree, average=True, wl=w, wl_normalize=w)
    return np.asarray(order.compute(system, neighbors=neighbours).particle_order, float)


def _nearest(system: tuple[Any, NDArray[np.float64]], count: int) -> Any:
    import freud

    query = freud.locality.AABBQuery(*system).query(system[1], {"num_neighbors": count, "exclude_ii": True})
    return query.toNeighborList()


def order_parameters(box: ArrayLike, positions: ArrayLike) -> OrderParameters:
    """Compute the order parameters that `classify` looks at.

    Args:
        box: (6,) Lx, Ly, Lz, xy, xz, yz; treated as periodic. A slab needs empty space between its images.
        positions: (N, 3), N > 12.

    Raises:
        TrajectoryError: a flat box, too few particles, or positions that are not finite.
    """
    system = _checked(box, positions)
    twelve, six = _nearest(system, NEIGHBOURS), _nearest(system, NEIGHBOURS_SC)
    return OrderParameters(
        q6=_steinhardt(system, twelve, 6, w=False),
        w4=_steinhardt(system, twelve, 4, w=True),
        w6=_steinhardt(system, twelve, 6, w=True),
        q4_sc=_steinhardt(system, six, 4, w=False),
        w4_sc=_steinhardt(system, six, 4, w=True),
    )


def classify(order: OrderParameters) -> NDArray[np.int8]:
    """Label each particle by the windows of this module: (N,) indices of `PHASES`."""
    simple = (order.q4_sc > SC_Q4) & (order.w4_sc > SC_W4) & (order.q6 < SC_Q6)
    ordered = (order.q6 > ORDERED_Q6) & ~simple
    centred = ordered & (order.w6 > BCC_W6)
    cubic = ordered & ~centred & (order.w4 < FCC_W4)
    return np.select(
        [simple, centred, cubic, ordered],
        [PHASES.index(name) for name in ("sc", "bcc", "fcc", "hcp")],
        default=PHASES.index("disordered"),
    ).astype(np.int8)


def asymmetry(box: ArrayLike, positions: ArrayLike) -> NDArray[np.float64]:
    """Length of the mean unit vector to the neighbours within 1.5 first-shell distances: (N,), 0 to 1 [-].

    The first-shell distance is the median distance to the six nearest neighbours. A particle without any neighbour in
    reach has 1.
    """
    import freud

    system = _checked(box, positions)
    reach = SURFACE_REACH * float(np.median(_nearest(system, NEIGHBOURS_SC).distances))
    query = freud.locality.AABBQuery(*system).query(system[1], {"r_max": reach, "exclude_ii": True})
    bonds = query.toNeighborList()
    total = np.zeros_like(system[1])
    np.add.at(total, bonds.query_point_indices, bonds.vectors / bonds.distances[:, None])
    counts = np.asarray(bonds.neighbor_counts)
    return np.where(counts > 0, np.linalg.norm(total, axis=1) / np.maximum(counts, 1), 1.0)


def label(box: ArrayLike, positions: ArrayLike) -> Labels:
    """Label every particle and tell who is at a surface; arguments and errors as `order_parameters`."""
    return Labels(
        phase=classify(order_parameters(box, positions)),
        surface=asymmetry(box, positions) > SURFACE_ASYMMETRY,
    )


def global_q6(box: ArrayLike, positions: ArrayLike) -> float:
    """Steinhardt Q6 of the whole configuration, over all bonds to 12 neighbours [-]: about 1/√(6 N) in a liquid."""
    import freud

    system = _checked(box, positions)
    return float(freud.order.Steinhardt(6).compute(system, neighbors=_nearest(system, NEIGHBOURS)).order)
