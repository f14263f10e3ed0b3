"""The digit pad: drawing, reading and talking about it, without a browser."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import data
from course_utils.playgrounds import digit_pad, reader
from course_utils.playgrounds.ink import BRUSH, SIDE, brush_line, pasted
from course_utils.playgrounds.pad import EMPTY, read_drawing

SEVEN = [(0.2, 0.85), (0.8, 0.85), (0.45, 0.12)]


@pytest.fixture(autouse=True)
def embedded(monkeypatch):
    monkeypatch.delenv("COURSE_DATASET", raising=False)
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture(scope="module")
def trained():
    return reader.digit_reader(progress=False)


@pytest.fixture
def pad(trained):
    pad = digit_pad()
    yield pad
    pad.close()


@pytest.fixture(scope="module")
def samples():
    return data.digits("embedded", dtype=torch.float32)


class Says(nn.Module):
    """A "network" that always gives the same outputs, in its own dtype."""

    def __init__(self, outputs, dtype=torch.float32):
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor(outputs, dtype=dtype))
        self.seen = []

    def forward(self, X):
        self.seen.append((X.shape, X.dtype, self.training))
        return self.outputs[None].expand(len(X), -1)


def arc(cx, cy, rx, ry, start, end):
    angles = [math.radians(start + (end - start) * i / 20) for i in range(21)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


# -- the reader ------------------------------------------------------------------------------------


def test_the_reader_is_made_once_and_leaves_the_random_numbers_alone(trained):
    state = torch.random.get_rng_state()
    assert reader.digit_reader() is trained
    assert not trained.training
    assert all(not p.requires_grad and p.dtype == torch.float32 for p in trained.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_reader_reads_test_digits_wherever_they_are_on_the_pad(trained, samples):
    rng = np.random.default_rng(0)
    right = 0
    for image, label in zip(samples.X_test[:, 0], samples.y_test, strict=True):
        side = int(rng.integers(80, 220))
        top, left = rng.integers(0, SIDE - side + 1, 2)
        ink = np.zeros((SIDE, SIDE), np.float32)
        large = F.interpolate(image[None, None], size=(side, side), mode="bilinear")[0, 0]
        ink[top : top + side, left : left + side] = large.clamp(0, 1)
        right += read_drawing(ink, trained).digit == label
    assert right / len(samples.y_test) > 0.94


@pytest.mark.parametrize(
    ("digit", "strokes"),
    [
        (7, [SEVEN]),
        (7, [SEVEN, [(0.4, 0.5), (0.75, 0.5)]]),
        (1, [[(0.5, 0.9), (0.5, 0.1)]]),
        (1, [[(0.35, 0.7), (0.55, 0.9), (0.55, 0.1)]]),
        (0, [arc(0.5, 0.5, 0.25, 0.38, 90, 450)]),
        (4, [[(0.3, 0.9), (0.22, 0.45), (0.75, 0.45)], [(0.66, 0.9), (0.66, 0.1)]]),
        (2, [[*arc(0.5, 0.68, 0.22, 0.2, 170, -20), (0.25, 0.12), (0.78, 0.12)]]),
        (3, [arc(0.45, 0.71, 0.2, 0.19, 160, -90) + arc(0.45, 0.31, 0.24, 0.21, 90, -150)]),
    ],
)
def test_the_reader_reads_strokes(trained, digit, strokes):
    pad = digit_pad(trained)
    pad.clear()
    for stroke in strokes:
        pad.stroke(stroke)
    assert repr(pad).startswith(f"The drawing: the network reads {digit}, probability above 0.")
    assert pad.result.probabilities[digit] > 0.8
    assert pad.result.probabilities.sum() == pytest.approx(1)


# -- states of the pad -----------------------------------------------------------------------------


def test_the_default_state(pad):
    assert repr(pad) == "Test digit number 44, a 5: the network reads 5, probability above 0.9."
    assert pad.result.digit == pad.result.label == 5
    assert pad.result.seen.shape == (28, 28) and pad.drawing.shape == (SIDE, SIDE)


def test_an_empty_pad_is_friendly(pad):
    pad.clear()
    assert repr(pad) == EMPTY
    assert pad.result.digit is None and pad.result.probabilities is None
    assert pad._hint.get_visible() and pad._big.get_text() == ""
    assert [bar.get_width() for bar in pad._bars] == [0] * 10
    assert pad.picture.frame(moving=False).data.startswith(b"\x89PNG")
    pad.stroke([])
    assert repr(pad) == EMPTY
    pad.stroke(SEVEN)
    assert "reads 7" in repr(pad) and not pad._hint.get_visible()
    pad.reset()
    assert repr(pad).startswith("Test digit number 44")


def test_the_bars_are_the_softmax_of_the_outputs():
    outputs = [0.0, 1.0, 2.0, -1.0, 0.5, 0.0, 0.0, 3.0, 0.0, 0.0]
    pad = digit_pad(Says(outputs))
    expected = torch.tensor(outputs, dtype=torch.float64).softmax(0)
    np.testing.assert_allclose(pad.result.probabilities, expected, rtol=1e-6)
    np.testing.assert_allclose([bar.get_width() for bar in pad._bars], expected, rtol=1e-6)
    assert pad._percents[7].get_text() == f"{100 * expected[7]:.0f} %"
    assert pad._big.get_text() == "7"
    assert repr(pad) == "Test digit number 44, a 5: the network reads 7, probability above 0.5."
    unsure = digit_pad(Says([0, 0, 0.1, 0, 0.2, 0, 0, 0, 0, 0]))
    assert repr(unsure).endswith("reads 4, probability above 0.1; it is unsure, next comes 2.")


def test_examples_come_by_slider_by_button_and_by_keys(pad, samples):
    for number in (0, 7, len(samples.y_test) - 1):
        pad.set(example=number)
        label = samples.y_test[number].item()
        assert repr(pad).startswith(f"Test digit number {number}, a {label}: ")
    pad.set(example=3)
    pad.show_example()  # it is there already: the next one
    assert pad.values["example"] == 4 and "number 4," in repr(pad)
    pad.clear()
    pad.show_example()
    assert pad.values["example"] == 4 and "number 4," in repr(pad)
    pad.on_key("ArrowRight", False)
    assert "number 5," in repr(pad)
    pad.on_key("ArrowLeft", True)
    assert "number 0," in repr(pad)
    pad.on_key("Escape", False)
    assert repr(pad) == EMPTY
    pad.set(example=len(samples.y_test) - 1)
    pad.show_example()
    assert "number 0," in repr(pad)


# -- drawing ---------------------------------------------------------------------------------------


def at(x, y):
    """A point on the pad (0 to 1 from the bottom left) as the browser reports it."""
    return (30 + x * SIDE) / 900, (24 + y * SIDE) / 340


def test_the_pointer_draws_what_a_stroke_draws(trained):
    by_hand, by_code = digit_pad(trained), digit_pad(trained)
    by_hand.on_pointer([("down", *at(*SEVEN[0]))])
    by_hand.on_pointer([("move", *at(*SEVEN[1]))])
    by_hand.on_pointer([("move", *at(*SEVEN[2])), ("up", *at(*SEVEN[2]))])
    by_hand.on_pointer([("move", *at(0, 0))])  # the pen is up
    by_code.clear()
    by_code.stroke(SEVEN)
    np.testing.assert_allclose(by_hand.drawing, by_code.drawing, atol=1e-4)
    assert repr(by_hand) == "The drawing: the network reads 7, probability above 0.9."


def test_the_first_digit_makes_room_a_chosen_one_stays(pad):
    pad.on_pointer([("down", *at(0.5, 0.5)), ("up", *at(0.5, 0.5))])
    assert pad.drawing.sum() == pytest.approx(math.pi * BRUSH**2 / 4, rel=0.02)
    pad.set(example=2)
    ink = pad.drawing
    pad.on_pointer([("down", *at(0.02, 0.98)), ("up", *at(0.02, 0.98))])
    assert (pad.drawing >= ink).all() and pad.drawing.sum() > ink.sum() + 100
    assert repr(pad).startswith("The drawing: ")


def test_a_stroke_beside_the_pad_is_none_and_one_that_leaves_it_is_cut(pad):
    pad.clear()
    pad.on_pointer([("down", 0.9, 0.5), ("move", *at(0.5, 0.5)), ("up", *at(0.5, 0.5))])
    assert repr(pad) == EMPTY
    pad.on_pointer([("down", *at(0.5, 0.5)), ("move", 0.9, 0.5), ("up", 1.0, 2.0)])
    assert pad.drawing[140, -1] == 1 and pad.drawing[0, 0] == 0


def test_the_brush_is_round_and_smooth():
    ink = np.zeros((SIDE, SIDE), np.float32)
    brush_line(ink, (100, 140), (180, 140))
    assert ink.sum() == pytest.approx(80 * BRUSH + math.pi * BRUSH**2 / 4, rel=0.01)
    assert np.array_equal(ink, ink[::-1]) and ink.max() == 1
    assert ((ink > 0) & (ink < 1)).sum() > 20  # no stairs
    before = ink.copy()
    brush_line(ink, (100, 140), (180, 140))
    assert np.array_equal(ink, before)  # twice is not darker
    brush_line(ink, (-500, -500), (-400, -400))
    brush_line(ink, (5000, 10), (5000, 10))
    assert np.array_equal(ink, before)


# -- models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_the_model_works_in_its_own_dtype_and_is_not_touched(dtype):
    model = Says([0.0] * 9 + [4.0], dtype)
    model.train()
    pad = digit_pad(model)
    assert pad.result.digit == 9
    assert model.training and model.outputs.requires_grad and model.seen == []
    assert pad._model.seen == [((1, 1, 28, 28), dtype, False)]


def test_wrong_models_are_named():
    cases = [
        (nn.Linear(3, 4), r"cannot read digits: given an image of shape \(1, 1, 28, 28\).*shapes"),
        (Says([1.0, 2.0]), r"logits of shape \(1, 10\), one per digit, got \(1, 2\)"),
        ("CNN A", r"model must be a torch.nn.Module, got str"),
    ]
    for model, message in cases:
        with pytest.raises(ValueError, match=message):
            digit_pad(model)

    class Bag(nn.Module):
        def forward(self, X):
            return {"logits": X}

    with pytest.raises(ValueError, match="got dict"):
        digit_pad(Bag())

    class HasModel:
        model = None

    with pytest.raises(ValueError, match=r"got HasModel; pass its \.model"):
        digit_pad(HasModel())
    with pytest.raises(ValueError, match="example=360: give a whole number from 0 to 359"):
        digit_pad(Says([0.0] * 10), example=360)


def test_odd_outputs_are_told():
    lost = digit_pad(Says([math.nan] * 10))
    assert repr(lost).endswith("The network's outputs are not numbers: its training has diverged.")
    assert lost.result.probabilities is None and lost._note.get_visible()
    softmaxed = digit_pad(Says([0.91] + [0.01] * 9))
    assert "is there a softmax in the model? Take it out." in repr(softmaxed)
    assert softmaxed.result.digit == 0
    assert softmaxed.picture.frame(moving=True).data


def test_random_scribbles_never_fail(trained):
    draw = random.Random(0)
    pad = digit_pad(trained)
    pad.clear()
    for _ in range(30):
        if draw.random() < 0.2:
            pad.clear()
        pad.stroke([(draw.uniform(-0.2, 1.2), draw.uniform(-0.2, 1.2)) for _ in range(3)])
        assert repr(pad).endswith(".") and not pad._error
        assert pad.picture.frame(moving=True).format in ("patch", "jpeg")


def test_a_line_is_sent_as_changed_pixels(pad):
    pad.clear()
    pad.stroke(SEVEN)
    assert "reads 7" in repr(pad)
    pad.picture.news()
    assert pad.picture.frame(moving=True).format == "patch"


def test_pasted_digits_keep_their_shape(samples):
    ink = pasted(samples.X_test[0, 0], 200)
    assert ink.shape == (SIDE, SIDE) and ink.min() == 0 and ink.max() <= 1
    assert ink[:40].sum() == ink[240:].sum() == ink[:, :40].sum() == 0
    expected = samples.X_test[0].sum().item() * (200 / 28) ** 2
    assert ink.sum() == pytest.approx(expected, rel=0.02)
