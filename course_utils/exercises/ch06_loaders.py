"""Chapter 06, loaders: cut an epoch into batches, and measure over batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils.data import ImageDataset
from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.values import canonical, stacked

# ------------------------------------------------------------------------------ 06.batches

FIRST_LABEL = 100  # labels are no positions


def _batches(answer: Callable, n: int, batch_size: int) -> dict[str, Any]:
    """Three epochs: two with one generator, the third seeded like the first."""
    generator = torch.Generator().manual_seed(3)
    epochs = [_epoch(answer, n, batch_size, generator) for _ in range(2)]
    again = _epoch(answer, n, batch_size, torch.Generator().manual_seed(3))
    (sizes, first), (_, second), (_, third) = epochs[0], epochs[1], again
    seen: dict[str, Any] = {"the list of batch sizes": sizes}
    seen["each sample exactly once"] = sorted(first) == list(range(n))
    seen["~all samples"] = set(first) == set(range(n))
    if n < 6:  # so few may come in their stored order by chance
        return seen
    steps = np.diff(first) if len(first) > 1 else np.ones(1)
    seen["an order of its own"] = first != list(range(n))
    seen["a shuffling of all samples, not of pieces"] = bool(np.mean(steps == 1) < 0.5)
    seen["the same order for the same seed"] = first == third
    seen["a new order in the second epoch"] = first != second
    if batch_size < n and seen["an order of its own"]:
        members = [_members(order, batch_size) for order in (list(range(n)), first, second)]
        seen["batches of other samples in each epoch"] = not (
            members[0] == members[1] == members[2]
        )
    return seen


def _members(order: list[int], batch_size: int) -> set[frozenset[int]]:
    """The samples of each batch, whatever their order in it."""
    return {frozenset(order[i : i + batch_size]) for i in range(0, len(order), batch_size)}


def _epoch(
    answer: Callable, n: int, batch_size: int, generator: torch.Generator
) -> tuple[list[int], list[int]]:
    """Sizes of the batches, and the samples in the order in which they came."""
    y = torch.arange(n) + FIRST_LABEL
    X = torch.stack([torch.arange(n) * 1.0, torch.arange(n) * 10.0], dim=1)[:, None, :]
    before = X.clone(), y.clone()
    result = answer(X, y, batch_size, generator)
    if not isinstance(result, Iterable) or isinstance(result, str | Tensor | dict | np.ndarray):
        kind = "None" if result is None else f"an object of type {type(result).__name__}"
        raise NotYet(f"Batches to loop over are expected, but {kind} comes back.")
    if isinstance(result, list | tuple) and [getattr(x, "ndim", 0) for x in result] == [3, 1]:
        raise NotYet(
            "That is one batch only: `return` ends the function at the first one. Use `yield`, or "
            "collect the pairs in a list and return it after the loop."
        )
    sizes: list[int] = []
    order: list[int] = []
    for batch in result:
        if len(sizes) > 100:
            raise NotYet("There are more than 100 batches for few samples: when does it end?")
        images, labels = _pair(batch)
        sizes.append(len(labels))
        order += labels
        if images != labels:
            raise NotYet(
                "Images and labels no longer belong together: use one and the same order for both."
            )
    if not (torch.equal(X, before[0]) and torch.equal(y, before[1])):
        raise NotYet("Your function changes X or y themselves: index them, and leave them alone.")
    return sizes, order


def _pair(batch: Any) -> tuple[list[int], list[int]]:
    """The positions that the images and the labels of one batch had in X and y."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise NotYet(f"A batch is a pair (X, y); an object of type {type(batch).__name__} comes.")
    X, y = (stacked(canonical(part)) for part in batch)
    if not all(isinstance(part, np.ndarray) for part in (X, y)):
        raise NotYet("A batch is a pair of tensors: images and labels.")
    if (X.ndim, y.ndim) == (1, 3):
        raise NotYet("Images and labels are exchanged: a batch is the pair (X, y).")
    if X.ndim != 3 or X.shape[1:] != (1, 2) or y.ndim != 1:
        raise NotYet(
            f"A batch of N samples has here the shapes (N, 1, 2) and (N,); yours has {X.shape} and "
            f"{y.shape}."
        )
    return X[:, 0, 0].astype(int).tolist(), (y - FIRST_LABEL).astype(int).tolist()


