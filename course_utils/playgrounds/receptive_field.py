"""The receptive-field explorer: which pixels a unit of a deep layer sees; formula and gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional as F

from course_utils.convolution import Field, output_size
from course_utils.convolution import receptive_field as fields_of
from course_utils.live.controls import Control, Notches, Slider, Toggle, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.kernel_compute import SIDE, digit_image
from course_utils.playgrounds.moving_parts import MovingParts
from course_utils.playgrounds.seeded import one_thread
from course_utils.plotting import BLUE, GREY

DIGIT = 5
MOST_LAYERS = 6
KERNELS = (1, 3, 5, 7)
ORANGE_INK = "#b36b00"
RED_INK = "#a84900"  # darker than lines, to be read as text
# From white (no gradient) to dark orange (the largest); the palest orange is already a gradient.
HEAT = LinearSegmentedColormap.from_list("heat", ["#fdebcf", "#E69F00", "#8a3d00"])
HEAT = HEAT.with_extremes(bad=(1, 1, 1, 0))

MARGIN = 2.5  # pixels around the digit
PANELS, PANEL, PANEL_Y = (0.08, 2.76), 2.6, 0.5  # left edges, side, lower edge, inches
TABLE_TOP, LINE = 3.02, 0.198
TABS = (5.5, 6.1, 7.1, 7.66, 8.12)  # layer, map, jump, adds, sees
BAR, BAR_END, BAR_PIXELS = 8.22, 8.92, 36  # inches; and the pixels that have room


@dataclass(frozen=True)
class Layer:
    """One convolution or pooling of the stack."""

    name: str
    kernel_size: int
    stride: int
    dilation: int
    padding: int
    size: int
    """Rows and columns of its output."""
    field: Field
    adds: int
    """Pixels by which the field of the layer before has grown."""

    def unit_at(self, pixel: float) -> int:
        """The output, along one axis, that has its middle nearest to ``pixel``."""
        middle = self.field.start + (self.field.size - 1) / 2
        return min(max(math.floor((pixel - middle) / self.field.jump + 0.5), 0), self.size - 1)

    def seen_from(self, unit: int) -> tuple[int, int]:
        """First pixel that ``unit`` sees and the one after the last, uncut by the image's edge."""
        first = self.field.start + unit * self.field.jump
        return first, first + self.field.size


@dataclass(frozen=True, eq=False)
class View:
    """What one unit of the last layer sees."""

    layers: tuple[Layer, ...]
    unit: tuple[int, int]
    gradient: np.ndarray
    """Gradient of the unit with respect to the pixels, (28, 28), for equal weights."""
    squares: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    """For each block the rows and columns (first, end) of a unit above the same place."""
    problem: str

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    @property
    def reached(self) -> int:
        """Pixels with a gradient."""
        return int((self.gradient > 0).sum())

    @property
    def inside(self) -> tuple[int, int]:
        """Rows and columns of the field that lie within the image."""
        rows, columns = self.squares[-1]
        return _cut(*rows), _cut(*columns)

    @property
    def measured(self) -> tuple[int, int]:
        """Rows and columns from the first to the last pixel with a gradient."""
        found = [np.flatnonzero((self.gradient > 0).any(axis=axis)) for axis in (1, 0)]
        return tuple(int(places[-1] - places[0] + 1) for places in found)

    @property
    def half(self) -> int:
        """How many of the pixels, the strongest first, hold half of the gradient."""
        parts = np.cumsum(np.sort(self.gradient, axis=None)[::-1])
        return int(np.searchsorted(parts, (0.5 - 1e-9) * parts[-1])) + 1


def _cut(first: int, end: int) -> int:
    return min(end, SIDE) - max(first, 0)


