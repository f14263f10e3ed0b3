"""Two panels over which one looks at a place of a digit: by pointer, by arrow keys, by sliders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from course_utils.live.controls import Slider
from course_utils.playgrounds.kernel_compute import SIDE
from course_utils.playgrounds.parts import ARROWS, Event, Sheet
from course_utils.plotting import GREY

WHOLE = (-0.5, SIDE - 0.5, SIDE - 0.5, -0.5)  # where a digit lies in its panel
MARGIN = 2.5  # pixels around the digit: where padding has its place
FRAME = "#b36b00"  # of what is looked at
EDGE = {"fc": "none", "ec": GREY, "lw": 1, "ls": (0, (4, 3))}


def place_sliders(row: int, column: int, low: int, high: int, **look: Any) -> tuple[Slider, Slider]:
    """The sliders "row" and "column" of the place."""
    words = look.pop("label")
    ends = {"low": low, "high": high}
    return Slider("row", row, words, **ends, **look), Slider("column", column, **ends, **look)


class DigitPanels(Sheet):
    """Mixin of a playground with sliders "row" and "column", and two square panels.

    panels: their left edges, then their side and lower edge, all in inches.
    """

    panels: tuple[tuple[float, float], float, float]
    values: dict[str, Any]

    @property
    def areas(self) -> list[tuple[float, float, float, float]]:
        """The panels listen to the pointer."""
        (lefts, side, low), width, height = self.panels, self.width, self.height
        return [(left / width, low / height, side / width, side / height) for left in lefts]

    def panel(self, fig: Any, left: float) -> Any:
        """The axes of a panel, in pixels of the digit, row 0 above."""
        panel = fig.add_axes(self.areas[self.panels[0].index(left)])
        panel.set_axis_off()
        low, high = -0.5 - MARGIN, SIDE - 0.5 + MARGIN
        panel.set(xlim=(low, high), ylim=(high, low))
        return panel

    def jump(self, shift: bool) -> int:
        """How many pixels an arrow key goes."""
        raise NotImplementedError

    def on_pointer(self, events: Iterable[Event]) -> None:
        lefts, side, low = self.panels
        span = SIDE + 2 * MARGIN
        for x, y in self.pressed(events):
            for left in lefts:
                u, v = (x - left) / side, (y - low) / side
                if 0 <= u <= 1 and 0 <= v <= 1:
                    self._look(round((1 - v) * span - MARGIN - 0.5), round(u * span - MARGIN - 0.5))

    def on_key(self, key: str, shift: bool) -> None:
        right, up = ARROWS.get(key, (0, 0))
        by = self.jump(shift)
        self._look(self.values["row"] - by * up, self.values["column"] + by * right)

    def _look(self, row: int, column: int) -> None:
        spec = self._specs["row"]
        self.set(
            row=min(max(row, spec.low), spec.high), column=min(max(column, spec.low), spec.high)
        )
