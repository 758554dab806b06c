"""From a finished run to its figures and its report: chooses what is shown, draws nothing itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supercrystal.compare import History
from supercrystal.models.model import Model, capped_edges
from supercrystal.report import cubes, figures
from supercrystal.report.bodies import Bodies, bodies_of
from supercrystal.report.html import write_report
from supercrystal.report.palette import phase_colours
from supercrystal.report.physical import physical_rows
from supercrystal.report.viewer import viewer_html
from supercrystal.rundir import RunDirectory
from supercrystal.structure.order import PHASES
from supercrystal.system import Film
from supercrystal.units import kpa_per_kt_nm3

CITATIONS = (
    "Liu et al., Adv. Mater. 2023, DOI 10.1002/adma.202209279: packing models as reviewed there; OPM after Landman and "
    "Luedtke, Faraday Discuss. 125, 1 (2004).",
    "Boles and Talapin, J. Am. Chem. Soc. 137, 4494 (2015), DOI 10.1021/jacs.5b00839: measured spacings.",
    "Ramasubramani et al., Comput. Phys. Commun. 254, 107275 (2020), DOI 10.1016/j.cpc.2020.107275: freud.",
)
ENGINE_CITATIONS = {
    "hoomd": "Anderson, Glaser and Glotzer, Comput. Mater. Sci. 173, 109363 (2020), "
    "DOI 10.1016/j.commatsci.2019.109363: HOOMD-blue.",
    "lammps": "Thompson et al., Comput. Phys. Commun. 271, 108171 (2022), DOI 10.1016/j.cpc.2021.108171: LAMMPS.",
}


def drives(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the numbers that say how stages are driven, those of a second stage of a kind told from the first's.

    >>> drives([{"stage": "annealing", "symbol": "rate"}, {"stage": "annealing", "symbol": "rate"}])
    ['annealing: rate', 'annealing 2: rate']
    """
    met: Counter[tuple[str, str]] = Counter()
    labels = []
    for group in groups:
        stage, symbol = group["stage"], group["symbol"]
        met[stage, symbol] += 1
        labels.append(f"{stage}{f' {n}' if (n := met[stage, symbol]) > 1 else ''}: {symbol}")
    return labels


def comparison_rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table *this run | OPM | measured*, differences in percent."""
    lattice, opm, measured = result["lattice"], result["opm"], result["measured"]
    extra = cubes.rows(result["cubes"]) if result.get("cubes") else []
    if lattice is None:
        return extra
    rows = []
    root2 = 2**0.5
    quantities = (
        ("nearest-neighbour distance", "nearest_neighbour_nm", "nearest_neighbour_uncertainty_nm", 1.0),
        (
            f"lattice constant ({result['phase']})",
            "lattice_constant_nm",
            "lattice_constant_uncertainty_nm",
            None,
        ),
    )
    # Of cubes the cell is known in more detail: its three edges and angles follow.
    for quantity, value, error, factor in quantities[:1] if extra else quantities:
        # A lattice constant of OPM exists for fcc, a = √2 d; hcp's a is the nearest-neighbour distance itself.
        scale = factor if factor is not None else {"fcc": root2, "bcc": 2 / 3**0.5}.get(result["phase"], 1.0)
        row: dict[str, Any] = {
            "quantity": quantity,
            "unit": "nm",
            "run": lattice[value],
            "uncertainty": lattice[error],
        }
        if opm:
            row["opm"] = opm["nearest_neighbour_nm"] * scale
            row["opm_difference_percent"] = 100 * (row["run"] / row["opm"] - 1)
        if measured and factor is not None:
            row["measured"] = measured["nearest_neighbour_nm"]
            row["measured_difference_percent"] = 100 * (row["run"] / row["measured"] - 1)
            row["measured_source"] = f"{measured['source']} ({measured['arrangement']})"
        rows.append(row)
    return rows + extra


def _density(history: History, film: Film) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Number density [nm⁻³] against the height above the substrate [nm], averaged over the held frames."""
    height = float(history.heights[-1])
    box = history.frames[-1].configuration.box
    edges = np.linspace(0, height, round(height / 0.5) + 1)
    z = np.concatenate([history.frames[i].particles.position[:, 2] for i in history.held]) - film.substrate
    counts, _ = np.histogram(z, edges)
    volume = box[0] * box[1] * (edges[1] - edges[0]) * len(history.held)
    return (edges[1:] + edges[:-1]) / 2, counts / volume


