"""What the course costs those who keep it: its tests, its imports, and `make lab`.

Run it with ``python -m benchmarks.bench_course`` from the root of the repository, with the names of
some parts only (``import``, ``lab``, ``serial``, ``parallel``), or for some chapters only
(``--chapters 00 02``).

import: a fresh interpreter that imports the package, torch, or what the set-up cell of a chapter
imports; the shortest of several turns on the clock, files in the page cache.
lab: the second start of `make lab` until the page of chapter 00 is open with its kernel idle, and
until its first code cell has run, in turns with a plain JupyterLab and a notebook of one empty
cell; medians (see lab_start.py).
serial: strict nbval over all chapters in one process, one kernel after the other; seconds of each
chapter from the begin of its first cell's test to the end of its last one's, kernel included, and
the largest memory of pytest, kernel and what the kernel has started, as the sum of their resident
sets. An empty notebook says how much of it is the kernel's start.
parallel: the same as `make test` does it, a kernel for each core. Resident sets that share pages
count those twice, so the proportional sets (Linux) are given as well.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import lab_start
from benchmarks.nbval_log import VARIABLE
from benchmarks.report import environment, store
from benchmarks.watched import Watched, watch
from course_utils.commands import testing
from course_utils.commands.bootstrap import ROOT, child_environment
from course_utils.commands.chromium import REMEDY, find_chromium
from course_utils.names import look_up
from tests.browser.lab import write_notebook

RESULT = Path(__file__).parent / "results" / "course.json"
NOTEBOOKS = ROOT / "notebooks"
# Seconds that a chapter may take, headless; without a line here OTHER_LIMIT
LIMITS = {
    **dict.fromkeys(("00", "01", "02", "03", "04", "05"), 20.0),
    **dict.fromkeys(("06", "07", "08", "09", "10"), 25.0),
    **{"11": 30.0, "12": 60.0, "13": 30.0},
}
OTHER_LIMIT = 30.0
LAB_LIMIT = 15.0  # seconds from `make lab` to the page
IMPORT_LIMIT = 0.05  # of what torch takes: `import course_utils` itself loads nothing
IMPORT_TURNS, CHAPTER_TURNS, LAB_TURNS = 10, 2, 3
PROMISE = re.compile(r"\*\*Run time:\*\*\s*about (\d+) (second|minute)s?\b")
BASICS = {
    "python -c pass": "pass",
    "import course_utils": "import course_utils",
    "import numpy": "import numpy",
    "import torch": "import torch",
}


@dataclass
class Chapter:
    """When a notebook's tests ran (seconds of one clock), how many, and which of them failed."""

    begin: float
    end: float = 0.0
    cells: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def chapters_of(lines: Iterable[str]) -> dict[str, Chapter]:
    """name of the notebook -> its `Chapter`, from the lines that `nbval_log` wrote.

    Raises ValueError for a notebook whose last test has not ended.
    """
    found: dict[str, Chapter] = {}
    under_way: set[str] = set()
    for line in lines:
        event = json.loads(line)
        name, _, cell = event["test"].rpartition("/")[2].partition("::")
        chapter = found.setdefault(name.removesuffix(".ipynb"), Chapter(event["when"]))
        if event["event"] == "start":
            under_way.add(event["test"])
            chapter.cells += 1
        elif event["event"] == "finish":
            under_way.discard(event["test"])
            chapter.end = event["when"]
        elif cell not in chapter.failed:
            chapter.failed.append(cell)
    if under_way:
        raise ValueError(f"tests that began and did not end: {', '.join(sorted(under_way))}")
    return found


