"""Drawings of networks: every arrow meets its circles, no words lie over each other."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest
from matplotlib.patches import Circle, FancyArrowPatch

from course_utils.diagrams import Node, arrow, box, chain, circle, network, neuron, sheet, stack


def texts(ax):
    return [text for text in ax.texts if text.get_text()]


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def assert_readable(fig, ax):
    """All words lie inside the sheet, and none over another."""
    fig.canvas.draw()
    boxes = {text: text.get_window_extent().padded(-1) for text in texts(ax)}
    for text, extent in boxes.items():
        assert fig.bbox.containsx(extent.x0) and fig.bbox.containsx(extent.x1), text
        assert fig.bbox.containsy(extent.y0) and fig.bbox.containsy(extent.y1), text
    for (one, here), (other, there) in combinations(boxes.items(), 2):
        assert not here.overlaps(there), (one, other)


@pytest.mark.parametrize("sizes", [(2, 3, 1), (1, 1), (4, 5, 5, 2), (784, 100, 10)])
def test_every_circle_is_joined_to_all_of_the_next_layer(sizes):
    fig, ax = sheet(9, 3)
    layers = network(
        ax,
        sizes,
        arrays=[f"A{i}\n(N, {size})" for i, size in enumerate(sizes)],
        weights=[f"W{i} ({a}, {b})" for i, (a, b) in enumerate(pairwise(sizes))],
    )
    shown = [size if size <= 5 else 4 for size in sizes]
    assert [len(layer) for layer in layers] == shown
    assert sum(isinstance(patch, Circle) for patch in ax.patches) == sum(shown)
    assert len(arrows(ax)) == sum(a * b for a, b in pairwise(shown))
    assert [text.get_text() for text in texts(ax)].count("⋮") == sum(size > 5 for size in sizes)
    assert_readable(fig, ax)


def test_a_neuron_names_what_flows():
    fig, ax = sheet(4.5, 2.8)
    *given, total, act, end = neuron(ax, ("x₁", "x₂"), ("w₁", "w₂"), "b", "σ")
    said = {text.get_text() for text in texts(ax)}
    assert said == {"x₁", "x₂", "·w₁", "·w₂", "+ b", "Σ", "z", "σ", "a"}
    assert len(given) == 2 and given[0].x < total.x < act.x < end.x
    assert len(arrows(ax)) == 5
    assert_readable(fig, ax)


def test_a_neuron_may_have_many_inputs_and_half_a_sheet():
    fig, ax = sheet(9, 3)
    names = [f"x{i}" for i in range(5)]
    nodes = neuron(ax, names, [f"w{i}" for i in range(5)], between=(4.5, 9))
    assert all(4.5 <= node.x <= 9 and 0.2 < node.y < 2.8 for node in nodes)
    assert_readable(fig, ax)


def test_a_chain_carries_its_shapes_and_a_stack_its_sheets():
    fig, ax = sheet(9, 2)
    nodes = [
        stack(ax, 0.9, 1, 3, text="image", below="(3, 28, 28)"),
        box(ax, 3.5, 1, "conv", above="W (8, 3, 3, 3)"),
        stack(ax, 6.2, 1, 8, shift=0.05),
        circle(ax, 8.3, 1, "Σ"),
    ]
    before = len(arrows(ax))
    chain(ax, nodes, ("X", "Z", "A"))
    assert (before, len(arrows(ax))) == (0, 3)
    assert {"X", "Z", "A", "image", "(3, 28, 28)"} < {text.get_text() for text in texts(ax)}
    assert nodes[0].width == pytest.approx(0.8 + 2 * 0.09)
    assert_readable(fig, ax)


@pytest.mark.parametrize("toward", [(3, 0), (0, 3), (-3, 1), (2, -5)])
def test_an_edge_lies_on_the_way_and_on_the_outline(toward):
    for node in (Node(0, 0, 2, 2, True), Node(0, 0, 2, 1)):
        x, y = node.edge(*toward, gap=0)
        assert x * toward[1] == pytest.approx(y * toward[0])
        inside = math.hypot(x, y) if node.is_round else max(abs(x), 2 * abs(y))
        assert inside == pytest.approx(1)


@pytest.mark.parametrize("bend", [0.0, 0.3, -0.3])
def test_an_arrow_bends_to_the_left_and_its_words_lie_on_it(bend):
    fig, ax = sheet(4, 4)
    arrow(ax, (1, 2), (3, 2), "here", bend=bend)
    fig.canvas.draw()
    assert texts(ax)[0].get_position() == (2, pytest.approx(2 + 2 * bend))
    curve = arrows(ax)[0].get_path().vertices[:3]  # its two ends, and the point that pulls it
    assert curve[1] == pytest.approx((2, 2 + 4 * bend))


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda ax: network(ax, (3,)), "at least two layers"),
        (lambda ax: network(ax, (2, 0)), "sizes"),
        (lambda ax: network(ax, (2, 1), arrays=("X",)), "give 2 texts, one for each layer"),
        (lambda ax: network(ax, (2, 1), weights=("W", "V")), "give 1 texts, one for each gap"),
        (lambda ax: neuron(ax, ("x",), ()), "give 1 texts, one for each input"),
        (lambda ax: stack(ax, 1, 1, 0), "count"),
        (lambda ax: arrow(ax, Node(1, 1, 1, 1), (1, 1)), "no direction"),
    ],
)
def test_nonsense_is_refused(call, what):
    _, ax = sheet(4, 2)
    with pytest.raises(ValueError, match=what):
        call(ax)
