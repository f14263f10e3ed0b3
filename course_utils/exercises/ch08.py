"""Chapter 08, gradient descent and batch size: count, bound, cut into batches, descend, stop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.ch08_loops import BATCHES, DESCENT, STOPPING
from course_utils.exercises.exercise import Exercise, mistakes


def _update_cases(r: np.random.Generator) -> Iterator[tuple]:
    yield from (
        (100, 25, 3),
        (10, 4, 7),
        (5, 8, 2),
        (9, 1, 1),
        (7, 7, 1),
        (6, 4, 1),
        (4097, 4096, 3),
    )
    for _ in range(4):
        yield tuple(int(n) for n in r.integers(1, (2000, 130, 12)))


def _matrix_cases(r: np.random.Generator) -> Iterator[tuple]:
    yield (np.array([[3.0, 1.0], [1.0, 2.0]]),)
    yield (np.array([[1.0, -2.0], [-2.0, 5.0]]),)
    yield (np.diag([0.1, 4.0]),)
    yield (np.array([[2.5]]),)
    yield (np.array([[700.0, 100.0], [100.0, 900.0]]),)
    for values in ([0.5, 1.0, 3.0, 8.0], [6.0, 2.0, 0.3], [0.01, 0.02]):
        turn = np.linalg.qr(r.normal(size=(len(values), len(values))))[0]
        A = turn @ np.diag(values) @ turn.T
        yield ((A + A.T) / 2,)


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
        name="08.updates",
        title="how many updates is that?",
        prompt="""
A training set has `num_images` images. How many updates are made in `num_epochs` epochs with
mini-batches of `batch_size`? The last mini-batch of an epoch may be smaller, and every epoch
starts with a fresh one.
""",
        stub='''
def my_num_updates(num_images, batch_size, num_epochs):
    """Number of updates, a whole number."""
    raise NotImplementedError
''',
        hints=(
            "Count the mini-batches of one epoch first: 10 images in batches of 4 are 4 + 4 + 2.",
            "That is num_images / batch_size, rounded up. `math.ceil` does it, or "
            "`-(-a // b)` with whole numbers alone.",
        ),
        solution="""
def my_num_updates(num_images, batch_size, num_epochs):
    return num_epochs * -(-num_images // batch_size)
""",
        wrong=mistakes(r"""
? The last, smaller mini-batch is missing: round up in each epoch.
- -(-num_images // batch_size) >>> (num_images // batch_size)
? Your mini-batches run on across the epochs: each epoch starts a fresh one.
- num_epochs * -(-num_images // batch_size) >>> -(-num_images * num_epochs // batch_size)
- num_epochs * -(-num_images // batch_size) >>> num_epochs * num_images // batch_size
? The number of updates is a whole number: round up.
- -(-num_images // batch_size) >>> num_images / batch_size
? Round up, not to the nearest whole number: a small rest is a mini-batch, too.
- -(-num_images // batch_size) >>> round(num_images / batch_size)
? These are the updates of one epoch only.
- num_epochs *  >>> 
? One too many where the batches come out even.
- -(-num_images // batch_size) >>> (num_images // batch_size + 1)
? Round up in each epoch; one more at the very end is not enough.
- num_epochs * -(-num_images // batch_size) >>> num_epochs * (num_images // batch_size) + 1
- num_epochs * -(-num_images // batch_size) >>> num_epochs * (num_images // batch_size)
& (num_images // batch_size) >>> (num_images // batch_size) + (num_images % batch_size > 0)
? There is one update for each mini-batch, not for each image.
- -(-num_images // batch_size) >>> num_images
? The sizes are divided the wrong way: how many batches of `batch_size` make `num_images`?
- -num_images // batch_size >>> -batch_size // num_images
? That is the size of the last mini-batch, not the number of mini-batches.
- -(-num_images // batch_size) >>> (num_images % batch_size)
"""),
        cases=_update_cases,
        closing="1,257 images in batches of 64 are 19 full mini-batches and one of 41.",
        examples=(("my_num_updates(1257, 64, 10)", "200"),),
        tolerance=1e-9,
    ),
    Exercise(
        name="08.max_lr",
        title="the largest stable learning rate",
        prompt=r"""
For the quadratic loss $L(w) = \tfrac12 w^\top A w$ with a symmetric matrix $A$ of shape (n, n),
all of whose eigenvalues are positive, return the bound that the learning rate of gradient descent
must stay below.
""",
        stub='''
def my_max_lr(A):
    """The learning rate from which on gradient descent no longer converges."""
    raise NotImplementedError
''',
        hints=(
            "The steepest direction decides. What is its curvature called in section 1.3?",
            "`np.linalg.eigvalsh(A)` gives the eigenvalues of a symmetric matrix, in ascending "
            "order.",
        ),
        solution="""
def my_max_lr(A):
    return 2 / np.linalg.eigvalsh(A).max()
""",
        wrong=mistakes(r"""
? 1/λmax is only half of the bound: up to 2/λmax the steps still shrink.
- 2 / >>> 1 /
? You took the flattest direction; the steepest one breaks first.
- .max() >>> .min()
- .max() >>> .min() && 2 / >>> 1 /
? The entries of A are not enough: take its eigenvalues.
- np.linalg.eigvalsh(A) >>> np.asarray(A)
- np.linalg.eigvalsh(A) >>> np.diag(A)
? That is the sum of the eigenvalues; only the largest counts.
- .max() >>> .sum()
- np.linalg.eigvalsh(A).max() >>> np.trace(A)
? That is the mean of the eigenvalues; only the largest counts.
- .max() >>> .mean()
? That is the product of the eigenvalues; only the largest counts.
- .max() >>> .prod()
- np.linalg.eigvalsh(A).max() >>> np.linalg.det(A)
? 2/(λmin + λmax) is the fastest rate, not the largest one.
- np.linalg.eigvalsh(A).max() >>> sum(np.linalg.eigvalsh(A)[[0, -1]])
? That is the condition number, not a learning rate.
- 2 / np.linalg.eigvalsh(A).max() >>> np.linalg.cond(A)
? Turned over: a steeper loss needs a smaller rate.
- 2 / np >>> 2 * np
- 2 / np >>> 0.5 * np
? That is the largest eigenvalue itself; the bound is a rate.
- 2 / np >>> np
? The norm of A counts all its entries; only the largest eigenvalue counts.
- np.linalg.eigvalsh(A).max() >>> np.linalg.norm(A)
? Which one is the largest? `eigvalsh` sorts in ascending order, so it comes last.
- eigvalsh(A).max() >>> eigvalsh(A)[:2].max()
"""),
        cases=_matrix_cases,
        closing="Up to this rate every direction shrinks; from here on the steepest one grows.",
        examples=(("my_max_lr(np.array([[2.0, 1.0], [1.0, 2.0]]))", "0.6667"),),
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
    BATCHES,
    DESCENT,
    STOPPING,
)
