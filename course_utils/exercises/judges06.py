"""The checkers of chapter 06: small data with known answers, and what typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`. Those for
`DataLoader`s stand in ``judges06_loaders.py``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from course_utils.probing import (
    NotYet,
    as_array,
    attempt,
    compare,
    describe,
    need_class,
    need_function,
    same,
)

# --------------------------------------------------------------------------------- 06.count


def num_batches(n: int, batch_size: int, drop_last: bool, mistake: str = "") -> float:
    """Batches in an epoch, or the number that ``mistake`` gives."""
    return {
        "always whole": n // batch_size,
        "always up": math.ceil(n / batch_size),
        "one more": n // batch_size + (not drop_last),
        "swapped": math.ceil(n / batch_size) if drop_last else n // batch_size,
        "": n // batch_size if drop_last else math.ceil(n / batch_size),
    }[mistake]


COUNT_MISTAKES = {
    "swapped": "The two cases are swapped: `drop_last=True` leaves the short batch out.",
    "always whole": "Without `drop_last` the last short batch is handed out too: round up.",
    "always up": "With `drop_last` a last short batch is left out: round down.",
    "one more": "Where the batch size divides n, there is no short batch to be added.",
}


def check_count(answer: Any) -> str:
    """Exercise 06.count."""
    need_function(answer, "my_num_batches(n, batch_size, drop_last)")
    cases = (False, True)
    for n, batch_size in ((1257, 64), (1000, 64), (128, 64), (10, 3), (5, 8)):
        got = []
        for drop_last in cases:
            call = f"`my_num_batches({n}, {batch_size}, {drop_last})`"
            got.append(attempt(answer, n, batch_size, drop_last, call=call))
            if as_array(got[-1], call).size != 1:
                raise NotYet(f"{call} gives {describe(got[-1])}; one number is expected.")
            if not as_array(got[-1], call).item().is_integer():
                raise NotYet(
                    f"There are only whole batches, and {call} gives {describe(got[-1])}: round, "
                    "and think about which way."
                )
        # Both cases together: each alone could not tell a swap from rounding the wrong way.
        call = f"`my_num_batches({n}, {batch_size}, …)` without and with `drop_last`"
        mistakes = [
            ([num_batches(n, batch_size, case, kind) for case in cases], text)
            for kind, text in COUNT_MISTAKES.items()
        ]
        wanted = [num_batches(n, batch_size, case) for case in cases]
        compare([as_array(value, call).item() for value in got], wanted, call, mistakes)
    return "With MNIST's 60,000 images and batches of 64 that makes 938, the last one with 32."


# -------------------------------------------------------------------------------- 06.image


def to_tensor(pixels: np.ndarray, mistake: str = "") -> np.ndarray:
    """(H, W) or (H, W, C) bytes → (C, H, W) in [0, 1], or what ``mistake`` gives."""
    x = pixels[:, :, None] if pixels.ndim == 2 else pixels
    scale = {"not scaled": 1, "by 256": 256, "by the maximum": max(int(pixels.max()), 1)}
    if mistake == "channels last":
        return x / 255
    if mistake == "reshaped":
        return x.reshape(x.shape[2], *x.shape[:2]) / 255
    if mistake == "turned":
        return x.transpose(2, 1, 0) / 255
    return x.transpose(2, 0, 1) / scale.get(mistake, 255)


IMAGE_MISTAKES = {
    "not scaled": "The values still go up to 255: divide by 255.",
    "by 256": "You divide by 256: white, 255, must become exactly 1.",
    "by the maximum": "You divide by the brightest pixel of the image; divide by 255, so that "
    "a dark image stays dark.",
    "channels last": "The channels are still last: PyTorch wants (C, H, W).",
    "reshaped": "`reshape` only cuts the same numbers differently, and mixes the colours: move "
    "the axis with `permute` (or NumPy's `transpose`).",
    "turned": "Rows and columns are exchanged as well: the axes are (2, 0, 1), not (2, 1, 0).",
}


def check_image(answer: Any) -> str:
    """Exercise 06.image."""
    from PIL import Image

    need_function(answer, "my_to_tensor(image)")
    rng = np.random.default_rng(0)
    sizes = {"a grey image": (2, 3), "a colour image": (2, 3, 3), "a small colour image": (3, 3, 3)}
    for name, size in sizes.items():
        pixels = rng.integers(0, 200, size).astype(np.uint8)
        image = Image.fromarray(pixels)
        call = f"`my_to_tensor(image)` of {name}, {image.width} wide and {image.height} high,"
        got = attempt(answer, image, call=call)
        if not np.array_equal(np.asarray(image), pixels):
            raise NotYet("The image itself was changed: work on a copy.")
        mistakes = [(to_tensor(pixels, kind), text) for kind, text in IMAGE_MISTAKES.items()]
        if len(size) == 2:
            mistakes.append((pixels / 255, "A grey image has one channel: the shape is (1, H, W)."))
            mistakes.append(
                (pixels, "Two things are missing: the channel and the division by 255.")
            )
        if not isinstance(got, Tensor | np.ndarray):
            as_array(got, call)  # None and the like have messages of their own
            raise NotYet(f"{call} gives {describe(got)}; a tensor is expected.")
        compare(got, to_tensor(pixels), call, mistakes)
    return "That is what `ToTensor` of torchvision does, for grey and for colour."


# ------------------------------------------------------------------------------ 06.dataset


def check_dataset(answer: Any) -> str:
    """Exercise 06.dataset."""
    need_class(answer, "MyDataset", "__getitem__")
    X = torch.arange(12.0).reshape(4, 1, 3)
    y = torch.tensor([3, 1, 4, 1])
    call = "`MyDataset(X, y)`"
    plain = attempt(answer, X.clone(), y.clone(), call=call)
    if not callable(getattr(answer, "__len__", None)):
        raise NotYet("`len(dataset)` does not work: the class has no method `__len__`.")
    length = attempt(len, plain, call="`len(dataset)`")
    if length != 4:
        raise NotYet(f"`len(dataset)` gives {length} for 4 images.")
    for i in (0, 2):
        _compare_pair(attempt(plain.__getitem__, i, call=f"`dataset[{i}]`"), X[i], y[i], i, "")
    _check_transform(answer, X, y)
    if not issubclass(answer, Dataset):
        raise NotYet("It works. Now say what it is: `class MyDataset(Dataset)`.")
    return "A `DataLoader` takes it as it is, and each epoch sees other versions of the images."


def _check_transform(answer: Any, X: Tensor, y: Tensor) -> None:
    given: list[Any] = []

    def counted(image: Any) -> Any:
        """Adds 100, 200, 300 … so that each call can be told from the others."""
        given.append(image)
        return image + 100 * len(given)

    call = "`MyDataset(X, y, transform)`"
    before = X.clone()
    dataset = attempt(answer, X, y, counted, call=call)
    if given:
        raise NotYet(
            "The transform is already called in `__init__`, once for all: then a random one gives "
            "the same image in every epoch. Call it in `__getitem__`."
        )
    for time, i in enumerate((1, 3, 1), start=1):
        where = f" with a transform that adds {100 * time}"
        pair = attempt(dataset.__getitem__, i, call=f"`dataset[{i}]`{where}")
        if len(given) < time:
            if time == 3:
                raise NotYet("The second `dataset[1]` gives the first one's image: transform anew.")
            raise NotYet("The transform is never called.")
        if len(given) > time:
            raise NotYet("The transform must be called once per item, for the image alone.")
        if tuple(getattr(given[-1], "shape", ())) != (1, 3):
            raise NotYet("The transform must get one image, here of shape (1, 3).")
        _compare_pair(pair, before[i] + 100 * time, y[i], i, where, before[i])
        if not torch.equal(X, before):
            raise NotYet("`__getitem__` changes the stored images: the next epoch gets them twice.")


def _compare_pair(
    pair: Any, image: Tensor, label: Tensor, i: int, where: str, untouched: Tensor | None = None
) -> None:
    call = f"`dataset[{i}]`{where}"
    if pair is None:
        raise NotYet(f"{call} gives None. Is a `return` missing?")
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise NotYet(f"{call} gives {describe(pair)}; a pair (image, label) is expected.")
    if same(as_array(pair[0], call), label) and same(as_array(pair[1], call), image):
        raise NotYet("Image and label are exchanged: the image comes first.")
    mistakes = []
    if untouched is not None:
        mistakes.append((untouched, "The transformed image is not what you return."))
    compare(pair[0], image, f"{call}, the image,", mistakes)
    if untouched is not None and as_array(pair[1], call).size == 1:
        if float(as_array(pair[1], call)) != float(label):
            raise NotYet("The label went through the transform: only the image should.")
    compare(pair[1], label, f"{call}, the label,")


# -------------------------------------------------------------------------- 06.standardise


def standardise(X_train: np.ndarray, X: np.ndarray, mistake: str = "", ddof: int = 1) -> np.ndarray:
    """(X - mean) / std with the numbers of the training images, or what ``mistake`` gives.

    ``ddof`` 1 is PyTorch's std (divides by N - 1), 0 is NumPy's (by N).
    """
    source = {"own": X, "both": np.concatenate([X_train, X])}.get(mistake, X_train)
    mean, std = source.mean(), source.std(ddof=ddof)
    if mistake == "variance":
        return (X - mean) / std**2
    if mistake == "no mean":
        return X / std
    if mistake == "no std":
        return X - mean
    if mistake == "order":
        return X / std - mean
    if mistake == "brackets":
        return X - mean / std
    if mistake == "per image":
        axes = tuple(range(1, X.ndim))
        return (X - X.mean(axes, keepdims=True)) / X.std(axes, ddof=ddof, keepdims=True)
    if mistake == "own mean":
        return (X - X.mean()) / std
    if mistake == "own std":
        return (X - mean) / X.std(ddof=ddof)
    if mistake == "per pixel":
        with np.errstate(all="ignore"):
            return (X - X_train.mean(0)) / X_train.std(0, ddof=ddof)
    return (X - mean) / std


STANDARDISE_MISTAKES = {
    "own": "You use the mean and the standard deviation of X itself; only the training images may "
    "give them.",
    "both": "The statistics come from X_train and X together: X must not have a say in them.",
    "variance": "You divide by the variance; the standard deviation is its root.",
    "no mean": "The mean is not subtracted.",
    "no std": "The division by the standard deviation is missing.",
    "order": "First subtract the mean, then divide: a pair of brackets is missing.",
    "brackets": "First subtract the mean, then divide: a pair of brackets is missing.",
    "per image": "Each image of X gets numbers of its own; only the training images may give them.",
    "own mean": "The mean comes from X itself; it must come from the training images, too.",
    "own std": "The standard deviation comes from X itself; it must come from the training images.",
    "per pixel": "One mean and one standard deviation for *all* pixels, not one for each place.",
}


def check_standardise(answer: Any) -> str:
    """Exercise 06.standardise."""
    need_function(answer, "my_standardise(X_train, X)")
    rng = np.random.default_rng(1)
    X_train = rng.random((40, 1, 3, 3)) ** 2
    for name, X in (("darker images", rng.random((6, 1, 3, 3)) * 0.5 + 0.4), ("X_train", X_train)):
        call = f"`my_standardise(X_train, X)` for {name}"
        given = X_train.copy(), X.copy()
        got = attempt(answer, *given, call=call)
        if not (np.array_equal(given[0], X_train) and np.array_equal(given[1], X)):
            raise NotYet("Your function changes the images in place: return new ones.")
        if same(as_array(got, call), standardise(X_train, X, ddof=0)):
            continue
        mistakes = [
            (standardise(X_train, X, kind, ddof), text)
            for kind, text in STANDARDISE_MISTAKES.items()
            for ddof in (1, 0)
            if X is not X_train or not kind.startswith(("own", "both"))
        ]
        compare(got, standardise(X_train, X), call, mistakes)
    return "Two numbers from the training images, for every image that ever comes."
