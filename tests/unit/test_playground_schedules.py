"""The schedule designer and the training behind it, without a browser."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

from course_utils.data import digits
from course_utils.models import digit_mlp
from course_utils.playgrounds import schedule_designer
from course_utils.playgrounds.schedule_designer import GOAL, ScheduleDesigner, reached, verdict
from course_utils.playgrounds.schedule_designs import NAMES, USES, Design, constant_run
from course_utils.schedule_training import (
    GROUP,
    MOMENTUM,
    NUM_EPOCHS,
    NUM_NETWORKS,
    PER_EPOCH,
    TOTAL,
    Run,
    train_with,
)


@pytest.fixture(scope="module")
def playground():
    return schedule_designer()


def whole(schedule="cosine", max_lr=0.2, **settings):
    *_, last = train_with(Design(schedule, max_lr, **settings), dtype=torch.float64)
    return last


def shows(playground, design, run):
    with playground.picture.lock:
        playground.update((design, run))
    playground.picture.news()
    assert playground.picture.frame(moving=True).format == "patch"
    words = playground.summary((design, run))
    assert words.endswith(".") and not re.search(r"\b(nan|inf)\b", words)
    return words


def test_the_default_state():
    playground = schedule_designer()
    assert repr(playground) == (
        "Step from 0.1, × 0.5 every 2 epochs. Update 400 of 400, rate now 0.0063. Validation loss "
        "of five networks 0.238 ± 0.006, accuracy 94.2 %; with a constant 0.1 it is 0.278."
    )
    assert playground.state == "ready"
    assert playground._title.get_text() == "Validation loss 0.238 ± 0.006"


def test_each_network_trains_as_a_plain_loop_would():
    before = torch.random.get_rng_state()
    runs = list(train_with(Design("cosine", 0.2), dtype=torch.float64))
    assert torch.equal(torch.random.get_rng_state(), before)  # the learner's numbers are untouched
    assert [run.num_updates for run in runs] == list(range(0, TOTAL + 1, GROUP))
    data = digits("embedded", dtype=torch.float64)
    seed = 3
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    try:
        model = nn.Sequential(nn.AvgPool2d(4), digit_mlp((32,), in_features=49))
    finally:
        torch.set_default_dtype(torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=MOMENTUM)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, TOTAL, eta_min=0.0002)
    loader, losses = data.loader("train", 32, seed=0), []
    assert len(loader) == PER_EPOCH
    for _ in range(2):
        for X, y in loader:
            loss = F.cross_entropy(model(X), y)
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    last = runs[2 * PER_EPOCH // GROUP]
    np.testing.assert_allclose(last.loss[:, seed], losses, rtol=1e-9)
    np.testing.assert_array_equal(last.loss, runs[-1].loss[: 2 * PER_EPOCH])  # nothing is changed
    with torch.no_grad():
        val_loss = F.cross_entropy(model(data.X_val), data.y_val).item()
    assert last.val_loss[2, seed] == pytest.approx(val_loss, rel=1e-9)
    assert last.val_loss.shape == (3, NUM_NETWORKS)


def torch_rates(make, lr, per_epoch=False):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for t in range(TOTAL):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        if not per_epoch or (t + 1) % PER_EPOCH == 0:
            scheduler.step()
    return rates


@pytest.mark.parametrize("per_batch", [False, True])
def test_rates_of_steps_and_powers_are_those_of_torch(per_batch):
    wanted = torch_rates(lambda o: lr_scheduler.StepLR(o, 3, 0.4), 0.3, not per_batch)
    got = Design("step", 0.3, gamma=0.4, every=3, per_batch=per_batch)([])
    np.testing.assert_allclose(got, wanted, rtol=1e-9)
    wanted = torch_rates(lambda o: lr_scheduler.ExponentialLR(o, 0.7), 0.3, not per_batch)
    got = Design("exponential", 0.3, gamma=0.7, per_batch=per_batch)([])
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_rates_of_smooth_schedules():
    assert np.all(Design("constant", 0.3)([]) == 0.3)
    cosine = Design("cosine", 0.2, final=0.1)([])
    wanted = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, 0.02), 0.2)
    np.testing.assert_allclose(cosine, wanted, rtol=1e-9)
    cycle = Design("one cycle", 0.2, warmup=2.0, final=0.01)([])
    make = lambda o: lr_scheduler.OneCycleLR(  # noqa: E731
        o, 0.2, total_steps=TOTAL, pct_start=0.2, final_div_factor=4.0
    )
    np.testing.assert_allclose(cycle, torch_rates(make, 0.1), rtol=1e-9)
    assert cycle[-1] == pytest.approx(0.002)
    warm = Design("warm-up + cosine", 0.2, warmup=1.0)([])
    assert warm.argmax() == PER_EPOCH and warm[0] == pytest.approx(0.002)


def test_a_plateau_is_known_as_far_as_the_losses_tell():
    design = Design("plateau", 0.2, gamma=0.5, every=1, final=0.3)
    assert np.isnan(design([])[PER_EPOCH:]).all() and (design([])[:PER_EPOCH] == 0.2).all()
    rates = design([1.0, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(rates[: 6 * PER_EPOCH : PER_EPOCH], [0.2, 0.2, 0.2, 0.1, 0.1, 0.06])
    run = whole("plateau", 0.2, gamma=0.5, every=1)
    assert np.isfinite(run.rates).all() and run.rates[-1] < 0.2


def test_settings_that_are_not_used_change_nothing():
    others = {"gamma": 0.9, "every": 5, "warmup": 3.0, "final": 0.5, "per_batch": True}
    for name in NAMES:
        unused = {key: value for key, value in others.items() if key not in USES[name]}
        np.testing.assert_array_equal(Design(name, 0.1)([]), Design(name, 0.1, **unused)([]))
        for key in USES[name]:  # and the others do
            changed = Design(name, 0.1, **{"warmup": 1.0, key: others[key]})
            losses = [1.0] * 9
            assert not np.array_equal(Design(name, 0.1)(losses), changed(losses))


def test_what_the_chapter_says_happens():
    assert whole("constant", 0.3).final[0] > 0.35
    assert constant_run().final[0] == pytest.approx(0.278, abs=0.001)
    for lr in (0.03, 0.05, 0.1, 0.15, 0.2):
        assert whole("constant", lr).final[0] > 0.25
    for run in (
        whole("cosine", 0.3),
        whole("cosine", 0.2),
        whole("one cycle", 0.2),
        whole("warm-up + cosine", 0.2),
        whole("step", 0.3, gamma=0.4, every=3),
    ):
        assert reached(run) and run.final[0] < GOAL
    assert not reached(whole("cosine", 0.3, final=0.3))
    lost = whole("exponential", 0.2, gamma=0.9, per_batch=True)
    assert lost.final[0] > 2 and "rate too low" in verdict(lost)
    high = whole("constant", 1.0)
    assert "rate too high: 5 of 5 networks" in verdict(high)
    assert verdict(constant_run()) == ""


def test_divergence_is_drawn_and_said(playground):
    rates = np.full(TOTAL, 1e6)
    *_, run = train_with(lambda _: rates)
    assert run.diverged_at == run.num_updates < 20
    words = shows(playground, Design("constant", 1.0), run)
    assert f"Update {run.diverged_at} of 400, rate too high" in words
    assert playground._verdict.get_text()
    broken = Run(
        rates, np.full((1, 5), np.nan), np.array([np.nan]), run.val_loss, run.val_accuracy, 1
    )
    shows(playground, Design("constant", 1.0), broken)


def settings():
    specs = {spec.name: spec for spec in ScheduleDesigner.controls}
    for spec in specs.values():
        for value in spec.ends():
            yield {spec.name: value}
    for name in NAMES:
        for end in (0, 1):
            ends = {n: s.ends()[end] for n, s in specs.items() if n != "schedule"}
            yield {**ends, "schedule": name}
    draw = random.Random(0)
    for name in NAMES:
        yield {
            "schedule": name,
            "max_lr": 10 ** draw.uniform(-2, 0),
            "gamma": draw.uniform(0.05, 0.95),
            "every": draw.randint(1, 5),
            "warmup": draw.choice([0.0, 0.5, 2.5, 5.0]),
            "final": 10 ** draw.uniform(-4, 0),
            "per_batch": draw.random() < 0.5,
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(playground, values):
    results = list(itertools.islice(playground.steps(dtype="float32", **values), 10))
    for design, run in (results[0], results[-1]):
        words = shows(playground, design, run)
        assert f"Update {run.num_updates} of {TOTAL}" in words
        assert len(words) < 300


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"unknown schedule 'cosin'.*Did you mean 'cosine'"):
        schedule_designer(schedule="cosin")
    with pytest.raises(ValueError, match=r"max_lr=2: give a number from 0.01 to 1"):
        schedule_designer(max_lr=2)
    with pytest.raises(ValueError, match=r"unknown schedule 'linear'"):
        Design("linear")


def test_controls_that_do_not_matter_are_disabled():
    playground = schedule_designer()
    assert playground.widget is not None

    def enabled():
        bound = playground._bound.items()
        return {name for name, control in bound if not control.widget.disabled}

    for name in NAMES:
        playground.set(schedule=name)
        assert enabled() == {"schedule", "max_lr", *USES[name]}
    playground._bound["schedule"].widget.value = "cosine"  # by hand
    assert enabled() == {"schedule", "max_lr", "final"}
    playground.reset()
    assert enabled() == {"schedule", "max_lr", *USES["step"]}
    playground.close()


def test_trains_live_to_the_end():
    async def scenario():
        playground = schedule_designer()
        assert playground.widget is not None

        def page(message, buffers=None):  # paints everything at once
            painted = {"type": "painted", "frame": message.get("frame", -1)}
            playground._on_message(None, painted, None)

        playground._canvas.send = page
        playground._on_message(None, {"type": "ready", "dpr": 1}, None)
        playground._bound["schedule"].widget.value = "one cycle"  # a moved knob starts it
        end = time.monotonic() + 20
        while playground.state != "finished":
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        design, run = playground.result
        assert design.schedule == "one cycle" and run.num_updates == TOTAL
        assert len(run.val_loss) == NUM_EPOCHS + 1
        playground.reset()
        assert playground.values["schedule"] == "step" and playground.state == "ready"
        playground.close()

    asyncio.run(scenario())
