"""The initialisation explorer: its numbers against PyTorch, its words and its picture."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.playgrounds import init_explorer
from course_utils.playgrounds import initialisation as module
from course_utils.playgrounds.initialisation import (
    ACTIVATIONS,
    BINS,
    DEPTH,
    EDGE,
    HIGHEST,
    INITIALISATIONS,
    LOWEST,
    SAMPLES,
    WIDTHS,
    number,
    send_signal,
    verdict,
    violins,
)

PLAYGROUND = init_explorer()
IN_TORCH = {"tanh": torch.tanh, "ReLU": torch.relu, "sigmoid": torch.sigmoid, "none": lambda z: z}


def assert_shown_well(playground) -> None:
    words = repr(playground)
    assert words and not re.search(r"\b(nan|inf)\b", words)
    for line in (playground.forward, playground.backward):
        drawn = np.asarray(line.get_ydata())
        assert ((drawn >= LOWEST) & (drawn <= HIGHEST)).all()
    paths = playground.violins.get_paths()
    assert len(paths) == DEPTH
    corners = np.concatenate([path.vertices for path in paths])
    assert np.abs(corners[:, 1]).max() <= EDGE and 0.5 < corners[:, 0].min()
    assert playground.title.get_text() == verdict(playground.result)
    assert len(playground.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(init_explorer()) == (
        "tanh, Xavier normal with gain 1, 64 units per layer: weights with standard deviation "
        "0.125. Activations: 0.63 in layer 1, 0.21 in layer 12, in the band in 1 of 12 layers. "
        "Gradients: 1 in layer 12, 0.34 in layer 1, in the band in 9."
    )


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(list(ACTIVATIONS)),
    st.sampled_from(list(INITIALISATIONS)),
    st.floats(-2, 1),
    st.sampled_from(WIDTHS),
)
def test_any_values_are_shown(activation, init, exponent, width):
    PLAYGROUND.set(activation=activation, init=init, gain=10**exponent, width=width)
    assert_shown_well(PLAYGROUND)


@pytest.mark.parametrize("name", ["activation", "init", "width", "gain"])
def test_every_control_at_its_ends(name):
    spec = next(c for c in PLAYGROUND.controls if c.name == name)
    for value in spec.ends():
        PLAYGROUND.reset()
        PLAYGROUND.set(**{name: value})
        assert_shown_well(PLAYGROUND)
    PLAYGROUND.reset()


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("width", [16, 64])
def test_the_numbers_are_those_of_autograd(activation, width):
    result = send_signal(activation, "Xavier normal", 1.3, width)
    X, normals, last = (torch.from_numpy(part) for part in module._draws(width))
    a, layers = X, []
    for normal in normals:
        a = IN_TORCH[activation](a @ normal * result.weight_std).requires_grad_()
        a.retain_grad()
        layers.append(a)
    a.backward(last)
    forward = [X.numpy().std(), *(layer.detach().numpy().std() for layer in layers)]
    backward = [layer.grad.numpy().std() for layer in layers]
    np.testing.assert_allclose(result.activation_std, forward, rtol=1e-10)
    np.testing.assert_allclose(result.gradient_std, backward, rtol=1e-10)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_initialisations_are_those_of_torch(width):
    W = torch.empty(width, width, dtype=torch.float64)

    def measured(init):
        torch.manual_seed(0)
        return torch.stack([init(W).clone() for _ in range(20_000 // width)]).std().item()

    for name, init in {
        "Xavier normal": lambda W: nn.init.xavier_normal_(W, gain=0.7),
        "Kaiming normal": lambda W: 0.7 * nn.init.kaiming_normal_(W, nonlinearity="relu"),
        "plain normal": lambda W: nn.init.normal_(W, std=0.7),
    }.items():
        ours = send_signal("tanh", name, 0.7, width).weight_std
        assert ours == pytest.approx(measured(init), rel=0.01), name


def test_the_fixed_draws_are_standard_and_the_same_every_time():
    for width in WIDTHS:
        X, normals, last = module._draws(width)
        assert X.shape == last.shape == (SAMPLES, width)
        assert normals.shape == (DEPTH, width, width)
        assert normals.std() == pytest.approx(1) and last.std() == pytest.approx(1)
        assert X.std() == pytest.approx(1, abs=0.05)
    first = send_signal("ReLU", "Kaiming normal", 1.0, 32)
    module._draws.cache_clear()
    again = send_signal("ReLU", "Kaiming normal", 1.0, 32)
    np.testing.assert_array_equal(first.activation_std, again.activation_std)


def test_shares_count_every_activation_once_and_the_far_ones_at_the_edges():
    for gain in (0.01, 1.0, 10.0):
        result = send_signal("ReLU", "plain normal", gain, 64)
        assert result.shares.shape == (DEPTH, BINS)
        np.testing.assert_allclose(result.shares.sum(1), 1)
    assert result.shares[-1, -1] > 0.4 and result.shares[-1, : BINS // 2].sum() == 0
    outlines = violins(result.shares)
    assert outlines.shape == (DEPTH, 4 * BINS, 2)
    widest = outlines[:, :, 0].max(axis=1) - np.arange(1, DEPTH + 1)
    np.testing.assert_allclose(widest, 0.45)


@pytest.mark.parametrize("width", [32, 64, 128])
def test_the_goal_can_be_reached_as_the_chapter_says(width):
    for activation, init, gain in (
        ("tanh", "Xavier normal", 1.41),
        ("ReLU", "Xavier normal", 1.41),
        ("ReLU", "Kaiming normal", 1.0),
    ):
        result = send_signal(activation, init, gain, width)
        assert result.activations_inside == result.gradients_inside == DEPTH
        assert verdict(result).startswith("Goal reached")
    plain = send_signal("ReLU", "plain normal", math.sqrt(2 / 64), width)
    assert (plain.activations_inside == DEPTH) == (width == 64)


def test_sigmoid_never_reaches_the_goal():
    for width in WIDTHS:
        for gain in np.geomspace(0.01, 10, 25):
            result = send_signal("sigmoid", "Xavier normal", float(gain), width)
            assert result.activation_std[1:].max() <= 0.5 and result.activations_inside < DEPTH


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("ReLU", "Xavier normal", 0.5, 64), "The signal fades"),
        (("ReLU", "plain normal", 1.0, 64), "The signal explodes"),
        (("tanh", "plain normal", 1.0, 64), "The gradient explodes"),
        (("sigmoid", "Xavier normal", 4.0, 64), ""),
        (("tanh", "Xavier normal", 1.7, 64), "The activations hold, the gradients not quite"),
        (("tanh", "Xavier normal", 1.0, 64), "Neither lost nor blown up"),
    ],
)
def test_verdicts(values, words):
    assert verdict(send_signal(*values)).startswith(words)


def test_numbers_in_words():
    assert [number(x) for x in (0.634, 12.3, 4613, 3e-5, 2e7)] == [
        "0.63", "12", "4,600", "3e-05", "2e+07"
    ]  # fmt: skip


def test_moving_frames_are_patches():
    playground = init_explorer()
    playground.picture.news()
    for gain in (0.9, 1.2, 5.0):
        playground.set(gain=gain)
        repr(playground)
        assert playground.picture.frame(moving=True).format == "patch"


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match=r"unknown control 'gian'.*Did you mean 'gain'"):
        init_explorer(gian=1)
    with pytest.raises(ValueError, match=r"gain=0: give a number from 0.01 to 10"):
        init_explorer(gain=0)
    with pytest.raises(ValueError, match="unknown width"):
        init_explorer(width=50)
    with pytest.raises(ValueError, match="unknown activation"):
        send_signal("relux", "Xavier normal", 1.0, 64)


def test_widget_has_its_controls_in_two_rows():
    playground = init_explorer()
    first, second, _ = playground.widget.children
    names = [[child.description for child in row.children] for row in (first, second)]
    assert names == [["activation", "initialisation", "units per layer"], ["gain", "Reset"]]
    first.children[1].value = "plain normal"
    second.children[0].value = 0.1
    assert playground.values["init"] == "plain normal" and playground.values["gain"] == 0.1
    playground.close()
