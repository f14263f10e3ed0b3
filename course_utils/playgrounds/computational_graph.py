"""The graph explorer: an expression as a graph, its values forward and its gradients backward."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, FancyArrowPatch

from course_utils.live.controls import Choice, Control, Slider, row
from course_utils.live.playground import Playground
from course_utils.live.quick_text import QuickText
from course_utils.playgrounds.graph_compute import (
    EXPRESSIONS,
    MOST_STEPS,
    Expression,
    Passes,
    Place,
    run_passes,
)
from course_utils.plotting import GREY, RED
from course_utils.printing import rounded
from course_utils.scalar_autograd import Scalar

WIDTH, HEIGHT = 9.0, 3.3  # inches; the axes have the same units
RADIUS = 0.21
RED_INK = "#a84900"  # darker than the lines, to be read as text
BLUE_INK = "#005a8e"
THICKEST = 9.0  # points, of the largest gradient that flows along an edge

SLIDERS = (
    Slider("a", 2.5, label="a", low=0.0, high=10.0, step=0.1, tip="price of a coffee, €"),
    Slider("n", 3, label="n", low=0, high=10, tip="number of coffees"),
    Slider("c", 4.0, label="c", low=0.0, high=10.0, step=0.1, tip="price of a cake, €"),
    Slider("m", 2, label="m", low=0, high=10, tip="number of cakes"),
    Slider("t", 1.1, label="t", low=1.0, high=1.5, step=0.01, tip="1.10 means 10 % tip"),
    Slider("w", 1.5, label="w", low=-6.0, high=6.0, step=0.1, tip="weight"),
    Slider("x", 2.0, label="x", low=-6.0, high=6.0, step=0.1, tip="input"),
    Slider("b", -1.0, label="b", low=-6.0, high=6.0, step=0.1, tip="bias"),
    Slider("y", 0.5, label="y", low=-6.0, high=6.0, step=0.1, tip="target, or second input"),
)


class GraphPicture:
    """One expression drawn: nodes and arrows stay, numbers and the red flow move."""

    def __init__(self, axes: Any, expression: Expression) -> None:
        self.expression = expression
        self.still: list[Any] = []
        self.moving: list[Any] = []
        blank = run_passes(expression.name, **{s.name: s.default for s in SLIDERS})
        leaves = [Scalar(1.0) for _ in expression.inputs]
        signs = [node.op for node in expression.build(*leaves).graph() if node.op]
        self.places = [*(given.place for given in expression.inputs), *expression.places]
        for given in expression.inputs:
            self._node(axes, given.place, given.name, "#e8f1f8")
            x, y = given.place
            if given.numbers_above:
                self._text(axes, x, y - RADIUS - 0.17, given.words, ha="center", fontsize=10.5)
            else:
                x = x - RADIUS - 0.08
                self._text(axes, x, y + 0.11, given.words, ha="right", fontsize=10.5)
        for place, sign in zip(expression.places, signs, strict=True):
            self._node(axes, place, {"^2": "( )²"}.get(sign, sign), "white")
        x, y = expression.places[-1]
        self._text(axes, x, y - RADIUS - 0.17, expression.result, ha="center", fontweight="bold")

        self.flow = LineCollection([], colors=RED, alpha=0.55, zorder=1.5, capstyle="butt")
        axes.add_collection(self.flow, autolim=False)
        self.slopes = []
        segments = []
        for origin, node, _ in blank.edges:
            start, end = self._ends(axes, origin, node)
            segments.append((start, end))
            box = dict(boxstyle="round,pad=0.12", fc="white", ec="none", alpha=0.9)
            label = QuickText(
                axes, axes.transData, zorder=4, color=GREY, fontsize=9, ha="center",
                va="center", bbox=box,
            )  # fmt: skip
            share = 0.5 if abs(end[0] - start[0]) < 2 else 0.42
            label.set_position(tuple(start + share * (end - start)))
            self.slopes.append(label)
        self.flow.set_segments(segments)
        self.numbers, self.gradients = [], []
        style = dict(transform=axes.transData, zorder=5, va="center", fontsize=10.5)
        above = [given.numbers_above for given in expression.inputs]
        above += [True] * len(expression.places)
        for (x, y), is_above in zip(self.places, above, strict=True):
            ha = "center" if is_above else "right"
            value = QuickText(axes, color=BLUE_INK, fontweight="bold", ha=ha, **style)
            gradient = QuickText(axes, color=RED_INK, ha=ha, **style)
            if is_above:
                value.set_position((x, y + RADIUS + 0.32))
                gradient.set_position((x, y + RADIUS + 0.12))
            else:
                value.set_position((x - RADIUS - 1.08, y - 0.1))
                gradient.set_position((x - RADIUS - 0.08, y - 0.1))
            self.numbers.append(value)
            self.gradients.append(gradient)
        self.moving += [self.flow, *self.slopes, *self.numbers, *self.gradients]

    def _node(self, axes: Any, place: Place, sign: str, face: str) -> None:
        circle = Circle(place, RADIUS, fc=face, ec="black", lw=1.2, zorder=3)
        self.still.append(axes.add_patch(circle))
        size = {1: 14, 2: 12}.get(len(sign), 10.5)
        self._text(axes, *place, sign, ha="center", fontsize=size, zorder=4)

    def _text(self, axes: Any, x: float, y: float, words: str, **style: Any) -> None:
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


class GraphExplorer(Playground):
    """An expression as a computational graph; make one with `graph_explorer`."""

    width, height = WIDTH, HEIGHT

    def controls(self) -> Iterable[Control]:
        return [
            Choice(
                "expression",
                "café bill",
                label="Expression",
                options=tuple(EXPRESSIONS),
                width="250px",
            ),
            Slider(
                "steps",
                MOST_STEPS,
                label="Backward steps",
                low=0,
                high=MOST_STEPS,
                width="320px",
                tip="through how many operations the gradient has come, from the result back",
            ),
            *SLIDERS,
        ]

    def compute(self, *, expression: str, steps: int, **values: float) -> Passes:
        return run_passes(expression, steps, **values)

    def draw(self, fig: Any) -> Iterable[Any]:
        axes = self.axes = fig.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
        axes.set_axis_off()
        self.title = QuickText(axes, axes.transData, fontsize=12, fontweight="bold", va="center")
        self.title.set_position((0.15, HEIGHT - 0.2))
        style = dict(ha="right", va="center", fontsize=10)
        axes.text(8.9, HEIGHT - 0.17, "bold: value, forward →", color=BLUE_INK, **style)
        axes.text(8.9, HEIGHT - 0.4, "∂: slope of the result, backward ←", color=RED_INK, **style)
        axes.text(8.9, 0.12, "on the arrows: local derivative", color=GREY, **style)
        self.pictures = {name: GraphPicture(axes, e) for name, e in EXPRESSIONS.items()}
        self.shown = ""
        return [self.title, *(a for picture in self.pictures.values() for a in picture.moving)]

    def update(self, result: Passes) -> None:
        name = result.expression.name
        if name != self.shown:
            self.shown = name
            for other, picture in self.pictures.items():
                picture.set_visible(other == name)
            self.invalidate(name)
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
        for widget in sliders.values():
            widget.layout.width = "170px"

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


def graph_explorer(**values: Any) -> GraphExplorer:
    """Explore an expression as a graph: values go forward, gradients come back.

    Args:
        **values: where the controls start: expression ("café bill", "neuron", "fork" or "three
            sigmoids"), steps (0 … 6, operations gone through backward), and the inputs: a, n, c,
            m, t of the bill; w, x, b, y of the others.

    Raises:
        ValueError: for an unknown control or a value out of range.
    """
    return GraphExplorer(**values)
