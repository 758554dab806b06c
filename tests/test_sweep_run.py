"""Jobs under kills, crashes, full disks, two runners and a walltime: nothing lost, nothing done twice, each said."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gsd.hoomd
import pytest
from click.testing import CliRunner

from supercrystal import cli_sweep
from supercrystal.sweep import execution, operations, provenance, runner
from supercrystal.sweep.execution import DONE, FAILED, FAILURE, RUNNING
from supercrystal.sweep.operations import PRODUCTS, line
from supercrystal.sweep.space import STUDY, Space, read
from supercrystal.sweep.status import survey
from tests.sweep_files import make, one

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _command(space: Space, *more: object) -> list[str]:
    return [sys.executable, "-m", "supercrystal", "sweep", "run", "-C", str(space.root), *map(str, more)]


def _start(space: Space, *more: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _command(space, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )


def _states(space: Space) -> dict[str, str]:
    return {job.id: job.state for job in survey(read(space.root))}


def _execute(space: Space, job: str, messages: list[str] | None = None) -> int:
    return execution.execute(
        space.entries[job], space.folder(job), say=(messages if messages is not None else []).append
    )


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return make(one([9, 12]), tmp_path)


def test_a_job_is_done_in_its_order_and_says_where_it_comes_from(space: Space) -> None:
    job, other = space.entries
    messages: list[str] = []
    assert _execute(space, job, messages) == DONE
    assert [m.partition(": ")[2] for m in messages if m.startswith(job)] == list(line("relax"))
    folder = space.folder(job)
    came = provenance.read(folder)
    assert [s["operation"] for s in came["sessions"]] == list(line("relax"))
    assert all(
        s["outcome"] == "done" and s["ended"] >= s["started"] and s["processor"] for s in came["sessions"]
    )
    assert came["seed"] == 1
    assert {"supercrystal", "numpy", "python"} <= set(came["versions"])
    assert any("Landman" in text for text in came["citations"])
    assert not any("LAMMPS" in text for text in came["citations"])  # no engine took part
    assert not list(folder.glob("*.partial"))
    assert not (folder / RUNNING).exists()
    page = (folder / "report.html").read_text()
    assert "lowest of the candidates tried" in page
    assert "http://" not in page.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere
    assert _states(space) == {job: "complete", other: "ready"}
    # Doing it again does nothing.
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert _execute(space, job) == DONE
    assert times == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_failure_is_recorded_and_the_next_job_runs(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    job, other = space.entries

    def broken(given: operations.Job) -> None:
        raise RuntimeError("no such luck")

    with monkeypatch.context() as patch:
        patch.setitem(operations.OPERATIONS, "relax", broken)
        assert _execute(space, job) == FAILURE
    record = json.loads((space.folder(job) / FAILED).read_text())
    assert (record["operation"], record["message"]) == ("relax", "RuntimeError: no such luck")
    assert "broken" in record["traceback"]
    assert provenance.read(space.folder(job))["sessions"][-1]["outcome"] == "failed"
    # A failed job is left alone, and said, until it is asked for.
    said: list[str] = []
    outcome = runner.run(space, [job], say=said.append)
    assert outcome.failed == {job: "relax: RuntimeError: no such luck"}
    assert "--retry" in said[0]
    assert _execute(space, other) == DONE
    assert _execute(space, job) == DONE
    assert not (space.folder(job) / FAILED).exists()


def test_a_full_disk_is_said_of_its_job(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    job = next(iter(space.entries))
    folder = space.folder(job)
    # Every write to this device ends with "no space left".
    (folder / "relax.json.partial").symlink_to("/dev/full")
    messages: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(operations, "clean", lambda folder: None)  # it would remove the link
        assert _execute(space, job, messages) == FAILURE
    assert "No space left on device" in messages[-1]
    assert "No space left on device" in json.loads((folder / FAILED).read_text())["message"]
    assert not (folder / "relax.json").exists()
    assert _execute(space, job) == DONE  # once there is room again


def test_where_not_even_the_failure_can_be_written_it_is_still_said(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = next(iter(space.entries))
    folder = space.folder(job)
    for name in (RUNNING, FAILED):
        (folder / f"{name}.partial").symlink_to("/dev/full")
    messages: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(operations, "clean", lambda folder: None)  # it would remove the link
        assert _execute(space, job, messages) == FAILURE
    assert "No space left on device" in messages[-1]
    assert _states(space)[job] == "ready"


@pytest.mark.slow
def test_an_engine_that_crashes_takes_one_job_with_it(space: Space, tmp_path: Path) -> None:
    crashing, other = space.entries
    # Python reads this module when it starts: the process of this one job dies as an engine would.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys, os, signal\nif {crashing!r} in sys.argv: os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        _command(space, "--json"), capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert done.returncode == 1, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["done"] == [other]
    assert "SIGSEGV" in outcome["failed"][crashing]
    assert _states(space) == {crashing: "failed", other: "complete"}


@pytest.mark.slow
def test_two_runners_share_the_jobs(tmp_path: Path) -> None:
    space = make(one([8, 9, 10]), tmp_path)
    pair = [_start(space, "--json", "-p", 2) for _ in range(2)]
    outcomes = []
    for process in pair:
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
        outcomes.append(json.loads(out))
    done = [job for outcome in outcomes for job in outcome["done"]]
    assert set(done) == set(space.entries)
    for job in space.entries:
        # Each operation was done once, whoever did it.
        assert [s["operation"] for s in provenance.read(space.folder(job))["sessions"]] == list(line("relax"))


@pytest.mark.slow
def test_it_stops_before_the_walltime_and_goes_on(tmp_path: Path) -> None:
    # Films that take long: the engine is in the middle of one when time is up.
    text = one([9, 12], tables="", count=400).replace(
        "duration_brownian_times = 20", "duration_brownian_times = 3000"
    )
    space = make(text, tmp_path)
    began = time.monotonic()
    done = subprocess.run(
        _command(space, "--walltime", 12, "--json"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert time.monotonic() - began < 12 + runner.GRACE_S + 10
    assert len(outcome["interrupted"]) == len(outcome["left"]) == 1
    assert "run again" in done.stderr
    states = _states(space)
    assert states[outcome["left"][0]] == "ready"
    assert states[outcome["interrupted"][0]] in ("begun", "ready")  # ready if it was still importing


# --- killed at random moments -----------------------------------------------------------------------------------------


def _children(space: Space) -> Iterator[int]:
    """Processes that work on a job of this sweep."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"exec" in words and os.fsencode(space.root) in words:
                yield int(folder.name)


