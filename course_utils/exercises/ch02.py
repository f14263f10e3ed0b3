"""Chapter 02, autograd: slopes by `backward`, by the chain rule and by nudging, and their use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from course_utils.exercises.ch02_descent import DESCENT
from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.rules import autograd

_CURVES: dict[str, Callable[[Any], Any]] = {
    "x**2 + 3*x + 1": lambda x: x**2 + 3 * x + 1,
    "x*x*x": lambda x: x * x * x,
    "1 / (1 + x**2)": lambda x: 1 / (1 + x**2),
    "x.sin() * x.exp()": lambda x: x.sin() * x.exp(),
    "5 - x": lambda x: 5 - x,
}


def _slope_cases(r: np.random.Generator) -> Iterator[Case]:
    for text, f in _CURVES.items():
        for x in (2.0, -1.5, -1, round(float(r.normal()), 2)):
            yield case(f, x, label=f"for f(x) = {text}")


def _neuron_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(-0.5, 2.0, 3.0, -1.0)
    yield case(0.3, 0.1, -4.0, 0.7)
    yield case(3, -2, 5, 1)
    for _ in range(4):
        yield case(*(round(float(v), 2) for v in r.normal(size=4) * 2))


def _powers(shape: tuple[int, ...], scale: float = 1.0) -> Callable[[Any], Any]:
    """A function of arrays of this shape whose fifth derivative is not 0, so that h shows."""

    def f(Z: Any) -> Any:
        if tuple(np.shape(Z)) != shape:
            raise ValueError(f"f needs shape {shape}, it was called with {tuple(np.shape(Z))}")
        return 0.3 * ((scale * Z) ** 5).sum() + 0.5 * (scale * Z).sum() ** 2

    return f


def _nudge_cases(r: np.random.Generator) -> Iterator[Case]:
    for X, h in (
        (np.array([1.0, -2.0, 0.5]), 0.25),
        (np.array([[0.3, 1.2, -0.7], [2.0, 0.4, 1.1]]), 0.25),
        (np.array([[1, 2], [3, 4]]), 0.2),
        (np.array([[1, -2, 1], [0, 1, 2]]), 0.5),
        (r.normal(size=(2, 3, 2)), 0.1),
        (r.normal(size=(1, 1)), 0.5),
    ):
        yield case(_powers(np.shape(X)), X, h, label=f"for shape {np.shape(X)} and h = {h}")
    X = r.uniform(0.02, 0.05, size=(2, 2))
    yield case(_powers((2, 2), 30.0), X, label="with the h of the stub")


EXERCISES = (
    Exercise(
        name="02.slope",
        title="a slope in three lines",
        prompt="""
`f` takes a tensor and returns a tensor, both with a single number. Return the slope of `f` at the
number `x`, as a number, and let autograd do the work. `x` may be an `int`.
""",
        stub='''
def my_slope(f, x):
    """The derivative of f at the number x."""
    raise NotImplementedError
''',
        hints=(
            "Make a tensor out of x that asks for a gradient, call f with it, then call backward.",
            "Only floats can carry a gradient: `torch.tensor(float(x), requires_grad=True)`. After "
            "`backward()` the slope is in the `.grad` of that tensor.",
        ),
        solution="""
def my_slope(f, x):
    x = torch.tensor(float(x), requires_grad=True)
    f(x).backward()
    return x.grad.item()
""",
        wrong=mistakes(r"""
? That is the value of f, not its slope: call `backward()`, then look at .grad.
- return x.grad.item() >>> return f(x)
- f(x).backward()\n    return x.grad.item() >>> return f(x)
? It gives None. `backward()` itself returns nothing: it writes the slope into the `.grad` of x.
  (Or is a `return` missing?)
- f(x).backward()\n    return x.grad.item() >>> return f(x).backward()
? A whole number cannot carry a gradient: make a float out of it first.
- float(x) >>> x
? No graph leads back to a tensor that asked for a gradient: make it with `requires_grad=True`, and
  compute with that very tensor, outside of `no_grad`.
- , requires_grad=True >>> 
? Twice the slope: `backward` was called twice, and it adds up.
-     f(x).backward()\n >>>     f(x).backward()\n    f(x).backward()\n
? That is x itself: the slope is in its `.grad`.
- return x.grad.item() >>> return x.item()
? x is cut off to a whole number: it may have a fraction.
- float(x) >>> float(int(x))
? The slope is cut off to a whole number: return it as it is.
- x.grad.item() >>> int(x.grad)
- x.grad.item() >>> round(x.grad.item())
? That is f(x) / x, the slope of a line from the origin; wanted is the slope of f at x.
- return x.grad.item() >>> return f(x) / x
? The slope is multiplied by x: return what `.grad` holds.
- x.grad.item() >>> x.grad.item() * x
? That is the second derivative; one `backward` gives the first.
def my_slope(f, x):
    x = torch.tensor(float(x), requires_grad=True)
    slope = torch.autograd.grad(f(x), x, create_graph=True)[0]
    return torch.autograd.grad(slope + 0 * x, x)[0]
