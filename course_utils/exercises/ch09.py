"""Chapter 09, optimizers: averages, conventions, three rules from scratch, and one of your own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from course_utils.exercises.ch09_ravine import OWN_RULE
from course_utils.exercises.ch09_rules import ADAM, RMSPROP
from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.probes import next_argument
from course_utils.exercises.values import canonical


def _ema_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([4.0, -1.0, 2.0, 2.0, 7.0]), 0.9)
    yield case(np.array([3.0, 1.0]), 0.0)
    yield case(np.array([-2.5]), 0.7)
    yield case(np.array([0.00021, 0.00013, 0.0]), 0.5)
    for steps, beta in ((4, 0.6), (12, 0.8), (30, 0.97)):
        yield case(r.normal(size=steps) * 3, beta)


def _lr_cases(r: np.random.Generator) -> Iterator[tuple]:
    yield from ((0.1, 0.9), (0.02, 0.99), (0.0007, 0.95), (1.0, 0.6), (0.3, 0.0), (2.5, 0.2))
    for _ in range(3):
        yield float(r.uniform(0.01, 3)), float(r.uniform(0, 1))


def _adamw_cases(r: np.random.Generator) -> Iterator[Case]:
    for lr, decay, shape in (
        (0.1, 0.5, (2,)),
        (0.3, 0.9, (3, 2)),
        (0.02, 4.0, (1,)),
        (0.1, 0, (3,)),
    ):
        grads = [r.normal(size=shape) for _ in range(4)]
        yield case(
            r.normal(size=shape) * 3,
            grads,
            lr,
            decay,
            label=f"with lr={lr}, weight_decay={decay} and the shape {shape}",
        )


class _Adam:
    """The ``adam`` of 09.adamw, for arrays and tensors alike.

    Its eps is large: with a small one Adam's step would be the same for twice the gradient.
    """

    def __init__(self, lr: float) -> None:
        self._lr, self._t, self._m, self._s = lr, 0, 0.0, 0.0

    def update(self, w: Any, grad: Any) -> Any:
        self._t += 1
        self._m = 0.9 * self._m + 0.1 * grad
        self._s = 0.999 * self._s + 0.001 * grad**2
        root = (self._s / (1 - 0.999**self._t)) ** 0.5
        return w - self._lr * self._m / (1 - 0.9**self._t) / (root + 0.3)


def _adamw_walk(
    answer: Any, w: Any, grads: Sequence[Any], lr: float, decay: float
) -> dict[str, Any]:
    """The points of some updates with one Adam."""
    adam, points, at = _Adam(lr), {}, w
    for step, grad in enumerate(grads, start=1):
        new = answer(at, grad, adam, lr, decay)
        points[f"step {step}"] = canonical(new)
        if (at := next_argument(new, w)) is None:
            break
    return points


EXERCISES = (
    Exercise(
        name="09.ema",
        title="an average with bias correction",
        prompt=r"""
Write the exponentially weighted average $S_t = \beta S_{t-1} + (1-\beta)\,Y_t$ with $S_0 = 0$, and
return the *corrected* averages $S_t / (1-\beta^t)$ for $t = 1 \dots T$. `values` holds
$Y_1 \dots Y_T$, and `beta` is at least 0 and below 1.
""",
        stub='''
def my_ema(values, beta):
    """Bias-corrected averages, one for each value."""
    raise NotImplementedError
''',
        hints=(
            "Keep one number S through a loop over the values; append S / (1 − beta**t) each time.",
            "t counts from 1: `for t, value in enumerate(values, start=1)`.",
        ),
        solution="""
def my_ema(values, beta):
    average, averages = 0.0, []
    for t, value in enumerate(values, start=1):
        average = beta * average + (1 - beta) * value
        averages.append(average / (1 - beta**t))
    return averages
""",
        wrong=mistakes(r"""
