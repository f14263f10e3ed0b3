"""Questions in a real JupyterLab: keyboard, mouse, screen reader's view, running again."""

from __future__ import annotations

import pytest

from course_utils import quizzes
from course_utils.quizzes.question import LETTERS
from tests.browser.lab import LabPage, write_notebook
from tests.browser.quiz import Quiz

NAME = "09.saddle"
STATE = (
    "from course_utils.quizzes import Prediction as _P; from course_utils.live import rerun as _r"
)


@pytest.fixture
def asked(scratch):
    """The question, just asked, in a notebook with a cell before and after."""
    lab = scratch("before = 1", quizzes.cell(NAME), "after = 2")
    lab.run_cell(1)
    return lab, Quiz(lab.page, NAME)


def kernel_state(lab: LabPage) -> str:
    return lab.kernel(f"{STATE}\nprint(*[(p.state, p.tries) for p in _r.shown(_P)])").strip()


def test_wrong_by_keyboard_right_by_mouse(asked):
    lab, quiz = asked
    assert quiz.said() == ""
    quiz.wrong_by_keyboard_then_right_by_mouse()
    wrong, right = (LETTERS[i] for i in (quiz.wrong[-1], quiz.answer.right))
    assert kernel_state(lab) == f"('right', ['{wrong}', '{right}'])"
    assert quiz.root.locator("label").nth(quiz.wrong[-1]).inner_text().endswith("✗ not this one")
    assert quiz.root.locator("label").nth(quiz.answer.right).inner_text().endswith("✓ right")
    assert quiz.radios.evaluate_all("(all) => all.every((one) => one.disabled)")
    assert lab.console_errors == []


def test_the_keys_belong_to_the_question_and_shift_enter_to_the_notebook(asked):
    lab, quiz = asked
    cells = len(lab.cells())
    quiz.choose_by_keyboard(quiz.wrong[0], "d")  # twice, "d" would delete the cell
    for key in ("d", "a", "b", "x", "ArrowUp", "ArrowDown"):
        lab.page.keyboard.press(key)
    assert len(lab.cells()) == cells
    assert quiz.root.evaluate("(form) => form.contains(document.activeElement)")
    before = lab.cells()[1]["execution_count"]
    lab.page.keyboard.press("Shift+Enter")
    lab.wait_idle()
    assert lab.cells()[1]["execution_count"] > before


def test_by_keyboard_alone_the_place_is_kept_to_the_end(asked):
    lab, quiz = asked
    quiz.choose_by_keyboard(quiz.wrong[0], "Tab")
    assert quiz.button("Check").evaluate("(b) => b === document.activeElement")
    lab.page.keyboard.press("Space")
    quiz.hears("not yet")
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Enter")
    quiz.hears("the answer", quiz.answer.explanation)
    assert quiz.button("Show the answer").evaluate("(b) => b === document.activeElement")
    assert kernel_state(lab).startswith("('not yet', ")
    lab.page.keyboard.press("Enter")  # nothing left to do, and nothing happens
    assert kernel_state(lab).startswith("('not yet', ")


def test_the_focus_moves_on_when_its_choice_was_right(asked):
    _, quiz = asked
    quiz.choose_by_keyboard(quiz.answer.right, "Enter")
    quiz.hears("right")
    assert quiz.button("Check").evaluate("(b) => b === document.activeElement")


def test_check_without_a_choice_asks_for_one(asked):
    lab, quiz = asked
    quiz.button("Check").click()
    quiz.hears("Choose one of the answers first.")
    assert kernel_state(lab) == "('not answered', [])"


def test_what_a_screen_reader_is_told(asked):
    lab, quiz = asked
    question = quizzes.get_question(NAME)
    group = lab.page.get_by_role("radiogroup", name=question.text)
    assert group.count() == 1
    for choice in question.choices:
        assert group.get_by_role("radio", name=choice.text).count() == 1
    status = quiz.root.get_by_role("status")
    assert status.get_attribute("aria-live") == "polite"
    quiz.choose_by_keyboard(quiz.wrong[0], "Tab")
    outline = quiz.button("Check").evaluate("(b) => getComputedStyle(b).outlineStyle")
    assert outline == "solid"
    lab.page.keyboard.press("Shift+Tab")
    frame = quiz.root.locator("label").nth(quiz.wrong[0])
    assert frame.evaluate("(l) => getComputedStyle(l).outlineStyle") == "solid"


def test_running_again_asks_anew_and_leaves_nothing_open(asked):
    lab, quiz = asked
    comms = "from comm import get_comm_manager; print(len(get_comm_manager().comms))"
    quiz.choose_by_mouse(quiz.wrong[0])
    quiz.hears("not yet")
    before = lab.kernel(comms)
    for _ in range(3):
        lab.run_cell(1)
    again = Quiz(lab.page, NAME)
    assert lab.page.locator(".course-quiz").count() == 1
    assert again.said() == "" and not again.radios.nth(quiz.wrong[0]).is_checked()
    assert lab.kernel(comms) == before
    assert kernel_state(lab) == "('not answered', [])"
    again.choose_by_mouse(again.answer.right)
    again.hears("right")


def test_a_mistyped_name_is_an_error_with_a_hint_and_the_kernel_lives(scratch):
    lab = scratch("from course_utils.quizzes import predict\n\npredict('09.sadle')")
    assert "Did you mean '09.saddle'?" in lab.errors()[0]
    assert lab.kernel("print(7)").strip() == "7"


def test_a_kernel_that_is_busy_or_gone_is_named(browser, lab):
    url, folder = lab
    write_notebook(folder / "gone.ipynb", quizzes.cell(NAME))
    page = LabPage(browser.new_page(), url, "gone.ipynb")
    page.run_all()
    quiz = Quiz(page.page, NAME)
    page.page.evaluate("() => window.jupyterapp.commands.execute('kernelmenu:shutdown')")
    quiz.choose_by_mouse(quiz.wrong[0])
    quiz.hears("run this cell again")
    page.close()
