"""Whole runs of every stage, small and short: what is recorded and said, not physics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest

from supercrystal import study as studies
from supercrystal.errors import SimulationError
from supercrystal.run import prepare, run
from supercrystal.simulate import stage_marks

SHORT = "mixing_brownian_times = 3\nhold_brownian_times = 10\nframes = 10\n"
FILM = "initial_packing_fraction = 0.2\ndry_layers = 5\n"
MIE = '[model.interaction]\nkind = "mie"\ndepth_kT = 0.5\n'
PROTOCOLS = {
    "slow-drying": f'[protocol]\nkind = "slow-drying"\nduration_brownian_times = 15\n{SHORT}',
    "compression": f'[protocol]\nkind = "compression"\npressure_kPa = [20, 200]\nramp_brownian_times = 10\n{SHORT}',
    "destabilisation": f'{MIE}[protocol]\nkind = "destabilisation"\nschedule = [[0, 0.5], [10, 2.0]]\n{SHORT}',
    "sedimentation": f'[protocol]\nkind = "sedimentation"\nacceleration_g = 2e7\nsubstrate = "fcc(111)"\n{FILM}{SHORT}',
    "composed": f'[[protocol]]\nkind = "sedimentation"\ngravitational_length_diameters = 1\n{FILM}{SHORT}'
    '[[protocol]]\nkind = "drying"\npeclet = 5\nhold_brownian_times = 10\nframes = 12\n'
    '[[protocol]]\nkind = "annealing"\nhottest_K = 400\nperiod_brownian_times = 10\nhold_brownian_times = 10\nframes = 14\n',
}


def _text(example_text: str, name: str, count: int = 250) -> str:
    head = example_text[: example_text.index("[protocol]")].replace("count = 1000", f"count = {count}")
    return head.replace("size_dispersity = 0.03", "size_dispersity = 0.0") + PROTOCOLS[name]


def _run(text: str, out: Path) -> dict[str, Any]:
    return run(studies.parse(text), text, out, engine="lammps", quiet=True)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_runs_to_a_report_with_its_groups(
    name: str, example_text: str, tmp_path: Path
) -> None:
    result = _run(_text(example_text, name), tmp_path / "run")
    stages = {group["stage"] for group in result["groups"]}
    kinds = {"sedimentation", "drying", "annealing"} if name == "composed" else {name}
    assert stages == kinds
    assert result["physical"]["brownian_time_s"] > 0
    assert result["physical"]["warnings"], "microseconds are far from any experiment"
    assert result["mapping"]["rows"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Brownian time" in page
    assert result["physical"]["warnings"][0].split(":")[0] in page
    saved = json.loads((tmp_path / "run" / "resolved.json").read_text())
    ends = [span["end"] for span in saved["stages"]]
    assert ends[-1] == saved["schedule"]["steps"][-1]
    with gsd.hoomd.open(tmp_path / "run" / "trajectory.gsd") as file:
        steps = [int(frame.configuration.step) for frame in file]
    assert set(ends) <= set(steps)
    if name == "composed":
        assert [sum(first < step <= last for step in steps) for first, last in zip([-1, *ends], ends, strict=False)] == [
            11, 12, 14,
        ]  # fmt: skip
        assert result["physical"]["sedimentation"]["acceleration_g"] > 1e6
        assert any("centrifuge" in warning for warning in result["physical"]["warnings"])


def test_a_template_is_in_the_trajectory_and_not_in_the_result(example_text: str, tmp_path: Path) -> None:
    result = _run(_text(example_text, "sedimentation"), tmp_path / "run")
    with gsd.hoomd.open(tmp_path / "run" / "trajectory.gsd") as file:
        frame = file[-1]
    template = frame.particles.types.index("template")
    assert np.sum(frame.particles.typeid == template) > 20
    assert result["named"]["n"] == 250
    assert "template" in result["how"]


@pytest.mark.parametrize("name", ["compression", "composed"])
def test_a_run_that_stopped_goes_on_where_it_was(
    name: str, example_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, out = _text(example_text, name), tmp_path / "run"
    from supercrystal.engines import lammps

    real, calls = lammps.Lammps.run, [0]

    def dies(self: lammps.Lammps, steps: int) -> None:
        calls[0] += 1
        if calls[0] == 14:
            raise SimulationError("killed here")
        real(self, steps)

    monkeypatch.setattr(lammps.Lammps, "run", dies)
    with pytest.raises(SimulationError, match="killed here"):
        _run(text, out)
    monkeypatch.undo()
    made = prepare(studies.parse(text))
    result = run(studies.parse(text), text, out, engine="lammps", resume=True, quiet=True)
    assert 0 < result["last_process"]["first_step"] < made.schedule.total
    spans = made.assembly.spans
    due = stage_marks([span.end for span in spans], [span.frames for span in spans])
    with gsd.hoomd.open(out / "log.gsd") as file:
        assert [int(frame.configuration.step) for frame in file] == [step for step, _ in due]
        boxes = [float(frame.log.get("supercrystal/volume", [np.nan])[0]) for frame in file]
    if name == "compression":
        jumps = np.abs(np.diff(np.log(boxes)))
        assert jumps.max() < 0.25, "the cell went on from the checkpoint's"


def test_excess_adds_to_the_count_of_its_species(example_text: str) -> None:
    two = example_text.replace("count = 1000", 'name = "A"\ncount = 1000').replace(
        "[model]",
        '[[nanocrystals]]\nname = "B"\ncount = 500\nexcess = 0.2\ngrafting_density_per_nm2 = 4.4\nligand = "oleate"\n'
        'core = { material = "PbS", shape = "sphere", diameter_nm = 5.0 }\n\n[model]',
    )
    assert [batch.count for batch in studies.parse(two).batches()] == [1000, 600]


def test_marks_of_stages_have_a_frame_at_every_end() -> None:
    assert stage_marks([4, 10], [1, 3]) == [
        (0, True), (2, False), (4, True), (5, False), (6, True), (7, False), (8, True), (9, False), (10, True),
    ]  # fmt: skip
