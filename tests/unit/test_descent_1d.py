"""The descent explorer: its walks against autograd, its words and its picture."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.playgrounds import descent_explorer
from course_utils.playgrounds.descent_1d import LIMIT, SPANS, VALLEYS, verdict, walk_down

PLAYGROUND = descent_explorer()


def assert_shown_well(playground) -> None:
    words = repr(playground)
    assert words.startswith(f"{playground.values['function']} from ") and words.endswith(".")
    assert not re.search(r"\b(nan|inf)\b", words)
    assert np.isfinite(playground.track.get_ydata()).all()
    assert playground.right.get_xlim()[1] > playground.values["num_steps"]
    assert bool(playground.words.get_text()) != bool(playground.alarm.get_text())
    assert len(playground.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(descent_explorer()) == (
        "x² from 5, learning rate 0.1: after 10 steps x = 0.5369, f(x) = 0.2882; on its way: "
        "still 0.54 away from the minimum."
    )


@pytest.mark.parametrize("function", VALLEYS)
@pytest.mark.parametrize("lr", [0.001, 0.1, 3.0])
@pytest.mark.parametrize("start", [-6.0, 0.0, 6.0])
@pytest.mark.parametrize("num_steps", [0, 1, 60])
def test_the_ends_of_every_control_are_shown(function, lr, start, num_steps):
    PLAYGROUND.set(function=function, lr=lr, start=start, num_steps=num_steps)
    assert_shown_well(PLAYGROUND)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(VALLEYS)), st.floats(-3, 0.4), st.integers(-60, 60), st.integers(0, 60)
)
def test_any_value_is_shown(function, exponent, tenths, num_steps):
    PLAYGROUND.set(
        function=function, lr=max(10.0**exponent, 0.001), start=tenths / 10, num_steps=num_steps
    )
    assert_shown_well(PLAYGROUND)


@pytest.mark.parametrize("function", VALLEYS)
@pytest.mark.parametrize("start", [5.0, -4.3, 0.7])
@pytest.mark.parametrize("lr", [0.01, 0.15])
def test_the_walk_is_that_of_torch(function, start, lr):
    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=lr)
    path = [start]
    for _ in range(25):
        optimizer.zero_grad()
        VALLEYS[function].value(x).backward()
        optimizer.step()
        path.append(x.item())
    ours = walk_down(function, lr, start, 25)
    if np.abs(path).max() < LIMIT:
        np.testing.assert_allclose(ours.path, path, rtol=1e-9, atol=1e-12)
        assert ours.diverged_at is None
    else:
        assert ours.diverged_at == int(np.argmax(np.abs(path) > LIMIT))


def test_slopes_vanish_at_the_minima_and_the_lowest_comes_first():
    for name, valley in VALLEYS.items():
        assert [valley.slope(x) for x in valley.minima] == pytest.approx([0] * len(valley.minima))
        heights = [valley.value(x) for x in valley.minima]
        assert heights == sorted(heights)
        grid = np.linspace(-6, 6, 1201)
        assert min(heights) == pytest.approx(valley.value(grid).min(), abs=1e-3), name


def test_the_example_of_the_chapter():
    np.testing.assert_allclose(walk_down("x²", 0.1, 5, 10).path, 5 * 0.8 ** np.arange(11))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("x²", 0.001, 5, 10), "it crawls: still 4.9 away"),
        (("x²", 0.1, 5, 10), "on its way: still 0.54 away"),
        (("x²", 0.1, 5, 60), "arrived (within 0.01) after 28 steps"),
        (("x²", 0.5, 5, 10), "arrived (within 0.01) after 1 step"),
        (("x²", 0.9, 5, 60), "arrived (within 0.01) after 28 steps, swinging"),
        (("x²", 0.9, 5, 10), "it swings around the minimum, still 0.54 away"),
        (("x²", 1.0, 5, 10), "it swings to and fro and gets nowhere"),
        (("x²", 1.1, 5, 10), "it swings wider and wider"),
        (("x²", 1.1, 5, 60), "diverged: |x| is above 1000 after 30 steps"),
        (("x²", 0.1, 5, 0), "no step taken yet"),
        (("x²", 0.1, 0, 5), "it starts at a minimum"),
        (("|x|", 0.3, 5, 60), "it swings to and fro and gets nowhere"),
        (("x⁴ / 50", 3.0, 6, 60), "diverged: |x| is above 1000 after 2 steps"),
    ],
)
def test_verdict(values, words):
    assert verdict(walk_down(*values)).startswith(words)


def test_a_rate_near_the_border_is_shown_as_it_is():
    playground = descent_explorer(lr=1.04)
    assert "learning rate 1.04: " in repr(playground)
    assert playground.rule.get_text() == "first step: 5 − 1.04 · 10 = -5.4"


def test_two_valleys_have_two_minima_and_the_start_decides():
    low, high = VALLEYS["two valleys"].minima
    assert low < 0 < high
    assert walk_down("two valleys", 0.1, -5, 60).last == pytest.approx(low, abs=1e-3)
    assert walk_down("two valleys", 0.1, 5, 60).last == pytest.approx(high, abs=1e-3)


def test_divergence_is_drawn_and_said():
    playground = descent_explorer(lr=3.0, num_steps=60)
    assert "far away; diverged: |x| is above 1000 after 4 steps." in repr(playground)
    assert playground.alarm.get_text().startswith("diverged")
    assert len(playground.track.get_ydata()) == 5


def test_the_axis_of_steps_grows_in_a_few_leaps():
    playground = descent_explorer()
    playground.picture.news()
    for lr in (0.05, 0.2, 0.9):
        playground.set(lr=lr)
        repr(playground)
        assert playground.picture.frame(moving=True).format == "patch"
    spans = set()
    for num_steps in range(61):
        playground.set(num_steps=num_steps)
        repr(playground)
        spans.add(round(playground.right.get_xlim()[1] / 1.03))
    assert spans == set(SPANS)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"lr": 0.0}, "lr=0.0: give a number from 0.001 to 3.0"),
        ({"num_steps": 2.5}, "num_steps=2.5: give a whole number"),
        ({"function": "x^2"}, "unknown function 'x"),
    ],
)
def test_nonsense_is_refused(values, what):
    with pytest.raises(ValueError, match=what):
        descent_explorer(**values)
