"""The line to the page: inputs that the page reports, what is packed, what is spared."""

from __future__ import annotations

import io
import json
import threading
import time
import zlib

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from course_utils.live import path_window, playground
from course_utils.live.line import PACES, PING_EVERY, Line, moved
from course_utils.live.picture import Frame, Picture
from tests.unit.test_live import Page, Wave, shows

PATCH = Frame("patch", bytes(40_000), runs=3, background=1)


class FarPage(Page):
    """A page at the end of a line of 0.1 s, of so many bytes per second."""

    def __init__(self, playground, rate=1e9, **options):
        self.rate = rate
        super().__init__(playground, answers=False, **options)
        self.wait_for(lambda message: message["type"] == "pace")
        _, png = self.wait_for(shows(1.0, "png"))
        time.sleep(0.2 + len(png) / rate)

    def receive(self, message, buffers=None):
        super().receive(message, buffers)
        if message["type"] == "ping":
            self.answer(0.1, {"type": "pong", "ping": message["ping"], "inflates": True})
        elif message["type"] == "frame":
            seconds = 0.1 + len(buffers[0]) / self.rate
            self.answer(seconds, {"type": "painted", "frame": message["frame"]})

    def answer(self, seconds, message):
        timer = threading.Timer(seconds, self.tell, [message])
        timer.daemon = True
        timer.start()

    def move(self, control, value, number):
        self.tell({"type": "input", "control": control.model_id, "value": value, "input": number})


@pytest.fixture
def wave():
    made = Wave()
    yield made
    made.close()


def far_line(*controls, transit=0.0):
    """A line of 0.1 s that is busy for `transit` seconds with one `PATCH`; the page's pace."""
    line = Line()
    line.connect(*controls)
    line.begin()
    line._asked -= 0.1
    told = line.hear({"type": "pong", "ping": 1, "inflates": True})[-1]
    for _ in range(path_window.ENOUGH):
        message, _ = line.message(PATCH, 0, 0.0)
        (number,) = line._window._under_way
        when, among, _ = line._window._under_way[number]
        size = len(PATCH.data)
        line._window._under_way[number] = (when - 0.1 - transit, among, size)
        line._window._last = size
        line._window._confirmed = 0.0  # the frames do not follow each other
        replies = line.hear({"type": "painted", "frame": message["frame"]})
    return line, [told, *replies][-1]


def test_a_near_page_is_told_nothing_and_gets_what_it_always_got():
    line = Line()
    message = line.begin()
    for _ in range(path_window.PINGS - 1):  # the page may be busy with itself at first
        (message,) = line.hear({"type": "pong", "ping": message["ping"], "inflates": True})
        assert message["type"] == "ping"
    assert line.hear({"type": "pong", "ping": message["ping"], "inflates": True}) == []
    message, data = line.message(PATCH, 0, 0.0)
    assert data == PATCH.data and not message["deflated"]
    assert line.hear({"type": "painted", "frame": message["frame"]}) == []
    assert not line.thin


def test_a_far_page_is_told_to_report_and_gets_patches_deflated():
    slider = widgets.IntSlider()
    line, told = far_line(slider)
    assert told == {"type": "pace", "pace": PACES[0], "controls": [[slider.model_id, "value"]]}
    message, data = line.message(PATCH, 0, 0.0)
    assert message["deflated"] and zlib.decompress(data) == PATCH.data
    jpeg = Frame("jpeg", b"as it is")
    message, data = line.message(jpeg, 0, 0.0)
    assert not message["deflated"] and data == jpeg.data
    assert line.begin()["ping"] > 1  # a new page knows no pace yet
    line._asked -= 0.1
    pong = {"type": "pong", "ping": line._pings, "inflates": False}
    assert line.hear(pong)[-1]["pace"] == PACES[0]
    assert not line.message(PATCH, 0, 0.0)[0]["deflated"]


