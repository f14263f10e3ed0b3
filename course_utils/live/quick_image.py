"""Images for pictures that move: scaled by Pillow, in a tenth of the time that `imshow` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.colors import Colormap, Normalize
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class QuickImage(Artist):
    """Values in colours over a part of `axes`, row 0 above; its edges lie between whole pixels.

    Args:
        axes: where it belongs; it is added to them, and cut at their edges.
        extent: its left, right, lower and upper end, in data of the axes.
        cmap: colours of the values; nothing is painted where they are NaN.
        vmin, vmax: the values of the first and the last colour.
        smooth: whether colours are mixed between the values.
    """

    def __init__(
        self,
        axes: Axes,
        extent: tuple[float, float, float, float],
        cmap: Colormap | str = "gray",
        vmin: float = 0.0,
        vmax: float = 1.0,
        smooth: bool = False,
        zorder: float = 1,
    ):
        super().__init__()
        self._cmap = colormaps[cmap] if isinstance(cmap, str) else cmap
        self._norm = Normalize(vmin, vmax)
        self._filter = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        self._values = np.full((1, 1), np.nan)
        self._extent = extent
        self._scaled: tuple[tuple[int, int], np.ndarray] | None = None
        self.set_zorder(zorder)
        axes.add_artist(self)

    def set_data(self, values: np.ndarray) -> None:
        """Show `values` (height, width)."""
        self._values, self._scaled, self.stale = values, None, True

    def set_clim(self, vmin: float, vmax: float) -> None:
        """Give the first and the last colour to these values."""
        self._norm.vmin, self._norm.vmax = vmin, vmax
        self._scaled, self.stale = None, True

    def get_clim(self) -> tuple[float, float]:
        return self._norm.vmin, self._norm.vmax

    def set_extent(self, extent: tuple[float, float, float, float]) -> None:
        self._extent, self.stale = extent, True

    def get_array(self) -> np.ndarray:
        return self._values

    def draw(self, renderer: Any) -> None:
        if not self.get_visible():
            return
        left, right, low, high = self._extent
        to_pixels = self.axes.transData.transform
        (x0, y0), (x1, y1) = np.sort(np.round(to_pixels([(left, low), (right, high)])), axis=0)
        size = (max(int(x1 - x0), 1), max(int(y1 - y0), 1))
        # Agg does not cut an image that begins outside of the canvas.
        edges = np.round(self.axes.bbox.extents) - (x0, y0, x0, y0)
        first_x, first_y, end_x, end_y = np.maximum(edges, 0).astype(int)
        seen = self._pixels(size)[first_y:end_y, first_x:end_x]
        if seen.size:
            gc = renderer.new_gc()
            renderer.draw_image(gc, x0 + first_x, y0 + first_y, np.ascontiguousarray(seen))
            gc.restore()
        self.stale = False

    def _pixels(self, size: tuple[int, int]) -> np.ndarray:
        """The image at this width and height, lowest row first, as `draw_image` wants it."""
        if self._scaled is None or self._scaled[0] != size:
            colours = self._cmap(self._norm(self._values), bytes=True)
            scaled = Image.fromarray(colours).resize(size, self._filter)
            self._scaled = (size, np.asarray(scaled)[::-1].copy())
        return self._scaled[1]
