from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.interactions.mie import Mie, MieRepulsion, MieTail
from supercrystal.models import shells
from supercrystal.models.model import Batch
from supercrystal.nanocrystal import Core, Nanocrystal
from supercrystal.protocols import start as starts
from supercrystal.protocols.annealing import Annealing
from supercrystal.protocols.assembly import assemble
from supercrystal.protocols.compression import Compression
from supercrystal.protocols.destabilisation import Destabilisation
from supercrystal.protocols.drying import CLOSE_PACKED, Drying, SlowDrying
from supercrystal.protocols.sedimentation import Sedimentation
from supercrystal.protocols.start import TEMPLATE, CellStart, FilmStart
from supercrystal.protocols.timeline import State, Timeline
from supercrystal.soundness import check

PBS = Nanocrystal(Core("PbS", 7.0), library.ligand("oleate"), 4.40)
MODEL = shells.build([Batch("PbS", PBS, 400)], 298.15)
D = MODEL.reference_diameter
FILM = FilmStart(packing_fraction=0.2, layers=5, mixing_time=5)
CELL = CellStart(packing_fraction=0.2, mixing_time=5)


def test_stages_go_on_from_what_the_one_before_left() -> None:
    made = assemble(
        MODEL,
        FILM,
        [Sedimentation(2 * D, 10, 20), Drying(5.0, 10), Annealing(1.3, 2, 20, 10)],
        seed=1,
        weight={"PbS": 1 / D},
    )
    schedule, ends = made.schedule, [span.end for span in made.spans]
    assert [span.kind for span in made.spans] == ["sedimentation", "drying", "annealing"]
    assert ends[-1] == schedule.total
    assert schedule.value("gravity", 0) == 0
    assert schedule.value("gravity", ends[0]) == pytest.approx(0.5)
    assert schedule.value("gravity", ends[2]) == pytest.approx(0.5), "the field stays on"
    assert schedule.height(ends[0]) == schedule.height(0)
    assert made.film is not None
    assert schedule.height(ends[1]) == pytest.approx(made.film.dry_height)
    assert max(schedule.temperature) == 1.3
    assert schedule.temperature.count(1.3) == 2
    assert schedule.value("temperature", schedule.total) == 1


def test_a_released_field_is_off_at_the_end() -> None:
    made = assemble(MODEL, FILM, [Sedimentation(2 * D, 10, 20, release=True)], 1, {"PbS": 1 / D})
    assert made.schedule.value("gravity", made.schedule.total) == 0


def test_slow_drying_loses_volume_at_a_constant_rate() -> None:
    made = assemble(MODEL, CELL, [SlowDrying(CLOSE_PACKED, 100, 10)], 1)
    first, last = made.schedule.steps[1], made.schedule.steps[-2]
    volume = [
        float(np.prod(made.schedule.side(round(first + (last - first) * share))))
        for share in (0, 0.25, 0.4, 1)
    ]
    assert volume[0] == pytest.approx(MODEL.volume / 0.2)
    assert volume[3] == pytest.approx(MODEL.volume / CLOSE_PACKED)
    for share, found in ((0.25, volume[1]), (0.4, volume[2])):
        assert found == pytest.approx(volume[0] + share * (volume[3] - volume[0]), rel=2e-3)


def test_the_pressure_takes_over_from_the_sides_and_stays() -> None:
    made = assemble(
        MODEL, CELL, [SlowDrying(0.4, 50, 10), Compression(0.001, 0.01, 20, 10), Annealing(1.2, 1, 20, 10)], 1
    )
    schedule, end = made.schedule, made.spans[0].end
    assert not schedule.under_pressure(end - 1)
    assert schedule.under_pressure(end)
    assert schedule.value("pressure", end) == pytest.approx(0.001)
    assert schedule.value("pressure", schedule.total) == pytest.approx(0.01)
    assert schedule.side(end - 1) != ()
    assert schedule.side(end + 1) == ()


@pytest.mark.parametrize("substrate", ["fcc(111)", "fcc(100)"])
def test_a_template_is_one_layer_at_the_opm_spacing_that_never_moves(substrate: starts.Substrate) -> None:
    start = replace(FILM, substrate=substrate)
    made = assemble(MODEL, start, [Sedimentation(D, 10, 10)], 1, {"PbS": 1 / D})
    system = made.system
    assert system.film is not None
    assert system.fixed == {TEMPLATE}
    mine = system.frame.particles.typeid == system.types.index(TEMPLATE)
    layer = np.asarray(system.frame.particles.position, float)[mine]
    assert np.ptp(layer[:, 2]) < 1e-4
    assert layer[0, 2] - system.film.substrate == pytest.approx(D / 2, rel=1e-4)
    box = np.asarray(system.frame.configuration.box[:2], float)
    d = layer[:, None, :2] - layer[None, :, :2]
    d -= box * np.round(d / box)
    r = np.linalg.norm(d, axis=2)
    nearest = 4 if substrate == "fcc(100)" else 6
    r[np.diag_indices(len(r))] = np.inf
    assert np.sort(r, axis=1)[:, :nearest] == pytest.approx(np.full((len(r), nearest), D), rel=0.06)
    others = np.asarray(system.frame.particles.position, float)[~mine]
    assert others[:, 2].min() - layer[0, 2] > 0.9 * D
    assert ("PbS", TEMPLATE) in system.pairs
    assert (TEMPLATE, TEMPLATE) in system.pairs


