"""The data space on disk, and what `status` says of jobs that something happened to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import signac

from supercrystal.errors import RunDirectoryError, StudyError
from supercrystal.study import Study
from supercrystal.sweep import execution, row
from supercrystal.sweep.directives import Directives, estimate
from supercrystal.sweep.execution import FAILED, RUNNING
from supercrystal.sweep.points import SCHEMA
from supercrystal.sweep.space import INDEX, STATEPOINT, STUDY, Space, read
from supercrystal.sweep.specification import ResourcesTable
from supercrystal.sweep.status import summary, survey
from tests.sweep_files import make, one


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return make(one([9, 12, 99]), tmp_path)


def _only(space: Space, job: str) -> tuple[str, str]:
    found = survey(read(space.root), [job])[0]
    return found.state, found.problem or found.message


def test_jobs_are_signac_jobs_and_their_studies_are_theirs(space: Space) -> None:
    project = signac.get_project(space.root)
    assert {job.id for job in project} == set(space.entries)
    assert len(project.find_jobs({"axes.nanocrystals.1.ligand.carbons": 12})) == 1
    assert read(space.root) == space
    assert [bad["axes"]["nanocrystals.1.ligand.carbons"] for bad in space.invalid] == [99]
    found = summary(space, survey(space))
    assert found["states"]["ready"] == found["jobs"] == 2


def test_init_again_adds_points_and_leaves_the_others(space: Space, tmp_path: Path) -> None:
    times = {job: (space.folder(job) / STUDY).stat().st_mtime_ns for job in space.entries}
    more = make(one([9, 12, 15]), tmp_path)
    assert len(more.entries) == 3
    assert set(times) < set(more.entries)
    assert all((more.folder(job) / STUDY).stat().st_mtime_ns == time for job, time in times.items())


def test_init_does_not_mix_two_sweeps_or_two_layouts(space: Space, tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="holds the sweep 'one', not 'other'"):
        make(one([9]).replace('name = "one"', 'name = "other"'), tmp_path)
    index = space.root / INDEX
    index.write_text(index.read_text().replace(f'"schema": {SCHEMA}', '"schema": 0'))
    with pytest.raises(RunDirectoryError, match="another layout"):
        make(one([9]), tmp_path)


def test_nothing_valid_makes_no_data_space(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"(?s)no state point .* 99: allowed ≤ 60"):
        make(one([99]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.toml"]


def test_a_job_of_another_version_is_named_and_not_touched(space: Space) -> None:
    job, other = space.entries
    (space.root / INDEX).unlink()  # as it is where another version wrote something else there
    path = space.folder(job) / STATEPOINT
    point = {**json.loads(path.read_text()), "schema": 0}
    old = signac.get_project(space.root).open_job(point).init()
    shutil.copy(space.folder(job) / STUDY, old.fn(STUDY))
    state, said = _only(space, old.id)
    assert state == "problem"
    assert "layout 0" in said
    assert _only(space, other)[0] == "ready"
    messages: list[str] = []
    found = read(space.root)
    assert (
        execution.execute(found.entries[old.id], found.folder(old.id), say=messages.append)
        == execution.UNTOUCHED
    )
    assert "layout 0" in messages[0]
    assert set(p.name for p in found.folder(old.id).iterdir()) == {STATEPOINT, STUDY}


@pytest.mark.parametrize("name", [STUDY, STATEPOINT])
def test_an_edited_job_is_named_and_not_touched(space: Space, name: str) -> None:
    job, other = space.entries
    path = space.folder(job) / name
    path.write_text(path.read_text().replace("small", "Small").replace("fcc", "bcc"))
    state, said = _only(space, job)
    assert (state, "edited by hand" in said, name in said) == ("problem", True, True)
    assert _only(space, other) == ("ready", "")
    # A file that was only copied, or commented, is the same study.
    path = space.folder(other) / STUDY
    path.write_text("# a comment\n" + path.read_text())
    assert _only(space, other) == ("ready", "")
    path.write_text("no toml")
    assert "cannot be read" in _only(space, other)[1]
    path.unlink()
    assert "is missing" in _only(space, other)[1]


def test_a_lost_index_is_made_from_the_jobs(space: Space) -> None:
    (space.root / INDEX).write_text("{")
    found = read(space.root)
    assert set(found.entries) == set(space.entries)
    assert {dict(e.axes)["nanocrystals.1.ligand.carbons"] for e in found.entries.values()} == {9, 12}
    assert {job.state for job in survey(found)} == {"ready"}


def test_states_are_told_by_files_and_the_lock(space: Space) -> None:
    job = next(iter(space.entries))
    folder = space.folder(job)
    (folder / FAILED).write_text(json.dumps({"operation": "relax", "message": "no"}))
    assert _only(space, job) == ("failed", "relax: no")
    (folder / FAILED).unlink()
    word = {"operation": "relax", "host": "here", "pid": 1, "started": "now"}
    (folder / RUNNING).write_text(json.dumps(word))
    # Without the lock it was killed; with it, somebody is at work.
    assert _only(space, job)[0] == "interrupted"
    with execution.lock(folder):
        assert _only(space, job) == ("running", "relax on here, process 1, since now")
        with pytest.raises(execution.BusyError), execution.lock(folder):
            pass


def test_no_sweep_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="sweep init"):
        read(tmp_path)


def test_directives_follow_the_study(example: Study) -> None:
    one_rank = estimate(example, "assemble", ResourcesTable())
    # 225,830 steps of 1000 nanocrystals (README): HOOMD-blue, the dearer engine, at 479 ns a particle and step, three times.
    assert one_rank.walltime_s == pytest.approx(3 * 225_830 * 1000 * 479e-9 + 120, abs=60)
    four = estimate(example, "assemble", ResourcesTable(ranks=4, cores=2, gpus=1, walltime_factor=10))
    assert (four.ranks, four.cores, four.gpus) == (4, 2, 1)
    assert four.walltime_s > one_rank.walltime_s
    with pytest.raises(ValueError, match="≥ 1"):
        Directives(cores=0)


def test_row_gets_every_operation_with_its_product(tmp_path: Path) -> None:
    both = make(one([9], head='operations = ["assemble", "relax"]\nreplicas = 2'), tmp_path)
    found = row.workflow(both)
    actions = found["action"]
    names = [action["name"] for action in actions]
    assert len(set(names)) == len(names) == 10
    for kind in ("assemble", "relax"):
        mine = [a for a in actions if a["group"]["include"] == [{"condition": ["/operation", "==", kind]}]]
        assert [a["products"] for a in mine][-1] == ["report.html"]
        # Each waits for the one before it.
        assert [a.get("previous_actions") for a in mine] == [None, *[[a["name"]] for a in mine[:-1]]]
    assert found["workspace"]["value_file"] == STATEPOINT