def promised(notebook: Path) -> float | None:
    """Seconds that the header of a chapter says it takes; None when it does not say it."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        found = PROMISE.search("".join(cell["source"]))
        if found:
            return float(found[1]) * (60 if found[2] == "minute" else 1)
    return None


def limit_of(name: str) -> float:
    """Seconds that the chapter NN_name may take."""
    return LIMITS.get(name[:2], OTHER_LIMIT)


def setup_imports(notebook: Path) -> str:
    """The import statements of the first code cell that has any, as a program.

    Raises ValueError when no cell imports anything.
    """
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        try:
            body = ast.parse("".join(cell["source"])).body
        except SyntaxError:  # a cell with IPython's % or !
            continue
        imports = [
            ast.unparse(each) for each in body if isinstance(each, ast.Import | ast.ImportFrom)
        ]
        if imports:
            return "\n".join(imports)
    raise ValueError(f"no cell of {notebook.name} imports anything")


def nbval(notebooks: list[Path], *, parallel: bool) -> tuple[Watched, dict[str, Chapter]]:
    """Strict nbval over some notebooks under observation."""
    paths = [str(path) for path in notebooks]
    if parallel:
        line = testing.command_lines(sys.executable, paths)[0]
    else:
        line = [sys.executable, "-m", "pytest", "--nbval", *paths]
    env = {k: v for k, v in child_environment(sys.executable).items() if not k.startswith("PYTEST")}
    with TemporaryDirectory() as folder:
        log = Path(folder, "tests.jsonl")
        log.touch()
        env[VARIABLE] = str(log)
        extra = ["-q", "-p", "no:cacheprovider", "-p", "benchmarks.nbval_log"]
        run = watch([*line, *extra], ROOT, env, Path(folder, "output.txt"))
        events = log.read_text(encoding="utf-8").splitlines()
    try:
        return run, chapters_of(events)
    except ValueError as error:
        raise RuntimeError(f"pytest broke off ({error}):\n{run.output[-4000:]}") from error


def megabytes(size: int | None) -> float | None:
    return None if size is None else size / 1e6


def of_run(run: Watched, ran: dict[str, Chapter]) -> dict:
    """What both ways of running the tests report."""
    peak = run.peak()
    return {
        "seconds": run.seconds,
        "cpu_s": run.cpu,
        "peak_rss_mb": megabytes(peak and peak.rss),
        "peak_pss_mb": megabytes(run.peak_pss()),
        "processes": max((sample.processes for sample in run.samples), default=0),
        "failed": {name: chapter.failed for name, chapter in ran.items() if chapter.failed},
    }


def summary(report: dict) -> str:
    """One line for a whole run: time, memory, what failed."""
    text = f"{report['seconds']:.1f} s"
    if report["cpu_s"] is not None:
        text += f" ({report['cpu_s']:.1f} s of processor time)"
    text += f", at most {report['peak_rss_mb'] or 0:.0f} MB resident"
    if report["peak_pss_mb"] is not None:
        text += f" ({report['peak_pss_mb']:.0f} MB proportional)"
    text += f" in {report['processes']} processes"
    for name, cells in report["failed"].items():
        text += f"\nFAILED {name}: {', '.join(cells)}"
    return text


def chapter_row(name: str, chapter: Chapter, run: Watched) -> dict:
    peak = run.peak(chapter.begin, chapter.end)
    return {
        "chapter": name,
        "cells": chapter.cells,
        "seconds": chapter.seconds,
        "peak_rss_mb": megabytes(peak and peak.rss),
        "limit_s": limit_of(name),
        "promised_s": promised(NOTEBOOKS / f"{name}.ipynb"),
        "passed": not chapter.failed and chapter.seconds <= limit_of(name),
    }


def chapter_line(row: dict) -> str:
    memory = "?" if row["peak_rss_mb"] is None else f"{row['peak_rss_mb']:.0f}"
    promise = "?" if row["promised_s"] is None else f"{row['promised_s']:.0f}"
    text = (
        f"{row['chapter']:<24}{row['cells']:>6}{row['seconds']:>8.1f} s{row['limit_s']:>7.0f} s"
        f"{promise:>9} s{memory:>8} MB"
    )
    if not row["passed"]:
        return f"{text}  FAILED"
    late = row["promised_s"] is not None and row["seconds"] > row["promised_s"]
    return f"{text}  longer than its header says" if late else text


def serial_part(notebooks: list[Path]) -> dict:
    with TemporaryDirectory(dir=RESULT.parent) as folder:  # under the root: conftest.py counts
        empty = Path(folder, "empty.ipynb")
        write_notebook(empty, "pass")
        empty_run, empty_ran = nbval([empty], parallel=False)
    run, ran = nbval(notebooks, parallel=False)
    rows = [chapter_row(name, chapter, run) for name, chapter in sorted(ran.items())]
    head = f"{'one after the other':<24}{'cells':>6}{'time':>10}{'limit':>9}{'header':>11}"
    print(f"{head}{'memory':>11}")
    for row in rows:
        print(chapter_line(row))
    report = of_run(run, ran) | {"rows": rows, "empty_s": empty_ran["empty"].seconds}
    print(f"an empty notebook takes {report['empty_s']:.1f} s; with pytest's own start and end")
    print(f"({empty_run.seconds - report['empty_s']:.1f} s) all chapters: {summary(report)}")
    passed = run.status == empty_run.status == 0 and len(rows) == len(notebooks)
    if run.status:
        print(run.output[-4000:])
    return report | {"passed": passed and all(row["passed"] for row in rows)}


def parallel_part(notebooks: list[Path]) -> dict:
    run, ran = nbval(notebooks, parallel=True)
    report = of_run(run, ran) | {"workers": testing.workers()}
    report["rows"] = [
        {"chapter": name, "seconds": chapter.seconds} for name, chapter in sorted(ran.items())
    ]
    print(f"{report['workers']} at a time: {summary(report)}")
    if run.status:
        print(run.output[-4000:])
    return report | {"passed": run.status == 0 and len(ran) == len(notebooks)}


def interpreter_seconds(program: str) -> float:
    """Seconds of a fresh interpreter that runs `program`, on the clock."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ, check=True)
    return time.perf_counter() - begin


