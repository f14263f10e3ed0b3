"""For the tests of playgrounds: the embedded digits, and a picture that can be drawn."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def embedded(monkeypatch):
    monkeypatch.delenv("COURSE_DATASET", raising=False)


def shows(playground, result):
    with playground.picture.lock:
        playground.update(result)
    assert len(playground.picture.frame(moving=True).data) > 50
