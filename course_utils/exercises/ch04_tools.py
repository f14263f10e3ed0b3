"""Chapter 04, the tools: where a gradient is wrong, and one more operation for the autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.running import unwrapped
from course_utils.gradients import numerical_gradient
from course_utils.scalar_autograd import Scalar as PackageScalar


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


def _divide(answer: Callable, x: float, y: float) -> dict[str, Any]:
    """Value and gradients of a/b, of a/b inside of a formula, and of two divisions in a row."""
    own = (f.__globals__.get("Scalar") for f in unwrapped(answer))
    able = ("backward", "__add__", "__mul__")
    scalars = [c for c in own if isinstance(c, type) and all(hasattr(c, name) for name in able)]
    Scalar = scalars[0] if scalars else PackageScalar

    def quotient(a: Any, b: Any) -> Any:
        out = answer(a, b)
        if isinstance(out, int | float | np.number):
            raise NotYet("A plain number comes back: a `Scalar` is needed, or the graph ends here.")
        if out is not None and not (hasattr(out, "value") and hasattr(out, "backward")):
            raise NotYet(f"A `Scalar` is expected; an object of type {type(out).__name__} comes.")
        return out

    a, b = Scalar(x), Scalar(y)
    if (out := quotient(a, b)) is None:
        return {"the result": None}
    out.backward()
    seen = {"value": out.value, "a and b afterwards": [a.value, b.value]}
    seen |= {"the gradient of a": a.grad, "the gradient of b": b.grad}
    u, v = Scalar(x), Scalar(y)
    out = quotient(u * v, u + v) * u
    out.backward()
    seen["the gradients of u and v in (u·v)/(u + v)·u"] = [u.grad, v.grad]
    u, v = Scalar(x), Scalar(y)
    out = quotient(quotient(v, u), v * v)
    out.backward()
    return seen | {"the gradients of u and v in (v/u)/(v·v)": [u.grad, v.grad]}


def _divide_cases(r: np.random.Generator) -> Iterator[Case]:
    for x, y in ((3.0, 4.0), (-2.0, 0.5), (1.0, -3.0), *r.uniform(0.3, 3, (2, 2)).round(2)):
        yield case(float(x), float(y), label=f"for a = {x:g} and b = {y:g}")


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
    Exercise(
        name="04.divide",
        title="teach the autograd to divide",
        prompt=r"""
`Scalar` cannot divide yet. Write $a / b$ for two `Scalar` objects: a new `Scalar` with the right
value that hangs on `a` and `b`, so that `backward` finds both of them with the right slopes.
""",
        stub='''
def my_divide(a, b):
    """The quotient of two Scalar objects, as a Scalar that remembers both."""
    raise NotImplementedError
''',
        hints=(
            "`Scalar(value, inputs, op)`: the inputs are pairs (node, local derivative).",
            "The derivatives of a/b are 1/b with respect to a, and −a/b² with respect to b.",
        ),
        setup="from course_utils.scalar_autograd import Scalar",
        solution="""
def my_divide(a, b):
    value = a.value / b.value
    return Scalar(value, ((a, 1 / b.value), (b, -a.value / b.value**2)), "/")
""",
        wrong=mistakes(r"""
? The minus sign of the slope along b is missing: it is −a/b².
- (b, -a.value >>> (b, a.value
? The square in the slope along b is missing: it is −a/b².
- b.value**2 >>> b.value
? The slope along b is −a/b²: a is missing.
- -a.value / b.value**2 >>> -1 / b.value**2
? The slope along b is −a/b², with the square below.
- -a.value / b.value**2 >>> (-a.value / b.value) ** 2
? The slope along b is that of b itself, 1: it is −a/b².
- -a.value / b.value**2 >>> 1.0
? A plain number comes back: a `Scalar` is needed, or the graph ends here.
def my_divide(a, b):
    return a.value / b.value
? Nothing arrives at a and b: pass the pairs (node, slope) for a and b themselves as inputs.
def my_divide(a, b):
    return Scalar(a.value / b.value)
def my_divide(a, b):
    return Scalar(a.value / b.value, (), "/")
def my_divide(a, b):
    return Scalar(a.value / b.value, ((Scalar(a.value), 1 / b.value), (Scalar(b.value), 1.0)))
? The gradients are set by hand, so nothing goes on to what a and b were made of: pass the pairs
  (node, slope) for a and b as inputs.
def my_divide(a, b):
    out = Scalar(a.value / b.value)
    a.grad = 1 / b.value
    b.grad = -a.value / b.value**2
    return out
? No gradient arrives at b: is it among the inputs?
- , (b, -a.value / b.value**2) >>> ,
? No gradient arrives at a: is it among the inputs?
- (a, 1 / b.value), (b, -a.value / b.value**2) >>> (b, -a.value / b.value**2),
? It divides the other way round: a / b is wanted.
- value = a.value / b.value >>> a, b = b, a\n    value = a.value / b.value
? The value is turned over: a / b is wanted. The slopes are right.
- value = a.value / b.value >>> value = b.value / a.value
? It multiplies.
def my_divide(a, b):
    return a * b
? The two slopes are exchanged: each belongs to its own node.
- (a, 1 / b.value), (b, -a.value / b.value**2) >>> (a, -a.value / b.value**2), (b, 1 / b.value)
? The slope along a is 1/b.
- 1 / b.value >>> b.value
- 1 / b.value >>> 1.0
- 1 / b.value >>> 1 / a.value
? The slope along a is 1/b, that along b is −a/b²; yours are those of a product.
- (a, 1 / b.value), (b, -a.value / b.value**2) >>> (a, b.value), (b, a.value)
? The quotient's value is rounded down: `/` keeps the fraction.
- value = a.value / b.value >>> value = a.value // b.value
? The slopes are multiplied by the result: `backward` brings in what comes from further back.
- (a, 1 / b.value) >>> (a, value / b.value) && -a.value / b.value**2 >>> -value**2 / b.value
"""),
        cases=_divide_cases,
        probe=_divide,
        closing="Value and slopes are right, so backward works through it, whatever stands around "
        "it.",
    ),
)
