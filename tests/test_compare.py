from __future__ import annotations

from typing import Any

import pytest

from supercrystal import compare


def _result(phase: str, favoured: str) -> dict[str, Any]:
    return {
        "phase": phase,
        "opm": {"favoured": favoured, "softness": 0.7, "boundary": 0.504, "coverage": 0.8},
    }


@pytest.mark.parametrize(
    ("phase", "favoured", "differs"), [("fcc", "bcc", True), ("hcp", "fcc", False), ("bcc", "bcc", False)]
)
def test_the_phase_that_formed_is_said_beside_the_one_opm_favours(
    phase: str, favoured: str, differs: bool
) -> None:
    sentence = compare.against_opm(_result(phase, favoured))
    assert sentence is not None
    assert f"OPM favours {favoured} at x = 0.70" in sentence
    assert f"became {phase}" in sentence
    assert ("differs" in sentence) is differs


def test_nothing_is_said_of_a_film_that_did_not_order() -> None:
    assert compare.against_opm(_result("disordered", "bcc")) is None


def test_a_verdict_without_a_spacing_still_names_the_phase() -> None:
    result = {
        "phase": "fcc", "close_packed": {"mean": 0.8, "std": 0.1}, "lattice": None, "differences": {}, "how": "somehow",
    }  # fmt: skip
    assert compare.verdict(result) == "fcc: 80 ± 10 % close-packed; somehow."
    assert "did not order" in compare.verdict({"phase": "disordered"})
