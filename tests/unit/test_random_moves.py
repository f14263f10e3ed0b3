"""500 random moves on everything a hand can reach: no error, no old picture, no growing memory."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
import psutil
import pytest

from course_utils import playgrounds
from course_utils.live.playground import Playground, give_memory_back
from course_utils.live.training import TrainingPlayground

MOVES = 500
WARM_UP = 200  # moves until every cache is full
ALLOWED_MB = 24.0  # of growth afterwards; a figure or a result kept per move is far more
REST_SECONDS = 20.0
WORDS = ("", "lr=0.1", "what is this?", "nan", "-1", "1e999", "[]", "Ω" * 300)
KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Delete", "Backspace", "Escape")


class Page:
    """Stands for the browser: paints each frame at once, and keeps the last and all errors."""

    def __init__(self, playground: Playground) -> None:
        self.playground = playground
        self.frame: dict[str, Any] = {}
        self.errors: list[str] = []
        self.generations: list[int] = []
        assert playground.widget is not None
        playground._canvas.send = self.receive
        self.tell({"type": "ready", "dpr": 1.0})

    def tell(self, message: dict[str, Any]) -> None:
        self.playground._on_message(None, message, None)

    def receive(self, message: dict[str, Any], buffers: Any = None) -> None:
        if message["type"] == "error":
            self.errors.append(message["error"])
        elif message["type"] == "frame":
            self.generations.append(message["generation"])
            self.frame = message
            self.tell({"type": "painted", "frame": message["frame"]})

    async def at_rest(self) -> None:
        """Wait for the lossless picture of the newest values."""
        end = time.monotonic() + REST_SECONDS
        while self.frame.get("format") != "png" or not self.is_newest():
            assert time.monotonic() < end, (self.frame, self.playground.values, self.errors)
            await asyncio.sleep(0.005)

    async def has_a_result(self) -> None:
        """Wait until the training under way, if any, has a result for the newest values."""
        end, playground = time.monotonic() + REST_SECONDS, self.playground
        while playground.state == "running" and not self.has_newest_result():
            assert time.monotonic() < end, (playground.values, self.errors)
            await asyncio.sleep(0.001)

    def has_newest_result(self) -> bool:
        live = self.playground._live
        return live is not None and live.generation == self.playground._generation

    def is_newest(self) -> bool:
        return self.frame["generation"] == self.playground._generation


def parts(widget: Any) -> list[Any]:
    """`widget` and everything in it, without what is hidden or disabled."""
    if widget.layout.display == "none" or widget.layout.visibility == "hidden":
        return []
    inside = [part for child in getattr(widget, "children", ()) for part in parts(child)]
    return [widget, *inside] if not getattr(widget, "disabled", False) else inside


def move(rng: np.random.Generator, widget: Any) -> Callable[[], None] | None:
    """A random move of `widget`, sent as its view in the browser sends it; None for what is fixed.

    A slider goes to an end in one move of four.
    """

    def sends(**state: Any) -> Callable[[], None]:
        return lambda: widget.set_state(state)

    place = float(rng.choice([0.0, 1.0])) if rng.random() < 0.25 else rng.random()
    if isinstance(widget, widgets.FloatLogSlider):
        exponent = widget.min + place * (widget.max - widget.min)
        return sends(value=widget.base**exponent)
    if isinstance(widget, widgets.IntSlider | widgets.Play | widgets.BoundedIntText):
        return sends(value=round(widget.min + place * (widget.max - widget.min)))
    if isinstance(widget, widgets.FloatSlider | widgets.BoundedFloatText):
        return sends(value=widget.min + place * (widget.max - widget.min))
    if isinstance(widget, widgets.Dropdown | widgets.SelectionSlider | widgets.ToggleButtons):
        return sends(index=int(rng.integers(len(widget.options))))
    if isinstance(widget, widgets.Checkbox | widgets.ToggleButton):
        return sends(value=not widget.value)
    if isinstance(widget, widgets.Text | widgets.Textarea):
        return sends(value=str(rng.choice(WORDS)))
    if isinstance(widget, widgets.Button):
        return widget.click
    return None


def touch(rng: np.random.Generator, page: Page) -> Callable[[], None] | None:
    """A random stroke on the picture, or a key, where it listens to them."""
    if not page.playground.areas:
        return None
    if rng.random() < 0.3:
        key = {"type": "key", "key": str(rng.choice(KEYS)), "shift": bool(rng.random() < 0.3)}
        return lambda: page.tell(key)
    kinds = ["down", *["move"] * int(rng.integers(6)), "up"]
    events = [[kind, *rng.uniform(-0.1, 1.1, 2).tolist()] for kind in kinds]
    return lambda: page.tell({"type": "pointer", "events": events})


async def make_moves(rng: np.random.Generator, page: Page, count: int) -> None:
    made = 0
    while made < count:
        everything = parts(page.playground.widget)
        chosen = rng.integers(len(everything) + 1)
        if chosen == len(everything):
            action = touch(rng, page)
        else:
            action = move(rng, everything[chosen])
        if action is not None:
            action()
            made += 1
            if made % 4 == 0:  # a hand is slower than a processor: others get their turn
                await asyncio.sleep(0.001)


def megabytes() -> float:
    gc.collect()
    give_memory_back()
    return psutil.Process().memory_info().rss / 2**20


async def play(factory: Callable[..., Playground], page_of: list[Page]) -> dict[str, float]:
    rng = np.random.default_rng(0)
    page = Page(factory())
    page_of.append(page)
    await page.at_rest()
    await make_moves(rng, page, WARM_UP)
    before, models = megabytes(), len(widgets.widgets.widget._instances)
    await make_moves(rng, page, MOVES - WARM_UP)
    grown = {"models": len(widgets.widgets.widget._instances) - models}
    if isinstance(page.playground, TrainingPlayground):
        await page.has_a_result()  # a run that is stopped before its first has nothing to show
        page.playground.stop()
        while page.playground._task is not None and not page.playground._task.done():
            await asyncio.sleep(0.001)
    await page.at_rest()
    grown["megabytes"] = megabytes() - before
    return grown


@pytest.mark.parametrize("name", playgrounds.__all__)
def test_500_random_moves(name, caplog):
    factory = getattr(playgrounds, name)
    pages: list[Page] = []
    with caplog.at_level(logging.WARNING):
        grown = asyncio.run(play(factory, pages))
    (page,) = pages
    playground = page.playground
    try:
        assert page.errors == []
        assert [record.getMessage() for record in caplog.records] == []
        assert page.generations == sorted(page.generations), "an older picture came after a newer"
        shown = playground.picture.frame(moving=False).data
        playground.invalidate()
        assert playground.picture.frame(moving=False).data == shown, "an old background"
        assert json.loads(page.frame["values"]) == json.loads(json.dumps(playground.values))
        assert page.frame["summary"] == playground.summary(playground.result)
        assert grown["megabytes"] < ALLOWED_MB and grown["models"] <= 0
    finally:
        playground.close()
