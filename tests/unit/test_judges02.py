"""The exercises of chapter 02: right answers of other styles, and what the mistakes give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from course_utils.checks import check
from course_utils.exercises import judges02
from course_utils.gradients import numerical_derivative, relative_error


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"], autouse=True)
def default_dtype(request):
    """Both kinds of notebook: those that train in float64, and PyTorch's own default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


# -------------------------------------------------------------------- other right answers


def slope_with_grad(f, x):
    x = torch.tensor([float(x)], dtype=torch.float64).requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def gradients_with_autograd(w, b, x, target):
    params = torch.tensor([w, b], requires_grad=True)
    (params[0] * x + params[1] - target).square().backward()
    return params.grad


def sharper_by_flat_index(f, X, h=0.01):
    flat = np.asarray(X, dtype=float).ravel()
    gradient = []
    for i in range(flat.size):
        unit = np.eye(flat.size)[i]
        near, far = (
            f((flat + k * h * unit).reshape(np.shape(X)))
            - f((flat - k * h * unit).reshape(np.shape(X)))
            for k in (1, 2)
        )
        gradient.append((8 * near - far) / (12 * h))
    return np.reshape(gradient, np.shape(X))


def sharper_with_torch(f, X, h=0.01):
    X = torch.as_tensor(X).double()
    gradient = torch.zeros_like(X)
    for index in itertools.product(*map(range, X.shape)):
        shift = torch.zeros_like(X)
        shift[index] = h
        gradient[index] = (
            8 * (f(X + shift) - f(X - shift)) - f(X + 2 * shift) + f(X - 2 * shift)
        ) / (12 * h)
    return gradient


def descend_in_an_array(grad, start, lr, num_steps):
    path = np.empty((num_steps + 1, *np.shape(start)))
    path[0] = start
    for step in range(num_steps):
        path[step + 1] = path[step] - lr * grad(path[step])
    return path


def descend_with_torch(grad, start, lr, num_steps):
    x = torch.tensor(start)
    path = [x.clone()]
    for _ in range(num_steps):
        x -= lr * grad(x)
        path.append(x.clone())
    return path


