"""Chapter 04, backpropagation: four backward passes; those of the tools stand in ``ch04_tools``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.ch04_tools import EXERCISES as TOOLS
from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.probes import through_layer


def _multiply_cases(r: np.random.Generator) -> Iterator[Case]:
    def batch(shape: tuple[int, ...]) -> tuple[list, np.ndarray]:
        x, y, dout = (r.uniform(0.5, 3, shape) * r.choice([-1, 1], shape) for _ in range(3))
        if len(shape) == 2:  # nothing can be worked out from the product and one factor
            x[0, 0] = y[-1, -1] = 0
        return [x, y], dout

    for shape, other in (((3,), (3,)), ((2, 2), (3, 2)), ((2, 3, 4), (1,))):
        yield case(batch(shape), batch(other), label=f"with arrays of shape {shape}")


def _relu_cases(r: np.random.Generator) -> Iterator[Case]:
    x, dout = np.array([2.0, -1.0, 0.5, -3.0]), np.array([-1.0, 2.0, 3.0, -4.0])
    zeros = np.array([0.0, 1.0, -1.0, 0.0, 0.03, -0.03])
    behind = np.array([5.0, 6.0, 7.0, -2.0, -4.0, 3.0])
    yield case(([x], dout), ([zeros], behind), label=f"with x = {x.tolist()}")
    yield case(([zeros], behind), ([x], dout), label=f"with x = {zeros.tolist()}")
    for shape, other in (((2, 3), (4, 3)), ((2, 1, 3, 2), (5,))):
        one, two = (([r.normal(size=s) * 20], r.normal(size=s) * 5) for s in (shape, other))
        yield case(one, two, label=f"with an array of shape {shape}")


def _affine_cases(r: np.random.Generator) -> Iterator[Case]:
    for N, D, M in ((4, 3, 2), (2, 3, 4), (3, 3, 3), (1, 2, 3), (5, 1, 1), (2, 4, 1), (1, 1, 2)):
        yield case(r.normal(size=(N, D)), r.normal(size=(D, M)), r.normal(size=(N, M)))


def _logits_cases(r: np.random.Generator) -> Iterator[Case]:
    for N, C in ((4, 3), (3, 5), (1, 2), (4, 4), (6, 2), (1, 1)):
        logits, labels = r.normal(0, 2, (N, C)), r.integers(0, C, N)
        yield case(logits, labels, label="and class indices")
        yield case(logits + 1, np.eye(C)[labels], label="and one-hot labels")
    large = np.array([[1010.0, 1000.0, 990.0], [-1000.0, 1001.0, 0.0], [-999.0, -1000.0, -1003.0]])
    yield case(large, np.array([1, 0, 2]), label="and class indices")
    yield case(large, np.eye(3)[[0, 1, 1]], label="and one-hot labels")


EXERCISES = (
    Exercise(
        name="04.multiply",
        title="the multiply layer",
        prompt=r"""
Write a layer for $z = x\,y$, entry by entry. `forward(x, y)` takes two arrays of one shape and
returns their product. `backward(dout)` takes $\partial L/\partial z$ in the same shape and returns
the pair $(\partial L/\partial x,\ \partial L/\partial y)$. Neither method may change its arguments.
""",
        stub='''
class MyMultiply:
    def forward(self, x, y):
        """The product; remember here what backward will need."""
        raise NotImplementedError

    def backward(self, dout):
        """The gradients of x and of y."""
        raise NotImplementedError
''',
        hints=(
            "By how much does x·y grow when x grows by 1? Not by x.",
            "Keep x and y on `self` in `forward`. Each gradient is `dout` times the other one.",
        ),
        solution="""
class MyMultiply:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x
""",
        wrong=mistakes(r"""
