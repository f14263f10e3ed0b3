"""What the speed-up benchmark compares is equal: the same steps, made in several ways."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from benchmarks import bench_speedups
from course_utils.playgrounds.speedup import MEASURED


@pytest.fixture(autouse=True)
def one_thread_before_and_after():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_all_ways_compute_the_same():
    steps = bench_speedups.ways(compiler=False)
    assert {"plain", "channels-last", "bfloat16", "both"} <= set(steps)
    wanted = steps["plain"]()
    for name, step in list(steps.items())[1:]:
        assert bench_speedups.relative(step(), wanted) <= bench_speedups.EQUAL[name]
    assert steps["both"].X.is_contiguous(memory_format=torch.channels_last)


def test_a_row_takes_its_ratios_turn_by_turn():
    times = {"plain": [1.0, 2.0, 4.0], "way": [0.5, 1.0, 2.0]}
    row = bench_speedups.row("way", times, first=3.0, apart=0.0)
    assert row["ratio"] == 0.5 and row["ratio_range"] == [0.5, 0.5]
    assert row["ms"] == 1000.0 and row["passed"]
    assert not bench_speedups.row("both", times | {"both": [1.0] * 3}, 0.0, 0.2)["passed"]


def test_the_shares_of_two_processes_are_the_whole_batch():
    X, y = bench_speedups.some_images(64)
    parts = [(X[rank::2], y[rank::2]) for rank in range(2)]
    assert torch.equal(torch.stack([p[1] for p in parts], 1).flatten(), y)
    torch.manual_seed(0)
    model = bench_speedups.SHARED["MLP"][0]()
    whole = F.cross_entropy(model(X), y)
    mean = sum(F.cross_entropy(model(a), b) for a, b in parts) / 2
    torch.testing.assert_close(mean, whole)


def test_a_row_of_two_processes():
    runs = {
        1: [{"CNN": (100.0, 2.0)}, {"CNN": (120.0, 2.0)}],
        2: [{"CNN": (60.0, 2.0)}, {"CNN": (50.0, 2.0)}],
    }
    row = bench_speedups.shared_row("CNN", runs)
    assert (row["one_ms"], row["two_ms"], row["speedup"]) == (100.0, 50.0, 2.0)
    assert row["passed"] and row["parameters"] == 421_642
    runs[2][0]["CNN"] = (60.0, 2.1)
    assert not bench_speedups.shared_row("CNN", runs)["passed"]


def test_the_explorer_shows_these_cases():
    assert {(case.name, case.batch) for case in MEASURED} == {
        (name, batch) for name, (_, batch, _) in bench_speedups.SHARED.items()
    }
