"""The checkers of chapter 06 for exercises with a loader: cut an epoch into batches, count hits.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils.data import ImageDataset
from course_utils.probing import NotYet, as_array, attempt, compare, describe, need_function

# ------------------------------------------------------------------------------ 06.batches


def check_batches(answer: Any) -> str:
    """Exercise 06.batches."""
    need_function(answer, "my_batches(X, y, batch_size, generator)")
    y = torch.arange(10)
    X = torch.stack([y * 1.0, y * 10.0], dim=1)  # row i holds i and 10 i: a pair can be recognised
    for batch_size in (4, 5, 16):
        call = f"`my_batches(X, y, {batch_size}, generator)` for 10 samples"
        epochs = []
        generator = torch.Generator().manual_seed(3)
        for _ in range(2):
            epochs.append(_one_epoch(answer, X, y, batch_size, generator, call))
        again = _one_epoch(answer, X, y, batch_size, torch.Generator().manual_seed(3), call)
        first, second = epochs
        if first == list(range(10)):
            raise NotYet("The samples come in their stored order: they are not shuffled.")
        members = [_members(order, batch_size) for order in (list(range(10)), first, second)]
        if batch_size < 10 and members[0] == members[1] == members[2]:
            raise NotYet(
                "Each batch holds the same samples in every epoch, in another order. Shuffle all "
                "samples first, then cut the order into batches."
            )
        if first != again:
            raise NotYet(
                "The same seed gives another order: take your random numbers from `generator`."
            )
        if first == second:
            raise NotYet(
                "The second epoch has the order of the first. Do you seed anew? `generator` goes "
                "on by itself."
            )
    return "That is a DataLoader with shuffling and index batching, in four lines."


def _one_epoch(
    answer: Any, X: Tensor, y: Tensor, batch_size: int, generator: torch.Generator, call: str
) -> list[int]:
    """The samples in the order in which they came, after looking at every batch."""
    given = X.clone(), y.clone()
    result = attempt(lambda: _collect(answer, *given, batch_size, generator), call=call)
    if not isinstance(result, list):
        raise NotYet(f"{call} gives {describe(result)}; batches to loop over are expected.")
    if len(result) == 2 and all(isinstance(part, Tensor | np.ndarray) for part in result):
        raise NotYet(
            "That is one batch only: `return` ends the function at the first one. Use `yield`, or "
            "collect the pairs in a list and return it after the loop."
        )
    if not (torch.equal(given[0], X) and torch.equal(given[1], y)):
        raise NotYet("Your function changes X or y themselves: index them, and leave them alone.")
    seen: list[int] = []
    for batch in result:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise NotYet(f"{call}: a batch is {describe(batch)}; a pair (X, y) is expected.")
        X_batch, y_batch = (as_array(part, call) for part in batch)
        if y_batch.shape == (0,):
            raise NotYet(
                f"{call}: one batch is empty. Where the batch size divides the number of samples, "
                "there is no short batch after the full ones."
            )
        if X_batch.ndim != 2 or X_batch.shape[1:] != (2,) or y_batch.ndim != 1:
            raise NotYet(
                f"{call}: a batch has shapes {X_batch.shape} and {y_batch.shape}; with "
                f"{batch_size} samples it is ({batch_size}, 2) and ({batch_size},)."
            )
        if len(X_batch) != len(y_batch):
            raise NotYet(f"{call}: a batch has {len(X_batch)} images and {len(y_batch)} labels.")
        if not np.array_equal(X_batch[:, 0], y_batch):
            raise NotYet(
                "Images and labels no longer belong together: use one and the same order for both."
            )
        seen += [int(label) for label in y_batch]
    _check_sizes([len(as_array(batch[1], call)) for batch in result], seen, batch_size, call)
    return seen


def _members(order: list[int], batch_size: int) -> set[frozenset[int]]:
    """The samples of each batch, whatever their order in it."""
    return {frozenset(order[i : i + batch_size]) for i in range(0, len(order), batch_size)}


def _check_sizes(sizes: list[int], seen: list[int], batch_size: int, call: str) -> None:
    wanted = [min(batch_size, 10 - start) for start in range(0, 10, batch_size)]
    if sizes == wanted and sorted(seen) == list(range(10)):
        return
    if wanted[-1] < batch_size and sizes == wanted[:-1]:
        raise NotYet("The last short batch is missing: it is to be handed out, too.")
    if len(set(seen)) < len(seen):
        raise NotYet(
            "Some samples come twice in an epoch and others never: draw an order (a permutation), "
            "not indices one by one."
        )
    raise NotYet(f"{call}: the batches have sizes {sizes}; expected is {wanted}.")


def _collect(answer: Any, X: Tensor, y: Tensor, batch_size: int, generator: torch.Generator) -> Any:
    result = answer(X, y, batch_size, generator)
    if result is None or isinstance(result, str | Tensor | dict | float | int):
        return result
    if not isinstance(result, Iterator | list | tuple | DataLoader):
        return result
    batches = []
    for batch in result:
        batches.append(batch)
        if len(batches) > 100:
            raise NotYet("There are more than 100 batches for 10 samples: when does it end?")
    return batches


# ----------------------------------------------------------------------------- 06.accuracy


class _Reader(nn.Module):
    """Answers with the image's own number, which is the label of most samples."""

    def forward(self, X: Tensor) -> Tensor:
        return nn.functional.one_hot(X.flatten(1)[:, 0].long(), 3).to(torch.float64)