? The bias correction is missing: divide S by 1 − beta**t.
-  / (1 - beta**t) >>> 
? The two weights are swapped: beta belongs to the old average.
- beta * average + (1 - beta) * value >>> (1 - beta) * average + beta * value
- beta * average + (1 - beta) * value >>> (1 - beta) * average + beta * value
&  / (1 - beta**t) >>> 
- beta * average + (1 - beta) * value >>> (1 - beta) * average + beta * value
& beta**t >>> (1 - beta)**t
? The new value counts 1 − beta, and the sum is divided by 1 − beta**t: here the weight is missing
  or divided away.
- (1 - beta) * value >>> value
- (1 - beta) * value >>> value
&  / (1 - beta**t) >>> 
? S must start at 0, not at the first value; the correction does the rest.
- average, averages = 0.0, [] >>> average, averages = values[0], []
- average, averages = 0.0, [] >>> average, averages = values[0], []
&  / (1 - beta**t) >>> 
? The corrected average was fed back: correct only what you return.
- averages.append(average / (1 - beta**t)) >>> average /= 1 - beta**t; averages.append(average)
? Return all the averages, not only the last one.
- return averages >>> return averages[-1]
? Only the first average comes back. Is the `return` inside the loop?
-     return averages >>>         return averages
- averages.append(average / (1 - beta**t)) >>> return average / (1 - beta**t)
? t starts at 0 here, where 1 − beta**t is 0: count from 1.
- start=1 >>> start=0
? The correction is one step ahead: the first value belongs to t = 1.
- start=1 >>> start=2
? The correction is a power of beta, 1 − beta**t, not 1 − beta·t.
- beta**t >>> beta * t
? Only beta is raised to the power t: 1 − beta**t, not (1 − beta)**t.
- (1 - beta**t) >>> (1 - beta) ** t
? Each average has a correction of its own: t is its place, not the number of values.
- beta**t >>> beta ** len(values)
? Divide by the correction; you multiply with it.
-  / (1 - beta**t) >>>  * (1 - beta**t)
? That is the plain mean of the values so far: recent ones must count more.
def my_ema(values, beta):
    return [sum(values[:t]) / t for t in range(1, len(values) + 1)]
? The old average is forgotten at each step: keep S through the loop.
- average = beta * average + >>> average =
? `beta` is not used: these are the averages for beta = 0.9.
-     average, averages >>>     beta = 0.9\n    average, averages
"""),
        cases=_ema_cases,
        closing="Thanks to the correction the first average is the first value, whatever beta is.",
        kinds=("array", "tensor", "list"),
        examples=(("my_ema(np.array([1.0, 2.0, 3.0]), 0.5)", "[1.0, 1.6667, 2.4286]"),),
    ),
    Exercise(
        name="09.pytorch_lr",
        title="translate a learning rate",
        prompt=r"""
A book writes momentum as an average, $S \leftarrow \mu S + (1-\mu)\,g$ and
$w \leftarrow w - \eta_\text{EMA}\,S$. PyTorch adds the full gradient, $v \leftarrow \mu v + g$ and
$w \leftarrow w - \eta\,v$. Which learning rate must PyTorch get to walk the book's path?
""",
        stub='''
def my_pytorch_lr(lr_ema, momentum):
    """The learning rate for torch.optim.SGD(momentum=momentum) that gives the same path."""
    raise NotImplementedError
''',
        hints=(
            "Feed both rules the constant gradient 1. Where do S and v settle?",
            "v = S / (1 − momentum) at all times, and lr · v must equal lr_ema · S.",
        ),
        solution="""
def my_pytorch_lr(lr_ema, momentum):
    return lr_ema * (1 - momentum)
""",
        wrong=mistakes(r"""
? The other way round: PyTorch's v is the larger one, so its rate is the smaller.
- * >>> /
? The two rates differ, because v and S differ by a factor.
-  * (1 - momentum) >>> 
? The factor is 1 − momentum, not momentum.
- (1 - momentum) >>> momentum
? The factor is 1 − momentum, below 1; 1 + momentum is above 1.
- 1 - momentum >>> 1 + momentum
? The two rates differ by a factor; nothing is subtracted from `lr_ema`.
- * (1 - momentum) >>> - momentum
? `lr_ema` is not used: twice the book's rate must give twice the result.
- lr_ema * (1 - momentum) >>> 1 - momentum
? A learning rate is positive: turn the difference around.
- 1 - momentum >>> momentum - 1
? One factor is enough: v and S differ by 1 − momentum, not by its square.
- (1 - momentum) >>> (1 - momentum) ** 2
"""),
        cases=_lr_cases,
        closing="v is S / (1 − momentum), so the learning rate shrinks by the same factor.",
        examples=(("my_pytorch_lr(0.5, 0.9)", "0.05"),),
    ),
    RMSPROP,
    ADAM,
    Exercise(
        name="09.adamw",
        title="weight decay that bypasses Adam",
        prompt=r"""
