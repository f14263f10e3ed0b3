"""A notebook that was run, saved and opened again without its kernel; and a kernel that ends."""

from __future__ import annotations

import base64
import io
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from course_utils import quizzes
from course_utils.commands import notebook_format as form
from course_utils.commands.saved_notebook import HOW
from tests.browser.conftest import NOTEBOOKS
from tests.browser.lab import RESTART, SAVE, LabPage, lab_server, write_notebook
from tests.browser.playground import Live
from tests.browser.quiz import Quiz
from tests.browser.test_engine import WAVE
from tests.browser.test_faults import TRAIN

CHAPTER = "09_optimizers.ipynb"
CALLS = ("ema_explorer()", "race()", 'predict("09.saddle")')
SHUT_DOWN = """async () => {
  await window.jupyterapp.shell.currentWidget.sessionContext.shutdown();
}"""
# JupyterLab looks every ten seconds whether its kernels are there; then it asks for a new one.
NEW_KERNEL = """async () => {
  await window.jupyterapp.serviceManager.sessions.refreshRunning();
  const session = window.jupyterapp.shell.currentWidget.sessionContext;
  await session.changeKernel({name: 'python3'});
}"""
KERNEL_ID = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
IN_TIME = 3.0  # seconds from the end of the kernel to the word


@pytest.fixture(scope="module", params=["course", "lab", "notebook"])
def client(request, tmp_path_factory):
    """URL and folder of a server: as `make lab` starts it, plain JupyterLab, Notebook 7."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copy(NOTEBOOKS / CHAPTER, folder)
    with lab_server(folder, app=request.param) as url:
        yield url, folder


def pixels(png: str | bytes) -> np.ndarray:
    data = base64.b64decode(png) if isinstance(png, str) else png
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def on_canvas(live: Live) -> np.ndarray:
    return pixels(live.canvas.evaluate("(c) => c.toDataURL().split(',')[1]"))


def test_a_chapter_reopens_with_its_last_pictures_and_words(browser, client):
    url, folder = client
    file = folder / CHAPTER
    before = file.read_bytes()
    page = LabPage(browser.new_page(), url, CHAPTER)
    own_errors = set(page.console_errors)  # Notebook 7's
    page.page.evaluate(SAVE)
    assert file.read_bytes() == before  # opened and saved: not one byte has changed

    index = {
        call: i
        for i, cell in enumerate(page.cells())
        for call in CALLS
        if cell["source"].endswith(call)
    }
    for call in CALLS:
        page.run_cell(index[call])
    lives = [Live(page, i) for i in range(2)]
    for live in lives:
        began = live.canvas.get_attribute("aria-label")
        live.press(live.knobs()[0], "Home")
        live.settle(at_rest=True)
        assert live.canvas.get_attribute("aria-label") != began
    words = [live.canvas.get_attribute("aria-label") for live in lives]
    shown = [on_canvas(live) for live in lives]
    quiz = Quiz(page.page, "09.saddle")
    quiz.choose_by_mouse(quiz.wrong[0])
    quiz.hears("not yet")
    page.page.evaluate(SAVE)
    page.page.reload(wait_until="domcontentloaded")  # while the kernel lives, all is as before
    page.wait_open()
    Quiz(page.page, "09.saddle").hears("not yet")
    assert Live(page, 0).error() == ""
    page.page.evaluate(SHUT_DOWN)
    page.page.evaluate(SAVE)  # as autosave does some time later
    page.page.close()

    stored = form.read(file)["cells"]
    for call, say, picture in zip(CALLS, words, shown, strict=False):
        output = stored[index[call]]["outputs"][-2]
        assert output["metadata"]["image/png"]["alt"] == say
        assert np.abs(pixels(output["data"]["image/png"]) - picture).max() == 0
    saved = file.read_bytes()

    page = LabPage(browser.new_page(), url, CHAPTER)
    assert "odel not found" not in page.page.inner_text("body")
    assert page.page.locator(".course-playground").count() == 0
    for call, say in zip(CALLS, words, strict=False):
        area = page.page.locator(".jp-Cell").nth(index[call]).locator(".jp-Cell-outputWrapper")
        area.scroll_into_view_if_needed()
        assert area.locator("img").evaluate("(i) => i.complete && i.naturalWidth") == 900
        said = area.inner_text()
        assert say in said and HOW.strip("*") in said
    answer = page.page.locator(".jp-Cell").nth(index[CALLS[-1]])
    answer.scroll_into_view_if_needed()
    assert "Decide, then unfold the answer" in answer.inner_text()
    assert set(page.console_errors) <= own_errors
    page.page.evaluate(SAVE)
    assert file.read_bytes() == saved  # nothing piles up
    page.page.bring_to_front()
    page.run_cell(index[CALLS[0]])
    live = Live(page, 0)
    live.press(live.knobs()[0], "End")
    assert HOW.strip("*") not in page.page.inner_text("body")
    page.close()


@pytest.mark.parametrize("client", ["lab"], indirect=True)
def test_folded_code_stays_folded_when_its_chapter_is_run_and_saved(browser, client):
    url, folder = client
    chapter = next(NOTEBOOKS.glob("02_*.ipynb"))
    notebook = form.read(chapter)
    names = [cell["id"] for cell in notebook["cells"] if form.is_folded(cell["metadata"])]
    file = folder / chapter.name
    shutil.copy(chapter, file)
    page = LabPage(browser.new_page(), url, chapter.name)
    page.page.evaluate(SAVE)
    assert file.read_bytes() == chapter.read_bytes()
    first = next(i for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code")
    page.run_cell(first)
    page.page.evaluate(SAVE)
    page.page.close()
    saved = form.read(file)["cells"]
    assert names and names == [cell["id"] for cell in saved if form.is_folded(cell["metadata"])]


def restart(page: LabPage, url: str) -> None:
    page.page.evaluate(RESTART)


def crash(page: LabPage, url: str) -> None:
    os.kill(int(page.kernel("import os; print(os.getpid())")), signal.SIGKILL)


def cull(page: LabPage, url: str) -> None:
    address, token = url.split("/lab/tree?token=" if "/lab/" in url else "/notebooks?token=")
    kernel = page.page.evaluate(KERNEL_ID)
    ask = urllib.request.Request(f"{address}/api/kernels/{kernel}?token={token}", method="DELETE")
    urllib.request.urlopen(ask).close()


def alive(page: LabPage) -> Live:
    """The playground, just made by its cell, with a control that moves it."""
    for index in (0, 1):
        page.run_cell(index)
    live = Live(page, 0)
    assert live.error() == ""
    live.press(live.knobs()[0], "End")
    assert live.summary() == "A wave of frequency 5.00."
    return live


@pytest.mark.parametrize("client", ["lab", "notebook"], indirect=True)
def test_a_kernel_that_ends_is_said_in_time_and_its_cell_brings_it_back(browser, client):
    url, folder = client
    write_notebook(folder / "ended.ipynb", WAVE, quizzes.cell("09.saddle"))
    page = LabPage(browser.new_page(), url, "ended.ipynb")
    ways: tuple[Callable[[LabPage, str], None], ...] = (restart, crash, cull)
    for way in ways:
        live = alive(page)
        quiz = Quiz(page.page, "09.saddle")
        way(page, url)
        began = time.monotonic()
        alert = live.root.get_by_role("alert").filter(has_text="run its cell again")
        alert.wait_for(timeout=1000 * IN_TIME)
        quiz.hears("run this cell again")
        print(f"{folder.name} {way.__name__}: said after {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < IN_TIME
        assert live.summary() == "A wave of frequency 5.00." and live.canvas.is_visible()
        assert live.knobs()[0].evaluate("(knob) => knob.closest('[inert]') !== null")
        if way is crash:  # JupyterLab's own message, which holds the focus
            page.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()
        if way is cull:
            page.page.evaluate(NEW_KERNEL)
        page.wait_idle()
    alive(page)
    assert page.errors() == []
    page.close()


CLEAR = "async () => { await window.jupyterapp.commands.execute('notebook:clear-cell-output'); }"
SELECT_FIRST = "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }"
COPY = """async () => {
  const run = (name) => window.jupyterapp.commands.execute(`notebook:${name}`);
  await run('copy-cell');
  await run('paste-cell-below');
}"""


def test_a_training_that_nobody_sees_pauses(scratch):
    page = scratch(TRAIN, "")
    page.run_cell(0)
    live = Live(page, 0)
    live.button("Start").click()
    live.button("Pause").wait_for()
    page.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0 }"
    )
    page.page.evaluate(CLEAR)
    page.page.wait_for_function("() => !document.querySelector('.course-playground')")
    deadline = time.monotonic() + 10
    while page.kernel("print(training.state)").strip() != "paused":
        assert time.monotonic() < deadline, "it trains on"
    page.kernel("training.close()")


def test_a_copied_cell_keeps_its_picture_when_the_original_runs_again(scratch):
    page = scratch(WAVE, "")
    page.run_cell(0)
    Live(page, 0)
    page.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0 }"
    )
    page.page.evaluate(COPY)
    page.page.wait_for_function(
        "() => document.querySelectorAll('.course-playground').length === 2"
    )
    copy = page.page.locator(".jp-Cell").nth(1).locator(".course-live")
    copy.locator("canvas[data-format=png]").wait_for()
    page.run_cell(0)
    copy.get_by_role("alert").filter(has_text="run this cell").wait_for()
    assert copy.locator("canvas").is_visible() and copy.bounding_box()["width"] > 500
    page.run_cell(1)
    live = Live(page, 1)
    assert live.error() == ""
    live.press(live.knobs()[0], "End")
    assert live.summary() == "A wave of frequency 5.00."
    assert page.page.locator(".course-live").count() == 2
    assert page.errors() == [] and page.console_errors == []
