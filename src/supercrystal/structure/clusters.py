"""Connected particles, put together across periodic boundaries, with what is around them and where to start in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supercrystal.structure.registration import template

#: Particles of one neighbourhood that is registered: this many hosts, but within these numbers of particles.
HOSTS, LEAST, MOST = 40, 160, 600
#: Seeds of a cluster, and the pool they are chosen from.
SEEDS, POOL = 6, 200
#: Hosts are connected up to this multiple of the mean distance of six neighbours; other particles go with them.
CONNECTED = 1.4


@dataclass(frozen=True)
class Particles:
    """Particles that grains are looked for in.

    Args:
        box: freud box, periodic.
        x: (N, 3) wrapped.
        host: (N,) whether a particle is a host.
        kind: (N,) species index, for occupancies.
        species: names.
        label: (N,) phase by order parameters, an index of `labels.phases`.
    """

    box: Any
    x: NDArray[np.float64]
    host: NDArray[np.bool_]
    kind: NDArray[np.intp]
    species: Sequence[str]
    label: NDArray[np.intp]


@dataclass(frozen=True)
class Cluster:
    """Connected hosts and all particles near them, unwrapped: indices, positions, roles, and which carry the label."""

    index: NDArray[np.intp]
    x: NDArray[np.float64]
    host: NDArray[np.bool_]
    labelled: NDArray[np.bool_]


def clusters(
    found: Particles, chosen: NDArray[np.bool_], least: int
) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Connected clusters of chosen particles: indices and unwrapped positions, largest first.

    Args:
        found: the particles.
        chosen: (N,) those to connect.
        least: smallest cluster.
    """
    import freud
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    index = np.flatnonzero(chosen)
    if len(index) < max(least, 2):
        return []
    x = found.x[index]
    query = freud.locality.AABBQuery(found.box, x)
    count = min(14, len(x) - 1)
    bonds = query.query(x, {"num_neighbors": count, "exclude_ii": True}).toNeighborList(sort_by_distance=True)
    distance = np.asarray(bonds.distances, float)
    # Clusters have their own spacing: a bond belongs to both ends' idea of near.
    near = distance.reshape(-1, count)[:, : min(6, count)].mean(axis=1)
    i, j = np.asarray(bonds.query_point_indices, np.intp), np.asarray(bonds.point_indices, np.intp)
    kept = distance <= CONNECTED * np.minimum(near[i], near[j])
    i, j = i[kept], j[kept]
    graph = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(len(x), len(x))).tocsr()
    count, component = connected_components(graph, directed=False)
    sizes = np.bincount(component, minlength=count)
    vectors = np.asarray(bonds.vectors, float)[kept]
    key = np.concatenate([i * len(x) + j, j * len(x) + i])
    order = np.argsort(key)
    key, step = key[order], np.concatenate([vectors, -vectors])[order]
    result = []
    for c in np.argsort(-sizes, kind="stable"):
        if sizes[c] < least:
            break
        members = np.flatnonzero(component == c)
        root = int(members[np.argmin(near[members])])
        visit, before = breadth_first_order(graph, root, directed=False)
        source = before[visit[1:]].astype(np.intp)
        moved = step[np.searchsorted(key, source * len(x) + visit[1:])]
        place = np.empty(len(x), np.intp)
        place[visit] = np.arange(len(visit))
        parent = place[source]
        generation = np.zeros(len(visit), np.intp)
        for k, p in enumerate(parent.tolist(), start=1):
            generation[k] = generation[p] + 1
        # Breadth first, whole generations are placed at once, each next to the one before.
        u = np.zeros((len(visit), 3))
        edges = np.searchsorted(generation, np.arange(1, generation[-1] + 2))
        for first, last in pairwise(edges.tolist()):
            u[first:last] = u[parent[first - 1 : last - 1]] + moved[first - 1 : last - 1]
        result.append((index[visit], u + x[root]))
    return result


def surrounded(found: Particles, hosts: NDArray[np.intp], u: NDArray[np.float64], all_: bool) -> Cluster:
    """A cluster of hosts together with all other particles that are near one of them."""
    import freud

    others = np.ones(len(found.x), bool)
    others[hosts] = False
    if not all_:
        others &= found.host
    rest = np.flatnonzero(others)
    labelled = np.ones(len(hosts), bool)
    if not len(rest):
        return Cluster(hosts, u, np.ones(len(hosts), bool), labelled)
    query = freud.locality.AABBQuery(found.box, found.x[hosts])
    spacing = _spacing(u)
    bonds = query.query(found.x[rest], {"num_neighbors": 1, "r_max": 2.0 * spacing}).toNeighborList()
    mine, near = np.asarray(bonds.query_point_indices, np.intp), np.asarray(bonds.point_indices, np.intp)
    x = u[near] - np.asarray(bonds.vectors, float)
    index = np.concatenate([hosts, rest[mine]])
    return Cluster(
        index,
        np.concatenate([u, x]),
        found.host[index],
        np.concatenate([labelled, np.zeros(len(mine), bool)]),
    )


def _spacing(u: NDArray[np.float64]) -> float:
    """Rough distance of neighbours: the median distance to the six nearest, of at most a few hundred particles."""
    from scipy.spatial import cKDTree

    some = u[:: max(1, len(u) // 300)]
    distance = cKDTree(u).query(some, k=min(7, len(u)))[0]
    return float(np.median(distance[:, 1:]))


def seeds(cluster: Cluster, rng: np.random.Generator) -> NDArray[np.intp]:
    """Labelled hosts deep inside and far from each other, as places in the cluster."""
    from scipy.spatial import cKDTree

    places = np.flatnonzero(cluster.labelled & cluster.host)
    u = cluster.x[places]
    pool = rng.permutation(len(u))[:POOL]
    tree = cKDTree(u)
    spacing = _spacing(u)
    depth = np.array([len(near) for near in tree.query_ball_point(u[pool], 2.2 * spacing)])
    pool = pool[np.argsort(-depth, kind="stable")][: max(SEEDS, len(pool) // 3)]
    chosen = [int(pool[0])]
    gap = np.linalg.norm(u[pool] - u[chosen[0]], axis=1)
    while len(chosen) < min(SEEDS, len(pool)):
        chosen.append(int(pool[int(np.argmax(gap))]))
        gap = np.minimum(gap, np.linalg.norm(u[pool] - u[chosen[-1]], axis=1))
    return places[chosen]


def neighbourhood(
    cluster: Cluster, tree: Any, seed: int, candidates: Sequence[str], all_: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Particles around a seed: the same for all candidates, as what they explain of it is compared."""
    share = min(float(np.mean(template(phase).host)) for phase in candidates) if all_ else 1.0
    count = min(int(np.clip(HOSTS / share, LEAST, MOST)), len(cluster.x))
    near = tree.query(cluster.x[seed], k=count)[1]
    return cluster.x[near] - cluster.x[seed], cluster.host[near]
