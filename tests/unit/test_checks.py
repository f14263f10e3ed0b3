"""The exercise engine on a small exercise: states, messages, containers, what `check` shows."""

from __future__ import annotations

import dataclasses
import random
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import checks
from course_utils.checks import CheckResult, check, hint, solution
from course_utils.exercises import chapters, exercises_of, get_exercise, running
from course_utils.exercises.describing import describe, describe_object
from course_utils.exercises.exercise import (
    Case,
    Exercise,
    NotYet,
    case,
    edge,
    mistakes,
    variant,
)
from course_utils.exercises.judging import judge
from course_utils.exercises.messages import difference
from course_utils.exercises.rules import autograd, no_loop, no_tensors
from course_utils.exercises.running import Outcome, is_stub
from course_utils.exercises.values import Near, canonical, equal


def doubling_cases(r):
    yield case(np.array([2.5]))
    yield case(np.array([[1.0, -2.0], [0.5, 4.0]]))
    yield edge(np.array([]))


DOUBLE = Exercise(
    name="99.double",
    title="a test",
    prompt="",
    stub="def f(x):\n    raise NotImplementedError",
    hints=("first", "second"),
    solution="def f(x):\n    return 2 * x",
    wrong=mistakes("""
? The square is something else.
- 2 * x >>> x * x
? Nothing is doubled.
- 2 * x >>> x
"""),
    cases=doubling_cases,
    closing="Well done.",
    examples=(("f(1.0)", "2.0"), ("f(3.0)", "6.0")),
)


def judged(answer, **changes):
    return judge(dataclasses.replace(DOUBLE, **changes), answer)


# ------------------------------------------------------------------------------------ states


def test_correct():
    verdict = judged(lambda x: 2 * x)
    assert (verdict.state, verdict.message) == ("correct", "Well done.")


def test_the_wrong_program_that_behaves_so_gives_the_message():
    assert judged(lambda x: x**2).message == "The square is something else. (`f(1.0)` gives `1`.)"


def test_a_mistake_that_agrees_in_one_case_only_is_not_named():
    message = judged(lambda x: x * x if np.size(x) == 1 else x).message
    assert message == "`f(1.0)` gives `1`; expected is `2`."


def test_edges_do_not_choose_the_mistake():
    def raises_at_the_edge(x):
        if np.size(x) == 0:
            raise ValueError("empty")
        return x

    assert judged(raises_at_the_edge).message.startswith("Nothing is doubled.")


def test_not_yet_names_the_input_and_what_was_expected():
    verdict = judged(lambda x: x + 7)
    assert verdict.state == "not yet"
    assert verdict.message == "`f(1.0)` gives `8`; expected is `2`."


def raises_not_implemented(x):
    raise NotImplementedError


def only_a_docstring(x):
    """Nothing yet."""


def only_dots(x): ...


class OnlyStubs:
    def __init__(self, lr):
        self.lr = lr

    def step(self, x):
        raise NotImplementedError


@pytest.mark.parametrize(
    "answer",
    [None, ..., raises_not_implemented, only_a_docstring, only_dots, lambda x: ..., OnlyStubs],
)
def test_not_attempted(answer):
    assert is_stub(answer)
    assert judged(answer).state == "not attempted"


@pytest.mark.parametrize("answer", [lambda x: x, lambda x: 5, lambda x: "", lambda x: [], print, 0])
def test_a_short_wrong_answer_is_an_attempt(answer):
    assert not is_stub(answer)
    assert judged(answer).state == "not yet"


def test_a_missing_return_is_named():
    def forgets(x):
        y = 2 * x  # noqa: F841

    assert "gives `None`. Is a `return` missing?" in judged(forgets).message


def test_a_stub_that_is_half_written_is_an_attempt():
    def half(x):
        if np.size(x) == 1:
            return 2 * x
        raise NotImplementedError

    verdict = judged(half)
    assert verdict.state == "not yet"
    assert "stub's line `raise NotImplementedError`" in verdict.message


def test_a_branch_that_still_raises_is_an_attempt():
    def half(x):
        if x < 0:
            raise NotImplementedError
        return 2 * x

    assert not is_stub(half)
    assert not is_stub(type("Half", (), {"step": half}))


