"""Chapter 10, learning-rate schedules: closed forms, a plateau, a range test, one of your own.

What the learner reads stands here; how the answers are judged, in ``judges10.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges10 as judges

SETUP = "import numpy as np"

_STEP = """
def my_step_lr(epoch, lr, step_size, gamma):
    return lr * gamma ** (epoch // step_size)
""".strip()

_GAMMA = """
def my_gamma(lr, final_lr, num_steps):
    return (final_lr / lr) ** (1 / num_steps)
""".strip()

_WARMUP = """
def my_warmup_cosine(t, lr, warmup_steps, num_steps):
    if t < warmup_steps:
        return lr * (t + 1) / (warmup_steps + 1)
    share = (t - warmup_steps) / (num_steps - warmup_steps)
    return lr * (1 + np.cos(np.pi * share)) / 2
""".strip()

_PLATEAU = """
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
""".strip()

_SUGGEST = """
def my_suggested_lr(lrs, losses):
    average, smooth = 0.0, []
    for t, loss in enumerate(losses, start=1):
        average = 0.9 * average + 0.1 * loss
        smooth.append(average / (1 - 0.9**t))
    return lrs[np.argmin(smooth)] / 10
""".strip()

_SCHEDULE = """
def my_schedule(t):
    if t < 20:
        return 0.25 * (t + 1) / 20
    return 0.25 * (1 + np.cos(np.pi * (t - 20) / 380)) / 2
""".strip()

EXERCISES = (
    Exercise(
        name="10.step_lr",
        title="the staircase",
        prompt=r"""
Write the closed form of `StepLR`: the rate of epoch $t = 0, 1, 2, \dots$ is
$\eta\,\gamma^{\lfloor t/s \rfloor}$ with the step size $s$.

```python
my_step_lr(49, 0.1, 50, 0.5)  # 0.1
my_step_lr(50, 0.1, 50, 0.5)  # 0.05
```
""",
        answer="my_step_lr",
        stub='''
def my_step_lr(epoch, lr, step_size, gamma):
    """The learning rate of an epoch, counted from 0."""
    raise NotImplementedError
''',
        hints=(
            "How many times has the rate been multiplied by gamma after `epoch` epochs?",
            "⌊a / b⌋ is `a // b` in Python.",
        ),
        solution=_STEP,
        wrong=(
            (variant(_STEP, ("//", "/")), "falls a little in every epoch"),
            (variant(_STEP, ("epoch // step_size", "(epoch + 1) // step_size")), "one epoch early"),
            (variant(_STEP, ("gamma ** (epoch // step_size)", "gamma")), "does not depend"),
            (
                variant(_STEP, ("** (epoch // step_size)", "* (epoch // step_size)")),
                "a power of gamma",
            ),
        ),
        checker=judges.check_step_lr,
    ),
    Exercise(
        name="10.gamma",
        title="which γ?",
        prompt=r"""
`ExponentialLR` multiplies the rate by $\gamma$ in every step. Your training has `num_steps` steps
(epochs or batches, as you like), and the rate is to fall from `lr` to `final_lr` in that time.
Return the $\gamma$.
""",
        answer="my_gamma",
        stub='''
def my_gamma(lr, final_lr, num_steps):
    """The gamma with lr * gamma**num_steps == final_lr."""
    raise NotImplementedError
''',
        hints=(
            "Solve lr · γⁿ = final_lr for γ.",
            "An n-th root is a power with the exponent 1/n.",
        ),
        solution=_GAMMA,
        wrong=(
            (variant(_GAMMA, ("final_lr / lr", "lr / final_lr")), "upside down"),
            (variant(_GAMMA, (" ** (1 / num_steps)", " / num_steps")), "the n-th root"),
            (variant(_GAMMA, (" ** (1 / num_steps)", "")), "in a single step"),
            (variant(_GAMMA, ("1 / num_steps", "1 / (num_steps - 1)")), "num_steps factors"),
        ),
        checker=judges.check_gamma,
        examples=(("my_gamma(0.1, 0.001, 2)", "0.1"),),
    ),
    Exercise(
        name="10.warmup_cosine",
        title="warm-up, then cosine",
        prompt=r"""
Write a schedule for $T$ updates, `num_steps`, of which the first $W$, `warmup_steps`, warm up:

- for $t < W$ the rate is $\eta\,(t+1)/(W+1)$: it is never 0, and would reach $\eta$ at $t = W$;
- for $t \ge W$ it is $\eta\,(1 + \cos(\pi u))/2$, where $u = (t-W)/(T-W)$ is the share of the
  *remaining* updates that is done.

`t` is one whole number.
""",
        answer="my_warmup_cosine",
        stub='''
def my_warmup_cosine(t, lr, warmup_steps, num_steps):
    """The learning rate of update t = 0, 1, 2, …"""
    raise NotImplementedError
''',
        hints=(
            "An `if` for the two parts. The cosine has its own clock, which starts at W.",
            "`np.cos` takes radians: `np.cos(np.pi * u)` is 1 at u = 0 and −1 at u = 1.",
        ),
        solution=_WARMUP,
        wrong=(
            (variant(_WARMUP, ("lr * (t + 1)", "lr * t")), "first update does nothing"),
            (
                variant(
                    _WARMUP, ("(t - warmup_steps) / (num_steps - warmup_steps)", "t / num_steps")
                ),
                "own clock",
            ),
            (variant(_WARMUP, ("np.pi * ", "")), "π is missing"),
            (variant(_WARMUP, ("(1 + np.cos(np.pi * share)) / 2", "(1 - share)")), "straight line"),
        ),
        checker=judges.check_warmup_cosine,
        examples=(("my_warmup_cosine(0, 0.1, 4, 100)", "0.02"),),
    ),
    Exercise(
        name="10.plateau",
        title="a rate that waits",
        prompt="""
Write a small `ReduceLROnPlateau`. `step(val_loss)` is called once per epoch and returns the rate
for the next epoch. An epoch is *bad* when its loss is not below the best one so far. After **more
than** `patience` bad epochs in a row the rate is multiplied by `factor`, and the count of bad
epochs starts again at 0 (the best loss stays).
""",
        answer="MyPlateau",
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
        solution=_PLATEAU,
        wrong=(
            (
                variant(_PLATEAU, ("self.bad_epochs > self", "self.bad_epochs >= self")),
                "one epoch early",
            ),
            (
                variant(
                    _PLATEAU, ("self.best, self.bad_epochs = val_loss, 0", "self.best = val_loss")
                ),
                "in a row",
            ),
            (
                variant(_PLATEAU, ("factor\n            self.bad_epochs = 0", "factor")),
                "falls again in every epoch",
            ),
            (
                variant(
                    _PLATEAU,
                    (
                        "            self.bad_epochs += 1\n",
                        "            self.bad_epochs += 1\n            self.best = val_loss\n",
                    ),
                ),
                "the best loss so far",
            ),
        ),
        checker=judges.check_plateau,
    ),
    Exercise(
        name="10.suggested_lr",
        title="read a range test",
        prompt=r"""
A range test gives you `lrs`, the rising rates, and `losses`, the loss of the mini-batch at each.
Smooth the losses with an exponentially weighted average ($\beta = 0.9$, with bias correction, as
in chapter 09), find the rate at which the smoothed loss is lowest, and return **a tenth** of it.
""",
        answer="my_suggested_lr",
        stub='''
def my_suggested_lr(lrs, losses):
    """A tenth of the rate where the smoothed loss is lowest."""
    raise NotImplementedError
''',
        hints=(
            "Three steps: smooth, find the *index* of the smallest value, look the rate up there.",
            "`np.argmin(smooth)` is the index. The correction divides by 1 − 0.9**t, t = 1, 2, …",
        ),
        solution=_SUGGEST,
        wrong=(
            (variant(_SUGGEST, ("np.argmin(smooth)", "np.argmin(losses)")), "without smoothing"),
            (variant(_SUGGEST, (" / (1 - 0.9**t)", "")), "correction is missing"),
            (variant(_SUGGEST, (" / 10", "")), "a tenth"),
            (
                variant(_SUGGEST, ("lrs[np.argmin(smooth)] / 10", "np.min(smooth) / 10")),
                "a loss, not a rate",
            ),
        ),
        checker=judges.check_suggested_lr,
    ),
    Exercise(
        name="10.own_schedule",
        title="your own schedule",
        prompt="""
The five networks of the schedule designer wait for your own schedule. `my_schedule(t)` returns the
rate of update t = 0 … 399 (40 updates make an epoch). Bring their mean validation loss below 0.17.
With a constant 0.1 it is 0.278; no constant rate gets there. The check trains the networks, which
takes about a second.
""",
        answer="my_schedule",
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
        solution=_SCHEDULE,
        wrong=(
            ("def my_schedule(t):\n    return 0.1", "The same rate in every update"),
            ("def my_schedule(t):\n    return 0.2 * 0.9**t", "almost nothing was learned"),
            (
                "def my_schedule(t):\n    return 0.05 * (1 + np.cos(np.pi * t / 400)) / 2",
                "Begin with a higher rate",
            ),
            (
                "def my_schedule(t):\n    return 0.3 if t < 200 else 0.15",
                "still high at the end",
            ),
        ),
        checker=judges.check_own_schedule,
    ),
)
