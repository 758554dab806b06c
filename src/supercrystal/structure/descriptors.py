"""Order parameters that tell crystals apart particle by particle: bond order and distances, species by species.

For a particle i, the neighbours are its k nearest of one species, and

    q_lm(i) = (1/k) Σ_j Y_lm(r_ij),    Q_lm(i) = mean of q_lm over i and its 12 nearest of i's own species,
    q_l(i) = √[4π/(2l+1) Σ_m |Q_lm(i)|²].

The average over neighbours (Lechner and Dellago, J. Chem. Phys. 129, 114707 (2008), DOI 10.1063/1.2977970) takes out
thermal noise and vacancies; bonds from one species to the other tell compounds apart whose hosts sit on one lattice.
Distances enter as ratios, so no descriptor depends on the size of the crystal. Bonds and spherical harmonics are
freud's.

The larger species is the host (A in the catalogue), all others together are its guests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from supercrystal.structure.sample import FARTHEST, NEIGHBOURS, Sample

Role = Literal["one", "host", "guest"]

DEGREES = (2, 4, 6, 8)
#: Numbers of nearest neighbours that each kind of bond is summed over. From hosts to guests 20 are needed: the body
#: centre of ABO3 lies beyond its twelve face centres, and without it ABO3 is AuCu3.
SAME = (6, 8, 12, 14)
HOST_TO_GUEST = (4, 6, 8, 12, FARTHEST)
GUEST_TO_HOST = (4, 6, 8, 12)
#: Degrees whose third-order invariant helps one species: it tells fcc from hcp from bcc.
THIRD_ORDER = (4, 6)
#: The shell in which distances are measured.
FIRST = 6
#: Particles whose spherical harmonics are in memory at a time.
_CHUNK = 10_000

_ORDERS = [(degree, m) for degree in DEGREES for m in range(degree + 1)]
#: Columns of freud's harmonics (all degrees from 0 to 8, orders 0 to l).
_COLUMNS = np.array([degree * (degree + 1) // 2 + m for degree, m in _ORDERS])
_DEGREE = np.array([degree for degree, _ in _ORDERS])
#: An order m > 0 also stands for -m, which freud leaves out.
_WEIGHT = np.array([(1 if m == 0 else 2) * 4 * np.pi / (2 * degree + 1) for degree, m in _ORDERS], np.float32)


def names(role: Role) -> tuple[str, ...]:
    """Names of the descriptors of a particle: of one species alone, of a host, or of a guest.

    >>> names("guest")[-2:]
    ('G→H d(8)/d(6)', 'G→H d(12)/d(6)')
    """
    own = {"one": "", "host": "H→H ", "guest": "G→G "}[role]
    found = [f"{own}q{degree}({k})" for k in SAME for degree in DEGREES]
    found += [f"{own}d({k})/d({FIRST})" for k in SAME if k != FIRST]
    found += [f"{own}agreement"]
    if role == "one":
        found += [f"w{degree}({NEIGHBOURS})" for degree in THIRD_ORDER]
    else:
        other, counts = ("H→G ", HOST_TO_GUEST) if role == "host" else ("G→H ", GUEST_TO_HOST)
        found += [f"{other}q{degree}({k})" for k in counts for degree in DEGREES]
        found += [f"{other}d({k})/d({FIRST})" for k in counts]
    return tuple(found)


@dataclass(frozen=True)
class Description:
    """Descriptors of the particles of one role.

    Args:
        own: (n, F) of bonds within the role.
        third: (n, 2) third-order invariants within the role.
        cross: (n, G) of bonds to the other role; None without it.
        nearest: (n, 12) those of the role that are nearest, as indices into the n.
        other: (n, 4) those of the other role that are nearest, as indices into its particles; None without it.
    """

    own: NDArray[np.float32]
    third: NDArray[np.float32]
    cross: NDArray[np.float32] | None
    nearest: NDArray[np.intp]
    other: NDArray[np.intp] | None

    def values(self, role: Role) -> NDArray[np.float32]:
        """Descriptors as `names` lists them; ``"one"`` takes the role's particles as if there were no others."""
        if role == "one" or self.cross is None:
            return np.concatenate([self.own, self.third], axis=1)
        # Hosts look farther than guests: what is described as a host can be read as a guest too.
        counts = HOST_TO_GUEST if role == "host" else GUEST_TO_HOST
        looked = self.cross.shape[1] // (len(DEGREES) + 1)
        orders = self.cross[:, : len(counts) * len(DEGREES)]
        distances = self.cross[:, looked * len(DEGREES) :][:, : len(counts)]
        return np.concatenate([self.own, orders, distances], axis=1)


