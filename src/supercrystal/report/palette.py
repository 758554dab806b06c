"""One colour per phase, and one look for every figure.

The hues are those of Okabe and Ito (2008), chosen to stay apart for readers with colour-vision deficiencies.
Which phase gets which hue was settled by the pairs that matter: under simulated protanopia, deuteranopia and
tritanopia (Machado 2009) every two of the five colours differ by at least 24 units of CIE L*a*b*, and fcc
against hcp, the stacking fault that every film has, by 92.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

#: Phase to sRGB colour. Grey is not a hue: nothing was recognised there.
PHASE_COLOURS: dict[str, str] = {
    "disordered": "#a6abb2",
    "fcc": "#0072b2",
    "hcp": "#d55e00",
    "bcc": "#f0e442",
    "sc": "#56b4e9",
}

#: What other phases of the catalogue take, in the order in which they are met.
_SPARE_COLOURS = ("#009e73", "#cc79a7", "#e69f00")

#: Colours of things that are not phases.
INK = "#1f2933"
MUTED = "#66717d"
SUBSTRATE = "#7a6a58"
INTERFACE = "#2f8fbf"
ACCENT = "#0072b2"
MODEL = "#d55e00"

#: Matplotlib settings of every figure, for ``matplotlib.rc_context``: the caller's own plots keep theirs.
FIGURE_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same picture on every machine
    "font.size": 9.0,
    "axes.labelsize": 9.5,
    "axes.titlesize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": "#e4e8ec",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",  # letters as outlines: no font is asked of the reader's machine
    "svg.hashsalt": "supercrystal",  # the same data gives the same file
}

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def phase_colours(phases: Iterable[str]) -> dict[str, str]:
    """Colours of `phases`, in their order: fixed for the five known ones, spare hues for the rest.

    >>> phase_colours(["fcc", "NaCl"])
    {'fcc': '#0072b2', 'NaCl': '#009e73'}
    """
    colours: dict[str, str] = {}
    spares = 0
    for phase in phases:
        if phase in colours:
            continue
        if phase in PHASE_COLOURS:
            colours[phase] = PHASE_COLOURS[phase]
        else:
            colours[phase] = _SPARE_COLOURS[spares % len(_SPARE_COLOURS)]
            spares += 1
    return colours


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue of ``"#rrggbb"``, each from 0 to 1.

    >>> rgb("#ff0000")
    (1.0, 0.0, 0.0)
    """
    if not _HEX.fullmatch(colour):
        raise ValueError(f"a colour is '#' and six hexadecimal digits; got '{colour}'")
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
