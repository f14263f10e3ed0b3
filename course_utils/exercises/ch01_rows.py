"""Chapter 01: one-hot rows, columns to a common scale, shares along the last dimension."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.rules import no_loop


def _label_cases(r: np.random.Generator) -> Iterator[Case]:
    for labels, num_classes in (([2, 0, 1, 0], 5), ([1, 1], 2), ([3], 4), ([0, 0, 0], 4)):
        yield case(np.array(labels), num_classes)
    yield case(np.array([0, 0]), 1)
    yield case(np.array([1, 2, 0]), 3)
    for n, num_classes in ((7, 2), (5, 11), (12, 4)):
        yield case(r.integers(0, num_classes, n), num_classes)


def _table_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([[1.0, 10.0], [3.0, 10.0], [2.0, 40.0]]))
    for n, columns in ((5, 3), (4, 4), (2, 5), (6, 1), (3, 3)):
        units = r.uniform(0.5, 4, columns) * r.choice((-1, 1), columns)
        yield case(r.normal(size=(n, columns)) * units + 10 * r.normal(size=columns))


def _score_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([0.0, 1.0, -1.0]))
    yield case(np.array([[1.0, 2.0], [0.5, -1.0]]))
    for shape in ((4,), (3, 3), (2, 3), (1, 4), (4, 1), (1,), (2, 2, 5), (3, 3, 3), (2, 4, 1)):
        yield case(r.uniform(-2, 3, size=shape))


ROWS = (
    Exercise(
        name="01.one_hot",
        title="one-hot rows by indexing",
        prompt="""
Labels are integers, `labels` of shape (N,), an array or a tensor. Many formulas want *one-hot* rows
instead: shape (N, `num_classes`), each row 0 except for a 1 at the label's place. Write it without
a loop.
""",
        stub='''
def my_one_hot(labels, num_classes):
    """One row per label, shape (N, num_classes): 1 at the label, 0 elsewhere."""
    raise NotImplementedError
''',
        hints=(
            "Look at the rows of `torch.eye(3)`. Do you know them?",
            "Index the rows of the identity matrix with all labels at once: `matrix[labels]`.",
        ),
        solution="""
def my_one_hot(labels, num_classes):
    return torch.eye(num_classes)[labels]
""",
        wrong=mistakes(r"""
? The result is transposed: one row for each label, one column per class.
- [labels] >>> [:, labels]
- [labels] >>> [labels].T
? Its width follows the labels that come; a class that does not occur needs its column as well: use
  `num_classes`.
- torch.eye(num_classes) >>> torch.eye(int(max(labels)) + 1)
def my_one_hot(labels, num_classes):
    values, places = np.unique(np.asarray(labels), return_inverse=True)
    return np.eye(len(values))[places]
? The 1 is one place off: classes count from 0.
- [labels] >>> [torch.as_tensor(labels) - 1]
- torch.eye(num_classes)[labels] >>> torch.roll(torch.eye(num_classes)[labels], 1, 1)
- torch.eye(num_classes)[labels] >>> np.asarray(labels)[:, None] == np.arange(1, num_classes + 1)
? These are the labels themselves; wanted is a row of 0 and 1 for each.
- torch.eye(num_classes)[labels] >>> labels
? 0 and 1 are exchanged.
- torch.eye(num_classes)[labels] >>> 1 - torch.eye(num_classes)[labels]
? Each label's place must hold a 1, not the label.
def my_one_hot(labels, num_classes):
    labels = np.array(labels, dtype=int)
    return np.eye(num_classes)[labels] * labels[:, None]
? Every row has a 1 at the places of *all* labels: give the row numbers too, `range(N)`, and each
  row meets its own label.
def my_one_hot(labels, num_classes):
    rows = np.zeros((len(labels), num_classes))
    rows[:, labels] = 1
    return rows
? All entries are 0: the 1 at each label's place is missing.
- torch.eye(num_classes)[labels] >>> torch.zeros(len(labels), num_classes)
? That is the row of one label alone; wanted is one row for each.
- [labels] >>> [labels[0]]
- [labels] >>> [labels[-1]]
- [labels] >>> [int(max(labels))]
? That is the identity matrix: pick its rows, one for each label.
- [labels] >>> 
? There is a 1 up to the label, not only at its place.
- torch.eye(num_classes)[labels] >>> torch.ones(num_classes, num_classes).tril()[labels]
- torch.eye(num_classes)[labels] >>> torch.ones(num_classes, num_classes).tril(-1)[labels]
- torch.eye(num_classes)[labels] >>> torch.ones(num_classes, num_classes).triu()[labels]
? All rows were added up, into the counts of the labels; wanted is one row for each.
- [labels] >>> [labels].sum(0)
"""),
        cases=_label_cases,
        rules=(no_loop,),
        closing="Indexing with many labels at once picks that many rows.",
        examples=(("my_one_hot(torch.tensor([2, 0]), 3)", "[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]"),),
    ),
    Exercise(
        name="01.standardise",
        title="standardise the columns",
        prompt=r"""
`X` of shape (N, D), a tensor or an array, holds N samples with D measurements each, and every
column has its own unit. Bring all columns to mean 0 and standard deviation 1: from each column
subtract its mean $m_j = \frac1N\sum_i X_{ij}$, and divide by its standard deviation
$s_j = \sqrt{\frac1N\sum_i (X_{ij}-m_j)^2}$, which is above 0. No loops, no change of `X`.
""",
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
        solution="""
def my_standardise(X):
    mean = X.mean(0)
    deviation = ((X - mean) ** 2).mean(0) ** 0.5
    return (X - mean) / deviation
""",
        wrong=mistakes(r"""
