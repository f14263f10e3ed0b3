"""Chapter 13, scaling up: averages, shards, a rate, speed-up, accumulation, saving."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _average_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes, shape in (
        ([3, 1], (2,)),
        ([40, 7, 17], (3, 2)),
        ([5, 5], (4,)),
        ([6], (2, 1, 3)),
        ([1, 2, 3, 4, 5], ()),
    ):
        yield case([np.array(r.normal(size=shape)) for _ in sizes], sizes)


def _shard_cases(r: np.random.Generator) -> Iterator[Case]:
    for n, world in ((5, 2), (11, 4), (4, 2), (6, 3), (9, 1), (13, 5), (2, 4), (1, 4), (3, 3)):
        order = [int(i) for i in r.permutation(np.arange(10, 10 + n))]
        for rank in range(world):
            yield case(order.copy(), world, rank)


def _rate_cases(r: np.random.Generator) -> Iterator[Case]:
    for lr, batch, large, warmup in (
        (0.1, 32, 256, 10),
        (0.05, 64, 1920, 25),
        (0.3, 100, 150, 4),
        (0.02, 16, 16, 3),
        (0.4, 128, 4096, 1),
    ):
        for t in sorted({0, 1, warmup // 2, warmup - 1, warmup, warmup + 1, 5 * warmup}):
            yield case(t, lr, batch, large, warmup)


def _speedup_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(8, 0.2, 4e8, 1e10, 1e-3)
    yield case(2, 0.1, 1e8, 1e10, 0.0)
    yield case(64, 0.5, 1e6, 1e9, 2e-5)
    yield case(1, 0.3, 1e8, 1e9, 1e-3)
    yield case(3, 1.7, 5e7, 2e8, 0.02)
    yield case(16, 2.0, 3e9, 5e9, 0.3)
    yield case(7, 0.01, 10.0, 1e3, 1e-4)


# ------------------------------------------------------------------------- accumulation


class _Counting(torch.optim.SGD):
    """SGD that counts its steps."""

    steps = 0

    def step(self, *args: Any, **kwargs: Any) -> Any:
        self.steps += 1
        return super().step(*args, **kwargs)


def _accumulate(answer: Any, n: int, micro_batch: int) -> dict[str, Any]:
    torch.default_generator.manual_seed(13)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    for p in model.parameters():
        p.grad = torch.full_like(p, 0.5)
    optimizer = _Counting(model.parameters(), lr=0.7)
    X, y = torch.randn(n, 4), torch.randint(0, 3, (n,))
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    answer(model, optimizer, X, y, micro_batch)
    return {
        "steps of the optimizer": optimizer.steps,
        "never more than `micro_batch` images at once": max(sizes, default=0) <= micro_batch,
        "the weights after the step": [p.detach().tolist() for p in model.parameters()],
    }


def _accumulate_cases(r: np.random.Generator) -> Iterator[Case]:
    for n, micro in ((10, 4), (12, 4), (7, 7), (5, 1), (3, 8), (11, 2)):
        yield case(n, micro, label=f"with {n} images and `micro_batch={micro}`")


# ------------------------------------------------------------------------------- saving


class _Crash(RuntimeError):
    """What happens in the middle of the file."""


class _Dies:
    """Something in the state that cannot be written: the program dies there."""

    def __reduce__(self) -> Any:
        raise _Crash("the power went off")


def _save(answer: Any) -> dict[str, Any]:
    old = {"epoch": 1, "weights": torch.arange(4.0)}
    new = {"epoch": 2, "weights": torch.arange(4.0) + 10}
    with tempfile.TemporaryDirectory() as folder, _file_calls(folder) as seen:
        path = Path(folder, "checkpoint.pt")
        answer(dict(old), str(path))
        first = _holds(path, old)
        if first != "the state":
            return {"the file after the first save": first}
        seen["gaps"] = 0
        before = path.stat()
        with open(path, "rb"):  # so that its number is not given to the next file
            answer(dict(new), str(path))
            second, after = _holds(path, new), path.stat() if path.exists() else None
        left = sorted(entry for entry in os.listdir(folder) if entry != path.name)
        gaps = seen["gaps"]
        with contextlib.suppress(Exception):
            answer({**old, "then": _Dies()}, str(path))
        return {
            "the file after the first save": first,
            "the file after a save over an older one": second,
            "the file after a crash in the middle": _holds(path, new),
            "what is left beside it": ", ".join(left) or "nothing",
            "the old file itself was written to": bool(after and after.st_ino == before.st_ino),
            "for a moment there was no file": gaps > 0,
            "the other file stood in another folder": seen["elsewhere"] > 0,
        }


def _holds(path: Path, wanted: dict) -> str:
    if not path.exists():
        return "no file"
    try:
        found = torch.load(path, weights_only=True)
    except Exception:  # whatever stands in it
        return "cannot be read"
    same = isinstance(found, dict) and found.get("epoch") == wanted["epoch"]
    same = same and torch.equal(torch.as_tensor(found.get("weights")), wanted["weights"])
    return "the state" if same else "something else"


@contextlib.contextmanager
def _file_calls(folder: str) -> Iterator[dict[str, int]]:
    """Counts moments without a checkpoint, and files that come from another folder."""
    seen = {"gaps": 0, "elsewhere": 0}
    kept = {name: getattr(os, name) for name in ("remove", "unlink", "rename", "replace")}

    def spied(name: str) -> Any:
        def call(source: Any, *args: Any, **kwargs: Any) -> Any:
            inside = os.path.realpath(os.path.dirname(source)) == os.path.realpath(folder)
            seen["elsewhere"] += name in ("rename", "replace") and not inside
            result = kept[name](source, *args, **kwargs)
            seen["gaps"] += not os.path.exists(os.path.join(folder, "checkpoint.pt"))
            return result

        return call

    for name in kept:
        setattr(os, name, spied(name))
    try:
        yield seen
    finally:
        for name, function in kept.items():
            setattr(os, name, function)


EXERCISES = (
    Exercise(
        name="13.average",
        title="average the gradients of unequal shares",
        prompt=r"""
