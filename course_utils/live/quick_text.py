"""Text for pictures that move: drawn once per wording, and from then on copied as pixels.

Matplotlib lays out and rasterises every text anew in every frame (1-3 ms each), which is more than
all curves of a picture together. The words of a live picture seldom change; only their place does.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.text import Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

KEPT = 64  # wordings
KEPT_TOGETHER = 512  # wordings that several texts share


class QuickText(Artist):
    """A text of `axes` at (x, y) of `transform`, moved by `offset` (right, up) in points.

    Args:
        axes: where it belongs; it is added to them.
        transform: what (x, y) are; fractions of the axes if left out.
        offset: in points, added to the place.
        like: another text whose style this one takes, and whose drawn wordings: for many short
            texts that say the same things in turn, as the numbers of a table.
        **style: as for `matplotlib.text.Text`: ha, va, fontsize, color, fontweight, bbox …
    """

    def __init__(
        self,
        axes: Axes,
        transform: Transform | None = None,
        offset: tuple[float, float] = (0, 0),
        zorder: float = 3,
        like: QuickText | None = None,
        **style: Any,
    ):
        super().__init__()
        if like is None:
            self._text = Text(0, 0, "", **style)  # made now, while the course's style is in force
            self._images: OrderedDict[tuple[str, float], tuple] = OrderedDict()
            self._kept = KEPT
        else:
            self._text, self._images = like._text, like._images
            self._kept = like._kept = KEPT_TOGETHER
        self._place = (0.0, 0.0)
        self._words = ""
        self._offset = offset
        self.set_zorder(zorder)
        self.set_transform(transform or axes.transAxes)
        axes.add_artist(self)
        self.set_clip_on(False)

    def set_position(self, place: tuple[float, float]) -> None:
        self._place = place
        self.stale = True

    def set_text(self, words: str) -> None:
        self._words = words
        self.stale = True

    def get_text(self) -> str:
        return self._words

    def draw(self, renderer: Any) -> None:
        if not self.get_visible() or not self._words:
            return
        image, left, bottom = self._image(renderer.dpi)
        x, y = self.get_transform().transform(self._place)
        x += self._offset[0] * renderer.dpi / 72
        y += self._offset[1] * renderer.dpi / 72
        gc = renderer.new_gc()
        renderer.draw_image(gc, round(x + left), round(y + bottom), image)
        gc.restore()
        self.stale = False

    def _image(self, dpi: float) -> tuple[np.ndarray, float, float]:
        """(pixels, left, bottom): the text, and where its corner lies as seen from its place."""
        key = (self._words, dpi)
        if key in self._images:
            self._images.move_to_end(key)
            return self._images[key]
        text = self._text
        text.set_text(self._words)
        text.set_position((0, 0))
        if text.get_figure() is None:
            text.set_figure(self.get_figure(root=True))
        probe = RendererAgg(8, 8, dpi)
        box = text.get_window_extent(probe, dpi=dpi)
        patch = text.get_bbox_patch()
        if patch is not None:
            text.update_bbox_position_size(probe)
            box = patch.get_window_extent(probe)
        margin = 2
        left, bottom = np.floor([box.x0, box.y0]) - margin
        width, height = np.ceil([box.x1 - left, box.y1 - bottom]).astype(int) + margin
        canvas = RendererAgg(int(width), int(height), dpi)
        text.set_position((-left, -bottom))
        text.draw(canvas)
        image = np.asarray(canvas.buffer_rgba())[::-1].copy()  # draw_image counts rows from below
        self._images[key] = made = (image, float(left), float(bottom))
        if len(self._images) > self._kept:
            self._images.popitem(last=False)
        return made
