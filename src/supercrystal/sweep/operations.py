"""What is done with one job: plain functions of its directory.

Each is finished when its product file exists; products are written beside and renamed. The line of a job is

    build → assemble or relax → identify → compare → report

`assemble` is ``supercrystal run`` in the folder ``run`` and `relax` is ``supercrystal relax``; what follows reads what they
left. Nothing here knows of a scheduler, a lock or another job.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supercrystal.errors import SimulationError
from supercrystal.rundir import write_atomically
from supercrystal.sweep.space import STATEPOINT, STUDY

if TYPE_CHECKING:
    from supercrystal.study import Study

#: Operation → file that it leaves.
PRODUCTS = {
    "build": "build.json",
    "assemble": "assemble.json",
    "relax": "relax.json",
    "identify": "identify.json",
    "compare": "compare.json",
    "report": "report.html",
}
#: Figure of a job, for dashboards; written before the report that shows it.
FIGURE = "figure.png"
#: Run directory of `assemble`.
RUN = "run"


def line(kind: str) -> tuple[str, ...]:
    """Operations of a job in their order.

    >>> line("relax")
    ('build', 'relax', 'identify', 'compare', 'report')
    """
    return ("build", kind, "identify", "compare", "report")


@dataclass(frozen=True)
class Job:
    """One job as operations see it.

    Args:
        folder: its directory.
        statepoint: what signac keeps of it.
        launcher: put before ``supercrystal run`` where it is to run on several MPI ranks, as ``("mpiexec", "-n", "2")``.
        say: is told what is being done.
        keep: file descriptors that a launched program inherits; the lock of the job is one.
    """

    folder: Path
    statepoint: Mapping[str, Any]
    launcher: Sequence[str] = ()
    say: Callable[[str], None] = lambda message: None
    keep: Sequence[int] = field(default=())

    @classmethod
    def at(cls, folder: Path, **rest: Any) -> Job:
        """The job in a directory."""
        return cls(folder, json.loads((folder / STATEPOINT).read_text(encoding="utf-8")), **rest)

    @property
    def study(self) -> Study:
        """Its study."""
        return self.study_and_text[0]

    @property
    def study_and_text(self) -> tuple[Study, str]:
        """Its study and the file's text."""
        from supercrystal import study as studies

        return studies.load(self.folder / STUDY)

    def product(self, operation: str) -> dict[str, Any]:
        """Content of the product of an earlier operation."""
        content: dict[str, Any] = json.loads((self.folder / PRODUCTS[operation]).read_text(encoding="utf-8"))
        return content

    def write(self, operation: str, content: Mapping[str, Any]) -> None:
        """Write a product."""
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(self.folder / PRODUCTS[operation], text)


def build(job: Job) -> None:
    """Work out what will be simulated or relaxed, and what the packing models say; finds faults before the queue does."""
    from supercrystal.sweep.predictions import predict

    study = job.study
    record: dict[str, Any] = {"study": study.name, "seed": study.seed}
    if job.statepoint["operation"] == "assemble":
        from supercrystal.run import prepare

        prepared = prepare(study)
        record |= {
            "particles": int(prepared.system.frame.particles.N),
            "steps": prepared.schedule.total,
            "timestep": prepared.model.timestep,
            "brownian_times": prepared.schedule.total * prepared.model.timestep,
            "groups": [dataclasses.asdict(group) for group in prepared.assembly.groups],
        }
    else:
        from supercrystal.solids import from_study

        made, counts = from_study.substance(study)
        value, source = from_study.pressure(study, made, job.statepoint["relax"].get("pressure"))
        record |= {"particles": sum(counts.values()), "pressure_kT_per_nm3": value, "pressure_from": source}
    phases = job.statepoint.get("relax", {}).get("phases")
    job.write("build", {**record, "predictions": predict(study, phases)})


def assemble(job: Job) -> None:
    """Run the study, or go on from its last checkpoint."""
    run = job.folder / RUN
    resume = (run / STUDY).exists()
    if not (run / "result.json").exists():
        if job.launcher:
            command = [*job.launcher, sys.executable, "-m", "supercrystal", "run", str(job.folder / STUDY)]
            command += ["-o", str(run), "-q", "--json", *(["--resume"] if resume else [])]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, pass_fds=job.keep, check=False)
            if done.returncode:
                raise SimulationError(
                    f"{' '.join(command[: len(job.launcher)])} ended with {done.returncode}: see above"
                )
        else:
            from supercrystal.run import run as run_study

            study, text = job.study_and_text
            run_study(study, text, run, resume=resume, quiet=True)
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    kept = ("verdict", "phase", "how", "engine", "versions", "last_process")
    job.write("assemble", {key: result.get(key) for key in kept})


