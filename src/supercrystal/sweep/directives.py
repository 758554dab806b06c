"""What an operation asks of a machine, from the cost of the study itself.

The cost of a step is taken from the table in benchmarks/README.md (`cost_scaling.py`: a PbS fluid at a volume fraction
of 0.45, one thread of an AMD EPYC shared with other work): 387 to 479 ns a particle and step with HOOMD-blue and 179
to 269 ns with LAMMPS, from 10³ to 10⁵ particles. The largest of each is taken. Walltimes are a multiple of it, because
other processors, crystals (more neighbours) and mixtures were not in that table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supercrystal.study import Study

#: Seconds a particle and step on one thread, the largest of benchmarks/README.md.
COST_S = {"hoomd": 479e-9, "lammps": 269e-9}
#: Walltime over estimated time.
MARGIN = 3.0
#: Start-up (imports of about 2 s on a busy core, compilation caches, network disks) and analysis of a job [s].
OVERHEAD_S = 120.0
#: Memory: what freud, engine and plots take, and each particle. Naming 10⁶ particles took 3.5 GiB, which is the largest part
#: of an operation (benchmarks/README.md).
MEMORY_GIB = 1.0
MEMORY_GIB_PER_PARTICLE = 3.5e-6
#: `relax` with dynamics: steps under pressure per Brownian time come from the model; per candidate as many as in `record`.
WALLTIME_STEP_S = 300.0


@dataclass(frozen=True)
class Directives:
    """What one operation on one job asks for.

    Args:
        cores: on one node, for each rank.
        ranks: MPI ranks.
        gpus: in all.
        memory_gib: in all [GiB].
        walltime_s: [s].
    """

    cores: int = 1
    ranks: int = 1
    gpus: int = 0
    memory_gib: float = 1.0
    walltime_s: float = 600.0

    def __post_init__(self) -> None:
        if min(self.cores, self.ranks) < 1 or self.gpus < 0:
            raise ValueError(f"cores and ranks are ≥ 1 and gpus ≥ 0; got {self}")
        if not (self.memory_gib > 0 and self.walltime_s > 0):
            raise ValueError(f"memory and walltime are > 0; got {self}")
