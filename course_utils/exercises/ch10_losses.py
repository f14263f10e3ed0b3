"""Chapter 10: two rules that listen to the losses, a plateau and a range test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.probes import need_method
from course_utils.exercises.values import canonical

DEFAULTS = {"lr": 0.1, "factor": 0.1, "patience": 2}  # as in the stub of MyPlateau
# The lowest loss is early, the lowest average without correction at 2, with it at 7.
UNEVEN = [9.0, 0.1, 0.1, 5.0, 0.1, 0.1, 0.1, 0.1, 2.0]


def _plateau_cases(r: np.random.Generator) -> Iterator[Case]:
    for settings, losses in (
        ((0.1, 0.4, 2), [2.0, 1.0, 1.1, 1.2, 1.05, 1.3, 0.9, 0.95, 0.92, 0.91, 0.8]),
        ((0.3, 0.1, 2), [1.0, 1.5, 1.4, 1.3, 1.2, 1.1, 1.05, 1.02, 1.01, 1.03]),
        ((0.2, 0.3, 1), [1.0, 1.0, 0.5, 0.6, 0.4, 0.5, 0.4, 0.7, 0.4, 0.8]),
        ((0.1, 0.2, 0), [1.0, 2.0, 3.0, 2.5, 0.5]),
        ((0.5, 0.6, 1), [9000.0, 8000.0, 8500.0, 8000.0, 7000.0, 7999.0, 7998.0]),
        ((0.3, 0.5, 1), [1.0, 0.0, 0.5, 0.2, 0.4, 0.3, -0.1, 0.0]),
        ((0.4, 0.7, 1), [-1.0, -0.5, -2.0, -1.5, -1.8, -1.9]),
        ((0.4, 0.25, 0), [0.5, 0.49999, 0.49998, 0.49997, 0.6]),
        ((1.0, 0.9, 3), np.round(r.uniform(0.5, 1.5, 20), 1).tolist()),
    ):
        lr, factor, patience = settings
        label = f"with lr={lr}, factor={factor}, patience={patience}, told {losses},"
        yield case(dict(lr=lr, factor=factor, patience=patience), losses, label=label)
    losses = [3.0, 4.0, 5.0, 6.0, 7.0]
    yield case({}, losses, label=f"without settings, told {losses},")


def _plateau_rates(answer: Any, settings: dict[str, float], losses: Sequence[float]) -> list[Any]:
    """The rates after each loss; a second object beside it is told others and must not disturb."""
    try:
        first = answer(**settings)
    except TypeError:
        first = answer(**DEFAULTS | settings)  # a class that has none
    settings = DEFAULTS | settings
    second = answer(lr=3 * settings["lr"], factor=0.5, patience=settings["patience"] + 1)
    rates = []
    for loss, other in zip(losses, reversed(losses), strict=True):
        rates.append(canonical(need_method(first, "step")(loss)))
        if rates[-1] is None:
            return rates
        need_method(second, "step")(0.3 * other)
    return rates


def _range_tests(r: np.random.Generator) -> Iterator[Case]:
    for losses in ([3.0, 2.0, 1.0, 4.0], [1.0, 2.0, 5.0], [5.0, 1.0, 3.0, 2.5, 2.0, 9.0], UNEVEN):
        yield case(0.001 * 10.0 ** np.arange(len(losses)), np.array(losses))
    yield case(np.array([0.01, 0.1, 1.0, 10.0]), np.array([9e3, 7e3, 3e3, 8e3]))
    for count in (1, 6, 9, 12, 40, 80, 150):
        lrs = np.geomspace(1e-3, 10.0, count)
        losses = r.uniform(2, 4) / (1 + (lrs / 0.05) ** 1.5) + 0.4 + (lrs / 1.5) ** 2
        losses += 0.3 * r.standard_normal(count)
        losses[count // 3] = 0.1  # one lucky mini-batch
        yield case(lrs, losses)


EXERCISES = (
    Exercise(
        name="10.plateau",
        title="a rate that waits",
        prompt="""
Write a small `ReduceLROnPlateau`. `step(val_loss)` is called once per epoch and returns the rate
for the next epoch. An epoch is *bad* when its loss is not below the best one so far. After **more
than** `patience` bad epochs in a row the rate is multiplied by `factor`, and the count of bad
epochs starts again at 0 (the best loss stays). A loss may be any number.
""",
        stub='''
class MyPlateau:
    def __init__(self, lr=0.1, factor=0.1, patience=2):
        self.lr, self.factor, self.patience = lr, factor, patience

    def step(self, val_loss):
        """Take note of the loss of an epoch and return the next rate."""
        raise NotImplementedError
''',
        hints=(
            "Remember two things on `self`: the best loss so far (at first infinity) and the "
            "number of bad epochs in a row.",
            "A good epoch sets the count to 0. Reduce when `bad_epochs > patience`.",
        ),
        solution="""