Several workers have computed the gradient of the **mean** loss of their images. `grads` is the
list of these gradients (arrays or tensors of one shape), `sizes` says how many images each worker
had. Return the gradient of the mean loss of all images together, and leave the given gradients as
they are.

$$g = \frac{\sum_r n_r\,g_r}{\sum_r n_r}$$
""",
        stub='''
def my_average(grads, sizes):
    """The gradient of the joined batch, in the shape of one gradient."""
    raise NotImplementedError
''',
        hints=(
            "Multiply each gradient by its number of images first: that undoes the worker's mean.",
            "Add up n · grad over the workers and divide once, by the number of all images.",
        ),
        solution="""
def my_average(grads, sizes):
    total = sum(sizes)
    return sum(n * grad for n, grad in zip(sizes, grads)) / total
""",
        wrong=mistakes(r"""
? This counts every worker alike, but the workers have different numbers of images.
- n * grad for >>> grad for && / total >>> / len(sizes)
? You have added up the gradients; a mean is wanted.
- n * grad for >>> grad for &&  / total >>> 
? Divide once more: by the number of all images, sum(sizes).
-  / total >>> 
? Divide by the number of all images, not by the number of workers.
- / total >>> / len(sizes)
- total = sum(sizes) >>> total = len(grads)
? The plain sum of the gradients is divided by the number of images: each gradient counts as often
  as its worker has images.
- n * grad for >>> grad for
? Each gradient is divided by its number of images; a mean times that number is a sum again.
- n * grad for >>> grad / n for
? The whole result is averaged down to one number; keep the shape of a gradient.
def my_average(grads, sizes):
    return np.average([np.mean(g) for g in grads], weights=sizes)
def my_average(grads, sizes):
    return sum(n * g.mean() for n, g in zip(sizes, grads)) / sum(sizes)
? Only the last worker's gradient comes back.
- sum(n * grad for n, grad in zip(sizes, grads)) / total >>> grads[-1]
? Only the first worker's gradient comes back.
- sum(n * grad for n, grad in zip(sizes, grads)) / total >>> grads[0]
? The shares belong to other workers: gradients and sizes go together in order.
- zip(sizes, grads) >>> zip(sizes[::-1], grads)
- zip(sizes, grads) >>> zip(sorted(sizes), grads)
? The gradients that were given are changed; compute with new arrays.
def my_average(grads, sizes):
    grads[0] *= sizes[0]
    return (grads[0] + sum(n * g for n, g in zip(sizes[1:], grads[1:]))) / sum(sizes)
