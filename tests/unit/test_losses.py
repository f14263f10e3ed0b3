"""Losses and their gradients against PyTorch in float64, ordinary and extreme inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from course_utils import losses

REDUCTIONS = st.sampled_from(losses.REDUCTIONS)
SHAPES = array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)
numbers = st.floats(-1000, 1000, allow_subnormal=False)
shares = st.floats(0, 1, allow_subnormal=False)


def same(ours, theirs):
    theirs = theirs.detach().numpy()
    assert np.shape(ours) == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def agree(name, function, prediction, target, reduction, **options):
    """Value and gradient of ours against `function` of PyTorch."""
    tensor = torch.tensor(prediction, dtype=torch.float64, requires_grad=True)
    expected = function(tensor, torch.as_tensor(target), reduction=reduction, **options)
    expected.sum().backward()
    plain = {k: v.item() if k == "pos_weight" else v for k, v in options.items()}
    if torch.is_tensor(plain.get("weight")):
        plain["weight"] = plain["weight"].numpy()
    same(getattr(losses, name)(prediction, target, reduction=reduction, **plain), expected)
    gradient = getattr(losses, f"{name}_gradient")
    same(gradient(prediction, target, reduction=reduction, **plain), tensor.grad)


@given(st.data(), SHAPES, REDUCTIONS, st.floats(0.01, 100))
def test_regression_losses(data, shape, reduction, width):
    y_hat = data.draw(arrays(np.float64, shape, elements=numbers))
    y = data.draw(arrays(np.float64, shape, elements=numbers))
    agree("mae", F.l1_loss, y_hat, y, reduction)
    agree("mse", F.mse_loss, y_hat, y, reduction)
    agree("smooth_l1", F.smooth_l1_loss, y_hat, y, reduction, beta=width)
    agree("smooth_l1", F.smooth_l1_loss, y_hat, y, reduction, beta=0.0)
    agree("huber", F.huber_loss, y_hat, y, reduction, delta=width)


@given(st.data(), SHAPES, REDUCTIONS, st.floats(0.01, 100))
def test_binary_losses(data, shape, reduction, pos_weight):
    y = data.draw(arrays(np.float64, shape, elements=shares))
    probabilities = data.draw(arrays(np.float64, shape, elements=shares))
    logits = data.draw(arrays(np.float64, shape, elements=numbers))
    agree("bce", F.binary_cross_entropy, probabilities, y, reduction)
    for weight in (1.0, pos_weight):
        agree(
            "bce_with_logits",
            F.binary_cross_entropy_with_logits,
            *(logits, y, reduction),
            pos_weight=torch.tensor(weight, dtype=torch.float64),
        )


@given(st.data(), st.integers(1, 5), st.integers(1, 6), REDUCTIONS, shares)
def test_cross_entropy(data, count, classes, reduction, smoothing):
    logits = data.draw(arrays(np.float64, (count, classes), elements=numbers))
    indices = data.draw(arrays(np.int64, count, elements=st.integers(0, classes - 1)))
    raw = data.draw(arrays(np.float64, (count, classes), elements=st.floats(0.01, 1)))
    soft = raw / raw.sum(axis=1, keepdims=True)
    weight = data.draw(arrays(np.float64, classes, elements=st.floats(0.1, 3)))
    for target in (indices, np.eye(classes)[indices], soft):
        agree("cross_entropy", F.cross_entropy, logits, target, reduction)
        options = {"label_smoothing": smoothing, "weight": torch.tensor(weight)}
        agree("cross_entropy", F.cross_entropy, logits, target, reduction, **options)


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=5), elements=numbers))
def test_softmax_and_its_logarithms(z):
    same(losses.log_sum_exp(z), torch.logsumexp(torch.tensor(z), -1))
    same(losses.log_softmax(z), torch.log_softmax(torch.tensor(z), -1))
    same(losses.softmax(z), torch.softmax(torch.tensor(z), -1))
    same(losses.sigmoid(z), torch.sigmoid(torch.tensor(z)))


def test_numbers_of_the_chapter():
    y, y_hat = [1.2, 1.5, 2.0], [1.3, 1.7, 2.0]
    assert round(losses.mae(y_hat, y), 6) == 0.1
    assert round(losses.mse(y_hat, y), 6) == 0.016667
    assert round(losses.smooth_l1(y_hat, y), 6) == 0.008333
    assert round(losses.bce([0.6901, 0.5459, 0.2469], [0, 1, 0]), 6) == 0.686794
    scores = [[0.1, 0.8, 0.1], [0.7, 0.2, 0.1]]
    assert round(losses.cross_entropy(scores, [1, 2], "sum"), 6) == 2.057676
    logits, weight = [[1.0, 0.0], [2.0, 0.0], [1.5, 0.0]], [1.0, 9.0]
    for target, mean in (([0, 0, 1], 1.4321), (np.eye(2)[[0, 0, 1]], 5.251)):
        assert round(losses.cross_entropy(logits, target, weight=weight), 4) == mean


def test_nothing_overflows_at_a_thousand():
    with np.errstate(all="raise", under="ignore"):
        assert losses.bce_with_logits([1000.0, -1000.0], [0, 1]) == 1000
        assert losses.bce_with_logits([1000.0, -1000.0], [1, 0]) == 0
        assert losses.cross_entropy([[1000.0, -1000.0]], [1]) == 2000
        assert losses.cross_entropy([[1000.0, -1000.0]], [0]) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.mse([1.0, 2.0], [[1.0], [2.0]]), r"\(2,\), targets \(2, 1\)"),
        (lambda: losses.mae([], []), "empty"),
        (lambda: losses.mse([1.0], [np.nan]), "NaN"),
        (lambda: losses.mse([1.0], [1.0], "average"), "known: mean, sum, none"),
        (lambda: losses.cross_entropy([[1.0]], [0], "mena"), "Did you mean 'mean'"),
        (lambda: losses.mse_gradient([1.0], [1.0], "sums"), "unknown reduction 'sums'"),
        (lambda: losses.smooth_l1([1.0], [1.0], beta=-1), "beta must be a finite number ≥ 0"),
        (lambda: losses.huber([1.0], [1.0], delta=0), "delta must be a finite number > 0"),
        (lambda: losses.bce([1.2], [1]), "probabilities must lie between 0 and 1, got 1.2"),
        (lambda: losses.bce([np.nan], [1]), "got nan"),
        (lambda: losses.bce_with_logits([3.0], [2]), "y must lie between 0 and 1, got 2"),
        (lambda: losses.bce_with_logits([3.0], [1], pos_weight=0), "pos_weight"),
        (lambda: losses.cross_entropy([1.0, 2.0], [1]), r"shape \(N, C\), got \(2,\)"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [2]), "y contains 2; .* from 0 to 1"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [-1]), "y contains -1"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [1.0]), "1 whole numbers or"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [[1], [0]]), r"shape \(2, 1\)"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [0], weight=[1.0]), "2 numbers ≥ 0"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [0], label_smoothing=2), "label_smoothing"),
        (
            lambda: losses.smooth_l1([1.0], [2.0], "sum"),
            "beta must be a finite number ≥ 0, got 'sum'",
        ),
        (lambda: losses.bce_with_logits([1.0], [1.0], pos_weight=[1, 2]), "pos_weight"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [0], label_smoothing=None), "label_smoothing"),
        (lambda: losses.cross_entropy([[1.0, 2.0]], [0], weight=[1.0, np.inf]), "all finite"),
        (lambda: losses.softmax(3.0), "at least one axis"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