@pytest.mark.parametrize(("gap", "pace"), [(0.02, 16), (0.1, 32), (0.6, 100)])
def test_the_page_reports_two_values_for_each_frame(gap, pace):
    line, _ = far_line(widgets.IntSlider())
    for number in range(12):
        message, _ = line.message(PATCH, 0, 1.0 + gap * number)
        line.hear({"type": "painted", "frame": message["frame"]})
    assert line._pace == pace


def test_a_frame_that_blocks_a_long_line_makes_it_a_thin_one():
    assert far_line(widgets.IntSlider(), transit=0.3)[0].thin
    assert not far_line(widgets.IntSlider(), transit=0.02)[0].thin


def test_how_long_the_line_is_is_asked_when_no_frame_is_in_the_way():
    line = Line()
    ping = line.begin()
    while ping:
        (ping, *_) = [*line.hear({"type": "pong", "ping": ping["ping"], "inflates": True}), None]
    frames = [line.message(PATCH, 0, 0.0)[0]["frame"] for _ in range(2)]
    line._asked -= 2 * PING_EVERY
    assert line.hear({"type": "painted", "frame": frames[0]}) == []  # the other is still to come
    (ping,) = line.hear({"type": "painted", "frame": frames[1]})
    assert ping["type"] == "ping"
    frame = line.message(PATCH, 0, 0.0)[0]["frame"]
    assert line.hear({"type": "painted", "frame": frame}) == []  # not so soon again


def test_an_old_or_second_answer_to_a_ping_counts_for_nothing():
    line = Line()
    line.begin()
    line.begin()
    line._asked -= 1.0
    assert line.hear({"type": "pong", "ping": 1, "inflates": True}) == []
    assert line.hear({"type": "pong", "ping": 2, "inflates": True}) != []
    line._asked -= 1.0
    line.hear({"type": "pong", "ping": 2, "inflates": True})
    assert line._window.round_trip < 1.5


def test_what_a_hand_moves_of_each_control(wave):
    assert wave.widget is not None
    parts = {name: moved(bound.widget) for name, bound in wave._bound.items()}
    assert {name: [trait for _, trait in pairs] for name, pairs in parts.items()} == {
        "frequency": ["value"],
        "points": ["value"],
        "rate": ["value"],
        "shape": ["index"],
        "flip": ["value"],
        "series": ["value"] * 3,  # its caption is a widget too, which no hand moves
    }
    assert [part.description for part, _ in parts["series"][1:]] == ["a", "b"]


def test_an_input_moves_the_widget_and_nothing_is_sent_back():
    slider, choice = widgets.FloatSlider(max=10), widgets.Dropdown(options=["a", "b"])
    sent, seen = [], []
    slider._send = choice._send = lambda message, buffers=None: sent.append(message)
    slider.observe(lambda change: seen.append(change["new"]), names="value")
    line = Line()
    line.connect(slider, widgets.HBox([choice]))
    line.put({"control": slider.model_id, "value": 4})
    line.put({"control": choice.model_id, "value": 1})
    assert (slider.value, choice.value, seen) == (4.0, "b", [4.0])
    assert [m for m in sent if m["method"] == "echo_update"] == []
    assert [m for m in sent if {"value", "index"} & m["state"].keys()] == []
    slider.set_state({"value": 4})  # as ipywidgets itself brings it, later
    assert seen == [4.0] and sent[-1]["method"] == "echo_update"
    slider.value = 5.0  # set by the kernel
    assert sent[-1]["state"] == {"value": 5.0}


def test_nonsense_from_the_page_is_ignored_and_what_is_too_large_corrected():
    slider, sent = widgets.IntSlider(max=10), []
    slider._send = lambda message, buffers=None: sent.append(message)
    line = Line()
    line.connect(slider)
    for message in ({}, {"control": "unknown", "value": 1}, {"control": slider.model_id}):
        line.put(message)
    line.put({"control": slider.model_id, "value": "many"})
    assert (slider.value, sent) == (0, [])
    line.put({"control": slider.model_id, "value": 99})
    assert slider.value == 10 and sent[-1]["state"] == {"value": 10}


