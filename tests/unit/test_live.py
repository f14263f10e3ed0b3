"""The live engine without a browser: what is computed, drawn and sent, and what is cleaned up."""

from __future__ import annotations

import base64
import io
import json
import threading
import time

import numpy as np
import pytest
from PIL import Image

from course_utils.live import noted
from course_utils.live.controls import Checks, Choice, Slider, Toggle
from course_utils.live.picture import KEPT, Frame, Picture, changed_pixels, encode
from course_utils.live.playground import Playground
from course_utils.live.renderer import REST_AFTER, Renderer


class Wave(Playground):
    """A sine with one slider; counts what the engine asks of it."""

    width, height = 4.0, 2.0

    def __init__(self, **values):
        self.computed = []
        self.threads = set()
        super().__init__(**values)

    controls = (
        Slider("frequency", 1.0, low=0.5, high=5.0),
        Slider("points", 50, low=10, high=100),
        Slider("rate", 0.1, low=1e-4, high=10.0, log=True),
        Choice("shape", "sine", options=("sine", "step", "broken")),
        Toggle("flip", False),
        Checks("series", ("a",), options=("a", "b")),
    )

    def compute(self, *, frequency, points, rate, shape, flip, series):
        self.computed.append(frequency)
        if shape == "broken":
            raise ZeroDivisionError("the wave is broken")
        x = np.linspace(0, 1, points)
        y = np.sin(2 * np.pi * frequency * x) * (-1 if flip else 1)
        return frequency, x, np.sign(y) if shape == "step" else y

    def draw(self, fig):
        axes = fig.subplots()
        axes.set(xlim=(0, 1), ylim=(-1.2, 1.2))
        self.line = axes.plot([], [])[0]
        return [self.line]

    def update(self, result):
        self.threads.add(threading.current_thread().name)
        self.line.set_data(result[1], result[2])

    def summary(self, result):
        return f"A wave of frequency {result[0]:.2f}."


class Page:
    """Stands for the browser: records the messages and answers as canvas.js does."""

    def __init__(self, playground, *, answers=True, dpr=1.0):
        self.playground, self.answers = playground, answers
        self.messages: list[tuple[dict, bytes]] = []
        self.arrived = threading.Condition()
        assert playground.widget is not None
        playground._canvas.send = self.receive
        self.tell({"type": "ready", "dpr": dpr})

    def tell(self, message):
        self.playground._on_message(None, message, None)

    def receive(self, message, buffers=None):
        with self.arrived:
            self.messages.append((message, bytes(buffers[0]) if buffers else b""))
            self.arrived.notify_all()
        if self.answers and message["type"] == "frame":
            self.tell({"type": "painted", "frame": message["frame"]})

    def wait_for(self, wanted, seconds=10.0):
        """The first message for which `wanted(message)` is true."""
        deadline = time.monotonic() + seconds
        with self.arrived:
            while True:
                for message, data in self.messages:
                    if wanted(message):
                        return message, data
                assert self.arrived.wait(deadline - time.monotonic()), self.messages

    def frames(self):
        return [message for message, _ in self.messages if message["type"] == "frame"]


def shows(frequency, kind=None):
    def wanted(message):
        if message["type"] != "frame" or (kind and message["format"] != kind):
            return False
        return json.loads(message["values"])["frequency"] == frequency

    return wanted


@pytest.fixture
def wave():
    made = Wave()
    yield made
    made.close()


def test_headless_form_has_text_picture_alt_text_and_widget(wave):
    data, metadata = wave._repr_mimebundle_()
    assert data["text/plain"] == "A wave of frequency 1.00."
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == wave.widget.model_id
    assert len(data["image/png"]) > 1000


