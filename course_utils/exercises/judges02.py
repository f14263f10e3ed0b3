"""The checkers of chapter 02: known gradients, and what typical mistakes give instead.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils.probing import NotYet, as_array, attempt, compare, need_function, same

# What autograd's own messages mean, in the words of the chapter: part of the message -> advice.
AUTOGRAD_SAYS = {
    "does not require grad": (
        "No tensor asked for a gradient: make it with `requires_grad=True`, and compute with that "
        "very tensor."
    ),
    "floating point": (
        "A whole number cannot carry a gradient: make a float out of it first, "
        "`torch.tensor(float(x), requires_grad=True)`."
    ),
    "a leaf Variable that requires grad": (
        "The update itself must not be recorded: put it into `with torch.no_grad():`."
    ),
    "a second time": (
        "The first `backward` has used the graph up: keep it with `retain_graph=True`."
    ),
    "only for scalar outputs": "y has several entries: give `backward` a vector v of its shape.",
    "'NoneType'": (
        "A `.grad` is None. Was `backward()` called? Did `w = w - …` make a new tensor, which is "
        "no leaf? Change the leaf in place, inside `with torch.no_grad():`."
    ),
}


def ask(function: Callable[..., Any], /, *args: Any, call: str) -> Any:
    """`attempt`, with advice added where the error is one of autograd's own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the .grad of a tensor that is no leaf
            return attempt(function, *args, call=call)
    except NotYet as error:
        said = str(error.__cause__ or "")
        for part, advice in AUTOGRAD_SAYS.items():
            if part in said:
                raise NotYet(f"{error} {advice}") from error.__cause__
        raise


# ---------------------------------------------------------------------------------- 02.slope


def check_slope(answer: Any) -> str:
    """Exercise 02.slope."""
    need_function(answer, "my_slope(f, x)")
    cases = (
        ("x**2 + 3*x + 1", lambda x: x**2 + 3 * x + 1, lambda x: 2 * x + 3, 2.0),
        ("x*x*x", lambda x: x * x * x, lambda x: 3 * x**2, -1.5),
        ("1 / (1 + x**2)", lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2, 0.5),
        ("x**2 + 3*x + 1", lambda x: x**2 + 3 * x + 1, lambda x: 2 * x + 3, 2),
    )
    for text, f, slope, x in cases:
        call = f"`my_slope(f, {x})` for f(x) = {text}"
        got = ask(answer, f, x, call=call)
        if got is None:
            raise NotYet(
                f"{call} gives None. `backward()` itself returns nothing: it writes the slope into "
                "the `.grad` of the tensor. (Or is a `return` missing?)"
            )
        mistakes = [
            (f(x), "That is the value of f, not its slope: call `backward()`, then look at .grad."),
            (2 * slope(x), "Twice the slope: `backward` was called twice, and it adds up."),
            (x, "That is x itself: the slope is in its `.grad`."),
        ]
        compare(got, slope(x), call, mistakes)
    return "The function may be as long as you like: these lines stay the same."


# ----------------------------------------------------------------------------- 02.chain_rule

CHAIN_MISTAKES = {
    "no 2": "The factor 2 is missing: the derivative of (ŷ − t)² with respect to ŷ is 2 (ŷ − t).",
    "sign": "The sign is wrong: the error is ŷ − t, not t − ŷ.",
    "no x": "The inner derivative is missing in ∂L/∂w: one more w changes ŷ by x.",
    "w for x": "Your first number is the derivative with respect to x; asked is that for w.",
    "swapped": "The order is ∂L/∂w first, then ∂L/∂b.",
    "x twice": "b is not multiplied by anything: one more b changes ŷ by 1, not by x.",
}


def neuron_gradients(
    w: float, b: float, x: float, target: float, mistake: str = ""
) -> tuple[float, float]:
    """(∂L/∂w, ∂L/∂b), or what ``mistake`` gives."""
    slope = {"no 2": 1.0, "sign": -2.0}.get(mistake, 2.0) * (w * x + b - target)
    dw = slope * {"no x": 1.0, "w for x": w}.get(mistake, x)
    db = slope * (x if mistake == "x twice" else 1.0)
    return (db, dw) if mistake == "swapped" else (dw, db)


