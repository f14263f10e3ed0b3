"""The picture of an optimizer race: the map with the paths, and beside it the losses."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from course_utils.playgrounds.parts import HALO, TITLE, Parts
from course_utils.playgrounds.race_compute import Race, Racer, headline, noise_text
from course_utils.plotting import BLACK, OPTIMIZER_STYLES, OWN_STYLE
from course_utils.surfaces import Surface, get_surface

MAP = (0.066, 0.145, 0.409, 0.755)  # left, bottom, width, height as fractions of the figure
CURVES = (0.566, 0.145, 0.31, 0.755)
USUAL_STEPS, MAX_STEPS = 150, 300  # the axis of the steps ends at one or the other
LOWEST_LOSS = 1e-6  # what is smaller lies on the lower edge
HIGHEST_LOSS = {  # somewhat above the highest point of the map, and fixed, so that curves compare
    "ravine": 1e2,
    "bowl": 1e2,
    "Rosenbrock": 1e4,
    "saddle": 1e1,
    "Beale": 1e6,
    "Himmelblau": 1e4,
    "plateau": 1e1,
    "two wells": 1e2,
}
TITLES = {
    "ravine": "Ravine: steep across, flat along",
    "bowl": "Bowl: equally steep all around",
    "Rosenbrock": "Rosenbrock: a bent, flat valley",
    "saddle": "Saddle: flat in the middle",
    "Beale": "Beale: a flat floor, steep walls",
    "Himmelblau": "Himmelblau: four equal minima",
    "plateau": "Plateau: almost flat far away",
    "two wells": "Two wells: one deep, one shallow",
}
SHADES = ("#ffffff", "#e9eff5", "#d3dee9", "#bccddd")
OWN_LINES = ((0, (5, 1)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (3, 2)))


def ink(color: str) -> str:
    """`color`, darkened until text in it can be read on white (contrast 4.5 : 1)."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])

    def contrast(rgb: np.ndarray) -> float:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return 1.05 / (float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)

    while contrast(rgb) < 4.5:
        rgb = rgb * 0.96
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def styles_for(own: list[str]) -> dict[str, dict]:
    """Line style, colour and marker of the built-in optimizers and of the learner's `own`."""
    styles = dict(OPTIMIZER_STYLES)
    for index, name in enumerate(own):
        styles[name] = OWN_STYLE | {"linestyle": OWN_LINES[index % len(OWN_LINES)]}
    return styles


