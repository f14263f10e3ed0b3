"""A time limit for code that may never end: a learner's own function, on whatever thread it runs.

``signal.alarm`` works on the main thread of a Unix process only. JupyterLab runs slider callbacks
on a second thread, and Windows has no ``alarm``. Here a small watchdog thread asks the interpreter
to raise an exception inside the thread that entered the block (``PyThreadState_SetAsyncExc``).

What it cannot do: stop a single call into compiled code (``time.sleep``, one huge matrix product).
The exception then arrives when that call returns.
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import time
from types import FrameType, TracebackType

__all__ = ["TimeLimitExceeded", "time_limit"]

_REPEAT_EVERY = 0.05  # seconds between two attempts, for code that swallows the first one


class TimeLimitExceeded(TimeoutError):
    """The block inside ``time_limit(seconds)`` did not end in time.

    ``seconds`` is the limit that was passed.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"no end after {seconds:g} s, so it was stopped: is there a loop that never ends?"
        )
        self.seconds = seconds


class OutOfTime(BaseException):
    """What is raised inside the block. Not an ``Exception``: ``except Exception`` must not stop it.

    Outside the block you see `TimeLimitExceeded`.
    """


class time_limit:
    """Stop the block after ``seconds`` (float > 0) and raise `TimeLimitExceeded`.

    Works on any thread, nests (each block has its own clock), and leaves nothing behind: when the
    block ends in time, no exception can arrive later. A ``KeyboardInterrupt`` passes through
    unchanged. Not meant for a block that awaits.

    >>> with time_limit(2):
    ...     total = sum(range(10))

    Raises:
        ValueError: ``seconds`` is not a finite number above 0.
        TimeLimitExceeded: the block ran too long, even where the block swallowed the interruption.
    """

    def __init__(self, seconds: float) -> None:
        if not (isinstance(seconds, int | float) and math.isfinite(seconds) and seconds > 0):
            raise ValueError(f"seconds is {seconds!r}; allowed is a finite number above 0")
        self.seconds = float(seconds)
        self._lock = threading.Lock()
        self._entered = False

    def __enter__(self) -> time_limit:
        if self._entered:
            raise RuntimeError("a time_limit is used once: write a new time_limit(...)")
        self._entered = True
        # A class of its own tells this block's exception from that of an enclosing time_limit.
        self._signal = type("OutOfTime", (OutOfTime,), {})
        self._thread_id = threading.get_ident()
        self._over = threading.Event()
        self._fired = False
        self._deadline = time.monotonic() + self.seconds
        watchdog = threading.Thread(
            target=self._watch, args=(_calling_frame(),), name="time_limit", daemon=True
        )
        watchdog.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        while True:
            try:
                with self._lock:  # from here on the watchdog raises nothing more ...
                    self._over.set()
                    _raise_in_thread(self._thread_id, None)  # ... and nothing is left pending
                break
            except self._signal:  # it arrived while we were putting things away
                continue
        if not self._fired:
            return False
        own = exc_type is self._signal
        if exc is not None and not own and not isinstance(exc, Exception):
            return False  # KeyboardInterrupt, or the end of an enclosing time_limit
        raise TimeLimitExceeded(self.seconds) from (None if own else exc)

    def _watch(self, block: FrameType) -> None:
        wait = self._deadline - time.monotonic()
        while not self._over.wait(wait):
            wait = _REPEAT_EVERY
            with self._lock:
                stack = _stack(self._thread_id)
                if self._over.is_set() or block not in stack:
                    return  # never interrupt anybody else's code
                # While we hold the interpreter, that thread waits at a point where it takes up
                # exceptions. Where this is our own `__exit__`, the block has just ended.
                if stack[0].f_code is time_limit.__exit__.__code__:
                    continue
                self._fired = True
                _raise_in_thread(self._thread_id, self._signal)


def _calling_frame() -> FrameType:
    """The frame that holds the ``with`` statement (or that entered an ``ExitStack``)."""
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__") == "contextlib" and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _stack(thread_id: int) -> list[FrameType]:
    """What that thread is running, the innermost frame first; empty where it has ended."""
    frames = []
    frame = sys._current_frames().get(thread_id)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def _raise_in_thread(thread_id: int, exception: type[BaseException] | None) -> None:
    """Ask for ``exception`` to be raised in that thread; ``None`` withdraws what is pending."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), ctypes.py_object(exception) if exception else None
    )
