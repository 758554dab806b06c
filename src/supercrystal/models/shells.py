"""The shells tier: one site a nanocrystal, a soft repulsive shell, and optionally the cores' attraction.

What it puts in: the OPM spacing is the distance at which two shells cost kT (`interactions.shell`), so the spacing of a
dry film agrees with the packing model **by construction**. What it may claim: which close-packed or body-centred
arrangement forms, stacking, defects, and the strain that the interface leaves. What it may not claim: that it predicts
the packing model's fcc/bcc boundary (an isotropic shell and the packing argument are different physics), a spacing
independent of OPM, ligand reorganisation (vortices, interdigitation, patches), faceting or orientation, or rates and
stratification as with hydrodynamics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.interactions.hamaker import Hamaker
from supercrystal.interactions.shell import Shell, shell_from_brush
from supercrystal.interactions.wall import Wall
from supercrystal.models.model import Batch, Model, Parameter
from supercrystal.nanocrystal import Nanocrystal
from supercrystal.packing import opm
from supercrystal.system import PairPotential
from supercrystal.units import kt_in_joule

#: Classes of equal probability into which a spread of sizes is sorted; each becomes a particle type.
SIZE_CLASSES = 5

#: Steps per period of the stiffest pair vibration at contact, as ``dt = PHASE_PER_STEP / ω``; 0.08 rad keeps the
#: kinetic temperature of a dense film within 1 % (tests/test_engines.py).
PHASE_PER_STEP = 0.08
LONGEST_STEP = 0.01

#: Cut-off of the attraction in contact distances; there it has fallen to about a hundredth of kT for 7 nm PbS.
ATTRACTION_RANGE = 1.5

LIMITS = (
    "It does not predict the fcc/bcc boundary of the packing models: an isotropic shell softens and crystallises for "
    "other reasons than ligands that reach a second neighbour.",
    "It has no ligands that could interdigitate, splay or leave a face bare, and no facets or orientations.",
    "Times and stratification are without hydrodynamics; what crystallised here is not thereby the stable phase.",
)


def by_construction(interaction: str, dries: bool) -> str:
    """What a run's spacing owes to the model, in a sentence.

    Args:
        interaction: kind of the pair interaction.
        dries: whether a stage stops at the volume that OPM gives.
    """
    if interaction == "shell":
        owes = "The spacing: a pair of shells costs 1 kT at the OPM distance"
    else:
        owes = "The spacing: the interaction's lengths follow from cores, ligands and OPM diameters, as its mapping says"
    stops = (
        ", and drying stops when the film has the volume of close-packed layers at that distance, or what the study says"
        if dries
        else ""
    )
    return f"{owes}{stops}. That this run's spacing lies near OPM is therefore no test of OPM."


def opm_diameter(nanocrystal: Nanocrystal) -> float:
    """OPM diameter: nearest-neighbour distance of equal nanocrystals [nm].

    Raises:
        PhysicsError: a core that is no sphere.
    """
    if nanocrystal.core.shape is not None:
        raise PhysicsError(
            f"OPM is defined for spheres; this core is a {nanocrystal.core.shape.name}: take tier = 'cubes'"
        )
    return float(opm.spacing(nanocrystal.core.diameter_nm, nanocrystal.ligand.length_nm, nanocrystal.xi))


def size_classes(batch: Batch) -> list[tuple[str, Nanocrystal, int]]:
    """Sort a Gaussian spread of core sizes into classes of equal probability: (type name, nanocrystal, count).

    Each class has the mean size of its part of the distribution; the class sizes are stretched so that their standard
    deviation is the batch's own. The middle class keeps the batch's name.
    """
    if batch.size_dispersity == 0:
        return [(batch.name, batch.nanocrystal, batch.count)]
    edges = [NormalDist().inv_cdf(i / SIZE_CLASSES) for i in range(1, SIZE_CLASSES)]
    density = np.array([0.0, *(NormalDist().pdf(edge) for edge in edges), 0.0])
    means = -np.diff(density) * SIZE_CLASSES
    means /= np.sqrt(np.mean(means**2))
    counts = [batch.count // SIZE_CLASSES + (i < batch.count % SIZE_CLASSES) for i in range(SIZE_CLASSES)]
    classes = []
    for i, (mean, count) in enumerate(zip(means, counts, strict=True)):
        name = batch.name if i == SIZE_CLASSES // 2 else f"{batch.name}:{i + 1}"
        sized = batch.nanocrystal.core.scaled(1 + batch.size_dispersity * float(mean))
        classes.append((name, replace(batch.nanocrystal, core=sized), count))
    return classes


def hamaker_constant(a: Nanocrystal, b: Nanocrystal, temperature: float) -> float:
    """Hamaker constant of two cores, the geometric mean of the library's [kT].

    Raises:
        PhysicsError: no Hamaker constant for a core.
    """
    constants = []
    for nanocrystal in (a, b):
        number = library.quantity("cores", nanocrystal.core.material, "hamaker")
        if number is None:
            raise PhysicsError(
                f"the library has no Hamaker constant for {nanocrystal.core.material}: choose attraction = 'none', "
                "or add `hamaker` with its source to potentials/cores.toml"
            )
        constants.append(number.value / kt_in_joule(temperature))
    return math.sqrt(constants[0] * constants[1])


def core_attraction(a: Nanocrystal, b: Nanocrystal, contact: float, temperature: float) -> Hamaker:
    """Attraction between the cores of two nanocrystals, from the library's Hamaker constants.

    Args:
        a: the one.
        b: the other.
        contact: OPM distance of the pair [nm].
        temperature: [K].

    Raises:
        PhysicsError: no Hamaker constant for a core.
    """
    # A quarter of the way from touching cores to contact the shell costs more than 10 kT: no pair comes that close.
    cores = a.core.radius_nm + b.core.radius_nm
    closest = cores + (contact - cores) / 4
    return Hamaker(
        constant=hamaker_constant(a, b, temperature),
        radii=(a.core.radius_nm, b.core.radius_nm),
        closest=closest,
        r_cut=ATTRACTION_RANGE * contact,
    )


def _stiffness(shell: Shell, contact: float) -> float:
    """Curvature U'' of the shell at contact [kT/nm²]."""
    step = 1e-4 * contact
    return float(shell.force(contact - step) - shell.force(contact + step)) / (2 * step)


def build(
    batches: Sequence[Batch], temperature: float, attraction: str = "none", timestep_factor: float = 1.0
) -> Model:
    """Derive the shells model from nanocrystals.

    Args:
        batches: the nanocrystals; the first sets the Brownian time.
        temperature: [K], converts Hamaker constants to kT.
        attraction: ``"none"`` or ``"hamaker"`` (between cores, from the library's constants).
        timestep_factor: multiplies the time step that the stiffest pair allows.

    Raises:
        PhysicsError: no Hamaker constant for a core, or ligands for which no shell can be derived.
    """
    classes = [entry for batch in batches for entry in size_classes(batch)]
    names = tuple(name for name, _, _ in classes)
    crystals = tuple(nanocrystal for _, nanocrystal, _ in classes)
    diameters = tuple(opm_diameter(nanocrystal) for nanocrystal in crystals)
    reference = opm_diameter(batches[0].nanocrystal)
    mass = (
        1 / reference**2
    )  # so that momentum relaxes within one Brownian time, the longest that is still overdamped

    pairs: dict[tuple[str, str], tuple[PairPotential, ...]] = {}
    mapping: list[Parameter] = []
    stiffest = 0.0
    for i, a in enumerate(crystals):
        for j in range(i, len(crystals)):
            b = crystals[j]
            contact = (diameters[i] + diameters[j]) / 2
            shell = shell_from_brush(
                contact,
                radius=(a.core.radius_nm + b.core.radius_nm) / 2,
                ligand_length=(a.ligand.length_nm + b.ligand.length_nm) / 2,
            )
            stiffest = max(stiffest, _stiffness(shell, contact))
            mapping += [
                Parameter((names[i], names[j]), *parameter)
                for parameter in (
                    ("r_0", shell.onset, "nm", "shells first touch, core and two extended ligands"),
                    ("n", shell.exponent, "", "bends like the brush at the OPM distance"),
                    ("ε", shell.epsilon, "kT", "U(OPM distance) = 1 kT"),
                    ("OPM", contact, "nm", "contact distance of the packing model"),
                )
            ]
            potentials: tuple[PairPotential, ...] = (shell,)
            if attraction == "hamaker":
                hamaker = core_attraction(a, b, contact, temperature)
                potentials += (hamaker,)
                mapping.append(
                    Parameter((names[i], names[j]), "A", hamaker.constant, "kT", "Hamaker constant")
                )
            pairs[names[i], names[j]] = potentials

    return Model(
        types=names,
        counts=tuple(count for _, _, count in classes),
        nanocrystals=crystals,
        diameters=diameters,
        pairs=pairs,
        walls={name: Wall(1.0, diameter / 2) for name, diameter in zip(names, diameters, strict=True)},
        friction={name: d / reference**3 for name, d in zip(names, diameters, strict=True)},  # Stokes: γ ∝ d
        mass=mass,
        timestep=timestep_factor * min(LONGEST_STEP, PHASE_PER_STEP / math.sqrt(stiffest / mass)),
        reference_diameter=reference,
        mapping=tuple(mapping),
    )
