"""The broadcasting explorer: two shapes, aligned from the right, and the numbers they give."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb

from course_utils.live.controls import Choice, Slider
from course_utils.live.playground import Playground
from course_utils.playgrounds.broadcast_compute import (
    MEANS,
    MOST,
    OPERATIONS,
    SHAPES,
    SIGNS,
    Broadcast,
    Shape,
    broadcast,
    clash_words,
    copied,
    entry_words,
    mean_words,
    title,
)
from course_utils.playgrounds.parts import TITLE, Event, Sheet, box, say
from course_utils.playgrounds.words import signed
from course_utils.plotting import BLACK, BLUE, GREEN, GREY, ORANGE, RED, RED_INK

# Everything lies on one axes whose unit is the inch.
CELL = (0.415, 0.27)
GAP = 0.13  # between two sheets
TOP = 2.86  # upper edge of the tables
SLOTS = (3.2, 5.2, 7.2)  # left edges of the tables of a, b and the result
COLUMNS = (2.35, 1.75, 1.15)  # of the aligned shapes, from the right
BOX = (0.52, 0.3)
ROWS = {"a": 2.5, "b": 2.12, "result": 1.62}
TINTS = (BLUE, ORANGE, GREEN)


def places(shape: Shape, left: float) -> np.ndarray:
    """Lower left corner of the cell of every entry, in inches, shape (entries, 2)."""
    sheets, rows, columns = (1, 1, 1, *shape)[-3:]
    width, height = CELL
    return np.array(
        [
            (left + c * width, TOP - s * (rows * height + GAP) - (r + 1) * height)
            for s, r, c in itertools.product(range(sheets), range(rows), range(columns))
        ]
    )


def blend(color: str, share: float) -> tuple[float, ...]:
    """`color` on white, `share` of it."""
    return tuple(1 - share * (1 - np.array(to_rgb(color))))


def tinted(color: str, values: np.ndarray, faint: np.ndarray) -> np.ndarray:
    """Colours (entries, 3): the larger the number the stronger; faint where it is a copy."""
    low, high = values.min(), values.max()
    strength = 0.12 + 0.42 * (values - low) / ((high - low) or 1)
    strength = np.where(faint, 0.35 * strength, strength)[:, None]
    return 1 - strength * (1 - np.array(to_rgb(color)))


class BroadcastExplorer(Sheet, Playground):
    """Explore which shapes fit each other, what is stretched, and which numbers come out."""

    width, height = 9.0, 3.6
    areas = ((SLOTS[0] / width, 0, 1 - SLOTS[0] / width, TOP / height),)
    controls = (
        Choice("a", "(3, 4)", options=list(SHAPES), width="125px",
               tip="shape of a, filled with 0, 1, 2…"),
        Choice("b", "(4,)", options=[*SHAPES, *MEANS], width="235px",
               tip="shape of b, filled with 10, 20, 30…, or a mean of a"),
        Choice("operation", "a + b", options=list(OPERATIONS), width="150px"),
        Slider("entry", 6, label="look at entry", low=0, high=MOST - 1, width="265px",
               tip="the entry of the result that is framed; or click on it in the picture"),
    )  # fmt: skip
    compute = staticmethod(broadcast)

    def on_pointer(self, events: list[Event]) -> None:
        """A click on a table looks at that entry."""
        for point in self.pressed(events) if self.result.fits else ():
            for left in SLOTS:
                low = places(self.result.value.shape, left)
                inside = (low <= point) & (point < low + CELL)
                for index in np.flatnonzero(inside.all(axis=1)):
                    self.set(entry=int(index))

    # -- drawing -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        ax = self.sheet(fig)
        self.title = self.word(0.15, 3.4, **TITLE)
        for position, x in zip((-1, -2, -3), COLUMNS, strict=True):
            ax.text(x, 2.84, signed(position), color=GREY, ha="center", va="center", fontsize=10)
        ax.text(0.2, 2.84, "dim", color=GREY, va="center", fontsize=10)
        ax.plot([0.2, COLUMNS[0] + BOX[0] / 2], [1.87, 1.87], color=GREY, lw=0.8)
        self.boxes = self.add(ax, PolyCollection([], linewidths=1.2, zorder=2))
        self.row_names = {name: self.word(0.2, y, fontsize=11) for name, y in ROWS.items()}
        self.sizes = {
            (name, x): self.word(x, y, ha="center", fontsize=11)
            for name, y in ROWS.items()
            for x in COLUMNS
        }
        self.notes = [self.word(0.2, y, fontsize=10) for y in (1.18, 0.92, 0.66, 0.3)]

        self.tables = [self.add(ax, PolyCollection([], linewidths=0.8, zorder=2)) for _ in SLOTS]
        middle = dict(ha="center", fontsize=9.5)
        self.numbers, self.echoes = (
            [[self.word(color=c, **middle) for _ in range(MOST)] for _ in SLOTS]
            for c in (BLACK, GREY)
        )
        self.heads = [self.word(x, 3.02, fontsize=10.5) for x in SLOTS]
        grey = dict(fontsize=9, color=GREY, ha="right")
        self.sheets = [[self.word(**grey) for _ in range(2)] for _ in SLOTS]
        self.signs = [self.word(fontsize=13, ha="center") for _ in SLOTS[1:]]
        none = dict(facecolors="none", edgecolors=BLACK, zorder=4)
        self.frames = self.add(ax, PolyCollection([], linewidths=2.2, **none))
        self.origins = self.add(ax, PolyCollection([], linewidths=1.4, linestyles=":", **none))
        self.clash_lines = self.add(ax, LineCollection([], colors=RED, linewidths=3, zorder=4))
        bold = dict(color=RED_INK, fontweight="bold", ha="center")
        self.clash_sizes = [self.word(**bold) for _ in range(4)]
        self.why = self.word(SLOTS[2] + 0.1, TOP, fontsize=11, color=RED_INK, va="top")
        self.entry_words = self.word(SLOTS[0], 0.36, fontsize=10.5)
        self.more_words = self.word(SLOTS[0], 0.12, fontsize=10.5)
        return self.moving

    def update(self, result: Broadcast) -> None:
        self.title.set_text(title(result))
        self._show_shapes(result)
        self._show_tables(result)
        self._show_entry(result)
        self._show_clash(result)

    def _show_shapes(self, result: Broadcast) -> None:
        """The two shapes below each other, aligned from the right, with the result's."""
        say(self.row_names.values(), ("a", "b", result.operation))
        verts, faces, edges, dashes = [], [], [], []
        say(self.sizes.values(), ())
        for dim in result.dims:
            x = COLUMNS[-dim.position - 1]
            for name, size in (("a", dim.a), ("b", dim.b), ("result", dim.size)):
                text, stretched = str(size), dim.stretched == name
                if stretched:
                    text = f"1→{dim.size}"
                elif size is None:
                    text = "✗" if name == "result" else "1"
                tint = RED if dim.size is None else ORANGE if stretched else None
                self.sizes[name, x].set_text(text)
                verts.append(box(x - BOX[0] / 2, ROWS[name] - BOX[1] / 2, *BOX))
                faces.append("white" if tint is None else blend(tint, 0.25))
                edges.append(RED if dim.size is None else GREY)
                dashes.append("--" if size is None and name != "result" else "-")
        self.boxes.set(verts=verts, facecolors=faces, edgecolors=edges, linestyles=dashes)
        lines = [dim.words for dim in reversed(result.dims)]
        lines = [*lines, *[""] * (3 - len(lines))]
        if not result.dims:
            lines[0] = "Two single numbers: nothing to align"
        shape = result.value.shape if result.fits else None
        lines.append("They do not fit." if shape is None else f"The result has shape {shape}.")
        say(self.notes, lines)

    def _show_tables(self, result: Broadcast) -> None:
        """a and b as they are stretched, and the result; or a and b as they are."""
        arrays = [result.a, result.b, *([result.value] if result.fits else [])]
        shape = result.value.shape if result.fits else None
        for slot, table in enumerate(self.tables):
            array = arrays[slot] if slot < len(arrays) else np.zeros((0,))
            full = array if shape is None else np.broadcast_to(array, shape)
            copies = copied(array.shape, full.shape).ravel()
            values = np.ravel(full)
            corner = places(full.shape, SLOTS[slot])
            table.set_verts([box(x, y, *CELL) for x, y in corner])
            if len(values):
                table.set(facecolors=tinted(TINTS[slot], values, copies))
                table.set(edgecolors=["#c4c4c4" if copy else GREY for copy in copies])
            for i in range(MOST):
                shown = signed(values[i]) if i < len(values) else ""
                is_copy = bool(shown) and copies[i]
                for text, words in (
                    (self.numbers[slot][i], "" if is_copy else shown),
                    (self.echoes[slot][i], shown if is_copy else ""),
                ):
                    text.set_text(words)
                    if words:
                        text.set_position(tuple(corner[i] + np.array(CELL) / 2))
            self._show_heads(slot, result, array, full)
        rows = (1, *shape)[-2:][0] if shape else 1
        for slot, words in ((1, SIGNS[result.operation]), (2, "=")):
            text = self.signs[slot - 1]
            text.set_text(words if result.fits else "")
            text.set_position((SLOTS[slot] - 0.19, TOP - rows * CELL[1] / 2))

    def _show_heads(self, slot: int, result: Broadcast, array: Any, full: Any) -> None:
        """The name and shape above a table, and the numbers of its sheets."""
        name = ("a", "b", result.operation)[slot]
        if slot == 2 and not result.fits:
            self.heads[slot].set_text("")
        elif array.shape == full.shape:
            self.heads[slot].set_text(f"{name}  {array.shape}")
        else:
            self.heads[slot].set_text(f"{name}  {array.shape} → {full.shape}")
        sheets = full.shape[0] if full.ndim == 3 else 0
        for i, text in enumerate(self.sheets[slot]):
            text.set_text(f"[{i}]" if i < sheets else "")
            if i < sheets:
                y = TOP - i * (full.shape[1] * CELL[1] + GAP) - CELL[1] / 2
                text.set_position((SLOTS[slot] - 0.04, y))

    def _show_entry(self, result: Broadcast) -> None:
        """Frame one entry of the result and what it was made from."""
        if not result.fits:
            self.frames.set_verts([])
            self.origins.set_verts([])
            say((self.entry_words, self.more_words), ())
            return
        shape = result.value.shape
        at = int(np.ravel_multi_index(result.entry, shape)) if shape else 0
        self.frames.set_verts([box(*places(shape, left)[at], *CELL) for left in SLOTS])
        origins = []
        for array, left in ((result.a, SLOTS[0]), (result.b, SLOTS[1])):
            source = (0,) * (len(shape) - array.ndim) + result.source(array)
            if source != result.entry:
                i = int(np.ravel_multi_index(source, shape))
                origins.append(box(*places(shape, left)[i], *CELL))
        self.origins.set_verts(origins)
        self.entry_words.set_text(f"framed: {entry_words(result)}")
        self.more_words.set_text(mean_words(result))

    def _show_clash(self, result: Broadcast) -> None:
        """Mark in both tables the sides whose sizes do not fit."""
        self.why.set_text(clash_words(result))
        lines, words = [], []
        for array, left in ((result.a, SLOTS[0]), (result.b, SLOTS[1])):
            for dim in result.dims:
                size = array.shape[dim.position] if dim.size is None else 0
                sheets, rows, columns = (1, 1, 1, *array.shape)[-3:]
                right, low = left + columns * CELL[0], TOP - rows * CELL[1]
                if dim.position == -1:  # below all sheets
                    low -= (sheets - 1) * (rows * CELL[1] + GAP)
                if size and dim.position == -1:
                    lines.append([(left, low - 0.07), (right, low - 0.07)])
                    words.append(((left + right) / 2, low - 0.2, str(size)))
                elif size:
                    lines.append([(right + 0.07, low), (right + 0.07, TOP)])
                    words.append((right + 0.18, (low + TOP) / 2, str(size)))
        self.clash_lines.set_segments(lines)
        words = [*words, *[(0, 0, "")] * (len(self.clash_sizes) - len(words))]
        for text, (x, y, size) in zip(self.clash_sizes, words, strict=True):
            text.set_position((x, y))
            text.set_text(size)

    def summary(self, result: Broadcast) -> str:
        dims = "; ".join(dim.words for dim in reversed(result.dims)) or "nothing to align"
        text = f"{title(result)}. From the right: {dims}."
        if result.fits:
            text += f" Entry {entry_words(result)}."
            text += f" {mean_words(result)}." if mean_words(result) else ""
        return text
