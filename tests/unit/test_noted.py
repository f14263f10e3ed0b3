"""Notes of what a live output shows: found by the server, gone in time, never in the way."""

from __future__ import annotations

import os
import time

import pytest

from course_utils.live import noted

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(noted, "_tidied", False)
    return tmp_path / "course-live"


def test_a_note_is_read_by_its_widget_until_it_is_forgotten():
    noted.note(ONE, {"text/plain": "At 1."}, {"image/png": {"alt": "At 1."}})
    about = noted.read(ONE)
    assert about["data"] == {"text/plain": "At 1."}
    assert about["metadata"] == {"image/png": {"alt": "At 1."}}
    assert about["process"] == os.getpid()
    noted.forget(ONE)
    assert noted.read(ONE) is None
    noted.forget(ONE)


def test_a_new_view_does_not_take_the_picture_away():
    noted.note(ONE, {"text/plain": "At 1."})
    noted.note(ONE)
    assert noted.read(ONE)["data"] == {"text/plain": "At 1."}


@pytest.mark.parametrize("name", ["../secret", "..", "", ONE[:-1], ONE + "\n", ONE + "x"])
def test_a_notebook_cannot_name_another_file(place, name):
    noted.note(ONE)
    (place.parent / "secret.json").write_text(
        '{"kernel": "", "process": 1, "data": {}, "metadata": {}}'
    )
    assert noted.read(name) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "\udcff"])
def test_a_broken_note_is_none(place, content):
    noted.note(ONE)
    (place / f"{ONE}.json").write_text(content, errors="surrogateescape")
    assert noted.read(ONE) is None


def test_old_notes_go_when_a_kernel_makes_its_first(place, monkeypatch):
    noted.note(ONE)
    old = time.time() - noted.KEPT - 60
    os.utime(place / f"{ONE}.json", (old, old))
    noted.note(TWO)
    assert noted.read(ONE) is not None  # once in the life of a kernel
    monkeypatch.setattr(noted, "_tidied", False)
    noted.note(TWO, {})
    assert noted.read(ONE) is None and noted.read(TWO) is not None


def test_where_no_note_can_be_written_nothing_happens(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "file"))
    noted.note(ONE, {"text/plain": "At 1."})
    noted.forget(ONE)
    assert noted.read(ONE) is None


def test_a_widget_lives_in_the_kernel_and_process_that_made_it():
    noted.note(ONE)
    about = noted.read(ONE) | {"kernel": "k"}
    assert noted.lives(about, "k")
    assert not noted.lives(about, "another") and not noted.lives(about, None)
    assert not noted.lives(about | {"process": 2**22 + 1}, "k")  # the kernel has crashed since
    assert not noted.lives(None, "k")
