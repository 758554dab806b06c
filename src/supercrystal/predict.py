"""What ``supercrystal predict`` says: the packing models as plain records, ready for JSON.

Lengths of a given nanocrystal are in nm; lattices of a size ratio alone have the diameter of A as their unit.
``None`` stands where a model has no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from supercrystal import lattices
from supercrystal.errors import PhysicsError
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.packing import cubes as cube_packing
from supercrystal.packing import hard, ocm, opm, otm, selection

#: Names of the ranking models in records.
KEYS = {"hard spheres": "hard_sphere", "OTM": "otm", "OTM above OCM": "otm_above_ocm"}


def _number(value: ArrayLike) -> float | None:
    """A finite number, or None."""
    number = float(np.asarray(value).item())
    return number if np.isfinite(number) else None


def phases(text: str, allowed: Iterable[str] | None = None) -> tuple[str, ...]:
    """Phases of a comma-separated list, or all of them for ``"all"``, in the catalogue's spelling.

    Args:
        text: names or aliases, or ``"all"``.
        allowed: what ``"all"`` stands for; the whole catalogue if left out.

    Raises:
        UnknownNameError: a name that the catalogue does not have.

    >>> phases("Cu3Au, MgZn2")
    ('AuCu3', 'MgZn2')
    """
    if text.strip() == "all":
        return tuple(allowed or lattices.names())
    return tuple(dict.fromkeys(lattices.prototype(name.strip()).name for name in text.split(",")))


def nanocrystal(
    core_diameter: float,
    carbons: int,
    grafting_density: float,
    coverage: float | None = None,
    double_bonds: int = 0,
    geometry: str = "tetrahedral",
) -> Nanocrystal:
    """A spherical nanocrystal from numbers; errors as in `supercrystal.nanocrystal`."""
    ligand = Ligand(
        f"C{carbons}" + (f":{double_bonds}" if double_bonds else ""), carbons, double_bonds, geometry
    )
    return Nanocrystal(Core("core", core_diameter), ligand, grafting_density, coverage)


def pair(crystal: Nanocrystal) -> dict[str, Any]:
    """OPM and OCM of two equal nanocrystals, lengths in nm.

    Raises:
        PhysicsError: OPM is not defined for the nanocrystal. Where only OCM is not, its values are None.
    """
    x, xi, diameter = crystal.softness, crystal.xi, crystal.core.diameter_nm
    cone = _number(ocm.tau(np.array([x]), xi))
    return {
        "x": x,
        "xi": xi,
        "ligand_length_nm": crystal.ligand.length_nm,
        "opm": {
            "d_nn_nm": float(opm.spacing(diameter, crystal.ligand.length_nm, xi)),
            "tau": float(opm.tau(x, xi)),
            "core_fraction_fcc": float(opm.core_fraction(x, xi, "fcc")),
            "core_fraction_bcc": float(opm.core_fraction(x, xi, "bcc")),
            "favoured": opm.favoured(x, xi),
        },
        "ocm": {"d_nn_nm": None if cone is None else cone * diameter, "tau": cone},
        "x_boundary": float(opm.boundary(xi)),
    }


def no_ocm(crystal: Nanocrystal) -> str:
    """Why OCM has no value for a nanocrystal, empty where it has one."""
    return str(ocm.domain(np.array([crystal.softness]), crystal.xi).reason[0])


def lattice(
    names: Sequence[str], gammas: Sequence[float], reading: otm.Reading = "checked"
) -> list[dict[str, Any]]:
    """Hard-sphere and OTM lattices of each phase at each size ratio, lengths in diameters of A.

    In ``lattice_constants`` the plain names belong to hard spheres, those that end in ``_otm`` to the OTM
    branch; the latter are absent, and ``eta_otm`` and ``otm_branch`` None, where no branch exists or it would
    need η > 1.

    Raises:
        UnknownNameError: a phase that the catalogue does not have.
        PhysicsError: a size ratio outside (0, 1].
    """
    records = []
    for name in names:
        for gamma in gammas:
            spheres = hard.solve(name, gamma)
            shrunk = otm.solve(name, np.array([gamma]), reading)
            exists = bool(shrunk.domain.inside[0])
            constants = {key: float(value) for key, value in spheres.constants.items()}
            if exists:
                constants |= {f"{key}_otm": float(value[0]) for key, value in shrunk.constants.items()}
            records.append(
                {
                    "phase": spheres.phase,
                    "gamma": gamma,
                    "eta_hard_sphere": float(spheres.eta),
                    "eta_otm": float(shrunk.eta[0]) if exists else None,
                    "otm_branch": str(shrunk.branch[0]) if exists else None,
                    "lattice_constants": constants,
                }
            )
    return records


def lattice_notes(records: Sequence[Mapping[str, Any]], reading: otm.Reading = "checked") -> tuple[str, ...]:
    """What is not verified about the OTM branches in records of `lattice`, in words."""
    notes: dict[str, None] = {}
    for row in records:
        if row["otm_branch"] is not None:
            for text in otm.caveats(row["phase"], row["gamma"], reading):
                notes[f"{row['phase']} at γ = {row['gamma']:g}: {text}"] = None
    return tuple(notes)


#: What is not verified about lattices with cubes: phase → words.
_CUBE_NOTES = {
    "ABO3": "ABO3: that O cubes are rotated in the real superlattice is inferred, not measured",
    "AlB2": "AlB2: cells of this package, free of overlap but neither published nor shown to be the densest",
}


def cube_notes(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What is not verified about the lattices in records of `cubes`, in words."""
    return tuple(text for phase, text in _CUBE_NOTES.items() if any(row["phase"] == phase for row in records))