def test_frames_say_which_input_they_show_and_a_late_equal_value_draws_nothing(wave):
    page = FarPage(wave)
    slider = wave._bound["frequency"].widget
    for number, value in enumerate(np.linspace(1.1, 4.0, 30), start=1):
        page.move(slider, value, number)
        if number % 5 == 0:  # ipywidgets brings the newest value itself, when it can
            slider.set_state({"value": value})
        time.sleep(0.004)
    page.wait_for(shows(4.0, "png"))
    told = {}
    for frame in page.frames():
        if frame["input"]:
            told.setdefault(frame["input"], json.loads(frame["values"])["frequency"])
    inputs = [frame["input"] for frame in page.frames()]
    assert inputs == sorted(inputs) and inputs[-1] == 30 and len(told) > 3
    for number, value in told.items():  # a frame may be newer than what it says, never older
        assert value >= np.linspace(1.1, 4.0, 30)[number - 1] - 1e-9
    drawn = len(wave.computed)
    slider.set_state({"value": 4.0})
    time.sleep(0.05)
    assert len(wave.computed) == drawn


def pixels_across(jpeg_or_png):
    return Image.open(io.BytesIO(jpeg_or_png)).width


def test_on_a_thin_line_a_small_picture_moves_and_an_exact_patch_rests(wave, monkeypatch):
    monkeypatch.setattr(path_window, "ENOUGH", 1)
    page = FarPage(wave, rate=20_000, dpr=2.0)
    page.move(wave._bound["frequency"].widget, 2.0, 1)
    _, jpeg = page.wait_for(shows(2.0, "jpeg"))
    assert pixels_across(jpeg) == 200
    begin = time.monotonic()
    patch, _ = page.wait_for(shows(2.0, "patch"))
    assert time.monotonic() - begin > 0.3  # not at once: the line is for what moves
    rest, data = page.wait_for(lambda message: message["type"] == "rest")
    assert rest["frame"] == patch["frame"] and data == b""
    assert rest["summary"] == "A wave of frequency 2.00."
    assert not [message for message in page.frames() if shows(2.0, "png")(message)]
    second = Page(wave)  # it has nothing on screen yet
    second.wait_for(shows(2.0, "patch"))
    second.wait_for(lambda message: message["type"] == "background")


def test_on_a_thin_line_the_sharp_picture_is_as_large_as_the_page_where_no_patch_will_do(
    wave, monkeypatch
):
    monkeypatch.setattr(path_window, "ENOUGH", 1)
    page = FarPage(wave, rate=20_000, dpr=2.0)
    monkeypatch.setattr(Picture, "news", lambda self: None)
    wave.picture.known = []
    page.move(wave._bound["frequency"].widget, 2.0, 1)
    page.wait_for(shows(2.0, "jpeg"))
    _, png = page.wait_for(shows(2.0, "png"))
    assert pixels_across(png) == 400
    assert not [message for message in page.frames() if message["type"] == "rest"]


def test_a_picture_that_stays_at_rest_becomes_sharp_on_a_thin_line_too(wave, monkeypatch):
    """A busy machine makes a line look thin, and at rest nothing would correct that."""
    monkeypatch.setattr(path_window, "ENOUGH", 1)
    monkeypatch.setattr(playground, "SHARP_AFTER", 0.5)
    page = FarPage(wave, rate=20_000, dpr=2.0)
    page.move(wave._bound["frequency"].widget, 2.0, 1)
    page.wait_for(lambda message: message["type"] == "rest")
    begin = time.monotonic()
    _, png = page.wait_for(shows(2.0, "png"))
    assert pixels_across(png) == 800 and time.monotonic() - begin > 0.3
    page.move(wave._bound["frequency"].widget, 3.0, 2)
    page.wait_for(shows(3.0, "patch"))
    assert not [message for message in page.frames() if shows(3.0, "png")(message)]
