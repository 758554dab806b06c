"""Jobs for SLURM: scripts from templates, and sbatch, squeue and scancel.

A script holds commands that ask for the same (`Directives`). They run one after the other or, with
`SlurmSettings.parallel`, in lanes side by side in one allocation; lanes may share GPUs. Templates are jinja2, and a user's
own extends one of ours::

    {% extends "gpu.sh" %}
    {% block setup %}
    module load cuda
    {{ super() }}
    {% endblock %}

Blocks: header, resources, setup, environment, functions, lane (what each lane begins with), end. Nothing is asked for that
was not given: without a partition SLURM takes its own default.
"""

from __future__ import annotations

import getpass
import math
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from supercrystal.errors import StudyError, SupercrystalError, nearest
from supercrystal.sweep.directives import Directives

#: Templates that come with the package.
TEMPLATES = ("generic", "gpu", "mpi")
#: Seconds that a command of SLURM's may take; a controller that is away makes sbatch wait.
PATIENCE_S = 120.0
#: Job names: SLURM takes more, but squeue, file names and shells are happier with these.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


class SchedulerError(SupercrystalError, RuntimeError):
    """SLURM refused, or is not here."""


class SlurmSettings(BaseModel):
    """How a user wants her scripts; the table ``[slurm]`` of a TOML file, or options.

    Args:
        partition: only if given; likewise account, qos and constraint.
        options: further options of sbatch, as ``"--mail-type=END"``.
        template: ``"auto"``, one of `TEMPLATES`, or the path of a template of her own.
        setup: lines of shell before the work, as ``"module load openmpi"``.
        parallel: commands at a time in one allocation.
        per_gpu: commands that share a GPU.
        notice_s: SLURM asks to stop so long before the end, which is added to the walltime [s].
        logs: folder of what scripts print, from where sbatch is called.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    options: Annotated[tuple[Annotated[str, Field(pattern=r"^--?[a-zA-Z]")], ...], Field(strict=False)] = ()
    template: str = "auto"
    setup: Annotated[tuple[str, ...], Field(strict=False)] = ()
    parallel: Annotated[int, Field(ge=1, le=1024)] = 1
    per_gpu: Annotated[int, Field(ge=1, le=64)] = 1
    notice_s: Annotated[int, Field(ge=60, le=3600)] = 120
    logs: str = "slurm"


def load(path: Path) -> SlurmSettings:
    """Settings from the table ``[slurm]`` of a TOML file.

    Raises:
        StudyError: it cannot be read, or a key or value is not allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StudyError(f"{path} cannot be read: {error}") from error
    table = content.get("slurm")
    if not isinstance(table, dict):
        raise StudyError(f"{path} has no table [slurm]")
    return settings(table, str(path))


def settings(table: Mapping[str, Any], where: str = "[slurm]") -> SlurmSettings:
    """Settings from keys and values.

    Raises:
        StudyError: a key or value that is not allowed.
    """
    try:
        return SlurmSettings.model_validate(dict(table))
    except ValidationError as error:
        raise StudyError(f"{where}: {'; '.join(_explain(each) for each in error.errors())}") from None


def _explain(error: Any) -> str:
    path, fields = ".".join(map(str, error["loc"])), SlurmSettings.model_fields
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key{nearest(path, fields)}; allowed: {', '.join(fields)}"
    return f"{path} = {error['input']!r}: {error['msg']}"


def clock(seconds: float) -> str:
    """A time as SLURM writes it, rounded up to minutes, as SLURM counts.

    >>> clock(61), clock(90000)
    ('00:02:00', '1-01:00:00')
    """
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    return f"{f'{days}-' if days else ''}{hours:02d}:{minutes:02d}:00"


def script(
    commands: Sequence[Sequence[str]], directives: Directives, name: str, settings: SlurmSettings
) -> str:
    """The batch script.

    Args:
        commands: programs with their arguments. Each stops by itself when it gets TERM, and goes on when it is run again.
        directives: what each of them asks for.
        name: of the job.
        settings: the user's.

    Raises:
        StudyError: a name, template or combination that cannot be used.
    """
    if not commands:
        raise StudyError("a script needs a command")
    if not NAME.fullmatch(name):
        raise StudyError(f"job name '{name}': letters, digits and _ . + - are allowed")
    if settings.per_gpu > 1 and directives.gpus != 1:
        raise StudyError(
            f"per_gpu = {settings.per_gpu}: only commands that ask for one GPU can share it; these ask for "
            f"{directives.gpus}"
        )
    count = min(settings.parallel, len(commands))
    lanes = [[shlex.join(command) for command in commands[i::count]] for i in range(count)]
    gpus, seen = _gpus(directives.gpus, count, settings.per_gpu)
    asked = {key: getattr(settings, key) for key in ("partition", "account", "qos", "constraint")}
    memory = math.ceil(1024 * directives.memory_gib)
    return _render(
        settings.template if settings.template != "auto" else _fitting(directives),
        name=name,
        log=f"{settings.logs}/{name}-%j.out",
        time=clock(max(map(len, lanes)) * directives.walltime_s + settings.notice_s),
        notice_s=settings.notice_s,
        options=[*(f"--{key}={value}" for key, value in asked.items() if value), *settings.options],
        setup=settings.setup,
        programs=shlex.quote(str(Path(sys.executable).parent)),
        lanes=lanes,
        ranks=directives.ranks,
        cores=directives.cores,
        memory_mib=count * memory,
        memory_per_cpu_mib=math.ceil(memory / (directives.ranks * directives.cores)),
        gpus=gpus,
        seen=seen,
        directives=directives,
        settings=settings,
    )


