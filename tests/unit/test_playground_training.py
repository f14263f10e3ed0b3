"""The live training of a digit reader: what it computes, says and draws, without a browser."""

from __future__ import annotations

import ast
import asyncio
import itertools
import math
import random
import time
import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.playgrounds import digit_runs as module
from course_utils.playgrounds import first_training, train_digits
from course_utils.playgrounds.digit_runs import (
    BATCH_SIZES,
    GUESSING,
    NETWORKS,
    NUM_EPOCHS,
    OPTIMIZER_NAMES,
    SCHEDULE_NAMES,
    fresh_network,
    make_rule,
    rate_plan,
    train_steps,
    training_data,
    verdict,
)
from course_utils.playgrounds.training import DigitTraining


@pytest.fixture(autouse=True)
def embedded(monkeypatch):
    monkeypatch.delenv("COURSE_DATASET", raising=False)


@pytest.fixture(scope="module")
def playground():
    return train_digits()


def after(num_updates, **values):
    """The `Progress` after some updates."""
    for progress in train_steps(**values):
        if progress.num_updates == num_updates or progress.diverged_at:
            return progress
    raise AssertionError("the training ended before")


def whole(**values):
    return list(train_steps(**values))[-1]


def test_the_default_state(playground):
    text = repr(playground)
    assert text.startswith(
        "CNN B with Adam(model.parameters(), lr=0.001, betas=(0.9, 0.999)), batches of 32: "
        "update 20 of 320. Batch loss "
    )
    assert "validation loss" in text and "nan" not in text
    assert len(playground.result.val_loss) == 2  # and both of them are complete
    assert playground.result.model.fc1.weight.dtype == torch.float64
    assert repr(train_digits()) == text
    assert playground.state == "ready"


def test_the_numbers_are_those_of_a_plain_loop():
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    progress = after(5, network="MLP", optimizer="Momentum", lr=0.05, batch_size=64)
    assert torch.equal(torch.random.get_rng_state(), before)  # the learner's numbers are untouched

    data = training_data(torch.float32)
    model = fresh_network("MLP")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    order = torch.randperm(len(data.y_train), generator=torch.Generator().manual_seed(module.SEED))
    losses = []
    for batch in order.split(64)[:5]:
        loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(progress.loss, losses, rtol=1e-5)
    averages = np.cumsum(0.8 ** np.arange(5)[::-1] * losses) / np.cumsum(0.8 ** np.arange(5)[::-1])
    assert progress.smooth[-1] == pytest.approx(averages[-1], rel=1e-5)


def test_both_precisions_and_any_default_start_from_the_same_weights():
    single = after(3, network="MLP").loss
    torch.set_default_dtype(torch.float64)
    try:
        module._first_weights.cache_clear()
        double = after(3, network="MLP", dtype=torch.float64).loss
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(single, double, rtol=1e-4)
    assert not np.array_equal(single, double)


def test_validation_is_that_of_all_validation_images():
    first = next(p for p in train_steps(network="MLP") if len(p.val_loss))
    data = training_data(torch.float32)
    with torch.inference_mode():
        logits = first.model(data.X_val)
    assert first.val_loss[0] == pytest.approx(F.cross_entropy(logits, data.y_val).item(), rel=1e-5)
    right = (logits.argmax(1) == data.y_val).double().mean().item()
    assert first.val_accuracy[0] == pytest.approx(right)
    assert first.val_epoch[0] == 10 / 40


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_every_batch_size_ends_after_all_epochs(batch_size):
    end = whole(network="MLP", batch_size=batch_size)
    assert end.num_updates == end.total_updates == NUM_EPOCHS * math.ceil(1257 / batch_size)
    assert end.epoch[-1] == NUM_EPOCHS
    assert len(end.val_accuracy) == 4 * NUM_EPOCHS and end.val_epoch[-1] == NUM_EPOCHS
    assert np.isfinite(end.val_loss).all() and end.val_accuracy[-1] > 0.8
    assert verdict(end) == ""


def test_earlier_results_do_not_change():
    results = list(itertools.islice(train_steps(network="MLP"), 40))
    early = results[9]
    losses = early.loss.copy()
    assert len(early.loss) == 10 < results[-1].num_updates
    assert np.array_equal(early.loss, losses) and np.array_equal(results[-1].loss[:10], losses)


def test_it_learns_to_read():
    end = list(train_steps(num_epochs=2))[-1]
    assert end.val_accuracy[-1] > 0.9
    assert end.smooth[-1] < 0.5


@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
@pytest.mark.parametrize("beta", [0.0, 0.9, 0.99])
def test_beta_goes_where_it_belongs(optimizer, beta):
    rule = make_rule(optimizer, 0.1, beta)
    settings = rule.to_torch([torch.zeros(2, requires_grad=True)]).param_groups[0]
    assert settings["lr"] == 0.1
    key = {"RMSProp": "alpha", "Adam": "betas", "AdamW": "betas"}.get(optimizer, "momentum")
    expected = {"SGD": 0, "Adam": (beta, 0.999), "AdamW": (beta, 0.999)}.get(optimizer, beta)
    assert settings[key] == expected
    progress = after(2, network="MLP", optimizer=optimizer, beta=beta, lr=0.01)
    call = ast.parse(progress.source, mode="eval").body  # what is shown is a line of PyTorch
    assert ast.unparse(call.args[0]) == "model.parameters()"


