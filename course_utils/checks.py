"""Exercises that answer: `check`, `hint` and `solution`.

>>> check("09.ema", ema)      # not attempted, not yet (and what is wrong), or correct
>>> hint("09.ema")            # one more hint with every call
>>> solution("09.ema")        # one way to do it

Everything happens on this machine; nothing is stored or sent. The exercises themselves stand in
``course_utils/exercises``, one module per chapter.
"""

from __future__ import annotations

import contextlib
import html
import importlib
import pkgutil
import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.names import unknown_name
from course_utils.probing import NotAttempted, NotYet, is_empty

__all__ = [
    "CheckResult",
    "Exercise",
    "Note",
    "chapters",
    "check",
    "exercises_of",
    "get_exercise",
    "hint",
    "judge",
    "solution",
    "variant",
]

NOT_ATTEMPTED = "not attempted"
NOT_YET = "not yet"
CORRECT = "correct"

# Okabe-Ito colours, on the edge only: the text keeps the theme's own colour in light and dark,
# and the state is said in words.
_EDGES = {NOT_ATTEMPTED: "#888888", NOT_YET: "#D55E00", CORRECT: "#009E73"}
_SIGNS = {NOT_ATTEMPTED: "○", NOT_YET: "✗", CORRECT: "✓"}
_GREY = "#888888"


@dataclass(frozen=True)
class Exercise:
    """One exercise: what the learner reads, and how their answer is judged.

    ``wrong`` holds typical wrong answers, each as code and a part of the message that it must get.
    ``examples`` are expressions and what they print with the solution, shown under the prompt.
    All code relies on the imports in the chapter module's ``SETUP`` and on nothing else.
    """

    name: str
    """Chapter and word, as in ``"09.ema"``."""
    title: str
    prompt: str
    answer: str
    """The name that the learner's code defines and that is passed to `check`."""
    stub: str
    hints: tuple[str, str]
    solution: str
    wrong: tuple[tuple[str, str], ...]
    checker: Callable[[Any], str]
    """Takes the answer and returns a closing sentence, or raises `NotYet` or `NotAttempted`."""
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """What `check` found. ``state`` is "not attempted", "not yet" or "correct"."""

    name: str
    state: str
    message: str

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self.state == CORRECT

    def __repr__(self) -> str:
        return f"{self.name}: {self.state}. {self.message}"

    def _repr_html_(self) -> str:
        head = f"{_SIGNS[self.state]} {self.name}: {self.state}"
        return _box(_EDGES[self.state], head, _inline(self.message), role="status")


@dataclass(frozen=True)
class Note:
    """A hint or a solution, shown below the cell."""

    heading: str
    text: str
    is_code: bool = False

    def __repr__(self) -> str:
        return f"{self.heading}\n{self.text}" if self.is_code else f"{self.heading}: {self.text}"

    def _repr_html_(self) -> str:
        if self.is_code:
            body = f'<pre style="margin:0.3em 0 0 0">{html.escape(self.text)}</pre>'
        else:
            body = _inline(self.text)
        return _box(_GREY, self.heading, body, role="note")


def variant(code: str, *swaps: tuple[str, str]) -> str:
    """``code`` with parts exchanged: a wrong answer, written as its difference from the solution.

    Raises:
        ValueError: a part to be exchanged does not stand in the code exactly once.
    """
    for old, new in swaps:
        if code.count(old) != 1:
            raise ValueError(f"{old!r} stands {code.count(old)} times in the code, not once")
        code = code.replace(old, new)
    return code


def check(name: str, answer: Any) -> CheckResult:
    """Judge ``answer`` (the function, class or value itself) for the exercise ``name``.

    Your objects are not changed, and neither is the state of the random number generators.

    Raises:
        ValueError: there is no exercise of that name.
    """
    return judge(get_exercise(name), answer)


def judge(exercise: Exercise, answer: Any) -> CheckResult:
    """`check` for an `Exercise` in hand."""
    state, message = CORRECT, ""
    with _random_state_kept():
        try:
            if is_empty(answer):
                raise NotAttempted
            message = exercise.checker(answer)
        except NotAttempted:
            state = NOT_ATTEMPTED
            message = f"Write `{exercise.answer}` in the cell above and run both cells."
        except NotYet as error:
            state, message = NOT_YET, str(error)
        except Exception as error:  # an answer of a kind that no checker foresaw
            state = NOT_YET
            message = f"Your answer could not be checked: {type(error).__name__}: {error}"
    return CheckResult(exercise.name, state, message)


_hints_given: dict[str, int] = {}


def hint(name: str, n: int | None = None) -> Note:
    """The next hint for the exercise ``name``, or hint number ``n`` (counted from 1).

    The first call after a kernel start gives hint 1, the next one hint 2; the last one stays.

    Raises:
        ValueError: there is no exercise of that name, or no hint of that number.
    """
    exercise = get_exercise(name)
    count = len(exercise.hints)
    if n is None:
        n = min(_hints_given.get(exercise.name, 0) + 1, count)
        _hints_given[exercise.name] = n
    elif isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= count:
        raise ValueError(f"n is {n!r}; exercise {name} has hints 1 to {count}")
    return Note(f"Hint {n} of {count} for {exercise.name}", exercise.hints[n - 1])


def solution(name: str) -> Note:
    """One way to solve the exercise ``name``; other ways are as right.

    Raises:
        ValueError: there is no exercise of that name.
    """
    exercise = get_exercise(name)
    return Note(f"One solution of {exercise.name}", exercise.solution, is_code=True)


def chapters() -> list[str]:
    """The chapters that have exercises, as two digits: ``["00", "09", "12"]``."""
    package = importlib.import_module("course_utils.exercises")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name[2:] for name in names if re.fullmatch(r"ch\d\d", name))


def exercises_of(chapter: str) -> tuple[Exercise, ...]:
    """The exercises of a chapter ("09"), in the order of its notebook.

    Raises:
        ValueError: the chapter has no exercises.
    """
    if not isinstance(chapter, str) or chapter not in chapters():
        raise unknown_name("chapter", chapter, chapters())
    # Found by name: this engine knows nothing of any chapter, chapters import the engine.
    return importlib.import_module(f"course_utils.exercises.ch{chapter}").EXERCISES


def get_exercise(name: str) -> Exercise:
    """The exercise called ``name``.

    Raises:
        ValueError: there is none; the message lists the known ones and the nearest match.
    """
    chapter = name.partition(".")[0] if isinstance(name, str) else ""
    if chapter in chapters():
        for exercise in exercises_of(chapter):
            if exercise.name == name:
                return exercise
    known = [exercise.name for number in chapters() for exercise in exercises_of(number)]
    raise unknown_name("exercise", name, known)


def _box(edge: str, head: str, body: str, role: str) -> str:
    return (
        f'<div role="{role}" style="border-left:4px solid {edge};padding:0.3em 0.8em;'
        f'max-width:52em"><b>{html.escape(head)}</b><br>{body}</div>'
    )


def _inline(text: str) -> str:
    """Escaped text, with `code` between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)).replace("\n", "<br>")


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """A check between two cells must not change the random numbers of the second one."""
    torch = sys.modules.get("torch")
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch_state = None if torch is None else torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch is not None:
            torch.set_rng_state(torch_state)
