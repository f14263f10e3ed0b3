"""Exercises that answer: `check`, `hint` and `solution`.

>>> check("09.ema", ema)      # not attempted, not yet (and what is wrong), or correct
>>> hint("09.ema")            # one more hint with every call
>>> solution("09.ema")        # one way to do it

Everything happens on this machine; nothing is stored or sent. The exercises themselves stand in
``course_utils/exercises``, one module per chapter.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from course_utils.exercises import get_exercise, judging
from course_utils.exercises.judging import CORRECT, NOT_ATTEMPTED, NOT_YET
from course_utils.printing import NEUTRAL, RIGHT, WRONG, inline_html, note_html

__all__ = ["CheckResult", "Note", "check", "hint", "solution"]

_EDGES = {NOT_ATTEMPTED: NEUTRAL, NOT_YET: WRONG, CORRECT: RIGHT}
_SIGNS = {NOT_ATTEMPTED: "○", NOT_YET: "✗", CORRECT: "✓"}


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
        return note_html(_EDGES[self.state], head, inline_html(self.message), role="status")


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
            body = inline_html(self.text)
        return note_html(NEUTRAL, self.heading, body, role="note")


def check(name: str, answer: Any) -> CheckResult:
    """Judge ``answer`` (the function, class or value itself) for the exercise ``name``.

    Your objects are not changed, and neither is the state of the random number generators.

    Raises:
        ValueError: there is no exercise of that name.
    """
    exercise = get_exercise(name)
    verdict = judging.judge(exercise, answer)
    return CheckResult(exercise.name, verdict.state, verdict.message)


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
    return Note(f"One solution of {exercise.name}", exercise.solution.strip(), is_code=True)
