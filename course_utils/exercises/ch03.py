"""Chapter 03, neurons and networks: a gate, softmax, slopes, a forward pass, gradients, bends.

What the learner reads stands here; how the answers are judged, in ``judges03.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges03 as judges

SETUP = "import numpy as np"

_NOR = """
def my_nor():
    return -1.0, -1.0, 0.5
""".strip()

_SOFTMAX = """
def my_softmax(z):
    shifted = z - z.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    return e / e.sum(axis=-1, keepdims=True)
""".strip()

_TANH_SLOPE = """
def my_tanh_slope(y):
    return 1 - y**2
""".strip()

_FORWARD = """
def my_forward(X, layers):
    A = X
    for W, b in layers[:-1]:
        A = 1 / (1 + np.exp(-(A @ W + b)))
    W, b = layers[-1]
    return A @ W + b
""".strip()

_GRADIENTS = """
def my_gradients(X, T, W1, b1, W2, b2):
    A = np.tanh(X @ W1 + b1)
    Y = A @ W2 + b2
    D2 = 2 * (Y - T) / len(X)
    D1 = (D2 @ W2.T) * (1 - A**2)
    return X.T @ D1, D1.sum(axis=0), A.T @ D2, D2.sum(axis=0)
""".strip()

_POLYLINE = """
def my_polyline(x, knots, heights):
    slopes = np.diff(heights) / np.diff(knots)
    y = heights[0] + slopes[0] * (x - knots[0])
    for i in range(1, len(slopes)):
        y = y + (slopes[i] - slopes[i - 1]) * np.maximum(0, x - knots[i])
    return y
""".strip()

EXERCISES = (
    Exercise(
        name="03.nor",
        title="one more gate",
        prompt="""
A NOR gate fires only where *neither* input is on: (0, 0) gives 1, the three other points give 0.
Return three numbers `w1, w2, b` with which one neuron (output 1 where $w_1x_1 + w_2x_2 + b > 0$,
else 0) is a NOR gate.
""",
        answer="my_nor",
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
        solution=_NOR,
        wrong=(
            (variant(_NOR, ("-1.0, -1.0, 0.5", "1.0, 1.0, -0.5")), "That is OR"),
            (variant(_NOR, ("-1.0, -1.0, 0.5", "-1.0, -1.0, 1.5")), "That is NAND"),
            (variant(_NOR, ("0.5", "0.0")), "exactly 0"),
            (variant(_NOR, ("-1.0, -1.0, 0.5", "-1.0, 0.0, 0.5")), "fires for (0, 1)"),
        ),
        checker=judges.check_nor,
    ),
    Exercise(
        name="03.softmax",
        title="a softmax that survives large numbers",
        prompt=r"""
Write the softmax $y_k = e^{z_k} / \sum_j e^{z_j}$. `z` is one sample of shape $(K,)$ or a batch of
shape $(N, K)$; each sample is normalised by itself. It must survive 1010, 1000, 990, and must not
change its argument. (The example is rounded to four decimals.)
""",
        answer="my_softmax",
        stub='''
def my_softmax(z):
    """Probabilities in the shape of z."""
    raise NotImplementedError
''',
        hints=(
            "Subtract the largest score of each sample before you take the exponential.",
            "`axis=-1, keepdims=True`, for the maximum and for the sum, serves both shapes.",
        ),
        solution=_SOFTMAX,
        wrong=(
            (variant(_SOFTMAX, (" - z.max(axis=-1, keepdims=True)", "")), "overflow"),
            (
                variant(
                    _SOFTMAX,
                    ("z.max(axis=-1, keepdims=True)", "z.max()"),
                    ("e.sum(axis=-1, keepdims=True)", "e.sum()"),
                ),
                "whole batch",
            ),
            (
                _SOFTMAX.replace("axis=-1", "axis=0"),
                "columns sum to 1",
            ),
            (
                variant(_SOFTMAX, ("z.max(axis=-1, keepdims=True)", "z.max()")),
                "its own largest score",
            ),
        ),
        checker=judges.check_softmax,
        examples=(("my_softmax(np.array([1010.0, 1000.0, 990.0]))", "[1.0, 0.0, 0.0]"),),
    ),
    Exercise(
        name="03.tanh_slope",
        title="the slope of tanh, from its output",
        prompt=r"""
The derivative of the sigmoid can be written with its *output*: $y(1-y)$. The hyperbolic tangent
$y = \tanh z = \sinh z / \cosh z$ has such a form too, with $\sinh z = (e^z-e^{-z})/2$ and
$\cosh z = (e^z+e^{-z})/2$. Its derivative with respect to $z$ is $1/\cosh^2 z$, and
$\cosh^2 z - \sinh^2 z = 1$. Find it: the argument is the output `y`, not `z`.
""",
        answer="my_tanh_slope",
        stub='''
def my_tanh_slope(y):
    """dy/dz for y = tanh(z), an array in the shape of y."""
    raise NotImplementedError
''',
        hints=(
            "Divide cosh² − sinh² = 1 by cosh², and remember that tanh = sinh / cosh.",
            "It gives 1 − tanh² z = 1 / cosh² z. What is tanh z called here?",
        ),
        solution=_TANH_SLOPE,
        wrong=(
            (variant(_TANH_SLOPE, ("y**2", "np.tanh(y) ** 2")), "y is the output already"),
            (variant(_TANH_SLOPE, ("1 - y**2", "y * (1 - y)")), "slope of the sigmoid"),
            (variant(_TANH_SLOPE, ("1 - y**2", "1 / np.cosh(y) ** 2")), "y is the output already"),
            (variant(_TANH_SLOPE, ("y**2", "y")), "square"),
        ),
        checker=judges.check_tanh_slope,
        examples=(("my_tanh_slope(np.array([0.0, 0.5, -0.5]))", "[1.0, 0.75, 0.75]"),),
    ),
    Exercise(
        name="03.forward",
        title="a forward pass through any number of layers",
        prompt=r"""
