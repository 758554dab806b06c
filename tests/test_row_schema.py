"""``workflow.toml`` against what row 0.3.1 takes (`src/workflow.rs`, `src/scheduler/bash.rs`), and row itself where it is.

Row is a Rust program that is on no index of Python packages, so most of this holds the file against its types, read from
the source: all of them forbid unknown keys. What later sources (2026) refuse besides is in here too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from supercrystal.sweep import row
from supercrystal.sweep.execution import BUSY, DONE, FAILURE, STOPPED, UNTOUCHED
from supercrystal.sweep.space import Space
from supercrystal.sweep.status import survey
from tests.sweep_files import make, one

BOTH = 'operations = ["assemble", "relax"]\n[resources]\nranks = 2\ncores = 3\ngpus = 1'
#: Row itself.
ROW = shutil.which("row")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OneOf(Strict):
    """An enum of Rust's with values: one key."""

    @model_validator(mode="after")
    def _one(self) -> OneOf:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"one key of {', '.join(type(self).model_fields)}")
        return self


Count = Annotated[int, Field(ge=1)]  # 0.3.1 takes 0, later ones do not
#: One of the forms that its parser of durations takes.
Clock = Annotated[str, Field(pattern=r"^\d{2,10}:[0-5]\d:[0-5]\d$")]
Condition = Annotated[
    tuple[Annotated[str, Field(pattern="^/")], Literal["<", "<=", "==", ">=", ">"], Any], Field(strict=False)
]


class Processes(OneOf):
    per_submission: Count = 1
    per_directory: Count = 1


class Walltime(OneOf):
    per_submission: Clock = ""
    per_directory: Clock = ""


class Resources(Strict):
    processes: Processes | None = None
    threads_per_process: Count | None = None
    gpus_per_process: Count | None = None
    walltime: Walltime | None = None


class Selector(OneOf):
    condition: Condition = ("/", "==", None)
    all: list[Condition] = []


class Group(Strict):
    include: list[Selector] | None = None
    sort_by: list[str] | None = None
    split_by_sort_key: bool | None = None
    reverse_sort: bool | None = None
    maximum_size: Count | None = None
    submit_whole: bool | None = None


class SubmitOptions(Strict):
    account: str | None = None
    setup: str | None = None
    custom: list[str] = []
    partition: str | None = None


class Action(Strict):
    name: str
    command: str
    launchers: list[Literal["openmp", "mpi"]] = []
    previous_actions: list[str] = []
    products: list[Annotated[str, Field(pattern=r"^[^/\\]+$")]] = []  # in subfolders too, but ours are not
    resources: Resources = Resources()
    submit_options: dict[str, SubmitOptions] = {}
    group: Group = Group()

    @model_validator(mode="after")
    def _script(self) -> Action:
        """What `BashScriptBuilder` refuses when it makes a script, which is late."""
        if ("{directory}" in self.command) == ("{directories}" in self.command):
            raise ValueError("a command has one of {directory} and {directories}")
        if re.findall(r"\{[^}]*\}", self.command) != ["{directories}"]:
            raise ValueError("{} and {/pointer} may not stand beside {directories}")
        processes = self.resources.processes
        many = processes is not None and max(processes.per_submission, processes.per_directory) > 1
        if many != ("mpi" in self.launchers):
            raise ValueError("several processes need a launcher")
        return self


class Workspace(Strict):
    path: str = "workspace"
    value_file: str | None = None


class Workflow(Strict):
    workspace: Workspace = Workspace()
    action: list[Action] = []

    @model_validator(mode="after")
    def _names(self) -> Workflow:
        first: dict[str, Action] = {}
        for action in self.action:
            same = first.setdefault(action.name, action)
            if (action.previous_actions, action.products) != (same.previous_actions, same.products):
                raise ValueError(f"{action.name} twice, with other products or predecessors")
        if lost := {name for action in self.action for name in action.previous_actions} - set(first):
            raise ValueError(f"no action {lost}")
        return self


def _read(space: Space) -> Workflow:
    row.write(space)
    return Workflow.model_validate(tomllib.loads((space.root / row.WORKFLOW).read_text()))


@pytest.mark.parametrize("head", ["", 'operations = ["assemble"]', BOTH])
def test_row_takes_the_file(head: str, tmp_path: Path) -> None:
    space = make(one([9], head=head), tmp_path)
    found = _read(space)
    assert found.action
    # Directories are what lies in `workspace`, and each has the file of values.
    folder = space.root / found.workspace.path
    assert sorted(child.name for child in folder.iterdir()) == sorted(space.entries)
    assert found.workspace.value_file
    assert all((folder / job / found.workspace.value_file).is_file() for job in space.entries)


def test_one_process_has_the_cores_of_all_ranks(tmp_path: Path) -> None:
    actions = {action.name: action for action in _read(make(one([9], head=BOTH), tmp_path)).action}
    for name in ("assemble", "relax"):
        resources = actions[name].resources
        assert (resources.threads_per_process, resources.gpus_per_process) == (6, 1)
        assert "OMP_NUM_THREADS=3 " in actions[name].command
        assert actions[name].group.maximum_size == 1
    assert actions["build-relax"].resources.threads_per_process is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(120.0, "00:02:00"), (93_780.0, "26:03:00"), (4e5, "111:06:40")]
)
def test_walltimes_of_days_are_hours(seconds: float, text: str) -> None:
    assert row._clock(seconds) == text


@pytest.mark.parametrize("cluster", ["none", "greatlakes"])
@pytest.mark.parametrize("code", [DONE, FAILURE, 2, STOPPED, BUSY, UNTOUCHED, 127, 143])
def test_a_job_at_fault_does_not_stop_row_here(cluster: str, code: int, tmp_path: Path) -> None:
    command = _read(make(one([9]), tmp_path)).action[0].command
    program = tmp_path / "bin" / "supercrystal"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@"\nexit {code}\n')
    program.chmod(0o755)
    # As row 0.3.1 writes it and gives it to bash.
    command = command.replace("{directories}", '"${directories[@]}"')
    script = f"directories=(\n'a'\n'b'\n)\nexport ACTION_CLUSTER=\"{cluster}\"\n{command} || {{ exit 1; }}\n"
    done = subprocess.run(
        ["bash"],
        input=script,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["sweep", "exec", "--operation", "build", "a", "b"]
    passed = code == DONE or (cluster == "none" and code in (FAILURE, BUSY, UNTOUCHED))
    assert done.returncode == (0 if passed else 1)


@pytest.mark.slow
@pytest.mark.skipif(ROW is None, reason="no row, a Rust program: cargo install row")
def test_row_runs_a_sweep(tmp_path: Path) -> None:
    space = make(one([9, 12], head='operations = ["relax"]'), tmp_path)
    row.write(space)
    bad, good = sorted(space.entries)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ROW_HOME": str(tmp_path),
        "ROW_COLOR": "never",
    }

    def call(*words: str) -> str:
        done = subprocess.run(
            ["row", *words], cwd=space.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "build            0         0        2" in call("show", "status")
    assert "sweep exec --operation build" in call("submit", "--dry-run")
    call("submit", "--yes")
    # A folder where a product goes: of the first job the relaxation fails, each time.
    (space.folder(bad) / "relax.json.partial").mkdir()
    for _ in range(4):
        call("submit", "--yes")
    assert [job.state for job in survey(space) if job.id == good] == ["complete"]
    assert [job.state for job in survey(space) if job.id == bad] == ["failed"]
    shown = call("show", "directories", "--action", "report")
    assert re.search(rf"{good} +completed", shown)
    assert re.search(rf"{bad} +waiting", shown)
