"""Chapter 02: descent by hand, a line fitted with autograd, a Jacobian row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.rules import autograd


def _valley(x: Any) -> Any:
    return 2 * x + 0.3 * x**3


def _descend_cases(r: np.random.Generator) -> Iterator[Case]:
    label = "with grad(x) = 2x + 0.3x³"
    for start, lr, small, max_steps in (
        ([1.0, -2.0], 0.1, 0.5, 2),
        ([2.0, 1.0], 0.05, 1.0, 40),
        ([0.01, -2.0], 0.1, 3.0, 30),
        ([-1.5], 0.2, 1.0, 20),
        ([1.0, -1.0], 0.1, 0.5, 30),
        ([0.6, 0.6, 0.6, 0.6], 0.1, 1.0, 20),
        ([[0.5], [1.5]], 0.3, 0.05, 3),
        ([2.0], 0.1, 0.1, 0),
        ([1.0, 1.0], 0.1, 0.4, 1),
        ([0.01, -0.02], 0.25, 0.5, 4),
        (r.normal(size=(2, 3)), 0.02, 0.3, 8),
        (r.normal(size=3), 0.1, 0.2, 50),
    ):
        yield case(_valley, np.array(start), lr, small, max_steps, label=label)
    twice = "with grad(x) = 2x"
    yield case(lambda x: 2 * x, np.array([8.0]), 0.25, 8.0, 3, label=twice)  # 16, then just 8


def _line_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 2.5, 3.0, 6.0]), 0.05, 4)
    for num_steps in (1, 2, 0):
        yield case(np.array([1.0, 2.0]), np.array([1.0, 3.0]), 0.1, num_steps)
    yield case(np.array([3.0]), np.array([-1.0]), 0.02, 3)
    for n, lr, num_steps in ((3, 0.1, 12), (5, 0.2, 6)):
        x = r.normal(size=n)
        yield case(x, -2 * x + r.normal(size=n) + 0.5, lr, num_steps)


_MAPS: tuple[tuple[str, Callable, list[float]], ...] = (
    ("x → (x₀²x₁, x₀ − 2x₁)", lambda x: torch.stack([x[0] ** 2 * x[1], x[0] - 2 * x[1]]), [1.5, 2]),
    (
        "x → (x₀x₁, x₁², x₀ + 3x₂)",
        lambda x: torch.stack([x[0] * x[1], x[1] ** 2, x[0] + 3 * x[2]]),
        [2.0, 3.0, -1.0],
    ),
    ("x → (x₀x₁x₂,)", lambda x: x.prod()[None], [1.0, 2.0, 3.0]),
    ("x → x²", lambda x: x**2, [1.0, -1.0, 0.5, 2.0]),
    ("x → (x, x³, sin x)", lambda x: torch.cat([x, x**3, x.sin()]), [0.7]),
    ("x → (x₀, x₁x₂)", lambda x: torch.stack([x[0], x[1] * x[2]]), [0.7, -1.0, 2.0]),
    ("x → (x₁, x₀, x₀x₁)", lambda x: torch.stack([x[1], x[0], x[0] * x[1]]), [3.0, -0.5]),
    ("x → (5x,)", lambda x: 5 * x, [2.0]),
)


def _jacobian_cases(r: np.random.Generator) -> Iterator[Case]:
    for text, f, place in _MAPS:
        yield case(f, np.array(place, dtype=float), label=f"for {text}")


DESCENT = (
    Exercise(
        name="02.descend",
        title="a descent that knows when to stop",
        prompt=r"""
Walk downhill: $x \leftarrow x - \eta\,\nabla f(x)$ with the learning rate $\eta$ = `lr`. `grad(x)`
gives the gradient, `start` is an array. Look at the gradient before each step: if *every* entry of
it, without its sign, is smaller than `small`, stop. After `max_steps` steps stop in any case. Return
the list of **all** points, start included. `start` must be unchanged afterwards.
""",
        stub='''
def my_descend(grad, start, lr, small, max_steps):
    """The points on the way, start included: a list of arrays."""
    raise NotImplementedError
''',
        hints=(
            "A list that begins with the start, and a loop that looks at the gradient, leaves with "
            "`break` or appends one new point.",
            "`abs(g).max()` is the largest entry of g without its sign. `x = x - lr * g` makes a "
            "new array; `x -= …` changes the old one, which is the caller's `start`.",
        ),
        solution="""
