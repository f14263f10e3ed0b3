"""How long a check takes: of a right answer, and of a first wrong one, over every exercise.

Run it with ``python -m benchmarks exercises`` from the root of the repository. A first wrong answer
also waits for the solution and for the wrong programs, which are kept then; so each exercise is
measured in a process of its own, forked after PyTorch and its first optimizer have been imported.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from pathlib import Path

import torch

from benchmarks.report import environment, store
from course_utils.exercises import chapters, exercises_of, get_exercise
from course_utils.exercises.exercise import load
from course_utils.exercises.judging import judge

RESULT = Path(__file__).parent / "results" / "exercises.json"
RIGHT_MS, FIRST_WRONG_MS = 50, 1000
ROUNDS = 9
SHOWN = 10  # rows of the table


def measure(name: str) -> dict:
    """Milliseconds of checks in a fresh process; the first wrong program is the wrong answer."""
    exercise = get_exercise(name)
    wrong = load(next(exercise.programs())[1], exercise)
    begin = time.perf_counter()
    assert judge(exercise, wrong).state == "not yet"
    first_wrong = time.perf_counter() - begin
    answer, times = load(exercise.solution, exercise), []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        assert judge(exercise, answer).state == "correct"
        times.append(time.perf_counter() - begin)
    return {
        "name": name,
        "right_ms": 1e3 * statistics.median(times),
        "first_wrong_ms": 1e3 * first_wrong,
        "programs": len(list(exercise.programs())),
    }


def main() -> int:
    names = [exercise.name for chapter in chapters() for exercise in exercises_of(chapter)]
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)  # imports more of PyTorch
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        rows = pool.map(measure, names, chunksize=1)
    print(f"{'exercise':<24}{'right':>10}{'first wrong':>14}{'wrong programs':>17}")
    for row in sorted(rows, key=lambda row: -row["first_wrong_ms"])[:SHOWN]:
        print(
            f"{row['name']:<24}{row['right_ms']:>7.1f} ms{row['first_wrong_ms']:>11.0f} ms"
            f"{row['programs']:>17}"
        )
    right = statistics.median(row["right_ms"] for row in rows)
    slowest = max(row["first_wrong_ms"] for row in rows)
    print(f"… of {len(rows)} exercises, {sum(row['programs'] for row in rows)} wrong programs")
    print(f"median of the right ones {right:.1f} ms (aim: at most {RIGHT_MS})")
    print(f"slowest first wrong one {slowest:.0f} ms (aim: at most {FIRST_WRONG_MS})")
    passed = right <= RIGHT_MS and slowest <= FIRST_WRONG_MS
    report = {"environment": environment(), "right": right, "first_wrong": slowest}
    return store(RESULT, report | {"passed": passed, "rows": rows})


if __name__ == "__main__":
    raise SystemExit(main())