? The two gradients are swapped: x gets dout times y, y gets dout times x.
- dout * self.y, dout * self.x >>> dout * self.x, dout * self.y
- self.x, self.y = x, y >>> self.y, self.x = x, y
? That is only the local derivative: multiply it by dout, which says what comes from further back.
- dout * self.y, dout * self.x >>> self.y, self.x
? `backward` must return two arrays: the gradient of x and that of y.
- dout * self.y, dout * self.x >>> dout * self.x * self.y
- dout * self.y, dout * self.x >>> dout * (self.x * self.y)
? `backward` returns one gradient only: that of y is wanted as well.
- dout * self.y, dout * self.x >>> dout * self.y
? `backward` adds the two gradients; they belong to different inputs: return the pair.
- dout * self.y, dout * self.x >>> dout * self.y + dout * self.x
? The memory is shared between two MyMultiply objects: what the second one saw in `forward` changes
  the gradient of the first. Keep it on `self`.
- self.x, self.y = x, y >>> MyMultiply.x, MyMultiply.y = x, y
? `forward` adds instead of multiplying.
- x * y >>> x + y
? A sum passes `dout` on as it is; a product passes it on times the other input.
- dout * self.y, dout * self.x >>> dout, dout
- x * y >>> x + y && dout * self.y, dout * self.x >>> dout, dout
? The gradients are right, but `forward` returns nothing.
-         return x * y >>>         x * y
? `backward` returns nothing: is a `return` missing?
- return dout >>> _ = dout
? The first batch is kept for ever: `forward` must remember what it was given last.
- self.x, self.y = x, y >>> self.x, self.y = vars(self).setdefault("kept", (x, y))
? A method changes its argument in place, for the caller too: return a new array instead.
- self.x, self.y = x, y >>> self.x, self.y = x + 0, y && return x * y >>> x *= y\n        return x
- return dout * self.y >>> g = dout * self.y\n        dout *= self.x\n        return g
& , dout * self.x >>> , dout
? `forward` changes x in place, and then remembers the changed x: return a new array.
- return x * y >>> x *= y\n        return x
? Both inputs get the same gradient; each gets `dout` times the *other* one.
- dout * self.y, dout * self.x >>> dout * self.y, dout * self.y
- dout * self.y, dout * self.x >>> (dout * self.y,) * 2
? Division is not the way back of a product: each gradient is `dout` times the other input.
- dout * self.y, dout * self.x >>> dout / self.y, dout / self.x
- dout * self.y, dout * self.x >>> dout / self.x, dout / self.y
? The gradients have the shape of x and y: there is nothing to be summed here.
- dout * self.y, dout * self.x >>> (dout * self.y).sum(), (dout * self.x).sum()
? The sign is turned around in `backward`.
- dout * self.y, dout * self.x >>> -dout * self.y, -dout * self.x
"""),
        cases=_multiply_cases,
        probe=through_layer,
        pure=True,
        closing="A product sends to each input what comes back, times the other input.",
    ),
    Exercise(
        name="04.relu",
        title="the ReLU layer",
        prompt=r"""
Write the layer $y = \max(x, 0)$ for an array of any shape. Its slope is 1 where $x > 0$, and 0
where $x \le 0$ (at exactly 0 we take 0, as PyTorch does). Neither method may change its argument.
""",
        stub='''
class MyReLU:
    def forward(self, x):
        """max(x, 0), in the shape of x."""
        raise NotImplementedError

    def backward(self, dout):
        """The gradient of x, in the same shape."""
        raise NotImplementedError
''',
        hints=(
            "`backward` must know where x was above 0: let `forward` remember a mask.",
            "`self.passes = x > 0` holds True and False; a product with it keeps or drops.",
        ),
        solution="""
class MyReLU:
    def forward(self, x):
        self.passes = x > 0
        return x * self.passes

    def backward(self, dout):
        return dout * self.passes
""",
        wrong=mistakes(r"""
? What passes depends on the sign of x, not of dout: remember it in `forward`.
- dout * self.passes >>> dout * (dout > 0)
class MyReLU:
    def forward(self, x):
        return (x + abs(x)) / 2

    backward = forward
