"""The checkers of chapter 10: the right rates, and those that typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_utils.probing import (
    NotYet,
    apart,
    as_array,
    attempt,
    compare,
    need_class,
    need_function,
    same,
)

TARGET = 0.17
Case = tuple[Any, ...]


def _judge_cases(
    answer: Any,
    name: str,
    cases: Sequence[Case],
    right: Callable[..., Any],
    mistakes: Sequence[tuple[Callable[..., Any], str]],
) -> None:
    """Compare the answer with ``right`` in all cases; a mistake must explain every one of them."""
    calls = [f"`{name}({', '.join(f'{arg:g}' for arg in case)})`" for case in cases]
    got = [attempt(answer, *case, call=call) for case, call in zip(cases, calls, strict=True)]
    values = [as_array(value, call) for value, call in zip(got, calls, strict=True)]
    for number, value in enumerate(values):
        if value.size != 1:
            raise NotYet(f"{calls[number]} gives {value.size} values; one rate is expected.")
    wanted = [right(*case) for case in cases]
    flat = np.array([float(value.reshape(())) for value in values])
    if same(flat, wanted):
        return
    for wrong, message in mistakes:
        with np.errstate(all="ignore"):
            if same(flat, [wrong(*case) for case in cases]):
                first = next(i for i in range(len(flat)) if not same(flat[i], wanted[i]))
                value, target = apart(flat[first], wanted[first])
                raise NotYet(f"{message} ({calls[first]} gives {value}, expected is {target}.)")
    for value, target, call in zip(got, wanted, calls, strict=True):
        compare(value, target, call)
    raise NotYet("Some of the rates are not exact enough.")


# ------------------------------------------------------------------------------ closed forms


def step_rate(epoch: int, lr: float, size: int, gamma: float) -> float:
    """The rate of `StepLR`."""
    return lr * gamma ** (epoch // size)


def check_step_lr(answer: Any) -> str:
    """Exercise 10.step_lr."""
    need_function(answer, "my_step_lr(epoch, lr, step_size, gamma)")
    cases = [(e, 0.1, 50, 0.5) for e in (0, 49, 50, 149, 199)] + [
        (7, 0.3, 3, 0.1),
        (5, 1.0, 1, 0.9),
    ]
    mistakes = (
        (
            lambda e, lr, s, g: lr * g ** (e / s),
            "The rate falls a little in every epoch: round the exponent down with `//`.",
        ),
        (
            lambda e, lr, s, g: lr * g ** ((e + 1) // s),
            "The step comes one epoch early: epochs count from 0, the first step is at step_size.",
        ),
        (
            lambda e, lr, s, g: lr * g ** ((e - 1) // s),
            "The step comes one epoch late: the first step is at epoch step_size.",
        ),
        (lambda e, lr, s, g: lr * g, "The rate does not depend on the epoch."),
        (lambda e, lr, s, g: lr, "The rate does not depend on the epoch."),
        (
            lambda e, lr, s, g: lr * g * (e // s),
            "Each step multiplies the rate again: that makes a power of gamma, not a product.",
        ),
        (lambda e, lr, s, g: lr * g**e, "That is the exponential schedule: gamma in every epoch."),
        (lambda e, lr, s, g: g ** (e // s), "The factor is right; multiply it by `lr`."),
    )
    _judge_cases(answer, "my_step_lr", cases, step_rate, mistakes)
    return "That is StepLR: four levels in 200 epochs when the step size is 50."


def check_gamma(answer: Any) -> str:
    """Exercise 10.gamma."""
    need_function(answer, "my_gamma(lr, final_lr, num_steps)")
    cases = ((0.1, 0.001, 2), (0.1, 0.001, 400), (0.3, 0.003, 10), (1.0, 0.5, 1))
    mistakes = (
        (
            lambda a, b, n: (a / b) ** (1 / n),
            "The ratio is upside down: this gamma is above 1, and the rate would rise.",
        ),
        (
            lambda a, b, n: b / a / n,
            "Each step multiplies: take the n-th root of the ratio, do not divide it by n.",
        ),
        (lambda a, b, n: b / a, "This gamma gets to the final rate in a single step."),
        (
            lambda a, b, n: (b / a) ** (1 / (n - 1)) if n > 1 else 0.5,
            "From the first rate to the last there are num_steps factors, not one fewer.",
        ),
        (lambda a, b, n: 1 - (1 - b / a) / n, "That would be the first step of a straight line."),
        (
            lambda a, b, n: math.log(b / a) / n,
            "That is the logarithm of gamma: raise e to this power.",
        ),
    )

    def guarded(lr: float, final_lr: float, num_steps: int) -> Any:
        with np.errstate(all="ignore"):
            return answer(lr, final_lr, num_steps)

    if _raises_at_one(answer):
        cases = cases[:3]
    _judge_cases(guarded, "my_gamma", cases, lambda a, b, n: (b / a) ** (1 / n), mistakes)
    return "0.1 to 0.001 is γ = 0.63 over 10 epochs, but 0.9886 over 400 batches."


def _raises_at_one(answer: Any) -> bool:
    """Whether the answer has num_steps − 1 factors; the other cases then say what is wrong."""
    try:
        answer(1.0, 0.5, 1)
    except (ZeroDivisionError, IndexError):
        return True
    except Exception:
        return False
    return False


def warmup_cosine_rate(t: int, lr: float, warmup: int, total: int, mistake: str = "") -> float:
    """The rate of update t, or the one that ``mistake`` gives."""
    if t < warmup:
        if mistake == "times":
            return lr * (t + 1) / (warmup + 1) * (1 + math.cos(math.pi * t / total)) / 2
        if mistake == "from 0":
            return lr * t / warmup
        if mistake == "from 0, W + 1":
            return lr * t / (warmup + 1)
        return lr * (t + 1) / (warmup if mistake == "over W" else warmup + 1)
    u = (t - warmup) / (total - warmup)
    if mistake in ("clock", "times"):
        u = t / total
    elif mistake == "length":
        u = (t - warmup) / total
    bend = {
        "degrees": (1 + math.cos(u)) / 2,
        "line": 1 - u,
        "twice": 1 + math.cos(math.pi * u),
        "rises": (1 - math.cos(math.pi * u)) / 2,
        "no cosine": 1.0,
    }
    return lr * bend.get(mistake, (1 + math.cos(math.pi * u)) / 2)


WARMUP_MISTAKES = {
    "from 0": "The first update does nothing: the warm-up is (t + 1) / (W + 1), never 0.",
    "from 0, W + 1": "The first update does nothing: the warm-up is (t + 1) / (W + 1), never 0.",
    "over W": "The warm-up arrives one update early: divide by W + 1.",
    "clock": "The cosine has its own clock: its share is (t − W) / (T − W), 0 at t = W.",
    "length": "The cosine is too long: only T − W updates remain for it.",
    "degrees": "The π is missing: the cosine must go from 0 to π.",
    "line": "After the warm-up the rate falls along a straight line; take the cosine.",
    "twice": "The rate is twice what it should be: halve 1 + cos.",
    "rises": "The rate rises after the warm-up: it is 1 + cos, not 1 − cos.",
    "no cosine": "After the warm-up the rate stays the same: let it fall along the cosine.",
    "times": "You multiply warm-up and cosine: the cosine begins where the warm-up ends, at t = W.",
}


def check_warmup_cosine(answer: Any) -> str:
    """Exercise 10.warmup_cosine."""
    need_function(answer, "my_warmup_cosine(t, lr, warmup_steps, num_steps)")
    cases = [(t, 0.1, 4, 100) for t in (0, 1, 3, 4, 5, 52, 99, 100)]
    cases += [(0, 0.3, 0, 10), (5, 0.3, 0, 10), (30, 1.0, 20, 50)]
    mistakes = [
        (lambda *case, kind=kind: warmup_cosine_rate(*case, kind), text)
        for kind, text in WARMUP_MISTAKES.items()
    ]
    _judge_cases(answer, "my_warmup_cosine", cases, warmup_cosine_rate, mistakes)
    return "Both parts meet at the highest rate, and the last update is almost free."


# ---------------------------------------------------------------------------------- plateau


def plateau_rates(
    losses: Sequence[float], lr: float, factor: float, patience: int, mistake: str = ""
) -> list[float]:
    """The rate after each loss, or the one that ``mistake`` gives."""
    best, bad, rates = math.inf, 0, []
    for loss in losses:
        if loss < best or (mistake == "equal is good" and loss <= best):
            best = loss
            if mistake != "never reset":
                bad = 0
        else:
            bad += 1
            if mistake == "last":
                best = loss
        limit = patience - 1 if mistake == "early" else patience + (mistake == "late")
        if bad > limit:
            kinds = {"minus": lr - factor, "divided": lr / factor, "set": factor}
            lr = kinds.get(mistake, lr * factor)
            if mistake != "again and again":
                bad = 0
            if mistake == "forgets best":
                best = math.inf
        rates.append(lr)
    return rates


PLATEAU_MISTAKES = {
    "early": "It falls one epoch early: `patience` bad epochs are put up with, one more is not.",
    "late": "It falls one epoch late: with bad_epochs = patience + 1 the patience is over.",
    "never reset": "Only bad epochs in a row count: a good epoch sets the count to 0.",
    "again and again": "After the first fall it falls again in every epoch: set the count to 0.",
    "last": "Compare with the best loss so far, not with the loss of the epoch before.",
    "minus": "The rate must be multiplied by factor, not lowered by it.",
    "divided": "Multiply by factor: dividing by 0.1 raises the rate.",
    "set": "The rate must be multiplied by factor, not replaced by it.",
    "equal is good": "A loss equal to the best one is no improvement: it counts as bad.",
    "forgets best": "Keep the best loss when the rate falls; only the count starts again.",
}


def check_plateau(answer: Any) -> str:
    """Exercise 10.plateau."""
    need_class(answer, "MyPlateau", "step")
    series = (
        ([2.0, 1.0, 1.1, 1.2, 1.05, 1.3, 0.9, 0.95, 0.92, 0.91, 0.8], 0.1, 0.5, 2),
        ([1.0, 1.5, 1.4, 1.3, 1.2, 1.1, 1.05, 1.02], 0.3, 0.1, 2),
        ([1.0, 1.0, 0.5, 0.6, 0.4, 0.5, 0.6, 0.7, 0.8], 0.2, 0.5, 1),
        ([1.0, 2.0, 3.0, 2.5], 0.1, 0.2, 0),
    )
    for losses, lr, factor, patience in series:
        call = (
            f"`MyPlateau(lr={lr}, factor={factor}, patience={patience})`, "
            f"stepped with the losses {losses},"
        )

        def walk(losses: list[float], lr: Any, factor: Any, patience: Any) -> list[Any]:
            first, second = (answer(lr=lr, factor=factor, patience=patience) for _ in range(2))
            rates = []
            for loss in losses:
                rates.append(copy.copy(first.step(loss)))
                second.step(losses[0])  # a second object must not disturb the first
            return rates

        got = attempt(walk, list(losses), lr, factor, patience, call=call)
        if any(value is None for value in got):
            raise NotYet("`step` returns nothing: it must return the rate for the next epoch.")
        right = plateau_rates(losses, lr, factor, patience)
        mistakes = [
            (plateau_rates(losses, lr, factor, patience, kind), text)
            for kind, text in PLATEAU_MISTAKES.items()
        ]
        mistakes += [
            ([lr] * len(losses), "The rate never falls."),
            (
                [lr, *right[:-1]],
                "You return the rate of the epoch that is over: lower `self.lr` first, then "
                "return it.",
            ),
        ]
        compare(got, right, call, mistakes)
    return "PyTorch's class adds a threshold, a cooldown and a lowest rate; the heart is this."


# ------------------------------------------------------------------------------- range test


def smoothed(losses: Any, beta: float = 0.9, correct: bool = True) -> np.ndarray:
    """(T,) the exponentially weighted average of (T,) losses."""
    average, averages = 0.0, []
    for t, loss in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * loss
        averages.append(average / (1 - beta**t) if correct else average)
    return np.array(averages)


def made_up_test(seed: int, high: float, count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """(lrs, losses) as a range test gives them, with one lucky mini-batch early on."""
    rng = np.random.default_rng(seed)
    lrs = np.geomspace(1e-4, 10.0, count)
    fall = high / (1 + (lrs / 0.05) ** 1.5)
    losses = fall + 0.4 + (lrs / 1.5) ** 2 + 0.03 * rng.standard_normal(count)
    losses[30] = 0.1
    return lrs, losses


def check_suggested_lr(answer: Any) -> str:
    """Exercise 10.suggested_lr."""
    need_function(answer, "my_suggested_lr(lrs, losses)")
    for seed, high in ((0, 2.0), (1, 2.3), (2, 4.0)):
        lrs, losses = made_up_test(seed, high)
        call = "`my_suggested_lr(lrs, losses)`"
        given = lrs.copy(), losses.copy()
        got = attempt(answer, *given, call=call)
        if not (np.array_equal(given[0], lrs) and np.array_equal(given[1], losses)):
            raise NotYet("Your function changes `lrs` or `losses` in place: make new lists.")
        smooth, raw_lowest = smoothed(losses), int(np.argmin(losses))
        lowest = int(np.argmin(smooth))
        uncorrected = int(np.argmin(smoothed(losses, correct=False)))
        steepest = lrs[int(np.argmin(np.diff(smooth)))]
        mistakes = [
            (lrs[lowest], "That is the rate of the lowest loss itself; return a tenth of it."),
            (
                lrs[raw_lowest] / 10,
                "One lucky mini-batch has decided: you chose without smoothing, or the weights are "
                "swapped (0.9 belongs to the average so far).",
            ),
            (lrs[raw_lowest], "Smooth first, and return a tenth of the rate."),
            (lrs[uncorrected] / 10, "The bias correction is missing: the first averages are low."),
            (smooth.min() / 10, "That is a tenth of a loss, not a rate: look the rate up."),
            (smooth.min(), "That is a loss, not a rate: look the rate up at its index."),
            (lowest, "That is an index: look the rate up there, `lrs[index] / 10`."),
            (lowest / 10, "That is a tenth of an index: look the rate up there first."),
            (steepest, "That is where the loss falls fastest; here the lowest point is asked for."),
        ]
        compare(got, lrs[lowest] / 10, call, mistakes)
    return "The same rule as `suggested_lr` of the package's `lr_range_test`."


# ------------------------------------------------------------------------------ own schedule


def check_own_schedule(answer: Any) -> str:
    """Exercise 10.own_schedule: trains five networks with the learner's rates."""
    from course_utils.playgrounds.schedule_training import TOTAL, train_with

    need_function(answer, "my_schedule(t)")

    def all_rates(count: int) -> list[np.ndarray]:
        return [as_array(answer(t), f"`my_schedule({t})`") for t in range(count)]

    values = attempt(all_rates, TOTAL, call=f"`my_schedule(t)` for t = 0 … {TOTAL - 1}")
    for t, value in enumerate(values):
        if value.size != 1:
            raise NotYet(f"`my_schedule({t})` gives {value.size} values; one rate is expected.")
        if not math.isfinite(value.item()):
            raise NotYet(f"`my_schedule({t})` gives {value.item()}.")
        if value.item() < 0:
            raise NotYet(f"`my_schedule({t})` is negative ({value.item():.3g}): that walks uphill.")
    rates = np.array([value.item() for value in values])
    *_, run = train_with(lambda _: rates, dtype=_float64())
    mean, spread, _ = run.final
    if run.diverged_at is None and mean < TARGET:
        return f"Validation loss {mean:.4f} ± {spread:.3f}. Draw it, and find out what matters."
    got = (
        f"The loss explodes in update {run.diverged_at}."
        if run.diverged_at is not None
        else f"Validation loss {mean:.4f} ± {spread:.3f}, wanted is below {TARGET}."
    )
    raise NotYet(f"{got} {_advice(rates, mean)}")


def _float64() -> Any:
    import torch

    return torch.float64


def _advice(rates: np.ndarray, mean: float) -> str:
    """What to change about rates that do not reach the target."""
    top, end = rates.max(), rates[-40:].mean()
    if top < 0.01:
        return f"The highest rate is {top:.3g}: so low that hardly anything is learned."
    if np.ptp(rates) == 0:
        return "The same rate in every update is not enough: let it fall."
    if top >= 0.4:
        return f"A highest rate of {top:.3g} is too high for these networks."
    if mean > 1.5:
        return "The rate falls so fast that almost nothing was learned: 400 updates are to share."
    if end > 0.1 * top:
        return f"The rate is still high at the end ({end:.2g} on average in the last epoch)."
    if top < 0.15:
        return f"The highest rate is {top:.3g}. Begin with a higher rate, since it falls later."
    if top > 0.32:
        return f"The highest rate, {top:.3g}, is on the high side: try 0.2 to 0.3."
    return "Let the rate stay high for longer, and reach almost 0 only in the last epoch."
