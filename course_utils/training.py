"""The training loop of chapter 05, with progress, history and clear errors around it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

from course_utils.range_test import RangeTest, lr_range_test
from course_utils.reals import whole
from course_utils.training_checks import (
    NO_LABEL,
    are_classes,
    check_labels,
    check_optimizer,
    device_of,
    functions,
    loss_of,
    num_batches,
    num_labelled,
    pairs,
)

__all__ = [
    "Evaluation",
    "History",
    "RangeTest",
    "StopTraining",
    "TrainingDiverged",
    "TrainingState",
    "evaluate",
    "fit",
    "lr_range_test",
]

LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass
class History:
    """What happened during `fit`. One entry per finished epoch, unless another unit is named."""

    train_loss: list[float] = field(default_factory=list)  # mean over the labelled samples
    batch_loss: list[float] = field(default_factory=list)  # one entry per batch
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)  # share in [0, 1]; NaN without classes
    lr: list[float] = field(default_factory=list)  # in use: per batch or epoch, as the scheduler
    seconds: list[float] = field(default_factory=list)  # with validation
    interrupted: bool = False  # True after Ctrl-C, or Jupyter's stop button

    @property
    def num_epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.train_loss)


@dataclass
class TrainingState:
    """Where the training stands: what a callback gets.

    ``event`` is "batch" (an optimizer step was made) or "epoch" (an epoch and its validation are
    over). epoch, batch and step count from 1; step counts batches over all epochs. ``loss`` is the
    loss of the last batch.
    """

    event: str
    epoch: int
    batch: int
    step: int
    loss: float
    model: nn.Module
    optimizer: torch.optim.Optimizer
    history: History


@dataclass(frozen=True)
class Evaluation:
    """Loss and accuracy over ``num_samples`` labelled ones; every sample weighs the same."""

    loss: float
    accuracy: float  # share in [0, 1]; NaN where the targets are no classes
    num_samples: int


class StopTraining(Exception):
    """Raise (or return) this in a callback to end the training; `fit` then returns its history."""


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite. Attributes: epoch, batch (from 1), lr, loss, history."""

    def __init__(self, epoch: int, batch: int, lr: float, loss: float, history: History) -> None:
        super().__init__(
            f"the loss became {loss} in epoch {epoch}, batch {batch}, at lr = {lr:g}. "
            "Try a learning rate ten times smaller; if that does not help, look for NaN in X."
        )
        self.epoch, self.batch, self.lr, self.loss, self.history = epoch, batch, lr, loss, history