@pytest.mark.parametrize(
    ("start", "stages", "message"),
    [
        (FILM, [Drying(1, 10), Compression(0.01, 0.1, 10, 10)], "a wall has no constant pressure"),
        (CELL, [Drying(1, 10)], "drying takes place in a film"),
        (
            CELL,
            [Compression(0.01, 0.1, 10, 10), SlowDrying(0.7, 50, 10)],
            "slow-drying sets the size of the cell",
        ),
        (CELL, [SlowDrying(0.1, 50, 10)], "no denser than the cell"),
        (CELL, [Annealing(5.0, 1, 10, 10)], "allowed 1 to 3"),
        (CELL, [Destabilisation(((0, 0.0), (10, 1.0)), 10)], "needs an interaction with a solvent"),
        (CELL, [Compression(-1, 1, 10, 10)], "must be positive"),
        (
            CELL,
            [Compression(0.01, 0.1, 10, 10), Compression(0.1, 0.2, 10, 10, cell="orthorhombic")],
            "one run takes one of them",
        ),
        (FILM, [Sedimentation(1e-3 * D, 10, 10)], "lower the acceleration"),
        (FILM, [Drying(1, 10), Drying(1, 10)], "already as low"),
    ],
)
def test_stages_that_do_not_fit_together_are_refused(start, stages, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PhysicsError, match=message):
        assemble(MODEL, start, stages, 1)


def test_a_solvent_schedule_starts_where_the_model_stands() -> None:
    tail = {("PbS", "PbS"): (MieTail(Mie(1.0, D, 12, 6), 2 * D, 1.5 * D),)}
    model = replace(MODEL, solvent=tail, solvent_variable="depth_kT", solvent_strength=0.5)
    with pytest.raises(PhysicsError, match=r"its first value must be that of the model.*got 1"):
        assemble(model, CELL, [Destabilisation(((0, 1.0), (10, 2.0)), 10)], 1)
    made = assemble(model, CELL, [Destabilisation(((0, 0.5), (10, 2.0), (20, 1.0)), 10)], 1)
    assert made.schedule.value("solvent", 0) == 0.5
    assert max(made.schedule.solvent) == 2.0
    assert made.schedule.value("solvent", made.schedule.total) == 1.0


def test_a_cell_too_small_for_the_forces_is_refused() -> None:
    few = shells.build([Batch("PbS", PBS, 3)], 298.15)
    with pytest.raises(PhysicsError, match="wider than twice the range of the forces"):
        assemble(few, CELL, [Annealing(1.2, 1, 10, 10)], 1)
    with pytest.raises(PhysicsError, match="the cell gets as narrow as"):
        assemble(shells.build([Batch("PbS", PBS, 20)], 298.15), CELL, [SlowDrying(0.74, 50, 10)], 1)


def test_a_potential_that_diverges_at_a_placed_distance_is_refused() -> None:
    made = assemble(MODEL, CELL, [Annealing(1.2, 1, 10, 10)], 1)
    cut = {("PbS", "PbS"): (MieRepulsion(Mie(1.0, 1.2 * D, 50, 25)),)}
    with pytest.raises(
        PhysicsError, match=r"PbS and PbS start .* nm apart, where their potential is beyond 300 kT"
    ):
        check(replace(made.system, pairs=cut), made.schedule)


def test_an_interface_that_jumps_is_refused() -> None:
    made = assemble(MODEL, FILM, [Drying(5.0, 10)], 1)
    fast = replace(made.schedule, steps=tuple(range(0, 10 * len(made.schedule.steps), 10)))
    with pytest.raises(PhysicsError, match="wall diameters a step"):
        check(made.system, fast)


def test_walls_with_a_pressure_are_refused() -> None:
    made = assemble(MODEL, FILM, [Drying(5.0, 10)], 1)
    with pytest.raises(PhysicsError, match="no constant pressure"):
        check(made.system, replace(made.schedule, pressure=(1.0,) * len(made.schedule.steps)))


def test_a_timeline_has_a_step_at_least_between_two_knots() -> None:
    timeline = Timeline(0.1, State(sides=(1.0, 1.0, 1.0)))
    timeline.ramp(1e-9, temperature=2.0)
    timeline.hold(1.0)
    assert timeline.schedule().steps == (0, 1, 11)
    assert timeline.time == pytest.approx(1.1)
    assert math.isnan(timeline.schedule().value("pressure", 5))
