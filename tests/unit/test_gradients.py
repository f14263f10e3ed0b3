"""Numerical gradients: against autograd in float64, for any shape; what they refuse, and how."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_utils.gradients import (
    check_gradients,
    numerical_derivative,
    numerical_gradient,
    relative_error,
)

# The same function for NumPy and for torch. Each gradient has entries of moderate size, as those
# of a network have.
SCALARS = {
    "sum of squares": (lambda X: (X**2).sum(), lambda X: (X**2).sum()),
    "cubic": (lambda X: (X**3 - 2 * X).sum(), lambda X: (X**3 - 2 * X).sum()),
    "exp of the mean": (lambda X: np.exp(X.mean()), lambda X: torch.exp(X.mean())),
    "sine, mixed": (
        lambda X: np.sin(X).sum() * np.cos(X.mean()) + X.sum(),
        lambda X: torch.sin(X).sum() * torch.cos(X.mean()) + X.sum(),
    ),
    "log of a sum of exp": (
        lambda X: np.log(np.exp(X).sum()),
        lambda X: torch.log(torch.exp(X).sum()),
    ),
    "tanh times weights": (
        lambda X: (np.tanh(X) * _ramp(X.shape)).sum(),
        lambda X: (torch.tanh(X) * torch.tensor(_ramp(X.shape))).sum(),
    ),
}

arrays = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3),
    elements=st.floats(-2, 2),
)


def _ramp(shape):
    return np.arange(1.0, 1 + math.prod(shape)).reshape(shape)


def autograd(f, X):
    X = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    f(X).backward()
    return X.grad.numpy()


@settings(max_examples=150, deadline=None)
@given(arrays, st.sampled_from(sorted(SCALARS)))
def test_gradient_is_that_of_autograd(X, name):
    ours, theirs = SCALARS[name]
    before = X.copy()
    gradient = numerical_gradient(ours, X)
    assert gradient.shape == X.shape and gradient.dtype == np.float64
    np.testing.assert_array_equal(X, before)
    expected = autograd(theirs, X)
    # What rounding leaves does not shrink with the gradient: near 0 there are no digits to agree.
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 10**6))
def test_gradients_of_a_small_network_are_those_of_autograd(n, d, m, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal((n, m))
    params = {"W": rng.standard_normal((d, m)), "b": rng.standard_normal(m)}

    def loss(W, b, library=np, X=X, y=y):
        return ((library.tanh(X @ W + b) - y) ** 2).mean()

    W, b = (torch.tensor(value, requires_grad=True) for value in params.values())
    loss(W, b, torch, torch.tensor(X), torch.tensor(y)).backward()
    report = check_gradients(loss, params, {"W": W.grad, "b": b.grad})
    assert report.ok, str(report)
    wrong = check_gradients(loss, params, {"W": W.grad, "b": b.grad * n + 1.0})
    assert not wrong.ok and wrong.checks[0].ok and not wrong.checks[1].ok


@pytest.mark.parametrize("f", ["sin", "cos", "exp", "tanh", "square"])
@pytest.mark.parametrize("x", [-1.3, 0.4, 2.0])
def test_derivative_is_that_of_autograd(f, x):
    t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    getattr(torch, f)(t).backward()
    got = numerical_derivative(getattr(np, f), x)
    assert isinstance(got, float)
    assert relative_error(got, t.grad) <= 1e-7


def test_derivative_takes_functions_of_math_and_arrays_entry_by_entry():
    assert numerical_derivative(math.sin, 1) == pytest.approx(math.cos(1), rel=1e-8)
    X = np.linspace(-1, 1, 6).reshape(2, 3)
    np.testing.assert_allclose(numerical_derivative(np.sin, X), np.cos(X), rtol=1e-8)


def test_derivative_of_the_chapters_example():
    assert numerical_derivative(lambda x: x**2 + 3 * x + 1, 2.0) == pytest.approx(7, rel=1e-10)


def test_two_points_count_as_they_are_rounded():
    """Far from 0 the points are not quite h away: 4·x is exact, but for the distance."""
    assert (4 * (1e7 + 1e-4) - 4 * (1e7 - 1e-4)) / 2e-4 != pytest.approx(4, rel=1e-6)
    assert numerical_derivative(lambda x: 4 * x, 1e7) == 4.0
    assert numerical_gradient(lambda x: 4 * x, 1e7) == 4.0


def test_error_of_the_central_difference_falls_with_the_square_of_h():
    error = [abs(numerical_derivative(np.exp, 1.0, h) - math.e) for h in (1e-1, 1e-2, 1e-3)]
    assert error[0] / error[1] == pytest.approx(100, rel=0.01)
    assert error[1] / error[2] == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int8, np.float32, np.float16])
def test_other_numbers_become_float64(dtype):
    X = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    seen = set()

    def f(Z):
        seen.add(Z.dtype)
        return (Z**2).sum()

    gradient = numerical_gradient(f, X)
    np.testing.assert_allclose(gradient, 2.0 * X.astype(float), rtol=1e-9)
    assert seen == {np.dtype(np.float64)} and X.dtype == dtype and X[1, 2] == 6


@pytest.mark.parametrize("X", [3, 3.0, [1, 2], [[1.5], [2.5]], torch.arange(3)])
def test_numbers_lists_and_tensors_are_taken(X):
    expected = np.asarray(X, dtype=float)
    gradient = numerical_gradient(lambda Z: (Z**2).sum(), X)
    assert gradient.shape == expected.shape
    np.testing.assert_allclose(gradient, 2 * expected, rtol=1e-9)


def test_f_may_return_a_tensor_and_may_spoil_its_argument():
    def spoil(Z):
        value = torch.tensor(Z, requires_grad=True).pow(3).sum()
        Z[:] = 99.0
        return value

    X = np.array([1.0, 2.0])
    np.testing.assert_allclose(numerical_gradient(spoil, X), [3, 12], rtol=1e-8)
    assert X.tolist() == [1.0, 2.0]


def test_f_may_return_its_argument():
    assert numerical_gradient(lambda z: z, 4.0) == pytest.approx(1.0)
    assert numerical_derivative(lambda z: z, 4.0) == pytest.approx(1.0)
    np.testing.assert_allclose(numerical_derivative(lambda z: z, np.ones(3)), 1.0)


def test_nan_is_handed_on():
    gradient = numerical_gradient(lambda X: np.sum(X) * math.nan, [1.0, 2.0])
    assert np.isnan(gradient).all()
    assert math.isnan(relative_error(gradient, gradient))
    report = check_gradients(lambda x: x.sum(), {"x": [1.0, 2.0]}, {"x": [1.0, math.nan]})
    assert not report.ok and report.checks[0].worst == (1,)


@pytest.mark.parametrize("measure", [numerical_gradient, numerical_derivative])
@pytest.mark.parametrize(
    ("X", "what"),
    [
        ([], r"empty \(shape \(0,\)\)"),
        (np.zeros((3, 0)), r"empty \(shape \(3, 0\)\)"),
        ([True, False], "dtype bool"),
        ([1j], "dtype complex128"),
        ("text", "dtype <U4"),
        (None, "dtype object"),
        ([[1, 2], [3]], "rows differ in length"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(measure, X, what):
    with pytest.raises(ValueError, match=what):
        measure(np.sum, X)


@pytest.mark.parametrize("measure", [numerical_gradient, numerical_derivative])
@pytest.mark.parametrize("h", [0, 0.0, -1e-4, math.nan, math.inf, "1", None, True])
def test_bad_steps_are_refused(measure, h):
    with pytest.raises(ValueError, match=r"h=.*finite number above 0"):
        measure(np.sin, 1.0, h)


@pytest.mark.parametrize("measure", [numerical_gradient, numerical_derivative])
def test_a_step_that_is_lost_in_rounding_is_refused(measure):
    with pytest.raises(ValueError, match=r"h=1e-50 is lost in rounding: 3.0 \+ h"):
        measure(np.sin, 3.0, 1e-50)


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda X: X, r"returned shape \(2, 3\)"),
        (lambda X: X.sum(0), r"returned shape \(3,\)"),
        (lambda X: X.sum().reshape(1), r"returned shape \(1,\)"),
        (lambda X: [1.0], r"returned shape \(1,\)"),
        (lambda X: None, "NoneType None"),
        (lambda X: 1j, "complex"),
        (lambda X: "7", "str '7'"),
    ],
)
def test_what_is_no_number_is_refused(f, what):
    with pytest.raises(ValueError, match=what):
        numerical_gradient(f, np.ones((2, 3)))


def test_a_derivative_must_keep_the_shape():
    with pytest.raises(ValueError, match=r"returned shape \(\) for an x of shape \(3,\)"):
        numerical_derivative(np.sum, np.ones(3))


@settings(max_examples=60, deadline=None)
@given(arrays, st.floats(1e-12, 1.0))
def test_relative_error_is_what_it_says(a, error):
    assert relative_error(a, a) == 0.0
    b = a * (1 + error)
    expected = error / (1 + error) if np.abs(a).max() > 1e-300 else 0.0
    if np.abs(a).max() > 1e-290:
        assert relative_error(a, b) == pytest.approx(expected, rel=1e-3)
        assert relative_error(a, b) == relative_error(b, a)
        assert relative_error(a, -a) == 2.0


def test_relative_error_at_its_edges():
    assert relative_error(0, 0.0) == 0.0
    assert relative_error([0.0, 1.0], [1e-12, 1.0]) == pytest.approx(1e-12)
    assert relative_error([1e308, 0], [-1e308, 0]) == 2.0
    assert relative_error(torch.tensor([1.0, 2.0]), np.array([1.0, 1.0])) == 0.5
    assert math.isnan(relative_error([math.inf], [math.inf]))
    with pytest.raises(ValueError, match=r"a has \(2,\), b has \(1, 2\)"):
        relative_error([1, 2], [[1, 2]])
    with pytest.raises(ValueError, match="empty"):
        relative_error([], [])


def test_report_reads_well():
    report = check_gradients(
        lambda W, b: (W**2).sum() + b,
        {"W": [[1.0, 2.0]], "b": 0.5},
        {"W": [[2.0, 4.5]], "b": 1.0},
    )
    first, second = str(report).splitlines()
    assert first == (
        "W (1, 2): relative error 1.1e-01, DIFFERS: largest difference at index [0, 1], "
        "given 4.5, measured 4"
    )
    assert second.startswith("b (): relative error ") and second.endswith(", agrees")
    assert not report.ok


def test_check_gradients_leaves_everything_alone():
    params = {"W": np.ones((2, 2)), "b": np.zeros(2)}

    def spoil(W, b):
        value = (W.sum(0) * b + W.sum(1)).sum()
        W += 1.0
        b -= 1.0
        return value

    report = check_gradients(spoil, params, {"W": np.ones((2, 2)), "b": [2.0, 2.0]})
    assert report.ok, str(report)
    assert params["W"].tolist() == [[1, 1], [1, 1]] and params["b"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("gradients", "what"),
    [
        ({}, "nothing to check"),
        ({"V": 1.0}, "'V', but params has only: W"),
        ({"W": 1.0}, r"gradient of W has shape \(\), W itself has shape \(2,\)"),
    ],
)
def test_check_gradients_refuses(gradients, what):
    with pytest.raises(ValueError, match=what):
        check_gradients(lambda W: W.sum(), {"W": [1.0, 2.0]}, gradients)


def test_no_heavy_imports():
    import subprocess
    import sys

    code = "import sys, course_utils.gradients; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
