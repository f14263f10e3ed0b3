"""Many learning rates at once give what one training after the other gives."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.optimizers import OPTIMIZERS, make_optimizer
from course_utils.sweeps import Sweep, sweep_lrs, sweep_steps

LRS = [0.0, 1e-3, 1e-2, 0.1]
OPTIONS = [(name, {}) for name in OPTIMIZERS]
OPTIONS += [("Momentum", {"momentum": 0.5, "weight_decay": 0.1}), ("Adam", {"amsgrad": True})]
OPTIONS += [("RMSProp", {"centered": True, "momentum": 0.5})]


def network(dtype=torch.float64):
    torch.manual_seed(3)
    layers = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
    return layers.to(dtype)


def some_batches(dtype=torch.float64, sizes=(8, 8, 5)):
    generator = torch.Generator().manual_seed(4)
    return [
        (
            torch.rand(size, 5, dtype=dtype, generator=generator),
            torch.randint(0, 3, (size,), generator=generator),
        )
        for size in sizes
    ]


def one_by_one(model, batches, lr, name, options, num_epochs):
    model = copy.deepcopy(model)
    optimizer = make_optimizer(name, lr=lr, **options).to_torch(model.parameters())
    losses = []
    for _ in range(num_epochs):
        for X, y in batches:
            loss = F.cross_entropy(model(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses, model


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_the_same_as_single_trainings(name, options, dtype, close):
    model, batches = network(dtype), some_batches(dtype)
    sweep = sweep_lrs(model, batches, LRS, name, num_epochs=10, **options)
    assert sweep.loss.shape == (4, 30)
    for row, lr in enumerate(LRS):
        losses, trained = one_by_one(model, batches, lr, name, options, 10)
        np.testing.assert_allclose(sweep.loss[row], losses, rtol=0, atol=close)
        for key, weight in trained.state_dict().items():
            torch.testing.assert_close(sweep.weights[key][row], weight, rtol=0, atol=10 * close)


def test_the_model_stays_as_it_was_and_rate_0_learns_nothing():
    model, batches = network(), some_batches()
    before = copy.deepcopy(model.state_dict())
    sweep = sweep_lrs(model, batches, [0.0, 0.5], num_epochs=2)
    for key, weight in model.state_dict().items():
        assert torch.equal(weight, before[key])
        assert torch.equal(sweep.weights[key][0], before[key])
        assert not torch.equal(sweep.weights[key][1], before[key])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_diverged_rate_is_never_the_best():
    torch.manual_seed(0)
    line = nn.Linear(1, 1, dtype=torch.float64)
    X = torch.linspace(-1, 1, 8, dtype=torch.float64)[:, None]
    sweep = sweep_lrs(line, [(X, 2 * X)], [1e-4, 0.3, 50.0], num_epochs=400, loss_fn=F.mse_loss)
    final = sweep.final_loss()
    assert np.isinf(final[2]) and np.isfinite(final[:2]).all()
    assert sweep.best_lr == 0.3


def test_a_network_of_one_number_and_another_loss():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

        def forward(self, x):
            return self.factor * x

    X = torch.ones(4, dtype=torch.float64)
    sweep = sweep_lrs(Scale(), [(X, 3 * X)], [0.25], num_epochs=1, loss_fn=F.mse_loss)
    assert sweep.loss.tolist() == [[4.0]]
    assert sweep.weights["factor"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lrs": []}, "one or more finite numbers"),
        ({"lrs": [0.1, -1.0]}, "-1.0"),
        ({"lrs": [float("nan")]}, "nan"),
        ({"optimizer": "Adm"}, "Did you mean 'Adam'"),
        ({"momentun": 0.9}, "unknown setting of SGD 'momentun'"),
        ({"model": nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))}, "buffer '1.running_mean'"),
        ({"model": nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.5))}, "dropout \\('1'\\)"),
        ({"model": nn.Flatten()}, "no parameters"),
        ({"batches": []}, "batches is empty"),
        ({"lrs": 0.1}, "lrs must be a list of numbers, got 0.1"),
        ({"lrs": ["a"]}, r"lrs must be a list of numbers, got \['a'\]"),
        ({"lrs": [[0.1, 0.2]]}, r"one or more finite numbers ≥ 0, got \[\[0.1, 0.2\]\]"),
        ({"num_epochs": 0}, "num_epochs must be a whole number of at least 1, got 0"),
        ({"num_epochs": 1.5}, "num_epochs must be a whole number of at least 1, got 1.5"),
        ({"num_epochs": True}, "num_epochs must be a whole number of at least 1, got True"),
        ({"num_epochs": 3, "batches": iter(some_batches())}, "passed over only once"),
        (
            {"loss_fn": lambda y_hat, y: F.cross_entropy(y_hat, y, reduction="none")},
            r"one number per mini-batch, got shape \(8,\)",
        ),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"model": network(), "batches": some_batches(), "lrs": [0.1], **change}
    with pytest.raises(ValueError, match=message):
        sweep_lrs(**arguments)


def test_frozen_parameters_are_refused_and_not_trained():
    model = network()
    model[2].bias.requires_grad_(False)
    with pytest.raises(ValueError, match=r"the parameter '2\.bias' is frozen"):
        sweep_lrs(model, some_batches(), [0.1])


def test_rates_and_batches_that_can_be_read_once():
    whole = sweep_lrs(network(), some_batches(), LRS)
    once = sweep_lrs(network(), iter(some_batches()), (lr for lr in LRS), num_epochs=np.int64(1))
    assert np.array_equal(once.loss, whole.loss) and np.array_equal(once.lrs, whole.lrs)


def test_a_loader_is_asked_for_its_order_once_per_epoch():
    """Checking ``batches`` draws no random numbers: the orders are those of a plain loop."""

    def loader():
        X, y = (torch.cat(parts) for parts in zip(*some_batches(), strict=True))
        generator = torch.Generator().manual_seed(0)
        data = torch.utils.data.TensorDataset(X, y)
        return torch.utils.data.DataLoader(data, 4, shuffle=True, generator=generator)

    shuffled = loader()
    batches = [batch for _ in range(2) for batch in shuffled]
    sweep = sweep_lrs(network(), loader(), [0.1], num_epochs=2)
    assert np.array_equal(sweep.loss, sweep_lrs(network(), batches, [0.1]).loss)


def test_the_final_loss_is_a_mean_of_the_last_updates():
    sweep = Sweep(np.array([0.1, 0.2]), np.array([[3.0, 2.0, 1.0], [5.0, 4.0, 0.0]]), {})
    assert sweep.final_loss(1).tolist() == [1.0, 0.0]
    assert sweep.final_loss(np.int64(2)).tolist() == [1.5, 2.0]
    assert sweep.final_loss().tolist() == [2.0, 3.0]  # there are only three
    for bad in (0, -2, 2.5, True, "a", None):
        with pytest.raises(
            ValueError, match=f"num_updates must be a whole number of at least 1, got {bad!r}"
        ):
            sweep.final_loss(bad)


def test_where_all_diverged_no_rate_is_the_best():
    sweep = Sweep(np.array([1.0, 2.0]), np.array([[1.0, np.inf], [1.0, np.nan]]), {})
    assert np.isnan(sweep.best_lr)


def test_step_by_step_gives_the_same():
    model, batches = network(), some_batches()
    sweep = sweep_lrs(model, batches, LRS, "Adam")
    steps = list(sweep_steps(model, iter(batches), LRS, "Adam"))
    assert len(steps) == 3
    for number, (loss, weights) in enumerate(steps):
        assert np.array_equal(loss.numpy(), sweep.loss[:, number])
        assert all(len(weight) == len(LRS) for weight in weights.values())
    for key, weight in steps[-1][1].items():
        assert torch.equal(weight, sweep.weights[key])
    with pytest.raises(ValueError, match="one or more finite numbers"):
        sweep_steps(model, batches, [-1.0])  # at once, not with the first step


def test_it_works_where_gradients_are_switched_off():
    with torch.no_grad():
        sweep = sweep_lrs(network(), some_batches(), LRS)
    assert np.array_equal(sweep.loss, sweep_lrs(network(), some_batches(), LRS).loss)
    assert not any(weight.requires_grad for weight in sweep.weights.values())
