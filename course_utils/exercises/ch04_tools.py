"""Chapter 04, a gradient check that says where a gradient is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.gradients import numerical_gradient


def _bent(v: Any) -> Any:
    """A function whose slope at each entry depends on others, and whose measured slope on h."""
    return (v**4).sum() / 4 + v[0].sum() * v[-1].sum() ** 2


def _steep(v: Any) -> Any:
    """Curved so much that differences to one side are far off; those to both sides are not."""
    return _bent(v) + 4e3 * v[-1].sum() ** 2


def _worst_cases(r: np.random.Generator) -> Iterator[Case]:
    """In each, grad is off by most at one entry, and by less, to the other side, at a second one
    with a small gradient."""
    for f, shape, worst, other, by in (
        (_bent, (5,), (3,), (1,), 0.5),
        (_bent, (3, 4), (1, 2), (2, 0), -0.5),
        (_bent, (3, 4), (2, 0), (0, 3), 0.5),
        (_bent, (2, 3, 2), (1, 0, 1), (0, 2, 0), -0.5),
        (_bent, (2, 1), (1, 0), (0, 0), 2.0),
        (_steep, (4,), (1,), (2,), 0.3),
        (_steep, (2, 3), (0, 1), (1, 1), -0.3),
    ):
        X = r.uniform(0.5, 1.5, shape) * r.choice([-1, 1], shape)
        X[other], X[worst] = 0.2, 0.6
        grad = numerical_gradient(f, X) + r.uniform(-0.02, 0.02, shape)
        grad[worst] += by
        grad[other] -= 0.7 * by
        yield case(f, X, grad)


EXERCISES = (
    Exercise(
        name="04.worst_entry",
        title="where is the gradient wrong?",
        prompt=r"""
A gradient check that only says "wrong" leaves you searching. Write one that says **where**:
measure the gradient of `f` at `X` with central differences, and return the index, as a tuple, of
the entry in which `grad` is farthest from it (largest absolute difference).
`f` takes an array of the shape of `X` and returns a number; `X` may have any number of
dimensions and must stay as it is.
""",
        stub='''
def my_worst_entry(f, X, grad, h=1e-4):
    """Index of the entry in which grad differs most from the measured gradient: a tuple."""
    raise NotImplementedError
''',
        hints=(
            "`np.ndindex(X.shape)` runs over all indices. Nudge a *copy* of X by h to either side.",
            "`np.argmax` of the absolute differences counts through the flattened array; "
            "`np.unravel_index(k, X.shape)` turns that number into an index.",
        ),
        solution="""
def my_worst_entry(f, X, grad, h=1e-4):
    apart = np.zeros(X.shape)
    for index in np.ndindex(X.shape):
        above, below = X.copy(), X.copy()
        above[index] += h
        below[index] -= h
        measured = (f(above) - f(below)) / (2 * h)
        apart[index] = abs(measured - grad[index])
    return np.unravel_index(np.argmax(apart), X.shape)
""",
        wrong=mistakes(r"""
? That is a position in the flattened array: the index is meant. `np.unravel_index` converts.
- np.unravel_index(np.argmax(apart), X.shape) >>> np.argmax(apart)
- np.unravel_index(np.argmax(apart), X.shape) >>> (np.argmax(apart),)
? Too small and too large are both wrong: compare absolute differences.
- abs(measured - grad[index]) >>> measured - grad[index]
- abs(measured - grad[index]) >>> grad[index] - measured
? Absolute differences are wanted: yours are relative, so a small gradient weighs more.
- abs(measured - grad[index]) >>> abs(measured - grad[index]) / abs(measured)
- abs(measured - grad[index]) >>> abs(measured - grad[index]) / (abs(measured) + abs(grad[index]))
- abs(measured - grad[index]) >>> abs(measured - grad[index]) / abs(grad[index])
? The function changes X: nudge a copy.
- above, below = X.copy(), X.copy() >>> above, below = X, X.copy()
- above, below = X.copy(), X.copy() >>> above, below = X.copy(), X
? The nudge of one entry stays while the next is measured: make new copies for each entry.
-         above, below = X.copy(), X.copy()\n >>> 
& apart = >>> above, below = X.copy(), X.copy()\n    apart =
? Those are differences to one side; measure to either side of X.
- f(above) - f(below)) / (2 * h) >>> f(above) - f(X)) / h
- f(above) - f(below)) / (2 * h) >>> f(X) - f(below)) / h
? Divide by 2h: above and below are 2h apart.
- (2 * h) >>> h
? That is where the two agree best: the largest difference is wanted.
- argmax >>> argmin
? That is where the gradient itself is largest: the difference between `grad` and the measured
  slopes is wanted. (They come out next to 0 where both sides are one array, where `/ 2 * h` has no
  brackets, or where h is lost in rounding.)
- h=1e-4 >>> h=1e-50
- above, below = X.copy(), X.copy() >>> above = below = X.copy()
- above, below = X.copy(), X.copy() >>> above = below = X
- (2 * h) >>> 2 * h
- abs(measured - grad[index]) >>> abs(grad[index])
- abs(measured - grad[index]) >>> abs(measured)
? The difference comes back; its index is wanted.
- np.unravel_index(np.argmax(apart), X.shape) >>> apart.max()
? All differences come back; the index of the largest is wanted.
- np.unravel_index(np.argmax(apart), X.shape) >>> apart
? The last index comes back, whatever the differences are.
- np.unravel_index(np.argmax(apart), X.shape) >>> index
? The first entry comes back, not the one with the largest difference: is a `return` inside the loop?
-     return np >>>         return np
"""),
        cases=_worst_cases,
        pure=True,
        closing="It points at the entry. That is where you look first when a check fails.",
    ),
)
