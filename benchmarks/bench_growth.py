"""How the cost of optimizer paths and of many-rates sweeps grows with their size.

Run it with ``python -m benchmarks.bench_growth`` from the root of the repository. It takes the
ways of `bench_paths` and `bench_sweep`, which hold that both give the same numbers, and goes
through growing sizes: paths of 50 to 3200 steps (all optimizers, `descend` against torch.optim +
autograd), sweeps of 1 to 64 learning rates, and 32 rates over 15 to 480 updates (`sweep_lrs`
against one training after the other).

The two ways take turns, and so do the sizes. Time is processor time of one thread, the shortest
over the turns; what lasts only an instant is repeated within its turn. Two laws are fitted to the
times of each way, cost ~ size^k and cost = fixed + size · each, both by least squares of the
relative errors (for the power: of the logarithms). The one whose largest miss is smaller is said
to fit better.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.bench_paths import RATES, course_path, torch_path
from benchmarks.bench_sweep import at_once, one_by_one, some_batches
from benchmarks.report import environment, store
from course_utils.optimizers import OPTIMIZERS, make_optimizer
from course_utils.playgrounds.batch_lr_compute import small_network
from course_utils.surfaces import get_surface

RESULT = Path(__file__).parent / "results" / "growth.json"
STEPS = (50, 100, 200, 400, 800, 1600, 3200)
SURFACES = ("Rosenbrock", "Beale")  # the cheapest and the dearest for autograd
RATE_COUNTS = (1, 2, 4, 8, 16, 32, 64)
UPDATES = (15, 30, 60, 120, 240, 480)
# SGD up to this rate: beyond it trainings diverge
HIGHEST, BATCH_SIZE, FIXED_UPDATES, FIXED_RATES = 0.5, 16, 60, 32
TURNS = 3
SHORTEST = 0.02  # seconds that a timed piece lasts at least
AIM_PATHS, AIM_SWEEP = 10.0, 4.0

Way = Callable[[int], object]


@dataclass(frozen=True)
class PowerLaw:
    """cost = factor · size^exponent; miss: its largest relative error, 0.1 for 10 %."""

    factor: float
    exponent: float
    miss: float


@dataclass(frozen=True)
class Line:
    """cost = fixed + each · size, neither below 0; miss: its largest relative error."""

    fixed: float
    each: float
    miss: float


def checked(sizes: Sequence[float], costs: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(sizes, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(np.unique(x)) < 3:
        raise ValueError(
            f"a fit needs a cost for each of at least 3 different sizes, got {len(y)} costs "
            f"for the sizes {x.tolist()}"
        )
    if not (np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)).all():
        raise ValueError(
            f"sizes and costs must be finite and above 0, got {x.tolist()} and {y.tolist()}"
        )
    return x, y


def largest_miss(law: np.ndarray, costs: np.ndarray) -> float:
    return float(np.abs(law / costs - 1).max())


def fit_power(sizes: Sequence[float], costs: Sequence[float]) -> PowerLaw:
    """The power law through (size, cost), by least squares of the logarithms.

    Raises ValueError for fewer than 3 different sizes and for anything that is not above 0.
    """
    x, y = checked(sizes, costs)
    exponent, offset = np.polyfit(np.log(x), np.log(y), 1)
    factor = float(np.exp(offset))
    return PowerLaw(factor, float(exponent), largest_miss(factor * x**exponent, y))


def fit_line(sizes: Sequence[float], costs: Sequence[float]) -> Line:
    """The line through (size, cost), by least squares of the relative errors. Same errors.

    A fixed cost or a cost for each below 0 makes no sense: then it is 0, and the other one is the
    best for that.
    """
    x, y = checked(sizes, costs)
    columns = np.stack([1 / y, x / y], axis=1)
    fixed, each = np.linalg.lstsq(columns, np.ones_like(y), rcond=None)[0]
    if fixed < 0 or each < 0:
        rest = columns[:, 1] if fixed < 0 else columns[:, 0]
        best = rest.sum() / (rest @ rest)
        fixed, each = (0.0, best) if fixed < 0 else (best, 0.0)
    return Line(float(fixed), float(each), largest_miss(fixed + each * x, y))


def span(seconds: float) -> str:
    """A time with a unit in which it is easy to read."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def words(way: str, unit: str, power: PowerLaw, line: Line) -> str:
    """What the two fits say of one way, the better one last."""
    by_power = f"cost ~ {unit}s^{power.exponent:.2f} (off by up to {100 * power.miss:.1f} %)"
    by_line = f"{span(line.each)} per {unit} (off by up to {100 * line.miss:.1f} %)"
    if line.fixed:
        by_line = f"a fixed {span(line.fixed)} plus {by_line}"
    first, second = (by_power, by_line) if line.miss < power.miss else (by_line, by_power)
    return f"{way}: {first}; better: {second}"


def pays_from(sizes: Sequence[int], ratios: Sequence[float]) -> int | None:
    """The smallest size from which on every ratio is above 1; None when the last one is not."""
    pays = None
    for size, ratio in sorted(zip(sizes, ratios, strict=True), reverse=True):
        if not ratio > 1:
            break
        pays = size
    return pays


