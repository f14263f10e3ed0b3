"""A line fitted to points, one of which is dragged away, under three losses at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from course_utils.live.controls import Slider
from course_utils.live.playground import Playground
from course_utils.playgrounds.losses_1d import beta_slider
from course_utils.playgrounds.parts import ARROWS, TITLE, Event, Parts, say
from course_utils.playgrounds.words import signed
from course_utils.plotting import BLACK, GREY, LOSS_STYLES, RED, RED_INK
from course_utils.printing import rounded

NAMES = ("MSE", "MAE", "smooth L1")
TRUE_SLOPE, TRUE_INTERCEPT = 0.5, 1.0
X_END = 14.0  # of the picture; the twelve points lie between 0.5 and 9.5
Y_LOW, Y_HIGH = -6.0, 12.0
PANEL = (0.06, 0.135, 0.545, 0.755)  # axes of the points, in fractions of the figure
ROWS = (0.73, 0.53, 0.33)


def twelve_points() -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of the twelve points near y = 0.5·x + 1, float64, shape (12,): always the same."""
    x = np.linspace(0.5, 9.5, 12)
    noise = np.random.default_rng(7).standard_normal(12)
    return x, np.round(TRUE_SLOPE * x + TRUE_INTERCEPT + 0.5 * noise, 1)


def mse_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of the line with the smallest mean squared error."""
    return _weighted_line(x, y, np.ones_like(x))


def _weighted_line(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    total = weight.sum()
    mean_x, mean_y = weight @ x / total, weight @ y / total
    spread = weight @ (x - mean_x) ** 2
    slope = weight @ ((x - mean_x) * (y - mean_y)) / spread
    return float(slope), float(mean_y - slope * mean_x)


def mae_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of the line with the smallest mean absolute error.

    Some best line goes through two of the points, so all pairs are tried. x must have at least two
    different values.
    """
    first, second = np.array(list(combinations(range(len(x)), 2))).T
    run = x[second] - x[first]
    usable = run != 0
    first, run = first[usable], run[usable]
    slope = (y[second[usable]] - y[first]) / run
    intercept = y[first] - slope * x[first]
    errors = np.abs(y - slope[:, None] * x - intercept[:, None]).sum(1)
    # Rounded: of several equally good lines every machine takes the first.
    best = int(np.argmin(np.round(errors, 9)))
    return float(slope[best]), float(intercept[best])


def smooth_l1_line(x: np.ndarray, y: np.ndarray, beta: float) -> tuple[float, float]:
    """(slope, intercept) of the line with the smallest smooth L1 loss.

    Points closer than β count with a square, the others with a constant pull. While that division
    is known, the best line solves a 2×2 system; where it is not yet, each point is weighted by
    1/max(|error|, β), which lowers the loss in every round.
    """
    slope, intercept = mse_line(x, y)
    for _ in range(100):
        errors = y - slope * x - intercept
        size = np.abs(errors)
        near = size <= beta
        exact = _with_division(x, y, near, np.sign(errors), beta)
        if exact is not None:
            return exact
        new = _weighted_line(x, y, 1 / np.maximum(size, beta))
        done = max(abs(new[0] - slope), abs(new[1] - intercept)) < 1e-12
        slope, intercept = new
        if done:
            break
    return slope, intercept


def _with_division(
    x: np.ndarray, y: np.ndarray, near: np.ndarray, sign: np.ndarray, beta: float
) -> tuple[float, float] | None:
    """The best line if exactly the points ``near`` are closer than β to it, else None."""
    x_near, y_near = x[near], y[near]
    count, sum_x, sum_xx = len(x_near), x_near.sum(), (x_near**2).sum()
    determinant = count * sum_xx - sum_x**2
    if determinant < 1e-9:
        return None
    pull, turn = beta * sign[~near].sum(), beta * (sign * x)[~near].sum()
    right, right_x = y_near.sum() + pull, (x_near * y_near).sum() + turn
    slope = (count * right_x - sum_x * right) / determinant
    intercept = (right - slope * sum_x) / count
    errors = y - slope * x - intercept
    agrees = (np.abs(errors) <= beta) == near
    agrees &= near | (np.sign(errors) == sign)
    return (float(slope), float(intercept)) if agrees.all() else None


@dataclass(frozen=True, eq=False)
class Fits:
    """Three lines through the same points."""

    x: float
    y: float
    """The outlier."""
    beta: float
    lines: dict[str, tuple[float, float]]
    """(slope, intercept) of each loss."""
    away: dict[str, float]
    """Mean distance from the line without noise and outlier, over the twelve x."""
    pull: dict[str, float]
    """Size of the derivative of the outlier's own loss with respect to the prediction there."""


def fit_lines(x: float, y: float, beta: float) -> Fits:
    """The lines for the twelve points and an outlier at (x, y)."""
    some_x, some_y = twelve_points()
    all_x, all_y = np.append(some_x, x), np.append(some_y, y)
    lines = {
        "MSE": mse_line(all_x, all_y),
        "MAE": mae_line(all_x, all_y),
        "smooth L1": smooth_l1_line(all_x, all_y, beta),
    }
    truth = TRUE_SLOPE * some_x + TRUE_INTERCEPT
    away, pull = {}, {}
    for name, (slope, intercept) in lines.items():
        away[name] = float(np.abs(slope * some_x + intercept - truth).mean())
        error = abs(y - slope * x - intercept)
        pull[name] = {
            "MSE": 2 * error,
            "MAE": float(error > 1e-9),
            "smooth L1": min(error / beta, 1.0),
        }[name]
    return Fits(x, y, beta, lines, away, pull)


