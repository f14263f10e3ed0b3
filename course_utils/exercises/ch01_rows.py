"""Chapter 01: one-hot rows, columns to a common scale, images from 0 to 1."""

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


def _image_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([[[0.25, 0.5], [0.75, 0.25]], [[4.0, -1.0], [1.5, 0.0]]]))
    for shape in ((3, 2, 4), (1, 3, 2), (4, 4, 4), (5, 2, 6), (2, 1, 3), (3, 3, 1), (2, 3, 2)):
        scale, shift = r.uniform(0.2, 5, (shape[0], 1, 1)), r.normal(size=(shape[0], 1, 1))
        yield case(r.normal(size=shape) * scale + 3 * shift)


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
        name="01.contrast",
        title="each image from 0 to 1",
        prompt=r"""
`images` of shape (N, H, W), a tensor or an array, is a batch of grey images; some are pale, some
dark. Stretch each image on its own, so that its smallest entry becomes 0 and its largest 1: every
entry $v$ of an image becomes $(v - v_\text{min}) / (v_\text{max} - v_\text{min})$. The shape stays,
and no image is the same everywhere. No loops, no change of `images`.
""",
        stub='''
def my_contrast(images):
    """The batch (N, H, W), every image stretched to the range from 0 to 1."""
    raise NotImplementedError
''',
        hints=(
            "One smallest entry for each image: which two dimensions must go? And what must be "
            "left of them, so that (N, H, W) fits against it?",
            "Two dimensions at once are a tuple, and they stay with size 1: `keepdim=True` for "
            "PyTorch's `amin` and `amax`, `keepdims=True` for NumPy's `min` and `max`.",
        ),
        solution="""
def my_contrast(images):
    images = torch.as_tensor(images)
    low = images.amin((1, 2), keepdim=True)
    high = images.amax((1, 2), keepdim=True)
    return (images - low) / (high - low)
""",
        wrong=mistakes(r"""
? You took one range for the whole batch: each image needs its own smallest and largest entry.
- amin((1, 2), keepdim=True) >>> min() && amax((1, 2), keepdim=True) >>> max()
def my_contrast(images):
    return (images - images.min()) / (images.max() - images.min())
? Each row was stretched on its own: the smallest and the largest entry are those of a whole image,
  over two dimensions.
- amin((1, 2) >>> amin(2 && amax((1, 2) >>> amax(2
? Each column was stretched on its own: the smallest and the largest entry are those of a whole
  image, over two dimensions.
- amin((1, 2) >>> amin(1 && amax((1, 2) >>> amax(1
? Each place was compared with the same place in the other images: dimension 0 counts the images,
  and must stay.
- amin((1, 2) >>> amin(0 && amax((1, 2) >>> amax(0
? Dimension 0 counts the images: it must stay, and the two others go.
- amin((1, 2) >>> amin((0, 1) && amax((1, 2) >>> amax((0, 1)
- amin((1, 2) >>> amin((0, 2) && amax((1, 2) >>> amax((0, 2)
? The smallest and largest entries have lost their dimensions: shape (N,) meets the *columns*. Keep
  both with size 1.
- amin((1, 2), keepdim=True) >>> amin((1, 2)) && amax((1, 2), keepdim=True) >>> amax((1, 2))
def my_contrast(images):
    low, high = images.min(axis=(1, 2)), images.max(axis=(1, 2))
    return (images - low) / (high - low)
? They have one dimension of size 1, and need two: (N, 1) meets the rows and columns of an image.
- amin((1, 2), keepdim=True) >>> amin((1, 2))[:, None]
& amax((1, 2), keepdim=True) >>> amax((1, 2))[:, None]
? The division is missing: the largest entry must become 1.
- (images - low) / (high - low) >>> images - low
? The smallest entry is not taken away: it must become 0.
- return (images - low) >>> return images
- (images - low) / (high - low) >>> images / high
? Divide by the distance between the largest and the smallest entry, not by the largest itself.
- / (high - low) >>> / high
? It is inside out: the smallest entry becomes 1 and the largest 0.
- (images - low) / (high - low) >>> (high - images) / (high - low)
? The sign is turned: the largest entry becomes −1.
- / (high - low) >>> / (low - high)
? Take the smallest entry away first and divide the difference: parentheses are missing.
- (images - low) / (high - low) >>> images - low / (high - low)
- (images - low) / (high - low) >>> (images - low) / high - low
? It changes `images` in place: `images -= …` writes into the caller's batch. Write into a new one.
- return (images - low) / (high - low) >>> images -= low\n    images /= high - low\n    return images
? That brings each image to mean 0 and standard deviation 1; asked is the range from 0 to 1.
- low = images.amin( >>> low = images.mean( && high - low >>> images.std((1, 2), keepdim=True)
- low = images.amin( >>> low = images.mean(
& high - low >>> images.std((1, 2), keepdim=True, correction=0)
? What lies outside 0 and 1 was cut off; asked is to stretch, so that all entries keep their order.
- (images - low) / (high - low) >>> images.clamp(0, 1)
? The range of the first image was used for all: each needs its own.
- images.amin((1, 2), keepdim=True) >>> images[0].min()
& images.amax((1, 2), keepdim=True) >>> images[0].max()
? The range goes from −1 to 1; asked is from 0 to 1.
- return (images - low) / (high - low) >>> return 2 * (images - low) / (high - low) - 1
? That makes each image sum to 1; asked is its range, from 0 to 1.
- (images - low) / (high - low) >>> images / images.sum((1, 2), keepdim=True)
? The shape must stay (N, H, W).
- return (images - low) / (high - low) >>> return ((images - low) / (high - low)).flatten(1)
- return (images - low) / (high - low) >>> return ((images - low) / (high - low)).flatten()
- return (images - low) / (high - low) >>> return ((images - low) / (high - low))[0]
? These are the widths of the ranges; divide the images by them.
- return (images - low) / (high - low) >>> return high - low
"""),
        cases=_image_cases,
        pure=True,
        rules=(no_loop,),
        closing="(N, H, W) against (N, 1, 1): every image met its own range.",
        examples=(
            (
                "my_contrast(torch.tensor([[[1.0, 2.0], [3.0, 5.0]]]))",
                "[[[0.0, 0.25], [0.5, 1.0]]]",
            ),
        ),
    ),
)
