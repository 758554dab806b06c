"""Submit, wait for, cancel and resubmit on a real SLURM, which is started for these tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gsd.hoomd
import pytest

from supercrystal.sweep import slurm
from supercrystal.sweep.directives import Directives
from supercrystal.sweep.slurm import SchedulerError, SlurmSettings
from supercrystal.sweep.space import Space
from supercrystal.sweep.status import survey
from tests.slurm import cluster
from tests.sweep_files import make, one

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        bool(cluster.missing()),
        reason=f"no {', '.join(cluster.missing())}: apt-get install slurmctld slurmd slurm-client munge",
    ),
]
SMALL = Directives(memory_gib=0.1, walltime_s=60.0)
PLAIN = SlurmSettings()


@pytest.fixture(scope="module")
def configuration() -> Iterator[Path]:
    # Paths of sockets are short.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        with cluster.running(folder) as path:
            yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _this_slurm(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SLURM_CONF", str(configuration))
    yield
    slurm.cancel([job.id for job in slurm.queue().values()])


def _until(what: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, subprocess.run(
            ["scontrol", "show", "jobs"], capture_output=True, text=True
        ).stdout
        time.sleep(0.1)


def _gone(name: str) -> bool:
    return name not in slurm.queue([name])


def _shown(job: str, key: str) -> str:
    """What SLURM says of a job, waiting, running or ended."""
    told = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    return next(part.partition("=")[2] for part in told.split() if part.startswith(f"{key}="))


def _submit(
    folder: Path,
    *commands: list[str],
    name: str = "job",
    directives: Directives = SMALL,
    settings: SlurmSettings = PLAIN,
    after: list[str] | None = None,
) -> str:
    text = slurm.script(commands, directives, name, settings)
    return slurm.submit(text, folder, settings, after or [])


def test_a_job_gets_what_it_asked_for_and_runs(tmp_path: Path) -> None:
    directives = Directives(cores=2, memory_gib=0.5, walltime_s=600.0)
    job = _submit(
        tmp_path, ["bash", "-c", "echo here $SLURM_JOB_ID > done; echo said"], directives=directives
    )
    _until(lambda: _gone("job"))
    assert (tmp_path / "done").read_text() == f"here {job}\n"
    assert (tmp_path / f"slurm/job-{job}.out").read_text() == "said\n"
    assert _shown(job, "JobState") == "COMPLETED"
    assert _shown(job, "NumCPUs") == "2"
    assert _shown(job, "MinMemoryNode") == "512M"
    assert _shown(job, "TimeLimit") == "00:12:00"
    assert _shown(job, "Partition") == "main"  # the cluster's own default


def test_a_partition_that_was_given(tmp_path: Path) -> None:
    job = _submit(tmp_path, ["true"], settings=SlurmSettings(partition="other"))
    assert _shown(job, "Partition") == "other"


@pytest.mark.parametrize(
    ("settings", "directives", "said"),
    [
        (SlurmSettings(partition="nowhere"), SMALL, "invalid partition specified: nowhere"),
        (PLAIN, Directives(memory_gib=1e5), "Memory specification can not be satisfied"),
        (PLAIN, Directives(gpus=9), "Requested node configuration is not available"),
        (SlurmSettings(options=("--no-such-option",)), SMALL, "unrecognized option"),
    ],
)
def test_refusals_of_sbatch_are_shown(
    settings: SlurmSettings, directives: Directives, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SchedulerError, match="sbatch refused") as refused:
        _submit(tmp_path, ["true"], directives=directives, settings=settings)
    assert said in str(refused.value)
    assert slurm.queue() == {}


def test_waiting_after_another_cancelling_and_submitting_again(tmp_path: Path) -> None:
    long = _submit(tmp_path, ["sleep", "300"], name="long")
    second = _submit(tmp_path, ["bash", "-c", "echo x >> second"], name="second", after=[long])
    _until(lambda: slurm.queue()["long"].state == "RUNNING")
    found = slurm.queue(["long", "second", "nothing"])
    assert (found["second"].id, found["second"].state, found["second"].reason) == (
        second,
        "PENDING",
        "(Dependency)",
    )
    assert set(found) == {"long", "second"}
    assert not (tmp_path / "second").exists()

    slurm.cancel([long])  # whatever ends it, the second goes on
    _until(lambda: _gone("long") and _gone("second"))
    assert _shown(long, "JobState") == "CANCELLED"
    assert (tmp_path / "second").read_text() == "x\n"

    again = _submit(tmp_path, ["bash", "-c", "echo y >> second"], name="second")
    assert again != second
    _until(lambda: _gone("second"))
    assert (tmp_path / "second").read_text() == "x\ny\n"


def test_a_pending_job_is_cancelled_before_it_begins(tmp_path: Path) -> None:
    first = _submit(tmp_path, ["sleep", "300"], name="first")
    waiting = _submit(tmp_path, ["touch", "never"], name="waiting", after=[first])
    slurm.cancel([waiting])
    _until(lambda: _gone("waiting"))
    slurm.cancel([first])
    _until(lambda: _gone("first"))
    assert not (tmp_path / "never").exists()


def test_cancelling_what_has_ended_is_no_error_and_what_is_no_job_is(tmp_path: Path) -> None:
    job = _submit(tmp_path, ["true"])
    _until(lambda: _gone("job"))
    slurm.cancel([job])
    with pytest.raises(SchedulerError, match="scancel refused.*Invalid job id"):
        slurm.cancel(["job"])


@pytest.mark.parametrize("parallel", [1, 2])
def test_the_signal_before_the_walltime_reaches_what_works(parallel: int, tmp_path: Path) -> None:
    stops = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], 'w'), sys.exit(3)));"
        "open(sys.argv[1] + '-began', 'w'); time.sleep(300)"
    )
    commands = [[sys.executable, "-c", stops, f"stopped-{i}"] for i in range(3)]
    job = _submit(tmp_path, *commands, settings=SlurmSettings(parallel=parallel))
    _until(lambda: len(list(tmp_path.glob("*-began"))) == parallel)
    # As SLURM does at the time of --signal=B:TERM, to the batch shell alone.
    subprocess.run(["scancel", "--batch", "--signal=TERM", job], check=True)
    _until(lambda: _gone("job"))
    assert _shown(job, "ExitCode") == "3:0"
    assert len(list(tmp_path.glob("stopped-?"))) == parallel
    assert len(list(tmp_path.glob("*-began"))) == parallel


def test_lanes_share_one_gpu(tmp_path: Path) -> None:
    commands = [
        ["bash", "-c", f"date +%s.%N > {i}; echo $CUDA_VISIBLE_DEVICES >> {i}; sleep 2"] for i in range(2)
    ]
    job = _submit(
        tmp_path,
        *commands,
        directives=Directives(gpus=1, memory_gib=0.1),
        settings=SlurmSettings(parallel=2, per_gpu=2),
    )
    _until(lambda: _gone("job"))
    (first, one), (second, two) = ((tmp_path / str(i)).read_text().split() for i in range(2))
    assert abs(float(first) - float(second)) < 2.0  # at the same time
    assert one == two == "0"
    assert "gpu:1" in _shown(job, "TresPerNode")


@pytest.mark.parametrize("parallel", [1, 2])
def test_mpi_ranks_start_in_an_allocation(parallel: int, tmp_path: Path) -> None:
    pytest.importorskip("mpi4py")
    code = "from mpi4py.MPI import COMM_WORLD as c; open(f'{c.rank}-of-{c.size}-%d', 'w')"
    commands = [
        [str(Path(sys.prefix, "bin", "mpiexec")), "-n", "2", sys.executable, "-c", code % i]
        for i in range(parallel)
    ]
    directives = Directives(ranks=2 // parallel, memory_gib=0.2)
    settings = SlurmSettings(parallel=parallel, template="mpi")
    job = _submit(tmp_path, *commands, directives=directives, settings=settings)
    _until(lambda: _gone("job"))
    assert _shown(job, "JobState") == "COMPLETED", (tmp_path / f"slurm/job-{job}.out").read_text()
    assert {path.name for path in tmp_path.glob("*-of-*")} == {
        f"{rank}-of-2-{i}" for rank in range(2) for i in range(parallel)
    }


#: Long enough to be cancelled on its way.
HOLD = ("hold_brownian_times = 20", "hold_brownian_times = 200")


def _checkpoint(out: Path) -> int:
    """Step of a run's checkpoint, -1 before the first."""
    if not (out / "checkpoint.gsd").exists():
        return -1
    with gsd.hoomd.open(out / "checkpoint.gsd") as file:
        return int(file[0].configuration.step)


