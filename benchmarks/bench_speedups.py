"""What makes a training step faster: memory layout, bfloat16, a compiler, a second process.

Run it with ``python -m benchmarks.bench_speedups`` from the root of the repository (or ``make
bench``). Two measurements, both of whole training steps (forward, loss, backward, SGD) on random
images in float32 (for the data path see bench_loading.py):

- *one process*: model A of chapter 12, batch 64, one thread: as it is, with the memory layout
  channels-last, under autocast to bfloat16, with both, with two threads, and compiled by
  `torch.compile` (which needs a C++ compiler and takes its time first). The ways take turns, so
  that a busy machine slows all alike; the time is that of the clock.
- *two processes*: the same global batch by one process and by two, under torchrun, one thread each.
  The speed-up explorer of chapter 13 draws these points.

Nothing is promised about times, so nothing can miss its aim; only results that should be equal are
checked.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from benchmarks.report import environment, store
from course_utils.models import digit_cnn, digit_mlp

RESULT = Path(__file__).parent / "results" / "speedups.json"
BATCH = 64
ROUNDS = 25
EQUAL = {
    "channels-last": 1e-5,
    "bfloat16": 0.05,
    "both": 0.05,
    "compiled": 1e-5,
    "two threads": 1e-5,
}
# name → (model, images per step over all processes, steps): what the explorer shows
SHARED: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "CNN": (lambda: digit_cnn("A"), 256, 20),
    "MLP": (digit_mlp, 64, 300),
}


class Step:
    """One training step after the other on the same images. Called, it returns the logits."""

    def __init__(
        self,
        *,
        channels_last: bool = False,
        bfloat16: bool = False,
        compiled: bool = False,
        threads: int = 1,
    ) -> None:
        self.X, self.y = some_images(BATCH)
        torch.manual_seed(0)
        self.model = digit_cnn("A")
        if channels_last:
            self.X = self.X.to(memory_format=torch.channels_last)
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.bfloat16, self.threads = bfloat16, threads

    def __call__(self) -> Tensor:
        torch.set_num_threads(self.threads)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            logits = self.forward(self.X)
        loss = F.cross_entropy(logits.float(), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        torch.set_num_threads(1)
        return logits.detach().float()


def some_images(n: int) -> tuple[Tensor, Tensor]:
    """``n`` random images (n, 1, 28, 28) and labels (n,), the same every time."""
    generator = torch.Generator().manual_seed(0)
    X = torch.rand(n, 1, 28, 28, generator=generator)
    return X, torch.randint(0, 10, (n,), generator=generator)


def ways(compiler: bool) -> dict[str, Step]:
    made = {
        "plain": Step(),
        "channels-last": Step(channels_last=True),
        "bfloat16": Step(bfloat16=True),
        "both": Step(channels_last=True, bfloat16=True),
    }
    if (os.cpu_count() or 1) > 1:
        made["two threads"] = Step(threads=2)
    if compiler:
        made["compiled"] = Step(compiled=True)
    return made


def relative(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, divided by the largest value wanted."""
    return ((got - wanted).abs().max() / wanted.abs().max()).item()


def one_process() -> list[dict]:
    steps, first, apart = ways(has_compiler()), {}, {}
    for name, step in list(steps.items()):
        begin = time.perf_counter()
        try:
            logits = step()
        except Exception as error:  # a compiler that is there need not work
            if name != "compiled":
                raise
            print(f"torch.compile was left out: {type(error).__name__}")
            del steps[name]
            continue
        first[name] = time.perf_counter() - begin
        if name == "plain":
            wanted = logits
        apart[name] = relative(logits, wanted)
        step()  # warms up; a compiled model may compile once more
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(ROUNDS):
        for name in list(steps) if turn % 2 else list(steps)[::-1]:
            begin = time.perf_counter()
            steps[name]()
            times[name].append(time.perf_counter() - begin)
    return [row(name, times, first[name], apart[name]) for name in steps]


def row(name: str, times: dict[str, list[float]], first: float, apart: float) -> dict:
    """One line of the table; ratios are taken turn by turn."""
    ratios = [a / b for a, b in zip(times[name], times["plain"], strict=True)]
    tenths = statistics.quantiles(ratios, n=10)
    return {
        "way": name,
        "ms": 1e3 * statistics.median(times[name]),
        "ratio": statistics.median(ratios),
        "ratio_range": [tenths[0], tenths[-1]],
        "first_s": first,
        "apart": apart,
        "passed": apart <= EQUAL.get(name, 0),
    }


