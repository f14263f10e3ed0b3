"""The rules against torch.optim in float64, and their traces."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from course_utils.optimizers import (
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSProp,
    make_optimizer,
)

STEPS = 200


def own_path(optimizer, start, grads, nudge=0.0):
    """Positions after each step, for arrays; ``nudge`` is a relative error made in every step."""
    optimizer, w, path = optimizer.fresh(), np.array(start), []
    for grad in grads:
        w = optimizer.update(w, grad) * (1 + nudge)
        path.append(w)
    return np.array(path)


def torch_path(optimizer, start, grads):
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    reference = optimizer.to_torch([w])
    path = []
    for grad in grads:
        w.grad = torch.from_numpy(grad.copy())
        reference.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


def start_and_gradients(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    start = rng.standard_normal(3)
    grads = scale * (rng.standard_normal((STEPS, 3)) + rng.standard_normal(3))
    grads[rng.random((STEPS, 3)) < 0.05] = 0.0  # dead units give exact zeros
    return start, grads


def is_well_conditioned(optimizer, start, grads):
    """Whether errors a hundred times those of rounding stay small over the whole path.

    Weight decay feeds w back into a gradient that is then divided by its own size: with strong
    decay and a short memory of squares that is chaotic, and no two programs agree for long.
    """
    plain, nudged = (own_path(optimizer, start, grads, nudge) for nudge in (0.0, 1e-14))
    return np.abs(plain - nudged).max() <= 2e-11 * max(1.0, np.abs(plain).max())


def assert_parity(optimizer, start, grads):
    """Arrays, floats and torch agree on the same gradients over 200 steps."""
    expected = torch_path(optimizer, start, grads)
    assert np.isfinite(expected).all()
    bound = 1e-10 * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(own_path(optimizer, start, grads), expected, rtol=0, atol=bound)

    single, w, path = optimizer.fresh(), float(start[0]), []
    for grad in grads[:, 0].tolist():
        w = single.update(w, grad)
        assert type(w) is float
        path.append(w)
    np.testing.assert_allclose(path, expected[:, 0], rtol=0, atol=bound)


def grid(**choices):
    names, values = choices.keys(), choices.values()
    return [
        dict(zip(names, combination, strict=True)) for combination in itertools.product(*values)
    ]


GRID = [
    *((SGD, s) for s in grid(lr=[0.001, 0.1, 1.0], weight_decay=[0, 0.1])),
    *(
        (Momentum, s)
        for s in grid(
            lr=[0.01, 0.3],
            momentum=[0, 0.5, 0.9, 0.99],
            dampening=[0, 0.5, 1],
            weight_decay=[0, 0.1],
        )
    ),
    *((Nesterov, s) for s in grid(lr=[0.01, 0.3], momentum=[0, 0.5, 0.99], weight_decay=[0, 0.1])),
    *(
        (AdaGrad, s)
        for s in grid(
            lr=[0.01, 1.0],
            lr_decay=[0, 0.1],
            eps=[1e-10, 1e-3],
            initial_accumulator_value=[0, 0.5],
            weight_decay=[0, 0.1],
        )
    ),
    *(
        (RMSProp, s)
        for s in grid(
            lr=[0.001, 0.1],
            alpha=[0.5, 0.99],
            eps=[1e-8, 1e-2],
            momentum=[0, 0.9],
            centered=[False, True],
            weight_decay=[0, 0.1],
        )
    ),
    *(
        (rule, s)
        for rule in (Adam, AdamW)
        for s in grid(
            lr=[0.001, 0.3],
            betas=[(0.9, 0.999), (0.0, 0.0), (0.5, 0.9)],
            eps=[1e-8, 1e-2],
            weight_decay=[0, 0.1],
            amsgrad=[False, True],
        )
    ),
]


@pytest.mark.parametrize("rule", OPTIMIZERS.values())
def test_parity_on_the_grid(rule):
    cases = [options for candidate, options in GRID if candidate is rule]
    assert len(cases) >= 6
    for index, options in enumerate(cases):
        assert_parity(rule(**options), *start_and_gradients(index))


rates = st.floats(1e-5, 2.0)
decays = st.one_of(st.just(0.0), st.floats(1e-6, 0.5))
epsilons = st.floats(1e-12, 1e-1)
# PyTorch keeps 1 - beta, which for a tiny beta has lost beta's digits: after an exactly zero
# gradient that can be the whole step. Hence 0 itself, or at least 0.01.
betas = st.one_of(st.just(0.0), st.floats(0.01, 0.9999))

DRAWN = {
    "SGD": st.fixed_dictionaries({"lr": rates, "weight_decay": decays}),
    "Momentum": st.fixed_dictionaries(
        {
            "lr": rates,
            "momentum": betas,
            "dampening": st.floats(0.0, 1.0),
            "weight_decay": decays,
        }
    ),
    "Nesterov": st.fixed_dictionaries({"lr": rates, "momentum": betas, "weight_decay": decays}),
    "AdaGrad": st.fixed_dictionaries(
        {
            "lr": rates,
            "lr_decay": st.floats(0.0, 1.0),
            "eps": epsilons,
            "initial_accumulator_value": st.floats(0.0, 2.0),
            "weight_decay": decays,
        }
    ),
    # A centered average over very few gradients is a difference of nearly equal numbers, whose
    # rounding no two programs share: there alpha starts at 0.3.
    "RMSProp": st.booleans().flatmap(
        lambda centered: st.fixed_dictionaries(
            {
                "lr": rates,
                "alpha": st.floats(0.3 if centered else 0.0, 0.9999),
                "eps": epsilons,
                "momentum": st.one_of(st.just(0.0), st.floats(0.0, 0.99)),
                "centered": st.just(centered),
                "weight_decay": decays,
            }
        )
    ),
    "Adam": st.fixed_dictionaries(
        {
            "lr": rates,
            "betas": st.tuples(betas, betas),
            "eps": epsilons,
            "weight_decay": decays,
            "amsgrad": st.booleans(),
        }
    ),
}
DRAWN["AdamW"] = DRAWN["Adam"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parity_with_drawn_settings(name):
    assert set(DRAWN) == set(OPTIMIZERS)

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(options=DRAWN[name], seed=st.integers(0, 10**6), exponent=st.integers(-4, 3))
    def check(options, seed, exponent):
        optimizer = make_optimizer(name, **options)
        assert set(options) == set(optimizer.settings()), "every option must be drawn"
        start, grads = start_and_gradients(seed, scale=10.0**exponent)
        assume(is_well_conditioned(optimizer, start, grads))
        assert_parity(optimizer, start, grads)

    check()


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (Momentum(0.01, momentum=0.9), [0.99, 0.9711, 0.944379]),
        (AdaGrad(0.01), [0.99, 0.982965, 0.977238]),
        (RMSProp(0.01, alpha=0.9), [0.968377, 0.945788, 0.927053]),
        (Adam(0.01, betas=(0.9, 0.99)), [0.99, 0.980003, 0.970009]),
    ],
)
def test_known_traces_on_half_w_squared(optimizer, expected):
    w, trace = 1.0, []
    for _ in expected:
        w = optimizer.update(w, w)
        trace.append(w)
    assert trace == pytest.approx(expected, abs=6e-7)


def test_averaging_momentum_needs_a_learning_rate_ten_times_larger():
    ours, w, averaged, velocity = Momentum(0.01, momentum=0.9), 1.0, 1.0, 0.0
    for _ in range(50):
        w = ours.update(w, w)
        share = 1 - 0.9
        velocity = 0.9 * velocity + share * averaged
        averaged -= 0.01 / share * velocity
        assert averaged == pytest.approx(w, abs=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (1, 2, 2), (0,)])
def test_any_shape_and_arguments_unchanged(name, shape):
    optimizer = make_optimizer(name, lr=0.1)
    rng = np.random.default_rng(0)
    w, grad = rng.standard_normal(shape), np.asarray(rng.standard_normal(shape))
    before = w.copy(), grad.copy()
    new = optimizer.update(w, grad)
    assert np.shape(new) == shape
    np.testing.assert_array_equal(w, before[0])
    np.testing.assert_array_equal(grad, before[1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_reused_gradient_array_does_not_leak_into_the_state(name):
    shared, separate = make_optimizer(name, lr=0.1), make_optimizer(name, lr=0.1)
    buffer = np.zeros(2)
    w = v = np.array([1.0, -2.0])
    for k in range(5):
        buffer[:] = w * (k + 1)
        w = shared.update(w, buffer)
        buffer[:] = 99.0
        v = separate.update(v, v * (k + 1))
        np.testing.assert_array_equal(w, v)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_reset_and_fresh_forget(name):
    optimizer = make_optimizer(name, lr=0.1, weight_decay=0.1)
    first = [optimizer.update(1.0, g) for g in (1.0, 2.0)]
    twin = optimizer.fresh()
    assert twin is not optimizer
    assert [twin.update(1.0, g) for g in (1.0, 2.0)] == first
    optimizer.reset()
    assert [optimizer.update(1.0, g) for g in (1.0, 2.0)] == first


def test_fresh_leaves_the_original_alone():
    optimizer = Momentum(0.1)
    optimizer.update(1.0, 1.0)
    optimizer.fresh().update(1.0, 5.0)
    assert optimizer.velocity == 1.0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_learning_rate_may_change_on_the_way(name):
    optimizer = make_optimizer(name, lr=0.1)
    w = 1.0
    tensor = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    reference = optimizer.to_torch([tensor])
    for lr in (0.1, 0.1, 0.01, 0.5, 0.0):
        optimizer.lr = reference.param_groups[0]["lr"] = lr
        w = optimizer.update(w, math.sin(w))
        tensor.grad = torch.sin(tensor.detach())
        reference.step()
        assert w == pytest.approx(tensor.item(), abs=1e-12)


@pytest.mark.parametrize("momentum_rule", [Momentum, Nesterov])
def test_no_momentum_is_sgd(momentum_rule):
    plain, rule = SGD(0.1, weight_decay=0.2), momentum_rule(0.1, momentum=0, weight_decay=0.2)
    w = v = 1.0
    for grad in (1.0, -2.0, 0.5):
        w, v = plain.update(w, grad), rule.update(v, grad)
        assert w == pytest.approx(v, abs=1e-15)


def test_weight_decay_under_adam_and_adamw_differ():
    l2, decoupled = Adam(0.1, weight_decay=0.1), AdamW(0.1, weight_decay=0.1)
    # Adam's first step has length lr whatever the gradient; AdamW shrinks w as well.
    assert l2.update(1.0, 1.0) == pytest.approx(0.9, abs=1e-8)
    assert decoupled.update(1.0, 1.0) == pytest.approx(0.99 - 0.1, abs=1e-8)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"same shape, got \(2,\) and \(3,\)"):
        SGD(0.1).update(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"same shape, got \(2,\) and \(\)"):
        SGD(0.1).update(np.zeros(2), 1.0)


def test_lists_and_whole_numbers_become_floats():
    np.testing.assert_allclose(Adam(0.1).update([1, 2], [1, -1]), [0.9, 2.1])
    assert Momentum(0.5).update(1, 1) == 0.5
