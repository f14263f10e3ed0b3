"""The stored outputs of every chapter, compared strictly in other environments.

Run it with ``python -m benchmarks.bench_determinism`` from the root of the repository. Rows and
chapters can be named: ``python -m benchmarks.bench_determinism oldest-torch --chapters 02 09``.

Each row runs the chapters under ``pytest --nbval``, as ``make test`` does, in one environment:

- ``threads-1``, ``threads-2``, ``own``: one thread, two, and as many as this machine has cores.
- ``no-vectors``, ``avx2``: PyTorch's own kernels without vector instructions, and with AVX2.
- ``old-processor``: moreover oneDNN, MKL and OpenBLAS as on a processor of 2008. x86 only, as is
  ``avx2``.
- ``oldest-torch``: the lowest torch and torchvision that pyproject.toml allows; ``newest-torch``:
  the newest on the package index. ``oldest-packages``: the lowest NumPy, Matplotlib, Pillow and
  scikit-learn.
- ``random-order``: the unit tests with files, classes and functions shuffled (without the one that
  asks whether its environment is complete), then the chapters in a random order. The seed is in the
  table; ``--seed`` repeats an order.
- ``twice``: each chapter from the top and, in the same kernel, from the top again. (``make test``
  takes the cells in a random order the second time.)

Other versions are installed into environments of their own in ``benchmarks/``; each needs the
package index once. Rows whose environments are equal on this machine (``own`` with two cores, the
newest torch when it is the course's) are run once and shown twice.

Before it believes a row, it asks a kernel of the same run which interpreter, versions, threads and
instructions it has; a row whose kernel was another fails, and so does a row of which a cell was
skipped or never ran. "Compared" are the cells whose outputs are: not those with the tag
``nbval-ignore-output``. Times are of one run, on the clock, and say only how long it takes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks import extra_environment
from benchmarks.cell_report import read_cells, read_tests, write_notebook
from benchmarks.report import environment, store
from course_utils.commands.testing import workers
from course_utils.names import look_up

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
RESULT = Path(__file__).parent / "results" / "determinism.json"
PART = RESULT.with_name("determinism_part.json")  # of a run with rows or chapters left out
SHUFFLER = ("pytest-randomly>=4",)
# It examines the environment it runs in, and this one has no JupyterLab of its own.
NOT_SHUFFLED = "test_a_healthy_environment_has_no_problem_in_its_packages_and_widgets"
# Set by a row or left alone, but never taken over from outside. conftest.py sets one thread where a
# row says nothing.
SETTINGS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "MKL_CBWR",
    "OPENBLAS_CORETYPE",
)
# nbval runs this as one more notebook: what the kernels of that run are.
WITNESS = """
import json, os, sys
from importlib.metadata import version
import numpy, torch
seen = {"torch": torch.__version__.split("+")[0], "numpy": numpy.__version__}
seen |= {name: version(name) for name in ("torchvision", "matplotlib", "pillow", "scikit-learn")}
seen["python"], seen["threads"] = sys.executable, str(torch.get_num_threads())
seen["instructions"] = torch.backends.cpu.get_cpu_capability()
with open(os.environ["COURSE_WITNESS"], "w", encoding="utf-8") as file:
    json.dump(seen, file)
"""


@dataclass(frozen=True)
class Row:
    """An environment: variables, packages (pip requirements), and what its kernel must then say."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    folder: str | None = None  # of an environment with these packages
    packages: tuple[str, ...] = ()
    expected: dict[str, str] = field(default_factory=dict)
    shuffled: bool = False
    twice: bool = False
    problem: str | None = None  # why it cannot be run

    def same_run(self) -> tuple:
        """Equal for rows that need not be run twice."""
        return (*sorted(self.settings.items()), self.packages, self.shuffled, self.twice)


def lowest(packages: list[str]) -> dict[str, str]:
    """Name -> the lower bound that pyproject.toml declares, with all three numbers."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = {}
    for line in tomllib.loads(text)["project"]["dependencies"]:
        requirement = Requirement(line)
        if requirement.name in packages:
            (bound,) = [part for part in requirement.specifier if part.operator == ">="]
            release = (*Version(bound.version).release, 0, 0)[:3]
            found[requirement.name] = ".".join(map(str, release))
    return {name: found[name] for name in packages}


def exactly(versions: dict[str, str]) -> tuple[str, ...]:
    """pip requirements. ``===``, because ``==2.13.0`` also takes a ``2.13.0+cpu`` lying around,
    beside which the index's torchvision does not import."""
    return tuple(f"{name}==={version}" for name, version in versions.items())


def newest_torch() -> Row:
    """The newest torch and torchvision on the index; no packages when the course has them."""
    names = ("torch", "torchvision")
    one = {"OMP_NUM_THREADS": "1"}
    try:
        versions = {name: extra_environment.newest(name) for name in names}
    except extra_environment.InstallError as error:
        return Row("newest-torch", one, problem=str(error))
    ours = {name: importlib.metadata.version(name).split("+")[0] for name in names}
    if all(Version(ours[name]) >= Version(versions[name]) for name in names):
        return Row("newest-torch", one, expected=ours)
    folder = f"torch-{versions['torch']}"
    return Row("newest-torch", one, folder, exactly(versions), versions)


