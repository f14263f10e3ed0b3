"""A training run whose learning rate, batch size and momentum may change on the way.

`train_run` is the training behind the playground `train_live`: a loop that hands out where it
stands, and takes new settings when it is sent some.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.models import digit_mlp, seeded_network
from course_utils.names import look_up
from course_utils.playgrounds.digit_runs import GUESSING, LOST, DigitSplit, training_data

BATCH_SIZES = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
BUDGETS = {"12 epochs": 12, "240 updates": 240}  # how long a run is
LOOKS = 12  # at all training and validation images, per run, and one before it
PIECES = 240  # results per run, at most
SEED = 8
CAP = 30.0  # as much as a loss counts in the smoothed curve: one explosion must not drown it
SMOOTH_OVER = 320  # images over which the smooth loss averages, whatever the batch size
NEAR = 0.03  # changes of one knob within this share of a run are one change: a drag is many
KNOBS = {"lr": "lr", "batch_size": "batch", "momentum": "momentum"}
CURVES = ("at", "loss", "smooth", "look_at", "train_loss", "val_loss", "val_accuracy")


@cache
def pooled_digits(dtype: torch.dtype) -> DigitSplit:
    """`training_data` with 7x7 pixels: X (N, 49), y (N,)."""
    data = training_data(dtype)
    X_train, X_val = (F.avg_pool2d(X, 4).flatten(1) for X in (data.X_train, data.X_val))
    return DigitSplit(X_train, data.y_train, X_val, data.y_val)


@cache
def _first_weights() -> nn.Module:
    return seeded_network(lambda: digit_mlp((32,), in_features=49), SEED)


def small_network(dtype: torch.dtype = torch.float32) -> nn.Module:
    """A fresh 49-32-10 network, with the same weights every time."""
    return copy.deepcopy(_first_weights()).to(dtype)


class Change(NamedTuple):
    """A knob that was moved during a run: where (epochs or updates), and from what to what."""

    at: float
    knob: str
    old: float
    new: float

    @property
    def words(self) -> str:
        return f"{KNOBS[self.knob]} {self.old:.3g} → {self.new:.3g}"


@dataclass(frozen=True, eq=False)
class Run:
    """Where a run stands. Places are in epochs or updates, as ``budget`` says.

    at, loss, smooth: (T,) place, loss and smoothed loss of each update. look_at, train_loss,
    val_loss, val_accuracy: (M,) over all images, from before the first update on. share: part of
    the run that was added since the last result. key: the same object in all results of one run.
    """

    key: object
    lr: float
    batch_size: int
    momentum: float
    budget: str
    epochs: float
    at: np.ndarray
    loss: np.ndarray
    smooth: np.ndarray
    look_at: np.ndarray
    train_loss: np.ndarray
    val_loss: np.ndarray
    val_accuracy: np.ndarray
    changes: tuple[Change, ...]
    diverged: bool
    share: float

    @property
    def num_updates(self) -> int:
        return len(self.loss)

    @property
    def progress(self) -> float:
        """The part of the budget that is used up, 0 … 1."""
        return min(self.at[-1] / BUDGETS[self.budget], 1.0)

    @property
    def setting(self) -> str:
        return f"lr {self.lr:.3g}, batch size {self.batch_size}, momentum {self.momentum:.2g}"


@dataclass
class _Order:
    """The training images in an order that depends on the seed alone, batch by batch."""

    num_images: int
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(SEED))
    epoch: int = -1
    place: int = 0
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def next(self, batch_size: int) -> Tensor:
        if self.place >= len(self.order):
            self.order = torch.randperm(self.num_images, generator=self.generator)
            self.epoch, self.place = self.epoch + 1, 0
        batch = self.order[self.place : self.place + batch_size]
        self.place += len(batch)
        return batch

    @property
    def epochs(self) -> float:
        return self.epoch + self.place / self.num_images


def train_run(
    lr: float = 0.1,
    batch_size: int = 32,
    momentum: float = 0.0,
    budget: str = "12 epochs",
    *,
    dtype: torch.dtype = torch.float32,
) -> Generator[Run, dict[str, Any] | None, None]:
    """Train the 49-32-10 network on the digits by SGD; yields a `Run` after a few updates.

    A dictionary with new values of lr, batch_size or momentum, sent in at a ``yield``, takes effect
    with the next update and is noted as a `Change`. Weights and the order of the images are the
    same in every run. Ends after ``budget``, or when the loss explodes.
    """
    data, model = pooled_digits(dtype), small_network(dtype)
    now: dict[str, Any] = {"lr": lr, "batch_size": batch_size, "momentum": momentum}
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    total = BUDGETS[look_up("budget", budget, {name: name for name in BUDGETS})]
    key, order = object(), _Order(len(data.y_train))
    updates: list[tuple[float, float, float]] = []  # place, loss, smoothed loss
    looks: list[tuple[float, ...]] = [(0.0, *_look(model, data))]
    changes: tuple[Change, ...] = ()
    average = weight = place = shown = 0.0
    while place < total - 1e-9:
        batch = order.next(now["batch_size"])
        loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        value = loss.item()
        place = order.epochs if "epochs" in budget else len(updates) + 1.0
        keep = max(0.0, 1 - len(batch) / SMOOTH_OVER)
        average = keep * average + (1 - keep) * min(value, CAP)
        weight = keep * weight + 1 - keep
        updates.append((place, value, average / weight))
        diverged = not value < LOST  # so written, NaN is caught too
        if place >= len(looks) * total / LOOKS - 1e-9:
            looks.append((place, *_look(model, data)))
        elif place - shown < total / PIECES and not diverged:
            continue
        curves = (*np.array(updates).T, *np.array(looks).T)
        share, shown = (place - shown) / total, place
        new = yield Run(
            key,
            **now,
            budget=budget,
            epochs=order.epochs,
            **dict(zip(CURVES, curves, strict=True)),
            changes=changes,
            diverged=diverged,
            share=share,
        )
        if diverged:
            return
        for knob in KNOBS if new else ():
            if new[knob] != now[knob]:
                changes = noted(changes, Change(place, knob, now[knob], new[knob]), NEAR * total)
                now[knob] = new[knob]
        optimizer.param_groups[0].update(lr=now["lr"], momentum=now["momentum"])
        if not now["momentum"]:
            optimizer.state.clear()  # else an old velocity would come back with the momentum


def noted(changes: tuple[Change, ...], new: Change, near: float) -> tuple[Change, ...]:
    """``changes`` and the new one; a drag of one knob is one change, and none if it came back."""
    last = changes[-1] if changes else None
    if last is None or last.knob != new.knob or new.at - last.at > near:
        return (*changes, new)
    merged = last._replace(new=new.new)
    return (*changes[:-1], merged) if merged.old != merged.new else changes[:-1]


def _look(model: nn.Module, data: DigitSplit) -> tuple[float, float, float]:
    """(training loss, validation loss, validation accuracy) over all images."""
    with torch.inference_mode():
        train_loss = F.cross_entropy(model(data.X_train), data.y_train).item()
        logits = model(data.X_val)
        val_loss = F.cross_entropy(logits, data.y_val).item()
        return train_loss, val_loss, (logits.argmax(1) == data.y_val).double().mean().item()


def verdict(result: Run) -> str:
    """What went wrong, in words for the picture; empty when nothing did."""
    if result.diverged:
        return f"diverged at update {result.num_updates}: the steps are too large"
    if result.smooth[-1] > 1.5 * GUESSING:
        return "worse than guessing: the steps are too large"
    if result.progress > 0.5 and result.smooth[-1] > 0.95 * GUESSING:
        return "no better than guessing"
    return ""
