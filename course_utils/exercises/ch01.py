"""Chapter 01, tensors: strides, masks, matrix products, one-hot rows, broadcasting and keepdim."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.ch01_rows import ROWS
from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.rules import no_tensors


def _stride_cases(r: np.random.Generator) -> Iterator[Case]:
    for shape in ((5, 7), (6,), (3, 3), (1,), (64, 1, 28, 28), (2, 1, 4, 1), (2, 3, 1, 4, 5)):
        yield case(shape)
    yield case(tuple(int(n) for n in r.integers(1, 9, 4)))
    yield case((10**5, 10**6, 10**4))  # no memory holds that tensor


def _gap_cases(r: np.random.Generator) -> Iterator[Case]:
    nan = np.nan
    yield case(np.array([[4.0, nan, 1.0], [nan, nan, -3.0]]))
    yield case(np.array([2.5, 0.0, nan, -7.0, nan]))
    yield case(np.array([2.5, 0.0]))
    yield case(np.array([[[nan], [6.0]], [[-3.0], [nan]], [[0.0], [1.0]]]))
    yield case(np.array([nan, 5.0, nan]))
    for shape in ((4, 6), (3, 2, 5)):
        x = r.normal(size=shape) * 10
        x[r.random(size=shape) < 0.4] = nan
        yield case(x)


def _product_cases(r: np.random.Generator) -> Iterator[Case]:
    for a, b in (
        *(((2, 3), (3, 4)), ((2,), (2, 3)), ((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (3,))),
        *(((3,), (2, 3)), ((4, 4), (4, 4)), ((5, 1), (1, 5)), ((2,), (3,)), ((3, 2), (3,))),
        *(((1, 3), (3, 1)), ((1,), (1, 4)), ((2, 1), (3, 4)), ((2, 3), (1, 4)), ((4, 1), (1,))),
        *(((1, 1), (1, 1)), ((1,), (1,)), ((3, 3), (3,)), ((3,), (1,)), ((2, 3), (4, 2))),
        *(((2, 3), (5, 3)), ((3,), (3, 3)), ((2, 4), (2, 5)), ((3,), (5, 3)), ((2, 3), (2,))),
    ):
        yield case(a, b)
    yield case((10**7, 10**8), (int(1e8), 10**9))  # no memory holds these matrices
    yield case((10**7, 10**8), (10**9, 10**8))


EXERCISES = (
    Exercise(
        name="01.strides",
        title="how far to the neighbour?",
        prompt="""
The numbers of a contiguous tensor lie in memory row by row. For each dimension, its *stride* says
how many places one walks in memory to the next entry along it. Compute the strides of a contiguous
tensor from its shape, without making the tensor: it may be far too large for the memory. `shape` is
a tuple of one or more sizes, all at least 1. Return as many numbers as the shape has.
""",
        stub='''
def my_strides(shape):
    """The strides of a contiguous tensor of this shape, as a tuple or list."""
    raise NotImplementedError
''',
        hints=(
            "Start at the last dimension: its neighbours lie side by side, so its stride is 1.",
            "Walk through the sizes from right to left and keep a product: the stride of a "
            "dimension is the product of all sizes to its right.",
        ),
        solution="""
def my_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)
""",
        wrong=mistakes(r"""
? The strides are reversed: the last dimension must come last, with stride 1.
- strides.insert(0, step) >>> strides.append(step)
? For each dimension multiply the sizes to its right, without its own.
-         strides.insert(0, step)\n        step *= size >>>         step *= size
& return tuple >>>     strides.insert(0, step)\n    return tuple
? That is memory filled column by column; PyTorch fills it row by row.
- reversed(shape) >>> shape && insert(0, step) >>> append(step)
? That counts bytes; PyTorch's strides count entries.
- [], 1 >>> [], 4
- [], 1 >>> [], 8
def my_strides(shape):
    return np.empty(shape).strides
def my_strides(shape):
    return [n * 4 for n in torch.empty(shape).stride()]
? The rule is asked, without making the tensor: this one would fill more memory than there is.
def my_strides(shape):
    return torch.empty(shape).stride()