def processor_time(call: Callable[[], object]) -> float:
    """Processor seconds of one call, which is repeated until SHORTEST is over."""
    count, begin = 0, time.process_time()
    while True:
        call()
        count += 1
        spent = time.process_time() - begin
        if spent >= SHORTEST:
            return spent / count


def times(ways: dict[str, Way], sizes: Sequence[int], turns: int) -> dict[str, list[float]]:
    """way -> shortest processor seconds for each size; the ways and the sizes take turns."""
    for way in ways.values():
        way(sizes[0])  # warms up
    best = {name: [float("inf")] * len(sizes) for name in ways}
    for turn in range(turns):
        for index, size in enumerate(sizes):
            for name in list(ways)[:: 1 if turn % 2 else -1]:
                best[name][index] = min(
                    best[name][index], processor_time(partial(ways[name], size))
                )
    return best


def path_ways(surface_name: str) -> dict[str, Way]:
    """Both ways to walk all optimizers' paths of so many steps."""
    surface = get_surface(surface_name)
    rules = [make_optimizer(rule, lr=RATES[surface_name]) for rule in OPTIMIZERS]

    def walk(way: Callable, num_steps: int) -> None:
        for rule in rules:
            points, _ = way(surface, rule, num_steps)
            if len(points) != num_steps + 1 or not np.isfinite(points[-1]).all():
                # a path that ends early costs less than it should
                raise RuntimeError(f"{rule} on {surface_name} diverged within {num_steps} steps")

    return {"torch.optim": partial(walk, torch_path), "course": partial(walk, course_path)}


def sweep_ways(count_rates: Callable[[int], int], count_updates: Callable[[int], int]):
    """Both ways to train with many rates; how many, and how long, for a size."""
    every = some_batches(BATCH_SIZE, max(map(count_updates, (*RATE_COUNTS, *UPDATES))))

    def train(way: Callable, size: int) -> None:
        lrs = np.geomspace(HIGHEST, HIGHEST / 1000, count_rates(size))
        losses = way(small_network(), every[: count_updates(size)], lrs, "SGD")
        if losses.shape != (count_rates(size), count_updates(size)):
            raise RuntimeError(f"losses of shape {losses.shape} for size {size}")

    return {"one by one": partial(train, one_by_one), "at once": partial(train, at_once)}


def series(
    title: str, unit: str, ways: dict[str, Way], sizes: Sequence[int], aim: float, aim_from: int
) -> dict:
    """Measure one comparison (the first way against the second), print its table and its words."""
    found = times(ways, sizes, TURNS)
    theirs, ours = ways
    ratios = [a / b for a, b in zip(found[theirs], found[ours], strict=True)]
    fits = {way: (fit_power(sizes, found[way]), fit_line(sizes, found[way])) for way in ways}
    worst = min(ratio for size, ratio in zip(sizes, ratios, strict=True) if size >= aim_from)
    passed = worst >= aim
    print(f"\n{title}")
    print(f"{unit + 's':>9}{theirs:>15}{ours:>15}{'ratio':>10}")
    for row in zip(sizes, found[theirs], found[ours], ratios, strict=True):
        print(f"{row[0]:>9}{span(row[1]):>15}{span(row[2]):>15}{row[3]:>9.1f}x")
    for way in ways:
        print(words(way, unit, *fits[way]))
    pays = pays_from(sizes, ratios)
    if pays != sizes[0]:
        print(f"{ours} is slower below {pays} {unit}s" if pays else f"{ours} is slower")
    verdict = "reached" if passed else "MISSED"
    print(f"aim: at least {aim:g}x from {aim_from} {unit}s on: {verdict}", flush=True)
    return {
        "title": title,
        "unit": unit,
        "sizes": list(sizes),
        "seconds": found,
        "ratio": ratios,
        "pays_from": pays,
        "power": {way: asdict(fits[way][0]) for way in ways},
        "line": {way: asdict(fits[way][1]) for way in ways},
        "aim": aim,
        "aim_from": aim_from,
        "passed": passed,
    }


def main() -> int:
    torch.set_num_threads(1)
    print(f"processor time, the shortest of {TURNS} turns", flush=True)
    rows = []
    for name in SURFACES:
        title = f"paths of {len(OPTIMIZERS)} optimizers on {name}"
        rows.append(series(title, "step", path_ways(name), STEPS, AIM_PATHS, STEPS[-1]))
    title = f"SGD on the network 49-32-10, {FIXED_UPDATES} updates with each rate"
    ways = sweep_ways(lambda size: size, lambda size: FIXED_UPDATES)
    rows.append(series(title, "rate", ways, RATE_COUNTS, AIM_SWEEP, FIXED_RATES))
    title = f"SGD on the network 49-32-10, {FIXED_RATES} rates"
    ways = sweep_ways(lambda size: FIXED_RATES, lambda size: size)
    rows.append(series(title, "update", ways, UPDATES, AIM_SWEEP, UPDATES[-1]))
    passed = all(row["passed"] for row in rows)
    report = {"environment": environment(), "turns": TURNS, "passed": passed, "series": rows}
    return store(RESULT, report)


if __name__ == "__main__":
    raise SystemExit(main())
