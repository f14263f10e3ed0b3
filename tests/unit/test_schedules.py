"""Schedules against torch.optim.lr_scheduler, as numbers and as arrays."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torch_schedules

from course_utils import schedules
from course_utils.schedules import SCHEDULES, get_schedule

rates = st.floats(1e-5, 1.0)
gammas = st.floats(0.1, 1.0)
lengths = st.integers(1, 60)
drawn = settings(max_examples=40, deadline=None, derandomize=True)


def torch_rates(make, lr, num):
    """The learning rate before each of ``num`` steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a restart inside SequentialLR warns about its epoch
        scheduler = make(optimizer)
        seen = [optimizer.param_groups[0]["lr"]]
        for _ in range(num - 1):
            optimizer.step()
            scheduler.step()
            seen.append(optimizer.param_groups[0]["lr"])
    return np.array(seen)


def agree(schedule, make, lr, num, **options):
    expected = torch_rates(make, lr, num)
    together = schedule(np.arange(num), lr, **options)
    one_by_one = [schedule(t, lr, **options) for t in range(num)]
    assert all(type(rate) is float for rate in one_by_one)
    np.testing.assert_allclose(together, expected, rtol=0, atol=1e-12 * max(1, lr))
    np.testing.assert_allclose(one_by_one, together, rtol=1e-14, atol=0)


@drawn
@given(rates)
def test_constant(lr):
    agree(schedules.constant, lambda o: torch_schedules.ConstantLR(o, factor=1.0), lr, 20)


@drawn
@given(rates, st.integers(1, 30), gammas)
def test_step(lr, step_size, gamma):
    agree(
        schedules.step,
        lambda o: torch_schedules.StepLR(o, step_size, gamma),
        lr,
        100,
        step_size=step_size,
        gamma=gamma,
    )


@drawn
@given(rates, st.lists(st.integers(0, 90), max_size=5), gammas)
def test_multi_step(lr, milestones, gamma):
    assume(0 not in milestones)  # torch counts a milestone at 0 only when it is told to start there
    agree(
        schedules.multi_step,
        lambda o: torch_schedules.MultiStepLR(o, milestones, gamma),
        lr,
        100,
        milestones=milestones,
        gamma=gamma,
    )


@drawn
@given(rates, gammas)
def test_exponential(lr, gamma):
    agree(
        schedules.exponential,
        lambda o: torch_schedules.ExponentialLR(o, gamma),
        lr,
        100,
        gamma=gamma,
    )


@drawn
@given(rates, lengths, st.floats(0, 1))
def test_cosine(lr, num_steps, share):
    agree(
        schedules.cosine,
        lambda o: torch_schedules.CosineAnnealingLR(o, num_steps, share * lr),
        lr,
        3 * num_steps,
        num_steps=num_steps,
        min_lr=share * lr,
    )


@drawn
@given(rates, lengths, st.floats(0.001, 1))
def test_linear_warmup(lr, warmup_steps, start_factor):
    agree(
        schedules.linear_warmup,
        lambda o: torch_schedules.LinearLR(o, start_factor, 1.0, warmup_steps),
        lr,
        warmup_steps + 10,
        warmup_steps=warmup_steps,
        start_factor=start_factor,
    )


@drawn
@given(rates, lengths, lengths, st.floats(0.001, 1), st.floats(0, 1))
def test_cosine_with_warmup(lr, warmup_steps, rest, start_factor, share):
    def make(optimizer):
        return torch_schedules.SequentialLR(
            optimizer,
            [
                torch_schedules.LinearLR(optimizer, start_factor, 1.0, warmup_steps),
                torch_schedules.CosineAnnealingLR(optimizer, rest, share * lr),
            ],
            milestones=[warmup_steps],
        )

    agree(
        schedules.cosine_with_warmup,
        make,
        lr,
        warmup_steps + 2 * rest,
        warmup_steps=warmup_steps,
        num_steps=warmup_steps + rest,
        start_factor=start_factor,
        min_lr=share * lr,
    )


def test_cosine_without_warmup_is_cosine():
    t = np.arange(30)
    np.testing.assert_array_equal(
        schedules.cosine_with_warmup(t, 0.1, 0, 30), schedules.cosine(t, 0.1, 30)
    )


@drawn
@given(
    max_lr=rates,
    num_steps=st.integers(3, 120),
    pct_start=st.floats(0, 1),
    div_factor=st.floats(1, 100),
    final_div_factor=st.floats(1, 1e5),
    anneal_strategy=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
)
def test_one_cycle(max_lr, num_steps, three_phase, pct_start, **options):
    # a first phase of (almost) no length is torch's division by (almost) zero: tested below
    assume(abs(pct_start * num_steps - 1) > 1e-3)
    agree(
        schedules.one_cycle,
        lambda o: torch_schedules.OneCycleLR(
            o,
            max_lr,
            total_steps=num_steps,
            pct_start=pct_start,
            three_phase=three_phase,
            cycle_momentum=False,
            **options,
        ),
        max_lr,
        num_steps,
        num_steps=num_steps,
        pct_start=pct_start,
        three_phase=three_phase,
        **options,
    )


