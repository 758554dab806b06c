"""``supercrystal validate``: published and exact results, reproduced on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from supercrystal.validation.check import Check


@click.command()
@click.option(
    "--long", is_flag=True, help="As many particles and steps as the references deserve: an hour or so."
)
@click.option(
    "--only", metavar="NAME[,NAME…]", help="Only these checks; the start of a name selects all that have it."
)
@click.option("--engine", type=click.Choice(["auto", "hoomd", "lammps"]), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option("--list", "only_list", is_flag=True, help="Print the names of the checks and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def validate(long: bool, only: str | None, engine: str, seed: int, only_list: bool, as_json: bool) -> None:
    """Reproduce results that others published or that theory gives exactly, and say where that fails.

    Exit code 1 if a check fails.
    """
    from supercrystal.validation import check

    names = check.chosen(only)
    if only_list:
        click.echo("\n".join(names))
        return
    setting = check.Setting(engine, seed, long)
    found = []
    for one in check.run(names, setting):
        found.append(one)
        if not as_json:
            click.echo(f"{one.name}: {'pass' if one.passed else 'FAIL'}  ({one.seconds:.1f} s)", err=True)
    if as_json:
        click.echo(json.dumps([one.to_dict() for one in found], indent=2, ensure_ascii=False))
    else:
        _print(found)
    if not all(one.passed for one in found):
        raise SystemExit(1)


def _print(found: list[Check]) -> None:
    from rich.table import Table

    from supercrystal.report.terminal import console

    table = Table(title="reference results", title_justify="left", show_lines=True)
    for name in ("result", "expected", "obtained", "allowed ±", "pass"):
        table.add_column(name, justify="left" if name in ("result", "pass") else "right", overflow="fold")
    for one in found:
        expected = f"{one.expected:.5g}" + (f" ± {one.expected_error:.2g}" if one.expected_error else "")
        obtained = f"{one.obtained:.5g}" + (f" ± {one.error:.2g}" if one.error else "")
        table.add_row(one.result, expected, obtained, f"{one.tolerance:.2g}", "yes" if one.passed else "NO")
    console().print(table)
    click.echo("sources:")
    for one in found:
        engine = f"; {one.engine}" if one.engine else ""
        seed = f", seed {one.seed}" if one.seed is not None else ""
        click.echo(f"  {one.name} ({one.kind}): {one.source or '–'}{engine}{seed}")
        if one.note:
            click.echo(f"    {one.note}")
