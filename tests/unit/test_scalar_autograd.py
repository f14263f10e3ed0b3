"""The autograd for single numbers: it agrees with PyTorch on whatever one may write down."""

from __future__ import annotations

import inspect
import math
import operator

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from course_utils import scalar_autograd
from course_utils.scalar_autograd import Scalar

BINARY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
UNARY = ["exp", "log", "tanh", "sigmoid", "relu"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*BINARY, *UNARY, "neg", "square", "cube root of square"]),
        st.integers(0, 20),
        st.integers(0, 20),
        st.sampled_from([None, None, None, 2, 0.5, -3]),  # a plain number on one side
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def build(steps, leaves):
    """An expression over the leaves: each step uses any earlier results, also several times."""
    values = list(leaves)
    for op, i, j, number, on_the_left in steps:
        a, b = values[i % len(values)], values[j % len(values)]
        if op in BINARY:
            if number is not None:
                a, b = (number, a) if on_the_left else (a, number)
            values.append(BINARY[op](a, b))
        elif op == "neg":
            values.append(-a)
        elif op == "square":
            values.append(a**2)
        elif op == "cube root of square":
            values.append((a**2 + 1) ** (1 / 3))
        else:
            values.append(getattr(a, op)())
    return values[-1]


@settings(max_examples=200, deadline=None)
@given(STEPS, st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_random_expressions_agree_with_torch(steps, numbers):
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
    wanted = build(steps, tensors)
    leaves = [Scalar(x) for x in numbers]
    got = build(steps, leaves)
    assume(math.isfinite(wanted.item()) and abs(wanted.item()) < 1e100)
    assert got.value == pytest.approx(wanted.item(), rel=1e-9, abs=1e-12)
    if wanted.requires_grad:
        wanted.backward()
    got.backward()
    for leaf, tensor in zip(leaves, tensors, strict=True):
        slope = 0.0 if tensor.grad is None else tensor.grad.item()
        assume(math.isfinite(slope) and abs(slope) < 1e100)
        scale = max(abs(node.grad) for node in got.graph())
        assert leaf.grad == pytest.approx(slope, rel=1e-9, abs=1e-12 * max(scale, 1))


def test_example_of_the_docstring():
    w, x = Scalar(3.0), Scalar(2.0)
    loss = (w * x - 5) ** 2
    loss.backward()
    assert (loss.value, w.grad, x.grad) == (1.0, 4.0, 6.0)
    assert repr(w) == "Scalar(3, grad=4)"


def test_a_number_used_twice_gets_the_sum_and_calls_add_up_as_in_torch():
    x, tensor = Scalar(3.0), torch.tensor(3.0, requires_grad=True)
    for leaf in (x, tensor):
        for _ in range(2):
            (leaf * leaf + leaf).backward()
        (2 * leaf).backward()
    assert x.grad == tensor.grad.item() == 16
    y = x * x + x
    y.zero_grad()
    y.backward()
    assert x.grad == 7


def test_each_node_stands_once_and_after_its_inputs():
    x = Scalar(2.0)
    y = x
    for _ in range(50):
        y = y + y  # 2**50 paths, 51 nodes
    nodes = y.graph()
    assert len(nodes) == 51 and nodes[0] is x and nodes[-1] is y
    place = {node: i for i, node in enumerate(nodes)}
    assert all(place[a] < place[node] for node in nodes for a, _ in node.inputs)
    y.backward()
    assert x.grad == 2.0**50


def test_a_deep_graph_is_no_problem():
    x = Scalar(1.0)
    total = sum(x for _ in range(5000))
    total.backward()
    assert x.grad == 5000


def test_slopes_at_the_edges():
    for value, slope in ((0.0, 0), (-0.0, 0), (1e-300, 1)):
        x = Scalar(value)
        x.relu().backward()
        assert x.grad == slope
    x = Scalar(0.0)
    (x**0).backward()
    assert x.grad == 0
    x = Scalar(-800.0)
    x.sigmoid().backward()
    assert x.grad == 0


def test_it_is_tiny():
    assert len(inspect.getsource(scalar_autograd).splitlines()) <= 100
