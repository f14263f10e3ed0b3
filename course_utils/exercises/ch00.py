"""Chapter 00: one warm-up that shows how an exercise is checked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _relu_cases(r: np.random.Generator) -> Iterator[Case]:
    for x in (0.5, -1.5, 0.0, -1e-3, 7, -4, 300.0):
        yield case(x)
    for x in r.normal(size=3):
        yield case(float(x))


EXERCISES = (
    Exercise(
        name="00.relu",
        title="a first answer",
        prompt="""
A *rectifier* passes positive numbers on and turns negative ones into 0. Replace the line with
`raise` by your code, run the cell, then run the cell below it. Wrong on purpose is fine: read what
the check says.
""",
        stub='''
def my_relu(x):
    """Return x if it is positive, otherwise 0."""
    raise NotImplementedError
''',
        hints=(
            "Two cases: x above 0, and everything else. An `if` will do.",
            "Python's `max` gives the larger of two numbers.",
        ),
        solution="""
def my_relu(x):
    return max(0.0, x)
""",
        wrong=mistakes(r"""
? That is the absolute value: a negative number must become 0.
- max(0.0, x) >>> abs(x)
? The wrong half is kept: positive numbers pass, negative ones become 0.
- max >>> min
? The number came back unchanged: a negative number must become 0.
- max(0.0, x) >>> x
? That says whether x is positive; a positive x itself must come back.
- max(0.0, x) >>> float(x > 0)
? The sign of a positive number is turned around.
- max(0.0, x) >>> -max(0.0, x)
- max(0.0, x) >>> min(0.0, -x)
? The fraction is cut off: a positive x must come back as it is.
- max(0.0, x) >>> max(0, int(x))
? It is 0 for every number: a positive x must come back.
- max(0.0, x) >>> 0.0
? Nothing comes back: is a `return` missing?
- return max(0.0, x) >>> y = max(0.0, x)
"""),
        cases=_relu_cases,
        closing="You have just written the nonlinearity that most networks use.",
        examples=(("my_relu(3.0)", "3.0"), ("my_relu(-2.0)", "0.0")),
    ),
)
