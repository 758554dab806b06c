"""Where the results of a job come from: versions, machine, seed, who ran when and for how long, and what to cite."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import socket
import time
from pathlib import Path
from typing import Any

from supercrystal import __version__
from supercrystal.rundir import write_atomically

#: File of a job.
PROVENANCE = "provenance.json"

_DEPENDENCIES = ("numpy", "scipy", "gsd", "freud-analysis", "pydantic", "signac")

CITATIONS = {
    "opm": "OPM: Landman and Luedtke, Faraday Discuss. 125, 1 (2004), as restated by Liu et al., Adv. Mater. 2023, "
    "DOI 10.1002/adma.202209279.",
    "otm": "OTM and hard-sphere lattices: Travesset, Soft Matter 13, 147 (2017), DOI 10.1039/C6SM00713A; ACS Nano 11, 5375 "
    "(2017), DOI 10.1021/acsnano.7b02219.",
    "measured": "Measured spacings: Boles and Talapin, J. Am. Chem. Soc. 137, 4494 (2015), DOI 10.1021/jacs.5b00839.",
    "freud": "freud: Ramasubramani et al., Comput. Phys. Commun. 254, 107275 (2020), DOI 10.1016/j.cpc.2020.107275.",
    "signac": "signac: Adorf, Dodd, Ramasubramani and Glotzer, Comput. Mater. Sci. 146, 220 (2018), "
    "DOI 10.1016/j.commatsci.2018.01.035.",
    "hoomd": "HOOMD-blue: Anderson, Glaser and Glotzer, Comput. Mater. Sci. 173, 109363 (2020), "
    "DOI 10.1016/j.commatsci.2019.109363.",
    "lammps": "LAMMPS: Thompson et al., Comput. Phys. Commun. 271, 108171 (2022), DOI 10.1016/j.cpc.2021.108171.",
}


def now() -> str:
    """Local time with its offset from UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def machine() -> dict[str, Any]:
    """The machine that this process runs on."""
    return {
        "host": socket.gethostname(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "scheduler_job": os.environ.get("SLURM_JOB_ID"),
    }


def _processor() -> str:
    try:
        for row in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def dependencies() -> dict[str, str]:
    """Versions of this package and of what results depend on."""
    found = {"supercrystal": __version__, "python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in _DEPENDENCIES}


def read(folder: Path) -> dict[str, Any]:
    """Provenance of a job; of one that was never run, or whose file cannot be read, nothing."""
    try:
        content: dict[str, Any] = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"sessions": []}
    return content


class Session:
    """One process's work on a job, recorded as it goes.

    Args:
        folder: of the job.
        seed: of its study.
        interrupted: what a process that was killed had left of itself: its operation, host and start.
    """

    def __init__(self, folder: Path, seed: int, interrupted: dict[str, Any] | None = None) -> None:
        self._folder = folder
        self._content = read(folder)
        if interrupted:
            self._content["sessions"].append({**interrupted, "ended": None, "outcome": "killed"})
        self._content |= {"seed": seed, "versions": dependencies(), "citations": self._cited()}
        if interrupted:
            # At once: this process may be killed as well, and then knows of its own end only.
            self._write()

    def begin(self, operation: str) -> None:
        """Note that an operation starts."""
        self._operation, self._started, self._clock = operation, now(), time.monotonic()
        self._cpu = _cpu_s()

    def end(self, outcome: str) -> None:
        """Note how it ended, and write the file."""
        self._content["sessions"].append(
            {
                "operation": self._operation,
                "started": self._started,
                "ended": now(),
                "outcome": outcome,
                "wall_s": round(time.monotonic() - self._clock, 3),
                "cpu_s": round(_cpu_s() - self._cpu, 3),
                "version": __version__,
                **machine(),
            }
        )
        self._content["citations"] = self._cited()
        self._write()

    def _write(self) -> None:
        text = json.dumps(self._content, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self._folder / PROVENANCE, text)

    def _cited(self) -> list[str]:
        """What the models and programs used here ask to be cited with."""
        keys = ["opm", "signac"]
        try:
            predictions = json.loads((self._folder / "build.json").read_text(encoding="utf-8"))["predictions"]
            if predictions["densest"]:
                keys.append("otm")
            if any(one["measured_nm"] for one in predictions["nanocrystals"].values()):
                keys.append("measured")
            result = json.loads((self._folder / "assemble.json").read_text(encoding="utf-8"))
            keys += ["freud", result["engine"]["engine"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not that far yet
        return [CITATIONS[key] for key in keys if key in CITATIONS]


def _cpu_s() -> float:
    """Processor time of this process and of those that it waited for [s]."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
