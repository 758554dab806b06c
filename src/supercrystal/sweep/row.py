"""``workflow.toml`` for row, which watches the same product files.

Format: `src/workflow.rs` of row 0.3.1, which ran it; row 1.0 has the same keys and some more. An action has one request for
all its jobs; the largest walltime, rank, core and GPU counts of the jobs are asked for.

Row starts no ranks here: it wants one of its own launchers before a command of several processes, and `sweep exec` starts
mpiexec itself. So an action is one process with the cores of all its ranks, on one node.
"""

from __future__ import annotations

from typing import Any

from supercrystal.rundir import write_atomically
from supercrystal.sweep.execution import BUSY, FAILURE, UNTOUCHED
from supercrystal.sweep.operations import PRODUCTS, line
from supercrystal.sweep.space import STATEPOINT, Space

#: File that row looks for.
WORKFLOW = "workflow.toml"
#: Operations that take long; the others take seconds.
LONG = ("assemble", "relax")
#: Walltime of each of the others on one job [s]; drawing figures on a slow disk is the longest.
SHORT_S = 120
#: Jobs of one submission, which are worked on one after the other: so many as fill an hour; one of what takes long.
TOGETHER = 3600 // SHORT_S
#: Without a scheduler row ends at the first command that fails, and begins with it the next time: one job at fault would
#: keep all others from going on. There a job that failed, was not touched or is another process's does not count.
GO_ON = f"[[ $ACTION_CLUSTER$? =~ ^none[{FAILURE}{BUSY}{UNTOUCHED}]$ ]]"


def workflow(space: Space) -> dict[str, Any]:
    """Content of the file."""
    kinds = dict.fromkeys(entry.operation for entry in space.entries.values())
    actions = []
    for kind in kinds:
        asked = [entry.directives for entry in space.entries.values() if entry.operation == kind]
        previous = None
        for name in line(kind):
            resources: dict[str, Any] = {"walltime": {"per_directory": _clock(SHORT_S)}}
            environment, size = "OMP_NUM_THREADS=1", TOGETHER
            if name in LONG:
                resources = {
                    "threads_per_process": max(one.ranks * one.cores for one in asked),
                    "walltime": {"per_directory": _clock(max(one.walltime_s for one in asked))},
                }
                if gpus := max(one.gpus for one in asked):
                    resources["gpus_per_process"] = gpus
                # As in our scripts for SLURM: ranks are all on the node of the one process.
                threads = max(one.cores for one in asked)
                environment, size = f"OMP_NUM_THREADS={threads} HYDRA_LAUNCHER=fork", 1
            action: dict[str, Any] = {
                # Row wants equal names to have equal predecessors, which two kinds of jobs have not.
                "name": name if name == kind or len(kinds) == 1 else f"{name}-{kind}",
                "command": f"{environment} supercrystal sweep exec --operation {name} {{directories}} || {GO_ON}",
                "products": [PRODUCTS[name]],
                "resources": resources,
                "group": {"include": [{"condition": ["/operation", "==", kind]}], "maximum_size": size},
            }
            if previous:
                action["previous_actions"] = [previous]
            actions.append(action)
            previous = action["name"]
    return {"workspace": {"value_file": STATEPOINT}, "action": actions}


def write(space: Space) -> None:
    """Write the file into the sweep's directory."""
    import tomli_w

    write_atomically(space.root / WORKFLOW, tomli_w.dumps(workflow(space)))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
