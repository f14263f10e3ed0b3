"""The checkers of chapter 01: the right tensors, and those that typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.probing import (
    NotAttempted,
    NotYet,
    as_array,
    attempt,
    compare,
    need_function,
    plain,
)

Shape = tuple[int, ...]


def _unchanged(before: Any, after: Any, name: str) -> None:
    if not np.array_equal(np.array(plain(before)), np.array(plain(after)), equal_nan=True):
        raise NotYet(
            f"Your function changes `{name}` in place: it stays changed for the caller. Make a "
            "copy first (`clone` in PyTorch, `copy` in NumPy) and change that."
        )


def _call_on_array(answer: Callable, x: np.ndarray, call: str, name: str) -> Any:
    """The answer for ``x`` (as a tensor if it wants one), which must not change it."""

    def run(given: Any) -> Any:
        mine = copy.deepcopy(given)  # ours stays as it is for a second try
        got = answer(mine)
        _unchanged(given, mine, name)
        return got

    return attempt(run, x, call=call)


# -------------------------------------------------------------------------------- strides


def strides_of(shape: Shape, mistake: str = "") -> list[int]:
    """Strides of a contiguous tensor, in entries, or those that ``mistake`` gives."""
    right = [int(np.prod(shape[i + 1 :], dtype=int)) for i in range(len(shape))]
    return {
        "": right,
        "reversed": right[::-1],
        "own size": [int(np.prod(shape[i:], dtype=int)) for i in range(len(shape))],
        "columns": [int(np.prod(shape[:i], dtype=int)) for i in range(len(shape))],
        "bytes": [4 * n for n in right],
        "bytes of float64": [8 * n for n in right],
    }[mistake]


STRIDE_MISTAKES = {
    "reversed": "The strides are reversed: the last dimension must come last, with stride 1.",
    "own size": "For each dimension multiply the sizes to its right, without its own.",
    "columns": "That is memory filled column by column; PyTorch fills it row by row.",
    "bytes": "That counts bytes; PyTorch's strides count entries.",
    "bytes of float64": "That counts bytes, as NumPy does; PyTorch's strides count entries.",
}


def check_strides(answer: Any) -> str:
    """Exercise 01.strides."""
    need_function(answer, "my_strides(shape)")
    for shape in ((2, 3, 4), (5, 7), (6,), (64, 1, 28, 28)):
        call = f"`my_strides({shape})`"
        got = attempt(answer, shape, call=call)
        wanted = strides_of(shape)
        mistakes = [
            (strides_of(shape, kind), text)
            for kind, text in STRIDE_MISTAKES.items()
            if strides_of(shape, kind) != wanted
        ]
        compare(got if len(shape) > 1 else np.ravel(as_array(got, call)), wanted, call, mistakes)
    return "`torch.empty(shape).stride()` says the same."


# ----------------------------------------------------------------------------------- masks


def check_fill(answer: Any) -> str:
    """Exercise 01.mask."""
    need_function(answer, "my_fill_gaps(x)")
    nan = np.nan
    for values in (
        [1.0, nan, 3.0],
        [[4.0, nan, 1.0], [nan, 2.0, -3.0]],
        [2.5, 1.0],
        [[[nan], [6.0]], [[3.0], [nan]]],
    ):
        x = np.array(values)
        call = f"`my_fill_gaps` for {str(values).replace('nan', 'NaN')}"
        got = _call_on_array(answer, x, call, "x")
        array = as_array(got, call)
        if np.isnan(array).any():
            raise NotYet(
                f"{call} still holds NaN. The mean of numbers among which there is a NaN is NaN "
                "itself (and `x == nan` is never true): take the mean of the others only."
            )
        gaps = np.isnan(x)
        there = x[~gaps]
        mistakes = [
            (np.where(gaps, fill, x), text)
            for fill, text in (
                (0.0, "The gaps are filled with 0; wanted is the mean of the other numbers."),
                (
                    there.sum() / x.size,
                    "The sum is divided by the number of all entries: divide by the number of "
                    "those that are there.",
                ),
                (np.median(there), "That is the median; wanted is the mean."),
            )
            if gaps.any()
        ]
        mistakes.append((there, "The gaps are gone: keep them, and fill them with the mean."))
        compare(array, np.where(gaps, there.mean(), x), call, mistakes)
    return "The mask chose, the clone protected `x`: two habits for life."


# --------------------------------------------------------------------------------- matmul


def matmul_shape(a: Shape, b: Shape) -> Shape | None:
    """The shape of ``a @ b`` for one or two sizes each; None if they do not fit."""
    return a[:-1] + b[1:] if a[-1] == b[0] else None


PRODUCTS = (
    ((2, 3), (3, 4)),
    ((2,), (2, 3)),
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (3,)),
    ((3,), (2, 3)),
    ((4, 4), (4, 4)),
    ((5, 1), (1, 5)),
    ((2,), (3,)),
    ((3, 2), (3,)),
    ((1, 3), (3, 1)),
)


def _as_shape(got: Any, call: str) -> Shape | None:
    """What the learner gave, as a shape; `NotYet` where it cannot be one."""
    if got is ...:
        raise NotAttempted
    if got is None:
        return None
    array = as_array(got, call)
    if array.ndim != 1 or not np.array_equal(array, np.floor(array)):
        raise NotYet(f"{call} gives `{got!r}`"[:90] + "; a tuple of sizes is expected, or `None`.")
    return tuple(int(size) for size in array)


def check_matmul(answer: Any) -> str:
    """Exercise 01.matmul."""
    need_function(answer, "my_matmul_shape(a, b)")
    nothing = True
    for a, b in PRODUCTS:
        call = f"`my_matmul_shape({a}, {b})`"
        got = _as_shape(attempt(answer, a, b, call=call), call)
        nothing = nothing and got is None
        wanted = matmul_shape(a, b)
        if got != wanted:
            raise NotYet(_wrong_product(a, b, got, wanted, call))
    return "Inner sizes must agree and disappear; the outer ones stay."


def _wrong_product(a: Shape, b: Shape, got: Shape | None, wanted: Shape | None, call: str) -> str:
    if wanted is None:
        return (
            f"{call} gives `{got}`, but these cannot be multiplied: {a[-1]} and {b[0]} differ. "
            "What must be equal are the last size of `a` and the first size of `b`."
        )
    if got is None:
        words = (
            "equal shapes are not what it takes. What" if a != b and len(a) == len(b) else "what"
        )
        return (
            f"{call} gives `None`, but {words} must be equal are the last size of `a` and the "
            f"first size of `b`, and both are {b[0]}."
        )
    if len(got) != len(wanted):
        reason = (
            "A vector has no second size that could stay"
            if len(got) > len(wanted)
            else ("Only the two inner sizes disappear")
        )
        return f"{call} gives `{got}`, expected is `{wanted}`. {reason}."
    return f"{call} gives `{got}`, expected is `{wanted}`: the outer sizes stay, `a`'s first."


# -------------------------------------------------------------------------------- one-hot


def check_one_hot(answer: Any) -> str:
    """Exercise 01.one_hot."""
    need_function(answer, "my_one_hot(labels, num_classes)")
    for values, classes in (([2, 0, 1, 0], 5), ([1, 1, 0], 3), ([3], 4)):
        labels = np.array(values)
        call = f"`my_one_hot({values}, {classes})`"

        def run(given: Any, classes: int = classes) -> Any:
            mine = copy.deepcopy(given)
            got = answer(mine, classes)
            _unchanged(given, mine, "labels")
            return got

        got = attempt(run, labels, call=call)
        eye = np.eye(classes)
        wanted = eye[labels]
        narrow = np.eye(labels.max() + 1)[labels]
        mistakes = [
            (wanted.T, "The result is transposed: one row for each label, one column per class."),
            (
                narrow,
                "Its width follows the largest label; a class that does not occur needs its column "
                "as well: use `num_classes`.",
            ),
            (eye[labels - 1], "The 1 is one place off: classes count from 0."),
            (labels, "These are the labels themselves; wanted is a row of 0 and 1 for each."),
            (1 - wanted, "0 and 1 are exchanged."),
        ]
        mistakes = [pair for pair in mistakes if not np.array_equal(pair[0], wanted)]
        compare(got, wanted, call, mistakes)
    return "Indexing with many labels at once picks that many rows."


# ----------------------------------------------------------------------------- broadcasting


def standardised(X: np.ndarray, mistake: str = "") -> np.ndarray:
    """Columns with mean 0 and standard deviation 1, or what ``mistake`` gives."""
    axis = {"rows": 1, "all": None}.get(mistake, 0)
    mean = X.mean(axis, keepdims=True)
    deviation = X.std(axis, keepdims=True, ddof=1 if mistake == "n - 1" else 0)
    if mistake == "variance":
        deviation = deviation**2
    if mistake == "not divided":
        deviation = 1.0
    if mistake == "not centred":
        mean = 0.0
    return (X - mean) / deviation


STANDARDISE_MISTAKES = {
    "rows": "You standardised the rows. A mean per column is taken over dimension 0.",
    "all": "You took one mean for the whole table: each column needs its own, over dimension 0.",
    "n - 1": "Your deviation divides by N − 1, as PyTorch's `std` does; the formula divides by N.",
    "variance": "You divided by the variance: the root is missing.",
    "not divided": "The division by the standard deviation is missing.",
    "not centred": "The means are not subtracted.",
}


def check_standardise(answer: Any) -> str:
    """Exercise 01.standardise."""
    need_function(answer, "my_standardise(X)")
    rng = np.random.default_rng(1)
    for N, D in ((5, 3), (4, 4)):
        X = rng.normal(size=(N, D)) * np.arange(1, D + 1) + 10 * np.arange(D)
        call = f"`my_standardise(X)` for X of shape {(N, D)}"
        got = _call_on_array(answer, X, call, "X")
        mistakes = [(standardised(X, kind), text) for kind, text in STANDARDISE_MISTAKES.items()]
        compare(got, standardised(X), call, mistakes)
    return "(N, D) against (D,): aligned from the right, each column met its own mean."


def softmax(x: np.ndarray, mistake: str = "") -> np.ndarray | None:
    """Shares along the last axis, or what ``mistake`` gives (None where that has no result)."""
    e = x if mistake == "no exp" else np.exp(x)
    if mistake == "first axis":
        return e / e.sum(axis=0, keepdims=True)
    if mistake == "all":
        return e / e.sum()
    if mistake == "not divided":
        return e
    if mistake == "log":
        return x - np.log(e.sum(-1, keepdims=True))
    total = e.sum(-1)
    if mistake != "no keepdim":
        return e / total[..., None]
    return e / total if x.shape[-2:] == (x.shape[-1],) * 2 or x.ndim == 1 else None


SOFTMAX_MISTAKES = {
    "first axis": "You normalised over the first dimension; wanted is the last, dimension −1.",
    "all": "You normalised over all entries: each sample needs a sum of its own.",
    "no keepdim": "The sum has lost its dimension, so each row is divided by the sums of *other* "
    "rows. Keep it: `keepdim=True` (`keepdims` in NumPy).",
    "no exp": "The exponential is missing.",
    "not divided": "These are the exponentials; divide them by their sum.",
    "log": "That is the logarithm of the answer.",
}


def check_softmax(answer: Any) -> str:
    """Exercise 01.softmax."""
    need_function(answer, "my_softmax(x)")
    rng = np.random.default_rng(1)
    # The square comes early: there a lost keepdim raises nothing.
    for shape in ((4,), (3, 3), (2, 3), (2, 2, 5)):
        x = rng.uniform(0.5, 2, size=shape)
        call = f"`my_softmax(x)` for x of shape {shape}"
        got = _call_on_array(answer, x, call, "x")
        wanted = softmax(x)
        found = [(softmax(x, kind), text) for kind, text in SOFTMAX_MISTAKES.items()]
        mistakes = [(y, text) for y, text in found if y is not None and not np.allclose(y, wanted)]
        compare(got, wanted, call, mistakes)
    return "`torch.softmax(x, dim=-1)` gives the same, for one sample and for any batch."
