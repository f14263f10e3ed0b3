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
from course_utils.live.controls import Notches, Slider, Toggle, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.digit_panels import EDGE, FRAME, WHOLE, DigitPanels, place_sliders
from course_utils.playgrounds.kernel_compute import SIDE, digit_image
from course_utils.playgrounds.one_thread import one_thread
from course_utils.playgrounds.parts import TITLE, say
from course_utils.playgrounds.words import capital
from course_utils.plotting import BLUE, GREY, RED_INK

DIGIT = 5
MOST_LAYERS = 6
KERNELS = (1, 3, 5, 7)
# From white (no gradient) to dark orange (the largest); the palest orange is already a gradient.
HEAT = LinearSegmentedColormap.from_list("heat", ["#fdebcf", "#E69F00", "#8a3d00"])
HEAT = HEAT.with_extremes(bad=(1, 1, 1, 0))

PANELS, PANEL, PANEL_Y = (0.08, 2.76), 2.6, 0.5  # left edges, side, lower edge, inches
QUARTER = "214px"  # width of four controls in a row
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


class ReceptiveField(DigitPanels, Playground):
    """Stack convolutions over a digit and see which pixels one unit on top of them depends on.

    Every convolution is padded by dilation·(kernel − 1)/2.
    """

    width, height = 9.0, 3.5
    panels = (PANELS, PANEL, PANEL_Y)
    controls = (
        Slider("layers", 3, low=1, high=MOST_LAYERS, width=QUARTER,
               tip="convolutions in the stack"),
        Notches("kernel", 3, options=KERNELS, width=QUARTER,
                tip="rows and columns of every kernel"),
        Slider("stride", 1, low=1, high=3, width=QUARTER, tip="of every convolution"),
        Slider("dilation", 1, low=1, high=3, width=QUARTER, tip="of every convolution"),
        Toggle("pooling", False, "2 × 2 pooling after each", width="200px"),
        *place_sliders(13, 13, 0, SIDE - 1, label="unit near row", width="250px",
                       tip="or click on the digit"),
    )  # fmt: skip
    compute = staticmethod(look)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        widgets = list(rows.values())
        return [row(*widgets[:4]), row(*widgets[4:], self.reset_button())]

    def jump(self, shift: bool) -> int:
        return self.result.last.field.jump

    # -- drawing -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        ax = self.sheet(fig)
        self.left, self.right = (self.panel(fig, x) for x in PANELS)
        for panel in (self.left, self.right):
            panel.add_patch(Rectangle((-0.5, -0.5), SIDE, SIDE, **EDGE))
        grey = dict(cmap="gray_r", vmin=0, vmax=1.6, zorder=0.5)
        self.left.imshow(digit_image(DIGIT), extent=WHOLE, interpolation="nearest", **grey)
        heat = dict(cmap=HEAT, vmin=0, vmax=1, zorder=0.5)
        self.heat = self.image(self.right, WHOLE, **heat)
        none = dict(fc="none", zorder=4)
        self.squares = [
            self.patch(self.left, ec=BLUE, lw=1.3, **none) for _ in range(MOST_LAYERS - 1)
        ]
        self.frames = [
            self.patch(panel, ec=FRAME, lw=2.4, **none) for panel in (self.left, self.right)
        ]
        self.titles = [self.word(x, 3.31, **TITLE) for x in (*PANELS, TABS[0])]
        self.problem = self.word(PANELS[0], 3.31, color=RED_INK, **TITLE | {"fontsize": 11})
        self.notes = [self.word(x, 0.25, fontsize=10) for x in PANELS]
        self.weights = self.word(TABS[0], 0.15, fontsize=10)
        adds = "adds: dilation·(kernel − 1)·jump of the layer before"
        ax.text(TABS[0], 0.36, adds, fontsize=9, color=GREY, va="center")
        heads = ("layer", "map", "jump", "adds", "sees")
        sides = ("left", "left", "right", "right", "right")
        small = dict(fontsize=9.5, color=GREY, va="center")
        for x, head, ha in zip(TABS, heads, sides, strict=True):
            ax.text(x, TABLE_TOP, head, ha=ha, **small)
        rows = [TABLE_TOP - (k + 1) * LINE for k in range(2 * MOST_LAYERS)]
        alike = {ha: self.word(ha=ha, fontsize=10) for ha in set(sides)}  # style and wordings
        self.cells = [
            [self.word(x, y, like=alike[ha]) for x, ha in zip(TABS, sides, strict=True)]
            for y in rows
        ]
        self.bars = self.add(ax, LineCollection([], colors=FRAME, linewidths=9, zorder=2))
        x = BAR + SIDE / BAR_PIXELS * (BAR_END - BAR)
        ax.plot([x, x], [rows[-1] - 0.08, TABLE_TOP - 0.1], color=GREY, lw=1, ls=":", zorder=1)
        ax.text(x, TABLE_TOP, "image", ha="center", **small)
        return self.moving

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
        self.titles[0].set_text("" if result.problem else capital(title))
        self.problem.set_text(capital(result.problem))
        self.titles[1].set_text(f"Gradient ≠ 0: {result.reached} of 784")
        self.titles[2].set_text(sum_words(result))
        self.notes[0].set_text(inside_words(result))
        self.notes[1].set_text(f"half of it in the {result.half} darkest")
        self.weights.set_text(weight_words(result))
        segments = []
        for k, (cells, layer) in enumerate(zip_longest(self.cells, result.layers)):
            words = ()
            if layer is not None:
                jump, size = layer.field.jump, layer.field.size
                words = (layer.name, times(layer.size), str(jump), f"+ {layer.adds}", str(size))
                y, share = TABLE_TOP - (k + 1) * LINE, min(size, BAR_PIXELS) / BAR_PIXELS
                segments.append([(BAR, y), (BAR + share * (BAR_END - BAR), y)])
            say(cells, words)
        self.bars.set_segments(segments)

    def summary(self, result: View) -> str:
        i, j = result.unit
        sizes = ", ".join(str(layer.field.size) for layer in result.layers)
        wide = times(result.last.field.size)
        found = f"in {result.reached} of 784 pixels, within {times(*result.measured)}"
        return (
            (f"{capital(result.problem)}. " if result.problem else "")
            + f"A unit of {result.last.name} sees {wide} pixels (layer by layer: {sizes}), and the "
            f"next unit sees {result.last.field.jump} further. By autograd the gradient of unit "
            f"[{i}, {j}] is not 0 {found}; half of it lies in the {result.half} strongest."
        )


def place(patch: Any, square: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Lay a rectangle round these rows and columns."""
    (top, bottom), (left, right) = square
    patch.set_bounds(left - 0.5, top - 0.5, right - left, bottom - top)


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
