"""Chapter 07, losses: best constants and soft targets; what comes of probabilities beside them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.ch07_entropy import DIVERGENCE, LABELLED, WEIGHTED_GRADIENT
from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _constant_cases(r: np.random.Generator) -> Iterator[tuple]:
    series = [[4.0, -1.0, 0.5, 30.0, 2.0], [-7.0, 1.0, 1.5, 2.0, 5.0], [2.0, 2.0, 5.0], [-3.5]]
    series += [[0.0, 6.0, 0.0, -1.0, -2.0], [0.00021, 0.00013, 0.00047]]
    for y in [*map(np.array, series), r.normal(size=9) * 4, r.exponential(size=25)]:
        for loss in ("MSE", "MAE"):
            yield y.copy(), loss


def _smooth_constant_cases(r: np.random.Generator) -> Iterator[Case]:
    for values, beta in (
        ([0.0, 1.0, 5.0], 1.0),
        ([0.0, 9.0, 1.0, 0.0, 4.5], 10.0),
        ([-7.0, -2.0, 1.5, 2.0, 9.0], 2.5),
        ([6.0, -1.0, 0.5, 30.0, 2.0], 4.0),
        ([-3.5], 2.0),
    ):
        yield case(np.array(values), beta)
    yield case(r.exponential(size=9) * 3 - 1, 0.7)


def _target_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([1, 1, 0]), 3, 0.3)
    yield case(np.array([1]), 2, 0.0)
    yield case(np.array([0]), 5, 0.5)
    yield case(np.array([0, 2, 1, 2]), 6, 1.0)
    for size, classes in ((7, 3), (3, 3), (2, 10)):
        yield case(r.integers(0, classes, size), classes, float(r.uniform(0.05, 0.9)))


EXERCISES = (
    Exercise(
        name="07.best_constant",
        title="the best single number",
        prompt=r"""
A model without inputs can only predict one number, the same for every sample. Return the number
that makes the loss over the targets, an array `y` of shape (N,) with N odd, as small as possible.
`loss` is `"MSE"` or `"MAE"`. The array stays as it is.
""",
        stub='''
def my_best_constant(y, loss):
    """The best constant prediction for the targets y under "MSE" or "MAE"."""
    raise NotImplementedError
''',
        hints=(
            "Section 2.1: where do the pulls of all targets cancel, if each pulls as hard as it is "
            "far away? And where, if all pull equally hard?",
            "One of them is `np.mean`, the other `np.median`.",
        ),
        solution="""
def my_best_constant(y, loss):
    return np.mean(y) if loss == "MSE" else np.median(y)
""",
        wrong=mistakes(r"""