def _batches_cases(r: np.random.Generator) -> Iterator[Case]:
    for n, batch_size in ((10, 4), (10, 5), (10, 16), (3, 2), (61, 7), (12, 12)):
        yield case(n, batch_size, label=f"for {n} samples in batches of {batch_size}")


# ----------------------------------------------------------------------------- 06.accuracy


class _Reader(nn.Module):
    """Gives each image, known by its first pixel, a row of logits."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.register_buffer("logits", logits)
        self.eval()

    def forward(self, X: Tensor) -> Tensor:
        logits = self.logits[X.flatten(1)[:, 0].long()]
        return logits.roll(1, dims=1) if self.training else logits  # a dropout, but repeatable


def _accuracy(answer: Callable, n: int, batch_size: int, shuffle: bool, right: float) -> Any:
    """The answer's number for a loader over ``n`` images, most of which are read correctly."""
    rng = np.random.default_rng(n + batch_size)
    # What is added to a row changes no answer, but decides a softmax over the batch.
    logits = rng.normal(size=(n, 4)) + rng.normal(0, 9, (n, 1))
    y = np.where(rng.random(n) < right, logits.argmax(1), rng.integers(0, 4, n))
    images = torch.arange(n)[:, None, None, None] * torch.ones(1, 1, 2, 2)
    generator = torch.Generator().manual_seed(1)
    dataset = ImageDataset(images, torch.tensor(y))
    loader = DataLoader(dataset, batch_size, shuffle=shuffle, generator=generator)
    dtype = torch.get_default_dtype()
    return {"the share": answer(_Reader(torch.tensor(logits, dtype=dtype)), loader)}


def _accuracy_cases(r: np.random.Generator) -> Iterator[Case]:
    for n, batch_size, shuffle, right in (
        (10, 4, False, 0.6),
        (10, 10, False, 0.6),
        (10, 3, True, 0.7),
        (37, 9, True, 0.2),
        (25, 32, False, 0.8),
        (6, 5, False, 1.0),
        (5, 1, True, 0.5),
    ):
        kind = "a shuffling loader" if shuffle else "a loader"
        label = f"with {kind} over {n} images in batches of {batch_size}"
        yield case(n, batch_size, shuffle, right, label=label)