? At exactly 0 the slope is 0 here, as in PyTorch: use x > 0.
- x > 0 >>> x >= 0
? At exactly 0 the slope is 0 here, not one half.
- return dout * self.passes >>> return dout * self.slope
& self.passes = x > 0 >>> self.passes = x > 0\n        self.slope = ((x > 0) * 0.5 + (x >= 0) * 0.5)
? A method changes its argument in place, for the caller too: return a new array instead.
- return x * self.passes >>> x[x < 0] = 0\n        return x
- return x * self.passes >>> x *= self.passes\n        return x
- return dout * self.passes >>> dout[~self.passes] = 0\n        return dout
- return dout * self.passes >>> dout *= self.passes\n        return dout
? That is only the local derivative: multiply it by dout.
- dout * self.passes >>> self.passes * 1.0
? `backward` lets everything pass, also where x was below 0.
- dout * self.passes >>> dout
? The slope is 1 where x > 0, not x itself.
- dout * self.passes >>> dout * self.out
& self.passes = x > 0 >>> self.passes = x > 0\n        self.out = x * (x > 0)
? `backward` applies the maximum again, to dout times the mask: negative gradients pass as well.
- dout * self.passes >>> dout * self.passes * (dout > 0)
? The gradient passes in the wrong half: where x was above 0 it passes.
- dout * self.passes >>> dout * ~self.passes
? `forward` gives the absolute value: below 0 the output is 0.
- x * self.passes >>> abs(x)
? `forward` keeps the negative numbers: keep the positive ones.
- return x * self.passes >>> return x * (x < 0)
- x > 0 >>> x < 0
? `forward` returns x as it is.
- return x * self.passes >>> return x
? `forward` returns the mask, ones and zeros: a positive x itself must come back.
- return x * self.passes >>> return self.passes * 1.0
? `forward` returns nothing: is a `return` missing?
- return x * self.passes >>> x * self.passes
? `backward` returns nothing: is a `return` missing?
- return dout >>> _ = dout
? The mask is shared between two MyReLU objects: what the second one saw in `forward` changes the
  gradient of the first. Keep it on `self`.
- self.passes = x > 0 >>> MyReLU.passes = x > 0
? The first batch's mask is kept for ever: remember a new one in each `forward`.
- self.passes = x > 0 >>> self.passes = getattr(self, "passes", x > 0)
& x * self.passes >>> x * (x > 0)
? That is a leaky ReLU: below 0 nothing passes here.
- x * self.passes >>> x * (self.passes + 0.01 * (x <= 0))
"""),
        cases=_relu_cases,
        probe=through_layer,
        pure=True,
        closing="Where x was above 0 the gradient passes unchanged; elsewhere it stops.",
    ),
    Exercise(
        name="04.affine_backward",
        title="the affine layer, backward",
        prompt=r"""
For $Y = XW + b$ with $X$ of shape (N, D), $W$ of shape (D, M) and $b$ of shape (M,), you get
`dout` $= \partial L/\partial Y$, shape (N, M). Return the three gradients `dX`, `dW`, `db`, each in
the shape of what it belongs to. The three arguments stay as they are.
""",
        stub='''
def my_affine_backward(X, W, dout):
    """dX, dW and db, in the shapes of X, W and b."""
    raise NotImplementedError
''',
        hints=(
            "Let the shapes guide you: dW (D, M) can be made of X (N, D) and dout (N, M) in only "
            "one way.",
            "Every sample uses the same b, so its gradient sums over the samples: over which axis?",
        ),
        solution="""
def my_affine_backward(X, W, dout):
    dX = dout @ W.T
    dW = X.T @ dout
    db = dout.sum(axis=0)
    return dX, dW, db
""",
        wrong=mistakes(r"""
