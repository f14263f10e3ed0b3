"""A small network learns y = x², live: how many bends does it need, and at which learning rate?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.live.controls import Choice, Slider, rate_slider, row
from course_utils.live.training import TrainingPlayground
from course_utils.models import seeded_network
from course_utils.names import look_up
from course_utils.playgrounds.one_thread import on_one_thread
from course_utils.playgrounds.parts import ALARM, TIGHT_HALO, TITLE, Parts
from course_utils.playgrounds.words import capital, counted, standing
from course_utils.plotting import BLUE, GREEN, GREEN_INK, GREY, RED
from course_utils.printing import rounded

NUM_EPOCHS = 2_000
GROUP = 20  # epochs between two looks at the controls: about 5 ms
POINTS = 100
LOW, HIGH = -3.0, 3.0
GRID = np.linspace(LOW, HIGH, 601)
GOAL = 0.01
SEED = 1
LOST = 1e6  # a loss from which no training comes back; the untrained network has about 17
TOP, BOTTOM = 100.0, 1e-4  # ends of the loss axis
OPTIMIZERS = {"Adam": torch.optim.Adam, "SGD": torch.optim.SGD}


@dataclass(frozen=True, eq=False)
class Fit:
    """Where the training stands. Arrays are float64 and never changed later.

    loss: (epochs done + 1,) mean squared error, the first one before any training.
    curve: (601,) the network's output on `GRID`. bends: (B,) where its line bends within the data,
    sorted. idle: hidden units that are 0 for all the data. diverged_at: epoch or None.
    """

    hidden: int
    lr: float
    optimizer: str
    loss: np.ndarray
    curve: np.ndarray
    bends: np.ndarray
    idle: int
    diverged_at: int | None

    @property
    def epoch(self) -> int:
        return len(self.loss) - 1


def data(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """(X, y), both (100, 1): points of y = x² at equal distances from -3 to 3."""
    X = torch.linspace(LOW, HIGH, POINTS, dtype=torch.float64)[:, None]
    return X.to(dtype), (X**2).to(dtype)


def fresh_network(hidden: int, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """1 → hidden → 1 with ReLU and PyTorch's own initialisation; the same every time."""

    def build() -> nn.Sequential:
        return nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    return seeded_network(build, SEED).to(dtype)


def train_curve(
    hidden: int = 10,
    lr: float = 0.01,
    optimizer: str = "Adam",
    *,
    dtype: torch.dtype = torch.float32,
    num_epochs: int = NUM_EPOCHS,
) -> Iterator[Fit]:
    """Fit y = x² with all 100 points in each update; a `Fit` at once and after every 20 epochs.

    Ends after ``num_epochs``, or when the loss explodes. Raises ValueError for an unknown
    optimizer.
    """
    make = look_up("optimizer", optimizer, OPTIMIZERS)
    X, y = data(dtype)
    model = fresh_network(hidden, dtype)
    steps = make(model.parameters(), lr=lr)
    losses: list[float] = []

    def result(diverged_at: int | None = None) -> Fit:
        seen = look_at(model)
        return Fit(hidden, lr, optimizer, np.array(losses), *seen, diverged_at)

    for epoch in range(num_epochs + 1):
        loss = F.mse_loss(model(X), y)  # after so many epochs
        losses.append(loss.item())
        if not losses[-1] < LOST:  # so written, NaN is caught too
            yield result(diverged_at=epoch)
            return
        if epoch % GROUP == 0 or epoch == num_epochs:
            yield result()
        if epoch < num_epochs:
            steps.zero_grad()
            loss.backward()
            steps.step()


def look_at(model: nn.Sequential) -> tuple[np.ndarray, np.ndarray, int]:
    """(curve, bends, idle) of a network 1 → hidden → 1, as in `Fit`."""
    with np.errstate(all="ignore"):
        w, b, v, c = (p.detach().double().numpy() for p in model.parameters())
        w, v = w[:, 0], v[0]
        curve = np.maximum(GRID[:, None] * w + b, 0) @ v + c[0]
        place = -b / w
    bends = np.sort(place[(place > LOW) & (place < HIGH) & (v != 0)])
    ends = np.maximum(LOW * w + b, HIGH * w + b)  # a unit is largest at one of the two ends
    return curve, bends, int((ends <= 0).sum())


def verdict(result: Fit) -> str:
    """What went wrong, in words for the picture; empty when nothing did."""
    if result.diverged_at is not None:
        return f"diverged in epoch {result.diverged_at}:\nthe steps are too large"
    if result.idle == result.hidden:
        return "every hidden unit is 0 for all the data:\nno gradient, no learning"
    return ""


