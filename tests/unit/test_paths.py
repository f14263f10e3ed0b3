"""Paths: against torch.optim + autograd, divergence, noise, the learner's own rules, the EMA."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.optimizers import OPTIMIZERS, SGD, AdaGrad, Adam, Momentum, make_optimizer
from course_utils.paths import OwnRuleError, descend, descend_own, ema
from course_utils.surfaces import SURFACES, Surface, get_surface

BOWL = get_surface("bowl")
STEPS = 200

# learning rates at which the path is long and yet nothing explodes
RATES = {
    "ravine": (0.01, 0.1),
    "bowl": (0.01, 0.5),
    "Rosenbrock": (1e-4, 5e-4),
    "saddle": (0.01, 0.2),
    "Beale": (1e-3, 5e-3),
    "Himmelblau": (1e-3, 5e-3),
    "plateau": (0.05, 0.5),
    "two wells": (0.01, 0.1),
}


def torch_path(surface, optimizer, start, num_steps):
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    reference = optimizer.to_torch([w])
    points, losses = [w.tolist()], []
    for _ in range(num_steps):
        reference.zero_grad()
        loss = surface.value(w[0], w[1])
        loss.backward()
        losses.append(loss.item())
        reference.step()
        points.append(w.tolist())
    return np.array(points), np.array([*losses, surface.value(w[0], w[1]).item()])


def test_every_surface_has_its_rates():
    assert set(RATES) == set(SURFACES)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
def test_the_path_is_torchs(surface, name):
    for lr in RATES[surface.name]:
        optimizer = make_optimizer(name, lr=lr)
        points, losses = torch_path(surface, optimizer, surface.start, STEPS)
        path = descend(surface, optimizer, surface.start, STEPS)
        assert path.diverged_at is None
        assert path.points.shape == (STEPS + 1, 2) and path.losses.shape == (STEPS + 1,)
        np.testing.assert_allclose(path.points, points, rtol=0, atol=1e-10)
        np.testing.assert_allclose(path.losses, losses, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_own_rules_walk_the_same_path(name, noise):
    optimizer = make_optimizer(name, lr=0.02)
    surface = get_surface("Himmelblau")
    built_in = descend(surface, optimizer, surface.start, 50, noise=noise, seed=3)
    own = descend_own(surface, optimizer, surface.start, 50, noise=noise, seed=3)
    np.testing.assert_allclose(own.points, built_in.points, rtol=0, atol=1e-12)
    np.testing.assert_allclose(own.losses, built_in.losses, rtol=1e-10)


def test_descend_leaves_the_optimizer_alone_and_starts_afresh():
    optimizer = Momentum(0.1)
    optimizer.update(1.0, 7.0)
    path = descend(BOWL, optimizer, (1.0, 2.0), 5)
    assert optimizer.velocity == 7.0
    np.testing.assert_array_equal(
        path.points, descend(BOWL, Momentum(0.1), (1.0, 2.0), 5).points
    )


def test_noise_is_seeded_scaled_and_shared():
    plain = descend(BOWL, SGD(0.1), (1, 1), 1).points[1]
    one, again, other, double = (
        descend(BOWL, SGD(0.1), (1, 1), 1, noise=noise, seed=seed).points[1] - plain
        for noise, seed in [(0.5, 1), (0.5, 1), (0.5, 2), (1.0, 1)]
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).min() > 1e-3
    np.testing.assert_allclose(double, 2 * one, atol=1e-14)
    np.testing.assert_allclose(
        descend(BOWL, SGD(0.05), (1, 1), 1, noise=0.5, seed=1).points[1] - (0.95, 0.95), one / 2
    )
    # the losses are those of the surface, without noise
    path = descend(BOWL, SGD(0.1), (1, 1), 20, noise=2.0)
    np.testing.assert_allclose(path.losses, 0.5 * (path.points**2).sum(1))


def test_noise_has_the_stated_standard_deviation():
    path = descend(BOWL, SGD(1.0), (0, 0), 4000, noise=0.7, seed=0)
    # with lr 1 on the bowl each point is minus the noise of its step
    assert path.points[1:].std() == pytest.approx(0.7, rel=0.03)
    assert path.points[1:].mean() == pytest.approx(0.0, abs=0.03)


def test_divergence_is_reported_not_raised():
    path = descend(BOWL, SGD(3.0), (1.0, 1.0), 100)  # each step doubles and flips the point
    assert path.diverged_at == 20  # 2**20 > 1e6, and the loss is above 1e6 … later than that?
    k = path.diverged_at
    np.testing.assert_allclose(np.abs(path.points[: k + 1, 0]), 2.0 ** np.arange(k + 1))
    assert np.isfinite(path.losses[: k + 1]).all()
    assert np.isnan(path.points[k + 1 :]).all() and np.isnan(path.losses[k + 1 :]).all()
    assert path.points.shape == (101, 2) and path.num_steps == 100


@pytest.mark.parametrize("lr", [10.0, 1e6, 1e300])
@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_absurd_learning_rates_never_raise(surface, name, lr, recwarn):
    for noise in (0.0, 1.0):
        path = descend(surface, make_optimizer(name, lr=lr), surface.start, 50, noise=noise)
        own = descend_own(surface, make_optimizer(name, lr=lr), surface.start, 50, noise=noise)
        assert path.diverged_at == own.diverged_at
        if path.diverged_at is None:
            assert np.isfinite(path.points).all() and np.isfinite(path.losses).all()
        else:
            assert path.diverged_at >= 1
            assert np.isfinite(path.points[: path.diverged_at]).all()
    assert not recwarn.list


def test_a_start_high_above_is_no_divergence():
    surface = get_surface("Rosenbrock")
    path = descend(surface, AdaGrad(1.0), (30.0, 0.0), 50)
    assert path.losses[0] > 1e6 and path.diverged_at is None


def test_zero_over_zero_is_divergence():
    assert descend(BOWL, Adam(0.1, eps=0.0), (0.0, 1.0), 5).diverged_at == 1


def test_no_steps():
    path = descend(BOWL, SGD(0.1), (3, 4), 0)
    assert path.points.tolist() == [[3.0, 4.0]] and path.losses.tolist() == [12.5]
    assert path.diverged_at is None


@pytest.mark.parametrize("start", [(1,), (1, 2, 3), None, ("a", 1), (math.nan, 0), (1e7, 0), 5])
@pytest.mark.parametrize("walk", [descend, descend_own])
def test_bad_start(walk, start):
    with pytest.raises(ValueError, match="start must"):
        walk(BOWL, SGD(0.1), start, 5)


@pytest.mark.parametrize("num_steps", [-1, 2.5, None, True])
def test_bad_number_of_steps(num_steps):
    with pytest.raises(ValueError, match="num_steps must be a whole number"):
        descend(BOWL, SGD(0.1), (0, 0), num_steps)


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_bad_noise(noise):
    with pytest.raises(ValueError, match="noise must be a finite number"):
        descend(BOWL, SGD(0.1), (0, 0), 5, noise=noise)


def test_five_optimizers_are_quick_enough_for_a_slider():
    """About 1 ms here when the machine is idle; the bound only catches a slow rewrite."""
    rules = [make_optimizer(name, lr=1e-3) for name in list(OPTIMIZERS)[:5]]
    surface = get_surface("Rosenbrock")
    seconds = []
    for _ in range(15):
        begin = time.perf_counter()
        for rule in rules:
            descend(surface, rule, surface.start, STEPS)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.010


# The learner's own rules


class Plain:
    def __init__(self, lr):
        self.lr = lr

    def update(self, w, grad):
        return w - self.lr * grad


class NoRate:
    def update(self, w, grad):
        w -= 0.1 * grad  # in place: the course hands out copies
        return w


class Heavy:
    def __init__(self, lr=0.1, beta=0.9):
        self.lr, self.beta, self.v = lr, beta, 0.0

    def update(self, w, grad):
        self.v = self.beta * self.v + grad
        return w - self.lr * self.v


def plain_rule(w, grad, state):
    return w - state["lr"] * grad


def counting_rule(w, grad, state):
    state["seen"] = state.get("seen", 0) + 1
    return w - state["lr"] / state["seen"] * grad


EXPECTED = descend(BOWL, SGD(0.1), (1, -2), 10).points


@pytest.mark.parametrize(
    "rule",
    [
        Plain,
        NoRate,
        NoRate(),
        Plain(0.1),
        lambda: Plain(0.1),
        lambda lr: Plain(lr),
        lambda lr=5.0: Plain(lr),
        plain_rule,
        lambda w, grad: w - 0.1 * grad,
        lambda w, grad, state, lr=0.1: w - lr * grad,
        lambda w, grad, state: list(w - 0.1 * grad),
        lambda w, grad, state: torch.from_numpy(w - 0.1 * grad),
    ],
)
def test_every_way_to_write_plain_descent(rule):
    path = descend_own(BOWL, rule, (1, -2), 10, 0.1)
    np.testing.assert_allclose(path.points, EXPECTED, atol=1e-14)
    assert path.diverged_at is None


def test_own_rules_start_afresh_in_every_run():
    heavy = Heavy()
    for rule in (heavy, Heavy, counting_rule):
        first, second = (descend_own(BOWL, rule, (1, 1), 20, 0.1).points for _ in range(2))
        np.testing.assert_array_equal(first, second)
    assert heavy.v == 0.0
    np.testing.assert_allclose(
        descend_own(BOWL, Heavy, (1, 1), 20, 0.1).points,
        descend(BOWL, Momentum(0.1), (1, 1), 20).points,
        atol=1e-13,
    )


def test_own_rule_that_runs_away_is_drawn():
    path = descend_own(BOWL, plain_rule, (1.0, 1.0), 100, 3.0)
    assert path.diverged_at == 20 and np.isnan(path.points[21:]).all()
    path = descend_own(BOWL, lambda w, grad: w * np.inf, (1.0, 1.0), 10)
    assert path.diverged_at == 1


def raises_at_three(w, grad, state):
    state["t"] = state.get("t", 0) + 1
    if state["t"] == 3:
        raise KeyError("velocity")
    return w


class NeedsMore:
    def __init__(self, lr, beta):
        pass


class NoUpdate:
    pass


class BadInit:
    def __init__(self):
        raise RuntimeError("boom")


@pytest.mark.parametrize(
    ("rule", "message", "step"),
    [
        (raises_at_three, "step 3: your rule raised KeyError: 'velocity'", 3),
        (lambda w, grad, state: None, "step 1: your rule returned None; is a return missing", 1),
        (lambda w, grad, state: w[0], "shape (2,), got shape ()", 1),
        (lambda w, grad, state: np.zeros((2, 1)), "shape (2,), got shape (2, 1)", 1),
        (lambda w, grad, state: np.zeros(3), "shape (2,), got shape (3,)", 1),
        (lambda w, grad, state: "ab", "must return an array of two numbers, got 'ab'", 1),
        (lambda w, grad, state: [[1], 2], "must return an array of two numbers", 1),
        (lambda w, grad, state: w * np.nan, "step 1: your rule returned NaN", 1),
        (lambda w, grad, state: np.sqrt(-np.ones(2)), "returned NaN", 1),
        (lambda w, grad, state: w[5], "step 1: your rule raised IndexError", 1),
        (NeedsMore, "NeedsMore needs a value for beta: give it a default", 0),
        (NoUpdate, "NoUpdate has no method update(w, grad)", 0),
        (lambda: 5, "has no method update(w, grad)", 0),
        (BadInit, "making BadInit raised RuntimeError: boom", 0),
        (lambda w: w, "must take (w, grad, state), but its arguments are (w)", 0),
        (lambda a, b, c, d: a, "must take (w, grad, state)", 0),
        (5, "must be a class with update(w, grad) or a function", 0),
        ("Adam", "must be a class with update(w, grad) or a function", 0),
    ],
)
def test_what_goes_wrong_in_an_own_rule_is_said(rule, message, step, recwarn):
    with pytest.raises(OwnRuleError) as caught:
        descend_own(BOWL, rule, (1.0, 2.0), 10)
    assert message in str(caught.value)
    assert caught.value.step == step
    assert not recwarn.list


def test_the_cause_is_kept():
    with pytest.raises(OwnRuleError) as caught:
        descend_own(BOWL, raises_at_three, (1.0, 2.0), 10)
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_interrupt_is_not_swallowed():
    def interrupted(w, grad, state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        descend_own(BOWL, interrupted, (1.0, 2.0), 10)


def test_own_rules_may_not_reach_the_path():
    kept = []

    def keeps(w, grad, state):
        kept.append(w)
        new = w - 0.1 * grad
        kept.append(new)
        for array in kept:
            array[:] = 0.5
        return np.array([1.0, 1.0])

    path = descend_own(BOWL, keeps, (3.0, 4.0), 3)
    assert path.points.tolist() == [[3.0, 4.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]


def test_a_surface_of_ones_own():
    steep = Surface(
        "steep",
        lambda x, y: abs(x) + abs(y),
        lambda x, y: (math.copysign(1.0, x), math.copysign(1.0, y)),
        [(0.0, 0.0)],
        (-1.0, 1.0),
        (-1.0, 1.0),
        (1.0, 1.0),
        False,
        "abs(x) + abs(y)",
        "",
    )
    assert descend(steep, SGD(0.25), (1.0, 1.0), 4).losses.tolist() == [2.0, 1.5, 1.0, 0.5, 0.0]


# The running average


def ema_loop(values, beta):
    average, averages = 0.0, []
    for value in values:
        average = (1 - beta) * value + beta * average
        averages.append(average)
    return averages


@given(st.lists(st.floats(-1e3, 1e3), max_size=60), st.floats(0, 0.999))
def test_ema_is_the_loop_and_the_weighted_sum(values, beta):
    result = ema(values, beta)
    assert result.shape == (len(values),) and result.dtype == np.float64
    np.testing.assert_allclose(result, ema_loop(values, beta), rtol=0, atol=1e-12)
    for t in range(len(values)):  # S_t = (1 - beta) * sum over k of beta^k * Y_{t-k}
        weights = (1 - beta) * beta ** np.arange(t + 1)
        assert result[t] == pytest.approx(np.dot(weights, values[t::-1]), abs=1e-9)


@given(st.floats(-100, 100), st.floats(0, 0.99), st.integers(1, 50))
def test_ema_of_a_constant(level, beta, length):
    t = np.arange(1, length + 1)
    series = np.full(length, level)
    np.testing.assert_allclose(ema(series, beta), level * (1 - beta**t), rtol=0, atol=1e-11)
    np.testing.assert_allclose(ema(series, beta, bias_correction=True), series, rtol=0, atol=1e-10)


def test_ema_known_numbers():
    assert ema([10, 20, 30], 0.5).tolist() == [5.0, 12.5, 21.25]
    np.testing.assert_allclose(ema([10, 20, 30], 0.5, True), [10, 12.5 / 0.75, 21.25 / 0.875])
    assert ema([1, 2, 3], 0).tolist() == [1.0, 2.0, 3.0]
    assert ema([], 0.9, bias_correction=True).shape == (0,)


def test_ema_of_columns():
    values = np.random.default_rng(0).standard_normal((30, 2, 3))
    for corrected in (False, True):
        result = ema(values, 0.8, corrected)
        assert result.shape == values.shape
        np.testing.assert_allclose(result[:, 1, 2], ema(values[:, 1, 2], 0.8, corrected))


def test_ema_is_adams_first_average():
    adam, grads = Adam(0.1), [0.3, -1.0, 2.0, 0.7]
    for grad in grads:
        adam.update(0.0, grad)
    assert adam.grad_avg == pytest.approx(ema(grads, 0.9)[-1], abs=1e-15)
    assert adam.square_avg == pytest.approx(ema(np.square(grads), 0.999)[-1], abs=1e-15)


@pytest.mark.parametrize("beta", [-0.1, 1.0, 1.5, math.nan])
def test_ema_refuses_beta(beta):
    with pytest.raises(ValueError, match="0 ≤ beta < 1"):
        ema([1.0], beta)


def test_ema_refuses_a_single_number():
    with pytest.raises(ValueError, match="must be a series"):
        ema(3.0, 0.9)
