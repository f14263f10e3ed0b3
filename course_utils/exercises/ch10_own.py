"""Chapter 10: a schedule of one's own, with which the schedule designer's networks are trained."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

from course_utils.exercises.describing import describe
from course_utils.exercises.exercise import Exercise, NotYet, case, mistakes
from course_utils.exercises.values import canonical, stacked
from course_utils.schedule_training import PER_EPOCH, TOTAL, train_with

TARGET = 0.17  # mean validation loss


@lru_cache(maxsize=64)
def final_losses(rates: tuple[float, ...]) -> tuple[float, ...] | int:
    """Validation loss of each network after all updates, or the update in which one explodes."""
    *_, run = train_with(lambda _: np.array(rates), dtype=torch.float64)
    final = run.val_loss[-1]
    if run.diverged_at is None and np.isfinite(final).all():
        return tuple(final)
    return run.num_updates


def _trained_with(answer: Any) -> dict[str, Any]:
    """Highest rate, mean rate of the last epoch, and the validation loss, or where it exploded."""
    rates = []
    for t in range(TOTAL):
        rate = canonical(answer(t))
        if rate is None:
            raise NotYet(f"`my_schedule({t})` gives None. Is a `return` missing?")
        array = stacked(rate)
        if not isinstance(array, np.ndarray):
            raise NotYet(f"`my_schedule({t})` gives {describe(rate)}; a number is expected.")
        if array.size != 1:
            raise NotYet(f"`my_schedule({t})` gives {array.size} values; one rate is expected.")
        rates.append(array.item())
        if not np.isfinite(rates[-1]):
            raise NotYet(f"`my_schedule({t})` gives {rates[-1]}: a finite rate is expected.")
        if rates[-1] < 0:
            raise NotYet(f"`my_schedule({t})` is negative ({rates[-1]:.3g}): that walks uphill.")
    seen = {"top": max(rates), "end": np.mean(rates[-PER_EPOCH:]), "same": min(rates) == max(rates)}
    losses = final_losses(tuple(rates))
    if isinstance(losses, int):
        return {**seen, "mean": np.inf, "exploded": losses}
    return {**seen, "mean": np.mean(losses), "spread": np.std(losses, ddof=1)}


def _what_to_change(seen: dict[str, Any]) -> str:
    top, end, mean = (float(seen[key]) for key in ("top", "end", "mean"))
    if mean < TARGET:
        return ""
    if "exploded" in seen:
        got = f"The loss explodes in update {int(seen['exploded'])}."
        return f"{got} {_advice(top, end, mean, seen['same'] == 'yes')}"
    got = f"Validation loss {mean:.4f} ± {float(seen['spread']):.3f}, wanted is below {TARGET}."
    return f"{_advice(top, end, mean, seen['same'] == 'yes')} {got}"


def _advice(top: float, end: float, mean: float, same: bool) -> str:
    if top < 0.01:
        return f"That is so low that hardly anything is learned: the highest rate is {top:.3g}."
    if same:
        return "The same rate in every update is not enough: let it fall."
    if top >= 0.4:
        return f"The highest rate, {top:.3g}, is too high for these networks."
    if mean > 1.5:
        return "The rate falls so fast that almost nothing was learned: 400 updates are to share."
    if end > 0.1 * top:
        return f"The rate is still high at the end: it is {end:.2g} on average in the last epoch."
    if top < 0.15:
        return f"Begin with a higher rate, since it falls later: the highest is {top:.3g}."
    if top > 0.32:
        return f"The highest rate, {top:.3g}, is on the high side: try 0.2 to 0.3."
    return "Let the rate stay high for longer, and reach almost 0 only in the last epoch."


EXERCISES = (
    Exercise(
        name="10.own_schedule",
        title="your own schedule",
        prompt="""
The five networks of the schedule designer wait for your own schedule. `my_schedule(t)` returns the
rate of update t = 0 … 399 (40 updates make an epoch), a finite number that is not negative. Bring
their mean validation loss below 0.17. With a constant 0.1 it is 0.278; no constant rate gets there.
The check trains the networks, which takes about a second.
""",
        stub='''
def my_schedule(t):
    """The learning rate of update t, from 0 to 399."""
    raise NotImplementedError
''',
        hints=(
            "Which rate is too high to end with, but good to begin with? Look at the picture of "
            "section 7.2.",
            "Begin between 0.2 and 0.3, with or without a short warm-up, and let the rate fall to "
            "almost 0 by update 399: the closed form of the cosine will do.",
        ),
        solution="""
def my_schedule(t):
    if t < 20:
        return 0.25 * (t + 1) / 20
    return 0.25 * (1 + np.cos(np.pi * (t - 20) / 380)) / 2
""",
        wrong=mistakes(r"""
? The same rate in every update is not enough: let it fall.
def my_schedule(t):
    return 0.1
? The rate falls so fast that almost nothing was learned: 400 updates are to share.
def my_schedule(t):
    return 0.2 * 0.9**t
? Begin with a higher rate, since it falls later: the highest is 0.05.
def my_schedule(t):
    return 0.05 * (1 + np.cos(np.pi * t / 400)) / 2
? The rate is still high at the end: it is 0.15 on average in the last epoch.
def my_schedule(t):
    return 0.3 if t < 200 else 0.15
? That is so low that hardly anything is learned: the highest rate is 0.0025.
- 0.25 * (t + 1) >>> 0.0025 * (t + 1) && 0.25 * (1 + >>> 0.0025 * (1 +
? The loss explodes in update
def my_schedule(t):
    return 1e9
? The highest rate, 1, is too high for these networks.
def my_schedule(t):
    return 1.0 * (1 + np.cos(np.pi * t / 400)) / 2
? The highest rate, 0.39, is on the high side: try 0.2 to 0.3.
def my_schedule(t):
    return 0.39 * (1 + np.cos(np.pi * t / 400)) / 2
? Let the rate stay high for longer, and reach almost 0 only in the last epoch.
def my_schedule(t):
    return 0.2 if t < 200 else 1e-4
def my_schedule(t):
    return 0.18 * (1 + np.cos(np.pi * t / 400)) / 2
? `my_schedule(0)` is negative (-0.1): that walks uphill.
def my_schedule(t):
    return -0.1
? `my_schedule(0)` gives nan: a finite rate is expected.
def my_schedule(t):
    return float("nan")
? `my_schedule(0)` gives 2 values; one rate is expected.
def my_schedule(t):
    return [0.1, 0.2]
? `my_schedule(0)` gives None. Is a `return` missing?
def my_schedule(t):
    rate = 0.2 * (1 + np.cos(np.pi * t / 400)) / 2
? `my_schedule(0)` gives `'0.1'`; a number is expected.
def my_schedule(t):
    return "0.1"
"""),
        cases=lambda r: [case()],
        probe=_trained_with,
        goal=_what_to_change,
        closing="Validation loss {mean} ± {spread}. Draw it, and find out what matters.",
    ),
)
