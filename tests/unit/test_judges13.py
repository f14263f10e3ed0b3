"""The checkers of chapter 13: their references against PyTorch, and answers of other kinds."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DistributedSampler

from course_utils.checks import check
from course_utils.exercises import judges13
from course_utils.playgrounds.speedup import STRONG, speed_up


@pytest.mark.parametrize(("n", "world"), [(10, 2), (10, 3), (11, 4), (7, 7), (12, 5)])
def test_shards_are_those_of_the_distributed_sampler(n, world):
    for rank in range(world):
        sampler = DistributedSampler(range(n), world, rank, shuffle=False)
        assert judges13.shard(range(n), world, rank) == list(sampler)


def test_wrong_numbers_differ_from_the_right_one():
    """Otherwise a message could name the wrong mistake."""
    case = (0.1, 32, 256, 10)
    kinds = ["", *(kind for kind in judges13.RATE_MISTAKES if kind != "not scaled")]
    rates = {
        tuple(round(judges13.large_batch_lr(t, *case, kind), 9) for t in (0, 1, 5, 10, 11, 50))
        for kind in kinds
    }
    assert len(rates) == len(kinds)
    kinds = ["", *judges13.SPEEDUP_MISTAKES]
    numbers = {round(judges13.speed_up(8, 0.2, 4e8, 1e10, 1e-3, kind), 9) for kind in kinds}
    assert len(numbers) == len(kinds)


def test_speed_up_is_that_of_the_explorer():
    ours = judges13.speed_up(8, 0.1024, 1e8, 1e10, 1e-5)
    assert ours == pytest.approx(speed_up(8, STRONG, 512, 200.0, 100.0, 10.0, 10.0, 0.0).speedup)


def test_accumulated_is_the_step_with_the_whole_batch():
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(10, 4, generator=generator), torch.randint(0, 3, (10,), generator=generator)
    whole, pieces = judges13.accumulated(X, y, 10), judges13.accumulated(X, y, 4)
    for a, b in zip(whole, pieces, strict=True):
        torch.testing.assert_close(a, b)
    for mistake in ("sum", "pieces", "old gradients"):
        assert not judges13._equal(judges13.accumulated(X, y, 4, mistake), whole)


def answers():
    def in_torch(grads, sizes):
        shares = torch.tensor(sizes, dtype=torch.float32) / sum(sizes)
        stacked = torch.stack([torch.as_tensor(grad, dtype=torch.float32) for grad in grads])
        return torch.tensordot(shares, stacked, dims=1)

    def sampler(order, world, rank):
        places = DistributedSampler(range(len(order)), world, rank, shuffle=False)
        return np.array([order[place] for place in places])

    def rate(t, lr, batch_size, large_batch, warmup_steps):
        end = lr * large_batch / batch_size
        return torch.tensor(float(np.interp(t, [0, warmup_steps], [lr, end])))

    def summed(model, optimizer, X, y, micro_batch):
        optimizer.zero_grad()
        for start in range(0, len(y), micro_batch):
            part = slice(start, start + micro_batch)
            (F.cross_entropy(model(X[part]), y[part], reduction="sum") / len(y)).backward()
        optimizer.step()

    def save(state, path):
        file, name = tempfile.mkstemp(dir=os.path.dirname(path))
        os.close(file)
        try:
            torch.save(state, name)
            os.rename(name, path)
        finally:
            if os.path.exists(name):
                os.remove(name)

    yield "13.average", in_torch
    yield "13.average", lambda grads, sizes: np.average(grads, axis=0, weights=sizes)
    yield "13.shard", sampler
    yield "13.large_batch_lr", rate
    yield (
        "13.speedup",
        lambda n, compute, size, bandwidth, latency: np.float32(
            1 / (1 / n + 2 * (n - 1) * (size / n / bandwidth + latency) / compute)
        ),
    )
    yield "13.accumulate", summed
    yield "13.save", save


@pytest.mark.parametrize(
    ("name", "answer"), list(answers()), ids=lambda v: v[:20] if isinstance(v, str) else v.__name__
)
def test_other_right_answers(name, answer):
    result = check(name, answer)
    assert result.correct, result


def changes(grads, sizes):
    grads[0] *= sizes[0]
    return sum(grads) / sum(sizes)


def all_at_once(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(X), y).backward()
    optimizer.step()


def pops(order, world, rank):
    while len(order) % world:
        order.append(order[0])
    return order[rank::world]


@pytest.mark.parametrize(
    ("name", "answer", "part"),
    [
        ("13.average", changes, "changes the gradients"),
        ("13.shard", pops, "changes the order"),
        ("13.shard", lambda order, world, rank: rank, "a list of indices is expected"),
        ("13.shard", lambda *args: len(args) < 0 or None, "Is a `return` missing?"),
        ("13.large_batch_lr", lambda *args: len(args) < 0 or None, "Is a `return` missing?"),
        ("13.speedup", lambda n, *rest: float(n), "communication is missing"),
        ("13.accumulate", lambda *args: len(args) < 0 or None, "0 steps"),
        ("13.accumulate", all_at_once, "images at once"),
        ("13.save", lambda *args: len(args) < 0 or None, "There is no file"),
    ],
    ids=lambda v: v[:24] if isinstance(v, str) else v.__name__,
)
def test_other_wrong_answers(name, answer, part):
    result = check(name, answer)
    assert result.state == "not yet" and part in result.message, result


def test_a_left_over_temporary_file_is_found():
    def save(state, path):
        torch.save(state, f"{path}.tmp")
        with open(f"{path}.tmp", "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(data)

    assert "left over" in check("13.save", save).message