def test_set_moves_widgets_and_values_and_is_shown_headless(wave):
    assert wave.widget is not None
    wave.set(frequency=2.0, series=("b",), flip=True, shape="step")
    assert wave.values["frequency"] == 2.0
    assert wave._bound["frequency"].widget.value == 2.0
    assert wave._bound["series"].get() == ("b",)
    assert repr(wave) == "A wave of frequency 2.00."
    wave.reset()
    assert repr(wave) == "A wave of frequency 1.00."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frequncy": 2.0}, "frequency"),
        ({"frequency": 99.0}, "99.0"),
        ({"frequency": "fast"}, "'fast'"),
        ({"points": 12.5}, "12.5"),
        ({"points": float("nan")}, "nan"),
        ({"shape": "sinus"}, "sine"),
        ({"flip": 3}, "True or False"),
        ({"series": ("c",)}, "'c'"),
    ],
)
def test_nonsense_values_name_the_value_and_what_is_allowed(wave, values, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        wave.set(**values)
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Wave(**values)


def test_a_moving_slider_is_sent_as_a_patch_and_rests_as_png(wave):
    page = Page(wave)
    page.wait_for(shows(1.0, "png"))
    wave._bound["frequency"].widget.value = 2.5
    message, patch = page.wait_for(shows(2.5, "patch"))
    assert message["summary"] == "A wave of frequency 2.50."
    _, png = page.wait_for(shows(2.5, "png"))
    # The patch laid over the background is, pixel for pixel, the lossless picture.
    number, background = message["background"], None
    for other, data in page.messages:
        if other["type"] == "background" and other["background"] == number:
            background = data
    sent = Frame("patch", patch, message["runs"], message["flat"])
    pixels = laid_over(np.array(Image.open(io.BytesIO(background)).convert("RGBA")), sent)
    wanted = np.array(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    assert np.array_equal(pixels, wanted)


def test_a_flood_skips_values_and_ends_with_the_last(wave):
    page = Page(wave)
    page.wait_for(shows(1.0))
    slow = wave.compute

    def compute(**values):
        time.sleep(0.02)
        return slow(**values)

    wave.compute = compute
    values = np.linspace(0.6, 4.9, 100).round(4)
    for value in values:
        wave._bound["frequency"].widget.value = value
    page.wait_for(shows(values[-1], "png"))
    seen = [json.loads(frame["values"])["frequency"] for frame in page.frames()]
    assert len(seen) < 50, "every value was drawn"
    assert seen == sorted(seen), "an older value came after a newer one"
    assert seen[-1] == values[-1]


def test_a_page_that_does_not_answer_gets_no_queue_of_frames(wave):
    page = Page(wave, answers=False)
    page.wait_for(shows(1.0))
    for value in np.linspace(1.1, 3.0, 20):
        wave._bound["frequency"].widget.value = value
        time.sleep(0.01)
    assert len(page.frames()) <= 2
    page.answers = True
    page.tell({"type": "painted", "frame": page.frames()[-1]["frame"]})
    page.wait_for(shows(3.0, "png"))


def test_one_thread_draws_whoever_moves_the_slider(wave):
    page = Page(wave)
    page.wait_for(shows(1.0, "png"))
    wave.threads.clear()

    def move(value):
        wave._bound["frequency"].widget.value = value

    movers = [threading.Thread(target=move, args=(value,)) for value in (1.5, 2.0, 2.5, 3.0)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    page.wait_for(shows(wave.values["frequency"], "png"))
    assert wave.threads == {"course-renderer"}


def test_an_error_in_compute_is_shown_and_goes_away(wave):
    page = Page(wave)
    page.wait_for(shows(1.0))
    wave._bound["shape"].widget.value = "broken"
    message, _ = page.wait_for(lambda m: m["type"] == "error")
    assert "ZeroDivisionError: the wave is broken" in message["error"]
    assert "compute" in message["error"]
    before = len(page.frames())
    wave._bound["shape"].widget.value = "step"
    page.wait_for(lambda m: m["type"] == "frame" and m["frame"] > before)
    assert wave._error == ""


def test_an_error_is_the_text_where_nobody_looks(wave):
    wave.set(shape="broken")
    assert "the wave is broken" in repr(wave)


def test_rest_frame_is_sharp_on_a_hidpi_screen(wave):
    page = Page(wave, dpr=2.0)
    _, png = page.wait_for(shows(1.0, "png"))
    assert Image.open(io.BytesIO(png)).size == (800, 400)
    wave._bound["frequency"].widget.value = 2.0
    page.wait_for(shows(2.0, "patch"))
    _, png = page.wait_for(shows(2.0, "png"))
    assert Image.open(io.BytesIO(png)).size == (800, 400)


def test_a_new_page_gets_the_current_picture(wave):
    first = Page(wave)
    first.wait_for(shows(1.0))
    wave._bound["frequency"].widget.value = 3.0
    first.wait_for(shows(3.0, "png"))
    second = Page(wave)
    second.wait_for(shows(3.0, "png"))


def test_close_releases_every_widget_and_is_quiet_afterwards():
    import ipywidgets

    before = set(ipywidgets.widgets.widget._instances)
    wave = Wave()
    page = Page(wave)
    page.wait_for(shows(1.0))
    assert len(ipywidgets.widgets.widget._instances) > len(before) + 10
    wave.close()
    assert set(ipywidgets.widgets.widget._instances) == before
    count = len(page.messages)
    wave.set(frequency=2.0)
    time.sleep(2 * REST_AFTER)
    assert len(page.messages) == count
    wave.close()


def test_a_closed_playground_lets_go_of_its_figure_and_keeps_its_words():
    import gc
    import weakref

    wave = Wave()
    page = Page(wave)
    page.wait_for(shows(1.0, "png"))
    figure = weakref.ref(wave.picture.figure)
    wave.close()
    page.playground = None
    gc.collect()
    assert figure() is None
    assert repr(wave) == "A wave of frequency 1.00."
    assert wave._repr_mimebundle_() == ({"text/plain": repr(wave)}, {})


def test_reset_button_and_pointer_errors(wave):
    page = Page(wave)
    page.wait_for(shows(1.0))
    wave.set(frequency=4.0)
    wave.reset_button().click()
    assert wave.values["frequency"] == 1.0

    def broken(_events):
        raise RuntimeError("the pointer slipped")

    wave.on_pointer = broken
    page.tell({"type": "pointer", "events": [["down", 0.1, 0.2]]})
    message, _ = page.wait_for(lambda m: m["type"] == "error")
    assert "the pointer slipped" in message["error"]


def test_every_control_knows_its_ends_and_accepts_them(wave):
    for name, spec in wave._specs.items():
        for value in spec.ends():
            if value != "broken":
                wave.set(**{name: value})
                assert wave.values[name] == value
                assert repr(wave).startswith("A wave")


def laid_over(background, patch):
    """What the page makes of `patch`: as `patch` in canvas.js."""
    pixels = background.reshape(-1, 4)[:, :3].copy()
    runs = patch.runs
    starts = np.frombuffer(patch.data, "<u4", runs)
    lengths = np.frombuffer(patch.data, "<u2", runs, 4 * runs)
    colours = np.frombuffer(patch.data, np.uint8, offset=6 * runs).reshape(-1, 3)
    if patch.flat:
        colours = np.repeat(colours, lengths, axis=0)
    where = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)])
    pixels[where] = colours
    return pixels


