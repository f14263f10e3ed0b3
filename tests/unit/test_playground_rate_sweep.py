"""The sweep of chapter 08: its numbers against single trainings, its words and its picture."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.optimizers import make_optimizer
from course_utils.playgrounds import before, lr_sweep
from course_utils.playgrounds.batch_lr_compute import pooled_digits, small_network
from course_utils.playgrounds.rate_sweep import (
    OPTIMIZER_NAMES,
    RATES,
    SEED,
    TOP,
    UPDATES,
    LrSweep,
    rule_of,
    sweep_run,
    three,
)
from tests.unit.playground_setup import embedded, shows  # noqa: F401


@pytest.fixture(scope="module")
def playground():
    return lr_sweep()


def whole(**values):
    return list(sweep_run(**values))[-1]


def test_the_default_state(playground):
    text = repr(playground)
    assert text.startswith("SGD, batch size 32, 100 updates, 41 learning rates at once. Best: ")
    assert "nan" not in text and "inf" not in text
    assert repr(lr_sweep()) == text
    assert len(RATES) >= 32 and RATES[0] == 1e-4 and RATES[-1] == pytest.approx(10)


@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_a_rate_gives_what_its_single_training_gives(optimizer):
    result = whole(optimizer=optimizer, momentum=0.5, num_updates=25, dtype=torch.float64)
    index = 14
    _, name, options = rule_of(optimizer, 0.5)
    data, model = pooled_digits(torch.float64), small_network(torch.float64)
    steps = make_optimizer(name, lr=RATES[index], **options).to_torch(model.parameters())
    generator = torch.Generator().manual_seed(SEED)
    order = torch.randperm(len(data.y_train), generator=generator)
    losses = []
    for batch in order.split(32)[:25]:
        loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(loss.item())
    np.testing.assert_allclose(result.loss[index], losses, rtol=0, atol=1e-10)
    assert result.train[index] == pytest.approx(np.mean(losses[-20:]))
    with torch.no_grad():
        logits = model(data.X_val)
    assert result.val[index] == pytest.approx(F.cross_entropy(logits, data.y_val).item())
    assert result.accuracy[index] == (logits.argmax(1) == data.y_val).double().mean().item()


def test_it_sharpens_while_it_runs():
    results = list(sweep_run())
    assert 5 <= len(results) <= 30
    assert [result.num_updates for result in results] == sorted({r.num_updates for r in results})
    assert len({id(result.key) for result in results}) == 1
    assert results[-1].num_updates == 100
    assert results[-1].val.min() < results[0].val.min()


def test_the_valley_and_its_band():
    result = whole()
    low, high = result.good
    assert low <= RATES[result.best] <= high
    assert 0.1 < RATES[result.best] < 2
    early = next(sweep_run())
    assert early.good[0] <= RATES[early.best] <= early.good[1]  # nothing is good yet: only the best


def test_rules_and_their_names():
    assert rule_of("SGD", 0.0) == ("SGD", "SGD", {})
    assert rule_of("SGD", 0.9) == ("SGD with momentum 0.9", "Momentum", {"momentum": 0.9})
    assert rule_of("Nesterov", 0.5)[1:] == ("Nesterov", {"momentum": 0.5})
    assert rule_of("Adam", 0.9) == ("Adam", "Adam", {})
    assert three(0) == [None, 0, 8] and three(40) == [32, 40, None]


def test_lost_trainings_are_marked(playground):
    result = whole(optimizer="RMSProp", momentum=0.0)
    shows(playground, result)
    above = result.val > TOP
    assert list(playground._lost.get_xdata()) == list(RATES[above])


def settings():
    specs = {control.name: control for control in LrSweep.controls}
    for name, spec in specs.items():
        for value in spec.ends():
            yield {name: value}
    draw = random.Random(0)
    for _ in range(6):
        yield {
            "optimizer": draw.choice(OPTIMIZER_NAMES),
            "momentum": draw.uniform(0, 0.99),
            "batch_size": draw.choice((8, 16, 32)),
            "num_updates": draw.choice(UPDATES[:3]),
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(playground, values):
    *_, result = itertools.islice(sweep_run(**values), 3)
    text = playground.summary(result)
    assert text.endswith(".") and "nan" not in text
    shows(playground, result)
    assert len(playground._val.get_xdata()) == len(RATES)


def test_the_sweep_before_stays_as_a_grey_line(monkeypatch):
    monkeypatch.setattr(before, "LOOKED", 0.0)
    playground = lr_sweep()
    first = playground.result
    shows(playground, whole(num_updates=25))
    assert np.array_equal(playground._before.get_ydata(), np.minimum(first.val, 4 * TOP))


def test_the_widget_switches_momentum_off_where_it_has_no_meaning():
    playground = lr_sweep()
    assert playground.widget is not None
    assert not playground._bound["momentum"].widget.disabled
    playground._bound["optimizer"].widget.value = "Adam"
    assert playground._bound["momentum"].widget.disabled
    playground.close()


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"unknown optimizer 'adm'.*Did you mean 'Adam'"):
        lr_sweep(optimizer="adm")
    with pytest.raises(ValueError, match=r"momentum=1\.5"):
        lr_sweep(momentum=1.5)
