from __future__ import annotations

import io

import pytest

from supercrystal import progress
from supercrystal.progress import Progress


def test_one_line_per_interval_and_one_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    stream = io.StringIO()
    with Progress("drying", total=100, done=20, stream=stream) as job:
        for step in range(30, 101, 10):
            job.update(step)
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 3
    assert lines[0].startswith("drying: ")
    assert "steps/s" in lines[0]
    assert "left" in lines[0]
    assert lines[-1].startswith("drying: 100 of 100 steps")


def test_steps_done_before_do_not_count_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 20.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    job = Progress("drying", total=1000, done=500, stream=stream)
    job.update(600)
    assert "5 steps/s" in stream.getvalue()


def test_quiet_says_nothing() -> None:
    stream = io.StringIO()
    with Progress("drying", total=2, quiet=True, stream=stream) as job:
        job.update(2)
    assert stream.getvalue() == ""
