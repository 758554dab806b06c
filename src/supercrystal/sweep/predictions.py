"""What the packing models say at one state point, and lattices of the job beside those of the models.

A lattice constant by OPM is that of touching spheres of OPM diameter, by OTM that of its branch at this γ, and by OCM, for
one kind of nanocrystal, that of the close-packed or bcc lattice at the OCM distance. For mixtures OCM has no lattice, it
only bounds contacts (`packing.selection`), and that column stays empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.packing import ocm, opm, selection

if TYPE_CHECKING:
    from supercrystal.nanocrystal import Nanocrystal
    from supercrystal.study import Study

#: Lattice constant over the nearest-neighbour distance of one-component phases; that of hcp is a itself.
OVER_SPACING = {"fcc": math.sqrt(2), "hcp": 1.0, "bcc": 2 / math.sqrt(3), "sc": 1.0}


def _finite(value: Any) -> float | None:
    number = float(np.ravel(value)[0])
    return number if np.isfinite(number) else None


def crystal(one: Nanocrystal) -> dict[str, Any]:
    """The models' numbers for one nanocrystal; null where a model is not defined.

    >>> from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
    >>> found = crystal(Nanocrystal(Core("PbS", 7.0), Ligand("oleate", 18, 1), 4.40))
    >>> round(found["opm_nm"], 2), found["measured_nm"]
    (9.73, 9.5)
    """
    diameter, length, xi = np.array([one.core.diameter_nm]), one.ligand.length_nm, one.xi
    measured = library.measured_spacing(one)
    try:
        favoured = opm.favoured(one.softness, xi)
    except PhysicsError:
        favoured = None
    return {
        "softness": one.softness,
        "coverage": xi,
        "core_diameter_nm": one.core.diameter_nm,
        "ligand_length_nm": length,
        "opm_nm": _finite(opm.spacing(diameter, length, xi)),
        "ocm_nm": _finite(ocm.spacing(diameter, length, xi)),
        "opm_favours": favoured,
        "measured_nm": measured.nearest_neighbour_nm if measured else None,
        "measured_source": measured.source if measured else None,
    }


def predict(study: Study, phases: Sequence[str] | None = None) -> dict[str, Any]:
    """All predictions at a state point, JSON-ready.

    Args:
        study: at this point.
        phases: those that a relaxation compares, among which models choose as well; the whole catalogue if left out.

    Returns:
        ``nanocrystals``, name → `crystal`; ``gamma`` and ``densest``, model → phases at the study's numbers, of mixtures;
        ``lattices``, a list of phase, roles and model → lattice constants [nm]; ``notes`` on what is left out.
    """
    batches = study.batches()
    crystals = {batch.name: batch.nanocrystal for batch in batches}
    if any(getattr(one.core, "shape", None) is not None for one in crystals.values()):
        note = "Packing models of spheres were left out: a nanocrystal is no sphere."
        return {"nanocrystals": {}, "gamma": None, "densest": {}, "lattices": [], "notes": [note]}
    found: dict[str, Any] = {
        "nanocrystals": {name: crystal(one) for name, one in crystals.items()},
        "gamma": None,
        "densest": {},
        "lattices": [],
        "notes": [],
    }
    for name, record in found["nanocrystals"].items():
        found["lattices"] += [_single(name, record, phase) for phase in OVER_SPACING]
    if len(crystals) == 1:
        return found
    try:
        counts = {batch.name: batch.count for batch in batches}
        ranked = selection.rank(crystals, counts, phases)
    except PhysicsError as error:
        return {**found, "notes": [f"no ranking by packing models: {error}"]}
    if len(crystals) == 2:
        first, second = (ranked.diameters[batch.name] for batch in batches)
        found["gamma"] = second / first
    found["densest"] = {
        model: [
            {"phase": phase, "roles": dict(roles), "share": share} for phase, roles, share in mixture.parts
        ]
        for model, mixture in ranked.mixture.items()
    }
    found["lattices"] += [
        {
            "phase": candidate.phase,
            "roles": dict(candidate.roles),
            "models": {
                "OPM": _lengths(candidate.constants["hard spheres"]),
                # Where OTM has no branch it takes the lattice of hard spheres, which is then no prediction of its own.
                "OTM": _lengths(candidate.constants["OTM"]) if "OTM" in candidate.otm_branch else None,
                "OCM": None,
                "measured": None,
            },
        }
        for candidate in ranked.candidates
    ]
    return found


def _lengths(constants: Mapping[str, float]) -> dict[str, float]:
    return {key: float(value) for key, value in constants.items() if key in ("a", "c")}


def _single(name: str, record: Mapping[str, Any], phase: str) -> dict[str, Any]:
    factor = OVER_SPACING[phase]

    def scaled(key: str) -> dict[str, float] | None:
        return None if record[key] is None else {"a": factor * record[key]}

    models = {
        "OPM": scaled("opm_nm"),
        "OTM": None,
        "OCM": scaled("ocm_nm"),
        "measured": scaled("measured_nm"),
    }
    return {"phase": phase, "roles": {"A": name}, "models": models}


def beside(predictions: Mapping[str, Any], phase: str, roles: Mapping[str, str] | None) -> dict[str, Any]:
    """The models' lattice constants of one phase; empty where they know none.

    Args:
        predictions: of `predict`.
        phase: the catalogue's name.
        roles: species → nanocrystal, as far as it is known.
    """
    for record in predictions["lattices"]:
        if record["phase"] == phase and (not roles or record["roles"] == dict(roles)):
            models: dict[str, Any] = record["models"]
            return models
    return {}
