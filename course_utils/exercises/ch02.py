"""Chapter 02, autograd: slopes by nudging, by the chain rule and by `backward`, and their use.

What the learner reads stands here; how the answers are judged, in ``judges02.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges02 as judges

SETUP = "import numpy as np\nimport torch"

_SHARPER = """
def my_sharper_gradient(f, X, h=0.01):
    X = np.array(X, dtype=float)
    gradient = np.zeros_like(X)
    for index in np.ndindex(X.shape):
        old = X[index]
        total = 0.0
        for step, weight in ((2, -1), (1, 8), (-1, -8), (-2, 1)):
            X[index] = old + step * h
            total += weight * f(X)
        X[index] = old
        gradient[index] = total / (12 * h)
    return gradient
""".strip()

_LAST_LINES = "    f(x).backward()\n    return x.grad.item()"  # of the slope

_CHAIN_RULE = """
def my_neuron_gradients(w, b, x, target):
    error = w * x + b - target
    return 2 * error * x, 2 * error
""".strip()

_SLOPE = """
def my_slope(f, x):
    x = torch.tensor(float(x), requires_grad=True)
    f(x).backward()
    return x.grad.item()
""".strip()

_DESCEND = """
def my_descend(grad, start, lr, num_steps):
    x = start
    path = [x]
    for _ in range(num_steps):
        x = x - lr * grad(x)
        path.append(x)
    return path
