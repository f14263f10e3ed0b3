"""What the pictures of the playgrounds share: parts that move, boxes behind words, drags, keys."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from itertools import zip_longest
from typing import Any, TypeVar

from matplotlib.patches import Rectangle

from course_utils.live.quick_image import QuickImage
from course_utils.live.quick_text import QuickText
from course_utils.plotting import RED, inch_axes

T = TypeVar("T")
Event = tuple[str, float, float]

TITLE = {"fontsize": 12, "fontweight": "bold"}
HALO = {"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85}
TIGHT_HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
ALARM = {
    "color": RED,
    "fontsize": 10.5,
    "weight": "bold",
    "bbox": {"facecolor": "white", "edgecolor": RED, "linewidth": 1, "pad": 3},
}
ARROWS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowDown": (0, -1), "ArrowUp": (0, 1)}


class Parts:
    """Makes the parts of a picture that move, each in a line, and keeps them in `moving`."""

    _dragging = False
    _ground: Any = None

    @cached_property
    def moving(self) -> list[Any]:
        """What `draw` returns: the parts made so far, in the order in which they are drawn."""
        return []

    def moves(self, artist: T) -> T:
        self.moving.append(artist)
        return artist

    def line(self, ax: Any, *style: str, **look: Any) -> Any:
        """A line, or markers alone, as yet without a point."""
        return self.moves(ax.plot([], [], *style, **look)[0])

    def text(
        self, ax: Any, x: float = 0, y: float = 0, words: str = "", *, by: str = "axes", **look: Any
    ) -> QuickText:
        """Words at (x, y), fractions of the "axes" or the "figure", or `by` the "data"."""
        system = {"axes": ax.transAxes, "figure": ax.figure.transFigure, "data": ax.transData}[by]
        text = QuickText(ax, system, **look)
        text.set_position((x, y))
        text.set_text(words)
        return self.moves(text)

    def image(self, ax: Any, extent: tuple[float, float, float, float], **look: Any) -> QuickImage:
        """Values in colours over this part of the axes, as yet none; row 0 is above."""
        return self.moves(QuickImage(ax, extent, **look))

    def patch(self, ax: Any, **look: Any) -> Any:
        """A rectangle, to be placed later."""
        return self.moves(ax.add_patch(Rectangle((0, 0), 1, 1, **look)))

    def add(self, ax: Any, collection: T) -> T:
        ax.add_collection(collection, autolim=False)
        return self.moves(collection)

    def new_ground(self, key: Hashable) -> bool:
        """Whether the background is to become another one, named `key`: an axis with other ends.

        Let there be few of them, in coarse steps: a new background is drawn and sent whole.
        """
        if key == self._ground:
            return False
        self._ground = key
        self.invalidate(key)
        return True

    def dragged(self, area: Sequence[float], events: Iterable[Event]) -> tuple[float, float] | None:
        """Where a drag that began in `area` has come to, as fractions of it; None for no drag.

        area: left, bottom, width and height as fractions of the picture.
        """
        left, bottom, width, height = area
        target = None
        for kind, x, y in events:
            u, v = (x - left) / width, (y - bottom) / height
            if kind == "down":
                self._dragging = 0 <= u <= 1 and 0 <= v <= 1
            if self._dragging:
                target = u, v
            if kind == "up":
                self._dragging = False
        return target


class Sheet(Parts):
    """Parts on one pair of axes, `ax`, over the whole picture; its unit is the inch."""

    ax: Any
    width: float
    height: float

    def sheet(self, fig: Any) -> Any:
        """The axes."""
        self.ax = inch_axes(fig)
        return self.ax

    def word(self, x: float = 0, y: float = 0, words: str = "", **look: Any) -> QuickText:
        return self.text(self.ax, x, y, words, by="data", **{"zorder": 5, "va": "center"} | look)

    def pressed(self, events: Iterable[Event]) -> list[tuple[float, float]]:
        """Where a button or finger is down, in inches."""
        return [(x * self.width, y * self.height) for kind, x, y in events if kind != "up"]


def box(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """The corners of a rectangle."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def say(texts: Iterable[Any], words: Iterable[str]) -> None:
    """Each word into its text; texts that are left over become empty."""
    for text, word in zip_longest(texts, words):
        text.set_text(word or "")