@pytest.mark.parametrize("flat", [True, False])
def test_picture_patch_sends_surfaces_by_colour_and_lines_by_pixel(flat):
    rng = np.random.default_rng(0)
    background = np.full((60, 80, 4), 255, np.uint8)
    new = background.copy()
    if flat:
        new[5:30, 10:70, :3], new[20:40, 30:50, :3] = (0, 114, 178), (213, 94, 0)
    else:
        new[5:12, 10:70, :3] = rng.integers(0, 250, (7, 60, 3))
    patch = changed_pixels(new, background)
    assert patch is not None and patch.flat == flat
    assert len(patch.data) == 6 * patch.runs + 3 * (patch.runs if flat else 7 * 60)
    assert np.array_equal(laid_over(background, patch), new.reshape(-1, 4)[:, :3])


def test_picture_patch_is_refused_when_too_much_changes():
    background = np.zeros((50, 50, 4), np.uint8)
    noise = np.random.default_rng(0).integers(0, 250, background.shape, dtype=np.uint8)
    assert changed_pixels(noise, background) is None
    same = changed_pixels(background, background)
    assert same is not None and same.runs == 0 and same.data == b""
    assert encode(background, "jpeg")[:2] == b"\xff\xd8"


def test_picture_background_number_changes_when_invalidated():
    picture = Picture(lambda fig: fig.subplots().plot([0, 1]), 3.0, 2.0)
    number, _ = picture.background()
    assert picture.background()[0] == number
    picture.invalidate()
    assert picture.background()[0] > number
    picture.close()