def _radial(history: History, reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radial distribution function over the held frames; the film's finite height is not divided out."""
    import freud

    rdf = freud.density.RDF(bins=200, r_max=reach)
    for i in history.held:
        frame = history.frames[i]
        rdf.compute((frame.configuration.box, frame.particles.position), reset=False)
    return np.asarray(rdf.bin_centers), np.asarray(rdf.rdf)


def _spacings(result: dict[str, Any], model: Model) -> list[dict[str, Any]]:
    rows = []
    if result["lattice"]:
        rows.append(
            {
                "label": "this run",
                "value_nm": result["lattice"]["nearest_neighbour_nm"],
                "error_nm": result["lattice"]["nearest_neighbour_uncertainty_nm"],
                "kind": "measured in this run",
            }
        )
    if result["opm"]:
        rows.append(
            {
                "label": "OPM",
                "value_nm": result["opm"]["nearest_neighbour_nm"],
                "error_nm": None,
                "kind": "packing model",
            }
        )
    (shape,) = model.shapes.values() if len(model.types) == len(model.shapes) == 1 else (None,)
    if shape is not None and "cube" in shape.name:
        rows.append(
            {
                "label": "touching faces: core and two shells",
                "value_nm": capped_edges(shape)[0],
                "error_nm": None,
                "kind": "packing model",
            }
        )
    if result["measured"]:
        measured = result["measured"]
        rows.append(
            {
                "label": f"{measured['source'].partition(',')[0]}, {measured['arrangement']}",
                "value_nm": measured["nearest_neighbour_nm"],
                "error_nm": None,
                "kind": "experiment",
            }
        )
    return rows


def _bodies(history: History, model: Model) -> Bodies | None:
    """The cuboids among the nanocrystals, if there are any; runs of spheres carry no orientations."""
    if not model.shapes:
        return None
    turned = np.array([frame.particles.orientation for frame in history.frames])
    return bodies_of(model.types, model.shapes, history.frames[0].particles.typeid, turned)


def write_run_report(
    run: RunDirectory,
    result: dict[str, Any],
    history: History,
    model: Model,
    film: Film | None,
    study_text: str,
) -> None:
    """Draw the figures of a run into ``figures/`` and write ``report.html``."""
    kpa = kpa_per_kt_nm3(result["temperature_K"])
    # freud needs the reach to be less than half the cell, which shrinks with the number of nanocrystals.
    axes = 2 if film else 3
    half = 0.49 * float(min(min(history.frames[i].configuration.box[:axes]) for i in history.held))
    r, g = _radial(history, min(3 * model.reference_diameter, half))
    opm = result["opm"]["nearest_neighbour_nm"] if result["opm"] else None
    extent = "film height" if film else "cell edge"
    drawn = [
        figures.phases_over_time(history.times, history.heights, history.fractions(), run.figures, extent)
    ]
    cubatic = result["cubes"]["cubatic"] if result.get("cubes") else {}
    if cubatic:
        drawn.append(
            cubes.orientation_over_time(
                history.times,
                {name: one["over_time"] for name, one in cubatic.items()},
                {name: one["tensor_random"] for name, one in cubatic.items()},
                run.figures,
            )
        )
    if result["lattice"]:
        drawn.append(figures.spacing_comparison(_spacings(result, model), run.figures))
    if film:
        z, density = _density(history, film)
        drawn.append(
            figures.density_profile(
                z, density, None, run.figures, substrate_z=0.0, interface_z=float(history.heights[-1])
            )
        )
    pressure = history.log["interface_pressure" if film else "pressure"] * kpa
    where = "on the interface" if film else "in the cell"
    drawn += [
        figures.bond_lengths(r, g, opm, run.figures),
        figures.pressure_over_time(history.log["time"], pressure, run.figures, where),
    ]
    first = history.frames[0]
    boxes = np.array([frame.configuration.box[:3] for frame in history.frames], float)
    widest = [float(length) for length in boxes.max(axis=0)]
    typeid = first.particles.typeid
    cores = np.array([crystal.core.diameter_nm for crystal in model.nanocrystals])[typeid]
    viewer = viewer_html(
        positions=np.array([frame.particles.position for frame in history.frames]),
        labels=np.array([labels.phase for labels in history.labels]),
        surface=np.array([labels.surface for labels in history.labels]),
        diameters=np.asarray(model.diameters)[typeid],
        core_diameters=cores,
        box=widest,  # the cell of every frame fits in it
        substrate_z=film.substrate if film else -widest[2] / 2,
        interface_z=film.substrate + history.heights if film else np.full(len(boxes), np.nan),
        cells=None if film else boxes,
        times=history.times,
        label_names=PHASES,
        palette=phase_colours(PHASES),
        bodies=_bodies(history, model),
    )
    engine = result["engine"]
    drive = {
        label: f"{group['value']:.3g} ({group['meaning']})"
        for label, group in zip(drives(result["groups"]), result["groups"], strict=True)
    }
    provenance = {
        "seed": str(result["seed"]),
        "engine": f"{engine['engine']} {engine['version']} on {engine['device']} ({engine['reason']})",
        "how it was reached": result["how"],
        **drive,
        **physical_rows(result["physical"]),
        **{
            f"{name} version": version
            for name, version in result["versions"].items()
            if name != engine["engine"]
        },
    }
    alone = cubes.only_cubes(result)
    page = {
        **result,
        # Of cubes alone nobody expects close packing: phases that were not met are left out.
        "fractions": {
            phase: share
            for phase, share in result["fractions"].items()
            if not alone or share["mean"] >= cubes.SHOWN
        },
        "stages": list(dict.fromkeys(group["stage"] for group in result["groups"])),
        "limits": [*result["limits"], *result["physical"]["warnings"]],
        "comparison": comparison_rows(result),
        "provenance": provenance,
        "study_text": study_text,
        "citations": [
            *(CITATIONS[2:] if alone else CITATIONS),
            *([cubes.CITATION] if cubatic else []),
            ENGINE_CITATIONS[engine["engine"]],
        ],
    }
    write_report(run.report, page, drawn, viewer)
