"""The study file: what she has, in her words, checked before anything is written.

A study is a TOML file of physical inputs. `load` returns a validated `Study` or raises one `StudyError` that lists
every problem with its key, the value, what is allowed, and the nearest right spelling.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from supercrystal import library
from supercrystal.errors import StudyError, nearest
from supercrystal.models.shells import Batch
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.protocols.drying import LARGEST_PECLET, Drying
from supercrystal.protocols.placement import DENSEST

#: How pydantic marks the two ways to give a ligand in the location of an error.
LIGAND_TAGS = ("by name", "by carbons")


class _Table(BaseModel):
    """A table of the study: no unknown keys, nothing coerced from text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _number(low: float, high: float, hint: str = "") -> Any:
    """A real number in [low, high]; integers are welcome, text and booleans are not (strict mode)."""
    return Annotated[float, Field(ge=low, le=high, description=hint)]


class CoreTable(_Table):
    """``[nanocrystals.core]``."""

    material: str
    shape: Literal["sphere"] = "sphere"
    diameter_nm: _number(1.0, 50.0, "nanometres: 7 nm is 7.0, not 70 (ångström) nor 7e-9 (metres)")  # type: ignore[valid-type]

    @field_validator("material")
    @classmethod
    def _known(cls, material: str) -> str:
        if material not in library.names("cores"):
            known = library.names("cores")
            raise ValueError(
                f"not in the library of cores{nearest(material, known)}; known: {', '.join(known)} "
                "(add more in potentials/cores.toml)"
            )
        return material


class LigandTable(_Table):
    """``[nanocrystals.ligand]`` for a ligand that the library does not have."""

    carbons: Annotated[int, Field(ge=1, le=60)]
    double_bonds: Annotated[int, Field(ge=0, le=6)] = 0

    @model_validator(mode="after")
    def _bonds(self) -> LigandTable:
        if self.double_bonds >= self.carbons:
            raise ValueError(
                f"a chain of {self.carbons} carbons cannot have {self.double_bonds} double bonds"
            )
        return self


class NanocrystalTable(_Table):
    """``[[nanocrystals]]``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.+-]*$", max_length=32)] | None = None
    count: Annotated[int, Field(ge=1, le=10_000_000)]
    core: CoreTable
    ligand: Annotated[
        Annotated[str, Tag(LIGAND_TAGS[0])] | Annotated[LigandTable, Tag(LIGAND_TAGS[1])],
        Discriminator(lambda value: LIGAND_TAGS[not isinstance(value, str)]),
        BeforeValidator(lambda value: {"carbons": value} if type(value) is int else value),
    ]
    grafting_density_per_nm2: _number(0.1, 10.0, "ligands per nm² of core surface")  # type: ignore[valid-type]
    coverage: _number(0.05, 2.0, "ξ; left out, it is the grafting density over 5.5 nm⁻²") | None = None  # type: ignore[valid-type]
    size_dispersity: _number(0.0, 0.15, "standard deviation over mean: 5 % is 0.05") = 0.0  # type: ignore[valid-type]

    @field_validator("ligand")
    @classmethod
    def _known(cls, ligand: str | LigandTable) -> str | LigandTable:
        if isinstance(ligand, str) and ligand not in library.names("ligands"):
            known = library.names("ligands")
            raise ValueError(
                f"not in the library of ligands{nearest(ligand, known)}; known: {', '.join(known)}; "
                "or give it by its carbons: ligand = { carbons = 18, double_bonds = 1 }"
            )
        return ligand


class ModelTable(_Table):
    """``[model]``."""

    tier: Literal["shells"] = "shells"
    attraction: Literal["none", "hamaker"] = "none"
    chain_geometry: Literal["tetrahedral", "alkane"] = "tetrahedral"


class DryingTable(_Table):
    """``[protocol]`` of kind drying."""

    kind: Literal["drying"]
    peclet: _number(0.001, LARGEST_PECLET, "Pe = H0 v / D")  # type: ignore[valid-type]
    initial_packing_fraction: _number(0.01, DENSEST, "volume fraction of capped nanocrystals") = 0.35  # type: ignore[valid-type]
    dry_layers: Annotated[int, Field(ge=2, le=1000)] = 10
    setting_swelling: _number(1.0, 2.0, "volume over dry volume at which the film sets and contracts") = 1.0  # type: ignore[valid-type]
    mixing_brownian_times: _number(1.0, 1e6, "Brownian times") = 20.0  # type: ignore[valid-type]
    hold_brownian_times: _number(10.0, 1e6, "Brownian times") = 200.0  # type: ignore[valid-type]
    frames: Annotated[int, Field(ge=10, le=100_000)] = 60


class Study(_Table):
    """A whole study."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    temperature_K: _number(200.0, 500.0, "kelvin: 25 °C is 298.15") = 298.15  # type: ignore[valid-type]
    solvent: str
    nanocrystals: Annotated[tuple[NanocrystalTable, ...], Field(strict=False, min_length=1, max_length=3)]
    model: ModelTable = ModelTable()
    protocol: DryingTable
    engine: Literal["auto", "hoomd", "lammps"] = "auto"
    device: Literal["auto", "gpu", "cpu"] = "auto"

    @field_validator("solvent")
    @classmethod
    def _known(cls, solvent: str) -> str:
        known = library.names("solvents")
        if solvent not in known:
            raise ValueError(
                f"not in the library of solvents{nearest(solvent, known)}; known: {', '.join(known)}"
            )
        return solvent

    @model_validator(mode="after")
    def _distinct_names(self) -> Study:
        names = [batch.name for batch in self.batches()]
        if len(set(names)) < len(names):
            raise ValueError(f"nanocrystals need distinct names; got {', '.join(names)}: give each a `name`")
        return self

    def batches(self) -> tuple[Batch, ...]:
        """The nanocrystals as physics sees them."""
        batches = []
        for table in self.nanocrystals:
            geometry = self.model.chain_geometry
            if isinstance(table.ligand, str):
                ligand = library.ligand(table.ligand, geometry)
            else:
                double = table.ligand.double_bonds
                label = f"C{table.ligand.carbons}" + (f":{double}" if double else "")
                ligand = Ligand(label, table.ligand.carbons, double, geometry)
            nanocrystal = Nanocrystal(
                Core(table.core.material, table.core.diameter_nm),
                ligand,
                table.grafting_density_per_nm2,
                table.coverage,
            )
            name = table.name or table.core.material
            batches.append(Batch(name, nanocrystal, table.count, table.size_dispersity))
        return tuple(batches)

    def drying(self) -> Drying:
        """The drying settings as physics sees them."""
        table = self.protocol
        return Drying(
            peclet=table.peclet,
            initial_packing_fraction=table.initial_packing_fraction,
            dry_layers=table.dry_layers,
            setting_swelling=table.setting_swelling,
            mixing_time=table.mixing_brownian_times,
            hold_time=table.hold_brownian_times,
        )


