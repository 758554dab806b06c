"""How far a long job is: a bar with ETA on a terminal, one line per interval anywhere else. Always on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

#: Seconds between two lines where stderr is not a terminal.
INTERVAL_S = 15.0


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class Progress:
    """Progress of a job of known length, as a context manager.

    Args:
        title: what is done.
        total: steps in the whole job.
        done: steps done before (a resumed job); the rate does not count them.
        quiet: report nothing.
        stream: where to report.
    """

    def __init__(
        self, title: str, total: int, done: int = 0, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self._title, self._total, self._first, self._done = title, total, done, done
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._start = self._last = time.monotonic()
        self._bar = None
        if not quiet and self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"),
                TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            )  # fmt: skip
            self._bar = Bar(*columns, console=Console(file=self._stream), transient=True)
            self._task = self._bar.add_task(title, total=total, completed=done, rate="")

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        if not self._quiet and kind is None:
            self._line(final=True)

    def update(self, done: int, note: str = "") -> None:
        """Report that `done` steps of the whole job are done."""
        self._done = done
        now = time.monotonic()
        rate = (done - self._first) / max(now - self._start, 1e-9)
        if self._bar:
            self._bar.update(self._task, completed=done, rate=f"{rate:,.0f} steps/s {note}")
        elif not self._quiet and now - self._last >= INTERVAL_S:
            self._last = now
            self._line(note=note)

    def _line(self, final: bool = False, note: str = "") -> None:
        elapsed = time.monotonic() - self._start
        rate = (self._done - self._first) / max(elapsed, 1e-9)
        if final:
            text = f"{self._title}: {self._done:,} of {self._total:,} steps, {rate:,.0f} steps/s, {_clock(elapsed)}"
        else:
            left = _clock((self._total - self._done) / rate) if rate > 0 else "?"
            text = (
                f"{self._title}: {100 * self._done / self._total:.0f} %, step {self._done:,} of {self._total:,}, "
                f"{rate:,.0f} steps/s, {left} left{', ' + note if note else ''}"
            )
        print(text, file=self._stream, flush=True)
