"""Drawings of networks and of how data flow: circles, boxes, stacks, and arrows between them.

>>> fig, ax = sheet(9, 3)
>>> network(ax, (2, 3, 1), arrays=("X (N, 2)", "A (N, 3)", "Z (N, 1)"), weights=("W₁", "W₂"))
>>> show(fig, "A network with two inputs, three hidden units and one output.")

The unit of the axes is the inch, (0, 0) the lower left corner, so a place means the same in every
drawing. What is drawn is a `Node`, at which arrows begin and end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from course_utils.plotting import BLUE_INK, GREY, RED_INK, figure, inch_axes
from course_utils.reals import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RADIUS = 0.21
INPUT, UNIT, STEP = "#e8f1f8", "white", "#f4ecd8"  # faces: given, a neuron, an operation
ROW = 0.24  # the height of a line of words


@dataclass(frozen=True)
class Node:
    """Something drawn around (x, y), `width` × `height` inches; an arrow stops at its edge."""

    x: float
    y: float
    width: float
    height: float
    is_round: bool = False

    def edge(self, x: float, y: float, gap: float = 0.03) -> tuple[float, float]:
        """Where the line from the middle to (x, y) leaves the node, and ``gap`` farther."""
        dx, dy = x - self.x, y - self.y
        length = math.hypot(dx, dy)
        if length == 0:
            raise ValueError(f"there is no direction from {(self.x, self.y)} to itself")
        dx, dy = dx / length, dy / length
        if self.is_round:
            reach = self.width / 2
        else:
            sides = ((self.width, dx), (self.height, dy))
            reach = min(size / 2 / abs(step) for size, step in sides if step)
        return self.x + (reach + gap) * dx, self.y + (reach + gap) * dy


def sheet(width: float = 9.0, height: float = 3.0) -> tuple[Figure, Axes]:
    """A figure of ``width`` × ``height`` inches, empty, and its axes in inches."""
    fig = figure(width, height)
    return fig, inch_axes(fig)


def words(ax: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """``text`` around (x, y); ``look`` is matplotlib's."""
    style = {"ha": "center", "va": "center", "fontsize": 11, "linespacing": 1.3, "zorder": 5}
    ax.text(x, y, text, **style | look)


def circle(
    ax: Axes,
    x: float,
    y: float,
    text: str = "",
    *,
    radius: float = RADIUS,
    face: str = UNIT,
    above: str = "",
    below: str = "",
) -> Node:
    """A circle with ``text`` in it; ``above`` is written in blue, ``below`` in red."""
    from matplotlib.patches import Circle

    ax.add_patch(Circle((x, y), radius, fc=face, ec="black", lw=1.2, zorder=3))
    return _named(ax, Node(x, y, 2 * radius, 2 * radius, True), text, above, below)


def box(
    ax: Axes,
    x: float,
    y: float,
    text: str = "",
    *,
    width: float = 1.2,
    height: float = 0.55,
    face: str = STEP,
    above: str = "",
    below: str = "",
) -> Node:
    """A box around (x, y) with ``text`` in it; ``above`` and ``below`` as for `circle`."""
    _rectangle(ax, x, y, width, height, face)
    return _named(ax, Node(x, y, width, height), text, above, below)


def stack(
    ax: Axes,
    x: float,
    y: float,
    count: int,
    *,
    width: float = 0.8,
    height: float = 0.8,
    shift: float = 0.09,
    face: str = INPUT,
    text: str = "",
    above: str = "",
    below: str = "",
) -> Node:
    """``count`` sheets behind each other, as the channels of an image; together around (x, y).

    Each is ``shift`` inches to the right of and above the one before it; ``text`` stands on the
    front one.
    """
    count = whole("count", count, 1)
    spread = (count - 1) * shift
    for i in reversed(range(count)):
        place = (offset - spread / 2 + i * shift for offset in (x, y))
        _rectangle(ax, *place, width, height, face)
    words(ax, x - spread / 2, y - spread / 2, text)
    return _named(ax, Node(x, y, width + spread, height + spread), "", above, below)


