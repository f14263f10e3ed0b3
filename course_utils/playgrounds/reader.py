"""The network behind an empty pad: trained where it is used, in seconds, to read digits drawn by
hand. A pad can be drawn on meanwhile, and reads better from round to round.

The embedded digits were written by a few dozen people with one way of writing a 4 and a 7. Drawn
digits come in more ways, so the reader also learns from strokes drawn by code, and every image is
turned, slanted and stretched a little differently each time.
"""

from __future__ import annotations

import asyncio
import copy
import math
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import DATASETS, digits
from course_utils.live.interrupts import running, watch_interrupts
from course_utils.memory import give_memory_back
from course_utils.models import seeded_network
from course_utils.names import look_up
from course_utils.optimizers import AdamW
from course_utils.playgrounds.one_thread import one_thread
from course_utils.playgrounds.strokes import drawn_digits, warped
from course_utils.playgrounds.weights import Weights
from course_utils.schedules import one_cycle

BATCH_SIZE = 128
NUM_EPOCHS = {"embedded": 12, "mnist": 2}
MAX_TRAIN, MAX_TEST = 20_000, 1_000  # images of MNIST that are enough here
ROUNDS = 12  # equal parts of the training, each with a test at its end
SHOWN_EVERY = 0.5  # seconds between two states that a pad gets to see
DRAWN_PER_DIGIT = 150
MAX_LR = 6e-3
SEED = 0


class _WarpedBatches:
    """Batches of differently warped images, in a new order in every epoch."""

    def __init__(self, X: Tensor, y: Tensor, generator: torch.Generator) -> None:
        self.X, self.y, self.generator = X, y, generator

    def __len__(self) -> int:
        return math.ceil(len(self.y) / BATCH_SIZE)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.y), generator=self.generator)
        for batch in order.split(BATCH_SIZE):
            yield warped(self.X[batch], self.generator), self.y[batch]


def _network() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            halve=nn.AvgPool2d(2),
            conv1=nn.Conv2d(1, 16, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 48, 3, padding=1),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(48 * 7 * 7, 100),
            relu3=nn.ReLU(),
            head=nn.Linear(100, 10),
        )
    )


class Pupil(NamedTuple):
    """The reader at one moment of its training.

    model: images (N, 1, 28, 28) → logits (N, 10), float32, evaluation mode; it never changes.
    rounds: how many of `ROUNDS` are over. right: the share of the test digits that it read right
    at the end of the newest one. stopped: whether nobody is training it on, though it could learn.
    """

    model: nn.Module
    rounds: int = 0
    right: float | None = None
    stopped: bool = False

    @property
    def ready(self) -> bool:
        return self.rounds == ROUNDS


class Watcher(Protocol):
    """What a pad is to its reader."""

    def has_learned(self) -> None:
        """The reader's `newest` state is another one."""

    def show_error(self, error: BaseException) -> None: ...


