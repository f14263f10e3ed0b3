"""The loss explorer: its numbers against PyTorch, its words and its picture."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import losses
from course_utils.playgrounds import loss_explorer
from course_utils.playgrounds.losses_1d import (
    CROWD,
    FIVE,
    LIMITS,
    ONE,
    SIDE,
    VIEWS,
    YES_NO,
    best_constant,
    explore,
    title_text,
)

PLAYGROUND = loss_explorer()


def settings():
    """Every control at its ends in every view, and some random settings."""
    for view in VIEWS:
        yield {"view": view}
        for name, spec in PLAYGROUND._specs.items():
            if name != "view":
                for value in spec.ends():
                    yield {"view": view, name: value}
        yield {"view": view, "prediction": SIDE, "target": -SIDE}
        yield {"view": view, "prediction": 0.0, "target": 0.0}
    draw = random.Random(0)
    for _ in range(20):
        places = {name: draw.uniform(-SIDE, SIDE) for name in ("prediction", "target")}
        yield {"view": draw.choice(VIEWS), "beta": 10 ** draw.uniform(-1, 1), **places}


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text = repr(PLAYGROUND)
    assert text.endswith(".") and not re.search(r"\b(nan|inf)\b|-0(?![.\d])", text)
    shown = list(PLAYGROUND.result.at)
    for k, axes in enumerate(PLAYGROUND.axes):
        low, high = axes.get_ylim()
        assert (low, high) == LIMITS[values["view"]][k]
        for i in range(3):
            assert PLAYGROUND.points[k][i].get_visible() == (i < len(shown))
            if i < len(shown):
                assert low <= PLAYGROUND.points[k][i].get_ydata()[0] <= high
                assert np.isfinite(PLAYGROUND.curves[k][i].get_ydata()).all()
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(loss_explorer()) == (
        "Target 0, prediction 2.5: MSE 6.25 with gradient 5, MAE 2.5 with gradient 1, "
        "smooth L1 2 with gradient 1 (β = 1)."
    )
    assert repr(loss_explorer(view=YES_NO, prediction=-4.0)) == (
        "Target 1, logit -4, probability 0.018: BCE 4.018 with gradient -0.982, "
        "(p − y)² 0.964 with gradient -0.035."
    )


@pytest.mark.parametrize("view", [ONE, FIVE])
@pytest.mark.parametrize(
    ("prediction", "target", "beta"), [(2.5, 0.0, 1.0), (-3.3, 6.0, 0.1), (0.4, -6.0, 10.0)]
)
def test_regression_is_that_of_torch(view, prediction, target, beta):
    result = explore(view, prediction, target, beta)
    y = torch.tensor(result.targets)
    assert len(y) == (1 if view == ONE else 5)
    wanted = {
        "MSE": F.mse_loss,
        "MAE": F.l1_loss,
        "smooth L1": lambda y_hat, y: F.smooth_l1_loss(y_hat, y, beta=beta),
    }
    for name, loss_fn in wanted.items():
        y_hat = torch.tensor(prediction, dtype=torch.float64, requires_grad=True)
        loss = loss_fn(y_hat.expand(len(y)), y)
        loss.backward()
        assert result.at[name] == pytest.approx((loss.item(), y_hat.grad.item()), abs=1e-12)


@pytest.mark.parametrize("logit", [-6.0, -0.7, 0.0, 4.2, 6.0])
def test_yes_or_no_is_that_of_torch(logit):
    result = explore(YES_NO, logit, 0.0, 1.0)
    for name in ("BCE", "(p − y)²"):
        z = torch.tensor(logit, dtype=torch.float64, requires_grad=True)
        one = torch.ones_like(z)
        if name == "BCE":
            loss = F.binary_cross_entropy_with_logits(z, one)
        else:
            loss = F.mse_loss(torch.sigmoid(z), one)
        loss.backward()
        assert result.at[name] == pytest.approx((loss.item(), z.grad.item()), abs=1e-12)
    assert result.best == {}


@pytest.mark.parametrize("beta", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("outlier", [-6.0, -1.2, 0.0, 6.0])
def test_best_constants_are_lowest(outlier, beta):
    y = np.append(CROWD, outlier)
    best = best_constant(y, beta)
    assert best["MSE"] == pytest.approx(y.mean()) and best["MAE"] == np.median(y)
    loss_of = {
        "MSE": losses.mse,
        "MAE": losses.mae,
        "smooth L1": lambda a, b: losses.smooth_l1(a, b, beta),
    }
    for name, loss_fn in loss_of.items():
        lowest = loss_fn(np.full(5, best[name]), y)
        for other in np.linspace(-6, 6, 481):
            assert lowest <= loss_fn(np.full(5, other), y) + 1e-12


def test_curves_are_the_points_and_slopes_their_derivative():
    for view in VIEWS:
        result = explore(view, 1.0, 3.0, 0.7)
        for name, curve in result.values.items():
            assert np.interp(1.0, result.grid, curve) == pytest.approx(result.at[name][0], abs=5e-3)
            slopes = result.slopes[name]
            rise = np.diff(curve) / np.maximum(np.diff(result.grid), 1e-12)
            smooth = (np.diff(result.grid) > 1e-3) & (np.diff(slopes) < 0.15)  # no kink of MAE
            assert smooth.sum() > 150
            np.testing.assert_allclose(
                rise[smooth], (slopes[1:] + slopes[:-1])[smooth] / 2, atol=0.03
            )


def test_title_says_what_happens():
    assert title_text(explore(ONE, 2.5, 0.0, 1.0)) == "The prediction is 2.5 too high"
    assert title_text(explore(ONE, -1.0, 0.5, 1.0)) == "The prediction is 1.5 too low"
    assert title_text(explore(ONE, 0.3, 0.3, 1.0)) == "On the target: every loss is 0"
    wanted = "Outlier at 6: MSE wants the mean 0.2, MAE the median −1"
    assert title_text(explore(FIVE, 0.0, 6.0, 1.0)) == wanted
    assert title_text(explore(YES_NO, 5.0, 0.0, 1.0)).endswith("sure and right")


def test_what_lies_beyond_the_picture_is_said():
    playground = loss_explorer(prediction=6.0, target=-6.0)
    assert [text.get_text() for text in playground.beyond] == ["↑ 144", "↑ 24"]
    playground.set(prediction=-6.0)
    repr(playground)
    assert [text.get_text() for text in playground.beyond] == ["", ""]


def test_moving_frames_are_patches_unless_the_view_changes():
    playground = loss_explorer()
    playground.picture.news()
    for prediction in (0.0, 1.3, 2.0):
        playground.set(prediction=prediction, beta=2.0)
        repr(playground)
        assert playground.picture.frame(moving=True).format == "patch"
    playground.set(view=YES_NO)
    repr(playground)
    assert playground.picture.frame(moving=True).format == "jpeg"


def test_controls_that_do_not_count_are_switched_off():
    playground = loss_explorer()
    assert playground.widget is not None
    widgets = {name: bound.widget for name, bound in playground._bound.items()}
    assert not widgets["target"].disabled
    widgets["view"].value = YES_NO
    assert widgets["target"].disabled and widgets["beta"].disabled
    assert not widgets["prediction"].disabled
    assert widgets["prediction"].description == "logit z"
    playground.close()


@pytest.mark.parametrize(
    "values", [{"view": "seven"}, {"prediction": 7.0}, {"beta": 0.0}, {"b": 1}]
)
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError):
        loss_explorer(**values)


def test_points_at_one_place_do_not_hide_each_other():
    playground = loss_explorer()  # there MAE and smooth L1 have one gradient
    gradients = [point.get_ydata()[0] for point in playground.points[1]]
    sizes = [point.get_markersize() for point in playground.points[1]]
    assert gradients[1] == gradients[2]
    assert all(larger > smaller + 2 for larger, smaller in itertools.pairwise(sizes))