def test_not_implemented_from_a_library_is_an_error_and_not_a_stub():
    def through_torch(x):
        return nn.Module()(torch.as_tensor(x))

    verdict = judged(through_torch)
    assert verdict.state == "not yet"
    assert "NotImplementedError" in verdict.message and "stub" not in verdict.message


def test_an_exception_is_shown_with_input_and_line():
    def f(x):
        return 1 / (x - 1)

    message = judged(f).message
    assert "`f(1.0)` raised ZeroDivisionError" in message
    assert "in the line `return 1 / (x - 1)`" in message


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (lambda x: x ^ 2, "A power is written `**`"),
        (lambda x: 1 if x else 2, "needs a decision for each entry"),
        (lambda x: None + x, "Something is None there"),
        (lambda x, y: x, "other arguments than the stub"),
        (lambda x: torch.ones(1).sum().backward(), "asked for a gradient"),
        (lambda x: nn.MSELoss(x, 2 * x), "make the loss function first"),
        (lambda x: nn.MSELoss(torch.tensor(x), x), "make the loss function first"),
    ],
)
def test_a_library_s_error_comes_with_advice(line, part):
    assert part in judged(line, examples=(), kinds=("array",), cases=only_a_matrix).message


def only_a_matrix(r):
    yield case(np.array([[1.5, 2.0]]))


def test_the_kind_that_got_furthest_gives_the_message():
    def only_torch(x):
        return torch.clone(x) * 2 if x.ndim < 2 else x * 3

    message = judged(only_torch, examples=()).message
    assert "TypeError" not in message and "3" in message


# ---------------------------------------------------------------- what counts as right


@pytest.mark.parametrize(
    "convert",
    [
        np.float16,
        np.float32,
        np.array,
        torch.as_tensor,
        lambda x: np.asarray(x).tolist(),
        lambda x: torch.as_tensor(x, dtype=torch.bfloat16),
        lambda x: torch.tensor(np.asarray(x), dtype=torch.float32, requires_grad=True),
        lambda x: np.array([x]) if np.ndim(x) == 0 else x,
        lambda x: np.vectorize(Fraction, otypes=[object])(x) if np.size(x) else x,
    ],
)
def test_any_container_and_float_type_passes(convert):
    assert judged(lambda x: convert(2 * x)).state == "correct"


def test_only_one_kind_of_container_must_do():
    assert judged(lambda x: x.mul(2), examples=()).state == "correct"
    assert judged(lambda x: np.multiply(x, 2), kinds=("array",)).state == "correct"
    refused = judged(lambda x: x.mul(2), examples=(), kinds=("array",))
    assert "AttributeError" in refused.message


def test_arguments_that_stay_as_they_are_only_where_the_prompt_says_so():
    def in_place(x):
        x *= 2
        return x

    assert judged(in_place).state == "correct"
    assert "changes `x` in place" in judged(in_place, pure=True).message
    assert "in place" in judged(in_place, pure=True, kinds=("tensor",)).message


def test_arguments_stay_as_they_are_in_every_kind_of_container():
    def in_place_for_tensors(x):
        return x.mul_(2) if torch.is_tensor(x) else 2 * x

    assert judged(in_place_for_tensors).state == "correct"
    assert "changes `x` in place" in judged(in_place_for_tensors, pure=True).message


def test_a_result_that_must_be_new():
    assert judged(lambda x: x, solution="def f(x):\n    return x", fresh=False).state == "correct"
    verdict = judged(lambda x: x, solution="def f(x):\n    return x + 0.0", wrong=(), fresh=True)
    assert "its own argument" in verdict.message


def test_keyword_only_arguments_with_the_names_of_the_stub():
    changes = {
        "stub": "def f(x, *, factor):\n    raise NotImplementedError",
        "solution": "def f(x, factor):\n    return factor * x",
        "cases": lambda r: [case(2.0, 3.0)],
        "examples": (),
        "wrong": (),
    }
    assert judged(lambda x, *, factor: factor * x, **changes).state == "correct"
    assert judged(lambda x, *, other: other * x, **changes).state == "not yet"


