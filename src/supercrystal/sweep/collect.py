"""One tidy table of a sweep: a row for every state point, with what was found, predicted and spent.

Unfinished jobs have a row too, with their state and no results. A second table, in long form, has a row for every lattice:
all candidates of a relaxation, and the lattice that formed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from supercrystal.errors import RunDirectoryError, StudyError
from supercrystal.rundir import write_atomically
from supercrystal.sweep import provenance
from supercrystal.sweep.operations import PRODUCTS
from supercrystal.sweep.space import STUDY, Space
from supercrystal.sweep.status import JobStatus, survey

#: Numbers of `predictions.crystal` in the table, each for the first, second and third nanocrystal.
OF_CRYSTALS = (
    "softness",
    "coverage",
    "core_diameter_nm",
    "ligand_length_nm",
    "opm_nm",
    "ocm_nm",
    "measured_nm",
)
#: Models and measurement whose lattice constants stand in the tables.
MODELS = ("OPM", "OTM", "OCM", "measured")
_RANKED = ("hard spheres", "OTM", "OTM above OCM")
_FRACTIONS = ("fcc", "hcp", "bcc", "sc", "disordered")


def rows(
    space: Space, found: Sequence[JobStatus] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Both tables as lists of equal dictionaries.

    Args:
        space: the sweep.
        found: its survey; made if it is left out.
    """
    points, lattices = [], []
    for job in survey(space) if found is None else found:
        axes = {key: _plain(job.entry.axes.get(key)) for key in space.axes}
        first = {"job": job.id, "operation": job.entry.operation, "seed": job.entry.seed, **axes}
        point: dict[str, Any] = {**first, "state": job.state}
        try:
            results, more = _results(space.folder(job.id))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # A product that was edited or cut off: this job has no results, the others have theirs.
            results, more = {}, []
            if job.state == "complete":
                job = JobStatus(
                    **{**vars(job), "message": f"a product cannot be read: {type(error).__name__}: {error}"}
                )
        point |= results
        point["message"] = job.problem or job.message
        points.append(point)
        lattices += [{**first, **lattice} for lattice in more]
    return _equal(points), _equal(lattices)


def _plain(value: Any) -> Any:
    return (
        value
        if value is None or isinstance(value, str | int | float)
        else json.dumps(value, ensure_ascii=False)
    )