def cubes(
    names: Sequence[str],
    gammas: Sequence[float],
    *,
    body: float | None = None,
    truncation: float = 0.0,
    orientation: str | None = None,
    deformable: bool = False,
) -> list[dict[str, Any]]:
    """Lattices of spheres and cubes, one record for each orientation, densest first at each size ratio.

    Args:
        names: phases of `packing.cubes.ORIENTATIONS`.
        gammas: edges of the cubes over the diameter of the spheres; with `body`, of the cubes on O of ABO3.
        body: edge of the cube on B of ABO3, in diameters of A, which makes it ternary.
        truncation: cut of the corners of B, in diameters of A; only with `body`.
        orientation: only this one.
        deformable: add the deformable ABO3, an inference, where it is defined.

    Raises:
        UnknownNameError: a phase that the catalogue does not have.
        PhysicsError: a phase that is known for spheres only, or sizes outside.
    """
    if truncation and body is None:
        raise PhysicsError("a truncation belongs to cubes on B of their own size: give their edge as well")
    records = []
    for name in names:
        phase = lattices.prototype(name).name
        if phase not in cube_packing.ORIENTATIONS:
            cube_packing.solve(phase, 1.0)  # raises, with the phases that are known
        if body is not None and phase != "ABO3":
            raise PhysicsError(f"cubes of two sizes are known in ABO3 only; got {phase}")
        for gamma in gammas:
            found = []
            for choice in cube_packing.ORIENTATIONS[phase] if orientation is None else (orientation,):
                if body is None:
                    packing = cube_packing.solve(phase, gamma, choice)
                    constants = {key: float(value) for key, value in packing.constants.items()}
                    found.append(_cube_record(phase, gamma, float(packing.eta), choice, constants))
                else:
                    a, eta = cube_packing.perovskite(body, gamma, choice, truncation)
                    found.append(_cube_record(phase, gamma, float(eta), choice, {"a": float(a)}))
            found.sort(key=lambda record: -record["eta"])
            if deformable and phase == "ABO3" and body is None:
                soft = cube_packing.deformable_perovskite(np.array([gamma]))
                if soft.domain.inside[0]:
                    found.append(
                        _cube_record(phase, gamma, float(soft.eta[0]), str(soft.branch[0]), {"a": 1.0})
                    )
            records += found
    return records


def _cube_record(
    phase: str, gamma: float, eta: float, orientation: str, constants: Mapping[str, float]
) -> dict[str, Any]:
    return {
        "phase": phase,
        "gamma": gamma,
        "eta": eta,
        "orientation": orientation,
        "lattice_constants": dict(constants),
    }


def _mixture(mixture: selection.Mixture) -> dict[str, Any]:
    parts = [{"phase": phase, "roles": dict(roles), "share": share} for phase, roles, share in mixture.parts]
    return {"eta": mixture.eta, "parts": parts}


