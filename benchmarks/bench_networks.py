"""Models A and B and the residual network of chapter 12, trained alike: size, accuracy and time.

Run it with ``python -m benchmarks.bench_networks`` from the root of the repository. All three get
the recipe of chapter 12 in float32: the 1,257 training images, standardised, moved by up to 2
pixels, Adam with one cycle to 0.003 over 8 epochs, batches of 32. Three seeds each; the networks
take turns. Counted are errors among the 180 validation images, as they are and moved to the left
and to the right by 3 pixels (360 images); the test images stay closed. Time is processor time of
one thread, training alone.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.bench_mnist import RandomShift, Standardize
from benchmarks.report import environment, store
from course_utils.data import Digits, digits
from course_utils.models import digit_cnn, digit_resnet
from course_utils.training import evaluate, fit

RESULT = Path(__file__).parent / "results" / "networks.json"
NETWORKS = {
    "A": lambda: digit_cnn("A"),
    "B": lambda: digit_cnn("B"),
    "residual": digit_resnet,
}
SEEDS, EPOCHS, BATCH, RATE = 3, 8, 32, 0.003
MOVED = (3, -3)
MOST_WRONG = 9  # of 180, with each seed: none of the three may fail at its task


def train(name: str, data: Digits, seed: int) -> dict:
    """One training, and what it has come to."""
    torch.manual_seed(seed)
    network = nn.Sequential(Standardize(data.X_train), NETWORKS[name]())
    loader = data.loader("train", BATCH, seed=seed)
    optimizer = torch.optim.Adam(network.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * len(loader))
    begin = time.process_time()
    fit(
        nn.Sequential(RandomShift(2), network), loader, optimizer=optimizer, scheduler=cycle,
        step_scheduler="batch", num_epochs=EPOCHS, progress=False,
    )  # fmt: skip
    seconds = time.process_time() - begin
    moved = sum(errors(network, F.pad(data.X_val, (k, -k)), data.y_val) for k in MOVED)
    return {
        "network": name,
        "seed": seed,
        "parameters": sum(p.numel() for p in network.parameters()),
        "wrong": errors(network, data.X_val, data.y_val),
        "wrong_moved": moved,
        "seconds": round(seconds, 2),
    }


def errors(network: nn.Module, X: torch.Tensor, y: torch.Tensor) -> int:
    return round(len(y) * (1 - evaluate(network, [(X, y)]).accuracy))


def summary(rows: list[dict], name: str) -> str:
    mine = [row for row in rows if row["network"] == name]
    wrong, moved = ([row[key] for row in mine] for key in ("wrong", "wrong_moved"))
    seconds = statistics.median(row["seconds"] for row in mine)
    return f"{name:<9}{mine[0]['parameters']:>11,}{wrong!s:>16}{moved!s:>16}{seconds:>11.1f} s"


def main() -> int:
    torch.set_num_threads(1)
    data = digits("embedded", dtype=torch.float32)
    rows = []
    for seed in range(SEEDS):
        for name in NETWORKS:
            rows.append(train(name, data, seed))
            print(rows[-1], file=sys.stderr, flush=True)
    print(
        f"{'network':<9}{'parameters':>11}{'wrong of 180':>16}{'moved: of 360':>16}{'training':>13}"
    )
    for name in NETWORKS:
        print(summary(rows, name))
    passed = all(row["wrong"] <= MOST_WRONG for row in rows)
    return store(RESULT, {"passed": passed, "rows": rows, "environment": environment()})


if __name__ == "__main__":
    sys.exit(main())