L2 regularisation adds $\lambda w$ to the gradient, and Adam's root then rescales it. AdamW shrinks
the weights directly, $w \leftarrow (1 - \eta\lambda)\,w$, and then takes Adam's step with the plain
gradient. Write one such update; `adam` is an object whose `adam.update(w, grad)` returns Adam's
next `w`. The arrays `w` and `grad` stay as they are.
""",
        stub='''
def my_adamw_update(w, grad, adam, lr, weight_decay):
    """Decay w, then take Adam's step; returns the new w."""
    raise NotImplementedError
''',
        hints=(
            "`grad` goes into Adam unchanged. Only `w` is decayed.",
            "The factor is `1 - lr * weight_decay`, and it comes before Adam's step.",
        ),
        solution="""
def my_adamw_update(w, grad, adam, lr, weight_decay):
    return adam.update(w * (1 - lr * weight_decay), grad)
""",
        wrong=mistakes(r"""
? That is L2: the decay went into the gradient, where Adam's root rescales it.
- w * (1 - lr * weight_decay), grad >>> w, grad + weight_decay * w
? The decay is there twice: once in the gradient, once in w.
- grad) >>> grad + weight_decay * w)
? The learning rate is missing from the decay: the factor is 1 − lr·weight_decay.
- lr * weight_decay >>> weight_decay
? The weight decay is missing from the factor 1 − lr·weight_decay.
- lr * weight_decay >>> lr
? The decay comes after Adam's step; PyTorch shrinks w before it.
- w * (1 - lr * weight_decay), grad) >>> w, grad) * (1 - lr * weight_decay)
? Nothing decays: w must shrink by the factor 1 − lr·weight_decay.
-  * (1 - lr * weight_decay) >>> 
? The weights grow: the factor is 1 − lr·weight_decay, not 1 + ….
- 1 - lr >>> 1 + lr
? Adam's step is not in the result: after the decay comes what `adam.update` returns for the plain
  gradient.
- adam.update(w * (1 - lr * weight_decay), grad) >>> w * (1 - lr * weight_decay)
- adam.update(w * (1 - lr * weight_decay), grad) >>> w * (1 - lr * weight_decay) - lr * grad
? The gradient shrinks as well; only w decays.
- , grad) >>> , grad * (1 - lr * weight_decay))
? The gradient shrinks in place of w; only w decays.
- w * (1 - lr * weight_decay), grad >>> w, grad * (1 - lr * weight_decay)
? The decay is a factor for w, no fixed amount.
- w * (1 - lr * weight_decay) >>> w - lr * weight_decay
? `adam.update` runs twice: every call is a step of its own for Adam's averages.
-     return adam >>>     adam.update(w * (1 - lr * weight_decay), grad)\n    return adam
-     return adam >>>     adam.update(w, grad)\n    return adam
? w and the gradient are exchanged in `adam.update(w, grad)`.
- w * (1 - lr * weight_decay), grad >>> grad, w * (1 - lr * weight_decay)
? `my_adamw_update` changes w in place: compute with a new array.
-     return adam >>>     w *= 1 - lr * weight_decay\n    return adam
& w * (1 - lr * weight_decay) >>> w
? Nothing comes back: return what `adam.update` gives.
- return adam >>> adam
"""),
        cases=_adamw_cases,
        probe=_adamw_walk,
        pure=True,
        closing="It takes the same steps as `torch.optim.AdamW`: the root never sees the decay.",
    ),
    OWN_RULE,
)
