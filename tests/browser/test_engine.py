"""The live engine in the browser: sharpness, themes, errors, keys that belong to the picture."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.browser.lab import LabPage
from tests.browser.playground import Live

WAVE = """
import numpy as np
from course_utils.live.controls import Slider, Toggle
from course_utils.live.playground import Playground
class Wave(Playground):
    width, height, areas = 6.0, 2.4, [(0, 0, 1, 1)]
    keys = []
    controls = (Slider("frequency", 1.0, low=0.5, high=5.0), Toggle("broken", False))
    def compute(self, frequency, broken):
        if broken:
            raise ZeroDivisionError("the wave is broken")
        x = np.linspace(0, 1, 200)
        return frequency, x, np.sin(2 * np.pi * frequency * x)
    def draw(self, fig):
        self.axes = fig.subplots()
        self.axes.set(xlim=(0, 1), ylim=(-1.2, 1.2))
        self.line = self.axes.plot([], [])[0]
        return [self.line]
    def update(self, result):
        self.line.set_data(result[1], result[2])
    def summary(self, result):
        return f"A wave of frequency {result[0]:.2f}."
    def on_key(self, key, shift):
        self.keys.append(key)
wave = Wave()
wave
"""


@pytest.mark.either_thread
def test_an_error_is_red_words_and_the_next_good_value_clears_it(scratch):
    live = Live(scratch(WAVE), 0).reset()
    (box,) = live.boxes()
    box.click()
    alert = live.root.locator(".course-live-error")
    alert.wait_for(state="visible")
    assert "ZeroDivisionError: the wave is broken" in alert.inner_text()
    box.click()
    alert.wait_for(state="hidden")
    live.press(live.knobs()[0], "End")
    assert live.summary() == "A wave of frequency 5.00."
    assert live.lab.errors() == []


def test_keys_on_the_picture_do_not_reach_the_notebook(scratch):
    live = Live(scratch(WAVE), 0).reset()
    cells = len(live.lab.cells())
    live.canvas.focus()
    for key in ("d", "d", "ArrowUp", "b", "ArrowLeft", "x"):
        live.canvas.press(key)
    live.knobs()[0].focus()
    for key in ("d", "d", "ArrowUp", "a"):
        live.knobs()[0].press(key)
    live.settle()
    assert live.ask("p.keys") == ["ArrowUp", "ArrowLeft"]
    assert len(live.lab.cells()) == cells


CONTRAST = """(node) => {
  const parse = (c) => (c.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = node;
  let color = [0, 0, 0, 0];
  while (behind && (color = parse(getComputedStyle(behind).backgroundColor))[3] === 0) {
    behind = behind.parentElement;
  }
  const [a, b] = [light(parse(getComputedStyle(node).color)), light(color)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_words_are_readable_in_both_themes(scratch, theme):
    lab = scratch(WAVE)
    live = Live(lab, 0).reset()
    lab.page.evaluate(
        "async (theme) => await window.jupyterapp.commands.execute("
        "'apputils:change-theme', {theme})",
        theme,
    )
    lab.page.wait_for_function("(name) => document.body.dataset.jpThemeName === name", arg=theme)
    for selector in (".course-live-summary", ".widget-label", ".widget-readout"):
        for node in live.root.locator(selector).all():
            if node.is_visible() and node.inner_text().strip():
                assert node.evaluate(CONTRAST) >= 4.5, selector
    live.boxes()[0].click()
    alert = live.root.locator(".course-live-error")
    alert.wait_for(state="visible")
    assert alert.evaluate(CONTRAST) >= 4.5
    white = live.canvas.evaluate(
        "(c) => [...c.getContext('2d').getImageData(2, 2, 1, 1).data].slice(0, 3)"
    )
    assert white == [255, 255, 255]


SHARP = "(canvas) => canvas.dataset.format === 'png' && canvas.width === 1200"


def test_the_picture_is_sharp_at_rest_on_a_hidpi_screen(browser, lab, scratch):
    scratch(WAVE)
    url, folder = lab
    newest = max(folder.glob("scratch*"), key=lambda path: path.stat().st_mtime).name
    context = browser.browser.new_context(
        viewport={"width": 1366, "height": 900}, device_scale_factor=2
    )
    try:
        page = LabPage(context.new_page(), url, newest)
        page.run_all()
        live = Live(page, 0)
        picture = live.canvas.element_handle()
        # A moving frame in between, in ordinary resolution, may still be under way.
        page.page.wait_for_function(SHARP, arg=picture, timeout=20_000)
        assert picture.bounding_box()["width"] == 600
        live.press(live.knobs()[0], "End")
        page.page.wait_for_function(SHARP, arg=picture, timeout=20_000)
    finally:
        context.close()


AXES = """
from course_utils.live.controls import Slider
from course_utils.live.playground import Playground
class Axes(Playground):
    width, height = 6.0, 2.4
    controls = (Slider("top", 1, low=1, high=3),)
    def compute(self, top):
        return top
    def draw(self, fig):
        self.axes = fig.subplots()
        return self.axes.plot([0, 1, 2], [0, 0.8, 0.2])
    def update(self, top):
        self.axes.set_ylim(0, top)
        self.invalidate(top)
    def summary(self, top):
        return f"Up to {top}."
Axes()
"""


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_an_axis_seen_before_is_painted_as_a_patch_on_its_own_background(scratch):
    live = Live(scratch(AXES), 0).reset()
    (knob,) = live.knobs()
    for key in ("ArrowRight", "ArrowRight"):
        live.press(knob, key)
        live.settle(at_rest=True)  # then the page gets the background
    live.ask("setattr(p, 'rest_after', 60)")
    for key, summary in (("ArrowLeft", "Up to 2."), ("Home", "Up to 1."), ("End", "Up to 3.")):
        live.press(knob, key)
        live.page.wait_for_function(
            "([canvas, words]) => canvas.dataset.format === 'patch' "
            "&& canvas.getAttribute('aria-label') === words",
            arg=[live.canvas.element_handle(), summary],
        )
        shown = live.canvas.evaluate("(canvas) => canvas.toDataURL('image/png').split(',')[1]")
        wanted = live.ask(
            "__import__('base64').b64encode(p.picture.frame(moving=False).data).decode()"
        )
        assert np.array_equal(pixels(base64.b64decode(shown)), pixels(base64.b64decode(wanted)))
