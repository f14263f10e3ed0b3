"""Chapter 01, tensors: strides, masks, matrix products, one-hot rows, broadcasting and keepdim.

What the learner reads stands here; how the answers are judged, in ``judges01.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges01 as judges

SETUP = "import numpy as np\nimport torch"

_STRIDES = """
def my_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)
""".strip()

_FILL = """
def my_fill_gaps(x):
    x = torch.tensor(x) if isinstance(x, np.ndarray) else x.clone()
    gaps = torch.isnan(x)
    x[gaps] = x[~gaps].mean()
    return x
""".strip()

_MATMUL = """
def my_matmul_shape(a, b):
    rows = b[0]
    if a[-1] != rows:
        return None
    return a[:-1] + b[1:]
""".strip()

_ONE_HOT = """
def my_one_hot(labels, num_classes):
    return torch.eye(num_classes)[labels]
""".strip()

_STANDARDISE = """
def my_standardise(X):
    mean = X.mean(0)
    deviation = ((X - mean) ** 2).mean(0) ** 0.5
    return (X - mean) / deviation
""".strip()

_SOFTMAX = """
def my_softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)
""".strip()

EXERCISES = (
    Exercise(
        name="01.strides",
        title="how far to the neighbour?",
        prompt="""
The numbers of a contiguous tensor lie in memory row by row. For each dimension, its *stride* says
how many places one walks in memory to the next entry along it. Compute the strides of a contiguous
tensor from its shape, without making the tensor. Return as many numbers as the shape has.
""",
        answer="my_strides",
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
        solution=_STRIDES,
        wrong=(
            (variant(_STRIDES, ("strides.insert(0, step)", "strides.append(step)")), "reversed"),
            (
                variant(
                    _STRIDES,
                    (
                        "        strides.insert(0, step)\n        step *= size",
                        "        step *= size\n        strides.insert(0, step)",
                    ),
                ),
                "without its own",
            ),
            (
                variant(
                    _STRIDES,
                    ("reversed(shape)", "shape"),
                    ("insert(0, step)", "append(step)"),
                ),
                "column by column",
            ),
            (variant(_STRIDES, ("[], 1", "[], 4")), "counts bytes"),
        ),
        checker=judges.check_strides,
        examples=(("my_strides((2, 3, 4))", "[12, 4, 1]"),),
    ),
    Exercise(
        name="01.mask",
        title="fill the gaps",
        prompt="""
Some measurements in `x` are missing and marked as NaN, *not a number*. Return a **new** tensor (or
array) in which every gap holds the mean of the numbers that are there. `x` has any shape and must
stay as it is. To find the gaps there is `torch.isnan`, and `np.isnan` for arrays.
""",
        answer="my_fill_gaps",
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
        solution=_FILL,
        wrong=(
            (
                "def my_fill_gaps(x):\n"
                "    gaps = x != x\n"
                "    x[gaps] = x[~gaps].mean()\n"
                "    return x",
                "changes `x` in place",
            ),
            (variant(_FILL, ("x[~gaps].mean()", "x.mean()")), "still holds NaN"),
            (variant(_FILL, ("x[~gaps].mean()", "0.0")), "filled with 0"),
            (
                variant(_FILL, ("x[~gaps].mean()", "x[~gaps].sum() / x.numel()")),
                "divided by the number of all entries",
            ),
        ),
        checker=judges.check_fill,
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
        answer="my_matmul_shape",
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
        solution=_MATMUL,
        wrong=(
            (variant(_MATMUL, ("b[0]", "b[-1]")), "the first size of `b`"),
            (variant(_MATMUL, ("a[-1] != rows", "a != b")), "equal shapes"),
            (variant(_MATMUL, ("a[:-1] + b[1:]", "(a[0], b[-1])")), "A vector has no"),
            (variant(_MATMUL, ("a[-1] != rows", "False")), "cannot be multiplied"),
        ),
        checker=judges.check_matmul,
    ),
    Exercise(
        name="01.one_hot",
        title="one-hot rows by indexing",
        prompt="""
