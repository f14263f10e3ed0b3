"""Chapter 04, backpropagation: three ways back; more in ``ch04_softmax`` and ``ch04_tools``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from course_utils.exercises.ch04_softmax import EXERCISES as SOFTMAX
from course_utils.exercises.ch04_tools import EXERCISES as TOOLS
from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.probes import through_layer

OTHER_SLOPE = 0.3  # of the second object, which the first one must not notice


def _divide_cases(r: np.random.Generator) -> Iterator[Case]:
    def batch(shape: tuple[int, ...]) -> tuple[list, np.ndarray]:
        x, y, G = (r.uniform(0.5, 3, shape) * r.choice([-1, 1], shape) for _ in range(3))
        if len(shape) == 2:  # nothing can be worked out from the quotient and one of its parts
            x[0, 0] = 0
        return [x, y], G

    for shape, other in (((3,), (3,)), ((2, 2), (3, 2)), ((2, 3, 4), (1,))):
        yield case(batch(shape), batch(other), label=f"with arrays of shape {shape}")


def _leaky(answer: Callable, slope: float | None, *batches: Any) -> dict[str, Any]:
    """`through_layer`, for two objects with slopes of their own; None is the stub's default."""
    settings = iter(({} if slope is None else {"slope": slope}, {"slope": OTHER_SLOPE}))
    return through_layer(lambda: partial(answer, **next(settings))(), *batches)


def _leaky_cases(r: np.random.Generator) -> Iterator[Case]:
    z, G = np.array([2.0, -1.0, 0.5, -3.0]), np.array([-1.0, 2.0, 3.0, -4.0])
    zeros = np.array([0.0, 1.0, -1.0, 0.0, 0.03, -0.03])
    behind = np.array([5.0, 6.0, 7.0, -2.0, -4.0, 3.0])
    yield case(0.5, ([z], G), ([zeros], behind), label=f"with slope 0.5 and z = {z.tolist()}")
    yield case(None, ([z], G), ([z], G), label="without a slope, so with 0.01")
    yield case(0.2, ([zeros], behind), ([z], G), label=f"with slope 0.2, z = {zeros.tolist()}")
    for slope, shape, other in ((0.1, (2, 3), (4, 3)), (1.5, (2, 1, 3, 2), (5,)), (0, (6,), (2,))):
        one, two = (([r.normal(size=s) * 20], r.normal(size=s) * 5) for s in (shape, other))
        yield case(slope, one, two, label=f"with slope {slope} and an array of shape {shape}")


def _affine_cases(r: np.random.Generator) -> Iterator[Case]:
    for N, T, D, M in (
        (2, 2, 1, 1), (2, 3, 4, 5), (4, 1, 3, 2), (1, 5, 2, 3), (3, 3, 3, 3), (2, 4, 3, 1),
        (1, 1, 2, 4), (5, 2, 2, 2),
    ):  # fmt: skip
        yield case(r.normal(size=(N, T, D)), r.normal(size=(D, M)), r.normal(size=(N, T, M)))