def stack_of(
    num_layers: int, kernel: int, stride: int, dilation: int, pooling: bool
) -> tuple[tuple[Layer, ...], str]:
    """The layers as far as they fit, and in words what does not."""
    settings: list[tuple[int, int, int, int]] = []
    layers: list[Layer] = []
    for number in range(1, num_layers + 1):
        conv = (kernel, stride, dilation, dilation * (kernel - 1) // 2)
        block = [("conv", conv), ("pool", (2, 2, 1, 0))][: 1 + pooling]
        for kind, setting in block:
            before = layers[-1].size if layers else SIDE
            k, s, d, p = setting
            if d * (k - 1) >= before + 2 * p:
                return tuple(layers), f"{kind} {number} does not fit into {times(before)}"
            settings.append(setting)
            field = fields_of(settings)[-1]
            adds = field.size - (layers[-1].field.size if layers else 1)
            size = output_size(before, k, s, p, d)
            layers.append(Layer(f"{kind} {number}", *setting, size, field, adds))
    return tuple(layers), ""


def gradient_of(layers: Iterable[Layer], unit: tuple[int, int]) -> np.ndarray:
    """The gradient of one output with respect to the image (28, 28), by autograd.

    Every kernel has equal weights that add up to 1, and nothing is bent in between, so that no two
    paths cancel: the gradient is above 0 exactly where the unit sees.
    """
    image = torch.tensor(digit_image(DIGIT)[None, None], requires_grad=True)
    with torch.enable_grad(), one_thread():
        y: Tensor = image
        for layer in layers:
            if layer.name.startswith("pool"):
                y = F.avg_pool2d(y, layer.kernel_size)
                continue
            k = layer.kernel_size
            weight = torch.full((1, 1, k, k), 1 / k**2, dtype=torch.float64)
            y = F.conv2d(
                y, weight, stride=layer.stride, padding=layer.padding, dilation=layer.dilation
            )
        (gradient,) = torch.autograd.grad(y[0, 0, unit[0], unit[1]], image)
    return gradient[0, 0].numpy()


def look(
    *,
    layers: int,
    kernel: int,
    stride: int,
    dilation: int,
    pooling: bool,
    row: int,
    column: int,
) -> View:
    """What the unit of the last layer sees whose middle is nearest to (row, column)."""
    stack, problem = stack_of(layers, kernel, stride, dilation, pooling)
    last = stack[-1]
    unit = last.unit_at(row), last.unit_at(column)
    middle = [(first + end - 1) / 2 for first, end in map(last.seen_from, unit)]
    blocks = [x for i, x in enumerate(stack) if x is last or not pooling or i % 2]
    squares = tuple(
        tuple(layer.seen_from(layer.unit_at(place)) for place in middle) for layer in blocks
    )
    return View(stack, unit, gradient_of(stack, unit), squares, problem)


def times(*sides: int) -> str:
    """ "7 × 7"; of one number its square."""
    return f"{sides[0]} × {sides[-1]}"


class ReceptiveField(MovingParts, Playground):
    """Layers on a digit and what one unit on top of them sees; see `receptive_field`."""

    width, height = 9.0, 3.5
    pointer = True

    def controls(self) -> Iterable[Control]:
        wide = {"width": "214px"}
        place = {"low": 0, "high": SIDE - 1, "width": "250px"}
        return [
            Slider("layers", 3, low=1, high=MOST_LAYERS, tip="convolutions in the stack", **wide),
            Notches("kernel", 3, options=KERNELS, tip="rows and columns of every kernel", **wide),
            Slider("stride", 1, low=1, high=3, tip="of every convolution", **wide),
            Slider("dilation", 1, low=1, high=3, tip="of every convolution", **wide),
            Toggle("pooling", False, "2 × 2 pooling after each", width="200px"),
            Slider("row", 13, "unit near row", tip="or click on the digit", **place),
            Slider("column", 13, "column", tip="or click on the digit", **place),
        ]

    def compute(self, **values: Any) -> View:
        return look(**values)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        widgets = list(rows.values())
        return [row(*widgets[:4]), row(*widgets[4:], self.reset_button())]

    # -- pointer and keys: which unit --------------------------------------------------------------

    def on_pointer(self, events: list[tuple[str, float, float]]) -> None:
        span = SIDE + 2 * MARGIN
        for kind, x, y in events:
            for left in PANELS if kind != "up" else ():
                u, v = (x * self.width - left) / PANEL, (y * self.height - PANEL_Y) / PANEL
                if 0 <= u <= 1 and 0 <= v <= 1:
                    self._go(round((1 - v) * span - MARGIN - 0.5), round(u * span - MARGIN - 0.5))

    def on_key(self, key: str, shift: bool) -> None:
        down, right = {
            "ArrowUp": (-1, 0),
            "ArrowDown": (1, 0),
            "ArrowLeft": (0, -1),
            "ArrowRight": (0, 1),
        }.get(key, (0, 0))
        values, by = self.values, self.result.last.field.jump
        self._go(values["row"] + by * down, values["column"] + by * right)

    def _go(self, row: int, column: int) -> None:
        self.set(row=min(max(row, 0), SIDE - 1), column=min(max(column, 0), SIDE - 1))

    # -- drawing -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> Iterable[Any]:
        ax = self.ax = fig.add_axes((0, 0, 1, 1), xlim=(0, self.width), ylim=(0, self.height))
        ax.set_axis_off()
        self._moving: list[Any] = []
        self.left, self.right = (self._panel(fig, x) for x in PANELS)
        self._image(self.left, digit_image(DIGIT), cmap="gray_r", vmin=0, vmax=1.6)
        self.heat = self._image(self.right, np.zeros((SIDE, SIDE)), cmap=HEAT, vmin=0, vmax=1)
        self._moving.append(self.heat)
        none = dict(fc="none", zorder=4)
        self.squares = [
            self._patch(self.left, ec=BLUE, lw=1.3, **none) for _ in range(MOST_LAYERS - 1)
        ]
        self.frames = [
            self._patch(panel, ec=ORANGE_INK, lw=2.4, **none) for panel in (self.left, self.right)
        ]
        bold = dict(fontsize=12, fontweight="bold", va="center")
        self.titles = [self._text(x, 3.31, **bold) for x in (*PANELS, TABS[0])]
        self.problem = self._text(PANELS[0], 3.31, color=RED_INK, **bold | {"fontsize": 11})
        small = dict(fontsize=10, va="center")
        self.notes = [self._text(x, 0.25, **small) for x in PANELS]
        self.weights = self._text(TABS[0], 0.15, **small)
        adds = "adds: dilation·(kernel − 1)·jump of the layer before"
        ax.text(TABS[0], 0.36, adds, fontsize=9, color=GREY, va="center")
        heads = ("layer", "map", "jump", "adds", "sees")
        sides = ("left", "left", "right", "right", "right")
        for x, head, ha in zip(TABS, heads, sides, strict=True):
            ax.text(x, TABLE_TOP, head, fontsize=9.5, color=GREY, va="center", ha=ha)
        rows = [TABLE_TOP - (k + 1) * LINE for k in range(2 * MOST_LAYERS)]
        alike = {ha: self._text(0, 0, ha=ha, **small) for ha in set(sides)}  # style and wordings
        self.cells = [
            [self._text(x, y, like=alike[ha]) for x, ha in zip(TABS, sides, strict=True)]
            for y in rows
        ]
        self.bars = LineCollection([], colors=ORANGE_INK, linewidths=9, zorder=2)
        ax.add_collection(self.bars, autolim=False)
        self._moving.append(self.bars)
        x = BAR + SIDE / BAR_PIXELS * (BAR_END - BAR)
        ax.plot([x, x], [rows[-1] - 0.08, TABLE_TOP - 0.1], color=GREY, lw=1, ls=":", zorder=1)
        ax.text(x, TABLE_TOP, "image", fontsize=9.5, color=GREY, va="center", ha="center")
        return self._moving

    def _panel(self, fig: Any, left: float) -> Any:
        size = (left / self.width, PANEL_Y / self.height, PANEL / self.width, PANEL / self.height)
        panel = fig.add_axes(size)
        panel.set_axis_off()
        edge = Rectangle((-0.5, -0.5), SIDE, SIDE, fc="none", ec=GREY, lw=1, ls=(0, (4, 3)))
        panel.add_patch(edge)
        return panel

    def _image(self, panel: Any, pixels: np.ndarray, **style: Any) -> Any:
        image = panel.imshow(pixels, interpolation="nearest", zorder=0.5, **style)
        low, high = -0.5 - MARGIN, SIDE - 0.5 + MARGIN
        panel.set(xlim=(low, high), ylim=(high, low))
        return image

    def update(self, result: View) -> None:
        largest = result.gradient.max()
        self.heat.set_data(np.where(result.gradient > 0, result.gradient / largest, np.nan))
        for patch, square in zip_longest(self.squares, result.squares[:-1]):
            patch.set_visible(square is not None)
            if square is not None:
                place(patch, square)
        for patch in self.frames:
            place(patch, result.squares[-1])
        size = result.last.field.size
        title = f"{result.last.name} sees {times(size)}"
        self.titles[0].set_text("" if result.problem else upper(title))
        self.problem.set_text(upper(result.problem))
        self.titles[1].set_text(f"Gradient ≠ 0: {result.reached} of 784")
        self.titles[2].set_text(sum_words(result))
        self.notes[0].set_text(inside_words(result))
        self.notes[1].set_text(f"half of it in the {result.half} darkest")
        self.weights.set_text(weight_words(result))
        segments = []
        for k, cells in enumerate(self.cells):
            layer = result.layers[k] if k < len(result.layers) else None
            words = ("",) * 5
            if layer is not None:
                words = (
                    layer.name,
                    times(layer.size),
                    str(layer.field.jump),
                    f"+ {layer.adds}",
                    str(layer.field.size),
                )
                y = TABLE_TOP - (k + 1) * LINE
                share = min(layer.field.size, BAR_PIXELS) / BAR_PIXELS
                segments.append([(BAR, y), (BAR + share * (BAR_END - BAR), y)])
            for text, word in zip(cells, words, strict=True):
                text.set_text(word)
        self.bars.set_segments(segments)

    def summary(self, result: View) -> str:
        i, j = result.unit
        sizes = ", ".join(str(layer.field.size) for layer in result.layers)
        wide = times(result.last.field.size)
        found = f"in {result.reached} of 784 pixels, within {times(*result.measured)}"
        return (
            (f"{upper(result.problem)}. " if result.problem else "")
            + f"A unit of {result.last.name} sees {wide} pixels (layer by layer: {sizes}), and the "
            f"next unit sees {result.last.field.jump} further. By autograd the gradient of unit "
            f"[{i}, {j}] is not 0 {found}; half of it lies in the {result.half} strongest."
        )


def place(patch: Any, square: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Lay a rectangle round these rows and columns."""
    (top, bottom), (left, right) = square
    patch.set_bounds(left - 0.5, top - 0.5, right - left, bottom - top)


def upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def sum_words(result: View) -> str:
    """ "7 = 1 + 2 + 2 + 2", as long as there is room."""
    words = " + ".join([f"{result.last.field.size} = 1", *(str(x.adds) for x in result.layers)])
    return words if len(words) < 36 else f"{words[:28].rpartition(' + ')[0]} + …"


def inside_words(result: View) -> str:
    """How much of the field lies within the image."""
    rows, columns = result.inside
    if (rows, columns) == (SIDE, SIDE):
        return "its square covers the image"
    if min(rows, columns) < result.last.field.size:
        return f"within the image: {times(rows, columns)}"
    return "blue: what the layers before see" if len(result.squares) > 1 else ""


def weight_words(result: View) -> str:
    """How many weights the stack has, and where it is fair, the one kernel that sees as much."""
    convs = [layer for layer in result.layers if layer.name.startswith("conv")]
    k, wide = convs[0].kernel_size, result.last.field.size
    words = f"weights: {len(convs)}·{k}·{k} = {len(convs) * k * k}"
    plain = result.last.field.jump == 1 and convs[0].dilation == 1 and k > 1 and len(convs) > 1
    return f"{words}; one {times(wide)} kernel: {wide * wide:,}" if plain else words


def receptive_field(**values: Any) -> ReceptiveField:
    """Stack convolutions over a digit and see which pixels one unit on top of them depends on.

    Args:
        **values: where the controls start: layers (1 … 6), kernel (1, 3, 5 or 7), stride (1 … 3),
            dilation (1 … 3), pooling (True or False), row and column (0 … 27: the pixel over
            which the unit lies). Every convolution is padded by dilation·(kernel − 1)/2.

    Raises:
        ValueError: for an unknown control or a value out of range.
    """
    return ReceptiveField(**values)
