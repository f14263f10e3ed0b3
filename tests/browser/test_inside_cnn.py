"""The look into a network by hand: a drawn digit, maps and places by pointer and keys, buttons."""

from __future__ import annotations

import pytest

from tests.browser.playground import Live, move_everything
from tests.browser.test_chapters import ROOM

CELLS = """
import torch
from torch import nn
from course_utils.models import digit_cnn
from course_utils.playgrounds import inside_cnn
torch.manual_seed(0)
inside_cnn(digit_cnn("B", batch_norm=True))
"""


@pytest.fixture
def live(scratch) -> Live:
    return Live(scratch(CELLS), 0).reset()


def test_it_fits_and_every_control_moves_the_picture(live):
    rows, bottom = live.root.evaluate(ROOM, 848)
    assert rows <= 2 and bottom <= 480
    move_everything(live)
    assert live.lab.errors() == [] and live.lab.console_errors == []


def test_the_pointer_draws_and_chooses_and_keys_move_the_place(live):
    words = live.root.locator(".course-live-summary")
    live.drag([(0.05, 0.75), (0.14, 0.75), (0.08, 0.47)])
    words.filter(has_text="A drawing: the network reads").wait_for()
    before = live.values()
    live.drag([(0.38, 0.6), (0.38, 0.6)])
    chosen = live.follow(before)
    assert chosen["filter"] != before["filter"]
    live.drag([(0.55, 0.1), (0.56, 0.2)])
    placed = live.follow(chosen)
    assert (placed["row"], placed["column"]) != (chosen["row"], chosen["column"])
    live.canvas.focus()
    live.canvas.press("ArrowLeft")
    assert live.follow(placed)["column"] == placed["column"] - 1
    live.button("Clear").click()
    words.filter(has_text="Empty paper").wait_for()
    live.button("Reset").click()
    words.filter(has_text="A 7: ").wait_for()
    assert live.error() == "" and live.lab.console_errors == []


def test_strongest_and_the_end_of_the_sliders(live):
    before = live.values()
    live.button("Strongest").click()
    strongest = live.follow(before)
    assert f"map {strongest['filter']} at" in live.summary()
    assert live.ask("p._bound['source'].widget.disabled") is True
    live.ask("p.set(layer='conv 2')")
    live.still()
    assert live.ask("p._bound['source'].widget.max") == 31
    assert live.lab.errors() == [] and live.lab.console_errors == []
