"""What a run found beside what was predicted and measured. Reads a finished trajectory; decides nothing by itself.

The numbers come from the second half of the time in which the last stage holds everything as it is: fractions as mean and
standard deviation over those frames, the spacing as `structure.spacing` gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supercrystal import compare_cubes, library
from supercrystal.errors import TrajectoryError
from supercrystal.models import cubes as models_cubes
from supercrystal.models import shells
from supercrystal.models.model import Batch
from supercrystal.packing import opm
from supercrystal.protocols.drying import HELPED
from supercrystal.protocols.start import TEMPLATE
from supercrystal.structure import order, spacing
from supercrystal.system import Schedule
from supercrystal.units import kpa_per_kt_nm3

if TYPE_CHECKING:
    import gsd.hoomd

#: A start counts as disordered below both: global Q6 (a liquid of N spheres has about 1/√(6N)) and ordered fraction.
DISORDERED_Q6 = 0.1
DISORDERED_FRACTION = 0.02


@dataclass(frozen=True)
class History:
    """Every frame of a trajectory with its labels, and the log."""

    steps: NDArray[np.int64]
    times: NDArray[np.floating]  #: [τ_B]
    heights: NDArray[np.float64]  #: of the film, or the cube root of the cell's volume [nm]
    frames: Sequence[gsd.hoomd.Frame]  #: without the particles of a template
    labels: Sequence[order.Labels]
    log: dict[str, NDArray[np.float64]]
    started: int  #: index of the last frame before drying starts
    held: NDArray[np.int64]  #: indices of the frames that results are averaged over

    def fractions(self) -> dict[str, NDArray[np.float64]]:
        """Fraction of each phase among particles away from surfaces, for every frame."""
        each = [labels.fractions("bulk") for labels in self.labels]
        return {phase: np.array([fractions[phase] for fractions in each]) for phase in order.PHASES}


def without(frame: gsd.hoomd.Frame, type_name: str) -> gsd.hoomd.Frame:
    """Return the frame without the particles of a type; the frame itself if it has none."""
    import gsd.hoomd

    if type_name not in frame.particles.types:
        return frame
    keep = np.asarray(frame.particles.typeid) != frame.particles.types.index(type_name)
    left = gsd.hoomd.Frame()
    left.configuration = frame.configuration
    left.particles.N = int(keep.sum())
    left.particles.types = frame.particles.types
    for attribute in ("position", "typeid", "diameter", "mass", "velocity", "image"):
        values = getattr(frame.particles, attribute)
        setattr(left.particles, attribute, None if values is None else values[keep])
    return left


def read_history(trajectory: Path, log: Path, schedule: Schedule, timestep: float) -> History:
    """Read and label a finished run.

    Raises:
        TrajectoryError: a file is not readable, or the run is not complete.
    """
    import gsd.hoomd

    try:
        with gsd.hoomd.open(trajectory, "r") as file:
            frames = [without(file[index], TEMPLATE) for index in range(len(file))]
        rows = gsd.hoomd.read_log(log)
    except (OSError, RuntimeError) as error:
        raise TrajectoryError(f"cannot read the run's trajectory or log: {error}") from error
    steps = np.array([frame.configuration.step for frame in frames], dtype=np.int64)
    if len(steps) == 0 or steps[-1] < schedule.total:
        raise TrajectoryError(
            f"{trajectory} ends before step {schedule.total}: continue the run with --resume"
        )
    mixed, dried, end = schedule.steps[1], schedule.steps[-2], schedule.steps[-1]
    held = np.flatnonzero(steps >= (dried + end) / 2)
    return History(
        steps=steps,
        times=steps * timestep,
        heights=np.array(
            [schedule.height(int(step)) for step in steps]
            if schedule.heights
            else [np.cbrt(np.prod(frame.configuration.box[:3])) for frame in frames]
        ),
        frames=frames,
        labels=[order.label(frame.configuration.box, frame.particles.position) for frame in frames],
        log={key.rpartition("/")[2]: np.ravel(value) for key, value in rows.items()},
        started=int(np.flatnonzero(steps <= mixed)[-1]),
        held=held,
    )


def disordered_start(history: History) -> dict[str, Any]:
    """Verify that the nanocrystals were disordered when the first stage began to change anything."""
    frame, labels = history.frames[history.started], history.labels[history.started]
    q6 = order.global_q6(frame.configuration.box, frame.particles.position)
    ordered = 1 - labels.fractions("all")["disordered"]
    return {
        "step": int(history.steps[history.started]),
        "global_q6": round(q6, 4),  # freud sums in single precision, in no fixed order
        "ordered_fraction": ordered,
        "disordered": bool(q6 < DISORDERED_Q6 and ordered < DISORDERED_FRACTION),
        "criterion": f"global Q6 < {DISORDERED_Q6} and ordered fraction < {DISORDERED_FRACTION}",
    }


def _relative(value: float, reference: float) -> float:
    return value / reference - 1


def _packing(batch: Batch) -> dict[str, Any]:
    crystal = batch.nanocrystal
    return {
        "model": "OPM",
        "softness": crystal.softness,
        "coverage": crystal.xi,
        "ligand_length_nm": crystal.ligand.length_nm,
        "chain_geometry": crystal.ligand.geometry,
        "nearest_neighbour_nm": shells.opm_diameter(crystal),
        "boundary": opm.boundary(crystal.xi),
        "favoured": opm.favoured(crystal.softness, crystal.xi),
        "core_fraction_fcc": float(opm.core_fraction(crystal.softness, crystal.xi, "fcc")),
    }


def _measured(batch: Batch) -> dict[str, Any] | None:
    row = library.measured_spacing(batch.nanocrystal)
    if row is None:
        return None
    return {
        "nearest_neighbour_nm": row.nearest_neighbour_nm,
        "arrangement": row.arrangement,
        "source": row.source,
        "grafting_density_adjusted": row.adjusted,
    }


def compare(
    history: History,
    batches: Sequence[Batch],
    temperature: float,
    substrate: str | None = "flat",
    interaction: str = "shell",
    stages: Sequence[str] = ("drying",),
    named: dict[str, Any] | None = None,
    cubes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Put what the run found beside the packing model and the library's measurement.

    Args:
        history: the labelled run.
        batches: the nanocrystals.
        temperature: [K], for pressures in kPa.
        substrate: of a film, ``"flat"`` or the face of a template; none in a periodic cell.
        interaction: kind of the pair interaction.
        stages: kinds of the stages.
        named: what `structure.identify` says of the last frame. It alone names a mixture, because labels of one species
            do not see which particle is which.
        cubes: what `compare_cubes.record` says, where there are any.

    Returns:
        A JSON-ready dictionary; lengths in nm, pressures in kPa, differences as fractions.
    """
    held = [history.labels[i].fractions("bulk") for i in history.held]
    fractions = {
        phase: {
            "mean": float(np.mean([f[phase] for f in held])),
            "std": float(np.std([f[phase] for f in held])),
        }
        for phase in order.PHASES
    }
    mean = {phase: value["mean"] for phase, value in fractions.items()}
    close_packed = [f["fcc"] + f["hcp"] for f in held]
    mixture = named is not None and len(batches) > 1
    phase = named["phase"] if named and mixture else order.dominant(mean)

    last = history.labels[-1]
    start = disordered_start(history)
    result: dict[str, Any] = {
        "phase": phase,
        "named": named,
        "how": _how(substrate, start["disordered"], "square" if cubes is not None else "close-packed"),
        "start": start,
        "fractions": fractions,
        "close_packed": {"mean": float(np.mean(close_packed)), "std": float(np.std(close_packed))},
        "surface_fraction": float(np.mean(last.surface)),
        "frames_averaged": len(history.held),
        "lattice": None,
        "opm": None,
        "measured": None,
        "differences": {},
    }
    unmeasured = None
    if phase != "disordered" and not mixture:
        try:
            result["lattice"] = _lattice(history, phase)
        except TrajectoryError as error:
            unmeasured = f"Spacing: not measured, as {error}."
    if cubes is not None:
        result["cubes"] = cubes
    elif len(batches) == 1:
        result["opm"] = _packing(batches[0])
        result["measured"] = _measured(batches[0])
        if result["lattice"] is not None:
            d = result["lattice"]["nearest_neighbour_nm"]
            result["differences"]["run_over_opm"] = _relative(d, result["opm"]["nearest_neighbour_nm"])
            if result["measured"] is not None:
                measured = result["measured"]["nearest_neighbour_nm"]
                result["differences"]["run_over_measured"] = _relative(d, measured)
                result["differences"]["opm_over_measured"] = _relative(
                    result["opm"]["nearest_neighbour_nm"], measured
                )
    result["pressure"] = _pressure(history, temperature)
    tier = shells if cubes is None else models_cubes
    result["by_construction"] = [tier.by_construction(interaction, "drying" in stages)]
    result["limits"] = [_helped(substrate, cubes is not None), *tier.LIMITS]
    if len(batches) > 1:
        result["limits"].append(
            "The name of a mixture is that of its largest grain in the last frame. Fractions of fcc, hcp, bcc and sc ignore "
            "which particle is of which species."
        )
    result["found"] = _found(result) + ([unmeasured] if unmeasured else [])
    if cubes is not None:
        result["found"] += compare_cubes.sentences(cubes)
    return result


