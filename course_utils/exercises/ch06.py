"""Chapter 06, data: count batches, write an image, sum up a data set; loaders beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.exercises.ch06_dataset import EXERCISES as DATASET
from course_utils.exercises.ch06_loaders import EXERCISES as LOADERS
from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes


def _count_cases(r: np.random.Generator) -> Iterator[Case]:
    for n, batch_size in ((128, 64), (10, 3), (5, 8), (7, 7), (11, 1), (1, 4), (1000, 64)):
        yield case(n, batch_size, False)
        yield case(n, batch_size, True)
    for n, batch_size in r.integers(1, (2000, 90), (4, 2)).tolist():
        yield case(n, batch_size, False)
        yield case(n, batch_size, True)


def _picture(answer: Callable, x: Any) -> dict[str, Any]:
    """What becomes of the image ``x``, of what type it is, and whether ``x`` is still the same."""
    before = x.clone()
    got = answer(x)
    if got is not None and not isinstance(got, Tensor | np.ndarray):
        raise NotYet(
            f"A tensor or an array is expected; an object of type {type(got).__name__} comes back."
        )
    return {
        "the picture": got,
        "numbers of type uint8": str(getattr(got, "dtype", "")).endswith("uint8"),
        "a change in `x`": not torch.equal(x, before),
    }


def _picture_cases(r: np.random.Generator) -> Iterator[Case]:
    for size, low, high in (
        ((1, 2, 3), 0, 200),
        ((3, 2, 3), 0, 200),
        ((3, 3, 3), 40, 256),
        ((1, 4, 2), -60, 300),
        ((3, 1, 4), -90, 340),
        ((3, 5, 2), 30, 90),
        ((1, 3, 3), -200, 100),
        ((1, 3, 3), 150, 600),
        ((1, 1, 4), 0, 256),
        ((1, 3, 1), 0, 256),
        ((3, 2, 1), 0, 256),
    ):
        bytes_ = r.integers(low, high, size) + r.choice([-0.3, 0.0, 0.4], size)
        shape = "a colour image" if size[0] == 3 else "a grey image"
        beyond = " with values beyond 0 and 1" * (low < 0 or high > 256)
        label = f"of {shape}, {size[2]} wide and {size[1]} high{beyond}"
        yield case(bytes_ / 255, label=label)


def _statistics_cases(r: np.random.Generator) -> Iterator[tuple]:
    for sizes, shape, levels in (
        ((20, 20, 7), (1, 6, 6), [0.3]),
        ((16, 16, 5), (3, 6, 5), [0.5, 0.2, 0.8]),
        ((25,), (2, 7, 4), [0.4, 0.1]),
        ((30, 3), (3, 4, 8), [0.7, 0.3, 0.0]),
    ):
        batches = []
        for n, shift in zip(sizes, (0.0, 0.5, -0.9), strict=False):
            spread = r.uniform(0.1, 0.6, (shape[0], 1, 1))
            means = np.array(levels)[:, None, None] + shift
            batches.append(means + spread * r.normal(size=(n, *shape)))
        yield (batches,)


EXERCISES = (
    Exercise(
        name="06.count",
        title="count the iterations",
        prompt=r"""
How many batches does a loader hand out in one epoch? There are `n` samples; `drop_last` says
whether a last short batch is left out.
""",
        stub='''
def my_num_batches(n, batch_size, drop_last):
    """Number of batches in one epoch, a whole number."""
    raise NotImplementedError
''',
        hints=(
            "One of the two cases rounds n / batch_size down, the other one up.",
            "`n // batch_size` rounds down. For up, `math.ceil(n / batch_size)`, or the trick "
            "`-(-n // batch_size)`: rounding down the negative number.",
        ),
        solution="""