? The mean and the median are the other way round.
- "MSE" >>> "MAE"
? The middle of the range is best for neither.
- np.median(y) >>> (y.max() + y.min()) / 2
- np.mean(y) >>> (y.max() + y.min()) / 2
- np.mean(y) if loss == "MSE" else np.median(y) >>> (y.max() + y.min()) / 2
? Sort first: the median is the middle of the *sorted* targets.
- np.median(y) >>> y[len(y) // 2]
? That is the loss at its lowest. Wanted is the prediction that gives it.
- np.mean(y) >>> np.var(y)
- np.median(y) >>> abs(y - np.median(y)).mean()
- np.mean(y) >>> np.var(y) && np.median(y) >>> abs(y - np.median(y)).mean()
? The mean comes out for both losses; it is best for one of them only.
- np.median(y) >>> np.mean(y)
? The median comes out for both losses; it is best for one of them only.
- np.mean(y) >>> np.median(y)
? That is a neighbour of the median: of N sorted targets it has (N − 1) / 2 on each side.
- np.median(y) >>> sorted(y)[len(y) // 2 - 1]
? That is the place of the median, not its value.
- np.median(y) >>> np.argsort(y)[len(y) // 2]
? For the squared error the targets are averaged: divide their sum by N.
- np.mean(y) >>> np.sum(y)
? One number is wanted, the same for every sample.
- np.mean(y) if loss == "MSE" else np.median(y) >>> y
def my_best_constant(y, loss):
    return np.full(len(y), np.mean(y) if loss == "MSE" else np.median(y))
"""),
        cases=_constant_cases,
        pure=True,
        closing="The mean listens to how far a target is away, the median only to the side it is on.",
        examples=(
            ('my_best_constant(np.array([1.0, 2.0, 9.0]), "MSE")', "4.0"),
            ('my_best_constant(np.array([1.0, 2.0, 9.0]), "MAE")', "2.0"),
        ),
    ),
    Exercise(
        name="07.smooth_constant",
        title="between mean and median",
        prompt=r"""
Which constant prediction makes the *smooth L1* loss of the targets `y` smallest? No formula gives
it, but its gradient leads there: target $y_i$ pulls at the constant $c$ with $(c - y_i)/\beta$, cut
off at ±1. Find the $c$ at which the pulls cancel, right to three digits, by halving an interval or
by some hundred steps of descent. `y` is an array (N,) with N odd, and stays as it is; `beta` lies
above 0.
""",
        stub='''
def my_smooth_constant(y, beta):
    """The best constant prediction for the targets y under smooth L1."""
    raise NotImplementedError
''',
        hints=(
            "Write down the pull on c first: `((c - y) / beta).clip(-1, 1).sum()`. Above the best "
            "c it is positive, below it negative.",
            "The best c lies between the smallest and the largest target. Look at the pull in the "
            "middle, keep the half in which the sign changes, and repeat that 50 times.",
        ),
        solution="""
def my_smooth_constant(y, beta):
    low, high = y.min(), y.max()
    for _ in range(50):
        middle = (low + high) / 2
        pull = ((middle - y) / beta).clip(-1, 1).sum()
        if pull > 0:
            high = middle
        else:
            low = middle
    return middle
""",
        wrong=mistakes(r"""
? That is the mean of the targets, the best constant of MSE: cut the pull of each target off at ±1.
- .clip(-1, 1) >>> 
def my_smooth_constant(y, beta):
    return y.mean()
? That is the median, the best constant of MAE: a target that is nearer than beta pulls less.
- ((middle - y) / beta).clip(-1, 1) >>> np.sign(np.asarray(middle - y))
def my_smooth_constant(y, beta):
    return np.median(y)
? `beta` plays no part: this is the best constant for beta = 1.
- ((middle - y) / beta).clip(-1, 1) >>> (middle - y).clip(-1, 1)
- / beta) >>> / 1)
? The middle of the range is best for none of the three losses.
- range(50) >>> range(1)
def my_smooth_constant(y, beta):
    return (y.min() + y.max()) / 2
? That runs the wrong way: where the pull, with (c − y) in it, is positive, the best c lies below.
- pull > 0 >>> pull < 0
- (middle - y) >>> (y - middle)
? That is the loss, or the pull, at the best constant. Wanted is the constant itself.
- return middle >>> return pull
def my_smooth_constant(y, beta):
    grid = np.linspace(y.min(), y.max(), 4001)
    d = abs(grid[:, None] - np.asarray(y))
    return np.where(d < beta, d**2 / (2 * beta), d - beta / 2).mean(1).min()
? Leaving far targets out is not the same as cutting their pull off: they still pull with 1.
def my_smooth_constant(y, beta):
    return y[abs(y - np.median(y)) <= beta].mean()
- .clip(-1, 1).sum() >>> [abs(middle - y) <= beta].sum()
? That is one step from the median. From the new place the pulls are others: go on.
def my_smooth_constant(y, beta):
    c = np.median(y)
    return c + (y - c).clip(-beta, beta).mean()
? That is one step from the mean. From the new place the pulls are others: go on.
def my_smooth_constant(y, beta):
    c = y.mean()
    return c + (y - c).clip(-beta, beta).mean()
? One target for which the loss is small comes back; the best constant need not be a target.
def my_smooth_constant(y, beta):
    d = abs(y[:, None] - y)
    return y[np.where(d < beta, d**2 / (2 * beta), d - beta / 2).mean(1).argmin()]
? A few halvings are not enough for three digits.
- range(50) >>> range(5)
- range(50) >>> range(8)
"""),
        cases=_smooth_constant_cases,
        pure=True,
        tolerance=2e-3,
        closing="With a small β it is nearly the median, with a large one nearly the mean.",
        examples=(("my_smooth_constant(np.array([0.0, 1.0, 5.0]), 2.0)", "1.5"),),
    ),
    DIVERGENCE,
    WEIGHTED_GRADIENT,
    LABELLED,
    Exercise(
        name="07.smooth_targets",
        title="targets for label smoothing",
        prompt=r"""
Return the targets of label smoothing, shape (N, C): with the share $s$ = `smoothing` the true class
gets $1 - s + s/C$ and every other class $s/C$. `labels` is an array of class indices, shape (N,),
and $C$ is `num_classes`.
""",
        stub='''
def my_smooth_targets(labels, num_classes, smoothing):
    """Targets of shape (N, C), each row with the sum 1."""
    raise NotImplementedError
''',
        hints=(
            "Begin with one-hot rows. Shrink them, then add the same number everywhere.",
            "Shrink by `1 - smoothing` and add `smoothing / num_classes`.",
        ),
        solution="""
def my_smooth_targets(labels, num_classes, smoothing):
    one_hot = np.eye(num_classes)[labels]
    return (1 - smoothing) * one_hot + smoothing / num_classes
""",
        wrong=mistakes(r"""
? The share is spread over the other classes only. PyTorch spreads it over all classes, the true
  one too.
- + smoothing / num_classes >>> + (1 - one_hot) * smoothing / (num_classes - 1)
? The true class gets its part of the share too: (1 − s) + s/C.
- + smoothing / num_classes >>> + (1 - one_hot) * smoothing / num_classes
? The share is not divided: each class gets s/C, not s.
- smoothing / num_classes >>> smoothing
- smoothing / num_classes >>> smoothing * (1 - one_hot)
? The rows sum to more than 1: the true class must give its share, 1 − s.
- (1 - smoothing) * one_hot >>> one_hot
? The rows sum to less than 1: spread what you took, s/C to each class.
-  + smoothing / num_classes >>> 
? 1 − s and s are swapped: most of the weight stays at the true class.
- (1 - smoothing) * one_hot + smoothing >>> smoothing * one_hot + (1 - smoothing)
? `smoothing` is not used: these are the one-hot rows.
- (1 - smoothing) * one_hot + smoothing / num_classes >>> one_hot
? `smoothing` is not used: these are the targets for a share of 0.1.
-     one_hot = >>>     smoothing = 0.1\n    one_hot =
? s is divided by the number of samples; it is spread over the classes.
- / num_classes >>> / len(labels)
? One class short: divide s by all C classes.
- / num_classes >>> / (num_classes - 1)
? The columns follow the largest label; a class that does not occur has one as well: use
  `num_classes`.
- np.eye(num_classes) >>> np.eye(max(labels) + 1)
? The result is transposed: one row for each label, one column for each class.
- return (1 - smoothing) * one_hot >>> return (1 - smoothing) * one_hot.T
? Classes count from 0: the large value is one place off.
- [labels] >>> [labels - 1]
"""),
        cases=_target_cases,
        closing="Every row still sums to 1. CrossEntropyLoss(label_smoothing=s) does the same inside.",
        examples=(
            (
                "my_smooth_targets(np.array([2, 0]), 4, 0.1)",
                "[[0.025, 0.025, 0.925, 0.025], [0.925, 0.025, 0.025, 0.025]]",
            ),
        ),
    ),
)
