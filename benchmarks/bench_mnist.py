"""Seconds of training until a network reads 98 % and 99 % of MNIST's test images, for two recipes.

Run it with ``python -m benchmarks.bench_mnist`` from the root of the repository. It needs the four
files of MNIST in ``MNIST/raw`` of the folder that ``COURSE_DATA_DIR`` names (``data`` without it);
without them it says so, measures nothing and leaves the result file alone. Nothing is downloaded.

Both recipes train the same network, model A of chapter 12, with `training.fit`:

- ``textbook``: 60,000 images, made from PIL images one by one (`ToTensor`) and collated into
  batches of 64; Adam with 0.001, halved after every 5 of 10 epochs. It is stopped at the end of the
  epoch in which it has reached 99 %; ``--full`` lets it go on.
- ``course``: 55,000 images (the other 5,000 are for validation), batches of 128 by one indexing
  operation, moved at random by at most one pixel and standardised inside the model, channels-last,
  Adam with one cycle to 0.003 over 2 epochs. Where a step is faster so, which is tried first, the
  convolutions and products of the training are done in bfloat16 (autocast); weights, updates and
  evaluation are float32 always. ``--float32`` does without. Shifts and standardising were chosen by
  the validation images; the number of epochs so that three seeds ended clearly above 99 %.

The clock runs from the making of the data set to the last update and stands still while the
accuracy is measured: on the 10,000 test images, 8 times in every epoch. What counts is the first
time that it is at least 98 or 99 %; "then lowest" is the lowest accuracy from then on. Processor
time, of all threads together, is given as well. On a busy machine neither is exact: the clock
counts all waiting, the processor time that of one thread for the other. Two threads at most, one
seed unless ``--seeds`` asks for more. On an accelerator (``--device``) the recipes are the same.
The course must need at most a quarter of the textbook's time to 99 %, by the clock.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR, StepLR
from torch.utils.data import DataLoader

from benchmarks.report import environment, store
from course_utils import mnist_files
from course_utils.data import DataError, Digits, data_home, digits
from course_utils.models import digit_cnn
from course_utils.training import StopTraining, TrainingState, evaluate, fit

RESULT = Path(__file__).parent / "results" / "mnist.json"
AIM = 0.25  # the course's time to the last threshold, as a share of the textbook's
THRESHOLDS = (0.98, 0.99)
PARTS = 8  # measurements in an epoch
THREADS = 2


@dataclass
class Plan:
    """What `fit` needs to train by a recipe."""

    model: nn.Module
    loader: Iterable
    settings: dict  # optimizer, scheduler, step_scheduler, num_epochs
    numbers: str = "float32"  # or "bfloat16", of the products in the forward and backward pass


def textbook(data: Digits, seed: int, float32: bool = True) -> Plan:
    """The recipe of most tutorials. ``data`` gives the device alone: files are read again."""
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    dataset = MNIST(data_home(), train=True, transform=ToTensor())
    torch.manual_seed(seed)
    model = digit_cnn("A").to(data.X_test.device)
    optimizer = Adam(model.parameters(), lr=0.001)
    settings = {"optimizer": optimizer, "scheduler": StepLR(optimizer, 5, 0.5), "num_epochs": 10}
    return Plan(model, DataLoader(dataset, batch_size=64, shuffle=True), settings)


class RandomShift(nn.Module):
    """Move each image (N, 1, H, W) by up to ``most`` pixels, in train mode only (chapter 12)."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, X: Tensor) -> Tensor:
        if not self.training:
            return X
        n, _, height, width = X.shape
        padded = F.pad(X, (self.most,) * 4)[:, 0]
        down, right = torch.randint(0, 2 * self.most + 1, (2, n, 1), device=X.device)
        rows = (down + torch.arange(height, device=X.device))[:, :, None]
        columns = (right + torch.arange(width, device=X.device))[:, None, :]
        images = torch.arange(n, device=X.device)[:, None, None]
        return padded[images, rows, columns][:, None]


