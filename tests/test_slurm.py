"""Scripts for SLURM, run by bash as they are, and what is said where SLURM refuses."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supercrystal.errors import StudyError
from supercrystal.sweep import slurm
from supercrystal.sweep.directives import Directives
from supercrystal.sweep.slurm import SchedulerError, SlurmSettings

PYTHON = sys.executable


def _asked(text: str) -> dict[str, str]:
    """Options of sbatch in a script."""
    return dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", text, re.MULTILINE))


def _made(
    count: int = 1, directives: Directives | None = None, **settings: object
) -> tuple[str, dict[str, str]]:
    commands = [["echo", f"job {i}"] for i in range(count)]
    text = slurm.script(commands, directives or Directives(), "name", slurm.settings(settings))
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return text, _asked(text)


def test_directives_are_what_is_asked_for() -> None:
    text, asked = _made(directives=Directives(cores=3, memory_gib=2.5, walltime_s=7200), notice_s=60)
    assert asked == {
        "job-name": "name",
        "output": "slurm/name-%j.out",
        "time": "02:01:00",
        "signal": "B:TERM@60",
        "nodes": "1",
        "ntasks": "1",
        "cpus-per-task": "3",
        "mem": "2560M",
    }
    assert "export OMP_NUM_THREADS=3\n" in text
    assert text.startswith("#!/bin/bash\n#SBATCH")


@pytest.mark.parametrize("directives", [Directives(), Directives(gpus=1), Directives(ranks=2)])
def test_a_partition_is_asked_for_only_where_it_was_given(directives: Directives) -> None:
    text, _ = _made(directives=directives)
    assert not re.search(r"partition|account|qos|constraint", text)
    _, asked = _made(directives=directives, partition="long", account="lab", options=["--mail-type=END"])
    assert (asked["partition"], asked["account"], asked["mail-type"]) == ("long", "lab", "END")


def test_templates_fit_what_is_asked_for() -> None:
    _, gpu = _made(directives=Directives(gpus=1))
    assert gpu["gres"] == "gpu:1"
    _, mpi = _made(directives=Directives(ranks=8, cores=2, memory_gib=32))
    assert (mpi["ntasks"], mpi["cpus-per-task"], mpi["mem-per-cpu"]) == ("8", "2", "2048M")
    assert "nodes" not in mpi  # as many as it takes
    _, packed = _made(4, Directives(ranks=2), parallel=2)
    assert (packed["ntasks"], packed["nodes"]) == ("4", "1")


@given(
    count=st.integers(1, 9),
    parallel=st.integers(1, 6),
    walltime=st.floats(1, 1e6),
    cores=st.integers(1, 8),
    memory=st.floats(0.01, 64),
)
def test_packing_asks_for_all_lanes_and_the_longest(
    count: int, parallel: int, walltime: float, cores: int, memory: float
) -> None:
    directives = Directives(cores=cores, memory_gib=memory, walltime_s=walltime)
    commands = [["true", str(i)] for i in range(count)]
    text = slurm.script(commands, directives, "name", SlurmSettings(parallel=parallel))
    asked, lanes = _asked(text), min(count, parallel)
    assert int(asked["ntasks"]) == lanes
    assert int(asked["mem"][:-1]) >= 1024 * memory * lanes
    days, _, clock = asked["time"].rpartition("-")
    hours, minutes, seconds = map(int, clock.split(":"))
    waves = -(-count // lanes)
    total = int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds
    assert waves * walltime + 120 <= total < waves * walltime + 180.001
    assert sorted(re.findall(r"^ *run true (\d+)$", text, re.MULTILINE)) == [str(i) for i in range(count)]


@pytest.mark.parametrize(
    ("each", "parallel", "per_gpu", "gpus", "seen"),
    [
        (1, 4, 1, "gpu:4", ["0", "1", "2", "3"]),
        (1, 4, 2, "gpu:2", ["0", "0", "1", "1"]),
        (1, 3, 4, "gpu:1", [""] * 3),  # there is but one
        (2, 2, 1, "gpu:4", ["0,1", "2,3"]),
    ],
)
def test_lanes_share_gpus(
    each: int, parallel: int, per_gpu: int, gpus: str, seen: list[str], tmp_path: Path
) -> None:
    commands = [["bash", "-c", f"echo {i} $CUDA_VISIBLE_DEVICES"] for i in range(parallel)]
    settings = SlurmSettings(parallel=parallel, per_gpu=per_gpu)
    text = slurm.script(commands, Directives(gpus=each), "name", settings)
    assert _asked(text)["gres"] == gpus
    done = subprocess.run(
        ["bash"], input=text, text=True, capture_output=True, env={"PATH": "/usr/bin:/bin"}, check=True
    )
    assert sorted(line.strip() for line in done.stdout.splitlines()) == [
        f"{i} {one}".strip() for i, one in enumerate(seen)
    ]


def test_uneven_gpus_cannot_be_shared() -> None:
    with pytest.raises(StudyError, match=r"per_gpu = 2.*ask for 0"):
        _made(parallel=2, per_gpu=2)


def test_a_template_of_ones_own_extends_ours(tmp_path: Path) -> None:
    own = tmp_path / "gpu.sh"
    own.write_text(
        '{% extends "gpu.sh" %}\n{% block setup %}\nmodule load cuda/{{ directives.gpus }}\n{{ super() }}{% endblock %}\n'
    )
    text, asked = _made(directives=Directives(gpus=1), template=str(own), setup=["source x"])
    assert "module load cuda/1\nsource x\n" in text
    assert asked["gres"] == "gpu:1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{% extends 'generic.sh' %}{% block %}", "line 1"),
        ("#!/bin/bash\n{{ cors }}", "'cors' is undefined"),
        ("echo", "does not begin with #!"),
        ("{% extends 'nothing.sh' %}", "nothing.sh"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(content: str, said: str, tmp_path: Path) -> None:
    own = tmp_path / "mine.sh"
    own.write_text(content)
    with pytest.raises(StudyError, match=re.escape(said)) as caught:
        _made(template=str(own))
    assert "mine.sh" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"partiton": "x"}, "did you mean 'partition'?"),
        ({"parallel": 0}, "parallel = 0"),
        ({"notice_s": 5}, "notice_s = 5"),
        ({"options": ["rm -rf"]}, "options.0"),
        ({"template": "GPU"}, "did you mean 'gpu'?"),
    ],
)
def test_settings_that_cannot_be_used_are_named(table: dict[str, object], said: str) -> None:
    with pytest.raises(StudyError, match=re.escape(said)):
        _made(**table)


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text('[slurm]\naccount = "lab"\nsetup = ["module load x"]\n')
    assert slurm.load(path) == SlurmSettings(account="lab", setup=("module load x",))
    path.write_text("[slrm]\n")
    with pytest.raises(StudyError, match=r"no table \[slurm\]"):
        slurm.load(path)
    path.write_text("[slurm")
    with pytest.raises(StudyError, match="cannot be read"):
        slurm.load(path)


def test_names_and_nothing_to_do_are_refused() -> None:
    with pytest.raises(StudyError, match="job name"):
        slurm.script([["true"]], Directives(), "a b", SlurmSettings())
    with pytest.raises(StudyError, match="needs a command"):
        slurm.script([], Directives(), "a", SlurmSettings())


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_script_fails_where_a_command_failed_and_runs_the_others(parallel: int) -> None:
    commands = [["bash", "-c", f"echo {i}; exit {7 if i == 1 else 0}"] for i in range(5)]
    text = slurm.script(commands, Directives(), "name", SlurmSettings(parallel=parallel))
    done = subprocess.run(["bash"], input=text, text=True, capture_output=True)
    assert done.returncode == 7
    assert sorted(done.stdout.split()) == list("01234")


#: Says that it began, and on TERM, after a while, that it stopped.
STOPS = """
import signal, sys, time
def stop(*_):
    time.sleep(0.3); open(sys.argv[1] + ".stopped", "w"); sys.exit(3)
