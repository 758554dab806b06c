from __future__ import annotations

import numpy as np
import pytest

from supercrystal import library
from supercrystal.errors import PhysicsError
from supercrystal.structure.scattering.contrast import (
    ELECTRON_RADIUS_NM,
    SOLVENTS,
    composition,
    nanocrystal_body,
    refraction,
    scattering_length_density,
)
from supercrystal.structure.scattering.form_factors import Cuboid, Polyhedron, Sphere, cube
from supercrystal.structure.scattering.specification import bodies
from supercrystal.structure.trajectory import Configuration


def test_electron_densities() -> None:
    """Electrons per nm³ counted by hand: d N_A Z / M."""
    for material, expected in {
        "H2O@0.997": 0.997 * 602.214 * 10 / 18.015,
        "PbS": 7.60 * 602.214 * (82 + 16) / (207.2 + 32.06),
        "Au": 19.3 * 602.214 * 79 / 196.97,
        "toluene": 0.862 * 602.214 * 50 / 92.14,
        "CsPbBr3": 4.86 * 602.214 * (55 + 82 + 3 * 35) / (132.905 + 207.2 + 3 * 79.904),
    }.items():
        assert scattering_length_density(material) / ELECTRON_RADIUS_NM == pytest.approx(expected, rel=1e-3)
    assert scattering_length_density("vacuum") == 0
    assert composition("Fe2O3") == {"Fe": 2.0, "O": 3.0}


def test_every_solvent_and_core_of_the_library_has_a_density() -> None:
    assert set(library.names("solvents")) == set(SOLVENTS)
    for name in (*library.names("cores"), *SOLVENTS):
        assert scattering_length_density(name) > 0


def test_refraction_of_silicon() -> None:
    """δ = 7.6e-6 for Si at Cu Kα with dispersion (f' = 0.25 of 14 electrons), 7.4e-6 without."""
    assert refraction("Si@2.329", 0.15406) == pytest.approx(7.58e-6, rel=0.03)


def test_core_and_shell_scatter_by_their_differences() -> None:
    body = nanocrystal_body(Sphere(3.0), "PbS", "toluene", shell=(Sphere(4.5), "C18H34O2@0.895"))
    rho = [scattering_length_density(name) for name in ("PbS", "C18H34O2@0.895", "toluene")]
    forward = body.radial_moments(np.zeros(1))[0][0]
    volumes = [Sphere(3.0).volume, Sphere(4.5).volume]
    assert forward == pytest.approx((rho[0] - rho[1]) * volumes[0] + (rho[1] - rho[2]) * volumes[1])
    matched = nanocrystal_body(Sphere(3.0), "PbS", "PbS")
    assert matched.radial_moments(np.array([0.3]))[1][0] == 0


@pytest.mark.parametrize(
    ("material", "words"),
    [
        ("pbs", "not a formula"),
        ("SiO2", "has no density"),
        ("Xx2@1", "no element"),
        ("Si@heavy", "density"),
        ("Si@-1", "density"),
    ],
)
def test_refuses_materials(material: str, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        scattering_length_density(material)


def test_refuses_wavelengths_and_hollow_shells() -> None:
    with pytest.raises(PhysicsError, match="wavelength"):
        refraction("Si@2.33", 0.0)
    with pytest.raises(PhysicsError, match="does not enclose"):
        nanocrystal_body(Sphere(3.0), "PbS", shell=(Sphere(2.0), "toluene"))


def frame(**changes) -> Configuration:
    given = {
        "index": 0,
        "box": np.array([20.0, 20, 20, 0, 0, 0]),
        "positions": np.zeros((4, 3)),
        "kinds": np.array([0, 0, 1, 1]),
        "species": ("PbS", "Au"),
        "diameters": np.array([7.0, 7.7, 4.0, 4.0]),
        "orientations": np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]),
    }
    return Configuration(**{**given, **changes})


def test_bodies_from_text() -> None:
    found = bodies(
        [
            "PbS=truncated-cube,edge=8,cut=1,material=PbS,shell=1.5,shell-material=C18H34O2@0.895,orientation=file",
            "Au=sphere,diameter=4,contrast=2.5,dispersity=0.08",
        ],
        frame(),
        "toluene",
    )
    assert found["Au"].parts == ((Sphere(2.0), 2.5),)
    assert found["Au"].dispersity == 0.08
    assert len(found["PbS"].orientations) == 2
    core, outer = (shape for shape, _ in found["PbS"].parts)
    assert isinstance(outer, Polyhedron)
    # All faces of the shell, those across the corners too, are 1.5 farther out.
    for normal in ([1, 0, 0], [1, 1, 1]):
        n = np.array(normal) / np.linalg.norm(normal)
        reach = [np.max(np.array(shape.vertices) @ n) for shape in (core, outer)]
        assert reach[1] - reach[0] == pytest.approx(1.5)
    assert bodies(["PbS=cube,edge=6,material=PbS,shell=1,shell-material=toluene", "Au=point"], frame())[
        "PbS"
    ].parts[1][0] == cube(8.0)
    assert isinstance(cube(8.0), Cuboid)
    turned = bodies(["PbS=cube,edge=6,orientation=2/0/0/2", "Au=point"], frame())["PbS"]
    np.testing.assert_allclose(turned.orientations, [[2**-0.5, 0, 0, 2**-0.5]])


def test_species_without_text_are_spheres_of_the_files_diameters() -> None:
    found = bodies([], frame())
    assert found["Au"].parts == ((Sphere(2.0), 1.0),)
    assert found["PbS"].parts[0][0].radius == pytest.approx(7.35 / 2)
    assert found["PbS"].dispersity == pytest.approx(0.35 / 7.35)
    assert set(bodies([], frame(species=("PbS", "Au", "Ag")))) == {"PbS", "Au"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ag=sphere,diameter=4", "gives no body"),
        ("PbS", "gives no body"),
        ("PbS=spere,diameter=4", "did you mean 'sphere'"),
        ("PbS=sphere", "needs diameter"),
        ("PbS=sphere,diametre=4", "did you mean 'diameter'"),
        ("PbS=sphere,diameter=x", "no finite number"),
        ("PbS=sphere,diameter=4,diameter=5", "once"),
        ("PbS=sphere,diameter=4,shell=1", "shell-material"),
        ("PbS=sphere,diameter=4,material=PbS,contrast=1", "either a material or a contrast"),
        ("PbS=cube,edge=4,orientation=up", "none of random"),
        ("PbS=cube,edge=4,orientation=0/0/0/0", "no quaternion"),
    ],
)
def test_refuses_texts(text: str, words: str) -> None:
    with pytest.raises(PhysicsError, match=words):
        bodies([text], frame())


def test_refuses_what_the_file_does_not_have() -> None:
    with pytest.raises(PhysicsError, match="no diameter"):
        bodies([], frame(diameters=None))
    with pytest.raises(PhysicsError, match="no orientations"):
        bodies(["PbS=cube,edge=4,orientation=file"], frame(orientations=None))
    with pytest.raises(PhysicsError, match="twice"):
        bodies(["PbS=point", "PbS=point"], frame())