EXERCISES = (
    Exercise(
        name="04.quotient",
        title="the divide layer",
        prompt=r"""
Write a layer for the quotient $x / y$, entry by entry. `forward(x, y)` takes two arrays of one
shape (no entry of `y` is 0) and returns their quotient. `backward(G)` takes the gradient with
respect to the quotient, in the same shape, and returns the pair
$(\partial L/\partial x,\ \partial L/\partial y)$. Neither method may change its arguments.
""",
        stub='''
class MyDivide:
    def forward(self, x, y):
        """The quotient x / y; remember here what backward will need."""
        raise NotImplementedError

    def backward(self, G):
        """The gradients of x and of y."""
        raise NotImplementedError
''',
        hints=(
            "Two local derivatives: x / y with respect to x while y stays, and with respect to y "
            "while x stays. The second one is negative where x is positive.",
            "They are 1/y and −x/y². Each gradient is `G` times one of them.",
        ),
        solution="""
class MyDivide:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x / y

    def backward(self, G):
        return G / self.y, -G * self.x / self.y**2
""",
        wrong=mistakes(r"""
? The two gradients are swapped: that of x comes first.
- return G / self.y, -G * self.x / self.y**2 >>> return -G * self.x / self.y**2, G / self.y
? The minus sign in the gradient of y is missing: 1/y falls where y grows.
- -G * self.x >>> G * self.x
? The local derivative along y has y² below, not y.
- self.y**2 >>> self.y
? x is missing in the gradient of y: its local derivative is −x/y².
- -G * self.x / self.y**2 >>> -G / self.y**2
? That is only the local derivative: multiply it by G, which says what comes from further back.
- return G / self.y, -G * self.x / self.y**2 >>> return 1 / self.y, -self.x / self.y**2
? The gradient of y is right; the local derivative along x is 1/y.
- return G / self.y, >>> return G * self.y,
- return G / self.y, >>> return G / self.x,
- return G / self.y, >>> return G,
? Those are the gradients of a product; a quotient has 1/y and −x/y² as its local derivatives.
- return G / self.y, -G * self.x / self.y**2 >>> return G * self.y, G * self.x
? `backward` returns one gradient only: that of y is wanted as well.
- return G / self.y, -G * self.x / self.y**2 >>> return G / self.y
? `backward` adds the two gradients; they belong to different inputs: return the pair.
- return G / self.y, -G >>> return G / self.y + -G
? The gradient of y is squared as a whole: in −x/y² only y is squared.
- -G * self.x / self.y**2 >>> -G * (self.x / self.y) ** 2
? The memory is shared between two MyDivide objects: what the second one saw in `forward` changes
  the gradient of the first. Keep it on `self`.
- self.x, self.y = x, y >>> MyDivide.x, MyDivide.y = x, y
? `forward` multiplies instead of dividing.
- return x / y >>> return x * y
? `forward` divides the other way round: x / y is wanted.
- return x / y >>> return y / x
? `forward` rounds the quotient down: `/` keeps the fraction.
- return x / y >>> return x // y
? The gradients are right, but `forward` returns nothing.
-         return x / y >>>         x / y
? `backward` returns nothing: is a `return` missing?
- return G / self.y, >>> _ = G / self.y,
? The first batch is kept for ever: `forward` must remember what it was given last.
- self.x, self.y = x, y >>> self.x, self.y = vars(self).setdefault("kept", (x, y))
? A method changes its argument in place, for the caller too: return a new array instead.
- self.x, self.y = x, y >>> self.x, self.y = x + 0, y && return x / y >>> x /= y\n        return x
- return G / self.y >>> g = G / self.y\n        G *= -1\n        return g
& , -G >>> , G
? `forward` changes x in place, and then remembers the changed x: return a new array.
- return x / y >>> x /= y\n        return x
? Both inputs get the same gradient; each has a local derivative of its own.
- -G * self.x / self.y**2 >>> G / self.y
- return G / self.y, >>> return -G * self.x / self.y**2,
? The gradients have the shape of x and y: there is nothing to be summed here.
- return G / self.y, -G * self.x / self.y**2 >>> return (G / self.y).sum(), (-G * self.x / self.y**2).sum()
? The sign of both gradients is turned around.
- return G / self.y, -G >>> return -G / self.y, G
"""),
        cases=_divide_cases,
        probe=through_layer,
        pure=True,
        closing="A quotient needs both inputs on its way back, each with a slope of its own.",
    ),
    Exercise(
        name="04.leaky_relu",
        title="a ReLU that leaks",
        prompt=r"""
*Leaky ReLU* lets a little through below 0: $a = z$ where $z > 0$, and $a = s\,z$ where $z \le 0$.
The number $s$ is `slope`, 0 or more. Its derivative is 1 where $z > 0$, and $s$ where $z \le 0$ (at
exactly 0 we take $s$, as PyTorch does). Write it as a layer for arrays of any shape. Neither method
may change its argument.
""",
        stub='''
class MyLeakyReLU:
    def __init__(self, slope=0.01):
        raise NotImplementedError

    def forward(self, z):
        """z where it is above 0, else slope · z; in the shape of z."""
        raise NotImplementedError

    def backward(self, G):
        """The gradient of z, in the same shape."""
        raise NotImplementedError
''',
        hints=(
            "`backward` must know where z was above 0: let `forward` remember it.",
            "`np.where(z > 0, 1, slope)` holds the local derivative of every entry. What are the "
            "output and the gradient, written with it?",
        ),
        solution="""
class MyLeakyReLU:
    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, z):
        self.local = (z > 0) + self.slope * (z <= 0)
        return z * self.local

    def backward(self, G):
        return G * self.local
""",
        wrong=mistakes(r"""
? That is the plain ReLU: below 0 a part of z passes, and a part of the gradient.
- + self.slope * (z <= 0) >>> + 0 * (z <= 0)
? `forward` leaks, `backward` does not: below 0 the gradient passes times the slope.
- return G * self.local >>> return G * self.above
& self.local = >>> self.above = (z > 0) * 1.0\n        self.local =
? `backward` leaks, `forward` does not: below 0 the output is the slope times z.
- return z * self.local >>> return z * (z > 0)
? At exactly 0 the derivative is the slope here, as in PyTorch.
- (z > 0) + self.slope * (z <= 0) >>> (z >= 0) + self.slope * (z < 0)
? At exactly 0 the derivative is the slope here; yours is 0.
- self.slope * (z <= 0) >>> self.slope * (z < 0)
? `slope` plays no part: 0.01 is only its default.
- self.slope = slope >>> self.slope = 0.01
? What passes depends on the sign of z, not of G: remember it in `forward`.
- return G * self.local >>> return G * ((G > 0) + self.slope * (G <= 0))
? That is only the local derivative: multiply it by G.
- return G * self.local >>> return self.local
? The halves are exchanged: the slope counts where z is 0 or below.
- (z > 0) + self.slope * (z <= 0) >>> (z <= 0) + self.slope * (z > 0)
? `forward` gives the slope itself below 0; it is the slope times z.
- return z * self.local >>> return z * (z > 0) + self.slope * (z <= 0)
? Below 0 the sign is turned around: the slope times z is negative there, and its derivative positive.
- + self.slope * (z <= 0) >>> - self.slope * (z <= 0)
? `forward` turns negative numbers into positive ones: the slope times z is negative there.
- return z * self.local >>> return abs(z) * self.local
? The maximum of z and slope · z is right for slopes up to 1 only; here the slope may be larger.
- self.local = (z > 0) + self.slope * (z <= 0) >>> first = z > self.slope * z\n        self.local = first + self.slope * ~first
? `backward` multiplies by the local derivative twice.
- return G * self.local >>> return G * self.local**2
? `backward` lets everything pass, also where z was below 0.
- return G * self.local >>> return G
? `backward` multiplies everything by the slope, also where z was above 0.
- return G * self.local >>> return G * self.slope
? The derivative is 1 or the slope, not the output itself.
- return z * self.local >>> self.out = z * self.local\n        return self.out
& return G * self.local >>> return G * self.out
? A method changes its argument in place, for the caller too: return a new array instead.
- return z * self.local >>> z *= self.local\n        return z
- return G * self.local >>> G *= self.local\n        return G
? The memory is shared between two MyLeakyReLU objects: what the second one saw in `forward` changes
  the gradient of the first. Keep it on `self`.
- self.local = >>> MyLeakyReLU.local =
? All MyLeakyReLU objects have the slope of the one that was made last. Keep it on `self`.
- self.slope = slope >>> MyLeakyReLU.slope = slope
? What the first batch was like is kept for ever: remember it anew in each `forward`.
- self.local = (z > 0) >>> local = (z > 0) && return z * self.local >>> self.local = vars(self).get("local", local)\n        return z * local
? `forward` returns z as it is.
- return z * self.local >>> return z
? `forward` returns the local derivative: it has to be multiplied by z.
- return z * self.local >>> return self.local
? `forward` returns nothing: is a `return` missing?
- return z * self.local >>> z * self.local
? `backward` returns nothing: is a `return` missing?
- return G * self.local >>> G * self.local
? The leak is added everywhere: above 0 the output is z and nothing more.
- (z > 0) + self.slope * (z <= 0) >>> (z > 0) + self.slope
"""),
        cases=_leaky_cases,
        probe=_leaky,
        pure=True,
        closing="A unit that is off for every sample still gets a gradient, and may come back.",
    ),
    Exercise(
        name="04.sequence",
        title="an affine layer for sequences",
        prompt=r"""
Each of $N$ samples is a *sequence* of $T$ places with $D$ numbers each, and the same affine layer
works at every place: $Y = XW + b$ with $X$ of shape (N, T, D), $W$ (D, M), $b$ (M,). You get
`G` $= \partial L/\partial Y$, shape (N, T, M). Return `dX`, `dW`, `db`, each in the shape of what it
belongs to. The arguments stay as they are.
""",
        stub='''
def my_affine_backward(X, W, G):
    """dX, dW and db, in the shapes of X, W and b."""
    raise NotImplementedError
''',
        hints=(
            "W and b are used by every sample at every place. How many uses is that, and what "
            "happens to the gradients of several uses?",
            "Lay all places in one long list: X becomes (N·T, D), G (N·T, M). Then it is the "
            "layer of the chapter.",
        ),
        solution="""
def my_affine_backward(X, W, G):
    D, M = W.shape
    dX = G @ W.T
    dW = X.reshape(-1, D).T @ G.reshape(-1, M)
    db = G.sum(axis=(0, 1))
    return dX, dW, db
""",
        wrong=mistakes(r"""
? db is summed over the samples only: every place uses b as well.
- axis=(0, 1) >>> axis=0
? db is summed over the places only: every sample uses b as well.
- axis=(0, 1) >>> axis=1
? db is summed over the wrong axes: samples and places are axes 0 and 1.
- axis=(0, 1) >>> axis=(1, 2)
- axis=(0, 1) >>> axis=(0, 2)
- axis=(0, 1) >>> axis=2
- axis=(0, 1) >>> axis=-1
? db is a single number: sum over samples and places, axes 0 and 1.
- G.sum(axis=(0, 1)) >>> G.sum()
? db is averaged: sum; the 1/N is in the loss already.
- G.sum(axis=(0, 1)) >>> G.mean(axis=(0, 1))
? db is averaged over the samples: sum; the 1/N is in the loss already.
- G.sum(axis=(0, 1)) >>> G.sum(axis=(0, 1)) / len(X)
? db is averaged over the places: sum over them.
- G.sum(axis=(0, 1)) >>> G.sum(axis=(0, 1)) / X.shape[1]
? db has the shape (1, 1, M), b has shape (M,): no keepdims here.
- axis=(0, 1) >>> axis=(0, 1), keepdims=True
? db is G itself: sum it over samples and places.
- G.sum(axis=(0, 1)) >>> G
? dW holds a matrix for each sample: all samples use the same W, so sum over them.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X.swapaxes(1, 2) @ G
? dW holds a matrix for each place: all places use the same W, so sum over them.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X.swapaxes(0, 1).swapaxes(1, 2) @ G.swapaxes(0, 1)
? dW is averaged over the samples: sum; the 1/N is in the loss already.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X.reshape(-1, D).T @ G.reshape(-1, M) / len(X)
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> (X.swapaxes(1, 2) @ G).mean(0)
? dW and db are averaged over the samples: sum; the 1/N is in the loss already.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X.reshape(-1, D).T @ G.reshape(-1, M) / len(X)
& G.sum(axis=(0, 1)) >>> G.sum(axis=(0, 1)) / len(X)
? dW and db are averaged over all places of all samples: sum; the 1/N is in the loss already.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X.reshape(-1, D).T @ G.reshape(-1, M) / X[..., 0].size
& G.sum(axis=(0, 1)) >>> G.mean(axis=(0, 1))
? dW is transposed: it has the shape of W, (D, M). Which factor is first?
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> G.reshape(-1, M).T @ X.reshape(-1, D)
? `reshape` does not transpose: it reads on in the old order, so the numbers are mixed up. Use `.T`.
- X.reshape(-1, D).T >>> X.reshape(D, -1)
? Only the first sample counts in dW: every sample uses W.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X[0].T @ G[0]
? Only the last sample counts in dW: every sample uses W, so the parts add up.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X[-1].T @ G[-1]
? Only the last place counts in dW: every place uses W, so the parts add up.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X[:, -1].T @ G[:, -1]
? In dW the places are added up before the product: multiply place by place, then add.
- X.reshape(-1, D).T @ G.reshape(-1, M) >>> X.sum(1).T @ G.sum(1)
? dX has shape (N·T, D): give it the shape of X again.
- dX = G @ W.T >>> dX = G.reshape(-1, M) @ W.T
? dX is summed over the places; it has the shape of X.
- dX = G @ W.T >>> dX = G.sum(1) @ W.T
? dX is averaged over the samples: nothing is divided here.
- dX = G @ W.T >>> dX = G @ W.T / len(X)
? The three come in another order: dX, dW, db is wanted.
- return dX, dW, db >>> return dW, dX, db
- return dX, dW, db >>> return dW, db, dX
- return dX, dW, db >>> return db, dW, dX
? dX alone comes back: return three arrays, dX, dW, db.
- return dX, dW, db >>> return dX
? db is missing: return three arrays, dX, dW, db.
- return dX, dW, db >>> return dX, dW
? An argument is filled with its gradient in place, for the caller too: return new arrays.
- db = >>> W[:] = dW\n    dW = W\n    db =
"""),
        cases=_affine_cases,
        pure=True,
        closing="Samples and places are uses alike: every one of them adds to dW and db.",
    ),
    *SOFTMAX,
    *TOOLS,
)