def test_a_run_that_was_cancelled_goes_on_in_the_next_submission(
    tmp_path: Path, small_study: Path, small_text: str
) -> None:
    assert HOLD[0] in small_text
    small_study.write_text(small_text.replace(*HOLD))
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "supercrystal",
        "run",
        str(small_study),
        "-o",
        str(out),
        "--engine",
        "lammps",
        "-q",
    ]
    directives = Directives(memory_gib=1.0, walltime_s=600.0)
    first = _submit(tmp_path, command, directives=directives)
    _until(lambda: _checkpoint(out) > 0, 120)
    slurm.cancel([first])
    _until(lambda: _gone("job"))
    assert _shown(first, "JobState") == "CANCELLED"
    assert not (out / "result.json").exists()

    second = _submit(tmp_path, [*command, "--resume"], directives=directives)
    _until(lambda: _gone("job"), 240)
    assert _shown(second, "JobState") == "COMPLETED", (tmp_path / f"slurm/job-{second}.out").read_text()
    assert "resumed at step" in (out / "messages.txt").read_text()
    result = json.loads((out / "result.json").read_text())
    assert result["last_process"]["first_step"] > 0


def _sweep(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supercrystal", "sweep", *map(str, arguments)], capture_output=True, text=True
    )


def test_a_sweep_is_submitted_refused_cancelled_submitted_again_and_done(tmp_path: Path) -> None:
    space = make(one([9, 12, 15]), tmp_path)
    here = ("-C", space.root)
    refused = _sweep("submit", *here, "--partition", "nowhere")
    assert refused.returncode == 2
    assert "invalid partition specified: nowhere" in refused.stderr
    assert "Traceback" not in refused.stderr

    holds = _submit(
        tmp_path, ["sleep", "600"], name="holds", directives=Directives(cores=os.cpu_count() or 1)
    )
    given = _sweep("submit", *here, "--bundle", "2", "--json")
    assert given.returncode == 0, given.stderr
    numbers = list(json.loads(given.stdout).values())
    assert len(numbers) == 2
    assert {job.state for job in slurm.queue().values() if job.id in numbers} == {"PENDING"}
    again = _sweep("submit", *here)
    assert "nothing to submit" in again.stdout
    assert again.stderr.count("is in the queue as") == 3

    slurm.cancel([numbers[0], holds])
    _until(lambda: not slurm.queue(), 180)
    first = json.loads(_sweep("status", *here, "--json").stdout)
    complete = [job for job in first["list"] if job["state"] == "complete"]
    assert 1 <= len(complete) < 3

    rest = _sweep("submit", *here, "--bundle", "2", "--json")
    assert len(json.loads(rest.stdout)) == 1
    _until(lambda: not slurm.queue(), 180)
    last = json.loads(_sweep("status", *here, "--json").stdout)
    logs = "".join(path.read_text() for path in (space.root / "slurm").glob("*.out"))
    assert {job["state"] for job in last["list"]} == {"complete"}, logs
    assert logs.count(": done") == 3


