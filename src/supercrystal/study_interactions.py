"""The interaction of a study: ``[model.interaction]``, one table a kind, or the kind alone where nothing is to be chosen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Tag, model_validator

from supercrystal.models.effective import solvent_volume_nm3
from supercrystal.models.pair_interactions import (
    BrushInteraction,
    Interaction,
    MieInteraction,
    OsmoticElasticInteraction,
    PowerLawInteraction,
)
from supercrystal.study_stages import Table, number

_CROSS = number(0.01, 100.0, "energy of unlike species over that of like ones")
_DEPTH = number(0.0, 50.0, "kT; 0 is a good solvent, 2 to 4 crystallise, deeper ones gel")
_VOLUME = number(0.01, 2.0, "nm³ a molecule; left out, that of the study's solvent")


class ShellInteractionTable(Table):
    """``[model.interaction]`` of kind shell, the default: nothing to choose."""

    kind: Literal["shell"] = "shell"

    def physics(self, solvent: str) -> None:
        """Nothing: `models.shells` builds it."""


class PowerLawTable(Table):
    """``[model.interaction]`` of kind power-law."""

    kind: Literal["power-law"]
    exponent: number(4.0, 100.0, "n of (σ/r)^n")  # type: ignore[valid-type]
    strength_kT: number(0.01, 1000.0, "kT at the OPM distance") = 1.0  # type: ignore[valid-type]
    cross_strength: _CROSS = 1.0  # type: ignore[valid-type]
    range: number(1.2, 10.0, "cut-off over the OPM distance") = 2.5  # type: ignore[valid-type]

    def physics(self, solvent: str) -> Interaction:
        """The interaction as physics sees it."""
        return PowerLawInteraction(self.exponent, self.strength_kT, self.cross_strength, self.range)


class MieTable(Table):
    """``[model.interaction]`` of kind mie or shifted-mie."""

    kind: Literal["mie", "shifted-mie"]
    depth_kT: _DEPTH  # type: ignore[valid-type]
    repulsion_exponent: number(4.0, 200.0, "n") = 12.0  # type: ignore[valid-type]
    attraction_exponent: number(3.1, 150.0, "m < n") = 6.0  # type: ignore[valid-type]
    core_kT: number(0.1, 100.0, "energy scale of the repulsive core in kT") = 1.0  # type: ignore[valid-type]
    minimum: Literal["opm", "ocm"] = "opm"
    cross_strength: _CROSS = 1.0  # type: ignore[valid-type]
    range: number(1.1, 10.0, "cut-off over the distance of the minimum, from the shift on") = 2.25  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _exponents(self) -> MieTable:
        if self.attraction_exponent >= self.repulsion_exponent:
            raise ValueError(
                f"attraction_exponent = {self.attraction_exponent:g} must be below repulsion_exponent = "
                f"{self.repulsion_exponent:g}"
            )
        return self

    def physics(self, solvent: str) -> Interaction:
        """The interaction as physics sees it."""
        settings = self.model_dump(exclude={"kind"})
        return MieInteraction(**settings, shifted=self.kind == "shifted-mie")


class BrushTable(Table):
    """``[model.interaction]`` of kind brush: everything follows from core, ligand and grafting density."""

    kind: Literal["brush"]

    def physics(self, solvent: str) -> Interaction:
        """The interaction as physics sees it."""
        return BrushInteraction()


class OsmoticElasticTable(Table):
    """``[model.interaction]`` of kind osmotic-elastic."""

    kind: Literal["osmotic-elastic"]
    chi: number(-1.0, 2.0, "Flory's χ: below 0.5 a good solvent, above it a poor one")  # type: ignore[valid-type]
    solvent_volume_nm3: _VOLUME | None = None  # type: ignore[valid-type]
    core_exponent: number(4.0, 50.0, "of the gap, in the ligand-volume core") = 8.0  # type: ignore[valid-type]

    def physics(self, solvent: str) -> Interaction:
        """The interaction as physics sees it.

        Raises:
            PhysicsError: no volume of the solvent's molecules is known.
        """
        volume = (
            self.solvent_volume_nm3 if self.solvent_volume_nm3 is not None else solvent_volume_nm3(solvent)
        )
        return OsmoticElasticInteraction(self.chi, volume, self.core_exponent)


InteractionTable = ShellInteractionTable | PowerLawTable | MieTable | BrushTable | OsmoticElasticTable

#: The tables by the kind of the interaction.
INTERACTIONS: dict[str, type[Table]] = {
    "shell": ShellInteractionTable,
    "power-law": PowerLawTable,
    "mie": MieTable,
    "shifted-mie": MieTable,
    "brush": BrushTable,
    "osmotic-elastic": OsmoticElasticTable,
}


def _kind(value: Any) -> Any:
    kind = value.get("kind", "shell") if isinstance(value, dict) else getattr(value, "kind", None)
    return "mie" if kind == "shifted-mie" else kind


AnyInteraction = Annotated[
    Annotated[ShellInteractionTable, Tag("shell")]
    | Annotated[PowerLawTable, Tag("power-law")]
    | Annotated[MieTable, Tag("mie")]
    | Annotated[BrushTable, Tag("brush")]
    | Annotated[OsmoticElasticTable, Tag("osmotic-elastic")],
    Discriminator(_kind),
    BeforeValidator(lambda value: {"kind": value} if isinstance(value, str) else value),
]
