"""The activation explorer: values and slopes are PyTorch's, and what it says is what it shows."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils.playgrounds import activation_explorer
from course_utils.playgrounds.activations import (
    END,
    FUNCTIONS,
    GRID,
    SATURATED,
    activate,
    range_text,
    saturation_text,
)

PLAYGROUND = activation_explorer()
TORCH = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "ReLU": torch.relu,
    "leaky ReLU": lambda z: F.leaky_relu(z, 0.3),
    "GELU": F.gelu,
}


def settings():
    """Every control at its ends for every function, and some random settings."""
    for function in FUNCTIONS:
        yield {"function": function}
        for name in ("z", "sharpness", "leak"):
            for value in PLAYGROUND._specs[name].ends():
                yield {"function": function, name: value}
    draw = random.Random(0)
    for _ in range(20):
        yield {
            "function": draw.choice(list(FUNCTIONS)),
            "z": draw.uniform(-6, 6),
            "sharpness": draw.uniform(0.5, 10),
            "leak": draw.uniform(0, 0.5),
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text = repr(PLAYGROUND)
    assert text.startswith(values["function"]) and text.endswith(".")
    assert not re.search(r"\b(nan|inf)\b|[-−]0(?![.\d])", text)
    result = PLAYGROUND.result
    for ax, drawn in ((PLAYGROUND.left, result.curve), (PLAYGROUND.right, result.slopes)):
        low, high = ax.get_ylim()
        assert low < drawn.min() and drawn.max() < high
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("k", [1.0, 4.0])
def test_values_and_slopes_are_those_of_torch(name, k):
    result = activate(name, -0.7, leak=0.3, sharpness=k)
    smooth = FUNCTIONS[name].smooth
    scale = k if smooth else 1.0
    z = torch.tensor(np.append(GRID, -0.7), requires_grad=True)
    y = TORCH[name](scale * z) / (scale if name == "GELU" else 1)
    y.sum().backward()
    np.testing.assert_allclose(np.append(result.curve, result.y), y.detach(), atol=1e-12)
    np.testing.assert_allclose(np.append(result.slopes, result.slope), z.grad, atol=1e-12)


def test_step():
    result = activate("step", 0.0)
    assert result.y == 0 and result.slope == 0
    assert set(result.curve) == {0.0, 1.0} and not result.slopes.any()
    assert saturation_text(result) == "slope 0 everywhere: nothing to learn from"
    assert result.saturation == (0.0, 0.0)


def test_nothing_overflows():
    with np.errstate(all="raise", under="ignore"):
        for name in FUNCTIONS:
            for z in (-END, END):
                assert np.isfinite(activate(name, z, 0.5, 10.0).slopes).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sigmoid", "below −2.9 and above 2.9"),
        ("tanh", "below −2.2 and above 2.2"),
        ("ReLU", "below 0"),
        ("leaky ReLU", "saturates nowhere"),
    ],
)
def test_saturation(name, words):
    result = activate(name, 0.0)
    assert saturation_text(result).endswith(words)
    left, right = result.saturation
    inside = (left < GRID) & (right > GRID)
    assert (np.abs(result.slopes[GRID < left]) < SATURATED).all()
    assert (np.abs(result.slopes[inside]) >= SATURATED).mean() > 0.9


def test_the_lowest_value_of_gelu():
    result = activate("GELU", -0.75)
    assert result.curve.min() == pytest.approx(-0.17, abs=0.001)
    assert abs(result.slope) < 0.005 and range_text(result) == "−0.17 and above"
    sharp = activate("GELU", 0.0, sharpness=4.0)
    assert sharp.curve.min() == pytest.approx(-0.17 / 4, abs=0.001)
    assert range_text(sharp) == "−0.04 and above"


def test_sharper_sigmoids_approach_the_step():
    far = np.abs(GRID) > 0.5
    sharp = activate("sigmoid", 1.0, sharpness=10.0)
    assert np.abs(sharp.curve - activate("step", 1.0).curve)[far].max() < 0.007
    assert sharp.slopes.max() == pytest.approx(2.5)


def test_default_state_says_what_it_shows():
    assert repr(activation_explorer()) == (
        "sigmoid at z = 1: value 0.7311, slope 0.1966. Values: between 0 and 1; "
        "largest slope 0.25; saturated (|slope| under 0.05) below −2.9 and above 2.9."
    )


def test_controls_without_a_meaning_are_disabled():
    playground = activation_explorer()
    assert playground.widget is not None
    bound = {name: b.widget for name, b in playground._bound.items()}
    for name, (sharpness, leak) in {
        "sigmoid": (False, True), "leaky ReLU": (True, False), "step": (True, True)
    }.items():  # fmt: skip
        bound["function"].value = name
        assert (bound["sharpness"].disabled, bound["leak"].disabled) == (sharpness, leak)
    playground.close()


@pytest.mark.parametrize("values", [{"z": 7}, {"leak": -0.1}, {"function": "selu"}, {"alpha": 1}])
def test_bad_values_are_named(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        activation_explorer(**values)


def test_an_unknown_function_is_named():
    with pytest.raises(ValueError, match=r"unknown function 'sigmod'.*Did you mean 'sigmoid'"):
        activate("sigmod", 0.0)