def _gpus(each: int, lanes: int, per_gpu: int) -> tuple[int, list[list[int]]]:
    """GPUs in all, and which of them each lane sees."""
    if each <= 1:
        return each * math.ceil(lanes / per_gpu), [[lane // per_gpu] * each for lane in range(lanes)]
    return each * lanes, [list(range(lane * each, (lane + 1) * each)) for lane in range(lanes)]


def _fitting(directives: Directives) -> str:
    return "gpu" if directives.gpus else "mpi" if directives.ranks > 1 else "generic"


def _render(template: str, **values: Any) -> str:
    import jinja2

    ours = Path(__file__).parent / "templates"
    own = None if template in TEMPLATES else Path(template)
    if own is not None and not own.is_file():
        known = f"; did you mean '{close}'?" if (close := _close(template)) else ""
        raise StudyError(
            f"template '{template}' is no file{known}; allowed: auto, {', '.join(TEMPLATES)}, or the path of a template"
        )
    environment = jinja2.Environment(
        # A user's own may have the name of ours: she extends "generic.sh" from a generic.sh of hers.
        loader=jinja2.FileSystemLoader([ours, *([own.absolute().parent] if own else [])]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        made = (
            environment.from_string(own.read_text(encoding="utf-8"))
            if own
            else environment.get_template(f"{template}.sh")
        )
        text = made.render(**values)
    except jinja2.TemplateError as error:
        place = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise StudyError(f"template {template}{place}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"template {template} cannot be read: {error}") from error
    if not text.startswith("#!"):
        raise StudyError(
            f"template {template} does not begin with #!: extend one of ours, or write #!/bin/bash first"
        )
    return re.sub(r"\n{3,}", "\n\n", text)


def _close(template: str) -> str | None:
    return next((name for name in TEMPLATES if template.lower().removesuffix(".sh") == name), None)


def _call(
    program: str, *arguments: str, given: str | None = None, folder: Path | None = None
) -> tuple[str, str]:
    """Output and messages of a program of SLURM's."""
    if shutil.which(program) is None:
        raise SchedulerError(
            f"{program} is not here: submit where SLURM is, or look at the scripts with --pretend"
        )
    try:
        done = subprocess.run(
            [program, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SchedulerError(f"{program} did not answer within {PATIENCE_S:.0f} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"nothing but exit code {done.returncode}"
        raise SchedulerError(f"{program} refused: {said}")
    return done.stdout.strip(), done.stderr.strip()


def submit(
    text: str,
    folder: Path,
    settings: SlurmSettings,
    after: Sequence[str] = (),
    say: Callable[[str], None] = lambda message: None,
) -> str:
    """Give a script to SLURM.

    Args:
        text: the script.
        folder: where it runs, and from which `SlurmSettings.logs` counts.
        settings: with which it was made.
        after: jobs that must have ended before, however they ended.
        say: is told what sbatch warns of.

    Returns:
        The job's number.

    Raises:
        SchedulerError: sbatch refused; the message has all that it said.
    """
    (folder / settings.logs).mkdir(parents=True, exist_ok=True)
    options = ["--parsable", *([f"--dependency=afterany:{':'.join(after)}"] if after else [])]
    output, warnings = _call("sbatch", *options, given=text, folder=folder)
    if warnings:
        say(warnings)
    return output.split(";")[0]  # a cluster's name may follow


@dataclass(frozen=True)
class Queued:
    """A job that waits or runs.

    Args:
        id: its number.
        name: its name.
        state: SLURM's, as PENDING or RUNNING.
        reason: why it waits, or where it runs.
    """

    id: str
    name: str
    state: str
    reason: str


def queue(names: Sequence[str] | None = None) -> dict[str, Queued]:
    """The user's jobs that wait or run, by name; of several of a name the last submitted.

    Args:
        names: only these.

    Raises:
        SchedulerError: squeue gives no answer.
    """
    output, _ = _call("squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i|%T|%j|%R")
    wanted = None if names is None else set(names)
    found: dict[str, Queued] = {}
    for row in output.splitlines():
        number, state, name, reason = row.split("|", 3)
        if (wanted is None or name in wanted) and (name not in found or int(number) > int(found[name].id)):
            found[name] = Queued(number, name, state, reason)
    return found


def cancel(ids: Sequence[str]) -> None:
    """Take jobs back, whether they wait or run; what runs keeps its checkpoints.

    Raises:
        SchedulerError: scancel refused.
    """
    if not ids:
        return
    _, messages = _call("scancel", *ids)
    if messages:
        raise SchedulerError(f"scancel refused: {messages}")
