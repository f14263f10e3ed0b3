"""The exercise engine: three states, helpful messages, and nothing of the learner's changed."""

from __future__ import annotations

import random
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import checks, probing
from course_utils.checks import (
    CheckResult,
    Exercise,
    chapters,
    check,
    exercises_of,
    get_exercise,
    hint,
    judge,
    solution,
    variant,
)
from course_utils.probing import NotYet, apart, attempt, compare, describe, is_empty, need_class


def make_exercise(checker) -> Exercise:
    return Exercise(
        name="99.test",
        title="a test",
        prompt="",
        answer="f",
        stub="",
        hints=("first", "second"),
        solution="",
        wrong=(),
        checker=checker,
    )


def double_checker(answer):
    for x in (1.0, 2.5):
        compare(attempt(answer, x, call=f"`f({x:g})`"), 2 * x, f"`f({x:g})`")
    return "Well done."


def judged(answer) -> CheckResult:
    return judge(make_exercise(double_checker), answer)


# ------------------------------------------------------------------------------------ states


def test_correct():
    result = judged(lambda x: 2 * x)
    assert result.state == "correct" and result.correct
    assert repr(result) == "99.test: correct. Well done."


def test_not_yet_names_the_input_and_what_was_expected():
    result = judged(lambda x: 3 * x)
    assert result.state == "not yet" and not result.correct
    assert repr(result) == "99.test: not yet. `f(1)` gives `3`; expected is `2`."


def raises_not_implemented(x):
    raise NotImplementedError


def only_a_docstring(x):
    """Nothing yet."""


def only_dots(x): ...


@pytest.mark.parametrize(
    "answer",
    [None, ..., raises_not_implemented, only_a_docstring, only_dots, lambda x: ...],
)
def test_not_attempted(answer):
    assert judged(answer).state == "not attempted"


@pytest.mark.parametrize("answer", [lambda x: x, lambda x: 5, lambda x: "", lambda x: []])
def test_a_short_wrong_answer_is_an_attempt(answer):
    assert judged(answer).state == "not yet"


def test_is_empty_sees_only_bodies_that_do_nothing():
    assert is_empty(only_dots)
    assert not is_empty(lambda x: x)
    assert not is_empty(raises_not_implemented)
    assert not is_empty(print)
    assert not is_empty(0)


def test_a_missing_return_is_named():
    def forgets(x):
        y = 2 * x  # noqa: F841

    assert "None. Is a `return` missing?" in judged(forgets).message


def test_not_implemented_from_a_library_is_an_error_and_not_a_stub():
    def through_torch(x):
        return nn.Module()(torch.tensor(x))  # a module without forward raises NotImplementedError

    result = judged(through_torch)
    assert result.state == "not yet"
    assert "NotImplementedError" in result.message


# -------------------------------------------------------------------- code that goes wrong


def test_an_exception_is_shown_with_input_and_line():
    def f(x):
        return 1 / (x - 1)

    message = judged(f).message
    assert "`f(1)` raised ZeroDivisionError" in message
    assert "in the line `return 1 / (x - 1)`" in message


@pytest.mark.parametrize("error", [SystemExit, MemoryError, RecursionError, AssertionError])
def test_every_exception_is_caught(error):
    def f(x):
        raise error

    assert error.__name__ in judged(f).message


def test_a_keyboard_interrupt_is_not_caught():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judged(f)


def test_an_endless_loop_is_given_up_politely(monkeypatch):
    monkeypatch.setattr(probing, "SECONDS", 0.2)

    def f(x):
        while True:
            pass

    result = judged(f)
    assert result.state == "not yet"
    assert "`f(1)` was still running after 0.2 s and was stopped" in result.message
    assert "loop that never ends" in result.message


def test_an_endless_loop_on_arrays_is_not_tried_again_with_tensors(monkeypatch):
    monkeypatch.setattr(probing, "SECONDS", 0.2)
    calls = []

    def f(x):
        calls.append(type(x))
        while True:
            pass

    with pytest.raises(NotYet):
        attempt(f, np.ones(2), call="`f`")
    assert calls == [np.ndarray]


def test_a_failing_checker_is_reported_and_does_not_raise():
    def broken(answer):
        return [][1]

    result = judge(make_exercise(broken), lambda x: x)
    assert result.state == "not yet"
    assert "could not be checked: IndexError" in result.message


class Strange:
    """Raises at everything one may do to it."""

    def __getattr__(self, name):
        raise RuntimeError("leave me alone")

    def __call__(self, x):
        return self


def test_a_strange_object_does_no_harm():
    assert judged(Strange()).state == "not yet"


# ---------------------------------------------------------------- what counts as right


@pytest.mark.parametrize(
    "convert",
    [
        float,
        np.float16,
        np.float32,
        np.float64,
        lambda x: np.array([x]),
        lambda x: [x],
        lambda x: torch.tensor(x),
        lambda x: torch.tensor(x, dtype=torch.float16),
        lambda x: torch.tensor(x, dtype=torch.bfloat16),
        lambda x: torch.tensor([x], dtype=torch.float32, requires_grad=True),
    ],
)
def test_any_float_type_passes(convert):
    assert judged(lambda x: convert(2 * x)).correct


