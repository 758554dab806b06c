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
from supercrystal.solids.comparison import Settings, compare

if TYPE_CHECKING:
    from supercrystal.study import Study


def examine_study(
    study: Study,
    phases: Sequence[str],
    *,
    pressure: str | None = None,
    dynamics: bool = True,
    time: float = 50.0,
    energy_steps: int = 40_000,
    particles: int = 500,
    engine: str | None = None,
    device: str | None = None,
    seed: int | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Compare candidate crystals of a study's nanocrystals.

    Args:
        study: the validated study.
        phases: names of the catalogue.
        pressure: a number with its unit; None for `from_study.pressure`'s default.
        dynamics: whether to simulate.
        time: under pressure [Brownian times].
        energy_steps: at each temperature at fixed cell.
        particles: of a supercell, at least.
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
    names = [lattices.prototype(name).name for name in phases]
    made, counts = from_study.substance(study)
    value, source = from_study.pressure(study, made, pressure)
    chosen_seed = study.seed if seed is None else seed
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