def arrow(
    ax: Axes,
    begin: Node | tuple[float, float],
    end: Node | tuple[float, float],
    text: str = "",
    *,
    bend: float = 0.0,
    at: float = 0.5,
    color: str = "0.45",
    ink: str = GREY,
    width: float = 1.0,
) -> None:
    """An arrow between two nodes or places, with ``text`` on it.

    ``bend`` is the height of its arc as a share of its length, to the left of the way if it is
    positive; ``at`` where on the way the text stands, from 0 to 1.
    """
    from matplotlib.patches import FancyArrowPatch

    places = [(n.x, n.y) if isinstance(n, Node) else n for n in (begin, end)]
    middle = _on_arc(*places, bend, 0.5)
    ends = []
    for node, place in zip((begin, end), places, strict=True):
        ends.append(node.edge(*middle) if isinstance(node, Node) else place)
    arc = FancyArrowPatch(
        *ends, arrowstyle="-|>", mutation_scale=11, color=color, lw=width, zorder=2,
        shrinkA=0, shrinkB=0, connectionstyle=f"arc3,rad={-2 * bend}",
    )  # fmt: skip
    ax.add_patch(arc)
    if text:
        halo = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.92}
        words(ax, *_on_arc(*ends, bend, at), text, fontsize=10, color=ink, bbox=halo, zorder=4)


def chain(ax: Axes, nodes: Sequence[Node], shapes: Sequence[str] = (), *, ink: str = GREY) -> None:
    """An arrow from each node to the next, with one of ``shapes`` above each arrow."""
    _one_each("shapes", shapes, len(nodes) - 1, "arrow")
    for i, (left, right) in enumerate(pairwise(nodes)):
        arrow(ax, left, right)
        if shapes:
            a, b = left.edge(right.x, right.y), right.edge(left.x, left.y)
            words(
                ax, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2 + 0.16, shapes[i], fontsize=10, color=ink
            )


def neuron(
    ax: Axes,
    inputs: Sequence[str],
    weights: Sequence[str],
    bias: str = "b",
    function: str = "f",
    *,
    total: str = "z",
    output: str = "a",
    between: tuple[float, float] | None = None,
) -> list[Node]:
    """One neuron: inputs times weights on the arrows, their sum with the bias, then a function.

    ``total`` is the name of the sum, ``output`` what leaves the function. The drawing lies
    ``between`` two places from left to right, or fills the axes. Returns the inputs, the sum, the
    function and the output.
    """
    _one_each("weights", weights, len(inputs), "input", needed=True)
    left, right, height = *(between or ax.get_xlim()), ax.get_ylim()[1]
    spread = min(0.75, (height - 0.9) / max(len(inputs) - 1, 1))
    middle = height / 2 + 0.16
    total_at = left + 0.5 * (right - left)
    heights = [middle + spread * (i - (len(inputs) - 1) / 2) for i in range(len(inputs))][::-1]
    given = [circle(ax, left + 0.4, y, name, face=INPUT)
             for y, name in zip(heights, inputs, strict=True)]  # fmt: skip
    sigma = circle(ax, total_at, middle, "Σ", radius=0.26)
    act = box(ax, total_at + 0.27 * (right - left), middle, function, width=0.62, height=0.5)
    for node, weight in zip(given, weights, strict=True):
        arrow(ax, node, sigma, f"·{weight}", ink=BLUE_INK)
    arrow(ax, (total_at, max(middle - 0.95, 0.32)), sigma)
    words(ax, total_at, max(middle - 1.07, 0.2), f"+ {bias}", color=BLUE_INK)
    arrow(ax, sigma, act)
    words(ax, (sigma.x + act.x) / 2 - 0.02, middle + 0.17, total)
    end = Node(right - 0.2, middle, 0.3, 0.3)
    arrow(ax, act, end)
    words(ax, end.x, end.y, output)
    return [*given, sigma, act, end]


