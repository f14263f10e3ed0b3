"""Chapter 04, softmax: its logarithms as a layer, and its loss as an operation of the autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.probes import through_layer
from course_utils.exercises.running import unwrapped
from course_utils.scalar_autograd import Scalar as PackageScalar


def _log_softmax_cases(r: np.random.Generator) -> Iterator[Case]:
    large = np.array([[1010.0, 1000.0, 990.0], [-1000.0, 1001.0, 0.0], [-999.0, -1000.0, -1003.0]])
    for shape, other in (((1, 2), (2, 2)), ((3, 4), (2, 3)), ((4, 4), (1, 5)), ((2, 1), (3, 3))):
        one, two = (([r.normal(0, 2, s)], r.normal(0.5, 1, s)) for s in (shape, other))
        yield case(one, two, label=f"with scores of shape {shape}")
    yield case(([large], r.normal(size=(3, 3))), two, label=f"with z = {large.tolist()}")


def _scalar_class(answer: Callable) -> type:
    """The class that the answer itself works with: the chapter's, or that of the package."""
    able = ("backward", "__add__", "__mul__")
    for function in unwrapped(answer):
        own = function.__globals__.get("Scalar")
        if isinstance(own, type) and all(hasattr(own, name) for name in able):
            return own
    return PackageScalar


def _log_sum_exp(answer: Callable, *values: float) -> dict[str, Any]:
    """Value and gradients for a list, inside of a formula, and with an object that comes twice."""
    Scalar = _scalar_class(answer)

    def result(scores: list) -> Any:
        out = answer(scores)
        if isinstance(out, int | float | np.number):
            raise NotYet("A plain number comes back: a `Scalar` is needed, or the graph ends here.")
        if isinstance(out, list | tuple | dict):
            raise NotYet(
                "The softmax comes back, a list; one `Scalar` is wanted, and the softmax are its "
                "slopes."
            )
        if out is not None and not (hasattr(out, "value") and hasattr(out, "backward")):
            raise NotYet(f"A `Scalar` is expected; an object of type {type(out).__name__} comes.")
        return out

    given = [Scalar(v) for v in values]
    scores = given[:]
    if (out := result(scores)) is None:
        return {"the result": None}
    out.backward()
    seen = {"value": out.value, "the list of gradients": [s.grad for s in given]}
    seen["the list afterwards"] = [s.value for s in scores]
    u, v = Scalar(values[0]), Scalar(0.5)
    again = u * v
    out = result([again, u, again]) * v
    out.backward()
    return seen | {
        "the value of log Σ exp over [u·v, u, u·v], times v": out.value,
        "the gradients of u and v in it": [u.grad, v.grad],
    }


def _log_sum_exp_cases(r: np.random.Generator) -> Iterator[Case]:
    for values in ((1.0, 2.0), (0.5, -1.0, 3.0), (-2.0,), (1.5, 1.5, -0.5, 0.25)):
        yield case(*values, label=f"for {list(values)}")
    large = np.array([-5.0, 1000.0, 999.0])
    for values in (r.normal(0, 2, 5).round(2), large, np.array([-900.0, -902.0])):
        yield case(*values.tolist(), label=f"for {values.tolist()}")


