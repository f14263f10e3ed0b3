"""The browser's side of a playground: a widget that paints frames and reports pointer and keys."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class LiveCanvas(anywidget.AnyWidget):
    """Paints frames sent with `send`, the newest wins; see canvas.js for the messages.

    Traits:
        size: width and height of the picture in CSS pixels.
        pointer: whether the picture listens to the pointer and the arrow keys.
    """

    _esm = Path(__file__).with_name("canvas.js")
    _css = Path(__file__).with_name("canvas.css")
    size = traitlets.List(traitlets.Int(), default_value=[900, 360]).tag(sync=True)
    pointer = traitlets.Bool(False).tag(sync=True)
