"""How much may be under way to a page: as many frames as the line holds without a queue.

Each confirmation says how long its frame took. The shortest time in a while is the line itself;
what is longer is queueing. While there is none, the window grows; otherwise it becomes what the
line holds (frames under way / time taken, by Little's law) and a little more. Answers to tiny
messages, "pings", tell the round trip, and the quickest of the lone frames tells by what it takes
beyond that the rate: on a thin line frames leave more than half of the time to others. A busy
machine makes both look worse than they are, so the best of some time counts. All times are seconds,
on the caller's clock.
"""

from __future__ import annotations

import math
from collections import deque

LEAST, MOST = 2, 24  # frames under way; on a thin line it may be one
QUEUE = 0.05  # seconds of queueing that are allowed
SPACING = 0.015  # seconds between the beginnings of two frames at the least
MEMORY = 10.0  # seconds for which the best frame is remembered
PINGS = 5  # of which the quickest counts
LOST_AFTER = 2.0  # seconds after which an unanswered frame no longer counts, at the least
FAR = 0.03  # a longer round trip is a long line
THIN = 300_000  # bytes per second; a line that carries less is a thin one
ENOUGH = 3  # lone frames that must have been slow: a page that has just opened is busy with itself
SHARE = 0.4  # of a thin line's time that frames may take


class Least:
    """The least of the values of the last `memory` seconds, or the newest one if it is older."""

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._rising: deque[tuple[float, float]] = deque()  # when, value

    def add(self, value: float, now: float) -> None:
        while self._rising and self._rising[-1][1] >= value:
            self._rising.pop()
        self._rising.append((now, value))
        while len(self._rising) > 1 and self._rising[0][0] < now - self._memory:
            self._rising.popleft()

    @property
    def value(self) -> float:
        """0 if there is none."""
        return self._rising[0][1] if self._rising else 0.0


class Window:
    """Frames sent and not yet confirmed; not locked, the owner does that."""

    def __init__(self) -> None:
        self.size = float(LEAST)
        self._begun = -math.inf  # when the last frame was begun
        self._last = 0  # its bytes
        self._under_way: dict[int, tuple[float, int, int]] = {}  # number: when, how many, bytes
        self._taken = Least(MEMORY)  # seconds that a frame was under way
        # A queue shows in all of the newest, a hiccup in one.
        self._recent: deque[tuple[float, int]] = deque(maxlen=3)
        self._pings: deque[float] = deque(maxlen=PINGS)
        self._per_byte = Least(MEMORY)  # seconds of the line
        self._lone = 0  # frames of which that is known
        self._patience = LOST_AFTER
        self._confirmed = -math.inf  # when the newest frame was

    @property
    def round_trip(self) -> float:
        """Of a tiny message, seconds; 0 while nobody has answered one."""
        return min(self._pings, default=0.0)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way: a ping is then behind no frame."""
        return not self._under_way

    @property
    def far(self) -> bool:
        """Whether the line is long."""
        return self.round_trip > FAR

    @property
    def thin(self) -> bool:
        """Whether it is long, and a frame keeps it busy for so long that others feel it."""
        return self.far and self._lone >= ENOUGH and self.transit(THIN) > 1.0

    def transit(self, size: int) -> float:
        """For how many seconds `size` bytes keep the line busy, as far as one knows."""
        return size * self._per_byte.value

    def ping(self, seconds: float) -> None:
        """A tiny message was answered after so many `seconds`."""
        self._pings.append(seconds)

    def wait(self, now: float) -> float:
        """Seconds until the next frame may go; infinite if a confirmation has to come first."""
        lost = [n for n, (when, *_) in self._under_way.items() if now - when >= self._patience]
        for number in lost:
            del self._under_way[number]
        if lost:
            self.size = 1.0
        if len(self._under_way) >= math.floor(self.size):
            return math.inf
        spacing = self.transit(self._last) / SHARE if self.thin else SPACING
        return max(0.0, self._begun + spacing - now)

    def send(self, number: int, now: float, size: int, begun: float) -> None:
        """Frame `number` of `size` bytes, whose drawing was `begun` then, goes out `now`."""
        self._begun, self._last = begun, size
        self._under_way[number] = (now, len(self._under_way) + 1, size)

    def confirm(self, number: int, now: float) -> None:
        """Frame `number` is painted, and with it all before."""
        found = self._under_way.get(number)
        self._under_way = {n: sent for n, sent in self._under_way.items() if n > number}
        if found is None:
            return
        when, among, size = found
        taken = now - when
        self._patience = max(LOST_AFTER, 3 * taken)
        alone = now - max(when + self.round_trip, self._confirmed)  # that the line had for it
        self._confirmed = now
        if (among == 1 or alone >= QUEUE) and self.round_trip and size:
            self._per_byte.add(max(alone, 1e-3) / size, now)
            self._lone += 1
        self._taken.add(taken, now)
        self._recent.append((taken, among))
        self._adapt(taken, among)

    def _adapt(self, taken: float, among: int) -> None:
        least = self._taken.value
        allowed = max(QUEUE, least / 4)  # a quarter of a long way: a busy machine needs that
        if taken - least <= allowed:
            if among >= math.floor(self.size):  # it was the window that held us back
                self.size = min(self.size + 1, MOST)
            return
        newest = min(self._recent)[0]
        if newest - least > allowed:
            holds = among * (least + allowed) / newest
            self.size = max(1.0 if self.thin else LEAST, min(self.size, holds))

    def clear(self) -> None:
        """Nothing is under way: a new page has come."""
        self._under_way.clear()