def test_float32_rounding_passes_and_a_visible_difference_does_not():
    compare(np.float32(1 / 3), 1 / 3, "`f`")
    with pytest.raises(NotYet):
        compare(0.334, 1 / 3, "`f`")


def test_numpy_arrays_are_tried_as_tensors_when_numpy_fails():
    def only_torch(x):
        return x.clone().mul(2)

    assert attempt(only_torch, np.ones(3), call="`f`").tolist() == [2, 2, 2]
    assert attempt(lambda xs: xs[0].clone(), [np.ones(1)], call="`f`").tolist() == [1]


def test_what_the_checker_itself_finds_is_not_tried_again():
    """The tensors of a second try are made before the first one changes the arrays."""
    tries = []

    def watched(values):
        tries.append(values.tolist())
        values.sort()
        if tries[-1] != sorted(tries[-1]):
            raise NotYet("changed in place")

    with pytest.raises(NotYet, match="changed in place"):
        attempt(watched, np.array([2.0, 1.0]), call="`f`")
    assert tries == [[2.0, 1.0]]

    def only_torch(values):
        tries.append(values.tolist())
        values.sort()
        return values.clone()

    assert attempt(only_torch, np.array([2.0, 1.0]), call="`f`").tolist() == [2.0, 1.0]


def test_when_both_fail_the_first_error_is_shown():
    def fails(x):
        raise ValueError(type(x).__name__)

    with pytest.raises(NotYet, match="ndarray"):
        attempt(fails, np.ones(3), call="`f`")


def test_compare_uses_the_message_of_the_mistake():
    with pytest.raises(NotYet, match="Twice too much"):
        compare([2.0, 4.0], [1.0, 2.0], "`f`", [([3, 3], "Other"), ([2, 4], "Twice too much")])


def test_compare_names_the_first_difference():
    with pytest.raises(NotYet, match=r"first difference is at index \[1, 0\]"):
        compare([[1, 2], [9, 4]], [[1, 2], [3, 4]], "`f`")


def test_compare_names_shapes():
    with pytest.raises(NotYet, match=r"shape \(1, 2\), expected is \(2,\).*2 dimensions"):
        compare([[1, 2]], [1, 2], "`f`")
    with pytest.raises(NotYet, match=r"3 values instead of 2"):
        compare([1, 2, 3], [1, 2], "`f`")
    with pytest.raises(NotYet, match="axes are in another order"):
        compare(np.zeros((2, 3)), np.ones((3, 2)), "`f`")
    with pytest.raises(NotYet, match="as many values, cut differently"):
        compare(np.zeros((2, 6)), np.ones((3, 4)), "`f`")


def test_compare_shows_the_first_difference_of_a_large_array():
    with pytest.raises(NotYet, match=r"index \[2, 1\]: 5 instead of 0"):
        compare(np.eye(3) + 5 * np.eye(3, k=-1) * [[0], [0], [1]], np.eye(3), "`f`")


@pytest.mark.parametrize(
    "value", ["0.5", b"0.5", ["0.5"], np.array(["0.5"]), [["0.5"]], np.array(["0.5"], dtype=object)]
)
def test_text_is_no_number(value):
    with pytest.raises(NotYet, match="not text"):
        compare(value, 0.5, "`f`")


def test_fractions_are_numbers():
    compare([Fraction(1, 2), 10**30], [0.5, 1e30], "`f`")


def test_numbers_that_look_alike_are_shown_with_more_digits():
    with pytest.raises(NotYet, match=r"gives `0\.05004`; expected is `0\.05`\.$"):
        compare(0.05004, 0.05, "`f`")
    with pytest.raises(NotYet, match=r"gives `1\.0003`; expected is `1`\.$"):
        compare(1.0003, 1.0, "`f`")
    with pytest.raises(NotYet, match=r"at index 1: 2e-05 instead of 1e-05\."):
        compare([5e-5, 2e-5], [5e-5, 1e-5], "`f`")
    assert apart(1 / 3, 0.5) == ("0.3333", "0.5")
    assert apart(1 + 1e-9, 1.0) == ("1.000000001", "1")
    assert apart(2.0, 2.0) == ("2", "2")


def test_the_first_difference_is_no_rounding_error():
    wanted = np.arange(20.0)
    with pytest.raises(NotYet, match=r"index 7: 70 instead of 7\."):
        compare(np.where(wanted == 7, 70, wanted + 1e-7), wanted, "`f`")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_compare_names_numbers_that_are_not_finite(value):
    with pytest.raises(NotYet, match="divided by 0"):
        compare([1.0, value], [1.0, 2.0], "`f`")


