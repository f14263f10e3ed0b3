"""What the playgrounds share: parts that move, drags, words, and docstrings made of controls."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from course_utils.live.controls import Choice, Notches, Slider, Toggle, rate_slider, share_slider
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import ARROWS, TITLE, Parts, Sheet, box, say
from course_utils.playgrounds.words import capital, counted, signed, standing


class Small(Sheet, Playground):
    """One point, and its name."""

    width, height = 4.0, 2.0
    controls = (
        Choice("kind", "dot", options=("dot", "cross")),
        Slider("size", 5, "size of the dot", low=1, high=9, only=("kind", ("dot",))),
        Notches("batch", 8, options=(1, 2, 4, 8, 16, 32), tip="images"),
        Toggle("big", False),
    )

    def compute(self, **values):
        return values

    def draw(self, fig):
        ax = self.sheet(fig)
        self.point = self.line(ax, "o")
        self.frame = self.patch(ax, fc="none")
        self.name = self.word(1.0, 0.5, "here", **TITLE)
        self.corner = self.text(ax, 1, 1, "corner", by="figure")
        return self.moving

    def update(self, result):
        self.point.set_data([2], [1])

    def summary(self, result):
        return f"A {result['kind']}."


@pytest.fixture
def small():
    made = Small()
    yield made
    made.close()


def test_parts_move_in_the_order_in_which_they_are_made(small):
    assert small.moving == [small.point, small.frame, small.name, small.corner]
    assert all(artist.get_animated() for artist in small.moving)
    other = Small()
    assert other.moving is not small.moving
    other.close()


def test_words_lie_where_they_are_said_to_lie(small):
    """In inches on a sheet, in fractions of the figure otherwise: 100 pixels are an inch."""
    figure = small.picture.figure
    for text, pixels in ((small.name, (100, 50)), (small.corner, (400, 200))):
        place = text.get_transform().transform(text._place)
        np.testing.assert_allclose(place / figure.dpi * 100, pixels)


def test_say_empties_what_is_left_over_and_refuses_too_many_words(small):
    say((small.name, small.corner), ["there"])
    assert (small.name.get_text(), small.corner.get_text()) == ("there", "")
    with pytest.raises(AttributeError):
        say((small.name,), ["one", "two"])


def test_a_drag_counts_only_where_it_began_in_the_area():
    parts, area = Parts(), (0.5, 0.0, 0.5, 1.0)
    assert parts.dragged(area, [("down", 0.2, 0.5), ("move", 0.8, 0.5)]) is None
    assert parts.dragged(area, [("down", 0.75, 0.5)]) == (0.5, 0.5)
    assert parts.dragged(area, [("move", 1.5, 0.5), ("up", 1.0, 0.25)]) == (1.0, 0.25)
    assert parts.dragged(area, [("move", 0.6, 0.5)]) is None


def test_pressed_is_in_inches_and_ends_with_the_finger(small):
    events = [("down", 0.5, 0.5), ("move", 0.25, 1.0), ("up", 0.0, 0.0)]
    assert small.pressed(events) == [(2.0, 1.0), (1.0, 2.0)]


def test_a_box_goes_round_its_corners():
    assert box(1, 2, 3, 4) == [(1, 2), (4, 2), (4, 6), (1, 6)]
    assert sorted(map(sum, ARROWS.values())) == [-1, -1, 1, 1]


def test_controls_that_do_not_count_are_grey(small):
    assert small.widget is not None
    size = small._bound["size"].widget
    assert not size.disabled
    small.set(kind="cross")
    assert size.disabled
    small.reset()
    assert not size.disabled


def test_the_docstring_names_every_control_and_what_it_can_be():
    assert inspect.getdoc(Small) == (
        "One point, and its name.\n\n"
        "Where controls start, by name:\n"
        "    kind: 'dot', 'cross'\n"
        "    size: 1 … 9 (size of the dot)\n"
        "    batch: 1, 2 … 32 (images)\n"
        "    big: True or False\n\n"
        "ValueError for an unknown control or a value outside its range."
    )


def test_common_sliders_are_the_same_everywhere():
    rate, share = rate_slider(0.1, 0.01, 1.0, label="rate"), share_slider("beta", 0.9, label="β")
    assert (rate.name, rate.log, rate.ends(), rate.caption) == ("lr", True, [0.01, 1.0], "rate")
    assert (share.ends(), share.step, share.caption) == ([0.0, 0.99], 0.01, "β")


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 steps"), (1, "1 step"), ("1.4", "1.4 steps"), (12, "12 steps")]
)
def test_counted(number, words):
    assert counted(number, "step") == words


def test_signs_and_capitals():
    assert [signed(x) for x in (-0.254, 3, -0.001, 1e6)] == ["−0.25", "3", "0", "1e+06"]
    assert (signed(0.0625, 3), signed(-2, 0)) == ("0.062", "−2")
    assert (capital("the end"), capital("")) == ("The end", "")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("ready", ": press Start"),
        ("running", ""),
        ("paused", ", paused"),
        ("finished", ", finished"),
    ],
)
def test_where_a_training_stands(state, words):
    assert standing(state, ": press Start") == words
    assert standing(state, early=True) == ", ended early"