def _kill(space: Space, process: subprocess.Popen[bytes], victim: str, after: float) -> bool:
    """Kill the runner, or one that works on a job and then the runner; whether an operation was hit."""
    hit = False
    end = time.monotonic() + 60
    while victim == "operation" and not hit and process.poll() is None and time.monotonic() < end:
        for word in space.workspace.glob(f"*/{RUNNING}"):
            with contextlib.suppress(OSError, ValueError):
                pid = json.loads(word.read_text())["pid"]
                if pid in _children(space):
                    time.sleep(after)
                    os.kill(pid, signal.SIGKILL)
                    hit = word.exists()
                    break
        time.sleep(0.01)
    if victim == "runner":
        time.sleep(4 * after)
    process.kill()  # the next round starts a new runner; what this one had started goes on
    process.wait()
    return hit


def _wait_for_orphans(space: Space) -> None:
    """What a killed runner had started goes on under its lock; a test that compares waits for it."""
    end = time.monotonic() + 120
    while list(_children(space)) and time.monotonic() < end:
        time.sleep(0.05)


#: What differs from run to run: times, machines, and what a thermostat's noise decides.
_TIMES = {"provenance.json", "report.html", "messages.txt", "figure.png"}


def _products(space: Space) -> dict[str, Any]:
    """Everything that must be equal: names of all files, and of each what does not depend on noise."""
    found: dict[str, Any] = {}
    for job in space.entries:
        folder = space.folder(job)
        names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        # Which figures a run has depends on whether it ordered, which noise decides.
        found[job] = {"files": [n for n in names if not n.startswith("run/figures/")]}
        if space.entries[job].operation == "relax":
            found[job] |= {
                name: json.loads((folder / PRODUCTS[name]).read_text())
                for name in ("build", "relax", "identify", "compare")
            }
        else:
            found[job]["build"] = json.loads((folder / PRODUCTS["build"]).read_text())
            result = json.loads((folder / "run/result.json").read_text())
            found[job]["result"] = sorted(result)
            for name in ("trajectory", "log"):
                with gsd.hoomd.open(folder / f"run/{name}.gsd") as file:
                    found[job][name] = [int(frame.configuration.step) for frame in file]
    return found


