"""What was on screen before, to compare the new picture with."""

from __future__ import annotations

import time
from typing import Any

LOOKED = 1.2  # seconds for which a finished result must have stood to count as looked at


class Before:
    """Keeps the last finished result that the learner had time to look at.

    A slider that is dragged starts many runs; the one before the drag is what one compares with.
    Results of one run share the same ``key``.
    """

    def __init__(self) -> None:
        self.kept: Any = None
        self._last: Any = None
        self._finished, self._since = False, 0.0

    def note(self, result: Any, *, finished: bool) -> Any:
        """Note what is shown now; return the result to compare it with, or None."""
        now = time.monotonic()
        last = self._last
        if last is not None and last.key is not result.key:
            if self._finished and now - self._since >= LOOKED:
                self.kept = last
        self._last, self._finished, self._since = result, finished, now
        return self.kept