? That is the point after a step; wanted is the slope itself.
- return x.grad.item() >>> return x - x.grad
- return x.grad.item() >>> return x - 0.1 * x.grad
"""),
        cases=_slope_cases,
        rules=(autograd(True),),
        closing="The function may be as long as you like: these lines stay the same.",
        examples=(("my_slope(lambda x: x**2 + 3 * x + 1, 2)", "7.0"),),
    ),
    Exercise(
        name="02.chain_rule",
        title="the chain rule by hand, over two ways",
        prompt=r"""
A neuron listens to itself: what it says first is what it hears next. With the same $w$ and $b$ both
times, $h = w x + b$ and $\hat y = w h + b$ (all numbers). The loss is $L = (\hat y - y)^2$ with the
target $y$. Work out $\partial L/\partial w$ and $\partial L/\partial b$ on paper, and return the
two numbers, in this order, without autograd.
""",
        stub='''
def my_neuron_gradients(w, b, x, y):
    """(dL/dw, dL/db), two numbers."""
    raise NotImplementedError
''',
        hints=(
            "w acts on ŷ along two ways: directly in w·h, and through h. So does b. Slopes along a "
            "way multiply, and the ways add up.",
            "dL/dŷ = 2 (ŷ − y). Directly, one more w changes ŷ by h. Through h it changes h by x, "
            "and one more h changes ŷ by w.",
        ),
        solution="""
def my_neuron_gradients(w, b, x, y):
    h = w * x + b
    error = w * h + b - y
    return 2 * error * (h + w * x), 2 * error * (1 + w)
""",
        wrong=mistakes(r"""
? That is the neuron of the chapter, which answers once. Here it answers twice.
def my_neuron_gradients(w, b, x, y):
    error = w * x + b - y
    return 2 * error * x, 2 * error
? The factor 2 is missing: the derivative of (ŷ − y)² with respect to ŷ is 2 (ŷ − y).
- 2 * error * (h + w * x), 2 * error >>> error * (h + w * x), error
? The sign is wrong: the error is ŷ − y, not y − ŷ.
- w * h + b - y >>> y - w * h - b
? One of the two ways of w is missing: w acts directly on ŷ, and through h.
- (h + w * x) >>> h
- (h + w * x) >>> (w * x)
- (h + w * x) >>> x
- (h + w * x), 2 * error * (1 + w) >>> h, 2 * error
- (h + w * x), 2 * error * (1 + w) >>> (w * x), 2 * error * w
? One of the two ways of b is missing: b acts directly on ŷ, and through h.
- (1 + w) >>> 1
- (1 + w) >>> w
? What comes through h must be multiplied by w: one more h changes ŷ by w.
- (h + w * x) >>> (h + x)
- (1 + w) >>> 2
- (h + w * x), 2 * error * (1 + w) >>> (h + x), 2 * error * 2
? Ways add up; only the links along one way are multiplied.
- (h + w * x) >>> (h * w * x)
- (h + w * x), 2 * error * (1 + w) >>> (h * w * x), 2 * error * w
? The order is ∂L/∂w first, then ∂L/∂b.
- 2 * error * (h + w * x), 2 * error * (1 + w) >>> 2 * error * (1 + w), 2 * error * (h + w * x)
? The derivative of a square is no square: 2 times the error.
- error * (h + w * x), 2 * error * >>> error**2 * (h + w * x), 2 * error**2 *
? The target is missing: the error is ŷ − y.
-  - y >>> 
? That is the loss; asked are its two derivatives.
- 2 * error * (h + w * x), 2 * error * (1 + w) >>> error**2
? The outer derivative is missing: 2 (ŷ − y) is a factor of both.
- 2 * error * (h + w * x), 2 * error * (1 + w) >>> h + w * x, 1 + w
- 2 * error * (h + w * x), 2 * error * (1 + w) >>> 2 * (h + w * x), 2 * (1 + w)
? Your first number is the derivative with respect to x; asked is that for w.
- (h + w * x), >>> (w * w),
"""),
        cases=_neuron_cases,
        rules=(autograd(False),),
        closing="A weight that is used twice collects from both ways. So does every weight of a "
        "network that reads a text word by word.",
        examples=(("my_neuron_gradients(2.0, 0.5, 1.0, 4.0)", "[13.5, 9.0]"),),
    ),
    Exercise(
        name="02.sharper_gradient",
        title="a sharper numerical gradient",
        prompt=r"""
Four points are better than two. For a function of one variable

$$f'(x) \approx \frac{-f(x+2h) + 8f(x+h) - 8f(x-h) + f(x-2h)}{12h}$$