def network(
    ax: Axes,
    sizes: Sequence[int],
    *,
    arrays: Sequence[str] = (),
    weights: Sequence[str] = (),
    names: Sequence[Sequence[str]] = (),
    most: int = 5,
    between: tuple[float, float] | None = None,
) -> list[list[Node]]:
    """Layers as columns of circles, each joined to all circles of the next.

    Args:
        sizes: how many circles there are in each layer, inputs first: (2, 3, 1).
        arrays: a text below each layer: what it holds, with its shape.
        weights: a text above each gap between two layers.
        names: the texts in the circles, a sequence for each layer.
        most: of a longer layer only so many places are drawn, one of them three dots.
        between: from where to where, left to right; the whole axes if left out.

    Returns the circles, layer by layer.

    Raises:
        ValueError: fewer than two layers, a size below 1, or not one text for each place.
    """
    sizes = [whole("sizes", size, 1) for size in sizes]
    if len(sizes) < 2:
        raise ValueError(f"sizes={sizes}: a network has at least two layers, inputs and outputs")
    most = whole("most", most, 3)
    _one_each("arrays", arrays, len(sizes), "layer")
    _one_each("weights", weights, len(sizes) - 1, "gap")
    _one_each("names", names, len(sizes), "layer")
    left, right, height = *(between or ax.get_xlim()), ax.get_ylim()[1]
    lines = max((text.count("\n") + 1 for text in arrays), default=0)
    low, high = ROW * lines + 0.1, height - (0.3 if weights else 0.05)
    margin = 0.55 if arrays else 0.3
    gap = (right - left - 2 * margin) / (len(sizes) - 1)
    layers = []
    for i, size in enumerate(sizes):
        shown = min(size, most)
        pitch = min(0.75, (high - low) / shown)
        x, top = left + margin + i * gap, (low + high) / 2 + pitch * (shown - 1) / 2
        layer = []
        for j in range(shown):
            if size > most and j == most - 2:
                words(ax, x, top - j * pitch, "⋮", fontsize=15)
                continue
            name = names[i][j] if names and j < len(names[i]) else ""
            face = INPUT if i == 0 else UNIT
            radius = min(RADIUS, 0.42 * pitch)
            layer.append(circle(ax, x, top - j * pitch, name, face=face, radius=radius))
        layers.append(layer)
        if arrays:
            words(ax, x, low / 2, arrays[i], fontsize=10.5)
        if weights and i:
            words(ax, x - gap / 2, height - 0.15, weights[i - 1], fontsize=10.5, color=BLUE_INK)
    for before, after in pairwise(layers):
        for a in before:
            for b in after:
                arrow(ax, a, b, color="0.55")
    return layers


def _rectangle(ax: Axes, x: float, y: float, width: float, height: float, face: str) -> None:
    from matplotlib.patches import Rectangle

    corner = (x - width / 2, y - height / 2)
    ax.add_patch(Rectangle(corner, width, height, fc=face, ec="black", lw=1.2, zorder=3))


def _named(ax: Axes, node: Node, text: str, above: str, below: str) -> Node:
    size = {0: 11, 1: 13, 2: 12}.get(len(text), 10.5)
    words(ax, node.x, node.y, text, fontsize=size)
    away = node.height / 2 + 0.14
    words(ax, node.x, node.y + away, above, color=BLUE_INK, fontweight="bold", fontsize=10.5)
    words(ax, node.x, node.y - away, below, color=RED_INK, fontweight="bold", fontsize=10.5)
    return node


def _on_arc(
    a: tuple[float, float], b: tuple[float, float], bend: float, share: float
) -> tuple[float, float]:
    """The place at ``share`` of the way from a to b along the arc that `arrow` draws."""
    height = 4 * bend * share * (1 - share)  # a parabola, as the curve of "arc3"
    dx, dy = b[0] - a[0], b[1] - a[1]
    return a[0] + share * dx - height * dy, a[1] + share * dy + height * dx


def _one_each(name: str, texts: Sequence, count: int, what: str, *, needed: bool = False) -> None:
    if (texts or needed) and len(texts) != count:
        raise ValueError(f"{name}={texts!r}: give {count} texts, one for each {what}")
