"""Chapter 08, gradient descent and batch size: count, bound, scale, diagnose, descend, stop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.ch08_loops import DESCENT, STOPPING
from course_utils.exercises.exercise import Exercise, mistakes


def _epoch_cases(r: np.random.Generator) -> Iterator[tuple]:
    yield from (
        (100, 25, 12),
        (100, 25, 13),
        (10, 4, 7),
        (5, 8, 2),
        (9, 1, 1),
        (7, 7, 1),
        (6, 4, 6),
        (4097, 4096, 3),
        (10, 4, 3),
        (30, 20, 5),
    )
    for _ in range(6):
        yield tuple(int(n) for n in r.integers(1, (2000, 130, 400)))


def _input_cases(r: np.random.Generator) -> Iterator[tuple]:
    yield (np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]]),)
    yield (np.array([[0.5], [2.0]]),)
    yield (np.array([[3.0, 0.0], [0.0, 1.0]]),)
    yield (np.array([[2.0, 1.0, -2.0]]),)
    for shape, size in (((6, 3), 1.0), ((5, 2), 20.0), ((3, 4), 0.3), ((12, 4), 2.0)):
        yield (r.normal(size=shape) * size + 0.4,)


def _curve_cases(r: np.random.Generator) -> Iterator[tuple]:
    inf, nan = float("inf"), float("nan")
    yield from (
        ([2.3, 1.0, 0.4], [2.3, 1.1, 0.5], 0.5, 0.1),
        ([2.3, 1.9, 1.8], [2.3, 2.0, 1.9], 0.5, 0.1),
        ([2.3, 0.4, 0.1], [2.3, 0.6, 0.9], 0.5, 0.1),
        ([2.3, 0.4, 0.1], [2.3, 0.6, 0.9], 0.5, 0.6),
        ([2.3, 2.9, 4.0], [2.3, 3.0, 4.1], 5.0, 0.1),
        ([2.3, inf, 0.2], [2.3, 1.0, 0.9], 0.5, 0.2),
        ([2.3, nan, nan], [2.3, nan, nan], 0.5, 0.2),
        ([2.3, 3.5, 0.4], [2.3, 3.0, 0.5], 0.5, 0.2),
        ([2.0, 1.0, 0.5], [2.0, 1.0, 1.0], 0.5, 0.2),
        ([2.0, 1.0, 2.0], [2.0, 1.0, 1.0], 3.0, 0.2),
        ([2.0, 1.0, 0.5], [2.0, 1.0, 1.5], 0.6, 0.5),
        ([2.0, 1.8, 1.7], [2.0, 1.0, 1.9], 0.5, 0.5),
        ([2.0, 0.3, 0.7], [2.0, 0.9, 0.9], 0.5, 0.5),
        ([2.0, 0.7, 0.3], [0.8, 0.9, 1.0], 0.5, 0.3),
        ([2.0, 0.7, 0.3], [2.0, 0.5, 0.9, 0.6], 0.5, 0.3),
        ([0.4, 0.3, 0.2], [2.0, 1.5, 1.2], 0.5, 0.2),
        ([2.3, 2.9, 4.0], [2.3, 3.0, 4.1], 0.5, 0.1),
        ([2.0, 0.5, 0.1], [2.0, 0.2, 0.25], 0.5, 0.1),
        ([2.0, 0.5, 0.1], [9.0, 5.0, 5.4], 0.5, 0.1),
        ([1.0, 0.5, 1.2], [2.0, 1.5, 1.2], 1.5, 0.1),
        ([2.0, 1.0, 0.9], [0.8, 0.7, 0.75], 1.2, 0.2),
        ([1.0], [1.0], 1.5, 0.1),
        ([1.0], [1.0], 0.5, 0.1),
    )
    for _ in range(12):
        train, val = (np.r_[2.0, r.uniform(0, 2.2, 4)].round(2).tolist() for _ in range(2))
        yield train, val, 1.2, 0.4


def _rate_cases(r: np.random.Generator) -> Iterator[tuple]:
    yield from (
        (0.4, 256, 32, 1.0),
        (0.0007, 32, 8, 0.1),
        (0.1, 32, 32, 9.0),
        (0.3, 10, 25, 9.0),
        (2.0, 8, 8, 0.7),
    )
    for most in (0.05, 0.3, 5.0):
        lr, size, new = r.uniform(0.01, 1), r.integers(1, 300), r.integers(1, 300)
        yield float(lr), int(size), int(new), most


EXERCISES = (
    Exercise(
        name="08.epochs",
        title="as many updates with another batch",
        prompt="""