_TABLES: dict[str, type[BaseModel]] = {
    "": Study,
    "nanocrystals": NanocrystalTable,
    "core": CoreTable,
    "ligand": LigandTable,
    "model": ModelTable,
    "protocol": DryingTable,
}


def _path(location: Iterable[int | str]) -> list[str]:
    """Path of keys without the tags that pydantic adds for the two ways to give a ligand."""
    return [str(part + 1) if isinstance(part, int) else part for part in location if part not in LIGAND_TAGS]


def _fields(path: list[str]) -> dict[str, Any]:
    """Fields of the table that holds the last key of `path`."""
    parents = [part for part in path[:-1] if not part.isdigit()]
    return dict(_TABLES.get(parents[-1] if parents else "", Study).model_fields)


def _dotted(path: list[str]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text or "the study"


def _explain(error: Any) -> str:
    """One problem as: key, what was got, what is allowed, what to do."""
    path = _path(error["loc"])
    key, kind, got, context = _dotted(path), error["type"], error["input"], error.get("ctx", {})
    fields = _fields(path)
    if kind == "extra_forbidden":
        return f"{key}: unknown key{nearest(path[-1], fields)}; allowed here: {', '.join(fields)}"
    if kind == "missing":
        return f"{key}: missing; it is required"
    hint = getattr(fields.get(path[-1] if path else ""), "description", None)
    if hint is None and path and path[-1] in fields:
        hint = next(
            (m.description for m in fields[path[-1]].metadata if getattr(m, "description", None)), None
        )
    after = f" ({hint})" if hint else ""
    if kind in ("greater_than_equal", "less_than_equal"):
        relation = "≥" if kind == "greater_than_equal" else "≤"
        return f"{key} = {got!r}: allowed {relation} {context.get('ge', context.get('le')):g}{after}"
    if kind == "literal_error":
        expected = re.findall(r"'([^']*)'", context["expected"])
        return f"{key} = {got!r}: allowed {context['expected']}{nearest(str(got), expected)}"
    if kind == "value_error":
        message = str(context["error"])
        shown = f" = {got!r}" if isinstance(got, str | int | float) else ""
        return f"{key}{shown}: {message}"
    return f"{key} = {got!r}: {error['msg'].lower()}{after}"


def parse(text: str, source: str = "the study") -> Study:
    """Validate the text of a study file.

    Args:
        text: TOML.
        source: what to call it in errors.

    Raises:
        StudyError: it is not TOML, or not a study; the message lists every problem.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{source} is not valid TOML: {error}") from None
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        # A faulty nanocrystal also makes its list "too short"; that says nothing new.
        errors = [item for item in error.errors() if item["type"] != "too_short" or error.error_count() == 1]
        problems = list(dict.fromkeys(_explain(item) for item in errors))
        head = f"{source} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:"
        raise StudyError("\n  ".join([head, *problems])) from None


def load(path: Path) -> tuple[Study, str]:
    """Read a study file: the study and its text.

    Raises:
        StudyError: the file cannot be read or is not a study.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot read the study {path}: {error}") from None
    return parse(text, str(path)), text


def with_seed(text: str, seed: int, source: str = "the study") -> tuple[Study, str]:
    """Return the study with another seed, and its text with the seed's line changed."""
    changed = re.sub(r"(?m)^seed\s*=\s*\d+", f"seed = {seed}", text, count=1)
    return parse(changed, source), changed
