"""The line from a playground to its page: frames are numbered, and packed where the way is long.

On a long line the page itself reports what a hand moves, each value at once: ipywidgets holds a
value back until the kernel has answered the one before, which is one value per round trip. It goes
on doing so; its values come later, find that they are known, and bring what other views need.
"""

from __future__ import annotations

import contextlib
import threading
import time
import zlib
from collections import deque
from typing import Any

from traitlets import TraitError

from course_utils.live.path_window import PINGS, Window
from course_utils.live.picture import Frame

PACES = (16, 32, 64, 100)  # milliseconds between two reports of one control, at the least
PAUSE = 0.7  # seconds after which a frame begins a new movement
PING_EVERY = 1.0  # seconds between two pings at the least, but to a new page
INPUTS = 512  # reports that are remembered until a frame shows them


class Line:
    """What is under way between one playground and its pages. Any thread may call it."""

    def __init__(self) -> None:
        self.frames = 0  # sent so far
        self._parts: dict[str, tuple[Any, str]] = {}  # model id: widget, what a hand moves of it
        self._lock = threading.Lock()
        self._window = Window()
        self._pings = 0
        self._pings_left = 0  # that follow each other's answers
        self._asked = 0.0  # when the newest ping was sent
        self._pace = 0  # as the page was told; 0: ipywidgets alone
        self._begun = 0.0  # when the drawing of the last frame began
        self._gap = 0.0  # seconds from one to the next, while something moves
        self._zip = False  # whether the page can unpack
        self._inputs: deque[tuple[int, int]] = deque(maxlen=INPUTS)  # generation, number
        self._input = 0  # the newest that a frame has shown

    def connect(self, *controls: Any) -> None:
        """Tell which widgets a hand can move."""
        self._parts = {
            part.model_id: (part, trait) for one in controls for part, trait in moved(one)
        }

    def begin(self) -> dict[str, Any]:
        """A new page has come: what to send it first."""
        with self._lock:
            self._window.clear()
            self._pace = 0  # it does not know yet
            self._pings_left = PINGS  # in a row: it is busy with itself
            return self._ping()

    def _ping(self) -> dict[str, Any]:
        """A message whose answer tells how long the line is."""
        self._pings += 1
        self._pings_left = max(0, self._pings_left - 1)
        self._asked = time.monotonic()
        return {"type": "ping", "ping": self._pings}

    def hear(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Take a confirmation or the answer to a ping; the messages that it calls for."""
        now, replies = time.monotonic(), []
        with self._lock:
            if message["type"] == "painted":
                self._window.confirm(int(message.get("frame", -1)), now)
                if self._window.idle and now - self._asked > PING_EVERY:
                    replies.append(self._ping())
            elif message.get("ping") == self._pings:  # the first page that answers
                self._window.ping(now - self._asked)
                self._zip = bool(message.get("inflates"))
                self._pings += 1  # a second page's answer counts for nothing
                if self._pings_left:
                    replies.append(self._ping())
            # Two values for each frame: more would only keep the kernel and the line busy.
            gap = 1.0 if self._window.thin else self._gap
            quick = [pace for pace in PACES if pace <= 500 * gap]
            pace = (quick or PACES[:1])[-1] if self._window.far else 0
            if pace != self._pace:
                self._pace = pace
                controls = [[key, trait] for key, (_, trait) in self._parts.items()]
                replies.append({"type": "pace", "pace": pace, "controls": controls})
        return replies

    def put(self, message: dict[str, Any]) -> None:
        """Move a widget as its own view would, but without the echo: that one is still to come."""
        part, trait = self._parts.get(message.get("control"), (None, ""))
        if part is not None:
            value = message.get("value")
            with contextlib.suppress(TraitError), part._lock_property(**{trait: value}):
                with part.hold_trait_notifications():
                    part.set_trait(trait, value)

    def wait(self) -> float:
        """Seconds until the next frame may go; infinite if a confirmation has to come first."""
        with self._lock:
            return self._window.wait(time.monotonic())

    @property
    def idle(self) -> bool:
        """Whether every frame has been confirmed."""
        with self._lock:
            return self._window.idle

    @property
    def thin(self) -> bool:
        """Whether a frame blocks the line for others."""
        with self._lock:
            return self._window.thin

    def note(self, generation: int, number: int) -> None:
        """The page's input of this `number` has led to this `generation` of values."""
        with self._lock:
            self._inputs.append((generation, number))

    def message(self, frame: Frame, generation: int, begun: float) -> tuple[dict[str, Any], bytes]:
        """What is sent now for a picture of this `generation`, drawn since `begun`.

        A patch for somebody far away is deflated: half of the bytes, in a millisecond.
        """
        with self._lock:
            deflate = frame.format == "patch" and self._zip and self._window.far
        data = zlib.compress(frame.data, 1) if deflate else frame.data
        with self._lock:
            while self._inputs and self._inputs[0][0] <= generation:
                self._input = self._inputs.popleft()[1]
            self.frames += 1
            gap, self._begun = begun - self._begun, begun
            self._gap = 0.0 if gap > PAUSE else self._gap + (gap - self._gap) / 4
            self._window.send(self.frames, time.monotonic(), len(data), begun)
            return {
                "type": "frame",
                "frame": self.frames,
                "format": frame.format,
                "runs": frame.runs,
                "flat": frame.flat,
                "deflated": deflate,
                "background": frame.background,
                "generation": generation,
                "input": self._input,
            }, data


def moved(widget: Any) -> list[tuple[Any, str]]:
    """The parts of a control that a hand moves, and the trait that their views then set."""
    if hasattr(widget, "children"):
        return [pair for child in widget.children for pair in moved(child)]
    trait = "index" if "index" in widget.keys else "value"
    return [(widget, trait)] if trait in widget.keys else []
