"""The schedule designer: draw a learning rate over ten epochs, and see at once what it trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from course_utils.live.controls import Choice, Slider, Toggle, folded, row
from course_utils.live.training import TrainingPlayground
from course_utils.playgrounds.one_thread import on_one_thread
from course_utils.playgrounds.parts import ALARM, TITLE, Parts
from course_utils.playgrounds.schedule_designs import CONSTANT, NAMES, USES, Design, constant_run
from course_utils.playgrounds.words import capital, standing
from course_utils.plotting import BLUE, GREEN, GREEN_INK, GREY, SPLIT_STYLES
from course_utils.printing import rounded
from course_utils.schedule_training import (
    GROUP,
    LOST,
    NUM_EPOCHS,
    NUM_NETWORKS,
    PER_EPOCH,
    TOTAL,
    Run,
    train_with,
)

GOAL = 0.17
TOP, BOTTOM = 16.0, 0.03  # ends of the loss axis
TOPS = (0.012, 0.024, 0.06, 0.12, 0.24, 0.6, 1.2)  # upper ends of the rate's axis


def _only(setting: str) -> tuple[str, tuple[str, ...]]:
    """The schedules for which a setting counts."""
    return "schedule", tuple(name for name in NAMES if setting in USES[name])


class ScheduleDesigner(Parts, TrainingPlayground):
    """Design a learning-rate schedule; five small networks are trained with it on the digits."""

    width, height = 9.0, 3.35
    preview = TOTAL // GROUP + 1  # the whole training: it takes a fraction of a second
    controls = (
        Choice("schedule", "step", "schedule", options=NAMES, width="250px",
               tip="how the rate changes; controls that it does not use are greyed out"),
        Slider("max_lr", 0.1, "highest rate", low=0.01, high=1.0, log=True, width="315px",
               tip="the highest learning rate; the slider moves in equal ratios"),
        Slider("gamma", 0.5, "γ", low=0.05, high=0.95, step=0.05, width="270px",
               only=_only("gamma"), tip="the factor by which the rate is multiplied"),
        Slider("every", 2, "step size / patience", low=1, high=5, width="290px",
               only=_only("every"),
               tip="epochs between two factors; for plateau, bad epochs it puts up with"),
        Slider("warmup", 1.0, "warm-up (epochs)", low=0.0, high=5.0, step=0.5, width="290px",
               only=_only("warmup"), readout=".1f",
               tip="epochs in which the rate rises to the highest"),
        Slider("final", 0.001, "final / highest", low=1e-4, high=1.0, log=True, width="290px",
               only=_only("final"), readout=".1g",
               tip="the last rate, as a share of the highest"),
        Toggle("per_batch", False, "step after every update (pitfall 1)", width="290px",
               only=_only("per_batch"), tip="count updates where epochs are meant"),
    )  # fmt: skip

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        schedule, rate, gamma, every, warmup, final, per_batch = rows.values()
        first = row(schedule, rate, self.train_box())
        return folded(first, row(gamma, every, warmup), row(final, per_batch))

    def steps(self, *, dtype: str, **values: Any) -> Iterator[tuple[Design, Run]]:
        design = Design(**values)
        for run in on_one_thread(train_with(design, dtype=getattr(torch, dtype))):
            yield design, run

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = self._left = fig.add_axes((0.062, 0.15, 0.355, 0.735), title="The learning rate")
        right = fig.add_axes((0.487, 0.15, 0.5, 0.735))
        for ax in (left, right):
            ax.set(xlim=(0, NUM_EPOCHS), xticks=range(0, NUM_EPOCHS + 1, 2), xlabel="epoch")
            ax.xaxis.labelpad = 0
        self._plan = self.line(left, color=BLUE, linewidth=1.2, alpha=0.55)
        self._done = self.line(left, color=BLUE, linewidth=2.6)
        self._here = self.line(left, "o", color=BLUE, markersize=7, clip_on=False)
        self._count = self.text(left, 1, 1.04, fontsize=10, ha="right")

        right.set(ylim=(BOTTOM, TOP), yscale="log")
        right.set_yticks([0.03, 0.1, 0.3, 1, 3, 10], ["0.03", "0.1", "0.3", "1", "3", "10"])
        right.minorticks_off()
        right.set_ylabel("cross-entropy loss", labelpad=0)
        val, train = SPLIT_STYLES["validation"], SPLIT_STYLES["train"]
        right.axhline(GOAL, color=GREEN, linewidth=1.2, linestyle=":")
        right.text(0.12, GOAL * 0.95, f"goal: {GOAL}", color=GREEN_INK, fontsize=10, va="top")
        reference = constant_run().val_loss.mean(1)
        right.plot(range(NUM_EPOCHS + 1), reference, color=GREY, linewidth=1.4, linestyle="-.",
                   label=f"validation, constant rate {CONSTANT}")  # fmt: skip
        style = {"color": val["color"], "linestyle": val["linestyle"]}
        thin = style | {"linewidth": 0.8, "alpha": 0.5}
        self._each = [self.line(right, **thin) for _ in range(NUM_NETWORKS)]
        self._smooth = self.line(right, color=train["color"], label="mini-batches, smoothed")
        marked = style | {"marker": val["marker"], "markersize": 4}
        self._val = self.line(right, **marked, label="validation, mean of five")
        handles, labels = right.get_legend_handles_labels()
        right.legend(handles[1:] + handles[:1], labels[1:] + labels[:1], loc="upper right",
                     bbox_to_anchor=(1.01, 1.03), fontsize=9.5, handlelength=2.6,
                     labelspacing=0.25)  # fmt: skip
        self._title = self.text(right, 0, 1.035, **TITLE)
        self._verdict = self.text(right, 0.03, 0.06, zorder=5, **ALARM)
        return self.moving

    def update(self, result: tuple[Design, Run]) -> None:
        _, run = result
        # The rates change in steps: each is drawn from its update to the next.
        epochs = np.arange(TOTAL + 1) / PER_EPOCH
        rates = np.append(run.rates, run.rates[-1])
        self._plan.set_data(epochs, rates)
        shown = run.num_updates + 1
        self._done.set_data(epochs[:shown], rates[:shown])
        last = max(run.num_updates - 1, 0)
        self._here.set_data([epochs[run.num_updates]], [run.rates[last]])
        top = next((top for top in TOPS if top >= np.nanmax(rates)), TOPS[-1])
        if self.new_ground(top):
            self._left.set_ylim(0, top)

        val = shown_loss(run.val_loss)
        for line, one in zip(self._each, val.T, strict=True):
            line.set_data(np.arange(len(one)), one)
        mean = shown_loss(run.val_loss.mean(1))
        self._val.set_data(np.arange(len(mean)), mean)
        self._smooth.set_data(epochs[1:shown], shown_loss(run.smooth))
        self._title.set_text(self._headline(run))
        self._verdict.set_text(verdict(run))
        state = "" if self.shown_state == "finished" else standing(self.shown_state)
        self._count.set_text(f"update {run.num_updates} of {TOTAL}{state}")

    def _headline(self, run: Run) -> str:
        if run.diverged_at is not None:
            return f"Diverged in update {run.diverged_at}"
        mean, spread, _ = run.final
        text = f"Validation loss {mean:.3f} ± {spread:.3f}"
        return f"{text}: goal reached" if reached(run) else text

    def summary(self, result: tuple[Design, Run]) -> str:
        design, run = result
        words, state = capital(design.words), standing(self.shown_state)
        if run.diverged_at is not None:
            return f"{words}. Update {run.diverged_at} of {TOTAL}, {verdict(run)}."
        mean, spread, accuracy = run.final
        rate = run.rates[max(run.num_updates - 1, 0)]
        text = (
            f"{words}. Update {run.num_updates} of {TOTAL}{state}, rate now {rate:.2g}. Validation "
            f"loss of five networks {rounded(mean, 3)} ± {rounded(spread, 3)}, accuracy "
            f"{rounded(100 * accuracy, 1)} %; with a constant {CONSTANT} it is "
            f"{rounded(constant_run().final[0], 3)}."
        )
        trouble = verdict(run)
        if trouble:
            text += f" {capital(trouble)}."
        return f"{text} Goal reached: below {GOAL}." if reached(run) else text


def shown_loss(values: np.ndarray) -> np.ndarray:
    """``values`` within the axis; what is no number lies on its upper end."""
    return np.clip(np.nan_to_num(values, nan=TOP, posinf=TOP), BOTTOM, TOP)


def reached(run: Run) -> bool:
    """Whether the whole training is over and the mean validation loss is below the goal."""
    return run.diverged_at is None and run.num_updates == TOTAL and run.final[0] < GOAL


def verdict(run: Run) -> str:
    """What went wrong, in words for the picture; empty when nothing did."""
    if run.diverged_at is not None:
        return f"rate too high: the mini-batch loss rose above {LOST:g}"
    lost = int((run.val_loss[-1] > 1.5).sum()) if run.num_updates == TOTAL else 0
    if not lost:
        return ""
    if float(run.rates.mean()) < 0.02:
        return "rate too low: hardly anything was learned"
    return f"rate too high: {lost} of {NUM_NETWORKS} networks learned next to nothing"
