"""Chapter 03, neurons and networks: a gate, log-softmax, the slope of tanh, a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from course_utils.exercises.ch03_slopes import SLOPES
from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.values import canonical

_SMALL = 1e-7  # of the largest number: float32 calls such a sum 0


def _outputs(answer: Callable[[], Any]) -> dict[str, Any] | None:
    """What a neuron with the three numbers of the answer gives at the four points."""
    returned = answer()
    if returned is None:
        return None
    value = canonical(returned)
    parts = value if isinstance(value, tuple) else (value,)
    numbers = [n for part in parts if isinstance(part, np.ndarray) for n in part.ravel()]
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        raise NotYet("`my_nor()` must return three numbers: `return w1, w2, b`.")
    w1, w2, b = np.array(numbers) / (np.abs(numbers).max() or 1.0)
    found = {
        f"the neuron at ({x1}, {x2})": int(w1 * x1 + w2 * x2 + b > _SMALL)
        for x1, x2 in ((0, 0), (0, 1), (1, 0), (1, 1))
    }
    return found | {"~b": int(abs(b) <= _SMALL)}


def _score_cases(r: np.random.Generator) -> Iterator[Case]:
    for z in (
        [0.3, -1.2, 2.0],
        [1000.0, 1001.0],
        [-1000.0, -1001.0, -1002.0],
        [0.0, 50000.0, -50000.0],
        [[0.5, 1.5, -0.5], [2.0, 0.0, 1.0]],
        [[1.0, 2.0, 0.0], [0.5, 0.0, 3.0], [2.0, 2.0, 1.0]],
        [[1010.0, 1000.0, 990.0], [-3.0, -2.0, -1.0]],
        [[1.0, 50000.0], [-5000.0, -4999.0], [5000.0, 4999.0], [-50000.0, 0.0]],
        [[1.0, -1.0, 0.5, 0.0]],
        [[3.0], [-2000.0]],
    ):
        yield case(np.array(z))
    yield case(r.normal(size=(5, 4)) * 300)


def _output_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([-0.9, 0.2, 0.7, 1.0]))
    yield case(np.array([0.6]))
    yield case(r.uniform(-1, 1, size=(2, 3)))


def _network_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes, batch in (
        ((2, 3), (2,)),
        ((2, 2, 1), (2,)),
        ((2, 3, 1), (4,)),
        ((3, 3, 3), (3,)),
        ((3, 4, 2, 3), (5,)),
        ((3, 2, 4, 2), ()),
        ((2, 2, 2, 2, 2), (1,)),
    ):
        layers = [(r.normal(size=(n, m)), r.normal(size=m)) for n, m in pairwise(sizes)]
        X = r.normal(size=(*batch, sizes[0]))
        yield case(X, layers, label=f"with a {'-'.join(map(str, sizes))} network")


EXERCISES = (
    Exercise(
        name="03.nor",
        title="one more gate",
        prompt="""
A NOR gate fires only where *neither* input is on: (0, 0) gives 1, the three other points give 0.
Return three numbers `w1, w2, b` with which one neuron (output 1 where $w_1x_1 + w_2x_2 + b > 0$,
else 0) is a NOR gate.
""",
        stub='''
def my_nor():
    """The three numbers w1, w2, b."""
    raise NotImplementedError
''',
        hints=(
            "At (0, 0) the sum is b alone. Which sign must it have? And what must each input do "
            "to the sum?",
            "b must be positive, and one input alone must outweigh it: w1 + b ≤ 0 and w2 + b ≤ 0.",
        ),
        solution="""
def my_nor():
    return -1.0, -1.0, 0.5
""",
        wrong=mistakes(r"""
