"""Which tables a system needs: for every pair of types one of what acts always, and one of what the solvent scales."""

from __future__ import annotations

from collections.abc import Callable

from supercrystal.interactions.tabulation import Grid, Interpolation, Table, tabulate
from supercrystal.system import PairPotential, Schedule, System, closest_approaches

Pair = tuple[str, str]


def tables(
    system: System,
    schedule: Schedule,
    interpolation: Interpolation,
    grid: Grid,
    native: Callable[[PairPotential], bool] = lambda potential: False,
    most_scaled: int | None = None,
) -> tuple[dict[Pair, Table], dict[Pair, Table]]:
    """Tables of each pair of types: of its own potentials, and of those that the solvent's strength multiplies.

    Args:
        system: particles and potentials.
        schedule: how strong the solvent's potentials get.
        interpolation: as the engine interpolates.
        grid: as the engine's tables are spaced.
        native: which potentials the engine has itself; they are left out.
        most_scaled: largest number of points of a table that the solvent scales.
    """
    own: dict[Pair, Table] = {}
    scaled: dict[Pair, Table] = {}
    for types, start in closest_approaches(system, schedule).items():
        pairs, solvent = system.between(*types)
        layers = (([p for p in pairs if not native(p)], own, None), (list(solvent), scaled, most_scaled))
        for potentials, found, most in layers:
            if potentials:
                begin = min(start, _inside(potentials))
                found[types] = tabulate(
                    potentials, interpolation=interpolation, grid=grid, start=begin, most=most
                )
    return own, scaled


def _inside(potentials: list[PairPotential]) -> float:
    """A start inside the range of potentials that end before the pair's closest approach."""
    return 0.99 * max(potential.r_cut for potential in potentials)
