"""Learning rate, batch size and momentum on a real network, retrained while the learner drags.

The training behind it is `course_utils.playgrounds.batch_lr_compute`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from matplotlib.collections import LineCollection

from course_utils.live.controls import Choice, Notches, rate_slider, row, share_slider
from course_utils.live.training import TrainingPlayground
from course_utils.playgrounds.batch_lr_compute import (
    BATCH_SIZES,
    BUDGETS,
    GUESSING,
    KNOBS,
    PIECES,
    Run,
    train_run,
    verdict,
)
from course_utils.playgrounds.before import Before
from course_utils.playgrounds.one_thread import on_one_thread
from course_utils.playgrounds.parts import ALARM, TIGHT_HALO, Parts
from course_utils.playgrounds.words import PRESS_START, capital, standing
from course_utils.plotting import BLACK, GREY, RED, SPLIT_STYLES
from course_utils.printing import rounded

KEEP_GOING = "keep going"
SECONDS = 16.0  # that a run lasts when knobs take effect on the way
LOW, TOP = 0.003, 20.0  # ends of the loss axis
LABELLED = 4  # changes that are named in the picture


class LiveRun(Parts, TrainingPlayground):
    """A small network on the real digits, retrained as you drag learning rate and batch size.

    restart: a moved knob starts a new run with the same weights and the same order of images. keep
    going: it takes effect in the running one, and is marked.
    """

    width, height = 9.0, 3.4
    preview = 2 * PIECES  # the whole run: it is short
    controls = (
        Choice("mode", "restart", "when a knob moves", options=("restart", KEEP_GOING),
               tip="restart: every run is new. keep going: the change takes effect in the running "
               "one", width="240px"),
        Choice("budget", "12 epochs", "one run is", options=tuple(BUDGETS), width="196px",
               tip="equal epochs or equal updates for every batch size"),
        rate_slider(0.1, 1e-3, 10.0),
        Notches("batch_size", 32, "batch size", options=BATCH_SIZES, tip="images per update"),
        share_slider("momentum", 0.0, width="270px",
                     tip="share of the last step that is added to the next; 0 is plain descent"),
    )  # fmt: skip

    def steps(self, *, dtype: str, mode: str, **values: Any) -> Generator:
        return on_one_thread(train_run(**values, dtype=getattr(torch, dtype)))

    def takes_effect_now(self, old: dict[str, Any], new: dict[str, Any]) -> bool:
        if old["budget"] != new["budget"]:
            return False
        knobs_moved = any(old[knob] != new[knob] for knob in KNOBS)
        return new["mode"] == KEEP_GOING or not knobs_moved

    def wait_after(self, result: Run) -> float:
        return SECONDS * result.share if self.values["mode"] == KEEP_GOING else 0.0

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        mode, budget, *knobs = rows.values()
        return [row(mode, budget, self.train_box()), row(*knobs)]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        self._left = left = fig.add_axes((0.075, 0.165, 0.44, 0.645))
        self._right = right = fig.add_axes((0.59, 0.165, 0.395, 0.645))
        for ax in (left, right):
            ax.set_yscale("log")
            ax.set_ylim(LOW, TOP)
            ax.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
            ax.axhline(GUESSING, color=GREY, linewidth=1, linestyle=":")
        left.set_title("The loss of each mini-batch")
        right.set_title("The loss over all images")
        left.set_ylabel("cross-entropy loss", labelpad=2)
        train, val = SPLIT_STYLES["train"], SPLIT_STYLES["validation"]
        before = {"color": GREY, "linewidth": 1.4, "alpha": 0.75, "linestyle": (0, (3, 1.5))}
        self._before = self.line(left, **before)
        self._val_before = self.line(right, **before, label="validation, run before")
        self._raw = self.line(left, color=train["color"], linewidth=0.8, alpha=0.4)
        self._smooth = self.line(left, color=train["color"])
        styles = [{"markersize": 3.5, **style} for style in (train, val)]
        self._train_line = self.line(right, **styles[0], label="training")
        self._val = self.line(right, **styles[1], label="validation")
        right.legend(loc="lower left", fontsize=9.5, handlelength=2.4, borderaxespad=0.2)
        handles = [self._raw, self._smooth, self._before]
        words = ["each mini-batch", "smoothed", "run before, smoothed"]
        left.legend(handles, words, loc="lower left", fontsize=9.5, borderaxespad=0.2)
        self._marks = [
            self.add(ax, LineCollection([], colors=BLACK, linewidths=1.1)) for ax in (left, right)
        ]
        style = {"rotation": 90, "ha": "right", "va": "top", "fontsize": 9, "bbox": TIGHT_HALO}
        beside = {"by": "data", "offset": (-1, -2)}
        self._names = [self.text(left, **beside, **style) for _ in range(LABELLED)]
        self._end = self.line(left, "X", color=RED, markersize=11)
        large = {"fontsize": 17, "color": val["color"], "bbox": TIGHT_HALO | {"alpha": 1.0}}
        self._percent = self.text(right, 0.98, 0.87, ha="right", **large)
        code = {"by": "figure", "family": "DejaVu Sans Mono", "fontsize": 9}
        self._source = self.text(left, 0.01, 0.935, **code)
        count = {"by": "figure", "fontsize": 10, "color": BLACK}
        self._count = self.text(left, 0.985, 0.935, ha="right", **count)
        alarm = ALARM | {"fontsize": 10}
        self._verdict = self.text(left, 0.985, 0.42, ha="right", **alarm)
        self._shown_budget, self._before_it = "", Before()
        return self.moving

    def update(self, result: Run) -> None:
        ghost = self._before_it.note(result, finished=result.progress > 0.5)
        if ghost is not None and ghost.budget != result.budget:
            ghost = None  # another axis
        if result.budget != self._shown_budget:
            self._shown_budget = result.budget
            unit = result.budget.split()[1]
            for ax in (self._left, self._right):
                ax.set_xlim(0, BUDGETS[result.budget])
                ax.set_xlabel({"epochs": "epochs: times through the images"}.get(unit, unit))
            self.invalidate(result.budget)
        self._raw.set_data(result.at, np.minimum(result.loss, 2 * TOP))
        self._smooth.set_data(result.at, result.smooth)
        self._train_line.set_data(result.look_at, result.train_loss)
        self._val.set_data(result.look_at, result.val_loss)
        self._before.set_data(*(([], []) if ghost is None else (ghost.at, ghost.smooth)))
        self._val_before.set_data(*(([], []) if ghost is None else (ghost.look_at, ghost.val_loss)))
        for marks in self._marks:
            marks.set_segments([[(c.at, LOW), (c.at, TOP)] for c in result.changes])
        shown = result.changes[-LABELLED:]
        for number, name in enumerate(self._names):
            name.set_text(shown[number].words if number < len(shown) else "")
            name.set_position((shown[number].at, TOP) if number < len(shown) else (0, LOW))
        self._percent.set_text(f"{100 * result.val_accuracy[-1]:.1f} % read right")
        momentum = f", momentum={result.momentum:.2g}" if result.momentum else ""
        source = f"SGD(model.parameters(), lr={result.lr:.3g}{momentum})"
        self._source.set_text(f"{source}   batch_size={result.batch_size}")
        self._count.set_text(self._so_far(result) + standing(self.shown_state, PRESS_START))
        self._verdict.set_text(verdict(result))
        self._end.set_data(*([result.at[-1:], [TOP / 1.7]] if result.diverged else [[], []]))

    def _so_far(self, result: Run) -> str:
        return f"update {result.num_updates}, epoch {result.epochs:.1f}"

    def summary(self, result: Run) -> str:
        loss = rounded([result.smooth[-1], result.train_loss[-1], result.val_loss[-1]], 3)
        text = f"{result.setting}: {self._so_far(result)}. "
        for change in result.changes[-LABELLED:]:
            text += f"{change.words} at {rounded(change.at, 1):g} {result.budget.split()[1]}. "
        if not result.diverged:
            text += (
                f"Mini-batch loss, smoothed: {loss[0]}; over all images: training {loss[1]}, "
                f"validation {loss[2]}, accuracy {rounded(100 * result.val_accuracy[-1], 1)} %."
            )
        trouble = verdict(result)
        text = capital(text.rstrip())
        return f"{text} {capital(trouble)}." if trouble else text
