"""Handwritten digits as tensors, in fixed splits, and batches of them.

Two sets share one shape, so that a chapter runs unchanged on either:

- ``"embedded"``: 1,797 real digits of the UCI repository, shipped inside scikit-learn (8x8, 17 grey
  levels), enlarged here to 28x28. Needs no network.
- ``"mnist"``: the 70,000 digits of MNIST, found in `data_home` or downloaded through torchvision.

Without a name, the environment variable ``COURSE_DATASET`` decides, and without that, "embedded".
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from course_utils import mnist_files
from course_utils.mnist_files import DataError
from course_utils.names import look_up
from course_utils.reals import flag, real_array, whole

__all__ = ["DataError", "Digits", "ImageDataset", "data_home", "digits", "prepare_drawing"]

DATASETS = {"embedded": "embedded", "digits": "embedded", "mnist": "mnist"}
SPLITS = {"train": "train", "val": "val", "validation": "val", "test": "test"}
MNIST_VALIDATION = 5_000  # images set aside from MNIST's 60,000 training images

_SOURCES = {
    "embedded": "8x8 scans of the UCI repository (from scikit-learn), enlarged to 28x28",
    "mnist": "MNIST by Yann LeCun and Corinna Cortes",
}


class ImageDataset(Dataset):
    """Images and labels held in memory. Source of the interface: `torch.utils.data.Dataset`.

    ``dataset[i]`` gives one pair (image, label); ``dataset[[3, 1, 2]]`` gives a whole batch at
    once, which is what makes index batching fast: one indexing operation instead of a Python loop.

    X: (N, ...) tensor, y: (N,) tensor. Raises ValueError when their lengths differ.
    """

    def __init__(self, X: Tensor, y: Tensor) -> None:
        if len(X) != len(y):
            raise ValueError(f"X and y must have the same length, got {len(X)} and {len(y)}")
        self.X, self.y = X, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int | list[int]) -> tuple[Tensor, Tensor]:
        return self.X[index], self.y[index]


@dataclass(frozen=True)
class Digits:
    """A set of handwritten digits in three splits.

    X_train, X_val, X_test: (N, 1, 28, 28), ink 1 on background 0; y_train, y_val, y_test: (N,)
    int64, the digit 0 to 9. The training images come in a fixed random order.
    """

    name: str
    X_train: Tensor
    y_train: Tensor
    X_val: Tensor
    y_val: Tensor
    X_test: Tensor
    y_test: Tensor
    num_classes: int = 10

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """(X, y) of "train", "val" (or "validation") or "test". ValueError for another name."""
        short = look_up("split", name, SPLITS)
        return getattr(self, f"X_{short}"), getattr(self, f"y_{short}")

    def loader(
        self,
        split: str,
        batch_size: int = 64,
        *,
        shuffle: bool | None = None,
        seed: int = 0,
        drop_last: bool = False,
    ) -> DataLoader:
        """Batches (X, y) of a split: X (batch_size, 1, 28, 28), y (batch_size,).

        The training split is shuffled anew in every epoch, the others keep their order, unless
        ``shuffle`` says otherwise. The order depends on ``seed`` alone: it neither reads nor
        advances PyTorch's global random numbers. The last batch may be shorter; ``drop_last``
        leaves it out. A standard `DataLoader` with a `BatchSampler` and ``batch_size=None``, so
        that a batch is one indexing operation.
        """
        batch_size, seed = whole("batch_size", batch_size, 1), whole("seed", seed, 0)
        drop_last = flag("drop_last", drop_last)
        shuffle = None if shuffle is None else flag("shuffle", shuffle)
        dataset = ImageDataset(*self.split(split))
        if shuffle is None:
            shuffle = SPLITS[split.strip().casefold()] == "train"
        generator = torch.Generator().manual_seed(seed)
        if shuffle:
            order = RandomSampler(dataset, generator=generator)
        else:
            order = SequentialSampler(dataset)
        batches = BatchSampler(order, batch_size, drop_last)
        return DataLoader(dataset, sampler=batches, batch_size=None, generator=generator)

    def subset(self, n: int) -> Digits:
        """The same digits with only the first ``n`` training images, validation and test whole."""
        n = whole("n", n, 1, len(self.y_train))
        return replace(self, X_train=self.X_train[:n], y_train=self.y_train[:n])

    def describe(self) -> str:
        """What is in here, as a few lines of text."""
        lines = [f"{self.name}: {_SOURCES.get(self.name, 'digits')}"]
        for label, short in (("train", "train"), ("validation", "val"), ("test", "test")):
            X, y = self.split(short)
            counts = torch.bincount(y, minlength=self.num_classes)
            lines.append(
                f"  {label:<10} X {tuple(X.shape)}, y {tuple(y.shape)}; "
                f"per digit {counts.min().item()} to {counts.max().item()}"
            )
        kind = str(self.X_train.dtype).removeprefix("torch.")
        return "\n".join([*lines, f"  {kind}, ink 1 on background 0, labels 0 to 9"])

    def __repr__(self) -> str:
        sizes = f"{len(self.y_train)} train, {len(self.y_val)} validation, {len(self.y_test)} test"
        return f"Digits({self.name!r}: {sizes})"


def digits(
    name: str | None = None,
    *,
    data_dir: str | os.PathLike | None = None,
    download: bool = True,
    fallback: bool = False,
    dtype: torch.dtype | None = None,
) -> Digits:
    """The handwritten digits of the course, the same split on every machine.

    name: "embedded" (or "digits"), "mnist"; None reads ``COURSE_DATASET`` (default "embedded").
    data_dir: the folder that holds, or gets, ``MNIST/raw``; None is `data_home`.
    download: fetch MNIST files that are missing. Files that exist are checked, never overwritten.
    fallback: when MNIST cannot be had, say so in one line and give the embedded digits instead.
    dtype: of the images, values in [0, 1]; None is PyTorch's default dtype.

    Splits: embedded 1,257 / 180 / 360, MNIST 55,000 / 5,000 / 10,000 (its own test set), each with
    the same share of every digit in all three.

    Raises ValueError for an unknown name and `DataError` for files that are missing, truncated,
    corrupt or cannot be downloaded; its message says what to do.
    """
    key, dtype = _dataset_name(name), _float_dtype(dtype)
    download, fallback = flag("download", download), flag("fallback", fallback)
    if key == "mnist":
        try:
            return _mnist(data_home(data_dir), download, dtype)
        except DataError as error:
            if not fallback:
                raise
            first_line = str(error).splitlines()[0]
            print(f"MNIST is not available ({first_line}) Using the embedded digits.", flush=True)
    return _embedded(dtype)


def data_home(data_dir: str | os.PathLike | None = None) -> Path:
    """The folder for downloaded data, as an absolute path (it need not exist).

    ``data_dir`` if given, else the environment variable ``COURSE_DATA_DIR``, else ``data``. The
    latter two, when relative, start at the course's own folder, so that notebooks and commands
    mean the same place; without one (the package is installed elsewhere) at the current folder.
    """
    if data_dir is not None:
        if not isinstance(data_dir, str | os.PathLike):
            raise ValueError(f"data_dir must be a folder's path, got {data_dir!r}")
        return Path(data_dir).expanduser().absolute()
    course = Path(__file__).resolve().parents[1]
    start = course if (course / "notebooks").is_dir() else Path.cwd()
    return start / Path(os.environ.get("COURSE_DATA_DIR") or "data").expanduser()


def _dataset_name(name: str | None) -> str:
    if name is None:
        name = os.environ.get("COURSE_DATASET") or "embedded"
    return look_up("dataset", name, DATASETS)


def _float_dtype(dtype: torch.dtype | None) -> torch.dtype:
    """``dtype``, or PyTorch's default for None."""
    if dtype is None:
        return torch.get_default_dtype()
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(f"dtype must be a float type such as torch.float32, got {dtype!r}")
    return dtype


