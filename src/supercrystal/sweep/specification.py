"""``sweep.toml``: which studies a sweep holds.

The base study is a file or a table; axes are keys of it with their values, and a few keys that no study has:
``size_ratio``, the OPM diameter of the second nanocrystal over that of the first, and ``candidate``, the phases that
`relax` examines. The grid is the product of all axes; axes in one ``[[zip]]`` move together.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from supercrystal import lattices
from supercrystal.errors import StudyError, UnknownNameError, nearest
from supercrystal.study import Study

#: Axes that no study has, in words.
DERIVED = {
    "size_ratio": "OPM diameter of the second nanocrystal over that of the first; it sets the second core's diameter",
    "candidate": "phases that relax examines: a name, or several that are compared with each other",
}
#: Keys of a study that a sweep sets by itself.
OURS = {"name": "jobs are told apart by their state points", "seed": "give `replicas` or `seeds`"}

Operation = Literal["assemble", "relax"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RelaxTable(_Table):
    """``[relax]``: how candidates are examined; see ``supercrystal relax``."""

    phases: Annotated[tuple[str, ...], Field(strict=False)] = ()
    pressure: str | None = None
    dynamics: bool = False
    time: Annotated[float, Field(ge=1, le=1e5)] = 50.0
    energy_steps: Annotated[int, Field(ge=4000)] = 40_000
    particles: Annotated[int, Field(ge=100)] = 500


class ResourcesTable(_Table):
    """``[resources]``: what a job may ask for; walltime and memory come from the study (`directives`)."""

    ranks: Annotated[int, Field(ge=1)] = 1
    cores: Annotated[int, Field(ge=1)] = 1
    gpus: Annotated[int, Field(ge=0)] = 0
    walltime_factor: Annotated[float, Field(ge=0.1, le=100)] = 1.0


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Specification(_Table):
    """A whole sweep."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
    study: str | dict[str, Any]
    operations: Annotated[tuple[Operation, ...], BeforeValidator(_several), Field(strict=False)] = ()
    replicas: Annotated[int, Field(ge=1, le=100_000)] | None = None
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, le=2**31 - 1)], ...], Field(strict=False)] = ()
    axes: dict[str, list[Any]] = {}
    zip: list[dict[str, list[Any]]] = []
    include: list[dict[str, Any]] = []
    exclude: list[dict[str, Any]] = []
    relax: RelaxTable = RelaxTable()
    resources: ResourcesTable = ResourcesTable()

    @model_validator(mode="after")
    def _one_way_of_seeds(self) -> Specification:
        if self.replicas is not None and self.seeds:
            raise ValueError("give one of replicas and seeds")
        return self

    def kinds(self) -> tuple[Operation, ...]:
        """Operations that jobs do: those given, else relax where candidates are given and assemble where not."""
        relaxes = bool(self.relax.phases) or "candidate" in self.keys()
        return self.operations or (("relax",) if relaxes else ("assemble",))

    def keys(self) -> tuple[str, ...]:
        """All axes, each once, in the order of the file."""
        groups = [self.axes, *self.zip, *self.include]
        return tuple(dict.fromkeys(key for group in groups for key in group))


