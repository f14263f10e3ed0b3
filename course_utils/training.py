"""The training loop of chapter 05, with what one wants around it: progress, history, clear errors."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

from course_utils.names import unknown_name

LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass
class History:
    """What happened during `fit`. One entry per finished epoch, unless another unit is named."""

    train_loss: list[float] = field(default_factory=list)  # mean over the epoch's samples
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
    """Loss and accuracy over ``num_samples``; every sample weighs the same."""

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
            "Try a learning rate ten times smaller; if that does not help, look for NaN in the data."
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

    Raises ValueError for an empty loader, labels out of range, a model on another device, an
    optimizer of another model; `TrainingDiverged` when the loss is no longer a finite number.
    """
    device = _check_setup(model, train_loader, optimizer, num_epochs, scheduler, step_scheduler, device)
    history, callbacks = History(), list(callbacks)
    # Reading a loss makes a GPU wait, so there it is read in blocks; on a CPU it costs nothing.
    read_every = 1 if device.type == "cpu" or callbacks else 50
    unread: list[Tensor] = []
    step = 0
    bar = _progress_bar(train_loader, num_epochs, progress)

    def read_losses(epoch: int, batch: int) -> None:
        first = batch - len(unread) + 1
        for i, loss in enumerate(unread):
            value = loss.item()
            if not math.isfinite(value):
                raise TrainingDiverged(epoch, first + i, lr, value, history)
            history.batch_loss.append(value)
        unread.clear()

    def call_back(event: str) -> None:
        for callback in callbacks:
            last = history.batch_loss[-1]
            state = TrainingState(event, epoch, batch, step, last, model, optimizer, history)
            answer = callback(state)
            if answer is StopTraining or isinstance(answer, StopTraining):
                raise StopTraining

    try:
        for epoch in range(1, num_epochs + 1):
            start, loss_sum, num_samples, batch = time.perf_counter(), 0.0, 0, 0
            model.train()
            for batch, (X, y) in enumerate(train_loader, start=1):
                lr = float(optimizer.param_groups[0]["lr"])
                X, y = X.to(device, non_blocking=True), y.to(device, non_blocking=True)
                loss = _loss(loss_fn, model(X), y, check=epoch == 1 and device.type != "cpu")
                unread.append(loss.detach())
                if batch % read_every == 0:
                    read_losses(epoch, batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if scheduler is not None and step_scheduler == "batch":
                    history.lr.append(lr)
                    scheduler.step()
                step += 1
                loss_sum += unread_weight(loss, len(y))
                num_samples += len(y)
                call_back("batch")
                bar.update()
    except StopTraining:
        pass
    return history
