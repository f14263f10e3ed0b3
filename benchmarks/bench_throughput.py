"""Training throughput: `training.fit` against loops by hand, Lightning, skorch and fastai.

Run it with ``python -m benchmarks.bench_throughput`` from the root of the repository. All train
the same two networks from the same weights with the same batches of 64 in the same order, Adam
with 0.001, on one thread: MNIST's training images where `data_home` has them, else images of that
shape. Peers come from an environment of their own (peers.py; the first run installs them, which
needs a network and 0.4 GB; ``--no-peers`` leaves them out); how each is used stands in
contestants.py. "Index batches" is the course's loader (one indexing operation per batch),
"TensorDataset" a `DataLoader` that fetches and collates images one by one. No progress bars, no
worker processes.

Each contestant is a process of its own, and they take turns call by call, so that a busy machine
slows all alike. A turn is a training call of one update and one of a whole epoch; the difference
gives the samples per second, the first alone the start-up. Both are from warm calls. Medians over
the turns; ratios are medians of each turn's ratio, by processor time. Loader, Trainer, net and
learner are made before the clock starts; a framework's own preparation in the call counts as
start-up. Memory: "training" is the most that a process held during an epoch beyond what it held
after its first update, with imports, data and model; "process" is the whole.

Before the clock counts, one turn counts samples and updates. After every epoch the loss over 256
images is compared with the raw loop's: equal up to rounding, or within 5 % for the loop whose
arithmetic is another. Exit status 1 when one of these fails, or when `fit` trains fewer samples
per second than the textbook loop.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from benchmarks import bench_loading, peers
from benchmarks.contestants import WAYS
from benchmarks.report import environment, store
from course_utils import mnist_files
from course_utils.data import data_home, digits

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "throughput.json"
AIM = 1.0  # samples/s of `fit` as a multiple of the textbook's, at least
ROUNDING, NEAR = 1e-5, 0.05  # how far a loss may lie from the raw loop's, as a share of it
PATIENCE = 300  # seconds for one answer


@dataclass(frozen=True)
class Case:
    text: str
    images: int  # of an epoch
    rounds: int


CASES = {"mlp": Case("MLP 784-64-10", 6_400, 16), "cnn": Case("CNN, model B", 640, 16)}


class Failed(RuntimeError):
    """A contestant gave no answer. The message is the last thing it said."""


class Contestant:
    """The process of one contestant, and its answers."""

    def __init__(self, way: str, file: Path, python: Path | str) -> None:
        self.errors = tempfile.TemporaryFile()
        surroundings = {
            "OMP_NUM_THREADS": "1",
            **(peers.surroundings() if WAYS[way].peer else os.environ),
            "CUDA_VISIBLE_DEVICES": "",
            "TQDM_DISABLE": "1",
            "MPLBACKEND": "Agg",
        }
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.contestants", way, file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            encoding="utf-8",
            cwd=ROOT,
            env=surroundings,
        )

    def send(self, **request) -> None:
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except OSError:
            pass  # it has ended: answer() says why

    def answer(self) -> dict:
        """The answer to the last request. `Failed` when there is none in time."""
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise Failed(self.close())
        return json.loads(line)

    def turn(self, **request) -> dict:
        self.send(**request)
        return self.answer()

    def close(self) -> str:
        """End the process; the last line that it wrote."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        if self.errors.closed:
            return ""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        self.errors.close()
        return lines[-1].strip() if lines else "it ended without a word"


@dataclass
class Turns:
    """What a contestant has measured: per turn the seconds of its two calls, and the loss."""

    hello: dict
    warm: dict  # the turn that counts samples and updates
    turns: list[dict] = field(default_factory=list)

    def per_second(self, images: int, clock: int = 0) -> list[float]:
        """Samples per second in every turn; clock 0 is the processor's time, 1 the wall's.

        The first batch of the epoch stands for the single update, which is subtracted.
        """
        more = images - min(images, bench_loading.BATCH_SIZE)
        return [more / (one["epoch"][clock] - one["one"][clock]) for one in self.turns]