def _models(annotation: Any) -> list[tuple[bool, type[BaseModel]]]:
    """Tables within an annotation, each with whether it stands in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(False, annotation)]
    if get_origin(annotation) is Annotated:
        return _models(get_args(annotation)[0])
    listed = get_origin(annotation) in (tuple, list)
    return [(listed or inner, model) for part in get_args(annotation) for inner, model in _models(part)]


def _keys(model: type[BaseModel], prefix: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for name, field in model.model_fields.items():
        found[prefix + name] = None
        for listed, inner in _models(field.annotation):
            if listed:
                found[f"{prefix}{name}.N"] = None
                found |= _keys(inner, f"{prefix}{name}.N.")
            # A list of one may be written as a table: [protocol] instead of [[protocol]].
            if not listed or name == "protocol":
                found |= _keys(inner, f"{prefix}{name}.")
    return found


@cache
def study_keys() -> tuple[str, ...]:
    """Every dotted key that a study may have; N stands for a position, from 1.

    >>> "nanocrystals.N.ligand.carbons" in study_keys()
    True
    """
    return tuple(key for key in _keys(Study, "") if key not in OURS)


def normalised(key: str) -> str:
    """A key with positions as parts of their own.

    >>> normalised("nanocrystals[2].core.diameter_nm")
    'nanocrystals.2.core.diameter_nm'
    """
    return re.sub(r"\[(\d+|\*)\]", r".\1", key).strip(".")


def _generic(key: str) -> str:
    return ".".join("N" if part.isdigit() or part == "*" else part for part in normalised(key).split("."))


def check_key(key: str) -> str | None:
    """What is wrong with the name of an axis, or ``None``."""
    generic = _generic(key)
    if generic in OURS:
        return f"axis '{key}': a sweep sets it by itself; {OURS[generic]}"
    if key in DERIVED or generic in study_keys():
        return None
    parts = normalised(key).split(".")
    given = next((part for part in parts if part.isdigit() or part == "*"), "1")
    known = [k.replace(".N", f".{given}", 1).replace(".N", ".1") for k in (*study_keys(), *DERIVED)]
    spelled = nearest(".".join(parts), known)
    if len(parts) == 1 or not spelled:
        # A short name such as "carbons" is meant for the last part of a key.
        lasts = {k.rpartition(".")[2]: k for k in reversed(known)}
        close = difflib.get_close_matches(parts[-1], lasts, n=1, cutoff=0.7)
        spelled = f"; did you mean '{lasts[close[0]]}'?" if close else spelled
    more = f"; besides keys of a study there are {', '.join(DERIVED)}"
    return f"axis '{key}' is no key of a study{spelled or more}"


def _check(sweep: Specification) -> list[str]:
    problems = [text for key in sweep.keys() if (text := check_key(key))]  # noqa: SIM118
    for place, group in [("axes", sweep.axes), *(("zip", z) for z in sweep.zip)]:
        problems += [f"{place}: axis '{key}' has no value" for key, values in group.items() if not values]
    for group in sweep.zip:
        sizes = {key: len(values) for key, values in group.items()}
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{key} has {size}" for key, size in sizes.items())
            problems.append(f"zip: axes that move together need as many values each: {listed}")
    counted = [key for group in (sweep.axes, *sweep.zip) for key in map(normalised, group)]
    problems += [f"axis '{key}' is given twice" for key in dict.fromkeys(counted) if counted.count(key) > 1]
    for row in sweep.exclude:
        unknown = [key for key in row if key not in sweep.keys()]  # noqa: SIM118
        problems += [f"exclude: '{key}' is no axis{nearest(key, sweep.keys())}" for key in unknown]
    candidates = [value for group in (sweep.axes, *sweep.zip) for value in group.get("candidate", ())] + [
        row["candidate"] for row in sweep.include if "candidate" in row
    ]
    for phase in [p for value in candidates for p in phases_of(value)] + list(sweep.relax.phases):
        try:
            lattices.prototype(phase)
        except UnknownNameError as error:
            problems.append(f"candidate: {error}")
    if "relax" in sweep.kinds() and not sweep.relax.phases and not candidates:
        problems.append("relax needs candidates: give an axis `candidate` or [relax] phases")
    return list(dict.fromkeys(problems))


def phases_of(candidate: Any) -> tuple[str, ...]:
    """Phases of one value of the axis `candidate`."""
    return (candidate,) if isinstance(candidate, str) else tuple(map(str, candidate))


def _explain(error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {"relax": RelaxTable, "resources": ResourcesTable}
        fields = tables.get(str(error["loc"][0]), Specification).model_fields
        return (
            f"{path}: unknown key{nearest(str(error['loc'][-1]), fields)}; allowed here: {', '.join(fields)}"
        )
    if error["type"] == "missing":
        return f"{path}: missing; it is required"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return f"{path} = {error['input']!r}: {error['msg'].lower()}"


def load(path: Path) -> tuple[Specification, dict[str, Any]]:
    """Read a sweep file, and the base study that it names.

    Returns:
        The sweep and the content of its base study, which is not validated: axes may mend it.

    Raises:
        StudyError: the file cannot be read or is no sweep; the message lists every problem.
    """
    content = _toml(path, "the sweep")
    try:
        sweep = Specification.model_validate(content)
        problems = _check(sweep)
    except ValidationError as error:
        problems = [_explain(item) for item in error.errors()]
    if problems:
        head = f"{path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:"
        raise StudyError("\n  ".join([head, *problems]))
    if isinstance(sweep.study, dict):
        return sweep, sweep.study
    return sweep, _toml(path.parent / sweep.study, "the base study")


def _toml(path: Path, what: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot read {what} {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} is not valid TOML: {error}") from None