? db is summed over the wrong axis: the samples are the rows, axis 0.
- axis=0 >>> axis=1
? db is averaged over the batch: sum; the 1/N is in the loss already.
- dout.sum(axis=0) >>> dout.mean(axis=0)
- dout.sum(axis=0) >>> dout.sum(axis=0) / len(X)
? dW is transposed: it has the shape of W, (D, M). Which factor is first?
- X.T @ dout >>> dout.T @ X
? dX is transposed: it has the shape of X.
- dout @ W.T >>> W @ dout.T
? db has shape (1, M), b has shape (M,): no keepdims here.
- axis=0 >>> axis=0, keepdims=True
? db has shape (M, 1), b has shape (M,).
- dout.sum(axis=0) >>> dout.sum(axis=0)[:, None]
? db is dout itself: sum it over the batch.
- dout.sum(axis=0) >>> dout
? db is a single number: sum over the samples only, axis 0.
- dout.sum(axis=0) >>> dout.sum()
? db does not depend on dout; it is the sum of its rows.
- dout.sum(axis=0) >>> dout[0] * 0 + 1
- dout.sum(axis=0) >>> dout[0] * 0 + len(dout)
- dout.sum(axis=0) >>> W[0] * 0
? dW is averaged over the batch: the 1/N is in the loss already.
- X.T @ dout >>> X.T @ dout / len(X)
? dW and db are averaged over the batch: the 1/N is in the loss already.
- X.T @ dout >>> X.T @ dout / len(X) && dout.sum(axis=0) >>> dout.mean(axis=0)
? All three are averaged over the batch: the 1/N is in the loss already.
- dout @ W.T >>> dout @ W.T / len(X) && X.T @ dout >>> X.T @ dout / len(X)
& dout.sum(axis=0) >>> dout.mean(axis=0)
? The three come in another order: dX, dW, db is wanted.
- return dX, dW, db >>> return dW, dX, db
- return dX, dW, db >>> return dW, db, dX
- return dX, dW, db >>> return db, dW, dX
? dX alone comes back: return three arrays, dX, dW, db.
- return dX, dW, db >>> return dX
? db is missing: return three arrays, dX, dW, db.
- return dX, dW, db >>> return dX, dW
? dX is the local derivative alone: `dout` must come into it.
- dout @ W.T >>> dout * 0 @ W.T + W.sum(1)
? An argument is filled with its gradient in place, for the caller too: return new arrays.
- dW = X.T @ dout >>> W[:] = X.T @ dout\n    dW = W
"""),
        cases=_affine_cases,
        pure=True,
        closing="All three gradients have the shapes of what they belong to, and autograd's "
        "values.",
    ),
    Exercise(
        name="04.logits_gradient",
        title="softmax with loss, backward",
        prompt=r"""
The loss is the cross-entropy of the softmax, averaged over a batch. Return its gradient with
respect to the logits, shape (N, C): $(p - t)/N$, where $p$ are the probabilities and $t$ the
one-hot labels. `labels` comes in one of two kinds: N class indices, shape (N,), or one-hot rows,
shape (N, C). Both arguments stay as they are.

The logits may be large, like 1000: shift each row by its maximum.
""",
        stub='''
def my_logits_gradient(logits, labels):
    """The gradient of the mean cross-entropy, in the shape of logits."""
    raise NotImplementedError
''',
        hints=(
            "First p, row by row: `axis=1` and `keepdims=True`. Then look at `labels.ndim`.",
            "For indices, subtract 1 in row i at column labels[i]: `p[np.arange(N), labels] -= 1`.",
        ),
        solution="""
