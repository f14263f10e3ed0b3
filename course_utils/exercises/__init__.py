"""The exercises, one module per chapter, and the cells in which they stand in a notebook.

To put an exercise into a notebook, take its cells from here instead of typing them, for example
in a Python prompt at the root of the repository::

    import nbformat
    from course_utils.exercises import cells, chapter_cells

    notebook = nbformat.read("notebooks/09_optimizers.ipynb", as_version=4)
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook.cells += [make[kind](source) for kind, source in chapter_cells("09")]
    nbformat.write(notebook, "notebooks/09_optimizers.ipynb")

A test compares every notebook with what `cells` gives, so text and checker cannot drift apart.
"""

from __future__ import annotations

from course_utils.checks import exercises_of, get_exercise

__all__ = ["cells", "chapter_cells"]

Cell = tuple[str, str]
"""``(cell_type, source)``."""


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
