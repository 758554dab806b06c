"""kill -9 at random moments of a real run, then --resume."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest

from supercrystal.simulate import marks


def _start(study: Path, out: Path, engine: str, resume: bool) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "supercrystal",
        "run",
        str(study),
        "-o",
        str(out),
        "--engine",
        engine,
        "-q",
    ]
    return subprocess.Popen(
        [*command, *(["--resume"] if resume else [])], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _last_step(path: Path) -> int:
    if not path.exists():
        return -1
    with gsd.hoomd.open(path) as file:
        return int(file[len(file) - 1].configuration.step) if len(file) else -1


def _wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


@pytest.mark.parametrize("engine", ["lammps", pytest.param("hoomd", marks=pytest.mark.hoomd)])
def test_a_run_killed_at_random_moments_ends_complete(tmp_path: Path, small_text: str, engine: str) -> None:
    # Slower and with more frames than the other small runs, so that most kills hit the simulation.
    text = small_text.replace("peclet = 2.0", "peclet = 0.4").replace("frames = 20", "frames = 100")
    study, out = tmp_path / "small.toml", tmp_path / "out"
    study.write_text(text)
    rng = random.Random(engine)
    reached: list[int] = []
    for kill in range(5):
        process = _start(study, out, engine, resume=(out / "study.toml").exists())
        if kill > 0:  # the first kill comes while it starts, the others after it has got on
            _wait_for(
                lambda p=process: p.poll() is not None or _last_step(out / "checkpoint.gsd") > max(reached)
            )
        time.sleep(rng.uniform(0.2, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        checkpoint = _last_step(out / "checkpoint.gsd")
        # Nothing up to the checkpoint is lost, whenever the kill came.
        assert _last_step(out / "trajectory.gsd") >= checkpoint
        assert _last_step(out / "log.gsd") >= checkpoint
        reached.append(checkpoint)
    process = _start(study, out, engine, resume=(out / "study.toml").exists())
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()

    assert reached == sorted(reached), "a resumed run went back behind a checkpoint"
    total = json.loads((out / "resolved.json").read_text())["schedule"]["steps"][-1]
    assert max(reached) > 0, "no kill came after the run had begun: nothing was tested"
    due = marks(total, 100)
    with gsd.hoomd.open(out / "trajectory.gsd") as file:
        steps = [int(frame.configuration.step) for frame in file]
        assert all(np.all(np.isfinite(frame.particles.position)) for frame in file)
    assert steps == [step for step, frame_due in due if frame_due]
    with gsd.hoomd.open(out / "log.gsd") as file:
        assert [int(frame.configuration.step) for frame in file] == [step for step, _ in due]
    assert (out / "result.json").exists()
    assert (out / "report.html").exists()
    assert not list(out.rglob("*.partial"))
    assert "resumed at step" in (out / "messages.txt").read_text()
