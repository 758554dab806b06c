from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import settings

from supercrystal import study as studies
from supercrystal.run import Prepared, prepare
from supercrystal.study import Study

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "drying-pbs-oleate.toml"

_not_run: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("hoomd") is not None:
        return
    for item in items:
        if "hoomd" in item.keywords:
            _not_run.append(item.nodeid)
            item.add_marker(
                pytest.mark.skip(reason="HOOMD-blue is not installed (environment.yml installs it)")
            )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _not_run:
        terminalreporter.write_line(
            f"{len(_not_run)} tests that need HOOMD-blue were not run: `import hoomd` fails here. "
            "It has no wheel for pip; environment.yml installs it from conda-forge."
        )


@pytest.fixture(scope="session")
def example_text() -> str:
    return EXAMPLE.read_text()


@pytest.fixture(scope="session")
def example(example_text: str) -> Study:
    return studies.parse(example_text)


@pytest.fixture(scope="session")
def prepared(example: Study) -> Prepared:
    return prepare(example)


#: A study that runs in seconds: few nanocrystals, dried fast. It says nothing about physics.
SMALL = {
    "count = 1000": "count = 200",
    "dry_layers = 10\n": "dry_layers = 5\n",
    "peclet = 0.10": "peclet = 2.0",
    "hold_brownian_times = 300": "hold_brownian_times = 20\nmixing_brownian_times = 5",
    "frames = 60": "frames = 20",
    "size_dispersity = 0.03": "size_dispersity = 0.0",
}


@pytest.fixture(scope="session")
def small_text(example_text: str) -> str:
    text = example_text
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def small_study(tmp_path: Path, small_text: str) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(small_text)
    return path


# A busy machine is no failure of a property: no deadlines, and the same examples in every run.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
