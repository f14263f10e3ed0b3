"""An epoch of `training.fit` against the loop written by hand, over the same batches.

Run it with ``python -m benchmarks.bench_fit`` from the root of the repository. Images of MNIST's
size (random ones, the cost is the same), batches of 64. The hand-written loop keeps each loss, as
every such loop does; `fit` does all that it does by default, progress bar included. The two take
turns after every small piece of an epoch, so that a busy machine slows both alike; `fit` pays its
set-up in each piece. Time is processor time of one thread: on a quiet machine that is the time on
the clock, and on a busy one it does not count the waiting. The clock's ratio is given as well.
"""

from __future__ import annotations

import contextlib
import copy
import io
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.report import environment, store
from course_utils.data import Digits
from course_utils.models import digit_cnn, digit_mlp
from course_utils.training import fit

RESULT = Path(__file__).parent / "results" / "fit.json"
AIM = 1.05
# The plain network is the harder test: its steps are short, so what is around them counts more.
CASES = {
    "MLP 784-64-10": (digit_mlp, 6_000, 80),
    "CNN, model B": (lambda: digit_cnn("B"), 1_200, 30),
}
IMAGES = 60_000


def random_digits(n: int) -> Digits:
    generator = torch.Generator().manual_seed(0)
    X = torch.rand(n, 1, 28, 28, generator=generator)
    y = torch.randint(0, 10, (n,), generator=generator)
    return Digits("random", X, y, X[:1], y[:1], X[:1], y[:1])


def by_hand(model: nn.Module, loader, optimizer: torch.optim.Optimizer) -> list[float]:
    losses = []
    model.train()
    for X, y in loader:
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def with_fit(model: nn.Module, loader, optimizer: torch.optim.Optimizer) -> list[float]:
    with contextlib.redirect_stderr(io.StringIO()):  # the bar is drawn, but not shown
        return fit(model, loader, optimizer=optimizer, num_epochs=1).batch_loss


def measure(name: str) -> dict[str, float | str | bool]:
    make_model, piece, rounds = CASES[name]
    digits = random_digits(piece)
    torch.manual_seed(0)
    model = make_model()
    start = copy.deepcopy(model.state_dict())
    ways = {"hand": by_hand, "fit": with_fit}
    cpu: dict[str, list[float]] = {"hand": [], "fit": []}
    wall: dict[str, list[float]] = {"hand": [], "fit": []}
    same = True
    for turn in range(rounds + 1):
        losses = {}
        for way in ("hand", "fit") if turn % 2 else ("fit", "hand"):
            model.load_state_dict(start)  # the same weights at the same place in memory
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            loader = digits.loader("train", 64, seed=turn)
            begin = time.process_time(), time.perf_counter()
            losses[way] = ways[way](model, loader, optimizer)
            if turn:  # the first turn warms up
                cpu[way].append(time.process_time() - begin[0])
                wall[way].append(time.perf_counter() - begin[1])
        same &= losses["hand"] == losses["fit"]
    epoch = IMAGES / piece
    ratio = statistics.median(cpu["fit"]) / statistics.median(cpu["hand"])
    return {
        "case": name,
        "by_hand_s": epoch * statistics.median(cpu["hand"]),
        "fit_s": epoch * statistics.median(cpu["fit"]),
        "ratio": ratio,
        "wall_ratio": statistics.median(wall["fit"]) / statistics.median(wall["hand"]),
        "busy": sum(wall["hand"]) / sum(cpu["hand"]),
        "same_losses": same,
        "passed": same and ratio <= AIM,
    }


def main() -> int:
    torch.set_num_threads(1)
    rows = [measure(name) for name in CASES]
    print(f"{'epoch, 60,000 images':<24}{'by hand':>10}{'fit':>10}{'ratio':>8}{'by clock':>10}")
    for row in rows:
        verdict = "" if row["passed"] else "  FAILED"
        print(
            f"{row['case']:<24}{row['by_hand_s']:>8.2f} s{row['fit_s']:>8.2f} s"
            f"{row['ratio']:>8.3f}{row['wall_ratio']:>10.3f}{verdict}"
        )
    print(f"aim: at most {AIM}; clock / processor time: {max(row['busy'] for row in rows):.2f}")
    print("losses equal to the last bit:", all(row["same_losses"] for row in rows))
    passed = all(row["passed"] for row in rows)
    report = {"environment": environment(), "aim": AIM, "passed": passed, "rows": rows}
    return store(RESULT, report)


if __name__ == "__main__":
    raise SystemExit(main())
