"""The main job, end to end: study → nanocrystals → model → system → engine → structure → comparison → report."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supercrystal import __version__, library, physical
from supercrystal.engines import base
from supercrystal.models import shells
from supercrystal.models.shells import ShellModel
from supercrystal.protocols import drying
from supercrystal.rundir import RunDirectory
from supercrystal.study import Study
from supercrystal.system import Schedule, System

_VERSIONS_OF = ("numpy", "scipy", "gsd", "freud-analysis")


@dataclass(frozen=True)
class Prepared:
    """A study turned into particles, forces and a schedule."""

    study: Study
    model: ShellModel
    system: System
    schedule: Schedule


def prepare(study: Study) -> Prepared:
    """Turn a study into what an engine needs; writes nothing.

    Raises:
        PhysicsError: the study's settings do not fit together.
    """
    model = shells.build(study.batches(), study.temperature_K, study.model.attraction)
    system, schedule = drying.prepare(model, study.drying(), study.seed)
    return Prepared(study, model, system, schedule)


def resolved(prepared: Prepared, choice: base.Choice) -> dict[str, Any]:
    """Everything that was derived from the study, for the record: JSON-ready, nm, kT and Brownian times."""
    study, model = prepared.study, prepared.model
    film = drying.geometry(model, study.drying())
    viscosity = library.quantity("solvents", study.solvent, "viscosity")
    assert viscosity is not None  # every solvent of the library has one (tests/test_library.py)
    seconds = physical.brownian_time_s(
        study.batches()[0].nanocrystal, model.reference_diameter, viscosity.value, study.temperature_K
    )
    return {
        "study": study.model_dump(mode="json"),
        "film": {**dataclasses.asdict(film), "drying_time": film.drying_time},
        "types": [
            {
                "type": name,
                "count": count,
                "core_diameter_nm": crystal.core.diameter_nm,
                "opm_diameter_nm": diameter,
                "ligand_length_nm": crystal.ligand.length_nm,
                "coverage": crystal.xi,
                "friction": model.friction[name],
            }
            for name, count, crystal, diameter in zip(
                model.types, model.counts, model.nanocrystals, model.diameters, strict=True
            )
        ],
        "pairs": {
            f"{a}–{b}": [{"form": type(p).__name__, **dataclasses.asdict(p)} for p in potentials]  # type: ignore[call-overload]
            for (a, b), potentials in model.pairs.items()
        },
        "timestep": model.timestep,
        "schedule": dataclasses.asdict(prepared.schedule),
        "brownian_time_s_estimate": seconds,
        "drying_time_s_estimate": seconds * film.drying_time,
        "engine": dataclasses.asdict(choice),
        "versions": versions(choice),
    }


def versions(choice: base.Choice) -> dict[str, str]:
    """Versions of what produced a result."""
    found = {"supercrystal": __version__, choice.engine: choice.version, "python": platform.python_version()}
    for name in _VERSIONS_OF:
        found[name] = importlib.metadata.version(name)
    return found


def run(
    study: Study,
    text: str,
    out: Path,
    engine: str | None = None,
    device: str | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Run a study in a directory and return its result.

    Args:
        study: the validated study.
        text: its TOML text, stored with the run.
        out: the run directory.
        engine: overrides the study's engine.
        device: overrides the study's device.
        resume: continue the run found in `out`.
        quiet: no progress.

    Returns:
        The content of ``result.json``.

    Raises:
        SupercrystalError: anything that is wrong with study, engine or directory. A new run writes nothing then.
    """
    directory = RunDirectory(out)
    if resume:
        directory.check_same_study(text)
    prepared = prepare(study)
    choice = base.choose(engine or study.engine, device or study.device)
    if not resume:
        directory.create(text)
    with directory.lock():
        directory.say(f"engine {choice.engine} {choice.version} on {choice.device}: {choice.reason}")
        if not directory.resolved.exists():
            directory.write_json(directory.resolved, resolved(prepared, choice))
        from supercrystal.simulate import marks, simulate

        work = simulate(
            directory,
            prepared.system,
            prepared.schedule,
            choice,
            seed=study.seed,
            every=marks(prepared.schedule.total, study.protocol.frames),
            quiet=quiet,
        )
        directory.say(f"{work['steps']} steps in {work['wall_s']} s")
        return analyse(prepared, choice, directory, text, work)


def analyse(
    prepared: Prepared, choice: base.Choice, directory: RunDirectory, text: str, work: dict[str, Any]
) -> dict[str, Any]:
    """Identify, compare and report a run that has reached its last step."""
    from supercrystal import compare
    from supercrystal.report.run import write_run_report

    study = prepared.study
    history = compare.read_history(
        directory.trajectory, directory.log, prepared.schedule, prepared.model.timestep
    )
    result = {
        "name": study.name,
        "seed": study.seed,
        "temperature_K": study.temperature_K,
        **compare.compare(history, study.batches(), study.temperature_K),
    }
    result = {
        "verdict": compare.verdict(result),
        **result,
        "engine": dataclasses.asdict(choice),
        "versions": versions(choice),
        "last_process": work,
    }
    film = prepared.system.film
    assert film is not None
    write_run_report(directory, result, history, prepared.model, film, text)
    directory.write_json(directory.result, result)
    return result
