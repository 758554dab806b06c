"""Bodies from text: ``"PbS=sphere,diameter=7,material=PbS,shell=1.5,shell-material=C18H34O2@0.895"``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from supercrystal.errors import PhysicsError, nearest
from supercrystal.structure.scattering.contrast import nanocrystal_body
from supercrystal.structure.scattering.form_factors import (
    Body,
    Point,
    Shape,
    Sphere,
    cube,
    truncated_cube,
)
from supercrystal.structure.trajectory import Configuration

#: Shape → lengths it needs.
SHAPES: Mapping[str, tuple[str, ...]] = {
    "point": (),
    "sphere": ("diameter",),
    "cube": ("edge",),
    "truncated-cube": ("edge", "cut"),
}
_OTHER = ("material", "contrast", "shell", "shell-material", "dispersity", "orientation")
#: Orientations that are drawn from a frame at most.
_DRAWN = 24


def bodies(texts: Iterable[str], found: Configuration, medium: str = "vacuum") -> dict[str, Body]:
    """Bodies of the species of a frame.

    Args:
        texts: ``"SPECIES=SHAPE,key=value,…"``, one a species. Keys are ``diameter``, ``edge`` and ``cut`` of the shape;
            ``material`` or ``contrast``; ``shell`` (its thickness) with ``shell-material``; ``dispersity``;
            ``orientation``, which is ``random``, ``box`` (edges along x, y, z), ``file`` or a quaternion w/x/y/z.
            Species without one become spheres of the file's diameters with contrast 1.
        found: the frame.
        medium: material between the particles.

    Raises:
        PhysicsError: a text that cannot be read, a species that the frame does not have or that is named twice, or a
            species that has neither a text nor diameters.
    """
    given: dict[str, Body] = {}
    for text in texts:
        species, equals, rest = text.partition("=")
        if species not in found.species or not equals:
            raise PhysicsError(
                f"'{text}' gives no body; write SPECIES=SHAPE,key=value,… with one of the species "
                f"{', '.join(found.species)}"
            )
        if species in given:
            raise PhysicsError(f"the body of '{species}' is given twice")
        given[species] = _body(rest, species, found, medium)
    return {name: given[name] if name in given else _default(name, found) for name in _present(found)}


def _present(found: Configuration) -> list[str]:
    return [name for i, name in enumerate(found.species) if np.any(found.kinds == i)]


def _default(species: str, found: Configuration) -> Body:
    if found.diameters is None:
        raise PhysicsError(
            f"the file has no diameter of '{species}': give --body {species}=sphere,diameter=D,material=NAME"
        )
    d = found.diameters[found.kinds == found.species.index(species)]
    mean = float(d.mean())
    if not mean > 0:
        raise PhysicsError(f"the file's diameter of '{species}' is {mean}: give --body {species}=…")
    spread = float(d.std()) / mean
    return Body(((Sphere(mean / 2), 1.0),), dispersity=spread if spread > 1e-6 else 0.0)


def _body(text: str, species: str, found: Configuration, medium: str) -> Body:
    kind, *pairs = [part.strip() for part in text.split(",")]
    if kind not in SHAPES:
        raise PhysicsError(f"'{kind}' is no shape{nearest(kind, SHAPES)}; known: {', '.join(SHAPES)}")
    allowed = (*SHAPES[kind], *_OTHER)
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if key not in allowed or not equals or not value or key in values:
            raise PhysicsError(
                f"'{pair}' of the body of '{species}' cannot be used{nearest(key, allowed)}; a {kind} takes each of "
                f"{', '.join(allowed)} once"
            )
        values[key] = value
    missing = [key for key in SHAPES[kind] if key not in values]
    if missing:
        raise PhysicsError(f"a {kind} needs {', '.join(missing)}: {species}={kind},{missing[0]}=…")
    if ("shell" in values) != ("shell-material" in values) or (
        "shell" in values and "material" not in values
    ):
        raise PhysicsError(
            f"a shell of '{species}' needs its thickness, shell-material, and material of the core"
        )
    if "material" in values and "contrast" in values:
        raise PhysicsError(f"'{species}' takes either a material or a contrast")
    lengths = [_number(values, key) for key in SHAPES[kind]]
    orientations = _orientations(values.get("orientation", "random"), species, found)
    dispersity = _number(values, "dispersity") if "dispersity" in values else 0.0
    core = _shape(kind, lengths, 0.0)
    if "material" not in values:
        contrast = _number(values, "contrast") if "contrast" in values else 1.0
        return Body(((core, contrast),), orientations, dispersity)
    shell = None
    if "shell" in values:
        shell = _shape(kind, lengths, _number(values, "shell")), values["shell-material"]
    return nanocrystal_body(
        core, values["material"], medium, shell=shell, orientations=orientations, dispersity=dispersity
    )


def _number(values: Mapping[str, str], key: str) -> float:
    try:
        number = float(values[key])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise PhysicsError(f"{key}={values[key]} is no finite number")
    return number


def _shape(kind: str, lengths: list[float], shell: float) -> Shape:
    """The shape, with all faces moved outwards by `shell`."""
    if kind == "point":
        return Point()
    if kind == "sphere":
        return Sphere(lengths[0] / 2 + shell)
    edge = lengths[0] + 2 * shell
    if kind == "cube":
        return cube(edge)
    # The plane across a corner lies at (3/2 edge - cut) / √3 from the middle and moves out by `shell` as well.
    return truncated_cube(edge, lengths[1] + (3 - math.sqrt(3)) * shell)


def _orientations(
    text: str, species: str, found: Configuration
) -> tuple[tuple[float, float, float, float], ...] | None:
    if text == "random":
        return None
    if text == "box":
        return ((1.0, 0.0, 0.0, 0.0),)
    if text == "file":
        if found.orientations is None:
            raise PhysicsError(f"the file has no orientations of '{species}': choose random, box or w/x/y/z")
        own = found.orientations[found.kinds == found.species.index(species)]
        drawn = own[np.unique(np.linspace(0, len(own) - 1, min(_DRAWN, len(own))).astype(int))]
        drawn = np.unique(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), axis=0)
        return tuple((float(w), float(x), float(y), float(z)) for w, x, y, z in drawn)
    try:
        w, x, y, z = (float(part) for part in text.split("/"))
    except ValueError:
        raise PhysicsError(f"orientation={text} is none of random, box, file, w/x/y/z") from None
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if not (math.isfinite(length) and length > 0):
        raise PhysicsError(f"orientation={text} is no quaternion")
    return ((w / length, x / length, y / length, z / length),)
