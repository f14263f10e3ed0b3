"""The EMA explorer: what an exponentially weighted average remembers, and how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection

from course_utils.live.controls import Toggle, share_slider
from course_utils.live.playground import Playground
from course_utils.paths import ema
from course_utils.playgrounds.parts import HALO, TITLE, Parts
from course_utils.playgrounds.words import counted
from course_utils.plotting import BLUE, GREY, RED, RED_INK
from course_utils.printing import rounded

DAYS = 120
DAYS_SHOWN = 60  # in the panel of the weights
LOWEST = -4.0  # °C
TOPS = (100.0, 40.0, 15.0, 6.0, 2.5)  # upper ends of the weights' axis, in percent


def temperatures() -> np.ndarray:
    """Daily temperatures of an autumn in °C, float64, shape (120,): the same every time."""
    day = np.arange(DAYS)
    season = 11 + 8 * np.cos(np.pi * day / (DAYS - 1)) + 2 * np.sin(day / 8)
    return season + 2.5 * np.random.default_rng(4).standard_normal(DAYS)


@dataclass(frozen=True, eq=False)
class Average:
    """The series and its exponentially weighted average."""

    beta: float
    bias_correction: bool
    series: np.ndarray
    """°C, shape (T,)."""
    averages: np.ndarray
    """°C, shape (T,)."""
    weights: np.ndarray
    """Share of each day in the newest average, newest first, shape (T,)."""

    @property
    def window(self) -> float:
        """The effective window in days, 1/(1 − β)."""
        return 1 / (1 - self.beta)


def average_series(beta: float, bias_correction: bool) -> Average:
    """The average of `temperatures` for 0 ≤ beta < 1; see `course_utils.paths.ema`."""
    series = temperatures()
    averages = ema(series, beta, bias_correction)
    weights = (1 - beta) * beta ** np.arange(DAYS)
    if bias_correction:
        weights = weights / (1 - beta**DAYS)
    return Average(beta, bias_correction, series, averages, weights)


class EmaExplorer(Parts, Playground):
    """Explore the exponentially weighted average of a noisy series of 120 daily temperatures."""

    width, height = 9.0, 3.4
    controls = (
        share_slider("beta", 0.9, label="β", width="430px",
                     tip="how much of the old average is kept each day"),
        Toggle("bias_correction", False, label="bias correction", width="180px",
               tip="divide by the sum of the weights, 1 − βᵗ on day t"),
    )  # fmt: skip
    compute = staticmethod(average_series)

    def draw(self, fig: Any) -> list[Any]:
        days = np.arange(1, DAYS + 1)
        left = self.left = fig.add_axes((0.065, 0.145, 0.53, 0.745))
        left.set(xlim=(0, DAYS + 1), ylim=(LOWEST, 27), xlabel="day", ylabel="temperature (°C)")
        left.plot(days, temperatures(), "o", ms=4, color=GREY, alpha=0.6, zorder=2)
        left.text(62, 18.5, "measured", color=GREY, fontsize=10.5)
        self.span = self.line(left, color=RED, lw=5, solid_capstyle="butt", zorder=3)
        self.span_label = self.text(left, by="data", offset=(0, 5), color=RED_INK, ha="right")
        self.mean = self.line(left, color=BLUE, zorder=3)
        self.end = self.line(left, "s", color=BLUE, ms=7, mec="white", zorder=4)
        self.plain = self.line(left, ":", color=RED, lw=2, zorder=2.5)
        beside = {"by": "data", "offset": (8, -6), "va": "top"}
        self.plain_label = self.text(
            left, 0, 0, "without correction", zorder=4, color=RED_INK, bbox=HALO, **beside
        )
        self.title = self.text(left, 0, 1.035, **TITLE)

        right = self.right = fig.add_axes((0.68, 0.145, 0.305, 0.745))
        right.set(xlim=(-0.8, DAYS_SHOWN), ylim=(0, TOPS[0]))
        right.set(xlabel="days ago", ylabel="weight (%)", title="Its weights fade by β a day")
        self.stems = self.add(right, LineCollection([], colors=BLUE, lw=1.8, zorder=2))
        self.mark = self.line(right, "--", color=RED, lw=1.6, zorder=3)
        self.mark_label = self.text(right, zorder=4, color=RED_INK, va="top", bbox=HALO)
        left.xaxis.labelpad = right.xaxis.labelpad = 0
        return self.moving

    def update(self, result: Average) -> None:
        days = np.arange(1, DAYS + 1)
        window = result.window
        self.mean.set_data(days, result.averages)
        self.end.set_data([DAYS], [result.averages[-1]])
        self.span.set_data([max(DAYS + 0.5 - window, 0.5), DAYS + 0.5], [LOWEST + 0.4] * 2)
        self.span_label.set_position((DAYS + 0.5, LOWEST + 0.4))
        self.span_label.set_text(f"last {days_text(window)}" if window > 1 else "last day")
        self.title.set_text(f"β = {result.beta:.2f} averages about {days_text(window)}")
        self._show_plain(result)

        percent = 100 * result.weights
        top = min(top for top in TOPS if top >= percent[0])
        if self.new_ground(top):
            self.right.set_ylim(0, top)
        ago = np.arange(DAYS_SHOWN)
        self.stems.set_segments([[(day, 0), (day, percent[day])] for day in ago])
        shown = window <= DAYS_SHOWN
        self.mark.set_data([window - 0.5] * 2, [0, 0.86 * top])
        self.mark.set_visible(shown)
        share = percent[: round(window)].sum()
        words = f"1/(1 − β) = {days_text(window)}:\n{share:.0f} % of the weight"
        self.mark_label.set_text(words if shown else f"{words} →")
        # To the right of the mark while there is room, else at the right edge.
        self.mark_label.set_position((min((window + 1.2) / (DAYS_SHOWN + 0.8), 0.38), 0.97))

    def _show_plain(self, result: Average) -> None:
        """What the correction has changed, where that can be seen."""
        visible = result.bias_correction and result.beta > 0.3
        self.plain.set_visible(visible)
        self.plain_label.set_visible(visible)
        if visible:
            days = np.arange(1, DAYS + 1)
            plain = result.averages * (1 - result.beta**days)
            gap = np.abs(plain - result.averages) > 0.2
            self.plain.set_data(days[gap], plain[gap])
            spot = min(int(result.window), 40)
            self.plain_label.set_position((days[spot], plain[spot]))

    def summary(self, result: Average) -> str:
        text = (
            f"β = {result.beta:.2f} averages about {days_text(result.window)}: "
            f"the newest day counts {rounded(100 * result.weights[0], 2):g} %, each older day "
            f"{result.beta:.2f} times as much as the next. "
            f"Day 1: measured {rounded(result.series[0], 2):g} °C, average "
            f"{rounded(result.averages[0], 2):g} °C"
        )
        if result.bias_correction:
            text += " with bias correction"
        elif result.beta > 0:
            text += ", since it starts from zero"
        return f"{text}. Day {DAYS}: average {rounded(result.averages[-1], 2):g} °C."


def days_text(days: float) -> str:
    """ "1 day", "10 days", "1.4 days"."""
    return counted(f"{round(days, 1):g}", "day")
