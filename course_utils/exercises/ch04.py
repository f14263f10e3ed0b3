"""Chapter 04, backpropagation: four backward passes, a tool that finds the wrong one, one more op.

What the learner reads stands here; how the answers are judged, in ``judges04.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges04 as judges

# The notebook builds its own `Scalar`; the package's does the same.
SETUP = (
    "import numpy as np\nfrom course_utils import scalar_autograd\nScalar = scalar_autograd.Scalar"
)

_MULTIPLY = """
class MyMultiply:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x
""".strip()

_RELU = """
class MyReLU:
    def forward(self, x):
        self.passes = x > 0
        return x * self.passes

    def backward(self, dout):
        return dout * self.passes
""".strip()

_AFFINE = """
def my_affine_backward(X, W, dout):
    dX = dout @ W.T
    dW = X.T @ dout
    db = dout.sum(axis=0)
    return dX, dW, db
""".strip()

_LOGITS = """
def my_logits_gradient(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    N = len(logits)
    if labels.ndim == 1:
        p[np.arange(N), labels] -= 1
    else:
        p = p - labels
    return p / N
""".strip()

_WORST = """
def my_worst_entry(f, X, grad, h=1e-4):
    apart = np.zeros(X.shape)
    for index in np.ndindex(X.shape):
        above, below = X.copy(), X.copy()
        above[index] += h
        below[index] -= h
        measured = (f(above) - f(below)) / (2 * h)
        apart[index] = abs(measured - grad[index])
    return np.unravel_index(np.argmax(apart), X.shape)
""".strip()

_DIVIDE = """
def my_divide(a, b):
    value = a.value / b.value
    return Scalar(value, ((a, 1 / b.value), (b, -a.value / b.value**2)), "/")
""".strip()

EXERCISES = (
    Exercise(
        name="04.multiply",
        title="the multiply layer",
        prompt=r"""
Write a layer for $z = x\,y$, entry by entry. `forward(x, y)` takes two arrays of one shape and
returns their product. `backward(dout)` takes $\partial L/\partial z$ in the same shape and returns
the pair $(\partial L/\partial x,\ \partial L/\partial y)$.
""",
        answer="MyMultiply",
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
        solution=_MULTIPLY,
        wrong=(
            (
                variant(
                    _MULTIPLY, ("dout * self.y, dout * self.x", "dout * self.x, dout * self.y")
                ),
                "two gradients are swapped",
            ),
            (
                variant(_MULTIPLY, ("dout * self.y, dout * self.x", "self.y, self.x")),
                "only the local derivative",
            ),
            (
                variant(_MULTIPLY, ("dout * self.y, dout * self.x", "dout * self.x * self.y")),
                "must return two arrays",
            ),
            (_MULTIPLY.replace("self.x", "MyMultiply.x"), "shared between two MyMultiply objects"),
        ),
        checker=judges.check_multiply,
    ),
    Exercise(
        name="04.relu",
        title="the ReLU layer",
        prompt=r"""
Write the layer $y = \max(x, 0)$ for an array of any shape. Its slope is 1 where $x > 0$, and 0
where $x \le 0$ (at exactly 0 we take 0, as PyTorch does). Neither method may change its argument.
""",
        answer="MyReLU",
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
        solution=_RELU,
        wrong=(
            (
                variant(_RELU, ("return dout * self.passes", "return dout * (dout > 0)")),
                "depends on the sign of x, not of dout",
            ),
            (variant(_RELU, ("self.passes = x > 0", "self.passes = x >= 0")), "At exactly 0"),
            (
                variant(
                    _RELU,
                    ("        return x * self.passes", "        x[x < 0] = 0\n        return x"),
                ),
                "changes its argument",
            ),
            (
                variant(_RELU, ("return dout * self.passes", "return self.passes * 1.0")),
                "only the local derivative",
            ),
        ),
        checker=judges.check_relu,
    ),
    Exercise(
        name="04.affine_backward",
        title="the affine layer, backward",
        prompt=r"""
For $Y = XW + b$ with $X$ of shape (N, D), $W$ of shape (D, M) and $b$ of shape (M,), you get
`dout` $= \partial L/\partial Y$, shape (N, M). Return the three gradients `dX`, `dW`, `db`, each in
the shape of what it belongs to.
""",
        answer="my_affine_backward",
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
        solution=_AFFINE,
        wrong=(
            (variant(_AFFINE, ("axis=0", "axis=1")), "summed over the wrong axis"),
            (
                variant(_AFFINE, ("dout.sum(axis=0)", "dout.mean(axis=0)")),
                "averaged over the batch",
            ),
            (variant(_AFFINE, ("X.T @ dout", "dout.T @ X")), "transposed"),
            (variant(_AFFINE, ("axis=0", "axis=0, keepdims=True")), "shape (1,"),
        ),
        checker=judges.check_affine_backward,
    ),
    Exercise(
        name="04.logits_gradient",
        title="softmax with loss, backward",
        prompt=r"""
The loss is the cross-entropy of the softmax, averaged over a batch. Return its gradient with
respect to the logits, shape (N, C): $(p - t)/N$, where $p$ are the probabilities and $t$ the
one-hot labels. `labels` comes in one of two kinds: N class indices, shape (N,), or one-hot rows,
shape (N, C).

The logits may be large, like 1000: shift each row by its maximum.
""",
        answer="my_logits_gradient",
        stub='''
def my_logits_gradient(logits, labels):
    """The gradient of the mean cross-entropy, in the shape of logits."""
    raise NotImplementedError
''',
        hints=(
            "First p, row by row: `axis=1` and `keepdims=True`. Then look at `labels.ndim`.",
            "For indices, subtract 1 in row i at column labels[i]: `p[np.arange(N), labels] -= 1`.",
        ),
        solution=_LOGITS,
        wrong=(
            (variant(_LOGITS, ("return p / N", "return p")), "divide by the number of samples"),
            (
                variant(_LOGITS, ("p[np.arange(N), labels] -= 1", "p[:, labels] -= 1")),
                "in every row",
            ),
            (
                variant(
                    _LOGITS,
                    ("    if labels.ndim == 1:\n        p[", "    p["),
                    (" -= 1\n    else:\n        p = p - labels", " -= 1"),
                ),
                "one-hot",
            ),
            (
                variant(_LOGITS, ("logits.max(axis=1, keepdims=True)", "0 * logits.max()")),
                "overflow",
            ),
        ),
        checker=judges.check_logits_gradient,
        examples=(("my_logits_gradient(np.array([[0.0, 0.0]]), np.array([0]))", "[[-0.5, 0.5]]"),),
    ),
    Exercise(
        name="04.worst_entry",
        title="where is the gradient wrong?",
        prompt=r"""
A gradient check that only says "wrong" leaves you searching. Write one that says **where**:
measure the gradient of `f` at `X` with central differences, and return the index, as a tuple, of
the entry in which `grad` is farthest from it (largest absolute difference).
`f` takes an array of the shape of `X` and returns a number; `X` may have any number of
dimensions and must stay as it is.
""",
        answer="my_worst_entry",
        stub='''
def my_worst_entry(f, X, grad, h=1e-4):
    """Index of the entry in which grad differs most from the measured gradient: a tuple."""
    raise NotImplementedError
''',
        hints=(
            "`np.ndindex(X.shape)` runs over all indices. Nudge a *copy* of X by h to either side.",
            "`np.argmax` of the absolute differences counts through the flattened array; "
            "`np.unravel_index(k, X.shape)` turns that number into an index.",
        ),
        solution=_WORST,
        wrong=(
            (
                variant(
                    _WORST, ("np.unravel_index(np.argmax(apart), X.shape)", "np.argmax(apart)")
                ),
                "a position in the flattened array",
            ),
            (
                variant(_WORST, ("abs(measured - grad[index])", "measured - grad[index]")),
                "too large",
            ),
            (
                variant(
                    _WORST, ("above, below = X.copy(), X.copy()", "above, below = X, X.copy()")
                ),
                "changes X",
            ),
            (variant(_WORST, ("h=1e-4", "h=1e-50")), "lost in rounding"),
        ),
        checker=judges.check_worst_entry,
    ),
    Exercise(
        name="04.divide",
        title="teach the autograd to divide",
        prompt=r"""
`Scalar` cannot divide yet. Write $a / b$ for two `Scalar` objects: a new `Scalar` with the right
value that hangs on `a` and `b`, so that `backward` finds both of them with the right slopes.
""",
        answer="my_divide",
        stub='''
def my_divide(a, b):
    """The quotient of two Scalar objects, as a Scalar that remembers both."""
    raise NotImplementedError
''',
        hints=(
            "`Scalar(value, inputs, op)`: the inputs are pairs (node, local derivative).",
            "The derivatives of a/b are 1/b with respect to a, and −a/b² with respect to b.",
        ),
        solution=_DIVIDE,
        wrong=(
            (variant(_DIVIDE, ("(b, -a.value", "(b, a.value")), "minus sign"),
            (variant(_DIVIDE, ("b.value**2", "b.value")), "square"),
            (
                "def my_divide(a, b):\n    return Scalar(a.value / b.value)",
                "hangs on nothing",
            ),
            ("def my_divide(a, b):\n    return a.value / b.value", "plain number"),
        ),
        checker=judges.check_divide,
    ),
)
