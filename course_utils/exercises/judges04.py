"""The checkers of chapter 04: the right gradients, and those that typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.layers import Affine, SoftmaxWithLoss
from course_utils.probing import (
    NotAttempted,
    NotYet,
    as_array,
    attempt,
    compare,
    describe,
    need_class,
    need_function,
    plain,
    same,
)
from course_utils.scalar_autograd import Scalar as PackageScalar

# ------------------------------------------------------------------------------ layers as classes


def _through(answer: Any, *arrays: np.ndarray, call: str) -> Any:
    """(output, gradients) of a fresh layer; a second object is used between its two passes."""
    name = answer.__name__
    *inputs, dout = arrays

    def run(*args: Any) -> Any:
        before, args = args, copy.deepcopy(args)
        *given, slope = args
        layer, other = answer(), answer()
        out = copy.deepcopy(layer.forward(*given))
        if not _unchanged(before, args):
            raise NotYet("`forward` changes its argument in place: return a new array instead.")
        other.forward(*(3 * x + 1 for x in given))
        gradients = copy.deepcopy(layer.backward(slope))
        if not _unchanged(before, args):
            raise NotYet("`backward` changes its argument in place: return a new array instead.")
        alone = answer()
        alone.forward(*given)
        return out, gradients, copy.deepcopy(alone.backward(slope))

    out, gradients, alone = attempt(run, *inputs, dout, call=call)
    if out is not None and out is not ... and gradients is not None:
        try:
            shared = not _unchanged(gradients, alone)
        except (TypeError, ValueError):
            shared = False  # no numbers: `compare` says so
        if shared:
            raise NotYet(
                f"The memory is shared between two {name} objects: what the second one saw in "
                "`forward` changes the gradient of the first. Keep it on `self`."
            )
    return out, gradients


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, list | tuple):
        return all(_unchanged(a, b) for a, b in zip(before, after, strict=True))
    return np.array_equal(np.asarray(plain(before)), np.asarray(plain(after)), equal_nan=True)


def check_multiply(answer: Any) -> str:
    """Exercise 04.multiply."""
    need_class(answer, "MyMultiply", "forward")
    need_class(answer, "MyMultiply", "backward")
    rng = np.random.default_rng(4)
    for shape in ((3,), (2, 2), (1,)):
        x, y, dout = (rng.uniform(0.5, 3, shape) * rng.choice([-1, 1], shape) for _ in range(3))
        where = f"for shape {shape}"
        out, grads = _through(answer, x, y, dout, call=f"`MyMultiply` {where}")
        compare(
            out, x * y, f"`forward` {where}", [(x + y, "`forward` adds instead of multiplying.")]
        )
        if grads is None or grads is ...:
            as_array(grads, "`backward`")
        if not isinstance(grads, list | tuple) or len(grads) != 2:
            raise NotYet(
                "`backward` must return two arrays: the gradient of x and that of y. It returns "
                f"{describe(grads)}."
            )
        first, second = grads
        if same(_array(first), dout * x) and same(_array(second), dout * y):
            raise NotYet("The two gradients are swapped: x gets dout times y, y gets dout times x.")
        if same(_array(first), y) and same(_array(second), x):
            raise NotYet(
                "That is only the local derivative: multiply it by dout, which says what comes "
                "from further back."
            )
        alone = "The gradient of x is dout alone; by how much does x·y grow with x?"
        compare(first, dout * y, f"The gradient of x {where}", [(dout, alone)])
        compare(second, dout * x, f"The gradient of y {where}")
    return "A product sends to each input what comes back, times the other input."


def _array(value: Any) -> np.ndarray:
    return as_array(value, "`backward`")


def check_relu(answer: Any) -> str:
    """Exercise 04.relu."""
    need_class(answer, "MyReLU", "forward")
    need_class(answer, "MyReLU", "backward")
    cases = (
        (np.array([2.0, -1.0, 0.5, -3.0]), np.array([-1.0, 2.0, 3.0, -4.0])),
        (np.array([[1.0, -2.0], [-0.5, 4.0]]), np.array([[-3.0, 1.0], [-1.0, 0.5]])),
        (np.array([0.0, 1.0, -1.0]), np.array([5.0, 6.0, 7.0])),
        (np.array([0.0]), np.array([-2.0])),
    )
    for x, dout in cases:
        shown = f"for x = {x.tolist()}"
        out, grad = _through(answer, x, dout, call=f"`MyReLU` {shown}")
        compare(
            out,
            np.maximum(x, 0),
            f"`forward` {shown}",
            [
                (np.abs(x), "`forward` gives the absolute value: below 0 the output is 0."),
                (np.minimum(x, 0), "`forward` keeps the negative numbers: keep the positive ones."),
                (x, "`forward` returns x as it is."),
            ],
        )
        compare(
            grad,
            dout * (x > 0),
            f"`backward` {shown} and dout = {dout.tolist()}",
            [
                (
                    dout * (dout > 0),
                    "What passes depends on the sign of x, not of dout: remember it in `forward`.",
                ),
                (dout * (x >= 0), "At exactly 0 the slope is 0 here, as in PyTorch: use x > 0."),
                (x > 0, "That is only the local derivative: multiply it by dout."),
                (dout, "`backward` lets everything pass, also where x was below 0."),
                (dout * np.maximum(x, 0), "The slope is 1 where x > 0, not x itself."),
            ],
        )
    return "Where x was above 0 the gradient passes unchanged; elsewhere it stops."


# ------------------------------------------------------------------------------------- functions


def check_affine_backward(answer: Any) -> str:
    """Exercise 04.affine_backward."""
    need_function(answer, "my_affine_backward(X, W, dout)")
    rng = np.random.default_rng(4)
    for N, D, M in ((4, 3, 2), (3, 3, 3), (1, 2, 3), (5, 1, 1)):
        X, W, dout = rng.normal(size=(N, D)), rng.normal(size=(D, M)), rng.normal(size=(N, M))
        call = f"`my_affine_backward` with N={N}, D={D}, M={M}"

        def run(*args: Any, call: str = call) -> Any:
            before, args = args, copy.deepcopy(args)
            got = copy.deepcopy(answer(*args))
            if not _unchanged(before, args):
                raise NotYet(f"{call} changes its arguments in place: return new arrays instead.")
            return got

        got = attempt(run, X, W, dout, call=call)
        if got is None or got is ...:
            as_array(got, call)
        if not isinstance(got, list | tuple) or len(got) != 3:
            raise NotYet(
                f"{call} must return three arrays, dX, dW, db; it returns {describe(got)}."
            )
        layer = Affine(W, np.zeros(M))
        layer.forward(X)
        dX = layer.backward(dout)
        compare(got[0], dX, f"dX of {call}", [(dX.T, "dX is transposed: it has the shape of X.")])
        compare(
            got[1],
            layer.dW,
            f"dW of {call}",
            [
                (
                    layer.dW.T,
                    "dW is transposed: it has the shape of W, (D, M). Which factor is first?",
                ),
                (layer.dW / N, "dW is averaged over the batch: the 1/N is in the loss already."),
            ],
        )
        db = layer.db
        compare(
            got[2],
            db,
            f"db of {call}",
            [
                (
                    dout.sum(axis=1),
                    "db is summed over the wrong axis: the samples are the rows, axis 0.",
                ),
                (db / N, "db is averaged over the batch: sum; the 1/N is in the loss already."),
                (db[None], f"db has shape (1, {M}), b has shape ({M},): no keepdims here."),
                (dout, "db is dout itself: sum it over the batch."),
                (dout.sum(), "db is a single number: sum over the samples only, axis 0."),
                (np.ones(M), "db does not depend on dout; it is the sum of its rows."),
            ],
        )
    return "All three gradients have the shapes of what they belong to, and autograd's values."


def _softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def check_logits_gradient(answer: Any) -> str:
    """Exercise 04.logits_gradient."""
    need_function(answer, "my_logits_gradient(logits, labels)")
    rng = np.random.default_rng(4)
    for N, C in ((4, 3), (3, 5), (1, 2)):
        logits, index = rng.normal(0, 2, (N, C)), rng.integers(0, C, N)
        t = np.eye(C)[index]
        p, across = _softmax(logits, 1), _softmax(logits, 0)
        layer = SoftmaxWithLoss()
        layer.forward(logits, index)
        wanted = layer.backward()
        everywhere = p.copy()
        everywhere[:, index] -= 1
        mistakes = [
            (p - t, "Correct for the sum of the losses; for their mean divide by the number of "
                    "samples, N."),
            ((p - t) / (N * C), "Divide by the number of samples N, not by all N·C entries."),
            ((t - p) / N, "The sign is turned round: it is p − t."),
            ((across - t) / N, "The softmax runs over the wrong axis: each row must sum to 1."),
            (across - t, "The softmax runs over the wrong axis: each row must sum to 1."),
            (everywhere / N, "`p[:, labels] -= 1` subtracts in every row; only row i, column "
                             "labels[i] is meant."),
            (p / N, "The labels play no part: subtract the one-hot labels from p."),
            (p, "These are the probabilities: subtract the one-hot labels, divide by N."),
        ]  # fmt: skip
        for labels, kind in ((index, "indices"), (t, "one-hot")):
            call = f"`my_logits_gradient` for N={N}, C={C} and {kind} labels"
            try:
                got = _called(answer, logits, labels, call)
                compare(got, wanted, call, mistakes)
            except NotYet as error:
                if kind == "indices" or str(error).startswith("`my_logits_gradient` changes"):
                    raise
                raise NotYet(
                    f"With indices it is right, with one-hot labels of shape {labels.shape} not: "
                    f"{error} Look at `labels.ndim`."
                ) from None
    large = np.array([[1010.0, 1000.0, 990.0], [0.0, -2000.0, 1.0]])
    call = "`my_logits_gradient` for logits of 1010, 1000, 990"
    got = _called(answer, large, np.array([1, 0]), call)
    if not np.isfinite(as_array(got, call)).all():
        raise NotYet("For large logits exp overflows: subtract each row's maximum first.")
    compare(got, (_softmax(large, 1) - np.eye(3)[[1, 0]]) / 2, call)
    return "Probability minus label, shared among the samples: it is what PyTorch computes."


def _called(answer: Any, logits: np.ndarray, labels: np.ndarray, call: str) -> Any:
    def run(*args: Any) -> Any:
        before, args = args, copy.deepcopy(args)
        got = copy.deepcopy(answer(*args))
        if not _unchanged(before, args):
            raise NotYet("`my_logits_gradient` changes its arguments: work on a copy.")
        return got

    return attempt(run, logits, labels, call=call)


def check_worst_entry(answer: Any) -> str:
    """Exercise 04.worst_entry."""
    need_function(answer, "my_worst_entry(f, X, grad)")
    rng = np.random.default_rng(4)
    for shape, worst, by in (
        ((5,), (3,), 0.5),
        ((3, 4), (1, 2), -0.5),
        ((3, 4), (2, 0), 0.5),
        ((2, 3, 2), (1, 0, 1), -0.3),
        ((2, 1), (1, 0), 2.0),
    ):
        X = rng.uniform(0.5, 2, shape)
        a = rng.uniform(0.5, 1.5, shape)
        grad = 2 * a * X + 1e-5 * rng.normal(size=shape)
        grad[worst] += by
        other = next(i for i in np.ndindex(*shape) if i != worst)
        grad[other] -= 0.4 * by  # off to the other side, but by less
        got = _worst(answer, a, X, grad, shape)
        call = f"`my_worst_entry` for shape {shape}"
        array = as_array(got, call)
        flat = float(np.ravel_multi_index(worst, shape))
        if array.ndim == 0 and len(shape) > 1:
            if array == flat:
                raise NotYet(
                    f"{call} gives {int(flat)}, a position in the flattened array: the index "
                    f"{worst} is meant. `np.unravel_index` converts."
                )
            raise NotYet(
                f"{call} gives one number; an index with {len(shape)} numbers is expected."
            )
        if same(array.reshape(-1), np.array(worst, float)):
            continue
        if same(array.reshape(-1), np.array(other, float)):
            raise NotYet(
                f"{call}: grad is off by {by:+g} at {worst}, and by {-0.4 * by:+g} at {other}, "
                "which you found. Too small and too large are both wrong: compare absolute "
                "differences."
            )
        raise NotYet(f"{call} gives {describe(got)}; the largest difference is at {worst}.")
    return "It points at the entry. That is where you look first when a check fails."


def _worst(answer: Any, a: np.ndarray, X: np.ndarray, grad: np.ndarray, shape: Any) -> Any:
    asked = []

    def run(X: Any, grad: Any) -> Any:
        before = (X, grad)
        X, grad = copy.deepcopy(before)
        asked.clear()
        weights = X.new_tensor(a) if hasattr(X, "new_tensor") else a

        def f(values: Any) -> Any:
            asked.append(np.array(plain(values)))
            return (weights * values * values).sum()

        got = answer(f, X, grad)
        # Nudged and put back is as good as new, up to rounding.
        if not all(same(plain(a), plain(b), 1e-9) for a, b in zip(before, (X, grad), strict=True)):
            raise NotYet("`my_worst_entry` changes X (or grad): nudge a copy.")
        return got

    got = attempt(run, X, grad, call=f"`my_worst_entry` for shape {shape}")
    if not asked and got is not ... and got is not None:
        raise NotYet("`my_worst_entry` never calls f: measure the gradient with it.")
    if asked and all(np.array_equal(values, asked[0]) for values in asked):
        where = "X itself" if np.array_equal(asked[0], X) else "one and the same array"
        raise NotYet(
            f"f is only ever called with {where}: the nudge is lost in rounding. Is h too small?"
        )
    return got


# ---------------------------------------------------------------------------------- the autograd


def check_divide(answer: Any) -> str:
    """Exercise 04.divide."""
    need_function(answer, "my_divide(a, b)")
    Scalar = _scalar_of(answer)
    for x, y in ((3.0, 4.0), (-2.0, 0.5), (1.0, -3.0)):
        a, b = Scalar(x), Scalar(y)
        call = f"`my_divide(Scalar({x:g}), Scalar({y:g}))`"
        out = attempt(answer, a, b, call=call)
        if out is ...:
            raise NotAttempted
        if out is None:
            raise NotYet(f"{call} gives None. Is a `return` missing?")
        if isinstance(out, int | float):
            raise NotYet(
                f"{call} gives a plain number. A `Scalar` is needed, or the graph ends here."
            )
        if not hasattr(out, "value") or not callable(getattr(out, "backward", None)):
            raise NotYet(f"{call} gives {describe(out)}; a `Scalar` is expected.")
        compare(
            out.value,
            x / y,
            f"The value of {call}",
            [
                (y / x, "It divides the other way round: a / b is wanted."),
                (x * y, "It multiplies."),
            ],
        )
        if not getattr(out, "inputs", ()):
            raise NotYet(
                "The result hangs on nothing: pass the pairs (node, slope) for a and b as inputs."
            )
        if (a.value, b.value) != (x, y):
            raise NotYet("`my_divide` changes its arguments.")
        _backward(out, call)
        compare(a.grad, 1 / y, f"The gradient of a for {call}", [(y, "The slope along a is 1/b.")])
        compare(
            b.grad,
            -x / y**2,
            f"The gradient of b for {call}",
            [
                (x / y**2, "The minus sign of the slope along b is missing: it is −a/b²."),
                (-x / y, "The square in the slope along b is missing: it is −a/b²."),
                (-1 / y**2, "The slope along b is −a/b²: a is missing."),
                (0.0, "No gradient arrives at b: is it among the inputs?"),
            ],
        )
    u, v = Scalar(2.0), Scalar(5.0)
    out = attempt(answer, u * v, u + v, call="`my_divide(u * v, u + v)`")
    _backward(out, "`my_divide(u * v, u + v)`")
    compare([u.grad, v.grad], [25 / 49, 4 / 49], "The gradients of u and v in (u·v)/(u + v)")
    return "Value and slopes are right, so backward works through it, whatever stands around it."


def _scalar_of(answer: Any) -> type:
    """The class `Scalar` that the answer itself uses: the learner's, where it can do enough."""
    own = getattr(answer, "__globals__", {}).get("Scalar")
    needed = ("backward", "__add__", "__mul__")
    able = isinstance(own, type) and all(callable(getattr(own, name, None)) for name in needed)
    return own if able else PackageScalar


def _backward(out: Any, call: str) -> None:
    run: Callable[[], Any] = out.backward
    attempt(run, call=f"`backward` on {call}")
