"""Several ranks against one: the same numbers, one writer, one end."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest

from supercrystal import ranks
from supercrystal.engines import base
from supercrystal.engines.lammps_bodies import Bodies
from supercrystal.errors import EngineError, SimulationError
from supercrystal.simulate import _merged
from supercrystal.study import Study
from supercrystal.system import Schedule, System
from tests import on_ranks
from tests.test_engines import _small, _thermal
from tests.test_rigid_bodies import _dense, _mixture, _system

HERE = Path(__file__).parent
MPIEXEC = ranks.launcher()
needs_mpi = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or shutil.which(MPIEXEC) is None,
    reason="mpi4py or mpiexec is missing: pip install 'supercrystal[mpi]'",
)
#: A friction at which the bath's noise, which differs with the number of ranks, is below what is compared.
NO_BATH = 1e-22
#: What LAMMPS refuses on several ranks.
PRESSED = "bodies, triclinic"
ENGINES = ["lammps", pytest.param("hoomd", marks=pytest.mark.hoomd)]


def _launch(*command: str | Path, count: int = 2, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MPIEXEC, "-n", str(count), sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=900,  # ranks on a busy machine wait long for each other
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def _cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return _launch("-m", "supercrystal", *arguments)


def _quiet(system: System) -> System:
    bodies = {
        name: dataclasses.replace(
            body,
            friction=NO_BATH,
            rotational_friction=tuple(NO_BATH * turn for turn in body.rotational_friction),
        )
        for name, body in system.bodies.items()
    }
    return dataclasses.replace(system, friction=dict.fromkeys(system.friction, NO_BATH), bodies=bodies)


def _spheres() -> System:
    system = _system(count=0, spheres=216, spacing=1.15)
    system.frame.particles.types, system.frame.particles.typeid = ["sphere"], np.zeros(216, int)
    pairs = {("sphere", "sphere"): system.pairs["sphere", "sphere"]}
    system = dataclasses.replace(system, bodies={}, pairs=pairs)
    engine = base.start(base.choose("lammps"), system, Schedule((0, 1000)), seed=1)
    engine.run(500)
    return dataclasses.replace(system, frame=_merged(system.frame, engine.frame()))


def _stacked(system: System) -> System:
    """Two of a system's cells on top of each other: HOOMD-blue wants domains twice as wide as its bodies reach."""
    old = system.frame
    height, frame = float(old.configuration.box[2]), gsd.hoomd.Frame()
    frame.configuration.box = [*old.configuration.box[:2], 2 * height, 0, 0, 0]
    frame.configuration.dimensions = 3
    frame.particles.N = 2 * old.particles.N
    frame.particles.types = old.particles.types
    for name in (
        "typeid",
        "image",
        "mass",
        "diameter",
        "velocity",
        "orientation",
        "angmom",
        "moment_inertia",
    ):
        part = getattr(old.particles, name)
        setattr(frame.particles, name, None if part is None else np.concatenate([part, part]))
    up = np.array([0, 0, height / 2])
    frame.particles.position = np.concatenate([old.particles.position - up, old.particles.position + up])
    return dataclasses.replace(system, frame=frame)


