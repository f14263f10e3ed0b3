"""The batch explorer: its batches are those of a DataLoader, and what it says is what it shows."""

from __future__ import annotations

import itertools
import math
import random
import re

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler

from course_utils.data import ImageDataset, digits
from course_utils.playgrounds import batch_explorer
from course_utils.playgrounds.batches import (
    BATCH_SIZES,
    COLUMNS,
    ROWS,
    SEED,
    TILE,
    count_text,
    mosaic,
    stored,
    take_batch,
)

PLAYGROUND = batch_explorer()
DEFAULTS = PLAYGROUND.values
N = 1257


def settings():
    """Every control at its ends, and some random settings."""
    for name, value in itertools.chain(
        *([(n, v) for v in spec.ends()] for n, spec in PLAYGROUND._specs.items())
    ):
        yield {name: value}
    yield {"batch_size": 8, "place": 100}  # a batch with a single image
    yield {"batch_size": 1024, "place": 100, "drop_last": True}
    draw = random.Random(0)
    for _ in range(20):
        yield {
            "batch_size": draw.choice(BATCH_SIZES),
            "place": draw.randint(0, 100),
            "epoch": draw.randint(1, 5),
            **{name: draw.random() < 0.5 for name in ("sorted_data", "shuffle", "drop_last")},
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text = repr(PLAYGROUND)
    assert text.startswith("Epoch ") and text.endswith(".")
    assert not re.search(r"\b(nan|inf)\b|\b1 (images|iterations)\b", text)
    result = PLAYGROUND.result
    assert f"Batch {result.number} holds {result.counts.sum()} image" in text
    assert result.shares.sum() == pytest.approx(100)
    assert result.shares.max() < PLAYGROUND.right.get_ylim()[1]
    assert result.gap == pytest.approx(np.abs(result.shares - result.whole).max())
    assert result.gap <= result.gaps.max() == result.gaps[result.worst - 1]
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


def test_the_default_state():
    assert repr(batch_explorer()) == (
        "Epoch 1, not shuffled, data sorted by digit: ⌈1257 / 64⌉ = 20 iterations, the last with "
        "41 images. Batch 1 holds 64 images (64 of digit 0); the share of a digit differs from "
        "all images by up to 90.1 points, in the worst batch of the epoch by 90.3."
    )


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [32, 512])
def test_the_batches_are_those_of_a_loader(batch_size, drop_last):
    data = digits("embedded", dtype=torch.float64)
    dataset = ImageDataset(data.X_train, data.y_train)
    sampler = RandomSampler(dataset, generator=torch.Generator().manual_seed(SEED))
    loader = DataLoader(dataset, batch_size, sampler=sampler, drop_last=drop_last)
    for epoch in (1, 2):
        batches = [y.numpy() for _, y in loader]
        for place in (0, 40, 100):
            mine = take_batch(batch_size, place, epoch, True, False, drop_last)
            assert mine.num_batches == len(batches) == len(loader)
            np.testing.assert_array_equal(
                data.y_train[mine.indices].numpy(), batches[mine.number - 1]
            )


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("drop_last", [False, True])
def test_the_number_of_iterations(batch_size, drop_last):
    last = take_batch(batch_size, 100, 1, False, True, drop_last)
    assert last.num_batches == (math.floor if drop_last else math.ceil)(N / batch_size)
    assert last.number == last.num_batches and last.last_size == len(last.indices)
    handed_out = (last.num_batches - 1) * batch_size + last.last_size
    assert handed_out + last.left_out == N
    assert (last.left_out > 0) == drop_last
    first = take_batch(batch_size, 0, 1, False, True, drop_last)
    assert first.number == 1 and len(first.indices) == batch_size


def test_every_batch_can_be_reached():
    """As far as one percent of the epoch can tell them apart."""
    numbers = {take_batch(64, place, 1, True, True, False).number for place in range(101)}
    assert numbers == set(range(1, 21))


def test_sorted_data_without_shuffling_come_digit_by_digit():
    _, labels, _ = stored()
    result = take_batch(64, 0, 1, False, True, False)
    assert (np.diff(labels[result.order]) >= 0).all()
    assert result.counts[0] == 64
    other = take_batch(64, 0, 3, False, True, False)
    np.testing.assert_array_equal(other.order, result.order)  # every epoch is the same


def test_shuffling_mixes_and_changes_from_epoch_to_epoch():
    orders = [take_batch(64, 0, epoch, True, True, False).order for epoch in (1, 2, 3)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(N))
    assert len({tuple(order) for order in orders}) == 3


def test_what_the_chapter_says_about_the_goal():
    def worst(batch_size):
        return [
            take_batch(batch_size, 0, epoch, True, True, False).gaps.max() for epoch in range(1, 6)
        ]

    assert [round(worst(size)[0]) for size in (16, 64, 256)] == [28, 12, 7]
    assert sum(gap > 10 for gap in worst(64)) == 2
    assert sum(gap > 10 for gap in worst(128)) == 1
    assert max(worst(256)) < 10


def test_texts():
    assert count_text(take_batch(8, 0, 1, True, True, False)) == (
        "⌈1257 / 8⌉ = 158 iterations, the last with 1 image"
    )
    assert count_text(take_batch(1024, 0, 1, True, True, True)) == (
        "⌊1257 / 1024⌋ = 1 iteration, 233 images left out"
    )


def test_the_images_of_a_batch():
    ink, _, _ = stored()
    grid = mosaic(np.array([7, 3]))
    assert grid.shape == (ROWS * TILE, COLUMNS * TILE) and grid.dtype == np.uint8
    np.testing.assert_array_equal(grid[1:29, TILE + 1 : TILE + 29], ink[3])
    assert (grid[:, 2 * TILE :] == 255).all() and (grid[TILE:] == 255).all()


def test_values_are_checked():
    with pytest.raises(ValueError, match="batch_size"):
        batch_explorer(batch_size=100)
    with pytest.raises(ValueError, match="place"):
        batch_explorer(place=101)