def my_average(grads, sizes):
    for n, g in zip(sizes, grads):
        g *= n
    return sum(grads) / sum(sizes)
def my_average(grads, sizes):
    for n, g in zip(sizes, grads):
        g *= n / sum(sizes)
    return sum(grads)
"""),
        cases=_average_cases,
        pure=True,
        closing="With equal shares it is the plain mean, which is what an all-reduce computes.",
        examples=(("my_average([np.array([1.0]), np.array([4.0])], [2, 1])", "[2.0]"),),
    ),
    Exercise(
        name="13.shard",
        title="who gets which image",
        prompt="""
`order` is the shuffled list of image indices of an epoch, the same on every worker. Return the
list of indices for the worker `rank` (0 … `world` − 1), as `DistributedSampler` deals them out: in
turn, like cards. All workers must get equally many, and as few as that allows; if the order does
not come out even, it begins again with its first indices, as often as needed. Leave `order` as it
is.
""",
        stub='''
def my_shard(order, world, rank):
    """The indices of worker rank, a list."""
    raise NotImplementedError
''',
        hints=(
            "First make the order long enough, then take each world-th entry.",
            "Each worker gets `math.ceil(len(order) / world)` indices, the slice is `[rank::world]`, "
            "and `order * world` is long enough in any case.",
        ),
        solution="""
