"""The interrupt button, for trainings that go on between the cells."""

from __future__ import annotations

import signal
import threading
import weakref
from typing import Any, Protocol


class Interruptible(Protocol):
    """A training on the kernel's event loop."""

    def interrupt(self) -> None:
        """End soon; called from a signal handler, so amid anything."""


running: weakref.WeakSet[Interruptible] = weakref.WeakSet()


def watch_interrupts() -> None:
    """Let the interrupt button end what is `running`.

    Between cells the kernel ignores the interrupt signal, so we listen in its place; while a cell
    runs, the signal is the cell's, and the kernel has set its own handler.
    """
    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, _on_interrupt)


def _on_interrupt(*_: Any) -> None:
    for training in list(running):
        training.interrupt()
