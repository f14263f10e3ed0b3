"""The engine before judging became differential; goes away with the last ``judges*.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from course_utils.exercises.exercise import variant
from course_utils.exercises.judging import CORRECT, NOT_ATTEMPTED, NOT_YET, Verdict
from course_utils.exercises.world import kept_world
from course_utils.probing import NotAttempted, NotYet, is_empty

__all__ = ["Exercise", "judge", "variant"]


@dataclass(frozen=True)
class Exercise:
    name: str
    title: str
    prompt: str
    answer: str
    stub: str
    hints: tuple[str, str]
    solution: str
    wrong: tuple[tuple[str, str], ...]
    checker: Callable[[Any], str]
    examples: tuple[tuple[str, str], ...] = ()


def judge(exercise: Exercise, answer: Any) -> Verdict:
    with kept_world():
        try:
            if is_empty(answer):
                raise NotAttempted
            return Verdict(CORRECT, exercise.checker(answer))
        except NotAttempted:
            message = f"Write `{exercise.answer}` in the cell above and run both cells."
            return Verdict(NOT_ATTEMPTED, message)
        except NotYet as error:
            return Verdict(NOT_YET, str(error))
        except Exception as error:
            message = f"Your answer could not be checked: {type(error).__name__}: {error}"
            return Verdict(NOT_YET, message)
