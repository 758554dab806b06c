"""What an operation asks of a machine, from the cost of the study itself.

The cost of a step is taken from the table in benchmarks/README.md (`cost_scaling.py`: a PbS fluid at a volume fraction
of 0.45, one thread of an AMD EPYC shared with other work): 387 to 479 ns a particle and step with HOOMD-blue and 179
to 269 ns with LAMMPS, from 10³ to 10⁵ particles. The largest of each is taken. Walltimes are a multiple of it, because
other processors, crystals (more neighbours) and mixtures were not in that table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supercrystal.study import Study
    from supercrystal.sweep.specification import ResourcesTable

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
#: Walltimes are multiples of this, so that jobs of about one size are submitted together [s].
STEP_S = 60.0


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


def steps(study: Study) -> tuple[int, int]:
    """Steps of a study's schedule and its number of sites, beads included; places none of them, which takes seconds.

    Raises:
        PhysicsError: settings that do not fit together.
    """
    from supercrystal.protocols import start as starts
    from supercrystal.protocols.timeline import State, Timeline

    model, start = study.build_model(), study.start()
    film = starts.geometry(model, start) if isinstance(start, starts.FilmStart) else None
    if film is not None:
        state = State(height=film.wet_height, sides=film.wet_sides, solvent=model.solvent_strength)
    else:
        side = (model.volume / starts.filling(model, start)) ** (1 / 3)
        state = State(sides=(side, side, side), solvent=model.solvent_strength)
    timeline = Timeline(model.timestep, state)
    timeline.hold(start.mixing_time)
    for stage in study.stages(model):
        stage.lay(timeline, model, film)
        timeline.close(stage.kind, stage.frames)
    beads = {name: len(body.positions) for name, body in model.bodies.items()}
    sites = sum(n * (1 + beads.get(name, 0)) for name, n in zip(model.types, model.counts, strict=True))
    return timeline.schedule().total, sites


def estimate(
    study: Study, operation: str, resources: ResourcesTable, relax: Mapping[str, Any] | None = None
) -> Directives:
    """What the main operation of a job asks for.

    Args:
        study: of the job.
        operation: ``"assemble"`` or ``"relax"``.
        resources: what the sweep lets a job have.
        relax: settings of `relax`.

    Raises:
        PhysicsError: settings of the study that do not fit together.
    """
    engine = (
        "hoomd" if study.engine == "auto" else study.engine
    )  # the dearer one, as it is not known where this will run
    seconds, particles = 0.0, 1000
    if operation == "assemble":
        total, particles = steps(study)
        # Sized as if ranks shared the work without loss, and GPUs did nothing: the margin is for what is not so.
        seconds = total * particles * COST_S[engine] / resources.ranks
    elif relax and relax.get("dynamics"):
        model = study.build_model()
        particles = int(relax["particles"])
        each = relax["time"] / model.timestep + 2 * relax["energy_steps"]
        # Competitors are added to the candidates: at most one for each kind of nanocrystal.
        seconds = (len(relax["phases"]) + len(study.nanocrystals)) * each * particles * COST_S[engine]
    walltime = (MARGIN * seconds + OVERHEAD_S) * resources.walltime_factor
    return Directives(
        cores=resources.cores,
        ranks=resources.ranks,
        gpus=resources.gpus,
        memory_gib=round(MEMORY_GIB * resources.ranks + MEMORY_GIB_PER_PARTICLE * particles, 2),
        walltime_s=float(math.ceil(walltime / STEP_S) * STEP_S),
    )
