"""Chapter 08, gradient descent and batch size: count, bound, cut into batches, descend, stop.

What the learner reads stands here; how the answers are judged, in ``judges08.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges08 as judges

SETUP = "import numpy as np"

_UPDATES = """
def my_num_updates(num_images, batch_size, num_epochs):
    return num_epochs * -(-num_images // batch_size)
""".strip()

_MAX_LR = """
def my_max_lr(A):
    return 2 / np.linalg.eigvalsh(np.asarray(A, dtype=float)).max()
""".strip()

_SCALED_LR = """
def my_scaled_lr(lr, batch_size, new_batch_size, max_lr):
    return min(lr * new_batch_size / batch_size, max_lr)
""".strip()

_BATCHES = """
def my_batches(X, y, batch_size, rng):
    order = rng.permutation(len(y))
    batches = []
    for start in range(0, len(y), batch_size):
        chosen = order[start : start + batch_size]
        batches.append((X[chosen], y[chosen]))
    return batches
""".strip()

_DESCENT = """
def my_descent(w, batches, lr):
    for X, y in batches:
        error = X @ w - y
        w = w - lr * 2 * X.T @ error / len(y)
    return w
""".strip()

_STOPPING = """
class MyEarlyStopping:
    def __init__(self, patience):
        self.patience = patience
        self.best_loss, self.best_epoch = float("inf"), 0
        self.epoch = 0

    def update(self, val_loss):
        self.epoch += 1
        if val_loss < self.best_loss:
            self.best_loss, self.best_epoch = val_loss, self.epoch
        return self.epoch - self.best_epoch >= self.patience
""".strip()

EXERCISES = (
    Exercise(
        name="08.updates",
        title="how many updates is that?",
        prompt="""
A training set has `num_images` images. How many updates are made in `num_epochs` epochs with
mini-batches of `batch_size`? The last mini-batch of an epoch may be smaller, and every epoch
starts with a fresh one.
""",
        answer="my_num_updates",
        stub='''
def my_num_updates(num_images, batch_size, num_epochs):
    """Number of updates, a whole number."""
    raise NotImplementedError
''',
        hints=(
            "Count the mini-batches of one epoch first: 10 images in batches of 4 are 4 + 4 + 2.",
            "That is num_images / batch_size, rounded up. `math.ceil` does it, or "
            "`-(-a // b)` with whole numbers alone.",
        ),
        solution=_UPDATES,
        wrong=(
            (
                variant(_UPDATES, ("-(-num_images // batch_size)", "(num_images // batch_size)")),
                "last, smaller mini-batch is missing",
            ),
            (
                variant(
                    _UPDATES,
                    (
                        "num_epochs * -(-num_images // batch_size)",
                        "-(-num_images * num_epochs // batch_size)",
                    ),
                ),
                "run on across the epochs",
            ),
            (
                variant(_UPDATES, ("-(-num_images // batch_size)", "num_images / batch_size")),
                "whole number",
            ),
            (variant(_UPDATES, ("num_epochs * ", "")), "of one epoch only"),
        ),
        checker=judges.check_updates,
        examples=(("my_num_updates(1257, 64, 10)", "200"),),
    ),
    Exercise(
        name="08.max_lr",
        title="the largest stable learning rate",
        prompt=r"""
For the quadratic loss $L(w) = \tfrac12 w^\top A w$ with a symmetric matrix $A$ of shape (n, n),
all of whose eigenvalues are positive, return the bound that the learning rate of gradient descent
must stay below.
""",
        answer="my_max_lr",
        stub='''
def my_max_lr(A):
    """The learning rate from which on gradient descent no longer converges."""
    raise NotImplementedError
''',
        hints=(
            "The steepest direction decides. What is its curvature called in section 1.3?",
            "`np.linalg.eigvalsh(A)` gives the eigenvalues of a symmetric matrix, in ascending "
            "order.",
        ),
        solution=_MAX_LR,
        wrong=(
            (variant(_MAX_LR, ("2 /", "1 /")), "only half of the bound"),
            (variant(_MAX_LR, (".max()", ".min()")), "flattest direction"),
            (
                variant(
                    _MAX_LR,
                    ("np.linalg.eigvalsh(np.asarray(A, dtype=float)).max()", "np.diag(A).max()"),
                ),
                "diagonal",
            ),
            (variant(_MAX_LR, (".max()", ".sum()")), "sum of the eigenvalues"),
        ),
        checker=judges.check_max_lr,
        examples=(("my_max_lr([[2.0, 1.0], [1.0, 2.0]])", "0.6667"),),
    ),
    Exercise(
        name="08.scaled_lr",
        title="a rate for another batch size",
        prompt="""
`lr` works well with `batch_size`. Which rate does the linear scaling rule give for
`new_batch_size`? It must not exceed `max_lr`, beyond which training is known to break.
""",
        answer="my_scaled_lr",
        stub='''
def my_scaled_lr(lr, batch_size, new_batch_size, max_lr):
    """The learning rate for new_batch_size, at most max_lr."""
    raise NotImplementedError
''',
        hints=(
            "Twice the batch, twice the rate.",
            "`min(a, b)` is the smaller of two numbers.",
        ),
        solution=_SCALED_LR,
        wrong=(
            (
                variant(_SCALED_LR, ("new_batch_size / batch_size", "batch_size / new_batch_size")),
                "the wrong way",
            ),
            (
                variant(
                    _SCALED_LR,
                    ("new_batch_size / batch_size", "(new_batch_size / batch_size) ** 0.5"),
                ),
                "square root",
            ),
            (
                variant(
                    _SCALED_LR,
                    (
                        "min(lr * new_batch_size / batch_size, max_lr)",
                        "lr * new_batch_size / batch_size",
                    ),
                ),
                "max_lr",
            ),
            (variant(_SCALED_LR, ("min(", "max(")), "the larger"),
        ),
        checker=judges.check_scaled_lr,
        examples=(
            ("my_scaled_lr(0.05, 16, 64, max_lr=0.5)", "0.2"),
            ("my_scaled_lr(0.05, 16, 1024, max_lr=0.5)", "0.5"),
        ),
    ),
    Exercise(
        name="08.batches",
        title="cut an epoch into mini-batches",
        prompt="""
Return the mini-batches of one epoch as a list of pairs `(X_batch, y_batch)`. Each sample appears
exactly once, in a random order drawn from the NumPy generator `rng`; only the last batch may be
smaller. `X` has shape (N, D) and `y` shape (N,). They must stay as they are.
""",
        answer="my_batches",
        stub='''
def my_batches(X, y, batch_size, rng):
    """A list of pairs (X_batch, y_batch)."""
    raise NotImplementedError
''',
        hints=(
            "Draw one order for both: `rng.permutation(len(y))` gives the numbers 0 … N − 1, "
            "shuffled.",
            "Slices of that order, `order[start : start + batch_size]`, index X and y alike.",
        ),
        solution=_BATCHES,
        wrong=(
            (variant(_BATCHES, ("rng.permutation(len(y))", "np.arange(len(y))")), "same order"),
            (
                variant(_BATCHES, ("y[chosen]))", "y[rng.permutation(len(y))][chosen]))")),
                "no longer belong together",
            ),
            (
                variant(
                    _BATCHES,
                    (
                        "range(0, len(y), batch_size)",
                        "range(0, len(y) - batch_size + 1, batch_size)",
                    ),
                ),
                "missing",
            ),
            (
                variant(
                    _BATCHES,
                    ("rng.permutation(len(y))", "rng.integers(0, len(y), len(y))"),
                ),
                "more than once",
            ),
        ),
        checker=judges.check_batches,
    ),
    Exercise(
        name="08.descent",
        title="mini-batch gradient descent",
        prompt=r"""
Fit a line by one pass over mini-batches. For each `(X, y)` of `batches`, with X of shape (B, D) and
y of shape (B,), the loss is the *mean* squared error, $L(w) = \frac1B \lVert Xw - y\rVert^2$ with
the gradient $\frac2B X^\top (Xw - y)$. Make one update per batch, each from where the last one
ended, and return the final `w` of shape (D,). The `w` that comes in must stay as it is.
""",
        answer="my_descent",
        stub='''
def my_descent(w, batches, lr):
    """w after one gradient step for each mini-batch."""
    raise NotImplementedError
''',
        hints=(
            "One loop over the batches; inside it the error `X @ w - y`, of shape (B,), and a "
            "step.",
            "`w = w - lr * gradient` makes a new array. `w -= …` would change the one that came "
            "in.",
        ),
        solution=_DESCENT,
        wrong=(
            (variant(_DESCENT, (" / len(y)", "")), "summed over the batch"),
            (variant(_DESCENT, ("lr * 2 *", "lr *")), "factor 2"),
            (variant(_DESCENT, ("w = w - lr", "w -= lr")), "changes its `w`"),
            (
                variant(
                    _DESCENT,
                    ("    for X", "    start = w\n    for X"),
                    ("error = X @ w", "error = X @ start"),
                ),
                "where the last one ended",
            ),
        ),
        checker=judges.check_descent,
    ),
    Exercise(
        name="08.stopping",
        title="stop in time",
        prompt="""
Write early stopping. After every epoch `update(val_loss)` is called. It remembers the lowest loss
in `best_loss` and its epoch (counted from 1) in `best_epoch`, and returns True as soon as
`patience` epochs in a row have brought no new lowest loss, otherwise False. An equal loss is no
improvement.
""",
        answer="MyEarlyStopping",
        stub='''
class MyEarlyStopping:
    def __init__(self, patience):
        self.patience = patience
        self.best_loss, self.best_epoch = float("inf"), 0

    def update(self, val_loss):
        """Note the loss of one more epoch; True when it is time to stop."""
        raise NotImplementedError
''',
        hints=(
            "You need one more attribute: which epoch is it now?",
            "Stop when `epoch - best_epoch >= patience`.",
        ),
        solution=_STOPPING,
        wrong=(
            (variant(_STOPPING, (">= self.patience", "> self.patience")), "one epoch too late"),
            (
                variant(
                    _STOPPING,
                    (
                        "        if val_loss < self.best_loss:",
                        "        worse = val_loss > getattr(self, 'last', float('inf'))\n"
                        "        self.bad = getattr(self, 'bad', 0) + 1 if worse else 0\n"
                        "        self.last = val_loss\n"
                        "        if val_loss < self.best_loss:",
                    ),
                    ("self.epoch - self.best_epoch >=", "self.bad >="),
                ),
                "with the epoch before",
            ),
            (variant(_STOPPING, ("val_loss < self", "val_loss <= self")), "equal loss"),
            (
                variant(
                    _STOPPING,
                    (
                        "        if val_loss",
                        "        worse = val_loss >= self.best_loss\n"
                        "        self.bad = getattr(self, 'bad', 0) + worse\n"
                        "        if val_loss",
                    ),
                    ("self.epoch - self.best_epoch >=", "self.bad >="),
                ),
                "in a row",
            ),
        ),
        checker=judges.check_stopping,
    ),
)
