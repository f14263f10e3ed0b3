"""Mistyped names: the message lists what is known and suggests the nearest."""

from __future__ import annotations

import pytest

from course_utils.names import look_up, nearest_name, unknown_name

KNOWN = ["SGD", "Momentum", "Adam"]


def test_message_names_value_known_names_and_nearest_match():
    error = unknown_name("optimizer", "Adan", KNOWN)
    assert isinstance(error, ValueError)
    assert str(error) == (
        "unknown optimizer 'Adan'; known: SGD, Momentum, Adam. Did you mean 'Adam'?"
    )


@pytest.mark.parametrize("value", ["qqqqqq", "", 7, None, ["Adam"]])
def test_no_guess_where_nothing_is_near(value):
    message = str(unknown_name("optimizer", value, KNOWN))
    assert message == f"unknown optimizer {value!r}; known: SGD, Momentum, Adam"


def test_no_known_names_at_all():
    assert str(unknown_name("thing", "x", [])) == "unknown thing 'x'; known: (none)"


@pytest.mark.parametrize(
    ("value", "expected"), [("adam", "Adam"), (" MOMENTUM ", "Momentum"), ("sgdd", "SGD")]
)
def test_nearest_ignores_capitals_and_spaces(value, expected):
    assert nearest_name(value, KNOWN) == expected


def test_known_may_be_an_iterator_and_is_read_once():
    assert "known: a, b" in str(unknown_name("letter", "z", iter(["a", "b"])))


def test_look_up_prefers_the_exact_name():
    table = {"sgd": 1, "SGD": 2}
    assert look_up("optimizer", "SGD", table) == 2
    assert look_up("optimizer", "sgd", table) == 1
    assert look_up("optimizer", " Sgd ", table) == 1
    with pytest.raises(ValueError, match=r"unknown optimizer 'sgdx'.*Did you mean 'sgd'"):
        look_up("optimizer", "sgdx", table)
    with pytest.raises(ValueError, match="unknown optimizer None"):
        look_up("optimizer", None, table)
    with pytest.raises(ValueError, match=r"unknown optimizer \['sgd'\]"):
        look_up("optimizer", ["sgd"], table)