class RacePicture(Parts):
    """Builds the figure of a race and moves its artists.

    Args:
        surface: name of the surface shown first.
        own: names of the learner's own rules.
    """

    def __init__(self, surface: str, own: list[str]):
        self.styles = styles_for(own)
        self.surface = get_surface(surface)
        self._grounds: dict[str, list[Any]] = {}

    # -- built once ----------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        self.map = fig.add_axes(MAP)
        self.curves = fig.add_axes(CURVES)
        self.map.grid(False)
        self.map.set(xlabel="x", ylabel="y")
        self.ground_title = self.map.set_title("")
        self.map.xaxis.labelpad = 0
        self.map.yaxis.set_label_coords(-0.113, 0.5)  # in the same place for all widths of numbers
        self.map.spines[["top", "right"]].set_visible(True)
        self.curves.set(
            xlabel="step", ylabel="loss (log scale)", yscale="log", xlim=(0, USUAL_STEPS)
        )
        self.curves.xaxis.labelpad = 0
        self.curves.yaxis.set_label_coords(-0.172, 0.5)
        for axis in (self.map.xaxis, self.map.yaxis):
            axis.set_major_locator(MaxNLocator(9, steps=[1, 2, 5, 10]))
        self.curves.minorticks_off()
        self.curves.yaxis.set_major_formatter(loss_tick)
        self.show_ground(self.surface)

        ring = dict(ms=10, mfc="white", mec=BLACK, mew=2, zorder=6, clip_on=False)
        self.start = self.line(self.map, "o", **ring)
        small = dict(fontsize=10, bbox=HALO | {"alpha": 0.8})
        above = dict(by="data", offset=(0, 9), zorder=5.5, ha="center")
        self.start_label = self.text(self.map, 0, 0, "start", **above, **small)
        self.title = self.text(self.curves, 0, 1.035, **TITLE)
        self.noise = self.text(self.map, 0.985, 0.03, zorder=6, ha="right", **small)
        leaders = LineCollection([], lw=0.8, transform=self.curves.transAxes, zorder=2)
        leaders.set_clip_on(False)
        self.leaders = self.add(self.curves, leaders)
        self.runs = {name: self._run(style) for name, style in self.styles.items()}
        return self.moving

    def _run(self, style: dict) -> dict[str, Any]:
        """The artists of one optimizer: its path, its loss, both ends, its name and its mishap."""
        line = dict(color=style["color"], linestyle=style["linestyle"], lw=2, zorder=3)
        end = dict(color=style["color"], marker=style["marker"], ls="", mec="white", mew=1)
        end |= dict(ms=14 if style["marker"] == "*" else 9, zorder=5)
        text = dict(fontsize=10, color=ink(style["color"]))
        corner = dict(va="top", ha="right", bbox=HALO)
        return {
            "path": self.line(self.map, **line),
            "path_end": self.line(self.map, **end),
            "loss": self.line(self.curves, **line),
            "loss_end": self.line(self.curves, clip_on=False, **end),
            "name": self.text(self.curves, zorder=4, va="center", **text),
            "note": self.text(self.curves, zorder=7, **corner, **text),
        }

    # -- the ground: changes with the surface only ---------------------------------------

    def show_ground(self, surface: Surface) -> None:
        """Put the map of `surface` under the paths; maps once drawn are kept."""
        for artist in self._grounds.get(self.surface.name, []):
            artist.set_visible(False)
        if surface.name not in self._grounds:
            self._grounds[surface.name] = self._build_ground(surface)
        for artist in self._grounds[surface.name]:
            artist.set_visible(True)
        self.surface = surface
        self.map.set(xlim=surface.xlim, ylim=surface.ylim)
        self.ground_title.set_text(TITLES[surface.name])
        self.curves.set_ylim(LOWEST_LOSS, HIGHEST_LOSS[surface.name])

    def _build_ground(self, surface: Surface) -> list[Any]:
        from matplotlib.colors import LinearSegmentedColormap

        x = np.linspace(*surface.xlim, 241)
        y = np.linspace(*surface.ylim, 181)
        height = surface.value(x[None, :], y[:, None])
        # Between two lines the loss grows by a factor, or its square root by a fixed amount.
        height = np.log10(height + 0.1) if surface.log_scale else np.sqrt(height)
        levels = np.linspace(height.min(), height.max(), 15)
        shades = LinearSegmentedColormap.from_list("ground", SHADES)
        fill = self.map.contourf(x, y, height, levels=levels, cmap=shades, zorder=0)
        lines = self.map.contour(
            x, y, height, levels=levels, colors="#8fa3b8", linewidths=0.7, linestyles="-", zorder=1
        )
        artists = [fill, lines]
        cross = dict(marker="x", ms=8, mew=2, ls="", color=BLACK, zorder=2)
        artists += self.map.plot(*np.transpose(surface.minima), **cross)
        artists += self.map.plot([0.03], [0.055], transform=self.map.transAxes, **cross)
        word = "minimum" if len(surface.minima) == 1 else "minima"
        artists.append(
            self.map.text(
                0.055, 0.03, word, transform=self.map.transAxes, fontsize=10, zorder=2, color=BLACK
            )
        )
        return artists

    # -- moved in every frame ------------------------------------------------------------

    def show(self, race: Race) -> bool:
        """Move everything to `race`; True if the ground or the axis of the steps has changed."""
        new_ground = race.surface is not self.surface
        if new_ground:
            self.show_ground(race.surface)
        last = self.curves.get_xlim()[1]
        self.last_step = USUAL_STEPS if race.num_steps <= USUAL_STEPS else MAX_STEPS
        self.curves.set_xlim(0, self.last_step)
        self.start.set_data([race.start[0]], [race.start[1]])
        self.start_label.set_position(race.start)
        self.title.set_text(headline(race))
        self.noise.set_text(noise_text(race))
        self.noise.set_visible(bool(race.noise))
        shown = {racer.name: racer for racer in race.racers}
        for name, run in self.runs.items():
            for artist in run.values():
                artist.set_visible(False)
            if name in shown:
                self._show_run(run, shown[name], race)
        self._place_names(race)
        self._place_notes(race)
        return new_ground or last != self.last_step

    def _show_run(self, run: dict[str, Any], racer: Racer, race: Race) -> None:
        points = racer.path.points
        losses = np.clip(racer.path.losses, LOWEST_LOSS, HIGHEST_LOSS[self.surface.name])
        last = last_finite(points, losses)
        way = points if racer.path.diverged_at is None else until_far_off(points, self.surface)
        run["path"].set_data(way[:, 0], way[:, 1])
        width = 1.3 if race.noise else 2.0  # a jittery line stays readable when it is thin
        run["path"].set_linewidth(width)
        run["loss"].set_linewidth(width)
        run["path_end"].set_data([points[last, 0]], [points[last, 1]])
        run["loss"].set_data(np.arange(len(losses)), losses)
        run["loss_end"].set_data([last], [losses[last]])
        for part in ("path", "path_end", "loss", "loss_end"):
            run[part].set_visible(True)

    def _place_names(self, race: Race) -> None:
        """Each name at the end of its curve, moved apart where they would overlap."""
        width = CURVES[2] * 900
        right = race.num_steps / self.last_step
        low, high = np.log10([LOWEST_LOSS, HIGHEST_LOSS[self.surface.name]])
        ends = []
        for racer in race.ranking:
            loss = min(max(racer.final_loss, LOWEST_LOSS), HIGHEST_LOSS[self.surface.name])
            ends.append((racer.name, (np.log10(loss) - low) / (high - low)))
        heights = spread([height for _, height in ends], gap=15 / (CURVES[3] * 340))
        for (name, _), height in zip(ends, heights, strict=True):
            text = self.runs[name]["name"]
            text.set_position((right + 20 / width, height))
            text.set_text(name)
            text.set_visible(True)
        self.leaders.set_segments(
            [
                [(right, end), (right + 17 / width, height)]
                for (_, end), height in zip(ends, heights, strict=True)
            ]
        )
        self.leaders.set_color([self.styles[name]["color"] for name, _ in ends])

    def _place_notes(self, race: Race) -> None:
        """What went wrong, in the upper right corner, where a falling curve never is."""
        top, line = 0.985, 16 / (CURVES[3] * 340)
        most = 2 if sum(bool(racer.error) for racer in race.racers) < 4 else 1
        for racer in race.racers:
            if racer.finished:
                continue
            if racer.error:
                words = f"{racer.name}, {racer.error.replace('your rule ', '', 1)}"
                lines = textwrap.wrap(words, 38, max_lines=most, placeholder=" …")
            else:
                lines = [f"{racer.name} diverged at step {racer.path.diverged_at}"]
            note = self.runs[racer.name]["note"]
            note.set_position((0.985, top))
            note.set_text("\n".join(lines))
            note.set_visible(True)
            top -= line * len(lines) + 0.01


