"""The loss explorer: what each loss says about one prediction, and which way it pulls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from course_utils.live.controls import Choice, Slider, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import TITLE, Parts, say
from course_utils.playgrounds.words import signed
from course_utils.plotting import BLACK, GREY, LOSS_STYLES, RED
from course_utils.printing import rounded

ONE, FIVE, YES_NO = VIEWS = ("one target", "five targets, one an outlier", "yes or no (a logit)")
SIDE = 6.0
CROWD = np.array([-2.0, -1.5, -1.0, -0.5])  # the four targets beside the outlier
REGRESSION = ("MSE", "MAE", "smooth L1")
CLASSIFICATION = ("BCE", "(p − y)²")
STYLES = LOSS_STYLES | {"(p − y)²": LOSS_STYLES["MSE"]}
LIMITS = {  # of the losses, of the gradients
    ONE: ((-0.5, 9.0), (-6.5, 6.5)),
    FIVE: ((-0.9, 16.0), (-3.2, 3.2)),
    YES_NO: ((-0.35, 6.3), (-1.15, 0.35)),
}
COLUMNS = (0.53, 0.775, 0.985)  # right edges of loss, gradient and best prediction
ROWS = (0.70, 0.605, 0.51)


@dataclass(frozen=True, eq=False)
class Losses:
    """The losses of one view: at the prediction, and as curves over all predictions."""

    view: str
    prediction: float
    beta: float
    targets: np.ndarray
    """Shape (1,) or (5,), the outlier last; for a logit the one target 1."""
    grid: np.ndarray
    """Predictions, rising, shape (T,)."""
    values: dict[str, np.ndarray]
    """Mean loss over the targets for each prediction of the grid, shape (T,)."""
    slopes: dict[str, np.ndarray]
    """Its derivative with respect to the prediction, shape (T,)."""
    at: dict[str, tuple[float, float]]
    """(loss, gradient) at the prediction."""
    best: dict[str, float]
    """The prediction with the lowest loss; empty for a logit, where there is none."""


def regression_losses(
    y_hat: np.ndarray, y: np.ndarray, beta: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(mean loss, gradient) for each prediction of ``y_hat`` (T,) over the targets ``y`` (N,)."""
    d = y_hat[:, None] - y
    size = np.abs(d)
    smooth = np.where(size < beta, d**2 / (2 * beta), size - beta / 2)
    pairs = {
        "MSE": (d**2, 2 * d),
        "MAE": (size, np.sign(d)),
        "smooth L1": (smooth, np.clip(d / beta, -1, 1)),
    }
    return {name: (value.mean(1), slope.mean(1)) for name, (value, slope) in pairs.items()}


