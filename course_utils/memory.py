"""The memory of the process."""

from __future__ import annotations

import contextlib
import ctypes
import sys


def give_memory_back() -> None:
    """Hand freed memory back to the system where the C library (glibc) would keep it.

    Not a leak, but it looks like one: trainings and pictures leave gaps of tens of megabytes. It
    takes a millisecond, or 10 to 20 where there is much to give.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