@dataclass(frozen=True)
class _Bonds:
    """Nearest targets of every source: indices (n, k), distances (n, k), vectors (n, k, 3)."""

    index: NDArray[np.intp]
    distance: NDArray[np.float32]
    vector: NDArray[np.float32]


def _subset(found: Sample, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Positions of the chosen particles and of their periodic copies, themselves first."""
    copies = len(found.positions) // found.n
    return found.positions[np.tile(chosen, copies)]


def _bonds(
    box: Any, sources: NDArray[np.float64], targets: NDArray[np.float64], count: int, same: bool
) -> _Bonds:
    import freud

    query = freud.locality.AABBQuery(box, targets)
    found = query.query(sources, {"num_neighbors": count, "exclude_ii": same}).toNeighborList(
        sort_by_distance=True
    )
    shape = (len(sources), count)
    return _Bonds(
        np.asarray(found.point_indices, np.intp).reshape(shape),
        np.asarray(found.distances, np.float32).reshape(shape),
        np.asarray(found.vectors, np.float32).reshape(*shape, 3),
    )


def _harmonics(
    box: Any, sources: NDArray[np.float64], bonds: _Bonds, counts: tuple[int, ...]
) -> NDArray[np.complex64]:
    """q_lm of the `counts` nearest targets, (n, len(counts), 24)."""
    import freud

    width = bonds.index.shape[1]
    edges = [0, *(min(count, width) for count in counts)]
    result = np.empty((len(sources), len(counts), len(_COLUMNS)), np.complex64)
    descriptor = freud.environment.LocalDescriptors(max(DEGREES), negative_m=False, mode="global")
    for start in range(0, len(sources), _CHUNK):
        stop = min(start + _CHUNK, len(sources))
        rows = stop - start
        # Only the vectors of the bonds count. freud (3.4) computes the bonds of as many query points as there are points
        # and leaves those of the rest zero, and its time grows with the points: as many are given as there are sources.
        own = np.repeat(np.arange(rows), width)
        neighbours = freud.locality.NeighborList.from_arrays(
            rows, rows, own, own, bonds.vector[start:stop].reshape(-1, 3)
        )
        descriptor.compute((box, sources[start:stop]), query_points=sources[start:stop], neighbors=neighbours)
        each = np.asarray(descriptor.sph).reshape(rows, width, -1)
        total: Any = 0
        for k, count in enumerate(counts):
            total = total + each[:, edges[k] : edges[k + 1]].sum(axis=1)[:, _COLUMNS]
            result[start:stop, k] = total / min(count, width)
    return result


def _mean(values: NDArray[Any], nearest: NDArray[np.intp]) -> NDArray[Any]:
    """Mean over every particle and its neighbours."""
    total = values.copy()
    for column in nearest.T:
        total += values[column]
    total /= nearest.shape[1] + 1
    return total


def _lengths(harmonics: NDArray[np.complex64]) -> NDArray[np.float32]:
    """q_l of (n, counts, 24) harmonics: (n, counts × degrees)."""
    power = (harmonics.real**2 + harmonics.imag**2) * _WEIGHT
    each = [power[..., degree == _DEGREE].sum(axis=-1) for degree in DEGREES]
    return np.asarray(np.sqrt(np.stack(each, axis=-1)).reshape(len(harmonics), -1), np.float32)


def _distances(distance: NDArray[np.float32], counts: tuple[int, ...]) -> NDArray[np.float32]:
    """Mean distance of the `counts` nearest, (n, len(counts))."""
    last = np.minimum(counts, distance.shape[1])
    return np.asarray(np.cumsum(distance, axis=1)[:, last - 1] / last, np.float32)


def _agreement(harmonics: NDArray[np.complex64], nearest: NDArray[np.intp]) -> NDArray[np.float32]:
    """Mean over neighbours of the normalised scalar product of their q_lm with one's own, (n, 1) from -1 to 1.

    It is what tells a crystal from a liquid (ten Wolde, Ruiz-Montero and Frenkel, J. Chem. Phys. 104, 9932 (1996),
    DOI 10.1063/1.471721), here over all degrees.
    """
    one = harmonics[:, SAME.index(NEIGHBOURS)] * np.sqrt(_WEIGHT)
    one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12)
    total = np.zeros(len(one), np.float32)
    for column in nearest.T:
        other = one[column]
        total += np.einsum("ij,ij->i", one.real, other.real) + np.einsum("ij,ij->i", one.imag, other.imag)
    return (total / nearest.shape[1])[:, None]


def _third_order(
    box: Any, own: NDArray[np.float64], bonds: _Bonds, nearest: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Averaged, normalised w_l of 12 neighbours, (n, 2)."""
    import freud

    copies, width = len(own) // len(nearest), nearest.shape[1]
    # Copies see what the particles see; their neighbours are found again only where there are copies.
    full = bonds if copies == 1 else _bonds(box, own, own, width, same=True)
    neighbours = freud.locality.NeighborList.from_arrays(
        len(own),
        len(own),
        np.repeat(np.arange(len(own)), width),
        full.index[:, :width].ravel(),
        full.vector[:, :width].reshape(-1, 3),
    )
    order = freud.order.Steinhardt(list(THIRD_ORDER), average=True, wl=True, wl_normalize=True)
    found = order.compute((box, own), neighbors=neighbours).particle_order
    return np.nan_to_num(np.asarray(found, np.float32)[: len(nearest)])


def describe(
    found: Sample, chosen: NDArray[np.bool_], others: NDArray[np.bool_] | None, role: Role
) -> Description:
    """Describe the particles of one role.

    Args:
        found: the prepared frame.
        chosen: (n,) the particles; more than 12 with their periodic copies.
        others: (n,) the particles of the other role, or None for one species.
        role: what the chosen ones are.

    Where fewer neighbours exist than a descriptor asks for, those that exist are taken.
    """
    own, sources = _subset(found, chosen), found.positions[: found.n][chosen]
    bonds = _bonds(found.box, sources, own, min(max(SAME), len(own) - 1), same=True)
    nearest = bonds.index[:, :NEIGHBOURS] % len(sources)
    raw = _harmonics(found.box, sources, bonds, SAME)
    reach = _mean(_distances(bonds.distance, SAME), nearest)
    first = reach[:, [SAME.index(FIRST)]]
    ratios = reach[:, [k for k, count in enumerate(SAME) if count != FIRST]] / first
    same = np.concatenate([_lengths(_mean(raw, nearest)), ratios, _agreement(raw, nearest)], axis=1)
    third = _third_order(found.box, own, bonds, nearest)
    if others is None:
        return Description(same, third, None, nearest, None)

    counts = HOST_TO_GUEST if role == "host" else GUEST_TO_HOST
    targets = _subset(found, others)
    across = _bonds(found.box, sources, targets, min(max(counts), len(targets)), same=False)
    harmonics = _mean(_harmonics(found.box, sources, across, counts), nearest)
    distances = _mean(_distances(across.distance, counts), nearest) / first
    cross = np.concatenate([_lengths(harmonics), distances], axis=1)
    return Description(same, third, cross, nearest, across.index[:, :4] % int(others.sum()))