def _cases(example: Study) -> dict[str, tuple[System, Schedule, tuple[int, ...]]]:
    film, drying = _small(example, dispersity=0.05, count=300)
    film, _ = _thermal(film, drying, drying.steps[2] // 2)
    bodies = _stacked(_dense(_mixture(), 3.6))
    x, y, z = map(float, bodies.frame.configuration.box[:3])
    ends = ((x, y, z), (x * 1.01, y * 0.99, z), (x * 1.01, y * 0.99, z))
    spheres = _quiet(_spheres())
    return {
        "film": (film, drying, ()),
        "film, drying": (_quiet(film), drying, (70, 30)),
        "bodies, solvent": (bodies, Schedule((0, 1000), solvent=(0.3, 0.7)), ()),
        "bodies, moving sides": (_quiet(bodies), Schedule((0, 100, 1000), sides=ends), (60, 60)),
        PRESSED: (_quiet(bodies), Schedule((0, 1000), pressure=(0.2, 0.2), flexible="triclinic"), (60, 60)),
        **{
            f"spheres, {cell}": (spheres, Schedule((0, 1000), pressure=(2.0, 2.0), flexible=cell), (60, 60))
            for cell in ("isotropic", "triclinic")
        },
    }


def _with_mpi() -> None:
    import hoomd

    if not hoomd.version.mpi_enabled:
        pytest.skip("this HOOMD-blue is built without MPI")


@needs_mpi
@pytest.mark.parametrize("name", ENGINES)
def test_ranks_give_what_one_process_gives(name: str, example: Study, tmp_path: Path) -> None:
    if name == "hoomd":
        _with_mpi()
    cases = {
        what: (name, *case) for what, case in _cases(example).items() if name == "hoomd" or what != PRESSED
    }
    given, result = tmp_path / "cases", tmp_path / "result"
    given.write_bytes(pickle.dumps(cases))
    done = _launch(HERE / "on_ranks.py", given, result)
    assert done.returncode == 0, done.stderr
    first, second = (pickle.loads(each) for each in pickle.loads(result.read_bytes()))
    for what, case in cases.items():
        alone = on_ranks.evaluate(*case)
        # Sums in another order are rounded otherwise, and collisions multiply that.
        tolerance = 1e-8 if case[3] else 1e-12
        for quantity, expected in alone.items():
            if expected is None:
                continue
            scale = np.abs(expected).max() or 1.0
            assert np.abs(np.asarray(first[what][quantity]) - expected).max() < tolerance * scale, (
                what,
                quantity,
            )
            assert np.array_equal(first[what][quantity], second[what][quantity]), (what, quantity)
        assert np.any(alone["forces"])
        assert np.any(alone["torques"]) == bool(case[1].bodies)


@needs_mpi
@pytest.mark.hoomd
def test_a_cell_too_small_for_the_ranks_of_hoomd_is_said_once(small_study: Path, tmp_path: Path) -> None:
    _with_mpi()
    small_study.write_text(small_study.read_text().replace("count = 200", "count = 60"))
    done = _cli("run", small_study, "-o", tmp_path / "run", "--engine", "hoomd", "-q")
    assert done.returncode == 2
    assert done.stderr.count("cannot divide a cell of") == 1
    assert "2 ranks" in done.stderr
    assert "Traceback" not in done.stderr


def test_bodies_under_pressure_are_refused_on_several_ranks() -> None:
    with pytest.raises(EngineError, match="2 ranks.*leave out mpiexec"):
        Bodies(_system(), Schedule((0, 10), pressure=(1.0, 1.0)), ranks.Ranks(0, 2))


#: Fails on one rank when a row of the log is due, as a full memory or a broken node would. What is reported goes to the
#: file ``TOLD`` too, which tells a rank that was silent from a launcher that was.
FAILS = """
import os, sys
from supercrystal import cli, ranks, simulate
from supercrystal.cli import main
report, row, count = cli._report, simulate._row, [0]
def told(error):
    with open(os.environ["TOLD"], "a") as file:
        file.write(f"rank {ranks.world().rank}: {error}\\n")
    return report(error)
cli._report = told
def fails(*arguments):
    count[0] += 1
    if count[0] == 6 and ranks.world().rank == 1:
        raise simulate.SimulationError("rank 1 is broken")
    return row(*arguments)
simulate._row = fails
main(sys.argv[1:])
"""


@needs_mpi
@pytest.mark.parametrize("name", ENGINES)
def test_a_failure_of_one_rank_ends_all_and_the_run_goes_on_from_there(
    name: str, small_study: Path, tmp_path: Path
) -> None:
    if name == "hoomd":
        _with_mpi()
    text = small_study.read_text()
    assert "hold_brownian_times = 20" in text
    small_study.write_text(text.replace("hold_brownian_times = 20", "hold_brownian_times = 10"))
    out, told = tmp_path / "run", tmp_path / "told.txt"
    command = ("-c", FAILS, "run", small_study, "-o", out, "--engine", name, "-q")
    broken = _launch(*command, TOLD=str(told))
    assert broken.returncode == 1
    assert told.read_text() == "rank 1: rank 1 is broken\n", broken.stderr
    assert broken.stderr.count("rank 1 is broken") == 1
    assert "Traceback" not in broken.stderr
    assert not broken.stdout

    done = _cli("run", small_study, "-o", out, "--engine", name, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # printed once
    assert "2 MPI ranks" in result["engine"]["reason"]
    # A slow machine sees lines of progress before the last one.
    assert len(re.findall(r"simulating: [\d,]+ of [\d,]+ steps", done.stderr)) == 1
    messages = (out / "messages.txt").read_text().splitlines()
    assert sum("resumed at step" in line for line in messages) == 1
    assert (out / "report.html").exists()
    with gsd.hoomd.open(out / "trajectory.gsd") as trajectory:
        steps = [frame.configuration.step for frame in trajectory]
        last = trajectory[len(trajectory) - 1]
    assert steps == sorted(set(steps))
    assert steps[0] == 0
    assert np.all(np.abs(last.particles.position) <= np.asarray(last.configuration.box[:3]) / 2 * (1 + 1e-6))
    kinetic = float(np.mean(last.particles.mass[:, None] * last.particles.velocity**2))
    assert kinetic == pytest.approx(1.0, abs=5 * np.sqrt(2 / (3 * last.particles.N)))

    again = _cli("run", small_study, "-o", out, "--engine", name)
    assert again.returncode == 2
    assert again.stderr.count("already holds a run") == 1


@needs_mpi
def test_other_commands_say_once_that_they_need_no_mpiexec() -> None:
    done = _cli("identify", "x.gsd")
    assert done.returncode == 2
    assert done.stderr.count("leave out mpiexec") == 1


def _alone(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


RUN = "from supercrystal.cli import main; main(['run', 'study.toml'])"


@pytest.mark.parametrize(("rank", "said"), [("0", 1), ("1", 0)])
def test_without_mpi4py_the_first_rank_names_the_extra(rank: str, said: int) -> None:
    code = f"import sys; sys.modules['mpi4py'] = None; {RUN}"
    done = _alone(code, PMI_SIZE="2", PMI_RANK=rank)
    assert done.stderr.count("pip install 'supercrystal[mpi]'") == said
    assert done.returncode == 2 * said


@needs_mpi
def test_a_launcher_of_another_mpi_is_told_from_ours() -> None:
    done = _alone(RUN, OMPI_COMM_WORLD_SIZE="2", OMPI_COMM_WORLD_RANK="0")
    assert done.returncode == 2
    assert "do not belong together" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.hoomd
def test_hoomd_without_mpi_is_refused_and_auto_takes_lammps(monkeypatch: pytest.MonkeyPatch) -> None:
    import hoomd

    monkeypatch.setenv("PMI_SIZE", "3")
    monkeypatch.setattr(hoomd.version, "mpi_enabled", False)
    with pytest.raises(
        EngineError, match=r"built without MPI, and mpiexec started 3 ranks: use --engine lammps"
    ):
        base.choose("hoomd")
    assert base.choose("auto").engine == "lammps"


def test_mpi_is_not_imported_in_one_process() -> None:
    done = _alone("import sys; from supercrystal.ranks import world; world(); print('mpi4py' in sys.modules)")
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({}, 1),
        ({"PMI_SIZE": "1"}, 1),
        ({"PMI_SIZE": "8"}, 8),
        ({"OMPI_COMM_WORLD_SIZE": "3"}, 3),
        ({"PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "4"}, 4),
        ({"SLURM_NTASKS": "4"}, 1),  # a batch script with four tasks to give is no rank of them
    ],
)
def test_how_many_were_launched(environment: dict[str, str], count: int) -> None:
    assert ranks.launched(environment) == count


class _Comm:
    """Stands for a communicator in which every other rank has come already, and fails or not as told."""

    def __init__(self, rank: int, others: dict[int, bool], come: bool = True) -> None:
        self.rank, self.size = rank, len(others) + 1
        self._others, self._come = others, come

    def Iallgather(self, mine: bytearray, every: bytearray) -> Any:
        every[self.rank] = mine[0]
        for rank, failed in self._others.items():
            every[rank] = failed
        return self

    def Test(self) -> bool:
        return self._come

    def Abort(self, code: int) -> None:
        raise SystemExit(code)


@pytest.mark.parametrize(
    ("rank", "fails", "others", "ends"),
    [
        (0, False, {1: False}, None),
        (0, True, {1: True}, "raises"),
        (1, True, {0: True}, 0),
        (1, True, {0: False}, "raises"),
        (0, False, {1: True}, 0),
    ],
)
def test_who_reports(
    monkeypatch: pytest.MonkeyPatch, rank: int, fails: bool, others: dict[int, bool], ends: object
) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setattr(ranks, "world", lambda: ranks.Ranks(rank, 2, ends=_Comm(rank, others)))
    outcome: object = None
    try:
        with ranks.together(lambda error: 1):
            if fails:
                raise SimulationError("stopped")
    except SimulationError:
        outcome = "raises"
    except SystemExit as error:
        outcome = error.code
    assert outcome == ends


def test_a_rank_that_fails_alone_reports_and_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setattr(ranks, "PATIENCE_S", 0.05)
    monkeypatch.setattr(ranks, "PASSING_ON_S", 0.0)
    monkeypatch.setattr(ranks, "world", lambda: ranks.Ranks(1, 2, *[_Comm(1, {0: False}, come=False)] * 2))
    told: list[BaseException] = []
    with pytest.raises(SystemExit) as stop, ranks.together(lambda error: told.append(error) or 7):  # type: ignore[func-returns-value]
        raise SimulationError("stopped")
    assert stop.value.code == 7
    assert [str(error) for error in told] == ["stopped"]