def loss_tick(loss: float, _: int) -> str:
    """The label of a power of ten; what is smaller than the lowest lies on the lower edge."""
    below = "\\leq" if loss <= 1.01 * LOWEST_LOSS else ""
    return f"${below}10^{{{round(np.log10(loss))}}}$"


def last_finite(points: np.ndarray, losses: np.ndarray) -> int:
    """Index of the last point that can be drawn; the start can always be."""
    good = np.flatnonzero(np.isfinite(points).all(axis=1) & np.isfinite(losses))
    return int(good[-1]) if len(good) else 0


def until_far_off(points: np.ndarray, surface: Surface) -> np.ndarray:
    """The points up to the first that lies a whole map beside the map.

    A path that runs away would cross the map again and again, and hide the others.
    """
    low = np.array([surface.xlim[0], surface.ylim[0]])
    size = np.array([surface.xlim[1], surface.ylim[1]]) - low
    far = (np.abs((points - low) / size - 0.5) > 1.5).any(axis=1)
    return points[: int(far.argmax()) + 1] if far.any() else points


def spread(heights: list[float], gap: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """Ascending `heights`, moved as little as needed to be `gap` apart, from `low` to `high`."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, low, placed[-1] + gap if placed else low))
    if placed and placed[-1] > high:
        placed[-1] = high
        for index in range(len(placed) - 2, -1, -1):
            placed[index] = min(placed[index], placed[index + 1] - gap)
    return placed