def table() -> dict[str, Row]:
    """Every row but the newest torch, which must ask the index: `newest_torch`."""
    one, two, cores = ({"OMP_NUM_THREADS": str(n)} for n in (1, 2, os.cpu_count() or 1))
    plain = {"ATEN_CPU_CAPABILITY": "default"}
    old = {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Nehalem"}
    pair = lowest(["torch", "torchvision"])
    packages = lowest(["numpy", "matplotlib", "pillow", "scikit-learn"])
    default = {"instructions": "DEFAULT"}
    rows = [
        Row("threads-1", one, expected={"threads": "1"}),
        Row("threads-2", two, expected={"threads": "2"}),
        Row("own", cores, expected={"threads": cores["OMP_NUM_THREADS"]}),
        Row("no-vectors", one | plain, expected=default | {"threads": "1"}),
        Row("avx2", one | {"ATEN_CPU_CAPABILITY": "avx2"}, expected={"instructions": "AVX2"}),
        Row("old-processor", two | plain | old, expected=default),
        Row("oldest-torch", one, f"torch-{pair['torch']}", exactly(pair), pair),
        Row("oldest-packages", one, "oldest-packages", exactly(packages), packages),
        Row("random-order", one, "random-order", SHUFFLER, shuffled=True),
        Row("twice", one, twice=True),
    ]
    return {row.name: row for row in rows}


NAMES = (*table(), "newest-torch")


def not_for_this_processor(row: Row) -> str | None:
    """Why the row's instructions do not exist here; None when they do."""
    if row.name not in ("avx2", "old-processor"):
        return None
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"no such instructions on {platform.machine()}"
    has = torch.backends.cpu.get_cpu_capability()
    if row.name == "avx2" and has not in ("AVX2", "AVX512"):
        return f"this processor has {has}"
    return None


def chapters(numbers: list[str]) -> list[Path]:
    """The notebooks with these numbers, all without. Raises ValueError for an unknown one."""
    paths = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    return [look_up("chapter", number, paths) for number in numbers or paths]


def child_environment(row: Row) -> dict[str, str]:
    """This process's environment with the row's settings, and none from outside."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if name not in (*SETTINGS, "COURSE_TEST_IPYTHON", "IPYTHONDIR")
        and not name.startswith(("PYTEST", "COV_"))
    }
    return {**ours, **row.settings}


def run_pytest(
    python: Path | str, row: Row, arguments: list[str], report: Path, processes: int
) -> tuple[int, str, float]:
    """Run pytest in the row's environment, results to ``report``. Status, last words, seconds."""
    command = [str(python), "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--color=no", "-q"]
    command += [f"--rootdir={ROOT}", "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += ["-o", "verbosity_assertions=2"]  # what was expected and what came, in full
    if processes > 1:
        command += ["-n", str(processes), "--dist", "loadfile"]
    settings = child_environment(row) | {"COURSE_WITNESS": str(report.with_suffix(".json"))}
    begin = time.monotonic()
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=settings, capture_output=True, text=True
    )
    said = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode, "\n".join(said[-15:]), time.monotonic() - begin


def kernel_problems(row: Row, python: Path | str, kernel: dict[str, str]) -> list[str]:
    """In what the kernel is not the one that the row asks for."""
    wanted = row.expected | {"python": os.path.abspath(python)}
    return [
        f"the kernel has {name} {kernel[name]}, not {value}"
        for name, value in wanted.items()
        if kernel[name] != value
    ]


def agrees(row: Row, result: dict) -> bool:
    """Whether another row's result holds for this one as well."""
    kernel = result.get("kernel")
    return bool(kernel and not row.problem and not kernel_problems(row, kernel["python"], kernel))


def compare(
    row: Row, python: Path | str, paths: list[Path], processes: int, seed: int | None = None
) -> dict:
    """Run the chapters in the row's environment: what was compared, what differed, how long.

    ``seed`` runs them in a random order.
    """
    with tempfile.TemporaryDirectory(prefix="course-determinism-") as temporary:
        report, witness = Path(temporary, "cells.xml"), Path(temporary, "witness.ipynb")
        write_notebook(witness, WITNESS)
        order = [witness, *paths]
        arguments = ["--nbval", "-p", "no:randomly"]  # the cells of a notebook keep their order
        arguments += ["--again", "in-order"] if row.twice else []
        if seed is not None:
            random.Random(seed).shuffle(order)
            arguments += ["--no-loadscope-reorder"] if processes > 1 else []
        arguments += map(str, order)
        status, words, seconds = run_pytest(python, row, arguments, report, processes)
        cells = read_cells(report, paths, row.twice)
        try:
            kernel = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kernel = None
    problems = [cells.problem] if cells.problem else []
    problems += kernel_problems(row, python, kernel) if kernel else ["no kernel said what it is"]
    if status and (problems or not cells.failed):
        problems.append(words)
    return {
        "kernel": kernel,
        "chapters": len(paths),
        "chapters_passed": cells.chapters_passed,
        "compared": cells.compared,
        "failed": cells.failed,
        "problems": problems,
        "seconds": seconds,
    }


def shuffled_tests(row: Row, python: Path | str, seed: int, processes: int) -> dict:
    """Run the unit tests in the order of ``seed``: how many passed, which failed, how long."""
    # Only the order is random: reseeding before each test would hide one that depends on another.
    arguments = ["tests/unit", f"--randomly-seed={seed}", "--randomly-dont-reset-seed"]
    arguments.append(f"--deselect=tests/unit/test_doctor.py::{NOT_SHUFFLED}")
    with tempfile.TemporaryDirectory(prefix="course-determinism-") as temporary:
        report = Path(temporary, "tests.xml")
        status, words, seconds = run_pytest(python, row, arguments, report, processes)
        passed, failed = read_tests(report)
    problems = [words] if status and not failed else []
    return {"passed": passed, "failed": failed, "problems": problems, "seconds": seconds}


def measure(row: Row, paths: list[Path], seed: int, processes: int) -> dict:
    """One row of the table."""
    result = {"row": row.name, "settings": row.settings, "packages": list(row.packages)}
    unfit = not_for_this_processor(row)
    if unfit:
        return result | {"unfit": unfit, "passed": True}
    python: Path | str = sys.executable
    problem = row.problem
    if row.packages and not problem:
        try:
            python = extra_environment.make(row.folder, row.packages)
        except extra_environment.InstallError as error:
            problem = str(error)
    if problem:
        return result | {"problems": [problem], "passed": False}
    if row.shuffled:
        result |= {"seed": seed, "tests": shuffled_tests(row, python, seed, processes)}
    result |= compare(row, python, paths, processes, seed if row.shuffled else None)
    bad = [*result["failed"], *result["problems"]]
    if row.shuffled:
        bad += [*result["tests"]["failed"], *result["tests"]["problems"]]
    return result | {"passed": not bad}


def show(result: dict) -> None:
    """A line of the table; below it what differed."""
    name = f"{result['row']:<16}"
    if "unfit" in result:
        print(f"{name}not here: {result['unfit']}", flush=True)
        return
    if "chapters" in result:
        kernel = result["kernel"] or {}
        shown = f"{result['chapters_passed']} of {result['chapters']}"
        seconds = result["seconds"] + result.get("tests", {}).get("seconds", 0.0)
        same = f"  as {result['as']}" if "as" in result else f"{seconds:8.0f} s"
        print(
            f"{name}{shown:>9}{result['compared']:>10}{len(result['failed']):>8}{same}"
            f"   torch {kernel.get('torch')}, {kernel.get('instructions')}, "
            f"threads {kernel.get('threads')}, NumPy {kernel.get('numpy')}",
            flush=True,
        )
    else:
        print(f"{name}not run", flush=True)
    for problem in result.get("problems", []):
        print(f"    {problem}", flush=True)
    for cell in result.get("failed", []):
        print(f"    {cell['cell']}", *cell["message"].splitlines(), sep="\n        ", flush=True)
    if "tests" in result:
        tests = result["tests"]
        print(
            f"    unit tests in the order of seed {result['seed']}: {tests['passed']} passed, "
            f"{len(tests['failed'])} failed, {tests['seconds']:.0f} s",
            *tests["problems"],
            *(f"{test['cell']}: {test['message']}" for test in tests["failed"]),
            sep="\n        ",
            flush=True,
        )


def main(words: list[str] | None = None) -> int:
    """Run the named rows, all without a name; 1 when a cell differs or a row could not be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_determinism")
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(NAMES)}; all without")
    parser.add_argument("--chapters", nargs="+", default=[], metavar="NN")
    parser.add_argument("--seed", type=int, help="of the random order")
    parser.add_argument("--processes", type=int, default=workers())
    chosen = parser.parse_args(words)
    try:
        names = [look_up("row", name, {name: name for name in NAMES}) for name in chosen.rows]
        paths = chapters(chosen.chapters)
    except ValueError as error:
        parser.error(str(error))
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"{'':<16}{'chapters':>9}{'compared':>10}{'differ':>8}{'time':>10}   kernel", flush=True)
    rows, made, results = table(), {}, []
    for name in names or NAMES:
        row = newest_torch() if name == "newest-torch" else rows[name]
        twin = made.get(row.same_run())
        if twin and agrees(row, twin):
            result = twin | {"row": name, "as": twin["row"]}
        else:
            result = made[row.same_run()] = measure(row, paths, seed, chosen.processes)
        results.append(result)
        show(result)
    report = {
        **environment(),
        "processes": chosen.processes,
        "chapters": [path.stem for path in paths],
        "rows": results,
        "passed": all(result["passed"] for result in results),
    }
    return store(PART if names or chosen.chapters else RESULT, report)


if __name__ == "__main__":
    sys.exit(main())
