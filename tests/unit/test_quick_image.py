"""Images that move look as `imshow` draws them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils.live.quick_image import QuickImage

VALUES = np.random.default_rng(0).random((5, 7))
HERE = (0, 7, 5, 0)  # left, right, lower, upper end


def drawn(paint, xlim=(0, 7), ylim=(5, 0), dpi=100):
    """Pixels of axes of 140 × 100 (at 100 dpi), painted by `paint(axes)`."""
    figure = Figure((2, 2), dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.1, 0.7, 0.5))
    axes.set(xlim=xlim, ylim=ylim)
    axes.axis("off")
    paint(axes)
    axes.set(xlim=xlim, ylim=ylim)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).astype(int)


def both(values, extent=HERE, look=None, **limits):
    look = {"cmap": "viridis", "vmin": 0.2, "vmax": 0.9} | (look or {})

    def ours(axes):
        QuickImage(axes, extent, **look).set_data(values)

    def theirs(axes):
        axes.imshow(values, extent=extent, interpolation="nearest", aspect="auto", **look)

    return drawn(ours, **limits), drawn(theirs, **limits)


@pytest.mark.parametrize("dpi", [100, 200])
@pytest.mark.parametrize(
    ("extent", "limits"),
    [
        (HERE, {}),
        ((1, 4, 3, 1), {}),  # a part of the axes
        ((-2, 12, 10, -5), {}),  # beyond their edges, where it is cut
    ],
)
def test_every_pixel_is_that_of_imshow(extent, limits, dpi):
    ours, theirs = both(VALUES, extent, dpi=dpi, **limits)
    assert (ours != 255).any()
    assert np.abs(ours - theirs).max() <= 1


def test_row_0_is_above_also_where_the_axis_goes_up():
    ours, theirs = both(VALUES, (0, 7, 0, 5), ylim=(0, 5))
    assert np.abs(ours - theirs).max() <= 1


def test_nothing_is_painted_where_there_is_no_value():
    values = VALUES.copy()
    values[2, 3] = np.nan
    ours, theirs = both(values)
    assert np.abs(ours - theirs).max() <= 1
    assert (both(np.full((2, 2), np.nan))[0] == 255).all()


def test_what_is_changed_is_drawn_anew():
    def paint(axes):
        image = QuickImage(axes, (0, 3, 2, 0))
        image.set_data(VALUES)
        axes.figure.canvas.draw()
        image.set_data(VALUES[:, ::-1])
        image.set_clim(0.2, 0.9)
        image.set_extent(HERE)
        assert image.get_array().shape == (5, 7)

    after = drawn(paint)
    wanted = both(VALUES[:, ::-1], look={"cmap": "gray"})[0]
    assert np.array_equal(after, wanted)


def test_invisible_is_not_painted():
    def paint(axes):
        image = QuickImage(axes, HERE)
        image.set_data(VALUES)
        image.set_visible(False)

    assert (drawn(paint) == 255).all()


def test_a_smooth_image_mixes_its_colours():
    def paint(axes):
        QuickImage(axes, HERE, smooth=True).set_data(np.eye(2))

    assert len(np.unique(drawn(paint)[..., 0])) > 50