def _flow(space: Space, *arguments: str) -> subprocess.CompletedProcess[str]:
    project = Path(__file__).parents[1] / "workflows" / "project.py"
    command = [sys.executable, str(project), *arguments]
    return subprocess.run(command, cwd=space.root, capture_output=True, text=True)


def test_flow_submits_one_operation_or_the_whole_job_and_none_twice(tmp_path: Path) -> None:
    space = make(one([9, 12]), tmp_path)
    shown = _flow(space, "submit", "-o", "whole", "--pretend")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("#SBATCH --job-name") == 2
    assert "--partition" not in shown.stdout
    asked = space.entries[next(iter(space.entries))].directives.walltime_s
    times = {line.split()[-1] for line in shown.stdout.splitlines() if line.startswith("#SBATCH -t")}
    assert times == {slurm.clock(asked + 5 * 120)}  # five others at two minutes
    assert slurm.queue() == {}

    holds = _submit(
        tmp_path, ["sleep", "600"], name="holds", directives=Directives(cores=os.cpu_count() or 1)
    )
    assert _flow(space, "submit").returncode == 0
    waiting = {job.id for job in slurm.queue().values()} - {holds}
    assert len(waiting) == 2
    assert _flow(space, "submit").returncode == 0
    assert {job.id for job in slurm.queue().values()} - {holds} == waiting
    slurm.cancel([holds])
    _until(lambda: not slurm.queue(), 180)
    found = survey(space)
    assert {job.done for job in found} == {("build",)}
    assert {job.state for job in found} == {"begun"}

    given = _flow(space, "submit", "-o", "whole")
    assert given.returncode == 0, given.stderr
    _until(lambda: not slurm.queue(), 180)
    logs = "".join(path.read_text() for path in space.root.glob("slurm-*.out"))
    assert {job.state for job in survey(space)} == {"complete"}, logs
