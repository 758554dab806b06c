"""The nanocrystals of a study: ``[[nanocrystals]]`` with their cores and ligands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from supercrystal import library, shapes
from supercrystal.errors import PhysicsError, nearest
from supercrystal.nanocrystal import Core, Ligand, Nanocrystal
from supercrystal.study_stages import Table, number

#: How pydantic marks the two ways to give a ligand in the location of an error.
LIGAND_TAGS = ("by name", "by carbons")


_Length: Any = number(1.0, 50.0, "nanometres: 7 nm is 7.0, not 70 (ångström) nor 7e-9 (metres)")

#: The key that says the size of each shape.
SIZES = {"sphere": "diameter_nm", "cube": "edge_nm", "plate": "edges_nm"}


class CoreTable(Table):
    """``[nanocrystals.core]``."""

    material: str
    shape: Literal["sphere", "cube", "plate"] = "sphere"
    diameter_nm: _Length | None = None
    edge_nm: _Length | None = None
    edges_nm: Annotated[tuple[_Length, _Length, _Length], Field(strict=False)] | None = None
    truncation_nm: number(0.0, 25.0, "cut off each edge at each corner") = 0.0  # type: ignore[valid-type]

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

    @model_validator(mode="after")
    def _sized(self) -> CoreTable:
        wanted = SIZES[self.shape]
        if getattr(self, wanted) is None:
            raise ValueError(f"a {self.shape} needs {wanted}")
        others = sorted(key for key in {*SIZES.values()} - {wanted} if getattr(self, key) is not None)
        if others:
            raise ValueError(
                f"a {self.shape} has {wanted}, not {', '.join(others)}: leave it out, or give shape = "
                f"{', '.join(repr(shape) for shape, key in SIZES.items() if key in others)}"
            )
        if self.truncation_nm and self.shape == "sphere":
            raise ValueError("a sphere has no corners: leave truncation_nm out")
        try:
            self.core()
        except PhysicsError as error:
            raise ValueError(str(error)) from None
        return self

    def core(self) -> Core:
        """The core as physics sees it."""
        if self.diameter_nm is not None:
            return Core(self.material, self.diameter_nm)
        edges = self.edges_nm or (self.edge_nm,) * 3
        return Core.of(self.material, shapes.cuboid(edges, self.truncation_nm))  # type: ignore[arg-type]


class LigandTable(Table):
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


class NanocrystalTable(Table):
    """``[[nanocrystals]]``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.+-]*$", max_length=32)] | None = None
    count: Annotated[int, Field(ge=1, le=10_000_000)]
    excess: number(0.0, 10.0, "share of `count` that is added to it: 0.2 is 20 % more") = 0.0  # type: ignore[valid-type]
    core: CoreTable
    ligand: Annotated[
        Annotated[str, Tag(LIGAND_TAGS[0])] | Annotated[LigandTable, Tag(LIGAND_TAGS[1])],
        Discriminator(lambda value: LIGAND_TAGS[not isinstance(value, str)]),
        BeforeValidator(lambda value: {"carbons": value} if type(value) is int else value),
    ]
    grafting_density_per_nm2: number(0.1, 10.0, "ligands per nm² of core surface")  # type: ignore[valid-type]
    coverage: number(0.05, 2.0, "ξ; left out, it is the grafting density over 5.5 nm⁻²") | None = None  # type: ignore[valid-type]
    shell_nm: number(0.1, 10.0, "measured thickness of the ligand shell") | None = None  # type: ignore[valid-type]
    size_dispersity: number(0.0, 0.15, "standard deviation over mean: 5 % is 0.05") = 0.0  # type: ignore[valid-type]

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

    def nanocrystal(self, geometry: str) -> Nanocrystal:
        """The nanocrystal as physics sees it, its chains in this geometry."""
        if isinstance(self.ligand, str):
            ligand = library.ligand(self.ligand, geometry)
        else:
            double = self.ligand.double_bonds
            label = f"C{self.ligand.carbons}" + (f":{double}" if double else "")
            ligand = Ligand(label, self.ligand.carbons, double, geometry)
        return Nanocrystal(
            self.core.core(), ligand, self.grafting_density_per_nm2, self.coverage, self.shell_nm
        )