? You standardised the rows. A mean per column is taken over dimension 0.
- X.mean(0) >>> X.mean(1)[:, None] && ** 2).mean(0) ** >>> ** 2).mean(1)[:, None] **
def my_standardise(X):
    X = torch.as_tensor(X)
    return (X - X.mean(1, keepdim=True)) / X.std(1, keepdim=True)
? You took one mean for the whole table: each column needs its own, over dimension 0.
- X.mean(0) >>> X.mean() && ** 2).mean(0) ** >>> ** 2).mean() **
- X.mean(0) >>> X.mean()
- (X - mean) / >>> (X - X.mean()) /
? Each column needs its own standard deviation, not one of the whole table.
-  ** 2).mean(0) ** >>>  ** 2).mean() **
- ((X - mean) ** 2).mean(0) >>> ((X - X.mean()) ** 2).mean()
? Your deviation divides by N − 1, as PyTorch's `std` does; the formula divides by N.
- .mean(0) ** 0.5 >>> .sum(0) ** 0.5 / (len(X) - 1) ** 0.5
? You divided by the variance: the root is missing.
- .mean(0) ** 0.5 >>> .mean(0)
? The division by the standard deviation is missing.
-  / deviation >>> 
? The means are not subtracted.
- return (X - mean) >>> return X
? It changes `X` in place: `X -= …` writes into the caller's table. Write into new arrays.
- return (X - mean) / deviation >>> X -= mean\n    X /= deviation\n    return X
? The mean of the squares is a sum divided by N: the division by N is missing.
- .mean(0) ** >>> .sum(0) **
? That is the mean of the absolute deviations; the formula has the root of the mean *square*.
- ((X - mean) ** 2).mean(0) ** 0.5 >>> abs(X - mean).mean(0)
? That brings each column to a given range; asked are mean 0 and standard deviation 1.
def my_standardise(X):
    X = np.asarray(X)
    return (X - X.min(0)) / (X.max(0) - X.min(0))
def my_standardise(X):
    X = np.asarray(X)
    return (X - X.mean(0)) / (X.max(0) - X.min(0))
def my_standardise(X):
    X = np.asarray(X)
    return X / abs(X).max(0)
? Multiplied instead of divided by the standard deviation.
-  / deviation >>>  * deviation
? The deviation is measured from 0: subtract the mean before you square.
- ((X - mean) ** 2) >>> (X ** 2)
? Subtract the mean first and divide the difference: parentheses are missing.
- (X - mean) / deviation >>> X - mean / deviation
? The mean was not divided along: shift first, then scale.
- (X - mean) / deviation >>> X / deviation - mean
"""),
        cases=_table_cases,
        pure=True,
        rules=(no_loop,),
        closing="(N, D) against (D,): aligned from the right, each column met its own mean.",
    ),
    Exercise(
        name="01.softmax",
        title="softmax over the last dimension",
        prompt=r"""
Softmax turns scores into shares that sum to 1: $p_j = e^{x_j} / \sum_k e^{x_k}$. Write it so that
it works along the **last** dimension of a tensor or an array, whatever the shape: (C,) for one
sample, (N, C) for a batch, or even (M, N, C). `x` must stay as it is. The scores are moderate;
overflow is a subject of chapter 03.
""",
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
        solution="""
def my_softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)
""",
        wrong=mistakes(r"""
? You normalised over the first dimension; wanted is the last, dimension −1.
- axis=-1 >>> axis=0
? You normalised over all entries: each sample needs a sum of its own.
- (axis=-1, keepdims=True) >>> ()
? The sum has lost its dimension, so each row is divided by the sums of *other* rows. Keep it:
  `keepdim=True` (`keepdims` in NumPy).
- , keepdims=True >>> 
? The exponential is missing.
- np.exp(x) >>> x
? These are the exponentials; divide them by their sum.
-  / e.sum(axis=-1, keepdims=True) >>> 
? That is the logarithm of the answer.
- return e / e.sum(axis=-1, keepdims=True) >>> return x - np.log(e.sum(axis=-1, keepdims=True))
? It is not always the last dimension that you normalise over: dimension −1 is the last, whatever
  their number.
- axis=-1 >>> axis=min(1, e.ndim - 1)
- axis=-1 >>> axis=1 if e.ndim == 2 else 0
- axis=-1 >>> axis=1
- axis=-1 >>> axis=-2
? The exponentials are divided by the sum of the scores: sum the exponentials.
- e / e.sum >>> e / x.sum
? The smallest score gets the largest share: there is no minus in the exponent.
- np.exp(x) >>> np.exp(-x)
? They are divided by the largest exponential; only the sum makes shares that sum to 1.
- e / e.sum(axis=-1, keepdims=True) >>> e / np.asarray(e).max(axis=-1, keepdims=True)
? They are divided by the mean of the exponentials; only the sum makes shares that sum to 1.
- e.sum >>> e.mean
? That is the sigmoid of each score, whatever the others are: divide by the sum of all of a sample.
- return e / e.sum(axis=-1, keepdims=True) >>> return e / (1 + e)
? These are the sums alone: divide the exponentials by them.
- return e / e.sum >>> return e.sum
? That is a power of 2; the base is e, as `exp` has it.
- np.exp(x) >>> 2**x
? That is the place of the largest score; wanted are shares, in the shape of x.
- return e / e.sum(axis=-1, keepdims=True) >>> return x.argmax(-1)
"""),
        cases=_score_cases,
        pure=True,
        closing="`torch.softmax(x, dim=-1)` gives the same, for one sample and for any batch.",
        examples=(("my_softmax(np.array([0.0, 0.0, 0.0, 0.0]))", "[0.25, 0.25, 0.25, 0.25]"),),
    ),
)