def fit(
    model: nn.Module,
    train_loader: Iterable,
    *,
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    loss_fn: LossFunction = F.cross_entropy,
    val_loader: Iterable | None = None,
    scheduler: object | None = None,
    step_scheduler: str = "epoch",
    device: torch.device | str | None = None,
    callbacks: Iterable[Callable[[TrainingState], object]] = (),
    progress: bool = True,
) -> History:
    """Train ``model`` and return the `History`.

    train_loader and val_loader yield batches (X, y). loss_fn(model(X), y) is the **mean** over a
    batch. scheduler: any of `torch.optim.lr_scheduler`; step_scheduler says whether it moves after
    every "batch" or every "epoch". device: where the model is; None finds out, and every batch is
    sent there. callbacks are called with a `TrainingState` after every batch and every epoch; one
    that raises or returns `StopTraining` ends the training. progress: show a bar while it runs
    (the environment variable ``TQDM_DISABLE=1`` keeps it away). An interrupt (Ctrl-C, Jupyter's
    stop button) ends the training too; the history so far is returned, with interrupted = True.
    The model is left in training mode; validation runs as in `evaluate`.

    Samples labelled −100 are left out, as `F.cross_entropy` leaves them out.

    Raises ValueError for an empty loader, a batch without a (labelled) sample, labels out of range,
    a model on another device, an optimizer of another model, or one that needs a closure (LBFGS);
    `TrainingDiverged` when the loss is no longer a finite number.
    """
    device, num_epochs = device_of(model, device), whole("num_epochs", num_epochs, 1)
    check_optimizer(model, optimizer)
    _check_scheduler(optimizer, scheduler, step_scheduler)
    per_epoch = num_batches(train_loader, "train_loader")
    if val_loader is not None:
        num_batches(val_loader, "val_loader")
    per_batch = scheduler is not None and step_scheduler == "batch"
    on_cpu, callbacks, history = device.type == "cpu", functions(callbacks), History()
    read_every = 1 if on_cpu or callbacks else 50
    epoch = 0
    losses = _EpochLosses(epoch, history, read_every)

    def call(event: str) -> None:
        batch, step, loss = len(losses.sizes), len(history.batch_loss), history.batch_loss[-1]
        state = TrainingState(event, epoch, batch, step, loss, model, optimizer, history)
        for callback in callbacks:
            answer = callback(state)
            if answer is StopTraining or isinstance(answer, StopTraining):
                raise StopTraining

    bar = _Progress(per_epoch and per_epoch * num_epochs, progress)
    try:
        for epoch in range(1, num_epochs + 1):
            start, epoch_lr = time.perf_counter(), _lr(optimizer)
            losses = _EpochLosses(epoch, history, read_every)
            model.train()
            for X, labels in pairs(train_loader, "train_loader"):
                X, y = X.to(device), labels.to(device)
                y_hat = model(X)
                if epoch == 1 and not on_cpu:  # a GPU would only report it later, and unclearly
                    check_labels(y_hat, labels)
                loss = loss_of(loss_fn, y_hat, y)
                losses.add(loss, num_labelled(y_hat, labels), _lr(optimizer))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if per_batch:
                    history.lr.append(losses.last_lr)
                    scheduler.step()
                if callbacks:
                    call("batch")
                bar.step(losses)
            train_loss = losses.mean()
            result = None
            if val_loader is not None:
                result = evaluate(model, val_loader, loss_fn, device)
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(result.loss if result else train_loss)
            elif scheduler is not None and not per_batch:
                scheduler.step()
            history.train_loss.append(train_loss)
            if result:
                history.val_loss.append(result.loss)
                history.val_accuracy.append(result.accuracy)
            if not per_batch:
                history.lr.append(epoch_lr)
            history.seconds.append(time.perf_counter() - start)
            if callbacks:
                call("epoch")
    except StopTraining:
        pass
    except KeyboardInterrupt:
        history.interrupted = True
        losses.read()
        print(f"Stopped by you in epoch {epoch} of {num_epochs}; the history so far is kept.")
    finally:
        bar.close()
    return history


def evaluate(
    model: nn.Module,
    loader: Iterable,
    loss_fn: LossFunction = F.cross_entropy,
    device: torch.device | str | None = None,
) -> Evaluation:
    """Loss and accuracy of ``model`` over all batches (X, y) of ``loader``.

    Batches are weighted by their length, so that a short last batch does not count too much.
    loss_fn(model(X), y) is the mean over a batch. Accuracy compares the largest of the logits
    (N, C) with integer labels (N,); with other targets it is NaN. Samples labelled −100, which
    `F.cross_entropy` leaves out, count nowhere. Runs in evaluation mode and without gradients;
    afterwards every module is in the mode in which it was before.

    Raises ValueError for an empty loader, a batch without samples, no labelled sample at all,
    labels out of range or a model on another device.
    """
    device = device_of(model, device)
    modes = [(module, module.training) for module in model.modules()]
    losses, correct, sizes = [], [], []
    num_batches(loader, "loader")
    model.eval()
    try:
        with torch.inference_mode():
            for X, labels in pairs(loader, "loader"):
                X, y = X.to(device), labels.to(device)
                y_hat = model(X)
                if device.type != "cpu":
                    check_labels(y_hat, labels)
                losses.append(loss_of(loss_fn, y_hat, y))
                sizes.append(num_labelled(y_hat, labels))
                if are_classes(y_hat, y):
                    correct.append((y_hat.argmax(1) == y).sum())
    finally:
        for module, mode in modes:
            module.training = mode
    sizes = [int(size) for size in sizes]
    num_samples = sum(sizes)
    if num_samples == 0:
        raise ValueError("loader is empty: it gave no labelled sample to evaluate")
    # A batch without any has the loss NaN.
    loss = sum(loss.item() * n for loss, n in zip(losses, sizes, strict=True) if n) / num_samples
    accuracy = sum(n.item() for n in correct) / num_samples if correct else math.nan
    return Evaluation(loss, accuracy, num_samples)


