"""Make a data space: one job a seed of one study.

python init.py STUDY --seeds 1 2 3 4 5 [--path DIR]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import signac

from supercrystal import study as studies
from supercrystal.run import prepare


def make(study_file: Path, seeds: list[int], path: Path) -> signac.Project:
    """Initialise the project and its jobs; the study is validated for every seed before anything is written."""
    text = study_file.read_text(encoding="utf-8")
    texts = {seed: studies.with_seed(text, seed, str(study_file)) for seed in seeds}
    prepare(next(iter(texts.values()))[0])
    project = signac.init_project(path)
    for seed, (study, changed) in texts.items():
        project.open_job({"study": study.name, "seed": seed, "text": changed}).init()
    return project


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--path", type=Path, default=Path())
    arguments = parser.parse_args()
    print(f"{len(make(arguments.study, arguments.seeds, arguments.path))} jobs")
