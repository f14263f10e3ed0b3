"""The optimizer race by hand: drag, keys, player, PyTorch panel, own rules, a cell run again."""

from __future__ import annotations

import pytest

from tests.browser.playground import SETTLE_MS, SHOWN, Live

RACE = "from course_utils.playgrounds import race\nrace()"


@pytest.fixture
def live(scratch) -> Live:
    return Live(scratch(RACE), 0).reset()


def test_the_start_follows_the_pointer_and_the_arrow_keys(live):
    before = live.settle()
    live.drag([(0.2, 0.5), (0.3, 0.6), (0.25, 0.7)])
    live.follow(before)
    dragged = live.still()
    assert dragged["start_x"] > before["start_x"]
    live.canvas.focus()
    live.canvas.press("ArrowRight")
    moved = live.follow(dragged)
    assert moved["start_x"] > dragged["start_x"] and moved["start_y"] == dragged["start_y"]
    shown = live.knobs()
    assert shown, "the sliders mirror the start"
    assert live.lab.console_errors == []


def test_play_pause_and_step(live):
    before = live.settle()
    play = live.root.locator(".widget-play button, .jupyter-widget-play button")
    play.nth(0).click()
    running = live.follow(before)
    play.nth(0).click()
    paused = live.still()
    assert 0 <= running["steps"] <= paused["steps"] < before["steps"]
    live.button("Step").click()
    assert live.follow(paused)["steps"] == paused["steps"] + 1


def test_pytorch_panel_setting_and_nonsense(live):
    live.root.get_by_text("PyTorch", exact=True).click()
    program = live.root.locator(".course-race-program")
    program.get_by_text("torch.optim").first.wait_for()
    field = live.root.locator(".course-race-setting input")
    before = live.settle()
    kept = field.input_value()
    knob = live.knobs()[0]
    live.press(knob, "End")
    live.press(knob, "Home")
    assert live.values() != before
    changed = live.values()
    field.fill("what is this?")
    field.press("Enter")
    live.root.locator("[role=alert]", has_text="what is this?").first.wait_for()
    assert live.values() == changed
    field.fill(kept)
    field.press("Enter")
    assert live.follow(changed) == before


def test_divergence_is_drawn_and_said(live):
    lab = live.lab
    lab.kernel(f"{SHOWN}\n_shown()[0].set(lr=10.0, optimizers=('SGD', 'Momentum'))")
    live.settle(at_rest=True)
    assert "Diverged: SGD at step 2" in live.summary()
    assert live.error() == ""


OWN = """
from course_utils.playgrounds import race
class Endless:
    def __init__(self, lr): self.lr = lr
    def update(self, w, grad):
        while True: pass
class Broken:
    def update(self, w, grad): return 1 / 0
def shapeless(w, grad, state): return w[:1]
def lost(w, grad, state): return w * float("nan")
def mine(w, grad, state): return w - state["lr"] * grad
race(own={"endless": Endless, "broken": Broken, "shapeless": shapeless, "lost": lost, "mine": mine},
     optimizers=["Adam", "endless", "broken", "shapeless", "lost", "mine"])
"""


def test_own_rules_fail_politely_while_the_others_race(scratch):
    lab = scratch(OWN)
    assert lab.errors() == []
    live = Live(lab, 0)
    for name, word in {"broken": "ZeroDivisionError", "shapeless": "shape", "endless": "s"}.items():
        assert name in live.summary() and word in live.summary()
    before = live.settle()
    rate = live.root.locator(".widget-slider", has_text="Learning rate").locator(".noUi-handle")
    started = live.page.evaluate("performance.now()")
    live.press(rate, "PageUp")
    assert live.page.evaluate("performance.now()") - started < SETTLE_MS / 4
    assert live.values() != before
    assert live.error() == ""


def test_running_the_cell_again_replaces_the_playground(scratch):
    lab = scratch(RACE)
    Live(lab, 0)
    count = f"{SHOWN}; print(len(_shown()))"
    comms = "from comm import get_comm_manager; print(len(get_comm_manager().comms))"
    before = lab.kernel(comms)
    for _ in range(3):
        lab.run_cell(0)
    assert lab.page.locator(".course-playground").count() == 1
    assert lab.kernel(count).strip() == "1"
    assert lab.kernel(comms) == before
    live = Live(lab, 0)
    live.press(live.knobs()[0], "End")
    assert lab.errors() == [] and lab.console_errors == []


def test_a_burst_of_keys_ends_on_the_last_value(live):
    knob = live.root.locator(".widget-slider", has_text="Learning rate").locator(".noUi-handle")
    knob.focus()
    for key in ["PageUp"] * 10 + ["ArrowLeft"] * 25 + ["ArrowRight"] * 15:
        knob.press(key, no_wait_after=True)
    readout = knob.get_attribute("aria-valuenow")
    live.page.wait_for_function(
        """([knob, at]) => {
          const values = JSON.parse(document.querySelector('.course-live canvas').dataset.values);
          return Math.abs(Math.log10(values.lr) - Number(at)) < 0.01
              && document.querySelector('.course-live canvas').dataset.format === 'png';
        }""",
        arg=[None, readout],
        timeout=SETTLE_MS,
    )
    assert live.paints()["older"] == 0