@pytest.mark.parametrize("batch_size", [8, 32, 256])
@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
def test_the_rates_are_those_of_the_scheduler_shown(schedule, batch_size):
    per_epoch = math.ceil(1257 / batch_size)
    rates, source = rate_plan(schedule, 0.03, NUM_EPOCHS * per_epoch, per_epoch)
    assert rates.shape == (NUM_EPOCHS * per_epoch,) and (rates >= 0).all()
    assert rates.max() == pytest.approx(0.03, rel=1e-3) and rates.max() <= 0.03 + 1e-15
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.03)
    theirs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR warns of its own call
        known = {**vars(torch.optim.lr_scheduler), "optimizer": optimizer}
        scheduler = eval(source, known) if source else None
        for _ in rates:
            theirs.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
    np.testing.assert_allclose(rates, theirs, rtol=1e-9, atol=1e-12)
    assert (source == "") == (schedule == "constant")
    assert len(source) < 125  # what fits into the picture


def test_a_schedule_moves_the_rate_of_every_update():
    progress = after(50, network="MLP", optimizer="Momentum", lr=0.1, schedule="cosine")
    data, model = training_data(torch.float32), fresh_network("MLP")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=320)
    generator = torch.Generator().manual_seed(module.SEED)
    batches = [b for _ in range(2) for b in torch.randperm(1257, generator=generator).split(32)]
    losses = []
    for batch in batches[:50]:
        loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    np.testing.assert_allclose(progress.loss, losses, rtol=1e-3)
    assert progress.rate == pytest.approx(0.1 * (1 + math.cos(math.pi * 49 / 320)) / 2)
    assert not np.allclose(
        progress.loss, after(50, network="MLP", optimizer="Momentum", lr=0.1).loss
    )


def test_the_picture_and_the_text_tell_the_rate(playground):
    progress = after(60, network="MLP", schedule="warm-up + cosine")
    shows(playground, progress)
    assert playground._rate.get_text() == f"Learning rate: now {progress.rate:.2g}"
    assert playground._highest.get_text() == "0.001"
    assert playground._scheduler.get_text() == progress.scheduler
    x, y = playground._rates.get_data()
    assert x[-1] == 60 / 40 and y[-1] == pytest.approx(progress.rate / 0.001)
    (x_here,), (y_here,) = playground._here.get_data()
    assert (x_here, y_here) == (x[-1], y[-1])
    assert len(playground._plan.get_xdata()) == 640
    text = playground.summary(progress)
    assert f"CosineAnnealingLR(optimizer, T_max=280)], [40]), now {progress.rate:.2g}, b" in text
    shows(playground, after(5, network="MLP"))
    assert playground._scheduler.get_text().startswith("# no scheduler")


def test_a_schedule_is_as_long_as_the_training():
    end = list(train_steps(network="MLP", schedule="one cycle", num_epochs=1, batch_size=256))[-1]
    assert end.num_updates == end.total_updates == 5
    assert end.rate < 1e-6


def test_divergence_is_found_and_said():
    end = whole(optimizer="SGD", lr=1.0)
    assert end.diverged_at == end.num_updates < 20
    assert verdict(end).startswith(f"diverged at update {end.diverged_at} (loss ")


def test_a_loss_that_is_not_a_number(monkeypatch, playground):
    broken = fresh_network("MLP")
    torch.nn.init.constant_(broken.head.weight, math.nan)
    monkeypatch.setattr(module, "fresh_network", lambda *_: broken)
    end = whole(network="MLP")
    assert end.diverged_at == 1 and math.isnan(end.loss[0])
    assert verdict(end) == "diverged at update 1 (loss not a number): the steps are too large"
    text = playground.summary(end)
    assert "update 1 of 320, ended early. Batch loss nan. Diverged" in text
    shows(playground, end)


def test_guessing_is_said():
    progress = after(160, network="MLP", optimizer="SGD", lr=1e-4, batch_size=8)
    assert progress.smooth[-1] > 0.95 * GUESSING
    assert verdict(progress) == "after a whole epoch still no better than guessing"


def shows(playground, progress):
    with playground.picture.lock:
        playground.update(progress)
    frame = playground.picture.frame(moving=True)
    playground.picture.news()
    assert playground.picture.frame(moving=True).format == "patch"
    return frame


def test_the_picture_shows_the_numbers(playground):
    progress = after(45, network="MLP", batch_size=64)
    shows(playground, progress)
    assert np.array_equal(playground._raw.get_ydata(), progress.loss)
    assert np.array_equal(playground._accuracy.get_ydata(), progress.val_accuracy)
    assert playground._count.get_text() == "45"
    assert playground._of.get_text() == "of 160: press Start"
    assert playground._source.get_text() == (
        "torch.optim.Adam(model.parameters(), lr=0.001, betas=(0.9, 0.999))"
    )
    assert not playground._verdict.get_text()
    lost = whole(optimizer="SGD", lr=1.0)
    shows(playground, lost)
    assert playground._verdict.get_text() and len(playground._end.get_xdata()) == 1
    shows(playground, progress)
    assert not playground._verdict.get_text() and not len(playground._end.get_xdata())


