"""``workflow.toml`` for row, which watches the same product files.

Format: the documentation of row 1.0 (workflow/action). An element of an action has one request for all its jobs; the largest
walltime, rank and GPU counts of the jobs are asked for.
"""

from __future__ import annotations

from typing import Any

from supercrystal.rundir import write_atomically
from supercrystal.sweep.operations import PRODUCTS, line
from supercrystal.sweep.space import Space

#: File that row looks for.
WORKFLOW = "workflow.toml"
#: Operations that take long; the others take seconds.
LONG = ("assemble", "relax")
#: Walltime of each of the others on one job [s]; drawing figures on a slow disk is the longest.
SHORT_S = 120


def workflow(space: Space) -> dict[str, Any]:
    """Content of the file."""
    kinds = dict.fromkeys(entry.operation for entry in space.entries.values())
    actions = []
    for kind in kinds:
        asked = [entry.directives for entry in space.entries.values() if entry.operation == kind]
        previous = None
        for name in line(kind):
            resources: dict[str, Any] = {"walltime": {"per_directory": _clock(SHORT_S)}}
            if name in LONG:
                resources = {
                    "processes": {"per_submission": max(one.ranks for one in asked)},
                    "threads_per_process": max(one.cores for one in asked),
                    "walltime": {"per_directory": _clock(max(one.walltime_s for one in asked))},
                }
                if gpus := max(one.gpus for one in asked):
                    resources["gpus_per_process"] = gpus
            action: dict[str, Any] = {
                # Row wants equal names to have equal predecessors, which two kinds of jobs have not.
                "name": name if name == kind or len(kinds) == 1 else f"{name}-{kind}",
                "command": f"supercrystal sweep exec --operation {name} {{directories}}",
                "products": [PRODUCTS[name]],
                "resources": resources,
                "group": {"include": [{"condition": ["/operation", "==", kind]}]},
            }
            if previous:
                action["previous_actions"] = [previous]
            actions.append(action)
            previous = action["name"]
    return {"workspace": {"value_file": "signac_statepoint.json"}, "action": actions}


def write(space: Space) -> None:
    """Write the file into the sweep's directory."""
    import tomli_w

    write_atomically(space.root / WORKFLOW, tomli_w.dumps(workflow(space)))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