class Standardize(nn.Module):
    """(X - mean) / std with the two numbers of the training images (chapter 12)."""

    def __init__(self, X_train: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", X_train.mean())
        self.register_buffer("std", X_train.std())

    def forward(self, X: Tensor) -> Tensor:
        return (X - self.mean) / self.std


class Autocast(nn.Module):
    """``model`` with products in bfloat16 while it trains; its weights and logits are float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, X: Tensor) -> Tensor:
        if not self.training:
            return self.model(X)
        with torch.autocast(X.device.type, torch.bfloat16):
            return self.model(X).float()


def faster_in_bfloat16(model: nn.Module, X: Tensor, y: Tensor) -> bool:
    """Whether a training step under `Autocast` takes less time here. Tried on copies."""
    ways = {"float32": copy.deepcopy(model), "bfloat16": Autocast(copy.deepcopy(model))}
    seconds: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for _ in range(5):
        for name, way in ways.items():
            begin = time.perf_counter()
            F.cross_entropy(way(X), y).backward()
            next(way.parameters()).grad.sum().item()  # a GPU has finished only when this is known
            seconds[name].append(time.perf_counter() - begin)
    return min(seconds["bfloat16"]) < min(seconds["float32"])


def course(data: Digits, seed: int, float32: bool = False) -> Plan:
    """The one-cycle recipe of chapter 12, shorter."""
    device = data.X_test.device
    data = on_device(digits("mnist", download=False), device)
    torch.manual_seed(seed)
    network = digit_cnn("A").to(device, memory_format=torch.channels_last)
    numbers = "float32"
    if not float32 and faster_in_bfloat16(network, data.X_train[:128], data.y_train[:128]):
        network, numbers = Autocast(network), "bfloat16"
    model = nn.Sequential(RandomShift(1), Standardize(data.X_train), network)
    loader = data.loader("train", 128, seed=seed)
    optimizer = Adam(model.parameters())
    cycle = OneCycleLR(optimizer, 0.003, total_steps=2 * len(loader))
    settings = {"optimizer": optimizer, "scheduler": cycle, "num_epochs": 2}
    return Plan(model, loader, settings | {"step_scheduler": "batch"}, numbers)


RECIPES: dict[str, Callable[[Digits, int, bool], Plan]] = {"textbook": textbook, "course": course}


def on_device(data: Digits, device: torch.device) -> Digits:
    if device.type == "cpu":
        return data
    names = [f"{kind}_{split}" for kind in "Xy" for split in ("train", "val", "test")]
    return replace(data, **{name: getattr(data, name).to(device) for name in names})


class Clock:
    """Seconds by the clock and of the processor, while it is running."""

    def __init__(self, device: torch.device) -> None:
        self.wall = self.cpu = 0.0
        self.device = device

    def start(self) -> None:
        self.begin = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.wall += time.perf_counter() - self.begin[0]
        self.cpu += time.process_time() - self.begin[1]


@dataclass(frozen=True)
class Point:
    """The accuracy on the test images after so much training."""

    epoch: float
    wall_s: float
    cpu_s: float
    accuracy: float


@dataclass
class Run:
    """One training. ``curve`` has a point for every measurement."""

    recipe: str
    seed: int
    curve: list[Point] = field(default_factory=list)
    numbers: str = "float32"

    def reached(self, threshold: float) -> Point | None:
        """The first point at which the accuracy was at least ``threshold``."""
        return next((point for point in self.curve if point.accuracy >= threshold), None)

    def lowest_after(self, threshold: float) -> float | None:
        """The lowest accuracy from the first time that ``threshold`` was reached."""
        first = self.reached(threshold)
        later = self.curve[self.curve.index(first) :] if first else []
        return min((point.accuracy for point in later), default=None)

    def report(self) -> dict:
        first = {f"{threshold:.0%}": self.reached(threshold) for threshold in THRESHOLDS}
        return {
            "recipe": self.recipe,
            "seed": self.seed,
            "numbers": self.numbers,
            "reached": {name: point and short(point) for name, point in first.items()},
            "lowest_after": {f"{t:.0%}": self.lowest_after(t) for t in THRESHOLDS},
            "end": short(self.curve[-1]),
            "curve": [list(short(point).values()) for point in self.curve],
        }


def short(point: Point) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(point).items()}


def train(recipe: str, data: Digits, seed: int, full: bool = False, float32: bool = False) -> Run:
    """Train by a recipe and measure the accuracy PARTS times in every epoch."""
    run, clock = Run(recipe, seed), Clock(data.X_test.device)
    test_loader = data.loader("test", 250)

    def measure(state: TrainingState) -> type[StopTraining] | None:
        if state.event == "epoch":
            done = recipe == "textbook" and not full and run.reached(THRESHOLDS[-1])
            return StopTraining if done else None
        before, now = (step * PARTS // batches for step in (state.step - 1, state.step))
        if now > before:
            clock.stop()
            accuracy = evaluate(state.model, test_loader).accuracy
            run.curve.append(Point(state.step / batches, clock.wall, clock.cpu, accuracy))
            clock.start()
        return None

    clock.start()
    plan = RECIPES[recipe](data, seed, float32)
    run.numbers, batches = plan.numbers, len(plan.loader)
    fit(plan.model, plan.loader, **plan.settings, callbacks=[measure], progress=False)
    return run


def compare(textbook: Run, course: Run) -> dict:
    """The course's time to the last threshold as a share of the textbook's.

    A textbook run that never got there counts with all its time, so that the true share is smaller
    still. A course run that never got there has no share and fails.
    """
    mine, other = course.reached(THRESHOLDS[-1]), textbook.reached(THRESHOLDS[-1])
    row = {"seed": course.seed, "wall": None, "cpu": None, "textbook_reached": other is not None}
    if mine:
        other = other or textbook.curve[-1]
        row |= {"wall": mine.wall_s / other.wall_s, "cpu": mine.cpu_s / other.cpu_s}
    return row | {"passed": mine is not None and row["wall"] <= AIM}


def sentence(row: dict) -> str:
    goal, verdict = f"{THRESHOLDS[-1]:.0%}", "" if row["passed"] else "  FAILED"
    if row["wall"] is None:
        return f"seed {row['seed']}: the course's recipe did not reach {goal}{verdict}"
    whole = "" if row["textbook_reached"] else f" (which never reached {goal}: its whole time)"
    return (
        f"seed {row['seed']}: to {goal} the course takes {row['wall']:.3f} of the textbook's time"
        f"{whole} by the clock, {row['cpu']:.3f} in processor time; aim: at most {AIM}{verdict}"
    )


def heading() -> str:
    columns = "".join(f"{f'{t:.0%}: epoch':>13}{'clock':>9}{'CPU':>9}" for t in THRESHOLDS)
    return f"{'recipe':<9}{'seed':>5}{'numbers':>10}{columns}{'then lowest':>13}{'at end':>8}"


def line(run: Run) -> str:
    text = f"{run.recipe:<9}{run.seed:>5}{run.numbers:>10}"
    for point in map(run.reached, THRESHOLDS):
        if point is None:
            text += f"{'not reached':>13}{'':>18}"
        else:
            text += f"{point.epoch:>13.2f}{point.wall_s:>7.1f} s{point.cpu_s:>7.1f} s"
    lowest = run.lowest_after(THRESHOLDS[-1])
    text += f"{'' if lowest is None else f'{lowest:.2%}':>13}"
    return f"{text}{run.curve[-1].accuracy:>8.2%}"


def choose(wanted: str) -> torch.device:
    """The device that is meant by "auto", "cpu" or "cuda"."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def describe(device: torch.device) -> dict:
    """Where this was measured."""
    on_gpu = device.type == "cuda"
    here = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none here"
    return {
        "device": device.type,
        "accelerator": here if on_gpu or here == "none here" else f"{here}, not used",
    } | environment()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_mnist")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--seeds", type=int, default=1, help="so many runs of each recipe")
    parser.add_argument("--full", action="store_true", help="all epochs of the textbook recipe")
    parser.add_argument("--float32", action="store_true", help="no bfloat16 in any product")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; --device cpu runs without one")
    try:
        if mnist_files.check(data_home()):
            print(f"skipped: no MNIST in {data_home()}; COURSE_DATA_DIR names another folder")
            return 0
        data = digits("mnist", download=False)
    except DataError as error:  # the files are there, but damaged
        print(error, file=sys.stderr)
        return 1

    torch.set_num_threads(min(THREADS, os.cpu_count() or 1))
    device = choose(options.device)
    data = on_device(data, device)
    environment = describe(device)
    print(", ".join(f"{key} {value}" for key, value in environment.items()), flush=True)
    print(heading(), flush=True)
    runs = []
    for seed in range(options.seeds):
        for recipe in RECIPES:
            runs.append(train(recipe, data, seed, options.full, options.float32))
            print(line(runs[-1]), flush=True)
    shares = [compare(*pair) for pair in zip(runs[::2], runs[1::2], strict=True)]
    print(*map(sentence, shares), sep="\n")
    passed = all(row["passed"] for row in shares)
    report = {"environment": environment, "aim": AIM, "passed": passed, "shares": shares}
    report["rows"] = [run.report() for run in runs]
    return store(RESULT, report)


if __name__ == "__main__":
    raise SystemExit(main())
