"""The graph explorer: an expression as a graph, its values forward and its gradients backward."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, FancyArrowPatch

from course_utils.live.controls import Choice, Slider, row
from course_utils.live.playground import Playground
from course_utils.names import look_up
from course_utils.playgrounds.parts import TITLE, Parts, Sheet
from course_utils.plotting import BLUE_INK, GREY, RED, RED_INK
from course_utils.printing import rounded
from course_utils.scalar_autograd import Scalar

WIDTH, HEIGHT = 9.0, 3.3  # inches; the axes have the same units
RADIUS = 0.21
THICKEST = 9.0  # points, of the largest gradient that flows along an edge

MOST_STEPS = 6

Place = tuple[float, float]


@dataclass(frozen=True)
class Input:
    """A number that has a slider of the same name."""

    name: str
    words: str
    place: Place
    numbers_above: bool = False
    """Whether its numbers stand above the node, as with operations, or to its left."""


@dataclass(frozen=True)
class Expression:
    """A formula: its inputs, how it is computed, and where its nodes stand."""

    name: str
    formula: str
    inputs: tuple[Input, ...]
    build: Callable[..., Scalar]
    places: tuple[Place, ...]
    """One for each operation, in the order in which they are computed."""
    result: str


def _bill(a: Scalar, n: Scalar, c: Scalar, m: Scalar, t: Scalar) -> Scalar:
    return (a * n + c * m) * t


def _neuron(w: Scalar, x: Scalar, b: Scalar, y: Scalar) -> Scalar:
    return ((w * x + b).sigmoid() - y) ** 2


def _fork(x: Scalar, y: Scalar) -> Scalar:
    return (x + y) * x


def _sigmoids(x: Scalar, w: Scalar) -> Scalar:
    for _ in range(3):
        x = (x * w).sigmoid()
    return x


EXPRESSIONS = {
    expression.name: expression
    for expression in (
        Expression(
            "café bill",
            "bill = (a·n + c·m)·t",
            (
                Input("a", "price of a coffee", (2.25, 2.5)),
                Input("n", "coffees", (2.25, 1.95)),
                Input("c", "price of a cake", (2.25, 1.1)),
                Input("m", "cakes", (2.25, 0.55)),
                Input("t", "factor for the tip", (5.9, 0.55)),
            ),
            _bill,
            ((3.9, 2.22), (3.9, 0.83), (5.6, 1.62), (7.5, 1.62)),
            "bill",
        ),
        Expression(
            "neuron",
            "loss = (σ(w·x + b) − y)²",
            (
                Input("w", "weight", (1.85, 2.4)),
                Input("x", "input", (1.85, 1.7)),
                Input("b", "bias", (3.15, 0.75)),
                Input("y", "target", (5.7, 0.75)),
            ),
            _neuron,
            ((3.15, 2.05), (4.4, 1.62), (5.65, 1.62), (6.95, 1.62), (8.25, 1.62)),
            "loss",
        ),
        Expression(
            "fork",
            "f = (x + y)·x",
            (Input("x", "used twice", (2.2, 2.25)), Input("y", "used once", (2.2, 0.85))),
            _fork,
            ((4.4, 1.05), (6.9, 1.75)),
            "f",
        ),
        Expression(
            "three sigmoids",
            "f = σ(w·σ(w·σ(w·x)))",
            (Input("x", "input", (0.85, 1.75), True), Input("w", "weight", (4.6, 0.6))),
            _sigmoids,
            ((2.1, 1.75), (3.35, 1.75), (4.6, 1.75), (5.85, 1.75), (7.1, 1.75), (8.35, 1.75)),
            "f",
        ),
    )
}


@dataclass(frozen=True, eq=False)
class Passes:
    """One forward pass and the first steps of its backward pass."""

    expression: Expression
    values: tuple[float, ...]
    """Of the inputs, then of the operations, in the order of the computation."""
    gradients: tuple[float, ...]
    """Of the same nodes, as far as the backward pass has come."""
    edges: tuple[tuple[int, int, float], ...]
    """(from, to, local derivative) for every edge, by position in ``values``."""
    steps: int
    """How many operations the backward pass has gone through."""

    @property
    def num_operations(self) -> int:
        return len(self.expression.places)

    @property
    def reached(self) -> tuple[bool, ...]:
        """Which nodes have received a gradient, perhaps not yet from all sides."""
        last = len(self.values) - 1
        fed = {origin for origin, node, _ in self.edges if self.done(node)} | {last}
        return tuple(i in fed for i in range(len(self.values)))

    @property
    def complete(self) -> tuple[bool, ...]:
        """Which nodes have their whole gradient."""
        waiting = {origin for origin, node, _ in self.edges if not self.done(node)}
        return tuple(i not in waiting for i in range(len(self.values)))

    def done(self, node: int) -> bool:
        """Whether the backward pass has gone through this operation."""
        return node >= len(self.values) - self.steps


def run_passes(expression: str, steps: int = MOST_STEPS, **values: float) -> Passes:
    """Forward through an ``expression`` of `EXPRESSIONS`, then ``steps`` operations backward.

    ``values`` may hold more than its inputs. ValueError for an unknown expression.
    """
    formula = look_up("expression", expression, EXPRESSIONS)
    leaves = [Scalar(values[given.name], name=given.name) for given in formula.inputs]
    result = formula.build(*leaves)
    operations = [node for node in result.graph() if node.op]
    nodes = [*leaves, *operations]
    place = {node: i for i, node in enumerate(nodes)}
    edges = [(place[a], place[node], slope) for node in operations for a, slope in node.inputs]
    steps = min(steps, len(operations))
    gradients = [0.0] * len(nodes)
    gradients[-1] = 1.0
    for step in range(steps):
        node = len(nodes) - 1 - step
        for origin, slope in operations[node - len(leaves)].inputs:
            gradients[place[origin]] += slope * gradients[node]
    shown = tuple(node.value for node in nodes)
    return Passes(formula, shown, tuple(gradients), tuple(edges), steps)


WIDE = {"low": -6.0, "high": 6.0, "step": 0.1, "width": "170px"}
MONEY = {"low": 0.0, "high": 10.0, "step": 0.1, "width": "170px"}
COUNT = {"low": 0, "high": 10, "width": "170px"}
SLIDERS = (
    Slider("a", 2.5, label="a", tip="price of a coffee, €", **MONEY),
    Slider("n", 3, label="n", tip="number of coffees", **COUNT),
    Slider("c", 4.0, label="c", tip="price of a cake, €", **MONEY),
    Slider("m", 2, label="m", tip="number of cakes", **COUNT),
    Slider("t", 1.1, label="t", low=1.0, high=1.5, step=0.01, width="170px",
           tip="1.10 means 10 % tip"),
    Slider("w", 1.5, label="w", tip="weight", **WIDE),
    Slider("x", 2.0, label="x", tip="input", **WIDE),
    Slider("b", -1.0, label="b", tip="bias", **WIDE),
    Slider("y", 0.5, label="y", tip="target, or second input", **WIDE),
)  # fmt: skip


class GraphPicture(Parts):
    """One expression drawn: nodes and arrows stay, numbers and the red flow move."""

    def __init__(self, axes: Any, expression: Expression) -> None:
        self.expression = expression
        self.still: list[Any] = []
        blank = run_passes(expression.name, **{s.name: s.default for s in SLIDERS})
        leaves = [Scalar(1.0) for _ in expression.inputs]
        signs = [node.op for node in expression.build(*leaves).graph() if node.op]
        self.places = [*(given.place for given in expression.inputs), *expression.places]
        for given in expression.inputs:
            self._node(axes, given.place, given.name, "#e8f1f8")
            x, y = given.place
            if given.numbers_above:
                self._label(axes, x, y - RADIUS - 0.17, given.words, ha="center", fontsize=10.5)
            else:
                x = x - RADIUS - 0.08
                self._label(axes, x, y + 0.11, given.words, ha="right", fontsize=10.5)
        for place, sign in zip(expression.places, signs, strict=True):
            self._node(axes, place, {"^2": "( )²"}.get(sign, sign), "white")
        x, y = expression.places[-1]
        self._label(axes, x, y - RADIUS - 0.17, expression.result, ha="center", fontweight="bold")

        flow = LineCollection([], colors=RED, alpha=0.55, zorder=1.5, capstyle="butt")
        self.flow = self.add(axes, flow)
        halo = dict(boxstyle="round,pad=0.12", fc="white", ec="none", alpha=0.9)
        small = dict(color=GREY, fontsize=9, ha="center", va="center", bbox=halo)
        self.slopes = []
        segments = []
        for origin, node, _ in blank.edges:
            start, end = self._ends(axes, origin, node)
            segments.append((start, end))
            share = 0.5 if abs(end[0] - start[0]) < 2 else 0.42
            place = start + share * (end - start)
            self.slopes.append(self.text(axes, *place, by="data", zorder=4, **small))
        self.flow.set_segments(segments)
        self.numbers, self.gradients = [], []
        style = dict(by="data", zorder=5, va="center", fontsize=10.5)
        above = [given.numbers_above for given in expression.inputs]
        above += [True] * len(expression.places)
        for (x, y), is_above in zip(self.places, above, strict=True):
            ha = "center" if is_above else "right"
            places = ((x - RADIUS - 1.08, y - 0.1), (x - RADIUS - 0.08, y - 0.1))
            if is_above:
                places = ((x, y + RADIUS + 0.32), (x, y + RADIUS + 0.12))
            look = dict(color=BLUE_INK, fontweight="bold", ha=ha)
            self.numbers.append(self.text(axes, *places[0], **look, **style))
            self.gradients.append(self.text(axes, *places[1], color=RED_INK, ha=ha, **style))

    def _node(self, axes: Any, place: Place, sign: str, face: str) -> None:
        circle = Circle(place, RADIUS, fc=face, ec="black", lw=1.2, zorder=3)
        self.still.append(axes.add_patch(circle))
        size = {1: 14, 2: 12}.get(len(sign), 10.5)
        self._label(axes, *place, sign, ha="center", fontsize=size, zorder=4)

    def _label(self, axes: Any, x: float, y: float, words: str, **style: Any) -> None:
        self.still.append(axes.text(x, y, words, va="center_baseline", **style))

    def _ends(self, axes: Any, origin: int, node: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the arrow from node to node; where it leaves the one and meets the other."""
        start, end = np.array(self.places[origin]), np.array(self.places[node])
        step = (end - start) / np.hypot(*(end - start))
        start, end = start + RADIUS * step, end - RADIUS * step
        arrow = FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=11, color="0.45", lw=1, zorder=2,
            shrinkA=0, shrinkB=0,
        )  # fmt: skip
        self.still.append(axes.add_patch(arrow))
        return start, end - 0.06 * step

    def show(self, result: Passes) -> None:
        """Put the numbers of ``result`` where they belong."""
        for label, value in zip(self.numbers, result.values, strict=True):
            label.set_text(number_text(value))
        rows = zip(self.gradients, result.gradients, result.reached, result.complete, strict=True)
        for label, gradient, reached, complete in rows:
            more = "" if complete else " + ?"
            label.set_text(f"∂ {number_text(gradient)}{more}" if reached else "∂ ?")
        flows = []
        for label, (_, node, slope) in zip(self.slopes, result.edges, strict=True):
            label.set_text(f"×{number_text(slope)}")
            flows.append(abs(slope * result.gradients[node]) if result.done(node) else 0.0)
        largest = max(flows)
        widths = [THICKEST * flow / largest if largest > 0 else 0.0 for flow in flows]
        self.flow.set_linewidths([max(w, 0.8) if f else 0.0 for w, f in zip(widths, flows)])  # noqa: B905

    def set_visible(self, visible: bool) -> None:
        for artist in (*self.still, *self.moving):
            artist.set_visible(visible)


