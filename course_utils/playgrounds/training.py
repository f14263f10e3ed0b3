"""Live training of a digit reader: turn a knob, and the run starts over while you watch its loss.

`train_digits` makes the playground. `train_steps` is the training behind it, an ordinary loop that
hands out where it stands after every mini-batch.
"""

from __future__ import annotations

import copy
import math
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.controls import Choice, Control, Notches, Slider, row
from course_utils.data import digits
from course_utils.live_training import TrainingPlayground
from course_utils.models import digit_cnn, digit_mlp
from course_utils.names import look_up
from course_utils.optimizers import Optimizer, make_optimizer
from course_utils.playgrounds.seeded import one_thread, seeded_network
from course_utils.plotting import BLACK, GREY, RED, SPLIT_STYLES
from course_utils.printing import rounded
from course_utils.quick_text import QuickText

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
    source: the optimizer as a line of PyTorch. model: the network itself, still in training.
    """

    network: str
    optimizer: str
    source: str
    batch_size: int
    updates_per_epoch: int
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
        return NUM_EPOCHS * self.updates_per_epoch

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


def train_steps(
    network: str = "CNN B",
    optimizer: str = "Adam",
    lr: float = 1e-3,
    beta: float = 0.9,
    batch_size: int = 32,
    *,
    dtype: torch.dtype = torch.float32,
    num_epochs: int = NUM_EPOCHS,
    seed: int = SEED,
) -> Iterator[Progress]:
    """Train a network on the digits, handing out a `Progress` after every mini-batch.

    Also hands one out between the parts of a validation, so that no pause is longer than a
    mini-batch takes. Ends after ``num_epochs``, or when the loss explodes.
    The same arguments give the same run; no global random number is used.
    """
    data = training_data(dtype)
    model = fresh_network(network, dtype, seed)
    rule = make_rule(optimizer, lr, beta)
    steps = rule.to_torch(model.parameters())
    source = rule.torch_source().replace("[w]", "model.parameters()")
    generator = torch.Generator().manual_seed(seed)
    per_epoch = math.ceil(len(data.y_train) / batch_size)
    due = {math.ceil(per_epoch * part / VALIDATIONS) for part in range(1, VALIDATIONS + 1)}
    loss, smooth = np.full((2, num_epochs * per_epoch), np.nan)
    validation = np.full((3, num_epochs * len(due)), np.nan)
    keep = max(0.0, 1 - batch_size / SMOOTH_OVER)
    average = weight = 0.0
    done = validated = 0

    def progress(diverged_at: int | None = None) -> Progress:
        shown = (loss[:done], smooth[:done], *validation[:, :validated])
        setting = (network, optimizer, source, batch_size, per_epoch)
        return Progress(*setting, *shown, diverged_at, model)

    for epoch in range(num_epochs):
        order = torch.randperm(len(data.y_train), generator=generator)
        for number, batch in enumerate(order.split(batch_size), start=1):
            model.train()
            batch_loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
            steps.zero_grad()
            batch_loss.backward()
            steps.step()

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


class DigitTraining(TrainingPlayground):
    """Train a network to read digits, live. Made by `train_digits`."""

    width, height = 9.0, 3.4
    preview = 28  # half an epoch with the default setting: 20 updates, 2 validations of 4 results

    def controls(self) -> Iterable[Control]:
        tip = "momentum; for Adam and AdamW β1, for RMSProp alpha; SGD has none"
        return (
            Choice("network", "CNN B", options=tuple(NETWORKS), tip="what is trained"),
            Choice("optimizer", "Adam", options=OPTIMIZER_NAMES, tip="how the weights are moved"),
            Notches("batch_size", 32, "batch size", options=BATCH_SIZES, tip="images per update"),
            Slider(
                "lr",
                1e-3,
                "learning rate",
                low=1e-4,
                high=10.0,
                log=True,
                width="360px",
                tip="size of the steps; the slider moves in equal ratios",
            ),
            Slider("beta", 0.9, "β", low=0.0, high=0.99, step=0.01, tip=tip, width="224px"),
        )

    def steps(self, *, dtype: str, **values: Any) -> Iterator[Progress]:
        training = train_steps(**values, dtype=getattr(torch, dtype))
        while True:
            with one_thread():  # not across the yield: then it is the learner's turn
                result = next(training, None)
            if result is None:
                return
            yield result

    @property
    def model(self) -> nn.Module:
        """A copy of the network on screen as it is now, in evaluation mode and default dtype."""
        model = copy.deepcopy(self.result.model)
        model.zero_grad(set_to_none=True)
        return model.to(torch.get_default_dtype()).eval()

    # -- controls ----------------------------------------------------------------------------------

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        import ipywidgets as widgets

        def follow(_: Any = None) -> None:  # plain SGD has no β
            rows["beta"].disabled = rows["optimizer"].value == "SGD"

        rows["optimizer"].observe(follow, names="value")
        follow()
        buttons = widgets.HBox(self.train_buttons(), layout=widgets.Layout(width="292px"))
        first = row(rows["network"], rows["optimizer"], rows["batch_size"])
        return [first, row(rows["lr"], rows["beta"], buttons)]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.075, 0.165, 0.44, 0.645))
        right = fig.add_axes((0.605, 0.165, 0.375, 0.645))
        for ax in (left, right):
            ax.set_xlim(0, NUM_EPOCHS)
            ax.set_xticks(range(NUM_EPOCHS + 1))
            ax.set_xlabel("epochs: times through the training images")

        left.set_title("How fast does the loss fall?")
        left.set_yscale("log")
        left.set_ylim(0.004, TOP)
        left.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
        left.set_ylabel("cross-entropy loss", labelpad=2)
        left.axhline(GUESSING, color=GREY, linewidth=1, linestyle=":")
        left.text(7.95, GUESSING * 1.12, "guessing: 2.30", color=GREY, fontsize=9.5, ha="right")
        train, val = SPLIT_STYLES["train"], SPLIT_STYLES["validation"]
        (self._raw,) = left.plot([], [], color=train["color"], linewidth=0.8, alpha=0.4)
        (self._smooth,) = left.plot([], [], color=train["color"], label="mini-batches, smoothed")
        style = {"color": val["color"], "linestyle": val["linestyle"], "marker": val["marker"]}
        (self._val_loss,) = left.plot([], [], **style, markersize=3.5, label="validation images")
        left.legend(loc="upper right", bbox_to_anchor=(1.01, 1.04), fontsize=9.5, handlelength=2.4)
        (self._end,) = left.plot([], [], "X", color=RED, markersize=11)

        right.set_title("How many digits does it read?")
        right.set_ylim(0, 1.04)
        right.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20", "40", "60", "80", "100 %"])
        right.set_ylabel("validation accuracy", labelpad=0)
        right.axhline(0.1, color=GREY, linewidth=1, linestyle=":")
        right.text(7.95, 0.115, "guessing: 10 %", color=GREY, fontsize=9.5, ha="right")
        (self._accuracy,) = right.plot([], [], **style, markersize=4)
        self._percent = QuickText(right, ha="right", fontsize=20, color=val["color"])
        self._percent.set_position((0.97, 0.42))
        whole = fig.transFigure
        self._source = QuickText(left, whole, family="DejaVu Sans Mono", fontsize=9)
        self._source.set_position((0.01, 0.935))
        # Only the number changes in each picture: apart from the words it is quick to draw.
        update = QuickText(left, whole, ha="right", fontsize=10, color=BLACK)
        update.set_position((0.755, 0.935))
        update.set_text("update")
        self._count = QuickText(left, whole, ha="right", fontsize=10, color=BLACK)
        self._count.set_position((0.79, 0.935))
        self._of = QuickText(left, whole, fontsize=10, color=BLACK)
        self._of.set_position((0.797, 0.935))
        box = {"facecolor": "white", "edgecolor": RED, "linewidth": 1, "pad": 3}
        self._verdict = QuickText(left, color=RED, fontsize=10.5, weight="bold", bbox=box)
        self._verdict.set_position((0.03, 0.06))
        lines = [self._raw, self._smooth, self._val_loss, self._end, self._accuracy]
        return [*lines, self._percent, self._source, self._count, self._of, self._verdict]

    def update(self, result: Progress) -> None:
        epoch = result.epoch
        self._raw.set_data(epoch, result.loss)
        self._smooth.set_data(epoch, result.smooth)
        self._val_loss.set_data(result.val_epoch, result.val_loss)
        self._accuracy.set_data(result.val_epoch, result.val_accuracy)
        percent = f"{100 * result.val_accuracy[-1]:.1f} %" if len(result.val_accuracy) else ""
        self._percent.set_text(percent)
        self._source.set_text(result.source)
        self._count.set_text(str(result.num_updates))
        words = self._state_words(", ", result)
        if self.shown_state == "ready" and not result.diverged_at:
            words = ": press Start"
        self._of.set_text(f"of {result.total_updates}{words}")
        trouble = verdict(result)
        self._verdict.set_text("\n".join(textwrap.wrap(trouble, 34)))
        self._verdict.set_visible(bool(trouble))
        self._end.set_data(*([epoch[-1:], [30.0]] if result.diverged_at else [[], []]))

    def _state_words(self, before: str, result: Progress) -> str:
        if result.diverged_at is not None:
            return f"{before}ended early"
        return "" if self.shown_state in ("ready", "running") else f"{before}{self.shown_state}"

    def summary(self, result: Progress) -> str:
        loss = rounded([result.loss[-1], result.smooth[-1]])
        text = (
            f"{result.network} with {result.source.removeprefix('torch.optim.')}, batches of "
            f"{result.batch_size}: update {result.num_updates} of {result.total_updates}"
            f"{self._state_words(', ', result)}. Batch loss {loss[0]}"
        )
        if result.diverged_at is None:
            text += f", smoothed {loss[1]}"
        if len(result.val_accuracy):
            text += (
                f"; validation loss {rounded(result.val_loss[-1])}, "
                f"accuracy {rounded(100 * result.val_accuracy[-1], 1)} %"
            )
        trouble = verdict(result)
        return f"{text}. {trouble[0].upper()}{trouble[1:]}." if trouble else f"{text}."


def train_digits(**values: Any) -> DigitTraining:
    """A playground that trains a digit reader while you watch; every knob restarts it.

    values: starting values of the controls ``network`` ("CNN A", "CNN B", "MLP"), ``optimizer``
    ("SGD", "Momentum", "Nesterov", "RMSProp", "Adam", "AdamW"), ``batch_size`` (8, 16, … 256),
    ``lr`` (1e-4 to 10) and ``beta`` (0 to 0.99). The trained network is its ``model``.

    Raises ValueError for an unknown control or a value out of range, and `DataError` where the
    data set that ``COURSE_DATASET`` names cannot be had.
    """
    return DigitTraining(**values)
