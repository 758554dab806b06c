"""Started by mpiexec from test_mpi.py: what an engine gives for pickled cases, written by the first rank.

mpiexec -n 2 python tests/on_ranks.py CASES RESULTS
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supercrystal.engines import base
from supercrystal.ranks import world
from supercrystal.system import Schedule, System


def evaluate(name: str, system: System, schedule: Schedule, runs: Sequence[int] = ()) -> dict[str, Any]:
    """Everything an engine says of a system after some runs, of so many steps each."""
    engine = base.start(base.choose(name), system, schedule, seed=3)
    for steps in runs:
        engine.run(steps)
    frame = engine.frame()
    kept = ("position", "image", "velocity", "orientation", "angmom")
    return {
        "energy": engine.potential_energy(),
        "pressure": engine.virial_pressure(),
        **{name: getattr(frame.particles, name) for name in kept},
        "box": frame.configuration.box,
        "forces": engine.forces(),
        "torques": engine.torques(),
    }


def main(cases: Path, results: Path) -> None:
    found = {name: evaluate(*case) for name, case in pickle.loads(cases.read_bytes()).items()}
    every = world().comm.gather(pickle.dumps(found)) if world().comm else [pickle.dumps(found)]
    if world().leads:
        results.write_bytes(pickle.dumps(every))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
