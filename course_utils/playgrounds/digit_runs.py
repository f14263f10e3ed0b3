"""The training behind `train_digits`: a network that learns to read digits, update by update.

`train_steps` is an ordinary loop that hands out where it stands after every mini-batch. Its
learning rate follows one of the schedules of chapter 10, looked up before every update.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils import schedules
from course_utils.data import digits
from course_utils.models import digit_cnn, digit_mlp, seeded_network
from course_utils.names import look_up
from course_utils.optimizers import Optimizer, make_optimizer
from course_utils.playgrounds.weights import Weights

NUM_EPOCHS = 8
MAX_TRAIN, MAX_VAL = 5_000, 500  # images: of MNIST a part is enough to watch a training
VALIDATIONS = 4  # per epoch
TOP = 40.0  # upper end of the loss axis
LOST = 1_000.0  # a loss from which no training comes back; guessing has 2.30
SEED = 2
VAL_CHUNK = 60  # validation images between two looks at the controls
SMOOTH_OVER = 320  # images over which the smooth loss averages, whatever the batch size
GUESSING = math.log(10)  # loss of a network that gives every digit the probability 1/10

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "CNN A": lambda: digit_cnn("A"),
    "CNN B": lambda: digit_cnn("B"),
    "MLP": lambda: digit_mlp((64,)),
}
OPTIMIZER_NAMES = ("SGD", "Momentum", "Nesterov", "RMSProp", "Adam", "AdamW")
BATCH_SIZES = (8, 16, 32, 64, 128, 256)
SCHEDULE_NAMES = ("constant", "step", "cosine", "warm-up + cosine", "one cycle")
STEP_EPOCHS, STEP_GAMMA = 2, 0.5  # the staircase
WARMUP_EPOCHS, WARMUP_START = 1, 0.01


class DigitSplit(NamedTuple):
    """Images (N, 1, 28, 28) and labels (N,) to train on and to validate with."""

    X_train: Tensor
    y_train: Tensor
    X_val: Tensor
    y_val: Tensor


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a training stands after `num_updates` mini-batches. Arrays are never changed later.

    loss, smooth: (num_updates,) loss of each mini-batch, and its running average.
    val_epoch, val_loss, val_accuracy: (M,) one entry per validation, and when it was.
    diverged_at: number of the update whose loss had exploded or was not a number, or None.
    rates: (total_updates,) the learning rate of every update, also of those still to come.
    source, scheduler: the optimizer and its scheduler as lines of PyTorch; a constant rate needs no
    scheduler, so it is "". model: the network itself, still in training.
    """

    network: str
    source: str
    scheduler: str
    batch_size: int
    updates_per_epoch: int
    rates: np.ndarray
    loss: np.ndarray
    smooth: np.ndarray
    val_epoch: np.ndarray
    val_loss: np.ndarray
    val_accuracy: np.ndarray
    diverged_at: int | None
    model: nn.Module

    @property
    def num_updates(self) -> int:
        return len(self.loss)

    @property
    def total_updates(self) -> int:
        return len(self.rates)

    @property
    def rate(self) -> float:
        """The learning rate of the newest update."""
        return float(self.rates[self.num_updates - 1])

    @property
    def epoch(self) -> np.ndarray:
        """(num_updates,) how many epochs were done after each update."""
        return np.arange(1, self.num_updates + 1) / self.updates_per_epoch


@cache
def _split(dataset: str | None, dtype: torch.dtype) -> DigitSplit:
    whole = digits(dataset, dtype=dtype)
    return DigitSplit(
        *(whole.X_train[:MAX_TRAIN].clone(), whole.y_train[:MAX_TRAIN].clone()),
        *(whole.X_val[:MAX_VAL].clone(), whole.y_val[:MAX_VAL].clone()),
    )


def training_data(dtype: torch.dtype = torch.float32) -> DigitSplit:
    """The digits of ``COURSE_DATASET``, at most 5,000 to train on and 500 to validate with."""
    return _split(os.environ.get("COURSE_DATASET"), dtype)


@cache
def _first_weights(network: str, seed: int) -> nn.Module:
    return seeded_network(look_up("network", network, NETWORKS), seed)


def fresh_network(network: str, dtype: torch.dtype = torch.float32, seed: int = SEED) -> nn.Module:
    """An untrained network of `NETWORKS`: the same weights for the same seed, in either dtype."""
    return copy.deepcopy(_first_weights(network, seed)).to(dtype)


def make_rule(optimizer: str, lr: float, beta: float) -> Optimizer:
    """The optimizer with β where it belongs: as momentum, as Adam's β1, as RMSProp's alpha."""
    setting: dict[str, Any] = {"lr": float(f"{lr:.3g}")}
    beta = round(beta, 4)
    if optimizer in ("Momentum", "Nesterov"):
        setting["momentum"] = beta
    elif optimizer == "RMSProp":
        setting["alpha"] = beta
    elif optimizer in ("Adam", "AdamW"):
        setting["betas"] = (beta, 0.999)
    return make_optimizer(optimizer, **setting)


