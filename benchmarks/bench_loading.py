"""Handing out batches: one image at a time and collated, against one indexing operation per batch.

Run it with ``python -m benchmarks.bench_loading`` from the root of the repository. One epoch in
batches of 64, shuffled, nothing is trained. Three ways give the same batches:

- ``pil``: the textbook recipe, each image is made from a PIL image when it is asked for;
- ``sample``: the images are tensors already, but fetched one by one and stacked;
- ``index``: a `BatchSampler` with ``batch_size=None``, one indexing operation per batch.

The three take turns, so that a busy machine slows all alike. Time is processor time of one thread,
as in bench_fit.py. ``workers`` is the textbook recipe with two worker processes; it is timed by the
clock, since the work is done elsewhere, and starting the processes is part of it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler

from benchmarks.report import environment, store
from course_utils.data import Digits, ImageDataset, digits

RESULT = Path(__file__).parent / "results" / "loading.json"
BATCH_SIZE = 64
AIMS = {"sample": 1.3, "pil": 6.0}  # how many times as long as index batching, at least
# name → (images, dtype, rounds): the course's digits in its float64, and a piece of MNIST's size
CASES = {
    "1,257 digits, float64": (1_257, torch.float64, 30),
    "12,000 images, float32": (12_000, torch.float32, 10),
}


class PILDataset(Dataset):
    """PIL images, turned into tensors one by one; in a module, so that workers can import it."""

    def __init__(self, X: torch.Tensor, y: torch.Tensor) -> None:
        from torchvision.transforms.functional import to_pil_image, to_tensor

        self.images = [to_pil_image((image[0] * 255).round().to(torch.uint8)) for image in X]
        self.y, self.dtype, self.to_tensor = y, X.dtype, to_tensor

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.to_tensor(self.images[index]).to(self.dtype), self.y[index]


def images(n: int, dtype: torch.dtype) -> Digits:
    """The course's digits, repeated to ``n`` training images, with 256 grey levels."""
    data = digits("embedded", dtype=dtype)
    repeat = torch.arange(n) % len(data.y_train)
    X = (data.X_train[repeat] * 255).round() / 255
    y = data.y_train[repeat]
    return Digits("repeated", X, y, X[:1], y[:1], X[:1], y[:1])


def epoch(loader: DataLoader) -> tuple[float, float]:
    """Processor and clock seconds of one epoch."""
    begin = time.process_time(), time.perf_counter()
    for _ in loader:
        pass
    return time.process_time() - begin[0], time.perf_counter() - begin[1]


def ways(data: Digits) -> dict[str, Callable[[int], DataLoader]]:
    """name → a function from a seed to the loader."""
    pil, plain = PILDataset(data.X_train, data.y_train), ImageDataset(*data.split("train"))

    def collated(dataset: Dataset, seed: int, workers: int = 0) -> DataLoader:
        # As `Digits.loader` does it: sampler and loader share a generator, so the order is equal.
        generator = torch.Generator().manual_seed(seed)
        order = RandomSampler(dataset, generator=generator)
        settings = {"num_workers": workers, "generator": generator}
        return DataLoader(dataset, BATCH_SIZE, sampler=order, **settings)

    return {
        "pil": lambda seed: collated(pil, seed),
        "sample": lambda seed: collated(plain, seed),
        "index": lambda seed: data.loader("train", BATCH_SIZE, seed=seed),
        "workers": lambda seed: collated(pil, seed, workers=2),
    }


def same_batches(loaders: list[DataLoader]) -> bool:
    def same(a: torch.Tensor, b: torch.Tensor) -> bool:
        return torch.allclose(a, b, rtol=0, atol=1e-6)  # to_tensor divides in float32

    return all(
        all(same(a, b) for other in others for a, b in zip(first, other, strict=True))
        for first, *others in zip(*loaders, strict=True)
    )


def measure(name: str) -> dict:
    n, dtype, rounds = CASES[name]
    data = images(n, dtype)
    make = ways(data)
    same = same_batches([make[way](0) for way in ("index", "sample", "pil")])
    cpu: dict[str, list[float]] = {"pil": [], "sample": [], "index": []}
    for turn in range(rounds + 1):
        order = list(cpu) if turn % 2 else list(cpu)[::-1]
        for way in order:
            seconds = epoch(make[way](turn))[0]
            if turn:  # the first turn warms up
                cpu[way].append(seconds)
    workers = min(epoch(make["workers"](turn))[1] for turn in range(3))
    row: dict = {"case": name, "images": n, "same_batches": same, "passed": same}
    row |= {f"{way}_us": 1e6 * statistics.median(times) / n for way, times in cpu.items()}
    row["workers_us"] = 1e6 * workers / n
    for way, aim in AIMS.items():
        ratios = [a / b for a, b in zip(cpu[way], cpu["index"], strict=True)]
        tenths = statistics.quantiles(ratios, n=10)
        row[f"{way}_ratio"] = statistics.median(ratios)
        row[f"{way}_ratio_range"] = [tenths[0], tenths[-1]]
        row["passed"] &= row[f"{way}_ratio"] >= aim
    return row


def main() -> int:
    torch.set_num_threads(1)
    rows = [measure(name) for name in CASES]
    print(f"{'µs per image':<24}{'index':>7}{'sample':>8}{'pil':>7}{'2 workers':>11}")
    for row in rows:
        print(
            f"{row['case']:<24}{row['index_us']:>7.2f}{row['sample_us']:>8.2f}"
            f"{row['pil_us']:>7.1f}{row['workers_us']:>11.1f}"
        )
    for row in rows:
        verdict = "" if row["passed"] else "  FAILED"
        for way, aim in AIMS.items():
            low, high = row[f"{way}_ratio_range"]
            print(
                f"{row['case']}: {way} takes {row[f'{way}_ratio']:.1f} times as long as index "
                f"({low:.1f} to {high:.1f} in 8 of 10 rounds; aim: at least {aim:g}){verdict}"
            )
    print("same batches:", all(row["same_batches"] for row in rows))
    passed = all(row["passed"] for row in rows)
    report = {"environment": environment(), "aims": AIMS, "passed": passed, "rows": rows}
    return store(RESULT, report)


if __name__ == "__main__":
    raise SystemExit(main())
