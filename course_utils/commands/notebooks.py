"""``make notebooks [CH=09]``: run chapters from the first cell and store their outputs.

A notebook whose run fails is left as it is, and the message names the cell and the error.
"""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from course_utils.commands import notebook_format as form
from course_utils.commands.bootstrap import ROOT
from course_utils.commands.testing import workers

FOLDER = ROOT / "notebooks"
CELL_TIMEOUT = 300
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class ChapterFailed(Exception):
    """A chapter did not run to its end; the message names the cell and the error."""


@dataclass
class Report:
    """What happened to one notebook."""

    name: str
    seconds: float
    failure: str = ""
    changed: int = 0

    def __str__(self) -> str:
        if self.failure:
            return f"{self.name}: FAILED, not written. {self.failure}"
        what = f"written, {self.changed} cells differ" if self.changed else "unchanged"
        return f"{self.name}: {what} ({self.seconds:.0f} s)"


def choose(wanted: list[str], folder: Path = FOLDER) -> list[Path]:
    """Notebooks by chapter number ("9", "09") or file name; all of them without a wish.

    Raises ValueError for a chapter that does not exist, with those that do.
    """
    every = sorted(folder.glob("*.ipynb"))
    if not wanted:
        return every
    chosen = []
    for wish in wanted:
        number = f"{int(wish):02d}_" if wish.isdigit() else None
        found = [
            path
            for path in every
            if (number and path.name.startswith(number)) or Path(wish).stem == path.stem
        ]
        if not found:
            known = ", ".join(path.stem for path in every) or "none"
            raise ValueError(f"there is no chapter {wish!r}; there are: {known}")
        chosen += found
    return chosen


def prepare_environment() -> None:
    """What every stored output presumes. Kernels inherit it."""
    os.environ.update(COURSE_AUTHORING="1", OMP_NUM_THREADS="1", TQDM_DISABLE="1")
    for name in ("COURSE_DATASET", "MPLBACKEND"):
        os.environ.pop(name, None)


def execute(notebook: form.Notebook, folder: Path) -> form.Notebook:
    """Run all cells in a fresh kernel in ``folder``; return a copy with the new outputs.

    Raises ChapterFailed for an exception, also one in a widget's callback, and for anything on
    stderr: warnings hold process numbers and paths, which no second run repeats.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    node = nbformat.from_dict(copy.deepcopy(notebook))
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        node,
        timeout=CELL_TIMEOUT,
        startup_timeout=120,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        allow_errors=True,  # told below, with the cell
        resources={"metadata": {"path": str(folder)}},
    )
    running = ["The kernel"]

    def remember(cell, cell_index: int) -> None:
        running[0] = describe(cell, cell_index)

    client.on_cell_start = remember
    client.on_cell_executed = stop_at_error
    try:
        client.execute(stderr=subprocess.DEVNULL)  # the kernel's own log, not the cells'
    except CellTimeoutError as error:
        raise ChapterFailed(f"{running[0]}: no end after {CELL_TIMEOUT} s") from error
    except DeadKernelError as error:
        raise ChapterFailed(f"{running[0]}: the kernel died (out of memory?)") from error
    return node


def stop_at_error(cell, cell_index: int, execute_reply) -> None:
    """After each cell: raise ChapterFailed when it left an error or words on stderr."""
    where = describe(cell, cell_index)
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            lines = ANSI.sub("", "\n".join(output.traceback)).splitlines()
            arrow = next((line.strip() for line in reversed(lines) if line.startswith("-->")), "")
            raise ChapterFailed(f"{where}: {output.ename}: {output.evalue}  {arrow}".rstrip())
        if output.output_type == "stream" and output.name == "stderr":
            raise ChapterFailed(f"{where} wrote to stderr: {output.text.strip()[:500]}")
    if execute_reply["content"]["status"] == "error":
        content = execute_reply["content"]
        raise ChapterFailed(f"{where}: {content.get('ename')}: {content.get('evalue')}")


def describe(cell, index: int) -> str:
    """A cell as a person finds it: its number, id and first line."""
    first = (cell.source.strip().splitlines() or [""])[0][:60]
    return f"Cell {index + 1} (id {cell.id}, `{first}`)"


def refresh(path: Path) -> Report:
    """Run one notebook and store it when that changed anything."""
    begin = time.monotonic()
    try:
        before = form.read(path)
        after = form.normalised(execute(before, path.parent), before)
        text = form.as_text(after)
    except (ChapterFailed, ValueError) as error:
        return Report(path.name, time.monotonic() - begin, failure=str(error))
    changed = 0
    if text != path.read_text(encoding="utf-8"):
        changed = max(1, len(form.changed_cells(after, before)))
        draft = path.with_suffix(".tmp")
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, path)
    return Report(path.name, time.monotonic() - begin, changed=changed)


def main(arguments: list[str]) -> int:
    """Refresh the chosen chapters, several at a time; 1 when one of them failed."""
    try:
        paths = choose(arguments)
    except ValueError as error:
        print(f"course: {error}", file=sys.stderr)
        return 2
    if not paths:
        print("There are no notebooks yet.")
        return 0
    prepare_environment()
    failed = False
    with tempfile.TemporaryDirectory(prefix="course-ipython-") as ipython:
        os.environ["IPYTHONDIR"] = ipython
        with ProcessPoolExecutor(max_workers=min(workers(), len(paths))) as pool:
            for report in pool.map(refresh, paths):
                failed |= bool(report.failure)
                print(report, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
