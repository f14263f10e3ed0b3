"""What the graph explorer computes: expressions, one forward pass, and steps of a backward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from course_utils.names import look_up
from course_utils.scalar_autograd import Scalar

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


def run_passes(name: str, steps: int = MOST_STEPS, **values: float) -> Passes:
    """Forward through the expression called ``name``, then ``steps`` operations backward.

    ``values`` may hold more than its inputs. ValueError for an unknown expression.
    """
    expression = look_up("expression", name, EXPRESSIONS)
    leaves = [Scalar(values[given.name], name=given.name) for given in expression.inputs]
    result = expression.build(*leaves)
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
    return Passes(expression, shown, tuple(gradients), tuple(edges), steps)
