"""A time limit for code that may never end: a learner's own function, on whatever thread it runs.

``signal.alarm`` works on the main thread of a Unix process only. JupyterLab runs slider callbacks
on a second thread, and Windows has no ``alarm``. Here a small watchdog thread asks the interpreter
to raise an exception inside the thread that entered the block (``PyThreadState_SetAsyncExc``).
An import is never cut short; the clock starts again after it.

What it cannot do: stop a single call into compiled code (``time.sleep``, one huge matrix product):
the exception then arrives when that call returns. Nor code that calls itself in a ``finally``.
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import time
from types import FrameType, TracebackType

from course_utils.reals import real_number

__all__ = ["TimeLimitExceeded", "time_limit"]

_REPEAT_EVERY = 0.05  # seconds between two attempts, for code that swallows the first one
_PATIENCE = 3  # attempts until they come without pause: code may swallow them in a loop
_SIEGE = 1e-6  # seconds between two threads' turns from then on
_IMPORTING = "<frozen importlib"
# (thread id, class): to be raised in that thread.
_set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc


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

    Outside the block you see `TimeLimitExceeded`. Only where the block ends by itself in the very
    microsecond of its limit may this one come out instead: nothing can be caught between the last
    instruction of a ``with`` block and the first of ``__exit__``.
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
        number = real_number(seconds) if isinstance(seconds, int | float) else math.nan
        if not 0 < number < math.inf:
            raise ValueError(f"seconds is {seconds!r}; allowed is a finite number above 0")
        self.seconds = float(seconds)
        self._watchdog: _Watchdog | None = None

    def __enter__(self) -> time_limit:
        if self._watchdog is not None:
            raise RuntimeError("a time_limit is used once: write a new time_limit(...)")
        self._watchdog = _Watchdog(_calling_frame(), self.seconds)
        self._watchdog.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        watchdog = self._watchdog
        while True:
            try:
                watchdog.stop()
                break
            except watchdog.signal:  # it arrived while we were putting things away
                continue
        if not watchdog.has_fired:
            return False
        own = exc_type is watchdog.signal
        if exc is not None and not own and not isinstance(exc, Exception):
            return False  # KeyboardInterrupt, or the end of an enclosing time_limit
        raise TimeLimitExceeded(self.seconds) from (None if own else exc)

    def __del__(self) -> None:
        # Should the signal arrive at the very first instruction of __exit__, that never ran.
        if getattr(self, "_watchdog", None) is not None:
            self._watchdog.over.set()


class _Watchdog(threading.Thread):
    """Raises `signal` in the thread that made it once the time is up, again and again."""

    def __init__(self, block: FrameType, seconds: float) -> None:
        super().__init__(name="time_limit", daemon=True)
        # A class of its own tells this block's exception from that of an enclosing time_limit.
        self.signal = type("OutOfTime", (OutOfTime,), {})
        self.over = threading.Event()
        self.has_fired = False
        self._pending = False  # whether an exception may not have been taken up yet
        self._block = block
        self._watched = threading.get_ident()
        self._lock = threading.Lock()
        self._seconds = seconds
        self._interval: float | None = None  # between two threads' turns, before the siege

    def stop(self) -> None:
        """Called by the watched thread: from here on nothing is raised, nothing left pending."""
        with self._lock:
            self.over.set()
            pending, self._pending = self._pending, False
            if self._interval is not None:
                sys.setswitchinterval(self._interval)
                self._interval = None
        if pending:
            # One more in its place, taken up right here. Were it withdrawn, the interpreter would
            # go on looking for it at every turn, under a profiler without end (Python 3.11).
            _set_exception(ctypes.c_ulong(self._watched), ctypes.py_object(self.signal))
            while True:
                pass

    def run(self) -> None:
        """Wait, then interrupt until somebody calls `stop`."""
        exit_code, set_exception = time_limit.__exit__.__code__, _set_exception
        thread_id, signal = ctypes.c_ulong(self._watched), ctypes.py_object(self.signal)
        deadline = time.monotonic() + self._seconds
        wait, attempts = self._seconds, 0
        while not self.over.wait(wait):
            # A handler that goes back into its loop is met only by an attempt at every turn.
            wait = _REPEAT_EVERY if attempts < _PATIENCE else 0
            with self._lock:
                stack = _stack(self._watched)
                if self.over.is_set() or self._block not in stack:
                    return  # never interrupt anybody else's code
                inside = stack[: stack.index(self._block)]
                # A module that is stopped half-way through its import stays broken. PyTorch
                # imports more of itself on first use, which may take longer than the limit.
                if any(frame.f_code.co_filename.startswith(_IMPORTING) for frame in inside):
                    deadline = time.monotonic() + self._seconds
                    continue
                left = deadline - time.monotonic()
                if left > 0:
                    wait = left
                    continue
                # While we hold the interpreter, that thread waits at a point where it takes up
                # exceptions. Where this is our own `__exit__`, the block has just ended. The two
                # lines stand close together so that we do not lose hold in between.
                if sys._current_frames()[self._watched].f_code is exit_code:
                    continue
                self.has_fired = self._pending = set_exception(thread_id, signal) == 1
                attempts += 1
                if attempts == _PATIENCE:
                    self._interval = sys.getswitchinterval()
                    sys.setswitchinterval(_SIEGE)


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
