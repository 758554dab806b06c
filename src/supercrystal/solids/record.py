"""The comparison of crystals for a study, as the record that ``supercrystal relax`` prints and writes."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import platform
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from supercrystal import __version__, lattices
from supercrystal.engines import base
from supercrystal.errors import StudyError
from supercrystal.solids import from_study
from supercrystal.solids.body_candidates import candidates
from supercrystal.solids.body_comparison import BodyComparison, BodySettings
from supercrystal.solids.body_comparison import compare as compare_bodies
from supercrystal.solids.comparison import Comparison, Settings, compare

if TYPE_CHECKING:
    from supercrystal.study import Study

#: Time under pressure [τ_B] and particles of a supercell, where they are not asked for, by tier.
TIME = {"shells": 50.0, "cubes": 20.0}
PARTICLES = {"shells": 500, "cubes": 64}


def examine_study(
    study: Study,
    phases: Sequence[str],
    *,
    pressure: str | None = None,
    dynamics: bool = True,
    time: float | None = None,
    energy_steps: int = 40_000,
    particles: int | None = None,
    engine: str | None = None,
    device: str | None = None,
    seed: int | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Compare candidate crystals of a study's nanocrystals.

    Args:
        study: the validated study.
        phases: names of the catalogue; in the cubes tier with orientations of the cubes, as in ``ABO3:rotated``.
        pressure: a number with its unit; None for `from_study.pressure`'s default.
        dynamics: whether to simulate.
        time: under pressure; None for `TIME` [Brownian times].
        energy_steps: at each temperature at fixed cell; nothing of the kind is done in the cubes tier.
        particles: of a supercell, at least; None for `PARTICLES`.
        engine: overrides the study's.
        device: overrides the study's.
        seed: overrides the study's.
        progress: is told what is being done.

    Returns:
        The content of ``relax.json``.

    Raises:
        StudyError: no phase, or a pressure without unit.
        UnknownNameError: a phase that the catalogue does not have.
        PhysicsError, EngineError, SimulationError: as `comparison.compare`.
    """
    if not phases:
        raise StudyError(f"give at least one candidate; the catalogue has {', '.join(lattices.names())}")
    chosen_seed = study.seed if seed is None else seed
    tier = study.model.tier
    time = TIME[tier] if time is None else time
    particles = PARTICLES[tier] if particles is None else particles
    found: Comparison | BodyComparison
    if tier == "cubes":
        model, counts = from_study.body_model(study)
        value, source = from_study.pressure_of_bodies(study, model, pressure)
        candidates(phases, model)  # bad names before an engine is loaded
        choice = base.choose(engine or study.engine, device or study.device) if dynamics else None
        body_settings = BodySettings(value, dynamics, time, particles, chosen_seed)
        found = compare_bodies(phases, model, counts, body_settings, choice, progress)
    else:
        names = [lattices.prototype(name).name for name in phases]
        made, counts = from_study.substance(study)
        value, source = from_study.pressure(study, made, pressure)
        choice = base.choose(engine or study.engine, device or study.device) if dynamics else None
        settings = Settings(value, dynamics, time, energy_steps, particles, chosen_seed)
        found = compare(names, made, counts, settings, choice, progress)
    versions = {"supercrystal": __version__, "python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "freud-analysis")}
    limits = []
    if any(table.size_dispersity for table in study.nanocrystals):
        limits.append("The study's size dispersity is left out: every particle has the mean size.")
    record = {
        "study": study.name,
        "temperature_K": study.temperature_K,
        "pressure_from": source,
        **found.to_dict(),
        "seed": chosen_seed,
        "engine": None if choice is None else dataclasses.asdict(choice),
        "versions": versions if choice is None else {**versions, choice.engine: choice.version},
    }
    record["limits"] = [*record["limits"], *limits]
    finite: dict[str, Any] = _finite(record)
    return finite


def _finite(value: Any) -> Any:
    """Write numbers that are not finite as null; JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