def check_chain_rule(answer: Any) -> str:
    """Exercise 02.chain_rule."""
    need_function(answer, "my_neuron_gradients(w, b, x, target)")
    for case in ((-0.5, 2.0, 3.0, -1.0), (1.0, 0.5, 2.0, 3.0), (0.3, 0.1, -4.0, 0.7)):
        call = f"`my_neuron_gradients{case}`"
        mistakes = [(neuron_gradients(*case, kind), text) for kind, text in CHAIN_MISTAKES.items()]
        compare(ask(answer, *case, call=call), neuron_gradients(*case), call, mistakes)
    return "What you did on paper, autograd does for every operation of a network."


# ----------------------------------------------------------------------- 02.sharper_gradient

STENCIL = ((2, -1.0), (1, 8.0), (-1, -8.0), (-2, 1.0))  # (steps of h, weight), over 12·h
SHARPER_MISTAKES = {
    "two points": "That is the two-point formula of the chapter: here four points are wanted.",
    "sign": "The sign is wrong: the point x + h counts +8, the point x − h counts −8.",
    "swapped": "The weights are swapped: 8 belongs to the near points, 1 to the far ones.",
    "all plus": "The two far points count against the near ones: −f(x+2h) and +f(x−2h).",
    "no 12": "Divide by 12·h, not by h.",
    "no h": "Divide by 12·h, not by 12.",
    "left": "The entry was left at x − 2h: put the entry back before you go on to the next.",
    "row": "`X[i]` is a whole row here: move one entry at a time, for example with np.ndindex.",
    "all": "All entries moved at once: move one entry at a time.",
    "cut off": (
        "X holds integers, and writing `old + h` into such an array is cut off to a whole number: "
        "work on a copy in floats."
    ),
    "result cut off": (
        "The result is cut off to whole numbers: `np.zeros_like(X)` of an integer array holds "
        "integers."
    ),
}


def sharper(f: Callable[[np.ndarray], float], X: np.ndarray, h: float, mistake: str = "") -> Any:
    """The four-point gradient, or what ``mistake`` gives."""
    X = np.array(X, dtype=int if mistake.startswith("cut off") else float)
    gradient = np.zeros(X.shape)
    stencil = {
        "two points": ((1, 6.0), (-1, -6.0)),
        "sign": tuple((step, -weight) for step, weight in STENCIL),
        "swapped": ((2, -8.0), (1, 1.0), (-1, -1.0), (-2, 8.0)),
        "all plus": ((2, 1.0), (1, 8.0), (-1, -8.0), (-2, -1.0)),
    }.get(mistake, STENCIL)
    for index in np.ndindex(X.shape):
        where: Any = {"row": index[:1], "all": ()}.get(mistake, index)
        old = np.array(X[where])
        total = 0.0
        for step, weight in stencil:
            X[where] = old + step * h  # in an integer array: cut off
            total += weight * float(f(X))
        if mistake != "left":
            X[where] = old
        gradient[index] = total / {"no 12": h, "no h": 12.0}.get(mistake, 12 * h)
    return np.trunc(gradient) if mistake in ("result cut off", "cut off twice") else gradient


def check_sharper_gradient(answer: Any) -> str:
    """Exercise 02.sharper_gradient."""
    need_function(answer, "my_sharper_gradient(f, X, h)")
    cases = (
        (np.array([1.0, -2.0, 0.5]), 0.25),
        (np.array([[0.3, 1.2, -0.7], [2.0, 0.4, 1.1]]), 0.25),
        (np.array([[1, 2], [3, 4]]), 0.25),
        (np.arange(12.0).reshape(2, 3, 2) / 10, 0.01),
        (np.array(1.5), 0.25),
    )
    for X, h in cases:
        kind = f"{'an' if X.dtype.kind == 'i' else 'a'} {X.dtype} array of shape {X.shape}"
        call = f"The gradient of `f` for {kind} with h = {h:g}"

        def f(Z: Any, shape: tuple[int, ...] = X.shape) -> Any:
            if tuple(np.shape(Z)) != shape:
                raise ValueError(f"f needs shape {shape}, it was called with {tuple(np.shape(Z))}")
            return 0.3 * (Z**5).sum() + 0.5 * Z.sum() ** 2

        given = X.copy()
        got = ask(answer, f, given, h, call=call)
        mistakes = []
        for name, text in SHARPER_MISTAKES.items():
            if ("cut off" in name and X.dtype.kind != "i") or (name == "row" and X.ndim < 2):
                continue
            mistakes.append((sharper(f, X, h, name), text))
            if name == "cut off":
                mistakes.append((sharper(f, X, h, "cut off twice"), text))
        compare(got, sharper(f, X, h), call, mistakes)
        if not same(given, X, 1e-9):
            raise NotYet(f"{call} is right, but `X` was changed: work on a copy of it.")
    return "Four calls of f per entry, and at h = 0.01 already eight digits or so."


