"""Chapter 12, a CNN for handwritten digits: build it, measure it, use it, look inside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises import ch12_model, ch12_reading
from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _flat_cases(r: np.random.Generator) -> Iterator[Case]:
    for size, blocks in (
        (28, [(32, 3, 1), (64, 3, 1)]),
        (20, [(8, 5, 2)]),
        (31, [(4, 3, 0), (6, 3, 0), (5, 2, 1)]),
        (9, [(3, 2, 0), (7, 1, 1)]),
        (13, [(2, 3, 0), (3, 3, 0)]),
        (15, [(5, 1, 0), (2, 1, 0), (3, 1, 0)]),
    ):
        yield case(size, blocks)
    for count in r.integers(1, 4, 6):
        blocks = r.integers((2, 1, 0), (20, 6, 3), (int(count), 3))
        yield case(int(r.integers(40, 90)), [tuple(block) for block in blocks.tolist()])


def _confusion_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([0, 1, 1, 2, 2, 2, 2]), np.array([0, 1, 1, 1, 2, 2, 0]), 4)
    yield case(np.array([0, 1, 0]), np.array([2, 1, 2]), 3)
    yield case(np.array([3]), np.array([1]), 5)
    for count, classes in ((40, 3), (100, 10), (7, 10)):
        yield case(*r.integers(0, classes, (2, count)), classes)
    yield case(np.array([0, 0, 0]), np.array([0, 0, 0]), 1)
    yield case(np.repeat([1, 0], [300, 2]), np.repeat([0, 1], [299, 3]), 2)  # more than a byte


_ACCURACY, _PREDICT, _OCCLUSION = ch12_reading.EXERCISES

EXERCISES = (
    Exercise(
        name="12.flat_features",
        title="how many features are left?",
        prompt=r"""
An image of `size` × `size` pixels passes some blocks. Each block is a convolution (stride 1)
followed by a 2×2 max pool, and is given as `(out_channels, kernel_size, padding)`. How many numbers
per image come out when the result is flattened? There is one block at least.
""",
        stub='''
def my_flat_features(size, blocks):
    """Number of features of one image after the blocks, flattened."""
    raise NotImplementedError
''',
        hints=(
            "Follow one side of the image through the blocks: two lines per block.",
            "A convolution leaves `size + 2 * padding - kernel_size + 1`, the pool halves that and "
            "rounds down. At the end there are channels · size · size numbers.",
        ),
        solution="""
def my_flat_features(size, blocks):
    for channels, kernel_size, padding in blocks:
        size = size + 2 * padding - kernel_size + 1
        size = size // 2
    return channels * size * size
""",
        wrong=mistakes(r"""
? Padding adds pixels on both sides: 2·padding.
- 2 * padding >>> padding
? The padding is missing: it adds 2·padding pixels to each side length.
- size + 2 * padding >>> size
? A kernel of side k fits at size + 2·padding − k + 1 places; the + 1 is missing.
- kernel_size + 1 >>> kernel_size
? The kernel is missing: a convolution leaves size + 2·padding − k + 1 places.
- - kernel_size + 1 >>>
? The 2×2 pooling after each convolution halves the side, rounded down.
-         size = size // 2\n >>>
? Pooling rounds (size + 2·padding − k + 1) / 2 down each time: a row or column left over is dropped.
  Use //, with the + 1 before the halving.