? That is OR, the opposite at every point: turn all signs around.
- -1.0, -1.0, 0.5 >>> 1.0, 1.0, -0.5
? That is NAND: one input alone must already outweigh the bias.
- -1.0, -1.0, 0.5 >>> -0.5, -0.5, 0.7
? That is AND. Here the point (0, 0) must fire, and no other.
- -1.0, -1.0, 0.5 >>> 0.5, 0.5, -0.7
? At (0, 0) the sum is exactly 0, and the neuron fires only above 0.
- 0.5 >>> 0.0
- -1.0, -1.0, 0.5 >>> 1.0, 1.0, 0.0
- -1.0, -1.0, 0.5 >>> 1.0, -1.0, 0.0
- -1.0, -1.0, 0.5 >>> -1.0, 1.0, 0.0
- -1.0, -1.0, 0.5 >>> 0.0, 0.0, 0.0
? It fires at all four points: each weight must be negative enough to outweigh the bias.
- -1.0, -1.0, 0.5 >>> 1.0, 1.0, 0.5
? It never fires: at (0, 0) the sum is b alone, and it must be above 0.
- 0.5 >>> -0.5
? One of the two inputs does not outweigh the bias: each alone must bring the sum to 0 or below.
- -1.0, -1.0, 0.5 >>> -1.0, 0.0, 0.5
- -1.0, -1.0, 0.5 >>> 0.0, -1.0, 0.5
- -1.0, -1.0, 0.5 >>> -1.0, 2.0, 0.5
- -1.0, -1.0, 0.5 >>> 2.0, -1.0, 0.5
"""),
        cases=lambda r: [case()],
        probe=_outputs,
        closing="Negative weights and a positive bias: it fires until somebody objects.",
    ),
    Exercise(
        name="03.log_softmax",
        title="the logarithm of a softmax, without overflow",
        prompt=r"""
Training wants the *logarithm* of the probabilities: $\log p_k = z_k - \log \sum_j e^{z_j}$. The array
`z` is one sample of shape $(C,)$ or a batch of shape $(N, C)$; each sample stands by itself. It must
survive 1010, 1000, 990 and scores of any other size, far below 0 or far apart. So do not take the
softmax first: a probability that is rounded to 0 has the logarithm $-\infty$. `z` stays as it is.
(The example is rounded to four decimals.)
""",
        stub='''
def my_log_softmax(z):
    """The logarithms of the probabilities, in the shape of z."""
    raise NotImplementedError
''',
        hints=(
            "Subtract the largest score of each sample first: that changes nothing in log p, "
            "because it cancels.",
            "With s = z − max: log p = s − log Σ eˢ. Maximum and sum go along `axis=-1`, with "
            "`keepdims=True`.",
        ),
        solution="""
def my_log_softmax(z):
    z = np.asarray(z)
    s = z - z.max(axis=-1, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=-1, keepdims=True))
""",
        wrong=mistakes(r"""
? An exponential overflows: exp(1010) is infinite. Subtract the largest score of each sample first.
- z - z.max(axis=-1, keepdims=True) >>> z
? The logarithm is taken last: a probability that was rounded to 0 becomes −∞. Keep the score itself,
  outside of exponential and logarithm.
- return s - np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> return np.log(np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True))
? A small number is added to the probabilities before the logarithm: unlikely classes get a wrong one.
- return s - np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> return np.log(np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True) + 1e-12)
- return s - np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> return np.log(np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True) + 1e-8)
- return s - np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> return np.log(np.maximum(np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True), 1e-300))
? These are the probabilities; wanted are their logarithms.
- return s - np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> return np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)
? It is shifted by another number than the largest score of the sample: far from that number the
  exponentials become infinite, or all of them 0.
- z.max >>> z.mean
- z.max >>> z.min
- z.max(axis=-1, keepdims=True) >>> z[..., :1]
- z.max(axis=-1, keepdims=True) >>> z[..., -1:]
- z.max(axis=-1, keepdims=True) >>> np.median(z, axis=-1, keepdims=True)
- z.max(axis=-1, keepdims=True) >>> z.mean()
- z.max(axis=-1, keepdims=True) >>> abs(z).max(axis=-1, keepdims=True)
- z.max(axis=-1, keepdims=True) >>> 1000
? A sample gets an infinite answer: it was shifted by the maximum of the whole batch, and all its
  exponentials became 0. Subtract from each sample its own largest score.