def line_text(slope: float, intercept: float) -> str:
    """ "y = 0.5·x + 1"."""
    sign = "−" if round(intercept, 2) < 0 else "+"
    return f"y = {signed(slope)}·x {sign} {signed(abs(intercept))}"


class LineFit(Parts, Playground):
    """Drag one outlier and watch the best lines under MSE, MAE and smooth L1."""

    width, height = 9.0, 3.7
    areas = (PANEL,)
    controls = (
        Slider("x", 9.0, "outlier x", low=0.0, high=X_END, step=0.1, width="265px",
               tip="where the outlier stands; dragging it moves this too"),
        Slider("y", -3.0, "outlier y", low=Y_LOW, high=Y_HIGH, step=0.1, width="265px",
               tip="how high the outlier stands; dragging it moves this too"),
        beta_slider("270px"),
    )  # fmt: skip
    compute = staticmethod(fit_lines)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        for widget in rows.values():
            widget.layout.margin = "0 4px 0 0"
        return super().layout(rows)

    # -- pointer and keys: move the outlier --------------------------------------------------------

    def on_pointer(self, events: list[Event]) -> None:
        target = self.dragged(PANEL, events)
        if target is not None:
            self._move(target[0] * X_END, Y_LOW + target[1] * (Y_HIGH - Y_LOW))

    def on_key(self, key: str, shift: bool) -> None:
        if key in ARROWS:
            values, (right, up), step = self.values, ARROWS[key], 1.0 if shift else 0.2
            self._move(values["x"] + step * right, values["y"] + step * up)

    def _move(self, x: float, y: float) -> None:
        x, y = min(max(round(x, 1), 0.0), X_END), min(max(round(y, 1), Y_LOW), Y_HIGH)
        self.set(x=x + 0.0, y=y + 0.0)

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes(PANEL, xlim=(0, X_END), ylim=(Y_LOW, Y_HIGH), xlabel="x", ylabel="y")
        left.xaxis.labelpad = left.yaxis.labelpad = 0
        ends = np.array([0, X_END])
        left.plot(ends, TRUE_SLOPE * ends + TRUE_INTERCEPT, color="0.75", lw=6, zorder=1)
        left.plot(*twelve_points(), "o", color=BLACK, ms=6, zorder=4)
        looks = [
            {"color": LOSS_STYLES[name]["color"], "ls": LOSS_STYLES[name]["linestyle"], "lw": 2.3}
            for name in NAMES
        ]
        self.lines = [self.line(left, zorder=3, **look) for look in looks]
        cross = {"color": RED, "ms": 14, "mec": "white", "mew": 1.5, "zorder": 6}
        self.outlier = self.line(left, "X", clip_on=False, **cross)
        self.hint = self.text(left, by="data", offset=(0, 11), color=RED_INK, ha="center")
        self.title = self.text(left, 0.06, 0.925, by="figure", **TITLE)

        table = fig.add_axes((0.63, 0.0, 0.37, 1), xlim=(0, 1), ylim=(0, 1))
        table.axis("off")
        columns = ((0.14, "line", "left"), (0.795, "off by", "right"), (0.985, "pull", "right"))
        for x, word, side in columns:
            table.text(x, 0.835, word, color=GREY, fontsize=10, ha=side)
        self.words = []
        for name, look, y in zip(NAMES, looks, ROWS, strict=True):
            table.plot([0, 0.11], [y, y], **look)
            table.text(0.14, y + 0.045, name, va="center", fontsize=11, fontweight="bold")
            cell = {"va": "center", "fontsize": 10.5}
            cells = [self.text(table, x, y - 0.045, ha=side, **cell) for x, _, side in columns]
            self.words.append(cells)
        notes = (
            "broad grey line: the truth, y = 0.5·x + 1",
            "off by: mean distance from the truth",
            "pull: size of the outlier's gradient",
        )
        for i, note in enumerate(notes):
            table.text(0, 0.185 - 0.07 * i, note, color=GREY, fontsize=10)
        return self.moving

    def update(self, result: Fits) -> None:
        ends = np.array([0, X_END])
        for line, cells, name in zip(self.lines, self.words, NAMES, strict=True):
            slope, intercept = result.lines[name]
            line.set_data(ends, slope * ends + intercept)
            away, pull = result.away[name], result.pull[name]
            say(cells, (line_text(slope, intercept), f"{away:.2f}", f"{pull:.2f}"))
        self.outlier.set_data([result.x], [result.y])
        self.hint.set_position((min(max(result.x, 1.0), X_END - 1.0), result.y))
        away = abs(result.y - TRUE_SLOPE * result.x - TRUE_INTERCEPT) > 2.5  # not over the points
        self.hint.set_text("drag me" if away and result.y < Y_HIGH - 1.5 else "")
        self.title.set_text(title_text(result))

    def summary(self, result: Fits) -> str:
        parts = []
        for name in NAMES:
            slope, intercept = (rounded(number, 2) for number in result.lines[name])
            label = f"{name} (β = {result.beta:.2g})" if name == "smooth L1" else name
            parts.append(
                f"{label}: slope {slope:g}, intercept {intercept:g}, "
                f"off by {rounded(result.away[name], 2):g}, pull {rounded(result.pull[name], 2):g}"
            )
        place = f"({rounded(result.x, 1):g}, {rounded(result.y, 1):g})"
        return f"Outlier at {place}. {'; '.join(parts)}."


def title_text(result: Fits) -> str:
    """Who has followed the outlier, in a few words."""
    off = [name for name in NAMES if result.away[name] > 0.6]
    if not off:
        return "All three lines stay near the truth"
    if len(off) == 3:
        return "The outlier has pulled all three lines away"
    if len(off) == 2:
        return f"{off[0]} and {off[1]} follow the outlier"
    return f"Only {off[0]} follows the outlier"