- size // 2 >>> size / 2
- size // 2 >>> size / 2 && channels * size * size >>> int(channels * size * size)
- size // 2 >>> -(-size // 2)
- size // 2 >>> round(size / 2)
? The image has two sides: size · size pixels per channel.
- channels * size * size >>> channels * size
? Each pixel has as many features as the last convolution has channels.
- channels * size * size >>> size * size
? Only the channels of the last block are left at the end.
- for channels, kernel_size >>> total = 1\n    for channels, kernel_size
& // 2 >>> // 2\n        total *= channels && channels * size * size >>> total * size * size
- for channels, kernel_size >>> total = 0\n    for channels, kernel_size
& // 2 >>> // 2\n        total += channels && channels * size * size >>> total * size * size
- channels * size * size >>> blocks[0][0] * size * size
? Pooling halves each side, it does not take a quarter.
- size // 2 >>> size // 4
? Pooling comes once after each convolution, not once at the end.
-         size = size // 2\n >>>  && return >>> size = size // 2\n    return
? Only the first block counts: does the `return` stand inside the loop?
-     return channels >>>         return channels
? That is the side alone; the number of features is asked for.
- channels * size * size >>> size
? First the convolution, then the pool: in each block yours pools first.
-         size = size // 2\n >>>  && kernel_size + 1 >>> kernel_size + 1\n
& size + 2 * padding >>> size // 2 + 2 * padding
"""),
        cases=_flat_cases,
        closing="800 features for model B, 3136 for model A, and the next one you design yourself.",
        examples=(("my_flat_features(28, [(32, 3, 0), (32, 3, 0)])", "800"),),
    ),
    *ch12_model.EXERCISES,
    _ACCURACY,
    Exercise(
        name="12.confusion",
        title="the confusion matrix",
        prompt=r"""
Count the confusions: `C[i, j]` is the number of images that show an $i$ (row, `y`) and are read as
a $j$ (column, `y_hat`). `y` and `y_hat` are tensors of shape (N,) with whole numbers below
`num_classes`; a class may be missing in either.
""",
        stub='''
def my_confusion(y, y_hat, num_classes):
    """Counts of shape (num_classes, num_classes): row = true, column = predicted."""
    raise NotImplementedError
''',
        hints=(
            "Start from zeros and add 1 at `[true, predicted]` for each pair.",
            "A loop over `zip(y, y_hat)` is fine. Without a loop: "
            "`torch.bincount(y * num_classes + y_hat, minlength=num_classes**2)`, reshaped.",
        ),
        solution="""
def my_confusion(y, y_hat, num_classes):
    counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for true, predicted in zip(y, y_hat):
        counts[true, predicted] += 1
    return counts
""",
        wrong=mistakes(r"""
? Rows and columns are swapped: row = true digit, column = predicted digit.
- [true, predicted] >>> [predicted, true]
? A pair that occurs several times counts once: add 1 each time, in a loop. (Without a loop
  `C[y, y_hat] += 1` reads, adds and writes each place only once.)
-     for true, predicted in zip(y, y_hat):\n     >>>  && counts[true, predicted] >>> counts[y, y_hat]
- predicted] += 1 >>> predicted] = 1
? A class that never occurs still has its row and column of zeros.
- torch.zeros(num_classes, num_classes >>> torch.zeros(y.max() + 1, y.max() + 1
- torch.zeros(num_classes, num_classes >>> torch.zeros(max(y.max(), y_hat.max()) + 1, max(y.max(), y_hat.max()) + 1
- torch.zeros(num_classes, num_classes >>> torch.zeros(len(set(y.tolist())), len(set(y.tolist()))
? Counts are expected, not shares of each row.
- return counts >>> return counts / counts.sum(1, keepdim=True).clamp(min=1)
- return counts >>> return counts / counts.sum(1, keepdim=True)
? Counts are expected, not shares.
- return counts >>> return counts / counts.sum()
- return counts >>> return counts / len(y)
? That is only the diagonal: the right answers per class.
- return counts >>> return counts.diag()
? Only the right answers are counted: a confusion counts as well, beside the diagonal.
- counts[true, >>> if true == predicted:\n            counts[true,
? Only the confusions are counted: the right answers belong on the diagonal.
- counts[true, >>> if true != predicted:\n            counts[true,
? The count starts at 1: begin with zeros.
- torch.zeros >>> torch.ones
? Only the first pair counts: does the `return` stand inside the loop?
-     return counts >>>         return counts
? That is a long row: reshape it to (num_classes, num_classes).
- return counts >>> return counts.flatten()
? That is the number of confusions in all; the table is asked for.
- return counts >>> return (y != y_hat).sum()
"""),
        cases=_confusion_cases,
        kinds=("tensor",),
        closing="The diagonal holds the right answers; all beside it are confusions with a name.",
        examples=(
            (
                "my_confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]), 2)",
                "[[1, 0], [1, 1]]",
            ),
        ),
    ),
    _PREDICT,
    _OCCLUSION,
)