class CurveFit(Parts, TrainingPlayground):
    """Fit y = x² with a network 1 → hidden → 1 while one watches; every knob restarts it."""

    width, height = 9.0, 3.5
    preview = 11  # the untrained network and 10 groups of 20 epochs
    controls = (
        Slider("hidden", 10, "hidden units", low=1, high=50, width="330px",
               tip="each can bend the line once"),
        rate_slider(0.01, 1e-4, 1.0, width="340px"),
        Choice("optimizer", "Adam", options=tuple(OPTIMIZERS), width="180px",
               tip="how the weights are moved"),
    )  # fmt: skip

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        return [row(*rows.values()), row(*self.train_buttons())]

    def steps(self, *, dtype: str, **values: Any) -> Iterator[Fit]:
        return on_one_thread(train_curve(**values, dtype=getattr(torch, dtype)))

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.06, 0.145, 0.5, 0.745), xlabel="x")
        right = fig.add_axes((0.66, 0.145, 0.31, 0.745), yscale="log", xlabel="epoch")
        X, y = (t[:, 0].numpy() for t in data())
        left.set(xlim=(LOW - 0.15, HIGH + 0.15), ylim=(-1.5, 10))
        left.set_ylabel("y", labelpad=2)
        left.plot(X, y, "o", color=GREY, markersize=4, alpha=0.45, zorder=2)
        note = {"color": GREY, "fontsize": 10, "ha": "right", "bbox": TIGHT_HALO, "zorder": 5}
        left.text(3.0, -1.1, "100 points of y = x²", **note)
        self._curve = self.line(left, color=BLUE, zorder=3)
        bend = {"color": BLUE, "markerfacecolor": "white", "markersize": 6, "zorder": 4}
        self._bends = self.line(left, "D", **bend)
        self._title = self.text(left, 0, 1.035, **TITLE)
        self._verdict = self.text(left, 0.5, 0.72, ha="center", zorder=5, **ALARM)

        right.set(xlim=(0, NUM_EPOCHS), ylim=(BOTTOM, TOP))
        right.set_xticks(range(0, NUM_EPOCHS + 1, 500))
        right.set_yticks([1e-4, 0.01, 1, 100], ["0.0001", "0.01", "1", "100"])
        right.minorticks_off()
        right.set_ylabel("mean squared error", labelpad=0)
        right.axhline(GOAL, color=GREEN, linewidth=1.2, linestyle=":")
        right.text(30, GOAL * 0.72, "goal: 0.01", color=GREEN_INK, fontsize=10, va="top")
        self._loss = self.line(right, color=BLUE)
        self._end = self.line(right, "o", color=BLUE, markersize=6, clip_on=False)
        self._count = self.text(right, 1, 1.04, fontsize=10, ha="right")
        left.xaxis.labelpad = right.xaxis.labelpad = 1
        return self.moving

    def update(self, result: Fit) -> None:
        curve = np.where(np.abs(result.curve) < 1e4, result.curve, np.nan)
        self._curve.set_data(GRID, curve)
        self._bends.set_data(result.bends, np.interp(result.bends, GRID, curve))
        self._title.set_text(f"{units_text(result)}, {bends_text(result)}")
        self._verdict.set_text(verdict(result))
        shown = np.clip(np.nan_to_num(result.loss, nan=TOP, posinf=TOP), BOTTOM, TOP)
        self._loss.set_data(np.arange(len(shown)), shown)
        self._end.set_data([result.epoch], [shown[-1]])
        self._end.set_color(RED if result.diverged_at else BLUE)
        count = self._so_far(result)
        if self.shown_state == "ready" and not result.diverged_at:
            count = f"{result.epoch} of {NUM_EPOCHS} epochs: press Start"
        self._count.set_text(count)

    def _so_far(self, result: Fit) -> str:
        state = standing(self.shown_state, early=result.diverged_at is not None)
        return f"epoch {result.epoch} of {NUM_EPOCHS}{state}"

    def summary(self, result: Fit) -> str:
        loss = result.loss[-1]
        value = f"{rounded(loss)}" if loss < LOST else "beyond all bounds"
        text = (
            f"y = x² with {units_text(result)}, {result.optimizer} with learning rate "
            f"{result.lr:.3g}: {self._so_far(result)}. Mean squared error {value}, "
            f"{bends_text(result)}"
        )
        if result.idle:
            text += f", {result.idle} of the units idle (0 for all the data)"
        trouble = verdict(result).replace("\n", " ")
        if trouble:
            return f"{text}. {capital(trouble)}."
        return f"{text}. Goal reached: below {GOAL}." if loss < GOAL else f"{text}."


def units_text(result: Fit) -> str:
    return counted(result.hidden, "hidden unit")


def bends_text(result: Fit) -> str:
    return f"{counted(len(result.bends), 'bend')} within the data"
