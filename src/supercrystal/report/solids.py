"""The comparison of crystals as a table on a terminal and as a figure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, cast

from supercrystal.report.palette import ACCENT, FIGURE_STYLE, MODEL, MUTED
from supercrystal.units import kpa_per_kt_nm3

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Group
    from rich.text import Text

#: Differences below this are drawn on a linear scale, larger ones on a logarithmic one [kT].
LINEAR = 0.1


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _with_error(value: float, error: float) -> str:
    digits = 3 if error <= 0 else min(5, max(2, int(f"{error:e}".split("e")[1]) * -1 + 1))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _cell(static: dict[str, Any]) -> str:
    a, b, c = static["lengths_nm"]
    alpha, beta, gamma = static["angles_degrees"]
    lengths = f"{a:.3f}" if abs(a - b) + abs(a - c) < 1e-3 else f"{a:.3f} {b:.3f} {c:.3f}"
    right = max(abs(alpha - 90), abs(beta - 90)) < 0.05 and min(abs(gamma - 90), abs(gamma - 120)) < 0.05
    return lengths if right else f"{lengths} / {alpha:.1f}° {beta:.1f}° {gamma:.1f}°"


def table(result: dict[str, Any]) -> Group:
    """Table of all candidates, with verdict and limits."""
    if "sizes_nm" in result:
        return _body_table(result)
    from rich.console import Group
    from rich.table import Table

    settings = result["settings"]
    kpa = settings["pressure"] * kpa_per_kt_nm3(result["temperature_K"])
    found = Table(
        title=f"{result['study']}: crystals at {settings['pressure']:.4g} kT/nm³ ({kpa:.4g} kPa), "
        f"{result['pressure_from']}; energies per particle",
        title_justify="left",
    )
    for name in (
        "candidate",
        "ρ (1/nm³)",
        "η",
        "a, b, c (nm)",
        "H₀ above (kT)",
        "modes",
        "G above (kT)",
        "at kT",
    ):
        found.add_column(name, justify="left" if name in ("candidate", "modes", "at kT") else "right")
    for row in result["candidates"]:
        static, stability, dynamics = row["static"], row["stability"], row["dynamics"]
        free = row["free_energy"]
        above = "–"
        if row["gibbs_above_kT"] is not None:
            above = _with_error(row["gibbs_above_kT"], free["error_kT"])
            above += "" if free["anharmonic"] else " (harmonic)"
        found.add_row(
            row["name"] + (" (added)" if row["added"] else ""),
            _number(static and static["density_per_nm3"], 6),
            _number(static and static["packing_fraction"]),
            _cell(static) if static else "–",
            _number(row["enthalpy_above_kT"], 4),
            "–" if stability is None else "stable" if stability["stable"] else "not stable",
            above,
            "–" if dynamics is None else dynamics["words"],
        )
    return Group(found, *_notes(result))


def _notes(result: dict[str, Any]) -> list[Text]:
    from rich.text import Text

    notes = [Text(result["verdict"], style="bold")]
    notes += [Text(f"{row['name']}: {line}") for row in result["candidates"] for line in row["why"]]
    return notes + [Text(f"mind: {line}") for line in result["limits"]]


def _body_table(result: dict[str, Any]) -> Group:
    """Table of crystals of spheres and cuboids: no free energy, but packing of shapes and orientations."""
    from rich.console import Group
    from rich.table import Table

    settings = result["settings"]
    kpa = settings["pressure"] * kpa_per_kt_nm3(result["temperature_K"])
    found = Table(
        title=f"{result['study']}: crystals of bodies at {settings['pressure']:.4g} kT/nm³ ({kpa:.4g} kPa), "
        f"{result['pressure_from']}; energies per particle",
        title_justify="left",
    )
    columns = ("candidate", "η", "a, b, c (nm)", "rigid a (nm)", "H₀ above (kT)", "disturbed, T = 0", "at kT")
    for name in columns:
        left = name in ("candidate", "disturbed, T = 0", "at kT")
        found.add_column(name, justify="left" if left else "right")
    for row in result["candidates"]:
        static, stability, dynamics = row["static"], row["stability"], row["dynamics"]
        rigid = row["rigid_constants_nm"]
        found.add_row(
            row["name"] + (" (added)" if row["added"] else ""),
            _number(static and static["packing_fraction"]),
            _cell(static) if static else "–",
            "–" if rigid is None else " ".join(f"{rigid[key]:.3f}" for key in ("a", "c") if key in rigid),
            _number(row["enthalpy_above_kT"], 3),
            "–" if stability is None else "stays" if stability["stable"] else "gives way",
            "–" if dynamics is None else dynamics["words"],
        )
    return Group(found, *_notes(result))


def figure(result: dict[str, Any], suffix: str = ".png") -> bytes:
    """Enthalpy at T = 0 and Gibbs energy at kT of every candidate over the lowest set of phases at its composition.

    Args:
        result: as in ``relax.json``.
        suffix: ``".png"`` or ``".svg"``.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = result["candidates"]
    sink = io.BytesIO()
    with rc_context(cast("Any", FIGURE_STYLE)):
        drawn = Figure(
            figsize=(6.3, 1.35 + 0.34 * len(rows)), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05)
        )
        FigureCanvasAgg(drawn)
        _draw(drawn.add_subplot(), rows)
        metadata = {"Date": None} if suffix == ".svg" else None
        drawn.savefig(sink, dpi=160, format=suffix.lstrip("."), metadata=metadata)
    return sink.getvalue()


