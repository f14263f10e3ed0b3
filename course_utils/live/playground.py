"""The live-figure engine: a slider moves, and the picture follows at once.

A `Playground` is described by four things: its `controls`, a pure `compute(**values)`, a `draw`
that builds the figure once, and an `update(result)` that moves the animated artists; `summary`
says in words what the picture shows. From these it makes three forms of the same thing: live in
JupyterLab, a stored PNG with its text on GitHub, and a text that CI compares.

How it keeps up. JupyterLab may run a slider's callback on a second thread, and matplotlib must not
be used by two threads at once. So a callback only stores the new value and counts up a generation;
one thread, shared by all playgrounds, draws the newest generation and skips those in between.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import traceback
from collections.abc import Hashable, Iterable, Sequence
from textwrap import indent
from typing import Any

from course_utils.live import noted, rerun
from course_utils.live.canvas import LiveCanvas
from course_utils.live.controls import Bound, Control, button, close_widgets, grey_out, row, starts
from course_utils.live.line import Line
from course_utils.live.picture import Frame, Picture
from course_utils.live.renderer import RENDERER, REST_AFTER, REST_AFTER_THIN, SHARP_AFTER
from course_utils.memory import give_memory_back
from course_utils.names import unknown_name
from course_utils.plotting import picture_bundle

# What a closed playground keeps, beside plain numbers and words.
SMALL = {
    "_state",
    "_specs",
    "_values",
    "_defaults",
    "_line",
    "_loop",
    "_task",
    "_going",
    "_wake",
}


class Playground:
    """One live figure. Subclass it; override `controls`, `compute`, `draw`, `update`, `summary`.

    Args:
        **values: starting values of controls; the others start at their defaults.

    Raises:
        ValueError: for an unknown control or a value outside its range.
    """

    width: float = 9.0  # inches at 100 dpi
    height: float = 3.6
    areas: Sequence[tuple[float, float, float, float]] = ()  # that listen to the pointer
    rest_after: float = REST_AFTER  # seconds without a change until the sharp picture

    # -- what a subclass describes ---------------------------------------------------------------

    controls: Iterable[Control] = ()  # in the order in which one thinks of them

    def compute(self, **values: Any) -> Any:
        """The result for these values: pure, no widgets, no figure."""
        raise NotImplementedError

    def draw(self, fig: Any) -> Iterable[Any]:
        """Build the figure once; return the artists that `update` will move."""
        raise NotImplementedError

    def update(self, result: Any) -> None:
        """Move the artists to show `result`. After changing anything else call `invalidate`."""
        raise NotImplementedError

    def summary(self, result: Any) -> str:
        """One or two sentences with the rounded numbers that the picture shows."""
        raise NotImplementedError

    def on_pointer(self, events: list[tuple[str, float, float]]) -> None:
        """Pointer `events` (kind "down", "move" or "up", x and y as fractions of the picture)."""

    def on_key(self, key: str, shift: bool) -> None:
        """An arrow key, Delete or Escape while the picture has the focus."""

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        """Arrange the control widgets (by name) above the picture: a list of widgets."""
        return [row(*rows.values(), self.reset_button())]

    # -- what it then can do ---------------------------------------------------------------------

    def __init_subclass__(cls, **options: Any) -> None:
        """Say in the docstring which controls there are."""
        super().__init_subclass__(**options)
        if cls.__doc__ and isinstance(cls.__dict__.get("controls"), tuple):
            cls.__doc__ = f"{cls.__doc__.rstrip()}\n\n{indent(starts(cls.controls), '    ')}"

    def __init__(self, **values: Any) -> None:
        self._specs = {control.name: control for control in self.controls}
        for name in values:
            if name not in self._specs:
                raise unknown_name("control", name, list(self._specs))
        self._defaults = {
            name: spec.check(values.get(name, spec.default)) for name, spec in self._specs.items()
        }
        self._values = dict(self._defaults)
        self._state = threading.RLock()  # guards the values and counters, never held while drawing
        self._generation = 0
        self._root = self._canvas = None
        self._bound: dict[str, Bound] = {}
        self._closed = False
        self._error = ""
        self._line = Line()
        self._exact = 0  # number of the newest frame, if it is exact in every pixel
        self._scale = 1.0
        self._long_at_rest = False  # nothing moves soon: then a thin line is free for all it takes
        self._viewed = False
        self._moved = False  # since the picture was last noted, or stored by the cell
        self._stale = False  # values changed while nobody looked
        self._drawn = 0  # generation that the figure shows, and its values
        self._shown_values = self.values
        self._result = self.compute(**self._values)
        self.picture = Picture(self.draw, self.width, self.height)
        with self.picture.lock:
            self.update(self._result)

    @property
    def values(self) -> dict[str, Any]:
        """The current value of every control."""
        with self._state:
            return dict(self._values)

    @property
    def result(self) -> Any:
        """What the picture shows now."""
        return self._result

    @property
    def closed(self) -> bool:
        """Whether `close` was called, by hand or because the cell ran again."""
        return self._closed

    def set(self, **values: Any) -> None:
        """Move controls from code, as if by hand.

        Raises:
            ValueError: for an unknown control or a value outside its range.
        """
        for name in values:
            if name not in self._specs:
                raise unknown_name("control", name, list(self._specs))
        values = {name: self._specs[name].check(value) for name, value in values.items()}
        with self._state:
            changed = {n: v for n, v in values.items() if self._values[n] != v}
            self._values.update(changed)
        if changed:
            for name, value in changed.items():
                if name in self._bound and self._bound[name].get() != value:
                    self._bound[name].set(value)
            self.changed()

    def reset(self) -> None:
        """Put every control back to where it started."""
        self.set(**self._defaults)

    def changed(self) -> None:
        """Note that the picture is out of date, and have it redrawn if somebody looks."""
        with self._state:
            self._generation += 1
        if self._viewed:
            RENDERER.request(self)
        else:
            self._stale = True

    def invalidate(self, key: Hashable = None) -> None:
        """Say from `update` that the background has changed too; see `Picture.invalidate`."""
        self.picture.invalidate(key)

    def __repr__(self) -> str:
        if self._closed:
            return self._last_words
        self._catch_up()
        return self._error or self.summary(self._result)

    def close(self) -> None:
        """Stop everything and release the widgets, their comms and the figure.

        The object itself may live on, as IPython keeps whatever a cell has displayed, so it lets
        go of all that is large; its last words stay.
        """
        if self._closed:
            return
        self._last_words = self._error or self.summary(self._result)
        self._closed = True
        RENDERER.forget(self)
        if self._root is not None:
            noted.forget(self._root.model_id)
            close_widgets(self._root)
        self.picture.close()  # waits for the renderer, if it is drawing just now
        self._let_go()
        give_memory_back()

    def _let_go(self) -> None:
        for name, value in list(self.__dict__.items()):
            if name not in SMALL and not isinstance(value, bool | int | float | str | None):
                del self.__dict__[name]
        self._root = self._canvas = None
        self._bound = {}
        self._line.connect()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict, dict]:
        if self._closed:
            return {"text/plain": repr(self)}, {}
        self._catch_up()
        png = self.picture.frame(moving=False).data
        text = self._error or self.summary(self._result)
        data, metadata = picture_bundle(png, text)
        rerun.adopt(self)
        data[noted.WIDGET_VIEW] = noted.view_of(self.widget.model_id)
        self._canvas.first = {"png": png, "words": text}
        metadata[noted.LIVE] = self.widget.model_id
        return data, metadata

    # -- widgets -----------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The whole playground as one ipywidgets box, built when first asked for."""
        if self._root is None:
            import ipywidgets as widgets

            self._canvas = LiveCanvas(size=list(self.picture.size), areas=list(self.areas))
            self._canvas.on_msg(self._on_message)
            for name, spec in self._specs.items():
                bound = self._bound[name] = spec.bind(self._on_control)
                if bound.get() != self._values[name]:
                    bound.set(self._values[name])
            grey_out(self._specs, self._bound)
            rows = {name: bound.widget for name, bound in self._bound.items()}
            self._line.connect(*rows.values())
            self._root = widgets.VBox([*self.layout(rows), self._canvas])
            self._root.add_class("course-playground")
        return self._root

    def reset_button(self) -> Any:
        """A button that puts every control back."""
        return button("Reset", self.reset, tip="put every control back to where it started")

    def _on_control(self, name: str, value: Any) -> None:
        with self._state:
            if self._values[name] == value:
                return
            self._values[name] = value
        self.changed()

    def _on_message(self, _: Any, message: dict, __: Any) -> None:
        kind = message.get("type")
        if kind in ("painted", "pong"):
            for reply in self._line.hear(message):
                if not self._closed:
                    self._canvas.send(reply)
            RENDERER.wake()
        elif kind == "input":
            self._line.put(message)
            with self._state:
                self._line.note(self._generation, int(message["input"]))
        elif kind == "ready":
            self._scale = min(max(float(message.get("dpr") or 1.0), 1.0), 3.0)
            self.picture.known, self._exact = [], 0  # a new view knows nothing yet
            self._long_at_rest = False
            self._canvas.send(self._line.begin())
            self._viewed, self._canvas.first = True, {}
            noted.note(self.widget.model_id)
            RENDERER.request(self, rest=True)
        elif kind == "gone":
            self._viewed = False
            self._canvas.send({"type": "who looks"})  # another view answers that it is ready
        elif kind in ("pointer", "key"):
            try:
                if kind == "pointer":
                    self.on_pointer([(str(k), float(x), float(y)) for k, x, y in message["events"]])
                else:
                    self.on_key(str(message["key"]), bool(message["shift"]))
            except Exception as error:
                self.show_error(error)

    # -- drawing: on the renderer's thread, or on the caller's when nobody looks -------------------

    def recompute(self, values: dict[str, Any]) -> Any:
        """The result to show for `values`; a live training overrides it with its newest state."""
        return self.compute(**values)

    def _catch_up(self) -> None:
        """Bring result and figure up to date on this thread."""
        if self._stale and not self._viewed:
            self._stale = False
            self._refresh()

    def _refresh(self) -> int:
        """Compute and draw the newest values; return their generation."""
        with self._state:
            generation, values = self._generation, dict(self._values)
        try:
            result = self.recompute(values)
            with self.picture.lock:
                self.update(result)
            self._result, self._error = result, ""
        except Exception as error:
            self._error = describe_error(error)
        self._shown_values = values
        return generation

    def wait_to_send(self) -> float:
        """Seconds until the next frame may go; infinite while the line to the browser is full."""
        return self._line.wait()

    def wait_to_rest(self) -> float:
        """Seconds without a change until the sharp picture: it must not block a thin line."""
        return max(self.rest_after, REST_AFTER_THIN if self._line.thin else 0.0)

    def render(self, *, moving: bool) -> None:
        """Draw the newest state and send it to the browser."""
        if self._closed or self._canvas is None:
            return
        begun = time.monotonic()
        if moving or self._stale:
            self._stale, self._moved, self._exact = False, True, 0
            self._long_at_rest = False
            self._drawn = self._refresh()
        generation = self._drawn
        if self._error:
            self._canvas.send({"type": "error", "error": self._error, "generation": generation})
            return
        words, png = self.summary(self._result), b""
        thin = self._line.thin and not self._long_at_rest
        if not moving:
            news = self.picture.news()
            if news is not None:
                note = {"type": "background", "background": news[0], "format": "png"}
                self._canvas.send(note, buffers=[news[1]])
        if moving or not thin or not self._exact:
            frame = self._frame(moving=moving, thin=thin)
            message, data = self._line.message(frame, generation, begun)
            message["values"] = json.dumps(self._shown_values, default=str)
            message["summary"] = words
            self._exact = message["frame"] if frame.format == "patch" else 0
            if not self._closed:
                self._canvas.send(message, buffers=[data])
            png = data if frame.format == "png" and (thin or self._scale == 1.0) else b""
        if not moving and thin and self._exact:  # it is as sharp as it can be on a thin line
            rest = {"type": "rest", "frame": self._exact, "format": "png", "summary": words}
            self._canvas.send(rest)
        if not moving and thin and self._scale > 1.0:
            self._long_at_rest = True
            RENDERER.request(self, rest=True, after=SHARP_AFTER)
        if not moving and self._moved:
            self._moved = False
            self._note_picture(png or self.picture.frame(moving=False).data, words)

    def _frame(self, *, moving: bool, thin: bool) -> Frame:
        """The picture as it is sent; on a thin line small while it moves, then at most exact."""
        if not moving and not thin:
            return self.picture.frame(moving=False, scale=self._scale)
        frame = self.picture.frame(moving=True, small=moving and thin)
        return frame if moving or frame.format == "patch" else self.picture.frame(moving=False)

    def _note_picture(self, png: bytes, words: str) -> None:
        """Leave picture and words for a notebook that is saved now."""
        data = {"image/png": base64.b64encode(png).decode("ascii")}
        if self._root is not None:
            noted.note(self._root.model_id, data, {"image/png": {"alt": words}})

    def show_error(self, error: BaseException) -> None:
        """Show `error` in red under the picture."""
        self._error = describe_error(error)
        if self._canvas is not None and not self._closed:
            self._canvas.send(
                {"type": "error", "error": self._error, "generation": self._generation}
            )


def shown() -> list[Playground]:
    """The playgrounds now shown by cells, in the order in which the cells first showed them."""
    return rerun.shown(Playground)


def describe_error(error: BaseException) -> str:
    """`error` in one or two lines: its type, its message, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames:
        where = f"\n(in {frames[-1].name}, line {frames[-1].lineno})"
    return f"{type(error).__name__}: {error}{where}"
