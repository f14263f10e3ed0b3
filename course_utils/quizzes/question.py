"""What a question is made of. Its right answer is never written down: it is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LETTERS = "abcd"


@dataclass(frozen=True)
class Choice:
    """One answer to choose from."""

    text: str
    value: Any
    """What `Question.measure` would find as "answer" if this choice were right."""
    reply: str = ""
    """Said to the learner who chose it, if it is wrong: what to think of, not what is right."""


@dataclass(frozen=True)
class Question:
    """One question before a run. `code` may stand between backticks in all its texts."""

    name: str
    """Chapter and word, as in ``"09.saddle"``."""
    text: str
    choices: tuple[Choice, ...]
    """Three or four, in the order in which they are shown."""
    measure: Callable[[], Mapping[str, Any]]
    """Finds the answer with the chapter's own code, in less than a second, and the same on every
    machine: ``{"answer": …}``, and whatever numbers ``explanation`` and the replies name."""
    explanation: str
    """Why it is so, in one to three sentences; ``{name}`` stands for a number that was measured."""


@dataclass(frozen=True)
class Answer:
    """A question's answer, as measured."""

    right: int
    """The index of the right choice."""
    explanation: str
    replies: tuple[str, ...]
    """One for each choice."""


def solve(question: Question) -> Answer:
    """Measure the answer of ``question``.

    Raises:
        ValueError: not exactly one choice has the measured value.
    """
    found = question.measure()
    value = found["answer"]
    fitting = [i for i, choice in enumerate(question.choices) if _same(choice.value, value)]
    if len(fitting) != 1:
        values = [choice.value for choice in question.choices]
        raise ValueError(
            f"question {question.name}: the measured answer {value!r} is that of {len(fitting)} "
            f"choices, not of one; theirs are {values}"
        )
    replies = tuple(choice.reply.format_map(found) for choice in question.choices)
    return Answer(fitting[0], question.explanation.format_map(found), replies)


def _same(value: Any, measured: Any) -> bool:
    if isinstance(value, float) and isinstance(measured, int | float):
        return math.isclose(value, measured, rel_tol=1e-6)
    return type(value) is type(measured) and value == measured
