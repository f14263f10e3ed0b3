"""The broadcasting explorer: shapes and numbers as PyTorch has them, and how they are shown."""

from __future__ import annotations

import itertools
import operator
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.playgrounds import broadcast_explorer
from course_utils.playgrounds.broadcast_compute import (
    MEANS,
    MOST,
    OPERATIONS,
    SHAPES,
    align,
    broadcast,
    copied,
)
from course_utils.playgrounds.broadcasting import CELL, SLOTS, places
from course_utils.playgrounds.words import signed

PLAYGROUND = broadcast_explorer()
EVERY_B = [*SHAPES, *MEANS]
TORCH = {"a + b": operator.add, "a - b": operator.sub, "a * b": operator.mul}
sizes = st.lists(st.integers(1, 3), max_size=4).map(tuple)


def assert_shown_well(playground) -> None:
    words = repr(playground)
    assert words and not re.search(r"\b(nan|inf|None)\b", words)
    result = playground.result
    assert ("do not fit" in words) == (not result.fits)
    assert playground.title.get_text() and len(playground.title.get_text()) < 90
    tables = [len(table.get_paths()) for table in playground.tables]
    size = result.value.size if result.fits else 0
    assert tables == ([size] * 3 if result.fits else [result.a.size, result.b.size, 0])
    assert len(playground.frames.get_paths()) == (3 if result.fits else 0)
    assert bool(playground.why.get_text()) == (not result.fits)
    for slot in range(3):
        shown = [text.get_text() for text in playground.numbers[slot]]
        echoes = [text.get_text() for text in playground.echoes[slot]]
        assert sum(map(bool, shown)) + sum(map(bool, echoes)) == tables[slot]
        assert all(len(text) <= 5 for text in shown)
        for table in playground.tables[slot].get_paths():
            low, high = table.vertices.min(0), table.vertices.max(0)
            assert (low >= (SLOTS[slot] - 0.01, 0.5)).all()
            assert high[0] <= [*SLOTS, 9.0][slot + 1]
    assert len(playground.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(broadcast_explorer()) == (
        "a (3, 4) and b (4,) fit: a + b has shape (3, 4). From the right: dim −1: equal, 4; "
        "dim −2: b gets a 1, stretched to 3. Entry [1, 2] = a[1, 2] + b[2] = 6 + 30 = 36."
    )


@given(sizes, sizes)
def test_the_rule_is_that_of_numpy_and_torch(a, b):
    dims = align(a, b)
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(RuntimeError):
            torch.broadcast_shapes(a, b)
        assert any(dim.size is None for dim in dims)
        return
    assert tuple(torch.broadcast_shapes(a, b)) == expected
    assert tuple(dim.size for dim in dims) == expected
    for shape, name in ((a, "a"), (b, "b")):
        wider = (1,) * (len(expected) - len(shape)) + shape
        stretched = [m != n for m, n in zip(wider, expected, strict=True)]
        assert [dim.stretched == name for dim in dims] == stretched


@pytest.mark.parametrize(("a", "b"), list(itertools.product(SHAPES, EVERY_B)))
def test_numbers_are_those_of_torch(a, b):
    shape = SHAPES[a]
    first = torch.arange(np.prod(shape, dtype=int), dtype=torch.float64).reshape(shape)
    if b in MEANS:
        second = eval(b, {"a": first})
    else:
        count = int(np.prod(SHAPES[b], dtype=int))
        second = torch.arange(1, count + 1, dtype=torch.float64).reshape(SHAPES[b]) * 10
    for operation, entry in itertools.product(OPERATIONS, (0, 6, MOST - 1)):
        result = broadcast(a, b, operation, entry)
        try:
            expected = TORCH[operation](first, second)
        except RuntimeError:
            assert not result.fits
            continue
        assert result.value.shape == tuple(expected.shape) and result.value.size <= MOST
        np.testing.assert_array_equal(result.value, expected.numpy())
        parts = result.a[result.source(result.a)], result.b[result.source(result.b)]
        assert OPERATIONS[operation](*parts) == result.value[result.entry]
        assert result.value[result.entry] == result.value.ravel()[min(entry, expected.numel() - 1)]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(list(SHAPES)),
    st.sampled_from(EVERY_B),
    st.sampled_from(list(OPERATIONS)),
    st.integers(0, MOST - 1),
)
def test_any_value_is_shown(a, b, operation, entry):
    PLAYGROUND.set(a=a, b=b, operation=operation, entry=entry)
    assert_shown_well(PLAYGROUND)


