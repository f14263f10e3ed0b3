"""The growth benchmark's fits on costs whose law is known, and its ways at small sizes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks import bench_growth
from benchmarks.bench_growth import Line, PowerLaw, fit_line, fit_power, pays_from, span, words

SIZES = np.array([50, 100, 200, 400, 800, 1600, 3200])


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 0.5, 1.0, 2.0])
def test_a_power_law_is_found(exponent):
    found = fit_power(SIZES, 3e-6 * SIZES**exponent)
    assert found.exponent == pytest.approx(exponent, abs=1e-12)
    assert found.factor == pytest.approx(3e-6)
    assert found.miss < 1e-12


def test_the_exponent_is_that_of_the_least_squares_in_the_logarithms():
    noise = np.exp(0.1 * np.random.default_rng(0).standard_normal(len(SIZES)))
    costs = 2e-5 * SIZES**0.8 * noise
    x, y = np.log(SIZES) - np.log(SIZES).mean(), np.log(costs)
    found = fit_power(SIZES, costs)
    assert found.exponent == pytest.approx((x @ y) / (x @ x))
    assert abs(found.exponent - 0.8) < 0.1
    worst = np.abs(found.factor * SIZES**found.exponent / costs - 1).max()
    assert found.miss == pytest.approx(worst) and worst > 0.01


@pytest.mark.parametrize(("fixed", "each"), [(1e-3, 2e-6), (0.0, 2e-6), (5e-4, 0.0)])
def test_a_line_is_found(fixed, each):
    found = fit_line(SIZES, fixed + each * SIZES)
    assert found.fixed == pytest.approx(fixed, abs=1e-12)
    assert found.each == pytest.approx(each, abs=1e-15)
    assert found.miss < 1e-9


def test_small_sizes_count_as_much_as_large_ones():
    costs = 1e-3 + 2e-6 * SIZES
    costs[-1] *= 1.02  # with absolute errors this one would decide the fixed part
    found = fit_line(SIZES, costs)
    assert found.fixed == pytest.approx(1e-3, rel=0.02)


@pytest.mark.parametrize(
    "costs", [2e-6 * SIZES - 5e-5, 1e-3 + 1e-4 * (SIZES[0] / SIZES)], ids=["fixed", "each"]
)
def test_no_part_of_a_line_is_below_0(costs):
    found = fit_line(SIZES, costs)
    assert min(found.fixed, found.each) == 0.0 < max(found.fixed, found.each)
    # the best of its kind: a little more or less of it fits worse
    column = SIZES if found.each else np.ones(len(SIZES))
    value = max(found.fixed, found.each)
    errors = [((k * value * column / costs - 1) ** 2).sum() for k in (0.99, 1.0, 1.01)]
    assert errors[1] < min(errors[0], errors[2])


def test_each_law_misses_what_follows_the_other():
    straight, bent = 1e-3 + 2e-6 * SIZES, 2e-6 * SIZES**1.5
    assert fit_line(SIZES, straight).miss < 1e-9 < 0.1 < fit_power(SIZES, straight).miss
    assert fit_power(SIZES, bent).miss < 1e-9 < 0.1 < fit_line(SIZES, bent).miss


@pytest.mark.parametrize("fit", [fit_power, fit_line])
@pytest.mark.parametrize(
    ("sizes", "costs", "message"),
    [
        ([1, 2], [1, 2], "at least 3 different sizes, got 2 costs for the sizes"),
        ([1, 1, 2], [1, 2, 3], "at least 3 different sizes"),
        ([1, 2, 3], [1, 2], r"got 2 costs for the sizes \[1.0, 2.0, 3.0\]"),
        ([1, 2, 3], [1, 0, 3], r"finite and above 0, got .* and \[1.0, 0.0, 3.0\]"),
        ([0, 2, 3], [1, 2, 3], "finite and above 0"),
        ([1, 2, 3], [1, float("nan"), 3], "finite and above 0"),
    ],
)
def test_what_cannot_be_fitted(fit, sizes, costs, message):
    with pytest.raises(ValueError, match=message):
        fit(sizes, costs)


def test_the_words_name_the_better_law_last():
    line = Line(1.5e-4, 7.1e-6, 0.02)
    assert words("course", "step", PowerLaw(1.0, 0.94, 0.07), line) == (
        "course: cost ~ steps^0.94 (off by up to 7.0 %); better: "
        "a fixed 150 µs plus 7.1 µs per step (off by up to 2.0 %)"
    )
    assert words("course", "rate", PowerLaw(1.0, 2.0, 0.01), Line(0.0, 7.1e-6, 0.02)) == (
        "course: 7.1 µs per rate (off by up to 2.0 %); better: "
        "cost ~ rates^2.00 (off by up to 1.0 %)"
    )


def test_times_are_easy_to_read():
    assert [span(t) for t in (2.1, 0.0354, 4.54e-4, 7.1e-6)] == [
        "2.1 s", "35.4 ms", "454 µs", "7.1 µs",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ratios", "size"),
    [([2, 3, 4], 1), ([0.5, 1.0, 4], 4), ([2, 0.9, 4], 4), ([2, 2, 1.0], None)],
)
def test_where_it_begins_to_pay(ratios, size):
    assert pays_from([1, 2, 4], ratios) == size


def test_ways_and_sizes_take_turns_and_the_shortest_counts(monkeypatch):
    calls, clock = [], [0.0]
    costs = iter([9, 9, *[4, 5, 6, 7], *[3, 8, 7, 6]])  # two to warm up, then two turns

    def way(name):
        def call(size):
            calls.append((name, size))
            clock[0] += next(costs)

        return call

    monkeypatch.setattr(bench_growth.time, "process_time", lambda: clock[0])
    found = bench_growth.times({"a": way("a"), "b": way("b")}, [1, 2], 2)
    assert calls[2:6] == [("b", 1), ("a", 1), ("b", 2), ("a", 2)]
    assert calls[6:] == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert found == {"a": [3, 7], "b": [4, 6]}


def test_what_is_quick_is_repeated(monkeypatch):
    clock = [0.0]

    def call():
        clock[0] += bench_growth.SHORTEST / 4

    monkeypatch.setattr(bench_growth.time, "process_time", lambda: clock[0])
    assert bench_growth.processor_time(call) == pytest.approx(bench_growth.SHORTEST / 4)
    assert clock[0] == pytest.approx(bench_growth.SHORTEST)


def test_a_path_that_ends_early_is_refused(monkeypatch):
    monkeypatch.setitem(bench_growth.RATES, "Beale", 10.0)
    with pytest.raises(RuntimeError, match=r"on Beale diverged within 50 steps"):
        bench_growth.path_ways("Beale")["course"](50)


@pytest.mark.parametrize("aim", [0.0, 1e9])
def test_a_whole_run_with_small_sizes(monkeypatch, tmp_path, capsys, aim):
    threads = torch.get_num_threads()
    monkeypatch.setattr(bench_growth, "RESULT", tmp_path / "results" / "growth.json")
    monkeypatch.setattr(bench_growth, "STEPS", (2, 4, 8))
    monkeypatch.setattr(bench_growth, "RATE_COUNTS", (1, 2, 3))
    monkeypatch.setattr(bench_growth, "UPDATES", (1, 2, 3))
    monkeypatch.setattr(bench_growth, "FIXED_RATES", 3)
    monkeypatch.setattr(bench_growth, "FIXED_UPDATES", 2)
    monkeypatch.setattr(bench_growth, "SHORTEST", 0.0)
    monkeypatch.setattr(bench_growth, "TURNS", 1)
    monkeypatch.setattr(bench_growth, "AIM_PATHS", aim)
    monkeypatch.setattr(bench_growth, "AIM_SWEEP", aim)
    try:
        status = bench_growth.main()
    finally:
        torch.set_num_threads(threads)
    out = capsys.readouterr().out
    report = json.loads(bench_growth.RESULT.read_text())
    assert status == int(aim > 0) and report["passed"] is (aim == 0)
    assert out.count("MISSED") == (4 if aim else 0) and out.count("better: ") == 8
    assert [row["unit"] for row in report["series"]] == ["step", "step", "rate", "update"]
    for row in report["series"]:
        theirs, ours = row["seconds"].values()
        assert len(theirs) == len(ours) == len(row["sizes"]) == 3
        assert row["ratio"] == pytest.approx([a / b for a, b in zip(theirs, ours, strict=True)])
        assert set(row["power"]) == set(row["line"]) == set(row["seconds"])
