"""The live run of chapter 08: its numbers, its changes on the way, its words and its picture."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.playgrounds import batch_lr_compute as module
from course_utils.playgrounds import before, train_live
from course_utils.playgrounds.batch_lr import LABELLED, LiveRun
from course_utils.playgrounds.batch_lr_compute import (
    BATCH_SIZES,
    Change,
    noted,
    pooled_digits,
    small_network,
    train_run,
    verdict,
)
from tests.unit.playground_setup import embedded, shows  # noqa: F401


@pytest.fixture(scope="module")
def playground():
    return train_live()


def whole(**values):
    return list(train_run(**values))[-1]


def test_the_default_state():
    text = repr(train_live())
    assert text.startswith("Lr 0.1, batch size 32, momentum 0: update 480, epoch 12.0. ")
    assert "validation" in text and "accuracy" in text and "nan" not in text
    assert repr(train_live()) == text


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_numbers_are_those_of_a_plain_loop(momentum):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    run = whole(lr=0.2, batch_size=256, momentum=momentum, dtype=torch.float64)
    assert torch.equal(torch.random.get_rng_state(), before)

    data, model = pooled_digits(torch.float64), small_network(torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=momentum)
    generator, losses = torch.Generator().manual_seed(module.SEED), []
    for _ in range(12):
        for batch in torch.randperm(len(data.y_train), generator=generator).split(256):
            loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    np.testing.assert_allclose(run.loss, losses, rtol=1e-12)
    with torch.no_grad():
        logits = model(data.X_val)
        assert run.val_loss[-1] == pytest.approx(F.cross_entropy(logits, data.y_val).item())
        assert run.train_loss[-1] == pytest.approx(
            F.cross_entropy(model(data.X_train), data.y_train).item()
        )
    assert run.val_accuracy[-1] == (logits.argmax(1) == data.y_val).double().mean().item()
    assert run.look_at.tolist() == list(range(13))  # before the first, and after each epoch


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_both_budgets_for_every_batch_size(batch_size):
    results = list(train_run(batch_size=batch_size))
    end = results[-1]
    assert end.num_updates == 12 * math.ceil(1257 / batch_size)
    assert end.epochs == 12 and end.progress == 1 and len(end.look_at) == 13
    assert len(results) <= 300 and all(result.share <= 0.1 for result in results)
    assert sum(result.share for result in results) == pytest.approx(1)
    end = whole(batch_size=batch_size, budget="240 updates")
    assert end.num_updates == 240 and end.progress == 1 and len(end.look_at) == 13


def test_only_the_knob_differs():
    slow, fast = whole(lr=0.01), whole(lr=0.1)
    assert slow.loss[0] == fast.loss[0] and slow.look_at.tolist() == fast.look_at.tolist()
    assert fast.val_loss[-1] < slow.val_loss[-1]


def test_a_change_on_the_way():
    run = train_run(lr=0.2, batch_size=64, dtype=torch.float64)
    first = [next(run) for _ in range(20)][-1]
    new = {"lr": 0.05, "batch_size": 16, "momentum": 0.5, "mode": "keep going"}
    results = [run.send(new), *run]
    after, end = results[0], results[-1]
    assert (after.lr, after.batch_size, after.momentum) == (0.05, 16, 0.5)
    assert after.key is first.key and np.array_equal(after.loss[: len(first.loss)], first.loss)
    assert [change.words for change in end.changes] == [
        "lr 0.2 → 0.05",
        "batch 64 → 16",
        "momentum 0 → 0.5",
    ]
    assert {change.at for change in end.changes} == {first.at[-1]}
    assert end.epochs == 12
    unchanged = whole(lr=0.2, batch_size=64, dtype=torch.float64)
    assert np.array_equal(unchanged.loss[: len(first.loss)], first.loss)
    assert end.loss[len(first.loss)] != unchanged.loss[len(first.loss)]


def test_a_drag_is_one_change():
    changes = ()
    for step, (old, new) in enumerate([(0.1, 0.2), (0.2, 0.3), (0.3, 0.4)]):
        changes = noted(changes, Change(1 + 0.1 * step, "lr", old, new), 0.36)
    assert changes == (Change(1, "lr", 0.1, 0.4),)
    assert noted(changes, Change(1.3, "lr", 0.4, 0.1), 0.36) == ()  # and back: none at all
    assert len(noted(changes, Change(1.3, "momentum", 0, 0.1), 0.36)) == 2
    assert len(noted(changes, Change(2.0, "lr", 0.4, 0.1), 0.36)) == 2


def test_trouble_is_said(playground):
    end = whole(lr=10.0, batch_size=4, momentum=0.99)
    assert verdict(end)
    text = playground.summary(end)
    assert text.endswith(f"{verdict(end)[1:]}.")
    shows(playground, end)
    assert playground._verdict.get_text()
    assert verdict(whole(lr=0.001)) == "no better than guessing"
    assert verdict(whole()) == ""


def test_a_loss_that_is_not_a_number(monkeypatch, playground):
    broken = small_network()
    torch.nn.init.constant_(broken.head.weight, math.nan)
    monkeypatch.setattr(module, "small_network", lambda *_: broken)
    (end,) = train_run()
    assert end.diverged and "diverged at update 1" in verdict(end)
    assert "nan" not in playground.summary(end)
    shows(playground, end)


def settings():
    specs = {control.name: control for control in LiveRun.controls}
    for name, spec in specs.items():
        for value in spec.ends():
            yield {name: value}
    draw = random.Random(0)
    for _ in range(6):
        yield {
            "lr": 10 ** draw.uniform(-3, 1),
            "batch_size": draw.choice(BATCH_SIZES[2:]),
            "momentum": draw.uniform(0, 0.99),
            "budget": draw.choice(list(module.BUDGETS)),
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(playground, values):
    playground.set(**{**playground._defaults, **values})
    text = repr(playground)
    assert text.endswith(".") and "nan" not in text and "inf" not in text
    assert len(playground.picture.frame(moving=True).data) > 50


def test_the_picture_shows_the_numbers_and_the_changes(playground):
    run = train_run(lr=0.5, batch_size=16)
    for _ in range(20):
        next(run)
    for lr in (0.4, 0.3, 0.2, 0.1, 0.05):
        result = run.send({"lr": lr, "batch_size": 16, "momentum": 0.0})
        for _ in range(12):
            result = next(run)
    shows(playground, result)
    assert len(result.changes) == 5
    assert np.array_equal(playground._raw.get_ydata(), result.loss)
    assert np.array_equal(playground._val.get_ydata(), result.val_loss)
    segments = playground._marks[0].get_segments()
    assert [line[0, 0] for line in segments] == [change.at for change in result.changes]
    assert [name.get_text() for name in playground._names] == [
        change.words for change in result.changes[-LABELLED:]
    ]
    assert "lr 0.1 → 0.05 at" in playground.summary(result)
    shows(playground, whole())
    assert not playground._marks[0].get_segments()
    assert not any(name.get_text() for name in playground._names)


def test_the_run_before_stays_as_a_grey_line(monkeypatch):
    playground = train_live()
    small, large = whole(lr=0.05), whole(lr=0.2)
    monkeypatch.setattr(before, "LOOKED", 1e6)
    shows(playground, small)
    shows(playground, large)  # nobody has looked at the small one
    assert not len(playground._before.get_xdata())
    monkeypatch.setattr(before, "LOOKED", 0.0)
    shows(playground, small)
    assert np.array_equal(playground._before.get_ydata(), large.smooth)
    shows(playground, whole(budget="240 updates"))  # another axis
    assert not len(playground._before.get_xdata())


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"unknown control 'batchsize'.*Did you mean 'batch_size'"):
        train_live(batchsize=8)
    with pytest.raises(ValueError, match=r"lr=100: give a number from 0.001 to 10"):
        train_live(lr=100)
    with pytest.raises(ValueError, match="unknown budget '3 epochs'"):
        next(train_run(budget="3 epochs"))


def test_live_it_restarts_or_keeps_going():
    async def scenario():
        playground = train_live(batch_size=16)
        assert playground.widget is not None
        frames = []

        def page(message, buffers=None):
            if message["type"] == "frame":
                frames.append(message)
            painted = {"type": "painted", "frame": message.get("frame", -1)}
            playground._on_message(None, painted, None)

        async def until(true):
            end = time.monotonic() + 20
            while not true():
                assert time.monotonic() < end
                await asyncio.sleep(0.01)

        playground._canvas.send = page
        playground._on_message(None, {"type": "ready", "dpr": 1}, None)
        playground._bound["lr"].widget.value = 0.3
        await until(lambda: playground.state == "finished")
        first = playground.result
        assert first.lr == 0.3 and not first.changes and first.loss.dtype == np.float64

        playground._bound["mode"].widget.value = "keep going"  # nothing ran: a slow run begins
        await until(lambda: playground.state == "running" and playground.result.progress < 0.5)
        key = playground.result.key
        playground._bound["lr"].widget.value = 0.1
        await until(lambda: playground.result.changes)
        assert playground.result.key is key and playground.result.lr == 0.1
        await until(lambda: json.loads(frames[-1]["values"])["lr"] == 0.1)
        playground._bound["mode"].widget.value = "restart"  # goes on, and quickly
        await until(lambda: playground.state == "finished")
        assert playground.result.key is key and playground.result.progress == 1
        playground.close()

    asyncio.run(scenario())