def test_equal_values():
    one = np.float64(1 / 3)
    assert equal(canonical(np.float32(1 / 3)), canonical(one), 2e-4)
    assert not equal(canonical(0.334), canonical(one), 2e-4)
    assert equal(canonical([np.ones(2), 3]), canonical((np.ones(2), 3.0)), 2e-4)
    assert equal(canonical([[1, 2], [3, 4]]), canonical(np.array([[1, 2], [3, 4]])), 2e-4)
    assert not equal(canonical([1, 2, 3]), canonical(np.array([1, 2])), 2e-4)
    assert equal(canonical([np.nan, np.inf]), canonical(np.array([np.nan, np.inf])), 2e-4)
    assert equal({"a": "yes", "~b": 1}, {"a": "yes", "~b": 2}, 2e-4)
    assert not equal({"a": "yes"}, {"a": "no"}, 2e-4)
    assert equal(canonical(1.02), Near(1.0, 0.05), 2e-4)
    assert not equal(canonical(1.2), Near(1.0, 0.05), 2e-4)
    assert not equal("an object of type set", canonical(1.0), 2e-4)


@pytest.mark.parametrize(
    "value", ["0.5", b"0.5", ["0.5"], np.array(["0.5"]), np.array(["0.5"], dtype=object), 1j, {1}]
)
def test_text_and_complex_numbers_are_no_numbers(value):
    assert not equal(canonical(value), canonical(0.5), 2e-4)


def test_a_list_that_contains_itself_ends():
    endless: list = []
    endless.append(endless)
    assert judged(lambda x: endless).state == "not yet"


# ------------------------------------------------------------------------------- messages


def told(got, wanted):
    return difference("`f`", Outcome(canonical(got)), Outcome(canonical(wanted)))


def test_differences_in_words():
    assert told([[1, 2]], np.array([1, 2])) == (
        "`f` has shape (1, 2), expected is (2,): 2 dimensions instead of 1."
    )
    assert "axes are in another order" in told(np.zeros((2, 3)), np.ones((3, 2)))
    assert "as many values, cut differently" in told(np.zeros((2, 6)), np.ones((3, 4)))
    assert "12 values instead of 9" in told(np.zeros((3, 4)), np.ones((3, 3)))
    assert "first difference is at index [1, 0]" in told(
        [[1, 2], [9, 4]], np.array([[1, 2], [3, 4]])
    )
    assert told(0.05004, 0.05) == "`f` gives `0.05004`; expected is `0.05`."
    assert told(1 + 1e-9, 1.0) == "`f` gives `1.000000001`; expected is `1`."
    assert "divided by 0" in told([1.0, np.nan], np.array([1.0, 2.0]))
    assert told("two", 2.0) == "`f` gives `'two'`; expected is `2`."
    assert "an object of type set" in told({1}, 2.0)


def test_the_first_difference_is_no_rounding_error():
    wanted = np.arange(20.0)
    assert told(np.where(wanted == 7, 70, wanted + 1e-7), wanted) == (
        "`f` gives 70 at index 7; expected is 7 there."
    )


def test_one_simple_relation_of_all_results_is_said():
    assert judged(lambda x: -2 * x).message.startswith("The sign is turned around")
    several = {"cases": lambda r: [case(r.normal(size=(2, 3))) for _ in range(3)], "examples": ()}
    assert "Every number is 1.5 times the right one." in judged(lambda x: 3 * x, **several).message
    assert "transposed" in judged(lambda x: 2 * x.T, **several).message
    assert "first entry is missing" in judged(lambda x: 2 * x[1:], **several).message
    assert "last entry is missing" in judged(lambda x: 2 * x[:-1], **several).message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([1.0, 0.5]), "`[1, 0.5]`"),
        (np.zeros((5, 5)), "an array of shape (5, 5)"),
        (np.array(1.25), "`1.25`"),
        (None, "`None`"),
        ("x" * 100, "`'" + "x" * 56 + "…`"),
    ],
)
def test_describe(value, text):
    assert describe(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "`3`"),
        (object(), "an `object`"),
        (dict, "the class `dict`"),
        (torch.zeros(5, 5), "a Tensor of shape (5, 5)"),
        (nn.Flatten(), "a `Flatten`"),
    ],
)
def test_describe_what_was_passed(value, text):
    assert describe_object(value) == text
    assert text in judged(value).message if not callable(value) else True


def test_a_message_has_at_most_five_lines():
    def shouts(x):
        raise ValueError("word " * 5000)

    assert len(judged(shouts).message) < 1300


# ---------------------------------------------------------------- probes, goals and rules