def my_descend(grad, start, lr, small, max_steps):
    x = start
    path = [x]
    for _ in range(max_steps):
        g = grad(x)
        if abs(g).max() < small:
            break
        x = x - lr * g
        path.append(x)
    return path
""",
        wrong=mistakes(r"""
? `start` was changed: `x -= …` writes into the caller's array. Write `x = x - lr * g`, or begin with a
  copy.
- x = x - lr >>> x -= lr
- x = x - lr * g\n        path.append(x) >>> x -= lr * g\n        path.append(x + 0)
- path = [x] >>> path = [x + 0]
& x = x - lr * g\n        path.append(x) >>> x -= lr * g\n        path.append(x + 0)
? All points of your list are the same array: `x -= …` changes it after it was appended. Make a new
  array in each step, `x = x - lr * g`.
- x = start >>> x = start + 0 && x = x - lr >>> x -= lr
? It never stops early: look at the gradient before each step.
- abs(g).max() < small >>> False
? A negative entry may be steep too: compare the gradient without its sign.
- abs(g).max() >>> g.max()
? Every entry must be small: the smallest one, their mean, their sum or one of them does not tell.
- abs(g).max() >>> abs(g).min()
- abs(g).max() >>> abs(g.sum())
- abs(g).max() >>> abs(g).mean()
- abs(g).max() >>> abs(g).reshape(-1)[0]
? Each entry is compared by itself with `small`; yours compares the length of the whole gradient, or
  the sum of its entries without sign.
- abs(g).max() >>> (g**2).sum() ** 0.5
- abs(g).max() >>> abs(g).sum()
? The gradient is compared with `small`, not the step, the point or the square.
- abs(g).max() >>> abs(lr * g).max()
- abs(g).max() >>> abs(x).max()
- abs(g).max() >>> (g**2).max()
? A gradient of exactly `small` is not smaller than it: there it goes on.
- < small >>> <= small
? It goes one step too far: look at the gradient before the step.
-         if abs(g).max() < small:\n            break\n        x = x - lr * g\n        path.append(x) >>>         x = x - lr * g\n        path.append(x)\n        if abs(g).max() < small:\n            break
? `max_steps` is ignored: after so many steps it stops in any case.
- range(max_steps) >>> range(1000)
? The path goes uphill: subtract the gradient.
- x - lr >>> x + lr
? The start itself is missing: it is the first point of the list.
- path = [x] >>> path = []
? Return all the points, not only the last one.
- return path >>> return path[-1]
- return path >>> return path[-1:]
? One step is missing: up to max_steps steps, and so up to max_steps + 1 points.
- range(max_steps) >>> range(max_steps - 1)
? That is one step too many: at most max_steps steps, and so max_steps + 1 points.
- range(max_steps) >>> range(max_steps + 1)
? The learning rate is missing: multiply the gradient by lr.
- lr * g >>> g
? The gradient must be computed anew at each point, inside the loop.
- grad(x) >>> grad(start)
? Each step begins at the point before it; yours begins at the start.
- x = x - lr >>> x = start - lr
? These are the gradients; wanted are the points that they lead to.
- path.append(x) >>> path.append(g)
? The point is stored before the step: the last one is missing, and the start is there twice.
- x = x - lr * g\n        path.append(x) >>> path.append(x)\n        x = x - lr * g
? It returns inside the loop, after the first step.
-     return path >>>         return path\n    return path
"""),
        cases=_descend_cases,
        pure=True,
        closing="It stops where it is flat, and the caller's start is untouched.",
        examples=(
            (
                "my_descend(lambda x: 2 * x, np.array([5.0]), 0.1, 7.0, 10)",
                "[[5.0], [4.0], [3.2]]",
            ),
        ),
    ),
    Exercise(
        name="02.fit_line",
        title="fit a line with autograd",
        prompt=r"""