def _killed_at_random(tmp_path: Path, text: str, kills: int, parallel: int) -> None:
    broken, whole = make(text, tmp_path, "broken"), make(text, tmp_path, "whole")
    rng = random.Random(kills)
    hits = 0
    for number in range(kills):
        process = _start(broken, "-p", parallel, "-q")
        hits += _kill(broken, process, "operation" if number % 2 else "runner", rng.uniform(0.0, 1.0))
        # Whatever happened, it can be read and is not called a failure.
        bad = [job for job in survey(read(broken.root)) if job.state in ("failed", "problem")]
        assert not bad, [(job.id, job.message, job.problem) for job in bad]
    assert hits, "no operation was killed: nothing was tested"
    for space in (broken, whole):
        _wait_for_orphans(space)
        done = subprocess.run(
            _command(space, "-p", parallel), capture_output=True, text=True, env=ENVIRONMENT, check=False
        )
        assert done.returncode == 0, done.stderr
        assert set(_states(space).values()) == {"complete"}
    assert _products(broken) == _products(whole)
    assert not list(broken.root.rglob("*.partial"))
    assert not list(broken.root.rglob(RUNNING))
    killed = [
        s
        for job in broken.entries
        for s in provenance.read(broken.folder(job))["sessions"]
        if s["outcome"] == "killed"
    ]
    assert len(killed) >= 1


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    _killed_at_random(tmp_path, one([9], head='operations = ["assemble", "relax"]'), kills=4, parallel=2)


@pytest.mark.parametrize(("code", "worked"), [(execution.STOPPED, 1), (FAILURE, 2)])
def test_a_process_that_was_asked_to_stop_begins_no_other_job(
    space: Space, monkeypatch: pytest.MonkeyPatch, code: int, worked: int
) -> None:
    begun = []

    def ends(entry: object, folder: Path, *more: object) -> int:
        begun.append(folder)
        return code

    monkeypatch.setattr(execution, "execute", ends)
    ended = CliRunner().invoke(cli_sweep.execute, [*space.entries, "-C", str(space.root)])
    assert ended.exit_code == code
    assert len(begun) == worked


@pytest.mark.long
def test_a_sweep_of_24_jobs_killed_at_20_moments_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    head = 'operations = ["assemble", "relax"]\nreplicas = 2'
    text = one([9, 10, 11, 12, 13, 14, 15, 16], head=head)
    assert len(make(text, tmp_path, "count").entries) == 24
    shutil.rmtree(tmp_path / "count")
    _killed_at_random(tmp_path, text, kills=20, parallel=2)


def test_a_killed_operation_leaves_a_note_and_the_next_process_tidies_up(space: Space) -> None:
    job = next(iter(space.entries))
    folder = space.folder(job)
    word = {"operation": "relax", "host": "gone", "pid": 1, "started": "2026-01-01T00:00:00+0000"}
    (folder / RUNNING).write_text(json.dumps(word))
    (folder / "relax.json.partial").write_text("{")
    assert _states(space)[job] == "interrupted"
    assert _execute(space, job) == DONE
    sessions = provenance.read(folder)["sessions"]
    assert (sessions[0]["host"], sessions[0]["ended"], sessions[0]["outcome"]) == ("gone", None, "killed")
    assert not (folder / "relax.json.partial").exists()
    assert (folder / STUDY).exists()
