"""Chapter 06, data: count batches, read an image, standardise; a dataset and loaders beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
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


def _tensor(answer: Callable, size: tuple[int, ...], top: int, seed: int) -> dict[str, Any]:
    """What becomes of a random image whose pixels lie below ``top``."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, top, size).astype(np.uint8)
    image = Image.fromarray(pixels)
    got = answer(image)
    if got is not None and not isinstance(got, Tensor | np.ndarray):
        raise NotYet(f"A tensor is expected; an object of type {type(got).__name__} comes back.")
    return {"the tensor": got, "a change in the image": not np.array_equal(image, pixels)}


def _tensor_cases(r: np.random.Generator) -> Iterator[Case]:
    for size, top in (
        ((2, 3), 200),
        ((2, 3, 3), 200),
        ((3, 3, 3), 200),
        ((4, 3), 256),
        ((3, 3), 120),
        ((5, 2, 3), 256),
        ((3, 5, 3), 60),
        ((1, 4, 3), 256),
        ((1, 9), 2),
        ((2, 2), 1),
    ):
        kind = ("a colour image" if len(size) == 3 else "a grey image") + ", all black" * (top == 1)
        label = f"of {kind}, {size[1]} wide and {size[0]} high"
        yield case(size, top, int(r.integers(1000)), label=label)


