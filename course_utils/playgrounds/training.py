"""Live training of a digit reader: turn a knob, and the run starts over while you watch its loss.

`train_digits` makes the playground; the training behind it is in `digit_runs`.
"""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.live.controls import Choice, Control, Notches, Slider, row
from course_utils.live.quick_text import QuickText
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
from course_utils.playgrounds.seeded import one_thread
from course_utils.plotting import BLACK, BLUE, GREY, RED, SPLIT_STYLES
from course_utils.printing import rounded


class DigitTraining(TrainingPlayground):
    """Train a network to read digits, live. Made by `train_digits`."""

    width, height = 9.0, 3.55
    preview = 28  # half an epoch with the default setting: 20 updates, 2 validations of 4 results

    def controls(self) -> Iterable[Control]:
        beta_tip = "momentum; for Adam and AdamW β1, for RMSProp alpha; SGD has none"
        schedule_tip = "how the rate changes from update to update"
        lr_tip = "size of the steps, the highest one of the schedule; equal ratios"
        return (
            Choice("network", "CNN B", options=tuple(NETWORKS), width="164px",
                   tip="what is trained"),
            Choice("optimizer", "Adam", options=OPTIMIZER_NAMES, width="190px",
                   tip="how the weights are moved"),
            Choice("schedule", "constant", options=SCHEDULE_NAMES, width="234px", tip=schedule_tip),
            Notches("batch_size", 32, "batch size", options=BATCH_SIZES, width="268px",
                    tip="images per update"),
            Slider("lr", 1e-3, "learning rate", low=1e-4, high=10.0, log=True, width="360px",
                   tip=lr_tip),
            Slider("beta", 0.9, "β", low=0.0, high=0.99, step=0.01, tip=beta_tip, width="224px"),
        )  # fmt: skip

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
        first = row(*(rows[name] for name in ("network", "optimizer", "schedule", "batch_size")))
        return [first, row(rows["lr"], rows["beta"], buttons)]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.075, 0.15, 0.44, 0.625))
        right = fig.add_axes((0.605, 0.41, 0.375, 0.365))
        below = fig.add_axes((0.605, 0.15, 0.375, 0.165))
        for ax in (left, right, below):
            ax.set_xlim(0, NUM_EPOCHS)
            ax.set_xticks(range(NUM_EPOCHS + 1))
        for ax in (left, below):
            ax.set_xlabel("epochs: times through the training images", labelpad=1)
        right.tick_params(labelbottom=False)

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
        right.set_yticks([0, 0.5, 1.0], ["0", "50", "100 %"])
        right.axhline(0.1, color=GREY, linewidth=1, linestyle=":")
        right.text(7.95, 0.13, "guessing: 10 %", color=GREY, fontsize=9.5, ha="right")
        (self._accuracy,) = right.plot([], [], **style, markersize=4)
        self._percent = QuickText(right, ha="right", fontsize=20, color=val["color"])
        self._percent.set_position((0.97, 0.42))
        self._draw_rate(below)
        self._draw_words(fig, left)
        lines = [self._raw, self._smooth, self._val_loss, self._end, self._accuracy]
        rates = [self._plan, self._rates, self._here, self._highest, self._rate]
        words = [self._source, self._scheduler, self._count, self._of, self._verdict]
        return [*lines, *rates, self._percent, *words]

    def _draw_rate(self, ax: Any) -> None:
        """The learning rate, as a share of the highest: so the axis never changes."""
        ax.set_ylim(-0.04, 1.12)
        ax.set_yticks([0, 1], ["0", ""])
        (self._plan,) = ax.plot([], [], color=BLUE, linewidth=1.2, alpha=0.55)
        (self._rates,) = ax.plot([], [], color=BLUE, linewidth=2.4)
        (self._here,) = ax.plot([], [], "o", color=BLUE, markersize=5, clip_on=False)
        self._highest = QuickText(ax, ax.transData, (-4, 0), ha="right", va="center", fontsize=10)
        self._highest.set_position((0, 1))
        self._rate = QuickText(ax, color=BLUE, fontsize=10, weight="bold")
        self._rate.set_position((0, 1.1))

    def _draw_words(self, fig: Any, ax: Any) -> None:
        whole = fig.transFigure
        self._source, self._scheduler = (
            QuickText(ax, whole, family="DejaVu Sans Mono", fontsize=size) for size in (9, 8)
        )
        self._source.set_position((0.01, 0.945))
        self._scheduler.set_position((0.01, 0.887))
        # Only the number changes in each picture: apart from the words it is quick to draw.
        update = QuickText(ax, whole, ha="right", fontsize=10, color=BLACK)
        update.set_position((0.755, 0.945))
        update.set_text("update")
        self._count = QuickText(ax, whole, ha="right", fontsize=10, color=BLACK)
        self._count.set_position((0.79, 0.945))
        self._of = QuickText(ax, whole, fontsize=10, color=BLACK)
        self._of.set_position((0.797, 0.945))
        box = {"facecolor": "white", "edgecolor": RED, "linewidth": 1, "pad": 3}
        self._verdict = QuickText(ax, color=RED, fontsize=10.5, weight="bold", bbox=box)
        self._verdict.set_position((0.03, 0.06))

    def update(self, result: Progress) -> None:
        epoch = result.epoch
        self._raw.set_data(epoch, result.loss)
        self._smooth.set_data(epoch, result.smooth)
        self._val_loss.set_data(result.val_epoch, result.val_loss)
        self._accuracy.set_data(result.val_epoch, result.val_accuracy)
        percent = f"{100 * result.val_accuracy[-1]:.1f} %" if len(result.val_accuracy) else ""
        self._percent.set_text(percent)
        self._update_rate(result)
        self._source.set_text(result.source)
        self._scheduler.set_text(result.scheduler or "# no scheduler: the rate stays")
        self._count.set_text(str(result.num_updates))
        words = self._state_words(", ", result)
        if self.shown_state == "ready" and not result.diverged_at:
            words = ": press Start"
        self._of.set_text(f"of {result.total_updates}{words}")
        trouble = verdict(result)
        self._verdict.set_text("\n".join(textwrap.wrap(trouble, 34)))
        self._verdict.set_visible(bool(trouble))
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

    def _state_words(self, before: str, result: Progress) -> str:
        if result.diverged_at is not None:
            return f"{before}ended early"
        return "" if self.shown_state in ("ready", "running") else f"{before}{self.shown_state}"

    def summary(self, result: Progress) -> str:
        loss = rounded([result.loss[-1], result.smooth[-1]])
        schedule = f" and {result.scheduler}, now {result.rate:.2g}" if result.scheduler else ""
        text = (
            f"{result.network} with {result.source.removeprefix('torch.optim.')}{schedule}, "
            f"batches of {result.batch_size}: update {result.num_updates} of "
            f"{result.total_updates}{self._state_words(', ', result)}. Batch loss {loss[0]}"
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
    ("SGD", "Momentum", "Nesterov", "RMSProp", "Adam", "AdamW"), ``schedule`` ("constant", "step",
    "cosine", "warm-up + cosine", "one cycle"), ``batch_size`` (8, 16, … 256), ``lr`` (1e-4 to 10,
    the highest rate of the schedule) and ``beta`` (0 to 0.99). The trained network is its
    ``model``.

    Raises ValueError for an unknown control or a value out of range, and `DataError` where the
    data set that ``COURSE_DATASET`` names cannot be had.
    """
    return DigitTraining(**values)
