"""Text that is drawn once per wording: it moves, goes, and shares what is drawn when asked to."""

from __future__ import annotations

import numpy as np
import pytest

from course_utils.live.quick_text import KEPT, KEPT_TOGETHER, QuickText
from course_utils.plotting import figure


@pytest.fixture
def axes():
    ax = figure(2, 1).add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    return ax


def pixels(ax) -> np.ndarray:
    ax.figure.canvas.draw()
    return np.array(ax.figure.canvas.buffer_rgba())


def ink(image: np.ndarray) -> np.ndarray:
    """Columns of the image that are not white."""
    return np.flatnonzero((image[..., :3] < 250).any(axis=(0, 2)))


def test_words_move_and_go(axes):
    text = QuickText(axes, fontsize=11)
    assert not len(ink(pixels(axes)))
    text.set_text("0.25")
    text.set_position((0.1, 0.5))
    left = ink(pixels(axes))
    text.set_position((0.5, 0.5))
    right = ink(pixels(axes))
    assert right[0] - left[0] == pytest.approx(80, abs=1) and len(left) == len(right)
    text.set_text("")
    assert not len(ink(pixels(axes)))


def test_a_text_like_another_looks_like_it_and_shares_what_is_drawn(axes):
    first = QuickText(axes, fontsize=11, color="red", ha="center")
    second = QuickText(axes, like=first)
    other = QuickText(axes, fontsize=11, color="red", ha="center")
    images = []
    for text in (first, second, other):
        text.set_text("−0.5")
        text.set_position((0.5, 0.5))
        images.append(pixels(axes))
        text.set_text("")
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], images[2])
    assert second._images is first._images and other._images is not first._images
    assert len(first._images) == 1  # drawn once for both


def test_both_texts_are_seen_at_their_own_places(axes):
    first = QuickText(axes, fontsize=11)
    second = QuickText(axes, like=first)
    for text, words, x in ((first, "one", 0.1), (second, "two", 0.6)):
        text.set_text(words)
        text.set_position((x, 0.5))
    columns = ink(pixels(axes))
    assert columns[0] < 60 and columns[-1] > 120 and (np.diff(columns) > 40).sum() == 1


def test_only_so_many_wordings_are_kept(axes):
    alone = QuickText(axes, fontsize=6)
    for k in range(KEPT + 5):
        alone.set_text(str(k))
        alone._image(100.0)
    assert len(alone._images) == KEPT
    shared = QuickText(axes, like=alone)
    assert shared._kept == alone._kept == KEPT_TOGETHER
