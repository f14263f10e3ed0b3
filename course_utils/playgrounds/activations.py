"""The activation explorer: a function, its slope, its range, and where it has no slope left."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.live.controls import Choice, Slider, row
from course_utils.live.playground import Playground
from course_utils.names import look_up
from course_utils.playgrounds.parts import TITLE, Parts
from course_utils.playgrounds.words import signed
from course_utils.plotting import BLUE, GREY, RED
from course_utils.printing import rounded

END = 6.0  # of the axis of z, on both sides
GRID = np.linspace(-END, END, 481)
SATURATED = 0.05  # a slope smaller than this counts as none
SLOPE_TOPS = (1.25, 2.6, 5.2, 10.5, 12.0)  # upper ends of the slopes' axis

Curve = Callable[..., tuple[np.ndarray, np.ndarray]]


def step(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 where z > 0, else 0. Its slope is 0 everywhere but at the jump, where it has none."""
    return (z > 0) * 1.0, np.zeros_like(z)


def sigmoid(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 / (1 + exp(−z)) without overflow, and its slope y(1 − y)."""
    y = 0.5 * (1 + np.tanh(0.5 * z))
    return y, y * (1 - y)


def tanh(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hyperbolic tangent and its slope 1 − y²."""
    y = np.tanh(z)
    return y, 1 - y * y


def leaky_relu(z: np.ndarray, leak: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """z where z > 0, else leak·z; ReLU for leak 0. At 0 the slope is PyTorch's: ``leak``."""
    return np.where(z > 0, z, leak * z), np.where(z > 0, 1.0, leak)


def gelu(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z·Φ(z) with Φ the distribution function of the standard normal distribution; its slope."""
    phi = 0.5 * (1 + np.array([math.erf(v / math.sqrt(2)) for v in np.ravel(z)])).reshape(z.shape)
    return z * phi, phi + z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Kind:
    """What is said about a function: its curve, range in words, limits of the axis."""

    curve: Curve
    range: str
    low: float
    high: float
    smooth: bool = True  # whether sharpness means anything


FUNCTIONS: dict[str, Kind] = {
    "step": Kind(step, "only 0 and 1", -0.2, 1.25, smooth=False),
    "sigmoid": Kind(sigmoid, "between 0 and 1", -0.2, 1.25),
    "tanh": Kind(tanh, "between −1 and 1", -1.35, 1.45),
    "ReLU": Kind(leaky_relu, "0 and above", -1.6, 6.4, smooth=False),
    "leaky ReLU": Kind(leaky_relu, "all numbers", -3.2, 6.4, smooth=False),
    "GELU": Kind(gelu, "−0.17 and above", -1.6, 6.4),
}
SMOOTH = tuple(name for name, kind in FUNCTIONS.items() if kind.smooth)


@dataclass(frozen=True, eq=False)
class Activation:
    """A function f(kz) on `GRID` and at one input z."""

    name: str
    z: float
    leak: float
    sharpness: float
    y: float
    slope: float
    """df/dz at z."""
    curve: np.ndarray
    """Values on `GRID`, shape (481,)."""
    slopes: np.ndarray
    """Derivatives on `GRID`, shape (481,)."""

    @property
    def saturation(self) -> tuple[float, float]:
        """(left, right): f has hardly a slope below ``left`` and above ``right``; else ∓END."""
        flat = np.abs(self.slopes) < SATURATED
        steep = np.flatnonzero(~flat)
        if not len(steep):  # the step: flat on both sides of its jump
            return 0.0, 0.0
        left = GRID[steep[0]] if flat[0] else -END
        right = GRID[steep[-1]] if flat[-1] else END
        return float(left), float(right)


def activate(function: str, z: float, leak: float = 0.1, sharpness: float = 1.0) -> Activation:
    """The ``function`` of `FUNCTIONS` as f(sharpness·z), with its derivative.

    ``leak`` counts for leaky ReLU only, ``sharpness`` for sigmoid, tanh and GELU only.
    """
    kind = look_up("function", function, FUNCTIONS)
    k = sharpness if kind.smooth else 1.0
    settings = {"leak": leak} if function == "leaky ReLU" else {}
    points = np.append(GRID, z)
    values, slopes = kind.curve(k * points, **settings)
    if function == "GELU":  # so that a sharper GELU is a sharper corner, not a steeper line
        values, slopes = values / k, slopes / k
    slopes = slopes * k
    return Activation(
        function, z, leak, k, float(values[-1]), float(slopes[-1]), values[:-1], slopes[:-1]
    )


def saturation_text(result: Activation, how: str = "") -> str:
    """Where the slope is too small to learn from, in words; ``how`` the picture shows it."""
    left, right = result.saturation
    if result.name == "step":
        return "slope 0 everywhere: nothing to learn from"
    parts = []
    if left > -END:
        parts.append(f"below {signed(left, 1)}")
    if right < END:
        parts.append(f"above {signed(right, 1)}")
    if not parts:
        return "saturates nowhere"
    return f"saturated ({how}|slope| under {SATURATED:g}) {' and '.join(parts)}"


def range_text(result: Activation) -> str:
    """Which values the function takes."""
    if result.name == "GELU":  # its lowest value is −0.17, divided by the sharpness as all are
        return f"{signed(-0.17 / result.sharpness)} and above"
    return FUNCTIONS[result.name].range


def formula_text(result: Activation) -> str:
    """What f is where a parameter makes it differ from its name."""
    k = f"{result.sharpness:g}"
    if result.sharpness == 1:
        return ""
    divided = f" / {k}" if result.name == "GELU" else ""
    return f"f(z) = {result.name}({k}z){divided};  "


class ActivationExplorer(Parts, Playground):
    """Look at an activation function, its derivative, its range and where it saturates."""

    width, height = 9.0, 3.4
    controls = (
        Choice("function", "sigmoid", options=tuple(FUNCTIONS), width="190px"),
        Slider("z", 1.0, "input z", low=-END, high=END, step=0.1, width="330px"),
        Slider("sharpness", 1.0, low=0.5, high=10.0, step=0.5, width="290px",
               only=("function", SMOOTH), tip="f(k·z) instead of f(z): for sigmoid, tanh and GELU"),
        Slider("leak", 0.1, low=0.0, high=0.5, step=0.01, width="250px",
               only=("function", ("leaky ReLU",)), tip="slope of leaky ReLU to the left of 0"),
    )  # fmt: skip
    compute = staticmethod(activate)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        function, z, *others = rows.values()
        return [row(function, z), row(*others, self.reset_button())]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        self.left = fig.add_axes((0.078, 0.215, 0.4, 0.675), ylabel="f(z)")
        self.right = fig.add_axes((0.575, 0.215, 0.405, 0.675), ylabel="slope f′(z)")
        self.shades, self.curves, self.points, self.titles = [], [], [], []
        for ax in (self.left, self.right):
            ax.set(xlim=(-END, END), xlabel="z")
            ax.yaxis.set_label_coords(-0.135, 0.5)
            ax.locator_params(axis="y", nbins=6)
            ax.xaxis.labelpad = -2
            ax.axhline(0, color=GREY, lw=0.8)
            shade = {"fc": "black", "alpha": 0.1, "ec": "none", "zorder": 0}
            tall = ax.get_xaxis_transform()
            self.shades.append([self.patch(ax, transform=tall, **shade) for _ in range(2)])
            guide = self.line(ax, ":", color=GREY, lw=1.2)
            self.curves.append(self.line(ax, color=BLUE, lw=2.2))
            point = self.line(ax, "o", color=RED, ms=9, mec="white", zorder=5)
            self.points.append((point, guide))
            self.titles.append(self.text(ax, 0, 1.045, **TITLE))
        self.tangent = self.line(self.left, "--", color=RED, lw=2)
        self.jump = self.line(self.left, "o", mfc="white", mec=BLUE, ms=6, ls="none")
        self.words = self.text(self.left, 0.02, 0.025, by="figure", fontsize=10.5)
        return self.moving

    def update(self, result: Activation) -> None:
        kind = FUNCTIONS[result.name]
        top = min((t for t in SLOPE_TOPS if t >= result.slopes.max()), default=SLOPE_TOPS[-1])
        limits = (kind.low, kind.high, top)
        if self.new_ground(limits):
            self.left.set_ylim(kind.low, kind.high)
            self.right.set_ylim(-0.2 * top, 1.1 * top)
        self.curves[0].set_data(*with_gap(result.name == "step", result.curve))
        self.curves[1].set_data(*with_gap(result.name.endswith(("step", "ReLU")), result.slopes))
        for (point, guide), value in zip(self.points, (result.y, result.slope), strict=True):
            point.set_data([result.z], [value])
            guide.set_data([result.z, result.z, -END], [0, value, value])
        reach = 1.6 / math.hypot(1, result.slope * 6 / (kind.high - kind.low))
        ends = np.array([-reach, reach])
        self.tangent.set_data(result.z + ends, result.y + result.slope * ends)
        self.jump.set_data(*([[0], [1]] if result.name == "step" else [[], []]))
        left, right = result.saturation
        for low, high in self.shades:
            low.set_bounds(-END, 0, left + END, 1)
            high.set_bounds(right, 0, END - right, 1)
        self.titles[0].set_text(f"{result.name}: f({signed(result.z, 1)}) = {signed(result.y, 4)}")
        self.titles[1].set_text(f"its slope there: {signed(result.slope, 4)}")
        values = f"values: {range_text(result)};  "
        self.words.set_text(formula_text(result) + values + saturation_text(result, "grey, "))

    def summary(self, result: Activation) -> str:
        extra = f" with leak {result.leak:g}" if result.name == "leaky ReLU" else ""
        y, slope = rounded([result.y, result.slope])
        steepest = rounded(result.slopes.max())
        return (
            f"{result.name}{extra} at z = {rounded(result.z, 2):g}: value {y:g}, slope {slope:g}. "
            f"{formula_text(result).replace(';  ', '. ')}Values: {range_text(result)}; "
            f"largest slope {steepest:g}; "
            f"{saturation_text(result)}."
        )


def with_gap(gap: bool, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(z, values) to draw; with a ``gap`` at 0, so that a jump is not drawn as a line."""
    if not gap:
        return GRID, values
    middle = len(GRID) // 2 + 1  # the value at 0 itself belongs to the left
    return np.insert(GRID, middle, 0.0), np.insert(values, middle, np.nan)
