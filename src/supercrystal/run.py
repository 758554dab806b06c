"""The main job, end to end: study → nanocrystals → model → system → engine → structure → comparison → report."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import math
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supercrystal import __version__, library, physical
from supercrystal.engines import base
from supercrystal.models.effective import describe
from supercrystal.models.model import Model
from supercrystal.protocols.assembly import Assembly, assemble
from supercrystal.protocols.drying import Drying
from supercrystal.protocols.sedimentation import Sedimentation
from supercrystal.protocols.start import FilmStart
from supercrystal.ranks import world
from supercrystal.rundir import RunDirectory
from supercrystal.study import Study
from supercrystal.system import PairPotential, Schedule, System

_VERSIONS_OF = ("numpy", "scipy", "gsd", "freud-analysis")


@dataclass(frozen=True)
class Prepared:
    """A study turned into particles, forces and a schedule."""

    study: Study
    model: Model
    assembly: Assembly

    @property
    def system(self) -> System:
        """Particles and forces."""
        return self.assembly.system

    @property
    def schedule(self) -> Schedule:
        """What is done to them."""
        return self.assembly.schedule


def prepare(study: Study) -> Prepared:
    """Turn a study into what an engine needs; writes nothing.

    Raises:
        PhysicsError: the study's settings do not fit together.
    """
    model = study.build_model()
    stages = study.stages(model)
    weight = _weights(study, model) if any(stage.kind == "sedimentation" for stage in stages) else None
    return Prepared(study, model, assemble(model, study.start(), stages, study.seed, weight))


def _weights(study: Study, model: Model) -> dict[str, float]:
    """Force on each type where the first species has a gravitational length of one diameter [kT/nm]."""
    first = physical.library_buoyant_mass_kg(study.batches()[0].nanocrystal, study.solvent)
    return {
        name: physical.library_buoyant_mass_kg(crystal, study.solvent) / first / model.reference_diameter
        for name, crystal in zip(model.types, model.nanocrystals, strict=True)
    }


def physics_of(prepared: Prepared) -> dict[str, Any]:
    """Time, length and drive in SI units, with warnings where no experiment goes."""
    study, model, schedule = prepared.study, prepared.model, prepared.schedule
    viscosity = library.quantity("solvents", study.solvent, "viscosity")
    assert viscosity is not None  # every solvent of the library has one (tests/test_library.py)
    crystal = study.batches()[0].nanocrystal
    drive: dict[str, float] = {}
    stages = study.stages(model)
    for stage in stages:
        if isinstance(stage, Drying):
            assert prepared.assembly.film is not None
            drive |= {"peclet": stage.peclet, "wet_height_nm": prepared.assembly.film.wet_height}
    lengths = [stage.gravitational_length for stage in stages if isinstance(stage, Sedimentation)]
    if lengths:
        mass = physical.library_buoyant_mass_kg(crystal, study.solvent)
        drive |= {"gravitational_length": min(lengths), "buoyant_mass_kg": mass}
    drying = [group.value for group in prepared.assembly.groups if group.symbol == "drying time"]
    if drying:
        drive["drying_time"] = drying[0]
    return physical.physical_record(
        crystal,
        model.reference_diameter,
        viscosity.value,
        study.temperature_K,
        model.timestep,
        schedule.total * model.timestep,
        **drive,
    )


def resolved(prepared: Prepared, choice: base.Choice) -> dict[str, Any]:
    """Everything that was derived from the study, for the record: JSON-ready, nm, kT and Brownian times."""
    study, model, assembly = prepared.study, prepared.model, prepared.assembly
    return {
        "study": study.model_dump(mode="json"),
        "film": dataclasses.asdict(assembly.film) if assembly.film else None,
        "types": [
            {
                "type": name,
                "count": count,
                "core_diameter_nm": crystal.core.diameter_nm,
                "core_shape": "sphere" if crystal.core.shape is None else crystal.core.shape.name,
                "diameter_nm": diameter,
                "ligand_length_nm": crystal.ligand.length_nm,
                "coverage": crystal.xi,
                "friction": model.friction[name],
            }
            for name, count, crystal, diameter in zip(
                model.types, model.counts, model.nanocrystals, model.diameters, strict=True
            )
        ],
        "pairs": {f"{a}–{b}": _forms(potentials) for (a, b), potentials in model.pairs.items()},
        "solvent": {f"{a}–{b}": _forms(potentials) for (a, b), potentials in model.solvent.items()},
        "interaction": model.interaction,
        "mapping": describe(model, every=True),
        "timestep": model.timestep,
        "schedule": _without_nan(dataclasses.asdict(prepared.schedule)),
        "stages": [dataclasses.asdict(span) for span in assembly.spans],
        "groups": [dataclasses.asdict(group) for group in assembly.groups],
        "physical": physics_of(prepared),
        "engine": dataclasses.asdict(choice),
        "versions": versions(choice),
    }


def _forms(potentials: Iterable[PairPotential]) -> list[dict[str, Any]]:
    return [{"form": type(p).__name__, **dataclasses.asdict(p)} for p in potentials]  # type: ignore[call-overload]


def _without_nan(value: Any) -> Any:
    """Write what is not prescribed as null; JSON has no nan."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


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
    """Run a study in a directory and return its result; under mpiexec on all ranks, of which the first writes.

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
    ranks = world()
    directory = RunDirectory(out)
    if resume:
        ranks.first(lambda: directory.check_same_study(text))
    prepared = ranks.first(lambda: prepare(study))
    choice = base.choose(engine or study.engine, device or study.device, prepared.system)
    if not resume:
        ranks.first(lambda: directory.create(text))
    with contextlib.ExitStack() as held:
        ranks.first(lambda: held.enter_context(directory.lock()))
        ranks.first(lambda: _begin(directory, prepared, choice))
        from supercrystal.simulate import simulate, stage_marks

        work = simulate(
            directory,
            prepared.system,
            prepared.schedule,
            choice,
            seed=study.seed,
            every=stage_marks(
                [span.end for span in prepared.assembly.spans],
                [span.frames for span in prepared.assembly.spans],
            ),
            quiet=quiet,
        )
        return ranks.first(lambda: analyse(prepared, choice, directory, text, work))


def _begin(directory: RunDirectory, prepared: Prepared, choice: base.Choice) -> None:
    directory.say(f"engine {choice.engine} {choice.version} on {choice.device}: {choice.reason}")
    if not directory.resolved.exists():
        directory.write_json(directory.resolved, resolved(prepared, choice))


def _named(prepared: Prepared, trajectory: Path) -> dict[str, Any]:
    """What `identify` says of the last frame, a template left out."""
    from supercrystal.structure.identify import identify

    fixed = dict.fromkeys(prepared.system.fixed, "-")
    periodic = (True, True, prepared.system.film is None)
    return identify(trajectory, species=fixed or None, periodic=periodic)[0].to_dict()


def analyse(
    prepared: Prepared, choice: base.Choice, directory: RunDirectory, text: str, work: dict[str, Any]
) -> dict[str, Any]:
    """Identify, compare and report a run that has reached its last step."""
    from supercrystal import compare, compare_cubes
    from supercrystal.report.run import write_run_report

    directory.say(f"{work['steps']} steps in {work['wall_s']} s")
    study = prepared.study
    start = study.start()
    film = prepared.system.film is not None
    history = compare.read_history(
        directory.trajectory, directory.log, prepared.schedule, prepared.model.timestep
    )
    result = {
        "name": study.name,
        "seed": study.seed,
        "temperature_K": study.temperature_K,
        **compare.compare(
            history,
            study.batches(),
            study.temperature_K,
            substrate=start.substrate if isinstance(start, FilmStart) else None,
            interaction=prepared.model.interaction,
            stages=[span.kind for span in prepared.assembly.spans],
            named=_named(prepared, directory.trajectory),
            cubes=compare_cubes.record(history, prepared.model, directory.trajectory, film)
            if prepared.model.shapes
            else None,
        ),
        "groups": [dataclasses.asdict(group) for group in prepared.assembly.groups],
        "physical": physics_of(prepared),
        "mapping": {
            "interaction": prepared.model.interaction,
            "rows": describe(prepared.model),
            "timestep": prepared.model.timestep,
        },
    }
    result = {
        "verdict": compare.verdict(result),
        **result,
        "engine": dataclasses.asdict(choice),
        "versions": versions(choice),
        "last_process": work,
    }
    write_run_report(directory, result, history, prepared.model, prepared.system.film, text)
    directory.write_json(directory.result, result)
    return result
