"""32 and more learning rates at once (`sweeps.sweep_lrs`) against one training after the other.

Run it with ``python -m benchmarks.bench_sweep`` from the root of the repository. The network of
chapter 08 (49-32-10, the real digits with 7x7 pixels) in float32, as the live sweep trains it. The
loop is the plain one: a fresh copy of the model and a fresh ``torch.optim`` optimizer for each
rate, over the same mini-batches. Both ways keep every loss, and these must be equal to 1e-5. The
two take turns, so that a busy machine slows both alike. Time is processor time of one thread: on a
quiet machine that is the time on the clock, and on a busy one it does not count the waiting.
"""

from __future__ import annotations

import copy
import itertools
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.report import environment, store
from course_utils.optimizers import make_optimizer
from course_utils.playgrounds.batch_lr_compute import pooled_digits, small_network
from course_utils.sweeps import sweep_lrs

RESULT = Path(__file__).parent / "results" / "sweep.json"
AIM = 4.0
EQUAL = 1e-5
ROUNDS = 5
UPDATES = 60
# optimizer, its highest rate (beyond it trainings diverge, and equal means nothing), rates, batch
CASES = (
    ("SGD", 0.5, 32, 16),
    ("SGD", 0.5, 64, 16),
    ("Momentum", 0.05, 32, 16),
    ("Adam", 0.01, 32, 16),
    ("Adam", 0.01, 64, 32),
)


def some_batches(batch_size: int, updates: int = UPDATES) -> list[tuple[Tensor, Tensor]]:
    """As many mini-batches as updates, epoch after epoch in the same order."""
    data = pooled_digits(torch.float32)
    order = torch.randperm(len(data.y_train), generator=torch.Generator().manual_seed(0))
    parts = [part for part in order.split(batch_size) if len(part) == batch_size]
    chosen = itertools.islice(itertools.cycle(parts), updates)
    return [(data.X_train[part], data.y_train[part]) for part in chosen]


def one_by_one(model: nn.Module, batches: list, lrs: np.ndarray, optimizer: str) -> np.ndarray:
    table = []
    for lr in lrs:
        twin, losses = copy.deepcopy(model), []
        steps = make_optimizer(optimizer, lr=float(lr)).to_torch(twin.parameters())
        for X, y in batches:
            loss = F.cross_entropy(twin(X), y)
            steps.zero_grad()
            loss.backward()
            steps.step()
            losses.append(loss.item())
        table.append(losses)
    return np.array(table)


def at_once(model: nn.Module, batches: list, lrs: np.ndarray, optimizer: str) -> np.ndarray:
    return sweep_lrs(model, batches, lrs, optimizer).loss


def measure(optimizer: str, highest: float, rates: int, batch_size: int) -> dict:
    model, batches = small_network(), some_batches(batch_size)
    lrs = np.geomspace(highest / 1000, highest, rates)
    ways = {"loop": one_by_one, "sweep": at_once}
    cpu: dict[str, list[float]] = {"loop": [], "sweep": []}
    wall: dict[str, list[float]] = {"loop": [], "sweep": []}
    apart = 0.0
    for turn in range(ROUNDS + 1):
        losses = {}
        for way in ("loop", "sweep") if turn % 2 else ("sweep", "loop"):
            begin = time.process_time(), time.perf_counter()
            losses[way] = ways[way](model, batches, lrs, optimizer)
            if turn:  # the first turn warms up
                cpu[way].append(time.process_time() - begin[0])
                wall[way].append(time.perf_counter() - begin[1])
        apart = max(apart, float(np.abs(losses["loop"] - losses["sweep"]).max()))
    ratio = statistics.median(cpu["loop"]) / statistics.median(cpu["sweep"])
    return {
        "case": f"{optimizer}, {rates} rates, batch {batch_size}",
        "loop_s": statistics.median(cpu["loop"]),
        "sweep_s": statistics.median(cpu["sweep"]),
        "ratio": ratio,
        "wall_ratio": statistics.median(wall["loop"]) / statistics.median(wall["sweep"]),
        "apart": apart,
        "passed": ratio >= AIM and apart <= EQUAL,
    }


def main() -> int:
    torch.set_num_threads(1)
    rows = [measure(*case) for case in CASES]
    title = f"{UPDATES} updates, network 49-32-10"
    print(f"{title:<32}{'one by one':>11}{'at once':>10}{'times':>7}{'clock':>7}{'apart':>9}")
    for row in rows:
        verdict = "" if row["passed"] else "  FAILED"
        print(
            f"{row['case']:<32}{row['loop_s']:>9.2f} s{row['sweep_s']:>8.3f} s"
            f"{row['ratio']:>7.1f}{row['wall_ratio']:>7.1f}{row['apart']:>9.0e}{verdict}"
        )
    print(f"aim: at least {AIM:g} times faster, losses equal to {EQUAL:g}")
    passed = all(row["passed"] for row in rows)
    report = {"environment": environment(), "aim": AIM, "passed": passed, "rows": rows}
    return store(RESULT, report)


if __name__ == "__main__":
    raise SystemExit(main())