def has_compiler() -> bool:
    return any(map(shutil.which, (os.environ.get("CXX", ""), "c++", "g++", "clang++")))


# ------------------------------------------------------------------------------- two processes


def shared_step(name: str, rank: int, world: int) -> tuple[float, float]:
    """(milliseconds per step, loss in the fifth step) of this worker; the gradients are averaged.

    The fastest quarter of the steps: on a busy machine it says most about the machine itself.
    """
    make, batch, steps = SHARED[name]
    X, y = (part[rank::world] for part in some_images(batch))
    torch.manual_seed(0)
    model = make()
    parallel = DistributedDataParallel(model) if dist.is_initialized() else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    times, after_five = [], float("nan")
    for number in range(steps + 5):
        begin = time.perf_counter()
        loss = F.cross_entropy(parallel(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
        if number == 4:
            after_five = loss.item()
    return 1e3 * statistics.quantiles(times[5:], n=4)[0], after_five


def worker() -> None:
    """What each process does under torchrun; the first one prints what it has measured."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    measured = {}
    for name in SHARED:
        ms, loss = shared_step(name, rank, world)
        mean = torch.tensor(loss) / world
        dist.all_reduce(mean)
        measured[name] = (ms, mean.item())
    if rank == 0:
        print(json.dumps(measured), flush=True)
    dist.barrier()
    dist.destroy_process_group()


def two_processes() -> list[dict]:
    from course_utils.distributed.launch import run_torchrun

    runs: dict[int, list[dict]] = {1: [], 2: []}
    for turn in range(3):
        for workers in (1, 2) if turn % 2 else (2, 1):
            launch = run_torchrun(
                "", workers=workers, script="benchmarks.bench_speedups", echo=False, timeout=300
            )
            runs[workers].append(json.loads(launch.output.strip().splitlines()[-1]))
    return [shared_row(name, runs) for name in SHARED]


def shared_row(name: str, runs: dict[int, list[dict]]) -> dict:
    """One line for the model ``name``: the best of the runs with 1 and with 2 workers."""
    ms = {n: min(run[name][0] for run in runs[n]) for n in (1, 2)}
    ratios = [one[name][0] / two[name][0] for one, two in zip(runs[1], runs[2], strict=True)]
    apart = max(abs(one[name][1] - two[name][1]) for one, two in zip(runs[1], runs[2], strict=True))
    return {
        "model": name,
        "batch": SHARED[name][1],
        "parameters": sum(p.numel() for p in SHARED[name][0]().parameters()),
        "one_ms": ms[1],
        "two_ms": ms[2],
        "speedup": ms[1] / ms[2],
        "speedup_range": [min(ratios), max(ratios)],
        "apart": apart,
        "passed": apart <= 1e-5,
    }


def main() -> int:
    torch.set_num_threads(1)
    alone = one_process()
    print(f"{'model A, batch 64':<16}{'ms':>7}{'ratio':>8}{'8 of 10':>14}{'first':>9}{'apart':>9}")
    for line in alone:
        low, high = line["ratio_range"]
        verdict = "" if line["passed"] else "  FAILED"
        print(
            f"{line['way']:<16}{line['ms']:>8.1f}{line['ratio']:>8.2f}{low:>8.2f}-{high:.2f}"
            f"{line['first_s']:>8.1f}s{line['apart']:>9.0e}{verdict}"
        )
    if not has_compiler():
        print("torch.compile was left out: there is no C++ compiler on this machine")
    shared = two_processes()
    for line in shared:
        low, high = line["speedup_range"]
        verdict = "" if line["passed"] else "  FAILED"
        print(
            f"{line['model']}, batch {line['batch']}: 1 process {line['one_ms']:.2f} ms, "
            f"2 processes {line['two_ms']:.2f} ms, {line['speedup']:.2f} times as fast "
            f"({low:.2f}-{high:.2f} in three runs){verdict}"
        )
    here = environment() | {
        "processors": os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "date": time.strftime("%Y-%m-%d"),
    }
    passed = all(line["passed"] for line in alone + shared)
    report = {"environment": here, "passed": passed, "rows": alone, "shared": shared}
    return store(RESULT, report)


if __name__ == "__main__":
    sys.exit(worker() if dist.is_torchelastic_launched() else main())