def _embedded(dtype: torch.dtype) -> Digits:
    images, labels = _small_digits()
    X = torch.from_numpy(_enlarge(images))[:, None].to(dtype)
    y = torch.from_numpy(labels)
    # Of the images sorted by digit, every tenth counts: the third goes to validation, the first
    # and sixth to the test. Each digit so gets its share of each split.
    order = _sorted_by_digit(labels, seed=0)
    place = np.arange(len(order)) % 10
    is_test, is_val = (place == 0) | (place == 5), place == 2
    return _pack("embedded", X, y, order[~is_test & ~is_val], order[is_val], order[is_test])


def _small_digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits: images (1797, 8, 8) with ink 0 to 16, labels (1797,).

    Its file is read directly where it is found: importing scikit-learn takes most of a second.
    """
    spec = importlib.util.find_spec("sklearn")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0], "datasets", "data", "digits.csv.gz") if folders else None
    if path is None or not path.is_file():
        from sklearn.datasets import load_digits

        bunch = load_digits()
        return bunch.images, bunch.target.astype(np.int64)
    table = np.loadtxt(path, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def _mnist(folder: Path, download: bool, dtype: torch.dtype) -> Digits:
    X_train, y_train, X_test, y_test = mnist_files.load(folder, download)
    order = _sorted_by_digit(y_train.numpy(), seed=0)
    is_val = np.zeros(len(order), dtype=bool)
    share = min(MNIST_VALIDATION, len(order) // 10)
    is_val[np.linspace(0, len(order), share, endpoint=False).astype(int)] = True
    train, val = _shuffled(order[~is_val]), order[is_val]

    def scaled(X: Tensor) -> Tensor:
        return X[:, None].to(dtype).div_(255)

    return Digits(
        "mnist",
        *(scaled(X_train[train]), y_train[train]),
        *(scaled(X_train[val]), y_train[val]),
        *(scaled(X_test), y_test),
    )


def _pack(name: str, X: Tensor, y: Tensor, train, val, test) -> Digits:
    train, val, test = _shuffled(train), _shuffled(val), _shuffled(test)
    return Digits(name, X[train], y[train], X[val], y[val], X[test], y[test])


# RandomState is NumPy's frozen generator: its stream is promised never to change.
def _sorted_by_digit(labels: np.ndarray, seed: int) -> np.ndarray:
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def _shuffled(order: np.ndarray) -> np.ndarray:
    return np.random.RandomState(1).permutation(order)


def _enlarge_matrix() -> np.ndarray:
    """(28, 8) whole numbers, in 14ths: bilinear interpolation from 8 to 28 pixels."""
    matrix = np.zeros((28, 8), dtype=np.int64)
    for row in range(28):
        left, part = divmod(4 * row - 5, 14)  # centre of pixel `row`: (row + 1/2)·8/28 - 1/2
        matrix[row, min(max(left, 0), 7)] += 14 - part
        matrix[row, min(max(left + 1, 0), 7)] += part
    return matrix


def _enlarge(images: np.ndarray) -> np.ndarray:
    """(N, 8, 8) in sixteenths → (N, 28, 28) float64 in [0, 1], as `F.interpolate(mode="bilinear")`.

    In whole numbers up to the last division, so that every machine gets the same bits.
    """
    A = _enlarge_matrix()
    counts = np.rint(images).astype(np.int64)
    return (A @ counts @ A.T) / (16 * 14 * 14)


# --- a drawing ------------------------------------------------------------------------------------

FAINT = 0.1  # ink below this counts as paper
# Half ink marks the edge of a stroke. Not 0.5 itself: resizing gives exact halves, which would
# fall on either side by the last bit.
EDGE = 0.4987
_CANVAS = {"embedded": 128, "mnist": 140}  # pixels; 128 = 8 · 16, 140 = 28 · 5
_BOX = {"embedded": (128, 118), "mnist": (100, 100)}  # height and width that the ink may fill
_STROKE = {"embedded": 23, "mnist": 11}  # thinnest stroke, pixels of the canvas


def prepare_drawing(
    pixels: np.ndarray | Tensor,
    name: str | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """A drawing, made to look like a training digit: (1, 1, 28, 28), ink 1 on background 0.

    pixels: (height, width) of any size and dtype, in [0, 1], ink 1 on paper 0. name: the data set
    that the model was trained on, as in `digits`. dtype: None is PyTorch's default dtype.

    A network knows only what it was shown, so the drawing takes the path of the training images.
    Embedded digits fill the full height, are centred by their frame and were scanned to 8x8. MNIST
    digits fit a box of 20x20 and are centred by their centre of mass (LeCun et al., 1998).
    Strokes thinner than in the training set are thickened.

    Raises `DataError` when nothing is drawn; ValueError for another shape or range.
    """
    style, dtype = _dataset_name(name), _float_dtype(dtype)
    # A copy in float64, row after row: PyTorch takes no reversed rows and no foreign byte order.
    ink = torch.from_numpy(real_array("pixels", pixels).astype(np.float64, order="C"))
    if ink.ndim != 2 or 0 in ink.shape:
        raise ValueError(f"pixels must have shape (height, width), got {tuple(ink.shape)}")
    low, high = ink.min().item(), ink.max().item()
    if not (low >= 0 and high <= 1):  # so written, NaN is caught too
        raise ValueError(f"pixels must lie in [0, 1], got values from {low!r} to {high!r}")
    if high < FAINT:
        raise DataError("nothing drawn: draw a digit on the pad first")
    ink = _thickened(_fit(_crop(ink / high), *_BOX[style]), *_BOX[style], _STROKE[style])
    canvas = _centred_frame(ink) if style == "embedded" else _centred_mass(ink)
    if style == "embedded":
        A = torch.from_numpy(_enlarge_matrix() / 14)
        small = A @ F.avg_pool2d(canvas[None], 16)[0] @ A.T
    else:
        small = F.avg_pool2d(canvas[None], 5)[0]
    return small.clamp(0, 1)[None, None].to(dtype)


def _crop(ink: Tensor) -> Tensor:
    rows = torch.nonzero((ink > FAINT).any(1)).flatten()
    columns = torch.nonzero((ink > FAINT).any(0)).flatten()
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(ink: Tensor, height: int, width: int) -> Tensor:
    """Scaled, proportions kept, to the largest size that fits into height x width."""
    scale = min(height / ink.shape[0], width / ink.shape[1])
    size = [max(1, round(side * scale)) for side in ink.shape]
    resized = F.interpolate(ink[None, None], size=size, mode="bilinear", antialias=True)
    return resized[0, 0].clamp(0, 1)


def _thickened(ink: Tensor, height: int, width: int, stroke: int) -> Tensor:
    """Strokes at least ``stroke`` pixels wide, the whole still within height x width."""
    solid = F.pad((ink > EDGE).to(ink.dtype), (1, 1, 1, 1))
    # A line of width w and length l has area wl and a border of 2l; π/4 corrects for stairs.
    border = (solid.diff(dim=0).abs().sum() + solid.diff(dim=1).abs().sum()) * torch.pi / 4
    missing = stroke - 2 * solid.sum().item() / max(border.item(), 1.0)
    grow = round(missing / 2)
    if grow < 1:
        return ink
    ink = F.pad(_fit(ink, height - 2 * grow, width - 2 * grow), [grow] * 4)[None]
    for step in range(grow):  # squares and diamonds in turn make an octagon: nearly round
        if step % 2:
            ink = F.max_pool2d(ink, 3, 1, 1)
        else:
            across = F.max_pool2d(ink, (1, 3), 1, (0, 1))
            ink = torch.maximum(across, F.max_pool2d(ink, (3, 1), 1, (1, 0)))
    return ink[0]


def _centred_frame(ink: Tensor) -> Tensor:
    side = _CANVAS["embedded"]
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    left = min(left + 2, side - ink.shape[1])  # training digits sit 0.4 of 28 pixels to the right
    return F.pad(ink, (left, side - ink.shape[1] - left, top, side - ink.shape[0] - top))


def _centred_mass(ink: Tensor) -> Tensor:
    side = _CANVAS["mnist"]
    corner = []
    for axis in (0, 1):
        profile = ink.sum(1 - axis)
        centre = (profile @ torch.arange(0.5, len(profile), dtype=ink.dtype)).item() / profile.sum()
        # MNIST's centre of mass lies in the middle of pixel 14 of 0 … 27
        place = round(14.5 / 28 * side - centre.item())
        corner.append(min(max(place, 0), side - ink.shape[axis]))
    top, left = corner
    return F.pad(ink, (left, side - ink.shape[1] - left, top, side - ink.shape[0] - top))
