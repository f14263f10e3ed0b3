"""The exercises, one module per chapter, the engine that judges them, and their notebook cells.

To put an exercise into a notebook, take its cells from here instead of typing them, for example
in a Python prompt at the root of the repository::

    import nbformat
    from course_utils.exercises import cells, chapter_cells

    notebook = nbformat.read("notebooks/09_optimizers.ipynb", as_version=4)
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook.cells += [make[kind](source) for kind, source in chapter_cells("09")]
    nbformat.write(notebook, "notebooks/09_optimizers.ipynb")

A test compares every notebook with what `cells` gives, so text and judging cannot drift apart.
"""

from __future__ import annotations

from typing import Any

from course_utils.names import chapter_module, chapters_in, look_up_entry

__all__ = ["cells", "chapter_cells", "chapters", "exercises_of", "get_exercise"]

Cell = tuple[str, str]
"""``(cell_type, source)``."""


def chapters() -> list[str]:
    """The chapters that have exercises, as two digits: ``["00", "09", "12"]``."""
    return chapters_in(__path__)


def exercises_of(chapter: str) -> tuple[Any, ...]:
    """The exercises (`exercise.Exercise`) of a chapter ("09"), in the order of its notebook.

    Raises:
        ValueError: the chapter has no exercises.
    """
    return chapter_module(__name__, chapter, chapters()).EXERCISES


def get_exercise(name: str) -> Any:
    """The exercise called ``name``.

    Raises:
        ValueError: there is none; the message lists the known ones and the nearest match.
    """
    return look_up_entry("exercise", name, chapters(), exercises_of)


def cells(name: str) -> list[Cell]:
    """The three cells of the exercise ``name``: prompt, stub, check.

    Raises:
        ValueError: there is no exercise of that name.
    """
    exercise = get_exercise(name)
    chapter = name.partition(".")[0]
    number = 1 + [other.name for other in exercises_of(chapter)].index(name)
    prompt = f"### Exercise {chapter}.{number} — {exercise.title}\n\n{exercise.prompt.strip()}"
    if exercise.examples:
        lines = [f"{expression}  # {printed}" for expression, printed in exercise.examples]
        prompt += "\n\n```python\n" + "\n".join(lines) + "\n```"
    ask = "\n".join(
        [f'check("{name}", {exercise.answer})', f'# hint("{name}")', f'# solution("{name}")']
    )
    return [("markdown", prompt), ("code", exercise.stub.strip()), ("code", ask)]


def chapter_cells(chapter: str) -> list[Cell]:
    """The cells of all exercises of a chapter ("09"), in order."""
    return [cell for exercise in exercises_of(chapter) for cell in cells(exercise.name)]
