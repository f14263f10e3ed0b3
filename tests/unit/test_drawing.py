"""Drawings: whatever is on the pad arrives as something that looks like a training digit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils import data, models, training
from course_utils.data import DataError


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("COURSE_DATASET", raising=False)


@pytest.fixture(scope="module")
def embedded():
    return data.digits("embedded", dtype=torch.float64)


def _pad_with(image: torch.Tensor, rng: np.random.Generator, size: int = 280) -> torch.Tensor:
    """A digit (28, 28) at a random place and scale on an empty pad."""
    side = int(rng.integers(size // 4, size * 4 // 5))
    digit = F.interpolate(image[None, None], size=(side, side), mode="bilinear").clamp(0, 1)
    top, left = rng.integers(0, size - side + 1, 2)
    pad = torch.zeros(size, size, dtype=image.dtype)
    pad[top : top + side, left : left + side] = digit[0, 0]
    return pad


def test_pasted_digits_are_recognised():
    digits = data.digits(dtype=torch.float32)
    loader = digits.loader("train", 32)
    torch.manual_seed(0)
    model = models.digit_cnn("B").to(torch.float32)
    optimizer = torch.optim.Adam(model.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=4 * len(loader))
    settings = {"scheduler": cycle, "step_scheduler": "batch", "progress": False}
    training.fit(model, loader, optimizer=optimizer, num_epochs=4, **settings)
    plain = training.evaluate(model, digits.loader("test")).accuracy
    assert plain > 0.93
    rng = np.random.default_rng(0)
    drawings = [data.prepare_drawing(_pad_with(x[0], rng)) for x in digits.X_test]
    drawn = torch.cat(drawings).to(torch.float32)
    with torch.inference_mode():
        accuracy = (model.eval()(drawn).argmax(1) == digits.y_test).double().mean().item()
    assert accuracy >= 0.95 * plain


@pytest.mark.parametrize("name", ["embedded", "mnist"])
@pytest.mark.parametrize("shape", [(280, 280), (1, 1), (3, 500), (64, 48)])
def test_any_size_gives_a_training_image(name, shape):
    drawing = np.zeros(shape)
    drawing[shape[0] // 3 : shape[0] // 3 + max(1, shape[0] // 4), shape[1] // 2] = 1
    image = data.prepare_drawing(drawing, name, dtype=torch.float64)
    assert image.shape == (1, 1, 28, 28) and image.dtype == torch.float64
    assert 0 <= image.min() and image.max() <= 1 and image.max() > 0.5


def _frame(image):
    rows = torch.nonzero((image[0, 0] > 0.3).any(1)).flatten()
    columns = torch.nonzero((image[0, 0] > 0.3).any(0)).flatten()
    return rows[0].item(), rows[-1].item(), columns[0].item(), columns[-1].item()


def test_embedded_style_fills_the_height(embedded):
    pad = torch.zeros(200, 200)
    pad[20:70, 120:150] = 1
    top, bottom, left, right = _frame(data.prepare_drawing(pad, "embedded"))
    assert (top, bottom) == (0, 27)
    assert abs((left + right) / 2 - 13.9) <= 1
    ours = _frame(embedded.X_train.mean(0, keepdim=True) * 3)
    assert (top, bottom) == ours[:2]


def test_mnist_style_is_a_box_of_20_centred_by_mass():
    pad = torch.zeros(300, 300)
    pad[30:230, 200:240] = 1
    image = data.prepare_drawing(pad, "mnist", dtype=torch.float64)
    top, bottom, _, _ = _frame(image)
    assert bottom - top + 1 in (20, 21)
    weights = image[0, 0] / image.sum()
    place = torch.arange(28, dtype=torch.float64)
    assert abs((weights.sum(1) @ place).item() - 14) < 0.2
    assert abs((weights.sum(0) @ place).item() - 14) < 0.2


@pytest.mark.parametrize("name", ["embedded", "mnist"])
def test_place_and_size_of_the_drawing_do_not_matter(name):
    def seven(size, scale, top, left):
        pad = torch.zeros(size, size, dtype=torch.float64)
        a, b, w = 60 * scale, 40 * scale, 8 * scale
        pad[top : top + w, left : left + b] = 1
        pad[top : top + a, left + b - w : left + b] = 1
        return data.prepare_drawing(pad, name)

    first = seven(280, 1, 10, 10)
    torch.testing.assert_close(seven(280, 1, 200, 220), first)
    torch.testing.assert_close(seven(280, 4, 11, 37), first, rtol=0, atol=0.15)
    torch.testing.assert_close(seven(560, 1, 400, 3), first)


@pytest.mark.parametrize("name", ["embedded", "mnist"])
def test_thin_strokes_are_thickened_thick_ones_are_not(name):
    def ink(width):
        pad = torch.zeros(280, 280)
        pad[40:240, 140 - width // 2 : 140 + width - width // 2] = 1
        return data.prepare_drawing(pad, name).mean().item()

    thin, thick = ink(4), ink(80)
    assert ink(1) == pytest.approx(thin, rel=0.15)
    assert thick > 2 * thin
    # a line of the thinnest allowed stroke, over the height of the box
    expected = 23 / 128 if name == "embedded" else 20 / 28 * 11 / 140
    assert thin == pytest.approx(expected, rel=0.2)


def test_faint_ink_counts_in_full():
    pad = torch.zeros(100, 100)
    pad[20:80, 40:60] = 1
    torch.testing.assert_close(data.prepare_drawing(pad * 0.4), data.prepare_drawing(pad))


def test_empty_pad():
    for pad in (np.zeros((280, 280)), torch.full((28, 28), 0.05)):
        with pytest.raises(DataError, match="nothing drawn"):
            data.prepare_drawing(pad)


def test_drawings_are_checked_and_left_alone():
    for bad in (np.full((9, 9), 255), np.full((9, 9), np.nan), np.full((9, 9), -0.1)):
        with pytest.raises(ValueError, match=r"\[0, 1\], got values from"):
            data.prepare_drawing(bad)
    for shape in ((28,), (1, 28, 28), (0, 5)):
        with pytest.raises(ValueError, match=r"shape \(height, width\), got"):
            data.prepare_drawing(np.zeros(shape))
    pad = np.zeros((30, 30))
    pad[5:20, 9] = 0.7
    before = pad.copy()
    data.prepare_drawing(pad)
    assert np.array_equal(pad, before)