class GraphExplorer(Sheet, Playground):
    """Explore an expression as a graph: values go forward, gradients come back."""

    width, height = WIDTH, HEIGHT
    controls = (
        Choice("expression", "café bill", label="Expression", options=tuple(EXPRESSIONS),
               width="250px"),
        Slider("steps", MOST_STEPS, label="Backward steps", low=0, high=MOST_STEPS, width="320px",
               tip="through how many operations the gradient has come, from the result back"),
        *SLIDERS,
    )  # fmt: skip
    compute = staticmethod(run_passes)

    def draw(self, fig: Any) -> list[Any]:
        axes = self.sheet(fig)
        self.title = self.word(0.15, HEIGHT - 0.2, **TITLE)
        style = dict(ha="right", va="center", fontsize=10)
        axes.text(8.9, HEIGHT - 0.17, "bold: value, forward →", color=BLUE_INK, **style)
        axes.text(8.9, HEIGHT - 0.4, "∂: slope of the result, backward ←", color=RED_INK, **style)
        axes.text(8.9, 0.12, "on the arrows: local derivative", color=GREY, **style)
        self.pictures = {name: GraphPicture(axes, e) for name, e in EXPRESSIONS.items()}
        return [*self.moving, *(a for picture in self.pictures.values() for a in picture.moving)]

    def update(self, result: Passes) -> None:
        name = result.expression.name
        if self.new_ground(name):
            for other, picture in self.pictures.items():
                picture.set_visible(other == name)
        self.pictures[name].show(result)
        self.title.set_text(title_text(result))

    def summary(self, result: Passes) -> str:
        expression = result.expression
        value = f"{expression.result} = {rounded(result.values[-1]):g}"
        given = ", ".join(
            f"{item.name} = {rounded(number):g}"
            for item, number in zip(expression.inputs, result.values, strict=False)
        )
        text = f"{expression.formula}: for {given} the result is {value}."
        rows = list(
            zip(expression.inputs, result.gradients, result.reached, result.complete, strict=False)
        )
        known = [f"{i.name}: {rounded(g):g}" for i, g, _, complete in rows if complete]
        partial = [f"{i.name}: {rounded(g):g}" for i, g, seen, done in rows if seen and not done]
        if not known and not partial:
            so_far = f"After {result.steps} of {result.num_operations} backward steps"
            return f"{text} {so_far} no input has its gradient yet."
        if known:
            text += f" Gradients: {', '.join(known)}."
        if partial:
            text += f" Not complete yet: {', '.join(partial)}."
        return text

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        sliders = {slider.name: rows[slider.name] for slider in SLIDERS}

        def only_what_counts(_: Any = None) -> None:
            names = [item.name for item in EXPRESSIONS[rows["expression"].value].inputs]
            for name, widget in sliders.items():
                widget.layout.display = None if name in names else "none"

        rows["expression"].observe(only_what_counts, names="value")
        only_what_counts()
        return [
            row(rows["expression"], rows["steps"], self.reset_button()),
            row(*sliders.values()),
        ]


def title_text(result: Passes) -> str:
    """The answer in a few words: the formula, and to which input the result is most sensitive."""
    formula = result.expression.formula
    if result.steps < result.num_operations:
        return f"{formula}     backward: step {result.steps} of {result.num_operations}"
    gradients = [abs(g) for g in result.gradients[: len(result.expression.inputs)]]
    largest = max(gradients)
    if largest == 0:
        return f"{formula}     no input moves it"
    names = [
        item.name
        for item, g in zip(result.expression.inputs, gradients, strict=True)
        if math.isclose(g, largest, rel_tol=1e-9)
    ]
    return f"{formula}     {' and '.join(names)} {'move' if names[1:] else 'moves'} it most"


def number_text(x: float) -> str:
    """At most six characters: 17.05, −0.25, 0.0042, and ≈0 below that."""
    if 0 < abs(x) < 5e-5:
        return "≈0"
    text = f"{round(x, 2):g}" if abs(x) >= 10 else f"{x:.3g}" if abs(x) >= 0.1 else f"{x:.4f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−") if x else "0"