def _equal(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give all rows the same columns, in the order in which they are met."""
    columns = dict.fromkeys(key for row in table for key in row)
    return [{key: row.get(key) for key in columns} for row in table]


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _results(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What one finished job has found.

    Raises:
        OSError, ValueError, KeyError: a product is missing or is not what it was.
    """
    build, identify, compare = (_read(folder / PRODUCTS[name]) for name in ("build", "identify", "compare"))
    study = tomllib.loads((folder / STUDY).read_text(encoding="utf-8"))
    point: dict[str, Any] = {}
    for number, (table, one) in enumerate(
        zip(study["nanocrystals"], compare["nanocrystals"].values(), strict=False), 1
    ):
        point[f"count_{number}"] = table["count"]
        point |= {f"{key}_{number}": one[key] for key in OF_CRYSTALS}
    point |= {"gamma": compare["gamma"], "phase": identify["phase"], "how": identify["how"]}
    point["margin_kT"] = identify.get("margin_kT")
    for phase in _FRACTIONS:
        point[f"fraction_{phase}"] = identify.get("fractions", {}).get(phase)
    for model in _RANKED:
        parts = compare["densest"].get(model)
        point[f"densest {model}"] = label([part["phase"] for part in parts]) if parts else None
    point["opm_favours"] = _one(compare["nanocrystals"], "opm_favours")
    chosen = _chosen(identify, compare["lattices"])
    point |= _lattice(chosen) if chosen else _lattice(None)
    point |= {"particles": build["particles"], "steps": build.get("steps")}
    point |= {"pressure_kT_per_nm3": build.get("pressure_kT_per_nm3")}
    settings = _read(folder / "signac_statepoint.json").get("relax", {})
    point["candidates"] = ",".join(settings["phases"]) if settings else None
    point |= _provenance(folder)
    lowest = set(identify["phases"])
    lattices = [
        {
            "gamma": compare["gamma"],
            "softness_1": point.get("softness_1"),
            **_lattice(row),
            "roles": json.dumps(row["roles"]) if row["roles"] else None,
            "packing_fraction": row.get("packing_fraction"),
            "stable": row.get("stable"),
            "above_kT": row.get("above_kT"),
            "added": row.get("added"),
            "lowest": row.get("name", row["phase"]) in lowest,
        }
        for row in compare["lattices"]
    ]
    return point, lattices


def _one(crystals: Mapping[str, Mapping[str, Any]], key: str) -> Any:
    return next(iter(crystals.values()))[key] if len(crystals) == 1 else None


def _chosen(identify: Mapping[str, Any], lattices: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The lattice of the row: that which formed, or the first compound of the lowest set."""
    lowest = [row for row in lattices if row.get("name", row["phase"]) in identify["phases"]]
    return min(lowest, key=lambda row: bool(row.get("added")), default=None)


def _lattice(row: Mapping[str, Any] | None) -> dict[str, Any]:
    record: dict[str, Any] = {"lattice": row and row["phase"]}
    for key in ("a_nm", "a_uncertainty_nm", "c_nm"):
        record[key] = row and row[key]
    for model in MODELS:
        record[f"{model} a_nm"] = row and row["predicted_a_nm"].get(model)
    return record


def label(phases: Sequence[str]) -> str:
    """Name of a set of phases side by side, compounds first.

    >>> label(["fcc", "AlB2"]), label(["fcc", "fcc"])
    ('AlB2 + fcc', 'fcc')
    """
    return " + ".join(sorted(dict.fromkeys(phases), key=lambda phase: (phase == "fcc", phase)))


def _provenance(folder: Path) -> dict[str, Any]:
    came = provenance.read(folder)
    sessions = came["sessions"]
    last: dict[str, Any] = next((one for one in reversed(sessions) if one.get("outcome") == "done"), {})
    versions = came.get("versions", {})
    engine: dict[str, Any] = {}
    if (folder / PRODUCTS["assemble"]).exists():
        engine = _read(folder / PRODUCTS["assemble"])["engine"]
    elif (folder / PRODUCTS["relax"]).exists():
        engine = _read(folder / PRODUCTS["relax"])["engine"] or {}
    return {
        "engine": engine.get("engine"),
        "engine_version": engine.get("version"),
        "device": engine.get("device"),
        **{
            name: versions.get(name)
            for name in ("supercrystal", "python", "numpy", "scipy", "freud-analysis", "gsd", "signac")
        },
        "host": last.get("host"),
        "processor": last.get("processor"),
        "cores": last.get("cores"),
        "started": sessions[0]["started"] if sessions else None,
        "ended": last.get("ended"),
        "sessions": len(sessions),
        "killed": sum(one["outcome"] != "done" for one in sessions),
        "wall_s": round(sum(one.get("wall_s", 0.0) for one in sessions), 3),
        "cpu_s": round(sum(one.get("cpu_s", 0.0) for one in sessions), 3),
        "cite": " | ".join(came.get("citations", [])),
    }


def as_csv(table: Sequence[Mapping[str, Any]]) -> str:
    """The table as CSV; empty where there is no value."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Read a table that `as_csv` wrote: numbers as numbers, empty cells as None.

    Raises:
        StudyError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot read the table {path}: {error}") from None


def _value(text: str | None) -> Any:
    if not text:
        return None
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def write_hdf5(
    path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]], attributes: Mapping[str, str]
) -> None:
    """Write tables as groups of columns: numbers with NaN where there is none, text in UTF-8 with "" where there is none."""
    import h5py
    import numpy as np

    partial = path.with_name(path.name + ".partial")
    with h5py.File(partial, "w") as file:
        file.attrs.update(attributes)
        for name, table in tables.items():
            group = file.create_group(name)
            group.attrs["columns"] = list(table[0]) if table else []
            for column in table[0] if table else []:
                values = [row[column] for row in table]
                # A slash would make a group of a group.
                safe = column.replace("/", "|")
                if all(value is None or isinstance(value, int | float) for value in values):
                    numbers = [float("nan") if value is None else float(value) for value in values]
                    group.create_dataset(safe, data=np.array(numbers))
                else:
                    text = ["" if value is None else str(value) for value in values]
                    group.create_dataset(safe, data=text, dtype=h5py.string_dtype("utf-8"))
    os.replace(partial, path)


def collect(space: Space, out: Path) -> dict[str, Path]:
    """Write tables, figures and the summary page.

    Returns:
        What was written.

    Raises:
        RunDirectoryError: it cannot be written.
    """
    from supercrystal.sweep import figures
    from supercrystal.sweep.summary import write_summary

    found = survey(space)
    points, lattices = rows(space, found)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = {"table": out / "table.csv", "lattices": out / "lattices.csv", "hdf5": out / "table.h5"}
        write_atomically(written["table"], as_csv(points))
        write_atomically(written["lattices"], as_csv(lattices))
        attributes = {"sweep": space.name, "made_by": f"supercrystal {space.made_by}"}
        write_hdf5(written["hdf5"], {"points": points, "lattices": lattices}, attributes)
        written |= figures.write(points, lattices, out)
        written["summary"] = out / "summary.html"
        write_summary(written["summary"], space, found, points, written)
    except OSError as error:
        raise RunDirectoryError(f"cannot write to {out}: {error}; give another directory with -o") from error
    return written