def _draw(axes: Axes, rows: list[dict[str, Any]]) -> None:
    largest = LINEAR
    for y, row in enumerate(rows):
        enthalpy, gibbs = row["enthalpy_above_kT"], row["gibbs_above_kT"]
        if enthalpy is not None:
            axes.plot(enthalpy, y - 0.13, "D", ms=5, mfc="white", mec=MODEL, mew=1.3, clip_on=False, zorder=3)
            largest = max(largest, enthalpy)
        if gibbs is not None:
            error = row["free_energy"]["error_kT"]
            axes.errorbar(
                gibbs, y + 0.13, xerr=error, fmt="o", ms=5, color=ACCENT, capsize=2.5, clip_on=False, zorder=3
            )
            largest = max(largest, gibbs + error)
        words = [] if row["stability"] is None or row["stability"]["stable"] else ["not stable"]
        if row["dynamics"] is not None and not row["dynamics"]["survived"]:
            words.append(row["dynamics"]["words"])
        if row["static"] is None:
            words = ["no minimum of the enthalpy"]
        if words:
            axes.annotate(
                "; ".join(words),
                (1.0, y),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=MUTED,
            )
    axes.plot([], [], "D", ms=5, mfc="white", mec=MODEL, mew=1.3, label="enthalpy, T = 0")
    if any(row["gibbs_above_kT"] is not None for row in rows):
        harmonic = all(not (row["free_energy"] or {}).get("anharmonic") for row in rows)
        label = "Gibbs energy, kT" + (", harmonic" if harmonic else "")
        axes.errorbar([], [], xerr=[], fmt="o", ms=5, color=ACCENT, capsize=2.5, label=label)
    axes.axvline(0, color=MUTED, lw=0.8)
    axes.set_xscale("symlog", linthresh=LINEAR)
    left = min(
        (
            row["gibbs_above_kT"] - row["free_energy"]["error_kT"]
            for row in rows
            if row["gibbs_above_kT"] is not None
        ),
        default=0.0,
    )
    axes.set_xlim(min(-0.01, 1.3 * left), 1.6 * largest)
    ticks = [0.0, 0.05, 0.1, *(10.0**k for k in range(0, 4))]
    ticks = [tick for tick in ticks if tick <= 1.6 * largest]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.set_xlabel("above the lowest at the same composition (kT per particle)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
