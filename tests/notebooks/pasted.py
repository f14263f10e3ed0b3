"""What the cells of a chapter define, handed in as answers to its exercises.

Runs in the kernel of the chapter, after it: `again.py` sends it there. Handed in are all functions,
classes and lambdas, and of a cell without loops its lines as the body of the answer.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from course_utils.commands import notebook_format as form
from course_utils.exercises import get_exercise, judging, running
from course_utils.exercises.exercise import Exercise, NotYet
from course_utils.exercises.running import Outcome
from course_utils.exercises.world import kept_world
from tests.notebooks.drawing import SHOWS, called, free, parsed, stored

DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
MAKING = (ast.Assign, ast.AnnAssign, ast.AugAssign)
STRAIGHT = (*MAKING, ast.Expr, ast.Import, ast.ImportFrom)
NOT_PASTED = SHOWS | {"check", "predict"}


def refuse_all(name: str, notebook: str, names: dict[str, Any]) -> None:
    """Hand in all that the chapter defines for the exercise ``name``.

    Args:
        notebook: path of the chapter.
        names: what its cells have bound, the namespace of its kernel.

    Raises:
        AssertionError: an answer is accepted; the message says which.
    """
    found = accepted(get_exercise(name), Path(notebook), names)
    assert not found, f"{name} is solved by what the chapter shows: {', '.join(found)}"


def candidates(
    notebook: Path, names: dict[str, Any], exercise: Exercise
) -> Iterator[tuple[str, Any]]:
    """(where, object) of every function, class and lambda in the cells, also inside of others, of
    every other callable that is bound to a name, and of every body that a cell makes."""
    for number, cell in enumerate(form.read(notebook)["cells"]):
        if cell["cell_type"] != "code":
            continue
        tree = parsed(cell["source"])
        for node in ast.walk(tree):
            if isinstance(node, DEFINITIONS):
                try:
                    made = defined(node, dict(names))
                except Exception:  # it needs what the function around it has
                    continue
                yield f"[{number}] {getattr(node, 'name', 'lambda')}", made
        if not called(tree) & NOT_PASTED:
            for label, node in bodies(tree.body, exercise):
                yield f"[{number}] {label}", defined(node, dict(names))
    yield from ((name, value) for name, value in list(names.items()) if is_own(name, value))


def is_own(name: str, value: Any) -> bool:
    """Whether a cell has made the callable ``value``, and neither a library nor IPython."""
    if name.startswith("_") or not callable(value):
        return False
    if inspect.isroutine(value) or inspect.isclass(value):
        return value.__module__ == "__main__"
    return not type(value).__module__.startswith("IPython")


def defined(node: ast.AST, names: dict[str, Any]) -> Any:
    """What a definition makes among ``names``, which it may change."""
    if isinstance(node, ast.Lambda):
        return eval(compile(ast.Expression(node), "<pasted>", "eval"), names)
    exec(compile(ast.Module([node], []), "<pasted>", "exec"), names)
    return names[node.name]


def bodies(lines: list[ast.stmt], exercise: Exercise) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The stub with the lines of a cell for a body. Each name that they make of the arguments is
    returned once, and each two that follow each other.

    The lines that make the arguments go. Of one argument, it may have the name of any that do.
    """
    if exercise.is_class or not all(isinstance(line, STRAIGHT) for line in lines):
        return
    lines = [line for line in lines if isinstance(line, MAKING)]
    arguments = set(exercise.stub_parameters)
    others = sorted(set().union(*map(stored, lines)) - arguments) if len(arguments) == 1 else []
    for other in ["", *others]:
        given, made = arguments | {other}, []
        kept = [line for line in lines if not stored(line) & given]
        for line in kept:
            if free(line) & given.union(made):
                made += sorted(stored(line) - set(made))
        same = ast.parse(f"{other} = {min(arguments)}").body if other else []
        for wanted in [*made, *map(", ".join, pairwise(made))]:
            stub = ast.parse(exercise.stub.strip()).body[0]
            answer = ast.parse(wanted, mode="eval").body
            stub.body = [*same, *kept, ast.Return(answer)]
            label = f"lines that make {wanted}" + (f" of {other}" if other else "")
            yield label, ast.fix_missing_locations(stub)


def accepted(exercise: Exercise, notebook: Path, names: dict[str, Any]) -> list[str]:
    """What the judge accepts. It is asked only where the first case can be right."""
    with kept_world():
        tried = candidates(notebook, names, exercise)
        hopeful = [(label, answer) for label, answer in tried if begins_right(exercise, answer)]
    judged = [(label, judging.judge(exercise, answer).state) for label, answer in hopeful]
    return [label for label, state in judged if state == judging.CORRECT]


def begins_right(exercise: Exercise, answer: Any) -> bool:
    """Whether ``answer`` gives in the first case, in some kind of container, what the solution
    gives: the judge, which runs all cases, accepts nothing else."""
    if exercise.goal is not None:
        return True
    first, kinds, wanted = beginning(exercise)
    for kind in kinds:
        try:
            mine = running.run(first, answer, kind)
        except NotYet:
            continue
        if mine.stopped or mine.outcomes[0].like(wanted):
            return True
    return False


def beginning(exercise: Exercise) -> tuple[Exercise, list[str], Outcome]:
    """The exercise with its first case alone, the kinds of container, what the solution gives."""
    if "beginning" not in exercise.kept:
        cases = exercise.build()
        first = replace(exercise, examples=(), cases=lambda _: copy.deepcopy(cases[:1]))
        wanted = judging._solution_runs(exercise)[0].outcomes[0]
        exercise.kept["beginning"] = first, judging._kinds(exercise, cases), wanted
    return exercise.kept["beginning"]
