"""``supercrystal sweep``: many studies over a data space.

Importing this module imports click and nothing else; results go to stdout, what happens to stderr.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from supercrystal.sweep.space import Space

_HERE = click.option(
    "-C",
    "--directory",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Directory of the sweep.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="No messages on stderr.")
_LAUNCHER = click.option(
    "--launcher", metavar="COMMAND", help="Start simulations through it, as 'mpiexec -n 2'."
)


@click.group()
def sweep() -> None:
    """Run many studies that differ in a few keys, and collect what they found."""


def _print_json(content: Any) -> None:
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _say(quiet: bool) -> Any:
    return (lambda message: None) if quiet else (lambda message: click.echo(message, err=True))


def _chosen(space: Space, jobs: Sequence[str]) -> list[str] | None:
    return [space.find(job) for job in jobs] or None


@sweep.command()
@click.argument("specification", metavar="SWEEP.toml", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Its directory  [default: sweeps/NAME]",
)
@_JSON
@_QUIET
def init(specification: Path, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Make the jobs of a sweep; again, to add those of a SWEEP.toml with more values."""
    from supercrystal.sweep import row
    from supercrystal.sweep import specification as specifications
    from supercrystal.sweep.space import initialise

    say = _say(quiet)
    loaded, base = specifications.load(specification)
    out = out or Path("sweeps") / loaded.name
    text = specification.read_text(encoding="utf-8")
    space = initialise(loaded, base, text, out, lambda n: say(f"{n} points") if n % 500 == 0 else None)
    row.write(space)
    for bad in space.invalid:
        say(f"left out: {json.dumps(bad['axes'], ensure_ascii=False)}: {bad['error']}")
    if as_json:
        _print_json({"directory": str(out), "jobs": sorted(space.entries), "invalid": space.invalid})
    else:
        left = f"; {len(space.invalid)} points are no studies and were left out" if space.invalid else ""
        click.echo(f"{len(space.entries)} jobs in {out}{left}")


@sweep.command()
@_HERE
@click.option("--jobs", "listed", is_flag=True, help="List every job.")
@_JSON
def status(root: Path, listed: bool, as_json: bool) -> None:
    """Say how far a sweep is."""
    from supercrystal.sweep import status as states
    from supercrystal.sweep.space import read

    space = read(root)
    found = states.survey(space)
    whole = states.summary(space, found)
    if as_json:
        _print_json({**whole, "list": [states.record(job) for job in found]})
        return
    from supercrystal.sweep.tables import print_status

    print_status(whole, found, listed)


@sweep.command()
@click.argument("jobs", nargs=-1)
@_HERE
@click.option(
    "-p", "--parallel", type=click.IntRange(1), default=1, show_default=True, help="Jobs at a time."
)
@click.option(
    "--walltime", type=click.FloatRange(1), metavar="S", help="Stop before so many seconds have passed."
)
@click.option("--retry", is_flag=True, help="Also jobs that failed.")
@_LAUNCHER
@_JSON
@_QUIET
def run(
    jobs: tuple[str, ...],
    root: Path,
    parallel: int,
    walltime: float | None,
    retry: bool,
    launcher: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run what is left of a sweep, or of some JOBS, on this machine.

    Exit code 1 if a job failed or was not touched; the others were run all the same.
    """
    import dataclasses

    from supercrystal.sweep import runner
    from supercrystal.sweep.space import read

    space = read(root)
    outcome = runner.run(
        space,
        _chosen(space, jobs),
        parallel=parallel,
        walltime_s=walltime,
        retry=retry,
        launcher=shlex.split(launcher or ""),
        say=_say(quiet),
    )
    if as_json:
        _print_json(dataclasses.asdict(outcome))
    else:
        parts = {
            "done": outcome.done,
            "failed": outcome.failed,
            "interrupted": outcome.interrupted,
            "busy elsewhere": outcome.busy,
            "not touched": outcome.untouched,
            "not begun": outcome.left,
        }
        click.echo(
            ", ".join(f"{len(value)} {name}" for name, value in parts.items() if value) or "nothing to do"
        )
    if outcome.failed or outcome.untouched:
        raise SystemExit(1)


@sweep.command()
@click.argument("jobs", nargs=-1)
@_HERE
@click.option("--pretend", is_flag=True, help="Print the scripts and submit nothing.")
@click.option("--bundle", type=click.IntRange(1), default=1, show_default=True, help="Jobs in a script.")
@click.option(
    "--settings", type=click.Path(path_type=Path, dir_okay=False), help="TOML file with a table [slurm]."
)
@click.option("--partition", help="Left out, none is asked for.")
@click.option("--account")
@click.option(
    "--template", metavar="NAME|FILE", help="generic, gpu, mpi, or a template that extends one of them."
)
@click.option("--parallel", type=click.IntRange(1), help="Jobs at a time in a script.")
@click.option("--per-gpu", type=click.IntRange(1), help="Jobs that share a GPU.")
@click.option("--retry", is_flag=True, help="Also jobs that failed.")
@_JSON
@_QUIET
def submit(
    jobs: tuple[str, ...],
    root: Path,
    pretend: bool,
    bundle: int,
    settings: Path | None,
    retry: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Submit what is left of a sweep, or of some JOBS, to SLURM."""
    from supercrystal.sweep import slurm, submission
    from supercrystal.sweep.space import read

    table = slurm.load(settings).model_dump() if settings else {}
    table |= {key: value for key, value in given.items() if value is not None}
    space = read(root)
    made = submission.submit(
        space,
        _chosen(space, jobs),
        slurm.settings(table, "options"),
        bundle=bundle,
        retry=retry,
        pretend=pretend,
        say=_say(quiet),
    )
    if as_json:
        _print_json(made)
    elif pretend:
        click.echo("\n".join(made.values()) or "nothing to submit")
    else:
        click.echo(f"{len(made)} scripts submitted" if made else "nothing to submit")


@sweep.command("exec")
@click.argument("jobs", nargs=-1, required=True)
@_HERE
@click.option("--operation", help="Only this one  [default: all that are left]")
@_LAUNCHER
def execute(jobs: tuple[str, ...], root: Path, operation: str | None, launcher: str | None) -> None:
    """Do what is left of JOBS in this process, one after the other: what runners and schedulers call."""
    from supercrystal.sweep import execution
    from supercrystal.sweep.operations import OPERATIONS
    from supercrystal.sweep.space import read

    if operation is not None and operation not in OPERATIONS:
        from supercrystal.errors import nearest

        raise click.UsageError(
            f"operation '{operation}': allowed {', '.join(OPERATIONS)}{nearest(operation, OPERATIONS)}"
        )
    space = read(root)
    bad = execution.DONE
    for job in [space.find(start) for start in jobs]:
        code = execution.execute(
            space.entries[job], space.folder(job), operation, shlex.split(launcher or ""), _say(False)
        )
        bad = bad or code
        if code == execution.STOPPED:  # who asked for it meant all of them
            break
    if bad:
        raise SystemExit(bad)


@sweep.command()
@_HERE
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="Where  [default: SWEEP/collected]"
)
@_JSON
def collect(root: Path, out: Path | None, as_json: bool) -> None:
    """Write the table of all state points, the phase diagram and a summary page."""
    from supercrystal.sweep.collect import collect as gather
    from supercrystal.sweep.space import read

    written = gather(read(root), out or root / "collected")
    if as_json:
        _print_json({name: str(path) for name, path in written.items()})
    else:
        for name, path in written.items():
            click.echo(f"{name}: {path}")