def settings():
    """Every control at its ends, and some random settings."""
    specs = {control.name: control for control in DigitTraining.controls}
    for name, spec in specs.items():
        for value in spec.ends():
            yield {name: value}
    draw = random.Random(0)
    for _ in range(10):
        yield {
            "network": draw.choice(list(NETWORKS)),
            "optimizer": draw.choice(OPTIMIZER_NAMES),
            "schedule": draw.choice(SCHEDULE_NAMES),
            "batch_size": draw.choice(BATCH_SIZES[:4]),
            "lr": 10 ** draw.uniform(-4, 1),
            "beta": draw.uniform(0, 0.99),
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(playground, values):
    progress = after(2, **values)
    text = playground.summary(progress)
    assert "update" in text and text.endswith(".")
    assert "nan" not in text or progress.diverged_at
    shows(playground, progress)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"unknown control 'batchsize'.*Did you mean 'batch_size'"):
        train_digits(batchsize=8)
    with pytest.raises(ValueError, match=r"unknown optimizer 'adm'.*Did you mean 'Adam'"):
        train_digits(optimizer="adm")
    with pytest.raises(ValueError, match=r"unknown schedule 'cosinus'.*Did you mean 'cosine'"):
        train_digits(schedule="cosinus")
    with pytest.raises(ValueError, match=r"lr=100: give a number from 0.0001 to 10"):
        train_digits(lr=100)


def test_the_model_is_a_copy_that_fits_the_notebook(playground):
    model = playground.model
    assert not model.training and model is not playground.result.model
    assert model.fc1.weight.dtype == torch.get_default_dtype()
    data = training_data(torch.float32)
    with torch.inference_mode():
        accuracy = (model(data.X_val).argmax(1) == data.y_val).double().mean().item()
    assert accuracy == pytest.approx(playground.result.val_accuracy[-1], abs=0.01)
    with torch.no_grad():
        model.fc1.weight.zero_()
    assert playground.model.fc1.weight.abs().max() > 0


def test_the_first_one_has_one_knob_and_the_same_training(playground):
    first = first_training()
    assert list(first.values) == ["lr"]
    assert np.array_equal(first.result.loss, playground.result.loss)
    accuracy = 100 * first.result.val_accuracy[-1]
    assert repr(first).startswith("Learning rate 0.001: update 20 of 320. Loss ")
    assert repr(first).endswith(f"; of the new images it reads {accuracy:.1f} %.")
    assert "Adam" not in repr(first) and "epoch" not in repr(first)
    for lr in (1e-4, 0.1):
        progress = after(11, lr=lr)
        shows(first, progress)
        assert np.array_equal(first._accuracy.get_ydata(), progress.val_accuracy)
        assert first._percent.get_text() == f"{100 * progress.val_accuracy[-1]:.1f} %"
        assert f"Learning rate {lr:g}: update 11" in first.summary(progress)
    lost = after(11, lr=1.0)
    shows(first, lost)
    assert first.summary(lost).endswith(
        f"Diverged at update {lost.diverged_at} "
        f"(loss {lost.loss[-1]:,.0f}): the steps are too large."
    )
    with pytest.raises(ValueError, match=r"lr=10: give a number from 0.0001 to 1"):
        first_training(lr=10)


def test_trains_live_to_the_end_and_gives_the_model():
    async def scenario():
        playground = train_digits(network="MLP", batch_size=256, lr=0.003)
        assert playground.widget is not None

        def page(message, buffers=None):  # paints everything at once
            painted = {"type": "painted", "frame": message.get("frame", -1)}
            playground._on_message(None, painted, None)

        playground._canvas.send = page
        playground._on_message(None, {"type": "ready", "dpr": 1}, None)
        playground._bound["optimizer"].widget.value = "SGD"  # a moved knob starts the training
        assert playground._bound["beta"].widget.disabled
        playground.reset()
        assert playground.values["optimizer"] == "Adam" and playground.state == "ready"
        assert not playground._bound["beta"].widget.disabled
        playground._bound["optimizer"].widget.value = "SGD"
        playground._bound["optimizer"].widget.value = "Adam"
        assert not playground._bound["beta"].widget.disabled
        end = time.monotonic() + 20
        while not playground._of.get_text().endswith(", finished"):
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        assert playground.state == "finished"
        result = playground.result
        assert result.num_updates == result.total_updates
        assert result.model.fc1.weight.dtype == torch.float32
        assert torch.equal(
            playground.model.fc1.weight, result.model.fc1.weight.to(torch.get_default_dtype())
        )
        playground.close()

    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # the training uses one, and gives the others back
    try:
        asyncio.run(scenario())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