def my_num_batches(n, batch_size, drop_last):
    if drop_last:
        return n // batch_size
    return -(-n // batch_size)
""",
        wrong=mistakes(r"""
? The two cases are swapped: `drop_last=True` leaves the short batch out.
- if drop_last >>> if not drop_last
? Without `drop_last` the last short batch is handed out too: round up.
- -(-n // batch_size) >>> n // batch_size
? With `drop_last` a last short batch is left out: round down.
- return n // batch_size >>> return -(-n // batch_size)
? Where the batch size divides n, there is no short batch to be added.
- -(-n // batch_size) >>> n // batch_size + 1
? There are only whole batches: round, and think about which way.
- -(-n // batch_size) >>> n / batch_size
- return n // batch_size >>> return n / batch_size && -(-n // batch_size) >>> n / batch_size
? `round` goes to the nearest whole number: a short batch would count if it is at least half full.
- return n // batch_size >>> return round(n / batch_size) && -(-n // batch_size) >>> round(n / batch_size)
- return n // batch_size >>> return round(n / batch_size)
- -(-n // batch_size) >>> round(n / batch_size)
? With `drop_last` one batch less is given even where the last one is full.
- return n // batch_size >>> return -(-n // batch_size) - 1
- return n // batch_size >>> return max(0, (n - 1) // batch_size)
? Fewer samples than one batch make no batch with `drop_last`.
- return n // batch_size >>> return max(1, n // batch_size)
? That is what is left over for the last batch; the number of batches is wanted.
- return n // batch_size >>> return n % batch_size && -(-n // batch_size) >>> n % batch_size
? The sign is wrong: a number of batches is never negative.
- -(-n // batch_size) >>> -n // batch_size
? That is the number of samples that are handed out, not of batches.
- return n // batch_size >>> return n // batch_size * batch_size && -(-n // batch_size) >>> n
"""),
        cases=_count_cases,
        closing="With MNIST's 60,000 images and batches of 64 that makes 938, the last one with "
        "32.",
        examples=(
            ("my_num_batches(1257, 64, False)", "20"),
            ("my_num_batches(1257, 64, True)", "19"),
        ),
    ),
    Exercise(
        name="06.picture",
        title="back to a picture",
        prompt=r"""
The way back: `x` is a tensor of floating-point numbers, shape (1, H, W) for a grey image or
(3, H, W) for a colour one; 0 is black, 1 is full light. Return bytes (a tensor or an array of type
uint8) as a picture file has them: shape (H, W) or (H, W, 3), each value rounded to the nearest
whole number from 0 to 255. What lies below 0 or above 1 becomes 0 or 255. `x` stays as it is.
""",
        stub='''
def my_to_picture(x):
    """Tensor (C, H, W), 0 to 1 → bytes (H, W) or (H, W, 3), 0 to 255."""
    raise NotImplementedError
''',
        hints=(
            "Section 2.2 backwards: multiply, cut off, round, make bytes of it, move the axis. A "
            "grey image has to lose its channel.",
            "`clamp(0, 1)` cuts off, `round()` rounds, `to(torch.uint8)` makes bytes. The first "
            "axis becomes the last: `permute(1, 2, 0)`.",
        ),
        solution="""
def my_to_picture(x):
    pixels = (x.clamp(0, 1) * 255).round().to(torch.uint8)
    if len(pixels) == 1:
        return pixels[0]
    return pixels.permute(1, 2, 0)
""",
        wrong=mistakes(r"""
? The fraction is cut off: round to the nearest whole number first.
- .round() >>> 
? Values below 0 or above 1 do not fit into a byte and come out as something else: cut them off
  first.
- .clamp(0, 1) >>> 
- x.clamp(0, 1) >>> x.clamp(min=0)
- x.clamp(0, 1) >>> x.clamp(max=1)
? You multiply by 256: 1 must become 255.
- * 255 >>> * 256
? Bytes go up to 255: multiply before you round.
-  * 255 >>> 
? Rounding comes last: multiply by 255 first.
- (x.clamp(0, 1) * 255).round() >>> (x.clamp(0, 1).round() * 255)
? The channels are still first: a picture has shape (H, W, 3).
- pixels.permute(1, 2, 0) >>> pixels
? `reshape` and `view` cut the same numbers differently, and mix the colours: move the axis with
  `permute`.
- pixels.permute(1, 2, 0) >>> pixels.reshape(*pixels.shape[1:], 3)
? Rows and columns are exchanged: height comes before width.
- permute(1, 2, 0) >>> permute(2, 1, 0)
? A grey picture has the shape (H, W), without a channel.
-     if len(pixels) == 1:\n        return pixels[0]\n >>> 
- return pixels[0] >>> return pixels
? `squeeze()` drops every axis of length 1, also where a picture is one pixel high or wide.
- pixels[0] >>> pixels.squeeze()
-     if len(pixels) == 1:\n        return pixels[0]\n >>> 
& pixels.permute(1, 2, 0) >>> pixels.permute(1, 2, 0).squeeze()
? The numbers are right, but they are no bytes: make their type uint8.
- .to(torch.uint8) >>> 
- torch.uint8 >>> torch.int64
? The darkest pixel becomes 0 and the brightest 255: keep the light of the picture, 0 to 1.
- x.clamp(0, 1) >>> (x - x.min()) / (x.max() - x.min())
? You divide by the brightest pixel: a dark picture is to stay dark.
- x.clamp(0, 1) >>> x.clamp(0, 1) / x.max()
? Your function changes `x`: a method whose name ends in `_` works in place.
- x.clamp(0, 1) * 255 >>> x.clamp_(0, 1) * 255
- x.clamp(0, 1) * 255 >>> x.clamp_(0, 1).mul_(255)
? A colour picture keeps its three channels.
- pixels.permute(1, 2, 0) >>> pixels[0]
? Black and white are exchanged.
- * 255 >>> * -255 + 255
? The colours come in the order blue, green, red: keep it.
- permute(1, 2, 0) >>> permute(1, 2, 0).flip(2)
? That always rounds up; take the nearest whole number.
- .round() >>> .ceil()
"""),
        cases=_picture_cases,
        probe=_picture,
        kinds=("tensor",),
        closing="`Image.fromarray` makes a picture of it, and `save` a file.",
    ),
    *DATASET,
    Exercise(
        name="06.statistics",
        title="two numbers, batch by batch",
        prompt=r"""
A training set of colour images does not fit into memory. It comes as a list `batches` of tensors
(N, C, H, W); N may differ from batch to batch, the rest does not. Return the pair (mean, std) for
standardising: for each channel one mean and one standard deviation over **all** pixels of all
images, both of shape (C,). The standard deviation may divide by the number of pixels or by one
less. The batches stay as they are.
""",
        stub='''
def my_statistics(batches):
    """(mean, std), each of shape (C,), over all images of all batches."""
    raise NotImplementedError
''',
        hints=(
            "The mean of the batches' means is wrong when the batches differ in size, and so is "
            "the mean of their standard deviations. Add up sums, and divide once.",
            "Add up the number of pixels, their sum and the sum of their squares: "
            "`batch.sum((0, 2, 3))` has one entry for each channel. The variance is the mean of "
            "the squares minus the square of the mean.",
        ),
        solution="""
def my_statistics(batches):
    n, total, squares = 0, 0, 0
    for batch in batches:
        n += batch.shape[0] * batch.shape[2] * batch.shape[3]
        total = total + batch.sum((0, 2, 3))
        squares = squares + (batch**2).sum((0, 2, 3))
    mean = total / n
    return mean, (squares / n - mean**2) ** 0.5
""",
        wrong=mistakes(r"""
? You average the means of the batches: a short batch must count less.
def my_statistics(batches):
    mean = sum(batch.mean((0, 2, 3)) for batch in batches) / len(batches)
    squares = sum((batch**2).mean((0, 2, 3)) for batch in batches) / len(batches)
    return mean, (squares - mean**2) ** 0.5
? The means and the standard deviations of the batches cannot be averaged: add up sums, and divide
  once.
def my_statistics(batches):
    mean = sum(batch.mean((0, 2, 3)) for batch in batches) / len(batches)
    return mean, sum(batch.std((0, 2, 3)) for batch in batches) / len(batches)
? The mean is right. The standard deviations of the batches cannot be averaged: they know nothing
  of the distances between the batches.
def my_statistics(batches):
    sizes = [len(batch) for batch in batches]
    mean = sum(n * batch.mean((0, 2, 3)) for n, batch in zip(sizes, batches)) / sum(sizes)
    std = sum(n * batch.std((0, 2, 3)) for n, batch in zip(sizes, batches)) / sum(sizes)
    return mean, std
def my_statistics(batches):
    sizes = [len(batch) for batch in batches]
    mean = sum(n * batch.mean((0, 2, 3)) for n, batch in zip(sizes, batches)) / sum(sizes)
    var = sum(n * batch.var((0, 2, 3)) for n, batch in zip(sizes, batches)) / sum(sizes)
    return mean, var**0.5
def my_statistics(batches):
    sizes = [len(batch) for batch in batches]
    mean = sum(n * batch.mean((0, 2, 3)) for n, batch in zip(sizes, batches)) / sum(sizes)
    return mean, sum(batch.std((0, 2, 3)) for batch in batches) / len(batches)
? That is the variance; the standard deviation is its root.
- (squares / n - mean**2) ** 0.5 >>> squares / n - mean**2
? The square of the mean is not subtracted: the standard deviation is the scatter around the mean.
- squares / n - mean**2 >>> squares / n
? The mean itself is subtracted; it is its square.
- mean**2 >>> mean
? You divide by the number of images; each has many pixels.
- batch.shape[0] * batch.shape[2] * batch.shape[3] >>> len(batch)
- batch.shape[0] * batch.shape[2] * batch.shape[3] >>> batch.shape[0]
& (squares / n - mean**2) ** 0.5 >>> abs(squares / n - mean**2) ** 0.5
? You divide by the pixels of all channels together; each channel has its own mean.
- batch.shape[0] * batch.shape[2] * batch.shape[3] >>> batch.size
- batch.shape[0] * batch.shape[2] * batch.shape[3] >>> batch.numel()
? One mean and one standard deviation for *each channel*, not one for all.
def my_statistics(batches):
    n = sum(batch.shape[0] * batch.shape[1] * batch.shape[2] * batch.shape[3] for batch in batches)
    mean = sum(batch.sum() for batch in batches) / n
    return mean, (sum((batch**2).sum() for batch in batches) / n - mean**2) ** 0.5
? One mean and one standard deviation for each channel, not for each place of the picture.
def my_statistics(batches):
    n = sum(len(batch) for batch in batches)
    mean = sum(batch.sum(0) for batch in batches) / n
    return mean, (sum((batch**2).sum(0) for batch in batches) / n - mean**2) ** 0.5
? Only the last batch counts: add up over all of them.
- total = total + >>> total = && squares = squares + >>> squares = && n += >>> n =
? Only the first batch counts: is something returned inside the loop?
-     mean = total / n\n >>>         mean = total / n\n && return mean, >>>     return mean,
? The sums of the last batch alone are divided by all pixels.
- total = total + >>> total = && squares = squares + >>> squares =
& (squares / n - mean**2) ** 0.5 >>> abs(squares / n - mean**2) ** 0.5
- total = total + >>> total = && squares = squares + >>> squares =
? The last batch is left out: it counts, whatever its size.
- in batches >>> in batches[:-1] or batches
? Mean and standard deviation are exchanged: the mean comes first.
- return mean, (squares / n - mean**2) ** 0.5 >>> return (squares / n - mean**2) ** 0.5, mean
? A pair is wanted, the mean and the standard deviation; one of them comes back.
- return mean, (squares / n - mean**2) ** 0.5 >>> return mean
- return mean, (squares / n - mean**2) ** 0.5 >>> return (squares / n - mean**2) ** 0.5
? Sums come back: divide them by the number of pixels.
- return mean, (squares / n - mean**2) ** 0.5 >>> return total, squares
? Your function changes the batches themselves.
- (batch**2).sum >>> np.square(batch, out=batch).sum
- (batch**2).sum >>> batch.mul_(batch).sum
"""),
        cases=_statistics_cases,
        pure=True,
        tolerance=4e-3,
        closing="Three running sums are enough for a set of any size.",
    ),
    *LOADERS,
)