def test_one_cycle_where_torch_divides_by_zero():
    assert schedules.one_cycle(0, 0.1, 10, pct_start=0.1) == pytest.approx(0.1)
    assert schedules.one_cycle(9, 0.1, 10, pct_start=0.1) == pytest.approx(0.1 / 25 / 1e4)


@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
def test_one_cycle_stays_down_after_its_last_step(anneal_strategy):
    options = {"max_lr": 0.1, "num_steps": 10, "anneal_strategy": anneal_strategy}
    last = schedules.one_cycle(9, **options)
    assert last == pytest.approx(0.1 / 25 / 1e4)
    assert schedules.one_cycle(10, **options) == last
    with pytest.raises(ValueError, match="the cycle is over after 10 steps, got t = 11"):
        schedules.one_cycle(11, **options)


def test_known_numbers():
    epochs = np.arange(200)
    halved = schedules.step(epochs, 0.1, step_size=50, gamma=0.5)
    assert sorted(set(halved.tolist()), reverse=True) == [0.1, 0.05, 0.025, 0.0125]
    steps = schedules.multi_step(epochs, 0.1, [50, 100, 160], gamma=0.5)
    assert [steps[t] for t in (49, 50, 159, 160)] == [0.1, 0.05, 0.025, 0.0125]
    assert schedules.exponential(3, 0.1, 0.9) == pytest.approx(0.0729)
    assert schedules.cosine(5, 0.1, 10) == pytest.approx(0.05)
    assert schedules.one_cycle(2, 1.0, 10) == 1.0


def test_shape_is_kept():
    t = np.arange(6).reshape(2, 3)
    options = {
        "constant": {},
        "step": {"step_size": 2},
        "multi_step": {"milestones": [2]},
        "exponential": {"gamma": 0.9},
        "cosine": {"num_steps": 6},
        "linear_warmup": {"warmup_steps": 3},
        "cosine_with_warmup": {"warmup_steps": 2, "num_steps": 6},
        "one_cycle": {"num_steps": 6},
    }
    assert set(options) == set(SCHEDULES)
    for name, schedule in SCHEDULES.items():
        assert schedule(t, 0.1, **options[name]).shape == (2, 3)
        assert schedule([0, 1], 0.1, **options[name]).shape == (2,)
        with pytest.raises(ValueError, match="must be finite and ≥ 0, got -1"):
            schedule(-1, 0.1, **options[name])
        with pytest.raises(ValueError, match=r"lr must be a finite number ≥ 0, got -0.1"):
            schedule(0, -0.1, **options[name])
        with pytest.raises(ValueError, match=r"lr must be a finite number ≥ 0, got nan"):
            schedule(0, math.nan, **options[name])
        with pytest.raises(ValueError, match="must be finite and ≥ 0, got inf"):
            schedule(math.inf, 0.1, **options[name])
        with pytest.raises(ValueError, match=r"must be finite and ≥ 0, got -1$"):
            schedule(np.arange(-1, 400), 0.1, **options[name])  # not the whole array
        with pytest.raises(ValueError, match="t must be a number or an array of numbers, got 'a'"):
            schedule("a", 0.1, **options[name])
        for bad in ("a", "0.1", None, 1j, np.array([0.1, 0.2]), 10**400):
            with pytest.raises(ValueError, match="lr must be a finite number ≥ 0, got "):
                schedule(0, bad, **options[name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: schedules.step(0, 0.1, 0),
            "step_size must be a whole number of at least 1, got 0",
        ),
        (
            lambda: schedules.step(0, 0.1, 2.5),
            "step_size must be a whole number of at least 1, got 2.5",
        ),
        (lambda: schedules.step(0, 0.1, 2, -1), "gamma must be a finite number ≥ 0, got -1"),
        (lambda: schedules.exponential(0, 0.1, -0.9), "gamma must be"),
        (
            lambda: schedules.cosine(0, 0.1, 0),
            "num_steps must be a whole number of at least 1, got 0",
        ),
        (lambda: schedules.cosine(0, 0.1, 5, -1), "min_lr must be a finite number ≥ 0, got -1"),
        (
            lambda: schedules.linear_warmup(0, 0.1, 0),
            "warmup_steps must be a whole number of at least 1",
        ),
        (lambda: schedules.linear_warmup(0, 0.1, 5, 2), "start_factor must be a number with 0"),
        (
            lambda: schedules.cosine_with_warmup(0, 0.1, 5, 5),
            "warmup_steps must be smaller than num_steps = 5, got 5",
        ),
        (
            lambda: schedules.one_cycle(0, 0.1, 5, pct_start=1.5),
            "pct_start must be a number with 0",
        ),
        (lambda: schedules.one_cycle(0, 0.1, 5, div_factor=0), "div_factor must be a finite"),
        (
            lambda: schedules.one_cycle(0, 0.1, 5, anneal_strategy="cosine"),
            "anneal_strategy must be 'cos' or 'linear', got 'cosine'",
        ),
        (lambda: schedules.one_cycle(0, 0.1, 5, div_factor="a"), "div_factor must be a finite"),
        (
            lambda: schedules.one_cycle(np.arange(400), 0.1, 100),
            "the cycle is over after 100 steps, got t = 399",
        ),
    ],
)
def test_bad_settings(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "milestones", [[-5], [2.5], [math.nan], [math.inf], ["a"], ["3"], [[1, 2]], 50, None, "12"]
)
def test_bad_milestones(milestones):
    message = "milestones must be a list of whole numbers ≥ 0, got "
    with pytest.raises(ValueError) as caught:
        schedules.multi_step(0, 0.1, milestones)
    assert str(caught.value) == message + repr(milestones)
    with pytest.raises(ValueError, match=message):
        schedules.sequential(0, [np.cos, np.sin], milestones)


