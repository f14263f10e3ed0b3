"""For pictures that are drawn freely on one pair of axes: parts that move, each made in a line."""

from __future__ import annotations

from typing import Any

from matplotlib.patches import Rectangle

from course_utils.live.quick_text import QuickText


class MovingParts:
    """Mixin of a playground whose `draw` sets ``ax`` and an empty list ``_moving``, and returns it.

    Each method makes one part, remembers it as moving, and returns it.
    """

    ax: Any
    _moving: list[Any]

    def _add(self, collection: Any) -> Any:
        self.ax.add_collection(collection, autolim=False)
        self._moving.append(collection)
        return collection

    def _patch(self, panel: Any, **style: Any) -> Any:
        """A rectangle on `panel`, to be placed later."""
        patch = panel.add_patch(Rectangle((0, 0), 1, 1, **style))
        self._moving.append(patch)
        return patch

    def _text(self, x: float, y: float, **style: Any) -> QuickText:
        text = QuickText(self.ax, self.ax.transData, zorder=5, **style)
        text.set_position((x, y))
        self._moving.append(text)
        return text
