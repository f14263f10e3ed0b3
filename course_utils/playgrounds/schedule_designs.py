"""The schedules of the schedule designer: a name, its settings, and the rates they give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from course_utils import schedules
from course_utils.names import look_up
from course_utils.playgrounds.words import counted
from course_utils.schedule_training import PER_EPOCH, TOTAL, Run, train_with

CONSTANT = 0.1  # a good constant rate, as the chapter finds: what there is to beat

# Which settings matter for which schedule; max_lr always does.
USES = {
    "constant": (),
    "step": ("gamma", "every", "per_batch"),
    "exponential": ("gamma", "per_batch"),
    "cosine": ("final",),
    "warm-up + cosine": ("warmup", "final"),
    "one cycle": ("warmup", "final"),
    "plateau": ("gamma", "every", "final"),
}
NAMES = tuple(USES)


@dataclass(frozen=True)
class Design:
    """A schedule with its settings; those that it does not use are ignored.

    max_lr: the highest rate. gamma: the factor. every: epochs between two factors, or patience.
    per_batch: count updates where epochs are meant. warmup: epochs. final: share of max_lr.
    """

    schedule: str = "cosine"
    max_lr: float = 0.2
    gamma: float = 0.5
    every: int = 2
    warmup: float = 1.0
    final: float = 0.001
    per_batch: bool = False

    def __post_init__(self) -> None:
        look_up("schedule", self.schedule, USES)

    def __call__(self, val_losses: list[float]) -> np.ndarray:
        """(TOTAL,) rate of every update; of a plateau only as far as the losses tell, then NaN."""
        t = np.arange(TOTAL)
        if self.schedule == "constant":
            return schedules.constant(t, self.max_lr)
        if self.schedule in ("step", "exponential"):
            clock = t if self.per_batch else t // PER_EPOCH
            if self.schedule == "exponential":
                return schedules.exponential(clock, self.max_lr, self.gamma)
            return schedules.step(clock, self.max_lr, self.every, self.gamma)
        low = self.final * self.max_lr
        if self.schedule == "plateau":
            known = schedules.plateau(val_losses, self.max_lr, self.gamma, self.every, min_lr=low)
            rates = np.full(TOTAL, np.nan)
            rates[: len(known) * PER_EPOCH] = np.repeat(known, PER_EPOCH)[:TOTAL]
            return rates
        warmup = round(self.warmup * PER_EPOCH)
        if self.schedule == "one cycle":
            return schedules.one_cycle(
                t, self.max_lr, TOTAL, warmup / TOTAL, final_div_factor=1 / (25 * self.final)
            )
        if self.schedule == "cosine":
            warmup = 0
        return schedules.cosine_with_warmup(t, self.max_lr, warmup, TOTAL, 0.01, low)

    @property
    def words(self) -> str:
        """The schedule in a few words: "cosine from 0.2 to 0.0002"."""
        high, low = f"{self.max_lr:.3g}", f"{self.final * self.max_lr:.2g}"
        unit = "update" if self.per_batch else "epoch"
        epochs = counted(self.every, unit)
        return {
            "constant": f"constant rate {high}",
            "step": f"step from {high}, × {self.gamma:g} every {epochs}",
            "exponential": f"exponential from {high}, × {self.gamma:g} every {unit}",
            "cosine": f"cosine from {high} to {low}",
            "warm-up + cosine": f"warm-up of {self.warmup:g} epochs to {high}, cosine to {low}",
            "one cycle": f"one cycle, {self.warmup:g} epochs up to {high}, down to {low}",
            "plateau": f"plateau from {high}, × {self.gamma:g} with patience {self.every}",
        }[self.schedule]


@cache
def constant_run() -> Run:
    """The whole training at the constant rate `CONSTANT`, in float64."""
    *_, last = train_with(Design("constant", CONSTANT), dtype=torch.float64)
    return last