def test_milestones_of_other_kinds():
    for milestones in ((3, 4), np.array([4, 3]), [3.0, 4.0], torch.tensor([3, 4])):
        rates = schedules.multi_step(np.arange(5), 1.0, milestones)
        np.testing.assert_allclose(rates, [1, 1, 1, 0.1, 0.01])
    assert schedules.multi_step(7, 0.1, []) == 0.1


def test_names():
    assert get_schedule("One_Cycle") is schedules.one_cycle
    with pytest.raises(ValueError, match=r"unknown schedule 'cosin'; known: .*'cosine'"):
        get_schedule("cosin")


@drawn
@given(
    st.lists(st.floats(0.01, 3.0), max_size=300),
    rates,
    st.floats(0.1, 0.9),
    st.integers(0, 8),
    st.floats(0, 0.3),
    st.sampled_from(["rel", "abs"]),
    st.integers(0, 4),
    st.sampled_from([0.0, 1e-3]),
)
def test_plateau(losses, lr, factor, patience, threshold, threshold_mode, cooldown, min_lr):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    options = {
        "factor": factor,
        "patience": patience,
        "threshold": threshold,
        "threshold_mode": threshold_mode,
        "cooldown": cooldown,
        "min_lr": min_lr,
    }
    scheduler = torch_schedules.ReduceLROnPlateau(optimizer, **options)
    expected = [lr]
    for loss in losses:
        scheduler.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    found = schedules.plateau(losses, lr, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


@drawn
@given(rates, st.integers(1, 40), st.integers(1, 60), gammas, gammas, st.integers(1, 30))
def test_sequential(lr, first, second, start_factor, gamma, step_size):
    ends = [first, first + second]

    def chain(optimizer):
        parts = [
            torch_schedules.LinearLR(optimizer, start_factor, total_iters=first),
            torch_schedules.ExponentialLR(optimizer, gamma),
            torch_schedules.StepLR(optimizer, step_size, gamma),
        ]
        return torch_schedules.SequentialLR(optimizer, parts, ends)

    parts = [
        lambda t: schedules.linear_warmup(t, lr, first, start_factor),
        lambda t: schedules.exponential(t, lr, gamma),
        lambda t: schedules.step(t, lr, step_size, gamma),
    ]
    times = np.arange(300)
    found = schedules.sequential(times, parts, ends)
    np.testing.assert_allclose(found, torch_rates(chain, lr, 300), rtol=1e-10, atol=0)
    assert schedules.sequential(ends[0], parts, ends) == found[ends[0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schedules.plateau([1.0], 0.1, factor=1.0), "factor must be"),
        (lambda: schedules.plateau([1.0], 0.1, factor="a"), "factor must be .* got 'a'"),
        (lambda: schedules.plateau([1.0], 0.1, patience=-1), "patience"),
        (lambda: schedules.plateau(1.0, 0.1), "losses must be a list of numbers, got 1.0"),
        (lambda: schedules.plateau([1.0, None], 0.1), "losses must be a list of numbers"),
        (lambda: schedules.plateau([[1.0, 2.0]], 0.1), "losses must be a list of numbers"),
        (lambda: schedules.plateau([1.0], 0.1, threshold_mode="both"), "'rel' or 'abs'"),
        (lambda: schedules.sequential(3, [np.cos], [5]), "1 parts need 0 increasing"),
        (lambda: schedules.sequential(3, [np.cos, np.sin, np.cos], [5, 5]), r"got \[5, 5\]"),
        (lambda: schedules.sequential(-1, [np.cos, np.sin], [5]), "finite and ≥ 0"),
    ],
)
def test_bad_plateaus_and_chains_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