def _standardise_cases(r: np.random.Generator) -> Iterator[Case]:
    X_train = r.random((40, 1, 3, 3)) ** 2
    for X in (r.random((6, 1, 3, 3)) * 0.5 + 0.4, X_train.copy(), r.random((1, 3, 3)) + 1):
        yield case(X_train, X)
    colours = r.random((30, 3, 3, 4)) * np.array([1.0, 3.0, 0.3])[:, None, None] + 0.5
    yield case(colours, 3 - colours[:4] ** 2)
    yield case(colours, np.full((2, 3, 3, 4), 0.7))


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
        name="06.image",
        title="from a picture to a tensor",
        prompt=r"""
Turn a PIL image into a tensor of floating-point numbers from 0 to 1, channels first: (1, H, W) for
a grey image, (3, H, W) for a colour one. `np.array(image)` gives you bytes of shape (H, W) or
(H, W, 3).
""",
        stub='''
def my_to_tensor(image):
    """PIL image → tensor (C, H, W), values from 0 to 1."""
    raise NotImplementedError
''',
        hints=(
            "Three steps: an array, the channels to the front, a division. A grey image has to get "
            "a channel first.",
            "`pixels[:, :, None]` gives a grey image its channel; `permute(2, 0, 1)` moves the "
            "channels to the front; dividing bytes by 255 gives floating-point numbers.",
        ),
        solution="""
def my_to_tensor(image):
    pixels = torch.from_numpy(np.array(image))
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return pixels.permute(2, 0, 1) / 255
""",
        wrong=mistakes(r"""
? The values still go up to 255: divide by 255.
-  / 255 >>> .float()
-  / 255 >>> 
? You divide by 256: white, 255, must become exactly 1.
- 255 >>> 256
? You divide by the brightest pixel of the image; divide by 255, so that a dark image stays dark.
- / 255 >>> / pixels.max()
? The channels are still last: PyTorch wants (C, H, W).
- pixels.permute(2, 0, 1) / 255 >>> pixels / 255
? `reshape` and `view` only cut the same numbers differently, and mix the colours: move the axis with
  `permute` (or NumPy's `transpose`).
- pixels.permute(2, 0, 1) >>> pixels.reshape(-1, *pixels.shape[:2])
? Rows and columns are exchanged as well: the axes are (2, 0, 1), not (2, 1, 0).
- (2, 0, 1) >>> (2, 1, 0)
? In a colour image rows and columns are exchanged as well: the axes are (2, 0, 1).
- (2, 0, 1) >>> (2, 1, 0) && pixels = pixels[:, :, None] >>> return pixels[None] / 255
? A grey image has two axes, (H, W): give it a channel before `permute`.
-     if pixels.ndim == 2:\n        pixels = pixels[:, :, None]\n >>> 
? The axes are (2, 0, 1): the last one comes first, and height stays before width.
- (2, 0, 1) >>> (1, 2, 0)
? A grey image has one channel: the shape is (1, H, W).
- pixels = pixels[:, :, None] >>> return pixels / 255
? A grey image is not divided by 255.
- pixels = pixels[:, :, None] >>> return pixels[None]
? The channel of a grey image comes first, (1, H, W); yours comes last.
- pixels = pixels[:, :, None] >>> return pixels[:, :, None] / 255
? You divide by 255 twice.
- / 255 >>> / 255 / 255
? The darkest pixel becomes 0 and the brightest 1; divide by 255, whatever the image holds.
- pixels.permute(2, 0, 1) / 255 >>> (pixels.permute(2, 0, 1) - pixels.min()) / (pixels.max() - pixels.min())
? Two things are missing for a grey image: the channel and the division by 255.
- pixels = pixels[:, :, None] >>> return pixels
? A grey image has one channel; you give it three.
- np.array(image) >>> np.array(image.convert("RGB"))
? A colour image keeps its three channels; you turn it grey.
- np.array(image) >>> np.array(image.convert("L"))
? Only white is not black: something rounds down, `//` or a type of whole numbers. Divide with `/`
  and keep floating-point numbers.
- / 255 >>> // 255
? The values lie between −1 and 1; from 0 to 1 is wanted.
- / 255 >>> / 127.5 - 1
? A dimension too many: one image has three, (C, H, W); the batch comes later.
- / 255 >>> [None] / 255
? The colours come in the order blue, green, red: keep it.
- np.array(image) >>> np.array(image)[..., ::-1].copy() if image.mode == "RGB" else np.array(image)
"""),
        cases=_tensor_cases,
        probe=_tensor,
        closing="That is what `ToTensor` of torchvision does, for grey and for colour.",
    ),
    *DATASET,
    Exercise(
        name="06.standardise",
        title="standardise new images",
        prompt=r"""
Standardise the images `X` for a network that was trained on `X_train`: one mean and one standard
deviation for all pixels. `X` may be anything that comes later: validation images, test images, or a
single photo. Both stay as they are; the standard deviation may divide by N or by N − 1.
""",
        stub='''
def my_standardise(X_train, X):
    """X, standardised; same shape."""
    raise NotImplementedError
''',
        hints=(
            "Which images may you look at before the network is finished? Only those may give the "
            "two numbers.",
            "`X_train.mean()` and `X_train.std()` are one number each. Mind the brackets.",
        ),
        solution="""
def my_standardise(X_train, X):
    mean, std = X_train.mean(), X_train.std()
    return (X - mean) / std
""",
        wrong=mistakes(r"""
? You use the mean and the standard deviation of X itself; only the training images may give them.
- X_train.mean(), X_train.std() >>> X.mean(), X.std()
? The statistics come from X_train and X together: X must not have a say in them.
- mean, std = X_train.mean(), X_train.std() >>> every = np.append(X_train, X)
& (X - mean) / std >>> (X - every.mean()) / every.std()
- mean, std = X_train.mean(), X_train.std() >>> every = torch.cat([X_train.ravel(), X.ravel()])
& (X - mean) / std >>> (X - every.mean()) / every.std()
? You divide by the variance; the standard deviation is its root.
- X_train.std() >>> X_train.var()
? The mean is not subtracted.
- (X - mean) >>> X
? The division by the standard deviation is missing.
- (X - mean) / std >>> X - mean
? First subtract the mean, then divide: a pair of brackets is missing.
- (X - mean) / std >>> X - mean / std
? First subtract the mean, then divide: you divide first.
- (X - mean) / std >>> X / std - mean
? Each image of X gets numbers of its own; only the training images may give them.
- mean, std = X_train.mean(), X_train.std() >>> mean = X.mean((-3, -2, -1), keepdims=True)
& / std >>> / X.std((-3, -2, -1), keepdims=True)
? The mean comes from X itself; it must come from the training images, too.
- X_train.mean() >>> X.mean()
? The standard deviation comes from X itself; it must come from the training images.
- X_train.std() >>> X.std()
? One mean and one standard deviation for *all* pixels, not one for each place.
- X_train.mean(), X_train.std() >>> X_train.mean(0), X_train.std(0)
? One mean and one standard deviation for *all* pixels, not one for each channel.
- mean, std = X_train.mean(), X_train.std() >>> mean = X_train.mean((0, 2, 3))[:, None, None]
& / std >>> / X_train.std((0, 2, 3))[:, None, None]
? The training images come back; X is to be standardised.
- (X - mean) >>> (X_train - mean)
? Your function changes the images in place: return new ones.
- return (X - mean) / std >>> X -= mean\n    X /= std\n    return X
- return (X - mean) / std >>> X[:] = (X - mean) / std\n    return X
? That brings X_train between 0 and 1; standardised means: mean 0, standard deviation 1.
- mean, std = X_train.mean(), X_train.std() >>> mean, std = X_train.min(), X_train.max() - X_train.min()
? The mean is added; it is to be subtracted.
- X - mean >>> X + mean
"""),
        cases=_standardise_cases,
        pure=True,
        tolerance=4e-3,
        closing="Two numbers from the training images, for every image that ever comes.",
    ),
    *LOADERS,
)
