"""Packing models beside the measured spacings and binary superlattices of the library: a table and a figure.

    python analysis/packing_vs_experiment.py [-o DIRECTORY]

writes ``packing-vs-experiment.csv`` and ``.png`` (every model, prediction, measurement and relative error) and
``observed-phases.csv`` (at which place each model ranks the phase that was observed), prints both, and says plainly
where a model is worse than plain hard spheres. All measurements are secondary transcriptions with their sources in
``potentials/measured.toml`` and ``potentials/binaries.toml``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from supercrystal import lattices, library
from supercrystal.nanocrystal import Core, Nanocrystal, ligand_length
from supercrystal.packing import hard, ocm, opm, otm, selection
from supercrystal.report.packing import predicted_over_measured

SPACING = "one-component nearest-neighbour distance (nm)"
ETA = "binary packing fraction"
GAP = "binary gap between cores (nm)"


def _row(
    quantity: str, system: str, model: str, predicted: float, measured: float, source: str
) -> dict[str, Any]:
    finite = bool(np.isfinite(predicted))
    return {
        "quantity": quantity,
        "system": system,
        "model": model,
        "predicted": predicted if finite else None,
        "measured": measured,
        "relative_error": predicted / measured - 1 if finite else None,
        "source": source,
    }


def spacings() -> Iterator[dict[str, Any]]:
    """One-component spacings: OPM and OCM with ξ = σ/5.5 nm⁻², and OPM with ξ = 1 and the review's L."""
    for measured in library.measured_spacings():
        ligand = library.ligand(measured.ligand)
        crystal = Nanocrystal(
            Core(measured.core, measured.core_diameter_nm), ligand, measured.grafting_density
        )
        diameter = measured.core_diameter_nm
        review = ligand_length(ligand.carbons, ligand.double_bonds, "alkane")
        predictions = {
            "OPM": opm.spacing(diameter, ligand.length_nm, crystal.xi),
            "OPM with ξ = 1, alkane L": opm.spacing(diameter, review, 1.0),
            "OCM": ocm.spacing(np.array([diameter]), ligand.length_nm, crystal.xi)[0],
        }
        system = f"{measured.core} {diameter:g} nm, {measured.ligand}{' (σ adjusted)' if measured.adjusted else ''}"
        for model, value in predictions.items():
            measured_nm = measured.nearest_neighbour_nm
            yield _row(SPACING, system, model, float(value), measured_nm, measured.source)


def _name(crystal: Nanocrystal) -> str:
    return f"{crystal.core.material} {crystal.core.diameter_nm:g}-{crystal.ligand.name}"


def _gap(packing: hard.Packing, contact: tuple[str, str], cores: Mapping[str, float], unit: float) -> float:
    """Smallest gap between cores in a contact [nm], NaN where the model has no lattice."""
    constants = {key: float(value) for key, value in packing.constants.items()}
    if not np.isfinite(constants["a"]):
        return float("nan")
    species = lattices.prototype(packing.phase).species
    shells = lattices.shells(packing.phase, constants, reach=1.0)
    distance = next(shell.distance for shell in shells if shell.pair == contact)
    return distance * unit - sum(cores[species[label]] for label in contact)


def binaries() -> Iterator[dict[str, Any]]:
    """Binary superlattices: packing fraction and gap by hard spheres and OTM, gap of an isolated pair by OCM."""
    for measured in library.measured_binaries():
        a, b = measured.a, measured.b
        unit, other = (float(opm.spacing(c.core.diameter_nm, c.ligand.length_nm, c.xi)) for c in (a, b))
        gamma = other / unit
        system = f"{measured.phase}: {_name(a)} + {_name(b)}"
        cores = {"A": a.core.radius_nm, "B": b.core.radius_nm}
        species = lattices.prototype(measured.phase).species
        pair = [{"A": a, "B": b}[species[label]] for label in measured.contact]
        models = {"hard spheres (OPM radii)": hard.solve(measured.phase, gamma)}
        # As an array of one: no branch is an answer here, not a mistake.
        shrunk = otm.solve(measured.phase, np.array([gamma]))
        if shrunk.domain.inside[0]:
            models["OTM"] = otm.solve(measured.phase, gamma)
        for model in ("hard spheres (OPM radii)", "OTM"):
            eta = float(models[model].eta) if model in models else float("nan")
            gap = _gap(models[model], measured.contact, cores, unit) if model in models else float("nan")
            yield _row(ETA, system, model, eta, measured.eta, measured.source)
            yield _row(GAP, system, model, gap, measured.gap_nm, measured.source)
        alone = ocm.pair_spacing(
            (np.array([pair[0].core.diameter_nm]), pair[1].core.diameter_nm),
            (pair[0].ligand.length_nm, pair[1].ligand.length_nm),
            (pair[0].xi, pair[1].xi),
        )[0]
        gap = float(alone) - pair[0].core.radius_nm - pair[1].core.radius_nm
        yield _row(GAP, system, "OCM, isolated pair", gap, measured.gap_nm, measured.source)