- z.max(axis=-1, keepdims=True) >>> z.max()
- z.max(axis=-1, keepdims=True) >>> max(z.max(), 0.0)
- z.max(axis=-1 >>> z.max(axis=0
? All numbers are taken together: you summed over the whole batch.
- z.max(axis=-1, keepdims=True) >>> z.max() && np.exp(s).sum(axis=-1, keepdims=True) >>> np.exp(s).sum()
- np.exp(s).sum(axis=-1, keepdims=True) >>> np.exp(s).sum()
? Your sums go down the columns, over the samples: use the last axis.
- z.max(axis=-1 >>> z.max(axis=0 && np.exp(s).sum(axis=-1 >>> np.exp(s).sum(axis=0
- np.exp(s).sum(axis=-1 >>> np.exp(s).sum(axis=0
? The shift is taken off only once: either both terms are shifted, or it must be added again.
- return s - >>> return z -
? The logarithm is missing: from each score the logarithm of the sum goes off.
- np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> np.exp(s).sum(axis=-1, keepdims=True)
- return s - np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> return s
? The sign is turned around: the logarithm of a probability is never above 0.
- return s - np.log(np.exp(s).sum(axis=-1, keepdims=True)) >>> return np.log(np.exp(s).sum(axis=-1, keepdims=True)) - s
? The logarithm of the sum goes off; yours is added.
- return s - np.log >>> return s + np.log
? Of the exponentials the sum is wanted, not the mean.
- np.exp(s).sum >>> np.exp(s).mean
? The logarithm is the natural one, the inverse of e^z.
- np.log(np >>> np.log10(np
- np.log(np >>> np.log2(np
? The sums lost their dimension, and each row gets those of others: `keepdims=True`.
- np.exp(s).sum(axis=-1, keepdims=True) >>> np.exp(s).sum(axis=-1)
? Scores that are cut off at a largest value are no longer different: shift them instead.
- z - z.max(axis=-1, keepdims=True) >>> np.clip(z, -500, 500)
- z - z.max(axis=-1, keepdims=True) >>> np.minimum(z, 700)
"""),
        cases=_score_cases,
        pure=True,
        closing="PyTorch's cross-entropy does just this inside: chapter 07 tells.",
        examples=(("my_log_softmax(np.array([1010.0, 1000.0, 990.0]))", "[0.0, -10.0, -20.0]"),),
    ),
    Exercise(
        name="03.tanh_slope",
        title="the slope of tanh, from its output",
        prompt=r"""
The derivative of the sigmoid can be written with its *output*: $a(1-a)$. The hyperbolic tangent
$a = \tanh z = \sinh z / \cosh z$ has such a form too, with $\sinh z = (e^z-e^{-z})/2$ and
$\cosh z = (e^z+e^{-z})/2$. Its derivative with respect to $z$ is $1/\cosh^2 z$, and
$\cosh^2 z - \sinh^2 z = 1$. Find it: the argument is the output `a`, not `z`; it is an array, from
−1 to 1, and stays as it is.
""",
        stub='''
def my_tanh_slope(a):
    """da/dz for a = tanh(z), an array in the shape of a."""
    raise NotImplementedError
''',
        hints=(
            "Divide cosh² − sinh² = 1 by cosh², and remember that tanh = sinh / cosh.",
            "It gives 1 − tanh² z = 1 / cosh² z. What is tanh z called here?",
        ),
        solution="""
def my_tanh_slope(a):
    return 1 - a**2
""",
        wrong=mistakes(r"""
? `a` is the output already: the tanh must not be taken again.
- a**2 >>> np.tanh(a) ** 2
- 1 - a**2 >>> 1 / np.cosh(a) ** 2
? That is the slope of the sigmoid; tanh has one of its own.
- 1 - a**2 >>> a * (1 - a)
? Nearly: `a` stands there with a square.
- a**2 >>> a
- a**2 >>> abs(a)
? The sign: cosh² − sinh² = 1, divided by cosh², gives 1 − tanh².
- 1 - a**2 >>> 1 + a**2
- 1 - a**2 >>> a**2 - 1
? The difference itself has no square, only `a` has: parentheses too many.
- 1 - a**2 >>> (1 - a) ** 2
? That is the derivative of 1 − a², one step too far.
- 1 - a**2 >>> -2 * a
? That is tanh of `a`, or `a` itself; wanted is a slope.
- 1 - a**2 >>> np.tanh(a)
- 1 - a**2 >>> a
? The 1 is missing.
- 1 - a**2 >>> -(a**2)
- 1 - a**2 >>> a**2
? A slope for each entry is wanted, in the shape of `a`.
- 1 - a**2 >>> (1 - a**2).sum()
- 1 - a**2 >>> (1 - a**2).mean()
? That is 1/(1 − a²), the slope of the inverse function.
- 1 - a**2 >>> 1 / (1 - a**2)
"""),
        cases=_output_cases,
        pure=True,
        closing="Steepest where a = 0, and flat where a comes near ±1: there tanh is saturated.",
        examples=(("my_tanh_slope(np.array([0.0, 0.5, -0.5]))", "[1.0, 0.75, 0.75]"),),
    ),
    Exercise(
        name="03.forward",
        title="a forward pass through any number of layers",
        prompt=r"""
`layers` is a list of pairs `(W, b)` of arrays: $W$ of shape (inputs, outputs) and $b$ of shape
(outputs,). Each layer computes $AW + b$. Put a sigmoid after every layer but the last, which gives
its sums as they are. The array `X` has the shape $(N, \text{inputs})$ or, for one sample, (inputs,).
""",
        stub='''
def my_forward(X, layers):
    """The sums of the last layer, shape (N, outputs) or (outputs,)."""
    raise NotImplementedError
''',
        hints=(
            "Start with `A = X` and replace A in a loop over the layers.",
            "Loop over `layers[:-1]` with the sigmoid; then apply `layers[-1]` without it.",
        ),
        solution="""
def my_forward(X, layers):
    A = X
    for W, b in layers[:-1]:
        A = 1 / (1 + np.exp(-(A @ W + b)))
    W, b = layers[-1]
    return A @ W + b
""",
        wrong=mistakes(r"""
? The sums of the last layer are wanted as they are, without a sigmoid.
- return A @ W + b >>> return 1 / (1 + np.exp(-(A @ W + b)))
? No sigmoid between the layers: then all layers together stay linear.
- 1 / (1 + np.exp(-(A @ W + b))) >>> A @ W + b
? The biases are missing: every layer adds its b.
- np.exp(-(A @ W + b)) >>> np.exp(-(A @ W)) && return A @ W + b >>> return A @ W
? The biases are missing in the layers before the last.
- np.exp(-(A @ W + b)) >>> np.exp(-(A @ W))
? The bias of the last layer is missing.
- return A @ W + b >>> return A @ W
? The sigmoid is turned around: a minus stands in its exponential.
- np.exp(-(A @ W + b)) >>> np.exp(A @ W + b)
? Another function than the sigmoid stands between the layers; wanted is 1 / (1 + exp(−z)).
- 1 / (1 + np.exp(-(A @ W + b))) >>> np.tanh(A @ W + b)
- 1 / (1 + np.exp(-(A @ W + b))) >>> np.maximum(np.asarray(A @ W + b), 0.0)
- 1 / (1 + np.exp(-(A @ W + b))) >>> 1 / (np.exp(-(A @ W + b)))
? The minus belongs to the whole sum, also to b: are parentheses missing?
- np.exp(-(A @ W + b)) >>> np.exp(-A @ W + b)
? The layers between the first and the last are left out, or the last one.
- layers[:-1] >>> layers[:1]
-     W, b = layers[-1]\n    return A @ W + b >>>     return A
- layers[:-1] >>> layers[:-2]
? The last layer is applied twice: leave it out of the loop.
- layers[:-1]: >>> layers:
? `X` itself goes through a sigmoid; the first layer takes it as it is.
- A = X >>> A = 1 / (1 + np.exp(-X))
? Every layer takes what the one before gave, not `X` again.
- np.exp(-(A @ W >>> np.exp(-(X @ W
? The layers come in the opposite order.
- layers[:-1]: >>> layers[:0:-1]: && layers[-1] >>> layers[0]
? It returns inside the loop, after the first layer.
-     W, b = layers[-1] >>>         return A\n    W, b = layers[-1]
? One sample gives shape (outputs,), a batch (N, outputs).
- A = X >>> A = X.reshape(-1, X.shape[-1])
"""),
        cases=_network_cases,
        closing="One loop, any depth, one sample or a whole batch: `@` takes care of both.",
    ),
    *SLOPES,
)