`layers` is a list of pairs `(W, b)`: $W$ of shape (inputs, outputs) and $b$ of shape (outputs,).
Each layer computes $AW + b$. Put a sigmoid after every layer but the last, which gives its sums as
they are. `X` has the shape $(N, \text{inputs})$ or, for one sample, (inputs,).
""",
        answer="my_forward",
        stub='''
def my_forward(X, layers):
    """The sums of the last layer, shape (N, outputs) or (outputs,)."""
    raise NotImplementedError
''',
        hints=(
            "Start with `A = X` and replace A in a loop over the layers.",
            "Loop over `layers[:-1]` with the sigmoid; then apply `layers[-1]` without it.",
        ),
        solution=_FORWARD,
        wrong=(
            (
                variant(
                    _FORWARD,
                    ("    return A @ W + b", "    return 1 / (1 + np.exp(-(A @ W + b)))"),
                ),
                "sums of the last layer",
            ),
            (variant(_FORWARD, ("1 / (1 + np.exp(-(A @ W + b)))", "A @ W + b")), "stay linear"),
            (variant(_FORWARD, ("(A @ W + b)))", "(A @ W)))")), "biases"),
            (variant(_FORWARD, ("np.exp(-(", "np.exp((")), "minus"),
        ),
        checker=judges.check_forward,
    ),
    Exercise(
        name="03.gradients",
        title="the gradients of another network",
        prompt=r"""
Take the network of section 5 and change two things: the hidden layer uses tanh, and the output
has no activation. So $A = \tanh(XW_1 + b_1)$, $Y = AW_2 + b_2$, and the loss is
$L = \frac{1}{N}\sum (Y - T)^2$ with $Y$ and $T$ of shape $(N, 1)$. Return the four gradients
`dW1, db1, dW2, db2`, each in the shape of its parameter. Do it by hand; autograd may
confirm it.
""",
        answer="my_gradients",
        stub='''
def my_gradients(X, T, W1, b1, W2, b2):
    """dW1, db1, dW2, db2 of the mean squared error."""
    raise NotImplementedError
''',
        hints=(
            "D2 = ∂L/∂Z2 loses its factor y(1 − y): the output has no activation. What is left?",
            "D1 = (D2 @ W2.T) times the slope of tanh, 1 − A². The rest is as in the chapter.",
        ),
        solution=_GRADIENTS,
        wrong=(
            (variant(_GRADIENTS, ("(1 - A**2)", "A * (1 - A)")), "slope of the sigmoid"),
            (variant(_GRADIENTS, (" / len(X)", "")), "1/N"),
            (
                variant(
                    _GRADIENTS,
                    ("D1.sum(axis=0)", "D1.mean(axis=0)"),
                    ("D2.sum(axis=0)", "D2.mean(axis=0)"),
                ),
                "sum over the samples",
            ),
            (variant(_GRADIENTS, (" * (1 - A**2)", "")), "slope of tanh is missing"),
        ),
        checker=judges.check_gradients,
    ),
    Exercise(
        name="03.polyline",
        title="a bent line from ReLUs",
        prompt=r"""
Build, without any training, a sum of ReLUs whose graph goes through given points: `knots`
$k_0 < k_1 < \dots < k_m$ and `heights` $h_0, \dots, h_m$, both of shape $(m+1,)$. Between the knots
the graph is straight; outside, the first and the last piece go on. Start with the first straight
line and add one ReLU for each inner knot: $c_i\,\max(0, x - k_i)$, where $c_i$ is the *change* of
the slope there.
""",
        answer="my_polyline",
        stub='''
def my_polyline(x, knots, heights):
    """Heights at the points x of shape (N,): shape (N,)."""
    raise NotImplementedError
''',
        hints=(
            "`np.diff(heights) / np.diff(knots)` holds the slopes of the m pieces.",
            "At knot i the slope changes by slopes[i] − slopes[i − 1], for i from 1 to m − 1.",
        ),
        solution=_POLYLINE,
        wrong=(
            (variant(_POLYLINE, ("(slopes[i] - slopes[i - 1])", "slopes[i]")), "the *change*"),
            (
                "def my_polyline(x, knots, heights):\n    return np.interp(x, knots, heights)",
                "Outside the knots",
            ),
            (variant(_POLYLINE, ("heights[0] + ", "")), "height of the first knot"),
            (variant(_POLYLINE, ("range(1, len(slopes))", "range(1, 1)")), "never bends"),
        ),
        checker=judges.check_polyline,
        examples=(
            (
                "my_polyline(np.array([-2, 0.5, 3]), np.array([-1, 0, 1]), np.array([1, 0, 1]))",
                "[2.0, 0.5, 3.0]",
            ),
        ),
    ),
)
