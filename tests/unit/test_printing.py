"""rounded and gap: what prints alike everywhere, and the guard against what may not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.printing import gap, rounded


@pytest.fixture
def authoring(monkeypatch):
    monkeypatch.setenv("COURSE_AUTHORING", "1")


@pytest.fixture(autouse=True)
def reading(monkeypatch):
    monkeypatch.delenv("COURSE_AUTHORING", raising=False)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (1 / 3, "0.3333"),
        (-1e-9, "0.0"),
        (3, "3.0"),
        (True, "1.0"),
        (np.float32(0.1), "0.1"),
        (np.float64(2 / 3), "0.6667"),
        (np.int64(2), "2.0"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (1e300, "1e+300"),
        ([1, (2.00004, -0.0)], "[1.0, [2.0, 0.0]]"),
        ([], "[]"),
        ({"loss": 0.123456, "w": (1, 2)}, "{'loss': 0.1235, 'w': [1.0, 2.0]}"),
        (np.array([[1 / 3], [-1e-9]]), "[[0.3333], [0.0]]"),
        (np.array(1 / 3), "0.3333"),
        (np.zeros((2, 0)), "[[], []]"),
        (torch.tensor(1 / 3, dtype=torch.float64), "0.3333"),
        (torch.tensor([1, 2]), "[1.0, 2.0]"),
        (torch.full((1, 2), 0.1, requires_grad=True), "[[0.1, 0.1]]"),
        (torch.tensor([0.5], dtype=torch.bfloat16), "[0.5]"),
        ([torch.tensor(0.25), np.float64(0.5)], "[0.25, 0.5]"),
    ],
)
def test_what_is_printed(x, expected):
    assert repr(rounded(x)) == expected


def test_decimals():
    assert rounded(math.pi, 2) == 3.14
    assert repr(rounded(-0.4, 0)) == "0.0"
    assert rounded(math.pi, decimals=15) == round(math.pi, 15)


@pytest.mark.parametrize("decimals", [-1, 16, 2.0, True, None, "4"])
def test_bad_decimals(decimals):
    with pytest.raises(ValueError, match="decimals must be a whole number from 0 to 15"):
        rounded(1.0, decimals)


@pytest.mark.parametrize("x", ["1.0", None, 1j, [1.0, "a"], np.array([1j]), object()])
def test_values_that_are_no_real_numbers(x):
    with pytest.raises(ValueError, match="a real number is needed"):
        rounded(x)


def test_the_argument_is_not_changed():
    x = [0.123456, [1.0]]
    rounded(x)
    assert x == [0.123456, [1.0]]


@pytest.mark.parametrize(
    "x", [0.12345, -0.12345, 1.00005, 0.12345 + 5e-11, 0.12345 - 5e-11, [[1.0, 2.71825]]]
)
def test_ties_are_refused_while_authoring(authoring, x):
    with pytest.raises(ValueError, match="lies on a rounding tie at 4 decimals"):
        rounded(x)


@pytest.mark.parametrize(
    "x", [0.5, 0.1234, 0.25, 0.0, -0.0, 5, 0.12345 + 2e-10, 1e300, math.inf, math.nan, 0.00049999]
)
def test_what_is_no_tie(authoring, x):
    rounded(x)


def test_whole_numbers_are_no_tie_and_halves_are(authoring):
    assert rounded(3, 0) == 3.0
    with pytest.raises(ValueError, match="rounding tie at 0 decimals"):
        rounded(2.5, 0)


@pytest.mark.parametrize("value", ["0", "", "yes"])
def test_ties_pass_while_reading(monkeypatch, value):
    assert rounded(0.12345) in (0.1234, 0.1235)
    monkeypatch.setenv("COURSE_AUTHORING", value)
    assert rounded(0.12345) in (0.1234, 0.1235)


@given(st.floats(-1e6, 1e6), st.integers(0, 8))
def test_close_to_the_value_and_stable(x, decimals):
    once = rounded(x, decimals)
    assert abs(once - x) <= 0.5 * 10.0**-decimals * (1 + 1e-6)
    assert rounded(once, decimals) == once
    assert math.copysign(1, once) == 1 or once < 0


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (0.1 + 0.2, 0.3, "below 1e-15"),
        (np.ones((2, 3)), torch.ones(2, 3, requires_grad=True), "below 1e-15"),
        ([1.0, 2.0], [1.0, 2.5], "5.0e-01"),
        (np.array([True, False]), [1, 0], "below 1e-15"),
        (math.nan, 1.0, "nan"),
    ],
)
def test_a_gap_is_its_bound_or_itself(a, b, words):
    assert gap(a, b, 1e-15) == words


def test_a_gap_near_its_bound_is_refused_while_authoring(authoring):
    assert gap(0.0, 2e-13, 1e-12) == "below 1e-12"
    assert gap(0.0, 2e-12, 1e-12) == "2.0e-12"
    with pytest.raises(ValueError, match=r"5\.0e-13 is close to its bound 1e-12"):
        gap(0.0, 5e-13, 1e-12)


@pytest.mark.parametrize(
    ("a", "b", "bound", "what"),
    [
        ([1.0, 2.0], [1.0], 1e-9, r"a has shape \(2,\), b has \(1,\)"),
        ([], [], 1e-9, "give two of one shape"),
        (1.0, 1.0, 0.0, "bound=0.0"),
        (1.0, "x", 1.0, "b must be made of real numbers"),
    ],
)
def test_no_gap_without_two_of_one_shape(a, b, bound, what):
    with pytest.raises(ValueError, match=what):
        gap(a, b, bound)
