"""How fast η(γ) is: a million size ratios in one call, and the ratio to a plain Python loop over the same function.

    python benchmarks/packing_speed.py [--phase MgZn2] [--points 1000000]

Both sides call the same function, the loop with one γ at a time. The loop is timed on a sample and scaled, since a
million calls would take minutes; the sample is spread over the same range. Each side is repeated and its median taken.
One core: NumPy's element-wise functions do not use more.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from supercrystal.packing import hard, otm

#: A million values should take less than this.
TARGET_S = 0.5
SAMPLE = 2000


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--phase", default="MgZn2", help="a phase with an OTM branch")
    parser.add_argument("--points", type=int, default=1_000_000)
    arguments = parser.parse_args()
    phase = arguments.phase
    windows = otm.windows(phase)
    if not windows:
        raise SystemExit(f"{phase} has no OTM branch: choose a phase that has one, such as MgZn2")
    # The loop may only see γ that a single call accepts, so both sides get the widest range with a branch.
    _, low, high = max(windows, key=lambda window: window[2] - window[1])
    gamma = np.linspace(low, high, arguments.points + 2)[1:-1]
    sample = np.random.default_rng(1).choice(gamma, SAMPLE).tolist()
    for name, function in (("hard spheres", hard.packing_fraction), ("OTM", otm.packing_fraction)):
        array = seconds(lambda function=function: function(phase, gamma))
        loop = seconds(lambda function=function: [function(phase, g) for g in sample], 3)
        loop *= arguments.points / SAMPLE
        np.testing.assert_allclose(
            function(phase, np.array(sample)), [function(phase, g) for g in sample], rtol=1e-13
        )
        verdict = ""
        if arguments.points == 1_000_000:
            verdict = f" (target < {TARGET_S} s: {'met' if array < TARGET_S else 'MISSED'})"
        print(f"{phase}, {name}: {arguments.points:,} values in {array:.3f} s{verdict}")
        print(
            f"  loop over the same function: {loop:.1f} s, from {SAMPLE:,} values; ratio {loop / array:.0f}"
        )


if __name__ == "__main__":
    main()