class MyPlateau:
    def __init__(self, lr=0.1, factor=0.1, patience=2):
        self.lr, self.factor, self.patience = lr, factor, patience
        self.best, self.bad_epochs = float("inf"), 0

    def step(self, val_loss):
        if val_loss < self.best:
            self.best, self.bad_epochs = val_loss, 0
        else:
            self.bad_epochs += 1
        if self.bad_epochs > self.patience:
            self.lr *= self.factor
            self.bad_epochs = 0
        return self.lr
""",
        wrong=mistakes(r"""
? It falls one epoch early: `patience` bad epochs are put up with, one more is not.
- self.bad_epochs > self >>> self.bad_epochs >= self
? It falls one epoch late: with bad_epochs = patience + 1 the patience is over.
- self.bad_epochs > self.patience >>> self.bad_epochs > self.patience + 1
? Only bad epochs in a row count: a good epoch sets the count to 0.
- self.best, self.bad_epochs = val_loss, 0 >>> self.best = val_loss
? After the first fall it falls again in every epoch: set the count to 0.
- factor\n            self.bad_epochs = 0 >>> factor
? Compare with the best loss so far, not with the loss of the epoch before.
- self.bad_epochs += 1 >>> self.bad_epochs += 1\n            self.best = val_loss
? The rate must be multiplied by factor, not lowered by it.
- self.lr *= >>> self.lr -=
? Multiply by factor: dividing by 0.1 raises the rate.
- self.lr *= >>> self.lr /=
? The rate must be multiplied by factor, not replaced by it.
- self.lr *= >>> self.lr =
? The rate is multiplied by factor itself, not by 1 − factor.
- self.lr *= self.factor >>> self.lr *= 1 - self.factor
? A loss equal to the best one is no improvement: it counts as bad.
- val_loss < self >>> val_loss <= self
? Every loss below the best one is good, however little it is below: there is no threshold here.
- < self.best >>> < self.best * (1 - 1e-4)
- < self.best >>> < (self.best - 1e-4 * abs(self.best) if self.best < math.inf else self.best)
- < self.best >>> < self.best - 1e-4
- < self.best >>> < self.best - 1e-3
? No epoch counts as good: is the loss compared with a best one that it is part of already, or with
  NaN? (Infinity minus infinity is NaN.)
- < self.best >>> < self.best - 1e-4 * abs(self.best)
- if val_loss < >>> self.best = min(self.best, val_loss)\n        if val_loss <
? Keep the best loss when the rate falls; only the count starts again.
- factor\n >>> factor\n            self.best = float("inf")\n
- factor\n >>> factor\n            self.best = val_loss\n
? The rate never falls.
- self.lr *= self.factor >>> pass
? The rate rises where it should rest: good and bad are exchanged, a loss below the best is good.
- val_loss < self.best >>> val_loss > self.best && float("inf") >>> -float("inf")
? Begin with infinity as the best loss: with another number the first epochs may count as bad.
- float("inf") >>> 0.0
- float("inf") >>> 1.0
- float("inf") >>> 10.0
- float("inf") >>> 100.0
- float("inf") >>> 1000.0
? A best loss of 0 is forgotten: ask `self.best is None`, since `not self.best` is true for 0 too.
- float("inf"), 0 >>> None, 0 && if val_loss < >>> if not self.best or val_loss <
? The first loss is the best one so far: that epoch is not bad.
- float("inf"), 0 >>> None, 0
& if val_loss >>> self.best = val_loss if self.best is None else self.best\n        if val_loss
? You return the rate of the epoch that is over: lower `self.lr` first, then return it.
- step(self, val_loss): >>> step(self, val_loss):\n        old = self.lr
& return self.lr >>> return old
? An epoch gets nothing back: `step` must return the next rate each time, at its end.
- return self.lr >>> self.lr
? It falls once only: lower the rate that is reached, not the first one.
- self.lr *= self.factor >>> self.lr = self.first * self.factor
& self.lr, self.factor, self.patience = >>> self.first = self.lr, self.factor, self.patience =
? The state is shared between two MyPlateau objects: keep it on `self`, set in `__init__`.
- self.lr, self.factor >>> MyPlateau.lr, self.factor && self.lr *= >>> MyPlateau.lr *=
- self.best, self.bad_epochs = float("inf"), 0\n\n >>> self.losses, self.bad_epochs = losses, 0\n\n
& patience=2): >>> patience=2, losses=[]):
& if val_loss < self.best: >>> self.losses.append(val_loss)\n        if val_loss < min(self.losses[:-1], default=math.inf):
& self.best, self.bad_epochs = val_loss, 0 >>> self.bad_epochs = 0
-         self.best, self.bad_epochs = float("inf"), 0\n\n >>> \n
&     def __init__ >>>     best, bad = [float("inf")], [0]\n\n    def __init__
& val_loss < self.best: >>> val_loss < self.best[0]:
& self.best, self.bad_epochs = val_loss, 0 >>> self.best[0], self.bad[0] = val_loss, 0
& self.bad_epochs += 1 >>> self.bad[0] += 1
& self.bad_epochs > >>> self.bad[0] >
&             self.bad_epochs = 0 >>>             self.bad[0] = 0
"""),
        cases=_plateau_cases,
        probe=_plateau_rates,
        closing="PyTorch's adds a threshold, a cooldown and a lowest rate; the heart is this.",
    ),
    Exercise(
        name="10.suggested_lr",
        title="read a range test",
        prompt=r"""