""".strip()

_FIT_LINE = """
def my_fit_line(x, y, lr, num_steps):
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    w = torch.tensor(0.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    for _ in range(num_steps):
        loss = ((w * x + b - y) ** 2).mean()
        w.grad = b.grad = None
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
    return w.item(), b.item()
""".strip()

_JACOBIAN = """
def my_jacobian(f, x):
    x = x.detach().clone().requires_grad_()
    y = f(x)
    rows = []
    for i in range(len(y)):
        v = torch.zeros_like(y)
        v[i] = 1.0
        x.grad = None
        y.backward(v, retain_graph=True)
        rows.append(x.grad)
    return torch.stack(rows)
""".strip()

EXERCISES = (
    Exercise(
        name="02.slope",
        title="a slope in three lines",
        prompt="""
`f` takes a tensor and returns a tensor, both with a single number. Return the slope of `f` at the
number `x`, as a number, and let autograd do the work. `x` may be an `int`.
""",
        answer="my_slope",
        stub='''
def my_slope(f, x):
    """The derivative of f at the number x."""
    raise NotImplementedError
''',
        hints=(
            "Make a tensor out of x that asks for a gradient, call f with it, then call backward.",
            "Only floats can carry a gradient: `torch.tensor(float(x), requires_grad=True)`. After "
            "`backward()` the slope is in the `.grad` of that tensor.",
        ),
        solution=_SLOPE,
        wrong=(
            (
                variant(_SLOPE, (_LAST_LINES, "    return f(x)")),
                "value of f",
            ),
            (
                variant(
                    _SLOPE,
                    (_LAST_LINES, "    return f(x).backward()"),
                ),
                "`backward()` itself returns nothing",
            ),
            (variant(_SLOPE, (", requires_grad=True", "")), "requires_grad=True"),
            (variant(_SLOPE, ("float(x)", "x")), "whole number"),
        ),
        checker=judges.check_slope,
        examples=(("my_slope(lambda x: x**2 + 3 * x + 1, 2)", "7.0"),),
    ),
    Exercise(
        name="02.chain_rule",
        title="the chain rule by hand",
        prompt=r"""
A neuron answers $\hat y = w x + b$ (all numbers). Its loss is $L = (\hat y - t)^2$ with the target
$t$. Work out $\partial L/\partial w$ and $\partial L/\partial b$ on paper, and return the two, in
this order, without autograd.
""",
        answer="my_neuron_gradients",
        stub='''
def my_neuron_gradients(w, b, x, target):
    """(dL/dw, dL/db), two numbers."""
    raise NotImplementedError
''',
        hints=(
            "Three links: how L changes with ŷ, how ŷ changes with w, how ŷ changes with b.",
            "dL/dŷ = 2 (ŷ − t). One more w changes ŷ by x, one more b changes it by 1.",
        ),
        solution=_CHAIN_RULE,
        wrong=(
            (
                variant(_CHAIN_RULE, ("2 * error * x, 2 * error", "error * x, error")),
                "factor 2 is missing",
            ),
            (variant(_CHAIN_RULE, ("error * x", "error")), "one more w changes ŷ by x"),
            (variant(_CHAIN_RULE, ("w * x + b - target", "target - w * x - b")), "sign"),
            (variant(_CHAIN_RULE, ("error * x", "error * w")), "derivative with respect to x"),
        ),
        checker=judges.check_chain_rule,
        examples=(("my_neuron_gradients(1.0, 0.5, 2.0, 3.0)", "[-2.0, -1.0]"),),
    ),
    Exercise(
        name="02.sharper_gradient",
        title="a sharper numerical gradient",
        prompt=r"""
Four points are better than two. For a function of one variable

$$f'(x) \approx \frac{-f(x+2h) + 8f(x+h) - 8f(x-h) + f(x-2h)}{12h}$$

has an error that falls with $h^4$. Write the gradient with this formula, for an array `X` of *any*
shape, one entry at a time. The result has the shape of `X`. `f` takes an array and returns a
number. `X` may hold integers, and it must be unchanged afterwards.
""",
        answer="my_sharper_gradient",
        stub='''
def my_sharper_gradient(f, X, h=0.01):
    """The gradient of f at X by the four-point formula, an array of the shape of X."""
    raise NotImplementedError
''',
        hints=(
            "Start from the chapter's `numerical_gradient`: only the calls of f and the last line "
            "change.",
            "Set the entry to old + 2h, old + h, old − h and old − 2h in turn, always from `old`, "
            "and put it back before you go on to the next entry.",
        ),
        solution=_SHARPER,
        wrong=(
            (
                variant(
                    _SHARPER,
                    ("(2, -1), (1, 8), (-1, -8), (-2, 1)", "(1, 6), (-1, -6)"),
                ),
                "two-point formula",
            ),
            (variant(_SHARPER, ("        X[index] = old\n", "")), "put the entry back"),
            (variant(_SHARPER, ("np.array(X, dtype=float)", "np.array(X)")), "cut off"),
            (
                variant(
                    _SHARPER,
                    ("for index in np.ndindex(X.shape)", "for index in range(len(X))"),
                    ("old = X[index]", "old = X[index].copy()"),
                ),
                "whole row",
            ),
        ),
        checker=judges.check_sharper_gradient,
        examples=(
            (
                "my_sharper_gradient(lambda X: (X**3).sum(), [[1, 2], [3, 4]])",
                "[[3.0, 12.0], [27.0, 48.0]]",
            ),
        ),
    ),
    Exercise(
        name="02.descend",
        title="gradient descent that leaves the start alone",
        prompt=r"""
Walk downhill: $x \leftarrow x - \eta\,\nabla f(x)$, `num_steps` times, with the learning rate
$\eta$ = `lr`. `grad(x)` gives the gradient, `start` is an array. Return the list of **all** points,
the start and the point after each step: `num_steps + 1` arrays. `start` must be unchanged
afterwards.
""",
        answer="my_descend",
        stub='''
def my_descend(grad, start, lr, num_steps):
    """The points on the way, start included: a list of num_steps + 1 arrays."""
    raise NotImplementedError
''',
        hints=(
            "A list that begins with the start, and a loop that appends one new point per step.",
            "`x = x - lr * grad(x)` makes a new array. `x -= …` changes the old one, which is also "
            "in your list, and is the caller's `start`.",
        ),
        solution=_DESCEND,
        wrong=(
            (variant(_DESCEND, ("x = x - lr", "x -= lr")), "`start` was changed"),
            (
                variant(_DESCEND, ("x = start", "x = start + 0.0"), ("x = x - lr", "x -= lr")),
                "same array",
            ),
            (variant(_DESCEND, ("x - lr", "x + lr")), "uphill"),
            (variant(_DESCEND, ("path = [x]", "path = []")), "start itself is missing"),
        ),
        checker=judges.check_descend,
        examples=(
            (
                "my_descend(lambda x: 2 * x, np.array([5.0]), 0.1, 3)",
                "[[5.0], [4.0], [3.2], [2.56]]",
            ),
        ),
    ),
    Exercise(
        name="02.fit_line",
        title="fit a line with autograd",
        prompt=r"""
Fit $\hat y = w x + b$ to points by gradient descent with autograd. `x` and `y` have shape (N,).
Start with $w = b = 0$. In each of the `num_steps` steps compute the *mean* of the squared errors
over the points, call `backward`, and move both parameters by $-\eta$ times their gradient. Return
`(w, b)`.
""",
        answer="my_fit_line",
        stub='''
def my_fit_line(x, y, lr, num_steps):
    """(w, b) after num_steps steps of gradient descent on the mean squared error."""
    raise NotImplementedError
''',
        hints=(
            "The order in the loop: loss, clear the old gradients, backward, then both updates.",
            "The updates stand in `with torch.no_grad():` and change in place: `w -= lr * w.grad`. "
            "Clearing is `w.grad = None`, the same for b.",
        ),
        solution=_FIT_LINE,
        wrong=(
            (variant(_FIT_LINE, ("        w.grad = b.grad = None\n", "")), "never cleared"),
            (
                variant(_FIT_LINE, ("        with torch.no_grad():", "        if True:")),
                "with torch.no_grad():",
            ),
            (variant(_FIT_LINE, (".mean()", ".sum()")), "sum of the squared errors"),
            (
                variant(
                    _FIT_LINE,
                    ("        with torch.no_grad():\n", ""),
                    ("            w -= lr", "        w = w - lr"),
                    ("            b -= lr", "        b = b - lr"),
                ),
                "no leaf",
            ),
        ),
        checker=judges.check_fit_line,
        examples=(("my_fit_line([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], 0.2, 200)", "[2.0, 1.0]"),),
    ),
    Exercise(
        name="02.jacobian",
        title="a whole Jacobian, row by row",
        prompt=r"""
`f` takes a tensor `x` of shape (n,) and returns a tensor of shape (m,). Return its Jacobian, shape
(m, n), with $J_{ij} = \partial y_i / \partial x_j$. One call of `backward(v)` gives one
vector–Jacobian product $v^\top J$. Choose $v$ such that it is row $i$.
""",
        answer="my_jacobian",
        stub='''
def my_jacobian(f, x):
    """The Jacobian of f at x, shape (m, n)."""
    raise NotImplementedError
''',
        hints=(
            "With v = (1, 0, 0, …) the product is the first row. One backward for each output.",
            "Between two calls set `x.grad = None`, and keep the graph: "
            "`y.backward(v, retain_graph=True)`.",
        ),
        solution=_JACOBIAN,
        wrong=(
            (variant(_JACOBIAN, ("        x.grad = None\n", "")), "never cleared"),
            (variant(_JACOBIAN, (", retain_graph=True", "")), "retain_graph=True"),
            (variant(_JACOBIAN, ("torch.stack(rows)", "torch.stack(rows, dim=1)")), "transposed"),
            (
                variant(
                    _JACOBIAN,
                    ("v[i] = 1.0", "v[:] = 1.0"),
                    ("torch.stack(rows)", "rows[0]"),
                ),
                "sum of its rows",
            ),
        ),
        checker=judges.check_jacobian,
        examples=(
            (
                "my_jacobian(lambda x: x**2 + x.sum(), torch.tensor([1.0, 2.0]))",
                "[[3.0, 1.0], [1.0, 5.0]]",
            ),
        ),
    ),
)
