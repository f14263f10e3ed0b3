"""Chapter 10, learning-rate schedules: the closed forms; the others stand beside this file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises import ch10_losses, ch10_own
from course_utils.exercises.exercise import Case, Exercise, case, edge, mistakes


def _factor_cases(r: np.random.Generator) -> Iterator[Case]:
    for epoch in (0, 49, 50, 149, 199, 400):
        yield case(epoch, 0.1, 50, 0.5, 0.01)
    for epoch in (0, 1, 2, 3, 5, 7, 9, 10, 30):
        yield case(epoch, 0.3, 3, 0.2, 0.02)
    for epoch in (0, 1, 5, 20):
        yield case(epoch, 2.0, 1, 0.9, 0.5)
    yield case(40, 0.2, 7, 0.5, 0.0)
    for size in r.integers(2, 12, 4).tolist():
        yield case(int(r.integers(0, 5 * size)), round(r.uniform(0.2, 1), 3), size, 0.7, 0.05)


def _gamma_cases(r: np.random.Generator) -> Iterator[Case]:
    for numbers in ((0.1, 0.001, 400), (0.3, 0.003, 10), (1.0, 0.25, 3), (0.2, 0.15, 7)):
        yield case(*numbers)
    yield case(0.1, 0.05, 2000)  # gamma close to 1
    for _ in range(4):
        lr = round(r.uniform(0.1, 2), 3)
        yield case(lr, round(lr * r.uniform(0.01, 0.9), 4), int(r.integers(2, 50)))
    yield edge(1.0, 0.5, 1)


def _warmup_cases(r: np.random.Generator) -> Iterator[Case]:
    for t in (0, 1, 3, 4, 5, 11, 22, 35, 39):
        yield case(t, 0.1, 4, 40)
    for t in (0, 5, 9):
        yield case(t, 0.3, 0, 10)
    for t in (0, 19, 20, 21, 30, 49):
        yield case(t, 1.5, 20, 50)
    for t in range(3):
        yield case(t, 0.7, 1, 3)


EXERCISES = (
    Exercise(
        name="10.factor",
        title="a staircase with a floor",
        prompt=r"""
Write a function for `LambdaLR`: the **factor** by which the rate `lr` is multiplied in an epoch
$0, 1, 2, \dots$ The rate is a staircase, $\times\,\gamma$ once every `step_size` epochs, but it never
falls below `min_lr`: where the staircase would, the rate is `min_lr`. All arguments are numbers, and
0 ≤ `min_lr` < `lr`.
""",
        stub='''
def my_factor(epoch, lr, step_size, gamma, min_lr):
    """The factor of an epoch: the rate there, divided by lr."""
    raise NotImplementedError
''',
        hints=(
            "The staircase without a floor is gamma to a power that is rounded down. What is the "
            "floor, as a share of lr?",
            "The larger of two numbers: `max(a, b)`. ⌊a / b⌋ is `a // b` in Python.",
        ),
        solution="""
