"""The chapters outside JupyterLab: in Notebook 7, and as a Voilà page without code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from course_utils import quizzes
from tests.browser.lab import LabPage, free_port, lab_server, running, write_notebook
from tests.browser.playground import Live
from tests.browser.quiz import Quiz

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CHAPTER = "02_autograd.ipynb"  # with two playgrounds and quick to run
EXPLORERS = {"slope_explorer()": 2, "descent_explorer()": 3}  # and how many sliders each has
QUESTIONS = [question.name for question in quizzes.questions_of(CHAPTER[:2])]


@pytest.fixture(scope="module")
def notebook7(browser, tmp_path_factory):
    """The chapter run to its end, the console errors of an empty notebook (Notebook 7's own), and
    a page with a question."""
    folder = tmp_path_factory.mktemp("notebook7")
    shutil.copy(NOTEBOOKS / CHAPTER, folder)
    write_notebook(folder / "empty.ipynb")
    with lab_server(folder, app="notebook") as url:
        empty = LabPage(browser.new_page(), url, "empty.ipynb")
        own_errors = empty.console_errors
        empty.close()
        page = LabPage(browser.new_page(), url, CHAPTER)
        page.run_all()
        write_notebook(folder / "question.ipynb", quizzes.cell("09.saddle"))
        question = LabPage(browser.new_page(), url, "question.ipynb")
        question.run_all()
        yield page, own_errors, question
        question.close()
        page.close()


def test_notebook7_runs_a_chapter_without_an_error(notebook7):
    chapter, own_errors, _ = notebook7
    assert "/notebooks/" in chapter.page.url
    assert chapter.errors() == []
    assert set(chapter.console_errors) <= set(own_errors)


def test_sliders_move_the_pictures_in_notebook7(notebook7):
    chapter, _, _ = notebook7
    chapter.page.bring_to_front()
    count = chapter.page.locator(".course-playground").count()
    assert count >= 2
    for index in range(count):
        live = Live(chapter, index)
        for knob in live.knobs():
            for key in ("End", "Home"):
                live.press(knob, key)
                assert live.error() == ""
        assert live.paints()["count"] > 0
        live.shows_its_text()


def test_a_question_is_answered_in_notebook7(notebook7):
    _, own_errors, asked = notebook7
    asked.page.bring_to_front()
    Quiz(asked.page, "09.saddle").wrong_by_keyboard_then_right_by_mouse()
    assert set(asked.console_errors) <= set(own_errors)


@pytest.fixture(scope="module")
def voila(browser, tmp_path_factory):
    """The chapter as Voilà shows it: the page, with every playground on it painted."""
    folder = tmp_path_factory.mktemp("voila")
    shutil.copy(NOTEBOOKS / CHAPTER, folder)
    port = free_port()
    arguments = ["voila", "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}", "."]
    address = f"http://127.0.0.1:{port}"
    with running(arguments, folder, f"{address}/voila/tree", {}):
        page = browser.new_page()
        page.set_default_timeout(180_000)  # it runs the whole chapter before it shows it
        page.goto(f"{address}/voila/render/{CHAPTER}", wait_until="domcontentloaded")
        for index in range(len(EXPLORERS)):
            canvas = page.locator(".course-live canvas").nth(index)
            canvas.wait_for(state="visible")
            page.wait_for_function("(c) => c.dataset.format === 'png'", arg=canvas.element_handle())
        yield page
        page.close()


def test_voila_shows_the_whole_chapter_and_none_of_its_code(voila):
    cells = nbformat.read(NOTEBOOKS / CHAPTER, as_version=4).cells
    last_lines = [cell.source.splitlines()[-1] for cell in cells if cell.cell_type == "code"]
    assert [line for line in last_lines if "explorer(" in line] == list(EXPLORERS)
    assert voila.locator(".course-playground").count() == len(EXPLORERS)
    assert voila.locator(".jp-CodeCell").count() > len(EXPLORERS)
    assert voila.locator(".jp-CodeCell .jp-InputArea:visible").count() == 0
    text = voila.inner_text("body")
    assert "Recap" in text and "Traceback" not in text and "odel not found" not in text


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_slider_moves_the_picture_in_voila(voila, name):
    playground = voila.locator(".course-playground").nth(list(EXPLORERS).index(name))
    canvas = playground.locator(".course-live canvas")
    moved = 0
    for knob in playground.locator(".noUi-handle").all():
        if not knob.is_visible():
            continue
        before = canvas.get_attribute("data-values")
        at = knob.get_attribute("aria-valuenow")
        knob.focus()
        knob.press("End")
        if knob.get_attribute("aria-valuenow") == at:  # it stood there
            knob.press("Home")
        voila.wait_for_function(
            "([c, before]) => c.dataset.values !== before && c.dataset.format === 'png'",
            arg=[canvas.element_handle(), before],
            timeout=20_000,
        )
        assert json.loads(canvas.get_attribute("data-values")) != json.loads(before)
        assert not playground.locator(".course-live-error").first.is_visible()
        moved += 1
    assert moved == EXPLORERS[name]


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_questions_are_answered_in_voila(voila, name):
    assert voila.locator(".course-quiz").count() == len(QUESTIONS)
    Quiz(voila, name).wrong_by_keyboard_then_right_by_mouse()