def test_a_probe_observes_and_may_say_something_definite():
    def probe(answer, x):
        if answer(1) is None:
            raise NotYet("It must give something.")
        return {"half": answer(x) / 2, "~why": "large" if answer(x) > 100 else "small"}

    changes = {"probe": probe, "examples": (), "cases": lambda r: [case(3.0, label="of 3")]}
    assert judged(lambda x: 2 * x, **changes).state == "correct"
    assert judged(lambda x: print(), **changes).message == "It must give something."
    assert judged(lambda x: x + 0.5, **changes).message == (
        "`f` of 3: half gives `1.75`; expected is `3`."
    )


def test_a_goal_takes_every_way_and_gives_its_advice():
    changes = {
        "goal": lambda value: "" if value > 10 else "Larger.",
        "examples": (),
        "cases": lambda r: [case(3.0)],
    }
    assert judged(lambda x: 11, **changes).state == "correct"
    assert judged(lambda x: 1e9, **changes).state == "correct"
    assert judged(lambda x: 3, **changes).message == "Larger."
    assert "ZeroDivisionError" in judged(lambda x: x / 0, **changes).message


def test_rules_are_asked_of_right_answers_only():
    def looped(x):
        return np.array([2 * v for v in np.ravel(x)]).reshape(np.shape(x))

    assert judged(looped, rules=(no_loop,)).message.endswith("write it without a loop.")
    assert judged(lambda x: looped(x), rules=(no_loop,)).message.endswith("without a loop.")
    assert judged(lambda x: 2 * x, rules=(no_loop,)).state == "correct"
    assert "loop" not in judged(lambda x: looped(x) + 1, rules=(no_loop,)).message


def by_autograd(x):
    x = torch.tensor(np.asarray(x, dtype=np.float64), requires_grad=True)
    (x**2).sum().backward()
    return x.grad


def test_autograd_wanted_and_forbidden():
    assert judged(by_autograd, rules=(autograd(True),)).state == "correct"
    assert "without autograd" in judged(by_autograd, rules=(autograd(False),)).message
    assert "no part" in judged(lambda x: 2 * x, rules=(autograd(True),)).message


def test_a_rule_against_tensors():
    numbers = {"cases": lambda r: [case(2.0)], "rules": (no_tensors,)}
    assert judged(lambda x: 2 * x, **numbers).state == "correct"
    assert (
        "without making tensors" in judged(lambda x: float(torch.tensor(x) * 2), **numbers).message
    )


# --------------------------------------------------------------------- how mistakes are written


def test_mistakes_are_read():
    first, second, third = mistakes(
        """
? A message
  in two lines.
- a >>> b
- c >>> d && e >>> f
& g >>> h
? Another.
def f():
    return 1
def g():
    pass
? Dropped.
- line\\n >>> 
"""
    )
    assert first.message == "A message in two lines."
    assert first.programs == ({"a": "b"}, {"c": "d", "e": "f", "g": "h"})
    assert second.programs == ("def f():\n    return 1", "def g():\n    pass")
    assert third.programs == ({"line\n": ""},)
    with pytest.raises(ValueError, match="before the first message"):
        mistakes("- a >>> b")


def test_variant_changes_what_stands_there_once():
    assert variant("a + b", ("a", "c"), ("b", "d")) == "c + d"
    with pytest.raises(ValueError, match="2 times"):
        variant("a + a", ("a", "b"))
    with pytest.raises(ValueError, match="0 times"):
        variant("a", ("x", "b"))


def test_examples_are_cases():
    built = DOUBLE.build()
    assert [one.args for one in built[:2]] == [(1.0,), (3.0,)]
    more = dataclasses.replace(DOUBLE, examples=(("f(1.0) + 1", "3.0"),))
    assert more.build()[0] == Case((), expression="f(1.0) + 1")
    assert judge(more, lambda x: 2 * x).state == "correct"


# ------------------------------------------------------------------- nothing is changed


def test_an_endless_loop_is_given_up_politely(monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 0.2)

    def f(x):
        while True:
            pass

    message = judged(f).message
    assert message == (
        "`f(x)` was still running after 0.2 s and was stopped. Is there a loop that never ends?"
    )


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
    assert judged(f).state == "correct"
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
    assert get_exercise("09.ema").solution.strip() in repr(note)
    assert "\n\n" not in repr(note)
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
