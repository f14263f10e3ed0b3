"""The shape calculator: how size, channels and parameters go through convolutions and poolings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from matplotlib.collections import LineCollection, PolyCollection

from course_utils.convolution import output_size
from course_utils.live.controls import Choice, Notches, Slider, folded, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import TITLE, Sheet, box, say
from course_utils.plotting import BLACK, GREY, ORANGE, ORANGE_INK, RED_INK

MOST_BLOCKS = 3
CHANNELS = (1, 2, 4, 8, 16, 32, 64, 128)
POOLINGS = {"none": 1, "2 × 2": 2, "3 × 3": 3}
QUARTER = "214px"  # width of four controls in a row
TINTS = {"input": "#e3e3e3", "conv": "#bfdcee", "pool": "#bfe5d8"}

# Everything lies on one axes whose unit is the inch.
LEFT, RIGHT = 0.16, 8.95  # of all boxes
WIDEST = 1.5  # from one box to the next
MIDDLE = 2.39  # height of the boxes' centres
TALLEST = 0.78  # of their fronts
DEPTH = 0.032  # from one sheet to the next
TABLE_TOP, LINE = 1.56, 0.2
TABS = (0.16, 0.95, 4.1, 6.2)  # left edges of name, size, parameters and note


@dataclass(frozen=True)
class Layer:
    """One stage of the chain: what comes out of it."""

    kind: str
    """ "input", "conv" or "pool"."""
    name: str
    channels: int
    size: int
    """Rows and columns; 0 where the window does not fit."""
    size_words: str = ""
    parameters: int = 0
    parameter_words: str = ""
    window: int = 1
    """Pixels from the window's first to its last, both counted."""
    stride: int = 1
    padding: int = 0
    unused: int = 0
    """Rows, and as many columns, at the end of its input that no window reaches."""
    problem: str = ""

    @property
    def shape(self) -> str:
        return f"{self.channels} × {self.size} × {self.size}"


@dataclass(frozen=True)
class Chain:
    """The input and all layers up to the end, or up to the one that does not fit."""

    layers: tuple[Layer, ...]
    blocks: int

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    @property
    def problem(self) -> str:
        """What does not fit, in words; empty where all fits."""
        return self.last.problem

    @property
    def features(self) -> int:
        """Numbers after flattening."""
        return self.last.channels * self.last.size**2

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def dense(self) -> int:
        """Parameters of a dense layer from the input to as many numbers as conv 1 gives."""
        first, second = self.layers[:2]
        return (first.channels * first.size**2 + 1) * second.channels * second.size**2


def convolved(
    before: Layer, name: str, channels: int, kernel: int, stride: int, padding: int, dilation: int
) -> Layer:
    """What a convolution makes of the stage ``before`` it."""
    reach, room = dilation * (kernel - 1) + 1, before.size + 2 * padding
    common = dict(window=reach, stride=stride, padding=padding)
    if reach > room:
        wide = f" with dilation {dilation} spans {reach} and" if dilation > 1 else ""
        place = f"{before.size} + 2·{padding} = {room}" if padding else f"{room}"
        problem = f"{name}: kernel {kernel}{wide} does not fit into {place} {pixels(room)}"
        return Layer("conv", name, channels, 0, problem=problem, **common)
    size = output_size(before.size, kernel, stride, padding, dilation)
    parameters = channels * (before.channels * kernel**2 + 1)
    return Layer(
        "conv",
        name,
        channels,
        size,
        f"⌊({before.size} + 2·{padding} − {dilation}·({kernel} − 1) − 1) / {stride}⌋ + 1 = {size}",
        parameters,
        f"{channels}·({before.channels}·{kernel}·{kernel} + 1) = {parameters:,}",
        unused=max((room - reach) % stride - padding, 0),
        **common,
    )


def pooled(before: Layer, name: str, window: int) -> Layer:
    """What a pooling with windows side by side makes of the stage ``before`` it."""
    common = dict(window=window, stride=window)
    if window > before.size:
        problem = f"{name}: window {window} does not fit into {before.size} {pixels(before.size)}"
        return Layer("pool", name, before.channels, 0, problem=problem, **common)
    size = output_size(before.size, window, window)
    words = f"⌊({before.size} − {window}) / {window}⌋ + 1 = {size}"
    unused = before.size % window
    return Layer("pool", name, before.channels, size, words, 0, "0", unused=unused, **common)


