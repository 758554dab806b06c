"""Run the jobs of the data space that `init.py` made.

python project.py status | run [--parallel N] | submit
"""

from __future__ import annotations

from pathlib import Path

import flow
import signac


class Replicas(flow.FlowProject):
    """One drying run a job."""


@Replicas.post.isfile("run/result.json")
@Replicas.operation(directives={"np": 1, "walltime": 1})
def assemble(job: signac.job.Job) -> None:
    """Run the job's study, or resume it where it was killed."""
    from supercrystal import study as studies
    from supercrystal.run import run

    text = job.statepoint["text"]
    out = Path(job.fn("run"))
    run(studies.parse(text), text, out, resume=(out / "study.toml").exists())


if __name__ == "__main__":
    Replicas().main()
