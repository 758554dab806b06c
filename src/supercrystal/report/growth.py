"""Figure of seeded runs: crystalline share in time."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from supercrystal.growth import FOLLOWED, History
from supercrystal.report.palette import FIGURE_STYLE, MUTED, phase_colours


def crystalline_share(
    histories: Sequence[History], seeds: Sequence[int], phase: str, folder: Path
) -> tuple[Path, Path]:
    """Draw the crystalline share of each run over time, with what a rate is taken from between the lines.

    Args:
        histories: one a run.
        seeds: of the runs.
        phase: of the seed.
        folder: existing directory; ``growth.png`` and ``growth.csv`` are written there.

    Returns:
        Paths of the picture and of the table.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colour = next(iter(phase_colours([phase]).values()))
    picture, table = folder / "growth.png", folder / "growth.csv"
    with rc_context(cast("Any", FIGURE_STYLE)):
        figure = Figure(figsize=(6.3, 2.8), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for share in FOLLOWED:
            axes.axhline(share, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        for history in histories:
            axes.plot(history.time, history.share, color=colour, linewidth=1.2, alpha=0.85)
        axes.set(
            xlabel="time since release (Brownian times)",
            ylabel=f"{phase} share of\nall nanocrystals",
            ylim=(0, 1.02),
            xlim=(0, max(float(history.time[-1]) for history in histories)),
        )
        runs = "1 seeded run" if len(histories) == 1 else f"{len(histories)} seeded runs"
        axes.set_title(f"{runs}; rates from between the dashed lines", fontsize="medium", loc="left")
        figure.savefig(picture, dpi=200)
    with table.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(("seed", "time [Brownian times]", "crystalline", "particles"))
        for seed, history in zip(seeds, histories, strict=True):
            writer.writerows(
                (seed, time, int(count), history.total)
                for time, count in zip(history.time, history.count, strict=True)
            )
    return picture, table