def test_both_ends_of_every_control_are_shown():
    playground = broadcast_explorer()
    for spec in playground.controls:
        for value in (*spec.ends(), spec.default):
            playground.set(**{spec.name: value})
            assert_shown_well(playground)


def test_a_lost_keepdim_is_loud_or_silent_and_said():
    rows = {"operation": "a - b", "b": "a.mean(-1)"}
    assert "do not fit" in repr(broadcast_explorer(a="(3, 4)", **rows))
    square = repr(broadcast_explorer(a="(3, 3)", **rows))
    assert square.endswith("(a - b).mean(-1) runs from −3 to 3: it should be 0.")
    column = repr(broadcast_explorer(a="(3, 1)", **rows))
    assert "a - b has shape (3, 3)" in column
    assert column.endswith("The result should have a's shape, (3, 1).")
    for a in SHAPES:
        words = repr(broadcast_explorer(a=a, b="a.mean(-1, keepdim=True)", operation="a - b"))
        assert words.endswith("(a - b).mean(-1) is 0 everywhere, as it should be."), a
        assert ".mean" not in repr(broadcast_explorer(a=a, operation="a - b"))


def test_a_misfit_says_where_and_why():
    playground = broadcast_explorer(a="(4, 3)", b="(3, 4)")
    assert playground.why.get_text() == (
        "There is no a + b.\n\n3 and 4 in dim −1\n4 and 3 in dim −2\ndiffer, neither is 1."
    )
    marks = [text.get_text() for text in playground.clash_sizes]
    assert sorted(marks) == ["3", "3", "4", "4"]
    assert len(playground.clash_lines.get_segments()) == 4
    playground.set(b="(4, 3)")
    repr(playground)
    assert playground.why.get_text() == "" and not playground.clash_lines.get_segments()


def test_copies_are_what_has_been_stretched():
    assert not copied((3, 4), (3, 4)).any()
    assert copied((4,), (3, 4)).tolist() == [[False] * 4, [True] * 4, [True] * 4]
    assert copied((3, 1), (2, 3, 2)).tolist() == [[[False, True]] * 3, [[True, True]] * 3]


def test_a_click_on_any_table_frames_that_entry():
    playground = broadcast_explorer()
    for left, index in ((SLOTS[0], 0), (SLOTS[1], 5), (SLOTS[2], 11)):
        x, y = places((3, 4), left)[index] + np.array(CELL) / 2
        playground.on_pointer([("down", x / playground.width, y / playground.height)])
        assert playground.values["entry"] == index
    playground.on_pointer([("down", 0.01, 0.01), ("up", x / playground.width, 0.7)])
    assert playground.values["entry"] == 11
    playground.set(b="(3,)")
    repr(playground)
    playground.on_pointer([("down", x / playground.width, y / playground.height)])
    assert playground.values["entry"] == 11


def test_moving_the_entry_sends_patches():
    playground = broadcast_explorer()
    playground.picture.news()
    for entry in (0, 3, 11):
        playground.set(entry=entry)
        repr(playground)
        assert playground.picture.frame(moving=True).format in ("patch", "jpeg")


def test_numbers_are_short():
    assert [signed(x) for x in (7.0, -1.5, -0.0, 494.5)] == ["7", "−1.5", "0", "494.5"]


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="unknown a"):
        broadcast_explorer(a="(5, 5)")
    with pytest.raises(ValueError, match="from 0 to 23"):
        broadcast_explorer(entry=24)
    with pytest.raises(ValueError, match="unknown control 'shape'"):
        broadcast_explorer(shape="(3,)")


def test_widget_has_its_controls_and_the_tables_can_be_clicked():
    playground = broadcast_explorer()
    row, canvas = playground.widget.children
    names = [child.description for child in row.children]
    assert names == ["a", "b", "operation", "look at entry", "Reset"]
    assert canvas.areas
    row.children[1].value = "a.mean(0)"
    assert playground.values["b"] == "a.mean(0)"
    playground.close()
