"""What eyes, fingers and screen readers get: zoom, dense screens, touch, names, spoken words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.lab import LabPage, write_notebook
from tests.browser.playground import SETTLE_MS, Live

RACE = "from course_utils.playgrounds import race\nrace()"
FIGURE = """
from course_utils.plotting import figure, show, use_course_style
use_course_style()
fig = figure(4, 2)
fig.subplots().plot([0, 1])
show(fig, "A line from 0 to 1.")
"""
DEEP = "print('\\n' * 60)"  # something to scroll to
SHARP = """(canvas) => canvas.dataset.format === 'png'
  && canvas.width >= canvas.clientWidth * Math.min(devicePixelRatio, 3) - 1"""
NAMES = """(root) => {
  const sliders = [...root.querySelectorAll('.widget-slider')].filter((s) => s.offsetParent);
  return sliders.map((s) => {
    const handle = s.querySelector('.noUi-handle');
    return [handle.getAttribute('aria-label'), handle.getAttribute('aria-valuetext'),
      s.querySelector('.widget-label').innerText, s.querySelector('.widget-readout').innerText];
  });
}"""
COUNT_WORDS = """(root) => {
  root.spoken = [];
  const status = root.querySelector('[role=status]');
  new MutationObserver(() => root.spoken.push(status.textContent))
    .observe(status, {childList: true, characterData: true, subtree: true});
}"""
SCROLLED = "() => [...document.querySelectorAll('*')].reduce((sum, e) => sum + e.scrollTop, 0)"


@pytest.fixture(scope="module")
def live(browser, labs) -> Iterator[Live]:
    """The race on an ordinary screen."""
    url, folder = labs(True)
    write_notebook(folder / "looks.ipynb", RACE)
    lab = LabPage(browser.new_page(), url, "looks.ipynb")
    lab.run_all()
    yield Live(lab, 0)
    lab.close()


@pytest.fixture(scope="module")
def small(browser, labs) -> Iterator[Live]:
    """The race and a figure on a small, dense screen that is touched."""
    url, folder = labs(True)
    write_notebook(folder / "small.ipynb", FIGURE, RACE, DEEP)
    context = browser.browser.new_context(
        viewport={"width": 1200, "height": 640}, device_scale_factor=2, has_touch=True
    )
    lab = LabPage(context.new_page(), url, "small.ipynb")
    lab.run_all()
    yield Live(lab, 0)
    lab.close()
    context.close()


def test_sliders_say_their_label_and_their_readout(live):
    live.page.bring_to_front()
    for key in ("", "Home", "End", "ArrowLeft"):
        for knob in live.knobs() if key else ():
            live.press(knob, key)
        live.reset() if not key else live.still()
        said = live.root.evaluate(NAMES)
        assert len(said) >= 6
        for name, value, label, readout in said:
            assert name == label.strip() and value == readout.strip(), said
    assert {"Learning rate", "Steps", "Batch size"} < {name for name, *_ in said}
    live.reset()
    assert ["Learning rate", "0.100"] in [said[:2] for said in live.root.evaluate(NAMES)]


def test_words_are_spoken_at_rest_only(live):
    live.page.bring_to_front()
    live.reset()
    live.root.evaluate(COUNT_WORDS)
    rest = live.ask("p.rest_after")
    live.ask("setattr(p, 'rest_after', 60)")
    for _ in range(12):
        live.press(live.knobs()[0], "ArrowLeft")
    assert live.root.evaluate("(root) => root.spoken") == []
    live.ask(f"setattr(p, 'rest_after', {rest})")
    live.press(live.knobs()[0], "ArrowLeft")
    live.settle(at_rest=True)
    assert live.root.evaluate("(root) => root.spoken") == [live.summary()]
    live.reset()


def test_the_picture_is_sharp_after_each_step_of_the_zoom(live):
    live.page.bring_to_front()
    screen = live.page.context.new_cdp_session(live.page)
    for zoom in (1.1, 1.5, 3.0, 0.5, 1.0):
        size = {"width": round(1366 / zoom), "height": round(900 / zoom)}
        numbers = {**size, "deviceScaleFactor": zoom, "mobile": False}
        screen.send("Emulation.setDeviceMetricsOverride", numbers)
        picture = live.canvas.element_handle()
        live.page.wait_for_function(SHARP, arg=picture, timeout=SETTLE_MS)
    screen.send("Emulation.clearDeviceMetricsOverride")


def test_handles_are_large_enough_for_a_finger(live):
    live.page.bring_to_front()
    for knob in live.knobs():
        box = knob.bounding_box()
        assert box["width"] >= 24 and box["height"] >= 24


def test_a_figure_is_sharp_on_a_dense_screen(small):
    figure = small.page.locator(".jp-RenderedImage img").first
    assert figure.evaluate("(image) => [image.naturalWidth, image.width]") == [800, 400]


def test_a_finger_draws_on_the_map_and_scrolls_beside_it(small):
    small.page.bring_to_front()
    small.reset()
    touch = small.page.context.new_cdp_session(small.page)

    def swipe(x: float) -> float:
        """A finger goes up a hundred pixels of the picture; how far the page scrolls."""
        small.canvas.scroll_into_view_if_needed()
        box, before = small.canvas.bounding_box(), small.page.evaluate(SCROLLED)
        at = {"x": box["x"] + x * box["width"], "y": box["y"] + 0.6 * box["height"]}
        for step, kind in enumerate(["touchStart", *["touchMove"] * 10, "touchEnd"]):
            points = [at | {"y": at["y"] - 10 * step}] if kind != "touchEnd" else []
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            small.page.wait_for_timeout(16)
        small.page.wait_for_timeout(100)
        return small.page.evaluate(SCROLLED) - before

    values = small.values()
    # A busy browser may miss a gesture; one that is locked out misses all.
    assert any(swipe(0.75) > 50 for _ in range(5)) and small.values() == values
    assert [swipe(0.25) for _ in range(2)] == [0, 0]
    assert small.follow(values)["start_y"] != values["start_y"]
    assert small.lab.errors() == [] and small.lab.console_errors == []
