"""Schedules and convolutions against PyTorch: every setting, from step 0 to far beyond the end."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler as theirs

from course_utils import convolution, schedules
from tests.unit.parity import DTYPES, ORDINARY, same, strictly

RATES = (0.0, 0.1, 1e-6, 3.0)


def rates(make, lr, steps, losses=None):
    """What a scheduler of PyTorch does to the rate in ``steps`` steps, from step 0 on."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR's own
        scheduler, seen = make(optimizer), [optimizer.param_groups[0]["lr"]]
        for i in range(steps):
            optimizer.step()
            scheduler.step(*([] if losses is None else [losses[i]]))
            seen.append(optimizer.param_groups[0]["lr"])
    return [float(rate) for rate in seen]


def agree(name, steps, make, lr, *settings):
    t = np.arange(steps + 1)
    schedule = getattr(schedules, name)
    wanted = rates(make, lr, steps)
    same(strictly(schedule, t, lr, *settings), wanted, (name, lr, settings), rtol=1e-9, atol=1e-12)
    for dtype in (np.uint8, np.int16, np.float32):
        last = t[: np.iinfo(np.uint8).max].astype(dtype)
        got = schedule(last, lr, *settings)
        same(got, wanted[: len(last)], (name, lr, settings), rtol=1e-9, atol=1e-12)
    assert schedule(steps, lr, *settings) == pytest.approx(wanted[-1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("lr", RATES)
def test_powers(lr):
    for size, gamma in itertools.product((1, 2, 7, 100), (0, 0.1, 0.9, 1, 2)):
        agree("step", 60, lambda o, s=size, g=gamma: theirs.StepLR(o, s, g), lr, size, gamma)
    for marks, gamma in itertools.product(([], [0], [3, 3, 5], [5, 3], [0, 10, 100]), (0, 0.1, 2)):
        agree("multi_step", 40, lambda o, m=marks, g=gamma: theirs.MultiStepLR(o, m, g),
              lr, marks, gamma)  # fmt: skip
    for gamma in (0, 0.5, 0.99, 1, 1.5, 10):
        agree("exponential", 200, lambda o, g=gamma: theirs.ExponentialLR(o, g), lr, gamma)


def test_a_rate_of_zero_stays_zero():
    for t in (400, 10**6):
        assert strictly(schedules.exponential, t, 0.0, 10) == 0
        assert strictly(schedules.step, t, 0.0, 1, 10) == 0


@pytest.mark.parametrize("lr", RATES)
def test_cosine_and_warmup(lr):
    for steps, low in itertools.product((1, 2, 3, 10, 50), (0, 0.05, 0.5)):
        agree("cosine", 4 * steps, lambda o, n=steps, m=low: theirs.CosineAnnealingLR(o, n, m),
              lr, steps, low)  # fmt: skip
    for warm, factor in itertools.product((1, 2, 5, 30), (1e-3, 1 / 3, 1)):
        agree("linear_warmup", 40, lambda o, w=warm, f=factor: theirs.LinearLR(o, f, 1, w),
              lr, warm, factor)  # fmt: skip
    for warm, more, low in itertools.product((1, 2, 5, 30), (1, 7, 40), (0, 0.01)):

        def make(optimizer, warm=warm, more=more, low=low):
            rising = theirs.LinearLR(optimizer, 0.2, 1, warm)
            falling = theirs.CosineAnnealingLR(optimizer, more, low)
            return theirs.SequentialLR(optimizer, [rising, falling], [warm])

        agree("cosine_with_warmup", 80, make, lr, warm, warm + more, 0.2, low)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 5, 10, 37])
def test_one_cycle(num_steps):
    compared = 0
    for start, bend, three, divisors in itertools.product(
        (0.0, 0.05, 0.3, 0.5, 0.7, 0.9, 1.0),
        ("cos", "linear"),
        (False, True),
        ((25, 1e4), (1, 1), (0.5, 0.1)),
    ):

        def make(o, start=start, bend=bend, three=three, divisors=divisors):
            return theirs.OneCycleLR(
                o, 0.3, num_steps, pct_start=start, anneal_strategy=bend, three_phase=three,
                div_factor=divisors[0], final_div_factor=divisors[1], cycle_momentum=False,
            )  # fmt: skip

        try:
            wanted = rates(make, 0.1, num_steps - 1)
        except ZeroDivisionError:  # a phase of no length, as the docstring says
            continue
        got = strictly(schedules.one_cycle, np.arange(num_steps), 0.3, np.int8(num_steps), start,
                       *divisors, bend, three)  # fmt: skip
        compared += same(got, wanted, (num_steps, start, bend, three), rtol=1e-9, atol=1e-12)
    assert compared >= 50 or num_steps == 1