def test_picture_takes_a_background_again_for_the_same_key():
    lines = []

    def draw(fig):
        ax = fig.subplots()
        lines.append(ax)
        return ax.plot([0, 1])

    def frame(key):
        lines[0].set_ylim(0, key)
        picture.invalidate(key)
        known = picture.news() is None
        return known, picture.background()[0], picture.frame(moving=False).data

    picture = Picture(draw, 3.0, 2.0)
    first = [frame(key) for key in range(1, KEPT + 1)]
    assert not any(known for known, _, _ in first)
    for key, (_, number, data) in enumerate(first, start=1):
        assert frame(key) == (True, number, data)
        assert picture.frame(moving=True).background == number
    assert frame(KEPT + 1)[:2] == (False, KEPT + 1)
    known, number, data = frame(1)  # the oldest had to go, and is drawn as it was
    assert not known and number == KEPT + 2 and data == first[0][2]
    picture.invalidate()
    assert not frame(KEPT + 1)[0]  # without a key nothing is kept
    picture.close()


def test_at_rest_the_newest_picture_is_noted_with_its_words(wave, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    _, metadata = wave._repr_mimebundle_()
    widget = metadata[noted.LIVE]
    page = Page(wave, dpr=2.0)
    page.wait_for(shows(1.0, "png"))
    assert noted.read(widget)["data"] == {}  # what the cell has stored is still true
    wave.set(frequency=3.0)
    page.wait_for(shows(3.0, "png"))
    deadline = time.monotonic() + 10
    while not (about := noted.read(widget))["data"]:
        assert time.monotonic() < deadline
    assert about["metadata"]["image/png"]["alt"] == repr(wave) == "A wave of frequency 3.00."
    picture = Image.open(io.BytesIO(base64.b64decode(about["data"]["image/png"])))
    assert picture.size == wave.picture.size  # as the stored one, whatever the screen
    wave.close()
    assert noted.read(widget) is None


class Busy:
    """Something that wants its next moving frame as soon as one is drawn, a thousand times.

    With its first frame it asks for a picture at rest, as for a page that opens just then."""

    closed = False

    def __init__(self, renderer):
        self.renderer, self.frames, self.rested = renderer, 0, threading.Event()

    def wait_to_send(self):
        return 0.0

    def wait_to_rest(self):
        return 60.0

    def show_error(self, error):
        raise error

    def render(self, *, moving):
        if not moving:
            self.rested.set()
        elif self.frames < 1000 and not self.rested.is_set():
            self.frames += 1
            if self.frames == 1:
                self.renderer.request(self, rest=True)
            self.renderer.request(self)


def test_a_page_that_opens_gets_its_background_though_a_training_never_pauses():
    renderer = Renderer()
    busy = Busy(renderer)
    renderer.request(busy)
    assert busy.rested.wait(10)
    assert busy.frames < 1000
    renderer.forget(busy)
