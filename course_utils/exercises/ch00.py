"""Chapter 00: one warm-up that shows how an exercise is checked."""

from __future__ import annotations

from typing import Any

from course_utils.checks import Exercise, variant
from course_utils.probing import attempt, compare, need_function

SETUP = ""

_RELU = """
def my_relu(x):
    return max(0.0, x)
""".strip()


def _check_relu(answer: Any) -> str:
    need_function(answer, "my_relu(x)")
    for x in (3.0, -2.0, 0.0, 0.5, -1e-3):
        call = f"`my_relu({x:g})`"
        got = attempt(answer, x, call=call)
        mistakes = [
            (abs(x), "That is the absolute value: a negative number must become 0."),
            (min(0.0, x), "The wrong half is kept: positive numbers pass, negative ones become 0."),
            (x, "The number came back unchanged: a negative number must become 0."),
            (float(x > 0), "That says whether x is positive; a positive x itself must come back."),
        ]
        compare(got, max(0.0, x), call, mistakes)
    return "You have just written the nonlinearity that most networks use."


EXERCISES = (
    Exercise(
        name="00.relu",
        title="a first answer",
        prompt="""
A *rectifier* passes positive numbers on and turns negative ones into 0. Replace the line with
`raise` by your code, run the cell, then run the cell below it. Wrong on purpose is fine: read what
the check says.
""",
        answer="my_relu",
        stub='''
def my_relu(x):
    """Return x if it is positive, otherwise 0."""
    raise NotImplementedError
''',
        hints=(
            "Two cases: x above 0, and everything else. An `if` will do.",
            "Python's `max` gives the larger of two numbers.",
        ),
        solution=_RELU,
        wrong=(
            (variant(_RELU, ("max(0.0, x)", "abs(x)")), "absolute value"),
            (variant(_RELU, ("max", "min")), "wrong half is kept"),
            (variant(_RELU, ("return ", "y = ")), "`return` missing"),
        ),
        checker=_check_relu,
        examples=(("my_relu(3.0)", "3.0"), ("my_relu(-2.0)", "0.0")),
    ),
)
