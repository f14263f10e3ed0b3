"""Predict, then look: a question before a run, and its answer when you have said yours.

>>> predict("09.saddle")         # in a notebook: choose, and be told
>>> predict("09.saddle", "b")    # the same in words
>>> predict("09.saddle").reveal()

Nothing is stored or sent. The questions stand in ``ch00.py``, ``ch09.py`` …, one module per
chapter, and each measures its answer with the code of its chapter. To put one into a notebook, let
its code cell be what `cell` gives.
"""

from __future__ import annotations

from course_utils.names import chapter_module, chapters_in, look_up_entry
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
    return chapters_in(__path__)


def questions_of(chapter: str) -> tuple[Question, ...]:
    """The questions of a chapter ("09"), in the order of its notebook.

    Raises:
        ValueError: the chapter has no questions.
    """
    return chapter_module(__name__, chapter, chapters()).QUESTIONS


def get_question(name: str) -> Question:
    """The question called ``name``.

    Raises:
        ValueError: there is none; the message lists the known ones and the nearest match.
    """
    return look_up_entry("question", name, chapters(), questions_of)