class Reader:
    """The one network of a kernel that reads the digits of a data set, and its training.

    `advance` trains it by one mini-batch, on whatever thread; the result is the same in any case.
    """

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self._one_at_a_time = threading.Lock()
        self._watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
        self._task: asyncio.Task | None = None
        self._interrupted = False
        self._begin()

    def _begin(self) -> None:
        self._network = seeded_network(_network, SEED).to(torch.float32)
        self.newest = Pupil(_still(self._network))
        self._shown = 0.0
        self._lessons = self._teach()

    def advance(self) -> bool:
        """One mini-batch more; whether there was anything left to do.

        After an error or an interrupt it is at its beginning again.
        """
        with self._one_at_a_time, one_thread(), torch.enable_grad():
            try:
                return next(self._lessons, None) is not None
            except BaseException:
                self._begin()
                raise

    def finish(self, *, progress: bool) -> nn.Module:
        """Train it to the end, here and now, and give the network."""
        from tqdm.auto import tqdm

        # tqdm's notebook bar does not look at the variable by itself
        switched_off = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
        with tqdm(unit="batch", leave=False, disable=not progress or switched_off) as bar:
            while self.advance():
                bar.update()
        return self.newest.model

    def _teach(self) -> Iterator[bool]:
        """The training: yields after each mini-batch and each test, and keeps `newest` new."""
        data = digits(self.dataset, dtype=torch.float32)
        X, y = data.X_train[:MAX_TRAIN], data.y_train[:MAX_TRAIN]
        X_test, y_test = data.X_test[:MAX_TEST], data.y_test[:MAX_TEST]
        generator = torch.Generator().manual_seed(SEED)
        if data.name == "embedded":
            drawn_X, drawn_y = drawn_digits(DRAWN_PER_DIGIT, generator)
            X, y = torch.cat([X, drawn_X]), torch.cat([y, drawn_y])
        batches = _WarpedBatches(X, y, generator)
        num_epochs = NUM_EPOCHS[data.name]
        total, done = num_epochs * len(batches), 0
        rates = one_cycle(np.arange(total), MAX_LR, total)
        weights = Weights(AdamW(MAX_LR), self._network)
        for _ in range(num_epochs):
            for images, labels in batches:
                self._network.train()
                F.cross_entropy(self._network(images), labels).backward()
                weights.step(lr=float(rates[done]))
                done += 1
                yield True
                if done * ROUNDS // total > self.newest.rounds:
                    model = _still(self._network)
                    with torch.inference_mode():
                        right = (model(X_test).argmax(1) == y_test).float().mean().item()
                    self._show(Pupil(model, done * ROUNDS // total, right))
                    yield True
                elif time.monotonic() - self._shown > SHOWN_EVERY:
                    self._show(self.newest._replace(model=_still(self._network), stopped=False))

    def _show(self, pupil: Pupil) -> None:
        self.newest, self._shown = pupil, time.monotonic()

    # -- in the background -------------------------------------------------------------------------

    def teach(self, watcher: Watcher) -> None:
        """Train on, and tell `watcher`, until all watchers have left; call it on an event loop."""
        self._watchers.add(watcher)
        self._interrupted = False
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._learn(), name="course-reader")

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    def interrupt(self) -> None:
        """End the training in the background; it can go on later."""
        self._interrupted = True

    async def _learn(self) -> None:
        """A mini-batch after the other on a thread beside, while the event loop stays free.

        While a cell runs nothing is begun here: what it does to the global settings does no harm.
        """
        loop, going = asyncio.get_running_loop(), True
        running.add(self)
        self._tell(self.newest._replace(stopped=False))
        try:
            while going and self._watchers and not self._interrupted:
                watch_interrupts()
                before = self.newest
                going = await loop.run_in_executor(None, self.advance)
                if self.newest is not before:
                    self._tell(self.newest)
        except Exception as error:
            for watcher in list(self._watchers):
                watcher.show_error(error)
        else:
            if going:
                self._tell(self.newest._replace(stopped=True))
        finally:
            running.discard(self)
            give_memory_back()

    def _tell(self, pupil: Pupil) -> None:
        self.newest = pupil
        for watcher in list(self._watchers):
            watcher.has_learned()


def _still(network: nn.Module) -> nn.Module:
    """A copy that is only asked, and does not learn on."""
    return copy.deepcopy(network).eval().requires_grad_(False)


_readers: dict[str, Reader] = {}
_one_of_each = threading.Lock()


def chosen_dataset() -> str:
    """The data set that ``COURSE_DATASET`` names, "embedded" or "mnist"; ValueError for another."""
    return look_up("dataset", os.environ.get("COURSE_DATASET") or "embedded", DATASETS)


def reader_of(dataset: str) -> Reader:
    """The reader for "embedded" or "mnist"; the same at every call."""
    with _one_of_each:
        if dataset not in _readers:
            _readers[dataset] = Reader(dataset)
        return _readers[dataset]


def digit_reader(*, progress: bool = True) -> nn.Module:
    """A trained network for images (N, 1, 28, 28) → logits (N, 10), float32, evaluation mode.

    Trained on the digits that ``COURSE_DATASET`` names at the first call, in a few seconds; later
    calls give the same network. ``progress`` shows a bar meanwhile.
    """
    return reader_of(chosen_dataset()).finish(progress=progress)