signal.signal(signal.SIGTERM, stop)
open(sys.argv[1] + ".began", "w")
time.sleep(60)
"""


@pytest.mark.parametrize("parallel", [1, 2])
def test_before_the_walltime_what_works_stops_and_nothing_more_begins(parallel: int, tmp_path: Path) -> None:
    commands = [[PYTHON, "-c", STOPS, str(tmp_path / f"it's {i}")] for i in range(4)]
    path = tmp_path / "job.sh"
    path.write_text(slurm.script(commands, Directives(), "name", SlurmSettings(parallel=parallel)))
    job = subprocess.Popen(["bash", str(path)])
    end = time.monotonic() + 30
    while len(list(tmp_path.glob("*.began"))) < parallel and time.monotonic() < end:
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)  # what SLURM does with --signal=B:TERM
    assert job.wait(30) == 3
    assert len(list(tmp_path.glob("*.began"))) == parallel
    assert len(list(tmp_path.glob("*.stopped"))) == parallel


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def test_a_refusal_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "sbatch", "echo 'sbatch: error: no account, no nodes' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SchedulerError, match="sbatch refused: sbatch: error: no account, no nodes"):
        slurm.submit("#!/bin/bash\n", tmp_path, SlurmSettings())


def test_what_sbatch_warns_of_is_shown_and_a_cluster_is_no_part_of_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, "sbatch", 'cat > given; echo "$@" > options; echo "42;cluster"; echo careful >&2')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    told: list[str] = []
    assert slurm.submit("#!/bin/bash\n", tmp_path, SlurmSettings(), ["7", "8"], told.append) == "42"
    assert told == ["careful"]
    assert (tmp_path / "given").read_text() == "#!/bin/bash\n"
    assert (tmp_path / "options").read_text().split() == ["--parsable", "--dependency=afterany:7:8"]
    assert (tmp_path / "slurm").is_dir()


def test_where_slurm_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for act in (
        lambda: slurm.submit("", tmp_path, SlurmSettings()),
        slurm.queue,
        lambda: slurm.cancel(["1"]),
    ):
        with pytest.raises(SchedulerError, match="is not here: submit where SLURM is"):
            act()
    slurm.cancel([])


def test_a_scheduler_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "squeue", "exec sleep 20")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(slurm, "PATIENCE_S", 0.2)
    with pytest.raises(SchedulerError, match="squeue did not answer"):
        slurm.queue()


def test_the_queue_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "9|RUNNING|a|node1\n10|PENDING|a|(Resources|x)\n11|PENDING|b|(Priority)"
    _program(tmp_path, "squeue", f"echo '{rows}'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert slurm.queue(["a"]) == {"a": slurm.Queued("10", "a", "PENDING", "(Resources|x)")}
    assert set(slurm.queue()) == {"a", "b"}