Labels are integers, `labels` of shape (N,). Many formulas want *one-hot* rows instead: shape
(N, `num_classes`), each row 0 except for a 1 at the label's place. Write it without a loop.
""",
        answer="my_one_hot",
        stub='''
def my_one_hot(labels, num_classes):
    """One row per label, shape (N, num_classes): 1 at the label, 0 elsewhere."""
    raise NotImplementedError
''',
        hints=(
            "Look at the rows of `torch.eye(3)`. Do you know them?",
            "Index the rows of the identity matrix with all labels at once: `matrix[labels]`.",
        ),
        solution=_ONE_HOT,
        wrong=(
            (variant(_ONE_HOT, ("[labels]", "[labels].T")), "transposed"),
            (
                variant(_ONE_HOT, ("torch.eye(num_classes)", "torch.eye(int(max(labels)) + 1)")),
                "largest label",
            ),
            (variant(_ONE_HOT, ("[labels]", "[[x - 1 for x in labels]]")), "count from 0"),
            (variant(_ONE_HOT, ("[labels]", "[:, labels]")), "transposed"),
        ),
        checker=judges.check_one_hot,
        examples=(("my_one_hot([2, 0], 3)", "[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]"),),
    ),
    Exercise(
        name="01.standardise",
        title="standardise the columns",
        prompt=r"""
`X` of shape (N, D) holds N samples with D measurements each, and every column has its own unit.
Bring all columns to mean 0 and standard deviation 1: from each column subtract its mean
$m_j = \frac1N\sum_i X_{ij}$, and divide by its standard deviation
$s_j = \sqrt{\frac1N\sum_i (X_{ij}-m_j)^2}$. No loops, no change of `X`.
""",
        answer="my_standardise",
        stub='''
def my_standardise(X):
    """X with each column shifted to mean 0 and scaled to standard deviation 1."""
    raise NotImplementedError
''',
        hints=(
            "A mean per column is a mean *over the rows*, dimension 0. Its shape is (D,): does "
            "that fit against (N, D)?",
            "The formula divides by N, like `X.std(0)` in NumPy. PyTorch's `X.std(0)` divides by "
            "N − 1; `X.std(0, correction=0)` divides by N.",
        ),
        solution=_STANDARDISE,
        wrong=(
            (_STANDARDISE.replace("mean(0)", "mean(1)[:, None]"), "You standardised the rows"),
            (_STANDARDISE.replace("mean(0)", "mean()"), "one mean for the whole table"),
            (
                variant(
                    _STANDARDISE,
                    (".mean(0) ** 0.5", ".mean(0) ** 0.5 * (len(X) / (len(X) - 1)) ** 0.5"),
                ),
                "N − 1",
            ),
            (variant(_STANDARDISE, (".mean(0) ** 0.5", ".mean(0)")), "root is missing"),
        ),
        checker=judges.check_standardise,
    ),
    Exercise(
        name="01.softmax",
        title="softmax over the last dimension",
        prompt=r"""
Softmax turns scores into shares that sum to 1: $p_j = e^{x_j} / \sum_k e^{x_k}$. Write it so that
it works along the **last** dimension, whatever the shape: (C,) for one sample, (N, C) for a batch,
or even (M, N, C). The scores are moderate; overflow is a subject of chapter 03.
""",
        answer="my_softmax",
        stub='''
def my_softmax(x):
    """Shares along the last dimension, in the shape of x."""
    raise NotImplementedError
''',
        hints=(
            "One `exp`, one sum, one division. Along which dimension is the last one, whatever "
            "their number? What shape must the sum have to fit?",
            "Sum over dimension −1 and keep it: `keepdims=True` in NumPy, `keepdim=True` in "
            "PyTorch.",
        ),
        solution=_SOFTMAX,
        wrong=(
            (variant(_SOFTMAX, ("axis=-1", "axis=0")), "over the first dimension"),
            (variant(_SOFTMAX, ("(axis=-1, keepdims=True)", "()")), "over all entries"),
            (variant(_SOFTMAX, (", keepdims=True", "")), "keepdim"),
            (variant(_SOFTMAX, ("np.exp(x)", "x")), "exponential is missing"),
        ),
        checker=judges.check_softmax,
        examples=(("my_softmax(np.array([0.0, 0.0, 0.0, 0.0]))", "[0.25, 0.25, 0.25, 0.25]"),),
    ),
)
