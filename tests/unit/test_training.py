"""The training loop computes what the five hand-written lines compute."""

from __future__ import annotations

import copy
import inspect
import math
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR, ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from course_utils.training import (
    Evaluation,
    StopTraining,
    evaluate,
    fit,
)
from tests.unit.training_setup import batches, float64, make_data, make_model, quiet_fit  # noqa: F401

# --- the loop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_same_numbers_as_the_loop_written_by_hand(dropout):
    loader = batches(*make_data())
    model = make_model(dropout=dropout)
    by_hand = copy.deepcopy(model)
    torch.manual_seed(1)
    history = quiet_fit(model, loader)

    torch.manual_seed(1)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    batch_loss, train_loss = [], []
    for _ in range(3):
        total = 0.0
        for X, y in loader:
            loss = F.cross_entropy(by_hand(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            batch_loss.append(loss.item())
            total += loss.item() * len(y)
        train_loss.append(total / 50)
    assert history.batch_loss == batch_loss
    assert history.train_loss == pytest.approx(train_loss, abs=1e-15)
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_it_learns_and_keeps_its_history():
    X, y = make_data(200)
    model = make_model()
    history = quiet_fit(
        model,
        DataLoader(TensorDataset(X[:150], y[:150]), batch_size=20, shuffle=True),
        val_loader=batches(X[150:], y[150:]),
        optimizer=torch.optim.Adam(model.parameters(), lr=0.02),
        num_epochs=20,
    )
    assert history.num_epochs == 20 and not history.interrupted
    assert len(history.batch_loss) == 20 * 8
    for name in ("train_loss", "val_loss", "val_accuracy", "lr", "seconds"):
        assert len(getattr(history, name)) == 20, name
    assert history.train_loss[-1] < 0.3 < history.train_loss[0]
    assert history.val_accuracy[-1] > 0.85
    assert all(s > 0 for s in history.seconds)
    final = evaluate(model, batches(X[150:], y[150:]))
    assert final == Evaluation(history.val_loss[-1], history.val_accuracy[-1], 50)


def test_without_validation_there_are_no_validation_numbers():
    history = quiet_fit(make_model(), batches(*make_data()))
    assert history.val_loss == [] and history.val_accuracy == []


def test_model_is_left_in_training_mode():
    model = make_model().eval()
    data = batches(*make_data())
    quiet_fit(model, data, val_loader=data)
    assert model.training


def test_validation_changes_nothing():
    X, y = make_data()
    results = []
    for val_loader in (None, batches(X, y)):
        model = make_model(dropout=0.5)
        torch.manual_seed(3)
        results.append(quiet_fit(model, batches(X, y), val_loader=val_loader).batch_loss)
    assert results[0] == results[1]


def test_iterable_data_of_unknown_length():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(batches(*make_data()))

    history = quiet_fit(make_model(), DataLoader(Stream(), batch_size=None))
    assert len(history.batch_loss) == 12


def test_the_loop_is_short_enough_to_read():
    assert len(inspect.getsource(fit).splitlines()) <= 120


# --- schedulers -----------------------------------------------------------------------------------


def test_scheduler_per_epoch():
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    history = quiet_fit(
        model,
        batches(*make_data()),
        optimizer=optimizer,
        scheduler=StepLR(optimizer, 2, 0.5),
        num_epochs=5,
    )
    assert history.lr == [0.4, 0.4, 0.2, 0.2, 0.1]


def test_scheduler_per_batch():
    def rates(per):
        model = make_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
        scheduler = ExponentialLR(optimizer, 0.5)
        loader = batches(*make_data())
        return quiet_fit(
            model,
            loader,
            optimizer=optimizer,
            scheduler=scheduler,
            step_scheduler=per,
            num_epochs=2,
        ).lr

    assert rates("batch") == [0.4 * 0.5**i for i in range(8)]
    assert rates("epoch") == [0.4, 0.2]


def test_one_cycle_may_be_used_up_exactly():
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters())
    cycle = OneCycleLR(optimizer, 0.01, total_steps=8)
    loader = batches(*make_data())
    history = quiet_fit(
        model, loader, optimizer=optimizer, scheduler=cycle, step_scheduler="batch", num_epochs=2
    )
    assert len(history.lr) == 8 and max(history.lr) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("validate", [True, False])
def test_plateau_scheduler_gets_its_metric(validate):
    class Watched(ReduceLROnPlateau):
        seen: list

        def step(self, metrics, epoch=None):
            self.seen.append(metrics)
            super().step(metrics)

    model, loader = make_model(), batches(*make_data())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = Watched(optimizer)
    scheduler.seen = []
    history = quiet_fit(
        model,
        loader,
        optimizer=optimizer,
        scheduler=scheduler,
        val_loader=loader if validate else None,
    )
    assert scheduler.seen == (history.val_loss if validate else history.train_loss)


# --- evaluate -------------------------------------------------------------------------------------


def test_evaluate_weighs_samples_not_batches():
    X, y = make_data()
    model = make_model()
    result = evaluate(model, batches(X, y, 16))  # 16, 16, 16, 2
    with torch.no_grad():
        logits = model(X)
    assert result.loss == pytest.approx(F.cross_entropy(logits, y).item(), abs=1e-14)
    assert result.accuracy == (logits.argmax(1) == y).double().mean().item()
    assert result.num_samples == 50
    means = [
        (logits[i : i + 16].argmax(1) == y[i : i + 16]).double().mean() for i in range(0, 50, 16)
    ]
    assert result.accuracy != pytest.approx(torch.stack(means).mean().item(), abs=1e-6)


def test_evaluate_turns_dropout_off_and_restores_every_mode():
    X, y = make_data()
    model = make_model(dropout=0.5).train()
    model[3].eval()  # a frozen part
    first, second = evaluate(model, batches(X, y)), evaluate(model, batches(X, y))
    assert first == second
    assert [m.training for m in model] == [True, True, True, False] and model.training
    with pytest.raises(ValueError):
        evaluate(model, [(X, y + 5)])
    assert [m.training for m in model] == [True, True, True, False] and model.training


def test_evaluate_keeps_no_graph_and_no_gradient():
    model = make_model()
    seen = []
    model.register_forward_hook(lambda *args: seen.append(args[2].requires_grad))
    evaluate(model, batches(*make_data()))
    assert seen == [False] * 4 and all(p.grad is None for p in model.parameters())


def test_accuracy_only_where_there_are_classes():
    X, _ = make_data()
    model = make_model(outputs=1)
    result = evaluate(model, [(X, X[:, :1])], loss_fn=F.mse_loss)
    assert result.loss == pytest.approx(F.mse_loss(model(X), X[:, :1]).item())
    assert math.isnan(result.accuracy)
    history = quiet_fit(model, [(X, X[:, :1])], loss_fn=nn.MSELoss(), val_loader=[(X, X[:, :1])])
    assert len(history.val_accuracy) == 3 and all(map(math.isnan, history.val_accuracy))


# --- callbacks, stopping, progress ----------------------------------------------------------------


def test_callbacks_see_every_batch_and_epoch():
    seen = []

    def watch(state):
        assert state.loss == state.history.batch_loss[-1]
        assert state.model is model and state.optimizer is optimizer
        seen.append((state.event, state.epoch, state.batch, state.step, state.history.num_epochs))

    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    quiet_fit(
        model, batches(*make_data(), 25), optimizer=optimizer, num_epochs=2, callbacks=[watch]
    )
    assert seen == [
        ("batch", 1, 1, 1, 0),
        ("batch", 1, 2, 2, 0),
        ("epoch", 1, 2, 2, 1),
        ("batch", 2, 1, 3, 1),
        ("batch", 2, 2, 4, 1),
        ("epoch", 2, 2, 4, 2),
    ]


@pytest.mark.parametrize("way", ["raise", "class", "instance"])
def test_a_callback_can_stop_the_training(way):
    def stop(state):
        if state.event == "epoch" and state.epoch == 2:
            if way == "raise":
                raise StopTraining
            return StopTraining if way == "class" else StopTraining()

    history = quiet_fit(make_model(), batches(*make_data()), num_epochs=9, callbacks=[stop])
    assert history.num_epochs == 2 and not history.interrupted


def test_stopping_within_an_epoch_keeps_its_batches():
    def stop(state):
        if state.step == 6:
            raise StopTraining

    history = quiet_fit(make_model(), batches(*make_data()), num_epochs=9, callbacks=[stop])
    assert history.num_epochs == 1 and len(history.batch_loss) == 6


def test_errors_of_a_callback_are_not_swallowed():
    def broken(state):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        quiet_fit(make_model(), batches(*make_data()), callbacks=[broken])


def test_interrupt_keeps_the_history(capsys):
    """Ctrl-C between two batches of the second epoch."""
    data = batches(*make_data())

    class Interrupted(list):
        rounds = 0

        def __iter__(self):
            self.rounds += 1
            yield from self[:2]
            if self.rounds == 2:
                raise KeyboardInterrupt
            yield from self[2:]

    history = quiet_fit(make_model(), Interrupted(data), num_epochs=5)
    assert history.interrupted and history.num_epochs == 1
    assert len(history.batch_loss) == 6 and len(history.lr) == 1
    assert "epoch 2 of 5" in capsys.readouterr().out


class Terminal:
    """Stands for sys.stderr and keeps what was written."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize("setting", ["bar", "progress=False", "TQDM_DISABLE"])
def test_progress_bar(monkeypatch, setting):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    if setting == "TQDM_DISABLE":
        monkeypatch.setenv("TQDM_DISABLE", "1")
    else:
        monkeypatch.delenv("TQDM_DISABLE", raising=False)
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(
        model, batches(*make_data()), optimizer=optimizer, num_epochs=2,
        progress=setting != "progress=False",
    )  # fmt: skip
    if setting == "bar":
        assert "/8" in terminal.text
        assert terminal.text.rsplit("\r", 1)[-1].strip() == ""  # it wiped itself away
    else:
        assert terminal.text == ""