def my_strides(shape):
    return tuple(n // 8 for n in np.empty(shape).strides)
? The stride is the product of *all* sizes to the right, not only the next one.
- step *= size >>> step = size
? Sizes are multiplied on the way, not added.
- step *= size >>> step += size
? These are the sizes themselves: how many places is it to the next entry?
- tuple(strides) >>> shape
? That is the number of entries; wanted is one number for each dimension.
def my_strides(shape):
    return math.prod(shape)
? The 1 of the last dimension is missing.
- tuple(strides) >>> tuple(strides[:-1])
? One number too many: the first is the size of the whole tensor, not a stride.
- return tuple >>> strides.insert(0, step)\n    return tuple
? In a row-by-row memory neighbours in the last dimension lie side by side: its stride is 1, not 0.
- [], 1 >>> [], 0
"""),
        cases=_stride_cases,
        closing="`torch.empty(shape).stride()` says the same.",
        examples=(("my_strides((2, 3, 4))", "[12, 4, 1]"),),
    ),
    Exercise(
        name="01.mask",
        title="fill the gaps",
        prompt="""
Some measurements in `x` are missing and marked as NaN, *not a number*. Return a **new** tensor (or
array) in which every gap holds the mean of the numbers that are there. `x` is a tensor or array of
any shape, must stay as it is, and at least one number is there. To find the gaps there is
`torch.isnan`, and `np.isnan` for arrays.
""",
        stub='''
def my_fill_gaps(x):
    """A copy of x, with the mean of the other numbers wherever x is NaN."""
    raise NotImplementedError
''',
        hints=(
            "Make a mask with `isnan`; `~mask` is its opposite. Index with both.",
            "Clone first: `y = x.clone()` (`x.copy()` in NumPy). Then one line: "
            "`y[mask] = ` the mean of `y[~mask]`.",
        ),
        solution="""
def my_fill_gaps(x):
    y = torch.as_tensor(x).clone()
    gaps = torch.isnan(y)
    y[gaps] = y[~gaps].mean()
    return y
""",
        wrong=mistakes(r"""
? It changes `x` in place: for the caller the gaps are gone too. Make a copy first (`clone` in
  PyTorch, `copy` in NumPy) and change that.
- .clone() >>> 
? The result still holds NaN. The mean of numbers among which there is a NaN is NaN itself, and
  `x == nan` is never true: find the gaps with `isnan`, and take the mean of the others only.
- y[~gaps].mean() >>> y.mean()
- torch.isnan(y) >>> y == torch.nan
? The gaps are filled with 0; wanted is the mean of the other numbers.
- y[~gaps].mean() >>> 0.0
? The sum is divided by the number of all entries: divide by the number of those that are there.
- y[~gaps].mean() >>> y[~gaps].sum() / y.numel()
? That is the sum of the others; wanted is their mean.
- y[~gaps].mean() >>> y[~gaps].sum()
? That is the median; wanted is the mean.
- y[~gaps].mean() >>> float(np.median(y[~gaps].numpy()))
- y[~gaps].mean() >>> y[~gaps].median()
? The gaps are gone: keep them, and fill them with the mean.
- return y >>> return y[~gaps]
-     y[gaps] = y[~gaps].mean()\n    return y >>>     return y[~gaps]
? The gaps are filled, but other numbers have changed as well: they must stay as they are.
- y[gaps] = >>> y[gaps | (y == 0)] =
- y[gaps] = >>> y[:] =
? Each gap got the mean of its own row or column; wanted is one mean, of all numbers that are there.
def my_fill_gaps(x):
    x = torch.as_tensor(x)
    return torch.where(torch.isnan(x), torch.nanmean(x, 0, keepdim=True), x)
def my_fill_gaps(x):
    x = torch.as_tensor(x)
    return torch.where(torch.isnan(x), torch.nanmean(x, -1, keepdim=True), x)
? That is a mean of means, of rows or of columns: one with many gaps must count less.
- y[~gaps].mean() >>> torch.nanmean(torch.nanmean(y, -1))
- y[~gaps].mean() >>> torch.nanmean(torch.nanmean(y, 0))
? The mask is the wrong way round: the numbers were replaced, and the gaps stay.
- y[gaps] = y[~gaps].mean() >>> y[~gaps] = y[~gaps].mean()
? Only the first gap is filled.
- y[gaps] >>> y.view(-1)[torch.nonzero(gaps.view(-1))[:1]]
? That is the mean alone; wanted is the whole of `x` with its gaps filled.
- return y >>> return y[~gaps].mean()
? That is the mask; wanted are the numbers, with the gaps filled.
- return y >>> return gaps
? Without a gap `x` itself comes back: the result must be new there as well.
- return y >>> return y if gaps.any() else x
"""),
        cases=_gap_cases,
        pure=True,
        fresh=True,
        closing="The mask chose, the clone protected `x`: two habits for life.",
        examples=(("my_fill_gaps(torch.tensor([1.0, torch.nan, 3.0]))", "[1.0, 2.0, 3.0]"),),
    ),
    Exercise(
        name="01.matmul",
        title="what does `@` give?",
        prompt="""
`a` and `b` are the *shapes* of two tensors: tuples with one or two sizes each. Return the shape of
their product with `@` as a tuple, or `None` if they cannot be multiplied. Two vectors give a single
number, and its shape is `()`. Do not make the tensors; apply the rule.
""",
        stub='''
def my_matmul_shape(a, b):
    """The shape of A @ B for A of shape a and B of shape b; None if they do not fit."""
    raise NotImplementedError
''',
        hints=(
            "Which two sizes must be equal? For `b` it is the first one, whether `b` has one size "
            "or two.",
            "Those two sizes disappear; what is left of `a`, followed by what is left of `b`, is "
            "the answer. Slices such as `a[:-1]` work for one size and for two.",
        ),
        solution="""
def my_matmul_shape(a, b):
    rows = b[0]
    if a[-1] != rows:
        return None
    return a[:-1] + b[1:]
""",
        wrong=mistakes(r"""
? What must be equal are the last size of `a` and the first size of `b`; you compare others.
- b[0] >>> b[-1]
- a[-1] >>> a[0]
- a[-1] >>> a[0] && b[0] >>> b[-1]
? Equal shapes are not what it takes: the last size of `a` and the first size of `b` must be equal.
- a[-1] != rows >>> a != b
? A vector has no second size that could stay: only what is left of each shape is in the answer.
- a[:-1] + b[1:] >>> (a[0], b[-1])
- a[:-1] + b[1:] >>> (a[0],) + b[1:]
- a[:-1] + b[1:] >>> a[:-1] + (b[-1],)
- a[:-1] + b[1:] >>> a[:-1] + (b[1:] or (1,))
- a[:-1] + b[1:] >>> (a[:-1] or (1,)) + b[1:]
- a[:-1] + b[1:] >>> (a[:-1] or (1,)) + (b[1:] or (1,))
- a[:-1] + b[1:] >>> (a[:-1] + b[1:]) or (1,)
? Some of these cannot be multiplied: `None` is wanted where the last size of `a` and the first size
  of `b` differ.
- a[-1] != rows >>> False
- a[-1] != rows >>> a[-1] != rows and 1 not in (a[-1], rows)
- return None >>> return ()
- return None >>> return False
? The outer sizes stay, those of `a` first; the inner ones disappear.
- a[:-1] + b[1:] >>> a[:-1] + b[:-1]
- a[:-1] + b[1:] >>> b[1:] + a[:-1]
- a[:-1] + b[1:] >>> a[1:] + b[:-1]
- a[:-1] + b[1:] >>> a[1:] + b[1:]
? Only the inner sizes disappear; they are still in your answer.
- a[:-1] + b[1:] >>> a + b[1:]
- a[:-1] + b[1:] >>> a[:-1] + b
- a[:-1] + b[1:] >>> a + b
? It is the other way round: fitting shapes give `None`, the others a shape.
- a[-1] != rows >>> a[-1] == rows
? Two vectors of the same size can be multiplied: they give a number, shape `()`.
- return a[:-1] + b[1:] >>> return a[:-1] + b[1:] or None
- a[-1] != rows >>> a[-1] != rows or len(a) + len(b) == 2
? That is the rule of broadcasting; `@` has another: the last size of `a` meets the first of `b`.
def my_matmul_shape(a, b):
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None
? The rule is asked, without making the tensors: they may be larger than any memory.
def my_matmul_shape(a, b):
    try:
        return tuple((torch.empty(a) @ torch.empty(b)).shape)
    except RuntimeError:
        return None
def my_matmul_shape(a, b):
    try:
        return np.shape(np.empty(a) @ np.empty(b))
    except ValueError:
        return None
def my_matmul_shape(a, b):
    return tuple((torch.empty(a) @ torch.empty(b)).shape) if a[-1] == b[0] else None
def my_matmul_shape(a, b):
    return np.shape(np.empty(a) @ np.empty(b)) if a[-1] == b[0] else None
"""),
        cases=_product_cases,
        rules=(no_tensors,),
        closing="Inner sizes must agree and disappear; the outer ones stay.",
    ),
    *ROWS,
)
