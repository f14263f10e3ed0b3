"""Chapter 04: other right answers pass, and mistakes beyond the listed ones are named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils.checks import check
from course_utils.gradients import numerical_gradient
from course_utils.scalar_autograd import Scalar


class TorchReLU:
    def forward(self, x):
        self.passes = torch.as_tensor(x) > 0
        return torch.relu(torch.as_tensor(x))

    def backward(self, dout):
        return torch.as_tensor(dout) * self.passes


class Float32Multiply:
    def forward(self, x, y):
        self.x, self.y = np.float32(x), np.float32(y)
        return self.x * self.y

    def backward(self, dout):
        return [np.float32(dout) * self.y, np.float32(dout) * self.x]


def torch_affine(X, W, dout):
    X, W, dout = (torch.as_tensor(a) for a in (X, W, dout))
    return dout @ W.T, torch.einsum("nd,nm->dm", X, dout), dout.sum(0)


def logits_by_autograd(logits, labels):
    s = torch.tensor(np.asarray(logits), requires_grad=True)
    torch.nn.functional.cross_entropy(s, torch.as_tensor(labels)).backward()
    return s.grad


def nudged_and_put_back(f, X, grad, h=1e-4):
    worst, where = -1.0, None
    for index in np.ndindex(X.shape):
        X[index] += h
        above = f(X)
        X[index] -= 2 * h
        below = f(X)
        X[index] += h
        apart = abs((above - below) / (2 * h) - grad[index])
        if apart > worst:
            worst, where = apart, index
    return where


def with_the_package(f, X, grad):
    apart = np.abs(numerical_gradient(f, X) - grad)
    return tuple(np.argwhere(apart == apart.max())[0])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("04.relu", TorchReLU),
        ("04.multiply", Float32Multiply),
        ("04.affine_backward", torch_affine),
        ("04.logits_gradient", logits_by_autograd),
        ("04.worst_entry", nudged_and_put_back),
        ("04.worst_entry", with_the_package),
        ("04.divide", lambda a, b: a / b),
        ("04.divide", lambda a, b: b**-1 * a),
        ("04.divide", lambda a, b: a * Scalar(1 / b.value, ((b, -1 / b.value**2),), "1/")),
    ],
)
def test_other_right_answers_pass(name, answer):
    assert check(name, answer).correct, check(name, answer)


class OwnScalar:
    """A learner's own class, which knows nothing of the package's."""

    def __init__(self, value, inputs=(), op=""):
        self.value, self.inputs, self.op, self.grad = value, inputs, op, 0.0

    def __add__(self, other):
        return OwnScalar(self.value + other.value, ((self, 1), (other, 1)))

    def __mul__(self, other):
        return OwnScalar(self.value * other.value, ((self, other.value), (other, self.value)))

    def backward(self):
        def walk(node, gradient):
            node.grad += gradient
            for origin, slope in node.inputs:
                walk(origin, gradient * slope)

        walk(self, 1.0)


def test_the_learners_own_scalar_is_used():
    names = {"Scalar": OwnScalar}
    code = "def my_divide(a, b):\n    return a * Scalar(1 / b.value, ((b, -1 / b.value**2),))"
    exec(code, names)
    assert check("04.divide", names["my_divide"]).correct


def last_entry(f, X, grad):
    f(X), f(X + 1e-4)
    return tuple(n - 1 for n in X.shape)


@pytest.mark.parametrize(
    ("name", "answer", "part"),
    [
        ("04.affine_backward", lambda X, W, dout: dout @ W.T, "three arrays"),
        ("04.affine_backward", lambda X, W, dout: (dout @ W.T, X.T @ dout, dout), "db is dout"),
        ("04.logits_gradient", lambda s, labels: logits_by_autograd(s, labels) * -1, "sign"),
        ("04.worst_entry", last_entry, "largest difference"),
        ("04.worst_entry", lambda f, X, grad: int(np.argmax(grad)), "never calls f"),
        ("04.divide", lambda a, b: b / a, "other way round"),
        ("04.divide", lambda a, b: Scalar(a.value / b.value, ((a, 1 / b.value),)), "at b"),
    ],
)
def test_mistakes_are_named(name, answer, part):
    result = check(name, answer)
    assert result.state == "not yet" and part in result.message
