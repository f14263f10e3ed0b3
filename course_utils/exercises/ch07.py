"""Chapter 07, losses: best constants, stable formulas from logits, soft targets, right averages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.ch07_entropy import BCE_WITH_LOGITS, CROSS_ENTROPY
from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _constant_cases(r: np.random.Generator) -> Iterator[tuple]:
    series = [[4.0, -1.0, 0.5, 30.0, 2.0], [-7.0, 1.0, 1.5, 2.0, 5.0], [2.0, 2.0, 5.0], [-3.5]]
    series += [[0.0, 6.0, 0.0, -1.0, -2.0], [0.00021, 0.00013, 0.00047]]
    for y in [*map(np.array, series), r.normal(size=9) * 4, r.exponential(size=25)]:
        for loss in ("MSE", "MAE"):
            yield y.copy(), loss


def _batch_cases(r: np.random.Generator) -> Iterator[tuple]:
    for losses, sizes in (
        ([0.5, 0.3, 2.0], [64, 64, 8]),
        ([0.2, 0.4], [32, 32]),
        ([0.7], [5]),
        ([0.5, 0.5, 0.25, 0.5], [8, 8, 8, 3]),
        ([0.00021, 0.00013], [4, 1]),
    ):
        yield np.array(losses), np.array(sizes)
    for count in (3, 6, 9):
        yield r.exponential(size=count), r.integers(1, 40, count)


def _smooth_l1_cases(r: np.random.Generator) -> Iterator[tuple]:
    for beta in (0.5, 2.5, 1.0):
        yield np.array([1.3, -2.0, 0.5, 4.0]), np.array([1.2, 1.0, 0.9, 2.0]), beta
    yield np.array([0.3]), np.array([1.0]), 0.2
    yield np.array([1.5, 0.0, -0.5]), np.array([1.0, 0.0, 0.25]), 0.5
    yield np.array([0.0011, 0.0002]), np.array([0.001, 0.0025]), 0.001
    yield np.array([0.3]), np.array([1.0]), 3.0
    for size, beta in ((7, 0.1), (12, 0.8), (5, 4.0)):
        yield r.normal(size=size) * 2, r.normal(size=size), beta


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
that makes the loss over the targets `y`, shape (N,) with N odd, as small as possible. `loss` is
`"MSE"` or `"MAE"`. The array `y` stays as it is.
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
        name="07.mean_of_batches",
        title="from the batches to the whole",
        prompt=r"""
A validation set was read in batches, and the last one was short. `batch_losses` holds the *mean*
loss of each batch and `batch_sizes` the number of samples in each. Return the mean loss over all
samples.
""",
        stub='''
def my_mean_of_batches(batch_losses, batch_sizes):
    """The mean over all samples, from the means over the batches."""
    raise NotImplementedError
''',
        hints=(
            "Turn each mean back into a sum. How many samples were in it?",
            "The sum of loss · size over the batches, divided by the sum of the sizes.",
        ),
        solution="""
def my_mean_of_batches(batch_losses, batch_sizes):
    total = sum(loss * size for loss, size in zip(batch_losses, batch_sizes))
    return total / sum(batch_sizes)
""",
        wrong=mistakes(r"""
? The batches count the same, but the samples should: a short batch weighs less.
def my_mean_of_batches(batch_losses, batch_sizes):
    return sum(batch_losses) / len(batch_losses)
? A batch of n samples counts n times: weigh each mean by n.
- loss * size >>> loss
? That is the sum over all samples; divide by their number.
-  / sum(batch_sizes) >>> 
? Divide by the number of samples, not by the number of batches.
- / sum(batch_sizes) >>> / len(batch_sizes)
? Means of batches cannot be added up.
def my_mean_of_batches(batch_losses, batch_sizes):
    return sum(batch_losses)
? One number is wanted, the mean over all samples.
def my_mean_of_batches(batch_losses, batch_sizes):
    return [loss * size for loss, size in zip(batch_losses, batch_sizes)]
def my_mean_of_batches(batch_losses, batch_sizes):
    n = sum(batch_sizes)
    return [loss * size / n for loss, size in zip(batch_losses, batch_sizes)]
def my_mean_of_batches(batch_losses, batch_sizes):
    return batch_losses
? The last batch is short, and it counts: it must not be left out.
- zip(batch_losses, batch_sizes) >>> zip(batch_losses[:-1], batch_sizes)
- zip(batch_losses, batch_sizes) >>> zip(batch_losses[:-1], batch_sizes)
& / sum(batch_sizes) >>> / max(1, sum(batch_sizes[:-1]))
? Every batch has a size of its own; here all count as many samples as the first.
- loss * size >>> loss * batch_sizes[0]
? The mean loss of a batch is already divided by its size: multiply by it.
- loss * size >>> loss / size
def my_mean_of_batches(batch_losses, batch_sizes):
    shares = [loss / size for loss, size in zip(batch_losses, batch_sizes)]
    return sum(shares) / len(shares)