Two batch sizes are to be compared at equal updates. How many *whole* epochs does a training with
mini-batches of `batch_size` need, until it has made at least `num_updates` updates? The training set
has `num_images` images; the last mini-batch of an epoch may be smaller, and each epoch starts with a
fresh one. All are whole numbers of at least 1.
""",
        stub='''
def my_num_epochs(num_images, batch_size, num_updates):
    """Number of epochs, a whole number."""
    raise NotImplementedError
''',
        hints=(
            "Count the updates of one epoch first: 10 images in batches of 4 are 4 + 4 + 2.",
            "Twice a number is rounded up. `math.ceil` does it, or `-(-a // b)` with whole "
            "numbers alone.",
        ),
        solution="""
def my_num_epochs(num_images, batch_size, num_updates):
    per_epoch = -(-num_images // batch_size)
    return -(-num_updates // per_epoch)
""",
        wrong=mistakes(r"""
? The last, smaller mini-batch of an epoch is an update, too: round up there.
- -(-num_images // batch_size) >>> max(1, num_images // batch_size)
? The updates must be reached: round the number of epochs up.
- -(-num_updates // per_epoch) >>> num_updates // per_epoch
? Round up, not to the nearest whole number: `num_updates` are wanted at least.
- -(-num_updates // per_epoch) >>> round(num_updates / per_epoch)
? A number of whole epochs is wanted: round up.
- -(-num_updates // per_epoch) >>> num_updates / per_epoch
? Your mini-batches run on across the epochs: each epoch starts a fresh one.
- -(-num_updates // per_epoch) >>> -(-num_updates * batch_size // num_images)
? A mini-batch is a whole one, however few images are left for it: round the updates of one epoch up.
- -(-num_images // batch_size) >>> max(1, round(num_images / batch_size))
? One too many where the updates come out even.
- -(-num_updates // per_epoch) >>> num_updates // per_epoch + 1
? One update too many in each epoch where the batches come out even.
- -(-num_images // batch_size) >>> num_images // batch_size + 1
? These are the updates of one epoch; the number of epochs is wanted.
- -(-num_updates // per_epoch) >>> per_epoch
? That is the number of updates in so many epochs. Here the updates are given, and the epochs wanted.
- -(-num_updates // per_epoch) >>> num_updates * per_epoch
? There is one update for each mini-batch, not for each image.
- -(-num_images // batch_size) >>> num_images
? The sizes are divided the wrong way: how many batches of `batch_size` make `num_images`?
- -num_images // batch_size >>> -batch_size // num_images
"""),
        cases=_epoch_cases,
        closing="400 updates are 6 epochs in batches of 16, and 200 in batches of 1024.",
        examples=(("my_num_epochs(1257, 64, 210)", "11"),),
        tolerance=1e-9,
    ),
    Exercise(
        name="08.max_lr",
        title="the largest stable rate for a line through data",
        prompt=r"""
A linear model $\hat y = Xw$ is trained with the *mean* squared error
$L(w) = \frac1N \lVert Xw - y\rVert^2$. `X` has shape (N, D); its columns may differ in size, and it
need not be square. Return the bound that the learning rate of full-batch gradient descent must stay
below. It does not depend on y.
""",
        stub='''
def my_max_lr(X):
    """The learning rate from which on gradient descent no longer converges."""
    raise NotImplementedError
''',
        hints=(
            "The gradient is 2/N · Xᵀ(Xw − y). Which matrix stands in front of w? That is the "
            "Hessian A of section 1.3.",
            "`np.linalg.eigvalsh(A)` gives the eigenvalues of a symmetric matrix, in ascending "
            "order.",
        ),
        solution="""
def my_max_lr(X):
    A = 2 / len(X) * X.T @ X
    return 2 / np.linalg.eigvalsh(A).max()
""",
        wrong=mistakes(r"""
? 1/λmax is only half of the bound: up to 2/λmax the steps still shrink.
- return 2 / >>> return 1 /
? The Hessian of this loss has the factor 2, from the square.
- A = 2 / len(X) >>> A = 1 / len(X)
? The loss is a mean: divide by N.
- 2 / len(X) * X.T >>> 2 * X.T
? The loss is a mean of squares: its Hessian has the factor 2/N.
- 2 / len(X) * X.T >>> X.T
? Divide by the number of samples, N, not by the number of columns.
- len(X) >>> X.shape[1]
? Divide by N once: the loss is a mean over the N samples, not over all entries of X.
- len(X) >>> (X.shape[0] * X.shape[1])
? You took the flattest direction; the steepest one breaks first.
- .max() >>> .min()
? The entries of the Hessian are not enough: take its eigenvalues.
- np.linalg.eigvalsh(A) >>> np.asarray(A)
- np.linalg.eigvalsh(A) >>> np.diag(A)
? That is the sum of the eigenvalues; only the largest counts.
- .max() >>> .sum()
- np.linalg.eigvalsh(A).max() >>> np.trace(A)
? That is the mean of the eigenvalues; only the largest counts.
- .max() >>> .mean()
? 2/(λmin + λmax) is the fastest rate, not the largest one.
- np.linalg.eigvalsh(A).max() >>> sum(np.linalg.eigvalsh(A)[[0, -1]])
? Turned over: a steeper loss needs a smaller rate.
- return 2 / np >>> return 2 * np
- return 2 / np >>> return 0.5 * np
? That is the largest eigenvalue itself; the bound is a rate.
- return 2 / np >>> return np
? The norm of the Hessian counts all its entries; only the largest eigenvalue counts.
- np.linalg.eigvalsh(A).max() >>> np.linalg.norm(A)
? The largest singular value of X must be squared: the Hessian has X twice.
- np.linalg.eigvalsh(A).max() >>> (2 / len(X) * np.linalg.norm(X, 2))
- np.linalg.eigvalsh(A).max() >>> np.linalg.norm(X, 2)
"""),
        cases=_input_cases,
        closing="Large inputs make a steep loss: one more reason to standardise them.",
        examples=(("my_max_lr(np.array([[1.0, 0.0], [0.0, 2.0]]))", "0.5"),),
    ),
    Exercise(
        name="08.scaled_lr",
        title="a rate for another batch size",
        prompt="""
`lr` works well with `batch_size`. Which rate does the linear scaling rule give for
`new_batch_size`? It must not exceed `max_lr`, beyond which training is known to break.
""",
        stub='''
def my_scaled_lr(lr, batch_size, new_batch_size, max_lr):
    """The learning rate for new_batch_size, at most max_lr."""
    raise NotImplementedError
''',
        hints=(
            "Twice the batch, twice the rate.",
            "`min(a, b)` is the smaller of two numbers.",
        ),
        solution="""
def my_scaled_lr(lr, batch_size, new_batch_size, max_lr):
    return min(lr * new_batch_size / batch_size, max_lr)
""",
        wrong=mistakes(r"""
? It goes the wrong way: a larger batch, a larger rate.
- new_batch_size / batch_size >>> batch_size / new_batch_size
- new_batch_size / batch_size >>> batch_size / new_batch_size && min( >>> (lambda a, b: a)(
? That is the square root rule; the linear one has no root.
- new_batch_size / batch_size >>> (new_batch_size / batch_size) ** 0.5
- new_batch_size / batch_size >>> (new_batch_size / batch_size) ** 0.5
& min( >>> (lambda a, b: a)(
? The result must not exceed max_lr: take the smaller of the two.
- min(lr * new_batch_size / batch_size, max_lr) >>> lr * new_batch_size / batch_size
? You took the larger of the two rates; max_lr is an upper end.
- min( >>> max(
? max_lr is only the upper end.
- min(lr * new_batch_size / batch_size, max_lr) >>> max_lr
? The old rate stays as it is: it must grow and shrink with the batch.
- lr * new_batch_size / batch_size >>> lr
? `lr` is limited before it is scaled; it is the result that must not exceed max_lr.
- min(lr * new_batch_size / batch_size, max_lr) >>> min(lr, max_lr) * new_batch_size / batch_size
? The factor is the ratio of the two sizes, with its fraction.
- lr * new_batch_size / batch_size >>> lr * (new_batch_size // batch_size)
? It is not divided by the old batch size.
-  / batch_size >>> 
? The factor of the sizes stands alone: multiply it with `lr`.
- lr * new >>> new
? A factor is wanted, the ratio of the two sizes, not their difference.
- lr * new_batch_size / batch_size >>> lr + (new_batch_size - batch_size)
- lr * new_batch_size / batch_size >>> lr * (new_batch_size - batch_size)
"""),
        cases=_rate_cases,
        closing="The rule holds while the rate is small; the bound 2/λmax does not know the batch "
        "size.",
        examples=(
            ("my_scaled_lr(0.05, 16, 64, 0.5)", "0.2"),
            ("my_scaled_lr(0.05, 16, 1024, 0.5)", "0.5"),
        ),
    ),
    Exercise(
        name="08.diagnosis",
        title="read a pair of loss curves",
        prompt="""
`train` and `val` are lists of losses, one for each epoch, at least one. Return one of four words;
the first that fits counts:

- `"diverged"`: a training loss is infinite or NaN, or the last one is above the first;
- `"underfitting"`: the last training loss is above `goal`;
- `"overfitting"`: the last validation loss is above the lowest one by more than `share` of it
  (0.1 is ten per cent);
- `"fine"`: none of these.

With the goal 0.5 and the share 0.1 the losses `[2.3, 0.9, 0.1]` and `[2.3, 1.0, 1.4]` are
`"overfitting"`.
""",
        stub='''
def my_diagnosis(train, val, goal, share):
    """One of "diverged", "underfitting", "overfitting" and "fine"."""
    raise NotImplementedError
''',
        hints=(
            "Four cases, in this order, each with a `return`. `math.isfinite(x)` is False for "
            "infinity and NaN.",
            "The last loss is `val[-1]`, the lowest `min(val)`. What is ten per cent more than it?",
        ),
        solution="""
def my_diagnosis(train, val, goal, share):
    if not all(math.isfinite(loss) for loss in train) or train[-1] > train[0]:
        return "diverged"
    if train[-1] > goal:
        return "underfitting"
    if val[-1] > (1 + share) * min(val):
        return "overfitting"
    return "fine"
""",
        wrong=mistakes(r"""
? A single loss that is infinite or NaN is enough for "diverged", also in the middle.
- not all(math.isfinite(loss) for loss in train) or >>> 
- not all(math.isfinite(loss) for loss in train) >>> not math.isfinite(train[-1])
- not all(math.isfinite(loss) for loss in train) >>> any(math.isnan(loss) for loss in train)
- not all(math.isfinite(loss) for loss in train) >>> any(math.isinf(loss) for loss in train)
? A training loss that ends above its first has diverged, too, without infinity or NaN.
-  or train[-1] > train[0] >>> 
? The last training loss counts for "diverged", beside the first: a rise in between does not.
- train[-1] > train[0] >>> max(train) > train[0]
? A loss as high as the first is not above it.
- train[-1] > train[0] >>> train[-1] >= train[0]
? "diverged" comes first: look at it before you compare with `goal`.
- if not all(math.isfinite(loss) for loss in train) or train[-1] > train[0]:\n        return "diverged"\n    if train[-1] > goal:\n        return "underfitting" >>> if train[-1] > goal:\n        return "underfitting"\n    if not all(math.isfinite(loss) for loss in train) or train[-1] > train[0]:\n        return "diverged"
? Underfitting is seen in the training loss, not in the validation loss.
- if train[-1] > goal >>> if val[-1] > goal
? It is the last training loss that `goal` is compared with.
- if train[-1] > goal >>> if min(train) > goal
- if train[-1] > goal >>> if max(train) > goal
? A training loss of just `goal` has reached it.
- train[-1] > goal >>> train[-1] >= goal
? "underfitting" comes before "overfitting": the first that fits counts.
- if train[-1] > goal:\n        return "underfitting"\n    if val[-1] > (1 + share) * min(val):\n        return "overfitting" >>> if val[-1] > (1 + share) * min(val):\n        return "overfitting"\n    if train[-1] > goal:\n        return "underfitting"
? `share` is a part of the lowest validation loss, not a loss by itself.
- (1 + share) * min(val) >>> share + min(val)
? `share` is missing: a little above the lowest validation loss is still fine.
- (1 + share) * min(val) >>> min(val)
? The last validation loss is compared with the *lowest* validation loss.
- min(val) >>> val[0]
- min(val) >>> val[-2:][0]
- min(val) >>> train[-1]
? Overfitting is seen in the validation loss; you look for the turn in the training loss.
- if val[-1] > (1 + share) * min(val) >>> if train[-1] > (1 + share) * min(train)
? A validation loss above by just `share` is not above by more.
- val[-1] > (1 >>> val[-1] >= (1
"""),
        cases=_curve_cases,
        closing="A first look at a training begins so: does it run, does it learn, does it last?",
    ),
    DESCENT,
    STOPPING,
)
