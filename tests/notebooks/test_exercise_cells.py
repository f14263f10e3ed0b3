"""Exercises in the notebooks: prompt, stub and check stand there as the package has them."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

from course_utils.exercises import cells, chapters, exercises_of
from course_utils.exercises.exercise import SETUP

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATHS = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}


def read(path: Path) -> list:
    return nbformat.read(path, as_version=4).cells


def mismatches(notebook_cells: list, chapter: str) -> list[str]:
    """What is wrong with the exercises of ``chapter`` in these cells, one line each."""
    sources = [(cell.cell_type, cell.source.strip()) for cell in notebook_cells]
    found, wrong = [], []
    for exercise in exercises_of(chapter):
        expected = cells(exercise.name)
        heading = expected[0][1].partition("\n")[0]
        starts = [i for i, (_, source) in enumerate(sources) if source.startswith(heading)]
        if len(starts) != 1:
            wrong.append(f"{exercise.name}: {len(starts)} cells begin with {heading!r}, not one")
            continue
        start = starts[0]
        found.append(start)
        parts = ("prompt", "stub", "check, hint and solution")
        for part, cell, wanted in zip(parts, sources[start : start + 3], expected, strict=False):
            if cell != (wanted[0], wanted[1].strip()):
                wrong.append(f"{exercise.name}: {part} differ(s) from course_utils.exercises")
        said = "".join(_texts(notebook_cells[start + 2])) if len(sources) > start + 2 else ""
        if f"{exercise.name}: not attempted." not in said:
            wrong.append(f"{exercise.name}: the stored check does not say 'not attempted'")
    if found != sorted(found):
        wrong.append("the exercises do not stand in the order of the package")
    listed = sum(source.startswith(f"### Exercise {chapter}.") for _, source in sources)
    if listed != len(exercises_of(chapter)):
        wrong.append(f"{listed} exercise headings, {len(exercises_of(chapter))} exercises")
    return wrong


def _texts(cell) -> list[str]:
    return [output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])]


@pytest.mark.parametrize("chapter", list(PATHS))
def test_a_chapter_holds_its_exercises_unchanged(chapter):
    assert chapter in chapters(), f"course_utils/exercises/ch{chapter}.py is missing"
    assert not mismatches(read(PATHS[chapter]), chapter)


@pytest.mark.parametrize("chapter", list(PATHS))
def test_the_chapter_imports_what_its_solutions_use(chapter):
    code = [cell.source for cell in read(PATHS[chapter]) if cell.cell_type == "code"]
    texts = [text for one in exercises_of(chapter) for text in (one.stub, one.solution)]
    used = {n.id for text in texts for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    needed = (used & _imported([SETUP])) | {"check", "hint", "solution"}
    missing = needed - _imported(code)
    assert not missing, f"imported nowhere in the notebook: {sorted(missing)}"


def _imported(codes: list[str]) -> set[str]:
    names = set()
    for code in codes:
        for node in ast.walk(ast.parse(_plain_python(code))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names


def _plain_python(code: str) -> str:
    return "\n".join("" if line.startswith(("%", "!")) else line for line in code.splitlines())


def test_exercise_chapters_have_their_notebooks():
    if not PATHS:
        pytest.fail("there are no notebooks")
    assert set(chapters()) <= set(PATHS), "exercises of a chapter that has no notebook"


# ------------------------------------------------------------------ the test tests itself


def whole_chapter(chapter: str) -> list:
    """The cells as a chapter that is in order would store them."""
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    result = []
    for exercise in exercises_of(chapter):
        made = [make[kind](source) for kind, source in cells(exercise.name)]
        data = {"text/plain": f"{exercise.name}: not attempted. Write …"}
        made[2].outputs = [nbformat.v4.new_output("execute_result", data)]
        result += made
    return result


def test_a_chapter_in_order_passes():
    assert mismatches(whole_chapter("09"), "09") == []


def test_a_changed_prompt_is_found():
    notebook = whole_chapter("09")
    notebook[0].source = notebook[0].source.replace("corrected", "correct")
    assert mismatches(notebook, "09") == ["09.ema: prompt differ(s) from course_utils.exercises"]


def test_a_solved_stub_is_found():
    notebook = whole_chapter("09")
    notebook[1].source = exercises_of("09")[0].solution
    assert mismatches(notebook, "09") == ["09.ema: stub differ(s) from course_utils.exercises"]


def test_a_missing_hint_is_found():
    notebook = whole_chapter("09")
    notebook[2].source = notebook[2].source.replace("# hint", "# ")
    assert mismatches(notebook, "09") == [
        "09.ema: check, hint and solution differ(s) from course_utils.exercises"
    ]


def test_another_stored_answer_is_found():
    notebook = whole_chapter("09")
    notebook[2].outputs[0]["data"]["text/plain"] = "09.ema: correct. …"
    assert mismatches(notebook, "09") == ["09.ema: the stored check does not say 'not attempted'"]


def test_a_missing_an_extra_and_a_moved_exercise_are_found():
    notebook = whole_chapter("09")
    assert any("0 cells begin with" in line for line in mismatches(notebook[3:], "09"))
    extra = nbformat.v4.new_markdown_cell("### Exercise 09.7 — one more")
    assert mismatches([*notebook, extra], "09") == ["7 exercise headings, 6 exercises"]
    moved = notebook[3:] + notebook[:3]
    assert mismatches(moved, "09") == ["the exercises do not stand in the order of the package"]
