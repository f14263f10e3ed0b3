"""The line fit with a draggable outlier: lines that are lowest, words, picture, pointer, keys."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import losses
from course_utils.playgrounds import line_fit
from course_utils.playgrounds.line_fit import (
    NAMES,
    PANEL,
    X_END,
    Y_HIGH,
    Y_LOW,
    fit_lines,
    line_text,
    mae_line,
    mse_line,
    smooth_l1_line,
    title_text,
    twelve_points,
)

PLAYGROUND = line_fit()
RANDOM = [
    (r.uniform(0, X_END), r.uniform(Y_LOW, Y_HIGH), 10 ** r.uniform(-1, 1))
    for r in map(random.Random, range(12))
]


def with_outlier(x, y):
    some_x, some_y = twelve_points()
    return np.append(some_x, x), np.append(some_y, y)


def settings():
    """Every control at its ends, the corners of the picture, and some random settings."""
    for name, spec in PLAYGROUND._specs.items():
        for value in spec.ends():
            yield {name: value}
    for x in (0.0, 5.0, X_END):
        for y in (Y_LOW, 3.5, Y_HIGH):
            yield {"x": x, "y": y}
    for x, y, beta in RANDOM:
        yield {"x": x, "y": y, "beta": beta}


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text = repr(PLAYGROUND)
    assert text.endswith(".") and not re.search(r"\b(nan|inf)\b|-0(?![.\d])", text)
    assert all(f"{name}" in text for name in NAMES)
    for line, name in zip(PLAYGROUND.lines, NAMES, strict=True):
        slope, intercept = PLAYGROUND.result.lines[name]
        assert list(line.get_ydata()) == pytest.approx([intercept, intercept + slope * X_END])
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(line_fit()) == (
        "Outlier at (9, -3). MSE: slope 0.24, intercept 1.69, off by 0.79, pull 13.66; "
        "MAE: slope 0.49, intercept 0.86, off by 0.2, pull 1; "
        "smooth L1 (β = 1): slope 0.48, intercept 0.96, off by 0.13, pull 1."
    )


@pytest.mark.parametrize(("x", "y", "beta"), [*RANDOM, (14.0, -6.0, 10.0), (5.0, 3.5, 0.1)])
def test_no_line_nearby_is_better(x, y, beta):
    all_x, all_y = with_outlier(x, y)
    loss_of = {
        "MSE": losses.mse,
        "MAE": losses.mae,
        "smooth L1": lambda a, b: losses.smooth_l1(a, b, beta),
    }
    for name, (slope, intercept) in fit_lines(x, y, beta).lines.items():
        lowest = loss_of[name](slope * all_x + intercept, all_y)
        for turn in (-0.3, -1e-3, 0.0, 1e-3, 0.3):
            for shift in (-0.5, -1e-3, 0.0, 1e-3, 0.5):
                line = (slope + turn) * all_x + intercept + shift
                assert lowest <= loss_of[name](line, all_y) + 1e-12


@pytest.mark.parametrize(("x", "y", "beta"), RANDOM)
def test_smooth_l1_has_no_gradient_left(x, y, beta):
    all_x, all_y = map(torch.tensor, with_outlier(x, y))
    best = np.array(smooth_l1_line(all_x.numpy(), all_y.numpy(), beta))
    line = torch.tensor(best, requires_grad=True)
    F.smooth_l1_loss(line[0] * all_x + line[1], all_y, beta=beta).backward()
    assert line.grad.abs().max() < 1e-9


def test_least_squares_and_the_ends_of_beta():
    x, y = with_outlier(12.0, -5.0)
    np.testing.assert_allclose(mse_line(x, y), np.polyfit(x, y, 1), rtol=1e-10)
    np.testing.assert_allclose(smooth_l1_line(x, y, 1000.0), mse_line(x, y), rtol=1e-10)
    np.testing.assert_allclose(smooth_l1_line(x, y, 1e-4), mae_line(x, y), atol=1e-3)


def test_points_that_stand_above_each_other():
    x, _ = twelve_points()
    result = fit_lines(float(x[4]), 12.0, 1.0)
    assert all(np.isfinite(line).all() for line in result.lines.values())
    np.testing.assert_allclose(mae_line(np.array([0.0, 0.0, 1.0]), np.array([0.0, 2.0, 5.0]))[1], 0)


def test_what_the_chapter_promises():
    slopes = {name: line[0] for name, line in fit_lines(9.0, -6.0, 1.0).lines.items()}
    before = {name: line[0] for name, line in fit_lines(9.0, -3.0, 1.0).lines.items()}
    assert round(before["MSE"], 2) == 0.24 and round(slopes["MSE"], 2) == 0.14
    assert slopes["MAE"] == before["MAE"]
    assert slopes["smooth L1"] == pytest.approx(before["smooth L1"], abs=1e-12)
    corner = fit_lines(14.0, -6.0, 10.0).lines
    assert round(corner["MSE"][0], 2) == -0.17 and round(corner["MAE"][0], 2) == 0.46
    np.testing.assert_allclose(corner["smooth L1"], corner["MSE"], rtol=1e-9)


def test_pull_is_the_gradient_of_the_outliers_loss():
    result = fit_lines(9.0, -3.0, 2.0)
    for name, loss_fn in (("MSE", F.mse_loss), ("MAE", F.l1_loss), ("smooth L1", None)):
        slope, intercept = result.lines[name]
        y_hat = torch.tensor(slope * 9.0 + intercept, requires_grad=True)
        y = torch.tensor(-3.0)
        loss = loss_fn(y_hat, y) if loss_fn else F.smooth_l1_loss(y_hat, y, beta=2.0)
        loss.backward()
        assert result.pull[name] == pytest.approx(abs(y_hat.grad.item()), rel=1e-5)


def test_title_counts_who_follows():
    assert title_text(fit_lines(9.0, 5.0, 1.0)) == "All three lines stay near the truth"
    assert title_text(fit_lines(9.0, -3.0, 1.0)) == "Only MSE follows the outlier"
    assert title_text(fit_lines(14.0, -6.0, 10.0)) == "MSE and smooth L1 follow the outlier"


def test_pointer_and_arrow_keys_move_the_outlier():
    playground = line_fit()
    left, bottom, width, height = PANEL

    def at(x, y):
        return left + width * x / X_END, bottom + height * (y - Y_LOW) / (Y_HIGH - Y_LOW)

    playground.on_pointer([("down", *at(9, -3)), ("move", *at(5, 10))])
    assert (playground.values["x"], playground.values["y"]) == (5.0, 10.0)
    playground.on_pointer([("move", 2.0, 2.0), ("up", 2.0, 2.0)])
    assert (playground.values["x"], playground.values["y"]) == (X_END, Y_HIGH)
    playground.on_pointer([("move", *at(1, 1))])  # the button is up
    playground.on_pointer([("down", 0.9, 0.5), ("up", 0.9, 0.5)])  # beside the points
    assert playground.values["x"] == X_END
    playground.reset()
    playground.on_key("ArrowUp", False)
    playground.on_key("ArrowRight", True)
    playground.on_key("Escape", False)
    assert (playground.values["x"], playground.values["y"]) == (10.0, -2.8)


def test_moving_frames_are_patches():
    playground = line_fit()
    playground.picture.news()
    for y in (0.0, 5.0, 12.0):
        playground.set(y=y)
        repr(playground)
        assert playground.picture.frame(moving=True).format == "patch"


def test_the_hint_hides_no_points():
    playground = line_fit()
    assert playground.hint.get_text() == "drag me"
    for y in (5.0, Y_HIGH):
        playground.set(y=y)
        repr(playground)
        assert playground.hint.get_text() == ""


def test_lines_in_words():
    assert line_text(0.5, 1.0) == "y = 0.5·x + 1"
    assert line_text(-0.168, -3.671) == "y = −0.17·x − 3.67"
    assert line_text(-0.001, 0.0) == "y = 0·x + 0"


@pytest.mark.parametrize("values", [{"x": 15.0}, {"y": -7.0}, {"beta": 0.0}, {"z": 1.0}])
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError):
        line_fit(**values)
