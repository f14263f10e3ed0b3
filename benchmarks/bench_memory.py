"""The memory that a kernel holds for itself: what imports cost, and whole chapters.

Run it with ``python -m benchmarks.bench_memory``. On Linux it is the anonymous memory, which no
other process shares: a class on one machine needs it once for each open chapter. (Elsewhere the
unique set, in which the libraries' own pages count too.) Imports are those of a fresh interpreter;
chapters run whole in a kernel, and in chapter 00 the pad's reader learns to the end, as on a page.
The limits are 15 % below what the chapters held before their imports were looked at.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from benchmarks.report import environment, store
from course_utils.commands.bootstrap import ROOT

RESULT = Path(__file__).parent / "results" / "memory.json"
IMPORTS = {
    "python": "",
    "numpy": "import numpy",
    "torch": "import torch",
    "torch, first optimizer": "import torch; torch.optim.SGD([torch.ones(1)])",
    "torch, torchvision": "import torch, torchvision",
    "torch, pyplot": "import torch, matplotlib.pyplot",
    "torch, ipywidgets": "import torch, ipywidgets",
    "chapter 00's pad": "from course_utils.playgrounds import digit_pad",
}
KERNEL = "import torch in a kernel"
TRAINED = "from course_utils.playgrounds.reader import digit_reader\ndigit_reader(progress=False);"
CHAPTERS = {"00_start_here": TRAINED, "09_optimizers": ""}
BEFORE = {"00_start_here": 1.58, "09_optimizers": 1.88}  # times KERNEL
LESS = 0.85
SHOWN = 4  # cells of a chapter after which it held most more


def held(process: psutil.Process) -> float:
    """Megabytes of a process alone."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():
        return process.memory_full_info().uss / 1e6
    line = next(line for line in rollup.read_text().splitlines() if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024 / 1e6


def of_import(program: str) -> float:
    """Megabytes of a fresh interpreter that has run `program`."""
    waits = f"{program}\nprint('ready', flush=True)\ninput()"
    child = subprocess.Popen(
        [sys.executable, "-c", waits],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if child.stdout.readline().strip() != "ready":
        raise RuntimeError(f"failed: {program}")
    size = held(psutil.Process(child.pid))
    child.communicate("\n")
    return size


def of_cells(sources: list[str]) -> list[float]:
    """Megabytes of a kernel at its start and after each cell."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    place = {"metadata": {"path": str(ROOT / "notebooks")}}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place)
    with client.setup_kernel(stderr=subprocess.DEVNULL):
        process = psutil.Process(client.km.provisioner.pid)
        sizes = [held(process)]
        for index, cell in enumerate(cells):
            client.execute_cell(cell, index)
            sizes.append(held(process))
    return sizes


def chapter(name: str) -> list[str]:
    """The code of a chapter, cell by cell, and what belongs to it."""
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    return [*code, *filter(None, [CHAPTERS[name]])]


def main() -> int:
    imports = {name: of_import(program) for name, program in IMPORTS.items()}
    for name, size in imports.items():
        print(f"{name:<28}{size:>5.0f} MB")
    kernel = of_cells(["import torch"])[-1]
    print(f"\n{KERNEL:<28}{kernel:>5.0f} MB")
    rows, passed = {}, True
    for name, before in BEFORE.items():
        sources = chapter(name)
        sizes = of_cells(sources)
        times = sizes[-1] / kernel
        passed &= times <= LESS * before
        rows[name] = {"at_end": sizes[-1], "largest": max(sizes), "times": times, "cells": sizes}
        print(
            f"{name:<28}{sizes[-1]:>5.0f} MB  {times:.2f} times as much (before {before:.2f}: "
            f"{100 * (times / before - 1):+.0f} %; aim: {100 * (LESS - 1):+.0f} %)"
        )
        grown = [(after - size, i) for i, (size, after) in enumerate(pairwise(sizes))]
        for more, index in sorted(grown, reverse=True)[:SHOWN]:
            first = sources[index].splitlines()[0][:60]
            print(f"    {more:>+5.0f} MB after  {first}")
    report = {"environment": environment(), "imports": imports, "kernel": kernel, "chapters": rows}
    return store(RESULT, report | {"passed": bool(passed)})


if __name__ == "__main__":
    sys.exit(main())
