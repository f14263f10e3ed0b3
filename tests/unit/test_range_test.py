"""The learning-rate range test: its rates and losses, its rule, and that it leaves no trace."""

from __future__ import annotations

import copy
import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.data import digits
from course_utils.paths import ema
from course_utils.range_test import RangeTest
from course_utils.training import lr_range_test
from tests.unit.training_setup import batches, float64, make_data, make_model, quiet_fit  # noqa: F401


def setup(momentum=0.9, dropout=0.0):
    model = make_model(dropout=dropout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    return model, optimizer, batches(*make_data())


def test_the_numbers_are_those_of_a_plain_loop():
    model, optimizer, loader = setup()
    result = lr_range_test(
        model, loader, optimizer=optimizer, min_lr=1e-3, max_lr=0.1, num_steps=10
    )
    np.testing.assert_allclose(result.lrs, np.geomspace(1e-3, 0.1, 10), rtol=1e-12)
    losses = []
    for step, lr in enumerate(result.lrs):
        X, y = loader[step % len(loader)]
        optimizer.param_groups[0]["lr"] = lr
        loss = F.cross_entropy(model(X), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(result.loss, losses, rtol=1e-12)
    np.testing.assert_allclose(result.smooth, ema(result.loss, 0.9, bias_correction=True))
    assert not result.stopped_early


def test_nothing_is_left_behind():
    """A training after the test gives the numbers that it gives without one."""

    def train(test_first):
        model = make_model(dropout=0.3)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        loader = digits("embedded").subset(300).loader("train", 32)
        flat = [torch.nn.Flatten(), torch.nn.Linear(784, 10), torch.nn.Dropout(0.3)]
        model = torch.nn.Sequential(*flat)
        torch.nn.init.zeros_(model[1].weight)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        torch.manual_seed(3)
        quiet_fit(model, loader, optimizer=optimizer, num_epochs=1)  # a memory to keep
        model.eval()
        if test_first:
            lr_range_test(model, loader, optimizer=optimizer)
        assert not model.training
        return quiet_fit(model, loader, optimizer=optimizer, num_epochs=2).batch_loss

    assert train(test_first=True) == train(test_first=False)


def test_weights_memory_gradients_and_random_numbers_stay():
    model, optimizer, loader = setup(dropout=0.5)
    quiet_fit(model, loader, optimizer=optimizer, num_epochs=1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), scheduler.state_dict()))
    grads = [p.grad.clone() for p in model.parameters()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002

    lr_range_test(model, loader, optimizer=optimizer, max_lr=100.0)
    after = model.state_dict(), optimizer.state_dict(), scheduler.state_dict()
    assert str(before) == str(after)
    for name, weights in before[0].items():
        assert torch.equal(weights, after[0][name])
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), grads, strict=True))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]


def test_nothing_is_left_behind_by_an_error():
    model, optimizer, loader = setup()
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()

    def breaks(y_hat, y):
        torch.rand(3)
        if torch.rand(()) > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lr_range_test(model, loader, optimizer=optimizer, loss_fn=breaks)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())


def test_stops_when_the_loss_explodes():
    model, optimizer, loader = setup()
    result = lr_range_test(model, loader, optimizer=optimizer, max_lr=1e4, num_steps=60)
    assert result.stopped_early and len(result.lrs) == len(result.loss) == len(result.smooth) < 60
    assert not result.smooth[-1] <= 3 * np.nanmin(result.smooth[:-1])
    assert 1e-5 < result.suggested_lr < 10
    assert result.suggested_lr == result.lrs[result.lowest] / 10


def test_an_infinite_loss_ends_the_test():
    model, optimizer, loader = setup()
    result = lr_range_test(
        model,
        loader,
        optimizer=optimizer,
        max_lr=1e300,
        explosion=math.inf,
        loss_fn=lambda y_hat, y: (y_hat**2).mean(),
    )
    assert result.stopped_early and not math.isfinite(result.loss[-1])
    assert math.isfinite(result.suggested_lr) or result.lowest == 0


def test_a_loss_that_never_falls_suggests_nothing():
    result = RangeTest(np.array([1.0, 2.0]), np.array([1.0, 5.0]), np.array([1.0, 3.0]), False)
    assert result.lowest == 0 and math.isnan(result.suggested_lr)


def test_every_parameter_group_gets_the_rate():
    model, _, loader = setup()
    groups = [
        {"params": model[0].parameters(), "lr": 0.5},
        {"params": model[3].parameters(), "lr": 0.1},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    one = torch.optim.SGD(model.parameters(), lr=0.1)
    both = [lr_range_test(model, loader, optimizer=o, num_steps=20).loss for o in (optimizer, one)]
    np.testing.assert_array_equal(*both)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_lr": 0.0}, "0 < min_lr < max_lr"),
        ({"min_lr": 1.0, "max_lr": 0.1}, "0 < min_lr < max_lr"),
        ({"max_lr": math.inf}, "both finite"),
        ({"min_lr": math.nan}, "0 < min_lr"),
        ({"num_steps": 1}, "at least 2, got 1"),
        ({"num_steps": 10.0}, "whole number"),
        ({"num_steps": True}, "whole number"),
        ({"beta": 1.0}, "beta must be"),
        ({"explosion": 1.0}, "explosion must be larger than 1"),
        ({"device": "meta"}, "the model is on cpu"),
        ({"min_lr": "a"}, "got min_lr='a'"),
        ({"max_lr": None}, "max_lr=None"),
        ({"num_steps": "a"}, "whole number"),
        ({"beta": None}, "beta must be a number with 0 ≤ beta < 1, got None"),
        ({"explosion": "a"}, "explosion must be larger than 1, got 'a'"),
    ],
)
def test_bad_settings_are_named(settings, message):
    model, optimizer, loader = setup()
    with pytest.raises(ValueError, match=message):
        lr_range_test(model, loader, optimizer=optimizer, **settings)


def test_the_number_of_steps_may_come_from_numpy():
    model, optimizer, loader = setup()
    assert len(lr_range_test(model, loader, optimizer=optimizer, num_steps=np.int64(5)).lrs) == 5


def test_bad_loaders_models_and_data_are_named():
    model, optimizer, loader = setup()
    with pytest.raises(ValueError, match=r"optimizer must be one of torch\.optim, got None"):
        lr_range_test(model, loader, optimizer=None)
    with pytest.raises(ValueError, match="loader must be a DataLoader or a list of batches"):
        lr_range_test(model, None, optimizer=optimizer)
    with pytest.raises(ValueError, match=r"model must be an nn\.Module, got None"):
        lr_range_test(None, loader, optimizer=optimizer)
    with pytest.raises(ValueError, match="loader is empty"):
        lr_range_test(model, [], optimizer=optimizer)
    with pytest.raises(ValueError, match="used only once"):
        lr_range_test(model, iter(loader), optimizer=optimizer)
    with pytest.raises(ValueError, match="none of this model's parameters"):
        lr_range_test(make_model(), loader, optimizer=optimizer)
    with pytest.raises(ValueError, match=r"label 7 is out of range"):
        lr_range_test(model, [(loader[0][0], loader[0][1] + 7)], optimizer=optimizer)
    with pytest.raises(ValueError, match="before any step"):
        lr_range_test(model, [(loader[0][0] * math.nan, loader[0][1])], optimizer=optimizer)
