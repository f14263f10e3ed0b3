"""Chapter 03: the gradients of a network by hand, and a bent line from ReLUs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _gradient_cases(r: np.random.Generator) -> Iterator[Case]:
    for N, D, H in ((4, 2, 3), (3, 3, 3), (2, 1, 1), (1, 2, 2), (5, 3, 4)):
        shapes = ((N, D), (N, 1), (D, H), (H,), (H, 1), (1,))
        values = [r.normal(size=shape) for shape in shapes]
        yield case(*values, label=f"of a {D}-{H}-1 network and {N} samples")


def _polyline_cases(r: np.random.Generator) -> Iterator[Case]:
    square = np.linspace(-3, 3, 7)
    yield case(np.array([0.0, 2.0, 4.0]), np.array([1.0, 3.0]), np.array([5.0, 1.0]))
    for knots, heights in (
        ([0.0, 1.0, 3.0], [0.0, 2.0, 0.0]),
        ([0.5, 1.0, 3.0, 3.5], [2.0, -1.0, 4.0, 4.5]),
        (square, square**2),
        (np.cumsum(r.uniform(0.3, 1.5, 6)) - 3, r.normal(size=6)),
    ):
        x = r.permutation(np.linspace(knots[0] - 1.5, knots[-1] + 1.5, 13))
        yield case(np.append(x, knots), np.array(knots), np.array(heights))


SLOPES = (
    Exercise(
        name="03.gradients",
        title="the gradients of another network",
        prompt=r"""
Take the network of section 6 and change two things: the hidden layer uses tanh, and the output
has no activation. So $A = \tanh(XW_1 + b_1)$, $\hat Y = AW_2 + b_2$, and the loss is
$L = \frac{1}{N}\sum (\hat Y - Y)^2$ with $\hat Y$ and $Y$ of shape $(N, 1)$. Return the four
gradients `dW1, db1, dW2, db2`, each in the shape of its parameter. Do it by hand; autograd may
confirm it. The arguments are arrays and stay as they are.
""",
        stub='''
def my_gradients(X, Y, W1, b1, W2, b2):
    """dW1, db1, dW2, db2 of the mean squared error."""
    raise NotImplementedError
''',
        hints=(
            "G2 = ∂L/∂Z2 loses its factor ŷ(1 − ŷ): the output has no activation. What is left?",
            "G1 = (G2 @ W2.T) times the slope of tanh, 1 − A². The rest is as in the chapter.",
        ),
        solution="""
def my_gradients(X, Y, W1, b1, W2, b2):
    A = np.tanh(X @ W1 + b1)
    Y_hat = A @ W2 + b2
    G2 = 2 * (Y_hat - Y) / len(X)
    G1 = (G2 @ W2.T) * (1 - A**2)
    return X.T @ G1, G1.sum(axis=0), A.T @ G2, G2.sum(axis=0)
""",
        wrong=mistakes(r"""
? A·(1 − A) is the slope of the sigmoid; with tanh it is 1 − A².
- (1 - A**2) >>> A * (1 - A)
? The hidden layer is still a sigmoid; here it is tanh.
- np.tanh(X @ W1 + b1) >>> 1 / (1 + np.exp(-(X @ W1 + b1))) && (1 - A**2) >>> A * (1 - A)
- np.tanh(X @ W1 + b1) >>> 1 / (1 + np.exp(-(X @ W1 + b1)))
? The 1/N of the mean is missing.
-  / len(X) >>> 
? The 2 from the square is missing.
- 2 * (Y_hat - Y) >>> (Y_hat - Y)
? The slope of tanh is missing from G1.
-  * (1 - A**2) >>> 
? 1 − A² takes the output A of tanh as it is: not the sum before it, and no tanh of A.
- (1 - A**2) >>> (1 - (X @ W1 + b1)**2)
- (1 - A**2) >>> (1 - np.tanh(A)**2)
? A bias gradient is a sum over the samples; the 1/N stands in G2 already.
- G1.sum(axis=0) >>> G1.mean(axis=0) && G2.sum(axis=0) >>> G2.mean(axis=0)
- G1.sum(axis=0) >>> G1.mean(axis=0)
- G2.sum(axis=0) >>> G2.mean(axis=0)
? The output has no activation here, so G2 has no factor such as Ŷ·(1 − Ŷ) or 1 − Ŷ².
- 2 * (Y_hat - Y) / >>> 2 * (Y_hat - Y) * Y_hat * (1 - Y_hat) /
- 2 * (Y_hat - Y) / >>> 2 * (Y_hat - Y) * (1 - Y_hat**2) /
? The sign is turned around: the derivative of (Ŷ − Y)² is 2(Ŷ − Y).
- (Y_hat - Y) >>> (Y - Y_hat)
? The output goes through an activation; here it has none.
- Y_hat = A @ W2 + b2 >>> Y_hat = np.tanh(A @ W2 + b2)
- Y_hat = A @ W2 + b2 >>> Y_hat = 1 / (1 + np.exp(-(A @ W2 + b2)))
? The order is dW1, db1, dW2, db2.
- X.T @ G1, G1.sum(axis=0), A.T @ G2, G2.sum(axis=0) >>> A.T @ G2, G2.sum(axis=0), X.T @ G1, G1.sum(axis=0)
- X.T @ G1, G1.sum(axis=0), A.T @ G2 >>> X.T @ G1, A.T @ G2, G1.sum(axis=0)
? Each gradient has the shape of its parameter: a bias has one dimension.
- G1.sum(axis=0) >>> G1.sum(axis=0, keepdims=True) && G2.sum(axis=0) >>> G2.sum(axis=0, keepdims=True)
- G1.sum(axis=0) >>> G1.sum(axis=0, keepdims=True)
- G2.sum(axis=0) >>> G2.sum(axis=0, keepdims=True)
- G2.sum(axis=0) >>> G2.sum()
? The gradient of a bias is summed over the samples, dimension 0.
- G1.sum(axis=0) >>> G1.sum() && G2.sum(axis=0) >>> G2.sum()
- G1.sum(axis=0) >>> G1 && G2.sum(axis=0) >>> G2
? A bias is missing in the forward pass: both layers add theirs.
- X @ W1 + b1 >>> X @ W1 && A @ W2 + b2 >>> A @ W2
- X @ W1 + b1 >>> X @ W1
- A @ W2 + b2 >>> A @ W2
? Those are the parameters after a step; wanted are the gradients.
- return X.T @ G1, G1.sum(axis=0), A.T @ G2, G2.sum(axis=0) >>> return W1 - X.T @ G1, b1 - G1.sum(axis=0), W2 - A.T @ G2, b2 - G2.sum(axis=0)
? Divide by N, the number of samples, not by the number of inputs or hidden units.
- len(X) >>> X.shape[1]
- len(X) >>> len(W2)
"""),
        cases=_gradient_cases,
        pure=True,
        closing="All four agree with autograd. That is backpropagation, and chapter 04 makes it a "
        "habit.",
    ),
    Exercise(
        name="03.polyline",
        title="a bent line from ReLUs",
        prompt=r"""