def test_plateau():
    rng = np.random.default_rng(0)
    for turn in range(300):
        settings = {
            "factor": rng.choice([0.0, 0.1, 0.5]),
            "patience": rng.integers(0, 4),
            "threshold": rng.choice([0, 1e-4, 0.1, 1, 2]),
            "threshold_mode": str(rng.choice(["rel", "abs"])),
            "cooldown": rng.integers(0, 4),
            "min_lr": float(rng.choice([0, 1e-3, 0.05, 1])),
        }
        losses = np.round(rng.normal(1, 0.3, 30), 1)
        if turn % 3 == 0:
            losses = rng.choice([np.inf, -np.inf, np.nan, 0, 1, -1, 0.5], 30)
        lr = float(rng.choice([0.1, 1, 1e-9, 0]))
        wanted = rates(lambda o, s=settings: theirs.ReduceLROnPlateau(o, **s), lr, 30, losses)
        same(schedules.plateau(losses, lr, **settings), wanted, (losses, lr, settings))
    assert schedules.plateau([1.0], 1).dtype == np.float64


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda t: None, r"parts\[1\] must return learning rates, got None"),
        (lambda t: "fast", r"parts\[1\] must return learning rates, got 'fast'"),
        (lambda t: [0.1, 0.2, 0.3], r"parts\[1\] must return one rate.* 2 steps.*shape \(3,\)"),
    ],
)
def test_a_part_that_gives_no_rates_is_named(part, message):
    with pytest.raises(ValueError, match=message):
        schedules.sequential([0, 5, 6], [lambda t: 0.1, part], [3])
    assert schedules.sequential([0, 5], [lambda t: 0.1, lambda t: t], [3]).tolist() == [0.1, 2.0]


# -- convolution -----------------------------------------------------------------------------------


def double(value):
    return torch.tensor(np.asarray(value, dtype=np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
def test_convolution_and_pooling(dtype):
    """Random sizes, strides, paddings and dilations; refused where PyTorch refuses."""
    rng, refused = np.random.default_rng(1), 0
    special = np.concatenate([ORDINARY, [1e100, np.inf, -np.inf, np.nan, 1e-320]])
    for turn in range(60):
        shape, kernel = tuple(rng.integers(1, [4, 4, 9, 9])), tuple(rng.integers(1, 4, 2).tolist())
        if np.dtype(dtype).kind == "f":
            X = rng.normal(0, 10, shape) if turn % 4 else rng.choice(special, shape)
            with np.errstate(all="ignore"):
                X = X.astype(dtype)
        else:
            X = rng.integers(0, 2 if dtype is bool else 100, shape).astype(dtype)
        weight = rng.normal(0, 1, (rng.integers(1, 4), shape[1], *kernel))
        bias = rng.normal(0, 1, len(weight)) if turn % 2 else None
        where = {
            "stride": tuple(rng.integers(1, 4, 2).tolist()),
            "padding": tuple(rng.integers(0, 3, 2).tolist()),
            "dilation": tuple(rng.integers(1, 3, 2).tolist()),
        }
        small = {name: np.array(pair, np.uint8) for name, pair in where.items()}
        try:
            wanted = F.conv2d(double(X), double(weight), None if bias is None else double(bias),
                              **where)  # fmt: skip
        except RuntimeError:
            refused += 1
            with pytest.raises(ValueError, match="kernel_size"):
                convolution.conv2d_unfold(X, weight, bias, **where)
            continue
        close = {"rtol": 1e-9, "atol": 1e-12}
        same(convolution.conv2d_unfold(X, weight, bias, **small), wanted, where, **close)
        same(convolution.conv2d_loops(X, weight, bias, **small), wanted, where, **close)
        columns = F.unfold(double(X), kernel, **where)
        same(convolution.unfold(X, np.array(kernel), **small), columns, where)
        rows = [small[name][0] for name in ("stride", "padding", "dilation")]
        assert convolution.output_size(np.uint8(shape[2]), np.int8(kernel[0]), *rows) == len(
            wanted[0, 0]
        )
        if kernel[0] <= shape[2] and kernel[1] <= shape[3]:
            for stride in (None, where["stride"]):
                same(convolution.max_pool2d_loops(X, kernel, stride=stride),
                     F.max_pool2d(double(X), kernel, stride))  # fmt: skip
                same(convolution.avg_pool2d_loops(X, kernel, stride=stride),
                     F.avg_pool2d(double(X), kernel, stride), **close)  # fmt: skip
    assert refused < 30


def test_small_whole_numbers_do_not_wrap_round():
    assert convolution.output_size(np.uint8(200), 3, padding=np.uint8(100)) == 398
    layers = [(np.uint8(3), np.uint8(4))] * 6
    assert convolution.receptive_field(layers) == convolution.receptive_field([(3, 4)] * 6)


def test_a_receptive_field_is_where_the_gradient_is_not_zero():
    rng = np.random.default_rng(2)
    for _ in range(60):
        layers = [
            tuple(rng.integers([1, 1, 1, 0], [4, 3, 3, 3])) for _ in range(rng.integers(1, 5))
        ]
        x = torch.zeros(1, 1, 400, dtype=torch.float64, requires_grad=True)
        out = x
        for size, stride, dilation, padding in layers:
            ones = torch.ones(1, 1, int(size), dtype=torch.float64)
            out = F.conv1d(out, ones, None, int(stride), int(padding), int(dilation))
        middle = out.shape[-1] // 2
        (slope,) = torch.autograd.grad(out[0, 0, middle], x)
        seen = slope[0, 0].nonzero().flatten()
        field = convolution.receptive_field(layers)[-1]
        assert field.start + middle * field.jump == int(seen[0])
        assert field.size == int(seen[-1] - seen[0]) + 1
