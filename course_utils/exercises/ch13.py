"""Chapter 13, scaling up: averaging, sharing, the large-batch rate, speed-up, accumulation, saving.

What the learner reads stands here; how the answers are judged, in ``judges13.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges13 as judges

SETUP = "import os\n\nimport numpy as np\nimport torch\nfrom torch.nn import functional as F"

_AVERAGE = """
def my_average(grads, sizes):
    total = sum(sizes)
    return sum(n * grad for n, grad in zip(sizes, grads)) / total
""".strip()

_SHARD = """
def my_shard(order, world, rank):
    order = list(order)
    missing = -len(order) % world
    return (order + order[:missing])[rank::world]
""".strip()

_RATE = """
def my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps):
    target = lr * large_batch / batch_size
    share = min(t / warmup_steps, 1)
    return lr + (target - lr) * share
""".strip()

_SPEEDUP = """
def my_speedup(n, compute, size, bandwidth, latency):
    messages = 2 * (n - 1)
    communication = messages * (size / n / bandwidth + latency)
    return compute / (compute / n + communication)
""".strip()

_ACCUMULATE = """
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for X_part, y_part in zip(X.split(micro_batch), y.split(micro_batch)):
        loss = F.cross_entropy(model(X_part), y_part)
        (loss * len(y_part) / len(y)).backward()
    optimizer.step()
""".strip()

_SAVE = """
def my_save(state, path):
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
""".strip()

EXERCISES = (
    Exercise(
        name="13.average",
        title="average the gradients of unequal shares",
        prompt=r"""
Several workers have computed the gradient of the **mean** loss of their images. `grads` is the
list of these gradients (arrays or tensors of one shape), `sizes` says how many images each worker
had. Return the gradient of the mean loss of all images together.

$$g = \frac{\sum_r n_r\,g_r}{\sum_r n_r}$$
""",
        answer="my_average",
        stub='''
def my_average(grads, sizes):
    """The gradient of the joined batch, in the shape of one gradient."""
    raise NotImplementedError
''',
        hints=(
            "Multiply each gradient by its number of images first: that undoes the worker's mean.",
            "Add up n · grad over the workers and divide once, by the number of all images.",
        ),
        solution=_AVERAGE,
        wrong=(
            (
                variant(_AVERAGE, ("n * grad for", "grad for"), ("/ total", "/ len(sizes)")),
                "counts every worker alike",
            ),
            (variant(_AVERAGE, (" / total", "")), "Divide once"),
            (variant(_AVERAGE, ("/ total", "/ len(sizes)")), "number of workers"),
            (
                variant(_AVERAGE, ("n * grad for", "grad for"), (" / total", "")),
                "added up the gradients",
            ),
        ),
        checker=judges.check_average,
        examples=(("my_average([np.array([1.0]), np.array([4.0])], [2, 1])", "[2.0]"),),
    ),
    Exercise(
        name="13.shard",
        title="who gets which image",
        prompt="""
