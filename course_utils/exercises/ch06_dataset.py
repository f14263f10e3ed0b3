"""Chapter 06, a dataset with a transform."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.probes import made
from course_utils.exercises.values import canonical


def _dataset(answer: Callable, shape: tuple[int, ...], change: Callable) -> dict[str, Any]:
    """Items without and with a transform; a second dataset is made in between."""
    X = torch.arange(4.0 * np.prod(shape)).reshape(4, *shape)
    y, before = torch.tensor([3, 1, 4, 1]), X.clone()
    plain, other = made(answer, X, y), made(answer, X + 50, y + 50)
    if not hasattr(type(plain), "__len__"):
        raise NotYet("`len(dataset)` does not work: the class has no method `__len__`.")
    seen: dict[str, Any] = {"`len(dataset)`": len(plain), "`dataset[0]`": plain[0]}
    seen |= {"`dataset[2]`": plain[2], "`dataset[1]` of a second one": other[1]}
    seen["the length of a second one with 3 images"] = len(made(answer, X[:3], y[:3]))
    given: list[Any] = []

    def transform(image: Any) -> Any:
        """Adds 100, 200, 300 … so that each call can be told from the others."""
        given.append(canonical(image))
        return change(image) + 100 * len(given)

    try:
        keyword = "transform" in inspect.signature(answer).parameters
    except (TypeError, ValueError):
        keyword = False
    dataset = answer(X, y, transform=transform) if keyword else answer(X, y, transform)
    seen["the number of calls of the transform in `__init__`"] = len(given)
    calls = []
    for i in (1, 3, 1):
        now = canonical(dataset[i])  # the pair may look into the stored images, which may change
        seen[f"`dataset[{i}]` with a transform" + ", again" * bool(calls and i == 1)] = now
        calls.append(len(given))
    return seen | {
        "the number of calls of the transform after 1, 2 and 3 items": calls,
        "what the transform gets": given,
        "a change in the stored images": not torch.equal(X, before),
        "a dataset for PyTorch": isinstance(plain, Dataset),
    }


def _dataset_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case((1, 3), lambda image: image, label="with 4 images of shape (1, 3)")
    yield case((2, 2, 3), lambda image: -image, label="with 4 images of shape (2, 2, 3)")


EXERCISES = (
    Exercise(
        name="06.dataset",
        title="a dataset with a transform",
        prompt=r"""
Write a `Dataset` that holds images `X` and labels `y`. `dataset[i]` gives the pair (image, label).
If there is a `transform`, a function of one image, it is applied to the image **each time** the
image is asked for, so that a random one gives something new in every epoch.
""",
        stub='''
class MyDataset(Dataset):
    def __init__(self, X, y, transform=None):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError

    def __getitem__(self, index):
        """The pair (image, label)."""
        raise NotImplementedError
''',
        hints=(
            "`__init__` only keeps what it is given. The transform belongs into the method that is "
            "called for each item.",
            "In `__getitem__`: take the image, call `self.transform` on it unless that is None, "
            "and return the pair. The label stays as it is.",
        ),
        solution="""
class MyDataset(Dataset):
    def __init__(self, X, y, transform=None):
        self.X, self.y, self.transform = X, y, transform

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        image = self.X[index]
        if self.transform is not None:
            image = self.transform(image)
        return image, self.y[index]
""",
        wrong=mistakes(r"""
? The transform is already called in `__init__`, once for all: then a random one gives the same
  image in every epoch. Call it in `__getitem__`.
- y, transform\n >>> y, None\n        if transform:\n            self.X = torch.stack([transform(x) for x in X])\n
? The transform is called once for all images in `__init__`; it takes one image, in `__getitem__`.
- y, transform\n >>> y, None\n        if transform:\n            self.X = transform(X)\n
? The transformed image is not what you return.
- image = self.transform(image) >>> self.transform(image)
- return image, self >>> return self.X[index], self
? `__getitem__` changes the stored images: the next epoch gets them twice.
- image = self.transform(image) >>> image = self.X[index] = self.transform(image)
- image = self.transform(image) >>> image[:] = self.transform(image)
- self.X, self.y, self.transform = X, y, >>> self.X, self.y, self.transform = X.clone(), y,
& image = self.transform(image) >>> image = self.X[index] = self.transform(image)
- self.X, self.y, self.transform = X, y, >>> self.X, self.y, self.transform = X.clone(), y,
& image = self.transform(image) >>> self.X[index] = self.transform(image)
? The first result is kept, so the second `dataset[1]` gives the first one's image: transform anew.
- return image, self >>> return vars(self).setdefault(f"kept{index}", image), self
-             image = self >>>             if index not in vars(self):\n                vars(self)[index] = self
& (image)\n >>> (image)\n            image = vars(self)[index]\n
? The transform must be called once per item, for the image alone.
- self.y[index] >>> (self.transform or (lambda v: v))(self.y[index])
? The transform is called twice for one item.
- image = self.transform(image) >>> image = self.transform(self.transform(image))
? The transform is never called.
- y, transform\n >>> y, None\n
-             image = self.transform(image) >>>             pass
? A pair (image, label) is expected: the label is missing.
- image, self.y[index] >>> image
? With a transform the label is missing: a pair (image, label) is expected.
- image = self.transform(image) >>> return self.transform(image)
? Without a transform nothing comes back: the `return` belongs behind the `if`, not into it.
-         return image, self >>>             return image, self
? The position plays no part: every item is the same.
- self.X[index] >>> self.X[0] && self.y[index] >>> self.y[0]
- self.X[index] >>> self.X[-1] && self.y[index] >>> self.y[-1]
? The label is always that of the first image: it belongs to the position as well.
- self.y[index] >>> self.y[0]
? The image is always the first one: it belongs to the position.
- self.X[index] >>> self.X[0]
? The transform is called in `__init__` already; that is for `__getitem__` alone.
- y, transform\n >>> y, transform\n        if transform:\n            transform(X[0])\n
? The transform is used for the first item only; each one needs it.
- image = self.transform(image) >>> image, self.transform = self.transform(image), None
? Image and label are exchanged: the image comes first.
- return image, self.y[index] >>> return self.y[index], image
? Without a transform there is nothing to call: ask whether it is None.
- if self.transform is not None: >>> if True:
? It works. Now say what it is: `class MyDataset(Dataset)`.
- (Dataset) >>> 
? All labels come with each image; one of them belongs to it.
- self.y[index] >>> self.y
? All images come at once; `dataset[i]` is one of them.
- self.X[index] >>> self.X
? `len(dataset)` counts the images.
- len(self.y) >>> len(self.y) - 1
- len(self.y) >>> len(self.X[0])
- len(self.y) >>> self.X.numel()
- len(self.y) >>> 4
? The data is shared between two MyDataset objects: keep it on `self`.
- self.X, self.y, >>> MyDataset.X, MyDataset.y,
? The transform gets more than the image. (A function that is kept on the class, not on `self`, gets
  `self` as well.)
- self.transform(image) >>> self.transform(image, self.y[index])
- self.X, self.y, self.transform = X >>> MyDataset.X, MyDataset.y, MyDataset.transform = X
? The position is counted from 1; the first image is `dataset[0]`.
- self.X[index] >>> self.X[index - 1] && self.y[index] >>> self.y[index - 1]
? The transform gets all images; it is a function of one.
- self.transform(image) >>> self.transform(self.X)[index]
"""),
        cases=_dataset_cases,
        probe=_dataset,
        closing="A `DataLoader` takes it as it is, and each epoch sees other versions of the "
        "images.",
    ),
)