? The fraction is cut off: divide with `/`.
- / sum(batch_sizes) >>> // sum(batch_sizes)
? Losses and sizes are exchanged: divide by the number of samples.
- / sum(batch_sizes) >>> / sum(batch_losses)
"""),
        cases=_batch_cases,
        closing="`training.fit` and `training.evaluate` average in this way.",
        kinds=("array", "tensor", "list"),
        examples=(("my_mean_of_batches(np.array([1.0, 4.0]), np.array([3, 1]))", "1.75"),),
    ),
    Exercise(
        name="07.smooth_l1",
        title="smooth L1 with any β",
        prompt=r"""
With the error $d = |\hat y - y|$ the smooth L1 loss of one prediction is $d^2/(2\beta)$ for
$d < \beta$ and $d - \beta/2$ otherwise. Return its mean over all predictions. `y_hat` and `y` have
the same shape (N,) and stay as they are, and `beta` is a number above 0.
""",
        stub='''
def my_smooth_l1(y_hat, y, beta):
    """The mean smooth L1 loss, one number."""
    raise NotImplementedError
''',
        hints=(
            "Compute both pieces for all errors and choose between them, without `if`.",
            "`np.where(d < beta, ..., ...)` takes its second argument where the condition holds.",
        ),
        solution="""
def my_smooth_l1(y_hat, y, beta):
    d = abs(y_hat - y)
    return np.where(d < beta, d**2 / (2 * beta), d - beta / 2).mean()
""",
        wrong=mistakes(r"""
? The errors keep their sign: take d = |ŷ − y| first.
- abs(y_hat - y) >>> y_hat - y
? The square is not divided by beta: near 0 it is d²/(2·beta).
- (2 * beta) >>> 2
? The factor ½ is missing: near 0 it is d²/(2·beta).
- (2 * beta) >>> beta
? Neither beta nor the factor ½ is in the square: near 0 it is d²/(2·beta).
-  / (2 * beta) >>> 
? The square is divided by 2 and then multiplied by beta: the whole 2·beta stands below the line.
- (2 * beta) >>> 2 * beta
? The straight part is d − beta/2. Without beta/2 the curve jumps at d = beta.
- d - beta / 2 >>> d
? Subtracting ½ is right for beta = 1 only: the straight part is d − beta/2.
- beta / 2) >>> 0.5)
? The straight part is d − beta/2; you subtract another share of beta.
- beta / 2) >>> beta)
- beta / 2) >>> beta**2 / 2)
? `beta` is not used: that is the loss for beta = 1.
-     d = >>>     beta = 1\n    d =
? That is the Huber loss, beta times this one. Divide by beta.
- np.where >>> beta * np.where
? The two pieces are swapped: the square belongs to the small errors.
- d < beta >>> d >= beta
? That is the sum of the losses; return their mean.
- .mean() >>> .sum()
? One number is wanted, the mean of the losses.
- .mean() >>> 
? The pieces meet at d = beta for every beta, not at d = 1.
- d < beta >>> d < 1
? The pieces meet where d itself is beta, not its square.
- d < beta >>> d**2 < beta
? An error of exactly beta belongs to one of the pieces: to neither or to both is wrong.
- np.where(d < beta, d**2 / (2 * beta), d - beta / 2) >>> np.select([d < beta, d > beta], [NEAR, FAR])
& [NEAR, FAR] >>> [d**2 / (2 * beta), d - beta / 2]
- np.where(d < beta, d**2 / (2 * beta), d - beta / 2) >>> ((d <= beta) * d**2 / (2 * beta) + FAR)
& FAR >>> (d >= beta) * (d - beta / 2)
? Each error chooses its piece for itself: here one decides for all.
- d < beta >>> d.mean() < beta
- d < beta >>> d.max() < beta
- d < beta >>> d[0] < beta
? That is the square for all errors; the large ones have a straight part.
- d - beta / 2 >>> d**2 / (2 * beta)
? That is the straight part for all errors; the small ones have a square.
- d**2 / (2 * beta) >>> d - beta / 2
"""),
        cases=_smooth_l1_cases,
        pure=True,
        closing="A parabola and two straight lines that meet without a corner.",
    ),
    BCE_WITH_LOGITS,
    CROSS_ENTROPY,
    Exercise(
        name="07.smooth_targets",
        title="targets for label smoothing",
        prompt=r"""
Return the targets of label smoothing, shape (N, C): with the share $s$ = `smoothing` the true class
gets $1 - s + s/C$ and every other class $s/C$. `labels` are class indices of shape (N,), and $C$ is
`num_classes`.
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
