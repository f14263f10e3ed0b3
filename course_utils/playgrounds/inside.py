"""Inside a CNN: the maps of every layer, and one number of one map with all that it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from course_utils.live.controls import Choice, Control, Notches, Slider, button, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.ink import SIDE as PAD
from course_utils.playgrounds.ink import brush_line
from course_utils.playgrounds.inside_compute import (
    ASKED,
    Unit,
    look_at,
    middle,
    moved,
    place_of,
    small_network,
    specimens,
    test_images,
)
from course_utils.playgrounds.inside_picture import AREAS, InsidePicture, grid_side
from course_utils.playgrounds.inside_trace import SIDE, Inside, Trace
from course_utils.playgrounds.inside_words import moved_words, sentence
from course_utils.playgrounds.parts import ARROWS, Event
from course_utils.playgrounds.reader import chosen_dataset


class InsideCNN(InsidePicture, Playground):
    """Look into a network that reads digits: its maps, and one number with all it is made of.

    model: any network from images (1, 1, 28, 28) to ten logits (1, 10) with at least one
    convolution, however it is written; a copy of it in evaluation mode is looked at. Without one,
    a small network is trained once per kernel, in about two seconds. A drag over the image draws
    on the pixels that the network gets. ``layer`` is a step of the network by its name ("conv 1"),
    ``filter`` one of its maps, ``source`` the input map whose patch is shown; ``row`` and
    ``column`` are pixels of the image, and the unit that has its middle nearest to them is shown.
    ``digit`` is on the paper at the beginning, ``right`` moves it.

    Raises ValueError for what is no such model, for an unknown control or a value outside its
    range.
    """

    areas = tuple((x / 9.0, y / 3.72, w / 9.0, h / 3.72) for x, y, w, h in AREAS.values())

    def __init__(self, model: nn.Module | None = None, **values: Any) -> None:
        self.dataset = chosen_dataset()
        self._inside = Inside(small_network(self.dataset) if model is None else model)
        self._steps = self._inside.steps
        self._awake = self._inside.awake(test_images(self.dataset))
        self._digits = specimens(self.dataset)
        self._read: tuple[bytes, Trace | None] = (b"", None)
        self._drawing: np.ndarray | None = None  # (280, 280); None: the digit is on the paper
        self._hand: tuple[str, tuple[float, float]] | None = None  # where a drag began, and is
        super().__init__(**values)

    @cached_property
    def controls(self) -> tuple[Control, ...]:
        names = tuple(step.name for step in self._steps)
        most = max(max(step.shape[0] for step in self._steps) - 1, 1)
        wide = [step.weight.shape[1] for step in self._steps if step.weight is not None]
        quarter = {"width": "206px"}
        first = next(step.name for step in self._steps if step.kind == "conv")
        return (
            Choice("digit", 7, options=tuple(range(10)), width="90px"),
            Slider("right", 0, "moved right", low=-4, high=4, tip="pixels", width="206px"),
            Notches("layer", first, options=names, width="250px",
                    tip="a step of the network; or click on its name"),
            Slider("filter", 0, low=0, high=most, tip="or click on a map", **quarter),
            Slider("source", 0, "from map", low=0, high=max(*wide, 2) - 1, **quarter,
                   tip="of the maps that a convolution adds up: whose patch is shown"),
            Slider("row", 12, low=0, high=SIDE - 1, tip="or click into a map", **quarter),
            Slider("column", 12, low=0, high=SIDE - 1, tip="or click into a map", **quarter),
        )  # fmt: skip

    # -- what is computed --------------------------------------------------------------------------

    def compute(self, **values: Any) -> Unit:
        return self._look(self._digits[values["digit"]], False, **values)

    def recompute(self, values: dict[str, Any]) -> Unit:
        with self._state:
            paper = self.paper
        if paper is None:
            return self.compute(**values)
        return self._look(paper, True, **values)

    @property
    def paper(self) -> np.ndarray | None:
        """What was drawn, as the network gets it: (28, 28), ink 1; None while a digit is there."""
        if self._drawing is None:
            return None
        return self._drawing.reshape(SIDE, 10, SIDE, 10).mean((1, 3)).astype(float)

    def _look(
        self, image: np.ndarray, drawn: bool, *, digit: int, right: int, layer: str, filter: int,
        source: int, row: int, column: int,
    ) -> Unit:  # fmt: skip
        image = moved(image, right)
        key = image.tobytes()
        known, trace = self._read
        if trace is None or known != key:
            trace = self._inside.read(image)
            if [step.name for step in trace.steps] != [step.name for step in self._steps]:
                got = f"{len(trace.steps)} instead of {len(self._steps)}"
                raise ValueError(f"this model takes other steps for other images, got {got}; "
                                 "allowed are the same steps for all")  # fmt: skip
            self._read = (key, trace)
        number = self._number(layer)
        return look_at(trace, image, number, filter, (row, column), source, self._awake,
                       drawn=drawn, digit=digit, moved=right)  # fmt: skip

    def _number(self, layer: str) -> int:
        return next(n for n, step in enumerate(self._steps) if step.name == layer)

    # -- what a learner does -----------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        if "digit" in values:
            self._drawing = None
        before = self.values
        super().set(**values)
        if "digit" in values and before == self.values:
            self.changed()

    def _on_control(self, name: str, value: Any) -> None:
        if name == "digit" and value != self.values["digit"]:
            self._drawing = None
        super()._on_control(name, value)

    def clear(self) -> None:
        """Empty the paper."""
        with self._state:
            self._drawing = np.zeros((PAD, PAD), np.float32)
        self.changed()

    def stroke(self, points: Iterable[tuple[float, float]]) -> None:
        """Draw through `points` (x, y), from (0, 0) at the lower left of the image to (1, 1)."""
        line = [(x * PAD, (1 - y) * PAD) for x, y in points]
        with self._state:
            if self._drawing is None:
                self._drawing = np.zeros((PAD, PAD), np.float32)
            ink = self._drawing.copy()
            for start, end in zip(line[:1] + line, line, strict=False):
                brush_line(ink, start, end)
            self._drawing = ink
        self.changed()

    def show_strongest(self) -> None:
        """Go to the map that answers most at this place, and to the input that adds most to it."""
        values = self.values
        unit = self.recompute(values)
        self.set(filter=unit.strongest)
        unit = self.recompute(self.values)
        if len(unit.parts):
            self.set(source=int(np.abs(unit.parts).argmax()))

    def on_pointer(self, events: list[Event]) -> None:
        for kind, x, y in events:
            x, y = x * self.width, y * self.height
            if kind == "down":
                name = next((name for name, area in AREAS.items() if _inside(area, x, y)), None)
                self._hand = None if name is None else (name, _within(AREAS[name], x, y))
            if self._hand is not None:
                name, last = self._hand
                now = _within(AREAS[name], x, y)
                self._hand = (name, now)
                self._point(name, last, now)
            if kind == "up":
                self._hand = None

    def _point(self, name: str, last: tuple[float, float], now: tuple[float, float]) -> None:
        u, v = (min(max(part, 0.0), 1 - 1e-9) for part in now)
        step = self._steps[self._number(self.values["layer"])]
        if name == "image":
            self.stroke([(last[0] - self.values["right"] / SIDE, last[1]),
                         (now[0] - self.values["right"] / SIDE, now[1])])  # fmt: skip
        elif name == "steps":
            first, count = self._boxes(self._number(self.values["layer"]))
            self.set(layer=self._steps[first + math.floor(u * count)].name)
        elif name == "mosaic":
            side = grid_side(step.shape[0])
            self.set(filter=min(math.floor((1 - v) * side) * side + math.floor(u * side),
                                step.shape[0] - 1))  # fmt: skip
        else:
            if name == "input" and step.sources:
                source = self._steps[step.sources[0]]
                at = [math.floor(p * n) for p, n in zip((1 - v, u), source.shape[1:], strict=True)]
                pixels = [math.floor(middle(source, axis, k) + 0.5) for axis, k in enumerate(at)]
                place = [min(max(pixel, 0), SIDE - 1) for pixel in pixels]
            else:
                at = [math.floor(p * n) for p, n in zip((1 - v, u), step.shape[1:], strict=True)]
                place = place_of(step, tuple(at))
            self.set(row=place[0], column=place[1])

    def on_key(self, key: str, shift: bool) -> None:
        if key in ("Delete", "Backspace", "Escape"):
            self.clear()
        elif key in ARROWS:
            step = self._steps[self._number(self.values["layer"])]
            jump = (step.fields[0].jump if step.fields else 1) * (3 if shift else 1)
            right, up = ARROWS[key]
            place = self.values["row"] - jump * up, self.values["column"] + jump * right
            row_, column = (min(max(pixel, 0), SIDE - 1) for pixel in place)
            self.set(row=row_, column=column)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        layer = rows["layer"]

        def follow(_: Any = None) -> None:
            """Sliders end where the maps of the layer end."""
            step = self._steps[self._number(layer.value)]
            width = 1 if step.weight is None else step.weight.shape[1]
            for name, count in (("filter", step.shape[0]), ("source", width)):
                rows[name].max, rows[name].disabled = max(count - 1, 1), count == 1

        layer.observe(follow, names="value")
        follow()
        tip = "the map that answers most at this place, and the input map that adds most to it"
        strongest = button("Strongest", self.show_strongest, tip=tip, width="84px")
        clear = button("Clear", self.clear, tip="empty the paper", width="58px")
        names = ("filter", "source", "row", "column")
        first = row(rows["digit"], rows["right"], layer, strongest, clear, self.reset_button())
        return [first, row(*(rows[name] for name in names))]

    def reset(self) -> None:
        """Put every control back, and the first digit on the paper."""
        super().reset()
        self.set(digit=self._defaults["digit"])

    def summary(self, result: Unit) -> str:
        return f"{moved_words(result)} {sentence(result, ASKED)}"


def _inside(area: tuple[float, float, float, float], x: float, y: float) -> bool:
    return area[0] <= x <= area[0] + area[2] and area[1] <= y <= area[1] + area[3]


def _within(area: tuple[float, float, float, float], x: float, y: float) -> tuple[float, float]:
    """(x, y) as fractions of the area."""
    return (x - area[0]) / area[2], (y - area[1]) / area[3]