# -------------------------------------------------------------------------------- 02.descend

DESCEND_MISTAKES = {
    "uphill": "The path goes uphill: subtract the gradient.",
    "no start": "The start itself is missing: it is the first point of the list.",
    "last": "Return all the points, not only the last one.",
    "one short": "One step is missing: num_steps steps, and so num_steps + 1 points.",
    "no lr": "The learning rate is missing: multiply the gradient by lr.",
    "first gradient": "The gradient must be computed anew at each point, inside the loop.",
    "sign only": "That is the sign of the gradient; multiply the gradient itself by lr.",
}


def descent(grad: Any, start: np.ndarray, lr: float, num_steps: int, mistake: str = "") -> Any:
    """The points, shape (num_steps + 1, …), or what ``mistake`` gives."""
    x, path = np.array(start), [np.array(start)]
    for _ in range(num_steps - (mistake == "one short")):
        slope = grad(path[0] if mistake == "first gradient" else x)
        slope = np.sign(slope) if mistake == "sign only" else slope
        x = x + {"uphill": lr, "no lr": -1.0}.get(mistake, -lr) * slope
        path.append(x)
    return np.array({"no start": path[1:], "last": path[-1]}.get(mistake, path))


def check_descend(answer: Any) -> str:
    """Exercise 02.descend."""
    need_function(answer, "my_descend(grad, start, lr, num_steps)")

    def grad(x: Any) -> Any:
        return 2 * x + 0.3 * x**3

    cases = (
        (np.array([1.0, -2.0]), 0.1, 4),
        (np.array([[0.5], [1.5]]), 0.05, 3),
        (np.array([2.0]), 0.1, 0),
    )
    for start, lr, num_steps in cases:
        call = f"`my_descend(grad, start, {lr}, {num_steps})` from {start.tolist()}"
        given = start.copy()
        got = ask(answer, grad, given, lr, num_steps, call=call)
        if not same(given, start):
            raise NotYet(
                "`start` was changed: `x -= …` writes into the caller's array. Write "
                "`x = x - lr * grad(x)`, or begin with a copy."
            )
        wanted = descent(grad, start, lr, num_steps)
        points = as_array(got, call)
        if num_steps and points.shape == wanted.shape and same(points, [points[-1]] * len(points)):
            raise NotYet(
                "All points of your list are the same array: `x -= …` changes it after it was "
                "appended. Make a new array in each step, `x = x - lr * grad(x)`."
            )
        names = list(DESCEND_MISTAKES) if num_steps else []
        mistakes = [(descent(grad, start, lr, num_steps, n), DESCEND_MISTAKES[n]) for n in names]
        compare(got, wanted, call, mistakes)
    return "The caller's start is untouched: a second run begins where the first one began."


# ------------------------------------------------------------------------------- 02.fit_line

FIT_MISTAKES = {
    "added up": (
        "The old gradients are never cleared, so they add up: `w.grad = None` before backward."
    ),
    "added up in w": "The gradient of w is never cleared, so it adds up.",
    "added up in b": "The gradient of b is never cleared, so it adds up.",
    "sum": "That is the path for the sum of the squared errors; asked is their mean.",
    "half": "That is half the mean of the squared errors: leave out the factor 1/2.",
    "one more": "That is one step too many.",
    "one less": "One step is missing.",
    "nothing": "Nothing has moved: w and b are still where they started.",
    "uphill": "The parameters go uphill: subtract lr times the gradient.",
    "no b": "Only w has moved: b needs its update too.",
    "one at a time": (
        "b was moved with a loss computed after the step of w: move both after one backward."
    ),
    "swapped": "The order is w first, then b.",
}


