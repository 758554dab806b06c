"""The report of a run: one HTML file that carries its pictures, its trajectory and where it came from.

The text of ``report.html`` is the page; this module fills it. Every string of a result is escaped. Only
`viewer` goes in as it is, because `supercrystal.report.viewer` made it.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from supercrystal.errors import StudyError
from supercrystal.report.figures import FigureFiles
from supercrystal.report.palette import phase_colours

_NOTHING = "–"


def write_report(
    path: str | Path, result: Mapping[str, Any], figures: Sequence[FigureFiles], viewer: str
) -> None:
    """Write the report to `path`, whole or not at all.

    Args:
        path: the HTML file; its directory must exist. A file that is there is replaced.
        result: ``name`` and ``verdict``, and of these what there is: ``comparison``, a list of ``quantity``,
            ``unit``, ``run``, ``uncertainty``, ``opm``, ``opm_difference_percent``, ``measured``,
            ``measured_difference_percent`` and ``measured_source``; ``fractions``, phase to ``mean`` and
            ``std`` (0 to 1); the lists of sentences ``by_construction``, ``found`` and ``limits``;
            ``provenance``, name to value; ``study_text``; and the list ``citations``.
        figures: drawn figures, in the order in which they are shown.
        viewer: what `supercrystal.report.viewer.viewer_html` returned, or an empty string.

    Raises:
        StudyError: a result without a name or a verdict.
    """
    missing = [key for key in ("name", "verdict") if not result.get(key)]
    if missing:
        raise StudyError(f"a report needs a name and a verdict; the result has no {' and no '.join(missing)}")
    page = Template(resources.files(__package__).joinpath("report.html").read_text("utf-8")).substitute(
        title=_text(result["name"]),
        stages=_text(", then ".join(result.get("stages") or ["drying"]).capitalize()),
        verdict=_text(result["verdict"]),
        comparison=_comparison(result.get("comparison") or []),
        fractions=_fractions(result.get("fractions") or {}),
        blocks=_blocks(
            {
                "What was found": result.get("found"),
                "What agrees by construction": result.get("by_construction"),
                "What this model may not claim": result.get("limits"),
            }
        ),
        viewer=_section("The nanocrystals", viewer),
        figures=_section("Figures", "\n".join(_figure(figure) for figure in figures)),
        provenance=_section("How this was made", _provenance(result.get("provenance") or {})),
        study=_study(result.get("study_text") or ""),
        citations=_section("Citations", _list(result.get("citations") or [], "ol", "citations")),
    )
    _replace(Path(path), page)


def number(value: float | str | None, uncertainty: float | None = None) -> str:
    """A value for a reader, escaped: as many digits as its uncertainty earns, or four significant ones.

    >>> number(9.7234, 0.0312), number(9.7234), number(-1.25), number(None), number("fcc")
    ('9.723', '9.723', '−1.25', '–', 'fcc')
    >>> number(12345.6, 230.0), number(0.4, 0.12), number(1.5e-7)
    ('12346', '0.40', '1.5e−07')
    """
    if isinstance(value, str):
        return _text(value)
    if value is None or not math.isfinite(value):
        return _NOTHING
    scale = uncertainty if uncertainty and math.isfinite(uncertainty) else value / 100
    decimals = max(0, 1 - math.floor(math.log10(abs(scale)))) if scale else 0
    text = f"{value:.4g}" if decimals > 6 or abs(value) >= 1e7 else f"{value:.{decimals}f}"
    if not uncertainty and "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")  # no digits that were not given
    return text.replace("-", "−")


def _comparison(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    columns: dict[str, list[str]] = {
        name: [] for name in ("this run", "±", "OPM", "measured elsewhere", "difference")
    }
    for row in rows:
        error = row.get("uncertainty")
        source = f"<small>{_text(row['measured_source'])}</small>" if row.get("measured_source") else ""
        differences = "<br>".join(
            f"{row[key]:+.1f} % from {name}".replace("-", "−")
            for key, name in (("opm_difference_percent", "OPM"), ("measured_difference_percent", "measured"))
            if row.get(key) is not None and math.isfinite(row[key])
        )
        cells = (
            f'<span class="own">{number(row.get("run"), error)}</span>',
            number(error, error),
            number(row.get("opm"), error),
            f"<span>{number(row.get('measured'))}</span>{source}",
            f"<span>{differences or _NOTHING}</span>",
        )
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
    # Runs of cubes have no OPM, most runs no measurement.
    kept = {
        name: column
        for name, column in columns.items()
        if any(cell not in (_NOTHING, f"<span>{_NOTHING}</span>") for cell in column)
    }
    lines = []
    for index, row in enumerate(rows):
        unit = f' <span class="unit">{_text(row["unit"])}</span>' if row.get("unit") else ""
        lines.append(
            f'<tr><th scope="row">{_text(row.get("quantity", _NOTHING))}{unit}</th>'
            + "".join(f'<td data-column="{name}">{column[index]}</td>' for name, column in kept.items())
            + "</tr>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("quantity", *kept))
    return _section(
        "This run beside models and measurements",
        f'<table class="comparison"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>',
    )


def _fractions(fractions: Mapping[str, Mapping[str, float]]) -> str:
    colours = phase_colours(fractions)
    lines = []
    for phase, share in fractions.items():
        mean, spread = share.get("mean"), share.get("std")
        if mean is None or not math.isfinite(mean):
            continue
        text = f"{100 * mean:.1f} %"
        if spread is not None and math.isfinite(spread):
            text += f" ± {100 * spread:.1f}"
        width = 100 * min(max(mean, 0.0), 1.0)
        lines.append(
            f'<dt>{_text(phase)}</dt><dd class="track" aria-hidden="true">'
            f'<span style="width:{width:.2f}%;background:{colours[phase]}"></span></dd><dd>{text}</dd>'
        )
    return _section("Phases of the bulk", f'<dl class="bars">{"".join(lines)}</dl>' if lines else "")


def _blocks(blocks: Mapping[str, Sequence[str] | None]) -> str:
    sections = [
        f"<section><h3>{title}</h3>{_list(items)}</section>" for title, items in blocks.items() if items
    ]
    return f'<div class="blocks">{"".join(sections)}</div>' if sections else ""


def _figure(figure: FigureFiles) -> str:
    # An SVG inside <img> keeps its ids to itself: two figures inline would share those of their clip paths.
    picture = base64.b64encode(figure.svg.read_bytes()).decode("ascii")
    caption = _text(figure.caption)
    return (
        f'<figure id="{_text(figure.name)}"><div class="wide">'
        f'<img src="data:image/svg+xml;base64,{picture}" alt="{caption}"></div>'
        f"<figcaption>{caption} Numbers: {_text(figure.csv.name)}.</figcaption></figure>"
    )


def _provenance(entries: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in entries.items()
    )
    return f'<table class="provenance"><tbody>{rows}</tbody></table>' if rows else ""


def _study(text: str) -> str:
    if not text.strip():
        return ""
    return f"<details><summary>The study file</summary><pre>{_text(text)}</pre></details>"


def _list(items: Iterable[str], tag: str = "ul", name: str = "") -> str:
    lines = "".join(f"<li>{_text(item)}</li>" for item in items)
    opening = f'<{tag} class="{name}">' if name else f"<{tag}>"
    return f"{opening}{lines}</{tag}>" if lines else ""


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>" if content.strip() else ""


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _replace(path: Path, page: str) -> None:
    """Write beside `path`, then rename: a reader sees the old report or the new one, never half of one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(page, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
