"""The live training and the pad by hand: start, pause, restart, interrupt; a 7, and nothing."""

from __future__ import annotations

import pytest

from tests.browser.lab import LabPage, write_notebook
from tests.browser.playground import LEARNS_MS, Live

TRAIN = "from course_utils.playgrounds import train_digits\ntrain_digits()"
PAD = "from course_utils.playgrounds import digit_pad\ndigit_pad()"
SEVEN = [
    (0.1, 0.8),
    (0.17, 0.8),
    (0.24, 0.8),
    (0.22, 0.65),
    (0.19, 0.5),
    (0.165, 0.35),
    (0.15, 0.2),
]


@pytest.fixture
def training(scratch) -> Live:
    return Live(scratch(TRAIN), 0).reset()


def wait_state(live: Live, *states: str) -> str:
    """Poll the kernel until the training is in one of `states`, which it must still reach."""
    while (state := live.ask("p.state")) not in states:
        assert state in ("ready", "running", "paused"), state
    return state


def test_start_pause_go_on_and_a_knob_that_restarts(training):
    live = training
    before = live.paints()["count"]
    live.button("Start").click()
    live.button("Pause").wait_for()
    live.wait_painted(before + 5)
    live.button("Pause").click()
    live.button("Go on").wait_for()
    done = live.ask("p.result.num_updates")
    live.still()
    assert live.ask("p.result.num_updates") == done, "it went on although paused"
    assert "paused" in live.summary()
    live.button("Go on").click()
    live.button("Pause").wait_for()
    rate = live.knobs()[1]
    values = live.press(rate, "ArrowRight")
    assert f"lr={values['lr']}"[:6] in live.summary().replace(" ", "")
    assert live.ask("p.state") == "running"
    live.ask("p.stop()")
    assert live.paints()["older"] == 0
    assert live.lab.errors() == [] and live.lab.console_errors == []


def test_the_interrupt_button_ends_the_training_and_keeps_the_kernel(training):
    live = training
    live.button("Start").click()
    live.button("Pause").wait_for()
    live.lab.interrupt()
    assert wait_state(live, "interrupted") == "interrupted"
    live.still()
    assert "interrupted" in live.summary()
    assert live.lab.kernel("print(6 * 7)").strip() == "42"
    live.button("Start").click()
    live.button("Pause").wait_for()
    live.ask("p.stop()")


def test_a_rate_that_explodes_is_drawn_and_said(training):
    live = training
    live.choose(live.choices()[1], "SGD")
    live.press(live.knobs()[1], "End")
    wait_state(live, "finished")
    live.still()
    assert live.error() == ""
    assert "Diverged at update" in live.summary()
    live.button("Reset").click()
    wait_state(live, "ready")


def test_running_the_cell_again_ends_the_old_training(training):
    live = training
    live.button("Start").click()
    live.button("Pause").wait_for()
    lab = live.lab
    tasks = (
        "import asyncio\n"
        "print(sum(t.get_name() == 'course-live-training' for t in asyncio.all_tasks()))"
    )
    assert lab.kernel(tasks).strip() == "1"
    lab.run_cell(0)
    fresh = Live(lab, 0)
    assert lab.kernel(tasks).strip() == "0"
    assert fresh.ask("p.state") == "ready"
    assert lab.errors() == [] and lab.console_errors == []


def test_the_pad_reads_from_the_first_stroke_and_better_while_it_learns(scratch):
    lab = scratch(PAD)  # a fresh kernel: nothing has been learned
    live = Live(lab, 0, at_rest=False)
    words = live.root.locator(".course-live-summary")
    live.button("Clear").click()
    words.filter(has_text="empty").wait_for()
    assert live.error() == ""
    read = words.filter(has_text="The drawing: the network reads")
    live.drag(SEVEN, before_release=read.wait_for)
    assert "Still learning: round " in live.summary()
    words.filter(has_not_text="earning").wait_for(timeout=LEARNS_MS)
    assert live.summary() == "The drawing: the network reads 7, probability above 0.9."
    live.button("Clear").click()
    words.filter(has_text="empty").wait_for()
    live.button("Example").click()
    words.filter(has_text="Test digit").wait_for()
    assert lab.errors() == [] and lab.console_errors == []


def test_a_kernel_ends_cleanly_while_the_pad_learns(browser, lab):
    url, folder = lab
    log = folder / "lab.log"
    begin = len(log.read_text())
    write_notebook(folder / "learning.ipynb", PAD)
    page = LabPage(browser.new_page(), url, "learning.ipynb")
    page.run_all()
    words = Live(page, 0, at_rest=False).root.locator(".course-live-summary")
    words.filter(has_text="Still learning: round 2").wait_for(timeout=LEARNS_MS)
    page.run_cell(0)  # the new pad goes on where the old one was
    words.filter(has_text="Still learning: round").wait_for()
    assert "round 1 " not in words.inner_text()
    page.interrupt()
    words.filter(has_text="Run the cell again, and it learns on.").wait_for()
    assert page.kernel("print(6 * 7)").strip() == "42"
    page.run_cell(0)
    words.filter(has_text="Still learning").wait_for()
    assert page.errors() == [] and page.console_errors == []
    page.close()
    # The server may complain about a page that has closed; a trace of the kernel names our files.
    written = log.read_text()[begin:]
    assert "course_utils" not in written and "was destroyed" not in written, written