def my_logits_gradient(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    N = len(logits)
    if labels.ndim == 1:
        p[np.arange(N), labels] -= 1
    else:
        p = p - labels
    return p / N
""",
        wrong=mistakes(r"""
? Correct for the sum of the losses; for their mean divide by the number of samples, N.
- return p / N >>> return p
? Divide by the number of samples N, not by all N·C entries.
- return p / N >>> return p / logits.size
? Divide by the number of samples N, not by the number of classes.
- return p / N >>> return p / logits.shape[1]
? The sign is turned round: it is p − t.
- return p / N >>> return -p / N
? The softmax runs over the wrong axis: each row must sum to 1.
- logits.max(axis=1, keepdims=True) >>> logits.max(axis=0)
& .sum(axis=1, keepdims=True) >>> .sum(axis=0)
- .sum(axis=1, keepdims=True) >>> .sum(axis=0)
- logits.max(axis=1, keepdims=True) >>> logits.max(axis=0) && / N >>> / 1
& .sum(axis=1, keepdims=True) >>> .sum(axis=0)
? The softmax is taken over all entries at once: each row must sum to 1.
- logits.max(axis=1, keepdims=True) >>> logits.max() && .sum(axis=1, keepdims=True) >>> .sum()
- .sum(axis=1, keepdims=True) >>> .sum()
? `p[:, labels] -= 1` subtracts in every row; only row i, column labels[i] is meant.
- p[np.arange(N), labels] >>> p[:, labels]
? The labels play no part: subtract the one-hot labels from p.
- p[np.arange(N), labels] -= 1 >>> p = p && p = p - labels >>> p = p
? These are the probabilities: subtract the one-hot labels, divide by N.
- p[np.arange(N), labels] -= 1 >>> p = p && p = p - labels >>> p = p && p / N >>> p
? With indices it is right, with one-hot labels of shape (N, C) not: look at `labels.ndim`.
- if labels.ndim == 1: >>> if True:
& p[np.arange(N), labels] >>> p[np.arange(N), np.array(labels.T, int)]
- labels.ndim == 1 >>> True && [np.arange(N), labels] >>> [np.arange(N), np.array(labels, int)]
- if labels.ndim == 1: >>> if True: && p = p - labels >>> pass
? With one-hot labels it is right, with indices of shape (N,) not: look at `labels.ndim`.
- if labels.ndim == 1:\n        p[np.arange(N), labels] -= 1\n    else:\n        p = p >>> p = p
? For large logits exp overflows: subtract each row's own maximum first.
- logits - logits.max(axis=1, keepdims=True) >>> logits
- logits.max(axis=1, keepdims=True) >>> logits.mean(axis=1, keepdims=True)
- logits.max(axis=1, keepdims=True) >>> logits.min(axis=1, keepdims=True)
- logits.max(axis=1, keepdims=True) >>> logits[:, :1]
? Where one row's logits are far below another's, they all vanish: subtract each row's own maximum,
  not that of the whole batch.
- logits.max(axis=1, keepdims=True) >>> logits.max()
? The function changes its arguments: work on a copy.
- shifted = logits - logits >>> shifted = logits\n    shifted -= logits
? t is not divided by N: the 1/N belongs to p and t, (p − t)/N.
- p[np.arange(N), labels] -= 1 >>> p[np.arange(N), labels] -= N && p - labels >>> p - N * labels
? That is the gradient with respect to the probabilities; go on through the softmax.
- p[np.arange(N), labels] -= 1 >>> p = -np.eye(p.shape[1])[labels] / p
& p = p - labels >>> p = -labels / p
? 1 is added at the label's place; it is to be subtracted.
- -= 1 >>> += 1 && p - labels >>> p + labels
? All comes from the logits themselves; first turn them into probabilities, row by row.
- p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True) >>> p = logits.copy()
? One number is no gradient: it has the shape of the logits.
- return p / N >>> return p.mean()
- return p / N >>> return p.sum() / N
"""),
        cases=_logits_cases,
        pure=True,
        closing="Probability minus label, shared among the samples: it is what PyTorch computes.",
        examples=(("my_logits_gradient(np.array([[0.0, 0.0]]), np.array([0]))", "[[-0.5, 0.5]]"),),
    ),
    *TOOLS,
)
