"""The slope explorer: its numbers against autograd and by hand, its words and its picture."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.playgrounds import slope_explorer
from course_utils.playgrounds.slopes import (
    CURVES,
    LOWEST,
    STEPS,
    advice,
    autograd_slope,
    error_text,
    measure_slopes,
    verdict,
)

PLAYGROUND = slope_explorer()
DERIVATIVES = {
    "sin x": math.cos,
    "x² + 3x + 1": lambda x: 2 * x + 3,
    "x³ − 3x": lambda x: 3 * x * x - 3,
    "eˣ": math.exp,
    "|x|": lambda x: float(np.sign(x)),
}


def assert_shown_well(playground) -> None:
    words = repr(playground)
    assert words.startswith(playground.values["function"]) and words.endswith(".")
    assert not re.search(r"\b(nan|inf)\b", words)
    for line in (playground.forward_line, playground.central_line):
        errors = np.asarray(line.get_ydata())
        low, high = playground.right.get_ylim()
        assert errors.shape == STEPS.shape and low < errors.min() and errors.max() < high
    bottom, top = playground.left.get_ylim()
    assert bottom < playground.result.value < top
    assert len(playground.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(slope_explorer()) == (
        "sin x at x = 1, h = 1: the slope is 0.5403 by autograd, 0.4546 by the central difference "
        "(error 0.0857), 0.0678 by the forward difference (error 0.4725): the distance makes the "
        "errors: smaller h helps."
    )


@pytest.mark.parametrize("function", CURVES)
@pytest.mark.parametrize("x", [-3.0, 0.0, 1.0, 3.0])
@pytest.mark.parametrize("h", [1e-16, 1e-8, 1.0])
def test_the_ends_of_every_control_are_shown(function, x, h):
    PLAYGROUND.set(function=function, x=x, h=h)
    assert_shown_well(PLAYGROUND)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(CURVES)), st.integers(-60, 60), st.floats(-16, 0))
def test_any_value_is_shown(function, twentieths, exponent):
    PLAYGROUND.set(function=function, x=twentieths / 20, h=max(10.0**exponent, 1e-16))
    assert_shown_well(PLAYGROUND)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(CURVES)), st.floats(-3, 3), st.floats(-16, 0))
def test_numbers(function, x, exponent):
    h = 10.0**exponent
    result = measure_slopes(function, x, h)

    def f(z):
        return float(CURVES[function].value(np.float64(z), np))

    assert result.value == f(x)
    assert result.tangent == pytest.approx(DERIVATIVES[function](x), rel=1e-12, abs=1e-14)
    noise = 1e-15 * 30 / h  # NumPy may round sin and exp of one number and of many differently
    assert result.forward == pytest.approx((f(x + h) - f(x)) / h, abs=noise)
    assert result.central == pytest.approx((f(x + h) - f(x - h)) / (2 * h), abs=noise)
    assert result.forward_error == abs(result.forward - result.tangent)


def test_the_curves_are_the_same_for_numpy_and_torch():
    x = np.linspace(-3, 3, 25)
    for curve in CURVES.values():
        np.testing.assert_allclose(
            curve.value(x, np), curve.value(torch.tensor(x), torch).numpy(), rtol=1e-14
        )


def test_autograd_works_where_gradients_are_switched_off():
    with torch.no_grad():
        assert autograd_slope("x² + 3x + 1", 2.0) == 7.0


def test_errors_fall_with_h_and_with_its_square_and_then_rise():
    result = measure_slopes("sin x", 1.0, 0.1)
    at = {round(math.log10(h), 3): i for i, h in enumerate(STEPS)}
    forward, central = result.forward_errors, result.central_errors
    assert forward[at[-2]] / forward[at[-4]] == pytest.approx(100, rel=0.02)
    assert central[at[-1]] / central[at[-3]] == pytest.approx(10_000, rel=0.02)
    assert forward[at[-14]] > 100 * forward[at[-8]] and central[at[-14]] > 1e6 * central[at[-5]]


def test_kink():
    at_kink = measure_slopes("|x|", 0.0, 0.1)
    assert (at_kink.tangent, at_kink.central, at_kink.forward) == (0.0, 0.0, 1.0)
    assert verdict(at_kink).startswith("a kink")
    assert "kink" not in verdict(measure_slopes("|x|", 0.5, 0.1))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("sin x", 1.0, 1e-3), "the distance makes the errors"),
        (("sin x", 1.0, 1e-12), "rounding makes the errors"),
        (("sin x", 1.0, 1e-16), "x + h is rounded to x"),
        (("x² + 3x + 1", 2.0, 1.0), "forward: smaller h, central: near its best"),
        (("x² + 3x + 1", 2.0, 1e-5), "forward: smaller h, central: larger h"),
        (("sin x", 1.0, 1e-8), "forward: near its best, central: larger h"),
        (("sin x", 1.0, 1e-5), "forward: smaller h, central: near its best"),
        (("eˣ", -2.0, 1e-8), "forward: near its best, central: larger h"),
        (("x² + 3x + 1", 2.0, 1e-16), "x + h is rounded to x"),
        (("x² + 3x + 1", 0.0, 1e-16), "rounding makes the errors"),
    ],
)
def test_verdict(values, words):
    assert verdict(measure_slopes(*values)).startswith(words)


@pytest.mark.parametrize("function", [name for name in CURVES if name != "|x|"])
def test_advice_is_of_use(function):
    """Going where it says, by a factor of 10, does not make the error larger, luck apart."""
    for x, h in itertools.product((-2.3, 1.0, 2.9), 10.0 ** np.arange(-13, 0, 2)):
        result = measure_slopes(function, x, h)
        for errors in (result.forward_errors, result.central_errors):
            floor = 1e-17 * max(1.0, abs(result.value)) / STEPS  # without lucky roundings
            level = np.log10(np.maximum(errors, floor))
            usual = 10 ** np.convolve(level, np.ones(5) / 5, "same")
            here = int(np.argmin(np.abs(np.log(STEPS / h))))
            there = here + {"smaller h": -8, "larger h": 8}.get(advice(result, errors), 0)
            there = min(max(there, 2), len(STEPS) - 3)
            assert usual[there] <= 3 * usual[here]


@pytest.mark.parametrize("h", [1.0, 1e-5, 1e-8, 1e-12, 1e-16])
def test_the_advice_fits_into_the_picture(h):
    playground = slope_explorer(h=h)
    repr(playground)
    pixels, left, _ = playground.verdict._image(100)
    assert 0.575 * 900 + left + pixels.shape[1] < 900, playground.verdict.get_text()


def test_an_error_of_0_is_drawn_at_the_floor():
    playground = slope_explorer(function="x² + 3x + 1", x=2.0, h=1.0)
    assert playground.result.central_error == 0.0
    assert list(playground.central_mark.get_ydata()) == [LOWEST]
    assert "7 by the central difference (error 0)" in repr(playground)


def test_moving_x_and_h_sends_patches_and_another_function_a_new_background():
    playground = slope_explorer()
    playground.picture.news()
    for x, h in itertools.product((0.95, 1.05), (1e-3, 1e-9)):
        playground.set(x=x, h=h)
        repr(playground)
        assert playground.picture.frame(moving=True).format == "patch"
    before = playground.picture.background()[0]
    playground.set(function="eˣ")
    repr(playground)
    assert playground.picture.background()[0] != before


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"h": 0.0}, "h=0.0: give a number from 1e-16 to 1.0"),
        ({"x": 4.0}, r"x=4.0.*from -3.0 to 3.0"),
        ({"function": "sin"}, "unknown function 'sin'"),
        ({"y": 1}, "unknown control 'y'"),
    ],
)
def test_nonsense_is_refused(values, what):
    with pytest.raises(ValueError, match=what):
        slope_explorer(**values)


def test_errors_in_words():
    texts = [error_text(e) for e in (0.0, 0.02224, 3.2e-9, 1.5, 5e-4)]
    assert texts == ["0", "0.0222", "3e-09", "1.5", "5e-04"]
