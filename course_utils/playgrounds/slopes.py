"""The slope explorer: secants through two points, the tangent of autograd, the best distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course_utils.live.controls import Choice, Slider
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import TITLE, Parts
from course_utils.plotting import BLACK, BLUE, GREY, RED, RED_INK
from course_utils.printing import rounded

LOWEST = 1e-17  # lower end of the axis of errors; an error of 0 is drawn here
STEPS = 10.0 ** np.linspace(-16, 0, 129)  # the distances h of the error curves
SIDE = 4.3  # the curves are drawn from −SIDE to SIDE


@dataclass(frozen=True)
class Curve:
    """A function of one number, for NumPy (`library` is numpy) and torch alike."""

    value: Callable[[Any, Any], Any]
    """``value(x, library)``, entry by entry."""
    ylim: tuple[float, float]


# Products instead of powers: they round the same way everywhere.
CURVES = {
    "sin x": Curve(lambda x, library: library.sin(x), (-1.9, 1.9)),
    "x² + 3x + 1": Curve(lambda x, _: x * x + 3 * x + 1, (-6.0, 22.0)),
    "x³ − 3x": Curve(lambda x, _: x * x * x - 3 * x, (-20.0, 20.0)),
    "eˣ": Curve(lambda x, library: library.exp(x), (-4.0, 22.0)),
    "|x|": Curve(lambda x, library: library.abs(x), (-1.2, 4.3)),
}


@dataclass(frozen=True, eq=False)
class Slopes:
    """The slope of a function at one point, found in three ways."""

    function: str
    x: float
    h: float
    value: float
    """f(x)."""
    tangent: float
    """The slope by autograd."""
    forward: float
    """(f(x + h) − f(x)) / h."""
    central: float
    """(f(x + h) − f(x − h)) / 2h."""
    forward_errors: np.ndarray
    """Distance of the forward difference from the tangent for every h in `STEPS`."""
    central_errors: np.ndarray
    """The same for the central difference."""

    @property
    def forward_error(self) -> float:
        return abs(self.forward - self.tangent)

    @property
    def central_error(self) -> float:
        return abs(self.central - self.tangent)


def autograd_slope(function: str, x: float) -> float:
    """The slope of a function of `CURVES` at ``x``, by autograd in float64."""
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        CURVES[function].value(point, torch).backward()
    return point.grad.item()


def measure_slopes(function: str, x: float, h: float) -> Slopes:
    """Forward and central difference with the distance ``h``, and the slope by autograd."""
    curve, tangent = CURVES[function], autograd_slope(function, x)
    every = np.append(STEPS, h)
    here, above, below = (curve.value(x + shift, np) for shift in (0.0 * every, every, -every))
    forward, central = (above - here) / every, (above - below) / (2 * every)
    return Slopes(
        function,
        x,
        h,
        float(here[-1]),
        tangent,
        float(forward[-1]),
        float(central[-1]),
        np.abs(forward[:-1] - tangent),
        np.abs(central[:-1] - tangent),
    )


def error_text(error: float) -> str:
    """ "0.0222", "3e-09", "0"."""
    if error == 0:
        return "0"
    return f"{rounded(error):g}" if error >= 1e-3 else f"{error:.0e}"


def advice(result: Slopes, errors: np.ndarray) -> str:
    """Where the h of ``result`` lies, seen from the h with the smallest of ``errors``."""
    size = max(abs(result.value), abs(result.x * result.tangent))
    usual = np.maximum(errors, 5e-17 * size / STEPS + LOWEST)  # without lucky roundings
    smooth = np.convolve(np.pad(np.log(usual), 4, mode="edge"), np.ones(9) / 9, mode="valid")
    best = STEPS[int(np.argmin(smooth))]
    if result.h > 10 * best:
        return "smaller h"
    return "larger h" if result.h < best / 10 else "near its best"


def verdict(result: Slopes) -> str:
    """Where the errors come from and which h would make them smaller, for the picture."""
    if result.x + result.h == result.x:
        return "x + h is rounded to x itself: no slope left"
    if result.function == "|x|" and abs(result.x) < result.h:
        return "a kink between the points: no single slope"
    if result.forward_error == result.central_error == 0:
        return "both are exact, by luck"
    forward = advice(result, result.forward_errors)
    central = advice(result, result.central_errors)
    if forward != central:
        return f"forward: {forward}, central: {central}"
    return {
        "smaller h": "the distance makes the errors: smaller h helps",
        "larger h": "rounding makes the errors: larger h helps",
        "near its best": "both are near their best h",
    }[forward]


class SlopeExplorer(Parts, Playground):
    """Compare secants with the tangent of autograd, and see which distance h is best."""

    width, height = 9.0, 3.6
    controls = (
        Choice("function", "sin x", label="f(x) =", options=tuple(CURVES), width="190px"),
        Slider("x", 1.0, "x", low=-3.0, high=3.0, step=0.05, width="250px",
               tip="where the slope is measured"),
        Slider("h", 1.0, "h", low=1e-16, high=1.0, step=0.25, log=True, readout=".1e",
               width="330px", tip="distance to the other point; the slider moves in equal ratios"),
    )  # fmt: skip
    compute = staticmethod(measure_slopes)

    def draw(self, fig: Any) -> list[Any]:
        left = self.left = fig.add_axes((0.062, 0.14, 0.478, 0.65), xlim=(-SIDE, SIDE), xlabel="x")
        self.curve = left.plot([], [], color=GREY, lw=4, alpha=0.45, solid_capstyle="round")[0]
        self.forward = self.line(left, "--", color=RED, lw=1.8, zorder=3)
        self.central = self.line(left, "-.", color=BLUE, lw=1.8, zorder=3.1)
        self.tangent = self.line(left, "-", color=BLACK, lw=1.6, zorder=3.2)
        self.near = self.line(left, "o", color=BLUE, ms=6, mec="white", zorder=4)
        self.point = self.line(left, "o", color=BLACK, ms=9, mec="white", zorder=5)
        self.title = self.text(left, 0.012, 0.935, by="figure", **TITLE)
        words = {"by": "figure", "fontsize": 10.5}
        self.words = [
            self.text(left, place, 0.835, color=color, **words)
            for place, color in ((0.012, BLACK), (0.203, BLUE), (0.388, RED_INK))
        ]

        right = self.right = fig.add_axes(
            (0.645, 0.14, 0.34, 0.65), xscale="log", yscale="log", xlabel="h"
        )
        right.set(xlim=(STEPS[0] / 1.5, 1.6), ylim=(LOWEST / 2, 300))
        right.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
        right.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
        right.minorticks_off()
        right.set_ylabel("error of the slope", labelpad=1)
        right.xaxis.labelpad = left.xaxis.labelpad = 0
        fig.text(0.575, 0.935, "Which h is best?", **TITLE)
        self.verdict = self.text(right, 0.575, 0.835, color=BLACK, **words)
        right.text(1e-8, 18, "← rounding      distance →", color=GREY, fontsize=10, ha="center")
        self.forward_line = self.line(right, "--", color=RED, lw=1.5, zorder=2.5)
        self.central_line = self.line(right, "-", color=BLUE, lw=1.5, zorder=2.6)
        self.forward_mark = self.line(right, "s", color=RED, ms=8, mec="white", zorder=4)
        self.central_mark = self.line(right, "o", color=BLUE, ms=8, mec="white", zorder=4.1)
        self.here = self.line(right, ":", color=GREY, lw=1.2)
        return self.moving

    def update(self, result: Slopes) -> None:
        x, h, value = result.x, result.h, result.value
        if self.new_ground(result.function):
            grid = np.linspace(-SIDE, SIDE, 345)  # with 0, where |x| has its kink
            self.curve.set_data(grid, CURVES[result.function].value(grid, np))
            self.left.set_ylim(*CURVES[result.function].ylim)
        ends = np.array([-SIDE, SIDE])
        f = CURVES[result.function].value
        self.tangent.set_data(ends, value + result.tangent * (ends - x))
        self.forward.set_data(ends, value + result.forward * (ends - x))
        below = float(f(np.float64(x - h), np))
        self.central.set_data(ends, below + result.central * (ends - (x - h)))
        self.near.set_data([x - h, x + h], [below, float(f(np.float64(x + h), np))])
        self.point.set_data([x], [value])
        self.title.set_text(f"{result.function}: how steep is it at x = {x:g}?")
        self.words[0].set_text(f"— autograd: {rounded(result.tangent):g}")
        self.words[1].set_text(f"–·– central: {rounded(result.central):g}")
        self.words[2].set_text(f"- - forward: {rounded(result.forward):g}")
        self.verdict.set_text(verdict(result))
        self.forward_line.set_data(STEPS, np.maximum(result.forward_errors, LOWEST))
        self.central_line.set_data(STEPS, np.maximum(result.central_errors, LOWEST))
        self.forward_mark.set_data([h], [max(result.forward_error, LOWEST)])
        self.central_mark.set_data([h], [max(result.central_error, LOWEST)])
        self.here.set_data([h, h], [LOWEST / 2, 300])

    def summary(self, result: Slopes) -> str:
        return (
            f"{result.function} at x = {result.x:g}, h = {result.h:.2g}: the slope is "
            f"{rounded(result.tangent):g} by autograd, {rounded(result.central):g} by the central "
            f"difference (error {error_text(result.central_error)}), {rounded(result.forward):g} "
            f"by the forward difference (error {error_text(result.forward_error)}): "
            f"{verdict(result)}."
        )