def my_factor(epoch, lr, step_size, gamma, min_lr):
    return max(gamma ** (epoch // step_size), min_lr / lr)
""",
        wrong=mistakes(r"""
? That is the rate. LambdaLR multiplies by `lr` itself, so give it the factor alone.
- max(gamma ** (epoch // step_size), min_lr / lr) >>> max(lr * gamma ** (epoch // step_size), min_lr)
? The floor is a rate, the staircase a factor: make both factors before you compare them.
- min_lr / lr >>> min_lr
? The staircase must become a factor as well: without `lr`.
- max(gamma >>> max(lr * gamma
? The smaller of the two was taken: a floor is where the larger one counts.
- max( >>> min(
? The floor is missing: the rate falls below min_lr.
- max(gamma ** (epoch // step_size), min_lr / lr) >>> gamma ** (epoch // step_size)
? The floor is not the end of a slope: above it the staircase is the ordinary one.
- max(gamma ** (epoch // step_size), min_lr / lr) >>> min_lr / lr + (1 - min_lr / lr) * gamma ** (epoch // step_size)
- max(gamma ** (epoch // step_size), min_lr / lr) >>> gamma ** (epoch // step_size) + min_lr / lr
? The rate falls a little in every epoch: round the exponent down with `//`.
- // >>> /
? It falls too early: the rate stays until step_size whole epochs are over, so round down.
- (epoch // step_size) >>> round(epoch / step_size)
- (epoch // step_size) >>> -(-epoch // step_size)
? The step comes one epoch early: epochs count from 0, the first step is at step_size.
- epoch // >>> (epoch + 1) //
? The step comes one epoch late: the first step is at epoch step_size.
- epoch // >>> max(epoch - 1, 0) //
? The factor does not depend on the epoch.
- ** (epoch // step_size) >>>
- max(gamma ** (epoch // step_size), min_lr / lr) >>> 1.0
? Each step multiplies the rate again: that makes a power of gamma, not a product.
- gamma ** (epoch // step_size) >>> gamma * (epoch // step_size)
? That is the exponential schedule with a floor: gamma in every epoch.
- (epoch // step_size) >>> epoch
? `%` gives how far the current step has come; count the steps that are over, with `//`.
- // >>> %
? The rate falls once and then no more: it falls again whenever step_size epochs are over.
- (epoch // step_size) >>> (epoch >= step_size)
? One factor of gamma too many: before the first step the factor is 1.
- // step_size) >>> // step_size + 1)
? The floor is lr / min_lr in yours, which is above 1: turn the fraction round.
- max(gamma ** (epoch // step_size), min_lr / lr) >>> max(gamma ** (epoch // step_size), lr / max(min_lr, 1e-9))
"""),
        cases=_factor_cases,
        closing="Hand it over: `LambdaLR(optimizer, lambda epoch: my_factor(epoch, 0.1, 50, 0.5, "
        "0.01))`.",
        examples=(
            ("my_factor(50, 0.1, 50, 0.5, 0.01)", "0.5"),
            ("my_factor(250, 0.1, 50, 0.5, 0.01)", "0.1"),
        ),
    ),
    Exercise(
        name="10.gamma",
        title="which γ?",
        prompt=r"""
`ExponentialLR` multiplies the rate by $\gamma$ in every step. Your training has `num_steps` steps
(epochs or batches, as you like), and the rate is to fall from `lr` to `final_lr` in that time.
Return the $\gamma$, exact to five digits.
""",
        stub='''
def my_gamma(lr, final_lr, num_steps):
    """The gamma with lr * gamma**num_steps == final_lr."""
    raise NotImplementedError
''',
        hints=(
            "Solve lr · γⁿ = final_lr for γ.",
            "An n-th root is a power with the exponent 1/n.",
        ),
        solution="""
def my_gamma(lr, final_lr, num_steps):
    return (final_lr / lr) ** (1 / num_steps)
""",
        wrong=mistakes(r"""
? Five digits are wanted: yours is rounded too early.
- (final_lr / lr) ** (1 / num_steps) >>> round((final_lr / lr) ** (1 / num_steps), 2)
- (final_lr / lr) ** (1 / num_steps) >>> round((final_lr / lr) ** (1 / num_steps), 3)
- (final_lr / lr) ** (1 / num_steps) >>> round((final_lr / lr) ** (1 / num_steps), 4)
? The ratio is upside down: this gamma is above 1, and the rate would rise.
- final_lr / lr >>> lr / final_lr
? Each step multiplies: take the num_steps-th root of the ratio, do not divide it by num_steps.
  (Without parentheses a power comes before a division.)
- ** (1 / num_steps) >>> / num_steps
? This gamma gets to the final rate in a single step.
- ** (1 / num_steps) >>>
? From the first rate to the last there are num_steps factors, not one fewer.
- 1 / num_steps >>> 1 / (num_steps - 1)
? From the first rate to the last there are num_steps factors, not one more.
- 1 / num_steps >>> 1 / (num_steps + 1)
? That would be the first step of a straight line.
- (final_lr / lr) ** (1 / num_steps) >>> 1 - (1 - final_lr / lr) / num_steps
? That is how much a straight line takes away in each step; ExponentialLR multiplies.
- (final_lr / lr) ** (1 / num_steps) >>> (lr - final_lr) / num_steps
- (final_lr / lr) ** (1 / num_steps) >>> (final_lr - lr) / num_steps
? That is the logarithm of gamma: raise e to this power.
- (final_lr / lr) ** (1 / num_steps) >>> math.log(final_lr / lr) / num_steps
? The root belongs to the whole ratio: put the division into parentheses.
- (final_lr / lr) >>> final_lr / lr
? `1 // num_steps` is rounded down to 0: divide with `/`.
- 1 / num_steps >>> 1 // num_steps
? The starting rate is missing: the root of the ratio of both rates is wanted.
- final_lr / lr >>> final_lr
? That is the rate after one step; the factor alone is wanted.
- (final_lr / lr) ** >>> lr * (final_lr / lr) **
? A square root fits two steps only: take the num_steps-th root.
- (1 / num_steps) >>> 0.5
? That is a power where a root is wanted: the exponent is 1 / num_steps.
- (1 / num_steps) >>> num_steps
"""),
        cases=_gamma_cases,
        closing="0.1 to 0.001 is γ = 0.63 over 10 epochs, but 0.9886 over 400 batches.",
        examples=(("my_gamma(0.1, 0.001, 2)", "0.1"),),
        tolerance=1e-5,
    ),
    Exercise(
        name="10.warmup_cosine",
        title="warm-up, then cosine",
        prompt=r"""
Write a schedule for $T$ updates, `num_steps`, of which the first $W$, `warmup_steps`, warm up:

- for $t < W$ the rate is $\eta\,(t+1)/(W+1)$: the line of section 4.2 with $a = 1/(W+1)$, which
  would reach $\eta$ at $t = W$;
- for $t \ge W$ it is $\eta\,(1 + \cos(\pi u))/2$, where $u = (t-W)/(T-W)$ is the share of the
  *remaining* updates that is done.

`t` is one whole number, 0 ≤ t < T; without a warm-up, `warmup_steps` is 0.
""",
        stub='''
def my_warmup_cosine(t, lr, warmup_steps, num_steps):
    """The learning rate of update t = 0, 1, 2, …"""
    raise NotImplementedError
''',
        hints=(
            "An `if` for the two parts. The cosine has its own clock, which starts at W.",
            "`np.cos` takes radians: `np.cos(np.pi * u)` is 1 at u = 0 and −1 at u = 1.",
        ),
        solution="""
def my_warmup_cosine(t, lr, warmup_steps, num_steps):
    if t < warmup_steps:
        return lr * (t + 1) / (warmup_steps + 1)
    share = (t - warmup_steps) / (num_steps - warmup_steps)
    return lr * (1 + np.cos(np.pi * share)) / 2
""",
        wrong=mistakes(r"""
? The first update does nothing: the warm-up is (t + 1) / (W + 1), never 0.
- lr * (t + 1) / (warmup_steps + 1) >>> lr * t / warmup_steps
- lr * (t + 1) >>> lr * t
? The warm-up arrives one update early: divide by W + 1.
- (warmup_steps + 1) >>> warmup_steps
? The cosine has its own clock: its share is (t − W) / (T − W), 0 at t = W.
- (t - warmup_steps) / (num_steps - warmup_steps) >>> t / num_steps
- (t - warmup_steps) / >>> t /
? The cosine is too long: only T − W updates remain for it.
- (num_steps - warmup_steps) >>> num_steps
? The π is missing: the cosine must go from 0 to π.
- np.pi * share >>> share
? After the warm-up the rate falls along a straight line; take the cosine.
- (1 + np.cos(np.pi * share)) / 2 >>> (1 - share)
? The rate is twice what it should be after the warm-up: halve 1 + cos.
- share)) / 2 >>> share))
? The rate rises after the warm-up: it is 1 + cos, not 1 − cos.
- 1 + np.cos >>> 1 - np.cos
? The cosine alone becomes negative: it is (1 + cos) / 2.
- (1 + np.cos(np.pi * share)) / 2 >>> np.cos(np.pi * share)
? After the warm-up the rate stays the same: let it fall along the cosine. (Is the share rounded
  down to 0, by `//`?)
- (1 + np.cos(np.pi * share)) / 2 >>> 1
- (t - warmup_steps) / >>> (t - warmup_steps) //
? You multiply warm-up and cosine: the cosine begins where the warm-up ends, at t = W.
- (t + 1) / >>> (1 + np.cos(np.pi * t / num_steps)) / 2 * (t + 1) /
& (t - warmup_steps) / (num_steps - warmup_steps) >>> t / num_steps
? The warm-up is missing.
- if t < warmup_steps >>> if False
- if t < warmup_steps: >>> if False:
& (t - warmup_steps) / (num_steps - warmup_steps) >>> t / num_steps
? A quarter of a wave is not enough: at the end the cosine has come to π.
- np.pi * share >>> np.pi / 2 * share
? A whole wave is too much: it comes up again; at the end the cosine has come to π.
- np.pi * share >>> 2 * np.pi * share
? The cosine begins one update early: its share is 0 at t = W.
- (t - warmup_steps) / >>> (t - warmup_steps + 1) /
? The cosine is over one update early: only at t = T would the rate be 0.
- (num_steps - warmup_steps) >>> max(num_steps - warmup_steps - 1, 1)
? The warm-up is the share alone: multiply it by `lr`.
- lr * (t + 1) >>> (t + 1)
? After the warm-up the `lr` is missing: multiply by it.
- lr * (1 + >>> (1 +
"""),
        cases=_warmup_cases,
        closing="Both parts meet at the highest rate, and the last update is almost free.",
        examples=(("my_warmup_cosine(0, 0.1, 4, 100)", "0.02"),),
    ),
    *ch10_losses.EXERCISES,
    *ch10_own.EXERCISES,
)
