"""The training behind chapter 10's schedules: five small networks on the digits, any rate you like.

Five networks with different first weights are stacked into one set of tensors and trained side by
side on the same mini-batches at the same rate, so that one sees at once what is luck. A schedule
is asked for its rate before each update and told the validation loss after each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.data import digits
from course_utils.models import digit_mlp, seeded_network

NUM_EPOCHS = 10
BATCH_SIZE = 32
PER_EPOCH = 40  # updates: 1,257 images in batches of 32
TOTAL = NUM_EPOCHS * PER_EPOCH
NUM_NETWORKS = 5
HIDDEN = 32
MOMENTUM = 0.9
GROUP = 10  # updates between two looks at the controls: about 5 ms
SMOOTH = 0.9
LOST = 1_000.0  # a loss from which no training comes back; guessing has 2.30


class Schedule(Protocol):
    """What a training asks: the rates known after some validation losses, (TOTAL,) with NaN."""

    def __call__(self, val_losses: list[float]) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Run:
    """Where the five trainings stand after ``num_updates``. Arrays are never changed later.

    rates: (TOTAL,) rate of each update, NaN where it is not known yet. loss: (n, 5) loss of each
    mini-batch. smooth: (n,) running average of their mean. val_loss, val_accuracy: (epochs + 1, 5),
    the first before any update. diverged_at: number of the update, or None.
    """

    rates: np.ndarray
    loss: np.ndarray
    smooth: np.ndarray
    val_loss: np.ndarray
    val_accuracy: np.ndarray
    diverged_at: int | None = None

    @property
    def num_updates(self) -> int:
        return len(self.loss)

    @property
    def final(self) -> tuple[float, float, float]:
        """(mean, standard deviation, accuracy) of the newest validation, over the five networks."""
        newest = self.val_loss[-1]
        return float(newest.mean()), float(newest.std(ddof=1)), float(self.val_accuracy[-1].mean())


@cache
def _batches(dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
    """All mini-batches of the training in their order: X (B, 49), y (B,)."""
    loader = digits("embedded", dtype=torch.float64).loader("train", BATCH_SIZE, seed=0)
    return [(_pooled(X).to(dtype), y) for _ in range(NUM_EPOCHS) for X, y in loader]


@cache
def _validation(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    data = digits("embedded", dtype=torch.float64)
    return _pooled(data.X_val).to(dtype), data.y_val


def _pooled(images: Tensor) -> Tensor:
    """(N, 1, 28, 28) → (N, 49): the means of 4 × 4 pixels."""
    return F.avg_pool2d(images, 4).flatten(1)


@cache
def _first_weights(num_networks: int) -> tuple[Tensor, ...]:
    stacks: list[list[Tensor]] = [[], [], [], []]
    for seed in range(num_networks):
        net = seeded_network(lambda: digit_mlp((HIDDEN,), in_features=49), seed)
        parts = (net.fc1.weight.T, net.fc1.bias[None], net.head.weight.T, net.head.bias[None])
        for stack, part in zip(stacks, parts, strict=True):
            stack.append(part.detach())
    return tuple(torch.stack(stack) for stack in stacks)


def _losses(weights: Any, X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(losses (S,), logits (S, N, 10)) of S networks on the same images."""
    W1, b1, W2, b2 = weights
    many = X.expand(len(W1), *X.shape)
    logits = torch.baddbmm(b2, torch.relu(torch.baddbmm(b1, many, W1)), W2)
    each = F.cross_entropy(logits.flatten(0, 1), y.repeat(len(W1)), reduction="none")
    return each.view(len(W1), -1).mean(1), logits


def _look(weights: Any, dtype: torch.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Validation loss and accuracy of each network, (S,) each."""
    X, y = _validation(dtype)
    with torch.no_grad():
        losses, logits = _losses(weights, X, y)
    return losses.double().numpy(), (logits.argmax(2) == y).double().mean(1).numpy()


def train_with(schedule: Schedule, *, dtype: torch.dtype = torch.float32) -> Iterator[Run]:
    """Train the five networks with SGD (momentum 0.9); a `Run` at once and after every 10 updates.

    Ends after 10 epochs, or when the loss of a network explodes. The same schedule gives the same
    run; no global random number is used.
    """
    weights = [part.to(dtype, copy=True) for part in _first_weights(NUM_NETWORKS)]
    velocities = [torch.zeros_like(part) for part in weights]
    losses = np.full((TOTAL, NUM_NETWORKS), np.nan)
    smooth = np.full(TOTAL, np.nan)
    seen = [_look(weights, dtype)]
    average, done, epochs_seen = 0.0, 0, []
    rates = schedule(epochs_seen)

    def run(diverged_at: int | None = None) -> Run:
        val_loss, val_accuracy = (np.array(part) for part in zip(*seen, strict=True))
        return Run(rates, losses[:done], smooth[:done], val_loss, val_accuracy, diverged_at)

    yield run()
    for X, y in _batches(dtype):
        weights = [part.detach().requires_grad_() for part in weights]
        loss, _ = _losses(weights, X, y)
        grads = torch.autograd.grad(loss.sum(), weights)
        lr = float(rates[done])
        with torch.no_grad():
            for part, velocity, grad in zip(weights, velocities, grads, strict=True):
                velocity.mul_(MOMENTUM).add_(grad)
                part.sub_(velocity, alpha=lr)
        losses[done] = loss.detach().double().numpy()
        mean = float(losses[done].mean())
        done += 1
        average = SMOOTH * average + (1 - SMOOTH) * min(mean, LOST)
        smooth[done - 1] = average / (1 - SMOOTH**done)
        if not mean < LOST:  # so written, NaN is caught too
            yield run(diverged_at=done)
            return
        if done % PER_EPOCH == 0:
            seen.append(_look(weights, dtype))
            epochs_seen.append(float(seen[-1][0].mean()))
            rates = schedule(epochs_seen)
        if done % GROUP == 0:
            yield run()
