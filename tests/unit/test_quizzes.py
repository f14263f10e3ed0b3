"""`predict`: its questions, its verdicts, its words and its panel."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import time
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from course_utils import quizzes
from course_utils.live import rerun
from course_utils.live.noted import LIVE
from course_utils.quizzes import chapters, get_question, predict, questions_of
from course_utils.quizzes.panel import Prediction
from course_utils.quizzes.question import LETTERS, Choice, Question, solve

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
QUESTIONS = [question for chapter in chapters() for question in questions_of(chapter)]
solved = functools.cache(solve)
SLOWEST = 2.0  # seconds of the processor; less than one on an idle laptop


def made(answer="b", **changes) -> Question:
    """A question whose measured answer is `answer`."""
    question = Question(
        name="99.made",
        text="Is 1 < 2, and what is `x & y`?",
        choices=(
            Choice("the first <b>", "a", "Think of {number} & more."),
            Choice("the second", "b"),
            Choice("the third", "c", "No number is below itself."),
        ),
        measure=lambda: {"answer": answer, "number": 7},
        explanation="It was measured: {number} < 8.",
    )
    return dataclasses.replace(question, **changes)


# -- every question of the course ------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_has_one_right_answer_and_a_word_for_every_other(question):
    answer = solved(question)  # raises unless exactly one choice has the measured value
    texts = [choice.text for choice in question.choices]
    assert 3 <= len(texts) <= len(LETTERS)
    assert len(set(texts)) == len(texts)
    assert len({repr(choice.value) for choice in question.choices}) == len(texts)
    assert question.text.endswith("?")
    assert answer.explanation.endswith(".")
    assert "{" not in answer.explanation + "".join(answer.replies)
    for index, reply in enumerate(answer.replies):
        assert bool(reply) == (index != answer.right), f"{LETTERS[index]}) has no reply"
    wrong = [reply for reply in answer.replies if reply]
    assert len(set(wrong)) == len(wrong)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_reply_does_not_name_the_right_choice(question):
    answer = solved(question)
    right = question.choices[answer.right].text
    assert not [reply for reply in answer.replies if right.lower() in reply.lower()]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_the_form_of_a_choice_does_not_give_it_away(question):
    right = question.choices[solved(question).right]
    reasons = [":" in choice.text for choice in question.choices if choice is not right]
    assert (":" in right.text) in reasons, "the right choice alone has a reason, or alone has none"


@pytest.mark.parametrize("chapter", chapters())
def test_one_letter_is_not_always_right(chapter):
    assert len({solved(question).right for question in questions_of(chapter)}) > 1


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_an_answer_is_the_same_in_every_state_of_the_kernel_and_leaves_it_alone(question):
    first = solved(question)
    before = torch.get_default_dtype()
    try:
        for dtype, seed in ((torch.float32, 1), (torch.float64, 2)):
            torch.set_default_dtype(dtype)
            for module in (random, np.random, torch):
                (module.seed if module is not torch else module.manual_seed)(seed)
            kept = random.random, np.random.random, torch.rand  # what comes next, without it
            wanted = [str(draw(1) if draw is torch.rand else draw()) for draw in kept]
            for module in (random, np.random, torch):
                (module.seed if module is not torch else module.manual_seed)(seed)
            assert solve(question) == first
            assert [str(draw(1) if draw is torch.rand else draw()) for draw in kept] == wanted
            assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_an_answer_is_measured_quickly(question):
    solved(question)  # the first time it may load data
    start = time.process_time()
    solve(question)
    assert time.process_time() - start < SLOWEST


@pytest.mark.parametrize("chapter", chapters())
def test_the_questions_of_a_chapter_have_its_number_and_names_of_their_own(chapter):
    names = [question.name for question in questions_of(chapter)]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{chapter}.") for name in names)
    assert 2 <= len(names) <= 4


# -- the answer is measured ------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["d", "B", 2, None])
def test_a_measured_answer_that_no_choice_has_is_an_error(answer):
    with pytest.raises(ValueError, match=r"99\.made.*that of 0 choices"):
        solve(made(answer))


def test_a_measured_answer_that_two_choices_have_is_an_error():
    choices = (Choice("one", 1.0), Choice("almost one", 1.0 + 1e-9), Choice("two", 2.0))
    with pytest.raises(ValueError, match="that of 2 choices"):
        solve(made(1.0, choices=choices))


def test_the_right_choice_follows_what_was_measured():
    assert [solve(made(answer)).right for answer in "abc"] == [0, 1, 2]
    assert predict_made("c").answer("c").right


@pytest.mark.parametrize(
    ("measured", "right"), [(10.0 - 1e-12, 0), (10, 0), (math.inf, 1), (np.float64(9.9), 2)]
)
def test_numbers_are_compared_as_numbers(measured, right):
    choices = tuple(Choice(str(value), value) for value in (10.0, math.inf, 9.9))
    assert solve(made(measured, choices=choices)).right == right


# -- verdicts --------------------------------------------------------------------------------------


def predict_made(answer="b", **changes) -> Prediction:
    return Prediction(made(answer, **changes))


def test_a_wrong_answer_gets_its_own_sentence_and_another_try():
    prediction = predict_made()
    assert (prediction.state, prediction.right, prediction.done) == ("not answered", False, False)
    prediction.answer("a")
    assert prediction.state == "not yet"
    assert prediction.message == "It is not a). Think of 7 & more."
    prediction.answer("C)")
    assert "No number is below itself." in prediction.message
    assert prediction.answer(" b ") is prediction
    assert (prediction.state, prediction.right, prediction.done) == ("right", True, True)
    assert prediction.message == "It was measured: 7 < 8."
    assert prediction.tries == ["a", "c", "b"]
    assert repr(prediction) == "99.made: right. It was measured: 7 < 8."


def test_after_the_right_answer_nothing_changes_it():
    prediction = predict_made().answer("b").answer("a").reveal()
    assert prediction.state == "right"
    assert prediction.tries == ["b"]
    assert not prediction.revealed


@pytest.mark.parametrize(("tried", "state"), [("", "not answered"), ("a", "not yet")])
def test_showing_the_answer_is_no_right_answer(tried, state):
    prediction = predict_made()
    if tried:
        prediction.answer(tried)
    prediction.reveal().answer("b")
    assert (prediction.state, prediction.right, prediction.revealed) == (state, False, True)
    assert repr(prediction) == "99.made: the answer. b) the second. It was measured: 7 < 8."


@pytest.mark.parametrize("letter", ["d", "", "ab", "the second", 1, None, ["a"], b"a", "ª"])
def test_an_answer_that_is_no_choice_is_named_and_changes_nothing(letter):
    prediction = predict_made()
    with pytest.raises(ValueError, match=r"unknown choice of 99\.made .*known: a, b, c"):
        prediction.answer(letter)
    assert (prediction.state, prediction.tries) == ("not answered", [])


def test_predict_takes_the_answer_at_once():
    right = LETTERS[solve(get_question("09.saddle")).right]
    assert predict("09.saddle", right).right
    wrong = next(letter for letter in "abc" if letter != right)
    assert predict("09.saddle", wrong).state == "not yet"


@pytest.mark.parametrize("name", ["09.sadle", "9.saddle", "saddle", "77.x", "", None, 9, ["09"]])
def test_an_unknown_question_is_named_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"unknown question .*known: 00\..*09\.saddle"):
        predict(name)


def test_the_nearest_question_is_suggested():
    with pytest.raises(ValueError, match=r"Did you mean '09\.saddle'\?"):
        predict("09.sadle")


@pytest.mark.parametrize("chapter", ["77", "9", "", None, 9])
def test_an_unknown_chapter_is_named(chapter):
    with pytest.raises(ValueError, match=r"unknown chapter .*known: 00, .*09"):
        questions_of(chapter)


def test_the_cell_asks_its_question_and_nothing_else():
    source = quizzes.cell("09.saddle")
    space: dict = {}
    exec(source, space)
    assert eval(source.splitlines()[-1], space).name == "09.saddle"
    with pytest.raises(ValueError, match="unknown question"):
        quizzes.cell("09.nothing")


# -- in words --------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The tags of a page, in order, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.folded = self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "details" in self.open and "summary" not in self.open:
            self.folded += data
        else:
            self.words += data


def test_without_buttons_the_words_ask_and_do_not_tell():
    text = repr(predict_made())
    assert text.splitlines() == [
        "99.made: what do you expect? Is 1 < 2, and what is `x & y`?",
        "  a) the first <b>.",
        "  b) the second.",
        "  c) the third.",
        'To answer in words: predict("99.made", "a"). To give up: predict("99.made").reveal()',
    ]


def test_the_page_folds_the_answer_and_escapes_every_text():
    page = Tags(predict_made()._repr_html_())
    assert page.open == []
    assert [line in page.words for line in ("a) the first <b>.", "b) the", "c) the")] == [True] * 3
    assert page.tags.count("b") == 1  # the heading; not the one of a choice
    assert page.folded == "b) the second. It was measured: 7 < 8."
    assert "Is 1 < 2, and what is x & y?" in page.words
    assert "measured" not in page.words


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_every_question_is_whole_in_words_and_as_a_page(question):
    prediction = Prediction(question)
    page = Tags(prediction._repr_html_())
    for text in (question.text, *(choice.text for choice in question.choices)):
        assert text in repr(prediction)
        assert text.replace("`", "") in page.words
    assert solved(question).explanation.replace("`", "") in page.folded
    assert page.open == []


def test_an_answered_question_shows_its_verdict_as_a_page():
    page = predict_made().answer("a")._repr_html_()
    assert 'role="status"' in page
    assert "✗ 99.made: not yet" in page
    assert "Think of 7 &amp; more." in page
    assert "<details>" not in page


# -- the panel -------------------------------------------------------------------------------------


def said(prediction: Prediction, message) -> dict:
    """What the panel shows after the page has sent `message`."""
    prediction.widget._handle_custom_msg(message, [])
    return prediction.widget.shown


def test_the_panel_is_judged_by_the_kernel():
    prediction = predict_made()
    assert prediction.widget.shown | {"edge": ""} == {
        "turn": 0,
        "edge": "",
        "said": "",
        "wrong": [],
        "right": -1,
    }
    shown = said(prediction, {"type": "answer", "choice": 0})
    assert (shown["wrong"], shown["right"], shown["turn"]) == ([0], -1, 1)
    assert shown["said"] == "<b>✗ 99.made: not yet.</b> It is not a). Think of 7 &amp; more."
    again = said(prediction, {"type": "answer", "choice": 0})
    assert again["turn"] == 2  # the page hears of it although the words are the same
    shown = said(prediction, {"type": "answer", "choice": 1})
    assert (shown["right"], prediction.state) == (1, "right")
    assert said(prediction, {"type": "reveal"}) == shown


def test_the_panel_shows_the_answer_when_asked():
    prediction = predict_made()
    shown = said(prediction, {"type": "reveal"})
    assert shown["right"] == 1
    assert "the answer" in shown["said"] and "7 &lt; 8" in shown["said"]
    assert prediction.state == "not answered"


def test_checking_without_a_choice_asks_for_one():
    prediction = predict_made()
    shown = said(prediction, {"type": "answer", "choice": -1})
    assert "Choose one of the answers first." in shown["said"]
    assert (prediction.state, prediction.tries) == ("not answered", [])


NONSENSE = [{}, [], None, "x", {"type": 7}, {"type": "answer"}, {"type": "answer", "choice": 9}]
NONSENSE += [{"type": "answer", "choice": value} for value in ("0", None, 0.5, [0], True)]


@pytest.mark.parametrize("message", NONSENSE, ids=repr)
def test_nonsense_from_the_page_is_no_answer(message):
    prediction = predict_made()
    said(prediction, message)
    assert (prediction.state, prediction.tries, prediction.revealed) == ("not answered", [], False)


def test_the_panel_escapes_every_text():
    panel = predict_made().widget
    assert "1 &lt; 2" in panel.question and "<code>x &amp; y</code>" in panel.question
    assert panel.choices[0] == "a) the first &lt;b&gt;."


def test_what_was_said_before_the_panel_was_made_is_on_it():
    assert predict_made().answer("a").widget.shown["wrong"] == [0]


def test_a_cell_shows_words_page_and_panel(monkeypatch):
    monkeypatch.setattr(rerun, "current_cell", lambda: None)
    prediction = predict_made()
    data, metadata = prediction._repr_mimebundle_()
    assert metadata == {LIVE: prediction.widget.model_id}
    assert set(data) == {"text/plain", "text/html", WIDGET_VIEW}
    assert data["text/plain"] == repr(prediction)
    assert data[WIDGET_VIEW]["model_id"] == prediction.widget.model_id


def test_running_the_cell_again_closes_the_old_panel(monkeypatch):
    run = [0]
    monkeypatch.setattr(rerun, "current_cell", lambda: ("cell", run[0]))
    monkeypatch.setattr(rerun, "_by_cell", {})
    old, new = predict_made(), predict_made()
    old._repr_mimebundle_()
    panel = old.widget
    run[0] = 1
    new._repr_mimebundle_()
    assert old.closed and panel.comm is None
    assert not new.closed and new.widget.comm is not None
    assert rerun.shown(Prediction) == [new]
    assert WIDGET_VIEW not in old._repr_mimebundle_()[0]
    old.answer("b")  # kept in a variable, it still answers in words
    assert old.right
