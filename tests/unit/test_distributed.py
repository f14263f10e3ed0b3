"""The training script with one worker, its options and its checkpoints; no process is started."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal

import pytest
import torch
from torch.nn import functional as F

from course_utils.data import digits
from course_utils.distributed import checkpoint, train
from course_utils.distributed.checkpoint import CheckpointError
from course_utils.distributed.launch import run_here
from course_utils.distributed.options import read_options
from course_utils.models import digit_mlp


def state_in(folder):
    return checkpoint.load(folder / "checkpoint.pt")


def assert_same_weights(a, b):
    assert a["model"].keys() == b["model"].keys()
    for name, value in a["model"].items():
        assert torch.equal(value, b["model"][name]), name


# --- the mathematics ------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
@pytest.mark.parametrize("world", [2, 4])
def test_average_of_the_shards_gradients_is_the_gradient_of_the_joined_batch(world, dtype, bound):
    data = digits("embedded", dtype=dtype)
    X, y = data.X_train[:64], data.y_train[:64]
    torch.manual_seed(0)
    model = digit_mlp().to(dtype)

    def gradients(X, y):
        model.zero_grad()
        F.cross_entropy(model(X), y).backward()
        return [p.grad.clone() for p in model.parameters()]

    joined = gradients(X, y)
    shards = [gradients(X[rank::world], y[rank::world]) for rank in range(world)]
    for whole, *parts in zip(joined, *shards, strict=True):
        assert (torch.stack(parts).mean(0) - whole).abs().max() <= bound


@pytest.mark.parametrize("n", [1257, 1256, 100, 7])
@pytest.mark.parametrize(("world", "share"), [(1, 6), (2, 3), (2, 32), (3, 2), (4, 1), (5, 16)])
def test_the_workers_batches_together_are_the_batches_of_one_worker(n, world, share):
    data = digits("embedded").subset(n)

    def batches(share, rank, world):
        loader, sampler = train.make_loader(data, share, rank, world, seed=3)
        sampler.set_epoch(2)
        loader.dataset.X = torch.arange(n)  # numbers in place of images
        return [X.tolist() for X, _ in loader]

    alone = batches(share * world, 0, 1)
    together = [batches(share, rank, world) for rank in range(world)]
    assert {len(mine) for mine in together} == {len(alone)} == {n // (share * world)}
    for k, batch in enumerate(alone):
        assert sorted(batch) == sorted(i for mine in together for i in mine[k])


def test_each_epoch_has_another_order_and_leaves_other_images_out():
    loader, sampler = train.make_loader(digits("embedded"), 64, 0, 1, seed=0)
    loader.dataset.X = torch.arange(1257)
    seen = []
    for epoch in (1, 2):
        sampler.set_epoch(epoch)
        seen.append([i for X, _ in loader for i in X.tolist()])
    assert len(seen[0]) == len(set(seen[0])) == 19 * 64
    assert set(seen[0]) != set(seen[1])


def test_one_worker_is_a_plain_loop(tmp_path):
    run_here(["--epochs", "2", "--dtype", "float64", "--seed", "5", "--checkpoint", str(tmp_path)])
    data = digits("embedded", dtype=torch.float64)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(5)
        model = digit_mlp()
    finally:
        torch.set_default_dtype(before)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for epoch in (1, 2):
        order = torch.randperm(1257, generator=torch.Generator().manual_seed(5 + epoch))
        for batch in order[: 19 * 64].split(64):
            loss = F.cross_entropy(model(data.X_train[batch]), data.y_train[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    history = json.loads((tmp_path / "history.json").read_text())
    assert history["batch_loss"] == pytest.approx(losses, abs=1e-12)
    assert history["loss"][1] == pytest.approx(sum(losses[19:]) / 19, abs=1e-12)
    with torch.no_grad():
        accuracy = (model(data.X_val).argmax(1) == data.y_val).double().mean().item()
    assert history["accuracy"][1] == pytest.approx(accuracy, abs=1e-12)


# --- resuming -------------------------------------------------------------------------------------

ALL_THAT_HAS_STATE = "--dtype float64 --dropout 0.3 --warmup 30"  # momentum, schedule, randomness


def test_a_resumed_run_ends_where_an_undisturbed_one_does(tmp_path, capsys):
    run_here(f"{ALL_THAT_HAS_STATE} --epochs 3 --checkpoint {tmp_path}/whole")
    whole = capsys.readouterr().out.splitlines()
    run_here(f"{ALL_THAT_HAS_STATE} --epochs 1 --checkpoint {tmp_path}/parts")
    torch.manual_seed(123)
    run_here(f"{ALL_THAT_HAS_STATE} --epochs 3 --checkpoint {tmp_path}/parts")
    parts = capsys.readouterr().out.splitlines()
    a, b = state_in(tmp_path / "whole"), state_in(tmp_path / "parts")
    assert_same_weights(a, b)
    assert a["history"] == b["history"] and a["epoch"] == b["epoch"] == 3
    assert parts == [*whole[:2], whole[0], "resuming after epoch 1", *whole[2:]]


@pytest.mark.parametrize("forgotten", ["model", "optimizer", "scheduler"])
def test_each_part_of_the_state_is_needed(tmp_path, monkeypatch, forgotten):
    run_here(f"{ALL_THAT_HAS_STATE} --epochs 2 --checkpoint {tmp_path}/whole")
    run_here(f"{ALL_THAT_HAS_STATE} --epochs 1 --checkpoint {tmp_path}/parts")
    monkeypatch.setattr(
        train,
        "resume",
        lambda parts, *rest, original=train.resume: original(
            {name: part for name, part in parts.items() if name != forgotten}, *rest
        ),
    )
    run_here(f"{ALL_THAT_HAS_STATE} --epochs 2 --checkpoint {tmp_path}/parts")
    a, b = state_in(tmp_path / "whole"), state_in(tmp_path / "parts")
    assert not torch.equal(a["model"]["head.weight"], b["model"]["head.weight"])


def test_a_finished_run_does_nothing_more(tmp_path, capsys):
    for _ in range(2):
        run_here(f"--epochs 1 --checkpoint {tmp_path}")
    assert capsys.readouterr().out.splitlines()[-1] == "resuming after epoch 1"


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    run_here(f"--epochs 1 --checkpoint {tmp_path}")
    with pytest.raises(CheckpointError, match=r"made with --lr 0\.05, this run has --lr 0\.1"):
        run_here(f"--epochs 2 --lr 0.1 --checkpoint {tmp_path}")


# --- checkpoints ----------------------------------------------------------------------------------


def test_a_checkpoint_holds_what_was_saved(tmp_path):
    state = {"x": torch.arange(3.0), "n": 2, "list": [1.5, {"a": "b"}]}
    checkpoint.save(state, tmp_path / "new" / "c.pt")
    loaded = checkpoint.load(tmp_path / "new" / "c.pt")
    assert torch.equal(loaded.pop("x"), state.pop("x"))
    assert loaded == state
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["c.pt"]


def _die_while_saving(path, where):
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(*((os, where) if where in ("replace", "fsync") else (torch, where)), die)
    checkpoint.save({"epoch": 2, "x": torch.ones(1000)}, path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("where", ["save", "fsync", "replace"])
def test_a_process_killed_while_it_saves_leaves_the_old_checkpoint(tmp_path, where):
    path = tmp_path / "c.pt"
    checkpoint.save({"epoch": 1, "x": torch.zeros(1000)}, path)
    process = multiprocessing.get_context("fork").Process(
        target=_die_while_saving, args=(path, where)
    )
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "c.pt.tmp").exists()  # killed in the middle of it
    assert checkpoint.load(path)["epoch"] == 1
    checkpoint.save({"epoch": 2}, path)  # what was left over is in nobody's way
    assert checkpoint.load(path)["epoch"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


class Code:
    def __reduce__(self):
        return os.mkdir, ("never",)


@pytest.mark.parametrize(
    "content",
    [b"", b"no checkpoint", pickle.dumps(Code(), 2), "half", "list"],
    ids=["empty", "text", "code", "half", "list"],
)
def test_a_damaged_checkpoint_says_so(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    if content == "half":
        checkpoint.save({"x": torch.zeros(1000)}, path)
        content = path.read_bytes()[:2000]
    if content == "list":
        torch.save([1, 2], path)
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        run_here(["--epochs", "1", "--checkpoint", str(tmp_path)])
    assert not (tmp_path / "never").exists()


def test_no_checkpoint_at_all(tmp_path):
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "none.pt")


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--epoch 3", "unrecognized arguments: --epoch 3"),
        ("--epochs 0", "argument --epochs: must be at least 1, got 0"),
        ("--epochs many", "argument --epochs: invalid whole number value: 'many'"),
        ("--lr 0", "argument --lr: must be above 0, got 0"),
        ("--lr nan", "argument --lr: must be above 0, got nan"),
        ("--dropout 1", "argument --dropout: must be at least 0 and below 1, got 1"),
        ("--model vgg", "argument --model: invalid choice"),
        ("--fail-at 2", "must look like 2:5"),
        ("--fail-at 0:1", "must look like 2:5"),
        ("--fail-at 1:1", "kills the process it runs in"),
        ("--device cuda", "no 1 GPU"),
    ],
)
def test_a_wrong_option_is_named(arguments, message):
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        run_here(arguments)


def test_options_have_defaults_and_types():
    options = read_options("--fail-at 2:5 --lr 0.1".split())
    assert options.fail_at == (2, 5) and options.lr == 0.1 and options.epochs == 3
    assert options.checkpoint is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_run_here_leaves_this_process_as_it_was(dtype, tmp_path):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        torch.manual_seed(1)
        expected = torch.rand(3)
        torch.manual_seed(1)
        run_here(["--epochs", "1", "--checkpoint", str(tmp_path / "a folder")])
        assert torch.get_default_dtype() == dtype
        assert torch.equal(torch.rand(3), expected)
        assert state_in(tmp_path / "a folder")["model"]["head.weight"].dtype == torch.float32
    finally:
        torch.set_default_dtype(before)


def test_the_convolutional_network_trains_too(capsys):
    run_here("--epochs 1 --model cnn --global-batch 256")
    assert "epoch 1: loss" in capsys.readouterr().out
