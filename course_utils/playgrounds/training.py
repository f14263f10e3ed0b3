"""Live training of a digit reader: turn a knob, and the run starts over while you watch its loss.

The training behind it is in `digit_runs`.
"""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from course_utils.live.controls import Choice, Notches, rate_slider, row, share_slider
from course_utils.live.training import TrainingPlayground
from course_utils.playgrounds.digit_runs import (
    BATCH_SIZES,
    GUESSING,
    NETWORKS,
    NUM_EPOCHS,
    OPTIMIZER_NAMES,
    SCHEDULE_NAMES,
    TOP,
    Progress,
    train_steps,
    verdict,
)
from course_utils.playgrounds.one_thread import on_one_thread
from course_utils.playgrounds.parts import ALARM, Parts
from course_utils.playgrounds.words import PRESS_START, capital, standing
from course_utils.plotting import BLACK, BLUE, GREY, RED, SPLIT_STYLES
from course_utils.printing import rounded


def ended(text: str, trouble: str) -> str:
    """The sentence ``text`` with its end, and what went wrong in another."""
    return f"{text}. {capital(trouble)}." if trouble else f"{text}."


class Names(NamedTuple):
    """What the picture calls its parts."""

    loss: str = "How fast does the loss fall?"
    y: str = "cross-entropy loss"
    x: str = "epochs: times through the training images"
    seen: str = "mini-batches, smoothed"
    new: str = "validation images"