@pytest.mark.parametrize("value", ["two", {"a": 1}, object(), [1, [2, 3]], 1j])
def test_compare_refuses_what_is_no_number(value):
    with pytest.raises(NotYet, match="numbers are expected"):
        compare(value, 2.0, "`f`")


def test_passing_a_call_or_a_class_where_a_function_is_expected():
    with pytest.raises(NotYet, match=r"Pass the function itself: `f`"):
        probing.need_function(3.0, "f(x)")
    with pytest.raises(NotYet, match=r"the class `Strange`"):
        probing.need_function(Strange, "f(x)")


def test_passing_an_object_where_a_class_is_expected():
    with pytest.raises(NotYet, match=r"Pass the class itself: `Rule`"):
        need_class(3.0, "Rule", "update")
    with pytest.raises(NotYet, match="no method `update`"):
        need_class(Strange, "Rule", "update")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([1.0, 0.5]), "`[1, 0.5]`"),
        (np.zeros((5, 5)), "an array of shape (5, 5)"),
        (torch.zeros(5, 5), "a tensor of shape (5, 5)"),
        (torch.tensor(1.25), "`1.25`"),
        (3, "`3`"),
        ("x" * 100, "`'" + "x" * 56 + "...`"),
        (object(), "an `object`"),
        (np.array(["a", "b"]), "an array of shape (2,)"),
        (nn.Flatten(), "a `Flatten`"),
    ],
)
def test_describe(value, text):
    assert describe(value) == text


# ------------------------------------------------------------------- nothing is changed


def test_the_random_state_is_kept():
    def f(x):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        return 2 * x

    def draws():
        return torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002

    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    expected = draws()
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])
    assert judged(f).correct
    assert draws() == expected


def test_warnings_of_numpy_stay_quiet(recwarn):
    judged(lambda x: np.float64(x) / np.float64(0))
    assert not recwarn.list


# ----------------------------------------------------------------------------- display


def test_html_says_the_state_in_words_and_escapes():
    result = CheckResult("09.ema", "not yet", "`a<b` is <i>wrong</i>")
    text = result._repr_html_()
    assert "09.ema: not yet" in text
    assert "<code>a&lt;b</code> is &lt;i&gt;wrong&lt;/i&gt;" in text
    assert 'role="status"' in text
    assert text == CheckResult("09.ema", "not yet", "`a<b` is <i>wrong</i>")._repr_html_()


def test_html_leaves_text_and_background_to_the_theme():
    for state in ("not attempted", "not yet", "correct"):
        text = CheckResult("09.ema", state, "x")._repr_html_()
        styles = ";".join(re.findall(r'style="([^"]*)"', text)).split(";")
        assert not {style.split(":")[0] for style in styles} & {"color", "background"}


def test_hints_are_graded_and_can_be_asked_by_number(monkeypatch):
    monkeypatch.setattr(checks, "_hints_given", {})
    first, second = get_exercise("09.ema").hints
    assert repr(hint("09.ema")) == f"Hint 1 of 2 for 09.ema: {first}"
    assert second in repr(hint("09.ema"))
    assert second in repr(hint("09.ema"))
    assert first in repr(hint("09.ema", 1))
    assert second in repr(hint("09.ema", 2))
    assert 'role="note"' in hint("09.ema", 1)._repr_html_()


@pytest.mark.parametrize("n", [0, 3, -1, True, "1", 1.0])
def test_a_hint_that_does_not_exist(n):
    with pytest.raises(ValueError, match="has hints 1 to 2"):
        hint("09.ema", n)


def test_solution_shows_code():
    note = solution("09.ema")
    assert get_exercise("09.ema").solution in repr(note)
    assert "<pre" in note._repr_html_()


# ------------------------------------------------------------------------------- names


def test_chapters_and_their_exercises():
    assert {"00", "09", "12"} <= set(chapters())
    assert [exercise.name for exercise in exercises_of("00")] == ["00.relu"]


@pytest.mark.parametrize("ask", [lambda name: check(name, None), hint, solution, get_exercise])
def test_an_unknown_name_lists_the_known_ones_and_the_nearest(ask):
    with pytest.raises(ValueError, match=r"unknown exercise '09\.emma'.*09\.ema.*12\.predict"):
        ask("09.emma")
    with pytest.raises(ValueError, match=r"Did you mean '09\.ema'"):
        ask("09.emma")


@pytest.mark.parametrize("name", ["", "09", "9.ema", "77.ema", None, 9])
def test_a_name_of_another_kind_is_unknown_too(name):
    with pytest.raises(ValueError, match="unknown exercise"):
        get_exercise(name)


def test_an_unknown_chapter():
    with pytest.raises(ValueError, match=r"unknown chapter '99'; known: 00"):
        exercises_of("99")


def test_variant_changes_what_stands_there_once():
    assert variant("a + b", ("a", "c"), ("b", "d")) == "c + d"
    with pytest.raises(ValueError, match="2 times"):
        variant("a + a", ("a", "b"))
    with pytest.raises(ValueError, match="0 times"):
        variant("a", ("x", "b"))
