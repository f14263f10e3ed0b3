"""Predict, then look: a question before a run, and its answer when you have said yours.

>>> predict("09.saddle")         # in a notebook: choose, and be told
>>> predict("09.saddle", "b")    # the same in words
>>> predict("09.saddle").reveal()

Nothing is stored or sent. The questions stand in ``ch00.py``, ``ch09.py`` …, one module per
chapter, and each measures its answer with the code of its chapter. To put one into a notebook, let
its code cell be what `cell` gives.
"""

from __future__ import annotations

import importlib
import pkgutil
import re

from course_utils.names import unknown_name
from course_utils.quizzes.panel import Prediction
from course_utils.quizzes.question import Question

__all__ = ["Prediction", "cell", "chapters", "get_question", "predict", "questions_of"]


def predict(name: str, answer: str | None = None) -> Prediction:
    """Ask the question ``name``; with ``answer``, a letter, say yours at once.

    Raises:
        ValueError: there is no question of that name, or no choice of that letter.
    """
    prediction = Prediction(get_question(name))
    return prediction if answer is None else prediction.answer(answer)


def cell(name: str) -> str:
    """The source of the notebook cell that asks the question ``name``.

    Raises:
        ValueError: there is no question of that name.
    """
    return f'from course_utils.quizzes import predict\n\npredict("{get_question(name).name}")'


def chapters() -> list[str]:
    """The chapters that have questions, as two digits: ``["00", "09"]``."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name[2:] for name in names if re.fullmatch(r"ch\d\d", name))


def questions_of(chapter: str) -> tuple[Question, ...]:
    """The questions of a chapter ("09"), in the order of its notebook.

    Raises:
        ValueError: the chapter has no questions.
    """
    if not isinstance(chapter, str) or chapter not in chapters():
        raise unknown_name("chapter", chapter, chapters())
    # Found by name: nothing here knows of any chapter.
    return importlib.import_module(f"{__name__}.ch{chapter}").QUESTIONS


def get_question(name: str) -> Question:
    """The question called ``name``.

    Raises:
        ValueError: there is none; the message lists the known ones and the nearest match.
    """
    chapter = name.partition(".")[0] if isinstance(name, str) else ""
    if chapter in chapters():
        for question in questions_of(chapter):
            if question.name == name:
                return question
    known = [question.name for number in chapters() for question in questions_of(number)]
    raise unknown_name("question", name, known)