def logit_losses(z: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(loss, gradient) for each logit of ``z`` (T,) and the target 1."""
    p = 1 / (1 + np.exp(-z))
    return {
        "BCE": (np.log1p(np.exp(-z)), p - 1),
        "(p − y)²": ((p - 1) ** 2, 2 * (p - 1) * p * (1 - p)),
    }


def best_constant(y: np.ndarray, beta: float) -> dict[str, float]:
    """The prediction with the lowest mean loss over the targets ``y`` (N,), N odd."""
    corners = np.sort(np.concatenate([y - beta, y + beta]))
    slopes = np.clip((corners[:, None] - y) / beta, -1, 1).sum(1)  # straight between the corners
    last = int(np.flatnonzero(slopes < -1e-12)[-1])
    rise = slopes[last + 1] - slopes[last]
    smooth = corners[last] - slopes[last] * (corners[last + 1] - corners[last]) / rise
    return {"MSE": float(y.mean()), "MAE": float(np.median(y)), "smooth L1": float(smooth)}


def explore(view: str, prediction: float, target: float, beta: float) -> Losses:
    """The losses of ``prediction`` in one of the `VIEWS`."""
    grid = np.linspace(-SIDE, SIDE, 181)
    if view == YES_NO:
        targets = np.array([1.0])
        curves = logit_losses(grid)
        here = logit_losses(np.array([prediction]))
        best = {}
    else:
        targets = np.array([target]) if view == ONE else np.append(CROWD, target)
        # Both sides of every kink, so that the steps of the gradient are drawn upright.
        grid = np.sort(np.concatenate([grid, targets - 1e-9, targets, targets + 1e-9]))
        curves = regression_losses(grid, targets, beta)
        here = regression_losses(np.array([prediction]), targets, beta)
        best = best_constant(targets, beta)
    return Losses(
        view,
        prediction,
        beta,
        targets,
        grid,
        {name: value for name, (value, _) in curves.items()},
        {name: slope for name, (_, slope) in curves.items()},
        {name: (float(value[0]), float(slope[0])) for name, (value, slope) in here.items()},
        best,
    )


def beta_slider(width: str, **more: Any) -> Slider:
    """The slider of smooth L1's β."""
    tip = "errors below β are squared, larger ones are not"
    ends = {"low": 0.1, "high": 10.0, "log": True}
    return Slider("beta", 1.0, "β of smooth L1", tip, width, **ends, **more)


class LossExplorer(Parts, Playground):
    """Explore the losses of one prediction: their values, their gradients, their best answers."""

    width, height = 9.0, 3.5
    controls = (
        Choice("view", ONE, label="show", options=VIEWS, width="260px"),
        Slider("prediction", 2.5, "prediction ŷ", low=-SIDE, high=SIDE, step=0.1, width="300px",
               tip="the number that the model gives; for yes or no the logit z"),
        Slider("target", 0.0, "target, or the outlier", low=-SIDE, high=SIDE, step=0.1,
               width="340px", only=("view", (ONE, FIVE)),
               tip="the target y; of five targets the one that lies elsewhere"),
        beta_slider("300px", only=("view", (ONE, FIVE))),
    )  # fmt: skip
    compute = staticmethod(explore)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        view, prediction, *others = rows.values()

        def rename(_: Any = None) -> None:
            prediction.description = "logit z" if view.value == YES_NO else "prediction ŷ"

        view.observe(rename, names="value")
        rename()
        return [row(view, prediction, self.reset_button()), row(*others)]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        self.axes = []
        for left, title in ((0.045, "Loss"), (0.395, "Gradient: the pull")):
            ax = fig.add_axes((left, 0.135, 0.275, 0.655), xlabel="prediction ŷ")
            ax.set(xlim=(-SIDE - 0.15, SIDE + 0.15), xticks=range(-6, 7, 2))
            ax.xaxis.labelpad = 0
            ax.set_title(title, fontsize=11)
            self.axes.append(ax)
        left, right = self.axes
        right.axhline(0, color=BLACK, lw=0.9)
        point = {"ls": "none", "clip_on": False}
        # Two losses may have one gradient: the later points are smaller, so that none is hidden.
        self.points = [
            [self.line(ax, ms=size, mew=0.7, zorder=5, **point) for size in (14, 10.5, 7.5)]
            for ax in self.axes
        ]
        low = {"ms": 8, "mfc": "white", "mew": 1.8, "zorder": 4}
        self.lows = [self.line(left, **low, **point) for _ in range(3)]
        self.curves = [[self.line(ax, lw=2, zorder=3) for _ in range(3)] for ax in self.axes]
        mark = {"zorder": 4, "clip_on": False}
        self.crowd = self.line(left, "|", color=BLACK, ms=11, mew=2, **mark)
        self.outlier = self.line(left, "X", color=RED, ms=9, mec="white", **mark)
        self.guides = [self.line(ax, color=GREY, lw=1, ls=":", zorder=1) for ax in self.axes]
        beyond = {"by": "data", "offset": (7, 0), "fontsize": 10}
        self.beyond = [self.text(ax, **beyond) for ax in self.axes]
        self.title = self.text(left, 0.015, 0.925, by="figure", **TITLE)

        table = fig.add_axes((0.69, 0, 0.31, 1), xlim=(0, 1), ylim=(0, 1))
        table.axis("off")
        self.heads = [table.text(x, 0.79, "", ha="right", color=GREY, fontsize=10) for x in COLUMNS]
        self.samples = [table.plot([0.0, 0.085], [y, y], lw=2)[0] for y in ROWS]
        self.names = [table.text(0.105, y, "", va="center", fontsize=10.5) for y in ROWS]
        cell = {"ha": "right", "va": "center", "fontsize": 10.5}
        self.cells = [[self.text(table, x, y, **cell) for x in COLUMNS] for y in ROWS]
        heights = (0.36 - 0.073 * i for i in range(4))
        self.notes = [table.text(0.0, y, "", color=GREY, fontsize=10) for y in heights]
        return self.moving

    def update(self, result: Losses) -> None:
        if self.new_ground(result.view):
            self._change_view(result.view)
        for i, name in enumerate(REGRESSION):
            shown = list(result.at)[i] if i < len(result.at) else ""
            self._row(i, shown, result)
            self.lows[i].set_visible(bool(result.best))
            if result.best:
                best = result.best[name]
                low = regression_losses(np.array([best]), result.targets, result.beta)[name][0]
                self.lows[i].set_data([best], low)
        for guide, limits in zip(self.guides, LIMITS[result.view], strict=True):
            guide.set_data([result.prediction] * 2, limits)
        bottom = LIMITS[result.view][0][0]
        marked = result.targets if result.view == ONE else result.targets[:-1]
        self.crowd.set_data(marked, [bottom * 0.45] * len(marked))
        self.crowd.set_visible(result.view != YES_NO)
        self.outlier.set_data(result.targets[-1:], [bottom * 0.45])
        self.outlier.set_visible(result.view == FIVE)
        self.title.set_text(title_text(result))

    def _row(self, i: int, name: str, result: Losses) -> None:
        """The curves, the points and the numbers of one loss; nothing where ``name`` is empty."""
        for k, curves in enumerate((result.values, result.slopes)):
            line, point = self.curves[k][i], self.points[k][i]
            line.set_visible(bool(name))
            point.set_visible(bool(name))
            if not name:
                continue
            low, high = LIMITS[result.view][k]
            # Far outside the picture a line is not drawn any better, only slower.
            line.set_data(result.grid, np.clip(curves[name], low - 20, high + 20))
            value = result.at[name][k]
            inside = float(np.clip(value, low, high))
            point.set_data([result.prediction], [inside])
            if i == 0:
                out = value != inside
                self.beyond[k].set_text(
                    f"{'↑' if value > 0 else '↓'} {signed(value)}" if out else ""
                )
                self.beyond[k].set_position((min(result.prediction, SIDE - 2.9), inside))
        decimals = 3 if result.view == YES_NO else 2
        words = [signed(number, decimals) for number in result.at.get(name, ())]
        say(self.cells[i], [*words, signed(result.best[name])] if name in result.best else words)

    def _change_view(self, view: str) -> None:
        names = CLASSIFICATION if view == YES_NO else REGRESSION
        say(self.names, names)
        for i, name in enumerate([*names, ""][:3]):
            self.samples[i].set_visible(bool(name))
            if name:
                style = STYLES[name]
                for line in (self.samples[i], *(curves[i] for curves in self.curves)):
                    line.set(color=style["color"], linestyle=style["linestyle"])
                for points in self.points:
                    points[i].set(color=style["color"], marker=style["marker"], mec="white")
                self.lows[i].set(marker=style["marker"], mec=style["color"])
        for ax, limits in zip(self.axes, LIMITS[view], strict=True):
            ax.set_ylim(*limits)
            ax.yaxis.set_major_locator(MaxNLocator(6, integer=limits[1] > 1))
            ax.set_xlabel("logit z" if view == YES_NO else "prediction ŷ")
        say(self.heads, ("loss", "gradient", "" if view == YES_NO else "best ŷ"))
        filled = ("filled: the prediction", "hollow: the lowest loss")
        notes = {
            ONE: (*filled, "bar at the bottom: the target"),
            FIVE: (
                "means over the five targets",
                *filled,
                "bars and red cross: the targets",
            ),
            YES_NO: ("the target y is 1", "p = 1/(1 + e^−z)"),
        }[view]
        say(self.notes, notes)

    def summary(self, result: Losses) -> str:
        shown = rounded(result.prediction, 1)
        if result.view == YES_NO:
            p = 1 / (1 + np.exp(-result.prediction))
            text = f"Target 1, logit {shown:g}, probability {rounded(p, 3):g}"
        elif result.view == ONE:
            target = rounded(result.targets[0], 1)
            text = f"Target {target:g}, prediction {shown:g}"
        else:
            listed = ", ".join(f"{y:g}" for y in CROWD)
            outlier = rounded(result.targets[-1], 1)
            text = f"Targets {listed} and {outlier:g}, prediction {shown:g}"
        parts = []
        for name, (value, slope) in result.at.items():
            part = f"{name} {rounded(value, 3):g} with gradient {rounded(slope, 3):g}"
            if name == "smooth L1":
                part += f" (β = {result.beta:.2g})"
            parts.append(part)
        text = f"{text}: {', '.join(parts)}."
        if result.view == FIVE:
            listed = ", ".join(f"{rounded(best, 2):g} for {n}" for n, best in result.best.items())
            text += f" Lowest at {listed}."
        return text


def title_text(result: Losses) -> str:
    """What the picture says, in one line."""
    if result.view == ONE:
        error = round(result.prediction - result.targets[0], 2)
        if error == 0:
            return "On the target: every loss is 0"
        return f"The prediction is {abs(error):g} too {'high' if error > 0 else 'low'}"
    if result.view == FIVE:
        mean, median = (signed(result.best[name]) for name in ("MSE", "MAE"))
        place = signed(result.targets[-1])
        return f"Outlier at {place}: MSE wants the mean {mean}, MAE the median {median}"
    p = 1 / (1 + np.exp(-result.prediction))
    verdict = "sure and right" if p > 0.9 else "sure and wrong" if p < 0.1 else "not sure"
    return f"Logit {signed(result.prediction)} means p = {p:.3f}: {verdict}"
