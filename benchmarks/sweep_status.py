"""Time of ``supercrystal sweep status`` on a large sweep.

    python benchmarks/sweep_status.py [--jobs 10000] [--repeats 3]

makes a sweep of that many jobs (a tenth finished, a tenth failed, one in a hundred killed), and times the command in
processes of its own, with the index and without it, as after a crash of `init`. The target is 5 s.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from supercrystal.sweep import specification as specifications
from supercrystal.sweep.execution import FAILED, RUNNING
from supercrystal.sweep.operations import PRODUCTS, line
from supercrystal.sweep.space import INDEX, Space, initialise

SWEEP = """
name = "large"
replicas = {replicas}
[axes]
"nanocrystals.1.ligand.carbons" = [6, 9, 12, 15, 18]
solvent = ["toluene", "hexane"]
[study]
name = "large"
seed = 1
solvent = "toluene"
[[study.nanocrystals]]
count = 500
core = {{ material = "PbS", diameter_nm = 7.0 }}
ligand = "oleate"
grafting_density_per_nm2 = 4.40
[study.protocol]
kind = "slow-drying"
duration_brownian_times = 100
"""


def make(folder: Path, jobs: int) -> Space:
    """A sweep with files as runs leave them."""
    text = SWEEP.format(replicas=jobs // 10)
    (folder / "sweep.toml").write_text(text)
    sweep, base = specifications.load(folder / "sweep.toml")
    space = initialise(sweep, base, text, folder / "large")
    for number, job in enumerate(space.entries):
        here = space.folder(job)
        if number % 10 == 0:
            for name in line("assemble"):
                (here / PRODUCTS[name]).write_text("{}")
        elif number % 10 == 1:
            (here / FAILED).write_text(json.dumps({"operation": "assemble", "message": "no"}))
        elif number % 100 == 2:
            (here / RUNNING).write_text("{}")
    return space


def clock(space: Space) -> tuple[float, float, str]:
    """Wall and processor time of one `status` [s], and its first line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    command = [sys.executable, "-m", "supercrystal", "sweep", "status", "-C", str(space.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, done.stdout.splitlines()[0]


def main() -> None:
    """Make, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        space = make(Path(folder), given.jobs)
        print(f"made {len(space.entries)} jobs in {time.monotonic() - began:.1f} s")
        for what in ("with its index", "without"):
            times = [clock(space) for _ in range(given.repeats)]
            wall, used = (sorted(t[i] for t in times) for i in (0, 1))
            print(
                f"status {what}: {statistics.median(wall):.2f} s ({wall[0]:.2f} to {wall[-1]:.2f}), processor "
                f"{statistics.median(used):.2f} s; {times[0][2]}"
            )
            (space.root / INDEX).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