has an error that falls with $h^4$. Write the gradient with this formula, for an array `X` of *any*
shape, one entry at a time. The result has the shape of `X`. `f` takes an array and returns a
number. `X` may hold integers, and it must be unchanged afterwards.
""",
        stub='''
def my_sharper_gradient(f, X, h=0.01):
    """The gradient of f at X by the four-point formula, an array of the shape of X."""
    raise NotImplementedError
''',
        hints=(
            "Start from the chapter's `numerical_gradient`: only the calls of f and the last line "
            "change.",
            "Set the entry to old + 2h, old + h, old − h and old − 2h in turn, always from `old`, "
            "and put it back before you go on to the next entry.",
        ),
        solution="""
def my_sharper_gradient(f, X, h=0.01):
    X = np.array(X, dtype=float)
    gradient = np.zeros_like(X)
    for index in np.ndindex(X.shape):
        old = X[index]
        total = 0.0
        for step, weight in ((2, -1), (1, 8), (-1, -8), (-2, 1)):
            X[index] = old + step * h
            total += weight * f(X)
        X[index] = old
        gradient[index] = total / (12 * h)
    return gradient
""",
        wrong=mistakes(r"""
? That is the two-point formula of the chapter: here four points are wanted.
- (2, -1), (1, 8), (-1, -8), (-2, 1) >>> (1, 6), (-1, -6)
? The sign is wrong: the point x + h counts +8, the point x − h counts −8.
- (2, -1), (1, 8), (-1, -8), (-2, 1) >>> (2, 1), (1, -8), (-1, 8), (-2, -1)
? The weights are swapped: 8 belongs to the near points, 1 to the far ones.
- (2, -1), (1, 8), (-1, -8), (-2, 1) >>> (2, -8), (1, 1), (-1, -1), (-2, 8)
? The two far points count against the near ones: −f(x+2h) and +f(x−2h).
- (2, -1), (1, 8), (-1, -8), (-2, 1) >>> (2, 1), (1, 8), (-1, -8), (-2, -1)
? Divide by 12·h: one of the two factors is missing.
- (12 * h) >>> h
- (12 * h) >>> 12
? The whole sum is divided by all of 12·h: are parentheses missing?
- (12 * h) >>> 12 * h
- weight * f(X) >>> weight * f(X) / (12 * h if step == -2 else 1) && total / (12 * h) >>> total
? The four points are counted from the entry as it was, `old`; yours wander on from one to the next.
- X[index] = old + step * h >>> X[index] += step * h && X[index] = old\n        grad >>> grad
? The entry was left at another place: put it back before you go on to the next.
-         X[index] = old\n >>> 
? `X[i]` is a whole row here: move one entry at a time, for example with np.ndindex.
- np.ndindex(X.shape) >>> range(len(X)) && old = X[index] >>> old = np.array(X[index])
- np.ndindex(X.shape) >>> range(len(X))
? All entries moved at once: move one entry at a time.
- X[index] = old + step * h >>> Z = X + step * h && f(X) >>> f(Z)
? X holds integers, and writing `old + h` into such an array is cut off to a whole number: work on a
  copy in floats.
- np.array(X, dtype=float) >>> np.array(X) && np.zeros_like(X) >>> np.zeros(X.shape)
- np.array(X, dtype=float) >>> np.array(X)
? The result is cut off to whole numbers: `np.zeros_like(X)` of an integer array holds integers.
- gradient = np.zeros_like(X) >>> gradient = np.zeros_like(given)
& X = np.array(X, dtype=float) >>> given = np.array(X)\n    X = np.array(X, dtype=float)
? `X` is changed afterwards: work on a copy of it, or put each entry back.
-     X = np.array(X, dtype=float)\n >>>     given = X\n    X = np.array(X, dtype=float)\n
&     return gradient >>>     given[...] = X + 1\n    return gradient
- X = np.array(X, dtype=float) >>> X = np.asarray(X, dtype=float) &&         X[index] = old\n >>> 
? The h that is passed must be used; yours is fixed.
- X = np >>> h = 0.01\n    X = np
? That is the exact gradient, or one with an h of its own: wanted is what the formula gives with the
  h that is passed.
def my_sharper_gradient(f, X, h=0.01):
    X = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    f(X).backward()
    return X.grad
? The result must have the shape of X.
- return gradient >>> return gradient.ravel()
"""),
        cases=_nudge_cases,
        kinds=("array",),
        pure=True,
        closing="Four calls of f per entry, and at h = 0.01 already eight digits or so.",
        examples=(
            (
                "my_sharper_gradient(lambda X: (X**3).sum(), np.array([[1, 2], [3, 4]]))",
                "[[3.0, 12.0], [27.0, 48.0]]",
            ),
        ),
    ),
    *DESCENT,
)
