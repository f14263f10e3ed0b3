"""Gradient descent on a curve: one number, one slope, and a rate from crawl to divergence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.live.controls import Choice, Slider, rate_slider
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import TITLE, Parts
from course_utils.playgrounds.words import counted
from course_utils.plotting import BLUE, GREEN, GREY, RED, RED_INK
from course_utils.printing import rounded

LIMIT = 1e3  # a point farther away than this counts as diverged
NEAR = 0.01  # a point this close to a minimum has arrived
SIDE = 6.5  # the curves are drawn from −SIDE to SIDE
SPANS = (12, 30, 60)  # ends of the axis of steps


@dataclass(frozen=True)
class Valley:
    """A curve to walk down: its value, its slope, and where its minima are (the lowest first)."""

    value: Callable[[Any], Any]
    slope: Callable[[float], float]
    minima: tuple[float, ...]
    ylim: tuple[float, float]


def _two_valleys_minima() -> tuple[float, ...]:
    low, _, high = sorted(np.roots([0.08, 0.0, -0.72, 0.3]).real)
    return float(low), float(high)


VALLEYS = {
    "x²": Valley(lambda x: x * x, lambda x: 2 * x, (0.0,), (-2.0, 40.0)),
    "x⁴ / 50": Valley(lambda x: x**4 / 50, lambda x: 0.08 * x * x * x, (0.0,), (-1.5, 30.0)),
    "two valleys": Valley(
        lambda x: (x * x - 9) ** 2 / 50 + 0.3 * x,
        lambda x: 0.08 * x * (x * x - 9) + 0.3,
        _two_valleys_minima(),
        (-2.0, 16.0),
    ),
    "|x|": Valley(abs, lambda x: float((x > 0) - (x < 0)), (0.0,), (-0.5, 7.0)),
    "plateau": Valley(
        lambda x: 5 * x * x / (1 + x * x),
        lambda x: 10 * x / (1 + x * x) ** 2,
        (0.0,),
        (-0.5, 6.5),
    ),
}


@dataclass(frozen=True, eq=False)
class Descent:
    """A walk of gradient descent over a curve."""

    function: str
    lr: float
    path: np.ndarray
    """float64, shape (steps + 1,): where it was; NaN after it has diverged."""
    diverged_at: int | None
    """First step after which |x| > 1000, or None."""

    @property
    def start(self) -> float:
        return float(self.path[0])

    @property
    def last(self) -> float:
        """The last point that is a number."""
        return float(self.path[-1 if self.diverged_at is None else self.diverged_at])

    @property
    def distance(self) -> float:
        """From the last point to the nearest minimum."""
        return min(abs(self.last - place) for place in VALLEYS[self.function].minima)

    @property
    def arrived_after(self) -> int | None:
        """The number of steps after which it stays within 0.01 of a minimum, or None."""
        minima = np.array(VALLEYS[self.function].minima)
        if self.diverged_at is not None:
            return None
        far = np.flatnonzero(np.abs(self.path[:, None] - minima).min(1) > NEAR)
        first = int(far[-1]) + 1 if len(far) else 0
        return first if first < len(self.path) else None


def walk_down(function: str, lr: float, start: float, num_steps: int) -> Descent:
    """Gradient descent x ← x − lr · slope(x) from ``start`` on a curve of `VALLEYS`."""
    slope = VALLEYS[function].slope
    path = np.full(num_steps + 1, math.nan)
    path[0] = x = float(start)
    for step in range(1, num_steps + 1):
        x = x - lr * slope(x)
        path[step] = x
        if not abs(x) <= LIMIT:
            return Descent(function, lr, path, step)
    return Descent(function, lr, path, None)


def verdict(result: Descent) -> str:
    """How the walk went, in words for the picture."""
    path = result.path
    if result.diverged_at is not None:
        return f"diverged: |x| is above 1000 after {counted(result.diverged_at, 'step')}"
    num_steps = len(path) - 1
    if num_steps == 0:
        return "no step taken yet"
    if result.arrived_after == 0:
        return "it starts at a minimum: the slope is 0"
    moves = np.diff(path)
    turns = int(np.sum(moves[1:] * moves[:-1] < 0))
    if result.arrived_after is not None:
        how = ", swinging" if turns > 1 else ""
        return f"arrived (within {NEAR}) after {counted(result.arrived_after, 'step')}{how}"
    if abs(moves[-1]) < 1e-12:
        return "stuck on top: the slope is 0 here too"
    away = f"{rounded(result.distance, 2):g} away from the minimum"
    if num_steps > 2 and moves[-1] * moves[-2] < 0:
        ratio = abs(moves[-1] / moves[-2])
        if ratio > 1 + 1e-9:
            return "it swings wider and wider"
        if ratio > 1 - 1e-9:
            return "it swings to and fro and gets nowhere"
        return f"it swings around the minimum, still {away}"
    if result.distance > 0.7 * _distance(result, result.start):
        return f"it crawls: still {away}"
    return f"on its way: still {away}"


def _distance(result: Descent, x: float) -> float:
    """From ``x`` to the minimum nearest to the last point."""
    nearest = min(VALLEYS[result.function].minima, key=lambda place: abs(place - result.last))
    return abs(x - nearest)


class DescentExplorer(Parts, Playground):
    """Walk down a curve by gradient descent, with a learning rate from crawl to divergence."""

    width, height = 9.0, 3.5
    controls = (
        Choice("function", "x²", label="f(x) =", options=tuple(VALLEYS), width="160px"),
        rate_slider(0.1, 0.001, 3.0, width="280px", readout=".4g",
                    tip="the step is the learning rate times the slope; moves in equal ratios"),
        Slider("start", 5.0, "start", low=-6.0, high=6.0, step=0.1, width="185px"),
        Slider("num_steps", 10, "steps", low=0, high=60, width="165px"),
    )  # fmt: skip
    compute = staticmethod(walk_down)

    def draw(self, fig: Any) -> list[Any]:
        left = self.left = fig.add_axes((0.05, 0.14, 0.445, 0.65), xlim=(-SIDE, SIDE), xlabel="x")
        fig.text(0.012, 0.935, "Down the curve, slope by slope", **TITLE)
        self.curve = left.plot([], [], color=GREY, lw=4, alpha=0.45, solid_capstyle="round")[0]
        self.minima = left.plot([], [], "*", color=GREEN, ms=13, mec="white", zorder=2.5)[0]
        self.hops = self.line(left, "-", color=BLUE, lw=1.1, alpha=0.8, zorder=3)
        self.points = self.line(left, "o", color=BLUE, ms=5, zorder=3.1)
        self.first = self.line(left, "o", color="white", ms=8, mec=BLUE, mew=2, zorder=4)
        self.last = self.line(left, "D", color=RED, ms=8, mec="white", zorder=5)

        right = self.right = fig.add_axes((0.575, 0.14, 0.41, 0.65), xlabel="step")
        right.set(xlim=(0, SPANS[0]), ylim=(-SIDE, SIDE))
        right.set_ylabel("x", labelpad=0)
        left.xaxis.labelpad = right.xaxis.labelpad = 0
        self.levels = [right.axhline(0, color=GREEN, lw=1.2, ls="--") for _ in range(2)]
        self.track = self.line(right, "o-", color=BLUE, ms=4.5, lw=1.4, zorder=3)
        self.track_last = self.line(right, "D", color=RED, ms=8, mec="white", zorder=5)
        words = {"by": "figure", "fontsize": 10.5}
        self.rule = self.text(left, 0.012, 0.84, **words)
        self.title = self.text(right, 0.535, 0.935, by="figure", **TITLE)
        self.words = self.text(right, 0.535, 0.84, **words)
        self.alarm = self.text(right, 0.535, 0.84, color=RED_INK, weight="bold", **words)
        return self.moving

    def update(self, result: Descent) -> None:
        valley = VALLEYS[result.function]
        num_steps = len(result.path) - 1
        span = min(span for span in SPANS if span >= num_steps)
        if self.new_ground((result.function, span)):
            grid = np.linspace(-SIDE, SIDE, 261)  # with 0, where |x| has its kink
            self.curve.set_data(grid, valley.value(grid))
            self.left.set_ylim(*valley.ylim)
            self.right.set_xlim(-0.02 * span, 1.03 * span)
            self.minima.set_data(valley.minima, [valley.value(x) for x in valley.minima])
            for level, place in zip(self.levels, valley.minima * 2, strict=False):
                level.set_ydata([place, place])
        # Far outside the picture a line is not drawn any better, only slower.
        path = np.clip(result.path[np.isfinite(result.path)], -40, 40)
        heights = valley.value(path)
        self.hops.set_data(path, heights)
        self.points.set_data(path, heights)
        self.first.set_data(path[:1], heights[:1])
        self.last.set_data(path[-1:], heights[-1:])
        steps = np.arange(len(path))
        self.track.set_data(steps, path)
        self.track_last.set_data(steps[-1:], path[-1:])
        self.title.set_text(f"After {counted(num_steps, 'step')}: {place_text(result)}")
        slope = valley.slope(result.start)
        after = rounded(result.start - result.lr * slope)
        product = f"{result.lr:.4g} · {_signed(rounded(slope))}"
        self.rule.set_text(f"first step: {result.start:g} − {product} = {after:g}")
        words = verdict(result)
        bad = any(sign in words for sign in ("diverged", "wider", "nowhere", "stuck"))
        self.alarm.set_text(words if bad else "")
        self.words.set_text("" if bad else words)

    def summary(self, result: Descent) -> str:
        text = (
            f"{result.function} from {result.start:g}, learning rate {result.lr:.4g}: after "
            f"{counted(len(result.path) - 1, 'step')} {place_text(result)}"
        )
        if result.diverged_at is None:
            text += f", f(x) = {rounded(VALLEYS[result.function].value(result.last)):g}"
        return f"{text}; {verdict(result)}."


def _signed(number: float) -> str:
    """The number, in brackets if it is negative."""
    return f"{number:g}" if number >= 0 else f"({number:g})"


def place_text(result: Descent) -> str:
    """ "x = 0.5369", or that there is none."""
    return "far away" if result.diverged_at is not None else f"x = {rounded(result.last):g}"
