"""`again.py` notices what is not the same in another order, and what gives an exercise away.

The chapters go through it in ``make test``; one of them with
``pytest --nbval --again random notebooks/02_autograd.ipynb``.
"""

from __future__ import annotations

from pathlib import Path

import nbformat

from course_utils.commands import notebook_format as form
from course_utils.commands.testing import command_lines
from course_utils.exercises import exercises_of, get_exercise
from tests.notebooks.again import OUT_OF_ORDER, RUN_ONCE, SOLVED, drawn
from tests.notebooks.nbval_run import run_nbval

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
NAMES = sorted("abcdefgh", key=drawn, reverse=True)  # of cells, so that they run bottom up
REBOUND = [("x = 1", ""), ("print(x + 1)", "2\n"), ('x = "word"', "")]
COUNTED = [("n = 0", ""), ("m = globals().get('m', 0) + 1\nprint(m)", "1\n"), ("print(n)", "0\n")]
STEADY = [("x = 1", ""), ("y = x + 1\nprint(y)", "2\n"), ("import math", "")]
GIVEN_AWAY = [("import numpy as np", ""), (get_exercise("09.ema").solution, "")]


def write(path: Path, cells: list[tuple[str, str]]) -> None:
    """A notebook of code cells with what they print, in the order of `NAMES`."""
    made = []
    for name, (source, printed) in zip(NAMES, cells, strict=False):
        outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
        cell = nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1, id=name)
        made.append(cell)
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={}), path)


def run(folder: Path, *arguments: str) -> dict[str, set[str]]:
    """Notebook -> the names of the tests of it that failed."""
    failed: dict[str, set[str]] = {path.stem: set() for path in folder.glob("*.ipynb")}
    for case in run_nbval(folder, "-p", "tests.notebooks.again", *arguments):
        failed[case.notebook] |= {case.name} if case.messages else set()
    return failed


def test_a_cell_that_does_not_give_the_same_again_is_found(tmp_path):
    for name, cells in {"rebound": REBOUND, "counted": COUNTED, "steady": STEADY}.items():
        write(tmp_path / f"{name}.ipynb", cells)
    write(tmp_path / "09_given.ipynb", GIVEN_AWAY)
    assert run(tmp_path, "--again", "random") == {
        "rebound": {"Cell 1 again"},
        "counted": {"Cell 1 again"},
        "steady": set(),
        "09_given": {"Pasted into 09.ema"},
    }
    (tmp_path / "09_given.ipynb").unlink()
    found = run(tmp_path, "--again", "in-order")
    assert found == {"rebound": set(), "counted": {"Cell 1 again"}, "steady": set()}


def test_make_test_runs_the_chapters_so():
    (line, *_) = command_lines("python", [])
    assert line[line.index("--again") + 1] == "random"


def test_listed_cells_exist():
    for chapter, listed in [*OUT_OF_ORDER.items(), *RUN_ONCE.items()]:
        assert set(listed) <= {cell["id"] for cell in form.read(NOTEBOOKS[chapter])["cells"]}


def test_listed_exercises_exist():
    known = {exercise.name for chapter in NOTEBOOKS for exercise in exercises_of(chapter)}
    assert set(SOLVED) <= known
