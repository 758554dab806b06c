"""From a sweep to its state points: the grid, and the study of every point of it."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from supercrystal import study as studies
from supercrystal.errors import StudyError
from supercrystal.packing import opm
from supercrystal.study import Study
from supercrystal.sweep.specification import DERIVED, Specification, normalised, phases_of

#: Of the contents of a state point and of the files that a job keeps. A workspace of another number is not touched.
SCHEMA = 1

#: Core diameters among which a size ratio is looked for [nm]: those that a study allows.
CORES_NM = (1.0, 50.0)


@dataclass(frozen=True)
class Point:
    """One state point.

    Args:
        operation: ``"assemble"`` or ``"relax"``.
        seed: of the study.
        axes: axis → value.
        content: of the study, with the axes put in.
        relax: settings of `relax`; empty otherwise.
    """

    operation: str
    seed: int
    axes: Mapping[str, Any]
    content: Mapping[str, Any]
    relax: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The study file."""
        import tomli_w

        return tomli_w.dumps(self.content)

    @property
    def statepoint(self) -> dict[str, Any]:
        """For signac: everything that the job's results depend on. Keys of axes are nested, as signac allows no dots."""
        nested: dict[str, Any] = {}
        for key, value in self.axes.items():
            *path, last = normalised(key).split(".")
            node = nested
            for part in path:
                node = node.setdefault(part, {})
            node[last] = value
        point = {
            "schema": SCHEMA,
            "operation": self.operation,
            "seed": self.seed,
            "axes": nested,
            "study": digest(self.content),
        }
        return {**point, "relax": dict(self.relax)} if self.relax else point


def digest(content: Mapping[str, Any]) -> str:
    """Checksum of a study's content, whatever its layout and comments."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def grid(sweep: Specification) -> list[dict[str, Any]]:
    """Axis values of every point, without seeds.

    Raises:
        StudyError: nothing is left.
    """
    groups: list[list[dict[str, Any]]] = [
        [{key: value} for value in values] for key, values in sweep.axes.items()
    ]
    for together in sweep.zip:
        groups.append([dict(zip(together, row, strict=True)) for row in zip(*together.values(), strict=True)])
    # Without any axis there is no grid, unless replicas of the base study itself are all that is asked for.
    product = (
        [] if not groups and sweep.include else [dict(_merged(rows)) for rows in itertools.product(*groups)]
    )
    kept = [p for p in product if not any(_matches(p, row) for row in sweep.exclude)]
    kept += [dict(row) for row in sweep.include if row not in kept]
    if not kept:
        raise StudyError(
            f"the grid of sweep '{sweep.name}' is empty: exclude removes all {len(product)} points; change "
            "exclude, or add values to axes"
        )
    return kept


def _merged(rows: tuple[dict[str, Any], ...]) -> Iterator[tuple[str, Any]]:
    for row in rows:
        yield from row.items()


def _matches(point: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    return all(point.get(key) == value for key, value in row.items())


def points(sweep: Specification, base: Mapping[str, Any]) -> Iterator[Point | tuple[dict[str, Any], str]]:
    """Every point of a sweep, or its axes and what is wrong with it.

    A static relaxation does not depend on the seed and has one replica.
    """
    seeds = sweep.seeds or tuple(_first(base) + i for i in range(sweep.replicas or 1))
    seen = set()
    for operation in sweep.kinds():
        for axes in grid(sweep):
            chosen = {k: v for k, v in axes.items() if operation == "relax" or k != "candidate"}
            settings: dict[str, Any] = {}
            if operation == "relax":
                settings = sweep.relax.model_dump(mode="json", exclude_none=True)
                if "candidate" in chosen:
                    settings["phases"] = list(phases_of(chosen["candidate"]))
            once = operation == "relax" and not sweep.relax.dynamics
            for seed in seeds[:1] if once else seeds:
                key = json.dumps([operation, chosen, seed], sort_keys=True)
                if key in seen:
                    continue
                seen.add(key)
                try:
                    content = study_of(base, chosen, seed)
                except (StudyError, ValueError) as error:
                    # What is wrong does not depend on the seed.
                    yield {**chosen, "operation": operation}, str(error)
                    break
                yield Point(operation, seed, chosen, content, settings)


def _first(base: Mapping[str, Any]) -> int:
    seed = base.get("seed", 1)
    return seed if isinstance(seed, int) else 1


def study_of(base: Mapping[str, Any], axes: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The content of the study at one point, validated.

    Raises:
        StudyError: it is no study.
    """
    content = copy.deepcopy(dict(base))
    content["seed"] = seed
    # Whole tables first, so that their keys can be axes as well.
    for key in sorted((k for k in axes if k not in DERIVED), key=lambda k: normalised(k).count(".")):
        put(content, normalised(key).split("."), axes[key], key)
    if "size_ratio" in axes:
        _solve_size_ratio(content, float(axes["size_ratio"]))
    validate(content)
    return content


