"""The study file: what she has, in her words, checked before anything is written.

A study is a TOML file of physical inputs. `load` returns a validated `Study` or raises one `StudyError` that lists
every problem with its key, the value, what is allowed, and the nearest right spelling.
"""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from supercrystal import library, physical
from supercrystal.errors import StudyError, nearest
from supercrystal.models import cubes, effective, polyhedra, shells
from supercrystal.models.model import Batch, Model
from supercrystal.protocols.annealing import Annealing
from supercrystal.protocols.assembly import Stage
from supercrystal.protocols.compression import Compression
from supercrystal.protocols.destabilisation import Destabilisation
from supercrystal.protocols.drying import Drying, SlowDrying
from supercrystal.protocols.sedimentation import Sedimentation
from supercrystal.protocols.start import CellStart, FilmStart
from supercrystal.study_interactions import INTERACTIONS, AnyInteraction, ShellInteractionTable
from supercrystal.study_nanocrystals import LIGAND_TAGS, CoreTable, LigandTable, NanocrystalTable
from supercrystal.study_stages import (
    STAGES,
    START_KEYS,
    AnnealingTable,
    AnyStage,
    DestabilisationTable,
    DryingTable,
    SedimentationTable,
    SlowDryingTable,
    Table,
    as_list,
    number,
)
from supercrystal.units import kpa_per_kt_nm3


class ModelTable(Table):
    """``[model]``."""

    tier: Literal["shells", "cubes"] = "shells"
    timestep_factor: number(0.05, 20.0, "times the step that the stiffest pair allows") = 1.0  # type: ignore[valid-type]
    interaction: AnyInteraction = ShellInteractionTable()
    attraction: Literal["none", "hamaker"] = "none"
    bodies: Literal["beads", "alj"] = "beads"
    chain_geometry: Literal["tetrahedral", "alkane"] = "tetrahedral"
    bead_diameter_nm: number(0.1, 50.0, "of the beads of a body; at least twice its shell") | None = None  # type: ignore[valid-type]
    beads_per_edge: Annotated[int, Field(ge=2, le=30)] | None = None
    wells_kT: Annotated[
        tuple[Annotated[tuple[str, str, Annotated[float, Field(ge=-50, lt=0)]], Field(strict=False)], ...],
        Field(strict=False, description="[[name, name, energy of two faces in kT], …]"),
    ] = ()

    @model_validator(mode="after")
    def _of_the_tier(self) -> ModelTable:
        beads = {"bead_diameter_nm", "beads_per_edge"}
        foreign = {"shells": {*beads, "bodies", "wells_kT"}, "cubes": {"interaction"}}[self.tier]
        misplaced = sorted(self.model_fields_set & foreign)
        if misplaced:
            raise ValueError(
                f"tier = '{self.tier}' has no {', '.join(misplaced)}; leave it out, or change the tier"
            )
        misplaced = sorted(self.model_fields_set & beads)
        if self.bodies == "alj" and misplaced:
            raise ValueError(
                f"bodies = 'alj' has no {', '.join(misplaced)}; leave it out, or take bodies = 'beads'"
            )
        return self