def _how(substrate: str | None, disordered: bool, rows: str) -> str:
    if not disordered:
        return "from a start that was NOT disordered"
    if substrate is None:
        return "spontaneous from a start verified disordered, in a periodic cell"
    if substrate != "flat":
        return f"from a start verified disordered, on a template of {substrate}: the template was given"
    return f"spontaneous from a start verified disordered, between flat walls in a cell that fits {rows} rows"


def _helped(substrate: str | None, cubes: bool) -> str:
    if substrate is None:
        return (
            "The cell is periodic: a crystal that does not fit it is strained, tilted or kept from forming."
        )
    if substrate != "flat":
        return f"The template of {substrate} orders the layers above it, and the cell fits its rows: its order was put in."
    return (
        HELPED.replace("close-packed", "square").replace("close packing", "simple cubic order")
        if cubes
        else HELPED
    )


def _lattice(history: History, phase: str) -> dict[str, Any]:
    frames = [history.frames[i] for i in history.held]
    found = spacing.lattice_spacing(
        [
            (frame.configuration.box, frame.particles.position, history.labels[i])
            for i, frame in zip(history.held, frames, strict=True)
        ],
        phase,
    )
    if not np.isfinite(found.uncertainty):
        raise TrajectoryError("too few nanocrystals are ordered, in one place, to give it an error")
    return {
        "nearest_neighbour_nm": found.nearest_neighbour,
        "nearest_neighbour_uncertainty_nm": found.uncertainty,
        "lattice_constant_nm": found.lattice_constant,
        "lattice_constant_uncertainty_nm": found.lattice_constant_uncertainty,
        "in_plane_nm": _finite(found.in_plane),
        "interlayer_nm": _finite(found.interlayer),
        "interlayer_over_ideal": _finite(found.anisotropy),
        "particles": found.particles,
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _pressure(history: History, temperature: float) -> dict[str, Any]:
    kpa = kpa_per_kt_nm3(temperature)
    late = history.log["time"] >= history.times[history.held[0]]
    name = "interface" if "interface_pressure" in history.log else "cell"
    values = history.log["interface_pressure" if name == "interface" else "pressure"][late] * kpa
    # Rows of one frame interval are correlated; five blocks give an error that does not count them as independent.
    blocks = [float(np.mean(block)) for block in np.array_split(values, min(5, len(values)))]
    return {
        "of": name,
        "kpa": float(np.mean(values)),
        "uncertainty_kpa": float(np.std(blocks, ddof=1) / np.sqrt(len(blocks))) if len(blocks) > 1 else 0.0,
        "kinetic_temperature": float(np.mean(history.log["kinetic_temperature"][late])),
    }


def _found(result: dict[str, Any]) -> list[str]:
    """What the run found that was not put in, in words."""
    percent = {phase: 100 * value["mean"] for phase, value in result["fractions"].items()}
    found = [
        "Arrangement: of the nanocrystals away from surfaces "
        + ", ".join(f"{percent[phase]:.1f} % {phase}" for phase in ("fcc", "hcp", "bcc", "sc"))
        + f" and {percent['disordered']:.1f} % disordered.",
    ]
    cubic, hexagonal = percent["fcc"], percent["hcp"]
    if cubic + hexagonal > 0 and result["phase"] != "disordered":
        found.append(
            f"Stacking: {100 * hexagonal / (cubic + hexagonal):.0f} % of the close-packed nanocrystals have hexagonal "
            "surroundings; fcc and hcp differ too little in free energy for one run to rank them."
        )
    lattice = result["lattice"]
    if lattice and result["opm"]:
        strain = 100 * result["differences"]["run_over_opm"]
        text = f"Strain: the mean spacing is {strain:+.2f} % off the OPM spacing"
        if lattice["interlayer_over_ideal"]:
            text += f", and layers are {100 * (lattice['interlayer_over_ideal'] - 1):+.1f} % off their ideal distance"
        pressure = result["pressure"]
        found.append(
            f"{text}, under {'an interface' if pressure['of'] == 'interface' else 'a'} pressure of {pressure['kpa']:.0f} ± "
            f"{pressure['uncertainty_kpa']:.0f} kPa."
        )
    sentence = against_opm(result)
    return [*found, sentence] if sentence else found


def against_opm(result: dict[str, Any]) -> str | None:
    """Sentence on the phase that OPM favours beside the one that formed, or ``None`` without one of them."""
    opm = result["opm"]
    if not opm or result["phase"] == "disordered":
        return None
    agrees = (opm["favoured"] == "bcc") == (result["phase"] == "bcc")
    return (
        f"Phase: OPM favours {opm['favoured']} at x = {opm['softness']:.2f} (its fcc/bcc boundary lies at "
        f"{opm['boundary']:.2f} for ξ = {opm['coverage']:.2f}); this run became {result['phase']}"
        f"{'' if agrees else ', which differs'}. An isotropic shell cannot test that prediction either way."
    )


def verdict(result: dict[str, Any]) -> str:
    """One sentence for the top of a report."""
    if result["phase"] == "disordered":
        return "The nanocrystals did not order."
    if "cubes" in result and result["phase"] in result["fractions"]:
        return f"{compare_cubes.verdict(result['cubes'], result['phase'], result['fractions'])}; {result['how']}."
    if result.get("named") and result["opm"] is None:
        return f"{result['named']['verdict']} in the last frame; {result['how']}."
    close_packed = result["close_packed"]
    text = f"{result['phase']}: {100 * close_packed['mean']:.0f} ± {100 * close_packed['std']:.0f} % close-packed"
    lattice, differences = result["lattice"], result["differences"]
    if lattice:
        d, error = lattice["nearest_neighbour_nm"], lattice["nearest_neighbour_uncertainty_nm"]
        text += f", spacing {d:.3f} ± {error:.3f} nm"
    if "run_over_opm" in differences:
        text += f", {100 * differences['run_over_opm']:+.1f} % from OPM"
    if "run_over_measured" in differences:
        text += f", {100 * differences['run_over_measured']:+.1f} % from the measured spacing"
    return text + f"; {result['how']}."
