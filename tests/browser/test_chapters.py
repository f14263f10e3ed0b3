"""Each chapter in a real JupyterLab: it runs to its end, and every control does what it should."""

from __future__ import annotations

import pytest

from tests.browser.playground import Live, move_everything

# Chapter 12 takes longest, and its playgrounds are those of chapter 00: once is enough.
RUNS = [("00", True), ("09", True), ("12", True), ("00", False), ("09", False)]
each_run = pytest.mark.parametrize(
    ("number", "subshells"), RUNS, ids=[f"{n}-{'with' if s else 'without'}" for n, s in RUNS]
)


@each_run
def test_runs_to_its_end_without_an_error(chapter, number, subshells):
    lab = chapter(number, subshells)
    assert lab.errors() == []
    assert lab.console_errors == []
    code = [cell for cell in lab.cells() if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


@each_run
def test_every_playground_shows_its_picture_and_its_text(chapter, number, subshells):
    lab = chapter(number, subshells)
    count = lab.page.locator(".course-playground").count()
    assert count >= 1
    for index in range(count):
        live = Live(lab, index)
        live.shows_its_text()
        assert live.error() == ""
        assert live.root.bounding_box()["width"] <= 925
        assert live.root.bounding_box()["height"] <= 490


@each_run
def test_every_control_of_every_playground_moves_its_picture(chapter, number, subshells):
    lab = chapter(number, subshells)
    for index in range(lab.page.locator(".course-playground").count()):
        live = Live(lab, index)
        move_everything(live)
        if live.ask("hasattr(p, 'stop')"):
            live.ask("p.stop()")  # a training that goes on would only slow the next playground
    assert lab.errors() == []
    assert lab.console_errors == []