def import_part(notebooks: list[Path]) -> dict:
    programs = {**BASICS, **{path.stem: setup_imports(path) for path in notebooks}}
    best = dict.fromkeys(programs, float("inf"))
    for turn in range(IMPORT_TURNS + 1):
        for name, program in programs.items():
            if name in BASICS or turn <= CHAPTER_TURNS:
                seconds = interpreter_seconds(program)
                if turn:  # the first turn fills the page cache and writes __pycache__
                    best[name] = min(best[name], seconds)
    bare, torch = best["python -c pass"], best["import torch"]
    share = (best["import course_utils"] - bare) / (torch - bare)
    print(f"{'a fresh interpreter':<28}{'time':>9}{'to torch':>10}")
    for name, seconds in best.items():
        print(f"{name:<28}{1000 * seconds:>6.0f} ms{seconds / torch:>9.2f}x")
    passed = share <= IMPORT_LIMIT
    print(
        f"import course_utils adds {1000 * (best['import course_utils'] - bare):.1f} ms, "
        f"{100 * share:.1f} % of what torch adds (aim: at most {100 * IMPORT_LIMIT:.0f} %): "
        f"{'reached' if passed else 'MISSED'}"
    )
    return {"seconds": best, "share_of_torch": share, "passed": passed}


def lab_part(notebooks: list[Path]) -> dict:
    ways = {"make lab, chapter 00": lab_start.measure_course}
    ways["jupyter lab, empty cell"] = lab_start.measure_plain
    turns: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for turn in range(LAB_TURNS + 1):
        for way in list(ways)[:: 1 if turn % 2 else -1]:
            moments = ways[way]()
            if turn:  # the first turn fills the page cache
                turns[way].append(moments)
    medians = {
        way: {name: statistics.median(one[name] for one in every) for name in lab_start.MOMENTS}
        for way, every in turns.items()
    }
    print(f"{'seconds from the command to':<28}{'server':>9}{'page':>9}{'cell ran':>10}")
    for way, row in medians.items():
        print(f"{way:<28}{row['server']:>7.1f} s{row['page']:>7.1f} s{row['cell']:>8.1f} s")
    ours, plain = medians.values()
    ratio = {name: ours[name] / plain[name] for name in lab_start.MOMENTS}
    print(f"{'ratio':<28}{ratio['server']:>8.2f}x{ratio['page']:>8.2f}x{ratio['cell']:>9.2f}x")
    passed = ours["page"] <= LAB_LIMIT
    verdict = "reached" if passed else "MISSED"
    print(f"median of {LAB_TURNS}; aim: the page within {LAB_LIMIT:.0f} s: {verdict}")
    return {"median": medians, "turns": turns, "ratio": ratio, "passed": passed}


PARTS = {
    "import": import_part, "lab": lab_part, "serial": serial_part, "parallel": parallel_part,
}  # fmt: skip


def chosen_notebooks(numbers: list[str]) -> list[Path]:
    """The chapters with these numbers, in order; all without a number. Raises ValueError."""
    every = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    wanted = {look_up("chapter", number, every) for number in numbers}
    return sorted(wanted) or list(every.values())


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench_course", description="What the course costs.")
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all without a name")
    parser.add_argument("--chapters", nargs="+", default=[], metavar="NN", help="some chapters")
    options = parser.parse_args(argv)
    try:
        parts = {each: look_up("part", each, PARTS) for each in options.parts} or PARTS
        notebooks = chosen_notebooks(options.chapters)
        if lab_part in parts.values():
            lab_start.course_command()  # both now, and not after minutes
            if find_chromium() is None:
                raise ValueError(f"the part lab needs a Chromium: {REMEDY}")
    except (ValueError, RuntimeError) as error:
        parser.error(str(error))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    report = {"environment": environment(), "chapters": [path.stem for path in notebooks]}
    for name, part in parts.items():
        print(f"\n{name}", flush=True)
        try:
            report[name] = part(notebooks)
        except Exception:  # the other parts are worth having all the same
            traceback.print_exc()
            report[name] = {"passed": False, "error": traceback.format_exc()}
        sys.stdout.flush()
    if all("seconds" in report.get(name, ()) for name in ("serial", "parallel")):
        report["speedup"] = report["serial"]["seconds"] / report["parallel"]["seconds"]
        workers = report["parallel"]["workers"]
        print(f"\nparallel is {report['speedup']:.2f} times as fast with {workers} at a time")
    report["passed"] = all(report[name]["passed"] for name in parts)
    # A partial run must not take the place of a whole one.
    whole = len(parts) == len(PARTS) and not options.chapters
    return store(RESULT if whole else RESULT.with_name("course_part.json"), report)


if __name__ == "__main__":
    raise SystemExit(main())
