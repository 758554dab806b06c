"""The stages of a study: ``[protocol]``, or several ``[[protocol]]`` that follow each other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from supercrystal.protocols.drying import CLOSE_PACKED, LARGEST_PECLET
from supercrystal.protocols.placement import DENSEST
from supercrystal.protocols.start import Substrate
from supercrystal.system import Cell


class Table(BaseModel):
    """A table of the study: no unknown keys, nothing coerced from text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def number(low: float, high: float, hint: str = "") -> Any:
    """A real number in [low, high]; integers are welcome, text and booleans are not (strict mode)."""
    return Annotated[float, Field(ge=low, le=high, description=hint)]


_FRACTION = number(0.01, DENSEST, "volume fraction of capped nanocrystals")
_TIMES = number(1.0, 1e7, "Brownian times")
_HOLD = number(10.0, 1e7, "Brownian times")
_FRAMES = Annotated[int, Field(ge=10, le=100_000)]


class StageTable(Table):
    """What every stage has. The first one decides on the start, so that only there these keys are allowed."""

    hold_brownian_times: _HOLD = 200.0  # type: ignore[valid-type]
    frames: _FRAMES = 60
    mixing_brownian_times: _TIMES = 20.0  # type: ignore[valid-type]
    initial_packing_fraction: _FRACTION | None = None  # type: ignore[valid-type]


class _InFilm(StageTable):
    dry_layers: Annotated[int, Field(ge=2, le=1000)] = 10
    dry_packing_fraction: number(0.1, 1.5, "of the dry film's lattice") | None = None  # type: ignore[valid-type]
    substrate: Substrate = "flat"


class DryingTable(_InFilm):
    """``[protocol]`` of kind drying."""

    kind: Literal["drying"]
    peclet: number(0.001, LARGEST_PECLET, "Pe = H v / D")  # type: ignore[valid-type]
    setting_swelling: number(1.0, 2.0, "volume over dry volume at which the film sets and contracts") = 1.0  # type: ignore[valid-type]


class SlowDryingTable(StageTable):
    """``[protocol]`` of kind slow-drying."""

    kind: Literal["slow-drying"]
    final_packing_fraction: number(0.01, 1.5, "volume of OPM spheres over that of the cell") = CLOSE_PACKED  # type: ignore[valid-type]
    duration_brownian_times: _HOLD  # type: ignore[valid-type]


class SedimentationTable(_InFilm):
    """``[protocol]`` of kind sedimentation."""

    kind: Literal["sedimentation"]
    gravitational_length_diameters: number(0.02, 1e9, "gravitational length over OPM diameter") | None = None  # type: ignore[valid-type]
    acceleration_g: number(1e-3, 1e12, "multiples of g = 9.80665 m/s²") | None = None  # type: ignore[valid-type]
    ramp_brownian_times: _TIMES = 50.0  # type: ignore[valid-type]
    release: bool = False

    @model_validator(mode="after")
    def _one_drive(self) -> SedimentationTable:
        if (self.gravitational_length_diameters is None) == (self.acceleration_g is None):
            raise ValueError("give one of gravitational_length_diameters and acceleration_g")
        return self


class DestabilisationTable(StageTable):
    """``[protocol]`` of kind destabilisation."""

    kind: Literal["destabilisation"]
    schedule: Annotated[
        tuple[
            Annotated[
                tuple[Annotated[float, Field(ge=0, le=1e7)], Annotated[float, Field(ge=-10, le=50)]],
                Field(strict=False),
            ],
            ...,
        ],
        Field(strict=False, min_length=2, description="[[Brownian times, χ or depth in kT], …]"),
    ]


class AnnealingTable(StageTable):
    """``[protocol]`` of kind annealing."""

    kind: Literal["annealing"]
    hottest_K: number(200.0, 1500.0, "kelvin; at most three times temperature_K")  # type: ignore[valid-type]
    cycles: Annotated[int, Field(ge=0, le=10_000)] = 1
    period_brownian_times: _HOLD = 200.0  # type: ignore[valid-type]


class CompressionTable(StageTable):
    """``[protocol]`` of kind compression."""

    kind: Literal["compression"]
    pressure_kPa: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1e7)], Annotated[float, Field(gt=0, le=1e7)]],
        Field(strict=False, description="[first, last] osmotic pressure in kPa"),
    ]
    ramp_brownian_times: _HOLD = 200.0  # type: ignore[valid-type]
    cell: Cell = "isotropic"


#: The tables by the kind of the stage.
STAGES: dict[str, type[StageTable]] = {
    "drying": DryingTable,
    "slow-drying": SlowDryingTable,
    "sedimentation": SedimentationTable,
    "destabilisation": DestabilisationTable,
    "annealing": AnnealingTable,
    "compression": CompressionTable,
}

#: Keys that say how a run starts.
START_KEYS = frozenset(
    {"mixing_brownian_times", "initial_packing_fraction", "dry_layers", "dry_packing_fraction", "substrate"}
)


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


AnyStage = Annotated[
    Annotated[DryingTable, Tag("drying")]
    | Annotated[SlowDryingTable, Tag("slow-drying")]
    | Annotated[SedimentationTable, Tag("sedimentation")]
    | Annotated[DestabilisationTable, Tag("destabilisation")]
    | Annotated[AnnealingTable, Tag("annealing")]
    | Annotated[CompressionTable, Tag("compression")],
    Discriminator(_kind),
]


def as_list(value: Any) -> Any:
    """One stage may be given as a table instead of a list of tables."""
    return (value,) if isinstance(value, dict | StageTable) else value