def fit_with_an_optimizer(x, y, lr, num_steps):
    x, y = torch.tensor(x), torch.tensor(y)
    params = torch.zeros(2, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=lr)
    for _ in range(num_steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(params[0] * x + params[1], y).backward()
        optimizer.step()
    return params.detach().numpy()


def fit_in_float32(x, y, lr, num_steps):
    w = b = torch.zeros((), dtype=torch.float32)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    for _ in range(num_steps):
        w, b = w.detach().requires_grad_(), b.detach().requires_grad_()
        dw, db = torch.autograd.grad(((w * x + b - y) ** 2).mean(), (w, b))
        w, b = w - lr * dw, b - lr * db
    return [w, b]


RIGHT = [
    ("02.slope", slope_with_grad),
    ("02.slope", lambda f, x: numerical_derivative(f, x)),
    ("02.chain_rule", gradients_with_autograd),
    ("02.chain_rule", lambda w, b, x, t: np.array([x, 1]) * 2 * (w * x + b - t)),
    ("02.sharper_gradient", sharper_by_flat_index),
    ("02.sharper_gradient", sharper_with_torch),
    ("02.descend", descend_in_an_array),
    ("02.descend", descend_with_torch),
    ("02.fit_line", fit_with_an_optimizer),
    ("02.fit_line", fit_in_float32),
    ("02.jacobian", torch.autograd.functional.jacobian),
    ("02.jacobian", lambda f, x: torch.func.jacrev(f)(x).detach().numpy()),
    ("02.jacobian", lambda f, x: torch.func.jacfwd(f)(x).tolist()),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_right_answer(name, answer):
    result = check(name, answer)
    assert result.correct, result


# ------------------------------------------------------------------------- wrong answers


def slope_twice(f, x):
    x = torch.tensor(float(x), requires_grad=True)
    for _ in range(2):
        f(x).backward()
    return x.grad


def spoil_x(f, X, h=0.01):
    gradient = sharper_by_flat_index(f, X, h)
    X += 1
    return gradient


def fit_out_of_no_grad(x, y, lr, num_steps):
    w = torch.zeros(2, requires_grad=True)
    for _ in range(num_steps):
        ((w[0] * torch.tensor(x) + w[1] - torch.tensor(y)) ** 2).mean().backward()
        w -= lr * w.grad
    return w


def jacobian_without_v(f, x):
    x = x.clone().requires_grad_()
    f(x).backward()
    return x.grad


WRONG = [
    ("02.slope", slope_twice, "called twice"),
    ("02.slope", lambda f, x: x, "x itself"),
    ("02.chain_rule", lambda w, b, x, t: (2 * (w * x + b - t),) * 2, "one more w changes ŷ by x"),
    ("02.sharper_gradient", spoil_x, "`X` was changed"),
    (
        "02.sharper_gradient",
        lambda f, X, h: sharper_by_flat_index(f, np.ravel(X), h),
        "f needs shape (2, 3)",
    ),
    ("02.descend", lambda g, s, lr, n: descend_in_an_array(g, s, lr, n)[-1], "only the last"),
    ("02.descend", lambda g, s, lr, n: descend_in_an_array(g, s, lr, n - (n > 0)), "One step"),
    ("02.fit_line", fit_out_of_no_grad, "with torch.no_grad():"),
    ("02.fit_line", lambda x, y, lr, n: fit_with_an_optimizer(x, y, lr, n)[::-1].copy(), "order"),
    ("02.fit_line", lambda x, y, lr, n: fit_with_an_optimizer(x, y, lr, n + 1), "too many"),
    ("02.jacobian", jacobian_without_v, "give `backward` a vector v"),
]


@pytest.mark.parametrize(("name", "answer", "part"), WRONG)
def test_another_wrong_answer(name, answer, part):
    result = check(name, answer)
    assert result.state == "not yet" and part in result.message, result


# -------------------------------------------------------------- what the judges compare with


def test_the_wanted_numbers_are_those_of_autograd():
    for case in ((1.0, 0.5, 2.0, 3.0), (-0.5, 2.0, 3.0, -1.0)):
        w, b, x, t = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in case)
        ((w * x + b - t) ** 2).backward()
        assert judges02.neuron_gradients(*case) == (w.grad.item(), b.grad.item())
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.0, 3.0])
    expected = fit_with_an_optimizer(x, y, 0.1, 7)
    assert relative_error(judges02.fit_line(x, y, 0.1, 7), expected) < 1e-12
    X = np.linspace(-1, 1, 6).reshape(2, 3)
    got = judges02.sharper(lambda Z: np.sin(Z).sum(), X, 0.01)
    assert relative_error(got, np.cos(X)) < 1e-8


def test_the_mistakes_differ_from_the_right_answer_and_from_each_other():
    """Otherwise a message could name the wrong mistake."""
    first = (-0.5, 2.0, 3.0, -1.0)
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 2.5, 3.0, 6.0])
    X = np.array([[0.3, 1.2, -0.7], [2.0, 0.4, 1.1]])
    start = np.array([1.0, -2.0])

    def f(Z):
        return 0.3 * (Z**5).sum() + 0.5 * Z.sum() ** 2

    def grad(z):
        return 2 * z + 0.3 * z**3

    tables = [
        (judges02.CHAIN_MISTAKES, lambda kind: judges02.neuron_gradients(*first, kind)),
        (judges02.FIT_MISTAKES, lambda kind: judges02.fit_line(x, y, 0.05, 4, kind)),
        (judges02.SHARPER_MISTAKES, lambda kind: judges02.sharper(f, X, 0.25, kind)),
        (judges02.DESCEND_MISTAKES, lambda kind: judges02.descent(grad, start, 0.1, 4, kind)),
    ]
    for mistakes, give in tables:
        results = {kind: np.asarray(give(kind)) for kind in ("", *mistakes)}
        for one, other in itertools.combinations(results, 2):
            same_shape = results[one].shape == results[other].shape
            assert not (same_shape and np.allclose(results[one], results[other])), (one, other)