class DigitTraining(Parts, TrainingPlayground):
    """Train a digit reader while you watch; every knob restarts it.

    The trained network is its ``model``. `DataError` where the data set that ``COURSE_DATASET``
    names cannot be had.
    """

    width, height = 9.0, 3.55
    names = Names()
    preview = 28  # half an epoch with the default setting: 20 updates, 2 validations of 4 results
    controls = (
        Choice("network", "CNN B", options=tuple(NETWORKS), width="164px", tip="what is trained"),
        Choice("optimizer", "Adam", options=OPTIMIZER_NAMES, width="190px",
               tip="how the weights are moved"),
        Choice("schedule", "constant", options=SCHEDULE_NAMES, width="234px",
               tip="how the rate changes from update to update"),
        Notches("batch_size", 32, "batch size", options=BATCH_SIZES, width="268px",
                tip="images per update"),
        rate_slider(1e-3, 1e-4, 10.0, width="360px",
                    tip="size of the steps, the highest one of the schedule; equal ratios"),
        share_slider("beta", 0.9, label="β", width="224px", only=("optimizer", OPTIMIZER_NAMES[1:]),
                     tip="momentum; for Adam and AdamW β1, for RMSProp alpha; SGD has none"),
    )  # fmt: skip

    def steps(self, *, dtype: str, **values: Any) -> Iterator[Progress]:
        return on_one_thread(train_steps(**values, dtype=getattr(torch, dtype)))

    @property
    def model(self) -> nn.Module:
        """A copy of the network on screen as it is now, in evaluation mode and default dtype."""
        model = copy.deepcopy(self.result.model)
        model.zero_grad(set_to_none=True)
        return model.to(torch.get_default_dtype()).eval()

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        *first, lr, beta = rows.values()
        return [row(*first), row(lr, beta, self.train_box())]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.075, 0.15, 0.44, 0.625))
        right = fig.add_axes((0.605, 0.41, 0.375, 0.365))
        below = fig.add_axes((0.605, 0.15, 0.375, 0.165))
        self._draw_curves(left, right, under=(left, below))
        right.tick_params(labelbottom=False)
        below.set_xlim(0, NUM_EPOCHS)
        below.set_xticks(range(NUM_EPOCHS + 1))
        self._draw_rate(below)
        self._draw_count(left, 0.945)
        code = {"by": "figure", "family": "DejaVu Sans Mono"}
        self._source = self.text(left, 0.01, 0.945, fontsize=9, **code)
        self._scheduler = self.text(left, 0.01, 0.887, fontsize=8, **code)
        return self.moving

    def _draw_curves(self, left: Any, right: Any, under: tuple[Any, Any]) -> None:
        """Losses on the `left`, accuracy on the `right`; `under` which axes the epochs stand."""
        for ax in (left, right):
            ax.set_xlim(0, NUM_EPOCHS)
            ax.set_xticks(range(NUM_EPOCHS + 1))
        for ax in under:
            ax.set_xlabel(self.names.x, labelpad=1)

        left.set_title(self.names.loss)
        left.set_yscale("log")
        left.set_ylim(0.004, TOP)
        left.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
        left.set_ylabel(self.names.y, labelpad=2)
        left.axhline(GUESSING, color=GREY, linewidth=1, linestyle=":")
        grey = {"color": GREY, "fontsize": 9.5, "ha": "right"}
        left.text(7.95, GUESSING * 1.12, "guessing: 2.30", **grey)
        train, val = SPLIT_STYLES["train"], SPLIT_STYLES["validation"]
        self._raw = self.line(left, color=train["color"], linewidth=0.8, alpha=0.4)
        self._smooth = self.line(left, color=train["color"], label=self.names.seen)
        style = {"color": val["color"], "linestyle": val["linestyle"], "marker": val["marker"]}
        self._val_loss = self.line(left, **style, markersize=3.5, label=self.names.new)
        left.legend(loc="upper right", bbox_to_anchor=(1.01, 1.04), fontsize=9.5, handlelength=2.4)
        self._end = self.line(left, "X", color=RED, markersize=11)

        right.set_title("How many digits does it read?")
        right.set_ylim(0, 1.04)
        right.set_yticks([0, 0.5, 1.0], ["0", "50", "100 %"])
        right.axhline(0.1, color=GREY, linewidth=1, linestyle=":")
        right.text(7.95, 0.13, "guessing: 10 %", **grey)
        self._accuracy = self.line(right, **style, markersize=4)
        self._percent = self.text(right, 0.97, 0.42, ha="right", fontsize=20, color=val["color"])
        self._verdict = self.text(left, 0.03, 0.06, **ALARM)

    def _draw_count(self, ax: Any, height: float) -> None:
        # Only the number changes in each picture: apart from the words it is quick to draw.
        count = {"by": "figure", "fontsize": 10, "color": BLACK}
        self.text(ax, 0.755, height, "update", ha="right", **count)
        self._count = self.text(ax, 0.79, height, ha="right", **count)
        self._of = self.text(ax, 0.797, height, **count)

    def _draw_rate(self, ax: Any) -> None:
        """The learning rate, as a share of the highest: so the axis never changes."""
        ax.set_ylim(-0.04, 1.12)
        ax.set_yticks([0, 1], ["0", ""])
        self._plan = self.line(ax, color=BLUE, linewidth=1.2, alpha=0.55)
        self._rates = self.line(ax, color=BLUE, linewidth=2.4)
        self._here = self.line(ax, "o", color=BLUE, markersize=5, clip_on=False)
        left = {"by": "data", "offset": (-4, 0), "ha": "right", "va": "center"}
        self._highest = self.text(ax, 0, 1, fontsize=10, **left)
        self._rate = self.text(ax, 0, 1.1, color=BLUE, fontsize=10, weight="bold")

    def update(self, result: Progress) -> None:
        self._update_curves(result)
        self._update_rate(result)
        self._source.set_text(result.source)
        self._scheduler.set_text(result.scheduler or "# no scheduler: the rate stays")

    def _update_curves(self, result: Progress) -> None:
        epoch = result.epoch
        self._raw.set_data(epoch, result.loss)
        self._smooth.set_data(epoch, result.smooth)
        self._val_loss.set_data(result.val_epoch, result.val_loss)
        self._accuracy.set_data(result.val_epoch, result.val_accuracy)
        percent = f"{100 * result.val_accuracy[-1]:.1f} %" if len(result.val_accuracy) else ""
        self._percent.set_text(percent)
        self._count.set_text(str(result.num_updates))
        self._of.set_text(f"of {result.total_updates}{self._stands(result, PRESS_START)}")
        self._verdict.set_text("\n".join(textwrap.wrap(verdict(result), 34)))
        self._end.set_data(*([epoch[-1:], [30.0]] if result.diverged_at else [[], []]))

    def _update_rate(self, result: Progress) -> None:
        # A rate holds for a whole update, from the end of the one before to its own.
        rates, per_epoch = result.rates / result.rates.max(), result.updates_per_epoch
        edges = np.arange(result.total_updates + 1) / per_epoch
        steps, shares = edges.repeat(2)[1:-1], rates.repeat(2)
        self._plan.set_data(steps, shares)
        self._rates.set_data(steps[: 2 * result.num_updates], shares[: 2 * result.num_updates])
        self._here.set_data(edges[[result.num_updates]], rates[[result.num_updates - 1]])
        self._highest.set_text(f"{result.rates.max():.3g}")
        self._rate.set_text(f"Learning rate: now {result.rate:.2g}")

    def _stands(self, result: Progress, before: str = "") -> str:
        return standing(self.shown_state, before, early=result.diverged_at is not None)

    def summary(self, result: Progress) -> str:
        loss = rounded([result.loss[-1], result.smooth[-1]])
        schedule = f" and {result.scheduler}, now {result.rate:.2g}" if result.scheduler else ""
        text = (
            f"{result.network} with {result.source.removeprefix('torch.optim.')}{schedule}, "
            f"batches of {result.batch_size}: update {result.num_updates} of "
            f"{result.total_updates}{self._stands(result)}. Batch loss {loss[0]}"
        )
        if result.diverged_at is None:
            text += f", smoothed {loss[1]}"
        if len(result.val_accuracy):
            text += (
                f"; validation loss {rounded(result.val_loss[-1])}, "
                f"accuracy {rounded(100 * result.val_accuracy[-1], 1)} %"
            )
        return ended(text, verdict(result))


class FirstTraining(DigitTraining):
    """Train a digit reader while you watch; moving the learning rate restarts it.

    The trained network is its ``model``. `DataError` where the data set that ``COURSE_DATASET``
    names cannot be had.
    """

    height = 3.2
    names = Names(
        loss="How wrong is it?",
        y="loss",
        x="times through the training images",
        seen="images that it learns from",
        new="new images",
    )
    controls = (rate_slider(1e-3, 1e-4, 1.0, width="360px", tip="size of the steps; equal ratios"),)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        return [row(*rows.values(), self.train_box())]

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.075, 0.16, 0.44, 0.67))
        right = fig.add_axes((0.605, 0.16, 0.375, 0.67))
        self._draw_curves(left, right, under=(left, right))
        self._draw_count(left, 0.945)
        return self.moving

    def update(self, result: Progress) -> None:
        self._update_curves(result)

    def summary(self, result: Progress) -> str:
        text = (
            f"Learning rate {result.rate:.2g}: update {result.num_updates} of "
            f"{result.total_updates}{self._stands(result)}. "
            f"Loss {rounded(result.smooth[-1] if result.diverged_at is None else result.loss[-1])}"
        )
        if len(result.val_accuracy):
            text += f"; of the new images it reads {rounded(100 * result.val_accuracy[-1], 1)} %"
        return ended(text, verdict(result))