Build, without any training, a sum of ReLUs whose graph goes through given points: arrays `knots`
$k_0 < k_1 < \dots < k_m$ and `heights` $h_0, \dots, h_m$, both of shape $(m+1,)$, with $m$ at least
1. Between the knots the graph is straight; outside, the first and the last piece go on. Start with
the first straight line and add one ReLU for each inner knot: $c_i\,\max(0, x - k_i)$, where $c_i$
is the *change* of the slope there. The arguments stay as they are.
""",
        stub='''
def my_polyline(x, knots, heights):
    """Heights at the points x of shape (N,): shape (N,)."""
    raise NotImplementedError
''',
        hints=(
            "`np.diff(heights) / np.diff(knots)` holds the slopes of the m pieces.",
            "At knot i the slope changes by slopes[i] − slopes[i − 1], for i from 1 to m − 1.",
        ),
        solution="""
def my_polyline(x, knots, heights):
    slopes = np.diff(heights) / np.diff(knots)
    y = heights[0] + slopes[0] * (x - knots[0])
    for i in range(1, len(slopes)):
        y = y + (slopes[i] - slopes[i - 1]) * np.maximum(0, x - knots[i])
    return y
""",
        wrong=mistakes(r"""
? Each ReLU must have the *change* of the slope as its factor, not the slope itself.
- (slopes[i] - slopes[i - 1]) >>> slopes[i]
? Outside the knots the first and the last piece must go on as straight lines.
def my_polyline(x, knots, heights):
    return np.interp(x, knots, heights)
- (x - knots[0]) >>> np.maximum(0, x - knots[0])
- return y >>> return np.where(x > knots[-1], heights[-1], y)
? The height of the first knot is missing: begin at heights[0].
- heights[0] +  >>> 
? The first line is measured from the first knot: slope times (x − knots[0]).
- slopes[0] * (x - knots[0]) >>> slopes[0] * x
? Your line never bends: a ReLU for each inner knot is missing.
- range(1, len(slopes)) >>> range(1, 1)
- np.maximum(0, x - knots[i]) >>> (x - knots[i])
? The last inner knot has no ReLU: the last bend is missing.
- len(slopes)) >>> len(slopes) - 1)
? The first line is missing: it begins at heights[0] and has the slope of the first piece.
- heights[0] + slopes[0] * (x - knots[0]) >>> 0 * x
- heights[0] + slopes[0] * (x - knots[0]) >>> heights[0]
? A ReLU lets pass what lies to the right of its knot: max(0, x − k), not max(0, k − x).
- np.maximum(0, x - knots[i]) >>> np.maximum(0, knots[i] - x)
? The change of the slope is the new slope minus the old one.
- slopes[i] - slopes[i - 1] >>> slopes[i - 1] - slopes[i]
? A slope is a difference of heights divided by the difference of *its* knots.
-  / np.diff(knots) >>> 
- np.diff(knots) >>> (knots[1] - knots[0])
- np.diff(knots) >>> np.diff(knots).mean()
? Only the first line is there, or each ReLU replaces what was before: add them up.
- y = y + (slopes >>> y = (slopes
? A ReLU is missing: the factors multiply a step, 0 or 1, and not max(0, x − k).
- np.maximum(0, x - knots[i]) >>> np.heaviside(x - knots[i], 0)
? The ReLUs stand one knot off: the slope changes at knots[i], between the pieces i − 1 and i.
- x - knots[i]) >>> x - knots[i - 1])
- x - knots[i]) >>> x - knots[i + 1])
"""),
        cases=_polyline_cases,
        pure=True,
        closing="Every bend is one ReLU: a network with m hidden units can bend a line m times.",
        examples=(
            (
                "my_polyline(np.array([-2, 0.5, 3]), np.array([-1, 0, 1]), np.array([1, 0, 1]))",
                "[2.0, 0.5, 3.0]",
            ),
        ),
    ),
)
