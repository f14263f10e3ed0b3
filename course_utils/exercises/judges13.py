"""The checkers of chapter 13: the right numbers, and those that typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
import os
import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.probing import (
    NotAttempted,
    NotYet,
    attempt,
    compare,
    describe,
    need_function,
    plain,
    same,
)

RATE_MISTAKES = {
    "from 0": "The rate begins at 0: in step 0 it must be lr, the rate of the small batch.",
    "no end": "The rate goes on rising: after warmup_steps it stays at the scaled rate.",
    "inverse": "The other way round: a larger batch gets a larger rate.",
    "from 0, not scaled": "The rate is not scaled: it must end at lr · large_batch / batch_size.",
    "not scaled": "The rate is not scaled: it must end at lr · large_batch / batch_size.",
    "at once": "The scaled rate is there from the first step on: the warm-up is missing.",
    "root": "That is the square root; the linear rule multiplies by large_batch / batch_size.",
    "one late": "In step 0 the rate is lr itself: the share of the way is t / warmup_steps.",
}
SPEEDUP_MISTAKES = {
    "no latency": "The latency is missing: each of the 2(n − 1) messages takes it.",
    "one latency": "Each of the 2(n − 1) messages takes the latency, not all together once.",
    "half": "There are 2(n − 1) messages: n − 1 to add up, n − 1 to hand the sums round.",
    "whole messages": "Each message carries 1/n of the gradients, not all of them.",
    "no sharing": "The n workers share the computing: each takes compute / n.",
    "efficiency": "That is the efficiency, the speed-up divided by n.",
    "no communication": "The communication is missing: that is the ideal line.",
    "inverse": "The other way round: the time of one worker divided by the time of n.",
    "seconds": "That is the time of n workers; divide the time of one by it.",
}


# ------------------------------------------------------------------------- gradients and shards


def check_average(answer: Any) -> str:
    """Exercise 13.average."""
    need_function(answer, "my_average(grads, sizes)")
    rng = np.random.default_rng(13)
    for sizes, shape in (([2, 1], (1,)), ([40, 7, 17], (3, 2)), ([5, 5], (4,))):
        grads = [rng.normal(size=shape) for _ in sizes]
        call = f"`my_average(grads, {sizes})` for gradients of shape {shape}"
        before = copy.deepcopy(grads)
        got = attempt(answer, grads, list(sizes), call=call)
        if not all(np.array_equal(a, b) for a, b in zip(before, grads, strict=True)):
            raise NotYet("`my_average` changes the gradients that it is given: return a new array.")
        weighted = sum(n * g for n, g in zip(sizes, grads, strict=True))
        mistakes = [
            (
                sum(grads) / len(sizes),
                "This counts every worker alike, but the workers have different numbers of images.",
            ),
            (sum(grads), "You have added up the gradients; a mean is wanted."),
            (weighted, "Divide once more: by the number of all images, sum(sizes)."),
            (
                weighted / len(sizes),
                "Divide by the number of all images, not by the number of workers.",
            ),
        ]
        if len(set(sizes)) > 1:
            compare(got, weighted / sum(sizes), call, mistakes)
        else:
            compare(got, weighted / sum(sizes), call)
    return "With equal shares it is the plain mean, which is what an all-reduce computes."


def shard(order: Sequence[int], world: int, rank: int, mistake: str = "") -> list[int]:
    """The indices of one worker, or those that ``mistake`` gives."""
    order, missing = list(order), -len(order) % world
    if mistake == "block":
        size = (len(order) + missing) // world
        return (order + order[:missing])[rank * size : (rank + 1) * size]
    if mistake == "unequal":
        return order[rank::world]
    if mistake == "dropped":
        return order[: len(order) // world * world][rank::world]
    if mistake == "last again":
        return (order + order[-1:] * missing)[rank::world]
    if mistake == "end again":
        return (order + order[len(order) - missing :])[rank::world]
    if mistake == "from 1":
        return (order + order[:missing])[rank - 1 :: world]
    return (order + order[:missing])[rank::world]


SHARD_MISTAKES = {
    "unequal": "All workers must get equally many: fill the order up first.",
    "block": "This gives each worker a block; deal the indices out in turn, like cards.",
    "dropped": "This leaves images out; repeat the first ones instead.",
    "last again": "Fill up with indices from the beginning of the order, not from its end.",
    "end again": "Fill up with indices from the beginning of the order, not from its end.",
    "from 1": "Ranks count from 0: the worker with rank 0 gets the first index.",
}


def check_shard(answer: Any) -> str:
    """Exercise 13.shard."""
    need_function(answer, "my_shard(order, world, rank)")
    for order, world in (([7, 3, 9, 1, 5], 2), (list(range(10, 21)), 4), ([4, 2, 8, 6], 2)):
        everybody = {
            kind: [shard(order, world, r, kind) for r in range(world)] for kind in SHARD_MISTAKES
        }
        wanted = [shard(order, world, r) for r in range(world)]
        got = []
        for rank in range(world):
            call = f"`my_shard({order}, {world}, {rank})`"
            given = list(order)
            part = plain(attempt(answer, given, world, rank, call=call))
            if given != order:
                raise NotYet("`my_shard` changes the order that it is given: work on a copy.")
            if part is ...:
                raise NotAttempted
            if part is None:
                raise NotYet(f"{call} gives None. Is a `return` missing?")
            if hasattr(part, "tolist"):
                part = part.tolist()
            if not isinstance(part, list | tuple | range):
                raise NotYet(f"{call} gives {describe(part)}; a list of indices is expected.")
            got.append(list(part))
        if got == wanted:
            continue
        for kind, text in SHARD_MISTAKES.items():
            if got == everybody[kind]:
                raise NotYet(text)
        rank = next(r for r in range(world) if got[r] != wanted[r])
        raise NotYet(
            f"`my_shard({order}, {world}, {rank})` gives {describe(got[rank])}; expected is "
            f"{describe(wanted[rank])}."
        )
    return "`DistributedSampler` deals the indices out in the same way."


# ------------------------------------------------------------------------------ rate and speed-up


def large_batch_lr(
    t: int, lr: float, batch: int, large: int, warmup: int, mistake: str = ""
) -> float:
    """The rate in step t, or the one that ``mistake`` gives."""
    k = {"inverse": batch / large, "root": (large / batch) ** 0.5}.get(mistake, large / batch)
    if mistake.endswith("not scaled"):
        k = 1.0
    share = t / warmup if mistake == "no end" else min(t / warmup, 1)
    if mistake == "one late":
        share = min((t + 1) / warmup, 1)
    if mistake == "at once":
        share = 1.0
    start = 0.0 if mistake.startswith("from 0") else lr
    return start + (lr * k - start) * share


def check_rate(answer: Any) -> str:
    """Exercise 13.large_batch_lr."""
    need_function(answer, "my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps)")
    for lr, batch, large, warmup in ((0.1, 32, 256, 10), (0.05, 64, 64 * 30, 25)):
        steps = (0, 1, warmup // 2, warmup, warmup + 1, 5 * warmup)
        rates = []
        for t in steps:
            call = f"`my_large_batch_lr({t}, {lr}, {batch}, {large}, {warmup})`"
            rates.append(attempt(answer, t, lr, batch, large, warmup, call=call))
            if rates[-1] is None or rates[-1] is ...:
                compare(rates[-1], 0.0, call)
        arguments = (lr, batch, large, warmup)
        call = f"The rates of the steps {list(steps)} with `{arguments}`"
        mistakes = [
            ([large_batch_lr(t, *arguments, kind) for t in steps], text)
            for kind, text in RATE_MISTAKES.items()
        ]
        wanted = [large_batch_lr(t, *arguments) for t in steps]
        compare([plain(rate) for rate in rates], wanted, call, mistakes)
    return "So the first steps are those of the small batch, and only then do they grow."


def speed_up(
    n: int, compute: float, size: float, bandwidth: float, latency: float, mistake: str = ""
) -> float:
    """The speed-up of n workers, or the number that ``mistake`` gives."""
    messages = n - 1 if mistake == "half" else 2 * (n - 1)
    per_message = size / bandwidth / (1 if mistake == "whole messages" else n)
    communication = messages * (per_message + latency)
    if mistake == "no latency":
        communication = messages * per_message
    elif mistake == "one latency":
        communication = messages * per_message + latency
    elif mistake == "no communication":
        communication = 0.0
    time = compute / (1 if mistake == "no sharing" else n) + communication
    return {
        "efficiency": compute / time / n,
        "inverse": time / compute,
        "seconds": time,
    }.get(mistake, compute / time)


def check_speedup(answer: Any) -> str:
    """Exercise 13.speedup."""
    need_function(answer, "my_speedup(n, compute, size, bandwidth, latency)")
    cases = (
        (8, 0.2, 4e8, 1e10, 1e-3),
        (2, 0.1, 1e8, 1e10, 0.0),
        (64, 0.5, 1e6, 1e9, 2e-5),
        (1, 0.3, 1e8, 1e9, 1e-3),
    )
    for case in cases:
        call = f"`my_speedup{case}`"
        got = attempt(answer, *case, call=call)
        mistakes = [(speed_up(*case, kind), text) for kind, text in SPEEDUP_MISTAKES.items()]
        compare(got, speed_up(*case), call, mistakes if case[0] == 8 else ())
    return "8 workers with 400 MB of gradients and messages of 1 ms: only 1.8 times as fast as one."


# ---------------------------------------------------------------------------------- accumulation


class _Counting(torch.optim.SGD):
    """SGD that counts its steps."""

    steps = 0

    def step(self, *args: Any, **kwargs: Any) -> Any:
        self.steps += 1
        return super().step(*args, **kwargs)


def _small_model(dtype: torch.dtype) -> tuple[nn.Module, _Counting]:
    """A network with old gradients in it, the same every time."""
    torch.manual_seed(13)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)
    for p in model.parameters():
        p.grad = torch.full_like(p, 0.5)
    return model, _Counting(model.parameters(), lr=0.1)


def accumulated(
    X: torch.Tensor, y: torch.Tensor, micro: int, mistake: str = ""
) -> list[torch.Tensor]:
    """The weights after the step, or those that ``mistake`` gives."""
    model, optimizer = _small_model(X.dtype)
    if mistake != "old gradients":
        optimizer.zero_grad()
    pieces = list(zip(X.split(micro), y.split(micro), strict=True))
    for X_part, y_part in pieces:
        share = {"sum": 1.0, "pieces": 1 / len(pieces)}.get(mistake, len(y_part) / len(y))
        (F.cross_entropy(model(X_part), y_part) * share).backward()
    optimizer.step()
    return [p.detach() for p in model.parameters()]


def check_accumulate(answer: Any) -> str:
    """Exercise 13.accumulate."""
    need_function(answer, "my_accumulated_step(model, optimizer, X, y, micro_batch)")
    dtype = torch.get_default_dtype()
    generator = torch.Generator().manual_seed(13)
    for n, micro in ((10, 4), (12, 4), (7, 7)):
        X = torch.randn(n, 4, generator=generator, dtype=torch.float64).to(dtype)
        y = torch.randint(0, 3, (n,), generator=generator)
        model, optimizer = _small_model(dtype)
        call = f"`my_accumulated_step` with {n} images and `micro_batch={micro}`"
        seen: list[int] = []
        hook = model.register_forward_pre_hook(lambda _, X, seen=seen: seen.append(len(X[0])))
        attempt(answer, model, optimizer, X.clone(), y.clone(), micro, call=call)
        hook.remove()
        if max(seen, default=0) > micro:
            raise NotYet(
                f"The model got {max(seen)} images at once, but only `micro_batch` = {micro} fit "
                "into memory."
            )
        if optimizer.steps != 1:
            raise NotYet(
                f"The optimizer made {optimizer.steps} steps; wanted is one step, after the last "
                "piece."
            )
        got = [p.detach() for p in model.parameters()]
        if _equal(got, accumulated(X, y, n)):
            continue
        for kind, text in (
            (
                "old gradients",
                "The old gradients are still in it: clear them before the first piece.",
            ),
            (
                "sum",
                "The loss of each piece is a mean, and you add the means up: the gradient is not "
                "divided by the number of pieces, so the step is too long.",
            ),
            (
                "pieces",
                "This counts every piece alike, but the last piece is smaller: weigh each by its "
                "share len(y_part) / len(y).",
            ),
        ):
            if _equal(got, accumulated(X, y, micro, kind)):
                raise NotYet(text)
        raise NotYet(f"After {call} the weights are not those of one step with the whole batch.")
    return "The same weights as with the whole batch, with the memory of a small one."


def _equal(got: list[torch.Tensor], wanted: list[torch.Tensor]) -> bool:
    return all(same(plain(a), plain(b)) for a, b in zip(got, wanted, strict=True))


# ------------------------------------------------------------------------------------- saving


class _Crash(RuntimeError):
    """What happens in the middle of the file."""


class _Dies:
    """Something in the state that cannot be written: the program dies there."""

    def __reduce__(self) -> Any:
        raise _Crash("the power went off")


def check_save(answer: Any) -> str:
    """Exercise 13.save."""
    need_function(answer, "my_save(state, path)")
    old = {"epoch": 1, "weights": torch.arange(4.0)}
    new = {"epoch": 2, "weights": torch.arange(4.0) + 10}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        attempt(answer, dict(old), str(path), call="`my_save(state, path)` into an empty folder")
        _must_hold(path, old, "After `my_save(state, path)`")
        call = "`my_save(state, path)` over an older checkpoint"
        before = path.stat().st_ino
        attempt(answer, dict(new), str(path), call=call)
        _must_hold(path, new, f"After {call}")
        in_place = before and path.stat().st_ino == before
        left = sorted(entry for entry in os.listdir(folder) if entry != path.name)
        if left:
            raise NotYet(
                f"After the save `{left[0]}` is left over: the temporary file must be gone."
            )
        try:
            attempt(answer, {**old, "then": _Dies()}, str(path), call="`my_save`, cut short,")
        except NotYet as error:
            if not isinstance(error.__cause__, _Crash):
                raise
        _survived(path, new)
        if in_place:  # whole in the end, but emptied on the way
            raise NotYet(
                "Your function writes into the old file: a crash on the way leaves half of it. "
                "Write to another file, and give it the name at the end."
            )
    return "Old or new, but always whole: `os.replace` changes the name in one step."


def _must_hold(path: Path, wanted: dict, when: str) -> None:
    if not path.exists():
        raise NotYet(f"{when} is over: There is no file at `path`.")
    try:
        found = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise NotYet(f"{when} the file cannot be read: {type(error).__name__}.") from error
    right = (
        isinstance(found, dict)
        and found.get("epoch") == wanted["epoch"]
        and torch.equal(found["weights"], wanted["weights"])
    )
    if not right:
        raise NotYet(f"{when} the file does not hold the state that was given.")


def _survived(path: Path, wanted: dict) -> None:
    if not path.exists():
        raise NotYet(
            "The program died while writing, and now the old checkpoint is gone: do not remove it, "
            "replace it at the end."
        )
    try:
        _must_hold(path, wanted, "After the crash")
    except NotYet as error:
        raise NotYet(
            "The program died while writing, and that has spoiled the old checkpoint: write to "
            "another file, and give it the name at the end."
        ) from error
