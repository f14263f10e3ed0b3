"""The judges of chapter 03: right answers of every style pass, and messages name the mistake."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils.checks import check
from course_utils.exercises import judges03 as judges


def rng_values(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


# -------------------------------------------------------------------- other right answers


def softmax_with_torch(z):
    return torch.softmax(torch.as_tensor(z, dtype=torch.float32), dim=-1)


def softmax_of_rows(z):
    if z.ndim == 1:
        e = np.exp(z - max(z))
        return [value / sum(e) for value in e]
    return [softmax_of_rows(row) for row in z]


def forward_with_torch(X, layers):
    A = torch.as_tensor(X)
    for i, (W, b) in enumerate(layers):
        A = A @ torch.as_tensor(W) + torch.as_tensor(b)
        A = torch.sigmoid(A) if i < len(layers) - 1 else A
    return A


def forward_on_tensors_only(X, layers):
    for W, b in layers[:-1]:
        X = (X @ W + b).sigmoid()
    W, b = layers[-1]
    return X @ W + b


def gradients_with_autograd(X, T, *params):
    params = [torch.tensor(p, requires_grad=True) for p in params]
    W1, b1, W2, b2 = params
    Y = torch.tanh(torch.tensor(X) @ W1 + b1) @ W2 + b2
    torch.nn.functional.mse_loss(Y, torch.tensor(T)).backward()
    return [p.grad for p in params]


def gradients_by_loops(X, T, W1, b1, W2, b2):
    dW1, db1, dW2, db2 = (np.zeros_like(p) for p in (W1, b1, W2, b2))
    for x, t in zip(X, T, strict=True):
        a = np.tanh(x @ W1 + b1)
        d2 = 2 * (a @ W2 + b2 - t) / len(X)
        d1 = (W2 @ d2) * (1 - a * a)
        dW2 += np.outer(a, d2)
        db2 += d2
        dW1 += np.outer(x, d1)
        db1 += d1
    return dW1, db1, dW2, db2


def polyline_by_pieces(x, knots, heights):
    piece = np.clip(np.searchsorted(knots, x) - 1, 0, len(knots) - 2)
    slope = (heights[piece + 1] - heights[piece]) / (knots[piece + 1] - knots[piece])
    return heights[piece] + slope * (x - knots[piece])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("03.nor", lambda: (-3, -2, 1)),
        ("03.nor", lambda: np.array([-0.1, -0.3, 0.1])),
        ("03.nor", lambda: torch.tensor([-1.0, -1.0, 0.5])),
        ("03.softmax", softmax_with_torch),
        ("03.softmax", softmax_of_rows),
        ("03.tanh_slope", lambda y: (1 - y) * (1 + y)),
        (
            "03.tanh_slope",
            lambda y: 1 / np.cosh(np.arctanh(np.clip(y, -1 + 1e-12, 1 - 1e-12))) ** 2,
        ),
        ("03.tanh_slope", lambda y: 1 - torch.as_tensor(y).float().square()),
        ("03.forward", forward_with_torch),
        ("03.forward", forward_on_tensors_only),
        ("03.gradients", gradients_with_autograd),
        ("03.gradients", gradients_by_loops),
        ("03.polyline", polyline_by_pieces),
    ],
)
def test_other_right_answers_pass(name, answer):
    result = check(name, answer)
    assert result.correct, result


# -------------------------------------------------------------------------- wrong answers


def softmax_in_place(z):
    z -= z.max(axis=-1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


def slope_in_place(y):
    y *= y
    return 1 - y


@pytest.mark.parametrize(
    ("name", "answer", "part"),
    [
        ("03.nor", lambda: (1.0, 2.0), "three numbers"),
        ("03.nor", lambda: (0.5, 0.5, -0.7), "That is AND"),
        ("03.nor", lambda: (-1.0, -1.0, -0.5), "does not fire for (0, 0)"),
        ("03.softmax", softmax_in_place, "changes its argument"),
        ("03.softmax", lambda z: np.exp(z - z.max()), "Divide by the sum"),
        ("03.softmax", lambda z: z.argmax(-1), "shape"),
        ("03.tanh_slope", slope_in_place, "changes its argument"),
        ("03.tanh_slope", lambda y: 1 + y**2, "The sign"),
        ("03.forward", lambda X, layers: np.tanh(X @ layers[0][0]), "shape"),
        ("03.gradients", lambda X, *rest: X, "four arrays"),
        ("03.gradients", lambda X, T, W1, b1, W2, b2: (W1, b1, W2), "four arrays"),
        ("03.polyline", lambda x, knots, heights: np.maximum(0, x), "first difference"),
    ],
)
def test_other_wrong_answers_get_a_message(name, answer, part):
    result = check(name, answer)
    assert result.state == "not yet" and part in result.message
    assert "could not be checked" not in result.message


# ------------------------------------------------------------------- what is judged against


def test_the_right_results_are_those_of_torch():
    X, T, W1, b1, W2, b2 = values = rng_values((6, 2), (6, 1), (2, 3), 3, (3, 1), 1)
    for ours, theirs in zip(
        judges.gradients(*values), gradients_with_autograd(*values), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    layers = [[W1, b1], [W2, b2]]
    np.testing.assert_allclose(judges.forward(X, layers), forward_with_torch(X, layers), rtol=1e-12)
    np.testing.assert_allclose(
        judges.softmax(X), torch.softmax(torch.tensor(X), dim=-1), rtol=1e-12
    )
    assert T.shape == (6, 1)


def test_every_mistake_differs_from_the_right_result_and_from_the_others():
    """Otherwise a message could name the wrong mistake."""
    values = rng_values((5, 2), (5, 1), (2, 3), 3, (3, 1), 1)
    layers = [[values[2], values[3]], [values[4], values[5]]]
    x, knots = np.linspace(-4, 5, 19), np.array([0.5, 1.0, 3.0, 3.5])
    heights = np.array([2.0, -1.0, 4.0, 4.5])
    tables = (
        [judges.forward(values[0], layers, kind) for kind in ("", *judges.FORWARD_MISTAKES)],
        [
            np.concatenate([np.ravel(part) for part in judges.gradients(*values, kind)])
            for kind in ("", *judges.GRADIENT_MISTAKES)
        ],
        [judges.polyline(x, knots, heights, kind) for kind in ("", *judges.POLYLINE_MISTAKES)],
    )
    for table in tables:
        for i, first in enumerate(table):
            for second in table[i + 1 :]:
                assert not np.allclose(first, second)


def test_arguments_stay_as_they_are_and_random_numbers_too():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    check("03.gradients", gradients_by_loops)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
