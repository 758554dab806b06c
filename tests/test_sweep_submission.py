"""Jobs of a sweep in batch scripts; SLURM itself is tested with the scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supercrystal.sweep import slurm, submission
from supercrystal.sweep.execution import FAILED
from supercrystal.sweep.space import Space
from tests.sweep_files import make, one


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return make(one([9, 12, 15]), tmp_path)


def test_every_open_job_is_in_one_script(space: Space) -> None:
    jobs = list(space.entries)
    found = list(submission.batches(space, jobs, bundle=2))
    assert [batch.jobs for batch in found] == [tuple(jobs[:2]), tuple(jobs[2:])]
    made = submission.submit(space, None, slurm.SlurmSettings(), bundle=2, pretend=True)
    assert len(made) == 2
    for job in jobs:
        assert sum(f"sweep run {job}" in text for text in made.values()) == 1
    assert not any("--partition" in text for text in made.values())
    assert not (space.root / submission.SUBMITTED).exists()


def test_failed_jobs_wait_for_retry_and_are_said(space: Space) -> None:
    job = next(iter(space.entries))
    (space.folder(job) / FAILED).write_text(json.dumps({"operation": "relax", "message": "no"}))
    said: list[str] = []
    made = submission.submit(space, None, slurm.SlurmSettings(), pretend=True, say=said.append)
    assert len(made) == 2
    assert "--retry" in said[0]
    again = submission.submit(space, None, slurm.SlurmSettings(), pretend=True, retry=True)
    assert len(again) == 3


def test_what_is_in_the_queue_is_not_submitted_again(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(["7", "8", "9", "10"])
    there: dict[str, slurm.Queued] = {}

    def give(text: str, folder: Path, settings: slurm.SlurmSettings, **rest: object) -> str:
        number = next(numbers)
        there[number] = slurm.Queued(number, number, "PENDING", "")
        return number

    monkeypatch.setattr(slurm, "submit", give)
    monkeypatch.setattr(slurm, "queue", lambda: there)
    assert sorted(submission.submit(space, None, slurm.SlurmSettings()).values()) == ["7", "8", "9"]
    assert submission.submit(space, None, slurm.SlurmSettings()) == {}
    del there["8"]  # it left the queue without having done anything
    assert list(submission.submit(space, None, slurm.SlurmSettings()).values()) == ["10"]