A range test gives you `lrs`, the rising rates, and `losses`, the loss of the mini-batch at each:
two arrays of the same length, which must stay as they are.
Smooth the losses with an exponentially weighted average ($\beta = 0.9$, with bias correction, as
in chapter 09), find the rate at which the smoothed loss is lowest, and return **a tenth** of it.
""",
        stub='''
def my_suggested_lr(lrs, losses):
    """A tenth of the rate where the smoothed loss is lowest."""
    raise NotImplementedError
''',
        hints=(
            "Three steps: smooth, find the *index* of the smallest value, look the rate up there.",
            "`np.argmin(smooth)` is the index. The correction divides by 1 − 0.9**t, t = 1, 2, …",
        ),
        solution="""
def my_suggested_lr(lrs, losses):
    average, smooth = 0.0, []
    for t, loss in enumerate(losses, start=1):
        average = 0.9 * average + 0.1 * loss
        smooth.append(average / (1 - 0.9**t))
    return lrs[np.argmin(smooth)] / 10
""",
        wrong=mistakes(r"""
? One lucky mini-batch has decided: you chose without smoothing, or the weights are swapped (0.9
  belongs to the average so far).
- np.argmin(smooth) >>> np.argmin(losses)
- 0.9 * average + 0.1 >>> 0.1 * average + 0.9 && (1 - 0.9**t) >>> (1 - 0.1**t)
- 0.9 * average + 0.1 >>> 0.1 * average + 0.9
? The bias correction is missing: the first averages are low.
- / (1 - 0.9**t) >>>
? That is the rate of the lowest loss itself; return a tenth of it.
- ] / 10 >>> ]
? A tenth is smaller: divide by 10.
- / 10 >>> * 10
? Smooth first, and return a tenth of the rate.
- np.argmin(smooth)] / 10 >>> np.argmin(losses)]
? That is a tenth of a loss, not a rate: look the rate up.
- lrs[np.argmin(smooth)] / 10 >>> np.min(smooth) / 10
- lrs[np.argmin(smooth)] / 10 >>> np.min(losses) / 10
? That is a loss, not a rate: look the rate up at its index.
- lrs[np.argmin(smooth)] / 10 >>> np.min(smooth)
- lrs[np.argmin(smooth)] / 10 >>> losses[np.argmin(smooth)]
? That is an index: look the rate up there, and return a tenth of it.
- lrs[np.argmin(smooth)] / 10 >>> np.argmin(smooth)
? That is a tenth of an index: look the rate up there first.
- lrs[np.argmin(smooth)] / 10 >>> np.argmin(smooth) / 10
? That is the rate at a tenth of the index: a tenth of the rate is wanted.
- np.argmin(smooth)] / 10 >>> np.argmin(smooth) // 10]
? That is where the loss falls fastest; here the lowest point is asked for.
- np.argmin(smooth)] / 10 >>> np.argmin(np.diff(smooth)) if len(smooth) > 1 else 0]
- np.argmin(smooth)] / 10 >>> np.argmin(np.diff(smooth)) if len(smooth) > 1 else 0] / 10
? That is where the smoothed loss is highest: look for the lowest.
- np.argmin >>> np.argmax
? The corrected average must not be fed back: correct only what you keep in the list.
- smooth.append(average / (1 - 0.9**t)) >>> average /= 1 - 0.9**t\n        smooth.append(average)
? The correction is off by one step: t is 1 for the first loss.
- start=1 >>> start=2
? The average begins at 0: the correction is made for that, not for an average that begins at the
  first loss.
- average, smooth = 0.0, [] >>> average, smooth = losses[0], []
? It begins with the first loss, which then weighs too much: begin at 0 and correct.
- average, smooth = 0.0, [] >>> average, smooth = losses[0], [] && / (1 - 0.9**t) >>>
? Nothing comes back: is a `return` missing?
- return lrs >>> lrs
"""),
        cases=_range_tests,
        pure=True,
        closing="The same rule as `suggested_lr` of the package's `lr_range_test`.",
    ),
)
