"""Measured slopes, the autograd for numbers and the surfaces: against PyTorch and mpmath."""

from __future__ import annotations

import math
import operator

import mpmath
import numpy as np
import pytest
import torch

from course_utils import gradients
from course_utils.scalar_autograd import Scalar
from course_utils.surfaces import SURFACES
from tests.unit.parity import DTYPES, EVERY_SIZE, leaf, same, strictly

SIZES = [*EVERY_SIZE.tolist(), 2.0, 0.25, 1e200]

# -- Scalar ----------------------------------------------------------------------------------------

UNARY = {
    "exp": lambda a: a.exp(),
    "log": lambda a: a.log(),
    "tanh": lambda a: a.tanh(),
    "sigmoid": lambda a: a.sigmoid(),
    "relu": lambda a: a.relu(),
    "minus": lambda a: -a,
    "with numbers": lambda a: 2 / a + 3 - a * 0.5 - (1 - a) + 1,
    "log of relu": lambda a: a.relu().log(),
    "log of a root": lambda a: (a**0.5 + 1).log(),
    "a power of nothing": lambda a: (a**0).log() * a.exp(),
} | {
    f"^{n:g}": lambda a, n=n: a**n
    for n in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 1 / 3, 1.5, 10, 400)
}  # fmt: skip
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("name", UNARY)
def test_scalar_of_one_number(name):
    for value in SIZES:
        ours, theirs = Scalar(value), leaf(value)
        result, wanted = strictly(UNARY[name], ours), UNARY[name](theirs)
        strictly(result.backward)
        wanted.backward()
        same(result.value, wanted, (name, value))
        same(ours.grad, theirs.grad, (name, value), rtol=1e-8)


@pytest.mark.parametrize("function", BINARY)
def test_scalar_of_two_numbers(function):
    for a in SIZES:
        for b in SIZES:
            ours, theirs = (Scalar(a), Scalar(b)), (leaf(a), leaf(b))
            result, wanted = strictly(function, *ours), function(*theirs)
            result.backward()
            wanted.backward()
            same(result.value, wanted, (a, b))
            for one, tensor in zip(ours, theirs, strict=True):
                same(one.grad, tensor.grad, (a, b))


# -- numerical gradients ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sin", "exp", "log", "tanh", "sqrt", "atan"])
def test_the_derivative_by_mpmath(name):
    ours = np.arctan if name == "atan" else getattr(np, name)
    for x, h in ((1e-3, 1e-7), (0.5, 1e-5), (1.7, 1e-5), (30.0, 1e-4), (250.0, 1e-4)):
        wanted = float(mpmath.diff(getattr(mpmath, name), x))
        assert gradients.numerical_derivative(ours, x, h) == pytest.approx(
            wanted, rel=1e-5, abs=1e-9
        )


def test_the_relative_error_by_mpmath():
    rng = np.random.default_rng(0)
    values = [0, 1, -1, 1e308, -1e308, 5e-324, 1e-310, 3.3, 3.3 * (1 + 4e-16), 1e-5]
    for _ in range(1000):
        a, b = rng.choice(values, (2, rng.integers(1, 4)))
        p, q = ([mpmath.mpf(float(x)) for x in row] for row in (a, b))
        scale = max(map(abs, p + q))
        wanted = float(max(abs(x - y) for x, y in zip(p, q, strict=True)) / scale) if scale else 0
        got = strictly(gradients.relative_error, a, b)
        assert got == pytest.approx(wanted, rel=1e-12, abs=0), (a, b)


@pytest.mark.parametrize("x", [1e16, -1e20, 1e300, -1e13])
def test_the_advised_step_works(x):
    for measure in (gradients.numerical_derivative, gradients.numerical_gradient):
        with pytest.raises(ValueError, match="is lost in rounding") as caught:
            measure(np.sin, x)
        h = float(str(caught.value).rpartition("for example ")[2].rstrip("."))
        assert measure(lambda z: 3 * z, x, h) == pytest.approx(3)
    with pytest.raises(ValueError, match=r"h=1e\+308 is too large: 1e\+308 ± h is infinite"):
        gradients.numerical_derivative(np.sin, 1e308, 1e308)


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda x: 1j * x, "complex"),
        (lambda x: None, "NoneType None"),
        (lambda x: "7", "str '7'"),
        (lambda x: [1, [2]], r"list \[1, \[2\]\]"),
    ],
)
def test_what_is_no_real_number_is_refused(f, what):
    for measure in (gradients.numerical_derivative, gradients.numerical_gradient):
        with pytest.raises(ValueError, match=f"f must return real numbers, but returned {what}"):
            measure(f, 3.0)


