"""Chapter 13, scaling up: averages, shards, a rate, speed-up, accumulation, saving."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.ch13_traces import ACCUMULATE, SAVE
from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _average_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes, shape in (
        ([3, 1], (2,)),
        ([40, 7, 17], (3, 2)),
        ([5, 5], (4,)),
        ([6], (2, 1, 3)),
        ([1, 2, 3, 4, 5], (1, 2)),
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
? The rate stays at lr and jumps in step W: it rises along a straight line, a little in each step.
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
    ACCUMULATE,
    SAVE,
)
