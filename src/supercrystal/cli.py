"""The command line: parse, call, print. Every import of a room waits until its command runs.

Results go to stdout, messages to stderr. Exit codes: 0 done, 1 the run or analysis failed, 2 wrong use or input.
"""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import click

from supercrystal import __version__, ranks


class _Group(click.Group):
    """A group that loads the commands of other modules when they are asked for, and reports errors in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in _ELSEWHERE:
            import importlib

            module, attribute = _ELSEWHERE[name]
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            name, command, rest = super().resolve_command(ctx, args)
        except click.UsageError as error:
            from supercrystal.errors import nearest

            raise click.UsageError(error.message + nearest(args[0], self.list_commands(ctx)), ctx) from None
        if name not in _ON_RANKS:
            ranks.by_itself(str(name))
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        from supercrystal.errors import SupercrystalError

        try:
            with ranks.together(_report):
                return super().invoke(ctx)
        except SupercrystalError as error:
            raise SystemExit(_report(error)) from None


def _report(error: BaseException) -> int:
    """Print an error and return the exit code."""
    from supercrystal.errors import SimulationError, SupercrystalError

    if isinstance(error, SupercrystalError):
        click.echo(f"supercrystal: {error}", err=True)
        return 1 if isinstance(error, SimulationError) else 2
    traceback.print_exception(error)
    return 1


#: Commands that share one simulation among the ranks of mpiexec.
_ON_RANKS = ("run",)
#: Commands that live in another module: name → (module, attribute).
_ELSEWHERE = {
    "describe": ("supercrystal.cli_structure", "describe"),
    "grow": ("supercrystal.cli_grow", "grow"),
    "identify": ("supercrystal.cli_structure", "identify"),
    "predict": ("supercrystal.cli_predict", "predict"),
    "relax": ("supercrystal.cli_relax", "relax"),
    "scatter": ("supercrystal.cli_scatter", "scatter"),
    "sweep": ("supercrystal.cli_sweep", "sweep"),
    "validate": ("supercrystal.cli_validate", "validate"),
}


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="supercrystal")
def main() -> None:
    """Self-assembly of ligand-capped nanocrystals: simulate, identify, compare with packing models."""


def _print_json(content: Any) -> None:
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


@main.command()
@click.argument("study", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Run directory  [default: runs/NAME-seedSEED]"
)
@click.option("--engine", type=click.Choice(["auto", "hoomd", "lammps"]), help="Override the study's engine.")
@click.option("--device", type=click.Choice(["auto", "gpu", "cpu"]), help="Override the study's device.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Override the study's seed.")
@click.option("--resume", is_flag=True, help="Continue the run in the directory from its last checkpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print result.json instead of a table.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def run(
    study: Path,
    out: Path | None,
    engine: str | None,
    device: str | None,
    seed: int | None,
    resume: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the STUDY file: simulate, name the superlattice, compare, report."""
    from supercrystal import study as studies
    from supercrystal.run import run as run_study

    loaded, text = studies.load(study)
    if seed is not None and seed != loaded.seed:
        loaded, text = studies.with_seed(text, seed, str(study))
    out = out or Path("runs") / f"{loaded.name}-seed{loaded.seed}"
    result = run_study(loaded, text, out, engine=engine, device=device, resume=resume, quiet=quiet)
    if not ranks.world().leads:
        return
    if as_json:
        _print_json(result)
    else:
        from supercrystal.report.terminal import console, result_table

        console().print(result_table(result))
        click.echo(f"report: {out / 'report.html'}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Say which engines and packages are here and usable, and what to do about what is missing."""
    from supercrystal.doctor import examine

    found = examine()
    if as_json:
        _print_json(found)
    else:
        from supercrystal.report.terminal import console, doctor_table

        console().print(doctor_table(found))
    if found["auto"] is None:
        raise SystemExit(1)
