"""The live fit of y = x²: what it computes, says and draws, without a browser."""

from __future__ import annotations

import asyncio
import random
import re
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.playgrounds import curve_fit as module
from course_utils.playgrounds import fit_curve
from course_utils.playgrounds.curve_fit import (
    GOAL,
    GRID,
    GROUP,
    NUM_EPOCHS,
    data,
    fresh_network,
    look_at,
    train_curve,
    verdict,
)


@pytest.fixture(scope="module")
def playground():
    return fit_curve()


def whole(**values):
    return list(train_curve(**values))[-1]


def shows(playground, result):
    with playground.picture.lock:
        playground.update(result)
    playground.picture.news()
    assert playground.picture.frame(moving=True).format == "patch"
    words = playground.summary(result)
    assert words.endswith(".") and not re.search(r"\b(nan|inf)\b", words)


def test_the_default_state():
    playground = fit_curve()  # untouched: other tests draw into the shared one
    text = repr(playground)
    assert text == (
        "y = x² with 10 hidden units, Adam with learning rate 0.01: epoch 200 of 2000. Mean "
        "squared error 0.2804, 8 bends within the data, 1 of the units idle (0 for all the data)."
    )
    assert repr(fit_curve()) == text
    assert playground.state == "ready"
    assert playground._count.get_text() == "200 of 2000 epochs: press Start"


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_the_numbers_are_those_of_a_plain_loop(optimizer):
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    fits = list(train_curve(6, 0.02, optimizer, dtype=torch.float64, num_epochs=2 * GROUP))
    assert torch.equal(torch.random.get_rng_state(), before)  # the learner's numbers are untouched
    assert [fit.epoch for fit in fits] == [0, GROUP, 2 * GROUP]

    X, y = data()
    model = fresh_network(6)
    rule = module.OPTIMIZERS[optimizer](model.parameters(), lr=0.02)
    losses = [F.mse_loss(model(X), y).item()]
    for _ in range(2 * GROUP):
        rule.zero_grad()
        F.mse_loss(model(X), y).backward()
        rule.step()
        losses.append(F.mse_loss(model(X), y).item())
    np.testing.assert_allclose(fits[-1].loss, losses, rtol=1e-12)
    np.testing.assert_array_equal(fits[1].loss, fits[-1].loss[: GROUP + 1])  # nothing is changed
    with torch.no_grad():
        curve = model(torch.from_numpy(GRID)[:, None])[:, 0].numpy()
    np.testing.assert_allclose(fits[-1].curve, curve, rtol=1e-9, atol=1e-12)


def test_bends_are_where_the_slope_changes():
    fit = whole(hidden=7, num_epochs=100, dtype=torch.float64)
    slopes = np.diff(fit.curve) / np.diff(GRID)
    places = GRID[1:-1][np.abs(np.diff(slopes)) > 1e-8]
    for place in places:
        assert np.abs(fit.bends - place).min() <= GRID[1] - GRID[0]
    for bend in fit.bends:
        assert np.abs(places - bend).min() <= GRID[1] - GRID[0]


def test_idle_units_are_counted():
    model = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0], [1.0], [0.0]]))
        model[0].bias.copy_(torch.tensor([-5.0, 1.0, -1.0]))
        model[2].weight.fill_(1.0)
    _, bends, idle = look_at(model)
    assert bends.tolist() == [-1.0] and idle == 2


def test_both_precisions_start_alike():
    single, double = (next(train_curve(dtype=dtype)) for dtype in (torch.float32, torch.float64))
    np.testing.assert_allclose(single.curve, double.curve, atol=1e-5)
    assert single.curve.dtype == np.float64


def test_what_the_chapter_says_happens():
    ten = whole()
    assert 750 < np.argmax(ten.loss < GOAL) < 950 and ten.epoch == NUM_EPOCHS
    assert whole(hidden=3).loss[-1] == pytest.approx(4.742, abs=0.003)
    assert 0.04 < whole(hidden=6).loss[-1] < 0.06
    assert whole(hidden=6, lr=0.1).loss[-1] < GOAL
    assert whole(hidden=5, lr=10**-0.8).loss[-1] < GOAL  # the record
    assert whole(lr=0.1, optimizer="SGD").loss[-1] < 0.02
    for lr in (0.2, 10**-0.7):
        dead = whole(lr=lr, optimizer="SGD")
        assert dead.idle == 10 and "every hidden unit is 0" in verdict(dead)
    for lr in (0.3, 10**-0.5):
        assert whole(lr=lr, optimizer="SGD").diverged_at < 10


def test_four_bends_cannot_reach_the_goal():
    """x² on n equal pieces has the mean squared error (6/n)⁴/180, and no better line exists."""
    assert (6 / 5) ** 4 / 180 > GOAL > (6 / 6) ** 4 / 180


def test_divergence_is_drawn_and_said(playground):
    lost = whole(optimizer="SGD", lr=1.0)
    assert lost.diverged_at == lost.epoch < 10
    shows(playground, lost)
    assert "Diverged in epoch" in playground.summary(lost)
    assert "ended early. Mean squared error beyond all bounds" in playground.summary(lost)
    assert playground._verdict.get_text()
    shows(playground, whole(num_epochs=20))
    assert not playground._verdict.get_text()


def test_a_loss_that_is_not_a_number(monkeypatch, playground):
    broken = fresh_network(4, torch.float32)
    nn.init.constant_(broken[2].bias, float("nan"))
    monkeypatch.setattr(module, "fresh_network", lambda *_: broken)
    end = whole(hidden=4)
    assert end.diverged_at == 0
    shows(playground, end)


def settings():
    for spec in module.CurveFit.controls:
        for value in spec.ends():
            yield {spec.name: value}
    draw = random.Random(0)
    for _ in range(8):
        yield {
            "hidden": draw.randint(1, 50),
            "lr": 10 ** draw.uniform(-4, 0),
            "optimizer": draw.choice(["Adam", "SGD"]),
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(playground, values):
    result = whole(**values, num_epochs=60)
    shows(playground, result)
    units = "1 hidden unit," if result.hidden == 1 else f"{result.hidden} hidden units,"
    assert units in playground.summary(result)
    assert playground._title.get_text().startswith(units)


def test_goal_is_said(playground):
    assert playground.summary(whole(hidden=30, lr=0.02)).endswith("Goal reached: below 0.01.")


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"hidden=0: give a whole number from 1 to 50"):
        fit_curve(hidden=0)
    with pytest.raises(ValueError, match=r"lr=2: give a number from 0.0001 to 1"):
        fit_curve(lr=2)
    with pytest.raises(ValueError, match=r"unknown optimizer 'adm'.*Did you mean 'Adam'"):
        fit_curve(optimizer="adm")


def test_trains_live_to_the_end():
    async def scenario():
        playground = fit_curve()
        assert playground.widget is not None

        def page(message, buffers=None):  # paints everything at once
            painted = {"type": "painted", "frame": message.get("frame", -1)}
            playground._on_message(None, painted, None)

        playground._canvas.send = page
        playground._on_message(None, {"type": "ready", "dpr": 1}, None)
        playground._bound["hidden"].widget.value = 12  # a moved knob starts the training
        end = time.monotonic() + 20
        while not playground._count.get_text().endswith(", finished"):
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        assert playground.state == "finished" and playground.result.epoch == NUM_EPOCHS
        assert playground.result.hidden == 12
        playground.reset()
        assert playground.values["hidden"] == 10 and playground.state == "ready"
        playground.close()

    asyncio.run(scenario())
