"""The window over simulated lines: it fills a long one, never queues on a thin one."""

from __future__ import annotations

import heapq
import itertools
import math
import statistics
from typing import NamedTuple

import numpy as np
import pytest

from course_utils.live.path_window import LOST_AFTER, MOST, PINGS, SHARE, SPACING, Window

DRAWING = 0.012  # seconds for a picture
JITTER = 0.004  # seconds more or less for a message, at the page and at the kernel
VALUES, EVERY = 120, 1 / 60  # of a drag, and seconds between two of them
DRAGS, APART = 3, 4.0  # and seconds from one to the next


class Seen(NamedTuple):
    """What a hand sees of its last drag: pictures, lags of the values, all in seconds."""

    pictures: int
    lags: list[float]
    queue: float  # the longest wait of a picture for the line
    size: float  # of the window


def drag(
    round_trip: float, mbit: float, size: int, window: Window | None = None, start: float = 0.0
) -> Seen:
    """Move a slider over a line that is a queue, first in, first out, from `start` on."""
    window = window or Window()
    rng, ticket, events = np.random.default_rng(0), itertools.count(), []
    moved, painted, shows, queued = {}, [], {}, []
    newest = drawn = -1
    busy, free, number, now = False, 0.0, 0, 0.0

    def at(when: float, what: str, which: int = 0) -> None:
        heapq.heappush(events, (when, next(ticket), what, which))

    def way() -> float:
        return round_trip / 2 + JITTER * rng.random()

    for one in range(DRAGS * VALUES):
        moved[one] = start + APART * (one // VALUES) + EVERY * (one % VALUES)
        at(moved[one], "moved", one)
    for _ in range(DRAGS):  # the kernel asks before each drag how far it is
        window.ping(way() + way())
    while events:
        now, _, what, which = heapq.heappop(events)
        if what == "moved":
            at(now + way(), "kernel", which)
        elif what == "kernel":
            newest = max(newest, which)
            at(now, "try")
        elif what == "try" and not busy and newest > drawn:
            if (wait := window.wait(now)) == 0:
                busy = True
                at(now + DRAWING, "drawn", newest)
            elif wait < math.inf:
                at(now + wait + 1e-6, "try")
        elif what == "drawn":
            busy, drawn, number = False, which, number + 1
            shows[number] = which
            window.send(number, now, size, now - DRAWING)
            queued.append((now, max(0.0, free - now)))
            free = max(free, now) + size * 8 / (mbit * 1e6)
            at(free + way(), "page", number)
            at(now, "try")
        elif what == "page":
            painted.append((now, shows[which]))
            at(now + way(), "confirmed", which)
        elif what == "confirmed":
            window.confirm(which, now)
            at(now, "try")
    begin, last = start + APART * (DRAGS - 1), range((DRAGS - 1) * VALUES, DRAGS * VALUES)
    lags = [min(when for when, shown in painted if shown >= one) - moved[one] for one in last]
    pictures = sum(begin <= when <= begin + VALUES * EVERY for when, _ in painted)
    return Seen(pictures, lags, max(q for when, q in queued if when >= begin), window.size)


@pytest.mark.parametrize("size", [20_000, 36_000])
@pytest.mark.parametrize("round_trip", [0.002, 0.05, 0.1, 0.2])
def test_a_long_line_is_filled_and_has_no_queue(round_trip, size):
    seen = drag(round_trip, 20, size)
    assert seen.pictures >= 80
    assert statistics.median(seen.lags) <= round_trip + 0.06
    assert max(seen.lags) <= round_trip + 0.12
    assert seen.queue <= 0.05


@pytest.mark.parametrize("size", [12_000, 20_000, 36_000])
def test_a_thin_line_stays_more_than_half_empty_and_the_last_value_comes_soon(size):
    seen = drag(0.05, 1, size)
    transit = size * 8 / 1e6
    assert seen.queue == 0
    assert seen.pictures == pytest.approx(2.0 * SHARE / transit, abs=1.5)
    assert seen.lags[-1] <= (1 + 1 / SHARE) * transit + 0.1


def test_a_line_that_becomes_thin_is_noticed_within_a_drag():
    window = Window()
    drag(0.1, 20, 36_000, window)
    assert window.size > 4
    seen = drag(0.1, 1, 36_000, window, start=APART * DRAGS)
    assert window.thin and seen.queue == 0 and seen.lags[-1] < 1.3


def test_a_hiccup_does_not_shrink_the_window_and_a_queue_does():
    window, number = Window(), itertools.count()
    window.size = 8.0

    def take(seconds: float, now: float) -> None:
        for one in [next(number) for _ in range(8)]:
            window.send(one, now, 10_000, now)
        window.confirm(one, now + seconds)

    for turn, seconds in enumerate([0.1, 0.1, 0.1, 0.5, 0.1, 0.1]):
        window.size = 8.0
        take(seconds, float(turn))
        assert window.size >= 8.0
    for turn in range(3):
        take(0.5, 10.0 + turn)
    assert window.size == pytest.approx(8 * 0.15 / 0.5)


def test_it_never_grows_beyond_its_end_nor_while_it_is_not_the_limit():
    window = Window()
    for number in range(100):
        window.send(number, number, 1000, number)
        window.confirm(number, number + 0.1)
    assert window.size == 2.0  # one under way was never the limit
    for number in range(100, 1000):
        window.send(number, number, 1000, number)
        if len(window._under_way) >= math.floor(window.size):
            for one in sorted(window._under_way)[:-1]:
                window._under_way[one] = (number - 0.0, MOST, 1000)
            window.confirm(number, number + 0.1)
    assert window.size == MOST


def test_frames_are_spaced_from_the_beginning_of_drawing():
    window = Window()
    window.send(1, 10.010, 1000, 10.0)
    assert window.wait(10.010) == pytest.approx(SPACING - 0.010)
    window.send(2, 10.030, 1000, 10.016)
    assert window.wait(10.040) == math.inf
    window.confirm(2, 10.050)
    assert window.wait(10.050) == 0


def test_a_page_that_never_answers_gets_one_frame_in_a_while():
    window = Window()
    for number in (1, 2):
        window.send(number, 0.0, 1000, 0.0)
    assert window.wait(LOST_AFTER - 0.01) == math.inf
    assert window.wait(LOST_AFTER) == 0
    window.send(3, LOST_AFTER, 1000, LOST_AFTER)
    assert window.wait(LOST_AFTER + 0.1) == math.inf
    window.clear()
    assert window.wait(LOST_AFTER + 0.1) == 0


def test_who_takes_long_is_given_time():
    window = Window()
    window.send(1, 0.0, 100_000, 0.0)
    window.confirm(1, 1.9)
    for number in (2, 3):
        window.send(number, 2.0, 100_000, 2.0)
    assert window.wait(2.0 + LOST_AFTER) == math.inf


def test_the_round_trip_is_the_shortest_of_the_newest():
    window = Window()
    assert not window.far and not window.thin and window.transit(1000) == 0
    for seconds in (0.3, 0.1, 0.2):
        window.ping(seconds)
    assert window.round_trip == 0.1 and window.far
    window.ping(0.005)
    assert not window.far
    for _ in range(PINGS):
        window.ping(0.2)
    assert window.round_trip == 0.2
