"""A figure that is redrawn many times a second: cached background, moving artists, small frames.

Only artists marked as animated are drawn again; everything else comes from a cached copy. At rest a
frame is a lossless PNG at the resolution of the screen. While something moves, a frame is just the
pixels that differ from the cached background, which the browser already has: there is nothing to
compress and nothing to decode. Where much differs (a photograph that changes), it is a JPEG.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from course_utils.plotting import DPI, bare_figure, course_style

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

JPEG_QUALITY = 90
SMALL_QUALITY = 60  # of a picture of half the size, for thin lines
PATCH_AT_MOST = 0.5  # bytes per pixel of the picture; a JPEG, smaller then, takes time to decode
KEPT = 4  # backgrounds, here and in the browser (canvas.js)


class Frame(NamedTuple):
    """What is sent: `format` is "png", "jpeg" or "patch".

    A patch has so many `runs` on this `background`, each of one colour if `flat`.
    """

    format: str
    data: bytes
    runs: int = 0
    flat: bool = False
    background: int = 0


class Shown(NamedTuple):
    """Pixels (height, width, 4) of the picture and of its background, and the latter's number."""

    pixels: np.ndarray
    background: np.ndarray
    number: int


class Picture:
    """A private figure of `width` × `height` inches and its frames.

    Args:
        draw: called once with the figure; returns the artists that will move.

    One lock guards the figure, since matplotlib is not made for two threads at once.
    """

    def __init__(self, draw: Callable[[Figure], Iterable[Artist]], width: float, height: float):
        self.lock = threading.RLock()
        self.size = (round(width * DPI), round(height * DPI))
        self._draw = draw
        self._backgrounds: OrderedDict[tuple[float, Hashable], tuple] = OrderedDict()
        self._key: Hashable = None
        self._drawn = 0
        self.known: list[int] = []  # numbers of the backgrounds that the browser has
        with course_style():
            self.figure = bare_figure(width, height)
            self._artists = sorted(draw(self.figure), key=lambda artist: artist.get_zorder())
            pin_ticks(self.figure)
        for artist in self._artists:
            artist.set_animated(True)

    def invalidate(self, key: Hashable = None) -> None:
        """Say that something else than the moving artists has changed.

        A `key` names all of it, "axis up to 100": what was drawn for the same key is used again.
        """
        if key is None:
            self._backgrounds.clear()
        self._key = key

    def frame(self, *, moving: bool, scale: float = 1.0, small: bool = False) -> Frame:
        """The current picture, `scale` times the base resolution; as a patch if it moves.

        `small`: half the size instead, in a quarter of the bytes.
        """
        with self.lock:
            shown = self._render(scale)
            if small:
                return Frame("jpeg", encode(shown.pixels, "jpeg", part=2))
            if not moving:
                return Frame("png", encode(shown.pixels, "png"))
            if shown.number in self.known:
                patch = changed_pixels(shown.pixels, shown.background)
                if patch is not None:
                    return patch._replace(background=shown.number)
            return Frame("jpeg", encode(shown.pixels, "jpeg"))

    def background(self) -> tuple[int, bytes]:
        """(number, PNG) of what never moves. The number changes whenever it does."""
        with self.lock:
            shown = self._render(1.0)
            return shown.number, encode(shown.background, "png")

    def news(self) -> tuple[int, bytes] | None:
        """The `background`, noted as known; None if the browser has it."""
        with self.lock:
            shown = self._render(1.0)
            if shown.number in self.known:
                return None
            self.known = [*self.known, shown.number][-KEPT:]
            return shown.number, encode(shown.background, "png")

    def _render(self, scale: float) -> Shown:
        import numpy as np

        canvas = self.figure.canvas
        if self.figure.dpi != DPI * scale:
            self.figure.set_dpi(DPI * scale)
        cached = self._backgrounds.get((scale, self._key))
        if cached is None:
            canvas.draw()
            pixels = np.array(canvas.buffer_rgba())
            self._drawn += 1
            cached = (canvas.copy_from_bbox(self.figure.bbox), pixels, self._drawn)
            self._backgrounds[scale, self._key] = cached
            if len(self._backgrounds) > KEPT:
                self._backgrounds.popitem(last=False)
        else:
            self._backgrounds.move_to_end((scale, self._key))
            canvas.restore_region(cached[0])
        renderer = canvas.get_renderer()
        for artist in self._artists:
            artist.draw(renderer)
        return Shown(np.asarray(canvas.buffer_rgba()), cached[1], cached[2])

    def close(self) -> None:
        """Drop the figure and everything cached."""
        with self.lock:
            self._backgrounds.clear()
            self._artists = []
            self.figure.clear()


def pin_ticks(figure: Figure) -> None:
    """Make ticks that are added later look as they would now, whatever style is in force then."""
    from matplotlib import rcParams

    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        ticks = f"{axis.axis_name}tick"
        look = {key: rcParams[f"{ticks}.{key}"] for key in ("color", "direction", "labelsize")}
        look["labelcolor"] = look["color"]
        grid = ("color", "linestyle", "linewidth", "alpha")
        look |= {f"grid_{key}": rcParams[f"grid.{key}"] for key in grid}
        for which in ("major", "minor"):
            look |= {key: rcParams[f"{ticks}.{which}.{key}"] for key in ("size", "width", "pad")}
            said = axis.get_tick_params(which)
            axis.set_tick_params(which, **{k: v for k, v in look.items() if k not in said})


def encode(pixels: np.ndarray, kind: str, *, part: int = 1) -> bytes:
    """`pixels` (height, width, 4) as "png" or "jpeg" bytes, 1/`part` as high and as wide."""
    from PIL import Image

    height, width = pixels.shape[:2]
    image = Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)
    buffer = io.BytesIO()
    if kind == "jpeg":
        quality = JPEG_QUALITY if part == 1 else SMALL_QUALITY
        image.reduce(part).save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        image.convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def changed_pixels(pixels: np.ndarray, background: np.ndarray) -> Frame | None:
    """The runs of `pixels` that differ from `background`; None if they are too many to be worth it.

    Layout: starts (uint32), lengths (uint16), then three bytes of colour for each pixel or, where
    that takes less (surfaces), a run ends with its colour, and there are three bytes for each run.
    """
    import numpy as np

    new = np.ascontiguousarray(pixels).reshape(-1, 4)
    words = new.view(np.uint32).ravel()
    where = np.flatnonzero(words != background.reshape(-1, 4).view(np.uint32).ravel())
    # A run ends where the next changed pixel is not the neighbour.
    ends = np.diff(where) != 1
    colours = words[where]
    ends_flat = ends | (colours[1:] != colours[:-1])
    any_run = min(1, len(where))
    size = 6 * (any_run + np.count_nonzero(ends)) + 3 * len(where)
    size_flat = 9 * (any_run + np.count_nonzero(ends_flat))
    flat = bool(size_flat < size)
    if min(size, size_flat) > PATCH_AT_MOST * len(words):
        return None
    breaks = np.flatnonzero(ends_flat if flat else ends) + 1
    first = np.concatenate([np.zeros(any_run, np.intp), breaks])
    lengths = np.diff(np.append(first, len(where)))
    if len(lengths) and lengths.max() > 0xFFFF:
        return None
    parts = (
        where[first].astype("<u4").tobytes(),
        lengths.astype("<u2").tobytes(),
        new[where[first] if flat else where, :3].tobytes(),
    )
    return Frame("patch", b"".join(parts), runs=len(first), flat=flat)
