"""The update rules against torch.optim: every option, gradients of every size, every dtype."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

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
from tests.unit.parity import DTYPES, EVERY_SIZE, same, strictly


def grid(**choices):
    return [
        dict(zip(choices, picked, strict=True)) for picked in itertools.product(*choices.values())
    ]


DECAY = [0, 0.1]
SETTINGS = {
    SGD: grid(lr=[0, 0.1], weight_decay=DECAY),
    Momentum: grid(lr=[0.1], momentum=[0, 0.9, 3], dampening=[0, 0.5, 1], weight_decay=DECAY),
    Nesterov: grid(lr=[0, 0.1], momentum=[0, 0.5, 0.9, 1], weight_decay=DECAY),
    AdaGrad: grid(
        lr=[0, 0.1],
        lr_decay=[0, 5],
        eps=[0, 1e-10, 1e300],
        initial_accumulator_value=[0, 0.5, 1e300],
        weight_decay=DECAY,
    ),
    # Centered over a single gradient (alpha 0), or over none (alpha 1), the spread is rounding.
    RMSProp: grid(
        lr=[0, 0.1],
        alpha=[0.5, 0.99],
        eps=[0, 1e-8],
        momentum=[0, 0.9],
        centered=[False, True],
        weight_decay=DECAY,
    )
    + grid(lr=[0, 0.1], alpha=[0, 1], eps=[0, 1e-8]),
    Adam: grid(
        lr=[0, 0.1],
        betas=[(0.9, 0.999), (0, 0), (0, 0.999), (0.9, 0)],
        eps=[0, 1e-8],
        weight_decay=DECAY,
        amsgrad=[False, True],
    ),
}
SETTINGS[AdamW] = SETTINGS[Adam]


def sequences():
    """(steps, sequences): each gradient again and again, and mixtures of them."""
    rng = np.random.default_rng(0)
    # Not 1e308: where betas are 0 torch takes differences of two gradients, which would overflow.
    sizes = np.concatenate([EVERY_SIZE[np.abs(EVERY_SIZE) != 1e308], [8e307, -8e307, 3e76, 1e-162]])
    mixed = rng.choice(sizes, (4, 12))
    smooth = rng.normal(0, 1, (4, 6)) * 10.0 ** rng.integers(-5, 5, 6)
    return np.concatenate([np.tile(sizes, (4, 1)), mixed, smooth], axis=1)


@pytest.mark.parametrize("rule", OPTIMIZERS.values())
def test_gradients_of_every_size(rule):
    """Arrays, floats and torch make the same of them, infinities and NaN too."""
    grads = sequences()
    start = np.resize([1.0, -2.0, 0.0, 1e5, 0.3], grads.shape[1])
    for settings in SETTINGS[rule]:
        optimizer, w, reach = rule(**settings), start, np.maximum(np.abs(start), 1.0)
        tensor = torch.tensor(start, requires_grad=True)
        reference = optimizer.to_torch([tensor])
        singles = [(rule(**settings), value) for value in start.tolist()]
        for grad in grads:
            w = strictly(optimizer.update, w, grad)
            tensor.grad = torch.tensor(grad)
            reference.step()
            # Steps that cancel leave the rounding of the largest w on the way.
            reach = np.fmax(reach, np.where(np.isfinite(w), np.abs(w), 0.0))
            same(w, tensor, settings, rtol=1e-9, atol=1e-9 * reach)
            singles = [
                (one, one.update(value, g))
                for (one, value), g in zip(singles, grad.tolist(), strict=True)
            ]
            same([value for _, value in singles], w, settings, rtol=1e-12, atol=0)


@pytest.mark.parametrize("rule", OPTIMIZERS.values())
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_every_way_to_pass_it(rule, dtype):
    rng = np.random.default_rng(1)
    kind = np.dtype(dtype).kind
    high = 2 if dtype is bool else 120 if kind == "f" else np.iinfo(dtype).max
    flags = {Adam: {"amsgrad": True}, AdamW: {"amsgrad": True}, RMSProp: {"centered": True}}
    for shape in ((), (1,), (2, 3)):
        for settings in ({}, flags.get(rule, {})):
            w, grad = (np.asarray(rng.integers(0, high, shape)).astype(dtype) for _ in range(2))
            tensor = torch.tensor(w.astype(np.float64), requires_grad=True)
            reference = rule(0.1, **settings).to_torch([tensor])
            tensor.grad = torch.tensor(grad.astype(np.float64))
            reference.step()
            wanted = tensor.detach().numpy()
            if kind == "f":
                wanted = wanted.astype(dtype)
            for x, g in ((w, grad), (torch.tensor(w), torch.tensor(grad)), (w, grad.tolist())):
                new = rule(0.1, **settings).update(x, g)
                same(new, wanted, (w, grad), rtol=1e-3 if dtype is np.float16 else 1e-6)
                assert np.asarray(new).dtype == (dtype if kind == "f" else np.float64)


def test_whole_numbers_are_not_squared_in_their_own_type():
    for grad in (np.array([200], np.uint8), np.array([70_000], np.int32), np.array([2**40])):
        assert AdaGrad(0.1).update(np.array([1.0]), grad) == pytest.approx(0.9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_optimizer_is_for_one_parameter(name):
    for first, second in ((np.zeros((3, 2)), np.zeros(2)), (np.zeros(2), 1.0), (1.0, np.ones(3))):
        optimizer = make_optimizer(name, lr=0.1)
        optimizer.update(first, first + 1.0)
        if name == "SGD":  # it remembers nothing
            assert np.shape(optimizer.update(second, second)) == np.shape(second)
            continue
        shapes = rf"shape \({str(np.shape(first))[1:-1]}\), got one of shape "
        with pytest.raises(ValueError, match=shapes):
            optimizer.update(second, second + 5.0)
        optimizer.reset()
        assert np.shape(optimizer.update(second, second + 5.0)) == np.shape(second)
        assert np.shape(optimizer.fresh().update(first, first)) == np.shape(first)


@pytest.mark.parametrize("rule", [AdaGrad, RMSProp, Adam, AdamW])
def test_no_eps_and_no_gradient_is_nan_in_every_form(rule):
    for w, grad in ((1.0, 0.0), (np.array([1.0]), np.array([0.0])), (np.float32(1), np.float32(0))):
        assert np.isnan(rule(0.1, eps=0).update(w, grad)).all()
    assert math.isnan(rule(0.1, eps=0).step(1.0, 0.0))
    assert rule(0.1, eps=0).update(1.0, 1e-200) == -math.inf


def test_a_gradient_whose_square_is_infinite_makes_no_step():
    for grad in (1e155, 1e200, -1e300):
        assert RMSProp(0.1, alpha=0.9, centered=True).update(1.0, grad) == 1.0
        assert RMSProp(0.1, alpha=0.9, centered=True).update(np.ones(1), np.full(1, grad)) == 1.0