def study(path: Path, reading: otm.Reading = "checked") -> dict[str, Any]:
    """The ranking of all phases for the nanocrystals of a study file, lengths in nm.

    Raises:
        StudyError: the file is not a study.
        PhysicsError: OPM is not defined for a nanocrystal.
    """
    from supercrystal import study as studies

    loaded, _ = studies.load(path)
    batches = loaded.batches()
    crystals = {batch.name: batch.nanocrystal for batch in batches}
    counts = {batch.name: batch.count for batch in batches}
    found = selection.rank(crystals, counts, reading=reading)
    ranking = []
    for candidate in found.candidates:
        record: dict[str, Any] = {
            "phase": candidate.phase,
            "roles": dict(candidate.roles),
            "gamma": candidate.gamma,
        }
        for model, key in KEYS.items():
            record[key] = {
                "rank": found.place(candidate, model),
                "eta": candidate.eta[model],
                "otm_branch": candidate.otm_branch.get(model),
                "lattice_constants_nm": _lengths(candidate.constants[model]),
                "competitor": _mixture(candidate.competitor[model]),
                "denser_than_competitor": candidate.wins(model),
            }
        record["warnings"] = list(candidate.warnings)
        ranking.append(record)
    return {
        "study": loaded.name,
        "chain_geometry": loaded.model.chain_geometry,
        "nanocrystals": [
            {
                "name": name,
                "core_diameter_nm": crystal.core.diameter_nm,
                "ligand": crystal.ligand.name,
                **pair(crystal),
            }
            for name, crystal in crystals.items()
        ],
        "ranking": ranking,
        "densest_at_these_numbers": {
            KEYS[model]: _mixture(mixture) for model, mixture in found.mixture.items()
        },
        "disagreements": list(found.disagreements),
        "assumptions": list(ASSUMPTIONS),
    }


def _lengths(constants: Mapping[str, float]) -> dict[str, float]:
    """Lattice constants without the free coordinates, which have no unit."""
    return {key: value for key, value in constants.items() if key in ("a", "c")}


#: What every ranking takes for granted.
ASSUMPTIONS = (
    "Spheres of OPM radius; at one composition the densest arrangement wins (for OTM from memory, not "
    "verified).",
    "Pure components compete as fcc, which ties with hcp; entropy, charge, temperature, kinetics and size "
    "dispersity are left out.",
    "OTM branches in which cores would overlap are left out; 'OTM above OCM' also leaves out contacts below "
    "OCM.",
)


def scan(
    names: Sequence[str], low: float, high: float, *, points: int = 401, reading: otm.Reading = "checked"
) -> list[dict[str, Any]]:
    """Curves η(γ) of each phase for a figure, as arrays; NaN where OTM has no branch.

    Branches with a note, whose cell is not verified, are a curve of their own.

    Raises:
        UnknownNameError: a phase that the catalogue does not have.
        PhysicsError: not 0 < low < high ≤ 1.
    """
    if not 0 < low < high <= 1:
        raise PhysicsError(f"a range of size ratios needs 0 < low < high ≤ 1; got {low:g} to {high:g}")
    curves = []
    for name in names:
        # Kinks, branch ends and the ends of η ≤ 1 are points of their own, so that a peak is not cut off.
        edges = [edge for _, *window in otm.windows(name, reading) for edge in window]
        edges += [np.nextafter(edge, 1) for edge in edges]
        gamma = np.unique([*np.linspace(low, high, points), *(e for e in edges if low <= e <= high)])
        shrunk = otm.solve(name, gamma, reading)
        doubtful = np.isin(
            shrunk.branch, [branch.name for branch in otm.branches(name, reading) if branch.note]
        )
        curve = {
            "phase": shrunk.phase,
            "gamma": gamma,
            "hard spheres": hard.packing_fraction(name, gamma),
            "OTM": np.where(doubtful, np.nan, shrunk.eta),
            "branch": shrunk.branch,
        }
        if doubtful.any():
            curve["OTM, not verified"] = np.where(doubtful, shrunk.eta, np.nan)
        curves.append(curve)
    return curves


def experiments(names: Sequence[str]) -> list[dict[str, Any]]:
    """Measured η of the library for these phases, at the OPM size ratio of the nanocrystals."""
    from supercrystal import library

    rows = []
    for binary in library.measured_binaries():
        if binary.phase in names:
            a, b = (
                float(opm.spacing(nc.core.diameter_nm, nc.ligand.length_nm, nc.xi))
                for nc in (binary.a, binary.b)
            )
            label = (
                f"{binary.a.core.material} {binary.a.core.diameter_nm:g} nm {binary.a.ligand.name} + "
                f"{binary.b.core.material} {binary.b.core.diameter_nm:g} nm {binary.b.ligand.name}"
            )
            rows.append(
                {
                    "phase": binary.phase,
                    "gamma": b / a,
                    "eta": binary.eta,
                    "label": label,
                    "source": binary.source,
                }
            )
    return rows
