"""The EMA explorer: its numbers, its words and its picture."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.paths import ema
from course_utils.playgrounds import ema_explorer
from course_utils.playgrounds.ema import DAYS, TOPS, average_series, days_text, temperatures

PLAYGROUND = ema_explorer()


def assert_shown_well(playground) -> None:
    words = repr(playground)
    assert words and not re.search(r"\b(nan|inf)\b", words)
    assert f"β = {playground.values['beta']:.2f}" in words
    low, high = playground.left.get_ylim()
    drawn = np.asarray(playground.mean.get_ydata())
    assert len(drawn) == DAYS and low < drawn.min() and drawn.max() < high
    stems = np.array(playground.stems.get_segments())
    assert 0.35 * playground.right.get_ylim()[1] < stems[0, 1, 1] <= playground.right.get_ylim()[1]
    assert len(playground.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(ema_explorer()) == (
        "β = 0.90 averages about 10 days: the newest day counts 10 %, each older day 0.90 times as "
        "much as the next. Day 1: measured 17.37 °C, average 1.74 °C, since it starts from zero. "
        "Day 120: average 4.65 °C."
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.booleans())
def test_any_value_is_shown(percent, correction):
    PLAYGROUND.set(beta=percent / 100, bias_correction=correction)
    assert_shown_well(PLAYGROUND)


@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.98, 0.99])
def test_numbers(beta, correction):
    result = average_series(beta, correction)
    np.testing.assert_array_equal(result.averages, ema(result.series, beta, correction))
    assert result.window == pytest.approx(1 / (1 - beta))
    assert (result.weights @ result.series[::-1]) == pytest.approx(result.averages[-1])
    total = result.weights.sum()
    assert total == pytest.approx(1 if correction else 1 - beta**DAYS)


def test_the_series_is_the_same_every_time_and_fits_the_axes():
    series = temperatures()
    np.testing.assert_array_equal(series, temperatures())
    assert series.shape == (DAYS,)
    low, high = PLAYGROUND.left.get_ylim()
    assert low < series.min() and series.max() < high


def test_correction_starts_at_the_first_day_and_shows_what_it_changed():
    playground = ema_explorer(bias_correction=True)
    assert playground.result.averages[0] == pytest.approx(playground.result.series[0])
    assert "average 17.37 °C with bias correction" in repr(playground)
    assert playground.plain.get_visible()
    playground.set(bias_correction=False)
    assert "since it starts from zero" in repr(playground)
    assert not playground.plain.get_visible()


def test_window_is_marked():
    playground = ema_explorer(beta=0.95)
    assert list(playground.mark.get_xdata()) == pytest.approx([19.5, 19.5])
    assert playground.mark_label.get_text() == "1/(1 − β) = 20 days:\n64 % of the weight"
    assert playground.span_label.get_text() == "last 20 days"
    playground.set(beta=0.99)
    repr(playground)
    assert not playground.mark.get_visible()  # it lies beyond the axis: an arrow says so
    assert playground.mark_label.get_text().endswith("→")


def test_moving_frames_are_patches_unless_the_axis_changes():
    playground = ema_explorer(beta=0.9)
    playground.picture.news()
    for beta in (0.88, 0.91, 0.93):
        playground.set(beta=beta)
        repr(playground)
        assert playground._ground == 15.0
        assert playground.picture.frame(moving=True).format == "patch"
    tops = set()
    for percent in range(100):
        playground.set(beta=percent / 100)
        repr(playground)
        tops.add(playground._ground)
    assert tops == set(TOPS)


@pytest.mark.parametrize("values", [{"beta": 1.0}, {"beta": -0.1}, {"beta": float("nan")}])
def test_beta_out_of_range_is_refused(values):
    with pytest.raises(ValueError, match=r"beta=.*from 0.0 to 0.99"):
        ema_explorer(**values)


def test_other_nonsense_is_refused():
    with pytest.raises(ValueError, match=r"unknown control 'betta'.*Did you mean 'beta'"):
        ema_explorer(betta=0.9)
    with pytest.raises(ValueError, match="give True or False"):
        ema_explorer(bias_correction=1)


def test_days_in_words():
    assert [days_text(d) for d in (1.0, 1.43, 10.0)] == ["1 day", "1.4 days", "10 days"]


def test_widget_has_its_controls_in_one_row():
    playground = ema_explorer()
    row, _ = playground.widget.children
    assert [child.description for child in row.children] == ["β", "bias correction", "Reset"]
    row.children[0].value = 0.5
    row.children[1].value = True
    assert playground.values == {"beta": 0.5, "bias_correction": True}
    playground.close()