def my_shard(order, world, rank):
    total = -(-len(order) // world) * world
    return (order * world)[:total][rank::world]
""",
        wrong=mistakes(r"""
? All workers must get equally many: fill the order up first.
- (order * world)[:total] >>> order
? This gives each worker a block; deal the indices out in turn, like cards.
- [:total][rank::world] >>> [rank * (total // world) : (rank + 1) * (total // world)]
? This leaves images out; begin again with the first ones instead.
- total = -(-len(order) // world) * world >>> total = len(order) // world * world
def my_shard(order, world, rank):
    n = len(order) // world
    return [order[i * world + rank] for i in range(n)]
? Fill up with indices from the beginning of the order, not from its end.
- (order * world)[:total] >>> (order + order[-1:] * (total - len(order)))
- (order * world)[:total] >>> (order + order[len(order) - (total - len(order)):])
- (order * world)[:total] >>> (order + order[::-1] * world)[:total]
? There are more workers than indices: the order begins again as often as needed.
- (order * world)[:total] >>> (order + order[:total - len(order)])
def my_shard(order, world, rank):
    order = list(order)
    missing = -len(order) % world
    return (order + order[:missing])[rank::world]
? Ranks count from 0: the worker with rank 0 gets the first index.
- [rank::world] >>> [rank - 1::world]
- [rank::world] >>> [rank + 1::world]
? Nobody may get more than is needed to come out even.
- [:total][rank::world] >>> [rank::world]
def my_shard(order, world, rank):
    return (order + order[:world])[rank::world]
- -(-len(order) // world) * world >>> (len(order) // world + 1) * world
? These are places in the order; wanted are the indices that stand there.
def my_shard(order, world, rank):
    n = -(-len(order) // world)
    return [(rank + i * world) % len(order) for i in range(n)]
? The order is changed for the caller; work on a copy.
def my_shard(order, world, rank):
    i = 0
    while len(order) % world:
        order.append(order[i])
        i += 1
    return order[rank::world]
def my_shard(order, world, rank):
    order += order[:-len(order) % world]
    return order[rank::world]
? The order must stay as it is shuffled; here it was sorted.
- order * world >>> sorted(order) * world
? Only one index comes back; a worker gets a list of them.
- return (order * world)[:total][rank::world] >>> return order[rank % len(order)]
"""),
        cases=_shard_cases,
        pure=True,
        closing="`DistributedSampler` deals the indices out in the same way.",
        examples=(
            ("my_shard([7, 3, 9, 1, 5], 2, 0)", "[7, 9, 5]"),
            ("my_shard([7, 3, 9, 1, 5], 2, 1)", "[3, 1, 7]"),
        ),
    ),
    Exercise(
        name="13.large_batch_lr",
        title="a rate for a large batch",
        prompt=r"""
`lr` works well with `batch_size`. For `large_batch` the linear scaling rule gives another rate.
Write the recipe of Goyal and others: the rate begins at `lr` in step $t = 0$, rises along a
straight line, reaches the scaled rate in step $t = W$ (`warmup_steps`) and stays there.
""",
        stub='''
def my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps):
    """The learning rate of step t = 0, 1, 2, …"""
    raise NotImplementedError
''',
        hints=(
            "First the scaled rate, and the share t / warmup_steps of the way, at most 1.",
            "From a to b along a straight line: a + (b − a) · share.",
        ),
        solution="""
def my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps):
    target = lr * large_batch / batch_size
    share = min(t / warmup_steps, 1)
    return lr + (target - lr) * share
""",
        wrong=mistakes(r"""
? The rate begins at 0: in step 0 it must be lr, the rate of the small batch.
- lr + (target - lr) * share >>> target * share
? The rate goes on rising: after warmup_steps it stays at the scaled rate.
- min(t / warmup_steps, 1) >>> t / warmup_steps
? The other way round: a larger batch gets a larger rate.
- large_batch / batch_size >>> batch_size / large_batch
? The rate is not scaled: it must end at lr · large_batch / batch_size.
- lr + (target - lr) * share >>> lr * share
- lr + (target - lr) * share >>> lr
? The scaled rate is there from the first step on: the warm-up is missing.
- share = min(t / warmup_steps, 1) >>> share = 1
? That is the square root; the linear rule multiplies by large_batch / batch_size.
- large_batch / batch_size >>> (large_batch / batch_size) ** 0.5
? In step 0 the rate is lr itself: the share of the way is t / warmup_steps.
- min(t / warmup_steps, 1) >>> min((t + 1) / warmup_steps, 1)
? The whole target is added to lr; only the way from lr to it is.
- (target - lr) >>> target
? The rate rises by a constant factor in each step; along a straight line it is a constant sum.
- lr + (target - lr) * share >>> lr * (target / lr) ** share
? The rate falls during the warm-up: from the scaled rate to lr.
- lr + (target - lr) * share >>> target + (lr - target) * share
? The batch size is cut to a whole multiple: divide with `/`.
- lr * large_batch / batch_size >>> lr * (large_batch // batch_size)
? The warm-up never gets there: its last step before W jumps.
- min(t / warmup_steps, 1) >>> (t // warmup_steps > 0)
- lr + (target - lr) * share >>> lr if t < warmup_steps else target
? It is there one step too early: the straight line ends in step t = W.
def my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps):
    target = lr * large_batch / batch_size
    if t >= warmup_steps - 1:
        return target
    return lr + (target - lr) * t / (warmup_steps - 1)
"""),
        cases=_rate_cases,
        closing="So the first steps are those of the small batch, and only then do they grow.",
        examples=(
            ("my_large_batch_lr(0, 0.1, 32, 256, 10)", "0.1"),
            ("my_large_batch_lr(10, 0.1, 32, 256, 10)", "0.8"),
        ),
    ),
    Exercise(
        name="13.speedup",
        title="is a second machine worth it?",
        prompt=r"""
One worker needs `compute` seconds for the step of a global batch. With $n$ workers each computes
$1/n$ of that, and then a ring all-reduce averages gradients of `size` bytes: $2(n-1)$ messages one
after the other, each of `size`$/n$ bytes. A message takes its bytes divided by `bandwidth` (bytes
per second) plus `latency` (seconds). Return the speed-up: how many times as fast as one worker the
$n$ workers are.
""",
        stub='''
def my_speedup(n, compute, size, bandwidth, latency):
    """Time of one worker divided by the time of n workers, for the same images."""
    raise NotImplementedError
''',
        hints=(
            "The time of n workers has two parts. For n = 1 the second is 0, and the speed-up 1.",
            "communication = 2(n − 1) · (size / n / bandwidth + latency).",
        ),
        solution="""
def my_speedup(n, compute, size, bandwidth, latency):
    messages = 2 * (n - 1)
    communication = messages * (size / n / bandwidth + latency)
    return compute / (compute / n + communication)
""",
        wrong=mistakes(r"""
? The latency is missing: each of the 2(n − 1) messages takes it.
-  + latency >>> 
? Each of the 2(n − 1) messages takes the latency, not all together once.
- messages * (size / n / bandwidth + latency) >>> messages * size / n / bandwidth + latency
- messages * (size / n / bandwidth + latency) >>> messages * size / n / bandwidth + latency * (n > 1)
? There are 2(n − 1) messages: n − 1 to add up, n − 1 to hand the sums round.
- 2 * (n - 1) >>> n - 1
? There are 2(n − 1) messages, not 2n: a ring of one sends nothing.
- 2 * (n - 1) >>> 2 * n
? Each message carries 1/n of the gradients, not all of them.
- size / n / bandwidth >>> size / bandwidth
? The n workers share the computing: each takes compute / n.
- compute / (compute / n >>> compute / (compute
? That is the efficiency, the speed-up divided by n.
- return compute / (compute / n >>> return compute / n / (compute / n
? The communication is missing: that is the ideal line.
- compute / (compute / n + communication) >>> n
? The other way round: the time of one worker divided by the time of n.
- compute / (compute / n + communication) >>> (compute / n + communication) / compute
? That is the time of n workers; divide the time of one by it.
- compute / (compute / n + communication) >>> compute / n + communication
? The time that is won is a difference; the speed-up is a ratio.
- compute / (compute / n + communication) >>> compute - (compute / n + communication)
? Bytes times bandwidth are no seconds: divide by the bandwidth.
- size / n / bandwidth >>> size / n * bandwidth
? A single message is counted; there are 2(n − 1) of them, one after the other.
- messages * (size >>> (size
- messages * (size / n / bandwidth + latency) >>> (size / n / bandwidth + latency) * (n > 1)
? The communication is shared too, though each worker waits for all messages.
- compute / (compute / n + communication) >>> compute / ((compute + communication) / n)
"""),
        cases=_speedup_cases,
        closing="8 workers with 400 MB of gradients and messages of 1 ms: only 1.8 times as fast as "
        "one.",
        examples=(("my_speedup(2, 0.1, 1e8, 1e10, 0.0)", "1.6667"),),
    ),
    Exercise(
        name="13.accumulate",
        title="a large batch in small pieces",
        prompt="""
The batch `X`, `y` does not fit into memory. Make **one** optimizer step with it in pieces of
`micro_batch` images (the last piece may be smaller), so that the weights move exactly as they would
with the whole batch at once. The loss is `F.cross_entropy`, the mean over the images; there may be
old gradients in the parameters.
""",
        stub='''
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    """One step of the optimizer; returns nothing."""
    raise NotImplementedError
''',
        hints=(
            "`backward` adds to `.grad`: clear once before the loop, step once after it.",
            "A piece of n images counts n / len(y) of the whole: multiply its loss by that share.",
        ),
        solution="""
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for X_part, y_part in zip(X.split(micro_batch), y.split(micro_batch)):
        loss = F.cross_entropy(model(X_part), y_part)
        (loss * len(y_part) / len(y)).backward()
    optimizer.step()
""",
        wrong=mistakes(r"""
? The loss of each piece is a mean, and you add the means up: the gradient is not divided by the
  number of pieces, so the step is too long.
-  * len(y_part) / len(y) >>> 
? This counts every piece alike, but the last piece is smaller: weigh each by its share of the
  images.
-  * len(y_part) / len(y) >>>  / len(X.split(micro_batch))
-  * len(y_part) / len(y) >>>  / -(-len(y) // micro_batch)
? Every piece is weighed as if it were full: the last one may be smaller.
-  * len(y_part) / len(y) >>>  * micro_batch / len(y)
? The number of pieces is rounded down: the smaller last piece counts too.
-  * len(y_part) / len(y) >>>  / max(len(y) // micro_batch, 1)
? The optimizer makes a step with every piece; wanted is one step, after the last piece.
-     optimizer.step() >>>         optimizer.step()
-     optimizer.step() >>>         optimizer.step()\n        optimizer.zero_grad()
- (loss * len(y_part) / len(y)).backward()\n    optimizer.step() >>> loss.backward()\n        optimizer.step()\n        optimizer.zero_grad()
- (loss * len(y_part) / len(y)).backward()\n    optimizer.step() >>> loss.backward()\n        optimizer.step()
? The old gradients are still in it: clear them before the first piece.
-     optimizer.zero_grad()\n >>> 
? Only the gradients of the last piece count: clear them once before the loop, and call `backward`
  for each piece.
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for X_part, y_part in zip(X.split(micro_batch), y.split(micro_batch)):
        loss = F.cross_entropy(model(X_part), y_part) * len(y_part) / len(y)
    loss.backward()
    optimizer.step()
-     for X_part >>>     for X_part
&         loss = >>>         optimizer.zero_grad()\n        loss =
- (loss * len(y_part) / len(y)) >>> optimizer.zero_grad()\n        loss
? The optimizer makes no step: the weights have not moved.
-     optimizer.step() >>>     pass
? The model gets all the images at once, but only `micro_batch` of them fit into memory.
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    F.cross_entropy(model(X), y).backward()
    optimizer.step()
? The last images are left out: the last piece may be smaller.
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for i in range(len(y) // micro_batch):
        part = slice(i * micro_batch, (i + 1) * micro_batch)
        (F.cross_entropy(model(X[part]), y[part]) * micro_batch / len(y)).backward()
    optimizer.step()
? The loss is the sum over the images; it is the mean that is wanted.
- F.cross_entropy(model(X_part), y_part) >>> F.cross_entropy(model(X_part), y_part, reduction="sum") * len(y) / len(y_part)
"""),
        cases=_accumulate_cases,
        probe=_accumulate,
        closing="The same weights as with the whole batch, with the memory of a small one.",
    ),
    Exercise(
        name="13.save",
        title="a checkpoint that a crash cannot spoil",
        prompt="""
Write `state` to the file `path` with `torch.save`, atomically: whenever the program dies, `path`
must hold either the old checkpoint or the new one, whole. The check lets your function die in the
middle of writing. Write to another file in the same folder first; after a save it must be gone.
""",
        stub='''
def my_save(state, path):
    """Save state to path; a crash on the way leaves the old file as it was."""
    raise NotImplementedError
''',
        hints=(
            'Save to `f"{path}.tmp"`. What makes it the checkpoint is its name.',
            "`os.replace(temporary, path)` gives it the name in one step, over the old file.",
        ),
        solution="""
def my_save(state, path):
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
""",
        wrong=mistakes(r"""
? The program died while writing, and that has spoiled the old checkpoint: write to another file,
  and give it the name at the end.
def my_save(state, path):
    torch.save(state, path)
def my_save(state, path):
    with open(path, "wb") as file:
        torch.save(state, file)
def my_save(state, path):
    if os.path.exists(path):
        os.remove(path)
    torch.save(state, path)
? The program died while writing, and now the old checkpoint is gone: do not remove it, replace it
  at the end.
-     temporary = >>>     if os.path.exists(path):\n        os.remove(path)\n    temporary =
? Between the removal of the old file and the new name there is a moment without any checkpoint.
-     os.replace >>>     if os.path.exists(path):\n        os.remove(path)\n    os.replace
-     os.replace >>>     if os.path.exists(path):\n        os.rename(path, path + ".old")\n        os.remove(path + ".old")\n    os.replace
? There is no file at `path` after the save.
-     os.replace(temporary, path) >>>     pass
def my_save(state, path):
    state = dict(state)
- os.replace(temporary, path) >>> os.remove(temporary)
? Another file is left over after the save: the temporary file must be gone.
-     os.replace >>>     if os.path.exists(path):\n        os.replace(path, path + ".backup")\n    os.replace
? The new file is copied over the old one; a crash in the middle of the copy leaves half of it.
- os.replace(temporary, path) >>> data = open(temporary, "rb").read()\n    with open(path, "wb") as file:\n        file.write(data)\n    os.remove(temporary)
def my_save(state, path):
    import shutil
    torch.save(state, path + ".tmp")
    shutil.copyfile(path + ".tmp", path)
    os.remove(path + ".tmp")
? A copy is written over the old file, and the temporary file is left over.
def my_save(state, path):
    import shutil
    torch.save(state, path + ".tmp")
    shutil.copy(path + ".tmp", path)
? The old checkpoint is kept: the new state must take its place.
- os.replace(temporary, path) >>> os.rename(temporary, path) if not os.path.exists(path) else os.remove(temporary)
? The file holds something else than the state that was given.
- torch.save(state, file) >>> torch.save(str(state), file)
- torch.save(state, file) >>> torch.save(list(state), file)
? The other file stands in another folder: from there it may have to be copied, which is not one
  step.
def my_save(state, path):
    import tempfile
    file, name = tempfile.mkstemp()
    os.close(file)
    torch.save(state, name)
    os.replace(name, path)
"""),
        cases=lambda r: [case(label="")],
        probe=_save,
        closing="Old or new, but always whole: `os.replace` changes the name in one step.",
    ),
)