def validate(content: Mapping[str, Any]) -> Study:
    """The study that a content is.

    Raises:
        StudyError: every problem.
    """
    import tomli_w

    return studies.parse(tomli_w.dumps(content), "the study at this point")


def put(node: Any, path: list[str], value: Any, key: str) -> None:
    """Put a value at a path; ``*`` is every member of a list, positions count from 1.

    A table on the way that is not there, or is given in another form (a ligand by its name), is made anew.

    Raises:
        StudyError: the path leads beyond the end of a list.

    >>> study = {"nanocrystals": [{"ligand": "oleate"}, {"ligand": "oleate"}]}
    >>> put(study, ["nanocrystals", "*", "ligand", "carbons"], 12, "")
    >>> study["nanocrystals"][1]
    {'ligand': {'carbons': 12}}
    """
    head, *rest = path
    if isinstance(node, list):
        members = range(len(node)) if head == "*" else [int(head) - 1]
        for index in members:
            if not 0 <= index < len(node):
                raise StudyError(
                    f"axis '{key}': the base study has {len(node)} there, so positions are 1 to {len(node)}"
                )
            if rest:
                put(node[index], rest, value, key)
            else:
                node[index] = copy.deepcopy(value)
        return
    if head == "1" and rest:  # [protocol] is a list of one
        put(node, rest, value, key)
    elif not rest:
        node[head] = copy.deepcopy(value)
    else:
        if not isinstance(node.get(head), dict | list):
            node[head] = {}
        put(node[head], rest, value, key)


def _solve_size_ratio(content: dict[str, Any], ratio: float) -> None:
    """Set the second nanocrystal's core so that its OPM diameter is `ratio` times that of the first.

    Raises:
        StudyError: there are not two spherical nanocrystals, or no core has this ratio.
    """
    tables = content.get("nanocrystals")
    if not isinstance(tables, list) or len(tables) < 2:
        raise StudyError("size_ratio: the base study needs two nanocrystals; it has one or none")
    tables[1].setdefault("core", {}).setdefault("diameter_nm", CORES_NM[0] * 5)
    first, second = (batch.nanocrystal for batch in validate(content).batches()[:2])
    shapes = [table.get("core", {}).get("shape", "sphere") for table in tables[:2]]
    if shapes != ["sphere", "sphere"]:
        raise StudyError(f"size_ratio is a ratio of OPM diameters, of spheres; got {' and '.join(shapes)}")
    target = ratio * float(opm.spacing(first.core.diameter_nm, first.ligand.length_nm, first.xi))
    tables[1]["core"]["diameter_nm"] = round(_core_of(target, second.ligand.length_nm, second.xi, ratio), 9)


def _core_of(target: float, length: float, xi: float, ratio: float) -> float:
    from scipy.optimize import brentq

    cores = np.geomspace(*CORES_NM, 400)
    off = np.asarray(opm.spacing(cores, length, xi)) - target
    crossing = np.flatnonzero((off[:-1] <= 0) & (off[1:] >= 0))  # NaN, where OPM is not defined, is neither
    if len(crossing) == 0:
        possible = off[np.isfinite(off)] + target
        unit = target / ratio
        span = f"{possible.min() / unit:.3f} to {possible.max() / unit:.3f}" if len(possible) else "none"
        raise StudyError(
            f"size_ratio = {ratio:g}: no core of {CORES_NM[0]:g} to {CORES_NM[1]:g} nm with this ligand has it; "
            f"possible: {span}"
        )
    low, high = cores[crossing[0]], cores[crossing[0] + 1]
    return float(brentq(lambda d: float(opm.spacing(d, length, xi)) - target, low, high, xtol=1e-12))
