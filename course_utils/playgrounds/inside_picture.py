"""The picture of the look into a network: panels of maps, tables of numbers, and words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection

from course_utils.playgrounds.inside_compute import Unit
from course_utils.playgrounds.inside_trace import SIDE, Step
from course_utils.playgrounds.inside_words import (
    counts,
    made_of,
    map_words,
    reads,
    short,
    then_words,
)
from course_utils.playgrounds.kernel_compute import two
from course_utils.playgrounds.parts import Sheet, box, say
from course_utils.playgrounds.signs import SIGNED, tints
from course_utils.plotting import BLUE, GREY, RED

FRAME = "#b36b00"  # of what is looked at
COLOURS = SIGNED.resampled(25)  # few: equal neighbours are sent as one
BOLD, SMALL = {"fontsize": 11, "fontweight": "bold"}, {"fontsize": 9.5}
MOST_BOXES = 18  # of the steps; of more those around the chosen one are shown
TOP = 3.05  # upper edge of the panels, inches
# Left, lower edge, width and height in inches: what the pointer does there.
AREAS = {
    "steps": (0.08, 3.42, 8.84, 0.24),  # choose a step
    "image": (0.08, 1.55, 1.5, 1.5),  # draw
    "mosaic": (1.74, 1.17, 1.88, 1.88),  # choose a map
    "input": (3.8, 1.73, 1.32, 1.32),  # choose a place
    "output": (3.8, 0.1, 1.32, 1.32),
}
BARS = (0.08, 0.36, 1.5, 0.95)
TABLES = {"patch": (5.34, 2.12), "kernel": (6.95, 2.12), "products": (5.34, 1.06)}
TABLE, LARGEST_TABLE = (1.35, 0.75), 3  # inches; and the rows or columns that have room for numbers
LINES_X, LINES_END, LINES_Y, LINE = 6.95, 8.92, 1.72, 0.19
STRIP = (5.34, 0.62, 3.56, 0.14)


class InsidePicture(Sheet):
    """Draws a `Unit` of a network with these steps."""

    width, height = 9.0, 3.72
    _steps: tuple[Step, ...]

    def _boxes(self, number: int) -> tuple[int, int]:
        """The first of the steps that are shown, and how many."""
        count = min(len(self._steps), MOST_BOXES)
        first = min(max(number - count // 2, 0), len(self._steps) - count)
        return first, count

    def draw(self, fig: Any) -> list[Any]:
        ax = self.sheet(fig)
        self._draw_steps(ax)
        look = dict(cmap=COLOURS, vmin=-1, vmax=1, zorder=1)
        self.images = {}
        self._painted: dict[str, object] = {}
        for name in ("image", "mosaic", "input", "output"):
            x, y, w, h = AREAS[name]
            own = dict(cmap="gray_r", vmin=0, vmax=1, zorder=1) if name == "image" else look
            self.images[name] = self.image(ax, (x, x + w, y, y + h), **own)
        borders = [box(*AREAS[name]) for name in self.images]
        borders = PolyCollection(borders, facecolors="none", edgecolors=GREY, linewidths=0.8)
        self.add(ax, borders).set_zorder(2)
        self.dead = self.add(ax, LineCollection([], colors=RED, linewidths=1.4, zorder=3))
        frames = ("image", "mosaic", "input", "output")
        edge = dict(fc="none", zorder=4, joinstyle="miter")
        self.frames = {
            name: (self.patch(ax, ec="white", lw=3.6, **edge),
                   self.patch(ax, ec=FRAME, lw=2, **edge))
            for name in frames
        }  # fmt: skip
        # Words of one look share what has been drawn: there are many, and few of them long.
        bold, small = self.word(**BOLD), self.word(**SMALL)
        self.titles = {
            name: self.word(AREAS[name][0], sum(AREAS[name][1::2]) + 0.12, like=like)
            for name, like in zip(frames, (bold, bold, small, small), strict=True)
        }
        self.titles["unit"] = self.word(TABLES["patch"][0], TOP + 0.12, like=bold)
        x = AREAS["mosaic"][0]
        self.notes = [self.word(x, 1.0 - k * LINE, like=small) for k in range(5)]
        self._draw_bars(ax)
        self._draw_tables(ax)
        return self.moving

    def _draw_steps(self, ax: Any) -> None:
        x, y, w, h = AREAS["steps"]
        _, count = self._boxes(0)
        lefts = [x + k * w / count for k in range(count)]
        boxes = [box(left, y, w / count - 0.04, h) for left in lefts]
        boxes = PolyCollection(boxes, facecolors="none", edgecolors=GREY, linewidths=0.8)
        ax.add_collection(boxes)
        self.chosen = self.patch(ax, fc="none", ec=BLUE, lw=2.4, zorder=3)
        middles = [left + w / count / 2 - 0.02 for left in lefts]
        like = self.word(**SMALL, ha="center")
        self.step_words = [self.word(at, y + h / 2, like=like) for at in middles]

    def _draw_bars(self, ax: Any) -> None:
        x, y, w, _ = BARS
        for k in range(10):
            ax.text(x + (k + 0.5) * w / 10, y - 0.1, str(k), ha="center", va="center", fontsize=9.5)
        ax.plot([x, x + w], [y, y], color=GREY, lw=0.8)
        ax.text(x, 0.09, "probabilities", fontsize=9, color=GREY, va="center")
        self.bars = self.add(ax, PolyCollection([], linewidths=0, zorder=2))

    def _draw_tables(self, ax: Any) -> None:
        cells = PolyCollection([], edgecolors=GREY, linewidths=0.7, zorder=2)
        self.cells = self.add(ax, cells)
        small, grey = self.notes[0], self.word(**SMALL, color=GREY)
        centred, right = (self.word(**SMALL, ha=side) for side in ("center", "right"))
        self.numbers: dict[str, list[Any]] = {}
        self.heads: dict[str, Any] = {}
        for name, (x, y) in TABLES.items():
            self.heads[name] = self.word(x, y + TABLE[1] + 0.11, like=grey)
            self.numbers[name] = [self.word(like=centred) for _ in range(LARGEST_TABLE**2)]
        x, y, _, h = STRIP
        self.strip = self.image(ax, (x, x + STRIP[2], y, y + h), cmap=COLOURS, vmin=-1, vmax=1)
        self.strip_frame = self.patch(ax, fc="none", ec=FRAME, lw=2, zorder=4)
        self.strip_words = self.word(x, y + h + 0.1, like=grey)
        self.lines = [(self.word(like=small), self.word(like=right)) for _ in range(5)]
        self.then = [self.word(STRIP[0], 0.46 - k * 0.17, like=small) for k in range(3)]

    def update(self, result: Unit) -> None:
        self._show_steps(result)
        step, trace = result.step, result.trace
        (i, j), (_, rows, columns) = result.at, step.shape
        top = float(np.abs(result.maps).max()) or 1.0
        if self._is_new("image", trace):
            self.images["image"].set_data(result.image)
            self._show_bars(trace.probabilities)
        if self._is_new("mosaic", (trace, result.number)):
            self._show_mosaic(result, top)
        side = grid_side(len(result.maps))
        down, across = divmod(result.map, side)
        self._enclose("mosaic", (down, down + 1), (across, across + 1), side, side)
        source = result.input_map
        self.images["input"].set_visible(source is not None)
        before = (trace, step.sources[:1], result.input_number)
        if source is not None and self._is_new("input", before):
            self._paint("input", source, float(np.abs(source).max()) or 1.0)
        if self._is_new("output", (trace, result.number, result.map)):
            self._paint("output", result.maps[result.map], top)
        self._enclose("output", (i, i + 1), (j, j + 1), rows, columns)
        field = result.field or ((0, 0), (0, 0))
        self._enclose("image", *field, SIDE, SIDE, shown=result.field is not None)
        self._show_patch_frame(result)
        self.titles["image"].set_text(reads(result))
        self.titles["mosaic"].set_text(counts(step))
        into = f"from {result.sources[0].name}, map {result.input_number}" if step.sources else ""
        self.titles["input"].set_text(short(into, 23))
        self.titles["output"].set_text(short(f"{step.name}, map {result.map}", 23))
        where = f"{step.name} [{result.map}, {i}, {j}]"
        self.titles["unit"].set_text(f"{short(where, 32)} = {two(result.value)}")
        say(self.notes, [*map_words(result), f"darkest blue: {two(top)}"])
        self._show_tables(result)

    def _is_new(self, name: str, what: object) -> bool:
        """Whether a panel does not show `what` yet: colours are found once for each map."""
        if self._painted.get(name) == what:
            return False
        self._painted[name] = what
        return True

    def _paint(self, name: str, values: np.ndarray, top: float) -> None:
        self.images[name].set_data(values)
        self.images[name].set_clim(-top, top)

    def _show_bars(self, p: np.ndarray) -> None:
        x, y, w, h = BARS
        lefts = [x + (k + 0.15) * w / 10 for k in range(10)]
        self.bars.set_verts([box(left, y, 0.7 * w / 10, h * share)
                             for left, share in zip(lefts, p, strict=True)])  # fmt: skip
        self.bars.set_facecolors([RED if k == p.argmax() else BLUE for k in range(10)])

    def _show_steps(self, result: Unit) -> None:
        first, count = self._boxes(result.number)
        names = [step.name for step in self._steps[first : first + count]]
        most = 90 // count  # letters that have room
        say(self.step_words, [short(name, 16) if most > 8 else _tiny(name) for name in names])
        x, y, w, h = AREAS["steps"]
        left = x + (result.number - first) * w / count
        self.chosen.set_bounds(left, y, w / count - 0.04, h)

    def _show_mosaic(self, result: Unit, top: float) -> None:
        maps, (x, y, w, h) = result.maps, AREAS["mosaic"]
        side = grid_side(len(maps))
        if side * maps.shape[1] > 100 and not (maps.shape[1] | maps.shape[2]) % 2:
            # Half as fine is enough for a map of this size, and draws in half the time.
            maps = maps.reshape(len(maps), maps.shape[1] // 2, 2, -1, 2).mean((2, 4))
        rows, columns = maps.shape[1:]
        gap = 1 if len(maps) > 1 else 0
        whole = np.full((side * side, rows + gap, columns + gap), np.nan)
        whole[: len(maps), :rows, :columns] = maps
        whole = whole.reshape(side, side, rows + gap, columns + gap).swapaxes(1, 2)
        self._paint("mosaic", whole.reshape(side * (rows + gap), -1), top)
        crosses = []
        for k in np.flatnonzero(result.alive == 0) if result.alive is not None else ():
            i, j = divmod(int(k), side)
            left, right = x + (j + 0.1) * w / side, x + (j + 0.9) * w / side
            low, high = y + h - (i + 0.9) * h / side, y + h - (i + 0.1) * h / side
            crosses += [[(left, low), (right, high)], [(left, high), (right, low)]]
        self.dead.set_segments(crosses)

    def _show_patch_frame(self, result: Unit) -> None:
        source, step = result.input_map, result.step
        shown = source is not None and step.kind != "other"
        if not shown:
            self._enclose("input", (0, 1), (0, 1), 1, 1, shown=False)
            return
        top, left = result.at
        rows, columns = 1, 1
        if step.window is not None:
            top, left = step.window.corner(result.at)
            rows, columns = (d * (k - 1) + 1 for d, k in zip(step.window.dilation, step.window.size,
                                                             strict=True))  # fmt: skip
        self._enclose("input", (top, top + rows), (left, left + columns), *source.shape)

    def _enclose(
        self, name: str, rows: tuple[int, int], columns: tuple[int, int], height: int, width: int,
        *, shown: bool = True,
    ) -> None:  # fmt: skip
        """Frame these rows and columns, of so many in the panel, as far as they lie in it."""
        x, y, w, h = AREAS[name]
        top, bottom = (min(max(part, 0), height) for part in rows)
        left, right = (min(max(part, 0), width) for part in columns)
        for patch in self.frames[name]:
            patch.set_visible(shown)
            patch.set_bounds(x + left * w / width, y + h - bottom * h / height,
                             (right - left) * w / width, (bottom - top) * h / height)  # fmt: skip

    def _show_tables(self, result: Unit) -> None:
        patch, kernel = result.patch, result.kernel
        tables: dict[str, np.ndarray] = {}
        if patch is not None:
            tables["patch"] = patch
        if kernel is not None:
            tables |= {"kernel": kernel, "products": patch * kernel}
        verts, colours = [], []
        heads = {"patch": "patch", "kernel": "kernel", "products": "their products"}
        for name, (x, y) in TABLES.items():
            values = tables.get(name)
            self.heads[name].set_text(heads[name] if values is not None else "")
            words = []
            if values is not None:
                corners, size = _cells(x, y, values.shape)
                verts += [box(*corner, *size) for corner in corners]
                colours.append(tints(np.nan_to_num(values), 0.05))
                if max(values.shape) <= LARGEST_TABLE:
                    words = ["" if np.isnan(value) else two(value) for value in values.ravel()]
                    for text, (left, low) in zip(self.numbers[name], corners, strict=False):
                        text.set_position((left + size[0] / 2, low + size[1] / 2))
            say(self.numbers[name], words)
        self.cells.set_verts(verts)
        self.cells.set_facecolors(np.concatenate(colours) if colours else [])
        lines = made_of(result)
        for k, (left, right) in enumerate(self.lines):
            name, number = lines[k] if k < len(lines) else ("", "")
            y = (LINES_Y if kernel is not None else TOP - 0.27) - k * LINE
            left.set_position((LINES_X if patch is not None else STRIP[0], y))
            right.set_position((LINES_END if patch is not None else LINES_X + 0.6, y))
            left.set_text(name)
            right.set_text(number)
        many = len(result.parts) > 1
        self.strip.set_visible(many)
        self.strip_frame.set_visible(many)
        self.strip_words.set_text(
            f"what each of {len(result.parts)} input maps adds" if many else ""
        )
        if many:
            self.strip.set_data(result.parts[None])
            high = float(np.abs(result.parts).max()) or 1.0
            self.strip.set_clim(-high, high)
            x, y, w, h = STRIP
            self.strip_frame.set_bounds(x + result.source * w / len(result.parts), y,
                                        w / len(result.parts), h)  # fmt: skip
        say(self.then, then_words(result))


def grid_side(count: int) -> int:
    """Rows and columns of a square mosaic with so many maps."""
    return math.ceil(math.sqrt(count))


def _tiny(name: str) -> str:
    """The name of a step without its number."""
    return short(name.rpartition(" ")[0] or name, 6)


def _cells(x: float, y: float, shape: tuple[int, ...]) -> tuple[list, tuple[float, float]]:
    """The lower left corners of the cells of a table, row by row, and their size."""
    rows, columns = shape
    width = min(TABLE[0] / columns, TABLE[0] / LARGEST_TABLE)
    height = min(TABLE[1] / rows, TABLE[1] / LARGEST_TABLE)
    top = y + TABLE[1]
    return [(x + j * width, top - (i + 1) * height) for i in range(rows) for j in range(columns)], (
        width,
        height,
    )