def _samples() -> tuple[Tensor, Tensor]:
    """10 images that `_Reader` reads as 0, 1, 2, 0 …, with 8 right answers, 1 in the last two."""
    said = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    truth = torch.tensor([0, 1, 2, 0, 1, 2, 0, 2, 0, 0])
    return said[:, None, None, None] * torch.ones(1, 1, 2, 2), truth


def accuracy(loader: DataLoader, model: Callable, kind: str = "") -> float:
    """Share of right answers, or the number that the mistake ``kind`` gives."""
    right, shares, sizes = [], [], []
    for X, y in loader:
        hits = (model(X).argmax(1) == y).double()
        right.append(hits.sum().item())
        shares.append(hits.mean().item())
        sizes.append(len(y))
    full = len(sizes) * max(sizes)
    return {
        "mean of means": float(np.mean(shares)),
        "last": shares[-1],
        "first": shares[0],
        "count": sum(right),
        "percent": 100 * sum(right) / sum(sizes),
        "batches": sum(right) / len(sizes),
        "full batches": sum(right) / full,
        "wrong answers": 1 - sum(right) / sum(sizes),
        "": sum(right) / sum(sizes),
    }[kind]


ACCURACY_MISTAKES = {
    "mean of means": "You average the accuracies of the batches, so an image of the short last "
    "batch counts more than the others. Count the right answers and divide once.",
    "last": "That is the accuracy of the last batch alone: is something overwritten in the loop?",
    "first": "That is the accuracy of the first batch alone: is the `return` inside the loop?",
    "count": "That is the number of right answers: divide it by the number of images.",
    "percent": "Give a share from 0 to 1, not percent.",
    "batches": "You divide by the number of batches, not of images.",
    "full batches": "You divide as if every batch were full: the last one is shorter.",
    "wrong answers": "That is the share of *wrong* answers.",
}


def check_accuracy(answer: Any) -> str:
    """Exercise 06.accuracy."""
    need_function(answer, "my_accuracy(model, loader)")
    X, y = _samples()
    dataset = ImageDataset(X, y)
    for shuffle in (False, True):
        for batch_size in (4, 10):

            def loader(batch_size: int = batch_size, shuffle: bool = shuffle) -> DataLoader:
                generator = torch.Generator().manual_seed(1)
                return DataLoader(dataset, batch_size, shuffle=shuffle, generator=generator)

            call = "`my_accuracy(model, loader)` with a loader" + (
                " that shuffles" if shuffle else f" with batches of {batch_size}"
            )
            model = _Reader()
            got = attempt(answer, model, loader(), call=call)
            mistakes = []
            if shuffle:  # answers in the loader's order, labels in the stored one
                said = torch.cat([model(images).argmax(1) for images, _ in loader()])
                mistakes.append(
                    (
                        (said == y).double().mean().item(),
                        "You compare the answers in the loader's order with the labels in the "
                        "stored one. Take the labels from the same batch.",
                    )
                )
                twice = loader()
                said = torch.cat([model(images).argmax(1) for images, _ in twice])
                mistakes.append(
                    (
                        (said == torch.cat([labels for _, labels in twice])).double().mean().item(),
                        "You loop over the loader twice, and the second time it has another order. "
                        "Take images and labels in one loop.",
                    )
                )
            mistakes += [
                (accuracy(loader(), model, kind), text)
                for kind, text in ACCURACY_MISTAKES.items()
                if accuracy(loader(), model, kind) != accuracy(loader(), model)
            ]
            compare(got, accuracy(loader(), model), call, mistakes)
    return "Each image counts once, in whatever order the loader hands it out."
