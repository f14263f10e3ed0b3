"""Paths of 7 optimizers × 200 steps on a surface: `descend` against torch.optim + autograd.

Run it with ``python -m benchmarks.bench_paths`` from the root of the repository. It prints one
table, checks that both give the same path, and writes ``benchmarks/results/paths.json``.
The two are timed in turn, so that a busy machine slows both alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import environment, store
from course_utils.optimizers import OPTIMIZERS, Optimizer, make_optimizer
from course_utils.paths import descend
from course_utils.surfaces import Surface, get_surface

RESULT = Path(__file__).parent / "results" / "paths.json"
STEPS = 200
ROUNDS = 5
AIM = 10.0
RATES = {"ravine": 0.1, "Rosenbrock": 5e-4, "Beale": 5e-3, "Himmelblau": 5e-3}


def torch_path(
    surface: Surface, optimizer: Optimizer, num_steps: int = STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """The usual loop: points of shape (num_steps + 1, 2) and losses of shape (num_steps + 1,)."""
    w = torch.tensor(surface.start, dtype=torch.float64, requires_grad=True)
    reference = optimizer.to_torch([w])
    points, losses = [w.tolist()], []
    for _ in range(num_steps):
        reference.zero_grad()
        loss = surface.value(w[0], w[1])
        loss.backward()
        losses.append(loss.item())
        reference.step()
        points.append(w.tolist())
    losses.append(surface.value(w[0], w[1]).item())
    return np.array(points), np.array(losses)


def course_path(
    surface: Surface, optimizer: Optimizer, num_steps: int = STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """The same from `descend`."""
    path = descend(surface, optimizer, surface.start, num_steps)
    return path.points, path.losses


def milliseconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - begin)


def measure(name: str) -> dict[str, float | str]:
    surface = get_surface(name)
    rules = [make_optimizer(rule, lr=RATES[name]) for rule in OPTIMIZERS]
    gap = max(
        float(np.abs(ours - theirs).max())
        for rule in rules
        for ours, theirs in zip(course_path(surface, rule), torch_path(surface, rule), strict=True)
    )
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(milliseconds(lambda: [torch_path(surface, rule) for rule in rules]))
        ours.append(milliseconds(lambda: [course_path(surface, rule) for rule in rules]))
    return {
        "surface": name,
        "torch_ms": statistics.median(theirs),
        "course_ms": statistics.median(ours),
        "ratio": statistics.median(a / b for a, b in zip(theirs, ours, strict=True)),
        "largest_difference": gap,
    }


def main() -> int:
    torch.set_num_threads(1)
    rows = [measure(name) for name in RATES]
    print(f"{len(OPTIMIZERS)} optimizers × {STEPS} steps, median of {ROUNDS} rounds")
    print(f"{'surface':<12}{'torch.optim + autograd':>24}{'course':>12}{'ratio':>9}{'gap':>10}")
    for row in rows:
        print(
            f"{row['surface']:<12}{row['torch_ms']:>21.1f} ms{row['course_ms']:>9.2f} ms"
            f"{row['ratio']:>8.0f}x{row['largest_difference']:>10.0e}"
        )
    worst = min(row["ratio"] for row in rows)
    passed = worst >= AIM and all(row["largest_difference"] <= 1e-10 for row in rows)
    print(f"aim: at least {AIM:.0f}x, gap at most 1e-10: {'reached' if passed else 'MISSED'}")
    report = {
        "name": "paths",
        "optimizers": len(OPTIMIZERS),
        "steps": STEPS,
        "rounds": ROUNDS,
        "aim_ratio": AIM,
        "passed": passed,
        "rows": rows,
    }
    return store(RESULT, report | environment())


if __name__ == "__main__":
    raise SystemExit(main())
