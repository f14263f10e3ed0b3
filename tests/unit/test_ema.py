"""The exponentially weighted average, against a loop and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.optimizers import Adam
from course_utils.paths import ema


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
