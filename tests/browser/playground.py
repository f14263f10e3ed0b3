"""A playground as its user sees it: knobs, boxes, buttons, the picture and its text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import TimeoutError as NotYet

from tests.browser.lab import LabPage

SETTLE_MS = 20_000
LEARNS_MS = 180_000  # at most, for the pad's network on a machine with much else to do
# The playground shows a picture in one of these formats.
PAINTED = """([index, formats]) => formats.includes(
  document.querySelectorAll('.course-playground')[index]
    ?.querySelector('.course-live canvas')?.dataset.format)"""
CANVASES = "() => [...document.querySelectorAll('canvas')].map((canvas) => ({...canvas.dataset}))"
# In the kernel, `_shown()` are the playgrounds on the page.
SHOWN = "from course_utils.live.playground import shown as _shown"
# The picture shows the values that the kernel has; `want` is their JSON.
SHOWS = """([index, want, format]) => {
  const root = document.querySelectorAll('.course-playground')[index];
  const canvas = root?.querySelector('.course-live canvas');
  if (!canvas?.dataset.values) return false;
  const shown = JSON.parse(canvas.dataset.values), wanted = JSON.parse(want);
  return Object.keys(wanted).every((k) => JSON.stringify(shown[k]) === JSON.stringify(wanted[k]))
    && (!format || canvas.dataset.format === format);
}"""
# The line below the picture is the picture's alternative text, and can be read.
SAYS = """(index) => {
  const root = document.querySelectorAll('.course-playground')[index];
  const label = root?.querySelector('.course-live canvas')?.getAttribute('aria-label');
  return Boolean(label) && root.querySelector('.course-live-summary').innerText === label;
}"""
# How often the picture was repainted, and whether a frame was ever older than the one before.
COUNT_PAINTS = """(canvas) => {
  const seen = (canvas.coursePaints = {count: 0, older: 0, last: -1});
  new MutationObserver(() => {
    const now = Number(canvas.dataset.frame);
    seen.count += 1;
    seen.older += now < seen.last ? 1 : 0;
    seen.last = now;
  }).observe(canvas, {attributes: true, attributeFilter: ['data-frame']});
}"""


class Live:
    """The playground at `index` (in the order of the page)."""

    def __init__(self, lab: LabPage, index: int, *, at_rest: bool = True):
        self.lab, self.page, self.index = lab, lab.page, index
        self.root = self.page.locator(".course-playground").nth(index)
        self.canvas = self.root.locator(".course-live canvas")
        self.root.scroll_into_view_if_needed()
        formats = ["png"] if at_rest else ["png", "patch", "jpeg"]
        try:
            self.page.wait_for_function(PAINTED, arg=[index, formats])
        except NotYet:
            seen = self.page.locator(".jp-OutputArea-output").all_inner_texts()
            raise AssertionError(
                f"no {' or '.join(formats)} in playground {index}: {self.page.evaluate(CANVASES)}; "
                f"the outputs say {seen}, the console {lab.console_errors}"
            ) from None
        self.canvas.evaluate(COUNT_PAINTS)

    def reset(self) -> Live:
        """Put every control back, as its Reset button does, and wait for the picture."""
        self.ask("p.reset()")
        self.still()
        return self

    # -- reading -----------------------------------------------------------------------------------

    def ask(self, expression: str) -> Any:
        """`expression` of the playground `p` in the kernel, through JSON."""
        code = (
            f"import json; {SHOWN}\n"
            f"print(json.dumps((lambda p: {expression})(_shown()[{self.index}]), default=str))"
        )
        return json.loads(self.lab.kernel(code))

    def values(self) -> dict[str, Any]:
        return self.ask("p.values")

    def summary(self) -> str:
        return self.root.locator(".course-live-summary").inner_text()

    def shows_its_text(self) -> None:
        """Wait until the line below the picture says what the picture's alternative text says."""
        self.page.wait_for_function(SAYS, arg=self.index, timeout=SETTLE_MS)

    def error(self) -> str:
        box = self.root.locator(".course-live-error").first
        return box.inner_text() if box.is_visible() else ""

    def paints(self) -> dict[str, int]:
        return self.canvas.evaluate("(canvas) => canvas.coursePaints")

    def wait_painted(self, count: int) -> None:
        """Wait until the picture was painted `count` times since this `Live` was made."""
        self.page.wait_for_function(
            "([canvas, count]) => canvas.coursePaints.count >= count",
            arg=[self.canvas.element_handle(), count],
            timeout=SETTLE_MS,
        )

    # -- doing -------------------------------------------------------------------------------------

    def settle(self, *, at_rest: bool = False) -> dict[str, Any]:
        """Wait until the picture shows the kernel's values; they are returned."""
        deadline = time.monotonic() + SETTLE_MS / 1000
        while True:
            values = self.values()
            wanted = [self.index, json.dumps(values), "png" if at_rest else ""]
            try:
                self.page.wait_for_function(SHOWS, arg=wanted, timeout=2000)
                return values
            except NotYet:  # the values may have moved on meanwhile, in a drag or an animation
                if time.monotonic() > deadline:
                    shown = self.canvas.get_attribute("data-values")
                    raise AssertionError(f"the kernel has {values}, the picture {shown}") from None

    def still(self) -> dict[str, Any]:
        """Wait until nothing moves by itself any more, and the picture shows it at rest."""
        values = None
        while values != (values := self.settle(at_rest=True)):
            pass
        return values

    def follow(self, before: dict[str, Any], *, changes: bool = True) -> dict[str, Any]:
        """Wait until the kernel's values differ from `before`, and the picture shows them."""
        deadline = time.monotonic() + SETTLE_MS / 1000
        while changes and self.values() == before:
            assert time.monotonic() < deadline, f"no value changed: {before}"
        return self.settle()

    def press(self, knob: Any, key: str) -> dict[str, Any]:
        """`key` on a slider, followed to the picture."""
        knob.focus()
        before, at = self.values(), knob.get_attribute("aria-valuenow")
        knob.press(key)
        return self.follow(before, changes=knob.get_attribute("aria-valuenow") != at)

    def click(self, box: Any) -> dict[str, Any]:
        """A click on a check box, followed to the picture."""
        before = self.values()
        box.click()
        return self.follow(before)

    def choose(self, choice: Any, label: str) -> dict[str, Any]:
        """An option of a drop-down list, followed to the picture."""
        before, at = self.values(), choice.evaluate("(s) => s.selectedOptions[0].label")
        choice.select_option(label=label)
        # The speed of a player, for one, is no value of the picture.
        is_value = at in map(str, before.values())
        return self.follow(before, changes=is_value and label != at)

    def knobs(self) -> list[Any]:
        return [knob for knob in self.root.locator(".noUi-handle").all() if knob.is_visible()]

    def boxes(self) -> list[Any]:
        return [box for box in self.root.locator("input[type=checkbox]").all() if box.is_visible()]

    def choices(self) -> list[Any]:
        return [choice for choice in self.root.locator("select").all() if choice.is_visible()]

    def button(self, text: str) -> Any:
        return self.root.get_by_role("button", name=text, exact=True)

    def drag(
        self, points: list[tuple[float, float]], before_release: Callable = lambda: None
    ) -> None:
        """Press at the first of `points` (fractions from the bottom left), move, release."""
        box = self.canvas.bounding_box()
        at = [(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"]) for x, y in points]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        for x, y in at[1:]:
            self.page.mouse.move(x, y, steps=4)
        before_release()
        self.page.mouse.up()


def move_everything(live: Live) -> None:
    """Sliders to both ends, boxes there and back, every choice once; the picture follows."""
    for knob in live.knobs():
        for key in ("End", "Home"):
            live.press(knob, key)
            assert live.error() == ""
            assert live.summary()
    for box in live.boxes():
        for _ in range(2):
            live.click(box)
            assert live.error() == ""
    for choice in live.choices():
        options = choice.locator("option").all_inner_texts()
        for option in [*options[::-1], options[0]]:
            live.choose(choice, option)
            assert live.error() == ""
    paints = live.paints()
    assert paints["count"] > 0 and paints["older"] == 0