def fit_line(x: np.ndarray, y: np.ndarray, lr: float, num_steps: int, mistake: str = "") -> Any:
    """(w, b) after ``num_steps`` steps, or what ``mistake`` gives."""
    w = b = sum_w = sum_b = 0.0
    scale = {"sum": 2.0 * len(x), "half": 1.0, "nothing": 0.0, "uphill": -2.0}.get(mistake, 2.0)
    num_steps += {"one more": 1, "one less": -1}.get(mistake, 0)
    for _ in range(num_steps):
        error = w * x + b - y
        dw = scale * (error * x).mean()
        sum_w = sum_w + dw if mistake in ("added up", "added up in w") else dw
        w -= lr * sum_w
        if mistake == "one at a time":
            error = w * x + b - y
        db = scale * error.mean()
        sum_b = sum_b + db if mistake in ("added up", "added up in b") else db
        b -= 0.0 if mistake == "no b" else lr * sum_b
    return (b, w) if mistake == "swapped" else (w, b)


def check_fit_line(answer: Any) -> str:
    """Exercise 02.fit_line."""
    need_function(answer, "my_fit_line(x, y, lr, num_steps)")
    cases = (
        (np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 2.5, 3.0, 6.0]), 0.05, 4),
        (np.array([-1.0, 0.5, 3.0]), np.array([2.0, 0.0, -5.0]), 0.1, 40),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0]), 0.1, 1),
    )
    for x, y, lr, num_steps in cases:
        call = f"`my_fit_line(x, y, {lr}, {num_steps})` for x = {x.tolist()}, y = {y.tolist()}"
        got = ask(answer, x.copy(), y.copy(), lr, num_steps, call=call)
        mistakes = [(fit_line(x, y, lr, num_steps, n), text) for n, text in FIT_MISTAKES.items()]
        compare(got, fit_line(x, y, lr, num_steps), call, mistakes)
    return "This loop trains every network of the course; chapter 05 puts it into better clothes."


# ------------------------------------------------------------------------------- 02.jacobian


def check_jacobian(answer: Any) -> str:
    """Exercise 02.jacobian."""
    need_function(answer, "my_jacobian(f, x)")
    cases: tuple[tuple[str, Callable, list[float]], ...] = (
        (
            "(x₀x₁, x₁², x₀ + 3x₂)",
            lambda x: torch.stack([x[0] * x[1], x[1] ** 2, x[0] + 3 * x[2]]),
            [2.0, 3.0, -1.0],
        ),
        ("(x₀²x₁, x₀ − 2x₁)", lambda x: torch.stack([x[0] ** 2 * x[1], x[0] - 2 * x[1]]), [1.5, 2]),
        ("(x₀x₁x₂x₃,)", lambda x: x.prod()[None], [1.0, 2.0, 3.0, 4.0]),
        ("x²", lambda x: x**2, [1.0, -1.0, 0.5]),
    )
    for text, f, place in cases:
        call = f"The Jacobian of {text} at {place}"
        wanted = torch.autograd.functional.jacobian(f, torch.tensor(place, dtype=torch.float64))
        J = wanted.numpy()
        with torch.enable_grad():
            got = ask(answer, f, torch.tensor(place, dtype=torch.float64), call=call)
        added = "The old gradient is never cleared: `x.grad = None` before each `backward`."
        mistakes = [
            (J.T, "The Jacobian is transposed: row i belongs to output i, column j to input j."),
            (np.cumsum(J, axis=0), added),
            (np.broadcast_to(J.sum(0), J.shape), added),
            (J.sum(0), "That is the sum of its rows: v was all ones. One backward for each row."),
            (J[0], "That is the first row alone: one backward for each output."),
        ]
        if len(J) == 1:
            mistakes = [(J[0], "The result must have shape (m, n), also when m is 1.")]
        compare(got, J, call, mistakes)
    return "m outputs, m backward passes: for a loss (m = 1) one pass is all it takes."