@pytest.mark.parametrize("dtype", [*DTYPES, torch.bfloat16])
def test_results_of_any_dtype_are_subtracted_as_floats(dtype):
    if dtype is bool:
        assert gradients.numerical_derivative(lambda x: np.bool_(x > 0), 0.0, 0.5) == 1
        return

    def fall(x):
        value = 10.0 - x
        return torch.tensor(value, dtype=dtype) if dtype is torch.bfloat16 else dtype(value)

    assert gradients.numerical_derivative(fall, 5.0, 1.0) == -1
    assert gradients.numerical_gradient(fall, 5.0, 1.0) == -1
    per_entry = gradients.numerical_derivative(
        lambda x: np.array(10 - x).astype(np.uint8), [5, 7], 1
    )
    assert per_entry.tolist() == [-1, -1]


# -- surfaces --------------------------------------------------------------------------------------


def of_expression(surface, x, y):
    """Value and slopes of the written formula by autograd, in the common shape."""
    x, y = (leaf(part) for part in np.broadcast_arrays(x.astype(float), y.astype(float)))
    value = eval(surface.expression, {"x": x, "y": y})
    value.sum().backward()
    return value, x.grad, y.grad


@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
@pytest.mark.parametrize("dtype", [t for t in DTYPES if t is not np.float16])
def test_surfaces_of_every_dtype(surface, dtype):
    rng = np.random.default_rng(1)
    low, high = (0, 2) if dtype is bool else (0 if np.dtype(dtype).kind == "u" else -100, 100)
    close = {"rtol": 1e-5, "atol": 1e3} if dtype is np.float32 else {"rtol": 1e-10, "atol": 1e-7}
    for _ in range(10):
        x, y = (rng.integers(low, high, shape).astype(dtype) for shape in ((4, 1), (3,)))
        value, *slopes = of_expression(surface, x, y)
        same(surface.value(x, y), value, (x, y), **close)
        for got, wanted in zip(surface.gradient(x, y), slopes, strict=True):
            same(got, wanted, (x, y), **close)
        one = surface.value(x[0, 0], y[0])  # NumPy's own numbers, and Python's
        assert one == pytest.approx(value[0, 0].item(), rel=1e-5, abs=1e-3)
        assert surface.value(x[0, 0].item(), y[0].item()) == pytest.approx(value[0, 0].item())
    if dtype in (np.int32, np.int64):
        far = np.array([100_000, -70_000], dtype)
        value, *slopes = of_expression(surface, far, far)
        same(surface.value(far, far), value, rtol=1e-9)
        for got, wanted in zip(surface.gradient(far, far), slopes, strict=True):
            same(got, wanted, rtol=1e-9)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
def test_surfaces_of_numbers_arrays_and_tensors_of_every_size(surface):
    for x in SIZES:
        for y in SIZES:
            one, slopes = surface.value(x, y), surface.gradient(x, y)
            assert type(one) is float and type(slopes[0]) is float
            X, Y = np.array([x]), np.array(y)
            with np.errstate(all="ignore"):
                same(surface.value(X, Y), [one], (x, y))
                same(np.ravel(surface.gradient(X, Y)), slopes, (x, y))
                same(np.ravel(surface.gradient(x, np.array([y]))), slopes, (x, y))
            tensors = torch.tensor([x], dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
            same(surface.value(*tensors), [one], (x, y))
            same(torch.cat(surface.gradient(*tensors)), slopes, (x, y))
            if max(abs(x), abs(y)) < 1e10:
                value, *autograd = of_expression(surface, X, Y)
                same([one], value, (x, y), rtol=1e-9)
                scale = max(1.0, *(abs(slope) for slope in slopes))
                same(slopes, torch.cat(autograd), (x, y), rtol=1e-9, atol=1e-9 * scale)
    assert math.isinf(SURFACES["Rosenbrock"].value(1e200, 0.0))