def row_of(way: str, case: Case, all_turns: dict[str, Turns]) -> dict:
    """The figures of one contestant. ``all_turns`` has the others', for ratios and losses."""
    mine = all_turns[way]
    speeds = mine.per_second(case.images)
    row: dict = {
        "way": way,
        "text": WAYS[way].text,
        "samples_per_s": statistics.median(speeds),
        "samples_per_s_clock": statistics.median(mine.per_second(case.images, 1)),
        "start_ms": 1000 * statistics.median(one["one"][0] for one in mine.turns),
        "ready_mb": mine.warm["ready"] / 1e6,
        "peak_mb": max(one["peak"] for one in [mine.warm, *mine.turns]) / 1e6,
        "loss": mine.turns[-1]["loss"],
    }
    row["training_mb"] = max(row["peak_mb"] - row["ready_mb"], 0.0)
    for other in ("textbook", "fit"):
        theirs = all_turns[other].per_second(case.images)
        row[f"of_{other}"] = statistics.median(a / b for a, b in zip(speeds, theirs, strict=True))
    raw = all_turns["raw"].turns
    gaps = [abs(a["loss"] / b["loss"] - 1) for a, b in zip(mine.turns, raw, strict=True)]
    row["loss_gap"] = max(gaps)
    row["problem"] = problem(way, case, mine, row["loss_gap"], all_turns["raw"].hello)
    return row