def chain_of(
    *,
    size: int,
    channels: int,
    blocks: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    pooling: str,
    filters: Iterable[int],
) -> Chain:
    """Input, then ``blocks`` times a convolution and a pooling, up to what does not fit."""
    layers = [Layer("input", "input", channels, size)]
    for number, count in zip(range(1, blocks + 1), filters, strict=False):
        conv = convolved(layers[-1], f"conv {number}", count, kernel, stride, padding, dilation)
        layers.append(conv)
        if conv.problem:
            break
        if POOLINGS[pooling] > 1:
            layers.append(pooled(conv, f"pool {number}", POOLINGS[pooling]))
            if layers[-1].problem:
                break
    return Chain(tuple(layers), blocks)


def pixels(count: int) -> str:
    return "pixel" if count == 1 else "pixels"


def unused_words(layer: Layer) -> str:
    """ "1 row and column unused"; empty where every row is used."""
    if not layer.unused:
        return ""
    return (
        "1 row and column unused" if layer.unused == 1 else f"{layer.unused} rows, columns unused"
    )


def sizes_words(chain: Chain) -> str:
    """ "28 → 26 → 13"; "✗" for what does not fit."""
    return " → ".join(str(layer.size or "✗") for layer in chain.layers)


class ShapeCalculator(Sheet, Playground):
    """Follow the shape of an image through blocks of convolution and pooling."""

    width, height = 9.0, 3.5
    controls = (
        Slider("size", 28, "input size", low=8, high=64, tip="rows and columns", width=QUARTER),
        Notches("channels", 1, "input channels", options=(1, 3), tip="1 grey, 3 colours",
                width=QUARTER),
        Slider("blocks", 2, low=1, high=MOST_BLOCKS, tip="each: convolution, pooling",
               width="190px"),
        Choice("pooling", "2 × 2", options=tuple(POOLINGS), width="160px"),
        Slider("kernel", 3, low=1, high=7, width=QUARTER),
        Slider("stride", 1, low=1, high=3, width=QUARTER),
        Slider("padding", 0, low=0, high=3, width=QUARTER),
        Slider("dilation", 1, low=1, high=3, width=QUARTER),
        *(
            Notches(f"filters{n}", 32, f"filters of conv {n}", tip="its output channels",
                    width="250px", options=CHANNELS, only=("blocks", range(n, 4)))
            for n in (1, 2, 3)
        ),
    )  # fmt: skip

    def compute(self, *, filters1: int, filters2: int, filters3: int, **values: Any) -> Chain:
        return chain_of(filters=(filters1, filters2, filters3), **values)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        widgets = list(rows.values())
        first = row(*widgets[:4], self.reset_button())
        return folded(first, row(*widgets[4:8]), row(*widgets[8:]))

    # -- drawing -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        ax = self.sheet(fig)
        self.title = self.word(0.15, 3.33, **TITLE)
        self.red_title = self.word(0.15, 3.33, color=RED_INK, **TITLE)
        sheets = PolyCollection([], edgecolors=GREY, linewidths=0.8, zorder=2)
        self.sheets = self.add(ax, sheets)
        strips = PolyCollection([], facecolors=ORANGE, linewidths=0, zorder=3)
        self.strips = self.add(ax, strips)
        windows = PolyCollection([], facecolors="none", edgecolors=BLACK, linewidths=1.4, zorder=4)
        self.windows = self.add(ax, windows)
        targets = PolyCollection([], facecolors=BLACK, linewidths=0, zorder=4)
        self.targets = self.add(ax, targets)
        self.rays = self.add(ax, LineCollection([], colors=GREY, linewidths=0.8, zorder=3.5))
        most = 2 + 2 * MOST_BLOCKS
        self.names = [self.word(fontsize=9.5, color=GREY) for _ in range(most)]
        first = self.word(fontsize=10)
        self.shapes = [first, *(self.word(like=first) for _ in range(most - 1))]
        self.cross = self.word(fontsize=26, color=RED_INK)
        heads = ("layer", "output size", "parameters", "squares: a window and its output")
        for x, head in zip(TABS, heads, strict=True):
            ax.text(x, TABLE_TOP, head, fontsize=9.5, color=GREY, va="center")
        rows = [TABLE_TOP - (k + 1) * LINE for k in range(most - 1)]
        self.cells = [[self.word(x, y, like=first) for x in TABS] for y in rows]
        self.problems = [self.word(TABS[1], y, color=RED_INK, fontsize=10) for y in rows]
        self.notes = [self.word(TABS[3], y, color=ORANGE_INK, fontsize=10) for y in rows]
        return self.moving

    def update(self, result: Chain) -> None:
        last = result.last
        flat = (
            f", flattened: {last.channels}·{last.size}·{last.size} = {result.features:,} features"
        )
        self.title.set_text("" if result.problem else sizes_words(result) + flat)
        self.red_title.set_text(result.problem)
        self._show_boxes(result)
        self._show_table(result)

    def _show_boxes(self, result: Chain) -> None:
        """Every stage as a pile of sheets, to scale, and one window that makes one output."""
        unit = TALLEST / max(layer.size for layer in result.layers)
        places = columns(result)
        sheets, colours, strips, windows, targets, rays = [], [], [], [], [], []
        for k, layer in enumerate(result.layers):
            x, side = places[k], layer.size * unit
            y = MIDDLE - side / 2
            pile = layer.channels.bit_length() if layer.size else 0
            for sheet in reversed(range(pile)):
                sheets.append(box(x + sheet * DEPTH, y + sheet * DEPTH, side, side))
                colours.append(TINTS[layer.kind])
            if not k or not layer.size:
                continue
            # In the box before: what no window reaches, and the window of the middle output.
            length = result.layers[k - 1].size * unit
            x0, y0 = places[k - 1], MIDDLE - length / 2
            strip = layer.unused * unit
            if strip:
                strips += [box(x0, y0, length, strip), box(x0 + length - strip, y0, strip, length)]
            middle = layer.size // 2
            begin, wide = middle * layer.stride - layer.padding, layer.window * unit
            window = box(x0 + begin * unit, y0 + length - begin * unit - wide, wide, wide)
            target = box(x + middle * unit, y + side - (middle + 1) * unit, unit, unit)
            windows.append(window)
            targets.append(target)
            rays += [[window[corner], target[corner]] for corner in (1, 2)]
        if not result.problem:
            sheets.append(box(places[-1], MIDDLE - TALLEST / 2, 0.07, TALLEST))
            colours.append(TINTS["input"])
        self.sheets.set(verts=sheets, facecolors=colours)
        self.strips.set_verts(strips)
        self.windows.set_verts(windows)
        self.targets.set_verts(targets)
        self.rays.set_segments(rays)

    def _show_table(self, result: Chain) -> None:
        """The words at the boxes, and a line for each layer."""
        layers, last = result.layers, result.last
        names = [layer.name for layer in layers]
        shapes = [layer.shape if layer.size else "" for layer in layers]
        rows = [(x.name, x.size_words, x.parameter_words, "") for x in layers[1:]]
        problems = [layer.problem.partition(": ")[2] for layer in layers[1:]]
        notes = [unused_words(layer) for layer in layers[1:]]
        if not result.problem:
            names.append("flattened")
            shapes.append(f"{result.features:,}")
            flat = f"{last.channels}·{last.size}·{last.size} = {result.features:,} features"
            dense = f"conv 1 as a dense layer: {short(result.dense)}"
            rows.append(("flatten", flat, f"in all {result.parameters:,}", dense))
        for texts, y, words in ((self.names, 1.82, names), (self.shapes, 3.11, shapes)):
            for text, x, word in zip_longest(texts, columns(result), words):
                text.set_text(word)
                text.set_position((x or 0, y))
        self.cross.set_text("✗" if result.problem else "")
        self.cross.set_position((columns(result)[-1], MIDDLE))
        for texts, words in zip_longest(self.cells, rows):
            say(texts, words or ())
        say(self.problems, problems)
        say(self.notes, notes)

    def summary(self, result: Chain) -> str:
        first, last = result.layers[0], result.last
        if result.problem:
            return f"Input {first.shape}, sizes {sizes_words(result)}: {result.problem}."
        names = [layer.name for layer in result.layers if layer.unused]
        does = "leave the ends of their inputs" if names[1:] else "leaves the end of its input"
        return (
            f"Input {first.shape}, sizes {sizes_words(result)}: the last shape {last.shape} has "
            f"{result.features:,} features. The convolutions have {result.parameters:,} parameters "
            f"in all; a dense layer in place of conv 1 would have {result.dense:,}."
            + (f" {', '.join(names).capitalize()} {does} unused." if names else "")
        )


def columns(result: Chain) -> list[float]:
    """The left edges of all boxes, and of the flattened numbers where it comes to that."""
    count = len(result.layers) + (not result.problem)
    step = min((RIGHT - LEFT) / max(count, 6), WIDEST)
    return [LEFT + k * step for k in range(count)]


def short(count: int) -> str:
    """ "17.0 million" for 16,981,120; numbers below a million in full."""
    for name, unit in (("billion", 10**9), ("million", 10**6)):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:,}"
