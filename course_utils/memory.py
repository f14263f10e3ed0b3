"""The memory of the process, and the collector that looks through it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def nothing_to_collect() -> Iterator[None]:
    """For imports: what they make stays, and looking through it takes a fifth of their time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def give_memory_back() -> None:
    """Hand freed memory back to the system where the C library (glibc) would keep it.

    Not a leak, but it looks like one: trainings and pictures leave gaps of tens of megabytes. It
    takes a millisecond, or 10 to 20 where there is much to give.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
