"""Questions in the notebooks: each stands there once, as the package has it, before a run."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from course_utils.quizzes import cell, chapters, questions_of

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATHS = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
ASKS = re.compile(r"course_utils\.quizzes|\bpredict\(\s*[\"']")


def read(path: Path) -> list:
    return nbformat.read(path, as_version=4).cells


def mismatches(notebook_cells: list, chapter: str) -> list[str]:
    """What is wrong with the questions of ``chapter`` in these cells, one line each."""
    names = [question.name for question in questions_of(chapter)] if chapter in chapters() else []
    sources = {cell(name): name for name in names}
    code = [(i, c) for i, c in enumerate(notebook_cells) if c.cell_type == "code"]
    found, wrong = [], []
    for place, asking in code:
        if not ASKS.search(asking.source):
            continue
        name = sources.get(asking.source)
        if name is None:
            wrong.append(f"cell {place + 1} is not what course_utils.quizzes.cell gives")
            continue
        found.append(name)
        data = [output.get("data", {}) for output in asking.outputs]
        if len(data) != 1 or not data[0].get("text/plain", "").startswith(f"{name}: what do you"):
            wrong.append(f"{name}: the stored output does not ask")
        elif "<details>" not in data[0].get("text/html", ""):
            wrong.append(f"{name}: the stored page has no folded answer")
        if place == code[-1][0]:
            wrong.append(f"{name}: no run follows")
    if sorted(found) != sorted(names):
        wrong.append(f"asked are {found}, the package has {names}")
    elif found != names:
        wrong.append(f"asked in the order {found}, the package has {names}")
    return wrong


@pytest.mark.parametrize("chapter", list(PATHS))
def test_a_chapter_asks_its_questions_unchanged(chapter):
    assert not mismatches(read(PATHS[chapter]), chapter)


def test_every_chapter_with_questions_has_its_notebook():
    assert chapters()
    assert set(chapters()) <= set(PATHS)


# ------------------------------------------------------------------ the test tests itself


def in_order() -> list:
    """The cells as a chapter that is in order would store them."""
    made = []
    for question in questions_of("09"):
        asking = nbformat.v4.new_code_cell(cell(question.name))
        data = {"text/plain": f"{question.name}: what do you expect? …", "text/html": "<details>"}
        asking.outputs = [nbformat.v4.new_output("execute_result", data)]
        made += [asking, nbformat.v4.new_code_cell("print(1)")]
    return made


def test_a_chapter_in_order_passes():
    assert mismatches(in_order(), "09") == []


def first_changed(source: str) -> list:
    cells = in_order()
    cells[0].source = source
    return cells


@pytest.mark.parametrize(
    "source",
    [
        cell("09.saddle") + "\n",
        cell("09.saddle") + "  # look",
        "from course_utils import quizzes\n\nquizzes.predict('09.saddle')",
        "import course_utils.quizzes as q\n\nq.predict(name)",
        'predict("09.sadle")',
        cell("00.rate"),
    ],
)
def test_a_cell_of_another_form_is_found(source):
    found = mismatches(first_changed(source), "09")
    assert found[0] == "cell 1 is not what course_utils.quizzes.cell gives"


def test_a_function_of_the_learners_called_predict_is_no_question():
    own = [*in_order(), nbformat.v4.new_code_cell("def predict(X): ...\n\npredict(X)")]
    assert mismatches(own, "09") == []


def test_a_missing_a_second_and_a_moved_question_are_found():
    cells = in_order()
    assert "asked are" in mismatches(cells[2:], "09")[0]
    assert "asked are" in mismatches(cells + cells[:2], "09")[0]
    assert "asked in the order" in mismatches(cells[2:] + cells[:2], "09")[0]


def test_a_question_at_the_end_is_found():
    name = questions_of("09")[-1].name
    assert mismatches(in_order()[:-1], "09") == [f"{name}: no run follows"]


def test_a_stored_output_that_does_not_ask_is_found():
    name = questions_of("09")[0].name
    answered, unfolded, bare = in_order(), in_order(), in_order()
    answered[0].outputs[0].data["text/plain"] = f"{name}: right. …"
    unfolded[0].outputs[0].data["text/html"] = "the answer"
    bare[0].outputs = []
    assert mismatches(answered, "09") == [f"{name}: the stored output does not ask"]
    assert mismatches(bare, "09") == [f"{name}: the stored output does not ask"]
    assert mismatches(unfolded, "09") == [f"{name}: the stored page has no folded answer"]
