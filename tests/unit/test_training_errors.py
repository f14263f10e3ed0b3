"""What goes wrong in training is named: divergence, empty loaders, labels, devices, settings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, TensorDataset

from course_utils.training import History, TrainingDiverged, evaluate
from tests.unit.training_setup import batches, float64, make_data, make_model, quiet_fit  # noqa: F401


def test_divergence_names_epoch_batch_and_lr():
    X, _ = make_data()
    model = make_model(outputs=1)
    with pytest.raises(TrainingDiverged, match=r"in epoch \d+, batch \d+, at lr = 1000") as caught:
        quiet_fit(model, batches(X, X[:, :1]), lr=1e3, num_epochs=50, loss_fn=F.mse_loss)
    error = caught.value
    assert isinstance(error, RuntimeError) and not math.isfinite(error.loss)
    done = (error.epoch - 1) * 4 + error.batch - 1
    assert len(error.history.batch_loss) == done and all(
        map(math.isfinite, error.history.batch_loss)
    )
    assert error.history.num_epochs == error.epoch - 1


def test_nan_in_the_data_is_found_before_the_weights_are_spoilt():
    X, y = make_data()
    X[20, 0] = math.nan
    model = make_model()
    with pytest.raises(TrainingDiverged, match="became nan in epoch 1, batch 2"):
        quiet_fit(model, batches(X, y))
    assert all(p.isfinite().all() for p in model.parameters())


def test_losses_that_are_read_in_blocks_name_the_right_batch():
    """On a GPU the loss is read every 50 batches; the message names the batch where it began."""
    from course_utils.training import _EpochLosses

    history = History()
    losses = _EpochLosses(4, history, read_every=5)
    for value, lr in [(1.0, 0.1), (2.0, 0.2), (3.0, 0.3)]:
        losses.add(torch.tensor(value), 2, lr)
    assert history.batch_loss == []
    losses.add(torch.tensor(math.inf), 2, 0.4)
    with pytest.raises(TrainingDiverged, match=r"inf in epoch 4, batch 4, at lr = 0\.4"):
        losses.add(torch.tensor(math.nan), 2, 0.5)
    assert history.batch_loss == [1, 2, 3]


def test_empty_loaders():
    X, y = make_data()
    few = DataLoader(TensorDataset(X[:5], y[:5]), batch_size=8, drop_last=True)
    for empty in ([], few, iter([])):
        with pytest.raises(ValueError, match="train_loader is empty"):
            quiet_fit(make_model(), empty)
    with pytest.raises(ValueError, match="val_loader is empty"):
        quiet_fit(make_model(), batches(X, y), val_loader=[])
    with pytest.raises(ValueError, match="loader is empty"):
        evaluate(make_model(), [])


def test_a_generator_is_used_up_after_one_epoch():
    with pytest.raises(ValueError, match=r"empty in epoch 2: a generator can be used only once"):
        quiet_fit(make_model(), (batch for batch in batches(*make_data())))


@pytest.mark.parametrize("label", [3, -1, 1000])
def test_labels_out_of_range(label):
    X, y = make_data()
    y[7] = label
    message = rf"label {label} is out of range: the model has 3 outputs.* 0 … 2"
    with pytest.raises(ValueError, match=message):
        quiet_fit(make_model(), batches(X, y))
    with pytest.raises(ValueError, match=message):
        quiet_fit(make_model(), batches(*make_data()), val_loader=batches(X, y))


def test_ignored_labels_are_allowed():
    X, y = make_data()
    y[::2] = -100
    assert quiet_fit(make_model(), batches(X, y)).num_epochs == 3


def test_other_errors_of_the_loss_pass_through():
    X, y = make_data()
    with pytest.raises((RuntimeError, ValueError), match="size"):
        quiet_fit(make_model(), [(X, y[:-1])])
    with pytest.raises(ValueError, match=r"one number, got shape \(50,\); use reduction='mean'"):
        quiet_fit(make_model(), [(X, y)], loss_fn=nn.CrossEntropyLoss(reduction="none"))


def test_model_on_another_device():
    data, model = batches(*make_data()), make_model().to("meta")
    for run in (
        lambda: quiet_fit(model, data, device="cpu"),
        lambda: evaluate(model, data, device="cpu"),
    ):
        with pytest.raises(ValueError, match=r"the model is on meta, but device is 'cpu'.*before"):
            run()
    model = make_model()
    model[0].to("meta")
    with pytest.raises(ValueError, match=r"several devices \(cpu, meta\)"):
        quiet_fit(model, data)


def test_optimizer_or_scheduler_of_something_else():
    data, model = batches(*make_data()), make_model()
    stale = torch.optim.SGD(make_model().parameters(), lr=0.1)
    with pytest.raises(ValueError, match="holds none of this model's parameters"):
        quiet_fit(model, data, optimizer=stale)
    with pytest.raises(ValueError, match="scheduler belongs to another optimizer"):
        quiet_fit(model, data, scheduler=StepLR(stale, 1))


def test_part_of_a_model_may_be_trained():
    model = make_model()
    before = model[0].weight.clone()
    quiet_fit(
        model, batches(*make_data()), optimizer=torch.optim.SGD(model[3].parameters(), lr=0.1)
    )
    assert torch.equal(model[0].weight, before)


def test_bad_settings():
    model, data = make_model(), batches(*make_data())
    for num_epochs in (0, -1, 2.0, True):
        with pytest.raises(
            ValueError, match="num_epochs must be a whole number of at least 1, got"
        ):
            quiet_fit(model, data, num_epochs=num_epochs)
    with pytest.raises(ValueError, match="step_scheduler must be 'epoch' or 'batch', got 'step'"):
        quiet_fit(model, data, step_scheduler="step")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="whole epochs"):
        quiet_fit(
            model,
            data,
            optimizer=optimizer,
            scheduler=ReduceLROnPlateau(optimizer),
            step_scheduler="batch",
        )
