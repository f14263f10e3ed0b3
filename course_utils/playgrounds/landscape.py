"""The race on a real network: its loss on the plane of the paths, and the paths on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from contourpy import contour_generator
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap

from course_utils.live.controls import Checks, Notches, rate_slider, row, share_slider
from course_utils.live.playground import Playground
from course_utils.playgrounds.digit_runs import GUESSING
from course_utils.playgrounds.landscape_compute import (
    BATCH_SIZES,
    NAMES,
    SIDE,
    UPDATES,
    Landscape,
    Run,
    explore,
    headline,
    summarise,
)
from course_utils.playgrounds.parts import HALO, TITLE, Parts
from course_utils.playgrounds.race_picture import SHADES, ink, spread
from course_utils.plotting import BLACK, GREY, OPTIMIZER_STYLES

MAP = (0.036, 0.11, 0.412, 0.779)  # left, bottom, width, height as fractions of the figure
BAR = (0.458, 0.11, 0.011, 0.779)
CURVES = (0.578, 0.145, 0.3, 0.744)
LEVELS = 13  # lines of equal loss on the map
LOW, TOP = 3e-4, 50.0  # ends of the loss axis
TICKS = (0.001, 0.01, 0.1, 1, 10)


class LossLandscape(Parts, Playground):
    """The race on a real network: the loss of a digit reader on the plane of the paths."""

    width, height = 9.0, 3.4
    controls = (
        Checks("optimizers", ("SGD", "Momentum", "Adam"), " ", options=NAMES),
        Notches("num_updates", 120, "Updates", options=UPDATES, width="230px",
                tip="how long each optimizer trains"),
        rate_slider(0.1, 1e-3, 1.0, label="Learning rate", tip="the same for all"),
        share_slider("momentum", 0.9, label="β, β₁", width="240px",
                     tip="memory of the slope: momentum of Momentum, β₁ of Adam"),
        Notches("batch_size", 32, "Batch size", options=BATCH_SIZES, width="240px",
                tip="images per update; full: all 256, and no noise"),
    )  # fmt: skip

    compute = staticmethod(explore)

    def summary(self, result: Landscape) -> str:
        return summarise(result)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        optimizers, updates, *others = rows.values()
        return [row(optimizers, updates, self.reset_button()), row(*others)]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        self._map, bar, self._curves = (fig.add_axes(place) for place in (MAP, BAR, CURVES))
        for ax in (self._map, bar):
            ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
            ax.spines[["top", "right"]].set_visible(True)
        shades = LinearSegmentedColormap.from_list("ground", SHADES)
        bar.imshow(np.linspace(1, 0, 64)[:, None], extent=(0, 1, 0, 1), aspect="auto", cmap=shades)
        bar.text(1.6, 0.5, "loss", fontsize=10, va="center")
        curves = self._curves
        curves.set(ylim=(LOW, TOP), yscale="log", xlabel="update")
        curves.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        curves.minorticks_off()
        curves.xaxis.labelpad = 0
        curves.axhline(GUESSING, color=GREY, linewidth=1, linestyle=":")
        grey = dict(transform=curves.transAxes, color=GREY, fontsize=9.5, ha="right")
        at = np.log(GUESSING / LOW) / np.log(TOP / LOW)
        curves.text(0.99, at + 0.015, "guessing: 2.30", **grey)
        curves.text(0.99, 0.95, "thin: on the map, under the path", **grey)

        edge = 0.5 / (SIDE - 1)  # a pixel's middle lies where its loss was taken
        around = (-edge, 1 + edge, -edge, 1 + edge)
        self._height = self.image(self._map, around, cmap=shades, smooth=True, zorder=0)
        lines = LineCollection([], colors="#8fa3b8", linewidths=0.7, zorder=1)
        self._lines = self.add(self._map, lines)
        self._ruler = self.line(self._map, color=BLACK, linewidth=2.5, solid_capstyle="butt")
        small = dict(fontsize=10)
        self._ruler_text = self.text(self._map, 0.97, 0.05, **small, ha="right", bbox=HALO)
        self._first = self.text(self._map, 0.5, -0.03, **small, ha="center", va="top")
        self._second = self.text(self._map, -0.025, 0.5, **small, ha="right", va="center",
                                 rotation=90)  # fmt: skip
        self._low = self.text(bar, 1.6, 0.0, **small)
        self._high = self.text(bar, 1.6, 1.0, **small, va="top")
        self._share = self.text(self._map, 0, 1.035, **TITLE)
        self._title = self.text(curves, 0, 1.035, **TITLE)
        leaders = LineCollection([], lw=0.8, transform=curves.transAxes, zorder=2)
        leaders.set_clip_on(False)
        self._leaders = self.add(curves, leaders)
        self._runs = {name: self._run(OPTIMIZER_STYLES[name]) for name in NAMES}
        ring = dict(ms=10, mfc="white", mec=BLACK, mew=2, zorder=6)
        self._start = self.line(self._map, "o", **ring)
        under = dict(by="data", offset=(0, -17), ha="center", zorder=5.5)
        self._start_text = self.text(self._map, 0, 0, "start", **under, **small)
        return self.moving

    def _run(self, style: dict[str, Any]) -> dict[str, Any]:
        """The parts of one optimizer: its path, its loss, that on the map, its ends, its name."""
        line = dict(color=style["color"], linestyle=style["linestyle"], zorder=3)
        thin = dict(color=style["color"], lw=0.9, zorder=2.5)
        end = dict(color=style["color"], marker=style["marker"], ls="", mec="white", mew=1)
        end |= dict(ms=9, zorder=5, clip_on=False)
        return {
            "way": self.line(self._map, **line, lw=1.5),
            "way_end": self.line(self._map, **end),
            "below": self.line(self._curves, **thin),
            "loss": self.line(self._curves, **line, lw=2),
            "loss_end": self.line(self._curves, **end),
            "name": self.text(self._curves, va="center", fontsize=10, color=ink(style["color"])),
        }

    def update(self, result: Landscape) -> None:
        for parts in self._runs.values():
            for part in parts.values():
                part.set_visible(False)
        for run in result.runs:
            self._show_run(self._runs[run.name], run, result)
        self._show_ground(result)
        self._place_names(result)
        if self.new_ground(result.num_updates):
            self._curves.set_xlim(0, result.num_updates)
        self._title.set_text(headline(result))
        held = f"The plane holds {100 * result.share:.0f} % of the variance"
        self._share.set_text(held if result.runs else "No path, no plane")
        for text, which, share in zip(
            (self._first, self._second), ("first", "second"), result.shares, strict=True
        ):
            direction = f"{which} principal direction: {100 * share:.0f} %"
            text.set_text(direction if result.runs else "")

    def _show_ground(self, result: Landscape) -> None:
        marks = (self._start, self._start_text, self._ruler, self._ruler_text)
        for part in (*marks, self._lines, self._low, self._high):
            part.set_visible(bool(result.runs))
        if not result.runs:
            self._height.set_data(result.height)
            return
        height = np.log(result.height.astype(float))
        low, high = height.min(), height.max()
        height = (height - low) / (high - low)
        self._height.set_data(height[::-1])
        place = np.linspace(0, 1, SIDE)
        contours = contour_generator(place, place, height)
        levels = np.linspace(0, 1, LEVELS + 2)[1:-1]
        self._lines.set_segments([line for level in levels for line in contours.lines(level)])
        for text, value in ((self._low, low), (self._high, high)):
            text.set_text(f"{float(f'{np.exp(value):.2g}'):g}")  # 130 where .2g says 1.3e+02
        x, y = on_map(result.runs[0].way[:1], result)
        self._start.set_data(x, y)
        self._start_text.set_position((x[0], y[0]))
        width = float(np.ptp(result.x))
        length = nice_length(0.28 * width)
        self._ruler.set_data([0.97 - length / width, 0.97], [0.03, 0.03])
        self._ruler_text.set_text(f"distance {length:g}")

    def _show_run(self, parts: dict[str, Any], run: Run, result: Landscape) -> None:
        loss, below = (np.clip(values, LOW, TOP) for values in (run.loss, run.below))
        parts["way"].set_data(*on_map(run.way, result))
        parts["way_end"].set_data(*on_map(run.way[-1:], result))
        parts["loss"].set_data(result.moments, loss)
        parts["below"].set_data(result.moments, below)
        parts["loss_end"].set_data(result.moments[-1:], loss[-1:])
        for name, part in parts.items():
            part.set_visible(name != "name")

    def _place_names(self, result: Landscape) -> None:
        """Each name at the end of its curve, moved apart where they would overlap."""
        width = CURVES[2] * 900
        low, high = np.log([LOW, TOP])
        ranking = result.ranking
        ends = [(np.log(np.clip(run.loss[-1], LOW, TOP)) - low) / (high - low) for run in ranking]
        heights = spread(ends, gap=15 / (CURVES[3] * 340))
        for run, at in zip(ranking, heights, strict=True):
            name = self._runs[run.name]["name"]
            name.set_position((1 + 20 / width, at))
            name.set_text(run.name)
            name.set_visible(True)
        self._leaders.set_segments(
            [[(1, end), (1 + 17 / width, at)] for end, at in zip(ends, heights, strict=True)]
        )
        self._leaders.set_color([OPTIMIZER_STYLES[run.name]["color"] for run in ranking])


def on_map(places: np.ndarray, result: Landscape) -> np.ndarray:
    """Places on the plane (n, 2) as fractions of the map's width and height, (2, n)."""
    corner = np.array([result.x[0], result.y[0]])
    return ((places - corner) / (np.ptp(result.x), np.ptp(result.y))).T


def nice_length(longest: float) -> float:
    """The largest of … 0.1, 0.2, 0.5, 1, 2, 5 … that is not longer."""
    unit = 10.0 ** np.floor(np.log10(longest))
    return float(unit * max(step for step in (1, 2, 5) if step * unit <= longest * (1 + 1e-9)))
