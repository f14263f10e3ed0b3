"""What counts as the picture before: a finished result that somebody had time to look at."""

from __future__ import annotations

from typing import NamedTuple

from course_utils.playgrounds import before
from course_utils.playgrounds.before import Before


class Result(NamedTuple):
    key: str
    number: int = 0


def test_only_a_finished_result_that_stood_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(before.time, "monotonic", lambda: now[0])
    kept = Before()
    assert kept.note(Result("a"), finished=False) is None
    assert kept.note(Result("a", 1), finished=True) is None
    now[0] += 2  # looked at
    assert kept.note(Result("b"), finished=False) == Result("a", 1)
    now[0] += 2  # not finished: a stays
    assert kept.note(Result("c"), finished=True) == Result("a", 1)
    now[0] += 0.1  # dragged on at once
    assert kept.note(Result("d"), finished=True) == Result("a", 1)
    now[0] += 2
    assert kept.note(Result("d", 1), finished=True) == Result("a", 1)  # still the same run
    now[0] += 2
    assert kept.note(Result("e"), finished=False) == Result("d", 1)