`order` is the shuffled list of image indices of an epoch, the same on every worker. Return the
list of indices for the worker `rank` (0 … `world` − 1), as `DistributedSampler` deals them out: in
turn, like cards. All workers must get equally many; if the order does not come out even, its first
indices are dealt out a second time.
""",
        answer="my_shard",
        stub='''
def my_shard(order, world, rank):
    """The indices of worker rank, a list."""
    raise NotImplementedError
''',
        hints=(
            "First make the order long enough, then take each world-th entry.",
            "`-len(order) % world` entries are missing, and the slice is `[rank::world]`.",
        ),
        solution=_SHARD,
        wrong=(
            (variant(_SHARD, ("(order + order[:missing])", "order")), "equally many"),
            (
                variant(
                    _SHARD,
                    ("missing = -len(order) % world", "k = -(-len(order) // world)"),
                    (
                        "(order + order[:missing])[rank::world]",
                        "(order + order[:world])[rank * k : (rank + 1) * k]",
                    ),
                ),
                "block",
            ),
            (
                variant(
                    _SHARD,
                    ("missing = -len(order) % world", "kept = len(order) // world * world"),
                    ("(order + order[:missing])", "order[:kept]"),
                ),
                "leaves images out",
            ),
            (variant(_SHARD, ("order[:missing]", "order[-1:] * missing")), "from the beginning"),
        ),
        checker=judges.check_shard,
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
        answer="my_large_batch_lr",
        stub='''
def my_large_batch_lr(t, lr, batch_size, large_batch, warmup_steps):
    """The learning rate of step t = 0, 1, 2, …"""
    raise NotImplementedError
''',
        hints=(
            "First the scaled rate, and the share t / warmup_steps of the way, at most 1.",
            "From a to b along a straight line: a + (b − a) · share.",
        ),
        solution=_RATE,
        wrong=(
            (variant(_RATE, ("lr + (target - lr) * share", "target * share")), "begins at 0"),
            (variant(_RATE, ("min(t / warmup_steps, 1)", "t / warmup_steps")), "goes on rising"),
            (
                variant(_RATE, ("large_batch / batch_size", "batch_size / large_batch")),
                "other way round",
            ),
            (
                variant(_RATE, ("lr + (target - lr) * share", "lr * share")),
                "not scaled",
            ),
        ),
        checker=judges.check_rate,
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
        answer="my_speedup",
        stub='''
def my_speedup(n, compute, size, bandwidth, latency):
    """Time of one worker divided by the time of n workers, for the same images."""
    raise NotImplementedError
''',
        hints=(
            "The time of n workers has two parts. For n = 1 the second is 0, and the speed-up 1.",
            "communication = 2(n − 1) · (size / n / bandwidth + latency).",
        ),
        solution=_SPEEDUP,
        wrong=(
            (variant(_SPEEDUP, (" + latency", "")), "latency is missing"),
            (
                variant(_SPEEDUP, ("size / n / bandwidth", "size / bandwidth")),
                "1/n of the gradients",
            ),
            (
                variant(_SPEEDUP, ("compute / (compute / n +", "compute / (compute +")),
                "share the computing",
            ),
            (
                variant(
                    _SPEEDUP, ("return compute / (compute / n", "return compute / n / (compute / n")
                ),
                "efficiency",
            ),
        ),
        checker=judges.check_speedup,
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
        answer="my_accumulated_step",
        stub='''
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    """One step of the optimizer; returns nothing."""
    raise NotImplementedError
''',
        hints=(
            "`backward` adds to `.grad`: clear once before the loop, step once after it.",
            "A piece of n images counts n / len(y) of the whole: multiply its loss by that share.",
        ),
        solution=_ACCUMULATE,
        wrong=(
            (variant(_ACCUMULATE, (" * len(y_part) / len(y)", "")), "not divided"),
            (
                variant(
                    _ACCUMULATE,
                    (" * len(y_part) / len(y)", " / -(-len(y) // micro_batch)"),
                ),
                "last piece",
            ),
            (
                variant(
                    _ACCUMULATE,
                    (".backward()\n    optimizer.step()", ".backward()\n        optimizer.step()"),
                ),
                "one step",
            ),
            (variant(_ACCUMULATE, ("    optimizer.zero_grad()\n", "")), "old gradients"),
        ),
        checker=judges.check_accumulate,
    ),
    Exercise(
        name="13.save",
        title="a checkpoint that a crash cannot spoil",
        prompt="""
Write `state` to the file `path` with `torch.save`, atomically: whenever the program dies, `path`
must hold either the old checkpoint or the new one, whole. The check lets your function die in the
middle of writing. Write to another file in the same folder first.
""",
        answer="my_save",
        stub='''
def my_save(state, path):
    """Save state to path; a crash on the way leaves the old file as it was."""
    raise NotImplementedError
''',
        hints=(
            'Save to `f"{path}.tmp"`. What makes it the checkpoint is its name.',
            "`os.replace(temporary, path)` gives it the name in one step, over the old file.",
        ),
        solution=_SAVE,
        wrong=(
            ("def my_save(state, path):\n    torch.save(state, path)", "has spoiled the old"),
            (
                variant(
                    _SAVE,
                    (
                        "    temporary =",
                        "    if os.path.exists(path):\n        os.remove(path)\n    temporary =",
                    ),
                ),
                "is gone",
            ),
            (variant(_SAVE, ("    os.replace(temporary, path)", "    pass")), "There is no file"),
            (
                variant(_SAVE, ("os.replace(temporary, path)", "os.link(temporary, path)")),
                "FileExistsError",
            ),
        ),
        checker=judges.check_save,
    ),
)
