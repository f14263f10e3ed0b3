"""The receptive-field explorer: the formula's square is where the gradient is."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.playgrounds import receptive_field
from course_utils.playgrounds.digit_panels import MARGIN
from course_utils.playgrounds.kernel_compute import SIDE
from course_utils.playgrounds.receptive_field import (
    KERNELS,
    PANEL,
    PANEL_Y,
    PANELS,
    look,
    sum_words,
)

PLAYGROUND = receptive_field()
DEFAULTS = PLAYGROUND.values


def settings():
    """Every control at its ends and default, the largest stacks, and some random settings."""
    for spec in PLAYGROUND.controls:
        for value in dict.fromkeys((*spec.ends(), spec.default)):
            yield {spec.name: value}
    for pooling in (False, True):
        yield {"layers": 6, "kernel": 7, "stride": 3, "dilation": 3, "pooling": pooling}
        yield {"layers": 6, "kernel": 1, "stride": 3, "dilation": 3, "pooling": pooling}
    draw = random.Random(0)
    for _ in range(25):
        yield {
            "layers": draw.randint(1, 6),
            "kernel": draw.choice(KERNELS),
            "stride": draw.randint(1, 3),
            "dilation": draw.randint(1, 3),
            "pooling": draw.random() < 0.4,
            "row": draw.randrange(SIDE),
            "column": draw.randrange(SIDE),
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text, result = repr(PLAYGROUND), PLAYGROUND.result
    assert text.endswith("strongest.") and len(text) <= 400
    assert not re.search(r"\b(nan|inf|None)\b", text)
    assert result.gradient.sum() > 0 and (result.gradient >= 0).all()
    assert 1 <= result.half <= result.reached <= SIDE**2
    left, middle, right = (title.get_text() for title in PLAYGROUND.titles)
    assert max(map(len, (left, middle, PLAYGROUND.problem.get_text()))) < 31 and len(right) < 36
    assert bool(PLAYGROUND.problem.get_text()) == bool(result.problem)
    assert len(PLAYGROUND.bars.get_segments()) == len(result.layers)
    assert sum(patch.get_visible() for patch in PLAYGROUND.squares) == len(result.squares) - 1
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pooling", [False, True])
def test_measured_is_what_the_formula_says(kernel, stride, pooling):
    """Without dilation the gradient fills the square, as far as it lies within the image."""
    for layers, (row, column) in itertools.product(range(1, 7), ((13, 13), (0, 27), (20, 3))):
        result = look(
            layers=layers, kernel=kernel, stride=stride, dilation=1, pooling=pooling, row=row,
            column=column,
        )  # fmt: skip
        assert result.measured == result.inside
        if stride <= kernel and not pooling:
            assert result.reached == np.prod(result.inside)
        rows, columns = (slice(max(a, 0), b) for a, b in result.squares[-1])
        outside = result.gradient.copy()
        outside[rows, columns] = 0
        assert not outside.any()


def test_dilation_leaves_holes():
    result = look(**DEFAULTS | {"dilation": 2})
    assert result.measured == result.inside == (13, 13) and result.reached == 49
    result = look(**DEFAULTS | {"dilation": 3, "layers": 1})
    assert result.measured == (7, 7) and result.reached == 9


@pytest.mark.parametrize("pooling", [False, True])
def test_the_gradient_is_that_of_a_network(pooling):
    values = DEFAULTS | {"layers": 2, "kernel": 5, "stride": 2, "dilation": 1, "pooling": pooling}
    result = look(**values)
    modules = []
    for _ in range(2):
        conv = nn.Conv2d(1, 1, 5, 2, padding=2, bias=False, dtype=torch.float64)
        nn.init.constant_(conv.weight, 1 / 25)
        modules += [conv, nn.AvgPool2d(2)][: 1 + pooling]
    X = torch.rand(1, 1, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    out = nn.Sequential(*modules)(X)
    assert out.shape[-1] == result.last.size
    out[0, 0, *result.unit].backward()
    np.testing.assert_allclose(result.gradient, X.grad[0, 0], atol=1e-14)


def test_default_state_says_what_it_shows():
    assert repr(receptive_field()) == (
        "A unit of conv 3 sees 7 × 7 pixels (layer by layer: 3, 5, 7), and the next unit sees 1 "
        "further. By autograd the gradient of unit [13, 13] is not 0 in 49 of 784 pixels, within "
        "7 × 7; half of it lies in the 10 strongest."
    )


def test_depth_and_pooling():
    deep = look(**DEFAULTS | {"layers": 6})
    assert [layer.field.size for layer in deep.layers] == [3, 5, 7, 9, 11, 13]
    assert (deep.reached, deep.half) == (169, 19)
    pooled = look(**DEFAULTS | {"pooling": True})
    assert [layer.field.size for layer in pooled.layers] == [3, 4, 8, 10, 18, 22]
    assert [layer.field.jump for layer in pooled.layers] == [1, 2, 2, 4, 4, 8]
    corner = look(**DEFAULTS | {"row": 0, "column": 0})
    assert corner.inside == corner.measured == (4, 4) and corner.reached == 16


def test_what_does_not_fit_is_said():
    words = repr(receptive_field(layers=5, pooling=True))
    assert words.startswith("Pool 5 does not fit into 1 × 1. A unit of conv 5 sees 78 × 78")
    playground = receptive_field(layers=6, pooling=True)
    assert len(playground.result.layers) == 9 and playground.titles[0].get_text() == ""


def test_half_of_the_gradient():
    result = look(**DEFAULTS | {"layers": 1})  # nine equal gradients
    assert result.half == 5
    assert look(**DEFAULTS | {"kernel": 1}).half == 1


def test_sums_are_cut_where_they_get_long():
    assert sum_words(look(**DEFAULTS)) == "7 = 1 + 2 + 2 + 2"
    long = look(**DEFAULTS | {"layers": 6, "kernel": 7, "stride": 3, "dilation": 3})
    assert sum_words(long).endswith(" + …") and len(sum_words(long)) < 34


def test_a_click_goes_there():
    playground = receptive_field()
    for left in PANELS:
        x = (left + PANEL * (20 + 0.5 + MARGIN) / (SIDE + 2 * MARGIN)) / playground.width
        y = (PANEL_Y + PANEL * (1 - (3 + 0.5 + MARGIN) / (SIDE + 2 * MARGIN))) / playground.height
        playground.reset()
        playground.on_pointer([("down", x, y), ("up", 0.9, 0.9)])
        assert playground.compute(**playground.values).unit == (3, 20)
    playground.on_pointer([("down", 0.9, 0.5)])
    playground.on_key("ArrowUp", False)
    playground.on_key("ArrowRight", False)
    playground.on_key("Escape", False)
    assert (playground.values["row"], playground.values["column"]) == (2, 21)
    playground.set(pooling=True, row=13, column=13)
    assert playground.compute(**playground.values).unit == (1, 1)
    repr(playground)
    playground.on_key("ArrowLeft", False)  # one unit is eight pixels further
    assert playground.values["column"] == 5
    assert playground.compute(**playground.values).unit == (1, 0)


@pytest.mark.parametrize(
    "values", [{"layers": 7}, {"kernel": 2}, {"pooling": 1}, {"row": 28}, {"units": 1}]
)
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        receptive_field(**values)
