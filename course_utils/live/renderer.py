"""The one thread that draws every playground: the newest request wins, the others are skipped."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import Protocol

REST_AFTER = 0.15  # seconds without a change until the lossless frame is sent
REST_AFTER_THIN = 0.5  # the same where that frame would keep others from the line
SHARP_AFTER = 2.0  # until it comes there in the resolution of a finer screen
SWITCH_EVERY = 0.0005  # seconds between two threads' turns while playgrounds are live
AT_ONCE = 0.0  # when a lossless frame is due that must not be put off
LOOK_AGAIN = 0.5  # seconds after which a full line is looked at again, if it says nothing


class Drawn(Protocol):
    """What the renderer asks of a playground."""

    @property
    def closed(self) -> bool: ...

    def wait_to_send(self) -> float: ...

    def wait_to_rest(self) -> float: ...

    def render(self, *, moving: bool) -> None: ...

    def show_error(self, error: BaseException) -> None: ...


class Renderer:
    """The one thread that draws: newest request of each playground, oldest playground first."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._moving: dict[Drawn, None] = {}
        self._resting: dict[Drawn, float] = {}
        self._thread: threading.Thread | None = None

    def request(self, playground: Drawn, *, rest: bool = False, after: float = 0.0) -> None:
        """Draw `playground` soon: a moving frame, or with `rest=True` just the lossless one.

        after: seconds for which nothing must have moved until the lossless one is drawn.
        """
        with self._wake:
            if rest:
                self._resting[playground] = time.monotonic() + after if after else AT_ONCE
            else:
                self._moving[playground] = None
            if self._thread is None:
                # Python hands the interpreter over every 5 ms; a picture is computed in less.
                sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_EVERY))
                self._thread = threading.Thread(
                    target=self._run, name="course-renderer", daemon=True
                )
                self._thread.start()
            self._wake.notify()

    def wake(self) -> None:
        """The browser has painted a frame: there may be room for the next one."""
        with self._wake:
            self._wake.notify()

    def forget(self, playground: Drawn) -> None:
        with self._wake:
            self._moving.pop(playground, None)
            self._resting.pop(playground, None)

    def _next(self) -> tuple[Drawn, bool]:
        with self._wake:
            while True:
                now = time.monotonic()
                waits = [LOOK_AGAIN] if self._moving else []
                # A page that has just opened waits for its first lossless frame, and with it the
                # background, also while a training goes on.
                awaited = [p for p, due in self._resting.items() if due == AT_ONCE]
                for playground in self._moving:
                    if playground in awaited:
                        continue
                    wait = playground.wait_to_send()
                    if wait == 0:
                        del self._moving[playground]
                        self._resting[playground] = now + playground.wait_to_rest()
                        return playground, True
                    waits.append(wait)
                for playground, due in self._resting.items():
                    if due > now:
                        waits.append(due - now)
                    elif playground in awaited or playground not in self._moving:
                        wait = playground.wait_to_send()
                        if wait == 0:
                            del self._resting[playground]
                            return playground, False
                        waits += [wait, LOOK_AGAIN]
                self._wake.wait(min(waits, default=None))

    def _run(self) -> None:
        while True:
            playground, moving = self._next()
            try:
                playground.render(moving=moving)
            except Exception as error:  # a bug in drawing must not end the thread
                if not playground.closed:
                    traceback.print_exc()
                    playground.show_error(error)
            del playground


RENDERER = Renderer()
