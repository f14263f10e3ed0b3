"""The speed-up explorer: its model against formulas, its words and its picture."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.playgrounds import speedup_explorer
from course_utils.playgrounds.speedup import (
    BATCHES,
    COUNTS,
    HIGHEST,
    LOWEST,
    MEASURED,
    PARTS,
    SCALINGS,
    STRONG,
    WEAK,
    WORKERS,
    ms_text,
    ring_all_reduce,
    speed_up,
    times_text,
)

PLAYGROUND = speedup_explorer()
DEFAULT = PLAYGROUND.values


def assert_shown_well(playground) -> None:
    words = repr(playground)
    result = playground.result
    assert 30 <= len(words) <= 400 and not re.search(r"\b(nan|inf)\b", words)
    assert np.isfinite(result.speedups).all() and (result.speedups > 0).all()
    assert sum(result.share(part) for part in PARTS) == pytest.approx(100)
    ends = [bar.get_x() + bar.get_width() for bar in playground.bars.values()]
    assert ends[-1] == pytest.approx(100) and ends == sorted(ends)
    assert list(playground.point.get_ydata()) == [result.speedup]
    assert bool(playground.beyond.get_text()) == (result.speedup < LOWEST)
    assert len(playground.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(speedup_explorer()) == (
        "8 workers, 512 images per step together: 3.2 times as fast as one, efficiency 40 %. One "
        "step takes 32.5 ms: computing 39 %, serial 6 %, communication 54 %. 64 workers reach 4.2 "
        "times. Measured with 2 processes: CNN 1.7, MLP 0.4 times."
    )


@pytest.mark.parametrize("name", list(DEFAULT))
def test_both_ends_of_every_control(name):
    for value in PLAYGROUND._specs[name].ends():
        PLAYGROUND.set(**(DEFAULT | {name: value}))
        assert_shown_well(PLAYGROUND)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(WORKERS),
    st.sampled_from(BATCHES),
    st.sampled_from(SCALINGS),
    st.tuples(st.floats(0, 4), st.floats(-1, 4), st.floats(-2, 3), st.floats(0, 3)),
    st.integers(0, 100),
)
def test_any_value_is_shown(workers, batch, scaling, powers, serial):
    per_image, megabytes, bandwidth, latency = powers
    PLAYGROUND.set(
        workers=workers,
        batch=batch,
        scaling=scaling,
        per_image=min(2 * 10**per_image, 20_000.0),
        megabytes=min(10**megabytes, 10_000.0),
        bandwidth=min(10**bandwidth, 1000.0),
        latency=min(10**latency, 1000.0),
        serial=serial / 2,
    )
    assert_shown_well(PLAYGROUND)


def test_one_step_by_hand():
    result = speed_up(8, STRONG, 512, 200.0, 100.0, 10.0, 10.0, 2.0)
    assert result.images == 64
    assert result.computing == pytest.approx(64 * 0.2)
    assert result.serial == pytest.approx(512 * 0.2 * 2 / 98)
    assert result.communication == pytest.approx(2 * 7 / 8 * 100 / 10 + 14 * 0.01)
    alone = 512 * 0.2 / 0.98
    assert result.speedup == pytest.approx(alone / result.step)
    assert result.efficiency == pytest.approx(100 * result.speedup / 8)


def test_without_communication_it_is_amdahls_and_gustafsons_law():
    free = {"megabytes": 0.0, "bandwidth": 1.0, "latency": 0.0}
    s = 0.05
    strong = speed_up(64, STRONG, 512, 200.0, serial=100 * s, **free)
    np.testing.assert_allclose(strong.speedups, 1 / (s + (1 - s) / COUNTS), rtol=1e-12)
    weak = speed_up(64, WEAK, 512, 200.0, serial=100 * s, **free)
    np.testing.assert_allclose(weak.speedups, s + (1 - s) * COUNTS, rtol=1e-12)


def test_the_ring_sends_less_than_twice_the_gradients():
    assert ring_all_reduce(1, 100.0, 10.0, 50.0) == 0
    assert ring_all_reduce(2, 100.0, 10.0, 0.0) == pytest.approx(10)
    times = ring_all_reduce(COUNTS, 100.0, 10.0, 0.0)
    assert (np.diff(times) > 0).all() and times[-1] < 20


def test_never_faster_than_ideal_and_one_worker_is_the_reference():
    for scaling in SCALINGS:
        result = speed_up(1, scaling, 64, 50.0, 10.0, 1.0, 100.0, 3.0)
        assert result.speedup == pytest.approx(1)
        assert (result.speedups <= COUNTS * (1 + 1e-12)).all()
    assert "the reference" in repr(speedup_explorer(workers=1))


def test_weak_scaling_keeps_the_batch_of_each_worker():
    weak = speed_up(16, WEAK, 512, 200.0, 100.0, 10.0, 10.0, 2.0)
    strong = speed_up(16, STRONG, 512, 200.0, 100.0, 10.0, 10.0, 2.0)
    assert (weak.images, strong.images) == (512, 32)
    assert weak.speedup > strong.speedup


def test_what_the_chapter_says():
    """The moves and the goal of chapter 13."""

    def words(**values):
        return speed_up(**(DEFAULT | values))

    assert round(words(workers=64).speedup, 1) == 4.2
    assert round(words(workers=64, scaling=WEAK).speedup) == 52
    assert (
        words(bandwidth=1.0).speedup < 1
        and round(words(bandwidth=1.0).share("communication")) == 92
    )
    assert round(words(workers=64, bandwidth=1000.0, serial=20.0).speedup, 1) == 4.5
    most = words(workers=64, batch=8192, bandwidth=1000.0, megabytes=0.1, latency=1.0).speedup
    assert 27 < most < 29
    assert round(words(workers=64, batch=8192, bandwidth=100.0, serial=0.5).speedup) == 44


def test_measured_points_lie_in_the_picture_and_are_named():
    words = repr(PLAYGROUND)
    for case in MEASURED:
        assert LOWEST < case.speedup <= 2 < HIGHEST
        assert f"{case.name} {round(case.speedup, 1):g}" in words


def test_the_model_leads_through_the_measured_points_with_one_bandwidth():
    """As the chapter says: 0.2 GB/s between the two processes, no serial share."""
    shared = {"workers": 2, "bandwidth": 0.2, "serial": 0.0}
    sizes = (("CNN", 400.0, 1.8), ("MLP", 6.3, 0.2))  # µs per image, MB
    for (name, per_image, megabytes), case in zip(sizes, MEASURED, strict=True):
        values = shared | {"batch": case.batch, "per_image": per_image, "megabytes": megabytes}
        assert case.name == name
        assert speed_up(**(DEFAULT | values)).speedup == pytest.approx(case.speedup, rel=0.08)


def test_more_workers_than_useful_is_said():
    assert "More workers would only be slower." in repr(speedup_explorer(bandwidth=0.1))
    assert "with 6 workers." in repr(speedup_explorer(latency=1000.0))


def test_moving_frames_are_patches():
    playground = speedup_explorer()
    playground.picture.news()
    for workers in (4, 16, 32):
        playground.set(workers=workers, bandwidth=20.0 * workers)
        repr(playground)
        assert playground.picture.frame(moving=True).format == "patch"


def test_words():
    assert times_text(3.21) == "3.2 times as fast as one"
    assert times_text(1.0) == "as fast as one"
    assert times_text(0.5) == "2 times slower than one"
    assert times_text(0.0004) == "2,500 times slower than one"
    assert (ms_text(31.26), ms_text(0.04), ms_text(19_700)) == ("31.3 ms", "0.04 ms", "19.7 s")


@pytest.mark.parametrize(
    "values", [{"workers": 5}, {"serial": 60.0}, {"batch": 1}, {"scaling": "x"}]
)
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError):
        speedup_explorer(**values)
