"""Playgrounds at the end of a long or thin line: every value counts, and none old comes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.browser.lab import LabPage, lab_server, write_notebook
from tests.browser.line import Line, slow_line
from tests.browser.playground import Live
from tests.browser.test_engine import pixels

WAVE = """
from course_utils.playgrounds import ema_explorer, race
wave = ema_explorer()
wave
"""
AGAIN = "wave.widget  # a second view of the same"
RACE = "race()"
SEED = 7

# Which inputs the kernel gets from the page, and how often ipywidgets brings a value.
COUNT = """
told, brought = [], []
def counted(message, put=wave._line.put):
    told.append(message["input"])
    put(message)
wave._line.put = counted
slider = wave._bound["beta"].widget
def state(data, set_state=slider.set_state):
    brought.append(data)
    set_state(data)
slider.set_state = state
"""
# Everything that is painted, in its order: number of the frame, newest input that it shows.
WATCH = """(canvas) => {
  canvas.courseSeen = [];
  new MutationObserver(() => canvas.courseSeen.push(
    [Number(canvas.dataset.frame), Number(canvas.dataset.input)]
  )).observe(canvas, {attributes: true, attributeFilter: ['data-frame']});
}"""
PRESS = """async ([knob, keys, pause]) => {
  for (const key of keys) {
    knob.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    await new Promise((done) => setTimeout(done, pause));
  }
}"""
KNOBS = """[
  [p._specs[name].caption,
   w.index if "index" in w.keys else math.log(w.value, w.base)
   if hasattr(w, "base") else w.value,
   math.isclose(bound.get(), p.values[name], rel_tol=0.01, abs_tol=1e-3)]
  for math in [__import__("math")] for name, bound in p._bound.items()
  for w in [bound.widget] if hasattr(w, "readout")]"""
STANDS = "(handle) => handle.closest('.noUi-target').noUiSlider.get()"
# `count` acts on whatever can be moved, in bursts: keys, boxes, lists, buttons.
ACTS = """async ([root, count, seed]) => {
  let state = seed;
  const random = (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const visible = (selector) => [...root.querySelectorAll(selector)].filter((e) => e.offsetParent);
  const keys = ['ArrowLeft', 'ArrowRight', 'PageUp', 'PageDown', 'Home', 'End'];
  for (let i = 0; i < count; i++) {
    const kind = random(12);
    if (kind === 0) {
      const boxes = visible('input[type=checkbox]');
      if (boxes.length) boxes[random(boxes.length)].click();
    } else if (kind === 1) {
      const lists = visible('select');
      if (lists.length) {
        const list = lists[random(lists.length)];
        list.selectedIndex = random(list.options.length);
        list.dispatchEvent(new Event('change', {bubbles: true}));
      }
    } else {
      const knobs = visible('.noUi-handle');
      const knob = knobs[random(knobs.length)], key = keys[random(i % 3 ? 2 : keys.length)];
      for (let n = random(8); n >= 0; n--) {
        knob.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        await new Promise((done) => setTimeout(done, random(30)));
      }
    }
    await new Promise((done) => setTimeout(done, random(60)));
  }
}"""


@pytest.fixture(scope="module")
def far(browser, tmp_path_factory) -> Iterator[tuple[LabPage, Line]]:
    """A page with two views of one playground and another playground, 100 ms from its kernel."""
    folder: Path = tmp_path_factory.mktemp("far")
    with lab_server(folder) as url, slow_line(url) as (line, address):
        write_notebook(folder / "far.ipynb", WAVE, RACE, AGAIN)
        page = LabPage(browser.new_page(), address, "far.ipynb")
        page.run_all()
        assert page.errors() == []
        line.become(round_trip=0.1, mbit=20)
        yield page, line
        line.become()
        page.close()


def watched(page: LabPage, index: int) -> Live:
    """The playground in its view at `index`, once its page knows that it is far away."""
    live = Live(page, index).reset()
    knob = live.knobs()[0]
    for key in ["ArrowLeft", "ArrowRight"] * 5:  # each rest tells the kernel how far it is
        live.press(knob, key)
        live.still()
    live.canvas.evaluate(WATCH)
    return live


def in_order(live: Live) -> list[int]:
    """The inputs that the picture has shown; nothing older ever came after something newer."""
    seen = live.canvas.evaluate("(canvas) => canvas.courseSeen")
    frames, inputs = ([pair[i] for pair in seen] for i in (0, 1))
    assert frames == sorted(frames) and inputs == sorted(inputs)
    return inputs


def knobs_agree(live: Live) -> None:
    """Each slider stands where the kernel has it, and so do the kernel's widget and value."""
    live.still()
    for label, where, agrees in live.ask(KNOBS):
        handle = live.root.locator(".widget-slider", has_text=label).locator(".noUi-handle").first
        shown = float(handle.evaluate(STANDS))
        assert agrees and shown == pytest.approx(where, abs=1e-4), label


def test_each_value_of_a_drag_is_told_once_and_no_old_one_comes_back(far):
    page, _ = far
    live, twin = watched(page, 0), Live(page, 2)
    page.kernel(COUNT)
    knob = live.knobs()[0]
    live.page.evaluate(PRESS, [knob.element_handle(), ["Home"], 0])
    live.still()
    page.kernel("told.clear(); brought.clear()")
    live.page.evaluate(PRESS, [knob.element_handle(), ["ArrowRight"] * 60, 20])
    values = live.still()
    told, brought = json.loads(page.kernel("print([told, len(brought)])"))
    assert told == sorted(set(told))  # once, though there are two views
    assert len(told) >= 10 and brought > 0
    assert values["beta"] == pytest.approx(0.60) and live.values() == values
    knobs_agree(live)
    assert in_order(live)[-1] == told[-1]
    assert twin.canvas.get_attribute("data-values") == live.canvas.get_attribute("data-values")
    assert twin.knobs()[0].get_attribute("aria-valuenow") == knob.get_attribute("aria-valuenow")


def test_a_picture_that_was_packed_is_exact(far):
    page, _ = far
    live = watched(page, 0)
    live.ask("setattr(p, 'rest_after', 60)")
    live.press(live.knobs()[0], "ArrowLeft")
    assert live.canvas.get_attribute("data-format") == "patch"
    shown = live.canvas.evaluate("(canvas) => canvas.toDataURL('image/png').split(',')[1]")
    wanted = live.ask("__import__('base64').b64encode(p.picture.frame(moving=False).data).decode()")
    live.ask("delattr(p, 'rest_after')")
    assert np.array_equal(pixels(base64.b64decode(shown)), pixels(base64.b64decode(wanted)))


@pytest.mark.parametrize("mbit", [20, 1])
def test_random_acts_end_with_the_last_values_and_nothing_older_in_between(far, mbit):
    page, line = far
    live = watched(page, 1)
    line.become(round_trip=0.1, mbit=mbit)
    live.page.evaluate(ACTS, [live.root.element_handle(), 120, SEED])
    values = live.still()
    assert live.values() == values
    assert len(in_order(live)) > 10
    knobs_agree(live)
    assert live.error() == "" and page.console_errors == []
    line.become(round_trip=0.1, mbit=20)
