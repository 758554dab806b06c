"""Index a powder profile: match it as a whole to profiles calculated from the catalogue of lattices.

Ratios of peak positions and extinction rules fail where lines are weak by accident: ABO3 with weak guests has no visible
line with h² + k² + l² = 1, 5 or 9 and passes for bcc. Here each phase gives its complete powder profile,

    S(q) = (2π² / n V) Σ_hkl |F|² exp(-q²u²) δ(q - k_hkl) / q² + (1 - exp(-q²u²)) Σ_s c_s f_s²,

with n particles in the cell volume V (Warren, "X-Ray Diffraction", 1969), broadened to the width σ_q of the measured peaks.
Scale, c/a, u² and σ_q are varied, and the phases ranked by the correlation of √S. Square roots keep strong lines from
deciding alone; scale and offset of the intensity do not matter.

One profile cannot tell species apart that scatter alike: NaCl is then sc, CsCl and Li3Bi bcc, AuCu3 fcc. Simulated
configurations are therefore matched by the structure factors of all their species at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supercrystal import lattices
from supercrystal.errors import PhysicsError, TrajectoryError
from supercrystal.structure.scattering.amplitudes import reciprocal
from supercrystal.structure.scattering.cell import refine_cell as refine_cell
from supercrystal.structure.scattering.form_factors import Body, points
from supercrystal.structure.scattering.powder import StructureFactors

#: Species of the catalogue that may be one and the same in a phase of three.
_SAME = (("B", "O"),)
#: The strongest peak is tried as each of the strongest lines, at most so many and down to this share of the strongest, at
#: scales this far around it, in steps of the width.
_LINES, _WEAKEST, _AROUND = 12, 0.15, 0.03
#: Displacements that are tried, times the wave number of the strongest peak; peaks below this share of its q are not used.
_DISPLACEMENTS, _LOWEST = (0.15, 0.3, 0.5), 0.25
#: How far c/a of phases that are not cubic may leave the catalogue's, and how many candidates are refined.
_STRETCH, _REFINED = 0.08, 8
#: A lattice that is seen to continue over fewer mean spacings (V / n)^(1/3) than this may be that of a liquid. Measured on
#: 22 liquids by MD: 2.4 to 5.2; on 39 thermal crystals of 2,000 particles: 14 to 32.
_ORDERED = 6.0
#: A line is left out below this share of the strongest |F|² of its phase.
_FAINT = 1e-9
#: Lines are calculated up to this many times 2π over the mean distance of particles, and profiles used up to this many
#: times the q of the strongest peak; shortest profile.
_FAR, _HIGHEST, _POINTS = 4.5, 3.5, 16


@dataclass(frozen=True)
class Candidate:
    """A phase with its best match to a profile.

    Args:
        phase: the catalogue's name.
        species: species of the catalogue → scatterers of the profile; several names mean a mixture on one site.
        constants: lattice constants and the catalogue's free coordinates; lengths are fitted.
        uncertainty: constant → standard error of the fit and of the spacing of the points, for the lengths.
        correlation: of √S measured and calculated [-].
        displacement: root mean square displacement along one axis [length].
        coherence: distance 2π / (full width at half maximum) over which the lattice is seen to continue [length].
        profile: (M,) calculated, on the scale of the measured one, at the q that were used.
        q: (M,) used.
    """

    phase: str
    species: Mapping[str, str]
    constants: Mapping[str, float]
    uncertainty: Mapping[str, float]
    correlation: float
    displacement: float
    coherence: float
    profile: NDArray[np.float64]
    q: NDArray[np.float64]

    @property
    def crystalline(self) -> bool:
        """Whether the peaks are sharper than those of any liquid; crystallites of about 200 particles no longer are."""
        n = len(lattices.prototype(self.phase).labels)
        spacing = (float(lattices.volume(self.phase, self.constants)) / n) ** (1 / 3)
        return self.coherence > _ORDERED * spacing


@dataclass(frozen=True)
class _Phase:
    """A phase with its lines: indices, and |F|² as a quadratic form in the amplitudes of its species."""

    name: str
    species: Mapping[str, str]
    order: tuple[str, ...]
    hkl: NDArray[np.intp]
    forms: NDArray[np.float64]
    counts: NDArray[np.float64]

    def constants(self, a: float, stretch: float) -> dict[str, float]:
        reference = dict(lattices.prototype(self.name).reference or {})
        reference["a"] = a
        if "c" in reference:
            reference["c"] *= a * stretch
        return reference


def index_powder(factors: StructureFactors, phases: Sequence[str] | None = None) -> tuple[Candidate, ...]:
    """Index a simulated configuration by its total structure factor and that of each species together.

    Args:
        factors: of a box or a cluster (`powder.structure_factors`, `powder.debye`), at most three species.
        phases: as in `index_profile`; errors as there.
    """
    n = sum(factors.particles.values())
    names = {name: count / n for name, count in factors.particles.items()}
    one, none = np.ones(len(factors.centre)), np.zeros(len(factors.centre))
    profiles = [(factors.total, dict.fromkeys(names, one))]
    if len(names) > 1:
        profiles += [(factors.of(a, a), {b: one if a == b else none for b in names}) for a in names]
    return _index(factors.centre, profiles, names, phases, None)


def index_profile(
    q: ArrayLike,
    intensity: ArrayLike,
    shares: Mapping[str, float] | Sequence[str] = ("A",),
    bodies: Mapping[str, Body] | None = None,
    phases: Sequence[str] | None = None,
    q_range: tuple[float, float] | None = None,
) -> tuple[Candidate, ...]:
    """Rank the phases of the catalogue by how well their powder profiles match a measured one.

    Args:
        q: (M,) increasing [1 / length].
        intensity: (M,) ≥ 0, on any scale: S(q), or I(q) with the bodies that make it.
        shares: scatterers and their number fractions, at most three; names alone share equally. They serve for sites
            that several occupy at random.
        bodies: scatterer → what it scatters; None takes points of weight 1. No body may have a direction.
        phases: names of the catalogue to try; None tries all that structure analysis recognises.
        q_range: q to use; None leaves out the forward scattering.

    Returns:
        Candidates, best first. A lead of less than about 0.02 in correlation decides nothing, and a high correlation
        does not make a crystal: liquids reach 0.99 with hcp. `Candidate.crystalline` tells them apart.

    Raises:
        TrajectoryError: a profile that is too short, not finite, negative or without a peak.
        PhysicsError: more than three scatterers, or bodies that are missing.
    """
    names = dict(shares) if isinstance(shares, Mapping) else dict.fromkeys(shares, 1 / len(shares))
    chosen = bodies or points(dict.fromkeys(names, 1.0))
    if any(name not in chosen for name in names):
        raise PhysicsError(f"bodies are needed for {', '.join(names)}; got {', '.join(chosen)}")
    wave = np.asarray(q, float)
    amplitude = {name: chosen[name].radial_moments(wave)[0] for name in names}
    return _index(wave, [(np.asarray(intensity, float), amplitude)], names, phases, q_range)


def _index(
    q: NDArray[np.float64],
    profiles: Sequence[tuple[NDArray[np.float64], Mapping[str, NDArray[np.float64]]]],
    names: Mapping[str, float],
    phases: Sequence[str] | None,
    q_range: tuple[float, float] | None,
) -> tuple[Candidate, ...]:
    """Index profiles of one sample, the first of which gives the peaks; each with the amplitudes of the scatterers."""
    if not 1 <= len(names) <= 3:
        raise PhysicsError(
            f"the catalogue has phases of one to three species; got {', '.join(names) or 'none'}"
        )
    keep = _usable(q, profiles[0][0], q_range)
    matcher = _Matcher(
        q[keep],
        [np.sqrt(np.maximum(value[keep], 0.0)) for value, _ in profiles],
        [{name: f[keep] for name, f in amplitude.items()} for _, amplitude in profiles],
        names,
    )
    peak = int(np.argmax(matcher.roots[0]))
    width = _width(matcher.q, matcher.roots[0] ** 2, peak)
    trials = []
    for phase in _phases(list(names), phases):
        start = matcher.scan(phase, float(matcher.q[peak]), width)
        if start is not None:
            trials.append((start[0], phase, start[1]))
    trials.sort(key=lambda trial: -trial[0])
    found = [matcher.refine(phase, start) for _, phase, start in trials[:_REFINED]]
    # Where two match alike, the one with fewer species assumes less.
    return tuple(sorted(found, key=lambda one: (-round(one.correlation, 4), len(set(one.species.values())))))


def _usable(
    wave: NDArray[np.float64], value: NDArray[np.float64], q_range: tuple[float, float] | None
) -> NDArray[np.bool_]:
    """(M,) which points of a profile are used: not the forward scattering."""
    if wave.ndim != 1 or wave.shape != value.shape or len(wave) < _POINTS:
        raise TrajectoryError(
            f"a profile needs {_POINTS} points or more, q and intensity alike; got {wave.shape}"
        )
    if not (np.all(np.isfinite(wave)) and np.all(np.isfinite(value)) and np.all(value >= 0)):
        raise TrajectoryError("q and intensity of a profile are finite, and no intensity is negative")
    if np.any(np.diff(wave) <= 0) or wave[0] < 0:
        raise TrajectoryError("q of a profile starts at 0 or above and increases")
    if q_range is not None:
        keep = (wave >= q_range[0]) & (wave <= q_range[1])
    else:
        # The forward peak of a finite sample ends where it first comes below the middle of all values.
        end = int(np.argmax(value <= np.median(value)))
        strongest = wave[end + int(np.argmax(value[end:]))]
        keep = (np.arange(len(wave)) >= end) & (wave >= _LOWEST * strongest)
        keep &= wave <= _HIGHEST * strongest
    keep &= wave > 0
    if keep.sum() < _POINTS or np.ptp(value[keep]) == 0:
        raise TrajectoryError("no peak is left of the profile: choose a larger q_max or more points")
    return np.asarray(keep)


def _width(q: NDArray[np.float64], intensity: NDArray[np.float64], peak: int) -> float:
    """σ_q of the strongest peak, from where it falls to half; at least the distance of the points."""
    half = (intensity[peak] + float(np.median(intensity))) / 2
    left, right = peak, peak
    while left > 0 and intensity[left] > half:
        left -= 1
    while right < len(q) - 1 and intensity[right] > half:
        right += 1
    step = float(np.median(np.diff(q)))
    return max(float(q[right] - q[left]) / 2.355 / 1.5, 0.6 * step)


def _phases(names: list[str], phases: Sequence[str] | None) -> Iterator[_Phase]:
    """Every phase with every way in which the scatterers can be its species."""
    for name in lattices.names() if phases is None else phases:
        prototype = lattices.prototype(name)
        if prototype.reference is None:
            continue
        kinds = tuple(prototype.species_counts)
        if len(kinds) == 1:
            ways = [dict.fromkeys(kinds, "+".join(names))]
        elif len(kinds) == len(names):
            ways = [dict(zip(kinds, order, strict=True)) for order in permutations(names)]
        else:
            ways = []
            for one, other in _SAME:
                left = [kind for kind in kinds if kind != other]
                if other in kinds and one in kinds and len(left) == len(names):
                    ways += [
                        {
                            **dict(zip(left, order, strict=True)),
                            other: dict(zip(left, order, strict=True))[one],
                        }
                        for order in permutations(names)
                    ]
        if ways:
            order, hkl, forms, counts = _lines(prototype.name)
        for species in ways:
            yield _Phase(prototype.name, species, order, hkl, forms, counts)


def _lines(
    name: str,
) -> tuple[tuple[str, ...], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Species, indices (L, 3) of one half of reciprocal space, Re(F_s F_t*) (L, S, S), and particles of each species."""
    prototype = lattices.prototype(name)
    reference = dict(prototype.reference or {})
    b = reciprocal(lattices.vectors(name, reference))
    top = 2 * math.pi * _FAR * (len(prototype.labels) / float(lattices.volume(name, reference))) ** (1 / 3)
    reach = np.floor(top * np.linalg.norm(lattices.vectors(name, reference), axis=1) / (2 * math.pi)).astype(
        int
    )
    hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    hkl = hkl[len(hkl) // 2 + 1 :]
    length = np.linalg.norm(hkl @ b, axis=1)
    hkl = hkl[length <= top]
    sites = lattices.fractional(name, reference)
    labels = np.array([prototype.species[label] for label in prototype.labels])
    order = tuple(prototype.species_counts)
    wave = np.exp(2j * math.pi * (hkl @ sites.T))
    f = np.stack([wave[:, labels == kind].sum(axis=1) for kind in order], axis=-1)
    forms = np.real(f[:, :, None] * f[:, None].conj())
    counts = np.array([np.sum(labels == kind) for kind in order], float)
    # Equivalent lines stay equivalent when c/a changes if they agree in |k| and in what c does to it.
    key = np.round(np.stack([np.sum((hkl @ b) ** 2, axis=1), (hkl @ b)[:, 2] ** 2], axis=-1), 6)
    if prototype.system == "cubic":
        key[:, 1] = 0
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    summed = np.zeros((len(first), len(order), len(order)))
    np.add.at(summed, group.ravel(), forms)
    visible = np.trace(summed, axis1=1, axis2=2) > _FAINT * summed.max()
    chosen = np.flatnonzero(visible)
    chosen = chosen[np.argsort(np.linalg.norm(hkl[first[chosen]] @ b, axis=1), kind="stable")]
    return order, np.asarray(hkl[first[chosen]], np.intp), summed[chosen], counts


def line_positions(phase: str, constants: Mapping[str, float]) -> NDArray[np.float64]:
    """|k| of the lines of a phase that its extinctions allow, increasing [1 / length].

    >>> a = 2 * math.pi
    >>> (line_positions("fcc", {"a": a})[:5] ** 2).round(6).tolist()
    [3.0, 4.0, 8.0, 11.0, 12.0]
    """
    hkl = _lines(lattices.prototype(phase).name)[1]
    return np.sort(np.linalg.norm(hkl @ reciprocal(lattices.vectors(phase, constants)), axis=1))


class _Matcher:
    """Measured profiles, √I at q, each with the amplitudes of its scatterers at the same q."""

    def __init__(
        self,
        q: NDArray[np.float64],
        roots: Sequence[NDArray[np.float64]],
        amplitudes: Sequence[Mapping[str, NDArray[np.float64]]],
        shares: Mapping[str, float],
    ) -> None:
        self.q, self.roots = q, roots
        mixture, total = "+".join(shares), sum(shares.values())
        # Per profile and scatterer: the mean amplitude, and the mean square, which differ for a mixture on one site.
        self.first: list[dict[str, NDArray[np.float64]]] = []
        self.second: list[dict[str, NDArray[np.float64]]] = []
        for amplitude in amplitudes:
            mean = sum(amplitude[name] * share / total for name, share in shares.items())
            square = sum(amplitude[name] ** 2 * share / total for name, share in shares.items())
            self.first.append({**amplitude, mixture: np.asarray(mean)})
            self.second.append({**{name: f**2 for name, f in amplitude.items()}, mixture: np.asarray(square)})

    def _models(
        self, phase: _Phase, a: float, stretch: float, width: float, u: float
    ) -> list[NDArray[np.float64]]:
        """√S calculated at q, one for each profile."""
        cell = lattices.vectors(phase.name, phase.constants(a, stretch))
        k = np.linalg.norm(phase.hkl @ reciprocal(cell), axis=1)
        seen = (k > self.q[0] - 5 * width) & (k < self.q[-1] + 5 * width)
        shape = np.exp(-((self.q[:, None] - k[seen]) ** 2) / (2 * width**2)) / (
            width * math.sqrt(2 * math.pi)
        )
        # Half of the reciprocal lattice is listed.
        shape *= 4 * math.pi**2 / (phase.counts.sum() * abs(float(np.linalg.det(cell)))) / k[seen] ** 2
        shape *= np.exp(-((k[seen] * u) ** 2))
        share, damping = phase.counts / phase.counts.sum(), np.exp(-((self.q * u) ** 2))
        models = []
        for first, second in zip(self.first, self.second, strict=True):
            f = np.stack([first[phase.species[kind]] for kind in phase.order])
            square = np.stack([second[phase.species[kind]] for kind in phase.order])
            at = np.stack([np.interp(k[seen], self.q, row) for row in f], axis=-1)
            bragg = shape @ np.einsum("li,lij,lj->l", at, phase.forms[seen], at)
            models.append(np.sqrt(bragg + share @ square - damping * (share @ f**2)))
        return models

    def _correlation(self, models: Sequence[NDArray[np.float64]]) -> float:
        """Mean over the profiles."""
        found = 0.0
        for root, model in zip(self.roots, models, strict=True):
            x, y = root - root.mean(), model - model.mean()
            norm = math.sqrt(float(x @ x) * float(y @ y))
            found += float(x @ y) / norm / len(models) if norm > 0 else 0.0
        return found

    def scan(
        self, phase: _Phase, peak: float, width: float
    ) -> tuple[float, tuple[float, float, float]] | None:
        """Best correlation with its scale, width and displacement, the strongest peak being one of the first lines."""
        b = reciprocal(lattices.vectors(phase.name, phase.constants(1.0, 1.0)))
        lines = np.linalg.norm(phase.hkl @ b, axis=1)
        f = np.array([np.interp(peak, self.q, self.first[0][phase.species[kind]]) for kind in phase.order])
        strength = np.einsum("i,lij,j->l", f, phase.forms, f) / lines**2
        strongest = np.argsort(-strength)[:_LINES]
        candidates = lines[strongest[strength[strongest] >= _WEAKEST * strength[strongest[0]]]]
        step = min(width / peak, _AROUND)
        around = 1 + np.arange(-math.ceil(_AROUND / step), math.ceil(_AROUND / step) + 1) * step
        best: tuple[float, tuple[float, float, float]] | None = None
        for scale in np.unique(np.round(np.outer(candidates / peak, around), 9)):
            # Lines that were not calculated may not decide.
            if lines[-1] / scale < self.q[-1]:
                continue
            for u in _DISPLACEMENTS:
                value = self._correlation(self._models(phase, float(scale), 1.0, width, u / peak))
                if best is None or value > best[0]:
                    best = value, (float(scale), width, u / peak)
        return best

    def refine(self, phase: _Phase, start: tuple[float, float, float]) -> Candidate:
        """Least squares of √S over scale, c/a, width and displacement; factor and offset follow by themselves."""
        from scipy.optimize import least_squares

        a, width, u = start
        free = lattices.prototype(phase.name).system != "cubic"

        def models(p: NDArray[np.float64]) -> list[NDArray[np.float64]]:
            return self._models(
                phase,
                a * math.exp(p[0]),
                math.exp(p[3]) if free else 1.0,
                width * math.exp(p[1]),
                u * math.exp(p[2]),
            )

        def residual(p: NDArray[np.float64]) -> NDArray[np.float64]:
            # What is left after the best factor and offset (variable projection), relative to the whole.
            left = []
            for root, model in zip(self.roots, models(p), strict=True):
                x, y = root - root.mean(), model - model.mean()
                y = y / (float(np.linalg.norm(y)) or 1.0)
                left.append((x - y * (y @ x)) / (float(np.linalg.norm(x)) or 1.0))
            return np.concatenate(left)

        limit = np.array([2 * _AROUND, 1.0, 1.5, _STRETCH][: 4 if free else 3])
        found = least_squares(residual, np.zeros(len(limit)), bounds=(-limit, limit), x_scale=limit / 10)
        best = models(found.x)
        # Neighbouring points of one peak do not count as independent.
        peak = float(self.q[int(np.argmax(self.roots[0]))])
        points_a_peak = 2.5 * width * math.exp(found.x[1]) / float(np.median(np.diff(self.q)))
        independent = len(self.roots) * len(self.q) / max(1.0, points_a_peak)
        freedom = max(1.0, independent - len(limit) - 2 * len(self.roots))
        covariance = np.linalg.pinv(found.jac.T @ found.jac) * 2 * found.cost / freedom
        constants = phase.constants(a * math.exp(found.x[0]), math.exp(found.x[3]) if free else 1.0)
        # A peak lies anywhere between two points; each of the strong lines by itself.
        k = np.linalg.norm(phase.hkl @ reciprocal(lattices.vectors(phase.name, constants)), axis=1)
        strength = np.trace(phase.forms, axis1=1, axis2=2) / k**2 * np.exp(-((k * u) ** 2))
        strong = int(np.sum((strength > _WEAKEST * strength.max()) & (k < self.q[-1])))
        grid = (float(np.median(np.diff(self.q))) / math.sqrt(12) / peak) ** 2 / max(1, strong)
        errors = {"a": constants["a"] * math.sqrt(covariance[0, 0] + grid)}
        if free:
            both = covariance[0, 0] + covariance[3, 3] + 2 * covariance[0, 3]
            errors["c"] = constants["c"] * math.sqrt(max(both, 0.0) + grid)
        slope, offset = np.polyfit(best[0], self.roots[0], 1)
        return Candidate(
            phase.name,
            dict(phase.species),
            constants,
            errors,
            self._correlation(best),
            u * math.exp(found.x[2]),
            2 * math.pi / (2.355 * width * math.exp(found.x[1])),
            (slope * best[0] + offset) ** 2,
            self.q,
        )