def relax(job: Job) -> None:
    """Relax the candidates and compare them."""
    from supercrystal.solids.record import examine_study

    settings = dict(job.statepoint["relax"])
    phases = settings.pop("phases")
    job.write("relax", examine_study(job.study, phases, **settings, progress=job.say))


def identify(job: Job) -> None:
    """Name what formed, or what is lowest among the candidates, with its lattices."""
    if job.statepoint["operation"] == "assemble":
        result = json.loads((job.folder / RUN / "result.json").read_text(encoding="utf-8"))
        job.write("identify", _formed(result))
    else:
        job.write("identify", _lowest(job.product("relax")))


def _formed(result: Mapping[str, Any]) -> dict[str, Any]:
    lattice, named = result.get("lattice"), result.get("named")
    found: list[dict[str, Any]] = []
    if lattice:
        a, error = lattice["lattice_constant_nm"], lattice["lattice_constant_uncertainty_nm"]
        found.append(
            {"phase": result["phase"], "roles": None, "a_nm": a, "a_uncertainty_nm": error, "c_nm": None}
        )
    elif named and named.get("lattice") and "a_nm" in named["lattice"]:
        cell = named["lattice"]
        found.append(
            {
                "phase": named["phase"],
                "roles": None,
                "a_nm": cell["a_nm"],
                "a_uncertainty_nm": cell["uncertainty"],
                "c_nm": cell.get("c_nm"),
            }
        )
    fractions = {phase: value["mean"] for phase, value in result["fractions"].items()}
    return {
        "phase": result["phase"],
        "phases": [result["phase"]],
        "how": result["how"],
        "verdict": result["verdict"],
        "fractions": fractions,
        "named_fractions": named["fractions"] if named else None,
        "lattices": found,
        "limits": result["limits"],
    }


def _lowest(record: Mapping[str, Any]) -> dict[str, Any]:
    """The lowest set of candidates: by free energy where there is one for a set with the study's composition."""
    by = "gibbs" if record["lowest_by_gibbs"] else "enthalpy"
    lowest = record[f"lowest_by_{by}"]
    candidates = {row["name"]: row for row in record["candidates"]}
    names = list(lowest["phases"]) if lowest else []
    phases = [candidates[name]["phase"] for name in names]
    rivals = [other["above_kT"] for other in lowest["next"]] if lowest else []
    lattices = [
        {
            "name": row["name"],
            "phase": row["phase"],
            "roles": row["types"],
            "a_nm": row["static"]["lengths_nm"][0],
            "a_uncertainty_nm": 0.0,
            "c_nm": row["static"]["lengths_nm"][2],
            "packing_fraction": row["static"]["packing_fraction"],
            "stable": row["stability"]["stable"] if row["stability"] else None,
            "above_kT": row[f"{by}_above_kT"],
            "added": row["added"],
        }
        for row in record["candidates"]
        if row["static"] and row["static"]["converged"]
    ]
    return {
        # Several phases of one kind, as fcc of either nanocrystal, are separated.
        "phase": " + ".join(dict.fromkeys(phases)) if phases else None,
        "phases": names,
        "how": f"lowest of the candidates tried, by {by}",
        "verdict": record["verdict"],
        "margin_kT": min(rivals) if rivals else None,
        "lattices": lattices,
        "limits": record["limits"],
    }


def compare(job: Job) -> None:
    """Put lattices and phase beside the predictions of `build`."""
    from supercrystal.sweep.predictions import beside

    predictions, found = job.product("build")["predictions"], job.product("identify")
    rows = []
    for lattice in found["lattices"]:
        models = beside(predictions, lattice["phase"], lattice["roles"])
        constants = {model: value["a"] if value else None for model, value in models.items()}
        differences = {f"over_{model}": lattice["a_nm"] / a - 1 for model, a in constants.items() if a}
        rows.append({**lattice, "predicted_a_nm": constants, "differences": differences})
    job.write(
        "compare",
        {
            "phase": found["phase"],
            "how": found["how"],
            "densest": predictions["densest"],
            "gamma": predictions["gamma"],
            "nanocrystals": predictions["nanocrystals"],
            "lattices": rows,
            "notes": predictions["notes"],
        },
    )


def report(job: Job) -> None:
    """A figure and a page of the job."""
    from supercrystal.sweep.pages import write_job_page

    write_job_page(job)


OPERATIONS: dict[str, Callable[[Job], None]] = {
    "build": build,
    "assemble": assemble,
    "relax": relax,
    "identify": identify,
    "compare": compare,
    "report": report,
}


def clean(folder: Path) -> None:
    """Remove what a killed operation had begun to write; checkpoints and trajectories stay."""
    for partial in folder.glob("*.partial"):
        partial.unlink(missing_ok=True)
