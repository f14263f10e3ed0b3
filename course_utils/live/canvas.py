"""The browser's side of a playground: a widget that paints frames and reports pointer and keys."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


def with_kernel_end(path: Path) -> str:
    """The JavaScript at `path`, which uses `onKernelEnd`, in one piece with it."""
    return Path(__file__).with_name("kernel_end.js").read_text("utf-8") + path.read_text("utf-8")


class LiveCanvas(anywidget.AnyWidget):
    """Paints frames sent with `send`, the newest wins; see canvas.js for the messages.

    Traits:
        size: width and height of the picture in CSS pixels.
        areas: parts of the picture (left, bottom, width, height, as fractions) in which it listens
            to the pointer; a finger elsewhere scrolls the page. With none it hears no key either.
        first: the picture from when the cell ran, {"png": bytes, "words": str}, which stands until
            the first frame has come; {} afterwards.
    """

    _esm = with_kernel_end(Path(__file__).with_name("canvas.js")) + Path(__file__).with_name(
        "inputs.js"
    ).read_text("utf-8")
    _css = Path(__file__).with_name("canvas.css")
    size = traitlets.List(traitlets.Int(), default_value=[900, 360]).tag(sync=True)
    areas = traitlets.List(traitlets.Tuple(*[traitlets.Float()] * 4)).tag(sync=True)
    first = traitlets.Dict().tag(sync=True)
