"""The loss landscape by hand: keys on each slider, boxes off and on, a burst of keys, room."""

from __future__ import annotations

import pytest

from tests.browser.playground import Live, move_everything
from tests.browser.test_chapters import ROOM

LANDSCAPE = "from course_utils.playgrounds import landscape\nlandscape()"


@pytest.fixture
def live(scratch) -> Live:
    return Live(scratch(LANDSCAPE), 0).reset()


def test_every_control_does_what_it_should(live):
    move_everything(live)
    live.shows_its_text()
    assert live.lab.errors() == [] and live.lab.console_errors == []


def test_no_optimizer_and_one_again(live):
    for box in live.boxes()[:4]:
        if box.is_checked():
            live.click(box)
    live.settle(at_rest=True)
    assert live.summary().endswith("no optimizer is checked.")
    live.click(live.boxes()[0])
    live.settle(at_rest=True)
    assert "Loss at the end: SGD " in live.summary() and live.error() == ""


def test_a_burst_of_keys_ends_on_the_last_value(live):
    rate = live.root.locator(".widget-slider", has_text="Learning rate").locator(".noUi-handle")
    before = live.values()
    rate.focus()
    for _ in range(10):
        rate.press("ArrowRight")
    live.follow(before)
    values = live.still()
    assert values["lr"] == pytest.approx(10**-0.5)
    assert "lr 0.316." in live.summary()
    assert live.paints()["older"] == 0


def test_it_fits_beside_the_file_browser_of_a_small_screen(live):
    rows, bottom = live.root.evaluate(ROOM, 848)
    assert rows <= 2 and bottom <= 480