class _EpochLosses:
    """The losses of one epoch. Reading one makes a GPU wait, so they are read in blocks there."""

    def __init__(self, epoch: int, history: History, read_every: int) -> None:
        self.epoch, self.history, self.read_every = epoch, history, read_every
        self.unread: list[tuple[Tensor, float]] = []
        self.sizes: list[int | Tensor] = []  # of the labelled samples in each batch
        self.values: list[float] = []
        self.last_lr = math.nan

    def add(self, loss: Tensor, size: int | Tensor, lr: float) -> None:
        self.sizes.append(size)
        self.last_lr = lr
        if self.read_every == 1:
            self._keep(loss.item(), lr)
            return
        self.unread.append((loss.detach(), lr))
        if len(self.unread) >= self.read_every:
            self.read()

    def read(self) -> None:
        while self.unread:
            loss, lr = self.unread.pop(0)
            self._keep(loss.item(), lr)

    def _keep(self, value: float, lr: float) -> None:
        if not math.isfinite(value):
            batch = len(self.values) + 1
            if int(self.sizes[batch - 1]) == 0:
                raise ValueError(f"{NO_LABEL}: epoch {self.epoch}, batch {batch}")
            raise TrainingDiverged(self.epoch, batch, lr, value, self.history)
        self.values.append(value)
        self.history.batch_loss.append(value)

    def mean(self) -> float:
        """Mean over the labelled samples. ValueError when there were none."""
        self.read()
        sizes = [int(size) for size in self.sizes]
        if not sum(sizes):
            hint = ": a generator can be used only once, pass a DataLoader" * (self.epoch > 1)
            raise ValueError(f"train_loader is empty in epoch {self.epoch}{hint}")
        products = (value * size for value, size in zip(self.values, sizes, strict=True))
        return sum(products) / sum(sizes)

    @property
    def text(self) -> str:
        return f"epoch {self.epoch}, loss {self.values[-1]:.4f}" if self.values else ""


class _Progress:
    """A bar over all batches that wipes itself away. It is touched ten times a second, no more."""

    def __init__(self, total: int | None, progress: bool) -> None:
        from tqdm.auto import tqdm

        # tqdm's notebook bar does not look at the variable by itself
        switched_off = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
        disable = not progress or switched_off
        self.bar = tqdm(total=total, leave=False, unit="batch", disable=disable)
        self.batches, self.due = 0, math.inf if disable else 0.0

    def step(self, losses: _EpochLosses) -> None:
        self.batches += 1
        now = time.perf_counter()
        if now >= self.due:
            self.bar.set_postfix_str(losses.text, refresh=False)
            self.bar.update(self.batches)
            self.batches, self.due = 0, now + 0.1

    def close(self) -> None:
        self.bar.total = None  # else a notebook keeps a red bar when a batch was not counted
        self.bar.close()


def _lr(optimizer: torch.optim.Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def _check_scheduler(
    optimizer: torch.optim.Optimizer,
    scheduler: object | None,
    step_scheduler: str,
) -> None:
    if not isinstance(step_scheduler, str) or step_scheduler not in ("epoch", "batch"):
        raise ValueError(f"step_scheduler must be 'epoch' or 'batch', got {step_scheduler!r}")
    if isinstance(scheduler, ReduceLROnPlateau) and step_scheduler == "batch":
        raise ValueError("ReduceLROnPlateau looks at whole epochs: use step_scheduler='epoch'")
    if scheduler is not None and not callable(getattr(scheduler, "step", None)):
        raise ValueError(f"scheduler must be one of torch.optim.lr_scheduler, got {scheduler!r}")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("the scheduler belongs to another optimizer: make it from this one")
