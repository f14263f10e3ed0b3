"""Each chapter in a real JupyterLab: it runs to its end, and every control does what it should."""

from __future__ import annotations

import pytest

from tests.browser.playground import Live, move_everything

CHAPTERS = ["00", "09", "12"]


@pytest.mark.parametrize("number", CHAPTERS)
def test_runs_to_its_end_without_an_error(chapter, number):
    lab = chapter(number)
    assert lab.errors() == []
    assert lab.console_errors == []
    code = [cell for cell in lab.cells() if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


@pytest.mark.parametrize("number", CHAPTERS)
def test_every_playground_shows_its_picture_and_its_text(chapter, number):
    lab = chapter(number)
    count = lab.page.locator(".course-playground").count()
    assert count >= 1
    for index in range(count):
        live = Live(lab, index)
        assert live.summary() == live.canvas.get_attribute("aria-label") != ""
        assert live.error() == ""
        assert live.root.bounding_box()["width"] <= 925
        assert live.root.bounding_box()["height"] <= 490


@pytest.mark.parametrize("number", CHAPTERS)
def test_every_control_of_every_playground_moves_its_picture(chapter, number):
    lab = chapter(number)
    for index in range(lab.page.locator(".course-playground").count()):
        live = Live(lab, index)
        move_everything(live)
        if live.ask("hasattr(p, 'stop')"):
            live.ask("p.stop()")  # a training that goes on would only slow the next playground
    assert lab.errors() == []
    assert lab.console_errors == []
