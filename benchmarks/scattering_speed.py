"""How fast S(q) is: a powder average of 10⁵ particles on one core, and the ratio to freud where freud can do it.

    python benchmarks/scattering_speed.py [--particles 100000] [--compare 4000]

freud sums over one octant of the box's wave vectors (h, k, l ≥ 0), we over the half that is different. The ratio is given
as it is, and times four for the same wave vectors. Both are kept on one core and are interleaved.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from supercrystal import lattices
from supercrystal.structure.scattering.amplitudes import Scatterers, scatterers
from supercrystal.structure.scattering.powder import structure_factors

#: A powder S(q) of 10⁵ particles should take less than this.
TARGET_S = 10.0


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def perovskite(n: int) -> tuple[Scatterers, list[float]]:
    """Noisy ABO3 of three species with at least `n` particles, a = 1, and its box."""
    m = math.ceil((n / 5) ** (1 / 3))
    frame = lattices.build("ABO3", {"a": 1.0}, repeats=(m, m, m))
    p = frame.particles
    x = p.position + np.random.default_rng(0).normal(0, 0.03, p.position.shape)
    return scatterers(frame.configuration.box, x, p.typeid, p.types), list(frame.configuration.box)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--particles", type=int, default=100_000)
    parser.add_argument("--compare", type=int, default=4_000, help="particles of the comparison with freud")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    import freud

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    freud.parallel.set_num_threads(1)
    q_max = 4 * 2 * np.pi  # four orders of (100)
    large, _ = perovskite(arguments.particles)
    one = Scatterers({"all": large.positions}, large.cell)
    for name, found in (("one species", one), ("three species, six partials", large)):
        times = [
            seconds(lambda found=found: structure_factors(found, q_max)) for _ in range(arguments.repeats)
        ]
        took = statistics.median(times)
        verdict = f"(target <= {TARGET_S:g} s: {'met' if took <= TARGET_S else 'MISSED'})"
        verdict = verdict if found.n >= 100_000 else ""
        print(f"powder S(q), {found.n:,} particles, q to 4 x 2 pi / a, {name}: {took:.2f} s {verdict}")

    small, box = perovskite(arguments.compare)
    small = Scatterers({"all": small.positions}, small.cell)
    bins = 60
    ours, theirs = [], []
    for _ in range(arguments.repeats):
        ours.append(seconds(lambda: structure_factors(small, q_max, bins)))
        direct = freud.diffraction.StaticStructureFactorDirect(bins=bins, k_max=q_max, k_min=0)
        theirs.append(seconds(lambda direct=direct: direct.compute((box, small.positions))))
    fast, slow = statistics.median(ours), statistics.median(theirs)
    print(f"{small.n:,} particles, all wave vectors: {fast:.3f} s; freud, one octant of them: {slow:.2f} s")
    print(f"  ratio {slow / fast:.0f} as it is, {4 * slow / fast:.0f} for the same half of the wave vectors")


if __name__ == "__main__":
    main()