def observed_phases() -> list[dict[str, Any]]:
    """Place of the observed phase in the ranking of each model, and the phase that each ranks first."""
    rows = []
    for measured in library.measured_binaries():
        found = selection.rank({"A": measured.a, "B": measured.b})
        candidate = next(c for c in found.candidates if c.phase == measured.phase)
        row: dict[str, Any] = {"observed": measured.phase, "A": _name(measured.a), "B": _name(measured.b)}
        for model in selection.MODELS:
            row[f"place by {model}"] = found.place(candidate, model)
            row[f"first by {model}"] = found.ranking(model)[0].phase
        rows.append(row)
    return rows


def verdicts(rows: list[dict[str, Any]]) -> list[str]:
    """Mean errors, and where OTM or OCM is worse than hard spheres, or OPM with ξ = 1 than with the measured ξ."""
    said = []
    for quantity in (SPACING, ETA, GAP):
        for model in dict.fromkeys(row["model"] for row in rows if row["quantity"] == quantity):
            errors = [
                abs(row["relative_error"])
                for row in rows
                if (row["quantity"], row["model"]) == (quantity, model) and row["relative_error"] is not None
            ]
            number = f"{len(errors)} system{'s' if len(errors) > 1 else ''}"
            said.append(
                f"{quantity}, {model}: mean |error| {100 * np.mean(errors):.1f} %, "
                f"largest {100 * max(errors):.1f} % ({number})"
            )
    for quantity in (ETA, GAP):
        # Means over different systems do not compare: here both models have the same ones.
        both = {row["system"] for row in rows if row["model"] == "OTM" and row["relative_error"] is not None}
        means = {
            model: np.mean(
                [
                    abs(row["relative_error"])
                    for row in rows
                    if (row["quantity"], row["model"]) == (quantity, model) and row["system"] in both
                ]
            )
            for model in ("hard spheres (OPM radii)", "OTM")
        }
        listed = ", ".join(f"{model} {100 * mean:.1f} %" for model, mean in means.items())
        said.append(f"{quantity}, mean |error| over the {len(both)} systems with an OTM branch: {listed}")
        systems = dict.fromkeys(row["system"] for row in rows if row["quantity"] == quantity)
        for system in systems:
            here = {
                row["model"]: row for row in rows if (row["quantity"], row["system"]) == (quantity, system)
            }
            plain = abs(here["hard spheres (OPM radii)"]["relative_error"])
            for model in ("OTM", "OCM, isolated pair"):
                if model in here:
                    error = here[model]["relative_error"]
                    if error is None:
                        said.append(f"{quantity}, {system}: {model} has no value")
                    elif abs(error) > plain:
                        said.append(
                            f"{quantity}, {system}: {model} is WORSE than plain hard spheres "
                            f"({100 * abs(error):.1f} % against {100 * plain:.1f} %)"
                        )
    return said


def main(arguments: list[str] | None = None) -> list[str]:
    """Write the files, print the tables, and return the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("runs") / "packing-vs-experiment")
    out: Path = parser.parse_args(arguments).out
    rows = [*spacings(), *binaries()]
    rows.sort(key=lambda row: (SPACING, ETA, GAP).index(row["quantity"]))
    picture, table = predicted_over_measured(rows, out / "packing-vs-experiment.png")
    phases = observed_phases()
    ranks = out / "observed-phases.csv"
    with ranks.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, phases[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(phases)

    for quantity in (SPACING, ETA, GAP):
        print(f"\n{quantity}\n{'system':<44}{'model':<28}{'predicted':>10}{'measured':>10}{'error':>9}")
        for row in rows:
            if row["quantity"] == quantity:
                missing = row["predicted"] is None
                predicted = "–" if missing else f"{row['predicted']:.3f}"
                error = "–" if missing else f"{100 * row['relative_error']:+.1f} %"
                print(
                    f"{row['system']:<44}{row['model']:<28}{predicted:>10}{row['measured']:>10.3f}{error:>9}"
                )
    print(f"\nplace of the observed phase among all {len(lattices.names()) - 5} binary phases")
    for row in phases:
        places = "; ".join(
            f"{model} #{row[f'place by {model}']} (first: {row[f'first by {model}']})"
            for model in selection.MODELS
        )
        print(f"{row['observed']}: {row['A']} + {row['B']}: {places}")
    found = verdicts(rows)
    print("", *found, f"\n{picture}\n{table}\n{ranks}", sep="\n")
    return found


if __name__ == "__main__":
    main()
