"""Final loss against learning rate: forty-one networks trained at once, while one watches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional as F

from course_utils.live.controls import Choice, Notches, row, share_slider
from course_utils.live.training import TrainingPlayground
from course_utils.optimizers import OPTIMIZERS
from course_utils.playgrounds.batch_lr_compute import SEED, pooled_digits, small_network
from course_utils.playgrounds.before import Before
from course_utils.playgrounds.digit_runs import GUESSING
from course_utils.playgrounds.one_thread import on_one_thread
from course_utils.playgrounds.parts import Parts
from course_utils.playgrounds.words import PRESS_START, standing
from course_utils.plotting import BLACK, GREEN, GREY, ORANGE, RED, SPLIT_STYLES
from course_utils.printing import rounded
from course_utils.sweeps import sweep_steps

PER_DECADE = 8
RATES = np.logspace(-4, 1, 5 * PER_DECADE + 1)
OPTIMIZER_NAMES = tuple(name for name in OPTIMIZERS if name != "Momentum")
WITH_MOMENTUM = ("SGD", "Nesterov")
BATCH_SIZES = (8, 16, 32, 64, 128, 256)
UPDATES = (25, 50, 100, 200, 400)
LAST = 20  # mini-batches over which the final training loss is averaged
LOW, TOP = 0.015, 6.0  # ends of the loss axis
CLOSE = 1.5  # a rate is good when its loss is at most so many times the lowest


@dataclass(frozen=True, eq=False)
class Valley:
    """Trainings with all `RATES`, after ``num_updates`` of ``total`` updates.

    loss: (R, num_updates) of each mini-batch. train, val, accuracy: (R,) mean of the last losses,
    loss and accuracy on the validation images; infinite (accuracy 0) where a training diverged.
    """

    key: object
    name: str
    batch_size: int
    total: int
    loss: np.ndarray
    train: np.ndarray
    val: np.ndarray
    accuracy: np.ndarray

    @property
    def num_updates(self) -> int:
        return self.loss.shape[1]

    @property
    def best(self) -> int:
        """Index of the rate with the lowest validation loss."""
        return int(self.val.argmin())

    @property
    def good(self) -> tuple[float, float]:
        """The lowest and highest rate around the best with about its validation loss."""
        fine = self.val <= min(CLOSE * self.val[self.best], 0.9 * GUESSING)
        low = high = self.best
        while low > 0 and fine[low - 1]:
            low -= 1
        while high < len(fine) - 1 and fine[high + 1]:
            high += 1
        return float(RATES[low]), float(RATES[high])


def rule_of(optimizer: str, momentum: float) -> tuple[str, str, dict[str, Any]]:
    """(what to call it, name in `OPTIMIZERS`, settings) of an optimizer and the momentum knob."""
    if optimizer not in WITH_MOMENTUM:
        return optimizer, optimizer, {}
    if optimizer == "SGD" and not momentum:
        return "SGD", "SGD", {}
    name = "Momentum" if optimizer == "SGD" else optimizer
    return f"{optimizer} with momentum {momentum:.2g}", name, {"momentum": momentum}


def shuffled_batches(
    X: Tensor, y: Tensor, batch_size: int, count: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """``count`` mini-batches, epoch by epoch in an order that depends on `SEED` alone."""
    generator = torch.Generator().manual_seed(SEED)
    while count > 0:
        for batch in torch.randperm(len(y), generator=generator).split(batch_size):
            if count > 0:
                yield X[batch], y[batch]
            count -= 1


def sweep_run(
    optimizer: str = "SGD",
    batch_size: int = 32,
    momentum: float = 0.0,
    num_updates: int = 100,
    *,
    dtype: torch.dtype = torch.float32,
) -> Iterator[Valley]:
    """Train the 49-32-10 network with all `RATES` at once; yields after every few updates."""
    data, model = pooled_digits(dtype), small_network(dtype)
    title, name, options = rule_of(optimizer, momentum)
    batches = shuffled_batches(data.X_train, data.y_train, batch_size, num_updates)
    forward = vmap(lambda weights: functional_call(model, weights, (data.X_val,)), in_dims=(0,))
    every, key, losses = max(1, min(8, 256 // batch_size)), object(), []
    for loss, weights in sweep_steps(model, batches, RATES, name, **options):
        losses.append(loss)
        # The first look comes at once: the learner waits for it.
        if len(losses) % every and 1 < len(losses) < num_updates:
            continue
        with torch.inference_mode():
            logits = forward(weights)  # (R, N, 10)
            labels = data.y_val.expand(len(RATES), -1)
            val = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(1)
            accuracy = (logits.argmax(2) == labels).double().mean(1)
        table = torch.stack(losses, dim=1).double().numpy()
        lost = ~(np.isfinite(table).all(axis=1) & np.isfinite(val.numpy()))
        train = np.where(lost, np.inf, table[:, -LAST:].mean(axis=1))
        val = np.where(lost, np.inf, val.double().numpy())
        accuracy = np.where(lost, 0.0, accuracy.numpy())
        yield Valley(key, title, batch_size, num_updates, table, train, val, accuracy)


class LrSweep(Parts, TrainingPlayground):
    """Train a digit reader with 41 learning rates at once and see which of them work."""

    width, height = 9.0, 3.5
    preview = max(UPDATES)  # the whole run
    controls = (
        Choice("optimizer", "SGD", options=OPTIMIZER_NAMES, tip="the rule of the updates"),
        Notches("num_updates", 100, "updates", options=UPDATES, tip="how long each network learns"),
        Notches("batch_size", 32, "batch size", options=BATCH_SIZES, tip="images per update"),
        share_slider("momentum", 0.0, only=("optimizer", WITH_MOMENTUM),
                     tip="for SGD and Nesterov; the others keep PyTorch's settings"),
    )  # fmt: skip

    def steps(self, *, dtype: str, **values: Any) -> Iterator[Valley]:
        return on_one_thread(sweep_run(**values, dtype=getattr(torch, dtype)))

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        optimizer, num_updates, *others = rows.values()
        return [row(optimizer, num_updates, self.train_box()), row(*others)]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.07, 0.155, 0.53, 0.665))
        self._right = right = fig.add_axes((0.675, 0.155, 0.31, 0.665))
        for ax in (left, right):
            ax.set_yscale("log")
            ax.set_ylim(LOW, TOP)
            ax.set_yticks([0.1, 1], ["0.1", "1"])
            ax.axhline(GUESSING, color=GREY, linewidth=1, linestyle=":")
        left.text(1.12e-4, GUESSING * 1.14, "guessing: 2.30", color=GREY, fontsize=9.5)
        left.set_xscale("log")
        left.set_xlim(RATES[0] * 0.9, RATES[-1] * 1.1)
        left.set_xlabel("learning rate", labelpad=0)
        left.set_ylabel("loss at the end", labelpad=2)
        left.set_title("Which learning rates work?")
        train, val = SPLIT_STYLES["train"], SPLIT_STYLES["validation"]
        before = {"color": GREY, "linewidth": 1.4, "alpha": 0.75, "linestyle": (0, (3, 1.5))}
        band = {"color": GREEN, "linewidth": 7, "solid_capstyle": "butt"}
        self._band = self.line(left, **band, label=f"at most {CLOSE:g} × the lowest loss")
        self._before = self.line(left, **before, label="validation, sweep before")
        self._train_line = self.line(left, **{**train, "markersize": 3}, label="training")
        self._val = self.line(left, **{**val, "markersize": 3.5}, label="validation")
        self._lost = self.line(left, "X", color=RED, markersize=7, label="above the picture")
        self._star = self.line(left, "*", color=BLACK, markersize=13)
        handles = [self._train_line, self._val, self._before, self._lost, self._band]
        left.legend(handles=handles, loc="lower left", fontsize=9, borderaxespad=1.3)
        right.set_xlabel("update", labelpad=0)
        right.set_title("Three of the 41 trainings")
        styles = ((ORANGE, "--", "best / 10"), (BLACK, "-", "best rate"), (RED, ":", "best × 10"))
        self._three = [
            self.line(right, color=color, linestyle=line, linewidth=1.6, label=words)
            for color, line, words in styles
        ]
        right.legend(loc="lower left", fontsize=9, borderaxespad=0.2)
        words = {"by": "figure", "fontsize": 10.5}
        self._title = self.text(left, 0.01, 0.935, **words)
        self._words = self.text(left, 0.985, 0.935, ha="right", weight="bold", **words)
        self._before_it = Before()
        return self.moving

    def update(self, result: Valley) -> None:
        ghost = self._before_it.note(result, finished=result.num_updates == result.total)
        if self.new_ground(result.total):
            self._right.set_xlim(0, result.total)
        self._before.set_data(*(([], []) if ghost is None else (RATES, clipped(ghost.val))))
        self._train_line.set_data(RATES, clipped(result.train))
        self._val.set_data(RATES, clipped(result.val))
        above = RATES[result.val > TOP]
        self._lost.set_data(above, np.full(len(above), TOP / 1.12))
        best = result.best
        self._star.set_data(RATES[best : best + 1], result.val[best : best + 1])
        self._band.set_data(result.good, [LOW * 1.12] * 2)
        for line, index in zip(self._three, three(best), strict=True):
            number = np.arange(1, result.num_updates + 1)
            inside = index is not None
            line.set_data(number if inside else [], clipped(result.loss[index]) if inside else [])
        so_far = f"update {result.num_updates} of {result.total}"
        so_far += standing(self.shown_state, PRESS_START)
        self._title.set_text(f"{result.name}, batch size {result.batch_size}: {so_far}")
        self._words.set_text(f"best rate {RATES[best]:.2g}, loss {result.val[best]:.3f}")

    def summary(self, result: Valley) -> str:
        best, (low, high) = result.best, result.good
        return (
            f"{result.name}, batch size {result.batch_size}, {result.num_updates} updates, "
            f"{len(RATES)} learning rates at once. Best: {RATES[best]:.2g}, validation loss "
            f"{rounded(result.val[best], 3)}, accuracy {rounded(100 * result.accuracy[best], 1)} "
            f"%. At most {CLOSE:g} times this loss: {low:.2g} to {high:.2g}."
        )


def clipped(loss: np.ndarray) -> np.ndarray:
    """``loss`` with NaN for what is not a number, and nothing far above the picture."""
    return np.where(np.isfinite(loss), np.minimum(loss, 4 * TOP), np.nan)


def three(best: int) -> list[int | None]:
    """Indices of a tenth of the best rate, the best, and ten times it; None off the grid."""
    wanted = (best - PER_DECADE, best, best + PER_DECADE)
    return [index if 0 <= index < len(RATES) else None for index in wanted]
