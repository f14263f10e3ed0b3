"""Whatever a chapter defines is found and handed in, and right answers among it are noticed."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from course_utils.exercises import get_exercise
from course_utils.exercises.exercise import Exercise, load
from tests.notebooks.pasted import accepted, begins_right, candidates, refuse_all

EMA = get_exercise("09.ema")
SQUARES = Exercise(
    name="09.squares",
    title="squares",
    prompt="The sum of the squares of x.",
    stub="def my_squares(x):\n    raise NotImplementedError",
    hints=("", ""),
    solution="def my_squares(x):\n    return (x * x).sum()",
    wrong=(),
    cases=lambda r: [(r.standard_normal(n),) for n in (3, 5)],
    closing="",
)
CELLS = [
    "%matplotlib inline\nimport math\nfrom json import dumps",
    "def half(x):\n    return x / 2\n\n\nclass Layer:\n    def forward(self, x):\n        return x",
    "twice = lambda x: 2 * x\nhalves = functools.partial(half, 1)",
    "def make(factor):\n    def times(x):\n        return factor * x\n\n    return times",
    "thrice = make(3)\nnumber = 3",
]


def written(folder: Path, cells: list[str]) -> Path:
    made = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": source, "outputs": []}
        for i, source in enumerate(cells)
    ]
    path = folder / "09_small.ipynb"
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def names_of(cells: list[str]) -> dict:
    names = {"__name__": "__main__", "functools": functools}
    for source in cells:
        exec(source.replace("%matplotlib inline", ""), names)
    return names


def test_every_function_class_and_lambda_is_handed_in(tmp_path):
    path, names = written(tmp_path, CELLS), names_of(CELLS)
    found = {}
    for label, answer in candidates(path, names, EMA):
        found.setdefault(label, answer)
    defined = {"[1] half", "[1] Layer", "[1] forward", "[2] lambda", "[3] make", "[3] times"}
    bound = {"half", "Layer", "twice", "halves", "make", "thrice"}
    assert {label for label in found if "lines" not in label} == defined | bound
    assert found["[2] lambda"](4) == 8 and found["thrice"](4) == 12 and found["[1] half"](3) == 1.5


@pytest.mark.parametrize(("power", "found"), [(2, True), (3, False)])
def test_lines_of_a_cell_are_handed_in_as_a_body(power, found, tmp_path):
    lines = f"v = np.ones(3)\nparts = v**{power}\ntotal = parts.sum()\nprint(total)"
    solved = accepted(SQUARES, written(tmp_path, [lines]), {"__name__": "__main__", "np": np})
    assert solved == ["[0] lines that make total of v"] * found


def test_a_right_answer_is_named_with_its_cell(tmp_path):
    cells = ["import math", EMA.solution.replace(EMA.answer, "average")]
    path = written(tmp_path, cells)
    with pytest.raises(AssertionError, match=r"09\.ema is solved .*: \[1\] average, average"):
        refuse_all("09.ema", str(path), names_of(cells))


def test_a_chapter_that_gives_nothing_away_passes(tmp_path):
    refuse_all("09.ema", str(written(tmp_path, CELLS)), names_of(CELLS))


@pytest.mark.parametrize("wrong", [lambda *_: None, print, 1 / 3, None, int])
def test_what_begins_wrong_is_refused(wrong):
    assert not begins_right(EMA, wrong)


def test_what_only_begins_right_is_refused(tmp_path):
    right = load(EMA.solution, EMA)
    first = right(*EMA.build()[0].args)
    names = {"only_first": lambda *_: first, "right": right}
    for answer in names.values():
        answer.__module__ = "__main__"
        assert begins_right(EMA, answer)
    assert accepted(EMA, written(tmp_path, []), names) == ["right"]