EXERCISES = (
    Exercise(
        name="06.batches",
        title="a loader of your own",
        prompt=r"""
Write the heart of a `DataLoader`: hand out the samples of one epoch in batches, in a random order
that comes from `generator`. Each sample comes exactly once, a last short batch included. One batch
is one indexing operation. Hand them out with `yield`, or return a list of pairs. (Python calls a
function with `yield` a generator too; it has nothing to do with the `generator` of random numbers.)
""",
        stub='''
def my_batches(X, y, batch_size, generator):
    """Yield pairs (X_batch, y_batch): one epoch in random order."""
    raise NotImplementedError
''',
        hints=(
            "`torch.randperm(n, generator=generator)` gives all indices in random order. Images "
            "and labels need the same one.",
            "Cut the order into pieces with `order.split(batch_size)`: the last piece may be "
            "shorter. Each piece indexes X and y.",
        ),
        solution="""
def my_batches(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    for indices in order.split(batch_size):
        yield X[indices], y[indices]
""",
        wrong=mistakes(r"""
? Images and labels no longer belong together: use one and the same order for both.
- order = >>> X = X[torch.randperm(len(X), generator=generator)]\n    order =
- yield X[indices], y[indices] >>> yield X[indices], y[torch.sort(indices)[0]]
? The samples come in their stored order: they are not shuffled.
- torch.randperm(len(y), generator=generator) >>> torch.arange(len(y))
? The same seed gives another order: take your random numbers from `generator`.
- , generator=generator >>> 
- torch.randperm(len(y), generator=generator) >>> torch.tensor(np.random.permutation(len(y)))
? Some samples come twice in an epoch and others never: draw one order (a permutation) for the whole
  epoch, before the loop, and cut that.
- randperm(len(y), >>> randint(len(y), (len(y),),
def my_batches(X, y, batch_size, generator):
    for start in range(0, len(y), batch_size):
        order = torch.randperm(len(y), generator=generator)
        indices = order[start : start + batch_size]
        yield X[indices], y[indices]
def my_batches(X, y, batch_size, generator):
    for start in range(0, len(y), batch_size):
        indices = torch.randperm(len(y), generator=generator)[:batch_size]
        yield X[indices], y[indices]
def my_batches(X, y, batch_size, generator):
    for start in range(0, len(y), batch_size):
        indices = torch.randint(len(y), (batch_size,), generator=generator)
        yield X[indices], y[indices]
? The last batch is filled up with samples that have come already: let it be short.
- in order.split >>> in torch.cat([order, order[: -len(y) % batch_size]]).split
? The rest is added to the last full batch: it is a batch of its own.
def my_batches(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    count = max(1, len(y) // batch_size)
    for k in range(count):
        indices = order[k * batch_size : None if k == count - 1 else (k + 1) * batch_size]
        yield X[indices], y[indices]
? The last batch is missing, full or short: how far does the loop go?
def my_batches(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    for start in range(0, len(y) - batch_size, batch_size):
        indices = order[start : start + batch_size]
        yield X[indices], y[indices]
? The last short batch is missing: it is to be handed out, too.
-         yield >>>         if len(indices) < batch_size:\n            break\n        yield
- order.split(batch_size) >>> order[: len(y) // batch_size * batch_size].split(batch_size)
? One batch is empty: where the batch size divides the number of samples, there is no short batch
  after the full ones.
- in order.split(batch_size): >>> in np.split(order, range(batch_size, len(y) + 1, batch_size)):
? The order is turned around, not random: draw it from `generator`.
- torch.randperm(len(y), generator=generator) >>> torch.arange(len(y)).flip(0)
? The second epoch has the order of the first. Do you seed anew? `generator` goes on by itself.
- order = >>> generator.manual_seed(0)\n    order =
- generator=generator >>> generator=torch.Generator().manual_seed(0)
? Each batch holds the same samples in every epoch, in another order. Shuffle all samples first,
  then cut the order into batches.
def my_batches(X, y, batch_size, generator):
    for batch in torch.arange(len(y)).split(batch_size):
        indices = batch[torch.randperm(len(batch), generator=generator)]
        yield X[indices], y[indices]
? Neighbours stay together: shuffle the samples, not batches of them.
def my_batches(X, y, batch_size, generator):
    pieces = torch.arange(len(y)).split(batch_size)
    for k in torch.randperm(len(pieces), generator=generator):
        yield X[pieces[k]], y[pieces[k]]
? That is one batch only: `return` ends the function at the first one. Use `yield`, or collect the
  pairs in a list and return it after the loop.
- yield X >>> return X
? One batch alone comes: hand out all of them.
- yield X[indices], y[indices] >>> yield X[indices], y[indices]\n        break
- yield X[indices], y[indices] >>> return [(X[indices], y[indices])]
? Your function changes X or y themselves: index them, and leave them alone.
- order = torch >>> X[:] = X.flip(0)\n    y[:] = y.flip(0)\n    order = torch
? The whole data comes as one batch: cut the order into pieces of `batch_size`.
- order.split(batch_size) >>> [order]
? `split` takes the size of a piece; you cut into that many pieces.
- order.split(batch_size) >>> order.chunk(batch_size)
? Each sample comes alone: a batch holds `batch_size` of them.
- order.split(batch_size) >>> order.split(1)
? The batches grow: each one begins where the last one ended, not at the beginning.
- in order.split(batch_size): >>> in [order[: k + batch_size] for k in range(0, len(y), batch_size)]:
"""),
        cases=_batches_cases,
        probe=_batches,
        closing="That is a DataLoader with shuffling and index batching, in four lines.",
    ),
    Exercise(
        name="06.accuracy",
        title="measure over batches",
        prompt=r"""
A colleague measures the accuracy like this, and gets another number with every batch size:

```python
def accuracy(model, loader):
    shares = [(model(X).argmax(1) == y).double().mean() for X, y in loader]
    return sum(shares) / len(shares)
```

Write `my_accuracy`: the share of all images that are read correctly. The loader may shuffle, and
its last batch may be short.
""",
        stub='''
def my_accuracy(model, loader):
    """Share of right answers over all images, a number from 0 to 1."""
    raise NotImplementedError
''',
        hints=(
            "With batches of 64 and a last one of 41: how much does one image of the last batch "
            "count in the colleague's mean?",
            "Add up two numbers in the loop, right answers and images, and divide once after it. "
            "The labels are those of the same batch.",
        ),
        solution="""
def my_accuracy(model, loader):
    right, total = 0, 0
    for X, y in loader:
        answers = model(X).argmax(1)
        right += (answers == y).sum().item()
        total += len(y)
    return right / total
""",
        wrong=mistakes(r"""
? You average the accuracies of the batches, so an image of the short last batch counts more than
  the others. Count the right answers and divide once.
- (answers == y).sum() >>> (answers == y).double().mean() && len(y) >>> 1
? You compare the answers in the loader's order with the labels in the stored one. Take the labels
  from the same batch.
def my_accuracy(model, loader):
    answers = torch.cat([model(X).argmax(1) for X, y in loader])
    return (answers == loader.dataset.y).double().mean()
? You loop over the loader twice, and the second time it has another order. Take images and labels
  in one loop.
def my_accuracy(model, loader):
    answers = torch.cat([model(X).argmax(1) for X, _ in loader])
    return (answers == torch.cat([y for _, y in loader])).double().mean()
? That is the number of right answers: divide it by the number of images.
- right / total >>> right
? That is the accuracy of the last batch alone: is something overwritten in the loop?
- right += ( >>> right = ( && total += >>> total =
? That is the accuracy of the first batch alone: is the `return` inside the loop?
-     return right >>>         return right
? Only the right answers of the last batch are counted, but all images: add them up.
- right += ( >>> right = (
? All right answers are divided by the images of the last batch alone: add these up as well.
- total += >>> total =
? Give a share from 0 to 1, not percent.
- right / total >>> 100 * right / total
? You divide by the number of batches, not of images.
- right / total >>> right / len(loader)
? You divide as if every batch were full: the last one is shorter.
- right / total >>> right / (len(loader) * loader.batch_size)
? That is the share of *wrong* answers.
- answers == y >>> answers != y
? `argmax` needs its dimension: one answer for each image, from the scores of its row.
- argmax(1) >>> argmax()
? The softmax runs over the images of the batch: dimension 1 holds the scores of one image.
- model(X).argmax(1) >>> model(X).softmax(0).argmax(1)
? The answer is the class with the highest score; you take the lowest.
- argmax >>> argmin
? The comparison gives one single False, not one result for each image: is one side a pair? (`max`
  gives the values and their places.)
- argmax(1) >>> max(1)
? No answer counts as right. Are scores compared with the labels? The answer is the place of the
  highest score in its row.
- argmax(1) >>> max(1).values
? `//` rounds the share down to 0: divide with `/`.
- right / total >>> right // total
? An answer counts only where the whole batch is right: count image by image.
- (answers == y).sum().item() >>> len(y) * bool((answers == y).all())
? The model is put into train mode, where a dropout would change its answers: `model.eval()`.
- right, total = 0, 0 >>> right, total = 0, 0\n    model.train()
? Each answer is compared with every label of the batch: a column and a row broadcast to a table.
- argmax(1) >>> argmax(1)[:, None]
? One number for each batch comes back; one for all images is wanted.
- right, total = 0, 0 >>> shares = [] && return right / total >>> return shares
& right += (answers == y).sum().item() >>> shares.append((answers == y).double().mean().item())
&         total += len(y)\n >>> 
? `None` comes back: is a `return` missing?
- return right / total >>> right / total
? A short batch counts as much as a full one: multiply each batch's share by its own length.
- (answers == y).sum().item() >>> (answers == y).double().mean() * loader.batch_size
? You divide by the number of pixels, not of images.
- len(y) >>> X.numel()
? The last batch is left out.
-         right += >>>         if len(y) < loader.batch_size:\n            continue\n        right +=
? That is 1 for every loader: either the model's answers play no part, or one right answer is enough
  for a whole batch.
- model(X).argmax(1) >>> y
- (answers == y).sum().item() >>> (answers == y).any() * len(y)
"""),
        cases=_accuracy_cases,
        probe=_accuracy,
        closing="Each image counts once, in whatever order the loader hands it out.",
    ),
)