Fit $\hat y = w x + b$ to points by gradient descent with autograd. `x` and `y` hold N numbers each:
two arrays or two tensors. Start with $w = b = 0$. In each of the `num_steps` steps compute the
*mean* of the squared errors over the points, call `backward`, and move both parameters by $-\eta$
times their gradient, with $\eta$ = `lr`. Return `(w, b)`.
""",
        stub='''
def my_fit_line(x, y, lr, num_steps):
    """(w, b) after num_steps steps of gradient descent on the mean squared error."""
    raise NotImplementedError
''',
        hints=(
            "The order in the loop: loss, clear the old gradients, backward, then both updates.",
            "The updates stand in `with torch.no_grad():` and change in place: `w -= lr * w.grad`. "
            "Clearing is `w.grad = None`, the same for b.",
        ),
        solution="""
def my_fit_line(x, y, lr, num_steps):
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    w = torch.tensor(0.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    for _ in range(num_steps):
        loss = ((w * x + b - y) ** 2).mean()
        w.grad = b.grad = None
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
    return w.item(), b.item()
""",
        wrong=mistakes(r"""
? The old gradients are never cleared, so they add up: `w.grad = None` before backward.
-         w.grad = b.grad = None\n >>> 
? The gradient of w is never cleared, so it adds up.
- w.grad = b.grad = None >>> b.grad = None
? The gradient of b is never cleared, so it adds up.
- w.grad = b.grad = None >>> w.grad = None
? The update itself must not be recorded: put it into `with torch.no_grad():`.
-         with torch.no_grad():\n             >>>         
&             b >>>         b
? After `w = w - …` w is a new tensor, no leaf, and its `.grad` stays None: change the leaf in place,
  inside `with torch.no_grad():`.
-         with torch.no_grad():\n            w -= lr >>>         w = w - lr
&             b -= >>>         b = b -
- w -= lr >>> w = w - lr
&             b -= lr >>>             b = b - lr
? That is the path for the sum of the squared errors; asked is their mean.
- .mean() >>> .sum()
? That is half the mean of the squared errors: leave out the factor 1/2.
- .mean() >>> .mean() / 2
? That is one step too many.
- range(num_steps) >>> range(num_steps + 1)
? One step is missing.
- range(num_steps) >>> range(num_steps - 1)
- range(num_steps) >>> range(1, num_steps)
? Nothing has moved: w and b are still where they started.
- w -= lr * w.grad >>> w - lr * w.grad && b -= lr * b.grad >>> b - lr * b.grad
? The parameters go uphill: subtract lr times the gradient.
- w -= lr >>> w += lr && b -= lr >>> b += lr
? Only one of the two has moved: w and b need an update each.
-             b -= lr * b.grad\n >>> 
-             w -= lr * w.grad\n >>> 
? b was moved with a loss computed after the step of w: move both after one backward.
- b -= lr * b.grad >>> b -= lr * 2 * (w * x + b - y).mean()
? The order is w first, then b.
- w.item(), b.item() >>> b.item(), w.item()
? The loss is computed once, before the loop, so its gradient never changes: compute it anew in each
  step.
-     for _ in range(num_steps):\n        loss = >>>     loss =
&         w.grad = b.grad >>>     for _ in range(num_steps):\n        w.grad = b.grad
& loss.backward() >>> loss.backward(retain_graph=True)
? The square is missing: the loss is the mean of the *squared* errors.
- ((w * x + b - y) ** 2) >>> (w * x + b - y).abs()
- ((w * x + b - y) ** 2) >>> (w * x + b - y)
? The errors form a table of N × N: one of x and y is a column and the other a row. Give both the
  same shape.
- + b - y) >>> + b - y[:, None])
? w and b start at 0.
- w = torch.tensor(0.0 >>> w = torch.tensor(1.0 && b = torch.tensor(0.0 >>> b = torch.tensor(1.0
- w = torch.tensor(0.0 >>> w = torch.tensor(1.0
- b = torch.tensor(0.0 >>> b = torch.tensor(1.0
? It returns inside the loop, after the first step.
-     return >>>         return w.item(), b.item()\n    return
? The learning rate is missing: multiply the gradients by lr.
- w -= lr * >>> w -= && b -= lr * >>> b -=
"""),
        cases=_line_cases,
        rules=(autograd(True),),
        closing="This loop trains every network of the course; chapter 05 puts it into better "
        "clothes.",
        examples=(
            (
                "my_fit_line(torch.tensor([0.0, 1, 2]), torch.tensor([1.0, 3, 5]), 0.35, 45)",
                "[2.0, 1.0]",
            ),
        ),
    ),
    Exercise(
        name="02.jacobian",
        title="a whole Jacobian, row by row",
        prompt=r"""
`f` takes a tensor `x` of shape (n,) and returns a tensor of shape (m,). Return its Jacobian, shape
(m, n), with $J_{ij} = \partial f_i / \partial x_j$. One call of `backward(v)` gives one
vector–Jacobian product $v^\top J$. Choose $v$ such that it is row $i$.
""",
        stub='''
def my_jacobian(f, x):
    """The Jacobian of f at x, shape (m, n)."""
    raise NotImplementedError
''',
        hints=(
            "With v = (1, 0, 0, …) the product is the first row. One backward for each output.",
            "Between two calls set `x.grad = None`, and keep the graph: "
            "`y.backward(v, retain_graph=True)`.",
        ),
        solution="""
def my_jacobian(f, x):
    x = x.detach().clone().requires_grad_()
    y = f(x)
    rows = []
    for i in range(len(y)):
        v = torch.zeros_like(y)
        v[i] = 1.0
        x.grad = None
        y.backward(v, retain_graph=True)
        rows.append(x.grad)
    return torch.stack(rows)
""",
        wrong=mistakes(r"""
? Every row is the sum of all rows: either v holds more than a single 1, or the old gradient is never
  cleared (`x.grad = None` before each `backward`).
- v[i] = 1.0 >>> v[:] = 1.0
-         x.grad = None\n >>> 
? The old gradient is never cleared: `x.grad = None` before each `backward`.
-         x.grad = None\n >>>  && append(x.grad) >>> append(x.grad.clone())
? The first `backward` has used up the graph of y: keep it with `retain_graph=True`, or compute y
  anew for each row.
- , retain_graph=True >>> 
- y.backward(v, retain_graph=True) >>> y[i].backward()
? y has several entries: give `backward` a vector v of its shape.
- backward(v, retain_graph=True) >>> backward(retain_graph=True)
- backward(v, retain_graph=True) >>> backward()
def my_jacobian(f, x):
    x = x.clone().requires_grad_()
    f(x).backward()
    return x.grad
? The Jacobian is transposed: row i belongs to output i, column j to input j.
- torch.stack(rows) >>> torch.stack(rows, dim=1)
? That is the sum of its rows: v was all ones. One backward for each row.
- v[i] = 1.0 >>> v[:] = 1.0 && torch.stack(rows) >>> rows[0]
? That is the first row alone: one backward for each output.
- return torch.stack(rows) >>> return rows[0]
- range(len(y)) >>> range(1)
-     return torch.stack >>>         return torch.stack(rows)\n    return torch.stack
? That is the last row alone: collect the rows in a list.
- return torch.stack(rows) >>> return x.grad
? All rows are the last one: the same tensor was appended each time. Append a copy, or set `x.grad`
  to None before each `backward`, not to 0.
- x.grad = None >>> x.grad = torch.zeros_like(x) if i == 0 else x.grad.zero_()
? The result must have the shape (m, n), also when m or n is 1.
- torch.stack(rows) >>> torch.stack(rows).squeeze()
- torch.stack(rows) >>> torch.stack(rows) if len(rows) > 1 else rows[0]
? The rows stand one behind the other in one vector; the shape (m, n) is wanted.
- torch.stack >>> torch.cat
? The rows come in the opposite order.
- range(len(y)) >>> reversed(range(len(y)))
? Each row is multiplied by its output: v must hold a single 1, nothing else.
- v[i] = 1.0 >>> v[i] = y[i].item()
"""),
        cases=_jacobian_cases,
        rules=(autograd(True),),
        kinds=("tensor",),
        tolerance=1e-5,
        closing="m outputs, m backward passes: for a loss (m = 1) one pass is all it takes.",
        examples=(
            (
                "my_jacobian(lambda x: x**2 + x.sum(), torch.tensor([1.0, 2.0]))",
                "[[3.0, 1.0], [1.0, 5.0]]",
            ),
        ),
    ),
)