EXERCISES = (
    Exercise(
        name="04.log_softmax",
        title="log-softmax, forward and backward",
        prompt=r"""
Many networks end in the *logarithms* of their probabilities. For scores $z$ of shape (N, C), row by
row,

$$\log p_j = z_j - \log\sum_i e^{z_i}.$$

Write it as a layer. `backward(G)` takes the gradient with respect to these logarithms, any
numbers of shape (N, C), and returns the gradient with respect to $z$. Neither method may change its
argument. The scores may be large, like 1000: shift each row by its maximum.
""",
        stub='''
class MyLogSoftmax:
    def forward(self, z):
        """log p, in the shape of z; remember here what backward will need."""
        raise NotImplementedError

    def backward(self, G):
        """The gradient of z, in the same shape."""
        raise NotImplementedError
''',
        hints=(
            "z_i takes part in log p_i directly, and in **every** log p_j of its row through the "
            "sum. What is the derivative of log Σ e^z with respect to z_i?",
            "It is p_i, and it comes with a minus sign for each j: so of the row's whole G, "
            "added up, z_i loses the share p_i.",
        ),
        solution="""
class MyLogSoftmax:
    def forward(self, z):
        shifted = z - z.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.p = np.exp(log_p)
        return log_p

    def backward(self, G):
        return G - self.p * G.sum(axis=1, keepdims=True)
""",
        wrong=mistakes(r"""
? The sum under the logarithm is forgotten in `backward`: every log p of the row depends on each z.
- return G - self.p * G.sum(axis=1, keepdims=True) >>> return G
? That is right only where a row of G adds up to 1: p is multiplied by that sum.
- self.p * G.sum(axis=1, keepdims=True) >>> self.p
? Each log p depends on all scores of its row, not on its own alone: add up the row's G.
- return G - self.p * G.sum(axis=1, keepdims=True) >>> return G * (1 - self.p)
? That is the way back of the softmax itself; here the logarithm comes after it.
- return G - self.p * G.sum(axis=1, keepdims=True) >>> return self.p * (G - (self.p * G).sum(axis=1, keepdims=True))
? That is only a local derivative: `G` must come into it.
- return G - self.p * G.sum(axis=1, keepdims=True) >>> return 1 - self.p + 0 * G
? In `backward` G is added up over the batch; each row is a sample of its own.
- G.sum(axis=1, keepdims=True) >>> G.sum(axis=0, keepdims=True)
- G.sum(axis=1, keepdims=True) >>> G.sum(axis=0)
? In `backward` G is added up over all entries; each row is a sample of its own.
- G.sum(axis=1, keepdims=True) >>> G.sum()
? The row's G is added up, not averaged.
- G.sum(axis=1, keepdims=True) >>> G.mean(axis=1, keepdims=True)
? The sign of the gradient is turned around.
- return G - self.p * G.sum(axis=1, keepdims=True) >>> return self.p * G.sum(axis=1, keepdims=True) - G
? The part from the sum has a minus sign: a larger score makes the others less probable.
- return G - self.p >>> return G + self.p
? The gradient is divided by the number of samples: the 1/N stands in the loss, not in this layer.
- return G - self.p * G.sum(axis=1, keepdims=True) >>> return (G - self.p * G.sum(axis=1, keepdims=True)) / len(G)
? `backward` works with the logarithms where the probabilities are needed.
- self.p = np.exp(log_p) >>> self.p = log_p
? `forward` returns the probabilities; their logarithms are wanted.
-         return log_p >>>         return self.p
? `forward` returns the shifted scores: subtract the logarithm of the sum of their exponentials.
-         return log_p >>>         return shifted
? `forward` returns −log p: the sign is turned around.
-         return log_p >>>         return -log_p
? The natural logarithm is meant, `np.log`.
-         return log_p >>>         return log_p / np.log(10)
-         return log_p >>>         return log_p / np.log(2)
? The softmax runs over the wrong axis: each row is a sample.
- z.max(axis=1, keepdims=True) >>> z.max(axis=0, keepdims=True)
& np.exp(shifted).sum(axis=1, keepdims=True) >>> np.exp(shifted).sum(axis=0, keepdims=True)
? The softmax is taken over all entries at once: each row is a sample.
- z.max(axis=1, keepdims=True) >>> z.max()
& np.exp(shifted).sum(axis=1, keepdims=True) >>> np.exp(shifted).sum()
? For large scores exp overflows: subtract each row's own maximum first.
- z - z.max(axis=1, keepdims=True) >>> z
- z.max(axis=1, keepdims=True) >>> z.mean(axis=1, keepdims=True)
- z.max(axis=1, keepdims=True) >>> z.min(axis=1, keepdims=True)
- z.max(axis=1, keepdims=True) >>> z[:, :1]
? Where one row's scores are far below another's, all of its exponentials are 0: subtract each row's
  own maximum, not that of the whole batch.
- z.max(axis=1, keepdims=True) >>> z.max()
? Where a score is far below the largest, p is 0 and its logarithm −∞: subtract the logarithm of the
  sum, and do not take that of p.
- log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)) >>> log_p = np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True))
? A method changes its argument in place, for the caller too: return a new array instead.
- shifted = z - z.max(axis=1, keepdims=True) >>> z -= z.max(axis=1, keepdims=True)\n        shifted = z
- return G - self.p >>> total = G.sum(axis=1, keepdims=True)\n        G -= self.p
& * G.sum(axis=1, keepdims=True) >>> * total\n        return G
? The memory is shared between two MyLogSoftmax objects: what the second one saw in `forward` changes
  the gradient of the first. Keep it on `self`.
- self.p = >>> MyLogSoftmax.p = 
? The first batch is kept for ever: remember what you need anew in each `forward`.
- self.p = np.exp(log_p) >>> self.p = vars(self).get("p", np.exp(log_p))
? `forward` returns nothing: is a `return` missing?
-         return log_p >>>         log_p
? `backward` returns nothing: is a `return` missing?
- return G - >>> _ = G -
"""),
        cases=_log_softmax_cases,
        probe=through_layer,
        pure=True,
        closing="With G = −y/N it gives (p − y)/N: the loss layer of the chapter in two parts.",
    ),
    Exercise(
        name="04.log_sum_exp",
        title="teach the autograd the loss of a classifier",
        prompt=r"""
The cross-entropy of one sample is $\log\sum_i e^{z_i} - z_k$. Give `Scalar` the first part as **one**
new operation: `my_log_sum_exp` takes a list of `Scalar` objects (one or more; the same object may
stand in it twice) and returns a `Scalar` that hangs on all of them, with the right value and slopes.
The values may be large, like 1000: subtract the largest first. List and numbers stay as they are.
""",
        stub='''
def my_log_sum_exp(scores):
    """log(Σ exp(z)) of a list of Scalar objects, as a Scalar that remembers them all."""
    raise NotImplementedError
''',
        hints=(
            "`Scalar(value, inputs, op)`: the inputs are pairs (node, local derivative), here one "
            "for each entry of the list.",
            "The derivative of log Σ e^z with respect to z_i is e^{z_i} / Σ e^z: the softmax. With "
            "m the largest value, log Σ e^z = m + log Σ e^{z − m}.",
        ),
        setup="from course_utils.scalar_autograd import Scalar",
        solution="""
def my_log_sum_exp(scores):
    top = max(s.value for s in scores)
    powers = [np.exp(s.value - top) for s in scores]
    total = sum(powers)
    inputs = tuple((s, e / total) for s, e in zip(scores, powers))
    return Scalar(top + np.log(total), inputs, "log Σ exp")
""",
        wrong=mistakes(r"""
? For large values exp overflows: subtract the largest of them first, and add it again at the end.
- top = max(s.value for s in scores) >>> top = 0.0
- top = max(s.value for s in scores) >>> top = scores[0].value
- top = max(s.value for s in scores) >>> top = min(s.value for s in scores)
? The largest value was subtracted, but not added again: log Σ e^z = m + log Σ e^(z − m).
- Scalar(top + np.log(total) >>> Scalar(np.log(total)
? The value is the sum of the exponentials: its logarithm is wanted.
- Scalar(top + np.log(total) >>> Scalar(total * np.exp(min(top, 700.0))
? The value is that of the mean: the logarithm of the *sum* is wanted.
- np.log(total) >>> np.log(total / len(scores))
? The natural logarithm is meant, `np.log`.
- np.log(total) >>> np.log10(total)
- np.log(total) >>> np.log2(total)
? That is the largest value with slope 1 at its place: here all scores take part.
- inputs = tuple((s, e / total) for s, e in zip(scores, powers)) >>> inputs = ((max(scores, key=lambda s: s.value), 1.0),)
& top + np.log(total) >>> top
? The value is right. Each slope is a share of the sum: divide the exponential by all of them
  together.
- (s, e / total) >>> (s, e)
- (s, e / total) >>> (s, e * np.exp(min(top, 700.0)))
? The value is right. The slopes are not all equal: each is that score's share of the sum of the
  exponentials.
- (s, e / total) >>> (s, 1 / len(scores))
- (s, e / total) >>> (s, 1.0)
- (s, e / total) >>> (s, 1 / total)
? The value is right. The slopes are shares of the exponentials, not of the scores themselves.
- (s, e / total) >>> (s, s.value / sum(t.value for t in scores))
? The slopes have the wrong sign: a larger score makes the sum larger.
- (s, e / total) >>> (s, -e / total)
? A plain number comes back: a `Scalar` is needed, or the graph ends here.
- return Scalar(top + np.log(total), inputs, "log Σ exp") >>> return top + np.log(total)
? Nothing arrives at the scores: pass the pairs (node, slope), with the scores themselves as the
  nodes.
- , inputs, "log Σ exp") >>> )
- tuple((s, e / total) for >>> tuple((Scalar(s.value), e / total) for
? The gradients are set by hand, so nothing goes on to what the scores were made of: pass the pairs
  (node, slope) as inputs.
- return Scalar(top + np.log(total), inputs, "log Σ exp") >>> for s, e in inputs:\n        s.grad += e\n    return Scalar(top + np.log(total))
? The same object may stand in the list twice: then both of its places count.
- powers = >>> scores = list(dict.fromkeys(scores))\n    powers =
? In the value the same object counts twice, as it should; among the inputs it is missing once.
- inputs = tuple((s, e / total) for s, e in zip(scores, powers)) >>> inputs = tuple({s: e / total for s, e in zip(scores, powers)}.items())
? The last score is left out among the inputs.
- zip(scores, powers)) >>> zip(scores[:-1], powers))
? Only the first score is among the inputs.
- zip(scores, powers)) >>> zip(scores[:1], powers))
? The softmax comes back, a list; one `Scalar` is wanted, and the softmax are its slopes.
- return Scalar(top + np.log(total), inputs, "log Σ exp") >>> return [e / total for e in powers]
? The numbers of the list are changed: work with new ones.
- powers = [np.exp(s.value - top) for s in scores] >>> powers = []\n    for s in {id(s): s for s in scores}.values():\n        s.value -= top\n    powers = [np.exp(s.value) for s in scores]
? The list itself is changed: it must stay as it is.
- inputs = >>> given = scores[:]\n    scores.sort(key=lambda s: s.value)\n    inputs =
& zip(scores, powers)) >>> zip(given, powers))
? The slopes are multiplied by the result: `backward` brings in what comes from further back.
- (s, e / total) >>> (s, (top + np.log(total)) * e / total)
? Nothing comes back: is a `return` missing?
- return Scalar >>> _ = Scalar
"""),
        cases=_log_sum_exp_cases,
        probe=_log_sum_exp,
        closing="With it the slopes of a whole cross-entropy come out as p − y, all by themselves.",
    ),
)
