"""Pages of a job and of a sweep: one HTML file each, readable offline. Every string is escaped by the template engine."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supercrystal.rundir import write_atomically
from supercrystal.sweep import provenance

if TYPE_CHECKING:
    from supercrystal.sweep.operations import Job


def shown(value: Any) -> str:
    """A cell of a table.

    >>> shown(9.75312), shown(None), shown(3), shown("fcc"), shown(1e-9)
    ('9.753', '–', '3', 'fcc', '1.000e-09')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.3e}"
    return str(value)


def render(title: str, lead: str, sections: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        title: of the page.
        lead: below it.
        sections: each with ``title`` and of these what it has: ``lines``, ``figures`` (``data``, base64 of a PNG, and
            ``caption``), ``header`` and ``rows`` of a table, ``items`` of a list, ``links``.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["shown"] = shown
    template = environment.from_string(resources.files(__package__).joinpath("page.html").read_text("utf-8"))
    keys = ("lines", "figures", "header", "rows", "items", "links")
    complete = [dict.fromkeys(keys) | dict(section) for section in sections]
    # `items` is a method of dict, so sections are objects to the template.
    from types import SimpleNamespace

    return template.render(title=title, lead=lead, sections=[SimpleNamespace(**one) for one in complete])


def picture(path: Path, caption: str) -> dict[str, str]:
    """A PNG for a section."""
    return {"data": base64.b64encode(path.read_bytes()).decode(), "caption": caption}


def write_job_page(job: Job) -> None:
    """Write figure and page of a finished job."""
    from supercrystal.sweep.operations import FIGURE, PRODUCTS, RUN

    found, compared = job.product("identify"), job.product("compare")
    kind = job.statepoint["operation"]
    if kind == "relax":
        from supercrystal.report.solids import figure

        drawn = figure(job.product("relax"))
    else:
        drawn = (job.folder / RUN / "figures" / "phases-over-time.png").read_bytes()
    write_atomically(job.folder / FIGURE, drawn)
    point = {key: value for key, value in job.statepoint.items() if key not in ("axes", "relax")}
    point |= {**_dotted(job.statepoint["axes"]), **_dotted(job.statepoint.get("relax", {}), "relax.")}
    came = provenance.read(job.folder)
    links = ["study.toml", PRODUCTS[kind], "compare.json", "provenance.json"]
    sections = [
        {
            "title": "What was found",
            "lines": [found["verdict"], f"How: {found['how']}."],
            "figures": [
                picture(
                    job.folder / FIGURE,
                    "Candidates beside each other" if kind == "relax" else "Phases over time",
                )
            ],
        },
        {"title": "State point", "header": ["key", "value"], "rows": [[k, str(v)] for k, v in point.items()]},
        {
            "title": "Lattice constants a [nm]",
            "header": ["phase", "simulated", "±", *_MODELS, "± is"],
            "rows": [
                [row.get("name", row["phase"]), row["a_nm"], row["a_uncertainty_nm"]]
                + [row["predicted_a_nm"].get(model) for model in _MODELS]
                + ["not given: T = 0" if kind == "relax" else "one standard error"]
                for row in compared["lattices"]
            ],
        },
        {
            "title": "Packing models",
            "header": ["model", "densest at these numbers"],
            "rows": [[model, mixture(parts)] for model, parts in compared["densest"].items()],
            "items": compared["notes"],
        },
        {"title": "Limits", "items": found["limits"]},
        {
            "title": "Provenance",
            "header": ["operation", "started", "ended", "outcome", "wall (s)", "host"],
            "rows": [
                [s.get(key) for key in ("operation", "started", "ended", "outcome", "wall_s", "host")]
                for s in came["sessions"]
            ],
            "lines": [", ".join(f"{name} {version}" for name, version in came.get("versions", {}).items())],
        },
        {"title": "Please cite", "items": came.get("citations", [])},
        {"title": "Files", "links": links + ([f"{RUN}/report.html"] if kind == "assemble" else [])},
    ]
    sections = [
        section
        for section in sections
        if any(section.get(k) for k in ("rows", "lines", "items", "links", "figures"))
    ]
    page = render(
        f"{job.product('build')['study']}, job {job.folder.name[:8]}",
        f"{kind}, seed {job.statepoint['seed']}",
        sections,
    )
    write_atomically(job.folder / PRODUCTS["report"], page)


_MODELS = ("OPM", "OTM", "OCM", "measured")


def mixture(parts: Sequence[Mapping[str, Any]]) -> str:
    """Phases side by side in words.

    >>> mixture([{"phase": "NaCl", "roles": {"A": "PbS", "B": "Au"}, "share": 1.0}])
    'NaCl(PbS, Au)'
    """
    words = [f"{one['phase']}({', '.join(one['roles'].values())})" for one in parts]
    if len(words) == 1:
        return words[0]
    return " + ".join(f"{100 * one['share']:.0f} % {word}" for one, word in zip(parts, words, strict=True))


def _dotted(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= _dotted(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
