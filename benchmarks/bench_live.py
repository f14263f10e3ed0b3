"""The live engine in a real JupyterLab and Chromium, against `interact` and against the echo floor.

Run it with ``python -m benchmarks.bench_live`` (or ``make bench``). All ways show the same picture:
contours, the paths of five optimizers, their loss curves. They are measured in turns, so a busy
machine slows all alike; the echo floor is a slider whose callback sets a Label.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from benchmarks.live_page import (
    CANCEL,
    CELLS,
    FLOOD,
    INTERACT,
    MARK_OUTPUT,
    ORDER,
    PAUSE,
    RATE,
    census,
    echo,
    press,
)
from benchmarks.report import environment, store
from tests.browser.lab import LabPage, chromium, lab_server, write_notebook

RESULT = Path(__file__).parent / "results" / "live.json"
ROUNDS, PRESSES = 3, 20  # 60 key presses of each kind
TRAINING = (".bench-training", ".bench-training .course-live canvas")


def median(times: list[float]) -> float:
    return statistics.median(times)


def measure_latency(page: LabPage) -> dict[str, float]:
    ways: dict[str, list[float]] = {"echo": [], "ours": [], "interact": []}
    page.page.evaluate(MARK_OUTPUT)
    for _ in range(ROUNDS):
        ways["echo"] += echo(page, PRESSES, PAUSE)
        ways["ours"] += press(page, *RATE, PRESSES, PAUSE)
        ways["interact"] += press(page, *INTERACT, PRESSES, PAUSE)
    result = {name: median(times) for name, times in ways.items()}
    result["times_faster"] = result["interact"] / result["ours"]
    result["times_echo"] = result["ours"] / result["echo"]
    result["presses"] = len(ways["ours"])
    return result


def measure_flood(page: LabPage, floor: float) -> dict[str, float | bool]:
    delays, ordered, frames = [], True, []
    for _ in range(ROUNDS):
        seen = page.page.evaluate(FLOOD, [*RATE[:2], 120, 2.0, 30])
        generations = [generation for _, generation, _ in seen["painted"]]
        newest = generations[-1]
        shown = next(when for when, generation, _ in seen["painted"] if generation == newest)
        wanted = page.kernel("print(ours.values['lr'])").strip()
        ordered &= generations == sorted(generations)
        ordered &= json.loads(seen["painted"][-1][2])["lr"] == float(wanted)
        delays.append(max(0.0, shown - seen["last"]))
        frames.append(len(generations))
    worst, bound = max(delays), 2 * floor + 150
    return {
        "median_ms": median(delays),
        "worst_ms": worst,
        "bound_ms": bound,
        "frames": median(frames),
        "last_value_wins": ordered,
        "passed": bool(ordered and worst <= bound),
    }


def measure_training(page: LabPage, idle: float) -> dict[str, float]:
    label = page.page.get_attribute(TRAINING[1], "aria-label")
    page.kernel("training.restart()")
    page.page.wait_for_function(
        "([canvas, label]) => document.querySelector(canvas).getAttribute('aria-label') !== label",
        arg=[TRAINING[1], label],
    )
    first, busy = [], []
    for _ in range(ROUNDS):
        first += page.page.evaluate(CANCEL, [TRAINING[0], 0, 8, 500, 4])
        busy += echo(page, 8, 150)
    state = page.kernel("print(training.state)").strip()
    page.kernel("training.stop()")
    return {
        "first_loss_ms": median(first),
        "echo_ms": median(busy),
        "idle_echo_ms": idle,
        "times_idle_echo": median(busy) / idle,
        "still_training": state == "running",
    }


def measure_reruns(page: LabPage) -> dict[str, dict[str, float]]:
    growth = {}
    for name in ("ours", "training"):
        for _ in range(2):
            page.run_cell(ORDER.index(name))
        before = census(page)
        for _ in range(10):
            page.run_cell(ORDER.index(name))
        after = census(page)
        growth[name] = {key: after[key] - before[key] for key in before}
    return growth


def measure(subshells: bool) -> dict:
    with (
        tempfile.TemporaryDirectory() as folder,
        lab_server(Path(folder), subshells=subshells) as url,
        chromium() as browser,
    ):
        write_notebook(Path(folder, "bench.ipynb"), *CELLS.values())
        page = LabPage(browser.new_page(), url, "bench.ipynb")
        page.run_all()
        if page.errors():
            raise RuntimeError("\n".join(page.errors()))
        for selector in (RATE[1], TRAINING[1]):
            page.page.wait_for_selector(f"{selector}[data-format=png]", state="attached")
        latency = measure_latency(page)
        return {
            "subshells": subshells,
            "latency": latency,
            "flood": measure_flood(page, latency["echo"]),
            "training": measure_training(page, latency["echo"]),
            "reruns": measure_reruns(page),
        }


def verdicts(run: dict) -> list[tuple[str, str, str, bool]]:
    """(what, measured, wanted, reached) for each measure."""
    latency, flood, training = run["latency"], run["flood"], run["training"]
    rows = [
        ("slider to repaint, ours", f"{latency['ours']:.1f} ms", "", True),
        ("the same, interact + inline", f"{latency['interact']:.1f} ms", "", True),
        ("the same, echo floor", f"{latency['echo']:.1f} ms", "", True),
        (
            "faster than interact",
            f"{latency['times_faster']:.1f}x",
            ">= 5x",
            latency["times_faster"] >= 5,
        ),
        (
            "times the echo floor",
            f"{latency['times_echo']:.2f}x",
            "<= 2x",
            latency["times_echo"] <= 2,
        ),
        (
            "flood: last value on screen after",
            f"{flood['worst_ms']:.0f} ms",
            f"<= {flood['bound_ms']:.0f} ms",
            flood["passed"],
        ),
        (
            "flood: nothing older afterwards",
            str(flood["last_value_wins"]),
            "True",
            flood["last_value_wins"],
        ),
        (
            "training: first new loss after",
            f"{training['first_loss_ms']:.0f} ms",
            "<= 150 ms",
            training["first_loss_ms"] <= 150,
        ),
        (
            "training: echo, times idle echo",
            f"{training['times_idle_echo']:.2f}x",
            "<= 3x",
            training["times_idle_echo"] <= 3,
        ),
        (
            "training was running meanwhile",
            str(training["still_training"]),
            "True",
            training["still_training"],
        ),
    ]
    for name, growth in run["reruns"].items():
        counts = {key: growth[key] for key in ("pyplot", "figures", "comms", "tasks", "threads")}
        rows.append(
            (
                f"10 re-runs ({name}): growth",
                str(sum(counts.values())),
                "0",
                all(v <= 0 for v in counts.values()),
            )
        )
        rows.append(
            (f"10 re-runs ({name}): memory", f"{growth['mb']:.1f} MB", "< 20 MB", growth["mb"] < 20)
        )
    return rows


def main() -> int:
    runs, passed = [], True
    for subshells in (True, False):
        run = measure(subshells)
        print(
            f"\nsubshells {'on' if subshells else 'off'}, "
            f"{run['latency']['presses']} key presses each"
        )
        for what, measured, wanted, reached in verdicts(run):
            print(f"  {what:<36}{measured:>12}  {wanted:<12}{'' if reached else 'MISSED'}")
            passed &= reached
        runs.append(run)
    report = {"name": "live", "passed": passed, "runs": runs}
    return store(RESULT, report | environment())


if __name__ == "__main__":
    raise SystemExit(main())