class Study(Table):
    """A whole study."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    temperature_K: number(200.0, 500.0, "kelvin: 25 °C is 298.15") = 298.15  # type: ignore[valid-type]
    solvent: str
    nanocrystals: Annotated[tuple[NanocrystalTable, ...], Field(strict=False, min_length=1, max_length=3)]
    model: ModelTable = ModelTable()
    protocol: Annotated[
        tuple[AnyStage, ...], BeforeValidator(as_list), Field(strict=False, min_length=1, max_length=20)
    ]
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
            name = table.name or table.core.material
            nanocrystal = table.nanocrystal(self.model.chain_geometry)
            batches.append(
                Batch(name, nanocrystal, round(table.count * (1 + table.excess)), table.size_dispersity)
            )
        return tuple(batches)

    @model_validator(mode="after")
    def _tier_for_shapes(self) -> Study:
        faceted = sorted({table.core.shape for table in self.nanocrystals} - {"sphere"})
        if faceted and self.model.tier == "shells":
            raise ValueError(
                f"core.shape = '{faceted[0]}' needs bodies: give model.tier = 'cubes'; tier 'shells' has spheres only"
            )
        if not faceted and self.model.tier == "cubes":
            raise ValueError(
                "model.tier = 'cubes' needs a core of shape cube or plate; these are spheres only"
            )
        return self

    @model_validator(mode="after")
    def _where_polyhedra_can_be(self) -> Study:
        if self.model.bodies == "alj":
            if self.engine == "lammps":
                raise ValueError(
                    "model.bodies = 'alj' needs HOOMD-blue: give engine = 'hoomd' or 'auto', or model.bodies = 'beads'"
                )
            walled = [t.kind for t in self.protocol if isinstance(t, DryingTable | SedimentationTable)]
            if walled:
                raise ValueError(
                    f"model.bodies = 'alj' has no walls, but {walled[0]} takes place in a film: give "
                    "model.bodies = 'beads', or stages in a periodic cell"
                )
        return self

    @model_validator(mode="after")
    def _start_once(self) -> Study:
        for position, stage in enumerate(self.protocol[1:], start=2):
            misplaced = sorted(stage.model_fields_set & START_KEYS)
            if misplaced:
                raise ValueError(
                    f"protocol[{position}] has {', '.join(misplaced)}, which say how a run starts: move them to protocol[1]"
                )
        return self

    def build_model(self) -> Model:
        """Particle types and forces of the nanocrystals.

        Raises:
            PhysicsError: the interaction is not defined for these nanocrystals.
        """
        table = self.model
        if table.tier == "cubes":
            build = polyhedra.build if table.bodies == "alj" else cubes.build
            return build(
                self.batches(),
                self.temperature_K,
                cubes.Settings(
                    table.bead_diameter_nm, table.beads_per_edge, table.attraction, table.wells_kT
                ),
                timestep_factor=table.timestep_factor,
            )
        interaction = table.interaction.physics(self.solvent)
        if interaction is None:
            return shells.build(
                self.batches(), self.temperature_K, table.attraction, timestep_factor=table.timestep_factor
            )
        # A schedule of the solvent may go where pairs are stiffer; the time step serves all of it.
        visited = [
            0.5 - value if interaction.variable == "chi" else value
            for stage in self.protocol
            if isinstance(stage, DestabilisationTable)
            for _, value in stage.schedule
        ]
        return effective.build(
            self.batches(),
            self.temperature_K,
            interaction,
            table.attraction,
            strengths=visited if interaction.variable else (),
            timestep_factor=table.timestep_factor,
        )

    def start(self) -> FilmStart | CellStart:
        """How the run starts: the first stage that needs a film or a cell decides which."""
        first = self.protocol[0]
        film = next((t for t in self.protocol if isinstance(t, DryingTable | SedimentationTable)), None)
        if film is None:
            return CellStart(first.initial_packing_fraction, first.mixing_brownian_times)
        shape = first if isinstance(first, DryingTable | SedimentationTable) else film
        return FilmStart(
            packing_fraction=first.initial_packing_fraction,
            layers=shape.dry_layers,
            dry_fraction=shape.dry_packing_fraction,
            swelling=max(t.setting_swelling for t in self.protocol if isinstance(t, DryingTable))
            if any(isinstance(t, DryingTable) for t in self.protocol)
            else 1.0,
            substrate=shape.substrate,
            mixing_time=first.mixing_brownian_times,
        )

    def stages(self, model: Model) -> tuple[Stage, ...]:
        """The stages as physics sees them, for the nanocrystals of a model."""
        return tuple(self._stage(table, model) for table in self.protocol)

    def _stage(self, table: Any, model: Model) -> Stage:
        rest = {"hold_time": table.hold_brownian_times, "frames": table.frames}
        match table:
            case DryingTable():
                return Drying(peclet=table.peclet, **rest)
            case SlowDryingTable():
                return SlowDrying(table.final_packing_fraction, table.duration_brownian_times, **rest)
            case SedimentationTable():
                if table.gravitational_length_diameters is not None:
                    length = table.gravitational_length_diameters * model.reference_diameter
                else:
                    assert table.acceleration_g is not None  # the table has one of the two
                    mass = physical.library_buoyant_mass_kg(self.batches()[0].nanocrystal, self.solvent)
                    length = float(
                        physical.gravitational_length_nm(mass, table.acceleration_g, self.temperature_K)
                    )
                return Sedimentation(length, table.ramp_brownian_times, release=table.release, **rest)
            case DestabilisationTable():
                points = tuple((time, model.strength(value)) for time, value in table.schedule)
                return Destabilisation(points, **rest)
            case AnnealingTable():
                hottest = table.hottest_K / self.temperature_K
                return Annealing(hottest, table.cycles, table.period_brownian_times, **rest)
            case _:
                first, last = (p / kpa_per_kt_nm3(self.temperature_K) for p in table.pressure_kPa)
                return Compression(first, last, table.ramp_brownian_times, cell=table.cell, **rest)


_TABLES: dict[str, type[BaseModel]] = {
    "": Study,
    "nanocrystals": NanocrystalTable,
    "core": CoreTable,
    "ligand": LigandTable,
    "model": ModelTable,
}


def _path(location: Iterable[int | str]) -> list[str]:
    """Path of keys without the tags that pydantic adds for the ways to give a ligand and the kinds of stages."""
    tags = {*LIGAND_TAGS, *STAGES}
    location = list(location)
    if location[:2] == ["model", "interaction"]:
        location = location[:2] + location[3:]  # the third part is the tag of the kind
    return [str(part + 1) if isinstance(part, int) else part for part in location if part not in tags]


def _fields(path: list[str], location: Iterable[int | str]) -> dict[str, Any]:
    """Fields of the table that holds the last key of `path`."""
    if path[:1] == ["protocol"]:
        kind = next((part for part in location if part in STAGES), None)
        return dict(STAGES[str(kind)].model_fields) if kind else {"kind": Field()}
    kind = next((part for part in location if part in INTERACTIONS), None)
    if "interaction" in path[:-1] and kind:
        return dict(INTERACTIONS[str(kind)].model_fields)
    parents = [part for part in path[:-1] if not part.isdigit()]
    return dict(_TABLES.get(parents[-1] if parents else "", Study).model_fields)


def _hint(field: Any) -> str | None:
    """What a field says about its values, also where it may be left out."""
    if isinstance(field, FieldInfo):
        found = [field.description, *map(_hint, field.metadata), _hint(field.annotation)]
    else:
        found = [_hint(part) for part in (*typing.get_args(field), *getattr(field, "__metadata__", ()))]
    return next((text for text in found if text), None)


def _dotted(path: list[str]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text or "the study"


def _explain(error: Any) -> str:
    """One problem as: key, what was got, what is allowed, what to do."""
    path = _path(error["loc"])
    key, kind, got, context = _dotted(path), error["type"], error["input"], error.get("ctx", {})
    fields = _fields(path, error["loc"])
    if kind == "extra_forbidden":
        return f"{key}: unknown key{nearest(path[-1], fields)}; allowed here: {', '.join(fields)}"
    if kind in ("union_tag_invalid", "union_tag_not_found") and path[-1] != "ligand":
        given = got.get("kind") if isinstance(got, dict) else got
        kinds = STAGES if path[0] == "protocol" else INTERACTIONS
        spelled = nearest(str(given), kinds) if given else ""
        return f"{key}.kind = {given!r}: allowed {', '.join(kinds)}{spelled}"
    if kind == "missing":
        return f"{key}: missing; it is required"
    hint = _hint(fields[path[-1]]) if path and path[-1] in fields else None
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
        if isinstance(content.get("protocol"), dict):  # one stage needs no number
            problems = [problem.replace("protocol[1]", "protocol", 1) for problem in problems]
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
