"""A drying run as a piece of HTML: every drawn frame inside it, and a 3-D view that needs no network.

Positions travel as 16-bit integers over the range that they span, so the error is at most that range divided
by 131,068 (0.001 nm for a film of 100 nm). The drawing itself is ``viewer.js`` beside this module;
of cuboids, in runs that have any, ``cuboids.js`` with what `supercrystal.report.bodies` says of their shapes and
orientations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal.errors import TrajectoryError
from supercrystal.report.bodies import Bodies, packed, record
from supercrystal.report.palette import INTERFACE, SUBSTRATE, rgb

#: Most particle positions (frames × nanocrystals) in one page: 2.4 MB of them, 3.2 MB as base64.
MAX_POSITIONS = 400_000

_HALF_RANGE = 32767  # symmetric in int16, so that the middle of the range is exactly 0


@dataclass(frozen=True)
class Quantised:
    """Positions as integers: ``x = offset + scale * steps``, for each of x, y and z.

    Attributes:
        steps: (T, N, 3) little-endian int16.
        offset: (3,) middle of the range [nm].
        scale: (3,) length of one step [nm]; the error of a coordinate is at most half of it.
    """

    steps: NDArray[np.int16]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]


def quantise(positions: ArrayLike) -> Quantised:
    """Round positions (T, N, 3) [nm] to 16-bit steps of the range that they span.

    >>> q = quantise([[[0.0, 0.0, 0.0], [65.534, 1.0, 0.0]]])
    >>> q.steps[0, :, 0].tolist(), round(float(q.scale[0]), 6)
    ([-32767, 32767], 0.001)
    """
    xyz = np.asarray(positions, float)
    low, high = xyz.min(axis=(0, 1)), xyz.max(axis=(0, 1))
    offset = (low + high) / 2
    scale = np.maximum(high - low, 1e-6) / (2 * _HALF_RANGE)  # a flat film spans nothing along z
    steps = np.clip(np.rint((xyz - offset) / scale), -_HALF_RANGE, _HALF_RANGE)
    return Quantised(steps.astype("<i2"), offset, scale)


def kept_frames(frames: int, particles: int, limit: int = MAX_POSITIONS) -> NDArray[np.int64]:
    """Indices of the frames that fit in one page, evenly spaced, always with the first and the last.

    >>> kept_frames(5, 100).tolist(), kept_frames(9, 100, limit=300).tolist()
    ([0, 1, 2, 3, 4], [0, 4, 8])
    """
    room = max(2, limit // max(particles, 1))
    if frames <= room:
        return np.arange(frames)
    return np.unique(np.rint(np.linspace(0, frames - 1, room)).astype(int))


def viewer_html(
    positions: ArrayLike,
    labels: ArrayLike,
    surface: ArrayLike,
    diameters: ArrayLike,
    core_diameters: ArrayLike,
    box: Sequence[float],
    substrate_z: float,
    interface_z: ArrayLike,
    times: ArrayLike,
    label_names: Sequence[str],
    palette: Mapping[str, str],
    cells: ArrayLike | None = None,
    bodies: Bodies | None = None,
) -> str:
    """Return a ``<div>`` with the run inside it and the script that draws it.

    Args:
        positions: (T, N, 3) centres [nm]. x and y are wrapped into the periodic box, which is centred on 0.
        labels: (T, N) index of each nanocrystal's phase in `label_names`.
        surface: (T, N) whether it lies at the substrate or at the interface.
        diameters: (N,) of the nanocrystals with their shells [nm].
        core_diameters: (N,) of the cores [nm].
        box: (Lx, Ly, Lz) [nm]. The drawn outline is Lx by Ly from the substrate to the interface.
        substrate_z: height of the substrate [nm].
        interface_z: (T,) height of the liquid–vapour interface [nm]; NaN where there is none.
        times: (T,) in Brownian times.
        label_names: the phases, in the order of their labels.
        palette: phase to ``"#rrggbb"``; needs every name of `label_names`.
        cells: (T, 3) sides of a cell that is periodic in all directions [nm]; it has no planes.
        bodies: which of the nanocrystals are cuboids, with their orientations; the others are spheres.

    Returns:
        An HTML fragment without references to anything outside itself. Runs of more than `MAX_POSITIONS`
        positions and orientations are thinned to evenly spaced frames, and the fragment says so.

    Raises:
        TrajectoryError: arrays whose shapes disagree, coordinates that are not finite, or labels without a
            name or a colour.
    """
    xyz, phase, at_surface = np.array(positions, float), np.asarray(labels), np.asarray(surface, bool)
    shells, cores = np.asarray(diameters, "<f4"), np.asarray(core_diameters, "<f4")
    interface, time = np.asarray(interface_z, float), np.asarray(times, float)
    if xyz.ndim != 3 or xyz.shape[2] != 3 or 0 in xyz.shape:
        raise TrajectoryError(
            f"positions must have the shape (frames, nanocrystals, 3), none of them 0; got {xyz.shape}"
        )
    frames, count = xyz.shape[:2]
    wanted: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
        "labels": (phase.shape, (frames, count)),
        "surface": (at_surface.shape, (frames, count)),
        "diameters": (shells.shape, (count,)),
        "core_diameters": (cores.shape, (count,)),
        "interface_z": (interface.shape, (frames,)),
        "times": (time.shape, (frames,)),
    }
    for name, (got, allowed) in wanted.items():
        if got != allowed:
            raise TrajectoryError(f"{name} must have the shape {allowed}, as positions do; got {got}")
    if not (np.isfinite(xyz).all() and np.isfinite(time).all()):
        raise TrajectoryError(
            "positions or times are not finite: look at the run's log for where it diverged"
        )
    if phase.min() < 0 or phase.max() >= len(label_names):
        raise TrajectoryError(
            f"labels must be 0 to {len(label_names) - 1} ({', '.join(label_names)}); "
            f"got {phase.min()} to {phase.max()}"
        )
    missing = [name for name in label_names if name not in palette]
    if missing:
        raise TrajectoryError(
            f"the palette has no colour for {', '.join(missing)}; see palette.phase_colours"
        )

    keep = kept_frames(frames, count + (0 if bodies is None else bodies.count))
    xyz = xyz[keep]
    xyz[..., :2] -= np.asarray(box[:2]) * np.rint(xyz[..., :2] / np.asarray(box[:2]))
    coded = quantise(xyz)
    sides = None if cells is None else np.asarray(cells, float)[keep].round(4).tolist()
    colours = [palette[name] for name in label_names]
    for colour in colours:
        rgb(colour)  # refuses what the script could not read
    data: dict[str, Any] = {
        "shape": [len(keep), count],
        "positions": packed(coded.steps),
        "quantisation": {"offset": coded.offset.tolist(), "scale": coded.scale.tolist()},
        "labels": packed(phase[keep].astype(np.uint8)),
        "surface": packed(np.packbits(at_surface[keep], bitorder="little")),
        "diameters": packed(shells),
        "core_diameters": packed(cores),
        "largest": float(shells.max()),
        "box": [float(length) for length in box],
        "cells": sides,
        "substrate_z": float(substrate_z),
        "interface_z": [round(float(z), 4) if np.isfinite(z) else None for z in interface[keep]],
        "z_range": [float(xyz[..., 2].min()), float(xyz[..., 2].max())],
        "times": [float(f"{t:.6g}") for t in time[keep]],
        "label_names": list(label_names),
        "colours": colours,
        "substrate_colour": SUBSTRATE,
        "interface_colour": INTERFACE,
    }
    if bodies is not None:
        data["bodies"] = record(bodies, frames, count, keep)
        data["largest"] = max(data["largest"], 2 * bodies.reach)
    thinned = ""
    if len(keep) < frames:
        thinned = (
            f"The run has {frames} frames; this page carries {len(keep)} of them, evenly spaced, "
            f"so that it opens quickly. The trajectory file has them all."
        )
    return _FRAGMENT.substitute(
        legend="".join(
            f'<label><input type="checkbox" checked data-phase="{k}">'
            f'<span class="sc-swatch" style="background:{colour}"></span>{escape(name)} '
            f'<span class="sc-count" data-count="{k}"></span></label>'
            for k, (name, colour) in enumerate(zip(label_names, colours, strict=True))
        ),
        last=len(keep) - 1,
        periodic="x and y" if cells is None else "x, y and z",
        thinned=f'<p class="sc-note">{thinned}</p>' if thinned else "",
        # "<" never appears in the JSON, so no text in it can end the script element.
        data=json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
        script="".join(
            resources.files(__package__).joinpath(name).read_text("utf-8")
            for name in (*([] if bodies is None else ["cuboids.js"]), "viewer.js")
        ),
    )


_FRAGMENT = Template("""\
<div class="sc-viewer">
<style>
.sc-viewer { --sc-paper: #ffffff; --sc-ink: #1f2933; --sc-line: #cfd6dd; --sc-soft: #f3f5f7;
  font: 0.875rem/1.4 system-ui, sans-serif; border: 1px solid var(--sc-line); border-radius: 8px;
  overflow: hidden; color: var(--sc-ink); background: var(--sc-paper); }
