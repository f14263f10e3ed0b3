"""Learning-rate schedules as pure functions: (step or epoch) → learning rate.

Each function takes the number of epochs (or optimizer steps) done so far, ``t`` = 0, 1, 2, …, and
the settings of the ``torch.optim.lr_scheduler`` class named in its docstring, whose numbers it
gives. ``t`` may be a number (a float comes back) or an array (an array of its shape comes back),
so that a whole schedule is drawn at once: ``cosine(np.arange(200), lr=0.1, num_steps=200)``.
A ``t`` that is negative or infinite, a learning rate below 0, lengths that make no sense and
whatever is no number raise ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from course_utils.names import look_up
from course_utils.reals import flag, number, quiet, real_array, real_number, whole


def _times(t: Any) -> np.ndarray:
    try:
        times = real_array("t", t).astype(np.float64)
    except ValueError:
        raise ValueError(f"t must be a number or an array of numbers, got {t!r}") from None
    wrong = times[~((times >= 0) & (times < math.inf))]
    if wrong.size:
        raise ValueError(
            f"t counts the steps done so far and must be finite and ≥ 0, got {wrong[0]:.15g}"
        )
    return times


def _marks(milestones: Any) -> list[int]:
    try:
        marks = [real_number(milestone) for milestone in milestones]
    except TypeError:
        marks = [math.nan]
    if not all(mark >= 0 and mark.is_integer() for mark in marks):
        raise ValueError(f"milestones must be a list of whole numbers ≥ 0, got {milestones!r}")
    return [int(mark) for mark in marks]


def _result(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values


def _scaled(lr: float, gamma: float, falls: np.ndarray) -> Any:
    """lr·gamma^falls; a rate of 0 stays 0, however large the power."""
    return _result(lr * gamma**falls if lr else np.zeros_like(falls))


@quiet
def constant(t: Any, lr: float) -> Any:
    """The same ``lr`` for ever: what an optimizer does without a scheduler."""
    lr = number("lr", lr, 0)
    return _result(np.full_like(_times(t), lr))


@quiet
def step(t: Any, lr: float, step_size: int, gamma: float = 0.1) -> Any:
    """``lr`` times ``gamma`` once every ``step_size`` steps: lr·gamma^⌊t / step_size⌋.

    Source: ``StepLR``.
    """
    lr = number("lr", lr, 0)
    gamma = number("gamma", gamma, 0)
    step_size = whole("step_size", step_size, 1)
    return _scaled(lr, gamma, np.floor(_times(t) / step_size))


@quiet
def multi_step(t: Any, lr: float, milestones: Sequence[int], gamma: float = 0.1) -> Any:
    """``lr`` times ``gamma`` at each milestone: lr·gamma^(number of milestones ≤ t).

    A milestone that is listed twice counts twice. Source: ``MultiStepLR``.
    """
    lr = number("lr", lr, 0)
    gamma = number("gamma", gamma, 0)
    passed = np.searchsorted(np.sort(_marks(milestones)), _times(t), side="right")
    return _scaled(lr, gamma, np.asarray(passed, dtype=np.float64))


@quiet
def exponential(t: Any, lr: float, gamma: float) -> Any:
    """``lr`` times ``gamma`` in every step: lr·gamma^t. Source: ``ExponentialLR``."""
    lr = number("lr", lr, 0)
    gamma = number("gamma", gamma, 0)
    return _scaled(lr, gamma, _times(t))


@quiet
def cosine(t: Any, lr: float, num_steps: int, min_lr: float = 0.0) -> Any:
    """Half a cosine from ``lr`` down to ``min_lr`` in ``num_steps`` steps.

    min_lr + (lr − min_lr)·(1 + cos(π·t / num_steps)) / 2. As in PyTorch it rises again after
    ``num_steps``. Source: ``CosineAnnealingLR`` (``T_max`` = num_steps, ``eta_min`` = min_lr).
    """
    lr = number("lr", lr, 0)
    min_lr = number("min_lr", min_lr, 0)
    num_steps = whole("num_steps", num_steps, 1)
    return _result(min_lr + (lr - min_lr) * (1 + np.cos(np.pi * _times(t) / num_steps)) / 2)


@quiet
def linear_warmup(t: Any, lr: float, warmup_steps: int, start_factor: float = 1 / 3) -> Any:
    """A straight line from ``start_factor``·lr at t = 0 to ``lr`` at t = ``warmup_steps``, then lr.

    Source: ``LinearLR`` with ``total_iters`` = warmup_steps and ``end_factor`` = 1. PyTorch wants
    start_factor > 0; here it may be 0, a first step that does nothing.
    """
    lr = number("lr", lr, 0)
    start_factor = number("start_factor", start_factor, 0, 1)
    warmup_steps = whole("warmup_steps", warmup_steps, 1)
    share = np.minimum(_times(t), warmup_steps) / warmup_steps
    return _result(lr * (start_factor + (1 - start_factor) * share))


@quiet
def cosine_with_warmup(
    t: Any,
    lr: float,
    warmup_steps: int,
    num_steps: int,
    start_factor: float = 1 / 3,
    min_lr: float = 0.0,
) -> Any:
    """`linear_warmup` for ``warmup_steps``, then `cosine` for what is left of ``num_steps``.

    Source: ``SequentialLR`` of ``LinearLR`` and ``CosineAnnealingLR`` with the milestone
    warmup_steps. As there, the rate rises again after ``num_steps``.
    """
    warmup_steps = whole("warmup_steps", warmup_steps, 0)
    num_steps = whole("num_steps", num_steps, 1)
    if warmup_steps >= num_steps:
        raise ValueError(
            f"warmup_steps must be smaller than num_steps = {num_steps}, got {warmup_steps!r}"
        )
    times = _times(t)
    falling = cosine(np.maximum(times - warmup_steps, 0), lr, num_steps - warmup_steps, min_lr)
    if warmup_steps == 0:
        return falling
    rising = linear_warmup(times, lr, warmup_steps, start_factor)
    return _result(np.where(times < warmup_steps, rising, falling))


@quiet
def one_cycle(
    t: Any,
    max_lr: float,
    num_steps: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal_strategy: str = "cos",
    three_phase: bool = False,
) -> Any:
    """Up to ``max_lr`` and down to almost nothing: one cycle of ``num_steps`` optimizer steps.

    The rate starts at max_lr / div_factor, peaks at t = pct_start·num_steps − 1 and ends at
    t = num_steps − 1 with the start rate / final_div_factor. ``anneal_strategy`` is "cos" or
    "linear"; ``three_phase`` comes down to the start rate as slowly as it went up, and then
    further. Step it per **batch**. Source: ``OneCycleLR`` (``total_steps`` = num_steps), which
    also cycles the momentum unless told not to; this is the learning rate alone.

    Two differences: at t = num_steps, one past the end, the last rate stays (PyTorch extrapolates,
    with "linear" below zero), and a phase of no length gives the rate it ends with (PyTorch
    divides by zero). Raises ValueError for t > num_steps, as PyTorch does.
    """
    max_lr = number("max_lr", max_lr, 0)
    pct_start = number("pct_start", pct_start, 0, 1)
    num_steps = whole("num_steps", num_steps, 1)
    div_factor = number("div_factor", div_factor, 0, above=True)
    final_div_factor = number("final_div_factor", final_div_factor, 0, above=True)
    three_phase = flag("three_phase", three_phase)
    if not isinstance(anneal_strategy, str) or anneal_strategy not in _BENDS:
        raise ValueError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
    times = _times(t)
    if np.any(times > num_steps):
        raise ValueError(f"the cycle is over after {num_steps} steps, got t = {times.max():.15g}")

    first_lr = max_lr / div_factor
    last_lr = first_lr / final_div_factor
    peak = pct_start * num_steps - 1.0
    corners = [(0.0, first_lr), (peak, max_lr)]
    if three_phase:
        corners.append((2 * peak, first_lr))
    corners.append((num_steps - 1.0, last_lr))

    bend = _BENDS[anneal_strategy]
    rates = np.empty_like(times)
    waiting = np.ones(times.shape, dtype=bool)
    for (start, from_lr), (end, to_lr) in pairwise(corners):
        # the first phase that t fits into, and the last one for all that is left
        here = waiting & ((times <= end) | (end == corners[-1][0]))
        share = np.clip((times - start) / (end - start), 0, 1) if end > start else 1.0
        rates = np.where(here, from_lr + (to_lr - from_lr) * bend(share), rates)
        waiting &= ~here
    return _result(rates)


@quiet
def plateau(
    losses: Sequence[float],
    lr: float,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: str = "rel",
    cooldown: int = 0,
    min_lr: float = 0.0,
) -> np.ndarray:
    """Multiply the rate by ``factor`` whenever the loss has not improved for a while.

    losses: (T,) the validation loss after each epoch. Returns (T + 1,): entry t is the rate for
    epoch t, decided by the losses of the epochs before it. An epoch is an improvement when its
    loss is below best·(1 − threshold) ("rel") or best − threshold ("abs"). After more than
    ``patience`` epochs without one the rate falls, not below ``min_lr``; the next ``cooldown``
    epochs are not counted. Source: ``ReduceLROnPlateau`` with mode "min".
    """
    lr = number("lr", lr, 0)
    min_lr = number("min_lr", min_lr, 0)
    threshold = number("threshold", threshold, 0)
    patience = whole("patience", patience, 0)
    cooldown = whole("cooldown", cooldown, 0)
    factor = number("factor", factor, 0, 1, below=True)
    if not isinstance(threshold_mode, str) or threshold_mode not in ("rel", "abs"):
        raise ValueError(f"threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}")
    try:
        values = [float(loss) for loss in real_array("losses", list(losses))]
    except (TypeError, ValueError):
        raise ValueError(f"losses must be a list of numbers, got {losses!r}") from None
    rates, best, bad, resting = [lr], math.inf, 0, 0
    for loss in values:
        bar = best * (1 - threshold) if threshold_mode == "rel" else best - threshold
        if loss < bar:
            best, bad = loss, 0
        else:
            bad += 1
        if resting > 0:
            resting, bad = resting - 1, 0
        if bad > patience:
            resting, bad = cooldown, 0
            lower = max(lr * factor, min_lr)
            if lr - lower > 1e-8:  # a smaller change is not worth it, says PyTorch too
                lr = lower
        rates.append(lr)
    return np.array(rates)


@quiet
def sequential(t: Any, parts: Sequence[Callable[[Any], Any]], milestones: Sequence[int]) -> Any:
    """One schedule after the other, each with its own clock.

    parts: functions of the steps since their own start, for example
    ``[lambda t: linear_warmup(t, 0.1, 5), lambda t: exponential(t, 0.1, 0.9)]``. Each is given an
    array of its steps, (n,), and returns as many rates, or one for all. milestones: the increasing
    steps at which the next part takes over, one fewer than there are parts.
    Source: ``SequentialLR``.

    Raises ValueError for milestones that do not fit, and for a part that returns anything else.
    """
    milestones = _marks(milestones)
    try:
        callables = all(map(callable, parts)) and len(parts) > 0
    except TypeError:
        callables = False
    if not callables:
        raise ValueError(f"parts must be a list of functions of t, got {parts!r}")
    starts = [0, *milestones]
    if len(parts) != len(starts) or any(later <= start for start, later in pairwise(starts)):
        raise ValueError(
            f"{len(parts)} parts need {max(len(parts) - 1, 0)} increasing milestones above 0, "
            f"got {milestones!r}"
        )
    times = _times(t)
    rates = np.zeros_like(times)
    ends = [*milestones, math.inf]
    for i, (part, start, end) in enumerate(zip(parts, starts, ends, strict=True)):
        here = (times >= start) & (times < end)
        if here.any():
            rates[here] = _rates_of(f"parts[{i}]", part, times[here] - start)
    return _result(rates)


def _rates_of(name: str, part: Callable[[Any], Any], times: np.ndarray) -> np.ndarray:
    given = part(times)
    try:
        rates = real_array("rates", given)
    except ValueError:
        raise ValueError(f"{name} must return learning rates, got {given!r:.80}") from None
    if rates.shape not in ((), times.shape):
        raise ValueError(
            f"{name} must return one rate, or one for each of {len(times)} steps, got an array of "
            f"shape {rates.shape}"
        )
    return rates


_BENDS: dict[str, Callable[[Any], Any]] = {
    "cos": lambda share: (1 - np.cos(np.pi * share)) / 2,
    "linear": lambda share: share,
}

SCHEDULES: dict[str, Callable[..., Any]] = {
    schedule.__name__: schedule
    for schedule in (
        constant,
        step,
        multi_step,
        exponential,
        cosine,
        linear_warmup,
        cosine_with_warmup,
        one_cycle,
    )
}


def get_schedule(name: str) -> Callable[..., Any]:
    """The schedule called ``name`` (see `SCHEDULES`; capitals do not matter).

    Raises ValueError naming the known schedules and the nearest match.
    """
    return look_up("schedule", name, SCHEDULES)
