"""The learner's own rules: every way to write one, and what goes wrong in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils.checks import check
from course_utils.exercises import get_exercise
from course_utils.exercises.exercise import load
from course_utils.optimizers import OPTIMIZERS, SGD, Adam, Momentum, make_optimizer
from course_utils.paths import OwnRuleError, descend, descend_own
from course_utils.surfaces import get_surface

BOWL = get_surface("bowl")


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
    assert path.diverged_at == 10 and np.isnan(path.points[11:]).all()
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


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_own_rules_walk_the_same_path(name, noise):
    optimizer = make_optimizer(name, lr=0.02)
    surface = get_surface("Himmelblau")
    built_in = descend(surface, optimizer, surface.start, 50, noise=noise, seed=3)
    own = descend_own(surface, optimizer, surface.start, 50, noise=noise, seed=3)
    np.testing.assert_allclose(own.points, built_in.points, rtol=0, atol=1e-12)
    np.testing.assert_allclose(own.losses, built_in.losses, rtol=1e-10)


# ------------------------------------------------------------------ the exercises of chapter 09


def test_plain_descent_misses_the_goal_of_the_exercise_at_every_rate():
    ravine = get_surface("ravine")
    rates = np.append(np.geomspace(1e-3, 1.0, 500), np.linspace(0.4, 0.5, 2001))
    losses = [descend(ravine, SGD(lr), ravine.start, 60).losses[-1] for lr in rates]
    assert 0.009 < np.nanmin(losses) < 0.0095


def test_an_own_rule_object_keeps_its_state():
    rule = Momentum(lr=0.4, momentum=0.6)
    rule.update(np.ones(2), np.ones(2))
    before = str(vars(rule))
    assert check("09.own_rule", rule).correct
    assert str(vars(rule)) == before


def test_the_decay_of_the_exercise_is_that_of_torch():
    exercise, rng = get_exercise("09.adamw"), np.random.default_rng(9)
    update, adam = load(exercise.solution, exercise), Adam(lr=0.1)
    w = rng.normal(size=3)
    theirs = torch.tensor(w, requires_grad=True)
    optimizer = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.5)
    for grad in rng.normal(size=(5, 3)):
        w = update(w, grad, adam, 0.1, 0.5)
        theirs.grad = torch.tensor(grad)
        optimizer.step()
        np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=1e-9)
