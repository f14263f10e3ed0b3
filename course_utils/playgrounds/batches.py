"""The batch explorer: what one batch of an epoch holds, and how much it looks like the whole."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.collections import LineCollection
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

from course_utils.data import digits
from course_utils.live.controls import Notches, Slider, Toggle
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import HALO, TITLE, Parts
from course_utils.playgrounds.words import counted
from course_utils.plotting import BLACK, BLUE, GREY, RED, RED_INK
from course_utils.printing import rounded

BATCH_SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
SEED = 0
ROWS, COLUMNS = 4, 8  # images shown
TILE = 30  # pixels: an image of 28 x 28 and a border
# Upper ends of the shares' axis in percent, and its largest tick and their distance; above a bar is
# room for the key.
TOPS = {26.0: (20, 5), 40.0: (30, 10), 66.0: (50, 10), 133.0: (100, 20)}
ROOM = 1.3


@functools.cache
def stored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The training digits: grey levels (N, 28, 28) uint8, paper 255; labels (N,); sorted order."""
    data = digits("embedded", dtype=torch.float64)
    ink = (255 * (1 - data.X_train[:, 0])).round().to(torch.uint8).numpy()
    labels = data.y_train.numpy()
    return ink, labels, np.argsort(labels, kind="stable")


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch, and what the epoch around it looks like."""

    batch_size: int
    shuffle: bool
    sorted_data: bool
    drop_last: bool
    epoch: int
    number: int
    """Which batch of the epoch, from 1."""
    num_batches: int
    """Iterations in one epoch."""
    left_out: int
    """Images of the last short batch that `drop_last` leaves out."""
    order: np.ndarray
    """Places of all images in the order of this epoch, (N,)."""
    indices: np.ndarray
    """Places of the images of the batch, (B,)."""
    counts: np.ndarray
    """Images of each digit in the batch, (10,)."""
    shares: np.ndarray
    """Percent of each digit in the batch, (10,)."""
    whole: np.ndarray
    """Percent of each digit in all training images, (10,)."""
    gaps: np.ndarray
    """For each batch of the epoch: largest distance to the whole, percentage points."""

    @property
    def gap(self) -> float:
        """Largest distance of this batch to the whole, in percentage points."""
        return self.gaps[self.number - 1].item()

    @property
    def worst(self) -> int:
        """The batch of the epoch that is farthest from the whole, from 1."""
        return int(self.gaps.argmax()) + 1

    @property
    def last_size(self) -> int:
        """Images in the last batch that is handed out."""
        return len(self.order) - self.left_out - (self.num_batches - 1) * self.batch_size


def epoch_order(n: int, shuffle: bool, epoch: int, seed: int = SEED) -> list[int]:
    """The places of ``n`` samples in the order in which a sampler hands them out in ``epoch``."""
    if not shuffle:
        return list(SequentialSampler(range(n)))
    sampler = RandomSampler(range(n), generator=torch.Generator().manual_seed(seed))
    for _ in range(epoch - 1):  # each epoch goes on where the one before left the generator
        list(sampler)
    return list(sampler)


@functools.lru_cache(maxsize=32)
def epoch_labels(
    sorted_data: bool, shuffle: bool, drop_last: bool, batch_size: int, epoch: int
) -> tuple[np.ndarray, list[list[int]], np.ndarray]:
    """(order (N,), places of each batch, counts (number of batches, 10)) of an epoch."""
    _, labels, by_digit = stored()
    place = by_digit if sorted_data else np.arange(len(labels))
    order = place[epoch_order(len(labels), shuffle, epoch)]
    batches = list(BatchSampler(order.tolist(), batch_size, drop_last))
    counts = np.array([np.bincount(labels[batch], minlength=10) for batch in batches])
    return order, batches, counts


def take_batch(
    batch_size: int, place: int, epoch: int, shuffle: bool, sorted_data: bool, drop_last: bool
) -> Batch:
    """The batch at ``place`` percent of an epoch of the embedded training digits."""
    _, labels, _ = stored()
    order, batches, counts = epoch_labels(sorted_data, shuffle, drop_last, batch_size, epoch)
    index = min(place * len(batches) // 100, len(batches) - 1)
    whole = 100 * np.bincount(labels, minlength=10) / len(labels)
    shares = 100 * counts / counts.sum(1, keepdims=True)
    return Batch(
        batch_size,
        shuffle,
        sorted_data,
        drop_last,
        epoch,
        number=index + 1,
        num_batches=len(batches),
        left_out=len(order) - int(counts.sum()),
        order=order,
        indices=np.array(batches[index]),
        counts=counts[index],
        shares=shares[index],
        whole=whole,
        gaps=np.abs(shares - whole).max(1),
    )


def mosaic(indices: np.ndarray) -> np.ndarray:
    """The first images of a batch side by side, (ROWS * TILE, COLUMNS * TILE) uint8."""
    ink, _, _ = stored()
    tiles = np.full((ROWS * COLUMNS, TILE, TILE), 255, np.uint8)
    shown = indices[: len(tiles)]
    tiles[: len(shown), 1:-1, 1:-1] = ink[shown]
    grid = tiles.reshape(ROWS, COLUMNS, TILE, TILE).transpose(0, 2, 1, 3)
    return grid.reshape(ROWS * TILE, COLUMNS * TILE)


class BatchExplorer(Parts, Playground):
    """Walk through the batches of an epoch: their images, their classes, their number."""

    width, height = 9.0, 3.5
    controls = (
        Notches("batch_size", 64, label="batch size", options=BATCH_SIZES, width="255px",
                tip="images in a batch"),
        Slider("place", 0, label="place in the epoch (%)", low=0, high=100, width="345px",
               tip="which batch of the epoch: 0 is the first, 100 the last"),
        Slider("epoch", 1, low=1, high=5, width="225px",
               tip="each epoch is a new pass through all images"),
        Toggle("sorted_data", True, label="data sorted by digit", width="175px"),
        Toggle("shuffle", False, width="95px", tip="a new random order in every epoch, seed 0"),
        Toggle("drop_last", False, width="110px", tip="leave out a last short batch"),
    )  # fmt: skip
    compute = staticmethod(take_batch)

    def draw(self, fig: Any) -> list[Any]:
        _, labels, _ = stored()
        left = fig.add_axes((0.012, 0.265, 0.5, 0.64))
        left.axis("off")
        wide, high = COLUMNS * TILE - 0.5, ROWS * TILE - 0.5
        left.set(xlim=(-0.5, wide), ylim=(high, -0.5))
        self.images = self.image(left, (-0.5, wide, high, -0.5), vmax=255, smooth=True, zorder=2)
        corner = {"by": "data", "offset": (1, -1), "fontsize": 8, "color": BLUE, "va": "top"}
        self.names = [
            self.text(left, k % COLUMNS * TILE, k // COLUMNS * TILE, zorder=4, **corner)
            for k in range(ROWS * COLUMNS)
        ]
        self.left_title = self.text(left, 0, 1.035, **TITLE)

        right = self.right = fig.add_axes((0.59, 0.385, 0.4, 0.52), ylabel="share (%)")
        right.set(xlim=(-0.6, 9.6), xticks=range(10))
        right.grid(visible=False, axis="x")
        right.xaxis.set_tick_params(length=0, pad=2)
        bars = LineCollection([], colors=BLUE, lw=17, capstyle="butt", zorder=2)
        self.bars = self.add(right, bars)
        self.whole = self.add(right, LineCollection([], colors=BLACK, lw=2, zorder=3))
        self.right_title = self.text(right, 0, 1.045, **TITLE)
        halo = HALO | {"boxstyle": "square,pad=0.2"}
        key = {"zorder": 4, "fontsize": 10.5, "ha": "right", "va": "top", "bbox": halo}
        self.text(right, 0.995, 0.97, "bar: this batch\nline: all images", **key)
        red = {"fontsize": 10.5, "color": RED_INK, "va": "top"}
        self.gap_text = self.text(right, 0, -0.155, **red)

        n = len(labels)
        strip = fig.add_axes((0.012, 0.075, 0.976, 0.085))
        strip.set(xlim=(0, n), ylim=(0, 1), xticks=[], yticks=[])
        strip.grid(visible=False)
        strip.spines[["left", "bottom"]].set_visible(False)
        self.epoch_image = self.image(strip, (0, n, 0, 1), cmap="cividis", vmax=9)
        self.edges = self.add(strip, LineCollection([], colors="white", lw=0.8, zorder=2))
        cover = {"lw": 22, "solid_capstyle": "butt", "alpha": 0.85, "zorder": 2.5}
        self.dropped = self.line(strip, color="white", **cover)
        self.frame = self.line(strip, color=RED, lw=3, zorder=4, clip_on=False)
        self.strip_title = self.text(strip, 0, 1.2, fontsize=10.5)
        grey = {"fontsize": 10.5, "color": GREY, "ha": "right", "va": "top"}
        self.text(strip, 1, -0.18, "colour: the digit, from 0 (dark) to 9 (light)", **grey)
        self.text(strip, 0, -0.18, "red frame: this batch", **red)
        return self.moving

    def update(self, result: Batch) -> None:
        _, labels, _ = stored()
        self.images.set_data(mosaic(result.indices))
        for k, name in enumerate(self.names):
            name.set_text(str(labels[result.indices[k]]) if k < len(result.indices) else "")
        size, shown = len(result.indices), ROWS * COLUMNS
        self.left_title.set_text(
            f"Batch {result.number} of {result.num_batches}: {counted(size, 'image')}"
            + (f", the first {shown}" if size > shown else "")
        )
        self._show_shares(result)
        self._show_epoch(result, labels)

    def _show_shares(self, result: Batch) -> None:
        top = min(top for top in TOPS if top >= ROOM * result.shares.max())
        if self.new_ground(top):
            last, step = TOPS[top]
            self.right.set(ylim=(0, top), yticks=range(0, last + 1, step))
        self.bars.set_segments([[(k, 0), (k, share)] for k, share in enumerate(result.shares)])
        self.whole.set_segments(
            [[(k - 0.38, s), (k + 0.38, s)] for k, s in enumerate(result.whole)]
        )
        missing = int((result.counts == 0).sum())
        if missing:
            title = f"{missing} of the 10 digits {'is' if missing == 1 else 'are'} missing"
        else:
            title = "All ten digits are in this batch"
        self.right_title.set_text(title)
        self.gap_text.set_text(
            f"largest distance: {result.gap:.1f} points; worst batch of\n"
            f"the epoch (batch {result.worst}): {result.gaps.max():.1f} points"
        )

    def _show_epoch(self, result: Batch, labels: np.ndarray) -> None:
        n, size = len(labels), result.batch_size
        self.epoch_image.set_data(labels[result.order][None])
        edges = range(size, n, size)
        self.edges.set_segments([[(edge, 0), (edge, 1)] for edge in edges])
        begin = (result.number - 1) * size
        end = begin + len(result.indices)
        self.frame.set_data([begin, end, end, begin, begin], [0, 0, 1, 1, 0])
        self.dropped.set_data([n - result.left_out, n], [0.5, 0.5])
        self.dropped.set_visible(result.left_out > 0)
        self.strip_title.set_text(f"Epoch {result.epoch}: {count_text(result)}")

    def summary(self, result: Batch) -> str:
        order = "shuffled" if result.shuffle else "not shuffled"
        order += ", data sorted by digit" if result.sorted_data else ", data in random order"
        held = [f"{count} of digit {k}" for k, count in enumerate(result.counts) if count]
        inside = ", ".join(held) if len(held) <= 3 else f"{len(held)} different digits"
        return (
            f"Epoch {result.epoch}, {order}: {count_text(result)}. Batch {result.number} holds "
            f"{counted(len(result.indices), 'image')} ({inside}); the share of a digit differs "
            f"from all images by up to {rounded(result.gap, 1):g} points, in the worst batch of "
            f"the epoch by {rounded(result.gaps.max(), 1):g}."
        )


def count_text(result: Batch) -> str:
    """ "⌈1257 / 64⌉ = 20 iterations, the last with 41 images"; ⌊ ⌋ with drop_last."""
    open_, close = "⌊⌋" if result.drop_last else "⌈⌉"
    iterations = counted(result.num_batches, "iteration")
    text = f"{open_}{len(result.order)} / {result.batch_size}{close} = {iterations}"
    if result.left_out:
        return f"{text}, {counted(result.left_out, 'image')} left out"
    if result.last_size < result.batch_size:
        return f"{text}, the last with {counted(result.last_size, 'image')}"
    return text