def problem(way: str, case: Case, mine: Turns, gap: float, reference: dict) -> str:
    """Why this contestant has not done what the others have; empty when it has."""
    updates = -(-case.images // bench_loading.BATCH_SIZE)
    allowed = ROUNDING if WAYS[way].exact else NEAR
    if mine.hello["torch"] != reference["torch"]:
        return f"another torch: {mine.hello['torch']} instead of {reference['torch']}"
    if (mine.warm["samples"], mine.warm["updates"]) != (case.images, updates):
        return f"{mine.warm['samples']} samples in {mine.warm['updates']} updates"
    if not all(one["loss"] < mine.hello["start_loss"] for one in mine.turns):
        return "the loss did not fall"
    if not gap <= allowed:  # so written, NaN is caught too
        return f"its loss is {gap:.1e} away from the raw loop's, {allowed:g} is allowed"
    return ""


def measure(model: str, running: dict[str, Contestant]) -> tuple[list[dict], dict[str, str]]:
    """(rows, reasons of peers that gave up) for one network. `Failed` when one of ours gives up.

    A peer that gives up is taken out of ``running``.
    """
    case = CASES[model]
    found: dict[str, Turns] = {}
    given_up: dict[str, str] = {}

    def ask(way: str, question: Callable[..., dict], **request) -> dict:
        if way in given_up:
            return {}
        try:
            return question(**request)
        except Failed as failure:
            if WAYS[way].peer is None:
                raise Failed(f"{WAYS[way].text}: {failure}") from None
            given_up[way] = str(failure)
            return {}

    for one in running.values():
        one.send(model=model, images=case.images)  # nothing is timed yet: all start at once
        one.send(seed=0, watched=True)
    for way, one in running.items():
        found[way] = Turns(ask(way, one.answer), ask(way, one.answer))
    for turn in range(1, case.rounds + 1):
        start = turn % len(running)
        order = [*running][start:] + [*running][:start]
        for way in order if turn % 2 else order[::-1]:
            found[way].turns.append(ask(way, running[way].turn, seed=turn))
    for way in given_up:
        del running[way], found[way]
    return [row_of(way, case, found) for way in found], given_up


def images(n: int) -> tuple[str, dict[str, torch.Tensor]]:
    """(what they are, ``n`` of them as bytes with their labels): MNIST's where it is at hand.

    Raises `DataError` when MNIST is there, but damaged.
    """
    if mnist_files.check(data_home()):
        what, data = "the embedded digits, repeated", bench_loading.images(n, torch.float32)
    else:
        what, data = "MNIST", digits("mnist", download=False, dtype=torch.float32).subset(n)
    pixels = (data.X_train[:, 0] * 255).round().to(torch.uint8)
    return what, {"pixels": pixels, "y": data.y_train.clone()}


def table(case: Case, rows: list[dict], missing: dict[str, str]) -> str:
    """The rows, quickest first, and why others are not there."""
    width = max(len(WAYS[way].text) for way in WAYS)
    batches = f"{case.images:,} images an epoch, {case.rounds} turns"
    lines = [
        f"{case.text}: {batches}",
        f"{'':<{width}}{'samples/s':>11}{'by clock':>10}{'× textbook':>12}{'× fit':>7}"
        f"{'start':>9}{'training':>11}{'process':>9}",
    ]
    for row in sorted(rows, key=lambda row: -row["samples_per_s"]):
        lines.append(
            f"{row['text']:<{width}}{row['samples_per_s']:>11,.0f}"
            f"{row['samples_per_s_clock']:>10,.0f}{row['of_textbook']:>12.2f}{row['of_fit']:>7.2f}"
            f"{row['start_ms']:>6.1f} ms{row['training_mb']:>8.1f} MB{row['peak_mb']:>6.0f} MB"
            + (f"  FAILED: {row['problem']}" if row["problem"] else "")
        )
    lines += [f"{name:<{width}}  not here: {why}" for name, why in missing.items()]
    return "\n".join(lines)


def reading(rows: list[dict]) -> str:
    """One sentence: who is quicker than `fit` with the course's loader, and by how much."""
    quicker = [row for row in rows if row["of_fit"] > 1 and row["way"] != "fit"]
    quicker.sort(key=lambda row: -row["of_fit"])
    names = ", ".join(f"{row['text']} ({row['of_fit'] - 1:.1%})" for row in quicker)
    return f"quicker than fit, index batches: {names or 'none of them'}"


def reached(rows: list[dict]) -> bool:
    """Whether all have trained alike and `fit` is at least as quick as the textbook loop."""
    mine = next(row for row in rows if row["way"] == "fit")
    return mine["of_textbook"] >= AIM and not any(row["problem"] for row in rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_throughput")
    parser.add_argument("--no-peers", action="store_true", help="only what needs no installation")
    options = parser.parse_args(arguments)
    try:
        wanted = () if options.no_peers else peers.PEERS
        others = peers.prepare(wanted=wanted) if wanted else peers.Environment(Path(), {}, {})
    except (OSError, subprocess.CalledProcessError) as error:
        others = peers.Environment(Path(), {}, {name: str(error) for name in peers.PEERS})
    ways = [way for way, one in WAYS.items() if one.peer is None or one.peer in others.versions]
    try:
        what, data = images(max(case.images for case in CASES.values()))
    except mnist_files.DataError as error:
        print(error, file=sys.stderr)
        return 1

    versions = "".join(f", {name} {version}" for name, version in others.versions.items())
    print(f"{what}; torch {torch.__version__}{versions}; one thread", flush=True)
    cases, passed, missing = [], True, dict(others.missing)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = Path(folder, "images.pt")
        torch.save(data, file)
        running = {}
        for way in ways:
            python = others.python if WAYS[way].peer else sys.executable
            running[way] = Contestant(way, file, python)
            stack.callback(running[way].close)
        for model, case in CASES.items():
            try:
                rows, given_up = measure(model, running)
            except Failed as failure:
                print(failure, file=sys.stderr)
                return 1
            missing |= {WAYS[way].text: why for way, why in given_up.items()}
            passed &= reached(rows)
            print(table(case, rows, missing), reading(rows), "", sep="\n", flush=True)
            cases.append({"case": case.text, "images": case.images, "rounds": case.rounds})
            cases[-1] |= {"missing": dict(missing), "rows": rows}
    print(f"aim: fit at least {AIM:g} × textbook, all trained alike: {'yes' if passed else 'NO'}")
    report = {"environment": environment() | {"threads": 1}, "peers": others.versions}
    report |= {"data": what, "aim": AIM, "passed": passed, "cases": cases}
    return store(RESULT, report)


if __name__ == "__main__":
    raise SystemExit(main())
