"""XOR in training: the run is the one of the chapter, its gradients are autograd's."""

from __future__ import annotations

import asyncio
import itertools
import random
import time

import numpy as np
import pytest
import torch

from course_utils.playgrounds import xor as module
from course_utils.playgrounds import xor_training
from course_utils.playgrounds.xor import (
    GROUP,
    INITS,
    NUM_EPOCHS,
    PIXELS,
    X,
    Y,
    first_params,
    predict,
    train_xor,
    unit_lines,
    verdict,
)


@pytest.fixture(scope="module")
def playground():
    return xor_training()


def after(num_groups, **values):
    return next(itertools.islice(train_xor(**values), num_groups - 1, None))


def test_the_default_state(playground):
    assert repr(playground) == (
        "3 hidden units with biases, first weights: seed 0, lr 0.5. After 2,000 epochs the loss is "
        "0.0422 and the answers to (0, 0), (0, 1), (1, 0), (1, 1) are 0.13, 0.8, 0.79, 0.26: "
        "all four on the right side, not yet sure."
    )
    assert playground.result.params[0].dtype == np.float64
    assert playground.state == "ready"


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("hidden", [1, 3, 8])
def test_the_numbers_are_those_of_autograd(hidden, biases):
    progress = after(4, hidden=hidden, lr=2.0, seed=7, biases=biases)
    params = [torch.tensor(p, requires_grad=True) for p in first_params(hidden, 7)]
    trained = params if biases else [params[0], params[2]]
    optimizer = torch.optim.SGD(trained, lr=2.0)
    inputs, targets = torch.tensor(X), torch.tensor(Y)
    for _ in range(4 * GROUP):
        optimizer.zero_grad()
        hidden_out = torch.sigmoid(inputs @ params[0] + params[1])
        y = torch.sigmoid(hidden_out @ params[2] + params[3])
        torch.nn.functional.mse_loss(y, targets).backward()
        optimizer.step()
    for got, wanted in zip(progress.params, params, strict=True):
        np.testing.assert_allclose(got, wanted.detach(), rtol=1e-9, atol=1e-12)
    if not biases:
        assert not progress.params[1].any() and not progress.params[3].any()


def test_results_fit_together_and_do_not_change_later():
    results = list(train_xor(num_epochs=1000))
    assert [r.epoch for r in results] == list(range(GROUP, 1001, GROUP))
    first, last = results[0], results[-1]
    for r in (first, last):
        outputs = predict(X, *r.params)[:, 0]
        np.testing.assert_allclose(outputs, r.outputs, atol=1e-14)
        assert r.losses[-1] == pytest.approx(np.mean((outputs - Y[:, 0]) ** 2), abs=1e-14)
        assert len(r.losses) == r.epoch // GROUP + 1
    np.testing.assert_array_equal(first.losses, last.losses[: len(first.losses)])


def test_it_learns_xor():
    end = list(train_xor())[-1]
    assert end.epoch == NUM_EPOCHS and end.losses[-1] < 0.001 and end.right.all()
    assert verdict(end) == "XOR is learned"


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ({"hidden": 1, "seed": 3}, 0.16, 0.17),  # three of four
        ({"hidden": 2, "seed": 5}, 0.16, 0.17),  # stuck
        ({"seed": 29}, 0.2499, 0.2501),  # still on the plateau
        ({"lr": 0.05}, 0.24, 0.25),
        ({"lr": 5.0}, 0.0, 0.0005),
        ({"lr": 100.0}, 0.499, 0.5001),  # saturated
        ({"init": "all 0.5"}, 0.16, 0.17),
        ({"init": "all zero"}, 0.25, 0.25),
    ],
    ids=str,
)
def test_what_the_chapter_says_of_other_settings(values, low, high):
    end = list(train_xor(**values))[-1]
    assert low <= end.losses[-1] <= high
    assert (end.losses[-1] < 0.01) == (verdict(end) == "XOR is learned")


def test_equal_weights_stay_equal():
    end = after(5, hidden=4, init="all 0.5")
    for column in end.params[0].T:
        np.testing.assert_array_equal(column, end.params[0][:, 0])
    zero = after(5, init="all zero")
    assert verdict(zero) == "one answer for all four points"
    assert not zero.right.any() and not unit_lines(zero.params)
    assert np.ptp(zero.surface) == 0


def test_the_surface_holds_the_answers():
    end = after(120)
    assert end.surface.shape == (PIXELS, PIXELS) and end.surface is end.surface
    axis = np.linspace(module.LOW, module.HIGH, PIXELS)
    row, column = 7, 41
    point = np.array([[axis[column], axis[row]]])
    assert end.surface[row, column] == pytest.approx(predict(point, *end.params)[0, 0])


def test_the_dashed_lines_are_where_a_unit_is_undecided():
    params = after(10).params
    lines = unit_lines(params)
    assert len(lines) == 3
    for line, w, b in zip(lines, params[0].T, params[1], strict=True):
        np.testing.assert_allclose(line @ w + b, 0, atol=1e-9)


def settings():
    """Every control at its ends, and some random settings."""
    for control in module.XorTraining.controls:
        for value in control.ends():
            yield {control.name: value}
    draw = random.Random(0)
    for _ in range(12):
        yield {
            "hidden": draw.randint(1, 8),
            "lr": 10 ** draw.uniform(-2, 2),
            "seed": draw.randint(0, 59),
            "biases": draw.random() < 0.5,
            "init": draw.choice(INITS),
        }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(playground, values, dtype):
    with np.errstate(all="raise", under="ignore"):
        progress = after(3, **values, dtype=dtype)
    assert progress.params[0].dtype == dtype
    text = playground.summary(progress)
    assert "After 75 epochs" in text and "nan" not in text and text.endswith(".")
    with playground.picture.lock:
        playground.update(progress)
    assert len(playground.picture.frame(moving=True).data) > 50
    assert len(playground.wrong.get_xdata()) == 4 - progress.right.sum()
    assert list(playground.curve.get_ydata()) == list(progress.losses)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"unknown control 'units'"):
        xor_training(units=3)
    with pytest.raises(ValueError, match=r"hidden=9: give a whole number from 1 to 8"):
        xor_training(hidden=9)
    with pytest.raises(ValueError, match="unknown init 'zeros'"):
        next(train_xor(init="zeros"))


def test_trains_live_to_the_end():
    async def scenario():
        playground = xor_training()
        assert playground.widget is not None

        def page(message, buffers=None):  # paints everything at once
            painted = {"type": "painted", "frame": message.get("frame", -1)}
            playground._on_message(None, painted, None)

        playground._canvas.send = page
        playground._on_message(None, {"type": "ready", "dpr": 1}, None)
        playground._bound["seed"].widget.value = 1  # a moved knob starts the training
        end = time.monotonic() + 120
        while not playground.count.get_text().endswith(", finished"):
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        assert playground.state == "finished"
        assert playground.result.epoch == NUM_EPOCHS
        assert "seed 1" in repr(playground) and "XOR is learned" in repr(playground)
        playground.close()

    asyncio.run(scenario())