@media (prefers-color-scheme: dark) {
  .sc-viewer { --sc-paper: #14181d; --sc-ink: #dfe5ea; --sc-line: #39424c; --sc-soft: #1d232a; } }
.sc-viewer .sc-stage { position: relative; aspect-ratio: 16 / 10; max-height: 78vh; width: 100%; }
@media (max-width: 40rem) { .sc-viewer .sc-stage { aspect-ratio: 1; } }
.sc-viewer canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.sc-viewer canvas[data-layer="notes"] { touch-action: none; cursor: grab; }
.sc-viewer canvas[data-layer="notes"]:active { cursor: grabbing; }
.sc-viewer :focus-visible { outline: 2px solid #0072b2; outline-offset: -2px; }
.sc-viewer .sc-bar { display: flex; flex-wrap: wrap; gap: 0.35rem 1rem; align-items: center;
  padding: 0.5rem 0.75rem; background: var(--sc-soft); border-top: 1px solid var(--sc-line); }
.sc-viewer .sc-legend { display: flex; flex-wrap: wrap; gap: 0.35rem 1rem; padding: 0.5rem 0.75rem;
  background: var(--sc-paper); border-top: 1px solid var(--sc-line); }
.sc-viewer label { display: inline-flex; align-items: center; gap: 0.35rem; white-space: nowrap; }
.sc-viewer .sc-swatch { width: 0.85em; height: 0.85em; border-radius: 50%;
  border: 1px solid rgb(0 0 0 / 35%); }
.sc-viewer .sc-count { opacity: 0.75; font-variant-numeric: tabular-nums; min-width: 2.5em; }
.sc-viewer .sc-time { font-variant-numeric: tabular-nums; margin: 0; }
.sc-viewer .sc-grow { flex: 1 1 12rem; }
.sc-viewer .sc-grow input { width: 100%; min-width: 6rem; }
.sc-viewer button, .sc-viewer select { font: inherit; color: inherit; background: var(--sc-paper);
  border: 1px solid var(--sc-line); border-radius: 5px; padding: 0.2rem 0.6rem; }
.sc-viewer button { cursor: pointer; min-width: 3.6rem; }
.sc-viewer input { accent-color: #0072b2; }
.sc-viewer .sc-note { margin: 0; max-width: none; padding: 0.4rem 0.75rem 0.6rem; background: var(--sc-soft);
  font-size: 0.8125rem; opacity: 0.85; }
@media print { .sc-viewer { --sc-paper: #ffffff; --sc-ink: #000000; --sc-line: #bbbbbb; }
  .sc-viewer .sc-bar, .sc-viewer .sc-note { display: none; }
  .sc-viewer canvas { object-fit: contain; } }
</style>
<div class="sc-stage">
<canvas data-layer="scene" aria-hidden="true"></canvas>
<canvas data-layer="notes" tabindex="0" role="application" aria-label="3-D view of the particles. Drag or use
the arrow keys to rotate, the wheel or plus and minus to zoom, shift-drag to move, space to play, comma and
full stop to step."></canvas>
</div>
<div class="sc-legend" role="group" aria-label="Phases: untick one to hide it">$legend</div>
<div class="sc-bar">
<button type="button" data-control="play">Play</button>
<label class="sc-grow">Frame
<input type="range" data-control="frame" min="0" max="$last" value="$last" step="1"></label>
<p class="sc-time" data-text="time"></p>
</div>
<div class="sc-bar">
<label>Show <select data-control="show">
<option value="whole">whole nanocrystals</option>
<option value="both">cores in translucent shells</option>
<option value="cores">cores only</option>
</select></label>
<label><input type="checkbox" data-control="fade"> fade surface particles</label>
<label><input type="checkbox" data-control="planes" checked> planes</label>
<label><input type="checkbox" data-control="outline" checked> box</label>
<label><input type="checkbox" data-control="parallel"> parallel view</label>
<label><input type="checkbox" data-control="follow" checked> fit each frame</label>
</div>
<div class="sc-bar">
<label>Cut from <select data-control="side">
<option value="1,-1">the front (y)</option>
<option value="1,1">the back (y)</option>
<option value="0,-1">the left (x)</option>
<option value="0,1">the right (x)</option>
<option value="2,1">the top (z)</option>
<option value="2,-1">the substrate (z)</option>
</select></label>
<label class="sc-grow">Depth
<input type="range" data-control="cut" min="0" max="100" value="0" step="1"></label>
<span class="sc-time" data-text="cut"></span>
<span role="group" aria-label="Views">
<button type="button" data-view="home">Reset view</button>
<button type="button" data-view="side">Side</button>
<button type="button" data-view="top">Top</button>
<button type="button" data-control="save">Save PNG</button>
</span>
</div>
$thinned
<p class="sc-note">Drag to rotate, wheel or pinch to zoom, shift-drag to move. The cut hides whole
nanocrystals. The numbers in the legend count the nanocrystals of each phase in this frame. The box repeats
along $periodic.</p>
<noscript><p class="sc-note">The 3-D view needs JavaScript; everything else here does not.</p></noscript>
<script type="application/json">$data</script>
<script>
$script
supercrystalViewer(document.currentScript.closest(".sc-viewer"));
</script>
</div>
""")
