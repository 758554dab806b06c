"""How fast phases are named on one core, in how much memory, beside freud's Steinhardt and OVITO's template matching.

    python benchmarks/identification_speed.py [--particles 100000] [--repeats 5] [--ovito PYTHON] [--profile]

Every measurement is a process of its own on one core with one thread; freud, OVITO and this package take turns on the
same file. Times leave out imports and reading. Memory is the largest resident size of the whole process, imports included.
The comparison with OVITO needs an interpreter that can `import ovito` (`--ovito`, default this one), and is left out where
it cannot; liquids are those of tests/validation/md_samples.py, made by LAMMPS where they are not in pytest's cache.
"""

# Only the standard library up here: a process passes its own size on to the peak of those that it starts, and OVITO's
# interpreter has no supercrystal.
from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: 10⁵ particles should be named within this time and memory, 10⁶ within the memory of a machine.
TARGET_S, TARGET_GIB, LARGE_GIB = 15.0, 4.0, 24.0
#: Noise per component over the nearest-neighbour distance, vacancies, and particles of the frames that are timed.
NOISE, VACANCIES, ANTISITES = 0.06, 0.02, 0.01
#: Whole cells are repeated and particles taken out: this much more is asked for, to have enough.
MORE = 1.06
#: Frames of the comparison of accuracy.
PHASES, NOISES, SEEDS, SMALL = ("fcc", "hcp", "bcc", "sc"), (0.04, 0.06, 0.08), (1, 2, 3), 4000
LIQUIDS = ("WCA 0.60", "WCA 0.80", "WCA 0.88", "WCA 0.92", "LJ 0.85", "LJ 0.92", "LJ supercooled")
#: Largest RMSD of a template that is accepted; 0.10 is OVITO's default.
CUTOFFS = (0.10, 0.15)
#: What is timed at 10⁵; the first and the second at 10⁶ too. A species called A is the host; where neither name nor
#: diameter tells, each species is tried.
FRAMES = ("fcc", "ABO3", "liquid", "liquid 1:4", "ABO3, host not told")
GIB = 2**30
THREADS = {
    key: "1" for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OVITO_THREAD_COUNT")
}