def rate_plan(schedule: str, lr: float, total: int, per_epoch: int) -> tuple[np.ndarray, str]:
    """The rate of each of ``total`` updates, (total,), and the scheduler as a line of PyTorch.

    ``lr`` is the highest rate. The scheduler steps after every update, so its lengths count
    updates; for the constant rate there is none, and the line is empty.
    """
    t = np.arange(total)
    every, warm = STEP_EPOCHS * per_epoch, WARMUP_EPOCHS * per_epoch
    rising = f"LinearLR(optimizer, {WARMUP_START}, total_iters={warm})"
    falling = f"CosineAnnealingLR(optimizer, T_max={total - warm})"
    name = look_up("schedule", schedule, {name: name for name in SCHEDULE_NAMES})
    rates, source = {
        "constant": lambda: (schedules.constant(t, lr), ""),
        "step": lambda: (
            schedules.step(t, lr, every, STEP_GAMMA),
            f"StepLR(optimizer, step_size={every}, gamma={STEP_GAMMA})",
        ),
        "cosine": lambda: (
            schedules.cosine(t, lr, total),
            f"CosineAnnealingLR(optimizer, T_max={total})",
        ),
        "warm-up + cosine": lambda: (
            schedules.cosine_with_warmup(t, lr, warm, total, WARMUP_START),
            f"SequentialLR(optimizer, [{rising}, {falling}], [{warm}])",
        ),
        "one cycle": lambda: (
            schedules.one_cycle(t, lr, total),
            f"OneCycleLR(optimizer, max_lr={lr}, total_steps={total}, cycle_momentum=False)",
        ),
    }[name]()
    return rates, source


def train_steps(
    network: str = "CNN B",
    optimizer: str = "Adam",
    lr: float = 1e-3,
    beta: float = 0.9,
    batch_size: int = 32,
    schedule: str = "constant",
    *,
    dtype: torch.dtype = torch.float32,
    num_epochs: int = NUM_EPOCHS,
    seed: int = SEED,
) -> Iterator[Progress]:
    """Train a network on the digits, handing out a `Progress` after every mini-batch.

    Also hands one out between the parts of a validation, so that no pause is longer than a
    mini-batch takes. ``lr`` is the highest rate of the ``schedule``, a name of `SCHEDULE_NAMES`.
    Ends after ``num_epochs``, or when the loss explodes.
    The same arguments give the same run; no global random number is used.
    """
    data = training_data(dtype)
    model = fresh_network(network, dtype, seed)
    rule = make_rule(optimizer, lr, beta)
    weights = Weights(rule, model)
    source = rule.torch_source().replace("[w]", "model.parameters()")
    generator = torch.Generator().manual_seed(seed)
    per_epoch = math.ceil(len(data.y_train) / batch_size)
    due = {math.ceil(per_epoch * part / VALIDATIONS) for part in range(1, VALIDATIONS + 1)}
    total = num_epochs * per_epoch
    rates, scheduler = rate_plan(schedule, rule.lr, total, per_epoch)
    loss, smooth = np.full((2, total), np.nan)
    validation = np.full((3, num_epochs * len(due)), np.nan)
    keep = max(0.0, 1 - batch_size / SMOOTH_OVER)
    average = weight = 0.0
    done = validated = 0

    def progress(diverged_at: int | None = None) -> Progress:
        shown = (loss[:done], smooth[:done], *validation[:, :validated])
        setting = (network, source, scheduler, batch_size, per_epoch, rates)
        return Progress(*setting, *shown, diverged_at, model)

    for epoch in range(num_epochs):
        order = torch.randperm(len(data.y_train), generator=generator)
        for number, batch in enumerate(order.split(batch_size), start=1):
            model.train()
            batch_loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
            batch_loss.backward()
            weights.step(lr=float(rates[done]))

            value = batch_loss.item()
            # One explosion must not drown the average: it counts only as high as the picture.
            average = keep * average + (1 - keep) * min(value, TOP)
            weight = keep * weight + 1 - keep
            loss[done], smooth[done] = value, average / weight
            done += 1
            if not value < LOST:  # so written, NaN is caught too
                yield progress(diverged_at=done)
                return
            yield progress()
            if number in due:
                for loss_so_far, accuracy_so_far in _validate(model, data):
                    validation[1:, validated] = loss_so_far, accuracy_so_far
                    yield progress()
                validation[0, validated] = epoch + number / per_epoch
                validated += 1
                yield progress()


def _validate(model: nn.Module, data: DigitSplit) -> Iterator[tuple[float, float]]:
    """(loss, accuracy) over more and more of the validation images, at last over all."""
    model.eval()
    total, correct, count = 0.0, 0, 0
    for X, y in zip(data.X_val.split(VAL_CHUNK), data.y_val.split(VAL_CHUNK), strict=True):
        with torch.inference_mode():
            logits = model(X)
            total += F.cross_entropy(logits, y, reduction="sum").item()
            correct += (logits.argmax(1) == y).sum().item()
        count += len(y)
        yield total / count, correct / count


def verdict(result: Progress) -> str:
    """What went wrong, in words for the picture; empty when nothing did."""
    if result.diverged_at is not None:
        value = result.loss[-1]
        what = f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"
        what = {"nan": "not a number", "inf": "infinite"}.get(what, what)
        return f"diverged at update {result.diverged_at} (loss {what}): the steps are too large"
    loss = result.smooth[-1]
    if loss > 2 * GUESSING:
        return "far worse than guessing: the steps may be too large"
    if result.num_updates >= result.updates_per_epoch and loss > 0.95 * GUESSING:
        return "after a whole epoch still no better than guessing"
    return ""