def make(kind: str, count: int, noise: float, seed: int, path: str) -> dict[str, Any]:
    """Write a frame of about `count` particles: a crystal with defects, or an amorphous block repeated."""
    import numpy as np

    rng = np.random.default_rng(seed)
    if kind in LIQUIDS:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from tests.validation.md_samples import sample

        found = sample(kind)
        box, x, kinds, phase = found.box, found.positions, found.kinds, "disordered"
    elif kind.startswith("liquid"):
        from supercrystal.structure.training import amorphous

        copies = 1 if count < 50_000 else 2 if count < 500_000 else 4
        made = amorphous(
            rng,
            guests=4 if "1:4" in kind else 0,
            ratio=0.55 if "1:4" in kind else 1.0,
            filling=0.5,
            count=-(-count // copies**3),
        )
        shifts = np.array(list(np.ndindex(copies, copies, copies))) * made.box[:3]
        x = (shifts[:, None] + made.positions).reshape(-1, 3)
        # Copies are shaken each in their own way: no two neighbourhoods are the same.
        x += rng.normal(0, 0.02, x.shape)
        box, kinds, phase = made.box * ([copies] * 3 + [1] * 3), np.tile(made.kinds, copies**3), made.phase
    else:
        from supercrystal.structure.training import crystal

        phase = kind.split(",")[0]
        antisites = ANTISITES if phase == "ABO3" else 0.0
        made = crystal(phase, rng, count=count, noise=noise, vacancies=VACANCIES, antisites=antisites)
        box, x, kinds = made.box, made.positions, made.kinds
    species = ("A", "B")[: int(kinds.max()) + 1] if "host not told" not in kind else ("X", "Y")
    np.savez(path, box=box, x=x, kinds=kinds, phase=phase, species=species)
    return {"n": len(x)}


def timed(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The result, wall time and the processor's time."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return result, {**taken, "GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB}


def name_frame(path: str, profile: str = "") -> dict[str, Any]:
    """Name a frame with this package."""
    import freud
    import numpy as np
    import scipy.spatial  # noqa: F401

    from supercrystal.structure.labels import phases
    from supercrystal.structure.naming import name
    from supercrystal.structure.trajectory import Configuration

    freud.parallel.set_num_threads(1)
    with np.load(path) as file:
        frame = {key: file[key] for key in file}
    species = tuple(str(name) for name in frame["species"])
    given = Configuration(0, frame["box"], frame["x"], frame["kinds"], species)
    if profile:
        import cProfile
        import pstats

        run = cProfile.Profile()
        run.runcall(name, given)
        text = pstats.Stats(run).strip_dirs()
        for order in ("tottime", "cumulative"):
            text.sort_stats(order).print_stats(int(profile))
        return {}
    named, taken = timed(lambda: name(given))
    right = float(np.mean(named.labels == phases().index(str(frame["phase"]))))
    return {**taken, "right": right, "phase": named.phase, "grains": len(named.grains)}


def steinhardt(path: str) -> dict[str, Any]:
    """Averaged q4, q6, w4, w6 of 12 neighbours by freud, the search for them included."""
    import freud
    import numpy as np

    freud.parallel.set_num_threads(1)
    with np.load(path) as file:
        box, x = freud.box.Box(*file["box"]), file["x"]
    order = freud.order.Steinhardt([4, 6], average=True, wl=True, wl_normalize=True)

    def both() -> Any:
        order.compute((box, x), neighbors={"num_neighbors": 12, "exclude_ii": True})
        return order.ql, order.particle_order

    return timed(both)[1]


def templates(path: str) -> dict[str, Any]:
    """Match fcc, hcp, bcc and sc templates by OVITO; the shares are those right for each of `CUTOFFS`."""
    from importlib import import_module

    import numpy as np

    # By name: type checkers need no OVITO.
    ovito = import_module("ovito.data")
    matching = import_module("ovito.modifiers").PolyhedralTemplateMatchingModifier
    with np.load(path) as file:
        box, x, phase = file["box"], file["x"], str(file["phase"])
    lx, ly, lz, xy, xz, yz = box
    edges = np.array([[lx, xy * ly, xz * lz], [0, ly, yz * lz], [0, 0, lz]])
    data = ovito.DataCollection()
    cell = ovito.SimulationCell(pbc=(True, True, True))
    cell[:, :3], cell[:, 3] = edges, -edges.sum(axis=1) / 2
    data.objects.append(cell)
    data.create_particles(count=len(x)).create_property("Position", data=x)
    modifier = matching(rmsd_cutoff=0.0, output_rmsd=True)  # no cutoff here: it is taken below
    types = {
        "fcc": matching.Type.FCC,
        "hcp": matching.Type.HCP,
        "bcc": matching.Type.BCC,
        "sc": matching.Type.SC,
    }
    for structure in modifier.structures:
        structure.enabled = structure.id in [int(kind) for kind in types.values()]
    _, taken = timed(lambda: data.apply(modifier))
    found = np.asarray(data.particles["Structure Type"])
    rmsd = np.asarray(data.particles["RMSD"])
    right = {}
    for cutoff in CUTOFFS:
        kinds = np.where(rmsd <= cutoff, found, int(matching.Type.OTHER))
        right[f"{cutoff:.2f}"] = float(np.mean(kinds == int(types.get(phase, matching.Type.OTHER))))
    return {**taken, "right": right}


def versions() -> dict[str, str]:
    """Versions of what this interpreter has."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"Python": platform.python_version()}
    for package in ("ovito", "freud-analysis", "numpy", "scipy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


WORKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "name": name_frame,
    "steinhardt": steinhardt,
    "templates": templates,
    "versions": versions,
}


def child(python: str, *arguments: str) -> dict[str, Any]:
    """Run this file as a process of its own and return what it prints last."""
    done = subprocess.run(
        [python, __file__, "--child", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **THREADS, "QT_QPA_PLATFORM": "offscreen"},
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}")
    lines = done.stdout.splitlines()
    print(*lines[:-1], sep="\n", end="")
    return dict(json.loads(lines[-1]))


def spread(runs: list[dict[str, Any]], key: str = "wall") -> str:
    values = [run[key] for run in runs]
    return f"median {statistics.median(values):.2f} s, {min(values):.2f} to {max(values):.2f}"


def prepare(folder: str, kind: str, count: int, noise: float = NOISE, seed: int = 1) -> tuple[str, int]:
    path = f"{folder}/{kind} {count} {noise} {seed}.npz".replace(":", "-")
    return path, child(sys.executable, "make", kind, str(count), str(noise), str(seed), path)["n"]


def large(folder: str, particles: int, repeats: int, ovito: str) -> None:
    """Times and memory, and the ratios to freud and OVITO on the same frames."""
    for kind in FRAMES if particles <= 200_000 else FRAMES[:2]:
        path, n = prepare(folder, kind, round(MORE * particles))
        ours, theirs, matched = [], [], []
        for _ in range(repeats):
            theirs.append(child(sys.executable, "steinhardt", path))
            ours.append(child(sys.executable, "name", path))
            if ovito and kind in PHASES:
                matched.append(child(ovito, "templates", path))
        wall, size = statistics.median(run["wall"] for run in ours), max(run["GiB"] for run in ours)
        limits = (TARGET_S, TARGET_GIB) if particles <= 200_000 else (float("inf"), LARGE_GIB)
        met = "met" if wall <= limits[0] and size <= limits[1] else "MISSED"
        print(f"{kind}, {n:,} particles: {spread(ours)}; CPU {spread(ours, 'cpu')}; peak {size:.2f} GiB")
        print(
            f"  targets {limits[0]:g} s, {limits[1]:g} GiB: {met}; {ours[0]['phase']}, {ours[0]['right']:.4f} right"
        )
        for label, others in (("freud Steinhardt", theirs), ("OVITO PTM", matched)):
            if others:
                ratio = min(r["cpu"] for r in ours) / min(r["cpu"] for r in others)
                walls = wall / statistics.median(r["wall"] for r in others)
                memory = max(r["GiB"] for r in others)
                print(
                    f"  {label}: {spread(others)}; CPU {spread(others, 'cpu')}; peak {memory:.2f} GiB; ",
                    end="",
                )
                print(
                    f"we take {walls:.1f} times as long (medians of wall time), {ratio:.1f} (least CPU time)"
                )
        sys.stdout.flush()


def accuracy(folder: str, ovito: str) -> None:
    """Share of the particles that get the right label, ours beside OVITO's."""
    cases = [(phase, noise, SEEDS) for phase in PHASES for noise in NOISES]
    for kind, noise, seeds in [*cases, *((liquid, 0.0, (1,)) for liquid in LIQUIDS)]:
        ours, theirs = [], []
        for seed in seeds:
            path, _ = prepare(folder, kind, SMALL, noise, seed)
            ours.append(child(sys.executable, "name", path)["right"])
            if ovito:
                theirs.append(child(ovito, "templates", path)["right"])
        wrong = kind in LIQUIDS
        columns = {"this package": statistics.mean(ours)}
        for cutoff in theirs[0] if theirs else ():
            columns[f"OVITO PTM, RMSD {cutoff}"] = statistics.mean(run[cutoff] for run in theirs)
        what = f"{kind}, labelled crystal" if wrong else f"{kind}, noise {noise:.2f}, right"
        print(
            what,
            *(f"{name} {1 - share if wrong else share:.4f}" for name, share in columns.items()),
            sep="; ",
        )
        sys.stdout.flush()


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        task, *given = sys.argv[2:]
        if task == "make":
            kind, count, noise, seed, path = given
            print(json.dumps(make(kind, int(count), float(noise), int(seed), path)))
        else:
            print(json.dumps(WORKERS[task](*given)))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--particles", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--ovito", default=sys.executable, metavar="PYTHON", help="interpreter that has OVITO"
    )
    parser.add_argument("--profile", action="store_true", help="profile each frame once instead")
    parser.add_argument("--no-accuracy", action="store_true", help="leave out the comparison of accuracy")
    arguments = parser.parse_args()
    there = child(sys.executable, "versions")
    print(f"{platform.machine()}, {os.cpu_count()} cores, one used; {there}")
    found = subprocess.run([arguments.ovito, "-c", "import ovito"], stderr=subprocess.DEVNULL)
    ovito = "" if found.returncode else arguments.ovito
    if ovito:
        print(f"OVITO's interpreter: {child(ovito, 'versions')}")
    else:
        print("no OVITO: its part is left out; --ovito PYTHON takes an interpreter that has it")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.profile:
            for kind in FRAMES:
                path, n = prepare(folder, kind, round(MORE * arguments.particles))
                print(f"--- {kind}, {n:,} particles", flush=True)
                child(sys.executable, "name", path, "25")
            return
        large(folder, arguments.particles, arguments.repeats, ovito)
        if not arguments.no_accuracy:
            accuracy(folder, ovito)


if __name__ == "__main__":
    main()
